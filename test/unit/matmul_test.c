/* matmul_test.c --- every variant of the matrix product against a plain-loop twin
 * that reads the file's bytes element by element, bit for bit; against itself for
 * other row counts, tile ranges and neighbours; and against f64 products of the
 * unquantised values, within what coding the activations may lose. */
#include <math.h>

#include "check.h"
#include "kernel/matmul.h"
#include "weights.h"

#define MAX_M 33

typedef struct Case
{
	NlpDtype	t;
	uint64_t	rows;
	uint64_t	cols;
	size_t		row_bytes;
	uint8_t    *file;			/* [rows][row_bytes] */
	uint8_t    *packed;
	NlpWeight	w;
	float	   *x;				/* [MAX_M][cols] */
	float	   *want;			/* [MAX_M][rows], without bias and residual */
} Case;

static NlpIsa isas[NLP_ISA_COUNT];
static int	n_isas;

/* Equal bits, or both NaN (whose payload is not promised). */
static bool
same(const float *a, const float *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
	{
		if (memcmp(a + i, b + i, 4) != 0 && !(isnan(a[i]) && isnan(b[i])))
			return false;
	}
	return true;
}

/* The twin's coded block: written from the definition in quantize_plain.c's head. */
typedef struct TwinBlock
{
	int			q[256];
	float		d;
} TwinBlock;

static void
twin_code(const float *x, int n, TwinBlock *b)
{
	float		amax = 0.0f;
	float		peak = 0.0f;
	float		inverse;
	bool		finite = true;

	memset(b, 0, sizeof(*b));
	for (int i = 0; i < n; i++)
	{
		finite = finite && isfinite(x[i]);
		if (fabsf(x[i]) > amax)
		{
			amax = fabsf(x[i]);
			peak = x[i];
		}
	}
	if (!finite)
		b->d = NAN;
	if (!finite || amax == 0.0f)
		return;
	inverse = n == 32 ? 1.0f / (amax / 127.0f) : -127.0f / peak;
	if (isinf(inverse))
		return;
	b->d = n == 32 ? amax / 127.0f : 1.0f / inverse;
	for (int i = 0; i < n; i++)
		b->q[i] = (int) (n == 32 ? roundf(x[i] * inverse) : nearbyintf(inverse * x[i]));
}

/* One output over one block; all integer work in 64 bits. */
static float
twin_block(NlpDtype t, const uint8_t *b, const TwinBlock *x, float acc)
{
	int			n = nlp_dtype_info(t)->block_elems;
	int			at[2];
	int			scales = scale_places(t, at);
	int64_t		isum = 0;
	int64_t		msum = 0;

	for (int k = 0; k < n; k++)
	{
		int64_t		product = (int64_t) block_code(t, b, k) * x->q[k];

		isum += n == 256 ? product * block_sub_scale(t, b, k) : product;
		if (scales == 2)
			msum += n == 256 ? (int64_t) block_sub_min(b, k) * x->q[k] : x->q[k];
	}
	acc = fmaf(block_f16(b, at[0]) * x->d, (float) isum, acc);
	if (scales == 2 && n == 32)
		acc = fmaf(block_f16(b, 2), x->d * (float) msum, acc);
	else if (scales == 2)
		acc = fmaf(-(block_f16(b, 2) * x->d), (float) msum, acc);
	return acc;
}

static float
twin_float(NlpDtype t, const uint8_t *row, const float *x, uint64_t cols)
{
	float		acc = 0.0f;

	for (uint64_t k = 0; k < cols; k++)
	{
		float		w;
		uint16_t	h;

		if (t == NLP_F32)
			memcpy(&w, row + 4 * k, 4);
		else
		{
			memcpy(&h, row + 2 * k, 2);
			w = t == NLP_F16 ? nlp_f16_to_f32(h) : nlp_bf16_to_f32(h);
		}
		acc = fmaf(x[k], w, acc);
	}
	return acc;
}

static void
twin_row(const Case *c, const float *x, float *y)
{
	const NlpDtypeInfo *info = nlp_dtype_info(c->t);
	uint64_t	blocks = c->cols / info->block_elems;
	TwinBlock  *coded = NULL;

	if (info->block_elems > 1)
	{
		coded = nlp_alloc(&nlp_libc_alloc, blocks * sizeof(TwinBlock));
		for (uint64_t b = 0; b < blocks; b++)
			twin_code(x + b * info->block_elems, info->block_elems, coded + b);
	}
	for (uint64_t n = 0; n < c->rows; n++)
	{
		const uint8_t *row = c->file + n * c->row_bytes;

		y[n] = 0.0f;
		if (!coded)
			y[n] = twin_float(c->t, row, x, c->cols);
		for (uint64_t b = 0; coded && b < blocks; b++)
			y[n] = twin_block(c->t, row + b * info->block_bytes, coded + b, y[n]);
	}
	nlp_free(&nlp_libc_alloc, coded);
}

typedef enum InputMood
{
	INPUT_USUAL,
	INPUT_EXTREME,				/* every code at +-127 */
	INPUT_TINY,					/* subnormal values */
	INPUT_MIXED,				/* zero blocks, values exactly half way between codes and next to it */
	INPUT_NONFINITE				/* one NaN and one infinity in some rows */
} InputMood;

static float
input_value(InputMood mood, int row, uint64_t k)
{
	switch (mood)
	{
		case INPUT_EXTREME:
			return row % 3 == 0 ? 1.0f : row % 3 == 1 ? -1.0f : rnd() & 1 ? 1.0f : -1.0f;
		case INPUT_TINY:
			return rnd_unit() * (row % 2 ? 1e-36f : 1e-40f);
		case INPUT_MIXED:
			if (k / 32 % 3 == 0)
				return 0.0f;
			if (k % 32 == 9)	/* the float before 0.5 must not round up */
				return rnd() & 1 ? 0x1.fffffep-2f : -0x1.fffffep-2f;
			return k % 32 == 7 ? 127.0f : (float) ((int) (rnd() % 255) - 127) * 0.5f;
		case INPUT_NONFINITE:
			if (row % 4 == 1 && k == 5)
				return NAN;
			if (row % 4 == 2 && k == 37)
				return -INFINITY;
			return rnd_unit();
		default:
			return rnd_unit() * expf(2.0f * rnd_unit());
	}
}

static void
case_new(Case *c, NlpDtype t, WeightMood mood, InputMood input, uint64_t rows, uint64_t cols)
{
	const NlpDtypeInfo *info = nlp_dtype_info(t);
	size_t		tile_bytes = nlp_pack_tile_bytes(t, cols);
	uint64_t	tiles = (rows + 15) / 16;
	NlpError	err;

	c->t = t;
	c->rows = rows;
	c->cols = cols;
	c->row_bytes = cols / info->block_elems * info->block_bytes;
	c->file = nlp_alloc(&nlp_libc_alloc, rows * c->row_bytes);
	c->packed = nlp_alloc(&nlp_libc_alloc, 64 + tiles * tile_bytes);
	c->x = nlp_alloc(&nlp_libc_alloc, MAX_M * cols * sizeof(float));
	c->want = nlp_alloc(&nlp_libc_alloc, MAX_M * rows * sizeof(float));
	c->w = (NlpWeight) {64, tiles * tile_bytes, rows, cols, t, NLP_LAYOUT_TILES};
	random_blocks(t, mood, c->file, rows * (cols / info->block_elems));
	for (uint64_t i = 0; i < tiles; i++)
	{
		int			n = rows - 16 * i < 16 ? (int) (rows - 16 * i) : 16;

		CHECK_OK(nlp_pack_tile(t, c->file + 16 * i * c->row_bytes, c->row_bytes, n, cols,
							   c->packed + 64 + i * tile_bytes, false, &err), err);
	}
	for (int i = 0; i < MAX_M; i++)
	{
		for (uint64_t k = 0; k < cols; k++)
			c->x[i * cols + k] = input_value(input, i, k);
		twin_row(c, c->x + i * cols, c->want + i * rows);
	}
}

static void
case_free(Case *c)
{
	nlp_free(&nlp_libc_alloc, c->file);
	nlp_free(&nlp_libc_alloc, c->packed);
	nlp_free(&nlp_libc_alloc, c->x);
	nlp_free(&nlp_libc_alloc, c->want);
}

/* m rows of the case from row first on, tiles [from, to), into y filled with poison. */
static void
run_rows(const Case *c, int first, int m, uint64_t from, uint64_t to, const float *bias,
		 const float *residual, float *y, size_t ldy)
{
	NlpActKind	kind = nlp_act_kind(c->t);
	size_t		bytes = nlp_act_row_bytes(kind, c->cols);
	uint8_t    *act = nlp_alloc(&nlp_libc_alloc, m * bytes);

	nlp_quantize_rows(kind, c->x + first * c->cols, c->cols, m, c->cols, act);
	nlp_matmul(&c->w, c->packed, act, m, from, to, bias, residual, y, ldy);
	nlp_free(&nlp_libc_alloc, act);
}

#define POISON 0x7fa5a5a5u

static void
poison(float *y, size_t n)
{
	for (size_t i = 0; i < n; i++)
		memcpy(y + i, &(uint32_t) {POISON}, 4);
}

static bool
is_poison(const float *y, size_t n)
{
	for (size_t i = 0; i < n; i++)
	{
		if (memcmp(y + i, &(uint32_t) {POISON}, 4) != 0)
			return false;
	}
	return true;
}

/* All row counts given, on all instruction sets, against the twin. */
static void
check_case(NlpDtype t, WeightMood mood, InputMood input, uint64_t rows, uint64_t cols, int m_step)
{
	Case		c;
	size_t		ldy = rows + 5;
	float	   *y = nlp_alloc(&nlp_libc_alloc, (MAX_M + 1) * ldy * sizeof(float));

	case_new(&c, t, mood, input, rows, cols);
	for (int v = 0; v < n_isas; v++)
	{
		nlp_isa_set(isas[v]);
		for (int m = 1; m <= MAX_M; m += m_step)
		{
			bool		ok = true;
			bool		clean = true;
			int			first = (MAX_M - m) / 2;

			poison(y, (MAX_M + 1) * ldy);
			run_rows(&c, first, m, 0, (rows + 15) / 16, NULL, NULL, y, ldy);
			for (int i = 0; i < m; i++)
			{
				ok = ok && same(y + i * ldy, c.want + (first + i) * rows, rows);
				clean = clean && is_poison(y + i * ldy + rows, ldy - rows);
			}
			CHECKF(ok, "%s %s weights %d inputs %d: m %d, %d x %d", nlp_isa_name(isas[v]),
				   nlp_dtype_info(t)->name, mood, input, m, (int) rows, (int) cols);
			CHECKF(clean && is_poison(y + m * ldy, (MAX_M + 1 - m) * ldy), "%s %s wrote outside: m %d, %d x %d",
				   nlp_isa_name(isas[v]), nlp_dtype_info(t)->name, m, (int) rows, (int) cols);
		}
	}
	case_free(&c);
	nlp_free(&nlp_libc_alloc, y);
}

/* Bias, residual (also in place), tile ranges; compared with the twin's acc + bias + residual. */
static void
check_epilogue(NlpDtype t)
{
	const uint64_t rows = 75,
				cols = nlp_dtype_info(t)->block_elems == 256 ? 512 : 96;
	const int	m = 11;
	size_t		ldy = rows + 2;
	float		bias[75];
	float	   *res = nlp_alloc(&nlp_libc_alloc, m * ldy * sizeof(float));
	float	   *y = nlp_alloc(&nlp_libc_alloc, m * ldy * sizeof(float));
	Case		c;

	case_new(&c, t, MOOD_USUAL, INPUT_USUAL, rows, cols);
	for (uint64_t n = 0; n < rows; n++)
		bias[n] = rnd_unit();
	for (size_t i = 0; i < m * ldy; i++)
		res[i] = rnd_unit();
	for (int v = 0; v < n_isas; v++)
	{
		for (int how = 0; how < 5; how++)
		{
			const float *b = how & 1 ? bias : NULL;
			const float *r = how & 2 ? res : NULL;
			bool		ok = true;

			nlp_isa_set(isas[v]);
			if (how == 4)		/* residual in place */
			{
				memcpy(y, res, m * ldy * sizeof(float));
				r = y;
			}
			else
				poison(y, m * ldy);
			run_rows(&c, 0, m, 1, 3, b, r, y, ldy);	/* in three ranges, out of order */
			run_rows(&c, 0, m, 3, 99, b, r, y, ldy);
			run_rows(&c, 0, m, 0, 1, b, r, y, ldy);
			run_rows(&c, 0, m, 2, 2, b, r, y, ldy); /* nothing */
			for (int i = 0; i < m; i++)
			{
				for (uint64_t n = 0; n < rows; n++)
				{
					float		want = c.want[i * rows + n];

					if (b)
						want += b[n];
					if (how & 6)
						want += res[i * ldy + n];
					ok = ok && same(&want, y + i * ldy + n, 1);
				}
			}
			CHECKF(ok, "%s %s epilogue %d", nlp_isa_name(isas[v]), nlp_dtype_info(t)->name, how);
		}
	}
	case_free(&c);
	nlp_free(&nlp_libc_alloc, res);
	nlp_free(&nlp_libc_alloc, y);
}

/* Many rows, more than one cache chunk: row i equals the same row alone. */
static void
check_many_rows(NlpDtype t)
{
	const uint64_t rows = 40,
				cols = 1536;
	const int	m = 700;
	NlpActKind	kind = nlp_act_kind(t);
	size_t		bytes = nlp_act_row_bytes(kind, cols);
	uint8_t    *act = nlp_alloc(&nlp_libc_alloc, m * bytes);
	float	   *x = nlp_alloc(&nlp_libc_alloc, cols * sizeof(float));
	float	   *y = nlp_alloc(&nlp_libc_alloc, m * rows * sizeof(float));
	float	   *one = nlp_alloc(&nlp_libc_alloc, rows * sizeof(float));
	Case		c;

	case_new(&c, t, MOOD_USUAL, INPUT_USUAL, rows, cols);
	for (int i = 0; i < m; i++)
	{
		for (uint64_t k = 0; k < cols; k++)
			x[k] = rnd_unit();
		nlp_quantize_rows(kind, x, cols, 1, cols, act + i * bytes);
	}
	for (int v = 1; v < n_isas; v++)
	{
		bool		ok = true;

		nlp_isa_set(isas[v]);
		nlp_matmul(&c.w, c.packed, act, m, 0, 3, NULL, NULL, y, rows);
		for (int i = 0; i < m; i += 13)
		{
			nlp_matmul(&c.w, c.packed, act + i * bytes, 1, 0, 3, NULL, NULL, one, rows);
			ok = ok && memcmp(one, y + i * rows, rows * sizeof(float)) == 0;
		}
		CHECKF(ok, "%s %s: %d rows", nlp_isa_name(isas[v]), nlp_dtype_info(t)->name, m);
	}
	case_free(&c);
	nlp_free(&nlp_libc_alloc, act);
	nlp_free(&nlp_libc_alloc, x);
	nlp_free(&nlp_libc_alloc, y);
	nlp_free(&nlp_libc_alloc, one);
}

/* Against f64: the error is at most half a code step a product, plus f32 rounding. */
static void
check_f64(NlpDtype t)
{
	const uint64_t rows = 33,
				cols = 768;
	int			block = nlp_act_kind(t) == NLP_ACT_F32 ? 0 : nlp_dtype_info(t)->block_elems;
	float	   *w = nlp_alloc(&nlp_libc_alloc, cols * sizeof(float));
	float	   *y = nlp_alloc(&nlp_libc_alloc, rows * sizeof(float));
	double		worst = 0.0;
	Case		c;

	case_new(&c, t, MOOD_USUAL, INPUT_USUAL, rows, cols);
	nlp_isa_set(nlp_isa_best());
	run_rows(&c, 0, 1, 0, 3, NULL, NULL, y, rows);
	for (uint64_t n = 0; n < rows; n++)
	{
		double		sum = 0.0;
		double		bound = 0.0;
		double		size = 0.0;

		nlp_dtype_to_f32(t, c.file + n * c.row_bytes, w, cols);
		for (uint64_t k = 0; k < cols; k++)
		{
			double		amax = 0.0;

			for (int i = 0; i < block; i++)
				amax = fmax(amax, fabs(c.x[k / block * block + i]));
			sum += (double) w[k] * c.x[k];
			size += fabs((double) w[k] * c.x[k]);
			bound += fabs(w[k]) * amax / 254.0;
		}
		worst = fmax(worst, fabs(y[n] - sum) / (bound + 1e-4 * size));
	}
	CHECKF(worst <= 1.0, "%s: %g of the bound", nlp_dtype_info(t)->name, worst);
	case_free(&c);
	nlp_free(&nlp_libc_alloc, w);
	nlp_free(&nlp_libc_alloc, y);
}

/* Coded rows: the same bytes on every instruction set, padding included. */
static void
check_quantize(NlpActKind kind, InputMood mood, uint64_t cols)
{
	size_t		bytes = nlp_act_row_bytes(kind, cols);
	uint8_t    *want = nlp_alloc(&nlp_libc_alloc, 5 * bytes);
	uint8_t    *got = nlp_alloc(&nlp_libc_alloc, 5 * bytes);
	float	   *x = nlp_alloc(&nlp_libc_alloc, 5 * (cols + 3) * sizeof(float));

	CHECK(bytes % 64 == 0);
	for (int i = 0; i < 5; i++)
	{
		for (uint64_t k = 0; k < cols; k++)
			x[i * (cols + 3) + k] = input_value(mood, i, k);
	}
	memset(want, 0x11, 5 * bytes);
	nlp_isa_set(NLP_ISA_PLAIN);
	nlp_quantize_rows(kind, x, cols + 3, 5, cols, want);
	for (int v = 1; v < n_isas; v++)
	{
		memset(got, 0x22, 5 * bytes);
		nlp_isa_set(isas[v]);
		nlp_quantize_rows(kind, x, cols + 3, 5, cols, got);
		CHECKF(memcmp(want, got, 5 * bytes) == 0, "%s kind %d inputs %d", nlp_isa_name(isas[v]), kind, mood);
	}
	nlp_free(&nlp_libc_alloc, want);
	nlp_free(&nlp_libc_alloc, got);
	nlp_free(&nlp_libc_alloc, x);
}

/* Each level is a function of its own, and was really entered. */
static void
check_variants(void)
{
	for (int t = 0; t < N_TYPES; t++)
	{
		for (int a = 0; a < n_isas; a++)
		{
			CHECK(nlp_matmul_variant(all_types[t], isas[a]) != NULL);
			for (int b = 0; b < a; b++)
				CHECK(nlp_matmul_variant(all_types[t], isas[a]) != nlp_matmul_variant(all_types[t], isas[b]));
		}
	}
	CHECK(nlp_matmul_variant((NlpDtype) 16, NLP_ISA_PLAIN) == NULL);
	for (int v = 0; v < n_isas; v++)
		CHECKF(nlp_kernel_calls[isas[v]] > 0, "%s", nlp_isa_name(isas[v]));
}

int
main(void)
{
	for (int i = 0; i < NLP_ISA_COUNT; i++)
	{
		if (nlp_isa_available(i))
			isas[n_isas++] = i;
		else
			check_not_run(nlp_isa_name(i));
	}
	for (int i = 0; i < N_TYPES; i++)
	{
		NlpDtype	t = all_types[i];
		int			unit = nlp_dtype_info(t)->block_elems;

		check_case(t, MOOD_USUAL, INPUT_USUAL, 37, unit == 256 ? 768 : 160, 1);
		check_case(t, MOOD_USUAL, INPUT_USUAL, 64, unit == 256 ? 1536 : 576, 8);
		check_case(t, MOOD_USUAL, INPUT_USUAL, 9, unit == 256 ? 256 : unit, 3);
		check_case(t, MOOD_USUAL, INPUT_USUAL, 21, 1792, 32);
		for (int mood = 0; mood < N_MOODS; mood++)
		{
			for (int input = INPUT_USUAL; input <= INPUT_NONFINITE; input++)
				check_case(t, mood, input, 19, unit == 256 ? 256 : 64, 7);
		}
		check_epilogue(t);
		check_many_rows(t);
		check_f64(t);
	}
	for (int input = INPUT_USUAL; input <= INPUT_NONFINITE; input++)
	{
		check_quantize(NLP_ACT_F32, input, 37);
		check_quantize(NLP_ACT_Q8_32, input, 416);
		check_quantize(NLP_ACT_Q8_256, input, 768);
	}
	check_variants();
	return check_done();
}
