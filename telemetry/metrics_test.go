package telemetry

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"xyra"
	"xyra/store"
	"xyra/store/storetest"
	"xyra/usage"
)

// scrape is what Prometheus reads.
func scrape(t *testing.T, m *Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("scrape: %d %s", w.Code, w.Body)
	}
	return w.Body.String()
}

func mustShow(t *testing.T, text string, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if !strings.Contains(text, line) {
			t.Errorf("no line %q in\n%s", line, text)
		}
	}
}

// Each answer counts once under its route and status, with its time.
func TestMetrics_CountAnswersByRouteAndStatus(t *testing.T) {
	m := NewMetrics("1.2.3")
	answered := m.Route("POST", "/api/v1/agents/{agent_id}/activities")
	answered(200, 3*time.Millisecond)
	answered(200, 30*time.Millisecond)
	answered(503, 2*time.Second)
	answered(0, time.Second) // the client left
	m.Commits()(usage.Commit{Started: storetest.Start, Ended: storetest.Start.Add(20 * time.Millisecond), Requests: 3, Recorded: 5, Replayed: 2, Refused: 1})
	m.Verified(2, storetest.Start, 3*time.Second)
	mustShow(t, scrape(t, m),
		`xyra_http_requests_total{method="POST",route="/api/v1/agents/{agent_id}/activities",status="200"} 2`,
		`xyra_http_requests_total{method="POST",route="/api/v1/agents/{agent_id}/activities",status="503"} 1`,
		`xyra_http_requests_total{method="POST",route="/api/v1/agents/{agent_id}/activities",status="499"} 1`,
		`xyra_http_request_seconds_bucket{method="POST",route="/api/v1/agents/{agent_id}/activities",le="0.005"} 1`,
		`xyra_events_total{result="recorded"} 5`, `xyra_events_total{result="replayed"} 2`, `xyra_events_total{result="refused"} 1`,
		`xyra_commit_events_sum 8`, `xyra_commit_seconds_count 1`, `xyra_verify_differences 2`, `xyra_verify_seconds 3`,
		`xyra_build_info{version="1.2.3"} 1`, `go_goroutines`, `process_open_fds`)
}

// A scrape reads queue, pools and jobs; without a database it says so and still answers.
func TestMetrics_StateIsReadAtTheScrape(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		if err := db.Tx(t.Context(), func(tx *store.Tx) error {
			_, _, err := tx.InsertJob(t.Context(), xyra.Job{Kind: "clean_up"})
			return err
		}); err != nil {
			t.Fatal(err)
		}
		clock.Advance(90 * time.Second)
		recorder := usage.New(db, usage.Options{})
		m := NewMetrics("0")
		planned := storetest.Start
		m.Watch(State{DB: db, Recorder: recorder, Now: clock.Now, PlannedAt: func() time.Time { return planned }})
		mustShow(t, scrape(t, m), `xyra_jobs{kind="clean_up",state="waiting"} 1`, `xyra_job_late_seconds{kind="clean_up"} 90`, `xyra_database_up 1`,
			`xyra_queue_events 0`, `xyra_queue_oldest_seconds 0`, `xyra_database_connections_max{pool="`, `xyra_scheduler_planned_timestamp_seconds 1.7157744e+09`)
		if err := recorder.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		mustShow(t, scrape(t, m), `xyra_database_up 0`)
	})
}
