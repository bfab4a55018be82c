package billing_test

import (
	"crypto/rand"
	"testing"
	"time"

	"xyra"
	"xyra/billing"
	"xyra/store"
	"xyra/store/storetest"
)

func (w *world) mailJobs() (jobs []xyra.Job) {
	w.t.Helper()
	jobs, err := w.db.Jobs(w.t.Context(), "", xyra.JobInvoiceMail, 0, 100)
	if err != nil {
		w.t.Fatal(err)
	}
	return jobs
}

// issueTo makes an invoice of an organization that has the address, by an issuer.
func (w *world) issueTo(email string, by billing.Issuer) (i xyra.Invoice) {
	w.t.Helper()
	by.Random = rand.Reader
	err := w.db.Tx(w.t.Context(), func(tx *store.Tx) error {
		o, err := tx.OrganizationLocked(w.t.Context(), w.org)
		if err != nil {
			return err
		}
		o.BillingEmail = &email
		if err := tx.UpdateOrganization(w.t.Context(), o); err != nil {
			return err
		}
		i, err = billing.Create(w.t.Context(), tx, operator, by, xyra.Invoice{Organization: w.org, Currency: "USD", DueDate: tx.Now})
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return i
}

// A new invoice is sent once, and only where that was asked for and there is an address.
func TestMail_NewInvoicesAreSentWhenTheInstallationSendsThem(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		w := newWorld(t, db, "USD", "UTC")
		w.issueTo("ap@example.com", billing.Issuer{})
		w.issueTo("ap@example.com", billing.Issuer{Mails: true})
		w.issueTo("", billing.Issuer{Mails: true, MailsAll: true})
		if jobs := w.mailJobs(); len(jobs) != 0 {
			t.Fatalf("jobs %+v", jobs)
		}
		w.issueTo("ap@example.com", billing.Issuer{Mails: true, MailsAll: true})
		if jobs := w.mailJobs(); len(jobs) != 1 || jobs[0].Organization != w.org || !jobs[0].RunAt.Equal(clock.Now().Add(time.Minute)) {
			t.Fatalf("jobs %+v", jobs)
		}
	})
}

func TestMail_PeopleSendAsOftenAsTheyLike(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, _ *storetest.Clock) {
		w := newWorld(t, db, "USD", "UTC")
		mail := func(id xyra.InvoiceID, by billing.Issuer) error {
			return db.Tx(t.Context(), func(tx *store.Tx) error {
				_, to, err := billing.Mail(t.Context(), tx, operator, by, id)
				if err == nil && to != "ap@example.com" {
					t.Errorf("sent to %q", to)
				}
				return err
			})
		}
		i := w.issueTo("ap@example.com", billing.Issuer{})
		for range 2 {
			if err := mail(i.ID, billing.Issuer{Mails: true}); err != nil {
				t.Fatal(err)
			}
		}
		if jobs := w.mailJobs(); len(jobs) != 2 {
			t.Errorf("jobs %+v", jobs)
		}
		wantRefusal(t, mail(i.ID, billing.Issuer{}), xyra.CodeInvalid, "E-mail is not configured")
		wantRefusal(t, mail(i.ID+999, billing.Issuer{Mails: true}), xyra.CodeNotFound, "Invoice not found")
		w.cancel(i.ID)
		wantRefusal(t, mail(i.ID, billing.Issuer{Mails: true}), xyra.CodeInvalid, "Cannot send an invoice with status: cancelled")
		nameless := w.issueTo("", billing.Issuer{})
		wantRefusal(t, mail(nameless.ID, billing.Issuer{Mails: true}), xyra.CodeInvalid, "The invoice's customer has no e-mail address")
	})
}
