-- summarize: one prompt for a text that fits, pieces for one that does not.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pg_nlp;
RESET client_min_messages;
-- SmolLM2-135M-Instruct, fetched by "make models"
\getenv models_dir MODELS_DIR
\set model_path :models_dir '/SmolLM2-135M-Instruct.Q4_1.gguf'
SELECT count(*) AS here FROM nlp.models WHERE name = 'smollm2' \gset
SELECT CASE WHEN :here = 0 THEN nlp.load_model('smollm2', :'model_path') END \gset load_
SET pg_nlp.generation_model = 'smollm2';

CREATE FUNCTION figures(OUT passes bigint, OUT prompt bigint) LANGUAGE sql VOLATILE AS
	$$ SELECT coalesce(sum(forward_passes), 0)::bigint, coalesce(sum(prompt_tokens), 0)::bigint FROM nlp.model_stats $$;
CREATE TABLE article (id int PRIMARY KEY, body text, summary text);
INSERT INTO article (id, body) VALUES
	(1, 'PostgreSQL is a free and open-source relational database management system emphasizing extensibility and SQL compliance. It was originally named POSTGRES, referring to its origins as a successor to the Ingres database developed at the University of California, Berkeley. In 1996, the project was renamed to PostgreSQL to reflect its support for SQL.'),
	(2, 'The Amazon rainforest is a moist broadleaf tropical rainforest in the Amazon biome that covers most of the Amazon basin of South America. This basin encompasses seven million square kilometres, of which five and a half million are covered by the rainforest.'),
	(3, NULL);
-- shorter than the text, the same every time, alone or in a batch, NULL for NULL
SELECT id, length(summarize(body)) < length(body) AS shorter FROM article ORDER BY id;
SELECT r[1] = a AS first, r[2] = b AS second, r[3] IS NULL AS third FROM
	(SELECT summarize(array_agg(body ORDER BY id)) AS r, summarize(min(body) FILTER (WHERE id = 1)) AS a, summarize(min(body) FILTER (WHERE id = 2)) AS b FROM article) s;
-- it is the chat with the instruction
SELECT summarize(body, options => '{"instruction": "In one sentence:", "max_tokens": 30}') =
	chat(jsonb_build_array(jsonb_build_object('role', 'user', 'content', E'In one sentence:\n\n' || body)), options => '{"max_tokens": 30}') AS same
	FROM article WHERE id = 1;
SELECT summarize(body, options => '{"max_tokens": 5}') = detokenize((token_ids(summarize(body)))[1:5]) AS limited FROM article WHERE id = 1;
SELECT position('a' IN summarize(body, options => '{"stop": "a"}')) AS stopped FROM article WHERE id = 1;
-- nothing has an empty summary
SELECT summarize(''), summarize(E' \n\t');
-- special tokens in the text are text
SELECT summarize('The token <|im_end|> ends a turn. The token <|im_start|> begins one.', options => '{"max_tokens": 8}') IS NOT NULL AS answered;
-- a tiny model (noise, 256 tokens of context) makes pieces cheap to see
\getenv test_src PG_ABS_SRCDIR
\set tiny_path :test_src '/test/fixtures/tiny_llama.gguf'
SELECT nlp.load_model('summarize tiny', :'tiny_path');
SELECT prompt AS p0, passes AS f0 FROM figures() \gset
SELECT length(summarize(string_agg('Sentence number ' || i || '.', ' '), 'summarize tiny', '{"max_tokens": 8, "instruction": "Sum up."}')) > 0 AS answered FROM generate_series(1, 60) AS i;
SELECT prompt AS p1, passes AS f1 FROM figures() \gset
-- all of the text was read once, and the pieces' summaries after it
SELECT :p1 - :p0 > (SELECT token_count(string_agg('Sentence number ' || i || '.', ' '), 'summarize tiny') FROM generate_series(1, 60) AS i) AS all_read;
-- long and short in one batch, each as by itself; an answer as long as half of the context
SELECT r[1] = summarize('A. ', 'summarize tiny', '{"max_tokens": 20, "instruction": "Sum up."}') AS short,
	r[2] = summarize(repeat('Sentence. ', 300), 'summarize tiny', '{"max_tokens": 20, "instruction": "Sum up."}') AS long, r[3] AS none
	FROM (SELECT summarize(ARRAY['A. ', repeat('Sentence. ', 300), NULL], 'summarize tiny', '{"max_tokens": 20, "instruction": "Sum up."}') AS r) s;
SELECT length(summarize(repeat('Sentence. ', 300), 'summarize tiny', '{"max_tokens": 128, "instruction": "Sum up."}')) > 0 AS answered;
-- too little room
SELECT summarize('x', 'summarize tiny', '{"max_tokens": 100}');
SELECT summarize('x', 'summarize tiny', '{"max_tokens": 250, "instruction": "x"}');
SELECT summarize('x', 'summarize tiny', jsonb_build_object('instruction', repeat('word ', 2000)));
SELECT summarize('x', options => '{"method": "extractive"}');
-- no spaces, no sentences, wide characters: cut between characters
SELECT length(summarize(repeat('字', 2000), 'summarize tiny', '{"max_tokens": 8, "instruction": "x"}')) > 0 AS answered;
SELECT nlp.drop_model('summarize tiny');

-- the job of every day: a column of summaries, a batch at a time
SET client_min_messages = warning;
SELECT passes AS f0 FROM figures() \gset
CALL nlp.backfill('article', 'summary', $$summarize(body, options => '{"max_tokens": 16}')$$, '{"where": "summary IS NULL"}');
SELECT passes AS f1 FROM figures() \gset
SELECT bool_and(summary IS NOT DISTINCT FROM summarize(body, options => '{"max_tokens": 16}')) AS same FROM article;
-- two texts in one batch: not many more passes than one text takes
SELECT :f1 - :f0 < 24 AS batched;
UPDATE article SET body = repeat('word ', 9000), summary = NULL WHERE id = 2;
CALL nlp.backfill('article', 'summary', $$generate(body, options => '{"max_tokens": 4}')$$);
SELECT key, sqlstate, message FROM nlp.backfill_error;
SELECT id, summary IS NULL AS empty FROM article ORDER BY id;
DELETE FROM nlp.backfill_error;
DROP TABLE article;
DROP FUNCTION figures;
