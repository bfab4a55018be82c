package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/term"
)

// importCommand records the events of a file through a running server.
type importCommand struct {
	File      string `arg:"" help:"The file, .csv or .ndjson (one JSON event a line); - reads standard input."`
	URL       string `name:"url" env:"XYRA_URL" placeholder:"http://127.0.0.1:8000" help:"The running server. Default the one that the same settings would start."`
	Key       string `name:"key" env:"XYRA_API_KEY" placeholder:"TEXT" help:"API key. Default none: log in."`
	Email     string `name:"email" env:"XYRA_EMAIL" placeholder:"ADDRESS" help:"Log in as this user instead of using a key."`
	Password  string `name:"password" env:"XYRA_PASSWORD" placeholder:"TEXT" help:"The user's password; the variable hides it from other processes."`
	Format    string `name:"format" enum:"auto,csv,ndjson" default:"auto" help:"csv or ndjson. Default by the file's name; standard input is ndjson."`
	Kind      string `name:"kind" enum:"activity,cost,outcome" default:"activity" help:"Kind of the rows that name none."`
	KeyColumn string `name:"key-column" default:"idempotency_key" help:"Column whose text makes a row unique for ever. A row without it is known by file name, line and content, so that the same file can be imported again."`
	BatchMax  int    `name:"batch" default:"5000" help:"Rows sent at a time, 1 to 10000."`
}

// Help is shown below the command's options.
func (importCommand) Help() string {
	return `The events go to a running server like any others, in batches that are recorded whole; importing a file again, or after an interruption, records nothing twice.

Columns of a .csv, by the names in its first line: kind, agent_id or agent_external_id (superusers: organization_id beside it), type, quantity, amount, value, currency, timestamp, verified, details (JSON), idempotency_key. Empty cells count as not sent.

Refused rows are listed with their lines, and the command ends with code 1; the others are recorded.`
}

// rowsShown bounds how many refused rows are listed.
const rowsShown = 20

// Run implements the command.
func (i importCommand) Run(ctx context.Context, c console, s *settings) error {
	if i.BatchMax < 1 || i.BatchMax > 10_000 {
		return fmt.Errorf("--batch=%d cannot be used: choose 1 to 10000", i.BatchMax)
	}
	file, size, err := i.open(c)
	if err != nil {
		return err
	}
	defer file.Close()
	target, err := i.connect(ctx, s)
	if err != nil {
		return err
	}
	read := &countedReader{Reader: file}
	rows, err := i.rows(read)
	if err != nil {
		return err
	}
	t := &importTally{bar: newProgress(c, size)}
	err = i.send(ctx, rows, target, read, t)
	t.bar.clear()
	for _, row := range t.refused {
		fmt.Fprintln(c.err, row)
	}
	if unseen := t.rejected - len(t.refused); unseen > 0 {
		fmt.Fprintf(c.err, "… and %d more\n", unseen)
	}
	fmt.Fprintf(c.out, "%s: %s rows: %s accepted, %s known already, %s rejected\n", i.name(), grouped(int64(t.rows())),
		grouped(int64(t.accepted)), grouped(int64(t.duplicate)), grouped(int64(t.rejected)))
	if err != nil {
		return fmt.Errorf("%s is not imported to its end: %w; importing it again records nothing twice", i.name(), err)
	}
	if t.rejected > 0 {
		return exitCode(1)
	}
	return nil
}

func (i importCommand) name() string {
	if i.File == "-" {
		return "standard input"
	}
	return filepath.Base(i.File)
}

// open returns the file and its size, 0 if unknown.
func (i importCommand) open(c console) (io.ReadCloser, int64, error) {
	if i.File == "-" {
		return io.NopCloser(c.in), 0, nil
	}
	file, err := os.Open(i.File)
	if err != nil {
		return nil, 0, fmt.Errorf("the file cannot be read: %w", err)
	}
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return file, 0, err
	}
	return file, info.Size(), nil
}

// rows chooses the reader of the file's format.
func (i importCommand) rows(r io.Reader) (rowReader, error) {
	form := rowForm{name: filepath.Base(i.File), kind: i.Kind, keyColumn: i.KeyColumn}
	format := i.Format
	if format == "auto" {
		switch strings.ToLower(filepath.Ext(i.File)) {
		case ".csv":
			format = "csv"
		case ".ndjson", ".jsonl":
			format = "ndjson"
		default:
			if i.File != "-" {
				return nil, fmt.Errorf("the name of %s does not tell its format: choose --format=csv or --format=ndjson", i.File)
			}
		}
	}
	if format == "csv" {
		return newCSVRows(r, form)
	}
	return newLineRows(r, form), nil
}

// batchBytesMax keeps a batch well below what the server takes.
const batchBytesMax = 8 << 20

// send groups rows into batches and sends one after the other.
func (i importCommand) send(ctx context.Context, rows rowReader, target *importTarget, read *countedReader, t *importTally) error {
	var b importBatch
	for {
		row, err := rows.next()
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if len(b.lines) > 0 && (err != nil || len(b.lines) == i.BatchMax || len(b.body)+len(row.event) > batchBytesMax) {
			if err := target.post(ctx, &b, t); err != nil {
				return err
			}
			t.bar.show(t.rows(), read.count)
			b = importBatch{body: b.body[:0]}
		}
		if err != nil {
			return nil
		}
		if row.fault != "" {
			t.reject(row.line, row.fault)
			continue
		}
		b.add(row)
	}
}

// importTally counts what became of the rows.
type importTally struct {
	accepted, duplicate, rejected int
	refused                       []string // the first of them
	bar                           progress
}

func (t *importTally) rows() int { return t.accepted + t.duplicate + t.rejected }

func (t *importTally) reject(line int, why string) {
	if t.rejected++; len(t.refused) < rowsShown {
		t.refused = append(t.refused, fmt.Sprintf("line %d: %s", line, why))
	}
}

// countedReader knows how far a file has been read.
type countedReader struct {
	io.Reader
	count int64
}

// Read implements io.Reader.
func (r *countedReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	r.count += int64(n)
	return n, err
}

// isTerminal tells whether somebody watches a stream.
func isTerminal(w io.Writer) bool {
	file, isFile := w.(*os.File)
	return isFile && term.IsTerminal(int(file.Fd()))
}
