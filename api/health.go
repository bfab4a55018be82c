package api

import (
	"net/http"

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

func (s *Server) ready(c *call, _ *nothing) (healthOut, error) {
	if err := s.db.Ping(c.context()); err != nil {
		return healthOut{}, &xyra.Error{Code: xyra.CodeUnavailable, Message: "Not ready", Err: err}
	}
	return healthOut{"ready", instant(c.now)}, nil
}
