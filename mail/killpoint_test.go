package mail

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"xyra"
	"xyra/jobs"
	"xyra/store"
	"xyra/store/storetest"
)

// way is how a process that dies reaches the server: each line of their talk is a step, taken before the line goes on. Of a
// message's own lines only the last one is.
type way struct {
	e      *storetest.Envoy
	server string
}

func (y way) open(t *testing.T) (port int) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", y.server)
			if err != nil {
				t.Error(err)
				return
			}
			go y.carry(client, server, "says", func(line string) bool { return line != "DATA" })
			go y.carry(server, client, "hears", func(string) bool { return true })
		}
	}()
	return listener.Addr().(*net.TCPAddr).Port
}

// carry takes lines from one end to the other. talking tells after a line whether the next one is talk too; when it is not,
// all is content up to a lone dot.
func (y way) carry(from io.Reader, to io.WriteCloser, verb string, talking func(line string) bool) {
	defer to.Close()
	lines, talk := bufio.NewReader(from), true
	for {
		text, err := lines.ReadString('\n')
		if err != nil {
			return
		}
		line := strings.TrimRight(text, "\r\n")
		talk = talk || line == "."
		if word, _, _ := strings.Cut(line, " "); talk {
			y.e.Step(verb + " " + word)
		}
		if _, err := io.WriteString(to, text); err != nil {
			return
		}
		talk = talk && talking(line)
	}
}

// letterRunner mails through a server without TLS, which what a process says could not be seen in.
func letterRunner(t *testing.T, db *store.DB, port int, now func() time.Time) *jobs.Runner {
	t.Helper()
	sender, err := New(Options{Host: "127.0.0.1", Port: port, From: "billing@nordlicht.example", Security: Plain, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	post := Post{DB: db, Sender: sender, Print: func(w io.Writer, p xyra.Paper) error {
		_, err := io.WriteString(w, "%PDF of "+p.Invoice.Number)
		return err
	}}
	return jobs.New(db, jobs.Options{Kinds: map[string]jobs.Kind{xyra.JobInvoiceMail: {Handle: post.SendInvoice}}})
}

// A process that is killed at any step of sending a letter leaves it to another one: each arrives, and only the one that was
// handed over when the process died may arrive twice, under one Message-ID.
func TestPost_KilledAtAnyStepIsSentByAnother(t *testing.T) {
	if storetest.OnErrand(t, func(e *storetest.Envoy) {
		var address string
		e.ReadArgs(&address)
		r := letterRunner(t, e.Open(nil), way{e, address}.open(t), func() time.Time { return e.Now })
		e.Begin()
		if err := r.RunDue(t.Context()); err != nil {
			t.Error(err)
		}
	}) {
		return
	}
	storetest.EachTarget(t, func(t *testing.T, target store.Options) { storetest.EachDeath(t, target, 2, sendKilled) })
}

// sendKilled has two letters sent.
func sendKilled(t *testing.T, e storetest.Errand) storetest.Fate {
	s := startServer(t, &server{plain: true})
	clock := storetest.NewClock(storetest.Start)
	target := store.Options{Path: e.Path, URL: e.URL, Now: clock.Now}
	db := storetest.Open(t, target)
	i := issued(t, db)
	for range 2 {
		err := db.Tx(t.Context(), func(tx *store.Tx) error { return addLetter(t.Context(), tx, i) })
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	clock.Advance(time.Hour)
	e.Now, e.Args = clock.Now(), s.listener.Addr().String()
	fate := storetest.Send(t, e).Wait()

	clock.Advance(time.Hour) // every lease has passed
	db = storetest.Open(t, target)
	if err := letterRunner(t, db, s.port(), clock.Now).RunDue(t.Context()); err != nil {
		t.Fatal(err)
	}
	ids := map[string]int{}
	for _, m := range s.messages() {
		message, _, _, _ := read(t, m.data)
		ids[message.Header.Get("Message-ID")]++
	}
	handedOver := slices.Contains(fate.Steps, "says .")
	if want := 2; len(ids) != want || len(s.messages()) > want+1 || len(s.messages()) > want && (!fate.Killed || !handedOver) {
		t.Errorf("after %q: letters %v", fate.Last(), ids)
	}
	list, err := db.Jobs(t.Context(), "", "", 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, j := range list {
		if j.State != xyra.JobDone || j.Attempt > 2 {
			t.Errorf("left behind: %+v", j)
		}
	}
	return fate
}

func addLetter(ctx context.Context, tx *store.Tx, i xyra.Invoice) error {
	_, added, err := tx.InsertJob(ctx, xyra.InvoiceMailJob(i, false, tx.Now))
	if err == nil && !added {
		err = fmt.Errorf("invoice %s is sent once only", i.Number)
	}
	return err
}
