/* scan.c --- coding rows and queries to bytes, the bound on what that loses, and the
 * way to the scan kernels of the instruction set in use.
 *
 * Coding is plain C in a fixed order with double sums, so codes, scales and errors do
 * not depend on the machine. */
#include <math.h>
#include <string.h>

#include "core/cpu.h"
#include "kernel/scan_ops.h"
#include "engine_only.h"

#define ROW_MAX 127
#define QUERY_MAX 8127			/* 128 * 63 + 63 */

const NlpScanOps *
nlp_scan_ops(int isa)
{
	static const NlpScanOps *const ops[NLP_ISA_COUNT] = {
		[NLP_ISA_PLAIN] = &nlp_scan_plain,
#if defined(__x86_64__)
		[NLP_ISA_AVX2] = &nlp_scan_avx2,
		[NLP_ISA_AVX512] = &nlp_scan_avx512,
#elif defined(__aarch64__)
		[NLP_ISA_NEON] = &nlp_scan_neon,
#endif
	};

	return ops[isa];
}

static inline const NlpScanOps *
ops(void)
{
	return nlp_scan_ops(nlp_isa_current());
}

/* ---- coding -------------------------------------------------------------- */

static float
largest(const float *x, size_t n)
{
	float		best = 0;

	for (size_t i = 0; i < n; i++)
	{
		float		a = fabsf(x[i]);

		best = a > best ? a : best;
	}
	return best;
}

/* The least float that is not below a sum of squares' root, given room for the
 * rounding of the sum. */
static float
root_up(double squares)
{
	double		root = sqrt(squares) * (1 + 1e-9);
	float		f = (float) root;

	return (double) f < root ? nextafterf(f, INFINITY) : f;
}

/* Nearest multiple of scale, in -top..top. */
static inline int
code_of(float x, double per, int top)
{
	double		c = x * per;
	int			i;

	c = c > top ? top : c < -top ? -top : c;
	i = (int) (c + (c < 0 ? -0.5 : 0.5));
	return i;
}

NlpScanCode
nlp_scan_encode(const float *x, size_t dim, int8_t *codes)
{
	NlpScanCode row;
	double		lost = 0,
				all = 0,
				per;

	row.scale = largest(x, dim) / ROW_MAX;
	per = row.scale > 0 ? 1 / (double) row.scale : 0;
	for (size_t i = 0; i < dim; i++)
	{
		int			c = code_of(x[i], per, ROW_MAX);
		double		d = x[i] - (double) row.scale * c;

		codes[i] = (int8_t) c;
		lost += d * d;
		all += (double) x[i] * x[i];
	}
	memset(codes + dim, 0, 4 * nlp_scan_groups(dim) - dim);
	row.error = root_up(lost);
	row.norm = (float) sqrt(all);
	return row;
}

void
nlp_scan_put(void *dst, int row, size_t first, size_t n, const int8_t *codes)
{
	char	   *d = (char *) dst + 4 * row;

	for (size_t g = 0; g < n; g++)
		memcpy(d + 4 * NLP_SCAN_ROWS * g, codes + 4 * (first + g), 4);
}

void
nlp_scan_get(const void *src, int row, size_t first, size_t n, int8_t *codes)
{
	const char *s = (const char *) src + 4 * row;

	for (size_t g = 0; g < n; g++)
		memcpy(codes + 4 * (first + g), s + 4 * NLP_SCAN_ROWS * g, 4);
}

size_t
nlp_scan_query_bytes(size_t dim)
{
	size_t		groups = nlp_scan_groups(dim);

	return ((8 * groups + 63) & ~(size_t) 63) + 2 * (groups + 1) * sizeof(int32_t);
}

static void
running_sums(const int8_t *plane, size_t groups, int32_t *sums)
{
	int32_t		sum = 0;

	for (size_t g = 0; g < groups; g++)
	{
		sums[g] = sum;
		for (int i = 0; i < 4; i++)
			sum += plane[4 * g + i];
	}
	sums[groups] = sum;
}

void
nlp_scan_query(const float *x, size_t dim, int8_t *planes, NlpScanQuery *q)
{
	size_t		width = 4 * nlp_scan_groups(dim);
	int8_t	   *high = planes,
			   *low = planes + width;
	double		lost = 0,
				all = 0,
				per;

	*q = (NlpScanQuery) {.dim = dim, .planes = planes, .scale = largest(x, dim) / QUERY_MAX};
	per = q->scale > 0 ? 1 / (double) q->scale : 0;
	memset(planes, 0, 2 * width);
	for (size_t i = 0; i < dim; i++)
	{
		int			c = code_of(x[i], per, QUERY_MAX);
		double		d = x[i] - (double) q->scale * c;
		int			h = (c + 64 + (1 << 14)) / 128 - (1 << 7);	/* floor((c + 64) / 128) */

		high[i] = (int8_t) h;
		low[i] = (int8_t) (c - 128 * h);
		lost += d * d;
		all += (double) x[i] * x[i];
	}
	running_sums(high, width / 4, (int32_t *) nlp_scan_sums(q, 0));
	running_sums(low, width / 4, (int32_t *) nlp_scan_sums(q, 1));
	q->error = root_up(lost);
	q->norm = (float) sqrt(all);
}

/* ---- the bound ----------------------------------------------------------- */

/* With q', x' the coded vectors:  |q.x - q'.x'| <= |q| |x - x'| + |q - q'| |x'|, and
 * |x'| <= |x| + |x - x'|. Arithmetic in f32 adds at most `ulps` units of 2^-24 of the
 * product of the norms: 4 for approx, 2 for adding the slack, dim / 16 + 6 for
 * nlp_dot_f32, 4 for a row divided by its norm, and as many to spare; and where products
 * underflow, 2^-149 times the largest sum of codes. */
static NlpScanSlack
slack_of(const NlpScanQuery *q)
{
	double		ulps = ((double) q->dim / 16 + 32) * 0x1p-24;
	double		up = 1 + 0x1p-20;	/* norms and these parts are rounded to f32 */
	double		lost = q->error + ulps * ((double) q->norm + q->error);

	return (NlpScanSlack) {
		.error_part = (float) ((q->norm + lost) * up),
		.norm_part = (float) (lost * up),
		.rest = (float) ((double) q->dim * 0x1p-128 + 0x1p-148)
	};
}

float
nlp_scan_slack(const NlpScanQuery *q, NlpScanCode row)
{
	NlpScanSlack s = slack_of(q);
	float		slack;

	if (!isfinite(2 * q->norm * row.norm))	/* products may overflow */
		return INFINITY;
	slack = s.error_part * row.error + s.norm_part * row.norm + s.rest;
	return isnan(slack) ? INFINITY : slack;
}

/* ---- kernels ------------------------------------------------------------- */

void
nlp_scan_tiles(const NlpScanQuery *q, const void *tiles, size_t n_tiles, float *sums)
{
	ops()->tiles(q, tiles, n_tiles, sums);
}

void
nlp_scan_slice(const NlpScanQuery *q, const void *slice, size_t first, size_t n, int32_t high[16], int32_t low[16])
{
	ops()->slice(q, slice, first, n, high, low);
}

void
nlp_scan_reach(const NlpScanQuery *q, const NlpScanCode *rows, const float *sums, size_t n_tiles,
			   float threshold, uint16_t *masks)
{
	NlpScanSlack s = slack_of(q);

	ops()->reach(q->scale, &s, rows, sums, n_tiles, threshold, masks);
}

float
nlp_dot_f32(const float *a, const float *b, size_t n)
{
	return ops()->dot(a, b, n);
}

float
nlp_l2sq_f32(const float *a, const float *b, size_t n)
{
	return ops()->l2sq(a, b, n);
}

float
nlp_l1_f32(const float *a, const float *b, size_t n)
{
	return ops()->l1(a, b, n);
}

void
nlp_cosine_f32(const float *a, const float *b, size_t n, float *dot, float *aa, float *bb)
{
	ops()->cosine(a, b, n, dot, aa, bb);
}
