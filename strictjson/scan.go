package strictjson

import (
	"unicode/utf16"
	"unicode/utf8"
)

// number takes the longest number that starts here, as Python does: a broken tail
// (`01`, `1.`, `1e`) is left to be refused by what comes next.
func (r *reader) number() bool {
	src, i := r.src, r.pos
	if src[i] == '-' {
		i++
	}
	switch {
	case i < len(src) && src[i] == '0':
		i++
	case i < len(src) && src[i] >= '1' && src[i] <= '9':
		i = digits(src, i)
	default:
		return r.failOutside(r.pos, textValue)
	}
	if i+1 < len(src) && src[i] == '.' && isDigit(src[i+1]) {
		i = digits(src, i+1)
	}
	if i < len(src) && src[i]|0x20 == 'e' {
		j := i + 1
		if j < len(src) && (src[j] == '+' || src[j] == '-') {
			j++
		}
		if end := digits(src, j); end > j {
			i = end
		}
	}
	index := r.open(Number)
	r.pos = i
	r.close(index)
	return true
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// digits returns the index behind the digits that start at i.
func digits(src []byte, i int) int {
	for i < len(src) && isDigit(src[i]) {
		i++
	}
	return i
}

// text reads a string at its opening quote.
func (r *reader) text() bool {
	index := r.open(String)
	src, i := r.src, r.pos+1
	for i < len(src) {
		for i < len(src) && isPlain(src[i]) {
			i++
		}
		if i == len(src) {
			break
		}
		switch c := src[i]; {
		case c == '"':
			r.pos = i + 1
			r.close(index)
			return true
		case c == '\\':
			r.doc.nodes[index].escaped = true
			size := r.escape(i)
			if size == 0 {
				return false
			}
			i += size
		case c == 0:
			return r.fail(i, textCharacter)
		case c < 0x20:
			return r.fail(i, textControl)
		default:
			char, size := utf8.DecodeRune(src[i:])
			if char == utf8.RuneError && size == 1 {
				return r.fail(i, textUTF8)
			}
			i += size
		}
	}
	return r.fail(r.pos, textUnterminated)
}

// isPlain tells whether a byte stands for itself in a string and for a whole character.
func isPlain(c byte) bool { return c >= 0x20 && c != '"' && c != '\\' && c < utf8.RuneSelf }

// escape checks the escape at i, r.pos still being the opening quote, and returns
// its length in bytes, 0 after a failure.
func (r *reader) escape(i int) int {
	if i+1 >= len(r.src) {
		r.fail(r.pos, textUnterminated)
		return 0
	}
	switch r.src[i+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
	default:
		r.fail(i, textEscape)
		return 0
	}
	char, ok := hexEscape(r.src, i)
	if !ok {
		r.fail(i+1, textHexEscape)
		return 0
	}
	if char == 0 {
		r.fail(i, textCharacter)
		return 0
	}
	if !utf16.IsSurrogate(char) {
		return 6
	}
	low, ok := hexEscape(r.src, i+6)
	if !ok || utf16.DecodeRune(char, low) == utf8.RuneError {
		r.fail(i, textCharacter)
		return 0
	}
	return 12
}

// hexEscape reads \uXXXX at i. Like Python it wants one more character behind it,
// so that a text cut off there is a broken escape.
func hexEscape(src []byte, i int) (rune, bool) {
	if i+6 >= len(src) || src[i] != '\\' || src[i+1] != 'u' {
		return 0, false
	}
	var char rune
	for _, c := range src[i+2 : i+6] {
		switch {
		case isDigit(c):
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		char = char<<4 | rune(c)
	}
	return char, true
}

// unescape appends the text between the quotes of a string that text accepted.
func unescape(dst, quoted []byte) []byte {
	for i := 1; i < len(quoted)-1; i++ {
		c := quoted[i]
		if c != '\\' {
			dst = append(dst, c)
			continue
		}
		i++
		switch quoted[i] {
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'u':
			char, _ := hexEscape(quoted, i-1)
			if utf16.IsSurrogate(char) {
				low, _ := hexEscape(quoted, i+5)
				char = utf16.DecodeRune(char, low)
				i += 6
			}
			dst = utf8.AppendRune(dst, char)
			i += 4
		default:
			dst = append(dst, quoted[i])
		}
	}
	return dst
}
