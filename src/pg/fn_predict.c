/* fn_predict.c --- predict_word and context_words: what a trained model expects, from the
 * output rows it kept. Probabilities are over the whole vocabulary. */
#include "postgres.h"

#include "funcapi.h"
#include "utils/builtins.h"

#include "fn_words.h"

PG_FUNCTION_INFO_V1(pg_nlp_predict_word);
PG_FUNCTION_INFO_V1(pg_nlp_context_words);

static const PgNlpVerb predict_word_verb = {"predict_word", NLP_TASK_WORD_VECTORS, 0, 0, NULL};
static const PgNlpVerb context_words_verb = {"context_words", NLP_TASK_WORD_VECTORS, 0, 0, NULL};

/* The engine's refusal, with the model's name. */
static _Noreturn void
no_prediction(PgNlpCall *call)
{
	if (call->err.status == NLP_EUNSUPPORTED && call->err.detail[0] == '\0')
		nlp_detail(&call->err, "The model is \"%s\".", pg_nlp_call_model_name(call));
	pg_nlp_raise(&call->err);
}

/* predict_word(context text[], k int, model text): unknown words of the context are left
 * out; none known: no rows */
Datum
pg_nlp_predict_word(PG_FUNCTION_ARGS)
{
	PgNlpCall  *call;
	const NlpWords *w;
	NlpNeighbour *found;
	NlpStr	   *words;
	text	   *sample;
	uint32	   *ids;
	uint32		k,
				n_found = 0;
	size_t		n,
				known = 0;

	InitMaterializedSRF(fcinfo, 0);
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_NULL();
	k = pg_nlp_arg_k(fcinfo, 1);
	words = pg_nlp_word_array(PG_GETARG_ARRAYTYPE_P(0), &n, &sample);
	call = pg_nlp_words_begin(fcinfo, &predict_word_verb, pg_nlp_arg_text(fcinfo, 2), sample);
	w = pg_nlp_words_table(call);
	ids = palloc_extended((n + 1) * sizeof(uint32), MCXT_ALLOC_HUGE);
	for (size_t i = 0; i < n; i++)
	{
		ids[known] = pg_nlp_word_id(w, words[i]);
		known += ids[known] != NLP_NO_WORD;
	}
	k = Min(k, w->n);
	found = palloc(k * sizeof(NlpNeighbour));
	if (known > 0 && nlp_words_predict(w, ids, known, k, &call->env, found, &n_found, &call->err) != NLP_OK)
		no_prediction(call);
	pg_nlp_put_neighbours(fcinfo, call, found, n_found);
	pg_nlp_call_progress(call, NULL, 1);
	pg_nlp_call_end(call);
	PG_RETURN_NULL();
}

/* context_words(word text, k int, model text) */
Datum
pg_nlp_context_words(PG_FUNCTION_ARGS)
{
	PgNlpCall  *call;
	const NlpWords *w;
	NlpNeighbour *found;
	uint32		k,
				id,
				n_found = 0;

	InitMaterializedSRF(fcinfo, 0);
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_NULL();
	k = pg_nlp_arg_k(fcinfo, 1);
	call = pg_nlp_words_begin(fcinfo, &context_words_verb, pg_nlp_arg_text(fcinfo, 2), PG_GETARG_TEXT_PP(0));
	w = pg_nlp_words_table(call);
	id = pg_nlp_word_id(w, pg_nlp_word(PG_GETARG_TEXT_PP(0)));
	k = Min(k, w->n);
	found = palloc(k * sizeof(NlpNeighbour));
	if (id != NLP_NO_WORD && nlp_words_context(w, id, k, &call->env, found, &n_found, &call->err) != NLP_OK)
		no_prediction(call);
	pg_nlp_put_neighbours(fcinfo, call, found, n_found);
	pg_nlp_call_progress(call, NULL, 1);
	pg_nlp_call_end(call);
	PG_RETURN_NULL();
}
