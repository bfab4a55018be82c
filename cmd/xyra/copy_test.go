package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"xyra/store/storetest"
)

// An installation that grows out of SQLite goes on with PostgreSQL where it was: logins, keys, events and invoices.
func TestCopy_AnInstallationMovesToPostgres(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	common := []string{"FIRST_SUPERUSER_PASSWORD=" + testPassword, "LOG_LEVEL=warn"}
	old := startServer(t, append(common, "XYRA_DATA_DIR="+data)...)
	operator := old.login()
	customer, agents, reporter, err := makeWorld(t.Context(), operator)
	if err != nil {
		t.Fatal(err)
	}
	numbers := []int{1, 2, 3, 4, 5, 6, 7, 8}
	ids, err := sendNumbered(t.Context(), reporter, agents, numbers)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := generate(t.Context(), operator, customer); err != nil {
		t.Fatal(err)
	}
	old.terminate()

	url := storetest.Postgres(t).URL
	code, out, complaint := ended(t, command(t, nil, "copy", "--from=sqlite:"+data, "--to="+url))
	if code != 0 || !strings.Contains(out, "8  events\n") || !strings.Contains(out, "it adds up") {
		t.Fatalf("copy ends with %d: %s%s", code, out, complaint)
	}
	secret, err := os.ReadFile(filepath.Join(data, "secret.key"))
	if err != nil {
		t.Fatal(err)
	}
	env := append(common, "DATABASE_URL="+url, "SECRET_KEY="+strings.TrimSpace(string(secret)))
	moved := startServer(t, env...)
	again, err := sendNumbered(t.Context(), moved.as(reporter), agents, append(numbers, 9))
	if err != nil {
		t.Fatal(err)
	}
	for i, id := range ids {
		if again[i] != id {
			t.Errorf("event %d was %d and is %d", numbers[i], id, again[i])
		}
	}
	if again[8] <= ids[7] {
		t.Errorf("the new event has id %d, older ones up to %d", again[8], ids[7])
	}
	if _, err := generate(t.Context(), moved.as(operator), customer); err == nil || !strings.Contains(err.Error(), "409") {
		t.Errorf("generating the month again: %v, want 409", err)
	}
	moved.login()
	mustVerify(t, env)
	if code, _, complaint := ended(t, command(t, nil, "copy", "--from=sqlite:"+data, "--to="+url)); code != 1 || !strings.Contains(complaint, "has rows already") {
		t.Errorf("copying again ends with %d: %s", code, complaint)
	}
}

func TestCopy_SaysWhatIsWrong(t *testing.T) {
	for args, want := range map[string]string{
		"--from=data/xyra.db --to=postgres://db/xyra":       "write sqlite: and the path",
		"--from=sqlite:nothing.db --to=postgres://db/xyra":  "there is no database at",
		"--from=sqlite:nothing.db --to=mysql://db/xyra":     "--to cannot be used",
		"--from=sqlite:nothing.db":                          "--to",
		"--from=sqlite: --to=postgres://db.invalid:1/xyra":  "write sqlite: and the path",
		"--from=sqlite:/nowhere --to=postgres://db/without": "there is no database at",
	} {
		code, out, complaint := ended(t, command(t, nil, append([]string{"copy"}, strings.Fields(args)...)...))
		if code != 1 || !strings.Contains(complaint, want) || strings.Count(complaint, "\n") != 1 {
			t.Errorf("copy %s ends with %d: %s%s, want one line with %q", args, code, out, complaint, want)
		}
	}
}
