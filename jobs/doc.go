// Package jobs runs what other packages have promised: rows of the jobs table, each by the handler of its kind, each at
// least once.
//
// Every process has a Runner; none of them leads. A runner claims due jobs of one kind in a short transaction that gives
// it a lease, longer than the handler may take. A process that dies leaves its job to whoever finds the lease passed; one
// that comes back late finds its result refused, because the attempt has a higher number by then. A handler may therefore
// run twice at once in the worst case, and must leave the same state as if it had run once.
//
// Each kind has its own lane with its own number of workers, so that slow work of one kind delays no other. Periodic work
// is a job whose unique key names the span of time it is for: every process tries to add it, one succeeds.
package jobs
