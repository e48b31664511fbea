/* scan_ops.h --- the table one instruction set fills for scan.h; private to scan*.c. */
#ifndef NLP_KERNEL_SCAN_OPS_H
#define NLP_KERNEL_SCAN_OPS_H

#include "kernel/scan.h"

/* slack = error_part * row.error + norm_part * row.norm + rest. */
typedef struct NlpScanSlack
{
	float		error_part,
				norm_part,
				rest;
} NlpScanSlack;

typedef struct NlpScanOps
{
	void		(*tiles) (const NlpScanQuery *q, const void *tiles, size_t n_tiles, float *sums);
	void		(*slice) (const NlpScanQuery *q, const void *slice, size_t first, size_t n,
						  int32_t high[16], int32_t low[16]);
	void		(*reach) (float query_scale, const NlpScanSlack *slack, const NlpScanCode *rows,
						  const float *sums, size_t n_tiles, float threshold, uint16_t *masks);
	float		(*dot) (const float *a, const float *b, size_t n);
	float		(*l2sq) (const float *a, const float *b, size_t n);
	float		(*l1) (const float *a, const float *b, size_t n);
	void		(*cosine) (const float *a, const float *b, size_t n, float *dot, float *aa, float *bb);
} NlpScanOps;

/* NULL for a level this build does not have. */
extern const NlpScanOps *nlp_scan_ops(int isa);

extern const NlpScanOps nlp_scan_plain;
#if defined(__x86_64__)
extern const NlpScanOps nlp_scan_avx2;
extern const NlpScanOps nlp_scan_avx512;
#elif defined(__aarch64__)
extern const NlpScanOps nlp_scan_neon;
#endif

/* What a query's planes hold behind the codes: sums of the first g groups, g = 0..groups. */
static inline const int32_t *
nlp_scan_sums(const NlpScanQuery *q, int low)
{
	size_t		groups = nlp_scan_groups(q->dim);
	const int32_t *at = (const int32_t *) (q->planes + ((8 * groups + 63) & ~(size_t) 63));

	return at + (low ? groups + 1 : 0);
}

#endif
