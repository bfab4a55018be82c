package api

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// A schema is a body that somebody may write, with the members that are the server's alone.
type schemaOwned struct {
	method, path, caller string
	body                 string // valid, without its closing brace
	owned                string
}

const (
	always       = "id created_at updated_at archived_at deleted_at "
	ofUsers      = always + "last_login token_version password_hash email_key hashed_password"
	ofCompanies  = always + "stripe_customer_id currency agent_count monthly_cost sequence"
	ofModels     = always + "seat_config activity_config outcome_config hybrid_config version version_id from_at components"
	ofAgents     = always + "last_active activity_count total_cost charges"
	ofEvents     = always + "charge recorded_at recorded_by period version_id digest source organization_id kind agent_external_id"
	ofInvoices   = always + "amount tax_amount total_amount issue_date sequence is_generated period parties line_items stripe_invoice_id stripe_checkout_session_id stripe_payment_link number"
	ofPayments   = always + "invoice_id kind source applied credited recorded_by invoice_status organization_id status"
	ofKeys       = always + "user_id user organization_id key_prefix prefix hash token last_used scopes role is_superuser"
	ofEveryLine  = always + "invoice_id organization_id"
	ownedNumber  = "777777"
	ownedText    = "owned-by-server"
	ownedInstant = "2001-02-03T04:05:06Z"
	ownedMicros  = "981173106000000"
)

var writable = []schemaOwned{
	{"POST", "/users", "root", `{"email":"{unique}@example.com","password":"quite-a-secret"`, ofUsers},
	{"PUT", "/users/{user}", "root", `{"full_name":"Ann"`, ofUsers},
	{"PUT", "/users/{user}", "ownmember", `{"full_name":"Ann"`, ofUsers},
	{"PUT", "/users/{user}", "ownadmin", `{"is_active":true`, ofUsers},
	{"POST", "/organizations", "root", `{"name":"{unique}"`, ofCompanies},
	{"PUT", "/organizations/{org}", "ownadmin", `{"description":"d"`, ofCompanies},
	{"PUT", "/organizations/{org}", "root", `{"description":"d"`, ofCompanies},
	{"POST", "/billing-models", "ownadmin", `{"name":"n","model_type":"seat","seat_price_per_seat":1,"organization_id":{org}`, ofModels},
	{"PUT", "/billing-models/{model}", "ownadmin", `{"description":"d"`, ofModels + " organization_id"},
	{"POST", "/agents", "ownmember", `{"name":"n","organization_id":{org}`, ofAgents},
	{"PUT", "/agents/{agent}", "ownmember", `{"description":"d"`, ofAgents + " organization_id external_id"},
	{"PUT", "/agents/{agent}", "root", `{"description":"d"`, ofAgents + " organization_id external_id"},
	{"POST", "/agents/{agent}/activities", "ownkey", `{"activity_type":"call"`, ofEvents + " currency verified amount value"},
	{"POST", "/agents/{agent}/costs", "ownmember", `{"cost_type":"tokens","amount":1`, ofEvents + " quantity verified value"},
	{"POST", "/agents/{agent}/outcomes", "root", `{"outcome_type":"sale","value":1`, ofEvents + " quantity amount"},
	{"POST", "/invoices", "root", `{"organization_id":{org},"due_date":"2030-01-01","items":[]`, ofInvoices + " status payment_method payment_date"},
	{"PUT", "/invoices/{invoice}", "root", `{"notes":"n"`, ofInvoices + " due_date invoice_number currency organization_id items"},
	{"POST", "/invoices/{+invoice}/pay", "root", `{"payment_method":"bank"`, ofInvoices + " due_date invoice_number currency organization_id items status notes invoice_metadata"},
	{"POST", "/invoices/{+invoice}/payments", "root", `{"amount":1,"payment_method":"bank"`, ofPayments},
	{"POST", "/api-keys", "ownadmin", `{"name":"n"`, ofKeys + " is_active"},
	{"POST", "/api-keys", "ownmember", `{"name":"n"`, ofKeys + " is_active"},
	{"PUT", "/api-keys/{apikey}", "ownadmin", `{"name":"n"`, ofKeys},
	{"PUT", "/webhook-endpoints/{endpoint}", "ownadmin", `{"description":"d"`, always + "organization_id secret previous previous_secret_until disabled_reason types"},
}

// Whatever a client sends for what is the server's, the answer is the one without it and no table holds it.
func TestOwned_FieldsOfTheServerStay(t *testing.T) {
	eachStage(t, func(st *stage) {
		count := 0
		for _, schema := range writable {
			send := func(more string) string {
				w := st.send(schema.method, st.fill(st.own, schema.path), schema.caller, st.fill(st.own, schema.body+more+"}"))
				if w.Code != http.StatusOK {
					st.t.Errorf("%s %s %s: %d %s", schema.method, schema.path, more, w.Code, w.Body)
				}
				return withoutChance(w.Body.String())
			}
			plain := send("")
			names := strings.Fields(schema.owned)
			count += len(names)
			for _, value := range []string{ownedNumber, `"` + ownedText + `"`, `"` + ownedInstant + `"`, "null", "true", "false", `{"id":` + ownedNumber + `}`, `[]`} {
				more := ""
				for _, name := range names {
					more += `,"` + name + `":` + value
				}
				if got := send(more); got != plain {
					st.t.Errorf("%s %s with %s\n%s, without\n%s", schema.method, schema.path, more, got, plain)
				}
			}
		}
		if count < 170 {
			st.t.Errorf("%d fields are not enough", count)
		}
		st.holdNothingOwned()
	})
}

// withoutChance hides what differs between two answers to the same request: ids, times, secrets, made-up names.
func withoutChance(text string) string {
	text = regexp.MustCompile(`"\d{4}-\d\d-\d\dT[^"]*"`).ReplaceAllString(text, `"time"`)
	text = regexp.MustCompile(`"(xyra_|x\d+|INV-)[^"]*"`).ReplaceAllString(text, `"chance"`)
	return regexp.MustCompile(`"id":\d+`).ReplaceAllString(regexp.MustCompile(`"invoice_id":\d+`).ReplaceAllString(text, `"invoice_id":0`), `"id":0`)
}

func (st *stage) holdNothingOwned() {
	st.t.Helper()
	for _, table := range st.tables {
		for _, line := range st.rows(table) {
			for _, value := range []string{ownedNumber, ownedText, ownedMicros} {
				if strings.Contains(line, value) {
					st.t.Errorf("%s holds %s: %s", table, value, line)
				}
			}
		}
	}
}

// The same holds inside lists: the lines of an invoice and the events of a batch.
func TestOwned_FieldsInsideListsStay(t *testing.T) {
	eachStage(t, func(st *stage) {
		send := func(path, caller, body string) string {
			w := st.send(http.MethodPost, path, caller, st.fill(st.own, body))
			if w.Code != http.StatusOK || strings.Contains(w.Body.String(), "rejected\",") {
				st.t.Errorf("%s: %d %s", body, w.Code, w.Body)
			}
			read := st.send(http.MethodGet, "/invoices/"+string(child(parsed(st.t, w.Body.Bytes()), "id").Raw()), "root", "")
			return withoutChance(w.Body.String() + read.Body.String())
		}
		line := func(more string) string {
			return send("/invoices", "root", `{"organization_id":{org},"due_date":"2030-01-01","items":[{"description":"d","unit_price":1,"amount":1,"item_type":"t"`+more+`}]}`)
		}
		event := func(more string) string {
			return send("/events", "ownkey", `{"events":[{"kind":"activity","agent_id":{agent},"activity_type":"call"`+more+`}]}`)
		}
		plainLine, plainEvent := line(""), event("")
		for _, value := range []string{ownedNumber, `"` + ownedText + `"`, `"` + ownedInstant + `"`, "null", "true"} {
			moreOf := func(owned string) (more string) {
				for name := range strings.FieldsSeq(owned) {
					more += `,"` + name + `":` + value
				}
				return more
			}
			if got := line(moreOf(ofEveryLine)); got != plainLine {
				st.t.Errorf("a line with %s: %s, without %s", value, got, plainLine)
			}
			// Of the other names three say which agent is meant.
			owned := strings.NewReplacer("kind", "currency", "agent_external_id", "verified", "organization_id", "tenant").Replace(ofEvents)
			if got := event(moreOf(owned)); got != plainEvent {
				st.t.Errorf("an event with %s: %s, without %s", value, got, plainEvent)
			}
		}
		st.holdNothingOwned()
	})
}

// Nobody gives himself rights: not by signing up, nor by what he may write about himself.
func TestOwned_NobodyRaisesHimself(t *testing.T) {
	eachStage(t, func(st *stage) {
		st.s.Signup = true
		signup := func(more string) string {
			return st.fill(st.own, `{"email":"{unique}@example.com","password":"quite-a-secret"`+more+`}`)
		}
		for _, more := range []string{`,"is_superuser":true`, `,"role":"admin"`, `,"role":"superuser"`, `,"role":""`, `,"organization_id":{org}`, `,"organization_id":0`, `,"organization_id":-1`} {
			before := st.fingerprint()
			w := st.send(http.MethodPost, "/auth/signup", "nobody", signup(more))
			if w.Code != 403 || w.Body.String() != detailText("Signup cannot set is_superuser, organization_id or role") {
				st.t.Errorf("signup with %s: %d %s", more, w.Code, w.Body)
			}
			st.unchanged(before, "signup with "+more)
		}
		w := st.send(http.MethodPost, "/auth/signup", "nobody", signup(`,"is_active":false,"id":777777,"token_version":777777,"last_login":"2001-02-03T04:05:06Z"`))
		if w.Code != http.StatusOK {
			st.t.Fatalf("signup: %d %s", w.Code, w.Body)
		}
		st.tokens["newcomer"] = child(parsed(st.t, w.Body.Bytes()), "access_token").Text()
		me := st.send(http.MethodGet, "/auth/me", "newcomer", "").Body.String()
		if !strings.Contains(me, `"is_active":true,"is_superuser":false,"role":"user",`) || !strings.HasSuffix(me, `"organization_id":null,"last_login":null}`) {
			st.t.Errorf("the newcomer is %s", me)
		}
		st.holdNothingOwned()
		for _, caller := range []string{"ownmember", "ownadmin", "loner", "newcomer"} {
			own := string(child(parsed(st.t, st.send(http.MethodGet, "/auth/me", caller, "").Body.Bytes()), "id").Raw())
			for _, body := range []string{`{"is_superuser":true}`, `{"organization_id":` + st.other["org"] + `}`, `{"full_name":"x","is_superuser":true}`, `{"is_active":false}`} {
				before := st.fingerprint()
				if w := st.send(http.MethodPut, "/users/"+own, caller, body); w.Code != 403 || w.Body.String() != detailText("Not enough permissions") {
					st.t.Errorf("%s sends %s: %d %s", caller, body, w.Code, w.Body)
				}
				st.unchanged(before, caller+" with "+body)
			}
		}
	})
}
