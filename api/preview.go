package api

import (
	"encoding/json"

	"xyra"
	"xyra/billing"
	"xyra/money"
	"xyra/store"
)

// previewOut is an invoice as it would be, and the period it is about.
type previewOut struct {
	draftOut
	Items []draftLineOut `json:"line_items"`
	Start instant        `json:"period_start"`
	End   instant        `json:"period_end"`
	Over  bool           `json:"period_over"`
}

// draftOut has the fields of an invoice; those that only an invoice gets are always null.
type draftOut struct {
	Number                *string            `json:"invoice_number"`
	DueDate               instant            `json:"due_date"`
	Amount                money.Decimal      `json:"amount"`
	TaxAmount             money.Decimal      `json:"tax_amount"`
	TotalAmount           money.Decimal      `json:"total_amount"`
	Currency              money.Currency     `json:"currency"`
	Status                xyra.InvoiceStatus `json:"status"`
	Notes                 *string            `json:"notes"`
	Metadata              json.RawMessage    `json:"invoice_metadata"`
	ID                    *int64             `json:"id"`
	OrganizationID        int64              `json:"organization_id"`
	IssueDate             instant            `json:"issue_date"`
	PaymentMethod         *string            `json:"payment_method"`
	StripeInvoice         *string            `json:"stripe_invoice_id"`
	StripeCheckoutSession *string            `json:"stripe_checkout_session_id"`
	StripePaymentLink     *string            `json:"stripe_payment_link"`
	PaymentDate           *instant           `json:"payment_date"`
	CreatedAt             *instant           `json:"created_at"`
	UpdatedAt             *instant           `json:"updated_at"`
}

type draftLineOut struct {
	Description   string          `json:"description"`
	Quantity      money.Decimal   `json:"quantity"`
	UnitPrice     money.Decimal   `json:"unit_price"`
	Amount        money.Decimal   `json:"amount"`
	ItemType      string          `json:"item_type"`
	ReferenceID   *int64          `json:"reference_id"`
	ReferenceType *string         `json:"reference_type"`
	Metadata      json.RawMessage `json:"item_metadata"`
	ID            *int64          `json:"id"`
	InvoiceID     *int64          `json:"invoice_id"`
	CreatedAt     *instant        `json:"created_at"`
	UpdatedAt     *instant        `json:"updated_at"`
}

func newPreviewOut(p billing.Preview) previewOut {
	i := p.Invoice
	out := previewOut{Items: []draftLineOut{}, Start: instant(p.Start), End: instant(p.End), Over: !p.Open}
	out.draftOut = draftOut{DueDate: instant(i.DueDate), Amount: i.Amount, TaxAmount: i.TaxAmount, TotalAmount: i.Total(), Currency: i.Currency,
		Status: i.Status, Notes: i.Notes, Metadata: i.Metadata, OrganizationID: int64(i.Organization), IssueDate: instant(i.IssueDate)}
	for _, l := range i.Lines {
		out.Items = append(out.Items, draftLineOut{Description: l.Description, Quantity: l.Quantity, UnitPrice: l.UnitPrice, Amount: l.Amount,
			ItemType: l.ItemType, ReferenceID: l.ReferenceID, ReferenceType: l.ReferenceType, Metadata: l.Metadata})
	}
	return out
}

// preview is what generating the month now would make, for whoever may read the invoice.
func (c *call) preview(in *generateIn) (p billing.Preview, err error) {
	if !c.caller.Reaches(in.Organization) {
		return p, xyra.Forbidden("Not enough permissions to access invoices for this organization")
	}
	now := c.db().Now()
	err = c.db().Snapshot(c.context(), func(r store.Reader) error {
		p, err = billing.PreviewMonth(c.context(), r, now, c.server.Issuer, in.Organization, in.Year, in.Month, in.Currency)
		return err
	})
	return p, err
}

// draft is the preview as its printed forms show it.
func (c *call) draft(in *generateIn) (xyra.Paper, error) {
	p, err := c.preview(in)
	if err != nil {
		return xyra.Paper{}, err
	}
	paper := xyra.NewPaper(p.Invoice, money.Decimal{}, c.server.Issuer.Seller, p.Organization)
	paper.Locale, paper.Open = c.server.Locale, p.Open
	return paper, nil
}

func (s *Server) previewInvoice(c *call, in *generateIn) (previewOut, error) {
	p, err := c.preview(in)
	return newPreviewOut(p), err
}

func (s *Server) previewPDF(c *call, in *generateIn) (answer, error) {
	paper, err := c.draft(in)
	if err != nil {
		return answer{}, err
	}
	return s.asPDF(paper)
}

func (s *Server) previewHTML(c *call, in *generateIn) (answer, error) {
	paper, err := c.draft(in)
	if err != nil {
		return answer{}, err
	}
	return asHTML(paper)
}

func (s *Server) previewLines(c *call, in *generateIn) (answer, error) {
	paper, err := c.draft(in)
	if err != nil {
		return answer{}, err
	}
	return asCSV(paper), nil
}
