package auth_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"xyra"
	"xyra/auth"
	"xyra/store"
	"xyra/store/storetest"
)

var secret = []byte("a secret of at least thirty-two bytes")

const password = "correct horse 1"

// passwordHash is bcrypt at its least cost, so that tests which do not log in need not wait for argon2id.
const passwordHash = "$2a$04$TiINtEPp11F/mhs4ZdAaZOCWl.ReJsTaClYYHWm3neu8x9gPo2iQW"

// world is a database with two organizations and somebody of every kind.
type world struct {
	*testing.T
	db                                              *store.DB
	clock                                           *storetest.Clock
	gate                                            *auth.Gate
	northwind, bluefin                              xyra.OrganizationID
	root, admin, member, other, stranger, loner, op xyra.User
}

// each runs f in a world on each database.
func each(t *testing.T, f func(w *world)) {
	t.Helper()
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) { f(newWorld(t, db, clock)) })
}

func newGate(t *testing.T, db *store.DB, now func() time.Time) *auth.Gate {
	t.Helper()
	g := auth.New(db, auth.Options{Secret: secret, TokenLifetime: 8 * 24 * time.Hour, Now: now})
	t.Cleanup(g.Close)
	return g
}

func newWorld(t *testing.T, db *store.DB, clock *storetest.Clock) *world {
	t.Helper()
	w := &world{T: t, db: db, clock: clock, gate: newGate(t, db, clock.Now)}
	w.tx(func(ctx context.Context, tx *store.Tx) (err error) {
		for name, id := range map[string]*xyra.OrganizationID{"Northwind": &w.northwind, "Bluefin": &w.bluefin} {
			o := xyra.Organization{Name: name, Status: "active", Timezone: "UTC", Settings: []byte(`{"currency":"USD"}`), Currency: "USD"}
			if *id, err = tx.InsertOrganization(ctx, o); err != nil {
				return err
			}
		}
		return nil
	})
	w.root = w.insert(xyra.User{Email: "root@example.com", IsActive: true, IsSuperuser: true, Role: xyra.RoleUser})
	w.admin = w.insert(xyra.User{Email: "admin@northwind.io", IsActive: true, Role: xyra.RoleAdmin, Organization: w.northwind})
	w.member = w.insert(xyra.User{Email: "member@northwind.io", IsActive: true, Role: xyra.RoleUser, Organization: w.northwind})
	w.other = w.insert(xyra.User{Email: "other@northwind.io", IsActive: true, Role: xyra.RoleAdmin, Organization: w.northwind})
	w.stranger = w.insert(xyra.User{Email: "admin@bluefin.io", IsActive: true, Role: xyra.RoleAdmin, Organization: w.bluefin})
	w.loner = w.insert(xyra.User{Email: "loner@freelance.io", IsActive: true, Role: xyra.RoleUser})
	w.op = w.insert(xyra.User{Email: "op@northwind.io", IsActive: true, IsSuperuser: true, Role: xyra.RoleUser, Organization: w.northwind})
	return w
}

func (w *world) insert(u xyra.User) xyra.User {
	w.Helper()
	u.EmailKey = xyra.EmailKey(u.Email)
	if u.PasswordHash == "" {
		u.PasswordHash = passwordHash
	}
	w.tx(func(ctx context.Context, tx *store.Tx) (err error) {
		u.ID, err = tx.InsertUser(ctx, u)
		return err
	})
	return u
}

// try runs f in a transaction and returns its error.
func (w *world) try(f func(context.Context, *store.Tx) error) error {
	ctx := w.Context()
	return w.db.Tx(ctx, func(tx *store.Tx) error { return f(ctx, tx) })
}

// tx runs f in a transaction that must succeed.
func (w *world) tx(f func(context.Context, *store.Tx) error) {
	w.Helper()
	if err := w.try(f); err != nil {
		w.Fatal(err)
	}
}

func (w *world) token(u xyra.User) string {
	w.Helper()
	token, err := w.gate.Token(u)
	if err != nil {
		w.Fatal(err)
	}
	return "Bearer " + token
}

// callerOf is u as the wall would know u.
func callerOf(u xyra.User) xyra.Caller {
	return xyra.Caller{User: u.ID, Organization: u.Organization, Superuser: u.IsSuperuser, Role: u.Role, TokenVersion: u.TokenVersion}
}

// key makes an active API key of u and returns it with its Authorization header.
func (w *world) key(u xyra.User, expires *time.Time) (xyra.APIKey, string) {
	w.Helper()
	secret, err := w.gate.NewKeySecret()
	if err != nil {
		w.Fatal(err)
	}
	var k xyra.APIKey
	w.tx(func(ctx context.Context, tx *store.Tx) (err error) {
		k, err = auth.CreateAPIKey(ctx, tx, callerOf(u), xyra.APIKey{Name: "ingest", ExpiresAt: expires}, secret)
		return err
	})
	return k, "Bearer " + secret
}

// refuses checks that an Authorization header is answered with this text.
func (w *world) refuses(authorization, text string) {
	w.Helper()
	_, err := w.gate.Caller(w.Context(), authorization)
	w.refused(err, xyra.CodeUnauthenticated, text)
}

// refused checks code and text of an error.
func (w *world) refused(err error, code xyra.Code, text string) {
	w.Helper()
	checkRefused(w.T, err, code, text)
}

func checkRefused(t *testing.T, err error, code xyra.Code, text string) {
	t.Helper()
	var refused *xyra.Error
	if !errors.As(err, &refused) || refused.Code != code || refused.Message != text {
		t.Errorf("error %v, want %s: %s", err, code, text)
	}
}

func (w *world) admits(authorization string) xyra.Caller {
	w.Helper()
	caller, err := w.gate.Caller(w.Context(), authorization)
	if err != nil {
		w.Errorf("refused: %v", err)
	}
	return caller
}

// update makes a change as a caller and returns the user after it.
func (w *world) update(by xyra.User, id xyra.UserID, change auth.UserChange) (u xyra.User, err error) {
	err = w.try(func(ctx context.Context, tx *store.Tx) (err error) {
		u, err = auth.UpdateUser(ctx, tx, callerOf(by), id, change)
		return err
	})
	return u, err
}

func to[T any](v T) *T { return &v }

func bearer(token string) string { return strings.TrimPrefix(token, "Bearer ") }
