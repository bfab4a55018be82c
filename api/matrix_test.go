package api

import (
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// What the cells say: a status, then the text of the refusal.
const (
	ok       = "200"
	denied   = "403 Not enough permissions"
	noUser   = "404 User not found"
	noOrg    = "404 Organization not found"
	noModel  = "404 Billing model not found"
	noAgent  = "404 Agent not found"
	noBill   = "404 Invoice not found"
	noKey    = "404 API key not found"
	seeModel = "403 Not enough permissions to access billing models for this organization"
	newModel = "403 Not enough permissions to create billing models for this organization"
	setModel = "403 Not enough permissions to update this billing model"
	delModel = "403 Not enough permissions to delete this billing model"
	seeAgent = "403 Not enough permissions to access agents for this organization"
	newAgent = "403 Not enough permissions to create agents for this organization"
	oneAgent = "403 Not enough permissions to access this agent"
	setAgent = "403 Not enough permissions to update this agent"
	delAgent = "403 Not enough permissions to delete this agent"
	seeStats = "403 Not enough permissions to access analytics for this organization"
	seeBills = "403 Not enough permissions to access invoices for this organization"
	keyless  = "400 User must belong to an organization to "
	noHook   = "404 Webhook endpoint not found"
	seeHooks = "403 Not enough permissions to access webhook endpoints for this organization"
	newHook  = "403 Not enough permissions to create webhook endpoints for this organization"
	seeAudit = "403 Not enough permissions to access the audit log of this organization"
	held     = "403 Organization is suspended"
)

// A row says what six callers are answered who ask for the objects of one organization: the platform's superuser, the
// organization's admin, its plain member, a person of no organization, its API key, and another organization's admin.
// In path and body {names} are ids of that organization, {+names} new objects that may be spent.
type row struct {
	route, path, body                        string
	root, admin, member, loner, key, foreign string
}

// rights as section 2 and 3 of the contract have them.
var matrix = []row{
	{"GET /auth/me", "", "", ok, ok, ok, ok, denied, ok},

	{"GET /users/", "", "", ok, ok, ok, ok, denied, ok},
	{"POST /users/", "", `{"email":"{unique}@example.com","password":"quite-a-secret"}`, ok, denied, denied, denied, denied, denied},
	{"GET /users/{user_id}", "/users/{user}", "", ok, ok, ok, noUser, denied, noUser},
	{"GET /users/{user_id}", "/users/{admin}", "", ok, ok, noUser, noUser, denied, noUser},
	{"GET /users/{user_id}", "/users/1", "", ok, noUser, noUser, noUser, denied, noUser},
	{"PUT /users/{user_id}", "/users/{user}", `{"full_name":"Ann"}`, ok, ok, ok, noUser, denied, noUser}, // the same name again is no change
	{"PUT /users/{user_id}", "/users/{+user}", `{"full_name":"Ann"}`, ok, denied, noUser, noUser, denied, noUser},
	{"PUT /users/{user_id}", "/users/{+user}", `{"role":"admin","is_active":false}`, ok, ok, noUser, noUser, denied, noUser},
	{"PUT /users/{user_id}", "/users/{+user}", `{"is_superuser":true}`, ok, denied, noUser, noUser, denied, noUser},
	{"PUT /users/{user_id}", "/users/{+user}", `{"email":"{unique}@example.com"}`, ok, denied, noUser, noUser, denied, noUser},
	{"PUT /users/{user_id}", "/users/{+user}", `{"organization_id":null}`, ok, denied, noUser, noUser, denied, noUser},
	{"PUT /users/{user_id}", "/users/{user}", `{"is_superuser":true}`, "", denied, denied, noUser, denied, noUser},
	{"PUT /users/{user_id}", "/users/{user}", `{"role":"admin"}`, "", "", denied, noUser, denied, noUser},
	{"PUT /users/{user_id}", "/users/{user}", `{"organization_id":999}`, "", denied, denied, noUser, denied, noUser},
	{"DELETE /users/{user_id}", "/users/{+user}", "", ok, denied, denied, denied, denied, denied},

	{"GET /organizations/", "", "", ok, ok, ok, ok, ok, ok},
	{"POST /organizations/", "", `{"name":"{unique}"}`, ok, denied, denied, denied, denied, denied},
	{"GET /organizations/{organization_id}", "/organizations/{org}", "", ok, ok, ok, noOrg, ok, noOrg},
	{"PUT /organizations/{organization_id}", "/organizations/{org}", `{"description":"{unique}"}`, ok, ok, denied, denied, denied, noOrg},
	{"DELETE /organizations/{organization_id}", "/organizations/{+org}", "", ok, denied, denied, denied, denied, denied},
	{"GET /organizations/{organization_id}/stats", "/organizations/{org}/stats", "", ok, ok, ok, noOrg, ok, noOrg},
	{"GET /organizations/{organization_id}/credits", "/organizations/{org}/credits", "", ok, ok, ok, noOrg, ok, noOrg},

	{"GET /billing-models/", "/billing-models?org_id={org}", "", ok, ok, ok, seeModel, ok, seeModel},
	{"GET /billing-models/", "/billing-models", "", "400 Organization ID is required", ok, ok, "400 Organization ID is required", ok, ok},
	{"POST /billing-models/", "", `{"name":"n","model_type":"seat","seat_price_per_seat":1,"organization_id":{org}}`, ok, ok, newModel, newModel, newModel, newModel},
	{"GET /billing-models/{model_id}", "/billing-models/{model}", "", ok, ok, ok, noModel, ok, noModel},
	{"PUT /billing-models/{model_id}", "/billing-models/{model}", `{"name":"{unique}"}`, ok, ok, setModel, setModel, setModel, noModel},
	{"DELETE /billing-models/{model_id}", "/billing-models/{+model}", "", ok, ok, delModel, delModel, delModel, noModel},
	{"POST /billing-models/{model_id}/calculate", "/billing-models/{model}/calculate", `{"actions":1}`, ok, ok, ok, noModel, ok, noModel},

	{"GET /agents/", "/agents?org_id={org}", "", ok, ok, ok, seeAgent, ok, seeAgent},
	{"POST /agents/", "", `{"name":"n","organization_id":{org},"billing_model_id":{model}}`, ok, ok, ok, newAgent, denied, newAgent},
	{"GET /agents/{agent_id}", "/agents/{agent}", "", ok, ok, ok, noAgent, ok, noAgent},
	{"GET /agents/external/{external_id}", "/agents/external/{external}", "", ok, ok, ok, noAgent, ok, noAgent},
	{"GET /agents/external/{external_id}", "/agents/external/{external}?org_id={org}", "", ok, ok, ok, oneAgent, ok, oneAgent},
	{"PUT /agents/{agent_id}", "/agents/{agent}", `{"name":"{unique}"}`, ok, ok, ok, noAgent, denied, noAgent},
	{"PUT /agents/{agent_id}", "/agents/{+agent}", `{"billing_model_id":null}`, ok, ok, setAgent, noAgent, denied, noAgent},
	{"PUT /agents/{agent_id}", "/agents/{agent}", `{"billing_model_id":{model}}`, ok, ok, ok, noAgent, denied, noAgent}, // the model it has
	{"DELETE /agents/{agent_id}", "/agents/{+agent}", "", ok, ok, delAgent, delAgent, delAgent, noAgent},
	{"GET /agents/{agent_id}/stats", "/agents/{agent}/stats", "", ok, ok, ok, noAgent, ok, noAgent},
	{"GET /agents/{agent_id}/billing-config", "/agents/{agent}/billing-config", "", ok, ok, ok, noAgent, ok, noAgent},
	{"GET /agents/{agent_id}/billing-summary", "/agents/{agent}/billing-summary", "", ok, ok, ok, noAgent, ok, noAgent},
	{"GET /agents/{agent_id}/activities", "/agents/{agent}/activities", "", ok, ok, ok, noAgent, ok, noAgent},
	{"GET /agents/{agent_id}/costs", "/agents/{agent}/costs", "", ok, ok, ok, noAgent, ok, noAgent},
	{"GET /agents/{agent_id}/outcomes", "/agents/{agent}/outcomes", "", ok, ok, ok, noAgent, ok, noAgent},
	{"POST /agents/{agent_id}/activities", "/agents/{agent}/activities", `{"activity_type":"call"}`, ok, ok, ok, noAgent, ok, noAgent},
	{"POST /agents/{agent_id}/costs", "/agents/{agent}/costs", `{"cost_type":"tokens","amount":1}`, ok, ok, ok, noAgent, ok, noAgent},
	{"POST /agents/{agent_id}/outcomes", "/agents/{agent}/outcomes", `{"outcome_type":"sale","value":1}`, ok, ok, ok, noAgent, ok, noAgent},
	{"POST /events", "", `{"events":[{"kind":"activity","agent_id":{agent},"activity_type":"call"}]}`, ok, ok, ok, ok, ok, ok}, // each event has its own code

	{"GET /analytics/organization/{org_id}/summary", "/analytics/organization/{org}/summary", "", ok, ok, ok, seeStats, ok, seeStats},
	{"GET /analytics/organization/{org_id}/top-agents", "/analytics/organization/{org}/top-agents", "", ok, ok, ok, seeStats, ok, seeStats},
	{"GET /analytics/organization/{org_id}/activity-breakdown", "/analytics/organization/{org}/activity-breakdown", "", ok, ok, ok, seeStats, ok, seeStats},
	{"GET /analytics/agent/{agent_id}/daily-metrics", "/analytics/agent/{agent}/daily-metrics", "", ok, ok, ok, noAgent, ok, noAgent},

	{"GET /invoices/", "/invoices?org_id={org}", "", ok, ok, ok, seeBills, ok, seeBills},
	{"POST /invoices/", "", `{"organization_id":{org},"due_date":"2030-01-01","items":[]}`, ok, denied, denied, denied, denied, denied},
	{"POST /invoices/generate/monthly", "/invoices/generate/monthly?org_id={org}&year=2024&month=1", "", ok, denied, denied, denied, denied, denied},
	{"GET /invoices/preview/monthly", "/invoices/preview/monthly?org_id={org}&year=2024&month=2", "", ok, ok, ok, seeBills, ok, seeBills},
	{"GET /invoices/preview/monthly/pdf", "/invoices/preview/monthly/pdf?org_id={org}&year=2024&month=2", "", ok, ok, ok, seeBills, ok, seeBills},
	{"GET /invoices/preview/monthly/html", "/invoices/preview/monthly/html?org_id={org}&year=2024&month=2", "", ok, ok, ok, seeBills, ok, seeBills},
	{"GET /invoices/preview/monthly/lines.csv", "/invoices/preview/monthly/lines.csv?org_id={org}&year=2024&month=2", "", ok, ok, ok, seeBills, ok, seeBills},
	{"GET /invoices/{invoice_id}", "/invoices/{invoice}", "", ok, ok, ok, noBill, ok, noBill},
	{"PUT /invoices/{invoice_id}", "/invoices/{invoice}", `{"notes":"{unique}"}`, ok, denied, denied, denied, denied, denied},
	{"POST /invoices/{invoice_id}/cancel", "/invoices/{+invoice}/cancel", "", ok, denied, denied, denied, denied, denied},
	{"POST /invoices/{invoice_id}/pay", "/invoices/{+invoice}/pay", `{"payment_method":"bank"}`, ok, denied, denied, denied, denied, denied},
	{"GET /invoices/{invoice_id}/pdf", "/invoices/{invoice}/pdf", "", ok, ok, ok, noBill, ok, noBill},
	{"GET /invoices/{invoice_id}/html", "/invoices/{invoice}/html", "", ok, ok, ok, noBill, ok, noBill},
	{"GET /invoices/{invoice_id}/lines.csv", "/invoices/{invoice}/lines.csv", "", ok, ok, ok, noBill, ok, noBill},
	{"POST /invoices/{invoice_id}/mail", "/invoices/{+invoice}/mail", "", "400", denied, denied, denied, denied, denied}, // no mail server
	{"GET /invoices/{invoice_id}/payments", "/invoices/{invoice}/payments", "", ok, denied, denied, denied, denied, denied},
	{"POST /invoices/{invoice_id}/payments", "/invoices/{+invoice}/payments", `{"amount":9,"payment_method":"bank"}`, ok, denied, denied, denied, denied, denied},
	{"POST /invoices/{invoice_id}/credits", "/invoices/{+invoice}/credits", `{}`, ok, denied, denied, denied, denied, denied}, // of what was paid too much just before
	{"POST /invoices/{invoice_id}/checkout", "/invoices/{+invoice}/checkout", "", "400", denied, denied, denied, denied, denied},

	{"GET /api-keys", "", "", keyless + "manage API keys", ok, ok, keyless + "manage API keys", denied, ok},
	{"GET /api-keys/organization/all", "", "", keyless + "view organization API keys", ok, denied, denied, denied, ok},
	{"POST /api-keys", "", `{"name":"n"}`, keyless + "create API keys", ok, ok, keyless + "create API keys", denied, ok},
	{"GET /api-keys/{api_key_id}", "/api-keys/{apikey}", "", ok, ok, ok, keyless + "access API keys", denied, noKey},
	{"GET /api-keys/{api_key_id}", "/api-keys/{adminkey}", "", ok, ok, noKey, keyless + "access API keys", denied, noKey},
	{"PUT /api-keys/{api_key_id}", "/api-keys/{apikey}", `{"name":"n"}`, ok, ok, ok, keyless + "update API keys", denied, noKey},
	{"PUT /api-keys/{api_key_id}", "/api-keys/{adminkey}", `{"name":"n"}`, ok, ok, noKey, keyless + "update API keys", denied, noKey},
	{"DELETE /api-keys/{api_key_id}", "/api-keys/{+apikey}", "", ok, ok, ok, keyless + "delete API keys", denied, noKey},
	{"POST /api-keys/{api_key_id}/deactivate", "/api-keys/{+apikey}/deactivate", "", ok, ok, ok, keyless + "deactivate API keys", denied, noKey},

	{"GET /webhook-endpoints", "/webhook-endpoints?org_id={org}", "", ok, ok, denied, denied, denied, seeHooks},
	{"GET /webhook-endpoints", "", "", "400 Organization ID is required", ok, denied, denied, denied, ok},
	{"POST /webhook-endpoints", "", `{"url":"https://hooks.example.com/1","event_types":["invoice.paid"],"organization_id":{org}}`, ok, ok, denied, denied, denied, newHook},
	{"GET /webhook-endpoints/{endpoint_id}", "/webhook-endpoints/{endpoint}", "", ok, ok, denied, denied, denied, noHook},
	{"PUT /webhook-endpoints/{endpoint_id}", "/webhook-endpoints/{endpoint}", `{"description":"{unique}"}`, ok, ok, denied, denied, denied, noHook},
	{"DELETE /webhook-endpoints/{endpoint_id}", "/webhook-endpoints/{+endpoint}", "", ok, ok, denied, denied, denied, noHook},
	{"POST /webhook-endpoints/{endpoint_id}/rotate-secret", "/webhook-endpoints/{endpoint}/rotate-secret", "", ok, ok, denied, denied, denied, noHook},
	{"POST /webhook-endpoints/{endpoint_id}/test", "/webhook-endpoints/{endpoint}/test", "", ok, ok, denied, denied, denied, noHook},
	{"GET /webhook-endpoints/{endpoint_id}/deliveries", "/webhook-endpoints/{endpoint}/deliveries", "", ok, ok, denied, denied, denied, noHook},
	{"POST /webhook-endpoints/{endpoint_id}/deliveries/{delivery_id}/replay", "/webhook-endpoints/{endpoint}/deliveries/{delivery}/replay", "", ok, ok, denied, denied, denied, noHook},

	{"GET /jobs", "", "", ok, denied, denied, denied, denied, denied},
	{"GET /jobs/{job_id}", "/jobs/{job}", "", ok, denied, denied, denied, denied, denied},
	{"POST /jobs/{job_id}/retry", "/jobs/{+job}/retry", "", ok, denied, denied, denied, denied, denied},
	{"POST /jobs/{job_id}/discard", "/jobs/{+job}/discard", "", ok, denied, denied, denied, denied, denied},

	{"GET /audit", "", "", ok, ok, denied, denied, denied, ok},
	{"GET /audit", "/audit?org_id={org}", "", ok, ok, denied, denied, denied, seeAudit},
	{"GET /audit", "/audit?org_id=0", "", ok, seeAudit, denied, denied, denied, seeAudit},
}

// public are the routes that ask nobody who he is: what everyone is answered, whatever credentials he sends.
var public = map[string]string{
	"POST /auth/login": "422", "POST /auth/login/access-token": "422", "POST /auth/signup": "403 Signup is disabled",
	"POST /invoices/stripe/webhook": "400 Invalid signature",
	"GET /health":                   ok, "GET /ready": ok, "GET /docs": ok, "GET /redoc": ok, "GET /openapi.json": ok,
}

// A matrixCell is a caller with the organization whose objects he asks for.
type matrixCell struct {
	caller string
	home   home
	want   string
}

// cells are the row's six, the same people of a suspended organization, and those whom nobody knows.
func (r row) cells(st *stage) []matrixCell {
	cells := []matrixCell{
		{"root", st.own, r.root}, {"ownadmin", st.own, r.admin}, {"ownmember", st.own, r.member}, {"loner", st.own, r.loner},
		{"ownkey", st.own, r.key}, {"otheradmin", st.own, r.foreign},
		{"root", st.held, r.root}, {"heldadmin", st.held, r.suspended(r.admin)}, {"heldmember", st.held, r.suspended(r.member)}, {"heldkey", st.held, r.suspendedKey()},
	}
	for caller, text := range unauthenticated {
		cells = append(cells, matrixCell{caller, st.own, "401 " + text})
	}
	return slices.DeleteFunc(cells, func(c matrixCell) bool { return c.want == "" })
}

// suspended is what a person is answered while the organization is suspended: the role is looked at before, all else
// after. Who sends or changes nothing is not concerned.
func (r row) suspended(want string) string {
	byRole := slices.Contains([]string{denied, newModel, setModel, delModel, delAgent}, want) && !strings.HasPrefix(r.route, "PUT /users/")
	if want == "" || byRole || strings.HasPrefix(r.route, "GET ") || strings.HasSuffix(r.route, "/calculate") {
		return want
	}
	return held
}

// suspendedKey is suspended for the key, which most routes refuse for what it is.
func (r row) suspendedKey() string {
	if r.key == denied {
		return denied
	}
	return r.suspended(r.key)
}

// No cell of the table is answered otherwise than it says, and whoever is refused changes nothing.
func TestMatrix_EveryCellIsAsTheContractSays(t *testing.T) {
	eachStage(t, func(st *stage) {
		count := 0
		for _, r := range matrix {
			cells := r.cells(st)
			slices.SortStableFunc(cells, func(a, b matrixCell) int { return strings.Compare(b.want, a.want) }) // refusals first
			before, isClean := st.fingerprint(), true
			for _, c := range cells {
				if c.want == ok && isClean {
					st.unchanged(before, r.route+" refused")
					isClean = false
				}
				st.check(r, c)
				count++
			}
			if isClean {
				st.unchanged(before, r.route+" refused")
			}
		}
		if count < 600 {
			st.t.Errorf("%d cells are not enough", count)
		}
	})
}

func (st *stage) check(r row, c matrixCell) {
	st.t.Helper()
	method, pattern, _ := strings.Cut(r.route, " ")
	path := r.path
	if path == "" {
		path = pattern
	}
	if c.want != ok { // nothing is spent on a refusal
		path = strings.ReplaceAll(strings.ReplaceAll(path, "{+user}", "{colleague}"), "{+", "{")
	}
	path, body := st.fill(c.home, path), st.fill(c.home, r.body)
	w := st.send(method, path, c.caller, body)
	st.compare(w, c.want, method+" "+path+" as "+c.caller)
}

// compare holds an answer against a cell.
func (st *stage) compare(w *httptest.ResponseRecorder, want, what string) {
	st.t.Helper()
	status, text, hasText := strings.Cut(want, " ")
	got := w.Body.String()
	if id(int64(w.Code)) != status || hasText && got != detailText(text) {
		st.t.Errorf("%s: %d %.300s, want %s", what, w.Code, got, want)
	}
	if (status == "401") != (w.Header().Get("WWW-Authenticate") == "Bearer") || w.Header().Get("X-Request-ID") == "" {
		st.t.Errorf("%s: headers %v", what, w.Header())
	}
}

// Public routes answer everybody alike, credentials or not.
func TestMatrix_PublicRoutesAskNobody(t *testing.T) {
	eachStage(t, func(st *stage) {
		for route, want := range public {
			method, path, _ := strings.Cut(route, " ")
			before := st.fingerprint()
			for caller := range st.tokens {
				w := st.send(method, path, caller, "")
				if status, text, _ := strings.Cut(want, " "); id(int64(w.Code)) != status || !strings.Contains(w.Body.String(), text) {
					st.t.Errorf("%s as %s: %d %.200s, want %s", route, caller, w.Code, w.Body, want)
				}
			}
			st.unchanged(before, route)
		}
	})
}

// A route that nobody has written rows for does not pass, nor a row without its route.
func TestMatrix_HoldsEveryRoute(t *testing.T) {
	s := &Server{Options: Options{Docs: true, Prefix: "/api/v1"}}
	routes := map[string]bool{}
	for _, rt := range s.routes() {
		name := rt.method + " " + rt.path
		routes[name] = true
		hasRow := slices.ContainsFunc(matrix, func(r row) bool { return r.route == name })
		_, isPublic := public[name]
		isPublic = isPublic || strings.HasPrefix(name, "GET /docs/") || strings.HasPrefix(name, "GET /redoc/")
		if isPublic == hasRow || isPublic != rt.rights.public {
			t.Errorf("%s needs rows in the matrix, or a place among the public routes", name)
		}
	}
	for _, r := range matrix {
		if !routes[r.route] {
			t.Errorf("%s is no route", r.route)
		}
	}
}
