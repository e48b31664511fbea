/* fn_segment.c --- segment: a text cut into words by a segmenter. */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "fn_common.h"
#include "token/segment.h"

PG_FUNCTION_INFO_V1(pg_nlp_segment);

static const PgNlpVerb segment_verb = {"segment", NLP_TASK_SEGMENTATION, OPT_HMM | OPT_ON_ERROR, 0, NULL};

/* ---- the answer ---- */

/* text[] of n elements, its data still to be written; NULL with err filled when it would
 * be larger than a value can be. */
static ArrayType *
new_array(size_t n, size_t data_bytes, NlpError *err)
{
	size_t		bytes = ARR_OVERHEAD_NONULLS(1) + data_bytes;
	ArrayType  *array;

	if (bytes > MaxAllocSize)
	{
		nlp_fail(err, NLP_ELIMIT, "the text has %zu words, more than an array of them can hold", n);
		return NULL;
	}
	array = palloc(bytes);
	SET_VARSIZE(array, bytes);
	array->ndim = 1;
	array->dataoffset = 0;
	array->elemtype = TEXTOID;
	ARR_DIMS(array)[0] = (int) n;
	ARR_LBOUND(array)[0] = 1;
	return array;
}

static inline size_t
element_bytes(size_t len)
{
	return INTALIGN(VARHDRSZ + len);
}

/* In a database of UTF-8, where words are bytes of the text: written straight into the array. */
static ArrayType *
array_of_spans(PgNlpCall *call, const char *utf8, const NlpSpans *words)
{
	size_t		bytes = 0;
	ArrayType  *array;
	char	   *at;

	for (size_t i = 0; i < words->n; i++)
		bytes += element_bytes(words->spans[i].len);
	array = new_array(words->n, bytes, &call->err);
	if (array == NULL)
		return NULL;
	at = ARR_DATA_PTR(array);
	for (size_t i = 0; i < words->n; i++)
	{
		size_t		len = words->spans[i].len;
		size_t		whole = element_bytes(len);

		if (i % 16384 == 0)
			CHECK_FOR_INTERRUPTS();
		memset(at + whole - sizeof(int32), 0, sizeof(int32));	/* what is behind the word */
		SET_VARSIZE(at, VARHDRSZ + len);
		memcpy(at + VARHDRSZ, utf8 + words->spans[i].start, len);
		at += whole;
	}
	return array;
}

/* In other encodings each word is converted; a text cannot hold more than the array's limit. */
static ArrayType *
array_of_texts(PgNlpCall *call, const char *utf8, const NlpSpans *words)
{
	Datum	   *values = palloc_extended(words->n * sizeof(Datum), MCXT_ALLOC_HUGE);
	size_t		bytes = 0;
	ArrayType  *array;
	char	   *at;

	for (size_t i = 0; i < words->n; i++)
	{
		text	   *t;

		if (i % 16384 == 0)
			CHECK_FOR_INTERRUPTS();
		if (pg_nlp_from_utf8(utf8 + words->spans[i].start, words->spans[i].len, &t, &call->err) != NLP_OK)
			return NULL;
		values[i] = PointerGetDatum(t);
		bytes += element_bytes(VARSIZE(t) - VARHDRSZ);
	}
	array = new_array(words->n, bytes, &call->err);
	if (array == NULL)
		return NULL;
	at = ARR_DATA_PTR(array);
	for (size_t i = 0; i < words->n; i++)
	{
		text	   *t = DatumGetTextP(values[i]);
		size_t		whole = element_bytes(VARSIZE(t) - VARHDRSZ);

		if (i % 16384 == 0)
			CHECK_FOR_INTERRUPTS();
		memset(at + whole - sizeof(int32), 0, sizeof(int32));
		memcpy(at, t, VARSIZE(t));
		at += whole;
		pfree(t);
	}
	pfree(values);
	return array;
}

/* The words as text[]; NULL with call->err filled when they do not fit. */
static ArrayType *
words_array(PgNlpCall *call, const char *utf8, const NlpSpans *words)
{
	if (words->n == 0)
		return construct_empty_array(TEXTOID);
	if (GetDatabaseEncoding() == PG_UTF8 || GetDatabaseEncoding() == PG_SQL_ASCII)
		return array_of_spans(call, utf8, words);
	return array_of_texts(call, utf8, words);
}

/* segment(input text, model text, options jsonb): text[] */
Datum
pg_nlp_segment(PG_FUNCTION_ARGS)
{
	const PgNlpVerb *verb = &segment_verb;
	PgNlpOptions options;
	PgNlpCall  *call;
	PgNlpRow	row = {0};
	text	   *input;
	const char *utf8;
	size_t		len;
	NlpSpans	words = {0};
	ArrayType  *array = NULL;
	Datum		result = (Datum) 0;
	bool		isnull;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	if (pg_nlp_recall(fcinfo, verb->task, &result, &isnull))
	{
		fcinfo->isnull = isnull;
		return result;
	}
	pg_nlp_options(verb, pg_nlp_arg_jsonb(fcinfo, 2), &options);
	input = PG_GETARG_TEXT_PP(0);
	call = pg_nlp_call_begin(pg_nlp_lookup(fcinfo), verb->name, verb->task, pg_nlp_arg_text(fcinfo, 1),
							 pg_nlp_language(PointerGetDatum(input)), false);
	words.alloc = call->env.alloc;
	if (pg_nlp_to_utf8(VARDATA_ANY(input), VARSIZE_ANY_EXHDR(input), &utf8, &len, &call->err) != NLP_OK ||
		nlp_segment(nlp_image_segmenter(call->model->image), utf8, len, options.hmm, &call->env, &words,
					&call->err) != NLP_OK ||
		(array = words_array(call, utf8, &words)) == NULL)
		pg_nlp_row_error(&row, &options, &call->err);
	pg_nlp_call_progress(call, NULL, 1);
	pg_nlp_call_end(call);
	pg_nlp_remember(fcinfo, verb->task, PointerGetDatum(array), array == NULL);
	fcinfo->isnull = array == NULL;
	return PointerGetDatum(array);
}
