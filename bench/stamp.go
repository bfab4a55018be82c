package main

import (
	"bytes"
	"encoding/hex"
	"time"
)

// keyMark is where a request wants a text that no other request has, timeMark where it wants a time since the one before.
var (
	keyMark  = bytes.Repeat([]byte{'@'}, 20)
	timeMark = bytes.Repeat([]byte{'~'}, len(timeLayout))
)

const timeLayout = "2006-01-02T15:04:05.000000Z"

// marked is a request and where its marks were.
type marked struct {
	bytes       []byte
	keys, times []int
}

func newMarked(request []byte) *marked {
	return &marked{bytes: bytes.Clone(request), keys: places(request, keyMark), times: places(request, timeMark)}
}

func places(in, mark []byte) (list []int) {
	for from := 0; ; from += len(mark) {
		at := bytes.Index(in[from:], mark)
		if at < 0 {
			return list
		}
		from += at
		list = append(list, from)
	}
}

// stamper makes the requests of one connection differ.
type stamper struct {
	prefix [4]byte
	unique uint64
	last   time.Time
	text   [64]byte
}

// onto gives a request its own keys, and times that are spread over what has passed since the last one.
func (s *stamper) onto(m *marked, now time.Time) {
	for _, at := range m.keys {
		s.unique++
		s.key(m.bytes[at : at+len(keyMark)])
	}
	if len(m.times) == 0 {
		return
	}
	if s.last.IsZero() {
		s.last = now.Add(-time.Second)
	}
	step := now.Sub(s.last) / time.Duration(len(m.times))
	for _, at := range m.times {
		s.last = s.last.Add(step)
		copy(m.bytes[at:], s.last.UTC().AppendFormat(s.text[:0], timeLayout))
	}
}

// key writes 8 digits of the connection and 12 of the number.
func (s *stamper) key(to []byte) {
	const digits = "0123456789abcdef"
	hex.Encode(to, s.prefix[:])
	unique := s.unique
	for i := len(to) - 1; i >= 2*len(s.prefix); i-- {
		to[i] = digits[unique&15]
		unique >>= 4
	}
}
