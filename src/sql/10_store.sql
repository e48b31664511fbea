-- 10_store.sql --- the model store: tables, loading, views.
--
-- Everything is in schema nlp, which PUBLIC may use and nobody but the extension's
-- owner may create in. Rows of nlp.model and of the upload tables are written by C
-- functions alone. The relations that hold models' bytes are in nlp_data.

CREATE SCHEMA nlp;
CREATE SCHEMA nlp_data;
GRANT USAGE ON SCHEMA nlp, nlp_data TO PUBLIC;
COMMENT ON SCHEMA nlp IS 'pg_nlp: models, training, views';
COMMENT ON SCHEMA nlp_data IS 'pg_nlp: one relation per model, with the model''s bytes; GRANT SELECT on it is the right to use the model';

CREATE TABLE nlp.model (
	name text COLLATE pg_catalog."C" NOT NULL,
	data regclass NOT NULL,
	tasks text[] NOT NULL,
	architecture text NOT NULL,
	parameters bigint NOT NULL,
	bytes bigint NOT NULL,
	sha256 text NOT NULL,
	source text,
	created timestamptz NOT NULL,
	card jsonb,
	CONSTRAINT model_pkey PRIMARY KEY (name)
);
COMMENT ON TABLE nlp.model IS 'a row per model: its name and the relation that holds its bytes; written by nlp.load_model and its kin';
GRANT SELECT ON nlp.model TO PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('nlp.model', '');

-- Old versions that transactions were still using when they were replaced.
CREATE TABLE nlp.retired (
	data regclass NOT NULL,
	since timestamptz NOT NULL
);
COMMENT ON TABLE nlp.retired IS 'relations of replaced or dropped models that were in use; the next load, drop or nlp.repair() removes them';

-- Uploads in progress.
CREATE SEQUENCE nlp.load_id;
CREATE TABLE nlp.load (
	id bigint NOT NULL,
	name text COLLATE pg_catalog."C" NOT NULL,
	owner oid NOT NULL,
	options jsonb,
	created timestamptz NOT NULL,
	CONSTRAINT load_pkey PRIMARY KEY (id)
);
CREATE TABLE nlp.load_file (
	id bigint NOT NULL,
	file text COLLATE pg_catalog."C" NOT NULL,
	data regclass NOT NULL,
	next_seq int NOT NULL,
	bytes bigint NOT NULL,
	CONSTRAINT load_file_pkey PRIMARY KEY (id, file)
);
COMMENT ON SEQUENCE nlp.load_id IS 'numbers of uploads';
COMMENT ON TABLE nlp.load IS 'uploads between nlp.load_begin and nlp.load_finish';
COMMENT ON TABLE nlp.load_file IS 'files of the uploads in nlp.load';

---- loading

CREATE FUNCTION nlp.load_model(name text, path text, options jsonb DEFAULT NULL) RETURNS text
	LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pg_nlp_load_model_path';
COMMENT ON FUNCTION nlp.load_model(text, text, jsonb) IS
	'load a file or folder of the server under a name: GGUF, a Hugging Face folder, word vectors (word2vec binary or text, GloVe, fastText .vec or .bin). Options: replace, source, card, quantize (of a folder), limit and skip_bad_words (of word vectors)';
REVOKE EXECUTE ON FUNCTION nlp.load_model(text, text, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION nlp.load_model(text, text, jsonb) TO pg_read_server_files;

CREATE FUNCTION nlp.load_model(name text, data bytea, options jsonb DEFAULT NULL) RETURNS text
	LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pg_nlp_load_model_bytea';
COMMENT ON FUNCTION nlp.load_model(text, bytea, jsonb) IS
	'load a GGUF or word vector file given as bytes (up to 1 GB) under a name; options: replace, source, card, limit and skip_bad_words (of word vectors)';

CREATE FUNCTION nlp.load_begin(name text, options jsonb DEFAULT NULL) RETURNS bigint
	LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pg_nlp_load_begin';
COMMENT ON FUNCTION nlp.load_begin(text, jsonb) IS
	'start an upload of any size and give its number; options as nlp.load_model';

CREATE FUNCTION nlp.load_append(id bigint, file text, chunk bytea) RETURNS bigint
	LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pg_nlp_load_append';
COMMENT ON FUNCTION nlp.load_append(bigint, text, bytea) IS
	'append bytes to a file of an upload; gives the bytes that the file has now';

CREATE FUNCTION nlp.load_finish(id bigint) RETURNS text
	LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pg_nlp_load_finish';
COMMENT ON FUNCTION nlp.load_finish(bigint) IS 'check an upload, one GGUF or word vector file or the files of a Hugging Face folder, and make it a model; gives the model''s name';

CREATE FUNCTION nlp.load_abort(id bigint) RETURNS void
	LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pg_nlp_load_abort';
COMMENT ON FUNCTION nlp.load_abort(bigint) IS 'give an upload up and remove what it stored';

---- managing

CREATE FUNCTION nlp.drop_model(name text) RETURNS void
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pg_nlp_drop_model';
COMMENT ON FUNCTION nlp.drop_model(text) IS 'remove a model; its owner only';

CREATE FUNCTION nlp.rename_model(name text, new_name text) RETURNS void
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pg_nlp_rename_model';
COMMENT ON FUNCTION nlp.rename_model(text, text) IS 'give a model another name, seen by others at COMMIT; its owner only';

CREATE FUNCTION nlp.export_model(name text, format text DEFAULT 'gguf', OUT seq int, OUT data bytea) RETURNS SETOF record
	LANGUAGE C STABLE STRICT PARALLEL RESTRICTED ROWS 10000 AS 'MODULE_PATHNAME', 'pg_nlp_export_model';
COMMENT ON FUNCTION nlp.export_model(text, text) IS
	'a model as a file, in pieces, in order. format "gguf": the stored bytes; "word2vec" (binary) or "text": word vectors for other programs';

CREATE FUNCTION nlp.prewarm(name text) RETURNS bigint
	LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'pg_nlp_prewarm';
COMMENT ON FUNCTION nlp.prewarm(text) IS 'make a model resident before its first use; gives the bytes of its image';

CREATE FUNCTION nlp.evict(name text) RETURNS boolean
	LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'pg_nlp_evict';
COMMENT ON FUNCTION nlp.evict(text) IS
	'give a model''s shared memory back; false when a call reads it or it is not resident; its owner only, and superusers (from 17 on also pg_maintain) for what is shipped with the extension';

CREATE FUNCTION nlp.repair(OUT model text, OUT action text) RETURNS SETOF record
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE ROWS 10 AS 'MODULE_PATHNAME', 'pg_nlp_repair';
COMMENT ON FUNCTION nlp.repair() IS 'after a restore: bind models to the extension again, tidy up; says what was done';

---- what is there, what is going on

CREATE FUNCTION nlp.resident_images(OUT relation oid, OUT sha256 text, OUT state text, OUT bytes bigint,
	OUT pins int, OUT allocator text, OUT loaded timestamptz, OUT loaded_bytes bigint) RETURNS SETOF record
	LANGUAGE C VOLATILE STRICT PARALLEL SAFE ROWS 10 AS 'MODULE_PATHNAME', 'pg_nlp_resident_images';
COMMENT ON FUNCTION nlp.resident_images() IS 'images in shared memory, for nlp.resident_models; relation is 0 for what is shipped with the extension';

CREATE FUNCTION nlp.shipped_models(OUT name text, OUT tasks text[], OUT architecture text, OUT parameters bigint,
	OUT bytes bigint, OUT sha256 text, OUT file text) RETURNS SETOF record
	LANGUAGE C STABLE STRICT PARALLEL SAFE ROWS 2 AS 'MODULE_PATHNAME', 'pg_nlp_shipped_models';
COMMENT ON FUNCTION nlp.shipped_models() IS
	'models that come with the extension, files in its share directory; everybody may use them, and a model of one''s own under the same name takes their place';

CREATE FUNCTION nlp.activity_rows(OUT pid int, OUT role oid, OUT database oid, OUT model text, OUT verb text,
	OUT phase text, OUT tokens bigint, OUT "rows" bigint, OUT since timestamptz) RETURNS SETOF record
	LANGUAGE C VOLATILE STRICT PARALLEL SAFE ROWS 10 AS 'MODULE_PATHNAME', 'pg_nlp_activity_rows_sql';
COMMENT ON FUNCTION nlp.activity_rows() IS 'calls in progress, for nlp.activity';

CREATE FUNCTION nlp.model_counters(OUT relation oid, OUT calls bigint, OUT "rows" bigint, OUT forward_passes bigint,
	OUT prompt_tokens bigint, OUT tokens bigint, OUT loads bigint, OUT seconds double precision,
	OUT since timestamptz, OUT shipped text) RETURNS SETOF record
	LANGUAGE C VOLATILE STRICT PARALLEL SAFE ROWS 10 AS 'MODULE_PATHNAME', 'pg_nlp_model_counters';
COMMENT ON FUNCTION nlp.model_counters() IS 'figures of models, for nlp.model_stats';

CREATE FUNCTION nlp.reset_model_stats() RETURNS void
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pg_nlp_reset_model_stats';
COMMENT ON FUNCTION nlp.reset_model_stats() IS 'start nlp.model_stats from zero, for the whole server';
REVOKE EXECUTE ON FUNCTION nlp.reset_model_stats() FROM PUBLIC;

CREATE VIEW nlp.models AS
	SELECT m.name, m.tasks, m.architecture, m.parameters, m.bytes, m.sha256, m.source,
		pg_catalog.pg_get_userbyid(c.relowner) AS owner,
		EXISTS (SELECT FROM nlp.resident_images() r
				WHERE r.relation OPERATOR(pg_catalog.=) c.oid AND r.sha256 OPERATOR(pg_catalog.=) m.sha256
					AND r.state OPERATOR(pg_catalog.=) 'ready') AS resident,
		m.created, m.data, m.card
	FROM nlp.model m JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) m.data::pg_catalog.oid
	UNION ALL
	SELECT s.name COLLATE pg_catalog."C", s.tasks, s.architecture, s.parameters, s.bytes, s.sha256,
		'shipped: ' OPERATOR(pg_catalog.||) s.file, NULL::pg_catalog.name,
		EXISTS (SELECT FROM nlp.resident_images() r
				WHERE r.relation OPERATOR(pg_catalog.=) 0::pg_catalog.oid AND r.sha256 OPERATOR(pg_catalog.=) s.sha256
					AND r.state OPERATOR(pg_catalog.=) 'ready'),
		NULL::pg_catalog.timestamptz, NULL::pg_catalog.regclass, NULL::pg_catalog.jsonb
	FROM nlp.shipped_models() s
	WHERE NOT EXISTS (SELECT FROM nlp.model m WHERE m.name OPERATOR(pg_catalog.=) s.name);
COMMENT ON VIEW nlp.models IS
	'models of this database, and those shipped with the extension (data is NULL; everybody may use them); GRANT SELECT on data lets a role use one';
GRANT SELECT ON nlp.models TO PUBLIC;

CREATE VIEW nlp.resident_models AS
	SELECT COALESCE(m.name, s.name COLLATE pg_catalog."C") AS name, r.state, r.bytes, r.pins, r.allocator, r.loaded,
		r.loaded_bytes, r.sha256, r.relation
	FROM nlp.resident_images() r LEFT JOIN nlp.model m
		ON m.data::pg_catalog.oid OPERATOR(pg_catalog.=) r.relation AND m.sha256 OPERATOR(pg_catalog.=) r.sha256
	LEFT JOIN nlp.shipped_models() s
		ON r.relation OPERATOR(pg_catalog.=) 0::pg_catalog.oid AND s.sha256 OPERATOR(pg_catalog.=) r.sha256;
COMMENT ON VIEW nlp.resident_models IS 'models in shared memory; name is NULL for an old version that a call still reads';
GRANT SELECT ON nlp.resident_models TO PUBLIC;

CREATE VIEW nlp.activity AS
	SELECT a.pid, pg_catalog.pg_get_userbyid(a.role) AS role, a.model, a.verb, a.phase, a.tokens, a."rows", a.since
	FROM nlp.activity_rows() a;
COMMENT ON VIEW nlp.activity IS 'calls in progress: own ones, and all for pg_read_all_stats';
GRANT SELECT ON nlp.activity TO PUBLIC;

CREATE VIEW nlp.model_stats AS
	SELECT COALESCE(m.name, s.shipped COLLATE pg_catalog."C") AS model, s.calls, s."rows", s.forward_passes,
		s.prompt_tokens, s.tokens, s.loads, s.seconds, s.since
	FROM nlp.model_counters() s LEFT JOIN nlp.model m ON m.data::pg_catalog.oid OPERATOR(pg_catalog.=) s.relation
	WHERE m.name IS NOT NULL OR s.shipped IS NOT NULL;
COMMENT ON VIEW nlp.model_stats IS 'what models have done since the server''s start or nlp.reset_model_stats()';
GRANT SELECT ON nlp.model_stats TO PUBLIC;
