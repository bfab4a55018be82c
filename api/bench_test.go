package api

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"xyra/auth"
	"xyra/store"
	"xyra/store/storetest"
	"xyra/telemetry"
	"xyra/usage"
)

// BenchmarkPostActivity sends durable activities from 64 callers at once straight into the server, without a network.
func BenchmarkPostActivity(b *testing.B) { benchmarkPostActivity(b, nil) }

// BenchmarkPostActivityWatched is the same with every metric counted.
func BenchmarkPostActivityWatched(b *testing.B) {
	benchmarkPostActivity(b, telemetry.NewMetrics("bench"))
}

func benchmarkPostActivity(b *testing.B, m *telemetry.Metrics) {
	target := storetest.SQLite(b)
	target.Now = time.Now
	db := storetest.Open(b, target)
	s, token, agent := benchServer(b, db, m)
	var n atomic.Int64
	path := fmt.Sprintf("/api/v1/agents/%d/activities", agent)
	b.ReportAllocs()
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			body := fmt.Sprintf(`{"activity_type":"call","quantity":12.5,"activity_metadata":{"model":"gpt-x","prompt_tokens":374,"completion_tokens":44},"timestamp":"2024-05-20T10:11:12.250Z","idempotency_key":"k-%d"}`, n.Add(1))
			r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("Authorization", "Bearer "+token)
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			if w.Code != http.StatusOK {
				b.Fatal(w.Code, w.Body)
			}
		}
	})
}

// benchServer is a server with one priced agent of one organization, and the superuser's token.
func benchServer(b *testing.B, db *store.DB, m *telemetry.Metrics) (s *Server, token string, agent int64) {
	b.Helper()
	gate := auth.New(db, auth.Options{Secret: []byte("secret of the benchmarks"), TokenLifetime: time.Hour, Now: time.Now})
	if _, err := gate.EnsureSuperuser(b.Context(), superuserEmail, superuserPassword); err != nil {
		b.Fatal(err)
	}
	o, recording := Options{Prefix: "/api/v1", Now: time.Now, Log: slog.New(slog.DiscardHandler)}, usage.Options{}
	if m != nil {
		recording.Watch = m.Commits()
		o.Watch = func(method, route string) Watcher {
			answered := m.Route(method, route)
			return func(_ context.Context, a Answered) { answered(a.Status, a.Took) }
		}
	}
	recorder := usage.New(db, recording)
	b.Cleanup(func() { recorder.Close(context.Background()) })
	s = New(db, gate, recorder, o)
	token, agent = ingestWorld(b, s)
	return s, token, agent
}
