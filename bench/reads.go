package main

import (
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"time"
)

const (
	readAgents  = 100
	readsEach   = 200 // requests a round
	smallEvents = 100_000
)

// shelf is a database with a known number of events and a server on it.
type shelf struct {
	database
	events int
	world  *world
	server *server
}

// reads compares what the same questions cost over few and over many events.
func (b *bench) reads(ctx context.Context) error {
	now := time.Now().UTC()
	month := time.Date(now.Year(), now.Month()-1, 1, 0, 0, 0, 0, time.UTC)
	for _, kind := range []struct {
		name   string
		make   func() (database, error)
		events int
	}{
		{"SQLite", b.sqlite, b.eventsSQLite},
		{"PostgreSQL", func() (database, error) { return b.postgres(ctx) }, b.eventsPostgres},
	} {
		if !b.wants(kind.name) {
			continue
		}
		var shelves []*shelf
		for _, events := range []int{smallEvents, kind.events} {
			d, err := kind.make()
			if err != nil {
				return err
			}
			s := &shelf{database: d, events: events}
			if err := b.fillShelf(ctx, s, month); err != nil {
				return err
			}
			shelves = append(shelves, s)
		}
		if err := b.compareReads(ctx, shelves, month); err != nil {
			return err
		}
	}
	return nil
}

// fillShelf makes a customer, stops the server to fill the database, and starts it again.
func (b *bench) fillShelf(ctx context.Context, s *shelf, month time.Time) error {
	first, err := b.serve(ctx, s.database)
	if err != nil {
		return err
	}
	if s.world, err = makeWorld(ctx, first, readAgents); err != nil {
		return err
	}
	if err := first.stop(); err != nil {
		return err
	}
	before, err := s.bytesOnDisk(ctx)
	if err != nil {
		return err
	}
	began := time.Now()
	if err := fill(ctx, s.database, s.world, s.events, month); err != nil {
		return err
	}
	took := time.Since(began)
	after, err := s.bytesOnDisk(ctx)
	if err != nil {
		return err
	}
	if err := s.settle(ctx); err != nil {
		return err
	}
	what := fmt.Sprintf("%d events, %s", s.events, s.name)
	b.table.fact(what, "recorder without HTTP, drafts of 10,000", fmt.Sprintf("%d/s", int64(s.events)*1000/max(took.Milliseconds(), 1)))
	b.table.fact(what, "bytes on disk an event, rollups and keys included", fmt.Sprint((after-before)/int64(s.events)))
	s.server, err = b.serve(ctx, s.database)
	if err == nil {
		s.world.operator.root = "http://" + s.server.address + "/api/v1"
	}
	return err
}

// settle does what PostgreSQL does by itself within a minute or two of such a load.
func (d database) settle(ctx context.Context) error {
	if !d.isPostgres() {
		return nil
	}
	db, err := sql.Open("pgx", d.url)
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.ExecContext(ctx, "VACUUM ANALYZE")
	return err
}

// bytesOnDisk is the size of a database; a SQLite file must be closed.
func (d database) bytesOnDisk(ctx context.Context) (size int64, err error) {
	if !d.isPostgres() {
		info, err := os.Stat(d.path())
		if err != nil {
			return 0, err
		}
		return info.Size(), nil
	}
	db, err := sql.Open("pgx", d.url)
	if err != nil {
		return 0, err
	}
	defer db.Close()
	err = db.QueryRowContext(ctx, "SELECT pg_database_size(current_database())").Scan(&size)
	return size, err
}

// questions are the reads, each as a request for every agent or one for all.
func (s *shelf) questions(month time.Time) []struct {
	name     string
	requests [][]byte
} {
	get := func(path string) []byte {
		return request(http.MethodGet, "/api/v1"+path, s.world.operator.credential, "", nil)
	}
	var stats [][]byte
	for _, agent := range s.world.agents {
		stats = append(stats, get(fmt.Sprintf("/agents/%d/stats", agent)))
	}
	span := func(from, to time.Time) string {
		return "?" + url.Values{"start_date": {from.Format(time.RFC3339)}, "end_date": {to.Format(time.RFC3339)}}.Encode()
	}
	summary := fmt.Sprintf("/analytics/organization/%d/summary", s.world.organization)
	return []struct {
		name     string
		requests [][]byte
	}{
		{"agent stats", stats},
		{"summary of the month", [][]byte{get(summary + span(month, month.AddDate(0, 1, 0).Add(-time.Microsecond)))}},
		{"summary between odd instants", [][]byte{get(summary + span(month.Add(31*time.Hour+17*time.Minute+9*time.Second), month.Add(700*time.Hour+44*time.Minute+51*time.Second)))}},
	}
}

func (b *bench) compareReads(ctx context.Context, shelves []*shelf, month time.Time) error {
	small, large := shelves[0].questions(month), shelves[1].questions(month)
	for i := range small {
		rivals := []*rival{
			{name: fmt.Sprintf("%d events", shelves[0].events), servers: []*server{shelves[0].server}, requests: small[i].requests, database: &shelves[0].database},
			{name: fmt.Sprintf("%d events", shelves[1].events), servers: []*server{shelves[1].server}, requests: large[i].requests, database: &shelves[1].database},
		}
		if err := b.alternate(ctx, rivals, loadTask{Connections: 1, Each: readsEach}); err != nil {
			return err
		}
		what := small[i].name + ", " + shelves[0].name
		for _, r := range rivals {
			b.table.rate(what, r)
		}
		b.table.ratio(what, "p50 of many / of few, goal p99 10 ms", p50Ratios(rivals[1], rivals[0]), "≤ 1.30")
	}
	if err := b.compareInvoices(ctx, shelves, month); err != nil {
		return err
	}
	if err := b.stopServers(); err != nil {
		return err
	}
	took, err := b.verify(ctx, shelves[1].database)
	if err != nil {
		return err
	}
	b.table.fact("verify", fmt.Sprintf("%s, %d events and their invoices", shelves[1].name, shelves[1].events), "adds up, "+took.Round(10*time.Millisecond).String())
	return nil
}

// compareInvoices generates the month's invoice and cancels it, in turns.
func (b *bench) compareInvoices(ctx context.Context, shelves []*shelf, month time.Time) error {
	rivals := make([]*rival, len(shelves))
	for i, s := range shelves {
		rivals[i] = &rival{name: fmt.Sprintf("%d events", s.events)}
	}
	for range 2 * b.rounds {
		for i, s := range shelves {
			var made madeObject
			path := fmt.Sprintf("/invoices/generate/monthly?org_id=%d&year=%d&month=%d", s.world.organization, month.Year(), int(month.Month()))
			began := time.Now()
			if err := s.world.operator.post(ctx, path, nil, &made); err != nil {
				return err
			}
			took := time.Since(began)
			if err := s.world.operator.post(ctx, fmt.Sprintf("/invoices/%d/cancel", made.ID), nil, &made); err != nil {
				return err
			}
			rivals[i].rounds = append(rivals[i].rounds, round{loadResult: loadResult{Answers: 1, Elapsed: took, P50: took, P99: took}})
		}
	}
	what := "a month's invoice, 100 agents, " + shelves[0].name
	for _, r := range rivals {
		b.table.rate(what, r)
	}
	b.table.ratio(what, "p50 of many / of few, goal 200 ms", p50Ratios(rivals[1], rivals[0]), "≤ 1.30")
	return nil
}

func p50Ratios(a, b *rival) (list []thousandths) {
	for i := range min(len(a.rounds), len(b.rounds)) {
		list = append(list, int64(a.rounds[i].P50)*1000/max(int64(b.rounds[i].P50), 1))
	}
	return list
}
