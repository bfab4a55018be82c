package api

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"xyra/auth"
	"xyra/notice"
	"xyra/store"
	"xyra/store/storetest"
	"xyra/usage"
)

const (
	superuserEmail    = "admin@example.com"
	superuserPassword = "admin"
)

// eachServer runs f against a server on an empty database of each kind. There is one user, the superuser above; the
// clock is the real one.
func eachServer(t *testing.T, o Options, f func(t *testing.T, s *Server)) {
	t.Helper()
	storetest.EachTarget(t, func(t *testing.T, target store.Options) {
		target.Now = time.Now
		f(t, newServer(t, storetest.Open(t, target), o))
	})
}

// newServer serves a database until the test ends.
func newServer(t testing.TB, db *store.DB, o Options) *Server {
	t.Helper()
	o.Prefix, o.Now, o.Log = "/api/v1", time.Now, slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelError}))
	desk, err := notice.New([]byte("secret of the tests"), notice.Rules{}, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	o.Notices = desk
	gate := auth.New(db, auth.Options{Secret: []byte("secret of the tests"), TokenLifetime: time.Hour, Now: time.Now})
	if _, err := gate.EnsureSuperuser(t.Context(), superuserEmail, superuserPassword); err != nil {
		t.Fatal(err)
	}
	recorder := usage.New(db, usage.Options{})
	t.Cleanup(func() {
		if err := recorder.Close(context.Background()); err != nil {
			t.Errorf("close the recorder: %v", err)
		}
		gate.Close()
	})
	return New(db, gate, recorder, o)
}

// withOptions is another server on the same database, gate and recorder.
func (s *Server) withOptions(change func(*Options)) *Server {
	o := s.Options
	change(&o)
	return New(s.db, s.gate, s.recorder, o)
}

// ask sends one request; a body makes it JSON, a token goes as Bearer.
func ask(s *Server, method, path, token, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	http.Handler(s).ServeHTTP(w, r)
	return w
}
