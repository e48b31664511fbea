-- Word vectors in other programs' formats: in by path, bytes and uploads, out again; what is refused.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pg_nlp;
RESET client_min_messages;
-- made by test/golden/make_wordfiles.py with gensim and fastText
\getenv srcdir PG_ABS_SRCDIR
\set dir :srcdir '/test/golden/wordfile/'
\set w2v_bin :dir 'gensim.bin'
\set w2v_text :dir 'gensim.txt'
\set ft_bin :dir 'ft_sg.bin'
\set ft_vec :dir 'ft_sg.vec'
\set ft_hs :dir 'ft_hs.bin'
\set ft_cbow :dir 'ft_cbow.bin'
\set ft_plain :dir 'ft_plain.bin'
\set expected :dir 'expected.tsv'
-- a file's bytes from its text
CREATE FUNCTION pg_temp.file(VARIADIC lines text[]) RETURNS bytea LANGUAGE sql AS
	$$ SELECT convert_to(array_to_string(lines, E'\n') || E'\n', 'UTF8') $$;
-- the error's code, message and detail, without ending the script
CREATE FUNCTION pg_temp.refused(file bytea, options jsonb DEFAULT NULL) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	detail text;
BEGIN
	PERFORM nlp.load_model('wf_bad', file, options);
	PERFORM nlp.drop_model('wf_bad');
	RETURN 'loaded';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
	RETURN concat_ws(': ', SQLSTATE, SQLERRM, nullif(detail, ''));
END $$;

---- every format, by path; the notice says what was read
SELECT nlp.load_model('wf_gensim.bin', :'w2v_bin');
SELECT nlp.load_model('wf_gensim.txt', :'w2v_text');
SELECT nlp.load_model('wf_ft_sg.bin', :'ft_bin');
SELECT nlp.load_model('wf_ft_sg.vec', :'ft_vec');
SELECT nlp.load_model('wf_ft_hs.bin', :'ft_hs');
SELECT nlp.load_model('wf_ft_cbow.bin', :'ft_cbow');
SELECT nlp.load_model('wf_ft_plain.bin', :'ft_plain');
SELECT name, tasks, architecture, parameters, source LIKE '%/wordfile/%' AS from_path FROM nlp.models WHERE name LIKE 'wf%' ORDER BY name COLLATE "C";
-- the same numbers: one model, whatever the way in
SELECT count(DISTINCT sha256) FROM nlp.models WHERE name IN ('wf_gensim.bin', 'wf_gensim.txt');

-- what the other programs answer, words of the vocabulary and others
CREATE TEMP TABLE golden (line text);
COPY golden FROM :'expected' (DELIMITER E'\x01', QUOTE E'\x02', FORMAT csv);
CREATE TEMP TABLE golden_vector AS
	SELECT c[2] AS file, c[3] AS word, ('[' || array_to_string(c[4:], ',') || ']')::embedding AS v
	FROM (SELECT string_to_array(line, E'\t') FROM golden WHERE line LIKE E'vector\t%') s(c);
SELECT file, count(*), count(word_vector(word, 'wf_' || file)) AS known,
	count(*) FILTER (WHERE v <-> word_vector(word, 'wf_' || file) <= 1e-6 * (1 + vector_norm(v))) AS equal
	FROM golden_vector GROUP BY file ORDER BY file COLLATE "C";
-- words made of n-grams are no words of the vocabulary
SELECT word_vector('kingdom', 'wf_ft_sg.bin') IS NOT NULL AS made, word_vector('kingdom', 'wf_ft_sg.bin', '{"subwords": false}') IS NULL AS not_made,
	word_vector('kingdom', 'wf_ft_sg.vec') IS NULL AS not_in_vec, (one_hot('kingdom', 'wf_ft_sg.bin')).index IS NULL AS no_index;

---- bytes: word2vec text, GloVe, CRLF, without a last newline
SELECT nlp.load_model('wf_text', pg_temp.file('3 2', 'king 1 0', 'queen 0.5 0.5', '国王 0 1'));
SELECT nlp.load_model('wf_glove', pg_temp.file('king 1 0', 'queen 0.5 0.5', '国王 0 1'));
SELECT nlp.load_model('wf_crlf', convert_to(E'3 2\r\nking 1 0\r\nqueen 0.5 0.5\r\n国王 0 1', 'UTF8'));
SELECT count(DISTINCT sha256) FROM nlp.models WHERE name IN ('wf_text', 'wf_glove', 'wf_crlf');
SELECT * FROM nlp.words('wf_text');
SELECT word, word_vector(word, 'wf_text') FROM nlp.words('wf_text');
-- only the first rows; words twice
SELECT nlp.load_model('wf_first', :'w2v_bin', '{"limit": 5, "source": "the first five", "card": {"licence": "PostgreSQL"}}');
SELECT word FROM nlp.words('wf_first');
SELECT source, card FROM nlp.models WHERE name = 'wf_first';
SELECT pg_temp.refused(pg_temp.file('a 1 2', 'b 3 4', 'a 5 6'));
SELECT nlp.load_model('wf_twice', pg_temp.file('a 1 2', 'b 3 4', 'a 5 6'), '{"skip_bad_words": true}');
SELECT word, word_vector(word, 'wf_twice') FROM nlp.words('wf_twice');
SELECT nlp.load_model('wf_twice', pg_temp.file('a 1 2'));
SELECT nlp.load_model('wf_twice', pg_temp.file('a 1 2'), '{"replace": true}');
SELECT count(*) FROM nlp.words('wf_twice');

---- an upload
SELECT nlp.load_begin('wf_upload', '{"limit": 20}') AS up \gset
SELECT nlp.load_append(:up, 'vectors', substr(f, 1, 1000)), nlp.load_append(:up, 'vectors', substr(f, 1001)) FROM pg_read_binary_file(:'w2v_text') f;
SELECT nlp.load_finish(:up);
SELECT count(*) FROM nlp.words('wf_upload');
SELECT word_vector('the', 'wf_upload') = word_vector('the', 'wf_gensim.txt') AS same;

---- out: the stored bytes, or for other programs
CREATE FUNCTION pg_temp.exported(name text, format text) RETURNS bytea LANGUAGE sql AS
	$$ SELECT string_agg(data, ''::bytea ORDER BY seq) FROM nlp.export_model(name, format) $$;
SELECT convert_from(pg_temp.exported('wf_text', 'text'), 'UTF8');
SELECT encode(pg_temp.exported('wf_text', 'word2vec'), 'escape');
SELECT (SELECT string_agg(data, ''::bytea ORDER BY seq) FROM nlp.export_model('wf_text')) = pg_temp.exported('wf_text', 'gguf') AS one_argument;
SELECT nlp.load_model('wf_again.bin', pg_temp.exported('wf_gensim.bin', 'word2vec'));
SELECT nlp.load_model('wf_again.txt', pg_temp.exported('wf_gensim.bin', 'text'));
SELECT nlp.load_model('wf_again.gguf', pg_temp.exported('wf_gensim.bin', 'gguf'));
SELECT count(DISTINCT sha256) FROM nlp.models WHERE name IN ('wf_gensim.bin', 'wf_again.bin', 'wf_again.txt', 'wf_again.gguf');
SELECT count(*) FROM nlp.export_model('wf_text', 'csv');
SELECT count(*) FROM nlp.export_model('wf_no_such', 'text');
SELECT count(*) FROM nlp.export_model(NULL, 'text');
SELECT count(*) FROM nlp.export_model('wf_text', NULL);

---- refused, with row and byte
SELECT pg_temp.refused('');
SELECT pg_temp.refused('nothing of the kind');
SELECT pg_temp.refused(pg_temp.file('2 3', 'king 1 2 3', 'queen 1 2'));
SELECT pg_temp.refused(pg_temp.file('3 2', 'king 1 2', 'queen 1 2'));
SELECT pg_temp.refused(pg_temp.file('1 2', 'king 1 2', 'queen 1 2'));
SELECT pg_temp.refused(pg_temp.file('2 2', 'king 1 2', 'queen 1 nan'));
SELECT pg_temp.refused(pg_temp.file('king 1 1e999', 'queen 1 2'));
SELECT pg_temp.refused(pg_temp.file('2 2', 'king 1 2', 'queen 1 0x10'));
SELECT pg_temp.refused(pg_temp.file('king 1 2,5', 'queen 1 2'));
SELECT pg_temp.refused('\x322032' || '\x0a'::bytea || '\xff' || pg_temp.file(' 1 2', 'queen 1 2'));
SELECT pg_temp.refused(substr(pg_read_binary_file(:'w2v_bin'), 1, 700));
SELECT pg_temp.refused(substr(pg_read_binary_file(:'ft_bin'), 1, 3000));
SELECT pg_temp.refused(overlay(pg_read_binary_file(:'ft_bin') PLACING '\x03000000' FROM 37));	-- a supervised model
SELECT pg_temp.refused(pg_temp.file('4000000000 1000000', 'king 1 2'));
-- options of other kinds of models
SELECT pg_temp.refused(pg_temp.file('king 1 2', 'queen 1 2'), '{"quantize": "q8_0"}');
SELECT pg_temp.refused(pg_temp.file('king 1 2', 'queen 1 2'), o) FROM unnest('{"{\"limit\": 0}", "{\"limit\": 1.5}", "{\"limit\": \"x\"}",
	"{\"skip_bad_words\": 1}", "{\"rows\": 1}"}'::jsonb[]) o;
\set tiny :srcdir '/test/fixtures/tiny_llama.gguf'
SELECT nlp.load_model('wf_bad', :'tiny', '{"limit": 10}');
SELECT nlp.load_model('wf_bad', :'tiny', '{"skip_bad_words": true}');
SELECT count(*) FROM nlp.models WHERE name = 'wf_bad';

SELECT count(nlp.drop_model(name)) > 10 AS dropped FROM nlp.model WHERE name LIKE 'wf%';
