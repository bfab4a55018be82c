package api

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"xyra"
	"xyra/store"
	"xyra/store/storetest"
)

// A revocation is something done on one replica; token and key are what the next request on another one is answered
// when it is sent by the person concerned or his key: reading, then recording.
type revocation struct {
	what                                         string
	method, path, body                           string // {user} and {apikey} are the person's
	tokenReads, tokenWrites, keyReads, keyWrites string
}

const unknown = "401 Could not validate credentials"

var revocations = []revocation{
	{"a new password", "PUT", "/users/{user}", `{"password":"another-secret"}`, unknown, unknown, ok, ok},
	{"a higher role", "PUT", "/users/{user}", `{"role":"admin"}`, unknown, unknown, ok, ok},
	{"the platform's rights", "PUT", "/users/{user}", `{"is_superuser":true}`, unknown, unknown, ok, ok},
	{"deactivation", "PUT", "/users/{user}", `{"is_active":false}`, "401 Inactive user", "401 Inactive user", unknown, unknown},
	{"deletion", "DELETE", "/users/{user}", "", "401 User not found", "401 User not found", unknown, unknown},
	{"another organization", "PUT", "/users/{user}", `{"organization_id":{otherorg}}`, noAgent, noAgent, unknown, unknown},
	{"no organization", "PUT", "/users/{user}", `{"organization_id":null}`, noAgent, noAgent, unknown, unknown},
	{"a key switched off", "PUT", "/api-keys/{apikey}", `{"is_active":false}`, ok, ok, unknown, unknown},
	{"a key deactivated", "POST", "/api-keys/{apikey}/deactivate", "", ok, ok, unknown, unknown},
	{"a key deleted", "DELETE", "/api-keys/{apikey}", "", ok, ok, unknown, unknown},
	{"a key expired", "PUT", "/api-keys/{apikey}", `{"expires_at":"2001-01-01"}`, ok, ok, unknown, unknown},
	{"suspension", "PUT", "/organizations/{org}", `{"status":"suspended"}`, ok, held, ok, held},
	{"release", "PUT", "/organizations/{org}", `{"status":"active"}`, ok, ok, ok, ok},
}

// Whatever takes rights away on one replica has taken them away from the next request on any other, though that one has
// just served the caller; what it refuses it does not record.
func TestRevocation_ActsAtOnceOnEveryReplica(t *testing.T) {
	storetest.EachTarget(t, func(t *testing.T, target store.Options) {
		st := newStage(t, target, Options{})
		target.Now = time.Now
		first, second := st.s, newServer(t, storetest.Open(t, target), Options{})
		for _, r := range revocations {
			u := st.user(st.own["org"], xyra.RoleUser)
			st.tokens["token"] = st.token(u)
			h := home{"user": id(u.ID), "otherorg": st.other["org"]}
			h["apikey"], st.tokens["key"] = st.key(u, nil)
			record, batch := st.fill(st.own, "/agents/{agent}/activities"), st.fill(st.own, `{"events":[{"kind":"activity","agent_id":{agent},"activity_type":"call"}]}`)
			st.s = second
			if r.what != "release" { // then they are still held
				for _, caller := range []string{"token", "key"} {
					st.must(http.MethodGet, st.fill(st.own, "/agents/{agent}"), caller, "")
					st.must(http.MethodPost, record, caller, `{"activity_type":"call"}`)
				}
			}
			st.s = first
			if w := st.send(r.method, st.fill(st.own, st.fill(h, r.path)), "root", st.fill(st.own, st.fill(h, r.body))); w.Code != http.StatusOK {
				t.Fatalf("%s: %d %s", r.what, w.Code, w.Body)
			}
			st.s = second
			before := st.fingerprint()
			recorded := false
			for caller, wants := range map[string][2]string{"token": {r.tokenReads, r.tokenWrites}, "key": {r.keyReads, r.keyWrites}} {
				st.compare(st.send(http.MethodPost, record, caller, `{"activity_type":"call"}`), wants[1], "recording after "+r.what+" with a "+caller)
				st.compare(st.send(http.MethodGet, st.fill(st.own, "/agents/{agent}"), caller, ""), wants[0], "reading after "+r.what+" with a "+caller)
				w := st.send(http.MethodPost, "/events", caller, batch)
				if isRefused := wants[1] != ok; wants[1] != noAgent && isRefused == (w.Code == http.StatusOK) || isRefused && strings.Contains(w.Body.String(), `"accepted":1`) {
					t.Errorf("a batch after %s with a %s: %d %s", r.what, caller, w.Code, w.Body)
				}
				recorded = recorded || wants[1] == ok
			}
			if !recorded {
				st.unchanged(before, r.what)
			}
			st.s = first
		}
	})
}

// Many clients at once, who change the same objects while others record and bill, meet refusals but no fault, on one
// server and on two.
func TestHostile_ConcurrentClientsMeetNoFault(t *testing.T) {
	storetest.EachTarget(t, func(t *testing.T, target store.Options) {
		st := newStage(t, target, Options{})
		target.Now = time.Now
		servers := []*Server{st.s, newServer(t, storetest.Open(t, target), Options{})}
		requests := []struct{ method, path, caller, body string }{
			{"PUT", "/billing-models/{model}", "ownadmin", `{"hybrid_base_fee":@}`},
			{"PUT", "/agents/{agent}", "ownadmin", `{"billing_model_id":{model},"name":"n@"}`},
			{"PUT", "/agents/{agent}", "ownadmin", `{"billing_model_id":null}`},
			{"PUT", "/organizations/{org}", "root", `{"settings":{"currency":"EUR"},"timezone":"Europe/Berlin"}`},
			{"PUT", "/organizations/{org}", "ownadmin", `{"settings":{"currency":"USD"},"timezone":"UTC"}`},
			{"POST", "/agents/{agent}/activities", "ownkey", `{"activity_type":"call","timestamp":"2024-01-31T23:30:00Z"}`},
			{"POST", "/agents/{agent}/activities", "ownkey", `{"activity_type":"call","idempotency_key":"k@"}`},
			{"POST", "/agents/{agent}/outcomes", "ownadmin", `{"outcome_type":"sale","value":@,"timestamp":"2024-01-15"}`},
			{"POST", "/events", "ownmember", `{"events":[{"kind":"activity","agent_id":{agent},"activity_type":"call","idempotency_key":"k@"},{"kind":"cost","agent_id":{agent},"cost_type":"c","amount":@}]}`},
			{"POST", "/invoices/generate/monthly?org_id={org}&year=2024&month=1", "root", ""},
			{"POST", "/invoices/{invoice}/payments", "root", `{"amount":1,"payment_method":"m"}`},
			{"POST", "/invoices/{invoice}/credits", "root", `{}`},
			{"POST", "/invoices/{invoice}/cancel", "root", ""},
			{"POST", "/invoices", "root", `{"organization_id":{org},"due_date":"2030-01-01","items":[]}`},
			{"POST", "/agents", "ownmember", `{"name":"n","organization_id":{org},"billing_model_id":{model},"external_id":"e@"}`},
			{"POST", "/api-keys", "ownmember", `{"name":"n"}`},
			{"PUT", "/users/{user}", "root", `{"full_name":"n@"}`},
			{"PUT", "/users/{colleague}", "ownadmin", `{"role":"user"}`},
			{"DELETE", "/billing-models/{model}", "ownadmin", ""},
			{"DELETE", "/organizations/{org}", "root", ""},
			{"GET", "/agents/{agent}/stats", "ownkey", ""},
			{"GET", "/analytics/organization/{org}/summary", "ownkey", ""},
		}
		const clients, rounds = 8, 40
		var all sync.WaitGroup
		for n := range clients {
			all.Go(func() {
				for round := range rounds {
					q := requests[(n*7+round*(n+1))%len(requests)]
					body := strings.ReplaceAll(st.fill(st.own, q.body), "@", id(int64(round%5)))
					r := httptest.NewRequest(q.method, "/api/v1"+st.fill(st.own, q.path), strings.NewReader(body))
					r.Header.Set("Authorization", "Bearer "+st.tokens[q.caller])
					w := httptest.NewRecorder()
					servers[(n+round)%2].ServeHTTP(w, r)
					if w.Code >= 500 {
						t.Errorf("%s %s %s: %d %s", q.method, q.path, body, w.Code, w.Body)
					}
				}
			})
		}
		all.Wait()
		st.verify()
	})
}
