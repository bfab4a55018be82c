package store

import (
	"context"
	"time"

	"xyra"
)

// Standing is what a credential is worth at this moment: the user's row, and the key's when a key asks.
type Standing struct {
	User         xyra.UserID
	Organization xyra.OrganizationID
	IsActive     bool
	IsSuperuser  bool
	Role         xyra.Role
	TokenVersion int64
	Suspended    bool        // the organization of the user
	Key          xyra.APIKey // only ID, Organization, IsActive, ExpiresAt and LastUsed
}

const standingColumns = `u.id, u.organization_id, u.is_active, u.is_superuser, u.role, u.token_version,
	COALESCE(o.status = '` + xyra.StatusSuspended + `', FALSE)`

func standingTargets(s *Standing) []any {
	return []any{&s.User, orZero[xyra.OrganizationID]{&s.Organization}, &s.IsActive, &s.IsSuperuser, &s.Role, &s.TokenVersion, &s.Suspended}
}

func scanStanding(r row) (s Standing, err error) { return s, r.Scan(standingTargets(&s)...) }

// UserStanding reads how a user stands who is not archived.
func (r Reader) UserStanding(ctx context.Context, id xyra.UserID) (Standing, error) {
	return one(ctx, r, "User", "user standing", scanStanding, `SELECT `+standingColumns+`
		FROM users u LEFT JOIN organizations o ON o.id = u.organization_id WHERE u.id = $1 AND u.archived_at IS NULL`, id)
}

func scanKeyStanding(r row) (s Standing, err error) {
	k := &s.Key
	return s, r.Scan(append(standingTargets(&s), &k.ID, &k.Organization, &k.IsActive, instantOrNil{&k.ExpiresAt}, instantOrNil{&k.LastUsed})...)
}

// KeyStanding reads how the key with this hash and its owner stand; a deleted key or owner is not found.
func (r Reader) KeyStanding(ctx context.Context, hash []byte) (Standing, error) {
	return one(ctx, r, "API key", "key standing", scanKeyStanding, `SELECT `+standingColumns+`, k.id, k.organization_id, k.is_active, k.expires_at, k.last_used
		FROM api_keys k JOIN users u ON u.id = k.user_id LEFT JOIN organizations o ON o.id = u.organization_id
		WHERE k.hash = $1 AND k.archived_at IS NULL AND u.archived_at IS NULL`, hash)
}

// Attempt is one login, counted before its password is looked at.
type Attempt struct {
	ID      int64
	Account string
	Address string
}

// LockAttempts makes logins from one address wait for one another until the transaction ends, on every replica.
func (tx *Tx) LockAttempts(ctx context.Context, address string) error {
	return tx.LockName(ctx, "login", address)
}

// AttemptOfPair is when the rank-th newest counted attempt after since happened for account from address, rank 1 being
// the newest; the zero time says that there are fewer.
func (r Reader) AttemptOfPair(ctx context.Context, account, address string, since time.Time, rank int) (time.Time, error) {
	return r.attemptAt(ctx, `SELECT COALESCE((SELECT at FROM login_attempts WHERE address = $1 AND at > $2 AND account = $4
		ORDER BY at DESC LIMIT 1 OFFSET $3), 0)`, address, xyra.Micros(since), rank-1, account)
}

// AttemptOfAddress is AttemptOfPair over all accounts.
func (r Reader) AttemptOfAddress(ctx context.Context, address string, since time.Time, rank int) (time.Time, error) {
	return r.attemptAt(ctx, `SELECT COALESCE((SELECT at FROM login_attempts WHERE address = $1 AND at > $2
		ORDER BY at DESC LIMIT 1 OFFSET $3), 0)`, address, xyra.Micros(since), rank-1)
}

func (r Reader) attemptAt(ctx context.Context, text string, args ...any) (time.Time, error) {
	micros, err := value[int64](ctx, r, "login attempt", text, args...)
	if err != nil || micros == 0 {
		return time.Time{}, err
	}
	return xyra.FromMicros(micros), nil
}

// AddAttempt counts an attempt, now, and returns its id.
func (tx *Tx) AddAttempt(ctx context.Context, account, address string) (int64, error) {
	return value[int64](ctx, tx.Reader, "add login attempt", `INSERT INTO login_attempts (account, address, at) VALUES ($1, $2, $3) RETURNING id`,
		account, address, xyra.Micros(tx.Now))
}

// DeleteAttempt gives an attempt back.
func (tx *Tx) DeleteAttempt(ctx context.Context, id int64) error {
	_, err := tx.exec(ctx, "give login attempt back", `DELETE FROM login_attempts WHERE id = $1`, id)
	return err
}

// DeleteAttempts forgets all attempts for account from address.
func (tx *Tx) DeleteAttempts(ctx context.Context, account, address string) error {
	_, err := tx.exec(ctx, "forget login attempts", `DELETE FROM login_attempts WHERE address = $1 AND account = $2`, address, account)
	return err
}

// DeleteAttemptsBefore forgets old attempts, most at a time, skipping those that another transaction is forgetting.
func (tx *Tx) DeleteAttemptsBefore(ctx context.Context, until time.Time, most int) error {
	_, err := tx.exec(ctx, "forget old login attempts", `DELETE FROM login_attempts WHERE id IN
		(SELECT id FROM login_attempts WHERE at <= $1 ORDER BY at LIMIT $2 FOR UPDATE SKIP LOCKED)`, xyra.Micros(until), most)
	return err
}
