package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// traffic is what an installation does all day, at an even pace: single events and batches from agents, reads, and now and
// then an operator who issues and settles invoices and changes prices. None of it may fail.
type traffic struct {
	t                  *testing.T
	operator, reporter *demoClient
	customer           demoCustomer
	agents             []demoAgent

	mu       sync.Mutex
	sent     int
	ended    int
	failed   int
	answered map[int]int64 // number → event id
}

// trafficEvery makes 200 requests a second.
const trafficEvery = 5 * time.Millisecond

// newTraffic makes a world on a server and traffic that goes through a balancer in front of it.
func newTraffic(t *testing.T, s *server, front string) *traffic {
	t.Helper()
	operator := s.login()
	customer, agents, reporter, err := makeWorld(t.Context(), operator)
	if err != nil {
		t.Fatal(err)
	}
	through := newDemoClient(front+"/api/v1", 64)
	return &traffic{t: t, operator: through.as(operator.credential), reporter: through.as(reporter.credential), customer: customer, agents: agents, answered: map[int]int64{}}
}

// flow sends until stop is called, which waits for the last answers.
func (f *traffic) flow() (stop func()) {
	ctx, cancel := context.WithCancel(f.t.Context())
	var all sync.WaitGroup
	all.Go(func() {
		pace := time.NewTicker(trafficEvery)
		defer pace.Stop()
		for number := 1; ; number++ {
			select {
			case <-pace.C:
			case <-ctx.Done():
				return
			}
			f.mu.Lock()
			f.sent++
			f.mu.Unlock()
			all.Go(func() { f.one(number) })
		}
	})
	return func() {
		cancel()
		all.Wait()
	}
}

// one makes the request of a number and notes what came of it.
func (f *traffic) one(number int) {
	err := f.request(number)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ended++
	if err == nil {
		return
	}
	if f.failed++; f.failed <= 10 {
		f.t.Errorf("request %d: %v", number, err)
	}
}

func (f *traffic) request(number int) error {
	ctx := f.t.Context()
	switch {
	case number%50 == 1:
		return f.bill(ctx)
	case number%100 == 2:
		return f.reprice(ctx, number)
	case number%10 == 3:
		return f.reporter.read(ctx, fmt.Sprintf("/agents/%d/stats", f.agents[number%len(f.agents)].ID), nil)
	case number%10 == 4:
		return f.operator.read(ctx, fmt.Sprintf("/invoices?org_id=%d", f.customer.ID), nil)
	case number%10 == 5:
		return f.record(ctx, number, number+1_000_000, number+2_000_000, number+3_000_000)
	}
	return f.record(ctx, number)
}

// record reports events and notes their ids.
func (f *traffic) record(ctx context.Context, numbers ...int) error {
	ids, err := sendNumbered(ctx, f.reporter, f.agents, numbers)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, number := range numbers {
		f.answered[number] = ids[i]
	}
	return nil
}

// bill issues an invoice and settles or cancels it.
func (f *traffic) bill(ctx context.Context) error {
	var made struct{ ID int64 }
	if err := f.operator.post(ctx, "/invoices/", fields{"organization_id": f.customer.ID, "due_date": "2999-01-01T00:00:00",
		"items": []fields{{"description": "Work", "quantity": 1, "unit_price": 2, "amount": 2, "item_type": "work"}}}, &made); err != nil {
		return err
	}
	if made.ID%3 == 0 {
		return f.operator.post(ctx, fmt.Sprintf("/invoices/%d/cancel", made.ID), nil, nil)
	}
	return f.operator.post(ctx, fmt.Sprintf("/invoices/%d/payments", made.ID), fields{"amount": 1 + made.ID%4, "payment_method": "bank"}, nil)
}

func (f *traffic) reprice(ctx context.Context, number int) error {
	var found struct {
		Model int64 `json:"billing_model_id"`
	}
	if err := f.operator.read(ctx, fmt.Sprintf("/agents/%d", f.agents[1].ID), &found); err != nil {
		return err
	}
	body := fmt.Sprintf(`{"activity_price_per_action":"0.%04d"}`, 1+number%9999)
	return f.operator.send(ctx, "PUT", fmt.Sprintf("/billing-models/%d", found.Model), "application/json", strings.NewReader(body), nil)
}

// more waits until so many more requests have been answered.
func (f *traffic) more(count int) {
	f.t.Helper()
	ended := func() int {
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.ended
	}
	ctx, look := untilDone(f.t), time.NewTicker(trafficEvery)
	defer look.Stop()
	for target := ended() + count; ended() < target; {
		select {
		case <-look.C:
		case <-ctx.Done():
			f.t.Fatal("the traffic stands still")
		}
	}
}

// mustBeThere reports every answered event again: it has the id that was answered.
func (f *traffic) mustBeThere(s *server) {
	f.t.Helper()
	var numbers []int
	for number := range f.answered {
		numbers = append(numbers, number)
	}
	client := s.as(f.reporter)
	for len(numbers) > 0 {
		part := numbers[:min(1000, len(numbers))]
		numbers = numbers[len(part):]
		if len(part) == 1 {
			part = append(part, part[0])
		}
		ids, err := sendNumbered(f.t.Context(), client, f.agents, part)
		if err != nil {
			f.t.Fatal(err)
		}
		for i, number := range part {
			if ids[i] != f.answered[number] {
				f.t.Errorf("event %d was answered with id %d and is %d", number, f.answered[number], ids[i])
			}
		}
	}
	f.t.Logf("%d requests, %d failed; %d events were answered", f.ended, f.failed, len(f.answered))
}
