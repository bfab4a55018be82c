package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"xyra/strictjson"
)

// rowReader reads a file event by event; io.EOF ends it.
type rowReader interface {
	next() (importRow, error)
}

// importRow is one event of a file: the JSON to send, or why there is none.
type importRow struct {
	line  int
	event []byte
	fault string
}

// rowForm is what a row gets that it does not say itself.
type rowForm struct {
	name, kind, keyColumn string
}

// derivedKey makes a row unique by where it stands and what it says.
func (f rowForm) derivedKey(line int, content []byte) string {
	h := sha256.New()
	fmt.Fprintf(h, "%s\x00%d\x00", f.name, line)
	h.Write(content)
	return "import:" + hex.EncodeToString(h.Sum(nil)[:16])
}

// lineRows reads one JSON event a line.
type lineRows struct {
	form  rowForm
	lines *bufio.Scanner
	line  int
}

const lineMax = 1 << 20

func newLineRows(r io.Reader, form rowForm) *lineRows {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 64<<10), lineMax)
	return &lineRows{form: form, lines: lines}
}

func (l *lineRows) next() (importRow, error) {
	for l.lines.Scan() {
		l.line++
		if text := bytes.TrimSpace(l.lines.Bytes()); len(text) > 0 {
			return importRow{line: l.line, event: l.complete(text)}, nil
		}
	}
	switch err := l.lines.Err(); {
	case err == nil:
		return importRow{}, io.EOF
	case errors.Is(err, bufio.ErrTooLong):
		return importRow{}, fmt.Errorf("line %d is longer than 1 MiB", l.line+1)
	default:
		return importRow{}, fmt.Errorf("read line %d: %w", l.line+1, err)
	}
}

// complete adds kind and key to an event that lacks them. What is no event is sent as it is: the server says what is wrong.
func (l *lineRows) complete(text []byte) []byte {
	v, syntax := strictjson.Parse(text)
	if syntax != nil || v.Kind() != strictjson.Object {
		return bytes.Clone(text)
	}
	text = v.Compact()
	key, hasKey := v.Field("idempotency_key")
	if hasKey && key.Kind() == strictjson.Null {
		text = v.CompactWith(key, strictjson.AppendString(nil, l.key(v, text)))
	}
	added := []byte{'{'}
	if _, named := v.Field("kind"); !named {
		added = append(strictjson.AppendString(append(added, `"kind":`...), l.form.kind), ',')
	}
	if !hasKey {
		added = append(strictjson.AppendString(append(added, `"idempotency_key":`...), l.key(v, text)), ',')
	}
	if len(text) == len("{}") {
		added = bytes.TrimSuffix(added, []byte{','})
	}
	return append(added, text[1:]...)
}

// key is what the chosen column holds, or a derived one.
func (l *lineRows) key(v strictjson.Value, text []byte) string {
	chosen, _ := v.Field(l.form.keyColumn)
	switch {
	case chosen.Kind() == strictjson.Number:
		return chosen.Number()
	case chosen.Kind() == strictjson.String && chosen.Text() != "":
		return chosen.Text()
	}
	return l.form.derivedKey(l.line, text)
}

// csvRows reads a table whose first line names its columns.
type csvRows struct {
	form    rowForm
	table   *csv.Reader
	columns []string
}

var csvColumns = []string{"kind", "agent_id", "agent_external_id", "organization_id", "type", "quantity", "amount", "value", "currency", "timestamp",
	"verified", "details", "idempotency_key"}

func newCSVRows(r io.Reader, form rowForm) (*csvRows, error) {
	buffered := bufio.NewReader(r)
	if mark, err := buffered.Peek(3); err == nil && string(mark) == "\xef\xbb\xbf" {
		if _, err := buffered.Discard(3); err != nil {
			return nil, fmt.Errorf("read the first line: %w", err)
		}
	}
	table := csv.NewReader(buffered)
	table.ReuseRecord = true
	header, err := table.Read()
	if errors.Is(err, io.EOF) {
		return nil, errors.New("the file is empty: its first line must name the columns")
	}
	if err != nil {
		return nil, fmt.Errorf("read the first line: %w", err)
	}
	columns := make([]string, len(header))
	for i, name := range header {
		name = strings.TrimSpace(name)
		columns[i] = strings.ToLower(name)
		if slices.Contains(columns[:i], columns[i]) {
			return nil, fmt.Errorf("two columns are named %q", name)
		}
		if !slices.Contains(csvColumns, columns[i]) && !strings.EqualFold(name, form.keyColumn) {
			return nil, fmt.Errorf("column %q is none of %s, and not the --key-column", name, strings.Join(csvColumns, ", "))
		}
	}
	form.keyColumn = strings.ToLower(form.keyColumn)
	return &csvRows{form: form, table: table, columns: columns}, nil
}

func (t *csvRows) next() (importRow, error) {
	cells, err := t.table.Read()
	if errors.Is(err, io.EOF) {
		return importRow{}, io.EOF
	}
	if err != nil && !errors.Is(err, csv.ErrFieldCount) {
		return importRow{}, fmt.Errorf("read the table: %w", err)
	}
	line, _ := t.table.FieldPos(0)
	if err != nil {
		return importRow{line: line, fault: fmt.Sprintf("%d cells in a table of %d columns", len(cells), len(t.columns))}, nil
	}
	kind, key := t.form.kind, ""
	for i, column := range t.columns {
		if column == "kind" && cells[i] != "" {
			kind = cells[i]
		}
		if column == t.form.keyColumn {
			key = cells[i]
		}
	}
	event := append(strictjson.AppendString([]byte(`{"kind":`), kind), ',')
	for i, column := range t.columns {
		if cells[i] != "" && column != "kind" && column != t.form.keyColumn && column != "idempotency_key" {
			event = append(strictjson.AppendString(event, memberName(column, kind)), ':')
			event = append(appendCell(event, column, cells[i]), ',')
		}
	}
	if key == "" {
		key = t.form.derivedKey(line, event)
	}
	event = strictjson.AppendString(append(event, `"idempotency_key":`...), key)
	return importRow{line: line, event: append(event, '}')}, nil
}

// memberName is what a column is called in an event of that kind.
func memberName(column, kind string) string {
	switch {
	case column == "type":
		return kind + "_type"
	case column == "details" && kind == "activity":
		return "activity_metadata"
	}
	return column
}

// appendCell writes a cell with the type that its column has in JSON; one that does not look like it stays a text, which
// the server then refuses.
func appendCell(dst []byte, column, cell string) []byte {
	plain := false
	switch column {
	case "agent_id", "organization_id":
		_, err := strconv.ParseInt(cell, 10, 64)
		plain = err == nil && cell[0] != '+'
	case "verified":
		cell = strings.ToLower(cell)
		plain = cell == "true" || cell == "false"
	case "details":
		plain = true
	}
	if plain {
		if v, syntax := strictjson.Parse([]byte(cell)); syntax == nil {
			return append(dst, v.Compact()...)
		}
	}
	return strictjson.AppendString(dst, cell)
}
