package stripe_test

import (
	"bufio"
	"context"
	"os/exec"
	"strings"
	"testing"

	"xyra/billing"
	"xyra/catalog"
	"xyra/money"
	"xyra/store"
)

// stripeMock starts Stripe's own mock, which checks every request against the published description of the API, and
// returns its address.
func stripeMock(t *testing.T) string {
	t.Helper()
	found, err := exec.CommandContext(t.Context(), "go", "tool", "-modfile=../tools/stripemock/go.mod", "-n", "stripe-mock").Output()
	if err != nil {
		t.Fatalf("build stripe-mock: %v", err)
	}
	mock := exec.Command(strings.TrimSpace(string(found)), "-http-addr", "127.0.0.1:0", "-https-addr", "127.0.0.1:0")
	out, err := mock.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := mock.Start(); err != nil {
		t.Fatalf("start stripe-mock: %v", err)
	}
	t.Cleanup(func() {
		if err := mock.Process.Kill(); err != nil {
			t.Error(err)
		}
		mock.Wait() //nolint:errcheck // it was killed, which is what its error says
	})
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if _, address, ok := strings.Cut(lines.Text(), "Listening for HTTP at address: "); ok {
			go func() {
				for lines.Scan() { // or it would stand still with a full pipe
					continue
				}
			}()
			return "http://" + address
		}
	}
	t.Fatalf("stripe-mock ended: %v", lines.Err())
	return ""
}

// Every request has the shape that Stripe describes, and its answers are understood.
func TestMirror_RequestsFitStripesDescription(t *testing.T) {
	address := stripeMock(t)
	eachWorld(t, func(w *world) {
		w.gateway = newGateway(w.t, w.db, address)
		w.mustWork()
		w.rename("Southwind")
		w.mustWork()
		o, err := w.db.Organization(w.t.Context(), w.org)
		if err != nil || o.Stripe == nil || !strings.HasPrefix(*o.Stripe, "cus_") {
			w.t.Fatalf("%v, %+v", err, o)
		}
		for _, currency := range []money.Currency{"USD", "JPY", "KWD"} {
			i := w.bill(currency, "10")
			w.mustWork()
			read := w.invoice(i.ID)
			if read.Stripe.CheckoutSession == nil || read.Stripe.PaymentLink == nil || !strings.HasPrefix(*read.Stripe.CheckoutSession, "cs_test_") {
				w.t.Fatalf("%s: no page: %+v", currency, read.Stripe)
			}
			w.cancel(i.ID)
			w.mustWork()
		}
		// Another one, without invoices, is deleted.
		w.tx(func(ctx context.Context, tx *store.Tx) error {
			other, err := catalog.CreateOrganization(ctx, tx, operator, organization("Eastwind"))
			w.org = other.ID
			return err
		})
		w.mustWork()
		w.tx(func(ctx context.Context, tx *store.Tx) error {
			_, err := catalog.DeleteOrganization(ctx, tx, operator, w.org)
			return err
		})
		w.mustWork()
		faults, err := billing.Verify(w.t.Context(), w.db)
		if err != nil || len(faults) > 0 {
			w.t.Errorf("%v, %v", faults, err)
		}
	})
}
