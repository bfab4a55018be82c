package money

import (
	"strings"
	"unicode"

	"github.com/bojanz/currency"
)

// Format writes an amount as people of a locale ("en", "de-CH") read it: "€1,234.50", "1.234,50 €". It has at least the
// currency's minor units and every further digit of d: nothing is rounded. The empty locale is English.
func (c Currency) Format(d Decimal, locale string) string {
	if !currency.IsValid(string(c)) {
		return string(c) + "\u00a0" + c.FormatBare(d, locale)
	}
	return format(d, string(c), c.MinorUnits(), currency.DisplaySymbol, c.locale(locale))
}

// FormatBare is Format without the currency's sign, for the columns of a table that names the currency.
func (c Currency) FormatBare(d Decimal, locale string) string {
	return format(d, "USD", c.MinorUnits(), currency.DisplayNone, c.locale(locale))
}

// FormatCount writes a quantity in the currency's grouping with the digits it has: "12,000", "0.5".
func (c Currency) FormatCount(d Decimal, locale string) string {
	return format(d, "USD", 0, currency.DisplayNone, c.locale(locale))
}

// locale is English as it is written where c is money, unless another one is wished.
func (c Currency) locale(wished string) currency.Locale {
	switch {
	case wished != "":
		return currency.NewLocale(wished)
	case c == "INR":
		return currency.NewLocale("en-IN")
	}
	return currency.NewLocale("en")
}

// digitsFormatted is how many digits of a whole part the library formats without rounding or an exponent.
const digitsFormatted = 36

// format leaves the whole part, the sign and the currency to the library. It would round a long fraction, or write it
// with an exponent, so it formats a fraction of one digit, for which every digit is put in.
func format(d Decimal, code string, places int, display currency.Display, locale currency.Locale) string {
	whole, fraction, _ := strings.Cut(d.Plain(), ".")
	if len(fraction) < places {
		fraction += strings.Repeat("0", places-len(fraction))
	}
	number := whole
	f := currency.NewFormatter(locale)
	f.CurrencyDisplay = display
	if f.MinDigits, f.MaxDigits = 0, 0; fraction != "" {
		f.MinDigits, f.MaxDigits = 1, 1
		number += ".1"
	}
	amount, err := currency.NewAmount(number, code)
	if err != nil || len(whole) > digitsFormatted {
		return strings.TrimSuffix(whole+"."+fraction, ".")
	}
	text := []rune(f.Format(amount))
	for n := len(text) - 1; n >= 0 && fraction != ""; n-- {
		if unicode.IsDigit(text[n]) {
			zero := text[n] - 1
			digits := strings.Map(func(r rune) rune { return zero + r - '0' }, fraction)
			return string(text[:n]) + digits + string(text[n+1:])
		}
	}
	return string(text)
}
