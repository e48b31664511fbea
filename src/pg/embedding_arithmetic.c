/* embedding_arithmetic.c --- embeddings out of embeddings: + - * ||, normalised, a slice, bits.
 *
 * Results are finite or an ERROR 22003, like the server's own float operators. */
#include "embedding.h"

#include <math.h>

#include "utils/float.h"
#include "utils/varbit.h"

/* The two arguments, checked, of one length; and a value for the result. */
static Embedding *
result_for(FunctionCallInfo fcinfo, const Embedding **a, const Embedding **b)
{
	*a = PG_GETARG_EMBEDDING_P(0);
	*b = PG_GETARG_EMBEDDING_P(1);
	pg_nlp_check_embedding(*a);
	pg_nlp_check_embedding(*b);
	pg_nlp_embedding_check_same(*a, *b);
	return pg_nlp_new_embedding((*a)->dim);
}

static void
check_overflow(const Embedding *e)
{
	for (int i = 0; i < e->dim; i++)
		if (unlikely(isinf(e->x[i])))
			float_overflow_error();
}

PG_FUNCTION_INFO_V1(pg_nlp_embedding_add);
Datum
pg_nlp_embedding_add(PG_FUNCTION_ARGS)
{
	const Embedding *a;
	const Embedding *b;
	Embedding  *r = result_for(fcinfo, &a, &b);

	for (int i = 0; i < r->dim; i++)
		r->x[i] = a->x[i] + b->x[i];
	check_overflow(r);
	PG_RETURN_EMBEDDING_P(r);
}

PG_FUNCTION_INFO_V1(pg_nlp_embedding_sub);
Datum
pg_nlp_embedding_sub(PG_FUNCTION_ARGS)
{
	const Embedding *a;
	const Embedding *b;
	Embedding  *r = result_for(fcinfo, &a, &b);

	for (int i = 0; i < r->dim; i++)
		r->x[i] = a->x[i] - b->x[i];
	check_overflow(r);
	PG_RETURN_EMBEDDING_P(r);
}

PG_FUNCTION_INFO_V1(pg_nlp_embedding_mul);
Datum
pg_nlp_embedding_mul(PG_FUNCTION_ARGS)
{
	const Embedding *a;
	const Embedding *b;
	Embedding  *r = result_for(fcinfo, &a, &b);

	for (int i = 0; i < r->dim; i++)
		r->x[i] = a->x[i] * b->x[i];
	check_overflow(r);
	for (int i = 0; i < r->dim; i++)
		if (unlikely(r->x[i] == 0 && a->x[i] != 0 && b->x[i] != 0))
			float_underflow_error();
	PG_RETURN_EMBEDDING_P(r);
}

PG_FUNCTION_INFO_V1(pg_nlp_embedding_concat);
Datum
pg_nlp_embedding_concat(PG_FUNCTION_ARGS)
{
	const Embedding *a = PG_GETARG_EMBEDDING_P(0);
	const Embedding *b = PG_GETARG_EMBEDDING_P(1);
	Embedding  *r;

	pg_nlp_check_embedding(a);
	pg_nlp_check_embedding(b);
	pg_nlp_embedding_check_dim(a->dim + b->dim);
	r = pg_nlp_new_embedding(a->dim + b->dim);
	memcpy(r->x, a->x, sizeof(float) * a->dim);
	memcpy(r->x + a->dim, b->x, sizeof(float) * b->dim);
	PG_RETURN_EMBEDDING_P(r);
}

static double
norm_of(const Embedding *e)
{
	double		sum = 0;

	for (int i = 0; i < e->dim; i++)
		sum += (double) e->x[i] * e->x[i];
	return sqrt(sum);
}

PG_FUNCTION_INFO_V1(pg_nlp_embedding_norm);
Datum
pg_nlp_embedding_norm(PG_FUNCTION_ARGS)
{
	Embedding  *e = PG_GETARG_EMBEDDING_P(0);
	double		norm;

	pg_nlp_check_embedding(e);
	norm = norm_of(e);
	PG_FREE_IF_COPY(e, 0);
	PG_RETURN_FLOAT8(norm);
}

/* Of length 1; zeros stay zeros. */
PG_FUNCTION_INFO_V1(pg_nlp_embedding_l2_normalize);
Datum
pg_nlp_embedding_l2_normalize(PG_FUNCTION_ARGS)
{
	Embedding  *e = PG_GETARG_EMBEDDING_P(0);
	Embedding  *r;
	double		norm;

	pg_nlp_check_embedding(e);
	norm = norm_of(e);
	r = pg_nlp_new_embedding(e->dim);
	for (int i = 0; i < e->dim; i++)
		r->x[i] = norm > 0 ? (float) (e->x[i] / norm) : 0.0f;
	check_overflow(r);
	PG_FREE_IF_COPY(e, 0);
	PG_RETURN_EMBEDDING_P(r);
}

/* A bit for each dimension: 1 where it is above 0. */
PG_FUNCTION_INFO_V1(pg_nlp_embedding_binary_quantize);
Datum
pg_nlp_embedding_binary_quantize(PG_FUNCTION_ARGS)
{
	Embedding  *e = PG_GETARG_EMBEDDING_P(0);
	VarBit	   *bits;

	pg_nlp_check_embedding(e);
	bits = palloc0(VARBITTOTALLEN(e->dim));
	SET_VARSIZE(bits, VARBITTOTALLEN(e->dim));
	VARBITLEN(bits) = e->dim;
	for (int i = 0; i < e->dim; i++)
		if (e->x[i] > 0)
			VARBITS(bits)[i / 8] |= (bits8) (0x80 >> (i % 8));
	PG_FREE_IF_COPY(e, 0);
	PG_RETURN_VARBIT_P(bits);
}

/* count dimensions from the start-th on, as substring counts: what lies outside is cut off,
 * and at least one must be left. */
PG_FUNCTION_INFO_V1(pg_nlp_embedding_subvector);
Datum
pg_nlp_embedding_subvector(PG_FUNCTION_ARGS)
{
	Embedding  *e = PG_GETARG_EMBEDDING_P(0);
	int64		first = PG_GETARG_INT32(1);
	int64		count = PG_GETARG_INT32(2);
	int64		end = first + count;
	Embedding  *r;

	pg_nlp_check_embedding(e);
	first = Max(first, 1);
	end = Min(end, (int64) e->dim + 1);
	pg_nlp_embedding_check_dim(end - first);
	r = pg_nlp_new_embedding((int) (end - first));
	memcpy(r->x, e->x + first - 1, sizeof(float) * r->dim);
	PG_FREE_IF_COPY(e, 0);
	PG_RETURN_EMBEDDING_P(r);
}
