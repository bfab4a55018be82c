package auth

import (
	"context"
	"errors"
	"fmt"
	"unicode/utf8"

	"xyra"
	"xyra/store"
)

// FirstSuperuser says what EnsureSuperuser found or did.
type FirstSuperuser string

// What may happen at start-up. Only SuperuserCreated changes anything.
const (
	SuperuserCreated  FirstSuperuser = "created"
	SuperuserExists   FirstSuperuser = "exists"   // an active superuser was there
	SuperuserArchived FirstSuperuser = "archived" // the address was a user's who is archived: not revived
	SuperuserTaken    FirstSuperuser = "taken"    // the address is that of an inactive or plain user
)

const firstSuperuserName = "Initial Admin"

// EnsureSuperuser creates the first superuser while there is no active one. Of several replicas that start at once only
// one does. How good the password is, is the caller's question.
func (g *Gate) EnsureSuperuser(ctx context.Context, email, password string) (FirstSuperuser, error) {
	address, key, err := xyra.ParseEmail(email)
	if err != nil {
		return "", fmt.Errorf("read the first superuser's address %q: %w", email, err)
	}
	if superusers, err := g.db.ActiveSuperusers(ctx, 0); err != nil || superusers > 0 {
		return SuperuserExists, err
	}
	hash, err := g.Hash(ctx, password)
	if err != nil {
		return "", err
	}
	name := firstSuperuserName
	first := xyra.User{Email: address, EmailKey: key, FullName: &name, PasswordHash: hash, IsActive: true, IsSuperuser: true, Role: xyra.RoleUser}
	var found FirstSuperuser
	err = g.db.Tx(ctx, func(tx *store.Tx) error {
		found, err = insertFirstSuperuser(ctx, tx, first)
		return err
	})
	return found, err
}

func insertFirstSuperuser(ctx context.Context, tx *store.Tx, first xyra.User) (FirstSuperuser, error) {
	if err := lockSuperusers(ctx, tx); err != nil {
		return "", err
	}
	if superusers, err := tx.ActiveSuperusers(ctx, 0); err != nil || superusers > 0 {
		return SuperuserExists, err
	}
	if _, err := tx.UserByEmail(ctx, first.EmailKey); err == nil {
		return SuperuserTaken, nil
	} else if !xyra.HasCode(err, xyra.CodeNotFound) {
		return "", err
	}
	if archived, err := tx.EmailArchived(ctx, first.EmailKey); err != nil || archived {
		return SuperuserArchived, err
	}
	id, err := tx.InsertUser(ctx, first)
	tx.Audit(xyra.Caller{}, xyra.AuditEntry{Action: "user.create", ObjectID: int64(id)})
	return SuperuserCreated, err
}

// errPassword says what a new password of the command line must be.
var errPassword = errors.New("a password has 8 to 1024 characters and is not easy to guess")

// SetPassword replaces a user's password, for the operator at the command line; older tokens end. It is not found for
// an unknown address.
func (g *Gate) SetPassword(ctx context.Context, email, password string) error {
	length := utf8.RuneCountInString(password)
	if length < PasswordLengthMin || length > PasswordLengthMax || xyra.EasyPassword(password, email) {
		return errPassword
	}
	hash, err := g.Hash(ctx, password)
	if err != nil {
		return err
	}
	return g.db.Tx(ctx, func(tx *store.Tx) error {
		if err := tx.PauseRecording(ctx); err != nil {
			return err
		}
		found, err := tx.UserByEmail(ctx, xyra.EmailKey(email))
		if err != nil {
			return err
		}
		user, err := tx.UserLocked(ctx, found.ID)
		if err != nil {
			return err
		}
		user.PasswordHash = hash
		user.TokenVersion++
		tx.Audit(xyra.Caller{}, xyra.AuditEntry{Organization: user.Organization, Action: "user.update", ObjectID: int64(user.ID), Detail: changed("password")})
		return tx.UpdateUser(ctx, user)
	})
}
