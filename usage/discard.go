package usage

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"xyra"
	"xyra/store"
)

// discarded is what Options.Discard works on: the state of agents and callers, read once a second, and ids that nobody
// keeps.
type discarded struct {
	mu     sync.Mutex
	states map[discardedKey]discardedState
	last   atomic.Int64
}

type discardedKey struct {
	agent xyra.AgentID
	user  xyra.UserID
	key   xyra.APIKeyID
}

type discardedState struct {
	store.RecordingState
	read time.Time
}

// discard answers drafts as a commit would, prices included, and keeps nothing.
func (r *Recorder) discard(ctx context.Context, t *ticket) ([]Result, error) {
	now := r.db.Now()
	for i := range t.drafts {
		state, err := r.discarded.state(ctx, r.db, now, t.caller, t.drafts[i].Agent)
		if err != nil {
			return nil, err
		}
		e := &entry{ticket: t, draft: &t.drafts[i], result: &t.results[i]}
		refused, err := r.prepare(ctx, now, state, e, &room{})
		if err != nil {
			return nil, err
		}
		if refused != nil {
			e.result.Err = refused
			continue
		}
		e.event.ID = xyra.EventID(r.discarded.last.Add(1))
		e.result.Event = e.event
	}
	return t.results, nil
}

func (d *discarded) state(ctx context.Context, db *store.DB, now time.Time, caller xyra.Caller, agent xyra.AgentID) (store.RecordingState, error) {
	k := discardedKey{agent, caller.User, caller.Key}
	d.mu.Lock()
	defer d.mu.Unlock()
	if known, ok := d.states[k]; ok && now.Sub(known.read) < time.Second {
		return known.RecordingState, nil
	}
	var users []xyra.UserID
	var keys []xyra.APIKeyID
	if caller.IsKey() {
		keys = []xyra.APIKeyID{caller.Key}
	} else {
		users = []xyra.UserID{caller.User}
	}
	read := discardedState{read: now}
	err := db.Record(ctx, func(rec *store.Recording) (err error) {
		read.RecordingState, err = rec.State(ctx, []xyra.AgentID{agent}, users, keys)
		return err
	})
	if d.states == nil {
		d.states = map[discardedKey]discardedState{}
	}
	d.states[k] = read
	return read.RecordingState, err
}
