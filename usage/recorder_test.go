package usage_test

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"xyra"
	"xyra/money"
	"xyra/pricing"
	"xyra/store"
	"xyra/store/storetest"
	"xyra/usage"
)

func TestRecord_EachKindIsPricedAndAddsUp(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		w := newWorld(t, db, clock)
		activity := w.recorded(w.draft("", "3"))
		outcome := w.recorded(usage.Draft{Kind: xyra.Outcome, Agent: w.agent, Type: "sale", Quantity: dec("1000.10"), Currency: "EUR", Timestamp: clock.Now(), Verified: true})
		cost := w.recorded(usage.Draft{Kind: xyra.Cost, Agent: w.agent, Type: "tokens", Quantity: dec("0.000015"), Currency: "USD", Timestamp: clock.Now()})
		other := w.recorded(usage.Draft{Kind: xyra.Activity, Agent: w.agent, Type: "Call", Quantity: dec("5"), Timestamp: clock.Now()})
		for _, c := range []struct {
			e        xyra.Event
			charge   string
			currency money.Currency
		}{{activity, "1.005", "USD"}, {outcome, "75.0075", "EUR"}, {cost, "0", "USD"}, {other, "0", "USD"}} {
			if !c.e.Charge.Equal(dec(c.charge)) || c.e.Currency != c.currency {
				t.Errorf("%s %q is charged %s %s, want %s %s", c.e.Kind, c.e.Type, c.e.Charge, c.e.Currency, c.charge, c.currency)
			}
			stored, err := db.Event(t.Context(), w.org, c.e.Kind, c.e.ID)
			if err != nil || !stored.Quantity.Equal(c.e.Quantity) || !stored.Timestamp.Equal(c.e.Timestamp) || stored.RecordedBy != w.admin.Name() {
				t.Errorf("stored %+v, %v, want %+v", stored, err, c.e)
			}
		}
		w.wantTotals("1003.10", "76.0125")
		w.verify()
	})
}

func TestRecord_ARepeatCountsOnceForEver(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		w := newWorld(t, db, clock)
		d := w.draft("k", "2")
		first := w.recorded(d)
		clock.Advance(400 * day)
		again := w.record(d)[0]
		if again.Err != nil || !again.Replayed || again.Event.ID != first.ID || !again.Event.Charge.Equal(first.Charge) {
			t.Errorf("the repeat gave %+v, want the first event %d replayed", again, first.ID)
		}
		other := w.record(w.draft("k", "3"))[0]
		if !xyra.HasCode(other.Err, xyra.CodeConflict) || other.Err.Error() != "Idempotency key k was already used with different content" {
			t.Errorf("other content under the key gave %v", other.Err)
		}
		asCost := w.record(w.sealed(usage.Draft{Kind: xyra.Cost, Agent: w.agent, Type: "call", Quantity: dec("2"), Currency: "USD", Timestamp: d.Timestamp, IdempotencyKey: "k"}))[0]
		if !xyra.HasCode(asCost.Err, xyra.CodeConflict) {
			t.Errorf("another kind under the key gave %v", asCost.Err)
		}
		w.wantTotals("2", "0.67")
		w.verify()
	})
}

func TestRecord_TwinsInOneRequestCountOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		w := newWorld(t, db, clock)
		stranger := w.draft("s", "1")
		stranger.Agent += 1000
		results := w.record(w.draft("a", "1"), w.draft("a", "1"), w.draft("a", "2"), stranger, w.draft("", "4"), w.draft("", "4"))
		if results[0].Err != nil || results[0].Replayed || !results[1].Replayed || results[1].Event.ID != results[0].Event.ID {
			t.Errorf("twins gave %+v and %+v", results[0], results[1])
		}
		if !xyra.HasCode(results[2].Err, xyra.CodeConflict) || !xyra.HasCode(results[3].Err, xyra.CodeNotFound) {
			t.Errorf("a different twin gave %v, an unknown agent %v", results[2].Err, results[3].Err)
		}
		if results[4].Err != nil || results[5].Err != nil || results[4].Event.ID == results[5].Event.ID {
			t.Errorf("events without a key gave %+v and %+v", results[4], results[5])
		}
		afterwards := w.record(w.draft("a", "2"), w.draft("a", "1"))
		if !xyra.HasCode(afterwards[0].Err, xyra.CodeConflict) || !afterwards[1].Replayed || afterwards[1].Event.ID != results[0].Event.ID {
			t.Errorf("an altered repeat and a true one gave %+v and %+v", afterwards[0], afterwards[1])
		}
		w.wantTotals("9", "3.015")
		w.verify()
	})
}

func TestRecord_ConcurrentRepeatsOnTwoReplicasGiveOneEvent(t *testing.T) {
	storetest.EachTarget(t, func(t *testing.T, target store.Options) {
		clock := storetest.NewClock(storetest.Start)
		target.Now = clock.Now
		w := newWorld(t, storetest.Open(t, target), clock)
		replicas := []*usage.Recorder{w.recorder, w.newRecorder(storetest.Open(t, target), usage.Options{PendingFrom: 1})}
		const keys, senders = 60, 8
		ids := make([][]xyra.EventID, keys)
		var mu sync.Mutex
		var all sync.WaitGroup
		for s := range senders {
			all.Go(func() {
				for _, k := range rand.Perm(keys) {
					results, err := replicas[s%2].Record(t.Context(), w.admin, []usage.Draft{w.draft(keyName(k), "1")})
					if err != nil || results[0].Err != nil {
						t.Errorf("key %d: %v, %v", k, err, results)
						return
					}
					mu.Lock()
					ids[k] = append(ids[k], results[0].Event.ID)
					mu.Unlock()
				}
			})
		}
		all.Wait()
		for k, list := range ids {
			if slices.Sort(list); len(slices.Compact(list)) != 1 {
				t.Errorf("key %d became the events %v", k, list)
			}
		}
		if n := w.eventCount(); n != keys {
			t.Errorf("%d events for %d keys", n, keys)
		}
		w.verify()
	})
}

func TestRecord_ConcurrentReplicasLoseNoUpdate(t *testing.T) {
	storetest.EachTarget(t, func(t *testing.T, target store.Options) {
		clock := storetest.NewClock(storetest.Start)
		target.Now = clock.Now
		w := newWorld(t, storetest.Open(t, target), clock)
		replicas := []*usage.Recorder{w.recorder, w.newRecorder(storetest.Open(t, target), usage.Options{PendingFrom: 1})}
		agents := []xyra.AgentID{w.agent, w.newAgent(w.model), w.newAgent(w.model)}
		const senders, each = 16, 40
		var all sync.WaitGroup
		for s := range senders {
			all.Go(func() {
				for i := range each {
					d := w.draft("", "0.1")
					d.Agent = agents[(s+i)%len(agents)]
					if results, err := replicas[s%2].Record(t.Context(), w.admin, []usage.Draft{d}); err != nil || results[0].Err != nil {
						t.Errorf("record: %v %v", err, results)
						return
					}
				}
			})
		}
		all.Wait()
		w.wantTotals("64", "21.44")
		w.verify()
	})
}

func TestRecord_TheVersionInForceAtTheEventsTimePrices(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		w := newWorld(t, db, clock)
		clock.Advance(day)
		dearer := slices.Clone(hybrid)
		dearer[1].Price = dec("2")
		w.newVersion(w.model, dearer)
		changed := clock.Now()
		for _, c := range []struct {
			at     time.Time
			charge string
		}{{changed.Add(-100 * day), "0.335"}, {changed.Add(-time.Microsecond), "0.335"}, {changed, "2"}, {changed.Add(time.Minute), "2"}} {
			d := w.draft("", "1")
			d.Timestamp = c.at
			if e := w.recorded(d); !e.Charge.Equal(dec(c.charge)) {
				t.Errorf("an event at %s is charged %s, want %s", c.at, e.Charge, c.charge)
			}
		}
		w.verify()
	})
}

func TestRecord_ThePeriodIsTheMonthOfTheOrganizationsZone(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		w := newWorld(t, db, clock) // Europe/Berlin: UTC+1 in winter, UTC+2 in summer
		for at, want := range map[string]xyra.Period{
			"2024-02-29T22:59:59.999999Z": 202402, "2024-02-29T23:00:00Z": 202403, "2024-03-31T21:59:59.999999Z": 202403, "2024-03-31T22:00:00Z": 202404,
		} {
			d := w.draft("", "1")
			d.Timestamp, _ = xyra.ParseTime(at)
			if e := w.recorded(d); e.Period != want {
				t.Errorf("%s belongs to %d, want %d", at, e.Period, want)
			}
		}
		w.verify()
	})
}

var graduated = []pricing.Component{{Kind: pricing.Activity, Type: "call", Scheme: pricing.Graduated, Tiers: []pricing.Tier{
	{UpTo: new(dec("10")), Price: dec("1")}, {UpTo: new(dec("25.5")), Price: dec("0.5")}, {Price: dec("0.1")}}}}

func TestRecord_TieredChargesAddUpToThePriceOfTheSumUnderConcurrency(t *testing.T) {
	storetest.EachTarget(t, func(t *testing.T, target store.Options) {
		clock := storetest.NewClock(storetest.Start)
		target.Now = clock.Now
		w := newWorld(t, storetest.Open(t, target), clock)
		replicas := []*usage.Recorder{w.recorder, w.newRecorder(storetest.Open(t, target), usage.Options{PendingFrom: 1})}
		w.agent = w.newAgent(w.newModel("graduated", graduated))
		const senders, each = 8, 25
		var all sync.WaitGroup
		for s := range senders {
			all.Go(func() {
				for i := range each { // every event is sent twice, by different senders
					d := w.draft(keyName((s/2)*each+i), "0.3")
					if results, err := replicas[s%2].Record(t.Context(), w.admin, []usage.Draft{d}); err != nil || results[0].Err != nil {
						t.Errorf("record: %v %v", err, results)
						return
					}
				}
			})
		}
		all.Wait()
		w.wantTotals("30", pricing.Rate(graduated[0], dec("30")).Canonical())
		w.verify()
	})
}

func TestRecord_OfARevokedCallerNothingCommits(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		w := newWorld(t, db, clock)
		var key xyra.APIKeyID
		w.tx(func(tx *store.Tx) (err error) {
			key, err = tx.InsertAPIKey(t.Context(), xyra.APIKey{Organization: w.org, User: w.admin.User, Name: "k", Hash: []byte("h"), IsActive: true})
			return err
		})
		asKey := xyra.Caller{Key: key, Organization: w.org}
		send := func(caller xyra.Caller) error {
			results, err := w.recorder.Record(t.Context(), caller, []usage.Draft{w.draft("", "1")})
			return errors.Join(err, results[0].Err)
		}
		if err := errors.Join(send(asKey), send(w.admin)); err != nil {
			t.Fatal(err)
		}
		older := w.admin
		older.TokenVersion = -1
		w.tx(func(tx *store.Tx) error {
			return tx.UpdateAPIKeysDisabled(t.Context(), w.admin.User)
		})
		foreign := xyra.Caller{User: w.admin.User + 99, Organization: w.org, Role: xyra.RoleAdmin}
		for name, caller := range map[string]xyra.Caller{"revoked key": asKey, "older token": older, "unknown user": foreign} {
			if err := send(caller); !xyra.HasCode(err, xyra.CodeUnauthenticated) {
				t.Errorf("%s: %v, want it refused", name, err)
			}
		}
		w.wantTotals("2", "0.67")
	})
}

func TestRecord_ASuspendedOrganizationRecordsNothing(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		w := newWorld(t, db, clock)
		w.tx(func(tx *store.Tx) error {
			o, err := tx.Organization(t.Context(), w.org)
			o.Status = xyra.StatusSuspended
			return errors.Join(err, tx.UpdateOrganization(t.Context(), o))
		})
		if err := w.record(w.draft("", "1"))[0].Err; !xyra.HasCode(err, xyra.CodeForbidden) {
			t.Errorf("recording gave %v, want it refused", err)
		}
		w.wantTotals("0", "0")
	})
}

func TestRecord_AnAmountLeftOutIsComputedFromTheDetails(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		w := newWorld(t, db, clock)
		cost := func(agent xyra.AgentID, inputs ...usage.CostInput) usage.Result {
			return w.record(usage.Draft{Kind: xyra.Cost, Agent: agent, Type: "run", Currency: "USD", Timestamp: clock.Now(), CostInputs: inputs})[0]
		}
		full := cost(w.agent, usage.CostInput{Key: "actions", Value: dec("2")}, usage.CostInput{Key: "outcome_value", Value: dec("100")})
		if full.Err != nil || !full.Event.Quantity.Equal(dec("18.17")) { // 10 + 2 × 0.335 + 7.5 % of 100
			t.Errorf("computed %s, %v", full.Event.Quantity, full.Err)
		}
		var bad *usage.BadInputs
		if r := cost(w.agent, usage.CostInput{Key: "seats", Bad: true}); !errors.As(r.Err, &bad) || !slices.Equal(bad.Keys, []string{"seats"}) {
			t.Errorf("a bad input gave %v", r.Err)
		}
		if r := cost(w.newAgent(0), usage.CostInput{Key: "seats", Value: dec("1")}); !xyra.HasCode(r.Err, xyra.CodeUnprocessable) {
			t.Errorf("without a model: %v", r.Err)
		}
		w.verify()
	})
}

// Whoever repeats a cost reads the first record, whether or not its amount could still be computed.
func TestRecord_ARepeatOutlivesTheModelThatComputedItsAmount(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		w := newWorld(t, db, clock)
		draft := func(key, typ string) usage.Draft {
			return w.sealed(usage.Draft{Kind: xyra.Cost, Agent: w.agent, Type: typ, Currency: "USD", Timestamp: clock.Now(), IdempotencyKey: key,
				CostInputs: []usage.CostInput{{Key: "actions", Value: dec("2")}}})
		}
		sent := draft("k", "run")
		first := w.recorded(sent)
		w.tx(func(tx *store.Tx) error {
			a, err := tx.AgentLocked(t.Context(), w.org, w.agent)
			a.BillingModel = 0
			return errors.Join(err, tx.PauseRecording(t.Context()), tx.UpdateAgent(t.Context(), a))
		})
		for _, more := range [][]usage.Draft{{sent}, {sent, sent, w.draft("", "1")}} {
			for i, r := range w.record(more...)[:len(more)-len(more)/2] {
				if r.Err != nil || !r.Replayed || r.Event.ID != first.ID || !r.Event.Quantity.Equal(first.Quantity) {
					t.Errorf("repeat %d of %d gave %+v, want event %d", i, len(more), r, first.ID)
				}
			}
		}
		for _, other := range []usage.Draft{draft("k", "walk"), draft("new", "run")} {
			if r := w.record(other)[0]; !xyra.HasCode(r.Err, xyra.CodeUnprocessable) {
				t.Errorf("another cost gave %+v", r)
			}
		}
		w.verify()
	})
}

func TestRecord_AFullQueueRefusesAtOnceAndCloseCommitsWhatWaits(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		w := newWorld(t, db, clock)
		r := w.newRecorder(db, usage.Options{Committers: 1, QueueMax: 5})
		held, release := make(chan struct{}), make(chan struct{})
		var holder sync.WaitGroup
		holder.Go(func() {
			w.tx(func(tx *store.Tx) error {
				err := tx.PauseRecording(t.Context())
				close(held)
				<-release
				return err
			})
		})
		<-held
		answers := make(chan error, 100)
		send := func() {
			results, err := r.Record(t.Context(), w.admin, []usage.Draft{w.draft("", "1")})
			if err == nil {
				err = results[0].Err
			}
			answers <- err
		}
		var sent int
		var refused error
		for refused == nil { // at most one batch of five is under way and one of five waits
			if sent++; sent > 50 {
				t.Fatal("the queue takes more than its bound")
			}
			go send()
			select {
			case refused = <-answers:
			case <-time.After(20 * time.Millisecond):
			}
		}
		if !xyra.HasCode(refused, xyra.CodeUnavailable) {
			t.Errorf("a full queue answers %v", refused)
		}
		closed := make(chan error)
		go func() { closed <- r.Close(context.Background()) }()
		close(release)
		holder.Wait()
		if err := <-closed; err != nil {
			t.Error(err)
		}
		for range sent - 1 {
			if err := <-answers; err != nil {
				t.Errorf("a waiting event was answered %v", err)
			}
		}
		if n := w.eventCount(); n != int64(sent-1) {
			t.Errorf("%d events are stored, %d were acknowledged", n, sent-1)
		}
		if _, err := r.Record(t.Context(), w.admin, []usage.Draft{w.draft("", "1")}); !xyra.HasCode(err, xyra.CodeUnavailable) {
			t.Errorf("a closed recorder answers %v", err)
		}
	})
}

func TestRecord_AHeaderKeyIsKeptWithItsEvent(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		w := newWorld(t, db, clock)
		send := func(header, key string) (usage.Result, store.IdempotencyRecord) {
			record := store.IdempotencyRecord{Organization: w.org, Caller: w.admin.Name(), Key: header, RequestDigest: []byte(header), Status: 200}
			d := w.draft(key, "1")
			d.Record = &record
			return w.record(d)[0], record
		}
		first, record := send("h1", "k")
		kept, err := db.IdempotencyRecord(t.Context(), record, clock.Now())
		if err != nil || kept.EventID != first.Event.ID || kept.Status != 200 {
			t.Errorf("kept %+v, %v for event %d", kept, err, first.Event.ID)
		}
		if again, _ := send("h1", ""); again.Err == nil {
			t.Error("a claimed header key recorded another event")
		}
		repeated, record := send("h2", "k")
		kept, err = db.IdempotencyRecord(t.Context(), record, clock.Now())
		if !repeated.Replayed || err != nil || kept.EventID != first.Event.ID {
			t.Errorf("the repeat's record is %+v, %v, want it to answer event %d", kept, err, first.Event.ID)
		}
		clock.Advance(31 * day)
		if later, _ := send("h1", ""); later.Err != nil {
			t.Errorf("an expired header key gave %v", later.Err)
		}
		w.wantTotals("2", "0.67")
	})
}

// Long requests travel to PostgreSQL in another way than short ones: whatever is in their texts arrives.
func TestRecord_LongRequestsKeepEveryTextAndCountOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		w := newWorld(t, db, clock)
		w.recorded(w.draft("", "1")) // the state is known from now on
		odd := []string{"tab\there", `back\slash \N \x41`, "line\nbreak\r\n", "quote\"'", "käse 木 \u2028", "\\", "\\."}
		drafts := make([]usage.Draft, 1200)
		for i := range drafts {
			d := usage.Draft{Kind: xyra.Activity, Agent: w.agent, Type: odd[i%len(odd)], Quantity: dec("0.000000000001"), Timestamp: clock.Now(), Details: json.RawMessage(`{"a\tb":"\\N"}`)}
			if i%3 > 0 {
				d.IdempotencyKey = odd[i%len(odd)] + keyName(i)
				d = w.sealed(d)
			}
			if i%2 == 0 {
				d.Kind, d.Currency, d.Details = xyra.Cost, "EUR", nil
				if d.IdempotencyKey != "" {
					d = w.sealed(d)
				}
			}
			drafts[i] = d
		}
		results := w.record(drafts...)
		for i, r := range results {
			stored, err := db.Event(t.Context(), w.org, r.Event.Kind, r.Event.ID)
			if r.Err != nil || r.Replayed || err != nil {
				t.Fatal(r.Err, r.Replayed, err)
			}
			d := drafts[i]
			if stored.Type != d.Type || stored.IdempotencyKey != d.IdempotencyKey || !slices.Equal(stored.Digest, d.Digest) || string(stored.Details) != string(d.Details) ||
				!stored.Quantity.Equal(d.Quantity) || !stored.Timestamp.Equal(d.Timestamp) || stored.RecordedBy != w.admin.Name() {
				t.Fatalf("stored %+v, sent %+v", stored, d)
			}
		}
		clock.Advance(time.Second)
		for i, r := range w.record(drafts...) {
			if r.Err != nil || r.Replayed != (drafts[i].IdempotencyKey != "") {
				t.Fatalf("sent again, event %d gave %+v", i, r)
			}
		}
		if n, want := w.eventCount(), int64(1+1200+400); n != want {
			t.Errorf("%d events, want %d", n, want)
		}
		w.verify()
	})
}
