/* embedding_io.c --- the type embedding: text and binary in and out, its modifier, casts.
 *
 * Text and bytes come from strangers: format/vector_text.c reads them and says what is
 * wrong, the words and the SQLSTATE are given here. SQLSTATEs are those of pgvector's
 * vector, so that a program that handles the one handles the other; binary input that is
 * not valid is 22P03.
 *
 * Stored alike, too (embedding.h): varlena header, int16 dim, int16 0, dim floats. But the
 * storage of a column is MAIN where vector's is EXTERNAL: a value stays in its row as long as
 * the row fits a page, and goes out of line only then (from about 2,000 dimensions on).
 *
 *   dimensions   insert, us a row          bytes a row     read by a distance, ns a row
 *                PLAIN EXTERNAL MAIN EXT.  inline / out    PLAIN EXTERNAL  MAIN EXTENDED
 *         100      2.2    2.8   3.6   1.8     458             79       82    81       84
 *         384      6.1    5.6   6.7   7.4    1640     alike: all below 2 kB stay inline
 *         768       15     19    39    37    4099 / 4198    1113     5197  1148     3334
 *       1,536       29     53    42    66    8198 / 8346    1398     4275  1015     6281
 *       3,000        -     96   102    66       - / 13877      -     5582  7808     5982
 *
 * (seeded noise, rows cached, best of five runs on a Zen 4 with other work, PostgreSQL 15;
 * test/bench/exact_scan.sh storage measures again.) So MAIN reads like PLAIN where the others
 * cost 3 to 6 times as much. What it costs is the attempt to compress a row over 2 kB,
 * 10 to 25 us, in vain for floats that are not repetitive; those that are get smaller and
 * slower to read. A column of up to 2,000 dimensions can be altered to PLAIN, which never
 * tries. */
#include "embedding.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "common/shortest_dec.h"
#include "libpq/pqformat.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/float.h"
#if PG_VERSION_NUM >= 160000
#include "nodes/miscnodes.h"
#endif

#include "format/vector_text.h"

/* Bytes of a text that an error shows. */
#define SHOWN 60

/* An input function's error: soft where the server can ask for that. */
#if PG_VERSION_NUM >= 160000
#define INPUT_ERROR(fcinfo, ...) ereturn((fcinfo)->context, (Datum) 0, __VA_ARGS__)
#else
#define INPUT_ERROR(fcinfo, ...) \
	do { ereport(ERROR, __VA_ARGS__); return (Datum) 0; } while (0)
#endif

/* ---- checks ---- */

void
pg_nlp_embedding_check_dim(int64 dim)
{
	if (dim < 1)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("an embedding needs at least one dimension")));
	if (dim > EMBEDDING_MAX_DIM)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("an embedding has at most %d dimensions", EMBEDDING_MAX_DIM)));
}

void
pg_nlp_embedding_check_typmod(int32 typmod, int dim)
{
	if (typmod != -1 && typmod != dim)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("an embedding of %d dimensions is wanted here, not of %d", typmod, dim)));
}

void
pg_nlp_embedding_check_finite(const float *x, int dim)
{
	size_t		bad = nlp_vector_first_bad(x, dim);

	if (bad < (size_t) dim)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 isnan(x[bad]) ? errmsg("an embedding cannot hold NaN") : errmsg("an embedding cannot hold an infinite value"),
				 errdetail("It is element %d of %d.", (int) bad + 1, dim)));
}

void
pg_nlp_embedding_check_same(const Embedding *a, const Embedding *b)
{
	if (a->dim != b->dim)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("embeddings of %d and %d dimensions do not go together", a->dim, b->dim)));
}

void
pg_nlp_check_embedding(const Embedding *e)
{
	Size		size = VARSIZE_ANY(e);

	if (VARATT_IS_EXTENDED(e) || size < EMBEDDING_SIZE(1) || e->dim < 1 || e->dim > EMBEDDING_MAX_DIM ||
		e->unused != 0 || size != EMBEDDING_SIZE(e->dim))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("a stored embedding is damaged"),
				 errdetail("Its size and its number of dimensions do not agree.")));
}

/* ---- values ---- */

Embedding *
pg_nlp_new_embedding(int dim)
{
	Embedding  *e = palloc(EMBEDDING_SIZE(dim));

	SET_VARSIZE(e, EMBEDDING_SIZE(dim));
	e->dim = dim;
	e->unused = 0;
	return e;
}

Embedding *
pg_nlp_embedding_from(const float *x, int dim)
{
	Embedding  *e;

	pg_nlp_embedding_check_dim(dim);
	if (nlp_vector_first_bad(x, dim) < (size_t) dim)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("an embedding cannot hold a value that is not finite")));
	e = pg_nlp_new_embedding(dim);
	memcpy(e->x, x, sizeof(float) * dim);
	return e;
}

/* ---- text ---- */

/* The text as an error shows it: its beginning, when it is long. */
static char *
shown(const char *text, size_t len)
{
	if (len <= SHOWN)
		return pnstrdup(text, len);
	return psprintf("%.*s...", pg_mbcliplen(text, len, SHOWN), text);
}

static Datum
input_fault(FunctionCallInfo fcinfo, const char *text, size_t len, NlpVectorFault fault, const NlpVectorPlace *place)
{
	switch (fault)
	{
		case NLP_VECTOR_EMPTY:
			INPUT_ERROR(fcinfo,
						(errcode(ERRCODE_DATA_EXCEPTION), errmsg("an embedding needs at least one dimension")));
		case NLP_VECTOR_TOO_MANY:
			INPUT_ERROR(fcinfo,
						(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
						 errmsg("an embedding has at most %d dimensions", EMBEDDING_MAX_DIM)));
		case NLP_VECTOR_NAN:
			INPUT_ERROR(fcinfo,
						(errcode(ERRCODE_DATA_EXCEPTION),
						 errmsg("an embedding cannot hold NaN"), errdetail("It is element %d.", place->dim + 1)));
		case NLP_VECTOR_INFINITE:
			INPUT_ERROR(fcinfo,
						(errcode(ERRCODE_DATA_EXCEPTION),
						 errmsg("an embedding cannot hold an infinite value"),
						 errdetail("It is element %d.", place->dim + 1)));
		case NLP_VECTOR_RANGE:
			INPUT_ERROR(fcinfo,
						(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
						 errmsg("\"%s\" is out of range for type embedding", shown(text + place->at, place->fault_len))));
		case NLP_VECTOR_NO_OPEN:
			INPUT_ERROR(fcinfo,
						(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
						 errmsg("invalid input syntax for type embedding: \"%s\"", shown(text, len)),
						 errdetail("An embedding is written as \"[1, 2.5, -3]\".")));
		case NLP_VECTOR_TRAILING:
			INPUT_ERROR(fcinfo,
						(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
						 errmsg("invalid input syntax for type embedding: \"%s\"", shown(text, len)),
						 errdetail("Something follows the closing \"]\".")));
		default:
			INPUT_ERROR(fcinfo,
						(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
						 errmsg("invalid input syntax for type embedding: \"%s\"", shown(text, len)),
						 place->fault_len == 0
						 ? errdetail("The text ends before a \"]\".")
						 : errdetail("Byte %zu is not what can follow here.", place->at + 1)));
	}
}

PG_FUNCTION_INFO_V1(pg_nlp_embedding_in);
Datum
pg_nlp_embedding_in(PG_FUNCTION_ARGS)
{
	const char *text = PG_GETARG_CSTRING(0);
	int32		typmod = PG_GETARG_INT32(2);
	size_t		len = strlen(text);
	int			bound = nlp_vector_text_bound(text, len, EMBEDDING_MAX_DIM);
	Embedding  *e = pg_nlp_new_embedding(bound);
	NlpVectorPlace place;
	NlpVectorFault fault = nlp_vector_text_read(text, len, e->x, bound, &place);

	/* More numbers than commas cannot be: only the limit itself stops a reader short of room. */
	if (fault != NLP_VECTOR_OK)
		return input_fault(fcinfo, text, len, fault, &place);
	if (typmod != -1 && typmod != place.dim)
		INPUT_ERROR(fcinfo,
					(errcode(ERRCODE_DATA_EXCEPTION),
					 errmsg("an embedding of %d dimensions is wanted here, not of %d", typmod, place.dim)));
	e->dim = place.dim;
	SET_VARSIZE(e, EMBEDDING_SIZE(place.dim));
	PG_RETURN_EMBEDDING_P(e);
}

PG_FUNCTION_INFO_V1(pg_nlp_embedding_out);
Datum
pg_nlp_embedding_out(PG_FUNCTION_ARGS)
{
	Embedding  *e = PG_GETARG_EMBEDDING_P(0);
	char	   *text;
	char	   *p;

	pg_nlp_check_embedding(e);
	/* A number takes no more than FLOAT_SHORTEST_DECIMAL_LEN - 1 and a comma; "[", "]" and NUL. */
	text = p = palloc((Size) FLOAT_SHORTEST_DECIMAL_LEN * e->dim + 3);
	for (int i = 0; i < e->dim; i++)
	{
		*p++ = i == 0 ? '[' : ',';
		p += float_to_shortest_decimal_bufn(e->x[i], p);
	}
	*p++ = ']';
	*p = '\0';
	PG_FREE_IF_COPY(e, 0);
	PG_RETURN_CSTRING(text);
}

/* ---- binary ---- */

PG_FUNCTION_INFO_V1(pg_nlp_embedding_recv);
Datum
pg_nlp_embedding_recv(PG_FUNCTION_ARGS)
{
	StringInfo	buf = (StringInfo) PG_GETARG_POINTER(0);
	const uint8_t *bytes = (const uint8_t *) buf->data + buf->cursor;
	size_t		len = buf->len - buf->cursor;
	NlpVectorPlace place = {0};
	NlpVectorFault fault;
	Embedding  *e = NULL;
	int			dim;

	fault = nlp_vector_wire_dim(bytes, len, EMBEDDING_MAX_DIM, &dim);
	if (fault == NLP_VECTOR_OK)
	{
		pg_nlp_embedding_check_typmod(PG_GETARG_INT32(2), dim);
		e = pg_nlp_new_embedding(dim);
		fault = nlp_vector_wire_read(bytes, len, EMBEDDING_MAX_DIM, e->x, &place);
	}
	if (fault != NLP_VECTOR_OK)
		ereport(ERROR,
				(errcode(fault == NLP_VECTOR_TOO_MANY ? ERRCODE_PROGRAM_LIMIT_EXCEEDED : ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("invalid binary form of an embedding"),
				 fault == NLP_VECTOR_SHORT ? errdetail("It ends before its last dimension.") :
				 fault == NLP_VECTOR_EMPTY ? errdetail("It has no dimension.") :
				 fault == NLP_VECTOR_TOO_MANY ? errdetail("It has more than %d dimensions.", EMBEDDING_MAX_DIM) :
				 fault == NLP_VECTOR_UNUSED ? errdetail("Its second half-word is not zero.") :
				 errdetail("Element %d is not finite.", place.dim + 1)));
	buf->cursor += (int) place.at;
	PG_RETURN_EMBEDDING_P(e);
}

PG_FUNCTION_INFO_V1(pg_nlp_embedding_send);
Datum
pg_nlp_embedding_send(PG_FUNCTION_ARGS)
{
	Embedding  *e = PG_GETARG_EMBEDDING_P(0);
	StringInfoData buf;

	pg_nlp_check_embedding(e);
	pq_begintypsend(&buf);
	enlargeStringInfo(&buf, (int) (2 * sizeof(int16) + sizeof(float) * e->dim));
	pq_writeint16(&buf, e->dim);
	pq_writeint16(&buf, 0);
	for (int i = 0; i < e->dim; i++)
	{
		uint32		bits;

		memcpy(&bits, &e->x[i], sizeof bits);
		pq_writeint32(&buf, bits);
	}
	PG_RETURN_BYTEA_P(pq_endtypsend(&buf));
}

/* ---- the modifier ---- */

PG_FUNCTION_INFO_V1(pg_nlp_embedding_typmod_in);
Datum
pg_nlp_embedding_typmod_in(PG_FUNCTION_ARGS)
{
	int			n;
	int32	   *mods = ArrayGetIntegerTypmods(PG_GETARG_ARRAYTYPE_P(0), &n);

	if (n != 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("type embedding takes one number, its dimensions")));
	if (mods[0] < 1 || mods[0] > EMBEDDING_MAX_DIM)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("dimensions of type embedding must be from 1 to %d", EMBEDDING_MAX_DIM)));
	PG_RETURN_INT32(mods[0]);
}

/* embedding to embedding(n): the value itself, when it fits. */
PG_FUNCTION_INFO_V1(pg_nlp_embedding_coerce);
Datum
pg_nlp_embedding_coerce(PG_FUNCTION_ARGS)
{
	Embedding  *e = PG_GETARG_EMBEDDING_P(0);

	pg_nlp_check_embedding(e);
	pg_nlp_embedding_check_typmod(PG_GETARG_INT32(1), e->dim);
	PG_RETURN_EMBEDDING_P(e);
}

/* ---- arrays ---- */

/* Values of an array of fixed-width numbers without NULLs, as floats. */
static void
floats_of(const ArrayType *array, int n, float *x)
{
	const char *data = ARR_DATA_PTR(array);

	switch (ARR_ELEMTYPE(array))
	{
		case INT4OID:
			for (int i = 0; i < n; i++)
				x[i] = (float) ((const int32 *) data)[i];
			break;
		case FLOAT4OID:
			memcpy(x, data, sizeof(float) * n);
			break;
		case FLOAT8OID:
			for (int i = 0; i < n; i++)
				x[i] = (float) ((const float8 *) data)[i];
			break;
		default:
			{
				Datum	   *numbers;

				deconstruct_array((ArrayType *) array, NUMERICOID, -1, false, TYPALIGN_INT, &numbers, NULL, &n);
				for (int i = 0; i < n; i++)
					x[i] = DatumGetFloat4(DirectFunctionCall1(numeric_float4, numbers[i]));
				pfree(numbers);
			}
	}
}

PG_FUNCTION_INFO_V1(pg_nlp_array_to_embedding);
Datum
pg_nlp_array_to_embedding(PG_FUNCTION_ARGS)
{
	ArrayType  *array = PG_GETARG_ARRAYTYPE_P(0);
	Oid			type = ARR_ELEMTYPE(array);
	Embedding  *e;
	int			n;

	if (type != INT4OID && type != FLOAT4OID && type != FLOAT8OID && type != NUMERICOID)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("an embedding is made of integer, real, double precision or numeric numbers")));
	if (ARR_NDIM(array) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("an embedding is made of an array of one dimension, not of %d", ARR_NDIM(array))));
	if (array_contains_nulls(array))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("an embedding cannot hold NULL")));
	n = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
	pg_nlp_embedding_check_dim(n);
	pg_nlp_embedding_check_typmod(PG_GETARG_INT32(1), n);
	e = pg_nlp_new_embedding(n);
	floats_of(array, n, e->x);
	pg_nlp_embedding_check_finite(e->x, n);
	PG_FREE_IF_COPY(array, 0);
	PG_RETURN_EMBEDDING_P(e);
}

PG_FUNCTION_INFO_V1(pg_nlp_embedding_to_float4);
Datum
pg_nlp_embedding_to_float4(PG_FUNCTION_ARGS)
{
	Embedding  *e = PG_GETARG_EMBEDDING_P(0);
	Size		size;
	ArrayType  *array;

	pg_nlp_check_embedding(e);
	size = ARR_OVERHEAD_NONULLS(1) + sizeof(float) * e->dim;
	array = palloc0(size);
	SET_VARSIZE(array, size);
	array->ndim = 1;
	array->elemtype = FLOAT4OID;
	ARR_DIMS(array)[0] = e->dim;
	ARR_LBOUND(array)[0] = 1;
	memcpy(ARR_DATA_PTR(array), e->x, sizeof(float) * e->dim);
	PG_FREE_IF_COPY(e, 0);
	PG_RETURN_ARRAYTYPE_P(array);
}
