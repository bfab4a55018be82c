package api

import (
	"encoding/json"
	"strings"
	"unicode/utf8"

	"xyra/strictjson"
)

// Opt is a value that an update may leave out (all false), clear (Set and Null) or
// replace (Set).
type Opt[T any] struct {
	Set, Null bool
	Value     T
}

// Ptr is nil unless a value was sent: the stored form of a nullable field.
func (o Opt[T]) Ptr() *T {
	if !o.Set || o.Null {
		return nil
	}
	return &o.Value
}

// Or is the value that holds after the update, given the present one of a field that
// cannot be cleared.
func (o Opt[T]) Or(present T) T {
	if !o.Set || o.Null {
		return present
	}
	return o.Value
}

// OrPtr is Or for a nullable field.
func (o Opt[T]) OrPtr(present *T) *T {
	if !o.Set {
		return present
	}
	return o.Ptr()
}

// put and null are what a decoder does to its destination.
func (o *Opt[T]) put(value T) { *o = Opt[T]{Set: true, Value: value} }

func (o *Opt[T]) null() { *o = Opt[T]{Set: true, Null: true} }

// freeObject is implemented by bodies that are a map of the client's own: one that is
// no object is then a wrong dictionary, not a wrong record.
type freeObject interface{ freeObject() }

// decodeBody reads a request body into b and returns its faults in field order. After
// a fault b is incomplete. What b holds shares nothing with raw; the items do.
func decodeBody(raw []byte, contentType string, b body) []Item {
	r := newReport("body")
	if len(raw) == 0 {
		r.missing(nil)
		return r.items
	}
	if !isJSON(contentType) {
		faultNoObject(b, strings.ToValidUTF8(string(raw), string(utf8.RuneError)), r)
		return r.items
	}
	v, err := strictjson.Parse(raw)
	if err != nil {
		return []Item{syntaxItem(err)}
	}
	if v.Kind() == strictjson.Null {
		r.missing(nil)
		return r.items
	}
	decodeRecord(v, b, r)
	return r.items
}

// decodeValue reads one parsed value into b, as decodeBody does for a whole body; its
// items begin with the place given, strings and ints such as "body", "events", 3.
func decodeValue(v strictjson.Value, b body, place ...any) []Item {
	r := newReport()
	for _, where := range place {
		if index, ok := where.(int); ok {
			r.enterIndex(index)
		} else {
			r.enter(where.(string))
		}
	}
	decodeRecord(v, b, r)
	return r.items
}

func decodeRecord(v strictjson.Value, b body, r *report) {
	if v.Kind() != strictjson.Object {
		faultNoObject(b, json.RawMessage(v.Raw()), r)
		return
	}
	fields := b.fields()
	for i := range fields {
		if r.full() {
			return
		}
		fields[i].decode(v, r)
	}
}

func faultNoObject(b body, input any, r *report) {
	if _, free := b.(freeObject); free {
		r.fault("dict_type", "Input should be a valid dictionary", input)
		return
	}
	r.fault("model_attributes_type", "Input should be a valid dictionary or object to extract fields from", input)
}

// isJSON tells whether a body of this Content-Type is read; parameters do not matter.
func isJSON(contentType string) bool {
	media, _, _ := strings.Cut(contentType, ";")
	media = strings.ToLower(strings.TrimSpace(media))
	return media == "" || media == "application/json" ||
		strings.HasPrefix(media, "application/") && strings.HasSuffix(media, "+json")
}
