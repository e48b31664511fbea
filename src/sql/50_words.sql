-- 50_words.sql --- word vectors: asking them, judging them, drawing them.
--
-- Inputs first, then model (NULL: the task's default), then options. NULL in, NULL out;
-- a set gives no rows. An unknown word is NULL, or no rows: never a made-up vector. COST is in
-- cpu_operator_cost, about 10 ns each: a look-up takes less than a microsecond, a search
-- a millisecond or two for every 100,000 words.

CREATE FUNCTION word_vector(word text, model text DEFAULT NULL, options jsonb DEFAULT NULL) RETURNS embedding
	AS 'MODULE_PATHNAME', 'pg_nlp_word_vector' LANGUAGE C STABLE PARALLEL SAFE COST 60;
COMMENT ON FUNCTION word_vector(text, text, jsonb) IS
	'the vector of a word; NULL for an unknown word. A model with subwords makes one of the word''s n-grams. Options: normalize (to length 1), subwords (false: only words of the vocabulary)';

CREATE FUNCTION word2vec_similarity(a text, b text, model text DEFAULT NULL) RETURNS real
	AS 'MODULE_PATHNAME', 'pg_nlp_word2vec_similarity' LANGUAGE C STABLE PARALLEL SAFE COST 60;
COMMENT ON FUNCTION word2vec_similarity(text, text, text) IS
	'cosine of two words'' vectors, from -1 to 1; NULL if either is unknown';

CREATE FUNCTION phrase_vector(input text, model text DEFAULT NULL, options jsonb DEFAULT NULL) RETURNS embedding
	AS 'MODULE_PATHNAME', 'pg_nlp_phrase_vector' LANGUAGE C STABLE PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION phrase_vector(text, text, jsonb) IS
	'the mean of the vectors of a text''s known words, frequent ones counting less; NULL when none is known. Options: weighting ("sif" or "mean"), normalize, keep_case, segmenter (a model that cuts Chinese text; the default one when the vectors were made so)';

CREATE FUNCTION similar_words(word text, k int DEFAULT 10, model text DEFAULT NULL, options jsonb DEFAULT NULL,
							  OUT word text, OUT similarity real) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'pg_nlp_similar_words' LANGUAGE C STABLE PARALLEL SAFE COST 200000 ROWS 10;
COMMENT ON FUNCTION similar_words(text, int, text, jsonb) IS
	'the k words whose vectors are nearest to a word''s by cosine, nearest first, that word left out; no rows for an unknown word. Options: top (only so many of the model''s first, most frequent words), min_similarity, min_count, exclude (an array of words), pattern (of LIKE)';

CREATE FUNCTION similar_words(query embedding, k int DEFAULT 10, model text DEFAULT NULL, options jsonb DEFAULT NULL,
							  OUT word text, OUT similarity real) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'pg_nlp_similar_words_embedding' LANGUAGE C STABLE PARALLEL SAFE COST 200000 ROWS 10;
COMMENT ON FUNCTION similar_words(embedding, int, text, jsonb) IS
	'the k words whose vectors are nearest to a vector by cosine, nearest first; none for a vector of zeros. Options: those of similar_words(text)';

CREATE FUNCTION analogy(a text, b text, c text, k int DEFAULT 10, model text DEFAULT NULL, options jsonb DEFAULT NULL,
						OUT word text, OUT similarity real) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'pg_nlp_analogy' LANGUAGE C STABLE PARALLEL SAFE COST 200000 ROWS 10;
COMMENT ON FUNCTION analogy(text, text, text, int, text, jsonb) IS
	'a is to b as c is to which words? analogy(''man'', ''king'', ''woman'') asks for queen: the k words nearest to b - a + c, the three left out; no rows when one is unknown. Options: those of similar_words';

CREATE FUNCTION odd_one_out(words text[], model text DEFAULT NULL) RETURNS text
	AS 'MODULE_PATHNAME', 'pg_nlp_odd_one_out' LANGUAGE C STABLE PARALLEL SAFE COST 500;
COMMENT ON FUNCTION odd_one_out(text[], text) IS
	'the word that is least like the others; unknown words are left out, NULL when fewer than three are known';

CREATE FUNCTION predict_word(context text[], k int DEFAULT 10, model text DEFAULT NULL,
							 OUT word text, OUT probability real) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'pg_nlp_predict_word' LANGUAGE C STABLE PARALLEL SAFE COST 500000 ROWS 10;
COMMENT ON FUNCTION predict_word(text[], int, text) IS
	'the k likeliest words in the middle of these, with their probabilities over the vocabulary; unknown ones of the context are left out, no rows when none is known. For models that kept their output rows';

CREATE FUNCTION context_words(word text, k int DEFAULT 10, model text DEFAULT NULL,
							  OUT word text, OUT probability real) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'pg_nlp_context_words' LANGUAGE C STABLE PARALLEL SAFE COST 500000 ROWS 10;
COMMENT ON FUNCTION context_words(text, int, text) IS
	'the k likeliest words around a word, with their probabilities over the vocabulary; no rows for an unknown word. For models that kept their output rows';

CREATE FUNCTION one_hot(word text, model text DEFAULT NULL, OUT index int, OUT size int)
	AS 'MODULE_PATHNAME', 'pg_nlp_one_hot' LANGUAGE C STABLE PARALLEL SAFE COST 60;
COMMENT ON FUNCTION one_hot(text, text) IS
	'which word of the vocabulary it is, from 1 to size, the rank in nlp.words; NULLs for an unknown word';

CREATE FUNCTION nlp.words(model text DEFAULT NULL, OUT word text, OUT count bigint, OUT rank int) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'pg_nlp_words' LANGUAGE C STABLE PARALLEL SAFE COST 100000 ROWS 100000;
COMMENT ON FUNCTION nlp.words(text) IS
	'the words of a model in its order, usually the most frequent first; count is NULL when the model does not know it';

CREATE FUNCTION nlp.evaluate_word_vectors(model text, task text, data text, top int DEFAULT NULL, fold_case boolean DEFAULT true,
	OUT section text, OUT kind text, OUT correct int, OUT total int, OUT skipped int, OUT accuracy double precision,
	OUT spearman double precision, OUT pearson double precision) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'pg_nlp_evaluate_word_vectors' LANGUAGE C STABLE PARALLEL SAFE COST 1000000000 ROWS 15;
COMMENT ON FUNCTION nlp.evaluate_word_vectors(text, text, text, int, boolean) IS
	'how good word vectors are. task "analogies": data is ": section" lines and lines of four words; a row for each section, then the sums (section NULL) over semantic ones, syntactic ones and all, among the first top (30000; 0: all) words. task "similarity": data is lines of word, word, score; one row with the correlations. skipped counts lines with unknown words';

CREATE FUNCTION nlp.evaluate_word_vectors(model text, task text, data text[], top int DEFAULT NULL, fold_case boolean DEFAULT true,
	OUT section text, OUT kind text, OUT correct int, OUT total int, OUT skipped int, OUT accuracy double precision,
	OUT spearman double precision, OUT pearson double precision) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'pg_nlp_evaluate_word_vectors_array' LANGUAGE C STABLE PARALLEL SAFE COST 1000000000 ROWS 15;
COMMENT ON FUNCTION nlp.evaluate_word_vectors(text, text, text[], int, boolean) IS
	'the same with a line of data in each element, as array(SELECT ...) gives them from a table';

CREATE FUNCTION nlp.project(model text, words text[], method text DEFAULT 'pca', OUT word text, OUT x real, OUT y real) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'pg_nlp_project' LANGUAGE C STABLE PARALLEL SAFE COST 1000000 ROWS 100;
COMMENT ON FUNCTION nlp.project(text, text[], text) IS
	'places for words in a plane, to plot them: the first two principal components of their vectors (method "pca"); unknown words are left out';
