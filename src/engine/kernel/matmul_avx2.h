/* matmul_avx2.h --- small pieces shared by the AVX2 files; included by *_avx2.c only. */
#ifndef NLP_KERNEL_MATMUL_AVX2_H
#define NLP_KERNEL_MATMUL_AVX2_H

#include <immintrin.h>

#include "kernel/matmul_impl.h"

#define MAX_ROWS 8
/* Bytes asked for before they are read: one row alone waits only for memory. */
#define AHEAD(R) ((R) == 1 ? 8192 : 4096)

extern void nlp_matmul_q4_k_avx2(const NlpMatmulArgs *a);
extern void nlp_matmul_q5_k_avx2(const NlpMatmulArgs *a);
extern void nlp_matmul_q6_k_avx2(const NlpMatmulArgs *a);

NLP_ALWAYS_INLINE __m256i
load(const uint8_t *p)
{
	return _mm256_loadu_si256((const __m256i *) p);
}

NLP_ALWAYS_INLINE __m256
f16_lanes(const uint8_t *p)
{
	return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *) p));
}

/* The compiler must have this value now. Without it gcc re-associates sums into
 * trees and spills every product to the stack. */
NLP_ALWAYS_INLINE __m256i
pin(__m256i v)
{
	__asm__("" : "+x"(v));
	return v;
}

/* One word (4 codes) of an activation row in every lane. */
NLP_ALWAYS_INLINE __m256i
word(const uint8_t *q)
{
	int32_t		v;

	memcpy(&v, q, 4);
	return _mm256_set1_epi32(v);
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
NLP_ALWAYS_INLINE __m256i
ask_after(__m256i v, const uint8_t *p, int n, int j)
{
	const int	lines = (n / 8 + 63) / 64;

	for (int i = 0; i < lines; i++)
		__asm__ volatile("prefetcht0 %1" : "+x"(v) : "m"(p[64 * (lines * j + i)]));
	return v;
}

/* nibble | bits of hi from position bit, moved to position 4 and kept by mask. */
NLP_ALWAYS_INLINE __m256i
with_bits(__m256i nibble, __m256i hi, int bit, int mask)
{
	__m256i		moved = bit <= 4 ? _mm256_slli_epi16(hi, 4 - bit) : _mm256_srli_epi16(hi, bit - 4);

	return _mm256_or_si256(nibble, _mm256_and_si256(moved, _mm256_set1_epi8((char) mask)));
}

/* The type's offset times the sum of the codes, taken out of the integer sum. */
NLP_ALWAYS_INLINE __m256i
offset32(NlpMatmulSlot type, __m256i isum, const NlpAct32 *x)
{
	switch (type)
	{
		case NLP_MM_Q4_0:
			return _mm256_add_epi32(isum, _mm256_set1_epi32(x->n8));
		case NLP_MM_Q5_0:
			return _mm256_add_epi32(isum, _mm256_slli_epi32(_mm256_set1_epi32(x->n8), 1));
		case NLP_MM_Q8_0:
			return _mm256_add_epi32(isum, _mm256_set1_epi32(x->n128));
		default:
			return isum;
	}
}

/* y = acc (+ bias) (+ residual) for the rows of the half tile that exist. */
NLP_ALWAYS_INLINE void
store_half(const NlpMatmulArgs *a, uint64_t tile, int half, int row, __m256 acc)
{
	uint64_t	n0 = tile * NLP_TILE_ROWS + 8 * half;
	size_t		at = row * a->ldy + n0;
	__m256i		mask;

	if (n0 + 8 <= a->rows)
	{
		if (a->bias)
			acc = _mm256_add_ps(acc, _mm256_loadu_ps(a->bias + n0));
		if (a->residual)
			acc = _mm256_add_ps(acc, _mm256_loadu_ps(a->residual + at));
		_mm256_storeu_ps(a->y + at, acc);
		return;
	}
	if (n0 >= a->rows)
		return;
	mask = _mm256_cmpgt_epi32(_mm256_set1_epi32((int) (a->rows - n0)),
							  _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
	if (a->bias)
		acc = _mm256_add_ps(acc, _mm256_maskload_ps(a->bias + n0, mask));
	if (a->residual)
		acc = _mm256_add_ps(acc, _mm256_maskload_ps(a->residual + at, mask));
	_mm256_maskstore_ps(a->y + at, mask, acc);
}

#define DEFINE_ROWS(name, R, body) \
static void \
name##_##R(const NlpMatmulArgs *a, uint64_t tile, int row, bool first) \
{ \
	body; \
}

/* A type's functions for 1 .. 4 rows, and its entry's sweep. */
#define DEFINE_TYPE_AS(name, entry, call) \
DEFINE_ROWS(name, 1, call(1)) \
DEFINE_ROWS(name, 2, call(2)) \
DEFINE_ROWS(name, 3, call(3)) \
DEFINE_ROWS(name, 4, call(4)) \
entry(const NlpMatmulArgs *a) \
{ \
	static const NlpTileRowsFn fns[4] = {name##_1, name##_2, name##_3, name##_4}; \
	nlp_matmul_sweep(a, fns, 4); \
}
#define DEFINE_TYPE(name, call) DEFINE_TYPE_AS(name, static void name, call)

#endif
