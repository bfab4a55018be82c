package main

import (
	"database/sql"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"xyra/store/storetest"
)

// Whatever keeps the program from starting is one line that names the cause and the remedy, and exit code 1.
func TestStart_FaultIsOneLineWithItsRemedy(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { taken.Close() }) // the cases run after this function
	strong := "SECRET_KEY=" + strings.Repeat("s", 32)
	database := storetest.Postgres(t).URL
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("this is no database, and it is longer than a page's head"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		env  string // several with a space between
		args string
		want []string
	}{
		"port taken":                  {env: "XYRA_ADDR=" + taken.Addr().String(), want: []string{taken.Addr().String(), "already taken", "XYRA_ADDR"}},
		"address of another machine":  {env: "XYRA_ADDR=192.0.2.1:8000", want: []string{"not an address of this machine"}},
		"address without port":        {env: "XYRA_ADDR=localhost", want: []string{`XYRA_ADDR="localhost"`, "127.0.0.1:8000"}},
		"port is a word":              {env: "PORT=http", want: []string{`PORT="http" cannot be used`}},
		"port too large":              {env: "XYRA_ADDR= PORT=70000", want: []string{`PORT="70000"`}},
		"proxies are words":           {env: "TRUSTED_PROXIES=10.0.0.0/8,nginx", want: []string{`TRUSTED_PROXIES="nginx"`, "10.0.0.0/8"}},
		"origin is a star":            {env: "CORS_ORIGINS=*", want: []string{`CORS_ORIGINS="*"`, "every origin must be named"}},
		"origins are broken JSON":     {env: `CORS_ORIGINS=["http://a.example"`, want: []string{"CORS_ORIGINS", "JSON list"}},
		"prefix is a word":            {env: "API_V1_STR=api", want: []string{`API_V1_STR="api"`, "/api/v1"}},
		"token lifetime is a word":    {env: "ACCESS_TOKEN_EXPIRE_MINUTES=week", want: []string{`ACCESS_TOKEN_EXPIRE_MINUTES="week"`}},
		"token lifetime is negative":  {env: "ACCESS_TOKEN_EXPIRE_MINUTES=-1", want: []string{`ACCESS_TOKEN_EXPIRE_MINUTES="-1"`}},
		"signup is a word":            {env: "SIGNUP_ENABLED=perhaps", want: []string{`SIGNUP_ENABLED="perhaps"`}},
		"log format unknown":          {env: "LOG_FORMAT=xml", want: []string{`LOG_FORMAT="xml"`, "text or json"}},
		"log level unknown":           {env: "LOG_LEVEL=loud", want: []string{`LOG_LEVEL="loud"`, "debug, info, warn or error"}},
		"drain takes no time":         {env: "XYRA_DRAIN_TIMEOUT=0s", want: []string{"XYRA_DRAIN_TIMEOUT"}},
		"first superuser is no mail":  {env: "FIRST_SUPERUSER=root", want: []string{`FIRST_SUPERUSER="root"`, "@-sign"}},
		"first password is common":    {env: "FIRST_SUPERUSER_PASSWORD=password1", want: []string{"FIRST_SUPERUSER_PASSWORD", "too easy"}},
		"first password is short":     {env: "FIRST_SUPERUSER_PASSWORD=x9!Kq", want: []string{"FIRST_SUPERUSER_PASSWORD", "8 characters"}},
		"default password, reachable": {env: "XYRA_ADDR=0.0.0.0:0 FIRST_SUPERUSER_PASSWORD=admin", want: []string{"FIRST_SUPERUSER_PASSWORD", "127.0.0.1"}},
		"secret everybody knows":      {env: "SECRET_KEY=changethis", want: []string{"SECRET_KEY", "openssl rand"}},
		"no secret for PostgreSQL":    {env: "DATABASE_URL=" + database, want: []string{"SECRET_KEY is not set", "openssl rand"}},
		"invoice number, no count":    {env: "INVOICE_NUMBER_PATTERN={PREFIX}-{YYYY}", want: []string{`INVOICE_NUMBER_PATTERN="{PREFIX}-{YYYY}"`, "{SEQ}"}},
		"invoice prefix in Greek":     {env: "INVOICE_NUMBER_PREFIX=ΑΒ", want: []string{"INVOICE_NUMBER_PREFIX", "ASCII"}},
		"first month is a word":       {env: "AUTO_INVOICE_SINCE=january", want: []string{`AUTO_INVOICE_SINCE="january"`, "2026-01"}},
		"billed before it ends":       {env: "AUTO_INVOICE_AFTER=-1h", want: []string{`AUTO_INVOICE_AFTER="-1h0m0s"`}},
		"limit is negative":           {env: "AUTO_INVOICE_LIMIT=-1", want: []string{`AUTO_INVOICE_LIMIT="-1"`}},
		"vault":                       {env: "AZURE_KEY_VAULT_URL=https://v.vault.azure.net", want: []string{"AZURE_KEY_VAULT_URL", "AZURE_CLIENT_ID"}},
		"metrics":                     {env: "METRICS_ADDR=9090", want: []string{"METRICS_ADDR", "127.0.0.1:9090"}},
		"rate is a word":              {env: "RATE_LIMIT=much", want: []string{`RATE_LIMIT="much"`, "6000/m"}},
		"drain delay is negative":     {env: "XYRA_DRAIN_DELAY=-1s", want: []string{"XYRA_DRAIN_DELAY"}},
		"data folder is a file":       {env: "XYRA_DATA_DIR=" + file, want: []string{file, "XYRA_DATA_DIR"}},
		"data folder below a file":    {env: "XYRA_DATA_DIR=" + file + "/data", want: []string{file, "XYRA_DATA_DIR"}},
		"server away":                 {env: strong + " POSTGRES_SERVER=127.0.0.1 POSTGRES_PORT=1", want: []string{"no PostgreSQL server answers at 127.0.0.1:1", "POSTGRES_SERVER"}},
		"server has no name":          {env: strong + " POSTGRES_SERVER=no-such-host.invalid", want: []string{"no PostgreSQL server answers at no-such-host.invalid:5432"}},
		"PostgreSQL port is a word":   {env: strong + " POSTGRES_SERVER=h POSTGRES_PORT=x", want: []string{`POSTGRES_PORT="x"`}},
		"PostgreSQL options no pairs": {env: strong + " POSTGRES_SERVER=h POSTGRES_OPTIONS=require", want: []string{`POSTGRES_OPTIONS="require"`, "sslmode=require"}},
		"URL of another database":     {env: strong + " DATABASE_URL=mysql://h/d", want: []string{"DATABASE_URL must be like postgres://"}},
		"too few connections":         {env: strong + " POSTGRES_SERVER=h XYRA_POSTGRES_CONNS=1", want: []string{`XYRA_POSTGRES_CONNS="1"`}},
		"server without TLS":          {env: strong + " DATABASE_URL=" + strings.Replace(database, "sslmode=disable", "sslmode=require", 1), want: []string{"refused TLS", "sslmode="}},
		"server forgets commits":      {env: strong + " DATABASE_URL=" + database + "&options=-csynchronous_commit%3Doff", want: []string{"synchronous_commit=off", "turn it on"}},
		"wrong password":              {env: strong + " DATABASE_URL=" + other(t, database, "wrong", ""), want: []string{"refuses user", "POSTGRES_PASSWORD"}},
		"missing database":            {env: strong + " DATABASE_URL=" + other(t, database, "", "nowhere"), want: []string{`no database "nowhere"`, "createdb -h ", " nowhere`"}},
		"unknown option":              {args: "--colour", want: []string{"unknown flag --colour", "--help"}},
		"unknown command":             {args: "sevre", want: []string{"unexpected argument sevre", "--help"}},
		"verify without database":     {args: "verify", want: []string{"there is no database at", "XYRA_DATA_DIR"}},
		"passwd without database":     {args: "passwd a@b.io", want: []string{"there is no database at"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := command(t, strings.Fields(c.env), strings.Fields(c.args)...)
			code, out, complaint := ended(t, cmd)
			if code != 1 || out != "" || !strings.HasPrefix(complaint, "xyra: ") || strings.Count(complaint, "\n") != 1 {
				t.Errorf("ends with %d, says %q and complains\n%s", code, out, complaint)
			}
			for _, part := range c.want {
				if !strings.Contains(complaint, part) {
					t.Errorf("complains\n%swithout %q", complaint, part)
				}
			}
		})
	}
}

// other is a database's address with another password or name.
func other(t *testing.T, database, password, name string) string {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	if password != "" {
		u.User = url.UserPassword(u.User.Username(), password)
	}
	if name != "" {
		u.Path = "/" + name
	}
	return u.String()
}

// A file that is no database, and one that a newer version has changed, are left alone.
func TestStart_ForeignDatabaseIsRefused(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "xyra.db")
	if err := os.WriteFile(path, []byte(strings.Repeat("this is no database. ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, complaint := ended(t, command(t, []string{"XYRA_DATA_DIR=" + dir})); code != 1 || !strings.Contains(complaint, "is damaged or no SQLite database") {
		t.Errorf("no database: %d %s", code, complaint)
	}
	empty := t.TempDir()
	if err := os.WriteFile(filepath.Join(empty, "xyra.db"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, complaint := ended(t, command(t, []string{"XYRA_DATA_DIR=" + empty}, "verify")); code != 1 || !strings.Contains(complaint, "xyra migrate") {
		t.Errorf("verify without a schema: %d %s", code, complaint)
	}
	dir = t.TempDir()
	env := []string{"XYRA_DATA_DIR=" + dir}
	if code, out, complaint := ended(t, command(t, env, "migrate")); code != 0 {
		t.Fatalf("migrate: %s%s", out, complaint)
	}
	db, err := sql.Open("sqlite", filepath.Join(dir, "xyra.db"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)`); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if code, _, complaint := ended(t, command(t, env)); code != 1 || !strings.Contains(complaint, "newer schema") || strings.Count(complaint, "\n") != 1 {
		t.Errorf("newer schema: %d %s", code, complaint)
	}
}

// The file .env is read, the environment wins over it, a variable set to nothing counts as not set, and a broken file is a
// fault that names it.
func TestStart_EnvFileIsRead(t *testing.T) {
	for _, c := range []struct{ file, env, want string }{
		{"LOG_FORMAT=xml\n", "", `LOG_FORMAT="xml"`},
		{"LOG_FORMAT=xml\n", "LOG_FORMAT=yaml", `LOG_FORMAT="yaml"`},
		{"LOG_LEVEL=loud\n", "LOG_FORMAT=", `LOG_LEVEL="loud"`},
		{"LOG_FORMAT\n", "", "the file .env cannot be read"},
	} {
		cmd := command(t, strings.Fields(c.env))
		if err := os.WriteFile(filepath.Join(cmd.Dir, ".env"), []byte(c.file), 0o600); err != nil {
			t.Fatal(err)
		}
		if code, _, complaint := ended(t, cmd); code != 1 || !strings.Contains(complaint, c.want) {
			t.Errorf("%q with %q ends with %d: %s, want %s", c.file, c.env, code, complaint, c.want)
		}
	}
}

// A secret may be in a file, of one line; a file and a variable for the same secret contradict each other.
func TestStart_SecretsAreReadFromFiles(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, c := range []struct{ env, want string }{
		{"SECRET_KEY_FILE=" + file("public", "changethis\n"), "SECRET_KEY is a word that everybody knows"},
		{"FIRST_SUPERUSER_PASSWORD_FILE=" + file("short", "x9!Kq\r\n"), "FIRST_SUPERUSER_PASSWORD is too easy"},
		{"SECRET_KEY=x SECRET_KEY_FILE=" + file("both", "y"), "SECRET_KEY and SECRET_KEY_FILE are both set"},
		{"SECRET_KEY_FILE=" + filepath.Join(dir, "nowhere"), "no such file or directory; correct the path"},
		{"SECRET_KEY_FILE=" + file("empty", "\n"), "must hold one line"},
		{"SECRET_KEY_FILE=" + file("two", "a\nb\n"), "must hold one line"},
	} {
		if code, _, complaint := ended(t, command(t, strings.Fields(c.env))); code != 1 || !strings.Contains(complaint, c.want) || strings.Count(complaint, "\n") != 1 {
			t.Errorf("%q ends with %d: %s, want %s", c.env, code, complaint, c.want)
		}
	}
}

// Every variable of the program is in --help, with a default.
func TestHelp_NamesEveryVariable(t *testing.T) {
	code, out, _ := ended(t, command(t, nil, "--help"))
	if code != 0 {
		t.Fatalf("ends with %d", code)
	}
	for _, name := range []string{"XYRA_ADDR", "PORT", "XYRA_DATA_DIR", "TRUSTED_PROXIES", "API_V1_STR", "PROJECT_NAME", "SECRET_KEY",
		"ACCESS_TOKEN_EXPIRE_MINUTES", "CORS_ORIGINS", "POSTGRES_SERVER", "POSTGRES_USER", "POSTGRES_PASSWORD", "POSTGRES_DB", "POSTGRES_PORT",
		"POSTGRES_OPTIONS", "DATABASE_URL", "STRIPE_API_KEY", "STRIPE_WEBHOOK_SECRET",
		"STRIPE_SUCCESS_URL", "STRIPE_CANCEL_URL", "STRIPE_API_BASE", "AZURE_KEY_VAULT_URL", "AZURE_TENANT_ID", "AZURE_CLIENT_ID",
		"AZURE_CLIENT_SECRET", "AZURE_FEDERATED_TOKEN_FILE", "AZURE_AUTHORITY_HOST", "XYRA_KEY_VAULT_POLL", "XYRA_VERIFY_EVERY", "TLS_CERT_FILE", "TLS_KEY_FILE", "RATE_LIMIT", "XYRA_DRAIN_DELAY", "XYRA_POSTGRES_STATEMENT_TIMEOUT",
		"OTEL_EXPORTER_OTLP_ENDPOINT", "APPLICATIONINSIGHTS_CONNECTION_STRING", "FIRST_SUPERUSER", "FIRST_SUPERUSER_PASSWORD", "SIGNUP_ENABLED", "DOCS_ENABLED", "METRICS_ADDR", "LOG_FORMAT", "LOG_LEVEL",
		"AUTO_INVOICE", "AUTO_INVOICE_AFTER", "AUTO_INVOICE_SINCE", "AUTO_INVOICE_LIMIT", "INVOICE_NUMBER_PATTERN", "INVOICE_NUMBER_PREFIX",
		"SELLER_NAME", "SELLER_ADDRESS", "SELLER_TAX_ID", "SELLER_EMAIL"} {
		if !strings.Contains(out, "$"+name+")") {
			t.Errorf("--help does not name %s", name)
		}
	}
}

// Promise 15: a start whose secret or first password anybody could guess is refused, on whatever database and however it is set.
func TestStart_GuessableLoginIsRefused(t *testing.T) {
	database := storetest.Postgres(t).URL
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte("changethis\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	strong := "SECRET_KEY=" + strings.Repeat("s", 32)
	for _, c := range []struct{ env, want string }{
		{"SECRET_KEY=changethis", "SECRET_KEY"}, {"SECRET_KEY=ChangeThis", "SECRET_KEY"}, {"SECRET_KEY=secret", "SECRET_KEY"},
		{"SECRET_KEY=your-secret-key-here", "SECRET_KEY"}, {"SECRET_KEY_FILE=" + file, "SECRET_KEY"},
		{"DATABASE_URL=" + database, "SECRET_KEY is not set"}, {"DATABASE_URL=" + database + " SECRET_KEY=development", "SECRET_KEY"},
		{"FIRST_SUPERUSER_PASSWORD=changethis", "FIRST_SUPERUSER_PASSWORD"}, {"FIRST_SUPERUSER_PASSWORD=Passw0rd", "FIRST_SUPERUSER_PASSWORD"},
		{"FIRST_SUPERUSER_PASSWORD=root", "FIRST_SUPERUSER_PASSWORD"}, {"FIRST_SUPERUSER_PASSWORD=admin@example.com", "FIRST_SUPERUSER_PASSWORD"},
		{"FIRST_SUPERUSER_PASSWORD_FILE=" + file, "FIRST_SUPERUSER_PASSWORD"}, {"XYRA_ADDR=0.0.0.0:0 FIRST_SUPERUSER_PASSWORD=admin", "FIRST_SUPERUSER_PASSWORD"},
		{"XYRA_ADDR=[::]:0 FIRST_SUPERUSER_PASSWORD=admin", "FIRST_SUPERUSER_PASSWORD"},
		{strong + " DATABASE_URL=" + database + " XYRA_ADDR=0.0.0.0:0 FIRST_SUPERUSER_PASSWORD=admin", "FIRST_SUPERUSER_PASSWORD"},
	} {
		t.Run(c.env, func(t *testing.T) {
			t.Parallel()
			code, out, complaint := ended(t, command(t, strings.Fields(c.env)))
			if code != 1 || out != "" || !strings.Contains(complaint, c.want) || strings.Count(complaint, "\n") != 1 {
				t.Errorf("ends with %d, says %q and complains\n%s", code, out, complaint)
			}
		})
	}
}
