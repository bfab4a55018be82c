-- An existing deployment's database in the earlier layout: seats, activities, outcomes and hybrids, tables in the singular,
-- naive times, numbers in binary floating point.
CREATE TABLE organization (id SERIAL PRIMARY KEY, name VARCHAR NOT NULL, description TEXT, stripe_customer_id VARCHAR UNIQUE, external_id VARCHAR(255) UNIQUE,
	status VARCHAR(50) NOT NULL, billing_email VARCHAR(255), contact_name VARCHAR(255), contact_phone VARCHAR(50), timezone VARCHAR(50) NOT NULL,
	settings JSON NOT NULL, created_at TIMESTAMP, updated_at TIMESTAMP);
CREATE TABLE "user" (id SERIAL PRIMARY KEY, email VARCHAR NOT NULL UNIQUE, hashed_password VARCHAR NOT NULL, full_name VARCHAR, is_active BOOLEAN,
	is_superuser BOOLEAN, organization_id INTEGER REFERENCES organization, last_login TIMESTAMP WITH TIME ZONE, role VARCHAR(50) NOT NULL,
	created_at TIMESTAMP, updated_at TIMESTAMP);
CREATE TABLE billingmodel (id SERIAL PRIMARY KEY, name VARCHAR NOT NULL, description VARCHAR, organization_id INTEGER NOT NULL REFERENCES organization,
	model_type VARCHAR NOT NULL, is_active BOOLEAN, created_at TIMESTAMP, updated_at TIMESTAMP);
CREATE TABLE seatbasedconfig (id SERIAL PRIMARY KEY, billing_model_id INTEGER NOT NULL REFERENCES billingmodel, price_per_seat FLOAT NOT NULL,
	billing_frequency VARCHAR NOT NULL, created_at TIMESTAMP, updated_at TIMESTAMP);
CREATE TABLE activitybasedconfig (id SERIAL PRIMARY KEY, billing_model_id INTEGER NOT NULL REFERENCES billingmodel, price_per_action FLOAT NOT NULL,
	action_type VARCHAR NOT NULL, created_at TIMESTAMP, updated_at TIMESTAMP);
CREATE TABLE outcomebasedconfig (id SERIAL PRIMARY KEY, billing_model_id INTEGER NOT NULL REFERENCES billingmodel, outcome_type VARCHAR NOT NULL,
	percentage FLOAT NOT NULL, created_at TIMESTAMP, updated_at TIMESTAMP);
CREATE TABLE hybridconfig (id SERIAL PRIMARY KEY, billing_model_id INTEGER NOT NULL REFERENCES billingmodel, base_fee FLOAT NOT NULL,
	created_at TIMESTAMP, updated_at TIMESTAMP);
CREATE TABLE agent (id SERIAL PRIMARY KEY, name VARCHAR NOT NULL, description TEXT, organization_id INTEGER NOT NULL REFERENCES organization,
	billing_model_id INTEGER REFERENCES billingmodel, config JSON, is_active BOOLEAN, last_active TIMESTAMP, external_id VARCHAR, status VARCHAR(50) NOT NULL,
	type VARCHAR(100), capabilities JSON NOT NULL, mood VARCHAR, created_at TIMESTAMP, updated_at TIMESTAMP);
CREATE TABLE agentactivity (id SERIAL PRIMARY KEY, agent_id INTEGER NOT NULL REFERENCES agent, activity_type VARCHAR NOT NULL, timestamp TIMESTAMP,
	activity_metadata JSON, created_at TIMESTAMP, updated_at TIMESTAMP);
CREATE TABLE agentcost (id SERIAL PRIMARY KEY, agent_id INTEGER NOT NULL REFERENCES agent, cost_type VARCHAR NOT NULL, amount FLOAT NOT NULL, currency VARCHAR,
	timestamp TIMESTAMP, details JSON, created_at TIMESTAMP, updated_at TIMESTAMP);
CREATE TABLE agentoutcome (id SERIAL PRIMARY KEY, agent_id INTEGER NOT NULL REFERENCES agent, outcome_type VARCHAR NOT NULL, value FLOAT NOT NULL, currency VARCHAR,
	timestamp TIMESTAMP, details JSON, verified BOOLEAN, created_at TIMESTAMP, updated_at TIMESTAMP);
CREATE TABLE invoice (id SERIAL PRIMARY KEY, organization_id INTEGER NOT NULL REFERENCES organization, invoice_number VARCHAR NOT NULL UNIQUE, issue_date TIMESTAMP,
	due_date TIMESTAMP NOT NULL, status VARCHAR, amount FLOAT NOT NULL, tax_amount FLOAT, total_amount FLOAT NOT NULL, currency VARCHAR, payment_method VARCHAR,
	stripe_invoice_id VARCHAR, stripe_checkout_session_id VARCHAR, stripe_payment_link VARCHAR, payment_date TIMESTAMP, notes VARCHAR, invoice_metadata JSON,
	created_at TIMESTAMP, updated_at TIMESTAMP);
CREATE TABLE invoicelineitem (id SERIAL PRIMARY KEY, invoice_id INTEGER NOT NULL REFERENCES invoice, description VARCHAR NOT NULL, quantity FLOAT,
	unit_price FLOAT NOT NULL, amount FLOAT NOT NULL, item_type VARCHAR NOT NULL, reference_id INTEGER, reference_type VARCHAR, item_metadata JSON,
	created_at TIMESTAMP, updated_at TIMESTAMP);
CREATE TABLE integration_events (id VARCHAR PRIMARY KEY, raw_data JSON);
CREATE TABLE alembic_version (version_num VARCHAR(32) PRIMARY KEY);

INSERT INTO organization VALUES
	(3, 'Acme', 'Robots', 'cus_1', 'acme', 'active', 'billing@acme.example', NULL, NULL, 'Europe/Berlin', '{"currency": "USD", "theme": "dark"}', '2024-01-10 08:00:00.123456', '2024-02-01 00:00:00'),
	(5, 'Bravo', NULL, NULL, NULL, 'suspended', NULL, 'Bo', '1', 'UTC', '{}', '2024-02-01 00:00:00', NULL);
-- passlib's bcrypt of "correct horse 7"
INSERT INTO "user" VALUES
	(1, 'root@example.com', '$2b$12$gQqckAq0NWz7rkrZcBoz.OfPYvCL6gL9gGnvbbB.LSgQ5hUAtCXty', 'Initial Admin', true, true, NULL, NULL, 'user', '2024-01-01', '2024-01-01'),
	(7, 'Ann@Acme.example', '$2b$12$gQqckAq0NWz7rkrZcBoz.OfPYvCL6gL9gGnvbbB.LSgQ5hUAtCXty', 'Ann', true, NULL, 3, '2024-04-01 10:00:00+02', 'admin', '2024-01-11', '2024-01-11'),
	(9, 'bo@bravo.example', '$2b$12$gQqckAq0NWz7rkrZcBoz.OfPYvCL6gL9gGnvbbB.LSgQ5hUAtCXty', NULL, NULL, false, 5, NULL, 'user', NULL, NULL);
INSERT INTO billingmodel VALUES
	(2, 'Calls', NULL, 3, 'activity', true, '2024-01-12', '2024-01-12'), (4, 'Share', 'of sales', 3, 'outcome', true, '2024-01-12', '2024-01-12'),
	(6, 'All', NULL, 3, 'hybrid', true, '2024-01-12', '2024-01-12'), (8, 'Seats', NULL, 5, 'seat', true, '2024-02-02', '2024-02-02');
INSERT INTO activitybasedconfig VALUES (1, 2, 0.1, 'call'), (2, 6, 0.25, 'chat');
INSERT INTO outcomebasedconfig VALUES (1, 4, 'sale', 7.5), (2, 6, 'lead', 5);
INSERT INTO hybridconfig VALUES (1, 6, 20);
INSERT INTO seatbasedconfig VALUES (1, 8, 49.5, 'quarterly'), (2, 2, 5, 'monthly'); -- the second from when model 2 was one of seats
INSERT INTO agent VALUES
	(10, 'Caller', NULL, 3, 2, '{"seats": 2}', true, '2024-04-20 00:00:00', 'crm/1', 'active', 'voice', '["phone"]', 'fine', '2024-01-13', '2024-01-13'),
	(12, 'Seller', NULL, 3, 4, NULL, true, '2024-04-01', NULL, 'active', NULL, '[]', NULL, '2024-01-13', '2024-01-13'),
	(14, 'Both', NULL, 3, 6, NULL, false, NULL, NULL, 'paused', NULL, '[]', NULL, '2024-01-13', '2024-01-13'),
	(16, 'Clerk', NULL, 5, 8, NULL, true, NULL, NULL, 'active', NULL, '[]', NULL, '2024-02-03', '2024-02-03');
-- March is invoiced, April is not; 2024-03-31 23:30 UTC is April in Berlin. What came after the invoice was issued is not on it.
INSERT INTO agentactivity VALUES
	(100, 10, 'call', '2024-03-05 10:00:00.5', '{"a": 1.50}', '2024-03-05 10:00:00.5', NULL), (101, 10, 'call', '2024-03-31 12:00:00', NULL, NULL, NULL),
	(102, 10, 'call', '2024-03-31 23:30:00', NULL, NULL, NULL), (103, 10, 'mail', '2024-04-02 00:00:00', NULL, NULL, NULL),
	(104, 14, 'chat', '2024-04-03 00:00:00', NULL, NULL, NULL), (105, 10, 'call', '2024-04-04 00:00:00', NULL, NULL, NULL);
INSERT INTO agentoutcome VALUES
	(200, 12, 'sale', 1000, 'USD', '2024-03-10', '{"order": 7}', true, NULL, NULL), (201, 12, 'sale', 0.30000000000000004, 'usd', '2024-04-10', NULL, NULL, NULL, NULL),
	(202, 12, 'sale', 10, 'EUR', '2024-04-11', NULL, false, NULL, NULL);
INSERT INTO agentcost VALUES
	(300, 10, 'activity', 0.1, 'USD', '2024-03-05 10:00:00.6', '{"activity_id": 100}', NULL, NULL), (301, 10, 'activity', 0.1, 'USD', '2024-03-31 12:00:00', '{"activity_id": 101, "activity_type": "call"}', NULL, NULL),
	(302, 10, 'activity', 0.1, 'USD', '2024-03-31 23:30:00', '{"activity_id": 102}', NULL, NULL), (303, 10, 'activity', 0.1, 'USD', '2024-04-02', '{"activity_id": 103}', NULL, NULL),
	(304, 14, 'activity', 20.25, 'USD', '2024-04-03', '{"activity_id": 104}', NULL, NULL),
	(305, 12, 'outcome', 75, 'USD', '2024-03-10', '{"outcome_id": 200}', NULL, NULL), (306, 12, 'outcome', 0.022500000000000003, 'USD', '2024-04-10', '{"outcome_id": 201}', NULL, NULL),
	(307, 10, 'compute', 1.2345678901234567, 'USD', '2024-03-06', '{"seconds": 3}', NULL, NULL), (308, 10, 'activity', 5, 'USD', '2024-03-06', '{"activity_id": 999}', NULL, NULL),
	(309, 16, 'compute', -2.5, NULL, NULL, NULL, '2024-02-10', NULL), (310, 12, 'outcome', 0.75, 'EUR', '2024-04-11', '{"outcome_id": 202}', NULL, NULL);
INSERT INTO invoice VALUES
	(20, 3, 'INV-20240402-AB12', '2024-04-02 09:00:00', '2024-04-17 09:00:00', 'paid', 75.2, 0, 75.2, 'USD', 'wire', NULL, 'cs_1', 'https://pay.example/1', '2024-04-05 00:00:00',
		'Monthly invoice for March 2024', '{"billing_period": "2024-3"}', '2024-04-02 09:00:00', '2024-04-05 00:00:00'),
	(21, 3, 'ACME/7', '2024-02-01', '2024-03-01', 'overdue', 10, 1.9, 11.9, 'EUR', NULL, NULL, NULL, NULL, NULL, NULL, NULL, '2024-02-01', NULL);
INSERT INTO invoicelineitem VALUES
	(50, 20, 'Agent usage: Caller - 2 activities', 2, 0.1, 0.2, 'usage', 10, 'Agent', '{"billing_model_id": 2, "billing_period": "2024-3"}', NULL, NULL),
	(51, 20, 'Agent outcomes: Seller - 7.5% of 1000.0', 1, 75, 75, 'outcome', 12, 'Agent', '{"billing_model_id": 4, "billing_period": "2024-3"}', NULL, NULL),
	(52, 21, 'Setup', 1, 9.99, 9.99, 'service', NULL, NULL, NULL, NULL, NULL);
