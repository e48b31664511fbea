/* word2vec_limits_test.c --- the trainer's limits: what is refused, the smallest texts, the largest
 * rates; memory; checkpoints of strangers; models that learn more. */
#include "core/pool.h"
#include "word2vec_text.h"

/* ---- refusals and limits ---------------------------------------------------------------------------------- */

static void
test_options(void)
{
	NlpWord2vecOptions o;
	NlpError	err;

	nlp_word2vec_defaults(NLP_WORDS_SKIPGRAM, &o);
	CHECK_OK(nlp_word2vec_check(&o, &err), err);
	CHECK(o.window == 5 && o.alpha == 0.025f && o.negative == 5 && o.hot_rows == 32000);
	nlp_word2vec_defaults(NLP_WORDS_CBOW, &o);
	CHECK_OK(nlp_word2vec_check(&o, &err), err);
	CHECK(o.window == 8 && o.alpha == 0.05f && o.cbow_mean);
#define REFUSED(field, value) \
	do { \
		NlpWord2vecOptions bad = o; \
		bad.field = value; \
		CHECK(nlp_word2vec_check(&bad, &err) == NLP_EINVALID && strstr(err.message, #field) != NULL); \
	} while (0)
	REFUSED(dim, 0);
	REFUSED(dim, 16001);
	REFUSED(window, 0);
	REFUSED(window, 1001);
	REFUSED(negative, 0);
	REFUSED(negative, 65);
	REFUSED(epochs, 0);
	REFUSED(min_count, 0);
	REFUSED(sample, -1);
	REFUSED(sample, NAN);
	REFUSED(alpha, 0);
	REFUSED(alpha, 2);
	REFUSED(alpha, NAN);
	REFUSED(min_alpha, 1);
	REFUSED(min_alpha, NAN);
	REFUSED(hot_rows, UINT32_MAX);
	REFUSED(subword_min, 65);
	REFUSED(objective, NLP_WORDS_PLAIN);
	REFUSED(loss, NLP_WORDS_NO_LOSS);
	o.subword_min = 3;
	o.subword_max = 6;
	REFUSED(buckets, 0);
	REFUSED(subword_max, 2);
}

/* Texts of few words: an error that says what is missing, or vectors. */
static NlpStatus
train_words(const char *const *words, int n, uint32_t min_count, NlpWordLoss loss, NlpError *err)
{
	Text		t = {.ids = malloc(64 * sizeof(uint32_t))};
	NlpWord2vecOptions o = options(NLP_WORDS_SKIPGRAM, loss, false, 4);
	NlpWord2vec *w = NULL;
	NlpStatus	st;

	o.min_count = min_count;
	CHECK(nlp_vocab_new(&nlp_libc_alloc, &t.vocab, err) == NLP_OK);
	for (int i = 0; i < n; i++)
	{
		t.ids[t.n] = NLP_SENTENCE_END;
		if (words[i])
			CHECK(nlp_vocab_add(t.vocab, words[i], strlen(words[i]), &t.ids[t.n], err) == NLP_OK);
		t.n++;
	}
	CHECK(nlp_vocab_finish(t.vocab, min_count, 0, &plain_env, err) == NLP_OK);
	st = nlp_word2vec_new(&o, t.vocab, &plain_env, &w, err);
	if (st == NLP_OK)
		st = run(w, &t, &plain_env, NULL, NULL, err);
	for (uint32_t i = 0; st == NLP_OK && i < w->n * w->stride; i++)
		CHECK(isfinite(w->input[i]));
	nlp_word2vec_free(w);
	free_text(&t);
	return st;
}

static void
test_tiny(void)
{
	const char *none[] = {NULL, NULL};
	const char *one[] = {"a", "a", "a"};
	const char *two[] = {"a", "b", "a", "b", "b"};
	const char *alone[] = {"a", NULL, "b", NULL, "a", NULL, "b"};
	NlpError	err;

	for (int loss = NLP_WORDS_NEGATIVE; loss <= NLP_WORDS_SOFTMAX; loss++)
	{
		CHECK(train_words(none, 2, 1, (NlpWordLoss) loss, &err) == NLP_EINVALID && strstr(err.message, "no word"));
		CHECK(train_words(none, 0, 1, (NlpWordLoss) loss, &err) == NLP_EINVALID);
		CHECK(train_words(one, 3, 1, (NlpWordLoss) loss, &err) == NLP_EINVALID && strstr(err.message, "only one"));
		CHECK(train_words(two, 5, 3, (NlpWordLoss) loss, &err) == NLP_EINVALID && strstr(err.detail, "min_count"));
		CHECK_OK(train_words(two, 5, 1, (NlpWordLoss) loss, &err), err);
		CHECK(train_words(alone, 7, 1, (NlpWordLoss) loss, &err) == NLP_EINVALID && strstr(err.message, "nothing to learn"));
	}
}

static void
test_spool(void)
{
	Text		t = make_text(30, 500);
	NlpWord2vecOptions o = options(NLP_WORDS_CBOW, NLP_WORDS_NEGATIVE, false, 8);
	NlpWord2vec *w = trainer(&o, &t, &plain_env);
	NlpMemorySource src;
	NlpError	err;
	uint32_t   *wild = malloc(500 * sizeof(uint32_t));

	nlp_memory_source_init(&src, t.ids, 401);
	CHECK(nlp_word2vec_run(w, &src.source, &plain_env, NULL, NULL, &err) == NLP_EINVALID);
	nlp_memory_source_init(&src, t.ids, 0);
	CHECK(nlp_word2vec_run(w, &src.source, &plain_env, NULL, NULL, &err) == NLP_EINVALID);
	/* Ids that the vocabulary never gave are words it does not know. */
	for (int i = 0; i < 500; i++)
		wild[i] = i % 3 == 0 ? (uint32_t) i * 77777777u : t.ids[i];
	nlp_memory_source_init(&src, wild, 500 * sizeof(uint32_t));
	CHECK_OK(nlp_word2vec_run(w, &src.source, &plain_env, NULL, NULL, &err), err);
	nlp_word2vec_free(w);
	free(wild);
	free_text(&t);
}

/* The largest rates and windows on the smallest vocabulary: whatever happens, numbers. */
static void
test_finite(void)
{
	Text		t = make_text(4, 4000);

	for (int kind = 0; kind < 12; kind++)
	{
		NlpWord2vecOptions o = options(kind & 1 ? NLP_WORDS_CBOW : NLP_WORDS_SKIPGRAM,
									   (NlpWordLoss) (NLP_WORDS_NEGATIVE + kind / 4), kind & 2, 16);
		NlpWord2vec *w;
		NlpError	err;

		o.alpha = 1;
		o.min_alpha = 1;
		o.window = 50;
		o.negative = 64;
		o.epochs = 5;
		o.cbow_mean = false;
		o.sample = 0;
		w = trainer(&o, &t, &plain_env);
		CHECK_OK(run(w, &t, &plain_env, NULL, NULL, &err), err);
		for (uint32_t i = 0; i < w->n * w->stride; i++)
			if (!isfinite(w->input[i]) || (i < w->n_out * w->stride && !isfinite(w->output[i])))
			{
				CHECKF(false, "kind %d: value %u", kind, i);
				break;
			}
		nlp_word2vec_free(w);
	}
	free_text(&t);
}

/* ---- memory ---------------------------------------------------------------------------------------------- */

typedef struct Meter
{
	uint64_t	now,
				most;
} Meter;

static void *
meter_alloc(void *ctx, size_t bytes)
{
	Meter	   *m = ctx;
	char	   *p = nlp_alloc(&nlp_libc_alloc, bytes + 64);

	if (!p)
		return NULL;
	memcpy(p, &bytes, sizeof(bytes));
	m->now += bytes;
	m->most = m->now > m->most ? m->now : m->most;
	return p + 64;
}

static void
meter_free(void *ctx, void *ptr)
{
	Meter	   *m = ctx;
	size_t		bytes;

	if (!ptr)
		return;
	memcpy(&bytes, (char *) ptr - 64, sizeof(bytes));
	m->now -= bytes;
	nlp_free(&nlp_libc_alloc, (char *) ptr - 64);
}

static void
test_bytes(void)
{
	Text		t = make_text(2000, 30000);
	NlpPool    *pool;
	NlpError	err;

	CHECK_OK(nlp_pool_new(2, &pool, &err), err);
	for (int kind = 0; kind < 24; kind++)
	{
		NlpWord2vecOptions o = options(kind & 1 ? NLP_WORDS_CBOW : NLP_WORDS_SKIPGRAM,
									   (NlpWordLoss) (NLP_WORDS_NEGATIVE + kind / 8), false, 20);
		Meter		m = {0};
		NlpAlloc	alloc = {meter_alloc, meter_free, &m};
		NlpEnv		env = {.alloc = &alloc, .pool = kind & 2 ? pool : NULL};
		NlpWord2vec *w = NULL;
		uint64_t	told,
					most;

		if (kind & 4)
		{
			o.subword_min = 3;
			o.subword_max = 5;
			o.buckets = 5000;
		}
		o.epochs = 1;
		CHECK_OK(nlp_word2vec_new(&o, t.vocab, &env, &w, &err), err);
		most = m.most;
		told = nlp_word2vec_bytes(&o, t.vocab, kind & 2 ? 2 : 1);
		CHECKF(most <= told && told < most + most / 4 + 65536, "kind %d: %llu told, %llu taken", kind,
			   (unsigned long long) told, (unsigned long long) most);
		if (kind < 16)
			CHECK_OK(run(w, &t, &env, NULL, NULL, &err), err);
		CHECK(m.most == most);	/* nothing is taken while training */
		nlp_word2vec_free(w);
		CHECK(m.now == 0);
	}
	nlp_pool_free(pool);
	free_text(&t);
}

static void
test_no_memory(void)
{
	Text		t = make_text(30, 500);
	NlpPool    *pool;
	NlpError	err;

	CHECK_OK(nlp_pool_new(2, &pool, &err), err);
	for (int loss = NLP_WORDS_NEGATIVE; loss <= NLP_WORDS_SOFTMAX; loss++)
	{
		bool		failed = true;
		long		at = 0;

		for (; failed; at++)
		{
			NlpWord2vecOptions o = options(NLP_WORDS_CBOW, (NlpWordLoss) loss, false, 8);
			NlpTestAlloc a;
			NlpEnv		env = {.alloc = &a.alloc, .pool = pool};
			NlpWord2vec *w = NULL;
			Bytes		out = {0};
			NlpSink		sink = {to_bytes, &out};
			NlpMemorySource src;
			NlpStatus	st;

			o.subword_min = 2;
			o.subword_max = 3;
			o.buckets = 50;
			nlp_test_alloc_init(&a, at);
			st = nlp_word2vec_new(&o, t.vocab, &env, &w, &err);
			if (st == NLP_OK)
				st = run(w, &t, &env, NULL, NULL, &err);
			if (st == NLP_OK)
				st = nlp_word2vec_write(w, "m", true, &sink, &env, &err);
			nlp_memory_source_init(&src, out.data, out.len);
			if (st == NLP_OK)
				st = nlp_word2vec_restore(w, &src.source, &env, &err);
			failed = st != NLP_OK;
			CHECKF(!failed || st == NLP_ENOMEM, "%s", err.message);
			nlp_word2vec_free(w);
			free(out.data);
			CHECK(a.live == 0);
		}
		CHECK(at > 30);
	}
	nlp_pool_free(pool);
	free_text(&t);
}

/* ---- checkpoints of strangers ------------------------------------------------------------------------------ */

static void
restore_into(const NlpWord2vecOptions *o, const Text *t, const char *bytes, size_t len, NlpStatus *st, NlpError *err)
{
	NlpWord2vec *w = trainer(o, t, &plain_env);
	NlpMemorySource src;

	nlp_memory_source_init(&src, bytes, len);
	*st = nlp_word2vec_restore(w, &src.source, &plain_env, err);
	if (*st == NLP_OK)
	{
		NlpError	run_err;

		run(w, t, &plain_env, NULL, NULL, &run_err);
		for (uint32_t i = 0; i < w->n * w->stride; i++)
			if (!isfinite(w->input[i]))
				CHECK(!"finite");
	}
	nlp_word2vec_free(w);
}

static void
test_restore(void)
{
	Text		t = make_text(20, 400);
	Text		other = make_text(20, 700);
	NlpWord2vecOptions o = options(NLP_WORDS_SKIPGRAM, NLP_WORDS_NEGATIVE, false, 4);
	Bytes		plain = {0},
				check = {0};
	NlpSink		to_plain = {to_bytes, &plain},
				to_check = {to_bytes, &check};
	NlpWord2vec *w;
	NlpError	err;
	NlpStatus	st;
	char	   *copy;

	o.sample = 0;
	o.subword_min = 2;
	o.subword_max = 2;
	o.buckets = 5;
	w = trainer(&o, &t, &plain_env);
	CHECK_OK(run(w, &t, &plain_env, NULL, NULL, &err), err);
	CHECK_OK(nlp_word2vec_write(w, "x", false, &to_plain, &plain_env, &err), err);
	CHECK_OK(nlp_word2vec_write(w, "x", true, &to_check, &plain_env, &err), err);
	nlp_word2vec_free(w);
	restore_into(&o, &t, plain.data, plain.len, &st, &err);
	CHECK(st == NLP_EINVALID && strstr(err.message, "not a checkpoint"));
	restore_into(&o, &t, check.data, check.len, &st, &err);
	CHECK_OK(st, err);
	restore_into(&o, &other, check.data, check.len, &st, &err);
	CHECK(st == NLP_EINVALID);
#define DIFFERS(field, value) \
	do { \
		NlpWord2vecOptions changed = o; \
		changed.field = value; \
		restore_into(&changed, &t, check.data, check.len, &st, &err); \
		CHECKF(st == NLP_EINVALID && strstr(err.message, "another"), #field ": %d %s", st, err.message); \
	} while (0)
	DIFFERS(dim, 5);
	DIFFERS(window, 4);
	DIFFERS(negative, 6);
	DIFFERS(epochs, 3);
	DIFFERS(min_count, 3);
	DIFFERS(max_words, 3000);
	DIFFERS(sample, 0.01);
	DIFFERS(alpha, 0.02f);
	DIFFERS(min_alpha, 0.001f);
	DIFFERS(seed, 7);
	DIFFERS(exact, true);
	DIFFERS(chinese, true);
	DIFFERS(buckets, 6);
	DIFFERS(subword_max, 3);
	DIFFERS(objective, NLP_WORDS_CBOW);
	DIFFERS(loss, NLP_WORDS_SOFTMAX);
	/* Cut anywhere, changed anywhere: refused, or a run that ends in numbers. */
	for (size_t len = 0; len < check.len; len += 1 + len / 50)
	{
		restore_into(&o, &t, check.data, len, &st, &err);
		CHECK(st != NLP_OK);
	}
	copy = malloc(check.len);
	for (size_t i = 0; i < 3000; i++)
	{
		uint32_t	r[4];

		nlp_philox(6, 6, i, r);
		memcpy(copy, check.data, check.len);
		copy[r[0] % check.len] ^= (char) (1 << r[1] % 8);
		if (i % 3 == 0)
			copy[r[2] % check.len] = (char) r[3];
		restore_into(&o, &t, copy, check.len, &st, &err);
	}
	free(copy);
	free(plain.data);
	free(check.data);
	free_text(&t);
	free_text(&other);
}

/* ---- more rows later ------------------------------------------------------------------------------------------ */

static NlpWords *
resident(const Bytes *b)
{
	NlpMemorySource src;
	NlpGguf		g;
	NlpWordsPlan *plan;
	NlpError	err;
	void	   *block;
	volatile uint64_t done = 0;

	nlp_memory_source_init(&src, b->data, b->len);
	CHECK_OK(nlp_gguf_open(&src.source, &plain_env, &g, &err), err);
	CHECK_OK(nlp_words_plan(&g, &plain_env, &plan, &err), err);
	block = nlp_alloc(&nlp_libc_alloc, nlp_words_plan_bytes(plan));
	CHECK_OK(nlp_words_build(plan, &src.source, &plain_env, block, &done, &err), err);
	nlp_words_plan_free(plan);
	nlp_gguf_close(&g);
	return block;
}

static void
test_update_model(void)
{
	for (int kind = 0; kind < 8; kind++)
	{
		Text		t = make_text(30, 3000);
		Text		more = {.ids = malloc(4000 * sizeof(uint32_t))};
		NlpWord2vecOptions o = options(kind & 1 ? NLP_WORDS_CBOW : NLP_WORDS_SKIPGRAM,
									   kind & 2 ? NLP_WORDS_HIERARCHICAL : NLP_WORDS_NEGATIVE, false, 20);
		NlpWord2vecOptions bad;
		NlpWord2vec *w,
				   *w2;
		Bytes		out = {0};
		NlpSink		sink = {to_bytes, &out};
		NlpWords   *old;
		NlpError	err;
		double		worst = 0;

		if (kind & 4)
		{
			o.subword_min = 3;
			o.subword_max = 4;
			o.buckets = 60;
		}
		w = trainer(&o, &t, &plain_env);
		CHECK_OK(run(w, &t, &plain_env, NULL, NULL, &err), err);
		CHECK_OK(nlp_word2vec_write(w, "first", false, &sink, &plain_env, &err), err);
		old = resident(&out);
		CHECK_OK(nlp_vocab_new(&nlp_libc_alloc, &more.vocab, &err), err);
		CHECK_OK(nlp_vocab_seed(more.vocab, old, &plain_env, &err), err);
		for (uint32_t i = 0; i < 3000; i++)
			text_word(&more, i * 13 % 37);
		CHECK_OK(nlp_vocab_finish(more.vocab, 2, 0, &plain_env, &err), err);
		w2 = trainer(&o, &more, &plain_env);
		CHECK(w2->n > w->n);
		CHECK_OK(nlp_word2vec_start_from(w2, old, &plain_env, &err), err);
		for (uint32_t i = 0; i < w->n; i++)
			for (uint32_t c = 0; c < o.dim; c++)
			{
				worst = larger(worst, fabs(w->input[i * w->stride + c] - w2->input[i * w2->stride + c]));
				if (!(kind & 2))
					worst = larger(worst, fabs(w->output[i * w->stride + c] - w2->output[i * w2->stride + c]));
			}
		CHECKF(kind & 4 ? worst < 1e-5 : worst == 0, "kind %d: %.2e", kind, worst);
		CHECK_OK(run(w2, &more, &plain_env, NULL, NULL, &err), err);
		nlp_word2vec_free(w2);
		bad = o;
		bad.dim = 21;
		w2 = trainer(&bad, &more, &plain_env);
		CHECK(nlp_word2vec_start_from(w2, old, &plain_env, &err) == NLP_EINVALID);
		nlp_word2vec_free(w2);
		bad = o;
		bad.objective = kind & 1 ? NLP_WORDS_SKIPGRAM : NLP_WORDS_CBOW;
		w2 = trainer(&bad, &more, &plain_env);
		CHECK(nlp_word2vec_start_from(w2, old, &plain_env, &err) == NLP_EINVALID);
		nlp_word2vec_free(w2);
		nlp_word2vec_free(w);
		nlp_free(&nlp_libc_alloc, old);
		free(out.data);
		free_text(&t);
		free_text(&more);
	}
}

int
main(void)
{
	test_options();
	test_tiny();
	test_spool();
	test_finite();
	test_bytes();
	test_no_memory();
	test_restore();
	test_update_model();
	return check_done();
}
