package store

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"hash"
	"time"

	"xyra"
)

// sealing is SHA-256 over parts, each with its length in front, so that no two different rows have the same bytes.
type sealing struct{ hash.Hash }

func newSealing() sealing { return sealing{sha256.New()} }

func (s sealing) bytes(parts ...[]byte) {
	for _, b := range parts {
		s.Write(binary.BigEndian.AppendUint64(nil, uint64(len(b))))
		s.Write(b)
	}
}

func (s sealing) texts(parts ...string) {
	for _, text := range parts {
		s.bytes([]byte(text))
	}
}

func (s sealing) numbers(parts ...int64) {
	for _, n := range parts {
		s.bytes(binary.BigEndian.AppendUint64(nil, uint64(n)))
	}
}

// nullable tells NULL from empty.
func (s sealing) nullable(parts ...*string) {
	for _, text := range parts {
		if text == nil {
			s.numbers(0)
			continue
		}
		s.numbers(1)
		s.texts(*text)
	}
}

func (s sealing) instants(parts ...*time.Time) {
	for _, t := range parts {
		if t == nil {
			s.numbers(0)
			continue
		}
		s.numbers(1, xyra.Micros(*t))
	}
}

// rawPointer is JSON as it is stored: nil is NULL.
func rawPointer(raw json.RawMessage) *string {
	if raw == nil {
		return nil
	}
	text := string(raw)
	return &text
}

func (s sealing) sum() []byte { return s.Sum(nil) }

// InvoiceSeal is a digest of an invoice as it stands: its link in the chain and all that may change after issue. Whoever
// changes an invoice seals it in the audit entry of the change.
func InvoiceSeal(i xyra.Invoice) []byte {
	s := newSealing()
	s.bytes(i.Hash)
	s.texts(string(i.Status))
	s.nullable(i.Notes, rawPointer(i.Metadata), i.PaymentMethod, i.Stripe.Invoice, i.Stripe.CheckoutSession, i.Stripe.PaymentLink)
	s.instants(i.PaymentDate, &i.UpdatedAt)
	return s.sum()
}

// PaymentSeal is a digest of every column of a payment.
func PaymentSeal(p xyra.Payment) []byte {
	s := newSealing()
	s.numbers(int64(p.Organization), int64(p.ID), int64(p.Invoice))
	s.texts(string(p.Kind), string(p.Source), string(p.Currency), p.Amount.Canonical(), p.Applied.Canonical(), p.Credited.Canonical(), p.RecordedBy)
	s.nullable(p.Method, p.Reference)
	s.instants(&p.At, &p.CreatedAt)
	return s.sum()
}

// frozenInvoice is an invoice as its link in the chain covers it.
type frozenInvoice struct {
	xyra.Invoice         // with its lines
	generated    bool    // the column
	parties      *string // as stored
}

// link is the hash over the hash before and all that can never change again on an issued invoice.
func (f frozenInvoice) link(before []byte) []byte {
	s := newSealing()
	s.bytes(before)
	generated := int64(0)
	if f.generated {
		generated = 1
	}
	s.numbers(int64(f.Organization), int64(f.ID), f.Sequence, generated, int64(f.Period))
	s.texts(f.Number, string(f.Currency), f.Amount.Canonical(), f.TaxAmount.Canonical())
	s.instants(&f.IssueDate, &f.DueDate, &f.CreatedAt)
	s.nullable(f.parties)
	s.bytes(f.Imported)
	s.numbers(int64(len(f.Lines)))
	for _, l := range f.Lines {
		s.numbers(l.ID)
		s.texts(l.Description, l.Quantity.Canonical(), l.UnitPrice.Canonical(), l.Amount.Canonical(), l.ItemType)
		reference := int64(0)
		if l.ReferenceID != nil {
			s.numbers(1)
			reference = *l.ReferenceID
		}
		s.numbers(reference)
		s.nullable(l.ReferenceType, rawPointer(l.Metadata))
		s.instants(&l.CreatedAt, &l.UpdatedAt)
	}
	return s.sum()
}
