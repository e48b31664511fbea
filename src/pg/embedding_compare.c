/* embedding_compare.c --- order, equality and hashing of embeddings: what the btree and
 * hash operator classes stand on.
 *
 * The order is that of arrays: by values from the first on, then by how many there are.
 * -0 equals 0, so hashing turns the one into the other. */
#include "embedding.h"

#include "common/hashfn.h"

int
pg_nlp_embedding_compare(const Embedding *a, const Embedding *b)
{
	int			n = Min(a->dim, b->dim);

	for (int i = 0; i < n; i++)
		if (a->x[i] != b->x[i])
			return a->x[i] < b->x[i] ? -1 : 1;
	return (a->dim > b->dim) - (a->dim < b->dim);
}

/* What the two arguments of fcinfo compare to; copies made by detoasting are freed, as
 * index code wants it. */
static int
compare_args(FunctionCallInfo fcinfo)
{
	Embedding  *a = PG_GETARG_EMBEDDING_P(0);
	Embedding  *b = PG_GETARG_EMBEDDING_P(1);
	int			result;

	pg_nlp_check_embedding(a);
	pg_nlp_check_embedding(b);
	result = pg_nlp_embedding_compare(a, b);
	PG_FREE_IF_COPY(a, 0);
	PG_FREE_IF_COPY(b, 1);
	return result;
}

PG_FUNCTION_INFO_V1(pg_nlp_embedding_cmp);
Datum
pg_nlp_embedding_cmp(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(compare_args(fcinfo));
}

PG_FUNCTION_INFO_V1(pg_nlp_embedding_lt);
Datum
pg_nlp_embedding_lt(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_args(fcinfo) < 0);
}

PG_FUNCTION_INFO_V1(pg_nlp_embedding_le);
Datum
pg_nlp_embedding_le(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_args(fcinfo) <= 0);
}

PG_FUNCTION_INFO_V1(pg_nlp_embedding_eq);
Datum
pg_nlp_embedding_eq(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_args(fcinfo) == 0);
}

PG_FUNCTION_INFO_V1(pg_nlp_embedding_ne);
Datum
pg_nlp_embedding_ne(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_args(fcinfo) != 0);
}

PG_FUNCTION_INFO_V1(pg_nlp_embedding_ge);
Datum
pg_nlp_embedding_ge(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_args(fcinfo) >= 0);
}

PG_FUNCTION_INFO_V1(pg_nlp_embedding_gt);
Datum
pg_nlp_embedding_gt(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_args(fcinfo) > 0);
}

static bool
has_negative_zero(const Embedding *e)
{
	for (int i = 0; i < e->dim; i++)
	{
		uint32		bits;

		memcpy(&bits, &e->x[i], sizeof bits);
		if (bits == 0x80000000u)
			return true;
	}
	return false;
}

static uint64
hash_of(const Embedding *e, uint64 seed)
{
	Size		bytes = sizeof(float) * e->dim;
	Embedding  *clean;
	uint64		hash;

	pg_nlp_check_embedding(e);
	if (!has_negative_zero(e))
		return hash_bytes_extended((const unsigned char *) e->x, bytes, seed);
	clean = pg_nlp_new_embedding(e->dim);
	for (int i = 0; i < e->dim; i++)
		clean->x[i] = e->x[i] == 0 ? 0.0f : e->x[i];
	hash = hash_bytes_extended((const unsigned char *) clean->x, bytes, seed);
	pfree(clean);
	return hash;
}

PG_FUNCTION_INFO_V1(pg_nlp_embedding_hash);
Datum
pg_nlp_embedding_hash(PG_FUNCTION_ARGS)
{
	Embedding  *e = PG_GETARG_EMBEDDING_P(0);
	uint32		hash = (uint32) hash_of(e, 0);

	PG_FREE_IF_COPY(e, 0);
	PG_RETURN_INT32((int32) hash);
}

/* Seed 0 gives the plain hash in the low half, as hash classes require. */
PG_FUNCTION_INFO_V1(pg_nlp_embedding_hash_extended);
Datum
pg_nlp_embedding_hash_extended(PG_FUNCTION_ARGS)
{
	Embedding  *e = PG_GETARG_EMBEDDING_P(0);
	uint64		hash = hash_of(e, (uint64) PG_GETARG_INT64(1));

	PG_FREE_IF_COPY(e, 0);
	PG_RETURN_INT64((int64) hash);
}
