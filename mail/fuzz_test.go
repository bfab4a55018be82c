package mail

import (
	"strings"
	"testing"
)

// A text that goes into a header of a message stays on its line.
func FuzzLine(f *testing.F) {
	for _, text := range []string{"Invoice 7", "a\r\nBcc: x@example.com", "\u2028\u0085b", " \t ", "\x00\xff", "=?utf-8?q?=0D=0A?="} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if got := line(text); strings.ContainsAny(got, "\r\n\x00") || got != strings.TrimSpace(got) {
			t.Fatalf("%q becomes %q", text, got)
		}
	})
}
