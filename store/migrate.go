package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations/*.sql
var migrations embed.FS

// ErrNewerSchema means that a newer binary has already changed the schema; this one must not touch the data.
var ErrNewerSchema = errors.New("the database has a newer schema than this binary knows")

// ErrOlderSchema means that Migrate has steps to take before this binary can read the data.
var ErrOlderSchema = errors.New("the database has an older schema than this binary reads")

// How long a step on PostgreSQL waits for a table that others use, before it lets all who queued behind it go on; how long it
// lets them; and how often it tries. Another process that migrates is waited for just as long.
const (
	tableWait      = time.Second
	tablePause     = 2 * time.Second
	migrationTries = 1200
)

// Migrate brings the schema to this binary's version and returns how many steps it took. Several processes may start at
// once on PostgreSQL: one migrates, the others wait; SQLite's must be opened Alone. A step that fails is rolled back whole. On
// a Citus cluster new tables are spread over its nodes afterwards. At last, invoices that older programs have issued are chained.
func (db *DB) Migrate(ctx context.Context) (int, error) {
	provider, err := db.migrationProvider()
	if err != nil {
		return 0, err
	}
	if _, err := pendingSteps(ctx, provider); err != nil {
		return 0, err
	}
	steps, err := db.climb(ctx, provider.Up)
	if err != nil {
		return 0, fmt.Errorf("migrate: %w", err)
	}
	if err := db.distribute(ctx); err != nil {
		return 0, fmt.Errorf("spread the tables over the cluster: %w", err)
	}
	if err := db.chainInvoices(ctx); err != nil {
		return 0, err
	}
	return steps, nil
}

// climb takes all steps. Replicas of the version before go on working meanwhile: a step that does not get a table of theirs at
// once, or loses a deadlock against them, is tried again.
func (db *DB) climb(ctx context.Context, up func(context.Context) ([]*goose.MigrationResult, error)) (steps int, err error) {
	for try := 1; ; try++ {
		results, err := up(ctx)
		var partial *goose.PartialError
		if errors.As(err, &partial) {
			results = partial.Applied
		}
		steps += len(results)
		if err == nil || try == migrationTries || !db.d.isLockedOut(err) && !db.d.isRetryable(err) {
			return steps, err
		}
		db.log.Warn("migration waits for a table that is in use", "try", try, "err", err)
		pause := time.NewTimer(tablePause)
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return steps, ctx.Err()
		}
	}
}

// CheckSchema refuses a database whose schema is not exactly this binary's, with ErrOlderSchema or ErrNewerSchema.
func (db *DB) CheckSchema(ctx context.Context) error {
	provider, err := db.migrationProvider()
	if err != nil {
		return err
	}
	pending, err := pendingSteps(ctx, provider)
	if err == nil && pending {
		err = ErrOlderSchema
	}
	return err
}

// pendingSteps tells whether there is something to migrate, and refuses a schema from the future.
func pendingSteps(ctx context.Context, provider *goose.Provider) (bool, error) {
	current, target, err := provider.GetVersions(ctx)
	if err != nil {
		return false, fmt.Errorf("read the schema version: %w", err)
	}
	if current > target {
		return false, fmt.Errorf("%w: schema %d, binary %d", ErrNewerSchema, current, target)
	}
	return current < target, nil
}

func (db *DB) migrationProvider() (*goose.Provider, error) {
	steps, err := db.migrationSteps()
	if err != nil {
		return nil, err
	}
	options := []goose.ProviderOption{goose.WithGoMigrations(steps...), goose.WithDisableGlobalRegistry(true), goose.WithSlog(slog.New(slog.DiscardHandler))}
	kind := goose.DialectSQLite3
	if db.d.postgres {
		kind = goose.DialectPostgres
		locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, migrationTries))
		if err != nil {
			return nil, fmt.Errorf("make the migration lock: %w", err)
		}
		options = append(options, goose.WithSessionLocker(locker))
	}
	provider, err := goose.NewProvider(kind, db.write, nil, options...)
	if err != nil {
		return nil, fmt.Errorf("prepare migrations: %w", err)
	}
	return provider, nil
}

// migrationSteps makes one step of each number: the shared text first, then what this database needs alone.
func (db *DB) migrationSteps() ([]*goose.Migration, error) {
	own := ".sqlite.sql"
	if db.d.postgres {
		own = ".postgres.sql"
	}
	names, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return nil, fmt.Errorf("list migrations: %w", err)
	}
	texts := map[int64][]string{}
	sort.Slice(names, func(i, j int) bool { return len(names[i]) < len(names[j]) }) // "0001_x.sql" before "0001_x.sqlite.sql"
	for _, name := range names {
		file := path.Base(name)
		if strings.Count(file, ".") > 1 && !strings.HasSuffix(file, own) {
			continue
		}
		version, err := strconv.ParseInt(file[:4], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("migration %s has no number: %w", file, err)
		}
		text, err := migrations.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("read migration %s: %w", file, err)
		}
		texts[version] = append(texts[version], statements(db.d.schema(string(text)))...)
	}
	steps := make([]*goose.Migration, 0, len(texts))
	for version, parts := range texts {
		run := func(ctx context.Context, tx *sql.Tx) error { return db.step(ctx, tx, version, parts) }
		steps = append(steps, goose.NewGoMigration(version, &goose.GoFunc{RunTx: run}, nil))
	}
	sort.Slice(steps, func(i, j int) bool { return steps[i].Version < steps[j].Version })
	return steps, nil
}

// step takes one step in its transaction.
func (db *DB) step(ctx context.Context, tx *sql.Tx, version int64, parts []string) error {
	if db.d.postgres {
		parts = append([]string{fmt.Sprintf("%s; SET LOCAL lock_timeout = %d", keepLocal, tableWait.Milliseconds())}, parts...)
	}
	for _, part := range parts {
		started := db.slow.now()
		if _, err := tx.ExecContext(ctx, part); err != nil {
			return err
		}
		db.slow.observe(ctx, fmt.Sprintf("migration %d", version), started)
	}
	return nil
}

// statements cuts a migration where a line that is not indented ends with a semicolon. What it does not cut is executed
// together, which is as good.
func statements(text string) (list []string) {
	var open strings.Builder
	for line := range strings.Lines(text) {
		open.WriteString(line)
		if end := strings.TrimRight(line, "\r\n"); strings.HasSuffix(end, ";") && !strings.HasPrefix(end, "\t") && !strings.HasPrefix(end, " ") && !strings.HasPrefix(end, "--") {
			list = append(list, open.String())
			open.Reset()
		}
	}
	if strings.TrimSpace(open.String()) != "" {
		list = append(list, open.String())
	}
	return list
}
