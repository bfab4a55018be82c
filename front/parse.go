package front

import (
	"bytes"
	"net/http"
	"net/textproto"
	"strings"
)

// verdict is what is to be done about the bytes that a connection has sent.
type verdict int

const (
	plain verdict = iota // a whole request that front answers
	more                 // the beginning of one
	other                // net/http's
)

const (
	headMax   = 8 << 10  // bytes of a head
	bodyMax   = 64 << 10 // bytes of a body
	fieldsMax = 32       // lines of a head
)

// head is the first part of a plain request. Its texts are parts of one text of its own.
type head struct {
	path, host string
	header     http.Header
	values     [fieldsMax][1]string // header's values mostly come alone
	fields     int
	size       int // bytes of the head
	length     int // bytes of the body
}

var (
	methodPost = []byte("POST ")
	headEnd    = []byte("\r\n\r\n")
)

const version = " HTTP/1.1"

// parse reads the request that b begins with, if front takes its path.
func (h *head) parse(b []byte, takes func(path string) bool) verdict {
	if !bytes.HasPrefix(b, methodPost[:min(len(b), len(methodPost))]) {
		return other
	}
	end := bytes.Index(b[:min(len(b), headMax)], headEnd)
	if end < 0 {
		if len(b) >= headMax {
			return other
		}
		return more
	}
	line, fields, _ := strings.Cut(string(b[:end+2]), "\r\n")
	path, isCurrent := strings.CutSuffix(line[len(methodPost):], version)
	if !isCurrent || !isPlainPath(path) || !takes(path) || !h.parseFields(fields) {
		return other
	}
	h.path, h.size = path, end+len(headEnd)
	if len(b) < h.size+h.length {
		return more
	}
	return plain
}

// isPlainPath tells whether a path has only letters that mean themselves.
func isPlainPath(path string) bool {
	for i := range len(path) {
		if c := path[i]; !isLetterOrDigit(c) && c != '/' && c != '_' {
			return false
		}
	}
	return true
}

func isLetterOrDigit(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// parseFields reads the lines of a head, each of which ends in CRLF.
func (h *head) parseFields(lines string) bool {
	clear(h.header)
	h.host, h.length, h.fields = "", 0, 0
	for lines != "" {
		line, rest, _ := strings.Cut(lines, "\r\n")
		name, value, found := strings.Cut(line, ":")
		if !found || h.fields == fieldsMax || !isPlainName(name) || !isPlainValue(value) {
			return false
		}
		if !h.add(textproto.CanonicalMIMEHeaderKey(name), strings.Trim(value, " \t")) {
			return false
		}
		lines = rest
	}
	return h.host != "" && h.length > 0
}

// add takes a field, or tells that it makes the request net/http's.
func (h *head) add(name, value string) bool {
	switch name {
	case "Host":
		if h.host != "" || !isPlainHost(value) {
			return false
		}
		h.host = value
		return true // as with net/http it is no part of the header
	case "Content-Length":
		if h.length = plainLength(value); h.length == 0 || h.header[name] != nil {
			return false
		}
	case "Connection":
		if !strings.EqualFold(value, "keep-alive") {
			return false
		}
	case "Content-Encoding", "Expect", "Idempotency-Key", "Keep-Alive", "Origin", "Pragma", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding",
		"Upgrade":
		return false
	}
	if h.header[name] != nil {
		h.header[name] = append(h.header[name], value)
		return true
	}
	h.values[h.fields][0] = value
	h.header[name] = h.values[h.fields][:]
	h.fields++
	return true
}

func isPlainName(name string) bool {
	for i := range len(name) {
		if c := name[i]; !isLetterOrDigit(c) && c != '-' {
			return false
		}
	}
	return name != ""
}

// isPlainValue is true for printable ASCII, blanks and tabs.
func isPlainValue(value string) bool {
	for i := range len(value) {
		if c := value[i]; (c < ' ' || c > '~') && c != '\t' {
			return false
		}
	}
	return true
}

func isPlainHost(host string) bool {
	for i := range len(host) {
		if c := host[i]; !isLetterOrDigit(c) && c != '-' && c != '.' && c != ':' {
			return false
		}
	}
	return host != ""
}

// plainLength is a length from 1 to bodyMax, or 0.
func plainLength(digits string) (length int) {
	if len(digits) > len("65536") {
		return 0
	}
	for i := range len(digits) {
		if digits[i] < '0' || digits[i] > '9' {
			return 0
		}
		length = 10*length + int(digits[i]-'0')
	}
	if length > bodyMax {
		return 0
	}
	return length
}
