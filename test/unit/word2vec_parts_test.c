/* word2vec_parts_test.c --- what the trainer is made of: kernels against plain loops and each
 * other, on all instruction sets; sampling and the tree against their definitions; n-grams against fastText's own answers. */
#include "core/cpu.h"
#include "word2vec_text.h"

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
	return check_done();
}
