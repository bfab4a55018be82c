package api

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"xyra/strictjson"
)

// brokenBodies are no JSON documents, or none that we take; each is refused by every route that reads a body.
func brokenBodies() []string {
	broken := []string{"", " ", "\n\t\r", "null", " null ", "{", "}", "[", "]", `"`, `"x"`, "1", "-", "true", "tru", "nul", "NaN", "Infinity", "-Infinity", "undefined", "{]", "[}", "{}{}", "{} x", "{},", "{}\x00", "\x00{}", "{}//", "/*c*/{}", "{}#",
		`{"a"}`, `{"a":}`, `{"a":1,}`, `{,}`, `{"a" 1}`, `{"a":1 "b":2}`, `{'a':1}`, `{a:1}`, `{1:1}`, `{null:1}`, `{"a":1,"a":2}`, `{"a":1,"\u0061":2}`, `{"x":{"a":1,"a":2}}`, `{"x":[{"a":1,"a":1}]}`, `{"a":01}`, `{"a":+1}`, `{"a":.5}`, `{"a":1.}`, `{"a":1e}`, `{"a":1e+}`, `{"a":0x1}`, `{"a":1_0}`, `{"a":--1}`,
		`{"a":"\x"}`, `{"a":"\u12"}`, `{"a":"\u123g"}`, `{"a":"\ud800"}`, `{"a":"\udfff"}`, `{"a":"\ud800\u0041"}`, `{"a":"\ud800\ud800"}`, `{"\ud800":1}`, `{"a":"\u0000"}`, `{"\u0000":1}`, "{\"a\":\"\x00\"}", "{\"a\":\"\n\"}", "{\"a\":\"\t\"}", "{\"a\":\"\x1f\"}", "{\"a\":\"\x7f\xff\"}", "{\"\xff\":1}",
		"{\"a\":\"\xc0\x80\"}", "{\"a\":\"\xed\xa0\x80\"}", "{\"a\":\"\xf4\x90\x80\x80\"}", "{\"a\":\"\xe2\x82\"}", "\xff\xfe{}", "\xfe\xff\x00{\x00}", "\xef\xbb\xbf", "\xef\xbb\xbf\xef\xbb\xbf{}", "\xef\xbb{}", "{\u00a0}", "{}\u2028", "\u200b{}", "[]", "[{}]", `[null]`, `""`, `"{}"`, "0", "false", "1e999999999"}
	for _, depth := range []int{33, 100, 10_000, 200_000} {
		broken = append(broken, strings.Repeat("[", depth), strings.Repeat(`{"a":`, depth), strings.Repeat("[", depth)+strings.Repeat("]", depth), strings.Repeat(`{"a":`, depth)+"1"+strings.Repeat("}", depth))
	}
	return append(broken, `{"a":"`+strings.Repeat("x", bodyMax-8), `{"a":`+strings.Repeat("9", bodyMax-8), strings.Repeat(" ", bodyMax), `{"a":1`+strings.Repeat(`,"a":1`, 1000)+"}", strings.Repeat("x", bodyMax+1), "{}"+strings.Repeat(" ", bodyMax))
}

// No broken document is taken by any route, for whatever reason it is sent.
func TestHostile_BrokenBodiesAreRefused(t *testing.T) {
	bodies := brokenBodies()
	eachStage(t, func(st *stage) {
		before := st.fingerprint()
		for _, form := range append(forms[:len(forms):len(forms)], form422{method: "POST", path: "/events"}) {
			caller := "root"
			if form.path == "/api-keys" || form.path == "/webhook-endpoints" {
				caller = "ownadmin"
			}
			path := st.fill(st.own, form.path)
			for _, body := range bodies {
				w := st.send(form.method, path, caller, body, "Content-Type", "application/json")
				if fault := refusedWell(w); fault != "" || w.Code != 422 && w.Code != 413 {
					st.t.Errorf("%s %s %.60q (%d bytes) %s: %d %.200s", form.method, form.path, body, len(body), fault, w.Code, w.Body)
				}
			}
		}
		st.unchanged(before, "broken bodies")
	})
}

// Routes that read no body are not disturbed by one.
func TestHostile_UnreadBodiesDoNotMatter(t *testing.T) {
	eachStage(t, func(st *stage) {
		for _, path := range []string{"/invoices/{+invoice}/cancel", "/api-keys/{+apikey}/deactivate", "/jobs/{+job}/discard", "/invoices/generate/monthly?org_id={org}&year=2024&month=1"} {
			if w := st.send(http.MethodPost, st.fill(st.own, path), "root", "{\"\x00", "Content-Type", "image/png"); w.Code != http.StatusOK {
				st.t.Errorf("%s: %d %s", path, w.Code, w.Body)
			}
		}
		for _, path := range []string{"/agents/{agent}", "/auth/me", "/organizations"} {
			if w := st.send(http.MethodGet, st.fill(st.own, path), "ownadmin", "{\"\x00"); w.Code != http.StatusOK {
				st.t.Errorf("%s: %d %s", path, w.Code, w.Body)
			}
		}
	})
}

// wide repeats an element until a body is as long as it may be.
func wide(head, element, tail string, limit int) string {
	n := (limit - len(head) - len(tail)) / (len(element) + 8) // numbers take the place of %d
	var b strings.Builder
	b.WriteString(head)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		if strings.Contains(element, "%d") {
			fmt.Fprintf(&b, element, i)
		} else {
			b.WriteString(element)
		}
	}
	return b.String() + tail
}

// Bodies as wide as the limit lets them be are taken or refused like small ones, and what is taken can be read.
func TestHostile_WideBodiesAreOrdinary(t *testing.T) {
	eachStage(t, func(st *stage) {
		kept := []struct{ method, path, caller, body string }{
			{"POST", "/agents", "ownadmin", wide(`{"name":"n","organization_id":{org},"capabilities":[`, `1`, `]}`, bodyMax)},
			{"POST", "/agents", "ownadmin", wide(`{"name":"n","organization_id":{org},"config":{`, `"k%d":0`, `}}`, bodyMax)},
			{"POST", "/agents", "ownadmin", wide(`{"name":"n","organization_id":{org},"config":{"seats":1},`, `"unknown%d":0`, `}`, bodyMax)},
			{"POST", "/agents", "ownadmin", `{"name":"n","organization_id":{org},"description":"` + strings.Repeat("ä", bodyMax/2-100) + `"}`},
			{"POST", "/agents", "ownadmin", `{"name":"n","organization_id":{org},"config":{"n":` + strings.Repeat("9", bodyMax-200) + `}}`},
			{"POST", "/agents", "ownadmin", `{"name":"n","organization_id":{org},"config":` + strings.Repeat(`{"a":`, 30) + "1" + strings.Repeat("}", 30) + `}`},
			{"PUT", "/organizations/{org}", "ownadmin", wide(`{"settings":{`, `"k%d":[{}]`, `}}`, bodyMax)},
			{"POST", "/billing-models", "ownadmin", wide(`{"name":"n","model_type":"hybrid","organization_id":{org},"hybrid_activity_configs":[`, `{"action_type":"t%d","price_per_action":1}`, `]}`, 200_000)},
			{"POST", "/billing-models", "ownadmin", wide(`{"name":"n","model_type":"hybrid","organization_id":{org},"hybrid_outcome_configs":[`, `{"outcome_type":"same","percentage":1}`, `]}`, 200_000)},
			{"POST", "/billing-models/{model}/calculate", "ownkey", wide(`{"activities":{`, `"t%d":1`, `}}`, bodyMax)},
			{"POST", "/agents/{agent}/activities", "ownkey", wide(`{"activity_type":"call","idempotency_key":"wide","activity_metadata":{"k":[`, `0.1`, `]}}`, bodyMax)},
			{"POST", "/invoices", "root", wide(`{"organization_id":{org},"due_date":"2030-01-01","items":[`, `{"description":"d","unit_price":1,"amount":1,"item_type":"t"}`, `]}`, 200_000)},
			{"POST", "/events", "ownkey", wide(`{"events":[`, `{"kind":"activity","agent_id":{agent},"activity_type":"t%d"}`, `]}`, 300_000)},
		}
		for _, k := range kept {
			w := st.send(k.method, st.fill(st.own, k.path), k.caller, strings.ReplaceAll(strings.ReplaceAll(k.body, "{org}", st.own["org"]), "{agent}", st.own["agent"]))
			if w.Code != http.StatusOK {
				st.t.Errorf("%s %s %.100s (%d bytes): %d %.300s", k.method, k.path, k.body, len(k.body), w.Code, w.Body)
				continue
			}
			if v := child(parsed(st.t, w.Body.Bytes()), "id"); v.Kind() == strictjson.Number && k.method == "POST" && !strings.Contains(k.path, "{") {
				if w := st.send("GET", k.path+"/"+string(v.Raw()), "root", ""); w.Code != http.StatusOK {
					st.t.Errorf("what %.100s made: %d %.300s", k.body, w.Code, w.Body)
				}
			}
		}
		st.readAll("wide bodies")
		before := st.fingerprint()
		for _, body := range []string{wide(`{"events":[`, `{}`, `]}`, batchBodyMax-1000), wide(`{"events":[`, `1`, `]}`, batchBodyMax-1000), wide(`[`, `{"id":"%d"}`, `]`, 1_000_000), strings.Repeat("x\n", 200_000)} {
			w := st.send(http.MethodPost, "/events", "ownkey", body)
			if fault := refusedWell(w); fault != "" {
				st.t.Errorf("%.60s (%d bytes) %s: %d %.200s", body, len(body), fault, w.Code, w.Body)
			}
		}
		for _, path := range []string{"/agents/external/" + strings.Repeat("a", 60_000), "/agents/" + strings.Repeat("1", 60_000), "/agents?org_id=" + strings.Repeat("1", 60_000), "/users?" + strings.Repeat("a&", 30_000), "/users?" + strings.Repeat("skip=x&", 9_000)} {
			if w := st.send(http.MethodGet, path, "ownadmin", ""); w.Code >= 500 || w.Code < 200 {
				st.t.Errorf("%.60s (%d bytes): %d %.200s", path, len(path), w.Code, w.Body)
			}
		}
		st.unchanged(before, "wide refusals")
	})
}
