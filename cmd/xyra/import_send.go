package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// importBatch is the rows of one request.
type importBatch struct {
	body  []byte
	lines []int // where the rows stand in the file
}

func (b *importBatch) add(row importRow) {
	b.body = append(append(b.body, row.event...), '\n')
	b.lines = append(b.lines, row.line)
}

// importTarget is the server that the events go to.
type importTarget struct {
	client     *http.Client
	root       string
	credential string
}

// connect finds the server and a credential for it.
func (i importCommand) connect(ctx context.Context, s *settings) (*importTarget, error) {
	prefix, err := s.API.prefix()
	if err != nil {
		return nil, err
	}
	root := strings.TrimRight(i.URL, "/")
	if root == "" {
		address, err := s.Listen.address()
		if err != nil {
			return nil, err
		}
		root = localURL(address)
	}
	t := &importTarget{client: &http.Client{Timeout: 2 * time.Minute}, root: root + prefix, credential: i.Key}
	if i.Key != "" {
		return t, nil
	}
	if i.Email == "" || i.Password == "" {
		return nil, errors.New("the server must know who sends: set XYRA_API_KEY, or XYRA_EMAIL and XYRA_PASSWORD")
	}
	login := newDemoClient(t.root, 1)
	credential, err := login.login(ctx, i.Email, i.Password)
	if err != nil {
		return nil, fmt.Errorf("log in as %s: %w", i.Email, err)
	}
	t.credential = credential
	return t, nil
}

// importAnswer is the server's word on a batch.
type importAnswer struct {
	Results []struct {
		Status string
		Code   int
		Detail json.RawMessage
	}
}

// triesMax bounds how often a batch is sent when the server is overloaded or away: about two minutes.
const triesMax = 16

// post sends a batch until the server has answered it. Every row has a key, so that sending again is safe.
func (t *importTarget) post(ctx context.Context, b *importBatch, tally *importTally) error {
	packed, err := gzipped(b.body)
	if err != nil {
		return fmt.Errorf("compress a batch: %w", err)
	}
	var answer importAnswer
	for try := 1; ; try++ {
		wait, err := t.try(ctx, packed, &answer)
		if err == nil {
			break
		}
		if wait == 0 || try == triesMax {
			return err
		}
		pause := time.NewTimer(min(wait*time.Duration(try), 10*time.Second))
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return errors.New("interrupted")
		}
	}
	if len(answer.Results) != len(b.lines) {
		return fmt.Errorf("the server answers %d events of %d", len(answer.Results), len(b.lines))
	}
	for n, result := range answer.Results {
		switch result.Status {
		case "accepted":
			tally.accepted++
		case "duplicate":
			tally.duplicate++
		default:
			tally.reject(b.lines[n], fmt.Sprintf("%d %s", result.Code, readable(result.Detail)))
		}
	}
	return nil
}

// try sends once. With an error, wait says when it may go better; 0 is never.
func (t *importTarget) try(ctx context.Context, packed []byte, answer *importAnswer) (wait time.Duration, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, t.root+"/events", bytes.NewReader(packed))
	if err != nil {
		return 0, fmt.Errorf("send to %s: %w", t.root, err)
	}
	request.Header.Set("Content-Type", "application/x-ndjson")
	request.Header.Set("Content-Encoding", "gzip")
	request.Header.Set("Authorization", "Bearer "+t.credential)
	response, err := t.client.Do(request)
	if ctx.Err() != nil {
		return 0, errors.New("interrupted")
	}
	if err != nil {
		return time.Second, fmt.Errorf("no server answers at %s: %w", t.root, cause(err))
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		return time.Second, fmt.Errorf("read the answer of %s: %w", t.root, err)
	}
	switch {
	case response.StatusCode == http.StatusOK:
		if err := json.Unmarshal(raw, answer); err != nil {
			return 0, fmt.Errorf("read the answer of %s: %w", t.root, err)
		}
		return 0, nil
	case response.StatusCode == http.StatusTooManyRequests || response.StatusCode >= 500:
		seconds, err := strconv.Atoi(response.Header.Get("Retry-After"))
		if err != nil || seconds < 1 {
			seconds = 1
		}
		wait = time.Duration(seconds) * time.Second
	}
	return wait, fmt.Errorf("%s answers %s: %s", t.root, response.Status, readable(detailOf(raw)))
}

func gzipped(body []byte) ([]byte, error) {
	var packed bytes.Buffer
	z, err := gzip.NewWriterLevel(&packed, gzip.BestSpeed)
	if err != nil {
		return nil, err
	}
	if _, err := z.Write(body); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return packed.Bytes(), nil
}

func detailOf(raw []byte) json.RawMessage {
	var refusal struct{ Detail json.RawMessage }
	if json.Unmarshal(raw, &refusal) != nil || refusal.Detail == nil {
		return raw[:min(len(raw), 200)]
	}
	return refusal.Detail
}

// readable turns the detail of a refusal into a line: its text, or "field: what is wrong with it" for each item.
func readable(detail json.RawMessage) string {
	var text string
	if json.Unmarshal(detail, &text) == nil {
		return text
	}
	var items []struct {
		Loc []any
		Msg string
	}
	if json.Unmarshal(detail, &items) != nil {
		return string(detail)
	}
	var parts []string
	for _, item := range items {
		place := ""
		for _, step := range item.Loc[min(3, len(item.Loc)):] { // "body", "events" and the number say nothing here
			place += fmt.Sprint(step) + ": "
		}
		parts = append(parts, place+item.Msg)
	}
	return strings.Join(parts, "; ")
}
