-- demo.sql --- what make demo shows: real output of a real model on real rows.
-- Run again at any time:  .server/psql -f examples/demo.sql
\set ON_ERROR_STOP on
\pset null '(null)'
\pset linestyle unicode
\pset border 2
\pset columns 100
\pset format wrapped
\timing on

\echo
\echo '-- The models here, and what they can do'
SELECT name, tasks, architecture, parameters, pg_size_pretty(bytes) AS size, resident FROM nlp.models;

\echo '-- A summary of each of three articles'
SELECT title, summarize(body, options => '{"max_tokens": 70}') AS summary
	FROM article WHERE lang = 'en' ORDER BY id LIMIT 3;

\echo '-- Text that goes on from a prompt (greedy: the same answer every time)'
SELECT generate('The three largest oceans of the Earth are', options => '{"max_tokens": 32}');

\echo '-- The same prompt, sampled with a seed'
SELECT sample('The three largest oceans of the Earth are', options => '{"max_tokens": 32, "temperature": 0.8, "top_p": 0.95, "seed": 7}');

\echo '-- A chat'
SELECT chat('[{"role": "system", "content": "You answer in one short sentence."},
              {"role": "user",   "content": "What does a database index do?"}]',
            options => '{"max_tokens": 60}');

\echo '-- Many prompts in one call share every pass over the weights'
SELECT title, answer
	FROM (SELECT array_agg(title ORDER BY id) AS titles,
	             generate(array_agg('Question: In one word, what kind of thing is ' || title || E'?\nAnswer:' ORDER BY id),
	                      options => '{"max_tokens": 12, "stop": ["\n"]}') AS answers
	      FROM article WHERE lang = 'en') s, unnest(titles, answers) AS u(title, answer);

\echo '-- Tokens of English and Chinese text'
SELECT title, lang, length(body) AS characters, token_count(body) AS tokens FROM article ORDER BY id;

\echo '-- What could come next, and how likely it is'
SELECT * FROM next_tokens('The capital of France is', 5);
