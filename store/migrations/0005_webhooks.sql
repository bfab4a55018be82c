-- Where organizations want to be told of notices. The secrets are sealed with a key that is not in the database.
CREATE TABLE webhook_endpoints (
	id BIGINT PRIMARY KEY,
	organization_id BIGINT NOT NULL REFERENCES organizations (id),
	url TEXT NOT NULL,
	description TEXT,
	types TEXT NOT NULL,
	thresholds TEXT NOT NULL,
	is_active BOOLEAN NOT NULL,
	disabled_reason TEXT,
	secret BYTEA NOT NULL,
	previous BYTEA,
	previous_until BIGINT,
	created_at BIGINT NOT NULL,
	updated_at BIGINT NOT NULL,
	archived_at BIGINT
);
CREATE INDEX webhook_endpoints_organization ON webhook_endpoints (organization_id, id);

-- One notice on its way to one endpoint, written in the transaction of its cause. payload is what is signed, to the byte.
CREATE TABLE webhook_deliveries (
	organization_id BIGINT NOT NULL,
	id BIGINT NOT NULL,
	endpoint_id BIGINT NOT NULL,
	message TEXT NOT NULL,
	type TEXT NOT NULL,
	payload TEXT NOT NULL,
	replay_of BIGINT,
	state TEXT NOT NULL,
	attempts BIGINT NOT NULL,
	last_status BIGINT,
	last_error TEXT,
	next_attempt BIGINT,
	created_at BIGINT NOT NULL,
	finished_at BIGINT,
	PRIMARY KEY (organization_id, id)
);
CREATE INDEX webhook_deliveries_endpoint ON webhook_deliveries (organization_id, endpoint_id, id);
CREATE INDEX webhook_deliveries_created_at ON webhook_deliveries (created_at);

-- Which thresholds of a period an endpoint has been told of: none twice. agent_id 0 is all agents together.
CREATE TABLE webhook_thresholds (
	organization_id BIGINT NOT NULL,
	endpoint_id BIGINT NOT NULL,
	period INTEGER NOT NULL,
	agent_id BIGINT NOT NULL,
	currency TEXT NOT NULL,
	charge NUMERIC NOT NULL,
	reached_at BIGINT NOT NULL,
	PRIMARY KEY (organization_id, endpoint_id, period, agent_id, currency, charge)
);

-- What the usage of an organization from a day on added up to at its latest summary; the next one tells the difference.
CREATE TABLE usage_summaries (
	organization_id BIGINT PRIMARY KEY,
	since BIGINT NOT NULL,
	at BIGINT NOT NULL,
	totals TEXT NOT NULL
);
