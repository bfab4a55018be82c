package api

import (
	"bytes"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"xyra"
	"xyra/strictjson"
	"xyra/usage"
)

// ingest records the plain single event, which is nearly every request, without the machinery of routes: no path
// matching, no declared fields, no reflection. It takes only requests that the route would answer with 200 or refuse in
// the recorder; whatever is unusual in any way it leaves untouched to the route, which also makes every other answer.
// TestIngest_AnswersAsTheRouteDoes holds the two together.
func (s *Server) ingest(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		kind, agent, ok := s.ingestTarget(r)
		if !ok || !s.ingestEvent(w, r, kind, agent) {
			next.ServeHTTP(w, r)
		}
	})
}

// TakesEvent tells whether a POST to this path, as it was sent, reports a single event.
func (s *Server) TakesEvent(path string) bool {
	rest, isAgent := strings.CutPrefix(path, s.agentPrefix)
	_, word, _ := strings.Cut(rest, "/")
	return isAgent && eventWords[word] != 0
}

// ingestTarget reads the path of a request that ingest may take.
func (s *Server) ingestTarget(r *http.Request) (kind xyra.EventKind, agent xyra.AgentID, ok bool) {
	if r.Method != http.MethodPost || r.URL.RawPath != "" || r.ContentLength <= 0 || r.ContentLength > bodyMax {
		return 0, 0, false
	}
	rest, isAgent := strings.CutPrefix(r.URL.Path, s.agentPrefix)
	digits, word, _ := strings.Cut(rest, "/")
	id, err := strconv.ParseInt(digits, 10, 64)
	if kind = eventWords[word]; !isAgent || kind == 0 || err != nil || id <= 0 || digits[0] == '+' {
		return 0, 0, false
	}
	for _, unusual := range []string{"Origin", "Idempotency-Key", "Content-Encoding"} {
		if r.Header[unusual] != nil {
			return 0, 0, false
		}
	}
	types := r.Header["Content-Type"]
	return kind, xyra.AgentID(id), len(types) == 0 || len(types) == 1 && isJSON(types[0])
}

var eventWords = map[string]xyra.EventKind{"activities": xyra.Activity, "costs": xyra.Cost, "outcomes": xyra.Outcome}

// buffers are reused between requests: a body, later its answer.
var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// bufferKept is the largest buffer that is worth keeping.
const bufferKept = 64 << 10

// ingestEvent answers the request, or tells that the route must; then the body can be read again.
func (s *Server) ingestEvent(w http.ResponseWriter, r *http.Request, kind xyra.EventKind, agent xyra.AgentID) bool {
	caller, err := s.gate.CallerRecent(r.Context(), r.Header.Get("Authorization"))
	if err != nil || caller.Suspended {
		return false
	}
	seen := w.(*seenWriter)
	caller.Request, seen.watcher = seen.id, s.watchers.events[kind]
	buffer := buffers.Get().(*bytes.Buffer)
	buffer.Reset()
	if _, err := buffer.ReadFrom(io.LimitReader(r.Body, r.ContentLength)); err != nil {
		s.write(w, r, s.answerError(withRequestID(r, seen.id), bodyFault(err)))
		return true
	}
	drafts := make([]usage.Draft, 1)
	if !readSingle(buffer.Bytes(), kind, agent, caller, seen.started.UTC().Truncate(time.Microsecond), &drafts[0]) {
		r.Body = io.NopCloser(buffer) // not given back: the route reads it
		return false
	}
	results, err := s.recorder.Record(r.Context(), caller, drafts)
	if err == nil {
		err = results[0].Err
	}
	if err != nil {
		s.write(w, r, s.answerError(withRequestID(r, seen.id), err))
		return true
	}
	h := w.Header()
	h["Content-Type"], h["X-Content-Type-Options"] = contentTypeJSON, noSniff
	if results[0].Replayed {
		h["Idempotent-Replayed"] = []string{"true"}
	}
	w.Write(appendEvent(buffer.AvailableBuffer(), results[0].Event)) //nolint:errcheck // the client is gone; there is nobody left to tell
	if buffer.Cap() <= bufferKept {
		buffers.Put(buffer)
	}
	return true
}

// appendEvent writes the answer for an event of any kind.
func appendEvent(dst []byte, e xyra.Event) []byte {
	switch e.Kind {
	case xyra.Cost:
		return newCostOut(e).appendJSON(dst)
	case xyra.Outcome:
		return newOutcomeOut(e).appendJSON(dst)
	}
	return newActivityOut(e).appendJSON(dst)
}

// readSingle reads the body of a single event into a draft, in one pass. It answers false for all that the declared
// fields would refuse or read differently; the draft is then in any state. What it keeps shares nothing with raw.
func readSingle(raw []byte, kind xyra.EventKind, agent xyra.AgentID, caller xyra.Caller, now time.Time, d *usage.Draft) bool {
	v, syntax := strictjson.Parse(raw)
	if syntax != nil || v.Kind() != strictjson.Object {
		return false
	}
	b := batch{caller: caller, now: now}
	p := posted{}
	q := quick{kind: kind, currency: "USD"}
	for name, value := range v.RawMembers() {
		switch string(name) {
		case "kind", "agent_external_id", "organization_id": // members of batches; here nobody knows them
			continue
		}
		if !b.quickMember(name, value, &p, &q) {
			return false
		}
	}
	*d = p.draft
	if !q.complete(d, b.mayVerify()) || d.Agent != 0 && d.Agent != agent {
		return false
	}
	d.Agent, d.Timestamp = agent, q.at.Or(now)
	if d.IdempotencyKey != "" {
		d.SealParsed(q.details, usage.Omitted{Timestamp: !q.at.Set})
	}
	return true
}
