package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

type listedEvents struct {
	Items []struct{ ID int64 }
	Next  *string
}

// walk reads a list page by page and returns the ids in order.
func (m market) walk(path string, limit int) (ids []int64) {
	m.t.Helper()
	after := ""
	for {
		w := ask(m.s, http.MethodGet, fmt.Sprintf("/api/v1%s&limit=%d%s", path, limit, after), m.admin, "")
		var page listedEvents
		if err := json.Unmarshal(w.Body.Bytes(), &page); err != nil || w.Code != 200 || len(page.Items) > limit {
			m.t.Fatalf("%s: %d %s", path, w.Code, w.Body)
		}
		for _, item := range page.Items {
			ids = append(ids, item.ID)
		}
		if page.Next == nil {
			return ids
		}
		after = "&after=" + url.QueryEscape(*page.Next)
	}
}

// Pages of any size together are the whole list, each event once, also where many share an instant.
func TestEventLists_PagesAreTheWholeList(t *testing.T) {
	eachMarket(t, func(t *testing.T, m market) {
		var events []string
		for i := range 60 {
			at := fmt.Sprintf("2024-05-15T12:00:%02dZ", []int{0, 7, 7, 30}[i%4])
			events = append(events, `{"kind":"activity","agent_id":`+m.agent+`,"activity_type":"`+[]string{"call", "mail", ""}[i%3]+`","timestamp":"`+at+`"}`)
		}
		events = append(events, `{"kind":"cost","agent_id":`+m.agent+`,"cost_type":"llm","amount":1}`, `{"kind":"outcome","agent_id":`+m.agent+`,"outcome_type":"sale","value":1}`)
		a := m.events(m.admin, envelope(events...), "62/0/0 of 62")
		var want []int64 // newest first, then by descending id
		for _, second := range [][]int{{3}, {1, 2}, {0}} {
			for i := 59; i >= 0; i-- {
				if i%4 == second[0] || len(second) > 1 && i%4 == second[1] {
					want = append(want, a.Results[i].ID)
				}
			}
		}
		path := "/agents/" + m.agent + "/activities?"
		for _, limit := range []int{1, 7, 59, 60, 61, 1000} {
			if got := m.walk(path, limit); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("pages of %d: %v, want %v", limit, got, want)
			}
		}
		for filter, count := range map[string]int{
			"type=call": 20, "type=": 20, "type=sms": 0, "from=2024-05-15T12:00:07Z": 45, "to=2024-05-15T12:00:07Z": 45, "from=2024-05-15T12:00:08Z": 15,
			"from=2024-05-15T12:00:07Z&to=2024-05-15T12:00:07Z&type=mail": 10, "from=2025-01-01": 0, "to=2024-05-15": 0, "from=2024-05-16&to=2024-05-15": 0,
		} {
			if got := m.walk(path+filter, 3); len(got) != count {
				t.Errorf("%s: %d, want %d", filter, len(got), count)
			}
		}
		if costs, outcomes := m.walk("/agents/"+m.agent+"/costs?", 5), m.walk("/agents/"+m.agent+"/outcomes?type=sale", 1); len(costs) != 1 || len(outcomes) != 1 {
			t.Errorf("%v %v", costs, outcomes)
		}
	})
}

func TestEventLists_AnswerAsOtherReadsOfAnAgent(t *testing.T) {
	eachMarket(t, func(t *testing.T, m market) {
		other := newMarket(t, m.s, "Bolt")
		user, loner := m.newUser("user@example.com", m.id), m.newUser("loner@example.com", "null")
		key := strings.Trim(m.must(http.MethodPost, "/api-keys", m.admin, `{"name":"k"}`, "token"), `"`)
		m.events(m.admin, envelope(`{"kind":"activity","agent_id":`+m.agent+`,"activity_type":"call","activity_metadata":{"b":1.50, "a":[]},"timestamp":"2024-05-15T12:00:00.5Z","idempotency_key":"k"}`), "1/0/0 of 1")
		id := m.walk("/agents/"+m.agent+"/activities?", 1)[0]
		for _, kind := range []string{"activities", "costs", "outcomes"} {
			path := "/agents/" + m.agent + "/" + kind
			want := `{"items":[],"next":null}`
			if kind == "activities" {
				want = fmt.Sprintf(`{"items":[{"activity_type":"call","activity_metadata":{"b":1.50,"a":[]},"id":%d,"agent_id":%s,"timestamp":"2024-05-15T12:00:00.500000Z","idempotency_key":"k","quantity":1.0,"charge":0.5}],"next":null}`, id, m.agent)
			}
			m.exchange([]exchange{
				{http.MethodGet, path, m.admin, "", 200, want},
				{http.MethodGet, path + "/", user, "", 200, want},
				{http.MethodGet, path, key, "", 200, want},
				{http.MethodGet, path, m.root, "", 200, want},
				{http.MethodGet, path, loner, "", 404, detailText("Agent not found")},
				{http.MethodGet, path, other.admin, "", 404, detailText("Agent not found")},
				{http.MethodGet, "/agents/0/" + kind, m.root, "", 404, detailText("Agent not found")},
				{http.MethodGet, path, "", "", 401, detailText("Not authenticated")},
				{http.MethodGet, path + "?limit=0", m.admin, "", 422, `…"loc":["query","limit"]`},
				{http.MethodGet, path + "?limit=1001&from=x&to=", m.admin, "", 422, `…"loc":["query","from"]`},
				{http.MethodGet, path + "?after=", m.admin, "", 422, `…"loc":["query","after"],"msg":"Value error, not a cursor of this list","input":""`},
				{http.MethodGet, path + "?after=MTIz", m.admin, "", 422, `…"loc":["query","after"]`},
			})
		}
		m.must(http.MethodDelete, "/agents/"+m.agent, m.admin, "", "id")
		m.refused("/agents/"+m.agent+"/activities", m.admin, 404, "Agent not found")
	})
}

// The first instant of all is a bound like any other.
func TestEventLists_BoundsMayBeTheFirstInstant(t *testing.T) {
	eachMarket(t, func(t *testing.T, m market) {
		m.event(m.agent, "activities", `{"activity_type":"call"}`)
		first := m.event(m.agent, "activities", `{"activity_type":"call","timestamp":"0001-01-01"}`)
		m.wants("/agents/"+m.agent+"/activities?to=0001-01-01T00:00:00Z", "", `{"items":[{"activity_type":"call","activity_metadata":null,"id":`+first+`,"agent_id":`+m.agent+
			`,"timestamp":"0001-01-01T00:00:00Z","idempotency_key":null,"quantity":1.0,"charge":0.5}],"next":null}`)
		m.wants("/agents/"+m.agent+"/costs?to=0001-01-01", "items", "[]")
	})
}
