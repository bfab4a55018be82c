package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// A key's secret is shown once; a replay shows everything else. The key reaches its own routes alone.
func TestCreateAPIKey_ReplayHoldsNoSecret(t *testing.T) {
	eachServer(t, Options{}, func(t *testing.T, s *Server) {
		p := newStaff(t, s)
		send := func() *httptest.ResponseRecorder {
			r := httptest.NewRequest(http.MethodPost, "/api/v1/api-keys", strings.NewReader(`{"name":"ingest"}`))
			r.Header.Set("Authorization", "Bearer "+p.member)
			r.Header.Set("Idempotency-Key", "k1")
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			return w
		}
		var first, second struct {
			ID    int64
			Token *string
		}
		for _, out := range []any{&first, &second} {
			w := send()
			if err := json.Unmarshal(w.Body.Bytes(), out); err != nil || w.Code != http.StatusOK {
				t.Fatalf("%d %s", w.Code, w.Body)
			}
		}
		if first.Token == nil || len(*first.Token) != 37 || second.Token != nil || second.ID != first.ID {
			t.Errorf("first %+v, second %+v", first, second)
		}
		answers(t, ask(s, http.MethodGet, "/api/v1/organizations", *first.Token, ""), 200, `[{"name":"Northwind",…`)
		for _, route := range []string{"GET /auth/me", "GET /users", "GET /users/1", "PUT /users/1", "GET /api-keys", "POST /api-keys", "GET /api-keys/1",
			"PUT /api-keys/1", "DELETE /api-keys/1", "POST /api-keys/1/deactivate", "GET /api-keys/organization/all", "POST /users", "DELETE /users/1"} {
			method, path, _ := strings.Cut(route, " ")
			answers(t, ask(s, method, "/api/v1"+path, *first.Token, ""), 403, answerForbidden)
		}
	})
}

// Each route says for what an organization is needed, and hides the keys of others.
func TestAPIKeys_RefusalsSayThePurpose(t *testing.T) {
	eachServer(t, Options{}, func(t *testing.T, s *Server) {
		p := newStaff(t, s)
		create(t, s, "/api/v1/users", p.root, `{"email":"loner@street.io","password":"good-pass-1"}`)
		loner := logIn(t, s, "loner@street.io", "good-pass-1")
		id := create(t, s, "/api/v1/api-keys", p.admin, `{"name":"ingest","expires_at":"2999-01-01"}`)
		path := fmt.Sprintf("/api-keys/%d", id)
		for _, route := range []struct{ method, path, body, purpose string }{
			{"GET", "/api-keys", "", "manage API keys"},
			{"POST", "/api-keys", `{"name":"x"}`, "create API keys"},
			{"GET", path, "", "access API keys"},
			{"PUT", path, `{"name":"x"}`, "update API keys"},
			{"DELETE", path, "", "delete API keys"},
			{"POST", path + "/deactivate", "", "deactivate API keys"},
		} {
			want := fmt.Sprintf(`{"detail":"User must belong to an organization to %s"}`, route.purpose)
			answers(t, ask(s, route.method, "/api/v1"+route.path, loner, route.body), 400, want)
			if route.path == path {
				answers(t, ask(s, route.method, "/api/v1"+path, p.member, route.body), 404, `{"detail":"API key not found"}`)
			}
		}
		answers(t, ask(s, "GET", "/api/v1/api-keys/organization/all", p.root, ""), 400, `{"detail":"User must belong to an organization to view organization API keys"}`)
		answers(t, ask(s, "GET", "/api/v1/api-keys/organization/all", p.member, ""), 403, answerForbidden)
		answers(t, ask(s, "PUT", "/api/v1"+path, p.root, `{"name":null,"description":null,"is_active":null,"expires_at":1}`), 422,
			`{"detail":[{"type":"string_type","loc":["body","name"],"msg":"Input should be a valid string","input":null},{"type":"bool_type",…`)
		answers(t, ask(s, "PUT", "/api/v1"+path, p.root, `{"expires_at":null,"is_active":false}`), 200, `{"name":"ingest","description":null,"expires_at":null,…`)
		answers(t, ask(s, "DELETE", "/api/v1"+path, p.root, ""), 200, `{"message":"API key deleted successfully"}`)
	})
}
