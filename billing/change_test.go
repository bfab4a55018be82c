package billing_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	"xyra"
	"xyra/billing"
	"xyra/money"
	"xyra/store"
	"xyra/store/storetest"
)

func (w *world) create(random io.Reader, i xyra.Invoice) (created xyra.Invoice, err error) {
	i.Organization = w.org
	if i.Currency == "" {
		i.Currency = "USD"
	}
	err = w.db.Tx(w.t.Context(), func(tx *store.Tx) error {
		created, err = billing.Create(w.t.Context(), tx, operator, billing.Issuer{Random: random}, i)
		return err
	})
	return created, err
}

// mustCreate makes an empty invoice.
func (w *world) mustCreate() xyra.Invoice {
	w.t.Helper()
	i, err := w.create(rand.Reader, xyra.Invoice{})
	if err != nil {
		w.t.Fatal(err)
	}
	return i
}

func (w *world) update(id xyra.InvoiceID, change billing.Change) (changed xyra.Invoice, err error) {
	err = w.db.Tx(w.t.Context(), func(tx *store.Tx) error {
		changed, err = billing.Update(w.t.Context(), tx, operator, id, change)
		return err
	})
	return changed, err
}

func (w *world) pay(id xyra.InvoiceID, method string, date *time.Time) (paid xyra.Invoice, err error) {
	err = w.db.Tx(w.t.Context(), func(tx *store.Tx) error {
		paid, err = billing.Pay(w.t.Context(), tx, operator, id, method, date)
		return err
	})
	return paid, err
}

func line(t testing.TB, quantity, price, amount string) xyra.Line {
	return xyra.Line{Description: "Work", Quantity: dec(t, quantity), UnitPrice: dec(t, price), Amount: dec(t, amount), ItemType: "service"}
}

// An invoice by hand is as it was given, with a sequence and a total of our own.
func TestCreate_AddsUpAndKeepsEverything(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		w := newWorld(t, db, "USD", "UTC")
		notes, reference := "Setup", int64(7)
		goodwill := line(t, "1", "-1", "-1")
		goodwill.ReferenceID, goodwill.Metadata = &reference, []byte(`{"b":1, "a":1.50}`)
		i, err := w.create(rand.Reader, xyra.Invoice{Number: "NW/1", DueDate: at(t, "2030-05-31"), Notes: &notes, Metadata: []byte(`{"po":"77"}`),
			Lines: []xyra.Line{line(t, "3", "0.335", "1.01"), goodwill}})
		if err != nil {
			t.Fatal(err)
		}
		read, err := db.InvoiceAnywhere(t.Context(), i.ID)
		if err != nil {
			t.Fatal(err)
		}
		want(t, lines(read), "Work | 3.0 x 0.335 = 1.01\nWork | 1.0 x -1.0 = -1.0")
		if read.Amount.String() != "0.01" || read.Number != "NW/1" || *read.Notes != notes || string(read.Metadata) != `{"po":"77"}` ||
			!read.DueDate.Equal(at(t, "2030-05-31")) || !read.IssueDate.Equal(clock.Now()) || read.Status != xyra.InvoicePending || read.Period != 0 || read.Sequence != 1 {
			t.Errorf("read %+v", read)
		}
		if l := read.Lines[1]; *l.ReferenceID != 7 || string(l.Metadata) != `{"b":1, "a":1.50}` || l.ReferenceType != nil {
			t.Errorf("line %+v", l)
		}
		if _, err := db.Invoice(t.Context(), w.org+1, i.ID); !xyra.HasCode(err, xyra.CodeNotFound) {
			t.Errorf("another organization reads it: %v", err)
		}
		w.verify()
	})
}

// Many lines take several statements.
func TestCreate_KeepsTheOrderOfManyLines(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		w := newWorld(t, db, "USD", "UTC")
		var many []xyra.Line
		for n := range 250 {
			many = append(many, line(t, "1", fmt.Sprint(n), fmt.Sprint(n)))
		}
		i, err := w.create(rand.Reader, xyra.Invoice{Lines: many})
		if err != nil {
			t.Fatal(err)
		}
		read, err := db.Invoice(t.Context(), w.org, i.ID)
		if err != nil {
			t.Fatal(err)
		}
		for n, l := range read.Lines {
			if !l.Amount.Equal(money.FromInt(int64(n))) {
				t.Fatalf("line %d has amount %s", n, l.Amount)
			}
		}
		if len(read.Lines) != len(many) {
			t.Errorf("%d lines", len(read.Lines))
		}
	})
}

// Lists show the newest invoice first, of one instant the later one, page by page and by exact status.
func TestInvoices_NewestFirst(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		w := newWorld(t, db, "USD", "UTC")
		first, second := w.mustCreate().ID, w.mustCreate().ID
		clock.Advance(-time.Hour)
		oldest := w.mustCreate().ID
		w.cancel(first)
		for _, c := range []struct {
			status      string
			skip, limit int64
			want        []xyra.InvoiceID
		}{
			{"", 0, 100, []xyra.InvoiceID{second, first, oldest}},
			{"", 1, 1, []xyra.InvoiceID{first}},
			{"pending", 0, 100, []xyra.InvoiceID{second, oldest}},
			{"Pending", 0, 100, nil},
		} {
			list, err := db.Invoices(t.Context(), w.org, c.status, c.skip, c.limit)
			if err != nil {
				t.Fatal(err)
			}
			var got []xyra.InvoiceID
			for _, i := range list {
				got = append(got, i.ID)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("%q from %d, %d: %v, want %v", c.status, c.skip, c.limit, got, c.want)
			}
		}
	})
}

// Each refusal of a creation.
func TestCreate_Refusals(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		w := newWorld(t, db, "USD", "UTC")
		if _, err := w.create(rand.Reader, xyra.Invoice{Number: "A"}); err != nil {
			t.Fatal(err)
		}
		_, err := w.create(rand.Reader, xyra.Invoice{Number: "A", Lines: []xyra.Line{line(t, "3", "1", "100")}})
		wantRefusal(t, err, xyra.CodeInvalid, "Invoice with number A already exists")
		_, err = w.create(rand.Reader, xyra.Invoice{Lines: []xyra.Line{line(t, "3", "1", "3"), line(t, "3", "1", "100")}})
		wantRefusal(t, err, xyra.CodeInvalid, "Line item 2: amount 100.0 does not match quantity x unit_price (3.0)")
		_, err = w.create(rand.Reader, xyra.Invoice{Currency: "JPY", Lines: []xyra.Line{line(t, "2.5", "3", "7.5")}})
		wantRefusal(t, err, xyra.CodeInvalid, "Line item 1: amount 7.5 does not match quantity x unit_price (8.0)")
		other := *w
		other.org += 1000
		_, err = other.create(rand.Reader, xyra.Invoice{Number: "A"})
		wantRefusal(t, err, xyra.CodeInvalid, fmt.Sprintf("Organization with ID %d not found", other.org))
		w.verify() // what was refused left no gap
	})
}

// A number that is taken is drawn again, longer after a while.
func TestCreate_DrawsAgainAfterACollision(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		w := newWorld(t, db, "USD", "UTC")
		for _, expected := range []string{"INV-20240515-0000", "INV-20240515-000000", "INV-20240515-00000000"} {
			i, err := w.create(bytes.NewReader(make([]byte, 100)), xyra.Invoice{})
			if err != nil {
				t.Fatal(err)
			}
			want(t, i.Number, expected)
		}
		if _, err := w.create(bytes.NewReader(nil), xyra.Invoice{}); err == nil || xyra.HasCode(err, xyra.CodeInvalid) {
			t.Errorf("without randomness: %v", err)
		}
		w.verify()
	})
}

// Invoices of one organization that are made at once, over two connections, are counted without gap.
func TestCreate_ConcurrentOnesAreCountedGapless(t *testing.T) {
	storetest.EachTarget(t, func(t *testing.T, target store.Options) {
		target.Now = storetest.NewClock(storetest.Start).Now
		handles := []*store.DB{storetest.Open(t, target), storetest.Open(t, target)}
		w := newWorld(t, handles[0], "USD", "UTC")
		const creators, each = 8, 10
		done := make(chan error, creators)
		for n := range creators {
			other := &world{t: t, db: handles[n%2], org: w.org}
			go func() {
				for k := range each {
					invoice := xyra.Invoice{}
					if k%5 == 4 {
						invoice.Lines = []xyra.Line{line(t, "1", "1", "2")}
					}
					if _, err := other.create(rand.Reader, invoice); err != nil && k%5 != 4 {
						done <- err
						return
					}
				}
				done <- nil
			}()
		}
		for range creators {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		made, err := handles[0].Invoices(t.Context(), w.org, "", 0, 1000)
		if err != nil || len(made) != creators*each*4/5 {
			t.Errorf("%d invoices: %v", len(made), err)
		}
		w.verify()
	})
}

// The whole status machine of PUT.
func TestUpdate_StatusMachine(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		w := newWorld(t, db, "USD", "UTC")
		allowed := map[string]bool{"pending paid": true, "pending cancelled": true, "pending overdue": true, "overdue paid": true,
			"overdue cancelled": true, "pending pending": true, "overdue overdue": true}
		for _, from := range []xyra.InvoiceStatus{"pending", "overdue", "paid", "cancelled"} {
			for _, to := range []xyra.InvoiceStatus{"pending", "overdue", "paid", "cancelled", "lost"} {
				i := w.mustCreate()
				if from != "pending" {
					if _, err := w.update(i.ID, billing.Change{Status: &from}); err != nil {
						t.Fatal(err)
					}
				}
				got, err := w.update(i.ID, billing.Change{Status: &to})
				switch {
				case allowed[string(from)+" "+string(to)]:
					if err != nil || got.Status != to || (got.PaymentDate != nil) != (to == "paid") {
						t.Errorf("%s to %s: %v, %+v", from, to, err, got)
					}
				case from == "paid" || from == "cancelled":
					wantRefusal(t, err, xyra.CodeInvalid, fmt.Sprintf("Cannot update invoice with status: %s", from))
				case to == "lost":
					wantRefusal(t, err, xyra.CodeInvalid, "Invalid invoice status: lost. Must be one of: pending, paid, overdue, cancelled")
				default:
					wantRefusal(t, err, xyra.CodeInvalid, fmt.Sprintf("Cannot change invoice status from %s to %s", from, to))
				}
			}
		}
	})
}

// What is given replaces or clears, what is not given stays; nothing given changes nothing.
func TestUpdate_ReplacesClearsAndKeeps(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		w := newWorld(t, db, "USD", "UTC")
		i := w.mustCreate()
		clock.Advance(time.Hour)
		if same, err := w.update(i.ID, billing.Change{}); err != nil || !same.UpdatedAt.Equal(i.UpdatedAt) {
			t.Errorf("an empty change: %v, %+v", err, same)
		}
		pending := xyra.InvoicePending
		if same, err := w.update(i.ID, billing.Change{Status: &pending}); err != nil || !same.UpdatedAt.Equal(i.UpdatedAt) {
			t.Errorf("the present status: %v, %+v", err, same)
		}
		notes, method := new(string), new(string)
		*notes, *method = "n", "wire"
		metadata := json.RawMessage(`{"a":1}`)
		date := at(t, "2024-01-02")
		when := &date
		got, err := w.update(i.ID, billing.Change{Notes: &notes, PaymentMethod: &method, Metadata: &metadata, PaymentDate: &when})
		if err != nil || *got.Notes != "n" || *got.PaymentMethod != "wire" || string(got.Metadata) != `{"a":1}` || !got.PaymentDate.Equal(date) || !got.UpdatedAt.Equal(clock.Now()) {
			t.Errorf("%v, %+v", err, got)
		}
		var none *string
		var nothing json.RawMessage
		if _, err = w.update(i.ID, billing.Change{Notes: &none, Metadata: &nothing}); err != nil {
			t.Fatal(err)
		}
		read, err := db.Invoice(t.Context(), w.org, i.ID)
		if err != nil || read.Notes != nil || read.Metadata != nil || *read.PaymentMethod != "wire" {
			t.Errorf("%v, %+v", err, read)
		}
		status := xyra.InvoicePaid
		earlier := date.Add(-time.Hour)
		when = &earlier
		if got, err = w.update(i.ID, billing.Change{Status: &status, PaymentDate: &when}); err != nil || !got.PaymentDate.Equal(earlier) {
			t.Errorf("%v, %+v", err, got)
		}
		_, err = w.update(i.ID, billing.Change{})
		wantRefusal(t, err, xyra.CodeInvalid, "Cannot update invoice with status: paid")
		_, err = w.update(i.ID+1000, billing.Change{})
		wantRefusal(t, err, xyra.CodeNotFound, "Invoice not found")
	})
}

// Paying and cancelling refuse what is final, each with its text.
func TestPay_AndCancelRefuseWhatIsFinal(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		w := newWorld(t, db, "USD", "UTC")
		i := w.mustCreate()
		clock.Advance(time.Hour)
		paid, err := w.pay(i.ID, "", nil)
		if err != nil || paid.Status != "paid" || *paid.PaymentMethod != "" || !paid.PaymentDate.Equal(clock.Now()) || !paid.UpdatedAt.Equal(clock.Now()) {
			t.Errorf("%v, %+v", err, paid)
		}
		_, err = w.pay(i.ID, "wire", nil)
		wantRefusal(t, err, xyra.CodeInvalid, "Invoice is already marked as paid")
		err = db.Tx(t.Context(), func(tx *store.Tx) error {
			_, err := billing.Cancel(t.Context(), tx, operator, i.ID)
			return err
		})
		wantRefusal(t, err, xyra.CodeInvalid, "Cannot cancel a paid invoice")

		second := w.mustCreate()
		w.cancel(second.ID)
		before, _ := db.Invoice(t.Context(), w.org, second.ID)
		clock.Advance(time.Hour)
		w.cancel(second.ID)
		after, err := db.Invoice(t.Context(), w.org, second.ID)
		if err != nil || !after.UpdatedAt.Equal(before.UpdatedAt) || after.Status != "cancelled" {
			t.Errorf("cancelled twice: %v, %+v", err, after)
		}
		_, err = w.pay(second.ID, "wire", nil)
		wantRefusal(t, err, xyra.CodeInvalid, "Cannot mark a cancelled invoice as paid")
	})
}

// Of payments and cancellations at once, over two connections, exactly one wins.
func TestPay_OneOfManyWins(t *testing.T) {
	storetest.EachTarget(t, func(t *testing.T, target store.Options) {
		target.Now = storetest.NewClock(storetest.Start).Now
		handles := []*store.DB{storetest.Open(t, target), storetest.Open(t, target)}
		w := newWorld(t, handles[0], "USD", "UTC")
		for range 5 {
			i := w.mustCreate()
			const rivals = 8
			won := make(chan bool, rivals)
			for n := range rivals {
				go func() {
					err := handles[n%2].Tx(context.WithoutCancel(t.Context()), func(tx *store.Tx) (err error) {
						before, err := tx.InvoiceLocked(t.Context(), i.ID)
						if err != nil || before.Final() {
							return xyra.Conflict("lost: %v", err)
						}
						if n%4 < 2 {
							_, err = billing.Cancel(t.Context(), tx, operator, i.ID)
						} else {
							_, err = billing.Pay(t.Context(), tx, operator, i.ID, "wire", nil)
						}
						return err
					})
					won <- err == nil
				}()
			}
			winners := 0
			for range rivals {
				if <-won {
					winners++
				}
			}
			if winners != 1 {
				t.Errorf("%d won", winners)
			}
		}
		w.verify()
	})
}
