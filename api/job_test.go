package api

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"xyra"
	"xyra/store"
)

// insertJob adds a job and, if asked, takes it up and fails it for good.
func insertJob(t *testing.T, s *Server, kind string, fail bool) (id xyra.JobID) {
	t.Helper()
	err := s.db.Tx(t.Context(), func(tx *store.Tx) (err error) {
		if id, _, err = tx.InsertJob(t.Context(), xyra.Job{Kind: kind, Organization: 1, Args: []byte(`{"n":1.50}`)}); err != nil || !fail {
			return err
		}
		claimed, err := tx.UpdateJobsClaimed(t.Context(), kind, time.Hour, 1)
		if err != nil {
			return err
		}
		_, err = tx.UpdateJobResult(t.Context(), claimed[0].Ended(xyra.Final(errors.New("no such receiver")), tx.Now, 0))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestJobs_SuperusersListRetryAndDiscard(t *testing.T) {
	eachServer(t, Options{}, func(t *testing.T, s *Server) {
		sc := newInvoiceScene(t, s)
		failed, waiting := insertJob(t, s, "mail", true), insertJob(t, s, "hook", false)
		want := func(token, method, path string, status int, text string) {
			t.Helper()
			if w := ask(s, method, "/api/v1/jobs"+path, token, ""); w.Code != status || !strings.Contains(w.Body.String(), text) {
				t.Errorf("%s %s: %d %s\nwant %d %s", method, path, w.Code, w.Body, status, text)
			}
		}
		one := fmt.Sprintf("/%d", failed)
		for _, path := range []string{"", one} {
			want("", http.MethodGet, path, 401, "")
			want(sc.own, http.MethodGet, path, 403, "Not enough permissions")
		}
		want(sc.own, http.MethodPost, one+"/retry", 403, "Not enough permissions")
		want(sc.superuser, http.MethodGet, "?state=failed", 200, fmt.Sprintf(`[{"id":%d,"kind":"mail","organization_id":1,"args":{"n":1.50},"unique_key":null,"state":"failed","attempt":1,"attempts_max":10,`, failed))
		want(sc.superuser, http.MethodGet, "?kind=hook&state=waiting", 200, `"last_error":null`)
		want(sc.superuser, http.MethodGet, "?kind=none", 200, `[]`)
		want(sc.superuser, http.MethodGet, "?skip=1&limit=1", 200, `"kind":"mail"`)
		want(sc.superuser, http.MethodGet, "/999999", 404, "Job not found")
		want(sc.superuser, http.MethodPost, "/999999/retry", 404, "Job not found")
		want(sc.superuser, http.MethodPost, "/0/discard", 404, "Job not found")
		want(sc.superuser, http.MethodPost, one+"/retry", 200, `"state":"waiting","attempt":1,"attempts_max":11,`)
		want(sc.superuser, http.MethodPost, one+"/discard", 200, `"last_error":"no such receiver"`)
		want(sc.superuser, http.MethodPost, one+"/discard", 200, `"state":"discarded"`)
		want(sc.superuser, http.MethodPost, one+"/retry", 200, `"state":"waiting"`)
		err := s.db.Tx(t.Context(), func(tx *store.Tx) error {
			_, err := tx.UpdateJobsClaimed(t.Context(), "hook", time.Hour, 1)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, verb := range []string{"retry", "discard"} {
			want(sc.superuser, http.MethodPost, fmt.Sprintf("/%d/%s", waiting, verb), 409, "Job is running")
		}
	})
}
