-- vectors.sql --- word vectors trained here, and what can be asked of them. Run from the repository's root:
--   .server/psql -f examples/vectors.sql
-- Texts: Wikipedia, CC BY-SA 3.0; see examples/data/README.md.
\set ON_ERROR_STOP on
\pset footer off
SET client_min_messages = warning;	-- no word about a table that is there
CREATE TABLE IF NOT EXISTS encyclopedia (
	id		int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	title	text NOT NULL,
	lang	text NOT NULL,
	source	text NOT NULL UNIQUE,
	body	text NOT NULL
);
RESET client_min_messages;
CREATE TEMP TABLE encyclopedia_in (title text, lang text, source text, body text);
\copy encyclopedia_in FROM PROGRAM 'gzip -dc examples/data/encyclopedia.tsv.gz' WITH (FORMAT csv, DELIMITER E'\t', QUOTE E'\b', HEADER)
INSERT INTO encyclopedia (title, lang, source, body)
	SELECT title, lang, source, body FROM encyclopedia_in ON CONFLICT (source) DO NOTHING;
DROP TABLE encyclopedia_in;

\echo
\echo '-- Word vectors from 788 articles, two million words'
\timing on
\set ECHO queries
CALL nlp.train_word2vec('wiki', $$SELECT body FROM encyclopedia WHERE lang = 'en'$$,
                        '{"dim": 100, "epochs": 15, "seed": 1, "replace": true}');
\timing off

\echo
\echo '-- Which words are near'
SELECT word, round(similarity::numeric, 2) AS similarity FROM similar_words('physics', 6, 'wiki');

\echo
\echo '-- Paris is to France as what is to each of these?'
SELECT country, string_agg(format('%s (%s)', word, round(similarity::numeric, 2)), ', ' ORDER BY similarity DESC) AS answers
	FROM unnest('{germany,england,spain,portugal,sweden,russia,japan}'::text[]) country,
	     LATERAL analogy('france', 'paris', country, 3, 'wiki')
	GROUP BY country ORDER BY country;

\echo
\echo '-- Man is to king as woman is to what?'
SELECT word, round(similarity::numeric, 2) AS similarity FROM analogy('man', 'king', 'woman', 3, 'wiki');

\echo
\echo '-- Which word does not belong'
SELECT odd_one_out('{island,sea,ocean,coast,emperor}', 'wiki') AS odd,
       odd_one_out('{king,queen,prince,carbon}', 'wiki') AS odd_too;

\echo
\echo '-- Articles near a question: the mean of the words'' vectors, exact search in an index'
SET client_min_messages = warning;
DROP TABLE IF EXISTS encyclopedia_vector;
RESET client_min_messages;
CREATE TABLE encyclopedia_vector AS
	SELECT id, phrase_vector(left(body, 2000), 'wiki')::embedding(100) AS e FROM encyclopedia WHERE lang = 'en';
CREATE INDEX ON encyclopedia_vector USING nlp_flat (e embedding_cosine_ops);
SELECT a.title, round((v.e <=> phrase_vector('islands and the sea', 'wiki'))::numeric, 3) AS distance
	FROM encyclopedia_vector v JOIN encyclopedia a USING (id)
	ORDER BY v.e <=> phrase_vector('islands and the sea', 'wiki') LIMIT 5;

\echo
\echo '-- Chinese: cut into words by the dictionary that comes with the extension'
SELECT segment('数学是利用符号语言研究数量、结构、变化以及空间等概念的一门学科');
CALL nlp.train_word2vec('wiki_zh', $$SELECT body FROM encyclopedia WHERE lang = 'zh'$$,
                        '{"segmenter": "chinese", "dim": 100, "epochs": 30, "min_count": 3, "seed": 1, "replace": true}');
SELECT word, round(similarity::numeric, 2) AS similarity FROM similar_words('数学', 6, 'wiki_zh');
\set ECHO none
