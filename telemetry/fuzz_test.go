package telemetry

import (
	"errors"
	"net/url"
	"strings"
	"testing"
)

// A connection string is refused, or leads to an endpoint over HTTP.
func FuzzConnectionString(f *testing.F) {
	for _, text := range []string{"InstrumentationKey=k", "InstrumentationKey=k;IngestionEndpoint=https://x.example/", "instrumentationkey = k ;; =", "IngestionEndpoint=file:///etc;InstrumentationKey=k",
		"InstrumentationKey=k;IngestionEndpoint=https://", "InstrumentationKey=k;IngestionEndpoint=https://h/%zz"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		i, err := newInsights(text, "role", 1)
		if err != nil {
			if !errors.Is(err, ErrConnectionString) {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		if at, err := url.Parse(i.track); err != nil || at.Host == "" || !strings.HasPrefix(at.Scheme, "http") || i.key == "" {
			t.Fatalf("%q leads to %q", text, i.track)
		}
	})
}
