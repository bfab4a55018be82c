package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"
)

// batchPlan makes batches of which it is known what must be answered.
type batchPlan struct {
	random *rand.Rand
	agents []demoAgent
	last   int
	kept   map[string]fields // what was accepted, by key
	keys   []string          // of kept, in order
	ids    map[string]batchResult
}

// batchCase is one item of a batch.
type batchCase struct {
	body fields
	key  string
	want string // "accepted", "duplicate", or the code of a refusal
}

func (p *batchPlan) fresh() batchCase {
	p.last++
	key := "key-" + strconv.Itoa(p.last)
	agent := p.agents[p.random.IntN(len(p.agents))].ID
	bodies := []fields{
		{"kind": "activity", "activity_type": "generated_token", "quantity": p.last},
		{"kind": "cost", "cost_type": "llm", "amount": "0.25"},
		{"kind": "outcome", "outcome_type": "ticket_resolved", "value": p.last},
	}
	body := bodies[p.random.IntN(len(bodies))]
	body["agent_id"], body["idempotency_key"], body["timestamp"] = agent, key, "2023-11-16 18:15:46"
	return batchCase{body, key, "accepted"}
}

// bad is an item that nobody may record.
func (p *batchPlan) bad() batchCase {
	c := p.fresh()
	switch p.random.IntN(5) {
	case 0:
		c.body["agent_id"], c.want = 987654321, "404"
	case 1:
		c.body["kind"], c.want = "gift", "422"
	case 2:
		c.body["timestamp"], c.want = "the day before yesterday", "422"
	case 3:
		c.body["idempotency_key"], c.want = strings.Repeat("k", 300), "422"
	case 4:
		delete(c.body, "agent_id")
		c.want = "422"
	}
	return c
}

// again is an item whose key is known: as it was, or changed.
func (p *batchPlan) again(key string, body fields) batchCase {
	if p.random.IntN(2) == 0 {
		return batchCase{body, key, "duplicate"}
	}
	other := fields{}
	for name, value := range body {
		other[name] = value
	}
	other["timestamp"] = "2023-11-17 00:00:00"
	return batchCase{other, key, "409"}
}

// batch has any share of bad items, and repeats of its own and of earlier batches.
func (p *batchPlan) batch() []batchCase {
	list := make([]batchCase, 0, 60)
	own := []batchCase{}
	badOf := p.random.IntN(101)
	for range 1 + p.random.IntN(60) {
		switch n := p.random.IntN(100); {
		case n < badOf:
			list = append(list, p.bad())
		case n%4 == 0 && len(own) > 0:
			first := own[p.random.IntN(len(own))]
			list = append(list, p.again(first.key, first.body))
		case n%4 == 1 && len(p.keys) > 0:
			key := p.keys[p.random.IntN(len(p.keys))]
			list = append(list, p.again(key, p.kept[key]))
		default:
			own = append(own, p.fresh())
			list = append(list, own[len(own)-1])
		}
	}
	return list
}

func envelopeOf(list []batchCase) fields {
	bodies := make([]fields, len(list))
	for i, c := range list {
		bodies[i] = c.body
	}
	return fields{"events": bodies}
}

// holds checks an answer; stored says that all that is new in the batch had been stored before it was sent.
func (p *batchPlan) holds(t *testing.T, list []batchCase, a batchAnswer, stored bool) {
	t.Helper()
	if len(a.Results) != len(list) || a.Accepted+a.Duplicate+a.Rejected != len(list) {
		t.Fatalf("%d items are answered with %+v", len(list), a)
	}
	for i, c := range list {
		r, want := a.Results[i], c.want
		if stored && want == "accepted" {
			want = "duplicate"
		}
		got := r.Status
		if got == "rejected" {
			got = strconv.Itoa(r.Code)
		}
		if got != want {
			t.Errorf("item %d, %v, is %s %s, want %s", i, c.body, got, r.Detail, want)
			continue
		}
		if r.Status == "rejected" {
			continue
		}
		first, known := p.ids[c.key]
		if known && (first.ID != r.ID || first.Charge != r.Charge) {
			t.Errorf("%s was answered as %d for %s and is %d for %s", c.key, first.ID, first.Charge, r.ID, r.Charge)
		}
		if !known {
			p.ids[c.key], p.kept[c.key], p.keys = r, c.body, append(p.keys, c.key)
		}
	}
}

// Each item's result is final: sent again, what was accepted is a duplicate with the same id and charge, what was refused is
// refused with the same words, and only what was accepted is stored.
func TestBatch_EachResultIsFinal(t *testing.T) {
	eachDatabase(t, func(t *testing.T, env []string) {
		s := startServer(t, env...)
		p, client := newBatchPlan(t, s)
		for range rounds(20, 300) {
			list := p.batch()
			var first, second batchAnswer
			if err := client.post(t.Context(), "/events", envelopeOf(list), &first); err != nil {
				t.Fatal(err)
			}
			p.holds(t, list, first, false)
			if err := client.post(t.Context(), "/events", envelopeOf(list), &second); err != nil {
				t.Fatal(err)
			}
			p.holds(t, list, second, true)
			for i, r := range first.Results {
				if again := second.Results[i]; r.Status == "rejected" && !bytes.Equal(r.Detail, again.Detail) {
					t.Errorf("item %d is refused with %s, then with %s", i, r.Detail, again.Detail)
				}
			}
		}
		p.mustBeAll(t, env)
	})
}

// A server killed while a batch is under way has stored all of it or nothing; sent again, all of it is there.
func TestBatch_KilledHalfwayIsWholeOrNothing(t *testing.T) {
	eachDatabase(t, func(t *testing.T, env []string) {
		s := startServer(t, env...)
		p, client := newBatchPlan(t, s)
		answered, whole, nothing := 0, 0, 0
		for range rounds(2, 60) {
			list := p.batch()
			moment := time.NewTimer(time.Duration(p.random.IntN(12_000)) * time.Microsecond)
			done := make(chan error, 1)
			var a batchAnswer
			go func(client *demoClient) { done <- client.post(t.Context(), "/events", envelopeOf(list), &a) }(client)
			<-moment.C
			s.kill()
			err := <-done
			stored := err == nil
			if stored {
				p.holds(t, list, a, false)
				answered++
			}
			s = startServer(t, env...)
			client = s.as(client)
			var again batchAnswer
			if err := client.post(t.Context(), "/events", envelopeOf(list), &again); err != nil {
				t.Fatal(err)
			}
			for i, c := range list { // the first that is new says what the kill left
				if c.want == "accepted" && !stored {
					stored = again.Results[i].Status == "duplicate"
					break
				}
			}
			if p.holds(t, list, again, stored); err != nil && stored {
				whole++
			} else if err != nil {
				nothing++
			}
		}
		p.mustBeAll(t, env)
		t.Logf("%d batches answered before the kill, %d stored without an answer, %d not stored", answered, whole, nothing)
	})
}

func newBatchPlan(t *testing.T, s *server) (*batchPlan, *demoClient) {
	t.Helper()
	_, agents, client, err := makeWorld(t.Context(), s.login())
	if err != nil {
		t.Fatal(err)
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	return &batchPlan{random: rand.New(rand.NewPCG(seed, 0)), agents: agents, kept: map[string]fields{}, ids: map[string]batchResult{}}, client
}

// mustBeAll holds the database against what was accepted.
func (p *batchPlan) mustBeAll(t *testing.T, env []string) {
	t.Helper()
	rows := storedEvents(t, env)
	if len(rows) != len(p.ids) {
		t.Errorf("%d events are stored, %d were accepted", len(rows), len(p.ids))
	}
	for key, r := range p.ids {
		if fmt.Sprint(rows[key]) != fmt.Sprint([]int64{r.ID}) {
			t.Errorf("%s was accepted as %d and is stored as %v", key, r.ID, rows[key])
		}
	}
	mustVerify(t, env)
	t.Logf("%d events", len(rows))
}
