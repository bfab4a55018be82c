package main

import (
	_ "embed"
	"fmt"
	"io"
	"strings"
)

// licensesText is written by go run ./tools/licenses: a table of works, then the text of each licence.
//
//go:embed licenses.txt
var licensesText string

// licensesCommand says whose work is in the program.
type licensesCommand struct {
	Full bool `help:"Print the texts of all licences as well."`
}

// Run implements the command.
func (l licensesCommand) Run(c console) error {
	text := licensesText
	if !l.Full {
		text, _, _ = strings.Cut(text, "\n\n")
		text += "\n"
	}
	if _, err := io.WriteString(c.out, text); err != nil {
		return fmt.Errorf("write the licences: %w", err)
	}
	return nil
}
