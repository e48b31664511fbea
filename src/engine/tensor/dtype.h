/* dtype.h --- logical element types, numbered as in GGUF (ggml_type), and their
 * block geometry. Physical (packed) layout is another matter: tensor/pack.h.
 * Source of numbers and block layouts: ggml's ggml-common.h and docs/gguf.md. */
#ifndef NLP_TENSOR_DTYPE_H
#define NLP_TENSOR_DTYPE_H

#include "core/alloc.h"

typedef enum NlpDtype
{
	NLP_F32 = 0,
	NLP_F16 = 1,
	NLP_Q4_0 = 2,
	NLP_Q4_1 = 3,
	NLP_Q5_0 = 6,
	NLP_Q5_1 = 7,
	NLP_Q8_0 = 8,
	NLP_Q4_K = 12,
	NLP_Q5_K = 13,
	NLP_Q6_K = 14,
	NLP_BF16 = 30
} NlpDtype;

typedef struct NlpDtypeInfo
{
	const char *name;			/* "Q4_1" */
	uint16_t	block_elems;	/* 1, 32 or 256 */
	uint16_t	block_bytes;
	bool		supported;		/* false: known by name only, refused */
} NlpDtypeInfo;

/* NULL for a number ggml never used. Types that were removed or that we do not
 * run come back with supported = false, so that an error can name them. */
extern const NlpDtypeInfo *nlp_dtype_info(uint32_t dtype);

/* Bytes of rows x cols elements as stored in the file; false on overflow or when
 * cols is not a multiple of the block. */
extern bool nlp_dtype_bytes(NlpDtype dtype, uint64_t rows, uint64_t cols, uint64_t *bytes);

/* Unpack n elements (a multiple of the block) of file layout to f32; the plain
 * reference used by import, export checks and tests. */
extern void nlp_dtype_to_f32(NlpDtype dtype, const void *src, float *dst, size_t n);

/* Quantise n elements (a multiple of the block) from f32 to F32, F16, BF16, Q4_0,
 * Q4_1, Q5_0, Q5_1 or Q8_0 as ggml's reference quantisers do (bit-equal blocks).
 * false for the other types. */
extern bool nlp_dtype_from_f32(NlpDtype dtype, const float *src, void *dst, size_t n);

#endif
