package webhook

import (
	"testing"
	"time"
)

// Whatever a receiver writes into Retry-After, the next attempt is neither in the past nor endlessly far.
func FuzzRetryAfter(f *testing.F) {
	for _, text := range []string{"", "5", "-5", "99999999999999999999", "Wed, 21 Oct 2015 07:28:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT", "1e3", " 7 "} {
		f.Add(text)
	}
	now := time.Unix(1_700_000_000, 0)
	f.Fuzz(func(t *testing.T, text string) {
		if pause := retryAfter(text, now); pause < 0 || pause > 24*time.Hour {
			t.Fatalf("%q is a pause of %s", text, pause)
		}
	})
}
