package api

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"xyra"
	"xyra/auth"
	"xyra/store"
	"xyra/store/storetest"
)

// stage is a server with three organizations that each have one of everything, and one person of every kind: what the
// tests of rights and of hostile input act on.
type stage struct {
	t                *testing.T
	s                *Server
	sql              *sql.DB // past the server, to see what it leaves behind
	tables           []string
	statements       statementLog
	tokens           map[string]string // by kind of caller
	own, other, held home
	last             int // makes names unique
}

// home is the objects of one organization by the names that paths and bodies use: {org}, {agent}, {model} …
type home map[string]string

// eachStage runs f on a stage in each database.
func eachStage(t *testing.T, f func(st *stage)) {
	t.Helper()
	storetest.EachTarget(t, func(t *testing.T, target store.Options) {
		f(newStage(t, target, Options{Docs: true, WebhookSecret: "whsec_stage", Print: printPDF, CORSOrigins: []string{"https://console.example"}}))
	})
}

func newStage(t *testing.T, target store.Options, o Options) *stage {
	t.Helper()
	st := &stage{t: t, tokens: map[string]string{}}
	driver, source, list := "pgx", target.URL, "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
	if target.URL == "" {
		driver, source, list = "sqlite", "file:"+target.Path+"?_pragma=busy_timeout(5000)", "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
	}
	target.Now, target.Log, target.SlowAfter = time.Now, slog.New(&st.statements), time.Nanosecond
	st.s = newServer(t, storetest.Open(t, target), o)
	direct, err := sql.Open(driver, source)
	if err != nil {
		t.Fatal(err)
	}
	direct.SetMaxOpenConns(1)
	t.Cleanup(func() { direct.Close() })
	st.sql = direct
	st.tables = st.column(list)
	st.tokens["root"] = (&tenant{t: t, s: st.s}).login(superuserEmail, superuserPassword)
	st.own, st.other, st.held = st.newHome("Own"), st.newHome("Other"), st.newHome("Held")
	st.must(http.MethodPut, "/organizations/"+st.held["org"], "root", `{"status":"suspended"}`)
	st.tokens["loner"] = st.token(st.user("", xyra.RoleUser))
	st.badCredentials()
	return st
}

// newHome furnishes an organization and its people: name+"admin", "member" and "key" are callers, in lower case.
func (st *stage) newHome(name string) home {
	st.t.Helper()
	prefix := strings.ToLower(name)
	h := home{"external": prefix + "%2F1", "externaltext": prefix + "/1"}
	h["org"] = st.must(http.MethodPost, "/organizations", "root", `{"name":"`+name+`","external_id":"`+name+`"}`)
	admin, member := st.user(h["org"], xyra.RoleAdmin), st.user(h["org"], xyra.RoleUser)
	h["admin"], h["user"], h["colleague"] = id(admin.ID), id(member.ID), id(st.user(h["org"], xyra.RoleUser).ID)
	st.tokens[prefix+"admin"], st.tokens[prefix+"member"] = st.token(admin), st.token(member)
	h["adminkey"], _ = st.key(admin, nil)
	h["apikey"], st.tokens[prefix+"key"] = st.key(member, nil)
	h["model"] = st.must(http.MethodPost, "/billing-models", "root", st.fill(h, `{"name":"plan","model_type":"hybrid","organization_id":{org},"hybrid_base_fee":10,"hybrid_seat_config":{"price_per_seat":5},
		"hybrid_activity_configs":[{"action_type":"call","price_per_action":0.5}],"hybrid_outcome_configs":[{"outcome_type":"sale","percentage":10}]}`))
	h["agent"] = st.must(http.MethodPost, "/agents", "root", st.fill(h, `{"name":"bot","external_id":"{externaltext}","organization_id":{org},"billing_model_id":{model}}`))
	for kind, body := range map[string]string{"activities": `{"activity_type":"call","quantity":3,"timestamp":"2024-01-10"}`,
		"costs": `{"cost_type":"tokens","amount":0.25,"timestamp":"2024-01-10"}`, "outcomes": `{"outcome_type":"sale","value":100,"timestamp":"2024-01-10"}`} {
		st.must(http.MethodPost, "/agents/"+h["agent"]+"/"+kind, "root", body)
	}
	h["invoice"], h["job"], h["endpoint"] = st.fresh(h, "invoice"), st.fresh(h, "job"), st.fresh(h, "endpoint")
	h["delivery"] = st.must(http.MethodPost, "/webhook-endpoints/"+h["endpoint"]+"/test", "root", "")
	return h
}

// fresh makes another object of a kind, for a test to spend.
func (st *stage) fresh(h home, kind string) string {
	st.t.Helper()
	switch kind {
	case "org":
		return st.must(http.MethodPost, "/organizations", "root", `{"name":"`+st.unique()+`"}`)
	case "agent":
		return st.must(http.MethodPost, "/agents", "root", st.fill(h, `{"name":"spare","organization_id":{org},"billing_model_id":{model}}`))
	case "model":
		return st.must(http.MethodPost, "/billing-models", "root", st.fill(h, `{"name":"spare","model_type":"seat","seat_price_per_seat":1,"organization_id":{org}}`))
	case "invoice":
		return st.must(http.MethodPost, "/invoices", "root", st.fill(h, `{"organization_id":{org},"due_date":"2030-01-01","items":[{"description":"Work","unit_price":7,"amount":7,"item_type":"service"}]}`))
	case "endpoint":
		return st.must(http.MethodPost, "/webhook-endpoints", "root", st.fill(h, `{"organization_id":{org},"url":"https://hooks.example.com/xyra","event_types":["invoice.overdue"]}`))
	case "user":
		return id(st.user(h["org"], xyra.RoleUser).ID)
	case "apikey":
		n, _ := strconv.ParseInt(h["user"], 10, 64)
		key, _ := st.key(xyra.User{ID: xyra.UserID(n), Organization: organizationOf(h)}, nil)
		return key
	case "job":
		var job xyra.JobID
		st.tx(func(tx *store.Tx) (err error) {
			job, _, err = tx.InsertJob(st.t.Context(), xyra.Job{Kind: "stage", Organization: organizationOf(h), Args: []byte(`{}`)})
			return err
		})
		return id(job)
	}
	st.t.Fatalf("nothing fresh of kind %q", kind)
	return ""
}

func organizationOf(h home) xyra.OrganizationID {
	n, _ := strconv.ParseInt(h["org"], 10, 64)
	return xyra.OrganizationID(n)
}

func id[T ~int64](n T) string { return strconv.FormatInt(int64(n), 10) }

func (st *stage) unique() string {
	st.last++
	return "x" + strconv.Itoa(st.last)
}

func (st *stage) tx(f func(*store.Tx) error) {
	st.t.Helper()
	if err := st.s.db.Tx(st.t.Context(), f); err != nil {
		st.t.Fatal(err)
	}
}

// user adds a person without a usable password, which would take long to hash.
func (st *stage) user(org string, role xyra.Role) xyra.User {
	st.t.Helper()
	email := st.unique() + "@example.com"
	u := xyra.User{Email: email, EmailKey: email, PasswordHash: "x", IsActive: true, Role: role, Organization: organizationOf(home{"org": org})}
	st.tx(func(tx *store.Tx) (err error) {
		u.ID, err = tx.InsertUser(st.t.Context(), u)
		return err
	})
	return u
}

func (st *stage) token(u xyra.User) string {
	st.t.Helper()
	token, err := st.s.gate.Token(u)
	if err != nil {
		st.t.Fatal(err)
	}
	return token
}

// key adds an API key and returns its id and its secret.
func (st *stage) key(owner xyra.User, expires *time.Time) (key, secret string) {
	st.t.Helper()
	secret, err := st.s.gate.NewKeySecret()
	if err != nil {
		st.t.Fatal(err)
	}
	st.tx(func(tx *store.Tx) error {
		k, err := auth.CreateAPIKey(st.t.Context(), tx, xyra.Caller{User: owner.ID, Organization: owner.Organization}, xyra.APIKey{Name: "key", ExpiresAt: expires}, secret)
		key = id(k.ID)
		return err
	})
	return key, secret
}

// unauthenticated are the callers whose credentials are refused, with the text that each one reads.
var unauthenticated = map[string]string{
	"nobody": "Not authenticated", "basic": "Not authenticated", "forged": "Could not validate credentials", "unsigned": "Could not validate credentials",
	"late": "Could not validate credentials", "stale": "Could not validate credentials", "gone": "User not found", "inactive": "Inactive user",
	"expiredkey": "Could not validate credentials", "revokedkey": "Could not validate credentials", "orphankey": "Could not validate credentials", "unknownkey": "Could not validate credentials",
}

func (st *stage) badCredentials() {
	st.t.Helper()
	sign := func(u xyra.User, secret string, now func() time.Time) string {
		gate := auth.New(st.s.db, auth.Options{Secret: []byte(secret), TokenLifetime: time.Hour, Now: now})
		defer gate.Close()
		token, err := gate.Token(u)
		if err != nil {
			st.t.Fatal(err)
		}
		return token
	}
	const secret = "secret of the tests"
	u, dead := st.user(st.other["org"], xyra.RoleAdmin), st.user(st.other["org"], xyra.RoleAdmin)
	yesterday := func() time.Time { return time.Now().Add(-24 * time.Hour) }
	st.tokens["forged"], st.tokens["late"] = sign(u, "another secret", time.Now), sign(u, secret, yesterday)
	st.tokens["unsigned"] = "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIiwiZXhwIjo5OTk5OTk5OTk5fQ."
	u.TokenVersion++
	st.tokens["stale"] = st.token(u)
	u.ID = 1 << 40
	st.tokens["gone"] = st.token(u)
	past := time.Now().Add(-time.Minute)
	_, st.tokens["expiredkey"] = st.key(dead, &past)
	_, st.tokens["orphankey"] = st.key(dead, nil)
	revoked, secretOfRevoked := st.key(st.user(st.other["org"], xyra.RoleUser), nil)
	st.must(http.MethodPost, "/api-keys/"+revoked+"/deactivate", "root", "")
	st.tokens["revokedkey"], st.tokens["unknownkey"] = secretOfRevoked, "xyra_"+strings.Repeat("a", 32)
	st.tokens["inactive"] = st.token(dead)
	st.must(http.MethodPut, "/users/"+id(dead.ID), "root", `{"is_active":false}`)
}

// fill puts a home's ids into the {names} of a path or a body; {+name} is a fresh object, {unique} a new word.
func (st *stage) fill(h home, template string) string {
	st.t.Helper()
	for name, value := range h {
		template = strings.ReplaceAll(template, "{"+name+"}", value)
	}
	for strings.Contains(template, "{unique}") {
		template = strings.Replace(template, "{unique}", st.unique(), 1)
	}
	if _, rest, found := strings.Cut(template, "{+"); found {
		kind, _, _ := strings.Cut(rest, "}")
		template = strings.ReplaceAll(template, "{+"+kind+"}", st.fresh(h, kind))
	}
	return template
}

// send makes one request as a caller; headers are name, value, name, value.
func (st *stage) send(method, path, caller, body string, headers ...string) *httptest.ResponseRecorder {
	target := path
	if !strings.HasPrefix(path, "//") && !isOutside(path) {
		target = "/api/v1" + path
	}
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	switch token := st.tokens[caller]; {
	case caller == "basic":
		r.SetBasicAuth(superuserEmail, superuserPassword)
	case token != "":
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	http.Handler(st.s).ServeHTTP(w, r)
	return w
}

// isOutside tells the paths that are not below the prefix.
func isOutside(path string) bool {
	return slices.Contains([]string{"/", "/health", "/ready", "/docs", "/redoc", "/openapi.json", "/metrics"}, path)
}

// must sends what has to be answered with 200 and returns the answer's id.
func (st *stage) must(method, path, caller, body string) string {
	st.t.Helper()
	w := st.send(method, path, caller, body)
	if w.Code != http.StatusOK {
		st.t.Fatalf("%s %s as %s %s: %d %s", method, path, caller, body, w.Code, w.Body)
	}
	v := parsed(st.t, w.Body.Bytes())
	return string(child(v, "id").Raw())
}

// column reads the first column of all rows of a query.
func (st *stage) column(query string) (list []string) {
	st.t.Helper()
	rows, err := st.sql.QueryContext(st.t.Context(), query)
	if err != nil {
		st.t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			st.t.Fatal(err)
		}
		list = append(list, text)
	}
	if err := rows.Err(); err != nil {
		st.t.Fatal(err)
	}
	return list
}

// rows are a table's rows as texts. When a key was last used is left out: it is noted beside the request, and even a
// refused one has used it.
func (st *stage) rows(table string) (lines []string) {
	st.t.Helper()
	rows, err := st.sql.QueryContext(st.t.Context(), "SELECT * FROM "+table)
	if err != nil {
		st.t.Fatal(err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		st.t.Fatal(err)
	}
	for rows.Next() {
		values, slots := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			slots[i] = &values[i]
		}
		if err := rows.Scan(slots...); err != nil {
			st.t.Fatal(err)
		}
		if i := slices.Index(columns, "last_used"); i >= 0 {
			values[i] = nil
		}
		for i, value := range values {
			if raw, isBytes := value.([]byte); isBytes {
				values[i] = string(raw)
			}
		}
		lines = append(lines, fmt.Sprintf("%v", values))
	}
	if err := rows.Err(); err != nil {
		st.t.Fatal(err)
	}
	slices.Sort(lines)
	return lines
}

// fingerprint is the rows of every table, counted and hashed.
func (st *stage) fingerprint() map[string]string {
	st.t.Helper()
	prints := map[string]string{}
	for _, table := range st.tables {
		lines := st.rows(table)
		sum := sha256.Sum256([]byte(strings.Join(lines, "\n")))
		prints[table] = fmt.Sprintf("%d rows %s", len(lines), hex.EncodeToString(sum[:6]))
	}
	return prints
}

// unchanged tells which tables differ from before.
func (st *stage) unchanged(before map[string]string, what string) {
	st.t.Helper()
	for table, after := range st.fingerprint() {
		if before[table] != after {
			st.t.Errorf("%s changed %s: %s, now %s", what, table, before[table], after)
		}
	}
}

// statementLog hears of every statement, all being slower than a nanosecond, and keeps their names while asked to.
type statementLog struct {
	mu    sync.Mutex
	names []string
}

// Enabled implements slog.Handler.
func (l *statementLog) Enabled(context.Context, slog.Level) bool { return true }

// Handle implements slog.Handler.
func (l *statementLog) Handle(_ context.Context, r slog.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "statement" {
			l.names = append(l.names, a.Value.String())
		}
		return true
	})
	return nil
}

// WithAttrs implements slog.Handler.
func (l *statementLog) WithAttrs([]slog.Attr) slog.Handler { return l }

// WithGroup implements slog.Handler.
func (l *statementLog) WithGroup(string) slog.Handler { return l }

// during lists the statements that f runs.
func (l *statementLog) during(f func()) string {
	l.mu.Lock()
	l.names = nil
	l.mu.Unlock()
	f()
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.names, ", ")
}
