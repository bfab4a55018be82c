package api

import (
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

// Every file that a page names is served here, and no page names another host: the reference works without a network.
func TestDocs_PagesNeedNoOtherHost(t *testing.T) {
	pages := docsPages([]byte(`{"openapi":"3.1.0"}`))
	named := regexp.MustCompile(`(?:src|href|url)[=:] ?"([^"]*)"`)
	for _, path := range []string{"/docs", "/docs/init.js", "/redoc", "/redoc/init.js"} {
		body := fetchPage(t, pages, path, "").Body.String()
		for _, match := range named.FindAllStringSubmatch(body, -1) {
			if pages[match[1]] == nil {
				t.Errorf("%s names %q, which is not served", path, match[1])
			}
		}
		if strings.Contains(body, "//") {
			t.Errorf("%s holds an address with a host:\n%s", path, body)
		}
	}
	redoc := fetchPage(t, pages, "/docs/assets/redoc.standalone.js", "").Body.String()
	if strings.Contains(redoc, "cdn.") || !strings.Contains(redoc, `src:"data:image/gif;base64,`) {
		t.Error("ReDoc does not have an empty image in place of the logo from its maker's host")
	}
}

// A page's script and style come from files alone, so that the policy can forbid inline code.
func TestDocs_PolicyAllowsOnlyThisServer(t *testing.T) {
	pages := docsPages(nil)
	for _, path := range []string{"/docs", "/redoc"} {
		w := fetchPage(t, pages, path, "")
		if strings.Contains(w.Body.String(), "<script>") {
			t.Errorf("%s has an inline script", path)
		}
		policy := w.Header().Get("Content-Security-Policy")
		if !strings.Contains(policy, "default-src 'none'; script-src 'self';") || strings.Contains(policy, "http") {
			t.Errorf("%s has policy %q", path, policy)
		}
	}
}

// A client gets gzip only when it said that it can read it.
func TestDocs_CompressedOnlyWhenAccepted(t *testing.T) {
	pages := docsPages(nil)
	for accept, want := range map[string]string{
		"":                     "",
		"gzip":                 "gzip",
		"br, GZIP;q=0.5":       "gzip",
		"*":                    "gzip",
		"gzip;q=0, *":          "",
		"identity;q=1, *;q=0":  "",
		"br;q=1.0, gzip;q=0.0": "",
		"gzip;q=nonsense":      "",
	} {
		w := fetchPage(t, pages, "/docs/assets/swagger-ui.css", accept)
		if got := w.Header().Get("Content-Encoding"); got != want {
			t.Errorf("Accept-Encoding %q gives Content-Encoding %q, want %q", accept, got, want)
		}
		if readable := strings.Contains(w.Body.String(), ".swagger-ui"); readable != (want == "") {
			t.Errorf("Accept-Encoding %q: body readable as it is: %v", accept, readable)
		}
	}
}

// A browser that has a file is told so instead of getting it again.
func TestDocs_KnownTagIsNotModified(t *testing.T) {
	pages := docsPages(nil)
	tag := fetchPage(t, pages, "/docs/assets/swagger-ui-bundle.js", "gzip").Header().Get("ETag")
	r := httptest.NewRequest(http.MethodGet, "/docs/assets/swagger-ui-bundle.js", nil)
	r.Header.Set("Accept-Encoding", "gzip")
	r.Header.Set("If-None-Match", tag)
	w := httptest.NewRecorder()
	pages["/docs/assets/swagger-ui-bundle.js"].ServeHTTP(w, r)
	if left, err := io.ReadAll(w.Body); w.Code != http.StatusNotModified || len(left) != 0 || err != nil {
		t.Errorf("known tag gives %d with %d bytes (%v), want 304 with none", w.Code, len(left), err)
	}
}

func fetchPage(t *testing.T, pages map[string]http.Handler, path, accept string) *httptest.ResponseRecorder {
	t.Helper()
	handler, ok := pages[path]
	if !ok {
		t.Fatalf("%s is not served", path)
	}
	r := httptest.NewRequest(http.MethodGet, path, nil)
	if accept != "" {
		r.Header.Set("Accept-Encoding", accept)
	}
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	if w.Code != http.StatusOK || w.Header().Get("Content-Type") == "" {
		t.Fatalf("GET %s: %d %q", path, w.Code, w.Header().Get("Content-Type"))
	}
	return w
}
