package pdf

import (
	"slices"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/bidi"
)

// This file puts the characters of a line into the order in which they stand from left to right: the Unicode
// Bidirectional Algorithm (UAX #9) without explicit embeddings, whose characters never get here.

// The marks that say which way a line runs that began in the middle of a paragraph.
const (
	runsRight = '\u200e'
	runsLeft  = '\u200f'
)

// visual is a line as it is drawn from left to right.
func visual(line string) string {
	if !hasLeftward(line) {
		return line
	}
	base := 0
	if leftward(line) {
		base = 1
	}
	text := []rune(line)
	if text[0] == runsRight || text[0] == runsLeft {
		text = text[1:]
	}
	levels := embedding(text, base)
	for n, r := range text {
		if opposite, bracket := mirrored[r]; bracket && levels[n]%2 == 1 {
			text[n] = opposite
		}
	}
	for level := slices.Max(append(levels, 1)); level > 0; level-- {
		eachSpan(levels, func(l int) bool { return l >= level }, func(from, to int) {
			slices.Reverse(text[from:to])
			slices.Reverse(levels[from:to])
		})
	}
	// Marks come before their letters now where the text runs left; they are drawn over the letter before them.
	for n := 0; n < len(text); n++ {
		marks := n
		for n < len(text) && levels[n]%2 == 1 && unicode.Is(unicode.Mn, text[n]) {
			n++
		}
		if n > marks && n < len(text) {
			letter := text[n]
			copy(text[marks+1:n+1], text[marks:n])
			text[marks] = letter
			slices.Reverse(text[marks+1 : n+1])
		}
	}
	return string(text)
}

// mirrored are the signs that turn round where a text runs left.
var mirrored = map[rune]rune{'(': ')', ')': '(', '[': ']', ']': '[', '{': '}', '}': '{', '<': '>', '>': '<', '«': '»', '»': '«', '‹': '›', '›': '‹'}

// hasLeftward tells whether anything in a text runs left, or is marked to.
func hasLeftward(s string) bool {
	for _, r := range s {
		if r < 0x590 {
			continue
		}
		switch class(r) {
		case bidi.R, bidi.AL, bidi.AN:
			return true
		}
	}
	return false
}

// leftward tells whether a paragraph begins with a letter of a script that runs left, or is marked to.
func leftward(s string) bool {
	for _, r := range s {
		switch class(r) {
		case bidi.R, bidi.AL:
			return true
		case bidi.L:
			return false
		}
	}
	return false
}

func class(r rune) bidi.Class {
	p, _ := bidi.LookupRune(r)
	return p.Class()
}

// marked begins a line of a paragraph so that it runs as the paragraph does.
func marked(line string, left bool) string {
	if first, _ := utf8.DecodeRuneInString(line); line == "" || first == runsRight || first == runsLeft || !hasLeftward(line) || leftward(line) == left {
		return line
	}
	if left {
		return string(runsLeft) + line
	}
	return string(runsRight) + line
}

// eachSpan visits the longest spans whose elements are all wanted.
func eachSpan[T any](all []T, wanted func(T) bool, visit func(from, to int)) {
	for from := 0; from < len(all); from++ {
		to := from
		for to < len(all) && wanted(all[to]) {
			to++
		}
		if to > from {
			visit(from, to)
			from = to
		}
	}
}

// embedding is the level of each character: odd where it runs left.
func embedding(text []rune, base int) []int {
	classes := make([]bidi.Class, len(text))
	for n, r := range text {
		classes[n] = class(r)
	}
	edge := bidi.L
	if base == 1 {
		edge = bidi.R
	}
	resolveWeak(classes, edge)
	resolveBrackets(text, classes, edge)
	resolveNeutral(classes, edge)
	levels := make([]int, len(text))
	for n, c := range classes {
		switch {
		case c == bidi.R:
			levels[n] = 1
		case c == bidi.L:
			levels[n] = 2 * base
		default: // numbers
			levels[n] = 2
		}
	}
	return levels
}

// resolveWeak follows the rules W1 to W7: what numbers, their signs and marks belong to.
func resolveWeak(classes []bidi.Class, edge bidi.Class) {
	before, strong := edge, edge
	for n, c := range classes {
		if c == bidi.NSM {
			c = before
		}
		before = c
		switch {
		case c == bidi.R || c == bidi.L || c == bidi.AL:
			strong = c
		case c == bidi.EN && strong == bidi.AL:
			c = bidi.AN
		}
		classes[n] = c
	}
	for n := 1; n+1 < len(classes); n++ {
		c, before, after := classes[n], classes[n-1], classes[n+1]
		if before == after && (c == bidi.CS && (before == bidi.EN || before == bidi.AN) || c == bidi.ES && before == bidi.EN) {
			classes[n] = before
		}
	}
	eachSpan(classes, func(c bidi.Class) bool { return c == bidi.ET }, func(from, to int) {
		if from > 0 && classes[from-1] == bidi.EN || to < len(classes) && classes[to] == bidi.EN {
			for n := from; n < to; n++ {
				classes[n] = bidi.EN
			}
		}
	})
	strong = edge
	for n, c := range classes {
		switch {
		case c == bidi.AL:
			classes[n], strong = bidi.R, bidi.R
		case c == bidi.L || c == bidi.R:
			strong = c
		case c == bidi.EN && strong == bidi.L:
			classes[n] = bidi.L
		}
	}
}

// strength is the direction that a class counts for; numbers run with what runs left.
func strength(c bidi.Class) (direction bidi.Class, strong bool) {
	switch c {
	case bidi.L:
		return bidi.L, true
	case bidi.R, bidi.EN, bidi.AN:
		return bidi.R, true
	}
	return c, false
}

// resolveBrackets follows the rule N0: both brackets of a pair run as what they enclose, or as the line.
func resolveBrackets(text []rune, classes []bidi.Class, edge bidi.Class) {
	for _, pair := range bracketPairs(text, classes) {
		inside, other := false, false
		for _, c := range classes[pair[0]+1 : pair[1]] {
			if d, strong := strength(c); strong {
				inside, other = inside || d == edge, other || d != edge
			}
		}
		as := edge
		if !inside && other {
			before := edge
			for n := pair[0] - 1; n >= 0; n-- {
				if d, strong := strength(classes[n]); strong {
					before = d
					break
				}
			}
			as = before // what they enclose runs the other way, and they go with it if it goes on from what stands before
		}
		if inside || other {
			classes[pair[0]], classes[pair[1]] = as, as
		}
	}
}

// openMax is how many brackets may be open, as the algorithm has it.
const openMax = 63

// bracketPairs finds which brackets belong together, by where they open.
func bracketPairs(text []rune, classes []bidi.Class) (pairs [][2]int) {
	var open []int
	for n, r := range text {
		p, _ := bidi.LookupRune(r)
		if !p.IsBracket() || classes[n] != bidi.ON || mirrored[r] == 0 {
			continue
		}
		if p.IsOpeningBracket() {
			if len(open) == openMax {
				break
			}
			open = append(open, n)
			continue
		}
		for last := len(open) - 1; last >= 0; last-- {
			if mirrored[text[open[last]]] == r {
				pairs, open = append(pairs, [2]int{open[last], n}), open[:last]
				break
			}
		}
	}
	slices.SortFunc(pairs, func(a, b [2]int) int { return a[0] - b[0] })
	return pairs
}

// resolveNeutral follows the rules N1 and N2: what stands between two that run the same way runs so too.
func resolveNeutral(classes []bidi.Class, edge bidi.Class) {
	direction := func(n int) bidi.Class {
		if n < 0 || n >= len(classes) {
			return edge
		}
		d, _ := strength(classes[n])
		return d
	}
	neutral := func(c bidi.Class) bool { _, strong := strength(c); return !strong }
	eachSpan(classes, neutral, func(from, to int) {
		as := edge
		if d := direction(from - 1); d == direction(to) {
			as = d
		}
		for n := from; n < to; n++ {
			classes[n] = as
		}
	})
}
