package api

import (
	"context"
	"net/http"
	"time"

	"xyra"
)

// Answered is one request that has been answered, for whoever watches.
type Answered struct {
	Started time.Time
	Took    time.Duration
	Status  int
	Request string // its id
}

// Watcher is told of every answer of one route, in the request's context. It must be quick.
type Watcher func(context.Context, Answered)

// routeUnmatched is the route of requests that none matches.
const routeUnmatched = "unmatched"

// watchers are those of what has no row of its own in the table of routes.
type watchers struct {
	unmatched Watcher
	events    map[xyra.EventKind]Watcher // of what ingest takes
}

func (s *Server) newWatchers() watchers {
	w := watchers{unmatched: s.watcher("", routeUnmatched), events: map[xyra.EventKind]Watcher{}}
	for word, kind := range eventWords {
		w.events[kind] = s.watcher(http.MethodPost, s.agentPrefix+"{agent_id}/"+word)
	}
	return w
}

// watcher asks for a route's watcher, once, so that an answer costs no search.
func (s *Server) watcher(method, route string) Watcher {
	if s.Watch == nil {
		return func(context.Context, Answered) {}
	}
	return s.Watch(method, route)
}
