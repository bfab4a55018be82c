package money

import (
	"errors"
	"math/big"
)

// What Parse refuses, in the order in which it is looked for.
var (
	// ErrSyntax says that the text is not a decimal number.
	ErrSyntax = errors.New("not a decimal number")
	// ErrWhole says that there are too many digits before the point: 10^15 or more in an input.
	ErrWhole = errors.New("too many digits before the decimal point")
	// ErrPlaces says that there are too many decimal places, trailing zeros not counted: over 12 in an input.
	ErrPlaces = errors.New("too many decimal places")
)

// Digits before and after the point that a number may have once normalised.
const (
	wholeMaxInput  = 15
	placesMaxInput = 12
	digitsMaxExact = 200
)

// Parse reads a number that comes from outside: [+-]?digits[.digits][(e|E)[+-]?digits].
// It refuses, never rounds: ErrSyntax, then ErrWhole (10^15 or more), then ErrPlaces
// (more than 12). An absurd exponent costs no more than its text.
func Parse(s string) (Decimal, error) { return parse(s, wholeMaxInput, placesMaxInput) }

// ParseBytes is Parse for text that is not yet a string.
func ParseBytes(b []byte) (Decimal, error) { return parse(b, wholeMaxInput, placesMaxInput) }

// ParseExact reads back what String or Plain wrote, sums and products included:
// the grammar of Parse with up to 200 digits on either side of the point.
func ParseExact(s string) (Decimal, error) { return parse(s, digitsMaxExact, digitsMaxExact) }

// MustParse is ParseExact for constants and tests; it panics on an error.
func MustParse(s string) Decimal {
	d, err := ParseExact(s)
	if err != nil {
		panic("money: " + s + ": " + err.Error())
	}
	return d
}

// parse finds the significant digits first and counts them, so that nothing is
// computed or allocated before the number is known to be within its bounds.
func parse[T string | []byte](s T, wholeMax, placesMax int64) (Decimal, error) {
	n, ok := scan(s)
	if !ok {
		return Decimal{}, ErrSyntax
	}
	if n.count == 0 {
		return Decimal{}, nil
	}
	if int64(n.count)+n.exponent > wholeMax {
		return Decimal{}, ErrWhole
	}
	if -n.exponent > placesMax {
		return Decimal{}, ErrPlaces
	}
	var d Decimal
	if n.count < len(pow10) {
		for _, c := range []byte(s[n.first : n.last+1]) {
			if c != '.' {
				d.coef = d.coef*10 + int64(c-'0')
			}
		}
	} else {
		digits := make([]byte, 0, n.count)
		for _, c := range []byte(s[n.first : n.last+1]) {
			if c != '.' {
				digits = append(digits, c)
			}
		}
		wide, ok := new(big.Int).SetString(string(digits), 10)
		if !ok {
			return Decimal{}, ErrSyntax
		}
		d = fromBig(wide, 0)
	}
	if n.negative {
		d = d.Neg()
	}
	return d.Shift(int(n.exponent)), nil
}

// numeral is where a number's significant digits lie in its text: count of them
// from first to last, a point perhaps among them, to be multiplied by 10^exponent.
// Leading and trailing zeros are outside; a count of 0 is the number 0.
type numeral struct {
	first, last, count int
	exponent           int64
	negative           bool
}

func scan[T string | []byte](s T) (n numeral, ok bool) {
	i := 0
	if i < len(s) && (s[i] == '+' || s[i] == '-') {
		n.negative = s[i] == '-'
		i++
	}
	digits, places, point := 0, 0, false // digits: all so far; those before the first significant one do not count
	started := false
	sinceLast := 0 // digits after the last one that is not 0
	for start := i; i < len(s); i++ {
		c := s[i]
		if c == '.' {
			if point || i == start {
				return n, false
			}
			point = true
			continue
		}
		if c < '0' || c > '9' {
			break
		}
		if point {
			places++
		}
		if c != '0' {
			if !started {
				started, n.first, digits = true, i, 0
			}
			n.last, sinceLast = i, -1
		}
		digits++
		sinceLast++
	}
	if i == 0 || s[i-1] < '0' || s[i-1] > '9' {
		return n, false
	}
	if started {
		n.count = digits - sinceLast
	}
	n.exponent = int64(sinceLast - places)
	if i == len(s) {
		return n, true
	}
	e, ok := scanExponent(s[i:])
	n.exponent += e
	return n, ok
}

// scanExponent stops counting, not reading, where the value no longer matters.
func scanExponent[T string | []byte](s T) (exponent int64, ok bool) {
	if s[0] != 'e' && s[0] != 'E' {
		return 0, false
	}
	i, negative := 1, false
	if i < len(s) && (s[i] == '+' || s[i] == '-') {
		negative = s[i] == '-'
		i++
	}
	if i == len(s) {
		return 0, false
	}
	for ; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		if exponent < 1<<50 {
			exponent = exponent*10 + int64(s[i]-'0')
		}
	}
	if negative {
		exponent = -exponent
	}
	return exponent, true
}
