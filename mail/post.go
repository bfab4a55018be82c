package mail

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"xyra"
	"xyra/store"
)

// Post sends invoices to the customers that they name.
type Post struct {
	DB     *store.DB
	Sender *Sender
	Print  func(w io.Writer, paper xyra.Paper) error // draws the PDF
	Seller xyra.Party                                // of invoices that name none
	Locale string                                    // of amounts
}

// SendInvoice does a job of the kind xyra.JobInvoiceMail. An invoice that was cancelled in the meantime is not sent.
func (p Post) SendInvoice(ctx context.Context, j xyra.Job) error {
	var args xyra.InvoiceMail
	if err := json.Unmarshal(j.Args, &args); err != nil {
		return xyra.Final(fmt.Errorf("send an invoice: read the job: %w", err))
	}
	invoice, err := p.DB.Invoice(ctx, j.Organization, args.Invoice)
	if err != nil {
		return fmt.Errorf("send invoice %d: %w", args.Invoice, err)
	}
	if invoice.Status == xyra.InvoiceCancelled {
		return nil
	}
	paper, err := p.DB.Paper(ctx, invoice, p.Seller)
	if err != nil {
		return fmt.Errorf("send invoice %d: %w", args.Invoice, err)
	}
	paper.Locale = p.Locale
	if paper.Customer.Email == "" {
		return xyra.Final(errors.New("send invoice " + invoice.Number + ": its customer has no e-mail address"))
	}
	var drawn bytes.Buffer
	if err := p.Print(&drawn, paper); err != nil {
		return fmt.Errorf("send invoice %d: %w", args.Invoice, err)
	}
	m := letter(paper)
	m.ID = fmt.Sprintf("invoice-%d-%d", invoice.ID, j.ID)
	m.FileName, m.PDF = paper.FileName(".pdf"), drawn.Bytes()
	return p.Sender.Send(ctx, m)
}

// letter writes what stands in the message.
func letter(p xyra.Paper) Message {
	i := p.Invoice
	due := i.Currency.Format(p.Due(), p.Locale)
	from := ""
	if p.Seller.Name != "" {
		from = " from " + line(p.Seller.Name)
	}
	var text strings.Builder
	fmt.Fprintf(&text, "Hello %s,\n\nplease find attached the invoice %s%s.\n\n", line(p.Customer.Name), line(i.Number), from)
	if period := p.Period(); period != "" {
		fmt.Fprintf(&text, "Billing period: %s\n", period)
	}
	fmt.Fprintf(&text, "Total:          %s\n", i.Currency.Format(i.Total(), p.Locale))
	if i.Status == xyra.InvoicePaid {
		text.WriteString("It has been paid. Thank you.\n")
	} else {
		fmt.Fprintf(&text, "Amount due:     %s by %s\n", due, p.Day(i.DueDate))
	}
	if link := p.PaymentLink(); link != "" {
		fmt.Fprintf(&text, "\nPay online:\n%s\n", line(link))
	}
	if p.Seller.Name != "" {
		fmt.Fprintf(&text, "\nKind regards\n%s\n", line(p.Seller.Name))
	}
	return Message{To: p.Customer.Email, Subject: "Invoice " + line(i.Number) + from, Text: text.String()}
}
