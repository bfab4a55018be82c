// Package pricing turns quantities into exact charges.
//
// A billing model is a list of components, and a component is a function from a
// period's total quantity to a price: Rate. The charge of one event is always a
// difference, Rate(total after) − Rate(total before), so the charges of a period
// add up to the price of its sum, in whatever order and portions events arrive.
//
// The package is pure and rounds nothing: whoever writes an invoice line rounds,
// once. It knows no agents, no currencies and no dates beyond a month's number,
// and it relies on components that Validate has accepted.
package pricing
