package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// halfSent is a request of which the server has a part.
type halfSent struct {
	t    testing.TB
	name string
	conn net.Conn
	rest string
}

// sendHalf sends a request up to a place in its text; what follows is sent by finish.
func (s *server) sendHalf(name, method, path, credential, body, upTo string) *halfSent {
	s.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimSuffix(strings.TrimPrefix(s.url, "http://"), "/api/v1"))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { conn.Close() })
	text := fmt.Sprintf("%s /api/v1%s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", method, path, credential, len(body), body)
	now, rest, found := strings.Cut(text, upTo)
	if !found {
		s.t.Fatalf("%q is not in the request", upTo)
	}
	if _, err := io.WriteString(conn, now); err != nil {
		s.t.Fatal(err)
	}
	return &halfSent{s.t, name, conn, upTo + rest}
}

// finish sends what is missing and reads the answer.
func (h *halfSent) finish() (status int, body []byte) {
	h.t.Helper()
	if _, err := io.WriteString(h.conn, h.rest); err != nil {
		h.t.Errorf("%s: %v", h.name, err)
		return 0, nil
	}
	answer, err := http.ReadResponse(bufio.NewReader(h.conn), nil)
	if err != nil {
		h.t.Errorf("%s: %v", h.name, err)
		return 0, nil
	}
	defer answer.Body.Close()
	if body, err = io.ReadAll(answer.Body); err != nil {
		h.t.Errorf("%s: %v", h.name, err)
	}
	return answer.StatusCode, body
}

// untilClosed waits until the port takes no connections.
func (s *server) untilClosed() {
	s.t.Helper()
	address := strings.TrimSuffix(strings.TrimPrefix(s.url, "http://"), "/api/v1")
	for deadline := untilDone(s.t); deadline.Err() == nil; {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			return
		}
		conn.Close()
	}
	s.t.Fatal("the port stays open")
}

// signal sends the process a signal; ended waits for its end.
func (s *server) signal(which os.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(which); err != nil {
		s.t.Fatal(err)
	}
}

func (s *server) ended() int {
	s.t.Helper()
	s.stopped = true
	if err := s.cmd.Wait(); err != nil && s.cmd.ProcessState == nil {
		s.t.Fatal(err)
	}
	return s.cmd.ProcessState.ExitCode()
}

// longBatch is a request of many events.
func longBatch(t testing.TB, agents []demoAgent, count int) string {
	t.Helper()
	events := make([]fields, count)
	for i := range events {
		events[i] = fields{"kind": "activity", "agent_id": agents[i%len(agents)].ID, "activity_type": "generated_token", "idempotency_key": fmt.Sprintf("batch-%d", i)}
	}
	body, err := json.Marshal(fields{"events": events})
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// Whatever the server has begun to hear when the signal comes is answered whole: a long request, invoices on paper, tables of
// their lines. Both signals mean the same.
func TestDrain_AnswersWhatHasBegun(t *testing.T) {
	eachDatabase(t, func(t *testing.T, env []string) {
		s := startServer(t, env...)
		operator := s.login()
		customer, agents, reporter, err := makeWorld(t.Context(), operator)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := generate(t.Context(), operator, customer); err != nil {
			t.Fatal(err)
		}
		var list []struct{ ID int64 }
		if err := operator.read(t.Context(), fmt.Sprintf("/invoices?org_id=%d", customer.ID), &list); err != nil || len(list) != 1 {
			t.Fatalf("%d invoices, %v", len(list), err)
		}
		for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
			batch := s.sendHalf("batch", "POST", "/events", reporter.credential, longBatch(t, agents, 2000), `batch-1000"`)
			bare := s.sendHalf("batch without a body", "POST", "/events", reporter.credential, longBatch(t, agents, 10), `{"events"`)
			printed := s.print(operator.credential, list[0].ID)
			s.signal(signal)
			s.untilClosed()
			var said struct{ Accepted, Duplicate int }
			if status, body := batch.finish(); status != http.StatusOK || json.Unmarshal(body, &said) != nil || said.Accepted+said.Duplicate != 2000 {
				t.Errorf("the batch is answered %d: %.200s", status, body)
			}
			if status, body := bare.finish(); status != http.StatusOK || json.Unmarshal(body, &said) != nil || said.Accepted+said.Duplicate != 10 {
				t.Errorf("the batch without a body is answered %d: %.200s", status, body)
			}
			if code := s.ended(); code != 0 {
				t.Errorf("%v ends with %d: %s", signal, code, s.log)
			}
			printed()
			s = startServer(t, env...)
		}
		s.terminate()
		mustVerify(t, env)
	})
}

// print asks for an invoice as PDF and as a table again and again until the server is gone. It returns when that has begun;
// done waits for its end. Every answer that begins must end.
func (s *server) print(credential string, invoice int64) (done func()) {
	var all sync.WaitGroup
	begun := make(chan struct{}, 64)
	for n := range 4 {
		all.Go(func() {
			path, end := fmt.Sprintf("/invoices/%d/pdf", invoice), "%%EOF\n"
			if n%2 == 1 {
				path, end = fmt.Sprintf("/invoices/%d/lines.csv", invoice), "\n"
			}
			client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
			for {
				r, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.url+path, nil)
				if err != nil {
					s.t.Error(err)
					return
				}
				r.Header.Set("Authorization", "Bearer "+credential)
				answer, err := client.Do(r)
				if err != nil {
					return // the port is closed
				}
				body, err := io.ReadAll(answer.Body)
				answer.Body.Close()
				if err != nil || answer.StatusCode != http.StatusOK || !strings.HasSuffix(string(body), end) {
					s.t.Errorf("%s is answered %d with %d bytes, %v", path, answer.StatusCode, len(body), err)
				}
				select {
				case begun <- struct{}{}:
				default:
				}
			}
		})
	}
	for range 8 {
		<-begun
	}
	return all.Wait
}

// A request that does not end is cut off at the deadline, with code 1 and a line that says so; a second signal does not wait
// for the deadline. Neither loses an answered event.
func TestDrain_EndsAtTheDeadlineOrTheSecondSignal(t *testing.T) {
	eachDatabase(t, func(t *testing.T, env []string) {
		s := startServer(t, append(env, "XYRA_DRAIN_TIMEOUT=700ms")...)
		_, agents, reporter, err := makeWorld(t.Context(), s.login())
		if err != nil {
			t.Fatal(err)
		}
		var events [2]struct{ ID int64 }
		hang := func(n int) {
			s.sendHalf("request that hangs", "POST", "/events", reporter.credential, longBatch(t, agents, 10), `batch-5`)
			if err := s.as(reporter).post(t.Context(), eventPath(agents, n), numberedActivity(n+1), &events[n]); err != nil {
				t.Fatal(err)
			}
		}
		hang(0)
		if code := s.terminate(); code != 1 || !strings.Contains(s.log.String(), "still running 700ms after the signal") {
			t.Errorf("at the deadline ends with %d: %s", code, s.log)
		}

		s = startServer(t, append(env, "XYRA_DRAIN_TIMEOUT=10m")...)
		hang(1)
		ended := make(chan struct{})
		begun := time.Now()
		go func() {
			defer close(ended)
			again := time.NewTicker(20 * time.Millisecond)
			defer again.Stop()
			for s.cmd.Process.Signal(syscall.SIGTERM) == nil {
				<-again.C
			}
		}()
		code := s.ended()
		<-ended
		if took := time.Since(begun); code == 0 || took < signalPause || took > 20*time.Second {
			t.Errorf("at the second signal ends with %d after %s", code, took)
		}

		s = startServer(t, env...)
		for n, told := range events {
			var event struct{ ID int64 }
			if err := s.as(reporter).post(t.Context(), eventPath(agents, n), numberedActivity(n+1), &event); err != nil || event.ID != told.ID {
				t.Errorf("event %d was answered with %d and is %d, %v", n, told.ID, event.ID, err)
			}
		}
		mustVerify(t, env)
	})
}

// A backup that is told to end leaves a whole file or none, and nothing beside it.
func TestDrain_BackupIsWholeOrAbsent(t *testing.T) {
	env := []string{"XYRA_DATA_DIR=" + filepath.Join(t.TempDir(), "data"), "FIRST_SUPERUSER_PASSWORD=" + testPassword}
	s := startServer(t, env...)
	_, agents, reporter, err := makeWorld(t.Context(), s.login())
	if err != nil {
		t.Fatal(err)
	}
	if err := reporter.post(t.Context(), "/events", json.RawMessage(longBatch(t, agents, 5000)), nil); err != nil {
		t.Fatal(err)
	}
	outcomes := map[int]int{}
	for n := range rounds(8, 100) {
		dir := t.TempDir()
		file := filepath.Join(dir, "backup.db")
		cmd := command(t, env, "backup", file)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		later := time.NewTimer(time.Duration(rand.IntN(20*(1+n))) * time.Millisecond)
		<-later.C
		cmd.Process.Signal(syscall.SIGTERM) //nolint:errcheck // it may have ended
		cmd.Wait()                          //nolint:errcheck // its code is looked at
		code := cmd.ProcessState.ExitCode()
		outcomes[code]++
		left, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		names := make([]string, len(left))
		for i, entry := range left {
			names[i] = entry.Name()
		}
		if want := []string{"backup.db"}; code == 0 && !slices.Equal(names, want) || code != 0 && len(names) > 0 {
			t.Errorf("a backup that ends with %d leaves %v", code, names)
		}
		if code == 0 {
			restored := append([]string{"XYRA_DATA_DIR=" + filepath.Join(t.TempDir(), "data")}, env[1:]...)
			if code, out, complaint := ended(t, command(t, restored, "restore", file)); code != 0 {
				t.Errorf("restore ends with %d: %s%s", code, out, complaint)
			}
		}
	}
	t.Logf("backups by exit code: %v", outcomes)
}

// An import that is told to end, or whose server is, says that it has not ended; run again, each row is there once.
func TestDrain_ImportGoesOnWhereItWas(t *testing.T) {
	eachDatabase(t, func(t *testing.T, env []string) {
		env = append(env, "XYRA_ADDR="+freeAddress(t))
		s := startServer(t, env...)
		_, agents, reporter, err := makeWorld(t.Context(), s.login())
		if err != nil {
			t.Fatal(err)
		}
		const rows = 6000
		var lines strings.Builder
		for row := range rows {
			fmt.Fprintf(&lines, `{"agent_id": %d, "activity_type": "generated_token", "idempotency_key": "row-%d"}`+"\n", agents[row%2].ID, row)
		}
		path := filepath.Join(t.TempDir(), "usage.ndjson")
		if err := os.WriteFile(path, []byte(lines.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		stored := func() (sum int64) {
			for _, a := range agents {
				var stats demoStats
				if err := s.as(reporter).read(t.Context(), fmt.Sprintf("/agents/%d/stats", a.ID), &stats); err != nil {
					t.Fatal(err)
				}
				sum += stats.Activities
			}
			return sum
		}
		load := func() (wait func() (int, string)) {
			cmd := command(t, []string{"XYRA_URL=" + strings.TrimSuffix(s.url, "/api/v1"), "XYRA_API_KEY=" + reporter.credential}, "import", path, "--batch=20")
			complaint := &lockedBuffer{}
			cmd.Stderr = complaint
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			for before := stored(); stored() < before+20; {
				if t.Context().Err() != nil {
					t.Fatal("the import does not begin")
				}
			}
			return func() (int, string) {
				cmd.Process.Signal(syscall.SIGTERM) //nolint:errcheck // it may have ended
				cmd.Wait()                          //nolint:errcheck // its code is looked at
				return cmd.ProcessState.ExitCode(), complaint.String()
			}
		}
		if code, complaint := load()(); code != 1 || strings.Count(complaint, "xyra: ") != 1 {
			t.Errorf("an import that is told to end ends with %d: %s", code, complaint)
		}
		wait := load()
		if code := s.terminate(); code != 0 {
			t.Errorf("the server ends with %d: %s", code, s.log)
		}
		if code, complaint := wait(); code != 1 {
			t.Errorf("an import whose server ends ends with %d: %s", code, complaint)
		}
		s = startServer(t, env...)
		if code, out, complaint := ended(t, command(t, []string{"XYRA_URL=" + strings.TrimSuffix(s.url, "/api/v1"), "XYRA_API_KEY=" + reporter.credential}, "import", path)); code != 0 {
			t.Errorf("the import again ends with %d: %s%s", code, out, complaint)
		}
		if got := stored(); got != rows {
			t.Errorf("%d rows are stored of %d", got, rows)
		}
		mustVerify(t, env)
	})
}

// freeAddress is one that a server can have again after a restart.
func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
