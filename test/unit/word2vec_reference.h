/* word2vec_reference.h --- word2vec's rules as plain loops in double over one row at a time:
 * what the trainer is compared with. Random numbers are the trainer's own
 * (wordvec/train_private.h); everything else is written anew. */
#ifndef WORD2VEC_REFERENCE_H
#define WORD2VEC_REFERENCE_H

#include "word2vec_text.h"

#define MAX_WORDS 64
#define MAX_DIM 40
#define MAX_BUCKETS 32

/* ---- the reference: plain loops, doubles, one row at a time --------------------- */

typedef struct Ref
{
	const NlpWord2vec *w;		/* for options, tree and alias table; never for rows */
	const Text *t;
	double		in[MAX_WORDS][MAX_DIM];
	double		out[MAX_WORDS][MAX_DIM];
	double		gram[MAX_BUCKETS][MAX_DIM];
	double		alpha;
	NlpDraws	draws;
	uint32_t	words[NLP_TRAIN_SENTENCE],
				n_words,
				centre;
	uint32_t	epoch;
	uint64_t	place;
	double		worst;			/* relative difference seen */
} Ref;

static void
ref_begin(Ref *r, const NlpWord2vec *w, const Text *t)
{
	memset(r, 0, sizeof(*r));
	r->w = w;
	r->t = t;
	for (uint32_t i = 0; i < w->n; i++)
		for (uint32_t c = 0; c < w->o.dim; c++)
			r->in[i][c] = w->input[i * w->stride + c];
	for (uint32_t i = 0; w->gram && i < w->o.buckets; i++)
		for (uint32_t c = 0; c < w->o.dim; c++)
			r->gram[i][c] = w->gram[i * w->stride + c];
}

static double
ref_dot(const Ref *r, const double *a, const double *b)
{
	double		sum = 0;

	for (uint32_t c = 0; c < r->w->o.dim; c++)
		sum += a[c] * b[c];
	return sum;
}

static void
ref_add(const Ref *r, double *a, double s, const double *b)
{
	for (uint32_t c = 0; c < r->w->o.dim; c++)
		a[c] += s * b[c];
}

static uint32_t
ref_negative(const Ref *r, uint32_t pair, uint32_t j)
{
	const NlpWord2vecOptions *o = &r->w->o;
	uint64_t	each = o->exact || o->subword_min ? 2 * (uint64_t) o->window * o->negative : o->negative;
	uint64_t	first = r->centre * (1 + each) + 1;

	return nlp_alias_draw(r->w->alias, r->w->n, nlp_draw(r->draws.walk, first + pair * o->negative + j));
}

/* Columns that the target is compared with: rows, what they should say, how often they count. */
typedef struct Column
{
	double	   *row;
	double		target;
	double		times;
	double		g;
} Column;

static int
ref_columns(Ref *r, uint32_t word, uint32_t pair, Column *col)
{
	const NlpWord2vec *w = r->w;
	int			n = 0;

	if (w->o.loss == NLP_WORDS_HIERARCHICAL)
		for (uint32_t i = w->tree.start[word]; i < w->tree.start[word + 1]; i++)
			col[n++] = (Column) {r->out[w->tree.nodes[i]], 1 - w->tree.codes[i], 1, 0};
	else if (w->o.loss == NLP_WORDS_SOFTMAX)
		for (uint32_t i = 0; i < w->n; i++)
			col[n++] = (Column) {r->out[i], i == word, 1, 0};
	else
	{
		col[n++] = (Column) {r->out[word], 1, 1, 0};
		for (uint32_t j = 0; j < w->o.negative; j++)
		{
			uint32_t	drawn = ref_negative(r, w->o.exact ? pair : 0, j);

			if (drawn != word)
				col[n++] = (Column) {r->out[drawn], 0, 1, 0};
		}
	}
	return n;
}

/* word2vec.c's loop: f, g, e, row; each row sees what happened before. */
static void
ref_pair(Ref *r, const double *h, uint32_t word, uint32_t pair, double *e)
{
	Column		col[MAX_WORDS + 80];
	int			n = ref_columns(r, word, pair, col);
	bool		tree = r->w->o.loss == NLP_WORDS_HIERARCHICAL;

	for (int k = 0; k < n; k++)
	{
		double		f = ref_dot(r, h, col[k].row);
		double		s = f >= 6 ? 1 : f <= -6 ? 0 : ref_sigmoid(f);

		if (tree && (f >= 6 || f <= -6))
			continue;
		ref_add(r, e, (col[k].target - s) * r->alpha, col[k].row);
		ref_add(r, col[k].row, (col[k].target - s) * r->alpha, h);
	}
}

static void
ref_softmax(Ref *r, const double *h, uint32_t word, double *e)
{
	Column		col[MAX_WORDS + 80];
	int			n = ref_columns(r, word, 0, col);
	double		sum = 0;

	for (int k = 0; k < n; k++)
		sum += col[k].g = exp(ref_dot(r, h, col[k].row));
	for (int k = 0; k < n; k++)
		col[k].g = (col[k].target - col[k].g / sum) * r->alpha;
	for (int k = 0; k < n; k++)
		ref_add(r, e, col[k].g, col[k].row);
	for (int k = 0; k < n; k++)
		ref_add(r, col[k].row, col[k].g, h);
}

/* A batch: m inputs, the same columns for all; everything from the values before it. */
static void
ref_batch(Ref *r, double **x, int m, Column *col, int n, double (*e)[MAX_DIM])
{
	static double change[MAX_WORDS + 80][MAX_DIM];

	memset(change, 0, sizeof(change));
	memset(e, 0, (size_t) m * sizeof(*e));
	for (int i = 0; i < m; i++)
		for (int k = 0; k < n; k++)
		{
			double		g = (col[k].target - ref_sigmoid(ref_dot(r, x[i], col[k].row))) * r->alpha * col[k].times;

			ref_add(r, e[i], g, col[k].row);
			ref_add(r, change[k], g, x[i]);
		}
	for (int k = 0; k < n; k++)
		ref_add(r, col[k].row, 1, change[k]);
}

static int
ref_rows(Ref *r, uint32_t word, double **rows, int n)
{
	const NlpWord2vec *w = r->w;

	rows[n++] = r->in[word];
	for (uint64_t i = w->gram ? w->gram_start[word] : 0; w->gram && i < w->gram_start[word + 1]; i++)
		rows[n++] = r->gram[w->grams[i]];
	return n;
}

/* The mean or sum of rows against one word. */
static void
ref_bag(Ref *r, double **rows, int n, uint32_t word, uint32_t pair, bool mean)
{
	double		h[MAX_DIM] = {0};
	double		e[1][MAX_DIM] = {{0}};
	double	   *x = h;
	Column		col[MAX_WORDS + 80];

	for (int i = 0; i < n; i++)
		ref_add(r, h, mean ? 1.0 / n : 1, rows[i]);
	if (r->w->o.loss == NLP_WORDS_SOFTMAX)
		ref_softmax(r, h, word, e[0]);
	else if (r->w->o.exact)
		ref_pair(r, h, word, pair, e[0]);
	else
		ref_batch(r, &x, 1, col, ref_columns(r, word, pair, col), e);
	for (int i = 0; i < n; i++)
		ref_add(r, rows[i], mean ? 1 : 1.0 / n, e[0]);
}

static void
ref_window(Ref *r, const uint32_t *contexts, int m)
{
	double	   *x[NLP_WORD_INPUTS];
	double		e[NLP_WORD_INPUTS][MAX_DIM];
	Column		col[MAX_WORDS + 80];

	for (int i = 0; i < m; i++)
		x[i] = r->in[contexts[i]];
	ref_batch(r, x, m, col, ref_columns(r, r->words[r->centre], 0, col), e);
	for (int i = 0; i < m; i++)
		ref_add(r, x[i], 1, e[i]);
}

/* n-grams, fast: one hidden layer, all contexts, one draw of negatives for them. */
static void
ref_gram_window(Ref *r, const uint32_t *contexts, int m)
{
	double	   *rows[256];
	int			n = ref_rows(r, r->words[r->centre], rows, 0);
	double		h[MAX_DIM] = {0};
	double		e[1][MAX_DIM];
	double	   *x = h;
	Column		col[NLP_WORD_INPUTS + 64];
	int			k = 0;

	for (int i = 0; i < n; i++)
		ref_add(r, h, 1.0 / n, rows[i]);
	for (int i = 0; i < m; i++)
		col[k++] = (Column) {r->out[contexts[i]], 1, 1, 0};
	for (uint32_t j = 0; j < r->w->o.negative; j++)
	{
		uint32_t	drawn = ref_negative(r, 0, j);
		double		times = 0;

		for (int i = 0; i < m; i++)
			times += contexts[i] != drawn;
		col[k++] = (Column) {r->out[drawn], 0, times, 0};
	}
	ref_batch(r, &x, 1, col, k, e);
	for (int i = 0; i < n; i++)
		ref_add(r, rows[i], 1, e[0]);
}

static void
ref_centre(Ref *r)
{
	const NlpWord2vecOptions *o = &r->w->o;
	uint64_t	each = o->exact || o->subword_min ? 2 * (uint64_t) o->window * o->negative : o->negative;
	int			c = (int) r->centre;
	int			width = 1 + (int) nlp_draw_below(nlp_draw(r->draws.walk, (uint64_t) c * (1 + each)), o->window);
	double	   *rows[1024];
	uint32_t	contexts[64];
	uint32_t	n = 0;
	int			m = 0;

	for (int i = c - width; i <= c + width; i++)
		if (i >= 0 && i < (int) r->n_words && i != c)
			contexts[n++] = r->words[i];
	if (o->objective == NLP_WORDS_CBOW)
	{
		for (uint32_t i = 0; i < n; i++)
			m = ref_rows(r, contexts[i], rows, m);
		if (n > 0)
			ref_bag(r, rows, m, r->words[c], 0, o->cbow_mean);
		return;
	}
	if (o->exact || o->loss == NLP_WORDS_SOFTMAX || (o->subword_min && o->loss != NLP_WORDS_NEGATIVE))
	{
		for (uint32_t i = 0; i < n; i++)
		{
			m = ref_rows(r, o->subword_min ? r->words[c] : contexts[i], rows, 0);
			ref_bag(r, rows, m, o->subword_min ? contexts[i] : r->words[c], i, true);
		}
		return;
	}
	for (uint32_t i = 0; i < n; i += NLP_WORD_INPUTS)
	{
		int			now = n - i < NLP_WORD_INPUTS ? (int) (n - i) : NLP_WORD_INPUTS;

		if (o->subword_min)
			ref_gram_window(r, contexts + i, now);
		else
			ref_window(r, contexts + i, now);
	}
}

static void
ref_sentence(Ref *r, const uint32_t *ids, uint32_t len)
{
	const NlpWord2vecOptions *o = &r->w->o;
	double		total = 0;

	r->draws = nlp_draws_of(o->seed, r->epoch, r->place);
	r->alpha = o->alpha - (o->alpha - (double) o->min_alpha) * ((double) r->epoch * r->t->n + r->place) /
		((double) o->epochs * r->t->n);
	for (uint32_t i = 0; i < r->w->n; i++)
		total += (double) nlp_vocab_word_count(r->t->vocab, i);
	r->n_words = 0;
	for (uint32_t i = 0; i < len; i++)
	{
		uint32_t	rank = nlp_vocab_map(r->t->vocab, ids[i]);
		double		u = (double) (nlp_draw(r->draws.keep, i) >> 32) / 4294967296.0;
		double		ratio;

		if (rank == NLP_NO_WORD)
			continue;
		ratio = o->sample * total / (double) nlp_vocab_word_count(r->t->vocab, rank);
		if (o->sample == 0 || u < sqrt(ratio) + ratio)
			r->words[r->n_words++] = rank;
	}
	for (r->centre = 0; r->centre < r->n_words; r->centre++)
		ref_centre(r);
}

/* Train up to a place; sentences are cut after so many ids. */
static void
ref_until(Ref *r, uint32_t epoch, uint64_t place, uint32_t cut)
{
	while (r->epoch < epoch || (r->epoch == epoch && r->place < place))
	{
		const uint32_t *ids = r->t->ids + r->place;
		uint64_t	left = r->t->n - r->place;
		uint32_t	len = 0;

		while (len < left && len < cut && ids[len] != NLP_SENTENCE_END)
			len++;
		ref_sentence(r, ids, len);
		r->place += len;
		if (r->place < r->t->n && r->t->ids[r->place] == NLP_SENTENCE_END)
			r->place++;
		if (r->place == r->t->n && r->epoch < epoch)
		{
			r->epoch++;
			r->place = 0;
		}
	}
}

static void
ref_compare(Ref *r, const float *rows, uint32_t n, const double (*want)[MAX_DIM])
{
	double		size = 0,
				diff = 0;

	for (uint32_t i = 0; rows && i < n; i++)
		for (uint32_t c = 0; c < r->w->o.dim; c++)
		{
			double		d = fabs(rows[i * r->w->stride + c] - want[i][c]);

			size = larger(size, fabs(want[i][c]));
			diff = larger(diff, d);
		}
	if (rows && size > 0)
		r->worst = larger(r->worst, diff / size);
}

#endif
