/* embedding_distance.c --- distances between embeddings.
 *
 * Exact search calls these once a row, so the common case, two plain values of one length,
 * goes from the arguments to the kernel through one branch and takes no memory, and asks for
 * the rows that come next on the way (look_ahead). The kernels (kernel/scan.h) are chosen
 * once for the machine and give the same bits on all of them.
 *
 * Everything else is rare and lies behind that branch (values_of_any): headers of one byte,
 * which short values get inside a row and which leave the floats unaligned; compressed and
 * toasted values. A toasted operand that is the same on row after row (a parameter from a
 * sub-select) is fetched once and kept in fn_extra. */
#include "embedding.h"

#include <math.h>

#include "access/xact.h"
#include "storage/bufmgr.h"
#include "utils/timestamp.h"

#include "kernel/scan.h"

/* An operand as the kernels want it. */
typedef struct Values
{
	const float *x;
	int			dim;
} Values;

/* Floats of a value with a one-byte header: at most 126 bytes in all. */
typedef struct ShortValue
{
	Embedding	head;
	float		x[32];
} ShortValue;

/* One operand's memory of the last value that had to be fetched or decompressed. */
typedef struct Kept
{
	void	   *stored;			/* the datum as it was met, stored_size bytes */
	Size		stored_size;
	TimestampTz statement;		/* values of another statement may be gone */
	TimestampTz transaction;
	Embedding  *value;			/* NULL: met once, not yet worth keeping */
} Kept;

/* ---- the rare storages ---- */

/* The value behind a compressed or toasted datum: kept from the row before, when it is the
 * same datum; else fetched, into *to_free unless it was worth keeping. A value is kept the
 * second time it is met, so that a toasted column beside it does not fill memory. Equal bytes
 * of a toast pointer mean an equal value for as long as one statement's snapshot lives. */
static const Embedding *
fetch(FunctionCallInfo fcinfo, int arg, struct varlena *stored, Embedding **to_free)
{
	FmgrInfo   *flinfo = fcinfo->flinfo;
	Size		size = VARSIZE_ANY(stored);
	Kept	   *kept;

	*to_free = NULL;
	if (flinfo == NULL || VARATT_IS_EXTERNAL_EXPANDED(stored) || VARATT_IS_EXTERNAL_INDIRECT(stored))
		return *to_free = (Embedding *) pg_detoast_datum(stored);
	if (flinfo->fn_extra == NULL)
		flinfo->fn_extra = MemoryContextAllocZero(flinfo->fn_mcxt, 2 * sizeof(Kept));
	kept = (Kept *) flinfo->fn_extra + arg;
	if (kept->stored && kept->stored_size == size && memcmp(kept->stored, stored, size) == 0 &&
		kept->statement == GetCurrentStatementStartTimestamp() &&
		kept->transaction == GetCurrentTransactionStartTimestamp())
	{
		if (kept->value == NULL)
		{
			MemoryContext old = MemoryContextSwitchTo(flinfo->fn_mcxt);

			kept->value = (Embedding *) pg_detoast_datum(stored);
			MemoryContextSwitchTo(old);
		}
		return kept->value;
	}
	if (kept->value)
		pfree(kept->value);
	kept->value = NULL;
	if (kept->stored == NULL || kept->stored_size < size)
	{
		if (kept->stored)
			pfree(kept->stored);
		kept->stored = NULL;
		kept->stored = MemoryContextAlloc(flinfo->fn_mcxt, size);
	}
	memcpy(kept->stored, stored, size);
	kept->stored_size = size;
	kept->statement = GetCurrentStatementStartTimestamp();
	kept->transaction = GetCurrentTransactionStartTimestamp();
	return *to_free = (Embedding *) pg_detoast_datum(stored);
}

static Values
values_of_any(FunctionCallInfo fcinfo, int arg, ShortValue *room, Embedding **to_free)
{
	struct varlena *stored = (struct varlena *) DatumGetPointer(PG_GETARG_DATUM(arg));
	const Embedding *e;

	*to_free = NULL;
	/* A toast pointer passes for a short header, too: it comes first. */
	if (VARATT_IS_EXTERNAL(stored) || VARATT_IS_COMPRESSED(stored))
		e = fetch(fcinfo, arg, stored, to_free);
	else if (VARATT_IS_SHORT(stored))
	{
		Size		bytes = VARSIZE_SHORT(stored) - VARHDRSZ_SHORT;

		SET_VARSIZE(&room->head, bytes + VARHDRSZ);
		memcpy(VARDATA(&room->head), VARDATA_SHORT(stored), bytes);
		e = &room->head;
	}
	else
		e = (const Embedding *) stored;
	pg_nlp_check_embedding(e);
	return (Values) {e->x, e->dim};
}

static void
check_same(Values a, Values b)
{
	if (a.dim != b.dim)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("embeddings of %d and %d dimensions do not go together", a.dim, b.dim)));
}

/* ---- the common case ---- */

typedef double (*Distance) (const float *a, const float *b, int dim);

/* Whether a value lies plainly in memory and is what its header says. */
static inline bool
is_plain(const Embedding *e)
{
	return VARATT_IS_4B_U(e) && VARSIZE_4B(e) > EMBEDDING_SIZE(0) &&
		VARSIZE_4B(e) == EMBEDDING_SIZE((Size) (uint16) e->dim) && e->dim > 0;
}

static pg_noinline Datum
distance_of_any(FunctionCallInfo fcinfo, Distance distance)
{
	ShortValue	room[2];
	Embedding  *to_free[2];
	Values		a = values_of_any(fcinfo, 0, &room[0], &to_free[0]);
	Values		b = values_of_any(fcinfo, 1, &room[1], &to_free[1]);
	double		result;

	check_same(a, b);
	result = distance(a.x, b.x, a.dim);
	for (int i = 0; i < 2; i++)
		if (to_free[i])
			pfree(to_free[i]);
	PG_RETURN_FLOAT8(result);
}

/* Ask the memory for rows to come.
 *
 * An exact search over rows in shared buffers spends most of its time waiting for them: the
 * tuples of a page lie at descending addresses and each is read upwards, a pattern that no
 * hardware prefetcher follows. So lines that will be wanted soon are asked for here, while
 * this row's arithmetic and the executor's own work go on. These are guesses: a prefetch of
 * a wrong address costs its few cycles and never faults.
 *
 * Buffers that a sequential scan filled lie in the order of their pages. While that holds
 * (the scan came here from the buffer just before), the row asked for is the one at this
 * place of the next page, and once a page that page's line pointers. Elsewhere, and in
 * rings where the next buffer is another's, it is the row two steps down this page, a
 * step being the distance to the row before.
 *
 * Measured on a Zen 4, 2 cores, all rows in shared buffers, ORDER BY e <-> q LIMIT 10, ns a row
 * (medians of 15 runs in turn with pgvector's vector stored PLAIN):
 *
 *   dimensions x rows      vector   no prefetch   down the page   next page   and line pointers
 *   100 x 341,479             233           237             167         140                 135
 *   384 x 100,000             474           475             467         355                 334
 *   768 x  60,000             815           803             797         667                 670
 *
 * 8 lines are too few for the wide rows (384: 411 ns), more than 16 gain nothing: within a
 * row that runs on the hardware has understood by then. */
#define LINE 64
#define LINES_AHEAD 16

static inline void
look_ahead(const Embedding *a, const Embedding *b)
{
	static Size last_page = 0;
	static uintptr_t last = 0;
	static bool in_order = false;	/* this page's buffer follows the last one's */
	uintptr_t	blocks = (uintptr_t) BufferBlocks;
	uintptr_t	row = (uintptr_t) a;
	Size		bytes = Min(VARSIZE_4B(a), LINES_AHEAD * LINE);
	Size		page;
	uintptr_t	step;

	/* Whichever operand is the row: in a shared buffer, and not where it was. */
	if (row - blocks >= (Size) NBuffers * BLCKSZ || row == last)
	{
		row = (uintptr_t) b;
		if (row - blocks >= (Size) NBuffers * BLCKSZ || row == last)
			return;
	}
	page = (row - blocks) / BLCKSZ;
	step = last - row;
	last = row;
	if (page != last_page)
	{
		in_order = page == last_page + 1;
		last_page = page;
		if (in_order)
		{
			const char *next = (const char *) (blocks + (page + 1) * BLCKSZ);

			__builtin_prefetch(next);
			__builtin_prefetch(next + LINE);
		}
	}
	if (in_order)
		row += BLCKSZ;
	else if (step < BLCKSZ)
		row -= 2 * step;
	else
		return;
	for (Size i = 0; i < bytes; i += LINE)
		__builtin_prefetch((const char *) row + i);
}

static inline Datum
distance_of(FunctionCallInfo fcinfo, Distance distance)
{
	const Embedding *a = (const Embedding *) DatumGetPointer(PG_GETARG_DATUM(0));
	const Embedding *b = (const Embedding *) DatumGetPointer(PG_GETARG_DATUM(1));

	if (unlikely(!is_plain(a) || !is_plain(b) || a->dim != b->dim))
		return distance_of_any(fcinfo, distance);
	look_ahead(a, b);
	PG_RETURN_FLOAT8(distance(a->x, b->x, a->dim));
}

static double
l2_squared(const float *a, const float *b, int dim)
{
	return nlp_l2sq_f32(a, b, dim);
}

static double
l2(const float *a, const float *b, int dim)
{
	return sqrt((double) nlp_l2sq_f32(a, b, dim));
}

static double
l1(const float *a, const float *b, int dim)
{
	return nlp_l1_f32(a, b, dim);
}

static double
inner(const float *a, const float *b, int dim)
{
	return nlp_dot_f32(a, b, dim);
}

static double
negative_inner(const float *a, const float *b, int dim)
{
	return -nlp_dot_f32(a, b, dim);
}

/* 1 - cos; NaN when either is all zeros or a product overflows. */
static double
cosine(const float *a, const float *b, int dim)
{
	float		dot;
	float		aa;
	float		bb;
	double		similarity;

	nlp_cosine_f32(a, b, dim, &dot, &aa, &bb);
	similarity = (double) dot / sqrt((double) aa * (double) bb);
	if (similarity > 1)
		similarity = 1;
	else if (similarity < -1)
		similarity = -1;
	return 1 - similarity;
}

/* The angle between two unit vectors, 0 to 1: what k-means on the sphere needs. */
static double
spherical(const float *a, const float *b, int dim)
{
	double		dot = nlp_dot_f32(a, b, dim);

	if (dot > 1)
		dot = 1;
	else if (dot < -1)
		dot = -1;
	return acos(dot) / M_PI;
}

PG_FUNCTION_INFO_V1(pg_nlp_embedding_l2_distance);
Datum
pg_nlp_embedding_l2_distance(PG_FUNCTION_ARGS)
{
	return distance_of(fcinfo, l2);
}

PG_FUNCTION_INFO_V1(pg_nlp_embedding_l2_squared_distance);
Datum
pg_nlp_embedding_l2_squared_distance(PG_FUNCTION_ARGS)
{
	return distance_of(fcinfo, l2_squared);
}

PG_FUNCTION_INFO_V1(pg_nlp_embedding_l1_distance);
Datum
pg_nlp_embedding_l1_distance(PG_FUNCTION_ARGS)
{
	return distance_of(fcinfo, l1);
}

PG_FUNCTION_INFO_V1(pg_nlp_embedding_inner_product);
Datum
pg_nlp_embedding_inner_product(PG_FUNCTION_ARGS)
{
	return distance_of(fcinfo, inner);
}

PG_FUNCTION_INFO_V1(pg_nlp_embedding_negative_inner_product);
Datum
pg_nlp_embedding_negative_inner_product(PG_FUNCTION_ARGS)
{
	return distance_of(fcinfo, negative_inner);
}

PG_FUNCTION_INFO_V1(pg_nlp_embedding_cosine_distance);
Datum
pg_nlp_embedding_cosine_distance(PG_FUNCTION_ARGS)
{
	return distance_of(fcinfo, cosine);
}

PG_FUNCTION_INFO_V1(pg_nlp_embedding_spherical_distance);
Datum
pg_nlp_embedding_spherical_distance(PG_FUNCTION_ARGS)
{
	return distance_of(fcinfo, spherical);
}

/* Only the head of a toasted value is read for this. */
PG_FUNCTION_INFO_V1(pg_nlp_embedding_dims);
Datum
pg_nlp_embedding_dims(PG_FUNCTION_ARGS)
{
	struct varlena *head = PG_DETOAST_DATUM_SLICE(PG_GETARG_DATUM(0), 0, sizeof(int16));
	int16		dim = 0;

	memcpy(&dim, VARDATA_ANY(head), Min(VARSIZE_ANY_EXHDR(head), sizeof dim));
	PG_RETURN_INT32(dim);
}
