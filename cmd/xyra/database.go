package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"xyra/store"
)

// target is the database that the settings name.
type target struct {
	store.Options
	name string // for people: no password in it
	dir  string // SQLite: the folder
}

// isPostgres tells which of the two databases is meant.
func (s databaseSettings) isPostgres() bool { return s.URL != "" || s.Server != "" }

// target resolves the settings; it touches nothing.
func (s databaseSettings) target() (target, error) {
	if !s.isPostgres() {
		dir, err := filepath.Abs(s.Dir)
		if err != nil {
			return target{}, badValue("XYRA_DATA_DIR", s.Dir, err.Error())
		}
		path := filepath.Join(dir, "xyra.db")
		return target{Options: store.Options{Path: path}, name: "SQLite, " + path, dir: dir}, nil
	}
	address, err := s.url()
	if err != nil {
		return target{}, err
	}
	if s.ConnsMax < 4 {
		return target{}, badValue("XYRA_POSTGRES_CONNS", strconv.Itoa(s.ConnsMax), "4 or more are needed")
	}
	query := address.Query()
	host, name := address.Host, strings.TrimPrefix(address.Path, "/")
	if host == "" {
		host = query.Get("host")
	}
	if query.Get("connect_timeout") == "" {
		query.Set("connect_timeout", "10")
		address.RawQuery = query.Encode()
	}
	return target{Options: store.Options{URL: address.String(), ConnsMax: s.ConnsMax}, name: fmt.Sprintf("PostgreSQL, %s on %s", name, host)}, nil
}

// url is DATABASE_URL, or what the POSTGRES variables say as one.
func (s databaseSettings) url() (*url.URL, error) {
	if s.URL != "" {
		address, err := url.Parse(s.URL)
		if err != nil {
			return nil, errors.New("DATABASE_URL cannot be read: write postgres://user:password@host:5432/database, special characters percent-encoded")
		}
		address.Scheme, _, _ = strings.Cut(address.Scheme, "+") // "postgresql+driver" is how SQLAlchemy names it
		if address.Scheme != "postgres" && address.Scheme != "postgresql" || strings.TrimPrefix(address.Path, "/") == "" {
			return nil, errors.New("DATABASE_URL must be like postgres://user:password@host:5432/database; for SQLite leave it unset and choose XYRA_DATA_DIR")
		}
		return address, nil
	}
	if s.Port < 1 || s.Port > 65535 {
		return nil, badValue("POSTGRES_PORT", strconv.Itoa(s.Port), "a port is a number from 1 to 65535")
	}
	query, err := parseOptions(s.Options)
	if err != nil {
		return nil, err
	}
	address := &url.URL{Scheme: "postgres", User: url.UserPassword(s.User, s.Password), Host: net.JoinHostPort(s.Server, strconv.Itoa(s.Port)), Path: "/" + s.Name}
	if s.Password == "" {
		address.User = url.User(s.User)
	}
	if _, _, err := net.SplitHostPort(s.Server); err == nil {
		address.Host = s.Server // the server names its port itself
	}
	if strings.HasPrefix(s.Server, "/") {
		address.Host = ""
		query.Set("host", s.Server)
		query.Set("port", strconv.Itoa(s.Port))
	}
	address.RawQuery = query.Encode()
	return address, nil
}

// parseOptions reads "a=1&b=2" as well as "a=1 b=2".
func parseOptions(text string) (url.Values, error) {
	query, err := url.ParseQuery(strings.Join(strings.Fields(strings.TrimPrefix(text, "?")), "&"))
	if err != nil || text != "" && !strings.Contains(text, "=") {
		return nil, badValue("POSTGRES_OPTIONS", text, "write parameters such as sslmode=require&target_session_attrs=read-write")
	}
	return query, nil
}

// open connects to the database, and makes the SQLite folder when create says so.
func (t target) open(ctx context.Context, log *slog.Logger, slowAfter time.Duration, create bool) (*store.DB, error) {
	if t.URL == "" {
		if err := t.prepareDir(create); err != nil {
			return nil, err
		}
	}
	o := t.Options
	o.Now, o.Log, o.SlowAfter = time.Now, log, slowAfter
	db, err := store.Open(ctx, o)
	if err != nil {
		return nil, openFault{target: t, err: err}
	}
	return db, nil
}

// prepareDir makes sure that the data folder is there and can be written to, for its owner alone.
func (t target) prepareDir(create bool) error {
	if !create {
		if _, err := os.Stat(t.Path); errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("there is no database at %s: choose its folder with XYRA_DATA_DIR, or start the server once to create one", t.Path)
		}
		return nil
	}
	if err := os.MkdirAll(t.dir, 0o700); err != nil {
		return fmt.Errorf("the data folder %s cannot be made: %w; choose another one with XYRA_DATA_DIR", t.dir, cause(err))
	}
	probe, err := os.CreateTemp(t.dir, ".writable-*")
	if err != nil {
		return fmt.Errorf("the data folder %s cannot be written to: %w; change its owner or choose another one with XYRA_DATA_DIR", t.dir, cause(err))
	}
	if err := errors.Join(probe.Close(), os.Remove(probe.Name())); err != nil {
		return fmt.Errorf("the data folder %s cannot be written to: %w", t.dir, cause(err))
	}
	// SQLite would let everybody read a file that it makes; what stands beside it gets the same rights.
	file, err := os.OpenFile(t.Path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("%s cannot be opened for writing: %w; change its owner or choose another folder with XYRA_DATA_DIR", t.Path, cause(err))
	}
	return file.Close()
}

// cause is a file error without the path, which the sentence around it names already.
func cause(err error) error {
	if path := (*fs.PathError)(nil); errors.As(err, &path) {
		return path.Err
	}
	return err
}

// openMigrated opens the database and brings its schema to this version. A SQLite file that another process serves is refused.
func (t target) openMigrated(ctx context.Context, log *slog.Logger, slowAfter time.Duration) (db *store.DB, steps int, err error) {
	t.Alone = true
	db, err = t.open(ctx, log, slowAfter, true)
	if err != nil {
		return nil, 0, err
	}
	steps, err = db.Migrate(ctx)
	if err != nil {
		return nil, 0, errors.Join(openFault{target: t, err: err}, db.Close())
	}
	return db, steps, nil
}
