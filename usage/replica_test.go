package usage_test

import (
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"xyra"
	"xyra/billing"
	"xyra/money"
	"xyra/store"
	"xyra/store/storetest"
	"xyra/usage"
)

// fleet is several replicas on one database, as separate processes would be, and what is sent to them.
type fleet struct {
	*world
	dbs       []*store.DB
	recorders []*usage.Recorder
	agents    []xyra.AgentID
	drafts    []func() usage.Draft // by number of the key: whoever sends it first decides its time
	key       xyra.Caller

	perKey   []atomic.Int64 // the id of the event that a key became
	byKey    atomic.Int64   // accepted from the API key
	progress atomic.Int64
}

const (
	fleetKeys    = 400
	fleetSenders = 8
)

func newFleet(t *testing.T, target store.Options, clock *storetest.Clock, replicas int) *fleet {
	t.Helper()
	f := &fleet{world: newWorld(t, storetest.Open(t, target), clock), perKey: make([]atomic.Int64, fleetKeys)}
	f.dbs, f.recorders = []*store.DB{f.db}, []*usage.Recorder{f.recorder}
	for range replicas - 1 {
		db := storetest.Open(t, target)
		f.dbs, f.recorders = append(f.dbs, db), append(f.recorders, f.newRecorder(db, usage.Options{PendingFrom: 1}))
	}
	f.agents = []xyra.AgentID{f.agent, f.newAgent(f.model), f.newAgent(f.newModel("graduated", graduated))}
	f.tx(func(tx *store.Tx) error {
		id, err := tx.InsertAPIKey(t.Context(), xyra.APIKey{Organization: f.org, User: f.admin.User, Name: "k", Hash: []byte("h"), IsActive: true})
		f.key = xyra.Caller{Key: id, Organization: f.org}
		return err
	})
	for k := range fleetKeys {
		f.drafts = append(f.drafts, sync.OnceValue(func() usage.Draft {
			d := f.draft("", quantityOf(k))
			d.Agent, d.IdempotencyKey = f.agents[k%len(f.agents)], keyName(k)
			if k%2 == 0 {
				d.Timestamp = d.Timestamp.AddDate(0, -1, 0)
			}
			return f.sealed(d)
		}))
	}
	return f
}

func quantityOf(k int) string { return fmt.Sprintf("%d.%d", k%7, 1+k%3) }

// send sends every key once, in an order and in requests of its own, to one replica after the other.
func (f *fleet) send(sender int) {
	order := mathrand.Perm(fleetKeys)
	for n := 0; len(order) > 0; n++ {
		part := order[:min(1+mathrand.IntN(12), len(order))]
		order = order[len(part):]
		drafts := make([]usage.Draft, len(part))
		for i, k := range part {
			drafts[i] = f.drafts[k]()
		}
		results, err := f.recorders[(sender+n)%len(f.recorders)].Record(f.t.Context(), f.admin, drafts)
		if err != nil {
			f.t.Errorf("record: %v", err)
			return
		}
		for i, k := range part {
			id := int64(results[i].Event.ID)
			if results[i].Err != nil || !f.perKey[k].CompareAndSwap(0, id) && f.perKey[k].Load() != id {
				f.t.Errorf("key %d became event %d, then %d (%v)", k, f.perKey[k].Load(), id, results[i].Err)
			}
		}
		f.progress.Add(int64(len(part)))
	}
}

// sendAsKey sends events of the API key until it is refused.
func (f *fleet) sendAsKey(sender int) {
	for n := 0; ; n++ {
		results, err := f.recorders[(sender+n)%len(f.recorders)].Record(f.t.Context(), f.key, []usage.Draft{f.draft("", "1")})
		if err = errors.Join(err, results[0].Err); xyra.HasCode(err, xyra.CodeUnauthenticated) {
			return
		}
		if err != nil {
			f.t.Errorf("record with a key: %v", err)
			return
		}
		f.byKey.Add(1)
	}
}

// interfere edits prices on one replica after the other, generates April twice at once, and revokes the key, while events
// are recorded. It returns when the key was revoked.
func (f *fleet) interfere() (revoked time.Time) {
	dearer := money.MustParse("0.4")
	for n := range 8 {
		for f.progress.Load() < int64(n*fleetKeys*fleetSenders/10) && !f.t.Failed() {
			f.record(f.draft("", "0")) // makes time pass, and adds nothing
		}
		f.clock.Advance(time.Millisecond)
		f.inTx(n, func(tx *store.Tx) error {
			if err := tx.PauseRecording(f.t.Context()); err != nil {
				return err
			}
			components := append(hybrid[:1:1], hybrid[1:]...)
			components[1].Price = dearer.Mul(money.FromInt(int64(n + 1)))
			if n == 4 {
				revoked = tx.Now
				return tx.DeleteAPIKey(f.t.Context(), f.org, f.key.Key)
			}
			_, err := tx.InsertVersion(f.t.Context(), f.org, xyra.Version{Model: f.model, From: tx.Now, Type: xyra.ModelHybrid, Components: components})
			return err
		})
		if n == 2 {
			f.generateOnAll(4, 1)
		}
	}
	return revoked
}

func (f *fleet) inTx(replica int, do func(*store.Tx) error) {
	if err := f.dbs[replica%len(f.dbs)].Tx(f.t.Context(), do); err != nil {
		f.t.Errorf("change on replica %d: %v", replica%len(f.dbs), err)
	}
}

// generateOnAll makes a month's invoice on all replicas at once; so many may succeed.
func (f *fleet) generateOnAll(month int64, want int64) {
	var made atomic.Int64
	var all sync.WaitGroup
	for _, db := range f.dbs {
		all.Go(func() {
			err := db.Tx(f.t.Context(), func(tx *store.Tx) error {
				_, err := billing.Generate(f.t.Context(), tx, f.admin, billing.Issuer{Random: rand.Reader}, f.org, 2024, month, "")
				return err
			})
			if err == nil {
				made.Add(1)
			} else if !xyra.HasCode(err, xyra.CodeConflict) {
				f.t.Errorf("generate month %d: %v", month, err)
			}
		})
	}
	all.Wait()
	if made.Load() != want {
		f.t.Errorf("month %d has %d invoices, want %d", month, made.Load(), want)
	}
}

// Replicas that record the same agents' events, repeats of each other's included, while prices change, months are billed and
// a key is revoked, keep each event once, lose no sum, and agree with the books.
func TestRecord_ReplicasAgreeWhilePricesAndKeysChange(t *testing.T) {
	for _, replicas := range []int{2, 4} {
		t.Run(fmt.Sprint(replicas), func(t *testing.T) {
			t.Parallel()
			storetest.EachTarget(t, func(t *testing.T, target store.Options) {
				clock := storetest.NewClock(storetest.Start)
				target.Now = clock.Now
				f := newFleet(t, target, clock, replicas)
				var all sync.WaitGroup
				for sender := range fleetSenders {
					all.Go(func() { f.send(sender) })
				}
				all.Go(func() { f.sendAsKey(0) })
				all.Go(func() { f.sendAsKey(1) })
				revoked := f.interfere()
				all.Wait()
				f.check(revoked)
				f.checkNoDeadlock(target)
			})
		})
	}
}

func (f *fleet) check(revoked time.Time) {
	f.t.Helper()
	want := money.FromInt(f.byKey.Load())
	for k := range fleetKeys {
		want = want.Add(dec(quantityOf(k)))
	}
	var sum money.Decimal
	hours, err := f.db.HourUsages(f.t.Context(), f.org)
	if err != nil {
		f.t.Fatal(err)
	}
	for _, h := range hours {
		sum = sum.Add(h.Quantity)
	}
	if !sum.Equal(want) {
		f.t.Errorf("hours add up to %s, want %s", sum, want)
	}
	f.checkKeyEvents(revoked)
	f.clock.Advance(31 * day)
	f.generateOnAll(5, 1)
	f.verify()
	faults, err := billing.Verify(f.t.Context(), f.db)
	if err != nil {
		f.t.Fatal(err)
	}
	for _, fault := range faults {
		f.t.Error(fault)
	}
}

func (f *fleet) checkKeyEvents(revoked time.Time) {
	f.t.Helper()
	events, err := f.db.EventsAfter(f.t.Context(), f.org, xyra.Activity, 0, 100_000)
	if err != nil {
		f.t.Fatal(err)
	}
	var kept int64
	for _, e := range events {
		if e.RecordedBy != f.key.Name() {
			continue
		}
		kept++
		if e.RecordedAt.After(revoked) {
			f.t.Errorf("event %d was recorded at %s with a key that was revoked at %s", e.ID, e.RecordedAt, revoked)
		}
	}
	if kept != f.byKey.Load() {
		f.t.Errorf("%d events of the key are kept, %d were answered", kept, f.byKey.Load())
	}
}

// checkNoDeadlock closes all replicas and asks PostgreSQL: a deadlock that was resolved by trying again cost a second.
func (f *fleet) checkNoDeadlock(target store.Options) {
	f.t.Helper()
	if target.URL == "" {
		return
	}
	for i := range f.dbs {
		if err := errors.Join(f.recorders[i].Close(f.t.Context()), f.dbs[i].Close()); err != nil {
			f.t.Fatal(err)
		}
	}
	server, err := sql.Open("pgx", target.URL)
	if err != nil {
		f.t.Fatal(err)
	}
	defer server.Close()
	ask := func(query string) (n int) {
		if err := server.QueryRowContext(f.t.Context(), query).Scan(&n); err != nil {
			f.t.Fatal(err)
		}
		return n
	}
	server.SetMaxOpenConns(1) // the count below is of the others
	for ask(`SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`) > 0 {
		f.t.Log("waiting for the replicas' connections to end")
	}
	if n := ask(`SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()`); n > 0 {
		f.t.Errorf("%d deadlocks", n)
	}
}
