-- The model store: loading, names, versions, rights, uploads, what a transaction sees.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pg_nlp;
RESET client_min_messages;
-- two tiny models of the same shape, made by test/fixtures/make_tiny_model.py
\getenv srcdir PG_ABS_SRCDIR
\set tiny :srcdir '/test/fixtures/tiny_llama.gguf'
\set tiny2 :srcdir '/test/fixtures/tiny_llama_2.gguf'
CREATE ROLE regress_nlp_maker;
CREATE ROLE regress_nlp_user;
CREATE ROLE regress_nlp_stranger;
GRANT pg_read_server_files TO regress_nlp_maker;
-- nothing but our own models is seen as a default by these roles
CREATE VIEW own AS SELECT name, tasks, architecture, parameters, bytes, sha256, owner, resident FROM nlp.models WHERE name LIKE 'tiny%' ORDER BY name;
GRANT SELECT ON own TO PUBLIC;

---- loading from a file
SET ROLE regress_nlp_maker;
SELECT nlp.load_model('tiny', :'tiny');
SELECT * FROM own;
SELECT generate('the dog', 'tiny', '{"max_tokens": 5}') IS NOT NULL AS answers, token_count('the dog sleeps', 'tiny');
SELECT resident FROM own;
-- the name is taken; replaced when asked
SELECT nlp.load_model('tiny', :'tiny2');
SELECT data AS first_data FROM nlp.models WHERE name = 'tiny' \gset
SELECT nlp.load_model('tiny', :'tiny2', '{"replace": true, "source": "seed 2", "card": {"licence": "PostgreSQL"}}');
SELECT sha256, resident FROM own;
SELECT source, card FROM nlp.models WHERE name = 'tiny';
SELECT to_regclass(:'first_data') IS NULL AS old_version_is_gone;
SELECT nlp.load_model('tiny', :'tiny', '{"replace": true}');

---- what is refused
SELECT nlp.load_model('x', :'tiny', '{"replaces": true}');
SELECT nlp.load_model('x', :'tiny', '{"replace": 1}');
SELECT nlp.load_model('x', :'tiny', '{"card": []}');
SELECT nlp.load_model('x', :'tiny', '[]');
SELECT nlp.load_model(NULL, :'tiny');
SELECT nlp.load_model('x', NULL::text);
SELECT nlp.load_model('', :'tiny');
SELECT nlp.load_model(' x', :'tiny');
SELECT nlp.load_model('a:b', :'tiny');
SELECT nlp.load_model('a=b', :'tiny');
SELECT nlp.load_model(E'a\nb', :'tiny');
SELECT nlp.load_model(repeat('x', 128), :'tiny');
SELECT nlp.load_model('x', '/no/such/file.gguf');
SELECT nlp.load_model('x', '/');
SELECT nlp.load_model('x', '/dev/zero');
SELECT count(*) FROM nlp.models WHERE name = 'x';
SELECT count(*) FROM pg_class WHERE relnamespace = 'nlp_data'::regnamespace AND relowner = 'regress_nlp_maker'::regrole;

---- from bytes; bad ones never become a model
RESET ROLE;
SELECT pg_read_binary_file(:'tiny') AS bytes \gset
CREATE TABLE file AS SELECT :'bytes'::bytea AS bytes;
GRANT SELECT ON file TO PUBLIC;
SET ROLE regress_nlp_maker;
SELECT nlp.load_model('tiny from bytes', bytes) FROM file;
SELECT nlp.load_model('x', ''::bytea);
SELECT nlp.load_model('x', 'no model at all'::bytea);
SELECT nlp.load_model('x', substr(bytes, 1, 30000)) FROM file;
SELECT nlp.load_model('x', bytes || 'tail'::bytea) FROM file;
SELECT nlp.load_model('x', set_byte(bytes, 4, 9)) FROM file;
SELECT count(*) FROM nlp.models WHERE name = 'x';
-- what goes out is what came in
SELECT encode(sha256(string_agg(data, '' ORDER BY seq)), 'hex') = (SELECT sha256 FROM nlp.models WHERE name = 'tiny from bytes') AS same,
	count(*), max(length(data)) FROM nlp.export_model('tiny from bytes');
SELECT seq, length(data) FROM nlp.export_model('tiny from bytes') LIMIT 2;
SELECT (nlp.export_model('tiny from bytes')).seq LIMIT 2;
SELECT nlp.drop_model('tiny from bytes');
SELECT nlp.drop_model('tiny from bytes');

---- uploads; their numbers are whatever the sequence gives
SELECT nlp.load_begin('tiny up', '{"source": "sent in parts"}') AS id \gset
SELECT nlp.load_append(:id, 'model.gguf', substr(bytes, 1, 5)) FROM file;
SELECT nlp.load_append(:id, 'model.gguf', substr(bytes, 6, 50000)) FROM file;
SELECT nlp.load_append(:id, 'model.gguf', ''::bytea);
SELECT nlp.load_finish(:id);
SELECT nlp.load_append(:id, 'model.gguf', substr(bytes, 50006)) FROM file;
SELECT nlp.load_finish(:id);
SELECT m.sha256 = t.sha256 AS same, m.source FROM nlp.models m, own t WHERE m.name = 'tiny up' AND t.name = 'tiny';
SELECT token_count('the dog sleeps', 'tiny up');
\set VERBOSITY sqlstate
SELECT nlp.load_finish(:id);
SELECT nlp.load_append(:id, 'model.gguf', 'x'::bytea);
\set VERBOSITY default
SELECT nlp.load_begin('tiny up');
SELECT nlp.load_begin('tiny other') AS id \gset
SELECT nlp.load_append(:id, 'a.gguf', 'abc'::bytea), nlp.load_append(:id, 'b.gguf', 'abc'::bytea);
SELECT nlp.load_append(:id, '../c.gguf', 'abc'::bytea);
\set VERBOSITY sqlstate
SELECT nlp.load_finish(:id);
SET ROLE regress_nlp_stranger;
SELECT nlp.load_append(:id, 'a.gguf', 'abc'::bytea);
SELECT nlp.load_abort(:id);
\set VERBOSITY default
SET ROLE regress_nlp_maker;
SELECT nlp.load_abort(:id);
SELECT nlp.drop_model('tiny up');
SELECT count(*) FROM pg_class WHERE relnamespace = 'nlp_data'::regnamespace AND relowner = 'regress_nlp_maker'::regrole;

---- a Hugging Face folder, on the server and sent by its files
\set folder :srcdir '/test/fixtures/tiny_hf'
SELECT nlp.load_model('tiny hf', :'folder');
SELECT nlp.load_model('tiny q8', :'folder', '{"quantize": "q8_0"}');
SELECT name, tasks, architecture, parameters, bytes FROM own WHERE name IN ('tiny hf', 'tiny q8');
SELECT token_count('the dog sleeps', 'tiny hf') = token_count('the dog sleeps', 'tiny') AS same_vocabulary,
	generate('the dog', 'tiny hf', '{"max_tokens": 5, "ignore_eos": true}') IS NOT NULL AS answers;
SELECT nlp.load_model('x', :'folder', '{"quantize": "q9"}');
SELECT nlp.load_model('x', :'tiny', '{"quantize": "q8_0"}');
SELECT nlp.load_model('x', :'folder' || '/..');
RESET ROLE;
CREATE TABLE folder AS SELECT f, pg_read_binary_file(:'folder' || '/' || f) AS bytes FROM pg_ls_dir(:'folder') f;
GRANT SELECT ON folder TO PUBLIC;
SET ROLE regress_nlp_maker;
SELECT nlp.load_begin('tiny sent', '{"quantize": "keep"}') AS id \gset
-- in odd pieces, so that chunks are of all sizes
SELECT count(nlp.load_append(:id, f, substr(bytes, i, 1013))) FROM folder, generate_series(1, length(bytes), 1013) i;
SELECT nlp.load_finish(:id);
SELECT a.sha256 = b.sha256 AS same FROM nlp.models a, nlp.models b WHERE a.name = 'tiny sent' AND b.name = 'tiny hf';
SELECT nlp.load_begin('x') AS id \gset
SELECT count(nlp.load_append(:id, f, bytes)) FROM folder WHERE f <> 'config.json';
SELECT nlp.load_finish(:id);
SELECT nlp.load_abort(:id);
SELECT nlp.drop_model('tiny sent'), nlp.drop_model('tiny hf'), nlp.drop_model('tiny q8');
RESET ROLE;
DROP TABLE folder;
SET ROLE regress_nlp_maker;

---- names
SELECT nlp.load_model('tiny two', :'tiny2');
SELECT nlp.rename_model('tiny', 'tiny two');
SELECT nlp.rename_model('nothing', 'x');
SELECT nlp.rename_model('tiny', 'a,b');
-- a swap
BEGIN;
SELECT nlp.rename_model('tiny', 'tiny swap');
SELECT nlp.rename_model('tiny two', 'tiny');
SELECT nlp.rename_model('tiny swap', 'tiny two');
COMMIT;
SELECT name, left(sha256, 8) FROM own;
BEGIN;
SELECT nlp.rename_model('tiny', 'tiny gone');
ROLLBACK;
SELECT name FROM own;
-- PL/pgSQL keeps its expressions over statements; what a name means is not kept
DO $$
DECLARE
	seen text[];
	answer text;
BEGIN
	FOR i IN 1 .. 4 LOOP
		answer := generate('the dog', 'tiny', '{"max_tokens": 6, "ignore_eos": true}');
		seen := seen || answer;
		PERFORM nlp.rename_model('tiny', 'tiny swap');
		PERFORM nlp.rename_model('tiny two', 'tiny');
		PERFORM nlp.rename_model('tiny swap', 'tiny two');
	END LOOP;
	RAISE NOTICE 'alternates: %', seen[1] = seen[3] AND seen[2] = seen[4] AND seen[1] <> seen[2];
	-- undone by the subtransaction, and so is what was seen in it
	BEGIN
		PERFORM nlp.drop_model('tiny two');
		PERFORM generate('the dog', 'tiny two', '{"max_tokens": 1}');
	EXCEPTION WHEN undefined_object THEN
		RAISE NOTICE 'gone inside';
	END;
	PERFORM generate('the dog', 'tiny two', '{"max_tokens": 1}');
END $$;

---- rights
SET ROLE regress_nlp_stranger;
SELECT generate('x', 'tiny', '{"max_tokens": 1}');
SELECT token_count('x', 'tiny');
SELECT count(*) FROM nlp.export_model('tiny');
SELECT nlp.prewarm('tiny');
SELECT nlp.evict('tiny');
SELECT nlp.drop_model('tiny');
SELECT nlp.rename_model('tiny', 'mine');
SELECT nlp.load_model('tiny', bytes, '{"replace": true}') FROM file;
SELECT nlp.load_model('x', '/no/such/file');
SELECT nlp.reset_model_stats();
INSERT INTO nlp.model SELECT * FROM nlp.model;
CREATE TABLE nlp_data.mine (seq int, data bytea);
-- no figures of models that are not theirs
SELECT count(bytes) FROM nlp.resident_models WHERE relation <> 0;
SELECT count(*) FROM nlp.model_stats WHERE model NOT IN (SELECT name FROM nlp.shipped_models());
-- nothing to use by default
SELECT token_count('x');
RESET ROLE;
DO $$ BEGIN EXECUTE format('GRANT SELECT ON %s TO regress_nlp_user', (SELECT data FROM nlp.models WHERE name = 'tiny')); END $$;
SET ROLE regress_nlp_user;
SELECT token_count('the dog sleeps', 'tiny'), token_count('the dog sleeps') AS by_default;
SELECT token_count('the dog sleeps', 'tiny two');
SELECT nlp.drop_model('tiny');
RESET ROLE;
DO $$ BEGIN EXECUTE format('GRANT SELECT ON %s TO regress_nlp_user', (SELECT data FROM nlp.models WHERE name = 'tiny two')); END $$;
SET ROLE regress_nlp_user;
SELECT generate('the dog');
SET pg_nlp.generation_model = 'tiny two';
SELECT generate('the dog', options => '{"max_tokens": 4}') = generate('the dog', 'tiny two', '{"max_tokens": 4}') AS same;
SELECT token_count('the dog sleeps');
SET pg_nlp.tokenizer_model = 'nothing';
SELECT token_count('the dog sleeps');
RESET pg_nlp.tokenizer_model;
SET pg_nlp.generation_model = 'nothing';
SELECT generate('the dog');
RESET pg_nlp.generation_model;
RESET ROLE;

---- what a transaction makes is its own until it commits
SET ROLE regress_nlp_maker;
BEGIN;
SELECT nlp.load_model('tiny new', :'tiny');
SELECT token_count('the dog sleeps', 'tiny new');
SELECT name, resident FROM own WHERE name = 'tiny new';
SAVEPOINT a;
SELECT nlp.load_model('tiny inner', :'tiny');
SELECT token_count('the dog sleeps', 'tiny inner');
ROLLBACK TO a;
SELECT token_count('the dog sleeps', 'tiny inner');
ROLLBACK TO a;
SELECT token_count('the dog sleeps', 'tiny new');
ROLLBACK;
SELECT name FROM own;
BEGIN;
SELECT nlp.load_model('tiny prepared', :'tiny');
SELECT token_count('the dog sleeps', 'tiny prepared');
PREPARE TRANSACTION 'regress_nlp';
SELECT count(*) FROM own WHERE name = 'tiny prepared';
COMMIT PREPARED 'regress_nlp';
SELECT token_count('the dog sleeps', 'tiny prepared');
SELECT nlp.drop_model('tiny prepared');

---- parallel workers: load what is not resident, and see what their transaction made
SELECT count(set_config(name, 'on', false)) FROM pg_settings WHERE name IN ('force_parallel_mode', 'debug_parallel_query');
SELECT nlp.evict('tiny') IS NOT NULL AS evicted;
SELECT token_count('the dog sleeps' || i, 'tiny') > 3 AS counted FROM generate_series(1, 2) i;
BEGIN;
SELECT nlp.load_model('tiny new', :'tiny');
SELECT token_count('the dog sleeps' || i, 'tiny new') > 3 AS counted FROM generate_series(1, 2) i;
SELECT count(*) FROM nlp.resident_models WHERE name = 'tiny new';
ROLLBACK;
SELECT count(set_config(name, 'off', false)) FROM pg_settings WHERE name IN ('force_parallel_mode', 'debug_parallel_query');

---- resident or not
SELECT nlp.evict('tiny') IS NOT NULL AS evicted;
SELECT resident FROM own WHERE name = 'tiny';
SELECT nlp.evict('tiny');
SELECT nlp.prewarm('tiny') > 100000 AS bytes;
SELECT resident FROM own WHERE name = 'tiny';
SELECT state, pins, bytes > 100000 AS bytes FROM nlp.resident_models WHERE name = 'tiny';
SELECT nlp.evict('tiny'), nlp.evict('nothing');

---- the owner's hands on the relation
SELECT data FROM nlp.models WHERE name = 'tiny two' \gset
BEGIN;
UPDATE :data SET data = set_byte(data, 4000, 255 - get_byte(data, 4000)) WHERE seq = 13;
SELECT nlp.evict('tiny two') IS NOT NULL AS evicted;
SELECT generate('x', 'tiny two', '{"max_tokens": 1}');
ROLLBACK;
BEGIN;
DELETE FROM :data WHERE seq = 5;
SELECT generate('x', 'tiny two', '{"max_tokens": 1}');
ROLLBACK;
SELECT generate('x', 'tiny two', '{"max_tokens": 1}') IS NOT NULL AS well;
DROP TABLE :data;
SELECT generate('x', 'tiny two', '{"max_tokens": 1}');
SELECT name FROM own;
-- the name can be used again
SELECT nlp.load_model('tiny two', :'tiny2');
SELECT name, left(sha256, 8) FROM own;
SELECT data FROM nlp.models WHERE name = 'tiny two' \gset
DROP TABLE :data;
RESET ROLE;
SELECT * FROM nlp.repair();
SELECT * FROM nlp.repair();
SELECT count(*) FROM nlp.resident_images() r WHERE r.relation <> 0 AND NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = r.relation);
SELECT count(*) FROM nlp.model WHERE name = 'tiny two';

---- the extension does not go while models are there
BEGIN;
SET LOCAL client_min_messages = error;
\set VERBOSITY terse
DROP EXTENSION pg_nlp;
\set VERBOSITY default
ROLLBACK;

---- settings
SHOW pg_nlp.threads;
SHOW pg_nlp.instruction_set;
SET pg_nlp.instruction_set = 'plain';
SELECT generate('the dog', 'tiny', '{"max_tokens": 6}') AS plain \gset
RESET pg_nlp.instruction_set;
SELECT generate('the dog', 'tiny', '{"max_tokens": 6}') = :'plain' AS same;
SET pg_nlp.threads = 3;
SELECT generate('the dog', 'tiny', '{"max_tokens": 6}') = :'plain' AS same;
-- changed under a call that is suspended
BEGIN;
DECLARE c CURSOR FOR SELECT generate_stream('the dog', 'tiny', '{"max_tokens": 20, "ignore_eos": true}');
FETCH 1 FROM c \gset stream_
SET LOCAL pg_nlp.threads = 2;
SELECT generate('the dog', 'tiny', '{"max_tokens": 6}') = :'plain' AS same;
MOVE ALL FROM c;
COMMIT;
RESET pg_nlp.threads;
SET pg_nlp.threads = 0;
SET pg_nlp.no_such_setting = 1;
SET ROLE regress_nlp_stranger;
SET pg_nlp.instruction_set = 'plain';
SET pg_nlp.compute_memory = '1GB';
RESET ROLE;
-- floating point is as it was
SELECT 1e-310::float8 * 1 AS denormal;

---- figures
SELECT nlp.reset_model_stats();
SELECT nlp.evict('tiny') IS NOT NULL AS evicted;
SELECT generate('the dog', 'tiny', '{"max_tokens": 5, "ignore_eos": true}') IS NOT NULL AS answers;
SELECT calls, "rows", tokens, forward_passes > 0 AS passes, loads, seconds > 0 AS seconds FROM nlp.model_stats WHERE model = 'tiny';
SELECT count(*) FROM nlp.activity;

---- hostile objects in search_path
CREATE SCHEMA trap;
CREATE FUNCTION trap.equal(text, text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trapped'; END $$;
CREATE OPERATOR trap.= (LEFTARG = text, RIGHTARG = text, FUNCTION = trap.equal);
CREATE FUNCTION trap.equal_oid(oid, oid) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trapped'; END $$;
CREATE OPERATOR trap.= (LEFTARG = oid, RIGHTARG = oid, FUNCTION = trap.equal_oid);
CREATE TABLE trap.model (name text);
SET search_path = trap, pg_catalog, public;
SELECT token_count('the dog sleeps', 'tiny');
SELECT count(*) > 0 AS models FROM nlp.models;
SELECT count(*) > 0 AS stats FROM nlp.model_stats;
SELECT count(*) >= 0 AS activity FROM nlp.activity;
SET search_path = '';
SELECT public.token_count('the dog sleeps', 'tiny');
RESET search_path;
SET client_min_messages = warning;
DROP SCHEMA trap CASCADE;
RESET client_min_messages;

---- weights that are no numbers are refused before anything is stored
-- the last tensor of the file is f32: its last value becomes NaN
SELECT nlp.load_model('tiny_nan', overlay(b PLACING '\x0000c07f' FROM length(b) - 3)) FROM (SELECT pg_read_binary_file(:'tiny') b) f;
SELECT count(*) FROM nlp.models WHERE name = 'tiny_nan';

---- an owner who changes the relation's shape hurts nobody
SET ROLE regress_nlp_maker;
SELECT nlp.load_model('tiny_shape', :'tiny');
SELECT data AS shape_data FROM nlp.models WHERE name = 'tiny_shape' \gset
ALTER TABLE :shape_data ALTER data TYPE int USING 1;
\set VERBOSITY sqlstate
SELECT count(*) FROM nlp.export_model('tiny_shape');
SELECT token_count('the dog', 'tiny_shape');
\set VERBOSITY default
DROP TABLE :shape_data;
RESET ROLE;
SELECT * FROM nlp.repair();
-- nor does one whose row type is used elsewhere keep others from committing
SET ROLE regress_nlp_maker;
SELECT nlp.load_model('tiny_type', :'tiny');
SELECT data AS type_data FROM nlp.models WHERE name = 'tiny_type' \gset
RESET ROLE;
CREATE TABLE uses_type (c :type_data);
\set VERBOSITY sqlstate
SELECT nlp.drop_model('tiny_type');
\set VERBOSITY default
DROP TABLE uses_type;
SELECT nlp.drop_model('tiny_type');
SELECT count(*) FROM nlp.models WHERE name = 'tiny_type';

---- a model for each language
SET ROLE regress_nlp_maker;
SELECT nlp.load_model('tiny_zh', :'tiny2');
SET pg_nlp.generation_model = 'en=tiny,zh=tiny_zh';
SELECT generate('the dog', options => '{"max_tokens": 6, "ignore_eos": true}') = generate('the dog', 'tiny', '{"max_tokens": 6, "ignore_eos": true}') AS english,
	generate('数据库', options => '{"max_tokens": 6, "ignore_eos": true}') = generate('数据库', 'tiny_zh', '{"max_tokens": 6, "ignore_eos": true}') AS chinese;
SELECT calls AS zh_calls FROM nlp.model_stats WHERE model = 'tiny_zh' \gset
SELECT generate(ARRAY['the dog', '数据库', NULL, 'the dog'], options => '{"max_tokens": 6, "ignore_eos": true}') =
	ARRAY[generate('the dog', 'tiny', '{"max_tokens": 6, "ignore_eos": true}'), generate('数据库', 'tiny_zh', '{"max_tokens": 6, "ignore_eos": true}'), NULL,
		generate('the dog', 'tiny', '{"max_tokens": 6, "ignore_eos": true}')] AS each_row_its_model;
SELECT calls - :zh_calls AS zh_calls, "rows" FROM nlp.model_stats WHERE model = 'tiny_zh';
SET pg_nlp.generation_model = 'en=tiny,zh';
SELECT generate('the dog');
RESET pg_nlp.generation_model;
SELECT nlp.drop_model('tiny_zh');
RESET ROLE;

---- a new version has the owner and the grants of the old one, whoever replaced it
SET ROLE regress_nlp_maker;
SELECT nlp.load_model('kept', :'tiny');
DO $$ BEGIN EXECUTE format('GRANT SELECT ON %s TO regress_nlp_user', (SELECT data FROM nlp.models WHERE name = 'kept')); END $$;
RESET ROLE;
SELECT nlp.load_model('kept', :'tiny2', '{"replace": true}');
SELECT owner, has_table_privilege('regress_nlp_user', data::oid, 'SELECT') AS granted,
	has_table_privilege('regress_nlp_stranger', data::oid, 'SELECT') AS to_all,
	(SELECT array_agg(refobjid::regrole ORDER BY 1) FROM pg_shdepend WHERE objid = data AND refclassid = 'pg_authid'::regclass) AS depends
	FROM nlp.models WHERE name = 'kept';
SET ROLE regress_nlp_user;
SELECT token_count('the dog sleeps', 'kept');
SET ROLE regress_nlp_maker;
SELECT nlp.load_model('kept', :'tiny', '{"replace": true}');
SELECT nlp.drop_model('kept');
RESET ROLE;

---- DROP OWNED takes the models with it
DROP VIEW own;
DROP TABLE file;
DROP OWNED BY regress_nlp_maker, regress_nlp_user, regress_nlp_stranger;
SELECT * FROM nlp.repair();
DROP ROLE regress_nlp_maker, regress_nlp_user, regress_nlp_stranger;
