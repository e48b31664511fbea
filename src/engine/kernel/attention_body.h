/* attention_body.h --- the one body behind attention.h, over the 16-lane vector of
 * vec.h; included once by each attention_<isa>.c, which names the table in V_OPS.
 *
 * Query rows are the pairs (token, head of the group) in order of tokens: all heads
 * of a group read the same keys. A strip of up to NLP_ATTN_ROWS rows goes over the
 * pages twice: once for the scores, once, after the softmax, for the values. Inside
 * a strip, blocks of V_BLOCK rows meet a page in one register tile, which does
 *
 *     c[r][lane] = fma(a[r][k], b[k][lane], c[r][lane])   k ascending
 *
 * for both products (scores: k over d, lanes over positions; values: k over
 * positions, lanes over d). Each output is therefore one chain whatever the tile.
 *
 * A row's chain over positions ends exactly at its own last visible position, and
 * masked scores are replaced, not multiplied: nothing of an unused slot or of a
 * later position can reach a result, be it NaN or infinity. */
#include "kernel/attention_ops.h"
#include "kernel/vec.h"

#if defined(NLP_VEC_AVX512)
#define V_BLOCK 8				/* rows of a full tile */
#define V_TILE 16				/* accumulators a tile may hold */
#elif defined(NLP_VEC_PLAIN)
#define V_BLOCK 2
#define V_TILE 2
#else
#define V_BLOCK 6
#define V_TILE 6
#endif
#define V_DIRECT_ROWS V_BLOCK	/* up to so many rows convert f16 in the tile itself */

/* ---- the register tile ---------------------------------------------------- */

typedef struct TileArgs
{
	const float *a;				/* a[r * a_row + k] */
	size_t		a_row;
	const void *b;				/* b[k * b_row + lane], f32 or f16 */
	size_t		b_row;
	ptrdiff_t	ahead;			/* bytes from b to what will be read next, to be fetched meanwhile */
	int			lanes;			/* a multiple of 16 */
	int			depth;			/* steps of k */
	bool		more;			/* start from c, not from 0 */
	float	   *c;				/* c[r * c_row + lane] */
	size_t		c_row;
} TileArgs;

/* Hides from the compiler how a pointer came about. Left to itself it keeps an
 * offset for every row and step of the unrolled loop, and spills them; three
 * pointers and a row stride reach up to eight rows by address modes alone. */
#define OPAQUE(p) __asm__("" : "+r"(p))

/* No load moves over this: those of later steps, brought forward, cost registers
 * that the sums then lack. */
#define LOADS_STAY() __asm__ volatile("" ::: "memory")

/* One step of k. Where registers are few a vector of b meets all rows before the
 * next is loaded. */
V_INLINE void
tile_step(const int rows, const int vecs, const bool half, const float *const a[3], size_t a_row, int k,
		  const char *b, Vec acc[V_BLOCK][4])
{
#if V_TILE > 2 * V_BLOCK - 1
	Vec			bv[4];

#pragma GCC unroll 4
	for (int n = 0; n < vecs; n++)
		bv[n] = half ? v_load_f16((const uint16_t *) b + n * V_LANES) : v_load((const float *) b + n * V_LANES);
#pragma GCC unroll 8
	for (int r = 0; r < rows; r++)
	{
		Vec			av = v_set(a[r / 3][r % 3 * a_row + k]);

#pragma GCC unroll 4
		for (int n = 0; n < vecs; n++)
			acc[r][n] = v_fma(av, bv[n], acc[r][n]);
	}
#else
#pragma GCC unroll 4
	for (int n = 0; n < vecs; n++)
	{
		Vec			bv = half ? v_load_f16((const uint16_t *) b + n * V_LANES) : v_load((const float *) b + n * V_LANES);

		LOADS_STAY();
#pragma GCC unroll 8
		for (int r = 0; r < rows; r++)
			acc[r][n] = v_fma(v_set(a[r / 3][r % 3 * a_row + k]), bv, acc[r][n]);
	}
#endif
}

/* rows x (vecs * 16) outputs, from lane `at` on. */
V_INLINE void
tile(const int rows, const int vecs, const bool half, const TileArgs *t, int at)
{
	const float *a[3] = {t->a, t->a + 3 * t->a_row, t->a + 6 * t->a_row};
	const char *b = (const char *) t->b + at * (half ? sizeof(uint16_t) : sizeof(float));
	float	   *c = t->c + at;
	size_t		a_row = t->a_row;
	const size_t b_bytes = t->b_row * (half ? sizeof(uint16_t) : sizeof(float));
	const ptrdiff_t ahead = t->ahead;
	Vec			acc[V_BLOCK][4];
	int			k = t->depth;

#pragma GCC unroll 8
	for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
		for (int n = 0; n < vecs; n++)
			acc[r][n] = t->more ? v_load(c + r * t->c_row + n * V_LANES) : v_zero();
	for (; k >= 4; k -= 4)
	{
		OPAQUE(a[0]);
		OPAQUE(a[1]);
		OPAQUE(a[2]);
#pragma GCC unroll 4
		for (int i = 0; i < 4; i++)
		{
			if (half)
				__builtin_prefetch(b + ahead);
			tile_step(rows, vecs, half, a, a_row, i, b, acc);
			b += b_bytes;
		}
		a[0] += 4;
		a[1] += 4;
		a[2] += 4;
	}
	for (int i = 0; i < k; i++, b += b_bytes)
		tile_step(rows, vecs, half, a, a_row, i, b, acc);
#pragma GCC unroll 8
	for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
		for (int n = 0; n < vecs; n++)
			v_store(c + r * t->c_row + n * V_LANES, acc[r][n]);
}

/* All lanes of t, as many vectors at a time as have their sums in registers. */
V_INLINE void
tile_row(const int rows, const bool half, const TileArgs *t)
{
	int			at = 0;

	if (rows * 4 <= V_TILE)
		for (; at + 4 * V_LANES <= t->lanes; at += 4 * V_LANES)
			tile(rows, 4, half, t, at);
	if (rows * 2 <= V_TILE)
		for (; at + 2 * V_LANES <= t->lanes; at += 2 * V_LANES)
			tile(rows, 2, half, t, at);
	for (; at < t->lanes; at += V_LANES)
		tile(rows, 1, half, t, at);
}

typedef void (*TileFn) (const TileArgs *t);

#define TILE_FN(rows) \
	static void tile_f32_##rows(const TileArgs *t) { tile_row(rows, false, t); } \
	static void tile_f16_##rows(const TileArgs *t) { tile_row(rows, true, t); }

TILE_FN(1) TILE_FN(2)
#if V_BLOCK >= 6
TILE_FN(3) TILE_FN(4) TILE_FN(5) TILE_FN(6)
#endif
#if V_BLOCK >= 8
TILE_FN(7) TILE_FN(8)
#endif
#if V_BLOCK == 2
#define TILES(half) {tile_##half##_1, tile_##half##_2}
#elif V_BLOCK == 6
#define TILES(half) {tile_##half##_1, tile_##half##_2, tile_##half##_3, tile_##half##_4, \
	tile_##half##_5, tile_##half##_6}
#else
#define TILES(half) {tile_##half##_1, tile_##half##_2, tile_##half##_3, tile_##half##_4, \
	tile_##half##_5, tile_##half##_6, tile_##half##_7, tile_##half##_8}
#endif

static const TileFn tiles[2][V_BLOCK] = {TILES(f32), TILES(f16)};

/* ---- a strip of query rows ------------------------------------------------ */

typedef struct Strip
{
	const NlpAttnShape *shape;
	void *const *pages;
	int			g;				/* kv head */
	int			rows;
	int			from[NLP_ATTN_ROWS];	/* row r sees positions [from, to); both ascend with r */
	int			to[NLP_ATTN_ROWS];
	int			first;			/* pages [first, last] hold all of them */
	int			last;
	size_t		dim;			/* head_dim padded to whole vectors */
	size_t		stride;			/* floats between score rows */
	float	   *score;			/* [rows][stride], column 0 is position first * 32 */
	float	   *query;			/* [rows][dim], scaled */
	float	   *acc;			/* [rows][dim] */
	float	   *page;			/* one page's keys [head_dim][32] or values [32][dim] */
	float		sum[NLP_ATTN_ROWS];
} Strip;

static inline int
smaller(int a, int b)
{
	return a < b ? a : b;
}

static inline int
larger(int a, int b)
{
	return a > b ? a : b;
}

V_INLINE Vec
load_some(const float *p, int n)
{
	return n >= V_LANES ? v_load(p) : v_load_n(p, n);
}

static const uint16_t *
page_keys(const Strip *s, int page)
{
	return (const uint16_t *) s->pages[page] + (size_t) s->g * s->shape->head_dim * NLP_KV_PAGE;
}

static const uint16_t *
page_values(const Strip *s, int page)
{
	return page_keys(s, page) + (size_t) s->shape->kv_heads * s->shape->head_dim * NLP_KV_PAGE;
}

/* The strip's queries, scaled. */
static void
pack_queries(Strip *s, const float *q, size_t ldq, int row0)
{
	int			group = s->shape->heads / s->shape->kv_heads;
	int			d = s->shape->head_dim;
	Vec			scale = v_set(s->shape->scale);

	for (int r = 0; r < s->rows; r++)
	{
		int			row = row0 + r;
		const float *src = q + (size_t) (row / group) * ldq + ((size_t) s->g * group + row % group) * d;

		for (int c = 0; c < d; c += V_LANES)
			v_store(s->query + r * s->dim + c, v_mul(load_some(src + c, d - c), scale));
	}
}

/* Bytes from this page's part to the next one's, 0 at the last. */
static ptrdiff_t
page_ahead(const Strip *s, int page)
{
	return page < s->last ? (const char *) s->pages[page + 1] - (const char *) s->pages[page] : 0;
}

static void
score_page(Strip *s, int page)
{
	int			d = s->shape->head_dim;
	bool		half = s->rows <= V_DIRECT_ROWS;
	const uint16_t *keys = page_keys(s, page);

	if (!half)
		for (int c = 0; c < d * NLP_KV_PAGE; c += V_LANES)
			v_store(s->page + c, v_load_f16(keys + c));
	for (int r0 = 0; r0 < s->rows; r0 += V_BLOCK)
	{
		int			n = smaller(V_BLOCK, s->rows - r0);
		int			seen = s->to[r0 + n - 1] - page * NLP_KV_PAGE;	/* of this page, by any row */
		TileArgs	t = {
			.a = s->query + r0 * s->dim, .a_row = s->dim,
			.b = half ? (const void *) keys : s->page, .b_row = NLP_KV_PAGE, .ahead = page_ahead(s, page),
			.lanes = seen > V_LANES ? NLP_KV_PAGE : V_LANES, .depth = d,
			.c = s->score + r0 * s->stride + (size_t) (page - s->first) * NLP_KV_PAGE, .c_row = s->stride
		};

		if (seen > 0 && s->from[r0] < (page + 1) * NLP_KV_PAGE)
			tiles[half][n - 1] (&t);
	}
}

V_INLINE Vec
visible(Vec x, float hidden, int at, int from, int to)
{
	VMask		m = v_mask_and(v_mask_from(larger(from - at, 0)), v_mask_below(smaller(to - at, V_LANES)));

	return v_blend(m, x, v_set(hidden));
}

/* Scores of one row become exp(score - max); hidden ones in touched vectors
 * become 0. The sum's lane is the absolute position mod 16. */
static float
softmax_row(float *score, int from, int to, float softcap)
{
	int			begin = from & ~(V_LANES - 1);
	Vec			best = v_set(-INFINITY);
	Vec			sum = v_zero();
	Vec			cap = v_set(softcap);
	Vec			top;

	for (int p = begin; p < to; p += V_LANES)
	{
		Vec			x = v_load(score + p);

		if (softcap > 0)
		{
			x = v_mul(cap, v_tanh(v_div(x, cap)));
			v_store(score + p, x);
		}
		if (p < from || p + V_LANES > to)
			x = visible(x, -INFINITY, p, from, to);
		best = v_max(x, best);
	}
	top = v_set(v_max_lane(best));
	for (int p = begin; p < to; p += V_LANES)
	{
		Vec			e = v_exp(v_sub(v_load(score + p), top));

		if (p < from || p + V_LANES > to)
			e = visible(e, 0.0f, p, from, to);
		v_store(score + p, e);
		sum = v_add(sum, e);
	}
	return v_sum(sum);
}

/* acc of rows [r0, r0 + n) over positions [from, to) of one page. */
V_INLINE void
add_values(Strip *s, int page, bool half, int r0, int n, int from, int to)
{
	const char *values = half ? (const char *) page_values(s, page) : (const char *) s->page;
	size_t		width = half ? (size_t) s->shape->head_dim : s->dim;
	TileArgs	t = {
		.a = s->score + r0 * s->stride + (from - s->first * NLP_KV_PAGE), .a_row = s->stride,
		.b = values + (from - page * NLP_KV_PAGE) * width * (half ? sizeof(uint16_t) : sizeof(float)),
		.b_row = width, .ahead = page_ahead(s, page),
		.lanes = (int) s->dim, .depth = to - from,
		.more = true,
		.c = s->acc + r0 * s->dim, .c_row = s->dim
	};

	if (from < to)
		tiles[half][n - 1] (&t);
}

static void
weigh_page(Strip *s, int page)
{
	int			d = s->shape->head_dim;
	int			begin = page * NLP_KV_PAGE;
	int			end = begin + NLP_KV_PAGE;
	bool		half = s->rows <= V_DIRECT_ROWS && d % V_LANES == 0;
	const uint16_t *values = page_values(s, page);

	if (!half)
		for (int p = 0; p < NLP_KV_PAGE; p++, values += d)
		{
			int			c = 0;

			for (; c + V_LANES <= d; c += V_LANES)
				v_store(s->page + p * s->dim + c, v_load_f16(values + c));
			if (c < d)
			{
				uint16_t	tail[V_LANES] = {0};

				memcpy(tail, values + c, (d - c) * sizeof(uint16_t));
				v_store(s->page + p * s->dim + c, v_load_f16(tail));
			}
		}
	for (int r0 = 0; r0 < s->rows; r0 += V_BLOCK)
	{
		int			n = smaller(V_BLOCK, s->rows - r0);
		int			from = larger(begin, s->from[r0 + n - 1]);	/* what all rows of the block see */
		int			to = smaller(end, s->to[r0]);

		if (from >= to)
			from = to = end;
		for (int r = r0; r < r0 + n; r++)
			add_values(s, page, half, r, 1, larger(begin, s->from[r]), smaller(from, s->to[r]));
		add_values(s, page, half, r0, n, from, to);
		for (int r = r0; r < r0 + n; r++)
			add_values(s, page, half, r, 1, to, smaller(end, s->to[r]));
	}
}

static void
attend_strip(Strip *s, const float *q, size_t ldq, int row0, float *out, size_t ldo)
{
	int			group = s->shape->heads / s->shape->kv_heads;
	int			d = s->shape->head_dim;
	int			origin = s->first * NLP_KV_PAGE;

	pack_queries(s, q, ldq, row0);
	for (int page = s->first; page <= s->last; page++)
		score_page(s, page);
	for (int r = 0; r < s->rows; r++)
		s->sum[r] = softmax_row(s->score + r * s->stride, s->from[r] - origin, s->to[r] - origin,
								s->shape->softcap);
	memset(s->acc, 0, s->rows * s->dim * sizeof(float));
	for (int page = s->first; page <= s->last; page++)
		weigh_page(s, page);
	for (int r = 0; r < s->rows; r++)
	{
		float	   *dst = out + (size_t) ((row0 + r) / group) * ldo +
			((size_t) s->g * group + (row0 + r) % group) * d;
		const float *src = s->acc + r * s->dim;
		Vec			sum = v_set(s->sum[r]);
		int			c = 0;

		for (; c + V_LANES <= d; c += V_LANES)
			v_store(dst + c, v_div(v_load(src + c), sum));
		if (c < d)
			v_store_n(dst + c, v_div(v_load(src + c), sum), d - c);
	}
}

static void
attention(const NlpAttnShape *shape, const float *q, size_t ldq, int t, int pos0,
		  void *const *pages, int g_from, int g_to, float *out, size_t ldo, void *work)
{
	int			group = shape->heads / shape->kv_heads;
	Strip		s = {.shape = shape, .pages = pages};

	s.dim = nlp_attn_padded_dim(shape->head_dim);
	s.stride = nlp_attn_score_stride(pos0 + t);
	s.score = work;
	s.query = s.score + NLP_ATTN_ROWS * s.stride;
	s.acc = s.query + NLP_ATTN_ROWS * s.dim;
	s.page = s.acc + NLP_ATTN_ROWS * s.dim;
	for (s.g = g_from; s.g < g_to; s.g++)
	{
		for (int row0 = 0; row0 < t * group; row0 += NLP_ATTN_ROWS)
		{
			s.rows = smaller(NLP_ATTN_ROWS, t * group - row0);
			for (int r = 0; r < s.rows; r++)
			{
				s.to[r] = pos0 + (row0 + r) / group + 1;
				s.from[r] = shape->window > 0 ? larger(0, s.to[r] - shape->window) : 0;
			}
			s.first = s.from[0] / NLP_KV_PAGE;
			s.last = (s.to[s.rows - 1] - 1) / NLP_KV_PAGE;
			attend_strip(&s, q, ldq, row0, out, ldo);
		}
	}
}

/* ---- storing keys and values ----------------------------------------------- */

static void
kv_store(void *layer_page, int slot, int kv_heads, int head_dim, const float *k, const float *v)
{
	uint16_t   *keys = (uint16_t *) layer_page + slot;
	uint16_t   *values = (uint16_t *) layer_page + (size_t) kv_heads * head_dim * NLP_KV_PAGE +
		(size_t) slot * head_dim;
	uint16_t	tmp[V_LANES];
	int			width = kv_heads * head_dim;

	for (int c = 0; c < width; c += V_LANES)
	{
		int			n = smaller(V_LANES, width - c);

		v_store_f16(tmp, load_some(k + c, n));
		for (int l = 0; l < n; l++)
			keys[(size_t) (c + l) * NLP_KV_PAGE] = tmp[l];
	}
	for (int g = 0; g < kv_heads; g++, values += (size_t) head_dim * NLP_KV_PAGE, v += head_dim)
	{
		for (int c = 0; c < head_dim; c += V_LANES)
		{
			int			n = smaller(V_LANES, head_dim - c);

			if (n == V_LANES)
				v_store_f16(values + c, v_load(v + c));
			else
			{
				v_store_f16(tmp, v_load_n(v + c, n));
				memcpy(values + c, tmp, n * sizeof(uint16_t));
			}
		}
	}
}

const NlpAttentionOps V_OPS = {.kv_store = kv_store, .attention = attention};
