package api

import (
	"encoding/json"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"xyra/billing"
	"xyra/strictjson"
	"xyra/usage"
)

// pools are values that are right, or nearly so, for members of each kind: what a client may well send.
var pools = map[string][]string{
	"number": {`0`, `-0`, `-0.0`, `1`, `1.0`, `1e0`, `0.1`, `"0.1"`, `0.335`, `1e-12`, `"1E-12"`, `0.000000000001`, `999999999999999.999999999999`, `999999999999999`, `1e14`, `"000.100"`, `"+5"`, `-1`, `-999999999999999.999999999999`, `123456789.987654321`, `1e15`, `1e-13`, `9223372036854775807`, `-9223372036854775808`, `9223372036854775808`, `2147483648`, `1e308`, `1e999`},
	"text": {`""`, `" "`, `"a"`, `"\u0001\u001f"`, `"\t\r\n"`, `"\u2028\u202e\ufeff"`, `"\ufffe\uffff"`, `"\ud83d\ude00"`, `"=1+1"`, `"'; DROP TABLE users; --"`, `"%00%s%n"`, `"<script>alert(1)</script>"`, `"\\\"/"`, `"{}"`, `"null"`, `"ä"`, `"a\u0308"`, `"` + strings.Repeat("𝕏", 100) + `"`, `"` + strings.Repeat("x", 255) + `"`, `"` + strings.Repeat("x", 256) + `"`,
		`"call"`, `"sale"`, `"seat"`, `"activity"`, `"outcome"`, `"hybrid"`, `"monthly"`, `"yearly"`, `"quarterly"`, `"active"`, `"suspended"`, `"paid"`, `"overdue"`, `"cancelled"`, `"admin"`, `"user"`, `"usd"`, `"JPY"`, `"KWD"`, `"CLF"`, `"XAU"`, `"UTC"`, `"Pacific/Apia"`, `"Europe/Lisbon"`, `"a@b.example"`, `"ä@ü.example"`, `"A <a+b@c.example>"`},
	"time":   {`"0001-01-01"`, `"0001-01-01T00:00:00.000001Z"`, `"1582-10-10"`, `"1969-12-31T23:59:59.999999Z"`, `0`, `-1`, `-62135596800`, `1e-6`, `"2024-02-29T23:59:59.9999999-12:00"`, `"2024-02-29 23:59"`, `1709251199.999999`, `"1709251200000"`, `"2016-12-31T23:59:59Z"`, `"9999-12-31T23:59:59.999999Z"`, `20000000000`, `null`},
	"object": {`null`, `{}`, `{"":""}`, `{"a":1e999}`, `{"seats":0}`, `{"seats":1.0}`, `{"seats":-1}`, `{"seats":1e300}`, `{"seats":9223372036854775807}`, `{"seats":1000000}`, `{"seats":"2"}`, `{"seats":1.5,"actions":2,"outcome_value":1e14}`, `{"currency":"jpy"}`, `{"currency":"BHD","x":[1.10]}`, `{"billing_period":"2024-1"}`, `{"\u0001":{"\u2028":[[[]]]}}`, `{"a":` + strings.Repeat(`[`, 20) + strings.Repeat(`]`, 20) + `}`, `{"n":0.10000000000000000000000000000000000000001}`},
	"list":   {`[]`, `null`, `[null]`, `[[],{},"",0]`, `[1e999]`},
	"bool":   {`true`, `false`, `null`},
}

// seeds are valid requests that the generator changes; {names} are those of the stage.
var seeds = []struct{ method, path, caller, body string }{
	{"PUT", "/users/{colleague}", "root", `{"full_name":"Ann","is_active":true,"role":"user","email":"{unique}@example.com"}`},
	{"POST", "/organizations", "root", `{"name":"{unique}","description":"d","external_id":"{unique}","status":"active","billing_email":"b","contact_name":"c","contact_phone":"1","timezone":"UTC","settings":{"currency":"USD"}}`},
	{"PUT", "/organizations/{org}", "root", `{"name":"Own","description":"d","external_id":"{unique}","status":"active","billing_email":"b","timezone":"UTC","settings":{"currency":"USD"}}`},
	{"POST", "/billing-models", "ownadmin", `{"name":"n","description":"d","model_type":"hybrid","is_active":true,"organization_id":{org},"hybrid_base_fee":1,"hybrid_seat_config":{"price_per_seat":1,"billing_frequency":"monthly"},"hybrid_activity_configs":[{"price_per_action":1,"action_type":"call"}],"hybrid_outcome_configs":[{"outcome_type":"sale","percentage":5}]}`},
	{"PUT", "/billing-models/{model}", "ownadmin", `{"hybrid_base_fee":1,"hybrid_seat_config":{"price_per_seat":1,"billing_frequency":"monthly"},"hybrid_activity_configs":[{"price_per_action":1,"action_type":"call"}],"hybrid_outcome_configs":[{"outcome_type":"sale","percentage":5}]}`},
	{"PUT", "/billing-models/{model}", "root", `{"name":"n","model_type":"activity","activity_price_per_action":0.335,"activity_action_type":"call"}`},
	{"POST", "/billing-models/{model}/calculate", "ownkey", `{"seats":1,"actions":2,"outcome_value":3,"activities":{"call":1},"outcomes":{"sale":2}}`},
	{"POST", "/agents", "ownmember", `{"name":"n","description":"d","config":{"seats":2},"is_active":true,"external_id":"{unique}","status":"s","type":"t","capabilities":[],"organization_id":{org},"billing_model_id":{model}}`},
	{"PUT", "/agents/{agent}", "ownadmin", `{"name":"n","description":"d","config":{"seats":2},"is_active":true,"status":"s","type":"t","capabilities":[],"billing_model_id":{model}}`},
	{"POST", "/agents/{agent}/activities", "ownkey", `{"activity_type":"call","activity_metadata":{},"quantity":2,"timestamp":"2024-01-31T23:59:59Z","idempotency_key":"{unique}"}`},
	{"POST", "/agents/{agent}/costs", "ownkey", `{"cost_type":"call","amount":2,"currency":"USD","details":{},"timestamp":"2024-01-31T23:59:59Z"}`},
	{"POST", "/agents/{agent}/costs", "ownadmin", `{"cost_type":"call","details":{"seats":1,"actions":1}}`},
	{"POST", "/agents/{agent}/outcomes", "ownadmin", `{"outcome_type":"sale","value":2,"currency":"USD","details":{},"verified":true,"timestamp":"2024-02-29T12:00:00Z","idempotency_key":"{unique}"}`},
	{"POST", "/events", "ownkey", `{"events":[{"kind":"activity","agent_id":{agent},"activity_type":"call","quantity":1,"timestamp":"2024-03-31T01:30:00Z"},{"kind":"outcome","agent_external_id":"own/1","outcome_type":"sale","value":1,"currency":"EUR"},{"kind":"cost","agent_id":{agent},"cost_type":"c","amount":1,"idempotency_key":"{unique}"}]}`},
	{"POST", "/invoices", "root", `{"organization_id":{org},"due_date":"2030-01-01","notes":"n","invoice_metadata":{},"invoice_number":"{unique}","currency":"USD","items":[{"description":"d","quantity":1,"unit_price":0,"amount":0,"item_type":"t","reference_id":1,"reference_type":"r","item_metadata":{}}]}`},
	{"POST", "/invoices", "root", `{"organization_id":{org},"due_date":"2030-01-01","notes":"n","currency":"USD","items":[{"description":"d","quantity":1,"unit_price":-3,"amount":-3,"item_type":"t"},{"description":"d","quantity":2,"unit_price":999999999999.99,"amount":1999999999999.98,"item_type":"t"}]}`},
	{"PUT", "/invoices/{+invoice}", "root", `{"status":"overdue","payment_method":"m","payment_date":"2024-01-01","notes":"n","invoice_metadata":{}}`},
	{"POST", "/invoices/{+invoice}/pay", "root", `{"payment_method":"m","payment_date":"2024-01-01"}`},
	{"POST", "/invoices/{+invoice}/payments", "root", `{"amount":3,"currency":"USD","payment_method":"m","payment_date":"2024-01-01","reference":"r"}`},
	{"POST", "/invoices/{+invoice}/credits", "root", `{"amount":1}`},
	{"POST", "/api-keys", "ownadmin", `{"name":"n","description":"d","expires_at":"2030-01-01"}`},
	{"PUT", "/api-keys/{apikey}", "ownadmin", `{"name":"n","description":"d","expires_at":"9999-01-01"}`},
	{"PUT", "/webhook-endpoints/{endpoint}", "ownadmin", `{"url":"https://hooks.example.com/1","description":"d","event_types":["invoice.created","usage.threshold"],"thresholds":[{"agent_id":{agent},"currency":"USD","charge":5},{"currency":"EUR","charge":0.5}],"is_active":true}`},
}

// kindOf says what a member holds, to choose something like it.
func kindOf(name string, value any) string {
	switch value.(type) {
	case string:
		if strings.Contains(name, "date") || name == "timestamp" || name == "expires_at" {
			return "time"
		}
		return "text"
	case json.Number, json.RawMessage:
		return "number"
	case bool:
		return "bool"
	case []any:
		return "list"
	}
	return "object"
}

// mutate changes one place somewhere in a value.
func mutate(r *rand.Rand, name string, value any) any {
	switch v := value.(type) {
	case map[string]any:
		if len(v) > 0 && r.IntN(8) > 0 {
			names := slices.Sorted(maps.Keys(v))
			chosen := names[r.IntN(len(names))]
			switch r.IntN(12) {
			case 0:
				delete(v, chosen)
			case 1:
				v[chosen+"\u00e9"] = v[chosen]
			default:
				v[chosen] = mutate(r, chosen, v[chosen])
			}
			return v
		}
	case []any:
		if len(v) > 0 && r.IntN(6) > 0 {
			n := r.IntN(len(v))
			if r.IntN(8) == 0 {
				return append(v, v[n])
			}
			v[n] = mutate(r, name, v[n])
			return v
		}
	}
	kind := kindOf(name, value)
	if r.IntN(10) == 0 {
		kinds := slices.Sorted(maps.Keys(pools))
		kind = kinds[r.IntN(len(kinds))]
	}
	return json.RawMessage(pools[kind][r.IntN(len(pools[kind]))])
}

// mutated is a body with one to three changes.
func mutated(t *testing.T, r *rand.Rand, body string) string {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(body))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	for range 1 + r.IntN(3) {
		value = mutate(r, "", value)
	}
	raw, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// reads are all routes that show what has been written.
var reads = []string{"/users", "/users/{colleague}", "/organizations", "/organizations/{org}", "/organizations/{org}/stats", "/organizations/{org}/credits", "/billing-models?org_id={org}", "/billing-models/{model}",
	"/agents?org_id={org}", "/agents/{agent}", "/agents/external/own%2F1?org_id={org}", "/agents/{agent}/stats", "/agents/{agent}/billing-config", "/agents/{agent}/billing-summary", "/agents/{agent}/activities?limit=1000", "/agents/{agent}/costs?limit=1000", "/agents/{agent}/outcomes?limit=1000",
	"/analytics/organization/{org}/summary?start_date=0001-01-01&end_date=9999-12-31", "/analytics/organization/{org}/top-agents?start_date=0001-01-01", "/analytics/organization/{org}/activity-breakdown?start_date=0001-01-01", "/analytics/agent/{agent}/daily-metrics?days=40",
	"/invoices?org_id={org}", "/invoices/{invoice}", "/invoices/{invoice}/payments", "/api-keys/{apikey}", "/jobs", "/audit?org_id={org}", "/webhook-endpoints?org_id={org}", "/webhook-endpoints/{endpoint}/deliveries"}

// readAll reads everything; no answer is a 5xx, and each is a whole JSON document.
func (st *stage) readAll(after string) {
	st.t.Helper()
	for _, path := range reads {
		w := st.send(http.MethodGet, st.fill(st.own, path), "root", "")
		if _, err := strictjson.Parse(w.Body.Bytes()); w.Code >= 500 || err != nil && err.Text != "Nesting too deep" {
			st.t.Errorf("%s after %.500s: %d %v %.300s", path, after, w.Code, err, w.Body)
		}
	}
}

// Requests like those of clients, each changed a little, are answered with anything but a fault of ours; whatever is
// accepted stays readable on every route, and the books add up at the end.
func TestHostile_AcceptedRowsStayReadable(t *testing.T) {
	rounds, seed := 400, uint64(21)
	if os.Getenv("XYRA_TEST_LONG") != "" {
		rounds, seed = 20_000, uint64(time.Now().UnixNano())
	}
	if text := os.Getenv("XYRA_TEST_SEED"); text != "" {
		seed, _ = strconv.ParseUint(text, 10, 64)
	}
	t.Logf("XYRA_TEST_SEED=%d", seed)
	eachStage(t, func(st *stage) {
		r, accepted := rand.New(rand.NewPCG(seed, 21)), 0
		for n := range rounds {
			s := seeds[r.IntN(len(seeds))]
			path, body := st.fill(st.own, s.path), mutated(st.t, r, st.fill(st.own, s.body))
			w := st.send(s.method, path, s.caller, body)
			if w.Code != http.StatusOK {
				if fault := refusedWell(w); fault != "" {
					st.t.Errorf("round %d: %s %s %s %s: %d %.300s", n, s.method, path, body, fault, w.Code, w.Body)
				}
				continue
			}
			if accepted++; accepted%4 == 0 {
				st.readAll(s.method + " " + path + " " + body)
			}
			st.readBack(s.method, path, body, w.Body.Bytes())
			if n%50 == 0 {
				st.billSomething(r)
			}
			// A suspended organization, or one whose people are gone, would refuse all the rest.
			if strings.HasPrefix(s.path, "/organizations/") {
				st.must(http.MethodPut, "/organizations/"+st.own["org"], "root", `{"status":"active"}`)
			}
		}
		if accepted < rounds/4 {
			st.t.Errorf("only %d of %d were accepted", accepted, rounds)
		}
		st.readAll("all")
		st.verify()
	})
}

// readBack holds what a write answered against what a read answers.
func (st *stage) readBack(method, path, body string, answer []byte) {
	st.t.Helper()
	made := child(parsed(st.t, answer), "id")
	if made.Kind() != strictjson.Number || strings.Count(path, "/") > 1 && method == http.MethodPost {
		return
	}
	if method == http.MethodPost {
		path += "/" + string(made.Raw())
	}
	if strings.HasPrefix(path, "/invoices/") {
		st.readPapers(path, body)
	}
	w := st.send(http.MethodGet, path, "root", "")
	read := parsed(st.t, w.Body.Bytes())
	for name, value := range parsed(st.t, answer).Members() {
		if again, _ := read.Field(name); name != "token" && name != "last_used" && string(again.Raw()) != string(value.Raw()) {
			st.t.Errorf("%s %s %s answered %s %s, %s reads %s", method, path, body, name, value.Raw(), path, again.Raw())
		}
	}
}

// readPapers reads an invoice in the forms that people read.
func (st *stage) readPapers(path, after string) {
	st.t.Helper()
	for _, form := range []string{"/html", "/lines.csv", "/pdf"} {
		if w := st.send(http.MethodGet, path+form, "root", ""); w.Code != http.StatusOK || w.Body.Len() == 0 {
			st.t.Errorf("%s%s after %.500s: %d %.300s", path, form, after, w.Code, w.Body)
		}
	}
}

// billSomething generates an invoice of some month in some currency, which may be refused but not fail.
func (st *stage) billSomething(r *rand.Rand) {
	st.t.Helper()
	months := []string{"1&month=1", "1582&month=10", "1969&month=12", "1970&month=1", "2024&month=1", "2024&month=2", "2024&month=3", "2016&month=12"}
	currencies := []string{"USD", "EUR", "JPY", "KWD", "BHD", "CLF", "XAU"}
	query := "/invoices/generate/monthly?org_id=" + st.own["org"] + "&year=" + months[r.IntN(len(months))] + "&currency=" + currencies[r.IntN(len(currencies))]
	w := st.send(http.MethodPost, query, "root", "")
	if w.Code == http.StatusOK {
		made := string(child(parsed(st.t, w.Body.Bytes()), "id").Raw())
		for _, path := range []string{"/invoices/" + made, "/invoices/" + made + "/payments"} {
			if w := st.send(http.MethodGet, path, "root", ""); w.Code != http.StatusOK {
				st.t.Errorf("%s of %s: %d %.300s", path, query, w.Code, w.Body)
			}
		}
		st.readPapers("/invoices/"+made, query)
	} else if fault := refusedWell(w); fault != "" {
		st.t.Errorf("%s %s: %d %.300s", query, fault, w.Code, w.Body)
	}
}

// verify recomputes usage and invoices from what was recorded.
func (st *stage) verify() {
	st.t.Helper()
	for _, check := range []func() ([]string, error){
		func() ([]string, error) { return usage.Verify(st.t.Context(), st.s.db) },
		func() ([]string, error) { return billing.Verify(st.t.Context(), st.s.db) },
	} {
		if faults, err := check(); err != nil || len(faults) > 0 {
			st.t.Errorf("%v %v", faults, err)
		}
	}
}

// The quick path of single events, the route behind it (which a trailing slash reaches) and a batch mean the same by the
// same event, whatever is odd about it: same answer, and with a key the same record.
func TestHostile_EventsMeanTheSameOnEveryPath(t *testing.T) {
	eachStage(t, func(st *stage) {
		r, taken := rand.New(rand.NewPCG(5, 13)), 0
		kinds := map[string]string{"activities": "activity", "costs": "cost", "outcomes": "outcome"}
		for n := range 300 {
			s := seeds[9+n%4]
			word := s.path[strings.LastIndexByte(s.path, '/')+1:]
			path, body := st.fill(st.own, s.path), mutated(st.t, r, st.fill(st.own, s.body))
			quick, slow := st.send(http.MethodPost, path, s.caller, body), st.send(http.MethodPost, path+"/", s.caller, body)
			hasKey := strings.Contains(quick.Body.String(), `"idempotency_key":"`)
			a, b := quick.Body.String(), slow.Body.String()
			if !hasKey {
				a, b = withoutChance(a), withoutChance(b)
			}
			if quick.Code != slow.Code || a != b || quick.Code == http.StatusOK && isReplay(slow) != hasKey {
				st.t.Errorf("%s %s: %d %s, with a slash %d %s", path, body, quick.Code, quick.Body, slow.Code, slow.Body)
			}
			inner, isObject := strings.CutPrefix(body, "{")
			if !isObject || inner == "}" || strings.Contains(body, `"kind"`) || strings.Contains(body, `"agent_id"`) {
				continue
			}
			w := st.send(http.MethodPost, "/events", s.caller, `{"events":[{"kind":"`+kinds[word]+`","agent_id":`+st.own["agent"]+`,`+inner+`]}`)
			results := child(parsed(st.t, w.Body.Bytes()), "results")
			result := child(results, "0")
			code := "200"
			if v, refused := result.Field("code"); refused {
				code = string(v.Raw())
			} else if hasKey && string(child(result, "id").Raw()) != string(child(parsed(st.t, quick.Body.Bytes()), "id").Raw()) {
				st.t.Errorf("%s: a batch makes %s of it, alone it is %s", body, w.Body, quick.Body)
			}
			if w.Code != http.StatusOK || code != strconv.Itoa(quick.Code) {
				st.t.Errorf("%s: in a batch %d %s, alone %d %s", body, w.Code, w.Body, quick.Code, quick.Body)
			}
			taken++
		}
		if taken < 100 {
			st.t.Errorf("only %d were events", taken)
		}
		st.verify()
	})
}
