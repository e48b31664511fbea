/* words_query.c --- the nearest words to a vector, exactly.
 *
 * One pass over the int8 codes gives every word an upper bound (kernel/scan.h); those whose
 * bound reaches the k-th best exact value found so far are computed again in f32 and go
 * into a heap. What is left out cannot be among the k, so the answer equals a scan in f32,
 * also in its ties, whatever the instruction set and the number of threads.
 * Threads: each takes its share of the rows of a stretch and has a heap of its own; between
 * stretches the caller polls. A filter with a function stays on the caller's thread. */
#include <math.h>
#include <string.h>

#include "core/pool.h"
#include "wordvec/words_private.h"
#include "engine_only.h"

#define BLOCK 64				/* tiles between two looks at the k-th best value */
#define STRETCH_BYTES ((size_t) 16 << 20)	/* of codes, between polls */
#define MAX_THREADS 64

typedef struct Search
{
	const NlpWords *w;
	const NlpWordFilter *filter;
	const float *query;			/* normalised */
	NlpScanQuery code;
	uint32_t	limit;			/* words below this one */
	float		min_score;
	size_t		from,			/* tiles of this stretch */
				to;
	NlpBest		best[MAX_THREADS];
} Search;

static inline float
threshold(const Search *s, const NlpBest *b)
{
	return b->n == b->cap && b->at[0].score > s->min_score ? b->at[0].score : s->min_score;
}

/* The exact value of a word that may be among the best. */
static void
try_word(const Search *s, NlpBest *b, uint32_t id)
{
	const NlpWords *w = s->w;
	float		norm = ((const float *) ((const char *) w + w->norms_offset))[id];
	NlpNeighbour x = {id, 0};

	if (!(norm > 0))
		return;
	x.score = nlp_dot_f32(s->query, nlp_words_row(w, id), w->dim) / norm;
	if (!(x.score >= s->min_score) || (b->n == b->cap && !nlp_worse(b->at[0], x)))
		return;
	if (s->filter && s->filter->keep && !s->filter->keep(s->filter->ctx, id))
		return;
	nlp_best_add(b, x);
}

static void
scan_block(const Search *s, NlpBest *b, size_t tile, size_t n)
{
	const NlpWords *w = s->w;
	const char *codes = (const char *) w + w->codes_offset;
	const NlpScanCode *rows = (const NlpScanCode *) ((const char *) w + w->scales_offset);
	float		sums[BLOCK * NLP_SCAN_ROWS];
	uint16_t	masks[BLOCK];

	nlp_scan_tiles(&s->code, codes + tile * nlp_scan_tile_bytes(w->dim), n, sums);
	nlp_scan_reach(&s->code, rows + tile * NLP_SCAN_ROWS, sums, n, threshold(s, b), masks);
	for (size_t t = 0; t < n; t++)
	{
		for (unsigned mask = masks[t]; mask; mask &= mask - 1)
		{
			uint32_t	id = (uint32_t) ((tile + t) * NLP_SCAN_ROWS) + (uint32_t) __builtin_ctz(mask);

			if (id < s->limit)
				try_word(s, b, id);
		}
	}
}

/* A thread's share of the stretch. Blocks begin small, as until k words are known every
 * one of a block is computed exactly. */
static void
scan_part(void *ctx, int rank, int size)
{
	Search	   *s = ctx;
	NlpBest	   *b = &s->best[rank];
	size_t		tiles = s->to - s->from;
	size_t		tile = s->from + tiles * (size_t) rank / (size_t) size;
	size_t		end = s->from + tiles * ((size_t) rank + 1) / (size_t) size;
	size_t		block = b->n == b->cap ? BLOCK : 1;

	while (tile < end)
	{
		size_t		n = end - tile < block ? end - tile : block;

		scan_block(s, b, tile, n);
		tile += n;
		block = 2 * block < BLOCK ? 2 * block : BLOCK;
	}
}

static NlpStatus
scan_all(Search *s, const NlpEnv *env, int threads, NlpError *err)
{
	size_t		tiles = ((size_t) s->limit + NLP_SCAN_ROWS - 1) / NLP_SCAN_ROWS;
	size_t		stretch = STRETCH_BYTES / nlp_scan_tile_bytes(s->w->dim) + 1;

	/* A function of the caller's may be slow. */
	if (s->filter && s->filter->keep)
		stretch = 1024 < stretch ? 1024 : stretch;
	for (s->from = 0; s->from < tiles; s->from = s->to)
	{
		s->to = tiles - s->from < stretch ? tiles : s->from + stretch;
		if (threads > 1)
			nlp_pool_run(env->pool, scan_part, s);
		else
			scan_part(s, 0, 1);
		NLP_TRY(nlp_poll(env, err));
	}
	for (int i = 1; i < threads; i++)
	{
		for (uint32_t j = 0; j < s->best[i].n; j++)
			nlp_best_add(&s->best[0], s->best[i].at[j]);
	}
	nlp_best_sort(&s->best[0]);
	return NLP_OK;
}

/* The query divided by its length; false when it has none. */
static bool
normalise(const float *query, uint32_t dim, float *out, double *norm)
{
	double		sum = 0;

	for (uint32_t i = 0; i < dim; i++)
		sum += (double) query[i] * query[i];
	*norm = sqrt(sum);
	if (!(*norm > 0) || !isfinite(*norm))
		return false;
	for (uint32_t i = 0; i < dim; i++)
		out[i] = (float) (query[i] / *norm);
	return true;
}

/* Threads are worth their start for more than a megabyte of codes. */
static int
threads_for(const Search *s, const NlpEnv *env)
{
	int			threads = nlp_pool_size(env->pool);

	if (threads > MAX_THREADS || (s->filter && s->filter->keep) || (uint64_t) s->limit * s->w->dim < 1 << 20)
		return 1;
	return threads;
}

NlpStatus
nlp_words_nearest(const NlpWords *w, const float *query, uint32_t k, const NlpWordFilter *filter,
				  const NlpEnv *env, NlpNeighbour *out, uint32_t *n_out, NlpError *err)
{
	Search		s = {.w = w, .filter = filter, .min_score = filter ? filter->min_score : -INFINITY};
	size_t		plane_bytes = (nlp_scan_query_bytes(w->dim) + 63) & ~(size_t) 63;
	size_t		bytes;
	char	   *scratch;
	double		norm;
	int			threads;
	NlpStatus	st = NLP_OK;

	*n_out = 0;
	s.limit = filter && filter->limit && filter->limit < w->n ? filter->limit : w->n;
	k = k < s.limit ? k : s.limit;
	if (k == 0)
		return NLP_OK;
	threads = threads_for(&s, env);
	if (!nlp_mul_size((size_t) (threads - 1) * k, sizeof(NlpNeighbour), &bytes) ||
		!nlp_add_size(bytes, plane_bytes + w->stride * sizeof(float), &bytes))
		return nlp_fail(err, NLP_ELIMIT, "%u neighbours are too many", k);
	scratch = nlp_alloc(env->alloc, bytes);
	if (!scratch)
		return nlp_no_memory(err, bytes, "search for neighbours");
	if (normalise(query, w->dim, (float *) (scratch + plane_bytes), &norm))
	{
		s.query = (float *) (scratch + plane_bytes);
		nlp_scan_query(s.query, w->dim, (int8_t *) scratch, &s.code);
		for (int i = 0; i < threads; i++)
		{
			s.best[i].cap = k;
			s.best[i].at = i == 0 ? out :
				(NlpNeighbour *) (scratch + plane_bytes + w->stride * sizeof(float)) + (size_t) (i - 1) * k;
		}
		st = scan_all(&s, env, threads, err);
		if (st == NLP_OK)
			*n_out = s.best[0].n;
	}
	else if (!isfinite(norm))
		st = nlp_fail(err, NLP_EINVALID, "the vector has values that are not finite");
	nlp_free(env->alloc, scratch);
	return st;
}
