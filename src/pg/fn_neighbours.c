/* fn_neighbours.c --- similar_words and analogy: the nearest words of the vocabulary by
 * cosine, exact, with filters that lose no answer: k words that pass, if there are so many.
 *
 * The words given are no answers, as in gensim's most_similar. An unknown word gives no
 * rows. Both go through the whole vocabulary, so they take a place under
 * pg_nlp.max_active and can be cancelled. */
#include "postgres.h"

#include <math.h>

#include "funcapi.h"
#include "utils/builtins.h"

#include "core/utf8.h"
#include "fn_words.h"

PG_FUNCTION_INFO_V1(pg_nlp_similar_words);
PG_FUNCTION_INFO_V1(pg_nlp_similar_words_embedding);
PG_FUNCTION_INFO_V1(pg_nlp_analogy);

static const PgNlpVerb similar_words_verb = {"similar_words", NLP_TASK_WORD_VECTORS, OPTS_WORDS, 0, NULL};
static const PgNlpVerb analogy_verb = {"analogy", NLP_TASK_WORD_VECTORS, OPTS_WORDS, 0, NULL};

/* ---- filters ---- */

/* Called by the engine, maybe from its threads: reads only, and raises nothing. */
typedef struct Filter
{
	const NlpWords *w;
	uint32	   *excluded;		/* ids, ascending */
	size_t		n_excluded;
	uint64		min_count;
	NlpStr		pattern;		/* of LIKE; data NULL: none */
} Filter;

/* LIKE on valid UTF-8: % any characters, _ one, \ takes the next as it is. The pattern
 * does not end in a single \. At a mismatch the last % takes one character more. */
static bool
like(NlpStr text, NlpStr pattern)
{
	size_t		t = 0,
				p = 0;
	size_t		again_t = 0,
				again_p = SIZE_MAX; /* behind the last % */
	uint32_t	cp;

	for (;;)
	{
		if (p < pattern.len && pattern.data[p] == '%')
		{
			again_p = ++p;
			again_t = t;
			continue;
		}
		if (t == text.len && p == pattern.len)
			return true;
		if (t < text.len && p < pattern.len)
		{
			if (pattern.data[p] == '_')
			{
				t += nlp_utf8_decode(text.data + t, text.len - t, &cp);
				p++;
				continue;
			}
			if (pattern.data[p + (pattern.data[p] == '\\')] == text.data[t])
			{
				p += 1 + (pattern.data[p] == '\\');
				t++;
				continue;
			}
		}
		if (again_p == SIZE_MAX || again_t == text.len)
			return false;
		again_t += nlp_utf8_decode(text.data + again_t, text.len - again_t, &cp);
		t = again_t;
		p = again_p;
	}
}

static bool
is_excluded(const Filter *f, uint32 word)
{
	size_t		low = 0,
				high = f->n_excluded;

	while (low < high)
	{
		size_t		mid = low + (high - low) / 2;

		if (f->excluded[mid] == word)
			return true;
		if (f->excluded[mid] < word)
			low = mid + 1;
		else
			high = mid;
	}
	return false;
}

static bool
keep(void *ctx, uint32_t word)
{
	const Filter *f = ctx;
	NlpStr		text;

	if (is_excluded(f, word) || (f->min_count > 0 && nlp_words_count(f->w, word) < f->min_count))
		return false;
	if (f->pattern.data == NULL)
		return true;
	text.data = nlp_words_text(f->w, word, &text.len);
	return like(text, f->pattern);
}

static int
compare_ids(const void *a, const void *b)
{
	uint32		x = *(const uint32 *) a;
	uint32		y = *(const uint32 *) b;

	return (x > y) - (x < y);
}

static void
check_pattern(NlpStr pattern)
{
	size_t		tail = 0;

	while (tail < pattern.len && pattern.data[pattern.len - 1 - tail] == '\\')
		tail++;
	if (tail % 2 == 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_ESCAPE_SEQUENCE),
				 errmsg("option \"pattern\" must not end with an escape character")));
}

/* given: the words asked with, which are no answers. */
static void
make_filter(PgNlpCall *call, const PgNlpOptions *options, const uint32 *given, size_t n_given,
			Filter *f, NlpWordFilter *out)
{
	const NlpWords *w = pg_nlp_words_table(call);

	*f = (Filter) {.w = w, .min_count = (uint64) options->min_count};
	if (f->min_count > 0 && w->total_count == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("option \"min_count\" needs counts, and model \"%s\" has none",
						pg_nlp_call_model_name(call)),
				 errhint("Option \"top\" takes the first words of the model, which are usually the most frequent.")));
	if (options->pattern)
	{
		f->pattern = (NlpStr) {options->pattern, strlen(options->pattern)};
		check_pattern(f->pattern);
	}
	f->excluded = palloc((n_given + options->n_exclude + 1) * sizeof(uint32));
	for (size_t i = 0; i < n_given; i++)
		if (given[i] != NLP_NO_WORD)
			f->excluded[f->n_excluded++] = given[i];
	for (size_t i = 0; i < options->n_exclude; i++)
	{
		uint32		id = pg_nlp_word_id(w, options->exclude[i]);

		if (id != NLP_NO_WORD)
			f->excluded[f->n_excluded++] = id;
	}
	qsort(f->excluded, f->n_excluded, sizeof(uint32), compare_ids);
	*out = (NlpWordFilter) {
		.limit = options->given & OPT_TOP ? (uint32) options->top : 0,
		.min_score = options->given & OPT_MIN_SIMILARITY ? options->min_similarity : -INFINITY
	};
	if (f->n_excluded > 0 || f->min_count > 0 || f->pattern.data)
	{
		out->keep = keep;
		out->ctx = f;
	}
}

static void
put_nearest(FunctionCallInfo fcinfo, PgNlpCall *call, const PgNlpOptions *options, const float *query,
			const uint32 *given, size_t n_given, uint32 k)
{
	const NlpWords *w = pg_nlp_words_table(call);
	NlpNeighbour *found;
	NlpWordFilter filter;
	Filter		f;
	uint32		n;

	k = Min(k, w->n);
	found = palloc(k * sizeof(NlpNeighbour));
	make_filter(call, options, given, n_given, &f, &filter);
	if (nlp_words_nearest(w, query, k, &filter, &call->env, found, &n, &call->err) != NLP_OK)
		pg_nlp_raise(&call->err);
	pg_nlp_put_neighbours(fcinfo, call, found, n);
}

/* ---- similar_words ---- */

/* similar_words(word text, k int, model text, options jsonb) */
Datum
pg_nlp_similar_words(PG_FUNCTION_ARGS)
{
	PgNlpOptions options;
	PgNlpCall  *call;
	const NlpWords *w;
	NlpStr		word;
	uint32		k,
				id;
	float	   *made = NULL;
	const float *query;

	InitMaterializedSRF(fcinfo, 0);
	pg_nlp_options(&similar_words_verb, pg_nlp_arg_jsonb(fcinfo, 3), &options);
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_NULL();
	k = pg_nlp_arg_k(fcinfo, 1);
	call = pg_nlp_words_begin(fcinfo, &similar_words_verb, pg_nlp_arg_text(fcinfo, 2), PG_GETARG_TEXT_PP(0));
	w = pg_nlp_words_table(call);
	word = pg_nlp_word(PG_GETARG_TEXT_PP(0));
	id = pg_nlp_word_id(w, word);
	query = pg_nlp_word_row(w, word, true, &made);
	if (query)
		put_nearest(fcinfo, call, &options, query, &id, 1, k);
	pg_nlp_call_progress(call, NULL, 1);
	pg_nlp_call_end(call);
	PG_RETURN_NULL();
}

/* similar_words(query embedding, k int, model text, options jsonb) */
Datum
pg_nlp_similar_words_embedding(PG_FUNCTION_ARGS)
{
	PgNlpOptions options;
	PgNlpCall  *call;
	Embedding  *query;
	uint32		k;

	InitMaterializedSRF(fcinfo, 0);
	pg_nlp_options(&similar_words_verb, pg_nlp_arg_jsonb(fcinfo, 3), &options);
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_NULL();
	k = pg_nlp_arg_k(fcinfo, 1);
	query = PG_GETARG_EMBEDDING_P(0);
	pg_nlp_check_embedding(query);
	call = pg_nlp_words_begin(fcinfo, &similar_words_verb, pg_nlp_arg_text(fcinfo, 2), NULL);
	if ((uint32) query->dim != pg_nlp_words_table(call)->dim)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("the embedding has %d dimensions, and the vectors of model \"%s\" have %u",
						query->dim, pg_nlp_call_model_name(call), pg_nlp_words_table(call)->dim)));
	put_nearest(fcinfo, call, &options, query->x, NULL, 0, k);
	pg_nlp_call_progress(call, NULL, 1);
	pg_nlp_call_end(call);
	PG_RETURN_NULL();
}

/* ---- analogy ---- */

/* b - a + c over unit vectors, into sum; false when a word is unknown. */
static bool
analogy_query(const NlpWords *w, const NlpStr words[3], uint32 ids[3], float *sum)
{
	static const float weights[3] = {-1, 1, 1};
	const float *rows[3];

	for (int i = 0; i < 3; i++)
	{
		float	   *made = NULL;

		ids[i] = pg_nlp_word_id(w, words[i]);
		rows[i] = pg_nlp_word_row(w, words[i], true, &made);
		if (rows[i] == NULL)
			return false;
	}
	if (ids[0] != NLP_NO_WORD && ids[1] != NLP_NO_WORD && ids[2] != NLP_NO_WORD)
	{
		nlp_words_mean(w, ids, weights, 3, sum);
		return true;
	}
	memset(sum, 0, w->dim * sizeof(float));
	for (int i = 0; i < 3; i++)
	{
		double		norm = sqrt((double) nlp_dot_f32(rows[i], rows[i], w->dim));

		for (uint32 d = 0; norm > 0 && d < w->dim; d++)
			sum[d] += (float) (weights[i] * rows[i][d] / norm);
	}
	return true;
}

/* analogy(a text, b text, c text, k int, model text, options jsonb) */
Datum
pg_nlp_analogy(PG_FUNCTION_ARGS)
{
	PgNlpOptions options;
	PgNlpCall  *call;
	const NlpWords *w;
	NlpStr		words[3];
	uint32		ids[3];
	uint32		k;
	float	   *query;

	InitMaterializedSRF(fcinfo, 0);
	pg_nlp_options(&analogy_verb, pg_nlp_arg_jsonb(fcinfo, 5), &options);
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(2) || PG_ARGISNULL(3))
		PG_RETURN_NULL();
	k = pg_nlp_arg_k(fcinfo, 3);
	call = pg_nlp_words_begin(fcinfo, &analogy_verb, pg_nlp_arg_text(fcinfo, 4), PG_GETARG_TEXT_PP(0));
	w = pg_nlp_words_table(call);
	for (int i = 0; i < 3; i++)
		words[i] = pg_nlp_word(PG_GETARG_TEXT_PP(i));
	query = palloc(w->dim * sizeof(float));
	if (analogy_query(w, words, ids, query))
		put_nearest(fcinfo, call, &options, query, ids, 3, k);
	pg_nlp_call_progress(call, NULL, 1);
	pg_nlp_call_end(call);
	PG_RETURN_NULL();
}
