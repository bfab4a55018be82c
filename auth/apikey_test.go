package auth_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"strings"
	"testing"
	"time"

	"xyra"
	"xyra/auth"
	"xyra/store"
)

// The own keys, all of an admin's organization, all for a superuser; every other one is not found.
func TestAPIKey_ScopeByCaller(t *testing.T) {
	each(t, func(w *world) {
		k, _ := w.key(w.member, nil)
		for _, rule := range []struct {
			by   xyra.User
			code xyra.Code
			text string
		}{
			{w.member, "", ""}, {w.admin, "", ""}, {w.other, "", ""}, {w.root, "", ""},
			{w.stranger, xyra.CodeNotFound, "API key not found"},
			{w.loner, xyra.CodeInvalid, "User must belong to an organization to access API keys"},
		} {
			got, err := auth.APIKey(w.Context(), w.db.Reader, callerOf(rule.by), k.ID, "access API keys")
			if rule.code != "" {
				w.refused(err, rule.code, rule.text)
			} else if err != nil || got.ID != k.ID {
				w.Errorf("%s: %v, %v", rule.by.Email, got.ID, err)
			}
		}
		mate := w.insert(xyra.User{Email: "mate@northwind.io", IsActive: true, Role: xyra.RoleUser, Organization: w.northwind})
		_, err := auth.APIKey(w.Context(), w.db.Reader, callerOf(mate), k.ID, "access API keys")
		w.refused(err, xyra.CodeNotFound, "API key not found")
		err = w.try(func(ctx context.Context, tx *store.Tx) error { return auth.DeleteAPIKey(ctx, tx, callerOf(mate), k.ID) })
		w.refused(err, xyra.CodeNotFound, "API key not found")
	})
}

// Lists hold the own keys, or all of the organization with their owners, in the order they were made.
func TestAPIKeys_ListsByCaller(t *testing.T) {
	each(t, func(w *world) {
		first, _ := w.key(w.member, nil)
		second, _ := w.key(w.admin, nil)
		w.key(w.stranger, nil)
		own, err := auth.APIKeys(w.Context(), w.db.Reader, callerOf(w.member), 0, 100)
		if err != nil || len(own) != 1 || own[0].ID != first.ID {
			w.Errorf("own keys %v, %v", own, err)
		}
		all, err := auth.OrganizationAPIKeys(w.Context(), w.db.Reader, callerOf(w.admin), 0, 100)
		if err != nil || len(all) != 2 || all[0].ID != first.ID || all[1].ID != second.ID || all[0].OwnerEmail != w.member.Email {
			w.Errorf("all keys %v, %v", all, err)
		}
		all, err = auth.OrganizationAPIKeys(w.Context(), w.db.Reader, callerOf(w.admin), 1, 1)
		if err != nil || len(all) != 1 || all[0].ID != second.ID {
			w.Errorf("second page %v, %v", all, err)
		}
		_, err = auth.APIKeys(w.Context(), w.db.Reader, callerOf(w.root), 0, 100)
		w.refused(err, xyra.CodeInvalid, "User must belong to an organization to manage API keys")
		_, err = auth.OrganizationAPIKeys(w.Context(), w.db.Reader, callerOf(w.root), 0, 100)
		w.refused(err, xyra.CodeInvalid, "User must belong to an organization to view organization API keys")
	})
}

// Only the hash of a secret is kept, and enough of it to recognise it by.
func TestCreateAPIKey_KeepsAHashOnly(t *testing.T) {
	each(t, func(w *world) {
		k, key := w.key(w.member, nil)
		secret := bearer(key)
		kept, err := w.db.APIKey(w.Context(), w.northwind, k.ID)
		if err != nil {
			w.Fatal(err)
		}
		sum := sha256.Sum256([]byte(secret))
		if len(secret) != 37 || !bytes.Equal(kept.Hash, sum[:]) || kept.Prefix != secret[:12]+"..." || strings.Contains(kept.Prefix, secret[12:]) {
			w.Errorf("secret of %d characters, kept %+v", len(secret), kept)
		}
		err = w.try(func(ctx context.Context, tx *store.Tx) error {
			_, err := auth.CreateAPIKey(ctx, tx, callerOf(w.loner), xyra.APIKey{Name: "x"}, secret)
			return err
		})
		w.refused(err, xyra.CodeInvalid, "User must belong to an organization to create API keys")
	})
}

// A changed key changes in what was named; expiry and revocation can be taken back, deletion cannot.
func TestUpdateAPIKey_ChangesWhatIsNamed(t *testing.T) {
	each(t, func(w *world) {
		k, key := w.key(w.member, nil)
		update := func(change auth.APIKeyChange) xyra.APIKey {
			var after xyra.APIKey
			w.tx(func(ctx context.Context, tx *store.Tx) (err error) {
				after, err = auth.UpdateAPIKey(ctx, tx, callerOf(w.admin), k.ID, change)
				return err
			})
			return after
		}
		about, soon, never := "pipeline", to(w.clock.Now().Add(time.Second)), (*time.Time)(nil)
		after := update(auth.APIKeyChange{Name: to("feed"), Description: to(&about), ExpiresAt: &soon})
		if after.Name != "feed" || *after.Description != about || !after.ExpiresAt.Equal(*soon) || !after.IsActive {
			w.Errorf("after the change %+v", after)
		}
		w.clock.Advance(time.Second)
		w.refuses(key, badCredentials)
		update(auth.APIKeyChange{ExpiresAt: &never})
		w.admits(key)
		update(auth.APIKeyChange{IsActive: to(false)})
		w.refuses(key, badCredentials)
		update(auth.APIKeyChange{IsActive: to(true)})
		w.admits(key)
		w.tx(func(ctx context.Context, tx *store.Tx) error {
			return auth.DeleteAPIKey(ctx, tx, callerOf(w.member), k.ID)
		})
		w.refuses(key, badCredentials)
		err := w.try(func(ctx context.Context, tx *store.Tx) error {
			_, err := auth.UpdateAPIKey(ctx, tx, callerOf(w.root), k.ID, auth.APIKeyChange{IsActive: to(true)})
			return err
		})
		w.refused(err, xyra.CodeNotFound, "API key not found")
	})
}
