package auth_test

import (
	"context"
	"testing"
	"time"

	"xyra"
	"xyra/auth"
	"xyra/store"
	"xyra/store/storetest"
)

// Whatever ends a credential ends it with the next request, on a replica that has seen it before too.
func TestCaller_RevocationIsImmediate(t *testing.T) {
	root := func(change auth.UserChange) func(w *world, u xyra.User, k xyra.APIKey) error {
		return func(w *world, u xyra.User, _ xyra.APIKey) error {
			_, err := w.update(w.root, u.ID, change)
			return err
		}
	}
	nowhere := (*xyra.OrganizationID)(nil)
	const lives = ""
	for name, trigger := range map[string]struct {
		do               func(w *world, u xyra.User, k xyra.APIKey) error
		token, keyAnswer string
	}{
		"password":     {root(auth.UserChange{PasswordHash: to("$2a$")}), badCredentials, lives},
		"role":         {root(auth.UserChange{Role: to(xyra.RoleAdmin)}), badCredentials, lives},
		"superuser":    {root(auth.UserChange{IsSuperuser: to(true)}), badCredentials, lives},
		"deactivation": {root(auth.UserChange{IsActive: to(false)}), "Inactive user", badCredentials},
		"organization": {root(auth.UserChange{Organization: &nowhere}), lives, badCredentials},
		"command line": {func(w *world, u xyra.User, _ xyra.APIKey) error {
			return w.gate.SetPassword(w.Context(), u.Email, "a new password")
		}, badCredentials, lives},
		"deletion": {func(w *world, u xyra.User, _ xyra.APIKey) error {
			return w.try(func(ctx context.Context, tx *store.Tx) error {
				_, err := auth.DeleteUser(ctx, tx, callerOf(w.root), u.ID)
				return err
			})
		}, "User not found", badCredentials},
		"key deactivated": {func(w *world, u xyra.User, k xyra.APIKey) error {
			return w.try(func(ctx context.Context, tx *store.Tx) error {
				_, err := auth.DeactivateAPIKey(ctx, tx, callerOf(u), k.ID)
				return err
			})
		}, lives, badCredentials},
		"key deleted": {func(w *world, u xyra.User, k xyra.APIKey) error {
			return w.try(func(ctx context.Context, tx *store.Tx) error { return auth.DeleteAPIKey(ctx, tx, callerOf(u), k.ID) })
		}, lives, badCredentials},
		"key expired": {func(w *world, _ xyra.User, _ xyra.APIKey) error {
			w.clock.Advance(time.Hour)
			return nil
		}, lives, badCredentials},
	} {
		t.Run(name, func(t *testing.T) {
			storetest.EachTarget(t, func(t *testing.T, target store.Options) {
				clock := storetest.NewClock(storetest.Start)
				target.Now = clock.Now
				w := newWorld(t, storetest.Open(t, target), clock)
				replica := newGate(t, storetest.Open(t, target), clock.Now)
				k, key := w.key(w.member, to(w.clock.Now().Add(time.Hour)))
				token := w.token(w.member)
				for _, g := range []*auth.Gate{w.gate, replica} {
					w.gate = g
					w.admits(token)
					w.admits(key)
				}
				if err := trigger.do(w, w.member, k); err != nil {
					t.Fatal(err)
				}
				for header, want := range map[string]string{token: trigger.token, key: trigger.keyAnswer} {
					if want == lives {
						w.admits(header)
					} else {
						w.refuses(header, want)
					}
				}
			})
		})
	}
}

// The counter goes up with password, role and is_superuser; a token of right after the change works at once.
func TestCaller_NewTokenWorksAtOnce(t *testing.T) {
	each(t, func(w *world) {
		u := w.member
		for i, change := range []auth.UserChange{{PasswordHash: to("$2a$")}, {Role: to(xyra.RoleAdmin)}, {IsSuperuser: to(true)}, {IsSuperuser: to(false), Role: to(xyra.RoleUser)}} {
			old := w.token(u)
			var err error
			if u, err = w.update(w.root, u.ID, change); err != nil {
				w.Fatal(err)
			}
			w.refuses(old, badCredentials)
			if caller := w.admits(w.token(u)); caller.TokenVersion != int64(i+1) {
				w.Errorf("version %d, want %d", caller.TokenVersion, i+1)
			}
		}
	})
}

// A key acts for its organization as a plain member, even if a superuser made it; suspension shows on both kinds.
func TestCaller_SaysWhoAKeyIs(t *testing.T) {
	each(t, func(w *world) {
		for _, owner := range []xyra.User{w.admin, w.op} {
			k, key := w.key(owner, nil)
			want := xyra.Caller{User: owner.ID, Key: k.ID, Organization: w.northwind, Role: xyra.RoleUser}
			if caller := w.admits(key); caller != want {
				w.Errorf("caller %+v, want %+v", caller, want)
			}
			w.setStatus(xyra.StatusSuspended)
			if !w.admits(key).Suspended || !w.admits(w.token(owner)).Suspended || w.admits(w.token(w.stranger)).Suspended {
				w.Error("suspension does not show, or on another organization")
			}
			w.setStatus("active")
		}
	})
}

func (w *world) setStatus(status string) {
	w.Helper()
	w.tx(func(ctx context.Context, tx *store.Tx) error {
		o, err := tx.OrganizationLocked(ctx, w.northwind)
		if err != nil {
			return err
		}
		o.Status = status
		return tx.UpdateOrganization(ctx, o)
	})
}

// last_used is written in the background, at most once a minute, and is there when the gate is closed.
func TestCaller_NotesTheUseOfKeys(t *testing.T) {
	each(t, func(w *world) {
		k, key := w.key(w.member, nil)
		lastUsed := func() *time.Time {
			w.gate.Close()
			k, err := w.db.APIKey(w.Context(), w.northwind, k.ID)
			if err != nil {
				w.Fatal(err)
			}
			return k.LastUsed
		}
		if used := lastUsed(); used != nil {
			w.Errorf("used at %v before its first use", used)
		}
		for _, step := range []struct{ advance, want time.Duration }{{0, 0}, {59 * time.Second, 0}, {time.Second, time.Minute}, {time.Hour, time.Hour + time.Minute}} {
			w.clock.Advance(step.advance)
			w.admits(key)
			if used := lastUsed(); used == nil || !used.Equal(storetest.Start.Add(step.want)) {
				w.Errorf("used at %v, want %v", used, storetest.Start.Add(step.want))
			}
		}
	})
}

// A database that cannot be written makes no request of a key fail.
func TestCaller_KeyUseNeverFailsARequest(t *testing.T) {
	each(t, func(w *world) {
		_, key := w.key(w.member, nil)
		w.tx(func(ctx context.Context, tx *store.Tx) error {
			w.admits(key) // on SQLite this transaction is the one writer: the note has to wait for it
			return nil
		})
		w.gate.Close()
		w.admits(key)
	})
}
