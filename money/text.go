package money

import (
	"fmt"
	"math/big"
	"strconv"
)

// String returns the form of the API: plain notation, at least one digit after the
// point, no superfluous zeros, never an exponent: 20.0, 0.000015, -1.5.
func (d Decimal) String() string {
	var room [48]byte
	return string(d.AppendTo(room[:0]))
}

// AppendTo appends the text of String to dst.
func (d Decimal) AppendTo(dst []byte) []byte { return d.appendText(dst, true) }

// Plain returns String without ".0" when d is whole: 12, 2.5.
func (d Decimal) Plain() string {
	var room [48]byte
	return string(d.appendText(room[:0], false))
}

// Canonical returns the one text of this number that is stored: equal numbers have
// equal texts, so it may serve as a key. It is the text of Plain.
func (d Decimal) Canonical() string { return d.Plain() }

func (d Decimal) appendText(dst []byte, pointZero bool) []byte {
	if d.Sign() < 0 {
		dst = append(dst, '-')
	}
	var room [48]byte
	var digits []byte
	if d.wide != nil {
		digits = new(big.Int).Abs(d.wide).Append(room[:0], 10)
	} else {
		digits = strconv.AppendUint(room[:0], magnitude(d.coef), 10)
	}
	scale := int(d.scale)
	for scale > 0 && len(digits) > 0 && digits[len(digits)-1] == '0' {
		digits = digits[:len(digits)-1]
		scale--
	}
	switch whole := len(digits) - scale; {
	case len(digits) == 0:
		// Only 0 loses its last digit above.
		dst, scale = append(dst, '0'), 0
	case scale == 0:
		dst = append(dst, digits...)
	case whole > 0:
		dst = append(dst, digits[:whole]...)
		dst = append(dst, '.')
		return append(dst, digits[whole:]...)
	default:
		dst = append(dst, '0', '.')
		for ; whole < 0; whole++ {
			dst = append(dst, '0')
		}
		return append(dst, digits...)
	}
	if pointZero {
		dst = append(dst, '.', '0')
	}
	return dst
}

// MarshalJSON writes the text of String as a JSON number.
func (d Decimal) MarshalJSON() ([]byte, error) {
	return d.AppendTo(make([]byte, 0, 24)), nil
}

// UnmarshalJSON reads a JSON number or a numeric string within the bounds of
// ParseExact. null is an error: an absent amount is a *Decimal.
func (d *Decimal) UnmarshalJSON(b []byte) error {
	text := b
	if len(b) >= 2 && b[0] == '"' && b[len(b)-1] == '"' {
		text = b[1 : len(b)-1]
	}
	parsed, err := parse(text, digitsMaxExact, digitsMaxExact)
	if err != nil {
		return fmt.Errorf("read decimal from JSON: %w", err)
	}
	*d = parsed
	return nil
}
