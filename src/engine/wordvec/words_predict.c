/* words_predict.c --- probabilities of words from the output rows that a model keeps.
 *
 * Negative sampling and softmax: softmax over output rows . hidden. Hierarchical softmax: a
 * word's probability is the product, along its path, of sigmoid(node . hidden) where the
 * code is 0 and one minus that where it is 1 (word2vec.c's label is 1 - code); one walk from the
 * root gives all. Source: Mikolov et al. 2013; gensim's predict_output_word for the first. */
#include <float.h>
#include <math.h>

#include "core/pool.h"
#include "kernel/rowwise.h"
#include "wordvec/words_private.h"
#include "engine_only.h"

#define STRETCH_FLOATS ((size_t) 8 << 20)	/* of output rows, between polls */

typedef struct Product
{
	const float *rows;
	uint32_t	stride,
				dim;
	const float *hidden;
	size_t		from,
				to;
	float	   *out;
} Product;

/* A product too large for f32, or one of infinite parts: again in double, and cut. */
static float
large_product(const float *a, const float *b, uint32_t n)
{
	double		sum = 0;

	for (uint32_t i = 0; i < n; i++)
		sum += (double) a[i] * b[i];
	return (float) fmax(-FLT_MAX, fmin(FLT_MAX, sum));
}

static void
product_part(void *ctx, int rank, int size)
{
	const Product *p = ctx;
	size_t		n = p->to - p->from;
	size_t		end = p->from + n * ((size_t) rank + 1) / (size_t) size;

	for (size_t i = p->from + n * (size_t) rank / (size_t) size; i < end; i++)
	{
		const float *row = p->rows + i * p->stride;

		p->out[i] = nlp_dot_f32(row, p->hidden, p->dim);
		if (!isfinite(p->out[i]))
			p->out[i] = large_product(row, p->hidden, p->dim);
	}
}

/* out [n] = output rows . hidden. */
static NlpStatus
products(const NlpWords *w, const float *hidden, size_t n, const NlpEnv *env, float *out, NlpError *err)
{
	Product		p = {.stride = w->stride, .dim = w->dim, .hidden = hidden, .out = out};
	size_t		stretch = STRETCH_FLOATS / w->stride + 1;

	p.rows = (const float *) ((const char *) w + w->output_offset);
	for (p.from = 0; p.from < n; p.from = p.to)
	{
		p.to = n - p.from < stretch ? n : p.from + stretch;
		nlp_pool_run(env->pool, product_part, &p);
		NLP_TRY(nlp_poll(env, err));
	}
	return NLP_OK;
}

static void
k_best(const float *scores, uint32_t n, uint32_t k, NlpNeighbour *out, uint32_t *n_out)
{
	NlpBest		best = {.at = out, .cap = k};

	for (uint32_t i = 0; i < n; i++)
	{
		if (best.n < k || scores[i] > best.at[0].score)
			nlp_best_add(&best, (NlpNeighbour) {i, scores[i]});
	}
	nlp_best_sort(&best);
	*n_out = best.n;
}

static NlpStatus
by_softmax(const NlpWords *w, const float *hidden, uint32_t k, const NlpEnv *env, float *scores,
		   NlpNeighbour *out, uint32_t *n_out, NlpError *err)
{
	double		all;

	NLP_TRY(products(w, hidden, w->n, env, scores, err));
	all = nlp_logsumexp(scores, w->n);
	k_best(scores, w->n, k, out, n_out);
	for (uint32_t i = 0; i < *n_out; i++)
		out[i].score = (float) exp(out[i].score - all);
	return NLP_OK;
}

/* scores: of the inner nodes [n - 1] in, probabilities of the words [n] out. Inner nodes are
 * numbered as they were made, so a parent comes after its children. reach [n - 1][2]: the
 * chance of coming to a node and taking code 0 or 1 there. */
static void
walk_tree(const NlpWords *w, float *scores, double (*reach)[2])
{
	const uint32_t *tree = (const uint32_t *) ((const char *) w + w->tree_offset);
	uint32_t	n = w->n;

	for (uint32_t i = n - 1; i-- > 0;)
	{
		uint32_t	up = tree[n + i];
		double		here = i == n - 2 ? 1 : reach[(up >> 1) - n][up & 1];
		double		zero = 1 / (1 + exp(-(double) scores[i]));

		reach[i][0] = here * zero;
		reach[i][1] = here * (1 - zero);
	}
	for (uint32_t i = 0; i < n; i++)
		scores[i] = (float) reach[(tree[i] >> 1) - n][tree[i] & 1];
}

static NlpStatus
by_tree(const NlpWords *w, const float *hidden, uint32_t k, const NlpEnv *env, float *scores,
		NlpNeighbour *out, uint32_t *n_out, NlpError *err)
{
	size_t		bytes = ((size_t) w->n - 1) * 2 * sizeof(double);
	double	  (*reach)[2] = nlp_alloc(env->alloc, bytes);
	NlpStatus	st;

	if (!reach)
		return nlp_no_memory(err, bytes, "probabilities of words");
	st = products(w, hidden, (size_t) w->n - 1, env, scores, err);
	if (st == NLP_OK)
	{
		walk_tree(w, scores, reach);
		k_best(scores, w->n, k, out, n_out);
	}
	nlp_free(env->alloc, reach);
	return st;
}

static NlpStatus
most_probable(const NlpWords *w, const float *hidden, uint32_t k, const NlpEnv *env,
			  NlpNeighbour *out, uint32_t *n_out, NlpError *err)
{
	float	   *scores = nlp_alloc(env->alloc, w->n * sizeof(float));
	NlpStatus	st;

	if (!scores)
		return nlp_no_memory(err, w->n * sizeof(float), "probabilities of words");
	k = k < w->n ? k : w->n;
	if (w->loss == NLP_WORDS_HIERARCHICAL)
		st = by_tree(w, hidden, k, env, scores, out, n_out, err);
	else
		st = by_softmax(w, hidden, k, env, scores, out, n_out, err);
	nlp_free(env->alloc, scores);
	return st;
}

static NlpStatus
no_output(NlpError *err)
{
	nlp_fail(err, NLP_EUNSUPPORTED, "the model keeps no output rows, from which probabilities are computed");
	return nlp_hint(err, "Files of word vectors have none; models trained here, and fastText .bin files, do.");
}

NlpStatus
nlp_words_predict(const NlpWords *w, const uint32_t *context, size_t n, uint32_t k,
				  const NlpEnv *env, NlpNeighbour *out, uint32_t *n_out, NlpError *err)
{
	float	   *hidden;
	NlpStatus	st;

	*n_out = 0;
	if (!w->output_offset)
		return no_output(err);
	if (n == 0 || k == 0)
		return NLP_OK;
	hidden = nlp_alloc(env->alloc, w->dim * sizeof(float));
	if (!hidden)
		return nlp_no_memory(err, w->dim * sizeof(float), "context of words");
	for (uint32_t d = 0; d < w->dim; d++)
	{
		double		sum = 0;

		for (size_t i = 0; i < n; i++)
			sum += nlp_words_row(w, context[i])[d];
		sum = w->cbow_mean ? sum / (double) n : sum;
		hidden[d] = (float) fmax(-FLT_MAX, fmin(FLT_MAX, sum));
	}
	st = most_probable(w, hidden, k, env, out, n_out, err);
	nlp_free(env->alloc, hidden);
	return st;
}

NlpStatus
nlp_words_context(const NlpWords *w, uint32_t word, uint32_t k,
				  const NlpEnv *env, NlpNeighbour *out, uint32_t *n_out, NlpError *err)
{
	*n_out = 0;
	if (!w->output_offset)
		return no_output(err);
	if (k == 0)
		return NLP_OK;
	return most_probable(w, nlp_words_row(w, word), k, env, out, n_out, err);
}
