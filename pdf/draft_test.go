package pdf

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"xyra"
)

// A draft says that it is one, on every page and in its title, and has neither number nor due date.
func TestInvoice_DraftsAreMarkedOnEveryPage(t *testing.T) {
	doc := many(60)
	doc.Invoice.Status, doc.Invoice.Number, doc.Open = xyra.InvoiceDraft, "", true
	raw := draw(t, doc)
	f := readFile(t, raw)
	for n, page := range f.pages {
		if !slices.Contains(page, "DRAFT") {
			t.Errorf("page %d: %q", n+1, page)
		}
	}
	wantTexts(t, f, "Draft invoice", "As of 1 August 2026", "Status Draft: the period is not over", "Draft invoice, 1 July 2026 – 31 July 2026, continued")
	for _, text := range []string{"Invoice number", "Issue date", "Due date", "PAID", "CANCELLED"} {
		if strings.Contains(f.text(), withoutSpaces(text)) {
			t.Errorf("%q is on a draft", text)
		}
	}
	doc.Open = false
	if text := readFile(t, draw(t, doc)).text(); strings.Contains(text, "notover") {
		t.Errorf("the period is over: %s", text)
	}
	if !bytes.Contains(raw, inFile("Draft invoice, 1 July 2026 – 31 July 2026")) {
		t.Error("the file's title is not that of a draft")
	}
}

// inFile is a text as a file's own data hold it.
func inFile(s string) []byte {
	raw := []byte{0xfe, 0xff}
	for _, unit := range utf16.Encode([]rune(s)) {
		raw = append(raw, byte(unit>>8), byte(unit))
	}
	return raw
}

// A program that lists or reads the file aloud finds its title, its language, and the texts in the order of reading.
func TestInvoice_TitleLanguageAndOrderOfReading(t *testing.T) {
	raw := draw(t, sample("EUR", line("First", "1", "10"), line("Second", "2", "20")))
	for _, want := range [][]byte{inFile("Invoice INV-20260801-4F2A"), inFile("Nordlicht Agents GmbH"), []byte("/Lang (en)")} {
		if !bytes.Contains(raw, want) {
			t.Errorf("%q is not in the file", want)
		}
	}
	text, at := strings.Join(readFile(t, raw).pages[0], " "), 0
	for _, want := range []string{"Nordlicht Agents GmbH", "Invoice", "BILLED TO", "Łódzka", "Invoice number", "Issue date", "Due date", "DESCRIPTION", "AMOUNT EUR",
		"1 First 1 10.00 10.00", "2 Second 2 20.00 40.00", "Subtotal €50.00", "Total €50.00", "Amount due €50.00", "Page 1 of 1"} {
		next := strings.Index(text[at:], want)
		if next < 0 {
			t.Fatalf("%q does not come after %q in %q", want, text[:at], text)
		}
		at += next + len(want)
	}
}
