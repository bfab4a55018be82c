package api

import (
	"encoding/json"

	"xyra/money"
	"xyra/strictjson"
)

// object is a map of the client's own, kept as received. The destination is a
// *json.RawMessage, nil when null, or an *Opt of one.
func object[D slot[json.RawMessage]](name string, dst D) field {
	return of[json.RawMessage](objectKind, name, dst)
}

// settings is an object whose member currency, when there is one, must be a currency
// code; it is kept in upper case, everything else as received.
func settings[D slot[json.RawMessage]](name string, dst D) field {
	return of[json.RawMessage](settingsKind, name, dst)
}

// freeList is a list of anything, kept as received.
func freeList[D slot[json.RawMessage]](name string, dst D) field {
	return of[json.RawMessage](freeListKind, name, dst)
}

// decimals is a map from names of the client's own to decimals; bounds hold for each.
func decimals[D slot[map[string]money.Decimal]](name string, dst D) field {
	return of[map[string]money.Decimal](decimalsKind, name, dst)
}

var (
	objectKind   = acceptingJSON(newKind(schema{"type": "object"}, readObject, nil))
	settingsKind = acceptingJSON(newKind(schema{"type": "object", "properties": schema{"currency": schema{"type": "string"}}}, readSettings, nil))
	freeListKind = acceptingJSON(newKind(schema{"type": "array", "items": schema{}}, readFreeList, nil))
	decimalsKind = newKind(schema{"type": "object", "additionalProperties": schema{"type": "number"}}, readDecimals, nil)
)

// acceptingJSON lets a default be written as a text.
func acceptingJSON(k *kind) *kind {
	exact := k.put
	k.put = func(dst, value any) {
		if text, ok := value.(string); ok {
			value = json.RawMessage(text)
		}
		exact(dst, value)
	}
	return k
}

func isObject(v strictjson.Value, r *report) bool {
	if v.Kind() == strictjson.Object {
		return true
	}
	r.fault("dict_type", "Input should be a valid dictionary", received(v))
	return false
}

func isList(v strictjson.Value, r *report) bool {
	if v.Kind() == strictjson.Array {
		return true
	}
	r.fault("list_type", "Input should be a valid list", received(v))
	return false
}

func readObject(_ *field, v strictjson.Value, r *report) (json.RawMessage, bool) {
	if !isObject(v, r) {
		return nil, false
	}
	return v.Compact(), true
}

func readSettings(_ *field, v strictjson.Value, r *report) (json.RawMessage, bool) {
	if !isObject(v, r) {
		return nil, false
	}
	sent, ok := v.Field("currency")
	if !ok {
		return v.Compact(), true
	}
	r.enter("currency")
	defer r.leave()
	code, ok := readCurrency(&field{}, sent, r)
	if !ok {
		return nil, false
	}
	return v.CompactWith(sent, strictjson.AppendString(nil, string(code))), true
}

func readFreeList(_ *field, v strictjson.Value, r *report) (json.RawMessage, bool) {
	if !isList(v, r) {
		return nil, false
	}
	return v.Compact(), true
}

func readDecimals(f *field, v strictjson.Value, r *report) (map[string]money.Decimal, bool) {
	if !isObject(v, r) {
		return nil, false
	}
	values := make(map[string]money.Decimal, v.Len())
	complete := true
	for name, member := range v.Members() {
		r.enter(name)
		value, ok := readDecimal(f, member, r)
		r.leave()
		values[name], complete = value, complete && ok
	}
	return values, complete
}

// bodyOf is a pointer to T that declares fields.
type bodyOf[T any] interface {
	*T
	body
}

// nested is a record inside the body, nil when null or not sent.
func nested[T any, P bodyOf[T]](name string, dst **T) field {
	return field{name: name, kind: recordKind, canBeNull: true, dst: recordSlot[T, P]{func(p *T) { *dst = p }}}
}

// optNested is nested for updates.
func optNested[T any, P bodyOf[T]](name string, dst *Opt[T]) field {
	return field{name: name, kind: recordKind, canBeNull: true, dst: recordSlot[T, P]{func(p *T) {
		if p == nil {
			dst.null()
		} else {
			dst.put(*p)
		}
	}}}
}

// list is a list of records, nil when null or not sent; null only with nullable.
func list[T any, P bodyOf[T]](name string, dst *[]T) field {
	return field{name: name, kind: listKind, dst: listSlot[T, P]{func(all []T) { *dst = all }}}
}

// optList is list for updates.
func optList[T any, P bodyOf[T]](name string, dst *Opt[[]T]) field {
	return field{name: name, kind: listKind, dst: listSlot[T, P]{func(all []T) {
		if all == nil {
			dst.null()
		} else {
			dst.put(all)
		}
	}}}
}

// records is a destination of bodies, whatever their type.
type records interface {
	read(v strictjson.Value, r *report)
	clear()
	sample() body // an empty one, for documents
}

type recordSlot[T any, P bodyOf[T]] struct{ set func(*T) }

func (s recordSlot[T, P]) read(v strictjson.Value, r *report) {
	record := new(T)
	decodeRecord(v, P(record), r)
	s.set(record)
}

func (s recordSlot[T, P]) clear()       { s.set(nil) }
func (s recordSlot[T, P]) sample() body { return P(new(T)) }

type listSlot[T any, P bodyOf[T]] struct{ set func([]T) }

func (s listSlot[T, P]) read(v strictjson.Value, r *report) {
	if !isList(v, r) {
		return
	}
	all := make([]T, v.Len())
	i := 0
	for elem := range v.Elems() {
		if r.full() {
			return
		}
		r.enterIndex(i)
		decodeRecord(elem, P(&all[i]), r)
		r.leave()
		i++
	}
	s.set(all)
}

func (s listSlot[T, P]) clear()       { s.set(nil) }
func (s listSlot[T, P]) sample() body { return P(new(T)) }

func readRecords(f *field, v strictjson.Value, r *report) { f.dst.(records).read(v, r) }

func clearRecords(dst any) { dst.(records).clear() }

var (
	recordKind = &kind{read: readRecords, null: clearRecords, schema: schema{"type": "object"}}
	listKind   = &kind{read: readRecords, null: clearRecords, schema: schema{"type": "array"}}
)
