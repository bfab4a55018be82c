package usage

import (
	"cmp"
	"testing"
	"time"
)

// never is a wait that would end the test run.
const never = time.Hour

// gatheringQueue is the queue after a commit of some requests that took so long; at the end nobody waits.
func gatheringQueue(t *testing.T, requests, events int, took time.Duration) *queue {
	t.Helper()
	var now time.Time
	q := &queue{now: func() time.Time { return now }, eventsMax: 10_000}
	q.gathering.most = never
	q.first.L, q.others.L = &q.mu, &q.mu
	enqueue(t, q, requests, events)
	b := q.take(true)
	now = now.Add(took)
	q.settled(b)
	return q
}

// enqueue adds requests of so many events each.
func enqueue(t *testing.T, q *queue, requests, events int) {
	t.Helper()
	for range requests {
		if _, err := q.add(&ticket{drafts: make([]Draft, events)}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestQueue_WaitsForCallersWhoComeBack(t *testing.T) {
	for name, c := range map[string]struct {
		answered, events  int           // requests of the last commit, and events of each
		commit            time.Duration // how long it took
		most              time.Duration // 0: never
		waiting, followed int           // requests that wait before the next batch is taken, and while it gathers
		want              int           // requests in it
	}{
		"all of them":                     {answered: 5, events: 1, commit: never, waiting: 1, followed: 3, want: 4},
		"up to as many as a commit costs": {answered: 500, events: 1, commit: never, waiting: 10, followed: 22, want: 32},
		"nobody after a lone caller":      {answered: 1, events: 1, commit: never, waiting: 1, want: 1},
		"not if enough are there":         {answered: 4, events: 1, commit: never, waiting: 4, want: 4},
		"not after a long request":        {answered: 9, events: 100, commit: never, waiting: 1, want: 1},
		"not longer than the last commit": {answered: 5, events: 1, commit: time.Millisecond, waiting: 2, want: 2},
		"not long after a long commit":    {answered: 5, events: 1, commit: never, most: time.Millisecond, waiting: 2, want: 2},
	} {
		t.Run(name, func(t *testing.T) {
			q := gatheringQueue(t, c.answered, c.events, c.commit)
			q.gathering.most = cmp.Or(c.most, never)
			enqueue(t, q, c.waiting, 1)
			taken := make(chan *batch)
			go func() { taken <- q.take(true) }()
			enqueue(t, q, c.followed, 1)
			if b := <-taken; len(b.tickets) != c.want {
				t.Errorf("the batch has %d requests, want %d", len(b.tickets), c.want)
			}
		})
	}
}

func TestQueue_ClosingEndsTheWaitForCallers(t *testing.T) {
	q := gatheringQueue(t, 5, 1, never)
	enqueue(t, q, 1, 1)
	taken := make(chan *batch)
	go func() { taken <- q.take(true) }()
	q.close()
	if b := <-taken; b == nil || len(b.tickets) != 1 {
		t.Errorf("the batch is %v, want the request that waited", b)
	}
	if b := q.take(true); b != nil {
		t.Errorf("a closed and empty queue gave %v", b)
	}
}
