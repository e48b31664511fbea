/* fn_score.c --- next_tokens and perplexity: the model's own probabilities. */
#include "postgres.h"

#include <math.h>

#include "funcapi.h"
#include "utils/builtins.h"

#include "fn_common.h"

PG_FUNCTION_INFO_V1(pg_nlp_next_tokens);
PG_FUNCTION_INFO_V1(pg_nlp_perplexity);

#define MAX_NEXT_TOKENS 100000

static const PgNlpVerb next_tokens_verb = {
	"next_tokens", NLP_TASK_GENERATION, OPT_SPECIAL | OPT_ON_ERROR, 0, NULL
};
static const PgNlpVerb perplexity_verb = {
	"perplexity", NLP_TASK_GENERATION, OPT_SPECIAL | OPT_ON_ERROR, 0, NULL
};

/* Argument 0 encoded as a prompt, with what the vocabulary puts at its beginning. */
static void
encode_input(FunctionCallInfo fcinfo, PgNlpCall *call, const PgNlpOptions *options, PgNlpRow *row)
{
	text	   *input = PG_GETARG_TEXT_PP(0);
	size_t		n_ctx = call->model->image->hparams.n_ctx;
	const char *utf8;
	size_t		len;

	if (pg_nlp_to_utf8(VARDATA_ANY(input), VARSIZE_ANY_EXHDR(input), &utf8, &len, &call->err) != NLP_OK)
		pg_nlp_row_error(row, options, &call->err);
	else
		pg_nlp_row_encode(call, options, row, utf8, len, options->special ? NLP_ENCODE_SPECIAL : 0);
	if (!row->skip && row->prompt.n > n_ctx)
	{
		nlp_fail(&call->err, NLP_ELIMIT, "the text has %zu tokens, and the model's context holds %zu", row->prompt.n, n_ctx);
		pg_nlp_row_error(row, options, &call->err);
	}
}

/* The text a token stands for; bytes that are not whole characters show as U+FFFD. */
static NlpStatus
token_text(PgNlpCall *call, int32 id, text **out)
{
	const NlpTokenizer *tok = nlp_image_tokenizer(call->model->image);
	size_t		cap = nlp_tokenizer_max_bytes(tok);
	char	   *buf = palloc(cap + 1);
	size_t		len = nlp_token_bytes(tok, id, true, buf, cap);
	NlpStatus	status = pg_nlp_from_bytes(buf, len, out, &call->err);

	/* A NUL byte is a token of many vocabularies. */
	if (status == NLP_ETEXT && len == 1 && buf[0] == '\0')
	{
		NlpStr		piece = nlp_tokenizer_piece(tok, id);

		status = pg_nlp_from_bytes(piece.data, piece.len, out, &call->err);
	}
	pfree(buf);
	return status;
}

static void
put_next_tokens(ReturnSetInfo *rsinfo, PgNlpCall *call, const PgNlpOptions *options, PgNlpRow *row,
				const int32 *ids, const float *probs, int k)
{
	for (int i = 0; i < k; i++)
	{
		Datum		values[3];
		bool		nulls[3] = {false, false, false};
		text	   *token = NULL;

		if (token_text(call, ids[i], &token) != NLP_OK)
			pg_nlp_row_error(row, options, &call->err);
		nulls[0] = token == NULL;
		values[0] = PointerGetDatum(token);
		values[1] = Int32GetDatum(ids[i]);
		values[2] = Float8GetDatum(probs[i]);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
}

Datum
pg_nlp_next_tokens(PG_FUNCTION_ARGS)
{
	const PgNlpVerb *verb = &next_tokens_verb;
	PgNlpOptions options;
	PgNlpCall  *call;
	PgNlpRow	row = {0};
	NlpDecoderStats stats = {0};
	int32	   *ids;
	float	   *probs;
	int			k;

	InitMaterializedSRF(fcinfo, 0);
	pg_nlp_options(verb, pg_nlp_arg_jsonb(fcinfo, 3), &options);
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_NULL();
	k = PG_GETARG_INT32(1);
	if (k < 1 || k > MAX_NEXT_TOKENS)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("k must be at least 1 and at most %d", MAX_NEXT_TOKENS)));
	call = pg_nlp_call_begin(NULL, verb->name, verb->task, pg_nlp_arg_text(fcinfo, 2),
							 pg_nlp_language(PG_GETARG_DATUM(0)), true);
	k = Min(k, (int) call->model->image->hparams.n_vocab);
	ids = palloc(k * sizeof(int32));
	probs = palloc(k * sizeof(float));
	encode_input(fcinfo, call, &options, &row);
	if (!row.skip &&
		nlp_next_tokens(call->model, &call->env, row.prompt.ids, row.prompt.n, k, ids, probs, &stats, &call->err) != NLP_OK)
		pg_nlp_row_error(&row, &options, &call->err);
	if (!row.skip)
		put_next_tokens((ReturnSetInfo *) fcinfo->resultinfo, call, &options, &row, ids, probs, k);
	pg_nlp_call_progress(call, &stats, 1);
	pg_nlp_call_end(call);
	PG_RETURN_NULL();
}

/* exp of the mean negative log-probability; NULL under two tokens, when there is
 * nothing to predict. */
Datum
pg_nlp_perplexity(PG_FUNCTION_ARGS)
{
	const PgNlpVerb *verb = &perplexity_verb;
	PgNlpOptions options;
	PgNlpCall  *call;
	PgNlpRow	row = {0};
	NlpDecoderStats stats = {0};
	Datum		result;
	bool		isnull;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	if (pg_nlp_recall(fcinfo, verb->task, &result, &isnull))
	{
		fcinfo->isnull = isnull;
		return result;
	}
	pg_nlp_options(verb, pg_nlp_arg_jsonb(fcinfo, 2), &options);
	call = pg_nlp_call_begin(pg_nlp_lookup(fcinfo), verb->name, verb->task, pg_nlp_arg_text(fcinfo, 1),
							 pg_nlp_language(PG_GETARG_DATUM(0)), true);
	encode_input(fcinfo, call, &options, &row);
	result = (Datum) 0;
	if (!row.skip && row.prompt.n < 2)
		row.skip = true;
	else if (!row.skip)
	{
		size_t		n = row.prompt.n;
		float	   *logprob = palloc_extended(n * sizeof(float), MCXT_ALLOC_HUGE);
		double		sum = 0;

		if (nlp_score(call->model, &call->env, row.prompt.ids, n, logprob, &stats, &call->err) != NLP_OK)
			pg_nlp_row_error(&row, &options, &call->err);
		else
		{
			for (size_t i = 0; i + 1 < n; i++)
				sum += logprob[i];
			result = Float8GetDatum(exp(-sum / (double) (n - 1)));
		}
	}
	pg_nlp_call_progress(call, &stats, 1);
	pg_nlp_call_end(call);
	pg_nlp_remember(fcinfo, verb->task, result, row.skip);
	fcinfo->isnull = row.skip;
	return result;
}
