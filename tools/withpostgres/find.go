//go:build unix

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
)

// oldestServer is the first major version whose SQL Xyra's statements are written for.
const oldestServer = 13

// places are where packages put the server's programs without adding them to PATH.
var places = []string{
	"/usr/lib/postgresql/*/bin",         // Debian, Ubuntu
	"/usr/pgsql-*/bin",                  // PostgreSQL's own packages for Red Hat
	"/usr/lib/postgresql*/bin",          // SUSE
	"/usr/libexec/postgresql*",          // Alpine
	"/usr/local/pgsql/bin",              // built from source
	"/opt/homebrew/opt/postgresql*/bin", // Homebrew on Apple silicon
	"/usr/local/opt/postgresql*/bin",    // Homebrew on Intel
	"/home/linuxbrew/.linuxbrew/opt/postgresql*/bin",
	"/opt/local/lib/postgresql*/bin", // MacPorts
	"/Applications/Postgres.app/Contents/Versions/*/bin",
}

// serverBinaries answers with the folder that holds initdb and postgres, after installing them when it may.
func serverBinaries() (string, error) {
	if named := os.Getenv("PG_BIN"); named != "" {
		if serverVersion(named) < oldestServer {
			return "", fmt.Errorf("PG_BIN=%s holds no initdb and postgres of version %d or newer", named, oldestServer)
		}
		return named, nil
	}
	if bin := findBinaries(); bin != "" {
		return bin, nil
	}
	if err := install(); err != nil {
		return "", err
	}
	if bin := findBinaries(); bin != "" {
		return bin, nil
	}
	return "", errors.New("the package manager put PostgreSQL's initdb in no usual place; set PG_BIN to its folder")
}

// findBinaries prefers PATH, then the newest version in any usual place; "" when there is none.
func findBinaries() string {
	if initdb, err := exec.LookPath("initdb"); err == nil {
		if dir := filepath.Dir(initdb); serverVersion(dir) >= oldestServer {
			return dir
		}
	}
	best, bestVersion := "", oldestServer-1
	for _, place := range places {
		found, err := filepath.Glob(place)
		if err != nil {
			panic(err) // a pattern of this very file is malformed
		}
		slices.Sort(found)
		for _, dir := range found {
			if v := serverVersion(dir); v > bestVersion {
				best, bestVersion = dir, v
			}
		}
	}
	return best
}

var versionText = regexp.MustCompile(`\(PostgreSQL\) (\d+)`)

// serverVersion is the major version of the server in dir, 0 when the programs are not both there and working.
func serverVersion(dir string) int {
	if _, err := exec.LookPath(filepath.Join(dir, "initdb")); err != nil {
		return 0
	}
	out, err := exec.Command(filepath.Join(dir, "postgres"), "--version").Output()
	if err != nil {
		return 0
	}
	match := versionText.FindSubmatch(out)
	if match == nil {
		return 0
	}
	major, err := strconv.Atoi(string(match[1]))
	if err != nil {
		return 0
	}
	return major
}
