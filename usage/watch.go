package usage

import "time"

// Commit is what one commit of the recorder did, for whoever watches.
type Commit struct {
	Started, Ended time.Time // the commit itself, without the wait before it
	Requests       int
	Recorded       int // events that are new
	Replayed       int // events that were there already, under their keys
	Refused        int // events that may not be recorded, and all events of a commit that did not succeed
}

// Queue is what waits for a commit at this moment.
type Queue struct {
	Events int       // not yet taken by a commit
	Oldest time.Time // since when the first of those waits that are not on disk; zero if none does
}

// Queue tells how much waits. The events of a commit under way count for Oldest alone.
func (r *Recorder) Queue() Queue {
	r.queue.mu.Lock()
	defer r.queue.mu.Unlock()
	q := Queue{Events: r.queue.events}
	for _, list := range [][]*batch{r.queue.underWay, r.queue.waiting} {
		for _, b := range list {
			if q.Oldest.IsZero() || b.since.Before(q.Oldest) {
				q.Oldest = b.since
			}
		}
	}
	return q
}

// watched settles a batch and tells the watcher. It looks at each result once, before anybody else does.
func (r *Recorder) watched(b *batch) {
	c := Commit{Started: r.db.Now(), Requests: len(b.tickets)}
	r.settle(b)
	c.Ended = r.db.Now()
	for _, t := range b.tickets {
		for i := range t.results {
			switch {
			case t.results[i].Err != nil:
				c.Refused++
			case t.results[i].Replayed:
				c.Replayed++
			default:
				c.Recorded++
			}
		}
	}
	r.watch(c)
}
