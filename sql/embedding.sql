-- The type embedding: what a user sees of it. Numbers here are exact in binary.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pg_nlp;
RESET client_min_messages;
\set VERBOSITY default

---- text
SELECT '[1,2.5,-3e4]'::embedding;
SELECT ' [ 1. ,	.5 , +2 ] '::embedding;
SELECT '[0.1,1e-45,1e-46,-0,3.4028235e38,16777217]'::embedding;
SELECT '[1,2'::embedding;
SELECT '1,2'::embedding;
SELECT '[1,2] ,'::embedding;
SELECT '[1,two]'::embedding;
SELECT '[]'::embedding;
SELECT '[nan]'::embedding;
SELECT '[1,-inf]'::embedding;
SELECT '[1e39]'::embedding;
SELECT ('[' || repeat('1,', 100) || ']')::embedding;
SELECT ('[' || repeat('1,', 16000) || '1]')::embedding;
SELECT vector_dims(('[' || repeat('1,', 15999) || '1]')::embedding);
-- out and in again: the same bits
SELECT count(*), bool_and(e::text::embedding::text = e::text AND e::text::embedding = e)
	FROM (SELECT array[sqrt(i), exp(-i), 1.0 / i, -i]::embedding AS e FROM generate_series(1, 80) AS i) AS s;

---- the modifier
SELECT '[1,2]'::embedding(2);
SELECT '[1,2]'::embedding(3);
SELECT '[1,2]'::embedding(0);
SELECT '[1,2]'::embedding(16001);
SELECT '[1,2]'::embedding(1, 2);
CREATE TABLE embedding_t (id int PRIMARY KEY, e embedding(3));
SELECT format_type(atttypid, atttypmod), attstorage FROM pg_attribute WHERE attrelid = 'embedding_t'::regclass AND attname = 'e';
INSERT INTO embedding_t VALUES (1, '[1,2]');
INSERT INTO embedding_t VALUES (1, '[1,2,3]'), (2, '[4,5,6]'), (3, NULL), (4, '[1,2,3]'), (5, '[-0,0,1]'), (6, '[0,-0,1]');
INSERT INTO embedding_t VALUES (7, array[1, 2]);
INSERT INTO embedding_t VALUES (7, array[7, 8, 9]), (8, array[7.5, 8.5, 9.5]), (9, array[1, 2, 3]::real[]), (10, array[1, 2, 3]::float8[]);
SELECT * FROM embedding_t ORDER BY id;

---- arrays
SELECT array[1, NULL]::real[]::embedding;
SELECT array[]::real[]::embedding;
SELECT '{{1,2},{3,4}}'::real[]::embedding;
SELECT '{1e40}'::float8[]::embedding;
SELECT '{0.1,1e30,-2}'::numeric[]::embedding;
SELECT '[2:4]={1,2,3}'::int[]::embedding;
SELECT '[1,2,3]'::embedding::real[], '[1.5]'::embedding::text;
SELECT pg_typeof(array[1, 2]::embedding || '[3]');

---- binary
SELECT embedding_send('[1,-0.5]');

---- operators
SELECT a <-> b AS l2, a <#> b AS negative_inner, a <=> b AS cosine, a <+> b AS l1, a + b AS add, a - b AS sub, a * b AS mul, a || b AS concat
	FROM (VALUES ('[3,4]'::embedding, '[0,8]'::embedding)) AS t (a, b);
SELECT a < b, a <= b, a = b, a <> b, a >= b, a > b, embedding_cmp(a, b)
	FROM (VALUES ('[1,2]'::embedding, '[1,2,0]'::embedding), ('[0]', '[-0]'), ('[2]', '[1,9]')) AS t (a, b);
SELECT '[1,2]'::embedding <-> '[1]';
SELECT '[1,2]'::embedding + '[1]';
SELECT '[3e38]'::embedding + '[3e38]';
SELECT '[1e-30]'::embedding * '[1e-30]';
SELECT '[0,0]'::embedding <=> '[1,1]' AS no_direction;
SELECT vector_norm('[3,4]'::embedding), l2_normalize('[3,4]'::embedding), l2_normalize('[0,0]'::embedding),
	binary_quantize('[1,-1,0,2,3,-4,5,6,7]'::embedding), subvector('[1,2,3,4]'::embedding, 2, 2), subvector('[1,2,3,4]'::embedding, 0, 2);
SELECT subvector('[1,2,3,4]'::embedding, 5, 1);
SELECT l2_distance('[1,1]'::embedding, '[4,5]'), inner_product('[1,2]'::embedding, '[3,4]'), cosine_distance('[1,0]'::embedding, '[0,3]'),
	l1_distance('[1,2]'::embedding, '[3,5]'), embedding_l2_squared_distance('[1,1]', '[4,5]'), embedding_spherical_distance('[1,0]', '[0,1]');

---- every length about the kernels' steps, against the sums written out
SELECT count(*), bool_and(abs((a <-> b) - sqrt(l2)) <= 1e-5 * sqrt(l2) AND abs((a <#> b) + ip) <= 1e-4 AND abs((a <+> b) - l1) <= 1e-5 * l1
		AND abs((a <=> b) - (1 - ip / sqrt(aa * bb))) <= 1e-5) AS right
	FROM (SELECT n, array_agg(x ORDER BY i)::embedding AS a, array_agg(y ORDER BY i)::embedding AS b, sum(x * y) AS ip, sum((x - y) * (x - y)) AS l2,
			sum(abs(x - y)) AS l1, sum(x * x) AS aa, sum(y * y) AS bb
		FROM generate_series(1, 200) AS n, generate_series(1, n) AS i, LATERAL (SELECT sin(i * 1.7 + n)::float8 AS x, cos(i * 0.3 - n)::float8 AS y) AS v
		GROUP BY n) AS s;

---- stored short (a header of one byte), plain, compressed, out of line; as row and as constant
CREATE TABLE embedding_stored (id int, plain embedding, main embedding, external embedding, extended embedding);
ALTER TABLE embedding_stored ALTER plain SET STORAGE PLAIN, ALTER external SET STORAGE EXTERNAL, ALTER extended SET STORAGE EXTENDED;
INSERT INTO embedding_stored SELECT n, e, e, e, e
	FROM (SELECT n, (SELECT array_agg(CASE WHEN i % 40 = 1 THEN i % 7 ELSE 2 END ORDER BY i)::embedding FROM generate_series(1, d) AS i) AS e
		FROM (VALUES (1, 1), (2, 2), (3, 28), (4, 29), (5, 30), (6, 31), (7, 500)) AS t (n, d)) AS s;
INSERT INTO embedding_stored (id, main, external, extended) SELECT n, e, e, e
	FROM (SELECT n, (SELECT array_agg(CASE WHEN i % 40 = 1 THEN i % 7 + n ELSE 2 END ORDER BY i)::embedding FROM generate_series(1, 3000) AS i) AS e
		FROM (VALUES (8), (9), (10)) AS t (n)) AS s;
SELECT id, vector_dims(main), plain = main AND plain = external AND plain = extended AS equal, plain <-> main AS a, main <=> external AS b, external <+> extended AS c,
	extended <#> main = -inner_product(external, external) AS d
	FROM embedding_stored ORDER BY id;
SELECT pg_column_size(extended) < 12000 AS compressed, pg_column_size(external) AS external FROM embedding_stored WHERE id = 8;
-- a constant that is toasted, then another: kept only while it is the same
SELECT id, external <-> (SELECT external FROM embedding_stored WHERE id = 8) AS to_8, extended <-> (SELECT extended FROM embedding_stored WHERE id = 9) AS to_9,
	main <-> lag(external) OVER (ORDER BY id) AS to_last
	FROM embedding_stored WHERE id >= 8 ORDER BY id;
DO $$
DECLARE
	a embedding; d float8[];
BEGIN
	FOR n IN 1 .. 3 LOOP
		FOR k IN 8 .. 10 LOOP
			SELECT external INTO a FROM embedding_stored WHERE id = k;
			d := d || (SELECT array_agg(s.extended <-> a ORDER BY id) FROM embedding_stored AS s WHERE id >= 8);
		END LOOP;
	END LOOP;
	RAISE NOTICE '%', d;
END $$;

---- aggregates
SELECT sum(e), avg(e), count(e) FROM embedding_t;
SELECT sum(e), avg(e) FROM embedding_t WHERE false;
SELECT sum(e) FROM (VALUES ('[1,2]'::embedding), ('[1]')) AS t (e);
SELECT sum(e) FROM (VALUES ('[3e38]'::embedding), ('[3e38]')) AS t (e);
SELECT avg(e) FROM (VALUES ('[3e38]'::embedding), ('[3e38]')) AS t (e);
SELECT sum(e) FROM (VALUES ('[3e38]'::embedding), ('[3e38]'), ('[-3e38]')) AS t (e);
SELECT id, avg(e) OVER (ORDER BY id ROWS 1 PRECEDING) FROM embedding_t ORDER BY id LIMIT 4;
SELECT embedding_avg('{2,4,6}'), embedding_avg('{0}') IS NULL AS none;
SELECT embedding_avg('{}');
SELECT embedding_avg('{NaN,1}');
SELECT embedding_accum('{0}', '[1,2]'), embedding_accum('{1,1,2}', '[1,2]'), embedding_combine('{0}', '{1,5}'), embedding_combine('{1,5}', '{0}'), embedding_combine('{1,5}', '{2,6}');
SELECT embedding_accum('{1,1}', '[1,2]');
SELECT embedding_combine('{1,1}', '{1,2,3}');
CREATE TABLE embedding_many AS SELECT i AS id, array[i, i % 10, 1]::embedding(3) AS e FROM generate_series(1, 20000) AS i;
ANALYZE embedding_many;
BEGIN;
SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 0;
SET LOCAL min_parallel_table_scan_size = 0;
SET LOCAL max_parallel_workers_per_gather = 2;
EXPLAIN (COSTS OFF) SELECT sum(e), avg(e) FROM embedding_many;
SELECT sum(e), avg(e) FROM embedding_many;
COMMIT;
SELECT sum(e), avg(e) FROM embedding_many;

---- order, equality, hashing
SELECT e + '[0,0,0]' AS e, count(*) FROM embedding_t GROUP BY embedding_t.e ORDER BY 1;
SELECT count(*) FROM (SELECT DISTINCT e FROM embedding_t) AS s;
CREATE INDEX ON embedding_t (e);
CREATE INDEX ON embedding_t USING hash (e);
SET enable_seqscan = off;
SELECT id FROM embedding_t WHERE e = '[0,0,1]' ORDER BY id;
SELECT id FROM embedding_t WHERE e > '[4,5,5]' ORDER BY e;
RESET enable_seqscan;
SELECT embedding_hash('[0,0]') = embedding_hash('[-0,0]') AS zeros, embedding_hash('[0,1]') = embedding_hash('[1,0]') AS others,
	embedding_hash('[1,2]') = embedding_hash_extended('[1,2]', 0)::bit(32)::int AS seed_0, embedding_hash_extended('[1,2]', 0) = embedding_hash_extended('[1,2]', 1) AS seeds;
SET enable_mergejoin = off;
SET enable_nestloop = off;
EXPLAIN (COSTS OFF) SELECT count(*) FROM embedding_t AS a JOIN embedding_t AS b USING (e);
SELECT count(*) FROM embedding_t AS a JOIN embedding_t AS b USING (e);
SET enable_mergejoin = on;
SET enable_hashjoin = off;
SELECT count(*) FROM embedding_t AS a JOIN embedding_t AS b USING (e);
RESET enable_mergejoin;
RESET enable_nestloop;
RESET enable_hashjoin;
CREATE TABLE embedding_parts (e embedding) PARTITION BY HASH (e);
CREATE TABLE embedding_parts_0 PARTITION OF embedding_parts FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE embedding_parts_1 PARTITION OF embedding_parts FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO embedding_parts SELECT array[i]::embedding FROM generate_series(1, 100) AS i;
SELECT count(*) FROM embedding_parts WHERE e = '[7]';
SELECT min(n) > 20 AS spread FROM (SELECT count(*) AS n FROM embedding_parts GROUP BY tableoid) AS s;

---- nearest rows, by exact scan, the operand on either side, over pages and through joins
SELECT id FROM embedding_many ORDER BY e <-> '[777,7,1]' LIMIT 3;
SELECT id FROM embedding_many ORDER BY '[777,7,1]'::embedding <-> e LIMIT 3;
SELECT count(*), round(sum(a.e <-> b.e)) AS sum FROM embedding_many AS a JOIN embedding_many AS b ON a.id > b.id AND a.e <-> b.e < 20 WHERE a.id <= 300 AND b.id <= 300;

---- the operator families are whole
SELECT opcname, amname, amvalidate(c.oid) FROM pg_opclass AS c JOIN pg_am AS a ON a.oid = opcmethod
	WHERE opcintype = 'embedding'::regtype AND amname IN ('btree', 'hash') ORDER BY amname;
SELECT proname FROM pg_proc WHERE 'embedding'::regtype = ANY (proargtypes) AND prolang = (SELECT oid FROM pg_language WHERE lanname = 'c')
	AND proname ~ 'embedding|vector|distance|inner|quantize|normalize' AND probin LIKE '%pg_nlp%' AND prosrc LIKE 'pg_nlp_embedding_%'
	AND NOT (proisstrict AND provolatile = 'i' AND proparallel = 's');
---- bytes that are no embedding, as a damaged page might hold them: an error from every function
CREATE CAST (bytea AS embedding) WITHOUT FUNCTION;
DO $$
DECLARE
	bad bytea; f record; call text; n int := 0;
BEGIN
	FOREACH bad IN ARRAY array['\x', '\x01', '\x0100', '\x010000', '\x01000000', '\x00000000', '\xffff000000000000', '\x0200000000000000',
			'\x0100000000', '\x817e0000' || decode(repeat('00', 64), 'hex'), '\x8100000000000000'::bytea || decode(repeat('00', 8000), 'hex')] LOOP
		FOR f IN SELECT p.oid, p.proname, p.proargtypes FROM pg_proc AS p JOIN pg_depend AS d ON d.objid = p.oid AND d.classid = 'pg_proc'::regclass
				JOIN pg_extension AS e ON e.oid = d.refobjid AND e.extname = 'pg_nlp'
				WHERE prosrc LIKE 'pg\_nlp\_embedding\_%' AND 'embedding'::regtype = ANY (proargtypes) AND prosrc <> 'pg_nlp_embedding_dims' LOOP
			SELECT string_agg(CASE t WHEN 'embedding'::regtype THEN format('%L::bytea::embedding', bad)
					WHEN 'float8[]'::regtype THEN '''{0}''' WHEN 'boolean'::regtype THEN 'true' ELSE '1' END, ', ' ORDER BY i)
				INTO call FROM unnest(f.proargtypes) WITH ORDINALITY AS u (t, i);
			BEGIN
				EXECUTE format('SELECT %I(%s)', f.proname, call);
				RAISE NOTICE '% takes %', f.proname, left(bad::text, 30);
			EXCEPTION WHEN invalid_binary_representation THEN
				n := n + 1;
			END;
		END LOOP;
		PERFORM vector_dims(bad::embedding);
	END LOOP;
	RAISE NOTICE 'refused: %', n = 11 * (SELECT count(*) FROM pg_proc WHERE prosrc LIKE 'pg\_nlp\_embedding\_%' AND 'embedding'::regtype = ANY (proargtypes) AND prosrc <> 'pg_nlp_embedding_dims');
END $$;
DROP CAST (bytea AS embedding);
DROP TABLE embedding_t, embedding_stored, embedding_many, embedding_parts;
