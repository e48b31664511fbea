/* rowwise_body.h --- the one body behind rowwise.h, over the 16-lane vector of
 * vec.h; included once by each rowwise_<isa>.c, which names the table in V_OPS.
 *
 * A row's tail (width mod 16 elements) goes through the same operations in a
 * vector whose other lanes are zero and are not written. Formulas and the order of
 * their roundings are part of the contract: change them here and they change on
 * every level at once. */
#include "kernel/rowwise_ops.h"
#include "kernel/vec.h"

/* Run body with `n` lanes from column `c`, whole vectors first: LOAD and STORE
 * pick the full or the partial form. */
#define V_COLUMNS(width, body) \
	do { \
		size_t		c = 0; \
		for (; c + V_LANES <= (width); c += V_LANES) \
		{ \
			const size_t n = V_LANES; \
			body; \
		} \
		if (c < (width)) \
		{ \
			const size_t n = (width) - c; \
			body; \
		} \
	} while (0)

V_INLINE Vec
load(const float *p, size_t n)
{
	return n == V_LANES ? v_load(p) : v_load_n(p, n);
}

V_INLINE void
store(float *p, Vec a, size_t n)
{
	if (n == V_LANES)
		v_store(p, a);
	else
		v_store_n(p, a, n);
}

/* ---- norms --------------------------------------------------------------- */

static void
rmsnorm(const float *x, size_t ldx, int m, size_t width, const float *w, float eps, float *y, size_t ldy)
{
	for (int i = 0; i < m; i++, x += ldx, y += ldy)
	{
		Vec			sum = v_zero();
		Vec			inv;

		V_COLUMNS(width, Vec v = load(x + c, n); sum = v_fma(v, v, sum));
		inv = v_set(1.0f / sqrtf(v_sum(sum) / (float) width + eps));
		if (w)
			V_COLUMNS(width, store(y + c, v_mul(v_mul(load(x + c, n), inv), load(w + c, n)), n));
		else
			V_COLUMNS(width, store(y + c, v_mul(load(x + c, n), inv), n));
	}
}

static void
layernorm(const float *x, size_t ldx, int m, size_t width, const float *w, const float *b, float eps,
		  float *y, size_t ldy)
{
	for (int i = 0; i < m; i++, x += ldx, y += ldy)
	{
		Vec			sum = v_zero();
		Vec			squares = v_zero();
		Vec			mean;
		Vec			inv;

		V_COLUMNS(width, sum = v_add(sum, load(x + c, n)));
		mean = v_set(v_sum(sum) / (float) width);
		V_COLUMNS(width,
				  Vec v = v_sub(load(x + c, n), mean);
				  if (n < V_LANES) v = v_keep(v_mask_below((int) n), v);
				  squares = v_fma(v, v, squares));
		inv = v_set(1.0f / sqrtf(v_sum(squares) / (float) width + eps));
		V_COLUMNS(width,
				  Vec v = v_mul(v_sub(load(x + c, n), mean), inv);
				  if (w) v = v_mul(v, load(w + c, n));
				  if (b) v = v_add(v, load(b + c, n));
				  store(y + c, v, n));
	}
}

/* ---- activations --------------------------------------------------------- */

V_INLINE Vec
sigmoid(Vec x)
{
	Vec			one = v_set(1.0f);

	return v_div(one, v_add(one, v_exp(v_sub(v_zero(), x))));
}

V_INLINE Vec
act_value(const NlpActivation act, Vec x)
{
	Vec			one = v_set(1.0f);
	Vec			half = v_set(0.5f);

	switch (act)
	{
		case NLP_ACTIVATION_SILU:
			return v_div(x, v_add(one, v_exp(v_sub(v_zero(), x))));
		case NLP_ACTIVATION_GELU_TANH:
			{
				Vec			u = v_mul(v_set(0.797884561f), x);
				Vec			s = v_fma(v_mul(x, x), v_set(0.044715f), one);

				return v_mul(v_mul(half, x), v_add(one, v_tanh(v_mul(u, s))));
			}
		case NLP_ACTIVATION_GELU_ERF:
			return v_mul(v_mul(half, x), v_add(one, v_erf(v_mul(x, v_set(0.707106781f)))));
		case NLP_ACTIVATION_RELU:
			return v_max(v_zero(), x);	/* a NaN stays */
		case NLP_ACTIVATION_TANH:
			return v_tanh(x);
		case NLP_ACTIVATION_SIGMOID:
			return sigmoid(x);
		default:
			return x;
	}
}

V_INLINE void
activate_as(const NlpActivation act, const float *x, size_t ldx, int m, size_t width, float *y, size_t ldy)
{
	for (int i = 0; i < m; i++, x += ldx, y += ldy)
		V_COLUMNS(width, store(y + c, act_value(act, load(x + c, n)), n));
}

V_INLINE void
glu_as(const NlpActivation act, const float *gate, size_t ldg, const float *up, size_t ldu, int m,
	   size_t width, float *y, size_t ldy)
{
	for (int i = 0; i < m; i++, gate += ldg, up += ldu, y += ldy)
		V_COLUMNS(width, store(y + c, v_mul(act_value(act, load(gate + c, n)), load(up + c, n)), n));
}

/* A loop of its own for each activation, the choice made once a call. */
#define V_EACH_ACTIVATION(call) \
	switch (act) \
	{ \
		case NLP_ACTIVATION_SILU: call(NLP_ACTIVATION_SILU); break; \
		case NLP_ACTIVATION_GELU_TANH: call(NLP_ACTIVATION_GELU_TANH); break; \
		case NLP_ACTIVATION_GELU_ERF: call(NLP_ACTIVATION_GELU_ERF); break; \
		case NLP_ACTIVATION_RELU: call(NLP_ACTIVATION_RELU); break; \
		case NLP_ACTIVATION_TANH: call(NLP_ACTIVATION_TANH); break; \
		case NLP_ACTIVATION_SIGMOID: call(NLP_ACTIVATION_SIGMOID); break; \
		default: call(NLP_ACTIVATION_NONE); break; \
	}

static void
activate(NlpActivation act, const float *x, size_t ldx, int m, size_t width, float *y, size_t ldy)
{
#define ACTIVATE(a) activate_as(a, x, ldx, m, width, y, ldy)
	V_EACH_ACTIVATION(ACTIVATE);
}

static void
glu(NlpActivation act, const float *gate, size_t ldg, const float *up, size_t ldu, int m, size_t width,
	float *y, size_t ldy)
{
#define GLU(a) glu_as(a, gate, ldg, up, ldu, m, width, y, ldy)
	V_EACH_ACTIVATION(GLU);
}

/* ---- elementwise --------------------------------------------------------- */

static void
add(const float *a, size_t lda, const float *b, size_t ldb, int m, size_t width, float *y, size_t ldy)
{
	for (int i = 0; i < m; i++, a += lda, b += ldb, y += ldy)
		V_COLUMNS(width, store(y + c, v_add(load(a + c, n), load(b + c, n)), n));
}

static void
mul(const float *a, size_t lda, const float *b, size_t ldb, int m, size_t width, float *y, size_t ldy)
{
	for (int i = 0; i < m; i++, a += lda, b += ldb, y += ldy)
		V_COLUMNS(width, store(y + c, v_mul(load(a + c, n), load(b + c, n)), n));
}

static void
scale(const float *x, size_t ldx, int m, size_t width, float s, float *y, size_t ldy)
{
	Vec			factor = v_set(s);

	for (int i = 0; i < m; i++, x += ldx, y += ldy)
		V_COLUMNS(width, store(y + c, v_mul(load(x + c, n), factor), n));
}

static void
softcap(const float *x, size_t ldx, int m, size_t width, float cap, float *y, size_t ldy)
{
	Vec			top = v_set(cap);

	for (int i = 0; i < m; i++, x += ldx, y += ldy)
		V_COLUMNS(width, store(y + c, v_mul(top, v_tanh(v_div(load(x + c, n), top))), n));
}

static void
map(int fn, const float *x, size_t n_values, float *y)
{
	if (fn == NLP_MAP_EXP)
		V_COLUMNS(n_values, store(y + c, v_exp(load(x + c, n)), n));
	else if (fn == NLP_MAP_TANH)
		V_COLUMNS(n_values, store(y + c, v_tanh(load(x + c, n)), n));
	else
		V_COLUMNS(n_values, store(y + c, v_erf(load(x + c, n)), n));
}

/* ---- rotary embedding ---------------------------------------------------- */

/* One head, pairs (2j, 2j+1): (a, b) -> (a cos - b sin, b cos + a sin), each as
 * fma(first, cos, other * +-sin). */
V_INLINE void
rope_interleaved(float *x, int half, const float *cosine, const float *sine)
{
	int			j = 0;

	for (; j + V_LANES / 2 <= half; j += V_LANES / 2)
	{
		Vec			v = v_load(x + 2 * j);
		Vec			s = v_negate_even(v_load_twice(sine + j));

		v_store(x + 2 * j, v_fma(v, v_load_twice(cosine + j), v_mul(v_swap_pairs(v), s)));
	}
	for (; j < half; j++)
	{
		float		a = x[2 * j];
		float		b = x[2 * j + 1];

		x[2 * j] = fmaf(a, cosine[j], b * -sine[j]);
		x[2 * j + 1] = fmaf(b, cosine[j], a * sine[j]);
	}
}

/* One head, pairs (j, j + half). */
V_INLINE void
rope_halves(float *x, int half, const float *cosine, const float *sine)
{
	V_COLUMNS((size_t) half,
			  Vec a = load(x + c, n);
			  Vec b = load(x + half + c, n);
			  Vec co = load(cosine + c, n);
			  Vec si = load(sine + c, n);
			  store(x + c, v_fma(a, co, v_mul(b, v_sub(v_zero(), si))), n);
			  store(x + half + c, v_fma(b, co, v_mul(a, si)), n));
}

static void
rope(float *x, size_t ldx, int m, int heads, int head_dim, int rot_dim, const float *cos_sin, bool interleaved)
{
	int			half = rot_dim / 2;

	for (int i = 0; i < m; i++, x += ldx, cos_sin += rot_dim)
	{
		for (int h = 0; h < heads; h++)
		{
			if (interleaved)
				rope_interleaved(x + (size_t) h * head_dim, half, cos_sin, cos_sin + half);
			else
				rope_halves(x + (size_t) h * head_dim, half, cos_sin, cos_sin + half);
		}
	}
}

/* ---- reductions over one row --------------------------------------------- */

/* Largest value, NaN ignored; -inf when there is no other. */
static float
max_value(const float *x, size_t width)
{
	Vec			best[4];
	size_t		at = 0;

	for (int k = 0; k < 4; k++)
		best[k] = v_set(-INFINITY);
	for (; at + 4 * V_LANES <= width; at += 4 * V_LANES)
	{
		best[0] = v_max(v_load(x + at), best[0]);
		best[1] = v_max(v_load(x + at + V_LANES), best[1]);
		best[2] = v_max(v_load(x + at + 2 * V_LANES), best[2]);
		best[3] = v_max(v_load(x + at + 3 * V_LANES), best[3]);
	}
	V_COLUMNS(width - at,
			  Vec v = load(x + at + c, n);
			  if (n < V_LANES) v = v_blend(v_mask_below((int) n), v, v_set(-INFINITY));
			  best[0] = v_max(v, best[0]));
	return v_max_lane(v_max(v_max(best[0], best[1]), v_max(best[2], best[3])));
}

static uint32_t
argmax(const float *x, size_t width)
{
	Vec			top = v_set(max_value(x, width));

	V_COLUMNS(width,
			  unsigned hit = v_bits(v_eq(load(x + c, n), top));
			  if (n < V_LANES) hit &= (1u << n) - 1;
			  if (hit) return (uint32_t) (c + (size_t) __builtin_ctz(hit)));
	return 0;					/* all NaN, or nothing */
}

static float
softmax_exp(float *x, size_t width)
{
	Vec			top = v_set(max_value(x, width));
	Vec			sum = v_zero();

	V_COLUMNS(width,
			  Vec e = v_exp(v_sub(load(x + c, n), top));
			  if (n < V_LANES) e = v_keep(v_mask_below((int) n), e);
			  store(x + c, e, n);
			  sum = v_add(sum, e));
	return v_sum(sum);
}

static double
sum_exp(const float *x, size_t width, float *max)
{
	double		lane[V_LANES] = {0};
	float		e[V_LANES];
	Vec			top;

	*max = max_value(x, width);
	top = v_set(*max);
	V_COLUMNS(width,
			  v_store(e, v_exp(v_sub(load(x + c, n), top)));
			  for (size_t l = 0; l < n; l++)
				  lane[l] += (double) e[l]);
	for (int half = V_LANES / 2; half > 0; half /= 2)
		for (int l = 0; l < half; l++)
			lane[l] += lane[l + half];
	return lane[0];
}

const NlpRowwiseOps V_OPS = {
	.rmsnorm = rmsnorm,
	.layernorm = layernorm,
	.activate = activate,
	.glu = glu,
	.add = add,
	.mul = mul,
	.scale = scale,
	.softcap = softcap,
	.rope = rope,
	.argmax = argmax,
	.softmax_exp = softmax_exp,
	.sum_exp = sum_exp,
	.map = map
};
