package xyra

import "time"

// APIKeyID identifies an API key.
type APIKeyID int64

// APIKey is a secret that acts for one organization. Only its hash is kept.
type APIKey struct {
	ID           APIKeyID
	Organization OrganizationID
	User         UserID // who made it; the key dies with this user's activity or membership
	Name         string
	Description  *string
	Prefix       string // first characters of the secret, to recognise it by
	Hash         []byte // SHA-256 of the secret
	IsActive     bool
	ExpiresAt    *time.Time
	LastUsed     *time.Time // lags up to a minute
	CreatedAt    time.Time
	UpdatedAt    time.Time
}

// Usable tells whether the key itself is neither revoked nor expired at now; its owner is another question.
func (k APIKey) Usable(now time.Time) bool {
	return k.IsActive && (k.ExpiresAt == nil || now.Before(*k.ExpiresAt))
}
