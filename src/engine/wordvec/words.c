/* words.c --- looking things up in the resident word table: words, vectors, means.
 *
 * Trust: the table was checked when it was built; words asked for may be any bytes. */
#include <math.h>
#include <string.h>

#include "core/hash.h"
#include "wordvec/words.h"
#include "engine_only.h"

#define MAX_NGRAMS 8192			/* more than any word of 512 letters has with lengths 3 to 6 */

static inline const void *
at(const NlpWords *w, uint64_t offset)
{
	return (const char *) w + offset;
}

const char *
nlp_words_text(const NlpWords *w, uint32_t id, size_t *len)
{
	const uint64_t *starts = at(w, w->starts_offset);

	*len = (size_t) (starts[id + 1] - starts[id]);
	return (const char *) at(w, w->text_offset) + starts[id];
}

uint32_t
nlp_words_find(const NlpWords *w, const char *word, size_t len)
{
	const uint32_t *hash = at(w, w->hash_offset);
	uint32_t	slot = (uint32_t) nlp_hash_bytes(word, len) & w->hash_mask;

	for (; hash[slot] != NLP_NO_WORD; slot = (slot + 1) & w->hash_mask)
	{
		size_t		n;
		const char *text = nlp_words_text(w, hash[slot], &n);

		if (n == len && memcmp(text, word, len) == 0)
			return hash[slot];
	}
	return NLP_NO_WORD;
}

uint64_t
nlp_words_count(const NlpWords *w, uint32_t id)
{
	return w->counts_offset ? ((const uint64_t *) at(w, w->counts_offset))[id] : 0;
}

const float *
nlp_words_row(const NlpWords *w, uint32_t id)
{
	return (const float *) at(w, w->vectors_offset) + (size_t) id * w->stride;
}

/* The mean of the rows of a word's n-grams, as fastText answers for a word it has not
 * seen; false when there are none, or more than MAX_NGRAMS. */
static bool
vector_of_ngrams(const NlpWords *w, const char *word, size_t len, float *out)
{
	const float *rows = at(w, w->subword_offset);
	uint32_t	buckets[MAX_NGRAMS];
	size_t		n = nlp_words_subwords(w, word, len, buckets, MAX_NGRAMS);

	if (n == 0 || n > MAX_NGRAMS)
		return false;
	for (uint32_t d = 0; d < w->dim; d++)
	{
		double		sum = 0;

		for (size_t i = 0; i < n; i++)
			sum += rows[(size_t) buckets[i] * w->stride + d];
		out[d] = (float) (sum / (double) n);
	}
	return true;
}

bool
nlp_words_vector(const NlpWords *w, const char *word, size_t len, float *out)
{
	uint32_t	id = nlp_words_find(w, word, len);

	if (id != NLP_NO_WORD)
	{
		memcpy(out, nlp_words_row(w, id), w->dim * sizeof(float));
		return true;
	}
	if (!w->subword_offset || len == 0 || len > NLP_WORDS_MAX_BYTES)
		return false;
	return vector_of_ngrams(w, word, len, out);
}

void
nlp_words_mean(const NlpWords *w, const uint32_t *words, const float *weights, size_t n, float *out)
{
	const float *norms = at(w, w->norms_offset);
	double		squares = 0;

	memset(out, 0, w->dim * sizeof(float));
	for (size_t i = 0; i < n; i++)
	{
		const float *row = nlp_words_row(w, words[i]);
		float		norm = norms[words[i]];
		float		weight = weights ? weights[i] : 1;

		for (uint32_t d = 0; norm > 0 && d < w->dim; d++)
			out[d] += weight * (row[d] / norm);
	}
	for (uint32_t d = 0; d < w->dim; d++)
		squares += (double) out[d] * out[d];
	for (uint32_t d = 0; squares > 0 && d < w->dim; d++)
		out[d] = (float) (out[d] / sqrt(squares));
}

/* a / (a + p); a word that only its n-grams know has p = 0. */
static double
sif_weight(const NlpWords *w, uint32_t id, double a)
{
	if (w->total_count == 0 || id == NLP_NO_WORD)
		return 1;
	return a / (a + (double) nlp_words_count(w, id) / (double) w->total_count);
}

/* Sums are kept in f32, in the order of the words. */
bool
nlp_words_phrase(const NlpWords *w, const NlpStr *words, size_t n, double a, float *out)
{
	float		made[NLP_SCAN_MAX_DIM];
	size_t		known = 0;

	memset(out, 0, w->dim * sizeof(float));
	for (size_t i = 0; i < n; i++)
	{
		uint32_t	id = nlp_words_find(w, words[i].data, words[i].len);
		const float *row = id == NLP_NO_WORD ? made : nlp_words_row(w, id);
		double		weight = sif_weight(w, id, a);

		if (id == NLP_NO_WORD && !nlp_words_vector(w, words[i].data, words[i].len, made))
			continue;
		for (uint32_t d = 0; d < w->dim; d++)
			out[d] += (float) (weight * row[d]);
		known++;
	}
	for (uint32_t d = 0; known && d < w->dim; d++)
		out[d] = (float) (out[d] / (double) known);
	return known > 0;
}
