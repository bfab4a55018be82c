package usage

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"xyra"
	"xyra/store"
)

// Options bounds the recorder. Zero values choose what measured best.
type Options struct {
	Committers int // 0: one for SQLite, two for PostgreSQL
	QueueMax   int // events waiting at most, but for one request more; 0 means 20,000
	Log        *slog.Logger
	Watch      func(Commit) // called after each commit, before its callers are answered; it must be quick. nil: nobody watches
	// PendingFrom is how many events a commit has at least that writes pending usage instead of changing the rollups. 0 means 8
	PendingFrom int
	Discard     bool // for measuring only: answer as if recorded, prices included, and keep nothing
}

// batchMax is how many events share a commit at most. A single request may be larger and then commits alone.
const batchMax = 1000

// commitMax bounds one commit, so that a database that hangs does not hold its waiters for ever.
const commitMax = 30 * time.Second

// Recorder takes events from any number of callers at once and commits them in batches.
type Recorder struct {
	db     *store.DB
	log    *slog.Logger
	prices priceBook
	known  known
	queue  queue
	watch  func(Commit)
	done   sync.WaitGroup

	folding folding

	discards  bool
	discarded discarded
}

// ticket is one caller's request: its drafts share a transaction.
type ticket struct {
	caller  xyra.Caller
	drafts  []Draft
	results []Result
	kept    *Kept
}

// batch is the tickets of one commit. done is closed when their results are there.
type batch struct {
	tickets []*ticket
	events  int
	since   time.Time // when the first ticket came
	done    chan struct{}
}

// New starts the committers. Close ends them.
func New(db *store.DB, o Options) *Recorder {
	if o.Committers == 0 {
		o.Committers = 1
		if db.IsPostgres() {
			o.Committers = 2
		}
	}
	if o.QueueMax == 0 {
		o.QueueMax = 20_000
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	r := &Recorder{db: db, log: o.Log, discards: o.Discard, watch: o.Watch}
	r.queue.now = db.Now
	r.queue.eventsMax = o.QueueMax
	r.queue.first.L, r.queue.others.L = &r.queue.mu, &r.queue.mu
	r.folding.start(o.PendingFrom)
	for i := range o.Committers {
		r.done.Go(func() { r.work(i == 0) })
	}
	go r.fold()
	return r
}

var (
	errFull     = errors.New("the recording queue is full")
	errStopping = errors.New("the recorder is stopping")
)

// Record commits the drafts in one transaction and returns a result for each, in order. An error means that nothing of
// them was kept, unless it is ctx's: then the caller left while the commit was on its way, and only the database knows.
func (r *Recorder) Record(ctx context.Context, caller xyra.Caller, drafts []Draft) ([]Result, error) {
	return r.RecordKept(ctx, caller, drafts, nil)
}

// wait queues a ticket and returns its results when they are on disk.
func (r *Recorder) wait(ctx context.Context, t *ticket) ([]Result, error) {
	if r.discards {
		return r.discard(ctx, t)
	}
	b, err := r.queue.add(t)
	if err != nil {
		return nil, xyra.Unavailable(err)
	}
	select {
	case <-b.done:
		return t.results, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Close refuses new events, commits those that wait, and returns when all is on disk or ctx ends.
func (r *Recorder) Close(ctx context.Context) error {
	r.queue.close()
	ended := make(chan struct{})
	go func() {
		r.done.Wait()
		r.folding.end()
		close(ended)
	}()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// work commits batch after batch until the queue is closed and empty.
func (r *Recorder) work(first bool) {
	for {
		b := r.queue.take(first)
		if b == nil {
			return
		}
		if r.watch == nil {
			r.settle(b)
		} else {
			r.watched(b)
		}
		r.queue.settled(b)
		close(b.done)
	}
}

// settle commits a batch; if the database refuses it whole, each ticket is tried alone, so that one poisoned event does
// not fail its neighbours.
func (r *Recorder) settle(b *batch) {
	err := r.commit(b.tickets)
	if err == nil {
		return
	}
	if len(b.tickets) == 1 || xyra.HasCode(err, xyra.CodeUnavailable) {
		refuse(b.tickets, err)
		return
	}
	r.log.Warn("batch refused, trying each request alone", "requests", len(b.tickets), "err", err)
	for _, t := range b.tickets {
		if err := r.commit([]*ticket{t}); err != nil {
			refuse([]*ticket{t}, err)
		}
	}
}

func refuse(tickets []*ticket, err error) {
	for _, t := range tickets {
		for i := range t.results {
			t.results[i] = Result{Err: err}
		}
	}
}

// queue holds the batches that wait for a committer. All but the last are full. The first committer takes whatever is
// there; the others come in when much waits or a long batch is under way, for two small batches cost more than one.
type queue struct {
	mu        sync.Mutex
	first     sync.Cond
	others    sync.Cond
	now       func() time.Time
	waiting   []*batch
	underWay  []*batch // taken by a committer, not on disk yet
	events    int      // in waiting
	eventsMax int
	long      int // batches under way that are larger than batchLong
	closed    bool
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
	q.first.Signal()
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
	b := q.waiting[0]
	q.waiting = q.waiting[1:]
	q.events -= b.events
	q.underWay = append(q.underWay, b)
	if b.events > batchLong {
		q.long++
		q.others.Signal()
	}
	return b
}

// settled says that a batch is no longer under way.
func (q *queue) settled(b *batch) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.underWay = slices.DeleteFunc(q.underWay, func(other *batch) bool { return other == b })
	if b.events > batchLong {
		q.long--
	}
}

func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.first.Broadcast()
	q.others.Broadcast()
}
