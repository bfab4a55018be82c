package billing_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"xyra"
	"xyra/billing"
	"xyra/money"
	"xyra/store"
	"xyra/store/storetest"
)

// session gives an invoice a page to pay it on.
func (w *world) session(i xyra.Invoice, id string, charge money.Decimal) {
	w.t.Helper()
	w.tx(func(ctx context.Context, tx *store.Tx) error {
		return billing.AddCheckout(ctx, tx, xyra.Caller{}, xyra.CheckoutSession{ID: id, Organization: w.org, Invoice: i.ID, Status: xyra.CheckoutOpen,
			Amount: charge, Link: "https://checkout.stripe.com/" + id, ExpiresAt: tx.Now.Add(time.Hour)})
	})
}

func (w *world) receive(e xyra.StripeEvent) (alarms []string) {
	w.t.Helper()
	w.tx(func(ctx context.Context, tx *store.Tx) (err error) {
		alarms, err = billing.ReceiveStripe(ctx, tx, xyra.Caller{}, e)
		return err
	})
	return alarms
}

// completed is the event of a session that was paid.
func completed(id, session, intent string, amount money.Decimal, currency money.Currency) xyra.StripeEvent {
	return xyra.StripeEvent{ID: id, Type: "checkout.session.completed", Session: session, Intent: intent, Status: "paid", Amount: &amount, Currency: currency}
}

func moneyBack(id, kind, intent string, amount int64) xyra.StripeEvent {
	value := money.FromInt(amount)
	e := xyra.StripeEvent{ID: id, Type: kind, Intent: intent, Charge: "ch_" + intent, Amount: &value, Currency: "USD"}
	if strings.HasPrefix(kind, "charge.dispute") {
		e.Dispute, e.Status = "dp_"+intent, "needs_response"
	}
	return e
}

// What each event does in each state: the status afterwards, what settles the invoice of 10, and the credit, of which
// there were 2. An exclamation mark is an alarm, a bare text the refusal.
const stateTable = `
pending  pay        paid 10, 2 USD
pending  part       pending 3, 2 USD
pending  credit     pending 2, 0 USD
pending  cancel     cancelled 0, 2 USD
pending  completed  paid 10, 2 USD
pending  failed     pending 0, 2 USD
pending  expired    pending 0, 2 USD
pending  refunded   pending 0, 2 USD
pending  disputed   pending 0, 2 USD
overdue  pay        paid 10, 2 USD
overdue  part       overdue 3, 2 USD
overdue  credit     overdue 2, 0 USD
overdue  cancel     cancelled 0, 2 USD
overdue  completed  paid 10, 2 USD
overdue  failed     overdue 0, 2 USD
overdue  expired    overdue 0, 2 USD
overdue  refunded   overdue 0, 2 USD
overdue  disputed   overdue 0, 2 USD
parted   pay        paid 10, 2 USD
parted   part       pending 7, 2 USD
parted   credit     pending 6, 0 USD
parted   cancel     cancelled 0, 6 USD
parted   completed  paid 10, 6 USD !
parted   failed     pending 4, 2 USD
parted   expired    pending 4, 2 USD
parted   refunded   pending 4, 2 USD
parted   disputed   pending 4, 2 USD
paid     pay        Invoice is already marked as paid
paid     part       paid 10, 5 USD !
paid     credit     Cannot apply credit to an invoice with status: paid
paid     cancel     Cannot cancel a paid invoice
paid     completed  paid 10, 12 USD !
paid     failed     paid 10, 2 USD
paid     expired    paid 10, 2 USD
paid     refunded   paid 10, 2 USD
paid     disputed   paid 10, 2 USD
stripe   pay        Invoice is already marked as paid
stripe   part       paid 10, 5 USD !
stripe   credit     Cannot apply credit to an invoice with status: paid
stripe   cancel     Cannot cancel a paid invoice
stripe   completed  paid 10, 2 USD
stripe   failed     paid 10, 2 USD
stripe   expired    paid 10, 2 USD
stripe   refunded   paid 6, 2 USD
stripe   disputed   paid 0, 2 USD !
cancelled pay       Cannot mark a cancelled invoice as paid
cancelled part      cancelled 0, 5 USD !
cancelled credit    Cannot apply credit to an invoice with status: cancelled
cancelled cancel    cancelled 0, 2 USD
cancelled completed cancelled 0, 12 USD !
cancelled failed    cancelled 0, 2 USD
cancelled expired   cancelled 0, 2 USD
cancelled refunded  cancelled 0, 2 USD
cancelled disputed  cancelled 0, 2 USD`

// cell brings an invoice into a state, has an event happen, and says how things stand.
func (w *world) cell(state, event string) string {
	w.t.Helper()
	if _, err := w.pay(w.bill("USD", "1").ID, "x", nil); err != nil {
		w.t.Fatal(err)
	}
	w.mustRecord(w.bill("USD", "1").ID, "3")
	i := w.bill("USD", "10")
	cs, pi := fmt.Sprintf("cs_%s_%s", state, event), fmt.Sprintf("pi_%s_%s", state, event)
	ten := money.FromInt(10)
	w.session(i, cs, ten)
	var err error
	switch overdue := xyra.InvoiceOverdue; state {
	case "overdue":
		_, err = w.update(i.ID, billing.Change{Status: &overdue})
	case "parted":
		w.mustRecord(i.ID, "4")
	case "paid":
		_, err = w.pay(i.ID, "cash", nil)
	case "stripe":
		w.receive(completed("evt_first_"+cs, cs, pi, ten, "USD"))
	case "cancelled":
		w.cancel(i.ID)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	others, own := w.others(i.ID), w.whole(i.ID)
	var alarms []string
	var r billing.Receipt
	switch event {
	case "pay":
		_, err = w.pay(i.ID, "cash", nil)
	case "part":
		r, err = w.record(i.ID, "3")
	case "credit":
		r, err = w.apply(i.ID, "")
	case "cancel":
		err = w.db.Tx(w.t.Context(), func(tx *store.Tx) error {
			_, err := billing.Cancel(w.t.Context(), tx, operator, i.ID)
			return err
		})
	case "completed":
		alarms = w.receive(completed("evt_"+cs, cs, pi, ten, "USD"))
	case "failed":
		alarms = w.receive(xyra.StripeEvent{ID: "evt_" + cs, Type: "checkout.session.async_payment_failed", Session: cs})
	case "expired":
		alarms = w.receive(xyra.StripeEvent{ID: "evt_" + cs, Type: "checkout.session.expired", Session: cs})
	case "refunded":
		alarms = w.receive(moneyBack("evt_"+cs, "charge.refunded", pi, 4))
	case "disputed":
		alarms = w.receive(moneyBack("evt_"+cs, "charge.dispute.created", pi, 10))
	}
	if moved := w.others(i.ID); moved != others {
		w.t.Errorf("%s in %s moved what it does not concern:\n%s\nwas\n%s", event, state, moved, others)
	}
	if err != nil {
		if now := w.whole(i.ID); now != own {
			w.t.Errorf("%s in %s was refused and moved\n%s\nto\n%s", event, state, own, now)
		}
		return err.Error()
	}
	stands := w.stands(i.ID)
	if len(alarms) > 0 || r.Alarm != "" {
		stands += " !"
	}
	return stands
}

// whole is all that is kept of an invoice, its page and its book.
func (w *world) whole(id xyra.InvoiceID) string {
	w.t.Helper()
	i, err := w.db.InvoiceAnywhere(w.t.Context(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	sessions, err := w.db.CheckoutSessions(w.t.Context(), i.Organization, id)
	if err != nil {
		w.t.Fatal(err)
	}
	kept, err := json.Marshal(i)
	if err != nil {
		w.t.Fatal(err)
	}
	text := string(kept)
	for _, s := range sessions {
		text += fmt.Sprintf("\n%s %s %s %s", s.ID, s.Status, s.Amount, s.Link)
	}
	of := *w
	of.org = i.Organization
	return text + "\n" + of.book(id)
}

// others is all that is kept of every other invoice of the installation.
func (w *world) others(than xyra.InvoiceID) string {
	w.t.Helper()
	var text strings.Builder
	for id := xyra.InvoiceID(1); ; id++ {
		_, err := w.db.InvoiceAnywhere(w.t.Context(), id)
		if xyra.HasCode(err, xyra.CodeNotFound) {
			return text.String()
		}
		if err != nil {
			w.t.Fatal(err)
		}
		if id != than && id > than-5 { // the two of its organization, and those of the cell before
			text.WriteString(w.whole(id) + "\n")
		}
	}
}

// Every state and every event: only legal changes happen, and no money is lost.
func TestPayments_StateByEvent(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		cells := strings.Split(strings.TrimSpace(stateTable), "\n")
		if len(cells) != 6*9 {
			t.Fatalf("%d cells", len(cells))
		}
		for _, row := range cells {
			state, rest, _ := strings.Cut(row, " ")
			event, expected, _ := strings.Cut(strings.TrimSpace(rest), " ")
			w := newWorld(t, db, "USD", "UTC")
			if got := w.cell(state, event); got != strings.TrimSpace(expected) {
				t.Errorf("%s in %s: %s, want %s", event, state, got, expected)
			}
		}
		newWorld(t, db, "USD", "UTC").verify()
	})
}

// rounds is how often something random is tried: all of it in the nightly run.
func rounds(short, long int) int {
	if os.Getenv("XYRA_TEST_LONG") != "" {
		return long
	}
	return short
}

// What Stripe says is compared with what was asked for; every difference is seen, and no money is lost.
func TestReceiveStripe_AmountCurrencyAndStatusAreChecked(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		for n, c := range []struct {
			currency, paidIn money.Currency
			total, paid      string
			status           string
			want             string
			alarm            bool
		}{
			{"USD", "USD", "10.50", "10.50", "paid", "paid 10.5", false},
			{"USD", "USD", "10.50", "10", "paid", "pending 10", true},
			{"USD", "USD", "10.50", "11", "paid", "paid 10.5, 0.5 USD", true},
			{"USD", "EUR", "10.50", "10.50", "paid", "pending 0, 10.5 EUR", true},
			{"USD", "USD", "10.50", "10.50", "unpaid", "pending 0", false},
			{"USD", "USD", "10.50", "10.50", "nonsense", "pending 0", false},
			{"USD", "USD", "10.50", "0", "no_payment_required", "pending 0", true},
			{"JPY", "JPY", "500", "500", "paid", "paid 500", false},
			{"KWD", "KWD", "5.124", "5.12", "paid", "paid 5.124", false},
			{"KWD", "KWD", "5.126", "5.13", "paid", "paid 5.126", false},
			{"KWD", "KWD", "5.124", "5.11", "paid", "pending 5.11", true},
			{"MGA", "MGA", "10.50", "11", "paid", "paid 10.5", false},
		} {
			w := newWorld(t, db, c.currency, "UTC")
			i, cs := w.bill(c.currency, c.total), fmt.Sprintf("cs_%d", n)
			w.session(i, cs, xyra.StripeCharge(c.currency, i.Total()))
			e := completed("evt_"+cs, cs, "pi_"+cs, dec(t, c.paid), c.paidIn)
			e.Status = c.status
			alarms := w.receive(e)
			if got := w.stands(i.ID); got != c.want || (len(alarms) > 0) != c.alarm {
				t.Errorf("%+v: %s, alarms %v", c, got, alarms)
			}
			w.verify()
		}
		w := newWorld(t, db, "USD", "UTC")
		i := w.bill("USD", "10")
		w.session(i, "cs_unreadable", i.Total())
		if alarms := w.receive(xyra.StripeEvent{ID: "evt_u", Type: "checkout.session.completed", Session: "cs_unreadable", AmountUnknown: true}); len(alarms) != 1 {
			t.Errorf("an amount that cannot be read: %v", alarms)
		}
		want(t, w.stands(i.ID), "pending 0")
	})
}

// Of payments, cancellations and webhooks at once, over two connections, one wins, and the webhook's money is somewhere.
func TestPayments_ConcurrentRivalsHaveOneWinner(t *testing.T) {
	storetest.EachTarget(t, func(t *testing.T, target store.Options) {
		target.Now = storetest.NewClock(storetest.Start).Now
		handles := []*store.DB{storetest.Open(t, target), storetest.Open(t, target)}
		for round := range rounds(10, 200) {
			w := newWorld(t, handles[0], "USD", "UTC")
			i, cs := w.bill("USD", "10"), fmt.Sprintf("cs_race_%d", round)
			w.session(i, cs, money.FromInt(10))
			const rivals = 8
			ended := make(chan error, rivals)
			paidByHand := make(chan bool, rivals)
			for n := range rivals {
				go func() {
					ctx := context.WithoutCancel(t.Context())
					ended <- handles[n%2].Tx(ctx, func(tx *store.Tx) (err error) {
						switch n % 4 {
						case 0:
							_, err = billing.Cancel(ctx, tx, operator, i.ID)
						case 1:
							if _, err = billing.Pay(ctx, tx, operator, i.ID, "cash", nil); err == nil {
								paidByHand <- true
							}
						default:
							_, err = billing.ReceiveStripe(ctx, tx, xyra.Caller{}, completed(fmt.Sprintf("evt_%s_%d", cs, n/4), cs, "pi_"+cs, money.FromInt(10), "USD"))
						}
						if xyra.HasCode(err, xyra.CodeInvalid) {
							err = nil // it lost
						}
						return err
					})
				}()
			}
			for range rivals {
				if err := <-ended; err != nil {
					t.Fatal(err)
				}
			}
			got := w.stands(i.ID)
			fine := map[string]bool{"cancelled 0, 10 USD": true, "paid 10, 10 USD": len(paidByHand) > 0, "paid 10": len(paidByHand) == 0}
			if !fine[got] {
				t.Errorf("round %d: %s\n%s", round, got, w.book(i.ID))
			}
			w.verify()
		}
	})
}

// Money that went back takes credit before it takes what is settled, and never more credit than is there.
func TestReceiveStripe_RefundsTakeCreditFirst(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		w := newWorld(t, db, "USD", "UTC")
		i := w.bill("USD", "10")
		w.session(i, "cs", money.FromInt(10))
		w.cancel(i.ID)
		w.receive(completed("e1", "cs", "pi", money.FromInt(10), "USD"))
		want(t, w.stands(i.ID), "cancelled 0, 10 USD")
		w.receive(moneyBack("e2", "charge.refunded", "pi", 4))
		want(t, w.stands(i.ID), "cancelled 0, 6 USD")
		if _, err := w.apply(w.bill("USD", "5").ID, ""); err != nil {
			t.Fatal(err)
		}
		w.receive(moneyBack("e3", "charge.refunded", "pi", 10))
		want(t, w.stands(i.ID), "cancelled -5, 0 USD")
		w.verify()
	})
}

// A page is asked for once: an open one for what is due is returned, everything else is a job.
func TestRequestCheckout_ReturnsOrPromisesAPage(t *testing.T) {
	storetest.EachTarget(t, func(t *testing.T, target store.Options) {
		clock := storetest.NewClock(storetest.Start)
		target.Now, target.Stripe = clock.Now, true
		db := storetest.Open(t, target)
		w := newWorld(t, db, "USD", "UTC")
		i := w.bill("USD", "10")
		request := func() (s xyra.CheckoutSession, err error) {
			err = db.Tx(t.Context(), func(tx *store.Tx) error {
				s, err = billing.RequestCheckout(t.Context(), tx, operator, i.ID)
				return err
			})
			return s, err
		}
		queued := func() int {
			list, err := db.Jobs(t.Context(), "", xyra.JobStripeCheckout, 0, 100)
			if err != nil {
				t.Fatal(err)
			}
			return len(list)
		}
		if s, err := request(); err != nil || s.ID != "" || queued() != 2 {
			t.Errorf("without a page: %v, %v, %d jobs", s, err, queued())
		}
		w.session(i, "cs_1", i.Total())
		if s, err := request(); err != nil || s.ID != "cs_1" || queued() != 2 {
			t.Errorf("with a page: %v, %v, %d jobs", s, err, queued())
		}
		clock.Advance(time.Hour)
		if s, err := request(); err != nil || s.ID != "" || queued() != 3 {
			t.Errorf("after its end: %v, %v, %d jobs", s, err, queued())
		}
		unpaid := completed("e1", "cs_1", "pi_1", i.Total(), "USD")
		unpaid.Status = "unpaid"
		w.receive(unpaid)
		_, err := request()
		wantRefusal(t, err, xyra.CodeConflict, "A payment of this invoice is being processed")
		w.receive(xyra.StripeEvent{ID: "e2", Type: "checkout.session.async_payment_failed", Session: "cs_1"})
		if read, err := db.InvoiceAnywhere(t.Context(), i.ID); err != nil || read.Stripe.PaymentLink != nil {
			t.Errorf("the link of a failed page stays: %v, %+v", err, read.Stripe)
		}
		if s, err := request(); err != nil || s.ID != "" || queued() != 4 {
			t.Errorf("after its failure: %v, %v, %d jobs", s, err, queued())
		}
		w.mustRecord(i.ID, "1")
		if queued() != 5 {
			t.Errorf("a part payment has %d jobs", queued())
		}
		w.cancel(i.ID)
		_, err = request()
		wantRefusal(t, err, xyra.CodeInvalid, "Cannot check out an invoice with status: cancelled")
	})
}
