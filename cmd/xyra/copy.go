package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"xyra/store"
)

// copyCommand moves an installation from SQLite to PostgreSQL.
type copyCommand struct {
	From string `required:"" placeholder:"sqlite:PATH" help:"The SQLite file, or the data folder it is in."`
	To   string `required:"" placeholder:"postgres://…" help:"An empty PostgreSQL database, as DATABASE_URL names one."`
}

// Help is shown below the command's options.
func (copyCommand) Help() string {
	return `Stop the server first: while the copy runs nothing else can write to the file, but what is written to it afterwards stays behind.

All rows, ids, numbers, passwords and audit chains are taken along, in one transaction: a copy that is interrupted leaves nothing, and can be started again. Then everything is recomputed from the raw rows, as verify does. The SQLite file is only read; keep it until you are content.

Logins go on only with the same SECRET_KEY: without one, SQLite's is in secret.key in the data folder.`
}

// Run implements the command.
func (f copyCommand) Run(ctx context.Context, c console, s *settings) error {
	log, err := s.Log.logger(c)
	if err != nil {
		return err
	}
	source, err := f.source()
	if err != nil {
		return err
	}
	destination, err := databaseSettings{URL: f.To, ConnsMax: s.Database.ConnsMax}.target()
	if err != nil {
		return fmt.Errorf("--to cannot be used: write postgres://user:password@host:5432/database, special characters percent-encoded (%w)", err)
	}
	from, err := source.open(ctx, log, s.Log.Slow, false)
	if err != nil {
		return err
	}
	defer from.Close()
	to, _, err := destination.openMigrated(ctx, log, s.Log.Slow)
	if err != nil {
		return err
	}
	return errors.Join(f.fill(ctx, c, from, to, destination.name), to.Close())
}

// source is the file that --from means.
func (f copyCommand) source() (target, error) {
	path, found := strings.CutPrefix(f.From, "sqlite:")
	path = strings.TrimPrefix(path, "//")
	if !found || path == "" {
		return target{}, fmt.Errorf("--from=%s cannot be used: write sqlite: and the path of the file, such as sqlite:data/xyra.db", f.From)
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return target{}, fmt.Errorf("--from=%s cannot be used: %w", f.From, err)
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, "xyra.db")
	}
	return target{Options: store.Options{Path: path}, name: "SQLite, " + path, dir: filepath.Dir(path)}, nil
}

func (f copyCommand) fill(ctx context.Context, c console, from, to *store.DB, name string) error {
	err := store.Copy(ctx, from, to, func(table string, rows int64) { fmt.Fprintf(c.out, "%12d  %s\n", rows, table) })
	switch {
	case errors.Is(err, store.ErrCopyNotEmpty):
		return fmt.Errorf("%s has rows already: only an empty database can be filled; create another one, and do not start a server on it first", name)
	case errors.Is(err, store.ErrCopySchema):
		return fmt.Errorf("the SQLite file is not of this version: run `xyra migrate` on it with this binary first (%w)", err)
	case err != nil:
		return fmt.Errorf("nothing was copied: %w", err)
	}
	faults, err := verify(ctx, to)
	if err != nil {
		return fmt.Errorf("all rows are there, but verify could not run: %w; run `xyra verify` on %s before you use it", err, name)
	}
	for _, fault := range faults {
		fmt.Fprintln(c.out, fault)
	}
	if len(faults) > 0 {
		return fmt.Errorf("all rows are there, but %d of them do not add up: run `xyra verify` on the SQLite file, and tell us if it is content", len(faults))
	}
	fmt.Fprintf(c.out, "%s holds everything, and it adds up. Set DATABASE_URL or POSTGRES_SERVER, keep SECRET_KEY, and start.\n", name)
	return nil
}
