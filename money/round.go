package money

import (
	"math"
	"math/big"
)

// RoundHalfAway returns d with at most so many decimal places, a half rounded
// away from zero: 1.005 gives 1.01 and -1.005 gives -1.01 at two places.
// It panics when places is negative.
func (d Decimal) RoundHalfAway(places int) Decimal {
	if places < 0 {
		panic("money: negative places")
	}
	if int64(places) >= int64(d.scale) {
		return d
	}
	drop := d.scale - int32(places)
	if d.wide == nil && drop < int32(len(pow10)) {
		return Decimal{coef: quoHalfAway(d.coef, pow10[drop]), scale: int32(places)}
	}
	return fromBig(bigQuoHalfAway(d.coefficient(), bigPow10(drop)), int32(places))
}

// QuoHalfAway returns d ÷ e with at most so many decimal places, a half rounded
// away from zero. It panics when e is 0 or places is negative.
func (d Decimal) QuoHalfAway(e Decimal, places int) Decimal {
	if e.IsZero() {
		panic("money: division by zero")
	}
	if places < 0 || places > math.MaxInt16 {
		panic("money: places out of range")
	}
	// d/e × 10^places is one quotient of integers; a negative exponent belongs to the divisor.
	exponent := int32(places) + e.scale - d.scale
	if d.wide == nil && e.wide == nil {
		dividend, divisor, fits := d.coef, e.coef, false
		if exponent >= 0 {
			dividend, fits = scaleUp(d.coef, exponent)
		} else {
			divisor, fits = scaleUp(e.coef, -exponent)
		}
		if fits {
			return Decimal{coef: quoHalfAway(dividend, divisor), scale: int32(places)}
		}
	}
	dividend, divisor := d.coefficient(), e.coefficient()
	if exponent >= 0 {
		dividend = new(big.Int).Mul(dividend, bigPow10(exponent))
	} else {
		divisor = new(big.Int).Mul(divisor, bigPow10(-exponent))
	}
	return fromBig(bigQuoHalfAway(dividend, divisor), int32(places))
}

// quoHalfAway needs both within ±math.MaxInt64.
func quoHalfAway(dividend, divisor int64) int64 {
	quotient, rest := dividend/divisor, dividend%divisor
	if 2*magnitude(rest) >= magnitude(divisor) {
		if (dividend < 0) != (divisor < 0) {
			return quotient - 1
		}
		return quotient + 1
	}
	return quotient
}

func bigQuoHalfAway(dividend, divisor *big.Int) *big.Int {
	quotient, rest := new(big.Int).QuoRem(dividend, divisor, new(big.Int))
	if rest.Lsh(rest, 1).CmpAbs(divisor) >= 0 {
		away := int64(dividend.Sign() * divisor.Sign())
		quotient.Add(quotient, big.NewInt(away))
	}
	return quotient
}
