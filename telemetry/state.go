package telemetry

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"xyra"
	"xyra/store"
	"xyra/usage"
)

// State is where metrics that are read, not counted, come from.
type State struct {
	DB        *store.DB
	Recorder  *usage.Recorder
	PlannedAt func() time.Time // when periodic work was planned last; nil: this process plans none
	Now       func() time.Time
}

// scrapeMax bounds what one scrape asks the database.
const scrapeMax = 3 * time.Second

// Watch has every scrape read the state.
func (m *Metrics) Watch(s State) { m.registry.MustRegister(stateCollector{s}) }

type stateCollector struct{ State }

func desc(name, text string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, text, labels, nil)
}

var (
	queueEvents  = desc("xyra_queue_events", "Events that wait for a commit.")
	queueSeconds = desc("xyra_queue_oldest_seconds", "How long the oldest event has waited that is not on disk yet.")
	poolOpen     = desc("xyra_database_connections", "Connections to the database.", "pool", "state")
	poolMax      = desc("xyra_database_connections_max", "Connections to the database at most.", "pool")
	poolWaits    = desc("xyra_database_connection_waits_total", "How often a connection was waited for.", "pool")
	poolWaited   = desc("xyra_database_connection_wait_seconds_total", "How long connections were waited for.", "pool")
	databaseUp   = desc("xyra_database_up", "1 if the database answered this scrape.")
	jobCount     = desc("xyra_jobs", "Jobs that wait, run or have failed for good.", "kind", "state")
	jobLate      = desc("xyra_job_late_seconds", "How long the first waiting job of a kind has been due.", "kind")
	plannedAt    = desc("xyra_scheduler_planned_timestamp_seconds", "When this process planned its periodic work last.")
)

// Describe implements prometheus.Collector.
func (c stateCollector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{queueEvents, queueSeconds, poolOpen, poolMax, poolWaits, poolWaited, databaseUp, jobCount, jobLate, plannedAt} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (c stateCollector) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	now := c.Now()
	queue := c.Recorder.Queue()
	gauge(queueEvents, float64(queue.Events))
	gauge(queueSeconds, age(now, queue.Oldest))
	for name, pool := range c.DB.Pools() {
		gauge(poolOpen, float64(pool.InUse), name, "used")
		gauge(poolOpen, float64(pool.Idle), name, "idle")
		gauge(poolMax, float64(pool.MaxOpenConnections), name)
		out <- prometheus.MustNewConstMetric(poolWaits, prometheus.CounterValue, float64(pool.WaitCount), name)
		out <- prometheus.MustNewConstMetric(poolWaited, prometheus.CounterValue, pool.WaitDuration.Seconds(), name)
	}
	if c.PlannedAt != nil {
		if at := c.PlannedAt(); !at.IsZero() {
			gauge(plannedAt, float64(at.UnixMilli())/1000)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), scrapeMax)
	defer cancel()
	jobs, err := c.DB.JobCounts(ctx)
	if err != nil { // the scrape itself must go on: this is when it is needed
		gauge(databaseUp, 0)
		return
	}
	gauge(databaseUp, 1)
	for _, j := range jobs {
		gauge(jobCount, float64(j.Count), j.Kind, string(j.State))
		if j.State == xyra.JobWaiting {
			gauge(jobLate, age(now, j.DueAt), j.Kind)
		}
	}
}

// age is how many seconds ago something was; 0 if it is still to come or never was.
func age(now, at time.Time) float64 {
	if at.IsZero() || at.After(now) {
		return 0
	}
	return now.Sub(at).Seconds()
}
