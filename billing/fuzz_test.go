package billing

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"xyra"
)

// A pattern that is accepted makes numbers of printable characters, and with the next count another one.
func FuzzNumberPattern(f *testing.F) {
	for _, pattern := range []string{"", "{PREFIX}-{YYYY}{MM}{DD}-{RAND:4}", "{SEQ}", "{ORG}/{SEQ:12}", "{SEQ:0}", "{seq}", "{RAND:3}", "{{SEQ}}", "é{SEQ}", "{SEQ:99999999999999999999}", "{YY}}{SEQ"} {
		f.Add(pattern, "INV")
	}
	f.Add("{PREFIX}{SEQ}", "{SEQ}")
	f.Fuzz(func(t *testing.T, pattern, prefix string) {
		p, err := ParseNumberPattern(pattern, prefix)
		if err != nil {
			return
		}
		number := func(sequence int64) string {
			n := numbering{pattern: p, organization: xyra.Organization{ID: 7}, sequence: sequence, issued: time.Unix(0, 0).UTC(), random: bytes.NewReader(bytes.Repeat([]byte{byte(sequence)}, 64))}
			text, err := n.number(0)
			if err != nil {
				t.Fatalf("%q with %q: %v", pattern, prefix, err)
			}
			return text
		}
		one, next := number(1), number(2)
		if one == "" || one == next || strings.ContainsFunc(one, func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Fatalf("%q with %q makes %q and %q", pattern, prefix, one, next)
		}
	})
}
