package jobs_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"xyra"
	"xyra/billing"
	"xyra/jobs"
	"xyra/money"
	"xyra/pricing"
	"xyra/store"
	"xyra/store/storetest"
)

// customer is an organization with one agent that calls at 0.5, has a seat for 20 and a base fee of 30.
type customer struct {
	org     xyra.OrganizationID
	agent   xyra.AgentID
	model   xyra.BillingModelID
	version xyra.VersionID
}

func tx(t *testing.T, db *store.DB, f func(ctx context.Context, tx *store.Tx) error) {
	t.Helper()
	if err := db.Tx(t.Context(), func(tx *store.Tx) error { return f(t.Context(), tx) }); err != nil {
		t.Fatal(err)
	}
}

func newCustomer(t *testing.T, db *store.DB, zone string) (c customer) {
	t.Helper()
	tx(t, db, func(ctx context.Context, tx *store.Tx) (err error) {
		settings := `{"currency":"USD","billing":{"legal_name":"Northwind Ltd","address":"1 Quay\nHarbour","tax_id":"GB 1","invoice_prefix":"NW"}}`
		if c.org, err = tx.InsertOrganization(ctx, xyra.Organization{Name: "Northwind " + zone, Status: "active", Timezone: zone, Settings: []byte(settings), Currency: "USD"}); err != nil {
			return err
		}
		if c.model, err = tx.InsertBillingModel(ctx, xyra.BillingModel{Organization: c.org, Name: "Plan", IsActive: true}); err != nil {
			return err
		}
		if c.version, err = tx.InsertVersion(ctx, c.org, xyra.Version{Model: c.model, Type: xyra.ModelHybrid, From: tx.Now, Components: []pricing.Component{
			{Kind: pricing.BaseFee, Price: money.FromInt(30)}, {Kind: pricing.Seat, Price: money.FromInt(20), Frequency: "monthly"},
			{Kind: pricing.Activity, Type: "call", Price: decimal(t, "0.5")}}}); err != nil {
			return err
		}
		c.agent, err = newAgent(ctx, tx, c)
		return err
	})
	return c
}

func newAgent(ctx context.Context, tx *store.Tx, c customer) (xyra.AgentID, error) {
	return tx.InsertAgent(ctx, xyra.Agent{Organization: c.org, Name: "Desk", IsActive: true, Status: "active", Capabilities: []byte("[]"), BillingModel: c.model})
}

func decimal(t testing.TB, text string) money.Decimal {
	t.Helper()
	d, err := money.ParseExact(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func (c customer) use(t *testing.T, db *store.DB, period xyra.Period, currency money.Currency, quantity, charge string) {
	t.Helper()
	row := xyra.PeriodUsage{Organization: c.org, Period: period, Agent: c.agent, Version: c.version, Component: 2, Currency: currency,
		Quantity: decimal(t, quantity), Charge: decimal(t, charge)}
	err := db.Record(t.Context(), func(rec *store.Recording) error {
		return rec.Commit(t.Context(), store.Rollups{Periods: []xyra.PeriodUsage{row}}, nil)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// invoices shows an organization's as text, in order of their sequence.
func (c customer) invoices(t *testing.T, db *store.DB) string {
	t.Helper()
	list, err := db.InvoicesAfter(t.Context(), c.org, 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	var text []string
	for n, i := range list {
		if i.Sequence != int64(n+1) {
			t.Errorf("invoice %d has sequence %d", n+1, i.Sequence)
		}
		text = append(text, fmt.Sprintf("%s %s %s %s", i.Period, i.Amount, i.Currency, i.Status))
	}
	return strings.Join(text, ", ")
}

func newRunner(db *store.DB, multiple int64) *jobs.Runner {
	work := jobs.Work{Issuer: billing.Issuer{Random: rand.Reader}, AutoInvoice: true, Bounds: billing.Bounds{After: 6 * time.Hour, Multiple: multiple}}
	return jobs.New(db, jobs.Options{Kinds: work.Kinds(db)})
}

func day(t testing.TB, text string) time.Time {
	t.Helper()
	at, err := xyra.ParseTime(text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func verifyBooks(t *testing.T, db *store.DB) {
	t.Helper()
	faults, err := billing.Verify(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	for _, fault := range faults {
		t.Error(fault)
	}
}

func TestInvoiceRun_BillsWhatIsDueOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		clock.Set(day(t, "2024-01-15"))
		c, far, idle := newCustomer(t, db, "UTC"), newCustomer(t, db, "Pacific/Kiritimati"), newCustomer(t, db, "Etc/UTC")
		clock.Set(day(t, "2024-05-01T00:30:00Z"))
		tx(t, db, func(ctx context.Context, tx *store.Tx) error { // after April: no fees for it
			_, err := newAgent(ctx, tx, c)
			return err
		})
		c.use(t, db, 202402, "USD", "4", "2")
		c.use(t, db, 202404, "USD", "10", "5")
		c.use(t, db, 202404, "EUR", "2", "1")
		c.use(t, db, 202405, "USD", "1", "0.5")
		far.use(t, db, 202404, "USD", "1", "0.5")
		r := newRunner(db, 10)
		check := func(when string, want ...string) {
			t.Helper()
			runDue(t, r)
			for n, of := range []customer{c, far, idle} {
				if got := of.invoices(t, db); got != want[n] {
					t.Errorf("%s, organization %d: %s\nwant %s", when, n+1, got, want[n])
				}
			}
		}
		const first = "2024-2 52.0 USD pending, 2024-3 50.0 USD pending"
		check("before six hours", first, "2024-4 50.5 USD pending", "2024-3 50.0 USD pending")
		clock.Set(day(t, "2024-05-01T06:00:00Z"))
		mine, other, fees := first+", 2024-4 1.0 EUR pending, 2024-4 55.0 USD pending", "2024-4 50.5 USD pending", "2024-3 50.0 USD pending, 2024-4 50.0 USD pending"
		check("after six hours", mine, other, fees)
		clock.Set(day(t, "2024-05-02T06:00:00Z"))
		check("a day later", mine, other, fees)

		list, err := db.InvoicesAfter(t.Context(), c.org, 0, 10)
		if err != nil {
			t.Fatal(err)
		}
		tx(t, db, func(ctx context.Context, tx *store.Tx) error {
			_, err := billing.Cancel(ctx, tx, xyra.Caller{User: 1, Superuser: true}, list[3].ID)
			return err
		})
		c.use(t, db, 202404, "EUR", "6", "3")
		clock.Set(day(t, "2024-06-02"))
		mine = strings.Replace(mine, "55.0 USD pending", "55.0 USD cancelled", 1)
		mine = strings.ReplaceAll(mine, "pending", "overdue")
		check("a month later", mine+", 2024-5 3.0 EUR pending, 2024-5 100.5 USD pending", strings.ReplaceAll(other, "pending", "overdue")+", 2024-5 50.0 USD pending",
			strings.ReplaceAll(fees, "pending", "overdue")+", 2024-5 50.0 USD pending")
		if got := list[0].Parties.Customer; got.Name != "Northwind Ltd" || strings.Join(got.Address, "|") != "1 Quay|Harbour" || got.TaxID != "GB 1" || !strings.HasPrefix(list[0].Number, "NW-20240501-") {
			t.Errorf("invoice %s is for %+v", list[0].Number, got)
		}
		verifyBooks(t, db)
	})
}

// What does not add up or is not plausible is never billed: the organization waits for a person, the others do not.
func TestInvoiceRun_ParksWhatIsInDoubt(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		clock.Set(day(t, "2024-01-01"))
		bad, sound := newCustomer(t, db, "UTC"), newCustomer(t, db, "Etc/UTC")
		r := newRunner(db, 3)
		for month := range 4 {
			bad.use(t, db, xyra.Period(202401+month), "USD", "2", "1")
			clock.Set(time.Date(2024, time.Month(month+2), 2, 0, 0, 0, 0, time.UTC))
			runDue(t, r)
		}
		before := bad.invoices(t, db)
		bad.use(t, db, 202405, "USD", "2", "7")      // not its price
		bad.use(t, db, 202404, "EUR", "1000", "500") // an earlier month, in order
		sound.use(t, db, 202405, "USD", "2", "1")
		clock.Set(day(t, "2024-06-02"))
		runDue(t, r)
		failed, err := db.Jobs(t.Context(), "failed", jobs.KindInvoice, 0, 10)
		if err != nil || len(failed) != 1 || failed[0].Organization != bad.org || failed[0].Attempt != 1 || !strings.Contains(failed[0].LastError, "2024-5") {
			t.Fatalf("failed %+v, %v", failed, err)
		}
		if got := sound.invoices(t, db); !strings.Contains(got, "2024-5 51.0 USD") {
			t.Errorf("the sound organization has %s", got)
		}
		clock.Set(day(t, "2024-06-03"))
		runDue(t, r)
		if got := bad.invoices(t, db); strings.Contains(got, "2024-5") {
			t.Errorf("parked with %s, then %s", before, got)
		}

		bad.use(t, db, 202405, "USD", "396", "192") // puts the sum right, but the total is four times all before
		retry := func() string {
			tx(t, db, func(ctx context.Context, tx *store.Tx) error {
				j, err := tx.JobLocked(ctx, failed[0].ID)
				if err != nil {
					return err
				}
				if j, err = j.Retried(tx.Now); err != nil {
					return err
				}
				return tx.UpdateJob(ctx, j)
			})
			runDue(t, r)
			j, err := db.Job(t.Context(), failed[0].ID)
			if err != nil {
				t.Fatal(err)
			}
			return string(j.State) + " " + j.LastError
		}
		if got := retry(); !strings.HasPrefix(got, "failed") || !strings.Contains(got, "more than 3 times the largest earlier one") {
			t.Errorf("implausible: %s", got)
		}
		tx(t, db, func(ctx context.Context, tx *store.Tx) error {
			_, err := billing.Generate(ctx, tx, xyra.Caller{User: 1, Superuser: true}, billing.Issuer{Random: rand.Reader}, bad.org, 2024, 5, "")
			return err
		})
		if got := retry(); !strings.HasPrefix(got, "done") {
			t.Errorf("after it was made by hand: %s", got)
		}
		clock.Set(day(t, "2024-06-04"))
		runDue(t, r)
		if got := bad.invoices(t, db); !strings.Contains(got, "2024-5 249.0 USD pending") || !strings.Contains(got, "2024-4 500.0 EUR") {
			t.Errorf("no longer parked: %s", got)
		}
		verifyBooks(t, db)
	})
}

// Promise 5: eight at once, people and two automatic runs, make one invoice of each organization, month and currency.
func TestInvoiceRun_ConcurrentGeneratorsMakeOneInvoice(t *testing.T) {
	storetest.EachTarget(t, func(t *testing.T, target store.Options) {
		clock := storetest.NewClock(day(t, "2024-01-01"))
		target.Now = clock.Now
		replicas := []*store.DB{storetest.Open(t, target), storetest.Open(t, target)}
		c := newCustomer(t, replicas[0], "UTC")
		const months = 6
		for month := range months {
			c.use(t, replicas[0], xyra.Period(202401+month), "USD", "2", "1")
			clock.Set(time.Date(2024, time.Month(month+2), 2, 0, 0, 0, 0, time.UTC))
			var all sync.WaitGroup
			for _, db := range replicas {
				all.Go(func() {
					if err := newRunner(db, 10).RunDue(context.Background()); err != nil {
						t.Error(err)
					}
				})
			}
			for worker := range 6 {
				all.Go(func() {
					err := replicas[worker%2].Tx(context.Background(), func(tx *store.Tx) error {
						_, err := billing.Generate(context.Background(), tx, xyra.Caller{User: 1, Superuser: true}, billing.Issuer{Random: rand.Reader}, c.org, 2024, int64(month+1), "")
						return err
					})
					if err != nil && !xyra.HasCode(err, xyra.CodeConflict) {
						t.Error(err)
					}
				})
			}
			all.Wait()
		}
		if got := c.invoices(t, replicas[0]); strings.Count(got, "51.0 USD") != months || strings.Count(got, ",") != months-1 {
			t.Errorf("%d months have %s", months, got)
		}
		verifyBooks(t, replicas[0])
	})
}

func TestCleanUp_ForgetsWhatHasServedItsTime(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		record := store.IdempotencyRecord{Organization: 1, Caller: "user:1", Key: "k", RequestDigest: []byte{1}, Status: 200, Body: []byte("{}")}
		tx(t, db, func(ctx context.Context, tx *store.Tx) error {
			if _, err := tx.AddAttempt(ctx, "a@example.com", "192.0.2.1"); err != nil {
				return err
			}
			return tx.InsertIdempotencyRecord(ctx, record)
		})
		r := newRunner(db, 10)
		runDue(t, r)
		before := clock.Now()
		clock.Advance(store.IdempotencyKept - time.Hour)
		runDue(t, r)
		if _, err := db.IdempotencyRecord(t.Context(), record, before); err != nil {
			t.Errorf("within its time: %v", err)
		}
		clock.Advance(2 * time.Hour)
		runDue(t, r)
		if _, err := db.IdempotencyRecord(t.Context(), record, before); !xyra.HasCode(err, xyra.CodeNotFound) {
			t.Errorf("after its time: %v", err)
		}
		if at, err := db.AttemptOfAddress(t.Context(), "192.0.2.1", before.Add(-time.Hour), 1); err != nil || !at.IsZero() {
			t.Errorf("an attempt of a month ago: %s, %v", at, err)
		}
		for _, j := range all(t, db) {
			if j.State != xyra.JobDone || j.CreatedAt.Before(clock.Now().Add(-8*24*time.Hour)) {
				t.Errorf("kept %+v", j)
			}
		}
	})
}
