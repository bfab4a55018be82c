package auth_test

import (
	"context"
	"sync"
	"testing"

	"xyra"
	"xyra/auth"
	"xyra/store"
	"xyra/store/storetest"
)

// Of replicas that start at once on an empty database one creates the first superuser, who can log in.
func TestEnsureSuperuser_OneReplicaCreates(t *testing.T) {
	storetest.EachTarget(t, func(t *testing.T, target store.Options) {
		clock := storetest.NewClock(storetest.Start)
		target.Now = clock.Now
		var found [4]auth.FirstSuperuser
		var replicas sync.WaitGroup
		var last *auth.Gate
		for i := range found {
			g := newGate(t, storetest.Open(t, target), clock.Now)
			last = g
			replicas.Go(func() {
				var err error
				if found[i], err = g.EnsureSuperuser(t.Context(), "Admin@Example.com", "admin"); err != nil {
					t.Error(err)
				}
			})
		}
		replicas.Wait()
		count := map[auth.FirstSuperuser]int{}
		for _, f := range found {
			count[f]++
		}
		if count[auth.SuperuserCreated] != 1 || count[auth.SuperuserExists] != 3 {
			t.Errorf("found %v", found)
		}
		token, err := last.Login(t.Context(), "admin@example.com", "admin", home)
		if err != nil {
			t.Fatal(err)
		}
		if caller, err := last.Caller(t.Context(), "Bearer "+token); err != nil || !caller.Superuser || caller.Organization != 0 {
			t.Errorf("caller %+v, %v", caller, err)
		}
	})
}

// While no superuser is active, an address that is or was somebody's is left alone.
func TestEnsureSuperuser_LeavesKnownAddressesAlone(t *testing.T) {
	each(t, func(w *world) {
		ensure := func(email string, want auth.FirstSuperuser) {
			w.Helper()
			if found, err := w.gate.EnsureSuperuser(w.Context(), email, "admin"); err != nil || found != want {
				w.Errorf("%s: %v, %v, want %v", email, found, err, want)
			}
		}
		ensure("new@example.com", auth.SuperuserExists)
		w.tx(func(ctx context.Context, tx *store.Tx) error {
			gone, off := w.root, w.op
			off.IsActive = false
			if err := tx.DeleteUser(ctx, gone.ID); err != nil {
				return err
			}
			return tx.UpdateUser(ctx, off)
		})
		ensure("root@example.com", auth.SuperuserArchived)
		ensure("op@northwind.io", auth.SuperuserTaken)
		ensure("member@northwind.io", auth.SuperuserTaken)
		ensure("new@example.com", auth.SuperuserCreated)
		ensure("other@example.com", auth.SuperuserExists)
		if _, err := w.gate.EnsureSuperuser(w.Context(), "no address", "admin"); err == nil {
			w.Error("no address was taken for one")
		}
	})
}

// The command line sets any user's password and ends the tokens; easy ones and unknown addresses are refused.
func TestSetPassword_ReplacesThePassword(t *testing.T) {
	each(t, func(w *world) {
		if err := w.gate.SetPassword(w.Context(), "MEMBER@northwind.io", "another horse 2"); err != nil {
			w.Fatal(err)
		}
		w.refused(w.login("member@northwind.io", password, home), xyra.CodeUnauthenticated, wrongLogin)
		if err := w.login("member@northwind.io", "another horse 2", home); err != nil {
			w.Error(err)
		}
		for _, easy := range []string{"short", "password", "member@northwind.io"} {
			if err := w.gate.SetPassword(w.Context(), "member@northwind.io", easy); err == nil {
				w.Errorf("%q was taken", easy)
			}
		}
		w.refused(w.gate.SetPassword(w.Context(), "nobody@nowhere.io", "another horse 2"), xyra.CodeNotFound, "User not found")
	})
}
