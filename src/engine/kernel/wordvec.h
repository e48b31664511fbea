/* wordvec.h --- the arithmetic of word vector training: products of gathered rows and
 * the updates that follow from them.
 *
 * Rows are f32, width floats long (a multiple of 16, padding zero), given as pointers;
 * m input rows (contexts, or a hidden layer) meet n output rows (words, negatives, inner
 * nodes). Sixteen lanes run over the width in a fixed order and one fixed tree adds them
 * up, so every instruction set gives the same bits. A row may appear more than once, on
 * one side: all changes are computed from the old values and added up.
 *
 * Values stay finite as long as rows do: sigmoid takes any input, also NaN. */
#ifndef NLP_KERNEL_WORDVEC_H
#define NLP_KERNEL_WORDVEC_H

#include <stddef.h>
#include <stdint.h>

#define NLP_WORD_INPUTS 8		/* m at most, in one call */
#define NLP_WORD_LARGE 1e4f

typedef struct NlpWordKernel
{
	/* g[i * n + k] = x_i . y_k; g has room for m * n rounded up to 16. */
	void		(*dots) (float *const *x, int m, float *const *y, int n, size_t width, float *g);
	/* f[i] = -rate * sigmoid(f[i]); f has room for n rounded up to 16 (all of it is written). Says
	 * whether one of the n was beyond +-NLP_WORD_LARGE or NaN: rows are running away. */
	int			(*sigmoid) (float *f, size_t n, float rate);
	/* x_i += sum_k g[i * n + k] y_k and y_k += sum_i g[i * n + k] x_i, of the old values.
	 * work: m * width floats. fetch: rows that will be wanted soon; their lines are asked for on the way. */
	void		(*update) (float *const *x, int m, float *const *y, int n, const float *g, size_t width,
						   float *work, float *const *fetch, int n_fetch);
	/* out = scale * sum of the n rows. */
	void		(*mean) (float *const *x, size_t n, float scale, size_t width, float *out);
	/* x_i += scale * e, each in turn. */
	void		(*spread) (float *const *x, size_t n, float scale, const float *e, size_t width);
	/* out = sum_k g[k] y_k; then y_k += g[k] h, each in turn: a hidden layer that is no row. */
	void		(*hidden) (const float *h, float *const *y, int n, const float *g, size_t width, float *out,
						   float *const *fetch, int n_fetch);
	/* One output row of the classic rule: f = x . y; clipped at 6, s = sigmoid(f) (0 or 1 beyond; 'skip'
	 * says to leave the pair alone instead, as the tree's rule does); g = (target - s) * rate;
	 * e += g y; y += g x. Returns f. */
	float		(*pair) (const float *x, float *y, float *e, size_t width, float target, float rate, int skip);
	/* f -> rate * (onehot(target) - softmax(f)), n > 0 values; returns the probability of the target. */
	float		(*softmax) (float *f, size_t n, size_t target, float rate);
	/* Largest absolute value; NaN counts as infinity. */
	float		(*largest) (const float *x, size_t n);
} NlpWordKernel;

/* Of the instruction set in use; of a given one (NULL: not in this build). */
extern const NlpWordKernel *nlp_word_kernel(void);
extern const NlpWordKernel *nlp_word_kernel_of(int isa);

#endif
