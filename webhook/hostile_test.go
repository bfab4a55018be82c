package webhook_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"xyra"
	"xyra/notice"
	"xyra/store"
	"xyra/webhook"
)

// raw serves connections as no HTTP server would, until the test ends.
func raw(t *testing.T, talk func(conn net.Conn, over <-chan struct{})) *net.TCPAddr {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	over := make(chan struct{})
	t.Cleanup(func() { close(over); l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				talk(conn, over)
			}()
		}
	}()
	return l.Addr().(*net.TCPAddr)
}

// says answers with a text once the request's first bytes are there, and hangs up.
func says(text string) func(net.Conn, <-chan struct{}) {
	return func(conn net.Conn, _ <-chan struct{}) {
		if _, err := conn.Read(make([]byte, 4096)); err == nil {
			fmt.Fprint(conn, text) //nolint:errcheck // it may have hung up
		}
	}
}

// drips sends a text, then a byte at a time for ever.
func drips(text string) func(net.Conn, <-chan struct{}) {
	return func(conn net.Conn, over <-chan struct{}) {
		says(text)(conn, over)
		every := time.NewTicker(200 * time.Millisecond)
		defer every.Stop()
		for {
			select {
			case <-every.C:
			case <-over:
				return
			}
			if _, err := conn.Write([]byte("a")); err != nil {
				return
			}
		}
	}
}

const improper = "no connection, or no proper answer"

// odd answers are those of servers that speak something else than the HTTP of this century.
var odd = map[string]struct{ answer, fault string }{
	"an upgrade":               {"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", "answered 101"},
	"frames of HTTP/2":         {"\x00\x00\x12\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x80\x00\x04\x00\x01\x00\x00\x00\x05\x00\xff\xff\xff", improper},
	"HTTP/2 in the head":       {"HTTP/2.0 200 OK\r\n\r\n", ""},
	"HTTP/0.9":                 {"<html>hello</html>", improper},
	"no status":                {"HTTP/1.1\r\n\r\n", improper},
	"status 000":               {"HTTP/1.1 000 None\r\n\r\n", "answered 0"},
	"status 999":               {"HTTP/1.1 999 Much\r\n\r\n", "answered 999"},
	"a negative length":        {"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", improper},
	"two lengths":              {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", improper},
	"a body cut short":         {"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\nab", ""},
	"chunks that are none":     {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", ""},
	"an unknown encoding":      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", improper},
	"a head cut short":         {"HTTP/1.1 200 OK\r\nX-A: ", improper},
	"a name with a line break": {"HTTP/1.1 200 OK\r\nX-A\r\n : b\r\n\r\n", improper},
	"many short lines":         {"HTTP/1.1 200 OK\r\n" + strings.Repeat("A: b\r\n", 10_000) + "\r\n", improper},
	"a status line of 1 MiB":   {"HTTP/1.1 200 " + strings.Repeat("O", 1<<20) + "\r\n\r\n", improper},
	"nothing but a hang-up":    {"", improper},
}

// What a receiver says in the wrong tongue is no success, costs no time, and crashes nothing.
func TestDeliver_SurvivesOddAnswers(t *testing.T) {
	rules := notice.Rules{AllowHTTP: true, Private: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
	ports := map[string]int{}
	for name, c := range odd {
		ports[name] = raw(t, says(c.answer)).Port
		rules.Ports = append(rules.Ports, uint16(ports[name]))
	}
	w := lonely(t, rules)
	for name, c := range odd {
		if fault, status := w.outcome(fmt.Sprintf("http://127.0.0.1:%d/", ports[name])); fault != c.fault {
			t.Errorf("%s: %d %q, want %q", name, status, fault, c.fault)
		}
	}
}

// An attempt takes ten seconds at most, at whatever a receiver is slow; a body is not waited for at all.
func TestDeliver_WaitsTenSecondsForAHead(t *testing.T) {
	slow := map[string]struct {
		scheme, fault string
		talk          func(net.Conn, <-chan struct{})
	}{
		"/silent":          {"http", "no answer in time", func(_ net.Conn, over <-chan struct{}) { <-over }},
		"/slow head":       {"http", "no answer in time", drips("HTTP/1.1 200 OK\r\nX-Slow: ")},
		"/slow status":     {"http", "no answer in time", drips("HT")},
		"/interim answers": {"http", improper, endlessInterim},
		"/silent shake":    {"https", "no answer in time", func(_ net.Conn, over <-chan struct{}) { <-over }},
		"/slow shake":      {"https", "no answer in time", drips("\x16\x03\x03\x40\x00")},
		"/slow body":       {"http", "", drips("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")},
	}
	rules := notice.Rules{AllowHTTP: true, Private: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
	addresses := map[string]string{}
	for name, c := range slow {
		at := raw(t, c.talk)
		rules.Ports = append(rules.Ports, uint16(at.Port))
		addresses[name] = c.scheme + "://" + at.String() + strings.ReplaceAll(name, " ", "-")
	}
	w := lonely(t, rules)
	endpoints := map[xyra.WebhookEndpointID]string{}
	for name, address := range addresses {
		e, _ := w.endpoint(address)
		endpoints[e.ID] = name
	}
	w.announce()
	var jobs []xyra.Job
	w.tx(func(ctx context.Context, tx *store.Tx) (err error) {
		jobs, err = tx.UpdateJobsClaimed(ctx, xyra.JobWebhook, time.Hour, 100)
		return err
	})
	w.options.Workers = 100
	sender, began := webhook.New(w.db, w.desk, w.options), time.Now()
	var all sync.WaitGroup
	for _, j := range jobs { // all at once, so that it takes ten seconds in all
		all.Go(func() {
			err := sender.Deliver(t.Context(), j)
			took := time.Since(began)
			var args xyra.WebhookJobArgs
			if err := json.Unmarshal(j.Args, &args); err != nil {
				t.Error(err)
			}
			name := endpoints[args.Endpoint]
			c := slow[name]
			if isSlow := c.fault == "no answer in time"; (err == nil) != (c.fault == "") || err != nil && !strings.HasPrefix(err.Error(), c.fault) || took > 15*time.Second || isSlow != (took > 9*time.Second) {
				t.Errorf("%s: %v after %s, want %q", name, err, took, c.fault)
			}
		})
	}
	all.Wait()
	if len(jobs) != len(slow) {
		t.Errorf("%d jobs", len(jobs))
	}
}

func endlessInterim(conn net.Conn, over <-chan struct{}) {
	says("")(conn, over)
	for {
		if _, err := fmt.Fprint(conn, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"); err != nil {
			return
		}
	}
}

// certificate makes one for a name that is its own authority.
func certificate(t *testing.T, name string, from, to time.Time) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	form := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{name}, NotBefore: from, NotAfter: to, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	der, err := x509.CreateCertificate(rand.Reader, form, form, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	read, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(read)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, roots
}

// Certificates are held against the name of the address and against the time, only trusted ones count, and neither an old TLS
// nor a protocol that was not asked for is spoken.
func TestDeliver_BelievesTrustedCertificatesAlone(t *testing.T) {
	now, year := time.Now(), 365*24*time.Hour
	const host, distrusted = "hooks.example.com", "the certificate is not trusted"
	for name, c := range map[string]struct {
		of       string
		from, to time.Time
		believe  bool
		speak    *tls.Config
		want     string
	}{
		"a good one":        {of: host, from: now.Add(-year), to: now.Add(year), believe: true},
		"a wildcard":        {of: "*.example.com", from: now.Add(-year), to: now.Add(year), believe: true},
		"another name":      {of: "other.org", from: now.Add(-year), to: now.Add(year), believe: true, want: distrusted},
		"an unknown issuer": {of: host, from: now.Add(-year), to: now.Add(year), want: distrusted},
		"an expired one":    {of: host, from: now.Add(-year), to: now.Add(-time.Hour), believe: true, want: distrusted},
		"one of tomorrow":   {of: host, from: now.Add(24 * time.Hour), to: now.Add(year), believe: true, want: distrusted},
		"TLS 1.1":           {of: host, from: now.Add(-year), to: now.Add(year), believe: true, speak: &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, want: improper},
		"HTTP/2 alone":      {of: host, from: now.Add(-year), to: now.Add(year), believe: true, speak: &tls.Config{NextProtos: []string{"h2"}}},
	} {
		count := 0
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { count++ }))
		s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
		made, roots := certificate(t, c.of, c.from, c.to)
		if s.TLS = c.speak; s.TLS == nil {
			s.TLS = &tls.Config{}
		}
		s.TLS.Certificates = []tls.Certificate{made}
		s.StartTLS()
		w := lonely(t, inner(s))
		w.options.Lookup = func(context.Context, string) ([]netip.Addr, error) {
			return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
		}
		if w.options.Roots = x509.NewCertPool(); c.believe {
			w.options.Roots = roots
		}
		fault, _ := w.outcome(fmt.Sprint("https://", host, ":", portOf(s), "/"))
		s.Close()
		if fault != c.want || (count == 1) != (c.want == "") {
			t.Errorf("%s: %q and %d requests, want %q", name, fault, count, c.want)
		}
	}
}
