package api

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// exchange is one request and what is answered: a status and the whole body, or a part of it after "…".
type exchange struct {
	method, path, token, body string
	status                    int
	want                      string
}

func (n *tenant) exchange(all []exchange) {
	n.t.Helper()
	for _, e := range all {
		w := ask(n.s, e.method, "/api/v1"+e.path, e.token, e.body)
		part, isPart := strings.CutPrefix(e.want, "…")
		if w.Code != e.status || isPart && !strings.Contains(w.Body.String(), part) || !isPart && w.Body.String() != e.want {
			n.t.Errorf("%s %s %s:\n%d %s, want\n%d %s", e.method, e.path, e.body, w.Code, w.Body, e.status, e.want)
		}
	}
}

func detailText(text string) string { return `{"detail":"` + text + `"}` }

// A plain user, and a person without organization.
func (n *tenant) newUser(email, organization string) string {
	n.t.Helper()
	n.must(http.MethodPost, "/users", n.root, `{"email":"`+email+`","password":"quite-a-secret","organization_id":`+organization+`}`, "id")
	return n.login(email, "quite-a-secret")
}

// Whatever an external id looks like, it is found; only inside the organization, unless a superuser looks everywhere.
func TestAgents_ExternalIDsAreFoundAsTheyAre(t *testing.T) {
	eachServer(t, Options{}, func(t *testing.T, s *Server) {
		n, other := newTenant(t, s, "Acme"), newTenant(t, s, "Bolt")
		loner := n.newUser("loner@example.com", "null")
		for external, path := range map[string]string{
			"a/b": "a%2Fb", "a b": "a%20b", "50%": "50%25", "ä": "%C3%A4", "..": "..", "x+y": "x+y", "%2F": "%252F", "a?b#c": "a%3Fb%23c", "activities": "activities",
		} {
			id := n.must(http.MethodPost, "/agents", n.admin, fmt.Sprintf(`{"name":"x","organization_id":%s,"external_id":%q}`, n.id, external), "id")
			found := []exchange{}
			for _, p := range []string{"/agents/external/" + path, "/agents/external/" + path + "/", "/agents/external/" + path + "?org_id=" + n.id} {
				for _, token := range []string{n.admin, n.root} {
					found = append(found, exchange{http.MethodGet, p, token, "", 200, `…"id":` + id + `,`})
				}
			}
			n.exchange(found)
		}
		shared := `{"name":"x","external_id":"crm/1","organization_id":`
		n.must(http.MethodPost, "/agents", n.admin, shared+n.id+`}`, "id")
		second := n.must(http.MethodPost, "/agents", other.admin, shared+other.id+`}`, "id")
		n.exchange([]exchange{
			{http.MethodGet, "/agents/external/crm%2F1", n.root, "", 409, detailText("External ID crm/1 exists in several organizations; give org_id")},
			{http.MethodGet, "/agents/external/crm%2F1?org_id=" + other.id, n.root, "", 200, `…"id":` + second + `,`},
			{http.MethodGet, "/agents/external/crm%2F1?org_id=999", n.root, "", 404, detailText("Organization not found")},
			{http.MethodGet, "/agents/external/crm%2F1?org_id=99999999999999999999", n.root, "", 404, detailText("Organization not found")},
			{http.MethodGet, "/agents/external/crm%2F1?org_id=" + n.id, other.admin, "", 403, detailText("Not enough permissions to access this agent")},
			{http.MethodGet, "/agents/external/crm%2F1?org_id=999", other.admin, "", 403, detailText("Not enough permissions to access this agent")},
			{http.MethodGet, "/agents/external/crm%2F1?org_id=", n.admin, "", 422, `…"type":"int_parsing","loc":["query","org_id"]`},
			{http.MethodGet, "/agents/external/crm%2F1", loner, "", 404, detailText("Agent not found")},
			{http.MethodGet, "/agents/external/a%00b", n.root, "", 404, detailText("Agent not found")},
			{http.MethodGet, "/agents/external/%FF", n.root, "", 404, detailText("Agent not found")},
			{http.MethodGet, "/agents/external/crm/1", n.admin, "", 404, detailText("Not Found")},
			{http.MethodGet, "/agents/external", n.admin, "", 422, `…"type":"int_parsing","loc":["path","agent_id"]`},
			{http.MethodGet, "/agents/external/", n.admin, "", 422, `…"type":"int_parsing","loc":["path","agent_id"]`},
			{http.MethodGet, "/agents/external/", "", "", 401, detailText("Not authenticated")},
		})
	})
}

// The answers to each kind of caller, in the contract's order of checks.
func TestAgents_RolesDecideInOrder(t *testing.T) {
	eachServer(t, Options{}, func(t *testing.T, s *Server) {
		n, other := newTenant(t, s, "Acme"), newTenant(t, s, "Bolt")
		user, loner := n.newUser("user@example.com", n.id), n.newUser("loner@example.com", "null")
		key := strings.Trim(n.must(http.MethodPost, "/api-keys", n.admin, `{"name":"k"}`, "token"), `"`)
		create := `{"name":"x","organization_id":` + n.id + `}`
		id := n.must(http.MethodPost, "/agents", user, create, "id")
		agent := "/agents/" + id
		const denied = "Not enough permissions to create agents for this organization"
		n.exchange([]exchange{
			{http.MethodPost, "/agents", key, `{"name":1}`, 403, detailText("Not enough permissions")},
			{http.MethodPost, "/agents", loner, `{"name":"x"}`, 422, `…"loc":["body","organization_id"]`},
			{http.MethodPost, "/agents", loner, create, 403, detailText(denied)},
			{http.MethodPost, "/agents", other.admin, create, 403, detailText(denied)},
			{http.MethodPost, "/agents", other.admin, `{"name":"x","organization_id":999}`, 403, detailText(denied)},
			{http.MethodPost, "/agents", n.root, `{"name":"x","organization_id":1e30}`, 400, `…"Organization with ID 1000000000000000000000000000000 not found"`},
			{http.MethodPost, "/agents", user, `{"name":"x","billing_model_id":0,"organization_id":` + n.id + `}`, 400, detailText("Billing model with ID 0 not found")},
			{http.MethodPost, "/agents", user, `{"name":null,"config":[],"is_active":1,"status":null,"capabilities":{},"organization_id":"1","billing_model_id":true}`, 422, "…" +
				`{"type":"string_type","loc":["body","name"],"msg":"Input should be a valid string","input":null},` +
				`{"type":"dict_type","loc":["body","config"],"msg":"Input should be a valid dictionary","input":[]},` +
				`{"type":"bool_parsing","loc":["body","is_active"],"msg":"Input should be a valid boolean, unable to interpret input","input":1},` +
				`{"type":"string_type","loc":["body","status"],"msg":"Input should be a valid string","input":null},` +
				`{"type":"list_type","loc":["body","capabilities"],"msg":"Input should be a valid list","input":{}},` +
				`{"type":"int_parsing","loc":["body","organization_id"],`},
			{http.MethodGet, "/agents", loner, "", 422, `…"loc":["query","org_id"]`},
			{http.MethodGet, "/agents?org_id=" + n.id, loner, "", 403, detailText("Not enough permissions to access agents for this organization")},
			{http.MethodGet, "/agents?org_id=999", n.root, "", 404, detailText("Organization not found")},
			{http.MethodGet, "/agents?active_only=maybe&limit=0&skip=-1&org_id=" + n.id, key, "", 422, `…"loc":["query","active_only"]`},
			{http.MethodGet, "/agents?active_only=yes&org_id=" + n.id, key, "", 200, `…"id":` + id},
			{http.MethodGet, "/agents?skip=1&org_id=" + n.id, key, "", 200, `[]`},
			{http.MethodGet, agent, loner, "", 404, detailText("Agent not found")},
			{http.MethodGet, agent, other.admin, "", 404, detailText("Agent not found")},
			{http.MethodGet, "/agents/-1", n.root, "", 404, detailText("Agent not found")},
			{http.MethodGet, "/agents/99999999999999999999", n.root, "", 404, detailText("Agent not found")},
			{http.MethodPut, agent, key, `{}`, 403, detailText("Not enough permissions")},
			{http.MethodPut, agent, loner, `{}`, 404, detailText("Agent not found")},
			{http.MethodPut, agent, user, `{"name":null,"billing_model_id":"1"}`, 422, `…"loc":["body","name"]`},
			{http.MethodPut, agent, user, `{"billing_model_id":999}`, 403, detailText("Not enough permissions to update this agent")},
			{http.MethodPut, agent, n.admin, `{"billing_model_id":999}`, 400, detailText("Billing model with ID 999 not found")},
			{http.MethodPut, agent, user, `{"billing_model_id":null,"config":{"b":1.50, "a":[]},"capabilities":["x" ],"external_id":"no","organization_id":999}`, 200, `…"config":{"b":1.50,"a":[]},"is_active":true,"external_id":null,"status":"active","type":null,"capabilities":["x"],"id":` + id + `,"organization_id":` + n.id + `,"billing_model_id":null`},
			{http.MethodGet, agent + "/billing-config", user, "", 404, detailText("No billing configuration found for this agent")},
			{http.MethodDelete, "/agents/x", user, "", 403, detailText("Not enough permissions to delete this agent")},
			{http.MethodDelete, agent, loner, "", 403, detailText("Not enough permissions to delete this agent")},
			{http.MethodDelete, agent, key, "", 403, detailText("Not enough permissions to delete this agent")},
			{http.MethodDelete, agent, other.admin, "", 404, detailText("Agent not found")},
			{http.MethodDelete, agent, n.admin, "", 200, `…"id":` + id},
			{http.MethodDelete, agent, n.admin, "", 404, detailText("Agent not found")},
		})
	})
}

// The four shapes of an agent's billing configuration, to the letter.
func TestBillingConfig_HoldsWhatTheTypeUses(t *testing.T) {
	eachServer(t, Options{}, func(t *testing.T, s *Server) {
		n := newTenant(t, s, "Acme")
		for fields, want := range map[string]string{
			`"model_type":"seat","seat_price_per_seat":12.50`:                                                                `"seat_config":{"price_per_seat":12.5,"billing_frequency":"monthly"}}`,
			`"model_type":"activity","activity_price_per_action":"1e-5","activity_action_type":"call"`:                       `"activity_configs":[{"activity_type":"call","price_per_unit":0.00001,"unit_type":"action","is_active":true}]}`,
			`"model_type":"outcome","outcome_outcome_type":"deal","outcome_percentage":150,"hybrid_base_fee":-1`:             `"outcome_configs":[{"outcome_type":"deal","outcome_name":"deal","percentage":150.0,"requires_verification":false,"is_active":true}]}`,
			`"model_type":"hybrid","hybrid_base_fee":0`:                                                                      `"hybrid_config":{"base_fee":0.0},"seat_config":null,"activity_configs":[],"outcome_configs":[]}`,
			`"model_type":"hybrid","hybrid_seat_config":{"price_per_seat":1},"seat_price_per_seat":9,"hybrid_base_fee":null`: `"hybrid_config":{"base_fee":0.0},"seat_config":{"price_per_seat":1.0,"billing_frequency":"monthly"},"activity_configs":[],"outcome_configs":[]}`,
		} {
			model := n.must(http.MethodPost, "/billing-models", n.admin, `{"name":"plan","is_active":false,"organization_id":`+n.id+`,`+fields+`}`, "id")
			agent := n.must(http.MethodPost, "/agents", n.admin, `{"name":"x","organization_id":`+n.id+`,"billing_model_id":`+model+`}`, "id")
			kind := strings.Split(fields, `"`)[3]
			n.wants("/agents/"+agent+"/billing-config", "", `{"model_type":"`+kind+`","model_id":`+model+`,"model_name":"plan","is_active":false,`+want)
		}
	})
}

func TestBillingModels_RolesAndItemsInOrder(t *testing.T) {
	eachServer(t, Options{}, func(t *testing.T, s *Server) {
		n, other := newTenant(t, s, "Acme"), newTenant(t, s, "Bolt")
		user, loner := n.newUser("user@example.com", n.id), n.newUser("loner@example.com", "null")
		seat := `{"name":"Desk","model_type":"seat","seat_price_per_seat":2,"organization_id":` + n.id + `}`
		model := "/billing-models/" + n.must(http.MethodPost, "/billing-models", n.admin, seat, "id")
		const denied = "Not enough permissions to create billing models for this organization"
		n.exchange([]exchange{
			{http.MethodPost, "/billing-models", user, `{"name":1}`, 403, detailText(denied)},
			{http.MethodPost, "/billing-models", loner, seat, 403, detailText(denied)},
			{http.MethodPost, "/billing-models", other.admin, `{}`, 422, `…"loc":["body","name"]`},
			{http.MethodPost, "/billing-models", other.admin, seat, 403, detailText(denied)},
			{http.MethodPost, "/billing-models", n.root, `{"name":"x","model_type":"x","organization_id":999}`, 400, detailText("Organization with ID 999 not found")},
			{http.MethodPost, "/billing-models", n.admin, `{"name":"x","model_type":"hybrid","organization_id":1,"is_active":null,"seat_price_per_seat":"","hybrid_seat_config":[],
				"hybrid_activity_configs":{},"hybrid_outcome_configs":[7,{"percentage":null}]}`, 422, "…" +
				`{"type":"bool_type","loc":["body","is_active"],"msg":"Input should be a valid boolean","input":null},` +
				`{"type":"float_parsing","loc":["body","seat_price_per_seat"],"msg":"Input should be a valid number, unable to parse string as a number","input":""},` +
				`{"type":"model_attributes_type","loc":["body","hybrid_seat_config"],"msg":"Input should be a valid dictionary or object to extract fields from","input":[]},` +
				`{"type":"list_type","loc":["body","hybrid_activity_configs"],"msg":"Input should be a valid list","input":{}},` +
				`{"type":"model_attributes_type","loc":["body","hybrid_outcome_configs",0],"msg":"Input should be a valid dictionary or object to extract fields from","input":7},` +
				`{"type":"missing","loc":["body","hybrid_outcome_configs",1,"outcome_type"],"msg":"Field required","input":{"percentage":null}},` +
				`{"type":"float_type","loc":["body","hybrid_outcome_configs",1,"percentage"],"msg":"Input should be a valid number","input":null}]}`},
			{http.MethodGet, "/billing-models", loner, "", 400, detailText("Organization ID is required")},
			{http.MethodGet, "/billing-models", n.root, "", 400, detailText("Organization ID is required")},
			{http.MethodGet, "/billing-models?limit=1001", loner, "", 422, `…"ctx":{"le":1000}`},
			{http.MethodGet, "/billing-models?org_id=0", loner, "", 403, detailText("Not enough permissions to access billing models for this organization")},
			{http.MethodGet, "/billing-models?org_id=0", n.root, "", 404, detailText("Organization not found")},
			{http.MethodGet, "/billing-models?org_id=" + n.id, n.root, "", 200, `…"name":"Desk"`},
			{http.MethodGet, "/billing-models?skip=1", user, "", 200, `[]`},
			{http.MethodGet, model, other.admin, "", 404, detailText("Billing model not found")},
			{http.MethodPut, model, user, `{"name":1}`, 403, detailText("Not enough permissions to update this billing model")},
			{http.MethodPut, model, other.admin, `{"name":"x"}`, 404, detailText("Billing model not found")},
			{http.MethodPut, model, n.admin, `{"model_type":null}`, 400, detailText("Invalid billing model type: None. Must be one of: seat, activity, outcome, hybrid")},
			{http.MethodPut, model, n.admin, `{"seat_price_per_seat":null}`, 400, detailText("Seat-based billing model must include a positive 'seat_price_per_seat'")},
			{http.MethodPut, model, n.admin, `{"seat_billing_frequency":"yearly","organization_id":999}`, 200, `…"organization_id":` + n.id},
			{http.MethodPut, model, n.admin, `{"seat_price_per_seat":"3.10"}`, 200, `…"seat_config":{"price_per_seat":3.1,"billing_frequency":"yearly"},"activity_config":[],"outcome_config":[],"hybrid_config":null}`},
			{http.MethodPut, model, n.admin, `{"model_type":"hybrid","hybrid_outcome_configs":[{"outcome_type":"b","percentage":1},{"outcome_type":"a","percentage":2}]}`, 200,
				`…"model_type":"hybrid","is_active":true`},
			{http.MethodPut, model, n.admin, `{"hybrid_activity_configs":[{"price_per_action":5,"action_type":"c"}],"hybrid_seat_config":null}`, 200, "…" +
				`"seat_config":null,"activity_config":[{"price_per_action":5.0,"action_type":"c"}],"outcome_config":[{"outcome_type":"b","percentage":1.0},{"outcome_type":"a","percentage":2.0}],` +
				`"hybrid_config":{"base_fee":0.0,"activity_configs":[{"price_per_action":5.0,"action_type":"c"}],"outcome_configs":[{"outcome_type":"b","percentage":1.0},{"outcome_type":"a","percentage":2.0}]}}`},
			{http.MethodPost, model + "/calculate", user, `[]`, 422, `{"detail":[{"type":"dict_type","loc":["body"],"msg":"Input should be a valid dictionary","input":[]}]}`},
			{http.MethodPost, model + "/calculate", user, `{"activities":[],"outcomes":{"a":-1,"b":"x"}}`, 422, "…" +
				`{"type":"dict_type","loc":["body","activities"],"msg":"Input should be a valid dictionary","input":[]},` +
				`{"type":"greater_than_equal","loc":["body","outcomes","a"],"msg":"Input should be greater than or equal to 0","input":-1,"ctx":{"ge":0}},` +
				`{"type":"float_parsing","loc":["body","outcomes","b"],`},
			{http.MethodPost, model + "/calculate", loner, `{}`, 404, detailText("Billing model not found")},
			{http.MethodPost, model + "/calculate", other.admin, `{}`, 404, detailText("Billing model not found")},
			{http.MethodPost, model + "/calculate", user, `{"actions":1,"outcome_value":100,"outcomes":{"a":"50.5","z":9},"seats":7,"more":[]}`, 200,
				`{"cost":9.01,"currency":"USD","billing_model_id":` + strings.TrimPrefix(model, "/billing-models/") + `,"billing_model_type":"hybrid"}`},
			{http.MethodDelete, model, user, "", 403, detailText("Not enough permissions to delete this billing model")},
			{http.MethodDelete, model, n.admin, "", 200, `…"name":"Desk"`},
			{http.MethodGet, model, n.root, "", 404, detailText("Billing model not found")},
		})
	})
}

func TestOrganizations_RolesAndSettings(t *testing.T) {
	eachServer(t, Options{}, func(t *testing.T, s *Server) {
		n, other := newTenant(t, s, "Acme"), newTenant(t, s, "Bolt")
		user, loner := n.newUser("user@example.com", n.id), n.newUser("loner@example.com", "null")
		own := "/organizations/" + n.id
		n.exchange([]exchange{
			{http.MethodPost, "/organizations", n.admin, `{"name":1}`, 403, detailText("Not enough permissions")},
			{http.MethodPost, "/organizations", n.root, `{"name":"x","settings":{"currency":null},"timezone":null,"status":null,"contact_phone":"` + strings.Repeat("1", 51) + `"}`, 422, "…" +
				`{"type":"string_type","loc":["body","status"],"msg":"Input should be a valid string","input":null},` +
				`{"type":"string_too_long","loc":["body","contact_phone"],`},
			{http.MethodPost, "/organizations", n.root, `{"name":"x","settings":{"currency":"XXX"}}`, 422, `…"loc":["body","settings","currency"],"msg":"Value error, unknown currency code"`},
			{http.MethodPost, "/organizations", n.root, `{"name":"Acme"}`, 400, detailText("An organization with this name already exists")},
			{http.MethodPost, "/organizations", n.root, `{"name":"acme","settings":{"z":1, "currency":"kwd","a":1.0}}`, 200, `…"settings":{"z":1,"currency":"KWD","a":1.0}`},
			{http.MethodGet, "/organizations", loner, "", 200, `[]`},
			{http.MethodGet, "/organizations?limit=0", loner, "", 422, `…"ctx":{"ge":1}`},
			{http.MethodGet, "/organizations?limit=2&skip=1", n.root, "", 200, `…"name":"Bolt"`},
			{http.MethodGet, own, user, "", 200, `…"settings":{},"id":` + n.id},
			{http.MethodGet, own, loner, "", 404, detailText("Organization not found")},
			{http.MethodGet, own, other.admin, "", 404, detailText("Organization not found")},
			{http.MethodGet, "/organizations/0", n.root, "", 404, detailText("Organization not found")},
			{http.MethodPut, own, user, `{"name":1}`, 403, detailText("Not enough permissions")},
			{http.MethodPut, own, loner, `{}`, 403, detailText("Not enough permissions")},
			{http.MethodPut, own, other.admin, `{"name":null}`, 422, `…"loc":["body","name"]`},
			{http.MethodPut, own, other.admin, `{}`, 404, detailText("Organization not found")},
			{http.MethodPut, own, n.admin, `{"settings":{"currency":"eur"},"stripe_customer_id":"x","id":9}`, 200, `…"settings":{"currency":"EUR"},"id":` + n.id},
			{http.MethodPut, own, n.admin, `{"settings":{"a":[ ]},"description":null}`, 200, `…"settings":{"a":[],"currency":"EUR"}`},
			{http.MethodPut, own, n.admin, `{"settings":null}`, 422, `…"type":"dict_type","loc":["body","settings"]`},
			{http.MethodPut, own, n.root, `{"external_id":"crm/1"}`, 200, `…"external_id":"crm/1"`},
			{http.MethodPut, "/organizations/" + other.id, n.root, `{"external_id":"crm/1"}`, 409, detailText("Organization with external_id crm/1 already exists")},
			{http.MethodDelete, own, n.admin, "", 403, detailText("Not enough permissions")},
			{http.MethodDelete, own, n.root, "", 409, detailText("Cannot delete organization: it still has agents, users or invoices")},
			{http.MethodPut, own, n.admin, `{"status":"suspended"}`, 200, `…"status":"suspended"`},
			{http.MethodPut, own, n.admin, `{"status":"active"}`, 403, detailText("Organization is suspended")},
			{http.MethodGet, own, user, "", 200, `…"status":"suspended"`},
			{http.MethodPost, "/agents", user, `{"name":1}`, 403, detailText("Organization is suspended")},
			{http.MethodPut, own, n.root, `{"status":"active"}`, 200, `…"status":"active"`},
		})
	})
}

// An id beyond 64 bits is no object's, and refusals name it as it was sent.
func TestBodies_NameIDsBeyondAllBits(t *testing.T) {
	eachServer(t, Options{}, func(t *testing.T, s *Server) {
		n := newTenant(t, s, "Acme")
		agent := n.agent("bot", "")
		for _, id := range []string{"9223372036854775808", "-9223372036854775809", "1000000000000000000000000000000", "9223372036854775807", "0", "-1"} {
			organization, model := detailText("Organization with ID "+id+" not found"), detailText("Billing model with ID "+id+" not found")
			n.exchange([]exchange{
				{http.MethodPost, "/agents", n.root, `{"name":"x","organization_id":` + id + `}`, 400, organization},
				{http.MethodPost, "/agents", n.root, `{"name":"x","organization_id":` + n.id + `,"billing_model_id":` + id + `}`, 400, model},
				{http.MethodPut, "/agents/" + agent, n.root, `{"billing_model_id":` + id + `}`, 400, model},
				{http.MethodPost, "/billing-models", n.root, `{"name":"x","model_type":"seat","seat_price_per_seat":1,"organization_id":` + id + `}`, 400, organization},
				{http.MethodPost, "/users", n.root, `{"email":"a@b.example","password":"quite-a-secret","organization_id":` + id + `}`, 400, organization},
				{http.MethodPost, "/invoices", n.root, `{"due_date":"2030-01-01","items":[],"organization_id":` + id + `}`, 400, organization},
			})
		}
	})
}
