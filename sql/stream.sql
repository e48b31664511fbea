-- generate_stream: pieces that together are generate's answer, given one a row as they are made.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pg_nlp;
RESET client_min_messages;
-- SmolLM2-135M-Instruct, fetched by "make models"
\getenv models_dir MODELS_DIR
\set model_path :models_dir '/SmolLM2-135M-Instruct.Q4_1.gguf'
SELECT count(*) AS here FROM nlp.models WHERE name = 'smollm2' \gset
SELECT CASE WHEN :here = 0 THEN nlp.load_model('smollm2', :'model_path') END \gset load_
SET pg_nlp.generation_model = 'smollm2';

CREATE FUNCTION passes() RETURNS bigint LANGUAGE sql VOLATILE AS
	$$ SELECT coalesce(sum(forward_passes), 0)::bigint FROM nlp.model_stats $$;
CREATE TABLE piece (n int GENERATED ALWAYS AS IDENTITY, body text);
INSERT INTO piece (body) SELECT generate_stream('Once upon a time', options => '{"max_tokens": 24}');
SELECT string_agg(body, '' ORDER BY n) = generate('Once upon a time', options => '{"max_tokens": 24}') AS same, count(*) > 10 AS many,
	count(*) FILTER (WHERE body = '') AS empty FROM piece;
TRUNCATE piece;
-- characters of several tokens come whole
INSERT INTO piece (body) SELECT generate_stream('北京是中国的首都。中国', options => '{"max_tokens": 24}');
SELECT string_agg(body, '' ORDER BY n) = generate('北京是中国的首都。中国', options => '{"max_tokens": 24}') AS same FROM piece;
TRUNCATE piece;
-- what may be the beginning of a stop string is held back
INSERT INTO piece (body) SELECT generate_stream('1, 2, 3, 4,', options => '{"max_tokens": 24, "stop": ", 8, 9"}');
SELECT string_agg(body, '' ORDER BY n) FROM piece;
-- in FROM too, and for every row of a query
SELECT string_agg(s, '') = generate('x', options => '{"max_tokens": 6}') AS same FROM generate_stream('x', options => '{"max_tokens": 6}') AS s;
TRUNCATE piece;
ALTER TABLE piece ADD COLUMN prompt text;
INSERT INTO piece (prompt, body) SELECT body, generate_stream(body, options => '{"max_tokens": 6}') FROM (VALUES ('x'), ('Once'), (NULL)) AS v(body);
SELECT prompt, string_agg(body, '' ORDER BY n) = generate(prompt, options => '{"max_tokens": 6}') AS same FROM piece GROUP BY prompt ORDER BY prompt;
-- a cursor that stops early: only what was fetched was computed
SELECT passes() AS p0 \gset
BEGIN;
DECLARE c CURSOR FOR SELECT generate_stream('Once upon a time', options => '{"max_tokens": 500, "ignore_eos": true}');
FETCH 3 FROM c;
-- another use of the model in between does not disturb it
SELECT generate('x', options => '{"max_tokens": 3}') IS NOT NULL AS between;
FETCH 2 FROM c;
CLOSE c;
COMMIT;
SELECT passes() AS p1 \gset
SELECT :p1 - :p0 < 20 AS few_passes;
SELECT generate_stream('Once upon a time', options => '{"max_tokens": 500, "ignore_eos": true}') LIMIT 2;
-- nothing is left in use
SELECT count(*) FROM nlp.activity WHERE pid = pg_backend_pid() AND verb = 'generate_stream';
-- errors as in generate
SELECT generate_stream(repeat('word ', 9000));
SELECT count(*) FROM (SELECT generate_stream(repeat('word ', 9000), options => '{"on_error": "null"}')) s;
SELECT generate_stream('x', options => '{"seed": 1}');
SELECT generate_stream('x', 'nothing of this name');
DROP FUNCTION passes;
DROP TABLE piece;
