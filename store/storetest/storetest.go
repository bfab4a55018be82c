// Package storetest gives tests real databases: an empty, migrated SQLite file or PostgreSQL database each, gone when the
// test ends. PostgreSQL is the server in XYRA_TEST_POSTGRES, which `make test` starts; without it those cases fail.
package storetest

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"xyra/store"
)

// Clock is a settable clock. It moves only by hand.
type Clock struct{ micros atomic.Int64 }

// NewClock starts a clock at an instant.
func NewClock(at time.Time) *Clock {
	c := &Clock{}
	c.Set(at)
	return c
}

// Now is the clock's instant, UTC.
func (c *Clock) Now() time.Time { return time.UnixMicro(c.micros.Load()).UTC() }

// Set moves the clock to an instant, backwards too.
func (c *Clock) Set(at time.Time) { c.micros.Store(at.UnixMicro()) }

// Advance moves the clock forward.
func (c *Clock) Advance(d time.Duration) { c.micros.Add(d.Microseconds()) }

// Start is where the clocks of Each begin: an ordinary Wednesday noon.
var Start = time.Date(2024, 5, 15, 12, 0, 0, 0, time.UTC)

// Each runs f as a subtest on an empty migrated database of each kind, with a clock that stands at Start.
func Each(t *testing.T, f func(t *testing.T, db *store.DB, clock *Clock)) {
	t.Helper()
	EachTarget(t, func(t *testing.T, target store.Options) {
		clock := NewClock(Start)
		target.Now = clock.Now
		f(t, Open(t, target), clock)
	})
}

// EachTarget runs f as a subtest with the address of an empty migrated database of each kind, for tests that open it more
// than once. Now is left to the caller. With XYRA_TEST_ONLY_POSTGRES set, SQLite is left out.
func EachTarget(t *testing.T, f func(t *testing.T, target store.Options)) {
	t.Helper()
	if os.Getenv("XYRA_TEST_ONLY_POSTGRES") == "" {
		t.Run("SQLite", func(t *testing.T) {
			t.Parallel()
			f(t, SQLite(t))
		})
	}
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		f(t, Postgres(t))
	})
}

// Another is an empty migrated database of the same kind as a target.
func Another(t testing.TB, target store.Options) store.Options {
	t.Helper()
	if target.URL != "" {
		return Postgres(t)
	}
	return SQLite(t)
}

// Open opens a target and closes it when the test ends.
func Open(t testing.TB, target store.Options) *store.DB {
	t.Helper()
	db, err := store.Open(t.Context(), target)
	if err != nil {
		t.Fatalf("open %s%s: %v", target.Path, target.URL, err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("close the database: %v", err)
		}
	})
	return db
}

// SQLite makes an empty migrated file.
func SQLite(t testing.TB) store.Options {
	t.Helper()
	image, err := sqliteTemplate()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "xyra.db")
	if err := os.WriteFile(path, image, 0o600); err != nil {
		t.Fatal(err)
	}
	return store.Options{Path: path}
}

// sqliteTemplate is the image of a migrated file, made once a process.
var sqliteTemplate = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "xyra-template")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "xyra.db")
	if err := migrate(store.Options{Path: path}); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})

func migrate(target store.Options) error {
	target.Now = func() time.Time { return Start }
	db, err := store.Open(context.Background(), target)
	if err != nil {
		return err
	}
	if _, err := db.Migrate(context.Background()); err != nil {
		return err
	}
	return db.Close()
}

var databases atomic.Int64

// Postgres makes an empty migrated database on the test server and drops it when the test ends.
func Postgres(t testing.TB) store.Options {
	t.Helper()
	template, err := postgresTemplate()
	if err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("%s_%d", template, databases.Add(1))
	if err := admin("CREATE DATABASE " + name + " TEMPLATE " + template); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := admin("DROP DATABASE " + name + " WITH (FORCE)"); err != nil {
			t.Error(err)
		}
	})
	return store.Options{URL: databaseURL(name)}
}

// postgresTemplate is the name of a migrated database, made once a process.
var postgresTemplate = sync.OnceValues(func() (string, error) {
	if os.Getenv("XYRA_TEST_POSTGRES") == "" {
		return "", fmt.Errorf("XYRA_TEST_POSTGRES is not set: run `make test`, which starts a private PostgreSQL server")
	}
	name := fmt.Sprintf("xyra_test_%d", os.Getpid())
	if err := admin("DROP DATABASE IF EXISTS "+name, "CREATE DATABASE "+name); err != nil {
		return "", err
	}
	return name, migrate(store.Options{URL: databaseURL(name)})
})

var adminLock sync.Mutex // a template cannot be copied by two at once

func admin(statements ...string) error {
	adminLock.Lock()
	defer adminLock.Unlock()
	db, err := sql.Open("pgx", os.Getenv("XYRA_TEST_POSTGRES"))
	if err != nil {
		return err
	}
	defer db.Close()
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
	}
	return nil
}

// databaseURL is the test server's address with another database.
func databaseURL(name string) string {
	server := os.Getenv("XYRA_TEST_POSTGRES")
	u, err := url.Parse(server)
	if err != nil || !strings.HasPrefix(u.Scheme, "postgres") {
		panic("XYRA_TEST_POSTGRES must be a postgres:// URL")
	}
	u.Path = "/" + name
	return u.String()
}
