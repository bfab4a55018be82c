package api

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// A POST that only calculates is remembered like every other.
func TestIdempotencyKey_CoversCalculations(t *testing.T) {
	eachServer(t, Options{}, func(t *testing.T, s *Server) {
		token, _ := ingestWorld(t, s)
		calculate := func(body string) *httptest.ResponseRecorder {
			r := httptest.NewRequest(http.MethodPost, "/api/v1/billing-models/1/calculate", strings.NewReader(body))
			r.Header.Set("Authorization", "Bearer "+token)
			r.Header.Set("Idempotency-Key", "calculation")
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			return w
		}
		first, again, other := calculate(`{"actions":3}`), calculate(`{"actions":3}`), calculate(`{"actions":4}`)
		if first.Code != http.StatusOK || again.Body.String() != first.Body.String() || again.Header().Get("Idempotent-Replayed") != "true" {
			t.Errorf("first %d %s, again %d %s %v", first.Code, first.Body, again.Code, again.Body, again.Header())
		}
		if want := `{"detail":"Idempotency-Key was used with a different request"}`; other.Code != http.StatusUnprocessableEntity || other.Body.String() != want {
			t.Errorf("another body: %s", fmt.Sprint(other.Code, other.Body))
		}
	})
}
