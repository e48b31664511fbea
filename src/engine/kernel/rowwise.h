/* rowwise.h --- everything that works on rows of f32: norms, activations,
 * rotary embedding, softmax. One body, compiled per instruction set
 * (rowwise_body.h through the 16-lane vector of vec.h); results are bit-equal.
 *
 * Reductions over the width use a fixed tree: 16 lane sums, lane l taking
 * elements l, l+16, ... ascending, then ((0+8)+(4+12))... halving. exp, tanh and
 * erf are our own polynomials (vec.h), accurate to 2 ulp over the range used; exp
 * of less than -86.98 is 0.
 * All functions take m rows of width floats, row stride ld floats; out may be in. */
#ifndef NLP_KERNEL_ROWWISE_H
#define NLP_KERNEL_ROWWISE_H

#include "core/status.h"

typedef enum NlpActivation
{
	NLP_ACTIVATION_NONE = 0,
	NLP_ACTIVATION_SILU,
	NLP_ACTIVATION_GELU_TANH,	/* 0.5x(1 + tanh(sqrt(2/pi)(x + 0.044715x^3))) */
	NLP_ACTIVATION_GELU_ERF,
	NLP_ACTIVATION_RELU,
	NLP_ACTIVATION_TANH,
	NLP_ACTIVATION_SIGMOID
} NlpActivation;

/* y = x / sqrt(mean(x^2) + eps) * w; w may be NULL (all ones). Zhang & Sennrich 2019. */
extern void nlp_rmsnorm(const float *x, size_t ldx, int m, size_t width, const float *w,
						float eps, float *y, size_t ldy);

/* y = (x - mean) / sqrt(var + eps) * w + b; w and b may be NULL. Ba 2016. */
extern void nlp_layernorm(const float *x, size_t ldx, int m, size_t width, const float *w,
						  const float *b, float eps, float *y, size_t ldy);

extern void nlp_activate(NlpActivation act, const float *x, size_t ldx, int m, size_t width,
						 float *y, size_t ldy);

/* Gated unit: y = act(gate) * up. */
extern void nlp_glu(NlpActivation act, const float *gate, size_t ldg, const float *up, size_t ldu,
					int m, size_t width, float *y, size_t ldy);

extern void nlp_add(const float *a, size_t lda, const float *b, size_t ldb, int m, size_t width,
					float *y, size_t ldy);
extern void nlp_mul(const float *a, size_t lda, const float *b, size_t ldb, int m, size_t width,
					float *y, size_t ldy);
extern void nlp_scale(const float *x, size_t ldx, int m, size_t width, float s, float *y, size_t ldy);

/* y = cap * tanh(x / cap) (Gemma 2). */
extern void nlp_softcap(const float *x, size_t ldx, int m, size_t width, float cap, float *y, size_t ldy);

/* Rotary embedding in place (Su 2021): x is [m, heads, head_dim], row stride ldx.
 * cos_sin is [m, rot_dim]: for row i, cos of its rot_dim/2 angles, then their sin.
 * Pairs are (2j, 2j+1) when interleaved (llama GGUF order) or (j, j + rot_dim/2)
 * (NeoX order: qwen, gemma, phi3). Dimensions past rot_dim are left alone. */
extern void nlp_rope(float *x, size_t ldx, int m, int heads, int head_dim, int rot_dim,
					 const float *cos_sin, bool interleaved);

/* Index of the largest value; the lowest index wins a tie; NaN never wins. */
extern uint32_t nlp_argmax(const float *x, size_t n);

/* x[i] = exp(x[i] - max); returns the fixed-tree sum. max is found exactly first. */
extern float nlp_softmax_exp(float *x, size_t n);

/* log(sum(exp(x))), in double, fixed order; exp itself is that of f32, so it holds to
 * about 1e-8. The largest value when that is infinite; NaN beside finite values gives NaN. */
extern double nlp_logsumexp(const float *x, size_t n);

#endif
