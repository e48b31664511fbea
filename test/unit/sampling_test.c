/* sampling_test.c --- draws against a brute-force filter over a full sort, in double;
 * their frequencies; penalties; ties and the edges where nothing is left. */
#include <math.h>

#include "check.h"
#include "core/cpu.h"
#include "core/philox.h"
#include "decode/sampling.h"

#define MAX_V 49152

static float logits[MAX_V],
			scratch[MAX_V];
static char work[MAX_V * 8];

static int32_t
sample(const NlpSampling *s, const float *x, size_t n, uint64_t row, uint64_t step)
{
	memcpy(scratch, x, n * sizeof(float));
	return nlp_sample(s, scratch, n, NULL, row, step, work, NULL);
}

/* ---- the definition --------------------------------------------------------- */

static const float *sort_by;

static int
by_logit(const void *a, const void *b)
{
	int			i = *(const int *) a;
	int			j = *(const int *) b;

	if (sort_by[i] != sort_by[j])
		return sort_by[i] > sort_by[j] ? -1 : 1;
	return i - j;
}

/* p[i]: probability with which token i is drawn, 0 when filtered out. False when a
 * cut lies so near a sum that rounding may decide. */
static bool
exact_probabilities(const NlpSampling *s, const float *x, int n, double *p)
{
	static int	order[MAX_V];
	static double w[MAX_V];
	int			kept = n;
	double		total = 0,
				sum = 0;
	bool		clear = true;

	for (int i = 0; i < n; i++)
	{
		order[i] = i;
		p[i] = 0;
	}
	sort_by = x;
	qsort(order, n, sizeof(int), by_logit);
	if (s->top_k > 0 && s->top_k < n)
		kept = s->top_k;
	for (int j = 0; j < kept; j++)
	{
		w[j] = exp(((double) x[order[j]] - x[order[0]]) / s->temperature);
		total += w[j];
	}
	if (s->top_p < 1)
	{
		double		mass = 0;
		int			j = 0;

		do
		{
			mass += w[j++] / total;
			clear &= fabs(mass - s->top_p) > 1e-5;
		} while (j < kept && mass < s->top_p);
		kept = j;
	}
	while (kept > 1 && w[kept - 1] < s->min_p)
		kept--;
	for (int j = 0; j < kept; j++)
	{
		clear &= fabs(w[j] - s->min_p) > 1e-5 || s->min_p >= 1 || w[j] == 1;
		sum += w[j];
	}
	for (int j = 0; j < kept; j++)
		p[order[j]] = w[j] / sum;
	return clear;
}

/* Every single draw: the token in whose share, in order of ids, the point falls. */
static void
test_draws(void)
{
	static double p[300];
	int			compared = 0,
				skipped = 0,
				wrong = 0;

	for (int round = 0; round < 4000; round++)
	{
		int			n = 1 + (int) (nlp_philox_uniform(1, round, 0) * (round % 3 ? 20 : 299));
		bool		ties = round % 2;
		NlpSampling s = {
			.temperature = (float) (0.2 + 2 * nlp_philox_uniform(1, round, 1)),
			.top_k = round % 4 < 2 ? 0 : 1 + (int) (nlp_philox_uniform(1, round, 2) * n * 1.2),
			.top_p = round % 5 < 2 ? 1 : (float) nlp_philox_uniform(1, round, 3),
			.min_p = round % 7 < 4 ? 0 : (float) (0.3 * nlp_philox_uniform(1, round, 4)),
			.repeat_penalty = 1,.seed = 100 + (uint64_t) round
		};

		for (int i = 0; i < n; i++)
		{
			double		u = nlp_philox_uniform(2, round, i);

			logits[i] = ties ? (float) (int) (5 * u) : (float) (8 * u - 4);
		}
		if (!exact_probabilities(&s, logits, n, p))
		{
			skipped++;
			continue;
		}
		for (int step = 0; step < 8; step++)
		{
			double		left = nlp_philox_uniform(s.seed, 3, step);
			int32_t		got = sample(&s, logits, n, 3, step);
			int32_t		want = -1;
			bool		clear = true;

			for (int i = 0; i < n && want < 0; i++)
			{
				clear &= p[i] == 0 || fabs(left - p[i]) > 1e-5;
				if (p[i] > 0 && left < p[i])
					want = i;
				left -= p[i];
			}
			if (!clear || want < 0)
				continue;
			compared++;
			wrong += got != want;
		}
	}
	CHECKF(wrong == 0, "%d of %d draws", wrong, compared);
	CHECKF(compared > 25000 && skipped < 1000, "%d compared, %d skipped", compared, skipped);
}

/* The same over a whole vocabulary, where the radix descent and the blocks of the
 * draw really work. */
static void
test_large_vocabulary(void)
{
	static double p[MAX_V];
	static const NlpSampling settings[] = {
		{.temperature = 1,.top_p = 1,.repeat_penalty = 1,.seed = 1},
		{.temperature = 0.8f,.top_k = 40,.top_p = 0.95f,.min_p = 0.05f,.repeat_penalty = 1,.seed = 2},
		{.temperature = 1.3f,.top_p = 0.9f,.repeat_penalty = 1,.seed = 3},
		{.temperature = 5,.top_p = 0.7f,.repeat_penalty = 1,.seed = 4},
		{.temperature = 1,.top_k = 20000,.top_p = 1,.repeat_penalty = 1,.seed = 5},
		{.temperature = 1,.top_p = 0.999f,.min_p = 0.001f,.repeat_penalty = 1,.seed = 6},
		{.temperature = 3,.top_k = 40,.top_p = 1,.repeat_penalty = 1,.seed = 7},	/* logits in steps of 1 */
		{.temperature = 3,.top_k = 512,.top_p = 0.9f,.repeat_penalty = 1,.seed = 8},	/* and of 1/2 */
	};

	for (size_t c = 0; c < sizeof(settings) / sizeof(settings[0]); c++)
	{
		const NlpSampling *s = &settings[c];
		int			outside = 0,
					wrong = 0,
					compared = 0;

		for (int i = 0; i < MAX_V; i++)
		{
			double		u = nlp_philox_uniform(30 + c, 0, 2 * i) + 1e-12;

			logits[i] = (float) (2 * sqrt(-2 * log(u)) * cos(6.2831853 * nlp_philox_uniform(30 + c, 0, 2 * i + 1)));
			if (c >= 6)
				logits[i] = floorf(logits[i] * (c == 6 ? 1 : 2)) / (c == 6 ? 1 : 2);
		}
		exact_probabilities(s, logits, MAX_V, p);
		for (int step = 0; step < 60; step++)
		{
			int32_t		got = sample(s, logits, MAX_V, 9, step);
			double		left = nlp_philox_uniform(s->seed, 9, step);

			outside += p[got] == 0;
			/* Cumulated rounding: the drawn token's share must hold the point within 1e-5. */
			for (int i = 0; i < got; i++)
				left -= p[i];
			compared++;
			wrong += left < -1e-5 || left > p[got] + 1e-5;
		}
		CHECKF(outside <= 1 && wrong == 0, "setting %zu: %d outside, %d wrong of %d", c, outside, wrong, compared);
	}
}

/* Frequencies of 40,000 draws; the 99.9 % point of chi-square with 11 degrees is 31.3. */
static void
test_chi_square(void)
{
	enum {V = 12, N = 40000};
	NlpSampling s = {.temperature = 1.5f,.top_p = 1,.repeat_penalty = 1,.seed = 2024};
	double		p[V],
				chi = 0;
	int			seen[V] = {0};

	for (int i = 0; i < V; i++)
		logits[i] = (float) (i % 5) - 0.3f * (float) i;
	exact_probabilities(&s, logits, V, p);
	for (int i = 0; i < N; i++)
		seen[sample(&s, logits, V, i % 7, i / 7)]++;
	for (int i = 0; i < V; i++)
		chi += (seen[i] - N * p[i]) * (seen[i] - N * p[i]) / (N * p[i]);
	CHECKF(chi < 31.3, "chi-square %.1f", chi);
}

static void
test_reproducible(void)
{
	NlpSampling s = {.temperature = 1,.top_p = 0.98f,.repeat_penalty = 1,.seed = 77};
	NlpIsa		best = nlp_isa_current();
	int32_t		first[50];
	int			other_seed = 0,
				other_row = 0;

	for (int i = 0; i < 1000; i++)
		logits[i] = (float) (4 * nlp_philox_uniform(8, 0, i));
	for (int isa = 0; isa < NLP_ISA_COUNT; isa++)
	{
		if (!nlp_isa_set((NlpIsa) isa))
			continue;
		for (int i = 0; i < 50; i++)
		{
			int32_t		id = sample(&s, logits, 1000, 5, i);

			if (isa == 0)
				first[i] = id;
			CHECKF(id == first[i], "step %d on %s", i, nlp_isa_name((NlpIsa) isa));
		}
	}
	nlp_isa_set(best);
	for (int i = 0; i < 50; i++)
		other_row += sample(&s, logits, 1000, 6, i) != first[i];
	s.seed++;
	for (int i = 0; i < 50; i++)
		other_seed += sample(&s, logits, 1000, 5, i) != first[i];
	CHECK(other_seed > 40 && other_row > 40);
}

static void
test_penalties(void)
{
	int32_t		counts[6] = {0, 1, 3, 2, 0, 1};
	float		x[6] = {2, 2, 2, -2, -2, 0};
	NlpSampling s = NLP_SAMPLING_GREEDY;
	float		lp;
	double		sum = 0;
	float		want[6];

	s.repeat_penalty = 1.25f;
	s.presence_penalty = 0.5f;
	s.frequency_penalty = 0.125f;
	for (int i = 0; i < 6; i++)
	{
		want[i] = x[i];
		if (counts[i])
			want[i] = (x[i] > 0 ? x[i] / 1.25f : x[i] * 1.25f) - 0.5f - 0.125f * (float) counts[i];
		sum += exp(want[i]);
	}
	CHECK(nlp_sample(&s, x, 6, counts, 0, 0, work, &lp) == 0);
	for (int i = 0; i < 6; i++)
		CHECKF(fabsf(x[i] - want[i]) < 1e-6f, "token %d: %g, not %g", i, x[i], want[i]);
	CHECK(fabs(lp - (2 - log(sum))) < 1e-6);
	/* Without counts, or with all penalties off, nothing changes. */
	memcpy(want, x, sizeof(x));
	nlp_sample(&s, x, 6, NULL, 0, 0, work, NULL);
	CHECK(memcmp(x, want, sizeof(x)) == 0);
	s = NLP_SAMPLING_GREEDY;
	nlp_sample(&s, x, 6, counts, 0, 0, work, NULL);
	CHECK(memcmp(x, want, sizeof(x)) == 0);
	/* A penalty under 1 and negative ones favour what was said. */
	s.frequency_penalty = -1;
	memcpy(x, (float[6]) {2, 1.5f, 0, 0, 0, 0}, sizeof(x));
	CHECK(nlp_sample(&s, x, 6, counts, 0, 0, work, NULL) == 2);
}

static void
test_edges(void)
{
	float		x[8] = {1, 5, 3, 5, NAN, 2, -INFINITY, 4};
	NlpSampling s = {.temperature = 1,.top_p = 1,.repeat_penalty = 1,.seed = 1};
	int			hits[8] = {0};
	float		lp;
	float		y[8];

	/* Greedy in its three spellings: the lower id of a tie. */
	CHECK(sample(&NLP_SAMPLING_GREEDY, x, 8, 0, 0) == 1);
	s.temperature = 0;
	CHECK(sample(&s, x, 8, 0, 0) == 1);
	s.temperature = NAN;
	CHECK(sample(&s, x, 8, 0, 0) == 1);
	for (int i = 0; i < 200; i++)
	{
		s = (NlpSampling) {.temperature = 1,.top_k = 1,.top_p = 1,.repeat_penalty = 1,.seed = 1};
		CHECK(sample(&s, x, 8, 0, i) == 1);
		s = (NlpSampling) {.temperature = 1,.top_p = 0,.repeat_penalty = 1,.seed = 1};
		CHECK(sample(&s, x, 8, 0, i) == 1);
		s = (NlpSampling) {.temperature = 1e-30f,.top_p = 1,.repeat_penalty = 1,.seed = 1};
		hits[sample(&s, x, 8, 0, i)]++;
		s = (NlpSampling) {.temperature = 1,.top_p = 1,.min_p = 1,.repeat_penalty = 1,.seed = 1};
		hits[sample(&s, x, 8, 1, i)]++;
		s = (NlpSampling) {.temperature = 1e-45f,.top_p = 1,.repeat_penalty = 1,.seed = 1};
		hits[sample(&s, x, 8, 2, i)]++;
	}
	CHECK(hits[1] > 200 && hits[3] > 200 && hits[1] + hits[3] == 600);
	/* As hot as can be: all but NaN and -inf, about evenly. */
	memset(hits, 0, sizeof(hits));
	s = (NlpSampling) {.temperature = INFINITY,.top_p = 1,.repeat_penalty = 1,.seed = 1};
	for (int i = 0; i < 600; i++)
		hits[sample(&s, x, 8, 0, i)]++;
	CHECK(hits[4] == 0 && hits[6] == 0);
	for (int i = 0; i < 8; i++)
		CHECKF(i == 4 || i == 6 || (hits[i] > 60 && hits[i] < 140), "%d of token %d", hits[i], i);
	/* Infinity wins over all; two share. */
	memset(hits, 0, sizeof(hits));
	s.temperature = 1;
	memcpy(y, x, sizeof(x));
	y[5] = y[7] = INFINITY;
	for (int i = 0; i < 200; i++)
		hits[sample(&s, y, 8, 0, i)]++;
	CHECK(hits[5] > 60 && hits[7] > 60 && hits[5] + hits[7] == 200);
	/* Nothing finite: the lowest id that is not NaN; all NaN: 0. */
	for (int i = 0; i < 8; i++)
		y[i] = i < 2 ? NAN : -INFINITY;
	CHECK(sample(&s, y, 8, 0, 0) == 2 && sample(&NLP_SAMPLING_GREEDY, y, 8, 0, 0) == 2);
	s.top_k = 3;
	s.top_p = 0.5f;
	CHECK(sample(&s, y, 8, 0, 0) == 2);
	for (int i = 0; i < 8; i++)
		y[i] = NAN;
	CHECK(sample(&s, y, 8, 0, 0) == 0 && sample(&NLP_SAMPLING_GREEDY, y, 8, 0, 0) == 0);
	/* One token; a top_k over the vocabulary; log-probabilities beside a NaN. */
	s.top_k = 1000;
	CHECK(sample(&s, x, 1, 0, 0) == 0);
	memcpy(y, x, sizeof(x));
	CHECK(nlp_sample(&NLP_SAMPLING_GREEDY, y, 8, NULL, 0, 0, work, &lp) == 1);
	CHECK(fabs(lp - (5 - log(exp(1) + 2 * exp(5) + exp(3) + exp(2) + exp(4)))) < 1e-6);
}

/* Equal logits at the edge of top_k: the lower ids stay. */
static void
test_tie_at_edge(void)
{
	NlpSampling s = {.temperature = 1,.top_k = 3,.top_p = 1,.repeat_penalty = 1,.seed = 4};
	int			hits[10] = {0};
	float		x[10] = {0, 1, 1, 0, 1, 1, 2, 1, 0, -0.0f};

	for (int i = 0; i < 300; i++)
		hits[sample(&s, x, 10, 0, i)]++;
	CHECK(hits[6] > 100 && hits[1] > 20 && hits[2] > 20 && hits[6] + hits[1] + hits[2] == 300);
	/* Zeros of either sign are one value. */
	memset(hits, 0, sizeof(hits));
	for (int i = 0; i < 10; i++)
		x[i] = i % 2 ? 0.0f : -0.0f;
	for (int i = 0; i < 300; i++)
		hits[sample(&s, x, 10, 0, i)]++;
	CHECK(hits[0] > 50 && hits[1] > 50 && hits[2] > 50 && hits[0] + hits[1] + hits[2] == 300);
}

int
main(void)
{
	test_draws();
	test_large_vocabulary();
	test_chi_square();
	test_reproducible();
	test_penalties();
	test_edges();
	test_tie_at_edge();
	return check_done();
}
