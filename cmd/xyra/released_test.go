package main

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"xyra/store"
	"xyra/store/storetest"
)

// Each folder in testdata/released holds what a released binary left: its database of either kind as SQL, with the schema as
// it was, and what its routes answered. See docs/operations.md, "A new release".
const releasedDir = "testdata/released"

// leftBehind is what a test must know of a released database beside its rows.
type leftBehind struct {
	Key    string                     // the agents' API key
	Agents []int64                    // in the order of demoPlans
	Events map[int]int64              // numbered activities → event ids
	Reads  map[string]json.RawMessage // what the first superuser read
}

// kindName is the file name of a kind of database.
func kindName(env []string) string {
	if isPostgres(env) {
		return "postgres"
	}
	return "sqlite"
}

// openSQL opens the database of an environment past the program.
func openSQL(t testing.TB, env []string) *sql.DB {
	t.Helper()
	driver, name := "pgx", strings.TrimPrefix(env[0], "DATABASE_URL=")
	if !isPostgres(env) {
		dir := strings.TrimPrefix(env[0], "XYRA_DATA_DIR=")
		driver, name = "sqlite", filepath.Join(dir, "xyra.db")
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	db, err := sql.Open(driver, name)
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { db.Close() })
	return db
}

// bareDatabase is one of the same kind with nothing in it, not even a schema.
func bareDatabase(t testing.TB, env []string) []string {
	t.Helper()
	if !isPostgres(env) {
		return append([]string{"XYRA_DATA_DIR=" + filepath.Join(t.TempDir(), "data")}, env[1:]...)
	}
	env = append([]string{"DATABASE_URL=" + storetest.Another(t, store.Options{URL: env[0]}).URL}, env[1:]...)
	db := openSQL(t, env)
	if _, err := db.Exec(`DROP SCHEMA public CASCADE; CREATE SCHEMA public`); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return env
}

// released calls f with each release's database, just as its last process left it.
func released(t *testing.T, f func(t *testing.T, env []string, left leftBehind)) {
	t.Helper()
	entries, err := os.ReadDir(releasedDir)
	if err != nil || len(entries) == 0 {
		t.Fatalf("no release's database in %s: %v", releasedDir, err)
	}
	for _, entry := range entries {
		t.Run(entry.Name(), func(t *testing.T) {
			eachDatabase(t, func(t *testing.T, env []string) {
				env, left := load(t, filepath.Join(releasedDir, entry.Name()), env)
				f(t, env, left)
			})
		})
	}
}

// load makes a database of the same kind as env's from what was recorded in a folder.
func load(t *testing.T, dir string, env []string) ([]string, leftBehind) {
	t.Helper()
	env = bareDatabase(t, env)
	read := func(suffix string) []byte {
		text, err := os.ReadFile(filepath.Join(dir, kindName(env)+suffix))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	db := openSQL(t, env)
	if _, err := db.Exec(string(read(".sql"))); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	var left leftBehind
	if err := json.Unmarshal(read(".json"), &left); err != nil {
		t.Fatal(err)
	}
	return env, left
}

// Promise 24: every released schema with data is brought to this version: what was answered then is answered now, an event
// that was recorded then is known, new ones are recorded, the month is billed, and all of it adds up.
func TestReleased_DatabaseGoesOn(t *testing.T) {
	released(t, func(t *testing.T, env []string, left leftBehind) {
		s := startServer(t, env...)
		operator := s.login()
		for path, was := range left.Reads {
			var is json.RawMessage
			if err := operator.read(t.Context(), path, &is); err != nil {
				t.Errorf("a read of then: %v", err)
			} else if fault := differs(was, is); fault != "" {
				t.Errorf("%s: %s", path, fault)
			}
		}
		agents := make([]demoAgent, len(left.Agents))
		for i, id := range left.Agents {
			agents[i].ID = id
		}
		reporter := operator.as(left.Key)
		for number, id := range left.Events {
			var event struct{ ID int64 }
			if err := reporter.post(t.Context(), eventPath(agents, number), numberedActivity(number), &event); err != nil || event.ID != id {
				t.Errorf("event %d was %d and is %d now, %v", number, id, event.ID, err)
			}
		}
		for number := 1000; number < 1020; number++ { // late for November
			if err := reporter.post(t.Context(), eventPath(agents, number), numberedActivity(number), nil); err != nil {
				t.Error(err)
			}
		}
		var bill demoInvoice
		if err := operator.post(t.Context(), "/invoices/generate/monthly?org_id=1&year=2023&month=12", nil, &bill); err != nil {
			t.Fatal(err)
		}
		if bill.Total.Sign() <= 0 || len(bill.Lines) < 3 {
			t.Errorf("December is billed with %s on %d lines", bill.Total, len(bill.Lines))
		}
		if code := s.terminate(); code != 0 {
			t.Errorf("ends with %d: %s", code, s.log)
		}
		mustVerify(t, env)
	})
}

// differs says where a JSON value has something else than before; what is new in an object is no difference.
func differs(was, is json.RawMessage) string {
	var a, b any
	for _, side := range []struct {
		text json.RawMessage
		into *any
	}{{was, &a}, {is, &b}} {
		d := json.NewDecoder(bytes.NewReader(side.text))
		d.UseNumber()
		if err := d.Decode(side.into); err != nil {
			return err.Error()
		}
	}
	return differ("", a, b)
}

func differ(at string, a, b any) string {
	switch was := a.(type) {
	case map[string]any:
		is, ok := b.(map[string]any)
		if !ok {
			return fmt.Sprintf("%s is %v, was an object", at, b)
		}
		for name, value := range was {
			if fault := differ(at+"."+name, value, is[name]); fault != "" {
				return fault
			}
		}
		return ""
	case []any:
		is, ok := b.([]any)
		if !ok || len(is) != len(was) {
			return fmt.Sprintf("%s is %v, was %v", at, b, a)
		}
		for i := range was {
			if fault := differ(fmt.Sprintf("%s[%d]", at, i), was[i], is[i]); fault != "" {
				return fault
			}
		}
		return ""
	}
	if a != b {
		return fmt.Sprintf("%s is %v, was %v", at, b, a)
	}
	return ""
}
