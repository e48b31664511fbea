/* matmul_bench.c --- how fast the matrix products are, against the machine's limits.
 *
 * Prints, for each instruction set: the machine's own limits (memory read, int8 and
 * f32 arithmetic, all measured here); each weight type at m rows, GB/s of weights read
 * and Gop/s; and tokens a second for the products of SmolLM2-135M (30 layers of
 * 576/192/1536 in Q4_1, a 576 -> 49152 head in Q8_0) and nothing else. Random
 * weights; CPU time of one thread; the best of several runs, since others may
 * share the machine.
 *
 *   matmul_bench [seconds a figure] [types|model|all] [isa] */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "core/half.h"
#include "kernel/matmul.h"

static double seconds = 0.2;
static uint64_t seed = 99;

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec + 1e-9 * t.tv_nsec;
}

static uint32_t
rnd(void)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t) (seed >> 33);
}

/* Memory as the server maps it: huge pages where the kernel gives them. */
static void *
big(size_t bytes)
{
	size_t		len = (bytes + (2 << 20)) & ~(size_t) ((2 << 20) - 1);
	void	   *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		exit(1);
	if (!getenv("SMALL_PAGES"))
		madvise(p, len, MADV_HUGEPAGE);
	memset(p, 1, len);
	return p;
}

/* Fill tiles with random bytes, their scales small and finite, by packing random rows. */
static NlpWeight
add_weight(uint8_t *base, size_t *used, NlpDtype t, uint64_t rows, uint64_t cols)
{
	const NlpDtypeInfo *info = nlp_dtype_info(t);
	size_t		row_bytes = cols / info->block_elems * info->block_bytes;
	size_t		tile_bytes = nlp_pack_tile_bytes(t, cols);
	uint8_t    *file = malloc(16 * row_bytes);
	NlpWeight	w = {*used, (rows + 15) / 16 * tile_bytes, rows, cols, t, NLP_LAYOUT_TILES};
	uint16_t	half = nlp_f32_to_f16(0.01f);

	for (uint64_t i = 0; i < rows / 16; i++)
	{
		if (i < 8)
		{
			for (size_t b = 0; b < 16 * row_bytes; b++)
				file[b] = (uint8_t) rnd();
			for (size_t b = 0; b < 16 * row_bytes; b += info->block_bytes)
			{
				if (t == NLP_F32)
					memcpy(file + b, &(float) {rnd() * 0x1p-33f}, 4);
				else
					memcpy(file + b + (t == NLP_Q6_K ? 208 : 0), &half, 2);
				if (t == NLP_BF16)
					memcpy(file + b, &(uint16_t) {nlp_f32_to_bf16(rnd() * 0x1p-33f)}, 2);
				if (t != NLP_F32 && t != NLP_F16 && t != NLP_BF16 && t != NLP_Q6_K && info->block_bytes >= 4)
					memcpy(file + b + 2, &half, 2);
			}
		}
		if (nlp_pack_tile(t, file, row_bytes, 16, cols, base + *used + i * tile_bytes, true, NULL) != NLP_OK)
			exit(1);
	}
	*used += w.bytes;
	free(file);
	return w;
}

/* Best seconds of one call of fn, over repeated runs for the time asked. */
static double
best_of(void (*fn) (void *), void *ctx)
{
	double		best = 1e9;
	double		start = now();

	do
	{
		double		t = now();

		fn(ctx);
		t = now() - t;
		best = t < best ? t : best;
	} while (now() - start < seconds);
	return best;
}

/* Limits. */

typedef struct Reading
{
	const uint8_t *p;
	size_t		bytes;
	uint64_t	sum;
} Reading;

static void
read_all(void *ctx)
{
	Reading    *r = ctx;
	const uint64_t *p = (const uint64_t *) r->p;
	uint64_t	s[8] = {0};

	for (size_t i = 0; i < r->bytes / 8; i += 8)
	{
		__builtin_prefetch(p + i + 512);
		for (int j = 0; j < 8; j++)
			s[j] += p[i + j];
	}
	for (int j = 0; j < 8; j++)
		r->sum += s[j];
}

/* Arithmetic alone, 12 independent chains in registers, nothing read. */
#define PEAK_ROUNDS 100000

#if defined(__x86_64__)
static volatile int peak_sink;

/* 12 * 64 operations a round: maddubs summed in 16 bits, as a 4-bit block is. */
__attribute__((target("avx2")))
static void
int8_avx2(void *ctx)
{
	__m256i		s[12],
				a = _mm256_set1_epi8(3),
				b = _mm256_set1_epi8(1);

	(void) ctx;
#pragma GCC unroll 12
	for (int j = 0; j < 12; j++)
		s[j] = _mm256_setzero_si256();
	for (int i = 0; i < PEAK_ROUNDS; i++)
	{
#pragma GCC unroll 12
		for (int j = 0; j < 12; j++)
		{
			__asm__ volatile("" : "+x"(a));
			s[j] = _mm256_add_epi16(s[j], _mm256_maddubs_epi16(a, b));
			__asm__ volatile("" : "+x"(s[j]));
		}
	}
#pragma GCC unroll 12
	for (int j = 0; j < 12; j++)
		peak_sink += _mm256_extract_epi32(s[j], 0);
}

__attribute__((target("avx512f,avx512vnni")))
static void
int8_avx512(void *ctx)
{
	__m512i		s[12],
				a = _mm512_set1_epi32(0x03030303);

	(void) ctx;
#pragma GCC unroll 12
	for (int j = 0; j < 12; j++)
		s[j] = _mm512_setzero_si512();
	for (int i = 0; i < PEAK_ROUNDS; i++)
	{
#pragma GCC unroll 12
		for (int j = 0; j < 12; j++)
		{
			s[j] = _mm512_dpbusd_epi32(s[j], a, a);
			__asm__ volatile("" : "+v"(s[j]));
		}
	}
#pragma GCC unroll 12
	for (int j = 0; j < 12; j++)
		peak_sink += _mm_cvtsi128_si32(_mm512_castsi512_si128(s[j]));
}

__attribute__((target("avx2,fma")))
static void
f32_avx2(void *ctx)
{
	__m256		s[12],
				a = _mm256_set1_ps(0.5f);

	(void) ctx;
#pragma GCC unroll 12
	for (int j = 0; j < 12; j++)
		s[j] = _mm256_set1_ps(j);
	for (int i = 0; i < PEAK_ROUNDS; i++)
	{
#pragma GCC unroll 12
		for (int j = 0; j < 12; j++)
		{
			s[j] = _mm256_fmadd_ps(s[j], a, a);
			__asm__ volatile("" : "+x"(s[j]));
		}
	}
#pragma GCC unroll 12
	for (int j = 0; j < 12; j++)
		peak_sink += _mm_cvttss_si32(_mm256_castps256_ps128(s[j]));
}

static void
print_peaks(NlpIsa isa)
{
	double		rounds = PEAK_ROUNDS * 12.0;

	if (isa == NLP_ISA_AVX512)
		printf("int8 peak (vpdpbusd): %.0f Gop/s\n", rounds * 128 / best_of(int8_avx512, NULL) * 1e-9);
	else
		printf("int8 peak (maddubs and a 16-bit add): %.0f Gop/s\n", rounds * 64 / best_of(int8_avx2, NULL) * 1e-9);
	printf("f32 peak (fma): %.0f GFLOP/s\n", rounds * 16 / best_of(f32_avx2, NULL) * 1e-9);
}
#else
static void
print_peaks(NlpIsa isa)
{
	(void) isa;
}
#endif

typedef struct Product
{
	const NlpWeight *w;
	int			n;				/* weights in turn */
	const uint8_t *base;
	uint8_t    *act;
	float	   *y;
	int			m;
} Product;

static void
run_products(void *ctx)
{
	Product    *p = ctx;

	for (int i = 0; i < p->n; i++)
	{
		const NlpWeight *w = p->w + i;

		nlp_matmul(w, p->base, p->act, p->m, 0, (w->rows + 15) / 16, NULL, NULL, p->y, w->rows);
	}
}

static void
fill_act(uint8_t *act, NlpActKind kind, int m, uint64_t cols)
{
	float	   *x = malloc(cols * sizeof(float));

	for (int i = 0; i < m; i++)
	{
		for (uint64_t k = 0; k < cols; k++)
			x[k] = (float) rnd() * 0x1p-30f - 1.0f;
		nlp_quantize_rows(kind, x, cols, 1, cols, act + i * nlp_act_row_bytes(kind, cols));
	}
	free(x);
}

static const NlpDtype types[] = {
	NLP_Q4_1, NLP_Q4_0, NLP_Q5_1, NLP_Q5_0, NLP_Q8_0, NLP_Q4_K, NLP_Q5_K, NLP_Q6_K, NLP_F16, NLP_BF16, NLP_F32
};
static const int ms[] = {1, 2, 4, 8, 32, 128, 512};

/* 64 weights of 768 x 768 in turn: 37 million weights, more than the caches hold. */
static void
bench_types(uint8_t *base, uint8_t *act, float *y)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
	{
		NlpWeight	w[64];
		size_t		used = 0;

		for (int j = 0; j < 64; j++)
			w[j] = add_weight(base, &used, types[i], 768, 768);
		fill_act(act, nlp_act_kind(types[i]), 512, 768);
		printf("%-6s", nlp_dtype_info(types[i])->name);
		for (size_t k = 0; k < sizeof(ms) / sizeof(ms[0]); k++)
		{
			Product		p = {w, 64, base, act, y, ms[k]};
			double		s;

			if (ms[k] >= 32)
				p.n = 8;
			s = best_of(run_products, &p) / p.n;
			if (ms[k] == 1)
				printf("  m=1 %5.1f GB/s", w[0].bytes / s * 1e-9);
			else
				printf("  %d: %4.0f", ms[k], 2.0 * 768 * 768 * ms[k] / s * 1e-9);
		}
		printf(" Gop/s\n");
	}
}

/* SmolLM2-135M's products. */

typedef struct Model
{
	NlpWeight	layers[30][7];
	NlpWeight	head;
	const uint8_t *base;
	uint8_t    *act[2];			/* 576 and 1536 columns */
	float	   *y;
	int			m;
	bool		with_head;
} Model;

static void
run_model(void *ctx)
{
	Model	   *s = ctx;

	for (int l = 0; l < 30; l++)
	{
		for (int i = 0; i < 7; i++)
		{
			const NlpWeight *w = &s->layers[l][i];

			nlp_matmul(w, s->base, s->act[w->cols == 1536], s->m, 0, w->rows / 16, NULL, NULL, s->y, w->rows);
		}
	}
	for (int i = 0; s->with_head && i < s->m; i += 32)
	{
		int			n = s->m - i < 32 ? s->m - i : 32;

		nlp_matmul(&s->head, s->base, s->act[0], n, 0, s->head.rows / 16, NULL, NULL, s->y, s->head.rows);
	}
}

static void
bench_model(uint8_t *base, uint8_t *act, float *y)
{
	static const uint64_t shape[7][2] = {{576, 576}, {192, 576}, {192, 576}, {576, 576}, {1536, 576}, {1536, 576}, {576, 1536}};
	static const int rows[] = {1, 4, 8, 32, 128, 512};
	static Model s;
	size_t		used = 0;
	double		weights = 0;

	for (int l = 0; l < 30; l++)
	{
		for (int i = 0; i < 7; i++)
		{
			s.layers[l][i] = add_weight(base, &used, NLP_Q4_1, shape[i][0], shape[i][1]);
			weights += shape[i][0] * shape[i][1];
		}
	}
	s.head = add_weight(base, &used, NLP_Q8_0, 49152, 576);
	s.base = base;
	s.act[0] = act;
	s.act[1] = act + (8 << 20);
	s.y = y;
	fill_act(s.act[0], NLP_ACT_Q8_32, 512, 576);
	fill_act(s.act[1], NLP_ACT_Q8_32, 512, 1536);
	for (int head = 1; head >= 0; head--)
	{
		printf("SmolLM2 %s, tokens/s:", head ? "with head for every row" : "blocks only (prefill)  ");
		for (size_t k = 0; k < sizeof(rows) / sizeof(rows[0]); k++)
		{
			double		t;

			s.m = rows[k];
			s.with_head = head;
			t = best_of(run_model, &s);
			printf("  %d: %.0f", rows[k], rows[k] / t);
			if (rows[k] == 1)
				printf(" (%.1f GB/s)", (head ? used : s.head.offset) / t * 1e-9);
			else if (!head)
				printf(" (%.0f Gop/s)", 2 * weights * rows[k] / t * 1e-9);
		}
		printf("\n");
	}
}

int
main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[2] : "all";
	uint8_t    *base = big((size_t) 192 << 20);
	uint8_t    *act = big((size_t) 16 << 20);
	float	   *y = big((size_t) 32 * 49152 * 4);
	Reading		reading = {base, (size_t) 192 << 20, 0};

	if (argc > 1)
		seconds = atof(argv[1]);
	printf("memory read, one thread: %.1f GB/s\n", reading.bytes / best_of(read_all, &reading) * 1e-9);
	for (int isa = NLP_ISA_AVX2; isa < NLP_ISA_COUNT; isa++)
	{
		if (!nlp_isa_set(isa) || (argc > 3 && strcmp(argv[3], nlp_isa_name(isa)) != 0))
			continue;
		printf("-- %s\n", nlp_isa_name(isa));
		print_peaks((NlpIsa) isa);
		if (strcmp(what, "types") != 0)
			bench_model(base, act, y);
		if (strcmp(what, "model") != 0)
			bench_types(base, act, y);
	}
	return reading.sum == 1;
}
