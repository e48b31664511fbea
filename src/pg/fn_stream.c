/* fn_stream.c --- generate_stream: an answer piece by piece, one row a piece.
 *
 * The function gives one value a call, so in a select list each row leaves the
 * executor before the next token is computed; what is in the connection's buffer is
 * sent at every call. A FROM clause would collect the rows first. Joined, the rows
 * are exactly what generate answers.
 *
 * The decoder and the model's pin live in the function's multi-call context: a query
 * that stops early gives them back. While the client has the row, the place under
 * pg_nlp.max_active is given up. */
#include "postgres.h"

/* Only PqCommMethods is wanted of libpq.h, whose struct Port would ask for the headers
 * of Kerberos and OpenSSL; nothing here looks into a Port. */
#undef ENABLE_GSS
#undef USE_OPENSSL
#undef USE_SSL

#include "access/parallel.h"
#include "funcapi.h"
#include "libpq/libpq.h"
#include "tcop/tcopprot.h"
#include "utils/builtins.h"

#include "fn_common.h"

PG_FUNCTION_INFO_V1(pg_nlp_generate_stream);

static const PgNlpVerb stream_verb = {
	"generate_stream", NLP_TASK_GENERATION, OPTS_ANSWER | OPT_SPECIAL, 128, "sample"
};

typedef struct Stream
{
	PgNlpCall  *call;			/* NULL: nothing to give */
	PgNlpOptions options;
	NlpDecoder *decoder;
	PgNlpRow	row;
	bool		busy;
	size_t		given;			/* UTF-8 bytes of the answer already given */
} Stream;

static void
open_stream(FunctionCallInfo fcinfo, Stream *st)
{
	text	   *prompt = pg_nlp_arg_text(fcinfo, 0);
	const char *utf8;
	size_t		len,
				length;
	NlpGenOptions gen;

	pg_nlp_options(&stream_verb, pg_nlp_arg_jsonb(fcinfo, 2), &st->options);
	if (prompt == NULL)
		return;
	st->call = pg_nlp_call_begin(NULL, stream_verb.name, stream_verb.task,
								 pg_nlp_arg_text(fcinfo, 1), pg_nlp_language(PointerGetDatum(prompt)), true);
	if (pg_nlp_to_utf8(VARDATA_ANY(prompt), VARSIZE_ANY_EXHDR(prompt), &utf8, &len, &st->call->err) != NLP_OK)
		pg_nlp_row_error(&st->row, &st->options, &st->call->err);
	else
		pg_nlp_row_encode(st->call, &st->options, &st->row, utf8, len,
						  st->options.special ? NLP_ENCODE_SPECIAL : 0);
	if (st->row.skip)
		return;
	gen = pg_nlp_row_options(st->call, &st->options, &st->row);
	length = st->row.prompt.n + gen.max_tokens;
	st->decoder = pg_nlp_open_decoder(st->call, &length, 1);
	if (nlp_decoder_submit(st->decoder, 0, st->row.prompt.ids, st->row.prompt.n, &gen, &st->call->err) != NLP_OK)
		pg_nlp_row_error(&st->row, &st->options, &st->call->err);
	st->busy = !st->row.skip;
}

/* The next piece, or NULL at the end. */
static text *
next_piece(Stream *st)
{
	const char *piece = NULL;
	size_t		len = 0;
	text	   *out = NULL;
	NlpGenResult result;

	while (st->busy && len == 0)
	{
		if (nlp_decoder_step(st->decoder, &st->busy, &st->call->err) != NLP_OK)
			pg_nlp_raise(&st->call->err);
		if (nlp_decoder_take(st->decoder, &result))
		{
			st->busy = false;
			piece = result.text + st->given;
			len = result.len - st->given;
		}
		else if (nlp_decoder_fresh(st->decoder, 0, &piece, &len, &st->call->err) != NLP_OK)
			pg_nlp_raise(&st->call->err);
		pg_nlp_call_progress(st->call, nlp_decoder_stats(st->decoder), st->busy ? 0 : 1);
	}
	if (len == 0)
		return NULL;
	st->given += len;
	if (pg_nlp_from_utf8(piece, len, &out, &st->call->err) != NLP_OK)
	{
		st->busy = false;
		pg_nlp_row_error(&st->row, &st->options, &st->call->err);
	}
	return out;
}

Datum
pg_nlp_generate_stream(PG_FUNCTION_ARGS)
{
	FuncCallContext *funcctx;
	Stream	   *st;
	MemoryContext old;
	text	   *piece;

	if (SRF_IS_FIRSTCALL())
	{
		funcctx = SRF_FIRSTCALL_INIT();
		old = MemoryContextSwitchTo(funcctx->multi_call_memory_ctx);
		st = palloc0(sizeof(Stream));
		open_stream(fcinfo, st);
		funcctx->user_fctx = st;
		MemoryContextSwitchTo(old);
	}
	funcctx = SRF_PERCALL_SETUP();
	st = funcctx->user_fctx;

	/* The row before this one is in the connection's buffer: let it go. */
	if (st->given > 0 && whereToSendOutput == DestRemote && !IsParallelWorker())
		pq_flush_if_writable();
	piece = NULL;
	if (st->busy)
	{
		if (st->given > 0)
			pg_nlp_call_resume(st->call);
		piece = next_piece(st);
	}
	if (piece != NULL)
	{
		pg_nlp_call_pause(st->call);
		SRF_RETURN_NEXT(funcctx, PointerGetDatum(piece));
	}
	if (st->decoder)
		nlp_decoder_close(st->decoder);
	if (st->call)
		pg_nlp_call_end(st->call);
	SRF_RETURN_DONE(funcctx);
}
