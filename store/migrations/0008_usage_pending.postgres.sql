-- Rows live for a fraction of a second: compressing them, or keeping the dead, would cost more than they do.
ALTER TABLE usage_pending SET (toast_tuple_target = 8160, autovacuum_vacuum_threshold = 500, autovacuum_vacuum_scale_factor = 0);

CREATE VIEW usage_hours_all AS
	SELECT organization_id, agent_id, hour, kind, type, currency, count, charged_count, quantity, charge FROM usage_hours
	UNION ALL SELECT p.organization_id, (h.cells->>0)::bigint, (h.cells->>1)::bigint, (h.cells->>2)::smallint, h.cells->>3, h.cells->>4,
		(h.cells->>5)::bigint, (h.cells->>6)::bigint, (h.cells->>7)::numeric, (h.cells->>8)::numeric
	FROM usage_pending p CROSS JOIN jsonb_array_elements(p.hours::jsonb) AS h (cells);

-- An hour's day begins at the multiple of 86,400,000,000 microseconds below it, before 1970 too.
CREATE VIEW usage_days_all AS
	SELECT organization_id, agent_id, day, kind, type, currency, count, charged_count, quantity, charge FROM usage_days
	UNION ALL SELECT p.organization_id, (h.cells->>0)::bigint,
		(h.cells->>1)::bigint - ((h.cells->>1)::bigint % 86400000000 + 86400000000) % 86400000000,
		(h.cells->>2)::smallint, h.cells->>3, h.cells->>4,
		(h.cells->>5)::bigint, (h.cells->>6)::bigint, (h.cells->>7)::numeric, (h.cells->>8)::numeric
	FROM usage_pending p CROSS JOIN jsonb_array_elements(p.hours::jsonb) AS h (cells);

CREATE VIEW usage_periods_all AS
	SELECT organization_id, period, agent_id, version_id, component, currency, quantity, charge FROM usage_periods
	UNION ALL SELECT p.organization_id, (u.cells->>0)::integer, (u.cells->>1)::bigint, (u.cells->>2)::bigint, (u.cells->>3)::bigint,
		u.cells->>4, (u.cells->>5)::numeric, (u.cells->>6)::numeric
	FROM usage_pending p CROSS JOIN jsonb_array_elements(p.periods::jsonb) AS u (cells);
