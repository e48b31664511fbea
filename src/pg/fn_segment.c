/* fn_segment.c --- segment: a text cut into words by a segmenter. */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "fn_common.h"
#include "token/segment.h"

PG_FUNCTION_INFO_V1(pg_nlp_segment);

static const PgNlpVerb segment_verb = {"segment", NLP_TASK_SEGMENTATION, OPT_HMM | OPT_ON_ERROR, 0, NULL};

/* The words as text[]; NULL with call->err filled when they do not fit. */
static ArrayType *
words_array(PgNlpCall *call, const char *utf8, const NlpSpans *words)
{
	Datum	   *values;
	ArrayType  *array;

	if (words->n == 0)
		return construct_empty_array(TEXTOID);
	/* A text takes at least its header and a byte, padded. */
	if (words->n > (MaxAllocSize - 1024) / 8)
	{
		nlp_fail(&call->err, NLP_ELIMIT, "the text has %zu words, more than an array of them can hold", words->n);
		return NULL;
	}
	values = palloc_extended(words->n * sizeof(Datum), MCXT_ALLOC_HUGE);
	for (size_t i = 0; i < words->n; i++)
	{
		text	   *t;

		if (pg_nlp_from_utf8(utf8 + words->spans[i].start, words->spans[i].len, &t, &call->err) != NLP_OK)
			return NULL;
		values[i] = PointerGetDatum(t);
	}
	array = construct_array(values, (int) words->n, TEXTOID, -1, false, TYPALIGN_INT);
	for (size_t i = 0; i < words->n; i++)
		pfree(DatumGetPointer(values[i]));
	pfree(values);
	return array;
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
