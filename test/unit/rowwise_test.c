/* rowwise_test.c --- row kernels: exp, tanh and erf over dense sweeps against libm in
 * double; every kernel against its formula in double; equal bits on all levels,
 * whatever the number of rows, the strides, and in place. */
#include <math.h>

#include "check.h"
#include "core/cpu.h"
#include "core/philox.h"
#include "kernel/rowwise_ops.h"

#define MAX_WIDTH 1536
#define MAX_ROWS 5

static NlpIsa levels[NLP_ISA_COUNT];
static int	n_levels;

static float
float_of(uint32_t bits)
{
	float		f;

	memcpy(&f, &bits, 4);
	return f;
}

static float
uniform(uint64_t stream, uint64_t i)
{
	return (float) (8 * nlp_philox_uniform(3, stream, i) - 4);
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
				CHECK(nlp_rowwise_ops(levels[i])->rmsnorm != nlp_rowwise_ops(isa)->rmsnorm &&
					  nlp_rowwise_ops(levels[i])->argmax != nlp_rowwise_ops(isa)->argmax);
			levels[n_levels++] = (NlpIsa) isa;
			continue;
		}
		snprintf(line, sizeof(line), "row kernels on %s", nlp_isa_name((NlpIsa) isa));
		check_not_run(line);
	}
}

/* ---- exp, tanh, erf ------------------------------------------------------ */

/* Distance from the true value in units of the last place of a float near it. */
static double
ulps(float got, double want)
{
	int			e;
	double		ulp;

	frexp(want, &e);
	ulp = ldexp(1.0, (e < -125 ? -125 : e) - 24);
	return fabs((double) got - want) / ulp;
}

static void
sweep(int fn, double (*exact) (double), double from, double to, const char *name)
{
	enum {BATCH = 4096 - 7};
	static float x[BATCH],
				want[BATCH],
				y[BATCH];
	double		worst = 0;
	float		worst_at = 0;
	int			differ = 0;
	size_t		tried = 0;

	/* Every 397th pattern of 32 bits, so all exponents and both signs. */
	for (uint64_t bits = 0; bits < (uint64_t) 1 << 32;)
	{
		int			n = 0;

		for (; n < BATCH && bits < (uint64_t) 1 << 32; bits += 397)
		{
			float		v = float_of((uint32_t) bits);

			if (v == v && v >= from && v <= to)
				x[n++] = v;
		}
		for (int l = 0; l < n_levels; l++)
		{
			nlp_rowwise_ops(levels[l])->map(fn, x, n, l ? y : want);
			if (l)
				differ += memcmp(want, y, n * sizeof(float)) != 0;
		}
		for (int i = 0; i < n; i++)
		{
			double		u = ulps(want[i], exact((double) x[i]));

			if (!(u <= worst))
			{
				worst = u;
				worst_at = x[i];
			}
		}
		tried += n;
	}
	CHECKF(worst <= 2, "%s: %.2f ulp at %a", name, worst, (double) worst_at);
	CHECKF(differ == 0, "%s: levels differ", name);
	CHECK(tried > 1000000);
	printf("%s: %.2f ulp at worst, of %zu values\n", name, worst, tried);
}

static void
test_limits(void)
{
	float		nan = NAN;
	float		x[] = {-INFINITY, -1e30f, -104, -87, 0, -0.0f, 88.72f, 88.73f, 1e30f, INFINITY, nan, 1e-40f};
	float		y[12];

	for (int l = 0; l < n_levels; l++)
	{
		const NlpRowwiseOps *o = nlp_rowwise_ops(levels[l]);

		o->map(NLP_MAP_EXP, x, 12, y);
		CHECK(y[0] == 0 && y[1] == 0 && y[2] == 0 && y[3] == 0 && !signbit(y[0]));
		CHECK(y[4] == 1 && y[5] == 1 && isfinite(y[6]) && y[7] == INFINITY && y[8] == INFINITY);
		CHECK(y[9] == INFINITY && isnan(y[10]) && y[11] == 1);
		o->map(NLP_MAP_TANH, x, 12, y);
		CHECK(y[0] == -1 && y[1] == -1 && y[4] == 0 && !signbit(y[4]) && y[5] == 0 && signbit(y[5]));
		CHECK(y[8] == 1 && y[9] == 1 && isnan(y[10]) && y[11] == 1e-40f);
		o->map(NLP_MAP_ERF, x, 12, y);
		CHECK(y[0] == -1 && y[1] == -1 && y[4] == 0 && signbit(y[5]) && y[8] == 1 && y[9] == 1 && isnan(y[10]));
	}
}

/* ---- every kernel against its formula -------------------------------------- */

typedef enum Kernel
{
	K_RMSNORM, K_RMSNORM_PLAIN, K_LAYERNORM, K_LAYERNORM_W, K_LAYERNORM_PLAIN,
	K_ACT,						/* 7 of them */
	K_GLU = K_ACT + 7,			/* 7 of them */
	K_ADD = K_GLU + 7, K_MUL, K_SCALE, K_SOFTCAP, K_COUNT
} Kernel;

static void
run(int k, const float *a, size_t lda, const float *b, size_t ldb, const float *w, const float *bias,
	int m, size_t width, float *y, size_t ldy)
{
	if (k >= K_ACT && k < K_GLU)
		nlp_activate((NlpActivation) (k - K_ACT), a, lda, m, width, y, ldy);
	else if (k >= K_GLU && k < K_ADD)
		nlp_glu((NlpActivation) (k - K_GLU), a, lda, b, ldb, m, width, y, ldy);
	else if (k == K_RMSNORM || k == K_RMSNORM_PLAIN)
		nlp_rmsnorm(a, lda, m, width, k == K_RMSNORM ? w : NULL, 1e-5f, y, ldy);
	else if (k >= K_LAYERNORM && k <= K_LAYERNORM_PLAIN)
		nlp_layernorm(a, lda, m, width, k == K_LAYERNORM_PLAIN ? NULL : w, k == K_LAYERNORM ? bias : NULL,
					  1e-5f, y, ldy);
	else if (k == K_ADD)
		nlp_add(a, lda, b, ldb, m, width, y, ldy);
	else if (k == K_MUL)
		nlp_mul(a, lda, b, ldb, m, width, y, ldy);
	else if (k == K_SCALE)
		nlp_scale(a, lda, m, width, 0.37f, y, ldy);
	else
		nlp_softcap(a, lda, m, width, 2.5f, y, ldy);
}

static double
act_exact(int act, double x)
{
	switch (act)
	{
		case NLP_ACTIVATION_SILU:
			return x / (1 + exp(-x));
		case NLP_ACTIVATION_GELU_TANH:
			return 0.5 * x * (1 + tanh(sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
		case NLP_ACTIVATION_GELU_ERF:
			return 0.5 * x * (1 + erf(x / sqrt(2)));
		case NLP_ACTIVATION_RELU:
			return x > 0 ? x : 0;
		case NLP_ACTIVATION_TANH:
			return tanh(x);
		case NLP_ACTIVATION_SIGMOID:
			return 1 / (1 + exp(-x));
		default:
			return x;
	}
}

static void
exact_row(int k, const float *a, const float *b, const float *w, const float *bias, size_t width, double *y)
{
	double		mean = 0,
				square = 0;

	for (size_t i = 0; i < width; i++)
	{
		mean += a[i] / (double) width;
		square += (double) a[i] * a[i] / (double) width;
	}
	if (k >= K_LAYERNORM && k <= K_LAYERNORM_PLAIN)
	{
		square = 0;
		for (size_t i = 0; i < width; i++)
			square += (a[i] - mean) * (a[i] - mean) / (double) width;
	}
	for (size_t i = 0; i < width; i++)
	{
		if (k >= K_ACT && k < K_GLU)
			y[i] = act_exact(k - K_ACT, a[i]);
		else if (k >= K_GLU && k < K_ADD)
			y[i] = act_exact(k - K_GLU, a[i]) * b[i];
		else if (k == K_RMSNORM || k == K_RMSNORM_PLAIN)
			y[i] = a[i] / sqrt(square + 1e-5) * (k == K_RMSNORM ? w[i] : 1);
		else if (k >= K_LAYERNORM && k <= K_LAYERNORM_PLAIN)
			y[i] = (a[i] - mean) / sqrt(square + 1e-5) * (k == K_LAYERNORM_PLAIN ? 1 : w[i]) +
				(k == K_LAYERNORM ? bias[i] : 0);
		else if (k == K_ADD)
			y[i] = (double) a[i] + b[i];
		else if (k == K_MUL)
			y[i] = (double) a[i] * b[i];
		else if (k == K_SCALE)
			y[i] = a[i] * (double) 0.37f;
		else
			y[i] = 2.5 * tanh(a[i] / 2.5);
	}
}

/* One kernel at one width: m rows with odd strides, against double; then every
 * level, every row alone, tight strides and in place, against the first bits. */
static void
test_kernel(int k, size_t width)
{
	static float a[MAX_ROWS * (MAX_WIDTH + 16)],
				b[MAX_ROWS * (MAX_WIDTH + 16)],
				w[MAX_WIDTH],
				bias[MAX_WIDTH],
				want[MAX_ROWS * (MAX_WIDTH + 16)],
				y[MAX_ROWS * (MAX_WIDTH + 16)];
	static double exact[MAX_WIDTH];
	size_t		lda = width + 3,
				ldb = width + 5,
				ldy = width + 7;
	double		worst = 0;

	for (size_t i = 0; i < MAX_ROWS * lda; i++)
		a[i] = uniform(1, i);
	for (size_t i = 0; i < MAX_ROWS * ldb; i++)
		b[i] = uniform(2, i);
	for (size_t i = 0; i < width; i++)
	{
		w[i] = uniform(4, i);
		bias[i] = uniform(5, i);
	}
	nlp_isa_set(NLP_ISA_PLAIN);
	memset(want, 0x5a, sizeof(want));
	run(k, a, lda, b, ldb, w, bias, MAX_ROWS, width, want, ldy);
	for (int r = 0; r < MAX_ROWS; r++)
	{
		exact_row(k, a + r * lda, b + r * ldb, w, bias, width, exact);
		for (size_t i = 0; i < width; i++)
		{
			double		e = fabs(want[r * ldy + i] - exact[i]) / (1 + fabs(exact[i]));

			if (!(e <= worst))
				worst = e;
		}
		for (size_t i = width; i < ldy; i++)
			CHECK(((unsigned char *) &want[r * ldy + i])[1] == 0x5a);
	}
	CHECKF(worst < 2e-6, "kernel %d, width %zu: off by %g", k, width, worst);
	for (int l = 0; l < n_levels; l++)
	{
		bool		all,
					alone = true,
					in_place = true;

		nlp_isa_set(levels[l]);
		memset(y, 0x5a, sizeof(y));
		run(k, a, lda, b, ldb, w, bias, MAX_ROWS, width, y, ldy);
		all = memcmp(y, want, sizeof(y)) == 0;
		for (int r = 0; r < MAX_ROWS; r++)
		{
			memset(y, 0x5a, sizeof(y));
			run(k, a + r * lda, 0, b + r * ldb, 0, w, bias, 1, width, y, 0);
			alone &= memcmp(y, want + r * ldy, width * 4) == 0;
		}
		memcpy(y, a, sizeof(a));
		run(k, y, lda, b, ldb, w, bias, MAX_ROWS, width, y, lda);
		for (int r = 0; r < MAX_ROWS; r++)
			in_place &= memcmp(y + r * lda, want + r * ldy, width * 4) == 0 &&
				memcmp(y + r * lda + width, a + r * lda + width, 12) == 0;
		CHECKF(all, "kernel %d, width %zu, %s", k, width, nlp_isa_name(levels[l]));
		CHECKF(alone, "kernel %d, width %zu, %s, a row at a time", k, width, nlp_isa_name(levels[l]));
		CHECKF(in_place, "kernel %d, width %zu, %s, in place", k, width, nlp_isa_name(levels[l]));
	}
}

/* A mean far from zero: one pass over squares would lose the variance. */
static void
test_layernorm_offset(void)
{
	float		x[576],
				y[576];
	double		worst = 0;

	for (int i = 0; i < 576; i++)
		x[i] = 1000 + (float) (i % 2);
	for (int l = 0; l < n_levels; l++)
	{
		nlp_isa_set(levels[l]);
		nlp_layernorm(x, 0, 1, 576, NULL, NULL, 0, y, 0);
		for (int i = 0; i < 576; i++)
		{
			double		e = fabs(y[i] - (i % 2 ? 1.0 : -1.0));

			worst = e > worst ? e : worst;
		}
	}
	CHECKF(worst < 1e-3, "%g", worst);
}

static void
test_nan_stays(void)
{
	float		x[20],
				y[20];

	for (int l = 0; l < n_levels; l++)
	{
		nlp_isa_set(levels[l]);
		for (int act = 0; act < 7; act++)
		{
			int			wrong = 0;

			for (int i = 0; i < 20; i++)
				x[i] = i % 3 ? 1.0f : NAN;
			nlp_activate((NlpActivation) act, x, 20, 1, 20, y, 20);
			for (int i = 0; i < 20; i++)
				wrong += (isnan(y[i]) != 0) != (i % 3 == 0);
			CHECKF(wrong == 0, "activation %d on %s", act, nlp_isa_name(levels[l]));
		}
	}
}

/* ---- rotary embedding ------------------------------------------------------- */

static void
test_rope(int heads, int head_dim, int rot_dim, bool interleaved)
{
	enum {M = 3};
	static float x[M * 1100],
				y[M * 1100],
				first[M * 1100],
				cos_sin[M * 256];
	size_t		ld = (size_t) heads * head_dim + 5;
	int			half = rot_dim / 2;
	double		worst = 0;

	for (int i = 0; i < M; i++)
	{
		for (int j = 0; j < half; j++)
		{
			double		angle = (100 + i) * pow(10000, -2.0 * j / rot_dim);

			cos_sin[i * rot_dim + j] = (float) cos(angle);
			cos_sin[i * rot_dim + half + j] = (float) sin(angle);
		}
	}
	for (size_t i = 0; i < M * ld; i++)
		x[i] = uniform(9, i);
	for (int l = 0; l < n_levels; l++)
	{
		memcpy(y, x, sizeof(x));
		nlp_isa_set(levels[l]);
		nlp_rope(y, ld, M, heads, head_dim, rot_dim, cos_sin, interleaved);
		if (l == 0)
			memcpy(first, y, sizeof(y));
		CHECKF(memcmp(first, y, sizeof(y)) == 0, "rope %d of %d on %s", rot_dim, head_dim, nlp_isa_name(levels[l]));
	}
	for (int i = 0; i < M; i++)
	{
		for (int h = 0; h < heads; h++)
		{
			const float *in = x + i * ld + (size_t) h * head_dim;
			const float *out = y + i * ld + (size_t) h * head_dim;

			for (int j = 0; j < half; j++)
			{
				int			p = interleaved ? 2 * j : j;
				int			q = interleaved ? 2 * j + 1 : j + half;
				double		c = cos_sin[i * rot_dim + j];
				double		s = cos_sin[i * rot_dim + half + j];

				worst = fmax(worst, fabs(out[p] - (in[p] * c - in[q] * s)));
				worst = fmax(worst, fabs(out[q] - (in[q] * c + in[p] * s)));
			}
			CHECK(memcmp(in + rot_dim, out + rot_dim, (head_dim - rot_dim) * 4) == 0);
		}
		CHECK(memcmp(x + i * ld + (size_t) heads * head_dim, y + i * ld + (size_t) heads * head_dim, 20) == 0);
	}
	CHECKF(worst < 1e-6, "rope %d of %d: off by %g", rot_dim, head_dim, worst);
}

/* ---- reductions ------------------------------------------------------------- */

static uint32_t
plain_argmax(const float *x, size_t n)
{
	size_t		best = 0;
	bool		found = false;

	for (size_t i = 0; i < n; i++)
	{
		if (x[i] == x[i] && (!found || x[i] > x[best]))
		{
			best = i;
			found = true;
		}
	}
	return (uint32_t) best;
}

static void
test_argmax(void)
{
	static float x[49152];

	for (int round = 0; round < 600; round++)
	{
		size_t		n = round < 300 ? 1 + (size_t) round : 1 + (size_t) (nlp_philox_uniform(1, 2, round) * 49151);
		uint32_t	want;

		for (size_t i = 0; i < n; i++)
		{
			double		u = nlp_philox_uniform(5, round, i);

			/* Few values, so many ties; zeros of both signs, NaN, infinities. */
			x[i] = round % 4 == 0 ? (float) (u - 0.5) : (float) ((int) (u * 7) - (round % 4 == 1 ? 6 : 3));
			if (x[i] == 0 && i % 2)
				x[i] = -0.0f;
			if (round % 5 == 1 && (int) (u * 100) == 3)
				x[i] = NAN;
			if (round % 11 == 2)
				x[i] = u < 0.5 ? NAN : -INFINITY;
			if (round % 17 == 3)
				x[i] = NAN;
		}
		want = plain_argmax(x, n);
		for (int l = 0; l < n_levels; l++)
		{
			nlp_isa_set(levels[l]);
			CHECKF(nlp_argmax(x, n) == want, "round %d, n %zu on %s", round, n, nlp_isa_name(levels[l]));
		}
	}
}

static void
test_softmax_and_logsumexp(void)
{
	static float x[5000],
				y[5000],
				first[5000];
	static const size_t sizes[] = {1, 2, 15, 16, 17, 33, 100, 576, 5000};

	for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++)
	{
		size_t		n = sizes[s];
		float		sum_first = 0;
		double		lse_first = 0,
					exact = 0,
					max = -INFINITY,
					worst = 0;

		for (size_t i = 0; i < n; i++)
		{
			x[i] = 5 * uniform(20 + s, i);
			max = fmax(max, x[i]);
		}
		for (size_t i = 0; i < n; i++)
			exact += exp(x[i] - max);
		for (int l = 0; l < n_levels; l++)
		{
			float		sum;
			double		lse;

			nlp_isa_set(levels[l]);
			memcpy(y, x, sizeof(x));
			sum = nlp_softmax_exp(y, n);
			lse = nlp_logsumexp(x, n);
			if (l == 0)
			{
				memcpy(first, y, sizeof(y));
				sum_first = sum;
				lse_first = lse;
			}
			CHECK(memcmp(y, first, sizeof(y)) == 0 && sum == sum_first && lse == lse_first);
		}
		for (size_t i = 0; i < n; i++)
			worst = fmax(worst, fabs(first[i] - exp(x[i] - max)) / exp(x[i] - max));
		CHECKF(worst < 4e-6, "%g", worst);	/* x - max rounds first */
		CHECKF(fabs(sum_first - exact) < 1e-6 * exact, "%g %g", sum_first, exact);
		CHECKF(fabs(lse_first - (max + log(exact))) < 1e-6, "%.12g %.12g", lse_first, max + log(exact));
	}
	for (size_t i = 0; i < 40; i++)
		x[i] = -INFINITY;
	CHECK(nlp_logsumexp(x, 40) == -INFINITY);
	x[7] = 3;
	CHECK(nlp_logsumexp(x, 40) == 3);
	x[9] = INFINITY;
	CHECK(nlp_logsumexp(x, 40) == INFINITY);
	x[9] = NAN;
	CHECK(isnan(nlp_logsumexp(x, 40)));
}

int
main(void)
{
	static const size_t widths[] = {1, 2, 7, 8, 15, 16, 17, 31, 32, 33, 40, 63, 64, 65, 100, 576, 1536};
	static const int ropes[][3] = {{9, 64, 64}, {3, 128, 128}, {2, 80, 80}, {2, 80, 32}, {4, 96, 96}, {5, 64, 20}, {2, 8, 8}, {1, 256, 256}};

	find_levels();
	sweep(NLP_MAP_EXP, exp, -86.98, 88.722, "exp");
	sweep(NLP_MAP_TANH, tanh, -INFINITY, INFINITY, "tanh");
	sweep(NLP_MAP_ERF, erf, -INFINITY, INFINITY, "erf");
	test_limits();
	for (int k = 0; k < K_COUNT; k++)
		for (size_t i = 0; i < sizeof(widths) / sizeof(widths[0]); i++)
			test_kernel(k, widths[i]);
	test_layernorm_offset();
	test_nan_stays();
	for (size_t i = 0; i < sizeof(ropes) / sizeof(ropes[0]); i++)
	{
		test_rope(ropes[i][0], ropes[i][1], ropes[i][2], true);
		test_rope(ropes[i][0], ropes[i][1], ropes[i][2], false);
	}
	test_argmax();
	test_softmax_and_logsumexp();
	return check_done();
}
