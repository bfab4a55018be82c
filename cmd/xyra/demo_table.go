package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"xyra/money"
)

// table is text in columns.
type table struct {
	head  []string
	rows  [][]string
	foot  []string
	right []bool // columns that are numbers
}

func (t table) print(out io.Writer) {
	widths := make([]int, len(t.right))
	all := append([][]string{t.head, t.foot}, t.rows...)
	whole := 3 * (len(widths) - 1)
	for _, row := range all {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, width := range widths {
		whole += width
	}
	rule := "  " + strings.Repeat("-", whole)
	if t.head != nil {
		t.printRow(out, widths, t.head)
		fmt.Fprintln(out, rule)
	}
	for _, row := range t.rows {
		t.printRow(out, widths, row)
	}
	if t.foot != nil {
		fmt.Fprintln(out, rule)
		t.printRow(out, widths, t.foot)
	}
}

func (t table) printRow(out io.Writer, widths []int, row []string) {
	cells := make([]string, len(row))
	for i, cell := range row {
		space := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
		cells[i] = cell + space
		if t.right[i] {
			cells[i] = space + cell
		}
	}
	fmt.Fprintln(out, "  "+strings.TrimRight(strings.Join(cells, "   "), " "))
}

// grouped writes a whole number with a comma between thousands.
func grouped(n int64) string { return groupedDecimal(money.FromInt(n)) }

// groupedDecimal writes a decimal with a comma between thousands.
func groupedDecimal(d money.Decimal) string {
	whole, fraction, found := strings.Cut(d.Abs().Plain(), ".")
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if d.Sign() < 0 {
		whole = "-" + whole
	}
	if found {
		return whole + "." + fraction
	}
	return whole
}

// amount writes money with two places or, where it has more, all of them.
func amount(d money.Decimal) string {
	text := groupedDecimal(d)
	_, fraction, _ := strings.Cut(text, ".")
	switch len(fraction) {
	case 0:
		return text + ".00"
	case 1:
		return text + "0"
	}
	return text
}

// percent writes a ratio with one place.
func percent(ratio money.Decimal) string {
	tenths, _ := ratio.Shift(3).RoundHalfAway(0).Int64()
	sign := ""
	if tenths < 0 {
		sign, tenths = "-", -tenths
	}
	return sign + strconv.FormatInt(tenths/10, 10) + "." + strconv.FormatInt(tenths%10, 10) + "%"
}
