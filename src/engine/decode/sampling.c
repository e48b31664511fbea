/* sampling.c --- from logits to a token.
 *
 * Penalties as Hugging Face and llama.cpp define them: a positive logit is divided
 * by the repeat penalty, another multiplied by it (Keskar 2019); presence and
 * frequency are subtracted. Then top_k, temperature, top_p (Holtzman 2020), min_p,
 * and one draw over what is left, in order of ids.
 *
 * No sort: "the largest whose weights reach a target" is found by a radix descent
 * over the logits' bits, three passes whatever the vocabulary, and serves top_k
 * (every weight 1) and top_p alike. Among equal logits lower ids go first. Before
 * it a bound that loses nothing leaves few candidates: for top_k the k-th largest
 * of the maxima of columns, for top_p the weight under which all together weigh
 * less than what may go.
 *
 * A NaN logit counts as -infinity and is never chosen unless nothing else is there;
 * with no finite logit the lowest id that is not NaN is the answer. */
#include <math.h>
#include <string.h>

#include "core/philox.h"
#include "decode/sampling.h"
#include "kernel/rowwise.h"
#include "engine_only.h"

/* Tokens still in play, ids ascending, with their weights exp((x - max) / T). */
typedef struct Candidates
{
	const float *logits;
	float	   *weight;
	int32_t    *id;				/* written only once narrowed: until then token j is candidate j */
	bool		narrowed;
	size_t		n;
} Candidates;

static void
apply_penalties(const NlpSampling *s, float *logits, size_t n_vocab, const int32_t *counts)
{
	bool		repeat = s->repeat_penalty > 0 && s->repeat_penalty != 1;

	if (!counts || (!repeat && s->presence_penalty == 0 && s->frequency_penalty == 0))
		return;
	for (size_t i = 0; i < n_vocab; i++)
	{
		float		x = logits[i];

		if (counts[i] <= 0)
			continue;
		if (repeat)
			x = x > 0 ? x / s->repeat_penalty : x * s->repeat_penalty;
		logits[i] = x - (float) counts[i] * s->frequency_penalty - s->presence_penalty;
	}
}

/* Bits that order as the values do; zeros of either sign are one value. */
static inline uint32_t
order_key(float x)
{
	float		y = x + 0.0f;
	uint32_t	bits;

	memcpy(&bits, &y, sizeof(bits));
	return bits ^ ((uint32_t) ((int32_t) bits >> 31) | 0x80000000u);
}

/* Ids of the values not under least, ascending; their count. */
static size_t
pick(const float *x, size_t n, float least, int32_t *id)
{
	enum {BLOCK = 32};
	size_t		kept = 0;

	for (size_t at = 0; at < n; at += BLOCK)
	{
		size_t		end = n - at < BLOCK ? n : at + BLOCK;
		int			any = end - at < BLOCK;

		if (!any)
			for (int l = 0; l < BLOCK; l++)
				any |= x[at + l] >= least;
		for (size_t i = at; any && i < end; i++)
		{
			id[kept] = (int32_t) i;
			kept += x[i] >= least;
		}
	}
	return kept;
}

static void
name_all(Candidates *c)
{
	for (size_t i = 0; i < c->n && !c->narrowed; i++)
		c->id[i] = (int32_t) i;
	c->narrowed = true;
}

/* Keep the fewest candidates of largest logits whose weights (1 each when weight is
 * NULL) reach target; among equals the lower ids. At least one stays. */
static void
keep_largest(Candidates *c, const float *weight, double target)
{
	static const int shifts[3] = {21, 10, 0};
	double		mass[2048];
	double		above = 0;		/* weight of keys over the prefix's range */
	uint32_t	prefix = 0;
	uint32_t	decided = 0;	/* mask of the bits in prefix */
	size_t		kept = 0;

	name_all(c);
	for (int level = 0; level < 3; level++)
	{
		int			shift = shifts[level];
		uint32_t	bins = level < 2 ? 2048 : 1024;
		uint32_t	chosen = 0;
		double		over = above;

		memset(mass, 0, bins * sizeof(double));
		for (size_t j = 0; j < c->n; j++)
		{
			uint32_t	key = order_key(c->logits[c->id[j]]);

			if ((key & decided) == prefix)
				mass[(key >> shift) & (bins - 1)] += weight ? (double) weight[j] : 1.0;
		}
		/* From the top; when rounding leaves the target unreached, the last bin in use. */
		for (uint32_t b = bins; b-- > 0;)
		{
			if (mass[b] == 0)
				continue;
			chosen = b;
			over = above;
			above += mass[b];
			if (above >= target)
				break;
		}
		above = over;
		prefix |= chosen << shift;
		decided |= (bins - 1) << shift;
	}
	for (size_t j = 0; j < c->n; j++)
	{
		uint32_t	key = order_key(c->logits[c->id[j]]);

		if (key < prefix || (key == prefix && kept > 0 && above >= target))
			continue;
		if (key == prefix)
			above += weight ? (double) weight[j] : 1.0;
		c->id[kept] = c->id[j];
		if (weight)
			c->weight[kept] = weight[j];
		kept++;
	}
	c->n = kept;
}

#define COLUMNS 1024

/* Keep the k largest of all tokens. The vocabulary read as rows of 1,024 gives 1,024
 * column maxima; the k-th largest of them is no more than the k-th largest token. */
static void
keep_top_k(Candidates *c, size_t k)
{
	if (k <= COLUMNS / 2 && c->n >= 4 * COLUMNS)
	{
		float		column[COLUMNS];
		int32_t		which[COLUMNS];
		Candidates	maxima = {column, NULL, which, false, COLUMNS};
		float		least = INFINITY;

		memcpy(column, c->logits, sizeof(column));
		for (size_t at = COLUMNS; at < c->n; at += COLUMNS)
		{
			const float *row = c->logits + at;
			size_t		n = c->n - at < COLUMNS ? c->n - at : COLUMNS;

			for (size_t j = 0; j < n; j++)
				column[j] = row[j] > column[j] ? row[j] : column[j];
		}
		keep_largest(&maxima, NULL, (double) k);
		for (size_t j = 0; j < maxima.n; j++)
			least = column[which[j]] < least ? column[which[j]] : least;
		c->n = pick(c->logits, c->n, least, c->id);
		c->narrowed = true;
	}
	keep_largest(c, NULL, (double) k);
}

/* Drop candidates lighter than least. */
static void
drop_light(Candidates *c, float least)
{
	size_t		kept = 0;

	if (!c->narrowed)
	{
		c->n = pick(c->weight, c->n, least, c->id);
		for (size_t j = 0; j < c->n; j++)
			c->weight[j] = c->weight[c->id[j]];
		c->narrowed = true;
		return;
	}
	for (size_t j = 0; j < c->n; j++)
	{
		c->id[kept] = c->id[j];
		c->weight[kept] = c->weight[j];
		kept += c->weight[j] >= least;
	}
	c->n = kept;
}

static void
weigh(Candidates *c, float max, float temperature)
{
	float		inverse = 1.0f / fminf(fmaxf(temperature, 1e-30f), 1e30f);

	/* x == max first: the largest may be infinite. */
	if (c->narrowed)
		for (size_t j = 0; j < c->n; j++)
			c->weight[j] = c->logits[c->id[j]];
	else
		memcpy(c->weight, c->logits, c->n * sizeof(float));
	for (size_t j = 0; j < c->n; j++)
	{
		float		below = (c->weight[j] - max) * inverse;

		c->weight[j] = c->weight[j] == max ? 0.0f : below;
	}
	nlp_softmax_exp(c->weight, c->n);
}

#define DRAW_BLOCK 256			/* weights summed at a time, in eight lanes */

static double
block_weight(const float *w, size_t n)
{
	double		lane[8] = {0};
	size_t		j = 0;

	for (; j + 8 <= n; j += 8)
		for (int l = 0; l < 8; l++)
			lane[l] += (double) w[j + l];
	for (; j < n; j++)
		lane[j & 7] += (double) w[j];
	return ((lane[0] + lane[4]) + (lane[2] + lane[6])) + ((lane[1] + lane[5]) + (lane[3] + lane[7]));
}

static double
total_weight(const Candidates *c)
{
	double		total = 0;

	for (size_t at = 0; at < c->n; at += DRAW_BLOCK)
		total += block_weight(c->weight + at, c->n - at < DRAW_BLOCK ? c->n - at : DRAW_BLOCK);
	return total;
}

/* The candidate in whose share of the total the point u (in [0, 1)) falls. */
static int32_t
draw(const Candidates *c, double u)
{
	double		left = u * total_weight(c);
	size_t		last = c->n;

	for (size_t at = 0; at < c->n; at += DRAW_BLOCK)
	{
		size_t		n = c->n - at < DRAW_BLOCK ? c->n - at : DRAW_BLOCK;
		double		block = block_weight(c->weight + at, n);

		if (left >= block && at + n < c->n)
		{
			left -= block;
			continue;
		}
		for (size_t j = at; j < at + n; j++)
		{
			if (left < (double) c->weight[j])
				return c->narrowed ? c->id[j] : (int32_t) j;
			left -= (double) c->weight[j];
		}
	}
	while (last > 1 && c->weight[last - 1] == 0)	/* rounding carried past the end */
		last--;
	return c->narrowed ? c->id[last - 1] : (int32_t) last - 1;
}

static int32_t
sample_filtered(const NlpSampling *s, const float *logits, size_t n_vocab, float max, double u, void *work)
{
	Candidates	c = {logits, work, (int32_t *) work + n_vocab, false, n_vocab};

	if (s->top_k > 0 && (size_t) s->top_k < n_vocab)
		keep_top_k(&c, (size_t) s->top_k);
	weigh(&c, max, s->temperature);
	if (s->top_p < 1)
	{
		double		total = total_weight(&c);
		double		target = s->top_p > 0 ? s->top_p * total : 0;

		/* All weights under (total - target) / n together weigh less than what may
		 * be left out, and come last: they are left out. */
		drop_light(&c, (float) (0.99 * (total - target) / (double) c.n));
		keep_largest(&c, c.weight, target);
	}
	if (s->min_p > 0)
		drop_light(&c, s->min_p < 1 ? s->min_p : 1.0f);
	return draw(&c, u);
}

int32_t
nlp_sample(const NlpSampling *s, float *logits, size_t n_vocab, const int32_t *counts,
		   uint64_t row, uint64_t step, void *work, float *logprob)
{
	bool		greedy = s->greedy || !(s->temperature > 0);
	int32_t		id;

	apply_penalties(s, logits, n_vocab, counts);
	id = (int32_t) nlp_argmax(logits, n_vocab);
	if (!greedy || logprob)
	{
		for (size_t i = 0; i < n_vocab; i++)
			logits[i] = logits[i] == logits[i] ? logits[i] : -INFINITY;
	}
	if (!greedy && logits[id] > -INFINITY)
		id = sample_filtered(s, logits, n_vocab, logits[id], nlp_philox_uniform(s->seed, row, step), work);
	if (logprob)
	{
		double		all = nlp_logsumexp(logits, n_vocab);

		*logprob = isinf(all) ? (logits[id] == all ? 0.0f : -INFINITY) : (float) (logits[id] - all);
	}
	return id;
}
