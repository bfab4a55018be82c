package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"xyra/store/storetest"
)

// oldDeployment makes the database of an existing deployment, with a password of bcrypt and one month invoiced.
func oldDeployment(t *testing.T) (address string) {
	t.Helper()
	u, err := url.Parse(storetest.Postgres(t).URL)
	if err != nil {
		t.Fatal(err)
	}
	query := u.Query()
	query.Set("search_path", "old")
	u.RawQuery = query.Encode()
	address = u.String()
	query.Set("default_query_exec_mode", "simple_protocol") // a file is many statements
	u.RawQuery = query.Encode()
	db, err := sql.Open("pgx", u.String())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	text, err := os.ReadFile("../../legacy/testdata/earlier.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, statements := range []string{"CREATE SCHEMA old", string(text)} {
		if _, err := db.ExecContext(t.Context(), statements); err != nil {
			t.Fatal(err)
		}
	}
	return address
}

// oldToken is what the old program signed for a user.
func oldToken(user int, secret string) string {
	part := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	signed := part(`{"alg":"HS256","typ":"JWT"}`) + "." + part(fmt.Sprintf(`{"exp":%d,"sub":"%d"}`, time.Now().Unix()+600, user))
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(signed))
	return signed + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// The way over as docs/moving.md says it: try, import, verify, serve; old tokens and passwords go on working.
func TestImportXyra_OldClientsGoOn(t *testing.T) {
	eachDatabase(t, func(t *testing.T, env []string) {
		from := "--from=" + oldDeployment(t)
		code, out, complaints := ended(t, command(t, env, "import-xyra", "--dry-run", from))
		if code != 0 || !strings.Contains(out, "27 rows would be added, 0 known already, 0 differences") {
			t.Fatalf("the dry run ends with %d: %s%s", code, out, complaints)
		}
		for _, want := range []string{"27 rows added", "0 rows added, 27 known already, 0 differences: everything is here as it was there"} {
			if code, out, complaints = ended(t, command(t, env, "import-xyra", from)); code != 0 || !strings.Contains(out, want) {
				t.Fatalf("the import ends with %d: %s%s, want %q", code, out, complaints, want)
			}
		}
		if !strings.Contains(out, "Organization 3, Acme") || !strings.Contains(out, "costs and charges USD  101.907067890123456703  101.907067890123 rounded by") {
			t.Errorf("the reconciliation is\n%s", out)
		}
		mustVerify(t, env)
		s := startServer(t, env...)
		client := newDemoClient(s.url, 1)
		var me struct{ Email string }
		if err := client.as(oldToken(7, strings.Repeat("k", 32))).read(t.Context(), "/auth/me", &me); err != nil || me.Email != "Ann@acme.example" {
			t.Errorf("the old token: %+v, %v", me, err)
		}
		token, err := client.login(t.Context(), "Ann@Acme.example", "correct horse 7")
		if err != nil {
			t.Fatalf("the old password: %v", err)
		}
		var invoices []struct {
			Number string `json:"invoice_number"`
			Total  any    `json:"total_amount"`
		}
		if err := client.as(token).read(t.Context(), "/invoices?org_id=3", &invoices); err != nil || len(invoices) != 2 || invoices[1].Number != "ACME/7" || invoices[1].Total != 11.9 {
			t.Errorf("invoices: %+v, %v", invoices, err)
		}
		if code := s.terminate(); code != 0 {
			t.Errorf("the server ends with %d: %s", code, s.log)
		}
		mustVerify(t, env)
	})
}

// Whatever is wrong is one line, and differences end with code 1.
func TestImportXyra_FaultsAndDifferencesEndWithOne(t *testing.T) {
	env := []string{"XYRA_DATA_DIR=" + t.TempDir()}
	server, err := url.Parse(os.Getenv("XYRA_TEST_POSTGRES"))
	if err != nil {
		t.Fatal(err)
	}
	for from, want := range map[string]string{
		"":                  "missing flags: --from=URL",
		"mysql://h/x":       "the address must be like postgres://user:password@host:5432/database",
		server.String():     "it has no tables of organizations, users and agents",
		"postgres://%zz@/x": "the address cannot be read",
	} {
		args := []string{"import-xyra"}
		if from != "" {
			args = append(args, "--from="+from)
		}
		if code, out, complaints := ended(t, command(t, env, args...)); code != 1 || !strings.Contains(complaints, want) || strings.Count(complaints, "\n") != 1 {
			t.Errorf("from %q ends with %d: %s%s, want %q", from, code, out, complaints, want)
		}
	}
	old := oldDeployment(t)
	if code, out, _ := ended(t, command(t, env, "import-xyra", "--from="+old)); code != 0 {
		t.Fatalf("the import ends with %d: %s", code, out)
	}
	db, err := sql.Open("pgx", old)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), "UPDATE agentcost SET amount = 7 WHERE id = 308"); err != nil {
		t.Fatal(err)
	}
	code, out, _ := ended(t, command(t, env, "import-xyra", "--brief", "--from="+old))
	if code != 1 || !strings.Contains(out, "differs: agentcost 308 is here with another Quantity and stays as it is here") || !strings.Contains(out, "differs by -2") {
		t.Errorf("after a change the import ends with %d: %s", code, out)
	}
}
