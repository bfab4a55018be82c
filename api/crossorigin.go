package api

import (
	"net/http"
	"slices"
)

// What a web page may read of an answer; the second when a rate is set, whose headers the contract does not know.
const (
	exposedHeaders     = "X-Request-ID, Idempotent-Replayed, Retry-After"
	exposedRateHeaders = exposedHeaders + ", RateLimit-Policy, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset"
)

const corsMethods = "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"

// crossOrigin lets browsers on the configured origins use the API, with credentials. Every other origin is answered as
// if it had asked without one, and its preflight is refused.
func (s *Server) crossOrigin(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		origin := r.Header.Get("Origin")
		if origin == "" {
			next.ServeHTTP(w, r)
			return
		}
		if isPreflight(r) {
			s.write(w, r, preflight(r, origin, slices.Contains(s.CORSOrigins, origin)))
			return
		}
		s.shareWithOrigin(w.Header(), origin)
		next.ServeHTTP(w, r)
	})
}

// isPreflight tells whether a browser asks what a page may do.
func isPreflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header.Get("Origin") != "" && r.Header.Get("Access-Control-Request-Method") != ""
}

// shareWithOrigin lets pages of a configured origin read the answer.
func (s *Server) shareWithOrigin(h http.Header, origin string) {
	if origin == "" || !slices.Contains(s.CORSOrigins, origin) {
		return
	}
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Allow-Credentials", "true")
	exposed := exposedHeaders
	if s.Rate.Requests > 0 {
		exposed = exposedRateHeaders
	}
	h.Set("Access-Control-Expose-Headers", exposed)
	h.Add("Vary", "Origin")
}

func preflight(r *http.Request, origin string, known bool) answer {
	if !known {
		return answer{status: http.StatusBadRequest, contentType: "text/plain; charset=utf-8", body: []byte("Disallowed CORS origin")}
	}
	a := answer{status: http.StatusOK, contentType: "text/plain; charset=utf-8", body: []byte("OK")}
	a.set("Access-Control-Allow-Origin", origin)
	a.set("Access-Control-Allow-Credentials", "true")
	a.set("Access-Control-Allow-Methods", corsMethods)
	if asked := r.Header.Get("Access-Control-Request-Headers"); asked != "" {
		a.set("Access-Control-Allow-Headers", asked)
	}
	a.set("Access-Control-Max-Age", "600")
	a.set("Vary", "Origin")
	return a
}
