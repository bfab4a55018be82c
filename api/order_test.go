package api

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// An order is a request with several faults, of which the one that is checked first decides. want is "status text", or
// "422" with the places of all items.
type order struct {
	fault                      string
	caller, method, path, body string
	want                       string
}

var orders = []order{
	{"credentials before a broken body", "nobody", "POST", "/agents", `{"`, "401 Not authenticated"},
	{"credentials before the wrong method", "nobody", "PATCH", "/agents", "", "401 Not authenticated"},
	{"credentials before the wrong method", "forged", "HEAD", "/agents/{agent}", "", "401 Could not validate credentials"},
	{"credentials before a missing object", "inactive", "GET", "/agents/987654321", "", "401 Inactive user"},
	{"credentials before a bad id", "gone", "GET", "/agents/x", "", "401 User not found"},
	{"credentials before a bad query", "expiredkey", "GET", "/invoices?org_id=x&skip=-1", "", "401 Could not validate credentials"},
	{"credentials before a body too large", "nobody", "POST", "/agents", "large", "401 Not authenticated"},
	{"an unknown path is unknown to everybody", "nobody", "GET", "/agent", "", "404 Not Found"},
	{"an unknown path is unknown to everybody", "forged", "POST", "/agents//activities", "{", "404 Not Found"},
	{"public paths have no 401", "nobody", "GET", "/auth/login", "", "405 Method Not Allowed"},
	{"public paths have no 401", "forged", "DELETE", "/invoices/stripe/webhook", "", "405 Method Not Allowed"},
	{"the method of another route on the path", "ownkey", "DELETE", "/events", "", "405 Method Not Allowed"},

	{"role before a broken body", "ownmember", "POST", "/organizations", `{"name"`, "403 Not enough permissions"},
	{"role before a bad id", "ownkey", "PUT", "/agents/x", `[]`, "403 Not enough permissions"},
	{"role before a missing object", "ownmember", "DELETE", "/agents/987654321", "", "403 Not enough permissions to delete this agent"},
	{"role before a body too large", "ownmember", "POST", "/users", "large", "403 Not enough permissions"},
	{"role before suspension", "heldmember", "POST", "/organizations", `{`, "403 Not enough permissions"},
	{"role before suspension", "heldkey", "DELETE", "/billing-models/x", "", "403 Not enough permissions to delete this billing model"},
	{"suspension before input", "heldadmin", "POST", "/agents", `{`, "403 Organization is suspended"},
	{"suspension before input", "heldkey", "POST", "/agents/x/costs", `{`, "403 Organization is suspended"},
	{"suspension before a missing object", "heldmember", "PUT", "/agents/987654321", `{}`, "403 Organization is suspended"},
	{"suspension before a body too large", "heldkey", "POST", "/events", "huge", "403 Organization is suspended"},

	{"size before bad ids", "root", "PUT", "/agents/x", "large", "413 Request body too large"},
	{"size before a missing object", "ownadmin", "POST", "/agents/987654321/activities", "large", "413 Request body too large"},
	{"size of batches", "ownadmin", "POST", "/events", "huge", "413 Request body too large"},

	{"path, then body", "ownadmin", "PUT", "/agents/x", `{"name":1,"is_active":"x"}`, "422 path.agent_id body.name body.is_active"},
	{"path, then query", "ownadmin", "GET", "/analytics/organization/x/top-agents?limit=0&start_date=x", "", "422 path.org_id query.limit query.start_date"},
	{"path, then absent body", "ownadmin", "POST", "/agents/x/outcomes", "", "422 path.agent_id body"},
	{"path, then body of the wrong kind", "ownadmin", "POST", "/agents/x/outcomes", "[]", "422 path.agent_id body"},
	{"broken JSON stands alone", "ownadmin", "PUT", "/agents/x", `{"name":1,}`, "422 body.9"},
	{"fields in the order of the table", "root", "POST", "/users", `{"organization_id":"1","role":"x","email":1}`, "422 body.email body.role body.password body.organization_id"},
	{"fields in the order of the table", "ownadmin", "POST", "/agents", `{"billing_model_id":"x","capabilities":{},"config":[]}`, "422 body.name body.config body.capabilities body.organization_id body.billing_model_id"},
	{"lists in their places", "root", "POST", "/invoices", `{"items":[{"quantity":-1},{"description":1}],"due_date":"x"}`, "422 body.organization_id body.due_date body.items.0.description body.items.0.quantity body.items.0.unit_price body.items.0.amount body.items.0.item_type body.items.1.description body.items.1.unit_price body.items.1.amount body.items.1.item_type"},
	{"query of a generation", "root", "POST", "/invoices/generate/monthly?year=x&currency=nope", "{", "422 query.org_id query.year query.month query.currency"},
	{"input before the path's own agent", "ownadmin", "POST", "/agents/987654321/activities", `{"agent_id":1}`, "422 body.activity_type"},
	{"input before a named organization", "ownadmin", "POST", "/billing-models", `{"organization_id":{otherorg},"name":1,"model_type":"seat"}`, "422 body.name"},
	{"input before a named organization", "ownadmin", "GET", "/agents?org_id={otherorg}&skip=-1", "", "422 query.skip"},
	{"input before a missing object", "ownadmin", "GET", "/agents/987654321/activities?limit=1001", "", "422 query.limit"},
	{"input before the missing organization", "loner", "POST", "/api-keys", `{}`, "422 body.name"},

	{"agent of the path before a missing agent", "ownadmin", "POST", "/agents/987654321/activities", `{"activity_type":"a","agent_id":1}`, "400 Agent ID in path must match the one in request body"},
	{"dates of a summary before a missing agent", "ownadmin", "GET", "/agents/987654321/billing-summary?start_date=x", "", "400 Invalid start_date format. Use ISO format (e.g., 2023-01-01T00:00:00Z)"},
	{"both dates of a summary", "ownadmin", "GET", "/agents/987654321/billing-summary?end_date=x&start_date=y", "", "400 Invalid start_date format. Use ISO format (e.g., 2023-01-01T00:00:00Z)"},
	{"an organization's need before a missing key", "loner", "GET", "/api-keys/987654321", "", "400 User must belong to an organization to access API keys"},
	{"month before organization", "root", "POST", "/invoices/generate/monthly?org_id=987654321&year=0&month=13", "", "400 Month must be between 1 and 12"},
	{"organization before year", "root", "POST", "/invoices/generate/monthly?org_id=987654321&year=0&month=1", "", "404 Organization not found"},
	{"year before the period's end", "root", "POST", "/invoices/generate/monthly?org_id={org}&year=10000&month=1", "", "400 year 10000 is out of range"},
	{"organization before metric", "root", "GET", "/analytics/organization/987654321/top-agents?metric=x", "", "404 Organization not found"},
	{"foreign organization before metric", "ownadmin", "GET", "/analytics/organization/{otherorg}/top-agents?metric=x", "", "403 Not enough permissions to access analytics for this organization"},

	{"missing user before what may be changed", "ownadmin", "PUT", "/users/987654321", `{"is_superuser":true}`, "404 User not found"},
	{"foreign organization before the model", "ownadmin", "POST", "/agents", `{"name":"n","organization_id":{otherorg},"billing_model_id":987654321}`, "403 Not enough permissions to create agents for this organization"},
	{"organization before the model", "root", "POST", "/agents", `{"name":"n","organization_id":987654321,"billing_model_id":987654321}`, "400 Organization with ID 987654321 not found"},
	{"model before the external id", "ownadmin", "POST", "/agents", `{"name":"n","organization_id":{org},"billing_model_id":987654321,"external_id":"{externaltext}"}`, "400 Billing model with ID 987654321 not found"},
	{"what a plain user may change before the model", "ownmember", "PUT", "/agents/{agent}", `{"billing_model_id":987654321}`, "403 Not enough permissions to update this agent"},
	{"organization before the rules of models", "root", "POST", "/billing-models", `{"name":"n","model_type":"x","organization_id":987654321}`, "400 Organization with ID 987654321 not found"},
	{"organization before number and lines", "root", "POST", "/invoices", `{"organization_id":987654321,"due_date":"2030-01-01","items":[{"description":"d","unit_price":1,"amount":2,"item_type":"t"}]}`, "400 Organization with ID 987654321 not found"},
	{"name before external id", "root", "POST", "/organizations", `{"name":"Own","external_id":"Other"}`, "400 An organization with this name already exists"},
	{"e-mail before organization", "root", "POST", "/users", `{"email":"ADMIN@example.com","password":"quite-a-secret","organization_id":987654321}`, "400 A user with this email already exists"},
}

var place = regexp.MustCompile(`"loc":\[([^\]]*)\]`)

// places are where the items of a 422 are, joined by points.
func places(w *httptest.ResponseRecorder) string {
	var all []string
	for _, loc := range place.FindAllStringSubmatch(w.Body.String(), -1) {
		all = append(all, strings.ReplaceAll(strings.ReplaceAll(loc[1], `"`, ""), ",", "."))
	}
	return strings.Join(all, " ")
}

// Of several faults the first of the contract's order is answered, and nothing is written.
func TestOrder_TheFirstFaultIsAnswered(t *testing.T) {
	bodies := map[string]string{"large": `{"name":"` + strings.Repeat("x", bodyMax) + `"}`, "huge": `{"events":"` + strings.Repeat("x", batchBodyMax) + `"}`}
	eachStage(t, func(st *stage) {
		names := home{"otherorg": st.other["org"]}
		before := st.fingerprint()
		for _, o := range orders {
			body := o.body
			if size, isSize := bodies[body]; isSize {
				body = size
			}
			w := st.send(o.method, st.fill(names, st.fill(st.own, o.path)), o.caller, st.fill(names, st.fill(st.own, body)))
			want, got := o.want, id(int64(w.Code))+" "
			if w.Code == http.StatusUnprocessableEntity {
				got += places(w)
			} else {
				want, got = strings.Replace(want, " ", " "+`{"detail":"`, 1)+`"}`, got+w.Body.String()
			}
			if got != want {
				st.t.Errorf("%s: %s %s as %s: %.300s, want %s", o.fault, o.method, o.path, o.caller, got, want)
			}
		}
		st.unchanged(before, "a fault")
	})
}

// Every protected path asks for credentials before anything else about the request is looked at, with any method.
func TestOrder_CredentialsComeFirstEverywhere(t *testing.T) {
	eachStage(t, func(st *stage) {
		before, routes := st.fingerprint(), st.s.routes()
		for _, rt := range routes {
			if rt.rights.public {
				continue
			}
			path := regexp.MustCompile(`\{\w+\}`).ReplaceAllString(rt.path, "%00")
			for _, method := range []string{rt.method, "HEAD", "OPTIONS", "PATCH", "TRACE", "CONNECT", "PROPFIND"} {
				isPublicToo := slices.ContainsFunc(routes, func(other *route) bool { return other.path == rt.path && other.method == method && other.rights.public })
				w := st.send(method, path+"?skip=x&skip=-1", "forged", "{\x00", "Idempotency-Key", "\x01", "Content-Type", "image/png")
				if !isPublicToo && (w.Code != 401 || w.Body.String() != detailText("Could not validate credentials") || w.Header().Get("WWW-Authenticate") != "Bearer") {
					st.t.Errorf("%s %s: %d %s", method, path, w.Code, w.Body)
				}
			}
		}
		st.unchanged(before, "nobody")
	})
}
