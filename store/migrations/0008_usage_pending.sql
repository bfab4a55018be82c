-- What a recording adds to the rollups of one organization, written in the events' transaction while many recordings want the
-- same rows of the rollups. Later it is folded into them; until then, whoever reads a rollup reads its view, which counts both.
-- The id is that of an event of the recording. hours and periods are JSON: a list of lists, one for each row of the rollup.
CREATE TABLE usage_pending (
	organization_id BIGINT NOT NULL,
	id BIGINT NOT NULL,
	recorded_at BIGINT NOT NULL,
	hours TEXT NOT NULL,
	periods TEXT NOT NULL,
	PRIMARY KEY (organization_id, id)
);
