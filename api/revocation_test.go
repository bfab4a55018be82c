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

// credentials are those that are tried after each revocation: the person's token, his key and another one of his, and, to see
// that nobody else is met, a colleague's token and the superuser's.
var credentials = []string{"token", "key", "spare", "colleague", "root"}

// wants is what a credential is answered, when reading and when recording.
func (r revocation) wants(credential string) (reads, writes string) {
	switch credential {
	case "token":
		return r.tokenReads, r.tokenWrites
	case "spare":
		if strings.Contains(r.path, "{apikey}") {
			return ok, ok
		}
		fallthrough
	case "key":
		return r.keyReads, r.keyWrites
	case "colleague":
		if r.what == "suspension" {
			return ok, held
		}
	}
	return ok, ok
}

// Whatever takes rights away on one replica has taken them away from the next request on any, though that one has just
// served the caller; what it refuses it does not record, and it says so before anything else is wrong with the request,
// and instead of an answer that was kept.
func TestRevocation_ActsAtOnceOnEveryReplica(t *testing.T) {
	storetest.EachTarget(t, func(t *testing.T, target store.Options) {
		st := newStage(t, target, Options{})
		target.Now = time.Now
		replicas := []*Server{st.s, newServer(t, storetest.Open(t, target), Options{}), newServer(t, storetest.Open(t, target), Options{})}
		for _, r := range revocations {
			u := st.user(st.own["org"], xyra.RoleUser)
			st.tokens["token"], st.tokens["colleague"] = st.token(u), st.token(st.user(st.own["org"], xyra.RoleUser))
			h := home{"user": id(u.ID), "otherorg": st.other["org"]}
			h["apikey"], st.tokens["key"] = st.key(u, nil)
			_, st.tokens["spare"] = st.key(u, nil)
			for _, credential := range credentials {
				for n := range replicas {
					if st.s = replicas[n]; r.what != "release" { // then they are still held
						st.must(http.MethodGet, st.fill(st.own, "/agents/{agent}"), credential, "")
						st.recordAs(credential, r.what)
					}
				}
			}
			st.s = replicas[0]
			if w := st.send(r.method, st.fill(st.own, st.fill(h, r.path)), "root", st.fill(st.own, st.fill(h, r.body))); w.Code != http.StatusOK {
				t.Fatalf("%s: %d %s", r.what, w.Code, w.Body)
			}
			for n := range replicas {
				st.s = replicas[n]
				for _, credential := range credentials {
					st.afterwards(r, credential)
				}
			}
			st.s = replicas[0]
		}
	})
}

// recordAs records an activity under a header key that belongs to what is about to happen.
func (st *stage) recordAs(credential, what string) *httptest.ResponseRecorder {
	return st.send(http.MethodPost, st.fill(st.own, "/agents/{agent}/activities"), credential, `{"activity_type":"call"}`,
		"Idempotency-Key", strings.ReplaceAll(what, " ", "-"))
}

// afterwards compares what a credential still gets on the present replica.
func (st *stage) afterwards(r revocation, credential string) {
	st.t.Helper()
	what := " after " + r.what + " with the " + credential
	reads, writes := r.wants(credential)
	record, batch := st.fill(st.own, "/agents/{agent}/activities"), st.fill(st.own, `{"events":[{"kind":"activity","agent_id":{agent},"activity_type":"call"}]}`)
	before := st.fingerprint()
	isRefused := writes != ok && writes != noAgent
	if isRefused {
		st.compare(st.send(http.MethodPost, record, credential, `{}`), writes, "recording nonsense"+what)
		st.compare(st.recordAs(credential, r.what), writes, "asking again"+what)
	}
	st.compare(st.send(http.MethodPost, record, credential, `{"activity_type":"call"}`), writes, "recording"+what)
	st.compare(st.send(http.MethodGet, st.fill(st.own, "/agents/{agent}"), credential, ""), reads, "reading"+what)
	w := st.send(http.MethodPost, "/events", credential, batch)
	if isRefused == (w.Code == http.StatusOK) || writes != ok && strings.Contains(w.Body.String(), `"accepted":1`) {
		st.t.Errorf("a batch%s: %d %s", what, w.Code, w.Body)
	}
	if writes != ok {
		st.unchanged(before, r.what)
	}
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
