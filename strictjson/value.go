package strictjson

import "iter"

// Kind is the JSON type of a Value.
type Kind uint8

// Absent is the kind of the zero Value, which no document contains.
const (
	Absent Kind = iota
	Null
	Bool
	Number
	String
	Array
	Object
)

// Value is one value of a parsed document. It is small and passed by value; the
// zero Value is Absent.
type Value struct {
	doc *document
	at  int
}

func (d *document) raw(at int) []byte {
	n := &d.nodes[at]
	return d.src[n.start:n.end:n.end]
}

// name is the text of a string node, a sub-slice of the source where it can be.
func (d *document) name(at int) []byte {
	raw := d.raw(at)
	if d.nodes[at].escaped {
		return unescape(make([]byte, 0, len(raw)), raw)
	}
	return raw[1 : len(raw)-1]
}

// Kind tells what v is.
func (v Value) Kind() Kind {
	if v.doc == nil {
		return Absent
	}
	return v.doc.nodes[v.at].kind
}

// Bool is the value of a Bool, false for any other kind.
func (v Value) Bool() bool { return v.Kind() == Bool && v.Raw()[0] == 't' }

// Text is a copy of a String's text with escapes resolved, "" for any other kind.
func (v Value) Text() string {
	if v.Kind() != String {
		return ""
	}
	return string(v.doc.name(v.at))
}

// Number is a Number as written, such as `1.50` or `1E3`; "" for any other kind.
func (v Value) Number() string {
	if v.Kind() != Number {
		return ""
	}
	return string(v.Raw())
}

// Raw is the value as received, white space inside containers included. It shares
// the document's buffer. The zero Value has none.
func (v Value) Raw() []byte {
	if v.doc == nil {
		return nil
	}
	return v.doc.raw(v.at)
}

// Len counts the elements of an Array or the members of an Object; 0 otherwise.
func (v Value) Len() int {
	count := 0
	switch v.Kind() {
	case Array:
		for range v.Elems() {
			count++
		}
	case Object:
		for range v.members() {
			count++
		}
	}
	return count
}

// Field finds the member of an Object with exactly this name.
func (v Value) Field(name string) (Value, bool) {
	if v.Kind() != Object {
		return Value{}, false
	}
	nodes := v.doc.nodes
	for at := v.at + 1; at < int(nodes[v.at].next); at = int(nodes[at+1].next) {
		if string(v.doc.name(at)) == name {
			return Value{v.doc, at + 1}, true
		}
	}
	return Value{}, false
}

// Members yields the members of an Object in the order received; none otherwise.
func (v Value) Members() iter.Seq2[string, Value] {
	return func(yield func(string, Value) bool) {
		for at := range v.members() {
			if !yield(string(v.doc.name(at)), Value{v.doc, at + 1}) {
				return
			}
		}
	}
}

// members yields the key nodes of an Object.
func (v Value) members() iter.Seq[int] {
	return func(yield func(int) bool) {
		if v.Kind() != Object {
			return
		}
		nodes := v.doc.nodes
		for at := v.at + 1; at < int(nodes[v.at].next); at = int(nodes[at+1].next) {
			if !yield(at) {
				return
			}
		}
	}
}

// Elems yields the elements of an Array in order; none otherwise.
func (v Value) Elems() iter.Seq[Value] {
	return func(yield func(Value) bool) {
		if v.Kind() != Array {
			return
		}
		nodes := v.doc.nodes
		for at := v.at + 1; at < int(nodes[v.at].next); at = int(nodes[at].next) {
			if !yield(Value{v.doc, at}) {
				return
			}
		}
	}
}

// Compact is a copy of Raw without white space outside strings; key order, number
// spelling and escapes stay.
func (v Value) Compact() []byte {
	return compact(v.Raw())
}

func compact(raw []byte) []byte {
	dst := make([]byte, 0, len(raw))
	begin := 0 // of what has not been copied yet
	for i := 0; i < len(raw); {
		switch raw[i] {
		case ' ', '\t', '\n', '\r':
			dst = append(dst, raw[begin:i]...)
			i++
			begin = i
		case '"':
			i += stringEnd(raw[i:])
		default:
			i++
		}
	}
	return append(dst, raw[begin:]...)
}

// stringEnd is the length of the valid JSON string that raw begins with.
func stringEnd(raw []byte) int {
	end := 1
	for raw[end] != '"' {
		if raw[end] == '\\' {
			end++
		}
		end++
	}
	return end + 1
}

// CompactWith is Compact with another text in the place of part, a value inside v.
func (v Value) CompactWith(part Value, text []byte) []byte {
	whole, inner := v.doc.nodes[v.at], part.doc.nodes[part.at]
	dst := append(compact(v.doc.src[whole.start:inner.start]), text...)
	return append(dst, compact(v.doc.src[inner.end:whole.end])...)
}
