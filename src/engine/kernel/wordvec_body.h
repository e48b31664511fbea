/* wordvec_body.h --- the kernels of wordvec.h over a register of the level.
 *
 * A Vec of vec.h is 16 lanes; a Reg is one machine register of it (16, 8, 4 lanes, or one
 * float in plain C), and a row is so many Regs. Products: each of the 16 lanes is one fma
 * chain over the width, then the tree of v_sum (l and l + 8, l + 4, l + 2, l + 1), done
 * for up to 16 products at once by transposing while adding. Updates run over the
 * width: one fma chain for every element, ascending in the rows summed over. */
#include "kernel/vec.h"
#include "kernel/wordvec_ops.h"

/* ---- registers ---------------------------------------------------------- */
#if defined(NLP_VEC_AVX512)

typedef __m512 Reg;
#define REG_LANES 16
#define DOT_M 4					/* tile of products: DOT_M * DOT_N accumulators */
#define DOT_N 6
#define OUT_M 6					/* tile of an update: OUT_M rows of OUT_C registers */
#define OUT_C 4
V_INLINE Reg r_zero(void) { return _mm512_setzero_ps(); }
V_INLINE Reg r_set(float x) { return _mm512_set1_ps(x); }
V_INLINE Reg r_load(const float *p) { return _mm512_loadu_ps(p); }
V_INLINE void r_store(float *p, Reg a) { _mm512_storeu_ps(p, a); }
V_INLINE Reg r_add(Reg a, Reg b) { return _mm512_add_ps(a, b); }
V_INLINE Reg r_mul(Reg a, Reg b) { return _mm512_mul_ps(a, b); }
V_INLINE Reg r_fma(Reg a, Reg b, Reg c) { return _mm512_fmadd_ps(a, b, c); }

#elif defined(NLP_VEC_AVX2)

typedef __m256 Reg;
#define REG_LANES 8
#define DOT_M 2
#define DOT_N 6
#define OUT_M 3
#define OUT_C 4
V_INLINE Reg r_zero(void) { return _mm256_setzero_ps(); }
V_INLINE Reg r_set(float x) { return _mm256_set1_ps(x); }
V_INLINE Reg r_load(const float *p) { return _mm256_loadu_ps(p); }
V_INLINE void r_store(float *p, Reg a) { _mm256_storeu_ps(p, a); }
V_INLINE Reg r_add(Reg a, Reg b) { return _mm256_add_ps(a, b); }
V_INLINE Reg r_mul(Reg a, Reg b) { return _mm256_mul_ps(a, b); }
V_INLINE Reg r_fma(Reg a, Reg b, Reg c) { return _mm256_fmadd_ps(a, b, c); }

#elif defined(NLP_VEC_NEON)

typedef float32x4_t Reg;
#define REG_LANES 4
#define DOT_M 4
#define DOT_N 6
#define OUT_M 6
#define OUT_C 4
V_INLINE Reg r_zero(void) { return vdupq_n_f32(0); }
V_INLINE Reg r_set(float x) { return vdupq_n_f32(x); }
V_INLINE Reg r_load(const float *p) { return vld1q_f32(p); }
V_INLINE void r_store(float *p, Reg a) { vst1q_f32(p, a); }
V_INLINE Reg r_add(Reg a, Reg b) { return vaddq_f32(a, b); }
V_INLINE Reg r_mul(Reg a, Reg b) { return vmulq_f32(a, b); }
V_INLINE Reg r_fma(Reg a, Reg b, Reg c) { return vfmaq_f32(c, a, b); }

#else

typedef float Reg;
#define REG_LANES 1
#define DOT_M 1
#define DOT_N 1
#define OUT_M 1
#define OUT_C 1
V_INLINE Reg r_zero(void) { return 0; }
V_INLINE Reg r_set(float x) { return x; }
V_INLINE Reg r_load(const float *p) { return *p; }
V_INLINE void r_store(float *p, Reg a) { *p = a; }
V_INLINE Reg r_add(Reg a, Reg b) { return a + b; }
V_INLINE Reg r_mul(Reg a, Reg b) { return a * b; }
V_INLINE Reg r_fma(Reg a, Reg b, Reg c) { return fmaf(a, b, c); }

#endif

#define REGS (V_LANES / REG_LANES)	/* of one Vec */

/* ---- the tree, for several products at once -------------------------------
 * sums(p, n, out): p[r][j] is register r of product j's 16 lanes; out[j], j < n <= 16. */
#if defined(NLP_VEC_AVX512)

/* Lower place bits of a lane belong to later steps. Each joins two vectors: what one
 * gives up to be added, the other's place takes. (Compressing stores take 100 cycles on Zen 4:
 * the register is compressed first.) */
#define STEP(name, mask, swap) \
	V_INLINE Reg name(Reg a, Reg b) \
	{ \
		Reg			u = _mm512_mask_blend_ps(mask, a, b); \
		Reg			w = _mm512_mask_blend_ps(mask, b, a); \
		return _mm512_add_ps(u, swap); \
	}
STEP(join8, 0xff00, _mm512_shuffle_f32x4(w, w, 0x4e))
STEP(join4, 0xf0f0, _mm512_shuffle_f32x4(w, w, 0xb1))
STEP(join2, 0xcccc, _mm512_permute_ps(w, 0x4e))
STEP(join1, 0xaaaa, _mm512_permute_ps(w, 0xb1))
#undef STEP

V_INLINE void
sums(Reg p[REGS][DOT_M * DOT_N], int from, int n, float *out)
{
	Reg		   *v = p[0] + from;
	Reg			t[8];

	if (n > 8)
	{
		for (int j = 0; j < 8; j++)
			t[j] = join8(v[j], j + 8 < n ? v[j + 8] : v[j]);
		for (int j = 0; j < 4; j++)
			t[j] = join4(t[j], t[j + 4]);
		for (int j = 0; j < 2; j++)
			t[j] = join2(t[j], t[j + 2]);
		_mm512_mask_storeu_ps(out, (__mmask16) ((1u << n) - 1), join1(t[0], t[1]));
	}
	else if (n > 4)
	{
		for (int j = 0; j < 4; j++)
			t[j] = join8(v[j], j + 4 < n ? v[j + 4] : v[j]);
		for (int j = 0; j < 2; j++)
			t[j] = join4(t[j], t[j + 2]);
		t[0] = join2(t[0], t[1]);
		t[0] = join1(t[0], t[0]);
		_mm512_mask_storeu_ps(out, (__mmask16) ((1u << n) - 1), _mm512_maskz_compress_ps(0x5555, t[0]));
	}
	else
	{
		for (int j = 0; j < 2; j++)
			t[j] = join8(v[j < n ? j : 0], v[j + 2 < n ? j + 2 : 0]);
		t[0] = join4(t[0], t[1]);
		t[0] = join2(t[0], t[0]);
		t[0] = join1(t[0], t[0]);
		_mm512_mask_storeu_ps(out, (__mmask16) ((1u << n) - 1), _mm512_maskz_compress_ps(0x1111, t[0]));
	}
}

#elif defined(NLP_VEC_AVX2)

#define STEP(name, mask, swap) \
	V_INLINE Reg name(Reg a, Reg b) \
	{ \
		Reg			u = _mm256_blend_ps(a, b, mask); \
		Reg			w = _mm256_blend_ps(b, a, mask); \
		return _mm256_add_ps(u, swap); \
	}
STEP(join4, 0xf0, _mm256_permute2f128_ps(w, w, 1))
STEP(join2, 0xcc, _mm256_permute_ps(w, 0x4e))
STEP(join1, 0xaa, _mm256_permute_ps(w, 0xb1))
#undef STEP

V_INLINE void
sums(Reg p[REGS][DOT_M * DOT_N], int from, int n, float *out)
{
	for (int first = 0; first < n; first += 8)
	{
		int			count = n - first < 8 ? n - first : 8;
		Reg			v[8],
					t[4];

		for (int j = 0; j < 8; j++)
		{
			int			at = from + first + (j < count ? j : 0);

			v[j] = _mm256_add_ps(p[0][at], p[1][at]);
		}
		for (int j = 0; j < 4; j++)
			t[j] = join4(v[j], v[j + 4]);
		t[0] = join2(t[0], t[2]);
		t[1] = join2(t[1], t[3]);
		t[0] = join1(t[0], t[1]);
		if (count == 8)
			_mm256_storeu_ps(out + first, t[0]);
		else
			_mm256_maskstore_ps(out + first, v_lane_below(count), t[0]);
	}
}

#elif defined(NLP_VEC_NEON)

V_INLINE void
sums(Reg p[REGS][DOT_M * DOT_N], int from, int n, float *out)
{
	for (int j = 0; j < n; j++)
	{
		Reg			a = vaddq_f32(vaddq_f32(p[0][from + j], p[2][from + j]), vaddq_f32(p[1][from + j], p[3][from + j]));
		float32x2_t b = vadd_f32(vget_low_f32(a), vget_high_f32(a));

		out[j] = vget_lane_f32(b, 0) + vget_lane_f32(b, 1);
	}
}

#else

V_INLINE void
sums(Reg p[REGS][DOT_M * DOT_N], int from, int n, float *out)
{
	for (int j = 0; j < n; j++)
	{
		float		t[V_LANES];

		for (int l = 0; l < V_LANES; l++)
			t[l] = p[l][from + j];
		for (int half = V_LANES / 2; half > 0; half /= 2)
			for (int l = 0; l < half; l++)
				t[l] = t[l] + t[l + half];
		out[j] = t[0];
	}
}

#endif

/* ---- products ------------------------------------------------------------- */

/* m by n products, m <= DOT_M and n <= DOT_N being constants of the call; out [m * n]. */
V_INLINE void
dot_tile(float *const *x, const int m, float *const *y, const int n, size_t width, float *out)
{
	Reg			p[REGS][DOT_M * DOT_N];

#pragma GCC unroll 16
	for (int r = 0; r < REGS; r++)
	{
		Reg			acc[DOT_M * DOT_N];

#pragma GCC unroll 24
		for (int j = 0; j < m * n; j++)
			acc[j] = r_zero();
#pragma GCC unroll 1
		for (size_t c = (size_t) r * REG_LANES; c < width; c += V_LANES)
		{
			Reg			b[DOT_N];

#pragma GCC unroll 6
			for (int k = 0; k < n; k++)
				b[k] = r_load(y[k] + c);
#pragma GCC unroll 4
			for (int i = 0; i < m; i++)
			{
				Reg			a = r_load(x[i] + c);

#pragma GCC unroll 6
				for (int k = 0; k < n; k++)
					acc[i * n + k] = r_fma(a, b[k], acc[i * n + k]);
			}
		}
#pragma GCC unroll 24
		for (int j = 0; j < m * n; j++)
			p[r][j] = acc[j];
	}
#pragma GCC unroll 2
	for (int j = 0; j < m * n; j += 16)
		sums(p, j, m * n - j < 16 ? m * n - j : 16, out + j);
}

#define DOT_ROW(m) \
	static __attribute__((noinline)) void \
	dots_##m(float *const *x, float *const *y, int n, size_t width, float *out) \
	{ \
		switch (n) \
		{ \
			case 1: dot_tile(x, m, y, 1, width, out); break; \
			case 2: if (DOT_N >= 2) dot_tile(x, m, y, DOT_N < 2 ? DOT_N : 2, width, out); break; \
			case 3: if (DOT_N >= 3) dot_tile(x, m, y, DOT_N < 3 ? DOT_N : 3, width, out); break; \
			case 4: if (DOT_N >= 4) dot_tile(x, m, y, DOT_N < 4 ? DOT_N : 4, width, out); break; \
			case 5: if (DOT_N >= 5) dot_tile(x, m, y, DOT_N < 5 ? DOT_N : 5, width, out); break; \
			case 6: if (DOT_N >= 6) dot_tile(x, m, y, DOT_N < 6 ? DOT_N : 6, width, out); break; \
		} \
	}
DOT_ROW(1)
#if DOT_M >= 2
DOT_ROW(2)
#endif
#if DOT_M >= 4
DOT_ROW(3)
DOT_ROW(4)
#endif

V_INLINE void
dot_rows(float *const *x, int m, float *const *y, int n, size_t width, float *out)
{
	switch (m)
	{
		case 1: dots_1(x, y, n, width, out); break;
#if DOT_M >= 2
		case 2: dots_2(x, y, n, width, out); break;
#endif
#if DOT_M >= 4
		case 3: dots_3(x, y, n, width, out); break;
		case 4: dots_4(x, y, n, width, out); break;
#endif
	}
}

static void
dots(float *const *x, int m, float *const *y, int n, size_t width, float *g)
{
	for (int k = 0; k < n; k += DOT_N)
	{
		int			nk = n - k < DOT_N ? n - k : DOT_N;

		for (int i = 0; i < m; i += DOT_M)
		{
			int			mi = m - i < DOT_M ? m - i : DOT_M;
			float		tile[DOT_M * DOT_N + V_LANES];

			if (nk == n || m == 1)
			{
				dot_rows(x + i, mi, y + k, nk, width, g + i * n + k);
				continue;
			}
			dot_rows(x + i, mi, y + k, nk, width, tile);
			for (int a = 0; a < mi; a++)
				for (int b = 0; b < nk; b++)
					g[(i + a) * n + k + b] = tile[a * nk + b];
		}
	}
}

/* ---- sigmoid -------------------------------------------------------------- */

/* 1 / (1 + e^-x); NaN gives that of -30. */
V_FUNCTION Vec
v_sigmoid(Vec x)
{
	Vec			c = v_min(v_max(x, v_set(-30.0f)), v_set(30.0f));

	return v_div(v_set(1.0f), v_add(v_set(1.0f), v_exp(v_sub(v_zero(), c))));
}

static int
sigmoid(float *f, size_t n, float rate)
{
	Vec			r = v_set(-rate);
	Vec			large = v_set(NLP_WORD_LARGE);
	unsigned	small = 0xffff;

	for (size_t i = 0; i < n; i += V_LANES)
	{
		Vec			x = v_load(f + i);

		v_store(f + i, v_mul(r, v_sigmoid(x)));
		small &= v_bits(v_lt(v_abs(x), large)) | (n - i < V_LANES ? 0xffffu << (n - i) : 0);
	}
	return (small & 0xffff) != 0xffff;
}

/* ---- updates -------------------------------------------------------------- */

/* rows o < m of out (+)= sum over i < n of g[o * so + i * si] in_i, columns c.. of cols registers.
 * add: onto what is there, last; else written. m and cols are constants of the call. */
V_INLINE void
out_tile(float *const *out, const int m, float *const *in, int n, const float *g, int so, int si,
		 size_t c, const int cols, const int add)
{
	Reg			acc[OUT_M * OUT_C];

#pragma GCC unroll 24
	for (int j = 0; j < m * cols; j++)
		acc[j] = r_zero();
#pragma GCC unroll 1
	for (int i = 0; i < n; i++)
	{
		Reg			a[OUT_M];
		const float *row = in[i] + c;

#pragma GCC unroll 6
		for (int o = 0; o < m; o++)
			a[o] = r_set(g[o * so + i * si]);
#pragma GCC unroll 4
		for (int j = 0; j < cols; j++)
		{
			Reg			b = r_load(row + j * REG_LANES);

#pragma GCC unroll 6
			for (int o = 0; o < m; o++)
				acc[o * cols + j] = r_fma(a[o], b, acc[o * cols + j]);
		}
	}
#pragma GCC unroll 6
	for (int o = 0; o < m; o++)
	{
		float	   *row = out[o] + c;

#pragma GCC unroll 4
		for (int j = 0; j < cols; j++)
			r_store(row + j * REG_LANES, add ? r_add(r_load(row + j * REG_LANES), acc[o * cols + j]) : acc[o * cols + j]);
	}
}

V_INLINE void
out_rows(float *const *out, const int m, float *const *in, int n, const float *g, int so, int si,
		 size_t width, const int add)
{
	size_t		c = 0;

	for (; c + OUT_C * REG_LANES <= width; c += OUT_C * REG_LANES)
		out_tile(out, m, in, n, g, so, si, c, OUT_C, add);
	switch ((width - c) / REG_LANES)
	{
		case 1: out_tile(out, m, in, n, g, so, si, c, 1, add); break;
		case 2: out_tile(out, m, in, n, g, so, si, c, OUT_C > 2 ? 2 : 1, add); break;
		case 3: out_tile(out, m, in, n, g, so, si, c, OUT_C > 3 ? 3 : 1, add); break;
	}
}

#define OUT_FN(name, m, add) \
	static __attribute__((noinline)) void \
	name(float *const *out, float *const *in, int n, const float *g, int so, int si, size_t width) \
	{ \
		out_rows(out, m, in, n, g, so, si, width, add); \
	}
OUT_FN(write_1, 1, 0)
OUT_FN(add_1, 1, 1)
#if OUT_M >= 3
OUT_FN(write_2, 2, 0)
OUT_FN(write_3, 3, 0)
OUT_FN(add_2, 2, 1)
OUT_FN(add_3, 3, 1)
#endif
#if OUT_M >= 6
OUT_FN(write_4, 4, 0)
OUT_FN(write_5, 5, 0)
OUT_FN(write_6, 6, 0)
OUT_FN(add_4, 4, 1)
OUT_FN(add_5, 5, 1)
OUT_FN(add_6, 6, 1)
#endif

typedef void (*OutFn) (float *const *out, float *const *in, int n, const float *g, int so, int si, size_t width);

static const OutFn write_fn[] = {
	NULL, write_1,
#if OUT_M >= 3
	write_2, write_3,
#endif
#if OUT_M >= 6
	write_4, write_5, write_6,
#endif
};
static const OutFn add_fn[] = {
	NULL, add_1,
#if OUT_M >= 3
	add_2, add_3,
#endif
#if OUT_M >= 6
	add_4, add_5, add_6,
#endif
};

V_INLINE void
product(const OutFn *fn, float *const *out, int m, float *const *in, int n, const float *g, int so, int si,
		size_t width)
{
	for (int o = 0; o < m;)
	{
		int			left = m - o;
		int			now = left <= OUT_M ? left : left < 2 * OUT_M ? (left + 1) / 2 : OUT_M;

		fn[now] (out + o, in, n, g + o * so, so, si, width);
		o += now;
	}
}

/* The line of column c of each row to come. */
V_INLINE void
fetch_lines(float *const *fetch, int n, size_t c)
{
	for (int i = 0; i < n; i++)
		__builtin_prefetch(fetch[i] + c, 1, 3);
}

#if defined(NLP_VEC_AVX512)

/* A column of 16, rows of x and nk <= 6 of y in registers, their numbers constants of the call:
 * dx, which carries over the tiles of y, and the change of y. Both while the values are at hand when y
 * is one tile; else all of dx first, as a row may be in two tiles. */
V_INLINE void
column_tile(const Reg *x, const int m, float *const *y, const int nk, int n, const float *g, size_t c, Reg *dx,
			const int want_dx, const int want_dy)
{
	Reg			old[6],
				dy[6];

#pragma GCC unroll 6
	for (int k = 0; k < nk; k++)
	{
		old[k] = r_load(y[k] + c);
		dy[k] = r_zero();
	}
#pragma GCC unroll 8
	for (int i = 0; i < m; i++)
	{
#pragma GCC unroll 6
		for (int k = 0; k < nk; k++)
		{
			Reg			a = r_set(g[i * n + k]);

			if (want_dx)
				dx[i] = r_fma(a, old[k], dx[i]);
			if (want_dy)
				dy[k] = r_fma(a, x[i], dy[k]);
		}
	}
#pragma GCC unroll 6
	for (int k = 0; want_dy && k < nk; k++)
		r_store(y[k] + c, r_add(r_load(y[k] + c), dy[k]));
}

V_INLINE void
column_tiles(const Reg *x, const int m, float *const *y, int n, const float *g, size_t c, Reg *dx, const int want_dx,
			 const int want_dy)
{
	int			k = 0;

	for (; k + 6 <= n; k += 6)
		column_tile(x, m, y + k, 6, n, g + k, c, dx, want_dx, want_dy);
	for (; k + 2 <= n; k += 2)
		column_tile(x, m, y + k, 2, n, g + k, c, dx, want_dx, want_dy);
	for (; k < n; k++)
		column_tile(x, m, y + k, 1, n, g + k, c, dx, want_dx, want_dy);
}

V_INLINE void
both_columns(float *const *rows, const int m, float *const *y, int n, const float *g, size_t width,
			 float *const *fetch, int n_fetch)
{
	for (size_t c = 0; c < width; c += V_LANES)
	{
		Reg			x[8],
					dx[8];

		fetch_lines(fetch, n_fetch, c);
#pragma GCC unroll 8
		for (int i = 0; i < m; i++)
		{
			x[i] = r_load(rows[i] + c);
			dx[i] = r_zero();
		}
		if (n == 6)
			column_tile(x, m, y, 6, 6, g, c, dx, 1, 1);
		else
		{
			column_tiles(x, m, y, n, g, c, dx, 1, 0);
			column_tiles(x, m, y, n, g, c, dx, 0, 1);
		}
#pragma GCC unroll 8
		for (int i = 0; i < m; i++)
			r_store(rows[i] + c, r_add(r_load(rows[i] + c), dx[i]));
	}
}

static void
update(float *const *x, int m, float *const *y, int n, const float *g, size_t width, float *work,
	   float *const *fetch, int n_fetch)
{
	switch (m)
	{
		case 1: both_columns(x, 1, y, n, g, width, fetch, n_fetch); break;
		case 2: both_columns(x, 2, y, n, g, width, fetch, n_fetch); break;
		case 3: both_columns(x, 3, y, n, g, width, fetch, n_fetch); break;
		case 4: both_columns(x, 4, y, n, g, width, fetch, n_fetch); break;
		case 5: both_columns(x, 5, y, n, g, width, fetch, n_fetch); break;
		case 6: both_columns(x, 6, y, n, g, width, fetch, n_fetch); break;
		case 7: both_columns(x, 7, y, n, g, width, fetch, n_fetch); break;
		case 8: both_columns(x, 8, y, n, g, width, fetch, n_fetch); break;
	}
}

#else

static void
update(float *const *x, int m, float *const *y, int n, const float *g, size_t width, float *work,
	   float *const *fetch, int n_fetch)
{
	float	   *change[NLP_WORD_INPUTS];

	for (int i = 0; i < m; i++)
		change[i] = work + (size_t) i * width;
	product(write_fn, change, m, y, n, g, n, 1, width);
	product(add_fn, y, n, x, m, g, 1, n, width);
	for (size_t c = 0; c < width; c += V_LANES)
	{
		fetch_lines(fetch, n_fetch, c);
		for (int i = 0; i < m; i++)
			v_store(x[i] + c, v_add(v_load(x[i] + c), v_load(change[i] + c)));
	}
}

#endif

/* ---- a hidden layer -------------------------------------------------------- */

/* Columns c.. of the mean, cols registers. */
V_INLINE void
mean_tile(float *const *x, size_t n, float scale, size_t c, const int cols, float *out)
{
	Reg			acc[8];

#pragma GCC unroll 8
	for (int j = 0; j < cols; j++)
		acc[j] = r_zero();
	for (size_t i = 0; i < n; i++)
	{
#pragma GCC unroll 8
		for (int j = 0; j < cols; j++)
			acc[j] = r_add(acc[j], r_load(x[i] + c + j * REG_LANES));
	}
#pragma GCC unroll 8
	for (int j = 0; j < cols; j++)
		r_store(out + c + j * REG_LANES, r_mul(acc[j], r_set(scale)));
}

static void
mean(float *const *x, size_t n, float scale, size_t width, float *out)
{
	size_t		c = 0;

	for (; c + 8 * REG_LANES <= width; c += 8 * REG_LANES)
		mean_tile(x, n, scale, c, 8, out);
	for (; c + 4 * REG_LANES <= width; c += 4 * REG_LANES)
		mean_tile(x, n, scale, c, 4, out);
	for (; c + 2 * REG_LANES <= width; c += 2 * REG_LANES)
		mean_tile(x, n, scale, c, 2, out);
	for (; c < width; c += REG_LANES)
		mean_tile(x, n, scale, c, 1, out);
}

static void
spread(float *const *x, size_t n, float scale, const float *e, size_t width)
{
	Reg			s = r_set(scale);

	for (size_t i = 0; i < n; i++)
		for (size_t c = 0; c < width; c += REG_LANES)
			r_store(x[i] + c, r_fma(s, r_load(e + c), r_load(x[i] + c)));
}

static void
hidden(const float *h, float *const *y, int n, const float *g, size_t width, float *out,
	   float *const *fetch, int n_fetch)
{
	product(write_fn, &out, 1, y, n, g, n, 1, width);
	for (size_t c = 0; c < width; c += V_LANES)
	{
		Vec			v = v_load(h + c);

		fetch_lines(fetch, n_fetch, c);
		for (int k = 0; k < n; k++)
			v_store(y[k] + c, v_fma(v_set(g[k]), v, v_load(y[k] + c)));
	}
}

/* ---- one pair at a time ---------------------------------------------------- */

static float
pair(const float *x, float *y, float *e, size_t width, float target, float rate, int skip)
{
	Vec			acc = v_zero();
	float		f,
				s[V_LANES],
				g;

	for (size_t c = 0; c < width; c += V_LANES)
		acc = v_fma(v_load(x + c), v_load(y + c), acc);
	f = v_sum(acc);
	if (!(f < 6.0f && f > -6.0f) && skip)
		return f;
	if (f >= 6.0f)
		s[0] = 1;
	else if (!(f > -6.0f))
		s[0] = 0;
	else
		v_store(s, v_sigmoid(v_set(f)));
	g = (target - s[0]) * rate;
	for (size_t c = 0; c < width; c += V_LANES)
	{
		Vec			old = v_load(y + c);

		v_store(e + c, v_fma(v_set(g), old, v_load(e + c)));
		v_store(y + c, v_fma(v_set(g), v_load(x + c), old));
	}
	return f;
}

/* ---- softmax ---------------------------------------------------------------- */

static float
softmax(float *f, size_t n, size_t target, float rate)
{
	Vec			top = v_set(-INFINITY);
	Vec			sum = v_zero();
	float		max,
				p,
				scale;
	size_t		i = 0;

	for (; i + V_LANES <= n; i += V_LANES)
		top = v_max(v_load(f + i), top);
	max = v_max_lane(top);
	for (; i < n; i++)
		max = f[i] > max ? f[i] : max;
	if (!(max > -3e38f))
		max = 0;				/* nothing but NaN or -inf: all values count as equal, below */
	for (i = 0; i < n; i += V_LANES)
	{
		size_t		now = n - i < V_LANES ? n - i : V_LANES;
		Vec			v = v_max(v_sub(v_load_n(f + i, now), v_set(max)), v_set(-80.0f));
		Vec			e = v_keep(v_mask_below((int) now), v_exp(v_min(v, v_zero())));

		v_store_n(f + i, e, now);
		sum = v_add(sum, e);
	}
	scale = 1.0f / v_sum(sum);
	p = f[target] * scale;
	for (i = 0; i < n; i += V_LANES)
	{
		size_t		now = n - i < V_LANES ? n - i : V_LANES;

		v_store_n(f + i, v_mul(v_load_n(f + i, now), v_set(-rate * scale)), now);
	}
	f[target] += rate;
	return p;
}

static float
largest(const float *x, size_t n)
{
	Vec			top = v_zero();
	Vec			bad = v_zero();
	float		t;

	for (size_t i = 0; i < n; i += V_LANES)
	{
		Vec			v = v_load_n(x + i, n - i < V_LANES ? n - i : V_LANES);

		top = v_max(v_abs(v), top);
		bad = v_add(bad, v_sub(v, v));	/* NaN for NaN and infinity, else 0 */
	}
	t = v_max_lane(top);
	return v_sum(bad) == 0 ? t : INFINITY;
}

const NlpWordKernel W_KERNEL = {
	.dots = dots,
	.sigmoid = sigmoid,
	.update = update,
	.mean = mean,
	.spread = spread,
	.hidden = hidden,
	.pair = pair,
	.softmax = softmax,
	.largest = largest,
};
