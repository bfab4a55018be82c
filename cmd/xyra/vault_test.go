package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"xyra/azure/azuretest"
	"xyra/store"
	"xyra/store/storetest"
)

// signedBy tells whether a secret has signed a token.
func signedBy(secret, token string) bool {
	dot := strings.LastIndexByte(token, '.')
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(token[:dot]))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil)) == token[dot+1:]
}

// eachVaulted runs f with a vault that has every secret that a start on the database needs.
func eachVaulted(t *testing.T, f func(t *testing.T, cloud *azuretest.Cloud, env []string)) {
	t.Helper()
	storetest.EachTarget(t, func(t *testing.T, target store.Options) {
		cloud := azuretest.New(t, time.Now)
		env := append(cloud.Environment(), "XYRA_DATA_DIR="+filepath.Join(t.TempDir(), "data"), "LOG_LEVEL=warn", "XYRA_KEY_VAULT_POLL=1s",
			"SECRET_KEY=the settings' own secret, which the vault's wins over", "FIRST_SUPERUSER_PASSWORD=a-password-of-the-settings")
		if target.URL != "" {
			u, err := url.Parse(target.URL)
			if err != nil {
				t.Fatal(err)
			}
			password, _ := u.User.Password()
			cloud.Put("postgres-password", azuretest.Version{Value: password})
			env = append(env, "POSTGRES_SERVER="+u.Hostname(), "POSTGRES_PORT="+u.Port(), "POSTGRES_USER="+u.User.Username(),
				"POSTGRES_DB="+strings.TrimPrefix(u.Path, "/"), "POSTGRES_OPTIONS="+u.RawQuery, "POSTGRES_PASSWORD=wrong")
		}
		cloud.Put("first-superuser-password", azuretest.Version{Value: testPassword})
		f(t, cloud, env)
	})
}

// The vault's secrets win over the settings, its signing secret signs and verifies, and a new version takes over while the
// server runs: tokens of the one before stay valid. A vault that breaks down later changes nothing.
func TestVault_SecretsAreUsedAndRotate(t *testing.T) {
	eachVaulted(t, func(t *testing.T, cloud *azuretest.Cloud, env []string) {
		first, second := strings.Repeat("1", 32), strings.Repeat("2", 32)
		cloud.Put(signingSecret, azuretest.Version{Value: first})
		if code, out, complaints := ended(t, command(t, env, "migrate")); code != 0 {
			t.Fatalf("migrate: %s%s", out, complaints)
		}
		s := startServer(t, env...)
		client := newDemoClient(s.url, 32)
		old, err := client.login(t.Context(), "admin@example.com", testPassword)
		if err != nil || !signedBy(first, old) {
			t.Fatalf("log in: %v; signed by the vault's secret: %t", err, signedBy(first, old))
		}
		cloud.Put(signingSecret, azuretest.Version{Value: second, Created: time.Now().Add(-time.Hour)})
		fresh, deadline := old, untilDone(t)
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for !signedBy(second, fresh) {
			select {
			case <-tick.C:
			case <-deadline.Done():
				t.Fatalf("the new version never signs\n%s", s.log)
			}
			if fresh, err = client.login(t.Context(), "admin@example.com", testPassword); err != nil {
				t.Fatal(err)
			}
		}
		cloud.Refuse(403, "Forbidden")
		for !strings.Contains(s.log.String(), "the signing secret stays as it was") {
			select {
			case <-tick.C:
			case <-deadline.Done():
				t.Fatalf("nobody says that the vault is away\n%s", s.log)
			}
		}
		for name, token := range map[string]string{"old": old, "fresh": fresh} {
			if err := client.as(token).read(t.Context(), "/auth/me", nil); err != nil {
				t.Errorf("the %s token: %v", name, err)
			}
		}
		if code := s.terminate(); code != 0 {
			t.Errorf("ends with %d\n%s", code, s.log)
		}
	})
}

// A vault without the secrets leaves the settings as they are, and check says what it found.
func TestVault_MissingSecretsFallBack(t *testing.T) {
	cloud := azuretest.New(t, time.Now)
	env := append(cloud.Environment(), "XYRA_DATA_DIR="+filepath.Join(t.TempDir(), "data"), "FIRST_SUPERUSER_PASSWORD="+testPassword, "SECRET_KEY="+strings.Repeat("k", 32))
	s := startServer(t, env...)
	token, err := newDemoClient(s.url, 32).login(t.Context(), "admin@example.com", testPassword)
	if err != nil || !signedBy(strings.Repeat("k", 32), token) {
		t.Errorf("log in: %v", err)
	}
	s.terminate()
	if code, out, _ := ended(t, command(t, env, "check")); code != 0 || !strings.Contains(out, "ok     Vault") {
		t.Errorf("check ends with %d:\n%s", code, out)
	}
	cloud.Refuse(403, "Forbidden")
	if code, out, _ := ended(t, command(t, env, "check")); code != 1 || !strings.Contains(out, "FAULT  Vault       the vault "+cloud.URL+" refuses") {
		t.Errorf("check of a vault that refuses ends with %d:\n%s", code, out)
	}
}

// A vault that is named and does not answer refuses the start with one line; what needs no secret does not ask it.
func TestVault_FaultRefusesTheStart(t *testing.T) {
	cloud := azuretest.New(t, time.Now)
	env := append(cloud.Environment(), "XYRA_DATA_DIR="+filepath.Join(t.TempDir(), "data"))
	refused := func(name string, want []string, more ...string) {
		t.Helper()
		code, out, complaint := ended(t, command(t, append(env[:len(env):len(env)], more...)))
		if code != 1 || out != "" || !strings.HasPrefix(complaint, "xyra: ") || strings.Count(complaint, "\n") != 1 {
			t.Errorf("%s: ends with %d, says %q and complains\n%s", name, code, out, complaint)
		}
		for _, part := range want {
			if !strings.Contains(complaint, part) {
				t.Errorf("%s: complains\n%swithout %q", name, complaint, part)
			}
		}
	}
	refused("nobody there", []string{"https://127.0.0.1:1", "AZURE_KEY_VAULT_URL"}, "AZURE_KEY_VAULT_URL=https://127.0.0.1:1")
	refused("wrong secret", []string{"Entra ID refuses application", "AZURE_CLIENT_ID"}, "AZURE_CLIENT_SECRET=another")
	refused("wrong poll", []string{"XYRA_KEY_VAULT_POLL"}, "XYRA_KEY_VAULT_POLL=0s")
	cloud.Put(signingSecret, azuretest.Version{Value: "changethis"})
	cloud.Put(signingSecret, azuretest.Version{Value: strings.Repeat("s", 32)})
	refused("an old version is public", []string{signingSecret, "disable it"})
	cloud.Refuse(403, "Forbidden")
	refused("no role", []string{cloud.URL, "Key Vault Secrets User"})
	if code, _, complaint := ended(t, command(t, append(env, "AZURE_KEY_VAULT_URL=https://127.0.0.1:1"), "version")); code != 0 {
		t.Errorf("version asks the vault: %s", complaint)
	}
}

// Azure's single servers want user@server, and all of them TLS: neither gets lost on the way to the driver.
func TestTarget_KeepsAzuresUserAndTLS(t *testing.T) {
	at, err := databaseSettings{Server: "billing.postgres.database.azure.com", Port: 5432, User: "xyra@billing", Password: "p@ss/w:rd?#%", Name: "xyra",
		Options: "sslmode=verify-full&target_session_attrs=read-write", ConnsMax: 4}.target()
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(at.URL)
	if err != nil {
		t.Fatal(err)
	}
	password, _ := u.User.Password()
	if u.User.Username() != "xyra@billing" || password != "p@ss/w:rd?#%" || u.Host != "billing.postgres.database.azure.com:5432" ||
		u.Query().Get("sslmode") != "verify-full" || u.Query().Get("target_session_attrs") != "read-write" {
		t.Errorf("connects to %s", at.URL)
	}
}
