package main

import (
	"crypto/rand"
	"strconv"
	"strings"
	"time"

	"xyra"
	"xyra/api"
	"xyra/billing"
	"xyra/jobs"
	"xyra/store"
)

// invoicingSettings say what invoices look like and which are made without anybody asking.
type invoicingSettings struct {
	Auto          bool          `name:"auto-invoice" env:"AUTO_INVOICE" default:"false" negatable:"" help:"Bill every month that is over, also earlier ones that have usage and never had an invoice."`
	AutoAfter     time.Duration `name:"auto-invoice-after" env:"AUTO_INVOICE_AFTER" default:"6h" help:"How long after the end of an organization's month it is billed."`
	AutoSince     string        `name:"auto-invoice-since" env:"AUTO_INVOICE_SINCE" placeholder:"2026-01" help:"First month to bill by itself; earlier ones are left to people. Default none: every month."`
	AutoLimit     int64         `name:"auto-invoice-limit" env:"AUTO_INVOICE_LIMIT" default:"10" help:"How many times the largest earlier invoice a total may be before a person has to look; 0 for no limit."`
	NumberPattern string        `name:"invoice-number-pattern" env:"INVOICE_NUMBER_PATTERN" default:"{PREFIX}-{YYYY}{MM}{DD}-{RAND:4}" help:"Look of invoice numbers, of {PREFIX}, {YYYY}, {YY}, {MM}, {DD}, {ORG}, {SEQ:n} and {RAND:n}."`
	NumberPrefix  string        `name:"invoice-number-prefix" env:"INVOICE_NUMBER_PREFIX" default:"INV" help:"{PREFIX} of organizations that have none in settings.billing.invoice_prefix."`
	SellerName    string        `name:"seller-name" env:"SELLER_NAME" placeholder:"TEXT" help:"Legal name of the seller on invoices. Default PROJECT_NAME."`
	SellerAddress string        `name:"seller-address" env:"SELLER_ADDRESS" placeholder:"LINE|LINE" help:"Address of the seller, with | between its lines. Default none."`
	SellerTaxID   string        `name:"seller-tax-id" env:"SELLER_TAX_ID" placeholder:"TEXT" help:"Tax id of the seller. Default none."`
	SellerEmail   string        `name:"seller-email" env:"SELLER_EMAIL" placeholder:"TEXT" help:"E-mail of the seller on invoices. Default none."`
}

// issuer is what the installation puts on invoices.
func (s invoicingSettings) issuer(project string) (billing.Issuer, error) {
	pattern, err := billing.ParseNumberPattern(s.NumberPattern, s.NumberPrefix)
	if err != nil {
		return billing.Issuer{}, badValue("INVOICE_NUMBER_PATTERN", s.NumberPattern, "with INVOICE_NUMBER_PREFIX="+strconv.Quote(s.NumberPrefix)+": "+err.Error())
	}
	seller := xyra.Party{Name: s.SellerName, TaxID: s.SellerTaxID, Email: s.SellerEmail,
		Address: xyra.AddressLines(strings.ReplaceAll(s.SellerAddress, "|", "\n"))}
	if seller.Name == "" {
		seller.Name = project
	}
	return billing.Issuer{Random: rand.Reader, Numbers: pattern, Seller: seller}, nil
}

// bounds are what automatic invoices keep within.
func (s invoicingSettings) bounds() (b billing.Bounds, err error) {
	b = billing.Bounds{After: s.AutoAfter, Multiple: s.AutoLimit}
	if s.AutoAfter < 0 || s.AutoAfter > 27*24*time.Hour {
		return b, badValue("AUTO_INVOICE_AFTER", s.AutoAfter.String(), "write a span from 0s to 648h (27 days)")
	}
	if s.AutoLimit < 0 {
		return b, badValue("AUTO_INVOICE_LIMIT", strconv.FormatInt(s.AutoLimit, 10), "write 0 or a number of times")
	}
	if s.AutoSince != "" {
		month, err := time.Parse("2006-01", s.AutoSince)
		if err != nil {
			return b, badValue("AUTO_INVOICE_SINCE", s.AutoSince, "write a month such as 2026-01")
		}
		b.Since = xyra.NewPeriod(month.Year(), month.Month())
	}
	return b, nil
}

// newRunner makes the runner of all kinds of jobs.
func (s *settings) newRunner(db *store.DB, o api.Options) (*jobs.Runner, error) {
	bounds, err := s.Invoicing.bounds()
	if err != nil {
		return nil, err
	}
	work := jobs.Work{Issuer: o.Issuer, AutoInvoice: s.Invoicing.Auto, Bounds: bounds}
	kinds := work.Kinds(db)
	if err := s.Payment.addKinds(kinds, db, o.Log); err != nil {
		return nil, err
	}
	if err := s.Mail.addKinds(kinds, db, o); err != nil {
		return nil, err
	}
	s.Webhooks.addKinds(kinds, db, o.Notices, o.Log)
	return jobs.New(db, jobs.Options{Kinds: kinds, Log: o.Log}), nil
}
