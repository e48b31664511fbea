/* fn_chat.c --- chat and sample_chat: messages through the model's own chat template.
 *
 * The template decides how messages become a prompt; it gets the variables messages,
 * add_generation_prompt (true), bos_token, eos_token and the date of the transaction.
 * The rendered text is read with special tokens, of which only the template's own count. */
#include "postgres.h"

#include <ctype.h>

#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"
#include "access/xact.h"

#include "fn_chat.h"
#include "task/template.h"

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
	initStringInfo(&chat->json);
	appendStringInfoChar(&chat->json, '[');
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

/* Append text to the JSON as a string, with the marker after the first byte of every
 * special token that it spells. Such texts begin with an ASCII character in all
 * vocabularies; one that does not is marked after its first character. */
static NlpStatus
append_text(PgNlpChat *chat, const char *text, size_t len)
{
	PgNlpCall  *call = chat->call;
	const NlpTokenizer *tok = nlp_image_tokenizer(call->model->image);
	NlpTokens	tokens = {0};
	StringInfoData marked;
	size_t		done = 0;

	NLP_TRY(nlp_encode(call->model->coder, &call->env, text, len, NLP_ENCODE_SPECIAL | NLP_ENCODE_NO_BOS,
					   true, 0, &tokens, &call->err));
	initStringInfo(&marked);
	for (size_t i = 0; i < tokens.n; i++)
	{
		size_t		at = tokens.starts[i];

		if (!nlp_tokenizer_is_special(tok, tokens.ids[i]) || at < done || at >= len)
			continue;
		for (at++; at < len && ((unsigned char) text[at] & 0xC0) == 0x80; at++)
			;
		appendBinaryStringInfo(&marked, text + done, (int) (at - done));
		appendStringInfoString(&marked, chat->marker);
		chat->marked = true;
		done = at;
	}
	appendBinaryStringInfo(&marked, text + done, (int) (len - done));
	nlp_free(call->env.alloc, tokens.ids);
	nlp_free(call->env.alloc, tokens.starts);
	escape_json(&chat->json, marked.data);
	pfree(marked.data);
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

static void
append_piece(StringInfo vars, const char *name, const NlpTokenizer *tok, int32_t id)
{
	NlpStr		piece = id >= 0 ? nlp_tokenizer_piece(tok, id) : (NlpStr) {"", 0};

	appendStringInfo(vars, ", \"%s\": ", name);
	escape_json(vars, pnstrdup(piece.data, piece.len));
}

/* The variables of the template as one JSON object. */
static char *
variables(const PgNlpChat *chat)
{
	const NlpTokenizer *tok = nlp_image_tokenizer(chat->call->model->image);
	StringInfoData vars;
	struct pg_tm tm;
	fsec_t		fsec;
	int			tz;

	initStringInfo(&vars);
	appendStringInfo(&vars, "{\"messages\": %s], \"add_generation_prompt\": true", chat->json.data);
	append_piece(&vars, "bos_token", tok, nlp_tokenizer_bos(tok));
	append_piece(&vars, "eos_token", tok, nlp_tokenizer_eos(tok));
	if (timestamp2tm(GetCurrentTransactionStartTimestamp(), &tz, &tm, &fsec, NULL, NULL) == 0)
		appendStringInfo(&vars, ", \"strftime_now\": \"%04d-%02d-%02dT%02d:%02d:%02d\"",
						 tm.tm_year, tm.tm_mon, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
	appendStringInfoChar(&vars, '}');
	return vars.data;
}

static NlpStatus
render(PgNlpChat *chat, NlpBuf *text)
{
	PgNlpCall  *call = chat->call;
	const NlpImage *image = call->model->image;
	char	   *vars = variables(chat);
	NlpTemplate *tmpl;
	NlpStatus	status;

	if (image->template_offset == 0)
	{
		nlp_fail(&call->err, NLP_EUNSUPPORTED, "model \"%s\" has no chat template", pg_nlp_call_model_name(call));
		return nlp_hint(&call->err, "Models that were trained on chats have one; generate continues a prompt with any model.");
	}
	NLP_TRY(nlp_template_parse((const char *) image + image->template_offset, image->template_bytes,
							   call->env.alloc, &tmpl, &call->err));
	status = nlp_template_render(tmpl, &call->env, vars, strlen(vars), text, &call->err);
	nlp_template_free(tmpl);
	pfree(vars);
	return status;
}

NlpStatus
pg_nlp_chat_encode(PgNlpChat *chat, NlpTokens *out)
{
	PgNlpCall  *call = chat->call;
	NlpBuf		text;
	NlpStatus	status;

	nlp_buf_init(&text, call->env.alloc);
	status = render(chat, &text);
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

NlpStatus
pg_nlp_chat_add(PgNlpChat *chat, const char *role, const char *content, size_t len)
{
	appendStringInfo(&chat->json, "%s{\"role\": ", chat->json.len > 1 ? ", " : "");
	escape_json(&chat->json, role);
	appendStringInfoString(&chat->json, ", \"content\": ");
	NLP_TRY(append_text(chat, content, len));
	appendStringInfoChar(&chat->json, '}');
	return NLP_OK;
}

/* ---- messages given as jsonb ---- */

static NlpStatus
check_messages(Jsonb *messages, NlpError *err)
{
	const char *wrong = "messages must be an array of objects, each with a \"role\"";
	int			n;

	if (!JB_ROOT_IS_ARRAY(messages) || JB_ROOT_IS_SCALAR(messages))
		return nlp_fail(err, NLP_EINVALID, "%s", wrong);
	n = JB_ROOT_COUNT(messages);
	if (n == 0)
		return nlp_fail(err, NLP_EINVALID, "messages must not be empty");
	for (int i = 0; i < n; i++)
	{
		JsonbValue *item = getIthJsonbValueFromContainer(&messages->root, i);
		JsonbValue	role;

		if (item->type != jbvBinary || !JsonContainerIsObject(item->val.binary.data) ||
			getKeyJsonValueFromContainer(item->val.binary.data, "role", 4, &role) == NULL || role.type != jbvString)
		{
			nlp_fail(err, NLP_EINVALID, "%s", wrong);
			return nlp_detail(err, "Message %d is not such an object.", i + 1);
		}
		pfree(item);
	}
	return NLP_OK;
}

/* A string in the database's encoding. */
static NlpStatus
append_string(PgNlpChat *chat, const JsonbValue *v)
{
	const char *utf8;
	size_t		len;

	NLP_TRY(pg_nlp_to_utf8(v->val.string.val, v->val.string.len, &utf8, &len, &chat->call->err));
	return append_text(chat, utf8, len);
}

static NlpStatus
append_scalar(PgNlpChat *chat, const JsonbValue *v)
{
	switch (v->type)
	{
		case jbvString:
			return append_string(chat, v);
		case jbvNumeric:
			appendStringInfoString(&chat->json,
								   DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(v->val.numeric))));
			break;
		case jbvBool:
			appendStringInfoString(&chat->json, v->val.boolean ? "true" : "false");
			break;
		default:
			appendStringInfoString(&chat->json, "null");
			break;
	}
	return NLP_OK;
}

/* The array's items as JSON text, every string in it marked. */
static NlpStatus
append_messages(PgNlpChat *chat, Jsonb *messages)
{
	JsonbIterator *it = JsonbIteratorInit(&messages->root);
	JsonbIteratorToken token;
	JsonbValue	v;
	bool		comma = false;
	int			depth = 0;

	while ((token = JsonbIteratorNext(&it, &v, false)) != WJB_DONE)
	{
		if (comma && token != WJB_END_ARRAY && token != WJB_END_OBJECT && token != WJB_VALUE)
			appendStringInfoString(&chat->json, ", ");
		comma = true;
		switch (token)
		{
			case WJB_BEGIN_ARRAY:
			case WJB_BEGIN_OBJECT:
				/* The outermost bracket is there already, and stays open. */
				if (depth++ > 0)
					appendStringInfoChar(&chat->json, token == WJB_BEGIN_ARRAY ? '[' : '{');
				comma = false;
				break;
			case WJB_END_ARRAY:
			case WJB_END_OBJECT:
				if (--depth > 0)
					appendStringInfoChar(&chat->json, token == WJB_END_ARRAY ? ']' : '}');
				break;
			case WJB_KEY:
				NLP_TRY(append_string(chat, &v));
				appendStringInfoString(&chat->json, ": ");
				comma = false;
				break;
			default:
				NLP_TRY(append_scalar(chat, &v));
				break;
		}
	}
	return NLP_OK;
}

static NlpStatus
encode_messages(PgNlpCall *call, const PgNlpOptions *options, Jsonb *messages, NlpTokens *out)
{
	PgNlpChat	chat;

	NLP_TRY(check_messages(messages, &call->err));
	NLP_TRY(pg_nlp_check_length(call, options, VARSIZE(messages)));
	NLP_TRY(pg_nlp_chat_begin(&chat, call, (const char *) messages, VARSIZE(messages)));
	NLP_TRY(append_messages(&chat, messages));
	return pg_nlp_chat_encode(&chat, out);
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
