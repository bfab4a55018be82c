package telemetry

import (
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"xyra/usage"
)

// Metrics counts what happens and offers it to Prometheus. All names begin with xyra_.
type Metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec

	events        *prometheus.CounterVec
	batchEvents   prometheus.Histogram
	batchRequests prometheus.Histogram
	commitSeconds prometheus.Histogram

	differences, verifiedAt, verifySeconds prometheus.Gauge
}

// latencies are those at which an answer is good, bearable and bad, in seconds.
var latencies = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}

// NewMetrics makes metrics of nothing yet. version is the program's.
func NewMetrics(version string) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "xyra_http_requests_total", Help: "Answered requests."}, []string{"method", "route", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "xyra_http_request_seconds", Help: "Time from a request's head to its answer.",
			Buckets: latencies}, []string{"method", "route"}),
		events: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "xyra_events_total",
			Help: "Events by what became of them: recorded, replayed (known under its key already) or refused."}, []string{"result"}),
		batchEvents: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "xyra_commit_events", Help: "Events that shared a commit.",
			Buckets: []float64{1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 10000}}),
		batchRequests: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "xyra_commit_requests", Help: "Requests that shared a commit.",
			Buckets: []float64{1, 2, 5, 10, 20, 50, 100, 200, 500, 1000}}),
		commitSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "xyra_commit_seconds", Help: "Time of a commit of events, from its first statement to the disk.",
			Buckets: latencies}),
		differences:   prometheus.NewGauge(prometheus.GaugeOpts{Name: "xyra_verify_differences", Help: "Rows that differ from what the raw rows say, by the last verification; -1 while there was none."}),
		verifiedAt:    prometheus.NewGauge(prometheus.GaugeOpts{Name: "xyra_verify_finished_timestamp_seconds", Help: "When the last verification ended; 0 while there was none."}),
		verifySeconds: prometheus.NewGauge(prometheus.GaugeOpts{Name: "xyra_verify_seconds", Help: "How long the last verification took."}),
	}
	m.differences.Set(-1)
	build := prometheus.NewGauge(prometheus.GaugeOpts{Name: "xyra_build_info", Help: "1, with the program's version.", ConstLabels: prometheus.Labels{"version": version}})
	build.Set(1)
	m.registry.MustRegister(m.requests, m.seconds, m.events, m.batchEvents, m.batchRequests, m.commitSeconds, m.differences, m.verifiedAt, m.verifySeconds,
		build, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Handler answers Prometheus.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry, MaxRequestsInFlight: 4, Timeout: 20 * time.Second})
}

// statusesFrom is the first status that HTTP knows, statusCount how many it may have.
const (
	statusesFrom = 100
	statusCount  = 500
	statusGone   = 499 // nothing was answered: the client had left
)

// Route prepares the counters of one route. The result may be called at any time by anybody.
func (m *Metrics) Route(method, route string) func(status int, took time.Duration) {
	seconds := m.seconds.WithLabelValues(method, route)
	counters := new([statusCount]atomic.Pointer[prometheus.Counter])
	return func(status int, took time.Duration) {
		seconds.Observe(took.Seconds())
		if status < statusesFrom || status >= statusesFrom+statusCount {
			status = statusGone
		}
		counter := counters[status-statusesFrom].Load()
		if counter == nil {
			found := m.requests.WithLabelValues(method, route, strconv.Itoa(status))
			counter = &found
			counters[status-statusesFrom].Store(counter)
		}
		(*counter).Inc()
	}
}

// Commits prepares what is told of every commit of the recorder.
func (m *Metrics) Commits() func(usage.Commit) {
	recorded, replayed, refused := m.events.WithLabelValues("recorded"), m.events.WithLabelValues("replayed"), m.events.WithLabelValues("refused")
	return func(c usage.Commit) {
		m.batchEvents.Observe(float64(c.Recorded + c.Replayed + c.Refused))
		m.batchRequests.Observe(float64(c.Requests))
		m.commitSeconds.Observe(c.Ended.Sub(c.Started).Seconds())
		recorded.Add(float64(c.Recorded))
		replayed.Add(float64(c.Replayed))
		refused.Add(float64(c.Refused))
	}
}

// Verified tells the result of a verification.
func (m *Metrics) Verified(differences int, ended time.Time, took time.Duration) {
	m.differences.Set(float64(differences))
	m.verifiedAt.Set(float64(ended.UnixMilli()) / 1000)
	m.verifySeconds.Set(took.Seconds())
}
