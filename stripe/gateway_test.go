package stripe_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"xyra"
	"xyra/billing"
	"xyra/catalog"
	"xyra/store"
	"xyra/stripe"
)

func (w *world) rename(name string) {
	w.t.Helper()
	w.tx(func(ctx context.Context, tx *store.Tx) error {
		_, err := catalog.UpdateOrganization(ctx, tx, operator, w.org, catalog.OrganizationEdit{Name: catalog.Edit[string]{Set: true, To: name}})
		return err
	})
}

// An organization has one customer, which follows its name and goes with it.
func TestMirrorCustomer_FollowsTheOrganization(t *testing.T) {
	eachWorld(t, func(w *world) {
		w.mustWork()
		o, err := w.db.Organization(w.t.Context(), w.org)
		if err != nil || o.Stripe == nil || *o.Stripe != "cus_1" {
			w.t.Fatalf("%v, %+v", err, o)
		}
		if c := w.fake.customers["cus_1"]; c["name"] != "Northwind" || c["email"] != "pay@northwind.example" || c["metadata[organization_id]"] != fmt.Sprint(w.org) {
			w.t.Errorf("customer %v", c)
		}
		w.calls("POST /customers")
		for _, name := range []string{"Southwind", "Northwind", "Southwind"} {
			w.rename(name)
			w.mustWork()
			if c := w.fake.customers["cus_1"]; c["name"] != name {
				w.t.Errorf("renamed to %s: %v", name, c)
			}
		}
		w.calls("POST /customers/cus_1, POST /customers/cus_1, POST /customers/cus_1")
		w.tx(func(ctx context.Context, tx *store.Tx) error {
			_, err := catalog.DeleteOrganization(ctx, tx, operator, w.org)
			return err
		})
		w.mustWork()
		w.calls("DELETE /customers/cus_1")
		if len(w.fake.customers) != 0 {
			w.t.Errorf("customers left: %v", w.fake.customers)
		}
		// A job that comes again finds nothing to do at Stripe.
		if err := w.gateway.MirrorCustomer(w.t.Context(), xyra.StripeCustomerJob(w.org)); err != nil {
			w.t.Error(err)
		}
	})
}

// What is lost on the way is asked for again, and done once.
func TestMirror_LostAnswersAreAskedForAgain(t *testing.T) {
	eachWorld(t, func(w *world) {
		// Two, because the HTTP client asks again by itself when a connection breaks that was in use before.
		w.fake.tell(func(f *fake) { f.lose = 2 })
		for len(w.work()) > 0 {
			continue
		}
		w.mustWork()
		i := w.bill("USD", "10")
		w.fake.tell(func(f *fake) { f.lose = 2 })
		if errs := w.work(); len(errs) != 1 || w.session(i.ID) != "" {
			w.t.Errorf("a lost answer: %v", errs)
		}
		w.mustWork()
		if w.session(i.ID) != "cs_test_1" || len(w.fake.customers) != 1 || len(w.fake.sessions) != 1 {
			w.t.Errorf("page %q, %d customers, %d sessions", w.session(i.ID), len(w.fake.customers), len(w.fake.sessions))
		}
	})
}

// While Stripe is away, slow or refuses our key the work waits; what it refuses for good is not asked again.
func TestMirror_WaitsWhileStripeIsAway(t *testing.T) {
	eachWorld(t, func(w *world) {
		w.mustWork()
		i := w.bill("USD", "10")
		for _, status := range []int{500, 502, 429, 409, 401, 403} {
			w.fake.tell(func(f *fake) { f.status = status })
			var wish *xyra.JobError
			if errs := w.work(); len(errs) != 1 || errors.As(errs[0], &wish) {
				w.t.Errorf("%d: %v", status, errs)
			}
		}
		w.fake.tell(func(f *fake) { f.status, f.hang = 0, true })
		ctx, cancel := context.WithTimeout(w.t.Context(), 50*time.Millisecond)
		defer cancel()
		if err := w.gateway.MirrorCheckout(ctx, xyra.StripeCheckoutJob(w.org, i.ID)); !errors.Is(err, context.DeadlineExceeded) {
			w.t.Errorf("a silent Stripe: %v", err)
		}
		w.fake.tell(func(f *fake) { f.hang = false })
		w.mustWork()
		if w.session(i.ID) == "" {
			w.t.Error("no page when Stripe was back")
		}
		small := w.bill("USD", "0.01")
		var wish *xyra.JobError
		if errs := w.work(); len(errs) != 1 || !errors.As(errs[0], &wish) || !wish.Final || w.session(small.ID) != "" {
			w.t.Errorf("too small to charge: %v", errs)
		}
	})
}

// An invoice has one open page for what is due: a part payment replaces it, cancelling and paying close it.
func TestMirrorCheckout_OnePageForWhatIsDue(t *testing.T) {
	eachWorld(t, func(w *world) {
		i := w.bill("USD", "10.50")
		w.mustWork()
		s := w.fake.sessions["cs_test_1"]
		for name, want := range map[string]string{"mode": "payment", "customer": "cus_1", "line_items[0][price_data][unit_amount]": "1050",
			"line_items[0][price_data][currency]": "usd", "line_items[0][quantity]": "1", "metadata[invoice_id]": fmt.Sprint(i.ID),
			"payment_intent_data[metadata][invoice_id]": fmt.Sprint(i.ID), "client_reference_id": fmt.Sprint(i.ID),
			"success_url": fmt.Sprintf("https://app.example/paid/%d?s={CHECKOUT_SESSION_ID}", i.ID), "cancel_url": "https://app.example/open/" + i.Number} {
			if s.form[name] != want {
				w.t.Errorf("%s is %q, want %q", name, s.form[name], want)
			}
		}
		w.fake.taken()
		w.pay(i.ID, "4")
		w.mustWork()
		w.calls("POST /checkout/sessions/cs_test_1/expire, POST /checkout/sessions")
		if got := w.fake.sessions["cs_test_2"].form["line_items[0][price_data][unit_amount]"]; got != "650" || w.session(i.ID) != "cs_test_2" {
			w.t.Errorf("page %s over %s", w.session(i.ID), got)
		}
		w.cancel(i.ID)
		w.mustWork()
		w.calls("POST /checkout/sessions/cs_test_2/expire")
		other := w.bill("USD", "5")
		w.mustWork()
		w.pay(other.ID, "5")
		w.mustWork()
		w.calls("POST /checkout/sessions, POST /checkout/sessions/cs_test_3/expire")
		// Nothing to pay, no page; final before the page was made, no page either.
		w.bill("USD", "0")
		w.cancel(w.bill("USD", "7").ID)
		w.mustWork()
		w.calls("")
		for id, s := range w.fake.sessions {
			if s.status != "expired" {
				w.t.Errorf("%s is %s", id, s.status)
			}
		}
	})
}

// A page that nobody used ends after a day; a new one is made when it is asked for.
func TestMirrorCheckout_RenewsOnRequest(t *testing.T) {
	eachWorld(t, func(w *world) {
		i := w.bill("USD", "10")
		w.mustWork()
		w.clock.Advance(25 * time.Hour)
		w.tx(func(ctx context.Context, tx *store.Tx) error {
			_, err := billing.ReceiveStripe(ctx, tx, xyra.Caller{}, xyra.StripeEvent{ID: "evt_1", Type: "checkout.session.expired", Session: "cs_test_1"})
			return err
		})
		if w.session(i.ID) != "" {
			w.t.Error("the link of an expired page stays")
		}
		for _, expected := range []string{"cs_test_2", "cs_test_3"} {
			w.tx(func(ctx context.Context, tx *store.Tx) error {
				_, err := billing.RequestCheckout(ctx, tx, operator, i.ID)
				return err
			})
			w.mustWork()
			if got := w.session(i.ID); got != expected {
				w.t.Errorf("page %s, want %s", got, expected)
			}
			w.clock.Advance(25 * time.Hour) // this time nobody tells us
		}
	})
}

// Whoever paid while the page was being closed has paid, although no event has come.
func TestMirrorCheckout_FinishedPagesCount(t *testing.T) {
	eachWorld(t, func(w *world) {
		cancelled, parted, slow := w.bill("USD", "10"), w.bill("USD", "10"), w.bill("USD", "10")
		w.mustWork()
		w.fake.pay(w.session(cancelled.ID), "paid")
		w.fake.pay(w.session(parted.ID), "paid")
		w.fake.pay(w.session(slow.ID), "unpaid")
		w.cancel(cancelled.ID)
		w.pay(parted.ID, "4")
		w.pay(slow.ID, "1")
		w.mustWork()
		for id, want := range map[xyra.InvoiceID]xyra.InvoiceStatus{cancelled.ID: "cancelled", parted.ID: "paid", slow.ID: "pending"} {
			if got := w.invoice(id).Status; got != want {
				w.t.Errorf("invoice %d is %s, want %s", id, got, want)
			}
		}
		credits, err := w.db.Credits(w.t.Context(), w.org)
		if err != nil || len(credits) != 1 || credits[0].Balance.Plain() != "14" {
			w.t.Errorf("credit %v, %v", credits, err)
		}
		if len(w.fake.sessions) != 3 {
			w.t.Errorf("%d pages: one whose money is on its way was replaced", len(w.fake.sessions))
		}
		faults, err := billing.Verify(w.t.Context(), w.db)
		if err != nil || len(faults) > 0 {
			w.t.Errorf("%v, %v", faults, err)
		}
	})
}

// Jobs of one invoice that run at once make one page.
func TestMirrorCheckout_ConcurrentJobsMakeOnePage(t *testing.T) {
	eachWorld(t, func(w *world) {
		i := w.bill("USD", "10")
		ended := make(chan error, 8)
		for range cap(ended) {
			go func() { ended <- w.gateway.MirrorCheckout(w.t.Context(), xyra.StripeCheckoutJob(w.org, i.ID)) }()
		}
		for range cap(ended) {
			if err := <-ended; err != nil {
				w.t.Error(err)
			}
		}
		if len(w.fake.sessions) != 1 || len(w.fake.customers) != 1 || w.session(i.ID) != "cs_test_1" {
			w.t.Errorf("%d pages, %d customers, page %q", len(w.fake.sessions), len(w.fake.customers), w.session(i.ID))
		}
	})
}

// A gateway is refused when customers would land nowhere.
func TestNew_RefusesWhatCannotWork(t *testing.T) {
	good := stripe.Options{Key: "sk", SuccessURL: "https://a.example", CancelURL: "http://localhost:3000/{INVOICE_ID}"}
	if _, err := stripe.New(nil, good); err != nil {
		t.Error(err)
	}
	for _, change := range []func(*stripe.Options){func(o *stripe.Options) { o.Key = "" }, func(o *stripe.Options) { o.SuccessURL = "" },
		func(o *stripe.Options) { o.CancelURL = "/paid" }, func(o *stripe.Options) { o.CancelURL = "javascript:alert(1)" }} {
		bad := good
		change(&bad)
		if _, err := stripe.New(nil, bad); err == nil || strings.Contains(err.Error(), "panic") {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}
