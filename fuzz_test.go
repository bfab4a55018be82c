package xyra_test

import (
	"testing"
	"time"

	"xyra"
	"xyra/money"
)

// In every time zone, an instant is within the span of its period, and neither end of the span is of another month's.
func FuzzPeriod(f *testing.F) {
	for _, zone := range []string{"UTC", "Europe/Berlin", "America/St_Johns", "Pacific/Apia", "Africa/Cairo", "Asia/Kathmandu", "Pacific/Kiritimati", "Antarctica/Troll", "Local", "../x", ""} {
		f.Add(zone, int64(1_711_846_800_000_000))
		f.Add(zone, int64(1_325_239_199_999_999))
	}
	f.Fuzz(func(t *testing.T, name string, micros int64) {
		zone, err := time.LoadLocation(name)
		if err != nil || micros < -60_000_000_000_000_000 || micros > 250_000_000_000_000_000 {
			return // years that the contract's texts can write
		}
		at := xyra.FromMicros(micros)
		p := xyra.PeriodOf(at, zone)
		from, to := p.Span(zone)
		if at.Before(from) || !at.Before(to) {
			t.Fatalf("%s in %s is of %s, from %s to %s", at, name, p, from, to)
		}
		if before := xyra.PeriodOf(from.Add(-time.Microsecond), zone); before >= p || xyra.PeriodOf(to, zone) <= p {
			t.Fatalf("%s in %s borders on %s and %s", p, name, before, xyra.PeriodOf(to, zone))
		}
	})
}

// A currency is three capital letters that are known, in whatever case it is written; an amount that Stripe can charge is the same one back.
func FuzzCurrency(f *testing.F) {
	for _, code := range []string{"EUR", "jpy", "KWD", "UGX", "xxx", "€", "", "usd "} {
		f.Add(code, int64(12345))
	}
	f.Fuzz(func(t *testing.T, code string, units int64) {
		c, known := money.ParseCurrency(code)
		if !known || units < 0 {
			return
		}
		if again, ok := money.ParseCurrency(string(c)); !ok || again != c || len(c) != 3 {
			t.Fatalf("%q is %q", code, c)
		}
		charged, ok := xyra.StripeAmount(c, xyra.FromStripeAmount(c, units)) // Stripe wants some currencies in tens or hundreds
		if back, again := xyra.StripeAmount(c, xyra.FromStripeAmount(c, charged)); ok && (!again || back != charged) {
			t.Fatalf("%d %s at Stripe is %d and then %d", units, c, charged, back)
		}
	})
}
