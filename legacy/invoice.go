package legacy

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"xyra"
	"xyra/money"
)

// invoice reads one with its lines, amounts as they are. say hears of what Xyra cannot keep.
func invoice(r record, lines []record, t *Totals) xyra.Invoice {
	created := r.timeOr("created_at", unknownTime)
	i := xyra.Invoice{ID: xyra.InvoiceID(r.number("id")), Organization: xyra.OrganizationID(r.number("organization_id")),
		Number: r.textOr("invoice_number", ""), Currency: r.currency("currency"), Status: xyra.InvoiceStatus(strings.ToLower(r.textOr("status", string(xyra.InvoicePending)))),
		IssueDate: r.timeOr("issue_date", created), Notes: r.text("notes"), Metadata: r.json("metadata", '{'),
		PaymentMethod: r.text("payment_method"), PaymentDate: r.time("payment_date"),
		Stripe: xyra.StripeReferences{Invoice: r.text("stripe_invoice_id"), CheckoutSession: r.text("stripe_checkout_session_id"), PaymentLink: r.text("stripe_payment_link")}}
	i.CreatedAt, i.UpdatedAt = created, r.timeOr("updated_at", created)
	i.DueDate = r.timeOr("due_date", i.IssueDate)
	switch i.Status {
	case xyra.InvoicePending, xyra.InvoiceOverdue, xyra.InvoicePaid, xyra.InvoiceCancelled:
	default:
		r.say.differ("%s (%s): status %q becomes %q", r.name(), i.Number, i.Status, xyra.InvoicePending)
		i.Status = xyra.InvoicePending
	}
	i.Amount, i.TaxAmount = t.sum(r, "invoice amounts", i.Currency, "amount"), t.sum(r, "invoice tax", i.Currency, "tax_amount")
	for _, l := range lines {
		i.Lines = append(i.Lines, line(l, created))
	}
	if total, _ := r.decimal("total_amount"); r.text("total_amount") != nil && !total.Equal(i.Total()) {
		r.say.differ("%s (%s): its total %s is not amount and tax (%s); Xyra shows the latter", r.name(), i.Number, total, i.Total())
	}
	if sum := sumOf(i.Lines); len(i.Lines) > 0 && !sum.Equal(i.Amount) {
		r.say.note("%s (%s): its lines add up to %s, its amount is %s; both stay as they are", r.name(), i.Number, sum, i.Amount)
	}
	i.Period = periodOf(i)
	return i
}

func sumOf(lines []xyra.Line) (sum money.Decimal) {
	for _, l := range lines {
		sum = sum.Add(l.Amount)
	}
	return sum
}

func line(r record, created time.Time) xyra.Line {
	at := r.timeOr("created_at", created)
	l := xyra.Line{ID: r.number("id"), Description: r.textOr("description", ""), Quantity: money.FromInt(1), ItemType: r.textOr("item_type", "usage"),
		ReferenceType: r.text("reference_type"), Metadata: r.json("metadata", '{'), CreatedAt: at, UpdatedAt: r.timeOr("updated_at", at)}
	if r.text("quantity") != nil {
		l.Quantity, _ = r.decimal("quantity")
	}
	l.UnitPrice, _ = r.decimal("unit_price")
	l.Amount, _ = r.decimal("amount")
	if r.text("reference_id") != nil {
		id := r.number("reference_id")
		l.ReferenceID = &id
	}
	return l
}

var (
	monthNote    = regexp.MustCompile(`^Monthly invoice for ([A-Z][a-z]+) (\d{4})$`)
	periodNumber = regexp.MustCompile(`^(\d{4})-(\d{1,2})$`)
)

// periodOf is the month that a generated invoice says it is for, by its metadata, its lines or its notes; 0 is none.
func periodOf(i xyra.Invoice) xyra.Period {
	if p := periodIn(i.Metadata); p != 0 {
		return p
	}
	if i.Notes != nil {
		if parts := monthNote.FindStringSubmatch(*i.Notes); parts != nil {
			if at, err := time.Parse("January 2006", parts[1]+" "+parts[2]); err == nil {
				return xyra.NewPeriod(at.Year(), at.Month())
			}
		}
	}
	var of xyra.Period
	for _, l := range i.Lines {
		p := periodIn(l.Metadata)
		if p == 0 || of != 0 && p != of {
			return 0
		}
		of = p
	}
	return of
}

func periodIn(metadata json.RawMessage) xyra.Period {
	var m struct {
		Period any `json:"billing_period"`
	}
	if metadata == nil || json.Unmarshal(metadata, &m) != nil {
		return 0
	}
	parts := periodNumber.FindStringSubmatch(fmt.Sprint(m.Period))
	if parts == nil {
		return 0
	}
	year, _ := strconv.Atoi(parts[1]) // digits alone
	month, _ := strconv.Atoi(parts[2])
	if year < 1 || month < 1 || month > 12 {
		return 0
	}
	return xyra.NewPeriod(year, time.Month(month))
}
