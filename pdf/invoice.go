package pdf

import (
	"io"
	"strings"
	"unicode"

	"github.com/boombuler/barcode/qr"

	"xyra"
	"xyra/money"
)

// Document is an invoice and what it is drawn with.
type Document struct {
	xyra.Paper
	Fonts Fonts
}

// More of the colours.
var (
	inkLine      = ink{222, 226, 233}
	inkBand      = ink{241, 244, 249}
	inkPaid      = ink{224, 242, 230}
	inkCancelled = ink{248, 226, 226}
	inkDraft     = ink{232, 234, 238}
)

// The faces of the invoice's texts.
var (
	faceTitle = typeface{size: 24, bold: true, ink: inkAccent}
	faceName  = typeface{size: 13, bold: true, ink: inkText}
	faceText  = typeface{size: 9, ink: inkText}
	faceBold  = typeface{size: 9, bold: true, ink: inkText}
	faceFaint = typeface{size: 8.5, ink: inkFaint}
	faceLabel = typeface{size: 7.5, bold: true, ink: inkFaint}
	faceTotal = typeface{size: 11, bold: true, ink: inkText}
)

// linkMax is how many characters a QR code of the size drawn here can hold for a telephone to read.
const linkMax = 600

// printed is a document being drawn.
type printed struct {
	*sheet
	Document
	number string // of the invoice, on one line; "" on a draft
	name   string // what the document calls itself
}

// Invoice writes the document as PDF. Errors are those of the writer, or of a font.
func Invoice(w io.Writer, doc Document) error {
	p := printed{number: oneLine(doc.Invoice.Number), Document: doc}
	p.name = p.Title() + " " + p.number
	if p.IsDraft() {
		p.number, p.name = "", p.Title()+", "+p.Period()
		p.Invoice.UpdatedAt = p.Invoice.IssueDate
	}
	p.sheet = newSheet(doc.Fonts, p.name, oneLine(doc.Seller.Name), p.Invoice.IssueDate, p.Invoice.UpdatedAt)
	if !doc.Fonts.draws(doc.Invoice.Currency.FormatBare(anyAmount, doc.Locale)) {
		p.Locale = "" // its digits are of a script that no font has
	}
	p.opened = p.watermark
	p.page()
	p.head()
	p.opened = func() {
		p.watermark()
		p.text(left, p.y-8, faceFaint, p.short(p.name+", continued", right-left, faceFaint))
	}
	p.table()
	p.totals()
	p.payment()
	p.notes()
	p.confess()
	p.footers(strings.Join(withoutEmpty(oneLine(doc.Seller.Name), p.name), "  ·  "))
	return p.output(w)
}

// anyAmount has every kind of character that amounts have.
var anyAmount = money.MustParse("-1234567.89")

// amount writes an amount with its currency: by its code when no font has its sign.
func (p printed) amount(d money.Decimal) string {
	if text := p.Invoice.Currency.Format(d, p.Locale); p.fonts.draws(text) {
		return text
	}
	return string(p.Invoice.Currency) + "\u00a0" + p.Invoice.Currency.FormatBare(d, p.Locale)
}

// short is the beginning of a text that fits the width.
func (s *sheet) short(text string, width float64, t typeface) string {
	if s.fonts.width(text, t) <= width {
		return text
	}
	return text[:s.fonts.head(text, t, width-s.fonts.width("…", t))] + "…"
}

func withoutEmpty(texts ...string) (kept []string) {
	for _, text := range texts {
		if text != "" {
			kept = append(kept, text)
		}
	}
	return kept
}

// watermark marks a page of an invoice that is not to be paid, or not any more.
func (p printed) watermark() {
	switch p.Invoice.Status {
	case xyra.InvoicePaid:
		p.stamp("PAID", inkPaid)
	case xyra.InvoiceCancelled:
		p.stamp("CANCELLED", inkCancelled)
	case xyra.InvoiceDraft:
		p.stamp("DRAFT", inkDraft)
	}
}

// The two columns of the first page's upper part.
const (
	columnLeft  = 92.0
	columnRight = 118.0
)

// head draws who bills whom for what, in two rows of two columns.
func (p printed) head() {
	top := p.y
	seller := p.party(top, faceName, p.Seller)
	p.textRight(right, top-3, faceTitle, p.Title())
	title := p.aligned(top+9, faceBold, p.number)

	p.y = max(seller, title) + 5
	p.rule(left, right, p.y, 0.2, inkLine)
	p.y += 5
	top = p.y
	p.text(left, top, faceLabel, "BILLED TO")
	customer := p.party(top+5, faceBold, p.Customer)
	p.y = max(customer, p.facts(top)) + 7
}

// aligned draws lines that end at the right edge of the right column.
func (p printed) aligned(y float64, t typeface, text string) float64 {
	for _, line := range p.fonts.wrap(text, t, right-columnRight) {
		p.textRight(right, y, t, line)
		y += t.lineHeight()
	}
	return y
}

// The lines of a party are bounded, so that what follows stays on the page.
const (
	nameLinesMax  = 4
	partyLinesMax = 12
)

// party draws a side in the left column and returns where it ends.
func (p printed) party(y float64, name typeface, side xyra.Party) float64 {
	y = p.few(y, name, nameLinesMax, oneLine(side.Name)) + 0.4
	var lines []string
	for _, line := range side.Address {
		lines = append(lines, oneLine(line))
	}
	if id := oneLine(side.TaxID); id != "" {
		lines = append(lines, "Tax ID "+id)
	}
	lines = withoutEmpty(append(lines, oneLine(side.Email))...)
	return p.few(y, faceText, partyLinesMax, strings.Join(lines, "\n"))
}

// few draws so many lines of a text in the left column at most; what is left out shows as an ellipsis.
func (p printed) few(y float64, t typeface, linesMax int, text string) float64 {
	if text == "" {
		return y
	}
	lines := p.fonts.wrap(text, t, columnLeft)
	if len(lines) > linesMax {
		lines = lines[:linesMax]
		lines[linesMax-1] = p.short(lines[linesMax-1]+" …", columnLeft, t)
	}
	for _, line := range lines {
		p.text(left, y, t, line)
		y += t.lineHeight()
	}
	return y
}

// facts draws the invoice's dates and state as two columns of names and values.
func (p printed) facts(y float64) float64 {
	i := p.Invoice
	facts := [][2]string{{"Invoice number", p.number}, {"Issue date", p.Day(i.IssueDate)}, {"Due date", p.Day(i.DueDate)}}
	if p.IsDraft() {
		facts = [][2]string{{"As of", p.Day(i.IssueDate)}}
	}
	if period := p.Period(); period != "" {
		facts = append(facts, [2]string{"Billing period", period})
	}
	facts = append(facts, [2]string{"Currency", string(i.Currency)}, [2]string{"Status", p.Status()})
	if i.PaymentDate != nil {
		facts = append(facts, [2]string{"Paid on", p.Day(*i.PaymentDate)})
	}
	if i.PaymentMethod != nil && oneLine(*i.PaymentMethod) != "" {
		facts = append(facts, [2]string{"Paid by", oneLine(*i.PaymentMethod)})
	}
	const values = columnRight + 26
	for _, fact := range facts {
		t := faceText
		if fact[0] == "Status" && i.Status == xyra.InvoiceOverdue {
			t.bold, t.ink = true, inkAlarm
		}
		p.text(columnRight, y, typeface{size: 9, ink: inkFaint}, fact[0])
		y = p.lines(values, y, right-values, t, fact[1]) + 0.6
	}
	return y
}

// totals draws how the lines become what is due.
func (p printed) totals() {
	i := p.Invoice
	sum := func(name string, value string, t typeface) {
		const from = 112.0
		p.room(7)
		if t == faceTotal {
			p.box(from-3, p.y-0.8, right-from+3, 8, inkBand)
			p.y += 0.7
		}
		p.text(from, p.y, t, name)
		p.textRight(right-2, p.y, p.fitted(t, value, right-2-from-p.fonts.width(name, t)-3), value)
		p.y += t.lineHeight() + 1.2
	}
	p.y += totalsGap
	p.room(p.totalsHeight()) // the whole block on one page
	if !p.Credits().IsZero() {
		sum("Charges", p.amount(p.Charges()), faceText)
		sum("Credits and discounts", p.amount(p.Credits()), faceText)
	}
	sum("Subtotal", p.amount(i.Amount), faceText)
	sum("Tax", p.amount(i.TaxAmount), faceText)
	sum("Total", p.amount(i.Total()), faceBold)
	if !p.Paid.IsZero() {
		sum("Amount paid", p.amount(p.Paid.Neg()), faceText)
	}
	p.y += 1
	sum("Amount due", p.amount(p.Due()), faceTotal)
	p.y += 4
}

// totalsGap is between the table and the totals.
const totalsGap = 3.0

// totalsHeight is a little more than what the totals take.
func (p printed) totalsHeight() float64 {
	rows := 4.0
	if !p.Credits().IsZero() {
		rows += 2
	}
	return rows*5.5 + 14
}

// payment draws where to pay: the link as text, and as a QR code when a telephone can read it.
func (p printed) payment() {
	link := p.PaymentLink()
	if link == "" {
		return
	}
	const size = 30.0
	width := right - left
	code, err := qr.Encode(link, qr.L, qr.Auto)
	drawn := err == nil && len(link) <= linkMax
	if drawn {
		width -= size + 8
	}
	link = oneLine(link)
	height := 10 + float64(len(p.fonts.wrap(link, faceText, width)))*faceText.lineHeight()
	if drawn {
		p.room(max(size, height) + 4)
		modules := code.Bounds().Dx()
		side := size / float64(modules)
		p.file.SetFillColor(0, 0, 0)
		for row := range modules {
			for from := 0; from < modules; {
				to := from
				for to < modules && isDark(code.At(to, row).RGBA()) {
					to++
				}
				if to > from { // a little over, so that no viewer shows seams
					p.file.Rect(right-size+float64(from)*side, p.y+float64(row)*side, float64(to-from)*side+0.01, side+0.01, "F")
				}
				from = max(to, from+1)
			}
		}
	}
	p.room(min(height, bodyBottom-bodyTop))
	top := p.y
	p.text(left, p.y, faceLabel, "PAY ONLINE")
	p.y += 5
	p.flow(left, width, faceText, link)
	if drawn {
		p.y = max(p.y, top+size)
	}
	p.y += 6
}

func isDark(r, _, _, _ uint32) bool { return r < 0x8000 }

// notes draws what the operator wrote below the invoice.
func (p printed) notes() {
	if p.Invoice.Notes == nil || strings.TrimSpace(readable(*p.Invoice.Notes)) == "" {
		return
	}
	p.room(10 + faceText.lineHeight())
	p.text(left, p.y, faceLabel, "NOTES")
	p.y += 5
	p.flow(left, right-left, faceText, strings.TrimSpace(readable(*p.Invoice.Notes)))
}

// confess says what the sign means that stands for what could not be drawn, if it stands anywhere.
func (p printed) confess() {
	if !p.missing {
		return
	}
	p.y += 4
	p.room(faceFaint.lineHeight())
	p.text(left, p.y, faceFaint, string(unicode.ReplacementChar)+" stands for a character that cannot be printed here.")
	p.y += faceFaint.lineHeight()
}
