package pdf

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// The order in which a reader's eye meets the characters, from left to right. Capital letters stand for Hebrew ones.
func TestVisual_PutsRightToLeftTextInOrder(t *testing.T) {
	hebrew := func(s string) string {
		return strings.Map(func(r rune) rune {
			if r >= 'A' && r <= 'Z' {
				return 'א' + r - 'A'
			}
			return r
		}, s)
	}
	for in, want := range map[string]string{
		"":                      "",
		"only latin (x) 1-2":    "only latin (x) 1-2",
		"ABC":                   "CBA",
		"ABC DEF":               "FED CBA",
		"abc DEF ghi":           "abc FED ghi",
		"ABC def GHI":           "IHG def CBA",
		"ABC 123 DEF":           "FED 123 CBA",
		"abc DEF 123 GHI jkl":   "abc IHG 123 FED jkl",
		"abc DEF 1,234.50 GHI":  "abc IHG 1,234.50 FED",
		"ABC 12% DEF":           "FED 12% CBA",
		"ABC (DEF)":             "(FED) CBA",
		"ABC (def) 123":         "123 (def) CBA",
		"abc (DEF) ghi":         "abc (FED) ghi",
		"abc ABC, 123":          "abc 123 ,CBA",
		"tax id: ABC 5":         "tax id: 5 CBA",
		"abc [A<B]":             "abc [B>A]",
		"\u200fabc DEF":         "FED abc",
		"\u200eABC def":         "CBA def",
		"A\u05b7B\u05b8\u05c1C": "CB\u05b8\u05c1A\u05b7",
		"ABC - 12 activities":   "activities 12 - CBA",
		"usage: ABC - 12 DE":    "usage: ED 12 - CBA", "ABC (def GHI) jk": "jk (IHG def) CBA", "ab (cd EF) GH": "ab (cd FE) HG", "ABC (12": "12) CBA", "A [b (c] d) E": "E (d [b (c] A",
	} {
		if got := visual(hebrew(in)); got != hebrew(want) {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

// Reordering neither loses a character nor makes one, whatever it is given.
func FuzzVisual(f *testing.F) {
	for _, seed := range []string{"abc אבג (12)", "שלום\u05b7 a\u0301", "فاتورة ١٢٣ لا", "\u200f", "[א", "1٢+-,.אa%"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !utf8.ValidString(s) {
			return
		}
		s = oneLine(s)
		count := func(s string) map[rune]int {
			all := map[rune]int{}
			for _, r := range s {
				if opposite, bracket := mirrored[r]; bracket {
					r = min(r, opposite)
				}
				all[r]++
			}
			return all
		}
		before, after := count(s), count(visual(s))
		if len(before) != len(after) {
			t.Fatalf("%q became %q", s, visual(s))
		}
		for r, n := range before {
			if after[r] != n {
				t.Fatalf("%q became %q", s, visual(s))
			}
		}
		if !hasLeftward(s) && visual(s) != s {
			t.Fatalf("%q became %q", s, visual(s))
		}
	})
}

func TestJoined_LettersTakeTheFormOfTheirPlace(t *testing.T) {
	for in, want := range map[string]string{
		"plain": "plain",
		"ب":     "\ufe8f",                    // alone
		"ببب":   "\ufe91\ufe92\ufe90",        // begin, middle, end
		"دار":   "\ufea9\ufe8d\ufead",        // none of these joins the next
		"سلام":  "\ufeb3\ufefc\ufee1",        // lam and alef are one
		"لا":    "\ufefb",                    // also alone
		"بَب":   "\ufe91\u064e\ufe90",        // a mark does not part
		"ب ب":   "\ufe8f \ufe8f",             // a space does
		"پیچ":   "\ufb58\ufbff\ufb7b",        // Persian
		"ب123ب": "\ufe8f123\ufe8f",           // digits part
		"ءب":    "\ufe80\ufe8f",              // hamza joins nothing
		"بـب":   "\ufe91\u0640\ufe90",        // a stroke joins all
		"شركة":  "\ufeb7\ufeae\ufedb\ufe94",  // a word
		"على":   "\ufecb\ufee0\ufef0",        // alef maksura at an end
		"كلآ":   "\ufedb\ufef6",              // the other alefs
		"דוד ب": "\u05d3\u05d5\u05d3 \ufe8f", // beside another script
	} {
		if got := joined(in); got != want {
			t.Errorf("%q became %+q, want %+q", in, got, want)
		}
	}
}

// A letter that would be drawn wrong is not drawn, whatever the fonts have, and the page says so.
func TestInvoice_WhatCannotBeDrawnIsNotDrawnWrong(t *testing.T) {
	all := &face{family: "further1", widths: make([]uint16, 0xffff)}
	for n := range all.widths {
		all.widths[n] = 501
	}
	fonts := Fonts{further: [][2]*face{{all, all}}}
	for text, drawn := range map[string]bool{"हिन्दी": false, "தமிழ்": false, "ไทย": true, "日本": true, "עברית": true, "فاتورة": true, "ڼ": false, "١٢٣": true, "؟": true, "ܐ": false} {
		if got := fonts.draws(readable(text)); got != drawn {
			t.Errorf("%s is drawn: %v", text, got)
		}
	}
	const confession = "\ufffd stands for a character that cannot be printed here."
	wantTexts(t, readFile(t, draw(t, sample("USD", line("हिन्दी", "1", "1")))), confession)
	if text := readFile(t, draw(t, sample("USD", line("Hindi", "1", "1")))).text(); strings.ContainsRune(text, unicode.ReplacementChar) {
		t.Errorf("nothing is missing: %s", text)
	}
}

// Lines of one paragraph run alike, also one that begins with a word of the other direction.
func TestWrap_LinesOfAParagraphRunAlike(t *testing.T) {
	f := Fonts{}
	paragraph := strings.Repeat("אבג abc דהו xyz ", 20)
	lines := f.wrap(paragraph, faceText, 40)
	for _, line := range lines {
		if !leftward(line) && hasLeftward(line) {
			t.Errorf("%q runs right", line)
		}
	}
	if got := strings.ReplaceAll(withoutSpaces(strings.Join(lines, "")), "\u200f", ""); got != withoutSpaces(paragraph) {
		t.Errorf("%q", got)
	}
}
