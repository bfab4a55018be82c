package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"xyra"
)

func (s *Server) healthRoutes() []*route {
	routes := []*route{
		{method: http.MethodGet, path: "/health", summary: "Liveness", tag: "service", rights: everyone, outside: true, operation: endpoint(s.health)},
		{method: http.MethodGet, path: "/ready", summary: "Readiness", tag: "service", rights: everyone, outside: true, operation: endpoint(s.ready)},
	}
	return routes
}

type healthOut struct {
	Status    string  `json:"status"`
	Timestamp instant `json:"timestamp"`
}

// health does not touch the database: it answers whether the process lives.
func (s *Server) health(c *call, _ *nothing) (healthOut, error) {
	return healthOut{"healthy", instant(c.now)}, nil
}

// readyMax bounds the round trip to the database: who asks must hear of a silent one before it loses patience itself.
const readyMax = 2 * time.Second

var errDraining = errors.New("the process is draining")

func (s *Server) ready(c *call, _ *nothing) (healthOut, error) {
	ctx, cancel := context.WithTimeout(c.context(), readyMax)
	defer cancel()
	err := errDraining
	if !s.draining.Load() {
		err = s.db.Ping(ctx)
	}
	if err != nil {
		return healthOut{}, &xyra.Error{Code: xyra.CodeUnavailable, Message: "Not ready", Err: err}
	}
	return healthOut{"ready", instant(c.now)}, nil
}
