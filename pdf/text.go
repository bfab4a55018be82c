package pdf

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"xyra"
)

// typeface is how a text is drawn.
type typeface struct {
	size float64 // points
	bold bool
	ink  ink
}

// ink is a colour: red, green, blue.
type ink [3]int

var (
	inkText   = ink{31, 36, 48}
	inkFaint  = ink{105, 114, 130}
	inkAccent = ink{33, 77, 160}
	inkAlarm  = ink{178, 38, 38}
)

// run is a part of a text that one font has.
type run struct {
	face *face
	text string
}

// inMillimetres is what 1/1000 of a point of size is.
const inMillimetres = 25.4 / 72 / 1000

// readable is a text as it is drawn: composed characters instead of letters with separate accents, nothing that steers.
// Arabic letters are joined. Line breaks are kept.
func readable(s string) string { return joined(xyra.PrintableText(norm.NFC.String(s))) }

// oneLine is readable without line breaks.
func oneLine(s string) string { return strings.Join(strings.FieldsFunc(readable(s), isSpace), " ") }

// isSpace leaves out the spaces at which a line must not break.
func isSpace(r rune) bool { return unicode.IsSpace(r) && r != '\u00a0' && r != '\u202f' }

// faceOf picks the font for a character; the character becomes '�' when none has it.
func (f Fonts) faceOf(r rune, bold bool) (*face, rune) {
	faces := embedded()
	own := faces[0]
	if bold {
		own = faces[1]
	}
	if own.has(r) {
		return own, r
	}
	if !drawable(r) {
		return own, unicode.ReplacementChar
	}
	for _, further := range f.further {
		if further[0].has(r) {
			return further[r>>8&1], r
		}
	}
	if unicode.IsSpace(r) {
		return own, ' '
	}
	if alike, known := lookalikes[r]; known {
		return own, alike
	}
	return own, unicode.ReplacementChar
}

// lookalikes stand for characters that Noto Sans lacks; the minus is in the amounts of some locales.
var lookalikes = map[rune]rune{'\u2212': '-', '\u2010': '-', '\u2011': '-'}

// draws tells whether a text has a glyph for each of its characters.
func (f Fonts) draws(s string) bool {
	for _, r := range s {
		if _, shown := f.faceOf(r, true); shown == unicode.ReplacementChar {
			return false
		}
	}
	return true
}

// runs cuts a text by the fonts that have its characters.
func (f Fonts) runs(s string, bold bool) (all []run) {
	for _, r := range s {
		face, r := f.faceOf(r, bold)
		if last := len(all) - 1; last >= 0 && all[last].face == face {
			all[last].text += string(r)
		} else {
			all = append(all, run{face, string(r)})
		}
	}
	return all
}

// width is how wide a text is drawn, in millimetres.
func (f Fonts) width(s string, t typeface) (width float64) {
	for _, r := range s {
		if r == runsRight || r == runsLeft {
			continue
		}
		face, r := f.faceOf(r, t.bold)
		width += face.width(r)
	}
	return width * t.size * inMillimetres
}

// wrap breaks a text into lines of at most the width: at line breaks, at spaces, on both sides of a Chinese, Japanese or
// Korean character, and inside of a word that is too long for a line of its own.
func (f Fonts) wrap(s string, t typeface, width float64) (lines []string) {
	for paragraph := range strings.SplitSeq(s, "\n") {
		line, left := "", leftward(paragraph)
		begun := len(lines)
		for _, word := range words(paragraph) {
			if f.width(line+strings.TrimRightFunc(word, isSpace), t) <= width {
				line += word
				continue
			}
			if line != "" {
				lines = append(lines, strings.TrimRightFunc(line, isSpace))
			}
			line = word
			for head := f.head(line, t, width); head < len(strings.TrimRightFunc(line, isSpace)); head = f.head(line, t, width) {
				lines, line = append(lines, line[:head]), line[head:]
			}
		}
		lines = append(lines, strings.TrimRightFunc(line, isSpace))
		for n := begun; n < len(lines); n++ {
			lines[n] = marked(lines[n], left)
		}
	}
	return lines
}

// head is how many bytes of a text fit into the width: one character at least.
func (f Fonts) head(s string, t typeface, width float64) int {
	used := 0.0
	for at, r := range s {
		face, shown := f.faceOf(r, t.bold)
		if used += face.width(shown) * t.size * inMillimetres; used > width && at > 0 {
			return at
		}
	}
	return len(s)
}

// words cuts a line where it may break; the spaces after a word belong to it.
func words(s string) (all []string) {
	from := 0
	for at, r := range s {
		if at == from {
			continue
		}
		before, _ := utf8.DecodeLastRuneInString(s[:at])
		if isSpace(before) && !isSpace(r) || breaksAnywhere(before) && !isSpace(r) || breaksAnywhere(r) {
			all, from = append(all, s[from:at]), at
		}
	}
	return append(all, s[from:])
}

func breaksAnywhere(r rune) bool {
	return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul)
}
