/* project.c --- principal components, by Jacobi rotations of the covariance matrix.
 *
 * Works on the smaller of the two Gram matrices: of dimensions when there are at least as
 * many rows, else of rows, whose eigenvectors give the same coordinates. Rotations go over the
 * upper triangle in fixed order until all that is off the diagonal is nothing beside it.
 * Source: Jacobi 1846; Golub and Van Loan, Matrix Computations, 8.5. */
#include <math.h>
#include <string.h>

#include "wordvec/project.h"
#include "engine_only.h"

#define MAX_SWEEPS 60
#define MAX_SIDE 2048			/* of the matrix: rotations cost its cube */

typedef struct Pca
{
	const float *rows;
	size_t		stride;
	uint32_t	n,
				dim,
				side;			/* of the matrix */
	bool		by_rows;		/* the matrix is of rows, [n][n] */
	double	   *x;				/* [n][dim] centred */
	double	   *a;				/* [side][side], symmetric; its diagonal becomes the eigenvalues */
	double	   *v;				/* [side][side] eigenvectors, as rows */
	const NlpEnv *env;
} Pca;

static NlpStatus
centre(Pca *p, NlpError *err)
{
	for (uint32_t i = 0; i < p->n; i++)
	{
		for (uint32_t d = 0; d < p->dim; d++)
		{
			float		x = p->rows[i * p->stride + d];

			if (!isfinite(x))
				return nlp_fail(err, NLP_EINVALID, "vector %u has values that are not finite", i);
			p->x[(size_t) i * p->dim + d] = x;
		}
	}
	for (uint32_t d = 0; d < p->dim; d++)
	{
		double		mean = 0;

		for (uint32_t i = 0; i < p->n; i++)
			mean += p->x[(size_t) i * p->dim + d];
		mean /= p->n;
		for (uint32_t i = 0; i < p->n; i++)
			p->x[(size_t) i * p->dim + d] -= mean;
	}
	return NLP_OK;
}

static double
dot(const double *a, const double *b, uint32_t n)
{
	double		sum = 0;

	for (uint32_t i = 0; i < n; i++)
		sum += a[i] * b[i];
	return sum;
}

/* The matrix of products of rows, or of dimensions. */
static NlpStatus
gram(Pca *p, NlpError *err)
{
	uint32_t	s = p->side;

	memset(p->a, 0, (size_t) s * s * sizeof(double));
	for (uint32_t i = 0; i < p->n; i++)
	{
		const double *x = p->x + (size_t) i * p->dim;

		if (p->by_rows)
		{
			for (uint32_t j = 0; j <= i; j++)
				p->a[(size_t) i * s + j] = dot(x, p->x + (size_t) j * p->dim, p->dim);
		}
		else
		{
			for (uint32_t r = 0; r < s; r++)
			{
				for (uint32_t c = 0; c <= r; c++)
					p->a[(size_t) r * s + c] += x[r] * x[c];
			}
		}
		NLP_TRY(nlp_poll(p->env, err));
	}
	for (uint32_t r = 0; r < s; r++)
	{
		for (uint32_t c = 0; c < r; c++)
			p->a[(size_t) c * s + r] = p->a[(size_t) r * s + c];
	}
	return NLP_OK;
}

/* Turn rows i and j of m by (c, s). */
static void
turn_rows(double *m, uint32_t side, uint32_t i, uint32_t j, double c, double s)
{
	double	   *a = m + (size_t) i * side,
			   *b = m + (size_t) j * side;

	for (uint32_t k = 0; k < side; k++)
	{
		double		x = a[k],
					y = b[k];

		a[k] = c * x - s * y;
		b[k] = s * x + c * y;
	}
}

/* Make a[i][j] zero. Only the rows are turned, and then the columns copied from them, as the
 * matrix stays symmetric; the four entries where they cross are known in closed form. */
static void
rotate(Pca *p, uint32_t i, uint32_t j)
{
	uint32_t	side = p->side;
	double	   *a = p->a;
	double		ii = a[(size_t) i * side + i],
				jj = a[(size_t) j * side + j],
				ij = a[(size_t) i * side + j];
	double		theta = (jj - ii) / (2 * ij);
	double		t = (theta < 0 ? -1 : 1) / (fabs(theta) + sqrt(theta * theta + 1));
	double		c = 1 / sqrt(t * t + 1);

	turn_rows(a, side, i, j, c, t * c);
	turn_rows(p->v, side, i, j, c, t * c);
	a[(size_t) i * side + i] = ii - t * ij;
	a[(size_t) j * side + j] = jj + t * ij;
	a[(size_t) i * side + j] = a[(size_t) j * side + i] = 0;
	for (uint32_t k = 0; k < side; k++)
	{
		a[(size_t) k * side + i] = a[(size_t) i * side + k];
		a[(size_t) k * side + j] = a[(size_t) j * side + k];
	}
}

static NlpStatus
diagonalise(Pca *p, NlpError *err)
{
	uint32_t	side = p->side;
	double		trace = 0;

	memset(p->v, 0, (size_t) side * side * sizeof(double));
	for (uint32_t i = 0; i < side; i++)
	{
		p->v[(size_t) i * side + i] = 1;
		trace += p->a[(size_t) i * side + i];
	}
	for (int sweep = 0; sweep < MAX_SWEEPS; sweep++)
	{
		double		off = 0;

		for (uint32_t i = 0; i < side; i++)
		{
			for (uint32_t j = i + 1; j < side; j++)
			{
				double		x = fabs(p->a[(size_t) i * side + j]);

				off = x > off ? x : off;
				if (x > 1e-15 * trace)
					rotate(p, i, j);
			}
			NLP_TRY(nlp_poll(p->env, err));
		}
		if (off <= 1e-14 * trace)
			break;
	}
	return NLP_OK;
}

/* Coordinates of all rows along eigenvector e into out, column j of k. */
static void
project(const Pca *p, uint32_t e, double value, uint32_t j, uint32_t k, double *axis, float *out)
{
	const double *v = p->v + (size_t) e * p->side;
	double		largest = 0,
				norm = 0;

	memset(axis, 0, p->dim * sizeof(double));
	if (!p->by_rows)
		memcpy(axis, v, p->dim * sizeof(double));
	for (uint32_t i = 0; p->by_rows && i < p->n; i++)
	{
		for (uint32_t d = 0; d < p->dim; d++)
			axis[d] += v[i] * p->x[(size_t) i * p->dim + d];
	}
	for (uint32_t d = 0; d < p->dim; d++)
	{
		norm += axis[d] * axis[d];
		if (fabs(axis[d]) > fabs(largest) * (1 + 1e-12))
			largest = axis[d];
	}
	norm = largest < 0 ? -sqrt(norm) : sqrt(norm);
	for (uint32_t i = 0; i < p->n; i++)
		out[(size_t) i * k + j] = value > 0 && norm != 0 ?
			(float) (dot(axis, p->x + (size_t) i * p->dim, p->dim) / norm) : 0;
}

/* The k largest eigenvalues, largest first; the first of equals. */
static void
project_all(Pca *p, uint32_t k, double *axis, float *out, double *explained)
{
	double		total = 0,
				first = 0;

	for (uint32_t i = 0; i < p->side; i++)
		total += p->a[(size_t) i * p->side + i];
	for (uint32_t j = 0; j < k; j++)
	{
		uint32_t	best = 0;
		double		value = -1;

		for (uint32_t i = 0; i < p->side; i++)
		{
			double		x = p->a[(size_t) i * p->side + i];

			if (x > value)
			{
				value = x;
				best = i;
			}
		}
		first = j == 0 ? value : first;
		if (!(value > 1e-12 * first))	/* beyond the rank */
			value = 0;
		project(p, best, value, j, k, axis, out);
		if (explained)
			explained[j] = total > 0 ? value / total : 0;
		p->a[(size_t) best * p->side + best] = -1;
	}
}

NlpStatus
nlp_project_pca(const float *rows, size_t stride, uint32_t n, uint32_t dim, uint32_t k,
				const NlpEnv *env, float *out, double *explained, NlpError *err)
{
	Pca			p = {.rows = rows, .stride = stride, .n = n, .dim = dim, .env = env};
	size_t		cells,
				square,
				bytes;
	NlpStatus	st;

	if (n == 0 || k == 0 || k > dim)
		return nlp_fail(err, NLP_EINVALID, "cannot project %u vectors of %u dimensions to %u", n, dim, k);
	p.by_rows = n < dim;
	p.side = p.by_rows ? n : dim;
	if (p.side > MAX_SIDE)
	{
		nlp_fail(err, NLP_ELIMIT, "cannot project %u vectors of %u dimensions", n, dim);
		return nlp_hint(err, "Either the vectors or the dimensions must be at most %d.", MAX_SIDE);
	}
	square = (size_t) p.side * p.side;
	if (!nlp_mul_size(n, dim, &cells) || !nlp_add_size(cells, 2 * square + dim, &bytes) ||
		!nlp_mul_size(bytes, sizeof(double), &bytes))
		return nlp_fail(err, NLP_ELIMIT, "%u vectors are too many to project", n);
	p.x = nlp_alloc(env->alloc, bytes);
	if (!p.x)
		return nlp_no_memory(err, bytes, "projection");
	p.a = p.x + cells;
	p.v = p.a + square;
	st = centre(&p, err);
	if (st == NLP_OK)
		st = gram(&p, err);
	if (st == NLP_OK)
		st = diagonalise(&p, err);
	if (st == NLP_OK)
		project_all(&p, k, p.v + square, out, explained);
	nlp_free(env->alloc, p.x);
	return st;
}
