/* vec.h --- sixteen lanes of f32, the same on every instruction set.
 *
 * A kernel body written over Vec is compiled once per level: one zmm, two ymm,
 * four q registers or a plain array. Every operation is either exact or one
 * correctly rounded IEEE operation a lane, in the order written, so the bits of a
 * body's result do not depend on the level (the payload of a NaN may). No
 * reciprocal or square root estimates. Only kernels' *_body.h files include this,
 * after their *_<isa>.c chose the level by defining one of NLP_VEC_AVX512,
 * NLP_VEC_AVX2, NLP_VEC_NEON or NLP_VEC_PLAIN.
 *
 * NaN: v_max(a, b) is a > b ? a : b and v_min(a, b) is a < b ? a : b, so a NaN in
 * either place gives b; compares with a NaN are false. Zeros of either sign are
 * equal, so v_max and v_min of them give b.
 *
 * exp, tanh, erf: our own minimax fits (tested against libm in double). */
#ifndef NLP_KERNEL_VEC_H
#define NLP_KERNEL_VEC_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "core/half.h"

#if defined(NLP_VEC_AVX512) || defined(NLP_VEC_AVX2)
#include <immintrin.h>
#elif defined(NLP_VEC_NEON)
#include <arm_neon.h>
#endif

#define V_LANES 16
#define V_INLINE static inline __attribute__((always_inline, unused))
#if defined(NLP_VEC_PLAIN)
#define V_FUNCTION static __attribute__((noinline, unused))	/* inlined loops would take minutes to compile */
#else
#define V_FUNCTION V_INLINE
#endif

/* ---- AVX-512: one zmm -------------------------------------------------- */
#if defined(NLP_VEC_AVX512)

typedef __m512 Vec;
typedef __mmask16 VMask;

V_INLINE Vec v_set(float x) { return _mm512_set1_ps(x); }
V_INLINE Vec v_load(const float *p) { return _mm512_loadu_ps(p); }
V_INLINE void v_store(float *p, Vec a) { _mm512_storeu_ps(p, a); }
V_INLINE Vec v_load_n(const float *p, size_t n) { return _mm512_maskz_loadu_ps((__mmask16) ((1u << n) - 1), p); }
V_INLINE void v_store_n(float *p, Vec a, size_t n) { _mm512_mask_storeu_ps(p, (__mmask16) ((1u << n) - 1), a); }
V_INLINE Vec v_load_f16(const uint16_t *p) { return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *) p)); }
V_INLINE void v_store_f16(uint16_t *p, Vec a)
{
	_mm256_storeu_si256((__m256i *) p, _mm512_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}
V_INLINE Vec v_add(Vec a, Vec b) { return _mm512_add_ps(a, b); }
V_INLINE Vec v_sub(Vec a, Vec b) { return _mm512_sub_ps(a, b); }
V_INLINE Vec v_mul(Vec a, Vec b) { return _mm512_mul_ps(a, b); }
V_INLINE Vec v_div(Vec a, Vec b) { return _mm512_div_ps(a, b); }
V_INLINE Vec v_sqrt(Vec a) { return _mm512_sqrt_ps(a); }
V_INLINE Vec v_fma(Vec a, Vec b, Vec c) { return _mm512_fmadd_ps(a, b, c); }
V_INLINE Vec v_fnma(Vec a, Vec b, Vec c) { return _mm512_fnmadd_ps(a, b, c); }
V_INLINE Vec v_max(Vec a, Vec b) { return _mm512_max_ps(a, b); }
V_INLINE Vec v_min(Vec a, Vec b) { return _mm512_min_ps(a, b); }
V_INLINE VMask v_gt(Vec a, Vec b) { return _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ); }
V_INLINE VMask v_lt(Vec a, Vec b) { return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ); }
V_INLINE VMask v_eq(Vec a, Vec b) { return _mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ); }
V_INLINE unsigned v_bits(VMask m) { return m; }
V_INLINE VMask v_mask_from(int from) { return (__mmask16) (0xffffu << from); }
V_INLINE VMask v_mask_below(int to) { return (__mmask16) ((1u << to) - 1); }
V_INLINE VMask v_mask_and(VMask a, VMask b) { return a & b; }
V_INLINE Vec v_blend(VMask m, Vec a, Vec b) { return _mm512_mask_blend_ps(m, b, a); }
V_INLINE Vec v_keep(VMask m, Vec a) { return _mm512_maskz_mov_ps(m, a); }
V_INLINE Vec v_abs(Vec a) { return _mm512_abs_ps(a); }
V_INLINE Vec v_copysign(Vec mag, Vec sgn)
{
	return _mm512_or_ps(_mm512_abs_ps(mag), _mm512_and_ps(sgn, _mm512_set1_ps(-0.0f)));
}
V_INLINE Vec v_exponent(Vec t)
{
	return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_castps_si512(t), 23));
}
V_INLINE Vec v_swap_pairs(Vec a) { return _mm512_permute_ps(a, 0xb1); }
V_INLINE Vec v_load_twice(const float *p)
{
	__m512i		i = _mm512_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7);

	return _mm512_permutexvar_ps(i, _mm512_castps256_ps512(_mm256_loadu_ps(p)));
}
V_INLINE Vec v_negate_even(Vec a)
{
	return _mm512_xor_ps(a, _mm512_castsi512_ps(_mm512_set1_epi64(0x80000000)));
}

/* ---- AVX2: two ymm ----------------------------------------------------- */
#elif defined(NLP_VEC_AVX2)

typedef struct Vec
{
	__m256		lo,
				hi;
} Vec;
typedef Vec VMask;

V_INLINE Vec v_set(float x) { return (Vec) {_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
V_INLINE Vec v_load(const float *p) { return (Vec) {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
V_INLINE void v_store(float *p, Vec a)
{
	_mm256_storeu_ps(p, a.lo);
	_mm256_storeu_ps(p + 8, a.hi);
}
V_INLINE __m256i v_lane_below(int n)
{
	return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
V_INLINE Vec v_load_n(const float *p, size_t n)
{
	return (Vec) {_mm256_maskload_ps(p, v_lane_below((int) n)),
		_mm256_maskload_ps(p + 8, v_lane_below((int) n - 8))};
}
V_INLINE void v_store_n(float *p, Vec a, size_t n)
{
	_mm256_maskstore_ps(p, v_lane_below((int) n), a.lo);
	_mm256_maskstore_ps(p + 8, v_lane_below((int) n - 8), a.hi);
}
V_INLINE Vec v_load_f16(const uint16_t *p)
{
	return (Vec) {_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *) p)),
		_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *) (p + 8)))};
}
V_INLINE void v_store_f16(uint16_t *p, Vec a)
{
	_mm_storeu_si128((__m128i *) p, _mm256_cvtps_ph(a.lo, _MM_FROUND_TO_NEAREST_INT));
	_mm_storeu_si128((__m128i *) (p + 8), _mm256_cvtps_ph(a.hi, _MM_FROUND_TO_NEAREST_INT));
}
V_INLINE Vec v_add(Vec a, Vec b) { return (Vec) {_mm256_add_ps(a.lo, b.lo), _mm256_add_ps(a.hi, b.hi)}; }
V_INLINE Vec v_sub(Vec a, Vec b) { return (Vec) {_mm256_sub_ps(a.lo, b.lo), _mm256_sub_ps(a.hi, b.hi)}; }
V_INLINE Vec v_mul(Vec a, Vec b) { return (Vec) {_mm256_mul_ps(a.lo, b.lo), _mm256_mul_ps(a.hi, b.hi)}; }
V_INLINE Vec v_div(Vec a, Vec b) { return (Vec) {_mm256_div_ps(a.lo, b.lo), _mm256_div_ps(a.hi, b.hi)}; }
V_INLINE Vec v_sqrt(Vec a) { return (Vec) {_mm256_sqrt_ps(a.lo), _mm256_sqrt_ps(a.hi)}; }
V_INLINE Vec v_fma(Vec a, Vec b, Vec c)
{
	return (Vec) {_mm256_fmadd_ps(a.lo, b.lo, c.lo), _mm256_fmadd_ps(a.hi, b.hi, c.hi)};
}
V_INLINE Vec v_fnma(Vec a, Vec b, Vec c)
{
	return (Vec) {_mm256_fnmadd_ps(a.lo, b.lo, c.lo), _mm256_fnmadd_ps(a.hi, b.hi, c.hi)};
}
V_INLINE Vec v_max(Vec a, Vec b) { return (Vec) {_mm256_max_ps(a.lo, b.lo), _mm256_max_ps(a.hi, b.hi)}; }
V_INLINE Vec v_min(Vec a, Vec b) { return (Vec) {_mm256_min_ps(a.lo, b.lo), _mm256_min_ps(a.hi, b.hi)}; }
V_INLINE VMask v_gt(Vec a, Vec b)
{
	return (Vec) {_mm256_cmp_ps(a.lo, b.lo, _CMP_GT_OQ), _mm256_cmp_ps(a.hi, b.hi, _CMP_GT_OQ)};
}
V_INLINE VMask v_lt(Vec a, Vec b)
{
	return (Vec) {_mm256_cmp_ps(a.lo, b.lo, _CMP_LT_OQ), _mm256_cmp_ps(a.hi, b.hi, _CMP_LT_OQ)};
}
V_INLINE VMask v_eq(Vec a, Vec b)
{
	return (Vec) {_mm256_cmp_ps(a.lo, b.lo, _CMP_EQ_OQ), _mm256_cmp_ps(a.hi, b.hi, _CMP_EQ_OQ)};
}
V_INLINE unsigned v_bits(VMask m)
{
	return (unsigned) _mm256_movemask_ps(m.lo) | (unsigned) _mm256_movemask_ps(m.hi) << 8;
}
V_INLINE VMask v_mask_below(int to)
{
	return (Vec) {_mm256_castsi256_ps(v_lane_below(to)), _mm256_castsi256_ps(v_lane_below(to - 8))};
}
V_INLINE VMask v_mask_from(int from)
{
	__m256		ones = _mm256_castsi256_ps(_mm256_set1_epi32(-1));
	Vec			m = v_mask_below(from);

	return (Vec) {_mm256_xor_ps(m.lo, ones), _mm256_xor_ps(m.hi, ones)};
}
V_INLINE VMask v_mask_and(VMask a, VMask b) { return (Vec) {_mm256_and_ps(a.lo, b.lo), _mm256_and_ps(a.hi, b.hi)}; }
V_INLINE Vec v_blend(VMask m, Vec a, Vec b)
{
	return (Vec) {_mm256_blendv_ps(b.lo, a.lo, m.lo), _mm256_blendv_ps(b.hi, a.hi, m.hi)};
}
V_INLINE Vec v_keep(VMask m, Vec a) { return v_mask_and(m, a); }
V_INLINE Vec v_abs(Vec a)
{
	__m256		sign = _mm256_set1_ps(-0.0f);

	return (Vec) {_mm256_andnot_ps(sign, a.lo), _mm256_andnot_ps(sign, a.hi)};
}
V_INLINE Vec v_copysign(Vec mag, Vec sgn)
{
	__m256		sign = _mm256_set1_ps(-0.0f);
	Vec			a = v_abs(mag);

	return (Vec) {_mm256_or_ps(a.lo, _mm256_and_ps(sgn.lo, sign)), _mm256_or_ps(a.hi, _mm256_and_ps(sgn.hi, sign))};
}
V_INLINE Vec v_exponent(Vec t)
{
	return (Vec) {_mm256_castsi256_ps(_mm256_slli_epi32(_mm256_castps_si256(t.lo), 23)),
		_mm256_castsi256_ps(_mm256_slli_epi32(_mm256_castps_si256(t.hi), 23))};
}
V_INLINE Vec v_swap_pairs(Vec a) { return (Vec) {_mm256_permute_ps(a.lo, 0xb1), _mm256_permute_ps(a.hi, 0xb1)}; }
V_INLINE Vec v_load_twice(const float *p)
{
	__m256		a = _mm256_loadu_ps(p);

	return (Vec) {_mm256_permutevar8x32_ps(a, _mm256_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3)),
		_mm256_permutevar8x32_ps(a, _mm256_setr_epi32(4, 4, 5, 5, 6, 6, 7, 7))};
}
V_INLINE Vec v_negate_even(Vec a)
{
	__m256		sign = _mm256_castsi256_ps(_mm256_set1_epi64x(0x80000000));

	return (Vec) {_mm256_xor_ps(a.lo, sign), _mm256_xor_ps(a.hi, sign)};
}

/* ---- NEON: four q registers -------------------------------------------- */
#elif defined(NLP_VEC_NEON)

typedef struct Vec
{
	float32x4_t q[4];
} Vec;
typedef struct VMask
{
	uint32x4_t	q[4];
} VMask;

#define V_EACH(type, expr) \
	do { \
		type r_; \
		_Pragma("GCC unroll 4") \
		for (int i = 0; i < 4; i++) \
			r_.q[i] = (expr); \
		return r_; \
	} while (0)

V_INLINE Vec v_set(float x) { V_EACH(Vec, vdupq_n_f32(x)); }
V_INLINE Vec v_load(const float *p) { V_EACH(Vec, vld1q_f32(p + 4 * i)); }
V_INLINE void v_store(float *p, Vec a)
{
	for (int i = 0; i < 4; i++)
		vst1q_f32(p + 4 * i, a.q[i]);
}
V_INLINE Vec v_load_n(const float *p, size_t n)
{
	float		t[V_LANES] = {0};

	memcpy(t, p, n * sizeof(float));
	return v_load(t);
}
V_INLINE void v_store_n(float *p, Vec a, size_t n)
{
	float		t[V_LANES];

	v_store(t, a);
	memcpy(p, t, n * sizeof(float));
}
V_INLINE Vec v_load_f16(const uint16_t *p)
{
	V_EACH(Vec, vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p + 4 * i))));
}
V_INLINE void v_store_f16(uint16_t *p, Vec a)
{
	for (int i = 0; i < 4; i++)
		vst1_u16(p + 4 * i, vreinterpret_u16_f16(vcvt_f16_f32(a.q[i])));
}
V_INLINE Vec v_add(Vec a, Vec b) { V_EACH(Vec, vaddq_f32(a.q[i], b.q[i])); }
V_INLINE Vec v_sub(Vec a, Vec b) { V_EACH(Vec, vsubq_f32(a.q[i], b.q[i])); }
V_INLINE Vec v_mul(Vec a, Vec b) { V_EACH(Vec, vmulq_f32(a.q[i], b.q[i])); }
V_INLINE Vec v_div(Vec a, Vec b) { V_EACH(Vec, vdivq_f32(a.q[i], b.q[i])); }
V_INLINE Vec v_sqrt(Vec a) { V_EACH(Vec, vsqrtq_f32(a.q[i])); }
V_INLINE Vec v_fma(Vec a, Vec b, Vec c) { V_EACH(Vec, vfmaq_f32(c.q[i], a.q[i], b.q[i])); }
V_INLINE Vec v_fnma(Vec a, Vec b, Vec c) { V_EACH(Vec, vfmsq_f32(c.q[i], a.q[i], b.q[i])); }
V_INLINE VMask v_gt(Vec a, Vec b) { V_EACH(VMask, vcgtq_f32(a.q[i], b.q[i])); }
V_INLINE VMask v_lt(Vec a, Vec b) { V_EACH(VMask, vcltq_f32(a.q[i], b.q[i])); }
V_INLINE VMask v_eq(Vec a, Vec b) { V_EACH(VMask, vceqq_f32(a.q[i], b.q[i])); }
V_INLINE Vec v_blend(VMask m, Vec a, Vec b) { V_EACH(Vec, vbslq_f32(m.q[i], a.q[i], b.q[i])); }
V_INLINE Vec v_max(Vec a, Vec b) { return v_blend(v_gt(a, b), a, b); }
V_INLINE Vec v_min(Vec a, Vec b) { return v_blend(v_lt(a, b), a, b); }
V_INLINE unsigned v_bits(VMask m)
{
	static const uint32_t weight[4] = {1, 2, 4, 8};
	uint32x4_t	w = vld1q_u32(weight);
	unsigned	r = 0;

	for (int i = 0; i < 4; i++)
		r |= vaddvq_u32(vandq_u32(m.q[i], w)) << (4 * i);
	return r;
}
V_INLINE uint32x4_t v_lane_ids(int i)
{
	static const uint32_t id[4] = {0, 1, 2, 3};

	return vaddq_u32(vld1q_u32(id), vdupq_n_u32(4 * (uint32_t) i));
}
V_INLINE VMask v_mask_below(int to) { V_EACH(VMask, vcltq_u32(v_lane_ids(i), vdupq_n_u32((uint32_t) to))); }
V_INLINE VMask v_mask_from(int from) { V_EACH(VMask, vcgeq_u32(v_lane_ids(i), vdupq_n_u32((uint32_t) from))); }
V_INLINE VMask v_mask_and(VMask a, VMask b) { V_EACH(VMask, vandq_u32(a.q[i], b.q[i])); }
V_INLINE Vec v_keep(VMask m, Vec a)
{
	V_EACH(Vec, vreinterpretq_f32_u32(vandq_u32(m.q[i], vreinterpretq_u32_f32(a.q[i]))));
}
V_INLINE Vec v_abs(Vec a) { V_EACH(Vec, vabsq_f32(a.q[i])); }
V_INLINE Vec v_copysign(Vec mag, Vec sgn)
{
	V_EACH(Vec, vbslq_f32(vdupq_n_u32(0x80000000u), sgn.q[i], mag.q[i]));
}
V_INLINE Vec v_exponent(Vec t)
{
	V_EACH(Vec, vreinterpretq_f32_u32(vshlq_n_u32(vreinterpretq_u32_f32(t.q[i]), 23)));
}
V_INLINE Vec v_swap_pairs(Vec a) { V_EACH(Vec, vrev64q_f32(a.q[i])); }
V_INLINE Vec v_load_twice(const float *p)
{
	V_EACH(Vec, vcombine_f32(vld1_dup_f32(p + 2 * i), vld1_dup_f32(p + 2 * i + 1)));
}
V_INLINE Vec v_negate_even(Vec a)
{
	V_EACH(Vec, vreinterpretq_f32_u32(veorq_u32(vreinterpretq_u32_f32(a.q[i]),
												vreinterpretq_u32_u64(vdupq_n_u64(0x80000000u)))));
}

/* ---- plain C ----------------------------------------------------------- */
#elif defined(NLP_VEC_PLAIN)

typedef struct Vec
{
	float		f[V_LANES];
} Vec;
typedef struct VMask
{
	uint32_t	u[V_LANES];		/* all ones or zero */
} VMask;

#define V_EACH(type, member, expr) \
	do { \
		type r_; \
		_Pragma("GCC unroll 1") \
		for (int i = 0; i < V_LANES; i++) \
			r_.member[i] = (expr); \
		return r_; \
	} while (0)

V_INLINE float v_float_of(uint32_t bits)
{
	float		f;

	memcpy(&f, &bits, sizeof(f));
	return f;
}
V_INLINE uint32_t v_bits_of(float f)
{
	uint32_t	bits;

	memcpy(&bits, &f, sizeof(bits));
	return bits;
}
V_INLINE Vec v_set(float x) { V_EACH(Vec, f, x); }
V_INLINE Vec v_load(const float *p) { V_EACH(Vec, f, p[i]); }
V_INLINE void v_store(float *p, Vec a) { memcpy(p, a.f, sizeof(a.f)); }
V_INLINE Vec v_load_n(const float *p, size_t n) { V_EACH(Vec, f, (size_t) i < n ? p[i] : 0.0f); }
V_INLINE void v_store_n(float *p, Vec a, size_t n) { memcpy(p, a.f, n * sizeof(float)); }
V_INLINE Vec v_load_f16(const uint16_t *p) { V_EACH(Vec, f, nlp_f16_to_f32(p[i])); }
V_INLINE void v_store_f16(uint16_t *p, Vec a)
{
	for (int i = 0; i < V_LANES; i++)
		p[i] = nlp_f32_to_f16(a.f[i]);
}
V_INLINE Vec v_add(Vec a, Vec b) { V_EACH(Vec, f, a.f[i] + b.f[i]); }
V_INLINE Vec v_sub(Vec a, Vec b) { V_EACH(Vec, f, a.f[i] - b.f[i]); }
V_INLINE Vec v_mul(Vec a, Vec b) { V_EACH(Vec, f, a.f[i] * b.f[i]); }
V_INLINE Vec v_div(Vec a, Vec b) { V_EACH(Vec, f, a.f[i] / b.f[i]); }
V_INLINE Vec v_sqrt(Vec a) { V_EACH(Vec, f, sqrtf(a.f[i])); }
V_INLINE Vec v_fma(Vec a, Vec b, Vec c) { V_EACH(Vec, f, fmaf(a.f[i], b.f[i], c.f[i])); }
V_INLINE Vec v_fnma(Vec a, Vec b, Vec c) { V_EACH(Vec, f, fmaf(-a.f[i], b.f[i], c.f[i])); }
V_INLINE Vec v_max(Vec a, Vec b) { V_EACH(Vec, f, a.f[i] > b.f[i] ? a.f[i] : b.f[i]); }
V_INLINE Vec v_min(Vec a, Vec b) { V_EACH(Vec, f, a.f[i] < b.f[i] ? a.f[i] : b.f[i]); }
V_INLINE VMask v_gt(Vec a, Vec b) { V_EACH(VMask, u, a.f[i] > b.f[i] ? UINT32_MAX : 0); }
V_INLINE VMask v_lt(Vec a, Vec b) { V_EACH(VMask, u, a.f[i] < b.f[i] ? UINT32_MAX : 0); }
V_INLINE VMask v_eq(Vec a, Vec b) { V_EACH(VMask, u, a.f[i] == b.f[i] ? UINT32_MAX : 0); }
V_INLINE unsigned v_bits(VMask m)
{
	unsigned	r = 0;

	for (int i = 0; i < V_LANES; i++)
		r |= (m.u[i] & 1) << i;
	return r;
}
V_INLINE VMask v_mask_below(int to) { V_EACH(VMask, u, i < to ? UINT32_MAX : 0); }
V_INLINE VMask v_mask_from(int from) { V_EACH(VMask, u, i >= from ? UINT32_MAX : 0); }
V_INLINE VMask v_mask_and(VMask a, VMask b) { V_EACH(VMask, u, a.u[i] & b.u[i]); }
V_INLINE Vec v_blend(VMask m, Vec a, Vec b) { V_EACH(Vec, f, m.u[i] ? a.f[i] : b.f[i]); }
V_INLINE Vec v_keep(VMask m, Vec a) { V_EACH(Vec, f, m.u[i] ? a.f[i] : 0.0f); }
V_INLINE Vec v_abs(Vec a) { V_EACH(Vec, f, fabsf(a.f[i])); }
V_INLINE Vec v_copysign(Vec mag, Vec sgn) { V_EACH(Vec, f, copysignf(mag.f[i], sgn.f[i])); }
V_INLINE Vec v_exponent(Vec t) { V_EACH(Vec, f, v_float_of(v_bits_of(t.f[i]) << 23)); }
V_INLINE Vec v_swap_pairs(Vec a) { V_EACH(Vec, f, a.f[i ^ 1]); }
V_INLINE Vec v_load_twice(const float *p) { V_EACH(Vec, f, p[i / 2]); }
V_INLINE Vec v_negate_even(Vec a) { V_EACH(Vec, f, i & 1 ? a.f[i] : -a.f[i]); }

#else
#error "define the level before including vec.h"
#endif

/* ---- the same on all levels from here on -------------------------------- */

/* What each needs that its name does not say:
 *   v_load_n, v_store_n   the first n < 16 lanes; others load as 0, are not written
 *   v_blend(m, a, b)      a where m, else b;  v_keep(m, a)  a where m, else +0
 *   v_mask_below, _from   lanes l < to, l >= from; 0 <= to, from <= 16
 *   v_exponent(t)         bits of t shifted left by 23: the last step of 2^n
 *   v_swap_pairs          lanes 2j and 2j+1 change places
 *   v_load_twice(p)       p[0], p[0], p[1], p[1], ... p[7], p[7] */

V_INLINE Vec
v_zero(void)
{
	return v_set(0.0f);
}

/* The fixed tree: lanes l and l+8, then l+4, l+2, l+1. */
V_INLINE float
v_sum(Vec a)
{
	float		t[V_LANES];

	v_store(t, a);
	for (int half = V_LANES / 2; half > 0; half /= 2)
		for (int l = 0; l < half; l++)
			t[l] = t[l] + t[l + half];
	return t[0];
}

/* Largest lane; NaN lanes never win unless all are NaN. */
V_INLINE float
v_max_lane(Vec a)
{
	float		t[V_LANES];
	float		best = -INFINITY;

	v_store(t, a);
	for (int l = 0; l < V_LANES; l++)
		best = t[l] > best ? t[l] : best;
	return best;
}

/* e^x. Under -86.98 (results below 2^-125.5) exactly 0, over 88.73 infinity; NaN
 * stays. n = round(x / ln 2) sits in the low bits of t, biased so that a shift
 * makes 2^(n-1); the polynomial is that of 2 e^r, |r| <= ln(2)/2. */
V_FUNCTION Vec
v_exp(Vec x)
{
	const float low = -86.98f;
	const float magic = 0x1.8p23f + 126.0f;
	Vec			c = v_max(v_set(low), v_min(v_set(89.0f), x));
	Vec			t = v_fma(c, v_set(0x1.715476p0f), v_set(magic));
	Vec			n = v_sub(t, v_set(magic));
	Vec			r = v_fnma(n, v_set(-0x1.05c610p-29f), v_fnma(n, v_set(0x1.62e430p-1f), c));
	Vec			p = v_set(2 * 0x1.6a21acp-10f);

	p = v_fma(p, r, v_set(2 * 0x1.123b6ap-7f));
	p = v_fma(p, r, v_set(2 * 0x1.5558fap-5f));
	p = v_fma(p, r, v_set(2 * 0x1.555490p-3f));
	p = v_fma(p, r, v_set(2 * 0x1.fffffcp-2f));
	p = v_fma(p, r, v_set(2.0f));
	p = v_fma(p, r, v_set(2.0f));
	p = v_mul(p, v_exponent(t));
	return v_blend(v_lt(x, v_set(low)), v_zero(), p);
}

/* Near 0 an odd polynomial, else 1 - 2 / (e^2|x| + 1). */
V_FUNCTION Vec
v_tanh(Vec x)
{
	Vec			a = v_abs(x);
	Vec			s = v_mul(x, x);
	Vec			p = v_set(-0x1.9b3006p-8f);
	Vec			e = v_exp(v_add(a, a));
	Vec			big = v_sub(v_set(1.0f), v_div(v_set(2.0f), v_add(e, v_set(1.0f))));

	p = v_fma(p, s, v_set(0x1.593cfcp-6f));
	p = v_fma(p, s, v_set(-0x1.b9287ap-5f));
	p = v_fma(p, s, v_set(0x1.110d26p-3f));
	p = v_fma(p, s, v_set(-0x1.55554ap-2f));
	p = v_fma(v_mul(p, s), x, x);
	return v_copysign(v_blend(v_lt(a, v_set(0.55f)), p, big), x);	/* also of -0 */
}

/* Near 0 an odd polynomial, else 1 - exp(q(|x|)), q fitted to log erfc. */
V_FUNCTION Vec
v_erf(Vec x)
{
	Vec			a = v_abs(x);
	Vec			s = v_mul(x, x);
	Vec			p = v_set(-0x1.38259cp-11f);
	Vec			b = v_min(v_set(4.0f), a);
	Vec			q = v_set(0x1.bfcf38p-13f);

	p = v_fma(p, s, v_set(0x1.46c22ap-8f));
	p = v_fma(p, s, v_set(-0x1.b676c8p-6f));
	p = v_fma(p, s, v_set(0x1.ce1904p-4f));
	p = v_fma(p, s, v_set(-0x1.8126dcp-2f));
	p = v_fma(p, s, v_set(0x1.06eba6p-3f));
	p = v_fma(p, x, x);
	q = v_fma(q, b, v_set(-0x1.a4e9c2p-9f));
	q = v_fma(q, b, v_set(0x1.76d7c8p-6f));
	q = v_fma(q, b, v_set(-0x1.af1500p-4f));
	q = v_fma(q, b, v_set(-0x1.457e86p-1f));
	q = v_fma(q, b, v_set(-0x1.20e614p0f));
	q = v_sub(v_set(1.0f), v_exp(v_mul(q, b)));
	return v_blend(v_lt(a, v_set(0.92f)), p, v_copysign(q, x));
}

#endif
