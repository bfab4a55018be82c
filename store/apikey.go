package store

import (
	"context"
	"time"

	"xyra"
)

const apiKeyColumns = `k.id, k.organization_id, k.user_id, k.name, k.description, k.prefix, k.hash, k.is_active, k.expires_at, k.last_used,
	k.created_at, k.updated_at`

func apiKeyTargets(k *xyra.APIKey) []any {
	return []any{&k.ID, &k.Organization, &k.User, &k.Name, &k.Description, &k.Prefix, &k.Hash, &k.IsActive, instantOrNil{&k.ExpiresAt},
		instantOrNil{&k.LastUsed}, instant{&k.CreatedAt}, instant{&k.UpdatedAt}}
}

func scanAPIKey(r row) (k xyra.APIKey, err error) { return k, r.Scan(apiKeyTargets(&k)...) }

// OwnedAPIKey is a key with who made it.
type OwnedAPIKey struct {
	xyra.APIKey
	OwnerEmail    string
	OwnerFullName *string
}

func scanOwnedAPIKey(r row) (k OwnedAPIKey, err error) {
	return k, r.Scan(append(apiKeyTargets(&k.APIKey), &k.OwnerEmail, &k.OwnerFullName)...)
}

// APIKey reads one of an organization that is not deleted.
func (r Reader) APIKey(ctx context.Context, organization xyra.OrganizationID, id xyra.APIKeyID) (xyra.APIKey, error) {
	return one(ctx, r, "API key", "api key", scanAPIKey, `SELECT `+apiKeyColumns+` FROM api_keys k
		WHERE k.organization_id = $1 AND k.id = $2 AND k.archived_at IS NULL`, organization, id)
}

// APIKeyLocked reads one and keeps its row locked until the transaction ends.
func (tx *Tx) APIKeyLocked(ctx context.Context, organization xyra.OrganizationID, id xyra.APIKeyID) (xyra.APIKey, error) {
	return one(ctx, tx.Reader, "API key", "api key locked", scanAPIKey, `SELECT `+apiKeyColumns+` FROM api_keys k
		WHERE k.organization_id = $1 AND k.id = $2 AND k.archived_at IS NULL FOR UPDATE`, organization, id)
}

// APIKeyAnywhere reads one of any organization that is not deleted, for superusers.
func (r Reader) APIKeyAnywhere(ctx context.Context, id xyra.APIKeyID) (xyra.APIKey, error) {
	return one(ctx, r, "API key", "api key anywhere", scanAPIKey, `SELECT `+apiKeyColumns+` FROM api_keys k
		WHERE k.id = $1 AND k.archived_at IS NULL`, id)
}

// APIKeysOfUser lists the keys that a member made for an organization, by id.
func (r Reader) APIKeysOfUser(ctx context.Context, organization xyra.OrganizationID, user xyra.UserID, skip, limit int64) ([]xyra.APIKey, error) {
	return collect(ctx, r, "api keys of user", scanAPIKey, `SELECT `+apiKeyColumns+` FROM api_keys k
		WHERE k.organization_id = $1 AND k.user_id = $2 AND k.archived_at IS NULL ORDER BY k.id LIMIT $3 OFFSET $4`, organization, user, limit, skip)
}

// APIKeys lists all keys of an organization with their owners, by id.
func (r Reader) APIKeys(ctx context.Context, organization xyra.OrganizationID, skip, limit int64) ([]OwnedAPIKey, error) {
	return collect(ctx, r, "api keys", scanOwnedAPIKey, `SELECT `+apiKeyColumns+`, u.email, u.full_name
		FROM api_keys k JOIN users u ON u.id = k.user_id
		WHERE k.organization_id = $1 AND k.archived_at IS NULL ORDER BY k.id LIMIT $2 OFFSET $3`, organization, limit, skip)
}

// InsertAPIKey adds k with times set to now and returns its id.
func (tx *Tx) InsertAPIKey(ctx context.Context, k xyra.APIKey) (xyra.APIKeyID, error) {
	return value[xyra.APIKeyID](ctx, tx.Reader, "insert api key", `INSERT INTO api_keys
		(organization_id, user_id, name, description, prefix, hash, is_active, expires_at, created_at, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9) RETURNING id`,
		k.Organization, k.User, k.Name, k.Description, k.Prefix, k.Hash, k.IsActive, microsOrNil(k.ExpiresAt), xyra.Micros(tx.Now))
}

// UpdateAPIKey writes name, description, activity and expiry and sets updated_at to now.
func (tx *Tx) UpdateAPIKey(ctx context.Context, k xyra.APIKey) error {
	if err := tx.advanceEpoch(ctx); err != nil {
		return err
	}
	_, err := tx.exec(ctx, "update api key", `UPDATE api_keys SET name = $3, description = $4, is_active = $5, expires_at = $6, updated_at = $7
		WHERE organization_id = $1 AND id = $2`, k.Organization, k.ID, k.Name, k.Description, k.IsActive, microsOrNil(k.ExpiresAt), xyra.Micros(tx.Now))
	return err
}

// UpdateAPIKeysDisabled deactivates every key that a user made, whatever the organization.
func (tx *Tx) UpdateAPIKeysDisabled(ctx context.Context, user xyra.UserID) error {
	if err := tx.advanceEpoch(ctx); err != nil {
		return err
	}
	_, err := tx.exec(ctx, "disable api keys", `UPDATE api_keys SET is_active = $2, updated_at = $3
		WHERE user_id = $1 AND is_active AND archived_at IS NULL`, user, false, xyra.Micros(tx.Now))
	return err
}

// UpdateAPIKeysUsed moves last_used of these keys forward to at; a key used later stays as it is.
func (tx *Tx) UpdateAPIKeysUsed(ctx context.Context, ids []int64, at time.Time) error {
	_, err := tx.exec(ctx, "api keys used", `UPDATE api_keys SET last_used = $2
		WHERE id = ANY($1) AND (last_used IS NULL OR last_used < $2)`, ids, xyra.Micros(at))
	return err
}

// DeleteAPIKey archives: the row and its hash stay, so that a secret never comes back.
func (tx *Tx) DeleteAPIKey(ctx context.Context, organization xyra.OrganizationID, id xyra.APIKeyID) error {
	if err := tx.advanceEpoch(ctx); err != nil {
		return err
	}
	_, err := tx.exec(ctx, "archive api key", `UPDATE api_keys SET archived_at = $3, is_active = $4, updated_at = $3
		WHERE organization_id = $1 AND id = $2 AND archived_at IS NULL`, organization, id, xyra.Micros(tx.Now), false)
	return err
}
