package api

import (
	"encoding/csv"
	"fmt"
	"html"
	"io"
	"regexp"
	"strings"
	"testing"
	"time"

	"xyra"
	"xyra/billing"
	"xyra/money"
	"xyra/pdf"
)

func printPDF(w io.Writer, paper xyra.Paper) error {
	return pdf.Invoice(w, pdf.Document{Paper: paper})
}

// The printed forms are private, named safely, and the customer reads its own.
func TestPaper_FormsAreServedPrivately(t *testing.T) {
	issuer := billing.Issuer{Seller: xyra.Party{Name: "Nordlicht Agents GmbH", Address: []string{"Berlin"}, TaxID: "DE 1"}}
	eachServer(t, Options{Print: printPDF, Issuer: issuer, Locale: "de"}, func(t *testing.T, s *Server) {
		sc := newInvoiceScene(t, s)
		for form, want := range map[string]struct{ contentType, disposition, text string }{
			"pdf":       {"application/pdf", `attachment; filename="invoice_INV___1.pdf"`, "%PDF-1."},
			"html":      {"text/html; charset=utf-8", "", "<bdi>Nordlicht Agents GmbH</bdi>"},
			"lines.csv": {"text/csv; charset=utf-8; header=present", `attachment; filename="invoice_INV___1_lines.csv"`, "\r\n\"INV/ö 1\",USD,1,\"Work\",1,"},
		} {
			w := ask(s, "GET", fmt.Sprintf("/api/v1/invoices/%d/%s", sc.invoice, form), sc.own, "")
			h := w.Header()
			if w.Code != 200 || !strings.Contains(w.Body.String(), want.text) {
				t.Errorf("%s: %d %.3000s", form, w.Code, w.Body)
			}
			if h.Get("Content-Type") != want.contentType || h.Get("Content-Disposition") != want.disposition || h.Get("Cache-Control") != "no-store" || h.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("%s: %v", form, h)
			}
			if again := ask(s, "GET", fmt.Sprintf("/api/v1/invoices/%d/%s", sc.invoice, form), sc.superuser, ""); again.Body.String() != w.Body.String() {
				t.Errorf("%s has other bytes for the operator", form)
			}
			for token, status := range map[string]int{"": 401, sc.other: 404} {
				if w := ask(s, "GET", fmt.Sprintf("/api/v1/invoices/%d/%s", sc.invoice, form), token, ""); w.Code != status {
					t.Errorf("%s for a stranger: %d", form, w.Code)
				}
			}
		}
		page := ask(s, "GET", fmt.Sprintf("/api/v1/invoices/%d/html", sc.invoice), sc.own, "")
		if policy := page.Header().Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'; style-src 'sha256-") || strings.Contains(policy, "unsafe") {
			t.Errorf("policy %q", policy)
		}
		style := regexp.MustCompile(`(?s)<style>(.*)</style>`).FindStringSubmatch(page.Body.String())
		if len(style) != 2 || style[1] != invoiceStyle {
			t.Error("the page's style is not the one that its policy lets in")
		}
		if !strings.Contains(page.Body.String(), "1,00\u00a0$") {
			t.Errorf("amounts are not German: %s", page.Body)
		}
	})
}

// attacks are texts that some reader of an answer could take for more than text.
var attacks = []string{
	`=1+1`, `=cmd|'/C calc'!A0`, `+1+1`, `-1+1`, `@SUM(1)`, "\t=1+1", "  =1+1", "\n=1+1", `＝1+1`, `x;=1+1`, `x,=1+1`, "x\t@SUM(1)", `"=1+1`, `","=1+1`,
	`<script>alert(1)</script>`, `<img src=x onerror=alert(1)>`, `"><svg/onload=alert(1)>`, `</style><script>alert(1)</script>`, `{{.}}`, `${7*7}`,
	`javascript:alert(1)`, `&lt;b&gt;`, "x\r\nSet-Cookie: a=b", "../../etc/passwd", "a\u202efdp.exe\u2066\x1b[31mb",
}

func attacked(attack string) xyra.Invoice {
	at := time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)
	party := xyra.Party{Name: attack, Address: []string{attack}, TaxID: attack, Email: attack}
	link := "https://" + attack
	return xyra.Invoice{Number: attack, Currency: "USD", Status: xyra.InvoicePending, IssueDate: at, DueDate: at, Notes: &attack, PaymentMethod: &attack,
		Amount: money.MustParse("-5"), TaxAmount: money.MustParse("9"), Stripe: xyra.StripeReferences{PaymentLink: &link}, Parties: xyra.Parties{Seller: party, Customer: party},
		Lines: []xyra.Line{{Description: attack, Quantity: money.MustParse("1"), UnitPrice: money.MustParse("-5"), Amount: money.MustParse("-5"), ItemType: attack, ReferenceType: &attack}}}
}

// No text becomes a formula, in whichever way a spreadsheet cuts the file; numbers stay numbers.
func TestLinesCSV_TextsAreNeverFormulas(t *testing.T) {
	formula := regexp.MustCompile(`(^|[;,|\t\r\n])[ "]*[=+\-@＝＋－＠]|^[\t\r\n]`)
	for _, attack := range attacks {
		raw := string(linesCSV(attacked(attack)))
		records, err := csv.NewReader(strings.NewReader(raw)).ReadAll()
		if err != nil || len(records) != 2 || !strings.HasSuffix(raw, "\r\n") {
			t.Errorf("%q: %v %q", attack, err, raw)
			continue
		}
		record := records[1]
		for _, at := range []int{0, 3, 7, 8} {
			unfolded := strings.ReplaceAll(strings.ReplaceAll(attack, "\r\n", "\n"), "\r", "\n")
			if formula.MatchString(record[at]) || strings.ReplaceAll(record[at], "'", "") != strings.ReplaceAll(unfolded, "'", "") {
				t.Errorf("%q became %q", attack, record[at])
			}
		}
		if record[5] != "-5" || record[6] != "-5" || record[4] != "1" {
			t.Errorf("numbers became %q", record)
		}
	}
	if got := string(linesCSV(attacked("plain, text"))); !strings.HasSuffix(got, "\r\n\"plain, text\",USD,1,\"plain, text\",1,-5,-5,\"plain, text\",\"plain, text\",\r\n") {
		t.Errorf("plain text became %q", got)
	}
}

// A text shows as itself: the page has the elements of its template, and no others.
func TestInvoicePage_TextsAreNeverMarkup(t *testing.T) {
	element := regexp.MustCompile(`<[^<>]*>`)
	shape := func(i xyra.Invoice) (elements, text string) {
		var b strings.Builder
		if err := invoicePage.Execute(&b, newSheet(xyra.NewPaper(i, money.Decimal{}, xyra.Party{}, xyra.Organization{}))); err != nil {
			t.Fatal(err)
		}
		all := regexp.MustCompile(`href="[^"]*"`).ReplaceAllString(b.String(), "href")
		return strings.Join(element.FindAllString(all, -1), ""), html.UnescapeString(element.ReplaceAllString(all, ""))
	}
	want, _ := shape(attacked("plain"))
	for _, attack := range attacks {
		elements, text := shape(attacked(attack))
		if elements != want {
			t.Errorf("%q changes the page to %s", attack, elements)
		}
		if n := strings.Count(text, xyra.PrintableText(attack)); n < 13 {
			t.Errorf("%q is shown %d times: %s", attack, n, text)
		}
		if strings.ContainsAny(text, "\u202e\u2066\x1b") {
			t.Errorf("%q steers the page", attack)
		}
	}
}

func TestPaper_FileNamesAreSafe(t *testing.T) {
	safe := regexp.MustCompile(`^invoice_[A-Za-z0-9._-]*\.pdf$`)
	for _, attack := range attacks {
		if name := (xyra.Paper{Invoice: attacked(attack)}).FileName(".pdf"); !safe.MatchString(name) {
			t.Errorf("%q makes the name %q", attack, name)
		}
	}
}

// A number with every attack at once stays inside of its header.
func TestPaper_NumbersCannotWriteHeaders(t *testing.T) {
	eachServer(t, Options{Print: printPDF}, func(t *testing.T, s *Server) {
		for n, attack := range attacks {
			if strings.ContainsAny(attack, "\x00") {
				continue
			}
			id := withCheckout(t, s, fmt.Sprintf("%s %d", attack, n))
			superuser, err := s.gate.Login(t.Context(), superuserEmail, superuserPassword, "192.0.2.1")
			if err != nil {
				t.Fatal(err)
			}
			for _, form := range []string{"pdf", "lines.csv", "html"} {
				w := ask(s, "GET", fmt.Sprintf("/api/v1/invoices/%d/%s", id, form), superuser, "")
				if w.Code != 200 || len(w.Header()["Set-Cookie"]) > 0 || strings.ContainsAny(w.Header().Get("Content-Disposition"), "\r\n\x1b") {
					t.Errorf("%q as %s: %d %v", attack, form, w.Code, w.Header())
				}
			}
		}
	})
}
