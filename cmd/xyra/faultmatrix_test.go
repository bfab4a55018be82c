package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// deed is a request that needs the database, and what proves that a 200 to it was true.
type deed struct {
	method, path, contentType, body string
	proof                           string // SQL that finds the one row of the answer's id, $1; "": it changes nothing
}

// deeds are the six kinds of work; number keeps two of a kind apart.
func deeds(agents []demoAgent, customer demoCustomer, number int) map[string]deed {
	agent, unique := agents[1].ID, "fault-"+strconv.Itoa(number)
	event := func(kind string) string {
		return fmt.Sprintf(`{%s"activity_type":"generated_token","quantity":2,"idempotency_key":"%s"}`, kind, unique)
	}
	form := url.Values{"username": {"admin@example.com"}, "password": {testPassword}}.Encode()
	return map[string]deed{
		"login":  {"POST", "/auth/login", "application/x-www-form-urlencoded", form, ""},
		"read":   {"GET", fmt.Sprintf("/agents/%d", agent), "", "", ""},
		"event":  {"POST", fmt.Sprintf("/agents/%d/activities", agent), "application/json", event(""), "SELECT COUNT(*) FROM events WHERE id = $1 AND kind = 1"},
		"batch":  {"POST", "/events", "application/json", fmt.Sprintf(`{"events":[%s]}`, event(fmt.Sprintf(`"kind":"activity","agent_id":%d,`, agent))), "SELECT COUNT(*) FROM events WHERE id = $1 AND kind = 1"},
		"write":  {"POST", "/agents", "application/json", fmt.Sprintf(`{"name":"%s","organization_id":%d}`, unique, customer.ID), "SELECT COUNT(*) FROM agents WHERE id = $1"},
		"report": {"GET", fmt.Sprintf("/analytics/organization/%d/summary", customer.ID), "", "", ""},
	}
}

var deedNames = []string{"login", "read", "event", "batch", "write", "report"}

// takesTurns are the deeds that wait for each other, over a slow way for longer than a statement may.
var takesTurns = map[string]bool{"login": true, "write": true}

// outcome is how a deed was answered; status 0: not at all.
type outcome struct {
	status int
	id     int64
	text   string
}

// do sends a deed and holds its answer against what a broken database may be answered with.
func (d deed) do(ctx context.Context, t *testing.T, s *server, credential string) outcome {
	r, err := http.NewRequestWithContext(ctx, d.method, s.url+d.path, strings.NewReader(d.body))
	if err != nil {
		t.Error(err)
		return outcome{}
	}
	r.Header.Set("Authorization", "Bearer "+credential)
	if d.contentType != "" {
		r.Header.Set("Content-Type", d.contentType)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return outcome{text: err.Error()}
	}
	defer answer.Body.Close()
	raw, err := io.ReadAll(answer.Body)
	if err != nil {
		return outcome{text: err.Error()}
	}
	var read struct {
		ID      int64
		Detail  string
		Results []struct{ ID int64 }
	}
	err = json.Unmarshal(raw, &read)
	switch {
	case answer.StatusCode == http.StatusOK && err == nil:
		if len(read.Results) == 1 {
			read.ID = read.Results[0].ID
		}
		return outcome{http.StatusOK, read.ID, string(raw)}
	case answer.StatusCode != http.StatusServiceUnavailable:
		t.Errorf("%s %s is answered %d %s", d.method, d.path, answer.StatusCode, raw)
	case err != nil || read.Detail == "" || answer.Header.Get("Retry-After") == "" || !bytes.HasPrefix([]byte(answer.Header.Get("Content-Type")), []byte("application/json")):
		t.Errorf("%s %s is answered 503 with %v %s", d.method, d.path, answer.Header, raw)
	}
	return outcome{status: answer.StatusCode, text: string(raw)}
}

// broken is one way of breaking what a server stands on.
type broken struct {
	name     string
	begin    func()
	end      func()
	unready  bool // /ready says so
	harmless bool // everything is still answered with 200
}

// faulted is a server under test, with its world.
type faulted struct {
	t        *testing.T
	s        *server
	env      []string // of the database without anything in between
	customer demoCustomer
	agents   []demoAgent
	token    string
	number   int
}

func newFaulted(t *testing.T, direct []string, s *server) *faulted {
	t.Helper()
	operator := s.login()
	customer, agents, _, err := makeWorld(t.Context(), operator)
	if err != nil {
		t.Fatal(err)
	}
	return &faulted{t: t, s: s, env: direct, customer: customer, agents: agents, token: operator.credential}
}

// deedPatience is how long a fault lasts at least unless all have been answered before.
const deedPatience = 1500 * time.Millisecond

// survives does deeds of one kind during a fault: none is answered with anything but a true 200 or an honest 503, /ready says
// what is the matter, and within five seconds after the fault all is well.
func (f *faulted) survives(b broken, kind string) {
	f.t.Helper()
	b.begin()
	ctx, cancel := context.WithTimeout(f.t.Context(), time.Minute)
	defer cancel()
	var mu sync.Mutex
	done := map[string]outcome{}
	var all sync.WaitGroup
	proof := ""
	for range 4 {
		f.number++
		d := deeds(f.agents, f.customer, f.number)[kind]
		proof = d.proof
		name := strconv.Itoa(f.number)
		all.Go(func() {
			o := d.do(ctx, f.t, f.s, f.token)
			mu.Lock()
			done[name] = o
			mu.Unlock()
		})
	}
	ended := make(chan struct{})
	go func() {
		all.Wait()
		close(ended)
	}()
	patience := time.NewTimer(deedPatience)
	select {
	case <-ended:
	case <-patience.C:
	}
	if b.unready {
		f.s.until(http.StatusServiceUnavailable, recoverMax, http.MethodGet, "/ready", "", "")
	}
	b.end()
	ready := f.s.until(http.StatusOK, recoverMax, http.MethodGet, "/ready", "", "")
	back := ready + f.heals(kind)
	if back > recoverMax {
		f.t.Errorf("%s, %s: back after %s", b.name, kind, back)
	}
	late := time.NewTimer(recoverMax)
	select {
	case <-ended:
	case <-late.C:
		f.t.Errorf("%s, %s: requests are not answered %s after the fault", b.name, kind, recoverMax)
		<-ended
	}
	statuses := []int{}
	for name, o := range done {
		statuses = append(statuses, o.status)
		if o.status == 0 {
			f.t.Errorf("%s, %s %s: no answer: %s", b.name, kind, name, o.text)
		}
		if b.harmless && o.status != http.StatusOK {
			f.t.Errorf("%s, %s %s: answered %d %s", b.name, kind, name, o.status, o.text)
		}
		if o.status == http.StatusOK && proof != "" {
			f.mustBeStored(proof, o.id)
		}
	}
	slices.Sort(statuses)
	f.t.Logf("%s, %s: %v, back after %s", b.name, kind, statuses, back)
}

// heals does the same kind of deed until it is answered with 200.
func (f *faulted) heals(kind string) time.Duration {
	f.t.Helper()
	started := time.Now()
	ctx, cancel := context.WithTimeout(f.t.Context(), recoverMax)
	defer cancel()
	last := outcome{}
	for ctx.Err() == nil {
		f.number++
		if last = deeds(f.agents, f.customer, f.number)[kind].do(ctx, f.t, f.s, f.token); last.status == http.StatusOK {
			return time.Since(started)
		}
	}
	f.t.Errorf("%s does not work %s after the fault: %+v; %s", kind, recoverMax, last, f.s.log)
	return recoverMax
}

// mustBeStored asks the database itself.
func (f *faulted) mustBeStored(proof string, id int64) {
	f.t.Helper()
	db := rawDatabase(f.t, f.env)
	defer db.Close()
	count := 0
	if err := db.QueryRowContext(f.t.Context(), proof, id).Scan(&count); err != nil || count != 1 {
		f.t.Errorf("%s for %d finds %d rows, %v: it was answered with 200", proof, id, count, err)
	}
}

// The way to the database breaks in twelve ways under six kinds of work.
func TestFault_NetworkIsAnsweredHonestlyAndHeals(t *testing.T) {
	eachDatabase(t, func(t *testing.T, env []string) {
		if !isPostgres(env) {
			return // nothing stands between a program and its file
		}
		r, through := newRelay(t, strings.TrimPrefix(env[0], "DATABASE_URL="))
		direct := env
		env = append([]string{"DATABASE_URL=" + through, "XYRA_POSTGRES_STATEMENT_TIMEOUT=1s", "LOG_LEVEL=error"}, env[1:]...)
		f := newFaulted(t, direct, startServer(t, env...))
		modes := []relayMode{relayRefuses, relayDelays, relayLimits, relayStalls, relayResets, relayGone, relayGreets, relayDeaf, relayMute, relayHalves, relayJitters, relayDrips}
		for n := range rounds(4, len(modes)*len(deedNames)) {
			mode, kind := modes[n%len(modes)], deedNames[(n+n/len(modes)+2)%len(deedNames)]
			slow := slices.Contains([]relayMode{relayDelays, relayJitters, relayDrips}, mode)
			f.survives(broken{name: "the network " + string(mode), begin: func() { r.set(mode) }, end: func() { r.set(relayPasses) },
				unready: !slow && mode != relayLimits, harmless: slow && !takesTurns[kind]}, kind)
		}
		mustVerify(t, direct)
	})
}
