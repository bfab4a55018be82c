package api

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"xyra"
	"xyra/money"
	"xyra/strictjson"
)

func mustParse(t testing.TB, doc string) strictjson.Value {
	t.Helper()
	v, err := strictjson.Parse([]byte(doc))
	if err != nil {
		t.Fatal(err.Text)
	}
	return v
}

// sampleQuery is the input of a made-up list.
type sampleQuery struct {
	Organization xyra.OrganizationID
	Other        Opt[xyra.OrganizationID]
	Page         paging
	Active       bool
	From         *time.Time
	Status       string
	Currency     Opt[money.Currency]
}

func (q *sampleQuery) params() []param {
	return append([]param{
		queryID("org_id", &q.Organization).required(),
		optQueryID("other", &q.Other),
		queryBool("active_only", &q.Active),
		queryTime("from", &q.From),
		queryText("status", &q.Status),
		inQuery(currencyCode("currency", &q.Currency)),
	}, q.Page.params()...)
}

func TestDecodeParams_Query(t *testing.T) {
	integers := func(name, least string) string {
		return `
			` + name + `=abc => int_parsing
			` + name + `= => int_parsing
			` + name + ` => int_parsing
			` + name + `=1.5 => int_parsing
			` + name + `=1. => int_parsing
			` + name + `=.0 => int_parsing
			` + name + `=1__0 => int_parsing
			` + name + `=_1 => int_parsing
			` + name + `=1_ => int_parsing
			` + name + `=%2B%2B1 => int_parsing
			` + name + `=+-+1 => int_parsing
			` + name + `=0x1 => int_parsing
			` + name + `=1e2 => int_parsing
			` + name + `=%D9%A1 => int_parsing
			` + name + `=true => int_parsing
			` + name + `=null => int_parsing
			` + name + `=5&` + name + `=x => int_parsing
		` + least
	}
	for line := range strings.SplitSeq(strings.TrimSpace(integers("org_id", "")+integers("skip", `
		skip=-1 => greater_than_equal 0
		skip=-99999999999999999999 => greater_than_equal 0
		skip=99999999999999999999 => less_than_equal 9223372036854775807`)+integers("limit", `
		limit=0 => greater_than_equal 1
		limit=-5.0 => greater_than_equal 1
		limit=1001 => less_than_equal 1000
		limit=9223372036854775808 => less_than_equal 9223372036854775807
		active_only=maybe => bool_parsing
		active_only= => bool_parsing
		active_only=2 => bool_parsing
		active_only=+true => bool_parsing
		from= => datetime_from_date_parsing input is too short
		from=2024-13-01 => datetime_from_date_parsing month value is outside expected range of 1-12
		from=2024-03-01T10:00:00+02:00 => datetime_from_date_parsing unexpected extra characters at the end of the input
		currency= => value_error unknown currency code
		currency=DOLLARS => value_error unknown currency code`)), "\n") {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		sent, fault, _ := strings.Cut(line, " => ")
		name, _, _ := strings.Cut(sent, "=")
		raw := "org_id=1&" + sent
		value, _ := last(pairs(raw), name)
		var q sampleQuery
		got := itemsText(decodeParams(q.params(), nil, raw))
		if want := "[" + itemText(fault, `["query","`+name+`"]`, string(strictjson.AppendString(nil, value))) + "]"; got != want {
			t.Errorf("%s:\n got %s\nwant %s", raw, got, want)
		}
	}
}

func TestDecodeParams_AcceptsTheFormsOfClients(t *testing.T) {
	for raw, want := range map[string]string{
		"org_id=7":                                  "7 {false false 0} 0 100 false nil  {false false }",
		"org_id=1&org_id=2":                         "2 {false false 0} 0 100 false nil  {false false }",
		"org_id=%201%20&other=0":                    "1 {true false 0} 0 100 false nil  {false false }",
		"org_id=%2B1&other=-3":                      "1 {true false -3} 0 100 false nil  {false false }",
		"org_id=01.000&skip=1_000&limit=1000.0":     "1 {false false 0} 1000 1000 false nil  {false false }",
		"org_id=99999999999999999999":               "9223372036854775807 {false false 0} 0 100 false nil  {false false }",
		"org_id=-0&active_only=YES":                 "0 {false false 0} 0 100 true nil  {false false }",
		"org_id=1&active_only=Off&status=":          "1 {false false 0} 0 100 false nil  {false false }",
		"org_id=1&from=2024-03-01T10:00:00%2B02:00": "1 {false false 0} 0 100 false 2024-03-01T08:00:00Z  {false false }",
		"org_id=1&from=1709287200&currency=eur":     "1 {false false 0} 0 100 false 2024-03-01T10:00:00Z  {true false EUR}",
		"org_id=1&status=a+b%26%zz%2":               "1 {false false 0} 0 100 false nil a b&%zz%2 {false false }",
		"org_id=1&status=%00%ff":                    "1 {false false 0} 0 100 false nil \ufffd\ufffd {false false }",
		"&&=x&org_id=1&unknown=1;2":                 "1 {false false 0} 0 100 false nil  {false false }",
		"%6frg_id=3":                                "3 {false false 0} 0 100 false nil  {false false }",
	} {
		var q sampleQuery
		items := decodeParams(q.params(), nil, raw)
		got := strings.Join([]string{fmt.Sprint(int64(q.Organization)), fmt.Sprint(q.Other), fmt.Sprint(q.Page.Skip), fmt.Sprint(q.Page.Limit),
			fmt.Sprint(q.Active), showDecoded(q.From), q.Status, fmt.Sprint(q.Currency)}, " ")
		if items != nil || got != want {
			t.Errorf("%s: %s %s\nwant %s", raw, got, itemsText(items), want)
		}
	}
}

func TestDecodeParams_PathComesFirstAndMissingHasNoInput(t *testing.T) {
	var id xyra.AgentID
	var q sampleQuery
	params := append(q.params(), pathID("agent_id", &id))
	got := itemsText(decodeParams(params, func(string) string { return "external" }, "limit=x"))
	want := "[" + itemText("int_parsing", `["path","agent_id"]`, `"external"`) + "," + itemText("missing", `["query","org_id"]`, `null`) +
		"," + itemText("int_parsing", `["query","limit"]`, `"x"`) + "]"
	if got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

func TestPathID_BeyondAnyObjectIsNoFault(t *testing.T) {
	for text, want := range map[string]int64{
		"1": 1, " 1": 1, "+1.0": 1, "0": 0, "-5": -5, "9223372036854775808": math.MaxInt64,
		"-" + strings.Repeat("9", 300): math.MinInt64, "00000000000000000000000000001": 1,
	} {
		var id xyra.AgentID
		if items := decodeParams([]param{pathID("id", &id)}, func(string) string { return text }, ""); items != nil || int64(id) != want {
			t.Errorf("%s: %d %s", text, id, itemsText(items))
		}
	}
	var external string
	if decodeParams([]param{pathText("x", &external)}, func(string) string { return "a/b\x00" }, ""); external != "a/b\ufffd" {
		t.Errorf("%q", external)
	}
}
