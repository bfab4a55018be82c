-- An existing deployment's database in the later layout: agents and workflows, API keys, prices with conditions; tables in
-- the plural as some deployments named them, decimal columns where they were changed.
CREATE TABLE organizations (id INTEGER PRIMARY KEY, name VARCHAR NOT NULL, settings JSONB, created_at TIMESTAMPTZ);
CREATE TABLE users (id INTEGER PRIMARY KEY, email VARCHAR NOT NULL, password_hash VARCHAR NOT NULL, is_active BOOLEAN, is_superuser BOOLEAN,
	organization_id INTEGER, role VARCHAR, created_at TIMESTAMPTZ);
CREATE TABLE api_keys (id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL, organization_id INTEGER NOT NULL, name VARCHAR(100) NOT NULL, key_hash VARCHAR(255) NOT NULL,
	key_prefix VARCHAR(20) NOT NULL, is_active BOOLEAN, last_used TIMESTAMPTZ, created_at TIMESTAMPTZ, expires_at TIMESTAMPTZ, description TEXT, permissions TEXT);
CREATE TABLE billing_models (id INTEGER PRIMARY KEY, name VARCHAR NOT NULL, organization_id INTEGER NOT NULL, model_type VARCHAR NOT NULL, is_active BOOLEAN,
	human_equivalent_value FLOAT, created_at TIMESTAMPTZ);
CREATE TABLE agent_based_configs (id INTEGER PRIMARY KEY, billing_model_id INTEGER NOT NULL, base_agent_fee FLOAT NOT NULL, billing_frequency VARCHAR NOT NULL,
	setup_fee FLOAT, volume_discount_enabled BOOLEAN, volume_discount_threshold INTEGER, volume_discount_percentage FLOAT, agent_tier VARCHAR);
CREATE TABLE activity_based_configs (id INTEGER PRIMARY KEY, billing_model_id INTEGER NOT NULL, price_per_unit FLOAT NOT NULL, activity_type VARCHAR NOT NULL,
	unit_type VARCHAR, base_agent_fee FLOAT, volume_pricing_enabled BOOLEAN, minimum_charge FLOAT, billing_frequency VARCHAR, is_active BOOLEAN);
CREATE TABLE outcome_based_configs (id INTEGER PRIMARY KEY, billing_model_id INTEGER NOT NULL, outcome_name VARCHAR, outcome_type VARCHAR NOT NULL, base_platform_fee FLOAT,
	percentage FLOAT, risk_premium_percentage FLOAT, fixed_charge_per_outcome FLOAT, is_active BOOLEAN);
CREATE TABLE workflow_based_configs (id INTEGER PRIMARY KEY, billing_model_id INTEGER NOT NULL, base_platform_fee FLOAT NOT NULL, overage_multiplier FLOAT, currency VARCHAR);
CREATE TABLE workflow_types (id INTEGER PRIMARY KEY, billing_model_id INTEGER NOT NULL, workflow_name VARCHAR, workflow_type VARCHAR NOT NULL, price_per_workflow FLOAT NOT NULL,
	minimum_charge FLOAT, is_active BOOLEAN);
CREATE TABLE agents (id INTEGER PRIMARY KEY, name VARCHAR NOT NULL, organization_id INTEGER NOT NULL, billing_model_id INTEGER, is_active BOOLEAN, created_at TIMESTAMPTZ);
CREATE TABLE agent_activities (id INTEGER PRIMARY KEY, agent_id INTEGER NOT NULL, activity_type VARCHAR NOT NULL, timestamp TIMESTAMPTZ, metadata JSONB);
CREATE TABLE agent_costs (id INTEGER PRIMARY KEY, agent_id INTEGER NOT NULL, cost_type VARCHAR NOT NULL, amount NUMERIC(20, 6) NOT NULL, currency VARCHAR, timestamp TIMESTAMPTZ, details JSONB);
CREATE TABLE agent_outcomes (id INTEGER PRIMARY KEY, agent_id INTEGER NOT NULL, outcome_type VARCHAR NOT NULL, value NUMERIC(20, 6) NOT NULL, currency VARCHAR, timestamp TIMESTAMPTZ,
	details JSONB, verified BOOLEAN);
CREATE TABLE invoices (id INTEGER PRIMARY KEY, organization_id INTEGER NOT NULL, invoice_number VARCHAR NOT NULL, issue_date TIMESTAMPTZ, due_date TIMESTAMPTZ, status VARCHAR,
	amount FLOAT NOT NULL, tax_amount FLOAT, total_amount FLOAT NOT NULL, currency VARCHAR, invoice_metadata JSONB);
CREATE TABLE invoice_line_items (id INTEGER PRIMARY KEY, invoice_id INTEGER NOT NULL, description VARCHAR NOT NULL, quantity FLOAT, unit_price FLOAT NOT NULL, amount FLOAT NOT NULL,
	item_type VARCHAR NOT NULL, reference_id INTEGER, reference_type VARCHAR, item_metadata JSONB);
CREATE TABLE outcome_metrics (id INTEGER PRIMARY KEY);

INSERT INTO organizations VALUES (1, 'Northwind', '{"currency": "EUR"}', '2025-06-01 00:00:00+00');
INSERT INTO users VALUES (1, 'admin@example.com', '$2b$12$gQqckAq0NWz7rkrZcBoz.OfPYvCL6gL9gGnvbbB.LSgQ5hUAtCXty', true, true, 1, 'admin', '2025-06-01 00:00:00+00');
INSERT INTO api_keys VALUES (1, 1, 1, 'sdk', encode(sha256('xyra_0123456789abcdefghijklmnopqrstuv'), 'hex'), 'xyra_0123456...', true, NULL, '2025-06-02 00:00:00+00', NULL, NULL, NULL),
	(2, 1, 1, 'plain', 'xyra_plain6789abcdefghijklmnopqrstuv', 'xyra_plain67...', true, NULL, '2025-06-02 00:00:00+00', NULL, NULL, NULL);
INSERT INTO billing_models VALUES (1, 'Per agent', 1, 'agent', true, 5, '2025-06-02 00:00:00+00'), (2, 'Tokens', 1, 'activity', true, 5, '2025-06-02 00:00:00+00'),
	(3, 'Flows', 1, 'workflow', true, 5, '2025-06-02 00:00:00+00'), (4, 'Results', 1, 'outcome', true, 5, '2025-06-02 00:00:00+00');
INSERT INTO agent_based_configs VALUES (1, 1, 99, 'yearly', 0, false, NULL, NULL, 'professional');
INSERT INTO activity_based_configs VALUES (1, 2, 0.002, 'token', 'token', 0, false, 0, 'monthly', true);
INSERT INTO workflow_based_configs VALUES (1, 3, 250, 1.2, 'USD');
INSERT INTO workflow_types VALUES (1, 3, 'Lead research', 'lead_research', 3.5, 0, true), (2, 3, 'Old', 'old', 1, 0, false);
INSERT INTO outcome_based_configs VALUES (1, 4, 'Won', 'won', 100, 4, 10, NULL, true);
INSERT INTO agents VALUES (1, 'A', 1, 1, true, '2025-06-03 00:00:00+00'), (2, 'T', 1, 2, true, '2025-06-03 00:00:00+00'), (3, 'W', 1, 3, true, '2025-06-03 00:00:00+00'), (4, 'O', 1, 4, true, '2025-06-03 00:00:00+00');
INSERT INTO agent_activities VALUES (1, 2, 'token', '2025-07-01 12:00:00+02', '{"n": 1}'), (2, 2, 'token', '2025-07-02 12:00:00+00', NULL);
INSERT INTO agent_outcomes VALUES (1, 4, 'won', 500, 'EUR', '2025-07-03 00:00:00+00', NULL, true);
INSERT INTO agent_costs VALUES
	(1, 2, 'activity', 0.002, 'USD', '2025-07-01 10:00:00+00', '{"activity_id": 1, "activity_type": "token", "unit_type": "token", "price_per_unit": 0.002}'),
	(2, 2, 'activity', 0.002, 'USD', '2025-07-02 12:00:00+00', '{"activity_id": 2, "activity_type": "token"}'),
	(3, 4, 'outcome', 122, 'EUR', '2025-07-03 00:00:00+00', '{"outcome_id": 1, "outcome_type": "won", "percentage": 4.0}'),
	(4, 3, 'workflow', 253.5, 'USD', '2025-07-04 00:00:00+00', '{"workflow_type": "lead_research"}');
INSERT INTO invoices VALUES (1, 1, 'INV-20250801-9F3C', '2025-08-01 00:00:00+00', '2025-08-16 00:00:00+00', 'pending', 0.004, NULL, 0.004, 'USD', '{"billing_period": "2025-7"}');
INSERT INTO invoice_line_items VALUES (1, 1, 'Agent usage: T - 2 token units', 2, 0.002, 0.004, 'usage', 2, 'Agent', NULL);
