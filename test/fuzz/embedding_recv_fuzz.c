/* embedding_recv_fuzz.c --- any bytes as the binary form of an embedding, as recv reads it.
 *
 * Checked beside the sanitizers: what is accepted is finite, has the dimensions that were
 * announced and gives its bytes again. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/vector_text.h"

#define MAX 16000
#define REQUIRE(cond) \
	do { if (!(cond)) { fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #cond); abort(); } } while (0)

int			LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t    *bytes = malloc(size ? size : 1);
	float	   *x;
	int			dim;
	NlpVectorPlace place;
	NlpVectorFault fault;

	if (size)
		memcpy(bytes, data, size);
	fault = nlp_vector_wire_dim(bytes, size, MAX, &dim);
	REQUIRE(fault == NLP_VECTOR_OK ? dim >= 1 && dim <= MAX && 4 + 4 * (size_t) dim <= size : dim == 0);
	x = malloc(dim ? sizeof(float) * (size_t) dim : 1);
	if (fault != NLP_VECTOR_OK)
		REQUIRE(nlp_vector_wire_read(bytes, size, MAX, x, &place) == fault);
	else if (nlp_vector_wire_read(bytes, size, MAX, x, &place) == NLP_VECTOR_OK)
	{
		REQUIRE(place.dim == dim && place.at == 4 + 4 * (size_t) dim);
		for (int i = 0; i < dim; i++)
		{
			uint32_t	bits;

			memcpy(&bits, &x[i], 4);
			REQUIRE(isfinite(x[i]));
			for (int k = 0; k < 4; k++)
				REQUIRE(bytes[4 + 4 * i + k] == (uint8_t) (bits >> (24 - 8 * k)));
		}
	}
	else
		REQUIRE(place.dim < dim && !isfinite(x[place.dim]) && place.at + place.fault_len <= size);
	free(x);
	free(bytes);
	return 0;
}
