package auth

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"
	"unicode/utf8"

	"xyra"
	"xyra/store"
)

// How many failures one address is granted, for one account and over all, within how long.
const (
	attemptWindow      = 15 * time.Minute
	attemptsPairMax    = 10
	attemptsAddressMax = 100
	attemptsSweptMax   = 200 // old ones deleted in passing
)

// accountLengthMax is more bytes than any address in use has; longer accounts are counted by their digest.
const accountLengthMax = 512

const textWrongLogin = "Incorrect email or password"

// Limited refuses an attempt after too many failures, right or wrong. It unwraps to a refusal with xyra.CodeLimited.
type Limited struct {
	RetryAfter int // seconds until an attempt is looked at again, at least 1
}

// Error returns the text that the caller reads.
func (l Limited) Error() string { return l.Refusal().Message }

// Unwrap lets errors.As find the refusal.
func (l Limited) Unwrap() error { return l.Refusal() }

// Refusal is the same as an error of the domain, which cannot say how long.
func (l Limited) Refusal() *xyra.Error {
	return &xyra.Error{Code: xyra.CodeLimited, Message: "Too many failed login attempts. Try again later."}
}

// Login exchanges e-mail and password for a token and notes the login. address is the client's, as limits count it.
// Unknown accounts are refused like wrong passwords, in the same time. It returns Limited after too many failures.
func (g *Gate) Login(ctx context.Context, email, password, address string) (token string, err error) {
	attempt, err := g.countAttempt(ctx, accountOf(email), address)
	if err != nil {
		return "", err
	}
	user, err := g.userOfLogin(ctx, email)
	if err != nil {
		return "", err
	}
	right, err := g.Verify(ctx, user.PasswordHash, password)
	if err != nil {
		return "", err
	}
	if !right || user.ID == 0 || strings.Contains(password, "\x00") {
		return "", xyra.Unauthenticated(textWrongLogin)
	}
	hash := user.PasswordHash
	if !isCurrent(hash) {
		if hash, err = g.Hash(ctx, password); err != nil {
			return "", err
		}
	}
	if user, err = g.admit(ctx, attempt, user, hash); err != nil {
		return "", err
	}
	return g.Token(user)
}

// userOfLogin finds who logs in; nobody is the zero user with a hash that nothing verifies.
func (g *Gate) userOfLogin(ctx context.Context, email string) (xyra.User, error) {
	nobody := xyra.User{PasswordHash: nobodysHash}
	if !isStorable(email) {
		return nobody, nil
	}
	user, err := g.db.UserByEmail(ctx, xyra.EmailKey(email))
	if xyra.HasCode(err, xyra.CodeNotFound) {
		return nobody, nil
	}
	return user, err
}

var errInactiveAccount = xyra.Invalid("Inactive user account")

// admit ends a login whose password was right: the attempt is given back, and unless the user is inactive the pair's
// count is cleared and the login noted. hash replaces the user's, which it is another form of.
func (g *Gate) admit(ctx context.Context, attempt store.Attempt, verified xyra.User, hash string) (xyra.User, error) {
	var user xyra.User
	inactive := false
	err := g.db.Tx(ctx, func(tx *store.Tx) (err error) {
		user, err = tx.UserLocked(ctx, verified.ID)
		if err != nil {
			return err
		}
		if user.PasswordHash != verified.PasswordHash {
			if user.TokenVersion != verified.TokenVersion {
				return xyra.Unauthenticated(textWrongLogin) // the password was changed in the meantime
			}
			hash = user.PasswordHash // a login at the same time has hashed it anew
		}
		if inactive = !user.IsActive; inactive {
			return tx.DeleteAttempt(ctx, attempt.ID)
		}
		if err := tx.DeleteAttempts(ctx, attempt.Account, attempt.Address); err != nil {
			return err
		}
		tx.Audit(xyra.Caller{User: user.ID}, xyra.AuditEntry{Organization: user.Organization, Action: "user.login", ObjectID: int64(user.ID)})
		return tx.UpdateLogin(ctx, user.ID, hash)
	})
	switch {
	case xyra.HasCode(err, xyra.CodeNotFound):
		return user, xyra.Unauthenticated(textWrongLogin) // archived in the meantime
	case err != nil:
		return user, err
	case inactive:
		return user, errInactiveAccount
	}
	return user, nil
}

// CheckPassword asks a user for the present password, counted like a login. A wrong one is the invalid error "Incorrect
// password".
func (g *Gate) CheckPassword(ctx context.Context, user xyra.User, password, address string) error {
	attempt, err := g.countAttempt(ctx, accountOf(user.Email), address)
	if err != nil {
		return err
	}
	right, err := g.Verify(ctx, user.PasswordHash, password)
	if err != nil {
		return err
	}
	if !right || strings.Contains(password, "\x00") {
		return xyra.Invalid("Incorrect password")
	}
	return g.db.Tx(ctx, func(tx *store.Tx) error { return tx.DeleteAttempts(ctx, attempt.Account, attempt.Address) })
}

// countAttempt counts an attempt before its password is looked at, or refuses it uncounted. Attempts from one address
// pass one after the other, so that no two are the last one.
func (g *Gate) countAttempt(ctx context.Context, account, address string) (store.Attempt, error) {
	attempt := store.Attempt{Account: account, Address: address}
	var now, free time.Time
	err := g.db.Tx(ctx, func(tx *store.Tx) (err error) {
		if err := tx.LockAttempts(ctx, address); err != nil {
			return err
		}
		since := tx.Now.Add(-attemptWindow)
		if err := tx.DeleteAttemptsBefore(ctx, since, attemptsSweptMax); err != nil {
			return err
		}
		if free, err = limitedUntil(ctx, tx, attempt, since); err != nil || !free.IsZero() {
			now = tx.Now
			return err
		}
		attempt.ID, err = tx.AddAttempt(ctx, account, address)
		return err
	})
	if err == nil && !free.IsZero() {
		err = Limited{RetryAfter: max(1, int((free.Sub(now)+time.Second-1)/time.Second))}
	}
	return attempt, err
}

// limitedUntil is when the attempt that fills a limit falls out of the window; the zero time: no limit is reached.
func limitedUntil(ctx context.Context, tx *store.Tx, a store.Attempt, since time.Time) (time.Time, error) {
	pair, err := tx.AttemptOfPair(ctx, a.Account, a.Address, since, attemptsPairMax)
	if err != nil {
		return time.Time{}, err
	}
	address, err := tx.AttemptOfAddress(ctx, a.Address, since, attemptsAddressMax)
	if err != nil {
		return time.Time{}, err
	}
	latest := pair
	if address.After(latest) {
		latest = address
	}
	if latest.IsZero() {
		return latest, nil
	}
	return latest.Add(attemptWindow), nil
}

// accountOf is the account a login counts for, existing or not.
func accountOf(email string) string {
	if !isStorable(email) {
		sum := sha256.Sum256([]byte(email))
		return "sha256:" + hex.EncodeToString(sum[:])
	}
	return xyra.EmailKey(email)
}

// isStorable tells whether a text from a form may go to the database.
func isStorable(text string) bool {
	return len(text) <= accountLengthMax && utf8.ValidString(text) && !strings.Contains(text, "\x00")
}
