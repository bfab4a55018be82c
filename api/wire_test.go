package api

import (
	"bufio"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Each route answers with and without one trailing slash, never with a redirect, to its own methods and with 405 and
// their list to every other one.
func TestWire_RoutesAnswerToTheirPathsAndMethods(t *testing.T) {
	eachStage(t, func(st *stage) {
		methods, routes := map[string][]string{}, st.s.routes()
		for _, rt := range routes {
			path := strings.TrimSuffix(rt.path, "/")
			methods[path] = append(methods[path], rt.method)
		}
		for path, allowed := range methods {
			slices.Sort(allowed)
			filled := regexp.MustCompile(`\{\w+\}`).ReplaceAllString(path, "987654321")
			for _, form := range []string{filled, filled + "/"} {
				target := form
				if !isOutside(filled) && !strings.HasPrefix(filled, "/docs/") && !strings.HasPrefix(filled, "/redoc/") {
					target = "/api/v1" + form
				}
				for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "BREW", "get"} {
					r := httptest.NewRequest(method, target, nil)
					r.URL.Path, r.Header = target, http.Header{"Authorization": {"Bearer " + st.tokens["root"]}}
					w := httptest.NewRecorder()
					st.s.ServeHTTP(w, r)
					refused := w.Code == http.StatusMethodNotAllowed
					if refused == slices.Contains(allowed, method) || w.Code >= 300 && w.Code < 400 || w.Code >= 500 ||
						refused && (w.Header().Get("Allow") != strings.Join(allowed, ", ") || w.Body.String() != detailText("Method Not Allowed")) ||
						w.Body.String() == detailText("Not Found") || w.Header().Get("X-Request-ID") == "" {
						st.t.Errorf("%s %s: %d %v %.100s, allowed is %v", method, target, w.Code, w.Header(), w.Body, allowed)
					}
				}
			}
		}
	})
}

// What is no path of ours is 404 for everybody and with any method: nothing is cleaned, folded or guessed.
func TestWire_OtherPathsAreUnknown(t *testing.T) {
	unknown := []string{"/", "//", "/api", "/api/v1", "/api/v1/", "/api/v1//", "/API/V1/agents", "/api/v1/Agents", "/api/v2/agents", "/api/v1/agents//", "//api/v1/agents", "/api//v1/agents",
		"/api/v1//agents", "/api/v1/agents/1//stats", "/api/v1/agents//stats", "/api/v1/agents//", "/api/v1/agents/1/stats//", "/api/v1/../v1/agents", "/api/v1/./agents", "/api/v1/agents/./1/stats",
		"/api/v1/agents/1/../2/stats", "/api/v1/agents/1/nothing", "/api/v1/agents/1/stats/x", "/api/v1/agents/external/a/b", "/api/v1%2Fagents", "/api/v1/agents%2F1", "/api/v1/%61gents/x/y",
		"/metrics", "/docs/x", "/docs/../health", "/redoc/x", "/openapi.yaml", "/favicon.ico", "/.env", "/.git/config", "/api/v1/auth", "/api/v1/auth/logout",
		"/api/v1/organizations/1/users", "/health/x", "/ready/x", "/health//", "/api/v1/events/x", "/api/v1/api-keys/1/activate", "/api/v1/analytics", "/api/v1/analytics/organization", "/api/v1/analytics/organization/1"}
	eachStage(t, func(st *stage) {
		for _, path := range unknown {
			for _, caller := range []string{"root", "nobody", "forged"} {
				for _, method := range []string{"GET", "POST", "OPTIONS", "HEAD"} {
					r := httptest.NewRequest(method, "http://xyra.example/", nil)
					if err := parseTarget(r, path); err != nil {
						st.t.Fatal(err)
					}
					r.Header.Set("Authorization", "Bearer "+st.tokens[caller])
					w := httptest.NewRecorder()
					st.s.ServeHTTP(w, r)
					if w.Code != 404 || w.Body.String() != detailText("Not Found") || w.Header().Get("Content-Type") != "application/json" {
						st.t.Errorf("%s %s as %s: %d %.200s", method, path, caller, w.Code, w.Body)
					}
				}
			}
		}
	})
}

// parseTarget sets a request's path as the server reads it from a request line.
func parseTarget(r *http.Request, target string) error {
	read, err := http.ReadRequest(bufio.NewReader(strings.NewReader("GET " + target + " HTTP/1.1\r\nHost: x\r\n\r\n")))
	if err == nil {
		r.URL = read.URL
	}
	return err
}

// Every answer has a request id: the client's own if it has the form, else a new one each time.
func TestWire_RequestIDs(t *testing.T) {
	eachStage(t, func(st *stage) {
		seen := map[string]bool{}
		for _, path := range []string{"/health", "/docs", "/openapi.json", "/nothing", "/agents", "/auth/me", "/invoices/" + st.own["invoice"] + "/pdf"} {
			for _, given := range []string{"a", "A-z_0.9", strings.Repeat("x", 128)} {
				if got := st.send("GET", path, "root", "", "X-Request-ID", given).Header().Values("X-Request-ID"); len(got) != 1 || got[0] != given {
					st.t.Errorf("%s: %q became %q", path, given, got)
				}
			}
			for _, given := range []string{"", " ", "a b", "é", "a\x00", "<script>", "a/b", strings.Repeat("x", 129), "a,b", "a\r\nb"} {
				got := st.send("GET", path, "root", "", "X-Request-ID", given).Header().Get("X-Request-ID")
				if got == given || !validRequestID(got) || seen[got] {
					st.t.Errorf("%s: %q became %q", path, given, got)
				}
				seen[got] = true
			}
		}
	})
}

// Browsers of known origins get what they need, others nothing; neither asks for credentials or touches a route.
func TestWire_CrossOrigin(t *testing.T) {
	eachStage(t, func(st *stage) {
		before := st.fingerprint()
		for _, path := range []string{"/agents", "/auth/login", "/nothing", "/health"} {
			asked := []string{"Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization, x-custom"}
			w := st.send("OPTIONS", path, "nobody", "", append(asked, "Origin", "https://console.example")...)
			want := map[string]string{"Access-Control-Allow-Origin": "https://console.example", "Access-Control-Allow-Credentials": "true", "Access-Control-Allow-Methods": corsMethods,
				"Access-Control-Allow-Headers": "authorization, x-custom", "Access-Control-Max-Age": "600", "Vary": "Origin"}
			for name, value := range want {
				if got := w.Header().Get(name); got != value || w.Code != 200 || w.Body.String() != "OK" || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/plain") {
					st.t.Errorf("preflight of %s: %d %s, %s is %q, want %q", path, w.Code, w.Body, name, got, value)
				}
			}
			for _, origin := range []string{"https://evil.example", "null", "https://console.example.evil.example", "http://console.example", "HTTPS://CONSOLE.EXAMPLE", "https://console.example/", "*"} {
				w := st.send("OPTIONS", path, "nobody", "", append(asked, "Origin", origin)...)
				if w.Code != 400 || w.Body.String() != "Disallowed CORS origin" || w.Header().Get("Access-Control-Allow-Origin") != "" {
					st.t.Errorf("preflight of %s from %s: %d %s %v", path, origin, w.Code, w.Body, w.Header())
				}
				w = st.send("GET", path, "root", "", "Origin", origin)
				for name := range w.Header() {
					if strings.HasPrefix(name, "Access-Control") {
						st.t.Errorf("%s for %s has %s", path, origin, name)
					}
				}
			}
			w = st.send("GET", path, "nobody", "", "Origin", "https://console.example")
			if w.Header().Get("Access-Control-Allow-Origin") != "https://console.example" || w.Header().Get("Access-Control-Allow-Credentials") != "true" || w.Header().Get("Vary") != "Origin" ||
				w.Header().Get("Access-Control-Expose-Headers") != "X-Request-ID, Idempotent-Replayed, Retry-After" || w.Header().Get("Access-Control-Allow-Methods") != "" {
				st.t.Errorf("%s: %v", path, w.Header())
			}
		}
		if w := st.send("OPTIONS", "/agents", "root", "", "Origin", "https://console.example"); w.Code != 405 {
			st.t.Errorf("OPTIONS without a question: %d", w.Code)
		}
		st.unchanged(before, "another origin")
	})
}

// A body that breaks off or is broken in transfer is refused by every kind of route, on a real connection: no 5xx, and no
// silence that could pass for success.
func TestWire_BrokenBodiesAreRefused(t *testing.T) {
	eachStage(t, func(st *stage) {
		server := httptest.NewServer(st.s)
		defer server.Close()
		exchange := func(raw string) string {
			connection, err := net.Dial("tcp", server.Listener.Addr().String())
			if err != nil {
				st.t.Fatal(err)
			}
			defer connection.Close()
			if _, err := connection.Write([]byte(raw)); err != nil {
				st.t.Fatal(err)
			}
			if err := connection.(*net.TCPConn).CloseWrite(); err != nil {
				st.t.Fatal(err)
			}
			w, err := http.ReadResponse(bufio.NewReader(connection), nil)
			if err != nil {
				return ""
			}
			defer w.Body.Close()
			return w.Status
		}
		before := st.fingerprint()
		for _, target := range []string{"/agents/" + st.own["agent"] + "/activities", "/agents/" + st.own["agent"] + "/activities/", "/agents", "/events", "/auth/login", "/invoices", "/invoices/stripe/webhook", "/billing-models/" + st.own["model"] + "/calculate"} {
			head := fmt.Sprintf("POST /api/v1%s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\n", target, st.tokens["root"])
			for what, rest := range map[string]string{
				"short": "Content-Length: 100\r\n\r\n{\"activity_type\":\"call\"}", "no body": "Content-Length: 100\r\n\r\n", "broken chunk": "Transfer-Encoding: chunked\r\n\r\nzz\r\n{}", "short chunk": "Transfer-Encoding: chunked\r\n\r\nff\r\n{}",
				"half a gzip": "Content-Encoding: gzip\r\nContent-Length: 100\r\n\r\n\x1f\x8b\x08", "kept": "Idempotency-Key: k\r\nContent-Length: 100\r\n\r\n{}",
			} {
				if status := exchange(head + rest); !strings.HasPrefix(status, "4") {
					st.t.Errorf("%s, %s: %q", target, what, status)
				}
			}
		}
		st.unchanged(before, "a broken body")
	})
}

// Health and readiness are public and tell a lost database apart; without documents their pages are unknown paths.
func TestWire_ServiceRoutes(t *testing.T) {
	eachStage(t, func(st *stage) {
		for path, want := range map[string]string{"/health": `^\{"status":"healthy","timestamp":"\d{4}-\d\d-\d\dT[\d:.]+Z"\}$`, "/ready": `^\{"status":"ready","timestamp":"[^"]+Z"\}$`} {
			for _, caller := range []string{"nobody", "forged", "root"} {
				if w := st.send("GET", path, caller, ""); w.Code != 200 || !regexp.MustCompile(want).MatchString(w.Body.String()) {
					st.t.Errorf("%s: %d %s", path, w.Code, w.Body)
				}
			}
		}
		st.s = st.s.withOptions(func(o *Options) { o.Docs = false })
		for _, path := range []string{"/docs", "/redoc", "/openapi.json"} {
			if w := st.send("GET", path, "root", ""); w.Code != 404 || w.Body.String() != detailText("Not Found") {
				st.t.Errorf("%s: %d %s", path, w.Code, w.Body)
			}
		}
		if err := st.s.db.Close(); err != nil {
			st.t.Fatal(err)
		}
		if w := st.send("GET", "/health", "nobody", ""); w.Code != 200 {
			st.t.Errorf("alive without database: %d %s", w.Code, w.Body)
		}
		var log strings.Builder
		st.s = st.s.withOptions(func(o *Options) { o.Log = slog.New(slog.NewTextHandler(&log, nil)) })
		if w := st.send("GET", "/ready", "nobody", ""); w.Code != 503 || w.Body.String() != detailText("Not ready") {
			st.t.Errorf("ready without database: %d %s", w.Code, w.Body)
		}
		if !strings.Contains(log.String(), "database is closed") {
			st.t.Errorf("the log does not say why: %s", &log)
		}
	})
}

// Guesses are counted by the address that the connection shows: a header changes it only behind a proxy that is trusted,
// and an IPv6 client is as large as its network.
func TestWire_GuessesAreCountedByTrueAddresses(t *testing.T) {
	eachStage(t, func(st *stage) {
		st.s = st.s.withOptions(func(o *Options) {
			o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
		})
		guess := func(account, remote, forwarded string) int {
			r := httptest.NewRequest(http.MethodPost, "/api/v1/auth/login", strings.NewReader("username="+account+"&password=wrong"))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.RemoteAddr = remote
			r.Header.Set("X-Forwarded-For", forwarded)
			r.Header.Set("X-Real-IP", forwarded)
			r.Header.Set("Forwarded", "for="+forwarded)
			w := httptest.NewRecorder()
			st.s.ServeHTTP(w, r)
			return w.Code
		}
		sources := map[string]func(n int) (remote, forwarded string){
			"stranger": func(n int) (string, string) { return "198.51.100.1:1", fmt.Sprintf("203.0.113.%d", n) },
			"liar":     func(n int) (string, string) { return "10.0.0.1:1", fmt.Sprintf("203.0.113.%d, 198.51.100.2", n) },
			"chain":    func(n int) (string, string) { return "10.0.0.1:1", "198.51.100.3, 10.1.1.1" },
			"port":     func(n int) (string, string) { return "10.0.0.1:1", fmt.Sprintf("198.51.100.5:%d", 1024+n) },
			"network":  func(n int) (string, string) { return fmt.Sprintf("[2001:db8:1:2::%d]:1", n), "" },
			"mapped":   func(n int) (string, string) { return []string{"198.51.100.4:1", "[::ffff:198.51.100.4]:1"}[n%2], "" },
		}
		for account, source := range sources {
			for n := range 11 {
				want := 401
				if n == 10 {
					want = 429
				}
				remote, forwarded := source(n)
				if got := guess(account, remote, forwarded); got != want {
					st.t.Errorf("guess %d of %s: %d, want %d", n+1, account, got, want)
				}
			}
		}
		for account, forwarded := range map[string]string{"liar": "198.51.100.9", "port": "198.51.100.9:1024"} {
			if got := guess(account, "10.0.0.1:1", forwarded); got != 401 {
				st.t.Errorf("another client behind the proxy than %s: %d", account, got)
			}
		}
	})
}
