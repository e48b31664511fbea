-- Word vectors: which model, Chinese phrases, subwords, databases of other encodings.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pg_nlp;
\getenv srcdir PG_ABS_SRCDIR
\set zh :srcdir '/test/fixtures/words_zh.gguf'
\set ft :srcdir '/test/golden/wordfile/ft_sg.bin'
\set home :DBNAME
SELECT nlp.load_model('wv_en', convert_to(E'king 1 0\nqueen 0.5 0.5\nman 0 1\n', 'UTF8'));
SELECT nlp.load_model('wv_zh', :'zh');
SELECT nlp.load_model('wv_ft', :'ft');
RESET client_min_messages;

---- which model: by name, by the setting, the only one; by the text's language
SELECT word_vector('king', 'wv_en');
SELECT word_vector('king');
SET pg_nlp.word_vectors_model = 'wv_en';
SELECT word_vector('king');
SET pg_nlp.word_vectors_model = 'en=wv_en,zh=wv_zh';
SELECT w, word_vector(w) FROM unnest('{king,国王,queen,北京,nothing,无}'::text[]) w;
SELECT word2vec_similarity('国王', '国王'), (one_hot('国王')).size, odd_one_out('{国王,北京,大学}'),
	(SELECT count(*) FROM similar_words('国王', 3)) AS near, (SELECT count(*) FROM similar_words('king', 3)) AS near_king;
RESET pg_nlp.word_vectors_model;

---- a phrase is cut as the model's texts were
SELECT phrase_vector('我来到北京清华大学', 'wv_zh', '{"weighting": "mean"}');
SELECT phrase_vector('我来到北京清华大学', 'wv_zh', '{"weighting": "mean", "segmenter": "segment_zh", "normalize": true}') AS named;
SELECT round(((phrase_vector('我来到北京', 'wv_zh') <#> '[1,0,0,0,0,0]') / (phrase_vector('我来到北京', 'wv_zh') <#> '[0,0,1,0,0,0]'))::numeric, 3) AS frequent_counts_less;
SELECT phrase_vector('没有', 'wv_zh') IS NULL AS unknown;
SELECT count(phrase_vector(t, 'wv_zh')) FROM (SELECT '来到北京 ' || i AS t FROM generate_series(1, 1000) i) s;
-- without a segmenter it is an error, that says for which model
SET pg_nlp.segmentation_model = 'wv_no_such';
SELECT phrase_vector('我来到北京', 'wv_zh');
SELECT phrase_vector('king man', 'wv_en');
RESET pg_nlp.segmentation_model;
SELECT phrase_vector('北京', 'wv_zh', '{"segmenter": "wv_en"}');
-- vectors of other programs do not say how texts were cut; each character, or by a segmenter that is named
SELECT phrase_vector('北京大学', 'wv_ft', '{"weighting": "mean", "segmenter": "segment_zh"}') = word_vector('北京大学', 'wv_ft') AS one_word_of_subwords;

---- words made of n-grams, in sets too
SELECT count(*), count(*) FILTER (WHERE word = 'river') FROM similar_words('rivers', 5, 'wv_ft');
SELECT count(*) FROM analogy('king', 'queens', 'rivers', 3, 'wv_ft');
SELECT odd_one_out('{rivers,river,waters,kingdom}', 'wv_ft') IS NOT NULL AS odd, round(word2vec_similarity('rivers', 'rivers', 'wv_ft')::numeric, 5) AS same,
	phrase_vector('rivers kingdom', 'wv_ft') IS NOT NULL AS phrase;
SELECT count(*) FROM nlp.project('wv_ft', '{rivers,king,x}') WHERE x <> 0;

---- other encodings
SET client_min_messages = warning;
CREATE DATABASE pg_nlp_words_latin1 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0;
CREATE DATABASE pg_nlp_words_ascii ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0;
\c pg_nlp_words_latin1
SET client_encoding = 'UTF8';
SET client_min_messages = warning;
CREATE EXTENSION pg_nlp;
SELECT nlp.load_model('latin', decode('636166c3a9203120300a6e61c3af76652030203120', 'hex') || '\x0a');
SELECT nlp.load_model('ft', :'ft');
SELECT octet_length(word) AS bytes, word, word_vector(word, 'latin') FROM nlp.words('latin');
SELECT word_vector('café', 'latin'), word2vec_similarity('café', 'naïve', 'latin'), odd_one_out('{café,naïve,café}', 'latin') AS odd,
	(SELECT word FROM similar_words('café', 1, 'latin', '{"pattern": "na_v%"}')) AS near, (SELECT count(*) FROM similar_words('café', 1, 'latin', '{"exclude": ["naïve"]}')) AS excluded;
-- a word that the encoding cannot hold is no answer, and no silence either
SELECT count(word_vector('café', 'ft'));
SELECT word FROM similar_words('café', 40, 'ft');
SELECT section, correct, total FROM nlp.evaluate_word_vectors('latin', 'analogies', E': é\ncafé naïve café naïve\n') WHERE section IS NOT NULL;
\c pg_nlp_words_ascii
SET client_encoding = 'SQL_ASCII';
SET client_min_messages = warning;
CREATE EXTENSION pg_nlp;
SELECT nlp.load_model('latin', decode('636166c3a9203120300a6e61c3af76652030203120', 'hex') || '\x0a');
SELECT word_vector(E'caf\303\251', 'latin'), word_vector('cafe', 'latin') IS NULL AS unknown;
SELECT word_vector(E'caf\351', 'latin');
\c :home
DROP DATABASE pg_nlp_words_latin1;
DROP DATABASE pg_nlp_words_ascii;
SELECT nlp.drop_model('wv_en'), nlp.drop_model('wv_zh'), nlp.drop_model('wv_ft');
