package api

import (
	"crypto/sha256"
	"encoding/binary"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// Rate bounds how many requests one credential makes in each span; a request without one counts for its address. The zero
// Rate is no bound.
type Rate struct {
	Requests int
	Each     time.Duration
}

// rateCallersMax bounds the memory of a limiter. Callers that find no room share one count, which ends floods of invented
// credentials too.
const rateCallersMax = 100_000

// limiter counts requests in windows of fixed length. A caller's window begins with its first request.
type limiter struct {
	Rate
	mu      sync.Mutex
	windows map[uint64]rateWindow
	sweptAt time.Time
}

type rateWindow struct {
	ends time.Time
	used int
}

// take counts one request and returns the caller's window after it.
func (l *limiter) take(caller uint64, now time.Time) rateWindow {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Sub(l.sweptAt) > l.Each || now.Before(l.sweptAt) {
		for c, w := range l.windows {
			if !now.Before(w.ends) || w.ends.Sub(now) > l.Each {
				delete(l.windows, c)
			}
		}
		l.sweptAt = now
	}
	w, known := l.windows[caller]
	if !known && len(l.windows) >= rateCallersMax {
		caller = 0
		w = l.windows[caller]
	}
	if !now.Before(w.ends) || w.ends.Sub(now) > l.Each { // the second: a clock that went back must lock nobody out
		w = rateWindow{ends: now.Add(l.Each)}
	}
	w.used++
	l.windows[caller] = w
	return w
}

// rateLimited refuses what is beyond the rate, before anything is read or asked. Probes are never refused, nor are preflights: they
// carry no credential, and a browser that is refused one does not tell why.
func (s *Server) rateLimited(next http.Handler) http.Handler {
	if s.Rate.Requests == 0 {
		return next
	}
	l := &limiter{Rate: s.Rate, windows: map[uint64]rateWindow{}}
	policy := []string{strconv.Itoa(l.Requests) + ";w=" + strconv.Itoa(int(l.Each.Seconds()))}
	limit := []string{strconv.Itoa(l.Requests)}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/health" || r.URL.Path == "/ready" || isPreflight(r) {
			next.ServeHTTP(w, r)
			return
		}
		now := w.(*seenWriter).started
		window := l.take(s.rateCaller(r), now)
		reset := strconv.Itoa(int((window.ends.Sub(now) + time.Second - 1) / time.Second))
		h := w.Header()
		h["Ratelimit-Policy"], h["Ratelimit-Limit"] = policy, limit
		h["Ratelimit-Remaining"], h["Ratelimit-Reset"] = []string{strconv.Itoa(max(0, l.Requests-window.used))}, []string{reset}
		if window.used > l.Requests {
			s.shareWithOrigin(h, r.Header.Get("Origin"))
			a := refusal(http.StatusTooManyRequests, "Too many requests")
			a.set("Retry-After", reset)
			s.write(w, r, a)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// rateCaller is whom a request counts for, as a number that does not hold the credential.
func (s *Server) rateCaller(r *http.Request) uint64 {
	who := r.Header.Get("Authorization")
	if who == "" {
		who = s.clientAddress(r)
	}
	sum := sha256.Sum256([]byte(who))
	return binary.LittleEndian.Uint64(sum[:]) | 1 // 0 is those who find no room
}
