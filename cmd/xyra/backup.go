package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"xyra/store"
)

// backupCommand copies the SQLite database of the settings to one file.
type backupCommand struct {
	File   string `arg:"" help:"The new file; one that exists is never overwritten."`
	Verify bool   `default:"true" negatable:"" help:"Prove that the copy adds up before it gets its name."`
}

// Run implements the command.
func (b backupCommand) Run(ctx context.Context, c console, s *settings) error {
	if s.Database.isPostgres() {
		return errors.New("PostgreSQL is backed up with its own tools: see deploy/backup-postgres.sh and docs/operations.md")
	}
	if err := refuseTaken(b.File); err != nil {
		return err
	}
	log, err := s.Log.logger(c)
	if err != nil {
		return err
	}
	started := time.Now()
	db, name, err := s.openExisting(ctx, c)
	if err != nil {
		return err
	}
	size, err := wholeFile(b.File, func(path string) error {
		if err := db.Backup(ctx, path); err != nil {
			return err
		}
		if !b.Verify {
			return nil
		}
		_, err := proveCopy(ctx, path, log, s.Log.Slow)
		return err
	})
	if err = errors.Join(err, db.Close()); err != nil {
		return fmt.Errorf("no backup is made of %s: %w", name, err)
	}
	proof := "it adds up"
	if !b.Verify {
		proof = "not verified"
	}
	fmt.Fprintf(c.out, "backup: %s holds %s as it was at %s; %s bytes, %s\n", b.File, name, started.UTC().Format(time.RFC3339), grouped(size), proof)
	return nil
}

// restoreCommand puts a backup in the place of a database that is not there.
type restoreCommand struct {
	File string `arg:"" help:"A file made by xyra backup. It is only read."`
}

// Run implements the command.
func (r restoreCommand) Run(ctx context.Context, c console, s *settings) error {
	if s.Database.isPostgres() {
		return errors.New("PostgreSQL is restored with its own tools: see deploy/restore-postgres.sh and docs/operations.md")
	}
	log, err := s.Log.logger(c)
	if err != nil {
		return err
	}
	t, err := s.Database.target()
	if err != nil {
		return err
	}
	for _, path := range []string{t.Path, t.Path + "-wal", t.Path + "-journal"} {
		if err := refuseTaken(path); err != nil {
			return fmt.Errorf("%w; stop the server and move the old database away, or choose another folder with XYRA_DATA_DIR", err)
		}
	}
	if err := os.MkdirAll(t.dir, 0o700); err != nil {
		return fmt.Errorf("the data folder %s cannot be made: %w; choose another one with XYRA_DATA_DIR", t.dir, cause(err))
	}
	steps := 0
	_, err = wholeFile(t.Path, func(path string) (err error) {
		if err := copyFile(path, r.File); err != nil {
			return err
		}
		steps, err = proveCopy(ctx, path, log, s.Log.Slow)
		return err
	})
	if err != nil {
		return fmt.Errorf("nothing is restored from %s: %w", r.File, err)
	}
	fmt.Fprintf(c.out, "restore: %s is back at %s and adds up; %d steps brought its schema to this version\n", r.File, t.Path, steps)
	if _, err := os.Stat(filepath.Join(t.dir, "secret.key")); errors.Is(err, fs.ErrNotExist) && s.Login.Secret == "" {
		fmt.Fprintf(c.out, "restore: there is no secret.key in %s: put the old one there, or all sessions end\n", t.dir)
	}
	return nil
}

// proveCopy opens a copy, brings its schema to this version and recomputes everything.
func proveCopy(ctx context.Context, path string, log *slog.Logger, slowAfter time.Duration) (steps int, err error) {
	copied := target{Options: store.Options{Path: path}, name: path, dir: filepath.Dir(path)}
	db, steps, err := copied.openMigrated(ctx, log, slowAfter)
	if err != nil {
		return 0, err
	}
	faults, err := verify(ctx, db)
	if err = errors.Join(err, db.Close()); err != nil {
		return 0, fmt.Errorf("verify the copy: %w", err)
	}
	if len(faults) > 0 {
		return 0, fmt.Errorf("the copy does not add up, %d differences: %s", len(faults), faults[0])
	}
	return steps, nil
}

func refuseTaken(path string) error {
	_, err := os.Lstat(path)
	switch {
	case err == nil:
		return fmt.Errorf("%s is there already and is never overwritten", path)
	case !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("look at %s: %w", path, cause(err))
	}
	return nil
}

// wholeFile makes a file that is complete and on disk from the moment it has its name. fill writes it elsewhere in the same
// folder, for its owner alone.
func wholeFile(path string, fill func(path string) error) (size int64, err error) {
	dir, err := os.MkdirTemp(filepath.Dir(path), ".xyra-copy-*")
	if err != nil {
		return 0, fmt.Errorf("%s cannot be written to: %w", filepath.Dir(path), cause(err))
	}
	defer func() {
		if removing := os.RemoveAll(dir); removing != nil {
			err = errors.Join(err, fmt.Errorf("remove %s: %w", dir, cause(removing)))
		}
	}()
	part := filepath.Join(dir, "copy.db")
	file, err := os.OpenFile(part, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return 0, fmt.Errorf("write %s: %w", part, cause(err))
	}
	defer file.Close()
	if err := fill(part); err != nil {
		return 0, err
	}
	info, err := file.Stat()
	if err != nil {
		return 0, fmt.Errorf("look at the copy: %w", err)
	}
	if err := file.Sync(); err != nil {
		return 0, fmt.Errorf("bring the copy to disk: %w", err)
	}
	// Link refuses a name that was taken meanwhile.
	if err := os.Link(part, path); err != nil {
		return 0, fmt.Errorf("give the copy its name: %w", err)
	}
	return info.Size(), syncFolder(filepath.Dir(path))
}

func copyFile(to, from string) (err error) {
	source, err := os.Open(from)
	if err != nil {
		return fmt.Errorf("it cannot be read: %w", cause(err))
	}
	defer source.Close()
	for _, journal := range []string{from + "-wal", from + "-journal"} {
		if info, err := os.Stat(journal); err == nil && info.Size() > 0 {
			return fmt.Errorf("%s lies beside it, so it is a database in use and no backup: make one with xyra backup", filepath.Base(journal))
		}
	}
	file, err := os.OpenFile(to, os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("write the copy: %w", cause(err))
	}
	_, err = io.Copy(file, source)
	if err = errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("copy it: %w", err)
	}
	return nil
}
