package billing_test

import (
	"testing"

	"xyra"
	"xyra/billing"
	"xyra/money"
	"xyra/store"
	"xyra/store/storetest"
)

// stripeStory is what Stripe tells of one invoice of 10: it is paid too much in one go, 3 go back, and 2 are disputed.
func stripeStory() []xyra.StripeEvent {
	return []xyra.StripeEvent{
		moneyBack("evt_early", "charge.refunded", "pi_1", 1),
		completed("evt_paid", "cs_1", "pi_1", money.FromInt(12), "USD"),
		moneyBack("evt_back", "charge.refunded", "pi_1", 3),
		moneyBack("evt_disputed", "charge.dispute.created", "pi_1", 2),
		moneyBack("evt_withdrawn", "charge.dispute.funds_withdrawn", "pi_1", 2),
	}
}

// Promise 12: a process that is killed at any statement of hearing what Stripe says has heard an event whole or not at all,
// and when Stripe says all of it again each event has counted once.
func TestReceiveStripe_KilledAtAnyStatementCountsOnce(t *testing.T) {
	if storetest.OnErrand(t, func(e *storetest.Envoy) {
		db := e.Open(nil)
		e.Begin()
		for _, event := range stripeStory() {
			err := db.Tx(t.Context(), func(tx *store.Tx) error {
				_, err := billing.ReceiveStripe(t.Context(), tx, xyra.Caller{}, event)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			e.Step("answer")
		}
	}) {
		return
	}
	storetest.EachTarget(t, func(t *testing.T, target store.Options) { storetest.EachDeath(t, target, 2, receiveKilled) })
}

func receiveKilled(t *testing.T, e storetest.Errand) storetest.Fate {
	target := store.Options{Path: e.Path, URL: e.URL, Stripe: true, Now: storetest.NewClock(storetest.Start).Now}
	w := newWorld(t, storetest.Open(t, target), "USD", "UTC")
	i := w.bill("USD", "10")
	w.session(i, "cs_1", i.Total())
	if err := w.db.Close(); err != nil {
		t.Fatal(err)
	}
	e.Stripe, e.Now = true, storetest.Start
	fate := storetest.Send(t, e).Wait()
	w.db = storetest.Open(t, target)
	w.verifyAll()
	for range 2 {
		for _, event := range stripeStory() {
			w.receive(event)
		}
	}
	want(t, w.stands(i.ID), "paid 7, 0 USD")
	want(t, w.book(i.ID), `
stripe payment 12 stripe: applied 10, credited 2, by system
stripe refund 1 stripe: applied 0, credited -1, by system
stripe refund 2 stripe: applied -1, credited -1, by system
stripe dispute 2 stripe: applied -2, credited 0, by system`)
	w.verifyAll()
	return fate
}
