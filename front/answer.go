package front

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// answer collects a handler's answer; it is sent whole when the handler returns.
type answer struct {
	header http.Header
	status int
	body   []byte
	names  []string // of the header, in order
	wire   []byte   // from WriteHeader on: what is sent
	last   bool     // the connection's
	typed  bool     // it says what it is
}

// answers are reused, so that a connection which waits holds none.
var answers = sync.Pool{New: func() any { return &answer{header: http.Header{}} }}

// Header implements http.ResponseWriter.
func (a *answer) Header() http.Header { return a.header }

// WriteHeader implements http.ResponseWriter. What is put into the header afterwards comes too late.
func (a *answer) WriteHeader(status int) {
	if a.status != 0 || status < http.StatusOK {
		return
	}
	a.status = status
	b := append(a.wire[:0], "HTTP/1.1 "...)
	b = strconv.AppendInt(b, int64(status), 10)
	b = append(append(append(b, ' '), http.StatusText(status)...), "\r\n"...)
	a.names = a.names[:0]
	for name := range a.header {
		a.names = append(a.names, name)
	}
	slices.Sort(a.names)
	a.last, a.typed = false, false
	for _, name := range a.names {
		switch name {
		case "Connection":
			a.last = slices.ContainsFunc(a.header[name], func(v string) bool { return strings.EqualFold(v, "close") })
			continue
		case "Content-Length", "Date": // written at the end
			continue
		case "Content-Type":
			a.typed = true
		}
		for _, value := range a.header[name] {
			b = appendField(b, name, value)
		}
	}
	a.wire = b
}

// Write implements http.ResponseWriter.
func (a *answer) Write(b []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	a.body = append(a.body, b...)
	return len(b), nil
}

// answerKept is the largest buffer that is worth keeping.
const answerKept = 8 << 10

// release gives an answer back, for another request.
func (a *answer) release() {
	if cap(a.wire) > answerKept || cap(a.body) > answerKept {
		return
	}
	clear(a.header)
	a.status, a.body = 0, a.body[:0]
	answers.Put(a)
}

var lineEnds = strings.NewReplacer("\r", " ", "\n", " ")

// finish completes what goes over the wire and tells whether it is the connection's last.
func (a *answer) finish(date string, ending bool) (last bool) {
	a.WriteHeader(http.StatusOK)
	b := appendField(a.wire, "Date", date)
	if len(a.body) > 0 && !a.typed {
		b = appendField(b, "Content-Type", http.DetectContentType(a.body))
	}
	if last = ending || a.last; last {
		b = appendField(b, "Connection", "close")
	}
	b = append(b, "Content-Length: "...)
	b = strconv.AppendInt(b, int64(len(a.body)), 10)
	a.wire = append(append(b, "\r\n\r\n"...), a.body...)
	return last
}

func appendField(b []byte, name, value string) []byte {
	if strings.ContainsAny(value, "\r\n") {
		value = lineEnds.Replace(value)
	}
	b = append(append(b, name...), ": "...)
	return append(append(b, value...), "\r\n"...)
}

// dateLine remembers the text of the present second.
type dateLine struct {
	kept atomic.Pointer[datedText]
}

type datedText struct {
	second int64
	text   string
}

func (d *dateLine) at(now time.Time) string {
	if kept := d.kept.Load(); kept != nil && kept.second == now.Unix() {
		return kept.text
	}
	text := now.UTC().Format(http.TimeFormat)
	d.kept.Store(&datedText{now.Unix(), text})
	return text
}
