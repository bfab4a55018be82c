package api

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // the page's template and style
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"strconv"
	"strings"

	"xyra"
	"xyra/money"
)

// Printer draws an invoice as PDF. The same paper must give the same bytes.
type Printer func(w io.Writer, paper xyra.Paper) error

// paper reads an invoice the caller reaches with what its printed forms show.
func (c *call) paper(id xyra.InvoiceID) (xyra.Paper, error) {
	invoice, err := c.invoice(int64(id))
	if err != nil {
		return xyra.Paper{}, err
	}
	paper, err := c.db().Paper(c.context(), invoice, c.server.Issuer.Seller)
	paper.Locale = c.server.Locale
	return paper, err
}

// unkept is an answer that shows one customer's money: no cache may keep it.
func unkept(contentType string, body []byte) answer {
	a := answer{status: http.StatusOK, contentType: contentType, body: body}
	a.set("Cache-Control", "no-store")
	return a
}

func (s *Server) invoicePDF(c *call, in *invoiceIn) (answer, error) {
	paper, err := c.paper(in.ID)
	if err != nil {
		return answer{}, err
	}
	return s.asPDF(paper)
}

// asPDF draws a paper. A server without a printer refuses after every check that it will make.
func (s *Server) asPDF(paper xyra.Paper) (answer, error) {
	if s.Print == nil {
		return refusal(http.StatusNotImplemented, "PDF invoices are not available"), nil
	}
	var body bytes.Buffer
	if err := s.Print(&body, paper); err != nil {
		return answer{}, err
	}
	a := unkept("application/pdf", body.Bytes())
	a.set("Content-Disposition", `attachment; filename="`+paper.FileName(".pdf")+`"`)
	return a, nil
}

//go:embed invoice.html
var invoiceTemplate string

//go:embed invoice.css
var invoiceStyle string

var invoicePage = template.Must(template.New("invoice").Parse(invoiceTemplate))

// invoicePolicy lets the page have its own style and nothing else: no script, no frame, no form, no request.
var invoicePolicy = func() string {
	sum := sha256.Sum256([]byte(invoiceStyle))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}()

// sheet is an invoice as its template shows it: texts that are ready to be read.
type sheet struct {
	xyra.Paper
	Style template.CSS
	Lines []sheetLine
	Notes string
}

type sheetLine struct{ Index, Description, Quantity, UnitPrice, Amount string }

// Text is a text of people without the characters that could make it read otherwise than it is.
func (sheet) Text(s string) string { return xyra.PrintableText(s) }

// Pointed is Text for a text that may be missing.
func (sheet) Pointed(s *string) string {
	if s == nil {
		return ""
	}
	return xyra.PrintableText(*s)
}

// Money writes an amount with its currency.
func (p sheet) Money(d money.Decimal) string { return p.Invoice.Currency.Format(d, p.Locale) }

func newSheet(paper xyra.Paper) sheet {
	p := sheet{Paper: paper, Style: template.CSS(invoiceStyle)} //nolint:gosec // a constant of ours
	currency := paper.Invoice.Currency
	for n, l := range paper.Invoice.Lines {
		p.Lines = append(p.Lines, sheetLine{strconv.Itoa(n + 1), xyra.PrintableText(l.Description), currency.FormatCount(l.Quantity, p.Locale),
			currency.FormatBare(l.UnitPrice, p.Locale), currency.FormatBare(l.Amount, p.Locale)})
	}
	p.Notes = p.Pointed(paper.Invoice.Notes)
	return p
}

func (s *Server) invoiceHTML(c *call, in *invoiceIn) (answer, error) {
	paper, err := c.paper(in.ID)
	if err != nil {
		return answer{}, err
	}
	return asHTML(paper)
}

// asHTML shows a paper as a page that loads nothing and prints well.
func asHTML(paper xyra.Paper) (answer, error) {
	var body bytes.Buffer
	if err := invoicePage.Execute(&body, newSheet(paper)); err != nil {
		return answer{}, fmt.Errorf("write the page of invoice %q: %w", paper.Invoice.Number, err)
	}
	a := unkept("text/html; charset=utf-8", body.Bytes())
	a.set("Content-Security-Policy", invoicePolicy)
	a.set("Referrer-Policy", "no-referrer")
	return a, nil
}

func (s *Server) invoiceLines(c *call, in *invoiceIn) (answer, error) {
	paper, err := c.paper(in.ID)
	if err != nil {
		return answer{}, err
	}
	return asCSV(paper), nil
}

// asCSV answers the lines of a paper.
func asCSV(paper xyra.Paper) answer {
	if paper.IsDraft() {
		paper.Invoice.Number = "DRAFT" // nobody may take the rows of two files for those of two invoices
	}
	a := unkept("text/csv; charset=utf-8; header=present", linesCSV(paper.Invoice))
	a.set("Content-Disposition", `attachment; filename="`+paper.FileName("_lines.csv")+`"`)
	return a
}

// linesCSV writes one record a line after RFC 4180. Numbers are plain, texts always quoted.
func linesCSV(i xyra.Invoice) []byte {
	var b bytes.Buffer
	b.WriteString("invoice_number,currency,line,description,quantity,unit_price,amount,item_type,reference_type,reference_id\r\n")
	for n, l := range i.Lines {
		reference, kind := "", ""
		if l.ReferenceID != nil {
			reference = strconv.FormatInt(*l.ReferenceID, 10)
		}
		if l.ReferenceType != nil {
			kind = *l.ReferenceType
		}
		b.WriteString(strings.Join([]string{cell(i.Number), string(i.Currency), strconv.Itoa(n + 1), cell(l.Description), l.Quantity.Plain(),
			l.UnitPrice.Plain(), l.Amount.Plain(), cell(l.ItemType), cell(kind), reference}, ",") + "\r\n")
	}
	return b.Bytes()
}

// formulaSigns begin what a spreadsheet calculates, in the forms that some spreadsheets fold into them.
const formulaSigns = "=+-@＝＋－＠"

// cell quotes a text. An apostrophe goes before what would begin a formula: at its begin, also after spaces, and after
// each character that some spreadsheet takes for the end of a cell.
func cell(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	begins := true
	for n, r := range s {
		if begins && strings.ContainsRune(formulaSigns, r) || n == 0 && strings.ContainsRune("\t\r\n", r) {
			b.WriteByte('\'')
		}
		if r == '"' {
			b.WriteByte('"')
		}
		b.WriteRune(r)
		begins = begins && (r == ' ' || r == '\u00a0' || r == '"') || strings.ContainsRune(";,|\t\r\n", r)
	}
	return b.String() + `"`
}
