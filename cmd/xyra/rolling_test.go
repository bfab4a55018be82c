package main

import (
	"context"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// balancer sends requests to the replicas that are ready, by looking often, as balancers do.
type balancer struct {
	mu       sync.Mutex
	replicas map[string]*httputil.ReverseProxy // by root URL
	ready    map[string]bool
	turn     int
}

// checkEvery is how often the balancer looks at /ready.
const checkEvery = 20 * time.Millisecond

func newBalancer(t *testing.T) (*balancer, string) {
	b := &balancer{replicas: map[string]*httputil.ReverseProxy{}, ready: map[string]bool{}}
	front := httptest.NewServer(b)
	t.Cleanup(front.Close)
	ctx, stop := context.WithCancel(context.Background())
	t.Cleanup(stop)
	go func() {
		look := time.NewTicker(checkEvery)
		defer look.Stop()
		for {
			select {
			case <-look.C:
				b.check(ctx)
			case <-ctx.Done():
				return
			}
		}
	}()
	return b, front.URL
}

func (b *balancer) add(t *testing.T, s *server) {
	root, err := url.Parse(strings.TrimSuffix(s.url, "/api/v1"))
	if err != nil {
		t.Fatal(err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	proxy := httputil.NewSingleHostReverseProxy(root)
	proxy.ErrorLog = log.New(io.Discard, "", 0)
	b.replicas[root.String()] = proxy
}

func (b *balancer) check(ctx context.Context) {
	b.mu.Lock()
	roots := make([]string, 0, len(b.replicas))
	for root := range b.replicas {
		roots = append(roots, root)
	}
	b.mu.Unlock()
	for _, root := range roots {
		ask, cancel := context.WithTimeout(ctx, time.Second)
		r, err := http.NewRequestWithContext(ask, http.MethodGet, root+"/ready", nil)
		ready := false
		if err == nil {
			if answer, err := http.DefaultClient.Do(r); err == nil {
				ready = answer.StatusCode == http.StatusOK
				answer.Body.Close()
			}
		}
		cancel()
		b.mu.Lock()
		b.ready[root] = ready
		b.mu.Unlock()
	}
}

func (b *balancer) readyCount() (count int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, ready := range b.ready {
		if ready {
			count++
		}
	}
	return count
}

// waitReady waits until so many replicas are ready.
func (b *balancer) waitReady(t *testing.T, count int) {
	t.Helper()
	ctx, look := untilDone(t), time.NewTicker(checkEvery)
	defer look.Stop()
	for b.readyCount() != count {
		select {
		case <-look.C:
		case <-ctx.Done():
			t.Fatalf("%d replicas are ready, want %d", b.readyCount(), count)
		}
	}
}

// ServeHTTP implements http.Handler: one ready replica after the other.
func (b *balancer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	var chosen []*httputil.ReverseProxy
	for root, proxy := range b.replicas {
		if b.ready[root] {
			chosen = append(chosen, proxy)
		}
	}
	b.turn++
	turn := b.turn
	b.mu.Unlock()
	if len(chosen) == 0 {
		http.Error(w, "no replica is ready", http.StatusBadGateway)
		return
	}
	chosen[turn%len(chosen)].ServeHTTP(w, r)
}

// Two replicas behind a balancer are restarted one after the other under load: no request fails, each event is there once.
func TestServe_RollingRestartFailsNoRequest(t *testing.T) {
	eachDatabase(t, func(t *testing.T, env []string) {
		if !isPostgres(env) {
			return // one process serves a file
		}
		env = append(env, "XYRA_DRAIN_DELAY=2s") // a busy machine may look seldom
		replicas := []*server{startServer(t, env...), startServer(t, env...)}
		b, front := newBalancer(t)
		b.add(t, replicas[0])
		b.add(t, replicas[1])
		b.waitReady(t, 2)
		_, agents, client, err := makeWorld(t.Context(), replicas[0].login())
		if err != nil {
			t.Fatal(err)
		}
		through := &server{t: t, url: front + "/api/v1", log: &lockedBuffer{}}
		o := &outage{s: through, credential: client.credential, agents: agents, answered: map[int]int64{}}
		ctx, stop := context.WithCancel(untilDone(t))
		done := make(chan struct{})
		go func() {
			defer close(done)
			o.run(ctx)
		}()
		for i, old := range replicas {
			answered, _ := o.counts()
			o.waitFor(ctx, "traffic before a restart", func(a, _ int) bool { return a > answered+100 })
			if code := old.terminate(); code != 0 {
				t.Errorf("replica %d ends with %d: %s", i, code, old.log)
			}
			b.waitReady(t, 1)
			b.add(t, startServer(t, env...))
			b.waitReady(t, 2)
		}
		answered, _ := o.counts()
		o.waitFor(ctx, "traffic after the restarts", func(a, _ int) bool { return a > answered+100 })
		stop()
		<-done
		if o.refused > 0 {
			t.Errorf("%d requests of %d were refused", o.refused, o.sent)
		}
		t.Logf("%d requests, none failed", len(o.answered))
		mustVerify(t, env)
	})
}
