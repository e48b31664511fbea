/* embedding_fuzz.c --- any text as a vector, as the input function of type embedding reads it.
 *
 * The text lies in memory of its exact size, the numbers in room for its exact bound.
 * Checked beside the sanitizers: what is accepted is finite and in bounds, reads the
 * same after being written out, and a fault lies inside the text. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/vector_text.h"

#define MAX 16000
#define REQUIRE(cond) \
	do { if (!(cond)) { fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #cond); abort(); } } while (0)

int			LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
read_again(const float *x, int dim)
{
	char	   *text = malloc((size_t) dim * 20 + 3);
	float	   *y = malloc(sizeof(float) * (size_t) dim);
	char	   *p = text;
	NlpVectorPlace place;

	for (int i = 0; i < dim; i++)
		p += sprintf(p, "%c%.9g", i == 0 ? '[' : ',', x[i]);
	strcpy(p, "]");
	REQUIRE(nlp_vector_text_read(text, strlen(text), y, dim, &place) == NLP_VECTOR_OK);
	REQUIRE(place.dim == dim && memcmp(x, y, sizeof(float) * (size_t) dim) == 0);
	free(text);
	free(y);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *nul = memchr(data, 0, size);
	size_t		len = nul ? (size_t) (nul - data) : size;
	char	   *text = malloc(len + 1);
	int			bound;
	float	   *x;
	NlpVectorPlace place;
	NlpVectorFault fault;

	memcpy(text, data, len);
	text[len] = '\0';
	bound = nlp_vector_text_bound(text, len, MAX);
	REQUIRE(bound >= 1 && bound <= MAX);
	x = malloc(sizeof(float) * (size_t) bound);
	fault = nlp_vector_text_read(text, len, x, bound, &place);
	REQUIRE(place.dim >= 0 && place.dim <= bound && place.at + place.fault_len <= len);
	for (int i = 0; i < place.dim; i++)
		REQUIRE(isfinite(x[i]));
	/* The bound is short only when it is the limit. */
	REQUIRE(fault != NLP_VECTOR_TOO_MANY || bound == MAX);
	if (fault == NLP_VECTOR_OK)
		read_again(x, place.dim);
	free(x);
	free(text);
	return 0;
}
