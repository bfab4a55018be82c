package front

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"
)

// gate is a handler that holds requests with the body "hold" until they are let through.
type gate struct{ came, leave chan struct{} }

func newGate() gate { return gate{make(chan struct{}), make(chan struct{})} }

// ServeHTTP implements http.Handler.
func (g gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if raw, err := io.ReadAll(r.Body); err == nil && string(raw) == "hold" {
		g.came <- struct{}{}
		<-g.leave
	}
	fmt.Fprint(w, "done")
}

// open starts a front of its own, with net/http behind it.
func open(t *testing.T, h http.Handler, patience time.Duration, changed, behind func(net.Conn, http.ConnState)) *Front {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := New(listener, Options{Handler: h, Takes: isEvent, Changed: changed, Now: time.Now, Log: slog.New(slog.DiscardHandler),
		HeaderTimeout: patience, WriteTimeout: patience, IdleTimeout: patience})
	server := &http.Server{Handler: h, ConnState: behind, ReadHeaderTimeout: time.Minute}
	go server.Serve(f) //nolint:errcheck // it ends with the test
	t.Cleanup(func() { server.Close() })
	return f
}

func dial(t *testing.T, f *Front) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", f.Addr().String())
	if err == nil {
		err = c.SetDeadline(time.Now().Add(10 * time.Second))
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func send(t *testing.T, c net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
}

// receive reads one answer and tells its status and whether it is the connection's last.
func receive(t *testing.T, c net.Conn) (status int, last bool) {
	t.Helper()
	response, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if _, err := io.ReadAll(response.Body); err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, response.Close
}

func isClosed(t *testing.T, c net.Conn) {
	t.Helper()
	if n, err := c.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
		t.Fatalf("read %d bytes, %v, want the end", n, err)
	}
}

func TestFront_ShutdownAnswersWhatIsUnderWay(t *testing.T) {
	g := newGate()
	f := open(t, g, time.Minute, nil, nil)
	waiting, begun, fresh, busy := dial(t, f), dial(t, f), dial(t, f), dial(t, f)
	send(t, begun, post("half")[:20])
	send(t, waiting, post("one"))
	receive(t, waiting)
	send(t, busy, post("hold"))
	<-g.came
	down := make(chan error)
	go func() { down <- f.Shutdown(context.Background()) }()
	isClosed(t, waiting)
	select {
	case err := <-down:
		t.Fatalf("shut down beside a running request: %v", err)
	default:
	}
	for _, late := range []struct {
		c    net.Conn
		text string
	}{{begun, post("half")[20:]}, {fresh, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"}} {
		send(t, late.c, late.text)
		if status, _ := receive(t, late.c); status != http.StatusOK {
			t.Errorf("%q behind the shutdown got %d", late.text, status)
		}
	}
	g.leave <- struct{}{}
	if status, last := receive(t, busy); status != http.StatusOK || !last {
		t.Errorf("the running request got %d, last %v", status, last)
	}
	isClosed(t, busy)
	if err := <-down; err != nil {
		t.Error(err)
	}
	if c, err := net.Dial("tcp", f.Addr().String()); err == nil {
		c.Close()
		t.Error("a connection was accepted after the shutdown")
	}
}

func TestFront_ShutdownCutsOffWhatTakesTooLong(t *testing.T) {
	g := newGate()
	f := open(t, g, time.Minute, nil, nil)
	busy := dial(t, f)
	send(t, busy, post("hold"))
	<-g.came
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	if err := f.Shutdown(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want that it was cut off", err)
	}
	isClosed(t, busy)
	g.leave <- struct{}{}
}

func TestFront_LeavesSlowRequestsToNetHTTP(t *testing.T) {
	behind := make(chan http.ConnState, 9)
	d := &door{}
	f := open(t, echo(&d.taken), time.Minute, nil, func(_ net.Conn, s http.ConnState) { behind <- s })
	for _, cut := range []int{1, 30, len(post("body")) - 1} {
		c := dial(t, f)
		send(t, c, post("body")[:cut])
		if state := <-behind; state != http.StateNew {
			t.Fatalf("net/http first said %s", state)
		}
		send(t, c, post("body")[cut:])
		if status, _ := receive(t, c); status != http.StatusTeapot {
			t.Errorf("cut at %d: %d", cut, status)
		}
		c.Close()
		for state := range behind {
			if state == http.StateClosed {
				break
			}
		}
	}
	if d.taken.Load() != 0 {
		t.Errorf("front took %d", d.taken.Load())
	}
}

func TestFront_ClosesSilentConnections(t *testing.T) {
	d := &door{}
	f := open(t, echo(&d.taken), 100*time.Millisecond, nil, nil)
	isClosed(t, dial(t, f))
	c := dial(t, f)
	send(t, c, post("body"))
	receive(t, c)
	isClosed(t, c)
}

func TestFront_TellsWhatBecomesOfConnections(t *testing.T) {
	var mu sync.Mutex
	told := map[string][]http.ConnState{}
	gone := make(chan struct{}, 9)
	note := func(c net.Conn, s http.ConnState) {
		if h, ok := c.(*Handed); ok {
			c = h.NetConn()
		}
		mu.Lock()
		told[c.RemoteAddr().String()] = append(told[c.RemoteAddr().String()], s)
		mu.Unlock()
		if s == http.StateClosed {
			gone <- struct{}{}
		}
	}
	d := &door{}
	f := open(t, echo(&d.taken), time.Minute, note, note)
	c := dial(t, f)
	for _, request := range []string{post("plain"), "GET / HTTP/1.1\r\nHost: a\r\n\r\n"} {
		send(t, c, request)
		receive(t, c)
	}
	c.Close()
	<-gone
	want := []http.ConnState{http.StateActive, http.StateIdle, http.StateNew, http.StateActive, http.StateIdle, http.StateClosed}
	mu.Lock()
	defer mu.Unlock()
	if got := told[c.LocalAddr().String()]; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
