package api

import (
	"net/url"
	"strings"
	"time"
	"unicode/utf8"
)

// param is a field that comes in the path or the query instead of a body.
type param = field

// pathID is an object's id in the path. Beyond 64 bits it is the nearest integer, which
// no object has.
func pathID[T ~int64](name string, dst *T) param { return inPath(identity(name, dst)) }

// pathText is any text in the path, percent signs decoded.
func pathText(name string, dst *string) param { return inPath(text(name, dst)) }

// queryID is an object's id in the query, with required; see optQueryID.
func queryID[T ~int64](name string, dst *T) param { return inQuery(identity(name, dst)) }

// optQueryID is an id that may be omitted.
func optQueryID[T ~int64](name string, dst *Opt[T]) param { return inQuery(optIdentity(name, dst)) }

// queryInt is any other integer.
func queryInt[D slot[int64]](name string, dst D) param { return inQuery(integer(name, dst)) }

// queryBool takes true/false, 1/0, yes/no, on/off, t/f, y/n in any case.
func queryBool[D slot[bool]](name string, dst D) param { return inQuery(boolean(name, dst)) }

// queryTime takes the forms of xyra.ParseTime.
func queryTime[D slot[time.Time]](name string, dst D) param { return inQuery(moment(name, dst)) }

// queryText takes any text, the empty one too.
func queryText[D slot[string]](name string, dst D) param { return inQuery(text(name, dst)) }

func inPath(f field) param {
	f.in, f.needed = "path", true
	return f
}

// inQuery makes a query parameter of any field whose kind reads plain text, such as a currencyCode.
func inQuery(f field) param {
	f.in = "query"
	return f
}

// paging is the input of every list.
type paging struct {
	Skip, Limit int64
}

// params bounds the page: skip from 0, limit 1 to 1000 and 100 if not given.
func (p *paging) params() []param {
	return []param{
		queryInt("skip", &p.Skip).byDefault(0).min(0),
		queryInt("limit", &p.Limit).byDefault(100).min(1).max(1000),
	}
}

// decodeParams reads the parameters of a request, those in the path first, and returns
// their faults in the order declared. pathValue gives the decoded text of a path parameter.
func decodeParams(params []param, pathValue func(string) string, rawQuery string) []Item {
	r := newReport()
	sent := pairs(rawQuery)
	for _, place := range []string{"path", "query"} {
		for i := range params {
			f := &params[i]
			if f.in != place {
				continue
			}
			value, found := "", true
			if place == "path" {
				value = storable(pathValue(f.name))
			} else {
				value, found = last(sent, f.name)
			}
			f.decodeText(value, found, place, r)
		}
	}
	return r.items
}

// decodeText is decode for a value that comes as plain text.
func (f *field) decodeText(value string, found bool, place string, r *report) {
	r.enter(place)
	r.enter(f.name)
	switch {
	case found:
		f.kind.parse(f, value, r)
	case f.needed:
		r.missing(nil)
	default:
		f.useDefault()
	}
	r.where = r.where[:0]
}

// pair is one name=value of a query or a form.
type pair struct{ name, value string }

// pairs splits a query or an urlencoded form. It refuses nothing: a broken escape stays
// as it is, and a name alone has the empty value.
func pairs(encoded string) []pair {
	if encoded == "" {
		return nil
	}
	var all []pair
	for part := range strings.SplitSeq(encoded, "&") {
		name, value, _ := strings.Cut(part, "=")
		all = append(all, pair{unescapeQuery(name), storable(unescapeQuery(value))})
	}
	return all
}

// last finds the value of a name; of several the last one wins.
func last(all []pair, name string) (value string, found bool) {
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].name == name {
			return all[i].value, true
		}
	}
	return "", false
}

func unescapeQuery(s string) string {
	if text, err := url.QueryUnescape(s); err == nil {
		return text
	}
	s = strings.ReplaceAll(s, "+", " ")
	var b strings.Builder
	for len(s) > 0 {
		next := strings.IndexByte(s, '%')
		if next < 0 {
			break
		}
		b.WriteString(s[:next])
		s = s[next:]
		if len(s) >= 3 {
			if text, err := url.PathUnescape(s[:3]); err == nil {
				b.WriteString(text)
				s = s[3:]
				continue
			}
		}
		b.WriteByte('%')
		s = s[1:]
	}
	return b.String() + s
}

// storable replaces what no text of ours can hold, broken UTF-8 and NUL: such a value
// finds nothing, and no database refuses the question.
func storable(s string) string {
	if strings.IndexByte(s, 0) < 0 && utf8.ValidString(s) {
		return s
	}
	const replacement = string(utf8.RuneError)
	return strings.ReplaceAll(strings.ToValidUTF8(s, replacement), "\x00", replacement)
}
