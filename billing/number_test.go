package billing_test

import (
	"crypto/rand"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"xyra"
	"xyra/billing"
	"xyra/store"
	"xyra/store/storetest"
)

func TestParseNumberPattern_RefusesWhatCouldNotCount(t *testing.T) {
	for _, c := range []struct{ pattern, prefix, want string }{
		{"", "", ""}, {"", "ACME", ""}, {"{PREFIX}{SEQ:6}", "", ""}, {"{ORG}/{YY}-{SEQ}", "", ""}, {"{RAND:12}", "", ""},
		{"{PREFIX}-{YYYY}", "", "taken"}, {"{RAND:3}", "", "taken"}, {"{RAND}", "", "taken"}, {"{SEQ:0}", "", "known are"}, {"{SEQ:13}", "", "known are"},
		{"{SEQ:99999999999999999999}", "", "known are"}, {"{YYYY:4}{SEQ}", "", "known are"}, {"{seq}{SEQ}", "", "known are"}, {"{NUMBER}{SEQ}", "", "known are"},
		{"{SEQ", "", "known are"}, {"{SEQ}\n", "", "ASCII"}, {"№{SEQ}", "", "ASCII"}, {"{SEQ}", "é", "ASCII"},
		{"{SEQ}" + strings.Repeat("x", 100), "", "at most"}, {"", strings.Repeat("x", 33), "at most"},
	} {
		_, err := billing.ParseNumberPattern(c.pattern, c.prefix)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%q, %q: %v, want %q", c.pattern, c.prefix, err, c.want)
		}
	}
}

// numbered makes invoices of an organization with the settings and returns their numbers.
func numbered(t *testing.T, db *store.DB, settings, pattern, prefix string, count int) (numbers []string) {
	t.Helper()
	w := newWorld(t, db, "USD", "UTC")
	numbers = []string{fmt.Sprint(w.org)}
	p, err := billing.ParseNumberPattern(pattern, prefix)
	if err != nil {
		t.Fatal(err)
	}
	by := billing.Issuer{Random: rand.Reader, Numbers: p, Seller: xyra.Party{Name: "Seller"}}
	err = db.Tx(t.Context(), func(tx *store.Tx) error {
		o, err := tx.Organization(t.Context(), w.org)
		if err != nil {
			return err
		}
		o.Settings = []byte(settings)
		return tx.UpdateOrganization(t.Context(), o)
	})
	if err != nil {
		t.Fatal(err)
	}
	for range count {
		err := db.Tx(t.Context(), func(tx *store.Tx) error {
			i, err := billing.Create(t.Context(), tx, operator, by, xyra.Invoice{Organization: w.org, Currency: "USD"})
			numbers = append(numbers, i.Number)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return numbers
}

func TestNumbers_FollowThePattern(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, _ *storetest.Clock) {
		for _, c := range []struct{ settings, pattern, prefix, want string }{
			{`{}`, "", "", `INV-20240515-[0-9A-F]{4} INV-20240515-[0-9A-F]{4}`},
			{`{}`, "", "ACME", `ACME-20240515-[0-9A-F]{4} ACME-20240515-[0-9A-F]{4}`},
			{`{"billing":{"invoice_prefix":"NW"}}`, "{PREFIX}/{YY}{MM}/{SEQ:5}", "ACME", `NW/2405/00001 NW/2405/00002`},
			{`{"billing":{"invoice_prefix":7}}`, "{ORG}-{SEQ}-{RAND:6}", "", `ORG-1-[0-9A-F]{6} ORG-2-[0-9A-F]{6}`},
			{`{"billing":"none"}`, "S{SEQ}", "", `S1 S2`},
			{`{}`, "S{SEQ}", "", `S1-[0-9A-F]{4} S2-[0-9A-F]{4}`}, // another organization has them
		} {
			got := numbered(t, db, c.settings, c.pattern, c.prefix, 2)
			want := strings.ReplaceAll(c.want, "ORG", got[0])
			if text := strings.Join(got[1:], " "); !regexp.MustCompile("^" + want + "$").MatchString(text) {
				t.Errorf("%s %s: %s, want %s", c.pattern, c.settings, text, want)
			}
		}
	})
}

// An issued invoice keeps both parties as they were, whatever becomes of the organization.
func TestParties_AreFrozenWhenIssued(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, _ *storetest.Clock) {
		w := newWorld(t, db, "USD", "UTC")
		by := billing.Issuer{Random: rand.Reader, Seller: xyra.Party{Name: "Seller AG", Address: []string{"Street 1", "Town"}, TaxID: "CHE-1"}}
		rename := func(name, settings string) {
			err := db.Tx(t.Context(), func(tx *store.Tx) error {
				o, err := tx.Organization(t.Context(), w.org)
				if err != nil {
					return err
				}
				mail := "pay@" + strings.ToLower(name) + ".example"
				o.Name, o.Settings, o.BillingEmail = name, []byte(settings), &mail
				return tx.UpdateOrganization(t.Context(), o)
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		rename("First", `{"billing":{"legal_name":" First Ltd ","address":["1 Quay","","  ",7,"Harbour"],"tax_id":"GB 1"}}`)
		var id xyra.InvoiceID
		err := db.Tx(t.Context(), func(tx *store.Tx) error {
			i, err := billing.Create(t.Context(), tx, operator, by, xyra.Invoice{Organization: w.org, Currency: "USD"})
			id = i.ID
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		rename("Second", `{"billing":{"address":"2 Quay"}}`)
		i, err := db.Invoice(t.Context(), w.org, id)
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprintf("%+v", i.Parties); got != "{Seller:{Name:Seller AG Address:[Street 1 Town] TaxID:CHE-1 Email:} Customer:{Name:First Ltd Address:[1 Quay Harbour] TaxID:GB 1 Email:pay@first.example}}" {
			t.Errorf("frozen %s", got)
		}
		if now, err := db.Organization(t.Context(), w.org); err != nil || fmt.Sprint(now.Customer()) != "{Second [2 Quay]  pay@second.example}" {
			t.Errorf("now %+v, %v", now.Customer(), err)
		}
	})
}
