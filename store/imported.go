package store

import (
	"context"

	"xyra"
	"xyra/money"
)

// What another program had kept is inserted with its own ids and times. A row whose id is taken is left alone: the answer
// is then false, and whoever imports compares the two.

// inserted tells whether an INSERT that gives way to what is there has added its row.
func (tx *Tx) inserted(ctx context.Context, name, text string, args ...any) (bool, error) {
	n, err := tx.exec(ctx, name, text, args...)
	return n > 0, err
}

// InsertImportedOrganization adds o as it is.
func (tx *Tx) InsertImportedOrganization(ctx context.Context, o xyra.Organization) (bool, error) {
	return tx.inserted(ctx, "import organization", `INSERT INTO organizations (`+organizationColumns+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) ON CONFLICT DO NOTHING`,
		o.ID, o.Name, o.Description, o.ExternalID, o.Status, o.BillingEmail, o.ContactName, o.ContactPhone, o.Timezone,
		textOrNil(o.Settings), o.Currency, o.Stripe, xyra.Micros(o.CreatedAt), xyra.Micros(o.UpdatedAt))
}

// InsertImportedUser adds u as it is. It is false for a taken address too.
func (tx *Tx) InsertImportedUser(ctx context.Context, u xyra.User) (bool, error) {
	return tx.inserted(ctx, "import user", `INSERT INTO users (`+userColumns+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) ON CONFLICT DO NOTHING`,
		u.ID, orNull(u.Organization), u.Email, u.EmailKey, u.FullName, u.PasswordHash, u.IsActive, u.IsSuperuser, u.Role, u.TokenVersion,
		microsOrNil(u.LastLogin), xyra.Micros(u.CreatedAt), xyra.Micros(u.UpdatedAt))
}

// InsertImportedAPIKey adds k as it is. It is false for a taken hash too.
func (tx *Tx) InsertImportedAPIKey(ctx context.Context, k xyra.APIKey) (bool, error) {
	return tx.inserted(ctx, "import api key", `INSERT INTO api_keys
		(id, organization_id, user_id, name, description, prefix, hash, is_active, expires_at, last_used, created_at, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT DO NOTHING`,
		k.ID, k.Organization, k.User, k.Name, k.Description, k.Prefix, k.Hash, k.IsActive, microsOrNil(k.ExpiresAt), microsOrNil(k.LastUsed),
		xyra.Micros(k.CreatedAt), xyra.Micros(k.UpdatedAt))
}

// InsertImportedBillingModel adds m, without its version, as it is.
func (tx *Tx) InsertImportedBillingModel(ctx context.Context, m xyra.BillingModel) (bool, error) {
	return tx.inserted(ctx, "import billing model", `INSERT INTO billing_models (`+modelColumns+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING`,
		m.ID, m.Organization, m.Name, m.Description, m.IsActive, xyra.Micros(m.CreatedAt), xyra.Micros(m.UpdatedAt))
}

// InsertImportedAgent adds a as it is. It is false for a taken external id too.
func (tx *Tx) InsertImportedAgent(ctx context.Context, a xyra.Agent) (bool, error) {
	return tx.inserted(ctx, "import agent", `INSERT INTO agents (id, organization_id, name, description, config, is_active, external_id,
		status, type, capabilities, billing_model_id, created_at, updated_at, last_active)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) ON CONFLICT DO NOTHING`,
		a.ID, a.Organization, a.Name, a.Description, textOrNil(a.Config), a.IsActive, a.ExternalID, a.Status, a.Type,
		textOrNil(a.Capabilities), orNull(a.BillingModel), xyra.Micros(a.CreatedAt), xyra.Micros(a.UpdatedAt), xyra.Micros(a.LastActive))
}

// EventsByID reads those events of an organization and kind that ids name; unknown ids are not in the answer.
func (r Reader) EventsByID(ctx context.Context, organization xyra.OrganizationID, kind xyra.EventKind, ids []int64) (map[xyra.EventID]xyra.Event, error) {
	list, err := collect(ctx, r, "events by id", scanEvent, `SELECT `+eventColumns+` FROM events
		WHERE organization_id = $1 AND kind = $2 AND id = ANY($3)`, organization, kind, ids)
	byID := make(map[xyra.EventID]xyra.Event, len(list))
	for _, e := range list {
		byID[e.ID] = e
	}
	return byID, err
}

// InsertImportedEvents adds events, none of which may be there, and what they add to the rollups.
func (tx *Tx) InsertImportedEvents(ctx context.Context, events []xyra.Event, add Rollups) error {
	c := eventLists(pointers(events))
	pg := tx.d.postgres
	steps := eventRows.steps(pg, "import events", len(events), c.organization, c.kind, c.id, c.agent, c.typ, c.quantity, c.currency,
		c.timestamp, c.recordedAt, c.period, c.details, c.verified, c.source, c.key, c.digest, c.charge, c.version, c.recordedBy)
	steps = append(steps, spanSteps(pg, "import hour usage", hourRows, add.Hours)...)
	steps = append(steps, spanSteps(pg, "import day usage", dayRows, add.Days)...)
	steps = append(steps, periodSteps(pg, add.Periods)...)
	for _, s := range steps {
		if _, err := tx.exec(ctx, s.name, s.text, s.args...); err != nil {
			return err
		}
	}
	return nil
}

// InsertImportedInvoice saves what another program issued, under its own id, number and times, as the next of the
// organization's sequence, and returns it with sequence, line ids and digest. It is false, and nothing is kept, when the id
// or the number is taken.
func (tx *Tx) InsertImportedInvoice(ctx context.Context, i xyra.Invoice) (xyra.Invoice, bool, error) {
	i.Imported = i.Digest()
	fresh, err := tx.inserted(ctx, "import invoice number", `INSERT INTO invoice_numbers (id, number, organization_id)
		VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, i.ID, i.Number, i.Organization)
	if err != nil || !fresh {
		return i, false, err
	}
	i, parties, err := tx.link(ctx, i)
	if err != nil {
		return i, false, err
	}
	if _, err := tx.exec(ctx, "import invoice", `INSERT INTO invoices (organization_id, id, number, sequence, is_generated, period, currency,
		status, amount, tax_amount, issue_date, due_date, notes, metadata, payment_method, payment_date, stripe_invoice_id,
		stripe_checkout_session_id, stripe_payment_link, created_at, updated_at, parties, imported, hash)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24)`,
		i.Organization, i.ID, i.Number, i.Sequence, i.Period != 0, i.Period, i.Currency, i.Status, i.Amount, i.TaxAmount,
		xyra.Micros(i.IssueDate), xyra.Micros(i.DueDate), i.Notes, textOrNil(i.Metadata), i.PaymentMethod, microsOrNil(i.PaymentDate),
		i.Stripe.Invoice, i.Stripe.CheckoutSession, i.Stripe.PaymentLink, xyra.Micros(i.CreatedAt), xyra.Micros(i.UpdatedAt), parties,
		i.Imported, i.Hash); err != nil {
		return i, false, err
	}
	tx.Audit(xyra.Caller{}, xyra.AuditEntry{Organization: i.Organization, Action: "invoice.import", ObjectID: int64(i.ID), Seal: InvoiceSeal(i)})
	return i, true, tx.insertLines(ctx, i)
}

// AddBilledUsage records what an imported invoice has billed, beside what it is known to have billed already.
func (tx *Tx) AddBilledUsage(ctx context.Context, billed []xyra.BilledUsage) error {
	for _, b := range billed {
		u := b.Usage
		if _, err := tx.exec(ctx, "add billed usage", `INSERT INTO usage_billed (organization_id, invoice_id, line_id, period, agent_id,
			version_id, component, currency, quantity, charge) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
			ON CONFLICT (organization_id, period, agent_id, version_id, component, currency, invoice_id, line_id) DO UPDATE SET
			quantity = dec_add(usage_billed.quantity, excluded.quantity), charge = dec_add(usage_billed.charge, excluded.charge)`,
			u.Organization, b.Invoice, b.Line, u.Period, u.Agent, u.Version, u.Component, u.Currency, u.Quantity, u.Charge); err != nil {
			return err
		}
	}
	return nil
}

// ImportedEvents is what the imported events of one kind and currency add up to.
type ImportedEvents struct {
	Kind             xyra.EventKind
	Currency         money.Currency
	Count            int64
	Quantity, Charge money.Decimal
}

// ImportedEvents adds up an organization's imported events.
func (r Reader) ImportedEvents(ctx context.Context, organization xyra.OrganizationID) ([]ImportedEvents, error) {
	return collect(ctx, r, "imported events", func(r row) (s ImportedEvents, err error) {
		return s, r.Scan(&s.Kind, &s.Currency, &s.Count, &s.Quantity, &s.Charge)
	}, `SELECT kind, currency, COUNT(*), dec_sum(quantity), dec_sum(charge) FROM events
		WHERE organization_id = $1 AND source = $2 AND idempotency_key IS NULL GROUP BY kind, currency ORDER BY kind, currency`, organization, xyra.SourceImport)
}

// ImportedInvoices is what the imported invoices of one currency add up to.
type ImportedInvoices struct {
	Currency     money.Currency
	Count, Lines int64
	Amount, Tax  money.Decimal
}

// ImportedInvoices adds up an organization's imported invoices.
func (r Reader) ImportedInvoices(ctx context.Context, organization xyra.OrganizationID) ([]ImportedInvoices, error) {
	return collect(ctx, r, "imported invoices", func(r row) (s ImportedInvoices, err error) {
		return s, r.Scan(&s.Currency, &s.Count, &s.Lines, &s.Amount, &s.Tax)
	}, `SELECT i.currency, COUNT(*), CAST(SUM((SELECT COUNT(*) FROM invoice_lines l WHERE l.organization_id = $1 AND l.invoice_id = i.id)) AS BIGINT),
			dec_sum(i.amount), dec_sum(i.tax_amount) FROM invoices i
		WHERE i.organization_id = $1 AND i.imported IS NOT NULL GROUP BY i.currency ORDER BY i.currency`, organization)
}

// UserIDs lists every user there ever was, by id.
func (r Reader) UserIDs(ctx context.Context) ([]xyra.UserID, error) {
	return collect(ctx, r, "user ids", scanValue[xyra.UserID], `SELECT id FROM users ORDER BY id`)
}

// AdvanceIDs makes every number of a table's or sequence's ids that is given from now on larger than last. SQLite's tables
// do so by themselves.
func (tx *Tx) AdvanceIDs(ctx context.Context, of string, last int64) error {
	name := of
	switch of {
	case "event_ids", "line_ids":
		if !tx.d.postgres {
			_, err := tx.exec(ctx, "advance "+of, `UPDATE sequences SET next = $2 WHERE name = $1 AND next < $2`, of, last+1)
			return err
		}
	default:
		if !tx.d.postgres {
			return nil
		}
		name = of + "_id_seq"
	}
	_, err := value[int64](ctx, tx.Reader, "advance "+of, `SELECT setval($1::regclass, GREATEST($2::bigint, COALESCE(pg_sequence_last_value($1::regclass), 1)))`, name, last)
	return err
}
