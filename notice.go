package xyra

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"xyra/money"
)

// NoticeType names what has happened, as receivers read it.
type NoticeType string

// The types of notices. The last one is only sent when a person asks for it.
const (
	NoticeInvoiceCreated    NoticeType = "invoice.created"
	NoticeInvoiceFinalized  NoticeType = "invoice.finalized"
	NoticeInvoicePaid       NoticeType = "invoice.paid"
	NoticeInvoiceOverdue    NoticeType = "invoice.overdue"
	NoticeInvoiceCancelled  NoticeType = "invoice.cancelled"
	NoticeCreditNoteCreated NoticeType = "credit_note.created"
	NoticeUsageRecorded     NoticeType = "usage.recorded"
	NoticeUsageThreshold    NoticeType = "usage.threshold"
	NoticeAPIKeyCreated     NoticeType = "api_key.created"
	NoticeEndpointDisabled  NoticeType = "webhook_endpoint.disabled"
	NoticeTest              NoticeType = "webhook.test"
)

// NoticeTypes lists the types that an endpoint may subscribe to.
func NoticeTypes() []NoticeType {
	return []NoticeType{NoticeInvoiceCreated, NoticeInvoiceFinalized, NoticeInvoicePaid, NoticeInvoiceOverdue, NoticeInvoiceCancelled,
		NoticeCreditNoteCreated, NoticeUsageRecorded, NoticeUsageThreshold, NoticeAPIKeyCreated, NoticeEndpointDisabled}
}

// Notice says that something happened to an organization. What it says is fixed when it is made.
type Notice struct {
	Type         NoticeType
	Organization OrganizationID
	Endpoint     WebhookEndpointID // for this endpoint alone, whatever it subscribes to; 0: for all that subscribe
	Data         json.RawMessage   // an object
}

// NewNotice makes a notice of anything that marshals into a JSON object.
func NewNotice(t NoticeType, organization OrganizationID, data any) Notice {
	text, err := json.Marshal(data)
	if err != nil {
		panic(fmt.Sprintf("notice %s of %T: %v", t, data, err))
	}
	return Notice{Type: t, Organization: organization, Data: text}
}

// For addresses the notice to one endpoint.
func (n Notice) For(endpoint WebhookEndpointID) Notice {
	n.Endpoint = endpoint
	return n
}

// Reaches tells whether an endpoint is told of the notice.
func (n Notice) Reaches(e WebhookEndpoint) bool {
	if n.Organization != e.Organization || !e.IsActive {
		return false
	}
	return n.Endpoint == e.ID || n.Endpoint == 0 && slices.Contains(e.Types, n.Type)
}

// Payload is the body of the notice, to the byte as it is signed.
func (n Notice) Payload(at time.Time) json.RawMessage {
	text := fmt.Appendf(nil, `{"type":"%s","timestamp":"%s","data":`, n.Type, FormatTime(at))
	return append(append(text, n.Data...), '}')
}

// invoiceData is an invoice as notices show it: the fields of the API, without lines.
type invoiceData struct {
	ID            InvoiceID      `json:"id"`
	Number        string         `json:"invoice_number"`
	Organization  OrganizationID `json:"organization_id"`
	Status        InvoiceStatus  `json:"status"`
	Period        *string        `json:"billing_period"`
	Currency      money.Currency `json:"currency"`
	Amount        money.Decimal  `json:"amount"`
	TaxAmount     money.Decimal  `json:"tax_amount"`
	Total         money.Decimal  `json:"total_amount"`
	IssueDate     string         `json:"issue_date"`
	DueDate       string         `json:"due_date"`
	PaymentDate   *string        `json:"payment_date"`
	PaymentMethod *string        `json:"payment_method"`
}

// Notice says what has happened to the invoice, with how it stands now.
func (i Invoice) Notice(t NoticeType) Notice {
	data := invoiceData{ID: i.ID, Number: i.Number, Organization: i.Organization, Status: i.Status, Currency: i.Currency, Amount: i.Amount,
		TaxAmount: i.TaxAmount, Total: i.Total(), IssueDate: FormatTime(i.IssueDate), DueDate: FormatTime(i.DueDate), PaymentMethod: i.PaymentMethod}
	if i.Period != 0 {
		period := i.Period.String()
		data.Period = &period
	}
	if i.PaymentDate != nil {
		paid := FormatTime(*i.PaymentDate)
		data.PaymentDate = &paid
	}
	return NewNotice(t, i.Organization, data)
}

var statusNotices = map[InvoiceStatus]NoticeType{InvoicePaid: NoticeInvoicePaid, InvoiceOverdue: NoticeInvoiceOverdue, InvoiceCancelled: NoticeInvoiceCancelled}

// StatusNotice says that the invoice has just come into its state. A pending one has none.
func (i Invoice) StatusNotice() (n Notice, exists bool) {
	t, exists := statusNotices[i.Status]
	if !exists {
		return n, false
	}
	return i.Notice(t), true
}

// CreditNotice says that the payment book owes money to the organization, or has given it back: p credited something or
// is a refund. Other rows have none.
func (p Payment) CreditNotice(i Invoice) (n Notice, exists bool) {
	amount := p.Credited
	if p.Kind == PaymentRefund {
		amount = p.Amount
	}
	if amount.Sign() <= 0 {
		return n, false
	}
	return NewNotice(NoticeCreditNoteCreated, p.Organization, struct {
		ID           PaymentID      `json:"id"`
		Organization OrganizationID `json:"organization_id"`
		Invoice      InvoiceID      `json:"invoice_id"`
		Number       string         `json:"invoice_number"`
		Kind         PaymentKind    `json:"kind"`
		Currency     money.Currency `json:"currency"`
		Amount       money.Decimal  `json:"amount"`
	}{p.ID, p.Organization, i.ID, i.Number, p.Kind, p.Currency, amount}), true
}

// CreatedNotice says that the key was made, without anything that could be tried as its secret.
func (k APIKey) CreatedNotice() Notice {
	data := struct {
		ID           APIKeyID       `json:"id"`
		Organization OrganizationID `json:"organization_id"`
		User         UserID         `json:"user_id"`
		Name         string         `json:"name"`
		Prefix       string         `json:"key_prefix"`
		ExpiresAt    *string        `json:"expires_at"`
	}{ID: k.ID, Organization: k.Organization, User: k.User, Name: k.Name, Prefix: k.Prefix}
	if k.ExpiresAt != nil {
		expires := FormatTime(*k.ExpiresAt)
		data.ExpiresAt = &expires
	}
	return NewNotice(NoticeAPIKeyCreated, k.Organization, data)
}
