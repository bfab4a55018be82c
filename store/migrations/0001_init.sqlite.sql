-- The next free number of each kind of id; only the one writer touches it.
CREATE TABLE sequences (
	name TEXT PRIMARY KEY,
	next BIGINT NOT NULL
);
INSERT INTO sequences (name, next) VALUES ('event_ids', 1), ('line_ids', 1);
