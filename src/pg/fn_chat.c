/* fn_chat.c --- chat and sample_chat: messages through the model's own chat template.
 *
 * The template decides how messages become a prompt (task/chat.h); today, for those
 * that ask, is the date of the transaction. The rendered text is read with special
 * tokens, of which only the template's own count. */
#include "postgres.h"

#include "access/xact.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

#include "fn_chat.h"
#include "task/chat.h"

PG_FUNCTION_INFO_V1(pg_nlp_chat);
PG_FUNCTION_INFO_V1(pg_nlp_sample_chat);

static const PgNlpVerb chat_verb = {
	"chat", NLP_TASK_GENERATION, OPTS_ANSWER, 256, "sample_chat"
};
static const PgNlpVerb sample_chat_verb = {
	"sample_chat", NLP_TASK_GENERATION, OPTS_ANSWER | OPTS_SAMPLING, 256, NULL
};

/* ---- user texts that spell special tokens ---- */

NlpStatus
pg_nlp_chat_begin(PgNlpChat *chat, PgNlpCall *call, const char *texts, size_t len)
{
	memset(chat, 0, sizeof(*chat));
	chat->call = call;
	/* U+FDD0 .. U+FDEF are noncharacters: no text needs one, let alone all. */
	for (int i = 0; i < 32; i++)
	{
		char		marker[4] = {(char) 0xEF, (char) 0xB7, (char) (0x90 + i), '\0'};

		if (memmem(texts, len, marker, 3) == NULL)
		{
			memcpy(chat->marker, marker, 4);
			return NLP_OK;
		}
	}
	return nlp_fail(&call->err, NLP_EINVALID, "messages contain every noncharacter from U+FDD0 to U+FDEF");
}

/* The marker goes after the first character of every special token that text spells. */
NlpStatus
pg_nlp_chat_text(PgNlpChat *chat, const char *text, size_t len, StringInfo out)
{
	PgNlpCall  *call = chat->call;
	const NlpTokenizer *tok = nlp_image_tokenizer(call->model->image);
	NlpTokens	tokens = {0};
	size_t		done = 0;

	NLP_TRY(nlp_encode(call->model->coder, &call->env, text, len, NLP_ENCODE_SPECIAL | NLP_ENCODE_NO_BOS,
					   true, 0, &tokens, &call->err));
	for (size_t i = 0; i < tokens.n; i++)
	{
		size_t		at = tokens.starts[i];

		if (!nlp_tokenizer_is_special(tok, tokens.ids[i]) || at < done || at >= len)
			continue;
		for (at++; at < len && ((unsigned char) text[at] & 0xC0) == 0x80; at++)
			;
		appendBinaryStringInfo(out, text + done, (int) (at - done));
		appendStringInfoString(out, chat->marker);
		chat->marked = true;
		done = at;
	}
	appendBinaryStringInfo(out, text + done, (int) (len - done));
	nlp_free(call->env.alloc, tokens.ids);
	nlp_free(call->env.alloc, tokens.starts);
	return NLP_OK;
}

/* Whether text[0..len) holds the marker; without, when not NULL, gets the text without it. */
static bool
find_marker(const PgNlpChat *chat, const char *text, size_t len, NlpBuf *without)
{
	const char *end = text + len;
	const char *at = memmem(text, len, chat->marker, 3);

	if (at == NULL)
		return false;
	for (; at; text = at + 3, at = memmem(text, end - text, chat->marker, 3))
		if (!nlp_buf_append(without, text, at - text))
			return true;
	(void) nlp_buf_append(without, text, end - text);
	return true;
}

/* ---- from the rendered text to tokens ---- */

typedef struct Ids
{
	const NlpAlloc *alloc;
	int32_t    *ids;
	size_t		n,
				cap;
} Ids;

static bool
append_ids(Ids *out, const int32_t *ids, size_t n)
{
	if (n > out->cap - out->n)
	{
		size_t		cap = Max(out->n + n, 2 * out->cap);
		int32_t    *grown = nlp_realloc(out->alloc, out->ids, out->n * sizeof(int32_t), cap * sizeof(int32_t));

		if (grown == NULL)
			return false;
		out->ids = grown;
		out->cap = cap;
	}
	memcpy(out->ids + out->n, ids, n * sizeof(int32_t));
	out->n += n;
	return true;
}

/* Tokens of one stretch between special tokens: as they are, or read again without
 * the marker and as plain text. */
static NlpStatus
append_stretch(const PgNlpChat *chat, const char *text, size_t len, const int32_t *ids, size_t n, Ids *out)
{
	PgNlpCall  *call = chat->call;
	NlpBuf		plain;
	NlpTokens	again = {0};
	NlpStatus	status = NLP_OK;

	nlp_buf_init(&plain, call->env.alloc);
	if (len > 0 && find_marker(chat, text, len, &plain))
	{
		status = nlp_encode(call->model->coder, &call->env, plain.data ? plain.data : "", plain.len,
							NLP_ENCODE_NO_BOS, false, 0, &again, &call->err);
		ids = again.ids;
		n = again.n;
	}
	if (status == NLP_OK && !append_ids(out, ids, n))
		status = nlp_no_memory(&call->err, n * sizeof(int32_t), "tokens");
	nlp_free(call->env.alloc, again.ids);
	nlp_buf_free(&plain);
	return status;
}

/* tokens (of the rendered text, with their starts) without the markers. */
static NlpStatus
remove_markers(const PgNlpChat *chat, const char *text, size_t len, NlpTokens *tokens)
{
	const NlpTokenizer *tok = nlp_image_tokenizer(chat->call->model->image);
	Ids			out = {.alloc = chat->call->env.alloc};
	size_t		i = 0;

	while (i < tokens->n)
	{
		size_t		first = i,
					end;

		if (nlp_tokenizer_is_special(tok, tokens->ids[i]))
		{
			if (!append_ids(&out, &tokens->ids[i++], 1))
				return nlp_no_memory(&chat->call->err, tokens->n * sizeof(int32_t), "tokens");
			continue;
		}
		while (i < tokens->n && !nlp_tokenizer_is_special(tok, tokens->ids[i]))
			i++;
		end = i < tokens->n ? tokens->starts[i] : len;
		NLP_TRY(append_stretch(chat, text + tokens->starts[first], end - tokens->starts[first],
							   tokens->ids + first, i - first, &out));
	}
	nlp_free(chat->call->env.alloc, tokens->ids);
	tokens->ids = out.ids;
	tokens->n = out.n;
	return NLP_OK;
}

/* ---- the template ---- */

/* The text of a special token as a template sees it. */
static const char *
piece_of(const NlpTokenizer *tok, int32_t id, size_t *len)
{
	NlpStr		piece = id >= 0 ? nlp_tokenizer_piece(tok, id) : (NlpStr) {NULL, 0};

	*len = piece.len;
	return piece.data;
}

static NlpStatus
render(PgNlpChat *chat, const char *messages, size_t len, NlpBuf *text)
{
	PgNlpCall  *call = chat->call;
	const NlpImage *image = call->model->image;
	const NlpTokenizer *tok = nlp_image_tokenizer(image);
	NlpChat		conversation = {.messages = messages,.messages_len = len};
	char		date[32];
	struct pg_tm tm;
	fsec_t		fsec;
	int			tz;
	NlpTemplate *tmpl;
	NlpStatus	status;

	conversation.bos = piece_of(tok, nlp_tokenizer_bos(tok), &conversation.bos_len);
	conversation.eos = piece_of(tok, nlp_tokenizer_eos(tok), &conversation.eos_len);
	if (timestamp2tm(GetCurrentTransactionStartTimestamp(), &tz, &tm, &fsec, NULL, NULL) == 0)
	{
		snprintf(date, sizeof(date), "%04d-%02d-%02dT%02d:%02d:%02d",
				 tm.tm_year, tm.tm_mon, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
		conversation.date = date;
	}
	NLP_TRY(nlp_chat_open(image->template_offset ? (const char *) image + image->template_offset : NULL,
						  image->template_bytes, call->env.alloc, &tmpl, &call->err));
	status = nlp_chat_render(tmpl, &call->env, &conversation, text, &call->err);
	nlp_template_free(tmpl);
	return status;
}

NlpStatus
pg_nlp_chat_encode(PgNlpChat *chat, const char *messages, size_t len, NlpTokens *out)
{
	PgNlpCall  *call = chat->call;
	NlpBuf		text;
	NlpStatus	status;

	memset(out, 0, sizeof(*out));
	nlp_buf_init(&text, call->env.alloc);
	status = render(chat, messages, len, &text);
	if (status == NLP_OK)
		status = nlp_encode(call->model->coder, &call->env, text.data ? text.data : "", text.len,
							NLP_ENCODE_SPECIAL | NLP_ENCODE_NO_BOS, chat->marked, 0, out, &call->err);
	if (status == NLP_OK && chat->marked)
		status = remove_markers(chat, text.data, text.len, out);
	nlp_free(call->env.alloc, out->starts);
	out->starts = NULL;
	nlp_buf_free(&text);
	return status;
}

/* ---- messages given as jsonb ---- */

/* A string in the database's encoding as a JSON string with markers. */
static NlpStatus
append_string(PgNlpChat *chat, const JsonbValue *v, StringInfo json)
{
	StringInfoData marked;
	const char *utf8;
	size_t		len;

	NLP_TRY(pg_nlp_to_utf8(v->val.string.val, v->val.string.len, &utf8, &len, &chat->call->err));
	initStringInfo(&marked);
	NLP_TRY(pg_nlp_chat_text(chat, utf8, len, &marked));
	escape_json(json, marked.data);
	pfree(marked.data);
	return NLP_OK;
}

static NlpStatus
append_scalar(PgNlpChat *chat, const JsonbValue *v, StringInfo json)
{
	switch (v->type)
	{
		case jbvString:
			return append_string(chat, v, json);
		case jbvNumeric:
			appendStringInfoString(json, DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(v->val.numeric))));
			break;
		case jbvBool:
			appendStringInfoString(json, v->val.boolean ? "true" : "false");
			break;
		default:
			appendStringInfoString(json, "null");
			break;
	}
	return NLP_OK;
}

/* Messages as JSON text in UTF-8, every string in it with markers. */
static NlpStatus
append_messages(PgNlpChat *chat, Jsonb *messages, StringInfo json)
{
	JsonbIterator *it = JsonbIteratorInit(&messages->root);
	JsonbIteratorToken token;
	JsonbValue	v;
	bool		comma = false;	/* before what comes next */

	while ((token = JsonbIteratorNext(&it, &v, false)) != WJB_DONE)
	{
		if (comma && token != WJB_END_ARRAY && token != WJB_END_OBJECT)
			appendStringInfoString(json, ", ");
		comma = true;
		switch (token)
		{
			case WJB_BEGIN_ARRAY:
			case WJB_BEGIN_OBJECT:
				appendStringInfoChar(json, token == WJB_BEGIN_ARRAY ? '[' : '{');
				comma = false;
				break;
			case WJB_END_ARRAY:
			case WJB_END_OBJECT:
				appendStringInfoChar(json, token == WJB_END_ARRAY ? ']' : '}');
				break;
			case WJB_KEY:
				NLP_TRY(append_string(chat, &v, json));
				appendStringInfoString(json, ": ");
				comma = false;
				break;
			default:
				NLP_TRY(append_scalar(chat, &v, json));
				break;
		}
	}
	return NLP_OK;
}

static NlpStatus
encode_messages(PgNlpCall *call, const PgNlpOptions *options, Jsonb *messages, NlpTokens *out)
{
	PgNlpChat	chat;
	StringInfoData json;

	NLP_TRY(pg_nlp_check_length(call, options, VARSIZE(messages)));
	NLP_TRY(pg_nlp_chat_begin(&chat, call, (const char *) messages, VARSIZE(messages)));
	initStringInfo(&json);
	NLP_TRY(append_messages(&chat, messages, &json));
	NLP_TRY(pg_nlp_chat_encode(&chat, json.data, json.len, out));
	pfree(json.data);
	return NLP_OK;
}

static void
run_chats(PgNlpCall *call, const PgNlpOptions *options, PgNlpRow *rows, const Datum *values, int n)
{
	for (int i = 0; i < n; i++)
		if (!rows[i].skip && encode_messages(call, options, DatumGetJsonbP(values[i]), &rows[i].prompt) != NLP_OK)
			pg_nlp_row_error(&rows[i], options, &call->err);
	pg_nlp_run_rows(call, options, rows, n, NULL);
}

Datum
pg_nlp_chat(PG_FUNCTION_ARGS)
{
	return pg_nlp_verb_one(fcinfo, &chat_verb, run_chats);
}

Datum
pg_nlp_sample_chat(PG_FUNCTION_ARGS)
{
	return pg_nlp_verb_one(fcinfo, &sample_chat_verb, run_chats);
}
