/* word2vec_test.c --- the trainer: every rule against plain loops in double, step by step; the
 * same bits on all instruction sets, through stops and checkpoints; sampling and the tree
 * against their definitions; n-grams against fastText's own answers; what is refused; memory. */
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

/* ---- kernels against plain loops and each other ------------------------------------ */

enum {K_ROWS = 40, K_WIDTH = 208};

static void
fill(float *x, size_t n, uint64_t stream)
{
	for (size_t i = 0; i < n; i++)
		x[i] = (float) (nlp_philox_uniform(9, stream, i) - 0.5);
}

/* All that a kernel table does with m inputs, n outputs, some of them twice; results end to end. */
static size_t
use_kernel(const NlpWordKernel *k, int m, int n, size_t width, float *result)
{
	static float a[K_ROWS * K_WIDTH],
				b[K_ROWS * K_WIDTH],
				g[NLP_WORD_INPUTS * K_ROWS + 16],
				work[NLP_WORD_INPUTS * K_WIDTH],
				h[K_WIDTH],
				e[K_WIDTH];
	float	   *x[K_ROWS],
			   *y[K_ROWS];
	size_t		at = 0;
	size_t		bytes = K_ROWS * width * sizeof(float);

	fill(a, K_ROWS * width, 1);
	fill(b, K_ROWS * width, 2);
	memset(g, 0, sizeof(g));
	memset(e, 0, sizeof(e));
	for (int i = 0; i < K_ROWS; i++)
	{
		x[i] = a + (size_t) (i == 2 ? 0 : i) * width;
		y[i] = b + (size_t) (i == 3 ? 1 : i == 7 ? 0 : i) * width;
	}
	k->dots(x, m, y, n, width, g);
	memcpy(result + at, g, (size_t) (m * n) * sizeof(float));
	at += (size_t) (m * n);
	result[at++] = (float) k->sigmoid(g, (size_t) (m * n), 0.25f);
	memcpy(result + at, g, (size_t) (m * n) * sizeof(float));
	at += (size_t) (m * n);
	k->update(x, m, y, n, g, width, work, y, n);
	k->mean(x, (size_t) n, 0.3f, width, h);
	k->hidden(h, y, n, g, width, e, NULL, 0);
	k->spread(x, (size_t) n, 1.7f, e, width);
	result[at++] = k->pair(h, y[0], e, width, 1, 0.1f, 0);
	result[at++] = k->pair(h, y[1], e, width, 0, 0.1f, 1);
	memcpy(result + at, a, bytes);
	at += K_ROWS * width;
	memcpy(result + at, b, bytes);
	at += K_ROWS * width;
	memcpy(result + at, e, width * sizeof(float));
	at += width;
	result[at++] = k->largest(b, K_ROWS * width);
	result[at++] = k->softmax(b, (size_t) (n * 5 + m), (size_t) n, 0.4f);
	memcpy(result + at, b, bytes);
	return at + K_ROWS * width;
}

static void
test_kernels(void)
{
	enum {ROOM = 4 * K_ROWS * K_WIDTH};
	static float want[ROOM],
				got[ROOM];
	static const size_t widths[] = {16, 48, 64, 80, 112, 208};

	for (int isa = NLP_ISA_PLAIN + 1; isa < NLP_ISA_COUNT; isa++)
	{
		const NlpWordKernel *k = nlp_word_kernel_of(isa);
		char		line[64];
		int			differ = 0;

		if (!k || !nlp_isa_available((NlpIsa) isa))
		{
			snprintf(line, sizeof(line), "word vector kernels on %s", nlp_isa_name((NlpIsa) isa));
			check_not_run(line);
			continue;
		}
		CHECK(k->update != nlp_word_kernel_of(NLP_ISA_PLAIN)->update);
		for (size_t w = 0; w < sizeof(widths) / sizeof(widths[0]); w++)
			for (int m = 1; m <= NLP_WORD_INPUTS; m++)
				for (int n = 1; n <= 27; n++)
				{
					size_t		size = use_kernel(nlp_word_kernel_of(NLP_ISA_PLAIN), m, n, widths[w], want);

					CHECK(size <= ROOM);
					CHECK(use_kernel(k, m, n, widths[w], got) == size);
					differ += memcmp(want, got, size * sizeof(float)) != 0;
				}
		CHECKF(differ == 0, "%s: %d cases", nlp_isa_name((NlpIsa) isa), differ);
	}
}

/* Against the definition in double, with rows that appear twice. */
static void
test_update(void)
{
	enum {M = 6, N = 9, W = 48};
	static const int xi[M] = {0, 1, 2, 3, 1, 5};
	static const int yj[N] = {0, 1, 2, 3, 4, 5, 6, 7, 0};
	const NlpWordKernel *k = nlp_word_kernel();
	float		a[M * W],
				b[N * W],
				g[M * N],
				work[M * W];
	double		wa[M * W],
				wb[N * W];
	float	   *x[M],
			   *y[N];
	double		worst = 0;

	fill(a, M * W, 3);
	fill(b, N * W, 4);
	fill(g, M * N, 5);
	for (int i = 0; i < M; i++)
		x[i] = a + xi[i] * W;
	for (int j = 0; j < N; j++)
		y[j] = b + yj[j] * W;
	for (int i = 0; i < M * W; i++)
		wa[i] = a[i];
	for (int j = 0; j < N * W; j++)
		wb[j] = b[j];
	for (int i = 0; i < M; i++)
		for (int j = 0; j < N; j++)
			for (int c = 0; c < W; c++)
			{
				wa[xi[i] * W + c] += (double) g[i * N + j] * y[j][c];
				wb[yj[j] * W + c] += (double) g[i * N + j] * x[i][c];
			}
	k->update(x, M, y, N, g, W, work, NULL, 0);
	for (int i = 0; i < M * W; i++)
		worst = larger(worst, fabs(a[i] - wa[i]));
	for (int j = 0; j < N * W; j++)
		worst = larger(worst, fabs(b[j] - wb[j]));
	CHECKF(worst < 1e-6, "%.2e", worst);
}

static void
test_sigmoid(void)
{
	const NlpWordKernel *k = nlp_word_kernel();
	float		f[16] = {0, 1, -1, 5, -5, 20, -20, 80, -80, 1e30f, -1e30f, INFINITY, -INFINITY, NAN, 9999, -9999};
	float		small[16] = {0, 1, NAN};
	float		in[16];
	float		soft[5] = {NAN, 1, INFINITY, -INFINITY, 3};
	double		worst = 0;

	memcpy(in, f, sizeof(f));
	CHECK(k->sigmoid(f, 16, 0.5f) == 1);
	for (int i = 0; i < 13; i++)
		worst = larger(worst, fabs(f[i] + 0.5 * ref_sigmoid(in[i] > 30 ? 30 : in[i] < -30 ? -30 : in[i])));
	CHECKF(worst < 1e-7, "%.2e", worst);
	for (int i = 0; i < 16; i++)
		CHECK(f[i] <= 0 && f[i] >= -0.5f);
	CHECK(k->sigmoid(small, 2, 1) == 0);	/* what lies beyond n does not count */
	k->softmax(soft, 5, 1, 0.1f);
	for (int i = 0; i < 5; i++)
		CHECK(isfinite(soft[i]));
	CHECK(k->largest(in, 9) == 80 && k->largest(in, 12) == INFINITY && k->largest(in + 13, 1) == INFINITY);
}

/* ---- sampling and the tree ------------------------------------------------------------ */

static void
test_alias(void)
{
	Text		t = make_text(60, 20000);
	uint32_t	n = nlp_vocab_size(t.vocab);
	NlpAlias	table[256];
	double		weights[256],
				sum = 0,
				worst = 0;
	double		chance[256] = {0};
	uint32_t	work[256];
	uint32_t	drawn[256] = {0};
	NlpError	err;

	CHECK(n > 30 && n < 256);
	CHECK_OK(nlp_alias_build(t.vocab, table, weights, work, &plain_env, &err), err);
	for (uint32_t i = 0; i < n; i++)
	{
		sum += pow((double) nlp_vocab_word_count(t.vocab, i), 0.75);
		chance[i] += table[i].keep / 4294967296.0 / n;
		chance[table[i].other] += (4294967296.0 - table[i].keep) / 4294967296.0 / n;
	}
	for (uint32_t i = 0; i < n; i++)
		worst = larger(worst, fabs(chance[i] - pow((double) nlp_vocab_word_count(t.vocab, i), 0.75) / sum));
	CHECKF(worst < 1e-8, "%.2e", worst);
	for (uint64_t i = 0; i < 400000; i++)
		drawn[nlp_alias_draw(table, n, nlp_draw(77, i))]++;
	for (uint32_t i = 0; i < n; i++)
		CHECK(fabs(drawn[i] - 400000 * chance[i]) < 6 * sqrt(400000 * chance[i]) + 6);
	free_text(&t);
}

/* Prefix codes of least cost (checked against the cost that joining the two smallest gives), and
 * word2vec.c's numbers: the root is node n - 2. */
static void
test_tree(void)
{
	Text		t = make_text(50, 6000);
	NlpWord2vecOptions o = options(NLP_WORDS_CBOW, NLP_WORDS_HIERARCHICAL, false, 8);
	NlpWord2vec *w = trainer(&o, &t, &plain_env);
	uint32_t	n = w->n;
	uint64_t	cost = 0,
				least = 0;
	uint64_t	heap[256];
	uint32_t	left = n;

	for (uint32_t i = 0; i < n; i++)
	{
		uint32_t	len = w->tree.start[i + 1] - w->tree.start[i];

		heap[i] = nlp_vocab_word_count(t.vocab, i);
		cost += heap[i] * len;
		CHECK(len > 0 && len <= w->tree.longest && w->tree.nodes[w->tree.start[i]] == n - 2);
		for (uint32_t j = 0; j < i; j++)
		{
			uint32_t	other = w->tree.start[j + 1] - w->tree.start[j];
			uint32_t	shorter = len < other ? len : other;

			CHECK(memcmp(w->tree.codes + w->tree.start[i], w->tree.codes + w->tree.start[j], shorter) != 0);
		}
	}
	while (left > 1)
	{
		for (int pick = 0; pick < 2; pick++)
		{
			uint32_t	min = 0;
			uint64_t	swap;

			for (uint32_t i = 1; i < left - (uint32_t) pick; i++)
				min = heap[i] < heap[min] ? i : min;
			swap = heap[left - 1 - pick];
			heap[left - 1 - pick] = heap[min];
			heap[min] = swap;
		}
		heap[left - 2] += heap[left - 1];
		least += heap[left - 2];
		left--;
	}
	CHECKF(cost == least, "%llu, not %llu", (unsigned long long) cost, (unsigned long long) least);
	nlp_word2vec_free(w);
	free_text(&t);
}

/* Words without counts, as in a stranger's file: a balanced tree, not a chain. */
static void
test_tree_no_counts(void)
{
	enum {N = 1000};
	size_t		text = N * 8;
	size_t		bytes = sizeof(NlpWords) + (N + 1) * sizeof(uint64_t) + text;
	NlpWords   *old = calloc(1, bytes);
	uint64_t   *starts = (uint64_t *) (old + 1);
	char	   *work = malloc(nlp_tree_work_bytes(N));
	NlpVocab   *v;
	NlpError	err;
	uint64_t	total;
	uint32_t	longest;

	old->n = N;
	old->starts_offset = sizeof(NlpWords);
	old->text_offset = bytes - text;
	for (uint32_t i = 0; i < N; i++)
	{
		snprintf((char *) old + old->text_offset + 8 * i, 8, "w%05u", i);
		starts[i + 1] = starts[i] + 8;
	}
	CHECK_OK(nlp_vocab_new(&nlp_libc_alloc, &v, &err), err);
	CHECK_OK(nlp_vocab_seed(v, old, &plain_env, &err), err);
	CHECK_OK(nlp_vocab_finish(v, 1, 0, &plain_env, &err), err);
	CHECK_OK(nlp_tree_measure(v, work, &plain_env, &total, &longest, &err), err);
	CHECKF(longest == 10 && total < 10 * N, "%u, %llu", longest, (unsigned long long) total);
	nlp_vocab_free(v);
	free(work);
	free(old);
}

/* ---- n-grams ------------------------------------------------------------------------------ */

/* From fasttext 0.9.2's python module: model.get_subwords(word), less the number of words. */
static const struct
{
	uint32_t	min,
				max,
				buckets;
	const char *word;
	int			ids[40];
}			fasttext_says[] = {
	{3, 6, 2000000, "where", {167652, 989715, 1526707, 1071586, 420941, 312621, 969176, 121234, 1473420, 1540811, 114991, 1529033, 1568469, 867498}},
	{3, 6, 2000000, "a", {1087600}},
	{3, 6, 2000000, "naïve", {1806890, 1907692, 878190, 933201, 1590546, 1719404, 832043, 156687, 356832, 1223007, 1505331, 1711570, 1788548, 1088654}},
	{3, 6, 2000000, "日本語", {758587, 4581, 524609, 35559, 928923, 1674355}},
	{3, 6, 2000000, "Straße", {251364, 102178, 1416569, 1669635, 31408, 1522051, 623629, 1373880, 963910, 733376, 90303, 1020947, 1840342, 1392329, 1151573, 910809, 31141, 679512}},
	{3, 6, 2000000, "xy", {1739200, 1031002, 856044}},
	{3, 6, 2000000, "éé", {1975451, 1116095, 1019417}},
	{1, 3, 1000, "where", {84, 652, 886, 706, 941, 791, 254, 420, 744, 446, 33, 981, 64, 498, 744, 490}},
	{1, 3, 1000, "a", {750, 600, 220, 806}},
	{1, 3, 1000, "naïve", {655, 890, 553, 112, 546, 220, 750, 832, 15, 403, 570, 505, 612, 654, 744, 490}},
	{1, 3, 1000, "日本語", {687, 587, 749, 409, 559, 417, 575, 355, 283, 255}},
	{1, 3, 1000, "Straße", {416, 364, 554, 42, 408, 267, 803, 910, 981, 540, 342, 220, 358, 809, 919, 950, 512, 744, 490}},
	{1, 3, 1000, "xy", {513, 200, 695, 802, 44, 76, 822}},
	{1, 3, 1000, "éé", {627, 451, 777, 437, 417, 777, 781}},
	{2, 4, 5003, "where", {1961, 4131, 4644, 1677, 3210, 3574, 393, 1614, 1488, 4250, 662, 4743, 1440, 520, 3693}},
	{2, 4, 5003, "a", {2780, 2998, 2342}},
	{2, 4, 5003, "naïve", {4989, 1663, 1431, 912, 1962, 1240, 675, 3118, 19, 4318, 3998, 1236, 4373, 4800, 3693}},
	{2, 4, 5003, "日本語", {504, 3420, 1465, 275, 849, 126, 2240, 4677, 3926}},
	{2, 4, 5003, "Straße", {3599, 3915, 1826, 1425, 812, 2013, 2800, 3828, 3185, 1674, 2592, 3297, 4752, 1284, 2128, 4239, 3383, 3693}},
	{2, 4, 5003, "xy", {3936, 988, 166, 1587, 4185, 2307}},
	{2, 4, 5003, "éé", {3649, 4095, 298, 1279, 1270, 4514}},
};

static void
test_subwords(void)
{
	for (size_t i = 0; i < sizeof(fasttext_says) / sizeof(fasttext_says[0]); i++)
	{
		uint32_t	got[40];
		NlpWords	w = {.subword_min = fasttext_says[i].min, .subword_max = fasttext_says[i].max,
		.buckets = fasttext_says[i].buckets};
		size_t		len = strlen(fasttext_says[i].word);
		size_t		n = nlp_words_subwords(&w, fasttext_says[i].word, len, got, 40);
		size_t		want = 0;
		bool		same = true;

		while (want < 40 && fasttext_says[i].ids[want] != 0)
			want++;
		CHECKF(n == want, "%s: %zu, not %zu", fasttext_says[i].word, n, want);
		for (size_t j = 0; j < n && j < want; j++)
			same &= got[j] == (uint32_t) fasttext_says[i].ids[j];
		CHECKF(same, "%s", fasttext_says[i].word);
		CHECK(nlp_words_subwords(&w, fasttext_says[i].word, len, NULL, 0) == n);
	}
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

typedef struct Bytes
{
	char	   *data;
	size_t		len;
} Bytes;

static NlpStatus
to_bytes(void *ctx, const void *p, size_t len, NlpError *err)
{
	Bytes	   *b = ctx;

	b->data = realloc(b->data, b->len + len + 1);
	memcpy(b->data + b->len, p, len);
	b->len += len;
	return NLP_OK;
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

static NlpStatus
note(void *ctx, NlpWord2vec *w, const NlpTrainState *s, NlpError *err)
{
	*(NlpTrainState *) ctx = *s;
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
		NlpTrainState one,
					three;
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
		CHECK(three.tokens_done == three.tokens_total && one.tokens_done == three.tokens_done);
		CHECKF(fabs(three.loss - one.loss) < 0.15 * one.loss, "kind %d: loss %.3f and %.3f", kind, one.loss, three.loss);
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

/* ---- refusals and limits ---------------------------------------------------------------------------------- */

static void
test_options(void)
{
	NlpWord2vecOptions o;
	NlpError	err;

	nlp_word2vec_defaults(NLP_WORDS_SKIPGRAM, &o);
	CHECK_OK(nlp_word2vec_check(&o, &err), err);
	CHECK(o.window == 5 && o.alpha == 0.025f && o.negative == 5 && o.hot_rows == 2000);
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
	test_kernels();
	test_update();
	test_sigmoid();
	test_alias();
	test_tree();
	test_tree_no_counts();
	test_subwords();
	test_options();
	test_tiny();
	test_spool();
	test_reference();
	test_bits();
	test_cancel();
	test_threads();
	test_learns();
	test_finite();
	test_bytes();
	test_no_memory();
	test_restore();
	test_update_model();
	return check_done();
}
