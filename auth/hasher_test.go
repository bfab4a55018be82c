package auth

import (
	"context"
	"crypto/rand"
	"errors"
	"testing"

	"xyra"
)

// Who waits for a turn leaves with the request; beyond the queue's bound the answer comes at once.
func TestHasher_QueueIsBounded(t *testing.T) {
	h := newHasher(1, rand.Reader)
	if err := h.enter(t.Context()); err != nil {
		t.Fatal(err)
	}
	waiters, leave := context.WithCancel(t.Context())
	answers := make(chan error, 2*h.waitingMax)
	for range 2 * h.waitingMax {
		go func() { answers <- h.enter(waiters) }()
	}
	for range h.waitingMax {
		if err := <-answers; !xyra.HasCode(err, xyra.CodeUnavailable) {
			t.Errorf("error %v, want unavailable", err)
		}
	}
	leave()
	for range h.waitingMax {
		if err := <-answers; !errors.Is(err, context.Canceled) {
			t.Errorf("error %v, want canceled", err)
		}
	}
	h.leave()
	if err := h.enter(t.Context()); err != nil {
		t.Errorf("a free slot: %v", err)
	}
}

// At most so many values are kept; those asked for stay.
func TestRecent_ForgetsTheOldest(t *testing.T) {
	r := newRecent[int, int](100)
	for i := range 1000 {
		r.put(i, -i)
		if v, found := r.value(0); !found || v != 0 {
			t.Fatalf("0 was forgotten at %d", i)
		}
		if v, found := r.value(i); !found || v != -i {
			t.Fatalf("%d was forgotten at once", i)
		}
		if kept := len(r.young) + len(r.old); kept > 100 {
			t.Fatalf("%d values kept", kept)
		}
	}
	if _, found := r.value(1); found {
		t.Error("nothing was forgotten")
	}
}
