package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/term"
)

// demoWorkers is how many requests are under way at once, each on its own connection.
const demoWorkers = 64

// demoTask is one event on its way to an agent.
type demoTask struct {
	path string
	body any
}

// sendTrace posts all events and returns how long that took. The first refusal ends it.
func sendTrace(ctx context.Context, out io.Writer, api *demoClient, tasks []demoTask) (time.Duration, error) {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	queue := make(chan demoTask)
	var sent atomic.Int64
	var workers sync.WaitGroup
	started := time.Now()
	for range demoWorkers {
		workers.Go(func() {
			for task := range queue {
				if err := api.post(ctx, task.path, task.body, nil); err != nil {
					fail(err)
					return
				}
				sent.Add(1)
			}
		})
	}
	done := make(chan struct{})
	var shown sync.WaitGroup
	shown.Go(func() { showProgress(out, &sent, len(tasks), started, done) })
	for _, task := range tasks {
		if !hand(ctx, queue, task) {
			break
		}
	}
	close(queue)
	workers.Wait()
	took := time.Since(started)
	close(done)
	shown.Wait()
	return took, context.Cause(ctx)
}

func hand(ctx context.Context, queue chan<- demoTask, task demoTask) bool {
	select {
	case queue <- task:
		return true
	case <-ctx.Done():
		return false
	}
}

// demoTasks deals the rows to the agents in turn: row 0 to the first, row 1 to the second, and around again.
func demoTasks(rows []traceRow, agents []demoAgent) []demoTask {
	var tasks []demoTask
	for i, row := range rows {
		agent := agents[i%len(agents)]
		for _, e := range row.events(i+1, i/len(agents)) {
			tasks = append(tasks, demoTask{fmt.Sprintf("/agents/%d/%s", agent.ID, e.path), e.body})
		}
	}
	return tasks
}

// showProgress redraws one line on a terminal; elsewhere it writes a line every two seconds.
func showProgress(out io.Writer, sent *atomic.Int64, all int, started time.Time, done <-chan struct{}) {
	file, isFile := out.(*os.File)
	onTerminal := isFile && term.IsTerminal(int(file.Fd()))
	every, head, tail := 2*time.Second, "", "\n"
	if onTerminal {
		every, head, tail = 100*time.Millisecond, "\r", "\x1b[K"
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			n := sent.Load()
			fmt.Fprintf(out, "%s  %s of %s events, %s a second%s", head, grouped(n), grouped(int64(all)), grouped(perSecond(n, time.Since(started))), tail)
		case <-done:
			if onTerminal {
				fmt.Fprint(out, "\r\x1b[K")
			}
			return
		}
	}
}

func perSecond(n int64, took time.Duration) int64 {
	return n * int64(time.Second) / max(int64(took), 1)
}
