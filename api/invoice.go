package api

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"xyra"
	"xyra/billing"
	"xyra/money"
	"xyra/store"
)

func (s *Server) invoiceRoutes() []*route {
	return []*route{
		{method: http.MethodGet, path: "/invoices/", summary: "List an organization's invoices, newest first", tag: "invoices", rights: anyCaller, operation: endpoint(s.listInvoices)},
		{method: http.MethodPost, path: "/invoices/", summary: "Write an invoice by hand", tag: "invoices", rights: superusers, operation: endpoint(s.createInvoice)},
		{method: http.MethodPost, path: "/invoices/generate/monthly", summary: "Generate the invoice of a month", tag: "invoices", rights: superusers, operation: endpoint(s.generateInvoice)},
		{method: http.MethodGet, path: "/invoices/preview/monthly", summary: "Preview the invoice of a month, over or not", tag: "invoices", rights: anyCaller, operation: endpoint(s.previewInvoice)},
		{method: http.MethodGet, path: "/invoices/preview/monthly/pdf", summary: "Preview the invoice of a month as PDF", tag: "invoices", rights: anyCaller, operation: endpoint(s.previewPDF)},
		{method: http.MethodGet, path: "/invoices/preview/monthly/html", summary: "Preview the invoice of a month as a page to print", tag: "invoices", rights: anyCaller, operation: endpoint(s.previewHTML)},
		{method: http.MethodGet, path: "/invoices/preview/monthly/lines.csv", summary: "Preview the invoice lines of a month as CSV", tag: "invoices", rights: anyCaller, operation: endpoint(s.previewLines)},
		{method: http.MethodPost, path: "/invoices/stripe/webhook", summary: "Receive Stripe's events", tag: "invoices", rights: everyone, operation: endpoint(s.stripeWebhook)},
		{method: http.MethodGet, path: "/invoices/{invoice_id}", summary: "Read an invoice with its lines", tag: "invoices", rights: anyCaller, operation: endpoint(s.readInvoice)},
		{method: http.MethodPut, path: "/invoices/{invoice_id}", summary: "Change status, payment, notes or metadata", tag: "invoices", rights: superusers, operation: endpoint(s.updateInvoice)},
		{method: http.MethodPost, path: "/invoices/{invoice_id}/cancel", summary: "Cancel an invoice and release its usage", tag: "invoices", rights: superusers, operation: endpoint(s.cancelInvoice)},
		{method: http.MethodPost, path: "/invoices/{invoice_id}/pay", summary: "Record that an invoice was paid", tag: "invoices", rights: superusers, operation: endpoint(s.payInvoice)},
		{method: http.MethodGet, path: "/invoices/{invoice_id}/pdf", summary: "Read an invoice as PDF", tag: "invoices", rights: anyCaller, operation: endpoint(s.invoicePDF)},
		{method: http.MethodGet, path: "/invoices/{invoice_id}/html", summary: "Read an invoice as a page to print", tag: "invoices", rights: anyCaller, operation: endpoint(s.invoiceHTML)},
		{method: http.MethodGet, path: "/invoices/{invoice_id}/lines.csv", summary: "Read an invoice's lines as CSV", tag: "invoices", rights: anyCaller, operation: endpoint(s.invoiceLines)},
		{method: http.MethodPost, path: "/invoices/{invoice_id}/mail", summary: "Send an invoice to its customer by e-mail", tag: "invoices", rights: superusers, operation: endpoint(s.mailInvoice)},
	}
}

type invoiceListIn struct {
	Organization int64
	Status       string
	paging
}

func (in *invoiceListIn) params() []param {
	return append([]param{
		queryID("org_id", &in.Organization).required(),
		queryText("status", &in.Status).explained("Only invoices of this status; all if empty."),
	}, in.paging.params()...)
}

type invoiceCreateIn struct {
	Organization xyra.OrganizationID
	DueDate      time.Time
	Items        []lineIn
	Notes        *string
	Metadata     json.RawMessage
	Number       *string
	Currency     money.Currency
}

func (in *invoiceCreateIn) fields() []field {
	return []field{
		identity("organization_id", &in.Organization).required(),
		moment("due_date", &in.DueDate).required(),
		list("items", &in.Items).required(),
		text("notes", &in.Notes),
		object("invoice_metadata", &in.Metadata).nullable(),
		text("invoice_number", &in.Number).max(255).explained("Unique in the installation; generated if null or empty."),
		currencyCode("currency", &in.Currency).byDefault(money.Currency("USD")),
	}
}

type lineIn struct {
	Description   string
	Quantity      money.Decimal
	UnitPrice     money.Decimal
	Amount        money.Decimal
	ItemType      string
	ReferenceID   *int64
	ReferenceType *string
	Metadata      json.RawMessage
}

func (in *lineIn) fields() []field {
	return []field{
		text("description", &in.Description).required(),
		decimal("quantity", &in.Quantity).byDefault(1).min(0),
		decimal("unit_price", &in.UnitPrice).required().explained("Negative for a credit line."),
		decimal("amount", &in.Amount).required().explained("Must be quantity × unit_price, rounded to the currency's minor unit."),
		text("item_type", &in.ItemType).required().max(255),
		integer("reference_id", &in.ReferenceID),
		text("reference_type", &in.ReferenceType).max(255),
		object("item_metadata", &in.Metadata).nullable(),
	}
}

func (in *lineIn) line() xyra.Line {
	return xyra.Line{Description: in.Description, Quantity: in.Quantity, UnitPrice: in.UnitPrice, Amount: in.Amount,
		ItemType: in.ItemType, ReferenceID: in.ReferenceID, ReferenceType: in.ReferenceType, Metadata: in.Metadata}
}

type generateIn struct {
	Organization xyra.OrganizationID
	Year, Month  int64
	Currency     money.Currency
}

func (in *generateIn) params() []param {
	return []param{
		queryID("org_id", &in.Organization).required(),
		queryInt("year", &in.Year).required(),
		queryInt("month", &in.Month).required(),
		inQuery(currencyCode("currency", &in.Currency)).explained("The billing currency if not given."),
	}
}

type invoiceIn struct{ ID xyra.InvoiceID }

func (in *invoiceIn) params() []param { return []param{pathID("invoice_id", &in.ID)} }

type invoiceUpdateIn struct {
	invoiceIn
	Status        Opt[string]
	PaymentMethod Opt[string]
	PaymentDate   Opt[time.Time]
	Notes         Opt[string]
	Metadata      Opt[json.RawMessage]
}

func (in *invoiceUpdateIn) fields() []field {
	return []field{
		text("status", &in.Status).max(50),
		text("payment_method", &in.PaymentMethod).max(255).nullable(),
		moment("payment_date", &in.PaymentDate).nullable(),
		text("notes", &in.Notes).nullable(),
		object("invoice_metadata", &in.Metadata).nullable(),
	}
}

func (in *invoiceUpdateIn) change() billing.Change {
	change := billing.Change{PaymentMethod: changed(in.PaymentMethod), PaymentDate: changed(in.PaymentDate), Notes: changed(in.Notes)}
	if in.Status.Set {
		status := xyra.InvoiceStatus(in.Status.Value)
		change.Status = &status
	}
	if in.Metadata.Set {
		change.Metadata = &in.Metadata.Value
	}
	return change
}

// changed is nil when nothing was sent, and points to nil when null was.
func changed[T any](o Opt[T]) **T {
	if !o.Set {
		return nil
	}
	value := o.Ptr()
	return &value
}

type payIn struct {
	invoiceIn
	Method string
	Date   *time.Time
}

func (in *payIn) fields() []field {
	return []field{
		text("payment_method", &in.Method).required().max(255),
		moment("payment_date", &in.Date).explained("Now if null or not given."),
	}
}

type invoiceOut struct {
	Number                string             `json:"invoice_number"`
	DueDate               instant            `json:"due_date"`
	Amount                money.Decimal      `json:"amount"`
	TaxAmount             money.Decimal      `json:"tax_amount"`
	TotalAmount           money.Decimal      `json:"total_amount"`
	Currency              money.Currency     `json:"currency"`
	Status                xyra.InvoiceStatus `json:"status"`
	Notes                 *string            `json:"notes"`
	Metadata              json.RawMessage    `json:"invoice_metadata"`
	ID                    xyra.InvoiceID     `json:"id"`
	OrganizationID        int64              `json:"organization_id"`
	IssueDate             instant            `json:"issue_date"`
	PaymentMethod         *string            `json:"payment_method"`
	StripeInvoice         *string            `json:"stripe_invoice_id"`
	StripeCheckoutSession *string            `json:"stripe_checkout_session_id"`
	StripePaymentLink     *string            `json:"stripe_payment_link"`
	PaymentDate           *instant           `json:"payment_date"`
	CreatedAt             instant            `json:"created_at"`
	UpdatedAt             instant            `json:"updated_at"`
}

func newInvoiceOut(i xyra.Invoice) invoiceOut {
	return invoiceOut{Number: i.Number, DueDate: instant(i.DueDate), Amount: i.Amount, TaxAmount: i.TaxAmount, TotalAmount: i.Total(),
		Currency: i.Currency, Status: i.Status, Notes: i.Notes, Metadata: i.Metadata, ID: i.ID, OrganizationID: int64(i.Organization),
		IssueDate: instant(i.IssueDate), PaymentMethod: i.PaymentMethod, StripeInvoice: i.Stripe.Invoice,
		StripeCheckoutSession: i.Stripe.CheckoutSession, StripePaymentLink: i.Stripe.PaymentLink,
		PaymentDate: instantOrNil(i.PaymentDate), CreatedAt: instant(i.CreatedAt), UpdatedAt: instant(i.UpdatedAt)}
}

type invoiceWithItemsOut struct {
	invoiceOut
	Items []lineOut `json:"line_items"`
}

type lineOut struct {
	Description   string          `json:"description"`
	Quantity      money.Decimal   `json:"quantity"`
	UnitPrice     money.Decimal   `json:"unit_price"`
	Amount        money.Decimal   `json:"amount"`
	ItemType      string          `json:"item_type"`
	ReferenceID   *int64          `json:"reference_id"`
	ReferenceType *string         `json:"reference_type"`
	Metadata      json.RawMessage `json:"item_metadata"`
	ID            int64           `json:"id"`
	InvoiceID     xyra.InvoiceID  `json:"invoice_id"`
	CreatedAt     instant         `json:"created_at"`
	UpdatedAt     instant         `json:"updated_at"`
}

func newInvoiceWithItemsOut(i xyra.Invoice) invoiceWithItemsOut {
	out := invoiceWithItemsOut{newInvoiceOut(i), []lineOut{}}
	for _, l := range i.Lines {
		out.Items = append(out.Items, lineOut{l.Description, l.Quantity, l.UnitPrice, l.Amount, l.ItemType, l.ReferenceID, l.ReferenceType,
			l.Metadata, l.ID, i.ID, instant(l.CreatedAt), instant(l.UpdatedAt)})
	}
	return out
}

func (s *Server) listInvoices(c *call, in *invoiceListIn) ([]invoiceOut, error) {
	organization, err := c.namedOrganization(in.Organization, "Not enough permissions to access invoices for this organization")
	if err != nil {
		return nil, err
	}
	invoices, err := s.db.Invoices(c.context(), organization.ID, in.Status, in.Skip, in.Limit)
	out := make([]invoiceOut, len(invoices))
	for n, i := range invoices {
		out[n] = newInvoiceOut(i)
	}
	return out, err
}

func (s *Server) createInvoice(c *call, in *invoiceCreateIn) (invoiceOut, error) {
	invoice := xyra.Invoice{Organization: in.Organization, DueDate: in.DueDate, Notes: in.Notes, Metadata: in.Metadata, Currency: in.Currency}
	if in.Number != nil {
		invoice.Number = *in.Number
	}
	for _, item := range in.Items {
		invoice.Lines = append(invoice.Lines, item.line())
	}
	return writeInvoice(c, func(ctx context.Context, tx *store.Tx) (xyra.Invoice, error) {
		return billing.Create(ctx, tx, c.caller, s.Issuer, invoice)
	})
}

func (s *Server) generateInvoice(c *call, in *generateIn) (invoiceWithItemsOut, error) {
	return write(c, func(ctx context.Context, tx *store.Tx) (invoiceWithItemsOut, error) {
		invoice, err := billing.Generate(ctx, tx, c.caller, s.Issuer, in.Organization, in.Year, in.Month, in.Currency)
		return newInvoiceWithItemsOut(invoice), err
	})
}

func (s *Server) readInvoice(c *call, in *invoiceIn) (invoiceWithItemsOut, error) {
	invoice, err := c.invoice(int64(in.ID))
	return newInvoiceWithItemsOut(invoice), err
}

func (s *Server) updateInvoice(c *call, in *invoiceUpdateIn) (invoiceOut, error) {
	return writeInvoice(c, func(ctx context.Context, tx *store.Tx) (xyra.Invoice, error) {
		return billing.Update(ctx, tx, c.caller, in.ID, in.change())
	})
}

func (s *Server) cancelInvoice(c *call, in *invoiceIn) (invoiceOut, error) {
	return writeInvoice(c, func(ctx context.Context, tx *store.Tx) (xyra.Invoice, error) {
		return billing.Cancel(ctx, tx, c.caller, in.ID)
	})
}

func (s *Server) payInvoice(c *call, in *payIn) (invoiceOut, error) {
	return writeInvoice(c, func(ctx context.Context, tx *store.Tx) (xyra.Invoice, error) {
		return billing.Pay(ctx, tx, c.caller, in.ID, in.Method, in.Date)
	})
}

// writeInvoice is write for answers that show an invoice without its lines.
func writeInvoice(c *call, f func(context.Context, *store.Tx) (xyra.Invoice, error)) (invoiceOut, error) {
	return write(c, func(ctx context.Context, tx *store.Tx) (invoiceOut, error) {
		invoice, err := f(ctx, tx)
		return newInvoiceOut(invoice), err
	})
}
