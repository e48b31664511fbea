/* fn_summarize.c --- summarize: texts through the model's chat template with an
 * instruction; a text longer than the context in pieces, then the pieces' summaries
 * together.
 *
 * Work goes in rounds. In each, a text that fits gets its final answer; one that does
 * not is cut into the fewest pieces of about equal length, at the ends of sentences
 * where there are some, and becomes the summaries of its pieces, one a line. All
 * prompts of a round, of all rows, are one batch. A piece takes more than one and a half
 * times the tokens of its summary, so each round shortens and there are few of them. */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "core/utf8.h"
#include "fn_chat.h"

PG_FUNCTION_INFO_V1(pg_nlp_summarize);
PG_FUNCTION_INFO_V1(pg_nlp_summarize_array);

static const PgNlpVerb summarize_verb = {
	"summarize", NLP_TASK_GENERATION, OPT_METHOD | OPT_MAX_TOKENS | OPT_INSTRUCTION | OPT_STOP | OPT_ON_ERROR, 128, NULL
};

#define DEFAULT_INSTRUCTION "Summarize the following text in two or three sentences."
#define PIECE_ANSWERS 4			/* a piece's room is at least so many times its summary's: rounds shorten */
#define SLACK_TOKENS 16			/* words at the seams of instruction, text and template may be cut otherwise */

/* One row on its way: its text, or what is left of it after a round. */
typedef struct Document
{
	const char *text;			/* UTF-8 */
	size_t		len;
	bool		open;			/* has no answer yet */
	int			first,			/* its prompts in this round's batch */
				n_pieces;
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

/* The prompt for one piece of text. */
static NlpStatus
encode_prompt(Summaries *s, const char *text, size_t len, NlpTokens *out)
{
	const char *instruction = s->options.instruction ? s->options.instruction : DEFAULT_INSTRUCTION;
	StringInfoData content;
	PgNlpChat	chat;

	memset(out, 0, sizeof(*out));
	initStringInfo(&content);
	if (len > (size_t) MaxAllocSize - strlen(instruction) - 16)
		return nlp_fail(&s->call->err, NLP_ELIMIT, "text of %zu bytes is too long to summarize", len);
	appendStringInfo(&content, "%s\n\n", instruction);
	appendBinaryStringInfo(&content, text, (int) len);
	NLP_TRY(pg_nlp_chat_begin(&chat, s->call, content.data, content.len));
	NLP_TRY(pg_nlp_chat_add(&chat, "user", content.data, content.len));
	pfree(content.data);
	return pg_nlp_chat_encode(&chat, out);
}

/* How much text one prompt takes: the context without the answer and what the
 * instruction and the template cost. */
static void
measure_room(Summaries *s)
{
	size_t		n_ctx = s->call->model->image->hparams.n_ctx;
	size_t		answer = s->options.gen.max_tokens;
	NlpTokens	empty;

	if (encode_prompt(s, "", 0, &empty) != NLP_OK)
		pg_nlp_raise(&s->call->err);
	nlp_free(s->call->env.alloc, empty.ids);
	if (!(s->options.given & OPT_MAX_TOKENS) && empty.n + SLACK_TOKENS < n_ctx)
		answer = s->options.gen.max_tokens = Max(1, Min(answer, (n_ctx - empty.n - SLACK_TOKENS) / (PIECE_ANSWERS + 1)));
	if (empty.n + SLACK_TOKENS + answer >= n_ctx)
	{
		nlp_fail(&s->call->err, NLP_ELIMIT,
				 "the instruction's %zu tokens and max_tokens %zu leave no room for a text in the context of %zu tokens",
				 empty.n, answer, n_ctx);
		pg_nlp_raise(&s->call->err);
	}
	s->room = n_ctx - answer - empty.n - SLACK_TOKENS;
}

/* ---- cutting ---- */

static bool
ends_sentence(const char *text, size_t len, size_t at)
{
	unsigned char c = (unsigned char) text[at - 1];

	if (c == '\n')
		return true;
	if ((c == '.' || c == '!' || c == '?') && at < len && (text[at] == ' ' || text[at] == '\n' || text[at] == '\t'))
		return true;
	/* ideographic full stop and fullwidth ! ? */
	return at >= 3 && (memcmp(text + at - 3, "\xE3\x80\x82", 3) == 0 || memcmp(text + at - 3, "\xEF\xBC\x81", 3) == 0 ||
					   memcmp(text + at - 3, "\xEF\xBC\x9F", 3) == 0);
}

/* The best place to cut in (low, high]: the last end of a sentence, else the last
 * space, else the last whole character. */
static size_t
cut_between(const char *text, size_t len, size_t low, size_t high)
{
	size_t		at;

	if (high >= len)
		return len;
	for (at = high; at > low; at--)
		if (ends_sentence(text, len, at))
			return at;
	for (at = high; at > low; at--)
		if (text[at - 1] == ' ' || text[at - 1] == '\t')
			return at;
	for (at = high; at > low; at--)
		if (((unsigned char) text[at] & 0xC0) != 0x80)
			return at;
	return high;
}

static PgNlpRow *
new_prompt(Summaries *s, const Document *doc)
{
	if (s->n_batch == s->cap_batch)
	{
		s->cap_batch = Max(16, 2 * s->cap_batch);
		s->batch = s->batch ? repalloc_huge(s->batch, s->cap_batch * sizeof(PgNlpRow)) :
			palloc_extended(s->cap_batch * sizeof(PgNlpRow), MCXT_ALLOC_HUGE);
	}
	memset(&s->batch[s->n_batch], 0, sizeof(PgNlpRow));
	s->batch[s->n_batch].element = s->rows[doc - s->docs].element;
	return &s->batch[s->n_batch++];
}

/* The first token that begins at or after byte at. */
static size_t
token_at(const NlpTokens *tokens, size_t at)
{
	size_t		low = 0,
				high = tokens->n;

	while (low < high)
	{
		size_t		middle = low + (high - low) / 2;

		if (tokens->starts[middle] < at)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Where the piece that begins at byte begin ends: the rest if it fits, else an equal
 * share of it, or up to a quarter less for the sake of a whole sentence. */
static size_t
piece_end(const Summaries *s, const Document *doc, const NlpTokens *tokens, size_t begin)
{
	size_t		first = token_at(tokens, begin);
	size_t		left = tokens->n - first;
	size_t		pieces = (left + s->room - 1) / s->room;
	size_t		high,
				end;

	if (pieces <= 1)
		return doc->len;
	high = tokens->starts[first + (left + pieces - 1) / pieces];
	end = cut_between(doc->text, doc->len, begin + (high - begin) / 4 * 3, high);
	/* At least one character, and whole ones, whatever the tokens are. */
	for (end = Max(end, begin + 1); end < doc->len && ((unsigned char) doc->text[end] & 0xC0) == 0x80; end++)
		;
	return end;
}

/* Add the prompts of one document to the batch. tokens are those of its text. */
static NlpStatus
add_prompts(Summaries *s, Document *doc, const NlpTokens *tokens)
{
	size_t		done = 0;

	if (tokens->n > s->room && s->room < (size_t) s->options.gen.max_tokens * PIECE_ANSWERS)
	{
		nlp_fail(&s->call->err, NLP_ELIMIT, "text of %zu tokens must be summarized in pieces, for which max_tokens %d is too large",
				 tokens->n, s->options.gen.max_tokens);
		return nlp_hint(&s->call->err, "Lower max_tokens to %zu or less.",
						(s->room + s->options.gen.max_tokens) / (PIECE_ANSWERS + 1));
	}
	doc->first = s->n_batch;
	do
	{
		size_t		end = piece_end(s, doc, tokens, done);
		NlpStatus	status;

		CHECK_FOR_INTERRUPTS();
		status = encode_prompt(s, doc->text + done, end - done, &new_prompt(s, doc)->prompt);
		if (status != NLP_OK)
		{
			s->n_batch = doc->first;
			return status;
		}
		done = end;
	} while (done < doc->len);
	doc->n_pieces = s->n_batch - doc->first;
	return NLP_OK;
}

/* ---- rounds ---- */

/* Fill the batch with the prompts of all open documents. */
static void
begin_round(Summaries *s)
{
	s->n_batch = 0;
	for (int i = 0; i < s->n; i++)
	{
		Document   *doc = &s->docs[i];
		NlpTokens	tokens = {0};

		if (!doc->open)
			continue;
		if (nlp_encode(s->call->model->coder, &s->call->env, doc->text, doc->len, NLP_ENCODE_NO_BOS, true, 0,
					   &tokens, &s->call->err) != NLP_OK ||
			add_prompts(s, doc, &tokens) != NLP_OK)
		{
			pg_nlp_row_error(&s->rows[i], &s->options, &s->call->err);
			doc->open = false;
		}
		nlp_free(s->call->env.alloc, tokens.ids);
		nlp_free(s->call->env.alloc, tokens.starts);
	}
}

/* Take the batch's answers: final for a document of one piece, else its next text. */
static void
end_round(Summaries *s)
{
	for (int i = 0; i < s->n; i++)
	{
		Document   *doc = &s->docs[i];
		StringInfoData joined;

		if (!doc->open)
			continue;
		if (doc->n_pieces == 1)
		{
			s->rows[i].answer = s->batch[doc->first].answer;
			doc->open = false;
			s->tally.rows++;
			continue;
		}
		initStringInfo(&joined);
		for (int k = 0; k < doc->n_pieces && doc->open; k++)
		{
			text	   *part = s->batch[doc->first + k].answer;
			const char *utf8;
			size_t		len;

			if (part == NULL)
				doc->open = false;	/* given up under on_error => null */
			else if (pg_nlp_to_utf8(VARDATA_ANY(part), VARSIZE_ANY_EXHDR(part), &utf8, &len, &s->call->err) != NLP_OK)
				pg_nlp_raise(&s->call->err);
			else
			{
				appendBinaryStringInfo(&joined, utf8, (int) len);
				appendStringInfoChar(&joined, '\n');
			}
		}
		doc->text = joined.data;
		doc->len = joined.len;
	}
}

static bool
any_open(const Summaries *s)
{
	for (int i = 0; i < s->n; i++)
		if (s->docs[i].open)
			return true;
	return false;
}

static bool
is_blank(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (strchr(" \t\r\n\f\v", text[i]) == NULL)
			return false;
	return true;
}

/* Summaries of the rows that are not skipped into their answers. */
static void
summarize_rows(PgNlpCall *call, const PgNlpOptions *options, PgNlpRow *rows, const Datum *values, int n)
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
		else if (is_blank(doc->text, doc->len))
		{
			/* A model would make something up. */
			rows[i].answer = cstring_to_text("");
			doc->open = false;
			s.tally.rows++;
		}
	}
	while (any_open(&s))
	{
		begin_round(&s);
		pg_nlp_run_rows(call, &s.options, s.batch, s.n_batch, &s.tally);
		end_round(&s);
		pg_nlp_call_progress(call, &s.tally.stats, s.tally.rows);
	}
}

Datum
pg_nlp_summarize(PG_FUNCTION_ARGS)
{
	return pg_nlp_verb_one(fcinfo, &summarize_verb, summarize_rows);
}

Datum
pg_nlp_summarize_array(PG_FUNCTION_ARGS)
{
	return pg_nlp_verb_array(fcinfo, &summarize_verb, summarize_rows);
}
