// Package api is Xyra's HTTP wall: it turns requests into calls of the verbs and their
// results into answers, and nothing else decides here.
//
// Every route takes its input from one declaration: the struct behind it lists its
// parameters and fields in the order of the contract, and from that list the request
// is decoded, the 422 items are made and the OpenAPI document is written. No other
// package knows HTTP statuses, and no answer carries the text of an internal error.
package api
