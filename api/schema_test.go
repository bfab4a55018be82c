package api

import "testing"

func TestSchema_FollowsTheDeclaration(t *testing.T) {
	var in sampleInvoice
	const line = `{"properties":{"description":{"maxLength":255,"type":"string"},"quantity":{"default":1,"minimum":0,"type":"number"},` +
		`"unit_price":{"type":"number"},"reference_id":{"type":["integer","null"]}},"required":["description","unit_price"],"type":"object"}`
	const nullableLine = `{"properties":{"description":{"maxLength":255,"type":"string"},"quantity":{"default":1,"minimum":0,"type":"number"},` +
		`"unit_price":{"type":"number"},"reference_id":{"type":["integer","null"]}},"required":["description","unit_price"],"type":["object","null"]}`
	const want = `{"properties":{"organization_id":{"type":"integer"},"due_date":{"format":"date-time","type":"string"},` +
		`"items":{"items":` + line + `,"type":"array"},"first":` + nullableLine + `,"notes":{"type":["string","null"]},` +
		`"currency":{"default":"USD","examples":["USD"],"type":"string"},"config":{"default":{},"type":"object"},` +
		`"paid":{"default":true,"type":"boolean"}},"required":["organization_id","due_date","items"],"type":"object"}`
	if got := string(encode(schemaOf(in.fields()))); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	var role string
	f := oneOf("role", &role, "user", "admin").nullable().explained("what he may do")
	if got := string(encode(f.schema())); got != `{"description":"what he may do","enum":["user","admin",null],"type":["string","null"]}` {
		t.Errorf("%s", got)
	}
	var p paging
	limit := p.params()[1]
	if got := string(encode(limit.parameter())); got != `{"in":"query","name":"limit","required":false,"schema":{"default":100,"maximum":1000,"minimum":1,"type":"integer"}}` {
		t.Errorf("%s", got)
	}
}
