package stripe_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"xyra"
	"xyra/money"
	"xyra/store"
)

// What Stripe will not charge is one failed job with its reason and a note on the invoice, never a loop; when what is due
// becomes chargeable, a page is made.
func TestMirrorCheckout_RefusalsAreSeenAndNotRepeated(t *testing.T) {
	eachWorld(t, func(w *world) {
		w.mustWork()
		w.fake.taken()
		for _, c := range []struct {
			currency       money.Currency
			amount, reason string
		}{
			{"USD", "0.49", "amount_too_small"}, {"GBP", "0.29", "amount_too_small"}, {"HUF", "174.99", "amount_too_small"}, {"JPY", "49", "amount_too_small"}, {"CZK", "14.99", "amount_too_small"},
			{"USD", "1000000", "amount_too_large"}, {"JPY", "100000000", "amount_too_large"}, {"KWD", "100000", "amount_too_large"}, {"USD", "999999999999999.99", "amount_too_large"},
		} {
			i := w.bill(c.currency, c.amount)
			errs := w.work()
			if len(errs) != 1 || !strings.Contains(errs[0].Error(), c.reason) || w.session(i.ID) != "" {
				w.t.Errorf("%s %s: %v", c.amount, c.currency, errs)
			}
			w.clock.Advance(48 * time.Hour)
			if calls := strings.Count(w.fake.taken(), "POST"); calls != 1 || len(w.work()) != 0 {
				w.t.Errorf("%s %s: %d calls, and more later", c.amount, c.currency, calls)
			}
			failed, err := w.db.Jobs(w.t.Context(), "failed", xyra.JobStripeCheckout, 0, 1)
			if err != nil || len(failed) != 1 || !strings.Contains(failed[0].LastError, c.reason) || failed[0].Attempt != 1 || !strings.Contains(string(failed[0].Args), fmt.Sprint(i.ID)) {
				w.t.Errorf("%s %s: jobs %+v, %v", c.amount, c.currency, failed, err)
			}
			if note := w.noted(i.ID); !strings.Contains(note, c.reason) {
				w.t.Errorf("%s %s: the invoice's note is %q", c.amount, c.currency, note)
			}
			if w.invoice(i.ID).Status != xyra.InvoicePending {
				w.t.Errorf("%s %s: the invoice moved", c.amount, c.currency)
			}
		}
		large := w.bill("USD", "1000000")
		w.work()
		w.pay(large.ID, "0.01") // what is left has eight digits
		w.mustWork()
		if w.session(large.ID) == "" {
			w.t.Error("no page for what can be charged")
		}
	})
}

// Each currency is charged in amounts that Stripe takes.
func TestMirrorCheckout_EveryCurrencyInStripesUnits(t *testing.T) {
	eachWorld(t, func(w *world) {
		for _, c := range []struct {
			currency      money.Currency
			amount, units string
		}{
			{"USD", "999999.99", "99999999"}, {"HUF", "175.25", "17525"}, {"TWD", "99.5", "9950"}, {"JPY", "500", "500"}, {"KRW", "1000", "1000"}, {"VND", "20000", "20000"},
			{"ISK", "1500", "150000"}, {"UGX", "3700", "370000"}, {"KWD", "5.124", "5120"}, {"BHD", "5.125", "5130"}, {"TND", "5.126", "5130"}, {"OMR", "1.001", "1000"},
			{"JOD", "7.999", "8000"}, {"MGA", "10.5", "11"}, {"CLP", "700", "700"}, {"XAF", "650", "650"}, {"XPF", "120", "120"},
		} {
			i := w.bill(c.currency, c.amount)
			w.mustWork()
			s := w.session(i.ID)
			if s == "" {
				w.t.Fatalf("%s %s: no page", c.amount, c.currency)
			}
			if got := w.fake.sessions[s].form["line_items[0][price_data][unit_amount]"]; got != c.units {
				w.t.Errorf("%s %s is charged as %s, want %s", c.amount, c.currency, got, c.units)
			}
			w.fake.pay(s, "paid")
			w.cancel(i.ID)
			w.mustWork() // the page turns out to be paid: all of it is credit
			credits, err := w.db.Credits(w.t.Context(), w.org)
			if err != nil {
				w.t.Fatal(err)
			}
			charged := xyra.StripeCharge(c.currency, money.MustParse(c.amount))
			found := false
			for _, credit := range credits {
				found = found || credit.Currency == c.currency && credit.Balance.Equal(charged)
			}
			if !found {
				w.t.Errorf("%s %s was charged as %s; credit %+v", c.amount, c.currency, charged, credits)
			}
		}
	})
}

// noted is what the audit log says of pages that Stripe refused for an invoice.
func (w *world) noted(id xyra.InvoiceID) (text string) {
	w.t.Helper()
	action, object := "invoice.checkout_refused", int64(id)
	entries, err := w.db.AuditEntries(w.t.Context(), store.AuditFilter{Organization: &w.org, Action: &action, Object: &object}, 10)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, e := range entries {
		text += string(e.Detail)
	}
	return text
}
