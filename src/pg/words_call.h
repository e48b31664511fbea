/* words_call.h --- a model kept at hand over the rows of a statement.
 *
 * pg_nlp_call_begin is made for verbs that compute for milliseconds. A verb of a
 * microsecond (a word's vector) begins its call at the statement's first row and keeps it
 * open: the model stays pinned, nlp.activity shows one call, and a row costs a comparison
 * of the snapshot and a look at the role's right. */
#ifndef PG_NLP_WORDS_CALL_H
#define PG_NLP_WORDS_CALL_H

#include "pg_nlp.h"

/* The calls that a function of an expression may have open at the same time: the model of
 * the task, one for texts in Chinese where a setting names a model for each language, and a
 * segmenter. */
typedef enum PgNlpKeptCall
{
	PG_NLP_KEPT_MODEL,
	PG_NLP_KEPT_CHINESE,
	PG_NLP_KEPT_SEGMENTER,
	PG_NLP_KEPT_CALLS
} PgNlpKeptCall;

/* The call of an earlier row if it would be begun the same way now, else a new one (without
 * a place under max_active). fcinfo: its fn_extra belongs to this file. The call is
 * running until pg_nlp_kept_call_rest; it ends with the statement's memory, at the latest with
 * the transaction, and is not to be ended by the caller. */
extern PgNlpCall *pg_nlp_kept_call(FunctionCallInfo fcinfo, PgNlpKeptCall which, const char *verb, uint32 task,
								   const text *model_name, const char *language);
/* The row is done. */
extern void pg_nlp_kept_call_rest(PgNlpCall *call);

#endif
