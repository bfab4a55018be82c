package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// post sends a body of any type from an address.
func post(s *Server, path, contentType, body, address string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	r.RemoteAddr = address
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

// logIn is a token of a user.
func logIn(t *testing.T, s *Server, email, password string) string {
	t.Helper()
	w := post(s, "/api/v1/auth/login", "application/x-www-form-urlencoded", "username="+email+"&password="+password, "192.0.2.200:1")
	var out tokenOut
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil || w.Code != http.StatusOK {
		t.Fatalf("log in as %s: %d %s", email, w.Code, w.Body)
	}
	return out.AccessToken
}

// create makes an object and returns its id.
func create(t *testing.T, s *Server, path, token, body string) int64 {
	t.Helper()
	w := ask(s, http.MethodPost, path, token, body)
	var out struct {
		ID int64 `json:"id"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil || w.Code != http.StatusOK {
		t.Fatalf("POST %s %s: %d %s", path, body, w.Code, w.Body)
	}
	return out.ID
}

// answers checks status and body; a want that ends in "…" is the beginning.
func answers(t *testing.T, w *httptest.ResponseRecorder, status int, want string) {
	t.Helper()
	got := w.Body.String()
	begin, isBegin := strings.CutSuffix(want, "…")
	if w.Code != status || isBegin && !strings.HasPrefix(got, begin) || !isBegin && got != want {
		t.Errorf("answer %d %s, want %d %s", w.Code, got, status, want)
	}
}

// A login's form may come in two shapes; anything else is an empty form.
func TestLogin_ReadsForms(t *testing.T) {
	const (
		urlencoded = "application/x-www-form-urlencoded"
		missing    = `{"detail":[{"type":"missing","loc":["body","username"],"msg":"Field required","input":null},` +
			`{"type":"missing","loc":["body","password"],"msg":"Field required","input":null}]}`
		good   = `{"access_token":"…`
		wrong  = `{"detail":"Incorrect email or password"}`
		grant  = `{"detail":[{"type":"string_pattern_mismatch","loc":["body","grant_type"],…`
		fields = "username=admin%40example.com&password=admin"
	)
	part := func(name, value string) string {
		return fmt.Sprintf("--b\r\nContent-Disposition: form-data; name=%q\r\n\r\n%s\r\n", name, value)
	}
	eachServer(t, Options{}, func(t *testing.T, s *Server) {
		for i, form := range []struct {
			contentType, body string
			status            int
			want              string
		}{
			{urlencoded, fields, 200, good},
			{urlencoded + "; charset=utf-8", "grant_type=password&scope=&client_id=x&client_secret=y&" + fields, 200, good},
			{"Application/X-WWW-Form-Urlencoded", "password=wrong&" + fields, 200, good},
			{"multipart/form-data; boundary=b", part("username", "admin@example.com") + part("password", "admin") + "--b--\r\n", 200, good},
			{"multipart/form-data", fields, 400, `{"detail":"Missing boundary in multipart."}`},
			{urlencoded, fields + "&grant_type=", 422, grant},
			{urlencoded, "grant_type=client_credentials&" + fields, 422, grant},
			{urlencoded, "", 422, missing},
			{"", fields, 422, missing},
			{"application/json", `{"username":"admin@example.com","password":"admin"}`, 422, missing},
			{urlencoded, "username=admin%40example.com&password=", 401, wrong},
			{urlencoded, "username=admin%40example.com+&password=admin", 401, wrong},
			{urlencoded, "username=admin%40example.com&password=admin%00", 401, wrong},
			{urlencoded, "username=%ff%fe%00&password=%zz", 401, wrong},
			{urlencoded, "username=" + strings.Repeat("a", 300_000) + "&password=" + strings.Repeat("b", 300_000), 401, wrong},
			{urlencoded, strings.Repeat("a", 1<<20+1), 413, `{"detail":"Request body too large"}`},
		} {
			w := post(s, "/api/v1/auth/login?username=a&password=b", form.contentType, form.body, fmt.Sprintf("192.0.2.%d:80", i))
			answers(t, w, form.status, form.want)
			if form.status == 401 && w.Header().Get("WWW-Authenticate") != "Bearer" {
				t.Errorf("%s: no WWW-Authenticate", form.body)
			}
		}
	})
}

// Both routes count together; the answer says when to come again, and an IPv6 customer's block is one address.
func TestLogin_LimitIsSharedByBothRoutes(t *testing.T) {
	eachServer(t, Options{}, func(t *testing.T, s *Server) {
		try := func(route, password, address string) *httptest.ResponseRecorder {
			return post(s, "/api/v1/auth/login"+route, "application/x-www-form-urlencoded", "username=admin%40example.com&password="+password, address)
		}
		for i := range 10 {
			route := []string{"", "/access-token"}[i%2]
			answers(t, try(route, "wrong", fmt.Sprintf("[2001:db8::%d]:80", i)), 401, `{"detail":"Incorrect email or password"}`)
		}
		w := try("", "admin", "[2001:db8::ffff]:80")
		answers(t, w, 429, `{"detail":"Too many failed login attempts. Try again later."}`)
		if after := w.Header().Get("Retry-After"); len(after) != 3 {
			t.Errorf("Retry-After %q, want a little less than 900", after)
		}
		answers(t, try("", "admin", "[2001:db8:0:1::1]:80"), 200, `{"access_token":"…`)
	})
}

// Signup is closed unless opened, gives no rights, and does not say whose an address is.
func TestSignup_GivesNoRights(t *testing.T) {
	const forbidden = `{"detail":"Signup cannot set is_superuser, organization_id or role"}`
	eachServer(t, Options{}, func(t *testing.T, s *Server) {
		answers(t, ask(s, http.MethodPost, "/api/v1/auth/signup", "", "{"), 403, `{"detail":"Signup is disabled"}`)
		open := s.withOptions(func(o *Options) { o.Signup = true })
		for _, try := range []struct {
			body   string
			status int
			want   string
		}{
			{`{"email":"a@street.io","password":"let-me-in-1","is_superuser":true}`, 403, forbidden},
			{`{"email":"a@street.io","password":"let-me-in-1","role":"admin"}`, 403, forbidden},
			{`{"email":"a@street.io","password":"let-me-in-1","role":""}`, 403, forbidden},
			{`{"email":"a@street.io","password":"let-me-in-1","organization_id":0}`, 403, forbidden},
			{`{"email":"admin@example.com","password":"let-me-in-1","organization_id":1}`, 403, forbidden},
			{`{"email":"a@street.io","password":"short","is_superuser":true}`, 422, `{"detail":[{"type":"string_too_short","loc":["body","password"],…`},
			{`{"email":"a@street.io","password":"A@street.io"}`, 422, `{"detail":[{"type":"value_error","loc":["body","password"],"msg":"Value error, password is too easy to guess",…`},
			{`{"email":"a@street.io","password":"let-me-in-1","is_superuser":null}`, 422, `{"detail":[{"type":"bool_type","loc":["body","is_superuser"],…`},
			{`{"email":"ADMIN@example.com","password":"let-me-in-1"}`, 400, `{"detail":"Signup could not be completed"}`},
			{`{"email":"a@street.io","password":"let-me-in-1","is_active":null,"role":"user","organization_id":null}`, 200, `{"access_token":"…`},
			{`{"email":"A@street.io","password":"let-me-in-1"}`, 400, `{"detail":"Signup could not be completed"}`},
		} {
			answers(t, ask(open, http.MethodPost, "/api/v1/auth/signup", "", try.body), try.status, try.want)
		}
		me := ask(s, http.MethodGet, "/api/v1/auth/me", logIn(t, s, "a@street.io", "let-me-in-1"), "")
		answers(t, me, 200, `{"email":"a@street.io","full_name":null,"is_active":true,"is_superuser":false,"role":"user","id":2,"organization_id":null,"last_login":"…`)
	})
}
