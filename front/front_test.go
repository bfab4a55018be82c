package front

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// echo answers what it has been asked, so that two servers can be compared by their answers.
func echo(taken *atomic.Int64) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, isFront := w.(*answer); isFront {
			taken.Add(1)
		}
		raw, err := io.ReadAll(r.Body)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		switch string(raw) {
		case "panic":
			panic("asked for")
		case "abort":
			panic(http.ErrAbortHandler)
		case "close":
			w.Header().Set("Connection", "close")
		case "two":
			w.Header()["X-Two"] = []string{"a", "b"}
		case "lines":
			w.Header().Set("X-Lines", "a\r\nX-Smuggled: b")
		case "untyped":
			fmt.Fprint(w, "<html>")
			return
		case "empty":
			w.WriteHeader(http.StatusAccepted)
			return
		case "long":
			fmt.Fprint(w, strings.Repeat("long ", 20_000))
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusTeapot)
		json.NewEncoder(w).Encode(map[string]any{"method": r.Method, "path": r.URL.Path, "raw": r.URL.RawPath, "query": r.URL.RawQuery, "host": r.Host, //nolint:errcheck // the client sees
			"uri": r.RequestURI, "proto": r.Proto, "length": r.ContentLength, "coding": r.TransferEncoding, "header": r.Header, "body": string(raw)})
	})
}

// door is a server with a front, or without one.
type door struct {
	front  *Front
	server *http.Server
	taken  atomic.Int64
}

func isEvent(path string) bool { return strings.HasPrefix(path, "/agents/") }

// newDoor serves until the test ends.
func newDoor(t testing.TB, fronted bool) *door {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := &door{}
	quiet := slog.New(slog.DiscardHandler)
	d.server = &http.Server{Handler: echo(&d.taken), ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 5 * time.Second, Addr: listener.Addr().String(),
		ErrorLog: slog.NewLogLogger(quiet.Handler(), slog.LevelError)}
	if fronted {
		d.front = New(listener, Options{Handler: d.server.Handler, Takes: isEvent, Now: time.Now, Log: quiet,
			HeaderTimeout: 5 * time.Second, WriteTimeout: 5 * time.Second, IdleTimeout: 5 * time.Second})
		listener = d.front
	}
	go d.server.Serve(listener) //nolint:errcheck // it ends with the test
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		d.server.Close() //nolint:errcheck // nothing runs any more
		if d.front != nil {
			if err := d.front.Shutdown(ctx); err != nil {
				t.Error(err)
			}
		}
	})
	return d
}

// dial opens a connection that gives up after a while.
func (d *door) dial(t testing.TB) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", d.server.Addr)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return c.(*net.TCPConn)
}

// say sends pieces over one connection, ends its own side and returns every answer, in order, without its date. A server that
// closes while something is on its way to it may take its answers back, as TCP has it: then it is asked again.
func (d *door) say(t testing.TB, pieces ...string) (answers []string) {
	t.Helper()
	for range 100 {
		answers, err := d.try(t, pieces)
		if err == nil {
			return answers
		}
		if !errors.Is(err, syscall.ECONNRESET) {
			t.Fatalf("an answer breaks off: %v", err)
		}
	}
	t.Fatal("no connection ended well")
	return nil
}

func (d *door) try(t testing.TB, pieces []string) (answers []string, err error) {
	c := d.dial(t)
	defer c.Close()
	for _, piece := range pieces {
		if _, err := io.WriteString(c, piece); err != nil {
			break // the server has said enough
		}
	}
	c.CloseWrite() //nolint:errcheck // the server may have closed before
	in := bufio.NewReader(c)
	for {
		response, err := http.ReadResponse(in, nil)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return answers, nil
		}
		if err != nil {
			return nil, err
		}
		body, err := io.ReadAll(response.Body)
		if err := errors.Join(err, response.Body.Close()); err != nil {
			return nil, err
		}
		response.Header.Del("Date")
		response.Header.Del("Content-Length") // net/http sends long answers in chunks instead
		header, err := json.Marshal(response.Header)
		if err != nil {
			t.Fatal(err)
		}
		answers = append(answers, fmt.Sprintf("%s %v %s %s", response.Status, response.Close, header, body))
	}
}

// post is a plain request.
func post(body string) string {
	return fmt.Sprintf("POST /agents/7/costs HTTP/1.1\r\nHost: a.example:8000\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

// strange are requests that a hasty reader might read differently from net/http.
func strange() []string {
	with := func(field string) string { return strings.Replace(post("body"), "Host:", field+"\r\nHost:", 1) }
	line := func(first string) string {
		return first + "\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody"
	}
	return []string{
		"", "\r\n", "P", "POST", "POST /agents/7/costs", "GET /agents/7/costs HTTP/1.1\r\nHost: a\r\n\r\n", "\r\n" + post("body"), "\x16\x03\x01",
		line("POST /agents/7/costs HTTP/1.0"), line("POST /agents/7/costs HTTP/1.2"), line("POST /agents/7/costs HTTP/2.0"), line("POST /agents/7/costs"),
		line("POST  /agents/7/costs HTTP/1.1"), line("POST /agents/7/costs  HTTP/1.1"), line("post /agents/7/costs HTTP/1.1"),
		line("POST /agents/7/costs?a=b HTTP/1.1"), line("POST /agents/7/co%73ts HTTP/1.1"), line("POST /agents/../costs HTTP/1.1"),
		line("POST //agents/7/costs HTTP/1.1"), line("POST http://b/agents/7/costs HTTP/1.1"), line("POST * HTTP/1.1"), line("POST /other HTTP/1.1"),
		line("POST /agents/7/costs#x HTTP/1.1"), line("POST /agents/\x01 HTTP/1.1"), line("POST /agents/é HTTP/1.1"), line("PRI * HTTP/2.0"),
		with("Transfer-Encoding: chunked"), with("Transfer-Encoding: identity"), with("Transfer-Encoding : chunked"), with("transfer-encoding: xchunked"),
		with("Content-Length: 4"), with("Content-Length: 5"), with("Content-Length: +4"), with("Content-Length: 4,4"), with("Content-length:"),
		with("Host: b"), with("Host:"), with(" Folded: x"), with("X: a\r\n folded"), with("X"), with(": x"), with("X Y: z"), with("X\x00: z"), with("X: \x00"),
		with("X: a\x7f"), with("X: é"), with("X_Y: z"), with("x-y-z: lower"), with("X-Y-Z:tight"), with("X-Y-Z: \t wide \t "), with("X-Y-Z:"),
		with("Accept: a\r\nAccept: b"), with("X: a\nY: b"), with("X: a\rY: b"), with("Connection: close"), with("Connection: Keep-Alive"),
		with("Connection: keep-alive, close"), with("Connection: upgrade\r\nUpgrade: h2c"), with("Expect: 100-continue"), with("Expect: x"),
		with("Pragma: no-cache"), with("Trailer: X"), with("TE: trailers"), with("Content-Encoding: gzip"), with("Cookie: a=b\r\nCookie: c=d"),
		with("Authorization: Bearer x"), with(strings.Repeat("X: y\r\n", 40) + "X: z"), with("X: " + strings.Repeat("y", 9000)),
		strings.ReplaceAll(post("body"), "\r\n", "\n"), strings.Replace(post("body"), "Host: a.example:8000\r\n", "", 1),
		strings.Replace(post("body"), "a.example:8000", "a b", 1), strings.Replace(post("body"), "a.example:8000", "[::1]:80", 1),
		strings.Replace(post("body"), "Content-Length: 4\r\n", "", 1), strings.Replace(post(""), "Length: 0", "Length: 00", 1),
		strings.Replace(post("body"), "Length: 4", "Length: 04", 1), strings.Replace(post("body"), "Length: 4", "Length: 3", 1),
		strings.Replace(post("body"), "Length: 4", "Length: 99", 1), strings.Replace(post("body"), "Length: 4", "Length: 99999999999999999999", 1),
		post(""), post(strings.Repeat("b", 5000)), post(strings.Repeat("b", bodyMax)), post(strings.Repeat("b", bodyMax+1)), post("\x00\xff\r\n\r\n"),
		post("panic"), post("abort"), post("close"), post("two"), post("lines"), post("untyped"), post("empty"), post("long"),
	}
}

func TestFront_AnswersAsNetHTTPDoes(t *testing.T) {
	fronted, alone := newDoor(t, true), newDoor(t, false)
	for _, request := range strange() {
		talks := [][]string{{request}, {request, post("after")}, {post("before"), request, request, post("after")}}
		if len(request) < 1000 { // of a longer one too much would be on its way when the connection closes
			talks = append(talks, []string{post("close"), request})
		}
		for _, pieces := range talks {
			got, want := fronted.say(t, pieces...), alone.say(t, pieces...)
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Fatalf("%.200q\n got %.300q\nwant %.300q", pieces, got, want)
			}
		}
	}
	if fronted.taken.Load() == 0 || alone.taken.Load() != 0 {
		t.Errorf("front answered %d, and %d where it is not", fronted.taken.Load(), alone.taken.Load())
	}
}

func TestFront_TakesPlainRequestsHoweverTheyArrive(t *testing.T) {
	d := newDoor(t, true)
	whole := post("first") + post("second")
	want := d.say(t, whole)
	if len(want) != 2 || d.taken.Load() != 2 {
		t.Fatalf("%d answers, %d by front", len(want), d.taken.Load())
	}
	for cut := 1; cut < len(whole); cut++ {
		if got := d.say(t, whole[:cut], whole[cut:]); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("cut at %d: %q", cut, got)
		}
	}
	if got := d.say(t, strings.Split(whole, "")...); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("byte by byte: %q", got)
	}
}

func FuzzFront_AnswersAsNetHTTPDoes(f *testing.F) {
	for _, request := range strange() {
		f.Add(request, 0)
		f.Add(post("before")+request, 3)
	}
	fronted, alone := newDoor(f, true), newDoor(f, false)
	f.Fuzz(func(t *testing.T, sent string, cut int) {
		cut = min(max(cut, 0), len(sent))
		got, want := fronted.say(t, sent[:cut], sent[cut:]), alone.say(t, sent)
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("%.200q\n got %.300q\nwant %.300q", sent, got, want)
		}
	})
}
