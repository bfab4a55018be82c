package billing_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"xyra"
	"xyra/billing"
	"xyra/money"
	"xyra/store"
	"xyra/store/storetest"
)

// stream is what Stripe tells of one page, and what must be so when all of it was told.
type stream struct {
	total, byHand int64 // what is due, and what came by hand before
	state         string
	events        []xyra.StripeEvent
	paid, gone    int64 // what the customer paid, and what of it went back in the end
	currency      money.Currency
	cancelled     bool
}

// want is how the invoice stands afterwards, by arithmetic alone.
func (s *stream) want() string {
	net, foreign := s.paid-s.gone, int64(0)
	counts := s.currency == "USD"
	if !counts {
		net, foreign = 0, net
	}
	status, target := s.state, s.total
	switch {
	case s.cancelled:
		target = 0
	case s.byHand >= s.total || counts && s.byHand+s.paid >= s.total:
		status = "paid"
	}
	all := s.byHand + net
	applied := min(all, target)
	text := fmt.Sprintf("%s %d", status, applied)
	if foreign != 0 {
		text += fmt.Sprintf(", %d EUR", foreign)
	}
	if credit := all - applied; credit != 0 {
		text += fmt.Sprintf(", %d USD", credit)
	}
	return text
}

// newStream draws a customer's doings on the page cs over total.
func newStream(random *rand.Rand, cs string, total int64) *stream {
	s := &stream{total: total, currency: "USD", state: "pending"}
	if random.IntN(10) == 0 {
		s.currency = "EUR"
	}
	pi := "pi_" + cs
	tell := func(name string, e xyra.StripeEvent) { e.ID = "evt_" + name + "_" + cs; s.events = append(s.events, e) }
	session := func(kind string) xyra.StripeEvent {
		return xyra.StripeEvent{Type: "checkout.session." + kind, Session: cs}
	}
	finished := func(kind, status string, amount int64) xyra.StripeEvent {
		e := completed("", cs, pi, money.FromInt(amount), s.currency)
		e.Type, e.Status = "checkout.session."+kind, status
		return e
	}
	amount := []int64{total, total, total, total - 3, total + 2}[random.IntN(5)]
	switch random.IntN(6) {
	case 0:
		tell("expired", session("expired"))
	case 1:
		tell("unpaid", finished("completed", "unpaid", amount))
		tell("failed", session("async_payment_failed"))
	case 2, 3:
		tell("unpaid", finished("completed", "unpaid", amount))
		tell("succeeded", finished("async_payment_succeeded", "paid", amount))
		s.paid = amount
	default:
		tell("paid", finished("completed", "paid", amount))
		s.paid = amount
	}
	s.goBack(random, pi, tell)
	tell("other", xyra.StripeEvent{Type: "customer.created"})
	tell("foreign", completed("", "cs_of_another_program", "pi_x", money.FromInt(1), "USD"))
	tell("foreign_refund", moneyBack("", "charge.refunded", "pi_of_another_program"+cs, 1))
	return s
}

// goBack draws refunds and a dispute of what was paid.
func (s *stream) goBack(random *rand.Rand, pi string, tell func(string, xyra.StripeEvent)) {
	about := func(kind string, amount int64) xyra.StripeEvent {
		e := moneyBack("", kind, pi, amount)
		e.Currency = s.currency
		return e
	}
	refunded := int64(0)
	for n := range random.IntN(4) {
		if refunded >= s.paid {
			break
		}
		refunded += 1 + random.Int64N(s.paid-refunded)
		tell(fmt.Sprint("refund", n), about("charge.refunded", refunded))
	}
	s.gone = refunded
	rest := s.paid - refunded
	if rest <= 0 || random.IntN(2) == 0 {
		return
	}
	disputed := 1 + random.Int64N(rest)
	created, withdrawn, ended := about("charge.dispute.created", disputed), about("charge.dispute.funds_withdrawn", disputed), about("charge.dispute.closed", disputed)
	switch outcome := []string{"lost", "won", "won", "prevented", "warning_closed"}[random.IntN(5)]; outcome {
	case "lost", "won":
		ended.Status = outcome
		tell("withdrawn", withdrawn)
		if outcome == "won" {
			reinstated := about("charge.dispute.funds_reinstated", disputed)
			reinstated.Status = "won"
			tell("reinstated", reinstated)
		} else {
			s.gone += disputed
		}
		tell("disputed", created)
		tell("closed", ended)
	default: // nothing was taken
		created.Status, ended.Status = map[string]string{"prevented": "prevented", "warning_closed": "warning_needs_response"}[outcome], outcome
		tell("disputed", created)
		tell("closed", ended)
	}
}

// prepare brings the stream's invoice into a state by hand, before Stripe tells anything.
func (w *world) prepare(random *rand.Rand, s *stream, i xyra.Invoice) {
	w.t.Helper()
	switch random.IntN(5) {
	case 0:
		w.cancel(i.ID)
		s.state, s.cancelled = "cancelled", true
	case 1:
		w.mustRecord(i.ID, "4")
		s.byHand = 4
	case 2:
		w.mustRecord(i.ID, "10")
		s.byHand = 10
	case 3:
		overdue := xyra.InvoiceOverdue
		if _, err := w.update(i.ID, billing.Change{Status: &overdue}); err != nil {
			w.t.Fatal(err)
		}
		s.state = "overdue"
	}
}

// However Stripe's events are ordered, repeated and spread over replicas, the book ends as arithmetic says.
func TestReceiveStripe_ConcurrentShufflesEndAsArithmeticSays(t *testing.T) {
	storetest.EachTarget(t, func(t *testing.T, target store.Options) {
		target.Now = storetest.NewClock(storetest.Start).Now
		replicas := []*store.DB{storetest.Open(t, target), storetest.Open(t, target)}
		seed := uint64(time.Now().UnixNano())
		t.Logf("seed %d", seed)
		random := rand.New(rand.NewPCG(seed, 1))
		var last *world
		for n := range rounds(15, 500) {
			w := newWorld(t, replicas[0], "USD", "UTC")
			i, cs := w.bill("USD", "10"), fmt.Sprintf("cs_%d", n)
			w.session(i, cs, money.FromInt(10))
			s := newStream(random, cs, 10)
			w.prepare(random, s, i)
			events := append(append([]xyra.StripeEvent{}, s.events...), s.events...)
			random.Shuffle(len(events), func(a, b int) { events[a], events[b] = events[b], events[a] })
			w.tellAll(replicas, events, 1+random.IntN(4))
			if got := strings.NewReplacer(", 0 USD", "", ", 0 EUR", "").Replace(w.stands(i.ID)); got != s.want() {
				t.Fatalf("round %d: %s, want %s\n%s\n%+v", n, got, s.want(), w.book(i.ID), events)
			}
			last = w
		}
		last.verify()
	})
}

// tellAll sends the events in their order, by so many at a time, to the replicas in turn.
func (w *world) tellAll(replicas []*store.DB, events []xyra.StripeEvent, atOnce int) {
	w.t.Helper()
	queue := make(chan xyra.StripeEvent, len(events))
	for _, e := range events {
		queue <- e
	}
	close(queue)
	var tellers sync.WaitGroup
	for n := range atOnce {
		tellers.Go(func() {
			for e := range queue {
				err := replicas[n%len(replicas)].Tx(w.t.Context(), func(tx *store.Tx) error {
					_, err := billing.ReceiveStripe(w.t.Context(), tx, xyra.Caller{}, e)
					return err
				})
				if err != nil {
					w.t.Error(err)
				}
			}
		})
	}
	tellers.Wait()
}

// What is not of this installation leaves no row, what waits for a payment does so for 90 days, and a session that a
// restored database has forgotten is known by what was written on it.
func TestReceiveStripe_KeepsOnlyWhatIsOurs(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		w := newWorld(t, db, "USD", "UTC")
		i := w.bill("USD", "10")
		waiting := func(until time.Time) (n int64) {
			w.tx(func(ctx context.Context, tx *store.Tx) (err error) {
				n, err = tx.DeleteStripeEventsWaitingBefore(ctx, until, 100)
				return err
			})
			return n
		}
		stranger := completed("evt_1", "cs_other", "pi_other", money.FromInt(10), "USD")
		w.receive(stranger)
		stranger.Invoice, stranger.InvoiceNumber = i.ID, i.Number+"x"
		w.receive(stranger)
		w.receive(moneyBack("evt_2", "charge.refunded", "pi_other", 4))
		want(t, w.stands(i.ID), "pending 0")
		if n := waiting(clock.Now().Add(-time.Second)); n != 0 {
			t.Errorf("%d events were forgotten early", n)
		}
		clock.Advance(xyra.StripeEventWaits)
		if n := waiting(clock.Now().Add(-xyra.StripeEventWaits)); n != 1 {
			t.Errorf("%d events were forgotten, want the one that waits", n)
		}
		stranger.InvoiceNumber = i.Number // the same event as before: it left nothing
		if alarms := w.receive(stranger); len(alarms) != 1 || !strings.Contains(alarms[0], "was not known here") {
			t.Errorf("alarms %v", alarms)
		}
		w.receive(stranger)
		want(t, w.stands(i.ID), "paid 10")
		w.receive(moneyBack("evt_3", "charge.refunded", "pi_other", 4))
		want(t, w.stands(i.ID), "paid 6")
		w.verify()
	})
}

// A refund that failed is a person's matter; a part payment that went back is asked for again.
func TestReceiveStripe_WhatIsDueAgainIsAskedForAgain(t *testing.T) {
	storetest.EachTarget(t, func(t *testing.T, target store.Options) {
		target.Now, target.Stripe = storetest.NewClock(storetest.Start).Now, true
		db := storetest.Open(t, target)
		w := newWorld(t, db, "USD", "UTC")
		i := w.bill("USD", "10")
		w.session(i, "cs", money.FromInt(10))
		w.receive(completed("e1", "cs", "pi", money.FromInt(6), "USD"))
		jobs := func() int {
			list, err := db.Jobs(t.Context(), "", xyra.JobStripeCheckout, 0, 100)
			if err != nil {
				t.Fatal(err)
			}
			return len(list)
		}
		before := jobs()
		failed := moneyBack("e2", "refund.failed", "pi", 2)
		failed.Refund, failed.Status = "re_1", "failed"
		if alarms := w.receive(failed); len(alarms) != 1 || !strings.Contains(alarms[0], "re_1") || jobs() != before {
			t.Errorf("alarms %v, %d jobs after %d", alarms, jobs(), before)
		}
		want(t, w.stands(i.ID), "pending 6")
		w.receive(moneyBack("e3", "charge.dispute.created", "pi", 6))
		want(t, w.stands(i.ID), "pending 0")
		if jobs() != before+1 {
			t.Errorf("%d jobs after %d", jobs(), before)
		}
		w.mustRecord(i.ID, "4")
		won := moneyBack("e4", "charge.dispute.closed", "pi", 6)
		won.Status = "won"
		w.receive(won)
		want(t, w.stands(i.ID), "paid 10")
		w.verify()
	})
}
