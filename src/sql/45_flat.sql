-- 45_flat.sql --- nlp_flat: exact nearest neighbours from an index that builds in seconds.

CREATE FUNCTION nlp.flat_handler(internal) RETURNS index_am_handler
	AS 'MODULE_PATHNAME', 'pg_nlp_flat_handler' LANGUAGE C;
COMMENT ON FUNCTION nlp.flat_handler(internal) IS 'handler of the index access method nlp_flat';

CREATE ACCESS METHOD nlp_flat TYPE INDEX HANDLER nlp.flat_handler;
COMMENT ON ACCESS METHOD nlp_flat IS
	'embeddings as one block of bytes, read whole by each search; answers are exact';

CREATE FUNCTION nlp.flat_metric_l2(internal) RETURNS integer
	AS 'MODULE_PATHNAME', 'pg_nlp_flat_metric_l2' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION nlp.flat_metric_l2(internal) IS 'nlp_flat support: the class measures Euclidean distance';

CREATE FUNCTION nlp.flat_metric_ip(internal) RETURNS integer
	AS 'MODULE_PATHNAME', 'pg_nlp_flat_metric_ip' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION nlp.flat_metric_ip(internal) IS 'nlp_flat support: the class measures the negative inner product';

CREATE FUNCTION nlp.flat_metric_cosine(internal) RETURNS integer
	AS 'MODULE_PATHNAME', 'pg_nlp_flat_metric_cosine' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION nlp.flat_metric_cosine(internal) IS 'nlp_flat support: the class measures cosine distance';

CREATE OPERATOR CLASS embedding_l2_ops DEFAULT FOR TYPE embedding USING nlp_flat AS
	OPERATOR 1 <-> (embedding, embedding) FOR ORDER BY pg_catalog.float_ops,
	FUNCTION 1 nlp.flat_metric_l2(internal);
COMMENT ON OPERATOR CLASS embedding_l2_ops USING nlp_flat IS 'nearest by <->, Euclidean distance';

CREATE OPERATOR CLASS embedding_ip_ops FOR TYPE embedding USING nlp_flat AS
	OPERATOR 1 <#> (embedding, embedding) FOR ORDER BY pg_catalog.float_ops,
	FUNCTION 1 nlp.flat_metric_ip(internal);
COMMENT ON OPERATOR CLASS embedding_ip_ops USING nlp_flat IS 'nearest by <#>, the negative inner product';

CREATE OPERATOR CLASS embedding_cosine_ops FOR TYPE embedding USING nlp_flat AS
	OPERATOR 1 <=> (embedding, embedding) FOR ORDER BY pg_catalog.float_ops,
	FUNCTION 1 nlp.flat_metric_cosine(internal);
COMMENT ON OPERATOR CLASS embedding_cosine_ops USING nlp_flat IS 'nearest by <=>, cosine distance; embeddings of zeros are not found';
