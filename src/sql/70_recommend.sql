-- 70_recommend.sql --- what is nearest to what somebody liked.

CREATE FUNCTION nlp.recommend(items regclass, key name, vectors name, liked text[], k int DEFAULT 10, filter text DEFAULT NULL,
	OUT item text, OUT similarity real, OUT because text, OUT because_similarity real) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'pg_nlp_recommend' LANGUAGE C STABLE PARALLEL RESTRICTED COST 100000 ROWS 10;
COMMENT ON FUNCTION nlp.recommend(regclass, name, name, text[], int, text) IS
	'the k rows of a table nearest by cosine to the mean of the liked ones (keys as text), those not counted, each with the liked item that is nearest to it; filter is an SQL condition on the rows';
