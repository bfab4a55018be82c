package billing_test

import (
	"context"
	"fmt"
	"regexp"
	"testing"
	"time"

	"xyra"
	"xyra/store"
	"xyra/store/storetest"
)

// The month of a whole company: every kind of line, a price change, an agent that left, usage that came late.
func TestGenerate_GoldenMonths(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		w := newWorld(t, db, "USD", "UTC")
		seats, actions, hybrid, shares := w.model(), w.model(), w.model(), w.model()
		w.version(seats, xyra.ModelSeat, "2023-12-01", seat(t, "12.25", "monthly"))
		a1 := w.version(actions, xyra.ModelActivity, "2023-12-01", activity(t, "scan", "0.335"))
		h1 := w.version(hybrid, xyra.ModelHybrid, "2023-12-01", fee(t, "50"), seat(t, "30", "quarterly"), activity(t, "call", "0.1"), activity(t, "mail", "0.01"), outcome(t, "sale", "7.5"))
		h2 := w.version(hybrid, xyra.ModelHybrid, "2024-01-10", fee(t, "60"), seat(t, "30", "quarterly"), activity(t, "mail", "0.01"), activity(t, "call", "0.2"), outcome(t, "sale", "7.5"))
		w.version(hybrid, xyra.ModelHybrid, "2024-02-01", fee(t, "99"), activity(t, "call", "9"))
		s1 := w.version(shares, xyra.ModelOutcome, "2023-12-01", outcome(t, "deal", "10"))
		desk, scan, desk2, sales := w.agent("Desk", seats, `{"seats":3}`), w.agent("Scan", actions, ""), w.agent("Front", hybrid, `{"seats":2}`), w.agent("Sales", shares, "")
		gone := w.agent("Gone", hybrid, "")
		w.tx(func(ctx context.Context, tx *store.Tx) error { return tx.DeleteAgent(ctx, w.org, gone) })

		w.use(202401, scan, a1, 0, "USD", "3", "1.005")
		w.use(202401, desk2, h1, 2, "USD", "5", "0.5")
		w.use(202401, desk2, h2, 3, "USD", "2.5", "0.5")
		w.use(202401, desk2, h1, 3, "USD", "7", "0.07")
		w.use(202401, desk2, h2, 2, "USD", "5", "0.05")
		w.use(202401, desk2, h1, 4, "USD", "100", "7.5")
		w.use(202401, desk2, h2, 4, "USD", "0.5", "0.0375")
		w.use(202401, sales, s1, 0, "USD", "1000", "100")
		w.use(202401, sales, s1, 0, "EUR", "200", "20")
		w.use(202401, gone, h1, 2, "USD", "10", "1")
		w.use(202402, scan, a1, 0, "USD", "4", "1.34")

		january := w.mustGenerate(2024, 1, "")
		meta := func(model xyra.BillingModelID, period string) string {
			return fmt.Sprintf(`Agent {"billing_model_id":%d,"billing_period":"%s"}`, model, period)
		}
		want(t, show(january), `267.42 USD
Agent access: Desk - monthly subscription | 3.0 x 12.25 = 36.75 | subscription | `+meta(seats, "2024-1")+`
Agent usage: Scan - 3 activities | 3.0 x 0.335 = 1.01 | usage | `+meta(actions, "2024-1")+`
Agent base fee: Front | 1.0 x 60.0 = 60.0 | subscription | `+meta(hybrid, "2024-1")+`
Agent access: Front - quarterly subscription | 2.0 x 30.0 = 60.0 | subscription | `+meta(hybrid, "2024-1")+`
Agent usage: Front - 5 call activities | 5.0 x 0.1 = 0.5 | usage | `+meta(hybrid, "2024-1")+`
Agent usage: Front - 2.5 call activities | 2.5 x 0.2 = 0.5 | usage | `+meta(hybrid, "2024-1")+`
Agent usage: Front - 12 mail activities | 12.0 x 0.01 = 0.12 | usage | `+meta(hybrid, "2024-1")+`
Agent outcomes: Front - 7.5% of 100.5 sale | 1.0 x 7.5375 = 7.54 | outcome | `+meta(hybrid, "2024-1")+`
Agent outcomes: Sales - 10.0% of 1000.0 | 1.0 x 100.0 = 100.0 | outcome | `+meta(shares, "2024-1")+`
Agent usage: Gone - 10 call activities | 10.0 x 0.1 = 1.0 | usage | `+meta(hybrid, "2024-1"))
		if *january.Lines[0].ReferenceID != int64(desk) {
			t.Errorf("reference %d, want the agent %d", *january.Lines[0].ReferenceID, desk)
		}
		want(t, show(w.mustGenerate(2024, 1, "EUR")), "20.0 EUR\nAgent outcomes: Sales - 10.0% of 200.0 | 1.0 x 20.0 = 20.0 | outcome | "+meta(shares, "2024-1"))

		w.use(202401, scan, a1, 0, "USD", "1.5", "0.5025")
		w.use(202401, desk2, h2, 3, "USD", "1", "0.2")
		w.use(202312, scan, a1, 0, "USD", "9", "3.015") // December was never invoiced
		february := w.mustGenerate(2024, 2, "USD")
		want(t, lines(february), `
Agent access: Desk - monthly subscription | 3.0 x 12.25 = 36.75
Agent usage: Scan - 4 activities | 4.0 x 0.335 = 1.34
Agent base fee: Front | 1.0 x 99.0 = 99.0
Agent usage: Scan - 1.5 activities (January 2024) | 1.5 x 0.335 = 0.5
Agent usage: Front - 1 call activities (January 2024) | 1.0 x 0.2 = 0.2`)
		want(t, string(february.Lines[3].Metadata), fmt.Sprintf(`{"billing_model_id":%d,"billing_period":"2024-1"}`, actions))
		w.verify()

		// Cancelled and made again, January still leaves to February what February has billed.
		w.cancel(january.ID)
		want(t, lines(w.mustGenerate(2024, 1, "")), lines(january))
		w.cancel(february.ID)
		want(t, lines(w.mustGenerate(2024, 2, "")), lines(february))
		w.verify()
	})
}

// Number, dates, notes and metadata of a generated invoice.
func TestGenerate_HeadOfTheInvoice(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		w := newWorld(t, db, "USD", "UTC")
		model := w.model()
		w.version(model, xyra.ModelSeat, "2024-04-20", seat(t, "5", "monthly"))
		w.agent("Desk", model, "")
		i := w.mustGenerate(2024, 3, "")
		if !regexp.MustCompile(`^INV-20240515-[0-9A-F]{4,}$`).MatchString(i.Number) {
			t.Errorf("number %s", i.Number)
		}
		want(t, *i.Notes, "Monthly invoice for March 2024")
		want(t, string(i.Metadata), `{"billing_period":"2024-3"}`)
		if i.Status != xyra.InvoicePending || !i.IssueDate.Equal(clock.Now()) || !i.DueDate.Equal(clock.Now().Add(15*24*time.Hour)) || i.Sequence != 1 || !i.TaxAmount.IsZero() {
			t.Errorf("head %+v", i)
		}
	})
}

// Each refusal of a generation, in the order of the contract.
func TestGenerate_Refusals(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		w := newWorld(t, db, "USD", "Pacific/Kiritimati")
		refuse := func(year, month int64, code xyra.Code, text string) {
			t.Helper()
			_, err := w.generate(year, month, "")
			wantRefusal(t, err, code, text)
		}
		refuse(0, 13, xyra.CodeInvalid, "Month must be between 1 and 12")
		refuse(0, 0, xyra.CodeInvalid, "Month must be between 1 and 12")
		refuse(10000, 1, xyra.CodeInvalid, "year 10000 is out of range")
		refuse(0, 1, xyra.CodeInvalid, "year 0 is out of range")
		refuse(9999, 12, xyra.CodeInvalid, "Billing period 9999-12 has not ended yet")
		refuse(2024, 4, xyra.CodeInvalid, fmt.Sprintf("No agents found for organization with ID %d", w.org))
		agent := w.agent("Desk", 0, "")
		w.tx(func(ctx context.Context, tx *store.Tx) error { return tx.DeleteAgent(ctx, w.org, agent) })
		refuse(2024, 4, xyra.CodeInvalid, fmt.Sprintf("No billable items found for organization with ID %d in 4/2024", w.org))

		model := w.model()
		w.version(model, xyra.ModelSeat, "2024-01-01", seat(t, "5", "monthly"))
		w.agent("Desk", model, "")
		// The month ends fourteen hours before it does in UTC.
		clock.Set(at(t, "2024-05-31T10:00:00Z").Add(-time.Microsecond))
		refuse(2024, 5, xyra.CodeInvalid, "Billing period 2024-5 has not ended yet")
		clock.Set(at(t, "2024-05-31T10:00:00Z"))
		first := w.mustGenerate(2024, 5, "")
		refuse(2024, 5, xyra.CodeConflict, fmt.Sprintf("Invoice %s already exists for organization with ID %d, period 2024-5 and currency USD", first.Number, w.org))

		w.org += 1000
		refuse(0, 1, xyra.CodeNotFound, "Organization not found")
		refuse(0, 13, xyra.CodeInvalid, "Month must be between 1 and 12")
	})
}

// A line is rounded once, half away from zero, to what the currency has.
func TestGenerate_RoundsToTheMinorUnit(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		w := newWorld(t, db, "JPY", "UTC")
		model := w.model()
		v := w.version(model, xyra.ModelActivity, "2024-01-01", activity(t, "scan", "3"))
		a := w.agent("Scan", model, "")
		w.use(202401, a, v, 0, "JPY", "2.5", "7.5")
		w.use(202401, a, v, 0, "KWD", "0.3335", "1.0005")
		w.use(202401, a, v, 0, "USD", "0.335", "1.005")
		want(t, lines(w.mustGenerate(2024, 1, "")), "Agent usage: Scan - 2.5 activities | 2.5 x 3.0 = 8.0")
		want(t, lines(w.mustGenerate(2024, 1, "KWD")), "Agent usage: Scan - 0.3335 activities | 0.3335 x 3.0 = 1.001")
		want(t, lines(w.mustGenerate(2024, 1, "USD")), "Agent usage: Scan - 0.335 activities | 0.335 x 3.0 = 1.01")
		w.verify()
	})
}

// A correction that makes what is open negative neither credits nor disappears: it waits for usage to set it off.
func TestGenerate_NegativeDifferencesWait(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		w := newWorld(t, db, "USD", "UTC")
		model := w.model()
		v := w.version(model, xyra.ModelActivity, "2024-01-01", activity(t, "scan", "2"))
		a := w.agent("Scan", model, "")
		w.use(202401, a, v, 0, "USD", "10", "20")
		w.mustGenerate(2024, 1, "")
		w.use(202401, a, v, 0, "USD", "-4", "-8")
		_, err := w.generate(2024, 2, "")
		wantRefusal(t, err, xyra.CodeInvalid, fmt.Sprintf("No billable items found for organization with ID %d in 2/2024", w.org))
		w.use(202401, a, v, 0, "USD", "5", "10")
		want(t, lines(w.mustGenerate(2024, 2, "")), "Agent usage: Scan - 1 activities (January 2024) | 1.0 x 2.0 = 2.0")
		w.verify()
	})
}
