package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// rival is one of the things that are compared, with what its rounds gave.
type rival struct {
	name     string
	servers  []*server
	requests [][]byte
	database *database // PostgreSQL: its processes are looked at too
	rounds   []round
}

// round is one turn of a rival.
type round struct {
	loadResult
	serverCPU   time.Duration // of one answer
	databaseCPU time.Duration
}

const warmup = 300 * time.Millisecond

// turn lets a rival work once.
func (b *bench) turn(ctx context.Context, r *rival, t loadTask) error {
	for _, s := range r.servers {
		t.Addresses = append(t.Addresses, s.address)
	}
	t.Requests = r.requests
	serverBefore, databaseBefore, err := r.cpu()
	if err != nil {
		return err
	}
	profiled := b.profile(ctx, r, t)
	result, err := role[loadResult](ctx, "load", t)
	if err = errors.Join(err, profiled()); err != nil {
		return fmt.Errorf("%s: %w", r.name, err)
	}
	if len(result.Refused) > 0 {
		return fmt.Errorf("%s refused requests: %v", r.name, result.Refused)
	}
	serverAfter, databaseAfter, err := r.cpu()
	if err != nil {
		return err
	}
	all := time.Duration(max(result.All, 1))
	r.rounds = append(r.rounds, round{result, (serverAfter - serverBefore) / all, (databaseAfter - databaseBefore) / all})
	return nil
}

// cpu is the processor time of a rival's servers and of its database's processes.
func (r *rival) cpu() (servers, databases time.Duration, err error) {
	for _, s := range r.servers {
		used, err := cpuOf(s.cmd.Process.Pid)
		if err != nil {
			return 0, 0, err
		}
		servers += used
	}
	if r.database == nil || !r.database.isPostgres() {
		return servers, 0, nil
	}
	pid, err := postmaster()
	if err != nil || pid == 0 {
		return servers, 0, err
	}
	databases, err = childrenCPU(pid)
	return servers, databases, err
}

// singles compares one post at a time: the handler that does nothing, the API without the commit, the API.
func (b *bench) singles(ctx context.Context) error {
	databases, err := b.both(ctx)
	if err != nil {
		return err
	}
	noop, err := b.serveRole(ctx, "noop", database{})
	if err != nil {
		return err
	}
	var lineups [][]*rival
	for i := range databases {
		d := &databases[i]
		durable, err := b.serve(ctx, *d)
		if err != nil {
			return err
		}
		w, err := makeWorld(ctx, durable, 50)
		if err != nil {
			return err
		}
		nocommit, err := b.serveRole(ctx, "nocommit", *d)
		if err != nil {
			return err
		}
		requests := w.singles(time.Now())
		lineups = append(lineups, []*rival{
			{name: "no-op", servers: []*server{noop}, requests: requests},
			{name: "no commit", servers: []*server{nocommit}, requests: requests, database: d},
			{name: "durable", servers: []*server{durable}, requests: requests, database: d},
		})
	}
	for _, connections := range b.connectionCounts {
		for range b.rounds {
			for _, lineup := range lineups {
				for _, r := range lineup {
					if err := b.turn(ctx, r, loadTask{Connections: connections, Warmup: warmup, Span: b.span}); err != nil {
						return err
					}
				}
			}
		}
		for i, lineup := range lineups {
			b.reportSingles(databases[i].name, connections, lineup)
		}
	}
	return b.finishSingles(ctx, databases, lineups)
}

func (b *bench) reportSingles(name string, connections int, lineup []*rival) {
	noop, nocommit, durable := lineup[0], lineup[1], lineup[2]
	what := fmt.Sprintf("single posts, %s, %d connections", name, connections)
	for _, r := range lineup {
		b.table.rate(what, r)
	}
	goal := map[string]map[int]string{"PostgreSQL": {64: "0.40", 256: "0.50"}, "SQLite": {64: "0.50", 256: "0.60"}}[name][connections]
	b.table.ratio(what, "durable / no commit", ratios(durable, nocommit), goal)
	b.table.ratio(what, "no commit / no-op", ratios(nocommit, noop), "0.80")
	b.table.ratio(what, "p99 durable / no commit", p99Ratios(durable, nocommit), "≤ 2.00 at 64")
	for _, r := range lineup {
		r.rounds = nil
	}
}

// finishSingles reports memory and proves that the books add up.
func (b *bench) finishSingles(ctx context.Context, databases []database, lineups [][]*rival) error {
	for i, d := range databases {
		peak, err := memoryPeak(lineups[i][2].servers[0].cmd.Process.Pid)
		if err != nil {
			return err
		}
		b.table.fact("memory", d.name+", largest resident size of xyra", fmt.Sprintf("%d MiB", peak>>20))
	}
	if err := b.stopServers(); err != nil {
		return err
	}
	for _, d := range databases {
		took, err := b.verify(ctx, d)
		if err != nil {
			return err
		}
		b.table.fact("verify", d.name+", after the single posts", "adds up, "+took.Round(10*time.Millisecond).String())
	}
	return nil
}
