package main

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// exchange sends bytes on a connection of their own and returns the statuses of all answers until the server ends it.
func exchange(t *testing.T, address, text string) (statuses []int) {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(30 * time.Second)) //nolint:errcheck // then reading never ends, and the test's own limit does
	go io.WriteString(c, text)                      //nolint:errcheck // who is refused early may not take the rest
	for in := bufio.NewReader(c); ; {
		answer, err := http.ReadResponse(in, nil)
		if err != nil {
			return statuses
		}
		statuses = append(statuses, answer.StatusCode)
		if _, err := io.Copy(io.Discard, answer.Body); err != nil {
			return statuses // what the server did not read made the system reset the connection
		}
		answer.Body.Close()
		if answer.Header.Get("Strict-Transport-Security") != "" || answer.Header.Get("Server") != "" {
			t.Errorf("%.60q: %v", text, answer.Header)
		}
	}
}

// What two programs could read in two ways hides no second request: it is refused and the connection ended, or it is read as RFC
// 9112 says, by which a proxy in front must go too.
func TestServe_AmbiguousRequestsHideNothing(t *testing.T) {
	s := startServer(t, "XYRA_DATA_DIR="+t.TempDir(), "LOG_LEVEL=error", "XYRA_HEADER_TIMEOUT=1s", "XYRA_IDLE_TIMEOUT=1s", "XYRA_READ_TIMEOUT=1s")
	address := strings.TrimSuffix(strings.TrimPrefix(s.url, "http://"), "/api/v1")
	const hidden = "GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
	post := func(headers, body string) string {
		return "POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" + headers + "\r\n" + body
	}
	for name, text := range map[string]string{
		"two lengths":              post("Content-Length: 5\r\nContent-Length: 0\r\n", hidden),
		"a list of lengths":        post("Content-Length: 5, 0\r\n", hidden),
		"a signed length":          post("Content-Length: +0\r\n", hidden),
		"a length in hex":          post("Content-Length: 0x0\r\n", hidden),
		"a negative length":        post("Content-Length: -1\r\n", hidden),
		"an unknown coding":        post("Transfer-Encoding: xchunked\r\nContent-Length: 0\r\n", hidden),
		"two codings":              post("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", "0\r\n\r\n"+hidden),
		"a list of codings":        post("Transfer-Encoding: identity, chunked\r\n", "0\r\n\r\n"+hidden),
		"a blank before the colon": post("Transfer-Encoding : chunked\r\nContent-Length: 0\r\n", hidden),
		"a folded header":          post("X-A: b\r\n Transfer-Encoding: chunked\r\nContent-Length: "+"4\r\n", "0\r\n\r"),
		"a NUL in a header":        post("X-A: \x00\r\nContent-Length: 0\r\n", ""),
		"no host":                  "GET /health HTTP/1.1\r\n\r\n",
		"two hosts":                "GET /health HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
		"a host that is none":      "GET /health HTTP/1.1\r\nHost: a/b c\r\n\r\n",
		"no version":               "GET /health\r\n\r\n",
		"another version":          "GET /health HTTP/3.0\r\nHost: x\r\n\r\n",
		"a method with blanks":     "GE T /health HTTP/1.1\r\nHost: x\r\n\r\n",
		"HTTP/2 without TLS":       "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"a bare chunk":             post("Transfer-Encoding: chunked\r\n", "zz\r\n"+hidden),
		"a chunk that is too long": post("Transfer-Encoding: chunked\r\n", "ffffffffffffffff1\r\n"+hidden),
	} {
		for _, status := range exchange(t, address, text) {
			if status < 400 || status > 499 && status != http.StatusNotImplemented && status != http.StatusHTTPVersionNotSupported {
				t.Errorf("%s is answered %d", name, status)
			}
		}
	}
	star := "OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
	if statuses := exchange(t, address, star); len(statuses) != 1 || statuses[0] != http.StatusNotFound {
		t.Errorf("a question to the server as a whole is answered %v", statuses)
	}
	// Chunked wins over a length; the rest is the next request, as it is for a proxy that keeps to the RFC.
	both := post("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"+hidden)
	if statuses := exchange(t, address, both); len(statuses) != 2 || statuses[0] != http.StatusUnprocessableEntity || statuses[1] != http.StatusOK {
		t.Errorf("a length and chunks are answered %v", statuses)
	}
}

// A head has 16 KiB and some; larger ones are refused before they are read, however they are cut.
func TestServe_LargeHeadsAreRefused(t *testing.T) {
	s := startServer(t, "XYRA_DATA_DIR="+t.TempDir(), "LOG_LEVEL=error", "XYRA_HEADER_TIMEOUT=2s", "XYRA_IDLE_TIMEOUT=1s")
	address := strings.TrimSuffix(strings.TrimPrefix(s.url, "http://"), "/api/v1")
	head := func(path, headers string) string {
		return "GET " + path + " HTTP/1.1\r\nHost: x\r\n" + headers + "\r\n"
	}
	for name, text := range map[string]string{
		"one header":   head("/health", "X-A: "+strings.Repeat("a", 40<<10)+"\r\n"),
		"many headers": head("/health", strings.Repeat("X-A: a\r\n", 6<<10)),
		"a path":       head("/"+strings.Repeat("a", 40<<10), ""),
		"a query":      head("/health?"+strings.Repeat("a", 40<<10), ""),
	} {
		if statuses := exchange(t, address, text); len(statuses) != 1 || statuses[0] != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("%s of 40 KiB is answered %v", name, statuses)
		}
	}
	if statuses := exchange(t, address, head("/health", "X-A: "+strings.Repeat("a", 8<<10)+"\r\n")); len(statuses) != 1 || statuses[0] != http.StatusOK {
		t.Errorf("a head of 8 KiB is answered %v", statuses)
	}
}
