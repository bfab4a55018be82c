package store

import (
	"context"

	"xyra"
)

const userColumns = `id, organization_id, email, email_key, full_name, password_hash, is_active, is_superuser, role, token_version,
	last_login, created_at, updated_at`

func scanUser(r row) (u xyra.User, err error) {
	err = r.Scan(&u.ID, orZero[xyra.OrganizationID]{&u.Organization}, &u.Email, &u.EmailKey, &u.FullName, &u.PasswordHash, &u.IsActive,
		&u.IsSuperuser, &u.Role, &u.TokenVersion, instantOrNil{&u.LastLogin}, instant{&u.CreatedAt}, instant{&u.UpdatedAt})
	return u, err
}

// User reads one that is not archived, of any organization.
func (r Reader) User(ctx context.Context, id xyra.UserID) (xyra.User, error) {
	return one(ctx, r, "User", "user", scanUser, `SELECT `+userColumns+` FROM users WHERE id = $1 AND archived_at IS NULL`, id)
}

// UserOf reads one of an organization that is not archived.
func (r Reader) UserOf(ctx context.Context, organization xyra.OrganizationID, id xyra.UserID) (xyra.User, error) {
	return one(ctx, r, "User", "user of organization", scanUser, `SELECT `+userColumns+` FROM users
		WHERE organization_id = $1 AND id = $2 AND archived_at IS NULL`, organization, id)
}

// UserByEmail reads the one who is not archived and has this folded address.
func (r Reader) UserByEmail(ctx context.Context, emailKey string) (xyra.User, error) {
	return one(ctx, r, "User", "user by email", scanUser, `SELECT `+userColumns+` FROM users WHERE email_key = $1 AND archived_at IS NULL`, emailKey)
}

// UserLocked reads one and keeps its row locked until the transaction ends.
func (tx *Tx) UserLocked(ctx context.Context, id xyra.UserID) (xyra.User, error) {
	return one(ctx, tx.Reader, "User", "user locked", scanUser, `SELECT `+userColumns+` FROM users
		WHERE id = $1 AND archived_at IS NULL FOR UPDATE`, id)
}

// Users lists all that are not archived, by id.
func (r Reader) Users(ctx context.Context, skip, limit int64) ([]xyra.User, error) {
	return collect(ctx, r, "users", scanUser, `SELECT `+userColumns+` FROM users
		WHERE archived_at IS NULL ORDER BY id LIMIT $1 OFFSET $2`, limit, skip)
}

// UsersOf lists the members of an organization that are not archived, by id.
func (r Reader) UsersOf(ctx context.Context, organization xyra.OrganizationID, skip, limit int64) ([]xyra.User, error) {
	return collect(ctx, r, "users of organization", scanUser, `SELECT `+userColumns+` FROM users
		WHERE organization_id = $1 AND archived_at IS NULL ORDER BY id LIMIT $2 OFFSET $3`, organization, limit, skip)
}

// EmailArchived tells whether an archived user had this folded address.
func (r Reader) EmailArchived(ctx context.Context, emailKey string) (bool, error) {
	return value[bool](ctx, r, "email archived", `SELECT EXISTS (SELECT 1 FROM users WHERE email_key = $1 AND archived_at IS NOT NULL)`, emailKey)
}

// ActiveSuperusers counts those who could still run the instance without except; 0 excepts nobody.
func (r Reader) ActiveSuperusers(ctx context.Context, except xyra.UserID) (int64, error) {
	return value[int64](ctx, r, "active superusers", `SELECT COUNT(*) FROM users
		WHERE is_superuser AND is_active AND archived_at IS NULL AND id <> $1`, except)
}

// InsertUser adds u with times set to now, no login yet, and returns its id. A taken address violates a unique key.
func (tx *Tx) InsertUser(ctx context.Context, u xyra.User) (xyra.UserID, error) {
	return value[xyra.UserID](ctx, tx.Reader, "insert user", `INSERT INTO users
		(organization_id, email, email_key, full_name, password_hash, is_active, is_superuser, role, token_version, created_at, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10) RETURNING id`,
		orNull(u.Organization), u.Email, u.EmailKey, u.FullName, u.PasswordHash, u.IsActive, u.IsSuperuser, u.Role, u.TokenVersion,
		xyra.Micros(tx.Now))
}

// UpdateUser writes every field but last_login and sets updated_at to now. A taken address violates a unique key.
func (tx *Tx) UpdateUser(ctx context.Context, u xyra.User) error {
	if err := tx.advanceEpoch(ctx); err != nil {
		return err
	}
	_, err := tx.exec(ctx, "update user", `UPDATE users SET organization_id = $2, email = $3, email_key = $4, full_name = $5,
		password_hash = $6, is_active = $7, is_superuser = $8, role = $9, token_version = $10, updated_at = $11 WHERE id = $1`,
		u.ID, orNull(u.Organization), u.Email, u.EmailKey, u.FullName, u.PasswordHash, u.IsActive, u.IsSuperuser, u.Role, u.TokenVersion,
		xyra.Micros(tx.Now))
	return err
}

// UpdateLogin sets last_login to now and keeps hash, the same password hashed anew; the user has not changed otherwise.
func (tx *Tx) UpdateLogin(ctx context.Context, id xyra.UserID, hash string) error {
	_, err := tx.exec(ctx, "update login", `UPDATE users SET last_login = $2, password_hash = $3 WHERE id = $1`, id, xyra.Micros(tx.Now), hash)
	return err
}

// DeleteUser archives: the row stays, its address is free again.
func (tx *Tx) DeleteUser(ctx context.Context, id xyra.UserID) error {
	if err := tx.advanceEpoch(ctx); err != nil {
		return err
	}
	_, err := tx.exec(ctx, "archive user", `UPDATE users SET archived_at = $2, updated_at = $2 WHERE id = $1 AND archived_at IS NULL`, id, xyra.Micros(tx.Now))
	return err
}
