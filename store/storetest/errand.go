package storetest

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"xyra/store"
)

// Errand is what a process of its own is sent to do with a database, and where on its way it dies.
type Errand struct {
	Path, URL  string        // the database
	Stripe     bool          // Stripe is told of what is written
	Now        time.Time     // where the process's clock stands; zero: it runs
	DiesAt     int           // it kills itself when it has made so many steps since Begin; 0: it does not
	DiesAfter  string        // … or when it has made a step of this name
	DiesLater  time.Duration // … and goes on for so long before that
	Args       any           // what the test tells its own process; it travels as JSON
	ReportPath string        // set by Send
}

// errandVariable holds the errand of a process that was started for one.
const errandVariable = "XYRA_TEST_ERRAND"

// errandTimeout is when a process is killed that does not end.
const errandTimeout = 2 * time.Minute

// Process is another process of this test, on an errand.
type Process struct {
	t      testing.TB
	ctx    context.Context
	cmd    *exec.Cmd
	out    bytes.Buffer
	report string
	server string // PostgreSQL: the address, and the name under which the process is known there
	known  string
}

// awaitServer returns when PostgreSQL has noticed that the process is gone and has ended what it was doing for it: until then
// the dead hold locks, and a COMMIT may be on its way.
func (p *Process) awaitServer() {
	p.t.Helper()
	if p.server == "" {
		return
	}
	server, err := sql.Open("pgx", p.server)
	if err != nil {
		p.t.Fatal(err)
	}
	defer server.Close()
	for present := true; present; {
		row := server.QueryRowContext(p.t.Context(), "SELECT EXISTS (SELECT 1 FROM pg_stat_activity WHERE application_name = $1 AND datname = current_database())", p.known)
		if err := row.Scan(&present); err != nil {
			p.t.Fatalf("await the end of the dead's connections: %v", err)
		}
	}
}

// withName is a PostgreSQL address whose connections bear a name.
func withName(address, name string) string {
	u, err := url.Parse(address)
	if err != nil {
		panic(err)
	}
	parameters := u.Query()
	parameters.Set("application_name", name)
	u.RawQuery = parameters.Encode()
	return u.String()
}

// errands counts what this process has sent.
var errands atomic.Int64

// Fate is how a process ended: killed or at its end, with the steps that it made and the lines that it said.
type Fate struct {
	Killed bool
	Steps  []string
	Said   []string
}

// Last is the step after which a process ended.
func (f Fate) Last() string {
	if len(f.Steps) == 0 {
		return "the beginning"
	}
	return f.Steps[len(f.Steps)-1]
}

// Send starts this test's binary once more, for the test function that calls it: there OnErrand does the errand. What is
// still running when the test ends is killed.
func Send(t testing.TB, e Errand) *Process {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &Process{t: t, report: filepath.Join(t.TempDir(), "report"), server: e.URL}
	e.ReportPath = p.report
	if e.URL != "" {
		p.known = fmt.Sprintf("xyra_errand_%d", errands.Add(1))
		e.URL = withName(e.URL, p.known)
	}
	orders, err := json.Marshal(e)
	if err != nil {
		t.Fatalf("write the errand: %v", err)
	}
	test, _, _ := strings.Cut(t.Name(), "/")
	ctx, cancel := context.WithTimeout(t.Context(), errandTimeout)
	p.ctx, p.cmd = ctx, exec.CommandContext(ctx, path, "-test.run=^"+test+"$", "-test.count=1")
	p.cmd.WaitDelay = time.Second
	p.cmd.Env = append(os.Environ(), errandVariable+"="+string(orders))
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.out
	if err := p.cmd.Start(); err != nil {
		cancel()
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		if p.cmd.ProcessState == nil {
			_ = p.cmd.Wait() // it was killed
		}
	})
	return p
}

// Kill ends the process as a power cut would. One that has ended is left alone.
func (p *Process) Kill() {
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Errorf("kill the process on its errand: %v", err)
	}
}

// Wait returns how the process ended, once the database knows of its end too. A process that failed by itself fails the test.
func (p *Process) Wait() (f Fate) {
	p.t.Helper()
	err := p.cmd.Wait()
	f.Killed = err != nil && p.cmd.ProcessState != nil && p.cmd.ProcessState.ExitCode() == -1 // a signal has no code
	if err != nil && !f.Killed || p.ctx.Err() != nil {
		p.t.Fatalf("on its errand: %v\n%s", errors.Join(err, p.ctx.Err()), p.out.String())
	}
	p.awaitServer()
	report, err := os.ReadFile(p.report)
	if err != nil && !os.IsNotExist(err) {
		p.t.Fatal(err)
	}
	for line := range strings.Lines(string(report)) {
		kind, text, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		if kind == "step" {
			f.Steps = append(f.Steps, text)
		} else {
			f.Said = append(f.Said, text)
		}
	}
	return f
}

// EachDeath calls f with an errand on an empty database of the target's kind: once to its end, then with a death after each of
// the steps that it made on the way; after so many of them, by chance, unless XYRA_TEST_LONG is set. f sends the process, sees
// to what it left behind, and returns its fate.
func EachDeath(t *testing.T, target store.Options, few int, f func(t *testing.T, e Errand) Fate) {
	t.Helper()
	var steps []string
	die := func(at int) func(*testing.T) {
		return func(t *testing.T) {
			empty := Another(t, target)
			fate := f(t, Errand{Path: empty.Path, URL: empty.URL, DiesAt: at})
			if at == 0 {
				steps = fate.Steps
				if fate.Killed {
					t.Error("it was killed")
				}
			}
		}
	}
	if !t.Run("alive", die(0)) {
		return
	}
	points := rand.Perm(len(steps))
	if os.Getenv("XYRA_TEST_LONG") == "" {
		points = diverse(points, steps)
		points = points[:min(few, len(points))]
	}
	for _, n := range points {
		t.Run(fmt.Sprintf("dies at %d %s", n+1, steps[n]), die(n+1))
	}
}

// diverse keeps the first of the points for each name of a step: most steps are reads, and few are calls.
func diverse(points []int, steps []string) []int {
	seen := map[string]bool{}
	return slices.DeleteFunc(points, func(n int) bool {
		known := seen[steps[n]]
		seen[steps[n]] = true
		return known
	})
}

// Envoy is this process, when it was started for an errand.
type Envoy struct {
	Errand
	t      testing.TB
	mu     sync.Mutex
	begun  bool
	steps  int
	report *os.File
}

// OnErrand does the errand and is true in a process that Send has started. Everywhere else it is false, and the test is one
// like all others. A test that sends processes begins with it.
func OnErrand(t *testing.T, do func(e *Envoy)) bool {
	t.Helper()
	orders := os.Getenv(errandVariable)
	if orders == "" {
		return false
	}
	e := &Envoy{t: t}
	if err := json.Unmarshal([]byte(orders), &e.Errand); err != nil {
		t.Fatalf("read the errand: %v", err)
	}
	var err error
	if e.report, err = os.OpenFile(e.ReportPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err != nil {
		t.Fatal(err)
	}
	do(e)
	return true
}

// ReadArgs reads what the test has told its process.
func (e *Envoy) ReadArgs(into any) {
	e.t.Helper()
	text, err := json.Marshal(e.Args)
	if err == nil {
		err = json.Unmarshal(text, into)
	}
	if err != nil {
		e.t.Fatalf("read the errand's arguments: %v", err)
	}
}

// Begin begins the errand proper: what was done before it was preparation, and no step.
func (e *Envoy) Begin() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.begun = true
}

// Open opens the errand's database. Each statement on it is a step. Without a Now of the errand the clock is running.
func (e *Envoy) Open(running func() time.Time) *store.DB {
	e.t.Helper()
	return Open(e.t, store.Options{Path: e.Path, URL: e.URL, Stripe: e.Stripe, Now: e.clock(running),
		Watch: func(_ context.Context, statement string, _, _ time.Time) { e.Step(statement) }})
}

func (e *Envoy) clock(running func() time.Time) func() time.Time {
	if e.Now.IsZero() {
		return running
	}
	return NewClock(e.Now).Now
}

// Step notes that one more step has been made, and dies if it was the last.
func (e *Envoy) Step(name string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.begun {
		return
	}
	e.steps++
	e.write("step " + name)
	if e.steps != e.DiesAt && name != e.DiesAfter {
		return
	}
	if e.DiesLater > 0 {
		time.AfterFunc(e.DiesLater, e.Die)
		return
	}
	e.Die()
}

// Say leaves a line for the test, which reads it though the process dies.
func (e *Envoy) Say(text string) { e.write("said " + text) }

func (e *Envoy) write(line string) {
	if _, err := e.report.WriteString(line + "\n"); err != nil {
		e.t.Errorf("report: %v", err)
	}
}

// Die kills this process: nothing is closed, flushed or rolled back. It does not return.
func (e *Envoy) Die() {
	self, err := os.FindProcess(os.Getpid())
	if err == nil {
		err = self.Kill()
	}
	if err != nil {
		panic(err)
	}
	select {} // until the signal arrives
}
