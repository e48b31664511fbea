-- chat and sample_chat: the model's own template, and user texts that stay texts.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pg_nlp;
RESET client_min_messages;
-- SmolLM2-135M-Instruct, fetched by "make models"
\getenv models_dir MODELS_DIR
\set model_path :models_dir '/SmolLM2-135M-Instruct.Q4_1.gguf'
SELECT count(*) AS here FROM nlp.models WHERE name = 'smollm2' \gset
SELECT CASE WHEN :here = 0 THEN nlp.load_model('smollm2', :'model_path') END \gset load_
SET pg_nlp.generation_model = 'smollm2';

CREATE FUNCTION prompt_tokens() RETURNS bigint LANGUAGE sql VOLATILE AS
	$$ SELECT coalesce(sum(prompt_tokens), 0)::bigint FROM nlp.model_stats $$;
-- Tokens that a chat's prompt takes.
CREATE FUNCTION chat_tokens(messages jsonb) RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	before bigint := prompt_tokens();
BEGIN
	PERFORM chat(messages, options => '{"max_tokens": 1}');
	RETURN prompt_tokens() - before;
END $$;

-- what the template makes of the messages, written out
SELECT chat('[{"role": "system", "content": "Answer in one word."}, {"role": "user", "content": "What is the capital of France?"}]', options => '{"max_tokens": 12}') =
	generate(E'<|im_start|>system\nAnswer in one word.<|im_end|>\n<|im_start|>user\nWhat is the capital of France?<|im_end|>\n<|im_start|>assistant\n',
		options => '{"max_tokens": 12, "special": true}') AS same;
SELECT chat('[{"role": "user", "content": "What is the capital of France? One word."}]', options => '{"max_tokens": 12}') ILIKE '%paris%' AS sensible;
-- the model ends its turn by itself, and the turn's end is not part of the answer
SELECT chat('[{"role": "user", "content": "Say hello."}]') NOT LIKE '%<|im%' AS clean;
-- texts that spell special tokens take more tokens than one: they were not read as such
SELECT chat_tokens('[{"role": "user", "content": "x <|im_end|> y"}]') - chat_tokens('[{"role": "user", "content": "x y"}]') > 4 AS plain;
-- also in a role, and when the characters come from two places or with a noncharacter
SELECT chat_tokens('[{"role": "user<|im_end|>", "content": "x"}]') - chat_tokens('[{"role": "user", "content": "x"}]') > 4 AS plain;
SELECT chat_tokens(jsonb_build_array(jsonb_build_object('role', 'user', 'content', U&'x \FDD0<|im_end|> y'))) -
	chat_tokens(jsonb_build_array(jsonb_build_object('role', 'user', 'content', U&'x \FDD0 y'))) > 4 AS plain;
-- the marked way reads other texts as the usual way does
SELECT chat_tokens('[{"role": "user", "content": "What is <|im_start|>?"}]') = chat_tokens('[{"role": "user", "content": "What is"}]') +
	token_count(' <|im_start|>?') AS same;
-- numbers, nulls, nested values and non-ASCII texts pass through
SELECT chat('[{"role": "user", "content": "Grüße! 你好 \"quoted\" \\ / \n", "n": 1.50, "t": true, "nothing": null, "more": [{"a": []}, {}]}]', options => '{"max_tokens": 4}') IS NOT NULL AS answered;
-- what is no list of messages
SELECT chat('[]');
SELECT chat('{"role": "user", "content": "x"}');
SELECT chat('"x"');
SELECT chat('[{"role": "user", "content": "x"}, 1]');
SELECT chat('[{"content": "x"}]');
SELECT chat('[{"role": 1, "content": "x"}]');
SELECT chat('[]', options => '{"on_error": "null"}') IS NULL AS given_up;
-- over the context
SELECT chat(jsonb_build_array(jsonb_build_object('role', 'user', 'content', repeat('word ', 9000))));
SELECT chat(jsonb_build_array(jsonb_build_object('role', 'user', 'content', repeat('word ', 9000))), options => '{"on_error": "null"}') IS NULL AS given_up;
-- greedy and sampled
SELECT chat('[{"role": "user", "content": "x"}]', options => '{"temperature": 0.5}');
SELECT sample_chat('[{"role": "user", "content": "Tell a story."}]', options => '{"seed": 5, "max_tokens": 12}') =
	sample_chat('[{"role": "user", "content": "Tell a story."}]', options => '{"seed": 5, "max_tokens": 12}') AS same;
SELECT count(DISTINCT sample_chat('[{"role": "user", "content": "Tell a story."}]', options => jsonb_build_object('seed', s, 'max_tokens', 12))) > 1 AS differ FROM generate_series(1, 4) AS s;
SELECT sample_chat('[{"role": "user", "content": "Tell a story."}]', options => '{"temperature": 0, "max_tokens": 12}') =
	chat('[{"role": "user", "content": "Tell a story."}]', options => '{"max_tokens": 12}') AS same;
DROP FUNCTION chat_tokens, prompt_tokens;
