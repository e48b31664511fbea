/* words_fuzz.c --- any bytes as a GGUF model of word vectors: planned, built, asked.
 *
 * Memory is capped at 16 MiB + 8 bytes for each of input. Checked beside the sanitizers: a table that was built passes
 * its own check, every word is found again, answers are finite, in order and in range, nothing leaks. */
#include "wordfuzz.h"

#define MAX_DIM 16000

/* Best first; equal scores by lower id, but for probabilities, which are ordered before they are rounded. */
static void
check_answers(const NlpWords *w, const NlpNeighbour *out, uint32_t n, uint32_t k, bool by_id)
{
	REQUIRE(n <= k);
	for (uint32_t i = 0; i < n; i++)
	{
		REQUIRE(out[i].word < w->n && isfinite(out[i].score));
		if (i > 0)
			REQUIRE(out[i].score < out[i - 1].score || (out[i].score == out[i - 1].score && (!by_id || out[i].word > out[i - 1].word)));
	}
}

/* Whether no product of rows can overflow: probabilities of larger numbers may be none. */
static bool
moderate(const NlpWords *w)
{
	size_t		rows = w->loss == NLP_WORDS_HIERARCHICAL ? w->n - 1 : w->n;
	const float *output = (const float *) ((const char *) w + w->output_offset);

	for (size_t i = 0; i < rows * w->stride && w->output_offset; i++)
	{
		if (fabsf(output[i]) > 1e12f)
			return false;
	}
	for (uint32_t i = 0; i < w->n; i++)
	{
		for (uint32_t d = 0; d < w->dim; d++)
		{
			if (fabsf(nlp_words_row(w, i)[d]) > 1e12f)
				return false;
		}
	}
	return true;
}

static bool
odd_words(void *ctx, uint32_t word)
{
	return word & 1;
}

static void
ask(const NlpWords *w, const NlpEnv *env)
{
	static float v[MAX_DIM];
	NlpNeighbour out[8];
	uint32_t	n = 0;
	NlpError	err;
	NlpStr		two[2];
	float		weights[2] = {1, -1};
	NlpWordFilter filter = {.limit = 5,.min_score = -0.5f,.keep = odd_words};
	static const char unknown[] = "unbekannt\xc3\xa9";
	uint32_t	buckets[32];
	bool		plain = moderate(w);
	uint32_t	some = w->n < 16 ? w->n : 16;

	REQUIRE(w->dim <= MAX_DIM);
	for (uint32_t i = 0; i < w->n; i++)
	{
		size_t		len;
		const char *word = nlp_words_text(w, i, &len);

		REQUIRE(nlp_words_find(w, word, len) == i);
		nlp_words_count(w, i);
	}
	if (nlp_words_vector(w, unknown, sizeof(unknown) - 1, v))
		REQUIRE(w->subword_offset);
	nlp_words_subwords(w, unknown, sizeof(unknown) - 1, buckets, 32);
	for (uint32_t i = 0; i < some; i++)
	{
		uint32_t	pair[2] = {i, w->n - 1};

		REQUIRE(nlp_words_nearest(w, nlp_words_row(w, i), 8, i % 2 ? &filter : NULL, env, out, &n, &err) == NLP_OK);
		check_answers(w, out, n, 8, true);
		nlp_words_mean(w, pair, weights, 2, v);
		if (nlp_words_context(w, i, 8, env, out, &n, &err) == NLP_OK && plain)
			check_answers(w, out, n, 8, false);
		if (nlp_words_predict(w, pair, 2, 8, env, out, &n, &err) == NLP_OK && plain)
			check_answers(w, out, n, 8, false);
		two[0].data = nlp_words_text(w, i, &two[0].len);
		two[1] = (NlpStr) {unknown, sizeof(unknown) - 1};
		REQUIRE(nlp_words_phrase(w, two, 2, 1e-3, v));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Capped		capped = CAPPED(size);
	NlpEnv		env = {.alloc = &capped.alloc};
	NlpError	err = {0};
	NlpStatus	st;
	NlpWords   *w = build_words(data, size, &env, capped.cap / 2, &st, &err);

	REQUIRE(st != NLP_EINTERNAL);
	if (w)
		ask(w, &env);
	else
		REQUIRE(err.status == st && err.message[0]);
	nlp_free(&capped.alloc, w);
	REQUIRE(capped.live == 0);
	return 0;
}
