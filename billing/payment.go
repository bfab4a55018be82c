package billing

import (
	"context"
	"encoding/json"
	"time"

	"xyra"
	"xyra/money"
	"xyra/store"
)

// Receipt is what became of money that came in.
type Receipt struct {
	Payment xyra.Payment
	Invoice xyra.Invoice // without lines, as it is afterwards
	Alarm   string       // what a person should look at; "" nothing
}

// Received is money that somebody has seen coming in. A nil date is now; an empty currency is the invoice's.
type Received struct {
	Amount    money.Decimal
	Currency  money.Currency
	Method    string
	Reference *string
	Date      *time.Time
}

// RecordPayment writes money into an invoice's book. What settles the invoice pays it; what is beyond that, and all that
// comes for an invoice that is paid or cancelled, is kept as the organization's credit.
func RecordPayment(ctx context.Context, tx *store.Tx, caller xyra.Caller, id xyra.InvoiceID, r Received) (Receipt, error) {
	invoice, err := tx.InvoiceLocked(ctx, id)
	if err != nil {
		return Receipt{}, err
	}
	if err := checkAmount(invoice, r.Amount, r.Currency); err != nil {
		return Receipt{}, err
	}
	if r.Date == nil {
		r.Date = &tx.Now
	}
	return receive(ctx, tx, caller, invoice, xyra.Payment{Source: xyra.PaymentManual, Currency: invoice.Currency, Amount: r.Amount,
		Method: &r.Method, Reference: r.Reference, At: *r.Date})
}

// checkAmount refuses what cannot be an amount of the invoice's currency.
func checkAmount(i xyra.Invoice, amount money.Decimal, currency money.Currency) error {
	if currency != "" && currency != i.Currency {
		return xyra.Invalid("Invoice is in %s, not in %s", i.Currency, currency)
	}
	if amount.Sign() <= 0 {
		return xyra.Invalid("Amount must be greater than 0")
	}
	if !i.Currency.Round(amount).Equal(amount) {
		return xyra.Invalid("Amount %s has more decimal places than %s has", amount, i.Currency)
	}
	return nil
}

// receive divides the money p between the locked invoice and credit, and pays the invoice if that settles it.
func receive(ctx context.Context, tx *store.Tx, caller xyra.Caller, i xyra.Invoice, p xyra.Payment) (r Receipt, err error) {
	settled, err := tx.Settlement(ctx, i.Organization, i.ID, i.Currency)
	if err != nil {
		return r, err
	}
	due := i.Due(settled.Applied)
	p.Kind = xyra.PaymentReceived
	whole := false // Stripe charged what it was asked for, which may differ from what is due by less than it can charge
	switch {
	case p.Currency != i.Currency:
		p.Credited, r.Alarm = p.Amount, "paid in another currency than the invoice's: kept as credit"
	case i.Final():
		p.Credited, r.Alarm = p.Amount, "paid although the invoice is "+string(i.Status)+": kept as credit"
	case p.Source == xyra.PaymentStripe && p.Amount.Equal(xyra.StripeCharge(p.Currency, due)):
		p.Applied, whole = p.Amount, true
	default:
		p.Applied, p.Credited = xyra.Receive(p.Amount, due)
		if p.Source == xyra.PaymentStripe {
			r.Alarm = "paid " + p.Amount.String() + " where " + due.String() + " was due"
		}
	}
	if r.Payment, err = insert(ctx, tx, caller, i, p); err != nil {
		return r, err
	}
	rest := due.Sub(p.Applied)
	if whole && !rest.IsZero() {
		if err := roundAway(ctx, tx, caller, i, p, rest); err != nil {
			return r, err
		}
		rest = money.Decimal{}
	}
	r.Invoice, err = settle(ctx, tx, caller, i, p, rest)
	r.note(tx, caller)
	return r, err
}

// roundAway closes the difference between what is due and what Stripe can charge.
func roundAway(ctx context.Context, tx *store.Tx, caller xyra.Caller, i xyra.Invoice, p xyra.Payment, rest money.Decimal) error {
	p.Kind, p.Amount, p.Applied, p.Credited = xyra.PaymentRounding, rest.Abs(), rest, money.Decimal{}
	_, err := insert(ctx, tx, caller, i, p)
	return err
}

// settle pays the invoice when nothing is left to pay; otherwise Stripe is told to ask for the rest alone.
func settle(ctx context.Context, tx *store.Tx, caller xyra.Caller, i xyra.Invoice, p xyra.Payment, rest money.Decimal) (xyra.Invoice, error) {
	if i.Final() || p.Currency != i.Currency {
		return i, nil
	}
	if rest.Sign() > 0 {
		return i, tx.InsertStripeJob(ctx, xyra.StripeCheckoutJob(i.Organization, i.ID))
	}
	method := ""
	if p.Method != nil {
		method = *p.Method
	}
	i, err := move(ctx, tx, caller, "invoice.pay", paid(i, method, &p.At, tx.Now))
	if err != nil {
		return i, err
	}
	return i, closeCheckout(ctx, tx, i)
}

// note writes the alarm where it stays.
func (r Receipt) note(tx *store.Tx, caller xyra.Caller) {
	if r.Alarm != "" {
		audit(tx, caller, "payment.alarm", r.Invoice, map[string]string{"reason": r.Alarm, "amount": r.Payment.Amount.String(), "paid_in": string(r.Payment.Currency)})
	}
}

// insert completes a row of the invoice's book and adds it.
func insert(ctx context.Context, tx *store.Tx, caller xyra.Caller, i xyra.Invoice, p xyra.Payment) (xyra.Payment, error) {
	p.Organization, p.Invoice, p.RecordedBy = i.Organization, i.ID, caller.Name()
	if p.At.IsZero() {
		p.At = tx.Now
	}
	p, err := tx.InsertPayment(ctx, p)
	if err != nil {
		return p, err
	}
	text, _ := json.Marshal(map[string]string{"kind": string(p.Kind), "source": string(p.Source), "amount": p.Amount.String(),
		"currency": string(p.Currency), "applied": p.Applied.String(), "credited": p.Credited.String()}) // texts always marshal
	tx.Audit(caller, xyra.AuditEntry{Organization: p.Organization, Action: "payment.record", ObjectID: int64(p.ID), Detail: text, Seal: store.PaymentSeal(p)})
	if n, owed := p.CreditNotice(i); owed {
		tx.Announce(n)
	}
	return p, nil
}

// ApplyCredit settles an open invoice, or a part of it, with the organization's unapplied credit. A nil amount is as much
// as there is and as is due.
func ApplyCredit(ctx context.Context, tx *store.Tx, caller xyra.Caller, id xyra.InvoiceID, amount *money.Decimal) (Receipt, error) {
	i, err := tx.InvoiceLocked(ctx, id)
	if err != nil {
		return Receipt{}, err
	}
	if i.Final() {
		return Receipt{}, xyra.Invalid("Cannot apply credit to an invoice with status: %s", i.Status)
	}
	settled, err := tx.Settlement(ctx, i.Organization, i.ID, i.Currency)
	if err != nil {
		return Receipt{}, err
	}
	balance, err := tx.CreditLocked(ctx, i.Organization, i.Currency)
	if err != nil {
		return Receipt{}, err
	}
	due := i.Due(settled.Applied)
	if amount == nil {
		most := due
		if balance.Cmp(due) < 0 {
			most = balance
		}
		amount = &most
		if most.Sign() <= 0 {
			return Receipt{}, xyra.Invalid("Nothing to apply: credit is %s, due is %s", balance, due)
		}
	}
	if err := checkAmount(i, *amount, ""); err != nil {
		return Receipt{}, err
	}
	if amount.Cmp(due) > 0 {
		return Receipt{}, xyra.Invalid("Amount %s exceeds the amount due (%s)", *amount, due)
	}
	if amount.Cmp(balance) > 0 {
		return Receipt{}, xyra.Invalid("Amount %s exceeds the credit (%s)", *amount, balance)
	}
	method := "credit"
	p, err := insert(ctx, tx, caller, i, xyra.Payment{Kind: xyra.PaymentCredit, Source: xyra.PaymentManual, Currency: i.Currency,
		Amount: *amount, Applied: *amount, Credited: amount.Neg(), Method: &method})
	if err != nil {
		return Receipt{}, err
	}
	i, err = settle(ctx, tx, caller, i, p, due.Sub(*amount))
	return Receipt{Payment: p, Invoice: i}, err
}

// finish brings the book of an invoice to its end: a paid one is paid whole, what settled a cancelled one becomes credit.
func finish(ctx context.Context, tx *store.Tx, caller xyra.Caller, i xyra.Invoice) error {
	settled, err := tx.Settlement(ctx, i.Organization, i.ID, i.Currency)
	if err != nil {
		return err
	}
	row := xyra.Payment{Source: xyra.PaymentManual, Currency: i.Currency}
	rest := i.Total().Sub(settled.Applied)
	switch {
	case i.Status == xyra.InvoicePaid && rest.Sign() > 0:
		row.Kind, row.Amount, row.Applied, row.Method = xyra.PaymentReceived, rest, rest, i.PaymentMethod
		row.At = *i.PaymentDate
	case i.Status == xyra.InvoiceCancelled && settled.Applied.Sign() > 0:
		row.Kind, row.Amount, row.Applied, row.Credited = xyra.PaymentRelease, settled.Applied, settled.Applied.Neg(), settled.Applied
	default:
		return closeCheckout(ctx, tx, i)
	}
	if _, err := insert(ctx, tx, caller, i, row); err != nil {
		return err
	}
	return closeCheckout(ctx, tx, i)
}

// closeCheckout has Stripe's page for a final invoice closed, if there is one. A page that is being made right now is
// closed by whoever makes it.
func closeCheckout(ctx context.Context, tx *store.Tx, i xyra.Invoice) error {
	if i.Stripe.CheckoutSession == nil {
		return nil
	}
	return tx.InsertStripeJob(ctx, xyra.StripeCheckoutJob(i.Organization, i.ID))
}

// openCheckout has a page made on which a new invoice can be paid.
func openCheckout(ctx context.Context, tx *store.Tx, i xyra.Invoice) error {
	if i.Total().Sign() <= 0 {
		return nil
	}
	return tx.InsertStripeJob(ctx, xyra.StripeCheckoutJob(i.Organization, i.ID))
}
