package main

import (
	"bytes"
	"database/sql"
	"fmt"
	"maps"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A backup that is taken under load holds every event answered before it began, and its restored copy adds up.
func TestBackup_UnderLoadHoldsWhatWasAnswered(t *testing.T) {
	for n := range rounds(1, 30) {
		t.Run(fmt.Sprint("round ", n+1), func(t *testing.T) { eachDatabase(t, backUpUnderLoad) })
	}
}

// backUpUnderLoad backs a loaded server up, kills it, and proves the restored copy.
func backUpUnderLoad(t *testing.T, env []string) {
	s := startServer(t, env...)
	operator := s.login()
	customer, agents, client, err := makeWorld(t.Context(), operator)
	if err != nil {
		t.Fatal(err)
	}
	r := &reporter{answered: map[int]int64{}}
	enough, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		r.report(untilDone(t), t, client, agents, 200, enough)
	}()
	select {
	case <-enough:
	case <-done:
		t.Fatalf("the server went away by itself: %s", s.log)
	}
	if err := operator.post(t.Context(), fmt.Sprintf("/invoices/generate/monthly?org_id=%d&year=2023&month=11", customer.ID), nil, nil); err != nil {
		t.Fatal(err)
	}
	r.mu.Lock()
	before := maps.Clone(r.answered)
	r.mu.Unlock()
	file := filepath.Join(t.TempDir(), "backup")
	backUp(t, env, file)
	s.kill()
	<-done

	restored := restore(t, env, file)
	again := startServer(t, restored...)
	client = again.as(client)
	for number, id := range before {
		var event struct{ ID int64 }
		if err := client.post(t.Context(), eventPath(agents, number), numberedActivity(number), &event); err != nil || event.ID != id {
			t.Errorf("event %d was answered with id %d before the backup, and is %d after the restore, %v", number, id, event.ID, err)
		}
	}
	mustVerify(t, restored)
}

// backUp makes a backup the documented way, and proves that a second one does not overwrite it.
func backUp(t *testing.T, env []string, file string) {
	t.Helper()
	run := func() (int, string) {
		if isPostgres(env) {
			return script(t, env, "backup-postgres.sh", file)
		}
		code, out, complaint := ended(t, command(t, env, "backup", file))
		return code, out + complaint
	}
	if code, said := run(); code != 0 {
		t.Fatalf("backup ends with %d: %s", code, said)
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the backup is %v, %v; others must not read it", info, err)
	}
	if code, said := run(); code != 1 || !strings.Contains(said, "never overwritten") {
		t.Errorf("a second backup to the same file ends with %d: %s", code, said)
	}
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(file), "*")); err != nil || len(left) != 1 {
		t.Errorf("beside the backup lie %v, %v", left, err)
	}
}

// restore brings a backup back elsewhere, and returns the environment of that place.
func restore(t *testing.T, env []string, file string) []string {
	t.Helper()
	if isPostgres(env) {
		env = append([]string{"DATABASE_URL=" + emptyDatabase(t)}, env[1:]...)
		if code, said := script(t, env, "restore-postgres.sh", file); code != 0 {
			t.Fatalf("restore ends with %d: %s", code, said)
		}
		if code, said := script(t, env, "restore-postgres.sh", file); code != 1 || !strings.Contains(said, "never overwritten") {
			t.Errorf("a second restore ends with %d: %s", code, said)
		}
		return env
	}
	env = append([]string{"XYRA_DATA_DIR=" + filepath.Join(t.TempDir(), "restored")}, env[1:]...)
	if code, out, complaint := ended(t, command(t, env, "restore", file)); code != 0 {
		t.Fatalf("restore ends with %d: %s%s", code, out, complaint)
	}
	if code, _, complaint := ended(t, command(t, env, "restore", file)); code != 1 || !strings.Contains(complaint, "never overwritten") {
		t.Errorf("a second restore ends with %d: %s", code, complaint)
	}
	return env
}

func isPostgres(env []string) bool { return strings.HasPrefix(env[0], "DATABASE_URL=") }

// script runs one of deploy's scripts with the program under test.
func script(t *testing.T, env []string, name string, args ...string) (code int, said string) {
	t.Helper()
	program, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	path, err := filepath.Abs(filepath.Join("..", "..", "deploy", name))
	if err != nil {
		t.Fatal(err)
	}
	places, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(untilDone(t), path, args...)
	cmd.Dir = t.TempDir()
	cmd.Env = append([]string{"PATH=" + strings.Join(append(places, os.Getenv("PATH")), ":"), "XYRA=" + program}, env...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String()
}

// emptyDatabase is the address of a new PostgreSQL database without any table.
func emptyDatabase(t *testing.T) string {
	t.Helper()
	server, err := url.Parse(os.Getenv("XYRA_TEST_POSTGRES"))
	if err != nil {
		t.Fatal(err)
	}
	admin, err := sql.Open("pgx", server.String())
	if err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("xyra_restored_%d", os.Getpid())
	if _, err := admin.Exec("CREATE DATABASE " + name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := admin.Exec("DROP DATABASE " + name + " WITH (FORCE)"); err != nil {
			t.Error(err)
		}
		admin.Close()
	})
	server.Path = "/" + name
	return server.String()
}

// A backup of which a byte of an answered row has changed is not restored.
func TestRestore_TamperedBackupIsRefused(t *testing.T) {
	dir := t.TempDir()
	env := []string{"XYRA_DATA_DIR=" + filepath.Join(dir, "data"), "FIRST_SUPERUSER_PASSWORD=" + testPassword, "LOG_LEVEL=warn"}
	s := startServer(t, env...)
	if _, _, _, err := makeWorld(t.Context(), s.login()); err != nil {
		t.Fatal(err)
	}
	s.terminate()
	for name, change := range map[string]string{
		"audit detail": `UPDATE audit_entries SET caller = 'nobody' WHERE organization_id <> 0`,
		"audit end":    `DELETE FROM audit_entries WHERE (organization_id, sequence) IN (SELECT organization_id, MAX(sequence) FROM audit_entries GROUP BY organization_id)`,
	} {
		file := filepath.Join(t.TempDir(), "backup.db")
		if code, out, complaint := ended(t, command(t, env, "backup", file)); code != 0 {
			t.Fatalf("backup ends with %d: %s%s", code, out, complaint)
		}
		db, err := sql.Open("sqlite", file)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := db.Exec(change); err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		target := filepath.Join(t.TempDir(), "restored")
		code, _, complaint := ended(t, command(t, []string{"XYRA_DATA_DIR=" + target}, "restore", file))
		if code != 1 || !strings.Contains(complaint, "does not add up") {
			t.Errorf("%s: restore ends with %d: %s", name, code, complaint)
		}
		if left, err := os.ReadDir(target); err != nil || len(left) != 0 {
			t.Errorf("%s: a refused restore leaves %v, %v", name, left, err)
		}
	}
}

// check names what a start would stumble over, all of it at once, and changes nothing.
func TestCheck_NamesEveryFaultAndChangesNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	code, out, _ := ended(t, command(t, []string{"XYRA_DATA_DIR=" + dir}, "check"))
	if code != 0 || !strings.Contains(out, "no fault") || strings.Contains(out, "FAULT") {
		t.Errorf("check of nothing yet ends with %d:\n%s", code, out)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("check made the data folder: %v", err)
	}
	code, out, _ = ended(t, command(t, []string{"XYRA_ADDR=nowhere", "SECRET_KEY=changethis", "POSTGRES_SERVER=127.0.0.1", "POSTGRES_PORT=1",
		"CORS_ORIGINS=*", "LOG_FORMAT=xml", "STRIPE_API_KEY=sk_test_1", "OTEL_EXPORTER_OTLP_ENDPOINT=nowhere"}, "check"))
	if code != 1 || strings.Count(out, "FAULT") != 6 || !strings.Contains(out, "6 faults, 1 warnings") {
		t.Errorf("check of faults ends with %d:\n%s", code, out)
	}
	for _, want := range []string{"XYRA_ADDR", "openssl rand", "no PostgreSQL server answers", "CORS_ORIGINS", "LOG_FORMAT", "STRIPE_WEBHOOK_SECRET"} {
		if !strings.Contains(out, want) {
			t.Errorf("check does not name %s:\n%s", want, out)
		}
	}
}

// check looks at a running installation on both databases.
func TestCheck_SeesARunningInstallation(t *testing.T) {
	eachDatabase(t, func(t *testing.T, env []string) {
		s := startServer(t, env...)
		address := strings.TrimSuffix(strings.TrimPrefix(s.url, "http://"), "/api/v1")
		code, out, _ := ended(t, command(t, append(env, "XYRA_ADDR="+address), "check"))
		for _, want := range []string{"ready already", "ok     Database", "ok     Schema", "ok     Clock", "ok     Login"} {
			if code != 0 || !strings.Contains(out, want) {
				t.Errorf("check ends with %d, without %q:\n%s", code, want, out)
			}
		}
	})
}
