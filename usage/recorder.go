package usage

import (
	"context"
	"errors"
	"log/slog"
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
	taken   time.Time // when a committer took it
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
	if db.IsPostgres() { // SQLite gains nothing
		r.queue.gathering.most = gatherMost
	}
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
