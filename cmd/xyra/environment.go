package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"

	"github.com/alecthomas/kong"
	"github.com/joho/godotenv"
)

// loadEnvironment adds the file .env to the environment, which wins over it, and forgets variables that are set to
// nothing: a compose file passes those on for everything that nobody chose.
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
