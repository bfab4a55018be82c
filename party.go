package xyra

import (
	"encoding/json"
	"strings"
)

// Party is one side of an invoice as it is printed. Empty parts are left out there.
type Party struct {
	Name    string   `json:"name"` // the legal name
	Address []string `json:"address,omitempty"`
	TaxID   string   `json:"tax_id,omitempty"`
	Email   string   `json:"email,omitempty"`
}

// Parties are the two sides of an invoice, as they were when it was issued.
type Parties struct {
	Seller   Party `json:"seller"`
	Customer Party `json:"customer"`
}

// BillingSettings are the parts of an organization's settings that its invoices need, under the key "billing". The
// settings are free: whatever is not of the shape named here is passed over.
type BillingSettings struct {
	LegalName     string   // "legal_name"
	Address       []string // "address": a list of lines, or one text of lines
	TaxID         string   // "tax_id"
	InvoicePrefix string   // "invoice_prefix": stands for {PREFIX} in invoice numbers
}

// Bounds of what is taken from free settings; longer texts are cut.
const (
	partyTextMax     = 200 // characters
	addressLinesMax  = 8
	invoicePrefixMax = 32 // characters
)

// Billing reads the organization's billing settings.
func (o Organization) Billing() (b BillingSettings) {
	var settings, billing map[string]json.RawMessage
	if json.Unmarshal(o.Settings, &settings) != nil || json.Unmarshal(settings["billing"], &billing) != nil {
		return b
	}
	b.LegalName = cutText(textOf(billing["legal_name"]), partyTextMax)
	b.TaxID = cutText(textOf(billing["tax_id"]), partyTextMax)
	b.InvoicePrefix = cutText(textOf(billing["invoice_prefix"]), invoicePrefixMax)
	b.Address = AddressLines(textOf(billing["address"]))
	var lines []json.RawMessage
	if json.Unmarshal(billing["address"], &lines) == nil {
		texts := make([]string, len(lines))
		for n, line := range lines {
			texts[n] = textOf(line)
		}
		b.Address = AddressLines(strings.Join(texts, "\n"))
	}
	return b
}

// Customer is the organization as the customer of an invoice.
func (o Organization) Customer() Party {
	b := o.Billing()
	p := Party{Name: b.LegalName, Address: b.Address, TaxID: b.TaxID}
	if p.Name == "" {
		p.Name = o.Name
	}
	if o.BillingEmail != nil {
		p.Email = *o.BillingEmail
	}
	return p
}

// AddressLines cuts a text into the lines of an address, without empty ones.
func AddressLines(text string) (lines []string) {
	for line := range strings.Lines(text) {
		if line = cutText(line, partyTextMax); line != "" && len(lines) < addressLinesMax {
			lines = append(lines, line)
		}
	}
	return lines
}

// textOf is a JSON text; everything else is "".
func textOf(raw json.RawMessage) (text string) {
	if json.Unmarshal(raw, &text) != nil {
		return ""
	}
	return text
}

func cutText(text string, characters int) string {
	text = strings.TrimSpace(text)
	if runes := []rune(text); len(runes) > characters {
		text = strings.TrimSpace(string(runes[:characters]))
	}
	return text
}
