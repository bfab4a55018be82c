package auth

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"xyra"
	"xyra/store"
)

const (
	keyUseEvery    = time.Minute      // how far last_used may lag
	keyUseTimeout  = 10 * time.Second // of one write
	keyUseNotedMax = 100_000          // keys remembered; beyond that some are written more often than needed
)

// keyUse writes when keys were last used, each at most once a minute, in the background: no request waits for it or
// fails with it. What could not be written is tried again with the next use.
type keyUse struct {
	db      *store.DB
	now     func() time.Time
	log     *slog.Logger
	mu      sync.Mutex
	noted   map[xyra.APIKeyID]time.Time // when the use that was written or waits happened
	waiting []int64
	writer  sync.WaitGroup
	writes  bool // a writer runs
}

func (u *keyUse) note(k xyra.APIKey) {
	now := u.now()
	if k.LastUsed != nil && now.Before(k.LastUsed.Add(keyUseEvery)) {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if last, found := u.noted[k.ID]; found && now.Before(last.Add(keyUseEvery)) {
		return
	}
	if len(u.noted) >= keyUseNotedMax {
		clear(u.noted)
		u.waiting = nil
	}
	u.noted[k.ID] = now
	u.waiting = append(u.waiting, int64(k.ID))
	if !u.writes {
		u.writes = true
		u.writer.Go(u.drain)
	}
}

// drain writes until nothing waits.
func (u *keyUse) drain() {
	for {
		u.mu.Lock()
		ids := u.waiting
		u.waiting = nil
		u.writes = len(ids) > 0
		u.mu.Unlock()
		if len(ids) == 0 {
			return
		}
		if err := u.write(ids); err != nil {
			u.log.Warn("write when API keys were last used", "err", err, "keys", len(ids))
			u.forget(ids)
		}
	}
}

func (u *keyUse) write(ids []int64) error {
	ctx, cancel := context.WithTimeout(context.Background(), keyUseTimeout)
	defer cancel()
	return u.db.Tx(ctx, func(tx *store.Tx) error { return tx.UpdateAPIKeysUsed(ctx, ids, tx.Now) })
}

// forget lets the next use of these keys be written.
func (u *keyUse) forget(ids []int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, id := range ids {
		delete(u.noted, xyra.APIKeyID(id))
	}
}
