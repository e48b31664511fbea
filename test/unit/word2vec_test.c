/* word2vec_test.c --- the run of the trainer: every rule against plain loops in double, step by
 * step; the same bits on all instruction sets, through stops and checkpoints; cancels; threads; what is learnt. */
#include <math.h>

#include "core/cpu.h"
#include "core/pool.h"
#include "word2vec_reference.h"

/* ---- the trainer beside the reference ------------------------------------------ */

typedef struct Steps
{
	Ref		   *ref;
	uint32_t	cut;
	int			calls;
} Steps;

static NlpStatus
step(void *ctx, NlpWord2vec *w, const NlpTrainState *s, NlpError *err)
{
	Steps	   *steps = ctx;
	Ref		   *r = steps->ref;

	ref_until(r, w->epoch, w->place, steps->cut);
	ref_compare(r, w->input, w->n, (const double (*)[MAX_DIM]) r->in);
	ref_compare(r, w->output, w->n_out, (const double (*)[MAX_DIM]) r->out);
	ref_compare(r, w->gram, w->o.buckets, (const double (*)[MAX_DIM]) r->gram);
	steps->calls++;
	CHECK(s->epoch == w->epoch && s->epochs == w->o.epochs && s->tokens_done <= s->tokens_total);
	CHECK(s->loss >= 0 && s->loss < 1000 && s->alpha <= w->o.alpha && s->alpha >= 0);
	return NLP_OK;
}

static void
compare_with_reference(const NlpWord2vecOptions *o, const Text *t, const char *what)
{
	static Ref	ref;
	Steps		steps = {.ref = &ref, .cut = 40};
	NlpWord2vec *w = trainer(o, t, &plain_env);
	NlpError	err;

	w->cut = steps.cut;
	w->block_ids = 47;
	ref_begin(&ref, w, t);
	CHECK_OK(run(w, t, &plain_env, step, &steps, &err), err);
	CHECK(steps.calls > 20);
	CHECK(w->tokens_done == o->epochs * nlp_vocab_tokens(t->vocab));
	CHECKF(ref.worst < 2e-5, "%s: %.2e", what, ref.worst);
	nlp_word2vec_free(w);
}

static void
test_reference(void)
{
	Text		t = make_text(40, 900);
	static const char *const names[] = {"none", "negative", "tree", "softmax"};

	CHECK(nlp_vocab_size(t.vocab) <= MAX_WORDS);
	for (int objective = NLP_WORDS_SKIPGRAM; objective <= NLP_WORDS_CBOW; objective++)
		for (int loss = NLP_WORDS_NEGATIVE; loss <= NLP_WORDS_SOFTMAX; loss++)
			for (int exact = 0; exact < 2; exact++)
				for (int variant = 0; variant < 4; variant++)
				{
					NlpWord2vecOptions o = options((NlpWordObjective) objective, (NlpWordLoss) loss, exact,
												   variant % 2 ? 33 : 16);
					char		what[100];

					if (variant >= 2)
					{
						o.subword_min = 2;
						o.subword_max = 3;
						o.buckets = 29;
					}
					if (variant == 1)
					{
						o.window = 12;	/* more contexts than one batch */
						o.negative = 13;	/* and more rows than one tile */
						o.alpha = 0.06f;
						o.sample = 0;
						o.cbow_mean = false;
					}
					snprintf(what, sizeof(what), "%s, %s, %s, variant %d", objective == NLP_WORDS_CBOW ? "cbow" :
							 "skip-gram", names[loss], exact ? "exact" : "fast", variant);
					compare_with_reference(&o, &t, what);
				}
	free_text(&t);
}

/* ---- the same bits -------------------------------------------------------------------------- */

static uint64_t
rows_hash(const NlpWord2vec *w)
{
	uint64_t	h = 1;
	const float *rows[3] = {w->input, w->output, w->gram};
	size_t		n[3] = {w->n, w->n_out, w->gram ? w->o.buckets : 0};

	for (int k = 0; k < 3; k++)
		for (size_t i = 0; i < n[k]; i++)
			for (uint32_t c = 0; c < w->o.dim; c++)
			{
				uint32_t	bits;

				memcpy(&bits, rows[k] + i * w->stride + c, 4);
				h = (h ^ bits) * 0x9e3779b97f4a7c15u;
				h ^= h >> 32;
			}
	return h;
}

typedef struct Halt
{
	int			calls,
				halt_at;
	Bytes		checkpoint;
} Halt;

static NlpStatus
halt(void *ctx, NlpWord2vec *w, const NlpTrainState *s, NlpError *err)
{
	Halt	   *h = ctx;
	NlpSink		sink = {to_bytes, &h->checkpoint};

	if (h->calls++ != h->halt_at)
		return NLP_OK;
	CHECK(nlp_word2vec_write(w, "halted", true, &sink, &plain_env, err) == NLP_OK);
	return nlp_fail(err, NLP_ELIMIT, "halted");
}

static void
shrink(NlpWord2vec *w)
{
	w->cut = 100;
	w->block_ids = 300;
}

/* Run to the end by way of a checkpoint at that call; the hash of the rows. 0: no such call. */
static uint64_t
run_by_halt(const NlpWord2vecOptions *o, const Text *t, int halt_at)
{
	Halt		h = {.halt_at = halt_at};
	NlpWord2vec *w = trainer(o, t, &plain_env);
	NlpMemorySource src;
	NlpError	err;
	NlpStatus	st;
	uint64_t	hash = 0;

	shrink(w);
	st = run(w, t, &plain_env, halt, &h, &err);
	nlp_word2vec_free(w);
	if (st == NLP_OK)
		return 0;
	CHECK(st == NLP_ELIMIT);
	w = trainer(o, t, &plain_env);
	shrink(w);
	w->block_ids = 170;			/* other blocks: they must not matter */
	nlp_memory_source_init(&src, h.checkpoint.data, h.checkpoint.len);
	st = nlp_word2vec_restore(w, &src.source, &plain_env, &err);
	CHECK_OK(st, err);
	CHECK_OK(run(w, t, &plain_env, NULL, NULL, &err), err);
	CHECK(w->tokens_done == o->epochs * nlp_vocab_tokens(t->vocab));
	hash = rows_hash(w);
	nlp_word2vec_free(w);
	free(h.checkpoint.data);
	return hash;
}

static uint64_t
run_whole(const NlpWord2vecOptions *o, const Text *t, const NlpEnv *env)
{
	NlpWord2vec *w = trainer(o, t, env);
	NlpError	err;
	uint64_t	hash;

	shrink(w);
	CHECK_OK(run(w, t, env, NULL, NULL, &err), err);
	hash = rows_hash(w);
	nlp_word2vec_free(w);
	return hash;
}

static void
test_bits(void)
{
	Text		t = make_text(50, 2500);
	NlpIsa		best = nlp_isa_current();

	for (int objective = NLP_WORDS_SKIPGRAM; objective <= NLP_WORDS_CBOW; objective++)
		for (int loss = NLP_WORDS_NEGATIVE; loss <= NLP_WORDS_SOFTMAX; loss++)
			for (int variant = 0; variant < 3; variant++)
			{
				NlpWord2vecOptions o = options((NlpWordObjective) objective, (NlpWordLoss) loss, variant == 1, 50);
				uint64_t	want;
				int			halts = 0;

				if (variant == 2)
				{
					o.subword_min = 3;
					o.subword_max = 4;
					o.buckets = 100;
				}
				want = run_whole(&o, &t, &plain_env);
				CHECK(want == run_whole(&o, &t, &plain_env));
				for (int isa = 0; isa < NLP_ISA_COUNT; isa++)
					if (nlp_isa_set((NlpIsa) isa))
						CHECKF(run_whole(&o, &t, &plain_env) == want, "%s, objective %d, loss %d, variant %d",
							   nlp_isa_name((NlpIsa) isa), objective, loss, variant);
				nlp_isa_set(best);
				for (int at = 0;; at++)
				{
					uint64_t	got = run_by_halt(&o, &t, at);

					if (got == 0)
						break;
					halts++;
					CHECKF(got == want, "checkpoint %d, objective %d, loss %d, variant %d", at, objective, loss, variant);
				}
				CHECK(halts > 10);
				o.seed++;
				CHECK(run_whole(&o, &t, &plain_env) != want);
			}
	free_text(&t);
}

/* ---- cancels ------------------------------------------------------------------------------------ */

typedef struct Cancel
{
	long		polls,
				pend_every,
				serve,			/* cancelled() says yes at this call; -1: never */
				served;
} Cancel;

static bool
cancel_pending(void *ctx)
{
	Cancel	   *c = ctx;

	return ++c->polls % c->pend_every == 0;
}

static bool
cancel_served(void *ctx)
{
	Cancel	   *c = ctx;

	return c->served++ == c->serve;
}

static void
test_cancel(void)
{
	Text		t = make_text(50, 2500);

	for (int kind = 0; kind < 8; kind++)
	{
		NlpWord2vecOptions o = options(kind & 1 ? NLP_WORDS_CBOW : NLP_WORDS_SKIPGRAM,
									   kind & 2 ? NLP_WORDS_SOFTMAX : NLP_WORDS_NEGATIVE, kind & 4, 30);
		uint64_t	want = run_whole(&o, &t, &plain_env);
		Cancel		go_on = {.pend_every = 3, .serve = -1};
		Cancel		end = {.pend_every = 5, .serve = 4};
		NlpEnv		env = {&nlp_libc_alloc, cancel_pending, cancel_served, &go_on, NULL};
		NlpWord2vec *w = trainer(&o, &t, &env);
		NlpError	err;

		o.sample = 0.05;
		/* Interrupts that are no cancel, also inside a centre: the same bits. */
		shrink(w);
		w->poll_every = 0;
		CHECK_OK(run(w, &t, &env, NULL, NULL, &err), err);
		CHECK(go_on.served > 100);
		CHECKF(rows_hash(w) == want, "kind %d", kind);
		nlp_word2vec_free(w);
		w = trainer(&o, &t, &plain_env);
		w->poll_every = 0;
		env.cancel_ctx = &end;
		CHECK(run(w, &t, &env, NULL, NULL, &err) == NLP_ECANCELLED);
		CHECK(end.served == 5);
		nlp_word2vec_free(w);
	}
	free_text(&t);
}

/* ---- threads --------------------------------------------------------------------------------------- */

/* The last state, its loss being the mean over the last epoch: blocks are short, and the last may hold few pairs. */
typedef struct Noted
{
	NlpTrainState state;
	uint64_t	tokens;
	double		loss;
} Noted;

static NlpStatus
note(void *ctx, NlpWord2vec *w, const NlpTrainState *s, NlpError *err)
{
	Noted	   *n = ctx;
	uint64_t	more = s->tokens_done - n->state.tokens_done;

	if (s->epoch + 1 == s->epochs)
	{
		n->tokens += more;
		n->loss += s->loss * (double) more;
	}
	n->state = *s;
	return NLP_OK;
}

static void
test_threads(void)
{
	Text		t = make_text(60, 60000);
	NlpEnv		env = plain_env;
	NlpError	err;

	CHECK_OK(nlp_pool_new(3, &env.pool, &err), err);
	for (int kind = 0; kind < 12; kind++)
	{
		NlpWord2vecOptions o = options(kind & 1 ? NLP_WORDS_CBOW : NLP_WORDS_SKIPGRAM,
									   (NlpWordLoss) (NLP_WORDS_NEGATIVE + kind / 4), false, 30);
		Noted		one = {0},
					three = {0};
		NlpWord2vec *w;

		o.hot_rows = kind & 2 ? 20 : 0;
		w = trainer(&o, &t, &plain_env);
		CHECK(w->hot == 0);
		CHECK_OK(run(w, &t, &plain_env, note, &one, &err), err);
		nlp_word2vec_free(w);
		w = trainer(&o, &t, &env);
		CHECK(w->hot == o.hot_rows && w->threads == 3);
		w->block_ids = 5000;
		CHECK_OK(run(w, &t, &env, note, &three, &err), err);
		CHECK(three.state.tokens_done == three.state.tokens_total && one.state.tokens_done == three.state.tokens_done);
		one.loss /= (double) one.tokens;
		three.loss /= (double) three.tokens;
		/* So few words change so often that three threads cannot but hinder each other a little. */
		CHECKF(fabs(three.loss - one.loss) < 0.25 * one.loss, "kind %d: loss %.3f and %.3f", kind, one.loss, three.loss);
		/* Private rows were brought back. */
		for (int rank = 0; w->hot > 0 && rank < 3; rank++)
			CHECK(memcmp(w->thread[rank].hot_in, w->input, w->hot * w->stride * 4) == 0 &&
				  memcmp(w->thread[rank].hot_out, w->output + w->hot_out_first * w->stride, w->hot * w->stride * 4) == 0);
		nlp_word2vec_free(w);
	}
	nlp_pool_free(env.pool);
	free_text(&t);
}

/* ---- what is learnt ----------------------------------------------------------------------------------- */

/* Ten topics of eight words, sentences of one topic: words of a topic end up together. */
static void
test_learns(void)
{
	Text		t = {.ids = malloc(200000 * sizeof(uint32_t))};
	NlpError	err;

	CHECK_OK(nlp_vocab_new(&nlp_libc_alloc, &t.vocab, &err), err);
	for (uint32_t s = 0; s < 4000; s++)
	{
		for (uint32_t i = 0; i < 12; i++)
			text_word(&t, s % 10 * 8 + (uint32_t) (8 * nlp_philox_uniform(4, s, i)));
		t.ids[t.n++] = NLP_SENTENCE_END;
	}
	CHECK_OK(nlp_vocab_finish(t.vocab, 1, 0, &plain_env, &err), err);
	for (int kind = 0; kind < 12; kind++)
	{
		NlpWord2vecOptions o = options(kind & 1 ? NLP_WORDS_CBOW : NLP_WORDS_SKIPGRAM,
									   (NlpWordLoss) (NLP_WORDS_NEGATIVE + kind / 4), kind & 2, 32);
		NlpWord2vec *w;
		double		near = 0,
					far = 0;

		o.sample = 0;
		o.min_count = 1;
		w = trainer(&o, &t, &plain_env);
		CHECK_OK(run(w, &t, &plain_env, NULL, NULL, &err), err);
		for (uint32_t a = 0; a < 80; a++)
			for (uint32_t b = 0; b < a; b++)
			{
				const float *x = w->input + nlp_vocab_map(t.vocab, a) * w->stride;
				const float *y = w->input + nlp_vocab_map(t.vocab, b) * w->stride;
				double		xy = 0,
							xx = 0,
							yy = 0;
				size_t		len;
				uint32_t	ka = (uint32_t) atoi(nlp_vocab_word(t.vocab, nlp_vocab_map(t.vocab, a), &len) + 1) / 7919;
				uint32_t	kb = (uint32_t) atoi(nlp_vocab_word(t.vocab, nlp_vocab_map(t.vocab, b), &len) + 1) / 7919;

				for (int c = 0; c < 32; c++)
				{
					xy += x[c] * y[c];
					xx += x[c] * x[c];
					yy += y[c] * y[c];
				}
				if (ka / 8 == kb / 8)
					near += xy / sqrt(xx * yy) / 280;
				else
					far += xy / sqrt(xx * yy) / 2880;
			}
		CHECKF(near > far + 0.4, "kind %d: cosine %.3f inside a topic, %.3f outside", kind, near, far);
		nlp_word2vec_free(w);
	}
	free_text(&t);
}

int
main(void)
{
	test_reference();
	test_bits();
	test_cancel();
	test_threads();
	test_learns();
	return check_done();
}
