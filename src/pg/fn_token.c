/* fn_token.c --- tokenize, token_ids, token_count, detokenize: a model's tokenizer
 * by itself. A file with a vocabulary only is enough.
 *
 * By default a text is taken by itself: texts of special tokens are plain text and no
 * beginning-of-text token is added, so detokenize(token_ids(x)) is x. */
#include "postgres.h"

#include <limits.h>

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "fn_common.h"

PG_FUNCTION_INFO_V1(pg_nlp_tokenize);
PG_FUNCTION_INFO_V1(pg_nlp_token_ids);
PG_FUNCTION_INFO_V1(pg_nlp_token_count);
PG_FUNCTION_INFO_V1(pg_nlp_detokenize);

#define KEYS (OPT_SPECIAL | OPT_BOS | OPT_ON_ERROR)

static const PgNlpVerb tokenize_verb = {"tokenize", NLP_TASK_TOKENIZER, KEYS, 0, NULL};
static const PgNlpVerb token_ids_verb = {"token_ids", NLP_TASK_TOKENIZER, KEYS, 0, NULL};
static const PgNlpVerb token_count_verb = {"token_count", NLP_TASK_TOKENIZER, KEYS, 0, NULL};
static const PgNlpVerb detokenize_verb = {"detokenize", NLP_TASK_TOKENIZER, OPT_SPECIAL | OPT_ON_ERROR, 0, NULL};

/* What one call works on. */
typedef struct Work
{
	PgNlpCall  *call;
	PgNlpOptions options;
	PgNlpRow	row;
} Work;

/* What is made of the tokens; sets w->row.skip (through pg_nlp_row_error) for NULL. */
typedef Datum (*Finish) (Work *w);

static Datum
run_encode(FunctionCallInfo fcinfo, const PgNlpVerb *verb, Finish finish)
{
	Work		w = {0};
	text	   *input;
	const char *utf8;
	size_t		len;
	Datum		result = (Datum) 0;
	bool		isnull;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	if (pg_nlp_recall(fcinfo, verb->task, &result, &isnull))
	{
		fcinfo->isnull = isnull;
		return result;
	}
	pg_nlp_options(verb, pg_nlp_arg_jsonb(fcinfo, 2), &w.options);
	input = PG_GETARG_TEXT_PP(0);
	w.call = pg_nlp_call_begin(pg_nlp_lookup(fcinfo), verb->name, verb->task, pg_nlp_arg_text(fcinfo, 1),
							   pg_nlp_language(PointerGetDatum(input)), false);
	if (pg_nlp_to_utf8(VARDATA_ANY(input), VARSIZE_ANY_EXHDR(input), &utf8, &len, &w.call->err) != NLP_OK ||
		nlp_encode(w.call->model->coder, &w.call->env, utf8, len,
				   (w.options.special ? NLP_ENCODE_SPECIAL : 0) | (w.options.bos ? 0 : NLP_ENCODE_NO_BOS),
				   false, 0, &w.row.prompt, &w.call->err) != NLP_OK)
		pg_nlp_row_error(&w.row, &w.options, &w.call->err);
	if (!w.row.skip)
		result = finish(&w);
	pg_nlp_call_progress(w.call, NULL, 1);
	pg_nlp_call_end(w.call);
	pg_nlp_remember(fcinfo, verb->task, result, w.row.skip);
	fcinfo->isnull = w.row.skip;
	return result;
}

static Datum
count_tokens(Work *w)
{
	if (w->row.prompt.n > INT_MAX)
	{
		nlp_fail(&w->call->err, NLP_ELIMIT, "the text has more tokens than type integer can count");
		pg_nlp_row_error(&w->row, &w->options, &w->call->err);
		return (Datum) 0;
	}
	return Int32GetDatum((int32) w->row.prompt.n);
}

static bool
fits_array(Work *w, size_t item_bytes)
{
	if (w->row.prompt.n <= (MaxAllocSize - 1024) / item_bytes)
		return true;
	nlp_fail(&w->call->err, NLP_ELIMIT, "the text has %zu tokens, more than an array of them can hold", w->row.prompt.n);
	pg_nlp_row_error(&w->row, &w->options, &w->call->err);
	return false;
}

static Datum
ids_array(Work *w)
{
	size_t		n = w->row.prompt.n;
	ArrayType  *array;

	if (n == 0)
		return PointerGetDatum(construct_empty_array(INT4OID));
	if (!fits_array(w, sizeof(int32)))
		return (Datum) 0;
	array = palloc0(ARR_OVERHEAD_NONULLS(1) + n * sizeof(int32));
	SET_VARSIZE(array, ARR_OVERHEAD_NONULLS(1) + n * sizeof(int32));
	array->ndim = 1;
	array->elemtype = INT4OID;
	ARR_DIMS(array)[0] = (int) n;
	ARR_LBOUND(array)[0] = 1;
	memcpy(ARR_DATA_PTR(array), w->row.prompt.ids, n * sizeof(int32));
	return PointerGetDatum(array);
}

static Datum
pieces_array(Work *w)
{
	size_t		n = w->row.prompt.n;
	const NlpTokenizer *tok = nlp_image_tokenizer(w->call->model->image);
	Datum	   *values;

	if (n == 0)
		return PointerGetDatum(construct_empty_array(TEXTOID));
	/* A text takes at least its header and a byte, padded. */
	if (!fits_array(w, 8))
		return (Datum) 0;
	values = palloc_extended(n * sizeof(Datum), MCXT_ALLOC_HUGE);
	for (size_t i = 0; i < n; i++)
	{
		NlpStr		piece = nlp_tokenizer_piece(tok, w->row.prompt.ids[i]);
		text	   *t;

		if (pg_nlp_from_bytes(piece.data, piece.len, &t, &w->call->err) != NLP_OK)
		{
			pg_nlp_row_error(&w->row, &w->options, &w->call->err);
			return (Datum) 0;
		}
		values[i] = PointerGetDatum(t);
	}
	return PointerGetDatum(construct_array(values, (int) n, TEXTOID, -1, false, TYPALIGN_INT));
}

Datum
pg_nlp_token_count(PG_FUNCTION_ARGS)
{
	return run_encode(fcinfo, &token_count_verb, count_tokens);
}

Datum
pg_nlp_token_ids(PG_FUNCTION_ARGS)
{
	return run_encode(fcinfo, &token_ids_verb, ids_array);
}

Datum
pg_nlp_tokenize(PG_FUNCTION_ARGS)
{
	return run_encode(fcinfo, &tokenize_verb, pieces_array);
}

/* The ids of a one-dimensional int[] without NULLs, each a token of the vocabulary. */
static NlpStatus
read_ids(ArrayType *array, const NlpTokenizer *tok, const int32 **ids, size_t *n, NlpError *err)
{
	*n = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
	*ids = (const int32 *) ARR_DATA_PTR(array);
	if (ARR_NDIM(array) > 1)
		return nlp_fail(err, NLP_EINVALID, "token ids must be a one-dimensional array");
	if (array_contains_nulls(array))
		return nlp_fail(err, NLP_EINVALID, "token ids must not contain nulls");
	for (size_t i = 0; i < *n; i++)
		if ((*ids)[i] < 0 || (uint32) (*ids)[i] >= nlp_tokenizer_size(tok))
			return nlp_fail(err, NLP_EINVALID, "token id %d is out of range: the vocabulary has %u tokens",
							(*ids)[i], nlp_tokenizer_size(tok));
	return NLP_OK;
}

Datum
pg_nlp_detokenize(PG_FUNCTION_ARGS)
{
	const PgNlpVerb *verb = &detokenize_verb;
	Work		w = {0};
	const NlpTokenizer *tok;
	const int32 *ids;
	size_t		n;
	NlpBuf		bytes;
	text	   *out = NULL;
	Datum		result;
	bool		isnull;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	if (pg_nlp_recall(fcinfo, verb->task, &result, &isnull))
	{
		fcinfo->isnull = isnull;
		return result;
	}
	pg_nlp_options(verb, pg_nlp_arg_jsonb(fcinfo, 2), &w.options);
	w.call = pg_nlp_call_begin(pg_nlp_lookup(fcinfo), verb->name, verb->task, pg_nlp_arg_text(fcinfo, 1), NULL, false);
	tok = nlp_image_tokenizer(w.call->model->image);
	nlp_buf_init(&bytes, w.call->env.alloc);
	if (read_ids(PG_GETARG_ARRAYTYPE_P(0), tok, &ids, &n, &w.call->err) != NLP_OK ||
		nlp_decode(tok, ids, n, w.options.special, &bytes, &w.call->err) != NLP_OK ||
		pg_nlp_from_bytes(bytes.data ? bytes.data : "", bytes.len, &out, &w.call->err) != NLP_OK)
		pg_nlp_row_error(&w.row, &w.options, &w.call->err);
	nlp_buf_free(&bytes);
	pg_nlp_call_progress(w.call, NULL, 1);
	pg_nlp_call_end(w.call);
	pg_nlp_remember(fcinfo, verb->task, PointerGetDatum(out), out == NULL);
	fcinfo->isnull = out == NULL;
	return PointerGetDatum(out);
}
