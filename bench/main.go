package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

// options are the flags.
type options struct {
	only           string
	rounds         int
	span           time.Duration
	eventsPostgres int
	eventsSQLite   int
	logs           string
	profiles       string
	xyra           string
	against        string
	database       string
	connections    string
	page           string
}

// sections are the parts of the measurement, in the order of the table.
var sections = []struct {
	name string
	run  func(*bench, context.Context) error
}{
	{"singles", (*bench).singles},
	{"builds", (*bench).builds},
	{"batches", (*bench).batches},
	{"replicas", (*bench).replicas},
	{"reads", (*bench).reads},
}

// roles are what this program is when it starts itself: each reads its task as JSON from standard input.
var roles = map[string]func(context.Context) error{
	"load":     loadRole,
	"noop":     noopRole,
	"nocommit": nocommitRole,
	"copy":     copyRole,
	"raw":      rawRole,
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	run := benchRole
	if len(os.Args) > 1 && roles[os.Args[1]] != nil {
		run = roles[os.Args[1]]
	}
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

func benchRole(ctx context.Context) error {
	var o options
	flag.StringVar(&o.only, "only", "", "sections to run, with commas: singles, builds, batches, replicas, reads; all by default")
	flag.IntVar(&o.rounds, "rounds", 5, "turns of everything that is compared")
	flag.DurationVar(&o.span, "span", 2*time.Second, "how long each turn of single posts lasts")
	flag.IntVar(&o.eventsPostgres, "postgres-events", 1_000_000, "events behind the reads on PostgreSQL")
	flag.IntVar(&o.eventsSQLite, "sqlite-events", 500_000, "events behind the reads on SQLite")
	flag.StringVar(&o.logs, "logs", "", "folder for the servers' logs; none by default")
	flag.StringVar(&o.profiles, "profiles", "", "folder for processor profiles of the servers, one a turn; none by default")
	flag.StringVar(&o.xyra, "xyra", "", "a built xyra to measure instead of building ./cmd/xyra")
	flag.StringVar(&o.against, "against", "", "another built xyra: section builds compares single posts of both")
	flag.StringVar(&o.database, "database", "", "SQLite or PostgreSQL alone; both by default")
	flag.StringVar(&o.connections, "connections", "64,256", "connections of single posts, with commas")
	flag.StringVar(&o.page, "page", "", "a page such as docs/benchmarks.md whose last section is replaced by the table; none by default")
	long := flag.Bool("long", false, "reads over 10,000,000 events on PostgreSQL and 2,000,000 on SQLite")
	flag.Parse()
	if *long {
		o.eventsPostgres, o.eventsSQLite = 10_000_000, 2_000_000
	}
	b, err := newBench(ctx, o)
	if err != nil {
		return err
	}
	for _, section := range sections {
		if o.only != "" && !slices.Contains(strings.Split(o.only, ","), section.name) {
			continue
		}
		if err := section.run(b, ctx); err != nil {
			return errors.Join(fmt.Errorf("%s: %w", section.name, err), b.close())
		}
	}
	b.table.print(os.Stdout)
	if o.page != "" {
		err = b.table.write(o.page)
	}
	return errors.Join(err, b.close())
}

// task reads a role's task.
func task[T any]() (t T, err error) {
	err = json.NewDecoder(os.Stdin).Decode(&t)
	return t, err
}
