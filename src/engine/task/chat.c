/* chat.c --- check a conversation and render it with the model's template.
 *
 * Trust:  messages and variables are the user's JSON, the template the model
 *         file's; see template_json.c and template.h for what bounds them. */
#include <stdio.h>
#include <string.h>

#include "task/chat.h"
#include "task/template_internal.h"
#include "engine_only.h"

NlpStatus
nlp_chat_open(const char *source, size_t len, const NlpAlloc *alloc, NlpTemplate **tmpl, NlpError *err)
{
	*tmpl = NULL;
	if (!source || len == 0)
	{
		nlp_fail(err, NLP_EUNSUPPORTED, "model has no chat template");
		nlp_hint(err, "Write the whole prompt yourself, or use a model made for conversations: its file has "
				 "\"tokenizer.chat_template\".");
		return NLP_EUNSUPPORTED;
	}
	return nlp_template_parse(source, len, alloc, tmpl, err);
}

/* ---- checks ---- */

static NlpStatus
bad_message(TplRun *r, size_t i, const char *what)
{
	nlp_fail(r->err, NLP_EINVALID, "message %zu of the conversation %s", i + 1, what);
	nlp_hint(r->err, "A message is an object like {\"role\": \"user\", \"content\": \"Hello\"}.");
	return NLP_EINVALID;
}

static bool
has_tool_calls(const TplDict *m)
{
	const TplValue *calls = nlp_tpl_dict_find(m, "tool_calls");

	return calls && calls->type == TPL_LIST && calls->p.list->n > 0;
}

static NlpStatus
check_message(TplRun *r, size_t i, const TplValue *m)
{
	const TplValue *role;
	const TplValue *content;

	if (m->type != TPL_DICT)
		return bad_message(r, i, "is not an object");
	role = nlp_tpl_dict_find(m->p.dict, "role");
	content = nlp_tpl_dict_find(m->p.dict, "content");
	if (!role)
		return bad_message(r, i, "has no \"role\"");
	if (role->type != TPL_STR || role->u.len == 0)
		return bad_message(r, i, "has a \"role\" that is not a text");
	if ((!content || content->type == TPL_NONE) && has_tool_calls(m->p.dict))
		return NLP_OK;
	if (!content)
		return bad_message(r, i, "has no \"content\"");
	if (content->type != TPL_STR)
		return bad_message(r, i, "has a \"content\" that is not a text");
	return NLP_OK;
}

static NlpStatus
read_messages(TplRun *r, const char *text, size_t len, TplValue *out)
{
	NLP_TRY(nlp_tpl_json(r, text, len, "conversation", out));
	if (out->type != TPL_LIST)
	{
		nlp_fail(r->err, NLP_EINVALID, "conversation is not a JSON array");
		nlp_hint(r->err, "Write it like [{\"role\": \"user\", \"content\": \"Hello\"}].");
		return NLP_EINVALID;
	}
	if (out->p.list->n == 0)
		return nlp_fail(r->err, NLP_EINVALID, "conversation has no messages");
	for (size_t i = 0; i < out->p.list->n; i++)
		NLP_TRY(check_message(r, i, &out->p.list->items[i]));
	return NLP_OK;
}

NlpStatus
nlp_chat_check(const NlpEnv *env, const char *messages, size_t len, size_t *n, NlpError *err)
{
	TplRun		r;
	TplValue	v;
	NlpStatus	st = nlp_tpl_begin(&r, NULL, env, NULL, NULL, err);

	if (st == NLP_OK)
		st = read_messages(&r, messages, len, &v);
	if (st == NLP_OK && n)
		*n = v.p.list->n;
	nlp_tpl_end(&r);
	return st;
}

/* ---- variables ---- */

static NlpStatus
set(TplRun *r, TplDict *d, const char *name, TplValue v)
{
	TplValue	key = tpl_text(name, strlen(name));

	return nlp_tpl_dict_set(r, d, &key, &v);
}

/* The caller's own variables come first; ours may not be among them. */
static NlpStatus
read_variables(TplRun *r, const NlpChat *chat, TplValue *out)
{
	static const char *const ours[] = {"messages", "bos_token", "eos_token", "strftime_now"};
	const TplValue *prompt;

	if (!chat->variables)
		return nlp_tpl_dict_new(r, TPL_DICT, out);
	NLP_TRY(nlp_tpl_json(r, chat->variables, chat->variables_len, "text of the template's variables", out));
	if (out->type != TPL_DICT)
		return nlp_fail(r->err, NLP_EINVALID, "variables of the chat template are not a JSON object");
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
	{
		if (nlp_tpl_dict_find(out->p.dict, ours[i]))
			return nlp_fail(r->err, NLP_EINVALID, "variable \"%s\" of the chat template cannot be set", ours[i]);
	}
	prompt = nlp_tpl_dict_find(out->p.dict, "add_generation_prompt");
	if (prompt && prompt->type != TPL_BOOL)
		return nlp_fail(r->err, NLP_EINVALID, "variable \"add_generation_prompt\" is not a boolean");
	return NLP_OK;
}

static NlpStatus
all_variables(TplRun *r, const NlpChat *chat, TplValue *vars)
{
	TplValue	messages;
	TplDict    *d;

	NLP_TRY(read_messages(r, chat->messages, chat->messages_len, &messages));
	NLP_TRY(read_variables(r, chat, vars));
	d = vars->p.dict;
	NLP_TRY(set(r, d, "messages", messages));
	if (!nlp_tpl_dict_find(d, "add_generation_prompt"))
		NLP_TRY(set(r, d, "add_generation_prompt", tpl_bool(!chat->no_prompt)));
	if (!nlp_tpl_dict_find(d, "tools"))
		NLP_TRY(set(r, d, "tools", tpl_none()));
	if (!nlp_tpl_dict_find(d, "documents"))
		NLP_TRY(set(r, d, "documents", tpl_none()));
	if (chat->bos)
		NLP_TRY(set(r, d, "bos_token", tpl_text(chat->bos, chat->bos_len)));
	if (chat->eos)
		NLP_TRY(set(r, d, "eos_token", tpl_text(chat->eos, chat->eos_len)));
	if (chat->date)
		NLP_TRY(set(r, d, "strftime_now", tpl_text(chat->date, strlen(chat->date))));
	return NLP_OK;
}

NlpStatus
nlp_chat_render(const NlpTemplate *tmpl, const NlpEnv *env, const NlpChat *chat, NlpBuf *out, NlpError *err)
{
	TplRun		r;
	TplValue	vars;
	NlpStatus	st = nlp_tpl_begin(&r, NULL, env, NULL, out, err);

	if (st == NLP_OK)
		st = all_variables(&r, chat, &vars);
	if (st == NLP_OK)
	{
		r.t = tmpl;
		st = nlp_tpl_run(&r, vars.p.dict);
	}
	return nlp_tpl_finish(&r, st);
}

/* ---- JSON text ---- */

bool
nlp_chat_put_json(NlpBuf *out, const char *text, size_t len)
{
	size_t		start = 0;

	if (!nlp_buf_append(out, "\"", 1))
		return false;
	for (size_t i = 0; i < len; i++)
	{
		unsigned char c = (unsigned char) text[i];
		char		buf[8];

		if (c >= 0x20 && c != '"' && c != '\\')
			continue;
		if (c < 0x20)
			snprintf(buf, sizeof(buf), "\\u%04x", c);
		else
			snprintf(buf, sizeof(buf), "\\%c", c);
		if (!nlp_buf_append(out, text + start, i - start) || !nlp_buf_append(out, buf, strlen(buf)))
			return false;
		start = i + 1;
	}
	return nlp_buf_append(out, text + start, len - start) && nlp_buf_append(out, "\"", 1);
}
