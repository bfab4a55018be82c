package pdf

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"xyra"
	"xyra/money"
)

func line(description, quantity, price string) xyra.Line {
	return xyra.Line{Description: description, Quantity: money.MustParse(quantity), UnitPrice: money.MustParse(price)}
}

// sample is a document of the lines, priced.
func sample(currency money.Currency, lines ...xyra.Line) Document {
	at := time.Date(2026, 8, 1, 6, 30, 0, 0, time.UTC)
	i := xyra.Invoice{Number: "INV-20260801-4F2A", Period: 202607, Currency: currency, Status: xyra.InvoicePending, IssueDate: at,
		DueDate: at.AddDate(0, 0, 30), Lines: lines}
	i.UpdatedAt = at
	for n := range i.Lines {
		l := &i.Lines[n]
		l.Amount = currency.Round(l.Quantity.Mul(l.UnitPrice))
		i.Amount = i.Amount.Add(l.Amount)
	}
	i.Parties = xyra.Parties{
		Seller:   xyra.Party{Name: "Nordlicht Agents GmbH", Address: []string{"Schönhauser Allee 36", "10435 Berlin"}, TaxID: "DE 319 442 017", Email: "billing@nordlicht.example"},
		Customer: xyra.Party{Name: "Łódzka Fabryka Sp. z o.o.", Address: []string{"ul. Piotrkowska 104"}, TaxID: "PL 725-18-01-126", Email: "ap@fabryka.example"},
	}
	return Document{Paper: xyra.NewPaper(i, money.Decimal{}, xyra.Party{}, xyra.Organization{Timezone: "Europe/Berlin"})}
}

func draw(t testing.TB, doc Document) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Invoice(&b, doc); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func wantTexts(t *testing.T, f file, texts ...string) {
	t.Helper()
	all := f.text()
	for _, text := range texts {
		if !strings.Contains(all, withoutSpaces(text)) {
			t.Errorf("%q is not on the pages: %s", text, all)
		}
	}
}

func TestInvoice_SaysWhatAFinanceDepartmentAsksFor(t *testing.T) {
	doc := sample("EUR", line("Seats of the support agent", "12", "49"), line("Volume discount", "1", "-120.5"))
	doc.Invoice.TaxAmount = money.MustParse("88.83")
	notes, link := "Thank you.\nIBAN DE02 1203 0000", "https://pay.example/c/42"
	doc.Invoice.Notes, doc.Invoice.Stripe.PaymentLink = &notes, &link
	f := readFile(t, draw(t, doc))
	wantTexts(t, f, "Nordlicht Agents GmbH", "Schönhauser Allee 36", "Tax ID DE 319 442 017", "billing@nordlicht.example",
		"BILLED TO Łódzka Fabryka Sp. z o.o.", "ul. Piotrkowska 104", "Tax ID PL 725-18-01-126", "ap@fabryka.example",
		"Invoice number INV-20260801-4F2A", "Issue date 1 August 2026", "Due date 31 August 2026",
		"Billing period 1 July 2026 – 31 July 2026", "Currency EUR", "Status Pending",
		"QUANTITY UNIT PRICE AMOUNT EUR", "1 Seats of the support agent 12 49.00 588.00 2 Volume discount 1 -120.50 -120.50",
		"Charges €588.00", "Credits and discounts -€120.50", "Subtotal €467.50", "Tax €88.83", "Total €556.33", "Amount due €556.33",
		"PAY ONLINE https://pay.example/c/42", "NOTES Thank you. IBAN DE02 1203 0000", "Page 1 of 1")
	if strings.Contains(f.text(), "Amountpaid") {
		t.Error("nothing was paid")
	}
}

func TestInvoice_StatusIsSeen(t *testing.T) {
	link, method := "https://pay.example/c/42", "Bank transfer"
	for status, want := range map[xyra.InvoiceStatus]string{xyra.InvoicePending: "", xyra.InvoiceOverdue: "", xyra.InvoicePaid: "PAID", xyra.InvoiceCancelled: "CANCELLED"} {
		doc := sample("USD", line("Work", "1", "10"))
		i := doc.Invoice
		i.Status, i.Stripe.PaymentLink = status, &link
		if status == xyra.InvoicePaid {
			at := i.DueDate.Add(16 * time.Hour) // the next day in Berlin
			i.PaymentMethod, i.PaymentDate = &method, &at
		}
		doc.Paper = xyra.NewPaper(i, money.Decimal{}, xyra.Party{}, xyra.Organization{Timezone: "Europe/Berlin"})
		f := readFile(t, draw(t, doc))
		for _, stamp := range []string{"PAID", "CANCELLED"} {
			if slices.Contains(f.pages[0], stamp) != (stamp == want) {
				t.Errorf("%s: the stamp %s is wrong: %q", status, stamp, f.pages[0])
			}
		}
		if strings.Contains(f.text(), "PAYONLINE") == i.Final() {
			t.Errorf("%s: the payment link is wrong", status)
		}
		switch status {
		case xyra.InvoicePaid:
			wantTexts(t, f, "Status Paid", "Paid on 1 September 2026", "Paid by Bank transfer", "Amount paid -$10.00", "Amount due $0.00")
		case xyra.InvoiceCancelled:
			wantTexts(t, f, "Status Cancelled", "Total $10.00", "Amount due $0.00")
		default:
			wantTexts(t, f, "Amount due $10.00")
		}
	}
}

func TestInvoice_PartOfItMayBePaid(t *testing.T) {
	doc := sample("USD", line("Work", "1", "10"))
	doc.Paper = xyra.NewPaper(doc.Invoice, money.MustParse("4.5"), xyra.Party{}, xyra.Organization{})
	wantTexts(t, readFile(t, draw(t, doc)), "Total $10.00 Amount paid -$4.50 Amount due $5.50")
}

func TestInvoice_SameInputGivesTheSameBytesAlsoConcurrently(t *testing.T) {
	doc := sample("INR", line("Ευχαριστούμε", "1234567", "3.75"), line("Спасибо", "2", "1"))
	notes, link := "Notes", "https://pay.example/c/42"
	doc.Invoice.Notes, doc.Invoice.Stripe.PaymentLink = &notes, &link
	want := draw(t, doc)
	var drawing sync.WaitGroup
	for range 8 {
		drawing.Go(func() {
			var b bytes.Buffer
			if err := Invoice(&b, doc); err != nil || !bytes.Equal(b.Bytes(), want) {
				t.Errorf("another %d bytes, %v", b.Len(), err)
			}
		})
	}
	drawing.Wait()
	if !bytes.Contains(want, []byte("/CreationDate (D:20260801063000)")) {
		t.Error("the file's date is not the invoice's")
	}
	doc.Invoice.Number += "B"
	if bytes.Equal(draw(t, doc), want) {
		t.Error("another invoice has the same bytes")
	}
}

func TestInvoice_LongTablesCarryTheirSumOverPages(t *testing.T) {
	var lines []xyra.Line
	for n := 1; n <= 200; n++ {
		lines = append(lines, line(fmt.Sprintf("Activity type %d%s", n, strings.Repeat(" and more", n%40)), fmt.Sprint(n), "1"))
	}
	f := readFile(t, draw(t, sample("USD", lines...)))
	if len(f.pages) < 6 {
		t.Fatalf("%d pages", len(f.pages))
	}
	sum, shown := 0, 0
	for n, page := range f.pages {
		if !slices.Contains(page, fmt.Sprintf("Page %d of %d", n+1, len(f.pages))) {
			t.Errorf("page %d has no number", n+1)
		}
		table := strings.Join(page, "|")
		if at := strings.Index(table, "Brought forward|"); at >= 0 {
			want := "Brought forward|" + money.Currency("USD").FormatBare(money.FromInt(int64(sum)), "") + "|"
			if !strings.HasPrefix(table[at:], want) || !slices.Contains(page, "Invoice INV-20260801-4F2A, continued") {
				t.Errorf("page %d begins wrong, want %s: %.200s", n+1, want, table)
			}
		}
		for _, text := range page {
			if strings.HasPrefix(text, "Activity type ") {
				shown++
				sum += shown
				if !strings.HasPrefix(text+" ", fmt.Sprintf("Activity type %d ", shown)) || !slices.Contains(page, "DESCRIPTION") {
					t.Errorf("page %d: %q is not line %d below a head", n+1, text, shown)
				}
			}
		}
		if n < len(f.pages)-2 && !slices.Contains(page, "Carried forward") {
			t.Errorf("page %d does not carry its sum", n+1)
		}
	}
	if shown != 200 {
		t.Errorf("%d of 200 lines are shown", shown)
	}
	wantTexts(t, f, "Total $20,100.00")
}

// Whatever the length of a text, none of it is lost and the file has an end.
func TestInvoice_TextsOfAnyLengthAreDrawnWhole(t *testing.T) {
	word := strings.Repeat("Donaudampfschifffahrt", 400)
	sentence := strings.Repeat("Lorem ipsum dolor sit amet ", 3000)
	doc := sample("USD", line(word, "999999999999999.999999999999", "999999999999999.999999999999"), line(sentence, "1", "1"), line(" \n\t", "1", "1"))
	notes := word + "\n\n" + sentence
	doc.Invoice.Notes = &notes
	doc.Invoice.Number = strings.Repeat("RE/2026/", 31)
	f := readFile(t, draw(t, doc))
	pages := ""
	for _, page := range f.pages {
		texts := page[:len(page)-2] // the foot
		if i := slices.Index(texts, "DESCRIPTION"); i > 0 && strings.HasSuffix(texts[0], "…") {
			texts = texts[i:]
		} else if strings.HasSuffix(texts[0], "…") {
			texts = texts[1:]
		}
		pages += strings.Join(slices.DeleteFunc(slices.Clone(texts), func(s string) bool {
			return slices.Contains([]string{"#", "DESCRIPTION", "QUANTITY", "UNIT PRICE", "AMOUNT USD"}, s)
		}), "")
	}
	for _, want := range []string{word, sentence, doc.Invoice.Number, "999,999,999,999,999.999999999999"} {
		if !strings.Contains(withoutSpaces(pages), withoutSpaces(want)) {
			t.Errorf("%.40q… is not whole", want)
		}
	}
}

func TestInvoice_PartiesCannotPushTheTableOffThePage(t *testing.T) {
	long := strings.Repeat("Wide ", 40)
	doc := sample("USD", line("Work", "1", "10"))
	party := xyra.Party{Name: strings.Repeat(long, 8), Address: []string{long, long, long, long, long, long, long, long}, TaxID: long, Email: long}
	doc.Seller, doc.Customer = party, party
	doc.Invoice.Number = strings.Repeat("W", 255)
	f := readFile(t, draw(t, doc))
	if len(f.pages) != 1 || !slices.Contains(f.pages[0], "Work") {
		t.Errorf("%d pages: %q", len(f.pages), f.pages)
	}
}

func TestInvoice_AmountsOfEveryCurrencyHaveGlyphs(t *testing.T) {
	known := 0
	for n := range 26 * 26 * 26 {
		code, ok := money.ParseCurrency(string([]byte{byte('A' + n/676), byte('A' + n/26%26), byte('A' + n%26)}))
		if !ok {
			continue
		}
		known++
		for _, locale := range []string{"", "de", "fr-CH", "pl", "sv", "ru", "th", "ar-EG"} {
			doc := sample(code)
			doc.Locale = locale
			p := printed{Document: doc, sheet: &sheet{}}
			if text := p.amount(money.MustParse("-1234567.5")); !p.fonts.draws(text) && locale != "ar-EG" {
				t.Errorf("%s in %q: %q cannot be drawn", code, locale, text)
			}
		}
	}
	if known < 150 {
		t.Errorf("only %d currencies", known)
	}
	for _, code := range []money.Currency{"JPY", "KWD", "INR", "EUR"} {
		amount := code.Round(money.MustParse("1234567.5"))
		for _, locale := range []string{"", "ar-EG"} { // Arabic digits cannot be drawn: English ones are
			doc := sample(code, line("Work", "1", "1234567.5"))
			doc.Locale = locale
			wantTexts(t, readFile(t, draw(t, doc)), "Total "+code.Format(amount, ""), code.FormatBare(amount, ""))
		}
	}
}
