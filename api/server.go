package api

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime/debug"
	"sort"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-chi/chi/v5"

	"xyra"
	"xyra/auth"
	"xyra/billing"
	"xyra/notice"
	"xyra/store"
	"xyra/usage"
)

// Options says how the API behaves at its edges. Zero values are safe: no docs, no signup, no foreign origin, no proxy
// trusted, every webhook refused.
type Options struct {
	Prefix         string // where the API routes live, for example "/api/v1"
	Docs           bool   // serve /docs, /redoc and /openapi.json
	Signup         bool
	CORSOrigins    []string
	TrustedProxies []netip.Prefix // whose X-Forwarded-For is believed
	Notices        *notice.Desk   // keeps webhook endpoints; nil refuses them
	WebhookSecret  string         // Stripe's endpoint secret; "" refuses every webhook
	Issuer         billing.Issuer // what the installation puts on invoices; Random is crypto/rand if nil
	Print          Printer        // draws invoices as PDF; without one they are refused
	Locale         string         // how amounts are written on invoices; "" is English
	Now            func() time.Time
	Log            *slog.Logger
	Rate           Rate
	TLS            bool                               // this server speaks TLS itself: browsers are told to stay with it
	Watch          func(method, route string) Watcher // asked once for each route; nil: nobody watches
}

// Server answers the HTTP API. It is stateless but for requests in flight; any number may run on one database.
type Server struct {
	Options
	db          *store.DB
	gate        *auth.Gate
	recorder    *usage.Recorder
	inFlight    flights
	ids         requestIDs
	agentPrefix string        // of the paths that ingest takes
	batches     chan struct{} // one for each batch of events being worked on
	watchers    watchers
	draining    atomic.Bool
	handler     http.Handler
}

// New wires the routes. The recorder and the gate must work on the same database.
func New(db *store.DB, gate *auth.Gate, recorder *usage.Recorder, o Options) *Server {
	if o.Issuer.Random == nil {
		o.Issuer.Random = rand.Reader
	}
	s := &Server{Options: o, db: db, gate: gate, recorder: recorder, ids: newRequestIDs(), batches: make(chan struct{}, batchesMax)}
	s.agentPrefix = s.Prefix + "/agents/"
	s.watchers = s.newWatchers()
	s.handler = s.observe(s.rateLimited(s.ingest(s.identified(s.crossOrigin(s.router())))))
	return s
}

// Drain has /ready answer 503 from now on, so that balancers send no more requests; those that come are answered as ever, and
// each answer ends its connection.
func (s *Server) Drain() { s.draining.Store(true) }

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// router registers every route with and without a trailing slash: nothing is ever redirected, no path is cleaned.
func (s *Server) router() http.Handler {
	mux := chi.NewRouter()
	byPath := map[string][]*route{}
	for _, rt := range s.routes() {
		byPath[s.pattern(rt)] = append(byPath[s.pattern(rt)], rt)
	}
	for pattern, routes := range byPath {
		for _, p := range []string{pattern, pattern + "/"} {
			mux.Handle(p, s.refuseMethod(routes)) // first: it takes every method, the next lines take theirs back
			for _, rt := range routes {
				mux.Method(rt.method, p, s.serve(rt))
			}
		}
	}
	unknown := func(w http.ResponseWriter, r *http.Request) { s.write(w, r, refusal(http.StatusNotFound, "Not Found")) }
	mux.NotFound(unknown)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.URL.RawPath = r.URL.EscapedPath() // chi matches the path as sent: %2F belongs to an external id
		if strings.Contains(r.URL.RawPath, "//") {
			unknown(w, r) // chi would take the nothing in between for a parameter
			return
		}
		if !knownMethods[r.Method] {
			r.Method = http.MethodTrace // chi knows no others; like TRACE they are allowed nowhere
		}
		mux.ServeHTTP(w, r)
	})
}

var knownMethods = map[string]bool{http.MethodGet: true, http.MethodHead: true, http.MethodPost: true, http.MethodPut: true,
	http.MethodPatch: true, http.MethodDelete: true, http.MethodOptions: true, http.MethodConnect: true, http.MethodTrace: true}

// pattern is the path a route answers to, without trailing slash.
func (s *Server) pattern(rt *route) string {
	if rt.outside {
		return rt.path
	}
	return s.Prefix + strings.TrimSuffix(rt.path, "/")
}

// refuseMethod answers 405 with Allow, on a protected path after the 401.
func (s *Server) refuseMethod(routes []*route) http.HandlerFunc {
	methods := make([]string, len(routes))
	protected := false
	for i, rt := range routes {
		methods[i], protected = rt.method, protected || !rt.rights.public
	}
	sort.Strings(methods)
	return func(w http.ResponseWriter, r *http.Request) {
		if protected {
			if _, err := s.gate.Caller(r.Context(), r.Header.Get("Authorization")); err != nil {
				s.write(w, r, s.answerError(r, err))
				return
			}
		}
		a := refusal(http.StatusMethodNotAllowed, "Method Not Allowed")
		a.set("Allow", strings.Join(methods, ", "))
		s.write(w, r, a)
	}
}

// serve runs one route's request through the order of checks of the contract.
func (s *Server) serve(rt *route) http.HandlerFunc {
	watcher := s.watcher(rt.method, s.pattern(rt))
	return func(w http.ResponseWriter, r *http.Request) {
		w.(*seenWriter).watcher = watcher
		c := &call{server: s, route: rt, request: r, now: s.Now().UTC().Truncate(time.Microsecond), header: http.Header{}}
		a := s.answer(c)
		for name, values := range c.header {
			a.set(name, values...)
		}
		s.write(w, r, a)
	}
}

func (s *Server) answer(c *call) answer {
	if c.route.handler != nil {
		return answer{raw: c.route.handler}
	}
	if err := s.admit(c); err != nil {
		return s.answerError(c.request, err)
	}
	replayed, err := s.claim(c)
	defer c.release()
	if err != nil {
		return s.answerError(c.request, err)
	}
	if replayed != nil {
		return *replayed
	}
	out, err := c.route.operation.run(c)
	if err != nil {
		return s.keepAnswer(c, s.answerError(c.request, c.asSent(err)))
	}
	if a, ok := out.(answer); ok {
		return a
	}
	return s.keepAnswer(c, answer{status: http.StatusOK, body: encode(out)})
}

// admit makes the first two checks: who asks, and whether that role may use the route at all.
func (s *Server) admit(c *call) (err error) {
	if c.route.rights.public {
		return nil
	}
	if c.caller, err = s.gate.Caller(c.context(), c.request.Header.Get("Authorization")); err != nil {
		return err
	}
	c.caller.Request = requestID(c.context())
	if !c.route.rights.admit(c.caller) {
		return xyra.Forbidden(c.route.rights.denied())
	}
	if c.route.writes() && c.caller.Suspended && !c.caller.Superuser {
		return xyra.Forbidden("Organization is suspended")
	}
	return nil
}

// answerError turns an error into its answer; what no caller may read is logged here, once.
func (s *Server) answerError(r *http.Request, err error) answer {
	a, internal := problem(err)
	if internal && !errors.Is(err, context.Canceled) {
		s.Log.ErrorContext(r.Context(), "request", "err", cause(err), "request", requestID(r.Context()), "path", r.URL.Path)
	}
	return a
}

// observe gives every request its id, one log line and a guard against panics.
func (s *Server) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen := &seenWriter{ResponseWriter: w, started: s.Now(), id: clientRequestID(r), watcher: s.watchers.unmatched}
		if seen.id == "" {
			seen.id = s.ids.next()
		}
		h := w.Header()
		h[headerRequestID] = []string{seen.id}
		h["Cache-Control"], h["X-Frame-Options"], h["Referrer-Policy"] = noStore, denyFrames, noReferrer
		if s.TLS {
			h["Strict-Transport-Security"] = stayWithTLS
		}
		if s.draining.Load() {
			h["Connection"] = endConnection
		}
		defer s.finish(seen, r)
		next.ServeHTTP(seen, r)
	})
}

// finish writes the request's log line; after a panic it answers first.
func (s *Server) finish(seen *seenWriter, r *http.Request) {
	if p := recover(); p != nil {
		if p == http.ErrAbortHandler {
			panic(p)
		}
		s.Log.ErrorContext(r.Context(), "panic", "err", fmt.Sprint(p), "request", seen.id, "stack", string(debug.Stack()))
		if seen.status == 0 {
			s.write(seen, r, refusal(http.StatusInternalServerError, textInternal))
		}
	}
	took := s.Now().Sub(seen.started)
	seen.watcher(r.Context(), Answered{Started: seen.started, Took: took, Status: seen.status, Request: seen.id})
	if s.Log.Enabled(r.Context(), slog.LevelInfo) {
		s.Log.LogAttrs(r.Context(), slog.LevelInfo, "request", slog.String("method", r.Method), slog.String("path", r.URL.Path),
			slog.Int("status", seen.status), slog.Int64("bytes", seen.bytes), slog.Int64("ms", took.Milliseconds()),
			slog.String("address", s.clientAddress(r)), slog.String("request", seen.id))
	}
}

// identified puts the request's id into its context, where everything below finds it.
func (s *Server) identified(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, withRequestID(r, w.(*seenWriter).id))
	})
}

// seenWriter remembers what was answered, for the log line.
type seenWriter struct {
	http.ResponseWriter
	id      string
	started time.Time
	watcher Watcher // of the route, once it is known
	status  int
	bytes   int64
}

// WriteHeader implements http.ResponseWriter.
func (w *seenWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (w *seenWriter) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(b)
	w.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach the writer below.
func (w *seenWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
