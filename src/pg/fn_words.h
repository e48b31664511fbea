/* fn_words.h --- what the verbs about word vectors share. */
#ifndef PG_NLP_FN_WORDS_H
#define PG_NLP_FN_WORDS_H

#include "embedding.h"
#include "fn_common.h"
#include "words_call.h"

#define PG_NLP_MAX_K 10000

/* A word as the engine takes it; raises when it cannot be converted to UTF-8. Points into t
 * or into a palloc'ed copy. */
extern NlpStr pg_nlp_word(const text *t);
/* Words of a text[] in order, NULL elements left out; *sample is the first one, or NULL. */
extern NlpStr *pg_nlp_word_array(ArrayType *array, size_t *n, text **sample);
/* A word of the model as a text; raises when the database's encoding cannot hold it. */
extern text *pg_nlp_word_text(const NlpWords *w, uint32 id);

/* The call of a verb that costs microseconds; kept open over the statement's rows, not
 * ended but rested (words_call.h). sample: a word of the row, for its language, or NULL. */
extern PgNlpCall *pg_nlp_words_quick(FunctionCallInfo fcinfo, const PgNlpVerb *verb, const text *model_name,
									 const text *sample);
/* The call of a verb that goes through the whole vocabulary: takes a place under max_active. */
extern PgNlpCall *pg_nlp_words_begin(FunctionCallInfo fcinfo, const PgNlpVerb *verb, const text *model_name,
									 const text *sample);
extern const NlpWords *pg_nlp_words_table(const PgNlpCall *call);

/* Look-ups that know that '' and words longer than any of a model are unknown. */
extern uint32 pg_nlp_word_id(const NlpWords *w, NlpStr word);
/* The word's row in the table, or, with subwords, a vector made of its n-grams in *made
 * (palloc'ed when NULL, dim floats); NULL: unknown. */
extern const float *pg_nlp_word_row(const NlpWords *w, NlpStr word, bool subwords, float **made);

/* To length 1; a vector of zeros stays. */
extern void pg_nlp_scale_to_unit(Embedding *e);

/* k of argument i, in range or ERROR 22023. The argument is not NULL. */
extern uint32 pg_nlp_arg_k(FunctionCallInfo fcinfo, int i);
/* Rows (word, score) of the SRF that InitMaterializedSRF began. */
extern void pg_nlp_put_neighbours(FunctionCallInfo fcinfo, PgNlpCall *call, const NlpNeighbour *found, uint32 n);

#endif
