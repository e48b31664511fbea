/* word2vec_text.h --- made-up texts and trainers over them, for the trainer's unit programs. */
#ifndef WORD2VEC_TEXT_H
#define WORD2VEC_TEXT_H

#include <math.h>

#include "check.h"
#include "wordvec/train_private.h"

static const NlpEnv plain_env = {.alloc = &nlp_libc_alloc};

/* Of two; a NaN wins and stays. (fmax over a loop makes gcc 12 for aarch64 fail.) */
static inline double
larger(double a, double b)
{
	return b <= a || a != a ? a : b;
}

/* ---- texts -------------------------------------------------------------------- */

typedef struct Text
{
	NlpVocab   *vocab;
	uint32_t   *ids;
	size_t		n;
} Text;

static inline void
text_word(Text *t, uint32_t k)
{
	char		word[16];
	uint32_t	id;
	NlpError	err;

	snprintf(word, sizeof(word), "w%u", k * 7919);
	CHECK(nlp_vocab_add(t->vocab, word, strlen(word), &id, &err) == NLP_OK);
	t->ids[t->n++] = id;
}

/* n ids of a made-up language of so many words: rising and falling, so that there is something to
 * learn, with rare words below min_count 2 and sentences of 0 to 60 words. */
static inline Text
make_text(uint32_t words, size_t n)
{
	Text		t = {.ids = malloc((n + 1) * sizeof(uint32_t))};
	uint32_t	at = 0,
				left = 5;
	NlpError	err;

	CHECK_OK(nlp_vocab_new(&nlp_libc_alloc, &t.vocab, &err), err);
	for (size_t i = 0; t.n < n; i++)
	{
		uint32_t	r[4];

		nlp_philox(17, 3, i, r);
		at = (at + 1 + r[0] % 3) % words;
		text_word(&t, r[1] % 4 == 0 ? at / 4 : at);
		if (r[2] % 40 == 0 && t.n < n)
			text_word(&t, 100000 + (uint32_t) i);
		if (left-- == 0 && t.n < n)
		{
			t.ids[t.n++] = NLP_SENTENCE_END;
			left = r[3] % 60;
			if (left == 0 && t.n < n)
				t.ids[t.n++] = NLP_SENTENCE_END;
		}
	}
	CHECK_OK(nlp_vocab_finish(t.vocab, 2, 0, &plain_env, &err), err);
	return t;
}

static inline void
free_text(Text *t)
{
	nlp_vocab_free(t->vocab);
	free(t->ids);
}

static NlpWord2vecOptions
options(NlpWordObjective objective, NlpWordLoss loss, bool exact, uint32_t dim)
{
	NlpWord2vecOptions o;

	nlp_word2vec_defaults(objective, &o);
	o.loss = loss;
	o.exact = exact;
	o.dim = dim;
	o.window = 3;
	o.epochs = 2;
	o.min_count = 2;
	o.sample = 0.05;
	o.seed = 42;
	return o;
}

static inline NlpWord2vec *
trainer(const NlpWord2vecOptions *o, const Text *t, const NlpEnv *env)
{
	NlpWord2vec *w = NULL;
	NlpError	err;

	CHECK_OK(nlp_word2vec_new(o, t->vocab, env, &w, &err), err);
	return w;
}

static inline NlpStatus
run(NlpWord2vec *w, const Text *t, const NlpEnv *env, NlpTrainProgress progress, void *ctx, NlpError *err)
{
	NlpMemorySource src;

	nlp_memory_source_init(&src, t->ids, t->n * sizeof(uint32_t));
	return nlp_word2vec_run(w, &src.source, env, progress, ctx, err);
}

static inline double
ref_sigmoid(double f)
{
	return 1 / (1 + exp(-f));
}

/* ---- written out ---- */

typedef struct Bytes
{
	char	   *data;
	size_t		len;
} Bytes;

static inline NlpStatus
to_bytes(void *ctx, const void *p, size_t len, NlpError *err)
{
	Bytes	   *b = ctx;

	b->data = realloc(b->data, b->len + len + 1);
	memcpy(b->data + b->len, p, len);
	b->len += len;
	return NLP_OK;
}

#endif
