// Package usage records events and proves what they add up to.
//
// # Recording
//
// An event is answered only after the transaction that holds it has committed. To make that cheap, events that arrive
// while a commit runs wait together and share the next one: the batch is whatever queued meanwhile, and a lone event never
// waits. One committer serves SQLite. PostgreSQL has two: while the first waits for its commit, the second prepares the next
// batch, if there is enough for one to be worth it. There a batch that is still small waits for callers who have just been
// answered and will be back at once, at most as long as the last commit took.
//
// One batch is one transaction: it reads agents, prices and callers, refuses the events that may not be recorded, drops
// those whose idempotency key is known, inserts the rest, adds to the rollups and commits. So
//   - a key revoked, a price changed or an agent archived before the batch's commit acts on it: see
//     store.Tx.PauseRecording for the other half;
//   - the rollups equal the events at every moment anybody can see;
//   - one refused event does not touch its neighbours, and if the database refuses the batch as a whole, every request
//     in it is tried alone.
//
// # Pending usage
//
// Commits that follow each other add to the same rows of three rollups. From eight events on, a commit therefore writes what
// it adds as one row of usage_pending for each organization, in the events' transaction, and readers read views that count
// both: a sum is exact at every instant. A tenth of a second later, or when there is much of it, one transaction takes many of
// these rows and adds them up into the rollups. Tiered prices are not pending, since the next event is priced by their total.
// Only when an agent was last active waits for that.
//
// The queue is bounded. When it is full, Record answers xyra.Unavailable at once and nothing is kept.
//
// # Prices
//
// The charge of an event is the price of the period's total with it less the price without it. For linear components
// that is quantity times price and needs no total; only tiered ones lock and read their running total first. The sum
// of the charges is the price of the sum in any order of arrival.
package usage
