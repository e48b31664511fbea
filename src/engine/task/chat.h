/* chat.h --- conversations to prompts: the model's own template, checked input.
 *
 * A conversation is a JSON array of messages, each an object with "role" and
 * "content", both strings; members beyond these are the template's business. An
 * assistant's message may have no content (absent or null) when it has
 * "tool_calls". Roles are not checked here: templates know theirs and say so. */
#ifndef NLP_TASK_CHAT_H
#define NLP_TASK_CHAT_H

#include "task/template.h"

/* Parse a model's template (tokenizer.chat_template). source NULL or len 0: the
 * model has none, NLP_EUNSUPPORTED with a hint. Free with nlp_template_free. */
extern NlpStatus nlp_chat_open(const char *source, size_t len, const NlpAlloc *alloc,
							   NlpTemplate **tmpl, NlpError *err);

typedef struct NlpChat
{
	const char *messages;		/* JSON array text, valid UTF-8 */
	size_t		messages_len;
	const char *variables;		/* NULL, or a JSON object of further variables: "tools", "documents",
								 * "enable_thinking", ...; "messages", "bos_token" and "eos_token" are refused */
	size_t		variables_len;
	const char *bos;			/* texts of the special tokens; NULL: the variable is undefined */
	size_t		bos_len;
	const char *eos;
	size_t		eos_len;
	const char *date;			/* NULL, or YYYY-MM-DD[THH:MM:SS] for templates that print today's date */
	bool		no_prompt;		/* do not open the assistant's turn (add_generation_prompt false) */
} NlpChat;

/* Append the prompt to out. "tools" and "documents" are none unless given, as in
 * transformers. Errors: NLP_EINVALID naming the message by its number from 1, or
 * with the template's own words; NLP_ETEXT, NLP_ELIMIT and NLP_ECOMPLEX as
 * nlp_template_render. Nothing is appended on error. Polls env. */
extern NlpStatus nlp_chat_render(const NlpTemplate *tmpl, const NlpEnv *env, const NlpChat *chat,
								 NlpBuf *out, NlpError *err);

/* Check messages without rendering; *n (may be NULL) is their number. */
extern NlpStatus nlp_chat_check(const NlpEnv *env, const char *messages, size_t len, size_t *n, NlpError *err);

/* Append text as a JSON string with its quotes; false: no memory. */
extern bool nlp_chat_put_json(NlpBuf *out, const char *text, size_t len);

#endif
