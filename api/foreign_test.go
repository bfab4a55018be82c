package api

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"xyra/strictjson"
)

const missing = "987654321"

// missingHome has every name of a home and nothing behind any of them.
func missingHome(h home) home {
	all := home{}
	for name := range h {
		all[name] = missing
	}
	return all
}

// answerText is all of an answer that a caller can tell apart: ids that he sent himself are hidden.
func answerText(w *httptest.ResponseRecorder, sent home) string {
	header := w.Header().Clone()
	header.Del("X-Request-ID")
	text := w.Body.String()
	for name, value := range sent {
		if value != "" && name != "externaltext" {
			text = regexp.MustCompile(`\b`+regexp.QuoteMeta(value)+`\b`).ReplaceAllString(text, "…")
		}
	}
	return fmt.Sprint(w.Code, " ", header, " ", text)
}

// What belongs to another organization is answered as what does not exist: same status, headers and body, and, which is
// the time it takes, the same statements.
func TestForeign_IsLikeMissingOnEveryRoute(t *testing.T) {
	eachStage(t, func(st *stage) {
		ask := func(caller, route string, h home, r row) (answer, statements string) {
			method, pattern, _ := strings.Cut(route, " ")
			path := strings.ReplaceAll(r.path, "{+", "{")
			if path == "" {
				path = pattern
			}
			var w *httptest.ResponseRecorder
			statements = st.statements.during(func() {
				w = st.send(method, st.fill(h, path), caller, st.fill(h, strings.ReplaceAll(r.body, "{unique}", "same")))
			})
			statements = regexp.MustCompile(`(user standing|key standing|api keys used|pending keys)(, )?`).ReplaceAllString(statements, "") // may come from memory, or by themselves
			return answerText(w, h), strings.TrimSuffix(statements, ", ")
		}
		compared := 0
		for _, r := range matrix {
			names := regexp.MustCompile(`\{\+?[a-z]+\}`).FindAllString(strings.ReplaceAll(r.path+r.body, "{unique}", ""), -1)
			if len(names) == 0 || r.route == "POST /events" {
				continue
			}
			for _, caller := range []string{"otheradmin", "othermember", "otherkey", "loner"} {
				foreign, foreignStatements := ask(caller, r.route, st.own, r)
				gone, goneStatements := ask(caller, r.route, missingHome(st.own), r)
				if foreign != gone || foreignStatements != goneStatements {
					st.t.Errorf("%s as %s: foreign\n%s (%s), missing\n%s (%s)", r.route, caller, foreign, foreignStatements, gone, goneStatements)
				}
				if foreign[:3] == "200" && r.foreign != ok {
					st.t.Errorf("%s as %s: %s", r.route, caller, foreign)
				}
				compared++
			}
		}
		if compared < 200 {
			st.t.Errorf("%d comparisons are not enough", compared)
		}
	})
}

// A reference to another organization's object is like one to nothing, wherever a body or a query can hold it, and
// leaves nothing behind. @ is the reference.
func TestForeign_ReferencesLeadNowhere(t *testing.T) {
	type reference struct{ caller, method, path, body, of string }
	references := []reference{
		{"ownadmin", "POST", "/agents", `{"name":"n","organization_id":@}`, "org"},
		{"ownmember", "POST", "/agents", `{"name":"n","organization_id":@}`, "org"},
		{"ownadmin", "POST", "/agents", `{"name":"n","organization_id":{org},"billing_model_id":@}`, "model"},
		{"ownmember", "POST", "/agents", `{"name":"n","organization_id":{org},"billing_model_id":@}`, "model"},
		{"root", "POST", "/agents", `{"name":"n","organization_id":{org},"billing_model_id":@}`, "model"},
		{"ownadmin", "PUT", "/agents/{agent}", `{"billing_model_id":@}`, "model"},
		{"root", "PUT", "/agents/{agent}", `{"billing_model_id":@}`, "model"},
		{"ownmember", "PUT", "/agents/{agent}", `{"billing_model_id":@}`, "model"},
		{"ownadmin", "POST", "/billing-models", `{"name":"n","model_type":"seat","seat_price_per_seat":1,"organization_id":@}`, "org"},
		{"ownadmin", "GET", "/billing-models?org_id=@", "", "org"},
		{"ownkey", "GET", "/billing-models?org_id=@", "", "org"},
		{"ownadmin", "GET", "/agents?org_id=@", "", "org"},
		{"ownkey", "GET", "/agents?org_id=@", "", "org"},
		{"ownadmin", "GET", "/agents/external/@", "", "external"},
		{"ownkey", "GET", "/agents/external/@", "", "external"},
		{"loner", "GET", "/agents/external/@", "", "external"},
		{"ownadmin", "GET", "/agents/external/{external}?org_id=@", "", "org"},
		{"ownadmin", "GET", "/invoices?org_id=@", "", "org"},
		{"ownkey", "GET", "/invoices?org_id=@", "", "org"},
		{"ownadmin", "GET", "/analytics/organization/@/summary", "", "org"},
		{"ownadmin", "GET", "/analytics/organization/@/top-agents", "", "org"},
		{"ownkey", "GET", "/analytics/organization/@/activity-breakdown", "", "org"},
		{"ownkey", "GET", "/analytics/agent/@/daily-metrics", "", "agent"},
		{"ownadmin", "POST", "/agents/{agent}/activities", `{"activity_type":"call","agent_id":@}`, "agent"},
		{"ownadmin", "POST", "/agents/{agent}/costs", `{"cost_type":"c","amount":1,"agent_id":@}`, "agent"},
		{"ownkey", "POST", "/agents/{agent}/outcomes", `{"outcome_type":"sale","value":1,"agent_id":@}`, "agent"},
		{"ownadmin", "POST", "/events", `{"events":[{"kind":"activity","agent_id":@,"activity_type":"call"}]}`, "agent"},
		{"ownkey", "POST", "/events", `{"events":[{"kind":"cost","agent_id":@,"cost_type":"c","amount":1}]}`, "agent"},
		{"loner", "POST", "/events", `{"events":[{"kind":"outcome","agent_id":@,"outcome_type":"sale","value":1}]}`, "agent"},
		{"ownadmin", "POST", "/events", `{"events":[{"kind":"activity","agent_external_id":"@","activity_type":"call"}]}`, "externaltext"},
		{"loner", "POST", "/events", `{"events":[{"kind":"activity","agent_external_id":"@","activity_type":"call"}]}`, "externaltext"},
		{"ownadmin", "POST", "/events", `{"events":[{"kind":"activity","agent_external_id":"{externaltext}","organization_id":@,"activity_type":"call"}]}`, "org"},
		{"ownmember", "PUT", "/users/{user}", `{"organization_id":@}`, "org"},
		{"ownadmin", "PUT", "/users/{user}", `{"organization_id":@}`, "org"},
		{"ownadmin", "PUT", "/users/{admin}", `{"organization_id":@}`, "org"},
		{"loner", "GET", "/agents?org_id=@", "", "org"},
		{"loner", "GET", "/billing-models?org_id=@", "", "org"},
		{"loner", "GET", "/invoices?org_id=@", "", "org"},
		{"ownadmin", "GET", "/organizations/@/credits", "", "org"},
		{"ownadmin", "GET", "/agents?org_id={org}&org_id=@", "", "org"},
		{"ownadmin", "GET", "/invoices?org_id=@&skip=0&org_id=%20@%20", "", "org"},
		{"ownkey", "GET", "/analytics/organization/%20+@.0/summary?org_id={org}", "", "org"},
	}
	eachStage(t, func(st *stage) {
		before := st.fingerprint()
		for _, r := range references {
			send := func(value string) string {
				put := func(template string) string { return strings.ReplaceAll(st.fill(st.own, template), "@", value) }
				return answerText(st.send(r.method, put(r.path), r.caller, put(r.body)), home{"": value})
			}
			a, b := send(st.other[r.of]), send(missing)
			if a != b || a[:3] == "200" && !strings.Contains(a, `"rejected":1`) {
				st.t.Errorf("%s %s %s as %s: foreign\n%s, missing\n%s", r.method, r.path, r.body, r.caller, a, b)
			}
		}
		st.unchanged(before, "a reference")
	})
}

// Lists hold what is the caller's own, and of it all: every id in them is one of the home's, for whoever asks.
func TestForeign_ListsHoldOwnIDsOnly(t *testing.T) {
	own := map[string]string{ // list → a member of each element, and the names of the home that may stand there
		"/users": "id: admin user colleague", "/organizations": "id: org", "/billing-models": "organization_id: org", "/billing-models?org_id={org}": "organization_id: org",
		"/agents?org_id={org}": "organization_id: org", "/invoices?org_id={org}": "organization_id: org", "/api-keys": "organization_id: org", "/api-keys/organization/all": "organization_id: org",
		"/analytics/organization/{org}/top-agents": "agent_id: agent", "/agents/{agent}/activities": "agent_id: agent", "/agents/{agent}/costs": "agent_id: agent", "/agents/{agent}/outcomes": "agent_id: agent",
	}
	eachStage(t, func(st *stage) {
		for path, rule := range own {
			member, names, _ := strings.Cut(rule, ": ")
			var allowed []string
			for name := range strings.FieldsSeq(names) {
				allowed = append(allowed, st.own[name])
			}
			for _, caller := range []string{"ownadmin", "ownmember", "ownkey", "loner", "root"} {
				w := st.send(http.MethodGet, st.fill(st.own, path), caller, "")
				if w.Code != http.StatusOK || caller == "root" && !strings.Contains(path, "{") {
					continue // refused by the matrix, or the platform's view
				}
				list := parsed(st.t, w.Body.Bytes())
				if items, sent := list.Field("items"); sent {
					list = items
				}
				count := 0
				for element := range list.Elems() {
					value, _ := element.Field(member)
					alone := caller == "loner" && path == "/users"
					if count++; !alone && !slices.Contains(allowed, string(value.Raw())) || list.Kind() != strictjson.Array {
						st.t.Errorf("%s as %s: %s %s is not among %v", path, caller, member, value.Raw(), allowed)
					}
				}
				if want := caller == "ownadmin"; want && count == 0 || caller == "loner" && path != "/users" && count > 0 {
					st.t.Errorf("%s as %s has %d elements", path, caller, count)
				}
			}
		}
	})
}

// A request means what its own path, query and body say under the exact names: no other spelling, header or second
// mention takes it to another organization, object or method.
func TestForeign_NoOtherSpellingLeadsThere(t *testing.T) {
	eachStage(t, func(st *stage) {
		other := home{"otherorg": st.other["org"], "otheragent": st.other["agent"], "othermodel": st.other["model"]}
		before := st.rows("agents")
		for _, name := range []string{"Organization_id", "ORGANIZATION_ID", "organizationId", "organization_id ", "organization_ıd", "org_id", "organization", "billing_model_ID", "tenant_id"} {
			w := st.send(http.MethodPost, "/agents?organization_id="+st.other["org"]+"&org_id="+st.other["org"], "ownadmin",
				st.fill(other, st.fill(st.own, `{"`+name+`":{otherorg},"name":"n","organization_id":{org}}`)), "X-Organization-ID", st.other["org"], "X-Tenant", st.other["org"])
			if v := child(parsed(st.t, w.Body.Bytes()), "organization_id"); w.Code != http.StatusOK || string(v.Raw()) != st.own["org"] {
				st.t.Errorf("%s: %d %s", name, w.Code, w.Body)
			}
		}
		if made := len(st.rows("agents")) - len(before); made != 9 {
			st.t.Errorf("%d agents were made", made)
		}
		for _, query := range []string{"ORG_ID=@", "org_id[]=@", "org-id=@", "organization_id=@", "Org_id=@", "org_id%00=@", "_method=DELETE", "method=delete"} {
			w := st.send(http.MethodGet, "/billing-models?"+strings.ReplaceAll(query, "@", st.other["org"]), "ownadmin", "")
			if strings.Contains(w.Body.String(), `"organization_id":`+st.other["org"]+",") || w.Code != http.StatusOK {
				st.t.Errorf("%s: %d %s", query, w.Code, w.Body)
			}
		}
		prints := st.fingerprint()
		foreign := "/api/v1/agents/" + st.other["agent"]
		w := st.send(http.MethodGet, "/agents/"+st.own["agent"], "ownadmin", "", "X-HTTP-Method-Override", "DELETE", "X-HTTP-Method", "DELETE", "X-Original-URL", foreign, "X-Rewrite-URL", foreign,
			"X-Forwarded-Path", foreign, "X-User-ID", "1", "X-Forwarded-User", superuserEmail, "Cookie", "token="+st.tokens["root"]+"; access_token="+st.tokens["root"])
		if v := child(parsed(st.t, w.Body.Bytes()), "id"); w.Code != http.StatusOK || string(v.Raw()) != st.own["agent"] {
			st.t.Errorf("headers: %d %s", w.Code, w.Body)
		}
		if w := st.send(http.MethodGet, "/auth/me?access_token="+st.tokens["root"]+"&token="+st.tokens["root"], "nobody", "", "Cookie", "Authorization=Bearer "+st.tokens["root"], "X-API-Key", st.tokens["ownkey"]); w.Code != 401 {
			st.t.Errorf("credentials elsewhere: %d %s", w.Code, w.Body)
		}
		st.unchanged(prints, "a header")
	})
}
