package money

import (
	"math"
	"math/big"
	"math/bits"
)

// Decimal is an exact signed decimal number; the zero value is 0. Equal numbers
// may differ inside (2.5 and 2.50), so == does not compile: use Equal or Cmp.
type Decimal struct {
	_ [0]func()
	// The value is coefficient × 10^-scale, scale ≥ 0. The coefficient is wide
	// when that is set, else coef, which is never math.MinInt64: so a negation
	// cannot overflow. wide is never changed once a Decimal holds it.
	wide  *big.Int
	coef  int64
	scale int32
}

// FromInt returns v as a Decimal.
func FromInt(v int64) Decimal {
	if v == math.MinInt64 {
		return Decimal{wide: big.NewInt(v)}
	}
	return Decimal{coef: v}
}

// Add returns d + e with every digit.
func (d Decimal) Add(e Decimal) Decimal {
	if d.wide == nil && e.wide == nil {
		// A zero takes no part in finding the common scale: it would widen the other for nothing.
		if d.coef == 0 {
			return e
		}
		if e.coef == 0 {
			return d
		}
		if a, b, ok := align(d, e); ok {
			sum := a + b
			overflow := (a > 0) == (b > 0) && (sum > 0) != (a > 0)
			if !overflow && sum != math.MinInt64 {
				return Decimal{coef: sum, scale: max(d.scale, e.scale)}
			}
		}
	}
	scale := max(d.scale, e.scale)
	return fromBig(new(big.Int).Add(d.wideAt(scale), e.wideAt(scale)), scale)
}

// Sub returns d − e with every digit.
func (d Decimal) Sub(e Decimal) Decimal { return d.Add(e.Neg()) }

// Mul returns d × e with every digit.
func (d Decimal) Mul(e Decimal) Decimal {
	if d.wide == nil && e.wide == nil {
		if d.coef == 0 || e.coef == 0 {
			return Decimal{}
		}
		if product, ok := mulInt64(d.coef, e.coef); ok {
			return Decimal{coef: product, scale: d.scale + e.scale}
		}
	}
	return fromBig(new(big.Int).Mul(d.coefficient(), e.coefficient()), d.scale+e.scale)
}

// Neg returns −d.
func (d Decimal) Neg() Decimal {
	if d.wide != nil {
		return fromBig(new(big.Int).Neg(d.wide), d.scale)
	}
	return Decimal{coef: -d.coef, scale: d.scale}
}

// Abs returns d without its sign.
func (d Decimal) Abs() Decimal {
	if d.Sign() < 0 {
		return d.Neg()
	}
	return d
}

// Shift returns d × 10^n, exactly; a percentage becomes a factor by Shift(-2).
// It panics when the result would have more than a million places or zeros.
func (d Decimal) Shift(n int) Decimal {
	if d.IsZero() {
		return Decimal{}
	}
	const shiftMax = 1_000_000
	scale := int64(d.scale) - int64(n)
	if n > shiftMax || n < -shiftMax || scale > shiftMax {
		panic("money: shift out of range")
	}
	if scale >= 0 {
		return Decimal{wide: d.wide, coef: d.coef, scale: int32(scale)}
	}
	whole := Decimal{wide: d.wide, coef: d.coef}
	if d.wide == nil {
		if c, ok := scaleUp(d.coef, int32(-scale)); ok {
			return Decimal{coef: c}
		}
	}
	return fromBig(whole.wideAt(int32(-scale)), 0)
}

// Cmp returns -1, 0 or +1 as d is less than, equal to or greater than e, by value.
func (d Decimal) Cmp(e Decimal) int {
	if s, t := d.Sign(), e.Sign(); s != t || s == 0 {
		return compareInt(s, t)
	}
	if d.wide == nil && e.wide == nil {
		if a, b, ok := align(d, e); ok {
			return compareInt(a, b)
		}
	}
	scale := max(d.scale, e.scale)
	return d.wideAt(scale).Cmp(e.wideAt(scale))
}

// Equal tells whether d and e are the same number: 2.5 equals 2.50.
func (d Decimal) Equal(e Decimal) bool { return d.Cmp(e) == 0 }

// Sign returns -1, 0 or +1.
func (d Decimal) Sign() int {
	if d.wide != nil {
		return d.wide.Sign()
	}
	return compareInt(d.coef, 0)
}

// IsZero tells whether d is 0; encoding/json asks it for omitzero.
func (d Decimal) IsZero() bool { return d.Sign() == 0 }

// IsInt tells whether d has no fraction: 3 and 3.00 have none.
func (d Decimal) IsInt() bool {
	if d.wide == nil {
		if d.scale < int32(len(pow10)) {
			return d.coef%pow10[d.scale] == 0
		}
		// An int64 has at most 19 digits and none of them is a trailing zero run of 19.
		return d.coef == 0
	}
	return new(big.Int).Rem(d.wide, bigPow10(d.scale)).Sign() == 0
}

// Int64 returns d when it is whole and fits, else false.
func (d Decimal) Int64() (int64, bool) {
	if !d.IsInt() {
		return 0, false
	}
	if d.wide == nil {
		if d.coef == 0 {
			return 0, true
		}
		return d.coef / pow10[d.scale], true
	}
	whole := new(big.Int).Quo(d.wide, bigPow10(d.scale))
	return whole.Int64(), whole.IsInt64()
}

// pow10 holds the powers of ten that fit into an int64.
var pow10 = [...]int64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9,
	1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18}

func bigPow10(exponent int32) *big.Int {
	if exponent < int32(len(pow10)) {
		return big.NewInt(pow10[exponent])
	}
	return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(exponent)), nil)
}

// fromBig takes c over: the caller must not change it afterwards.
func fromBig(c *big.Int, scale int32) Decimal {
	if c.IsInt64() {
		if v := c.Int64(); v != math.MinInt64 {
			return Decimal{coef: v, scale: scale}
		}
	}
	return Decimal{wide: c, scale: scale}
}

// coefficient is for reading only: it may be d's own.
func (d Decimal) coefficient() *big.Int {
	if d.wide != nil {
		return d.wide
	}
	return big.NewInt(d.coef)
}

// wideAt returns the coefficient d has at a scale not below its own, for reading only.
func (d Decimal) wideAt(scale int32) *big.Int {
	if scale == d.scale || d.wide == nil && d.coef == 0 {
		return d.coefficient()
	}
	return new(big.Int).Mul(d.coefficient(), bigPow10(scale-d.scale))
}

// align returns both coefficients at the larger scale, or false when one leaves int64.
func align(d, e Decimal) (a, b int64, ok bool) {
	switch {
	case d.scale == e.scale:
		return d.coef, e.coef, true
	case d.scale < e.scale:
		a, ok = scaleUp(d.coef, e.scale-d.scale)
		return a, e.coef, ok
	default:
		b, ok = scaleUp(e.coef, d.scale-e.scale)
		return d.coef, b, ok
	}
}

func scaleUp(c int64, exponent int32) (int64, bool) {
	if exponent >= int32(len(pow10)) {
		return 0, c == 0
	}
	return mulInt64(c, pow10[exponent])
}

func mulInt64(a, b int64) (int64, bool) {
	hi, lo := bits.Mul64(magnitude(a), magnitude(b))
	if hi != 0 || lo > math.MaxInt64 {
		return 0, false
	}
	if (a < 0) != (b < 0) {
		return -int64(lo), true
	}
	return int64(lo), true
}

func magnitude(v int64) uint64 {
	if v < 0 {
		return uint64(-v)
	}
	return uint64(v)
}

func compareInt[T int | int64](a, b T) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	default:
		return 0
	}
}
