-- 55_training.sql --- training: checkpoints, the log, progress, the procedures.

-- A checkpoint's owner is its relation's. Written by the training procedures alone; queries
-- may tell of data, so that roles see their own, through nlp.checkpoints.
CREATE TABLE nlp.checkpoint (
	name text COLLATE pg_catalog."C" NOT NULL,
	data regclass NOT NULL,
	sha256 text NOT NULL,
	method text NOT NULL,
	query text NOT NULL,
	options jsonb NOT NULL,
	base text,
	vocabulary text NOT NULL,
	corpus text NOT NULL,
	"rows" bigint NOT NULL,
	words bigint NOT NULL,
	epoch int NOT NULL,
	epochs int NOT NULL,
	tokens_done bigint NOT NULL,
	tokens_total bigint NOT NULL,
	loss double precision,
	seconds double precision NOT NULL,
	started timestamptz NOT NULL,
	created timestamptz NOT NULL,
	CONSTRAINT checkpoint_pkey PRIMARY KEY (name)
);
COMMENT ON TABLE nlp.checkpoint IS 'trainings that have not ended, by the name of their model; seen through nlp.checkpoints';
COMMENT ON COLUMN nlp.checkpoint.base IS 'sha256 of the model that is updated';
COMMENT ON COLUMN nlp.checkpoint.vocabulary IS 'hash of the words and their counts';
COMMENT ON COLUMN nlp.checkpoint.corpus IS 'hash of the rows'' words in order';
SELECT pg_catalog.pg_extension_config_dump('nlp.checkpoint', '');

CREATE TABLE nlp.training_history (
	model text NOT NULL,
	method text NOT NULL,
	by_role name NOT NULL,
	started timestamptz NOT NULL,
	at timestamptz NOT NULL,
	epoch int NOT NULL,
	tokens bigint NOT NULL,
	loss double precision,
	alpha double precision NOT NULL,
	rate double precision NOT NULL
);
CREATE INDEX training_history_model ON nlp.training_history (model, started);
COMMENT ON TABLE nlp.training_history IS 'how trainings went, a row per checkpoint and end of an epoch; seen through nlp.training_log';
SELECT pg_catalog.pg_extension_config_dump('nlp.training_history', '');

CREATE VIEW nlp.training_log WITH (security_barrier) AS
	SELECT h.model, h.method, h.by_role, h.started, h.at, h.epoch, h.tokens, h.loss, h.alpha, h.rate
	FROM nlp.training_history h
	WHERE EXISTS (SELECT FROM pg_catalog.pg_roles r
			WHERE r.rolname OPERATOR(pg_catalog.=) h.by_role AND pg_catalog.pg_has_role(r.oid, 'USAGE'))
		OR pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE');
COMMENT ON VIEW nlp.training_log IS
	'how trainings went, a row per checkpoint and end of an epoch: own ones, and all for pg_read_all_stats; rate is in tokens a second';
GRANT SELECT ON nlp.training_log TO PUBLIC;

CREATE VIEW nlp.checkpoints WITH (security_barrier) AS
	SELECT p.name, p.method, p.query, p.options, p."rows", p.words, p.epoch, p.epochs, p.tokens_done, p.tokens_total, p.loss,
		p.seconds, p.started, p.created, pg_catalog.pg_get_userbyid(c.relowner) AS owner,
		pg_catalog.pg_relation_size(p.data) AS bytes, p.data
	FROM nlp.checkpoint p JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) p.data::pg_catalog.oid
	WHERE pg_catalog.pg_has_role(c.relowner, 'USAGE');
COMMENT ON VIEW nlp.checkpoints IS
	'trainings that were stopped, to be gone on with by {"resume": true} or removed by nlp.drop_checkpoint: own ones';
GRANT SELECT ON nlp.checkpoints TO PUBLIC;

CREATE FUNCTION nlp.drop_checkpoint(name text) RETURNS void
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pg_nlp_drop_checkpoint';
COMMENT ON FUNCTION nlp.drop_checkpoint(text) IS 'remove the checkpoint of a training that will not be gone on with; its owner only';

CREATE FUNCTION nlp.training_rows(OUT pid int, OUT role oid, OUT database oid, OUT model text, OUT method text, OUT phase text,
	OUT "rows" bigint, OUT words bigint, OUT epoch int, OUT epochs int, OUT tokens_done bigint, OUT tokens_total bigint,
	OUT rate double precision, OUT loss double precision, OUT alpha double precision, OUT started timestamptz,
	OUT seconds_left double precision) RETURNS SETOF record
	LANGUAGE C VOLATILE STRICT PARALLEL SAFE ROWS 10 AS 'MODULE_PATHNAME', 'pg_nlp_training_rows_sql';
COMMENT ON FUNCTION nlp.training_rows() IS 'trainings in progress, for nlp.training_progress';

CREATE VIEW nlp.training_progress AS
	SELECT t.pid, pg_catalog.pg_get_userbyid(t.role) AS role, d.datname AS database, t.model, t.method, t.phase, t."rows", t.words,
		t.epoch, t.epochs, t.tokens_done, t.tokens_total, t.rate, t.loss, t.alpha, t.started, t.seconds_left
	FROM nlp.training_rows() t LEFT JOIN pg_catalog.pg_database d ON d.oid OPERATOR(pg_catalog.=) t.database;
COMMENT ON VIEW nlp.training_progress IS
	'trainings in progress: own ones, and all for pg_read_all_stats; rate is in tokens a second, loss the mean over the last stretch';
GRANT SELECT ON nlp.training_progress TO PUBLIC;

CREATE PROCEDURE nlp.train_word2vec(name text, query text, options jsonb DEFAULT NULL)
	AS 'MODULE_PATHNAME', 'pg_nlp_train_word2vec' LANGUAGE C;
COMMENT ON PROCEDURE nlp.train_word2vec(text, text, jsonb) IS
	'train word vectors on the one column (text, or text[]: words as they are) of a query and store them as a model. Options: objective ("skip-gram", "cbow"), dim, window, negative, loss ("negative", "hierarchical", "softmax"), epochs, min_count, max_words, sample, alpha, min_alpha, seed, cbow_mean, exact, subwords (true, or {"min", "max", "buckets"}), segmenter ("words", "chinese", "plain"), lower, replace, resume, update, checkpoint_seconds, card, quiet';
