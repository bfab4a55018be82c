package main

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// progress shows how far an import is, where somebody watches.
type progress struct {
	to    io.Writer // nil: nobody watches
	size  int64     // of the file; 0: unknown
	begun time.Time
}

func newProgress(c console, size int64) progress {
	if !isTerminal(c.err) {
		return progress{}
	}
	return progress{to: c.err, size: size, begun: time.Now()}
}

const barWidth = 30

// show redraws the line; read is how much of the file has been taken in.
func (p progress) show(rows int, read int64) {
	if p.to == nil {
		return
	}
	bar := ""
	if p.size > 0 {
		done := int(min(read, p.size) * barWidth / p.size)
		bar = fmt.Sprintf("[%s%s] %3d %%  ", strings.Repeat("█", done), strings.Repeat("·", barWidth-done), min(read, p.size)*100/p.size)
	}
	fmt.Fprintf(p.to, "\r\x1b[K%s%s rows, %s a second", bar, grouped(int64(rows)), grouped(perSecond(int64(rows), time.Since(p.begun))))
}

// clear takes the line away again.
func (p progress) clear() {
	if p.to != nil {
		fmt.Fprint(p.to, "\r\x1b[K")
	}
}
