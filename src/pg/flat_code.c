/* flat_code.c --- rows and queries to codes, and the lower bounds that follow.
 *
 * Bounds. x' = scale * codes stands for x, e >= |x - x'|; q' for the query q, f >= |q - q'|.
 *   L2      |q - x| >= |q - x'| - e   and   |q - x'|^2 = |q|^2 + |x'|^2 - 2 q.x',
 *           where q.x' differs from the computed q'.x' by at most f |x'|; and because
 *           2 f |x'| <= f |q| + (f / |q|) |x'|^2, the square is at least
 *           (|q|^2 - f |q|) + (1 - f / |q|) |x'|^2 - 2 q'.x'.
 *   COSINE  rows and query are divided by their norms first; the distance is half the square.
 *   IP      q.x <= q'.x' + |q| e + f |x'|.
 * The triangle inequality loses e where the inner product's own bound loses |q| e / |q - x|.
 *
 * Rounding. A key is computed in f32 from numbers whose sum of sizes is at most |q|^2 + |x'|^2
 * (|q| |x'| for IP) in fewer than EPSILON_ULPS steps; that share is taken off. The operator sums
 * dim terms in f32 in an order that is its own business: it errs by at most (dim + 8) * 2^-24 of
 * the sum of the terms' sizes. Values so large or small that f32 squares leave its range get
 * the least bound. Below 1e-15 products lose bits to underflow: `absolute` covers it. */
#include "flat.h"

#include <float.h>
#include <math.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#define ULP 0x1p-24
#define EPSILON_ULPS 32
#define MAX_NORM 1e18			/* products of two are far from overflow */
#define MIN_NORM 1e-15			/* cosine only: squares are far from underflow */
#define NORMALISED 2e-7			/* how far dividing by the norm may move a vector, in f32 */

static double
norm_of(const float *x, int dim)
{
	double		sums[4] = {0};
	int			i = 0;

	for (; i + 4 <= dim; i += 4)
		for (int j = 0; j < 4; j++)
			sums[j] += (double) x[i + j] * x[i + j];
	for (; i < dim; i++)
		sums[0] += (double) x[i] * x[i];
	return sqrt((sums[0] + sums[1]) + (sums[2] + sums[3]));
}

static float
up(double x)
{
	float		f = (float) x;

	return (double) f < x ? nextafterf(f, INFINITY) : f;
}

static float
down(double x)
{
	float		f = (float) x;

	return (double) f > x ? nextafterf(f, -INFINITY) : f;
}

bool
flat_encode(FlatMetric metric, const float *x, int dim, float *work, int8_t *codes, FlatCode *code)
{
	double		norm = norm_of(x, dim);
	NlpScanCode scan;
	int32		squares = 0;	/* at most 127^2 * EMBEDDING_MAX_DIM */
	double		coded;

	if (norm == 0 && metric == FLAT_COSINE)
		return false;
	if (!(norm <= MAX_NORM) || (metric == FLAT_COSINE && norm < MIN_NORM))
	{
		memset(codes, 0, 4 * nlp_scan_groups(dim));
		*code = (FlatCode) {.error = INFINITY};
		return true;
	}
	if (metric == FLAT_COSINE)
	{
		for (int i = 0; i < dim; i++)
			work[i] = (float) (x[i] / norm);
		x = work;
	}
	scan = nlp_scan_encode(x, dim, codes);
	for (int i = 0; i < dim; i++)
		squares += codes[i] * codes[i];
	coded = scan.scale * sqrt((double) squares);
	code->scale = scan.scale;
	code->error = up(scan.error + (metric == FLAT_COSINE ? NORMALISED : 0));
	code->norm = metric == FLAT_IP ? up(coded) : (float) (coded * coded);
	return true;
}

void
flat_put(Page page, const FlatLayout *l, int part, int slot, const int8_t *codes,
		 const FlatCode *code, ItemPointer tid)
{
	int			first;
	int			n = flat_part_groups(l, part, &first);
	char	   *tile = FLAT_TILES(page) + (slot / NLP_SCAN_ROWS) * l->groups * FLAT_GROUP_BYTES;

	nlp_scan_put(tile, slot % NLP_SCAN_ROWS, first, n, codes);
	if (part > 0)
		return;
	FLAT_SCALE(page, l)[slot] = code->scale;
	FLAT_ERROR(page, l)[slot] = code->error;
	FLAT_NORM(page, l)[slot] = code->norm;
	FLAT_TIDS(page, l)[slot] = *tid;
	FLAT_SPECIAL(page)->n_free--;
}

void
flat_query(FlatQuery *q, FlatMetric metric, const float *x, int dim, int8_t *planes, float *work)
{
	double		norm = norm_of(x, dim);
	double		sums = (dim + 8) * ULP;
	double		epsilon = EPSILON_ULPS * ULP;

	memset(q, 0, sizeof(*q));
	q->metric = metric;
	q->loose = !(norm <= MAX_NORM) || (metric == FLAT_COSINE && norm < MIN_NORM);
	if (q->loose)
		memset(work, 0, dim * sizeof(float));
	else
		for (int i = 0; i < dim; i++)
			work[i] = metric == FLAT_COSINE ? (float) (x[i] / norm) : x[i];
	nlp_scan_query(work, dim, planes, &q->q);
	if (q->loose)
	{
		q->a = metric == FLAT_IP ? 1 : 0;
		return;
	}
	norm = norm_of(work, dim);
	if (metric == FLAT_IP)
	{
		q->a = up(norm * (1 + sums + epsilon) + FLT_MIN);
		q->b = up(q->q.error + norm * (sums + epsilon));
		q->s = q->q.scale;
		q->absolute = 1e-33;
	}
	else
	{
		double		lost = norm > 0 ? q->q.error / norm : 0;

		q->a = down(norm * norm * (1 - epsilon) - q->q.error * norm);
		q->b = down(1 - epsilon - lost);
		q->s = 2 * q->q.scale;
		q->relative = metric == FLAT_L2 ? sums : 0;
		q->absolute = metric == FLAT_L2 ? 1e-16 : 2 * (dim + 16) * ULP;
	}
}

static void
keys_ip(const FlatQuery *q, const float *sums, const float *scale, const float *error,
		const float *norm, int n, float *keys)
{
	float		a = q->a,
				b = q->b,
				s = q->s;

	for (int i = 0; i < n; i++)
		keys[i] = -(s * scale[i] * sums[i]) - b * norm[i] - a * error[i];
}

void
flat_keys(const FlatQuery *q, const float *sums, const float *scale, const float *error,
		  const float *norm, int n, float *keys)
{
	float		a = q->a,
				b = q->b,
				s = q->s;

	if (q->metric == FLAT_IP)
	{
		keys_ip(q, sums, scale, error, norm, n, keys);
		return;
	}
#if defined(__SSE2__)
	{
		__m128		va = _mm_set1_ps(a),
					vb = _mm_set1_ps(b),
					vs = _mm_set1_ps(s),
					zero = _mm_setzero_ps();

		for (int i = 0; i < n; i += 4)
		{
			__m128		p = _mm_mul_ps(_mm_mul_ps(vs, _mm_loadu_ps(scale + i)), _mm_loadu_ps(sums + i));
			__m128		d = _mm_sub_ps(_mm_add_ps(va, _mm_mul_ps(vb, _mm_loadu_ps(norm + i))), p);

			d = _mm_sqrt_ps(_mm_max_ps(d, zero));
			_mm_storeu_ps(keys + i, _mm_sub_ps(d, _mm_loadu_ps(error + i)));
		}
	}
#else
	for (int i = 0; i < n; i++)
	{
		float		d = a + b * norm[i] - s * scale[i] * sums[i];

		keys[i] = (d > 0 ? sqrtf(d) : 0) - error[i];
	}
#endif
}

double
flat_bound(const FlatQuery *q, float key)
{
	double		d = key;

	if (q->metric == FLAT_IP)
		return q->loose ? -(double) INFINITY : d - q->absolute - fabs(d) * 1e-7;
	if (q->loose)
		return 0;
	d = d * (1 - q->relative - 1e-7);
	if (q->metric == FLAT_COSINE)
	{
		d = Max(d - NORMALISED, 0);
		d = d * d / 2;
	}
	d -= q->absolute;
	return Max(d, 0);
}
