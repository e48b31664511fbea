-- 20_verbs.sql --- the everyday verbs, in the extension's schema.
--
-- Inputs first, then model (NULL: the task's default), then options. NULL in, NULL out
-- (the C side looks, since model and options may be NULL). What reads a model is STABLE,
-- never IMMUTABLE: models change. COST is in cpu_operator_cost, about 10 ns of work each
-- at the default settings, for a small model and an answer of ordinary length.

CREATE FUNCTION generate(prompt text, model text DEFAULT NULL, options jsonb DEFAULT NULL) RETURNS text
	AS 'MODULE_PATHNAME', 'pg_nlp_generate' LANGUAGE C STABLE PARALLEL SAFE COST 20000000;
COMMENT ON FUNCTION generate(text, text, jsonb) IS
	'the prompt continued by a language model, greedily: always the same answer. Options: max_tokens (128), stop, ignore_eos, truncate, on_error, special';

CREATE FUNCTION generate(prompts text[], model text DEFAULT NULL, options jsonb DEFAULT NULL) RETURNS text[]
	AS 'MODULE_PATHNAME', 'pg_nlp_generate_array' LANGUAGE C STABLE PARALLEL SAFE COST 200000000;
COMMENT ON FUNCTION generate(text[], text, jsonb) IS
	'many prompts continued as one batch, answers in the order of the prompts; the same answers as one by one, several times faster';

CREATE FUNCTION sample(prompt text, model text DEFAULT NULL, options jsonb DEFAULT NULL) RETURNS text
	AS 'MODULE_PATHNAME', 'pg_nlp_sample' LANGUAGE C VOLATILE PARALLEL SAFE COST 20000000;
COMMENT ON FUNCTION sample(text, text, jsonb) IS
	'the prompt continued by drawing tokens at random. Options: those of generate, and temperature (0.8), top_k (40), top_p (0.95), min_p (0.05), repeat_penalty, presence_penalty, frequency_penalty, seed';

CREATE FUNCTION sample(prompts text[], model text DEFAULT NULL, options jsonb DEFAULT NULL) RETURNS text[]
	AS 'MODULE_PATHNAME', 'pg_nlp_sample_array' LANGUAGE C VOLATILE PARALLEL SAFE COST 200000000;
COMMENT ON FUNCTION sample(text[], text, jsonb) IS
	'many prompts continued at random as one batch, answers in the order of the prompts; with a seed, each element draws its own numbers';

CREATE FUNCTION chat(messages jsonb, model text DEFAULT NULL, options jsonb DEFAULT NULL) RETURNS text
	AS 'MODULE_PATHNAME', 'pg_nlp_chat' LANGUAGE C STABLE PARALLEL SAFE COST 40000000;
COMMENT ON FUNCTION chat(jsonb, text, jsonb) IS
	'the next message of a chat, greedily, through the model''s own chat template; messages is an array of {"role", "content"}. Options: max_tokens (256), stop, ignore_eos, truncate, on_error';

CREATE FUNCTION sample_chat(messages jsonb, model text DEFAULT NULL, options jsonb DEFAULT NULL) RETURNS text
	AS 'MODULE_PATHNAME', 'pg_nlp_sample_chat' LANGUAGE C VOLATILE PARALLEL SAFE COST 40000000;
COMMENT ON FUNCTION sample_chat(jsonb, text, jsonb) IS
	'the next message of a chat, drawn at random; options of chat and the sampling options of sample';

CREATE FUNCTION generate_stream(prompt text, model text DEFAULT NULL, options jsonb DEFAULT NULL) RETURNS SETOF text
	AS 'MODULE_PATHNAME', 'pg_nlp_generate_stream' LANGUAGE C STABLE PARALLEL SAFE COST 20000000 ROWS 100;
COMMENT ON FUNCTION generate_stream(text, text, jsonb) IS
	'the answer of generate piece by piece, each row sent as it is made when called in the select list (not in FROM); read it in single-row mode, with a cursor, or with psql''s FETCH_COUNT set to 1';

CREATE FUNCTION summarize(input text, model text DEFAULT NULL, options jsonb DEFAULT NULL) RETURNS text
	AS 'MODULE_PATHNAME', 'pg_nlp_summarize' LANGUAGE C STABLE PARALLEL SAFE COST 80000000;
COMMENT ON FUNCTION summarize(text, text, jsonb) IS
	'a short summary written by a language model; a text longer than the model''s context is summarised in pieces, then together. Options: method ("abstractive"), max_tokens (128), instruction, stop, on_error';

CREATE FUNCTION summarize(inputs text[], model text DEFAULT NULL, options jsonb DEFAULT NULL) RETURNS text[]
	AS 'MODULE_PATHNAME', 'pg_nlp_summarize_array' LANGUAGE C STABLE PARALLEL SAFE COST 800000000;
COMMENT ON FUNCTION summarize(text[], text, jsonb) IS
	'summaries of many texts as one batch, in the order of the texts';

CREATE FUNCTION tokenize(input text, model text DEFAULT NULL, options jsonb DEFAULT NULL) RETURNS text[]
	AS 'MODULE_PATHNAME', 'pg_nlp_tokenize' LANGUAGE C STABLE PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION tokenize(text, text, jsonb) IS
	'the tokens of a text as the model''s vocabulary spells them. Options: special (texts of special tokens become those tokens), bos (begin as the model asks), on_error';

CREATE FUNCTION token_ids(input text, model text DEFAULT NULL, options jsonb DEFAULT NULL) RETURNS int[]
	AS 'MODULE_PATHNAME', 'pg_nlp_token_ids' LANGUAGE C STABLE PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION token_ids(text, text, jsonb) IS
	'the token ids of a text. Options: special, bos, on_error';

CREATE FUNCTION token_count(input text, model text DEFAULT NULL, options jsonb DEFAULT NULL) RETURNS int
	AS 'MODULE_PATHNAME', 'pg_nlp_token_count' LANGUAGE C STABLE PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION token_count(text, text, jsonb) IS
	'how many tokens a text has. Options: special, bos, on_error';

CREATE FUNCTION detokenize(ids int[], model text DEFAULT NULL, options jsonb DEFAULT NULL) RETURNS text
	AS 'MODULE_PATHNAME', 'pg_nlp_detokenize' LANGUAGE C STABLE PARALLEL SAFE COST 2000;
COMMENT ON FUNCTION detokenize(int[], text, jsonb) IS
	'the text of token ids, the inverse of token_ids; bytes that are not whole characters become U+FFFD. Options: special (show special tokens), on_error';

CREATE FUNCTION next_tokens(prompt text, k int DEFAULT 10, model text DEFAULT NULL, options jsonb DEFAULT NULL,
							OUT token text, OUT id int, OUT probability double precision) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'pg_nlp_next_tokens' LANGUAGE C STABLE PARALLEL SAFE COST 2000000 ROWS 10;
COMMENT ON FUNCTION next_tokens(text, int, text, jsonb) IS
	'the k likeliest tokens after a prompt with their probabilities, likeliest first. Options: special, on_error';

CREATE FUNCTION perplexity(input text, model text DEFAULT NULL, options jsonb DEFAULT NULL) RETURNS double precision
	AS 'MODULE_PATHNAME', 'pg_nlp_perplexity' LANGUAGE C STABLE PARALLEL SAFE COST 10000000;
COMMENT ON FUNCTION perplexity(text, text, jsonb) IS
	'how surprised the model is by a text: exp of the mean negative log-probability of its tokens, each given those before it; NULL under two tokens. Options: special, on_error';
