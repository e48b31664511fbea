/* scan_bench.c --- nearest words: building a resident table, the int8 pass alone, exact
 * answers with re-ranking, and the f32 distances; one thread, every instruction set of the
 * machine, CPU time, the median of several rounds.
 *
 * Beside each the limit: the time in which this machine reads that many bytes from memory,
 * measured in the same run. Rows are made by a seed: 200 centres and noise. A plain f32 scan is
 * the reference that the answers are compared with.
 *
 * usage: scan_bench [ROWS DIM]...    default: 341479 100  1000000 100  1000000 300 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/cpu.h"
#include "core/philox.h"
#include "model/image.h"

#define ROUNDS 15
#define QUERIES 15
#define K 10

static const NlpEnv env = {.alloc = &nlp_libc_alloc};

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double) t.tv_sec + (double) t.tv_nsec * 1e-9;
}

static void
die(const char *what)
{
	fprintf(stderr, "scan_bench: %s\n", what);
	exit(1);
}

static int
by_value(const void *a, const void *b)
{
	double		x = *(const double *) a,
				y = *(const double *) b;

	return x < y ? -1 : x > y;
}

static double
median(double *t, int n)
{
	qsort(t, (size_t) n, sizeof(*t), by_value);
	return t[n / 2];
}

/* ---- a model file that is made while it is read ----------------------------- */

#define NOISE (1u << 16)

typedef struct Made
{
	NlpBuf		header;
	uint32_t	n,
				dim;
	float		noise[NOISE];
	float	   *centres;		/* [200][dim] */
	NlpSource	src;
} Made;

static NlpStatus
keep_header(void *ctx, const void *bytes, size_t len, NlpError *err)
{
	return nlp_buf_append(ctx, bytes, len) ? NLP_OK : nlp_no_memory(err, len, "header");
}

static void
make_row(const Made *m, uint64_t row, float *out)
{
	const float *centre = m->centres + row * 7919 % 200 * m->dim;
	uint32_t	at = (uint32_t) (row * 2654435761u);

	for (uint32_t d = 0; d < m->dim; d++)
		out[d] = centre[d] + m->noise[(at + d * 40503u) % NOISE];
}

static NlpStatus
read_made(void *ctx, uint64_t offset, size_t len, void *dst, NlpError *err)
{
	const Made *m = ctx;
	char	   *out = dst;
	size_t		row_bytes = m->dim * sizeof(float);

	while (len && offset < m->header.len)
	{
		*out++ = m->header.data[offset++];
		len--;
	}
	/* The engine reads whole rows. */
	for (uint64_t row = (offset - m->header.len) / row_bytes; len >= row_bytes; row++, len -= row_bytes, out += row_bytes)
		make_row(m, row, (float *) out);
	return NLP_OK;
}

static void
make_file(Made *m, uint32_t n, uint32_t dim)
{
	NlpStr	   *words = malloc(n * sizeof(NlpStr));
	char	  (*texts)[12] = malloc(n * 12);
	uint64_t	dims[2] = {dim, n};
	NlpGgufWriter *w;
	NlpSink		sink = {keep_header, &m->header};
	NlpError	err;

	m->n = n;
	m->dim = dim;
	m->centres = malloc(200 * dim * sizeof(float));
	if (!words || !texts || !m->centres)
		die("no memory");
	for (uint32_t i = 0; i < 200 * dim; i++)
		m->centres[i] = (float) (nlp_philox_uniform(1, 0, i) - 0.5);
	for (uint32_t i = 0; i < NOISE; i++)
		m->noise[i] = (float) (2 * nlp_philox_uniform(2, 0, i) - 1);
	for (uint32_t i = 0; i < n; i++)
		words[i] = (NlpStr) {texts[i], (size_t) snprintf(texts[i], 12, "w%u", i)};
	nlp_buf_init(&m->header, &nlp_libc_alloc);
	if (nlp_gguf_writer_new(&nlp_libc_alloc, &w, &err) != NLP_OK ||
		nlp_gguf_put_str(w, "general.architecture", NLP_WORDS_ARCH, strlen(NLP_WORDS_ARCH), &err) != NLP_OK ||
		nlp_gguf_put_u32(w, "word2vec.embedding_length", dim, &err) != NLP_OK ||
		nlp_gguf_put_array(w, "word2vec.words", NLP_GGUF_STRING, n, words, &err) != NLP_OK ||
		nlp_gguf_put_tensor(w, "token_embd.weight", NLP_F32, 2, dims, &err) != NLP_OK ||
		nlp_gguf_write_header(w, &sink, &err) != NLP_OK)
		die(err.message);
	nlp_gguf_writer_free(w);
	free(words);
	free(texts);
	m->src = (NlpSource) {m->header.len + (uint64_t) n * dim * sizeof(float), read_made, m};
}

static void *
build(Made *m, uint64_t *bytes)
{
	NlpImagePlan *plan;
	NlpError	err;
	double		t0 = now(),
				t1;
	char	   *block;

	if (nlp_image_plan(&m->src, &env, &plan, &err) != NLP_OK)
		die(err.message);
	t1 = now();
	*bytes = nlp_image_plan_bytes(plan);
	block = nlp_alloc(&nlp_libc_alloc, *bytes);
	if (!block || nlp_image_build(plan, &m->src, &env, block, NULL, &err) != NLP_OK)
		die("cannot build");
	nlp_image_plan_free(plan);
	printf("  build: plan %.2f s, rows %.2f s (making them included), %.0f MB resident\n", t1 - t0, now() - t1,
		   (double) *bytes * 1e-6);
	return block;
}

/* ---- limits -------------------------------------------------------------------- */

static volatile uint64_t sink_of_sums;

/* Seconds to read so many bytes once. */
static double
read_time(const void *at, size_t bytes)
{
	const uint64_t *p = at;
	uint64_t	s[8] = {0};
	double		t = now();

	for (size_t i = 0; i + 8 <= bytes / 8; i += 8)
	{
		if (i % 512 == 0)		/* a line of the page after the next, as the kernels ask for */
			__builtin_prefetch(p + i + 1024);
		for (int j = 0; j < 8; j++)
			s[j] += p[i + j];
	}
	sink_of_sums += s[0] + s[1] + s[2] + s[3] + s[4] + s[5] + s[6] + s[7];
	return now() - t;
}

/* ---- searches -------------------------------------------------------------------- */

static double
time_pass(const NlpWords *w, const NlpScanQuery *q)
{
	size_t		tiles = ((size_t) w->n + 15) / 16;
	size_t		tile_bytes = nlp_scan_tile_bytes(w->dim);
	float		sums[64 * 16];
	double		t[ROUNDS];

	for (int r = 0; r < ROUNDS; r++)
	{
		double		t0 = now();

		for (size_t i = 0; i < tiles; i += 64)
			nlp_scan_tiles(q, (const char *) w + w->codes_offset + i * tile_bytes, tiles - i < 64 ? tiles - i : 64, sums);
		t[r] = now() - t0;
	}
	return median(t, ROUNDS);
}

/* Every row in f32; the K best ids. */
static double
time_f32(const NlpWords *w, const float *unit, uint32_t best[K])
{
	const float *norms = (const float *) ((const char *) w + w->norms_offset);
	float		score[K];
	int			n = 0;
	double		t0 = now();

	for (uint32_t i = 0; i < w->n; i++)
	{
		float		s = nlp_dot_f32(unit, nlp_words_row(w, i), w->dim) / norms[i];
		int			at = n < K ? n++ : K;

		while (at > 0 && score[at - 1] < s)
		{
			if (at < K)
			{
				score[at] = score[at - 1];
				best[at] = best[at - 1];
			}
			at--;
		}
		if (at < K && (at == n - 1 || score[at] < s || n <= K))
		{
			score[at] = s;
			best[at] = i;
		}
	}
	return now() - t0;
}

static void
bench_level(const NlpWords *w, const char *name, double limit)
{
	size_t		plane_bytes = nlp_scan_query_bytes(w->dim);
	int8_t	   *planes = nlp_alloc(&nlp_libc_alloc, plane_bytes);
	float	   *query = malloc(w->dim * sizeof(float));
	double		t[QUERIES],
				plain[3],
				pass;
	NlpScanQuery q;
	int			wrong = 0;

	for (int i = 0; i < QUERIES; i++)
	{
		NlpNeighbour out[K];
		uint32_t	n,
					best[K];
		NlpError	err;
		double		t0;
		double		norm = 0;

		/* Half b - a + c of rows, half noisy rows, as the hard queries of nearest-neighbour tests are. */
		for (uint32_t d = 0; d < w->dim; d++)
		{
			uint32_t	at = (uint32_t) i * 7057u;

			query[d] = i % 2 ? nlp_words_row(w, at % w->n)[d] + (float) (nlp_philox_uniform(5, (uint64_t) i, d) - 0.5) :
				nlp_words_row(w, at % w->n)[d] - nlp_words_row(w, (at + 911) % w->n)[d] + nlp_words_row(w, (at + 5003) % w->n)[d];
			norm += (double) query[d] * query[d];
		}
		t0 = now();
		if (nlp_words_nearest(w, query, K, NULL, &env, out, &n, &err) != NLP_OK)
			die(err.message);
		t[i] = now() - t0;
		if (i < 3)
		{
			for (uint32_t d = 0; d < w->dim; d++)
				query[d] = (float) (query[d] / sqrt(norm));
			plain[i] = time_f32(w, query, best);
			for (uint32_t j = 0; j < n; j++)
				wrong += best[j] != out[j].word;
		}
	}
	nlp_scan_query(query, w->dim, planes, &q);
	pass = time_pass(w, &q);
	printf("  %-7s int8 pass %6.2f ms, %2d nearest %6.2f ms (limit %.2f ms: %.0f %%), f32 scan %6.1f ms%s\n", name, 1e3 * pass, K,
		   1e3 * median(t, QUERIES), 1e3 * limit, 100 * limit / median(t, QUERIES), 1e3 * median(plain, 3),
		   wrong ? "  ANSWERS DIFFER" : "");
	nlp_free(&nlp_libc_alloc, planes);
	free(query);
}

static void
bench_table(uint32_t n, uint32_t dim)
{
	static Made m;
	uint64_t	bytes;
	void	   *block;
	const NlpWords *w;
	double		t[ROUNDS],
				limit;
	size_t		codes;
	NlpIsa		best = nlp_isa_best();

	printf("%u words x %u\n", n, dim);
	memset(&m, 0, sizeof(m));
	make_file(&m, n, dim);
	block = build(&m, &bytes);
	w = nlp_image_words(block);
	codes = ((size_t) n + 15) / 16 * nlp_scan_tile_bytes(dim) + (size_t) n * sizeof(NlpScanCode);
	for (int i = 0; i < ROUNDS; i++)
		t[i] = read_time((const char *) w + w->vectors_offset, codes);
	limit = median(t, ROUNDS);
	printf("  codes and scales: %.0f MB, read at %.1f GB/s\n", (double) codes * 1e-6, (double) codes / limit * 1e-9);
	for (int isa = NLP_ISA_COUNT; isa-- > 0;)
	{
		if (nlp_isa_set((NlpIsa) isa))
			bench_level(w, nlp_isa_name((NlpIsa) isa), limit);
	}
	nlp_isa_set(best);
	nlp_free(&nlp_libc_alloc, block);
	nlp_buf_free(&m.header);
	free(m.centres);
}

/* ---- f32 distances -------------------------------------------------------------- */

static float a[1536],
			b[1536];

static double
time_distance(int which, size_t n)
{
	enum
	{
		CALLS = 200000
	};
	double		t[5];

	for (int r = 0; r < 5; r++)
	{
		double		t0 = now();
		float		sum = 0,
					dot,
					aa,
					bb;

		for (int i = 0; i < CALLS; i++)
		{
			if (which == 3)
			{
				nlp_cosine_f32(a, b, n, &dot, &aa, &bb);
				sum += dot;
			}
			else
				sum += which == 0 ? nlp_dot_f32(a, b, n) : which == 1 ? nlp_l2sq_f32(a, b, n) : nlp_l1_f32(a, b, n);
			__asm__ volatile("" : : : "memory");
		}
		sink_of_sums += sum != sum;
		t[r] = (now() - t0) / CALLS * 1e9;
	}
	return median(t, 5);
}

static void
bench_distances(void)
{
	static const size_t dims[] = {100, 384, 768, 1536};
	NlpIsa		best = nlp_isa_best();

	for (int i = 0; i < 1536; i++)
	{
		a[i] = (float) (nlp_philox_uniform(3, 0, (uint64_t) i) - 0.5);
		b[i] = (float) (nlp_philox_uniform(3, 1, (uint64_t) i) - 0.5);
	}
	printf("f32 distances of cached rows, ns a call: inner product, L2, L1, cosine\n");
	for (int isa = NLP_ISA_COUNT; isa-- > 0;)
	{
		if (!nlp_isa_set((NlpIsa) isa))
			continue;
		for (int d = 0; d < 4; d++)
			printf("  %-7s dim %4zu: %6.1f %6.1f %6.1f %6.1f\n", nlp_isa_name((NlpIsa) isa), dims[d],
				   time_distance(0, dims[d]), time_distance(1, dims[d]), time_distance(2, dims[d]), time_distance(3, dims[d]));
	}
	nlp_isa_set(best);
}

int
main(int argc, char **argv)
{
	bench_distances();
	if (argc < 3)
	{
		bench_table(341479, 100);
		bench_table(1000000, 100);
		bench_table(1000000, 300);
	}
	for (int i = 1; i + 1 < argc; i += 2)
		bench_table((uint32_t) strtoul(argv[i], NULL, 10), (uint32_t) strtoul(argv[i + 1], NULL, 10));
	return 0;
}
