package auth

import (
	"context"
	"encoding/json"
	"strings"

	"xyra"
	"xyra/store"
)

// Characters of a new password; shorter ones of older deployments keep working.
const (
	PasswordLengthMin = 8
	PasswordLengthMax = 1024
)

const (
	textForbidden     = "Not enough permissions"
	textEmailTaken    = "A user with this email already exists"
	textEmailRefused  = "Email cannot be changed to this address"
	textSignupRefused = "Signup could not be completed"
	textLastSuperuser = "Cannot remove the last superuser"
)

// CreateUser adds a member of an organization, or of none, with the fields given. Only superusers reach it.
func CreateUser(ctx context.Context, tx *store.Tx, caller xyra.Caller, u xyra.User, organization *xyra.OrganizationID) (xyra.User, error) {
	u.EmailKey = xyra.EmailKey(u.Email)
	if _, err := tx.UserByEmail(ctx, u.EmailKey); err == nil {
		return u, xyra.Invalid(textEmailTaken)
	} else if !xyra.HasCode(err, xyra.CodeNotFound) {
		return u, err
	}
	if organization != nil {
		if err := organizationExists(ctx, tx, *organization); err != nil {
			return u, err
		}
		u.Organization = *organization
	}
	return insertUser(ctx, tx, caller, u, textEmailTaken)
}

// Signup adds an active plain user without organization. What is wrong with a taken address is not said.
func Signup(ctx context.Context, tx *store.Tx, email string, fullName *string, passwordHash string, request string) (xyra.User, error) {
	u := xyra.User{Email: email, EmailKey: xyra.EmailKey(email), FullName: fullName, PasswordHash: passwordHash, IsActive: true, Role: xyra.RoleUser}
	if _, err := tx.UserByEmail(ctx, u.EmailKey); err == nil {
		return u, xyra.Invalid(textSignupRefused)
	} else if !xyra.HasCode(err, xyra.CodeNotFound) {
		return u, err
	}
	return insertUser(ctx, tx, xyra.Caller{Request: request}, u, textSignupRefused)
}

// insertUser saves and audits; another transaction may have taken the address in this moment.
func insertUser(ctx context.Context, tx *store.Tx, caller xyra.Caller, u xyra.User, textTaken string) (xyra.User, error) {
	id, err := tx.InsertUser(ctx, u)
	if tx.IsUnique(err) {
		return u, xyra.Invalid("%s", textTaken)
	}
	if err != nil {
		return u, err
	}
	u.ID, u.CreatedAt, u.UpdatedAt = id, tx.Now, tx.Now
	tx.Audit(caller, xyra.AuditEntry{Organization: u.Organization, Action: "user.create", ObjectID: int64(id)})
	return u, nil
}

// organizationExists also keeps it from being archived until the transaction ends.
func organizationExists(ctx context.Context, tx *store.Tx, id xyra.OrganizationID) error {
	_, err := tx.OrganizationLocked(ctx, id)
	if xyra.HasCode(err, xyra.CodeNotFound) {
		return xyra.Invalid("Organization with ID %d not found", id)
	}
	return err
}

// UserChange is what an update asks for; nil fields stay as they are.
type UserChange struct {
	Email        *string // as xyra.ParseEmail gives it
	FullName     **string
	PasswordHash *string // of the new password; CheckPassword comes before when the caller changes the own one
	IsActive     *bool
	Organization **xyra.OrganizationID
	Role         *xyra.Role
	IsSuperuser  *bool
}

// MayChangeUser tells whether the caller may make this change to the user: nil or forbidden. The same value is no
// change. It is asked before passwords are hashed, and again when the change is made.
func MayChangeUser(caller xyra.Caller, u xyra.User, change UserChange) error {
	self := caller.User == u.ID
	byAdmin := caller.Administers(u.Organization) && !u.IsSuperuser && u.Role == xyra.RoleUser
	ownDemotion := self && u.Role == xyra.RoleAdmin
	allowed := !differs(change.Email, u.Email) || self || caller.Superuser
	allowed = allowed && (change.FullName == nil || sameText(*change.FullName, u.FullName) || self || caller.Superuser)
	allowed = allowed && (change.PasswordHash == nil || self || caller.Superuser)
	allowed = allowed && (!differs(change.IsActive, u.IsActive) || caller.Superuser || byAdmin)
	allowed = allowed && (!differs(change.Role, u.Role) || caller.Superuser || byAdmin || ownDemotion)
	allowed = allowed && (!change.moves(u) || caller.Superuser)
	allowed = allowed && (!differs(change.IsSuperuser, u.IsSuperuser) || caller.Superuser && !self)
	if !allowed {
		return xyra.Forbidden(textForbidden)
	}
	return nil
}

// applyTo makes the change to a user and returns the names of the fields that differ now.
func (c UserChange) applyTo(u *xyra.User) (fields []string) {
	if set(&u.Email, c.Email) {
		u.EmailKey = xyra.EmailKey(u.Email)
		fields = append(fields, "email")
	}
	if c.FullName != nil && !sameText(*c.FullName, u.FullName) {
		u.FullName = *c.FullName
		fields = append(fields, "full_name")
	}
	ending := len(fields)
	if set(&u.PasswordHash, c.PasswordHash) {
		fields = append(fields, "password")
	}
	if set(&u.Role, c.Role) {
		fields = append(fields, "role")
	}
	if set(&u.IsSuperuser, c.IsSuperuser) {
		fields = append(fields, "is_superuser")
	}
	if len(fields) > ending {
		u.TokenVersion++ // these three end every older token
	}
	if set(&u.IsActive, c.IsActive) {
		fields = append(fields, "is_active")
	}
	if c.moves(*u) {
		u.Organization = 0
		if to := *c.Organization; to != nil {
			u.Organization = *to
		}
		fields = append(fields, "organization_id")
	}
	return fields
}

// endsCredentials tells whether tokens or keys of the user may hold no longer: events that come with them must not be
// committed after the change.
func (c UserChange) endsCredentials() bool {
	return c.PasswordHash != nil || c.Role != nil || c.IsSuperuser != nil || c.IsActive != nil || c.Organization != nil
}

// moves tells whether the change takes a user into another organization or out of the present one.
func (c UserChange) moves(u xyra.User) bool {
	if c.Organization == nil {
		return false
	}
	to := *c.Organization
	return (to == nil) != (u.Organization == 0) || to != nil && *to != u.Organization
}

// UpdateUser makes a change to a user whom the caller reaches. Deactivation and a change of organization disable the
// user's API keys.
func UpdateUser(ctx context.Context, tx *store.Tx, caller xyra.Caller, id xyra.UserID, change UserChange) (xyra.User, error) {
	if change.endsCredentials() {
		if err := tx.PauseRecording(ctx); err != nil {
			return xyra.User{}, err
		}
	}
	if isFalse(change.IsActive) || isFalse(change.IsSuperuser) {
		if err := lockSuperusers(ctx, tx); err != nil {
			return xyra.User{}, err
		}
	}
	before, err := tx.UserLocked(ctx, id)
	if err != nil {
		return before, err
	}
	if !MayReadUser(caller, before) {
		return before, xyra.NotFound("User")
	}
	if err := MayChangeUser(caller, before, change); err != nil {
		return before, err
	}
	after := before
	fields := change.applyTo(&after)
	if len(fields) == 0 {
		return before, nil
	}
	if change.moves(before) && *change.Organization != nil {
		if err := organizationExists(ctx, tx, after.Organization); err != nil {
			return before, err
		}
	}
	if err := keepsSuperuser(ctx, tx, before, after); err != nil {
		return before, err
	}
	if before.IsActive && !after.IsActive || after.Organization != before.Organization {
		if err := tx.UpdateAPIKeysDisabled(ctx, id); err != nil {
			return before, err
		}
	}
	return saveUser(ctx, tx, caller, after, fields)
}

func saveUser(ctx context.Context, tx *store.Tx, caller xyra.Caller, u xyra.User, fields []string) (xyra.User, error) {
	err := tx.UpdateUser(ctx, u)
	if tx.IsUnique(err) {
		if caller.Superuser {
			return u, xyra.Conflict(textEmailTaken)
		}
		return u, xyra.Invalid(textEmailRefused)
	}
	if err != nil {
		return u, err
	}
	u.UpdatedAt = tx.Now
	tx.Audit(caller, xyra.AuditEntry{Organization: u.Organization, Action: "user.update", ObjectID: int64(u.ID), Detail: changed(fields...)})
	return u, nil
}

// DeleteUser archives a user and returns what was; the user's API keys end. Only superusers reach it.
func DeleteUser(ctx context.Context, tx *store.Tx, caller xyra.Caller, id xyra.UserID) (xyra.User, error) {
	if err := tx.PauseRecording(ctx); err != nil {
		return xyra.User{}, err
	}
	if err := lockSuperusers(ctx, tx); err != nil {
		return xyra.User{}, err
	}
	u, err := tx.UserLocked(ctx, id)
	if err != nil {
		return u, err
	}
	if err := keepsSuperuser(ctx, tx, u, xyra.User{}); err != nil {
		return u, err
	}
	if err := tx.UpdateAPIKeysDisabled(ctx, id); err != nil {
		return u, err
	}
	tx.Audit(caller, xyra.AuditEntry{Organization: u.Organization, Action: "user.delete", ObjectID: int64(id)})
	return u, tx.DeleteUser(ctx, id)
}

// MayReadUser tells whether a user is the caller's to see: oneself, members of an admin's organization, all for a
// superuser.
func MayReadUser(caller xyra.Caller, u xyra.User) bool {
	return caller.Superuser || !caller.IsKey() && caller.User == u.ID || caller.Administers(u.Organization)
}

// lockSuperusers makes transactions that may add or remove a superuser wait for one another. It comes before any row
// lock.
func lockSuperusers(ctx context.Context, tx *store.Tx) error {
	return tx.LockName(ctx, "superusers", "")
}

// keepsSuperuser refuses to turn the last active superuser into something else.
func keepsSuperuser(ctx context.Context, tx *store.Tx, before, after xyra.User) error {
	runs := func(u xyra.User) bool { return u.IsSuperuser && u.IsActive }
	if !runs(before) || runs(after) {
		return nil
	}
	others, err := tx.ActiveSuperusers(ctx, before.ID)
	if err == nil && others == 0 {
		return xyra.Conflict(textLastSuperuser)
	}
	return err
}

// changed is an audit entry's detail: which fields, not what they were.
func changed(fields ...string) json.RawMessage {
	return json.RawMessage(`{"fields":["` + strings.Join(fields, `","`) + `"]}`)
}

func differs[T comparable](asked *T, present T) bool { return asked != nil && *asked != present }

func set[T comparable](to *T, asked *T) bool {
	if !differs(asked, *to) {
		return false
	}
	*to = *asked
	return true
}

func sameText(a, b *string) bool { return a == b || a != nil && b != nil && *a == *b }

func isFalse(asked *bool) bool { return asked != nil && !*asked }
