package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"xyra/strictjson"
)

// Item is one fault of a request. It marshals as {"type","loc","msg","input"[,"ctx"]}.
type Item struct {
	Type  string
	Loc   []any // strings and ints: where the fault is
	Msg   string
	Input any            // a json.RawMessage is given back as received; nil is null
	Ctx   map[string]any // left out when empty
}

// MarshalJSON writes the fields in the contract's order, without HTML escapes.
func (i Item) MarshalJSON() ([]byte, error) {
	dst := append([]byte(`{"type":`), encodeItemPart(i.Type)...)
	dst = append(append(dst, `,"loc":`...), encodeItemPart(i.Loc)...)
	dst = append(append(dst, `,"msg":`...), encodeItemPart(i.Msg)...)
	dst = append(append(dst, `,"input":`...), encodeItemPart(i.Input)...)
	if len(i.Ctx) > 0 {
		dst = append(append(dst, `,"ctx":`...), encodeItemPart(i.Ctx)...)
	}
	return append(dst, '}'), nil
}

func encodeItemPart(v any) []byte {
	switch v := v.(type) {
	case string:
		return strictjson.AppendString(nil, v)
	case json.RawMessage:
		return v
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(fmt.Sprintf("encode part of an item %T: %v", v, err))
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// missingItem says that a required value was not sent; input is the enclosing object
// as received, nil where there is none.
func missingItem(input any, loc ...any) Item {
	return Item{Type: "missing", Loc: loc, Msg: "Field required", Input: input}
}

// valueErrorItem refuses a value of the right type for a reason of its own.
func valueErrorItem(why string, input any, loc ...any) Item {
	return Item{Type: "value_error", Loc: loc, Msg: "Value error, " + why, Input: input, Ctx: map[string]any{"error": why}}
}

func syntaxItem(err *strictjson.SyntaxError) Item {
	return Item{Type: "json_invalid", Loc: []any{"body", err.Pos}, Msg: "JSON decode error", Input: struct{}{},
		Ctx: map[string]any{"error": err.Text}}
}

// checkIdempotencyKey returns the items of a header value that is no 1 to 255 visible
// ASCII characters.
func checkIdempotencyKey(key string) []Item {
	const pattern = "^[!-~]{1,255}$"
	r := newReport("header")
	r.enter("idempotency-key")
	limits := field{lengthMin: 1, lengthMax: 255}
	visible := !slices.ContainsFunc([]byte(key), func(c byte) bool { return c < '!' || c > '~' })
	if limits.checkLength(key, source{text: key}, r) && !visible {
		r.fault("string_pattern_mismatch", "String should match pattern '"+pattern+"'", key, "pattern", pattern)
	}
	return r.items
}

// A request may be wrong in very many places; this many are enough to say so.
const itemsMax = 1000

// A report collects the items of one request; where is the place being looked at.
type report struct {
	where []step
	items []Item
	room  [8]step
}

// step is a name or an index; most places are never reported, so
// they are made into a loc only then.
type step struct {
	name    string
	index   int
	isIndex bool
}

func newReport(where ...string) *report {
	r := &report{}
	r.where = r.room[:0]
	for _, name := range where {
		r.enter(name)
	}
	return r
}

func (r *report) enter(name string) { r.where = append(r.where, step{name: name}) }

func (r *report) enterIndex(index int) { r.where = append(r.where, step{index: index, isIndex: true}) }

func (r *report) leave() { r.where = r.where[:len(r.where)-1] }

func (r *report) loc() []any {
	loc := make([]any, len(r.where))
	for i, s := range r.where {
		loc[i] = s.name
		if s.isIndex {
			loc[i] = s.index
		}
	}
	return loc
}

// full tells that further faults are not kept, so that a loop may end.
func (r *report) full() bool { return len(r.items) >= itemsMax }

// fault adds an item at the present place; context is nothing, or one key and its value.
func (r *report) fault(kind, message string, input any, context ...any) {
	if r.full() {
		return
	}
	item := Item{Type: kind, Loc: r.loc(), Msg: message, Input: input}
	if len(context) == 2 {
		item.Ctx = map[string]any{context[0].(string): context[1]}
	}
	r.items = append(r.items, item)
}

func (r *report) missing(input any) {
	r.fault("missing", "Field required", input)
}

func (r *report) valueError(why string, input any) {
	r.fault("value_error", "Value error, "+why, input, "error", why)
}
