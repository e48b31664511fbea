/* scan_body.h --- exact distances of two f32 rows, compiled once per level.
 *
 * The tree is fixed: vectors of 16 lanes go round four sums (two in cosine), the last,
 * short vector to the last sum; then sums 0+1 and 2+3, then lanes l and l+8, l+4, l+2, l+1.
 * Products are rounded before they are added, so plain C needs no fused multiply. */
#include "kernel/scan_ops.h"
#include "kernel/vec.h"

/* Memory: the processor fetches lines ahead within a page of 4 kB by itself; what it needs to be
 * told is the page after the next, once. Asking for every line made it slower (measured: 16-24 GB/s
 * every line, 20-24 none, 28-30 one line a page). So a tile, or a slice, is done in even steps of
 * at most 80 groups, and each begins by asking for one line this far ahead. */
#define SCAN_AHEAD 8192

V_INLINE size_t
scan_step(size_t groups)
{
	size_t		steps = groups / 80 + 1;

	return (groups + steps - 1) / steps;
}

/* v_sum's tree, in registers. */
V_INLINE float
sum_lanes(Vec v)
{
#if defined(NLP_VEC_AVX512) || defined(NLP_VEC_AVX2)
#if defined(NLP_VEC_AVX512)
	__m256		h = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
#else
	__m256		h = _mm256_add_ps(v.lo, v.hi);
#endif
	__m128		q = _mm_add_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));

	q = _mm_add_ps(q, _mm_movehl_ps(q, q));
	return _mm_cvtss_f32(_mm_add_ss(q, _mm_movehdup_ps(q)));
#else
	return v_sum(v);
#endif
}

/* One term of each kind of sum. */
V_INLINE Vec
term_dot(Vec a, Vec b)
{
	return v_mul(a, b);
}

V_INLINE Vec
term_l2sq(Vec a, Vec b)
{
	Vec			d = v_sub(a, b);

	return v_mul(d, d);
}

V_INLINE Vec
term_l1(Vec a, Vec b)
{
	return v_abs(v_sub(a, b));
}

#define DISTANCE(name, term) \
static float \
name(const float *a, const float *b, size_t n) \
{ \
	Vec			s0 = v_zero(), \
				s1 = v_zero(), \
				s2 = v_zero(), \
				s3 = v_zero(); \
	size_t		i = 0; \
\
	for (; i + 64 <= n; i += 64) \
	{ \
		s0 = v_add(s0, term(v_load(a + i), v_load(b + i))); \
		s1 = v_add(s1, term(v_load(a + i + 16), v_load(b + i + 16))); \
		s2 = v_add(s2, term(v_load(a + i + 32), v_load(b + i + 32))); \
		s3 = v_add(s3, term(v_load(a + i + 48), v_load(b + i + 48))); \
	} \
	if (i + 16 <= n) \
	{ \
		s0 = v_add(s0, term(v_load(a + i), v_load(b + i))); \
		i += 16; \
	} \
	if (i + 16 <= n) \
	{ \
		s1 = v_add(s1, term(v_load(a + i), v_load(b + i))); \
		i += 16; \
	} \
	if (i + 16 <= n) \
	{ \
		s2 = v_add(s2, term(v_load(a + i), v_load(b + i))); \
		i += 16; \
	} \
	if (i < n) \
		s3 = v_add(s3, term(v_load_n(a + i, n - i), v_load_n(b + i, n - i))); \
	return sum_lanes(v_add(v_add(s0, s1), v_add(s2, s3))); \
}

DISTANCE(scan_dot, term_dot)
DISTANCE(scan_l2sq, term_l2sq)
DISTANCE(scan_l1, term_l1)

static void
scan_cosine(const float *a, const float *b, size_t n, float *dot, float *aa, float *bb)
{
	Vec			d0 = v_zero(),
				d1 = v_zero(),
				a0 = v_zero(),
				a1 = v_zero(),
				b0 = v_zero(),
				b1 = v_zero();
	size_t		i = 0;

	for (; i + 32 <= n; i += 32)
	{
		Vec			x = v_load(a + i),
					y = v_load(b + i),
					u = v_load(a + i + 16),
					v = v_load(b + i + 16);

		d0 = v_add(d0, v_mul(x, y));
		a0 = v_add(a0, v_mul(x, x));
		b0 = v_add(b0, v_mul(y, y));
		d1 = v_add(d1, v_mul(u, v));
		a1 = v_add(a1, v_mul(u, u));
		b1 = v_add(b1, v_mul(v, v));
	}
	if (i + 16 <= n)
	{
		Vec			x = v_load(a + i),
					y = v_load(b + i);

		d0 = v_add(d0, v_mul(x, y));
		a0 = v_add(a0, v_mul(x, x));
		b0 = v_add(b0, v_mul(y, y));
		i += 16;
	}
	if (i < n)
	{
		Vec			u = v_load_n(a + i, n - i),
					v = v_load_n(b + i, n - i);

		d1 = v_add(d1, v_mul(u, v));
		a1 = v_add(a1, v_mul(u, u));
		b1 = v_add(b1, v_mul(v, v));
	}
	*dot = sum_lanes(v_add(d0, d1));
	*aa = sum_lanes(v_add(a0, a1));
	*bb = sum_lanes(v_add(b0, b1));
}

#define SCAN_OPS \
	{scan_tiles, scan_slice, scan_reach, scan_dot, scan_l2sq, scan_l1, scan_cosine}
