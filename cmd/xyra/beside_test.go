package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// releaseBefore is the commit of the release before. Each release moves it; see docs/operations.md, "A new release".
const releaseBefore = "8c8592d"

// binaryBefore is the release before, built from the history of this repository, or XYRA_TEST_BINARY.
func binaryBefore(t *testing.T) string {
	t.Helper()
	if path := os.Getenv("XYRA_TEST_BINARY"); path != "" {
		return path
	}
	dir := t.TempDir()
	sources, err := exec.Command("git", "-C", "../..", "archive", releaseBefore).Output()
	if err != nil {
		t.Fatalf("read release %s from the history, which must be whole: %v", releaseBefore, err)
	}
	unpack := exec.Command("tar", "-x", "-C", dir)
	unpack.Stdin = bytes.NewReader(sources)
	if out, err := unpack.CombinedOutput(); err != nil {
		t.Fatalf("unpack: %v: %s", err, out)
	}
	path := filepath.Join(dir, "xyra-before")
	build := exec.Command("go", "build", "-o", path, "./cmd/xyra")
	build.Dir = dir
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v: %s", err, out)
	}
	return path
}

// startBefore starts the release before.
func startBefore(t *testing.T, path string, env []string) *server {
	t.Helper()
	cmd := command(t, env)
	cmd.Path = path
	return startCommand(t, cmd, func() {})
}

// Promise 24: replicas of the release before go on while one of this version migrates and serves beside them, and are replaced
// in turn: of 200 requests a second through a balancer none fails, and the books add up. An older one that starts on the newer
// schema refuses with one line. In CI the schema alone is held against what the release before writes
// (TestMigrate_LeavesRoomForTheReleaseBefore).
func TestBeside_ReleaseBeforeGoesOn(t *testing.T) {
	if rounds(0, 1) == 0 {
		return
	}
	before := binaryBefore(t)
	eachDatabase(t, func(t *testing.T, env []string) {
		env = bareDatabase(t, env)
		if !isPostgres(env) {
			refuseOlder(t, env, before)
			return
		}
		env = append(env, "XYRA_DRAIN_DELAY=1s")
		old := []*server{startBefore(t, before, env), startBefore(t, before, env)}
		b, front := newBalancer(t)
		b.add(t, old[0])
		b.add(t, old[1])
		b.waitReady(t, 2)
		f := newTraffic(t, old[0], front)
		stop := f.flow()
		f.more(400)
		b.add(t, startServer(t, env...)) // migrates under them
		b.waitReady(t, 3)
		f.more(2000)
		mustVerify(t, env)
		for _, o := range old {
			b.replace(t, o, func() *server {
				if code := o.terminate(); code != 0 {
					t.Errorf("ends with %d: %s", code, o.log)
				}
				return startServer(t, env...)
			})
			b.waitReady(t, 3)
			f.more(400)
		}
		stop()
		mustVerify(t, env)
		last := startServer(t, env...)
		f.mustBeThere(last)
		mustVerify(t, env)
		refuseOlder(t, env, before)
	})
}

// refuseOlder has the present version migrate a database and the release before start on it.
func refuseOlder(t *testing.T, env []string, before string) {
	t.Helper()
	if code, out, complaint := ended(t, command(t, env, "migrate")); code != 0 {
		t.Fatalf("migrate: %s%s", out, complaint)
	}
	cmd := command(t, env)
	cmd.Path = before
	code, out, complaint := ended(t, cmd)
	if code != 1 || out != "" || strings.Count(complaint, "\n") != 1 || !strings.HasPrefix(complaint, "xyra: ") || !strings.Contains(complaint, "newer schema than this binary knows") {
		t.Errorf("the release before ends with %d: %s%s", code, out, complaint)
	}
	t.Logf("%s", complaint)
}
