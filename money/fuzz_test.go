package money

import (
	"errors"
	"math/big"
	"strings"
	"testing"
)

func FuzzParse(f *testing.F) {
	for _, s := range append(edges, "1e999999999", "0e9", "0e09227000000000000000", "1.5E-3", ".5", "5.", " 1", "+0.00", "1e-13", "-", "1_0", "0x1") {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		exact, err := ParseExact(s)
		if errors.Is(err, ErrSyntax) {
			// math/big takes more forms than we do; what is left of those must not be ours.
			if _, ok := new(big.Int).SetString(strings.TrimLeft(s, "+-"), 10); ok && strings.Count(s, "-")+strings.Count(s, "+") < 2 {
				t.Fatalf("%q refused", s)
			}
		}
		input, inputErr := Parse(s)
		if inputErr == nil && (err != nil || !input.Equal(exact)) {
			t.Fatalf("%q: Parse gives %s, ParseExact %s, %v", s, input, exact, err)
		}
		if fromBytes, bytesErr := ParseBytes([]byte(s)); !errors.Is(bytesErr, inputErr) || !fromBytes.Equal(input) {
			t.Fatalf("%q: Parse and ParseBytes differ", s)
		}
		if err != nil {
			return
		}
		oracle, ok := new(big.Rat).SetString(s)
		if !ok && exact.IsZero() {
			// math/big refuses exponents past int64 even of 0.
			return
		}
		if !ok || rat(t, exact).Cmp(oracle) != 0 {
			t.Fatalf("%q = %s; want %v", s, exact, oracle)
		}
		checkBounds(t, s, oracle, inputErr)
	})
}

// checkBounds holds Parse's three answers against the rational it should have seen.
func checkBounds(t *testing.T, s string, x *big.Rat, got error) {
	t.Helper()
	limit := new(big.Rat).SetInt(bigPow10(wholeMaxInput))
	inUnits := new(big.Rat).Mul(x, new(big.Rat).SetInt(bigPow10(placesMaxInput)))
	var want error
	switch {
	case new(big.Rat).Abs(x).Cmp(limit) >= 0:
		want = ErrWhole
	case !inUnits.IsInt():
		want = ErrPlaces
	}
	if !errors.Is(got, want) {
		t.Fatalf("Parse(%q) says %v; want %v", s, got, want)
	}
}

func FuzzArithmetic(f *testing.F) {
	for i, s := range edges {
		f.Add(s, edges[(i+3)%len(edges)])
	}
	f.Fuzz(func(t *testing.T, left, right string) {
		d, err := ParseExact(left)
		if err != nil {
			return
		}
		e, err := ParseExact(right)
		if err != nil || len(d.Plain()) > 90 || len(e.Plain()) > 90 {
			return
		}
		checkPair(t, d, e)
	})
}

func FuzzCoefficients(f *testing.F) {
	f.Add(int64(1), uint8(0), int64(-1), uint8(19))
	f.Add(int64(-9223372036854775808), uint8(3), int64(9223372036854775807), uint8(18))
	f.Fuzz(func(t *testing.T, a int64, scaleA uint8, b int64, scaleB uint8) {
		// Numbers with trailing zeros inside, which no parsed text has.
		checkPair(t, FromInt(a).Shift(-int(scaleA%40)), FromInt(b).Shift(-int(scaleB%40)))
	})
}
