package jobs_test

import (
	"context"
	cryptorand "crypto/rand"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"xyra"
	"xyra/billing"
	"xyra/jobs"
	"xyra/money"
	"xyra/notice"
	"xyra/store"
	"xyra/store/storetest"
)

// shift is some kinds of the installation's work, what is due of it, and what must be there when it is done.
type shift struct {
	kinds   []string
	prepare func(t *testing.T, db *store.DB, clock *storetest.Clock) []customer
	want    string
}

// takenUp is when a second process looks for what a dead one has left: every lease has passed.
const takenUp = 2 * time.Hour

var shifts = map[string]shift{
	"invoices": {[]string{jobs.KindInvoiceRun, jobs.KindInvoice}, prepareInvoices,
		"2024-3 52.0 USD pending, 2024-4 1.0 EUR pending, 2024-4 55.0 USD pending; 3 notices\n2024-4 50.5 USD pending; 1 notices\n"},
	"overdue": {[]string{jobs.KindOverdue}, prepareOverdue,
		"0-0 7.0 USD overdue, 0-0 7.0 USD overdue, 0-0 7.0 USD overdue, 0-0 7.0 USD pending; 3 notices\n"},
	"clean up":   {[]string{jobs.KindCleanUp}, prepareCleanUp, "0 records\n"},
	"summaries":  {[]string{jobs.KindSummaries}, prepareSummaries, "; 1 notices\n; 1 notices\n"},
	"thresholds": {[]string{jobs.KindThresholds}, prepareThresholds, "; 2 notices\n; 2 notices\n"},
}

func shiftRunner(db *store.DB, kinds []string) *jobs.Runner {
	work := jobs.Work{Issuer: billing.Issuer{Random: cryptorand.Reader}, AutoInvoice: true, Bounds: billing.Bounds{After: 6 * time.Hour, Multiple: 10}}.Kinds(db)
	for name := range work {
		if !slices.Contains(kinds, name) {
			delete(work, name)
		}
	}
	return jobs.New(db, jobs.Options{Kinds: work})
}

// A process that is killed after any step of claim, work and result leaves work that another process does, and the whole has
// been done once.
func TestWork_KilledAtAnyStepIsDoneOnceByAnother(t *testing.T) {
	if storetest.OnErrand(t, func(e *storetest.Envoy) {
		var kinds []string
		e.ReadArgs(&kinds)
		r := shiftRunner(e.Open(nil), kinds)
		e.Begin()
		runDue(t, r)
	}) {
		return
	}
	storetest.EachTarget(t, func(t *testing.T, target store.Options) {
		for name, s := range shifts {
			t.Run(name, func(t *testing.T) { storetest.EachDeath(t, target, 1, s.killed) })
		}
	})
}

func (s shift) killed(t *testing.T, e storetest.Errand) storetest.Fate {
	clock := storetest.NewClock(storetest.Start)
	target := store.Options{Path: e.Path, URL: e.URL, Now: clock.Now}
	db := storetest.Open(t, target)
	customers := s.prepare(t, db, clock)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	e.Now, e.Args = clock.Now(), s.kinds
	fate := storetest.Send(t, e).Wait()

	db = storetest.Open(t, target)
	runDue(t, shiftRunner(db, s.kinds))
	for _, j := range all(t, db) {
		if slices.Contains(s.kinds, j.Kind) && j.State == xyra.JobRunning && !fate.Killed {
			t.Errorf("left running: %+v", j)
		}
	}
	clock.Advance(takenUp)
	if e.DiesAt > 0 && os.Getenv("XYRA_TEST_LONG") != "" { // who takes it up may die as well
		e.Now, e.DiesAt = clock.Now(), 1+rand.IntN(40)
		storetest.Send(t, e).Wait()
		clock.Advance(takenUp)
	}
	runDue(t, shiftRunner(db, s.kinds))
	if got := s.inventory(t, db, customers); got != s.want {
		t.Errorf("there is\n%swant\n%s", got, s.want)
	}
	verifyBooks(t, db)
	return fate
}

// inventory is what the work has left: invoices and notices of each customer. No job of it is left behind.
func (s shift) inventory(t *testing.T, db *store.DB, customers []customer) string {
	t.Helper()
	var text strings.Builder
	for _, c := range customers {
		told, err := db.WebhookDeliveries(t.Context(), c.org, xyra.WebhookEndpointID(c.org), 0, 100)
		if err != nil {
			t.Fatal(err)
		}
		made := strings.Split(c.invoices(t, db), ", ")
		slices.Sort(made) // what a dead process had in hand comes after the rest
		fmt.Fprintf(&text, "%s; %d notices\n", strings.Join(made, ", "), len(told))
	}
	if len(customers) == 0 {
		records := 0
		for n := range oldRecords {
			if _, err := db.IdempotencyRecord(t.Context(), oldRecord(n), storetest.Start); err == nil {
				records++
			}
		}
		fmt.Fprintf(&text, "%d records\n", records)
	}
	for _, j := range all(t, db) {
		if slices.Contains(s.kinds, j.Kind) && (j.State != xyra.JobDone || j.Attempt > 3) {
			t.Errorf("left behind: %+v", j)
		}
	}
	return text.String()
}

// listening gives a customer an endpoint for notices of some types.
func (c customer) listening(t *testing.T, db *store.DB, e xyra.WebhookEndpoint, types ...xyra.NoticeType) customer {
	t.Helper()
	desk, err := notice.New([]byte("secret of the tests"), notice.Rules{}, cryptorand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := desk.NewSecret()
	if err != nil {
		t.Fatal(err)
	}
	e.Organization, e.URL, e.IsActive, e.Types = c.org, "https://hooks.example.com/", true, types
	tx(t, db, func(ctx context.Context, tx *store.Tx) error {
		made, err := desk.CreateEndpoint(ctx, tx, xyra.Caller{User: 1, Superuser: true}, e, secret)
		if err == nil && made.ID != xyra.WebhookEndpointID(c.org) {
			err = fmt.Errorf("organization %d has endpoint %d", c.org, made.ID)
		}
		return err
	})
	return c
}

func prepareInvoices(t *testing.T, db *store.DB, clock *storetest.Clock) []customer {
	clock.Set(day(t, "2024-03-15"))
	c := newCustomer(t, db, "UTC").listening(t, db, xyra.WebhookEndpoint{}, xyra.NoticeInvoiceCreated)
	clock.Set(day(t, "2024-04-15"))
	far := newCustomer(t, db, "Pacific/Kiritimati").listening(t, db, xyra.WebhookEndpoint{}, xyra.NoticeInvoiceCreated)
	clock.Set(day(t, "2024-05-01T08:00:00Z"))
	c.use(t, db, 202403, "USD", "4", "2")
	c.use(t, db, 202404, "USD", "10", "5")
	c.use(t, db, 202404, "EUR", "2", "1")
	far.use(t, db, 202404, "USD", "1", "0.5")
	return []customer{c, far}
}

func prepareOverdue(t *testing.T, db *store.DB, clock *storetest.Clock) []customer {
	c := newCustomer(t, db, "UTC").listening(t, db, xyra.WebhookEndpoint{}, xyra.NoticeInvoiceOverdue)
	for n := range 4 {
		tx(t, db, func(ctx context.Context, tx *store.Tx) error {
			seven := money.FromInt(7)
			_, err := billing.Create(ctx, tx, xyra.Caller{User: 1, Superuser: true}, billing.Issuer{Random: cryptorand.Reader}, xyra.Invoice{Organization: c.org, Currency: "USD",
				DueDate: tx.Now.AddDate(0, 0, n*4), Lines: []xyra.Line{{Description: "Work", Quantity: money.FromInt(1), UnitPrice: seven, Amount: seven, ItemType: "work"}}})
			return err
		})
	}
	clock.Advance(10 * 24 * time.Hour)
	return []customer{c}
}

const oldRecords = 5

func oldRecord(n int) store.IdempotencyRecord {
	return store.IdempotencyRecord{Organization: 1, Caller: "user:1", Key: fmt.Sprint(n), RequestDigest: []byte{1}, Status: 200, Body: []byte("{}")}
}

func prepareCleanUp(t *testing.T, db *store.DB, clock *storetest.Clock) []customer {
	tx(t, db, func(ctx context.Context, tx *store.Tx) error {
		for n := range oldRecords {
			if err := tx.InsertIdempotencyRecord(ctx, oldRecord(n)); err != nil {
				return err
			}
		}
		_, err := tx.AddAttempt(ctx, "a@example.com", "192.0.2.1")
		return err
	})
	clock.Advance(2 * store.IdempotencyKept)
	return nil
}

func prepareSummaries(t *testing.T, db *store.DB, clock *storetest.Clock) (list []customer) {
	for _, zone := range []string{"UTC", "Etc/UTC"} {
		c := newCustomer(t, db, zone).listening(t, db, xyra.WebhookEndpoint{}, xyra.NoticeUsageRecorded)
		span := xyra.SpanUsage{Organization: c.org, Agent: c.agent, From: clock.Now().Truncate(24 * time.Hour), Kind: xyra.Activity, Type: "call", Currency: "USD",
			Count: 4, ChargedCount: 4, Quantity: money.FromInt(4), Charge: money.FromInt(2)}
		err := db.Record(t.Context(), func(rec *store.Recording) error {
			return rec.Commit(t.Context(), store.Rollups{Hours: []xyra.SpanUsage{span}, Days: []xyra.SpanUsage{span}}, nil)
		})
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, c)
	}
	clock.Advance(time.Hour)
	return list
}

func prepareThresholds(t *testing.T, db *store.DB, _ *storetest.Clock) (list []customer) {
	for _, zone := range []string{"UTC", "Etc/UTC"} {
		reached := func(charge int64) xyra.UsageThreshold {
			return xyra.UsageThreshold{Currency: "USD", Charge: money.FromInt(charge)}
		}
		e := xyra.WebhookEndpoint{Thresholds: []xyra.UsageThreshold{reached(1), reached(3), reached(9)}}
		c := newCustomer(t, db, zone).listening(t, db, e, xyra.NoticeUsageThreshold)
		c.use(t, db, 202405, "USD", "10", "5")
		list = append(list, c)
	}
	return list
}
