package api

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"strings"

	"xyra"
)

// readBody reads a request's body, unpacked as its Content-Encoding says. limit bounds what is read and what it unpacks
// to, so that a small body cannot become a large one.
func readBody(r *http.Request, limit int64) ([]byte, error) {
	packed := http.MaxBytesReader(nil, r.Body, limit)
	switch coding := strings.ToLower(strings.TrimSpace(r.Header.Get("Content-Encoding"))); coding {
	case "", "identity":
		var raw bytes.Buffer
		raw.Grow(int(max(0, min(r.ContentLength, bodyMax))) + bytes.MinRead) // what is announced spares copies, within reason
		_, err := raw.ReadFrom(packed)
		return raw.Bytes(), bodyFault(err)
	case "gzip", "x-gzip":
		return unpackBody(packed, limit)
	default:
		return nil, xyra.Invalid("Content-Encoding must be gzip or identity")
	}
}

func unpackBody(packed io.Reader, limit int64) ([]byte, error) {
	source := &sourceErrors{Reader: packed}
	z, err := gzip.NewReader(source)
	if err == nil {
		var raw []byte
		raw, err = io.ReadAll(io.LimitReader(z, limit+1))
		if int64(len(raw)) > limit {
			return nil, errTooLarge
		}
		if err == nil {
			return raw, nil
		}
	}
	if source.err != nil {
		return nil, bodyFault(source.err)
	}
	return nil, xyra.Invalid("Request body is not valid gzip")
}

// sourceErrors remembers an error of the connection, which is none of the compression.
type sourceErrors struct {
	io.Reader
	err error
}

// Read implements io.Reader.
func (s *sourceErrors) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

// bodyFault refuses a body that is too large, ends before its announced end or breaks the rules of its transfer. Who has
// gone away does not read it; who only stopped sending must not take silence for success.
func bodyFault(err error) error {
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return errTooLarge
	}
	if err != nil {
		return xyra.Invalid("Request body could not be read")
	}
	return nil
}
