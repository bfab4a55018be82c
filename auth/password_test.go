package auth_test

import (
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"xyra/auth"
	"xyra/store/storetest"
)

func hashGate(t *testing.T, o auth.Options) *auth.Gate {
	t.Helper()
	target := storetest.SQLite(t)
	target.Now = storetest.NewClock(storetest.Start).Now
	o.Secret, o.Now = secret, target.Now
	return auth.New(storetest.Open(t, target), o)
}

// A new hash verifies its own password, over the full length, and no other.
func TestHash_VerifiesItsPasswordAlone(t *testing.T) {
	g := hashGate(t, auth.Options{})
	long := strings.Repeat("ä", 1024)
	for password, others := range map[string][]string{
		"correct horse": {"", "Correct horse", "correct horse ", "correct"},
		long:            {long[:len(long)-2] + "ö", long[:72]},
	} {
		hash, err := g.Hash(t.Context(), password)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(hash, "$argon2id$v=19$m=19456,t=2,p=1$") {
			t.Errorf("hash %s", hash)
		}
		verifies(t, g, hash, password, true)
		for _, other := range others {
			verifies(t, g, hash, other, false)
		}
	}
}

func verifies(t *testing.T, g *auth.Gate, hash, password string, want bool) {
	t.Helper()
	got, err := g.Verify(t.Context(), hash, password)
	if err != nil || got != want {
		t.Errorf("Verify(%q, %.20q) = %v, %v, want %v", hash, password, got, err, want)
	}
}

// Hashes of passlib verify as they did there; unreadable and unreasonably dear ones verify nothing.
func TestVerify_ReadsHashesOfOlderDeployments(t *testing.T) {
	g := hashGate(t, auth.Options{})
	passlib := "$2b$12$GhvMmNVjRW29ulnudl.LbuAnUtN/LRfe1JsBm1Xu6LE3059z5Tr8m"
	verifies(t, g, passlib, "password", true)
	verifies(t, g, passlib, "Password", false)
	rest := strings.TrimPrefix(passwordHash, "$2a$")
	for _, variant := range []string{"$2a$", "$2b$", "$2y$"} {
		verifies(t, g, variant+rest, password, true)
	}
	cffi := "$argon2id$v=19$m=65536,t=3,p=4$MIIRqgvgQbgj220jfp0MPA$YfwJSVjtjSU0zzV/P3S9nnQ/USre2wvJMjfCIjrTQbg"
	verifies(t, g, cffi, "correct horse battery staple", true)
	verifies(t, g, cffi, "correct horse battery", false)
	for _, bad := range []string{"", "!", "plain", "$2b$", "$2b$31$" + rest[3:], "$2x$" + rest, "$argon2id$v=19$m=4194304,t=2,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
		"$argon2id$v=19$m=64,t=0,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA", "$argon2id$v=19$m=64,t=1,p=1$$", "$argon2i$v=19$m=64,t=1,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA"} {
		verifies(t, g, bad, "password", false)
	}
}

// bcrypt looks at 72 bytes: a longer old password logs in as it always did.
func TestVerify_LongOldPasswordsKeepWorking(t *testing.T) {
	g := hashGate(t, auth.Options{})
	hash, err := bcrypt.GenerateFromPassword([]byte(strings.Repeat("x", 72)), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	verifies(t, g, string(hash), strings.Repeat("x", 100), true)
	verifies(t, g, string(hash), strings.Repeat("x", 71), false)
}

// The secrets of keys come from the random source, have one form, and are kept as a hash only.
func TestNewKeySecret_HasOneForm(t *testing.T) {
	g := hashGate(t, auth.Options{Random: strings.NewReader(strings.Repeat("\xff", 24))})
	secret, err := g.NewKeySecret()
	if want := "xyra_" + strings.Repeat("_", 32); err != nil || secret != want {
		t.Errorf("secret %q, %v, want %q", secret, err, want)
	}
	if _, err := g.NewKeySecret(); err == nil {
		t.Error("an exhausted random source made a secret")
	}
}
