package billing_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"testing"

	"xyra"
	"xyra/billing"
	"xyra/money"
	"xyra/store"
	"xyra/store/storetest"
)

// bill makes an invoice over so much.
func (w *world) bill(currency money.Currency, amount string) xyra.Invoice {
	w.t.Helper()
	i, err := w.create(rand.Reader, xyra.Invoice{Currency: currency, Lines: []xyra.Line{line(w.t, "1", amount, amount)}})
	if err != nil {
		w.t.Fatal(err)
	}
	return i
}

func (w *world) record(id xyra.InvoiceID, amount string) (r billing.Receipt, err error) {
	w.t.Helper()
	err = w.db.Tx(w.t.Context(), func(tx *store.Tx) error {
		r, err = billing.RecordPayment(w.t.Context(), tx, operator, id, billing.Received{Amount: dec(w.t, amount), Method: "wire"})
		return err
	})
	return r, err
}

func (w *world) mustRecord(id xyra.InvoiceID, amount string) billing.Receipt {
	w.t.Helper()
	r, err := w.record(id, amount)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// apply spends credit; "" is as much as possible.
func (w *world) apply(id xyra.InvoiceID, amount string) (r billing.Receipt, err error) {
	w.t.Helper()
	var exactly *money.Decimal
	if amount != "" {
		d := dec(w.t, amount)
		exactly = &d
	}
	err = w.db.Tx(w.t.Context(), func(tx *store.Tx) error {
		r, err = billing.ApplyCredit(w.t.Context(), tx, operator, id, exactly)
		return err
	})
	return r, err
}

// stands is an invoice's status, what settles it, and the organization's credit in each currency.
func (w *world) stands(id xyra.InvoiceID) string {
	w.t.Helper()
	i, err := w.db.InvoiceAnywhere(w.t.Context(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	settled, err := w.db.Settlement(w.t.Context(), w.org, id, i.Currency)
	if err != nil {
		w.t.Fatal(err)
	}
	text := fmt.Sprintf("%s %s", i.Status, settled.Applied.Plain())
	credits, err := w.db.Credits(w.t.Context(), w.org)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, c := range credits {
		text += fmt.Sprintf(", %s %s", c.Balance.Plain(), c.Currency)
	}
	return text
}

// book is an invoice's payment book as text.
func (w *world) book(id xyra.InvoiceID) string {
	w.t.Helper()
	rows, err := w.db.Payments(w.t.Context(), w.org, id, 0, 1000)
	if err != nil {
		w.t.Fatal(err)
	}
	var text []string
	for _, p := range rows {
		method := "-"
		if p.Method != nil {
			method = *p.Method
		}
		text = append(text, fmt.Sprintf("%s %s %s %s: applied %s, credited %s, by %s", p.Source, p.Kind, p.Amount.Plain(), method, p.Applied.Plain(), p.Credited.Plain(), p.RecordedBy))
	}
	return strings.Join(text, "\n")
}

// Parts settle an invoice one after the other; the last one pays it and what is too much stays as credit.
func TestRecordPayment_PartsSettleAndTheRestIsCredit(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		w := newWorld(t, db, "USD", "UTC")
		i := w.bill("USD", "10")
		w.mustRecord(i.ID, "3.50")
		want(t, w.stands(i.ID), "pending 3.5")
		if r := w.mustRecord(i.ID, "9"); r.Alarm != "" || r.Invoice.Status != xyra.InvoicePaid || *r.Invoice.PaymentMethod != "wire" {
			t.Errorf("%+v", r)
		}
		want(t, w.stands(i.ID), "paid 10, 2.5 USD")
		if r := w.mustRecord(i.ID, "1"); r.Alarm == "" {
			t.Error("money for a paid invoice raised no alarm")
		}
		want(t, w.stands(i.ID), "paid 10, 3.5 USD")
		want(t, w.book(i.ID), `manual payment 3.5 wire: applied 3.5, credited 0, by user:1
manual payment 9 wire: applied 6.5, credited 2.5, by user:1
manual payment 1 wire: applied 0, credited 1, by user:1`)

		second := w.bill("USD", "100")
		if _, err := w.apply(second.ID, ""); err != nil {
			t.Fatal(err)
		}
		want(t, w.stands(second.ID), "pending 3.5, 0 USD")
		w.cancel(second.ID)
		want(t, w.stands(second.ID), "cancelled 0, 3.5 USD")
		want(t, w.book(second.ID), `manual credit 3.5 credit: applied 3.5, credited -3.5, by user:1
manual release 3.5 -: applied -3.5, credited 3.5, by user:1`)
		third := w.bill("USD", "2")
		if r, err := w.apply(third.ID, "2"); err != nil || r.Invoice.Status != xyra.InvoicePaid || *r.Invoice.PaymentMethod != "credit" {
			t.Errorf("%v, %+v", err, r)
		}
		w.verify()
	})
}

// The contract's pay is one row over all that is still due; an invoice over nothing needs none.
func TestPay_RecordsAllThatIsDue(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		w := newWorld(t, db, "USD", "UTC")
		i := w.bill("USD", "10")
		w.mustRecord(i.ID, "4")
		if _, err := w.pay(i.ID, "card", nil); err != nil {
			t.Fatal(err)
		}
		paid := xyra.InvoicePaid
		byPut := w.bill("USD", "7")
		if _, err := w.update(byPut.ID, billing.Change{Status: &paid}); err != nil {
			t.Fatal(err)
		}
		free, negative := w.mustCreate(), w.bill("USD", "-5")
		for _, id := range []xyra.InvoiceID{free.ID, negative.ID} {
			if _, err := w.pay(id, "none", nil); err != nil {
				t.Fatal(err)
			}
			want(t, w.stands(id)+w.book(id), "paid 0")
		}
		want(t, w.book(i.ID), "manual payment 4 wire: applied 4, credited 0, by user:1\nmanual payment 6 card: applied 6, credited 0, by user:1")
		want(t, w.book(byPut.ID), "manual payment 7 -: applied 7, credited 0, by user:1")
		w.verify()
	})
}

// Each refusal, and that it changes nothing.
func TestPayments_Refusals(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		w := newWorld(t, db, "USD", "UTC")
		i, over := w.bill("USD", "10"), w.bill("USD", "1")
		w.mustRecord(over.ID, "3")
		for amount, text := range map[string]string{"0": "Amount must be greater than 0", "-1": "Amount must be greater than 0",
			"1.001": "Amount 1.001 has more decimal places than USD has"} {
			_, err := w.record(i.ID, amount)
			wantRefusal(t, err, xyra.CodeInvalid, text)
		}
		err := db.Tx(t.Context(), func(tx *store.Tx) error {
			_, err := billing.RecordPayment(t.Context(), tx, operator, i.ID, billing.Received{Amount: dec(t, "1"), Currency: "EUR"})
			return err
		})
		wantRefusal(t, err, xyra.CodeInvalid, "Invoice is in USD, not in EUR")
		_, err = w.record(999999, "1")
		wantRefusal(t, err, xyra.CodeNotFound, "Invoice not found")
		_, err = w.apply(i.ID, "2.5")
		wantRefusal(t, err, xyra.CodeInvalid, "Amount 2.5 exceeds the credit (2.0)")
		_, err = w.apply(i.ID, "11")
		wantRefusal(t, err, xyra.CodeInvalid, "Amount 11.0 exceeds the amount due (10.0)")
		_, err = w.apply(over.ID, "")
		wantRefusal(t, err, xyra.CodeInvalid, "Cannot apply credit to an invoice with status: paid")
		euros := w.bill("EUR", "10")
		_, err = w.apply(euros.ID, "")
		wantRefusal(t, err, xyra.CodeInvalid, "Nothing to apply: credit is 0.0, due is 10.0")
		err = db.Tx(t.Context(), func(tx *store.Tx) error {
			_, err := billing.RequestCheckout(t.Context(), tx, operator, i.ID)
			return err
		})
		wantRefusal(t, err, xyra.CodeInvalid, "Stripe is not configured")
		want(t, w.stands(i.ID), "pending 0, 2 USD")
		w.verify()
	})
}

// Two spenders of one credit cannot both have it.
func TestApplyCredit_ConcurrentSpendersShareWhatThereIs(t *testing.T) {
	storetest.EachTarget(t, func(t *testing.T, target store.Options) {
		target.Now = storetest.NewClock(storetest.Start).Now
		handles := []*store.DB{storetest.Open(t, target), storetest.Open(t, target)}
		w := newWorld(t, handles[0], "USD", "UTC")
		w.mustRecord(w.bill("USD", "1").ID, "6") // 5 of credit
		const spenders = 8
		spent := make(chan bool, spenders)
		for n := range spenders {
			i := w.bill("USD", "3")
			go func() {
				err := handles[n%2].Tx(context.WithoutCancel(t.Context()), func(tx *store.Tx) error {
					two := money.FromInt(2)
					_, err := billing.ApplyCredit(t.Context(), tx, operator, i.ID, &two)
					return err
				})
				spent <- err == nil
			}()
		}
		won := 0
		for range spenders {
			if <-spent {
				won++
			}
		}
		credits, err := handles[0].Credits(t.Context(), w.org)
		if err != nil || won != 2 || len(credits) != 1 || credits[0].Balance.Plain() != "1" {
			t.Errorf("%d won, left %v, %v", won, credits, err)
		}
		w.verify()
	})
}
