package api

import (
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"strings"
	"time"

	"xyra"
	"xyra/money"
	"xyra/strictjson"
)

// text is any string.
func text[D slot[string]](name string, dst D) field { return of[string](textKind, name, dst) }

// boolean is true or false and nothing that resembles them.
func boolean[D slot[bool]](name string, dst D) field { return of[bool](booleanKind, name, dst) }

// integer is a number without a fraction within 64 bits.
func integer[D slot[int64]](name string, dst D) field { return of[int64](integerKind, name, dst) }

// identity is the integer that names an object. Beyond 64 bits it becomes the nearest
// one, which no object has.
func identity[T ~int64](name string, dst *T) field {
	f := of[int64](integerKind, name, (*int64)(nil))
	f.dst, f.saturates = named[T]{dst}, true
	return f
}

// identityOrNull is identity for an object that may be missing.
func identityOrNull[T ~int64](name string, dst **T) field {
	f := of[int64](integerKind, name, (**int64)(nil))
	f.dst, f.saturates = namedOrNull[T]{dst}, true
	return f
}

// optIdentity is identity for updates and for queries that may omit it.
func optIdentity[T ~int64](name string, dst *Opt[T]) field {
	f := of[int64](integerKind, name, (*int64)(nil))
	f.dst, f.saturates = optNamed[T]{dst}, true
	return f
}

// decimal is a number, or a text that is one, taken exactly.
func decimal[D slot[money.Decimal]](name string, dst D) field {
	return of[money.Decimal](decimalKind, name, dst)
}

// moment is an instant in any form that xyra.ParseTime reads.
func moment[D slot[time.Time]](name string, dst D) field { return of[time.Time](momentKind, name, dst) }

// named, namedOrNull and optNamed take an integer into a type of its own.
type named[T ~int64] struct{ dst *T }

func (n named[T]) put(v int64) { *n.dst = T(v) }
func (n named[T]) null()       { *n.dst = 0 }

type namedOrNull[T ~int64] struct{ dst **T }

func (n namedOrNull[T]) put(v int64) {
	id := T(v)
	*n.dst = &id
}
func (n namedOrNull[T]) null() { *n.dst = nil }

type optNamed[T ~int64] struct{ dst *Opt[T] }

func (n optNamed[T]) put(v int64) { n.dst.put(T(v)) }
func (n optNamed[T]) null()       { n.dst.null() }

var (
	textKind    = newKind(schema{"type": "string"}, readText, parseText)
	booleanKind = newKind(schema{"type": "boolean"}, readBoolean, parseBoolean)
	integerKind = acceptingInt(newKind(schema{"type": "integer"}, readInteger, parseInteger))
	decimalKind = acceptingInt(newKind(schema{"type": "number"}, readDecimal, nil))
	momentKind  = newKind(schema{"type": "string", "format": "date-time"}, readMoment, parseMoment)
)

// acceptingInt lets defaults be written as plain constants.
func acceptingInt(k *kind) *kind {
	exact := k.put
	k.put = func(dst, value any) {
		if n, ok := value.(int); ok {
			if k.schema["type"] == "number" {
				put(dst, money.FromInt(int64(n)))
			} else {
				put(dst, int64(n))
			}
			return
		}
		exact(dst, value)
	}
	return k
}

// source is what was sent, a JSON value or a plain text, until an item needs it.
type source struct {
	value strictjson.Value
	text  string
}

func (s source) input() any {
	if s.value.Kind() == strictjson.Absent {
		return s.text
	}
	return received(s.value)
}

// received is a value as it goes into an item.
func received(v strictjson.Value) json.RawMessage { return json.RawMessage(v.Raw()) }

func readText(f *field, v strictjson.Value, r *report) (string, bool) {
	if v.Kind() != strictjson.String {
		r.fault("string_type", "Input should be a valid string", received(v))
		return "", false
	}
	value := v.Text()
	return value, f.checkLength(value, source{value: v}, r) && f.checkWord(value, source{value: v}, r)
}

func parseText(f *field, value string, r *report) (string, bool) {
	return value, f.checkLength(value, source{text: value}, r) && f.checkWord(value, source{text: value}, r)
}

const (
	textBoolParsing = "Input should be a valid boolean, unable to interpret input"
	textIntParsing  = "Input should be a valid integer, unable to parse string as an integer"
)

func readBoolean(_ *field, v strictjson.Value, r *report) (bool, bool) {
	switch v.Kind() {
	case strictjson.Bool:
		return v.Bool(), true
	case strictjson.String:
		r.fault("bool_parsing", textBoolParsing, received(v))
	case strictjson.Number:
		if isWhole(v.Number()) {
			r.fault("bool_parsing", textBoolParsing, received(v))
		} else {
			r.fault("bool_type", "Input should be a valid boolean", received(v))
		}
	default:
		r.fault("bool_type", "Input should be a valid boolean", received(v))
	}
	return false, false
}

func parseBoolean(_ *field, value string, r *report) (bool, bool) {
	switch strings.ToLower(value) {
	case "true", "1", "yes", "on", "t", "y":
		return true, true
	case "false", "0", "no", "off", "f", "n":
		return false, true
	}
	r.fault("bool_parsing", textBoolParsing, value)
	return false, false
}

// isWhole tells whether a JSON number has no fraction.
func isWhole(number string) bool {
	d, err := money.ParseExact(number)
	return errors.Is(err, money.ErrWhole) || err == nil && d.IsInt()
}

func readInteger(f *field, v strictjson.Value, r *report) (int64, bool) {
	switch v.Kind() {
	case strictjson.Number:
	case strictjson.String:
		r.fault("int_parsing", textIntParsing, received(v))
		return 0, false
	default:
		r.fault("int_type", "Input should be a valid integer", received(v))
		return 0, false
	}
	number := v.Number()
	value, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		d, err := money.ParseExact(number)
		if errors.Is(err, money.ErrPlaces) || err == nil && !d.IsInt() {
			r.fault("int_from_float", "Input should be a valid integer, got a number with a fractional part", received(v))
			return 0, false
		}
		var fits bool
		if value, fits = d.Int64(); err != nil || !fits {
			return f.beyond(number[0] == '-', source{value: v}, r)
		}
	}
	return value, f.checkBounds(comparer(value), source{value: v}, r)
}

func comparer(value int64) func(int64) int {
	return func(bound int64) int {
		switch {
		case value < bound:
			return -1
		case value > bound:
			return 1
		}
		return 0
	}
}

// beyond answers an integer that does not fit into 64 bits.
func (f *field) beyond(negative bool, from source, r *report) (int64, bool) {
	switch {
	case f.saturates && negative:
		return math.MinInt64, true
	case f.saturates:
		return math.MaxInt64, true
	case !negative:
		r.tooLarge(math.MaxInt64, from.input())
	case f.bound.hasLeast || f.bound.hasOver:
		f.checkBounds(comparer(math.MinInt64), from, r)
	default:
		r.tooSmall(math.MinInt64, from.input())
	}
	return 0, false
}

// parseInteger takes white space around, a sign, single underscores between digits and
// a fraction of zeros.
func parseInteger(f *field, text string, r *report) (int64, bool) {
	digits := strings.TrimSpace(text)
	negative := strings.HasPrefix(digits, "-")
	if negative || strings.HasPrefix(digits, "+") {
		digits = digits[1:]
	}
	if whole, zeros, found := strings.Cut(digits, "."); found && zeros != "" && strings.Trim(zeros, "0") == "" {
		digits = whole
	}
	wanted := true // a digit must come next
	for _, c := range []byte(digits) {
		if c == '_' && !wanted {
			wanted = true
		} else if c >= '0' && c <= '9' {
			wanted = false
		} else {
			wanted = true
			break
		}
	}
	if wanted {
		r.fault("int_parsing", textIntParsing, text)
		return 0, false
	}
	digits = strings.ReplaceAll(digits, "_", "")
	if negative {
		digits = "-" + digits
	}
	value, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return f.beyond(negative, source{text: text}, r)
	}
	return value, f.checkBounds(comparer(value), source{text: text}, r)
}

func readDecimal(f *field, v strictjson.Value, r *report) (d money.Decimal, ok bool) {
	var err error
	switch v.Kind() {
	case strictjson.Number:
		d, err = money.ParseBytes(v.Raw())
	case strictjson.String:
		d, err = money.Parse(v.Text())
	default:
		r.fault("float_type", "Input should be a valid number", received(v))
		return d, false
	}
	switch {
	case errors.Is(err, money.ErrPlaces):
		r.fault("decimal_max_places", "Decimal input should have no more than 12 decimal places", received(v), "decimal_places", 12)
	case errors.Is(err, money.ErrWhole):
		r.fault("decimal_whole_digits", "Decimal input should have no more than 15 digits before the decimal point", received(v), "whole_digits", 15)
	case err != nil:
		r.fault("float_parsing", "Input should be a valid number, unable to parse string as a number", received(v))
	default:
		return d, f.checkBounds(func(bound int64) int { return d.Cmp(money.FromInt(bound)) }, source{value: v}, r)
	}
	return d, false
}

// lateness is the latest time a field takes and what is said of later ones.
type lateness struct {
	latest time.Time
	why    string
}

func readMoment(f *field, v strictjson.Value, r *report) (time.Time, bool) {
	switch v.Kind() {
	case strictjson.String:
		return f.moment(v.Text(), source{value: v}, r)
	case strictjson.Number:
		return f.moment(v.Number(), source{value: v}, r)
	}
	r.fault("datetime_type", "Input should be a valid datetime", received(v))
	return time.Time{}, false
}

func parseMoment(f *field, value string, r *report) (time.Time, bool) {
	return f.moment(value, source{text: value}, r)
}

func (f *field) moment(value string, from source, r *report) (time.Time, bool) {
	at, err := xyra.ParseTime(value)
	if err != nil {
		why := err.Error()
		r.fault("datetime_from_date_parsing", "Input should be a valid datetime or date, "+why, from.input(), "error", why)
		return at, false
	}
	if late, ok := f.more.(lateness); ok && !late.latest.IsZero() && at.After(late.latest) {
		r.valueError(late.why, from.input())
		return at, false
	}
	return at, true
}
