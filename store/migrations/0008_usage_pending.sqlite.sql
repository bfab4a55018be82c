CREATE VIEW usage_hours_all AS
	SELECT organization_id, agent_id, hour, kind, type, currency, count, charged_count, quantity, charge FROM usage_hours
	UNION ALL SELECT p.organization_id, json_extract(h.value, '$[0]'), json_extract(h.value, '$[1]'), json_extract(h.value, '$[2]'),
		json_extract(h.value, '$[3]'), json_extract(h.value, '$[4]'), json_extract(h.value, '$[5]'), json_extract(h.value, '$[6]'),
		json_extract(h.value, '$[7]'), json_extract(h.value, '$[8]')
	FROM usage_pending p CROSS JOIN json_each(p.hours) h;

-- An hour's day begins at the multiple of 86,400,000,000 microseconds below it, before 1970 too.
CREATE VIEW usage_days_all AS
	SELECT organization_id, agent_id, day, kind, type, currency, count, charged_count, quantity, charge FROM usage_days
	UNION ALL SELECT p.organization_id, json_extract(h.value, '$[0]'),
		json_extract(h.value, '$[1]') - (json_extract(h.value, '$[1]') % 86400000000 + 86400000000) % 86400000000,
		json_extract(h.value, '$[2]'), json_extract(h.value, '$[3]'), json_extract(h.value, '$[4]'), json_extract(h.value, '$[5]'),
		json_extract(h.value, '$[6]'), json_extract(h.value, '$[7]'), json_extract(h.value, '$[8]')
	FROM usage_pending p CROSS JOIN json_each(p.hours) h;

CREATE VIEW usage_periods_all AS
	SELECT organization_id, period, agent_id, version_id, component, currency, quantity, charge FROM usage_periods
	UNION ALL SELECT p.organization_id, json_extract(u.value, '$[0]'), json_extract(u.value, '$[1]'), json_extract(u.value, '$[2]'),
		json_extract(u.value, '$[3]'), json_extract(u.value, '$[4]'), json_extract(u.value, '$[5]'), json_extract(u.value, '$[6]')
	FROM usage_pending p CROSS JOIN json_each(p.periods) u;
