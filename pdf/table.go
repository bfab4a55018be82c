package pdf

import (
	"xyra"
	"xyra/money"
)

// columns are the table's, measured before it is drawn.
type columns struct {
	quantity, price, amount float64 // right edges
	widths                  [3]float64
	description             float64 // width
}

// Bounds of the columns of numbers, and between columns.
const (
	numbersMin = 20.0
	numbersMax = 38.0
	gap        = 4.0
	cellPad    = 2.0
	rowPad     = 1.7
	headHeight = 8.0
	tableIndex = 9.0
)

// row is a line of the invoice as it is drawn.
type row struct {
	index       string
	description []string
	cells       [3]string // quantity, unit price, amount
}

// table draws the lines. A page that ends inside of it ends with what was summed so far, and the next one begins with
// that sum below the repeated head.
func (p printed) table() {
	rows, c := p.rows()
	p.tableHead(c)
	sum := money.Decimal{}
	for n, row := range rows {
		for lines := row.description; ; {
			fitting := p.fittingLines(n == len(rows)-1)
			if fitting >= len(lines) {
				p.row(c, row, lines)
				break
			}
			// Only a description longer than half a page is torn apart.
			if body := int((bodyBottom - bodyTop) / 2 / faceText.lineHeight()); len(lines) > body && fitting > 0 {
				p.row(c, row, lines[:fitting])
				row.index, row.cells, lines = "", [3]string{}, lines[fitting:]
			}
			if n > 0 {
				p.carried(c, "Carried forward", sum)
			}
			p.page()
			p.tableHead(c)
			if n > 0 {
				p.carried(c, "Brought forward", sum)
			}
		}
		sum = sum.Add(p.Invoice.Lines[n].Amount)
	}
	if len(rows) == 0 {
		p.text(left+cellPad, p.y+rowPad, faceFaint, "No lines")
		p.y += 8
	}
	p.rule(left, right, p.y, 0.3, inkFaint)
}

// fittingLines is how many lines of a description have room, with a carried sum below, or with the totals below the last
// row: they never stand on a page alone.
func (p printed) fittingLines(last bool) int {
	free := bodyBottom - p.y - 2*rowPad - carriedHeight
	if last {
		free += carriedHeight - totalsGap - p.totalsHeight()
	}
	return int(free / faceText.lineHeight())
}

// rows prepares the texts and finds how wide the columns must be.
func (p printed) rows() ([]row, columns) {
	i := p.Invoice
	rows := make([]row, len(i.Lines))
	widths := [3]float64{numbersMin, numbersMin, numbersMin}
	for n, line := range i.Lines {
		rows[n] = row{index: i.Currency.FormatCount(money.FromInt(int64(n+1)), ""), cells: [3]string{i.Currency.FormatCount(line.Quantity, p.Locale),
			i.Currency.FormatBare(line.UnitPrice, p.Locale), i.Currency.FormatBare(line.Amount, p.Locale)}}
		for cell, text := range rows[n].cells {
			widths[cell] = min(max(widths[cell], p.fonts.width(text, faceText)), numbersMax)
		}
	}
	c := columns{widths: widths, amount: right - cellPad}
	c.price = c.amount - widths[2] - gap
	c.quantity = c.price - widths[1] - gap
	c.description = c.quantity - widths[0] - gap - left - tableIndex - cellPad
	for n, line := range i.Lines {
		rows[n].description = p.fonts.wrap(describe(line), faceText, c.description)
	}
	return rows, c
}

// describe is a line's text; line breaks in it stay.
func describe(line xyra.Line) string {
	if text := readable(line.Description); oneLine(text) != "" {
		return text
	}
	return "–"
}

func (p printed) tableHead(c columns) {
	p.box(left, p.y, right-left, headHeight, inkBand)
	y := p.y + 2.2
	p.text(left+cellPad, y, faceLabel, "#")
	p.text(left+cellPad+tableIndex, y, faceLabel, "DESCRIPTION")
	p.textRight(c.quantity, y, faceLabel, "QUANTITY")
	p.textRight(c.price, y, faceLabel, "UNIT PRICE")
	p.textRight(c.amount, y, faceLabel, "AMOUNT "+string(p.Invoice.Currency))
	p.y += headHeight
}

// row draws a row, or the part of one that the lines are.
func (p printed) row(c columns, r row, lines []string) {
	y := p.y + rowPad
	p.text(left+cellPad, y, p.fitted(typeface{size: 9, ink: inkFaint}, r.index, tableIndex-1), r.index)
	end := y
	for _, line := range lines { // in the order in which the row is read aloud
		p.text(left+cellPad+tableIndex, end, faceText, line)
		end += faceText.lineHeight()
	}
	for cell, edge := range []float64{c.quantity, c.price, c.amount} {
		p.textRight(edge, y, p.fitted(faceText, r.cells[cell], c.widths[cell]), r.cells[cell])
	}
	p.y = end + rowPad
	p.rule(left, right, p.y, 0.15, inkLine)
}

const carriedHeight = 7.0

// carried draws the sum of the rows so far, at the end of a page and at the beginning of the next.
func (p printed) carried(c columns, name string, sum money.Decimal) {
	text := p.Invoice.Currency.FormatBare(sum, p.Locale)
	t := typeface{size: 8.5, bold: true, ink: inkFaint}
	p.text(left+cellPad+tableIndex, p.y+rowPad, t, name)
	p.textRight(c.amount, p.y+rowPad, p.fitted(t, text, numbersMax), text)
	p.y += carriedHeight
	p.rule(left, right, p.y, 0.15, inkLine)
}
