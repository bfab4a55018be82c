package api

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"xyra"
)

// A posting is a protected POST that succeeds once, sent with an Idempotency-Key. {+names} are fresh objects, made once.
type posting struct {
	path, body, caller string
	otherBody          string // another valid body; "" where the route reads none
}

// one for each protected POST; TestIdempotency_KnowsEveryPost holds the list against the routes.
var postings = map[string]posting{
	"/users/":                                        {"/users", `{"email":"{unique}@example.com","password":"quite-a-secret"}`, "root", `{"email":"other@example.com","password":"quite-a-secret"}`},
	"/organizations/":                                {"/organizations", `{"name":"{unique}"}`, "root", `{"name":"another"}`},
	"/billing-models/":                               {"/billing-models", `{"name":"n","model_type":"seat","seat_price_per_seat":1,"organization_id":{org}}`, "ownadmin", `{"name":"m","model_type":"seat","seat_price_per_seat":1,"organization_id":{org}}`},
	"/billing-models/{model_id}/calculate":           {"/billing-models/{model}/calculate", `{"actions":1}`, "ownmember", `{"actions":2}`},
	"/agents/":                                       {"/agents", `{"name":"n","organization_id":{org}}`, "ownmember", `{"name":"m","organization_id":{org}}`},
	"/agents/{agent_id}/activities":                  {"/agents/{agent}/activities", `{"activity_type":"call","quantity":2}`, "ownkey", `{"activity_type":"call","quantity":3}`},
	"/agents/{agent_id}/costs":                       {"/agents/{agent}/costs", `{"cost_type":"c","amount":2}`, "ownmember", `{"cost_type":"c","amount":3}`},
	"/agents/{agent_id}/outcomes":                    {"/agents/{agent}/outcomes", `{"outcome_type":"sale","value":2,"verified":true}`, "ownadmin", `{"outcome_type":"sale","value":3}`},
	"/events":                                        {"/events", `{"events":[{"kind":"activity","agent_id":{agent},"activity_type":"call"},{}]}`, "ownkey", `{"events":[{"kind":"activity","agent_id":{agent},"activity_type":"mail"}]}`},
	"/invoices/":                                     {"/invoices", `{"organization_id":{org},"due_date":"2030-01-01","items":[]}`, "root", `{"organization_id":{org},"due_date":"2031-01-01","items":[]}`},
	"/invoices/generate/monthly":                     {"/invoices/generate/monthly?org_id={org}&year=2024&month=1", "", "root", ""},
	"/invoices/{invoice_id}/cancel":                  {"/invoices/{+invoice}/cancel", "", "root", ""},
	"/invoices/{invoice_id}/pay":                     {"/invoices/{+invoice}/pay", `{"payment_method":"bank"}`, "root", `{"payment_method":"cash"}`},
	"/invoices/{invoice_id}/payments":                {"/invoices/{+invoice}/payments", `{"amount":9,"payment_method":"bank"}`, "root", `{"amount":1,"payment_method":"cash"}`},
	"/invoices/{invoice_id}/credits":                 {"/invoices/{+invoice}/credits", `{}`, "root", `{"amount":1}`},
	"/invoices/{invoice_id}/checkout":                {"/invoices/{+invoice}/checkout", "", "root", ""},
	"/invoices/{invoice_id}/mail":                    {"/invoices/{+invoice}/mail", "", "root", ""},
	"/api-keys":                                      {"/api-keys", `{"name":"n"}`, "ownadmin", `{"name":"m"}`},
	"/api-keys/{api_key_id}/deactivate":              {"/api-keys/{+apikey}/deactivate", "", "ownmember", ""},
	"/webhook-endpoints":                             {"/webhook-endpoints", `{"url":"https://hooks.example.com/1","event_types":["invoice.paid"]}`, "ownadmin", `{"url":"https://hooks.example.com/2","event_types":["invoice.paid"]}`},
	"/webhook-endpoints/{endpoint_id}/rotate-secret": {"/webhook-endpoints/{endpoint}/rotate-secret", "", "ownadmin", ""},
	"/webhook-endpoints/{endpoint_id}/test":          {"/webhook-endpoints/{endpoint}/test", "", "ownadmin", ""},
	"/webhook-endpoints/{endpoint_id}/deliveries/{delivery_id}/replay": {"/webhook-endpoints/{endpoint}/deliveries/{delivery}/replay", "", "root", ""},
	"/jobs/{job_id}/retry":   {"/jobs/{+job}/retry", "", "root", ""},
	"/jobs/{job_id}/discard": {"/jobs/{+job}/discard", "", "root", ""},
}

func TestIdempotency_KnowsEveryPost(t *testing.T) {
	for _, rt := range (&Server{}).routes() {
		if _, known := postings[rt.path]; rt.method == http.MethodPost && known == rt.rights.public {
			t.Errorf("POST %s: write a posting for it", rt.path)
		}
	}
}

// keyed sends a posting with a key.
func (st *stage) keyed(path, caller, body, key string) *httptest.ResponseRecorder {
	return st.send(http.MethodPost, path, caller, body, "Idempotency-Key", key)
}

func isReplay(w *httptest.ResponseRecorder) bool {
	return w.Header().Get("Idempotent-Replayed") == "true"
}

var secret = regexp.MustCompile(`"(token|secret)":"[^"]*"`)

// On every route: the same request again is answered with the same bytes and has no effect; the same key with another
// body, query or path is refused; another caller's key is another key.
func TestIdempotency_RepeatsHaveOneEffect(t *testing.T) {
	eachStage(t, func(st *stage) {
		st.must(http.MethodPost, "/invoices/"+st.fresh(st.own, "invoice")+"/payments", "root", `{"amount":99,"payment_method":"bank"}`) // credit to settle with
		for route, p := range postings {
			path, body, other := st.fill(st.own, p.path), st.fill(st.own, p.body), st.fill(st.own, p.otherBody)
			key := "key of " + strings.ReplaceAll(route, "{", "")
			key = strings.ReplaceAll(key, " ", "_")
			first := st.keyed(path, p.caller, body, key)
			if first.Code != http.StatusOK && !strings.HasSuffix(route, "/checkout") && !strings.HasSuffix(route, "/mail") || isReplay(first) {
				st.t.Errorf("%s: %d %s", route, first.Code, first.Body)
			}
			before := st.fingerprint()
			want := secret.ReplaceAllString(first.Body.String(), `"$1":null`)
			for range 3 {
				again := st.keyed(path, p.caller, body, key)
				if again.Code != first.Code || again.Body.String() != want || !isReplay(again) {
					st.t.Errorf("%s again: %d %v %s, first %s", route, again.Code, again.Header(), again.Body, want)
				}
			}
			misuse := []*httptest.ResponseRecorder{st.keyed(path+"/", p.caller, body, key), st.keyed("/agents?x=1", p.caller, body, key), st.keyed(path+"?a=b", p.caller, body, key), st.keyed(path, p.caller, body+" ", key)}
			if other != "" {
				misuse = append(misuse, st.keyed(path, p.caller, other, key))
			}
			if p.caller == "ownkey" {
				misuse[1] = misuse[0] // a key may not post there
			}
			for n, w := range misuse {
				if w.Code != 422 || w.Body.String() != detailText("Idempotency-Key was used with a different request") || isReplay(w) {
					st.t.Errorf("%s, misuse %d: %d %s", route, n, w.Code, w.Body)
				}
			}
			st.unchanged(before, route+" repeated")
			for _, stranger := range []string{"otheradmin", "loner", "ownkey"} {
				if stranger != p.caller {
					if w := st.keyed(path, stranger, body, key); isReplay(w) || w.Code == 409 || w.Code == 422 {
						st.t.Errorf("%s: %s with the key of %s: %d %s", route, stranger, p.caller, w.Code, w.Body)
					}
				}
			}
		}
	})
}

// Refusals: those that a repeat would meet again are kept, those that the client can do something about are not.
func TestIdempotency_KeepsWhatIsFinal(t *testing.T) {
	refusals := []struct {
		status             int
		caller, path, body string
		isKept             bool
	}{
		{400, "root", "/agents", `{"name":"n","organization_id":987654321}`, true},
		{400, "ownadmin", "/agents/{agent}/activities", `{"activity_type":"a","agent_id":987654321}`, true},
		{400, "root", "/invoices/generate/monthly?org_id={org}&year=2024&month=13", "", true},
		{400, "loner", "/api-keys", `{"name":"n"}`, true},
		{404, "ownkey", "/agents/987654321/costs", `{"cost_type":"c","amount":1}`, true},
		{404, "loner", "/agents/{agent}/outcomes", `{"outcome_type":"o","value":1}`, true},
		{404, "root", "/invoices/987654321/cancel", "", true},
		{404, "ownmember", "/billing-models/987654321/calculate", `{}`, true},
		{409, "ownmember", "/agents", `{"name":"n","organization_id":{org},"external_id":"{externaltext}"}`, true},
		{401, "nobody", "/agents", `{}`, false},
		{403, "ownkey", "/agents", `{}`, false},
		{403, "otheradmin", "/agents", `{"name":"n","organization_id":{org}}`, false},
		{403, "heldadmin", "/agents", `{"name":"n","organization_id":1}`, false},
		{413, "ownadmin", "/agents", strings.Repeat(" ", bodyMax+1), false},
		{422, "ownadmin", "/agents", `{}`, false},
		{422, "ownadmin", "/agents/x/costs", `x`, false},
		{422, "ownadmin", "/agents/{agent}/costs", `{"cost_type":"c","details":{"seats":-1}}`, false},
	}
	eachStage(t, func(st *stage) {
		for n, r := range refusals {
			path, body, key := st.fill(st.own, r.path), st.fill(st.own, r.body), "refused"+id(int64(n))
			first, second := st.keyed(path, r.caller, body, key), st.keyed(path, r.caller, body, key)
			if first.Code != r.status || second.Code != r.status || first.Body.String() != second.Body.String() || isReplay(first) || isReplay(second) != r.isKept {
				st.t.Errorf("%s as %s: %d %s, again %d %v", r.path, r.caller, first.Code, first.Body, second.Code, second.Header())
			}
			if differs := st.keyed(path, r.caller, body+" ", key); differs.Body.String() != first.Body.String() != r.isKept && r.status != 413 {
				st.t.Errorf("%s as %s, then differently: %d %s", r.path, r.caller, differs.Code, differs.Body)
			}
		}
		// A conflict of events is kept too, and its answer after the cause is gone.
		st.must(http.MethodPost, st.fill(st.own, "/agents/{agent}/activities"), "ownkey", `{"activity_type":"a","idempotency_key":"k"}`)
		conflict := func() *httptest.ResponseRecorder {
			return st.keyed(st.fill(st.own, "/agents/{agent}/activities"), "ownkey", `{"activity_type":"b","idempotency_key":"k"}`, "conflict")
		}
		if first, again := conflict(), conflict(); first.Code != 409 || again.Code != 409 || !isReplay(again) || first.Body.String() != again.Body.String() {
			st.t.Errorf("conflict: %d %s, again %d %s", first.Code, first.Body, again.Code, again.Body)
		}
	})
}

// The key itself: visible ASCII, 1 to 255; public routes and other methods do not read it.
func TestIdempotency_KeysHaveAForm(t *testing.T) {
	eachStage(t, func(st *stage) {
		before := st.fingerprint()
		for _, bad := range []string{"", " ", "a b", "é", "\x7f", "\x01", strings.Repeat("k", 256)} {
			w := st.keyed("/agents", "ownadmin", `{`, bad)
			if w.Code != 422 || places(w) != "header.idempotency-key" {
				st.t.Errorf("key %q: %d %s", bad, w.Code, w.Body)
			}
		}
		for _, w := range []*httptest.ResponseRecorder{
			st.send(http.MethodPut, st.fill(st.own, "/agents/{agent}"), "ownadmin", `{}`, "Idempotency-Key", "a b"),
			st.send(http.MethodGet, st.fill(st.own, "/agents/{agent}"), "ownadmin", "", "Idempotency-Key", "a b"),
		} {
			if w.Code != http.StatusOK || isReplay(w) {
				st.t.Errorf("%d %s", w.Code, w.Body)
			}
		}
		for range 2 {
			if w := st.keyed("/invoices/stripe/webhook", "nobody", `{}`, "a b"); w.Code != 400 || isReplay(w) {
				st.t.Errorf("webhook: %d %s", w.Code, w.Body)
			}
		}
		st.unchanged(before, "a bad key")
		for _, good := range []string{"!", "~", strings.Repeat("k", 255)} {
			if w := st.keyed("/api-keys", "ownadmin", `{"name":"n"}`, good); w.Code != http.StatusOK {
				st.t.Errorf("key %q: %d %s", good, w.Code, w.Body)
			}
		}
	})
}

// Sent eight times at once over two servers, a request has one effect; the others get its answer or are told to wait.
func TestIdempotency_ConcurrentRepeatsHaveOneEffect(t *testing.T) {
	eachStage(t, func(st *stage) {
		replica := st.s.withOptions(func(*Options) {})
		count := func(table string) int { return len(st.rows(table)) }
		for _, of := range []struct{ table, path, body, caller string }{
			{"agents", "/agents", `{"name":"n","organization_id":{org}}`, "ownadmin"},
			{"events", "/agents/{agent}/activities", `{"activity_type":"call"}`, "ownkey"},
			{"events", "/events", `{"events":[{"kind":"cost","agent_id":{agent},"cost_type":"c","amount":1}]}`, "ownmember"},
			{"api_keys", "/api-keys", `{"name":"n"}`, "ownmember"},
			{"invoices", "/invoices", `{"organization_id":{org},"due_date":"2030-01-01","items":[]}`, "root"},
		} {
			before := count(of.table)
			path, body := st.fill(st.own, of.path), st.fill(st.own, of.body)
			answers := make([]*httptest.ResponseRecorder, 8)
			var all sync.WaitGroup
			for n := range answers {
				all.Go(func() {
					r := httptest.NewRequest(http.MethodPost, "/api/v1"+path, strings.NewReader(body))
					r.Header.Set("Authorization", "Bearer "+st.tokens[of.caller])
					r.Header.Set("Idempotency-Key", "at-once"+of.path)
					answers[n] = httptest.NewRecorder()
					[]*Server{st.s, replica}[n%2].ServeHTTP(answers[n], r)
				})
			}
			all.Wait()
			firsts := 0
			for _, w := range answers {
				switch {
				case w.Code == http.StatusOK && !isReplay(w):
					firsts++
				case w.Code == http.StatusConflict:
					if w.Body.String() != detailText("A request with this Idempotency-Key is still in progress") || w.Header().Get("Retry-After") != "1" {
						st.t.Errorf("%s: %v %s", of.path, w.Header(), w.Body)
					}
				case w.Code != http.StatusOK:
					st.t.Errorf("%s: %d %s", of.path, w.Code, w.Body)
				}
			}
			if made := count(of.table) - before; firsts != 1 || made != 1 {
				st.t.Errorf("%s: %d first answers, %d new rows of %s", of.path, firsts, made, of.table)
			}
			if w := st.keyed(path, of.caller, body, "at-once"+of.path); w.Code != http.StatusOK || !isReplay(w) {
				st.t.Errorf("%s afterwards: %d %s", of.path, w.Code, w.Body)
			}
		}
	})
}

// While the first request is still running, another with its key is told to come again, at once.
func TestIdempotency_RunningRequestsAreNotJoined(t *testing.T) {
	eachStage(t, func(st *stage) {
		block, body := "BEGIN IMMEDIATE", st.fill(st.own, `{"name":"n","organization_id":{org}}`)
		if st.s.db.IsPostgres() {
			block = "BEGIN; SELECT id FROM organizations WHERE id = " + st.own["org"] + " FOR UPDATE"
		}
		if _, err := st.sql.ExecContext(st.t.Context(), block); err != nil {
			st.t.Fatal(err)
		}
		answers := make(chan *httptest.ResponseRecorder, 2)
		for range 2 {
			go func() { answers <- st.keyed("/agents", "ownadmin", body, "k") }()
		}
		if w := <-answers; w.Code != 409 || w.Body.String() != detailText("A request with this Idempotency-Key is still in progress") || w.Header().Get("Retry-After") != "1" {
			st.t.Errorf("meanwhile: %d %v %s", w.Code, w.Header(), w.Body)
		}
		if _, err := st.sql.ExecContext(st.t.Context(), "ROLLBACK"); err != nil {
			st.t.Fatal(err)
		}
		if w := <-answers; w.Code != http.StatusOK || isReplay(w) {
			st.t.Errorf("the first: %d %s", w.Code, w.Body)
		}
		if w := st.keyed("/agents", "ownadmin", body, "k"); w.Code != http.StatusOK || !isReplay(w) {
			st.t.Errorf("afterwards: %d %s", w.Code, w.Body)
		}
	})
}

// A kept answer is its owner's: after he has lost his rights he reads it no more, and it holds no secret.
func TestIdempotency_AnswersAreKeptSafe(t *testing.T) {
	eachStage(t, func(st *stage) {
		u := st.user(st.own["org"], xyra.RoleUser)
		st.tokens["leaver"] = st.token(u)
		created := st.keyed("/api-keys", "leaver", `{"name":"n"}`, "k")
		token := child(parsed(st.t, created.Body.Bytes()), "token").Text()
		for _, table := range st.tables {
			if slices.ContainsFunc(st.rows(table), func(line string) bool { return strings.Contains(line, token) }) || token == "" {
				st.t.Errorf("%s holds the secret of a key", table)
			}
		}
		st.must(http.MethodPut, "/users/"+id(u.ID), "root", `{"is_active":false}`)
		if w := st.keyed("/api-keys", "leaver", `{"name":"n"}`, "k"); w.Code != 401 || isReplay(w) {
			st.t.Errorf("after leaving: %d %s", w.Code, w.Body)
		}
	})
}
