package xyra

import (
	"fmt"
	"time"
)

// JobInvoiceMail is the kind of the jobs that send an invoice to its customer by e-mail.
const JobInvoiceMail = "invoice_mail"

// mailDelay is how long a new invoice waits for the page on which it can be paid.
const mailDelay = time.Minute

// InvoiceMail are the arguments of such a job.
type InvoiceMail struct {
	Invoice InvoiceID `json:"invoice"`
}

// InvoiceMailJob sends i. A new invoice is sent once, soon after it was made at now; one that a person asks for is sent at
// once and as often as it is asked for.
func InvoiceMailJob(i Invoice, isNew bool, now time.Time) Job {
	j := Job{Kind: JobInvoiceMail, Organization: i.Organization, Args: fmt.Appendf(nil, `{"invoice":%d}`, i.ID), RunAt: now}
	if isNew {
		j.UniqueKey, j.RunAt = fmt.Sprintf("%s-%d", JobInvoiceMail, i.ID), now.Add(mailDelay)
	}
	return j
}
