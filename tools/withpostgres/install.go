//go:build unix

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// packageSystem is one way to install the server: the steps are run in turn, the last is also what a person would type.
type packageSystem struct {
	program string
	asRoot  bool
	steps   []string
}

var packageSystems = []packageSystem{
	{"apt-get", true, []string{"apt-get update -q", "apt-get install -y -q --no-install-recommends postgresql"}},
	{"dnf", true, []string{"dnf install -y postgresql-server"}},
	{"yum", true, []string{"yum install -y postgresql-server"}},
	{"apk", true, []string{"apk add --no-cache postgresql"}},
	{"pacman", true, []string{"pacman -Sy --noconfirm --needed postgresql"}},
	{"zypper", true, []string{"zypper --non-interactive install postgresql-server"}},
	{"brew", false, []string{"brew install postgresql"}},
}

// install brings the server by the first package manager it finds. Without the right to, the error says what to type.
func install() error {
	root := os.Geteuid() == 0
	for _, system := range packageSystems {
		if _, err := exec.LookPath(system.program); err != nil {
			continue
		}
		if system.asRoot != root {
			return fmt.Errorf("no PostgreSQL server found; install it with `%s` (as %s), or set PG_BIN to the folder of initdb",
				system.steps[len(system.steps)-1], map[bool]string{true: "root", false: "a user other than root"}[system.asRoot])
		}
		for _, step := range system.steps {
			fmt.Fprintln(os.Stderr, "withpostgres: no PostgreSQL server found, installing one:", step)
			words := strings.Fields(step)
			cmd := exec.Command(words[0], words[1:]...)
			cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
			cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
			if err := cmd.Run(); err != nil {
				return fmt.Errorf("install PostgreSQL with `%s`: %w", step, err)
			}
		}
		return nil
	}
	return errors.New("no PostgreSQL server found and no package manager known here; install PostgreSQL 13 or newer, or set PG_BIN to the folder of initdb")
}
