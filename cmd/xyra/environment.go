package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strings"

	"github.com/alecthomas/kong"
	"github.com/joho/godotenv"
)

// loadEnvironment adds the file .env to the environment, which wins over it, and forgets variables that are set to
// nothing: a compose file passes those on for everything that nobody chose. Secrets may be in files.
func loadEnvironment(model *kong.Application) error {
	if err := godotenv.Load(); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the file .env cannot be read: %w; correct or remove it", err)
	}
	for _, group := range model.AllFlags(false) {
		for _, flag := range group {
			for _, name := range flag.Envs {
				if value, set := os.LookupEnv(name); set && value == "" {
					if err := os.Unsetenv(name); err != nil {
						return fmt.Errorf("forget the empty variable %s: %w", name, err)
					}
				}
			}
		}
	}
	return loadFiles()
}

// filed are the variables that hold secrets: each may be in a file instead, which the variable with _FILE at its end names.
var filed = []string{"AZURE_CLIENT_SECRET", "DATABASE_URL", "FIRST_SUPERUSER_PASSWORD", "POSTGRES_PASSWORD", "SECRET_KEY", "SMTP_PASSWORD",
	"STRIPE_API_KEY", "STRIPE_WEBHOOK_SECRET"}

// fileMax bounds what is taken for a secret.
const fileMax = 64 << 10

// loadFiles puts the first line of each file in its variable's place.
func loadFiles() error {
	for _, name := range filed {
		path := os.Getenv(name + "_FILE")
		if path == "" {
			continue
		}
		if os.Getenv(name) != "" {
			return fmt.Errorf("%s and %s_FILE are both set: unset one of them", name, name)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("%s_FILE=%q cannot be read: %w; correct the path, or let this user read it", name, path, cause(err))
		}
		value := strings.TrimRight(string(text), "\r\n")
		if value == "" || len(value) > fileMax || strings.ContainsAny(value, "\r\n\x00") {
			return fmt.Errorf("%s_FILE=%q cannot be used: the file must hold one line, the secret", name, path)
		}
		if err := os.Setenv(name, value); err != nil {
			return fmt.Errorf("set %s from %s: %w", name, path, err)
		}
	}
	return nil
}

// badValue names a variable whose value cannot be used.
func badValue(name, value, instead string) error {
	return fmt.Errorf("%s=%q cannot be used: %s", name, value, instead)
}

var fromVariable = regexp.MustCompile(`^--[a-z-]+: (.*) \(from envar ([A-Z_0-9]+)=(".*")\)$`)

// badVariable turns a complaint about an option around when the value came from the environment.
func badVariable(err error) error {
	if match := fromVariable.FindStringSubmatch(err.Error()); match != nil {
		return fmt.Errorf("%s=%s cannot be used: %s", match[2], match[3], match[1])
	}
	return err
}
