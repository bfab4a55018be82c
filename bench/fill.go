package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"xyra"
	"xyra/money"
	"xyra/store"
	"xyra/usage"
)

// fillTypes are what the agents report, in turn of the agents: two activities, an outcome and a cost.
var fillTypes = []struct {
	kind     xyra.EventKind
	name     string
	quantity money.Decimal
}{
	{xyra.Activity, "call", money.MustParse("3")},
	{xyra.Activity, "token", money.MustParse("1834")},
	{xyra.Outcome, "ticket", money.MustParse("299.97")},
	{xyra.Cost, "model", money.MustParse("0.0375")},
}

// fill records events through the recorder itself, so that prices and rollups are what the API would have made, only
// without HTTP. They are spread evenly over the month, in order of time, each agent's type always the same: few events
// and many make the same rows of rollups.
func fill(ctx context.Context, d database, w *world, events int, month time.Time) error {
	o := store.Options{URL: d.url, Now: time.Now, SlowAfter: time.Minute}
	if !d.isPostgres() {
		o.Path = d.path()
	}
	db, err := store.Open(ctx, o)
	if err != nil {
		return err
	}
	defer db.Close()
	users, err := db.Users(ctx, 0, 1)
	if err != nil || len(users) == 0 {
		return errors.Join(err, errors.New("no user to fill with"))
	}
	caller := xyra.Caller{User: users[0].ID, Superuser: users[0].IsSuperuser, TokenVersion: users[0].TokenVersion}
	recorder := usage.New(db, usage.Options{QueueMax: 100_000})
	const lanes = 2 // each with its own agents, so that they do not wait for each other
	faults := make([]error, lanes)
	var group sync.WaitGroup
	for lane := range lanes {
		group.Go(func() { faults[lane] = fillLane(ctx, recorder, caller, w, events, month, lane, lanes) })
	}
	group.Wait()
	return errors.Join(errors.Join(faults...), recorder.Close(ctx))
}

func fillLane(ctx context.Context, recorder *usage.Recorder, caller xyra.Caller, w *world, events int, month time.Time, lane, lanes int) error {
	length := month.AddDate(0, 1, 0).Sub(month)
	drafts := make([]usage.Draft, 0, batchEvents)
	for i := lane; i < events; i += lanes {
		agent := i % len(w.agents)
		of := fillTypes[agent%len(fillTypes)]
		d := usage.Draft{Kind: of.kind, Agent: xyra.AgentID(w.agents[agent]), Type: of.name, Quantity: of.quantity, Details: []byte(`{"model":"m-1","tokens":1834}`),
			Timestamp: month.Add(length / time.Duration(events) * time.Duration(i)), IdempotencyKey: fmt.Sprintf("fill-%015d", i)}
		if of.kind != xyra.Activity {
			d.Currency = money.Currency("USD")
		}
		if err := d.Seal(usage.Omitted{}); err != nil {
			return err
		}
		if drafts = append(drafts, d); len(drafts) < batchEvents && i+lanes < events {
			continue
		}
		results, err := recorder.Record(ctx, caller, drafts)
		if err != nil {
			return err
		}
		for _, r := range results {
			if r.Err != nil {
				return r.Err
			}
		}
		drafts = make([]usage.Draft, 0, batchEvents)
	}
	return nil
}
