-- nlp.backfill and nlp.estimate, with a verb made for the test: no model, so what is
-- seen here is the job itself. Counts of calls say what was batched.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pg_nlp;
SET timezone = 'UTC';

CREATE SEQUENCE verb_calls;
CREATE SEQUENCE verb_rows;
CREATE FUNCTION shout(input text, model text DEFAULT NULL, options jsonb DEFAULT NULL) RETURNS text LANGUAGE plpgsql VOLATILE AS $$
BEGIN
	PERFORM nextval('verb_calls'), nextval('verb_rows');
	IF input LIKE '%bad%' THEN RAISE 'this text is bad' USING ERRCODE = 'data_exception'; END IF;
	IF input LIKE '%missing%' THEN RAISE 'no such model' USING ERRCODE = 'undefined_object'; END IF;
	RETURN upper(input) || coalesce(options ->> 'mark', '!');
END $$;
CREATE FUNCTION shout(inputs text[], model text DEFAULT NULL, options jsonb DEFAULT NULL) RETURNS text[] LANGUAGE plpgsql VOLATILE AS $$
BEGIN
	PERFORM nextval('verb_calls');
	IF options ? 'typo' THEN RAISE 'shout has no option "typo"' USING ERRCODE = 'invalid_parameter_value'; END IF;
	IF array_to_string(inputs, ' ') LIKE '%bad%' THEN RAISE 'this text is bad' USING ERRCODE = 'data_exception'; END IF;
	IF array_to_string(inputs, ' ') LIKE '%missing%' THEN RAISE 'no such model' USING ERRCODE = 'undefined_object'; END IF;
	RETURN (SELECT array_agg(upper(i) || coalesce(options ->> 'mark', '!') ORDER BY o) FROM unnest(inputs) WITH ORDINALITY AS u(i, o));
END $$;
ALTER EXTENSION pg_nlp ADD FUNCTION shout(text, text, jsonb);
ALTER EXTENSION pg_nlp ADD FUNCTION shout(text[], text, jsonb);
-- Calls since the last look: of the verb, and of its form for one row.
CREATE FUNCTION calls(OUT all_calls bigint, OUT one_row_calls bigint) LANGUAGE plpgsql AS $$
BEGIN
	all_calls := nextval('verb_calls') - 1;
	one_row_calls := nextval('verb_rows') - 1;
	PERFORM setval('verb_calls', 1, false), setval('verb_rows', 1, false);
END $$;

CREATE TABLE note (id int PRIMARY KEY, body text, summary varchar(20), touched int DEFAULT 0);
INSERT INTO note (id, body) SELECT i, 'text ' || i FROM generate_series(1, 10) AS i;
INSERT INTO note (id, body) VALUES (11, NULL);

-- ten rows by four: the check without rows, then three batches; a NULL stays NULL
CALL nlp.backfill('note', 'summary', 'shout(body)', '{"batch": 4}');
SELECT * FROM calls();
SELECT id, summary FROM note ORDER BY id;
-- restartable: nothing is left but the NULL, which is asked about and not written again
CALL nlp.backfill('note', 'summary', 'shout(body)', '{"batch": 4, "where": "summary IS NULL"}');
SELECT * FROM calls();

-- recognised: named arguments, constants, casts around, an expression as the input, a comment
UPDATE note SET summary = NULL;
CALL nlp.backfill('note', 'summary', $$shout(trim(body) || ' ' || id, options => '{"mark": "?"}')::varchar -- done$$);
SELECT * FROM calls();
CALL nlp.backfill('note', 'summary', $$public.shout(input => body, options => jsonb_build_object('mark', '.'))$$);
SELECT * FROM calls();
SELECT id, summary FROM note WHERE id IN (1, 10) ORDER BY id;
-- not a single call with constants: row by row, the same result
CALL nlp.backfill('note', 'summary', $$left(shout(body), 6)$$);
SELECT * FROM calls();
CALL nlp.backfill('note', 'summary', $$shout(body, options => jsonb_build_object('mark', id))$$);
SELECT * FROM calls();
CALL nlp.backfill('note', 'summary', $$upper(body)$$);
SELECT id, summary FROM note WHERE id IN (1, 10) ORDER BY id;

-- bad rows are found, noted and passed over; the others are done
UPDATE note SET summary = NULL, body = CASE WHEN id IN (3, 8) THEN 'bad ' || id ELSE 'text ' || id END;
CALL nlp.backfill('note', 'summary', 'shout(body)', '{"batch": 8}');
SELECT target, key, sqlstate, message, noted_at IS NOT NULL AS noted, by_role = current_user AS own FROM nlp.backfill_error ORDER BY key;
SELECT count(*) FILTER (WHERE summary IS NOT NULL), count(*) FILTER (WHERE summary IS NULL) FROM note;
-- a value the column refuses is a bad row as well
UPDATE note SET body = 'much too long for the column' WHERE id = 5;
CALL nlp.backfill('note', 'summary', 'shout(body)', '{"where": "id IN (3, 5)"}');
SELECT key, sqlstate, message FROM nlp.backfill_error ORDER BY key;
-- row by row too; and a row that is written leaves the list
UPDATE note SET body = 'good now' WHERE id = 3;
CALL nlp.backfill('note', 'summary', 'initcap(shout(body))', '{"where": "id IN (3, 5, 8)"}');
SELECT key, sqlstate, message FROM nlp.backfill_error ORDER BY key;
SELECT id, summary FROM note WHERE id IN (3, 5, 8) ORDER BY id;
-- asked to stop at the first bad row
CALL nlp.backfill('note', 'summary', 'shout(body)', '{"on_error": "error", "where": "id = 8"}');
CALL nlp.backfill('note', 'summary', 'lower(shout(body))', '{"on_error": "error", "where": "id = 8"}');
-- an error that is not of the row ends the job; so do options that can never be right
UPDATE note SET body = 'missing' WHERE id = 6;
CALL nlp.backfill('note', 'summary', 'shout(body)');
CALL nlp.backfill('note', 'summary', $$shout(body, options => '{"typo": 1}')$$);
UPDATE note SET body = 'text' WHERE id = 6;
DELETE FROM nlp.backfill_error;

-- what was committed stays: the third batch fails
UPDATE note SET summary = NULL, body = CASE WHEN id = 9 THEN 'missing' ELSE 'text ' || id END;
CALL nlp.backfill('note', 'summary', 'shout(body)', '{"batch": 4}');
SELECT count(summary) FROM note;
-- inside a transaction block, and inside a function: one transaction, no commit
BEGIN;
UPDATE note SET body = 'text 9' WHERE id = 9;
CALL nlp.backfill('note', 'summary', 'shout(body)', '{"batch": 4}');
SELECT count(summary) FROM note;
ROLLBACK;
SELECT count(summary) FROM note;
DO $$ BEGIN CALL nlp.backfill('note', 'summary', 'upper(body)', '{"batch": 4}'); END $$;
SELECT count(summary) FROM note;
CREATE FUNCTION from_function() RETURNS void LANGUAGE plpgsql AS $$ BEGIN CALL nlp.backfill('note', 'summary', 'lower(body)'); END $$;
SELECT from_function();
SELECT id, summary FROM note WHERE id = 1;

-- rows changed while they were computed are left alone: here the verb's own doing
CREATE FUNCTION meddle(input text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN UPDATE note SET touched = touched + 1, body = body || '+' WHERE body = input; RETURN 'meddled'; END $$;
CREATE FUNCTION meddle(inputs text[]) RETURNS text[] LANGUAGE sql AS $$ SELECT array_agg(meddle(i) ORDER BY o) FROM unnest(inputs) WITH ORDINALITY AS u(i, o) $$;
ALTER EXTENSION pg_nlp ADD FUNCTION meddle(text);
ALTER EXTENSION pg_nlp ADD FUNCTION meddle(text[]);
UPDATE note SET body = 'text ' || id, summary = NULL;
CALL nlp.backfill('note', 'summary', 'meddle(body)');
SELECT count(*) FILTER (WHERE summary IS NULL) AS left_alone, sum(touched) FROM note;

-- keys of several columns, of other types, in another order than the columns; a partitioned table; many batches
CREATE TABLE part (n numeric, name text COLLATE "C", day date, body text, "Out" text, PRIMARY KEY (name, day, n)) PARTITION BY LIST (name);
CREATE TABLE part_a PARTITION OF part FOR VALUES IN ('a', 'it''s');
CREATE TABLE part_b PARTITION OF part FOR VALUES IN ('b"');
INSERT INTO part SELECT i / 7.0, (ARRAY['a', 'it''s', 'b"'])[i % 3 + 1], date '2020-01-01' + i % 2, CASE WHEN i = 50 THEN 'bad' ELSE 'x' || i END FROM generate_series(1, 100) AS i;
CALL nlp.backfill('part', 'Out', 'shout(body)', '{"batch": 7, "where": "\"Out\" IS NULL"}');
SELECT count("Out"), count(*) FILTER (WHERE "Out" = upper(body) || '!') FROM part;
SELECT target, key FROM nlp.backfill_error;

-- what cannot be done is said before anything is
CREATE TABLE keyless (body text, summary text, twice text GENERATED ALWAYS AS (body || body) STORED);
CALL nlp.backfill('keyless', 'summary', 'shout(body)');
ALTER TABLE keyless ADD COLUMN id serial PRIMARY KEY;
CALL nlp.backfill('keyless', 'nothing', 'shout(body)');
CALL nlp.backfill('keyless', 'twice', 'shout(body)');
CALL nlp.backfill('keyless', 'ctid', 'shout(body)');
CREATE VIEW keyless_view AS SELECT * FROM keyless;
CALL nlp.backfill('keyless_view', 'summary', 'shout(body)');
CALL nlp.backfill('keyless', 'summary', 'shout(nobody)');
CALL nlp.backfill('keyless', 'summary', 'shout(body), body');
CALL nlp.backfill('keyless', 'summary', 'shout(body) FROM note');
CALL nlp.backfill('keyless', 'summary', '');
CALL nlp.backfill('keyless', 'summary', 'shout(body)); DROP TABLE note; --');
CALL nlp.backfill('keyless', 'summary', 'count(*)');
CALL nlp.backfill('keyless', 'summary', 'unnest(ARRAY[body])');
CALL nlp.backfill('keyless', 'summary', 'shout(body)', '{"where": "true) OR (true"}');
CALL nlp.backfill('keyless', 'summary', 'shout(body)', '{"where": "body"}');
CALL nlp.backfill('keyless', 'summary', 'shout(body)', '{"batch": 0}');
CALL nlp.backfill('keyless', 'summary', 'shout(body)', '{"max_tokens": 10}');
CALL nlp.backfill(NULL, 'summary', 'shout(body)');
CALL nlp.backfill('keyless', 'id', 'body');

-- the caller's rights: reading and writing the columns, and nobody else's notes of errors
CREATE ROLE backfill_user;
GRANT SELECT (id, body, summary), UPDATE (summary) ON keyless TO backfill_user;
GRANT USAGE ON SEQUENCE verb_calls, verb_rows TO backfill_user;
INSERT INTO keyless (body) VALUES ('one'), ('bad');
SET ROLE backfill_user;
SELECT count(*) FROM nlp.backfill_error;
CALL nlp.backfill('keyless', 'body', 'shout(body)');
CALL nlp.backfill('keyless', 'summary', 'shout(twice)');
CALL nlp.backfill('keyless', 'summary', 'shout(body)');
SELECT target, key, by_role FROM nlp.backfill_error;
INSERT INTO nlp.backfill_error (target, key, sqlstate, message, by_role) VALUES ('note', '{}', '', '', 'postgres');
RESET ROLE;
SELECT id, summary FROM keyless ORDER BY id;

-- operators of a schema before pg_catalog are not ours to call
CREATE SCHEMA trap;
CREATE FUNCTION trap.caught(a int, b int) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE 'trapped'; END $$;
CREATE FUNCTION trap.caught(a oid, b oid) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE 'trapped'; END $$;
CREATE FUNCTION trap.caught(a text, b text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE 'trapped'; END $$;
CREATE OPERATOR trap.= (LEFTARG = int, RIGHTARG = int, FUNCTION = trap.caught);
CREATE OPERATOR trap.> (LEFTARG = int, RIGHTARG = int, FUNCTION = trap.caught);
CREATE OPERATOR trap.= (LEFTARG = oid, RIGHTARG = oid, FUNCTION = trap.caught);
CREATE OPERATOR trap.= (LEFTARG = text, RIGHTARG = text, FUNCTION = trap.caught);
CREATE TABLE prey (id int PRIMARY KEY, body text, summary text);
INSERT INTO prey (id, body) SELECT i, 'text ' || i FROM generate_series(1, 10) AS i;
SET search_path = trap, pg_catalog, public;
CALL nlp.backfill('public.prey', 'summary', 'public.shout(body)', '{"batch": 4}');
RESET search_path;
SELECT count(*) FROM prey WHERE summary LIKE 'TEXT%!';
DROP TABLE prey;
DROP SCHEMA trap CASCADE;

-- estimate: the rows are counted, some of them computed, nothing is changed
SELECT rows_total, rows_counted, rows_sampled, seconds_sampled > 0 AS sampled, rows_per_second > 0 AS rate, seconds_total >= seconds_sampled AS total
	FROM nlp.estimate('SELECT pg_sleep(0.01), body FROM part;', '{"sample_rows": 5}');
-- about 0.01 s a row: 100 rows take at least 1 s
SELECT seconds_total BETWEEN 1 AND 5 AS about, rows_per_second BETWEEN 20 AND 100 AS rate FROM nlp.estimate('SELECT pg_sleep(0.01) FROM part', '{"sample_rows": 5}');
SELECT rows_total, rows_counted, rows_sampled FROM nlp.estimate('SELECT * FROM note WHERE id < 4 -- few');
SELECT rows_total, rows_counted, rows_sampled, rows_per_second FROM nlp.estimate('SELECT * FROM note WHERE false');
-- the time limit: a row is let end, the next one not begun
SELECT rows_sampled FROM nlp.estimate('SELECT pg_sleep(0.3) FROM part', '{"sample_rows": 50, "sample_seconds": 0.2}');
SELECT nlp.estimate('DELETE FROM note');
SELECT nlp.estimate('SELECT 1; SELECT 2');
SELECT nlp.estimate('SELECT 1 INTO x');
SELECT nlp.estimate('');
SELECT nlp.estimate('SELECT 1 FRM note');
SELECT nlp.estimate('SELECT nothing FROM note');
SELECT nlp.estimate('WITH d AS (DELETE FROM note RETURNING 1) SELECT * FROM d');
SELECT nlp.estimate('SELECT nextval(''verb_calls'')');
SELECT nlp.estimate('SELECT 1', '{"batch": 3}');
SELECT count(*) FROM note;
SELECT count(*) FROM nlp.estimate(NULL);

DELETE FROM nlp.backfill_error;
DROP TABLE note, part, keyless CASCADE;
ALTER EXTENSION pg_nlp DROP FUNCTION shout(text, text, jsonb);
ALTER EXTENSION pg_nlp DROP FUNCTION shout(text[], text, jsonb);
ALTER EXTENSION pg_nlp DROP FUNCTION meddle(text);
ALTER EXTENSION pg_nlp DROP FUNCTION meddle(text[]);
DROP FUNCTION shout(text, text, jsonb), shout(text[], text, jsonb), meddle(text), meddle(text[]), calls, from_function;
DROP SEQUENCE verb_calls, verb_rows;
DROP ROLE backfill_user;
