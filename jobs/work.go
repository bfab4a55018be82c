package jobs

import (
	"strconv"
	"time"

	"xyra"
	"xyra/billing"
	"xyra/notice"
	"xyra/store"
)

// The kinds of the installation's own work.
const (
	KindInvoiceRun = "invoice_run"       // hourly: finds what is due and adds a job for each invoice
	KindInvoice    = "invoice"           // one invoice of one organization, month and currency
	KindOverdue    = "invoice_overdue"   // hourly: marks invoices that were not paid in time
	KindCleanUp    = "clean_up"          // hourly: forgets what has served its time
	KindSummaries  = "usage_summaries"   // hourly: tells endpoints what was recorded
	KindThresholds = "usage_thresholds"  // each five minutes: tells endpoints which charges have been reached
	KindEndpoints  = "webhook_endpoints" // hourly: makes endpoints inactive of which nothing has arrived for days
)

// Work is what keeps an installation going without anybody asking.
type Work struct {
	Issuer      billing.Issuer
	AutoInvoice bool // bill months that are over
	Bounds      billing.Bounds

	db *store.DB
}

// Kinds are the installation's own kinds of jobs, for a Runner on db.
func (w Work) Kinds(db *store.DB) map[string]Kind {
	w.db = db
	kinds := map[string]Kind{
		KindOverdue: {Handle: w.markOverdue, Workers: 1, Every: time.Hour, Timeout: 30 * time.Minute},
		KindCleanUp: {Handle: w.cleanUp, Workers: 1, Every: time.Hour, Timeout: 30 * time.Minute},
	}
	kinds[KindSummaries] = Kind{Handle: w.eachListener(notice.SummarizeUsage), Workers: 1, Every: time.Hour, Timeout: 30 * time.Minute}
	kinds[KindThresholds] = Kind{Handle: w.eachListener(notice.WatchThresholds), Workers: 1, Every: 5 * time.Minute, Timeout: 30 * time.Minute}
	kinds[KindEndpoints] = Kind{Handle: w.eachListener(notice.DisableFailing), Workers: 1, Every: time.Hour, Timeout: 30 * time.Minute}
	if w.AutoInvoice {
		kinds[KindInvoiceRun] = Kind{Handle: w.planInvoices, Workers: 1, Every: time.Hour, Timeout: 30 * time.Minute}
		kinds[KindInvoice] = Kind{Handle: w.generateInvoice, Workers: 1} // so that earlier months mostly get earlier numbers
	}
	return kinds
}

// system is who acts in a job; the audit log names the job as the request.
func system(j xyra.Job) xyra.Caller {
	return xyra.Caller{Request: "job-" + strconv.FormatInt(int64(j.ID), 10)}
}
