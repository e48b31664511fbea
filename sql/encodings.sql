-- Databases of other encodings: texts are converted for the model and back, and what
-- cannot be is an error of its row. The tiny model's tokens are single bytes and a few words.
SET client_min_messages = warning;
\getenv test_src PG_ABS_SRCDIR
\set tiny_path :test_src '/test/fixtures/tiny_llama.gguf'
\set home :DBNAME
CREATE DATABASE pg_nlp_latin1 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0;
CREATE DATABASE pg_nlp_ascii ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0;
CREATE DATABASE pg_nlp_eucjp ENCODING 'EUC_JP' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0;
SELECT octet_length('café') AS utf8_bytes;

\c pg_nlp_latin1
SET client_encoding = 'UTF8';
CREATE EXTENSION pg_nlp;
SELECT nlp.load_model('tiny', :'tiny_path');
-- one byte here, two for the model
SELECT octet_length('é') AS bytes, token_count('é') AS tokens, detokenize(token_ids('café ÿ')) = 'café ÿ' AS same;
SELECT generate('café', options => '{"max_tokens": 5, "stop": "é"}') IS NOT NULL AS answered;

\c pg_nlp_ascii
SET client_encoding = 'SQL_ASCII';
CREATE EXTENSION pg_nlp;
SELECT nlp.load_model('tiny', :'tiny_path');
-- bytes that are UTF-8 pass as they are, others are refused
SELECT token_count(E'\303\251') AS tokens, detokenize(token_ids(E'caf\303\251')) = E'caf\303\251' AS same;
SELECT token_count(E'caf\351');
SELECT generate(E'caf\351');
SELECT generate(E'caf\351', options => '{"on_error": "null"}') IS NULL AS given_up;
SELECT r[1] IS NOT NULL AS first, r[2] IS NULL AS second FROM (SELECT generate(ARRAY['a', E'\377'], options => '{"on_error": "null", "max_tokens": 2}') AS r) s;
SELECT chat(jsonb_build_array(jsonb_build_object('role', 'user', 'content', E'\351')));
SELECT generate('x', options => jsonb_build_object('stop', E'\351'));
SELECT array_to_string(token_ids(E'\342\202\254'), ',') AS euro \gset

\c pg_nlp_latin1
SET client_encoding = 'UTF8';
SELECT detokenize(string_to_array(:'euro', ',')::int[]);
SELECT detokenize(string_to_array(:'euro', ',')::int[], options => '{"on_error": "null"}') IS NULL AS given_up;
-- a part of it is no character, and neither is U+FFFD one of LATIN1
SELECT detokenize((string_to_array(:'euro', ',')::int[])[1:1], options => '{"on_error": "null"}') IS NULL AS given_up;

\c pg_nlp_eucjp
SET client_encoding = 'UTF8';
CREATE EXTENSION pg_nlp;
SELECT nlp.load_model('tiny', :'tiny_path');
SELECT octet_length('日本') AS bytes, token_count('日本') AS tokens, detokenize(token_ids('日本語')) = '日本語' AS same;
SELECT detokenize(string_to_array(:'euro', ',')::int[]);

\c :home
DROP DATABASE pg_nlp_latin1;
DROP DATABASE pg_nlp_ascii;
DROP DATABASE pg_nlp_eucjp;
