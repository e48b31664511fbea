/* project.h --- vectors to a few coordinates for plotting: principal components. */
#ifndef NLP_WORDVEC_PROJECT_H
#define NLP_WORDVEC_PROJECT_H

#include "core/env.h"

/* Coordinates of rows [n][stride], dim values each, along their first k principal components, into
 * out [n][k]. Means are taken off, rows are not scaled. A component's sign is chosen so that its entry of
 * largest magnitude (the first of equals) is positive; components beyond the rank give 0. explained [k],
 * may be NULL: share of the variance. k <= dim; double arithmetic, the same on every machine up to rounding.
 * NLP_EINVALID: n = 0, k = 0 or k > dim, or a value that is not finite. Polls. */
extern NlpStatus nlp_project_pca(const float *rows, size_t stride, uint32_t n, uint32_t dim, uint32_t k,
								 const NlpEnv *env, float *out, double *explained, NlpError *err);

#endif
