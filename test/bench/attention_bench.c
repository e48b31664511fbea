/* attention_bench.c --- attention and row kernels alone, one thread, in the shape of
 * SmolLM2-135M (30 layers, 9 heads, 3 key heads, width 64): a prompt of 512, one
 * token after 1,000, and the row kernels at their widths. CPU time, the best of several
 * rounds, layer by layer.
 *
 * The limit printed beside attention is the fused multiply-adds it needs, exactly
 * the visible pairs, over what this machine's registers do in a bare fma loop. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/cpu.h"
#include "kernel/attention.h"
#include "kernel/rowwise.h"

#define LAYERS 30

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double) t.tv_sec + (double) t.tv_nsec * 1e-9;
}

static void *
block(size_t bytes)
{
	void	   *p = aligned_alloc(64, (bytes + 63) & ~(size_t) 63);

	if (!p)
		exit(1);
	return p;
}

static float *
rows(size_t count)
{
	float	   *x = block(count * sizeof(float));
	unsigned	seed = 1;

	for (size_t i = 0; i < count; i++)
	{
		seed = seed * 1664525u + 1013904223u;
		x[i] = (float) (seed >> 8) * 0x1p-23f - 1.0f;
	}
	return x;
}

/* Fused multiply-adds a second of one core, in the widest registers of the level. */
#if defined(__x86_64__)
#define PEAK(name, attr, width) \
	__attribute__((target(attr))) static double name(void) \
	{ \
		typedef float V __attribute__((vector_size(width * 4))); \
		V			acc[12]; \
		V			a = {0}, \
					b; \
		double		best = 1e9; \
		for (int round = 0; round < 5; round++) \
		{ \
			double		start = now(); \
			b = a + 1; \
			for (int i = 0; i < 12; i++) \
				acc[i] = b; \
			for (int k = 0; k < 1000000; k++) \
			{ \
				_Pragma("GCC unroll 12") \
				for (int i = 0; i < 12; i++) \
					__asm__("vfmadd231ps %1, %2, %0" : "+v"(acc[i]) : "v"(a), "v"(b)); \
			} \
			for (int i = 1; i < 12; i++) \
				acc[0] += acc[i]; \
			if (acc[0][0] == 0) \
				printf("\n"); \
			start = now() - start; \
			best = start < best ? start : best; \
		} \
		return 12e6 * width / best; \
	}
PEAK(peak_avx2, "avx2,fma", 8)
PEAK(peak_avx512, "avx512f,fma", 16)
#endif

static double
peak(NlpIsa isa)
{
#if defined(__x86_64__)
	if (isa == NLP_ISA_AVX2)
		return peak_avx2();
	if (isa == NLP_ISA_AVX512)
		return peak_avx512();
#endif
	return 0;
}

typedef struct Cache
{
	NlpAttnShape shape;
	int			positions;
	int			n_pages;
	void	   *pages[LAYERS][128];
} Cache;

static void
fill(Cache *c)
{
	size_t		width = (size_t) c->shape.kv_heads * c->shape.head_dim;
	float	   *kv = rows(2 * width * c->positions);

	c->n_pages = (c->positions + NLP_KV_PAGE - 1) / NLP_KV_PAGE;
	for (int l = 0; l < LAYERS; l++)
	{
		for (int p = 0; p < c->n_pages; p++)
			c->pages[l][p] = block(nlp_kv_layer_bytes(c->shape.kv_heads, c->shape.head_dim));
		for (int p = 0; p < c->positions; p++)
			nlp_kv_store(c->pages[l][p / NLP_KV_PAGE], p % NLP_KV_PAGE, c->shape.kv_heads,
						 c->shape.head_dim, kv + 2 * p * width, kv + (2 * p + 1) * width);
	}
	free(kv);
}

static void
bench_attention(Cache *c, const char *what, int t, int pos0, int rounds)
{
	size_t		width = (size_t) c->shape.heads * c->shape.head_dim;
	float	   *q = rows(width * t);
	float	   *out = block(width * t * sizeof(float));
	void	   *work = block(nlp_attention_work_bytes(&c->shape, pos0 + t));
	double		pairs = (double) t * pos0 + 0.5 * t * (t + 1.0);
	double		fmas = 2 * pairs * (double) width * LAYERS;
	double		layer[LAYERS];
	double		best = 0;
	double		limit = peak(nlp_isa_current());

	/* The best round of each layer, added up: a busy machine rarely spares all 30 at once. */
	for (int r = 0; r < rounds; r++)
	{
		for (int l = 0; l < LAYERS; l++)
		{
			double		start = now();

			nlp_attention(&c->shape, q, width, t, pos0, c->pages[l], 0, c->shape.kv_heads, out, width, work);
			start = now() - start;
			layer[l] = r == 0 || start < layer[l] ? start : layer[l];
		}
	}
	for (int l = 0; l < LAYERS; l++)
		best += layer[l];
	printf("%-7s %-34s %9.3f ms  %5.1f Gfma/s", nlp_isa_name(nlp_isa_current()), what, best * 1e3, fmas / best * 1e-9);
	if (limit > 0)
		printf("  %3.0f %% of the registers' %.1f", 100 * fmas / best / limit, limit * 1e-9);
	printf("\n");
	free(q);
	free(out);
	free(work);
}

static void
bench_store(Cache *c, int t, int rounds)
{
	size_t		width = (size_t) c->shape.kv_heads * c->shape.head_dim;
	float	   *kv = rows(2 * width);
	double		best = 1e9;

	for (int r = 0; r < rounds; r++)
	{
		double		start = now();

		for (int l = 0; l < LAYERS; l++)
			for (int p = 0; p < t; p++)
				nlp_kv_store(c->pages[l][p / NLP_KV_PAGE], p % NLP_KV_PAGE, c->shape.kv_heads,
							 c->shape.head_dim, kv, kv + width);
		start = now() - start;
		best = start < best ? start : best;
	}
	printf("%-7s %-34s %9.3f ms\n", nlp_isa_name(nlp_isa_current()), "store 512 positions, 30 layers", best * 1e3);
	free(kv);
}

typedef enum RowKernel
{
	ROW_RMSNORM,
	ROW_LAYERNORM,
	ROW_SILU_GLU,
	ROW_GELU_TANH,
	ROW_GELU_ERF,
	ROW_ADD,
	ROW_ROPE,
	ROW_ROPE_HALVES
} RowKernel;

static void
bench_row(RowKernel k, const char *what, int m, int width)
{
	float	   *x = rows((size_t) m * width);
	float	   *y = rows((size_t) m * width);
	float	   *w = rows(width);
	float	   *angles = rows((size_t) m * 64);
	int			repeat = 1 + 2000000 / (m * width);
	double		best = 1e9;

	for (int r = 0; r < 5; r++)
	{
		double		start = now();

		for (int i = 0; i < repeat; i++)
		{
			switch (k)
			{
				case ROW_RMSNORM:
					nlp_rmsnorm(x, width, m, width, w, 1e-5f, y, width);
					break;
				case ROW_LAYERNORM:
					nlp_layernorm(x, width, m, width, w, w, 1e-5f, y, width);
					break;
				case ROW_SILU_GLU:
					nlp_glu(NLP_ACTIVATION_SILU, x, width, y, width, m, width, y, width);
					break;
				case ROW_GELU_TANH:
					nlp_activate(NLP_ACTIVATION_GELU_TANH, x, width, m, width, y, width);
					break;
				case ROW_GELU_ERF:
					nlp_activate(NLP_ACTIVATION_GELU_ERF, x, width, m, width, y, width);
					break;
				case ROW_ADD:
					nlp_add(x, width, y, width, m, width, y, width);
					break;
				case ROW_ROPE:
				case ROW_ROPE_HALVES:
					nlp_rope(y, width, m, width / 64, 64, 64, angles, k == ROW_ROPE);
					break;
			}
		}
		start = (now() - start) / repeat;
		best = start < best ? start : best;
	}
	printf("%-7s %-16s %4d x %-5d %9.2f us  %5.2f ns a value\n", nlp_isa_name(nlp_isa_current()), what, m, width,
		   best * 1e6, best * 1e9 / m / width);
	free(x);
	free(y);
	free(w);
	free(angles);
}

static void
bench_reductions(void)
{
	size_t		n = 49152;
	float	   *x = rows(n);
	double		best[2] = {1e9, 1e9};
	uint32_t	id = 0;
	double		sum = 0;

	for (int r = 0; r < 50; r++)
	{
		double		start = now();
		double		middle;

		id += nlp_argmax(x, n);
		middle = now();
		sum += nlp_logsumexp(x, n);
		best[0] = middle - start < best[0] ? middle - start : best[0];
		best[1] = now() - middle < best[1] ? now() - middle : best[1];
	}
	printf("%-7s argmax of %zu: %.2f us, logsumexp %.2f us (%u %g)\n", nlp_isa_name(nlp_isa_current()), n,
		   best[0] * 1e6, best[1] * 1e6, id, sum);
	free(x);
}

int
main(int argc, char **argv)
{
	static const struct
	{
		RowKernel	kernel;
		const char *name;
	}			kernels[] = {
		{ROW_RMSNORM, "rmsnorm"}, {ROW_LAYERNORM, "layernorm"}, {ROW_SILU_GLU, "silu glu"},
		{ROW_GELU_TANH, "gelu tanh"}, {ROW_GELU_ERF, "gelu erf"}, {ROW_ADD, "add"},
		{ROW_ROPE, "rope pairs"}, {ROW_ROPE_HALVES, "rope halves"},
	};
	static Cache c = {.shape = {9, 3, 64, 0.125f, 0, 0},.positions = 1024};
	NlpIsa		best = nlp_isa_best();

	fill(&c);
	for (int isa = 0; isa < NLP_ISA_COUNT; isa++)
	{
		if ((argc > 1 ? strcmp(argv[1], nlp_isa_name((NlpIsa) isa)) != 0 : isa == NLP_ISA_PLAIN) ||
			!nlp_isa_set((NlpIsa) isa))
			continue;
		bench_attention(&c, "prefill 512", 512, 0, 5);
		bench_attention(&c, "prefill 512 after 512", 512, 512, 3);
		bench_attention(&c, "16 tokens after 1000", 16, 1000, 20);
		bench_attention(&c, "one token after 1000", 1, 1000, 50);
		bench_attention(&c, "one token after 100", 1, 100, 50);
		bench_store(&c, 512, 5);
		for (size_t k = 0; k < sizeof(kernels) / sizeof(kernels[0]); k++)
		{
			bench_row(kernels[k].kernel, kernels[k].name, 1, 576);
			bench_row(kernels[k].kernel, kernels[k].name, 512, 576);
			bench_row(kernels[k].kernel, kernels[k].name, 512, 1536);
		}
		bench_reductions();
	}
	nlp_isa_set(best);
	return 0;
}
