package pdf

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"xyra"
)

// payloads are texts that some reader of a file could take for more than text.
var payloads = []string{
	`=1+1`, `=cmd|'/C calc'!A0`, `+1+1`, `-1+1`, `@SUM(1)`, "\t=1+1", "\r=1+1", `＝1+1`,
	`<script>alert(1)</script>`, `<img src=x onerror=alert(1)>`, `"><svg/onload=alert(1)>`, `{{7*7}}`, `{nb}`, `${7*7}`,
	`) Tj ET Q BT (hidden) Tj`, `\) Tj`, `\051 Tj (x`, `(((((`, `endstream endobj`,
	`/JS (app.alert(1))`, `/URI (http://192.0.2.1/)`, `/Launch (cmd.exe)`, `javascript:alert(1)`,
	"x\r\nSet-Cookie: a=b", "a\u202efdp.exe\u2066\x1b[31m\x00b",
}

// fields are the texts of an invoice that people choose.
var fields = map[string]func(*Document, string){
	"number":           func(d *Document, s string) { d.Invoice.Number = s },
	"notes":            func(d *Document, s string) { d.Invoice.Notes = &s },
	"payment method":   func(d *Document, s string) { d.Invoice.PaymentMethod = &s },
	"description":      func(d *Document, s string) { d.Invoice.Lines[0].Description = s },
	"seller":           func(d *Document, s string) { d.Seller.Name = s },
	"seller address":   func(d *Document, s string) { d.Seller.Address = []string{s} },
	"seller tax id":    func(d *Document, s string) { d.Seller.TaxID = s },
	"seller email":     func(d *Document, s string) { d.Seller.Email = s },
	"customer":         func(d *Document, s string) { d.Customer.Name = s },
	"customer address": func(d *Document, s string) { d.Customer.Address = []string{s} },
	"customer tax id":  func(d *Document, s string) { d.Customer.TaxID = s },
	"customer email":   func(d *Document, s string) { d.Customer.Email = s },
	"payment link":     func(d *Document, s string) { s = "https://pay.example/" + s; d.Invoice.Stripe.PaymentLink = &s },
}

var active = regexp.MustCompile(`/(JS|JavaScript|URI|Launch|AA|OpenAction|Annots?|AcroForm|XFA|GoTo[RE]?|SubmitForm|RichMedia|Filespec|EF)\b`)

// XYRA_TEST_LONG draws each text in each field; else each is in some fields, and each field has some.
func TestInvoice_TextIsDrawnAndNeverInterpreted(t *testing.T) {
	long, cell := os.Getenv("XYRA_TEST_LONG") != "", 0
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		set := fields[name]
		for _, payload := range payloads {
			if cell++; !long && cell%6 != 0 {
				continue
			}
			doc := sample("USD", line("Work", "1", "10"))
			set(&doc, payload)
			f := readFile(t, draw(t, doc))
			if found := active.Find(f.skeleton); found != nil {
				t.Errorf("%s %q: the file has %s", name, payload, found)
			}
			if bytes.Count(f.skeleton, []byte("\nendobj")) != bytes.Count(f.skeleton, []byte(" 0 obj\n")) {
				t.Errorf("%s %q: objects do not match", name, payload)
			}
			shown := strings.Map(func(r rune) rune { // fonts without a glyph for the wide sign
				if r == '＝' {
					return '\ufffd'
				}
				return r
			}, readable(payload))
			if !strings.Contains(f.text(), withoutSpaces(shown)) || strings.ContainsAny(f.text(), "\u202e\u2066\x1b\x00\r\n") {
				t.Errorf("%s %q is not drawn as it is: %s", name, payload, f.text())
			}
		}
	}
}

func TestInvoice_OnlyHTTPSIsALink(t *testing.T) {
	for _, link := range []string{"javascript:alert(1)", "http://pay.example/", "tel:+1900", ""} {
		doc := sample("USD", line("Work", "1", "10"))
		doc.Invoice.Stripe.PaymentLink = &link
		if text := readFile(t, draw(t, doc)).text(); strings.Contains(text, "PAYONLINE") {
			t.Errorf("%q is offered: %s", link, text)
		}
	}
}

func TestInvoice_MissingGlyphsAreSeen(t *testing.T) {
	doc := sample("JPY", line("東京 Café e\u0301 😀 עברית", "1", "10"))
	wantTexts(t, readFile(t, draw(t, doc)), "\ufffd\ufffd Café é \ufffd \ufffd\ufffd\ufffd\ufffd\ufffd")
}

func TestReadFonts_FurtherFontDrawsWhatNotoSansLacks(t *testing.T) {
	fonts, err := ReadFonts(withHan(t))
	if err != nil {
		t.Fatal(err)
	}
	doc := sample("JPY", line("日旦 Café 日 ü", "1", "10"))
	doc.Fonts = fonts
	raw := draw(t, doc)
	wantTexts(t, readFile(t, raw), "日旦 Café 日 ü")
	if runs := fonts.runs("日旦 Café 日 ü", true); len(runs) != 4 || runs[0].face.family != "further1odd" || runs[1].text != " Café " {
		t.Errorf("runs %v", runs)
	}
	if !bytes.Contains(raw, []byte("utf8further1odd")) || bytes.Contains(draw(t, sample("JPY", line("x", "1", "1"))), []byte("further1")) {
		t.Error("a further font is embedded when, and only when, it is used")
	}
	if !bytes.Equal(raw, draw(t, doc)) {
		t.Error("other bytes the second time")
	}
}

// The drawing library's time grows with the cube of how many successive characters one font has to show.
func TestReadFonts_NoFontShowsManySuccessiveCharacters(t *testing.T) {
	all := &face{family: "all", widths: slices.Repeat([]uint16{1001}, 0xffff)}
	odd := *all
	odd.family = "odd"
	fonts := Fonts{further: [][2]*face{{all, &odd}}}
	var text strings.Builder
	for r := rune(0x4e00); r < 0x9fff; r++ {
		text.WriteRune(r)
	}
	for _, run := range fonts.runs(text.String(), false) {
		if n := len([]rune(run.text)); n > 256 {
			t.Fatalf("%d successive characters in %s", n, run.face.family)
		}
	}
}

// withHan is Noto Sans with one of its ranges of characters above the Han characters moved into them.
func withHan(t *testing.T) []byte {
	t.Helper()
	raw := slices.Clone(embedded()[0].raw)
	at := func(n int) int { return int(binary.BigEndian.Uint16(raw[n:])) }
	for entry := range at(4) {
		if record := 12 + 16*entry; string(raw[record:record+4]) == "cmap" {
			cmap := int(binary.BigEndian.Uint32(raw[record+8:]))
			for sub := range at(cmap + 2) {
				begin := cmap + int(binary.BigEndian.Uint32(raw[cmap+4+8*sub+4:]))
				moveRange(raw, begin, at(begin+6))
			}
		}
	}
	return raw
}

// moveRange lets the first range beyond U+9FFF of a format 4 table be 日旦 instead.
func moveRange(raw []byte, begin, twice int) {
	for n := 0; n < twice; n += 2 {
		first := begin + 16 + twice + n
		if code := binary.BigEndian.Uint16(raw[first:]); code > 0x9fff && binary.BigEndian.Uint16(raw[begin:]) == 4 {
			binary.BigEndian.PutUint16(raw[begin+14+n:], 0x65e6)
			binary.BigEndian.PutUint16(raw[first:], 0x65e5)
			binary.BigEndian.PutUint16(raw[first+twice:], 0xffff-0x65e5+37+1) // 日 becomes glyph 37, 旦 the next
			binary.BigEndian.PutUint16(raw[first+2*twice:], 0)
			return
		}
	}
}

func TestReadFonts_RefusesWhatCannotBeEmbedded(t *testing.T) {
	raw := embedded()[0].raw
	otf := slices.Clone(raw)
	copy(otf, "OTTO")
	collection := append([]byte("ttcf"), raw...)
	for name, bad := range map[string][]byte{"nothing": nil, "text": []byte("hello, this is no font"), "PostScript outlines": otf, "collection": collection,
		"beginning alone": raw[:400], "half": raw[:len(raw)/2]} {
		if _, err := ReadFonts(bad); err == nil {
			t.Errorf("%s is taken for a font", name)
		}
	}
	wild := withHan(t)
	wild = bytes.Replace(wild, binary.BigEndian.AppendUint16(nil, 0xffff-0x65e5+37+1), binary.BigEndian.AppendUint16(nil, 0xffff-0x65e5), 1)
	if _, err := ReadFonts(wild); err == nil {
		t.Error("a font with a glyph that does not exist is taken")
	}
	for n := 0; n < 300; n += 7 { // damage of the tables' places may be refused or not, and never ends the program
		damaged := slices.Clone(raw)
		damaged[n] ^= 0xff
		if fonts, err := ReadFonts(damaged); err == nil {
			doc := sample("JPY", line("\ua640 x", "1", "1"))
			doc.Fonts = fonts
			draw(t, doc)
		}
	}
}

func TestWrap_LinesFitAndLoseNothing(t *testing.T) {
	f := Fonts{}
	for _, text := range []string{"", " ", "a b c", strings.Repeat("word ", 100), strings.Repeat("W", 500), "long" + strings.Repeat("x", 300) + " tail\nnext\n\nlast",
		strings.Repeat("東京", 200), "no\u00a0break " + strings.Repeat("a\u00a0", 80)} {
		lines := f.wrap(text, faceText, 50)
		for _, line := range lines {
			if f.width(line, faceText) > 50 {
				t.Errorf("%q is wider than its line", line)
			}
		}
		if got := withoutSpaces(strings.Join(lines, "")); got != withoutSpaces(text) {
			t.Errorf("%q became %q", text, lines)
		}
	}
	if got := fmt.Sprintf("%q", f.wrap("one two three", faceText, f.width("one two", faceText)+0.01)); got != `["one two" "three"]` {
		t.Errorf("got %s", got)
	}
}

func TestPrintableText_TakesOutWhatSteers(t *testing.T) {
	for in, want := range map[string]string{"a\tb\r\nc": "a b\nc", "soft\u00adhyphen\u200bzero\ufeff": "softhyphenzero", "\u202egpj\u202c": "\ufffdgpj\ufffd",
		"\x00\x1b\x7f\u0080": "\ufffd\ufffd\ufffd\ufffd", "\ue000": "\ufffd", "é日😀": "é日😀"} {
		if got := xyra.PrintableText(in); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

func BenchmarkInvoice(b *testing.B) {
	doc := sample("EUR", line("Work", "1", "10"), line("More work", "2", "20"))
	b.ReportAllocs()
	for b.Loop() {
		draw(b, doc)
	}
}
