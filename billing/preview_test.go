package billing_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"os"
	"reflect"
	"testing"
	"time"

	"xyra"
	"xyra/billing"
	"xyra/money"
	"xyra/pricing"
	"xyra/store"
	"xyra/store/storetest"
)

func (w *world) preview(year, month int64, currency money.Currency) (p billing.Preview, err error) {
	w.t.Helper()
	err = w.db.Snapshot(w.t.Context(), func(r store.Reader) error {
		p, err = billing.PreviewMonth(w.t.Context(), r, w.db.Now(), billing.Issuer{}, w.org, year, month, currency)
		return err
	})
	return p, err
}

// drafted is an invoice without what only saving it gives: what a preview must equal.
func drafted(i xyra.Invoice) xyra.Invoice {
	i.ID, i.Number, i.Sequence, i.Status = 0, "", 0, xyra.InvoiceDraft
	i.CreatedAt, i.UpdatedAt, i.Hash = time.Time{}, time.Time{}, nil
	lines := make([]xyra.Line, len(i.Lines))
	for n, l := range i.Lines {
		l.ID, l.CreatedAt, l.UpdatedAt = 0, time.Time{}, time.Time{}
		lines[n] = l
	}
	i.Lines = lines
	return i
}

// previewThenGenerate proves that both make the same, or refuse with the same words.
func (w *world) previewThenGenerate(year, month int64, currency money.Currency) (xyra.Invoice, error) {
	w.t.Helper()
	p, refused := w.preview(year, month, currency)
	i, err := w.generate(year, month, currency)
	switch {
	case err == nil && refused == nil:
		if got, want := p.Invoice, drafted(i); !reflect.DeepEqual(got, want) {
			w.t.Errorf("previewed\n%s%+v\ngenerated\n%s%+v", show(got), got, show(want), want)
		}
		if p.Open || p.Organization.ID != w.org {
			w.t.Errorf("open %v, organization %d", p.Open, p.Organization.ID)
		}
	case err == nil || refused == nil || err.Error() != refused.Error():
		w.t.Errorf("%d-%d %s: the preview says %v, the generation %v", year, month, currency, refused, err)
	}
	return i, err
}

// At any moment in any history a preview is the invoice that is generated right after it.
func TestPreviewMonth_IsTheInvoiceGeneratedRightAfter(t *testing.T) {
	seeds := uint64(15)
	if os.Getenv("XYRA_TEST_LONG") != "" {
		seeds = 300
	}
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		issued := 0
		for seed := range seeds {
			clock.Set(at(t, "2024-08-02"))
			issued += playPreviews(t, db, mathrand.New(mathrand.NewPCG(seed, 20)))
			if t.Failed() {
				t.Fatalf("seed %d", seed)
			}
		}
		if issued < int(seeds) {
			t.Errorf("only %d invoices were made", issued)
		}
	})
}

// playPreviews lives through some months with fees, seats, late usage, corrections, cancellations and three currencies.
func playPreviews(t *testing.T, db *store.DB, random *mathrand.Rand) (issued int) {
	currencies := []money.Currency{"USD", "JPY", "KWD"}
	w := newWorld(t, db, currencies[random.IntN(3)], []string{"UTC", "Asia/Kolkata", "America/St_Johns"}[random.IntN(3)])
	model := w.model()
	price := func() string { return fmt.Sprintf("%d.%04d", random.IntN(40), random.IntN(10000)) }
	components := []pricing.Component{fee(t, price()), seat(t, price(), []string{"monthly", "quarterly", "yearly"}[random.IntN(3)]), activity(t, "call", price()), outcome(t, "sale", price())}
	versions := []xyra.VersionID{w.version(model, xyra.ModelHybrid, "2024-01-01", components...), w.version(model, xyra.ModelHybrid, "2024-03-03", components...)}
	agents := []xyra.AgentID{w.agent("One", model, `{"seats": 3}`), w.agent("Two", 0, ""), w.agent("Three", model, "")}
	var open []xyra.InvoiceID
	for range 40 {
		switch random.IntN(5) {
		case 0:
			i, err := w.previewThenGenerate(2024, 1+random.Int64N(7), append(currencies, "")[random.IntN(4)])
			if err == nil {
				open, issued = append(open, i.ID), issued+1
			}
		case 1:
			if len(open) > 0 {
				n := random.IntN(len(open))
				w.cancel(open[n])
				open = append(open[:n], open[n+1:]...)
			}
		default:
			c := 2 + random.IntN(2)
			quantity := dec(t, fmt.Sprintf("%d.%03d", random.IntN(1000), random.IntN(1000)))
			if random.IntN(9) == 0 {
				quantity = quantity.Neg()
			}
			charge := pricing.Rate(components[c], quantity)
			w.use(xyra.Period(202401+random.IntN(6)), agents[random.IntN(3)], versions[random.IntN(2)], c, currencies[random.IntN(3)], quantity.Canonical(), charge.Canonical())
		}
	}
	return issued
}

// A month that is not over shows what is known so far, and nothing of it is kept.
func TestPreviewMonth_OfAnOpenMonthGrowsAndStoresNothing(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		w := newWorld(t, db, "EUR", "Europe/Berlin")
		model := w.model()
		version := w.version(model, xyra.ModelHybrid, "2024-01-01", fee(t, "10"), activity(t, "call", "0.5"))
		agent := w.agent("Ada", model, "")
		clock.Set(at(t, "2024-05-31T21:59:59.999999Z"))
		for n, total := range []string{"10.0", "12.0", "14.0"} {
			p, err := w.preview(2024, 5, "")
			if err != nil {
				t.Fatal(err)
			}
			if !p.Open || !p.End.Equal(at(t, "2024-05-31T22:00:00Z")) || !p.Start.Equal(at(t, "2024-04-30T22:00:00Z")) || p.Invoice.Amount.String() != total {
				t.Errorf("%d: %+v", n, p)
			}
			if i := p.Invoice; i.ID != 0 || i.Number != "" || i.Status != "draft" || *i.Notes != "Monthly invoice for May 2024" {
				t.Errorf("%+v", i)
			}
			w.use(202405, agent, version, 1, "EUR", "4", "2")
		}
		if _, err := w.generate(2024, 5, ""); err == nil || err.Error() != "Billing period 2024-5 has not ended yet" {
			t.Errorf("generated: %v", err)
		}
		clock.Advance(time.Microsecond)
		i, err := w.previewThenGenerate(2024, 5, "")
		if err != nil || i.Sequence != 1 || i.Amount.String() != "16.0" {
			t.Errorf("the previews have left something: %+v %v", i, err)
		}
		w.verify()
	})
}

func TestPreviewMonth_Refusals(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		clock.Set(at(t, "2024-07-02"))
		w := newWorld(t, db, "USD", "UTC")
		check := func(year, month int64, code xyra.Code, text string) {
			t.Helper()
			_, err := w.preview(year, month, "")
			wantRefusal(t, err, code, text)
		}
		check(2024, 0, xyra.CodeInvalid, "Month must be between 1 and 12")
		check(0, 1, xyra.CodeInvalid, "year 0 is out of range")
		check(2030, 1, xyra.CodeInvalid, fmt.Sprintf("No agents found for organization with ID %d", w.org))
		model := w.model()
		version := w.version(model, xyra.ModelActivity, "2024-01-01", activity(t, "call", "1"))
		agent := w.agent("Ada", model, "")
		check(2024, 7, xyra.CodeInvalid, fmt.Sprintf("No billable items found for organization with ID %d in 7/2024", w.org))
		w.use(202406, agent, version, 0, "USD", "1", "1")
		i, err := w.generate(2024, 6, "")
		if err != nil {
			t.Fatal(err)
		}
		check(2024, 6, xyra.CodeConflict, fmt.Sprintf("Invoice %s already exists for organization with ID %d, period 2024-6 and currency USD", i.Number, w.org))
		w.org += 99
		check(2024, 13, xyra.CodeInvalid, "Month must be between 1 and 12")
		check(0, 1, xyra.CodeNotFound, "Organization not found")
	})
}

// One state of the database makes a preview: usage that is billed meanwhile is on it whole or not at all.
func TestPreviewMonth_ConcurrentGenerationIsSeenWholeOrNotAtAll(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		clock.Set(at(t, "2024-07-02"))
		for range 5 {
			w := newWorld(t, db, "USD", "UTC")
			model := w.model()
			version := w.version(model, xyra.ModelHybrid, "2024-01-01", activity(t, "call", "1"))
			agents := []xyra.AgentID{w.agent("One", model, ""), w.agent("Two", model, "")}
			for _, a := range agents {
				w.use(202406, a, version, 0, "USD", "10", "10")
			}
			generated := make(chan error, 1)
			go func() {
				err := db.Tx(t.Context(), func(tx *store.Tx) error {
					_, err := billing.Generate(t.Context(), tx, operator, billing.Issuer{Random: rand.Reader}, w.org, 2024, 6, "")
					return err
				})
				generated <- err
			}()
			for done := false; !done; {
				select {
				case err := <-generated:
					if done = true; err != nil {
						t.Error(err)
					}
				default:
				}
				p, err := w.preview(2024, 6, "")
				if refused := new(xyra.Error); err != nil && (!errors.As(err, &refused) || refused.Code != xyra.CodeConflict) || err == nil && p.Invoice.Amount.String() != "20.0" {
					t.Errorf("%s %v", p.Invoice.Amount, err)
				}
			}
		}
	})
}
