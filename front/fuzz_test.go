package front

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
)

// What front takes, net/http reads in the same way: method, path, host, fields, body and where the next request begins. So no
// request can mean one thing to one of them and another to the other.
func FuzzParse(f *testing.F) {
	const post = "POST /api/v1/agents/1/activities HTTP/1.1\r\n"
	for _, text := range []string{
		post + "Host: x\r\nContent-Length: 2\r\nContent-Type: application/json\r\n\r\n{}GET / HTTP/1.1\r\n",
		post + "host:x\r\ncontent-length:2\r\nAccept:\r\nX-A: a\r\nx-a: b\r\n\r\n{}",
		post + "Host: x\r\nContent-Length: 02\r\nContent-Length: 2\r\n\r\n{}",
		post + "Host: x\r\nContent-Length: +2\r\n\r\n{}",
		post + "Host: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
		post + "Host: x\nContent-Length: 2\r\n\r\n{}",
		post + "Host: x\r\n Folded: y\r\nContent-Length: 2\r\n\r\n{}",
		post + "Host : x\r\nContent-Length: 2\r\n\r\n{}",
		post + "Host: [::1]:80\r\nContent-Length: 2\r\nConnection: keep-alive, close\r\n\r\n{}",
		"POST  /agents HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}",
		"POST /agents?a=b HTTP/1.1\r\nHost: x:y:z\r\nContent-Length: 2\r\n\r\n{}",
		"POST /%2e HTTP/1.1\r\nHost: \r\nContent-Length: 2\r\n\r\n{}",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		h := head{header: http.Header{}}
		if h.parse(raw, func(path string) bool { return strings.HasPrefix(path, "/") }) != plain {
			return
		}
		in := bufio.NewReader(bytes.NewReader(raw))
		r, err := http.ReadRequest(in)
		if err != nil {
			t.Fatalf("%q is taken, net/http says %v", raw, err)
		}
		body, err := io.ReadAll(r.Body)
		if err != nil || !bytes.Equal(body, raw[h.size:h.size+h.length]) {
			t.Fatalf("the body of %q is %q for net/http: %v", raw, body, err)
		}
		rest, err := io.ReadAll(in)
		if err != nil || !bytes.Equal(rest, raw[h.size+h.length:]) {
			t.Fatalf("behind %q net/http finds %q: %v", raw, rest, err)
		}
		if r.Method != http.MethodPost || r.URL.Path != h.path || r.URL.RawQuery != "" || r.Host != h.host || r.Close || r.ProtoMinor != 1 || len(r.TransferEncoding) > 0 {
			t.Fatalf("%q is %s %s of %s for net/http", raw, r.Method, r.URL, r.Host)
		}
		for name, values := range r.Header {
			if strings.Join(values, "\n") != strings.Join(h.header[name], "\n") {
				t.Fatalf("%s of %q is %q for net/http, and %q", name, raw, values, h.header[name])
			}
		}
		if len(r.Header) != len(h.header) {
			t.Fatalf("%q has %v, and %v for net/http", raw, h.header, r.Header)
		}
	})
}
