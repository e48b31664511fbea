/* fn_summarize.c --- summarize: texts through the model's chat template with an
 * instruction; a text longer than the context in pieces, then their summaries together.
 *
 * How a text is cut, what the model is asked and what of an answer counts is said in
 * task/summary.h. Here are the rounds for many texts at once: in each, a text that fits
 * gets its final answer, and one that does not becomes the summaries of its pieces. All
 * prompts of a round, of all rows, are one batch. */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/memutils.h"

#include "fn_chat.h"
#include "task/summary.h"

PG_FUNCTION_INFO_V1(pg_nlp_summarize);
PG_FUNCTION_INFO_V1(pg_nlp_summarize_array);

static const PgNlpVerb summarize_verb = {
	"summarize", NLP_TASK_GENERATION, OPT_METHOD | OPT_MAX_TOKENS | OPT_INSTRUCTION | OPT_STOP | OPT_ON_ERROR, 128, NULL
};

#define SLACK_TOKENS 16			/* at the seams of template, instruction and text words may be cut otherwise */
#define LEAST_ROOM 16			/* tokens of text in a prompt, below which nothing is tried */
#define PART_SHARE 4			/* a piece's summary has at most 1/4 of the piece's tokens: rounds shorten */

/* One row on its way: its text, or what is left of it after a round. */
typedef struct Document
{
	const char *text;			/* UTF-8 */
	size_t		len;
	bool		open;			/* has no answer yet */
	bool		joined;			/* text is summaries of pieces */
	int			first,			/* its prompts in this round's batch */
				n_pieces;
	int			last_pieces;	/* of the round before; 0: none */
} Document;

typedef struct Summaries
{
	PgNlpCall  *call;
	PgNlpOptions options;
	PgNlpRow   *rows;			/* answers, one a document */
	Document   *docs;
	int			n;
	size_t		room;			/* tokens of text that one prompt takes */
	PgNlpRow   *batch;
	int			n_batch,
				cap_batch;
	PgNlpTally	tally;
} Summaries;

/* ---- prompts ---- */

/* The conversation that asks for a summary of text, its texts with markers. */
static NlpStatus
put_messages(Summaries *s, PgNlpChat *chat, NlpSummaryPart part, size_t number, size_t of,
			 const char *text, size_t len, NlpBuf *out)
{
	StringInfoData marked;
	NlpStatus	status = NLP_OK;

	if (len > MaxAllocSize / 2)
		return nlp_fail(&s->call->err, NLP_ELIMIT, "text of %zu bytes is too long for one prompt", len);
	initStringInfo(&marked);
	if (s->options.instruction)
	{
		StringInfoData json;

		appendStringInfo(&marked, "%s\n\n", s->options.instruction);
		NLP_TRY(pg_nlp_chat_text(chat, text, len, &marked));
		initStringInfo(&json);
		appendStringInfoString(&json, "[{\"role\": \"user\", \"content\": ");
		escape_json(&json, marked.data);
		appendStringInfoString(&json, "}]");
		if (!nlp_buf_append(out, json.data, json.len))
			status = nlp_no_memory(&s->call->err, json.len, "the request for a summary");
		pfree(json.data);
	}
	else
	{
		/* A wish that lets the model come to an end before max_tokens cuts it off. */
		size_t		words = s->options.gen.max_tokens / 2;

		NLP_TRY(pg_nlp_chat_text(chat, text, len, &marked));
		status = nlp_summary_messages(part, number, of, words, marked.data, marked.len, out, &s->call->err);
	}
	pfree(marked.data);
	return status;
}

static NlpStatus
encode_prompt(Summaries *s, NlpSummaryPart part, size_t number, size_t of, const char *text, size_t len, NlpTokens *out)
{
	NlpBuf		messages;
	PgNlpChat	chat;
	NlpStatus	status;

	memset(out, 0, sizeof(*out));
	nlp_buf_init(&messages, s->call->env.alloc);
	NLP_TRY(pg_nlp_chat_begin(&chat, s->call, text, len));
	status = put_messages(s, &chat, part, number, of, text, len, &messages);
	if (status == NLP_OK)
		status = pg_nlp_chat_encode(&chat, messages.data, messages.len, out);
	nlp_buf_free(&messages);
	return status;
}

static NlpStatus
count_tokens(void *ctx, const char *text, size_t len, size_t max, size_t *tokens, NlpError *err)
{
	PgNlpCall  *call = ctx;
	NlpTokens	out = {0};
	NlpStatus	status = nlp_encode(call->model->coder, &call->env, text, len, NLP_ENCODE_NO_BOS, false,
									max < SIZE_MAX ? max + 1 : 0, &out, err);

	*tokens = out.n;
	nlp_free(call->env.alloc, out.ids);
	if (status == NLP_ELIMIT && max < SIZE_MAX)
	{
		*tokens = max + 1;
		status = NLP_OK;
	}
	return status;
}

/* How much text one prompt takes: the context without the answer and what the
 * template and the longest instruction cost. */
static void
measure_room(Summaries *s)
{
	PgNlpCall  *call = s->call;
	size_t		n_ctx = call->model->image->hparams.n_ctx;
	size_t		answer = s->options.gen.max_tokens;
	size_t		overhead = 0;
	NlpTokens	empty;

	if (encode_prompt(s, NLP_SUMMARY_WHOLE, 1, 1, "", 0, &empty) != NLP_OK)
		pg_nlp_raise(&call->err);
	nlp_free(call->env.alloc, empty.ids);
	if (!s->options.instruction && nlp_summary_overhead(count_tokens, call, &overhead, &call->err) != NLP_OK)
		pg_nlp_raise(&call->err);
	/* empty.n has an instruction in it already; the longest may replace it. */
	overhead += empty.n + SLACK_TOKENS;
	if (!(s->options.given & OPT_MAX_TOKENS) && overhead + LEAST_ROOM < n_ctx)
		answer = s->options.gen.max_tokens = (int) Max(1, Min(answer, (n_ctx - overhead) / (PART_SHARE + 1)));
	if (overhead + answer + LEAST_ROOM > n_ctx)
	{
		nlp_fail(&call->err, NLP_ELIMIT,
				 "the instruction's %zu tokens and max_tokens %zu leave no room for a text in the context of %zu tokens",
				 overhead, answer, n_ctx);
		nlp_hint(&call->err, "Lower max_tokens, or use a model with a longer context.");
		pg_nlp_raise(&call->err);
	}
	s->room = n_ctx - answer - overhead;
}

/* ---- rounds ---- */

static PgNlpRow *
new_prompt(Summaries *s, const Document *doc)
{
	PgNlpRow   *row;

	if (s->n_batch == s->cap_batch)
	{
		s->cap_batch = Max(16, 2 * s->cap_batch);
		s->batch = s->batch ? repalloc_huge(s->batch, s->cap_batch * sizeof(PgNlpRow)) :
			palloc_extended(s->cap_batch * sizeof(PgNlpRow), MCXT_ALLOC_HUGE);
	}
	row = &s->batch[s->n_batch++];
	memset(row, 0, sizeof(*row));
	row->element = s->rows[doc - s->docs].element;
	return row;
}

/* The prompts for the pieces of one document. */
static NlpStatus
add_pieces(Summaries *s, Document *doc, const NlpPiece *pieces, size_t n)
{
	size_t		part_tokens = Max(1, Min(s->room / PART_SHARE, (size_t) s->options.gen.max_tokens));

	if (doc->last_pieces > 0 && n >= (size_t) doc->last_pieces)
	{
		nlp_fail(&s->call->err, NLP_ELIMIT, "summaries of %zu pieces do not get shorter", n);
		return nlp_hint(&s->call->err, "Lower max_tokens, or use a model with a longer context.");
	}
	for (size_t i = 0; i < n; i++)
	{
		PgNlpRow   *row = new_prompt(s, doc);
		NlpSummaryPart part = n > 1 ? NLP_SUMMARY_PART : doc->joined ? NLP_SUMMARY_JOINED : NLP_SUMMARY_WHOLE;

		CHECK_FOR_INTERRUPTS();
		row->max_tokens = n > 1 ? (int) part_tokens : s->options.gen.max_tokens;
		NLP_TRY(encode_prompt(s, part, i + 1, n, doc->text + pieces[i].start, pieces[i].len, &row->prompt));
	}
	return NLP_OK;
}

static NlpStatus
add_document(Summaries *s, Document *doc)
{
	NlpPiece   *pieces;
	size_t		n;
	NlpStatus	status;

	doc->first = s->n_batch;
	NLP_TRY(nlp_summary_split(&s->call->env, doc->text, doc->len, s->room, count_tokens, s->call, &pieces, &n,
							  &s->call->err));
	status = add_pieces(s, doc, pieces, n);
	nlp_free(s->call->env.alloc, pieces);
	if (status != NLP_OK)
		s->n_batch = doc->first;
	doc->n_pieces = s->n_batch - doc->first;
	return status;
}

/* The document's answer is text. */
static void
close_document(Summaries *s, Document *doc, const char *text, size_t len)
{
	PgNlpRow   *row = &s->rows[doc - s->docs];

	if (pg_nlp_from_utf8(text, len, &row->answer, &s->call->err) != NLP_OK)
		pg_nlp_row_error(row, &s->options, &s->call->err);
	doc->open = false;
	s->tally.rows++;
}

/* Fill the batch with the prompts of all open documents. */
static void
begin_round(Summaries *s)
{
	s->n_batch = 0;
	for (int i = 0; i < s->n; i++)
	{
		Document   *doc = &s->docs[i];

		if (!doc->open)
			continue;
		if (add_document(s, doc) != NLP_OK)
		{
			pg_nlp_row_error(&s->rows[i], &s->options, &s->call->err);
			doc->open = false;
		}
		else if (doc->n_pieces == 0)
			close_document(s, doc, "", 0);	/* white space; a model would make something up */
	}
}

/* The cleaned answer of one prompt; false when it was given up. */
static bool
take_answer(Summaries *s, int i, const char **clean, size_t *len)
{
	text	   *answer = s->batch[i].answer;
	const char *utf8;

	if (answer == NULL)
		return false;
	if (pg_nlp_to_utf8(VARDATA_ANY(answer), VARSIZE_ANY_EXHDR(answer), &utf8, len, &s->call->err) != NLP_OK)
		pg_nlp_raise(&s->call->err);
	nlp_summary_clean(utf8, *len, clean, len);
	return true;
}

/* Take a document's answers: final for one piece, else its next text. */
static void
take_answers(Summaries *s, Document *doc)
{
	StringInfoData joined;
	const char *clean;
	size_t		len;

	initStringInfo(&joined);
	for (int i = 0; i < doc->n_pieces; i++)
	{
		if (!take_answer(s, doc->first + i, &clean, &len))
		{
			doc->open = false;	/* on_error => null */
			return;
		}
		if (joined.len > 0 && len > 0)
			appendStringInfoString(&joined, "\n\n");
		appendBinaryStringInfo(&joined, clean, (int) len);
	}
	if (doc->n_pieces == 1)
		close_document(s, doc, joined.data, joined.len);
	doc->text = joined.data;
	doc->len = joined.len;
	doc->joined = true;
	doc->last_pieces = doc->n_pieces;
}

static bool
any_open(const Summaries *s)
{
	for (int i = 0; i < s->n; i++)
		if (s->docs[i].open)
			return true;
	return false;
}

static void
run_summaries(PgNlpCall *call, const PgNlpOptions *options, PgNlpRow *rows, const Datum *values, int n)
{
	Summaries	s = {.call = call,.options = *options,.rows = rows,.n = n};

	s.docs = palloc_extended(n * sizeof(Document), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	measure_room(&s);
	for (int i = 0; i < n; i++)
	{
		Document   *doc = &s.docs[i];
		text	   *input;

		if (rows[i].skip)
			continue;
		input = DatumGetTextPP(values[i]);
		doc->open = true;
		if (pg_nlp_to_utf8(VARDATA_ANY(input), VARSIZE_ANY_EXHDR(input), &doc->text, &doc->len, &call->err) != NLP_OK)
		{
			pg_nlp_row_error(&rows[i], options, &call->err);
			doc->open = false;
		}
	}
	while (any_open(&s))
	{
		begin_round(&s);
		pg_nlp_run_rows(call, &s.options, s.batch, s.n_batch, &s.tally);
		for (int i = 0; i < n; i++)
			if (s.docs[i].open)
				take_answers(&s, &s.docs[i]);
		pg_nlp_call_progress(call, &s.tally.stats, s.tally.rows);
	}
}

Datum
pg_nlp_summarize(PG_FUNCTION_ARGS)
{
	return pg_nlp_verb_one(fcinfo, &summarize_verb, run_summaries);
}

Datum
pg_nlp_summarize_array(PG_FUNCTION_ARGS)
{
	return pg_nlp_verb_array(fcinfo, &summarize_verb, run_summaries);
}
