/* scan_plain.c --- the scan kernels for every machine, and what the others must equal. */
#define NLP_VEC_PLAIN

#include "kernel/scan_body.h"
#include "engine_only.h"

static void
scan_slice(const NlpScanQuery *q, const void *slice, size_t first, size_t n, int32_t high[16], int32_t low[16])
{
	const int8_t *codes = slice;
	const int8_t *h = q->planes + 4 * first;
	const int8_t *l = h + 4 * nlp_scan_groups(q->dim);

	for (size_t g = 0; g < n; g++, codes += 4 * NLP_SCAN_ROWS)
	{
		for (int r = 0; r < NLP_SCAN_ROWS; r++)
		{
			for (int i = 0; i < 4; i++)
			{
				high[r] += h[4 * g + i] * codes[4 * r + i];
				low[r] += l[4 * g + i] * codes[4 * r + i];
			}
		}
	}
}

static void
scan_tiles(const NlpScanQuery *q, const void *tiles, size_t n_tiles, float *sums)
{
	size_t		groups = nlp_scan_groups(q->dim);
	const char *tile = tiles;

	for (size_t t = 0; t < n_tiles; t++, tile += 4 * NLP_SCAN_ROWS * groups)
	{
		int32_t		high[NLP_SCAN_ROWS] = {0},
					low[NLP_SCAN_ROWS] = {0};

		scan_slice(q, tile, 0, groups, high, low);
		for (int r = 0; r < NLP_SCAN_ROWS; r++)
			sums[NLP_SCAN_ROWS * t + r] = (float) (128 * (int64_t) high[r] + low[r]);
	}
}

static void
scan_reach(float query_scale, const NlpScanSlack *s, const NlpScanCode *rows, const float *sums,
		   size_t n_tiles, float threshold, uint16_t *masks)
{
	for (size_t t = 0; t < n_tiles; t++, rows += NLP_SCAN_ROWS, sums += NLP_SCAN_ROWS)
	{
		unsigned	mask = 0;

		for (int r = 0; r < NLP_SCAN_ROWS; r++)
		{
			float		slack = s->error_part * rows[r].error + s->norm_part * rows[r].norm + s->rest;
			float		upper = query_scale * rows[r].scale * sums[r] + slack;

			mask |= (unsigned) !(upper < threshold) << r;
		}
		masks[t] = (uint16_t) mask;
	}
}

const NlpScanOps nlp_scan_plain = SCAN_OPS;
