-- What was paid on invoices and what became of it: rows are only ever added. applied is what a row settles of its
-- invoice, credited what it adds to the organization's unapplied credit; both are negative when money goes back.
CREATE TABLE payments (
	organization_id BIGINT NOT NULL,
	id BIGINT NOT NULL,
	invoice_id BIGINT NOT NULL,
	kind TEXT NOT NULL,
	source TEXT NOT NULL,
	currency TEXT NOT NULL,
	amount NUMERIC NOT NULL,
	applied NUMERIC NOT NULL,
	credited NUMERIC NOT NULL,
	method TEXT,
	reference TEXT,
	at BIGINT NOT NULL,
	recorded_by TEXT NOT NULL,
	created_at BIGINT NOT NULL,
	PRIMARY KEY (organization_id, id),
	FOREIGN KEY (organization_id, invoice_id) REFERENCES invoices (organization_id, id)
);
CREATE INDEX payments_invoice ON payments (organization_id, invoice_id, id);
-- A checkout session pays once and a dispute takes once, whatever Stripe repeats. One charge may be refunded in parts.
CREATE UNIQUE INDEX payments_stripe ON payments (organization_id, kind, reference) WHERE source = 'stripe' AND kind IN ('payment', 'dispute', 'dispute_won');

-- The sum of credited, kept so that two spenders of it meet at one row.
CREATE TABLE credits (
	organization_id BIGINT NOT NULL,
	currency TEXT NOT NULL,
	balance NUMERIC NOT NULL,
	PRIMARY KEY (organization_id, currency)
);

ALTER TABLE checkout_sessions ADD COLUMN status TEXT NOT NULL DEFAULT 'open';
ALTER TABLE checkout_sessions ADD COLUMN amount NUMERIC NOT NULL DEFAULT '0';
ALTER TABLE checkout_sessions ADD COLUMN link TEXT NOT NULL DEFAULT '';
ALTER TABLE checkout_sessions ADD COLUMN payment_intent TEXT;
ALTER TABLE checkout_sessions ADD COLUMN created_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE checkout_sessions ADD COLUMN expires_at BIGINT NOT NULL DEFAULT 0;
CREATE INDEX checkout_sessions_invoice ON checkout_sessions (organization_id, invoice_id, created_at);
CREATE INDEX checkout_sessions_intent ON checkout_sessions (payment_intent) WHERE payment_intent IS NOT NULL;

-- Every event of Stripe's that had an effect, for ever: none is handled twice. One that came before the payment it is
-- about waits, with what it said.
CREATE TABLE stripe_events (
	id TEXT PRIMARY KEY,
	type TEXT NOT NULL,
	received_at BIGINT NOT NULL,
	payment_intent TEXT,
	waiting TEXT
);
CREATE INDEX stripe_events_waiting ON stripe_events (payment_intent, received_at, id) WHERE waiting IS NOT NULL;
