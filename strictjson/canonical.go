package strictjson

import (
	"bytes"
	"slices"
	"strconv"
	"unicode/utf8"
)

// Exponents of more digits are not computed with: see appendCanonicalNumber.
const exponentDigitsMax = 17

// AppendCanonical appends a form of v that equal JSON values share: object keys
// sorted by bytes, numbers by value (1.0, 1 and 1e0 are one), strings with the
// fewest escapes. It is meant for digests; the result is valid JSON.
func AppendCanonical(dst []byte, v Value) []byte {
	switch v.Kind() {
	case Number:
		return appendCanonicalNumber(dst, v.Raw())
	case String:
		return AppendString(dst, v.doc.name(v.at))
	case Array:
		dst = append(dst, '[')
		first := true
		for elem := range v.Elems() {
			if !first {
				dst = append(dst, ',')
			}
			first = false
			dst = AppendCanonical(dst, elem)
		}
		return append(dst, ']')
	case Object:
		return appendCanonicalObject(dst, v)
	}
	return append(dst, v.Raw()...)
}

func appendCanonicalObject(dst []byte, v Value) []byte {
	type member struct {
		name  []byte
		value Value
	}
	members := make([]member, 0, 8)
	for at := range v.members() {
		members = append(members, member{v.doc.name(at), Value{v.doc, at + 1}})
	}
	slices.SortFunc(members, func(a, b member) int { return bytes.Compare(a.name, b.name) })
	dst = append(dst, '{')
	for i, m := range members {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = AppendString(dst, m.name)
		dst = append(dst, ':')
		dst = AppendCanonical(dst, m.value)
	}
	return append(dst, '}')
}

// appendCanonicalNumber writes the significant digits as an integer and the power
// of ten behind them: 1.50 is 15e-1, 1000 is 1e3, every zero is 0. Nothing is ever
// expanded, so 1e999999999 costs no more than its text. A number whose exponent
// has over exponentDigitsMax digits equals only its own spelling.
func appendCanonicalNumber(dst, raw []byte) []byte {
	negative := raw[0] == '-'
	mantissa, power := raw, []byte(nil)
	if negative {
		mantissa = raw[1:]
	}
	if i := bytes.IndexAny(mantissa, "eE"); i >= 0 {
		mantissa, power = mantissa[:i], mantissa[i+1:]
	}
	whole, fraction, _ := bytes.Cut(mantissa, []byte("."))
	var room [32]byte
	digits := append(append(room[:0], whole...), fraction...)
	significant := bytes.TrimRight(digits, "0")
	exponent := int64(len(digits) - len(significant) - len(fraction))
	significant = bytes.TrimLeft(significant, "0")
	if len(significant) == 0 {
		return append(dst, '0')
	}
	shift, ok := powerOfTen(power)
	if !ok {
		return append(dst, raw...)
	}
	exponent += shift
	if negative {
		dst = append(dst, '-')
	}
	dst = append(dst, significant...)
	if exponent != 0 {
		dst = append(dst, 'e')
		dst = strconv.AppendInt(dst, exponent, 10)
	}
	return dst
}

// powerOfTen reads what stands behind the e; not ok when it is too long to compute.
func powerOfTen(power []byte) (int64, bool) {
	if len(power) == 0 {
		return 0, true
	}
	negative := power[0] == '-'
	if negative || power[0] == '+' {
		power = power[1:]
	}
	power = bytes.TrimLeft(power, "0")
	if len(power) > exponentDigitsMax {
		return 0, false
	}
	var exponent int64
	for _, c := range power {
		exponent = exponent*10 + int64(c-'0')
	}
	if negative {
		exponent = -exponent
	}
	return exponent, true
}

// AppendString appends text as a JSON string. Only quotes, backslashes and control
// characters are escaped; bytes that are no UTF-8 become U+FFFD.
func AppendString[T string | []byte](dst []byte, text T) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	begin := 0
	for i := 0; i < len(text); {
		c := text[i]
		if c >= utf8.RuneSelf {
			char, size := utf8.DecodeRuneInString(string(text[i:min(i+utf8.UTFMax, len(text))]))
			if char == utf8.RuneError && size == 1 {
				dst = append(append(dst, text[begin:i]...), "\ufffd"...)
				begin = i + 1
			}
			i += size
			continue
		}
		i++
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		dst = append(dst, text[begin:i-1]...)
		begin = i
		if c < ' ' {
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		} else {
			dst = append(dst, '\\', c)
		}
	}
	return append(append(dst, text[begin:]...), '"')
}
