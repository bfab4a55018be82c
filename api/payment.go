package api

import (
	"context"
	"net/http"
	"time"

	"xyra"
	"xyra/billing"
	"xyra/money"
	"xyra/store"
)

func (s *Server) paymentRoutes() []*route {
	const tag = "payments"
	return []*route{
		{method: http.MethodGet, path: "/invoices/{invoice_id}/payments", summary: "Read an invoice's payment book", tag: tag, rights: superusers, operation: endpoint(s.payments)},
		{method: http.MethodPost, path: "/invoices/{invoice_id}/payments", summary: "Record money that came in for an invoice", tag: tag, rights: superusers, operation: endpoint(s.recordPayment)},
		{method: http.MethodPost, path: "/invoices/{invoice_id}/credits", summary: "Settle an invoice with credit", tag: tag, rights: superusers, operation: endpoint(s.applyCredit)},
		{method: http.MethodPost, path: "/invoices/{invoice_id}/checkout", summary: "Ask for a page on which an invoice can be paid", tag: tag, rights: superusers, operation: endpoint(s.requestCheckout)},
		{method: http.MethodGet, path: "/organizations/{organization_id}/credits", summary: "Read an organization's unapplied money", tag: tag, rights: anyCaller, operation: endpoint(s.credits)},
	}
}

type paymentsIn struct {
	invoiceIn
	paging
}

func (in *paymentsIn) params() []param { return append(in.invoiceIn.params(), in.paging.params()...) }

type paymentOut struct {
	ID         xyra.PaymentID     `json:"id"`
	Invoice    xyra.InvoiceID     `json:"invoice_id"`
	Kind       xyra.PaymentKind   `json:"kind"`
	Source     xyra.PaymentSource `json:"source"`
	Amount     money.Decimal      `json:"amount"`
	Currency   money.Currency     `json:"currency"`
	Applied    money.Decimal      `json:"applied"`
	Credited   money.Decimal      `json:"credited"`
	Method     *string            `json:"payment_method"`
	Reference  *string            `json:"reference"`
	At         instant            `json:"payment_date"`
	RecordedBy string             `json:"recorded_by"`
	CreatedAt  instant            `json:"created_at"`
}

func newPaymentOut(p xyra.Payment) paymentOut {
	return paymentOut{ID: p.ID, Invoice: p.Invoice, Kind: p.Kind, Source: p.Source, Amount: p.Amount, Currency: p.Currency, Applied: p.Applied,
		Credited: p.Credited, Method: p.Method, Reference: p.Reference, At: instant(p.At), RecordedBy: p.RecordedBy, CreatedAt: instant(p.CreatedAt)}
}

// paymentsOut says how an invoice stands, and why.
type paymentsOut struct {
	Invoice  xyra.InvoiceID     `json:"invoice_id"`
	Status   xyra.InvoiceStatus `json:"status"`
	Currency money.Currency     `json:"currency"`
	Total    money.Decimal      `json:"total_amount"`
	Paid     money.Decimal      `json:"paid_amount"`
	Due      money.Decimal      `json:"due_amount"`
	Payments []paymentOut       `json:"payments"`
}

func (s *Server) payments(c *call, in *paymentsIn) (out paymentsOut, err error) {
	err = s.db.Snapshot(c.context(), func(r store.Reader) error {
		i, err := r.InvoiceAnywhere(c.context(), in.ID)
		if err != nil {
			return err
		}
		settled, err := r.Settlement(c.context(), i.Organization, i.ID, i.Currency)
		if err != nil {
			return err
		}
		list, err := r.Payments(c.context(), i.Organization, i.ID, in.Skip, in.Limit)
		out = paymentsOut{i.ID, i.Status, i.Currency, i.Total(), settled.Applied, i.Due(settled.Applied), shownAll(list, newPaymentOut)}
		return err
	})
	return out, err
}

type recordPaymentIn struct {
	invoiceIn
	Amount    money.Decimal
	Currency  money.Currency
	Method    string
	Date      *time.Time
	Reference *string
}

func (in *recordPaymentIn) fields() []field {
	return []field{
		decimal("amount", &in.Amount).required().explained("Greater than 0. What is beyond the amount due becomes credit."),
		currencyCode("currency", &in.Currency).explained("The invoice's, if given."),
		text("payment_method", &in.Method).required().max(255),
		moment("payment_date", &in.Date).explained("Now if null or not given."),
		text("reference", &in.Reference).max(255).explained("The payer's or the bank's text."),
	}
}

// paidOut is a new row of the book and how the invoice stands with it.
type paidOut struct {
	paymentOut
	Status xyra.InvoiceStatus `json:"invoice_status"`
}

func (s *Server) recordPayment(c *call, in *recordPaymentIn) (paidOut, error) {
	return s.pay(c, func(ctx context.Context, tx *store.Tx) (billing.Receipt, error) {
		return billing.RecordPayment(ctx, tx, c.caller, in.ID, billing.Received{Amount: in.Amount, Currency: in.Currency, Method: in.Method,
			Reference: in.Reference, Date: in.Date})
	})
}

// pay writes what becomes of money, and logs what is odd about it once it is written.
func (s *Server) pay(c *call, f func(context.Context, *store.Tx) (billing.Receipt, error)) (paidOut, error) {
	var alarms []string
	out, err := write(c, func(ctx context.Context, tx *store.Tx) (paidOut, error) {
		receipt, err := f(ctx, tx)
		alarms = nil
		if receipt.Alarm != "" {
			alarms = []string{receipt.Alarm}
		}
		return paidOut{newPaymentOut(receipt.Payment), receipt.Invoice.Status}, err
	})
	if err == nil {
		s.raise(c, alarms)
	}
	return out, err
}

type applyCreditIn struct {
	invoiceIn
	Amount *money.Decimal
}

func (in *applyCreditIn) fields() []field {
	return []field{decimal("amount", &in.Amount).explained("As much as there is and is due, if null or not given.")}
}

func (s *Server) applyCredit(c *call, in *applyCreditIn) (paidOut, error) {
	return s.pay(c, func(ctx context.Context, tx *store.Tx) (billing.Receipt, error) {
		return billing.ApplyCredit(ctx, tx, c.caller, in.ID, in.Amount)
	})
}

// checkoutOut has the page when it is open, and nulls while it is being made.
type checkoutOut struct {
	Status    string         `json:"status"`
	Invoice   xyra.InvoiceID `json:"invoice_id"`
	Session   *string        `json:"stripe_checkout_session_id"`
	Link      *string        `json:"stripe_payment_link"`
	ExpiresAt *instant       `json:"expires_at"`
}

func (s *Server) requestCheckout(c *call, in *invoiceIn) (checkoutOut, error) {
	return write(c, func(ctx context.Context, tx *store.Tx) (checkoutOut, error) {
		session, err := billing.RequestCheckout(ctx, tx, c.caller, in.ID)
		if err != nil || session.ID == "" {
			return checkoutOut{Status: "requested", Invoice: in.ID}, err
		}
		return checkoutOut{string(session.Status), in.ID, &session.ID, &session.Link, instantOrNil(&session.ExpiresAt)}, nil
	})
}

type creditOut struct {
	Currency money.Currency `json:"currency"`
	Balance  money.Decimal  `json:"balance"`
}

func (s *Server) credits(c *call, in *organizationIn) ([]creditOut, error) {
	if !c.caller.Reaches(in.Organization) {
		return nil, xyra.NotFound("Organization")
	}
	if _, err := c.db().Organization(c.context(), in.Organization); err != nil {
		return nil, err
	}
	list, err := c.db().Credits(c.context(), in.Organization)
	return shownAll(list, func(credit xyra.Credit) creditOut { return creditOut{credit.Currency, credit.Balance} }), err
}
