package api

import (
	"net/http"
	"slices"
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
		known := slices.Contains(s.CORSOrigins, origin)
		if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
			s.write(w, r, preflight(r, origin, known))
			return
		}
		if known {
			h := w.Header()
			h.Set("Access-Control-Allow-Origin", origin)
			h.Set("Access-Control-Allow-Credentials", "true")
			h.Set("Access-Control-Expose-Headers", "X-Request-ID, Idempotent-Replayed, Retry-After")
			h.Add("Vary", "Origin")
		}
		next.ServeHTTP(w, r)
	})
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
