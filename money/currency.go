package money

import "strings"

// Currency is an ISO 4217 code in upper case. Amounts of two currencies are never added.
type Currency string

// ParseCurrency takes a code in any case. It is false for what is not an active
// ISO 4217 code, and for XXX (no currency) and XTS (tests), in which nobody pays.
func ParseCurrency(s string) (Currency, bool) {
	if len(s) != 3 {
		return "", false
	}
	c := Currency(strings.ToUpper(s))
	if _, active := minorUnits[c]; !active {
		return "", false
	}
	return c, true
}

// MinorUnits returns how many decimal places an amount of c has: USD 2, JPY 0,
// KWD 3. Metals and accounting units, which have no minor unit, are whole: 0.
// A code that is not active counts as having 2.
func (c Currency) MinorUnits() int {
	if places, active := minorUnits[c]; active {
		return places
	}
	return 2
}

// Round rounds d to the minor unit of c, a half away from zero.
func (c Currency) Round(d Decimal) Decimal { return d.RoundHalfAway(c.MinorUnits()) }

// minorUnits is the active list of ISO 4217 with amendments up to the euro of
// Bulgaria (2026), and is never changed.
var minorUnits = currencies(
	"BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF "+
		"XAG XAU XBA XBB XBC XBD XDR XPD XPT XSU XUA",
	"",
	"AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP "+
		"BYN BZD CAD CDF CHE CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB "+
		"EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES "+
		"KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR "+
		"MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD "+
		"RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP "+
		"TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD XCD XCG YER ZAR ZMW ZWG",
	"BHD IQD JOD KWD LYD OMR TND",
	"CLF UYW",
)

// currencies takes the codes with 0, 1, 2 … decimal places.
func currencies(codesByPlaces ...string) map[Currency]int {
	table := make(map[Currency]int)
	for places, codes := range codesByPlaces {
		for code := range strings.FieldsSeq(codes) {
			table[Currency(code)] = places
		}
	}
	return table
}
