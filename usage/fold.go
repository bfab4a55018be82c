package usage

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"xyra"
	"xyra/store"
)

const (
	pendingFrom = 8                      // events from which a commit writes pending usage
	foldAfter   = 100 * time.Millisecond // how old pending usage becomes, unless there is much of it
	foldFrom    = 2000                   // rows of rollups that are much
	foldRows    = 500                    // rows of usage_pending that are folded in one transaction
	foldSurvey  = time.Minute            // after which pending usage of processes that are gone is looked for
	foldKeep    = 50_000                 // rows of rollups that are remembered
	foldRest    = 200                    // commits that change the rollups themselves after a fold that was not worth it
	foldPause   = 10 * time.Second       // at most, between tries that fail
	foldVacuum  = 2000                   // rows of usage_pending that are removed between two vacuums
	vacuumRest  = 20                     // times as long as a vacuum has taken, before the next
)

// folding knows which organizations have pending usage. Small commits change the rollups themselves, since pending usage costs
// them another transaction; very long ones do too, since they touch each row for many events. Between them, many commits in a
// row would change the same rows, and on PostgreSQL wait for each other until the disk has the one before.
type folding struct {
	from int // events from which a commit writes pending usage

	mu        sync.Mutex
	own       map[store.PendingKey]store.Rollups // what this process has made pending since the last fold
	rows      int                                // of the rollups, in own
	forgotten bool                               // there was too much of it
	rest      int                                // commits that change the rollups themselves

	surveyed   time.Time
	removed    int       // rows since the last vacuum
	vacuumFrom time.Time // before then, there is none

	some, much, stop, stopped chan struct{}
	stopping                  sync.Once
}

func (f *folding) start(from int) {
	if f.from = from; from == 0 {
		f.from = pendingFrom
	}
	f.own = map[store.PendingKey]store.Rollups{}
	f.some, f.much = make(chan struct{}, 1), make(chan struct{}, 1)
	f.stop, f.stopped = make(chan struct{}), make(chan struct{})
	signal(f.some) // what a process before this one has left
}

// end waits until what is pending has been folded for the last time.
func (f *folding) end() {
	f.stopping.Do(func() { close(f.stop) })
	<-f.stopped
}

// choose makes what the entries add pending usage where that is better. The running total of a tiered price cannot be pending:
// the next event is priced by it.
func (f *folding) choose(add *store.Rollups, entries []*entry) {
	if len(entries) < f.from || len(entries) > batchLong || slices.ContainsFunc(entries, (*entry).tieredParts) {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.rest > 0 {
		f.rest--
		return
	}
	add.Pending = entries[0].event.ID
}

// learn looks whether a fold was worth it: rows that are spread over very many agents do not become fewer.
func (f *folding) learn(pending, rollups int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if pending >= foldFrom/4 && 2*rollups > pending {
		f.rest = foldRest
	}
}

// note remembers what a commit has made pending.
func (f *folding) note(add store.Rollups) {
	if add.Pending == 0 {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for len(add.Hours) > 0 {
		o := add.Hours[0].Organization
		var own store.Rollups
		own.Hours, add.Hours = cut(add.Hours, func(u *xyra.SpanUsage) bool { return u.Organization == o })
		own.Periods, add.Periods = cut(add.Periods, func(u *xyra.PeriodUsage) bool { return u.Organization == o })
		f.keep(store.PendingKey{Organization: o, ID: add.Pending}, own)
	}
	signal(f.some)
	if f.rows >= foldFrom {
		signal(f.much)
	}
}

// keep remembers a row of pending usage unless that has become too much: it is in the database in any case.
func (f *folding) keep(k store.PendingKey, add store.Rollups) {
	if f.rows >= foldKeep {
		f.forgotten = true
		return
	}
	f.own[k] = add
	f.rows += len(add.Hours) + len(add.Periods)
}

// cut splits a list behind the elements that it begins with and that belong.
func cut[T any](list []T, belongs func(*T) bool) (head, tail []T) {
	n := 0
	for n < len(list) && belongs(&list[n]) {
		n++
	}
	return list[:n], list[n:]
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// take gives what this process has made pending, and forgets it. all is false if that is not everything.
func (f *folding) take() (own map[store.PendingKey]store.Rollups, all bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	own, all = f.own, !f.forgotten
	f.own, f.rows, f.forgotten = map[store.PendingKey]store.Rollups{}, 0, false
	return own, all
}

// giveBack remembers again what could not be folded.
func (f *folding) giveBack(own map[store.PendingKey]store.Rollups) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for k, add := range own {
		f.keep(k, add)
	}
	signal(f.some)
}

// fold moves pending usage into the rollups until the recorder is closed.
func (r *Recorder) fold() {
	defer close(r.folding.stopped)
	wait := foldAfter
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for last := false; !last; {
		select {
		case <-r.folding.some:
		case <-r.folding.stop:
			last = true
		}
		timer.Reset(wait)
		select {
		case <-timer.C:
		case <-r.folding.much:
		case <-r.folding.stop:
			last = true
		}
		err := r.foldPending()
		if err == nil {
			wait = foldAfter
			continue
		}
		signal(r.folding.some)
		if !errors.Is(err, store.ErrFolding) {
			r.log.Warn("pending usage stays pending for now, which changes no sum", "err", err)
			wait = min(2*wait, foldPause)
		}
	}
}

// foldPending moves the pending usage that this process has written into the rollups, and now and then what others have left.
func (r *Recorder) foldPending() error {
	ctx, cancel := context.WithTimeout(context.Background(), commitMax)
	defer cancel()
	own, all := r.folding.take()
	if !all {
		r.folding.surveyed = time.Time{}
	}
	if err := r.foldKeys(ctx, slices.SortedFunc(maps.Keys(own), store.ComparePending), own); err != nil {
		r.folding.giveBack(own)
		return err
	}
	if now := r.db.Now(); now.Sub(r.folding.surveyed) > foldSurvey {
		r.folding.surveyed = now
		if err := r.foldLeft(ctx); err != nil {
			return err
		}
	}
	r.vacuum(ctx)
	return nil
}

// foldLeft folds all pending usage that there is, which others may have left or be about to fold.
func (r *Recorder) foldLeft(ctx context.Context) error {
	var last store.PendingKey
	var faults error
	for {
		keys, err := r.db.PendingKeys(ctx, last, foldRows)
		if err == nil && len(keys) > 0 {
			err, last = r.foldKeys(ctx, keys, nil), keys[len(keys)-1]
		}
		if passing(err) {
			r.folding.surveyed = time.Time{}
			return err
		}
		if faults = errors.Join(faults, err); len(keys) < foldRows {
			return faults
		}
	}
}

// passing tells a fault that has nothing to do with the rows.
func passing(err error) bool {
	return errors.Is(err, store.ErrFolding) || xyra.HasCode(err, xyra.CodeUnavailable)
}

// foldKeys folds rows of pending usage, some in each transaction. What this process remembers of them need not be read.
func (r *Recorder) foldKeys(ctx context.Context, keys []store.PendingKey, own map[store.PendingKey]store.Rollups) (faults error) {
	for some := range slices.Chunk(keys, foldRows) {
		err := r.foldSome(ctx, some, own)
		if err != nil && !passing(err) && some[0].Organization != some[len(some)-1].Organization {
			err = r.foldEach(ctx, some, own) // a row that somebody has spoiled must not keep the others' back
		}
		if passing(err) {
			return err
		}
		faults = errors.Join(faults, err)
	}
	return faults
}

// foldEach folds the rows of each organization in a transaction of its own.
func (r *Recorder) foldEach(ctx context.Context, keys []store.PendingKey, own map[store.PendingKey]store.Rollups) (faults error) {
	for len(keys) > 0 {
		o := keys[0].Organization
		var some []store.PendingKey
		some, keys = cut(keys, func(k *store.PendingKey) bool { return k.Organization == o })
		err := r.foldSome(ctx, some, own)
		if passing(err) {
			return err
		}
		faults = errors.Join(faults, err)
	}
	return faults
}

func (r *Recorder) foldSome(ctx context.Context, keys []store.PendingKey, own map[store.PendingKey]store.Rollups) error {
	var taken []store.Taken
	var pending, rollups int
	err := r.db.Record(ctx, func(rec *store.Recording) (err error) {
		if taken, err = rec.TakePending(ctx, keys, own == nil); err != nil || len(taken) == 0 {
			return err
		}
		add, seen, rows, err := folded(taken, own)
		if err != nil {
			return err
		}
		pending, rollups = rows, len(add.Hours)+len(add.Periods)
		return rec.Commit(ctx, add, seen)
	})
	if err == nil {
		r.folding.learn(pending, rollups)
		r.folding.removed += len(taken)
	}
	return err
}

// vacuum frees the room of what has been folded when that is much, and never for long.
func (r *Recorder) vacuum(ctx context.Context) {
	f := &r.folding
	start := r.db.Now()
	if f.removed < foldVacuum || start.Before(f.vacuumFrom) {
		return
	}
	if err := r.db.VacuumPending(ctx); err != nil {
		r.log.Warn("the room of folded usage is left to autovacuum", "err", err)
	}
	end := r.db.Now()
	f.removed, f.vacuumFrom = 0, end.Add(vacuumRest*end.Sub(start))
}

// folded adds up pending usage of so many rows of rollups. What this process has written need not be read.
func folded(taken []store.Taken, own map[store.PendingKey]store.Rollups) (add store.Rollups, seen []store.AgentSeen, pending int, err error) {
	s := newSums()
	last := map[store.AgentSeen]time.Time{}
	for _, t := range taken {
		row := own[t.PendingKey]
		if own == nil {
			if row, err = t.Read(); err != nil {
				return add, nil, 0, err
			}
		}
		pending += len(row.Hours) + len(row.Periods)
		for i := range row.Hours {
			h := &row.Hours[i]
			s.addHour(h)
			if a := (store.AgentSeen{Organization: h.Organization, Agent: h.Agent}); h.Kind == xyra.Activity && t.At.After(last[a]) {
				last[a] = t.At
			}
		}
		for i := range row.Periods {
			s.addPeriod(&row.Periods[i])
		}
	}
	add = s.sorted()
	add.Days = daysOf(add.Hours)
	for a, at := range last {
		seen = append(seen, store.AgentSeen{Organization: a.Organization, Agent: a.Agent, At: at})
	}
	slices.SortFunc(seen, func(a, b store.AgentSeen) int { return compareSeen(&a, &b) })
	return add, seen, pending, nil
}
