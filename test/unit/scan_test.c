/* scan_test.c --- the int8 scan: sums against 64-bit integers on every level, whole and in
 * slices; coding; the bound, on ordinary and on hostile rows; f32 distances against double,
 * equal bits on all levels. */
#include <math.h>

#include "check.h"
#include "core/alloc.h"
#include "core/cpu.h"
#include "core/philox.h"
#include "kernel/scan_ops.h"

#define TILES 3
#define ROWS (TILES * NLP_SCAN_ROWS)

static NlpIsa levels[NLP_ISA_COUNT];
static int	n_levels;

static void *
room(size_t bytes)
{
	void	   *p = nlp_alloc_zero(&nlp_libc_alloc, bytes ? bytes : 1);

	if (!p)
		exit(2);
	return p;
}

static void
give(void *p)
{
	nlp_free(&nlp_libc_alloc, p);
}

static double
uniform(uint64_t stream, uint64_t i)
{
	return 2 * nlp_philox_uniform(11, stream, i) - 1;
}

static void
find_levels(void)
{
	for (int isa = 0; isa < NLP_ISA_COUNT; isa++)
	{
		char		line[64];

		if (nlp_isa_available((NlpIsa) isa))
		{
			for (int i = 0; i < n_levels; i++)
				CHECK(nlp_scan_ops(levels[i])->tiles != nlp_scan_ops(isa)->tiles);
			levels[n_levels++] = (NlpIsa) isa;
			continue;
		}
		snprintf(line, sizeof(line), "scan kernels on %s", nlp_isa_name((NlpIsa) isa));
		check_not_run(line);
	}
}

/* ---- integer sums -------------------------------------------------------- */

typedef struct Scan
{
	size_t		dim,
				groups,
				tile_bytes;
	int8_t	   *codes;			/* [ROWS][4 * groups] */
	char	   *tiles;
	int8_t	   *planes;
	NlpScanQuery q;
} Scan;

static void
scan_make(Scan *s, size_t dim, int kind)
{
	float	   *x = room(dim * sizeof(float));

	s->dim = dim;
	s->groups = nlp_scan_groups(dim);
	s->tile_bytes = nlp_scan_tile_bytes(dim);
	s->codes = room(ROWS * 4 * s->groups);
	s->tiles = room(TILES * s->tile_bytes);
	s->planes = room(nlp_scan_query_bytes(dim));
	/* kind 1 and 2: every product as large as it can be, of one sign or the other. */
	for (size_t i = 0; i < dim; i++)
		x[i] = kind == 0 ? (float) uniform(dim, i) : kind == 1 ? 1 : (i & 1 ? -1 : 1);
	nlp_scan_query(x, dim, s->planes, &s->q);
	for (size_t r = 0; r < ROWS; r++)
	{
		int8_t	   *c = s->codes + r * 4 * s->groups;

		for (size_t i = 0; i < dim; i++)
			c[i] = (int8_t) (kind == 0 ? lrint(127 * uniform(1000 + r, i)) :
							 (kind == 2 && i & 1) ^ (r & 1) ? -127 : 127);
		nlp_scan_put(s->tiles + r / NLP_SCAN_ROWS * s->tile_bytes, r % NLP_SCAN_ROWS, 0, s->groups, c);
	}
	give(x);
}

static void
scan_free(Scan *s)
{
	give(s->codes);
	give(s->tiles);
	give(s->planes);
}

static void
check_sums(const Scan *s, int kind)
{
	int64_t		want[ROWS];
	int32_t		high_want[ROWS],
				low_want[ROWS];

	for (size_t r = 0; r < ROWS; r++)
	{
		const int8_t *c = s->codes + r * 4 * s->groups;
		int64_t		high = 0,
					low = 0;

		for (size_t i = 0; i < 4 * s->groups; i++)
		{
			high += c[i] * s->planes[i];
			low += c[i] * s->planes[4 * s->groups + i];
		}
		want[r] = 128 * high + low;
		high_want[r] = (int32_t) high;
		low_want[r] = (int32_t) low;
	}
	for (int l = 0; l < n_levels; l++)
	{
		float		sums[ROWS];
		int			bad = 0;

		nlp_isa_set(levels[l]);
		nlp_scan_tiles(&s->q, s->tiles, TILES, sums);
		for (size_t r = 0; r < ROWS; r++)
			bad += sums[r] != (float) want[r];
		CHECKF(bad == 0, "sums of dim %zu, kind %d on %s", s->dim, kind, nlp_isa_name(levels[l]));
		bad = 0;
		for (int t = 0; t < TILES; t++)
		{
			int32_t		high[NLP_SCAN_ROWS] = {0},
						low[NLP_SCAN_ROWS] = {0};
			size_t		g = 0;

			/* Uneven slices; each lies in memory of its own, as on a page. */
			for (size_t cut = 1; g < s->groups; cut = cut * 3 + 1)
			{
				size_t		n = s->groups - g < cut ? s->groups - g : cut;
				char	   *slice = room(64 * n);

				for (int r = 0; r < NLP_SCAN_ROWS; r++)
					nlp_scan_put(slice, r, g, n, s->codes + (NLP_SCAN_ROWS * t + r) * 4 * s->groups);
				nlp_scan_slice(&s->q, slice, g, n, high, low);
				give(slice);
				g += n;
			}
			for (int r = 0; r < NLP_SCAN_ROWS; r++)
				bad += high[r] != high_want[NLP_SCAN_ROWS * t + r] || low[r] != low_want[NLP_SCAN_ROWS * t + r];
		}
		CHECKF(bad == 0, "slices of dim %zu, kind %d on %s", s->dim, kind, nlp_isa_name(levels[l]));
	}
}

static void
test_sums(void)
{
	static const size_t more[] = {127, 128, 200, 300, 383, 384, 768, 1535, 1536, 4097, 16000, NLP_SCAN_MAX_DIM};

	for (size_t i = 1; i <= 100 + sizeof(more) / sizeof(more[0]); i++)
	{
		for (int kind = 0; kind < 3; kind++)
		{
			Scan		s;

			scan_make(&s, i <= 100 ? i : more[i - 101], kind);
			check_sums(&s, kind);
			scan_free(&s);
		}
	}
}

/* ---- coding -------------------------------------------------------------- */

static void
test_put_get(void)
{
	int8_t		codes[28],
				back[28] = {0};
	signed char tile[64 * 7];

	memset(tile, 7, sizeof(tile));
	for (int r = 0; r < NLP_SCAN_ROWS; r++)
	{
		for (int i = 0; i < 28; i++)
			codes[i] = (int8_t) (r * 13 + i - 100);
		nlp_scan_put(tile, r, 0, 7, codes);
	}
	for (int i = 0; i < 28; i++)
		codes[i] = (int8_t) (5 * 13 + i - 100);
	CHECK(tile[64 * 2 + 4 * 5 + 3] == codes[11]);
	nlp_scan_get(tile, 5, 0, 7, back);
	CHECK(memcmp(codes, back, 28) == 0);
	memset(back, 0, sizeof(back));
	nlp_scan_get(tile + 64 * 3, 5, 3, 2, back);
	CHECK(memcmp(codes + 12, back + 12, 8) == 0 && back[11] == 0 && back[20] == 0);
}

static void
test_coding(void)
{
	float		x[10] = {0.5f, -1, 0.25f, 1e-9f, 0, -0.5f, 1, 0.1f, 0.3f, -0.7f};
	float		zero[10] = {0};
	int8_t		codes[12];
	int8_t	   *planes = room(nlp_scan_query_bytes(10));
	NlpScanCode row = nlp_scan_encode(x, 10, codes);
	NlpScanQuery q;
	double		lost = 0,
				all = 0;

	CHECK(codes[1] == -127 && codes[6] == 127 && codes[3] == 0 && codes[10] == 0 && codes[11] == 0);
	for (int i = 0; i < 10; i++)
	{
		double		d = x[i] - (double) row.scale * codes[i];

		CHECK(fabs(d) <= 0.5 * row.scale * (1 + 1e-6));
		lost += d * d;
		all += (double) x[i] * x[i];
	}
	CHECK(row.error >= sqrt(lost) && row.error <= sqrt(lost) * (1 + 1e-6));
	CHECK(row.norm == (float) sqrt(all));
	row = nlp_scan_encode(zero, 10, codes);
	CHECK(row.scale == 0 && row.norm == 0 && row.error < 1e-30 && codes[0] == 0);
	nlp_scan_query(x, 10, planes, &q);
	for (int i = 0; i < 10; i++)
		CHECK(fabs(x[i] - (double) q.scale * (128 * planes[i] + planes[12 + i])) <= 0.5 * q.scale * (1 + 1e-6));
	CHECK(q.norm == (float) sqrt(all) && q.dim == 10);
	nlp_scan_query(zero, 10, planes, &q);
	CHECK(q.scale == 0 && q.norm == 0 && planes[0] == 0);
	give(planes);
}

/* ---- the bound ----------------------------------------------------------- */

static float
normal(uint64_t stream, uint64_t i)
{
	double		u = nlp_philox_uniform(5, stream, 2 * i);
	double		v = nlp_philox_uniform(5, stream, 2 * i + 1);

	return (float) (sqrt(-2 * log(1 - u)) * cos(6.283185307179586 * v));
}

/* Rows of many kinds; 8 and 9 take the most that a code can lose. */
static void
fill_row(float *x, size_t dim, int kind, uint64_t stream)
{
	for (size_t i = 0; i < dim; i++)
	{
		double		g = normal(stream, i);

		switch (kind)
		{
			case 1:
				g *= 1e-20;
				break;
			case 2:
				g *= i == stream % dim ? 1e6 : 1;
				break;
			case 3:
				g = i == stream % dim ? 3 : 0;
				break;
			case 4:
				g *= 1e18;
				break;
			case 5:
				g *= 1e-38;
				break;
			case 6:
				g = 1e-42 * (1 + fabs(g));
				break;
			case 7:
				g = fabs(g) + 10;
				break;
			case 8:
				g = i == 0 ? 127 : 0.4999;
				break;
			case 9:
				g = i == 0 ? 127 : ((int) (stream + i) & 1 ? -0.4999 : 0.4999);
				break;
			case 10:
				g = 0;
				break;
			case 11:
				g = 3e38;
				break;
			default:
				break;
		}
		x[i] = (float) g;
	}
}

static void
check_bound(size_t dim, int row_kind, int query_kind)
{
	float	   *x = room(dim * sizeof(float)),
			   *q = room(dim * sizeof(float));
	int8_t	   *codes = room(4 * nlp_scan_groups(dim)),
			   *planes = room(nlp_scan_query_bytes(dim));
	char	   *tile = room(nlp_scan_tile_bytes(dim));
	NlpScanCode rows[NLP_SCAN_ROWS];
	double		want[NLP_SCAN_ROWS];
	float		exact[NLP_SCAN_ROWS],
				sums[NLP_SCAN_ROWS];
	NlpScanQuery code;
	int			bad = 0;
	float		least = INFINITY;

	fill_row(q, dim, query_kind, 77 + (uint64_t) query_kind);
	nlp_scan_query(q, dim, planes, &code);
	for (int r = 0; r < NLP_SCAN_ROWS; r++)
	{
		fill_row(x, dim, row_kind, (uint64_t) (row_kind * 100 + r));
		rows[r] = nlp_scan_encode(x, dim, codes);
		nlp_scan_put(tile, r, 0, nlp_scan_groups(dim), codes);
		exact[r] = nlp_dot_f32(q, x, dim);
		want[r] = 0;
		for (size_t i = 0; i < dim; i++)
			want[r] += (double) q[i] * x[i];
	}
	nlp_scan_tiles(&code, tile, 1, sums);
	for (int r = 0; r < NLP_SCAN_ROWS; r++)
	{
		float		approx = code.scale * rows[r].scale * sums[r];
		float		slack = nlp_scan_slack(&code, rows[r]);

		bad += slack < INFINITY && !(fabs((double) approx - want[r]) <= slack && fabsf(approx - exact[r]) <= slack);
		bad += !(slack >= 0);
		/* It must also be worth something. */
		if (row_kind == 0 && query_kind == 0)
			bad += slack > 0.02 * rows[r].norm * code.norm;
		least = exact[r] < least ? exact[r] : least;
	}
	/* No row of the tile is below its own exact product, on any level. */
	for (int l = 0; l < n_levels; l++)
	{
		uint16_t	mask;

		nlp_isa_set(levels[l]);
		nlp_scan_reach(&code, rows, sums, 1, least, &mask);
		bad += isfinite(least) && mask != 0xffff;
	}
	CHECKF(bad == 0, "bound of dim %zu, rows %d, query %d: %d", dim, row_kind, query_kind, bad);
	give(x);
	give(q);
	give(codes);
	give(planes);
	give(tile);
}

static void
test_bound(void)
{
	static const size_t dims[] = {1, 2, 3, 7, 32, 100, 300, 768, 1536, 16000};

	for (size_t d = 0; d < sizeof(dims) / sizeof(dims[0]); d++)
	{
		for (int row = 0; row < 12; row++)
		{
			for (int query = 0; query < 12; query++)
				check_bound(dims[d], row, query);
		}
	}
}

/* Masks: the formula, row by row, equal on all levels, and neither all nor nothing. */
static void
test_reach(void)
{
	enum
	{
		N = 40
	};
	NlpScanCode rows[N * NLP_SCAN_ROWS];
	float		sums[N * NLP_SCAN_ROWS];
	float		x[64];
	uint16_t	want[N],
				got[N];
	int8_t	   *planes = room(nlp_scan_query_bytes(64));
	NlpScanQuery q;
	int			set = 0,
				wrong = 0;

	fill_row(x, 64, 0, 1);
	nlp_scan_query(x, 64, planes, &q);
	for (int i = 0; i < N * NLP_SCAN_ROWS; i++)
	{
		rows[i] = (NlpScanCode) {(float) (1 + uniform(1, (uint64_t) i)), (float) (1 + uniform(2, (uint64_t) i)) / 20,
			(float) (1 + uniform(3, (uint64_t) i))};
		sums[i] = (float) (1e4 * uniform(4, (uint64_t) i));
	}
	rows[5].norm = INFINITY;
	rows[6] = (NlpScanCode) {0, 0, 0};
	nlp_isa_set(NLP_ISA_PLAIN);
	nlp_scan_reach(&q, rows, sums, N, 0.5f, want);
	for (int i = 0; i < N * NLP_SCAN_ROWS; i++)
	{
		bool		bit = want[i / NLP_SCAN_ROWS] >> i % NLP_SCAN_ROWS & 1;
		double		upper = (double) q.scale * rows[i].scale * sums[i] + nlp_scan_slack(&q, rows[i]);

		set += bit;
		if (fabs(upper - 0.5) > 1e-5)
			wrong += bit != (upper >= 0.5);
	}
	CHECKF(wrong == 0, "%d", wrong);
	CHECKF(set > 50 && set < N * NLP_SCAN_ROWS - 50, "%d", set);
	for (int l = 0; l < n_levels; l++)
	{
		nlp_isa_set(levels[l]);
		nlp_scan_reach(&q, rows, sums, N, 0.5f, got);
		CHECKF(memcmp(want, got, sizeof(got)) == 0, "masks on %s", nlp_isa_name(levels[l]));
	}
	give(planes);
}

/* ---- f32 distances ------------------------------------------------------- */

typedef struct Distances
{
	float		d[6];			/* dot, l2sq, l1, cosine's three */
} Distances;

static Distances
distances(const float *a, const float *b, size_t n)
{
	Distances	r;

	r.d[0] = nlp_dot_f32(a, b, n);
	r.d[1] = nlp_l2sq_f32(a, b, n);
	r.d[2] = nlp_l1_f32(a, b, n);
	nlp_cosine_f32(a, b, n, &r.d[3], &r.d[4], &r.d[5]);
	return r;
}

static void
check_distances(size_t n)
{
	float	   *a = room((n + 1) * sizeof(float)),
			   *b = room((n + 1) * sizeof(float));
	double		want[6] = {0},
				size[6] = {0};
	Distances	first;

	for (size_t i = 0; i < n; i++)
	{
		double		t[6];

		a[i] = normal(n, i);
		b[i] = normal(n + 100000, i);
		t[0] = t[3] = (double) a[i] * b[i];
		t[1] = ((double) a[i] - b[i]) * ((double) a[i] - b[i]);
		t[2] = fabs((double) a[i] - b[i]);
		t[4] = (double) a[i] * a[i];
		t[5] = (double) b[i] * b[i];
		for (int k = 0; k < 6; k++)
		{
			want[k] += t[k];
			size[k] += fabs(t[k]);
		}
	}
	/* Past the end lies what must not be read. */
	a[n] = b[n] = NAN;
	for (int l = 0; l < n_levels; l++)
	{
		Distances	d;

		nlp_isa_set(levels[l]);
		d = distances(a, b, n);
		if (l == 0)
		{
			first = d;
			for (int k = 0; k < 6; k++)
				CHECKF(fabs(d.d[k] - want[k]) <= ((double) n / 32 + 8) * 0x1p-24 * size[k],
					   "distance %d of %zu: %g, %g", k, n, d.d[k], want[k]);
		}
		CHECKF(memcmp(&d, &first, sizeof(d)) == 0, "distances of %zu on %s", n, nlp_isa_name(levels[l]));
	}
	give(a);
	give(b);
}

/* A NaN, an infinity and a pair of infinities anywhere give what a plain loop gives. */
static void
check_special(size_t n)
{
	float	   *a = room(n * sizeof(float)),
			   *b = room(n * sizeof(float));
	static const float special[3][2] = {{NAN, 1}, {INFINITY, -2}, {INFINITY, INFINITY}};

	for (int l = 0; l < n_levels; l++)
	{
		int			bad = 0;

		nlp_isa_set(levels[l]);
		for (size_t at = 0; at < n; at++)
		{
			for (int s = 0; s < 3; s++)
			{
				double		want[6] = {0};
				Distances	d;

				for (size_t i = 0; i < n; i++)
				{
					a[i] = i == at ? special[s][0] : 1;
					b[i] = i == at ? special[s][1] : 0.5f;
					want[0] += a[i] * b[i];
					want[1] += (a[i] - b[i]) * (a[i] - b[i]);
					want[2] += fabsf(a[i] - b[i]);
					want[3] += a[i] * b[i];
					want[4] += a[i] * a[i];
					want[5] += b[i] * b[i];
				}
				d = distances(a, b, n);
				for (int k = 0; k < 6; k++)
					bad += isnan(want[k]) ? !isnan(d.d[k]) : d.d[k] != (float) want[k];
			}
		}
		CHECKF(bad == 0, "special values in %zu on %s: %d", n, nlp_isa_name(levels[l]), bad);
	}
	give(a);
	give(b);
}

static void
test_distances(void)
{
	for (size_t n = 0; n <= 200; n++)
		check_distances(n);
	check_distances(384);
	check_distances(768);
	check_distances(1536);
	check_distances(15999);
	for (size_t n = 1; n <= 100; n += 9)
		check_special(n);
}

int
main(void)
{
	find_levels();
	test_sums();
	test_put_get();
	test_coding();
	test_bound();
	test_reach();
	test_distances();
	return check_done();
}
