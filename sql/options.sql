-- Options of the verbs: what is unknown, of a wrong type or out of range is refused by
-- name. An array without elements needs no model, so nothing else is looked at here.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pg_nlp;
RESET client_min_messages;

-- One line a case: what is said, its SQLSTATE and the hint.
CREATE FUNCTION try_options(verb text, options text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	m text; s text; h text;
BEGIN
	EXECUTE format('SELECT %s(ARRAY[]::text[], options => %L)', verb, options);
	RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS m = MESSAGE_TEXT, s = RETURNED_SQLSTATE, h = PG_EXCEPTION_HINT;
	RETURN s || ' ' || m || CASE WHEN h <> '' THEN ' | ' || h ELSE '' END;
END $$;

-- all that is known, at its limits
SELECT try_options('generate', '{"max_tokens": 1, "stop": "x", "ignore_eos": true, "truncate": false, "on_error": "error", "special": true}');
SELECT try_options('generate', '{"max_tokens": 1000000, "stop": ["a", "b"], "on_error": "null"}');
SELECT try_options('sample', '{"temperature": 0, "top_k": 0, "top_p": 1, "min_p": 0, "repeat_penalty": 10, "presence_penalty": -10, "frequency_penalty": 10, "seed": -9223372036854775808}');
SELECT try_options('sample', '{"temperature": 100, "top_p": 0.0001, "min_p": 1, "seed": 9223372036854775807}');
SELECT try_options('sample', '{"seed": 42.0}');
-- null is "not given"
SELECT try_options('generate', '{"max_tokens": null, "stop": null}');
SELECT try_options('generate', '{}');
-- unknown keys, and known ones of other verbs
SELECT try_options('generate', '{"max_token": 3}');
SELECT try_options('generate', '{"temperature": 1}');
SELECT try_options('generate', '{"seed": 1}');
SELECT try_options('generate', '{"batch": 1}');
SELECT try_options('sample', '{"": 1}');
SELECT try_options('summarize', '{"temperature": 1}');
-- not an object
SELECT try_options('generate', '[]');
SELECT try_options('generate', '"max_tokens"');
SELECT try_options('generate', 'null');
-- types and ranges
SELECT key, try_options('sample', format('{"%s": %s}', key, value))
	FROM (VALUES ('max_tokens', '0'), ('max_tokens', '-1'), ('max_tokens', '1000001'), ('max_tokens', '1.5'),
				 ('max_tokens', '"5"'), ('max_tokens', '1e400'), ('max_tokens', '[1]'),
				 ('ignore_eos', '1'), ('ignore_eos', '"true"'), ('truncate', '{}'),
				 ('on_error', 'true'), ('on_error', '"ignore"'),
				 ('stop', '""'), ('stop', '5'), ('stop', '["a", ""]'), ('stop', '["a", 1]'), ('stop', '{"a": 1}'),
				 ('stop', '["1","2","3","4","5","6","7","8","9","10","11","12","13","14","15","16","17"]'),
				 ('temperature', '-0.1'), ('temperature', '101'), ('temperature', '"hot"'),
				 ('top_k', '-1'), ('top_k', '0.5'), ('top_p', '0'), ('top_p', '1.01'), ('top_p', '1e-300'), ('min_p', '-1'), ('min_p', '2'),
				 ('repeat_penalty', '0'), ('presence_penalty', '11'), ('frequency_penalty', '-11'),
				 ('seed', '1.5'), ('seed', '9223372036854775808'), ('seed', '"1"'), ('special', '0')) AS v(key, value);
SELECT try_options('summarize', '{"method": "extractive"}');
SELECT try_options('summarize', '{"method": "best"}');
SELECT try_options('summarize', '{"method": 1}');
SELECT try_options('summarize', '{"method": "abstractive"}');
SELECT try_options('summarize', '{"instruction": ""}');
-- a chat is greedy; its sampling twin is named
SELECT chat('[]', options => '{"temperature": 0.5}');
SELECT sample_chat(NULL, options => '{"bogus": 0.5}');
SELECT chat(NULL, options => '{"bogus": 0.5}');

-- NULL in, NULL out, without a model
SELECT generate(NULL::text) IS NULL, sample(NULL::text) IS NULL, generate(NULL::text[]) IS NULL,
	chat(NULL) IS NULL, summarize(NULL::text) IS NULL, tokenize(NULL) IS NULL, token_ids(NULL) IS NULL,
	token_count(NULL) IS NULL, detokenize(NULL) IS NULL, perplexity(NULL) IS NULL;
SELECT count(*) FROM next_tokens(NULL);
SELECT count(*) FROM (SELECT generate_stream(NULL)) s;
SELECT generate('{}'::text[]), generate('{NULL,NULL}'::text[]);
-- the settings' texts outlive the postmaster's memory of the time it loaded the library
SELECT name, short_desc FROM pg_settings WHERE name LIKE 'pg\_nlp.%\_model' ORDER BY name;
DROP FUNCTION try_options;
