package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// What the next release leaves is recorded by a binary of it: with XYRA_TEST_RECORD=NAME and XYRA_TEST_BINARY=PATH in
// testdata/released/NAME. Without, the present binary's is recorded elsewhere, loaded again and proved, so that the way stays open.
func TestReleased_Record(t *testing.T) {
	name, program, dir := os.Getenv("XYRA_TEST_RECORD"), os.Getenv("XYRA_TEST_BINARY"), ""
	if name != "" {
		dir = filepath.Join(releasedDir, name)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	eachDatabase(t, func(t *testing.T, env []string) {
		dir := dir
		if dir == "" {
			dir = t.TempDir()
		}
		record(t, program, bareDatabase(t, env), dir)
		again, left := load(t, dir, env)
		if len(left.Reads) == 0 {
			t.Error("nothing was read")
		}
		if name == "" {
			mustVerify(t, again)
		}
	})
}

// record has a program, the present one if it has no name, live through what an installation does, and keeps what it leaves.
func record(t *testing.T, program string, env []string, dir string) {
	t.Helper()
	cmd := command(t, env)
	if program != "" {
		cmd.Path = program
	}
	s := startCommand(t, cmd, func() {})
	left, err := liveThrough(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	if code := s.terminate(); code != 0 {
		t.Fatalf("ends with %d: %s", code, s.log)
	}
	text, err := json.MarshalIndent(left, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	for suffix, content := range map[string][]byte{".json": append(text, '\n'), ".sql": dumped(t, env)} {
		if err := os.WriteFile(filepath.Join(dir, kindName(env)+suffix), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// dumped is a database as SQL that makes it again.
func dumped(t *testing.T, env []string) []byte {
	t.Helper()
	if isPostgres(env) {
		out, err := exec.Command("pg_dump", "--no-owner", "--no-privileges", "--inserts", "--rows-per-insert=200", strings.TrimPrefix(env[0], "DATABASE_URL=")).Output()
		if err != nil {
			t.Fatal(err)
		}
		// What only psql or only newer servers know, and what is there already.
		out = regexp.MustCompile(`(?m)^(SET |\\|CREATE SCHEMA public|--).*\n`).ReplaceAll(out, nil)
		return regexp.MustCompile(`\n{2,}`).ReplaceAll(out, []byte("\n"))
	}
	db := openSQL(t, env)
	column := func(text string) (values []string) {
		rows, err := db.Query(text)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		for rows.Next() {
			var value string
			if err := rows.Scan(&value); err != nil {
				t.Fatal(err)
			}
			values = append(values, value)
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		return values
	}
	var out bytes.Buffer
	out.WriteString("BEGIN;\n")
	for _, text := range column(`SELECT sql FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY rowid`) {
		out.WriteString(text + ";\n")
	}
	for _, table := range column(`SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY rowid`) {
		quoted := column(`SELECT group_concat('quote("' || name || '")', ' || '','' || ') FROM pragma_table_info('` + table + `')`)
		for _, row := range column(`SELECT ` + quoted[0] + ` FROM ` + table) {
			out.WriteString("INSERT INTO " + table + " VALUES (" + row + ");\n")
		}
	}
	for _, text := range column(`SELECT sql FROM sqlite_master WHERE type <> 'table' AND sql IS NOT NULL ORDER BY rowid`) {
		out.WriteString(text + ";\n")
	}
	out.WriteString("COMMIT;\n")
	return out.Bytes()
}

// liveThrough makes of an empty server what an installation has after two months, and notes what must stay as it is.
func liveThrough(ctx context.Context, s *server) (left leftBehind, err error) {
	operator := s.login()
	customer, agents, reporter, err := makeWorld(ctx, operator)
	if err != nil {
		return left, err
	}
	left = leftBehind{Key: reporter.credential, Events: map[int]int64{}, Reads: map[string]json.RawMessage{}}
	for _, a := range agents {
		left.Agents = append(left.Agents, a.ID)
	}
	p := &past{ctx: ctx, operator: operator, reporter: reporter}
	p.do(operator, http.MethodPost, "/organizations", fields{"name": "Größe & Söhne", "external_id": "acme/7", "timezone": "Europe/Paris",
		"settings": fields{"currency": "EUR", "billing": fields{"legal_name": "Größe & Söhne SA", "address": "1 Quai\nPort", "tax_id": "FR 1"}}})
	p.do(operator, http.MethodPost, "/webhook-endpoints", fields{"url": "https://hooks.example.com/xyra", "event_types": []string{"invoice.created"}, "is_active": false, "organization_id": customer.ID})
	for number := range 40 {
		left.Events[number+1] = p.do(reporter, http.MethodPost, eventPath(agents, number+1), numberedActivity(number+1))
	}
	p.do(reporter, http.MethodPost, fmt.Sprintf("/agents/%d/costs", agents[1].ID), fields{"cost_type": "gpu", "amount": "0.123456789012", "timestamp": "2023-11-20 10:00:00", "details": fields{"ruler": "☃ \" \\ '"}})
	p.do(reporter, http.MethodPost, fmt.Sprintf("/agents/%d/outcomes", agents[2].ID), fields{"outcome_type": "ticket_resolved", "value": "149.99", "timestamp": "2023-11-30 23:59:59.999999", "idempotency_key": "won"})
	november := p.do(operator, http.MethodPost, fmt.Sprintf("/invoices/generate/monthly?org_id=%d&year=2023&month=11", customer.ID), nil)
	p.do(operator, http.MethodPost, fmt.Sprintf("/invoices/%d/payments", november), fields{"amount": "100.01", "payment_method": "bank", "payment_date": "2023-12-20T00:00:00"})
	p.do(operator, http.MethodPost, fmt.Sprintf("/invoices/%d/pay", november), fields{"payment_method": "bank", "payment_date": "2023-12-24T00:00:00"})
	byHand := fields{"organization_id": customer.ID, "due_date": "2999-01-01T00:00:00", "items": []fields{{"description": "Work", "quantity": "2.5", "unit_price": "80", "amount": "200", "item_type": "work"}}}
	p.do(operator, http.MethodPost, "/invoices/", byHand)
	gone := p.do(operator, http.MethodPost, "/invoices/", byHand)
	p.do(operator, http.MethodPost, fmt.Sprintf("/invoices/%d/cancel", gone), nil)
	p.do(reporter, http.MethodPost, eventPath(agents, 41), fields{"activity_type": "generated_token", "quantity": 5, "timestamp": "2023-11-29 00:00:00"}) // late
	p.do(operator, http.MethodPut, fmt.Sprintf("/agents/%d", agents[3].ID), fields{"description": "moved"})
	for number := range 20 {
		p.do(reporter, http.MethodPost, eventPath(agents, number), fields{"activity_type": "generated_token", "quantity": "1234.5", "timestamp": "2023-12-15 12:00:00", "idempotency_key": fmt.Sprintf("december-%d", number)})
	}
	for _, path := range []string{"/organizations/", "/organizations/1", "/organizations/2", "/users/2", "/agents/?org_id=1", "/agents/1", "/agents/2/stats", "/agents/3/billing-summary",
		"/agents/4/billing-config", "/agents/2/activities", "/agents/2/costs", "/agents/3/outcomes", "/billing-models/?org_id=1", "/billing-models/3", "/invoices/?org_id=1",
		fmt.Sprintf("/invoices/%d", november), fmt.Sprintf("/invoices/%d", gone), fmt.Sprintf("/invoices/%d/payments", november), "/organizations/1/credits",
		"/webhook-endpoints?org_id=1", "/analytics/organization/1/summary?start_date=2023-11-01&end_date=2023-12-31", "/analytics/organization/1/top-agents?start_date=2023-11-01&end_date=2023-12-31"} {
		var read json.RawMessage
		if p.err == nil {
			p.err = operator.read(ctx, path, &read)
		}
		left.Reads[path] = read
	}
	return left, p.err
}

// past makes one request after the other until one is refused.
type past struct {
	ctx                context.Context
	operator, reporter *demoClient
	err                error
}

// do is a request; its answer's id is returned.
func (p *past) do(client *demoClient, method, path string, body any) int64 {
	var made struct{ ID int64 }
	raw, err := json.Marshal(body)
	if p.err == nil && err == nil {
		err = client.send(p.ctx, method, path, "application/json", bytes.NewReader(raw), &made)
	}
	if p.err == nil {
		p.err = err
	}
	return made.ID
}
