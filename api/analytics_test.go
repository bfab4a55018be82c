package api

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"xyra/strictjson"
)

// tenant is an organization with an admin, made through the API.
type tenant struct {
	t     *testing.T
	s     *Server
	root  string // token of the superuser
	admin string // token of the organization's admin
	id    string
}

func newTenant(t *testing.T, s *Server, name string) *tenant {
	t.Helper()
	n := &tenant{t: t, s: s}
	n.root = n.login(superuserEmail, superuserPassword)
	n.id = n.must(http.MethodPost, "/organizations", n.root, `{"name":"`+name+`"}`, "id")
	email := strings.ToLower(name) + "@example.com"
	n.must(http.MethodPost, "/users", n.root, `{"email":"`+email+`","password":"quite-a-secret","role":"admin","organization_id":`+n.id+`}`, "id")
	n.admin = n.login(email, "quite-a-secret")
	return n
}

func (n *tenant) login(email, password string) string {
	n.t.Helper()
	token, err := n.s.gate.Login(n.t.Context(), email, password, "192.0.2.1")
	if err != nil {
		n.t.Fatal(err)
	}
	return token
}

// must asks, wants 200 and returns one field of the answer as it is written.
func (n *tenant) must(method, path, token, body, field string) string {
	n.t.Helper()
	w := ask(n.s, method, "/api/v1"+path, token, body)
	if w.Code != http.StatusOK {
		n.t.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
	}
	v := parsed(n.t, w.Body.Bytes())
	for step := range strings.SplitSeq(field, ".") {
		v = child(v, step)
	}
	return string(v.Raw())
}

// wants reads a path and compares the answer, or a part of it, to the letter.
func (n *tenant) wants(path, field, want string) {
	n.t.Helper()
	w := ask(n.s, http.MethodGet, "/api/v1"+path, n.admin, "")
	v := parsed(n.t, w.Body.Bytes())
	if field != "" {
		for step := range strings.SplitSeq(field, ".") {
			v = child(v, step)
		}
	}
	if v.Kind() == strictjson.Absent && want == "absent" {
		return
	}
	if got := string(v.Raw()); got != want {
		n.t.Errorf("%s: %s is\n%s, want\n%s", path, field, got, want)
	}
}

// refused wants an error of these many hundreds with its text.
func (n *tenant) refused(path, token string, status int, text string) {
	n.t.Helper()
	if w := ask(n.s, http.MethodGet, "/api/v1"+path, token, ""); w.Code != status || !strings.Contains(w.Body.String(), text) {
		n.t.Errorf("%s: %d %s, want %d %s", path, w.Code, w.Body, status, text)
	}
}

func (n *tenant) agent(name string, more string) string {
	n.t.Helper()
	return n.must(http.MethodPost, "/agents", n.admin, `{"name":"`+name+`","organization_id":`+n.id+more+`}`, "id")
}

func (n *tenant) event(agent, kind, body string) string {
	n.t.Helper()
	return n.must(http.MethodPost, "/agents/"+agent+"/"+kind, n.admin, body, "id")
}

func (n *tenant) model(body string) string {
	n.t.Helper()
	return n.must(http.MethodPost, "/billing-models", n.admin, `{"name":"plan","organization_id":`+n.id+`,`+body+`}`, "id")
}

const march = "start_date=2024-03-01&end_date=2024-03-31T23:59:59.999999Z"

// Agents are ranked by what is shown; equal ones by id, agents without events with zeros, archived ones not at all, though
// their usage stays in the organization's totals.
func TestTopAgents_RankWhoIsThere(t *testing.T) {
	eachServer(t, Options{}, func(t *testing.T, s *Server) {
		n := newTenant(t, s, "Acme")
		idle, good, twin, gone := n.agent("idle", ""), n.agent("good", ""), n.agent("twin", `,"is_active":false`), n.agent("gone", "")
		for agent, cost := range map[string]string{good: "1", twin: "1", gone: "100"} {
			n.event(agent, "costs", `{"cost_type":"llm","amount":`+cost+`,"timestamp":"2024-03-02T10:00:00Z"}`)
			n.event(agent, "outcomes", `{"outcome_type":"sale","value":3,"timestamp":"2024-03-02T10:00:00Z"}`)
		}
		n.must(http.MethodDelete, "/agents/"+gone, n.admin, "", "id")
		top := "/analytics/organization/" + n.id + "/top-agents?" + march
		row := func(id, name, active, metrics string) string {
			return `{"agent_id":` + id + `,"name":"` + name + `","is_active":` + active + `,"metrics":` + metrics + `}`
		}
		zeros := `{"activity_count":0,"total_cost":0.0,"total_revenue":0.0,"margin":0.0}`
		third := `{"activity_count":0,"total_cost":1.0,"total_revenue":3.0,"margin":0.666666666667}`
		all := "[" + row(good, "good", "true", third) + "," + row(twin, "twin", "false", third) + "," + row(idle, "idle", "true", zeros) + "]"
		n.wants(top, "", all)
		n.wants(top+"&metric=cost", "", all)
		n.wants(top+"&metric=activity&limit=1", "", "["+row(idle, "idle", "true", zeros)+"]")
		n.wants("/analytics/organization/"+n.id+"/summary?"+march, "metrics.total_cost", "102.0")
		n.wants("/analytics/organization/"+n.id+"/summary?"+march, "agents", `{"total":3,"active":2}`)
		n.wants("/organizations/"+n.id+"/stats", "agent_count", "3")
		n.wants("/organizations/"+n.id+"/stats", "active_agent_count", "2")
	})
}

// An activity recorded under another billing currency names that currency only when it was charged.
func TestStatistics_KeepCurrenciesApart(t *testing.T) {
	eachServer(t, Options{}, func(t *testing.T, s *Server) {
		n := newTenant(t, s, "Acme")
		plan := n.model(`"model_type":"activity","activity_price_per_action":0.1,"activity_action_type":"call"`)
		agent := n.agent("bot", `,"billing_model_id":`+plan)
		now := time.Now().UTC().Add(-time.Hour).Format(time.RFC3339)
		n.event(agent, "activities", `{"activity_type":"other","timestamp":"`+now+`"}`)
		n.must(http.MethodPut, "/organizations/"+n.id, n.admin, `{"settings":{"currency":"EUR"}}`, "id")
		n.event(agent, "activities", `{"activity_type":"call","quantity":3,"timestamp":"`+now+`"}`)
		n.wants("/agents/"+agent+"/stats", "by_currency", "absent")
		n.wants("/agents/"+agent+"/stats", "activity_count", "2")
		n.wants("/agents/"+agent+"/stats", "charges", "0.3")
		n.must(http.MethodPut, "/organizations/"+n.id, n.admin, `{"settings":{"currency":"USD"}}`, "id")
		n.wants("/agents/"+agent+"/stats", "charges", "0.0")
		n.wants("/agents/"+agent+"/stats", "by_currency", `{"EUR":{"total_cost":0.3,"recorded_costs":0.0,"charges":0.3,"total_outcomes_value":0.0,"margin":0.0}}`)
		n.wants("/organizations/"+n.id+"/stats", "by_currency", `{"EUR":{"monthly_cost":0.3,"monthly_revenue":0.0,"recorded_costs":0.0,"charges":0.3}}`)
		n.event(agent, "outcomes", `{"outcome_type":"sale","value":0,"currency":"jpy","timestamp":"`+now+`"}`)
		n.wants("/analytics/organization/"+n.id+"/summary", "metrics.by_currency.JPY", `{"total_cost":0.0,"recorded_costs":0.0,"charges":0.0,"total_revenue":0.0,"margin":0.0}`)
	})
}

// Both ends of a range belong to it, to the microsecond; a reversed range holds nothing.
func TestAnalytics_RangesIncludeTheirEnds(t *testing.T) {
	eachServer(t, Options{}, func(t *testing.T, s *Server) {
		n := newTenant(t, s, "Acme")
		agent := n.agent("bot", "")
		for _, at := range []string{"09:59:59.999999", "10:20:00", "10:20:00.000001", "10:59:59.999999", "11:00:00"} {
			n.event(agent, "activities", `{"activity_type":"call","timestamp":"2024-03-02T`+at+`Z"}`)
		}
		for ends, want := range map[[2]string]string{
			{"10:20:00", "10:20:00"}:               "1",
			{"09:59:59.999999", "10:20:00"}:        "2",
			{"10:20:00.000001", "10:59:59.999999"}: "2",
			{"10:00:00", "11:00:00"}:               "4",
			{"09:00:00", "12:00:00"}:               "5",
			{"12:00:00", "09:00:00"}:               "0",
		} {
			path := fmt.Sprintf("/analytics/organization/%s/activity-breakdown?start_date=2024-03-02T%s&end_date=2024-03-02T%s", n.id, ends[0], ends[1])
			n.wants(path, "total_activities", want)
		}
		n.wants("/analytics/organization/"+n.id+"/activity-breakdown", "activity_types", "{}")
	})
}

// Shares are percentages with two places, types in order.
func TestBreakdown_RoundsHalfAway(t *testing.T) {
	eachServer(t, Options{}, func(t *testing.T, s *Server) {
		n := newTenant(t, s, "Acme")
		agent := n.agent("bot", "")
		for _, typ := range []string{"b", "a", "a", "a", "a", "a", "a", "B"} {
			n.event(agent, "activities", `{"activity_type":"`+typ+`","quantity":7,"timestamp":"2024-03-02T10:00:00Z"}`)
		}
		n.wants("/analytics/organization/"+n.id+"/activity-breakdown?"+march, "activity_types",
			`{"B":{"count":1,"percentage":12.5},"a":{"count":6,"percentage":75.0},"b":{"count":1,"percentage":12.5}}`)
	})
}

// Days are counted from today; more than ten years are refused, and none from a negative number.
func TestDailyMetrics_OneRowADay(t *testing.T) {
	eachServer(t, Options{}, func(t *testing.T, s *Server) {
		n := newTenant(t, s, "Acme")
		agent := n.agent("bot", "")
		now := time.Now().UTC()
		n.event(agent, "costs", `{"cost_type":"llm","amount":"0.5","timestamp":"`+now.AddDate(0, 0, -2).Format(time.RFC3339)+`"}`)
		daily := "/analytics/agent/" + agent + "/daily-metrics"
		w := ask(s, http.MethodGet, "/api/v1"+daily, n.admin, "")
		if rows := parsed(t, w.Body.Bytes()).Len(); rows != 31 {
			t.Errorf("%d rows without days, want 31", rows)
		}
		n.wants(daily+"?days=2", "0", `{"date":"`+now.AddDate(0, 0, -2).Format(time.DateOnly)+`","activity_count":0,"cost":0.5,"revenue":0.0,"margin":0.0}`)
		n.wants(daily+"?days=-1", "", "[]")
		n.wants(daily+"?days=-9223372036854775808", "", "[]")
		w = ask(s, http.MethodGet, "/api/v1"+daily+"?days=3660", n.admin, "")
		if rows := parsed(t, w.Body.Bytes()).Len(); rows != 3661 {
			t.Errorf("%d rows of 3660 days, want 3661", rows)
		}
		n.refused(daily+"?days=3661", n.admin, http.StatusUnprocessableEntity, `"ctx":{"le":3660}`)
	})
}

// A summary's entries are its costs and what was charged; its totals do not depend on the page.
func TestBillingSummary_AddsUpWhatItLists(t *testing.T) {
	eachServer(t, Options{}, func(t *testing.T, s *Server) {
		n := newTenant(t, s, "Acme")
		plan := n.model(`"model_type":"hybrid","hybrid_activity_configs":[{"price_per_action":0.25,"action_type":"call"}],"hybrid_outcome_configs":[{"outcome_type":"sale","percentage":10}]`)
		agent := n.agent("bot", `,"billing_model_id":`+plan)
		at := func(clock string) string { return `,"timestamp":"2024-03-02T` + clock + `Z"}` }
		n.event(agent, "activities", `{"activity_type":"call","quantity":2`+at("10:30:00"))
		n.event(agent, "activities", `{"activity_type":"idle"`+at("10:30:00"))
		cost := n.event(agent, "costs", `{"cost_type":"activity","amount":1.5,"details":{"b":1.50,"a":null}`+at("10:15:00"))
		n.event(agent, "costs", `{"cost_type":"llm","amount":0,"currency":"EUR"`+at("10:45:00"))
		n.event(agent, "outcomes", `{"outcome_type":"sale","value":30`+at("10:45:00.5"))
		n.event(agent, "outcomes", `{"outcome_type":"sale","value":99`+at("10:45:00.500001"))
		summary := "/agents/" + agent + "/billing-summary?start_date=2024-03-02T10:15:00&end_date=2024-03-02T10:45:00.5Z"
		n.wants(summary, "total_cost", "5.0")
		n.wants(summary, "cost_by_type", `{"activity":{"total":2.0,"count":2},"outcome":{"total":3.0,"count":1}}`)
		n.wants(summary, "activity_stats", `{"call":{"total_cost":0.5,"count":1}}`)
		n.wants(summary, "outcome_stats", `{"sale":{"total_cost":3.0,"count":1}}`)
		n.wants(summary, "by_currency", `{"EUR":{"total_cost":0.0,"recorded_costs":0.0,"charges":0.0},"USD":{"total_cost":5.0,"recorded_costs":1.5,"charges":3.5}}`)
		n.wants(summary, "cost_breakdown.0", `{"id":`+cost+`,"type":"activity","amount":1.5,"currency":"USD","timestamp":"2024-03-02T10:15:00Z","details":{"b":1.50,"a":null}}`)
		n.wants(summary+"&skip=2&limit=1", "cost_breakdown.0.currency", `"EUR"`)
		n.wants(summary+"&skip=4", "cost_breakdown", "[]")
		n.wants(summary+"&skip=4", "total_cost", "5.0")
		n.wants("/agents/"+agent+"/billing-summary", "total_cost", "14.9")
		n.wants("/agents/"+n.agent("new", "")+"/billing-summary", "billing_model", `{"id":null,"name":null,"type":null}`)
	})
}

// Each route checks in the contract's order.
func TestStatistics_CheckInOrder(t *testing.T) {
	eachServer(t, Options{}, func(t *testing.T, s *Server) {
		n, other := newTenant(t, s, "Acme"), newTenant(t, s, "Other")
		agent := n.agent("bot", "")
		foreign := "Not enough permissions to access analytics for this organization"
		loner := n.must(http.MethodPost, "/users", n.root, `{"email":"loner@example.com","password":"quite-a-secret"}`, "email")
		lonely := n.login(strings.Trim(loner, `"`), "quite-a-secret")
		for _, c := range []struct {
			path, token string
			status      int
			text        string
		}{
			{"/analytics/organization/x/top-agents?metric=x&limit=0", "", 401, "Not authenticated"},
			{"/analytics/organization/" + n.id + "/top-agents?metric=x&limit=0", other.admin, 422, `["query","limit"]`},
			{"/analytics/organization/" + n.id + "/top-agents?metric=x", other.admin, 403, foreign},
			{"/analytics/organization/999/top-agents?metric=x", other.admin, 403, foreign},
			{"/analytics/organization/999/top-agents?metric=x", n.root, 404, "Organization not found"},
			{"/analytics/organization/" + n.id + "/top-agents?metric=", n.admin, 400, "Invalid metric: . Must be one of"},
			{"/analytics/organization/" + n.id + "/summary", lonely, 403, foreign},
			{"/analytics/organization/99999999999999999999/summary", n.root, 404, "Organization not found"},
			{"/analytics/organization/-1/summary?start_date=", n.root, 422, "input is too short"},
			{"/organizations/" + n.id + "/stats", other.admin, 404, "Organization not found"},
			{"/organizations/" + n.id + "/stats", lonely, 404, "Organization not found"},
			{"/organizations/0/stats", n.root, 404, "Organization not found"},
			{"/agents/" + agent + "/stats", other.admin, 404, "Agent not found"},
			{"/agents/" + agent + "/billing-summary?limit=1001&start_date=x", n.admin, 422, `["query","limit"]`},
			{"/agents/" + agent + "/billing-summary?start_date=x", other.admin, 400, "Invalid start_date format. Use ISO format (e.g., 2023-01-01T00:00:00Z)"},
			{"/agents/" + agent + "/billing-summary?end_date=", n.admin, 400, "Invalid end_date format. Use ISO format (e.g., 2023-01-01T00:00:00Z)"},
			{"/agents/" + agent + "/billing-summary", lonely, 404, "Agent not found"},
			{"/analytics/agent/" + agent + "/daily-metrics", lonely, 404, "Agent not found"},
		} {
			n.refused(c.path, c.token, c.status, c.text)
		}
		for _, id := range []string{"-1", "0", "-9223372036854775808", "9223372036854775807", "99999999999999999999"} {
			if w := ask(s, http.MethodPost, "/api/v1/agents/"+id+"/activities", n.admin, `{"activity_type":"x"}`); w.Code != http.StatusNotFound {
				t.Errorf("an activity of agent %s: %d %s", id, w.Code, w.Body)
			}
		}
	})
}
