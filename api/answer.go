package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"xyra"
)

// answer is a finished response. Handlers return one themselves only when they do not answer 200 with JSON.
type answer struct {
	status      int
	body        []byte
	contentType string // "" is application/json
	header      http.Header
	raw         http.Handler // writes everything itself
}

func (a *answer) set(name string, values ...string) {
	if a.header == nil {
		a.header = http.Header{}
	}
	a.header[http.CanonicalHeaderKey(name)] = values
}

// Header values that never change, shared by all answers.
var (
	contentTypeJSON = []string{"application/json"}
	noSniff         = []string{"nosniff"}
	noStore         = []string{"no-store"}
	denyFrames      = []string{"DENY"}
	noReferrer      = []string{"no-referrer"}
	endConnection   = []string{"close"}
	stayWithTLS     = []string{"max-age=31536000"}
)

func (s *Server) write(w http.ResponseWriter, r *http.Request, a answer) {
	for name, values := range a.header {
		w.Header()[name] = values
	}
	if a.raw != nil {
		a.raw.ServeHTTP(w, r)
		return
	}
	h := w.Header()
	h["Content-Type"], h["X-Content-Type-Options"] = contentTypeJSON, noSniff
	if a.contentType != "" {
		h["Content-Type"] = []string{a.contentType}
	}
	w.WriteHeader(a.status)
	w.Write(a.body) //nolint:errcheck // the client is gone; there is nobody left to tell
}

// appender is implemented by answers that are written often enough to write themselves.
type appender interface{ appendJSON(dst []byte) []byte }

// encode writes an answer's JSON: fields in the order of the struct, text unescaped, no newline at the end. A value
// that cannot be written is a programmer's mistake.
func encode(v any) []byte {
	if own, ok := v.(appender); ok {
		return own.appendJSON(nil)
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(fmt.Sprintf("encode %T: %v", v, err))
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// instant is a time as answers show it.
type instant time.Time

// MarshalJSON implements json.Marshaler.
func (t instant) MarshalJSON() ([]byte, error) {
	return append(xyra.AppendTime([]byte{'"'}, time.Time(t)), '"'), nil
}

// instantOrNil shows a missing time as null.
func instantOrNil(t *time.Time) *instant {
	if t == nil {
		return nil
	}
	shown := instant(*t)
	return &shown
}

// idOrNil shows the id 0, which is none, as null.
func idOrNil[T ~int64](id T) *T {
	if id == 0 {
		return nil
	}
	return &id
}
