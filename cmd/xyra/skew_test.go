package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"xyra"
	"xyra/api"
	"xyra/auth"
	"xyra/billing"
	"xyra/money"
	"xyra/store"
	"xyra/store/storetest"
	"xyra/usage"
)

// tokenSpan is how long the tokens of these tests work.
const tokenSpan = 8 * time.Hour

// replicaAt is a server in this process with a clock of its own.
type replicaAt struct {
	*demoClient
	t     *testing.T
	db    *store.DB
	clock *storetest.Clock
}

func newReplicaAt(t *testing.T, target store.Options, at time.Time) *replicaAt {
	t.Helper()
	clock := storetest.NewClock(at)
	target.Now = clock.Now
	db := storetest.Open(t, target)
	gate := auth.New(db, auth.Options{Secret: []byte(strings.Repeat("k", 32)), TokenLifetime: tokenSpan, Now: clock.Now})
	t.Cleanup(gate.Close)
	if _, err := gate.EnsureSuperuser(t.Context(), "admin@example.com", testPassword); err != nil {
		t.Fatal(err)
	}
	recorder := usage.New(db, usage.Options{})
	t.Cleanup(func() { recorder.Close(t.Context()) }) //nolint:errcheck // all is answered
	numbers, err := billing.ParseNumberPattern("{PREFIX}-{ORG}-{SEQ:4}", "INV")
	if err != nil {
		t.Fatal(err)
	}
	handler := api.New(db, gate, recorder, api.Options{Prefix: "/api/v1", Now: clock.Now, Log: slog.New(slog.DiscardHandler),
		Issuer: billing.Issuer{Numbers: numbers, Seller: xyra.Party{Name: "Xyra"}}})
	front := httptest.NewServer(handler)
	t.Cleanup(front.Close)
	return &replicaAt{newDemoClient(front.URL+"/api/v1", 8), t, db, clock}
}

// ask returns the status and the body; a 5xx is a fault whatever the clock says.
func (r *replicaAt) ask(credential, method, path, key, body string) (status int, raw []byte) {
	r.t.Helper()
	q, err := http.NewRequestWithContext(r.t.Context(), method, r.root+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	q.Header.Set("Authorization", "Bearer "+credential)
	q.Header.Set("Content-Type", "application/json")
	if key != "" {
		q.Header.Set("Idempotency-Key", key)
	}
	answer, err := r.http.Do(q)
	if err != nil {
		r.t.Fatal(err)
	}
	defer answer.Body.Close()
	if raw, err = io.ReadAll(answer.Body); err != nil {
		r.t.Fatal(err)
	}
	if answer.StatusCode >= 500 {
		r.t.Errorf("%s %s at %s is answered %d %s", method, path, r.clock.Now(), answer.StatusCode, raw)
	}
	return answer.StatusCode, raw
}

func (r *replicaAt) token() string {
	r.t.Helper()
	token, err := r.login(r.t.Context(), "admin@example.com", testPassword)
	if err != nil {
		r.t.Fatalf("log in at %s: %v", r.clock.Now(), err)
	}
	return token
}

// skewed are two replicas on one database, one of them with a wrong clock.
type skewed struct {
	t            *testing.T
	right, wrong *replicaAt
	skew         time.Duration
	customer     demoCustomer
	agents       []demoAgent
	key          string
	sent         int
	changes      int // of the price
}

// skews are in both directions what clocks are wrong by: less than a lifetime of anything, more, over the end of a month, years.
func skews() (list []time.Duration) {
	for _, d := range []time.Duration{time.Microsecond, time.Second, 59 * time.Second, 15 * time.Minute, time.Hour, 3 * time.Hour, tokenSpan - time.Second,
		tokenSpan, 13 * time.Hour, 24 * time.Hour, 5 * 24 * time.Hour, 16 * 24 * time.Hour, 29 * 24 * time.Hour, 45 * 24 * time.Hour, 400 * 24 * time.Hour} {
		list = append(list, d, -d)
	}
	return list
}

// One replica's clock is wrong, then jumps back: an event is billed once, in the month of its time; tokens end when the reader's
// clock says so and never later; repeats are answered as the first; a month has one invoice; the books add up.
func TestSkew_ReplicasWithWrongClocksAgree(t *testing.T) {
	all := skews()
	chosen := []time.Duration{3 * time.Hour, -13 * time.Hour, 29 * 24 * time.Hour}
	if rounds(0, 1) == 1 {
		chosen = all
	}
	for _, skew := range chosen {
		t.Run(skew.String(), func(t *testing.T) {
			storetest.EachTarget(t, func(t *testing.T, target store.Options) {
				begin := time.Date(2024, 6, 1, 1, 0, 0, 0, time.UTC)
				s := &skewed{t: t, right: newReplicaAt(t, target, begin), wrong: newReplicaAt(t, target, begin.Add(skew)), skew: skew}
				var err error
				var client *demoClient
				if s.customer, s.agents, client, err = makeWorld(t.Context(), s.right.as(s.right.token())); err != nil {
					t.Fatal(err)
				}
				s.key = client.credential
				s.events()
				s.tokens()
				s.repeats()
				s.prices()
				s.invoice()
				s.wrong.clock.Set(s.right.clock.Now().Add(-2 * time.Hour)) // put right, and too far
				s.events()
				s.tokens()
				s.repeats()
				s.right.clock.Set(begin.Add(max(0, skew))) // what was done ahead of time has come
				s.prices()
				s.adds()
			})
		})
	}
}

func (s *skewed) activity(timestamp string) string {
	if timestamp != "" {
		timestamp = `,"timestamp":"` + timestamp + `"`
	}
	return fmt.Sprintf(`{"activity_type":"generated_token","quantity":1,"idempotency_key":"skew-%d"%s}`, s.sent, timestamp)
}

const eventTime = "2006-01-02T15:04:05.999999"

// events are the same on both replicas, with a time of their own or without. One that is in the future of a replica's clock is
// refused by that one, as ever.
func (s *skewed) events() {
	s.t.Helper()
	path := fmt.Sprintf("/agents/%d/activities", s.agents[1].ID)
	for _, timestamp := range []string{"", "2024-05-31T23:59:59.999999", "2024-06-01T00:00:00", "2023-01-01T00:00:00"} {
		for _, order := range [][2]*replicaAt{{s.right, s.wrong}, {s.wrong, s.right}} {
			s.sent++
			var kept []byte
			for _, r := range order {
				want := http.StatusOK
				if at, err := time.Parse(eventTime, timestamp); err == nil && at.After(r.clock.Now().Add(5*time.Minute)) {
					want = http.StatusUnprocessableEntity
				}
				status, body := r.ask(s.key, "POST", path, "", s.activity(timestamp))
				if status != want || status == http.StatusOK && kept != nil && !bytes.Equal(kept, body) {
					s.t.Errorf("at %s an event of %q is answered %d %s, before with %s", r.clock.Now(), timestamp, status, body, kept)
				}
				if status == http.StatusOK && kept == nil {
					kept = body
					s.mustBeOf(body, timestamp, r)
				}
			}
		}
	}
}

// mustBeOf looks at the time and the month of an answered event.
func (s *skewed) mustBeOf(raw []byte, timestamp string, r *replicaAt) {
	s.t.Helper()
	at, err := time.Parse(eventTime, timestamp)
	if timestamp == "" {
		at, err = r.clock.Now(), nil
	}
	if err != nil {
		s.t.Fatal(err)
	}
	if e := s.stored(raw); !e.Timestamp.Equal(at) || e.Period != xyra.PeriodOf(at, time.UTC) {
		s.t.Errorf("an event of %q at %s has %s and is of %s", timestamp, r.clock.Now(), e.Timestamp, e.Period)
	}
}

// stored is what the database has for an answered event.
func (s *skewed) stored(raw []byte) xyra.Event {
	s.t.Helper()
	var event struct{ ID int64 }
	if err := json.Unmarshal(raw, &event); err != nil {
		s.t.Fatal(err)
	}
	found, err := s.right.db.Event(s.t.Context(), xyra.OrganizationID(s.customer.ID), xyra.Activity, xyra.EventID(event.ID))
	if err != nil {
		s.t.Fatalf("%s: %v", raw, err)
	}
	return found
}

// tokens of one replica work on the other until its clock has passed their end.
func (s *skewed) tokens() {
	s.t.Helper()
	for _, pair := range [][2]*replicaAt{{s.right, s.wrong}, {s.wrong, s.right}} {
		token, ends := pair[0].token(), pair[0].clock.Now().Add(tokenSpan).Truncate(time.Second)
		want := http.StatusOK
		if !pair[1].clock.Now().Before(ends) {
			want = http.StatusUnauthorized
		}
		if status, body := pair[1].ask(token, "GET", "/auth/me", "", ""); status != want {
			s.t.Errorf("a token that ends at %s is answered %d %s at %s, want %d", ends, status, body, pair[1].clock.Now(), want)
		}
		if status, body := pair[0].ask(token, "GET", "/auth/me", "", ""); status != http.StatusOK {
			s.t.Errorf("a new token is answered %d %s where it was made", status, body)
		}
	}
}

// repeats under one Idempotency-Key have one effect, unless the clocks are further apart than answers are kept.
func (s *skewed) repeats() {
	s.t.Helper()
	if apart := s.wrong.clock.Now().Sub(s.right.clock.Now()); apart >= store.IdempotencyKept || -apart >= store.IdempotencyKept {
		return
	}
	token := map[*replicaAt]string{s.right: s.right.token(), s.wrong: s.wrong.token()}
	for _, order := range [][2]*replicaAt{{s.right, s.wrong}, {s.wrong, s.right}} {
		s.sent++
		name := fmt.Sprintf("skew-%d", s.sent)
		body := fmt.Sprintf(`{"name":"%s","organization_id":%d}`, name, s.customer.ID)
		status, first := order[0].ask(token[order[0]], "POST", "/agents", name, body)
		again, second := order[1].ask(token[order[1]], "POST", "/agents", name, body)
		if status != 200 || again != 200 || !bytes.Equal(first, second) {
			s.t.Errorf("a repeated request is answered %d %s, on the other replica %d %s", status, first, again, second)
		}
	}
}

// prices change on one replica and on the other: where the clock is the later one, the last change holds, never an earlier one.
func (s *skewed) prices() {
	s.t.Helper()
	later := s.right
	if s.wrong.clock.Now().After(later.clock.Now()) {
		later = s.wrong
	}
	var agent struct {
		Model int64 `json:"billing_model_id"`
	}
	if err := s.right.as(s.key).read(s.t.Context(), fmt.Sprintf("/agents/%d", s.agents[1].ID), &agent); err != nil {
		s.t.Fatal(err)
	}
	for n, r := range []*replicaAt{s.wrong, s.right, s.wrong, s.right} {
		s.changes++
		price := fmt.Sprintf("0.0%d", s.changes)
		status, body := r.ask(r.token(), "PUT", fmt.Sprintf("/billing-models/%d", agent.Model), "", `{"activity_price_per_action":"`+price+`"}`)
		if status != http.StatusOK {
			s.t.Fatalf("change %d of the price: %d %s", n, status, body)
		}
		s.sent++
		status, body = later.ask(s.key, "POST", fmt.Sprintf("/agents/%d/activities", s.agents[1].ID), "", s.activity(""))
		if status != http.StatusOK || !s.stored(body).Charge.Equal(money.MustParse(price)) {
			s.t.Errorf("after change %d, to %s, an event is answered %d %s", n, price, status, body)
		}
	}
}

// invoice has both replicas bill one month at the same moment; months of the future are nobody's to bill, but one that is over by
// either clock is billed once.
func (s *skewed) invoice() {
	s.t.Helper()
	token := map[*replicaAt]string{s.right: s.right.token(), s.wrong: s.wrong.token()}
	path := fmt.Sprintf("/invoices/generate/monthly?org_id=%d&year=2024&month=5", s.customer.ID)
	var both sync.WaitGroup
	statuses := make([]int, 4)
	for n := range statuses {
		r := []*replicaAt{s.right, s.wrong}[n%2]
		both.Go(func() { statuses[n], _ = r.ask(token[r], "POST", path, "", "") })
	}
	both.Wait()
	made := 0
	for _, status := range statuses {
		if status == http.StatusOK {
			made++
		} else if status != http.StatusConflict && status != http.StatusBadRequest {
			s.t.Errorf("generating a month is answered %d", status)
		}
	}
	if made != 1 {
		s.t.Errorf("%d invoices were made of one month: %v", made, statuses)
	}
}

// adds proves the books, by either clock.
func (s *skewed) adds() {
	s.t.Helper()
	for _, r := range []*replicaAt{s.right, s.wrong} {
		if faults, err := verify(s.t.Context(), r.db); err != nil || len(faults) > 0 {
			s.t.Errorf("at %s: %v, %v", r.clock.Now(), faults, err)
		}
	}
}
