package store_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"xyra/api"
	"xyra/auth"
	"xyra/store/storetest"
	"xyra/usage"
)

// While the disk is full every write is refused with 503 and a time to come back, reads go on, nothing is half-stored; with
// space again the same requests succeed, and what was answered before is there once.
func TestSQLite_FullDiskRefusesAndHeals(t *testing.T) {
	target := storetest.SQLite(t)
	target.Now = time.Now
	db := storetest.Open(t, target)
	gate := auth.New(db, auth.Options{Secret: []byte("secret of the tests"), TokenLifetime: time.Hour, Now: time.Now})
	defer gate.Close()
	if _, err := gate.EnsureSuperuser(t.Context(), "root@example.com", "a-password-of-the-tests"); err != nil {
		t.Fatal(err)
	}
	recorder := usage.New(db, usage.Options{})
	server := api.New(db, gate, recorder, api.Options{Prefix: "/api/v1", Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	token := ""
	send := func(method, path, contentType, body string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, "/api/v1"+path, strings.NewReader(body))
		r.Header.Set("Content-Type", contentType)
		r.Header.Set("Authorization", "Bearer "+token)
		w := httptest.NewRecorder()
		server.ServeHTTP(w, r)
		return w
	}
	made := func(w *httptest.ResponseRecorder) (made struct {
		ID     int64
		Access string `json:"access_token"`
	}) {
		if err := json.Unmarshal(w.Body.Bytes(), &made); err != nil || w.Code != http.StatusOK {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		return made
	}
	login := url.Values{"username": {"root@example.com"}, "password": {"a-password-of-the-tests"}}.Encode()
	token = made(send("POST", "/auth/login", "application/x-www-form-urlencoded", login)).Access
	organization := made(send("POST", "/organizations", "application/json", `{"name":"Acme"}`)).ID
	agent := made(send("POST", "/agents", "application/json", fmt.Sprintf(`{"name":"bot","organization_id":%d}`, organization))).ID
	post := func(number int) *httptest.ResponseRecorder {
		return send("POST", fmt.Sprintf("/agents/%d/activities", agent), "application/json",
			fmt.Sprintf(`{"activity_type":"call","idempotency_key":"k-%d","activity_metadata":{"padding":"%s"}}`, number, strings.Repeat("x", 2000)))
	}
	if err := db.LimitPages(t.Context(), 40); err != nil {
		t.Fatal(err)
	}
	answered := map[int]int64{}
	refusals := 0
	for number := 0; refusals < 20; number++ {
		if number == 10_000 {
			t.Fatal("the disk is never full")
		}
		w := post(number)
		if w.Code == http.StatusOK {
			answered[number] = made(w).ID
			continue
		}
		refusals++
		if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
			t.Errorf("event %d on a full disk: %d %v %s", number, w.Code, w.Header(), w.Body)
		}
	}
	for what, w := range map[string]*httptest.ResponseRecorder{
		"a read":        send("GET", fmt.Sprintf("/agents/%d/stats", agent), "", ""),
		"another write": send("POST", "/organizations", "application/json", `{"name":"`+strings.Repeat("Bolt ", 40)+`","description":"`+strings.Repeat("x", 200_000)+`"}`),
	} {
		if want := map[string]int{"a read": 200, "another write": 503}[what]; w.Code != want {
			t.Errorf("%s on a full disk: %d %.200s, want %d", what, w.Code, w.Body, want)
		}
	}
	if err := db.LimitPages(t.Context(), 1_000_000); err != nil {
		t.Fatal(err)
	}
	for number := range len(answered) + refusals {
		if id := made(post(number)).ID; answered[number] != 0 && answered[number] != id {
			t.Errorf("event %d was answered with id %d, and is %d", number, answered[number], id)
		}
	}
	if err := recorder.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	faults, err := usage.Verify(t.Context(), db)
	if err != nil || len(faults) > 0 {
		t.Error(faults, err)
	}
	t.Logf("%d events fitted, %d were refused", len(answered), refusals)
}
