// Package notice keeps who wants to hear of what: an organization's webhook endpoints, their secrets, and what is said of
// its usage.
//
// Other verbs announce what has happened in their own transaction (store.Tx.Announce) and know nothing of this package.
// The store makes a delivery and a job for each endpoint that subscribes; package webhook sends them.
//
// An endpoint's address is checked here when it is saved, and the address that its name leads to is checked by the same
// Rules at every dial. A secret is told once, to who creates or rotates it; it is kept sealed with a key that is derived
// from the installation's secret and bound to its endpoint, so that a copy of the database signs nothing.
package notice
