package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

// table collects what was measured, in order.
type table struct{ rows []tableRow }

type tableRow struct{ what, name, value, spread, goal, p50, p99, cpu string }

// median is the middle one; of an even number the lower of the two.
func median[T int64 | time.Duration](list []T) T {
	if len(list) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(list))
	return sorted[(len(sorted)-1)/2]
}

// each takes one figure of every round.
func each[T any](r *rival, figure func(round) T) []T {
	list := make([]T, len(r.rounds))
	for i, one := range r.rounds {
		list[i] = figure(one)
	}
	return list
}

// rate adds a line about one rival.
func (t *table) rate(what string, r *rival) {
	rates := each(r, func(x round) int64 { return x.rate() })
	cpu := fmt.Sprintf("%d", median(each(r, func(x round) time.Duration { return x.serverCPU })).Microseconds())
	if d := median(each(r, func(x round) time.Duration { return x.databaseCPU })); d > 0 {
		cpu += fmt.Sprintf(" + %d", d.Microseconds())
	}
	t.rows = append(t.rows, tableRow{what: what, name: r.name, value: fmt.Sprintf("%d/s", median(rates)),
		spread: fmt.Sprintf("%d to %d", slices.Min(rates), slices.Max(rates)),
		p50:    millis(median(each(r, func(x round) time.Duration { return x.P50 }))),
		p99:    millis(median(each(r, func(x round) time.Duration { return x.P99 }))), cpu: cpu})
}

// thousandths are ratios without floating point.
type thousandths = int64

// ratios are what a did in each round, compared with b in the same one.
func ratios(a, b *rival) (list []thousandths) {
	for i := range min(len(a.rounds), len(b.rounds)) {
		list = append(list, a.rounds[i].rate()*1000/max(b.rounds[i].rate(), 1))
	}
	return list
}

func p99Ratios(a, b *rival) (list []thousandths) {
	for i := range min(len(a.rounds), len(b.rounds)) {
		list = append(list, int64(a.rounds[i].P99)*1000/max(int64(b.rounds[i].P99), 1))
	}
	return list
}

func shown(ratio thousandths) string { return fmt.Sprintf("%d.%02d", ratio/1000, ratio%1000/10) }

func millis(d time.Duration) string {
	return fmt.Sprintf("%d.%02d", d.Milliseconds(), d.Microseconds()%1000/10)
}

// ratio adds a line about two rivals.
func (t *table) ratio(what, name string, list []thousandths, goal string) {
	if len(list) == 0 {
		return
	}
	t.rows = append(t.rows, tableRow{what: what, name: name, value: shown(median(list)), goal: goal,
		spread: shown(slices.Min(list)) + " to " + shown(slices.Max(list))})
}

// fact adds a line that is no comparison.
func (t *table) fact(what, name, value string) {
	t.rows = append(t.rows, tableRow{what: what, name: name, value: value})
}

// print writes the table as Markdown, with the machine and the command above it.
func (t *table) print(w io.Writer) {
	out := bufio.NewWriter(w)
	defer func() {
		if err := out.Flush(); err != nil {
			fmt.Fprintln(os.Stderr, "print the table:", err)
		}
	}()
	fmt.Fprintf(out, "%s, %s, %d processors, %s; load generator, server and database share them.\n", time.Now().UTC().Format(time.DateOnly), machine(), runtime.NumCPU(), runtime.Version())
	fmt.Fprintf(out, "Command: bench %s\n\n", strings.Join(os.Args[1:], " "))
	fmt.Fprintln(out, "| what | | median | smallest to largest | goal | p50 ms | p99 ms | CPU µs (xyra + PostgreSQL) |")
	fmt.Fprintln(out, "|---|---|---|---|---|---|---|---|")
	for _, r := range t.rows {
		fmt.Fprintf(out, "| %s | %s | %s | %s | %s | %s | %s | %s |\n", r.what, r.name, r.value, r.spread, r.goal, r.p50, r.p99, r.cpu)
	}
}

// lastSection is the heading above the table in a page.
const lastSection = "## The last table\n"

// write replaces the table of a page.
func (t *table) write(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, _, found := strings.Cut(string(text), lastSection)
	if !found {
		return fmt.Errorf("%s has no section %q", path, strings.TrimSpace(lastSection))
	}
	var page strings.Builder
	page.WriteString(before + lastSection + "\n")
	t.print(&page)
	return os.WriteFile(path, []byte(page.String()), 0o644)
}

// machine is the name of the machine's processor where the system tells it.
func machine() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	for line := range strings.Lines(string(text)) {
		if name, value, found := strings.Cut(line, ":"); found && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}
