package main

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// rounds is how often something random is tried: all of it in the nightly run.
func rounds(short, long int) int {
	if os.Getenv("XYRA_TEST_LONG") != "" {
		return long
	}
	return short
}

// ledger is what writers have been told. Each keeps a file of its own, with a line for every event that was acknowledged,
// and sends an event again and again until it is: through restarts, refusals and cut connections.
type ledger struct {
	t       *testing.T
	dir     string
	agents  []demoAgent
	padding string     // makes events as large as a test needs them
	clock   func() int // what goes beside each line; nil: nothing

	key     string
	root    atomic.Pointer[string] // of the server, which moves
	next    atomic.Int64
	told    atomic.Int64 // events that were acknowledged
	refused atomic.Int64 // requests that were answered 503
	dead    atomic.Int64 // not 0: a fault during which no acknowledgement can be true
}

// newLedger makes a world on a server to report from.
func newLedger(t *testing.T, s *server) *ledger {
	t.Helper()
	_, agents, client, err := makeWorld(t.Context(), s.login())
	if err != nil {
		t.Fatal(err)
	}
	l := &ledger{t: t, dir: t.TempDir(), agents: agents, key: client.credential, clock: func() int { return 0 }}
	l.at(s)
	return l
}

// at is where the writers send to from now on.
func (l *ledger) at(s *server) { l.root.Store(&s.url) }

const ledgerWriters = 8

// write has all writers report until ctx ends; each finishes what it has begun, so that it is known what was acknowledged.
// The last writer sends batches. stop waits for them.
func (l *ledger) write(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var all sync.WaitGroup
	for w := range ledgerWriters {
		all.Go(func() {
			file, err := os.OpenFile(filepath.Join(l.dir, strconv.Itoa(w)), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
			if err != nil {
				l.t.Error(err)
				return
			}
			defer file.Close()
			count := 1
			if w == ledgerWriters-1 {
				count = 5
			}
			for ctx.Err() == nil {
				last := l.next.Add(int64(count))
				numbers := make([]int, count)
				for i := range numbers {
					numbers[i] = int(last) - i
				}
				l.persist(ctx, file, numbers)
			}
		})
	}
	return func() {
		cancel()
		all.Wait()
	}
}

// persist sends events until they are acknowledged.
func (l *ledger) persist(ctx context.Context, file *os.File, numbers []int) {
	again := time.NewTicker(3 * time.Millisecond)
	defer again.Stop()
	client := &demoClient{}
	for root := ""; ctx.Err() == nil; {
		if now := *l.root.Load(); now != root {
			root, client = now, newDemoClient(now, 1).as(l.key)
		}
		dead := l.dead.Load()
		ids, err := l.send(ctx, client, numbers)
		switch {
		case err == nil:
			if dead != 0 && dead == l.dead.Load() {
				l.t.Errorf("events %v are acknowledged while nothing can be stored", numbers)
			}
			for i, number := range numbers {
				if _, err := fmt.Fprintln(file, number, ids[i], l.clock()); err != nil {
					l.t.Error(err)
				}
			}
			l.told.Add(int64(len(numbers)))
			return
		case strings.Contains(err.Error(), "answers 503"):
			l.refused.Add(1)
		case strings.Contains(err.Error(), " answers "):
			l.t.Errorf("events %v: %v", numbers, err)
			return
		}
		select {
		case <-again.C:
		case <-ctx.Done():
		}
	}
}

func (l *ledger) send(ctx context.Context, client *demoClient, numbers []int) ([]int64, error) {
	bodies := make([]fields, len(numbers))
	for i, number := range numbers {
		bodies[i] = fields{"activity_type": "generated_token", "quantity": number, "timestamp": "2023-11-16 18:15:46",
			"idempotency_key": "number-" + strconv.Itoa(number), "activity_metadata": fields{"padding": l.padding}}
	}
	if len(numbers) == 1 {
		var event struct{ ID int64 }
		err := client.post(ctx, eventPath(l.agents, numbers[0]), bodies[0], &event)
		return []int64{event.ID}, err
	}
	for i, body := range bodies {
		body["kind"], body["agent_id"] = "activity", l.agents[numbers[i]%len(l.agents)].ID
	}
	var answer batchAnswer
	if err := client.post(ctx, "/events", fields{"events": bodies}, &answer); err != nil {
		return nil, err
	}
	ids := make([]int64, len(numbers))
	for i, result := range answer.Results {
		ids[i] = result.ID
	}
	if answer.Rejected > 0 || len(answer.Results) != len(numbers) {
		return nil, fmt.Errorf("batch answers 400: %+v", answer)
	}
	return ids, nil
}

type batchAnswer struct {
	Accepted, Duplicate, Rejected int
	Results                       []batchResult
}

type batchResult struct {
	Status string
	ID     int64
	Charge json.Number
	Code   int
	Detail json.RawMessage
}

// more waits until so many more events have been acknowledged.
func (l *ledger) more(count int) {
	l.t.Helper()
	l.reach(l.told.Load()+int64(count), &l.told, "acknowledged")
}

// reach waits until a counter stands there.
func (l *ledger) reach(target int64, counter *atomic.Int64, what string) {
	l.t.Helper()
	ctx, look := untilDone(l.t), time.NewTicker(time.Millisecond)
	defer look.Stop()
	for counter.Load() < target {
		select {
		case <-look.C:
		case <-ctx.Done():
			l.t.Fatalf("%d events were %s, waiting for %d", counter.Load(), what, target)
		}
	}
}

// acknowledged are the lines of all writers whose clock stood at most there: number → id.
func (l *ledger) acknowledged(until int) map[int]int64 {
	l.t.Helper()
	told := map[int]int64{}
	files, err := filepath.Glob(filepath.Join(l.dir, "*"))
	if err != nil {
		l.t.Fatal(err)
	}
	for _, path := range files {
		file, err := os.Open(path)
		if err != nil {
			l.t.Fatal(err)
		}
		for lines := bufio.NewScanner(file); lines.Scan(); {
			var number, clock int
			var id int64
			if _, err := fmt.Sscan(lines.Text(), &number, &id, &clock); err != nil {
				l.t.Fatalf("%q: %v", lines.Text(), err)
			}
			if clock <= until {
				told[number] = id
			}
		}
		file.Close()
	}
	return told
}

// mustHold holds the database itself, read without a line of ours, against what the writers were told.
func (l *ledger) mustHold(env []string, until int) (acknowledged, stored int) {
	l.t.Helper()
	rows := storedEvents(l.t, env)
	told := l.acknowledged(until)
	lost := 0
	for number, id := range told {
		ids := rows["number-"+strconv.Itoa(number)]
		if len(ids) != 1 || ids[0] != id {
			if lost++; lost < 10 {
				l.t.Errorf("event %d was acknowledged with id %d and is stored as %v", number, id, ids)
			}
		}
	}
	if lost > 0 {
		l.t.Errorf("%d of %d acknowledged events are lost or changed", lost, len(told))
	}
	for key, ids := range rows {
		if len(ids) != 1 {
			l.t.Errorf("%s is stored %d times", key, len(ids))
		}
	}
	return len(told), len(rows)
}

// storedEvents are the ids of all events by idempotency key.
func storedEvents(t testing.TB, env []string) map[string][]int64 {
	t.Helper()
	db := rawDatabase(t, env)
	defer db.Close()
	rows, err := db.QueryContext(t.Context(), "SELECT idempotency_key, id FROM events WHERE idempotency_key IS NOT NULL")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	events := map[string][]int64{}
	for rows.Next() {
		var key string
		var id int64
		if err := rows.Scan(&key, &id); err != nil {
			t.Fatal(err)
		}
		events[key] = append(events[key], id)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return events
}

// rawDatabase opens the database of an environment without the store.
func rawDatabase(t testing.TB, env []string) *sql.DB {
	t.Helper()
	driver, source := "sqlite", "file:"+filepath.Join(valueOf(env, "XYRA_DATA_DIR"), "xyra.db")
	if isPostgres(env) {
		driver, source = "pgx", valueOf(env, "DATABASE_URL")
	}
	db, err := sql.Open(driver, source)
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func valueOf(env []string, name string) string {
	for _, v := range env {
		if value, found := strings.CutPrefix(v, name+"="); found {
			return value
		}
	}
	return ""
}
