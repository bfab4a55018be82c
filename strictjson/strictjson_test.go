package strictjson_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"xyra/strictjson"
)

// wideObject has more keys than are compared one by one, and wants another.
const wideObject = `{"k1":1,"k2":1,"k3":1,"k4":1,"k5":1,"k6":1,"k7":1,"k8":1,"k9":1,"k10":1,`

var refusals = []struct {
	doc  string
	text string
	pos  int
}{
	{``, `Expecting value`, 0},
	{"\xef\xbb\xbf", `Expecting value`, 0},
	{" \t\r\n", `Expecting value`, 4},
	{"\v1", `Expecting value`, 0},
	{"\xc2\xa01", `Expecting value`, 0},
	{`nul`, `Expecting value`, 0},
	{`nullx`, `Extra data`, 4},
	{`True`, `Expecting value`, 0},
	{`NaN`, `Expecting value`, 0},
	{`Infinity`, `Expecting value`, 0},
	{`[1, -Infinity]`, `Expecting value`, 4},
	{`{"seat_price_per_seat":NaN}`, `Expecting value`, 23},
	{`-`, `Expecting value`, 0},
	{`-x`, `Expecting value`, 0},
	{`+1`, `Expecting value`, 0},
	{`.5`, `Expecting value`, 0},
	{`01`, `Extra data`, 1},
	{`-01`, `Extra data`, 2},
	{`1.`, `Extra data`, 1},
	{`1.e5`, `Extra data`, 1},
	{`1e`, `Extra data`, 1},
	{`1e+`, `Extra data`, 1},
	{`[1.5e-]`, `Expecting ',' delimiter`, 4},
	{`0x10`, `Extra data`, 1},
	{`1 2`, `Extra data`, 2},
	{`{} x`, `Extra data`, 3},
	{`"é" 1`, `Extra data`, 4},
	{`[`, `Expecting value`, 1},
	{`[,1]`, `Expecting value`, 1},
	{`[1,,2]`, `Expecting value`, 3},
	{`[1,`, `Expecting value`, 3},
	{`[1 2]`, `Expecting ',' delimiter`, 3},
	{`[1`, `Expecting ',' delimiter`, 2},
	{`[1}`, `Expecting ',' delimiter`, 2},
	{`[1 , ]`, `Illegal trailing comma before end of array`, 3},
	{`]`, `Expecting value`, 0},
	{`{`, `Expecting property name enclosed in double quotes`, 1},
	{`{ `, `Expecting property name enclosed in double quotes`, 2},
	{`{a:1}`, `Expecting property name enclosed in double quotes`, 1},
	{`{'a':1}`, `Expecting property name enclosed in double quotes`, 1},
	{`{1:1}`, `Expecting property name enclosed in double quotes`, 1},
	{`{"a":1,`, `Expecting property name enclosed in double quotes`, 7},
	{`{,}`, `Expecting property name enclosed in double quotes`, 1},
	{`{"a":1 , }`, `Illegal trailing comma before end of object`, 7},
	{`{"a"}`, `Expecting ':' delimiter`, 4},
	{`{"a" 1}`, `Expecting ':' delimiter`, 5},
	{`{"a"`, `Expecting ':' delimiter`, 4},
	{`{"a":}`, `Expecting value`, 5},
	{`{"name": }`, `Expecting value`, 9},
	{`{"a":`, `Expecting value`, 5},
	{`{"a":1 "b":2}`, `Expecting ',' delimiter`, 7},
	{`{"a":1`, `Expecting ',' delimiter`, 6},
	{`{"a":1]`, `Expecting ',' delimiter`, 6},
	{`{"a":1}}`, `Extra data`, 7},
	{`"abc`, `Unterminated string starting at`, 0},
	{`["é", "abc`, `Unterminated string starting at`, 6},
	{`"abc\`, `Unterminated string starting at`, 0},
	{`"abc\"`, `Unterminated string starting at`, 0},
	{`{"a`, `Unterminated string starting at`, 1},
	{"\"a\nb\"", `Invalid control character at`, 2},
	{"\"a\tb\"", `Invalid control character at`, 2},
	{"\"\x1f\"", `Invalid control character at`, 1},
	{`"a\x41"`, `Invalid \escape`, 2},
	{`"\'"`, `Invalid \escape`, 1},
	{`"\u12G4"`, `Invalid \uXXXX escape`, 2},
	{`"\u12"`, `Invalid \uXXXX escape`, 2},
	{`"\u0041`, `Invalid \uXXXX escape`, 2},
	{`"é\U0041"`, `Invalid \escape`, 2},
	{`{"name":"A","name":"B"}`, `Duplicate key`, 12},
	{`{"a":1,"\u0061":2}`, `Duplicate key`, 7},
	{`[{"é":{"x":1,"x":2}}]`, `Duplicate key`, 13},
	{`{"":1,"":1}`, `Duplicate key`, 6},
	{wideObject + `"k1":2}`, `Duplicate key`, len(wideObject)},
	{wideObject + `"k10":2}`, `Duplicate key`, len(wideObject)},
	{wideObject + `"\u006b3":2}`, `Duplicate key`, len(wideObject)},
	{"\"a\x00\"", `Invalid character in string`, 2},
	{`"a\u0000"`, `Invalid character in string`, 2},
	{`{"\u0000":1}`, `Invalid character in string`, 2},
	{`"\ud800"`, `Invalid character in string`, 1},
	{`"\ud800\u0041"`, `Invalid character in string`, 1},
	{`"\ud800\ud800"`, `Invalid character in string`, 1},
	{`"x\udc00\ud800"`, `Invalid character in string`, 2},
	{"\"é\xff\"", `Invalid UTF-8`, 2},
	{"\"\xed\xa0\x80\"", `Invalid UTF-8`, 1},
	{"\"\xc0\x80\"", `Invalid UTF-8`, 1},
	{"\"\xe2\x82", `Invalid UTF-8`, 1},
	{"[\xff]", `Invalid UTF-8`, 1},
	{"[1 \xff]", `Invalid UTF-8`, 3},
	{"{\"a\"\xff", `Invalid UTF-8`, 4},
	{"{\xff", `Invalid UTF-8`, 1},
	{"1 \xff", `Invalid UTF-8`, 2},
	{strings.Repeat("[", 33), `Nesting too deep`, 32},
	{strings.Repeat(`{"a":`, 33), `Nesting too deep`, 160},
	{"\xef\xbb\xbf{]", `Expecting property name enclosed in double quotes`, 1},
	{"\xef\xbb\xbf\xef\xbb\xbf1", `Expecting value`, 0},
}

func TestParse_RefusesWithTextAndPosition(t *testing.T) {
	for _, c := range refusals {
		_, err := strictjson.Parse([]byte(c.doc))
		if err == nil {
			t.Errorf("%q: accepted", c.doc)
		} else if err.Text != c.text || err.Pos != c.pos {
			t.Errorf("%q: %s at %d, want %s at %d", c.doc, err.Text, err.Pos, c.text, c.pos)
		}
	}
}

func parse(t testing.TB, doc string) strictjson.Value {
	t.Helper()
	v, err := strictjson.Parse([]byte(doc))
	if err != nil {
		t.Fatalf("%.80q: %s at %d", doc, err.Text, err.Pos)
	}
	return v
}

func TestValue_GivesBackWhatWasSent(t *testing.T) {
	v := parse(t, "\xef\xbb\xbf"+` { "n" : -1.50E+3, "t":true,"f":false, "z":null,"s":"a\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00é",
		"l":[1,[2, {}],"x"],"o":{"k" :"v w"},"":0 } `)
	if v.Kind() != strictjson.Object || v.Len() != 8 {
		t.Fatalf("kind %d with %d members", v.Kind(), v.Len())
	}
	field := func(name string) strictjson.Value {
		f, ok := v.Field(name)
		if !ok {
			t.Errorf("no field %q", name)
		}
		return f
	}
	if got := field("n"); got.Kind() != strictjson.Number || got.Number() != "-1.50E+3" || got.Text() != "" {
		t.Errorf("n is %q", got.Number())
	}
	if !field("t").Bool() || field("f").Bool() || field("f").Kind() != strictjson.Bool || field("z").Bool() {
		t.Error("booleans differ")
	}
	if field("z").Kind() != strictjson.Null {
		t.Error("z is not null")
	}
	if got := field("s").Text(); got != "a\"\\/\b\f\n\r\té😀é" {
		t.Errorf("s is %q", got)
	}
	if got := string(field("l").Raw()); got != `[1,[2, {}],"x"]` {
		t.Errorf("l is %s", got)
	}
	if got := string(field("o").Compact()); got != `{"k":"v w"}` {
		t.Errorf("o is %s", got)
	}
	if got := field("").Number(); got != "0" {
		t.Errorf("empty name is %s", got)
	}
	if _, ok := v.Field("N"); ok {
		t.Error("names must match by case")
	}
	if f, ok := field("n").Field("n"); ok || f.Kind() != strictjson.Absent || f.Raw() != nil {
		t.Error("a number has a field")
	}
	var names []string
	for name := range v.Members() {
		names = append(names, name)
	}
	if !slices.Equal(names, []string{"n", "t", "f", "z", "s", "l", "o", ""}) {
		t.Errorf("members %q", names)
	}
	var kinds []strictjson.Kind
	for elem := range field("l").Elems() {
		kinds = append(kinds, elem.Kind())
	}
	if !slices.Equal(kinds, []strictjson.Kind{strictjson.Number, strictjson.Array, strictjson.String}) || field("l").Len() != 3 {
		t.Errorf("elements %v", kinds)
	}
}

func TestParse_AcceptsTheDeepestAndTheWidest(t *testing.T) {
	parse(t, strings.Repeat("[", 32)+strings.Repeat("]", 32))
	var doc strings.Builder
	doc.WriteByte('{')
	for i := range 20000 {
		fmt.Fprintf(&doc, `"k%d":%d,`, i, i)
	}
	v := parse(t, doc.String()+`"last":{}}`)
	if v.Len() != 20001 {
		t.Errorf("%d members", v.Len())
	}
	if f, _ := v.Field("k19999"); f.Number() != "19999" {
		t.Errorf("k19999 is %s", f.Raw())
	}
}

func TestAppendCanonical_IsEqualForEqualValues(t *testing.T) {
	for _, c := range []struct{ doc, want string }{
		{`null`, `null`}, {` true `, `true`}, {`false`, `false`}, {`[]`, `[]`}, {`{ }`, `{}`},
		{`0`, `0`}, {`-0`, `0`}, {`0.000`, `0`}, {`0e99`, `0`}, {`-0E-5`, `0`},
		{`1`, `1`}, {`1.0`, `1`}, {`1e0`, `1`}, {`10e-1`, `1`}, {`0.1E1`, `1`}, {`100e-0002`, `1`}, {`1E+00`, `1`},
		{`1.50`, `15e-1`}, {`15e-1`, `15e-1`}, {`0.0015E+3`, `15e-1`}, {`-1000`, `-1e3`}, {`1000.000`, `1e3`},
		{`123456789012345678901234567890`, `12345678901234567890123456789e1`},
		{`1e999999999`, `1e999999999`}, {`10e999999998`, `1e999999999`}, {`0.1e-999`, `1e-1000`},
		{`1e123456789012345678901234567890`, `1e123456789012345678901234567890`},
		{`0e123456789012345678901234567890`, `0`},
		{`"a\u0062\/\n\t\"\\é\u00e9"`, `"ab/\u000a\u0009\"\\éé"`}, {`"\u007f"`, "\"\x7f\""},
		{`{"b":1,"a":{"d":1.0,"c":[2, 1]},"\u0041":0}`, `{"A":0,"a":{"c":[2,1],"d":1},"b":1}`},
		{`{"é":1,"z":2}`, `{"z":2,"é":1}`},
	} {
		if got := string(strictjson.AppendCanonical(nil, parse(t, c.doc))); got != c.want {
			t.Errorf("%s: %s, want %s", c.doc, got, c.want)
		}
	}
}

func TestAppendString_EscapesOnlyWhatItMust(t *testing.T) {
	for text, want := range map[string]string{
		"":         `""`,
		"<a>&é😀":   `"<a>&é😀"`,
		"\"\\\x00": `"\"\\\u0000"`,
		"a\xffb":   "\"a\ufffdb\"",
		"\xc3":     "\"\ufffd\"",
	} {
		if got := string(strictjson.AppendString(nil, text)); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

// The texts of the rules that encoding/json does not have.
var ownTexts = []string{"Duplicate key", "Invalid character in string", "Invalid UTF-8", "Nesting too deep"}

func FuzzParse(f *testing.F) {
	for _, doc := range []string{`{"a":[1,2.5e3,"x\u00e9",null,true]}`, `{"a":1,"a":2}`, `"\ud800"`, "[\xff", `{"a":1,}`, "\xef\xbb\xbf[]"} {
		f.Add([]byte(doc))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		plain := bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
		v, err := strictjson.Parse(data)
		if err != nil {
			if err.Pos < 0 || err.Pos > utf8.RuneCount(plain) {
				t.Fatalf("position %d outside %q", err.Pos, data)
			}
			if json.Valid(plain) && !slices.Contains(ownTexts, err.Text) {
				t.Fatalf("%q refused: %s", data, err.Text)
			}
			return
		}
		if !json.Valid(plain) {
			t.Fatalf("%q accepted", data)
		}
		canonical := strictjson.AppendCanonical(nil, v)
		again, err := strictjson.Parse(canonical)
		if err != nil {
			t.Fatalf("canonical %q of %q: %s", canonical, data, err.Text)
		}
		if second := strictjson.AppendCanonical(nil, again); !bytes.Equal(canonical, second) {
			t.Fatalf("canonical form is not stable: %q, %q", canonical, second)
		}
		compacted, err := strictjson.Parse(v.Compact())
		if err != nil || !bytes.Equal(strictjson.AppendCanonical(nil, compacted), canonical) {
			t.Fatalf("compacting changed %q", data)
		}
	})
}

const event = `{"activity_type":"message_sent","activity_metadata":{"channel":"email","tokens":1532,"ok":true},` +
	`"agent_id":1742,"quantity":12.5,"timestamp":"2024-03-01T10:00:00.250Z","idempotency_key":"0190f3a2-7c1e-7b60-9a55-3f0e"}`

func BenchmarkParse_Event(b *testing.B) {
	data := []byte(event)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := strictjson.Parse(data); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParse_WideObject(b *testing.B) {
	var doc strings.Builder
	for i := range 50000 {
		fmt.Fprintf(&doc, `,"key%d":%d`, i, i)
	}
	data := []byte("{" + doc.String()[1:] + "}")
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := strictjson.Parse(data); err != nil {
			b.Fatal(err)
		}
	}
}

func TestCompactWith_ChangesOnlyThatValue(t *testing.T) {
	v := parse(t, ` { "a" : [ 1 , "x y" ], "b": "u\u0073d" , "c":"} " }`)
	b, _ := v.Field("b")
	if got := string(v.CompactWith(b, []byte(`"USD"`))); got != `{"a":[1,"x y"],"b":"USD","c":"} "}` {
		t.Errorf("%s", got)
	}
}
