// Package strictjson reads JSON the way Xyra's wire contract asks: one pass over
// the bytes into a flat list of nodes, every refusal with the exact text and the
// character position that clients know.
//
// Beyond RFC 8259 it refuses duplicate keys at any level, NUL and unpaired
// surrogates in strings, invalid UTF-8 and nesting deeper than MaxDepth. It never
// converts a number: numbers and free objects stay as they were written.
//
// Values point into the bytes given to Parse. Whoever parses must leave that buffer
// alone while a Value or a result of Raw is in use; Text and Compact return copies.
package strictjson

import (
	"bytes"
	"math"
	"unicode/utf8"
)

// MaxDepth is how many arrays and objects may be open at once.
const MaxDepth = 32

// Texts of a SyntaxError. The first eleven are those of Python's json module,
// which existing clients were built against.
const (
	textValue          = "Expecting value"
	textName           = "Expecting property name enclosed in double quotes"
	textComma          = "Expecting ',' delimiter"
	textColon          = "Expecting ':' delimiter"
	textTrailingObject = "Illegal trailing comma before end of object"
	textTrailingArray  = "Illegal trailing comma before end of array"
	textUnterminated   = "Unterminated string starting at"
	textControl        = "Invalid control character at"
	textEscape         = `Invalid \escape`
	textHexEscape      = `Invalid \uXXXX escape`
	textExtra          = "Extra data"
	textDuplicate      = "Duplicate key"
	textCharacter      = "Invalid character in string"
	textUTF8           = "Invalid UTF-8"
	textDeep           = "Nesting too deep"
	textLarge          = "Document too large"
)

// SyntaxError says why a document was refused.
type SyntaxError struct {
	Pos  int    // characters from 0, a leading byte order mark not counted
	Text string // one of the contract's texts
}

// Error gives the text alone; the position is for the caller to place.
func (e *SyntaxError) Error() string { return e.Text }

// A node is one value or one key. The nodes of a container follow it directly, in
// an object alternating key and value; next is the index behind the whole value.
type node struct {
	start, end, next uint32
	kind             Kind
	escaped          bool // a string that holds a backslash
}

// A document is the tree of one text; values refer to it by node index.
type document struct {
	src   []byte
	nodes []node
	// An ordinary event has fewer nodes than this, and costs a single allocation.
	first [24]node
}

var byteOrderMark = []byte("\xef\xbb\xbf")

// Parse reads the one value in data. White space around it is allowed, nothing
// else is; empty data is a syntax error like any other missing value.
func Parse(data []byte) (Value, *SyntaxError) {
	data = bytes.TrimPrefix(data, byteOrderMark)
	if uint64(len(data)) > math.MaxUint32/2 {
		return Value{}, &SyntaxError{Text: textLarge}
	}
	doc := &document{src: data}
	doc.nodes = doc.first[:0]
	r := reader{src: data, doc: doc}
	if len(data) > 1024 {
		doc.nodes = make([]node, 0, len(data)/8)
	}
	r.space()
	if !r.value(0) {
		return Value{}, r.syntaxError()
	}
	r.space()
	if r.pos < len(data) {
		r.failOutside(r.pos, textExtra)
		return Value{}, r.syntaxError()
	}
	return Value{doc: doc}, nil
}

// A reader walks src once. Its methods return false after fail, which keeps the
// first offence as a byte offset; characters are only counted when it is reported.
type reader struct {
	src      []byte
	pos      int
	doc      *document
	failedAt int
	failure  string
}

func (r *reader) fail(at int, text string) bool {
	r.failedAt, r.failure = at, text
	return false
}

// failOutside is fail for a place outside strings, where a broken UTF-8 sequence
// is the truer reason than the missing token.
func (r *reader) failOutside(at int, text string) bool {
	if at < len(r.src) && r.src[at] >= utf8.RuneSelf {
		if c, size := utf8.DecodeRune(r.src[at:]); c == utf8.RuneError && size == 1 {
			text = textUTF8
		}
	}
	return r.fail(at, text)
}

func (r *reader) syntaxError() *SyntaxError {
	return &SyntaxError{Pos: utf8.RuneCount(r.src[:r.failedAt]), Text: r.failure}
}

func (r *reader) space() {
	for r.pos < len(r.src) {
		switch r.src[r.pos] {
		case ' ', '\t', '\n', '\r':
			r.pos++
		default:
			return
		}
	}
}

func (r *reader) at(c byte) bool { return r.pos < len(r.src) && r.src[r.pos] == c }

// open adds a node whose end is not known yet and returns its index.
func (r *reader) open(kind Kind) int {
	r.doc.nodes = append(r.doc.nodes, node{start: uint32(r.pos), kind: kind})
	return len(r.doc.nodes) - 1
}

func (r *reader) close(index int) {
	n := &r.doc.nodes[index]
	n.end, n.next = uint32(r.pos), uint32(len(r.doc.nodes))
}

func (r *reader) value(depth int) bool {
	if r.pos >= len(r.src) {
		return r.fail(r.pos, textValue)
	}
	switch c := r.src[r.pos]; c {
	case '"':
		return r.text()
	case '{', '[':
		if depth == MaxDepth {
			return r.fail(r.pos, textDeep)
		}
		if c == '{' {
			return r.object(depth + 1)
		}
		return r.array(depth + 1)
	case 't':
		return r.literal("true", Bool)
	case 'f':
		return r.literal("false", Bool)
	case 'n':
		return r.literal("null", Null)
	}
	return r.number()
}

func (r *reader) literal(word string, kind Kind) bool {
	if len(r.src)-r.pos < len(word) || string(r.src[r.pos:r.pos+len(word)]) != word {
		return r.fail(r.pos, textValue)
	}
	index := r.open(kind)
	r.pos += len(word)
	r.close(index)
	return true
}

func (r *reader) array(depth int) bool {
	index := r.open(Array)
	r.pos++
	r.space()
	for !r.at(']') {
		if !r.value(depth) {
			return false
		}
		r.space()
		if r.at(']') {
			break
		}
		if !r.comma(']', textTrailingArray) {
			return false
		}
	}
	r.pos++
	r.close(index)
	return true
}

func (r *reader) object(depth int) bool {
	index := r.open(Object)
	keys := keySet{doc: r.doc, object: index}
	r.pos++
	r.space()
	for !r.at('}') {
		if !r.at('"') {
			return r.failOutside(r.pos, textName)
		}
		key := len(r.doc.nodes)
		if !r.text() {
			return false
		}
		if !keys.add(key) {
			return r.fail(int(r.doc.nodes[key].start), textDuplicate)
		}
		r.space()
		if !r.at(':') {
			return r.failOutside(r.pos, textColon)
		}
		r.pos++
		r.space()
		if !r.value(depth) {
			return false
		}
		r.space()
		if r.at('}') {
			break
		}
		if !r.comma('}', textTrailingObject) {
			return false
		}
	}
	r.pos++
	r.close(index)
	return true
}

// comma steps over a comma and the white space behind it; another value must follow.
func (r *reader) comma(closing byte, trailing string) bool {
	if !r.at(',') {
		return r.failOutside(r.pos, textComma)
	}
	comma := r.pos
	r.pos++
	r.space()
	if r.at(closing) {
		return r.fail(comma, trailing)
	}
	return true
}
