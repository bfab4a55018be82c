package auth_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"xyra"
	"xyra/auth"
	"xyra/store"
	"xyra/store/storetest"
)

// Who may change which field of whom, by the contract's table; the same value is free for everybody.
func TestMayChangeUser_FollowsTheTable(t *testing.T) {
	const org, otherOrg = 1, 2
	root := xyra.User{ID: 1, Email: "a@b.io", IsActive: true, IsSuperuser: true, Role: xyra.RoleUser}
	admin := xyra.User{ID: 2, Email: "a@b.io", IsActive: true, Role: xyra.RoleAdmin, Organization: org}
	other := xyra.User{ID: 3, Email: "a@b.io", IsActive: true, Role: xyra.RoleAdmin, Organization: org}
	member := xyra.User{ID: 4, Email: "a@b.io", IsActive: true, Role: xyra.RoleUser, Organization: org}
	op := xyra.User{ID: 5, Email: "a@b.io", IsActive: true, IsSuperuser: true, Role: xyra.RoleUser, Organization: org}
	foreign := xyra.User{ID: 6, Email: "a@b.io", IsActive: true, Role: xyra.RoleUser, Organization: otherOrg}
	key := callerOf(admin)
	key.Key = 7

	name, elsewhere, nowhere := "N", to(xyra.OrganizationID(otherOrg)), (*xyra.OrganizationID)(nil)
	email := auth.UserChange{Email: to("A@b.io")}
	fullName := auth.UserChange{FullName: to(&name)}
	password := auth.UserChange{PasswordHash: to("hash")}
	inactive := auth.UserChange{IsActive: to(false)}
	toAdmin := auth.UserChange{Role: to(xyra.RoleAdmin)}
	toUser := auth.UserChange{Role: to(xyra.RoleUser)}
	moved := auth.UserChange{Organization: &elsewhere}
	out := auth.UserChange{Organization: &nowhere}
	promoted := auth.UserChange{IsSuperuser: to(true)}
	demoted := auth.UserChange{IsSuperuser: to(false)}
	for _, rule := range []struct {
		name    string
		caller  xyra.Caller
		user    xyra.User
		change  auth.UserChange
		allowed bool
	}{
		{"self email", callerOf(member), member, email, true},
		{"superuser email", callerOf(root), member, email, true},
		{"admin email", callerOf(admin), member, email, false},
		{"self name", callerOf(member), member, fullName, true},
		{"superuser name", callerOf(root), member, fullName, true},
		{"admin name", callerOf(admin), member, fullName, false},
		{"self password", callerOf(member), member, password, true},
		{"superuser password", callerOf(root), member, password, true},
		{"admin password", callerOf(admin), member, password, false},
		{"self active", callerOf(member), member, inactive, false},
		{"admin active", callerOf(admin), member, inactive, true},
		{"admin active of an admin", callerOf(admin), other, inactive, false},
		{"admin active of oneself", callerOf(admin), admin, inactive, false},
		{"admin active of a superuser", callerOf(admin), op, inactive, false},
		{"admin active of a stranger", callerOf(admin), foreign, inactive, false},
		{"superuser active", callerOf(root), other, inactive, true},
		{"key active", key, member, inactive, false},
		{"admin raises", callerOf(admin), member, toAdmin, true},
		{"admin raises a superuser", callerOf(admin), op, toAdmin, false},
		{"self raises", callerOf(member), member, toAdmin, false},
		{"admin lowers oneself", callerOf(admin), admin, toUser, true},
		{"admin lowers an admin", callerOf(admin), other, toUser, false},
		{"superuser raises oneself", callerOf(root), root, toAdmin, true},
		{"superuser lowers", callerOf(root), admin, toUser, true},
		{"superuser moves", callerOf(root), member, moved, true},
		{"self moves", callerOf(member), member, moved, false},
		{"self leaves", callerOf(member), member, out, false},
		{"admin moves", callerOf(admin), member, moved, false},
		{"admin removes", callerOf(admin), member, out, false},
		{"superuser promotes", callerOf(root), member, promoted, true},
		{"superuser demotes", callerOf(root), op, demoted, true},
		{"superuser demotes oneself", callerOf(root), root, demoted, false},
		{"self promotes", callerOf(member), member, promoted, false},
		{"admin promotes", callerOf(admin), member, promoted, false},
		{"one of several", callerOf(member), member, auth.UserChange{FullName: to(&name), Role: to(xyra.RoleAdmin)}, false},
		{"nothing", callerOf(admin), member, auth.UserChange{}, true},
	} {
		err := auth.MayChangeUser(rule.caller, rule.user, rule.change)
		if (err == nil) != rule.allowed {
			t.Errorf("%s: %v, want allowed %v", rule.name, err, rule.allowed)
		}
	}
	stays := to(xyra.OrganizationID(org))
	same := auth.UserChange{Email: to("a@b.io"), FullName: to((*string)(nil)), IsActive: to(true), Role: to(xyra.RoleUser), Organization: &stays, IsSuperuser: to(false)}
	for _, u := range []xyra.User{admin, member} {
		if err := auth.MayChangeUser(callerOf(u), member, same); err != nil {
			t.Errorf("the same values by user %d: %v", u.ID, err)
		}
	}
}

// Who is not the caller's to see is not found; who may not be changed is not changed.
func TestUpdateUser_RefusedChangesNothing(t *testing.T) {
	each(t, func(w *world) {
		for _, try := range []struct {
			by, user xyra.User
			code     xyra.Code
			text     string
		}{
			{w.member, w.admin, xyra.CodeNotFound, "User not found"},
			{w.stranger, w.member, xyra.CodeNotFound, "User not found"},
			{w.loner, w.member, xyra.CodeNotFound, "User not found"},
			{w.admin, xyra.User{ID: 999}, xyra.CodeNotFound, "User not found"},
			{w.root, xyra.User{ID: -1}, xyra.CodeNotFound, "User not found"},
			{w.admin, w.other, xyra.CodeForbidden, "Not enough permissions"},
			{w.admin, w.op, xyra.CodeForbidden, "Not enough permissions"},
		} {
			_, err := w.update(try.by, try.user.ID, auth.UserChange{IsActive: to(false)})
			w.refused(err, try.code, try.text)
			if now, err := w.db.User(w.Context(), try.user.ID); err == nil && !now.IsActive {
				w.Errorf("%s changed %s", try.by.Email, try.user.Email)
			}
		}
		missing := to(xyra.OrganizationID(999))
		_, err := w.update(w.root, w.member.ID, auth.UserChange{Organization: &missing})
		w.refused(err, xyra.CodeInvalid, "Organization with ID 999 not found")
		none := to(xyra.OrganizationID(0))
		_, err = w.update(w.root, w.member.ID, auth.UserChange{Organization: &none})
		w.refused(err, xyra.CodeInvalid, "Organization with ID 0 not found")
	})
}

// A taken address is told to superusers alone; an archived user's is free again.
func TestUpdateUser_EmailIsUniqueInAnyCase(t *testing.T) {
	each(t, func(w *world) {
		taken := auth.UserChange{Email: to("ADMIN@northwind.io")}
		_, err := w.update(w.root, w.member.ID, taken)
		w.refused(err, xyra.CodeConflict, "A user with this email already exists")
		_, err = w.update(w.member, w.member.ID, taken)
		w.refused(err, xyra.CodeInvalid, "Email cannot be changed to this address")
		if u, err := w.update(w.admin, w.admin.ID, taken); err != nil || u.Email != "ADMIN@northwind.io" {
			w.Errorf("another case of the own address: %v, %v", u.Email, err)
		}
		w.tx(func(ctx context.Context, tx *store.Tx) error {
			_, err := auth.DeleteUser(ctx, tx, callerOf(w.root), w.admin.ID)
			return err
		})
		if _, err = w.update(w.member, w.member.ID, taken); err != nil {
			w.Errorf("the address of an archived user: %v", err)
		}
	})
}

// A change that changes nothing leaves no trace; a real one is dated and audited without its values.
func TestUpdateUser_WritesOnlyWhatDiffers(t *testing.T) {
	each(t, func(w *world) {
		w.clock.Advance(1)
		stays := &w.member.Organization
		u, err := w.update(w.member, w.member.ID, auth.UserChange{Email: &w.member.Email, Organization: &stays, Role: to(xyra.RoleUser)})
		if err != nil || !u.UpdatedAt.Equal(storetest.Start) || u.TokenVersion != 0 {
			w.Errorf("no change: %v, %+v", err, u)
		}
		name := "Theo"
		u, err = w.update(w.member, w.member.ID, auth.UserChange{FullName: to(&name)})
		if err != nil || u.FullName == nil || *u.FullName != name || u.TokenVersion != 0 {
			w.Errorf("a new name: %v, %+v", err, u)
		}
		u, err = w.update(w.member, w.member.ID, auth.UserChange{FullName: to((*string)(nil))})
		if err != nil || u.FullName != nil {
			w.Errorf("no name: %v, %+v", err, u)
		}
		if faults, err := w.db.VerifyAudit(w.Context()); err != nil || len(faults) > 0 {
			w.Errorf("audit: %v, %v", faults, err)
		}
	})
}

// The last active superuser stays, also when two remove each other at the same time.
func TestUser_LastSuperuserStays(t *testing.T) {
	remove := map[string]func(w *world, by, user xyra.User) error{
		"delete": func(w *world, by, user xyra.User) error {
			return w.try(func(ctx context.Context, tx *store.Tx) error {
				_, err := auth.DeleteUser(ctx, tx, callerOf(by), user.ID)
				return err
			})
		},
		"deactivate": func(w *world, by, user xyra.User) error {
			_, err := w.update(by, user.ID, auth.UserChange{IsActive: to(false)})
			return err
		},
		"demote": func(w *world, by, user xyra.User) error {
			_, err := w.update(by, user.ID, auth.UserChange{IsSuperuser: to(false)})
			return err
		},
	}
	for name, remove := range remove {
		t.Run(name, func(t *testing.T) {
			each(t, func(w *world) {
				errs := make([]error, 2)
				var both sync.WaitGroup
				both.Go(func() { errs[0] = remove(w, w.root, w.op) })
				both.Go(func() { errs[1] = remove(w, w.op, w.root) })
				both.Wait()
				if (errs[0] == nil) == (errs[1] == nil) {
					t.Fatalf("errors %v, want one", errs)
				}
				for _, err := range errs {
					if err != nil {
						w.refused(err, xyra.CodeConflict, "Cannot remove the last superuser")
					}
				}
				left, err := w.db.ActiveSuperusers(w.Context(), 0)
				if err != nil || left != 1 {
					t.Errorf("%d superusers left, %v", left, err)
				}
			})
		})
	}
}

// A new user's address is free in any case, and the organization exists.
func TestCreateUser_ChecksAddressThenOrganization(t *testing.T) {
	each(t, func(w *world) {
		create := func(email string, organization *xyra.OrganizationID) (u xyra.User, err error) {
			err = w.try(func(ctx context.Context, tx *store.Tx) (err error) {
				u, err = auth.CreateUser(ctx, tx, callerOf(w.root), xyra.User{Email: email, PasswordHash: passwordHash, IsActive: true, Role: xyra.RoleUser}, organization)
				return err
			})
			return u, err
		}
		_, err := create("MEMBER@northwind.io", to(xyra.OrganizationID(999)))
		w.refused(err, xyra.CodeInvalid, "A user with this email already exists")
		for _, missing := range []xyra.OrganizationID{999, 0, -1} {
			_, err = create("new@northwind.io", &missing)
			w.refused(err, xyra.CodeInvalid, fmt.Sprintf("Organization with ID %d not found", missing))
		}
		u, err := create("New@northwind.io", &w.northwind)
		if err != nil || u.Organization != w.northwind || u.ID == 0 || u.EmailKey != "new@northwind.io" {
			w.Errorf("created %+v, %v", u, err)
		}
		if u, err = create("free@lance.io", nil); err != nil || u.Organization != 0 {
			w.Errorf("created %+v, %v", u, err)
		}
	})
}

// Of two who sign up with one address at the same time one hears no, without a reason.
func TestSignup_AddressIsUnique(t *testing.T) {
	each(t, func(w *world) {
		errs := make(chan error, 4)
		for _, email := range []string{"new@street.io", "NEW@street.io", "nEw@street.io", "member@northwind.io"} {
			go func() {
				errs <- w.try(func(ctx context.Context, tx *store.Tx) error {
					u, err := auth.Signup(ctx, tx, email, nil, passwordHash, "r1")
					if err == nil && (u.IsSuperuser || u.Organization != 0 || !u.IsActive || u.Role != xyra.RoleUser) {
						err = fmt.Errorf("signed up as %+v", u)
					}
					return err
				})
			}()
		}
		succeeded := 0
		for range 4 {
			if err := <-errs; err == nil {
				succeeded++
			} else {
				w.refused(err, xyra.CodeInvalid, "Signup could not be completed")
			}
		}
		if succeeded != 1 {
			w.Errorf("%d signed up, want 1", succeeded)
		}
	})
}

// A key of an organization that its owner left stays dead, and so does a deactivated owner's.
func TestUpdateUser_EndsTheKeysOfWhoLeaves(t *testing.T) {
	each(t, func(w *world) {
		elsewhere := &w.bluefin
		back := &w.northwind
		for _, changes := range [][2]auth.UserChange{
			{{Organization: &elsewhere}, {Organization: &back}},
			{{IsActive: to(false)}, {IsActive: to(true)}},
		} {
			_, key := w.key(w.member, nil)
			for _, change := range changes {
				if _, err := w.update(w.root, w.member.ID, change); err != nil {
					w.Fatal(err)
				}
				w.refuses(key, badCredentials)
			}
		}
	})
}
