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

// replace has another server in the place of one that ends meanwhile.
func (b *balancer) replace(t *testing.T, old *server, restart func() *server) {
	t.Helper()
	s := restart()
	b.remove(old) // before: the new one may have its port
	b.add(t, s)
}

// remove forgets a server that has ended.
func (b *balancer) remove(old *server) {
	root := strings.TrimSuffix(old.url, "/api/v1")
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.replicas, root)
	delete(b.ready, root)
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
		if b.replicas[root] != nil {
			b.ready[root] = ready
		}
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

// Promise 24: two replicas behind a balancer are restarted in turn under 200 requests a second: none fails, each event is there
// once.
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
		f := newTraffic(t, replicas[0], front)
		stop := f.flow()
		for n := range rounds(4, 200) {
			old := replicas[n%2]
			f.more(50)
			b.replace(t, old, func() *server {
				if code := old.terminate(); code != 0 {
					t.Errorf("replica %d ends with %d: %s", n%2, code, old.log)
				}
				replicas[n%2] = startServer(t, env...)
				return replicas[n%2]
			})
			b.waitReady(t, 2)
		}
		f.more(100)
		stop()
		f.mustBeThere(replicas[0])
		mustVerify(t, env)
	})
}
