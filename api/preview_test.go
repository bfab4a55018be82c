package api

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
)

// previewScene is an organization whose agent costs 5 a month and 2 a call, with a call in January 2024 and one now.
func previewScene(t *testing.T, s *Server) (a *attackScene, organization int64) {
	t.Helper()
	a = &attackScene{t: t, s: s, attack: "plain"}
	var err error
	if a.token, err = s.gate.Login(t.Context(), superuserEmail, superuserPassword, "192.0.2.1"); err != nil {
		t.Fatal(err)
	}
	organization = a.post("POST", "/organizations", fact{"name": "Northwind", "timezone": "UTC"})
	model := a.post("POST", "/billing-models", fact{"name": "Plan", "model_type": "hybrid", "organization_id": organization, "hybrid_base_fee": 5,
		"hybrid_activity_configs": []fact{{"action_type": "call", "price_per_action": 2}}})
	agent := a.post("POST", "/agents", fact{"name": "Ada", "organization_id": organization, "billing_model_id": model})
	for _, at := range []string{"2024-01-15T00:00:00Z", time.Now().UTC().Format(time.RFC3339)} {
		a.post("POST", fmt.Sprintf("/agents/%d/activities", agent), fact{"activity_type": "call", "timestamp": at})
	}
	return a, organization
}

func (a *attackScene) ask(method, path string) (status int, out fact) {
	a.t.Helper()
	w := ask(a.s, method, "/api/v1/invoices"+path, a.token, "")
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
		a.t.Fatalf("%s: %v %s", path, err, w.Body)
	}
	return w.Code, out
}

// stored are the fields that only saving an invoice gives.
var stored = []string{"id", "invoice_number", "status", "created_at", "updated_at", "issue_date", "due_date", "line_items"}

// A preview has the fields and the digits of the invoice that is generated after it; nothing of it is kept.
func TestPreview_IsTheInvoiceWithoutANumber(t *testing.T) {
	eachServer(t, Options{Print: printPDF}, func(t *testing.T, s *Server) {
		a, organization := previewScene(t, s)
		query := fmt.Sprintf("?org_id=%d&year=2024&month=1", organization)
		status, preview := a.ask("GET", "/preview/monthly"+query)
		if status != http.StatusOK || preview["status"] != "draft" || preview["id"] != nil || preview["invoice_number"] != nil || preview["period_over"] != true ||
			preview["period_start"] != "2024-01-01T00:00:00Z" || preview["period_end"] != "2024-02-01T00:00:00Z" || preview["total_amount"] != 7.0 {
			t.Errorf("%d %v", status, preview)
		}
		status, invoice := a.ask("POST", "/generate/monthly"+query)
		if status != http.StatusOK {
			t.Fatalf("%d %v", status, invoice)
		}
		for name, value := range invoice {
			if got, present := preview[name]; !present || !strings.Contains(strings.Join(stored, " "), name) && !reflect.DeepEqual(got, value) {
				t.Errorf("%s: previewed %v, generated %v", name, got, value)
			}
		}
		previewed, generated := preview["line_items"].([]any), invoice["line_items"].([]any)
		if len(previewed) != 2 || len(generated) != 2 {
			t.Fatalf("previewed %v, generated %v", previewed, generated)
		}
		for n, line := range generated {
			for name, value := range line.(fact) {
				got, present := previewed[n].(fact)[name]
				if isStored := name == "id" || name == "invoice_id" || strings.HasSuffix(name, "_at"); !present || isStored && got != nil || !isStored && !reflect.DeepEqual(got, value) {
					t.Errorf("line %d %s: previewed %v, generated %v", n, name, got, value)
				}
			}
		}
		status, refusal := a.ask("GET", "/preview/monthly"+query)
		if want := fmt.Sprintf("Invoice %s already exists for organization with ID %d, period 2024-1 and currency USD", invoice["invoice_number"], organization); status != http.StatusConflict || refusal["detail"] != want {
			t.Errorf("%d %v", status, refusal)
		}
		for _, path := range []string{"/preview", "/preview/pdf", "/preview/html"} { // no invoice has such an id
			if status, fault := a.ask("GET", path); status != http.StatusUnprocessableEntity || !strings.Contains(fmt.Sprint(fault), "int_parsing") {
				t.Errorf("%s: %d %v", path, status, fault)
			}
		}
		status, fault := a.ask("GET", "/preview/monthly?org_id=x&month=1&currency=XYZ")
		if text := fmt.Sprint(fault); status != http.StatusUnprocessableEntity || strings.Index(text, "int_parsing") > strings.Index(text, "missing") || !strings.Contains(text, "unknown currency code") {
			t.Errorf("%d %v", status, fault)
		}
	})
}

// The printed forms of the running month say that they are drafts, and of what.
func TestPreview_PrintedFormsAreDrafts(t *testing.T) {
	eachServer(t, Options{Print: printPDF}, func(t *testing.T, s *Server) {
		a, organization := previewScene(t, s)
		now := time.Now().UTC()
		query := fmt.Sprintf("?org_id=%d&year=%d&month=%d", organization, now.Year(), now.Month())
		status, preview := a.ask("GET", "/preview/monthly"+query)
		if end, err := time.Parse(time.RFC3339, fmt.Sprint(preview["period_end"])); status != http.StatusOK || preview["period_over"] != false || err != nil || !end.After(now) || preview["total_amount"] != 7.0 {
			t.Errorf("%d %v %v", status, preview, err)
		}
		name := fmt.Sprintf("draft_%d_%d-%d_USD", organization, now.Year(), now.Month())
		for form, want := range map[string][2]string{"pdf": {name + ".pdf", "%PDF-"}, "html": {"", `<p class="stamp draft">DRAFT</p>`}, "lines.csv": {name + "_lines.csv", "\r\n\"DRAFT\",USD,2,"}} {
			w := ask(s, "GET", "/api/v1/invoices/preview/monthly/"+form+query, a.token, "")
			disposition := ""
			if want[0] != "" {
				disposition = `attachment; filename="` + want[0] + `"`
			}
			if w.Code != http.StatusOK || w.Header().Get("Content-Disposition") != disposition || w.Header().Get("Cache-Control") != "no-store" || !strings.Contains(w.Body.String(), want[1]) {
				t.Errorf("%s: %d %v %.2000s", form, w.Code, w.Header(), w.Body)
			}
			if form == "html" && (strings.Contains(w.Body.String(), "Invoice number") || !strings.Contains(w.Body.String(), "<dd>Draft: the period is not over</dd>")) {
				t.Errorf("the page is not that of a draft: %s", w.Body)
			}
		}
		if status, list := a.list(organization); status != http.StatusOK || len(list) != 0 {
			t.Errorf("%d invoices are stored: %v", len(list), list)
		}
	})
}

func (a *attackScene) list(organization int64) (status int, list []fact) {
	a.t.Helper()
	w := ask(a.s, "GET", fmt.Sprintf("/api/v1/invoices?org_id=%d", organization), a.token, "")
	if err := json.Unmarshal(w.Body.Bytes(), &list); err != nil {
		a.t.Fatal(err)
	}
	return w.Code, list
}

// Twenty readers of one invoice and of one preview at once all get the same bytes.
func TestPaper_ConcurrentReadersGetTheSameBytes(t *testing.T) {
	eachServer(t, Options{Print: printPDF}, func(t *testing.T, s *Server) {
		a, organization := previewScene(t, s)
		query := fmt.Sprintf("?org_id=%d&year=2024&month=1", organization)
		lines := ask(s, "GET", "/api/v1/invoices/preview/monthly/lines.csv"+query, a.token, "").Body.String()
		id := a.post("POST", "/invoices/generate/monthly"+query, fact{})
		paths := []string{fmt.Sprintf("/invoices/%d/pdf", id), fmt.Sprintf("/invoices/%d/html", id), fmt.Sprintf("/invoices/%d/lines.csv", id)}
		want := make([]string, len(paths))
		for n, path := range paths {
			want[n] = ask(s, "GET", "/api/v1"+path, a.token, "").Body.String()
		}
		var reading sync.WaitGroup
		for n := range 20 {
			reading.Go(func() {
				if w := ask(s, "GET", "/api/v1"+paths[n%3], a.token, ""); w.Code != http.StatusOK || w.Body.String() != want[n%3] {
					t.Errorf("%s: %d, %d other bytes", paths[n%3], w.Code, w.Body.Len())
				}
			})
		}
		reading.Wait()
		drafted, err := csv.NewReader(strings.NewReader(lines)).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		issued, err := csv.NewReader(strings.NewReader(want[2])).ReadAll()
		if err != nil || len(drafted) != len(issued) {
			t.Fatalf("%v %q %q", err, drafted, issued)
		}
		for n := range issued {
			if !reflect.DeepEqual(drafted[n][1:], issued[n][1:]) {
				t.Errorf("drafted %q, issued %q", drafted[n], issued[n])
			}
		}
	})
}
