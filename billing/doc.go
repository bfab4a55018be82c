// Package billing turns a closed month into an invoice and takes invoices through their states.
//
// An invoice bills usage by difference: what a usage row holds, less what invoices that are not cancelled have billed of
// it. Whatever arrives after a month was invoiced is therefore billed once, by the next generation, and cancelling an
// invoice gives back exactly what it took. Which lines an invoice has is decided by a pure function; each line is
// rounded once, and an invoice whose lines do not add up is never saved.
//
// Every function runs inside its caller's transaction and leaves it to the caller to commit.
package billing
