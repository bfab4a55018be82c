package pdf

import (
	"strings"
	"testing"

	"xyra"
)

// Any text in any place of an invoice makes a whole PDF, without an action, a link or a script.
func FuzzInvoiceText(f *testing.F) {
	for _, text := range []string{"(a) Tj ET\\", "<b>x</b>", "\u202eabc\u0000", "אבג 123 abc", "हिन्दी", "日本語", strings.Repeat("W", 500), "a\n\nb\tc", "\xff\xfe", "-0", "/JS (x)"} {
		f.Add(text, "https://pay.example/"+text)
	}
	f.Fuzz(func(t *testing.T, text, link string) {
		if len(text) > 2000 || len(link) > 3000 {
			return
		}
		doc := sample("EUR", line(text, "1.5", "2"))
		doc.Invoice.Number, doc.Invoice.Notes, doc.Invoice.Stripe.PaymentLink = text, &text, &link
		doc.Seller, doc.Customer = xyra.Party{Name: text, Address: []string{text}, TaxID: text, Email: text}, xyra.Party{Name: text, Address: []string{link}}
		doc.Locale = text
		read := readFile(t, draw(t, doc))
		if len(read.pages) == 0 {
			t.Fatalf("%q draws nothing", text)
		}
		for _, active := range []string{"/JavaScript", "/JS", "/URI", "/Launch", "/OpenAction", "/Annots", "/AA", "/Filespec"} {
			if strings.Contains(string(read.skeleton), active) {
				t.Fatalf("%q and %q make a file with %s", text, link, active)
			}
		}
	})
}

// A font whose bytes are damaged anywhere is refused, or is one that can be measured and drawn with.
func FuzzFont(f *testing.F) {
	f.Add(uint32(0), []byte{0, 1})
	f.Add(uint32(12), []byte("cmap"))
	f.Add(uint32(20), []byte{0xff, 0xff, 0xff, 0xff})
	f.Add(uint32(4), []byte{0xff, 0xff})
	f.Add(uint32(400_000), []byte{})
	sound := embeddedFace("Regular", "").raw
	f.Fuzz(func(t *testing.T, at uint32, damage []byte) {
		raw := append([]byte(nil), sound...)
		at %= uint32(len(raw))
		if copy(raw[at:], damage); len(damage) == 0 {
			raw = raw[:at]
		}
		made, err := newFace("X", "", raw)
		if err != nil {
			return
		}
		for _, r := range []rune{'a', 'ß', '日', 0xffff, 0x10ffff, -1} {
			if made.has(r) && made.width(r) < 0 {
				t.Fatalf("with %v at %d, %q has the width %f", damage, at, r, made.width(r))
			}
		}
	})
}
