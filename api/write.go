package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"net/http"
	"sync"

	"xyra"
	"xyra/store"
)

// flight is a POST with an Idempotency-Key between its claim and its answer.
type flight struct {
	record store.IdempotencyRecord // Status and Body are set with the answer
	kept   bool                    // the record was written together with the effect
}

// flights are the claimed keys of this process. Other replicas are kept out by a lock in the database that the effect's
// transaction takes.
type flights struct {
	mu   sync.Mutex
	keys map[flightKey]struct{}
}

type flightKey struct {
	organization xyra.OrganizationID
	caller, key  string
}

func (f *flight) id() flightKey {
	return flightKey{f.record.Organization, f.record.Caller, f.record.Key}
}

var errInFlight = busy{xyra.Conflict("A request with this Idempotency-Key is still in progress"), 1}

// claim looks up the request's Idempotency-Key. It returns the kept answer if there is one; otherwise the call holds
// the key until release.
func (s *Server) claim(c *call) (*answer, error) {
	keys := c.request.Header.Values("Idempotency-Key")
	if c.request.Method != http.MethodPost || c.route.rights.public || len(keys) == 0 {
		return nil, nil
	}
	if items := checkIdempotencyKey(keys[len(keys)-1]); items != nil {
		return nil, unprocessable(items)
	}
	raw, err := c.body()
	if err != nil {
		return nil, err
	}
	f := &flight{record: store.IdempotencyRecord{Organization: c.caller.Organization, Caller: c.caller.Name(),
		Key: keys[len(keys)-1], RequestDigest: digestRequest(c.request, raw)}}
	if !s.inFlight.take(f.id()) {
		return nil, errInFlight
	}
	c.flight = f
	kept, err := s.db.IdempotencyRecord(c.context(), f.record, c.now)
	if err != nil {
		if xyra.HasCode(err, xyra.CodeNotFound) {
			return nil, nil
		}
		return nil, err
	}
	return s.replay(c, kept)
}

// replay rebuilds the answer to a request that was answered before.
func (s *Server) replay(c *call, kept store.IdempotencyRecord) (*answer, error) {
	if !bytes.Equal(kept.RequestDigest, c.flight.record.RequestDigest) {
		return nil, &xyra.Error{Code: xyra.CodeUnprocessable, Message: "Idempotency-Key was used with a different request"}
	}
	a := answer{status: kept.Status, body: kept.Body}
	if kept.EventID != 0 {
		event, err := s.db.Event(c.context(), kept.Organization, kept.EventKind, kept.EventID)
		if err != nil {
			return nil, err
		}
		a.body = encode(newEventOut(event))
	}
	a.set("Idempotent-Replayed", "true")
	return &a, nil
}

func (c *call) release() {
	if c.flight != nil {
		c.server.inFlight.drop(c.flight.id())
	}
}

func (f *flights) take(k flightKey) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, taken := f.keys[k]; taken {
		return false
	}
	if f.keys == nil {
		f.keys = map[flightKey]struct{}{}
	}
	f.keys[k] = struct{}{}
	return true
}

func (f *flights) drop(k flightKey) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.keys, k)
}

// digestRequest covers method, path, query and body, each with its length in front, and the headers that hold a part of
// what is sent.
func digestRequest(r *http.Request, raw []byte) []byte {
	h := sha256.New()
	for _, part := range [][]byte{[]byte(r.Method), []byte(r.URL.RawPath), []byte(r.URL.RawQuery), raw} {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
		h.Write(part)
	}
	h.Write(cloudAttributes(r.Header))
	return h.Sum(nil)
}

// write runs f in one transaction, together with the record of the request's Idempotency-Key: a crash leaves both or
// neither. secret says that the answer may not be kept as it is; its kept form is what redact makes of it.
func write[Out any](c *call, f func(context.Context, *store.Tx) (Out, error)) (Out, error) {
	return writeRedacted(c, f, func(out Out) Out { return out })
}

// writeRedacted is write for answers that hold a secret: what is kept for a replay is redact(answer).
func writeRedacted[Out any](c *call, f func(context.Context, *store.Tx) (Out, error), redact func(Out) Out) (Out, error) {
	ctx := c.context()
	var out Out
	err := c.server.db.Tx(ctx, func(tx *store.Tx) (err error) {
		if c.flight != nil {
			if err := claimInTx(ctx, tx, c.flight); err != nil {
				return err
			}
		}
		if out, err = f(ctx, tx); err != nil || c.flight == nil {
			return err
		}
		record := c.flight.record
		record.Status, record.Body = http.StatusOK, encode(redact(out))
		return tx.InsertIdempotencyRecord(ctx, record)
	})
	if err == nil && c.flight != nil {
		c.flight.kept = true
	}
	return out, err
}

// claimInTx keeps other replicas out for the length of the transaction. A record that appeared since the first look
// means that another replica has just answered: the client asks again and gets that answer.
func claimInTx(ctx context.Context, tx *store.Tx, f *flight) error {
	free, err := tx.TryLockIdempotencyKey(ctx, f.record)
	if err != nil {
		return err
	}
	if !free {
		return errInFlight
	}
	_, err = tx.IdempotencyRecord(ctx, f.record, tx.Now)
	if xyra.HasCode(err, xyra.CodeNotFound) {
		return nil
	}
	if err == nil {
		return errInFlight
	}
	return err
}

// keepAnswer keeps the answer of a request that had no effect under its Idempotency-Key: a refusal with 400, 404 or 409,
// or what a POST calculated. Answers that came with an effect were kept in its transaction.
func (s *Server) keepAnswer(c *call, a answer) answer {
	if c.flight == nil || c.flight.kept || a.header.Get("Retry-After") != "" {
		return a
	}
	switch a.status {
	case http.StatusOK, http.StatusBadRequest, http.StatusNotFound, http.StatusConflict:
	default:
		return a
	}
	record := c.flight.record
	record.Status, record.Body = a.status, a.body
	err := s.db.Tx(c.context(), func(tx *store.Tx) error {
		if err := claimInTx(c.context(), tx, c.flight); err != nil {
			return err
		}
		return tx.InsertIdempotencyRecord(c.context(), record)
	})
	if err != nil {
		return s.answerError(c.request, err)
	}
	return a
}
