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

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations/*.sql
var migrations embed.FS

// ErrNewerSchema means that a newer binary has already changed the schema; this one must not touch the data.
var ErrNewerSchema = errors.New("the database has a newer schema than this binary knows")

// ErrOlderSchema means that Migrate has steps to take before this binary can read the data.
var ErrOlderSchema = errors.New("the database has an older schema than this binary reads")

// Migrate brings the schema to this binary's version and returns how many steps it took. Several processes may start at
// once: one migrates, the others wait. A step that fails is rolled back whole. On a Citus cluster new tables are spread over its
// nodes afterwards.
func (db *DB) Migrate(ctx context.Context) (int, error) {
	provider, err := db.migrationProvider()
	if err != nil {
		return 0, err
	}
	if _, err := pendingSteps(ctx, provider); err != nil {
		return 0, err
	}
	results, err := provider.Up(ctx)
	if err != nil {
		return 0, fmt.Errorf("migrate: %w", err)
	}
	if err := db.distribute(ctx); err != nil {
		return 0, fmt.Errorf("spread the tables over the cluster: %w", err)
	}
	return len(results), nil
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
	steps, err := migrationSteps(db.d)
	if err != nil {
		return nil, err
	}
	options := []goose.ProviderOption{goose.WithGoMigrations(steps...), goose.WithDisableGlobalRegistry(true), goose.WithSlog(slog.New(slog.DiscardHandler))}
	kind := goose.DialectSQLite3
	if db.d.postgres {
		kind = goose.DialectPostgres
		locker, err := lock.NewPostgresSessionLocker()
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
func migrationSteps(d *dialect) ([]*goose.Migration, error) {
	own := ".sqlite.sql"
	if d.postgres {
		own = ".postgres.sql"
	}
	names, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return nil, fmt.Errorf("list migrations: %w", err)
	}
	var before string
	if d.postgres {
		before = keepLocal + ";\n"
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
		texts[version] = append(texts[version], d.schema(string(text)))
	}
	steps := make([]*goose.Migration, 0, len(texts))
	for version, parts := range texts {
		run := func(ctx context.Context, tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, before+strings.Join(parts, "\n"))
			return err
		}
		steps = append(steps, goose.NewGoMigration(version, &goose.GoFunc{RunTx: run}, nil))
	}
	sort.Slice(steps, func(i, j int) bool { return steps[i].Version < steps[j].Version })
	return steps, nil
}
