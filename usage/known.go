package usage

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	"xyra"
	"xyra/store"
)

// known remembers what recordings have read of agents and callers. It is true as long as the database's epoch is the one
// it was read in, which every recording checks. After staleMax it is read anew all the same: then a change made by hand,
// past the verbs that advance the epoch, acts too.
type known struct {
	mu    sync.Mutex
	state store.RecordingState
	since time.Time
	// repeats is set when a known key has spoiled a recording at once: repeats seldom come alone.
	repeats bool
}

const (
	staleMax = time.Second
	knownMax = 100_000 // agents, users and keys; beyond that everything is forgotten and read again
)

// needs are the agents and callers of some tickets.
type needs struct {
	agents []xyra.AgentID
	users  []xyra.UserID
	keys   []xyra.APIKeyID
}

func needsOf(tickets []*ticket) needs {
	return needs{agentsOf(tickets), usersOf(tickets), keysOf(tickets)}
}

// covers gives a copy of what is remembered of the needs, if that is all of them and fresh.
func (k *known) covers(n needs, now time.Time) (store.RecordingState, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	state := store.NewRecordingState(k.state.Epoch)
	if age := now.Sub(k.since); age < 0 || age > staleMax {
		return state, false
	}
	return state, pick(state.Agents, k.state.Agents, n.agents) && pick(state.Users, k.state.Users, n.users) && pick(state.Keys, k.state.Keys, n.keys)
}

// pick copies the named values and tells whether all were there.
func pick[K comparable, V any](to, from map[K]V, names []K) bool {
	for _, name := range names {
		v, there := from[name]
		if !there {
			return false
		}
		to[name] = v
	}
	return true
}

// learn adds what a recording has read.
func (k *known) learn(read store.RecordingState, now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	full := len(k.state.Agents)+len(k.state.Users)+len(k.state.Keys) > knownMax
	if age := now.Sub(k.since); read.Epoch != k.state.Epoch || age < 0 || age > staleMax || full {
		k.state, k.since = store.NewRecordingState(read.Epoch), now
	}
	maps.Copy(k.state.Agents, read.Agents)
	maps.Copy(k.state.Users, read.Users)
	maps.Copy(k.state.Keys, read.Keys)
}

// sawRepeat notes whether the last recording met a key that was known, and gives what was noted before.
func (k *known) sawRepeat(now bool) (before bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	before, k.repeats = k.repeats, now
	return before
}

// state is what holds for the tickets: remembered if the epoch has not moved, else read in this recording.
func (r *Recorder) state(ctx context.Context, rec *store.Recording, n needs) (store.RecordingState, error) {
	if !r.db.IsPostgres() { // there the epoch would cost the round trip that reads everything
		if state, covered := r.known.covers(n, rec.Now); covered {
			now, err := rec.State(ctx, nil, nil, nil)
			if err != nil || now.Epoch == state.Epoch {
				return state, err
			}
		}
	}
	state, err := rec.State(ctx, n.agents, n.users, n.keys)
	if err == nil {
		r.known.learn(state, rec.Now)
	}
	return state, err
}

// commitOnce records the tickets in one round trip, on PostgreSQL, in the usual case: all that they need is remembered,
// every draft may be recorded, no price depends on a running total and nobody asked for an answer to be kept. Otherwise,
// and whenever the database refuses, it answers false, nothing has happened, and commit takes the long way.
func (r *Recorder) commitOnce(ctx context.Context, tickets []*ticket, ids []xyra.EventID) (done bool, err error) {
	if keepsAnswer(tickets) {
		return false, nil
	}
	now := r.db.Now()
	n := needsOf(tickets)
	state, covered := r.known.covers(n, now)
	if !covered && len(ids) > batchLong { // reading first costs a long recording less than the long way
		err := r.db.Record(ctx, func(rec *store.Recording) error {
			_, err := r.state(ctx, rec, n)
			return err
		})
		if err != nil {
			return false, err
		}
		now = r.db.Now()
		state, covered = r.known.covers(n, now)
	}
	if !covered || r.known.sawRepeat(false) {
		return false, nil
	}
	entries, err := r.admit(ctx, now, state, tickets, ids)
	if err != nil || len(entries) < len(ids) {
		return false, err
	}
	for _, e := range entries {
		if e.draft.Record != nil || e.tieredParts() {
			return false, nil
		}
	}
	sortByKey(entries)
	if twinsSorted(entries) {
		return false, nil
	}
	w := store.Written{Events: make([]*xyra.Event, len(entries))}
	for i, e := range entries {
		w.Events[i] = &e.event
	}
	w.Add, w.Seen = rollups(entries)
	r.folding.choose(&w.Add, entries)
	err = r.db.RecordOnce(ctx, state.Epoch, now, w)
	if errors.Is(err, store.ErrAgain) {
		return false, nil
	}
	if err == nil {
		r.folding.note(w.Add)
	}
	return err == nil, err
}
