package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"xyra/money"
)

// What was written before a restart is read after it, in every part of the program.
func TestServe_RestartKeepsEverything(t *testing.T) {
	eachDatabase(t, func(t *testing.T, env []string) {
		first := startServer(t, env...)
		operator := first.login()
		customer, agents, reporter, err := makeWorld(t.Context(), operator)
		if err != nil {
			t.Fatal(err)
		}
		rows := []traceRow{{"2023-11-16 18:15:46.6805900", 374, 44}, {"2023-11-30 23:59:59.9999999", 1000, 100}, {"2023-12-01 00:00:00", 7, 5}}
		for _, task := range demoTasks(rows, agents[1:2]) {
			if err := reporter.post(t.Context(), task.path, task.body, nil); err != nil {
				t.Fatal(err)
			}
		}
		invoice, err := generate(t.Context(), operator, customer)
		if err != nil {
			t.Fatal(err)
		}
		if code := first.terminate(); code != 0 {
			t.Fatalf("ends with %d: %s", code, first.log)
		}

		second := startServer(t, env...)
		operator = second.as(operator) // the token outlives the restart
		var stats demoStats
		if err := operator.read(t.Context(), fmt.Sprintf("/agents/%d/stats", agents[1].ID), &stats); err != nil {
			t.Fatal(err)
		}
		if stats.Activities != 3 || stats.Charges.String() != "0.01192" {
			t.Errorf("the agent has %d activities charged %s, want 3 and 149 tokens at 0.00008", stats.Activities, stats.Charges)
		}
		var list []demoInvoice
		if err := operator.read(t.Context(), fmt.Sprintf("/invoices?org_id=%d", customer.ID), &list); err != nil {
			t.Fatal(err)
		}
		if len(list) != 1 || list[0].Number != invoice.Number || !list[0].Total.Equal(money.MustParse("598.01")) {
			t.Errorf("invoices are %+v, want %s over 348 + 250 + 144 tokens at 0.00008", list, invoice.Number)
		}
		if _, err := generate(t.Context(), operator, customer); err == nil || !strings.Contains(err.Error(), "409") {
			t.Errorf("generating the month again: %v, want 409", err)
		}
		mustVerify(t, env)
	})
}

// as is a client of this server with another client's credential.
func (s *server) as(other *demoClient) *demoClient {
	return newDemoClient(s.url, 32).as(other.credential)
}

// reporter posts numbered activities until its server goes away, and remembers the answers.
type reporter struct {
	mu       sync.Mutex
	sent     int
	answered map[int]int64 // number → event id
}

func (r *reporter) next() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sent++
	return r.sent
}

func (r *reporter) keep(number int, id int64) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answered[number] = id
	return len(r.answered)
}

func numberedActivity(number int) activityBody {
	return activityBody{"generated_token", int64(number), "2023-11-16 18:15:46", fmt.Sprintf("number-%d", number)}
}

// report sends with several workers at once. enough is closed at the so-manieth answer; workers end with ctx or with the
// first request that no server answers.
func (r *reporter) report(ctx context.Context, t *testing.T, client *demoClient, agents []demoAgent, enoughAt int, enough chan<- struct{}) {
	target := len(r.answered) + enoughAt
	var workers sync.WaitGroup
	for range 16 {
		workers.Go(func() {
			for ctx.Err() == nil {
				number := r.next()
				var event struct{ ID int64 }
				if err := client.post(ctx, eventPath(agents, number), numberedActivity(number), &event); err != nil {
					if strings.Contains(err.Error(), "answers 5") || strings.Contains(err.Error(), "answers 4") {
						t.Errorf("event %d: %v", number, err)
					}
					return
				}
				if r.keep(number, event.ID) == target {
					close(enough)
				}
			}
		})
	}
	workers.Wait()
}

func eventPath(agents []demoAgent, number int) string {
	return fmt.Sprintf("/agents/%d/activities", agents[number%len(agents)].ID)
}

// An answered event survives SIGKILL, once. What was sent and not answered may be there or not; sending all again makes each
// be there exactly once.
func TestServe_KilledUnderLoadKeepsEveryAnsweredEvent(t *testing.T) {
	eachDatabase(t, func(t *testing.T, env []string) {
		s := startServer(t, env...)
		_, agents, client, err := makeWorld(t.Context(), s.login())
		if err != nil {
			t.Fatal(err)
		}
		r := &reporter{answered: map[int]int64{}}
		for kill := range 3 {
			enough, done := make(chan struct{}), make(chan struct{})
			go func() {
				defer close(done)
				r.report(untilDone(t), t, s.as(client), agents, 150+100*kill, enough)
			}()
			select {
			case <-enough:
			case <-done:
				t.Fatalf("the server went away by itself: %s", s.log)
			}
			s.kill()
			<-done
			s = startServer(t, env...)
		}
		sendAgain(t, r, s, s.as(client), agents)
		if code := s.terminate(); code != 0 {
			t.Errorf("ends with %d: %s", code, s.log)
		}
		mustVerify(t, env)
	})
}

// sendAgain sends everything a second time: what was answered must be answered with the same id, and all of it be there once.
func sendAgain(t *testing.T, r *reporter, s *server, client *demoClient, agents []demoAgent) {
	t.Helper()
	for number := 1; number <= r.sent; number++ {
		var event struct{ ID int64 }
		if err := client.post(t.Context(), eventPath(agents, number), numberedActivity(number), &event); err != nil {
			t.Fatalf("event %d again: %v", number, err)
		}
		if id, answered := r.answered[number]; answered && id != event.ID {
			t.Errorf("event %d was answered with id %d, and is %d after the restart", number, id, event.ID)
		}
	}
	operator, stored := s.login(), int64(0)
	for _, a := range agents {
		var stats demoStats
		if err := operator.read(t.Context(), fmt.Sprintf("/agents/%d/stats", a.ID), &stats); err != nil {
			t.Fatal(err)
		}
		stored += stats.Activities
	}
	if stored != int64(r.sent) {
		t.Errorf("%d events are stored, %d were sent", stored, r.sent)
	}
	t.Logf("%d sent, %d of them answered before a kill", r.sent, len(r.answered))
}

// SIGTERM under load ends with code 0, no request is refused half-way, and every answered event is there.
func TestServe_SignalDrainsUnderLoad(t *testing.T) {
	eachDatabase(t, func(t *testing.T, env []string) {
		s := startServer(t, env...)
		_, agents, client, err := makeWorld(t.Context(), s.login())
		if err != nil {
			t.Fatal(err)
		}
		r := &reporter{answered: map[int]int64{}}
		enough, done := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(done)
			r.report(untilDone(t), t, client, agents, 300, enough)
		}()
		select {
		case <-enough:
		case <-done:
			t.Fatalf("the server went away by itself: %s", s.log)
		}
		if code := s.terminate(); code != 0 {
			t.Errorf("ends with %d: %s", code, s.log)
		}
		<-done
		s = startServer(t, env...)
		sendAgain(t, r, s, s.as(client), agents)
	})
}

// Without any setting there is a random password, told once, and a secret for the owner's eyes that outlives a restart.
func TestServe_FirstStartMakesSecretAndPassword(t *testing.T) {
	env := "XYRA_DATA_DIR=" + filepath.Join(t.TempDir(), "data")
	s := startServer(t, env)
	found := regexp.MustCompile(`admin@example\.com with the password (\S{20})\n`).FindStringSubmatch(s.banner)
	if found == nil {
		t.Fatalf("no password in the banner: %s", s.banner)
	}
	client := newDemoClient(s.url, 1)
	token, err := client.login(t.Context(), "admin@example.com", found[1])
	if err != nil {
		t.Fatal(err)
	}
	dir := strings.TrimPrefix(env, "XYRA_DATA_DIR=")
	for _, name := range []string{"secret.key", "xyra.db", "xyra.db-wal"} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if mode := info.Mode().Perm(); mode != 0o600 {
			t.Errorf("%s has mode %o, want 600", name, mode)
		}
	}
	s.terminate()
	again := startServer(t, env)
	if strings.Contains(again.banner, "with the password") || strings.Contains(again.log.String()+s.log.String(), found[1]) {
		t.Errorf("the password is told again: %s%s", again.banner, again.log)
	}
	var me struct{ Email string }
	if err := newDemoClient(again.url, 1).as(token).read(t.Context(), "/auth/me", &me); err != nil || me.Email != "admin@example.com" {
		t.Errorf("the token of before the restart is %+v, %v", me, err)
	}
}

// The password of the documents works on this machine alone, also when it was set while nobody else could reach it.
func TestServe_DefaultPasswordIsNeverReachable(t *testing.T) {
	env := []string{"XYRA_DATA_DIR=" + filepath.Join(t.TempDir(), "data"), "FIRST_SUPERUSER_PASSWORD=admin"}
	s := startServer(t, env...)
	if _, err := newDemoClient(s.url, 1).login(t.Context(), "admin@example.com", "admin"); err != nil {
		t.Errorf("admin on loopback: %v", err)
	}
	s.terminate()
	code, _, complaint := ended(t, command(t, append(env, "XYRA_ADDR=0.0.0.0:0")))
	if code != 1 || !strings.Contains(complaint, "xyra passwd admin@example.com") {
		t.Fatalf("admin on all addresses ends with %d: %s", code, complaint)
	}
	passwd := command(t, env, "passwd", "Admin@Example.com")
	passwd.Stdin = strings.NewReader(testPassword + "\n")
	if code, out, complaint := ended(t, passwd); code != 0 {
		t.Fatalf("passwd ends with %d: %s%s", code, out, complaint)
	}
	reachable := startServer(t, append(env, "XYRA_ADDR=0.0.0.0:0")...)
	reachable.login()
}

// healthcheck says what /ready says, by exit code.
func TestHealthcheck_FollowsTheServer(t *testing.T) {
	s := startServer(t, "XYRA_DATA_DIR="+t.TempDir())
	address := "XYRA_ADDR=" + strings.TrimSuffix(strings.TrimPrefix(s.url, "http://"), "/api/v1")
	if code, out, complaint := ended(t, command(t, []string{address}, "healthcheck")); code != 0 || out != "ready\n" {
		t.Errorf("of a running server: %d %s%s", code, out, complaint)
	}
	s.terminate()
	if code, _, complaint := ended(t, command(t, []string{address}, "healthcheck")); code != 1 || !strings.Contains(complaint, "no server answers") {
		t.Errorf("of none: %d %s", code, complaint)
	}
}

// The documents are served, and the prefix moves the API alone.
func TestServe_PrefixMovesTheAPI(t *testing.T) {
	s := startServer(t, "XYRA_DATA_DIR="+t.TempDir(), "API_V1_STR=/billing/", "FIRST_SUPERUSER_PASSWORD="+testPassword)
	if !strings.HasSuffix(s.url, "/billing") {
		t.Fatalf("the API is at %s", s.url)
	}
	s.login()
	for _, path := range []string{"/docs", "/redoc", "/openapi.json", "/health", "/ready"} {
		answer, err := http.Get(strings.TrimSuffix(s.url, "/billing") + path)
		if err != nil {
			t.Fatal(err)
		}
		if err := answer.Body.Close(); err != nil || answer.StatusCode != http.StatusOK {
			t.Errorf("GET %s answers %s, %v", path, answer.Status, err)
		}
	}
}
