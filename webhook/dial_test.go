package webhook_test

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"xyra/notice"
	"xyra/store"
	"xyra/store/storetest"
)

// lonely makes a world on SQLite: what is dialled does not depend on the database.
func lonely(t *testing.T, rules notice.Rules) *world {
	t.Helper()
	clock := storetest.NewClock(storetest.Start)
	target := storetest.SQLite(t)
	target.Now = clock.Now
	return newWorld(t, storetest.Open(t, target), clock, rules)
}

// outcome sends one message to an address and returns what the customer reads of it.
func (w *world) outcome(address string) (fault string, status int) {
	w.t.Helper()
	e, _ := w.endpoint(address)
	return w.send(e)
}

// A saved address that must not be called any more is not, whatever the text of its host.
func TestDeliver_ChecksSavedAddressesAgain(t *testing.T) {
	rc := newReceiver(t, accepting)
	w := lonely(t, inner(rc.Server))
	strict, err := notice.New([]byte("secret of the tests"), notice.Rules{AllowHTTP: true, Ports: w.rules.Ports}, nil)
	if err != nil {
		t.Fatal(err)
	}
	loose := w.desk
	port := fmt.Sprint(portOf(rc.Server))
	for _, host := range []string{"127.0.0.1", "127.0.0.2", "127.255.255.254", "localhost", "receiver", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]"} {
		w.desk = loose
		e, _ := w.endpoint("http://" + host + ":" + port + "/")
		w.announce()
		w.desk = strict
		w.run(w.runner())
		if d := w.deliveries(e)[0]; d.LastError == nil || *d.LastError != "the address is not allowed" {
			t.Errorf("%s: %+v", host, d)
		}
		w.tx(func(ctx context.Context, tx *store.Tx) error { return notice.DeleteEndpoint(ctx, tx, root, e.ID) })
	}
	if n := len(rc.requests()); n != 0 {
		t.Errorf("%d requests arrived", n)
	}
}

// A name that leads nowhere is told apart.
func TestDeliver_SaysWhenANameIsNone(t *testing.T) {
	w := lonely(t, notice.Rules{})
	for _, fault := range []error{nil, errors.New("no such host")} {
		w.options.Lookup = func(context.Context, string) ([]netip.Addr, error) { return nil, fault }
		if fault, _ := w.outcome("https://hooks.example.com/"); fault != "the name could not be resolved" {
			t.Errorf("a name without address: %q", fault)
		}
	}
}

// Answers cost what their head costs: redirects are not followed, bodies neither read nor unpacked, proxies not asked.
func TestDeliver_BoundsWhatReceiversAnswer(t *testing.T) {
	trap := newReceiver(t, accepting)
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"} {
		t.Setenv(name, trap.URL)
	}
	if os.Getenv("HTTP_PROXY") == "" {
		t.Fatal("no proxy is set")
	}
	var written atomic.Int64
	endless := func(w http.ResponseWriter, r *http.Request, block []byte) {
		for r.Context().Err() == nil {
			n, err := w.Write(block)
			written.Add(int64(n))
			if err != nil {
				return
			}
		}
	}
	block := make([]byte, 1<<16)
	answers := map[string]func(w http.ResponseWriter, r *http.Request){
		"/301": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, trap.URL, http.StatusMovedPermanently)
		},
		"/302": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, trap.URL, http.StatusFound) },
		"/303": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, trap.URL, http.StatusSeeOther) },
		"/307": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, trap.URL, http.StatusTemporaryRedirect)
		},
		"/308": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/loop", http.StatusPermanentRedirect)
		},
		"/endless": func(w http.ResponseWriter, r *http.Request) { endless(w, r, block) },
		"/bomb": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			defer z.Close()
			for range 100 {
				if _, err := z.Write(block); err != nil {
					return
				}
			}
		},
		"/heads": func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X-Long", strings.Repeat("a", 1<<20)) },
		"/early": func(w http.ResponseWriter, _ *http.Request) {
			for range 100 {
				w.Header().Set("X-Long", strings.Repeat("a", 1<<10))
				w.WriteHeader(http.StatusEarlyHints)
			}
		},
		"/hangup": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"/nonsense": func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				fmt.Fprint(conn, "SSH-2.0-OpenSSH_9.6\r\n") //nolint:errcheck // it may have hung up
				conn.Close()
			}
		},
	}
	rc := newReceiver(t, func(_ int, w http.ResponseWriter, r *http.Request) { answers[r.URL.Path](w, r) })
	w := lonely(t, inner(rc.Server, trap.Server))
	want := map[string]string{"/endless": "", "/bomb": "", "/heads": "no connection, or no proper answer", "/early": "no connection, or no proper answer",
		"/hangup": "no connection, or no proper answer", "/nonsense": "no connection, or no proper answer"}
	for path := range answers {
		fault, status := w.outcome(rc.URL + path)
		expected, listed := want[path]
		if !listed {
			expected = "answered " + path[1:] + ": redirects are not followed"
		}
		if fault != expected {
			t.Errorf("%s: %d %q, want %q", path, status, fault, expected)
		}
	}
	if n := len(trap.requests()); n != 0 {
		t.Errorf("%d requests were led elsewhere", n)
	}
	if written.Load() > 64<<20 {
		t.Errorf("%d bytes of an endless answer were taken", written.Load())
	}
}
