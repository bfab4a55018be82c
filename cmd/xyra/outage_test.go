package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// answered asks with the client's credential and returns the status and Retry-After; 0 is no answer within the time.
func (s *server) answered(ctx context.Context, method, path, credential, body string) (status int, retryAfter string) {
	r, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(s.url, "/api/v1")+path, strings.NewReader(body))
	if err != nil {
		s.t.Error(err)
		return 0, ""
	}
	r.Header.Set("Authorization", "Bearer "+credential)
	r.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, ""
	}
	defer answer.Body.Close()
	return answer.StatusCode, answer.Header.Get("Retry-After")
}

// until asks again and again until the status is there, and returns how long that took.
func (s *server) until(status int, within time.Duration, method, path, credential, body string) time.Duration {
	s.t.Helper()
	started := time.Now()
	ctx, cancel := context.WithTimeout(s.t.Context(), within)
	defer cancel()
	seen := map[int]bool{}
	for ctx.Err() == nil {
		got, _ := s.answered(ctx, method, path, credential, body)
		if got == status {
			return time.Since(started)
		}
		seen[got] = true
	}
	s.t.Errorf("%s %s does not answer %d within %s, but %v; %s", method, path, status, within, seen, s.log)
	return within
}

// outage is traffic that goes on while the way to the database breaks.
type outage struct {
	s          *server
	credential string
	agents     []demoAgent

	mu       sync.Mutex
	sent     int
	answered map[int]int64
	refused  int
}

// run posts from several workers until ctx ends. Each answer is a 200 with an id, or a 503 that says when to come back.
func (o *outage) run(ctx context.Context) {
	var workers sync.WaitGroup
	for range 8 {
		workers.Go(func() {
			client := o.s.as(&demoClient{credential: o.credential})
			for ctx.Err() == nil {
				o.mu.Lock()
				o.sent++
				number := o.sent
				o.mu.Unlock()
				var event struct{ ID int64 }
				err := client.post(ctx, eventPath(o.agents, number), numberedActivity(number), &event)
				o.mu.Lock()
				switch {
				case err == nil:
					o.answered[number] = event.ID
				case strings.Contains(err.Error(), "answers 503"):
					o.refused++
				case ctx.Err() == nil:
					o.s.t.Errorf("event %d: %v", number, err)
				}
				o.mu.Unlock()
			}
		})
	}
	workers.Wait()
}

func (o *outage) counts() (answered, refused int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.answered), o.refused
}

// waitFor waits until the traffic has gone on.
func (o *outage) waitFor(ctx context.Context, what string, reached func(answered, refused int) bool) {
	o.s.t.Helper()
	look := time.NewTicker(2 * time.Millisecond)
	defer look.Stop()
	for !reached(o.counts()) {
		select {
		case <-look.C:
		case <-ctx.Done():
			o.s.t.Fatalf("%s: never; %s", what, o.s.log)
		}
	}
}

// recoverMax is how long after its database a server is back: the promise.
const recoverMax = 5 * time.Second

// While the database is cut off, slow or silent, nothing is answered that is not stored, refusals are 503 with Retry-After,
// /ready turns, and all of it heals within five seconds without a restart.
func TestOutage_IsHonestAndHeals(t *testing.T) {
	throughRelay(t, func(t *testing.T, r *relay, env []string) {
		s := startServer(t, append(env, "XYRA_POSTGRES_STATEMENT_TIMEOUT=1s", "LOG_LEVEL=error")...)
		_, agents, client, err := makeWorld(t.Context(), s.login())
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(untilDone(t))
		o := &outage{s: s, credential: client.credential, agents: agents, answered: map[int]int64{}}
		done := make(chan struct{})
		go func() {
			defer close(done)
			o.run(ctx)
		}()
		for _, mode := range []relayMode{relayRefuses, relayDelays, relayStalls, relayRefuses} {
			answered, refused := o.counts()
			o.waitFor(ctx, "traffic before "+string(mode), func(a, _ int) bool { return a > answered+20 })
			r.set(mode)
			if mode != relayDelays {
				s.until(http.StatusServiceUnavailable, 4*time.Second, http.MethodGet, "/ready", "", "")
				brief, cancel := context.WithTimeout(ctx, time.Second)
				status, after := s.answered(brief, http.MethodPost, "/api/v1"+eventPath(agents, 0), client.credential, `{"activity_type":"generated_token"}`)
				cancel()
				if silent := mode == relayStalls && status == 0; !silent && (status != http.StatusServiceUnavailable || after == "") {
					t.Errorf("%s: a post is answered %d, Retry-After %q", mode, status, after)
				}
				if mode == relayRefuses {
					o.waitFor(ctx, "refusals while it "+string(mode), func(_, n int) bool { return n > refused })
				}
			} else {
				answered, _ := o.counts()
				o.waitFor(ctx, "traffic over a slow way", func(a, _ int) bool { return a > answered+20 })
			}
			r.set(relayPasses)
			ready := s.until(http.StatusOK, recoverMax, http.MethodGet, "/ready", "", "")
			read := s.until(http.StatusOK, recoverMax, http.MethodGet, fmt.Sprintf("/api/v1/agents/%d", agents[0].ID), client.credential, "")
			wrote := s.until(http.StatusOK, recoverMax, http.MethodPost, "/api/v1"+eventPath(agents, 0), client.credential, `{"activity_type":"generated_token"}`)
			back := ready + read + wrote
			if back > recoverMax {
				t.Errorf("after %s it is back in %s, promised are %s", mode, back, recoverMax)
			}
			t.Logf("after it %s, /ready is back in %s, reads in %s, events in %s", mode, ready, read, wrote)
		}
		stop()
		<-done
		for number, id := range o.answered {
			var event struct{ ID int64 }
			if err := client.post(t.Context(), eventPath(agents, number), numberedActivity(number), &event); err != nil || event.ID != id {
				t.Errorf("event %d was answered with id %d, and is %d, %v", number, id, event.ID, err)
			}
		}
		mustVerify(t, env)
		t.Logf("%d sent, %d answered, %d refused", o.sent, len(o.answered), o.refused)
	})
}
