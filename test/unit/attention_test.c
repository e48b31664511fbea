/* attention_test.c --- attention against a plain double-precision twin within a
 * tolerance, and bit for bit against itself: prompt cuts, levels, head splits,
 * garbage in unused slots. */
#include <math.h>

#include "check.h"
#include "core/cpu.h"
#include "core/half.h"
#include "core/philox.h"
#include "kernel/attention_ops.h"

typedef struct Case
{
	NlpAttnShape shape;
	int			n;				/* positions */
	const char *name;
} Case;

typedef struct Data
{
	const Case *c;
	float	   *q,
			   *k,
			   *v;				/* [n, H*d], [n, G*d] */
	void	  **pages;			/* filled by store_until */
	int			n_pages;
	void	   *work;
} Data;

static float
noise(uint64_t stream, uint64_t i)
{
	double		u = nlp_philox_uniform(7, stream, 2 * i) + 1e-12;
	double		w = nlp_philox_uniform(7, stream, 2 * i + 1);

	return (float) (sqrt(-2 * log(u)) * cos(6.283185307179586 * w));
}

static void *
block(size_t bytes)
{
	return aligned_alloc(64, (bytes + 63) & ~(size_t) 63);
}

static float *
noise_rows(uint64_t stream, size_t count, float sigma)
{
	float	   *x = block(count * sizeof(float));

	for (size_t i = 0; i < count; i++)
		x[i] = sigma * noise(stream, i);
	return x;
}

/* Fresh pages, every slot NaN, infinity or nonsense. */
static void
spoil_pages(Data *data, uint16_t pattern)
{
	const NlpAttnShape *s = &data->c->shape;
	size_t		bytes = nlp_kv_layer_bytes(s->kv_heads, s->head_dim);

	for (int p = 0; p < data->n_pages; p++)
		for (size_t i = 0; i < bytes / 2; i++)
			((uint16_t *) data->pages[p])[i] = pattern ? pattern : (uint16_t) (i * 40503u + 31 * p);
}

static void
store(Data *data, int from, int to)
{
	const NlpAttnShape *s = &data->c->shape;
	size_t		width = (size_t) s->kv_heads * s->head_dim;

	for (int p = from; p < to; p++)
		nlp_kv_store(data->pages[p / NLP_KV_PAGE], p % NLP_KV_PAGE, s->kv_heads, s->head_dim,
					 data->k + p * width, data->v + p * width);
}

static void
make_data(Data *data, const Case *c)
{
	const NlpAttnShape *s = &c->shape;

	data->c = c;
	data->q = noise_rows(1, (size_t) c->n * s->heads * s->head_dim, 2.0f);
	data->k = noise_rows(2, (size_t) c->n * s->kv_heads * s->head_dim, 1.0f);
	data->v = noise_rows(3, (size_t) c->n * s->kv_heads * s->head_dim, 1.0f);
	data->n_pages = (c->n + NLP_KV_PAGE - 1) / NLP_KV_PAGE;
	data->pages = malloc(data->n_pages * sizeof(void *));
	for (int p = 0; p < data->n_pages; p++)
		data->pages[p] = block(nlp_kv_layer_bytes(s->kv_heads, s->head_dim));
	data->work = block(nlp_attention_work_bytes(s, c->n));
	memset(data->work, 0xff, nlp_attention_work_bytes(s, c->n));
}

static void
free_data(Data *data)
{
	for (int p = 0; p < data->n_pages; p++)
		free(data->pages[p]);
	free(data->pages);
	free(data->work);
	free(data->q);
	free(data->k);
	free(data->v);
}

/* The definition, in double, from the values as f16 keeps them. */
static void
reference(const Data *data, int i, int h, double *out)
{
	const NlpAttnShape *s = &data->c->shape;
	int			d = s->head_dim;
	int			g = h / (s->heads / s->kv_heads);
	size_t		kv_row = (size_t) s->kv_heads * d;
	int			from = s->window > 0 && i + 1 > s->window ? i + 1 - s->window : 0;
	double	   *p = malloc((i + 1) * sizeof(double));
	double		max = -INFINITY;
	double		sum = 0;

	for (int j = from; j <= i; j++)
	{
		double		dot = 0;

		for (int c = 0; c < d; c++)
			dot += (double) data->q[((size_t) i * s->heads + h) * d + c] *
				(double) nlp_f16_to_f32(nlp_f32_to_f16(data->k[j * kv_row + (size_t) g * d + c]));
		p[j] = dot * s->scale;
		if (s->softcap > 0)
			p[j] = s->softcap * tanh(p[j] / s->softcap);
		max = p[j] > max ? p[j] : max;
	}
	for (int c = 0; c < d; c++)
		out[c] = 0;
	for (int j = from; j <= i; j++)
	{
		double		e = exp(p[j] - max);

		sum += e;
		for (int c = 0; c < d; c++)
			out[c] += e * (double) nlp_f16_to_f32(nlp_f32_to_f16(data->v[j * kv_row + (size_t) g * d + c]));
	}
	for (int c = 0; c < d; c++)
		out[c] /= sum;
	free(p);
}

/* Whole prompt in pieces of the given size (0: pieces of changing size), keys and
 * values of a piece stored just before it, as the runner does. */
static void
run_pieces(Data *data, int piece, int n_splits, float *out)
{
	const NlpAttnShape *s = &data->c->shape;
	size_t		width = (size_t) s->heads * s->head_dim;
	int			changing[] = {1, 5, 32, 2, 17, 64, 3, 31, 33};

	for (int at = 0, i = 0; at < data->c->n; i++)
	{
		int			t = piece ? piece : changing[i % 9];

		if (t > data->c->n - at)
			t = data->c->n - at;
		store(data, at, at + t);
		for (int part = 0; part < n_splits; part++)
			nlp_attention(s, data->q + at * width, width, t, at, data->pages,
						  s->kv_heads * part / n_splits, s->kv_heads * (part + 1) / n_splits,
						  out + at * width, width, data->work);
		at += t;
	}
}

static void
test_against_reference(Data *data, const float *out)
{
	const NlpAttnShape *s = &data->c->shape;
	double		want[256];
	double		worst = 0;

	for (int i = 0; i < data->c->n; i++)
	{
		for (int h = 0; h < s->heads; h++)
		{
			reference(data, i, h, want);
			for (int c = 0; c < s->head_dim; c++)
			{
				double		e = fabs(want[c] - out[((size_t) i * s->heads + h) * s->head_dim + c]);

				worst = e > worst || e != e ? e : worst;
			}
		}
	}
	CHECKF(worst < 4e-6, "%s: off by %g", data->c->name, worst);
}

static void
test_case(const Case *c)
{
	static const int pieces[] = {1, 3, 7, 16, 31, 32, 33, 48, 100, 0};
	Data		data;
	size_t		count = (size_t) c->n * c->shape.heads * c->shape.head_dim;
	float	   *want = block(count * sizeof(float));
	float	   *out = block(count * sizeof(float));
	uint16_t	garbage[] = {0x7e00, 0x7c00, 0xfc00, 0x7bff, 0};
	NlpIsa		best = nlp_isa_current();

	make_data(&data, c);
	spoil_pages(&data, 0x7e00);
	run_pieces(&data, c->n, 1, want);
	test_against_reference(&data, want);
	for (int isa = 0; isa < NLP_ISA_COUNT; isa++)
	{
		if (!nlp_isa_set((NlpIsa) isa))
			continue;
		spoil_pages(&data, 0x7e00);
		memset(out, 0xff, count * sizeof(float));
		run_pieces(&data, c->n, 1, out);
		CHECKF(memcmp(out, want, count * sizeof(float)) == 0, "%s on %s", c->name, nlp_isa_name(isa));
		for (size_t p = 0; p < sizeof(pieces) / sizeof(pieces[0]); p++)
		{
			spoil_pages(&data, garbage[p % 5]);
			memset(out, 0xff, count * sizeof(float));
			run_pieces(&data, pieces[p], 1 + (int) p % c->shape.kv_heads, out);
			CHECKF(memcmp(out, want, count * sizeof(float)) == 0, "%s on %s in pieces of %d", c->name,
				   nlp_isa_name(isa), pieces[p]);
		}
	}
	nlp_isa_set(best);
	free_data(&data);
	free(want);
	free(out);
}

/* A later position's infinite value must not reach an earlier row of its chunk. */
static void
test_later_infinity(void)
{
	Case		c = {{.heads = 2,.kv_heads = 1,.head_dim = 32,.scale = 0.2f}, 40, "infinity"};
	Data		data;
	float		out[40 * 64];
	bool		early_fine = true,
				late_hit = true;

	make_data(&data, &c);
	for (int ch = 0; ch < 32; ch++)
		data.v[21 * 32 + ch] = 1e30f;
	spoil_pages(&data, 0x7e00);
	run_pieces(&data, 40, 1, out);
	for (int i = 0; i < 40 * 64; i++)
	{
		if (i / 64 < 21)
			early_fine &= isfinite(out[i]) != 0;
		else
			late_hit &= !isfinite(out[i]);
	}
	CHECK(early_fine);
	CHECK(late_hit);
	free_data(&data);
}

/* Rows of q and out may be wider than the heads; nothing beside them is written. */
static void
test_strides(void)
{
	Case		c = {{.heads = 6,.kv_heads = 2,.head_dim = 40,.scale = 0.15f}, 70, "strides"};
	Data		data;
	size_t		width = 240,
				ldq = 251,
				ldo = 263;
	float	   *want = block(70 * width * 4),
			   *q = block(70 * ldq * 4),
			   *out = block(70 * ldo * 4);
	bool		same = true;

	make_data(&data, &c);
	spoil_pages(&data, 0);
	run_pieces(&data, 70, 1, want);
	for (int i = 0; i < 70; i++)
		memcpy(q + i * ldq, data.q + i * width, width * 4);
	memset(out, 0x5a, 70 * ldo * 4);
	nlp_attention(&c.shape, q, ldq, 70, 0, data.pages, 0, 2, out, ldo, data.work);
	for (int i = 0; i < 70; i++)
	{
		same &= memcmp(out + i * ldo, want + i * width, width * 4) == 0;
		for (size_t j = width; j < ldo; j++)
			same &= ((unsigned char *) (out + i * ldo + j))[3] == 0x5a;
	}
	CHECK(same);
	free_data(&data);
	free(want);
	free(q);
	free(out);
}

/* Stored halves are those of core/half.h on every level, other slots untouched. */
static void
test_kv_store(void)
{
	enum {G = 3, D = 24, W = G * D};
	static uint16_t page[2 * W * NLP_KV_PAGE];
	float		k[W],
				v[W];
	NlpIsa		best = nlp_isa_current();

	for (int i = 0; i < W; i++)
	{
		k[i] = noise(11, i) * (i % 7 == 0 ? 1e-6f : 1);
		v[i] = noise(12, i) * (i % 5 == 0 ? 3e4f : 1);
	}
	for (int isa = 0; isa < NLP_ISA_COUNT; isa++)
	{
		int			wrong = 0;

		if (!nlp_isa_set((NlpIsa) isa))
			continue;
		memset(page, 0x55, sizeof(page));
		nlp_kv_store(page, 19, G, D, k, v);
		for (int i = 0; i < W; i++)
			for (int slot = 0; slot < NLP_KV_PAGE; slot++)
			{
				int			g = i / D,
							ch = i % D;
				uint16_t	key = page[i * NLP_KV_PAGE + slot];
				uint16_t	value = page[W * NLP_KV_PAGE + (g * NLP_KV_PAGE + slot) * D + ch];

				wrong += key != (slot == 19 ? nlp_f32_to_f16(k[i]) : 0x5555);
				wrong += value != (slot == 19 ? nlp_f32_to_f16(v[i]) : 0x5555);
			}
		CHECKF(wrong == 0, "%d on %s", wrong, nlp_isa_name(isa));
	}
	nlp_isa_set(best);
}

static void
test_levels_differ(void)
{
	const NlpAttentionOps *seen[NLP_ISA_COUNT];
	int			n = 0;

	for (int isa = 0; isa < NLP_ISA_COUNT; isa++)
	{
		char		line[64];

		if (!nlp_isa_available((NlpIsa) isa))
		{
			snprintf(line, sizeof(line), "attention on %s", nlp_isa_name(isa));
			check_not_run(line);
			continue;
		}
		seen[n] = nlp_attention_ops(isa);
		CHECK(seen[n] != NULL);
		for (int i = 0; i < n; i++)
			CHECK(seen[i]->attention != seen[n]->attention && seen[i]->kv_store != seen[n]->kv_store);
		n++;
	}
}

int
main(void)
{
	static const Case cases[] = {
		{{9, 3, 64, 0.125f, 0, 0}, 150, "smollm2"},
		{{4, 4, 64, 0.125f, 0, 0}, 101, "a head each"},
		{{8, 1, 128, 0.0884f, 0, 0}, 97, "one key head"},
		{{60, 1, 16, 0.25f, 0, 0}, 70, "a wide group"},
		{{4, 2, 80, 0.1118f, 0, 0}, 75, "width 80"},
		{{3, 3, 96, 0.102f, 0, 0}, 66, "width 96"},
		{{4, 2, 8, 0.35f, 0, 0}, 66, "width 8"},
		{{5, 5, 40, 0.158f, 0, 0}, 67, "width 40"},
		{{4, 2, 256, 0.0625f, 50.0f, 0}, 70, "softcap, width 256"},
		{{6, 2, 64, 0.125f, 0, 20}, 130, "window 20"},
		{{6, 2, 64, 0.125f, 0, 1}, 70, "window 1"},
		{{6, 6, 48, 0.144f, 30.0f, 33}, 140, "window 33 and softcap"},
		{{2, 2, 64, 0.125f, 0, 0}, 1, "one position"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		test_case(&cases[i]);
	test_later_infinity();
	test_strides();
	test_kv_store();
	test_levels_differ();
	return check_done();
}
