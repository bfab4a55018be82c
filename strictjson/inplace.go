package strictjson

import "iter"

// RawMembers is Members without a copy of each name: a name shares the document's buffer where it holds no escape, and
// must not be kept.
func (v Value) RawMembers() iter.Seq2[[]byte, Value] {
	return func(yield func([]byte, Value) bool) {
		if v.Kind() != Object {
			return
		}
		nodes := v.doc.nodes
		for at := v.at + 1; at < int(nodes[v.at].next); at = int(nodes[at+1].next) {
			if !yield(v.doc.name(at), Value{v.doc, at + 1}) {
				return
			}
		}
	}
}

// RawText is Text without a copy: it shares the document's buffer where the String holds no escape. Other kinds have
// none.
func (v Value) RawText() []byte {
	if v.Kind() != String {
		return nil
	}
	return v.doc.name(v.at)
}
