-- 60_segment.sql --- cutting text into words.

CREATE FUNCTION segment(input text, model text DEFAULT NULL, options jsonb DEFAULT NULL) RETURNS text[]
	AS 'MODULE_PATHNAME', 'pg_nlp_segment' LANGUAGE C STABLE PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION segment(text, text, jsonb) IS
	'the words of a text, in order, Chinese ones found by a segmenter; punctuation stands alone, white space is left out. Options: hmm (true: cut what the dictionary does not know by a model of characters), on_error';
