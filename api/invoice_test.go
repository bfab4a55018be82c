package api

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"xyra"
	"xyra/store"
)

// invoiceScene is a server with two organizations of an admin each, and an invoice of the first one.
type invoiceScene struct {
	t                       *testing.T
	s                       *Server
	superuser, own, other   string // tokens
	organization, elsewhere xyra.OrganizationID
	invoice                 xyra.InvoiceID
}

func newInvoiceScene(t *testing.T, s *Server) *invoiceScene {
	t.Helper()
	sc := &invoiceScene{t: t, s: s, invoice: withCheckout(t, s, "INV/ö 1")}
	i, err := s.db.InvoiceAnywhere(t.Context(), sc.invoice)
	if err != nil {
		t.Fatal(err)
	}
	second, err := s.db.InvoiceAnywhere(t.Context(), withCheckout(t, s, "second"))
	if err != nil {
		t.Fatal(err)
	}
	sc.organization, sc.elsewhere = i.Organization, second.Organization
	if sc.superuser, err = s.gate.Login(t.Context(), superuserEmail, superuserPassword, "192.0.2.1"); err != nil {
		t.Fatal(err)
	}
	sc.own, sc.other = sc.admin("own@example.com", sc.organization), sc.admin("other@example.com", sc.elsewhere)
	return sc
}

// admin is the token of a new admin.
func (sc *invoiceScene) admin(email string, of xyra.OrganizationID) string {
	sc.t.Helper()
	u := xyra.User{Organization: of, Email: email, EmailKey: email, PasswordHash: "x", IsActive: true, Role: xyra.RoleAdmin}
	err := sc.s.db.Tx(sc.t.Context(), func(tx *store.Tx) (err error) {
		u.ID, err = tx.InsertUser(sc.t.Context(), u)
		return err
	})
	if err != nil {
		sc.t.Fatal(err)
	}
	token, err := sc.s.gate.Token(u)
	if err != nil {
		sc.t.Fatal(err)
	}
	return token
}

// want asks and compares status and body; a text in braces is the whole body, any other a part of it.
func (sc *invoiceScene) want(token, method, path, body string, status int, text string) {
	sc.t.Helper()
	w := ask(sc.s, method, "/api/v1/invoices"+path, token, body)
	got := w.Body.String()
	if w.Code != status || got != text && (strings.HasPrefix(text, "{") || !strings.Contains(got, text)) {
		sc.t.Errorf("%s %s %s: %d %s\nwant %d %s", method, path, body, w.Code, got, status, text)
	}
}

// What is asked of an invoice that is not the caller's, or of none, is answered alike on every route.
func TestInvoice_ForeignIsMissing(t *testing.T) {
	eachServer(t, Options{}, func(t *testing.T, s *Server) {
		sc := newInvoiceScene(t, s)
		const missing = `{"detail":"Invoice not found"}`
		for _, id := range []string{fmt.Sprint(sc.invoice), "999999", "0", "-1", "99999999999999999999"} {
			for _, path := range []string{"/" + id, "/" + id + "/pdf", "/" + id + "/html", "/" + id + "/lines.csv"} {
				sc.want(sc.other, "GET", path, "", 404, missing)
			}
			if id != fmt.Sprint(sc.invoice) {
				sc.want(sc.superuser, "PUT", "/"+id, "{}", 404, missing)
				sc.want(sc.superuser, "POST", "/"+id+"/cancel", "", 404, missing)
				sc.want(sc.superuser, "POST", "/"+id+"/pay", `{"payment_method":"x"}`, 404, missing)
			}
		}
		sc.want(sc.own, "GET", fmt.Sprintf("/%d", sc.invoice), "", 200, `"line_items":[{"description":"Work","quantity":1.0`)
		sc.want(sc.own, "GET", fmt.Sprintf("/%d/pdf", sc.invoice), "", 501, `{"detail":"PDF invoices are not available"}`)
		sc.want(sc.own, "GET", "/x/pdf", "", 422, `"int_parsing"`)
		sc.want("", "GET", "/x/pdf", "", 401, `{"detail":"Not authenticated"}`)

		const denied = `{"detail":"Not enough permissions to access invoices for this organization"}`
		sc.want(sc.other, "GET", fmt.Sprintf("/?org_id=%d", sc.organization), "", 403, denied)
		sc.want(sc.other, "GET", "/?org_id=999999", "", 403, denied)
		sc.want(sc.superuser, "GET", "/?org_id=999999", "", 404, `{"detail":"Organization not found"}`)
		sc.want(sc.superuser, "GET", "?org_id=99999999999999999999", "", 404, `{"detail":"Organization not found"}`)
		sc.want(sc.own, "GET", fmt.Sprintf("?org_id=%d&status=nonsense", sc.organization), "", 200, "[]")
		sc.want(sc.own, "GET", fmt.Sprintf("?org_id=%d&status=", sc.organization), "", 200, `"INV/ö 1"`)
		sc.want(sc.own, "GET", "", "", 422, `{"detail":[{"type":"missing","loc":["query","org_id"],"msg":"Field required","input":null}]}`)
	})
}

// Only superusers write, and they hear of a wrong request before a missing object.
func TestInvoice_WritesAreTheOperators(t *testing.T) {
	eachServer(t, Options{}, func(t *testing.T, s *Server) {
		sc := newInvoiceScene(t, s)
		const denied = `{"detail":"Not enough permissions"}`
		id := fmt.Sprintf("/%d", sc.invoice)
		for _, path := range []string{"", "/generate/monthly", id + "/cancel", id + "/pay"} {
			sc.want(sc.own, "POST", path, "{", 403, denied)
			sc.want("", "POST", path, "{", 401, `{"detail":"Not authenticated"}`)
		}
		sc.want(sc.own, "PUT", id, "{", 403, denied)
		sc.want(sc.superuser, "POST", "/999999/pay", `{}`, 422, `"loc":["body","payment_method"]`)
		sc.want(sc.superuser, "PUT", "/999999", `{"status":null}`, 422, `{"detail":[{"type":"string_type","loc":["body","status"],"msg":"Input should be a valid string","input":null}]}`)
		sc.want(sc.superuser, "POST", "/generate/monthly?org_id=1&year=2024&month=1&currency=XYZ", "", 422,
			`{"detail":[{"type":"value_error","loc":["query","currency"],"msg":"Value error, unknown currency code","input":"XYZ","ctx":{"error":"unknown currency code"}}]}`)
		sc.want(sc.superuser, "POST", "/generate/monthly?org_id=999999&year=0&month=0", "", 400, `{"detail":"Month must be between 1 and 12"}`)
		sc.want(sc.superuser, "POST", "/generate/monthly?org_id=999999&year=0&month=1", "", 404, `{"detail":"Organization not found"}`)
		sc.want(sc.superuser, "POST", fmt.Sprintf("/generate/monthly?org_id=%d&year=-5&month=1&currency=eur", sc.organization), "", 400, `{"detail":"year -5 is out of range"}`)
		sc.want(sc.superuser, "POST", fmt.Sprintf("/generate/monthly?org_id=%d&year=99999999999999999999&month=1", sc.organization), "", 422, `"less_than_equal"`)
		sc.want(sc.superuser, "POST", fmt.Sprintf("/generate/monthly?org_id=%d&year=2024&month=1", sc.organization), "", 400,
			fmt.Sprintf(`{"detail":"No agents found for organization with ID %d"}`, sc.organization))
		sc.want(sc.superuser, "POST", "", `{"organization_id":999999,"due_date":"2030-01-01","items":[]}`, 400, `{"detail":"Organization with ID 999999 not found"}`)
		sc.want(sc.superuser, "POST", "", fmt.Sprintf(`{"organization_id":%d,"due_date":"2030-01-01","items":null}`, sc.organization), 422, `"list_type"`)
		sc.want(sc.superuser, "POST", "", fmt.Sprintf(`{"organization_id":%d,"due_date":"2030-01-01","items":[],"invoice_number":"","currency":"jpy"}`, sc.organization), 200, `"amount":0.0,"tax_amount":0.0,"total_amount":0.0,"currency":"JPY","status":"pending","notes":null,"invoice_metadata":null`)
	})
}

// A change that is sent twice with one Idempotency-Key happens once; paying twice without it is refused.
func TestInvoice_PaymentsApplyOnce(t *testing.T) {
	eachServer(t, Options{}, func(t *testing.T, s *Server) {
		sc := newInvoiceScene(t, s)
		path := fmt.Sprintf("/%d/pay", sc.invoice)
		sc.want(sc.superuser, "POST", path, `{"payment_method":"","payment_date":null}`, 200, `"payment_method":""`)
		sc.want(sc.superuser, "POST", path, `{"payment_method":"x"}`, 400, `{"detail":"Invoice is already marked as paid"}`)
		sc.want(sc.superuser, "POST", fmt.Sprintf("/%d/cancel", sc.invoice), "garbage", 400, `{"detail":"Cannot cancel a paid invoice"}`)
		var numbers []string
		for range 2 {
			r := httptest.NewRequest(http.MethodPost, "/api/v1/invoices", strings.NewReader(fmt.Sprintf(`{"organization_id":%d,"due_date":"2030-01-01","items":[]}`, sc.organization)))
			r.Header.Set("Authorization", "Bearer "+sc.superuser)
			r.Header.Set("Idempotency-Key", "once")
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			numbers = append(numbers, w.Body.String())
			if w.Code != http.StatusOK || (w.Header().Get("Idempotent-Replayed") == "true") != (len(numbers) == 2) {
				t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
			}
		}
		if numbers[0] != numbers[1] {
			t.Errorf("two answers: %v", numbers)
		}
	})
}
