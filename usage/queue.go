package usage

import (
	"slices"
	"sync"
	"time"
)

// queue holds the batches that wait for a committer. All but the last are full. The first committer takes whatever is
// there, once it has gathered; the others come in when much waits or a long batch is under way, for two small batches cost more than one.
type queue struct {
	mu        sync.Mutex
	first     sync.Cond
	others    sync.Cond
	now       func() time.Time
	waiting   []*batch
	underWay  []*batch // taken by a committer, not on disk yet
	events    int      // in waiting
	eventsMax int
	requests  int // in waiting
	long      int // batches under way that are larger than batchLong
	closed    bool
	gathering gathering
}

const (
	othersFrom = 64           // events that wait before a second committer takes a batch
	batchLong  = batchMax / 2 // events from which others do not wait for a batch
)

// add puts a ticket into the last batch that has room.
func (q *queue) add(t *ticket) (*batch, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := len(t.drafts)
	if q.closed {
		return nil, errStopping
	}
	if q.events >= q.eventsMax { // one request may go over it: a long one must not starve beside many short ones
		return nil, errFull
	}
	if len(q.waiting) == 0 || q.waiting[len(q.waiting)-1].events+n > batchMax {
		q.waiting = append(q.waiting, &batch{since: q.now(), done: make(chan struct{})})
	}
	b := q.waiting[len(q.waiting)-1]
	b.tickets, b.events, q.events = append(b.tickets, t), b.events+n, q.events+n
	if q.requests++; q.gathered() {
		q.first.Signal()
	}
	if q.othersMay() {
		q.others.Signal()
	}
	return b, nil
}

func (q *queue) othersMay() bool { return q.events >= othersFrom || q.long > 0 }

// take waits for a batch; nil means that the queue is closed and empty.
func (q *queue) take(first bool) *batch {
	q.mu.Lock()
	defer q.mu.Unlock()
	for {
		for len(q.waiting) == 0 || !first && !q.closed && !q.othersMay() {
			switch {
			case q.closed && len(q.waiting) == 0:
				return nil
			case first:
				q.first.Wait()
			default:
				q.others.Wait()
			}
		}
		if first {
			q.gather()
		}
		if len(q.waiting) > 0 {
			return q.remove()
		}
	}
}

// remove takes the batch that has waited longest.
func (q *queue) remove() *batch {
	b := q.waiting[0]
	q.waiting = q.waiting[1:]
	q.events -= b.events
	q.requests -= len(b.tickets)
	b.taken = q.now()
	q.underWay = append(q.underWay, b)
	if b.events > batchLong {
		q.long++
		q.others.Signal()
	}
	return b
}

// gathering is what the first committer knows of callers who come back: an agent that reports one event after the other sends
// the next as soon as it has been answered, and a commit costs about as much as gatherTo events. So while a batch is smaller than
// that it waits for those who have just been answered, never longer than the last commit took and never for a caller that was
// alone.
type gathering struct {
	most     time.Duration // that is waited; 0: for nobody
	expected int           // requests that were answered by the last commit or have come during it
	commit   time.Duration // how long it took
	target   int           // requests that are waited for at this moment
	late     bool          // it has been long enough
	round    int           // counts waits, so that an old timer does not end a new one
}

const (
	gatherTo   = 32
	gatherMost = 5 * time.Millisecond // however long a commit took
)

// gathered tells whether no more requests are waited for.
func (q *queue) gathered() bool { return q.requests >= q.gathering.target || q.events >= gatherTo }

// gather lets the batch that waits become larger.
func (q *queue) gather() {
	g := &q.gathering
	wait := min(g.commit, g.most)
	if g.target = 9 * g.expected / 10; q.gathered() || wait <= 0 {
		g.target = 0
		return
	}
	g.round++
	g.late = false
	round := g.round
	timer := time.AfterFunc(wait, func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		if g.round == round {
			g.late = true
			q.first.Signal()
		}
	})
	for !q.gathered() && len(q.waiting) > 0 && !g.late && !q.closed {
		q.first.Wait()
	}
	timer.Stop()
	g.target = 0
}

// settled says that a batch is no longer under way.
func (q *queue) settled(b *batch) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.underWay = slices.DeleteFunc(q.underWay, func(other *batch) bool { return other == b })
	if b.events > batchLong {
		q.long--
		q.gathering.expected = 0
		return
	}
	q.gathering.expected, q.gathering.commit = len(b.tickets)+q.requests, q.now().Sub(b.taken)
}

func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.first.Broadcast()
	q.others.Broadcast()
}
