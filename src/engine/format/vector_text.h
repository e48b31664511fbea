/* vector_text.h --- vectors as a user writes them, '[1, 2.5, -3e4]', and as a client's
 * driver sends them in binary.
 *
 * Both are a stranger's bytes. The readers below allocate nothing, write no more than
 * they were given room for and say where and what the fault is; the words and the
 * SQLSTATE are the caller's. */
#ifndef NLP_FORMAT_VECTOR_TEXT_H
#define NLP_FORMAT_VECTOR_TEXT_H

#include <stddef.h>
#include <stdint.h>

typedef enum NlpVectorFault
{
	NLP_VECTOR_OK = 0,
	NLP_VECTOR_NO_OPEN,			/* does not begin with "[" */
	NLP_VECTOR_SYNTAX,			/* no number, or no "," or "]" after one */
	NLP_VECTOR_TRAILING,		/* something after "]" */
	NLP_VECTOR_EMPTY,			/* no dimension at all */
	NLP_VECTOR_TOO_MANY,		/* more than max */
	NLP_VECTOR_NAN,
	NLP_VECTOR_INFINITE,
	NLP_VECTOR_RANGE,			/* a finite number beyond f32 */
	NLP_VECTOR_SHORT,			/* binary: the bytes end too early */
	NLP_VECTOR_UNUSED			/* binary: the second half-word is not 0 */
} NlpVectorFault;

/* How far a reader came. */
typedef struct NlpVectorPlace
{
	int			dim;			/* numbers read; at a fault, the number at fault counts from 0 */
	size_t		at;				/* byte after the last one read; at a fault, where it is */
	size_t		fault_len;		/* bytes at fault, from at: the number that is out of range, ... */
} NlpVectorPlace;

/* Read '[' number {',' number} ']' with white space (space, \t \n \v \f \r) anywhere between;
 * a number is what strtof reads: decimal or 0x, with exponent, rounded correctly to f32
 * (too small gives 0 or a subnormal). text is NUL-terminated at text[len] and has no NUL before;
 * x [max] is written up to place->dim. */
extern NlpVectorFault nlp_vector_text_read(const char *text, size_t len, float *x, int max, NlpVectorPlace *place);

/* An upper bound of the numbers in text: commas and one more, at most max. What the
 * caller allocates before reading. */
extern int	nlp_vector_text_bound(const char *text, size_t len, int max);

/* Read the binary form: int16 dim, int16 0, dim floats, all big-endian, every value finite.
 * nlp_vector_wire_dim gives the count, checked against bytes and max, without reading the
 * values; nlp_vector_wire_read needs room for that many. place->at is what was consumed. */
extern NlpVectorFault nlp_vector_wire_dim(const uint8_t *bytes, size_t len, int max, int *dim);
extern NlpVectorFault nlp_vector_wire_read(const uint8_t *bytes, size_t len, int max, float *x, NlpVectorPlace *place);

/* Index of the first value that is not finite; n when all are. */
extern size_t nlp_vector_first_bad(const float *x, size_t n);

#endif
