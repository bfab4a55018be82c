package money

import (
	"math"
	"math/big"
	"testing"
)

// edges are numbers on both sides of each boundary inside a Decimal.
var edges = []string{
	"0", "1", "-1", "0.1", "-0.1", "0.5", "-0.5", "2", "-2", "2.5", "10", "100.25", "0.000000000001",
	"999999999999999.999999999999", "-999999999999999.999999999999",
	"9223372036854775807", "9223372036854775808", "-9223372036854775807", "-9223372036854775808", "-9223372036854775809",
	"0.9223372036854775807", "-0.9223372036854775808", "1000000000000000000", "10000000000000000000", "1e30", "-1e-30",
	"4611686018427387904", "3037000500", "0.00000000000000000000000001", "123456789.123456789",
}

func rat(t testing.TB, d Decimal) *big.Rat {
	t.Helper()
	r, ok := new(big.Rat).SetString(d.String())
	if !ok {
		t.Fatalf("%s is not a number to math/big", d)
	}
	return r
}

func TestDecimal_ArithmeticAgreesWithRationalsAtEveryEdge(t *testing.T) {
	t.Parallel()
	for _, left := range edges {
		for _, right := range edges {
			checkPair(t, MustParse(left), MustParse(right))
		}
	}
}

// checkPair compares every operation on two numbers with math/big's rationals.
func checkPair(t testing.TB, d, e Decimal) {
	t.Helper()
	x, y := rat(t, d), rat(t, e)
	for _, c := range []struct {
		name string
		got  Decimal
		want *big.Rat
	}{
		{"+", d.Add(e), new(big.Rat).Add(x, y)},
		{"-", d.Sub(e), new(big.Rat).Sub(x, y)},
		{"×", d.Mul(e), new(big.Rat).Mul(x, y)},
		{"+, negated,", d.Add(e).Neg(), new(big.Rat).Neg(new(big.Rat).Add(x, y))},
		{"×, negated,", d.Mul(e).Neg(), new(big.Rat).Neg(new(big.Rat).Mul(x, y))},
		{"there and back", d.Add(e).Sub(e), x},
		{"negated", d.Neg(), new(big.Rat).Neg(x)},
		{"without sign", d.Abs(), new(big.Rat).Abs(x)},
		{"shifted back and forth", d.Shift(7).Shift(-9).Shift(2), x},
	} {
		if rat(t, c.got).Cmp(c.want) != 0 {
			t.Errorf("%s %s %s = %s; want %s", d, c.name, e, c.got, c.want.RatString())
		}
		if text := c.got.Canonical(); !MustParse(text).Equal(c.got) || MustParse(text).Canonical() != text {
			t.Errorf("%s %s %s: %s does not read back", d, c.name, e, text)
		}
	}
	if d.Cmp(e) != x.Cmp(y) || e.Cmp(d) != -x.Cmp(y) || d.Equal(e) != (x.Cmp(y) == 0) {
		t.Errorf("%s is compared wrongly with %s", d, e)
	}
	if d.Sign() != x.Sign() || d.IsZero() != (x.Sign() == 0) || d.IsInt() != x.IsInt() {
		t.Errorf("%s: sign %d, zero %t, whole %t", d, d.Sign(), d.IsZero(), d.IsInt())
	}
	whole, ok := d.Int64()
	if fits := x.IsInt() && x.Num().IsInt64(); ok != fits || fits && whole != x.Num().Int64() {
		t.Errorf("%s as an integer is %d, %t", d, whole, ok)
	}
	for _, places := range []int{0, 1, 2, 3, 12, 26} {
		checkRounding(t, d, e, places)
	}
}

// checkRounding builds its expectation from floor(|x| × 10^places + 1/2), not from our quotient.
func checkRounding(t testing.TB, d, e Decimal, places int) {
	t.Helper()
	if want := rationalHalfAway(rat(t, d), places); rat(t, d.RoundHalfAway(places)).Cmp(want) != 0 {
		t.Errorf("%s rounded to %d places = %s; want %s", d, places, d.RoundHalfAway(places), want.RatString())
	}
	if e.IsZero() {
		return
	}
	want := rationalHalfAway(new(big.Rat).Quo(rat(t, d), rat(t, e)), places)
	if got := d.QuoHalfAway(e, places); rat(t, got).Cmp(want) != 0 {
		t.Errorf("%s ÷ %s to %d places = %s; want %s", d, e, places, got, want.RatString())
	}
}

func rationalHalfAway(x *big.Rat, places int) *big.Rat {
	unit := new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(places)), nil))
	scaled := new(big.Rat).Mul(new(big.Rat).Abs(x), unit)
	scaled.Add(scaled, big.NewRat(1, 2))
	floor := new(big.Int).Div(scaled.Num(), scaled.Denom())
	rounded := new(big.Rat).Quo(new(big.Rat).SetInt(floor), unit)
	if x.Sign() < 0 {
		rounded.Neg(rounded)
	}
	return rounded
}

func TestAdd_ATenthAMillionTimesIsAHundredThousand(t *testing.T) {
	t.Parallel()
	tenth, sum := MustParse("0.1"), Decimal{}
	for range 1_000_000 {
		sum = sum.Add(tenth)
	}
	if !sum.Equal(FromInt(100_000)) || sum.String() != "100000.0" {
		t.Errorf("sum is %s", sum)
	}
}

func TestAdd_LargestPlusSmallestInputIsExact(t *testing.T) {
	t.Parallel()
	sum := MustParse("999999999999999.999999999999").Add(MustParse("0.000000000001"))
	if sum.String() != "1000000000000000.0" || !sum.Equal(FromInt(1_000_000_000_000_000)) {
		t.Errorf("sum is %s", sum)
	}
}

func TestAdd_UsualAmountsDoNotAllocate(t *testing.T) {
	sum, charge := MustParse("1234567.89"), MustParse("0.000015")
	dst := make([]byte, 0, 64)
	if allocations := testing.AllocsPerRun(100, func() {
		sum = sum.Add(charge.Mul(FromInt(7)))
		dst = sum.AppendTo(dst[:0])
	}); allocations != 0 {
		t.Errorf("allocates %v times", allocations)
	}
}

func TestDecimal_ValuesAreImmutable(t *testing.T) {
	t.Parallel()
	d, e := MustParse("123456789012345678901234567890.5"), MustParse("-98765432109876543210.25")
	before, other := d.String(), e.String()
	d.Add(e).Sub(d).Mul(e).Neg().Abs().Shift(3).RoundHalfAway(1).QuoHalfAway(e, 5).Cmp(d)
	shared := d.Shift(-5)
	shared.Add(FromInt(1)).RoundHalfAway(2)
	if d.String() != before || e.String() != other {
		t.Errorf("%s and %s became %s and %s", before, other, d, e)
	}
}

func TestFromInt_TakesTheWholeRange(t *testing.T) {
	t.Parallel()
	for _, v := range []int64{0, 1, -1, math.MaxInt64, math.MinInt64, math.MinInt64 + 1} {
		if got, ok := FromInt(v).Int64(); !ok || got != v {
			t.Errorf("FromInt(%d).Int64() = %d, %t", v, got, ok)
		}
		if !FromInt(v).Neg().Add(FromInt(v)).IsZero() {
			t.Errorf("%d and its negation are not 0", v)
		}
	}
}

func TestRoundHalfAway_HalvesLeaveZero(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in     string
		places int
		want   string
	}{
		{"1.005", 2, "1.01"}, {"-1.005", 2, "-1.01"}, {"1.00499999999999999999999999", 2, "1.0"}, {"7.5", 0, "8.0"},
		{"-0.5", 0, "-1.0"}, {"0.4", 0, "0.0"}, {"-0.4", 0, "0.0"}, {"2.5", 5, "2.5"}, {"0.0005", 3, "0.001"},
		{"0.5e-19", 19, "0.0000000000000000001"}, {"999.995", 2, "1000.0"}, {"0.00000000000000000009", 2, "0.0"},
		{"0.9223372036854775807", 0, "1.0"}, {"99999999999999999999999999999.5", 0, "100000000000000000000000000000.0"},
	} {
		if got := MustParse(c.in).RoundHalfAway(c.places).String(); got != c.want {
			t.Errorf("%s to %d places = %s; want %s", c.in, c.places, got, c.want)
		}
	}
}

func TestQuoHalfAway_RoundsTheTrueQuotient(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		dividend, divisor string
		places            int
		want              string
	}{
		{"1", "3", 12, "0.333333333333"}, {"2", "3", 12, "0.666666666667"}, {"-2", "3", 12, "-0.666666666667"},
		{"1", "-8", 2, "-0.13"}, {"1", "8", 3, "0.125"}, {"0", "7", 4, "0.0"}, {"7", "0.5", 0, "14.0"}, {"0.001", "1000", 6, "0.000001"},
		{"9223372036854775807", "9223372036854775807", 0, "1.0"}, {"4611686018427387903", "9223372036854775807", 0, "0.0"},
		{"4611686018427387904", "9223372036854775807", 0, "1.0"}, {"1e30", "7", 2, "142857142857142857142857142857.14"},
	} {
		if got := MustParse(c.dividend).QuoHalfAway(MustParse(c.divisor), c.places).String(); got != c.want {
			t.Errorf("%s ÷ %s to %d places = %s; want %s", c.dividend, c.divisor, c.places, got, c.want)
		}
	}
}

func TestDecimal_MistakesOfTheProgrammerPanic(t *testing.T) {
	t.Parallel()
	for name, mistake := range map[string]func(){
		"division by zero":      func() { FromInt(1).QuoHalfAway(Decimal{}, 2) },
		"quotient of no places": func() { FromInt(1).QuoHalfAway(FromInt(3), -1) },
		"rounding to no places": func() { FromInt(1).RoundHalfAway(-1) },
		"shift without end":     func() { FromInt(1).Shift(2_000_000) },
		"places without end":    func() { FromInt(1).Shift(-2_000_000) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			defer func() {
				if recover() == nil {
					t.Error("did not panic")
				}
			}()
			mistake()
		})
	}
}
