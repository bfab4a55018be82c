package main

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"xyra/auth"
	"xyra/azure"
	"xyra/notice"
)

// azureSettings name a vault and as whom to ask it. Which of the proofs is set decides the identity.
type azureSettings struct {
	VaultURL     string        `name:"azure-key-vault-url" env:"AZURE_KEY_VAULT_URL" placeholder:"URL" help:"Key Vault whose secrets jwt-secret-key, postgres-password, stripe-api-key, stripe-webhook-secret and first-superuser-password win over SECRET_KEY, POSTGRES_PASSWORD, STRIPE_API_KEY, STRIPE_WEBHOOK_SECRET and FIRST_SUPERUSER_PASSWORD. Default none."`
	TenantID     string        `name:"azure-tenant-id" env:"AZURE_TENANT_ID" placeholder:"ID" help:"Tenant of the identity that asks the vault."`
	ClientID     string        `name:"azure-client-id" env:"AZURE_CLIENT_ID" placeholder:"ID" help:"Client id of that identity: a user-assigned managed identity unless one of the next two is set."`
	ClientSecret string        `name:"azure-client-secret" env:"AZURE_CLIENT_SECRET" placeholder:"TEXT" help:"Asks as an application with this secret. Default none."`
	TokenFile    string        `name:"azure-federated-token-file" env:"AZURE_FEDERATED_TOKEN_FILE" placeholder:"FILE" help:"Asks as an application with the token in this file, as Kubernetes keeps one (workload identity). Default none."`
	Authority    string        `name:"azure-authority-host" env:"AZURE_AUTHORITY_HOST" placeholder:"URL" help:"Address of Entra ID in other clouds than Azure's public one. Default none."`
	PollEvery    time.Duration `name:"azure-key-vault-poll" env:"XYRA_KEY_VAULT_POLL" default:"5m" help:"How often a running server looks for a new version of jwt-secret-key; a new one signs after twice as long, when all replicas have heard of it."`
}

const (
	vaultTimeout   = 45 * time.Second // for all secrets at start: a managed identity may be slow to come up
	signingSecret  = "jwt-secret-key"
	vaultPollLeast = time.Second
)

// vaulted is what the vault said of the signing secret, and how to ask again. Its zero value has no vault.
type vaulted struct {
	vault    *azure.Vault
	poll     time.Duration
	versions []azure.Version // none: the vault has no signing secret, the settings' own is used
}

// readVault replaces settings by the vault's secrets. One that the vault lacks stays as it was; a vault that does not answer
// is a fault.
func (s *settings) readVault(ctx context.Context) (v vaulted, err error) {
	if s.Azure.VaultURL == "" {
		return v, nil
	}
	if s.Azure.PollEvery < vaultPollLeast {
		return v, badValue("XYRA_KEY_VAULT_POLL", s.Azure.PollEvery.String(), "write a span such as 5m")
	}
	v.poll = s.Azure.PollEvery
	v.vault, err = azure.Open(azure.Options{VaultURL: s.Azure.VaultURL, TenantID: s.Azure.TenantID, ClientID: s.Azure.ClientID,
		ClientSecret: s.Azure.ClientSecret, TokenFile: s.Azure.TokenFile, Authority: s.Azure.Authority})
	if err != nil {
		return v, err
	}
	ctx, cancel := context.WithTimeout(ctx, vaultTimeout)
	defer cancel()
	for _, secret := range []struct {
		name  string
		value *string
	}{
		{"postgres-password", &s.Database.Password},
		{"stripe-api-key", &s.Payment.StripeKey},
		{"stripe-webhook-secret", &s.Payment.WebhookSecret},
		{"first-superuser-password", &s.Login.Password},
	} {
		value, err := v.vault.Secret(ctx, secret.name)
		if err == nil {
			*secret.value = value
		} else if !errors.Is(err, azure.ErrNoSecret) {
			return v, err
		}
	}
	now := time.Now()
	v.versions, err = v.vault.Versions(ctx, signingSecret, now)
	if errors.Is(err, azure.ErrNoSecret) {
		return v, nil
	}
	if err == nil {
		err = checkVersions(v.versions)
	}
	if err != nil {
		return v, err
	}
	s.Login.Secret = v.signer(now).Value
	return v, nil
}

// signer is the version to sign with; every replica that asks at the same time gets the same.
func (v vaulted) signer(now time.Time) azure.Version {
	return v.versions[azure.Signer(v.versions, 2*v.poll, now)]
}

// start has the server accept what every usable version has signed, and follow the vault until ctx ends.
func (v vaulted) start(ctx context.Context, in *instance, lifetime time.Duration) error {
	if len(v.versions) == 0 {
		return nil
	}
	if err := v.rotate(in.gate, in.api.Notices, lifetime, time.Now()); err != nil {
		return err
	}
	go v.follow(ctx, in.gate, in.api.Notices, lifetime, in.log)
	return nil
}

// rotate hands what the vault said to those who sign and seal: tokens of earlier versions are accepted for as long as they
// may live, and what earlier versions have sealed is opened for as long as they are enabled.
func (v vaulted) rotate(gate *auth.Gate, desk *notice.Desk, lifetime time.Duration, now time.Time) error {
	signs := []byte(v.signer(now).Value)
	gate.Rotate(signs, values(azure.Verifiers(v.versions, 2*v.poll, lifetime, now))...)
	return desk.Rotate(signs, values(v.versions)...)
}

func values(versions []azure.Version) [][]byte {
	secrets := make([][]byte, 0, len(versions))
	for _, version := range versions {
		secrets = append(secrets, []byte(version.Value))
	}
	return secrets
}

// follow rotates what signs until ctx ends. While the vault does not answer, or says something that nobody should sign with,
// all stays as it is.
func (v vaulted) follow(ctx context.Context, gate *auth.Gate, desk *notice.Desk, lifetime time.Duration, log *slog.Logger) {
	ticker := time.NewTicker(v.poll)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		asking, cancel := context.WithTimeout(ctx, vaultTimeout)
		now := time.Now()
		found, err := v.vault.Versions(asking, signingSecret, now)
		cancel()
		if err == nil {
			err = checkVersions(found)
		}
		before := v
		if err == nil {
			v.versions = found
			err = v.rotate(gate, desk, lifetime, now)
		}
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			log.Error("the signing secret stays as it was", "err", err)
			v = before
		case !slices.Equal(before.versions, found):
			log.Info("the vault has other versions of the signing secret", "versions", len(found))
		}
	}
}

// checkVersions refuses secrets that anybody could sign with.
func checkVersions(versions []azure.Version) error {
	for _, version := range versions {
		if isPublic(version.Value) {
			return errors.New("a version of " + signingSecret + " in the vault is a word that everybody knows: disable it and add one of 32 random characters or more")
		}
	}
	return nil
}
