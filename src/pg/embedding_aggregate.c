/* embedding_aggregate.c --- sum and avg of embeddings.
 *
 * The state is float8[]: how many embeddings, then the sum of each dimension; {0} before
 * the first. An array, not a private type, travels between parallel workers without
 * further functions. Inside an aggregate the sums are added to in place, so a row costs
 * its additions and no allocation. Sums are double: a million rows lose nothing that a
 * float could show, and the answer hardly depends on how rows were dealt to workers. */
#include "embedding.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/float.h"

/* The numbers of a state and how many dimensions it has (0: no embedding yet). Anybody may
 * call the functions below with an array of his own. */
static float8 *
state_of(ArrayType *state, int *dim)
{
	if (ARR_NDIM(state) != 1 || ARR_DIMS(state)[0] < 1 || ARR_HASNULL(state) || ARR_ELEMTYPE(state) != FLOAT8OID)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the state of an aggregate over embeddings is an array of numbers, how many first")));
	*dim = ARR_DIMS(state)[0] - 1;
	return (float8 *) ARR_DATA_PTR(state);
}

static ArrayType *
new_state(int dim)
{
	Size		size = ARR_OVERHEAD_NONULLS(1) + sizeof(float8) * (dim + 1);
	ArrayType  *state = palloc0(size);

	SET_VARSIZE(state, size);
	state->ndim = 1;
	state->elemtype = FLOAT8OID;
	ARR_DIMS(state)[0] = dim + 1;
	ARR_LBOUND(state)[0] = 1;
	return state;
}

/* Argument 0 as a state that may be written. */
static ArrayType *
own_state(FunctionCallInfo fcinfo)
{
	if (AggCheckCallContext(fcinfo, NULL))
		return PG_GETARG_ARRAYTYPE_P(0);
	return PG_GETARG_ARRAYTYPE_P_COPY(0);
}

static void
check_state_dim(int dim, int other)
{
	if (dim != other)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("embeddings of %d and %d dimensions do not go together", dim, other)));
}

PG_FUNCTION_INFO_V1(pg_nlp_embedding_accum);
Datum
pg_nlp_embedding_accum(PG_FUNCTION_ARGS)
{
	ArrayType  *state = own_state(fcinfo);
	Embedding  *e = PG_GETARG_EMBEDDING_P(1);
	int			dim;
	float8	   *sums = state_of(state, &dim);

	pg_nlp_check_embedding(e);
	if (dim == 0)
	{
		float8		n = sums[0];

		state = new_state(e->dim);
		sums = state_of(state, &dim);
		sums[0] = n;
	}
	check_state_dim(dim, e->dim);
	sums[0] += 1;
	for (int i = 0; i < dim; i++)
		sums[i + 1] += e->x[i];
	PG_FREE_IF_COPY(e, 1);
	PG_RETURN_ARRAYTYPE_P(state);
}

PG_FUNCTION_INFO_V1(pg_nlp_embedding_combine);
Datum
pg_nlp_embedding_combine(PG_FUNCTION_ARGS)
{
	ArrayType  *state = own_state(fcinfo);
	ArrayType  *other = PG_GETARG_ARRAYTYPE_P(1);
	int			dim;
	int			other_dim;
	float8	   *sums = state_of(state, &dim);
	const float8 *more = state_of(other, &other_dim);

	if (more[0] == 0)
		PG_RETURN_ARRAYTYPE_P(state);
	if (sums[0] == 0)
		PG_RETURN_ARRAYTYPE_P(other);
	check_state_dim(dim, other_dim);
	for (int i = 0; i <= dim; i++)
		sums[i] += more[i];
	PG_RETURN_ARRAYTYPE_P(state);
}

/* The sums, each divided; NULL when there was nothing to add. */
static Datum
finish(FunctionCallInfo fcinfo, bool average)
{
	int			dim;
	const float8 *sums = state_of(PG_GETARG_ARRAYTYPE_P(0), &dim);
	Embedding  *e;

	if (sums[0] == 0)
		PG_RETURN_NULL();
	pg_nlp_embedding_check_dim(dim);
	e = pg_nlp_new_embedding(dim);
	for (int i = 0; i < dim; i++)
	{
		e->x[i] = (float) (average ? sums[i + 1] / sums[0] : sums[i + 1]);
		if (unlikely(isinf(e->x[i])) && !isinf(sums[i + 1]))
			float_overflow_error();
	}
	pg_nlp_embedding_check_finite(e->x, dim);
	PG_RETURN_EMBEDDING_P(e);
}

PG_FUNCTION_INFO_V1(pg_nlp_embedding_avg);
Datum
pg_nlp_embedding_avg(PG_FUNCTION_ARGS)
{
	return finish(fcinfo, true);
}

PG_FUNCTION_INFO_V1(pg_nlp_embedding_sum);
Datum
pg_nlp_embedding_sum(PG_FUNCTION_ARGS)
{
	return finish(fcinfo, false);
}
