/* fn_chat.h --- a list of messages through the model's own chat template. */
#ifndef PG_NLP_FN_CHAT_H
#define PG_NLP_FN_CHAT_H

#include "lib/stringinfo.h"

#include "fn_common.h"

/* A list of messages on its way to tokens. Texts that come from the user must not
 * turn into special tokens when the rendered prompt is read: wherever one of them
 * spells a special token, a marker character that occurs nowhere in them is put
 * inside; it is taken out again after the special tokens have been found. */
typedef struct PgNlpChat
{
	PgNlpCall  *call;
	char		marker[4];		/* UTF-8 of one noncharacter, NUL-terminated; "" when none is free */
	bool		marked;			/* some text holds it */
	StringInfoData json;		/* the messages so far, an array without its closing bracket */
} PgNlpChat;

/* texts: all bytes that user texts will be taken from, to find a free marker.
 * NLP_EINVALID when there is none. */
extern NlpStatus pg_nlp_chat_begin(PgNlpChat *chat, PgNlpCall *call, const char *texts, size_t len);
/* Add a message; texts are UTF-8. */
extern NlpStatus pg_nlp_chat_add(PgNlpChat *chat, const char *role, const char *content, size_t len);
/* Render and encode. Fills call->err on failure; NLP_EUNSUPPORTED when the model has
 * no chat template. */
extern NlpStatus pg_nlp_chat_encode(PgNlpChat *chat, NlpTokens *out);

#endif
