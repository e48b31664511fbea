/* matmul_avx512.c --- the matrix products with AVX-512 and VNNI.
 *
 * A 64-byte vector is one word (4 k) of the 16 output rows: vpdpbusd takes it as
 * the unsigned operand, and one word of an activation row, broadcast from memory,
 * as the signed one. A block of weights is unpacked once into registers for up to
 * MAX_ROWS activation rows. */
#include "kernel/matmul_impl.h"
#include "engine_only.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define MAX_ROWS 8
/* Bytes asked for before they are read: one row alone waits only for memory. */
#define AHEAD(R) ((R) == 1 ? 8192 : 4096)

NLP_ALWAYS_INLINE __m512
f16_lanes(const uint8_t *p)
{
	return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *) p));
}

NLP_ALWAYS_INLINE __m512i
word(const int8_t *q)
{
	int32_t		v;

	memcpy(&v, q, 4);
	return _mm512_set1_epi32(v);
}

/* Ask for n bytes from p on. */
NLP_ALWAYS_INLINE void
ask(const uint8_t *p, int n)
{
	for (int i = 0; i < n; i += 64)
		_mm_prefetch((const char *) p + i, _MM_HINT_T0);
}

/* Ask for the jth eighth of n bytes from p on, but not before v is known: gcc would
 * put the requests of a whole super-block in one burst, which stalls the loads. */
NLP_ALWAYS_INLINE __m512i
ask_after(__m512i v, const uint8_t *p, int n, int j)
{
	const int	lines = (n / 8 + 63) / 64;

	for (int i = 0; i < lines; i++)
		__asm__ volatile("prefetcht0 %1" : "+v"(v) : "m"(p[64 * (lines * j + i)]));
	return v;
}

/* y = acc (+ bias) (+ residual) for the rows of the tile that exist. */
NLP_ALWAYS_INLINE void
store_row(const NlpMatmulArgs *a, uint64_t tile, int row, __m512 acc)
{
	uint64_t	n0 = tile * NLP_TILE_ROWS;
	uint64_t	left = a->rows - n0;
	__mmask16	mask = left >= 16 ? 0xffff : (__mmask16) ((1u << left) - 1);
	size_t		at = row * a->ldy + n0;

	if (a->bias)
		acc = _mm512_add_ps(acc, _mm512_maskz_loadu_ps(mask, a->bias + n0));
	if (a->residual)
		acc = _mm512_add_ps(acc, _mm512_maskz_loadu_ps(mask, a->residual + at));
	_mm512_mask_storeu_ps(a->y + at, mask, acc);
}

/* The 32-block types. */

/* The fifth bits of word g from their plane, as 16s. */
NLP_ALWAYS_INLINE __m512i
fifth(__m512i hi, int bit)
{
	return bit <= 4 ? _mm512_slli_epi16(hi, 4 - bit) : _mm512_srli_epi16(hi, bit - 4);
}

/* nibble | (bits & 0x10) */
NLP_ALWAYS_INLINE __m512i
with_fifth(__m512i nibble, __m512i bits)
{
	return _mm512_ternarylogic_epi32(nibble, bits, _mm512_set1_epi8(16), 0xf8);
}

NLP_ALWAYS_INLINE void
unpack32(NlpMatmulSlot type, const uint8_t *rec, __m512i *w)
{
	const __m512i low = _mm512_set1_epi8(15);

	if (type == NLP_MM_Q8_0)
	{
#pragma GCC unroll 8
		for (int g = 0; g < 8; g++)
			w[g] = _mm512_loadu_si512(rec + 64 * g);
		return;
	}
#pragma GCC unroll 4
	for (int g = 0; g < 4; g++)
	{
		__m512i		v = _mm512_loadu_si512(rec + 64 * g);

		w[g] = _mm512_and_si512(v, low);
		w[g + 4] = _mm512_and_si512(_mm512_srli_epi16(v, 4), low);
	}
	if (type == NLP_MM_Q5_0 || type == NLP_MM_Q5_1)
	{
		__m512i		hi = _mm512_loadu_si512(rec + NLP_TILE_Q5_HI);

#pragma GCC unroll 8
		for (int g = 0; g < 8; g++)
			w[g] = with_fifth(w[g], fifth(hi, g));
	}
}

/* What the integer sum starts at: the type's offset times the sum of the codes. */
NLP_ALWAYS_INLINE __m512i
start32(NlpMatmulSlot type, const NlpAct32 *x)
{
	switch (type)
	{
		case NLP_MM_Q4_0:
		case NLP_MM_Q5_0:
			return _mm512_set1_epi32(x->n8);
		case NLP_MM_Q8_0:
			return _mm512_set1_epi32(x->n128);
		default:
			return _mm512_setzero_si512();
	}
}

NLP_ALWAYS_INLINE void
rows32(const NlpMatmulArgs *a, uint64_t tile, int row, bool first, NlpMatmulSlot type,
	   int rec_bytes, int at_d, int at_m, const int R)
{
	const uint8_t *rec = a->tiles + tile * a->tile_bytes;
	const uint8_t *x0 = a->act + row * a->act_bytes;
	__m512		acc[MAX_ROWS];

#pragma GCC unroll 8
	for (int i = 0; i < R; i++)
		acc[i] = _mm512_setzero_ps();
	for (uint64_t b = a->cols / 32; b > 0; b--)
	{
		__m512i		w[8];
		__m512i		sum[MAX_ROWS];
		__m512		dw = f16_lanes(rec + at_d);
		__m512		mw = at_m ? f16_lanes(rec + at_m) : dw;

		unpack32(type, rec, w);
		if (first)
			ask(rec + AHEAD(R), rec_bytes);
#pragma GCC unroll 8
		for (int i = 0; i < R; i++)
			sum[i] = start32(type, (const NlpAct32 *) (x0 + i * a->act_bytes));
#pragma GCC unroll 8
		for (int g = 0; g < 8; g++)
		{
#pragma GCC unroll 8
			for (int i = 0; i < R; i++)
				sum[i] = _mm512_dpbusd_epi32(sum[i], w[g], word((const int8_t *) x0 + i * a->act_bytes + 4 * g));
		}
#pragma GCC unroll 8
		for (int i = 0; i < R; i++)
		{
			const NlpAct32 *x = (const NlpAct32 *) (x0 + i * a->act_bytes);

			if (type == NLP_MM_Q5_0)
				sum[i] = _mm512_add_epi32(sum[i], _mm512_set1_epi32(x->n8));
			acc[i] = _mm512_fmadd_ps(_mm512_mul_ps(dw, _mm512_set1_ps(x->d)),
									 _mm512_cvtepi32_ps(sum[i]), acc[i]);
			if (at_m)
				acc[i] = _mm512_fmadd_ps(mw, _mm512_set1_ps(x->ds), acc[i]);
		}
		rec += rec_bytes;
		x0 += sizeof(NlpAct32);
	}
#pragma GCC unroll 8
	for (int i = 0; i < R; i++)
		store_row(a, tile, row + i, acc[i]);
}

#define DEFINE_ROWS(name, R, body) \
static void \
name##_##R(const NlpMatmulArgs *a, uint64_t tile, int row, bool first) \
{ \
	body; \
}

/* A type's functions for 1 .. 8 rows, and its entry. */
#define DEFINE_TYPE(name, call) \
DEFINE_ROWS(name, 1, call(1)) \
DEFINE_ROWS(name, 2, call(2)) \
DEFINE_ROWS(name, 3, call(3)) \
DEFINE_ROWS(name, 4, call(4)) \
DEFINE_ROWS(name, 5, call(5)) \
DEFINE_ROWS(name, 6, call(6)) \
DEFINE_ROWS(name, 7, call(7)) \
DEFINE_ROWS(name, 8, call(8)) \
static void \
name(const NlpMatmulArgs *a) \
{ \
	static const NlpTileRowsFn fns[MAX_ROWS] = {name##_1, name##_2, name##_3, name##_4, \
		name##_5, name##_6, name##_7, name##_8}; \
	nlp_matmul_sweep(a, fns, MAX_ROWS); \
}

#define CALL_Q4_0(R) rows32(a, tile, row, first, NLP_MM_Q4_0, NLP_TILE_Q4_0_BYTES, NLP_TILE_Q4_D, 0, R)
#define CALL_Q4_1(R) rows32(a, tile, row, first, NLP_MM_Q4_1, NLP_TILE_Q4_1_BYTES, NLP_TILE_Q4_D, NLP_TILE_Q4_M, R)
#define CALL_Q5_0(R) rows32(a, tile, row, first, NLP_MM_Q5_0, NLP_TILE_Q5_0_BYTES, NLP_TILE_Q5_D, 0, R)
#define CALL_Q5_1(R) rows32(a, tile, row, first, NLP_MM_Q5_1, NLP_TILE_Q5_1_BYTES, NLP_TILE_Q5_D, NLP_TILE_Q5_M, R)
#define CALL_Q8_0(R) rows32(a, tile, row, first, NLP_MM_Q8_0, NLP_TILE_Q8_0_BYTES, NLP_TILE_Q8_D, 0, R)

DEFINE_TYPE(q4_0, CALL_Q4_0)
DEFINE_TYPE(q4_1, CALL_Q4_1)
DEFINE_TYPE(q5_0, CALL_Q5_0)
DEFINE_TYPE(q5_1, CALL_Q5_1)
DEFINE_TYPE(q8_0, CALL_Q8_0)

/* K-quants. */

/* Scales of a pair of sub-blocks, as 16-bit pairs a lane. */
NLP_ALWAYS_INLINE __m512i
scale_pairs(NlpMatmulSlot type, const uint8_t *p)
{
	__m256i		v = _mm256_loadu_si256((const __m256i *) p);

	return type == NLP_MM_Q6_K ? _mm512_cvtepi8_epi16(v) : _mm512_cvtepu8_epi16(v);
}

/* The first or second of a pair, as 32 bits. */
NLP_ALWAYS_INLINE __m512i
of_pair(__m512i pairs, int which)
{
	return _mm512_srai_epi32(which ? pairs : _mm512_slli_epi32(pairs, 16), 16);
}

/* Words 0..7 of sub-block j (32 weights), one byte each. */
NLP_ALWAYS_INLINE void
unpack256(NlpMatmulSlot type, const uint8_t *rec, int j, __m512i *w)
{
	const __m512i low = _mm512_set1_epi8(15);
	const uint8_t *nib;
	bool		high;

	if (type == NLP_MM_Q6_K)
	{
		nib = rec + NLP_TILE_Q6_NIB + 1024 * (j / 4) + 512 * (j % 2);
		high = j % 4 >= 2;
	}
	else
	{
		nib = rec + NLP_TILE_K_NIB + 512 * (j / 2);
		high = j % 2;
	}
#pragma GCC unroll 8
	for (int g = 0; g < 8; g++)
	{
		__m512i		v = _mm512_loadu_si512(nib + 64 * g);

		w[g] = _mm512_and_si512(high ? _mm512_srli_epi16(v, 4) : v, low);
		if (type == NLP_MM_Q5_K)
			w[g] = with_fifth(w[g], fifth(_mm512_loadu_si512(rec + NLP_TILE_Q5_K_HI + 64 * g), j));
		else if (type == NLP_MM_Q6_K)
		{
			__m512i		hi = _mm512_loadu_si512(rec + NLP_TILE_Q6_HI + 512 * (j / 4) + 64 * g);
			int			bit = 2 * (j % 4);

			hi = bit <= 4 ? _mm512_slli_epi16(hi, 4 - bit) : _mm512_srli_epi16(hi, bit - 4);
			w[g] = _mm512_ternarylogic_epi32(w[g], hi, _mm512_set1_epi8(48), 0xf8);
		}
	}
}

/* Sums of one sub-block of 32 for R rows, times its scale (Q6_K: two scales). */
NLP_ALWAYS_INLINE void
sub_block(const NlpMatmulArgs *a, NlpMatmulSlot type, const uint8_t *rec, const uint8_t *x0, int j,
		  __m512i *sum, const int R)
{
	const int	halves = type == NLP_MM_Q6_K ? 2 : 1;
	__m512i		w[8];
	__m512i		pairs;

	unpack256(type, rec, j, w);
	if (type == NLP_MM_Q6_K)
		pairs = scale_pairs(type, rec + NLP_TILE_Q6_SC + 32 * j);
	else
		pairs = scale_pairs(type, rec + NLP_TILE_K_SC + 32 * (j / 2));
#pragma GCC unroll 2
	for (int h = 0; h < halves; h++)
	{
		const int	words = 8 / halves;
		__m512i		scale = of_pair(pairs, halves == 2 ? h : j % 2);

#pragma GCC unroll 8
		for (int i = 0; i < R; i++)
		{
			const int8_t *q = ((const NlpAct256 *) (x0 + i * a->act_bytes))->q + 32 * j + 16 * h;
			__m512i		dot = _mm512_setzero_si512();

#pragma GCC unroll 8
			for (int g = 0; g < words; g++)
				dot = _mm512_dpbusd_epi32(dot, w[words * h + g], word(q + 4 * g));
			sum[i] = _mm512_add_epi32(sum[i], _mm512_mullo_epi32(dot, scale));
		}
	}
}

/* Sum over the pairs of sub-blocks of scale * sum of codes. */
NLP_ALWAYS_INLINE __m512i
scaled_sums(NlpMatmulSlot type, const uint8_t *sc, const int16_t *s, int pairs)
{
	__m512i		sum = _mm512_setzero_si512();

#pragma GCC unroll 8
	for (int p = 0; p < pairs; p++)
		sum = _mm512_dpwssd_epi32(sum, scale_pairs(type, sc + 32 * p), word((const int8_t *) (s + 2 * p)));
	return sum;
}

NLP_ALWAYS_INLINE void
rows256(const NlpMatmulArgs *a, uint64_t tile, int row, bool first, NlpMatmulSlot type,
		int rec_bytes, const int R)
{
	const uint8_t *rec = a->tiles + tile * a->tile_bytes;
	const uint8_t *x0 = a->act + row * a->act_bytes;
	__m512		acc[MAX_ROWS];

#pragma GCC unroll 8
	for (int i = 0; i < R; i++)
		acc[i] = _mm512_setzero_ps();
	for (uint64_t b = a->cols / 256; b > 0; b--)
	{
		__m512i		sum[MAX_ROWS];
		__m512		d = f16_lanes(rec + NLP_TILE_K_D);

#pragma GCC unroll 8
		for (int i = 0; i < R; i++)
		{
			const NlpAct256 *x = (const NlpAct256 *) (x0 + i * a->act_bytes);

			sum[i] = _mm512_setzero_si512();
			if (type == NLP_MM_Q6_K)
				sum[i] = _mm512_sub_epi32(sum[i], _mm512_slli_epi32(
																	scaled_sums(type, rec + NLP_TILE_Q6_SC, x->s16, 8), 5));
		}
#pragma GCC unroll 8
		for (int j = 0; j < 8; j++)
		{
			if (first)
				sum[0] = ask_after(sum[0], rec + AHEAD(R), rec_bytes, j);
			sub_block(a, type, rec, x0, j, sum, R);
		}
#pragma GCC unroll 8
		for (int i = 0; i < R; i++)
		{
			const NlpAct256 *x = (const NlpAct256 *) (x0 + i * a->act_bytes);
			__m512		dx = _mm512_set1_ps(x->d);

			acc[i] = _mm512_fmadd_ps(_mm512_mul_ps(d, dx), _mm512_cvtepi32_ps(sum[i]), acc[i]);
			if (type != NLP_MM_Q6_K)
			{
				__m512		dmin = f16_lanes(rec + NLP_TILE_K_DMIN);
				__m512i		min = scaled_sums(type, rec + NLP_TILE_K_MN, x->s32, 4);

				acc[i] = _mm512_fnmadd_ps(_mm512_mul_ps(dmin, dx), _mm512_cvtepi32_ps(min), acc[i]);
			}
		}
		rec += rec_bytes;
		x0 += sizeof(NlpAct256);
	}
#pragma GCC unroll 8
	for (int i = 0; i < R; i++)
		store_row(a, tile, row + i, acc[i]);
}

#define CALL_Q4_K(R) rows256(a, tile, row, first, NLP_MM_Q4_K, NLP_TILE_Q4_K_BYTES, R)
#define CALL_Q5_K(R) rows256(a, tile, row, first, NLP_MM_Q5_K, NLP_TILE_Q5_K_BYTES, R)
#define CALL_Q6_K(R) rows256(a, tile, row, first, NLP_MM_Q6_K, NLP_TILE_Q6_K_BYTES, R)

DEFINE_TYPE(q4_k, CALL_Q4_K)
DEFINE_TYPE(q5_k, CALL_Q5_K)
DEFINE_TYPE(q6_k, CALL_Q6_K)

/* Floats: T tiles by R rows of accumulators, so that enough chains are in flight. */

NLP_ALWAYS_INLINE __m512
float_lanes(NlpMatmulSlot type, const uint8_t *tile, uint64_t k)
{
	if (type == NLP_MM_F32)
		return _mm512_loadu_ps(tile + 64 * k);
	if (type == NLP_MM_F16)
		return f16_lanes(tile + 32 * k);
	return _mm512_castsi512_ps(_mm512_slli_epi32(
												 _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *) (tile + 32 * k))), 16));
}

NLP_ALWAYS_INLINE void
rows_float(const NlpMatmulArgs *a, uint64_t tile, int row, bool first, NlpMatmulSlot type, const int T, const int R)
{
	const uint8_t *w0 = a->tiles + tile * a->tile_bytes;
	const uint8_t *x0 = a->act + row * a->act_bytes;
	__m512		acc[8][8];

#pragma GCC unroll 8
	for (int t = 0; t < T; t++)
	{
#pragma GCC unroll 8
		for (int i = 0; i < R; i++)
			acc[t][i] = _mm512_setzero_ps();
	}
	for (uint64_t k = 0; k < a->cols; k++)
	{
		__m512		w[8];

		if (R >= 3 && first && (type == NLP_MM_F32 || k % 2 == 0))
		{
			for (int t = 0; t < T; t++)
				_mm_prefetch((const char *) (w0 + t * a->tile_bytes + AHEAD(R) + k * (type == NLP_MM_F32 ? 64 : 32)), _MM_HINT_T0);
		}

#pragma GCC unroll 8
		for (int t = 0; t < T; t++)
			w[t] = float_lanes(type, w0 + t * a->tile_bytes, k);
#pragma GCC unroll 8
		for (int i = 0; i < R; i++)
		{
			__m512		x = _mm512_set1_ps(((const float *) (x0 + i * a->act_bytes))[k]);

#pragma GCC unroll 8
			for (int t = 0; t < T; t++)
				acc[t][i] = _mm512_fmadd_ps(x, w[t], acc[t][i]);
		}
	}
#pragma GCC unroll 8
	for (int t = 0; t < T; t++)
	{
#pragma GCC unroll 8
		for (int i = 0; i < R; i++)
			store_row(a, tile + t, row + i, acc[t][i]);
	}
}

/* Rows row .. row + r - 1 (r <= 8) by T tiles, T 4 only for r <= 3. */
NLP_ALWAYS_INLINE void
group_float(const NlpMatmulArgs *a, uint64_t tile, int row, int r, bool first, NlpMatmulSlot type, const int T)
{
	switch (r)
	{
		case 1:
			rows_float(a, tile, row, first, type, T, 1);
			break;
		case 2:
			rows_float(a, tile, row, first, type, T, 2);
			break;
		case 3:
			rows_float(a, tile, row, first, type, T, 3);
			break;
		case 4:
			rows_float(a, tile, row, first, type, T & 3, 4);
			break;
		case 5:
			rows_float(a, tile, row, first, type, T & 3, 5);
			break;
		case 6:
			rows_float(a, tile, row, first, type, T & 3, 6);
			break;
		case 7:
			rows_float(a, tile, row, first, type, T & 3, 7);
			break;
		default:
			rows_float(a, tile, row, first, type, T & 3, 8);
			break;
	}
}

/* Rows from .. to - 1 by T tiles. */
NLP_ALWAYS_INLINE void
strip_float(const NlpMatmulArgs *a, uint64_t tile, int from, int to, NlpMatmulSlot type, const int T)
{
	for (int row = from, r; row < to; row += r)
	{
		r = nlp_matmul_group(to - row, 8);
		group_float(a, tile, row, r, row == from, type, T);
	}
}

NLP_ALWAYS_INLINE void
sweep_float(const NlpMatmulArgs *a, NlpMatmulSlot type)
{
	int			chunk = nlp_matmul_row_chunk(a);

	for (int from = 0; from < a->m; from += chunk)
	{
		int			to = from + chunk < a->m ? from + chunk : a->m;
		uint64_t	t = a->tile_from;

		for (; to - from <= 3 && t + 4 <= a->tile_to; t += 4)
			strip_float(a, t, from, to, type, 4);
		for (; t + 2 <= a->tile_to; t += 2)
			strip_float(a, t, from, to, type, 2);
		if (t < a->tile_to)
			strip_float(a, t, from, to, type, 1);
	}
}

static void
f32(const NlpMatmulArgs *a)
{
	sweep_float(a, NLP_MM_F32);
}

static void
f16(const NlpMatmulArgs *a)
{
	sweep_float(a, NLP_MM_F16);
}

static void
bf16(const NlpMatmulArgs *a)
{
	sweep_float(a, NLP_MM_BF16);
}

const NlpMatmulTable nlp_matmul_table_avx512 = {
	.matmul = {
		[NLP_MM_F32] = f32,
		[NLP_MM_F16] = f16,
		[NLP_MM_BF16] = bf16,
		[NLP_MM_Q4_0] = q4_0,
		[NLP_MM_Q4_1] = q4_1,
		[NLP_MM_Q5_0] = q5_0,
		[NLP_MM_Q5_1] = q5_1,
		[NLP_MM_Q8_0] = q8_0,
		[NLP_MM_Q4_K] = q4_k,
		[NLP_MM_Q5_K] = q5_k,
		[NLP_MM_Q6_K] = q6_k,
	},
	.quantize32 = nlp_quantize32_avx2,
	.quantize256 = nlp_quantize256_avx2
};

#endif
