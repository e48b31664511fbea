-- tokenize, token_ids, token_count, detokenize, next_tokens, perplexity.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pg_nlp;
RESET client_min_messages;
-- SmolLM2-135M-Instruct, fetched by "make models"
\getenv models_dir MODELS_DIR
\set model_path :models_dir '/SmolLM2-135M-Instruct.Q4_1.gguf'
SELECT count(*) AS here FROM nlp.models WHERE name = 'smollm2' \gset
SELECT CASE WHEN :here = 0 THEN nlp.load_model('smollm2', :'model_path') END \gset load_
SET pg_nlp.generation_model = 'smollm2';

SELECT tokenize('Hello world, tokenizers!'), token_ids('Hello world, tokenizers!'), token_count('Hello world, tokenizers!');
SELECT tokenize(''), token_ids(''), token_count(''), detokenize('{}');
-- there and back again, exactly
CREATE TABLE t (body text);
INSERT INTO t VALUES ('plain'), (' leading and trailing '), (E'tabs\tand\n\nlines\r\n'), ('naïve café — “quotes”'), ('中文字符，標點。'), ('日本語と한국어'),
	('emoji 👩‍👩‍👧‍👦 🇪🇺 ✨'), ('مرحبا بالعالم'), ('<|im_start|>user<|endoftext|>'), ('x=1;  // code {\n\t}'), (repeat(' ', 100)), (repeat('a', 3000)), (U&'\FDFA\0301\200D');
SELECT count(*) FROM t WHERE detokenize(token_ids(body)) IS DISTINCT FROM body;
SELECT count(*) FROM t WHERE token_count(body) <> cardinality(token_ids(body)) OR token_count(body) <> cardinality(tokenize(body));
SELECT bool_and(detokenize(token_ids(body, options => '{"special": true}'), options => '{"special": true}') = body) AS same FROM t;
-- special tokens: only when asked, shown only when asked
SELECT token_ids('<|im_start|>user'), token_ids('<|im_start|>user', options => '{"special": true}');
SELECT detokenize(token_ids('<|im_start|>user', options => '{"special": true}')), detokenize(token_ids('<|im_start|>user', options => '{"special": true}'), options => '{"special": true}');
-- bytes of a character cut through: U+FFFD, and all of it is there together
SELECT token_count('👩') > 1 AS several, bool_or(detokenize(ARRAY[id]) LIKE U&'%\FFFD%') AS cut FROM unnest(token_ids('👩')) AS id;
-- ids that are none
SELECT detokenize('{1000000}');
SELECT detokenize('{-1}');
SELECT detokenize('{1,NULL}');
SELECT detokenize('{{1},{2}}');
SELECT detokenize('{-1}', options => '{"on_error": "null"}') IS NULL AS given_up;
SELECT tokenize('x', options => '{"max_tokens": 5}');
SELECT token_count('x', 'nothing of this name');
-- a long text takes time in proportion
SELECT token_count(repeat('The quick brown fox. ', 20000));
SELECT token_count(repeat('a', 1000000)) > 0 AS one_long_word;

-- probabilities of what may come next: descending, distinct, at most 1 together
SELECT count(*), bool_and(probability > 0 AND probability <= 1) AS range, sum(probability) <= 1.0001 AS sum, count(DISTINCT id)
	FROM next_tokens('The capital of France is', 20);
SELECT token FROM next_tokens('The capital of France is', 1);
SELECT bool_and(p >= later) AS descending FROM (SELECT probability AS p, lead(probability, 1, 0) OVER (ORDER BY ordinality) AS later
	FROM next_tokens('The capital of France is', 20) WITH ORDINALITY) s;
-- the first is what generate chooses
SELECT token = generate('The capital of France is', options => '{"max_tokens": 1}') AS same FROM next_tokens('The capital of France is', 1);
SELECT count(*), abs(sum(probability) - 1) < 1e-3 AS all_of_it FROM next_tokens('The capital of France is', 100000);
SELECT count(*) FROM next_tokens('x');
SELECT * FROM next_tokens('x', 0);
SELECT count(*) FROM next_tokens('x', NULL);
SELECT * FROM next_tokens('x', 3, NULL, '{"top_k": 1}');

-- perplexity: exp of the mean surprise
SELECT perplexity('The capital of France is Paris.') < perplexity('Paris of the is France capital.') AS sense_is_less_surprising;
SELECT abs(perplexity(body) - exp(-ln(p) / 1)) < 1e-3 * perplexity(body) AS two_tokens FROM
	(SELECT 'The capital' AS body, probability AS p FROM next_tokens('The', 49152) WHERE token = ' capital') s;
SELECT perplexity('') IS NULL AS nothing, perplexity('The') IS NULL AS one_token;
SELECT perplexity(repeat('word ', 9000));
SELECT perplexity(repeat('word ', 9000), options => '{"on_error": "null"}') IS NULL AS given_up;
DROP TABLE t;
