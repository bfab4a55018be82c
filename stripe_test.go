package xyra_test

import (
	"testing"

	"xyra"
	"xyra/money"
)

// Amounts at Stripe are in its own units, which are not the currency's in a few cases; what it cannot charge exactly is
// rounded to the nearest that it can.
func TestStripeAmount_IsInStripesUnits(t *testing.T) {
	for _, c := range []struct {
		currency money.Currency
		amount   string
		units    int64
		charged  string
	}{
		{"USD", "10.5", 1050, "10.5"}, {"EUR", "0.01", 1, "0.01"}, {"JPY", "500", 500, "500"}, {"KRW", "1000", 1000, "1000"},
		{"ISK", "1500", 150000, "1500"}, {"UGX", "3700", 370000, "3700"}, {"HUF", "100.25", 10025, "100.25"}, {"TWD", "10.5", 1050, "10.5"},
		{"KWD", "5.124", 5120, "5.12"}, {"BHD", "5.125", 5130, "5.13"}, {"TND", "5.126", 5130, "5.13"}, {"OMR", "1", 1000, "1"}, {"JOD", "0.004", 0, "0"},
		{"MGA", "10.5", 11, "11"}, {"BIF", "7", 7, "7"}, {"CLP", "7", 7, "7"}, {"VND", "9", 9, "9"}, {"XPF", "9", 9, "9"},
		{"USD", "-1", -100, "-1"},
	} {
		amount := money.MustParse(c.amount)
		units, ok := xyra.StripeAmount(c.currency, amount)
		if !ok || units != c.units {
			t.Errorf("%s %s is %d, %t, want %d", c.amount, c.currency, units, ok, c.units)
		}
		charged := xyra.StripeCharge(c.currency, amount)
		if charged.Plain() != c.charged || !xyra.FromStripeAmount(c.currency, units).Equal(charged) {
			t.Errorf("%s %s is charged as %s, read back as %s", c.amount, c.currency, charged, xyra.FromStripeAmount(c.currency, units))
		}
	}
	if _, ok := xyra.StripeAmount("USD", money.MustParse("999999999999999").Mul(money.FromInt(1000000))); ok {
		t.Error("an amount beyond 64 bits fits")
	}
}

// A session never goes back to an earlier state, whatever order events come in.
func TestCheckoutStatus_OnlyGoesForward(t *testing.T) {
	all := []xyra.CheckoutStatus{xyra.CheckoutOpen, xyra.CheckoutProcessing, xyra.CheckoutExpired, xyra.CheckoutFailed, xyra.CheckoutComplete}
	for _, from := range all {
		for _, to := range all {
			if from.May(to) && to.May(from) || from == to && from.May(to) {
				t.Errorf("%s and %s lead to each other", from, to)
			}
		}
		if xyra.CheckoutComplete.May(from) {
			t.Errorf("a complete session becomes %s", from)
		}
	}
}

// What goes back is taken from credit as far as there is any, and from the invoice beyond that; it always adds up.
func TestSettlement_GivesBackCreditFirst(t *testing.T) {
	for _, c := range [][5]string{ // amount, credited, balance, then applied and credited
		{"5", "0", "0", "-5", "0"}, {"5", "10", "10", "0", "-5"}, {"5", "2", "10", "-3", "-2"}, {"5", "10", "2", "-3", "-2"}, {"5", "10", "-1", "-5", "0"},
		{"5", "-3", "4", "-5", "0"},
	} {
		s := xyra.Settlement{Credited: money.MustParse(c[1])}
		applied, credited := s.GiveBack(money.MustParse(c[0]), money.MustParse(c[2]))
		if applied.Plain() != c[3] || credited.Plain() != c[4] {
			t.Errorf("%v: %s and %s", c, applied, credited)
		}
	}
}
