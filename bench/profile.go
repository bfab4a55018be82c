package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// profile takes a processor profile of a rival's first server while a turn lasts, if profiles are wanted. What it returns
// waits for the end.
func (b *bench) profile(ctx context.Context, r *rival, t loadTask) (wait func() error) {
	if b.profiles == "" || r.servers[0].profile == "" {
		return func() error { return nil }
	}
	seconds := max(int(t.Span/time.Second), 1)
	name := fmt.Sprintf("%s-%d-%d.pprof", strings.NewReplacer(" ", "-", "/", "").Replace(r.name), t.Connections, len(r.rounds))
	if r.database != nil {
		name = r.database.name + "-" + name
	}
	ended := make(chan error, 1)
	go func() {
		ended <- fetch(ctx, fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%d", r.servers[0].profile, seconds), filepath.Join(b.profiles, name))
	}()
	return func() error { return <-ended }
}

func fetch(ctx context.Context, address, path string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, answer.Body)
	return errors.Join(err, file.Close())
}
