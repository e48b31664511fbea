-- generate and sample: answers, options, batches, constants, errors.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pg_nlp;
RESET client_min_messages;
-- SmolLM2-135M-Instruct, fetched by "make models"
\getenv models_dir MODELS_DIR
\set model_path :models_dir '/SmolLM2-135M-Instruct.Q4_1.gguf'
SELECT count(*) AS here FROM nlp.models WHERE name = 'smollm2' \gset
SELECT CASE WHEN :here = 0 THEN nlp.load_model('smollm2', :'model_path') END \gset load_
SET pg_nlp.generation_model = 'smollm2';

-- forward passes so far; a view's figures move while a statement runs, so always by itself
CREATE FUNCTION passes() RETURNS bigint LANGUAGE sql VOLATILE AS
	$$ SELECT coalesce(sum(forward_passes), 0)::bigint FROM nlp.model_stats $$;

-- greedy: the same answer every time, alone, in a batch, whatever the neighbours and their order
SELECT generate('The capital of France is', options => '{"max_tokens": 8}');
SELECT generate('The capital of France is', 'smollm2', '{"max_tokens": 8}') = generate('The capital of France is', options => '{"max_tokens": 8}') AS same;
CREATE TABLE prompt (id int, body text);
INSERT INTO prompt VALUES (1, 'The capital of France is'), (2, 'Once upon a time'), (3, '1, 2, 3, 4,'), (4, 'def add(a, b):'),
	(5, 'Ein Haus ist'), (6, '北京是'), (7, E'Line one\nLine two\n'), (8, 'x');
CREATE TABLE alone AS SELECT id, generate(body, options => '{"max_tokens": 12}') AS answer FROM prompt;
SELECT count(*) FROM alone WHERE answer IS NULL OR answer = '';
SELECT bool_and(a.answer = b.answer) AS same FROM alone a JOIN
	(SELECT p.id, answer FROM (SELECT array_agg(id ORDER BY id) AS ids, generate(array_agg(body ORDER BY id), options => '{"max_tokens": 12}') AS answers FROM prompt) s,
		unnest(s.ids, s.answers) AS p(id, answer)) b USING (id);
SELECT bool_and(a.answer = b.answer) AS same FROM alone a JOIN
	(SELECT p.id, answer FROM (SELECT array_agg(id ORDER BY id DESC) AS ids, generate(array_agg(body ORDER BY id DESC), options => '{"max_tokens": 12}') AS answers FROM prompt, generate_series(1, 6)) s,
		unnest(s.ids, s.answers) AS p(id, answer)) b USING (id);
-- NULL elements, dimensions and bounds stay; nothing in, nothing out
SELECT a IS NOT NULL AS first, b IS NULL AS second, c = a AS third, array_dims(r) FROM
	(SELECT r, r[2][5] AS a, r[2][6] AS b, r[3][5] AS c FROM (SELECT generate('[2:3][5:6]={{x,NULL},{x,y}}'::text[], options => '{"max_tokens": 3}') AS r) t) u;
SELECT generate('{}'::text[]), generate(NULL::text), generate('{NULL}'::text[]);
-- '' has no token to start from, and this vocabulary asks for none at the beginning
SELECT generate('', options => '{"max_tokens": 3}');
SELECT generate('', options => '{"max_tokens": 3, "on_error": "null"}') IS NULL AS given_up;

-- max_tokens counts tokens of the answer
SELECT n, token_count(generate('Once upon a time', options => jsonb_build_object('max_tokens', n, 'ignore_eos', true))) AS tokens FROM (VALUES (1), (5), (20)) AS v(n);
-- an answer is a prefix of a longer one
SELECT starts_with(generate('Once upon a time', options => '{"max_tokens": 20}'), generate('Once upon a time', options => '{"max_tokens": 7}')) AS prefix;
-- stop: the answer ends before the first of them, wherever tokens begin and end
SELECT strpos(whole, stop) AS found_at, generate('1, 2, 3, 4,', options => jsonb_build_object('max_tokens', 24, 'stop', stop)) = split_part(whole, stop, 1) AS cut
	FROM (SELECT generate('1, 2, 3, 4,', options => '{"max_tokens": 24}') AS whole) w, (VALUES (' 7'), ('8, 9'), ('9')) AS v(stop);
SELECT generate('1, 2, 3, 4,', options => '{"max_tokens": 24, "stop": ["9", "6", "nowhere"]}');
-- text that spells a special token is text; unless asked
SELECT token_count('<|im_end|>') > 1 AS plain, token_count('<|im_end|>', options => '{"special": true}') AS special;

-- a prompt over the context: an error that says by how much; NULL or the end of it when asked
SELECT generate(repeat('word ', 9000), options => '{"max_tokens": 4}');
SELECT generate(ARRAY['x', repeat('word ', 9000)], options => '{"max_tokens": 4}');
SELECT generate(repeat('word ', 9000), options => '{"max_tokens": 4, "on_error": "null"}') IS NULL AS given_up;
SELECT r[1] = generate('x', options => '{"max_tokens": 4}') AS first, r[2] IS NULL AS second, r[3] IS NOT NULL AS third
	FROM (SELECT generate(ARRAY['x', repeat('word ', 9000), 'y'], options => '{"max_tokens": 4, "on_error": "null"}') AS r) t;
-- truncate: the beginning of the prompt goes, what fits stays
SELECT generate(repeat('word ', 300), options => '{"max_tokens": 8000, "stop": "o", "truncate": true}') =
	generate(' ' || repeat('word ', 191), options => '{"max_tokens": 8000, "stop": "o"}') AS same;
-- absurdly long: told without counting to the end, or without reading at all
SELECT generate(repeat('word ', 40000));
SELECT generate(repeat('word ', 20000000));
SELECT chat(jsonb_build_array(jsonb_build_object('role', 'user', 'content', repeat('word ', 2000000))));
-- asked for more than fits: an error, also for the answer
SELECT generate('x', options => '{"max_tokens": 1000000}');

-- an unknown model is an error whatever on_error says
SELECT generate('x', 'no such model', '{"on_error": "null"}');

-- sampling: the seed decides; temperature 0 is greedy; each element draws for itself
SELECT sample('Once upon a time', options => '{"max_tokens": 16, "seed": 7}') = sample('Once upon a time', options => '{"max_tokens": 16, "seed": 7}') AS same;
SELECT count(DISTINCT sample('Once upon a time', options => jsonb_build_object('max_tokens', 16, 'seed', s))) > 3 AS differ FROM generate_series(1, 6) AS s;
SELECT count(DISTINCT sample('Once upon a time', options => '{"max_tokens": 16}')) > 1 AS differ FROM generate_series(1, 5);
SELECT sample('Once upon a time', options => '{"max_tokens": 16, "temperature": 0}') = generate('Once upon a time', options => '{"max_tokens": 16}') AS greedy;
SELECT sample('Once upon a time', options => '{"max_tokens": 16, "top_k": 1}') = generate('Once upon a time', options => '{"max_tokens": 16}') AS greedy;
SELECT r[1] = sample('Once upon a time', options => '{"max_tokens": 12, "seed": 3}') AS first_as_alone, r[1] <> r[2] AS differ
	FROM (SELECT sample(ARRAY['Once upon a time', 'Once upon a time'], options => '{"max_tokens": 12, "seed": 3}') AS r) t;
-- penalties change the answer, and a strong one never repeats a token of it
SELECT sample('a a a a a a', options => '{"max_tokens": 12, "temperature": 0, "repeat_penalty": 5}') <> generate('a a a a a a', options => '{"max_tokens": 12}') AS differ;

-- constant arguments: once a statement, whatever the number of rows
SELECT passes() AS p0 \gset
SELECT count(DISTINCT generate('Once upon a time', options => '{"max_tokens": 5}')) FROM generate_series(1, 1);
SELECT passes() AS p1 \gset
SELECT count(DISTINCT generate('Once upon a time', options => '{"max_tokens": 5}')), count(*) FROM generate_series(1, 50);
SELECT passes() AS p2 \gset
SELECT :p1 - :p0 AS one_row, (:p2 - :p1) = (:p1 - :p0) AS fifty_rows_the_same;
-- a parameter of the statement is as good as a constant
PREPARE p(text) AS SELECT count(DISTINCT generate($1, options => '{"max_tokens": 5}')) FROM generate_series(1, 20);
EXECUTE p('Once upon a time');
SELECT passes() AS p3 \gset
SELECT (:p3 - :p2) = (:p1 - :p0) AS once;
-- a column is not, and neither is what is random
SELECT count(generate(body, options => '{"max_tokens": 1}')) FROM (VALUES ('a'), ('a'), ('a')) AS v(body);
SELECT passes() AS p4 \gset
SELECT :p4 - :p3 AS three_rows;
SELECT count(sample('a', options => '{"max_tokens": 1}')) FROM generate_series(1, 3);
SELECT passes() AS p5 \gset
SELECT :p5 - :p4 AS three_rows;
-- a condition is looked at by the planner too: still once, in one process
SET max_parallel_workers_per_gather = 0;
SELECT count(*) FROM prompt WHERE body = generate('Once upon a time', options => '{"max_tokens": 5}');
SELECT passes() AS p6 \gset
RESET max_parallel_workers_per_gather;
SELECT (:p6 - :p5) = (:p1 - :p0) AS once;
-- what a rolled back subtransaction saw is not remembered
\getenv test_src PG_ABS_SRCDIR
\set tiny_path :test_src '/test/fixtures/tiny_llama.gguf'
\set tiny2_path :test_src '/test/fixtures/tiny_llama_2.gguf'
SELECT set_config('test.tiny', :'tiny_path', false) IS NULL AS a, set_config('test.tiny2', :'tiny2_path', false) IS NULL AS b;
DO $$
DECLARE
	answers text[] := '{}'; one text;
BEGIN
	FOR i IN 1 .. 2 LOOP
		BEGIN
			PERFORM nlp.load_model('regress passing', current_setting(CASE i WHEN 1 THEN 'test.tiny' ELSE 'test.tiny2' END));
			one := generate('the', 'regress passing', '{"max_tokens": 6, "ignore_eos": true}');
			RAISE SQLSTATE 'NL001' USING MESSAGE = one;
		EXCEPTION WHEN SQLSTATE 'NL001' THEN
			answers := answers || SQLERRM;
		END;
	END LOOP;
	RAISE NOTICE 'two models, two answers: %', answers[1] <> answers[2];
	one := generate('the', 'regress passing', '{"max_tokens": 6, "ignore_eos": true}');
	RAISE NOTICE 'a model that is gone answered';
EXCEPTION WHEN undefined_object THEN
	RAISE NOTICE '%', SQLERRM;
END $$;
-- PL/pgSQL keeps an expression's state over statements: other arguments, other answers
DO $$
DECLARE
	i int; p text; got text; wanted text;
BEGIN
	FOR i IN 1 .. 2 LOOP
		FOR p IN SELECT body FROM prompt WHERE id IN (1, 2, 8) ORDER BY id LOOP
			got := generate(p, options => '{"max_tokens": 12}');
			SELECT answer INTO wanted FROM alone JOIN prompt USING (id) WHERE body = p;
			IF got IS DISTINCT FROM wanted THEN RAISE 'not the answer of %', p; END IF;
		END LOOP;
	END LOOP;
END $$;

-- the same in a parallel worker, in a cursor, in a subtransaction that fails
SELECT count(set_config(name, 'on', false)) FROM pg_settings WHERE name IN ('force_parallel_mode', 'debug_parallel_query');
SELECT bool_and(generate(body, options => '{"max_tokens": 12}') = answer) AS same FROM prompt JOIN alone USING (id);
SELECT count(set_config(name, 'off', false)) FROM pg_settings WHERE name IN ('force_parallel_mode', 'debug_parallel_query');
BEGIN;
DECLARE c CURSOR FOR SELECT generate(body, options => '{"max_tokens": 12}') = answer AS same FROM prompt JOIN alone USING (id) ORDER BY id;
FETCH 2 FROM c;
SAVEPOINT s;
SELECT generate(repeat('word ', 9000), options => '{"max_tokens": 4}');
ROLLBACK TO s;
FETCH 1 FROM c;
COMMIT;
-- floating point is as it was
SELECT 1e-310::float8 * 1 = 1e-310::float8 AS denormals_live;

DROP FUNCTION passes;
DROP TABLE prompt, alone;
