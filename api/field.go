package api

import (
	"encoding/json"
	"fmt"
	"time"
	"unicode/utf8"

	"xyra/strictjson"
)

// A field is one named value of a request: a member of a body, a form field, a path or
// query parameter. It knows how to decode itself into its destination, which faults to
// report and how to describe itself.
//
// A destination of type *T takes a value and refuses null; **T takes null as nil; *Opt[T]
// also remembers whether anything was sent, and refuses null unless nullable is said.
//
//	func (in *agentCreate) fields() []field {
//		return []field{
//			text("name", &in.Name).required().max(255),
//			text("description", &in.Description), // *string
//			object("config", &in.Config).nullable(),
//			boolean("is_active", &in.IsActive).byDefault(true),
//			identity("organization_id", &in.Organization).required(),
//		}
//	}
type field struct {
	name string
	in   string // "path", "query" or "form"; a member of a body has none
	kind *kind
	dst  any

	needed      bool
	canBeNull   bool
	blankOmits  bool // null and "" count as not sent
	nullOmits   bool // null counts as not sent
	saturates   bool // an integer beyond 64 bits is the nearest one, and names nothing
	fallback    any  // taken when not sent; nil: the destination is left alone
	lengthMin   int32
	lengthMax   int32 // 0: no bound
	bound       bounds
	more        any // what only this kind needs
	explanation string
}

// bounds of a number; each holds only when its flag is set.
type bounds struct {
	least, over, most          int64
	hasLeast, hasOver, hasMost bool
}

// A kind is the type of a field: how to read it, and how its schema begins.
type kind struct {
	read   func(f *field, v strictjson.Value, r *report)
	parse  func(f *field, text string, r *report) // of a parameter; nil where there is none
	put    func(dst, value any)
	null   func(dst any)
	schema schema
	isText bool // bounds are of its length
}

// slot is where a value of type T may be decoded to.
type slot[T any] interface{ *T | **T | *Opt[T] }

// destination is a slot with a type of its own.
type destination[T any] interface {
	put(T)
	null()
}

func put[T any](dst any, value T) {
	switch d := dst.(type) {
	case *T:
		*d = value
	case **T:
		p := new(T)
		*p = value
		*d = p
	case destination[T]:
		d.put(value)
	default:
		panic(fmt.Sprintf("field declared with a destination %T for a %T", dst, value))
	}
}

func putNull[T any](dst any) {
	switch d := dst.(type) {
	case *T:
		var zero T
		*d = zero
	case **T:
		*d = nil
	case destination[T]:
		d.null()
	}
}

// newKind makes a kind of a reader that says whether it found a value of type T.
func newKind[T any](
	begin schema,
	read func(f *field, v strictjson.Value, r *report) (T, bool),
	parse func(f *field, text string, r *report) (T, bool),
) *kind {
	k := &kind{schema: begin, null: putNull[T], isText: begin["type"] == "string"}
	k.read = func(f *field, v strictjson.Value, r *report) {
		if value, ok := read(f, v, r); ok {
			put(f.dst, value)
		}
	}
	if parse != nil {
		k.parse = func(f *field, text string, r *report) {
			if value, ok := parse(f, text, r); ok {
				put(f.dst, value)
			}
		}
	}
	k.put = func(dst, value any) {
		v, ok := value.(T)
		if !ok {
			panic(fmt.Sprintf("default %v of type %T for a field of type %T", value, value, v))
		}
		put(dst, v)
	}
	return k
}

// of begins a field of kind k; a **T destination takes null.
func of[T any, D slot[T]](k *kind, name string, dst D) field {
	_, canBeNull := any(dst).(**T)
	return field{name: name, kind: k, dst: dst, canBeNull: canBeNull}
}

func (f field) required() field {
	f.needed = true
	return f
}

// requiredUnless is required, but for objects of which waived says that they need no such field.
func (f field) requiredUnless(waived func(enclosing strictjson.Value) bool) field {
	f.needed, f.more = true, waiver(waived)
	return f
}

type waiver func(enclosing strictjson.Value) bool

func (f *field) waived(enclosing strictjson.Value) bool {
	waived, ok := f.more.(waiver)
	return ok && waived(enclosing)
}

func (f field) nullable() field {
	f.canBeNull = true
	return f
}

// byDefault sets what holds when the field is not sent. It has the type of the
// destination's value.
func (f field) byDefault(value any) field {
	f.fallback = value
	return f
}

// nullIsDefault lets null stand for the default.
func (f field) nullIsDefault() field {
	f.canBeNull, f.nullOmits = true, true
	return f
}

// blankIsOmitted lets null and the empty text count as not sent.
func (f field) blankIsOmitted() field {
	f.canBeNull, f.nullOmits, f.blankOmits = true, true, true
	return f
}

// max bounds the characters of a text, or a number.
func (f field) max(most int64) field {
	if f.kind.isText {
		f.lengthMax = int32(most)
	} else {
		f.bound.most, f.bound.hasMost = most, true
	}
	return f
}

// min bounds the characters of a text, or a number.
func (f field) min(least int64) field {
	if f.kind.isText {
		f.lengthMin = int32(least)
	} else {
		f.bound.least, f.bound.hasLeast = least, true
	}
	return f
}

// over bounds a number from below, the bound itself not allowed.
func (f field) over(limit int64) field {
	f.bound.over, f.bound.hasOver = limit, true
	return f
}

// notAfter refuses times later than latest as "not in the future"; the zero time is no bound.
func (f field) notAfter(latest time.Time, why string) field {
	f.more = lateness{latest, why}
	return f
}

// explained adds a sentence to the documents.
func (f field) explained(sentence string) field {
	f.explanation = sentence
	return f
}

// decode finds the field in the enclosing object.
func (f *field) decode(enclosing strictjson.Value, r *report) {
	r.enter(f.name)
	defer r.leave()
	v, sent := enclosing.Field(f.name)
	isNull := v.Kind() == strictjson.Null
	if sent && (isNull && f.nullOmits || f.blankOmits && v.Kind() == strictjson.String && len(v.Raw()) == 2) {
		sent = false
	}
	switch {
	case sent && isNull && f.canBeNull:
		f.kind.null(f.dst)
	case sent:
		f.kind.read(f, v, r)
	case f.needed && !f.waived(enclosing):
		r.missing(json.RawMessage(enclosing.Raw()))
	default:
		f.useDefault()
	}
}

func (f *field) useDefault() {
	if f.fallback != nil {
		f.kind.put(f.dst, f.fallback)
	}
}

// checkLength counts characters.
func (f *field) checkLength(text string, from source, r *report) bool {
	if f.lengthMin == 0 && (f.lengthMax == 0 || len(text) <= int(f.lengthMax)) {
		return true
	}
	length := utf8.RuneCountInString(text)
	if least := int(f.lengthMin); length < least {
		noun := "characters"
		if least == 1 {
			noun = "character"
		}
		r.fault("string_too_short", fmt.Sprintf("String should have at least %d %s", least, noun), from.input(), "min_length", least)
		return false
	}
	if most := int(f.lengthMax); most > 0 && length > most {
		r.fault("string_too_long", fmt.Sprintf("String should have at most %d characters", most), from.input(), "max_length", most)
		return false
	}
	return true
}

// checkBounds holds a number against its bounds; compare compares it with a bound.
func (f *field) checkBounds(compare func(bound int64) int, from source, r *report) bool {
	b := &f.bound
	switch {
	case b.hasLeast && compare(b.least) < 0:
		r.tooSmall(b.least, from.input())
	case b.hasOver && compare(b.over) <= 0:
		r.fault("greater_than", fmt.Sprintf("Input should be greater than %d", b.over), from.input(), "gt", b.over)
	case b.hasMost && compare(b.most) > 0:
		r.tooLarge(b.most, from.input())
	default:
		return true
	}
	return false
}

func (r *report) tooSmall(least int64, input any) {
	r.fault("greater_than_equal", fmt.Sprintf("Input should be greater than or equal to %d", least), input, "ge", least)
}

func (r *report) tooLarge(most int64, input any) {
	r.fault("less_than_equal", fmt.Sprintf("Input should be less than or equal to %d", most), input, "le", most)
}
