package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"golang.org/x/term"

	"xyra"
	"xyra/auth"
	"xyra/billing"
	"xyra/store"
	"xyra/usage"
)

// migrateCommand brings the schema up to date.
type migrateCommand struct{}

// Run implements the command.
func (migrateCommand) Run(ctx context.Context, c console, s *settings) error {
	log, err := s.Log.logger(c)
	if err != nil {
		return err
	}
	target, err := s.Database.target()
	if err != nil {
		return err
	}
	db, steps, err := target.openMigrated(ctx, log, s.Log.Slow)
	if err != nil {
		return err
	}
	if steps == 0 {
		fmt.Fprintf(c.out, "%s: the schema is this version's already\n", target.name)
	} else {
		fmt.Fprintf(c.out, "%s: the schema is this version's now, %d steps taken\n", target.name, steps)
	}
	return db.Close()
}

// verifyCommand proves that the books add up.
type verifyCommand struct{}

// Run implements the command.
func (verifyCommand) Run(ctx context.Context, c console, s *settings) error {
	db, name, err := s.openExisting(ctx, c)
	if err != nil {
		return err
	}
	faults, err := verify(ctx, db)
	err = errors.Join(err, db.Close())
	if err != nil {
		return fmt.Errorf("verify %s: %w", name, err)
	}
	if len(faults) > 0 {
		for _, fault := range faults {
			fmt.Fprintln(c.out, fault)
		}
		return fmt.Errorf("verify: %s does not add up: %d differences", name, len(faults))
	}
	fmt.Fprintf(c.out, "verify: %s adds up: every charge, hour, period, invoice and audit chain equals what its raw rows say\n", name)
	return nil
}

// verify recomputes everything that is derived; each text is a row that differs.
func verify(ctx context.Context, db *store.DB) (faults []string, err error) {
	checks := []func(context.Context) ([]string, error){
		func(ctx context.Context) ([]string, error) { return usage.Verify(ctx, db) },
		func(ctx context.Context) ([]string, error) { return billing.Verify(ctx, db) },
		db.VerifyAudit,
	}
	for _, check := range checks {
		found, err := check(ctx)
		if err != nil {
			return nil, err
		}
		faults = append(faults, found...)
	}
	return faults, nil
}

// openExisting opens the database of the settings, which must have this version's schema already.
func (s *settings) openExisting(ctx context.Context, c console) (*store.DB, string, error) {
	log, err := s.Log.logger(c)
	if err != nil {
		return nil, "", err
	}
	target, err := s.Database.target()
	if err != nil {
		return nil, "", err
	}
	db, err := target.open(ctx, log, s.Log.Slow, false)
	if err != nil {
		return nil, "", err
	}
	if err := db.CheckSchema(ctx); err != nil {
		return nil, "", errors.Join(openFault{target: target, err: err}, db.Close())
	}
	return db, target.name, nil
}

// passwdCommand sets a user's password.
type passwdCommand struct {
	Email string `arg:"" help:"Whose password."`
}

// Run implements the command.
func (p passwdCommand) Run(ctx context.Context, c console, s *settings) error {
	db, name, err := s.openExisting(ctx, c)
	if err != nil {
		return err
	}
	return errors.Join(p.set(ctx, c, db, name), db.Close())
}

func (p passwdCommand) set(ctx context.Context, c console, db *store.DB, name string) error {
	_, key, err := xyra.ParseEmail(p.Email)
	if err != nil {
		return fmt.Errorf("%q is no e-mail address: %w", p.Email, err)
	}
	user, err := db.UserByEmail(ctx, key)
	if xyra.HasCode(err, xyra.CodeNotFound) {
		return fmt.Errorf("nobody has the address %s in %s: correct the address or choose the right database", p.Email, name)
	}
	if err != nil {
		return fmt.Errorf("look for %s: %w", p.Email, err)
	}
	password, err := readPassword(c, user.Email)
	if err != nil {
		return err
	}
	gate := auth.New(db, auth.Options{Secret: []byte(randomText()), Now: time.Now}) // it signs nothing here
	defer gate.Close()
	if err := gate.SetPassword(ctx, user.Email, password); err != nil {
		return fmt.Errorf("the password of %s stays as it was: %w", user.Email, err)
	}
	fmt.Fprintf(c.out, "%s has a new password; all sessions with the old one have ended\n", user.Email)
	return nil
}

// readPassword asks without showing it on a terminal, and else takes the first line of the input.
func readPassword(c console, email string) (string, error) {
	file, isFile := c.in.(*os.File)
	if isFile && term.IsTerminal(int(file.Fd())) {
		fmt.Fprintf(c.err, "New password of %s: ", email)
		typed, err := term.ReadPassword(int(file.Fd()))
		fmt.Fprintln(c.err)
		if err != nil {
			return "", fmt.Errorf("read the password: %w", err)
		}
		return string(typed), nil
	}
	line, err := bufio.NewReader(io.LimitReader(c.in, 8<<10)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read the password from standard input: %w", err)
	}
	return strings.TrimRight(line, "\r\n"), nil
}

// versionCommand prints what this is.
type versionCommand struct{}

// Run implements the command.
func (versionCommand) Run(c console) error {
	fmt.Fprintf(c.out, "xyra %s %s %s/%s\n", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return nil
}

// version is the module's, as the Go command recorded it.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" || info.Main.Version == "(devel)" {
		return "0.1.0-dev"
	}
	return info.Main.Version
}

// healthcheckCommand asks the server that the same settings would start.
type healthcheckCommand struct{}

// Run implements the command.
func (healthcheckCommand) Run(ctx context.Context, c console, s *settings) error {
	address, err := s.Listen.address()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	client, err := s.Listen.localClient()
	if err != nil {
		return err
	}
	at := s.Listen.url(address)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, at+"/ready", nil)
	if err != nil {
		return fmt.Errorf("ask %s: %w", address, err)
	}
	answer, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("no server answers at %s: start it, or set XYRA_ADDR or PORT as it has them", at)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("the server at %s is not ready: it answers %s", at, answer.Status)
	}
	fmt.Fprintln(c.out, "ready")
	return nil
}
