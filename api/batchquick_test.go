package api

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"xyra"
	"xyra/strictjson"
)

// randomEvent is an event whose members are right, wrong or missing by chance.
func randomEvent(r *rand.Rand) string {
	values := map[string][]string{
		"kind":              {`"activity"`, `"activity"`, `"cost"`, `"outcome"`, `"Cost"`, `1`, `null`},
		"activity_type":     {`"call"`, `"c\u0061ll"`, `""`, `null`, `7`, `"` + strings.Repeat("ä", 200) + `"`, `"` + strings.Repeat("x", 256) + `"`},
		"cost_type":         {`"llm"`, `""`, `null`},
		"outcome_type":      {`"sale"`, `{}`},
		"quantity":          {`1`, `"2.50"`, `0`, `-1`, `1e3`, `"1e-12"`, `1e-13`, `null`, `"x"`, `true`},
		"amount":            {`1`, `"0"`, `-0.0`, `-1`, `null`, `[]`},
		"value":             {`100`, `"0.000001"`, `0`, `-5`, `null`, `1e15`},
		"activity_metadata": {`{}`, `{"a": [1, 2.50]}`, `null`, `[]`, `"{}"`},
		"details":           {`{}`, `{"seats": 3}`, `{"actions":"x"}`, `null`, `[]`},
		"agent_id":          {`7`, `7`, `7`, `0`, `-1`, `1.0`, `"7"`, `null`, `99999999999999999999`},
		"agent_external_id": {`"crm/1"`, `null`, `5`, `""`, `"` + strings.Repeat("ä", 200) + `"`},
		"organization_id":   {`1`, `null`, `0`, `"1"`},
		"currency":          {`"usd"`, `"EUR"`, `"XXY"`, `null`, `"us\u0064"`},
		"verified":          {`true`, `false`, `null`, `1`},
		"timestamp":         {`"2024-05-15T10:00:00Z"`, `1715767200`, `"2024-05-15"`, `"2999-01-01"`, `null`, `"x"`},
		"idempotency_key":   {`"k"`, `""`, `null`, `"\u00e4"`, `"` + strings.Repeat("ä", 200) + `"`, `"` + strings.Repeat("k", 256) + `"`},
		"outcome_count":     {`1`},
	}
	var members []string
	for name, pool := range values {
		chance := 3
		switch name {
		case "kind", "agent_id":
			chance = 9
		case "agent_external_id", "organization_id":
			chance = 1
		}
		if r.IntN(10) < chance {
			value := pool[0]
			if r.IntN(3) == 0 {
				value = pool[r.IntN(len(pool))]
			}
			members = append(members, fmt.Sprintf("%q: %s", name, value))
		}
	}
	return "{" + strings.Join(members, ", ") + "}"
}

// What is read quickly is what the fields would have read, and nothing that they refuse.
func TestEvents_QuickReadingChangesNothing(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	quickly := 0
	for range 150_000 {
		text := randomEvent(r)
		v, syntax := strictjson.Parse([]byte(text))
		if syntax != nil {
			t.Fatal(text, syntax)
		}
		caller := xyra.Caller{User: 1, Organization: 1, Role: []xyra.Role{xyra.RoleAdmin, xyra.RoleUser}[r.IntN(2)], Superuser: r.IntN(3) == 0}
		now := time.Date(2024, 5, 15, 12, 0, 0, 0, time.UTC)
		b := &batch{caller: caller, now: now, events: make([]posted, 2), words: map[string]string{}}
		if !b.readQuickly(v, &b.events[0]) {
			continue
		}
		quickly++
		of := &postedIn{}
		items := decodeValue(v, of, "body", "events", 1)
		if items == nil {
			items = b.readFields(v, of.Kind, 1)
		}
		if items != nil {
			t.Fatalf("%s: read quickly, but refused by the fields: %s", text, encode(items))
		}
		for i := range b.events { // the digest shows whether the details that were kept are those of the draft
			b.events[i].draft.IdempotencyKey = cmp.Or(b.events[i].draft.IdempotencyKey, "key")
		}
		if _, err := b.drafts(); err != nil {
			t.Fatal(err)
		}
		b.events[0].details = strictjson.Value{}
		if !reflect.DeepEqual(b.events[0], b.events[1]) {
			t.Fatalf("%s:\nread quickly as %+v\nby the fields as %+v", text, b.events[0], b.events[1])
		}
	}
	if quickly < 1000 {
		t.Errorf("only %d events were read quickly", quickly)
	}
}

// randomCloudEvent is a CloudEvent with a member or two that are unusual, wrong or missing.
func randomCloudEvent(r *rand.Rand) string {
	long := `"` + strings.Repeat("ä", 200) + `"`
	values := [][]string{
		{"specversion", `"1.0"`, `"0.3"`, `1.0`},
		{"id", `"42"`, `""`, long, `"\u00e4"`, `7`, `null`},
		{"source", `"a/b"`, `""`, `"\u002f"`, `{}`},
		{"type", `"call"`, `""`, `"` + strings.Repeat("x", 256) + `"`},
		{"subject", `"crm/1"`, `""`, long, `null`},
		{"time", `"2024-05-15T10:00:00Z"`, `null`, `1715767200`, `"2999-01-01T00:00:00Z"`, `"x"`},
		{"data", `{"quantity": 2, "m": [1, 2.50]}`, `{}`, `{"quantity":"3.0"}`, `{"quantity":0}`, `{"quantity":-1}`, `{"quantity":null}`, `{"quantity":[]}`, `null`, `"x"`, `{"amount":3}`},
		{"datacontenttype", `"application/json"`, `"text/plain"`},
		{"data_base64", `null`, `"AA=="`},
		{"xyrakind", `"activity"`, `"cost"`, `"sum"`},
		{"xyraorganization", `1`, `null`, `"1"`},
	}
	var members []string
	for _, v := range values {
		rare := v[0] == "data_base64" || strings.HasPrefix(v[0], "xyra")
		if r.IntN(20) == 0 || rare && r.IntN(10) > 0 {
			continue
		}
		value := v[1]
		if r.IntN(8) == 0 {
			value = v[1+r.IntN(len(v)-1)]
		}
		members = append(members, fmt.Sprintf("%q: %s", v[0], value))
	}
	return "{" + strings.Join(members, ", ") + "}"
}

func TestCloudEvents_QuickReadingChangesNothing(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	quickly := 0
	for range 20_000 {
		text := randomCloudEvent(r)
		v, syntax := strictjson.Parse([]byte(text))
		if syntax != nil {
			t.Fatal(text, syntax)
		}
		b := &batch{caller: xyra.Caller{User: 1, Organization: 1, Superuser: r.IntN(4) == 0}, now: time.Date(2024, 5, 15, 12, 0, 0, 0, time.UTC), events: make([]posted, 2), words: map[string]string{}}
		if !b.cloudQuickly(v, &b.events[0]) {
			continue
		}
		quickly++
		b.readCloudFields(v, 1)
		if !reflect.DeepEqual(b.events[0], b.events[1]) {
			t.Fatalf("%s:\nread quickly as %+v\nby the fields as %+v", text, b.events[0], b.events[1])
		}
	}
	if quickly < 1000 {
		t.Errorf("only %d events were read quickly", quickly)
	}
}

func BenchmarkEvents_Read10000(b *testing.B) {
	var body strings.Builder
	body.WriteString(`{"events":[`)
	for i := range eventsMax {
		if i > 0 {
			body.WriteByte(',')
		}
		fmt.Fprintf(&body, `{"kind":"activity","agent_id":%d,"activity_type":"api_call_%d","quantity":%d.5,"timestamp":"2024-05-15T10:%02d:%02dZ","idempotency_key":"event-%08d"}`,
			1+i%50, i%3, 1+i%9, i/60%60, i%60, i)
	}
	body.WriteString(`]}`)
	raw := []byte(body.String())
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		batch := &batch{caller: xyra.Caller{User: 1, Organization: 1}, now: time.Date(2024, 5, 15, 12, 0, 0, 0, time.UTC), words: map[string]string{}}
		if items := batch.read(raw, nil); items != nil {
			b.Fatal(items)
		}
		if drafts, err := batch.drafts(); err != nil || len(drafts) != eventsMax {
			b.Fatal(len(drafts), err)
		}
	}
}
