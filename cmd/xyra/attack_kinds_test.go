package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// attack is a way to keep a server from others; run goes on until ctx ends and leaves nothing open.
type attack struct {
	name string
	run  func(ctx context.Context, a *arena)
}

// attacks are all ways that we know. Numbers of attackers are those of the short form.
var attacks = []attack{
	{"slow heads", func(ctx context.Context, a *arena) {
		a.drip(ctx, 60, "GET /health HTTP/1.1\r\nHost: x\r\nX-Slow: ", "a")
	}},
	{"slow bodies", func(ctx context.Context, a *arena) {
		a.drip(ctx, 40, "POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n{", " ")
	}},
	{"trickled chunks", func(ctx context.Context, a *arena) {
		a.drip(ctx, 40, "POST /api/v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "+a.bad.credential+
			"\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n", "1\r\n \r\n")
	}},
	{"slow readers", func(ctx context.Context, a *arena) {
		a.drip(ctx, 20, strings.Repeat("GET /docs/assets/swagger-ui-bundle.js HTTP/1.1\r\nHost: x\r\n\r\n", 40), "")
	}},
	{"idle connections", func(ctx context.Context, a *arena) { a.many(1, func(int) { a.openIdle(ctx, 900) }) }},
	{"pipelines", func(ctx context.Context, a *arena) {
		request := "GET /api/v1/auth/me HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + a.bad.credential + "\r\n\r\n"
		a.many(2, func(int) { a.pour(ctx, strings.Repeat(request, 200)) })
	}},
	{"large heads", func(ctx context.Context, a *arena) {
		a.many(2, func(int) {
			a.pour(ctx, "GET /health HTTP/1.1\r\nHost: x\r\nX-Large: "+strings.Repeat("a", 40<<10)+"\r\n\r\n")
		})
	}},
	{"flood of requests", func(ctx context.Context, a *arena) {
		a.many(4, func(int) { a.pour(ctx, strings.Repeat("GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n", 2)) })
	}},
	{"huge bodies", func(ctx context.Context, a *arena) {
		a.flood(ctx, 2, "/events", "", []byte(`{"events":"`+strings.Repeat("a", 16<<20)+`"}`))
	}},
	{"deep bodies", func(ctx context.Context, a *arena) { a.flood(ctx, 2, "/events", "", bytes.Repeat([]byte("["), 1<<20)) }},
	{"wide bodies", func(ctx context.Context, a *arena) { a.flood(ctx, 2, "/events", "", wideBody(100_000)) }},
	{"gzip bombs", func(ctx context.Context, a *arena) { a.flood(ctx, 2, "/events", "gzip", gzipBomb(1<<30)) }},
	{"large batches", func(ctx context.Context, a *arena) {
		a.flood(ctx, 2, "/events", "", largeBatch(a.badWorld[1].ID, 10_000))
	}},
	{"one noisy customer", func(ctx context.Context, a *arena) {
		body := []byte(`{"activity_type":"generated_token","quantity":7}`)
		a.flood(ctx, 16, eventPath(a.badWorld, 1), "", body)
	}},
	{"costly analytics", func(ctx context.Context, a *arena) { a.ask(ctx, 8, a.analyticsPaths()) }},
	{"deep pages", func(ctx context.Context, a *arena) {
		a.ask(ctx, 4, []string{"/agents?skip=2147483647&limit=1000", fmt.Sprintf("/agents/%d/activities?limit=1000", a.badWorld[1].ID),
			fmt.Sprintf("/invoices/?org_id=%d&skip=1000000000", a.badCustomer.ID), "/audit?limit=1000"})
	}},
	{"papers", func(ctx context.Context, a *arena) {
		preview := fmt.Sprintf("/invoices/preview/monthly/pdf?org_id=%d&year=2023&month=11", a.badCustomer.ID)
		a.ask(ctx, 8, []string{fmt.Sprintf("/invoices/%d/pdf", a.badInvoice), preview})
	}},
	{"wrong logins", func(ctx context.Context, a *arena) {
		a.many(8, func(int) {
			a.insist(ctx, func(ctx context.Context) error {
				_, err := a.bad.as("").login(ctx, randomText()+"@example.com", "a wrong password")
				return err
			})
		})
	}},
}

// attackDialer comes from another address of this machine than honest clients do; where there is only one, from the same.
var attackDialer = func() *net.Dialer {
	if probe, err := net.Listen("tcp", "127.0.0.2:0"); err == nil {
		probe.Close()
		return &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
	}
	return &net.Dialer{}
}()

// drip has so many connections send a beginning and then a drop now and then; whichever the server ends is opened again.
func (a *arena) drip(ctx context.Context, count int, begin, drop string) {
	a.many(count, func(int) {
		for ctx.Err() == nil {
			a.dripOnce(ctx, begin, drop)
		}
	})
}

func (a *arena) dripOnce(ctx context.Context, begin, drop string) {
	c, err := attackDialer.DialContext(ctx, "tcp", a.address)
	if err != nil {
		return
	}
	defer c.Close()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for text := begin; ; text = drop {
		c.SetWriteDeadline(time.Now().Add(time.Second)) //nolint:errcheck // then the write fails
		if _, err := io.WriteString(c, text); err != nil {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// openIdle keeps so many connections open that say nothing; whichever the server ends is opened again.
func (a *arena) openIdle(ctx context.Context, count int) {
	open := make([]net.Conn, count)
	defer func() {
		for _, c := range open {
			if c != nil {
				c.Close()
			}
		}
	}()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for n := 0; ctx.Err() == nil; n = (n + 1) % count {
		if open[n] != nil {
			<-tick.C
			open[n].Close()
		}
		c, err := attackDialer.DialContext(ctx, "tcp", a.address)
		if err != nil {
			continue
		}
		open[n] = c
	}
}

// pour sends the same bytes for ever and reads whatever comes back.
func (a *arena) pour(ctx context.Context, text string) {
	for ctx.Err() == nil {
		c, err := attackDialer.DialContext(ctx, "tcp", a.address)
		if err != nil {
			continue
		}
		stop := context.AfterFunc(ctx, func() { c.Close() })
		go func() {
			for {
				if _, err := io.WriteString(c, text); err != nil {
					return
				}
			}
		}()
		io.Copy(io.Discard, c) //nolint:errcheck // it ends with the connection
		stop()
		c.Close()
	}
}

// flood posts the same body for ever.
func (a *arena) flood(ctx context.Context, count int, path, coding string, body []byte) {
	a.many(count, func(int) {
		a.insist(ctx, func(ctx context.Context) error {
			request, err := http.NewRequestWithContext(ctx, http.MethodPost, a.bad.root+path, bytes.NewReader(body))
			if err != nil {
				return err
			}
			request.Header = http.Header{"Content-Type": {"application/json"}, "Authorization": {"Bearer " + a.bad.credential}}
			if coding != "" {
				request.Header.Set("Content-Encoding", coding)
			}
			answer, err := a.bad.http.Do(request)
			if err != nil {
				return err
			}
			defer answer.Body.Close()
			if _, err := io.Copy(io.Discard, answer.Body); err != nil {
				return err
			}
			return fmt.Errorf("POST %s answers %s", path, answer.Status)
		})
	})
}

// ask reads the paths in turn for ever.
func (a *arena) ask(ctx context.Context, count int, paths []string) {
	a.many(count, func(number int) {
		a.insist(ctx, func(ctx context.Context) error {
			number++
			request, err := http.NewRequestWithContext(ctx, http.MethodGet, a.bad.root+paths[number%len(paths)], nil)
			if err != nil {
				return err
			}
			request.Header.Set("Authorization", "Bearer "+a.bad.credential)
			answer, err := a.bad.http.Do(request)
			if err != nil {
				return err
			}
			defer answer.Body.Close()
			if _, err := io.Copy(io.Discard, answer.Body); err != nil {
				return err
			}
			return fmt.Errorf("GET %s answers %s", request.URL, answer.Status)
		})
	})
}

// analyticsPaths are the dearest questions, over all time and with edges within an hour.
func (a *arena) analyticsPaths() []string {
	span := "start_date=1990-01-01T00:00:00.000001Z&end_date=2090-01-01T00:59:59.999999Z"
	organization := fmt.Sprintf("/analytics/organization/%d/", a.badCustomer.ID)
	return []string{organization + "summary?" + span, organization + "top-agents?limit=1000&" + span, organization + "activity-breakdown?" + span,
		fmt.Sprintf("/analytics/agent/%d/daily-metrics?days=366", a.badWorld[1].ID), fmt.Sprintf("/agents/%d/stats", a.badWorld[1].ID)}
}

// wideBody is an object of so many names.
func wideBody(names int) []byte {
	var b bytes.Buffer
	b.WriteString(`{"events":[],"x":{`)
	for n := range names {
		fmt.Fprintf(&b, `"n%d":%d,`, n, n)
	}
	b.WriteString(`"last":0}}`)
	return b.Bytes()
}

// gzipBomb is so many spaces, compressed.
func gzipBomb(size int) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	blank := bytes.Repeat([]byte(" "), 1<<20)
	for range size >> 20 {
		z.Write(blank) //nolint:errcheck // memory takes everything
	}
	z.Close() //nolint:errcheck // memory takes everything
	return b.Bytes()
}

// largeBatch is a request of so many events, none of which has been sent before.
func largeBatch(agent int64, count int) []byte {
	var b bytes.Buffer
	b.WriteString(`{"events":[`)
	for n := range count {
		if n > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"kind":"activity","agent_id":%d,"activity_type":"generated_token","quantity":%d,"activity_metadata":{"n":%d}}`, agent, n+1, n)
	}
	b.WriteString(`]}`)
	return b.Bytes()
}
