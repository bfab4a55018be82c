package main

import (
	"context"
	"fmt"
	"log/slog"
	"unicode/utf8"

	"xyra"
	"xyra/auth"
	"xyra/store"
)

// passwordDefault is the one that every document of the API uses. It must never work where strangers can reach it.
const passwordDefault = "admin"

// superusersChecked bounds how many hashes are computed at start-up; each takes about 30 ms.
const superusersChecked = 16

// firstLogin is what the banner says about signing in.
type firstLogin struct {
	email    string
	password string // only when it was made up just now
	created  bool
	missing  string // why nobody can administer this installation
}

// ensureSuperuser creates the first superuser if there is none. reachable says that others than this machine get at the
// server: then no password that everybody knows may work.
func (s loginSettings) ensureSuperuser(ctx context.Context, db *store.DB, gate *auth.Gate, reachable bool) (firstLogin, error) {
	if _, _, err := xyra.ParseEmail(s.Email); err != nil {
		return firstLogin{}, badValue("FIRST_SUPERUSER", s.Email, err.Error())
	}
	existing, err := db.ActiveSuperusers(ctx, 0)
	if err != nil {
		return firstLogin{}, fmt.Errorf("look for a superuser: %w", err)
	}
	if existing > 0 {
		if reachable {
			err = refuseDefaultPassword(ctx, db, gate)
		}
		return firstLogin{email: s.Email}, err
	}
	login := firstLogin{email: s.Email}
	password := s.Password
	if password == "" {
		password = randomText()[:20]
		login.password = password
	} else if err := s.checkPassword(reachable); err != nil {
		return firstLogin{}, err
	}
	found, err := gate.EnsureSuperuser(ctx, s.Email, password)
	if err != nil {
		return firstLogin{}, fmt.Errorf("create the first superuser: %w", err)
	}
	switch found {
	case auth.SuperuserCreated:
		login.created = true
		return login, nil
	case auth.SuperuserArchived:
		login.missing = fmt.Sprintf("there is no active superuser, and %s was archived, which is not undone: set FIRST_SUPERUSER to another address", s.Email)
	case auth.SuperuserTaken:
		login.missing = fmt.Sprintf("there is no active superuser, and %s belongs to a user who is none: set FIRST_SUPERUSER to another address", s.Email)
	}
	login.password = "" // nobody has it
	return login, nil
}

// checkPassword holds FIRST_SUPERUSER_PASSWORD against the rules before anybody gets it.
func (s loginSettings) checkPassword(reachable bool) error {
	length := utf8.RuneCountInString(s.Password)
	switch {
	case s.Password == passwordDefault && !reachable:
		return nil
	case s.Password == passwordDefault:
		return fmt.Errorf("FIRST_SUPERUSER_PASSWORD is %q, which is accepted only while listening on this machine alone: choose another one, or listen on 127.0.0.1", passwordDefault)
	case length < auth.PasswordLengthMin || length > auth.PasswordLengthMax || xyra.EasyPassword(s.Password, s.Email):
		return fmt.Errorf("FIRST_SUPERUSER_PASSWORD is too easy to guess: choose %d characters or more that are not a common word, or leave it unset to get a random one", auth.PasswordLengthMin)
	}
	return nil
}

// refuseDefaultPassword looks whether a superuser who was made on this machine alone still has the default password.
func refuseDefaultPassword(ctx context.Context, db *store.DB, gate *auth.Gate) error {
	users, err := db.Users(ctx, 0, 1000)
	if err != nil {
		return fmt.Errorf("look for default passwords: %w", err)
	}
	checked := 0
	for _, u := range users {
		if !u.IsSuperuser || !u.IsActive || checked == superusersChecked {
			continue
		}
		checked++
		known, err := gate.Verify(ctx, u.PasswordHash, passwordDefault)
		if err != nil {
			return fmt.Errorf("check the password of %s: %w", u.Email, err)
		}
		if known {
			return fmt.Errorf("superuser %s still has the password %q, and this address is reachable from elsewhere: run `xyra passwd %s` first, or listen on 127.0.0.1", u.Email, passwordDefault, u.Email)
		}
	}
	return nil
}

// report says in the log what the banner would be overlooked for.
func (l firstLogin) report(log *slog.Logger) {
	if l.missing != "" {
		log.Error(l.missing)
	}
}
