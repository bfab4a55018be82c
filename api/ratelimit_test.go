package api

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// One credential's requests beyond the rate are refused with the time until the next window; others are not concerned.
func TestRateLimit_BoundsEachCredentialAlone(t *testing.T) {
	eachMarket(t, func(t *testing.T, m market) {
		now := time.Now()
		s := m.s.withOptions(func(o *Options) {
			o.Rate, o.Now = Rate{Requests: 3, Each: time.Minute}, func() time.Time { return now }
		})
		for i := range 5 {
			w := ask(s, http.MethodGet, "/api/v1/auth/me", m.admin, "")
			want, remaining := http.StatusOK, max(0, 2-i)
			if i >= 3 {
				want = http.StatusTooManyRequests
			}
			h := w.Header()
			if w.Code != want || h.Get("RateLimit-Limit") != "3" || h.Get("RateLimit-Remaining") != fmt.Sprint(remaining) || h.Get("RateLimit-Reset") != "60" ||
				h.Get("RateLimit-Policy") != "3;w=60" || (want == http.StatusTooManyRequests) != (h.Get("Retry-After") == "60") {
				t.Errorf("request %d: %d %v %s", i, w.Code, h, w.Body)
			}
		}
		if w := ask(s, http.MethodPost, "/api/v1/agents/"+m.agent+"/activities", m.admin, `{"activity_type":"call"}`); w.Code != http.StatusTooManyRequests {
			t.Errorf("an event beyond the rate: %d", w.Code)
		}
		if w := ask(s, http.MethodGet, "/api/v1/auth/me", m.root, ""); w.Code != http.StatusOK {
			t.Errorf("another credential: %d", w.Code)
		}
		for range 5 {
			if w := ask(s, http.MethodGet, "/ready", "", ""); w.Code != http.StatusOK || w.Header().Get("RateLimit-Limit") != "" {
				t.Errorf("a probe: %d %v", w.Code, w.Header())
			}
		}
		now = now.Add(time.Minute)
		if w := ask(s, http.MethodGet, "/api/v1/auth/me", m.admin, ""); w.Code != http.StatusOK {
			t.Errorf("in the next window: %d", w.Code)
		}
		now = now.Add(-24 * time.Hour)
		if w := ask(s, http.MethodGet, "/api/v1/auth/me", m.admin, ""); w.Code != http.StatusOK {
			t.Errorf("after the clock went back: %d", w.Code)
		}
	})
}

// A flood of invented credentials takes bounded memory, shares one count, and is forgotten.
func TestRateLimit_FloodTakesBoundedMemory(t *testing.T) {
	l := &limiter{Rate: Rate{Requests: 10, Each: time.Second}, windows: map[uint64]rateWindow{}}
	at := time.Unix(1_700_000_000, 0)
	l.take(7, at)
	for i := range uint64(rateCallersMax + 1000) {
		l.take(i*2+1001, at)
	}
	if len(l.windows) > rateCallersMax+1 {
		t.Errorf("%d callers are remembered", len(l.windows))
	}
	if w := l.take(9, at); w.used <= 10 {
		t.Errorf("a newcomer in a flood has used %d, want the shared count", w.used)
	}
	if w := l.take(7, at); w.used != 2 {
		t.Errorf("who came before the flood has used %d", w.used)
	}
	l.take(7, at.Add(2*time.Second))
	if len(l.windows) != 1 {
		t.Errorf("%d callers are remembered after the windows ended", len(l.windows))
	}
}

// Every answer forbids being framed, guessed at and kept; with TLS it also asks to stay with it.
func TestHeaders_ProtectEveryAnswer(t *testing.T) {
	eachMarket(t, func(t *testing.T, m market) {
		s := m.s.withOptions(func(o *Options) { o.TLS = true })
		for _, w := range []*httptest.ResponseRecorder{
			ask(s, http.MethodPost, "/api/v1/agents/"+m.agent+"/activities", m.admin, `{"activity_type":"call"}`), ask(s, http.MethodGet, "/nowhere", "", ""),
			ask(s, http.MethodGet, "/api/v1/auth/me", "", ""), ask(s, http.MethodGet, "/health", "", ""),
		} {
			for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer",
				"Cache-Control": "no-store", "Strict-Transport-Security": "max-age=31536000"} {
				if got := w.Header().Get(name); got != want {
					t.Errorf("%d has %s %q, want %q", w.Code, name, got, want)
				}
			}
		}
		if w := ask(m.s, http.MethodGet, "/health", "", ""); w.Header().Get("Strict-Transport-Security") != "" {
			t.Error("plain HTTP promises TLS")
		}
	})
}

// A draining server is not ready, and answers all the same.
func TestReady_TurnsWhileDraining(t *testing.T) {
	eachMarket(t, func(t *testing.T, m market) {
		s := m.s.withOptions(func(*Options) {})
		if w := ask(s, http.MethodGet, "/ready", "", ""); w.Code != http.StatusOK {
			t.Errorf("before: %d", w.Code)
		}
		s.Drain()
		if w := ask(s, http.MethodGet, "/ready", "", ""); w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
			t.Errorf("while draining: %d %v", w.Code, w.Header())
		}
		if w := ask(s, http.MethodGet, "/api/v1/auth/me", m.admin, ""); w.Code != http.StatusOK || w.Header().Get("Connection") != "close" {
			t.Errorf("a request while draining: %d %v", w.Code, w.Header())
		}
	})
}

// A page of a known origin can read the rate, also where it is refused, and its browser's question is never refused or counted.
func TestRateLimit_PagesOfKnownOriginsCanReadIt(t *testing.T) {
	eachMarket(t, func(t *testing.T, m market) {
		s := m.s.withOptions(func(o *Options) {
			o.Rate, o.CORSOrigins = Rate{Requests: 1, Each: time.Hour}, []string{"https://console.example"}
		})
		send := func(method, origin string) http.Header {
			r := httptest.NewRequest(method, "/api/v1/auth/me", nil)
			r.Header = http.Header{"Origin": {origin}}
			if method == http.MethodOptions {
				r.Header.Set("Access-Control-Request-Method", "GET")
			} else {
				r.Header.Set("Authorization", "Bearer "+m.admin)
			}
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			w.Header().Set("status", fmt.Sprint(w.Code))
			return w.Header()
		}
		for range 3 {
			if h := send(http.MethodOptions, "https://console.example"); h.Get("status") != "200" || h.Get("RateLimit-Limit") != "" {
				t.Errorf("a preflight: %v", h)
			}
		}
		for _, status := range []string{"200", "429"} {
			h := send(http.MethodGet, "https://console.example")
			if h.Get("status") != status || h.Get("Access-Control-Allow-Origin") != "https://console.example" || len(h["Vary"]) != 1 ||
				h.Get("Access-Control-Expose-Headers") != "X-Request-ID, Idempotent-Replayed, Retry-After, RateLimit-Policy, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset" {
				t.Errorf("want %s: %v", status, h)
			}
		}
		if h := send(http.MethodGet, "https://evil.example"); h.Get("status") != "429" || h.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("another origin: %v", h)
		}
	})
}
