package main

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"

	"xyra/money"
)

//go:embed trace/azure_llm_trace_conv_2023.csv.gz
var traceFile []byte

// traceRow is one request that a language model answered.
type traceRow struct {
	timestamp string // as published
	context   int64  // tokens read
	generated int64  // tokens written
}

// readTrace unpacks the embedded trace.
func readTrace() ([]traceRow, error) {
	unpacked, err := gzip.NewReader(bytes.NewReader(traceFile))
	if err != nil {
		return nil, fmt.Errorf("unpack the trace: %w", err)
	}
	lines := csv.NewReader(unpacked)
	lines.ReuseRecord = true
	if _, err := lines.Read(); err != nil { // the names of the columns
		return nil, fmt.Errorf("read the trace's head: %w", err)
	}
	var rows []traceRow
	for {
		line, err := lines.Read()
		if err == io.EOF {
			return rows, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read the trace: %w", err)
		}
		row, err := parseTraceRow(line)
		if err != nil {
			return nil, fmt.Errorf("read row %d of the trace: %w", len(rows)+1, err)
		}
		rows = append(rows, row)
	}
}

func parseTraceRow(line []string) (row traceRow, err error) {
	row.timestamp = strings.Clone(line[0])
	if row.context, err = strconv.ParseInt(line[1], 10, 64); err != nil {
		return row, err
	}
	row.generated, err = strconv.ParseInt(line[2], 10, 64)
	return row, err
}

// What the demo assumes, because the trace has no prices: US cents a million tokens, and what a resolved ticket is worth.
const (
	contextCents   = 50
	generatedCents = 150
	outcomeEvery   = 10 // of each agent's conversations one in so many resolves a ticket
	outcomeValue   = "4.00"
)

// tokenCost is what a request cost to run, exact.
func (row traceRow) tokenCost() money.Decimal {
	return money.FromInt(row.context*contextCents + row.generated*generatedCents).Shift(-8)
}

// demoEvent is one request to the API.
type demoEvent struct {
	path string // below the agent
	body any
}

type activityBody struct {
	Type      string `json:"activity_type"`
	Quantity  int64  `json:"quantity"`
	Timestamp string `json:"timestamp"`
	Key       string `json:"idempotency_key"`
}

type costBody struct {
	Type      string           `json:"cost_type"`
	Amount    money.Decimal    `json:"amount"`
	Currency  string           `json:"currency"`
	Details   map[string]int64 `json:"details"`
	Timestamp string           `json:"timestamp"`
	Key       string           `json:"idempotency_key"`
}

type outcomeBody struct {
	Type      string `json:"outcome_type"`
	Value     string `json:"value"`
	Currency  string `json:"currency"`
	Timestamp string `json:"timestamp"`
	Key       string `json:"idempotency_key"`
}

// events are what a row becomes: conversation number of all, turn of its agent. Every event has a key, so that sending the trace again
// would change nothing.
func (row traceRow) events(number, turn int) []demoEvent {
	key := fmt.Sprintf("conversation-%05d-", number)
	list := []demoEvent{
		{"activities", activityBody{"generated_token", row.generated, row.timestamp, key + "activity"}},
		{"costs", costBody{"tokens", row.tokenCost(), "USD", map[string]int64{"context": row.context, "generated": row.generated}, row.timestamp, key + "cost"}},
	}
	if turn%outcomeEvery == 0 {
		list = append(list, demoEvent{"outcomes", outcomeBody{"ticket_resolved", outcomeValue, "USD", row.timestamp, key + "outcome"}})
	}
	return list
}
