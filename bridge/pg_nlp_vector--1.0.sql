-- pg_nlp_vector: the type embedding of pg_nlp and the type vector of pgvector (0.7 or later) side by side.
--
-- The two types have the same bytes, so a value of the one is a value of the other and the
-- casts copy nothing. embedding to vector is implicit: wherever pgvector wants a vector,
-- `ORDER BY v <=> embed('…')` included, an embedding will do. vector to embedding happens
-- in assignments and when asked for: were it implicit too, an operator between the two
-- would have two meanings of equal rank, and PostgreSQL would refuse it.
--
-- pgvector's access methods call their support functions with whatever the column holds,
-- so its own functions stand in the operator classes; the operators are those of embedding,
-- which is how the planner knows the index for `e <-> …`.

\echo Use "CREATE EXTENSION pg_nlp_vector" to load this file. \quit

CREATE CAST (embedding AS vector) WITHOUT FUNCTION AS IMPLICIT;
COMMENT ON CAST (embedding AS vector) IS 'the same bytes';
CREATE CAST (vector AS embedding) WITHOUT FUNCTION AS ASSIGNMENT;
COMMENT ON CAST (vector AS embedding) IS 'the same bytes';

-- Casts are not chained, so steps to and from pgvector's other types get entries of their own.
CREATE FUNCTION halfvec_to_embedding(halfvec, integer, boolean) RETURNS embedding
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS '$libdir/vector', 'halfvec_to_vector';
COMMENT ON FUNCTION halfvec_to_embedding(halfvec, integer, boolean) IS 'the numbers in full precision';
CREATE FUNCTION sparsevec_to_embedding(sparsevec, integer, boolean) RETURNS embedding
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS '$libdir/vector', 'sparsevec_to_vector';
COMMENT ON FUNCTION sparsevec_to_embedding(sparsevec, integer, boolean) IS 'the numbers, zeros included';
CREATE CAST (embedding AS halfvec) WITH FUNCTION vector_to_halfvec(vector, integer, boolean) AS ASSIGNMENT;
CREATE CAST (halfvec AS embedding) WITH FUNCTION halfvec_to_embedding(halfvec, integer, boolean) AS ASSIGNMENT;
CREATE CAST (embedding AS sparsevec) WITH FUNCTION vector_to_sparsevec(vector, integer, boolean) AS ASSIGNMENT;
CREATE CAST (sparsevec AS embedding) WITH FUNCTION sparsevec_to_embedding(sparsevec, integer, boolean) AS ASSIGNMENT;

---- hnsw

CREATE OPERATOR CLASS embedding_l2_ops FOR TYPE embedding USING hnsw AS
	OPERATOR 1 <-> (embedding, embedding) FOR ORDER BY float_ops,
	FUNCTION 1 vector_l2_squared_distance(vector, vector);

CREATE OPERATOR CLASS embedding_ip_ops FOR TYPE embedding USING hnsw AS
	OPERATOR 1 <#> (embedding, embedding) FOR ORDER BY float_ops,
	FUNCTION 1 vector_negative_inner_product(vector, vector);

CREATE OPERATOR CLASS embedding_cosine_ops FOR TYPE embedding USING hnsw AS
	OPERATOR 1 <=> (embedding, embedding) FOR ORDER BY float_ops,
	FUNCTION 1 vector_negative_inner_product(vector, vector),
	FUNCTION 2 vector_norm(vector);

CREATE OPERATOR CLASS embedding_l1_ops FOR TYPE embedding USING hnsw AS
	OPERATOR 1 <+> (embedding, embedding) FOR ORDER BY float_ops,
	FUNCTION 1 l1_distance(vector, vector);

---- ivfflat

CREATE OPERATOR CLASS embedding_l2_ops DEFAULT FOR TYPE embedding USING ivfflat AS
	OPERATOR 1 <-> (embedding, embedding) FOR ORDER BY float_ops,
	FUNCTION 1 vector_l2_squared_distance(vector, vector),
	FUNCTION 3 l2_distance(vector, vector);

CREATE OPERATOR CLASS embedding_ip_ops FOR TYPE embedding USING ivfflat AS
	OPERATOR 1 <#> (embedding, embedding) FOR ORDER BY float_ops,
	FUNCTION 1 vector_negative_inner_product(vector, vector),
	FUNCTION 3 vector_spherical_distance(vector, vector),
	FUNCTION 4 vector_norm(vector);

CREATE OPERATOR CLASS embedding_cosine_ops FOR TYPE embedding USING ivfflat AS
	OPERATOR 1 <=> (embedding, embedding) FOR ORDER BY float_ops,
	FUNCTION 1 vector_negative_inner_product(vector, vector),
	FUNCTION 2 vector_norm(vector),
	FUNCTION 3 vector_spherical_distance(vector, vector),
	FUNCTION 4 vector_norm(vector);
