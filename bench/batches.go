package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"time"
)

const (
	batchEvents  = 10_000
	batchClients = 2
	batchEach    = 5 // requests of every client a round
)

// batch is a request with many activities of all agents.
func (w *world) batch() []byte {
	var body bytes.Buffer
	body.WriteString(`{"events":[`)
	for i := range batchEvents {
		if i > 0 {
			body.WriteByte(',')
		}
		fmt.Fprintf(&body, `{"kind":"activity","agent_id":%d,"activity_type":"call","activity_metadata":{"model":"m-1","tokens":%d},"quantity":%d,"timestamp":"%s","idempotency_key":"%s"}`,
			w.agents[i%len(w.agents)], 1800+i%97, 1+i%7, timeMark, keyMark)
	}
	body.WriteString(`]}`)
	return request(http.MethodPost, "/api/v1/events", w.key, "application/json", body.Bytes())
}

// batches compares batches of 10,000 with a bare COPY (PostgreSQL) and with bare transactions (SQLite) of the same rows.
func (b *bench) batches(ctx context.Context) error {
	databases, err := b.both(ctx)
	if err != nil {
		return err
	}
	for i := range databases {
		if err := b.compareBatches(ctx, &databases[i]); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) compareBatches(ctx context.Context, d *database) error {
	s, err := b.serve(ctx, *d)
	if err != nil {
		return err
	}
	w, err := makeWorld(ctx, s, 100)
	if err != nil {
		return err
	}
	rows := rowsTask{URL: d.url, Connections: batchClients, Each: batchEach, Rows: batchEvents}
	against, goal := "copy", "0.55"
	bare := &rival{name: "bare COPY", database: d}
	if !d.isPostgres() {
		against, goal, bare.name = "raw", "0.70", "bare transactions"
		rows.Like, rows.Path, rows.Connections, rows.Each = d.path(), d.path()+"-bare", 1, batchClients*batchEach
	}
	ours := &rival{name: "POST /events", servers: []*server{s}, requests: [][]byte{w.batch()}, database: d}
	for range b.rounds {
		task := loadTask{Connections: batchClients, Each: batchEach, Want: accepted}
		if err := b.turn(ctx, ours, task); err != nil {
			return err
		}
		_, before, err := bare.cpu()
		if err != nil {
			return err
		}
		result, err := role[loadResult](ctx, against, rows)
		if err != nil {
			return err
		}
		_, after, err := bare.cpu()
		if err != nil {
			return err
		}
		all := time.Duration(max(result.All, 1))
		bare.rounds = append(bare.rounds, round{result, result.CPU / all, (after - before) / all})
	}
	what := fmt.Sprintf("batches of 10,000, %s, events", d.name)
	b.compareTwo(what, countEvents(ours), countEvents(bare), ours.name+" / "+bare.name, goal)
	peak, err := memoryPeak(s.cmd.Process.Pid)
	if err != nil {
		return err
	}
	b.table.fact("memory", d.name+", largest resident size of xyra with batches", fmt.Sprintf("%d MiB", peak>>20))
	if err := b.stopServers(); err != nil {
		return err
	}
	took, err := b.verify(ctx, *d)
	if err != nil {
		return err
	}
	b.table.fact("verify", d.name+", after the batches", "adds up, "+took.Round(10*time.Millisecond).String())
	return nil
}

// accepted is how the answer to a batch begins when nothing in it was refused or a repeat.
const accepted = `{"accepted":10000,`

// countEvents turns a rival's rounds of batches into rounds of events.
func countEvents(r *rival) *rival {
	for i := range r.rounds {
		r.rounds[i].Answers *= batchEvents
		r.rounds[i].serverCPU /= batchEvents
		r.rounds[i].databaseCPU /= batchEvents
	}
	return r
}

// compareTwo adds the lines of two rivals and of their ratio.
func (b *bench) compareTwo(what string, first, second *rival, name, goal string) {
	b.table.rate(what, first)
	b.table.rate(what, second)
	b.table.ratio(what, name, ratios(first, second), goal)
}

// builds compares posts of two builds of xyra; nothing happens without the second.
func (b *bench) builds(ctx context.Context) error {
	if b.against == "" {
		return nil
	}
	for _, name := range []string{"SQLite", "PostgreSQL"} {
		if !b.wants(name) {
			continue
		}
		rivals, batchRivals := make([]*rival, 2), make([]*rival, 2)
		for i, program := range []string{b.xyra, b.against} {
			d, err := b.sqlite()
			if name == "PostgreSQL" {
				d, err = b.postgres(ctx)
			}
			if err != nil {
				return err
			}
			s, err := b.serveBuild(ctx, d, program)
			if err != nil {
				return err
			}
			w, err := makeWorld(ctx, s, 50)
			if err != nil {
				return err
			}
			rivals[i] = &rival{name: program, servers: []*server{s}, requests: w.singles(time.Now()), database: &d}
			batchRivals[i] = &rival{name: program, servers: []*server{s}, requests: [][]byte{w.batch()}, database: &d}
		}
		for _, connections := range b.connectionCounts {
			if err := b.alternate(ctx, rivals, loadTask{Connections: connections, Warmup: warmup, Span: b.span}); err != nil {
				return err
			}
			what := fmt.Sprintf("single posts, %s, two builds, %d connections", name, connections)
			b.compareTwo(what, rivals[0], rivals[1], "first / second", "")
			rivals[0].rounds, rivals[1].rounds = nil, nil
		}
		if err := b.alternate(ctx, batchRivals, loadTask{Connections: batchClients, Each: batchEach, Want: accepted}); err != nil {
			return err
		}
		b.compareTwo("batches of 10,000, "+name+", two builds, events", countEvents(batchRivals[0]), countEvents(batchRivals[1]), "first / second", "")
	}
	return b.stopServers()
}

// alternate lets rivals take turns.
func (b *bench) alternate(ctx context.Context, rivals []*rival, t loadTask) error {
	for range b.rounds {
		for _, r := range rivals {
			if err := b.turn(ctx, r, t); err != nil {
				return err
			}
		}
	}
	return nil
}

// replicas compares two processes on one PostgreSQL with one.
func (b *bench) replicas(ctx context.Context) error {
	d, err := b.postgres(ctx)
	if err != nil {
		return err
	}
	var servers []*server
	for range 2 {
		s, err := b.serve(ctx, d)
		if err != nil {
			return err
		}
		servers = append(servers, s)
	}
	w, err := makeWorld(ctx, servers[0], 50)
	if err != nil {
		return err
	}
	requests := w.singles(time.Now())
	for _, connections := range b.connectionCounts {
		one := &rival{name: "one replica", servers: servers[:1], requests: requests, database: &d}
		two := &rival{name: "two replicas", servers: servers, requests: requests, database: &d}
		if err := b.alternate(ctx, []*rival{one, two}, loadTask{Connections: connections, Warmup: warmup, Span: b.span}); err != nil {
			return err
		}
		what := fmt.Sprintf("single posts, PostgreSQL, replicas, %d connections", connections)
		b.compareTwo(what, two, one, "two / one", "1.00")
	}
	if err := b.stopServers(); err != nil {
		return err
	}
	took, err := b.verify(ctx, d)
	if err != nil {
		return err
	}
	b.table.fact("verify", "PostgreSQL, after two replicas", "adds up, "+took.Round(10*time.Millisecond).String())
	return nil
}
