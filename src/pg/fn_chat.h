/* fn_chat.h --- a conversation through the model's own chat template. */
#ifndef PG_NLP_FN_CHAT_H
#define PG_NLP_FN_CHAT_H

#include "lib/stringinfo.h"

#include "fn_common.h"

/* A conversation on its way to tokens. Texts that come from the user must not turn
 * into special tokens when the rendered prompt is read: wherever one of them spells a
 * special token, a marker character that occurs nowhere in them is put inside; it is
 * taken out again after the special tokens have been found. */
typedef struct PgNlpChat
{
	PgNlpCall  *call;
	char		marker[4];		/* UTF-8 of one noncharacter, NUL-terminated */
	bool		marked;			/* some text holds it */
} PgNlpChat;

/* texts: all bytes that user texts will be taken from, to find a free marker.
 * NLP_EINVALID when there is none. Errors of all three are in call->err. */
extern NlpStatus pg_nlp_chat_begin(PgNlpChat *chat, PgNlpCall *call, const char *texts, size_t len);
/* Append a UTF-8 text to out, with markers. */
extern NlpStatus pg_nlp_chat_text(PgNlpChat *chat, const char *text, size_t len, StringInfo out);
/* Render messages (a JSON array whose texts came from pg_nlp_chat_text) and encode.
 * NLP_EUNSUPPORTED when the model has no chat template. */
extern NlpStatus pg_nlp_chat_encode(PgNlpChat *chat, const char *messages, size_t len, NlpTokens *out);

#endif
