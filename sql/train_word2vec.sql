-- nlp.train_word2vec: options, queries, what is stored, resume and update, transactions, roles.
-- The text is made: two groups of words that keep to themselves.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pg_nlp;
SET client_min_messages = notice;
SET timezone = 'UTC';
\set VERBOSITY default

CREATE TABLE corpus AS
	SELECT i AS id, (SELECT string_agg((CASE WHEN i % 2 = 0 THEN ARRAY['cat', 'dog', 'cow', 'horse', 'sheep'] ELSE ARRAY['red', 'green', 'blue', 'yellow', 'black'] END)
		[1 + (hashint4(i * 100 + j) & 2147483647) % 5], ' ' ORDER BY j) FROM generate_series(1, 12) j) AS body
	FROM generate_series(1, 600) i;
CREATE VIEW trained AS SELECT * FROM nlp.models WHERE source = 'nlp.train_word2vec';
UPDATE corpus SET body = 'Cat ' || body WHERE id = 2;

---- options: unknown, of the wrong type, out of range, that do not go together
CALL nlp.train_word2vec('m', 'SELECT body FROM corpus', '{"dimension": 10}');
CALL nlp.train_word2vec('m', 'SELECT body FROM corpus', '[1]');
CALL nlp.train_word2vec('m', 'SELECT body FROM corpus', '{"dim": "many"}');
CALL nlp.train_word2vec('m', 'SELECT body FROM corpus', '{"dim": 0}');
CALL nlp.train_word2vec('m', 'SELECT body FROM corpus', '{"dim": 10.5}');
CALL nlp.train_word2vec('m', 'SELECT body FROM corpus', '{"objective": "glove"}');
CALL nlp.train_word2vec('m', 'SELECT body FROM corpus', '{"loss": "hinge"}');
CALL nlp.train_word2vec('m', 'SELECT body FROM corpus', '{"alpha": 0}');
CALL nlp.train_word2vec('m', 'SELECT body FROM corpus', '{"alpha": 0.01, "min_alpha": 0.02}');
CALL nlp.train_word2vec('m', 'SELECT body FROM corpus', '{"seed": 1.5}');
CALL nlp.train_word2vec('m', 'SELECT body FROM corpus', '{"seed": 9223372036854775808}');
CALL nlp.train_word2vec('m', 'SELECT body FROM corpus', '{"exact": "yes"}');
CALL nlp.train_word2vec('m', 'SELECT body FROM corpus', '{"subwords": {"min": 5, "max": 3}}');
CALL nlp.train_word2vec('m', 'SELECT body FROM corpus', '{"subwords": 3}');
CALL nlp.train_word2vec('m', 'SELECT body FROM corpus', '{"segmenter": "plain", "lower": true}');
CALL nlp.train_word2vec('m', 'SELECT body FROM corpus', '{"card": 1}');
CALL nlp.train_word2vec('m', 'SELECT body FROM corpus', '{"checkpoint_seconds": -1}');

---- names
CALL nlp.train_word2vec(NULL, 'SELECT body FROM corpus');
CALL nlp.train_word2vec('m', NULL);
CALL nlp.train_word2vec('a:b', 'SELECT body FROM corpus');
CALL nlp.train_word2vec('m', 'SELECT body FROM corpus', '{"update": true}');
CALL nlp.train_word2vec('m', 'SELECT body FROM corpus', '{"resume": true}');
SELECT nlp.drop_checkpoint('m');

---- queries
CALL nlp.train_word2vec('m', 'SELECT body FRM corpus');
CALL nlp.train_word2vec('m', 'SELECT nothing FROM corpus');
CALL nlp.train_word2vec('m', 'SELECT id, body FROM corpus');
CALL nlp.train_word2vec('m', 'SELECT id FROM corpus');
CALL nlp.train_word2vec('m', 'SELECT array_agg(id) FROM corpus');
CALL nlp.train_word2vec('m', '');
CALL nlp.train_word2vec('m', 'SELECT body FROM corpus; SELECT body FROM corpus');
CALL nlp.train_word2vec('m', 'SELECT body INTO other FROM corpus');
CALL nlp.train_word2vec('m', 'INSERT INTO corpus VALUES (1, ''x'') RETURNING body');
CALL nlp.train_word2vec('m', 'WITH d AS (DELETE FROM corpus RETURNING body) SELECT body FROM d');
CALL nlp.train_word2vec('m', 'SELECT body FROM corpus FOR UPDATE');
CREATE FUNCTION writes(t text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN INSERT INTO corpus VALUES (0, t); RETURN t; END $$;
CALL nlp.train_word2vec('m', 'SELECT writes(body) FROM corpus');
CALL nlp.train_word2vec('m', 'SELECT (1 / (id - 300))::text FROM corpus ORDER BY id');
CALL nlp.train_word2vec('m', 'SELECT body FROM corpus WHERE false');
CALL nlp.train_word2vec('m', 'SELECT NULL::text FROM corpus');
CALL nlp.train_word2vec('m', 'SELECT ''?! ...''::text FROM corpus');
CALL nlp.train_word2vec('m', 'SELECT body FROM corpus', '{"min_count": 100000}');
SELECT count(*) AS corpus FROM corpus;
SELECT count(*) AS models FROM trained;
SELECT count(*) AS running FROM nlp.training_progress;

---- training
CALL nlp.train_word2vec('m', 'SELECT body FROM corpus ORDER BY id', '{"dim": 16, "epochs": 3, "seed": 7, "quiet": true, "card": {"licence": "CC0"}}');
SELECT name, tasks, architecture, source, owner = current_user AS own, card - 'training' AS card FROM trained;
SELECT card #> '{training,options}' AS options FROM trained;
SELECT (card -> 'training') - '{options,seconds,loss}'::text[] AS training, (card #>> '{training,loss}')::float8 > 0 AS loss FROM trained;
SELECT model, method, by_role = current_user AS own, epoch, tokens > 0 AS tokens, loss > 0 AS loss, at >= started AS later FROM nlp.training_log;
SELECT count(*) AS left_over FROM nlp.checkpoints;
SELECT sha256 AS sha FROM trained \gset
-- words keep to their group, which so few are too many to be subsampled
CALL nlp.train_word2vec('groups', 'SELECT body FROM corpus ORDER BY id', '{"dim": 16, "epochs": 10, "sample": 0, "quiet": true}');
SELECT string_agg(word, ' ' ORDER BY word) AS near_cat FROM similar_words('cat', 4, 'groups');
SELECT string_agg(word, ' ' ORDER BY word) AS near_red FROM similar_words('red', 4, 'groups');
SELECT nlp.drop_model('groups');
-- "Cat" was lower-cased
SELECT sum(count) AS words, bool_and(count = (SELECT count(*) FROM corpus, regexp_split_to_table(lower(body), ' ') t WHERE t = word)) AS counted FROM nlp.words('m');
-- the same seed, the same bytes; another seed, others
CALL nlp.train_word2vec('m', 'SELECT body FROM corpus ORDER BY id', '{"dim": 16, "epochs": 3, "seed": 7, "quiet": true}');
CALL nlp.train_word2vec('m', 'SELECT body FROM corpus ORDER BY id', '{"dim": 16, "epochs": 3, "seed": 7, "quiet": true, "replace": true}');
SELECT sha256 = :'sha' AS same FROM trained;
CALL nlp.train_word2vec('m', 'SELECT body FROM corpus ORDER BY id', '{"dim": 16, "epochs": 3, "seed": 8, "quiet": true, "replace": true}');
SELECT sha256 = :'sha' AS same FROM trained;
-- words of arrays are taken as they are: the same as the text cut into them; nulls and empty ones are passed over
CALL nlp.train_word2vec('m', 'SELECT string_to_array(lower(body), '' '') || ARRAY[NULL, ''''] FROM corpus ORDER BY id', '{"dim": 16, "epochs": 3, "seed": 7, "quiet": true, "replace": true}');
SELECT sha256 = :'sha' AS same FROM trained;
CALL nlp.train_word2vec('m', 'SELECT CASE WHEN id % 2 = 0 THEN body END::varchar FROM corpus ORDER BY id', '{"dim": 8, "epochs": 1, "min_count": 1, "lower": false, "segmenter": "plain", "quiet": true, "replace": true}');
SELECT card #> '{training,rows}' AS "rows", card #> '{training,vocabulary}' AS words FROM trained;
-- every objective and loss
DO $$
DECLARE o text; l text; e text;
BEGIN
	FOREACH o IN ARRAY ARRAY['skip-gram', 'cbow'] LOOP
		FOREACH l IN ARRAY ARRAY['negative', 'hierarchical', 'softmax'] LOOP
			CALL nlp.train_word2vec('m', 'SELECT body FROM corpus ORDER BY id', jsonb_build_object('objective', o, 'loss', l, 'dim', 8, 'epochs', 1, 'quiet', true, 'replace', true));
			RAISE NOTICE '% %: %', o, l, (SELECT card #>> '{training,options,window}' FROM trained);
		END LOOP;
	END LOOP;
END $$;
CALL nlp.train_word2vec('m', 'SELECT body FROM corpus ORDER BY id', '{"subwords": {"min": 2, "max": 4, "buckets": 1000}, "dim": 8, "epochs": 1, "quiet": true, "replace": true}');
SELECT card #> '{training,options,subwords}' AS subwords FROM trained;
-- Chinese: cut by the loaded segmenter, or a character at a time
CREATE TABLE zh AS SELECT i AS id, CASE i % 2 WHEN 0 THEN '我在北京上学，她在上海工作。' ELSE '北京和上海是大城市。' END AS body FROM generate_series(1, 40) i;
CALL nlp.train_word2vec('zh', 'SELECT body FROM zh ORDER BY id', '{"segmenter": "chinese", "dim": 4, "epochs": 1, "quiet": true}');
SELECT word, count FROM nlp.words('zh') WHERE word IN ('北京', '上海', '北', '大城市', '城市', '，') ORDER BY word COLLATE "C";
CALL nlp.train_word2vec('zh', 'SELECT body FROM zh ORDER BY id', '{"dim": 4, "epochs": 1, "quiet": true, "replace": true}');
SELECT word, count FROM nlp.words('zh') WHERE word IN ('北京', '上海', '北', '，') ORDER BY word COLLATE "C";
CALL nlp.train_word2vec('zh', 'SELECT body FROM zh ORDER BY id', '{"update": true, "segmenter": "chinese"}');
SELECT nlp.drop_model('zh');
DROP TABLE zh;

---- update: more rows for a model that is there
CALL nlp.train_word2vec('m', 'SELECT body FROM corpus ORDER BY id', '{"dim": 16, "epochs": 2, "seed": 7, "negative": 7, "quiet": true, "replace": true}');
CREATE TABLE more AS SELECT id, replace(replace(body, 'cat', 'goat'), 'red', 'violet') AS body FROM corpus;
CALL nlp.train_word2vec('m', 'SELECT body FROM more ORDER BY id', '{"update": true, "dim": 32}');
CALL nlp.train_word2vec('m', 'SELECT body FROM more ORDER BY id', '{"update": true, "loss": "softmax"}');
CALL nlp.train_word2vec('m', 'SELECT body FROM more ORDER BY id', '{"update": true, "dim": 16, "epochs": 1, "quiet": true}');
SELECT word, rank > 10 AS after_the_old, count = (SELECT count(*) FROM (SELECT body FROM corpus UNION ALL SELECT body FROM more) b, regexp_split_to_table(lower(body), ' ') t WHERE t = word) AS counted
	FROM nlp.words('m') ORDER BY word COLLATE "C";
SELECT card #> '{training,vocabulary}' AS words, card #> '{training,options,negative}' AS negative, card #> '{training,options,epochs}' AS epochs FROM trained;
CALL nlp.train_word2vec('m', 'SELECT ''unheard of''::text', '{"update": true, "quiet": true}');

---- transactions
BEGIN;
CALL nlp.train_word2vec('in_block', 'SELECT body FROM corpus ORDER BY id', '{"min_count": 100000}');
ROLLBACK;
\set VERBOSITY terse
BEGIN;
CREATE TEMP TABLE mine AS SELECT * FROM corpus;
DO $$ BEGIN
	CALL nlp.train_word2vec('in_do', 'SELECT body FROM mine ORDER BY id', '{"dim": 8, "epochs": 1, "quiet": true}');
	BEGIN
		CALL nlp.train_word2vec('in_do', 'SELECT body FROM mine ORDER BY id', '{"dim": 8, "epochs": 1, "quiet": true}');
	EXCEPTION WHEN duplicate_object THEN RAISE NOTICE 'caught: %', SQLERRM;
	END;
END $$;
COMMIT;
DO $$ BEGIN
	CREATE TEMP TABLE mine2 AS SELECT * FROM corpus;
	CALL nlp.train_word2vec('committing', 'SELECT body FROM mine2 ORDER BY id', '{"dim": 8, "epochs": 1, "quiet": true}');
	ROLLBACK;
END $$;
SELECT count(*) AS committed_before_training FROM mine2;
DO $$ BEGIN
	CALL nlp.train_word2vec('caught', 'SELECT body FROM corpus', '{"dim": 8, "epochs": 1, "min_count": 100000, "quiet": true}');
EXCEPTION WHEN invalid_parameter_value THEN
	RAISE NOTICE 'caught: %', SQLERRM;
	CALL nlp.train_word2vec('caught', 'SELECT body FROM corpus', '{"dim": 8, "epochs": 1, "quiet": true}');
END $$;
BEGIN READ ONLY;
CALL nlp.train_word2vec('x', 'SELECT body FROM corpus');
ROLLBACK;
BEGIN ISOLATION LEVEL REPEATABLE READ;
CALL nlp.train_word2vec('rr', 'SELECT body FROM corpus', '{"dim": 8, "epochs": 1, "quiet": true}');
COMMIT;
SELECT name FROM trained ORDER BY name;
SET transaction_read_only = off;	-- reading left nothing behind
SHOW transaction_read_only;
SHOW synchronize_seqscans;

---- roles
CREATE ROLE regress_nlp_trainer;
CREATE ROLE regress_nlp_other;
GRANT SELECT ON corpus TO regress_nlp_trainer;
SET ROLE regress_nlp_other;
CALL nlp.train_word2vec('x', 'SELECT body FROM corpus');
SET ROLE regress_nlp_trainer;
CALL nlp.train_word2vec('theirs', 'SELECT body FROM corpus', '{"dim": 8, "epochs": 1, "quiet": true}');
SELECT owner FROM nlp.models WHERE name = 'theirs';
CALL nlp.train_word2vec('m', 'SELECT body FROM corpus', '{"replace": true}');
CALL nlp.train_word2vec('m', 'SELECT body FROM corpus', '{"update": true}');
SELECT DISTINCT model FROM nlp.training_log;
SELECT count(*) FROM nlp.checkpoint;
SELECT count(*) FROM nlp.training_history;
SET ROLE regress_nlp_other;
SELECT count(*) FROM nlp.training_log;
RESET ROLE;
GRANT pg_read_all_stats TO regress_nlp_other;
SET ROLE regress_nlp_other;
SELECT count(*) > 0 AS sees FROM nlp.training_log;
RESET ROLE;

---- nothing is left
SELECT count(*) AS running FROM nlp.training_progress;
SELECT count(*) AS running FROM nlp.activity WHERE verb LIKE '%train%';
SELECT count(*) AS locks FROM pg_locks WHERE locktype = 'object' AND classid = 'nlp.checkpoint'::regclass;
SELECT count(*) AS dropped FROM (SELECT nlp.drop_model(name) FROM trained OFFSET 0) d;
DROP VIEW trained;
DROP TABLE corpus, more;
DROP FUNCTION writes(text);
DROP ROLE regress_nlp_trainer, regress_nlp_other;
