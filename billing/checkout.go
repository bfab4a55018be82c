package billing

import (
	"context"
	"fmt"
	"strings"

	"xyra"
	"xyra/money"
	"xyra/store"
)

// RequestCheckout returns the page on which an invoice is paid. If none is open for what is due now, one is promised: the
// session is then empty, and the invoice has it soon.
func RequestCheckout(ctx context.Context, tx *store.Tx, caller xyra.Caller, id xyra.InvoiceID) (xyra.CheckoutSession, error) {
	none := xyra.CheckoutSession{}
	i, err := tx.InvoiceLocked(ctx, id)
	if err != nil {
		return none, err
	}
	if !tx.Stripe {
		return none, xyra.Invalid("Stripe is not configured")
	}
	if i.Final() {
		return none, xyra.Invalid("Cannot check out an invoice with status: %s", i.Status)
	}
	settled, err := tx.Settlement(ctx, i.Organization, i.ID, i.Currency)
	if err != nil {
		return none, err
	}
	due := i.Due(settled.Applied)
	charge := xyra.StripeCharge(i.Currency, due)
	if charge.Sign() <= 0 {
		return none, xyra.Invalid("Nothing is due that Stripe could charge: %s", due)
	}
	sessions, err := tx.CheckoutSessions(ctx, i.Organization, i.ID)
	if err != nil {
		return none, err
	}
	for _, s := range sessions {
		if s.Status == xyra.CheckoutProcessing {
			return none, xyra.Conflict("A payment of this invoice is being processed")
		}
		if s.Pays(charge, tx.Now) {
			return s, nil
		}
	}
	seal(tx, caller, "invoice.checkout", i, nil)
	return none, tx.InsertStripeJob(ctx, xyra.StripeCheckoutJob(i.Organization, i.ID))
}

// AddCheckout writes a session that Stripe has made. It is the invoice's page unless the invoice has become final in the
// meantime: then it is only remembered, for money that may still come by it.
func AddCheckout(ctx context.Context, tx *store.Tx, caller xyra.Caller, s xyra.CheckoutSession) error {
	i, err := tx.InvoiceLocked(ctx, s.Invoice)
	if err != nil {
		return err
	}
	if err := tx.InsertCheckoutSession(ctx, s); err != nil || i.Final() {
		return err
	}
	// Its end may have been told before its beginning was written.
	kept, err := tx.CheckoutSession(ctx, s.ID)
	if err == nil && kept.Invoice != s.Invoice {
		err = fmt.Errorf("session %s of invoice %d is invoice %d's already", s.ID, s.Invoice, kept.Invoice)
	}
	if err != nil || kept.Status != xyra.CheckoutOpen {
		return err
	}
	if i, err = tx.UpdateInvoiceCheckout(ctx, i, &s.ID, &s.Link); err != nil {
		return err
	}
	seal(tx, caller, "invoice.checkout", i, map[string]string{"session": s.ID})
	return nil
}

// RefuseCheckout notes on the invoice that Stripe will not make a page for it, and why: nothing is tried again until what is
// due changes or a person asks.
func RefuseCheckout(tx *store.Tx, caller xyra.Caller, i xyra.Invoice, why string) {
	audit(tx, caller, "invoice.checkout_refused", i, map[string]string{"reason": why})
}

// ReceiveStripe does what an event says, once for ever, in whatever order events come. What is not known here has no
// effect. The texts are what a person should look at.
func ReceiveStripe(ctx context.Context, tx *store.Tx, caller xyra.Caller, e xyra.StripeEvent) (alarms []string, err error) {
	act := eventAction(e)
	if act == nil {
		return nil, nil
	}
	// Of a payment and what is said about it later, the second waits for the first to be written.
	if e.Intent != "" {
		if err := tx.LockName(ctx, "stripe payment", e.Intent); err != nil {
			return nil, err
		}
	}
	if e.Session != "" {
		known, found, err := knowSession(ctx, tx, caller, e)
		if err != nil || !known {
			return nil, err
		}
		alarms = found
	}
	if e.ID != "" {
		first, err := tx.InsertStripeEvent(ctx, e.ID, e.Type)
		if err != nil || !first {
			return nil, err
		}
	}
	more, err := act(ctx, tx, caller, e)
	return append(alarms, more...), err
}

// knowSession tells whether a session is of this installation: an account has other uses too, which leave nothing here.
// One that names an invoice of ours was made by us and forgotten, by a database that was restored; it is remembered again.
func knowSession(ctx context.Context, tx *store.Tx, caller xyra.Caller, e xyra.StripeEvent) (known bool, alarms []string, err error) {
	_, err = tx.CheckoutSession(ctx, e.Session)
	if !xyra.HasCode(err, xyra.CodeNotFound) {
		return err == nil, nil, err
	}
	i, err := tx.InvoiceLocked(ctx, e.Invoice)
	if xyra.HasCode(err, xyra.CodeNotFound) || err == nil && (i.Number != e.InvoiceNumber || e.Amount == nil) {
		return false, nil, nil
	}
	if err != nil {
		return false, nil, err
	}
	err = tx.InsertCheckoutSession(ctx, xyra.CheckoutSession{ID: e.Session, Organization: i.Organization, Invoice: i.ID, Status: xyra.CheckoutOpen,
		Amount: *e.Amount, ExpiresAt: tx.Now})
	return true, alarm(tx, caller, i, "session "+e.Session+" of this invoice was not known here: was the database restored?"), err
}

type action func(context.Context, *store.Tx, xyra.Caller, xyra.StripeEvent) ([]string, error)

// eventAction chooses by the event's type; nil is nothing to do.
func eventAction(e xyra.StripeEvent) action {
	switch {
	case e.Session != "" && (e.Type == "checkout.session.completed" || e.Type == "checkout.session.async_payment_succeeded"):
		return checkoutDone
	case e.Session != "" && e.Type == "checkout.session.async_payment_failed":
		return checkoutEnded(xyra.CheckoutFailed)
	case e.Session != "" && e.Type == "checkout.session.expired":
		return checkoutEnded(xyra.CheckoutExpired)
	case e.Intent != "" && e.Charge != "" && e.Type == "charge.refunded":
		return moneyBack
	case e.Intent != "" && e.Dispute != "" && strings.HasPrefix(e.Type, "charge.dispute."):
		return moneyBack
	case e.Intent != "" && e.Refund != "" && e.Status == "failed": // refund.failed and refund.updated, or charge.refund.updated
		return moneyBack
	}
	return nil
}

// checkoutDone takes the money of a session that is paid, and remembers one whose money is still on its way.
func checkoutDone(ctx context.Context, tx *store.Tx, caller xyra.Caller, e xyra.StripeEvent) ([]string, error) {
	i, s, err := sessionLocked(ctx, tx, e.Session)
	if err != nil || s.ID == "" {
		return nil, err
	}
	paidNow := e.Status == "" || e.Status == "paid" || e.Status == "no_payment_required"
	if e.Intent != "" {
		s.Intent = &e.Intent
	}
	wanted := xyra.CheckoutProcessing
	if paidNow {
		wanted = xyra.CheckoutComplete
	}
	if s.Status.May(wanted) {
		s.Status = wanted
	}
	if err := tx.UpdateCheckoutSession(ctx, s); err != nil || !paidNow {
		return nil, err
	}
	_, err = tx.StripePayment(ctx, i.Organization, xyra.PaymentReceived, s.ID)
	if !xyra.HasCode(err, xyra.CodeNotFound) {
		return nil, err // paid already, or a fault
	}
	alarms, err := takeCheckout(ctx, tx, caller, i, s, e)
	if err != nil || e.Intent == "" {
		return alarms, err
	}
	waiting, err := tx.UpdateStripeEventsReleased(ctx, e.Intent)
	if err != nil {
		return nil, err
	}
	for _, w := range waiting {
		more, err := moneyBack(ctx, tx, caller, w)
		if err != nil {
			return nil, err
		}
		alarms = append(alarms, more...)
	}
	return alarms, nil
}

// sessionLocked reads a session and its invoice, both as they stay until the transaction ends; an unknown session has no
// id.
func sessionLocked(ctx context.Context, tx *store.Tx, id string) (i xyra.Invoice, s xyra.CheckoutSession, err error) {
	s, err = tx.CheckoutSession(ctx, id)
	if xyra.HasCode(err, xyra.CodeNotFound) {
		return i, xyra.CheckoutSession{}, nil
	}
	if err != nil {
		return i, s, err
	}
	if i, err = tx.InvoiceLocked(ctx, s.Invoice); err != nil {
		return i, s, err
	}
	s, err = tx.CheckoutSession(ctx, id) // again: it may have changed before the lock was ours
	return i, s, err
}

// takeCheckout writes the money of a session into the book. An event that names no amount stands for all that is due.
func takeCheckout(ctx context.Context, tx *store.Tx, caller xyra.Caller, i xyra.Invoice, s xyra.CheckoutSession, e xyra.StripeEvent) ([]string, error) {
	if e.AmountUnknown {
		return alarm(tx, caller, i, "session "+s.ID+" was paid with an amount that cannot be read"), nil
	}
	method := "stripe"
	p := xyra.Payment{Source: xyra.PaymentStripe, Currency: i.Currency, Method: &method, Reference: &s.ID, At: tx.Now}
	if e.Amount != nil {
		p.Amount = *e.Amount
		if e.Currency != "" {
			p.Currency = e.Currency
		}
	} else {
		settled, err := tx.Settlement(ctx, i.Organization, i.ID, i.Currency)
		if err != nil {
			return nil, err
		}
		p.Amount = i.Due(settled.Applied)
		if i.Final() {
			p.Amount = s.Amount
		}
	}
	if p.Amount.Sign() <= 0 && (e.Amount != nil || i.Final()) {
		return alarm(tx, caller, i, "session "+s.ID+" was completed without money, and the invoice is "+string(i.Status)), nil
	}
	r, err := receive(ctx, tx, caller, i, p)
	if err != nil || r.Alarm == "" {
		return nil, err
	}
	return []string{r.Alarm}, nil
}

// alarm keeps a text in the audit log and returns it for the other one.
func alarm(tx *store.Tx, caller xyra.Caller, i xyra.Invoice, reason string) []string {
	audit(tx, caller, "payment.alarm", i, map[string]string{"reason": reason})
	return []string{reason}
}

// checkoutEnded makes the action for sessions that can no longer be paid; their link leads nowhere.
func checkoutEnded(as xyra.CheckoutStatus) action {
	return func(ctx context.Context, tx *store.Tx, caller xyra.Caller, e xyra.StripeEvent) ([]string, error) {
		i, s, err := sessionLocked(ctx, tx, e.Session)
		if err != nil || s.ID == "" || !s.Status.May(as) {
			return nil, err
		}
		s.Status = as
		if err := tx.UpdateCheckoutSession(ctx, s); err != nil {
			return nil, err
		}
		if current := i.Stripe.CheckoutSession; !i.Final() && current != nil && *current == s.ID {
			if i, err = tx.UpdateInvoiceCheckout(ctx, i, current, nil); err != nil {
				return nil, err
			}
			seal(tx, caller, "invoice.checkout", i, map[string]string{"session": s.ID, "session_status": string(as)})
		}
		return nil, nil
	}
}

// moneyBack records what a refund or a dispute took of a payment. One that comes before its payment waits for it.
func moneyBack(ctx context.Context, tx *store.Tx, caller xyra.Caller, e xyra.StripeEvent) ([]string, error) {
	s, err := tx.CheckoutSessionByIntent(ctx, e.Intent)
	if xyra.HasCode(err, xyra.CodeNotFound) {
		return nil, tx.UpdateStripeEventWaiting(ctx, e)
	}
	if err != nil {
		return nil, err
	}
	i, err := tx.InvoiceLocked(ctx, s.Invoice)
	if err != nil {
		return nil, err
	}
	payment, err := tx.StripePayment(ctx, i.Organization, xyra.PaymentReceived, s.ID)
	if xyra.HasCode(err, xyra.CodeNotFound) {
		return nil, tx.UpdateStripeEventWaiting(ctx, e)
	}
	if err != nil {
		return nil, err
	}
	if e.AmountUnknown || e.Amount == nil || e.Currency != payment.Currency {
		return alarm(tx, caller, i, e.Type+" with an amount that does not fit the payment"), nil
	}
	if e.Dispute != "" {
		return disputed(ctx, tx, caller, i, e)
	}
	if e.Refund != "" {
		// What Stripe says of the charge from now on cannot be told apart from what it said before: a person has to count.
		return alarm(tx, caller, i, "refund "+e.Refund+" of "+e.Amount.String()+" has failed and the money is back: write it, and further refunds, by hand"), nil
	}
	known, err := tx.Refunded(ctx, i.Organization, i.ID, e.Charge)
	if err != nil {
		return nil, err
	}
	// The event says what has been refunded in all, so that of several the order does not matter.
	more := e.Amount.Sub(known)
	if more.Sign() <= 0 {
		return nil, nil
	}
	_, err = giveBack(ctx, tx, caller, i, xyra.PaymentRefund, e.Charge, e.Currency, more)
	return nil, err
}

// disputed records that a bank took money back, and that it returned it. An inquiry has taken nothing yet, and a dispute that
// was prevented takes nothing: the refund that prevented it is told on its own.
func disputed(ctx context.Context, tx *store.Tx, caller xyra.Caller, i xyra.Invoice, e xyra.StripeEvent) (alarms []string, err error) {
	returned := e.Type == "charge.dispute.funds_reinstated" || e.Status == "won"
	taken := returned || e.Type == "charge.dispute.funds_withdrawn" || !strings.HasPrefix(e.Status, "warning_") && e.Status != "prevented"
	if !taken {
		return alarm(tx, caller, i, "a bank inquires about a payment: dispute "+e.Dispute+" is "+e.Status), nil
	}
	dispute, err := tx.StripePayment(ctx, i.Organization, xyra.PaymentDispute, e.Dispute)
	if xyra.HasCode(err, xyra.CodeNotFound) {
		alarms = alarm(tx, caller, i, "a payment is disputed: "+e.Dispute)
		dispute, err = giveBack(ctx, tx, caller, i, xyra.PaymentDispute, e.Dispute, e.Currency, *e.Amount)
	}
	if err != nil || !returned {
		return alarms, err
	}
	_, err = tx.StripePayment(ctx, i.Organization, xyra.PaymentDisputeWon, e.Dispute)
	if !xyra.HasCode(err, xyra.CodeNotFound) {
		return alarms, err
	}
	return alarms, restore(ctx, tx, caller, i, dispute)
}

// restore writes money that a bank returns, and pays the invoice if that settles it.
func restore(ctx context.Context, tx *store.Tx, caller xyra.Caller, i xyra.Invoice, p xyra.Payment) error {
	settled, err := tx.Settlement(ctx, i.Organization, i.ID, p.Currency)
	if err != nil {
		return err
	}
	p.Kind, p.At = xyra.PaymentDisputeWon, tx.Now
	p.Applied, p.Credited = i.Restore(settled.Applied, p.Amount, p.Currency)
	if _, err = insert(ctx, tx, caller, i, p); err == nil {
		_, err = settle(ctx, tx, caller, i, p, i.Due(settled.Applied.Add(p.Applied)))
	}
	return err
}

// giveBack writes money that went back: out of credit that this invoice's money had become, then out of the invoice.
func giveBack(ctx context.Context, tx *store.Tx, caller xyra.Caller, i xyra.Invoice, kind xyra.PaymentKind, reference string, currency money.Currency, amount money.Decimal) (xyra.Payment, error) {
	settled, err := tx.Settlement(ctx, i.Organization, i.ID, currency)
	if err != nil {
		return xyra.Payment{}, err
	}
	balance, err := tx.CreditLocked(ctx, i.Organization, currency)
	if err != nil {
		return xyra.Payment{}, err
	}
	method := "stripe"
	p := xyra.Payment{Kind: kind, Source: xyra.PaymentStripe, Currency: currency, Amount: amount, Method: &method, Reference: &reference}
	p.Applied, p.Credited = settled.GiveBack(amount, balance)
	p, err = insert(ctx, tx, caller, i, p)
	if err != nil || i.Final() {
		return p, err
	}
	return p, tx.InsertStripeJob(ctx, xyra.StripeCheckoutJob(i.Organization, i.ID)) // more is due than its page asks for
}
