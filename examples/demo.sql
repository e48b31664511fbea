-- demo.sql --- what make demo shows: real output of a real model on real rows.
-- Run again at any time:  .server/psql -f examples/demo.sql
\set ON_ERROR_STOP on
SET pg_nlp.generation_model = 'smollm2';	-- there may be others by now
\set ECHO queries
\pset footer off
\timing on

\echo
\echo '-- The models here, and what they can do'
SELECT name, tasks, architecture, parameters, pg_size_pretty(bytes) AS size, resident FROM nlp.models;

\pset format unaligned
\pset tuples_only on
\pset fieldsep ': '
\pset recordsep '\n\n'

\echo
\echo '-- A summary of each of three articles'
SELECT title, summarize(body, options => '{"max_tokens": 100}') AS summary
	FROM article WHERE lang = 'en' ORDER BY id LIMIT 3;

\echo
\echo '-- Text that goes on from a prompt (greedy: the same answer every time)'
SELECT generate('The three largest oceans of the Earth are', options => '{"max_tokens": 32}');

\echo
\echo '-- The same prompt, sampled with a seed'
SELECT sample('The three largest oceans of the Earth are', options => '{"max_tokens": 32, "temperature": 0.8, "top_p": 0.95, "seed": 7}');

\echo
\echo '-- A chat'
SELECT chat('[{"role": "system", "content": "You answer in one short sentence."},
              {"role": "user",   "content": "What does a database index do?"}]',
            options => '{"max_tokens": 60}');

\echo
\echo '-- Many prompts in one call share every pass over the weights'
\pset recordsep '\n'
SELECT u.*
	FROM (SELECT array_agg(title ORDER BY id) AS titles,
	             generate(array_agg('In one sentence: ' || title || ' is' ORDER BY id),
	                      options => '{"max_tokens": 24, "stop": [".", "\n"]}') AS answers
	      FROM article WHERE lang = 'en') s, unnest(titles, answers) AS u(title, answer);

\pset tuples_only off
\pset format aligned
\echo
\echo '-- Tokens of English and Chinese text'
SELECT title, lang, length(body) AS characters, token_count(body) AS tokens FROM article ORDER BY id;

\echo
\echo '-- What could come next, and how likely it is'
SELECT token, round(probability::numeric, 3) AS probability FROM next_tokens('The capital of France is', 5);
\timing off
