package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"xyra"
)

// A delivery whose job is given up by hand has ended at once; its message goes out again as a replay, never by the old job.
func TestJobs_DiscardingADeliveryEndsItAndReplayFollows(t *testing.T) {
	eachServer(t, Options{}, func(t *testing.T, s *Server) {
		sc := newInvoiceScene(t, s)
		call := func(method, path, body string, status int, into any) string {
			t.Helper()
			w := ask(s, method, "/api/v1"+path, sc.superuser, body)
			if w.Code != status {
				t.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
			}
			if into != nil {
				if err := json.Unmarshal(w.Body.Bytes(), into); err != nil {
					t.Fatal(err)
				}
			}
			return w.Body.String()
		}
		var e, d, again struct {
			ID    int64
			State string
		}
		call(http.MethodPost, "/webhook-endpoints", fmt.Sprintf(`{"url":"https://hooks.example.com/","event_types":["invoice.paid"],"organization_id":%d}`, sc.organization), 200, &e)
		at := fmt.Sprintf("/webhook-endpoints/%d", e.ID)
		call(http.MethodPost, at+"/test", "", 200, &d)
		jobs, err := s.db.Jobs(t.Context(), "waiting", xyra.JobWebhook, 0, 10)
		if err != nil || len(jobs) != 1 {
			t.Fatalf("%+v, %v", jobs, err)
		}
		job := fmt.Sprintf("/jobs/%d", jobs[0].ID)
		if text := call(http.MethodPost, job+"/retry", "", 200, nil); !strings.Contains(text, `"attempts_max":1000`) {
			t.Errorf("a retry takes attempts away: %s", text)
		}
		call(http.MethodPost, job+"/discard", "", 200, nil)
		list := call(http.MethodGet, at+"/deliveries", "", 200, nil)
		if !strings.Contains(list, `"state":"discarded"`) || !strings.Contains(list, "its job was discarded") || strings.Contains(list, "pending") {
			t.Errorf("after the discard: %s", list)
		}
		call(http.MethodPost, job+"/discard", "", 200, nil)
		if text := call(http.MethodPost, job+"/retry", "", 409, nil); text != `{"detail":"The delivery of the job is discarded: replay it"}` {
			t.Errorf("retried: %s", text)
		}
		if j, err := s.db.Job(t.Context(), jobs[0].ID); err != nil || j.State != xyra.JobDiscarded {
			t.Errorf("the refused retry moved the job: %+v, %v", j, err)
		}
		call(http.MethodPost, fmt.Sprintf("%s/deliveries/%d/replay", at, d.ID), "", 200, &again)
		if again.ID == d.ID || again.State != "pending" {
			t.Errorf("replayed: %+v", again)
		}
		if jobs, err = s.db.Jobs(t.Context(), "waiting", xyra.JobWebhook, 0, 10); err != nil || len(jobs) != 1 {
			t.Errorf("jobs of the replay: %+v, %v", jobs, err)
		}
	})
}
