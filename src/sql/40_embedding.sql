-- 40_embedding.sql --- the type embedding: a vector of real numbers, the same bytes as pgvector's vector.
--
-- Functions that users call have the names that pgvector gives them; those behind
-- operators and casts begin with embedding_. The bridge extension pg_nlp_vector makes
-- values of the two types one another's without copying.
--
-- Storage is MAIN: values stay in their rows while those fit a page, so that 384, 768 and
-- 1,536 dimensions are read without TOAST (measured in src/pg/embedding_io.c).

CREATE TYPE embedding;

CREATE FUNCTION embedding_in(cstring, oid, integer) RETURNS embedding
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'pg_nlp_embedding_in';
COMMENT ON FUNCTION embedding_in(cstring, oid, integer) IS 'I/O';

CREATE FUNCTION embedding_out(embedding) RETURNS cstring
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'pg_nlp_embedding_out';
COMMENT ON FUNCTION embedding_out(embedding) IS 'I/O';

CREATE FUNCTION embedding_recv(internal, oid, integer) RETURNS embedding
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'pg_nlp_embedding_recv';
COMMENT ON FUNCTION embedding_recv(internal, oid, integer) IS 'I/O';

CREATE FUNCTION embedding_send(embedding) RETURNS bytea
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'pg_nlp_embedding_send';
COMMENT ON FUNCTION embedding_send(embedding) IS 'I/O';

CREATE FUNCTION embedding_typmod_in(cstring[]) RETURNS integer
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'pg_nlp_embedding_typmod_in';
COMMENT ON FUNCTION embedding_typmod_in(cstring[]) IS 'I/O typmod';

CREATE TYPE embedding (
	INPUT = embedding_in,
	OUTPUT = embedding_out,
	RECEIVE = embedding_recv,
	SEND = embedding_send,
	TYPMOD_IN = embedding_typmod_in,
	ALIGNMENT = int4,
	STORAGE = main
);
COMMENT ON TYPE embedding IS 'up to 16,000 real numbers that stand for a text, a word or a picture; embedding(n) takes n only';

---- distances

CREATE FUNCTION l2_distance(a embedding, b embedding) RETURNS double precision
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'pg_nlp_embedding_l2_distance';
COMMENT ON FUNCTION l2_distance(embedding, embedding) IS 'Euclidean distance';

CREATE FUNCTION inner_product(a embedding, b embedding) RETURNS double precision
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'pg_nlp_embedding_inner_product';
COMMENT ON FUNCTION inner_product(embedding, embedding) IS 'inner product';

CREATE FUNCTION cosine_distance(a embedding, b embedding) RETURNS double precision
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'pg_nlp_embedding_cosine_distance';
COMMENT ON FUNCTION cosine_distance(embedding, embedding) IS '1 - cosine of the angle between two embeddings, 0 to 2';

CREATE FUNCTION l1_distance(a embedding, b embedding) RETURNS double precision
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'pg_nlp_embedding_l1_distance';
COMMENT ON FUNCTION l1_distance(embedding, embedding) IS 'taxicab distance';

CREATE FUNCTION embedding_l2_squared_distance(a embedding, b embedding) RETURNS double precision
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'pg_nlp_embedding_l2_squared_distance';
COMMENT ON FUNCTION embedding_l2_squared_distance(embedding, embedding) IS 'square of the Euclidean distance, for index access methods';

CREATE FUNCTION embedding_negative_inner_product(a embedding, b embedding) RETURNS double precision
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'pg_nlp_embedding_negative_inner_product';
COMMENT ON FUNCTION embedding_negative_inner_product(embedding, embedding) IS 'implementation of <#>';

CREATE FUNCTION embedding_spherical_distance(a embedding, b embedding) RETURNS double precision
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'pg_nlp_embedding_spherical_distance';
COMMENT ON FUNCTION embedding_spherical_distance(embedding, embedding) IS 'angle between two unit vectors, 0 to 1, for index access methods';

---- facts and pieces of an embedding

CREATE FUNCTION vector_dims(e embedding) RETURNS integer
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'pg_nlp_embedding_dims';
COMMENT ON FUNCTION vector_dims(embedding) IS 'how many dimensions';

CREATE FUNCTION vector_norm(e embedding) RETURNS double precision
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'pg_nlp_embedding_norm';
COMMENT ON FUNCTION vector_norm(embedding) IS 'Euclidean length';

CREATE FUNCTION l2_normalize(e embedding) RETURNS embedding
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'pg_nlp_embedding_l2_normalize';
COMMENT ON FUNCTION l2_normalize(embedding) IS 'the same direction with length 1';

CREATE FUNCTION binary_quantize(e embedding) RETURNS bit
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'pg_nlp_embedding_binary_quantize';
COMMENT ON FUNCTION binary_quantize(embedding) IS 'a bit for each dimension, 1 where it is above 0';

CREATE FUNCTION subvector(e embedding, start integer, count integer) RETURNS embedding
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'pg_nlp_embedding_subvector';
COMMENT ON FUNCTION subvector(embedding, integer, integer) IS 'count dimensions from start on, counted from 1';

---- arithmetic

CREATE FUNCTION embedding_add(a embedding, b embedding) RETURNS embedding
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'pg_nlp_embedding_add';
COMMENT ON FUNCTION embedding_add(embedding, embedding) IS 'implementation of +';

CREATE FUNCTION embedding_sub(a embedding, b embedding) RETURNS embedding
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'pg_nlp_embedding_sub';
COMMENT ON FUNCTION embedding_sub(embedding, embedding) IS 'implementation of -';

CREATE FUNCTION embedding_mul(a embedding, b embedding) RETURNS embedding
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'pg_nlp_embedding_mul';
COMMENT ON FUNCTION embedding_mul(embedding, embedding) IS 'implementation of *';

CREATE FUNCTION embedding_concat(a embedding, b embedding) RETURNS embedding
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'pg_nlp_embedding_concat';
COMMENT ON FUNCTION embedding_concat(embedding, embedding) IS 'implementation of ||';

---- order and equality

CREATE FUNCTION embedding_lt(a embedding, b embedding) RETURNS boolean
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'pg_nlp_embedding_lt';
COMMENT ON FUNCTION embedding_lt(embedding, embedding) IS 'implementation of <';

CREATE FUNCTION embedding_le(a embedding, b embedding) RETURNS boolean
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'pg_nlp_embedding_le';
COMMENT ON FUNCTION embedding_le(embedding, embedding) IS 'implementation of <=';

CREATE FUNCTION embedding_eq(a embedding, b embedding) RETURNS boolean
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'pg_nlp_embedding_eq';
COMMENT ON FUNCTION embedding_eq(embedding, embedding) IS 'implementation of =';

CREATE FUNCTION embedding_ne(a embedding, b embedding) RETURNS boolean
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'pg_nlp_embedding_ne';
COMMENT ON FUNCTION embedding_ne(embedding, embedding) IS 'implementation of <>';

CREATE FUNCTION embedding_ge(a embedding, b embedding) RETURNS boolean
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'pg_nlp_embedding_ge';
COMMENT ON FUNCTION embedding_ge(embedding, embedding) IS 'implementation of >=';

CREATE FUNCTION embedding_gt(a embedding, b embedding) RETURNS boolean
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'pg_nlp_embedding_gt';
COMMENT ON FUNCTION embedding_gt(embedding, embedding) IS 'implementation of >';

CREATE FUNCTION embedding_cmp(a embedding, b embedding) RETURNS integer
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'pg_nlp_embedding_cmp';
COMMENT ON FUNCTION embedding_cmp(embedding, embedding) IS 'less-equal-greater';

CREATE FUNCTION embedding_hash(e embedding) RETURNS integer
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'pg_nlp_embedding_hash';
COMMENT ON FUNCTION embedding_hash(embedding) IS 'hash';

CREATE FUNCTION embedding_hash_extended(e embedding, seed bigint) RETURNS bigint
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'pg_nlp_embedding_hash_extended';
COMMENT ON FUNCTION embedding_hash_extended(embedding, bigint) IS 'hash';

---- aggregates

CREATE FUNCTION embedding_accum(state double precision[], e embedding) RETURNS double precision[]
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'pg_nlp_embedding_accum';
COMMENT ON FUNCTION embedding_accum(double precision[], embedding) IS 'aggregate transition function';

CREATE FUNCTION embedding_combine(state double precision[], other double precision[]) RETURNS double precision[]
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'pg_nlp_embedding_combine';
COMMENT ON FUNCTION embedding_combine(double precision[], double precision[]) IS 'aggregate combine function';

CREATE FUNCTION embedding_avg(state double precision[]) RETURNS embedding
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'pg_nlp_embedding_avg';
COMMENT ON FUNCTION embedding_avg(double precision[]) IS 'aggregate final function';

CREATE FUNCTION embedding_sum(state double precision[]) RETURNS embedding
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'pg_nlp_embedding_sum';
COMMENT ON FUNCTION embedding_sum(double precision[]) IS 'aggregate final function';

CREATE AGGREGATE avg(embedding) (
	SFUNC = embedding_accum,
	STYPE = double precision[],
	FINALFUNC = embedding_avg,
	COMBINEFUNC = embedding_combine,
	INITCOND = '{0}',
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE avg(embedding) IS 'the average of each dimension over all embeddings that are not null';

CREATE AGGREGATE sum(embedding) (
	SFUNC = embedding_accum,
	STYPE = double precision[],
	FINALFUNC = embedding_sum,
	COMBINEFUNC = embedding_combine,
	INITCOND = '{0}',
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE sum(embedding) IS 'the sum of each dimension over all embeddings that are not null';

---- casts

CREATE FUNCTION embedding(e embedding, typmod integer, explicit boolean) RETURNS embedding
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'pg_nlp_embedding_coerce';
COMMENT ON FUNCTION embedding(embedding, integer, boolean) IS 'the embedding itself, when it has as many dimensions as typmod says';

CREATE FUNCTION array_to_embedding(numbers integer[], typmod integer, explicit boolean) RETURNS embedding
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'pg_nlp_array_to_embedding';
COMMENT ON FUNCTION array_to_embedding(integer[], integer, boolean) IS 'an embedding made of an array';

CREATE FUNCTION array_to_embedding(numbers real[], typmod integer, explicit boolean) RETURNS embedding
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'pg_nlp_array_to_embedding';
COMMENT ON FUNCTION array_to_embedding(real[], integer, boolean) IS 'an embedding made of an array';

CREATE FUNCTION array_to_embedding(numbers double precision[], typmod integer, explicit boolean) RETURNS embedding
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'pg_nlp_array_to_embedding';
COMMENT ON FUNCTION array_to_embedding(double precision[], integer, boolean) IS 'an embedding made of an array';

CREATE FUNCTION array_to_embedding(numbers numeric[], typmod integer, explicit boolean) RETURNS embedding
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'pg_nlp_array_to_embedding';
COMMENT ON FUNCTION array_to_embedding(numeric[], integer, boolean) IS 'an embedding made of an array';

CREATE FUNCTION embedding_to_float4(e embedding, typmod integer, explicit boolean) RETURNS real[]
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'pg_nlp_embedding_to_float4';
COMMENT ON FUNCTION embedding_to_float4(embedding, integer, boolean) IS 'the numbers of an embedding';

CREATE CAST (embedding AS embedding) WITH FUNCTION embedding(embedding, integer, boolean) AS IMPLICIT;
CREATE CAST (embedding AS real[]) WITH FUNCTION embedding_to_float4(embedding, integer, boolean) AS IMPLICIT;
CREATE CAST (integer[] AS embedding) WITH FUNCTION array_to_embedding(integer[], integer, boolean) AS ASSIGNMENT;
CREATE CAST (real[] AS embedding) WITH FUNCTION array_to_embedding(real[], integer, boolean) AS ASSIGNMENT;
CREATE CAST (double precision[] AS embedding) WITH FUNCTION array_to_embedding(double precision[], integer, boolean) AS ASSIGNMENT;
CREATE CAST (numeric[] AS embedding) WITH FUNCTION array_to_embedding(numeric[], integer, boolean) AS ASSIGNMENT;

---- operators

CREATE OPERATOR <-> (LEFTARG = embedding, RIGHTARG = embedding, FUNCTION = l2_distance, COMMUTATOR = <->);
COMMENT ON OPERATOR <-> (embedding, embedding) IS 'Euclidean distance';

CREATE OPERATOR <#> (LEFTARG = embedding, RIGHTARG = embedding, FUNCTION = embedding_negative_inner_product, COMMUTATOR = <#>);
COMMENT ON OPERATOR <#> (embedding, embedding) IS 'inner product times -1, so that near comes first';

CREATE OPERATOR <=> (LEFTARG = embedding, RIGHTARG = embedding, FUNCTION = cosine_distance, COMMUTATOR = <=>);
COMMENT ON OPERATOR <=> (embedding, embedding) IS 'cosine distance';

CREATE OPERATOR <+> (LEFTARG = embedding, RIGHTARG = embedding, FUNCTION = l1_distance, COMMUTATOR = <+>);
COMMENT ON OPERATOR <+> (embedding, embedding) IS 'taxicab distance';

CREATE OPERATOR + (LEFTARG = embedding, RIGHTARG = embedding, FUNCTION = embedding_add, COMMUTATOR = +);
COMMENT ON OPERATOR + (embedding, embedding) IS 'add, dimension by dimension';

CREATE OPERATOR - (LEFTARG = embedding, RIGHTARG = embedding, FUNCTION = embedding_sub);
COMMENT ON OPERATOR - (embedding, embedding) IS 'subtract, dimension by dimension';

CREATE OPERATOR * (LEFTARG = embedding, RIGHTARG = embedding, FUNCTION = embedding_mul, COMMUTATOR = *);
COMMENT ON OPERATOR * (embedding, embedding) IS 'multiply, dimension by dimension';

CREATE OPERATOR || (LEFTARG = embedding, RIGHTARG = embedding, FUNCTION = embedding_concat);
COMMENT ON OPERATOR || (embedding, embedding) IS 'the dimensions of the one, then those of the other';

CREATE OPERATOR < (LEFTARG = embedding, RIGHTARG = embedding, FUNCTION = embedding_lt, COMMUTATOR = >, NEGATOR = >=,
	RESTRICT = scalarltsel, JOIN = scalarltjoinsel);
COMMENT ON OPERATOR < (embedding, embedding) IS 'less than';

CREATE OPERATOR <= (LEFTARG = embedding, RIGHTARG = embedding, FUNCTION = embedding_le, COMMUTATOR = >=, NEGATOR = >,
	RESTRICT = scalarlesel, JOIN = scalarlejoinsel);
COMMENT ON OPERATOR <= (embedding, embedding) IS 'less than or equal';

CREATE OPERATOR = (LEFTARG = embedding, RIGHTARG = embedding, FUNCTION = embedding_eq, COMMUTATOR = =, NEGATOR = <>,
	RESTRICT = eqsel, JOIN = eqjoinsel, HASHES, MERGES);
COMMENT ON OPERATOR = (embedding, embedding) IS 'equal';

CREATE OPERATOR <> (LEFTARG = embedding, RIGHTARG = embedding, FUNCTION = embedding_ne, COMMUTATOR = <>, NEGATOR = =,
	RESTRICT = neqsel, JOIN = neqjoinsel);
COMMENT ON OPERATOR <> (embedding, embedding) IS 'not equal';

CREATE OPERATOR >= (LEFTARG = embedding, RIGHTARG = embedding, FUNCTION = embedding_ge, COMMUTATOR = <=, NEGATOR = <,
	RESTRICT = scalargesel, JOIN = scalargejoinsel);
COMMENT ON OPERATOR >= (embedding, embedding) IS 'greater than or equal';

CREATE OPERATOR > (LEFTARG = embedding, RIGHTARG = embedding, FUNCTION = embedding_gt, COMMUTATOR = <, NEGATOR = <=,
	RESTRICT = scalargtsel, JOIN = scalargtjoinsel);
COMMENT ON OPERATOR > (embedding, embedding) IS 'greater than';

---- operator classes

CREATE OPERATOR CLASS embedding_ops DEFAULT FOR TYPE embedding USING btree AS
	OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >,
	FUNCTION 1 embedding_cmp(embedding, embedding);
CREATE OPERATOR CLASS embedding_ops DEFAULT FOR TYPE embedding USING hash AS
	OPERATOR 1 =,
	FUNCTION 1 embedding_hash(embedding),
	FUNCTION 2 embedding_hash_extended(embedding, bigint);
