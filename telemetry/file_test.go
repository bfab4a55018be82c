package telemetry

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"xyra/store/storetest"
	"xyra/usage"
)

// The dashboard and the alert rules ask for metrics that exist, and the run book has a section for each alert.
func TestFiles_NameMetricsThatExist(t *testing.T) {
	target := storetest.SQLite(t)
	target.Now = time.Now
	db := storetest.Open(t, target)
	recorder := usage.New(db, usage.Options{})
	defer recorder.Close(t.Context()) //nolint:errcheck // nothing was recorded
	m := NewMetrics("1")
	m.Route("GET", "/")(200, 0)
	m.Commits()(usage.Commit{})
	m.Watch(State{DB: db, Recorder: recorder, Now: time.Now})
	have := scrape(t, m)
	for _, d := range []string{"xyra_jobs", "xyra_job_late_seconds", "xyra_scheduler_planned_timestamp_seconds"} { // of what this database has not
		have += "\n" + d + "{} 0\n"
	}
	rules, err := os.ReadFile("../deploy/prometheus/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	dashboard, err := os.ReadFile("../deploy/grafana/xyra.json")
	if err != nil || !json.Valid(dashboard) {
		t.Fatal("the dashboard is no JSON", err)
	}
	for _, name := range regexp.MustCompile(`\b(?:xyra|go|process)_[a-z_]+`).FindAllString(string(rules)+string(dashboard), -1) {
		if !strings.Contains(have, "\n"+name+" ") && !strings.Contains(have, "\n"+name+"{") {
			t.Errorf("there is no metric %s", name)
		}
	}
	book, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, alert := range regexp.MustCompile(`alert: (\w+)`).FindAllStringSubmatch(string(rules), -1) {
		if !strings.Contains(string(book), "### "+alert[1]+"\n") {
			t.Errorf("the run book says nothing of %s", alert[1])
		}
	}
}
