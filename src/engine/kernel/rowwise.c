/* rowwise.c --- reaches the rowwise kernels of the instruction set in use.
 *
 * The bodies are in rowwise_body.h, compiled by rowwise_<isa>.c. */
#include <math.h>

#include "core/cpu.h"
#include "kernel/rowwise_ops.h"
#include "engine_only.h"

const NlpRowwiseOps *
nlp_rowwise_ops(int isa)
{
	switch (isa)
	{
		case NLP_ISA_PLAIN:
			return &nlp_rowwise_plain;
#if defined(__x86_64__)
		case NLP_ISA_AVX2:
			return &nlp_rowwise_avx2;
		case NLP_ISA_AVX512:
			return &nlp_rowwise_avx512;
#elif defined(__aarch64__)
		case NLP_ISA_NEON:
			return &nlp_rowwise_neon;
#endif
		default:
			return NULL;
	}
}

static inline const NlpRowwiseOps *
ops(void)
{
	return nlp_rowwise_ops(nlp_isa_current());
}

void
nlp_rmsnorm(const float *x, size_t ldx, int m, size_t width, const float *w, float eps, float *y, size_t ldy)
{
	ops()->rmsnorm(x, ldx, m, width, w, eps, y, ldy);
}

void
nlp_layernorm(const float *x, size_t ldx, int m, size_t width, const float *w, const float *b, float eps,
			  float *y, size_t ldy)
{
	ops()->layernorm(x, ldx, m, width, w, b, eps, y, ldy);
}

void
nlp_activate(NlpActivation act, const float *x, size_t ldx, int m, size_t width, float *y, size_t ldy)
{
	ops()->activate(act, x, ldx, m, width, y, ldy);
}

void
nlp_glu(NlpActivation act, const float *gate, size_t ldg, const float *up, size_t ldu, int m, size_t width,
		float *y, size_t ldy)
{
	ops()->glu(act, gate, ldg, up, ldu, m, width, y, ldy);
}

void
nlp_add(const float *a, size_t lda, const float *b, size_t ldb, int m, size_t width, float *y, size_t ldy)
{
	ops()->add(a, lda, b, ldb, m, width, y, ldy);
}

void
nlp_mul(const float *a, size_t lda, const float *b, size_t ldb, int m, size_t width, float *y, size_t ldy)
{
	ops()->mul(a, lda, b, ldb, m, width, y, ldy);
}

void
nlp_scale(const float *x, size_t ldx, int m, size_t width, float s, float *y, size_t ldy)
{
	ops()->scale(x, ldx, m, width, s, y, ldy);
}

void
nlp_softcap(const float *x, size_t ldx, int m, size_t width, float cap, float *y, size_t ldy)
{
	ops()->softcap(x, ldx, m, width, cap, y, ldy);
}

void
nlp_rope(float *x, size_t ldx, int m, int heads, int head_dim, int rot_dim, const float *cos_sin,
		 bool interleaved)
{
	ops()->rope(x, ldx, m, heads, head_dim, rot_dim, cos_sin, interleaved);
}

uint32_t
nlp_argmax(const float *x, size_t n)
{
	return ops()->argmax(x, n);
}

float
nlp_softmax_exp(float *x, size_t n)
{
	return ops()->softmax_exp(x, n);
}

/* Natural logarithm of a normal positive double, the same bits on every machine
 * (libm's choose a variant at run time): x = 2^e m, m in [sqrt(1/2), sqrt(2)),
 * log m = 2 atanh(s), s = (m - 1)/(m + 1), by its series. */
static double
log_double(double x)
{
	int			e;
	double		m = frexp(x, &e);
	double		s,
				s2,
				p = 0;

	if (m < 0.70710678118654752)
	{
		m *= 2;
		e--;
	}
	s = (m - 1) / (m + 1);
	s2 = s * s;
	for (int k = 25; k >= 3; k -= 2)
		p = (p + 1.0 / k) * s2;
	return e * 0.69314718055994531 + 2 * (s + s * p);
}

double
nlp_logsumexp(const float *x, size_t n)
{
	float		max;
	double		sum = ops()->sum_exp(x, n, &max);

	if (isinf(max))
		return max;				/* nothing finite to add up, or one value over all others */
	if (!(sum > 0))
		return sum;				/* NaN among the values */
	return max + log_double(sum);
}
