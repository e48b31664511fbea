-- nlp_flat: the index gives what a sequential scan and a sort give, whatever the rows are.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pg_nlp;
RESET client_min_messages;
SET max_parallel_workers_per_gather = 0;

-- Numbers that are the same on every machine: in -1 .. 1 from a hash.
CREATE FUNCTION flat_number(i int, j int) RETURNS real LANGUAGE sql IMMUTABLE AS
	$$ SELECT (hashint8(i::bigint * 100003 + j) / 2147483648.0)::real $$;
CREATE FUNCTION flat_row(i int, dim int, size float8 DEFAULT 1) RETURNS embedding LANGUAGE sql IMMUTABLE AS
	$$ SELECT array_agg(CASE WHEN abs(n) < 2e-45 THEN 0 ELSE n::real END ORDER BY j)::embedding
		FROM (SELECT j, flat_number(i, j) * size AS n FROM generate_series(1, dim) j) s $$;

-- The first k distances by index and by sort: how many differ. Rows the index leaves out
-- (cosine of zeros) are left out of both by where_clause.
CREATE FUNCTION flat_wrong(rel text, op text, query embedding, k int, where_clause text DEFAULT 'true') RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	sql text := format('SELECT array_agg(d) FROM (SELECT e %s $1 AS d FROM %s WHERE %s ORDER BY e %s $1 LIMIT %s) s', op, rel, where_clause, op, k);
	plan text;
	by_index float8[];
	by_sort float8[];
	wrong int;
BEGIN
	PERFORM set_config('enable_seqscan', 'off', true), set_config('enable_sort', 'off', true), set_config('enable_indexscan', 'on', true);
	FOR plan IN EXECUTE 'EXPLAIN ' || sql USING query LOOP
		EXIT WHEN plan LIKE '%Index Scan%';
	END LOOP;
	IF plan NOT LIKE '%Index Scan%' THEN RETURN 'no index scan'; END IF;
	EXECUTE sql INTO by_index USING query;
	PERFORM set_config('enable_seqscan', 'on', true), set_config('enable_sort', 'on', true), set_config('enable_indexscan', 'off', true);
	EXECUTE sql INTO by_sort USING query;
	PERFORM set_config('enable_indexscan', 'on', true);
	SELECT count(*) INTO wrong FROM unnest(by_index, by_sort) u(a, b) WHERE a IS DISTINCT FROM b;
	RETURN format('%s of %s wrong', wrong, coalesce(cardinality(by_sort), 0));
END $$;

-- Every metric, rows inserted one by one and built in one go.
CREATE TABLE flat_t (id int, e embedding(20));
CREATE INDEX flat_l2 ON flat_t USING nlp_flat (e);
INSERT INTO flat_t SELECT i, flat_row(i, 20) FROM generate_series(1, 3000) i;
SELECT flat_wrong('flat_t', '<->', flat_row(-q, 20), 10) FROM generate_series(1, 3) q;
SELECT flat_wrong('flat_t', '<->', flat_row(7, 20), 3000);
CREATE INDEX flat_ip ON flat_t USING nlp_flat (e embedding_ip_ops);
CREATE INDEX flat_cos ON flat_t USING nlp_flat (e embedding_cosine_ops);
SELECT op, flat_wrong('flat_t', op, flat_row(-q, 20), k) FROM unnest('{<#>,<=>}'::text[]) op, (VALUES (1, 1), (2, 10), (3, 1000), (4, 9999)) v(q, k);
SELECT flat_wrong('flat_t', '<->', flat_row(-5, 20), 100, 'id % 100 = 3');
-- Fewer keys than work_mem holds: batches come from further passes.
SET work_mem = '64kB';
INSERT INTO flat_t SELECT i, flat_row(i, 20) FROM generate_series(3001, 20000) i;
SELECT op, flat_wrong('flat_t', op, flat_row(-6, 20), 20000) FROM unnest('{<->,<#>,<=>}'::text[]) op;
RESET work_mem;
-- The same row many times over: bounds that are all equal.
CREATE TABLE flat_same AS SELECT 1 AS id, flat_row(1, 20) AS e FROM generate_series(1, 5000);
CREATE INDEX ON flat_same USING nlp_flat (e);
SET work_mem = '64kB';
SELECT flat_wrong('flat_same', '<->', q, 5000) FROM (VALUES (flat_row(1, 20)), (flat_row(2, 20))) v(q);
RESET work_mem;

-- The plan: the index for ORDER BY with a few rows of many, never without, never for a tiny table.
VACUUM ANALYZE flat_t;
CREATE FUNCTION flat_query() RETURNS embedding LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN flat_row(1, 20); END $$;
EXPLAIN (COSTS OFF) SELECT id FROM flat_t ORDER BY e <-> flat_query() LIMIT 10;
EXPLAIN (COSTS OFF) SELECT id FROM flat_t ORDER BY e <=> flat_query() LIMIT 10;
EXPLAIN (COSTS OFF) SELECT id FROM flat_t WHERE e = flat_query();
SET enable_seqscan = off;
EXPLAIN (COSTS OFF) SELECT count(*) FROM flat_t;
RESET enable_seqscan;
CREATE TABLE flat_tiny AS SELECT id, e FROM flat_t WHERE id <= 50;
CREATE INDEX ON flat_tiny USING nlp_flat (e);
ANALYZE flat_tiny;
EXPLAIN (COSTS OFF) SELECT id FROM flat_tiny ORDER BY e <-> flat_query() LIMIT 10;

-- NULLs and zeros are where pgvector has them.
SET enable_seqscan = off;
CREATE TABLE flat_null (id int, e embedding(3));
INSERT INTO flat_null VALUES (1, '[1,2,3]'), (2, NULL), (3, '[0,0,0]'), (4, '[-1,0,1]');
CREATE INDEX ON flat_null USING nlp_flat (e);
CREATE INDEX ON flat_null USING nlp_flat (e embedding_ip_ops);
CREATE INDEX ON flat_null USING nlp_flat (e embedding_cosine_ops);
INSERT INTO flat_null VALUES (5, '[0,0,0]'), (6, NULL), (7, '[1,2,3.5]');
SELECT id FROM flat_null ORDER BY e <-> '[1,2,3]';
SELECT id FROM flat_null ORDER BY e <#> '[1,2,3]', id;
SELECT id FROM flat_null ORDER BY e <=> '[1,2,3]';
SELECT count(*), count(d) FROM (SELECT e <-> NULL AS d FROM flat_null ORDER BY e <-> NULL) s;
SELECT id, d FROM (SELECT id, e <=> '[0,0,0]' AS d FROM flat_null ORDER BY e <=> '[0,0,0]') s ORDER BY id;
SELECT id FROM flat_null ORDER BY e <-> '[1,2,3]', e <-> '[1,2,4]' LIMIT 3;
RESET enable_seqscan;

-- Dimensions: the column's, or the first row's.
CREATE TABLE flat_dim (id int, e embedding);
CREATE INDEX flat_dim_e ON flat_dim USING nlp_flat (e);
SET enable_seqscan = off;
SELECT * FROM flat_dim ORDER BY e <-> '[1,2]';
INSERT INTO flat_dim VALUES (1, '[1,2,3]');
INSERT INTO flat_dim VALUES (2, '[1,2]');
SELECT * FROM flat_dim ORDER BY e <-> '[1,2]';
INSERT INTO flat_dim VALUES (3, '[1,1,1]');
SELECT id FROM flat_dim ORDER BY e <-> '[1,1,1]';
DROP INDEX flat_dim_e;
INSERT INTO flat_dim VALUES (4, '[1,2]');
CREATE INDEX flat_dim_e ON flat_dim USING nlp_flat (e);
CREATE INDEX flat_dim_e ON flat_dim USING nlp_flat ((e::embedding(3))) WHERE vector_dims(e) = 3;
SELECT id FROM flat_dim WHERE vector_dims(e) = 3 ORDER BY e::embedding(3) <-> '[1,1,2]';
EXPLAIN (COSTS OFF) SELECT id FROM flat_dim WHERE vector_dims(e) = 3 ORDER BY e::embedding(3) <-> '[1,1,2]';
RESET enable_seqscan;
CREATE INDEX ON flat_dim USING nlp_flat (id);
CREATE INDEX ON flat_t USING nlp_flat (e, e);
CREATE UNIQUE INDEX ON flat_t USING nlp_flat (e);
CREATE INDEX ON flat_t USING nlp_flat (e) WITH (lists = 100);
CREATE INDEX ON flat_t USING nlp_flat (e DESC);

-- Sizes at the ends of what a real can hold: squares overflow and vanish. No bound may be above
-- the operator's value (the executor would say "index returned tuples in wrong order").
CREATE TABLE flat_size (id int, e embedding(7));
INSERT INTO flat_size SELECT row_number() OVER (), flat_row(i, 7, s)
	FROM generate_series(1, 40) i, unnest('{3e38,1e30,1e19,1.5e18,1e18,1e10,1,1e-10,1e-15,1e-19,1e-23,1e-30,1e-38,1e-42}'::float8[]) s;
INSERT INTO flat_size SELECT 10000 + i, array_agg((flat_number(i, j) * 10.0 ^ (flat_number(j, i)::numeric * 37))::real)::embedding
	FROM generate_series(1, 300) i, generate_series(1, 7) j GROUP BY i;
INSERT INTO flat_size SELECT 20000 + i, ('[' || repeat('3.4028235e38,', 6) || '3.4028235e38]')::embedding FROM generate_series(1, 3) i;
INSERT INTO flat_size SELECT 30000, '[0,0,0,0,0,0,0]';
CREATE INDEX ON flat_size USING nlp_flat (e);
CREATE INDEX ON flat_size USING nlp_flat (e embedding_ip_ops);
CREATE INDEX ON flat_size USING nlp_flat (e embedding_cosine_ops);
SELECT op, flat_wrong('flat_size', op, flat_row(-3, 7, s), 2000, 'id <> 30000')
	FROM unnest('{<->,<#>,<=>}'::text[]) op, unnest('{3e38,1e30,1e19,1.5e18,1e18,1e10,1,1e-10,1e-15,1e-19,1e-23,1e-30,1e-38,1e-42,0}'::float8[]) s;
SELECT op, count(*), count(*) FILTER (WHERE flat_wrong('flat_size', op, e, 50, 'id <> 30000') <> '0 of 50 wrong') AS wrong
	FROM flat_size, unnest('{<->,<#>,<=>}'::text[]) op WHERE id % 23 = 0 GROUP BY op ORDER BY op COLLATE "C";
-- One row a hair from the next, far from zero: the rounding of the sums is all there is.
CREATE TABLE flat_near (id int, e embedding(64));
INSERT INTO flat_near SELECT i, array_agg((1000 + flat_number(1, j) + flat_number(i, j) * 1e-4)::real ORDER BY j)::embedding
	FROM generate_series(1, 2000) i, generate_series(1, 64) j GROUP BY i;
CREATE INDEX ON flat_near USING nlp_flat (e);
CREATE INDEX ON flat_near USING nlp_flat (e embedding_ip_ops);
CREATE INDEX ON flat_near USING nlp_flat (e embedding_cosine_ops);
SELECT op, flat_wrong('flat_near', op, e, 20) FROM flat_near, unnest('{<->,<#>,<=>}'::text[]) op WHERE id IN (5, 77);

-- Tiles that do not fit a page.
CREATE TABLE flat_wide (id int, dim int, e embedding);
INSERT INTO flat_wide SELECT i, dim, flat_row(i, dim) FROM unnest('{486,490,768,1000,4001,16000}'::int[]) dim,
	generate_series(1, CASE WHEN dim > 2000 THEN 40 ELSE 150 END) i;
DO $$ DECLARE d int; BEGIN
	FOREACH d IN ARRAY '{486,490,768,1000,4001,16000}'::int[] LOOP
		EXECUTE format('CREATE TABLE flat_%s AS SELECT id, e::embedding(%s) FROM flat_wide WHERE dim = %s AND id %% 2 = 0', d, d, d);
		EXECUTE format('CREATE INDEX flat_%s_e ON flat_%s USING nlp_flat (e)', d, d);
		EXECUTE format('INSERT INTO flat_%s SELECT id, e FROM flat_wide WHERE dim = %s AND id %% 2 = 1', d, d);
		EXECUTE format('CREATE INDEX flat_%s_ip ON flat_%s USING nlp_flat (e embedding_ip_ops)', d, d);
		EXECUTE format('CREATE INDEX flat_%s_cos ON flat_%s USING nlp_flat (e embedding_cosine_ops)', d, d);
	END LOOP;
END $$;
SELECT dim, op, flat_wrong('flat_' || dim, op, flat_row(-1, dim), 200)
	FROM unnest('{486,490,768,1000,4001,16000}'::int[]) dim, unnest('{<->,<#>,<=>}'::text[]) op;
DELETE FROM flat_1000 WHERE id % 3 = 0;
VACUUM flat_1000;
SELECT pg_relation_size('flat_1000_e') AS bytes \gset
INSERT INTO flat_1000 SELECT id + 1000, e FROM flat_wide WHERE dim = 1000 AND id % 3 = 0;
SELECT pg_relation_size('flat_1000_e') - :bytes AS grown;
SELECT op, flat_wrong('flat_1000', op, flat_row(-2, 1000), 200) FROM unnest('{<->,<#>,<=>}'::text[]) op;

-- Dead rows leave, their slots are used again.
DELETE FROM flat_t WHERE id % 2 = 0;
SELECT flat_wrong('flat_t', '<->', flat_row(-8, 20), 20000);
VACUUM flat_t;
SELECT flat_wrong('flat_t', '<->', flat_row(-8, 20), 20000);
SELECT pg_relation_size('flat_l2') AS bytes \gset
INSERT INTO flat_t SELECT i, flat_row(i, 20) FROM generate_series(20001, 30000) i;
SELECT pg_relation_size('flat_l2') - :bytes AS grown;
SELECT op, flat_wrong('flat_t', op, flat_row(-9, 20), 20000) FROM unnest('{<->,<#>,<=>}'::text[]) op;
UPDATE flat_t SET e = flat_row(id + 1, 20) WHERE id % 5 = 0;
SELECT op, flat_wrong('flat_t', op, flat_row(-10, 20), 20000) FROM unnest('{<->,<#>,<=>}'::text[]) op;
BEGIN;
INSERT INTO flat_t SELECT i, flat_row(i, 20) FROM generate_series(30001, 30500) i;
SAVEPOINT a;
DELETE FROM flat_t WHERE id % 7 = 1;
SELECT flat_wrong('flat_t', '<->', flat_row(-11, 20), 20000);
ROLLBACK TO a;
SELECT flat_wrong('flat_t', '<->', flat_row(-11, 20), 20000);
ROLLBACK;
SELECT flat_wrong('flat_t', '<->', flat_row(-11, 20), 20000);

-- Made again, in every way.
REINDEX INDEX flat_l2;
REINDEX INDEX CONCURRENTLY flat_cos;
DROP INDEX flat_ip;
CREATE INDEX CONCURRENTLY flat_ip ON flat_t USING nlp_flat (e embedding_ip_ops);
SELECT op, flat_wrong('flat_t', op, flat_row(-12, 20), 20000) FROM unnest('{<->,<#>,<=>}'::text[]) op;
ALTER TABLE flat_t SET UNLOGGED;
SELECT op, flat_wrong('flat_t', op, flat_row(-12, 20), 100) FROM unnest('{<->,<#>,<=>}'::text[]) op;
ALTER TABLE flat_t SET LOGGED;
SET min_parallel_table_scan_size = 0;
SET max_parallel_maintenance_workers = 2;
ALTER TABLE flat_t SET (parallel_workers = 2);
SET maintenance_work_mem = '256MB';
REINDEX TABLE flat_t;
SELECT op, flat_wrong('flat_t', op, flat_row(-13, 20), 20000) FROM unnest('{<->,<#>,<=>}'::text[]) op;
REINDEX TABLE CONCURRENTLY flat_t;
SELECT op, flat_wrong('flat_t', op, flat_row(-13, 20), 20000) FROM unnest('{<->,<#>,<=>}'::text[]) op;
ALTER TABLE flat_dim SET (parallel_workers = 2);
\set SHOW_CONTEXT never
CREATE INDEX ON flat_dim USING nlp_flat (e);	-- a worker's error comes through, whoever meets the row
\set SHOW_CONTEXT errors
CREATE TABLE flat_wide_parallel AS SELECT id, e FROM flat_768;
ALTER TABLE flat_wide_parallel SET (parallel_workers = 2);
CREATE INDEX ON flat_wide_parallel USING nlp_flat (e);
SELECT flat_wrong('flat_wide_parallel', '<->', flat_row(-1, 768), 200);
RESET min_parallel_table_scan_size;
RESET max_parallel_maintenance_workers;
RESET maintenance_work_mem;
TRUNCATE flat_t;
INSERT INTO flat_t SELECT i, flat_row(i, 20) FROM generate_series(1, 200) i;
SELECT op, flat_wrong('flat_t', op, flat_row(-14, 20), 300) FROM unnest('{<->,<#>,<=>}'::text[]) op;
BEGIN;
CREATE TABLE flat_new (id int, e embedding);
CREATE INDEX ON flat_new USING nlp_flat (e);
INSERT INTO flat_new SELECT i, flat_row(i, 5) FROM generate_series(1, 100) i;
TRUNCATE flat_new;
INSERT INTO flat_new SELECT i, flat_row(i, 6) FROM generate_series(1, 100) i;
SELECT flat_wrong('flat_new', '<->', flat_row(-1, 6), 50);
COMMIT;
CREATE TEMP TABLE flat_temp (id int, e embedding(5)) ON COMMIT DELETE ROWS;
CREATE INDEX ON flat_temp USING nlp_flat (e);
BEGIN;
INSERT INTO flat_temp SELECT i, flat_row(i, 5) FROM generate_series(1, 1000) i;
SELECT flat_wrong('flat_temp', '<->', flat_row(-1, 5), 500);
COMMIT;
BEGIN;
INSERT INTO flat_temp SELECT i, flat_row(i, 5) FROM generate_series(1, 10) i;
SELECT flat_wrong('flat_temp', '<->', flat_row(-1, 5), 500);
COMMIT;

-- Many queries in one statement, cursors, joins.
INSERT INTO flat_t SELECT i, flat_row(i, 20) FROM generate_series(201, 3000) i;
ANALYZE flat_t;
SET enable_seqscan = off;
EXPLAIN (COSTS OFF) SELECT q, n.id FROM generate_series(1, 5) q,
	LATERAL (SELECT id FROM flat_t ORDER BY e <-> flat_row(-q, 20) LIMIT 3) n;
CREATE TEMP TABLE flat_lateral AS SELECT q, n.d FROM generate_series(1, 50) q,
	LATERAL (SELECT e <-> flat_row(-q, 20) AS d FROM flat_t ORDER BY e <-> flat_row(-q, 20) LIMIT 10) n;
RESET enable_seqscan;
SET enable_indexscan = off;
SELECT count(*) FROM (SELECT q, d FROM flat_lateral EXCEPT SELECT q, n.d FROM generate_series(1, 50) q,
	LATERAL (SELECT e <-> flat_row(-q, 20) AS d FROM flat_t ORDER BY e <-> flat_row(-q, 20) LIMIT 10) n) x;
RESET enable_indexscan;
BEGIN;
DECLARE c SCROLL CURSOR FOR SELECT id FROM flat_t ORDER BY e <-> flat_row(1, 20);
FETCH 1 FROM c;
MOVE 2000 FROM c;
FETCH BACKWARD 1 FROM c;
MOVE BACKWARD ALL FROM c;
FETCH 1 FROM c;
COMMIT;

-- The catalog.
SELECT opcname, amvalidate(c.oid) FROM pg_opclass c JOIN pg_am a ON a.oid = opcmethod WHERE amname = 'nlp_flat' ORDER BY 1;
CREATE OPERATOR CLASS flat_no_function FOR TYPE embedding USING nlp_flat AS
	OPERATOR 1 <-> (embedding, embedding) FOR ORDER BY pg_catalog.float_ops;
CREATE OPERATOR CLASS flat_search FOR TYPE embedding USING nlp_flat AS
	OPERATOR 1 = (embedding, embedding), FUNCTION 1 nlp.flat_metric_l2(internal);
\set VERBOSITY sqlstate
SELECT opcname, amvalidate(c.oid) FROM pg_opclass c JOIN pg_am a ON a.oid = opcmethod WHERE opcname IN ('flat_no_function', 'flat_search') ORDER BY 1;
\set VERBOSITY default
DROP OPERATOR FAMILY flat_no_function USING nlp_flat CASCADE;
DROP OPERATOR FAMILY flat_search USING nlp_flat CASCADE;
SELECT amname, pg_indexam_has_property(oid, 'can_order') AS can_order, pg_indexam_has_property(oid, 'can_unique') AS can_unique,
	pg_indexam_has_property(oid, 'can_multi_col') AS multi, pg_index_column_has_property('flat_l2', 1, 'distance_orderable') AS distance
	FROM pg_am WHERE amname = 'nlp_flat';

SET client_min_messages = warning;
DROP TABLE flat_t, flat_same, flat_tiny, flat_null, flat_dim, flat_size, flat_near, flat_wide, flat_486, flat_490, flat_768, flat_1000,
	flat_4001, flat_16000, flat_wide_parallel, flat_new;
DROP FUNCTION flat_query, flat_wrong, flat_row, flat_number;
