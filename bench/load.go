package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"
)

// loadTask is what the load generator does: every connection sends one request after the other, in turn of the requests.
type loadTask struct {
	Addresses   []string // connections are spread over them
	Connections int
	Warmup      time.Duration
	Span        time.Duration // after the warm-up; 0: Each decides
	Each        int           // requests of every connection, without warm-up; 0: Span decides
	Requests    [][]byte      // whole requests; marks in them are replaced before each sending
	Want        string        // what an answer's body must have among its first bytes
}

// loadResult is what came of it. Latencies are of answers within the span.
type loadResult struct {
	Answers  int64         // within the span
	All      int64         // with those of the warm-up
	Elapsed  time.Duration // of the span
	P50, P99 time.Duration
	Refused  map[string]int64 // by status line
	CPU      time.Duration    // the generator's own
}

// rate is answers a second.
func (r loadResult) rate() int64 { return r.Answers * int64(time.Second) / int64(max(r.Elapsed, 1)) }

// loadRole is the process of the load generator.
func loadRole(ctx context.Context) error {
	t, err := task[loadTask]()
	if err != nil {
		return err
	}
	runtime.GOMAXPROCS(1) // it shares the machine with what it measures
	r, err := generate(ctx, t)
	if err != nil {
		return err
	}
	if r.CPU, err = cpuOf(os.Getpid()); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(r)
}

// client is one connection.
type client struct {
	conn     net.Conn
	in       *bufio.Reader
	requests []*marked
	stamp    stamper
	sent     uint64
	want     []byte
	latency  histogram
	all      int64
	refused  map[string]int64
}

func generate(ctx context.Context, t loadTask) (loadResult, error) {
	clients := make([]*client, t.Connections)
	for i := range clients {
		c, err := newClient(t, i)
		if err != nil {
			return loadResult{}, err
		}
		defer c.conn.Close()
		clients[i] = c
	}
	began := time.Now()
	from, until := began.Add(t.Warmup), began.Add(t.Warmup+t.Span)
	var group sync.WaitGroup
	faults := make([]error, len(clients))
	for i, c := range clients {
		group.Go(func() { faults[i] = c.run(ctx, t.Each, from, until) })
	}
	group.Wait()
	r := loadResult{Elapsed: t.Span, Refused: map[string]int64{}}
	if t.Each > 0 {
		r.Elapsed = time.Since(began)
	}
	var latency histogram
	for _, c := range clients {
		latency.merge(&c.latency)
		r.All += c.all
		for line, n := range c.refused {
			r.Refused[line] += n
		}
	}
	r.Answers, r.P50, r.P99 = latency.total, latency.quantile(50), latency.quantile(99)
	return r, errors.Join(faults...)
}

func newClient(t loadTask, number int) (*client, error) {
	address := t.Addresses[number%len(t.Addresses)]
	conn, err := net.DialTimeout("tcp", address, 10*time.Second)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", address, err)
	}
	c := &client{conn: conn, in: bufio.NewReaderSize(conn, 16<<10), want: []byte(t.Want), sent: uint64(number), refused: map[string]int64{}}
	if _, err := rand.Read(c.stamp.prefix[:]); err != nil {
		return nil, err
	}
	for _, request := range t.Requests {
		c.requests = append(c.requests, newMarked(request))
	}
	return c, nil
}

// run sends until the time is over or the number is reached; answers before from are the warm-up's.
func (c *client) run(ctx context.Context, each int, from, until time.Time) error {
	for number := 0; each == 0 || number < each; number++ {
		began := time.Now()
		if each == 0 && !began.Before(until) || ctx.Err() != nil {
			return ctx.Err()
		}
		request := c.requests[int((c.sent+uint64(number))%uint64(len(c.requests)))]
		c.stamp.onto(request, began)
		if _, err := c.conn.Write(request.bytes); err != nil {
			return fmt.Errorf("send: %w", err)
		}
		if err := c.answer(); err != nil {
			return fmt.Errorf("read an answer: %w", err)
		}
		ended := time.Now()
		c.all++
		if each > 0 || !ended.Before(from) && ended.Before(until) {
			c.latency.add(ended.Sub(began))
		}
	}
	return nil
}

var contentLength = []byte("Content-Length: ")

// answer reads one response and counts what is not as it should be.
func (c *client) answer() error {
	line, err := c.in.ReadSlice('\n')
	if err != nil {
		return err
	}
	status := string(bytes.TrimSpace(line))
	length := -1
	for {
		if line, err = c.in.ReadSlice('\n'); err != nil {
			return err
		}
		if len(line) <= 2 {
			break
		}
		if bytes.HasPrefix(line, contentLength) {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(line[len(contentLength):]))); err != nil {
				return err
			}
		}
	}
	if length >= 0 {
		return c.body(status, length)
	}
	for first := true; ; first = false { // a body in chunks, each with its length in front
		if line, err = c.in.ReadSlice('\n'); err != nil {
			return err
		}
		size, err := strconv.ParseInt(string(bytes.TrimSpace(line)), 16, 32)
		if err != nil {
			return err
		}
		if first {
			err = c.body(status, int(size))
		} else {
			_, err = c.in.Discard(int(size))
		}
		if err != nil {
			return err
		}
		if _, err := c.in.Discard(2); err != nil || size == 0 {
			return err
		}
	}
}

// body passes over a body, or the first part of one, and keeps the beginning of what it should not say.
func (c *client) body(status string, length int) error {
	shown, err := c.in.Peek(min(length, 200))
	if err != nil {
		return err
	}
	if !strings.HasPrefix(status, "HTTP/1.1 200") || !bytes.Contains(shown, c.want) {
		if len(c.refused) > 20 {
			return errors.New("too many different refusals: " + status)
		}
		c.refused[status+" "+string(shown)]++
	}
	_, err = c.in.Discard(length)
	return err
}
