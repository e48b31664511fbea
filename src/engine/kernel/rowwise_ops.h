/* rowwise_ops.h --- the table one instruction set fills for rowwise.h; private to
 * rowwise*.c. */
#ifndef NLP_KERNEL_ROWWISE_OPS_H
#define NLP_KERNEL_ROWWISE_OPS_H

#include "kernel/rowwise.h"

typedef struct NlpRowwiseOps
{
	void		(*rmsnorm) (const float *x, size_t ldx, int m, size_t width, const float *w,
							float eps, float *y, size_t ldy);
	void		(*layernorm) (const float *x, size_t ldx, int m, size_t width, const float *w,
							  const float *b, float eps, float *y, size_t ldy);
	void		(*activate) (NlpActivation act, const float *x, size_t ldx, int m, size_t width,
							 float *y, size_t ldy);
	void		(*glu) (NlpActivation act, const float *gate, size_t ldg, const float *up, size_t ldu,
						int m, size_t width, float *y, size_t ldy);
	void		(*add) (const float *a, size_t lda, const float *b, size_t ldb, int m, size_t width,
						float *y, size_t ldy);
	void		(*mul) (const float *a, size_t lda, const float *b, size_t ldb, int m, size_t width,
						float *y, size_t ldy);
	void		(*scale) (const float *x, size_t ldx, int m, size_t width, float s, float *y, size_t ldy);
	void		(*softcap) (const float *x, size_t ldx, int m, size_t width, float cap, float *y, size_t ldy);
	void		(*rope) (float *x, size_t ldx, int m, int heads, int head_dim, int rot_dim,
						 const float *cos_sin, bool interleaved);
	uint32_t	(*argmax) (const float *x, size_t n);
	float		(*softmax_exp) (float *x, size_t n);
	/* Largest value in *max (NaN ignored), sum of exp(x - max) in double returned. */
	double		(*sum_exp) (const float *x, size_t n, float *max);
	void		(*map) (int fn, const float *x, size_t n, float *y);	/* NLP_MAP_..., for the tests */
} NlpRowwiseOps;

enum
{
	NLP_MAP_EXP,
	NLP_MAP_TANH,
	NLP_MAP_ERF
};

/* NULL for a level this build does not have. */
extern const NlpRowwiseOps *nlp_rowwise_ops(int isa);

extern const NlpRowwiseOps nlp_rowwise_plain;
#if defined(__x86_64__)
extern const NlpRowwiseOps nlp_rowwise_avx2;
extern const NlpRowwiseOps nlp_rowwise_avx512;
#elif defined(__aarch64__)
extern const NlpRowwiseOps nlp_rowwise_neon;
#endif

#endif
