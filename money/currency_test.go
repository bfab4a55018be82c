package money

import "testing"

func TestParseCurrency_FoldsCaseAndKnowsActiveCodes(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]Currency{"usd": "USD", "EUR": "EUR", "jPy": "JPY", "kwd": "KWD", "xdr": "XDR", "zwg": "ZWG"} {
		if got, ok := ParseCurrency(in); !ok || got != want {
			t.Errorf("ParseCurrency(%q) = %q, %t", in, got, ok)
		}
	}
	for _, in := range []string{"", "US", "USDT", " usd", "usd ", "ABC", "XXX", "XTS", "DEM", "BTC", "12A", "€", "ıNR", "uſd"} {
		if got, ok := ParseCurrency(in); ok || got != "" {
			t.Errorf("ParseCurrency(%q) took it as %q", in, got)
		}
	}
}

func TestMinorUnits_FollowISO4217(t *testing.T) {
	t.Parallel()
	for places, codes := range [][]Currency{
		{"BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF", "XAU", "XDR"},
		nil,
		{"USD", "EUR", "GBP", "CHF", "HUF", "MGA", "MRU", "TWD", "IDR", "???"},
		{"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"},
		{"CLF", "UYW"},
	} {
		for _, c := range codes {
			if c.MinorUnits() != places {
				t.Errorf("%s has %d places; want %d", c, c.MinorUnits(), places)
			}
		}
	}
}

func TestMinorUnits_EveryCodeIsThreeCapitals(t *testing.T) {
	t.Parallel()
	for code := range minorUnits {
		if c, ok := ParseCurrency(string(code)); !ok || c != code || len(code) != 3 {
			t.Errorf("%q", code)
		}
	}
	if len(minorUnits) != 176 {
		t.Errorf("%d codes; a change of the list changes this number too", len(minorUnits))
	}
}

func TestRound_EndsAtTheMinorUnit(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		currency Currency
		in, want string
	}{
		{"USD", "1.005", "1.01"}, {"EUR", "-1.005", "-1.01"}, {"JPY", "7.5", "8.0"}, {"KWD", "0.0005", "0.001"},
		{"USD", "299.97", "299.97"}, {"USD", "0.004999999999", "0.0"}, {"CLF", "1.00005", "1.0001"},
	} {
		if got := c.currency.Round(MustParse(c.in)).String(); got != c.want {
			t.Errorf("%s %s rounds to %s; want %s", c.currency, c.in, got, c.want)
		}
	}
}
