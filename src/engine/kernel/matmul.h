/* matmul.h --- y = x W^T for packed weights, the products everything runs on.
 *
 * Numbers: each output is one fma chain ascending over K blocks (integer sums
 * inside a block are exact, so their order is free). The result of a row does
 * not depend on M, on the neighbours, on the tile range or on the instruction
 * set: memcmp-equal. Compiled with -ffp-contract=off.
 *
 * Activations: float weights take f32 rows. Quantised weights take rows coded
 * once by nlp_quantize_rows and shared by all weights with that input.
 *   32-block types (Q4_0 .. Q8_0): int8 codes as ggml's q8_0 (d = amax/127, code =
 *     round-half-away(x/d)), f32 scale d a block, and d * sum(codes) a block.
 *   K-quants: int8 codes as ggml's q8_K a 256-block, f32 scale, sums of 16. */
#ifndef NLP_KERNEL_MATMUL_H
#define NLP_KERNEL_MATMUL_H

#include "core/cpu.h"
#include "tensor/pack.h"

/* How a weight type wants its input. */
typedef enum NlpActKind
{
	NLP_ACT_F32 = 0,			/* F32, F16, BF16 weights */
	NLP_ACT_Q8_32,				/* 32-block types */
	NLP_ACT_Q8_256				/* K-quants */
} NlpActKind;

extern NlpActKind nlp_act_kind(NlpDtype weight);

/* Bytes of one coded row of K values; a multiple of 64. For NLP_ACT_F32: K floats padded. */
extern size_t nlp_act_row_bytes(NlpActKind kind, uint64_t cols);

/* Code m rows of x (row stride ldx floats) into dst (nlp_act_row_bytes apart, at
 * least 4-byte aligned; every byte is written). For NLP_ACT_F32 this copies. A block
 * that holds a NaN or an infinity makes every output of its row NaN (bits of a NaN
 * are not promised); one whose largest value is below 4e-37 counts as zero. */
extern void nlp_quantize_rows(NlpActKind kind, const float *x, size_t ldx, int m,
							  uint64_t cols, void *dst);

/* y[i, n] for i in [0, m) and every output n of tiles [tile_from, tile_to).
 *   act     m coded rows, as nlp_quantize_rows wrote them
 *   w, base the weight and the image it lies in (data at base + w->offset)
 *   y       row stride ldy floats; y + i*ldy + n; outputs past w->rows are not written
 *   bias    f32[rows] or NULL; added after the chain: y = acc + bias[n]
 *   residual  NULL, or same shape and stride as y (may be y itself): added last
 *   accumulated result is exact per the rules above; no allocation; no failure.
 * Threads split [0, ceil(rows/16)) between them. */
extern void nlp_matmul(const NlpWeight *w, const void *base, const void *act, int m,
					   uint64_t tile_from, uint64_t tile_to,
					   const float *bias, const float *residual, float *y, size_t ldy);

/* Which variant nlp_matmul reaches now for this type (for the tests that assert
 * that a level really ran), and how often each level's kernels were entered. */
extern const void *nlp_matmul_variant(NlpDtype weight, NlpIsa isa);
extern uint64_t nlp_kernel_calls[NLP_ISA_COUNT];	/* counted on every entry, relaxed; tests only */

#endif
