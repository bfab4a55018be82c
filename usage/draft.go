package usage

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"strings"
	"sync"
	"time"

	"xyra"
	"xyra/money"
	"xyra/store"
	"xyra/strictjson"
)

// Draft is an event as a caller sent it: right in form, not yet held against the database.
type Draft struct {
	Kind           xyra.EventKind
	Agent          xyra.AgentID
	Type           string
	Quantity       money.Decimal  // quantity, amount or value
	Currency       money.Currency // of amount or value; activities take the organization's
	Timestamp      time.Time
	Details        json.RawMessage // object or nil
	Verified       bool            // as it is to be stored: the wall honours it only from admins and superusers
	Source         string
	IdempotencyKey string
	Digest         []byte      // see Digest; only with an idempotency key
	CostInputs     []CostInput // the amount was omitted: compute it from these
	Record         *store.IdempotencyRecord
}

// CostInput is one usage key of a cost's details: "seats", "actions" or "outcome_value".
type CostInput struct {
	Key   string
	Value money.Decimal
	Bad   bool // what stood there is no quantity
}

// BadInputs refuses a cost whose amount cannot be computed because these details are no quantities.
type BadInputs struct{ Keys []string }

// Error implements error.
func (b *BadInputs) Error() string { return "details are no quantities: " + strings.Join(b.Keys, ", ") }

// Result is what became of a draft.
type Result struct {
	Event    xyra.Event
	Replayed bool // the event was recorded before under the same idempotency key; Event is that first one
	Err      error
}

// Omitted says which fields were left out of a draft: a field that was sent never equals one that was not.
type Omitted struct{ Timestamp, Amount bool }

// digestRooms are reused: what a digest is taken of is soon forgotten.
var digestRooms = sync.Pool{New: func() any { return new([]byte) }}

// digestRoomMax is the longest room that is worth keeping.
const digestRoomMax = 64 << 10

// digest is what two events under one idempotency key are compared by: every field as it counts, decimals and times by
// value, details as JSON value.
func (d *Draft) digest(details strictjson.Value, omitted Omitted) []byte {
	room := digestRooms.Get().(*[]byte)
	defer digestRooms.Put(room)
	b := (*room)[:0]
	part := func(s string) {
		b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
		b = append(b, s...)
	}
	b = binary.BigEndian.AppendUint16(b, uint16(d.Kind))
	b = binary.BigEndian.AppendUint64(b, uint64(d.Agent))
	part(d.Type)
	if omitted.Amount {
		part("")
	} else {
		part(d.Quantity.Canonical())
	}
	part(string(d.Currency))
	if omitted.Timestamp {
		part("")
	} else {
		part(string(binary.BigEndian.AppendUint64(nil, uint64(xyra.Micros(d.Timestamp)))))
	}
	if d.Verified {
		part("verified")
	}
	if d.Details != nil {
		start := len(b)
		b = strictjson.AppendCanonical(append(b, 0, 0, 0, 0), details)
		binary.BigEndian.PutUint32(b[start:], uint32(len(b)-start-4))
	}
	if cap(b) <= digestRoomMax {
		*room = b
	}
	sum := sha256.Sum256(b)
	return sum[:]
}

// Seal sets the draft's Digest. It belongs to drafts with an idempotency key.
func (d *Draft) Seal(omitted Omitted) error {
	var details strictjson.Value
	if d.Details != nil {
		var fault *strictjson.SyntaxError
		if details, fault = strictjson.Parse(d.Details); fault != nil {
			return fault
		}
	}
	d.SealParsed(details, omitted)
	return nil
}

// SealParsed is Seal for whoever has parsed the details anyway.
func (d *Draft) SealParsed(details strictjson.Value, omitted Omitted) {
	d.Digest = d.digest(details, omitted)
}
