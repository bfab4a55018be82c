package auth_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"xyra"
	"xyra/auth"
	"xyra/store"
	"xyra/store/storetest"
)

const (
	home       = "192.0.2.1"
	elsewhere  = "198.51.100.7"
	wrongLogin = "Incorrect email or password"
	limited    = "Too many failed login attempts. Try again later."
)

func (w *world) login(email, password, address string) error {
	_, err := w.gate.Login(w.Context(), email, password, address)
	return err
}

// limitedFor checks that an attempt is refused for so many seconds.
func (w *world) limitedFor(err error, seconds int) {
	w.Helper()
	w.refused(err, xyra.CodeLimited, limited)
	var limit auth.Limited
	if errors.As(err, &limit) && limit.RetryAfter != seconds {
		w.Errorf("retry after %d s, want %d", limit.RetryAfter, seconds)
	}
}

// A login gives a token that works, notes when, and makes an old hash as dear as a new one.
func TestLogin_GivesATokenAndNotesIt(t *testing.T) {
	each(t, func(w *world) {
		w.clock.Advance(time.Minute)
		token, err := w.gate.Login(w.Context(), "MEMBER@Northwind.IO", password, home)
		if err != nil {
			w.Fatal(err)
		}
		w.admits("Bearer " + token)
		u, err := w.db.User(w.Context(), w.member.ID)
		if err != nil || u.LastLogin == nil || !u.LastLogin.Equal(w.clock.Now()) {
			w.Errorf("last login %v, %v, want %v", u.LastLogin, err, w.clock.Now())
		}
		if !strings.HasPrefix(u.PasswordHash, "$argon2id$") || u.TokenVersion != 0 {
			w.Errorf("hash %s, version %d after a login", u.PasswordHash, u.TokenVersion)
		}
		if !u.UpdatedAt.Equal(storetest.Start) {
			w.Errorf("a login changed updated_at to %v", u.UpdatedAt)
		}
		if err := w.login("member@northwind.io", password, home); err != nil {
			w.Errorf("log in with the new hash: %v", err)
		}
	})
}

// Whatever is wrong, the text is the same; only the right password learns that the account is inactive.
func TestLogin_WrongIsAlwaysTheSame(t *testing.T) {
	each(t, func(w *world) {
		if _, err := w.update(w.root, w.member.ID, auth.UserChange{IsActive: to(false)}); err != nil {
			w.Fatal(err)
		}
		for i, try := range [][2]string{
			{"nobody@nowhere.io", password}, {"admin@northwind.io", "wrong"}, {"admin@northwind.io", ""}, {"", ""}, {"", password},
			{" admin@northwind.io", password}, {"admin@northwind.io", password + "\x00"}, {"admin@northwind.io\x00", password},
			{"\xff\xfe", password}, {strings.Repeat("a", 100_000), password}, {"member@northwind.io", "wrong"}, {"%", password}, {"admin", password},
		} {
			w.refused(w.login(try[0], try[1], fmt.Sprint("192.0.2.", i)), xyra.CodeUnauthenticated, wrongLogin)
		}
		w.refused(w.login("member@northwind.io", password, home), xyra.CodeInvalid, "Inactive user account")
		w.refused(w.login("member@northwind.io", "wrong", home), xyra.CodeUnauthenticated, wrongLogin)
	})
}

// Ten failures of a pair close it for everything, right or wrong, until the oldest is a quarter of an hour old. Other
// accounts and other addresses stay open.
func TestLogin_TenFailuresCloseAPair(t *testing.T) {
	each(t, func(w *world) {
		for _, email := range []string{"admin@northwind.io", "nobody@nowhere.io"} {
			started := w.clock.Now()
			for range 10 {
				w.refused(w.login(email, "wrong", home), xyra.CodeUnauthenticated, wrongLogin)
				w.clock.Advance(10 * time.Second)
			}
			w.limitedFor(w.login(strings.ToUpper(email), password, home), 800)
			w.refused(w.login("member@northwind.io", "wrong", home), xyra.CodeUnauthenticated, wrongLogin)
			w.clock.Set(started.Add(15*time.Minute - time.Millisecond))
			w.limitedFor(w.login(email, password, home), 1)
			w.clock.Set(started.Add(15 * time.Minute))
			w.refused(w.login(email, "wrong", home), xyra.CodeUnauthenticated, wrongLogin)
			w.limitedFor(w.login(email, "wrong", home), 10)
			if email == w.admin.Email {
				if err := w.login(email, password, elsewhere); err != nil {
					w.Errorf("the owner from elsewhere: %v", err)
				}
				w.limitedFor(w.login(email, password, home), 10)
			}
		}
	})
}

// A success clears the count of its pair and costs nothing; an inactive account's right password costs nothing.
func TestLogin_SuccessClearsThePair(t *testing.T) {
	each(t, func(w *world) {
		for range 3 {
			for range 9 {
				w.refused(w.login("admin@northwind.io", "wrong", home), xyra.CodeUnauthenticated, wrongLogin)
			}
			if err := w.login("admin@northwind.io", password, home); err != nil {
				w.Fatalf("after nine failures: %v", err)
			}
		}
		w.insert(xyra.User{Email: "gone@northwind.io", Role: xyra.RoleUser})
		for range 12 {
			w.refused(w.login("gone@northwind.io", password, home), xyra.CodeInvalid, "Inactive user account")
		}
	})
}

// A hundred failures over all accounts close an address.
func TestLogin_HundredFailuresCloseAnAddress(t *testing.T) {
	each(t, func(w *world) {
		w.tx(func(ctx context.Context, tx *store.Tx) error {
			for i := range 99 {
				if _, err := tx.AddAttempt(ctx, fmt.Sprintf("user%d@nowhere.io", i), home); err != nil {
					return err
				}
			}
			return nil
		})
		w.refused(w.login("nobody@nowhere.io", "wrong", home), xyra.CodeUnauthenticated, wrongLogin)
		w.limitedFor(w.login("admin@northwind.io", password, home), 900)
		if err := w.login("admin@northwind.io", password, elsewhere); err != nil {
			w.Errorf("from elsewhere: %v", err)
		}
		w.clock.Advance(15 * time.Minute)
		if err := w.login("admin@northwind.io", password, home); err != nil {
			w.Errorf("a quarter of an hour later: %v", err)
		}
	})
}

// However many try at once on two replicas, ten passwords of a pair are looked at and no more.
func TestLogin_ReplicasShareTheLimit(t *testing.T) {
	storetest.EachTarget(t, func(t *testing.T, target store.Options) {
		clock := storetest.NewClock(storetest.Start)
		target.Now = clock.Now
		w := newWorld(t, storetest.Open(t, target), clock)
		second := newGate(t, storetest.Open(t, target), clock.Now)
		var evaluated, closed atomic.Int64
		var senders sync.WaitGroup
		for i := range 40 {
			g := []*auth.Gate{w.gate, second}[i%2]
			senders.Go(func() {
				_, err := g.Login(t.Context(), "admin@northwind.io", "wrong", home)
				switch {
				case xyra.HasCode(err, xyra.CodeUnauthenticated):
					evaluated.Add(1)
				case xyra.HasCode(err, xyra.CodeLimited):
					closed.Add(1)
				default:
					t.Errorf("error %v", err)
				}
			})
		}
		senders.Wait()
		if evaluated.Load() != 10 || closed.Load() != 30 {
			t.Errorf("%d evaluated and %d refused, want 10 and 30", evaluated.Load(), closed.Load())
		}
	})
}

// The present password is guarded by the same count as the login.
func TestCheckPassword_SharesTheLimitOfLogin(t *testing.T) {
	each(t, func(w *world) {
		check := func(password string) error { return w.gate.CheckPassword(w.Context(), w.admin, password, home) }
		if err := check(password); err != nil {
			w.Errorf("right password: %v", err)
		}
		for range 5 {
			w.refused(check("wrong"), xyra.CodeInvalid, "Incorrect password")
			w.refused(w.login("admin@northwind.io", "wrong", home), xyra.CodeUnauthenticated, wrongLogin)
		}
		w.limitedFor(check(password), 900)
		w.limitedFor(w.login("admin@northwind.io", password, home), 900)
	})
}
