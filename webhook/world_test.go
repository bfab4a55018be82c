package webhook_test

import (
	"context"
	"crypto/rand"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strconv"
	"sync"
	"testing"
	"time"

	"xyra"
	"xyra/jobs"
	"xyra/notice"
	"xyra/store"
	"xyra/store/storetest"
	"xyra/webhook"
)

var root = xyra.Caller{User: 1, Superuser: true}

// world is an organization with endpoints, and the runner that sends to them.
type world struct {
	t       *testing.T
	db      *store.DB
	clock   *storetest.Clock
	org     xyra.OrganizationID
	desk    *notice.Desk
	rules   notice.Rules
	options webhook.Options
}

// inner are the rules under which receivers of tests on this machine are reached.
func inner(servers ...*httptest.Server) notice.Rules {
	rules := notice.Rules{AllowHTTP: true, Private: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Ports: []uint16{443}}
	for _, s := range servers {
		rules.Ports = append(rules.Ports, portOf(s))
	}
	return rules
}

func portOf(s *httptest.Server) uint16 {
	u, err := url.Parse(s.URL)
	if err != nil {
		panic(err)
	}
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	if err != nil {
		panic(err)
	}
	return uint16(port)
}

func newWorld(t *testing.T, db *store.DB, clock *storetest.Clock, rules notice.Rules) *world {
	t.Helper()
	w := worldOf(t, db, clock, rules)
	w.tx(func(ctx context.Context, tx *store.Tx) (err error) {
		w.org, err = tx.InsertOrganization(ctx, xyra.Organization{Name: "Northwind", Status: "active", Timezone: "UTC", Settings: []byte(`{}`), Currency: "USD"})
		return err
	})
	return w
}

// worldOf is one without an organization yet.
func worldOf(t *testing.T, db *store.DB, clock *storetest.Clock, rules notice.Rules) *world {
	t.Helper()
	desk, err := notice.New([]byte("secret of the tests"), rules, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &world{t: t, db: db, clock: clock, desk: desk, rules: rules, options: webhook.Options{Workers: 8, Now: clock.Now}}
}

func (w *world) tx(f func(context.Context, *store.Tx) error) {
	w.t.Helper()
	if err := w.db.Tx(w.t.Context(), func(tx *store.Tx) error { return f(w.t.Context(), tx) }); err != nil {
		w.t.Fatal(err)
	}
}

// endpoint adds one that hears of paid invoices and returns its secret too.
func (w *world) endpoint(address string) (xyra.WebhookEndpoint, string) {
	w.t.Helper()
	secret, err := w.desk.NewSecret()
	if err != nil {
		w.t.Fatal(err)
	}
	var e xyra.WebhookEndpoint
	w.tx(func(ctx context.Context, tx *store.Tx) error {
		e, err = w.desk.CreateEndpoint(ctx, tx, root, xyra.WebhookEndpoint{Organization: w.org, URL: address, IsActive: true, Types: []xyra.NoticeType{xyra.NoticeInvoicePaid}}, secret)
		return err
	})
	return e, secret
}

func (w *world) announce() {
	w.t.Helper()
	w.tx(func(_ context.Context, tx *store.Tx) error {
		tx.Announce(xyra.NewNotice(xyra.NoticeInvoicePaid, w.org, map[string]int{"id": 7}))
		return nil
	})
}

func (w *world) runner() *jobs.Runner {
	sender := webhook.New(w.db, w.desk, w.options)
	return jobs.New(w.db, jobs.Options{Poll: 10 * time.Millisecond, Kinds: map[string]jobs.Kind{xyra.JobWebhook: {Handle: sender.Deliver, Workers: w.options.Workers, Timeout: webhook.Timeout}}})
}

func (w *world) run(r *jobs.Runner) {
	w.t.Helper()
	if err := r.RunDue(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

// deliveries lists an endpoint's, oldest first.
func (w *world) deliveries(e xyra.WebhookEndpoint) []xyra.WebhookDelivery {
	w.t.Helper()
	list, err := w.db.WebhookDeliveries(w.t.Context(), w.org, e.ID, 0, 1000)
	if err != nil {
		w.t.Fatal(err)
	}
	for i, j := 0, len(list)-1; i < j; i, j = i+1, j-1 {
		list[i], list[j] = list[j], list[i]
	}
	return list
}

// got is a request as a receiver read it.
type got struct {
	header http.Header
	body   []byte
	path   string
}

// receiver keeps what it is sent and answers what answer says.
type receiver struct {
	*httptest.Server
	mu   sync.Mutex
	seen []got
}

func newReceiver(t *testing.T, answer func(n int, w http.ResponseWriter, r *http.Request)) *receiver {
	t.Helper()
	rc := &receiver{}
	rc.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		rc.mu.Lock()
		rc.seen = append(rc.seen, got{r.Header, body, r.URL.Path})
		n := len(rc.seen)
		rc.mu.Unlock()
		answer(n, w, r)
	}))
	t.Cleanup(rc.Close)
	return rc
}

func (rc *receiver) requests() []got {
	rc.mu.Lock()
	defer rc.mu.Unlock()
	return append([]got(nil), rc.seen...)
}

func accepting(_ int, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }
