package pdf

import (
	"sync"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// This file lets Arabic letters take the form that they have beside their neighbours, by the characters that Unicode has
// for these forms. Fonts that were made for Arabic have them.

// forms of a letter: alone, at the end, at the begin and in the middle of what joins. A letter without the last two does
// not join the next one.
type forms []rune

// arabicForms are read from the order in which Unicode lists the forms of each letter.
var arabicForms = sync.OnceValue(func() map[rune]forms {
	all := map[rune]forms{'\u0640': {'\u0640', '\u0640', '\u0640', '\u0640'}}
	for _, block := range [][2]rune{{0xfb50, 0xfbe7}, {0xfbfc, 0xfbff}, {0xfe80, 0xfef4}} {
		for r := block[0]; r <= block[1]; r++ {
			if letter := []rune(norm.NFKC.String(string(r))); len(letter) == 1 && letter[0] != r {
				all[letter[0]] = append(all[letter[0]], r)
			}
		}
	}
	return all
})

// The letter lam and an alef after it are written as one: lamAlef is it alone, the next character its form at an end.
const lam = '\u0644'

var lamAlef = map[rune]rune{'\u0622': 0xfef5, '\u0623': 0xfef7, '\u0625': 0xfef9, '\u0627': 0xfefb}

// joined replaces Arabic letters by their forms; other text stays as it is.
func joined(s string) string {
	if !needsJoining(s) {
		return s
	}
	known, text := arabicForms(), []rune(s)
	shaped := make([]rune, 0, len(text))
	joins := false // the letter before reaches out to the next one
	for n := 0; n < len(text); n++ {
		r := text[n]
		own := known[r]
		switch {
		case unicode.Is(unicode.Mn, r):
			shaped = append(shaped, r)
		case r == lam && n+1 < len(text) && lamAlef[text[n+1]] != 0:
			ligature := lamAlef[text[n+1]]
			if joins {
				ligature++
			}
			shaped, joins = append(shaped, ligature), false
			n++
		case len(own) == 0:
			shaped, joins = append(shaped, r), false
		default:
			form := 0
			if joins && len(own) > 1 {
				form = 1
			}
			reaches := len(own) == 4 && len(known[nextLetter(text, n)]) > 1
			if reaches {
				form += 2
			}
			shaped, joins = append(shaped, own[form]), reaches
		}
	}
	return string(shaped)
}

func needsJoining(s string) bool {
	for _, r := range s {
		if r >= 0x600 && r < 0x900 && unicode.Is(unicode.Arabic, r) {
			return true
		}
	}
	return false
}

// nextLetter is what follows, marks left out; 0 at the end.
func nextLetter(text []rune, n int) rune {
	for _, r := range text[n+1:] {
		if !unicode.Is(unicode.Mn, r) {
			return r
		}
	}
	return 0
}

// unshaped are the scripts whose letters change, join or move beside each other. A font alone draws them wrong, so they
// are not drawn; what joined has made of Arabic letters is of no such script any more.
var unshaped = []*unicode.RangeTable{unicode.Arabic, unicode.Syriac, unicode.Nko, unicode.Mandaic, unicode.Mongolian, unicode.Devanagari,
	unicode.Bengali, unicode.Gurmukhi, unicode.Gujarati, unicode.Oriya, unicode.Tamil, unicode.Telugu, unicode.Kannada, unicode.Malayalam,
	unicode.Sinhala, unicode.Myanmar, unicode.Khmer, unicode.Tibetan, unicode.Tai_Tham, unicode.Balinese, unicode.Javanese}

// drawable tells whether a character stands by itself.
func drawable(r rune) bool {
	return r < 0x600 || r >= 0xfb00 || unicode.IsDigit(r) || unicode.IsPunct(r) || unicode.IsSymbol(r) || r == '\u0640' || unicode.Is(unicode.Mn, r) && unicode.Is(unicode.Inherited, r) || !unicode.In(r, unshaped...)
}
