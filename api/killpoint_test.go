package api

import (
	"encoding/json"
	"fmt"
	"maps"
	mathrand "math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"xyra/billing"
	"xyra/store"
	"xyra/store/storetest"
	"xyra/usage"
)

// request is what a process is sent to answer.
type request struct{ Path, Token, Body, Key string }

// lostAnswer is an answer that nobody received.
type lostAnswer struct {
	Status int
	Body   string
}

func (r request) to(s *Server) *httptest.ResponseRecorder {
	sent := httptest.NewRequest(http.MethodPost, "/api/v1"+r.Path, strings.NewReader(r.Body))
	if r.Body != "" {
		sent.Header.Set("Content-Type", "application/json")
	}
	sent.Header.Set("Authorization", "Bearer "+r.Token)
	sent.Header.Set("Idempotency-Key", r.Key)
	w := httptest.NewRecorder()
	http.Handler(s).ServeHTTP(w, sent)
	return w
}

// answering answers one request in a process of its own. Its last step lies between the answer's making and its sending.
func answering(t *testing.T) bool {
	return storetest.OnErrand(t, func(e *storetest.Envoy) {
		var r request
		e.ReadArgs(&r)
		s := newServer(t, e.Open(time.Now), Options{Print: printPDF})
		e.Begin()
		w := r.to(s)
		text, err := json.Marshal(lostAnswer{w.Code, w.Body.String()})
		if err != nil {
			t.Fatal(err)
		}
		e.Say(string(text))
		e.Step("answer")
	})
}

// Promise 3: whatever step of answering a POST with an Idempotency-Key the server dies at, the same request is then answered
// for the first time, or with the bytes of the answer that was lost; it never has a second effect.
func TestIdempotency_KilledServersAnswerOnce(t *testing.T) {
	if answering(t) {
		return
	}
	storetest.EachTarget(t, func(t *testing.T, target store.Options) {
		d := &deathbed{stage: newStage(t, target, Options{Print: printPDF}), target: target}
		routes := slices.Sorted(maps.Keys(postings))
		if os.Getenv("XYRA_TEST_LONG") == "" {
			mathrand.Shuffle(len(routes), func(i, j int) { routes[i], routes[j] = routes[j], routes[i] })
			for n, route := range routes[:6] {
				e := storetest.Errand{DiesAfter: "answer"}
				if n%2 == 0 {
					e = storetest.Errand{DiesAt: 1 + mathrand.IntN(16)}
				}
				d.post(route, d.plainly(route), e)
			}
		} else {
			for _, route := range routes {
				effect := d.plainly(route)
				point := 1
				for d.post(route, effect, storetest.Errand{DiesAt: point}) {
					point++
				}
				for range 3 {
					d.post(route, effect, storetest.Errand{DiesAt: 1 + mathrand.IntN(point), DiesLater: time.Duration(mathrand.IntN(3000)) * time.Microsecond})
				}
			}
		}
		t.Logf("%d requests, %d of them answered by a replay", d.requests, d.replays)
		d.verify()
	})
}

// deathbed is a stage on which servers die.
type deathbed struct {
	*stage
	target            store.Options
	requests, replays int
}

// prepare furnishes a new organization for a posting and fills it in.
func (d *deathbed) prepare(route string) request {
	d.t.Helper()
	d.requests++
	name := fmt.Sprintf("Own%d", d.requests)
	h := d.newHome(name)
	for _, caller := range []string{"admin", "member", "key"} {
		d.tokens["own"+caller] = d.tokens[strings.ToLower(name)+caller]
	}
	if strings.HasSuffix(route, "/credits") {
		d.must(http.MethodPost, "/invoices/"+d.fresh(h, "invoice")+"/payments", "root", `{"amount":99,"payment_method":"bank"}`)
	}
	p := postings[route]
	return request{Path: d.fill(h, p.path), Token: d.tokens[p.caller], Body: d.fill(h, p.body), Key: fmt.Sprintf("key-%d", d.requests)}
}

// counts is how many rows each table has.
func (d *deathbed) counts() map[string]string {
	d.t.Helper()
	counts := map[string]string{}
	for _, table := range d.tables {
		counts[table] = d.column("SELECT COUNT(*) FROM " + table)[0]
	}
	return counts
}

// effect is how many rows each table has gained.
func effect(before, after map[string]string) string {
	var gained []string
	for _, table := range slices.Sorted(maps.Keys(after)) {
		var from, to int
		fmt.Sscan(before[table], &from) //nolint:errcheck // a count is a number
		fmt.Sscan(after[table], &to)    //nolint:errcheck // a count is a number
		if from != to {
			gained = append(gained, fmt.Sprintf("%s %+d", table, to-from))
		}
	}
	return strings.Join(gained, ", ")
}

// plainly is the effect of a posting whose server lives.
func (d *deathbed) plainly(route string) string {
	d.t.Helper()
	r := d.prepare(route)
	before := d.counts()
	r.to(d.s)
	return effect(before, d.counts())
}

// post sends a posting to a server that dies, then again to one that lives, twice. It is false when the server came to its end.
func (d *deathbed) post(route, want string, e storetest.Errand) bool {
	d.t.Helper()
	r := d.prepare(route)
	e.Path, e.URL, e.Args = d.target.Path, d.target.URL, r
	before := d.counts()
	fate := storetest.Send(d.t, e).Wait()
	at := fmt.Sprintf("%s, killed %s after step %d, %s", route, e.DiesLater, len(fate.Steps), fate.Last())
	first := r.to(d.s)
	for tries := 0; first.Header().Get("Retry-After") != "" && tries < 1000; tries++ {
		first = r.to(d.s) // the database has not noticed the death yet
	}
	again := r.to(d.s)
	if !isReplay(again) || again.Code != first.Code || again.Body.String() != secret.ReplaceAllString(first.Body.String(), `"$1":null`) {
		d.t.Errorf("%s: then answered %d %s, and again %d %s", at, first.Code, first.Body, again.Code, again.Body)
	}
	if len(fate.Said) == 1 {
		var lost lostAnswer
		if err := json.Unmarshal([]byte(fate.Said[0]), &lost); err != nil {
			d.t.Fatal(err)
		}
		lost.Body = secret.ReplaceAllString(lost.Body, `"$1":null`)
		if !isReplay(first) || first.Code != lost.Status || first.Body.String() != lost.Body {
			d.t.Errorf("%s: answered %d %s, and to a repeat %d %s", at, lost.Status, lost.Body, first.Code, first.Body)
		}
	}
	if isReplay(first) {
		d.replays++
	}
	if got := effect(before, d.counts()); got != want {
		d.t.Errorf("%s: together they left %s, want %s", at, got, want)
	}
	return fate.Killed
}

// verify proves what xyra verify proves.
func (d *deathbed) verify() {
	d.t.Helper()
	for _, check := range []func() ([]string, error){
		func() ([]string, error) { return usage.Verify(d.t.Context(), d.s.db) },
		func() ([]string, error) { return billing.Verify(d.t.Context(), d.s.db) },
		func() ([]string, error) { return d.s.db.VerifyAudit(d.t.Context()) },
	} {
		faults, err := check()
		if err != nil {
			d.t.Fatal(err)
		}
		for _, fault := range faults {
			d.t.Error(fault)
		}
	}
}
