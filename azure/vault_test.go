package azure_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"xyra/azure"
	"xyra/azure/azuretest"
)

// newCloud starts the fake, also for managed identities.
func newCloud(t *testing.T) *azuretest.Cloud {
	t.Helper()
	f := azuretest.New(t, time.Now)
	for name, value := range f.Platform() {
		t.Setenv(name, value)
	}
	return f
}

// optionsOf ask the fake as an application with a secret.
func optionsOf(f *azuretest.Cloud) azure.Options {
	return azure.Options{VaultURL: f.URL + "/", TenantID: azuretest.Tenant, ClientID: azuretest.Application, ClientSecret: azuretest.ClientSecret,
		Authority: f.URL, Client: f.Client()}
}

// What is set chooses the identity, and no other one is tried.
func TestVault_AsksAsTheOneIdentity(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(azuretest.Federated), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*azure.Options){
		"secret":    func(*azure.Options) {},
		"federated": func(o *azure.Options) { o.ClientSecret, o.TokenFile = "", file },
		"managed":   func(o *azure.Options) { o.ClientSecret = "" },
	} {
		f := newCloud(t)
		f.Put("stripe-api-key", azuretest.Version{Value: "sk_old"})
		f.Put("stripe-api-key", azuretest.Version{Value: "sk_new"})
		o := optionsOf(f)
		change(&o)
		v, err := azure.Open(o)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if value, err := v.Secret(t.Context(), "stripe-api-key"); err != nil || value != "sk_new" {
				t.Errorf("%s: %q, %v", want, value, err)
			}
		}
		if _, err := v.Secret(t.Context(), "postgres-password"); !errors.Is(err, azure.ErrNoSecret) {
			t.Errorf("%s: a missing secret is %v", want, err)
		}
		if asked := f.Identities(); !slices.Equal(asked, []string{want}) || f.Challenges() != 1 {
			t.Errorf("asked for tokens as %v, and was challenged %d times, want once as %s", asked, f.Challenges(), want)
		}
	}
}

// What keeps the vault from answering is one line that names the vault and the remedy, and no secret.
func TestVault_FaultIsOneLineWithItsRemedy(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*azuretest.Cloud, *azure.Options)
		want   []string
	}{
		"wrong secret":     {func(_ *azuretest.Cloud, o *azure.Options) { o.ClientSecret = "another one" }, []string{"Entra ID refuses application " + azuretest.Application, "AZURE_CLIENT_ID"}},
		"unknown identity": {func(_ *azuretest.Cloud, o *azure.Options) { o.ClientSecret, o.ClientID = "", "nobody" }, []string{"managed identity nobody", "AZURE_CLIENT_ID"}},
		"no token file":    {func(_ *azuretest.Cloud, o *azure.Options) { o.ClientSecret, o.TokenFile = "", "/nowhere" }, []string{"/nowhere"}},
		"no role":          {func(f *azuretest.Cloud, _ *azure.Options) { f.Refuse(403, "Forbidden") }, []string{"Key Vault Secrets User", "403 Forbidden"}},
		"vault broken":     {func(f *azuretest.Cloud, _ *azure.Options) { f.Refuse(400, "BadParameter") }, []string{"400 BadParameter"}},
		"nobody there":     {func(_ *azuretest.Cloud, o *azure.Options) { o.VaultURL = "https://127.0.0.1:1" }, []string{"https://127.0.0.1:1", "AZURE_KEY_VAULT_URL"}},
		"not trusted":      {func(_ *azuretest.Cloud, o *azure.Options) { o.Client = nil }, []string{"certificate"}},
		"disabled": {func(f *azuretest.Cloud, _ *azure.Options) {
			f.Put("stripe-api-key", azuretest.Version{Value: "x", Disabled: true})
		}, []string{"is disabled"}},
		"empty": {func(f *azuretest.Cloud, _ *azure.Options) { f.Put("stripe-api-key", azuretest.Version{}) }, []string{"is empty"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newCloud(t)
			o := optionsOf(f)
			c.change(f, &o)
			v, err := azure.Open(o)
			if err == nil {
				_, err = v.Secret(t.Context(), "stripe-api-key")
			}
			if err == nil || errors.Is(err, azure.ErrNoSecret) || strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), azuretest.ClientSecret) {
				t.Fatalf("error %v", err)
			}
			for _, part := range append(c.want, "vault") {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("says %q without %q", err, part)
				}
			}
		})
	}
	f := newCloud(t)
	v, err := azure.Open(optionsOf(f))
	if err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := v.Secret(ended, "stripe-api-key"); err == nil || !strings.Contains(err.Error(), "nothing came back in time") {
		t.Errorf("out of time: %v", err)
	}
}

// azure.Options that cannot work are refused before anybody is asked.
func TestOpen_RefusesUnusableOptions(t *testing.T) {
	for name, o := range map[string]azure.Options{
		"plain http":      {VaultURL: "http://v.vault.azure.net", TenantID: azuretest.Tenant, ClientID: azuretest.Application},
		"a path":          {VaultURL: "https://v.vault.azure.net/secrets/x", TenantID: azuretest.Tenant, ClientID: azuretest.Application},
		"a word":          {VaultURL: "vault", TenantID: azuretest.Tenant, ClientID: azuretest.Application},
		"no tenant":       {VaultURL: "https://v.vault.azure.net", ClientID: azuretest.Application},
		"no client":       {VaultURL: "https://v.vault.azure.net", TenantID: azuretest.Tenant},
		"tenant broken":   {VaultURL: "https://v.vault.azure.net", TenantID: "a b", ClientID: azuretest.Application, ClientSecret: azuretest.ClientSecret},
		"plain authority": {VaultURL: "https://v.vault.azure.net", TenantID: azuretest.Tenant, ClientID: azuretest.Application, Authority: "http://login.example"},
	} {
		if _, err := azure.Open(o); err == nil || !strings.Contains(err.Error(), "AZURE_") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Usable versions come newest first over all pages; disabled, expired and future ones do not come.
func TestVersions_AreTheUsableOnesNewestFirst(t *testing.T) {
	f := newCloud(t)
	now := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	day := 24 * time.Hour
	for _, v := range []azuretest.Version{
		{Value: "first", Created: now.Add(-9 * day)},
		{Value: "disabled", Created: now.Add(-8 * day), Disabled: true},
		{Value: "third", Created: now.Add(-3 * day), Ends: now.Add(day)},
		{Value: "expired", Created: now.Add(-2 * day), Ends: now.Add(-time.Hour)},
		{Value: "newest", Created: now.Add(-day), NotBefore: now.Add(-day)},
		{Value: "future", Created: now.Add(-time.Hour), NotBefore: now.Add(time.Hour)},
	} {
		f.Put("jwt-secret-key", v)
	}
	v, err := azure.Open(optionsOf(f))
	if err != nil {
		t.Fatal(err)
	}
	found, err := v.Versions(t.Context(), "jwt-secret-key", now)
	if err != nil || !slices.Equal(valuesOf(found), []string{"newest", "third", "first"}) {
		t.Errorf("versions %v, %v", found, err)
	}
	if _, err := v.Versions(t.Context(), "nothing", now); !errors.Is(err, azure.ErrNoSecret) {
		t.Errorf("no secret: %v", err)
	}
	for range 20 {
		f.Put("often", azuretest.Version{Value: "x", Created: now})
	}
	if found, err := v.Versions(t.Context(), "often", now); err != nil || len(found) != 16 {
		t.Errorf("%d of many versions, %v", len(found), err)
	}
}

// A new version signs when everybody has heard of it; an old one verifies for a token's lifetime after that.
func TestVersions_OverlapWhenTheyRotate(t *testing.T) {
	now := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	const settled, lifetime = 10 * time.Minute, 8 * 24 * time.Hour
	ago := func(value string, age time.Duration) azure.Version {
		return azure.Version{Value: value, Created: now.Add(-age)}
	}
	for name, c := range map[string]struct {
		versions  []azure.Version
		signs     string
		verifying []string
	}{
		"the only one":      {[]azure.Version{ago("a", time.Second)}, "a", []string{"a"}},
		"a new one":         {[]azure.Version{ago("b", 9*time.Minute), ago("a", time.Hour)}, "a", []string{"b", "a"}},
		"it is known":       {[]azure.Version{ago("b", 10*time.Minute), ago("a", time.Hour)}, "b", []string{"b", "a"}},
		"just in time":      {[]azure.Version{ago("b", lifetime+settled), ago("a", 2*lifetime)}, "b", []string{"b", "a"}},
		"old tokens gone":   {[]azure.Version{ago("b", lifetime+settled+1), ago("a", 2*lifetime)}, "b", []string{"b"}},
		"two at once":       {[]azure.Version{ago("c", time.Second), ago("b", 2*time.Second)}, "b", []string{"c", "b"}},
		"clock behind":      {[]azure.Version{ago("b", -time.Minute), ago("a", time.Hour)}, "a", []string{"b", "a"}},
		"times are unknown": {[]azure.Version{{Value: "a"}}, "a", []string{"a"}},
	} {
		if got := c.versions[azure.Signer(c.versions, settled, now)].Value; got != c.signs {
			t.Errorf("%s: %s signs, want %s", name, got, c.signs)
		}
		if got := valuesOf(azure.Verifiers(c.versions, settled, lifetime, now)); !slices.Equal(got, c.verifying) {
			t.Errorf("%s: %v verify, want %v", name, got, c.verifying)
		}
	}
}

func valuesOf(versions []azure.Version) (values []string) {
	for _, v := range versions {
		values = append(values, v.Value)
	}
	return values
}
