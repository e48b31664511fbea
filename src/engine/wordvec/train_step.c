/* train_step.c --- one thread's walk over its sentences: what a centre's update is under
 * each objective and loss.
 *
 * word2vec.c's roles: under skip-gram the contexts' input rows predict the centre's output
 * row; under CBOW their mean does; with n-grams (fastText's roles) the mean of the centre's own row
 * and its n-grams predicts the contexts, or of all contexts' rows the centre.
 *
 * Fast: a centre draws its negatives once, for all pairs of its window, and the changes of
 * a window are computed from the values before it. Exact: pair by pair and row by row, each seeing the
 * changes before it, as word2vec.c does (the tree's pairs beyond +-6 are left out, as there). Softmax is always
 * pair by pair. Rows of coming centres are fetched early: on a large vocabulary their misses
 * would cost more than the arithmetic. */
#include <math.h>
#include <string.h>

#include "wordvec/train_private.h"
#include "engine_only.h"

#define LOSS_EVERY 64			/* centres between two looks at the loss */
#define LARGE_VALUE 100.0f		/* what rows that run away are cut to */

static inline void
fetch_row(const float *row, uint32_t stride)
{
	for (uint32_t i = 0; i < stride; i += 16)
		__builtin_prefetch(row + i, 1, 3);
}

/* Draws of one centre: its window's width, then the negatives. */
static inline uint64_t
first_draw(const NlpWord2vec *t, uint32_t centre)
{
	uint64_t	each = t->o.exact || t->o.subword_min ? 2 * (uint64_t) t->o.window * t->o.negative : t->o.negative;

	return centre * (1 + each);
}

static inline uint32_t
negative_draw(const NlpTrainThread *th, uint32_t centre, uint32_t i)
{
	const NlpWord2vec *t = th->t;

	return nlp_alias_draw(t->alias, t->n, nlp_draw(th->draws.walk, first_draw(t, centre) + 1 + i));
}

/* The place of a centre's negatives in the ring. */
static inline uint32_t *
ahead_of(const NlpTrainThread *th, uint32_t centre)
{
	return th->ahead + (size_t) (centre % NLP_TRAIN_RING) * th->t->o.negative;
}

/* ---- looking ahead -------------------------------------------------------- */

static inline void
want_row(NlpTrainThread *th, float *row)
{
	th->fetch[th->n_fetch++] = row;
}

/* Start the draws of a centre: the table's entries are asked for here and read a centre later. */
static inline void
draw_ahead(NlpTrainThread *th, uint32_t centre)
{
	const NlpWord2vec *t = th->t;
	uint64_t	first = first_draw(t, centre) + 1;

	for (uint32_t i = 0; i < t->o.negative; i++)
	{
		th->draws_ahead[i] = nlp_draw(th->draws.walk, first + i);
		__builtin_prefetch(t->alias + nlp_draw_below(th->draws_ahead[i], t->n), 0, 3);
	}
}

/* Settle the negatives of a coming centre and list the rows it will touch: in order, each centre once. */
static void
look_ahead(NlpTrainThread *th, uint32_t centre)
{
	const NlpWord2vec *t = th->t;
	uint32_t   *slot = ahead_of(th, centre);

	if (centre != th->looked)
		return;
	th->looked++;
	if (th->n_words > t->o.window && centre < th->n_words - t->o.window)
		want_row(th, nlp_train_input(t, th, th->words[centre + t->o.window]));
	if (centre >= th->n_words || t->o.loss != NLP_WORDS_NEGATIVE)
		return;
	want_row(th, nlp_train_output(t, th, th->words[centre]));
	if (t->o.exact)
		return;
	for (uint32_t i = 0; i < t->o.negative; i++)
	{
		slot[i] = nlp_alias_draw(t->alias, t->n, th->draws_ahead[i]);
		want_row(th, nlp_train_output(t, th, slot[i]));
	}
	draw_ahead(th, centre + 1);
}

/* Ask for the listed rows now, when no kernel has done it on its way. */
static void
fetch_now(NlpTrainThread *th)
{
	uint32_t	stride = th->t->stride;

	for (int i = 0; i < th->n_fetch; i++)
		for (uint32_t c = 0; c < stride; c += 16)
			__builtin_prefetch(th->fetch[i] + c, 1, 3);
	th->n_fetch = 0;
}

/* ---- cancels -------------------------------------------------------------- */

/* Whether to leave the block for a cancel that may be wanted. */
static bool
must_stop(NlpTrainThread *th)
{
	NlpWord2vec *t = th->t;
	const NlpEnv *env = t->env;

	if (th->rank == 0 && th->until_poll-- == 0)
	{
		th->until_poll = t->poll_every;
		if (env->pending && env->pending(env->cancel_ctx))
			__atomic_store_n(&t->stop, 1, __ATOMIC_RELAXED);
	}
	return __atomic_load_n(&t->stop, __ATOMIC_RELAXED);
}

/* ---- loss ------------------------------------------------------------------ */

/* -log sigmoid(f) when target, else -log sigmoid(-f). */
static double
log_loss(double f, bool target)
{
	double		x = target ? -f : f;

	return (x > 0 ? x : 0) + log1p(exp(-fabs(x)));
}

static void
note_loss(NlpTrainThread *th, double loss, uint64_t pairs)
{
	if (loss == loss && loss < 1e30)
	{
		th->loss += loss;
		th->loss_pairs += pairs;
	}
}

/* ---- rows that run away ----------------------------------------------------- */

static void
clamp_rows(const NlpTrainThread *th, float *const *rows, int n)
{
	uint32_t	stride = th->t->stride;

	for (int r = 0; r < n; r++)
		for (uint32_t i = 0; i < stride; i++)
		{
			float		v = rows[r][i];

			rows[r][i] = v > LARGE_VALUE ? LARGE_VALUE : v < -LARGE_VALUE ? -LARGE_VALUE : v == v ? v : 0;
		}
}

/* ---- output rows of a target ------------------------------------------------ */

/* y and its skip bits: the word, then its negatives from the slot. */
static inline uint64_t
list_negatives(NlpTrainThread *th, uint32_t word, const uint32_t *slot)
{
	const NlpWord2vec *t = th->t;
	uint64_t	skip = 0;

	th->y[0] = nlp_train_output(t, th, word);
	for (uint32_t i = 0; i < t->o.negative; i++)
	{
		th->y[1 + i] = nlp_train_output(t, th, slot[i]);
		skip |= (uint64_t) (slot[i] == word) << i;
	}
	return skip;
}

static inline int
list_path(NlpTrainThread *th, uint32_t word)
{
	const NlpTree *tree = &th->t->tree;
	uint32_t	from = tree->start[word];
	int			n = (int) (tree->start[word + 1] - from);

	for (int i = 0; i < n; i++)
		th->y[i] = nlp_train_output(th->t, th, tree->nodes[from + i]);
	return n;
}

/* ---- a window, skip-gram, fast ----------------------------------------------- */

static void
window_loss(NlpTrainThread *th, int m, int n, uint64_t skip, const uint8_t *codes)
{
	double		loss = 0;

	for (int i = 0; i < m; i++)
		for (int k = 0; k < n; k++)
			if (codes)
				loss += log_loss(th->raw[i * n + k], !codes[k]);
			else if (k == 0 || !(skip >> (k - 1) & 1))
				loss += log_loss(th->raw[i * n + k], k == 0);
	note_loss(th, loss, (uint64_t) m);
}

/* From -rate * sigmoid to rate * (target - sigmoid): the first column's target is 1, or those of
 * code 0; columns of skip are left alone. */
static inline void
add_targets(NlpTrainThread *th, int m, int n, uint64_t skip, const uint8_t *codes)
{
	for (int i = 0; !codes && i < m; i++)
		th->g[i * n] += th->alpha;
	for (; skip; skip &= skip - 1)
	{
		int			k = 1 + __builtin_ctzll(skip);

		for (int i = 0; i < m; i++)
			th->g[i * n + k] = 0;
	}
	for (int i = 0; codes && i < m; i++)
		for (int k = 0; k < n; k++)
			if (!codes[k])
				th->g[i * n + k] += th->alpha;
}

static void
window_skipgram(NlpTrainThread *th, uint32_t word, float **x, int m, bool want_loss)
{
	NlpWord2vec *t = th->t;
	const NlpWordKernel *kernel = t->kernel;
	uint64_t	skip = 0;
	const uint8_t *codes = NULL;
	int			n = 1 + (int) t->o.negative;
	int			large;

	if (t->o.loss == NLP_WORDS_NEGATIVE)
		skip = list_negatives(th, word, ahead_of(th, th->centre));
	else
	{
		n = list_path(th, word);
		codes = t->tree.codes + t->tree.start[word];
	}
	kernel->dots(x, m, th->y, n, t->stride, th->g);
	if (want_loss)
		memcpy(th->raw, th->g, (size_t) m * n * sizeof(float));
	large = kernel->sigmoid(th->g, (size_t) m * n, th->alpha);
	look_ahead(th, th->centre + NLP_TRAIN_AHEAD);	/* while the sigmoids are under way */
	add_targets(th, m, n, skip, codes);
	kernel->update(x, m, th->y, n, th->g, t->stride, th->work, th->fetch, th->n_fetch);
	th->n_fetch = 0;
	if (want_loss)
		window_loss(th, m, n, skip, codes);
	if (large)
	{
		clamp_rows(th, x, m);
		clamp_rows(th, th->y, n);
	}
}

/* ---- a hidden layer and its targets, fast -------------------------------------- */

/* These take th->hidden, change output rows, and write what hidden should change by to out. */

static void
hidden_fast(NlpTrainThread *th, uint32_t word, bool want_loss, float *out)
{
	const NlpWord2vec *t = th->t;
	const NlpWordKernel *kernel = t->kernel;
	bool		tree = t->o.loss == NLP_WORDS_HIERARCHICAL;
	const uint8_t *codes = tree ? t->tree.codes + t->tree.start[word] : NULL;
	uint64_t	skip = tree ? 0 : list_negatives(th, word, ahead_of(th, th->centre));
	int			n = tree ? list_path(th, word) : 1 + (int) t->o.negative;
	bool		large;

	kernel->dots(&th->hidden, 1, th->y, n, t->stride, th->g);
	if (want_loss)
	{
		memcpy(th->raw, th->g, (size_t) n * sizeof(float));
		window_loss(th, 1, n, skip, codes);
	}
	large = kernel->sigmoid(th->g, (size_t) n, th->alpha);
	look_ahead(th, th->centre + NLP_TRAIN_AHEAD);
	if (large)
	{
		clamp_rows(th, th->y, n);
		clamp_rows(th, &th->hidden, 1);
	}
	add_targets(th, 1, n, skip, codes);
	kernel->hidden(th->hidden, th->y, n, th->g, t->stride, out, th->fetch, th->n_fetch);
	th->n_fetch = 0;
}

/* One hidden layer, m targets, one draw of negatives for all of them: a negative meets the
 * hidden layer once and counts as often as there are targets other than it. */
static void
hidden_shared(NlpTrainThread *th, int m, const uint32_t *slot, bool want_loss, float *out)
{
	const NlpWord2vec *t = th->t;
	const NlpWordKernel *kernel = t->kernel;
	int			n = m + (int) t->o.negative;

	for (int i = 0; i < m; i++)
		th->y[i] = nlp_train_output(t, th, th->targets[i]);
	for (int k = m; k < n; k++)
		th->y[k] = nlp_train_output(t, th, slot[k - m]);
	kernel->dots(&th->hidden, 1, th->y, n, t->stride, th->g);
	if (want_loss)
		memcpy(th->raw, th->g, (size_t) n * sizeof(float));
	if (kernel->sigmoid(th->g, (size_t) n, th->alpha))
	{
		clamp_rows(th, th->y, n);
		clamp_rows(th, &th->hidden, 1);
	}
	for (int i = 0; i < m; i++)
		th->g[i] += th->alpha;
	for (int k = m; k < n; k++)
	{
		int			times = m;

		for (int i = 0; i < m; i++)
			times -= th->targets[i] == slot[k - m];
		th->g[k] *= (float) times;
		if (want_loss)
			note_loss(th, times * log_loss(th->raw[k], false), 0);
	}
	for (int i = 0; want_loss && i < m; i++)
		note_loss(th, log_loss(th->raw[i], true), 1);
	look_ahead(th, th->centre + NLP_TRAIN_AHEAD);
	kernel->hidden(th->hidden, th->y, n, th->g, t->stride, out, th->fetch, th->n_fetch);
	th->n_fetch = 0;
}

static void
hidden_softmax(NlpTrainThread *th, uint32_t word, bool want_loss, float *out)
{
	const NlpWord2vec *t = th->t;
	const NlpWordKernel *kernel = t->kernel;
	float		p;

	for (uint32_t from = 0; from < t->n; from += NLP_TRAIN_TILE)
	{
		int			n = t->n - from < NLP_TRAIN_TILE ? (int) (t->n - from) : NLP_TRAIN_TILE;

		for (int k = 0; k < n; k++)
			th->y[k] = nlp_train_output(t, th, from + (uint32_t) k);
		kernel->dots(&th->hidden, 1, th->y, n, t->stride, th->g + from);
	}
	if (!(kernel->largest(th->g, t->n) < NLP_WORD_LARGE))
	{
		for (uint32_t k = 0; k < t->n; k++)
		{
			float	   *row = nlp_train_output(t, th, k);

			clamp_rows(th, &row, 1);
		}
		clamp_rows(th, &th->hidden, 1);
	}
	p = kernel->softmax(th->g, t->n, word, th->alpha);
	if (want_loss)
		note_loss(th, -log(p > 1e-30f ? (double) p : 1e-30), 1);
	memset(out, 0, t->stride * sizeof(float));
	for (uint32_t from = 0; from < t->n; from += NLP_TRAIN_TILE)
	{
		int			n = t->n - from < NLP_TRAIN_TILE ? (int) (t->n - from) : NLP_TRAIN_TILE;

		for (int k = 0; k < n; k++)
			th->y[k] = nlp_train_output(t, th, from + (uint32_t) k);
		kernel->hidden(th->hidden, th->y, n, th->g + from, t->stride, th->work, NULL, 0);
		kernel->spread(&out, 1, 1.0f, th->work, t->stride);
	}
}

/* ---- a hidden layer and a target, exact ------------------------------------------ */

/* number: of the pair within its centre; negatives are drawn for it alone. */
static void
hidden_exact(NlpTrainThread *th, uint32_t word, uint32_t number, bool want_loss, float *out)
{
	const NlpWord2vec *t = th->t;
	bool		tree = t->o.loss == NLP_WORDS_HIERARCHICAL;
	int			n = tree ? list_path(th, word) : 1 + (int) t->o.negative;
	const uint8_t *codes = tree ? t->tree.codes + t->tree.start[word] : NULL;
	double		loss = 0;

	memset(out, 0, t->stride * sizeof(float));
	for (int k = 0; k < n; k++)
	{
		uint32_t	drawn = tree || k == 0 ? word :
			negative_draw(th, th->centre, number * t->o.negative + (uint32_t) k - 1);
		bool		yes = tree ? !codes[k] : k == 0;
		float	   *y = tree ? th->y[k] : nlp_train_output(t, th, drawn);
		float		f;

		if (!tree && k > 0 && drawn == word)
			continue;
		f = t->kernel->pair(th->hidden, y, out, t->stride, yes, th->alpha, tree);
		if (!(fabsf(f) < NLP_WORD_LARGE))
		{
			clamp_rows(th, &y, 1);
			clamp_rows(th, &th->hidden, 1);
			clamp_rows(th, &out, 1);
		}
		if (want_loss)
			loss += log_loss(f, yes);
	}
	if (want_loss)
		note_loss(th, loss, 1);
}

/* ---- bags of input rows ------------------------------------------------------------ */

/* The rows of a word onto th->x from n: its own and its n-grams'. */
static uint32_t
add_rows(NlpTrainThread *th, uint32_t word, uint32_t n)
{
	const NlpWord2vec *t = th->t;

	th->x[n++] = nlp_train_input(t, th, word);
	if (t->gram)
		for (uint64_t i = t->gram_start[word]; i < t->gram_start[word + 1]; i++)
			th->x[n++] = t->gram + (size_t) t->grams[i] * t->stride;
	return n;
}

/* Mean (or sum) of the n rows of th->x against one target. */
static void
train_bag(NlpTrainThread *th, uint32_t n, uint32_t word, uint32_t number, bool mean, bool want_loss)
{
	const NlpWord2vec *t = th->t;
	const NlpWordKernel *kernel = t->kernel;
	float		part = 1.0f / (float) n;

	kernel->mean(th->x, n, mean ? part : 1.0f, t->stride, th->hidden);
	if (t->o.loss == NLP_WORDS_SOFTMAX)
		hidden_softmax(th, word, want_loss, th->error);
	else if (t->o.exact)
		hidden_exact(th, word, number, want_loss, th->error);
	else
		hidden_fast(th, word, want_loss, th->error);
	kernel->spread(th->x, n, mean ? 1.0f : part, th->error, t->stride);
}

/* ---- centres ------------------------------------------------------------------------ */

/* These go through the contexts from th->context on, and give false when they were stopped
 * between two of them; th->context then says where to go on. */

static inline bool
stopped_before(NlpTrainThread *th, uint32_t context, uint32_t to)
{
	th->context = context;
	return th->t->poll_every == 0 && context < to && must_stop(th);
}

/* fastText's skip-gram: the centre's bag predicts each context. */
static bool
centre_grams(NlpTrainThread *th, uint32_t from, uint32_t to, bool want_loss)
{
	const NlpWord2vec *t = th->t;
	uint32_t	rows = add_rows(th, th->words[th->centre], 0);
	bool		each = t->o.exact || t->o.loss != NLP_WORDS_NEGATIVE;
	int			m = 0;

	for (uint32_t i = th->context > from ? th->context : from; i < to; i++)
	{
		if (i != th->centre && each)
			train_bag(th, rows, th->words[i], i - from - (i > th->centre), true, want_loss);
		else if (i != th->centre)
			th->targets[m++] = th->words[i];
		if (m == NLP_WORD_INPUTS || (m > 0 && i + 1 == to))
		{
			t->kernel->mean(th->x, rows, 1.0f / (float) rows, t->stride, th->hidden);
			hidden_shared(th, m, ahead_of(th, th->centre), want_loss, th->error);
			t->kernel->spread(th->x, rows, 1.0f, th->error, t->stride);
			m = 0;
		}
		if (m == 0 && stopped_before(th, i + 1, to))
			return false;
	}
	return true;
}

static bool
centre_skipgram(NlpTrainThread *th, uint32_t from, uint32_t to, bool want_loss)
{
	const NlpWord2vec *t = th->t;
	uint32_t	word = th->words[th->centre];
	bool		each = t->o.exact || t->o.loss == NLP_WORDS_SOFTMAX;
	int			m = 0;

	for (uint32_t i = th->context > from ? th->context : from; i < to; i++)
	{
		if (i != th->centre)
			th->x[m++] = nlp_train_input(t, th, th->words[i]);
		if (each && m > 0)
		{
			train_bag(th, 1, word, i - from - (i > th->centre), true, want_loss);
			m = 0;
		}
		else if (m == NLP_WORD_INPUTS || (m > 0 && i + 1 == to))
		{
			window_skipgram(th, word, th->x, m, want_loss);
			m = 0;
		}
		if (m == 0 && stopped_before(th, i + 1, to))
			return false;
	}
	return true;
}

static bool
centre_cbow(NlpTrainThread *th, uint32_t from, uint32_t to, bool want_loss)
{
	uint32_t	n = 0;

	for (uint32_t i = from; i < to; i++)
		if (i != th->centre)
			n = add_rows(th, th->words[i], n);
	if (n > 0)
		train_bag(th, n, th->words[th->centre], 0, th->t->o.cbow_mean, want_loss);
	return true;
}

static bool
train_centre(NlpTrainThread *th)
{
	const NlpWord2vec *t = th->t;
	uint32_t	c = th->centre;
	uint32_t	width = 1 + nlp_draw_below(nlp_draw(th->draws.walk, first_draw(t, c)), t->o.window);
	uint32_t	from = c > width ? c - width : 0;
	uint32_t	to = th->n_words - c > width ? c + width + 1 : th->n_words;
	bool		want_loss = c % LOSS_EVERY == 0;

	if (t->o.objective == NLP_WORDS_CBOW)
		return centre_cbow(th, from, to, want_loss);
	if (t->gram)
		return centre_grams(th, from, to, want_loss);
	return centre_skipgram(th, from, to, want_loss);
}

/* ---- sentences ------------------------------------------------------------------------- */

static void
begin_sentence(NlpTrainThread *th, NlpSentence s)
{
	NlpWord2vec *t = th->t;
	uint64_t	place = t->block_place + s.start;
	uint32_t	known;

	th->draws = nlp_draws_of(t->o.seed, t->epoch, place);
	th->n_words = nlp_keep_sentence(t->keep, t->n_keep, t->ids + s.start, s.len, th->draws.keep, th->words, &known);
	th->tokens += known;
	if (known > 1)
		__atomic_store_n(&t->useful, 1, __ATOMIC_RELAXED);
	th->alpha = nlp_train_alpha(t, t->epoch, place);
	th->centre = 0;
	th->context = 0;
	th->looked = 0;
	if (t->o.loss == NLP_WORDS_NEGATIVE && !t->o.exact)
		draw_ahead(th, 0);
	for (uint32_t i = 0; i < NLP_TRAIN_AHEAD; i++)
	{
		look_ahead(th, i);
		fetch_now(th);
	}
}

/* The next sentence of the block, from this thread's piece or a new one; false: none left. */
static bool
next_sentence(NlpTrainThread *th)
{
	NlpWord2vec *t = th->t;

	for (;;)
	{
		if (th->busy && ++th->sentence < t->pieces[th->piece + 1])
			break;
		th->busy = false;
		th->piece = __atomic_fetch_add(&t->next_piece, 1, __ATOMIC_RELAXED);
		if (th->piece >= t->n_pieces)
			return false;
		th->busy = true;
		th->sentence = t->pieces[th->piece];
		break;
	}
	begin_sentence(th, t->sentences[th->sentence]);
	return true;
}

void
nlp_train_thread(NlpTrainThread *th)
{
	if (!th->busy && !next_sentence(th))
		return;
	for (;;)
	{
		while (th->centre < th->n_words)
		{
			if (must_stop(th))
				return;
			if (!train_centre(th))
				return;
			th->context = 0;
			look_ahead(th, th->centre + NLP_TRAIN_AHEAD);
			fetch_now(th);
			th->centre++;
		}
		if (must_stop(th) || !next_sentence(th))
			return;
	}
}
