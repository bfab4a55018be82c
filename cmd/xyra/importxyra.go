package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"text/tabwriter"

	"xyra/legacy"
	"xyra/money"
	"xyra/store"
)

// importXyraCommand moves an existing deployment's database over.
type importXyraCommand struct {
	From  string `name:"from" env:"XYRA_IMPORT_FROM" required:"" placeholder:"URL" help:"postgres:// address of the old deployment's database; it is only read. The variable hides its password from other processes."`
	Merge bool   `name:"merge" help:"Import also into a database that holds organizations or users which the old one does not have."`
	Dry   bool   `name:"dry-run" help:"Do all of it and keep nothing."`
	Brief bool   `name:"brief" help:"Print only what differs."`
}

// Help is shown below the command's options.
func (importXyraCommand) Help() string {
	return `Reads the database of an existing deployment of the Python program, of any layout, into the database of these settings: organizations, users with their passwords, API keys, agents, billing models, events and invoices, with their ids and times. Costs that the old program had made for activities and outcomes become their charges. Stop both servers first, and keep the same SECRET_KEY: tokens stay valid.

Prints the totals of each organization before and after, and what differs; code 1 says that something does. It can be run again: what is there already is compared and never changed.

docs/moving.md goes through it step by step.`
}

// Run implements the command.
func (i importXyraCommand) Run(ctx context.Context, c console, s *settings) error {
	log, err := s.Log.logger(c)
	if err != nil {
		return err
	}
	source, err := legacy.OpenSource(ctx, i.From)
	if err != nil {
		return fmt.Errorf("the old database: %w; --from names it", err)
	}
	defer source.Close()
	db, name, done, err := i.open(ctx, log, s)
	if err != nil {
		return err
	}
	defer done()
	report, err := legacy.Import(ctx, source, db, legacy.Options{Merge: i.Merge, Dry: i.Dry})
	if errors.Is(err, legacy.ErrForeign) {
		return fmt.Errorf("nothing is imported into %s: %w; choose an empty database, or --merge", name, err)
	}
	if err != nil {
		return fmt.Errorf("import into %s: %w; importing again goes on where this ended", name, err)
	}
	i.print(c.out, report, name)
	if !report.Holds() {
		return exitCode(1)
	}
	return nil
}

// open is the database to import into. A dry run must not make or change one: where there is none of this version, a
// temporary one takes its place.
func (i importXyraCommand) open(ctx context.Context, log *slog.Logger, s *settings) (db *store.DB, name string, done func(), err error) {
	to, err := s.Database.target()
	if err != nil {
		return nil, "", nil, err
	}
	if !i.Dry {
		db, _, err := to.openMigrated(ctx, log, s.Log.Slow)
		if err != nil {
			return nil, "", nil, err
		}
		return db, to.name, func() { closeLogged(log, db) }, nil
	}
	if db, err := to.open(ctx, log, s.Log.Slow, false); err == nil {
		if err := db.CheckSchema(ctx); err == nil {
			return db, to.name, func() { closeLogged(log, db) }, nil
		}
		closeLogged(log, db)
	} else if to.URL != "" {
		return nil, "", nil, err
	}
	dir, err := os.MkdirTemp("", "xyra-dry-")
	if err != nil {
		return nil, "", nil, fmt.Errorf("make a folder for the dry run: %w", err)
	}
	temporary, err := databaseSettings{Dir: dir}.target()
	if err != nil {
		return nil, "", nil, err
	}
	db, _, err = temporary.openMigrated(ctx, log, s.Log.Slow)
	if err != nil {
		return nil, "", nil, errors.Join(err, os.RemoveAll(dir))
	}
	return db, "an empty database (" + to.name + " has none of this version)", func() {
		closeLogged(log, db)
		if err := os.RemoveAll(dir); err != nil {
			log.Warn("the dry run's folder stays", "folder", dir, "error", err)
		}
	}, nil
}

func closeLogged(log *slog.Logger, db *store.DB) {
	if err := db.Close(); err != nil {
		log.Warn("close the database", "error", err)
	}
}

// print writes the reconciliation.
func (i importXyraCommand) print(out io.Writer, report *legacy.Report, name string) {
	differences, added, known := 0, int64(0), int64(0)
	for _, p := range report.Parts {
		differences += i.printPart(out, p)
		added, known = added+p.Added, known+p.Known
	}
	if len(report.Ignored) > 0 && !i.Brief {
		fmt.Fprintf(out, "Not read, for Xyra has no place for it: %s\n\n", strings.Join(report.Ignored, ", "))
	}
	what := "added"
	if i.Dry {
		what = "would be added"
	}
	fmt.Fprintf(out, "%s: %s rows %s, %s known already, %s differences", name, grouped(added), what, grouped(known), grouped(int64(differences)))
	if differences == 0 {
		fmt.Fprint(out, ": everything is here as it was there")
	}
	fmt.Fprintln(out)
}

// printPart writes one organization and returns how many differences it has.
func (i importXyraCommand) printPart(out io.Writer, p legacy.Part) (differences int) {
	differences = len(p.Differences)
	for _, t := range p.Totals {
		if !t.Holds() {
			differences++
		}
	}
	if i.Brief && differences == 0 {
		return 0
	}
	title := p.Name
	if p.Organization != 0 {
		title = fmt.Sprintf("Organization %d, %s", p.Organization, p.Name)
	}
	fmt.Fprintf(out, "%s: %s added, %s known\n", title, grouped(p.Added), grouped(p.Known))
	table := tabwriter.NewWriter(out, 2, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "\tbefore\tafter\t")
	for _, t := range p.Totals {
		mark := ""
		if !t.Holds() {
			mark = " differs by " + t.After.Sub(t.Before.Add(t.Rounded)).Plain()
		} else if !t.Rounded.IsZero() {
			mark = " rounded by " + rounding(t.Rounded)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", t.Name, t.Before.Plain(), t.After.Plain(), mark)
	}
	table.Flush()
	for _, text := range p.Differences {
		fmt.Fprintln(out, "  differs: "+text)
	}
	for _, text := range p.Notes {
		fmt.Fprintln(out, "  note: "+text)
	}
	if p.Rounded > 0 {
		fmt.Fprintf(out, "  note: %d numbers are rounded to 12 decimal places\n", p.Rounded)
	}
	fmt.Fprintln(out)
	return differences
}

// rounding is a small number with its sign.
func rounding(d money.Decimal) string {
	if d.Sign() > 0 {
		return "+" + d.Plain()
	}
	return d.Plain()
}
