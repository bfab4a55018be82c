package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// bench is the measurement: a folder, the built program, the servers that run, and the table that grows.
type bench struct {
	options
	dir     string
	servers []*server
	made    int // databases

	connectionCounts []int
	table            table
}

// secret signs the tokens of every server here, so that all of them know the same callers.
const secret = "bench-bench-bench-bench-bench-bench"

// password is the first superuser's.
const password = "correct-horse-battery"

func newBench(ctx context.Context, o options) (*bench, error) {
	if os.Getenv("XYRA_TEST_POSTGRES") == "" {
		return nil, errors.New("XYRA_TEST_POSTGRES is not set: run `make bench`, which starts a private PostgreSQL server")
	}
	dir, err := os.MkdirTemp("", "xyra-bench-")
	if err != nil {
		return nil, err
	}
	b := &bench{options: o, dir: dir}
	for text := range strings.SplitSeq(o.connections, ",") {
		count, err := strconv.Atoi(text)
		if err != nil || count < 1 {
			return nil, fmt.Errorf("-connections %s: write numbers such as 64,256", o.connections)
		}
		b.connectionCounts = append(b.connectionCounts, count)
	}
	for _, folder := range []*string{&b.logs, &b.profiles} {
		if *folder == "" {
			continue
		}
		if *folder, err = filepath.Abs(*folder); err != nil {
			return nil, err
		}
		if err := os.MkdirAll(*folder, 0o755); err != nil {
			return nil, err
		}
	}
	if b.xyra != "" {
		b.xyra, err = filepath.Abs(b.xyra)
		return b, err
	}
	b.xyra = filepath.Join(dir, "xyra")
	build := exec.CommandContext(ctx, "go", "build", "-o", b.xyra, "./cmd/xyra")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, errors.Join(fmt.Errorf("build ./cmd/xyra: %w\n%s", err, out), b.close())
	}
	return b, nil
}

// close stops every server and removes the folder; PostgreSQL's databases go with their server.
func (b *bench) close() error {
	return errors.Join(b.stopServers(), os.RemoveAll(b.dir))
}

func (b *bench) stopServers() (err error) {
	for _, s := range b.servers {
		err = errors.Join(err, s.stop())
	}
	b.servers = nil
	return err
}

// database is an empty one of either kind.
type database struct {
	name string // for the table
	dir  string // SQLite
	url  string // PostgreSQL
}

func (d database) isPostgres() bool { return d.url != "" }

func (d database) path() string { return filepath.Join(d.dir, "xyra.db") }

// wants tells whether a kind of database is to be measured.
func (b *bench) wants(name string) bool {
	return b.database == "" || strings.EqualFold(b.database, name)
}

// both are one new database of each kind that is wanted.
func (b *bench) both(ctx context.Context) ([]database, error) {
	var list []database
	if b.wants("SQLite") {
		d, err := b.sqlite()
		if err != nil {
			return nil, err
		}
		list = append(list, d)
	}
	if b.wants("PostgreSQL") {
		d, err := b.postgres(ctx)
		if err != nil {
			return nil, err
		}
		list = append(list, d)
	}
	return list, nil
}

func (b *bench) sqlite() (database, error) {
	b.made++
	d := database{name: "SQLite", dir: filepath.Join(b.dir, fmt.Sprintf("data-%d", b.made))}
	return d, os.Mkdir(d.dir, 0o700)
}

func (b *bench) postgres(ctx context.Context) (database, error) {
	b.made++
	name := fmt.Sprintf("xyra_bench_%d_%d", os.Getpid(), b.made)
	u, err := url.Parse(os.Getenv("XYRA_TEST_POSTGRES"))
	if err != nil {
		return database{}, fmt.Errorf("read XYRA_TEST_POSTGRES: %w", err)
	}
	db, err := sql.Open("pgx", u.String())
	if err != nil {
		return database{}, err
	}
	defer db.Close()
	if _, err := db.ExecContext(ctx, "CREATE DATABASE "+name); err != nil {
		return database{}, fmt.Errorf("create a database: %w", err)
	}
	u.Path = "/" + name
	return database{name: "PostgreSQL", url: u.String()}, nil
}

// variables make xyra use a database.
func (d database) variables() []string {
	if d.isPostgres() {
		return []string{"DATABASE_URL=" + d.url, "SECRET_KEY=" + secret}
	}
	return []string{"XYRA_DATA_DIR=" + d.dir, "SECRET_KEY=" + secret}
}

// serve starts the built program on a database.
func (b *bench) serve(ctx context.Context, d database) (*server, error) {
	return b.serveBuild(ctx, d, b.xyra)
}

// serveBuild is serve with another program.
func (b *bench) serveBuild(ctx context.Context, d database, program string) (*server, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	profile, err := freeAddress()
	if err != nil {
		return nil, err
	}
	variables := append(d.variables(), "XYRA_ADDR="+address, "FIRST_SUPERUSER_PASSWORD="+password, "FIRST_SUPERUSER=admin@example.com")
	if b.profiles != "" {
		variables = append(variables, "PPROF_ADDR="+profile)
	}
	s, err := b.start(ctx, "xyra", address, variables, nil, program, "serve")
	if err == nil {
		s.profile = profile
	}
	return s, err
}

// serveRole starts one of this program's own servers.
func (b *bench) serveRole(ctx context.Context, name string, d database) (*server, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	profile, err := freeAddress()
	if err != nil {
		return nil, err
	}
	t := serveTask{Address: address, URL: d.url, Secret: secret}
	if b.profiles != "" {
		t.Profile = profile
	}
	if d.dir != "" {
		t.Path = d.path()
	}
	input, err := json.Marshal(t)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	s, err := b.start(ctx, name, address, nil, input, self, name)
	if err == nil {
		s.profile = profile
	}
	return s, err
}

// verify runs xyra verify on a database and says how long it took.
func (b *bench) verify(ctx context.Context, d database) (time.Duration, error) {
	cmd := exec.CommandContext(ctx, b.xyra, "verify")
	cmd.Env, cmd.Dir = append(d.variables(), "PATH="+os.Getenv("PATH")), b.dir
	began := time.Now()
	if out, err := cmd.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("verify %s: %w\n%s", d.name, err, out)
	}
	return time.Since(began), nil
}

// postmaster is the process of the private PostgreSQL server, 0 when it is not ours to look at.
func postmaster() (int, error) {
	dir := os.Getenv("XYRA_TEST_POSTGRES_DIR")
	if dir == "" {
		return 0, nil
	}
	text, err := os.ReadFile(filepath.Join(dir, "data", "postmaster.pid"))
	if err != nil {
		return 0, err
	}
	first, _, _ := strings.Cut(string(text), "\n")
	return strconv.Atoi(first)
}
