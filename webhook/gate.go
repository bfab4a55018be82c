package webhook

import (
	"math/rand/v2"
	"sync"
	"time"

	"xyra"
)

const (
	restFirst   = 5 * time.Second
	restMost    = 5 * time.Minute
	slowFrom    = 2 * time.Second // an attempt that takes longer makes its endpoint a slow one
	waitBusy    = time.Second     // until a delivery asks again whose endpoint has its share of workers
	standingMax = 10_000          // endpoints remembered; it forgets who has recovered first
)

// gate says which endpoints may take a worker. It knows what this process has seen of them, nothing else.
type gate struct {
	workers     int
	perEndpoint int // attempts at once, to an endpoint that is not slow

	mu        sync.Mutex
	slowBusy  int // attempts running that began on a slow endpoint
	endpoints map[xyra.WebhookEndpointID]*standing
}

// standing is what is known of an endpoint.
type standing struct {
	running  int
	known    bool // an attempt has ended: until then there is one at once
	slow     bool
	silences int // attempts in a row without an answer
	restTill time.Time
}

func newGate(workers int) *gate {
	return &gate{workers: workers, perEndpoint: max(1, workers/8), endpoints: map[xyra.WebhookEndpointID]*standing{}}
}

// enter takes a worker for an attempt. It returns how long to wait instead when that must not be.
func (g *gate) enter(id xyra.WebhookEndpointID, now time.Time, byHand bool) (leave func(took time.Duration, answered bool, now time.Time), wait time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	e := g.endpoints[id]
	if e == nil {
		e = &standing{}
		g.endpoints[id] = e
		g.forget(id)
	}
	slow, most := e.slow, g.perEndpoint
	if slow || !e.known {
		most = 1
	}
	switch {
	case now.Before(e.restTill) && !byHand:
		// Spread, so that those who wait for the same endpoint do not come back together.
		rest := e.restTill.Sub(now)
		return nil, rest + rand.N(rest/2+waitBusy)
	case e.running >= most, slow && g.slowBusy >= max(1, g.workers/2):
		return nil, waitBusy + rand.N(waitBusy)
	}
	e.running++
	if slow {
		g.slowBusy++
	}
	return func(took time.Duration, answered bool, now time.Time) { g.leave(e, slow, took, answered, now) }, 0
}

func (g *gate) leave(e *standing, wasSlow bool, took time.Duration, answered bool, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	e.running--
	if wasSlow {
		g.slowBusy--
	}
	e.known, e.slow = true, !answered || took >= slowFrom
	if answered {
		e.silences, e.restTill = 0, time.Time{}
		return
	}
	e.silences++
	e.restTill = now.Add(min(restFirst<<min(e.silences-1, 10), restMost))
}

// forget keeps the table bounded: an endpoint that does not run and is not slow is as good as unknown.
func (g *gate) forget(except xyra.WebhookEndpointID) {
	if len(g.endpoints) <= standingMax {
		return
	}
	for id, e := range g.endpoints {
		if id != except && e.running == 0 && !e.slow {
			delete(g.endpoints, id)
		}
	}
}
