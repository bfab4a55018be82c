package money

import (
	"strings"
	"testing"
)

func TestFormat_WritesAmountsAsPeopleReadThem(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		currency     Currency
		amount       string
		locale, want string
	}{
		{"USD", "1234567.5", "", "$1,234,567.50"},
		{"USD", "-0.5", "", "-$0.50"},
		{"USD", "0", "", "$0.00"},
		{"USD", "0.000000000001", "", "$0.000000000001"},
		{"EUR", "-1234.5", "", "-€1,234.50"},
		{"EUR", "1234.5", "de", "1.234,50 €"},
		{"EUR", "1234567.005", "fr", "1 234 567,005 €"},
		{"CHF", "1234567.5", "de-CH", "CHF 1'234'567.50"},
		{"JPY", "1234567", "", "¥1,234,567"},
		{"JPY", "0.25", "", "¥0.25"},
		{"KWD", "1234.5", "", "KWD 1,234.500"},
		{"INR", "1234567.5", "", "₹12,34,567.50"},
		{"INR", "1234567.5", "en", "₹1,234,567.50"},
		{"CLF", "1.5", "", "CLF 1.5000"},
		{"XAU", "1234", "", "XAU 1,234"},
		{"BHD", "-1.5", "", "-BHD 1.500"},
		{"INR", "1234567.5", "hi", "₹12,34,567.50"},
		{"EUR", "1234.5", "ar-EG", "\u200f١٬٢٣٤٫٥٠ €"},
		{"USD", "123456789012345678901234567890.12345678901234567890123456", "", "$123,456,789,012,345,678,901,234,567,890.12345678901234567890123456"},
	} {
		got := strings.NewReplacer("\u00a0", " ", "\u202f", " ").Replace(c.currency.Format(exactly(t, c.amount), c.locale))
		if got != c.want {
			t.Errorf("%s %s in %q is %q; want %q", c.currency, c.amount, c.locale, got, c.want)
		}
	}
}

func TestFormat_KeepsEveryDigitOfEveryCurrency(t *testing.T) {
	t.Parallel()
	digits := func(s string) string {
		return strings.Map(func(r rune) rune {
			if r == '-' || r >= '0' && r <= '9' || r == '.' {
				return r
			}
			return -1
		}, s)
	}
	for code := range minorUnits {
		for _, amount := range []string{"0", "-1", "999999999999999.999999999999", "-0.000000000001", "9223372036854775808", "1000000"} {
			d := exactly(t, amount)
			places := func(s string) int { _, f, _ := strings.Cut(s, "."); return len(f) }
			for _, text := range []string{code.Format(d, ""), code.FormatBare(d, "")} {
				text = strings.ReplaceAll(text, "Cg.", "") // the sign of XCG
				back, err := ParseExact(digits(text))
				if err != nil || !back.Equal(d) || places(text) != max(places(d.Plain()), code.MinorUnits()) {
					t.Errorf("%s %s is written %q", code, amount, text)
				}
			}
			if back, err := ParseExact(digits(code.FormatCount(d, ""))); err != nil || !back.Equal(d) {
				t.Errorf("count %s in %s is written %q", amount, code, code.FormatCount(d, ""))
			}
		}
	}
}

// exactly reads a number of any length.
func exactly(t *testing.T, s string) Decimal {
	t.Helper()
	d, err := ParseExact(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}
