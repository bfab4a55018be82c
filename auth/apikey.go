package auth

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"time"

	"xyra"
	"xyra/store"
)

const (
	keyPrefix      = "xyra_"
	keySecretBytes = 24 // 32 characters
	keyShown       = 12 // characters of a secret that stay visible
)

// NewKeySecret draws the secret of an API key: "xyra_" and 32 URL-safe characters. It is shown once and never stored.
func (g *Gate) NewKeySecret() (string, error) {
	secret := make([]byte, keySecretBytes)
	if _, err := io.ReadFull(g.random, secret); err != nil {
		return "", fmt.Errorf("draw an API key: %w", err)
	}
	return keyPrefix + base64.RawURLEncoding.EncodeToString(secret), nil
}

// CreateAPIKey adds a key of the caller for the caller's organization; secret is what NewKeySecret drew.
func CreateAPIKey(ctx context.Context, tx *store.Tx, caller xyra.Caller, k xyra.APIKey, secret string) (xyra.APIKey, error) {
	if caller.Organization == 0 {
		return k, keylessError("create API keys")
	}
	hash := sha256.Sum256([]byte(secret))
	k.Organization, k.User, k.Hash, k.Prefix, k.IsActive = caller.Organization, caller.User, hash[:], secret[:keyShown]+"...", true
	id, err := tx.InsertAPIKey(ctx, k)
	if err != nil {
		return k, err
	}
	k.ID, k.CreatedAt, k.UpdatedAt = id, tx.Now, tx.Now
	tx.Audit(caller, xyra.AuditEntry{Organization: k.Organization, Action: "api_key.create", ObjectID: int64(id)})
	tx.Announce(k.CreatedNotice())
	return k, nil
}

// keylessError refuses who belongs to no organization; purpose is the end of the sentence.
func keylessError(purpose string) error {
	return xyra.Invalid("User must belong to an organization to %s", purpose)
}

// APIKey reads a key the caller may see: the own ones, all of an admin's organization, any for a superuser. purpose ends
// the sentence of the refusal for who belongs to no organization.
func APIKey(ctx context.Context, r store.Reader, caller xyra.Caller, id xyra.APIKeyID, purpose string) (xyra.APIKey, error) {
	if caller.Superuser {
		return r.APIKeyAnywhere(ctx, id)
	}
	if caller.Organization == 0 {
		return xyra.APIKey{}, keylessError(purpose)
	}
	k, err := r.APIKey(ctx, caller.Organization, id)
	if err == nil && k.User != caller.User && !caller.Administers(k.Organization) {
		return xyra.APIKey{}, xyra.NotFound("API key")
	}
	return k, err
}

// APIKeys lists the caller's own keys.
func APIKeys(ctx context.Context, r store.Reader, caller xyra.Caller, skip, limit int64) ([]xyra.APIKey, error) {
	if caller.Organization == 0 {
		return nil, keylessError("manage API keys")
	}
	return r.APIKeysOfUser(ctx, caller.Organization, caller.User, skip, limit)
}

// OrganizationAPIKeys lists all keys of the caller's organization with their owners. Only admins and superusers reach it.
func OrganizationAPIKeys(ctx context.Context, r store.Reader, caller xyra.Caller, skip, limit int64) ([]store.OwnedAPIKey, error) {
	if caller.Organization == 0 {
		return nil, keylessError("view organization API keys")
	}
	return r.APIKeys(ctx, caller.Organization, skip, limit)
}

// APIKeyChange is what an update asks for; nil fields stay as they are.
type APIKeyChange struct {
	Name        *string
	Description **string
	IsActive    *bool
	ExpiresAt   **time.Time
}

func (c APIKeyChange) applyTo(k *xyra.APIKey) (fields []string) {
	if set(&k.Name, c.Name) {
		fields = append(fields, "name")
	}
	if c.Description != nil && !sameText(*c.Description, k.Description) {
		k.Description = *c.Description
		fields = append(fields, "description")
	}
	if set(&k.IsActive, c.IsActive) {
		fields = append(fields, "is_active")
	}
	if c.ExpiresAt != nil && !sameTime(*c.ExpiresAt, k.ExpiresAt) {
		k.ExpiresAt = *c.ExpiresAt
		fields = append(fields, "expires_at")
	}
	return fields
}

func sameTime(a, b *time.Time) bool { return a == b || a != nil && b != nil && a.Equal(*b) }

// UpdateAPIKey makes a change to a key the caller may see; what is the same stays untouched.
func UpdateAPIKey(ctx context.Context, tx *store.Tx, caller xyra.Caller, id xyra.APIKeyID, change APIKeyChange) (xyra.APIKey, error) {
	return saveAPIKey(ctx, tx, caller, id, change, "update API keys")
}

// DeactivateAPIKey makes a key useless until it is activated again; a second time changes nothing.
func DeactivateAPIKey(ctx context.Context, tx *store.Tx, caller xyra.Caller, id xyra.APIKeyID) (xyra.APIKey, error) {
	inactive := false
	return saveAPIKey(ctx, tx, caller, id, APIKeyChange{IsActive: &inactive}, "deactivate API keys")
}

// lockAPIKey reads a key for a change: a rename at the same time must not bring a revoked key back.
func lockAPIKey(ctx context.Context, tx *store.Tx, caller xyra.Caller, id xyra.APIKeyID, purpose string) (xyra.APIKey, error) {
	k, err := APIKey(ctx, tx.Reader, caller, id, purpose)
	if err != nil {
		return k, err
	}
	return tx.APIKeyLocked(ctx, k.Organization, id)
}

func saveAPIKey(ctx context.Context, tx *store.Tx, caller xyra.Caller, id xyra.APIKeyID, change APIKeyChange, purpose string) (xyra.APIKey, error) {
	if change.IsActive != nil || change.ExpiresAt != nil {
		if err := tx.PauseRecording(ctx); err != nil {
			return xyra.APIKey{}, err
		}
	}
	k, err := lockAPIKey(ctx, tx, caller, id, purpose)
	if err != nil {
		return k, err
	}
	fields := change.applyTo(&k)
	if len(fields) == 0 {
		return k, nil
	}
	k.UpdatedAt = tx.Now
	tx.Audit(caller, xyra.AuditEntry{Organization: k.Organization, Action: "api_key.update", ObjectID: int64(id), Detail: changed(fields...)})
	return k, tx.UpdateAPIKey(ctx, k)
}

// DeleteAPIKey ends a key for ever.
func DeleteAPIKey(ctx context.Context, tx *store.Tx, caller xyra.Caller, id xyra.APIKeyID) error {
	if err := tx.PauseRecording(ctx); err != nil {
		return err
	}
	k, err := lockAPIKey(ctx, tx, caller, id, "delete API keys")
	if err != nil {
		return err
	}
	tx.Audit(caller, xyra.AuditEntry{Organization: k.Organization, Action: "api_key.delete", ObjectID: int64(id)})
	return tx.DeleteAPIKey(ctx, k.Organization, id)
}
