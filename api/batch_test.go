package api

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"xyra/strictjson"
	"xyra/usage"
)

// market is a tenant with a priced agent, as most tests of events need it.
type market struct {
	*tenant
	agent string
}

func newMarket(t *testing.T, s *Server, name string) market {
	t.Helper()
	n := newTenant(t, s, name)
	model := n.must(http.MethodPost, "/billing-models", n.admin, `{"name":"plan","model_type":"hybrid","organization_id":`+n.id+`,"hybrid_base_fee":10,
		"hybrid_activity_configs":[{"action_type":"call","price_per_action":0.5}],"hybrid_outcome_configs":[{"outcome_type":"sale","percentage":10}]}`, "id")
	agent := n.must(http.MethodPost, "/agents", n.admin, `{"name":"bot","external_id":"crm/1","organization_id":`+n.id+`,"billing_model_id":`+model+`}`, "id")
	return market{n, agent}
}

// eachMarket runs f on both databases and holds the books against the events at the end.
func eachMarket(t *testing.T, f func(t *testing.T, m market)) {
	t.Helper()
	eachServer(t, Options{}, func(t *testing.T, s *Server) {
		f(t, newMarket(t, s, "Acme"))
		faults, err := usage.Verify(t.Context(), s.db)
		if err != nil || len(faults) > 0 {
			t.Error(faults, err)
		}
	})
}

// eventsAnswer is what a batch answers.
type eventsAnswer struct {
	Accepted, Duplicate, Rejected int
	Results                       []struct {
		Status string
		ID     int64
		Charge json.RawMessage
		Code   int
		Detail json.RawMessage
	}
}

// send posts to a path of the API with headers, given as name, value, name, value.
func (m market) send(path, token string, body []byte, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "/api/v1"+path, bytes.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+token)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	m.s.ServeHTTP(w, r)
	return w
}

// events sends a batch that must be answered with 200 and checks its counts.
func (m market) events(token, body, counts string, headers ...string) (a eventsAnswer) {
	m.t.Helper()
	w := m.send("/events", token, []byte(body), headers...)
	if w.Code != http.StatusOK {
		m.t.Fatalf("%.200s: %d %.500s", body, w.Code, w.Body)
	}
	if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil {
		m.t.Fatal(err)
	}
	if got := fmt.Sprintf("%d/%d/%d of %d", a.Accepted, a.Duplicate, a.Rejected, len(a.Results)); got != counts {
		m.t.Fatalf("%.300s:\n%s, want %s: %.1000s", body, got, counts, w.Body)
	}
	return a
}

// refused checks one result's code and a part of its detail.
func (a eventsAnswer) refused(t *testing.T, n, code int, detail string) {
	t.Helper()
	if r := a.Results[n]; r.Status != "rejected" || r.Code != code || !strings.Contains(string(r.Detail), detail) {
		t.Errorf("result %d is %s %d %s, want %d %s", n, r.Status, r.Code, r.Detail, code, detail)
	}
}

func envelope(events ...string) string { return `{"events":[` + strings.Join(events, ",") + `]}` }

func zipped(text string) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(text)); err != nil {
		panic(err)
	}
	if err := z.Close(); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// Whatever is sent, an event in a batch is answered as the same event posted alone.
func TestEvents_EachIsAnsweredAsIfPostedAlone(t *testing.T) {
	eachMarket(t, func(t *testing.T, m market) {
		user := m.newUser("user@example.com", m.id)
		other := newMarket(t, m.s, "Bolt")
		bodies := map[string][]string{
			"activity": {`{"activity_type":"call"}`, `{"activity_type":"call","quantity":"3","activity_metadata":{"a": 1}}`, `{}`, `{"activity_type":null,"quantity":0}`,
				`{"activity_type":"call","timestamp":"2999-01-01","idempotency_key":"","activity_metadata":[]}`, `{"activity_type":"none","currency":"XXX"}`},
			"cost": {`{"cost_type":"llm","amount":1.25,"currency":"eur"}`, `{"cost_type":"llm"}`, `{"cost_type":"llm","details":{"seats":1}}`, `{"cost_type":"llm","details":{"actions":2}}`,
				`{"cost_type":"llm","details":{"actions":-2,"outcome_value":"x"}}`, `{"cost_type":"llm","amount":null,"currency":"XXY"}`, `{"cost_type":"llm","amount":"-1","details":7}`},
			"outcome": {`{"outcome_type":"sale","value":100,"verified":true}`, `{"outcome_type":"sale"}`, `{"outcome_type":"sale","value":"100.10","details":{"b":{}}}`, `{"outcome_type":"` + strings.Repeat("x", 256) + `","value":true,"verified":1}`},
		}
		kinds := map[string]string{"activity": "activity", "cost": "cost", "outcome": "outcome"}
		plural := map[string]string{"activity": "activities", "cost": "costs", "outcome": "outcomes"}
		for _, agent := range []string{m.agent, "999999", other.agent, "0"} {
			for stem, list := range bodies {
				for _, body := range list {
					for _, token := range []string{m.admin, user, m.root} {
						alone := m.send("/agents/"+agent+"/"+plural[stem], token, []byte(body))
						event := `{"kind":"` + kinds[stem] + `","agent_id":` + agent + `,` + body[1:]
						if body == "{}" {
							event = `{"kind":"` + kinds[stem] + `","agent_id":` + agent + `}`
						}
						w := m.send("/events", token, []byte(envelope(`{"kind":"activity"}`, event)))
						sameAnswer(t, event, alone, w)
					}
				}
			}
		}
	})
}

// sameAnswer compares the second result of a batch with the answer to the same event alone.
func sameAnswer(t *testing.T, event string, alone, batch *httptest.ResponseRecorder) {
	t.Helper()
	var a eventsAnswer
	if err := json.Unmarshal(batch.Body.Bytes(), &a); err != nil || batch.Code != http.StatusOK || len(a.Results) != 2 {
		t.Fatalf("%s: %d %s", event, batch.Code, batch.Body)
	}
	got := a.Results[1]
	var want struct {
		ID     int64
		Charge json.RawMessage
		Detail any
	}
	if err := json.Unmarshal(alone.Body.Bytes(), &want); err != nil {
		t.Fatal(err)
	}
	if alone.Code == http.StatusOK {
		if got.Status != "accepted" || string(got.Charge) != string(want.Charge) || got.ID <= want.ID {
			t.Errorf("%s: %+v, alone %s", event, got, alone.Body)
		}
		return
	}
	var detail any
	if err := json.Unmarshal(got.Detail, &detail); err != nil {
		t.Fatal(err)
	}
	items, _ := want.Detail.([]any)
	for _, item := range items {
		members := item.(map[string]any)
		members["loc"] = append([]any{"body", "events", 1.0}, members["loc"].([]any)[1:]...)
	}
	list, _ := detail.([]any)
	for i := range min(len(list), len(items)) {
		if members := list[i].(map[string]any); members["type"] == "missing" { // shows the enclosing object, which has more here
			members["input"], items[i].(map[string]any)["input"] = nil, nil
		}
	}
	if got.Status != "rejected" || got.Code != alone.Code || !reflect.DeepEqual(detail, want.Detail) {
		t.Errorf("%s: %d %s, alone %d %s", event, got.Code, got.Detail, alone.Code, alone.Body)
	}
}

// Keys hold inside a batch, across batches and against single posts; the order of the results is that of the events.
func TestEvents_RepeatsAreCountedOnce(t *testing.T) {
	eachMarket(t, func(t *testing.T, m market) {
		call := func(key, quantity string) string {
			return `{"kind":"activity","agent_id":` + m.agent + `,"activity_type":"call","quantity":` + quantity + `,"idempotency_key":"` + key + `"}`
		}
		body := envelope(call("a", "1"), call("b", "2"), call("a", "1.0"), `{"kind":"cost","agent_id":`+m.agent+`,"cost_type":"llm","amount":1,"idempotency_key":"a"}`, call("a", "3"),
			`{"kind":"activity","agent_external_id":"crm/1","activity_type":"call","quantity":2,"idempotency_key":"b"}`)
		first := m.events(m.admin, body, "2/2/2 of 6")
		if first.Results[2].ID != first.Results[0].ID || first.Results[5].ID != first.Results[1].ID || string(first.Results[5].Charge) != "1.0" {
			t.Errorf("%+v", first)
		}
		first.refused(t, 3, 409, "Idempotency key a was already used with different content")
		first.refused(t, 4, 409, "Idempotency key a was already used with different content")
		again := m.events(m.admin, body, "0/4/2 of 6")
		if again.Results[0].ID != first.Results[0].ID {
			t.Errorf("%+v", again)
		}
		path := "/agents/" + m.agent + "/activities"
		if w := m.send(path, m.admin, []byte(`{"activity_type":"call","quantity":2,"idempotency_key":"b"}`)); w.Code != 200 || w.Header().Get("Idempotent-Replayed") != "true" {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		if w := m.send(path, m.admin, []byte(`{"activity_type":"call","quantity":7,"idempotency_key":"c"}`)); w.Code != 200 {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		m.events(m.admin, envelope(call("c", "7"), call("c", "8")), "0/1/1 of 2")
		m.wants("/agents/"+m.agent+"/stats", "activity_count", "3")
	})
}

// The share of wrong events changes nothing for the right ones.
func TestEvents_BadOnesDoNotTouchTheirNeighbours(t *testing.T) {
	eachMarket(t, func(t *testing.T, m market) {
		for _, bad := range []int{0, 1, 50, 99, 100} {
			var events []string
			for i := range 100 {
				agent := m.agent
				if i < bad {
					agent = []string{"999999", `"x"`, "null"}[i%3]
				}
				events = append(events, fmt.Sprintf(`{"kind":"activity","agent_id":%s,"activity_type":"call","idempotency_key":"%d-%d"}`, agent, bad, i))
			}
			body := envelope(events...)
			m.events(m.admin, body, fmt.Sprintf("%d/0/%d of 100", 100-bad, bad))
			m.events(m.admin, body, fmt.Sprintf("0/%d/%d of 100", 100-bad, bad))
		}
		m.wants("/agents/"+m.agent+"/stats", "activity_count", "250")
	})
}

// Agents are found in the caller's organization alone; a superuser says in which.
func TestEvents_ExternalIDsStayInTheirOrganization(t *testing.T) {
	eachMarket(t, func(t *testing.T, m market) {
		other := newMarket(t, m.s, "Bolt")
		loner := m.newUser("loner@example.com", "null")
		event := func(more string) string {
			return `{"kind":"activity","activity_type":"call","agent_external_id":"crm/1"` + more + `}`
		}
		all := envelope(event(""), event(`,"organization_id":`+m.id), event(`,"organization_id":`+other.id), event(`,"organization_id":999`), event(`,"organization_id":0`),
			event(`,"agent_id":`+m.agent), `{"kind":"activity","activity_type":"call","agent_external_id":"nobody"}`)
		const denied = `"Not enough permissions to access this agent"`
		a := m.events(m.admin, all, "2/0/5 of 7")
		a.refused(t, 2, 403, denied)
		a.refused(t, 3, 403, denied)
		a.refused(t, 4, 403, denied)
		a.refused(t, 5, 422, `"loc":["body","events",5,"agent_external_id"],"msg":"Value error, give agent_id or agent_external_id, not both","input":"crm/1"`)
		a.refused(t, 6, 404, `"Agent not found"`)
		a = m.events(m.root, all, "2/0/5 of 7")
		a.refused(t, 0, 422, `"loc":["body","events",0,"organization_id"],"msg":"Field required"`)
		a.refused(t, 3, 400, `"Organization with ID 999 not found"`)
		a.refused(t, 4, 400, `not found"`)
		m.events(loner, envelope(event("")), "0/0/1 of 1").refused(t, 0, 404, `"Agent not found"`)
		m.wants("/agents/"+m.agent+"/stats", "activity_count", "3")
		other.wants("/agents/"+other.agent+"/stats", "activity_count", "1")
	})
}

// What is not a batch is one refusal, and nothing is recorded.
func TestEvents_UnreadableIsOneRefusal(t *testing.T) {
	eachMarket(t, func(t *testing.T, m market) {
		good := `{"kind":"activity","agent_id":` + m.agent + `,"activity_type":"call"}`
		many := strings.Repeat(good+",", eventsMax) + good
		large := `{"events":[],"x":"` + strings.Repeat("x", batchBodyMax) + `"}`
		for _, e := range []struct {
			media, body string
			status      int
			want        string
		}{
			{"", ``, 422, `[{"type":"missing","loc":["body"],"msg":"Field required","input":null}]`},
			{"", `null`, 422, `[{"type":"missing","loc":["body"],"msg":"Field required","input":null}]`},
			{"", `[]`, 422, `[{"type":"model_attributes_type","loc":["body"],"msg":"Input should be a valid dictionary or object to extract fields from","input":[]}]`},
			{"", `{"event":1}`, 422, `[{"type":"missing","loc":["body","events"],"msg":"Field required","input":{"event":1}}]`},
			{"", `{"events":{}}`, 422, `[{"type":"list_type","loc":["body","events"],"msg":"Input should be a valid list","input":{}}]`},
			{"", `{"events":[` + good + `,]}`, 422, `"JSON decode error"`},
			{"", `{"events":[` + many + `]}`, 422, `[{"type":"too_long","loc":["body","events"],"msg":"List should have at most 10000 items after validation, not 10001","input":null,"ctx":{"max_length":10000}}]`},
			{mediaLines, strings.ReplaceAll(many, "},", "}\n"), 422, `"too_long"`},
			{mediaCloudEvents, `[` + many + `]`, 422, `"too_long"`},
			{mediaCloudEvents, `{}`, 422, `"list_type"`},
			{mediaCloudEvent, `[]`, 422, `"model_attributes_type"`},
			{"text/plain", `{"events":[]}`, 422, `"input":"{\"events\":[]}"`},
			{"", large, 413, `"Request body too large"`},
		} {
			w := m.send("/events", m.admin, []byte(e.body), "Content-Type", e.media)
			if w.Code != e.status || !strings.Contains(w.Body.String(), e.want) {
				t.Errorf("%s %.100s: %d %.300s, want %d %s", e.media, e.body, w.Code, w.Body, e.status, e.want)
			}
		}
		m.events(m.admin, `{"events":[]}`, "0/0/0 of 0")
		m.wants("/agents/"+m.agent+"/stats", "activity_count", "0")
	})
}

// Compressed bodies mean what they unpack to, here and on every other route; their limit is that of what they unpack to.
func TestBody_GzipIsUnpackedWithinTheLimit(t *testing.T) {
	eachMarket(t, func(t *testing.T, m market) {
		event := `{"kind":"activity","agent_id":` + m.agent + `,"activity_type":"call"}`
		m.events(m.admin, string(zipped(envelope(event, event))), "2/0/0 of 2", "Content-Encoding", "gzip")
		single := "/agents/" + m.agent + "/activities"
		packed := zipped(`{"activity_type":"call"}`)
		for _, e := range []struct {
			path, coding string
			body         []byte
			status       int
			want         string
		}{
			{single, "GZIP", packed, 200, `"charge":0.5`},
			{single, "identity", []byte(`{"activity_type":"call"}`), 200, `"charge":0.5`},
			{single, "br", packed, 400, "Content-Encoding must be gzip or identity"},
			{single, "gzip", []byte(`{"activity_type":"call"}`), 400, "Request body is not valid gzip"},
			{single, "gzip", packed[:len(packed)-6], 400, "Request body is not valid gzip"},
			{single, "gzip", nil, 400, "Request body is not valid gzip"},
			{single, "gzip", zipped(`{"activity_type":"call","x":"` + strings.Repeat("x", bodyMax) + `"}`), 413, "Request body too large"},
			{"/events", "gzip", zipped(strings.Repeat(" ", 400<<20)), 413, "Request body too large"},
		} {
			w := m.send(e.path, m.admin, e.body, "Content-Encoding", e.coding)
			if w.Code != e.status || !strings.Contains(w.Body.String(), e.want) {
				t.Errorf("%s %s: %d %.300s, want %d %s", e.path, e.coding, w.Code, w.Body, e.status, e.want)
			}
		}
		m.wants("/agents/"+m.agent+"/stats", "activity_count", "4")
	})
}

// A line that is no JSON is its own refusal; the place within it is counted in the line.
func TestEvents_LinesAreReadOneByOne(t *testing.T) {
	eachMarket(t, func(t *testing.T, m market) {
		good := `{"kind":"activity","agent_id":` + m.agent + `,"activity_type":"call"}`
		a := m.events(m.admin, good+"\r\n\n  \n{\"kind\":x}\n[]\n"+good+"\n", "2/0/2 of 4", "Content-Type", mediaLines+"; charset=utf-8")
		a.refused(t, 1, 422, `[{"type":"json_invalid","loc":["body","events",1,8],"msg":"JSON decode error","input":{},"ctx":{"error":"Expecting value"}}]`)
		a.refused(t, 2, 422, `[{"type":"model_attributes_type","loc":["body","events",2],`)
		m.events(m.admin, "", "0/0/0 of 0", "Content-Type", mediaLines)
	})
}

// A repeat under the same Idempotency-Key gets the kept answer; a new request under it does not.
func TestEvents_AnswersAreKeptUnderTheirKey(t *testing.T) {
	eachMarket(t, func(t *testing.T, m market) {
		event := `{"kind":"activity","agent_id":` + m.agent + `,"activity_type":"call"}`
		for name, body := range map[string]string{
			"some": envelope(event, `{}`, event), "none": envelope(`{}`), "missing": envelope(`{"kind":"activity","agent_id":99999,"activity_type":"call"}`), "empty": envelope(),
		} {
			first := m.send("/events", m.admin, []byte(body), "Idempotency-Key", name)
			again := m.send("/events", m.admin, zipped(body), "Idempotency-Key", name, "Content-Encoding", "gzip")
			if first.Code != 200 || again.Code != 200 || again.Header().Get("Idempotent-Replayed") != "true" || first.Body.String() != again.Body.String() {
				t.Errorf("%s: %d %s, then %d %v %s", name, first.Code, first.Body, again.Code, again.Header(), again.Body)
			}
			if w := m.send("/events", m.admin, []byte(envelope(event)), "Idempotency-Key", name); w.Code != 422 {
				t.Errorf("%s: %d %s", name, w.Code, w.Body)
			}
		}
		m.wants("/agents/"+m.agent+"/stats", "activity_count", "2")
	})
}

// Refusals repeat what was sent, but never so much that a batch is answered with many times its size.
func TestEvents_RefusalsStayBounded(t *testing.T) {
	b := &batch{events: make([]posted, 3000), words: map[string]string{}}
	text := `{"kind":"outcome","x":"` + strings.Repeat("x", 5000) + `"}`
	v, _ := strictjson.Parse([]byte(text))
	for n := range b.events {
		b.readEvent(v, n)
	}
	body, err := b.appendEvents(nil, nil)
	if err != nil || len(body) < echoMax || len(body) > echoMax+2<<20 || !bytes.HasSuffix(body, []byte(`,"agent_id"],"msg":"Field required","input":null}]}]}`)) {
		t.Errorf("%d bytes, %v, ending in %s", len(body), err, body[len(body)-200:])
	}
}

func TestEvents_CallersWhoMayNotWriteAreRefusedWhole(t *testing.T) {
	eachMarket(t, func(t *testing.T, m market) {
		event := envelope(`{"kind":"activity","agent_id":` + m.agent + `,"activity_type":"call"}`)
		if w := m.send("/events", "nonsense", []byte(`{`)); w.Code != 401 {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		if w := ask(m.s, http.MethodPut, "/api/v1/organizations/"+m.id, m.root, `{"status":"suspended"}`); w.Code != 200 {
			t.Fatal(w.Body)
		}
		if w := m.send("/events", m.admin, []byte(`{`)); w.Code != 403 || !strings.Contains(w.Body.String(), "Organization is suspended") {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		m.events(m.root, event, "1/0/0 of 1")
	})
}

// The largest batch is recorded whole, in one go, and its repeat too.
func TestEvents_TenThousandAreRecordedTogether(t *testing.T) {
	eachMarket(t, func(t *testing.T, m market) {
		var b strings.Builder
		for i := range eventsMax {
			fmt.Fprintf(&b, `{"kind":"activity","agent_external_id":"crm/1","activity_type":"call","quantity":2,"timestamp":%d,"idempotency_key":"%d"}`+"\n",
				time.Now().Unix()-int64(i), i)
		}
		m.events(m.admin, string(zipped(b.String())), "10000/0/0 of 10000", "Content-Type", mediaLines, "Content-Encoding", "gzip")
		m.events(m.admin, b.String(), "0/10000/0 of 10000", "Content-Type", mediaLines)
		m.wants("/agents/"+m.agent+"/stats", "activity_count", "10000")
	})
}

// Whoever sends the same batch at once, through several servers, gets it recorded once: by the events' keys, and by the
// request's key where events have none.
func TestEvents_ConcurrentRepeatsAreRecordedOnce(t *testing.T) {
	eachMarket(t, func(t *testing.T, m market) {
		var keyed, keyless []string
		for i := range 200 {
			event := `{"kind":"activity","agent_id":` + m.agent + `,"activity_type":"call"`
			keyed = append(keyed, event+fmt.Sprintf(`,"idempotency_key":"%d"}`, (i*7)%150))
			keyless = append(keyless, event+"}")
		}
		servers := []market{m, m}
		servers[1].tenant = &tenant{t: t, s: newServer(t, m.s.db, Options{}), root: m.root, admin: m.admin, id: m.id}
		var wait sync.WaitGroup
		var accepted atomic.Int64
		for i := range 8 {
			wait.Go(func() {
				from := servers[i%2]
				w := from.send("/events", m.admin, []byte(envelope(keyed...)))
				var a eventsAnswer
				if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil || w.Code != 200 || a.Rejected > 0 || a.Accepted+a.Duplicate != 200 {
					t.Errorf("%d %.300s", w.Code, w.Body)
				}
				accepted.Add(int64(a.Accepted))
				w = from.send("/events", m.admin, []byte(envelope(keyless...)), "Idempotency-Key", "once")
				inProgress := w.Code == 409 && w.Header().Get("Retry-After") == "1"
				if !inProgress && (w.Code != 200 || !strings.HasPrefix(w.Body.String(), `{"accepted":200,"duplicate":0,"rejected":0,`)) {
					t.Errorf("%d %.300s", w.Code, w.Body)
				}
			})
		}
		wait.Wait()
		if accepted.Load() != 150 {
			t.Errorf("%d were accepted, want 150", accepted.Load())
		}
		m.wants("/agents/"+m.agent+"/stats", "activity_count", "350")
	})
}
