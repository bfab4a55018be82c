package main

import (
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// scraped is what Prometheus reads from a running server.
func (s *server) scraped() string {
	s.t.Helper()
	at := regexp.MustCompile(`  Metrics +(http://\S+/metrics)\n`).FindStringSubmatch(s.banner)
	if at == nil {
		s.t.Fatalf("no metrics in the banner: %s", s.banner)
	}
	answer, err := http.Get(at[1])
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		s.t.Fatalf("scrape: %s %v", answer.Status, err)
	}
	return string(text)
}

// What a server does is in its metrics, and its API does not have them.
func TestMetrics_TellWhatTheServerDoes(t *testing.T) {
	eachDatabase(t, func(t *testing.T, env []string) {
		s := startServer(t, append(env, "METRICS_ADDR=127.0.0.1:0", "XYRA_VERIFY_EVERY=50ms")...)
		_, agents, client, err := makeWorld(t.Context(), s.login())
		if err != nil {
			t.Fatal(err)
		}
		for _, number := range []int{1, 2, 1} {
			if err := client.post(t.Context(), eventPath(agents, 0), numberedActivity(number), nil); err != nil {
				t.Fatal(err)
			}
		}
		if err := client.read(t.Context(), "/agents/999999", nil); err == nil {
			t.Error("agent 999999 exists")
		}
		for ctx := untilDone(t); !strings.Contains(s.scraped(), "xyra_verify_differences 0") || !strings.Contains(s.scraped(), "xyra_scheduler_planned"); {
			if ctx.Err() != nil {
				t.Fatalf("never verified or planned: %s", s.scraped())
			}
		}
		text := s.scraped()
		for _, want := range []string{
			`xyra_http_requests_total{method="POST",route="/api/v1/agents/{agent_id}/activities",status="200"} 3`,
			`xyra_http_requests_total{method="GET",route="/api/v1/agents/{agent_id}",status="404"} 1`,
			`xyra_events_total{result="recorded"} 2`, `xyra_events_total{result="replayed"} 1`, `xyra_database_up 1`, `xyra_queue_events 0`,
		} {
			if !strings.Contains(text, want+"\n") {
				t.Errorf("no line %q", want)
			}
		}
		if strings.Contains(text, fmt.Sprint("/agents/", agents[0].ID)) {
			t.Error("a path with an id became a label")
		}
		answer, err := http.Get(strings.TrimSuffix(s.url, "/api/v1") + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusNotFound {
			t.Errorf("the API answers %s at /metrics", answer.Status)
		}
		if code := s.terminate(); code != 0 {
			t.Errorf("ends with %d: %s", code, s.log)
		}
	})
}

// An address of the metrics that is taken or no address is a fault with its remedy.
func TestMetrics_AddressThatIsTakenIsRefused(t *testing.T) {
	s := startServer(t, "XYRA_DATA_DIR="+filepath.Join(t.TempDir(), "data"), "METRICS_ADDR=127.0.0.1:0")
	taken := regexp.MustCompile(`  Metrics +http://(\S+)/metrics\n`).FindStringSubmatch(s.banner)[1]
	code, _, complaint := ended(t, command(t, []string{"XYRA_DATA_DIR=" + filepath.Join(t.TempDir(), "data"), "METRICS_ADDR=" + taken}))
	if code != 1 || !strings.Contains(complaint, "METRICS_ADDR") || strings.Count(complaint, "\n") != 1 {
		t.Errorf("ends with %d: %s", code, complaint)
	}
}
