package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"xyra/store/storetest"
	"xyra/usage"
)

// The quick way and the route give the same answer to the same event, whatever the event looks like.
func TestIngest_AnswersAsTheRouteDoes(t *testing.T) {
	target := storetest.SQLite(t)
	target.Now = time.Now
	db := storetest.Open(t, target)
	s := newServer(t, db, Options{})
	token, agent := ingestWorld(t, s)
	ids := regexp.MustCompile(`"id":\d+|-(quick|route)"|"timestamp":"20[2-9][5-9][^"]*"`)
	for kind, bodies := range map[string][]string{
		"activities": {
			`{"activity_type":"call"}`, `{"activity_type":"call","quantity":2.50}`, `{"activity_type":"call","quantity":"3e2","x":1}`, `{"activity_type":"cäll \u00e9\n","quantity":0.000000000001}`,
			`{"activity_type":"call","activity_metadata":{"b": 1.0, "a": [1, {"c":null}]},"timestamp":"2024-02-29T12:00:00.25+02:00","idempotency_key":"k1-KEY"}`,
			`{"activity_type":"call","timestamp":1709200000,"agent_id":AGENT}`, `{"activity_type":"call","agent_id":AGENT.0}`, `{"activity_type":"call","agent_id":77}`,
			`{"activity_type":"call","quantity":0}`, `{"activity_type":"call","quantity":-1}`, `{"activity_type":"call","quantity":null}`, `{"activity_type":null}`, `{}`, `[]`, `{`, `null`, ` {"activity_type" : "call" } `,
			`{"activity_type":"call","kind":"cost","agent_external_id":7,"organization_id":"x"}`, `{"activity_type":"call","currency":"nope","verified":3,"amount":1,"details":5,"value":true}`,
			`{"activity_type":"call","timestamp":null}`, `{"activity_type":"call","idempotency_key":null,"activity_metadata":null}`, `{"activity_type":"call","idempotency_key":""}`,
			`{"activity_type":"call","timestamp":"2124-01-01"}`, `{"activity_type":"call","activity_type":"x"}`, `{"activity_type":"` + strings.Repeat("x", 256) + `"}`,
			`{"activity_type":"` + strings.Repeat("é", 255) + `"}`, `{"activity_type":"call","quantity":1e15}`, `{"activity_type":"call","quantity":0.0000000000001}`,
		},
		"costs": {
			`{"cost_type":"t","amount":0}`, `{"cost_type":"t","amount":"1.10","currency":"eur","details":{"x":[]}}`, `{"cost_type":"t"}`, `{"cost_type":"t","details":{"actions":4}}`,
			`{"cost_type":"t","details":{"actions":-4}}`, `{"cost_type":"t","amount":1,"currency":null}`, `{"cost_type":"t","amount":1,"currency":"XXX"}`, `{"cost_type":"t","amount":-1}`, `{"cost_type":"t","amount":1,"quantity":7}`,
			`{"cost_type":"t","amount":1,"idempotency_key":"k2-KEY","timestamp":"2024-01-01"}`,
		},
		"outcomes": {
			`{"outcome_type":"sale","value":12.5,"verified":true}`, `{"outcome_type":"sale","value":12.5,"verified":"yes"}`, `{"outcome_type":"sale"}`, `{"outcome_type":"sale","value":0,"currency":"JPY","details":{},"outcome_count":3}`,
		},
	} {
		for _, body := range bodies {
			send := func(slash, name string) (int, string) {
				sent := strings.NewReplacer("AGENT", fmt.Sprint(agent), "KEY", name).Replace(body)
				w := ask(s, http.MethodPost, fmt.Sprintf("/api/v1/agents/%d/%s%s", agent, kind, slash), token, sent)
				answer := ids.ReplaceAllString(w.Body.String(), "")
				if w.Header().Get("Content-Type") != "application/json" || w.Header().Get("X-Request-ID") == "" {
					t.Errorf("%s %s: headers %v", kind, sent, w.Header())
				}
				return w.Code, strings.ReplaceAll(answer, name, "")
			}
			quickStatus, quick := send("", "quick")
			routeStatus, route := send("/", "route")
			if quickStatus != routeStatus || quick != route {
				t.Errorf("%s %s\n quick way: %d %s\n     route: %d %s", kind, body, quickStatus, quick, routeStatus, route)
			}
		}
	}
}

// Who may not record hears the same from both.
func TestIngest_RefusesAsTheRouteDoes(t *testing.T) {
	eachServer(t, Options{}, func(t *testing.T, s *Server) {
		token, agent := ingestWorld(t, s)
		for _, path := range []string{fmt.Sprintf("/api/v1/agents/%d/activities", agent+1), fmt.Sprintf("/api/v1/agents/%d/activities", agent), "/api/v1/agents/0/activities", "/api/v1/agents/x/activities"} {
			for _, credential := range []string{token, "", "xyra_00000000000000000000000000000000"} {
				quick := ask(s, http.MethodPost, path, credential, `{"activity_type":"call","idempotency_key":"k"}`)
				route := ask(s, http.MethodPost, path+"/", credential, `{"activity_type":"call","idempotency_key":"k"}`)
				if quick.Code != route.Code || quick.Code != http.StatusOK && quick.Body.String() != route.Body.String() {
					t.Errorf("%s with %q: quick way %d %s, route %d %s", path, credential, quick.Code, quick.Body, route.Code, route.Body)
				}
				if quick.Code == http.StatusOK && (quick.Body.String() != route.Body.String() || route.Header().Get("Idempotent-Replayed") != "true") {
					t.Errorf("%s: the repeat is %s, the first was %s", path, route.Body, quick.Body)
				}
			}
		}
		if faults, err := usage.Verify(t.Context(), s.db); err != nil || len(faults) > 0 {
			t.Error(faults, err)
		}
	})
}

// ingestWorld makes an agent on an activity model of one organization.
func ingestWorld(t testing.TB, s *Server) (token string, agent int64) {
	t.Helper()
	token, err := s.gate.Login(t.Context(), superuserEmail, superuserPassword, "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	create := func(path, body string) int64 {
		w := ask(s, http.MethodPost, "/api/v1"+path, token, body)
		var made struct{ ID int64 }
		if err := json.Unmarshal(w.Body.Bytes(), &made); err != nil || w.Code != http.StatusOK {
			t.Fatal(w.Code, w.Body, err)
		}
		return made.ID
	}
	organization := create("/organizations", `{"name":"Acme"}`)
	model := create("/billing-models", fmt.Sprintf(`{"name":"m","model_type":"activity","organization_id":%d,"activity_price_per_action":0.015,"activity_action_type":"call"}`, organization))
	return token, create("/agents", fmt.Sprintf(`{"name":"a","organization_id":%d,"billing_model_id":%d}`, organization, model))
}
