package xyra

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"xyra/money"
)

// Paper is an invoice with all that its printed forms show: the same input makes the same paper, whenever it is printed.
type Paper struct {
	Invoice  Invoice // with lines
	Seller   Party
	Customer Party
	Paid     money.Decimal  // received so far
	Zone     *time.Location // in which its dates are days
	Locale   string         // how amounts are written; "" is English
	Open     bool           // a draft of a period that is not over
}

// NewPaper prints i, of which so much is settled, for the organization it belongs to. The sides are those the invoice
// keeps; for one from before they were kept, seller and the organization as they are now.
func NewPaper(i Invoice, settled money.Decimal, seller Party, o Organization) Paper {
	p := Paper{Invoice: i, Seller: i.Parties.Seller, Customer: i.Parties.Customer, Paid: settled, Zone: time.UTC}
	if p.Seller.Name == "" {
		p.Seller = seller
	}
	if p.Customer.Name == "" {
		p.Customer = o.Customer()
	}
	if zone, err := time.LoadLocation(o.Timezone); err == nil {
		p.Zone = zone
	}
	if i.Status == InvoicePaid {
		p.Paid = i.Total() // also when no payments are recorded, but only that it was paid
	}
	return p
}

// Charges is the sum of the lines that ask for money.
func (p Paper) Charges() money.Decimal { return p.Invoice.Amount.Sub(p.Credits()) }

// Credits is the sum of the lines that give money back: discounts, credits, corrections. It is never positive.
func (p Paper) Credits() (sum money.Decimal) {
	for _, line := range p.Invoice.Lines {
		if line.Amount.Sign() < 0 {
			sum = sum.Add(line.Amount)
		}
	}
	return sum
}

// Due is what is still to be paid: nothing once the invoice is paid or cancelled.
func (p Paper) Due() money.Decimal { return p.Invoice.Due(p.Paid) }

// PaymentLink is where the customer can pay, "" when there is nothing to pay or no such place. Only https is one.
func (p Paper) PaymentLink() string {
	link := p.Invoice.Stripe.PaymentLink
	if p.Invoice.Final() || link == nil || !strings.HasPrefix(*link, "https://") || p.Due().Sign() <= 0 {
		return ""
	}
	return *link
}

// Day writes the day of an instant: "2 July 2026".
func (p Paper) Day(at time.Time) string { return at.In(p.Zone).Format("2 January 2006") }

// Period writes the first and the last day that a generated invoice covers; "" for one written by hand.
func (p Paper) Period() string {
	period := p.Invoice.Period
	if period == 0 {
		return ""
	}
	first := time.Date(period.Year(), period.Month(), 1, 0, 0, 0, 0, time.UTC)
	return first.Format("2 January 2006") + " – " + first.AddDate(0, 1, -1).Format("2 January 2006")
}

// IsDraft tells whether this is no invoice yet.
func (p Paper) IsDraft() bool { return p.Invoice.Status == InvoiceDraft }

// Title is what stands at the top: what this is, without its number.
func (p Paper) Title() string {
	if p.IsDraft() {
		return "Draft invoice"
	}
	return "Invoice"
}

// Status is where the invoice stands, in words.
func (p Paper) Status() string {
	switch s := string(p.Invoice.Status); {
	case p.IsDraft() && p.Open:
		return "Draft: the period is not over"
	case s != "":
		return strings.ToUpper(s[:1]) + s[1:]
	}
	return ""
}

// FileName is a name that every file system and every header takes: what is not a letter, a digit, '.', '_' or '-' of
// ASCII becomes '_'.
func (p Paper) FileName(ending string) string {
	safe := func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-", r) {
			return r
		}
		return '_'
	}
	if p.IsDraft() {
		return fmt.Sprintf("draft_%d_%s_%s%s", p.Invoice.Organization, p.Invoice.Period, p.Invoice.Currency, ending)
	}
	return "invoice_" + strings.Map(safe, p.Invoice.Number) + ending
}

// PrintableText is s as paper may show it. Line breaks stay; tabs become spaces; characters that steer instead of being
// seen are taken out when they are harmless, and shown as '�' when they could make a text read otherwise than it is.
func PrintableText(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n':
			return r
		case r == '\t' || r == '\u2028' || r == '\u2029' || r == '\u0085':
			return ' '
		case r == '\r' || r == '\u00ad' || r == '\u061c' || r == '\ufeff' || r == '\u2060' || r >= '\u200b' && r <= '\u200f' || r >= '\ufe00' && r <= '\ufe0f':
			return -1
		case unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Co, r) || r == unicode.ReplacementChar:
			return unicode.ReplacementChar
		}
		return r
	}, s)
}
