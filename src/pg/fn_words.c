/* fn_words.c --- word_vector, word2vec_similarity, one_hot, odd_one_out, nlp.words: what is
 * looked up in a table of word vectors without going through all of it.
 *
 * These cost about a microsecond, so their call stays open over the rows of a statement
 * and they wait for no place under pg_nlp.max_active. An unknown word is NULL, never a
 * made-up vector; a model with subwords knows every word that has one of its n-grams. */
#include "postgres.h"

#include <math.h>

#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "fn_words.h"

PG_FUNCTION_INFO_V1(pg_nlp_word_vector);
PG_FUNCTION_INFO_V1(pg_nlp_word2vec_similarity);
PG_FUNCTION_INFO_V1(pg_nlp_one_hot);
PG_FUNCTION_INFO_V1(pg_nlp_odd_one_out);
PG_FUNCTION_INFO_V1(pg_nlp_words);

#define MIN_ODD_WORDS 3			/* of two, each is as far from their mean as the other */

static const PgNlpVerb word_vector_verb = {
	"word_vector", NLP_TASK_WORD_VECTORS, OPT_NORMALIZE | OPT_SUBWORDS, 0, NULL
};
static const PgNlpVerb similarity_verb = {"word2vec_similarity", NLP_TASK_WORD_VECTORS, 0, 0, NULL};
static const PgNlpVerb one_hot_verb = {"one_hot", NLP_TASK_WORD_VECTORS, 0, 0, NULL};
static const PgNlpVerb odd_one_out_verb = {"odd_one_out", NLP_TASK_WORD_VECTORS, 0, 0, NULL};
static const PgNlpVerb words_verb = {"nlp.words", NLP_TASK_WORD_VECTORS, 0, 0, NULL};

/* ---- words in and out ---- */

NlpStr
pg_nlp_word(const text *t)
{
	NlpError	err = {0};
	NlpStr		word;

	if (pg_nlp_to_utf8(VARDATA_ANY(t), VARSIZE_ANY_EXHDR(t), &word.data, &word.len, &err) != NLP_OK)
		pg_nlp_raise(&err);
	return word;
}

NlpStr *
pg_nlp_word_array(ArrayType *array, size_t *n, text **sample)
{
	Datum	   *values;
	bool	   *nulls;
	int			all;
	NlpStr	   *words;

	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &values, &nulls, &all);
	words = palloc_extended((all + 1) * sizeof(NlpStr), MCXT_ALLOC_HUGE);
	*n = 0;
	*sample = NULL;
	for (int i = 0; i < all; i++)
	{
		if (nulls[i])
			continue;
		if (*sample == NULL)
			*sample = DatumGetTextPP(values[i]);
		words[(*n)++] = pg_nlp_word(DatumGetTextPP(values[i]));
	}
	return words;
}

text *
pg_nlp_word_text(const NlpWords *w, uint32 id)
{
	NlpError	err = {0};
	size_t		len;
	const char *word = nlp_words_text(w, id, &len);
	text	   *out;

	if (pg_nlp_from_utf8(word, len, &out, &err) != NLP_OK)
		pg_nlp_raise(&err);
	return out;
}

/* ---- calls ---- */

/* The language that decides which model, where the setting names one for each. */
static const char *
language_of(const PgNlpVerb *verb, const text *model_name, const text *sample)
{
	if (model_name || sample == NULL || strchr(pg_nlp_default_model(verb->task, NULL), '=') == NULL)
		return NULL;
	return pg_nlp_language(PointerGetDatum(sample));
}

PgNlpCall *
pg_nlp_words_quick(FunctionCallInfo fcinfo, const PgNlpVerb *verb, const text *model_name, const text *sample)
{
	const char *language = language_of(verb, model_name, sample);
	PgNlpKeptCall which = language && strcmp(language, "zh") == 0 ? PG_NLP_KEPT_CHINESE : PG_NLP_KEPT_MODEL;

	return pg_nlp_kept_call(fcinfo, which, verb->name, verb->task, model_name, language);
}

PgNlpCall *
pg_nlp_words_begin(FunctionCallInfo fcinfo, const PgNlpVerb *verb, const text *model_name, const text *sample)
{
	return pg_nlp_call_begin(fcinfo, verb->name, verb->task, model_name, language_of(verb, model_name, sample), true);
}

const NlpWords *
pg_nlp_words_table(const PgNlpCall *call)
{
	return nlp_image_words(call->model->image);
}

uint32
pg_nlp_word_id(const NlpWords *w, NlpStr word)
{
	if (word.len == 0 || word.len > NLP_WORDS_MAX_BYTES)
		return NLP_NO_WORD;
	return nlp_words_find(w, word.data, word.len);
}

const float *
pg_nlp_word_row(const NlpWords *w, NlpStr word, bool subwords, float **made)
{
	uint32		id = pg_nlp_word_id(w, word);

	if (id != NLP_NO_WORD)
		return nlp_words_row(w, id);
	if (!subwords || w->subword_min == 0 || word.len == 0 || word.len > NLP_WORDS_MAX_BYTES)
		return NULL;
	if (*made == NULL)
		*made = palloc(w->dim * sizeof(float));
	return nlp_words_vector(w, word.data, word.len, *made) ? *made : NULL;
}

uint32
pg_nlp_arg_k(FunctionCallInfo fcinfo, int i)
{
	int32		k = PG_GETARG_INT32(i);

	if (k < 1 || k > PG_NLP_MAX_K)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("k must be at least 1 and at most %d", PG_NLP_MAX_K)));
	return (uint32) k;
}

void
pg_nlp_put_neighbours(FunctionCallInfo fcinfo, PgNlpCall *call, const NlpNeighbour *found, uint32 n)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	const NlpWords *w = pg_nlp_words_table(call);

	for (uint32 i = 0; i < n; i++)
	{
		Datum		values[2] = {PointerGetDatum(pg_nlp_word_text(w, found[i].word)), Float4GetDatum(found[i].score)};
		bool		nulls[2] = {false, false};

		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
		pfree(DatumGetPointer(values[0]));
	}
}

/* ---- one vector ---- */

void
pg_nlp_scale_to_unit(Embedding *e)
{
	double		sum = 0;

	for (int i = 0; i < e->dim; i++)
		sum += (double) e->x[i] * e->x[i];
	if (sum == 0)
		return;
	sum = 1 / sqrt(sum);
	for (int i = 0; i < e->dim; i++)
		e->x[i] = (float) (e->x[i] * sum);
}

/* word_vector(word text, model text, options jsonb) */
Datum
pg_nlp_word_vector(PG_FUNCTION_ARGS)
{
	PgNlpOptions options;
	PgNlpCall  *call;
	const NlpWords *w;
	text	   *word;
	float	   *made = NULL;
	const float *row;
	Embedding  *e = NULL;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	pg_nlp_options(&word_vector_verb, pg_nlp_arg_jsonb(fcinfo, 2), &options);
	word = PG_GETARG_TEXT_PP(0);
	call = pg_nlp_words_quick(fcinfo, &word_vector_verb, pg_nlp_arg_text(fcinfo, 1), word);
	w = pg_nlp_words_table(call);
	row = pg_nlp_word_row(w, pg_nlp_word(word), options.subwords, &made);
	if (row)
	{
		e = pg_nlp_embedding_from(row, (int) w->dim);
		if (options.normalize)
			pg_nlp_scale_to_unit(e);
	}
	pg_nlp_kept_call_rest(call);
	if (e == NULL)
		PG_RETURN_NULL();
	PG_RETURN_EMBEDDING_P(e);
}

/* Cosine; a vector of zeros is like nothing, 0, as gensim has it. */
static float
cosine(const float *a, const float *b, size_t dim)
{
	float		dot,
				aa,
				bb;
	double		c;

	nlp_cosine_f32(a, b, dim, &dot, &aa, &bb);
	if (aa == 0 || bb == 0)
		return 0;
	c = dot / sqrt((double) aa * bb);
	return (float) Max(-1.0, Min(1.0, c));
}

/* word2vec_similarity(a text, b text, model text) */
Datum
pg_nlp_word2vec_similarity(PG_FUNCTION_ARGS)
{
	PgNlpCall  *call;
	const NlpWords *w;
	float	   *made[2] = {NULL, NULL};
	const float *a,
			   *b = NULL;
	float		similarity = 0;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_NULL();
	call = pg_nlp_words_quick(fcinfo, &similarity_verb, pg_nlp_arg_text(fcinfo, 2), PG_GETARG_TEXT_PP(0));
	w = pg_nlp_words_table(call);
	a = pg_nlp_word_row(w, pg_nlp_word(PG_GETARG_TEXT_PP(0)), true, &made[0]);
	if (a)
		b = pg_nlp_word_row(w, pg_nlp_word(PG_GETARG_TEXT_PP(1)), true, &made[1]);
	if (b)
		similarity = cosine(a, b, w->dim);
	pg_nlp_kept_call_rest(call);
	if (b == NULL)
		PG_RETURN_NULL();
	PG_RETURN_FLOAT4(similarity);
}

/* one_hot(word text, model text, OUT index int, OUT size int): which of the words it is,
 * from 1 as in SQL's arrays and in nlp.words. */
Datum
pg_nlp_one_hot(PG_FUNCTION_ARGS)
{
	PgNlpCall  *call;
	TupleDesc	desc;
	Datum		values[2];
	bool		nulls[2] = {false, false};
	uint32		id;
	uint32		n;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	call = pg_nlp_words_quick(fcinfo, &one_hot_verb, pg_nlp_arg_text(fcinfo, 1), PG_GETARG_TEXT_PP(0));
	id = pg_nlp_word_id(pg_nlp_words_table(call), pg_nlp_word(PG_GETARG_TEXT_PP(0)));
	n = pg_nlp_words_table(call)->n;
	pg_nlp_kept_call_rest(call);
	if (id == NLP_NO_WORD)
		PG_RETURN_NULL();
	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	values[0] = Int32GetDatum((int32) id + 1);
	values[1] = Int32GetDatum((int32) n);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}

/* ---- the one that does not belong ---- */

/* Add x, scaled to length 1, to sum; the scale (0 for a vector of zeros). */
static double
add_unit(double *sum, const float *x, size_t dim)
{
	double		norm = 0;

	for (size_t i = 0; i < dim; i++)
		norm += (double) x[i] * x[i];
	if (norm == 0)
		return 0;
	norm = 1 / sqrt(norm);
	for (size_t i = 0; i < dim; i++)
		sum[i] += x[i] * norm;
	return norm;
}

static int
compare_words(const NlpStr *a, const NlpStr *b)
{
	int			c = memcmp(a->data, b->data, Min(a->len, b->len));

	return c != 0 ? c : (a->len > b->len) - (a->len < b->len);
}

/* Which of the known words is least like the mean of their unit vectors (gensim's
 * doesnt_match); ties by the word's bytes. Index into words, or -1. */
static ssize_t
least_like_mean(const NlpWords *w, const NlpStr *words, size_t n)
{
	size_t		dim = w->dim;
	const float **rows = palloc_extended((n + 1) * sizeof(float *), MCXT_ALLOC_HUGE);
	double	   *scale = palloc_extended((n + 1) * sizeof(double), MCXT_ALLOC_HUGE);
	double	   *mean = palloc0(dim * sizeof(double));
	ssize_t		odd = -1;
	double		least = 0;
	size_t		known = 0;

	for (size_t i = 0; i < n; i++)
	{
		float	   *made = NULL;

		CHECK_FOR_INTERRUPTS();
		rows[i] = pg_nlp_word_row(w, words[i], true, &made);
		if (rows[i])
			scale[i] = add_unit(mean, rows[i], dim);
		known += rows[i] != NULL;
	}
	if (known < MIN_ODD_WORDS)
		return -1;
	for (size_t i = 0; i < n; i++)
	{
		double		dot = 0;

		if (rows[i] == NULL)
			continue;
		for (size_t d = 0; d < dim; d++)
			dot += mean[d] * rows[i][d];
		dot *= scale[i];
		if (odd < 0 || dot < least || (dot == least && compare_words(&words[i], &words[odd]) < 0))
		{
			odd = (ssize_t) i;
			least = dot;
		}
	}
	return odd;
}

/* odd_one_out(words text[], model text) */
Datum
pg_nlp_odd_one_out(PG_FUNCTION_ARGS)
{
	PgNlpCall  *call;
	NlpStr	   *words;
	NlpError	err = {0};
	text	   *out = NULL;
	text	   *sample;
	size_t		n;
	ssize_t		odd;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	words = pg_nlp_word_array(PG_GETARG_ARRAYTYPE_P(0), &n, &sample);
	call = pg_nlp_words_quick(fcinfo, &odd_one_out_verb, pg_nlp_arg_text(fcinfo, 1), sample);
	odd = least_like_mean(pg_nlp_words_table(call), words, n);
	pg_nlp_kept_call_rest(call);
	if (odd < 0)
		PG_RETURN_NULL();
	if (pg_nlp_from_utf8(words[odd].data, words[odd].len, &out, &err) != NLP_OK)
		pg_nlp_raise(&err);
	PG_RETURN_TEXT_P(out);
}

/* ---- the vocabulary ---- */

/* nlp.words(model text): setof (word text, count bigint, rank int), a row at a time */
Datum
pg_nlp_words(PG_FUNCTION_ARGS)
{
	FuncCallContext *funcctx;
	PgNlpCall  *call;
	const NlpWords *w;
	uint32		id;

	if (SRF_IS_FIRSTCALL())
	{
		MemoryContext old;

		funcctx = SRF_FIRSTCALL_INIT();
		old = MemoryContextSwitchTo(funcctx->multi_call_memory_ctx);
		if (get_call_result_type(fcinfo, NULL, &funcctx->tuple_desc) != TYPEFUNC_COMPOSITE)
			elog(ERROR, "return type must be a row type");
		funcctx->tuple_desc = BlessTupleDesc(funcctx->tuple_desc);
		funcctx->user_fctx = pg_nlp_call_begin(NULL, words_verb.name, words_verb.task, pg_nlp_arg_text(fcinfo, 0),
											   NULL, false);
		funcctx->max_calls = pg_nlp_words_table(funcctx->user_fctx)->n;
		MemoryContextSwitchTo(old);
	}
	funcctx = SRF_PERCALL_SETUP();
	call = funcctx->user_fctx;
	pg_nlp_call_resume(call);
	w = pg_nlp_words_table(call);
	id = (uint32) funcctx->call_cntr;
	if (id < funcctx->max_calls)
	{
		Datum		values[3];
		bool		nulls[3] = {false, false, false};

		nulls[1] = w->total_count == 0;
		values[0] = PointerGetDatum(pg_nlp_word_text(w, id));
		values[1] = Int64GetDatum((int64) nlp_words_count(w, id));
		values[2] = Int32GetDatum((int32) id + 1);
		pg_nlp_call_progress(call, NULL, id + 1);
		pg_nlp_call_pause(call);	/* the client may take its time */
		SRF_RETURN_NEXT(funcctx, HeapTupleGetDatum(heap_form_tuple(funcctx->tuple_desc, values, nulls)));
	}
	pg_nlp_call_end(call);
	SRF_RETURN_DONE(funcctx);
}
