/* matmul_neon.c --- the matrix products on aarch64 with the dot product extension.
 *
 * A 16-byte vector is one word (4 k) of 4 output rows, a quarter of a tile; sdot
 * by lane takes it against one word of an activation row. Weights are at most 6
 * bits, so signed bytes hold them, and Q8_0's codes lose their +128 on the way in. */
#include "kernel/matmul_impl.h"
#include "engine_only.h"

#if defined(__aarch64__)
#include <arm_neon.h>

#define MAX_ROWS 4
/* Bytes asked for before they are read: one row alone waits only for memory. */
#define AHEAD(R) ((R) == 1 ? 8192 : 4096)

typedef int32x4_t Sums[4][MAX_ROWS];	/* [quarter][row] */
typedef float32x4_t Chains[4][MAX_ROWS];

NLP_ALWAYS_INLINE float32x4_t
f16_lanes(const uint8_t *p)
{
	return vcvt_f32_f16(vreinterpret_f16_u8(vld1_u8(p)));
}

NLP_ALWAYS_INLINE void
ask(const uint8_t *p, int n)
{
	for (int i = 0; i < n; i += 64)
		__builtin_prefetch(p + i);
}

/* y = acc (+ bias) (+ residual) for the rows of the quarter tile that exist. */
NLP_ALWAYS_INLINE void
store_quarter(const NlpMatmulArgs *a, uint64_t tile, int quarter, int row, float32x4_t acc)
{
	uint64_t	n0 = tile * NLP_TILE_ROWS + 4 * quarter;
	size_t		at = row * a->ldy + n0;
	float		v[4];

	if (n0 + 4 <= a->rows)
	{
		if (a->bias)
			acc = vaddq_f32(acc, vld1q_f32(a->bias + n0));
		if (a->residual)
			acc = vaddq_f32(acc, vld1q_f32(a->residual + at));
		vst1q_f32(a->y + at, acc);
		return;
	}
	vst1q_f32(v, acc);
	for (uint64_t r = 0; n0 + r < a->rows; r++)
	{
		if (a->bias)
			v[r] += a->bias[n0 + r];
		if (a->residual)
			v[r] += a->residual[at + r];
		a->y[at + r] = v[r];
	}
}

/* sum += word g (0..3 of the 16 codes in x) times weights w. */
NLP_ALWAYS_INLINE int32x4_t
dot_word(int32x4_t sum, int8x16_t w, int8x16_t x, int g)
{
	switch (g)
	{
		case 0:
			return vdotq_laneq_s32(sum, w, x, 0);
		case 1:
			return vdotq_laneq_s32(sum, w, x, 1);
		case 2:
			return vdotq_laneq_s32(sum, w, x, 2);
		default:
			return vdotq_laneq_s32(sum, w, x, 3);
	}
}

/* nibble | bits of hi from position bit, moved to position 4 and kept by mask. */
NLP_ALWAYS_INLINE uint8x16_t
with_bits(uint8x16_t nibble, uint8x16_t hi, int bit, int mask)
{
	uint8x16_t	moved = vshlq_u8(hi, vdupq_n_s8((int8_t) (4 - bit)));

	return vorrq_u8(nibble, vandq_u8(moved, vdupq_n_u8((uint8_t) mask)));
}

NLP_ALWAYS_INLINE uint8x16_t
nibble(uint8x16_t v, bool high)
{
	return high ? vshrq_n_u8(v, 4) : vandq_u8(v, vdupq_n_u8(15));
}

/* Word g of a 32-block; p is the record plus 16 * quarter. */
NLP_ALWAYS_INLINE int8x16_t
weights32(NlpMatmulSlot type, const uint8_t *p, int g)
{
	uint8x16_t	v;

	if (type == NLP_MM_Q8_0)
		return vreinterpretq_s8_u8(veorq_u8(vld1q_u8(p + 64 * g), vdupq_n_u8(0x80)));
	v = nibble(vld1q_u8(p + 64 * (g % 4)), g >= 4);
	if (type == NLP_MM_Q5_0 || type == NLP_MM_Q5_1)
		v = with_bits(v, vld1q_u8(p + NLP_TILE_Q5_HI), g, 16);
	return vreinterpretq_s8_u8(v);
}

/* Word g of sub-block j of a K-quant. */
NLP_ALWAYS_INLINE int8x16_t
weights256(NlpMatmulSlot type, const uint8_t *p, int j, int g)
{
	uint8x16_t	v;

	if (type == NLP_MM_Q6_K)
	{
		v = nibble(vld1q_u8(p + NLP_TILE_Q6_NIB + 1024 * (j / 4) + 512 * (j % 2) + 64 * g), j % 4 >= 2);
		v = with_bits(v, vld1q_u8(p + NLP_TILE_Q6_HI + 512 * (j / 4) + 64 * g), 2 * (j % 4), 48);
		return vreinterpretq_s8_u8(v);
	}
	v = nibble(vld1q_u8(p + NLP_TILE_K_NIB + 512 * (j / 2) + 64 * g), j % 2);
	if (type == NLP_MM_Q5_K)
		v = with_bits(v, vld1q_u8(p + NLP_TILE_Q5_K_HI + 64 * g), j, 16);
	return vreinterpretq_s8_u8(v);
}

NLP_ALWAYS_INLINE void
clear(Chains acc, const int Q, const int R)
{
	for (int q = 0; q < Q; q++)
	{
		for (int i = 0; i < R; i++)
			acc[q][i] = vdupq_n_f32(0.0f);
	}
}

NLP_ALWAYS_INLINE void
store(const NlpMatmulArgs *a, uint64_t tile, int quarter, int row, Chains acc, const int Q, const int R)
{
	for (int q = 0; q < Q; q++)
	{
		for (int i = 0; i < R; i++)
			store_quarter(a, tile, quarter + q, row + i, acc[q][i]);
	}
}

/* Quarters quarter .. quarter + Q - 1 by R rows, over all blocks. */
NLP_ALWAYS_INLINE void
quarters32(const NlpMatmulArgs *a, uint64_t tile, int quarter, int row, bool first, NlpMatmulSlot type,
		   int rec_bytes, int at_d, int at_m, const int Q, const int R)
{
	const uint8_t *rec = a->tiles + tile * a->tile_bytes;
	const uint8_t *x0 = a->act + row * a->act_bytes;
	Chains		acc;

	clear(acc, Q, R);
	for (uint64_t b = a->cols / 32; b > 0; b--)
	{
		Sums		sum;
		int8x16_t	codes[MAX_ROWS][2];

		if (first)
			ask(rec + AHEAD(R), rec_bytes);
		for (int i = 0; i < R; i++)
		{
			const NlpAct32 *x = (const NlpAct32 *) (x0 + i * a->act_bytes);
			int32_t		start = type == NLP_MM_Q4_0 ? x->n8 : type == NLP_MM_Q5_0 ? 2 * x->n8 : 0;

			codes[i][0] = vld1q_s8(x->q);
			codes[i][1] = vld1q_s8(x->q + 16);
			for (int q = 0; q < Q; q++)
				sum[q][i] = vdupq_n_s32(start);
		}
#pragma GCC unroll 8
		for (int g = 0; g < 8; g++)
		{
#pragma GCC unroll 4
			for (int q = 0; q < Q; q++)
			{
				int8x16_t	w = weights32(type, rec + 16 * (quarter + q), g);

#pragma GCC unroll 4
				for (int i = 0; i < R; i++)
					sum[q][i] = dot_word(sum[q][i], w, codes[i][g / 4], g % 4);
			}
		}
#pragma GCC unroll 4
		for (int q = 0; q < Q; q++)
		{
			float32x4_t dw = f16_lanes(rec + at_d + 8 * (quarter + q));
			float32x4_t mw = at_m ? f16_lanes(rec + at_m + 8 * (quarter + q)) : dw;

#pragma GCC unroll 4
			for (int i = 0; i < R; i++)
			{
				const NlpAct32 *x = (const NlpAct32 *) (x0 + i * a->act_bytes);

				acc[q][i] = vfmaq_f32(acc[q][i], vmulq_n_f32(dw, x->d), vcvtq_f32_s32(sum[q][i]));
				if (at_m)
					acc[q][i] = vfmaq_n_f32(acc[q][i], mw, x->ds);
			}
		}
		rec += rec_bytes;
		x0 += sizeof(NlpAct32);
	}
	store(a, tile, quarter, row, acc, Q, R);
}

/* Scales of sub-block j (pairs at p, this quarter's 8 bytes), as 32 bits. */
NLP_ALWAYS_INLINE int32x4_t
scales(NlpMatmulSlot type, const uint8_t *p, int j)
{
	uint8x8_t	v = vld1_u8(p);
	int32x4_t	pairs;

	if (type == NLP_MM_Q6_K)
		pairs = vreinterpretq_s32_s16(vmovl_s8(vreinterpret_s8_u8(v)));
	else
		pairs = vreinterpretq_s32_u16(vmovl_u8(v));
	return vshrq_n_s32(j % 2 ? pairs : vshlq_n_s32(pairs, 16), 16);
}

/* One sub-block of 32 into the sums of R rows; sc at this record's scales. */
NLP_ALWAYS_INLINE void
sub_block(const NlpMatmulArgs *a, NlpMatmulSlot type, const uint8_t *rec, int quarter,
		  const uint8_t *x0, int j, Sums sum, const int Q, const int R)
{
	const int	halves = type == NLP_MM_Q6_K ? 2 : 1;
	const int	words = 8 / halves;

	for (int h = 0; h < halves; h++)
	{
		for (int q = 0; q < Q; q++)
		{
			int			lanes = 8 * (quarter + q);
			int32x4_t	scale = halves == 2 ? scales(type, rec + NLP_TILE_Q6_SC + 32 * j + lanes, h) :
				scales(type, rec + NLP_TILE_K_SC + 32 * (j / 2) + lanes, j);
			int32x4_t	dot[MAX_ROWS];

#pragma GCC unroll 4
			for (int i = 0; i < R; i++)
				dot[i] = vdupq_n_s32(type == NLP_MM_Q6_K ? -32 * ((const NlpAct256 *) (x0 + i * a->act_bytes))->s16[2 * j + h] : 0);
#pragma GCC unroll 8
			for (int g = words * h; g < words * h + words; g++)
			{
				int8x16_t	w = weights256(type, rec + 16 * (quarter + q), j, g);

#pragma GCC unroll 4
				for (int i = 0; i < R; i++)
				{
					const int8_t *codes = (const int8_t *) x0 + i * a->act_bytes + 32 * j + 16 * (g / 4);

					dot[i] = dot_word(dot[i], w, vld1q_s8(codes), g % 4);
				}
			}
#pragma GCC unroll 4
			for (int i = 0; i < R; i++)
				sum[q][i] = vmlaq_s32(sum[q][i], dot[i], scale);
		}
	}
}

/* Sum of minimum * sum of codes. */
NLP_ALWAYS_INLINE int32x4_t
scaled_sums(NlpMatmulSlot type, const uint8_t *mn, const int16_t *s)
{
	int32x4_t	sum = vdupq_n_s32(0);

	for (int j = 0; j < 8; j++)
		sum = vmlaq_n_s32(sum, scales(type, mn + 32 * (j / 2), j), s[j]);
	return sum;
}

NLP_ALWAYS_INLINE void
quarters256(const NlpMatmulArgs *a, uint64_t tile, int quarter, int row, bool first, NlpMatmulSlot type,
			int rec_bytes, const int Q, const int R)
{
	const uint8_t *rec = a->tiles + tile * a->tile_bytes;
	const uint8_t *x0 = a->act + row * a->act_bytes;
	Chains		acc;

	clear(acc, Q, R);
	for (uint64_t b = a->cols / 256; b > 0; b--)
	{
		Sums		sum;

		for (int q = 0; q < Q; q++)
		{
			for (int i = 0; i < R; i++)
				sum[q][i] = vdupq_n_s32(0);
		}
		for (int j = 0; j < 8; j++)
		{
			if (first)
				ask(rec + AHEAD(R) + rec_bytes / 8 * j, rec_bytes / 8);
			sub_block(a, type, rec, quarter, x0, j, sum, Q, R);
		}
		for (int q = 0; q < Q; q++)
		{
			int			lanes = 8 * (quarter + q);
			float32x4_t d = f16_lanes(rec + NLP_TILE_K_D + lanes);

			for (int i = 0; i < R; i++)
			{
				const NlpAct256 *x = (const NlpAct256 *) (x0 + i * a->act_bytes);

				acc[q][i] = vfmaq_f32(acc[q][i], vmulq_n_f32(d, x->d), vcvtq_f32_s32(sum[q][i]));
				if (type != NLP_MM_Q6_K)
				{
					float32x4_t dmin = f16_lanes(rec + NLP_TILE_K_DMIN + lanes);
					int32x4_t	min = scaled_sums(type, rec + NLP_TILE_K_MN + lanes, x->s32);

					acc[q][i] = vfmsq_f32(acc[q][i], vmulq_n_f32(dmin, x->d), vcvtq_f32_s32(min));
				}
			}
		}
		rec += rec_bytes;
		x0 += sizeof(NlpAct256);
	}
	store(a, tile, quarter, row, acc, Q, R);
}

/* One row streams the tile in once; more rows go half a tile at a time, which the
 * 32 registers hold. */
#define DEFINE_ROWS(name, R, call) \
static void \
name##_##R(const NlpMatmulArgs *a, uint64_t tile, int row, bool first) \
{ \
	if (R == 1) \
		call(0, 4, first, R); \
	else \
	{ \
		call(0, 2, first, R); \
		call(2, 2, false, R); \
	} \
}

#define DEFINE_TYPE(name, call) \
DEFINE_ROWS(name, 1, call) \
DEFINE_ROWS(name, 2, call) \
DEFINE_ROWS(name, 3, call) \
DEFINE_ROWS(name, 4, call) \
static void \
name(const NlpMatmulArgs *a) \
{ \
	static const NlpTileRowsFn fns[MAX_ROWS] = {name##_1, name##_2, name##_3, name##_4}; \
	nlp_matmul_sweep(a, fns, MAX_ROWS); \
}

#define CALL_Q4_0(q, Q, f, R) quarters32(a, tile, q, row, f, NLP_MM_Q4_0, NLP_TILE_Q4_0_BYTES, NLP_TILE_Q4_D, 0, Q, R)
#define CALL_Q4_1(q, Q, f, R) quarters32(a, tile, q, row, f, NLP_MM_Q4_1, NLP_TILE_Q4_1_BYTES, NLP_TILE_Q4_D, NLP_TILE_Q4_M, Q, R)
#define CALL_Q5_0(q, Q, f, R) quarters32(a, tile, q, row, f, NLP_MM_Q5_0, NLP_TILE_Q5_0_BYTES, NLP_TILE_Q5_D, 0, Q, R)
#define CALL_Q5_1(q, Q, f, R) quarters32(a, tile, q, row, f, NLP_MM_Q5_1, NLP_TILE_Q5_1_BYTES, NLP_TILE_Q5_D, NLP_TILE_Q5_M, Q, R)
#define CALL_Q8_0(q, Q, f, R) quarters32(a, tile, q, row, f, NLP_MM_Q8_0, NLP_TILE_Q8_0_BYTES, NLP_TILE_Q8_D, 0, Q, R)
#define CALL_Q4_K(q, Q, f, R) quarters256(a, tile, q, row, f, NLP_MM_Q4_K, NLP_TILE_Q4_K_BYTES, Q, R)
#define CALL_Q5_K(q, Q, f, R) quarters256(a, tile, q, row, f, NLP_MM_Q5_K, NLP_TILE_Q5_K_BYTES, Q, R)
#define CALL_Q6_K(q, Q, f, R) quarters256(a, tile, q, row, f, NLP_MM_Q6_K, NLP_TILE_Q6_K_BYTES, Q, R)

DEFINE_TYPE(q4_0, CALL_Q4_0)
DEFINE_TYPE(q4_1, CALL_Q4_1)
DEFINE_TYPE(q5_0, CALL_Q5_0)
DEFINE_TYPE(q5_1, CALL_Q5_1)
DEFINE_TYPE(q8_0, CALL_Q8_0)
DEFINE_TYPE(q4_k, CALL_Q4_K)
DEFINE_TYPE(q5_k, CALL_Q5_K)
DEFINE_TYPE(q6_k, CALL_Q6_K)

/* Floats. */

NLP_ALWAYS_INLINE float32x4_t
float_lanes(NlpMatmulSlot type, const uint8_t *tile, uint64_t k, int quarter)
{
	if (type == NLP_MM_F32)
		return vld1q_f32((const float *) (tile + 64 * k + 16 * quarter));
	tile += 32 * k + 8 * quarter;
	if (type == NLP_MM_F16)
		return f16_lanes(tile);
	return vreinterpretq_f32_u32(vshll_n_u16(vreinterpret_u16_u8(vld1_u8(tile)), 16));
}

NLP_ALWAYS_INLINE void
rows_float(const NlpMatmulArgs *a, uint64_t tile, int row, NlpMatmulSlot type, const int R)
{
	const uint8_t *w0 = a->tiles + tile * a->tile_bytes;
	const uint8_t *x0 = a->act + row * a->act_bytes;
	Chains		acc;

	clear(acc, 4, R);
	for (uint64_t k = 0; k < a->cols; k++)
	{
		float32x4_t w[4];

#pragma GCC unroll 4
		for (int q = 0; q < 4; q++)
			w[q] = float_lanes(type, w0, k, q);
#pragma GCC unroll 4
		for (int i = 0; i < R; i++)
		{
			float		x = ((const float *) (x0 + i * a->act_bytes))[k];

#pragma GCC unroll 4
			for (int q = 0; q < 4; q++)
				acc[q][i] = vfmaq_n_f32(acc[q][i], w[q], x);
		}
	}
	store(a, tile, 0, row, acc, 4, R);
}

#define DEFINE_FLOAT_ROWS(name, R, type) \
static void \
name##_##R(const NlpMatmulArgs *a, uint64_t tile, int row, bool first) \
{ \
	(void) first; \
	rows_float(a, tile, row, type, R); \
}

#define DEFINE_FLOAT(name, type) \
DEFINE_FLOAT_ROWS(name, 1, type) \
DEFINE_FLOAT_ROWS(name, 2, type) \
DEFINE_FLOAT_ROWS(name, 3, type) \
DEFINE_FLOAT_ROWS(name, 4, type) \
static void \
name(const NlpMatmulArgs *a) \
{ \
	static const NlpTileRowsFn fns[MAX_ROWS] = {name##_1, name##_2, name##_3, name##_4}; \
	nlp_matmul_sweep(a, fns, MAX_ROWS); \
}

DEFINE_FLOAT(f32, NLP_MM_F32)
DEFINE_FLOAT(f16, NLP_MM_F16)
DEFINE_FLOAT(bf16, NLP_MM_BF16)

const NlpMatmulTable nlp_matmul_table_neon = {
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
	.quantize32 = nlp_quantize32_neon,
	.quantize256 = nlp_quantize256_neon
};

#endif
