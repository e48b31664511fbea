-- 30_batch.sql --- many rows: nlp.backfill, the rows it could not do, nlp.estimate.

CREATE TABLE nlp.backfill_error (
	target		regclass NOT NULL,
	column_name	name NOT NULL,
	key			jsonb NOT NULL,
	sqlstate	text NOT NULL,
	message		text NOT NULL,
	noted_at	timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
	by_role		name NOT NULL DEFAULT current_user,
	PRIMARY KEY (target, column_name, key, by_role)
);
COMMENT ON TABLE nlp.backfill_error IS
	'rows that nlp.backfill passed over, each until a later run writes it; a role sees its own';
COMMENT ON COLUMN nlp.backfill_error.target IS 'the table of the row';
COMMENT ON COLUMN nlp.backfill_error.column_name IS 'the column that was to be set';
COMMENT ON COLUMN nlp.backfill_error.key IS 'the row''s primary key as an object';
COMMENT ON COLUMN nlp.backfill_error.sqlstate IS 'the error''s code';
COMMENT ON COLUMN nlp.backfill_error.message IS 'the error''s message';
COMMENT ON COLUMN nlp.backfill_error.noted_at IS 'when it happened';
COMMENT ON COLUMN nlp.backfill_error.by_role IS 'the role that ran the backfill';

-- Keys and messages tell of the rows: nobody sees or changes what another role noted.
ALTER TABLE nlp.backfill_error ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_rows ON nlp.backfill_error
	USING (by_role OPERATOR(pg_catalog.=) current_user) WITH CHECK (by_role OPERATOR(pg_catalog.=) current_user);
COMMENT ON POLICY own_rows ON nlp.backfill_error IS 'a role sees and changes what it noted itself';
GRANT SELECT, INSERT, UPDATE, DELETE ON nlp.backfill_error TO PUBLIC;

CREATE PROCEDURE nlp.backfill(target regclass, column_name name, expression text, options jsonb DEFAULT NULL)
	AS 'MODULE_PATHNAME', 'pg_nlp_backfill' LANGUAGE C;
COMMENT ON PROCEDURE nlp.backfill(regclass, name, text, jsonb) IS
	'set a column to an expression, in batches in the order of the primary key, committing after each; a single verb call is computed a batch at a time. Options: batch (64), where (a condition), on_error ("null": bad rows go to nlp.backfill_error and are passed over; "error": the first one ends the job)';

CREATE FUNCTION nlp.estimate(query text, options jsonb DEFAULT NULL,
							 OUT rows_total bigint, OUT rows_counted boolean, OUT rows_sampled bigint,
							 OUT seconds_sampled double precision, OUT rows_per_second double precision,
							 OUT seconds_total double precision) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'pg_nlp_estimate' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000000 ROWS 1;
COMMENT ON FUNCTION nlp.estimate(text, jsonb) IS
	'how long a SELECT would take: some of its rows are computed, read-only and within a time limit, and the whole is projected; rows_counted is false when rows_total is the planner''s guess. Options: sample_rows (16), sample_seconds (10)';
