package api

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"xyra"
	"xyra/money"
	"xyra/strictjson"
)

// sampleLine and sampleInvoice are bodies with everything that nests.
type sampleLine struct {
	Description string
	Quantity    money.Decimal
	UnitPrice   money.Decimal
	Reference   *xyra.AgentID
}

func (in *sampleLine) fields() []field {
	return []field{
		text("description", &in.Description).required().max(255),
		decimal("quantity", &in.Quantity).min(0).byDefault(1),
		decimal("unit_price", &in.UnitPrice).required(),
		identityOrNull("reference_id", &in.Reference),
	}
}

type sampleInvoice struct {
	Organization xyra.OrganizationID
	Due          time.Time
	Items        []sampleLine
	First        *sampleLine
	Notes        *string
	Currency     money.Currency
	Config       json.RawMessage
	Paid         bool
}

func (in *sampleInvoice) fields() []field {
	return []field{
		identity("organization_id", &in.Organization).required(),
		moment("due_date", &in.Due).required(),
		list("items", &in.Items).required(),
		nested("first", &in.First),
		text("notes", &in.Notes),
		currencyCode("currency", &in.Currency).byDefault("USD"),
		object("config", &in.Config).byDefault("{}"),
		boolean("paid", &in.Paid).byDefault(true),
	}
}

type sampleUsage struct {
	Seats      money.Decimal
	Activities map[string]money.Decimal
}

func (*sampleUsage) freeObject() {}

func (in *sampleUsage) fields() []field {
	return []field{decimal("seats", &in.Seats).min(0), decimals("activities", &in.Activities).min(0)}
}

func TestDecodeBody_WholeBody(t *testing.T) {
	const missing = `[{"type":"missing","loc":["body"],"msg":"Field required","input":null}]`
	wrong := func(input string) string { return "[" + itemText("model_attributes_type", `["body"]`, input) + "]" }
	invalid := func(pos, text string) string {
		return `[{"type":"json_invalid","loc":["body",` + pos + `],"msg":"JSON decode error","input":{},"ctx":{"error":"` + text + `"}}]`
	}
	for _, c := range []struct{ raw, contentType, want string }{
		{``, "", missing},
		{``, "text/plain", missing},
		{`null`, "", missing},
		{` null `, "application/json", missing},
		{"\xef\xbb\xbfnull", "", missing},
		{`  `, "", invalid("2", "Expecting value")},
		{`[]`, "", wrong(`[]`)},
		{`[ {"a": 1} ]`, "", wrong(`[{"a":1}]`)},
		{`"x"`, "", wrong(`"x"`)},
		{`5.50`, "", wrong(`5.50`)},
		{`true`, "", wrong(`true`)},
		{`{"name": }`, "", invalid("9", "Expecting value")},
		{`{"name":"A","name":"B"}`, "", invalid("12", "Duplicate key")},
		{`{"seat_price_per_seat":NaN}`, "", invalid("23", "Expecting value")},
		{`{"a":"\x"}`, "application/merge-patch+json; charset=utf-8", invalid("6", `Invalid \\escape`)},
		{`{}`, "text/plain", wrong(`"{}"`)},
		{`{"a":"<é>"}`, "text/plain; charset=utf-8", wrong(`"{\"a\":\"<é>\"}"`)},
		{"\xff\x00", "application/octet-stream", wrong("\"\ufffd\\u0000\"")},
		{`{}`, "application/jsonp", wrong(`"{}"`)},
		{`{}`, "text/json", wrong(`"{}"`)},
		{`a=b`, "application/x-www-form-urlencoded", wrong(`"a=b"`)},
		{`{}`, "Application/JSON", `[]`},
		{`{}`, "application/vnd.api+json", `[]`},
		{`{"unknown":[1],"Name":2}`, "", `[]`},
	} {
		var name string
		if got := itemsText(decodeBody([]byte(c.raw), c.contentType, fieldList{text("name", &name)})); got != c.want {
			t.Errorf("%q (%s):\n got %s\nwant %s", c.raw, c.contentType, got, c.want)
		}
	}
}

func TestDecodeBody_ItemsComeInFieldOrderWithTheirPlaces(t *testing.T) {
	const raw = `{"paid":1,"config":[],"currency":"","notes":5,"first":[],"items":[{"description":"a","unit_price":"1"},
		7,{"quantity":-1,"unit_price":null,"reference_id":"9"}],"due_date":"soon"}`
	var in sampleInvoice
	items := decodeBody([]byte(raw), "", &in)
	whole := strings.NewReplacer("\n", "", "\t", "").Replace(raw)
	const line = `{"quantity":-1,"unit_price":null,"reference_id":"9"}`
	want := []string{
		itemText("missing", `["body","organization_id"]`, whole),
		itemText("datetime_from_date_parsing input is too short", `["body","due_date"]`, `"soon"`),
		itemText("model_attributes_type", `["body","items",1]`, `7`),
		itemText("missing", `["body","items",2,"description"]`, line),
		itemText("greater_than_equal 0", `["body","items",2,"quantity"]`, `-1`),
		itemText("float_type", `["body","items",2,"unit_price"]`, `null`),
		itemText("int_parsing", `["body","items",2,"reference_id"]`, `"9"`),
		itemText("model_attributes_type", `["body","first"]`, `[]`),
		itemText("string_type", `["body","notes"]`, `5`),
		itemText("value_error unknown currency code", `["body","currency"]`, `""`),
		itemText("dict_type", `["body","config"]`, `[]`),
		itemText("bool_parsing", `["body","paid"]`, `1`),
	}
	if got := itemsText(items); got != "["+strings.Join(want, ",")+"]" {
		t.Errorf("got\n%s\nwant\n[%s]", strings.ReplaceAll(got, `},{"type`, "},\n{\"type"), strings.Join(want, ",\n"))
	}
}

func TestDecodeBody_FillsDefaultsAndNested(t *testing.T) {
	var in sampleInvoice
	items := decodeBody([]byte(`{"organization_id":3.0,"due_date":0,"first":{"description":"f","unit_price":-1.5},
		"items":[{"description":"a","unit_price":"1","reference_id":8},{"description":"b","unit_price":2,"quantity":0.5}]}`), "", &in)
	if items != nil {
		t.Fatal(itemsText(items))
	}
	if in.Organization != 3 || in.Currency != "USD" || string(in.Config) != "{}" || !in.Paid || in.Notes != nil {
		t.Errorf("%+v", in)
	}
	if len(in.Items) != 2 || *in.Items[0].Reference != 8 || in.Items[0].Quantity.String() != "1.0" || in.Items[1].Quantity.String() != "0.5" {
		t.Errorf("%+v", in.Items)
	}
	if in.First == nil || in.First.UnitPrice.String() != "-1.5" || in.First.Reference != nil {
		t.Errorf("%+v", in.First)
	}
}

func TestDecodeBody_UpdateKnowsOmittedNullAndValue(t *testing.T) {
	var name, notes Opt[string]
	var lines Opt[[]sampleLine]
	var seat Opt[sampleLine]
	decode := func(raw string) string {
		name, notes, lines, seat = Opt[string]{}, Opt[string]{}, Opt[[]sampleLine]{}, Opt[sampleLine]{}
		return itemsText(decodeBody([]byte(raw), "", fieldList{
			text("name", &name), text("notes", &notes).nullable(), optList("lines", &lines).nullable(), optNested("seat", &seat)}))
	}
	if got := decode(`{}`); got != "[]" || name.Set || notes.Set || lines.Set || seat.Set {
		t.Errorf("omitted: %s %v %v %v %v", got, name, notes, lines, seat)
	}
	if got := decode(`{"notes":null,"lines":null,"seat":null}`); got != "[]" || !notes.Null || !lines.Null || !seat.Null {
		t.Errorf("null: %s %v %v %v", got, notes, lines, seat)
	}
	if got := decode(`{"name":null}`); got != "["+itemText("string_type", `["body","name"]`, "null")+"]" {
		t.Errorf("null name: %s", got)
	}
	got := decode(`{"name":"n","lines":[],"seat":{"description":"","unit_price":1}}`)
	if got != "[]" || name.Or("old") != "n" || !lines.Set || lines.Null || lines.Value == nil || seat.Value.UnitPrice.String() != "1.0" {
		t.Errorf("values: %s %v %v %v", got, name, lines, seat)
	}
	old := "old"
	if notes.OrPtr(&old) != &old || (Opt[string]{Set: true, Null: true}).OrPtr(&old) != nil || name.Ptr() == nil || notes.Ptr() != nil {
		t.Error("Or and Ptr")
	}
}

func TestDecodeBody_FreeObject(t *testing.T) {
	for raw, want := range map[string]string{
		`[1]`:  "[" + itemText("dict_type", `["body"]`, `[1]`) + "]",
		`7`:    "[" + itemText("dict_type", `["body"]`, `7`) + "]",
		`null`: `[{"type":"missing","loc":["body"],"msg":"Field required","input":null}]`,
		`{}`:   `[]`,
		`{"seats":-1,"activities":null}`: "[" + itemText("greater_than_equal 0", `["body","seats"]`, `-1`) + "," +
			itemText("dict_type", `["body","activities"]`, `null`) + "]",
		`{"activities":{"a":1,"b\"c":"x","d":-1}}`: "[" + itemText("float_parsing", `["body","activities","b\"c"]`, `"x"`) + "," +
			itemText("greater_than_equal 0", `["body","activities","d"]`, `-1`) + "]",
	} {
		var in sampleUsage
		if got := itemsText(decodeBody([]byte(raw), "", &in)); got != want {
			t.Errorf("%s:\n got %s\nwant %s", raw, got, want)
		}
	}
	var in sampleUsage
	if decodeBody([]byte(`{"activities":{"a":"1.5","b":2}}`), "", &in); in.Activities["a"].String() != "1.5" || len(in.Activities) != 2 {
		t.Errorf("%v", in.Activities)
	}
}

func TestDecodeBody_RequiredUnlessAnotherSays(t *testing.T) {
	computable := func(v strictjson.Value) bool {
		details, _ := v.Field("details")
		_, ok := details.Field("seats")
		return ok
	}
	for raw, want := range map[string]string{
		`{}`:                          "[" + itemText("missing", `["body","amount"]`, `{}`) + "]",
		`{"details":{"x":1}}`:         "[" + itemText("missing", `["body","amount"]`, `{"details":{"x":1}}`) + "]",
		`{"details":[]}`:              "[" + itemText("missing", `["body","amount"]`, `{"details":[]}`) + "]",
		`{"details":{"seats":"bad"}}`: "[]",
		`{"amount":null}`:             "[" + itemText("float_type", `["body","amount"]`, `null`) + "]",
		`{"amount":1}`:                "[]",
	} {
		var amount Opt[money.Decimal]
		got := itemsText(decodeBody([]byte(raw), "", fieldList{decimal("amount", &amount).min(0).requiredUnless(computable)}))
		if got != want {
			t.Errorf("%s:\n got %s\nwant %s", raw, got, want)
		}
	}
}

func TestDecodeValue_BeginsAtTheGivenPlace(t *testing.T) {
	type envelope struct{ events [2]sampleLine }
	var in envelope
	v := mustParse(t, `[{"description":"a","unit_price":true}]`)
	for elem := range v.Elems() {
		got := itemsText(decodeValue(elem, &in.events[0], "body", "events", 3))
		if got != "["+itemText("float_type", `["body","events",3,"unit_price"]`, "true")+"]" {
			t.Errorf("%s", got)
		}
	}
}

func TestDecodeBody_StopsCountingFaults(t *testing.T) {
	var in sampleInvoice
	items := decodeBody([]byte(`{"organization_id":1,"due_date":0,"items":[`+strings.Repeat(`{},`, 5000)+`{}]}`), "", &in)
	if len(items) != itemsMax {
		t.Errorf("%d items", len(items))
	}
}

func TestCheckIdempotencyKey_IsVisibleASCII(t *testing.T) {
	for key, want := range map[string]string{
		"":                       "string_too_short",
		"a b":                    "string_pattern_mismatch",
		"ä":                      "string_pattern_mismatch",
		"a\tb":                   "string_pattern_mismatch",
		strings.Repeat("k", 256): "string_too_long",
		strings.Repeat("k", 255): "",
		"!~x-1":                  "",
	} {
		items := checkIdempotencyKey(key)
		if want == "" && items != nil || want != "" && (len(items) != 1 || items[0].Type != want) {
			t.Errorf("%.20q: %s", key, itemsText(items))
		}
	}
	got := itemsText(checkIdempotencyKey(""))
	if got != `[{"type":"string_too_short","loc":["header","idempotency-key"],"msg":"String should have at least 1 character","input":"","ctx":{"min_length":1}}]` {
		t.Error(got)
	}
}

func FuzzDecodeBody(f *testing.F) {
	for _, raw := range []string{
		`{"organization_id":1,"due_date":"2024-01-01","items":[{"description":"a","unit_price":1}]}`,
		`{"items":[1,null,{"quantity":"-1"}],"first":{},"currency":"eur","config":{"a":[1]}}`,
		`{"organization_id":1e400,"due_date":1e-400,"paid":0.5}`, `null`, `[]`, "\xef\xbb\xbf{}", `{"a":1,"a":2}`,
	} {
		f.Add([]byte(raw), "application/json")
	}
	f.Add([]byte(`{}`), "text/plain")
	f.Fuzz(func(t *testing.T, raw []byte, contentType string) {
		var in sampleInvoice
		items := decodeBody(raw, contentType, &in)
		if !json.Valid(encode(items)) {
			t.Fatalf("items of %q are no JSON: %s", raw, encode(items))
		}
		for _, item := range items {
			if item.Type == "" || item.Msg == "" || len(item.Loc) == 0 || item.Loc[0] != "body" {
				t.Fatalf("item %+v of %q", item, raw)
			}
		}
		if items == nil && (in.Currency == "" || in.Config == nil) {
			t.Fatalf("%q accepted as %+v", raw, in)
		}
	})
}

// sampleEvent is what the hot path decodes.
type sampleEvent struct {
	Type      string
	Metadata  json.RawMessage
	Agent     *xyra.AgentID
	Quantity  money.Decimal
	Timestamp *time.Time
	Key       *string
}

func (in *sampleEvent) fields() []field {
	return []field{
		text("activity_type", &in.Type).required().max(255),
		object("activity_metadata", &in.Metadata).nullable(),
		identityOrNull("agent_id", &in.Agent),
		decimal("quantity", &in.Quantity).over(0).byDefault(1),
		moment("timestamp", &in.Timestamp),
		text("idempotency_key", &in.Key).min(1).max(255),
	}
}

func BenchmarkDecodeBody_Event(b *testing.B) {
	raw := []byte(`{"activity_type":"message_sent","activity_metadata":{"channel":"email","tokens":1532,"ok":true},` +
		`"agent_id":1742,"quantity":12.5,"timestamp":"2024-03-01T10:00:00.250Z","idempotency_key":"0190f3a2-7c1e-7b60-9a55-3f0e"}`)
	b.ReportAllocs()
	for b.Loop() {
		var in sampleEvent
		if items := decodeBody(raw, "application/json", &in); items != nil {
			b.Fatal(itemsText(items))
		}
	}
}
