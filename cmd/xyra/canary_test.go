package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"xyra/azure/azuretest"
)

// mine is a server full of secrets, each a text that nothing else has, and everything that it has said since.
type mine struct {
	*server
	canaries map[string]string
	said     map[string]string // by where
	secrets  int               // how many texts were made
}

// plant makes a secret of at least 32 characters.
func (m *mine) plant(name string) string {
	m.secrets++
	text := fmt.Sprintf("Canary%02d-%s", m.secrets, strings.ReplaceAll(randomText(), "_", "x"))
	m.canaries[name] = text
	return text
}

// Promise 17: a secret is nowhere but where it was asked for: not in logs at their loudest, answers, metrics, traces, the
// audit log, the errors of jobs, or the database, neither as it is nor in the usual codes.
func TestSecrets_AreNowhereToBeFound(t *testing.T) {
	eachDatabase(t, func(t *testing.T, env []string) {
		m := &mine{canaries: map[string]string{}, said: map[string]string{}}
		collector, address := newReceiver(t, nil)
		cloud := azuretest.New(t, time.Now)
		cloud.Put(signingSecret, azuretest.Version{Value: m.plant("signing secret before"), Created: time.Now().Add(-2 * time.Hour)})
		for _, name := range []string{signingSecret, "stripe-api-key", "stripe-webhook-secret", "first-superuser-password"} {
			cloud.Put(name, azuretest.Version{Value: m.plant("vault's " + name), Created: time.Now().Add(-time.Hour)})
		}
		m.password(t, env)
		for _, name := range []string{"SECRET_KEY", "FIRST_SUPERUSER_PASSWORD", "STRIPE_API_KEY", "STRIPE_WEBHOOK_SECRET", "SMTP_PASSWORD", "POSTGRES_PASSWORD"} {
			env = append(env, name+"="+m.plant(name))
		}
		env = append(append(env, cloud.Environment()...), "LOG_LEVEL=debug", "XYRA_LOG_SLOW_AFTER=1ns", "METRICS_ADDR=127.0.0.1:0", "STRIPE_API_BASE="+address,
			"SMTP_HOST=127.0.0.1", "SMTP_PORT=1", "SMTP_USER=xyra", "MAIL_FROM=billing@example.com", "MAIL_INVOICES=true", "SMTP_SECURITY=tls",
			"OTEL_EXPORTER_OTLP_ENDPOINT="+address, "OTEL_TRACES_SAMPLER=always_on", "OTEL_EXPORTER_OTLP_HEADERS=authorization="+m.plant("collector's header"),
			"APPLICATIONINSIGHTS_CONNECTION_STRING=InstrumentationKey=00000000-0000-0000-0000-000000000000;IngestionEndpoint="+address+"/")
		m.server = startServer(t, env...)
		m.visitEverything()
		m.said["metrics"] = m.scraped()
		if code := m.terminate(); code != 0 {
			t.Errorf("ends with %d", code)
		}
		m.said["log"], m.said["banner"] = m.log.String(), m.banner
		collector.mu.Lock()
		for path, body := range collector.sent {
			m.said["telemetry "+path] = body.String()
		}
		collector.mu.Unlock()
		m.said["database"] = everyCell(t, env)
		m.refusedStarts(env)
		m.search()
	})
}

// password gives the database's address a password of a role of its own, on a server.
func (m *mine) password(t *testing.T, env []string) {
	t.Helper()
	if !isPostgres(env) {
		return
	}
	u, err := url.Parse(valueOf(env, "DATABASE_URL"))
	if err != nil {
		t.Fatal(err)
	}
	db, role, secret := rawDatabase(t, env), fmt.Sprintf("xyra_canary_%d", os.Getpid()), m.plant("database's password")
	defer db.Close()
	// The role stays: the server is a private one, and objects of it are dropped with their database.
	if _, err := db.Exec("CREATE ROLE " + role + " LOGIN SUPERUSER PASSWORD '" + secret + "'"); err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(role, secret)
	env[0] = "DATABASE_URL=" + u.String()
}

// send makes a request and keeps what is answered, unless it is to show a secret.
func (m *mine) send(method, path, credential, body string, headers ...string) []byte {
	m.t.Helper()
	r, err := http.NewRequestWithContext(m.t.Context(), method, m.url+path, strings.NewReader(body))
	if err != nil {
		m.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if credential != "" {
		r.Header.Set("Authorization", credential)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		m.t.Fatal(err)
	}
	defer answer.Body.Close()
	raw, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode >= 500 {
		m.t.Errorf("%s %s: %s %s %v", method, path, answer.Status, raw, err)
	}
	if answer.StatusCode == http.StatusUnprocessableEntity { // the contract has it show the sender what it was sent
		for _, secret := range m.canaries {
			if strings.Contains(body, secret) {
				raw = bytes.ReplaceAll(raw, []byte(secret), nil)
			}
		}
	}
	m.said[fmt.Sprintf("answer %d to %s %s", len(m.said), method, path)] = fmt.Sprint(answer.Header, string(raw))
	return raw
}

// reveal is send for the one answer that shows a secret; from then on it is one.
func (m *mine) reveal(name, field, method, path, credential, body string) (secret, id string) {
	m.t.Helper()
	before, kind := maps.Clone(m.said), "application/json"
	if !strings.HasPrefix(body, "{") {
		kind = "application/x-www-form-urlencoded"
	}
	raw := m.send(method, path, credential, body, "Content-Type", kind)
	m.said = before
	var answer map[string]any
	if err := json.Unmarshal(raw, &answer); err != nil {
		m.t.Fatalf("%s %s: %s", method, path, raw)
	}
	secret, _ = answer[field].(string)
	if len(secret) < 20 {
		m.t.Fatalf("%s %s shows no %s: %s", method, path, field, raw)
	}
	m.canaries[name] = secret
	return secret, fmt.Sprint(answer["id"])
}

// login is the credential of a user.
func (m *mine) login(name, email, password string) string {
	m.t.Helper()
	form := url.Values{"username": {email}, "password": {password}}
	token, _ := m.reveal(name, "access_token", http.MethodPost, "/auth/login", "", form.Encode())
	return "Bearer " + token
}

// visitEverything uses each secret, rightly and wrongly.
func (m *mine) visitEverything() {
	post, put := http.MethodPost, http.MethodPut
	root := m.login("superuser's token", "admin@example.com", m.canaries["vault's first-superuser-password"])
	m.send(post, "/organizations", root, `{"name":"Northwind","billing_email":"accounts@example.com"}`)
	first, second := m.plant("user's password"), m.plant("user's new password")
	m.send(post, "/users", root, `{"email":"ada@example.com","password":"`+first+`","role":"admin","organization_id":1}`)
	m.send(post, "/users", root, `{"email":"ada@example.com","password":"`+m.plant("password of a taken address")+`","role":"admin","organization_id":1}`)
	old := m.login("token before the change", "ada@example.com", first)
	m.send(put, "/users/2", old, `{"password":"`+m.plant("password without the present one")+`"}`)
	m.send(put, "/users/2", old, `{"password":"`+second+`","current_password":"`+m.plant("wrong present password")+`"}`)
	m.send(put, "/users/2", old, `{"password":"`+second+`","current_password":"`+first+`"}`)
	m.send(http.MethodGet, "/auth/me", old, "")
	ada := m.login("token after the change", "ada@example.com", second)
	m.wrongLogins()
	key, id := m.reveal("api key", "token", post, "/api-keys", ada, `{"name":"reports"}`)
	spent, spentID := m.reveal("revoked api key", "token", post, "/api-keys", ada, `{"name":"spent"}`)
	m.send(post, "/api-keys/"+spentID+"/deactivate", ada, "")
	m.send(http.MethodGet, "/api-keys/"+id, ada, "")
	for _, credential := range []string{"Bearer " + key, "Bearer " + spent, "Bearer " + m.plant("unknown bearer"), "Bearer xyra_" + m.plant("unknown key"),
		"Bearer a." + m.plant("forged token") + ".c", "Basic " + base64.StdEncoding.EncodeToString([]byte("ada:"+m.plant("basic password"))), m.plant("bare credential")} {
		m.send(http.MethodGet, "/agents", credential, "")
		m.send(post, "/agents", credential, `{"name":`)
		m.send(post, "/events", credential, `{"events":[]}`)
	}
	m.send(http.MethodGet, "/agents?api_key="+m.plant("key in the query"), root, "", "Cookie", "session="+m.plant("cookie"), "X-API-Key", m.plant("key in a header"))
	m.send(post, "/invoices/stripe/webhook", "", `{"id":"evt_1"}`, "Stripe-Signature", "t=1,v1="+m.plant("signature"))
	m.webhooks(root)
	m.send(post, "/invoices", root, `{"organization_id":1,"due_date":"2030-01-01","items":[{"description":"Work","unit_price":7,"amount":7,"item_type":"service"}]}`)
	m.settle(root)
	for _, path := range []string{"/users", "/users/2", "/api-keys", "/api-keys/organization/all", "/organizations/1", "/webhook-endpoints?org_id=1", "/webhook-endpoints/1",
		"/webhook-endpoints/1/deliveries", "/audit", "/audit?organization_id=1", "/jobs", "/invoices/1", "/invoices/1/payments", "/openapi.json"} {
		m.send(http.MethodGet, path, root, "")
	}
}

// wrongLogins leave passwords in every place where a client may put them by mistake.
func (m *mine) wrongLogins() {
	post := http.MethodPost
	m.send(post, "/auth/login", "", `{"username":"ada@example.com","password":"`+m.plant("password in JSON")+`"}`)
	m.send(post, "/auth/login", "", `{"username":"ada@example.com","password":"`+m.plant("password in broken JSON")+`"`)
	for _, form := range []string{"username=ada%40example.com&password=" + m.plant("wrong password"), "username=nobody%40example.com&password=" + m.plant("password of nobody"),
		"grant_type=%zz&password=" + m.plant("password in a broken form"), "password=" + m.plant("password without user"), "grant_type=token&username=a&password=" + m.plant("password beside a wrong type")} {
		m.send(post, "/auth/login", "", form, "Content-Type", "application/x-www-form-urlencoded")
		m.send(post, "/auth/login/access-token?password="+m.plant("password in the query "+form[:9]), "", form, "Content-Type", "application/x-www-form-urlencoded")
	}
	m.send(post, "/auth/signup", "", `{"email":"eve@example.com","password":"`+m.plant("password of a signup")+`"}`)
}

// webhooks makes endpoints, whose secrets are shown when made and when rotated.
func (m *mine) webhooks(root string) {
	post := http.MethodPost
	_, id := m.reveal("endpoint's secret", "secret", post, "/webhook-endpoints", root,
		`{"organization_id":1,"url":"https://hooks.example.com/xyra","event_types":["invoice.created","invoice.paid"]}`)
	m.reveal("endpoint's new secret", "secret", post, "/webhook-endpoints/"+id+"/rotate-secret", root, "")
	m.send(post, "/webhook-endpoints", root, `{"organization_id":1,"url":"https://user:short@hooks.example.com/","event_types":["invoice.paid"]}`)
	m.send(post, "/webhook-endpoints/"+id+"/test", root, "")
}

// settle waits until jobs have failed at what they cannot reach.
func (m *mine) settle(root string) {
	m.t.Helper()
	deadline, look := time.After(20*time.Second), time.NewTicker(50*time.Millisecond)
	defer look.Stop()
	for {
		var jobs string
		if raw := m.send(http.MethodGet, "/jobs", root, ""); json.Valid(raw) {
			jobs = string(raw)
		}
		if !strings.Contains(strings.ReplaceAll(jobs, `"last_error":null`, ""), `"last_error":""`) && strings.Contains(jobs, `"last_error":"`) {
			return
		}
		select {
		case <-look.C:
		case <-deadline:
			m.t.Fatalf("no job fails: %s", jobs)
		}
	}
}

// refusedStarts are starts that fail at a secret, and what they complain.
func (m *mine) refusedStarts(env []string) {
	for name, more := range map[string]string{
		"no server":    "DATABASE_URL=postgres://xyra:" + m.plant("password of no server") + "@127.0.0.1:1/xyra",
		"broken URL":   "DATABASE_URL=postgres://xyra:" + m.plant("password of a broken URL") + "@127.0.0.1:port/xyra",
		"short secret": "FIRST_SUPERUSER_PASSWORD=" + m.plant("a password"),
	} {
		for _, command := range [][]string{{"check"}, {"verify"}, {"migrate"}} {
			cmd := m.run(append(env[:len(env):len(env)], more), command...)
			m.said[name+" "+command[0]] = cmd
		}
	}
	m.said["import"] = m.run(env, "import-xyra", "--from", "postgres://xyra:"+m.plant("password of an old deployment")+"@127.0.0.1:1/old")
}

func (m *mine) run(env []string, args ...string) string {
	_, out, complaint := ended(m.t, command(m.t, env, args...))
	return out + complaint
}

// everyCell is every cell of every table.
func everyCell(t *testing.T, env []string) string {
	t.Helper()
	db := rawDatabase(t, env)
	defer db.Close()
	list := "SELECT name FROM sqlite_master WHERE type = 'table'"
	if isPostgres(env) {
		list = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
	}
	var out strings.Builder
	each := func(query string, f func(cells []any)) {
		rows, err := db.Query(query)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		columns, err := rows.Columns()
		if err != nil {
			t.Fatal(err)
		}
		cells, into := make([]any, len(columns)), make([]any, len(columns))
		for i := range cells {
			into[i] = &cells[i]
		}
		for rows.Next() {
			if err := rows.Scan(into...); err != nil {
				t.Fatal(err)
			}
			f(cells)
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
	}
	var tables []string
	each(list, func(cells []any) { tables = append(tables, fmt.Sprint(cells[0])) })
	for _, table := range tables {
		each("SELECT * FROM "+table, func(cells []any) {
			for _, cell := range cells {
				if raw, ok := cell.([]byte); ok {
					cell = string(raw)
				}
				fmt.Fprintln(&out, cell)
			}
		})
	}
	return out.String()
}

// search looks for every secret in everything that was said.
func (m *mine) search() {
	m.t.Helper()
	if len(m.canaries) < 30 {
		m.t.Errorf("%d secrets are planted, want 30", len(m.canaries))
	}
	for _, must := range []string{"log", "metrics", "database", "telemetry /v1/traces"} {
		if len(m.said[must]) < 1000 {
			m.t.Errorf("%s says next to nothing: %q", must, m.said[must])
		}
	}
	for name, secret := range m.canaries {
		raw := []byte(secret)
		forms := []string{secret, hex.EncodeToString(raw), base64.StdEncoding.EncodeToString(raw), base64.RawURLEncoding.EncodeToString(raw), url.QueryEscape(secret)}
		if strings.HasPrefix(secret, "whsec_") {
			forms = append(forms, strings.TrimPrefix(secret, "whsec_"))
		}
		for _, where := range slices.Sorted(maps.Keys(m.said)) {
			for _, form := range forms {
				if at := strings.Index(m.said[where], form); at >= 0 {
					m.t.Errorf("the %s is in %s: %.200s", name, where, m.said[where][max(0, at-80):])
					break
				}
			}
		}
	}
}
