package stripe_test

import (
	"context"
	"crypto/rand"
	"testing"
	"time"

	"xyra"
	"xyra/billing"
	"xyra/catalog"
	"xyra/money"
	"xyra/store"
	"xyra/store/storetest"
	"xyra/stripe"
)

var operator = xyra.Caller{User: 1, Superuser: true}

// world is an installation with an account at Stripe.
type world struct {
	t       *testing.T
	db      *store.DB
	clock   *storetest.Clock
	fake    *fake
	gateway *stripe.Gateway
	org     xyra.OrganizationID
}

// eachWorld runs f on both databases, with one organization whose mirror is still to be made.
func eachWorld(t *testing.T, f func(w *world)) {
	t.Helper()
	storetest.EachTarget(t, func(t *testing.T, target store.Options) {
		w := &world{t: t, clock: storetest.NewClock(storetest.Start)}
		target.Now, target.Stripe = w.clock.Now, true
		w.db = storetest.Open(t, target)
		w.fake = newFake(t, w.clock.Now)
		w.gateway = newGateway(t, w.db, w.fake.URL)
		w.tx(func(ctx context.Context, tx *store.Tx) error {
			o, err := catalog.CreateOrganization(ctx, tx, operator, organization("Northwind"))
			w.org = o.ID
			return err
		})
		f(w)
	})
}

func organization(name string) xyra.Organization {
	email := "pay@northwind.example"
	return xyra.Organization{Name: name, Status: "active", Timezone: "UTC", Settings: []byte("{}"), BillingEmail: &email}
}

func newGateway(t *testing.T, db *store.DB, address string) *stripe.Gateway {
	t.Helper()
	g, err := stripe.New(db, stripe.Options{Key: "sk_test_123", Address: address, SuccessURL: "https://app.example/paid/{INVOICE_ID}?s={CHECKOUT_SESSION_ID}",
		CancelURL: "https://app.example/open/{INVOICE_NUMBER}"})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func (w *world) tx(f func(context.Context, *store.Tx) error) {
	w.t.Helper()
	if err := w.db.Tx(w.t.Context(), func(tx *store.Tx) error { return f(w.t.Context(), tx) }); err != nil {
		w.t.Fatal(err)
	}
}

// work runs every due job once, as a runner would, and returns their errors.
func (w *world) work() (errs []error) {
	w.t.Helper()
	for kind, handle := range w.gateway.Handlers() {
		var due []xyra.Job
		w.tx(func(ctx context.Context, tx *store.Tx) (err error) {
			due, err = tx.UpdateJobsClaimed(ctx, kind, time.Hour, 100)
			return err
		})
		for _, j := range due {
			err := handle(w.t.Context(), j)
			if err != nil {
				errs = append(errs, err)
			}
			w.tx(func(ctx context.Context, tx *store.Tx) error {
				_, err := tx.UpdateJobResult(ctx, j.Ended(err, tx.Now, 0))
				return err
			})
		}
	}
	return errs
}

// mustWork expects every job to be done.
func (w *world) mustWork() {
	w.t.Helper()
	for _, err := range w.work() {
		w.t.Error(err)
	}
}

func (w *world) bill(currency money.Currency, amount string) xyra.Invoice {
	w.t.Helper()
	price := money.MustParse(amount)
	var i xyra.Invoice
	w.tx(func(ctx context.Context, tx *store.Tx) (err error) {
		i, err = billing.Create(ctx, tx, operator, issuer(), xyra.Invoice{Organization: w.org, Currency: currency,
			Lines: []xyra.Line{{Description: "Work", Quantity: money.FromInt(1), UnitPrice: price, Amount: price, ItemType: "service"}}})
		return err
	})
	return i
}

func (w *world) invoice(id xyra.InvoiceID) xyra.Invoice {
	w.t.Helper()
	i, err := w.db.InvoiceAnywhere(w.t.Context(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	return i
}

// session is the page of an invoice, "" for none.
func (w *world) session(id xyra.InvoiceID) string {
	w.t.Helper()
	i := w.invoice(id)
	if i.Stripe.CheckoutSession == nil || i.Stripe.PaymentLink == nil {
		return ""
	}
	if want := "https://checkout.stripe.com/c/pay/" + *i.Stripe.CheckoutSession; *i.Stripe.PaymentLink != want {
		w.t.Errorf("link %s", *i.Stripe.PaymentLink)
	}
	return *i.Stripe.CheckoutSession
}

func (w *world) pay(id xyra.InvoiceID, amount string) {
	w.t.Helper()
	w.tx(func(ctx context.Context, tx *store.Tx) error {
		_, err := billing.RecordPayment(ctx, tx, operator, id, billing.Received{Amount: money.MustParse(amount), Method: "wire"})
		return err
	})
}

func (w *world) cancel(id xyra.InvoiceID) {
	w.t.Helper()
	w.tx(func(ctx context.Context, tx *store.Tx) error {
		_, err := billing.Cancel(ctx, tx, operator, id)
		return err
	})
}

func (w *world) calls(want string) {
	w.t.Helper()
	if got := w.fake.taken(); got != want {
		w.t.Errorf("calls\n%s\nwant\n%s", got, want)
	}
}

// issuer numbers invoices as an installation does by default.
func issuer() billing.Issuer {
	pattern, err := billing.ParseNumberPattern("{PREFIX}-{YYYY}{MM}{DD}-{RAND:4}", "INV")
	if err != nil {
		panic(err)
	}
	return billing.Issuer{Random: rand.Reader, Numbers: pattern}
}
