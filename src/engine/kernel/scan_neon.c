/* scan_neon.c --- the scan kernels on aarch64 with the dot product extension: signed by
 * signed, four q registers a group. */
#if defined(__aarch64__)
#define NLP_VEC_NEON

#include "kernel/scan_body.h"
#include "engine_only.h"

V_INLINE int8x16_t
word_of(const int8_t *p)
{
	int32_t		v;

	memcpy(&v, p, 4);
	return vreinterpretq_s8_s32(vdupq_n_s32(v));
}

V_INLINE void
add_chunk(const int8_t *h, const int8_t *l, const int8_t *codes, size_t n, int32x4_t high[4], int32x4_t low[4])
{
	for (size_t g = 0; g < n; g++, codes += 64)
	{
		int8x16_t	hq = word_of(h + 4 * g);
		int8x16_t	lq = word_of(l + 4 * g);

		for (int i = 0; i < 4; i++)
		{
			int8x16_t	c = vld1q_s8(codes + 16 * i);

			high[i] = vdotq_s32(high[i], c, hq);
			low[i] = vdotq_s32(low[i], c, lq);
		}
	}
}

V_INLINE void
add_groups(const int8_t *h, const int8_t *l, const int8_t *codes, size_t n, int32x4_t high[4], int32x4_t low[4])
{
	size_t		step = scan_step(n);

	for (size_t g = 0; g < n; g += step)
	{
		__builtin_prefetch(codes + 64 * g + SCAN_AHEAD);
		add_chunk(h + 4 * g, l + 4 * g, codes + 64 * g, n - g < step ? n - g : step, high, low);
	}
}

static void
scan_slice(const NlpScanQuery *q, const void *slice, size_t first, size_t n, int32_t high[16], int32_t low[16])
{
	const int8_t *h = q->planes + 4 * first;
	int32x4_t	hv[4],
				lv[4];

	for (int i = 0; i < 4; i++)
	{
		hv[i] = vld1q_s32(high + 4 * i);
		lv[i] = vld1q_s32(low + 4 * i);
	}
	add_groups(h, h + 4 * nlp_scan_groups(q->dim), slice, n, hv, lv);
	for (int i = 0; i < 4; i++)
	{
		vst1q_s32(high + 4 * i, hv[i]);
		vst1q_s32(low + 4 * i, lv[i]);
	}
}

/* 128 * high + low, exact in double, rounded once to f32. */
V_INLINE float32x2_t
join(int32x2_t high, int32x2_t low)
{
	return vcvt_f32_f64(vfmaq_n_f64(vcvtq_f64_s64(vmovl_s32(low)), vcvtq_f64_s64(vmovl_s32(high)), 128));
}

static void
scan_tiles(const NlpScanQuery *q, const void *tiles, size_t n_tiles, float *sums)
{
	size_t		groups = nlp_scan_groups(q->dim);
	const int8_t *h = q->planes;
	const int8_t *tile = tiles;

	for (size_t t = 0; t < n_tiles; t++, tile += 4 * NLP_SCAN_ROWS * groups)
	{
		int32x4_t	high[4] = {{0}},
					low[4] = {{0}};

		add_groups(h, h + 4 * groups, tile, groups, high, low);
		for (int i = 0; i < 4; i++)
		{
			float	   *out = sums + NLP_SCAN_ROWS * t + 4 * i;

			vst1_f32(out, join(vget_low_s32(high[i]), vget_low_s32(low[i])));
			vst1_f32(out + 2, join(vget_high_s32(high[i]), vget_high_s32(low[i])));
		}
	}
}

static void
scan_reach(float query_scale, const NlpScanSlack *s, const NlpScanCode *rows, const float *sums,
		   size_t n_tiles, float threshold, uint16_t *masks)
{
	static const uint32_t bit[4] = {1, 2, 4, 8};
	const float *p = (const float *) rows;

	for (size_t t = 0; t < n_tiles; t++)
	{
		unsigned	mask = 0;

		for (int i = 0; i < 4; i++, p += 12, sums += 4)
		{
			float32x4x3_t row = vld3q_f32(p);	/* scale, error, norm */
			float32x4_t slack = vaddq_f32(vmulq_n_f32(row.val[1], s->error_part),
										  vmulq_n_f32(row.val[2], s->norm_part));
			float32x4_t scale = vmulq_n_f32(row.val[0], query_scale);
			float32x4_t upper = vaddq_f32(vmulq_f32(scale, vld1q_f32(sums)), vaddq_f32(slack, vdupq_n_f32(s->rest)));
			uint32x4_t	below = vcltq_f32(upper, vdupq_n_f32(threshold));

			mask |= vaddvq_u32(vbicq_u32(vld1q_u32(bit), below)) << 4 * i;
		}
		masks[t] = (uint16_t) mask;
	}
}

const NlpScanOps nlp_scan_neon = SCAN_OPS;
#else
typedef int nlp_scan_neon_is_empty;
#endif
