-- Asking word vectors: answers equal gensim's, unknown words, NULLs, filters, plans, labels, rights.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pg_nlp;
RESET client_min_messages;
-- a CBOW model and what gensim answers, made by test/golden/make_words.py
\getenv srcdir PG_ABS_SRCDIR
\set model :srcdir '/test/golden/words/model.gguf'
\set expected :srcdir '/test/golden/words/expected.tsv'
\set questions :srcdir '/test/golden/words/questions.txt'
\set pairs :srcdir '/test/golden/words/pairs.tsv'
SELECT nlp.load_model('wq', :'model');
SET pg_nlp.word_vectors_model = 'wq';
CREATE TEMP TABLE golden (line text);
COPY golden FROM :'expected' (DELIMITER E'\x01', QUOTE E'\x02', FORMAT csv);
CREATE TEMP VIEW g AS SELECT string_to_array(line, E'\t') AS c FROM golden;
-- word, score, word, score, ... as rows
CREATE FUNCTION pg_temp.ranked(c text[], first int) RETURNS TABLE (word text, score float8, place bigint) LANGUAGE sql AS
	$$ SELECT c[i], c[i + 1]::float8, (i - first) / 2 + 1 FROM generate_series(first, cardinality(c) - 1, 2) i $$;

---- as gensim answers
SELECT count(*), count(*) FILTER (WHERE abs(c[4]::float8 - word2vec_similarity(c[2], c[3])) < 1e-6) AS equal FROM g WHERE c[1] = 'similarity';
SELECT count(*), bool_and(a.word = e.word) AS same_order, max(abs(a.similarity - e.score)) < 1e-6 AS same_scores FROM g,
	pg_temp.ranked(c, 3) e, similar_words(c[2], 10) WITH ORDINALITY a(word, similarity, place) WHERE c[1] = 'similar' AND a.place = e.place;
SELECT count(*), bool_and(a.word = e.word) AS same_order, max(abs(a.similarity - e.score)) < 1e-6 AS same_scores FROM g,
	pg_temp.ranked(c, 3) e, similar_words(c[2], 10, options => '{"top": 300}') WITH ORDINALITY a(word, similarity, place)
	WHERE c[1] = 'restricted' AND a.place = e.place;
SELECT count(*), bool_and(a.word = e.word) AS same_order, max(abs(a.similarity - e.score)) < 1e-6 AS same_scores FROM g,
	pg_temp.ranked(c, 5) e, analogy(c[2], c[3], c[4], 5) WITH ORDINALITY a(word, similarity, place) WHERE c[1] = 'analogy' AND a.place = e.place;
SELECT count(*), count(*) FILTER (WHERE odd_one_out(c[2:cardinality(c) - 1]) = c[cardinality(c)]) AS equal FROM g WHERE c[1] = 'odd';
SELECT count(*), bool_and(a.word = e.word) AS same_order, max(abs(a.probability - e.score)) < 1e-5 AS same_scores FROM g,
	pg_temp.ranked(c, 3) e, predict_word(string_to_array(c[2], ' '), 10) WITH ORDINALITY a(word, probability, place)
	WHERE c[1] = 'predict' AND a.place = e.place;
SELECT count(*), bool_and(a.word = e.word) AS same_order, max(abs(a.probability - e.score)) < 1e-5 AS same_scores FROM g,
	pg_temp.ranked(c, 3) e, context_words(c[2], 10) WITH ORDINALITY a(word, probability, place) WHERE c[1] = 'context' AND a.place = e.place;
SELECT count(*), count(*) FILTER (WHERE phrase_vector(c[2]) <-> ('[' || array_to_string(c[3:], ',') || ']')::embedding < 1e-5) AS equal FROM g WHERE c[1] = 'phrase';
-- analogies: a section's row per case rule, correct and asked
SELECT g.c[2] = '1' AS fold_case, count(*), count(*) FILTER (WHERE e.correct = g.c[4]::int AND e.total = g.c[5]::int) AS equal
	FROM g, LATERAL nlp.evaluate_word_vectors('wq', 'analogies', pg_read_file(:'questions'), 1000, g.c[2] = '1') e
	WHERE g.c[1] = 'analogies' AND coalesce(e.section, CASE e.kind WHEN 'total' THEN 'Total accuracy' END) = g.c[3] GROUP BY 1 ORDER BY 1;
SELECT section, kind, correct <= total AS fits, total + skipped AS lines, round(accuracy::numeric, 3) = round(correct::numeric / nullif(total, 0), 3) AS right, spearman
	FROM nlp.evaluate_word_vectors('wq', 'analogies', pg_read_file(:'questions'), 1000, true);
SELECT g.c[2] = '1' AS fold_case, e.section, e.kind, e.correct, e.total = g.c[4]::int AS pairs, e.total + e.skipped = g.c[3]::int AS lines, e.accuracy,
	abs(e.spearman - g.c[5]::float8) < 1e-6 AS spearman, abs(e.pearson - g.c[6]::float8) < 1e-6 AS pearson
	FROM g, LATERAL nlp.evaluate_word_vectors('wq', 'similarity', pg_read_file(:'pairs'), fold_case => g.c[2] = '1') e WHERE g.c[1] = 'pairs' ORDER BY 1;
-- the same from a table's rows
SELECT count(*) AS different FROM (
	(SELECT * FROM nlp.evaluate_word_vectors('wq', 'analogies', pg_read_file(:'questions'), 0)
	 EXCEPT SELECT * FROM nlp.evaluate_word_vectors('wq', 'analogies', string_to_array(pg_read_file(:'questions'), E'\n'), 0))) s;
-- principal components of the same words, both in and out in one order
SELECT count(*), max(abs(abs(p.x) - abs(e.x))) < 1e-4 AS same_x, max(abs(abs(p.y) - abs(e.y))) < 1e-4 AS same_y FROM
	(SELECT string_to_array(a.c[3], ' ')::int[] AS ids, a.c[5:]::real[] AS x, b.c[5:]::real[] AS y FROM g a JOIN g b ON b.c[3] = a.c[3] AND b.c[1] = 'pca'
	 AND a.c[1] = 'pca' AND a.c[2] = '0' AND b.c[2] = '1') s,
	LATERAL nlp.project('wq', (SELECT array_agg(w.word ORDER BY o) FROM unnest(ids) WITH ORDINALITY i(id, o) JOIN nlp.words() w ON w.rank = i.id + 1)) WITH ORDINALITY p(word, x, y, place),
	LATERAL (SELECT s.x[p.place] AS x, s.y[p.place] AS y) e;

---- one word
SELECT vector_dims(word_vector('king')), round(vector_norm(word_vector('king', options => '{"normalize": true}'))::numeric, 5) AS length,
	round((word_vector('king') <=> word_vector('queen'))::numeric, 5) = round((1 - word2vec_similarity('king', 'queen'))::numeric, 5) AS as_the_operator,
	word2vec_similarity('king', 'king');
SELECT word_vector('notaword') IS NULL AS unknown, word_vector('') IS NULL AS empty, word_vector(repeat('x', 5000)) IS NULL AS long, word_vector('KING') IS NULL AS other_case;
SELECT word2vec_similarity('king', 'notaword'), word2vec_similarity('notaword', 'king'), word2vec_similarity('', '');
SELECT (one_hot('the')).*, (one_hot('notaword')).*;
SELECT * FROM one_hot('notaword');
SELECT rank, count > 0 AS counted, word FROM nlp.words() LIMIT 3;
SELECT count(*), count(DISTINCT word), min(rank), max(rank), bool_and((one_hot(word)).index = rank) AS one_hot FROM nlp.words('wq');
SELECT (nlp.words('wq')).word LIMIT 2;

---- sets: unknown words give no rows; the words asked with are no answers
SELECT count(*) FROM similar_words('notaword');
SELECT count(*) FROM similar_words('');
SELECT count(*) FROM analogy('king', 'notaword', 'queen');
SELECT count(*) FROM predict_word('{notaword}');
SELECT count(*) FROM predict_word('{}');
SELECT count(*) FROM context_words('notaword');
SELECT count(*) FROM nlp.project('wq', '{notaword}');
SELECT count(*), count(*) FILTER (WHERE word = 'king') FROM similar_words('king');
SELECT word = 'king' AS itself_first, round(similarity::numeric, 4) AS similarity FROM similar_words(word_vector('king'), 1);
SELECT count(*) FROM similar_words(word_vector('king') - word_vector('king'));
SELECT count(*) FROM similar_words('king', 10000);
SELECT count(*) FROM similar_words(word_vector('king'), 10000);
SELECT count(*) FILTER (WHERE word IN ('king', 'queen', 'man')) FROM analogy('king', 'queen', 'man', 10000);
SELECT round(sum(probability)::numeric, 3) FROM context_words('king', 1500);
-- the odd one needs three known words; NULLs and unknown words are left out
SELECT odd_one_out('{one,two,notaword}'), odd_one_out('{}'), odd_one_out(NULL), odd_one_out('{one,NULL,two,notaword,three,computer}');

---- NULL in, NULL out
SELECT word_vector(NULL), word2vec_similarity(NULL, 'king'), word2vec_similarity('king', NULL), phrase_vector(NULL), one_hot(NULL);
SELECT count(*) FROM similar_words(NULL::text);
SELECT count(*) FROM similar_words(NULL::embedding);
SELECT count(*) FROM similar_words('king', NULL);
SELECT count(*) FROM analogy(NULL, 'king', 'queen');
SELECT count(*) FROM predict_word(NULL);
SELECT count(*) FROM nlp.project('wq', NULL);
SELECT count(*) FROM nlp.evaluate_word_vectors('wq', 'analogies', NULL::text);
SELECT count(*) FROM nlp.evaluate_word_vectors('wq', NULL, 'x');

---- filters: k answers that pass, not what is left of k
SELECT count(*), bool_and(w.rank <= 200) FROM similar_words('king', 20, options => '{"top": 200}') s JOIN nlp.words() w USING (word);
SELECT count(*) > 0 AS some, min(similarity) >= 0.5 AS near FROM similar_words('king', 1500, options => '{"min_similarity": 0.5}');
SELECT count(*) = (SELECT count(*) FROM nlp.words() w WHERE w.count >= 2000 AND w.word <> 'king') AS all_of_them, min(w.count) >= 2000 AS frequent
	FROM similar_words('king', 1500, options => '{"min_count": 2000}') s JOIN nlp.words() w USING (word);
SELECT array_agg(word ORDER BY similarity DESC) = (SELECT array_agg(word ORDER BY similarity DESC) FROM (SELECT * FROM similar_words('king', 1500)) s
	WHERE word LIKE 'c%' AND word NOT IN ('church', 'christ', 'city')) AS all_of_them
	FROM similar_words('king', 1500, options => '{"pattern": "c%", "exclude": ["church", "christ", "city", "notaword", ""]}');
SELECT count(*), bool_and(word LIKE '%e_') FROM similar_words('king', 7, options => '{"pattern": "%e_"}');
SELECT count(*), bool_and(word ~ '^[a-d]') FROM analogy('king', 'queen', 'man', 5, options => '{"pattern": "c%"}');
SELECT count(*) FROM similar_words('king', options => '{"pattern": "100\\%"}');
-- LIKE itself says the same of every word
SELECT p, (SELECT count(*) FROM similar_words(word_vector('king'), 10000, options => jsonb_build_object('pattern', p))) =
	(SELECT count(*) FROM nlp.words() WHERE word LIKE p) AS same
	FROM unnest('{%,_,__,a%,%a,%a%,%a%e%,_a%,%a_,a_b%,%%,a,king,k\\ing,\\%,%\\_%,%in%in%,%n_t%i_n,""}'::text[]) p WHERE p <> '';
SELECT count(*) FROM similar_words('king', options => '{"pattern": "x\\"}');
SELECT count(*) FROM similar_words('king', options => '{"top": 0}');
SELECT count(*) FROM similar_words('king', options => '{"min_similarity": 2}');
SELECT count(*) FROM similar_words('king', options => '{"exclude": "queen"}');
SELECT count(*) FROM similar_words('king', options => '{"exclude": [1]}');
SELECT count(*) FROM similar_words('king', options => '{"restrict": 1}');
SELECT word_vector('king', options => '{"top": 1}');
SELECT phrase_vector('king', options => '{"weighting": "tfidf"}');
SELECT word_vector('king', 'wq', '[]');
-- no option needs quotes
SELECT count(*) FROM similar_words('king', options => to_jsonb((SELECT o FROM
	(SELECT top, min_similarity, min_count, exclude, pattern FROM (VALUES (1000, 0.1, 10, array['x'], '%')) v(top, min_similarity, min_count, exclude, pattern)) o)));
SELECT phrase_vector('king', options => to_jsonb((SELECT o FROM
	(SELECT weighting, normalize, keep_case, segmenter FROM (VALUES ('mean', true, true, NULL)) v(weighting, normalize, keep_case, segmenter)) o))) IS NOT NULL AS vector;
SELECT word_vector('king', options => to_jsonb((SELECT o FROM (SELECT normalize, subwords FROM (VALUES (true, true)) v(normalize, subwords)) o))) IS NOT NULL AS vector;

---- other errors
SELECT count(*) FROM similar_words('king', 0);
SELECT count(*) FROM similar_words('king', 10001);
SELECT count(*) FROM similar_words('[1,2,3]'::embedding);
SELECT count(*) FROM nlp.evaluate_word_vectors('wq', 'both', 'x');
SELECT count(*) FROM nlp.evaluate_word_vectors('wq', 'similarity', 'x', 10);
SELECT count(*) FROM nlp.evaluate_word_vectors('wq', 'analogies', 'x', -1);
SELECT count(*) FROM nlp.evaluate_word_vectors('wq', 'analogies', E': s\na b c d\na b c\n');
SELECT count(*) FROM nlp.project('wq', '{king}', 'tsne');
SELECT word_vector('king', 'wq_no_such');
SELECT word_vector('king', '');
\set tiny :srcdir '/test/fixtures/tiny_llama.gguf'
SELECT nlp.load_model('wq_tiny', :'tiny');
SELECT word_vector('king', 'wq_tiny');
SELECT generate('x', 'wq');
SELECT nlp.export_model('wq_tiny', 'text');
SELECT nlp.drop_model('wq_tiny');
-- vectors alone have no output rows and no counts
SELECT nlp.load_model('wq_plain', convert_to(E'king 1 0\nqueen 1 1\nman 0 0\n', 'UTF8'));
SELECT * FROM predict_word('{king}', 1, 'wq_plain');
SELECT * FROM context_words('king', 1, 'wq_plain');
SELECT * FROM similar_words('king', 1, 'wq_plain', '{"min_count": 5}');
SELECT word2vec_similarity('king', 'man', 'wq_plain'), word_vector('man', 'wq_plain', '{"normalize": true}'),
	(SELECT count(*) FROM similar_words('man', 5, 'wq_plain')) AS near_zero;
SELECT * FROM nlp.words('wq_plain');
SELECT * FROM nlp.project('wq_plain', '{king}');

---- phrases
SELECT phrase_vector('The King, the QUEEN!') = phrase_vector('the king the queen') AS lower_case, phrase_vector('KING', options => '{"keep_case": true}') IS NULL AS as_written,
	phrase_vector('') IS NULL AS empty, phrase_vector('notaword') IS NULL AS unknown,
	phrase_vector('king notaword', options => '{"weighting": "mean"}') = word_vector('king') AS unknown_left_out,
	round(vector_norm(phrase_vector('king queen', options => '{"normalize": true}'))::numeric, 4) AS length;
SELECT l2_distance(phrase_vector('king queen', options => '{"weighting": "mean"}'),
	(SELECT avg(word_vector(w)) FROM unnest('{king,queen}'::text[]) w)) < 1e-6 AS mean;

---- plans: a parallel scan answers the same; constant arguments in FROM run once
CREATE TABLE wq_words AS SELECT word, lead(word) OVER (ORDER BY rank) AS next FROM nlp.words('wq'), generate_series(1, 20);
ANALYZE wq_words;
SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET max_parallel_workers_per_gather = 2;
EXPLAIN (COSTS OFF) SELECT sum(word2vec_similarity(word, next)::numeric) FROM wq_words;
SELECT sum(word2vec_similarity(word, next)::numeric) AS parallel_sum, count(word_vector(word, 'wq')) AS known FROM wq_words \gset
SET max_parallel_workers_per_gather = 0;
SELECT sum(word2vec_similarity(word, next)::numeric) = :parallel_sum AS same_sum, count(word_vector(word, 'wq')) = :known AS same_count FROM wq_words;
RESET parallel_setup_cost; RESET parallel_tuple_cost; RESET min_parallel_table_scan_size; RESET max_parallel_workers_per_gather;
DROP TABLE wq_words;
-- a row a statement, then many rows of one
SELECT nlp.reset_model_stats();
SELECT count(word_vector(word)) FROM nlp.words('wq');
SELECT calls, "rows" FROM nlp.model_stats WHERE model = 'wq';
-- it joins with the operators of embeddings
SELECT a.word FROM nlp.words('wq') a ORDER BY word_vector(a.word) <=> word_vector('king'), 1 LIMIT 1;

---- a model of this transaction, replaced in it; savepoints; PL/pgSQL keeps expressions
BEGIN;
SELECT word_vector('king', 'wq_plain');
SELECT nlp.load_model('wq_plain', convert_to(E'king 5 5\n', 'UTF8'), '{"replace": true}');
SELECT word_vector('king', 'wq_plain');
SAVEPOINT s;
SELECT nlp.load_model('wq_plain', convert_to(E'king 6 6\n', 'UTF8'), '{"replace": true}');
SELECT word_vector('king', 'wq_plain');
ROLLBACK TO s;
SELECT word_vector('king', 'wq_plain');
ROLLBACK;
SELECT word_vector('king', 'wq_plain');
DO $$
DECLARE
	v text := '';
BEGIN
	FOR i IN 1..3 LOOP
		PERFORM nlp.load_model('wq_plain', convert_to(format(E'king %s 7\n', i), 'UTF8'), '{"replace": true}');
		FOR j IN 1..2 LOOP
			v := v || ' ' || word_vector('king', 'wq_plain')::text;
		END LOOP;
	END LOOP;
	RAISE NOTICE '%', v;
END $$;
DO $$
DECLARE
	v text := ''; m text;
BEGIN
	FOREACH m IN ARRAY '{wq,wq_none,wq,wq_plain,wq_none,wq_none,wq}'::text[] LOOP
		BEGIN
			v := v || ' ' || vector_dims(word_vector('king', m));
		EXCEPTION WHEN undefined_object THEN
			v := v || ' none';
		END;
	END LOOP;
	RAISE NOTICE '%', v;
END $$;
-- nothing stays pinned
SELECT pins FROM nlp.resident_models WHERE name LIKE 'wq%' AND pins > 0;

---- rights: SELECT on the model's relation, for the effective role, in every row
CREATE ROLE regress_wq_user;
CREATE ROLE regress_wq_other;
SELECT data AS wq_data FROM nlp.models WHERE name = 'wq' \gset
GRANT SELECT ON :wq_data TO regress_wq_user;
SET ROLE regress_wq_user;
SELECT word_vector('king') IS NOT NULL AS allowed, (SELECT count(*) FROM similar_words('king', 3)) AS rows;
SET ROLE regress_wq_other;
SELECT word_vector('king');
SELECT * FROM similar_words('king', 3);
SELECT * FROM nlp.words('wq');
SELECT * FROM nlp.export_model('wq', 'text');
SELECT phrase_vector('king');
RESET ROLE;
-- a call that is open does not carry one role's right to another
CREATE FUNCTION regress_wq_as_owner(word text) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER STABLE AS
	$$ BEGIN RETURN word_vector(word, 'wq') IS NOT NULL; END $$;
GRANT EXECUTE ON FUNCTION regress_wq_as_owner(text) TO regress_wq_other;
SET ROLE regress_wq_other;
SELECT regress_wq_as_owner('king');
SELECT regress_wq_as_owner('king'), word_vector('king', 'wq');
RESET ROLE;
DROP FUNCTION regress_wq_as_owner(text);
REVOKE SELECT ON :wq_data FROM regress_wq_user;
DROP ROLE regress_wq_user;
DROP ROLE regress_wq_other;

---- labels
SELECT p.proname, pg_get_function_identity_arguments(p.oid) AS arguments, p.provolatile, p.proparallel, p.proisstrict, p.procost, p.prorows
	FROM pg_proc p JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'pg_nlp'
	WHERE p.proname IN ('word_vector', 'word2vec_similarity', 'phrase_vector', 'similar_words', 'analogy', 'odd_one_out', 'predict_word', 'context_words',
		'one_hot', 'words', 'evaluate_word_vectors', 'project', 'export_model') ORDER BY 1, 2;
-- an embedding's output for people: without a name, a text literal is a word
SELECT pg_typeof(similarity), pg_typeof(word) FROM similar_words('king', 1);
RESET pg_nlp.word_vectors_model;
SELECT nlp.drop_model('wq'), nlp.drop_model('wq_plain');
