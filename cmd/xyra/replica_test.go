package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"xyra/store/storetest"
)

// replicaEvents is how many events the replicas are sent, each of them to both.
const replicaEvents = 600

// pair is two servers on one database.
type pair struct {
	t       *testing.T
	mu      sync.Mutex
	servers [2]*server
	ids     [replicaEvents]atomic.Int64
}

// client reaches one of the two, whichever process that is by now.
func (p *pair) client(which int, other *demoClient) *demoClient {
	p.mu.Lock()
	defer p.mu.Unlock()
	return newDemoClient(p.servers[which].url, 4).as(other.credential)
}

func (p *pair) replace(which int, s *server) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.servers[which] = s
}

// report sends all events to one server in an order of its own, some alone and some in batches. While the server is away it
// tries again, as a client would.
func (p *pair) report(which int, agents []demoAgent, reporter *demoClient) {
	order := rand.Perm(replicaEvents)
	for len(order) > 0 {
		part := order[:min(1+rand.IntN(20), len(order))]
		ids, err := sendNumbered(p.t.Context(), p.client(which, reporter), agents, part)
		if err != nil {
			if strings.Contains(err.Error(), "answers 4") || strings.Contains(err.Error(), "answers 500") || p.t.Context().Err() != nil {
				p.t.Errorf("send: %v", err)
				return
			}
			continue
		}
		order = order[len(part):]
		for i, number := range part {
			if id := p.ids[number].Swap(ids[i]); id != 0 && id != ids[i] {
				p.t.Errorf("event %d became %d on one replica and %d on the other", number, id, ids[i])
			}
		}
	}
}

func sendNumbered(ctx context.Context, client *demoClient, agents []demoAgent, numbers []int) ([]int64, error) {
	if len(numbers) == 1 {
		var event struct{ ID int64 }
		err := client.post(ctx, eventPath(agents, numbers[0]), numberedActivity(1+numbers[0]), &event)
		return []int64{event.ID}, err
	}
	events := make([]fields, len(numbers))
	for i, number := range numbers {
		raw, err := json.Marshal(numberedActivity(1 + number)) // nothing is no quantity
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(raw, &events[i]); err != nil {
			return nil, err
		}
		events[i]["kind"], events[i]["agent_id"] = "activity", agents[number%len(agents)].ID
	}
	var answer struct {
		Rejected int64
		Results  []struct{ ID int64 }
	}
	if err := client.post(ctx, "/events", fields{"events": events}, &answer); err != nil {
		return nil, err
	}
	ids := make([]int64, len(numbers))
	for i, result := range answer.Results {
		ids[i] = result.ID
	}
	if answer.Rejected > 0 || len(answer.Results) != len(numbers) {
		return nil, fmt.Errorf("batch answers 400: %+v", answer)
	}
	return ids, nil
}

// reprice changes the price of the second agent's tokens, on one server after the other, until done is closed.
func (p *pair) reprice(operator *demoClient, agent demoAgent, done <-chan struct{}) {
	var found struct {
		Model int64 `json:"billing_model_id"`
	}
	if err := p.client(0, operator).read(p.t.Context(), fmt.Sprintf("/agents/%d", agent.ID), &found); err != nil {
		p.t.Error(err)
		return
	}
	for n := 1; ; n++ {
		select {
		case <-done:
			return
		default:
		}
		body := fmt.Appendf(nil, `{"activity_price_per_action":"0.%04d"}`, n%9999)
		err := p.client(n%2, operator).send(p.t.Context(), http.MethodPut, fmt.Sprintf("/billing-models/%d", found.Model), "application/json", bytes.NewReader(body), nil)
		if err != nil && strings.Contains(err.Error(), "answers") {
			p.t.Errorf("change the price: %v", err)
			return
		}
	}
}

// Two processes on one PostgreSQL are sent the same events at once, while prices change and one of them is killed and started
// again: each event is there once, under one id, and the books add up.
func TestServe_ReplicasShareOneDatabase(t *testing.T) {
	target := storetest.Postgres(t)
	env := []string{"DATABASE_URL=" + target.URL, "SECRET_KEY=" + strings.Repeat("k", 32), "FIRST_SUPERUSER_PASSWORD=" + testPassword, "LOG_LEVEL=error"}
	p := &pair{t: t, servers: [2]*server{startServer(t, env...), startServer(t, env...)}}
	operator := p.servers[0].login()
	_, agents, reporter, err := makeWorld(t.Context(), operator)
	if err != nil {
		t.Fatal(err)
	}
	var all, prices sync.WaitGroup
	done := make(chan struct{})
	prices.Go(func() { p.reprice(operator, agents[1], done) })
	for n := range 8 {
		all.Go(func() { p.report(n%2, agents, reporter) })
	}
	for p.ids[rand.IntN(replicaEvents)].Load() == 0 && !t.Failed() {
		if err := p.client(0, operator).read(t.Context(), "/auth/me", nil); err != nil {
			t.Fatal(err)
		}
	}
	p.servers[1].kill()
	p.replace(1, startServer(t, env...))
	all.Wait()
	close(done)
	prices.Wait()

	stored := int64(0)
	for which, a := range agents {
		var stats demoStats
		if err := p.client(which%2, operator).read(t.Context(), fmt.Sprintf("/agents/%d/stats", a.ID), &stats); err != nil {
			t.Fatal(err)
		}
		stored += stats.Activities
	}
	if stored != replicaEvents {
		t.Errorf("%d events are stored, %d were sent", stored, replicaEvents)
	}
	for _, s := range p.servers {
		if code := s.terminate(); code != 0 || s.log.String() != "" {
			t.Errorf("ends with %d: %s", code, s.log)
		}
	}
	mustVerify(t, env)
}
