/* fn_phrase.c --- phrase_vector: one vector for a text, the mean of its words' vectors,
 * frequent words counting less (smooth inverse frequency, Arora et al. 2017; the
 * common component that the paper takes off is a matter of a whole collection and is
 * not taken off here).
 *
 * Texts are cut as those were that the model learnt from: a model of Chinese words
 * needs a segmenter, and an ERROR says so when there is none. */
#include "postgres.h"

#include <math.h>

#include "utils/builtins.h"

#include "fn_words.h"
#include "token/words.h"

PG_FUNCTION_INFO_V1(pg_nlp_phrase_vector);

#define SIF_A 1e-3
#define PLAIN_MEAN 1e300		/* a / (a + p) is 1 for every p */

static const PgNlpVerb phrase_vector_verb = {
	"phrase_vector", NLP_TASK_WORD_VECTORS, OPT_WEIGHTING | OPT_NORMALIZE | OPT_KEEP_CASE | OPT_SEGMENTER, 0, NULL
};

/* The words of a text that the model may know. */
typedef struct Phrase
{
	const NlpWords *w;
	const NlpAlloc *alloc;
	NlpStr	   *words;
	size_t		n,
				cap;
} Phrase;

static NlpStatus
add_word(Phrase *p, NlpStr word, NlpError *err)
{
	if (p->n == p->cap)
	{
		size_t		cap = p->cap ? 2 * p->cap : 64;
		NlpStr	   *words = nlp_realloc(p->alloc, p->words, p->cap * sizeof(NlpStr), cap * sizeof(NlpStr));

		if (words == NULL)
			return nlp_no_memory(err, cap * sizeof(NlpStr), "the words of a text");
		p->words = words;
		p->cap = cap;
	}
	p->words[p->n++] = word;
	return NLP_OK;
}

/* A word of the table is kept as the table's own bytes; one that only n-grams make, as a
 * copy; any other is left out. */
static NlpStatus
take_word(void *ctx, const char *bytes, size_t len, NlpError *err)
{
	Phrase	   *p = ctx;
	NlpStr		word = {bytes, len};
	uint32		id = pg_nlp_word_id(p->w, word);

	if (id != NLP_NO_WORD)
		word.data = nlp_words_text(p->w, id, &word.len);
	else if (p->w->subword_min == 0 || len == 0 || len > NLP_WORDS_MAX_BYTES)
		return NLP_OK;
	else if ((word.data = nlp_strndup(p->alloc, bytes, len)) == NULL)
		return nlp_no_memory(err, len, "the words of a text");
	return add_word(p, word, err);
}

static void
free_phrase(Phrase *p)
{
	for (size_t i = 0; i < p->n; i++)
		if (pg_nlp_word_id(p->w, p->words[i]) == NLP_NO_WORD)
			nlp_free(p->alloc, (void *) p->words[i].data);
	nlp_free(p->alloc, p->words);
}

/* ---- the segmenter ---- */

static void
tell_why(void *arg)
{
	errcontext("cutting a text for model \"%s\", whose words are Chinese as a segmenter cuts them", (char *) arg);
}

/* The segmenter's call, or NULL when the model was not made with one and none is named. */
static PgNlpCall *
segmenter_call(FunctionCallInfo fcinfo, PgNlpCall *call, const PgNlpOptions *options)
{
	ErrorContextCallback why = {
		.previous = error_context_stack,
		.callback = tell_why,
		.arg = (void *) pg_nlp_call_model_name(call)
	};
	text	   *name = options->segmenter ? cstring_to_text(options->segmenter) : NULL;
	PgNlpCall  *segmenter;

	if (name == NULL && !pg_nlp_words_table(call)->chinese)
		return NULL;
	if (name == NULL)
		error_context_stack = &why;
	segmenter = pg_nlp_kept_call(fcinfo, PG_NLP_KEPT_SEGMENTER, phrase_vector_verb.name, NLP_TASK_SEGMENTATION,
								 name, "zh");
	error_context_stack = why.previous;
	return segmenter;
}

/* ---- the verb ---- */

/* NULL when no word is known. */
static Embedding *
phrase_vector(PgNlpCall *call, PgNlpCall *segmenter, const PgNlpOptions *options, const text *input)
{
	Phrase		p = {.w = pg_nlp_words_table(call), .alloc = call->env.alloc};
	NlpWordCut	cut = {.keep_case = options->keep_case};
	Embedding  *e = NULL;
	NlpStr		utf8 = pg_nlp_word(input);

	if (segmenter)
		cut.segmenter = nlp_image_segmenter(segmenter->model->image);
	if (nlp_cut_words(&cut, utf8.data, utf8.len, &call->env, take_word, &p, &call->err) != NLP_OK)
		pg_nlp_raise(&call->err);
	if (p.n > 0)
	{
		float	   *sum = palloc(p.w->dim * sizeof(float));

		if (nlp_words_phrase(p.w, p.words, p.n, options->mean ? PLAIN_MEAN : SIF_A, sum))
			e = pg_nlp_embedding_from(sum, (int) p.w->dim);
		pfree(sum);
	}
	free_phrase(&p);
	if (e && options->normalize)
		pg_nlp_scale_to_unit(e);
	return e;
}

/* phrase_vector(input text, model text, options jsonb) */
Datum
pg_nlp_phrase_vector(PG_FUNCTION_ARGS)
{
	const PgNlpVerb *verb = &phrase_vector_verb;
	PgNlpOptions options;
	PgNlpCall  *call,
			   *segmenter;
	text	   *input;
	Embedding  *e;
	Datum		result;
	bool		isnull;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	if (pg_nlp_recall(fcinfo, verb->task, &result, &isnull))
	{
		fcinfo->isnull = isnull;
		return result;
	}
	pg_nlp_options(verb, pg_nlp_arg_jsonb(fcinfo, 2), &options);
	input = PG_GETARG_TEXT_PP(0);
	call = pg_nlp_words_quick(pg_nlp_lookup(fcinfo), verb, pg_nlp_arg_text(fcinfo, 1), input);
	segmenter = segmenter_call(pg_nlp_lookup(fcinfo), call, &options);
	e = phrase_vector(call, segmenter, &options, input);
	pg_nlp_kept_call_rest(call);
	if (segmenter)
		pg_nlp_kept_call_rest(segmenter);
	/* What is remembered does not depend on the segmenter's setting. */
	if (segmenter == NULL || options.segmenter)
		pg_nlp_remember(fcinfo, verb->task, PointerGetDatum(e), e == NULL);
	if (e == NULL)
		PG_RETURN_NULL();
	PG_RETURN_EMBEDDING_P(e);
}
