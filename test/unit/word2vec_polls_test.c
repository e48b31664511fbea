/* word2vec_polls_test.c --- cancels while a trainer or a word table is made: how often the large
 * loops poll for the work they do, and that a cancel at any poll leaves nothing behind.
 *
 * Polls are counted, not seconds: a loop over so many values or bytes must poll once in 2^18
 * values or a megabyte. */
#include "core/pool.h"
#include "word2vec_text.h"
#include "words_model.h"
#include "wordvec/words_private.h"

/* ---- counting polls -------------------------------------------------------------- */

typedef struct Polls
{
	uint64_t	seen,
				cancel_at;		/* at this one; 0: never */
} Polls;

static bool
polls_pending(void *ctx)
{
	Polls	   *p = ctx;

	return ++p->seen == p->cancel_at;
}

static bool
polls_cancelled(void *ctx)
{
	return true;
}

static NlpEnv
polls_env(Polls *p, const NlpAlloc *alloc)
{
	return (NlpEnv) {alloc, polls_pending, polls_cancelled, p, NULL};
}

/* Polls that so many steps must have, less what is left over in a few loops. */
static uint64_t
polls_of(double steps)
{
	double		polls = steps / NLP_PACE_STEPS;

	return polls > 4 ? (uint64_t) polls - 4 : 0;
}

/* A table of so many words as a model holds them, with counts in no order; freed by free. */
static NlpWords *
words_of(uint32_t n)
{
	size_t		starts = ((size_t) n + 1) * sizeof(uint64_t),
				counts = (size_t) n * sizeof(uint64_t);
	NlpWords   *w = calloc(1, sizeof(NlpWords) + starts + counts + 8 * (size_t) n);

	w->n = n;
	w->starts_offset = sizeof(NlpWords);
	w->counts_offset = w->starts_offset + starts;
	w->text_offset = w->counts_offset + counts;
	w->text_bytes = 8 * (uint64_t) n;
	for (uint32_t i = 0; i < n; i++)
	{
		char		word[16];

		snprintf(word, sizeof(word), "w%07u", i);
		memcpy((char *) w + w->text_offset + 8 * (size_t) i, word, 8);
		((uint64_t *) (w + 1))[i] = 8 * (uint64_t) i;
		((uint64_t *) ((char *) w + w->counts_offset))[i] = i * UINT64_C(2654435761) % 1000003;
	}
	((uint64_t *) (w + 1))[n] = w->text_bytes;
	return w;
}

/* ---- the vocabulary and what is made from it ---------------------------------------- */

static void
test_vocabulary(void)
{
	enum {N = 700000};
	NlpWords   *old = words_of(N);
	Polls		p = {0};
	NlpEnv		env = polls_env(&p, &nlp_libc_alloc);
	NlpVocab   *v = NULL;
	NlpAlias   *table = malloc(N * sizeof(NlpAlias));
	double	   *weights = malloc(N * sizeof(double));
	uint32_t   *work = malloc(N * sizeof(uint32_t));
	NlpKeep    *keep = malloc(N * sizeof(NlpKeep));
	void	   *room = malloc(nlp_tree_work_bytes(N));
	NlpTree		tree;
	NlpError	err;
	uint64_t	total;

	CHECK_OK(nlp_vocab_new(&nlp_libc_alloc, &v, &err), err);
	CHECK_OK(nlp_vocab_seed(v, old, &env, &err), err);
	CHECKF(p.seen >= polls_of(N * 2.0), "%llu", (unsigned long long) p.seen);
	p.seen = 0;
	CHECK_OK(nlp_vocab_finish(v, 1, 0, &env, &err), err);
	CHECKF(p.seen >= polls_of(N * 5.0), "%llu", (unsigned long long) p.seen);
	CHECK(nlp_vocab_size(v) == N && nlp_vocab_text_bytes(v) == 8 * N && nlp_vocab_lengths(v)[8] == N);
	p.seen = 0;
	CHECK_OK(nlp_alias_build(v, table, weights, work, &env, &err), err);
	CHECKF(p.seen >= polls_of(N * 3.0), "%llu", (unsigned long long) p.seen);
	p.seen = 0;
	CHECK_OK(nlp_keep_build(v, 1e-3, keep, &env, &err), err);
	CHECKF(p.seen >= polls_of(N * 2.0), "%llu", (unsigned long long) p.seen);
	p.seen = 0;
	CHECK_OK(nlp_tree_measure(v, room, &env, &total, &tree.longest, &err), err);
	CHECKF(p.seen >= polls_of(N * 20.0), "%llu", (unsigned long long) p.seen);	/* counts in no order: sorted */
	tree.start = malloc((N + 1) * sizeof(uint32_t));
	tree.nodes = malloc(total * sizeof(uint32_t));
	tree.codes = malloc(total);
	p.seen = 0;
	CHECK_OK(nlp_tree_fill(N, room, &tree, &env, &err), err);
	CHECKF(p.seen >= polls_of((double) total), "%llu", (unsigned long long) p.seen);
	CHECK(tree.start[N] == total);
	/* A cancel at any of their polls. */
	p = (Polls) {.cancel_at = 2};
	CHECK(nlp_alias_build(v, table, weights, work, &env, &err) == NLP_ECANCELLED && p.seen == 2);
	p.seen = 0;
	CHECK(nlp_keep_build(v, 1e-3, keep, &env, &err) == NLP_ECANCELLED && p.seen == 2);
	p.seen = 0;
	CHECK(nlp_tree_measure(v, room, &env, &total, &tree.longest, &err) == NLP_ECANCELLED && p.seen == 2);
	free(tree.start);
	free(tree.nodes);
	free(tree.codes);
	nlp_vocab_free(v);
	for (uint64_t at = 1;; at++)
	{
		NlpTestAlloc a;
		NlpStatus	st;

		nlp_test_alloc_init(&a, -1);
		p = (Polls) {.cancel_at = at};
		v = NULL;
		CHECK_OK(nlp_vocab_new(&a.alloc, &v, &err), err);
		st = nlp_vocab_seed(v, old, &env, &err);
		if (st == NLP_OK)
			st = nlp_vocab_finish(v, 1, 0, &env, &err);
		nlp_vocab_free(v);
		CHECK(a.live == 0);
		if (st == NLP_OK)
			break;
		CHECK(st == NLP_ECANCELLED && p.seen == at);
	}
	free(room);
	free(keep);
	free(work);
	free(weights);
	free(table);
	free(old);
}

/* Logarithms are taken from below, so that the tree's size is not reckoned too small. */
static void
test_count_bits(void)
{
	static const uint32_t counts[] = {1, 2, 3, 5, 7, 64, 1000, 1 << 20};
	NlpVocab   *v;
	NlpError	err;
	double		want = 0,
				total,
				bits;
	uint32_t	id;

	CHECK_OK(nlp_vocab_new(&nlp_libc_alloc, &v, &err), err);
	for (uint32_t i = 0; i < 8; i++)
	{
		char		word = (char) ('a' + i);

		for (uint32_t k = 0; k < counts[i]; k++)
			if (nlp_vocab_add(v, &word, 1, &id, &err) != NLP_OK)
				CHECK(!"added");
		want += log2(counts[i]);
	}
	CHECK_OK(nlp_vocab_finish(v, 1, 0, &plain_env, &err), err);
	bits = nlp_vocab_count_bits(v, &total);
	CHECKF(bits <= want && bits > want - 8 * 0.09, "%g, %g", bits, want);
	CHECK(total == (double) nlp_vocab_tokens(v));
	nlp_vocab_free(v);
}

/* ---- n-grams ---------------------------------------------------------------------------- */

/* What is reckoned from the number of characters is what is found, also for bytes that are no UTF-8. */
static void
test_grams_of(void)
{
	for (uint32_t k = 0; k < 400; k++)
	{
		unsigned char word[80];
		size_t		len = 1 + k % 80;
		uint64_t	characters = 0;

		for (size_t i = 0; i < len; i++)
		{
			uint32_t	r[4];

			nlp_philox(k, 1, i, r);
			word[i] = (unsigned char) (r[0] % 3 == 0 ? 0x80 + r[1] % 64 : r[1] % 255 + 1);
			characters += (word[i] & 0xc0) != 0x80;
		}
		for (uint32_t min = 1; min <= 64; min += 1 + min / 3)
			for (uint32_t max = min; max <= 64; max += 1 + max / 3)
			{
				size_t		found = nlp_subwords(min, max, 1000, (char *) word, len, NULL, 0);

				CHECKF(found == nlp_subwords_of(min, max, characters), "%u, %u, %llu: %zu", min, max,
					   (unsigned long long) characters, found);
			}
	}
	CHECK(nlp_subwords_of(0, 0, 10) == 0 && nlp_subwords_of(3, 6, 0) == 0);
}

/* Long words with all their n-grams: what the trainer will take is known without looking at them; making and
 * writing them polls. */
static void
test_long_words(void)
{
	enum {N = 150, LETTERS = 960};
	Polls		p = {0};
	NlpEnv		env = polls_env(&p, &nlp_libc_alloc);
	NlpWord2vecOptions o = options(NLP_WORDS_SKIPGRAM, NLP_WORDS_NEGATIVE, false, 1);
	NlpVocab   *v;
	NlpWord2vec *w = NULL;
	NlpError	err;
	char		word[LETTERS];
	NlpBuf		file;
	NlpSink		sink = {words_to_buf, &file};
	uint64_t	bytes,
				grams = N * nlp_subwords_of(1, 64, LETTERS);
	uint32_t	id;

	CHECK_OK(nlp_vocab_new(&nlp_libc_alloc, &v, &err), err);
	for (uint32_t i = 0; i < N; i++)
	{
		for (int k = 0; k < LETTERS; k++)
			word[k] = (char) ('a' + (i * 7 + (uint32_t) k * (1 + i % 5)) % 26);
		snprintf(word, 8, "%06u", i);
		CHECK_OK(nlp_vocab_add(v, word, LETTERS, &id, &err), err);
	}
	CHECK_OK(nlp_vocab_finish(v, 1, 0, &plain_env, &err), err);
	o.subword_min = 1;
	o.subword_max = 64;
	o.buckets = 10;
	bytes = nlp_word2vec_bytes(&o, v, 1);
	CHECK(bytes > grams * 4 && bytes < grams * 4 + (64 << 20));
	CHECK_OK(nlp_word2vec_new(&o, v, &env, &w, &err), err);
	CHECK(w->gram_start[N] == grams && w->max_grams == grams / N);
	CHECKF(p.seen >= polls_of((double) grams * 0.8), "%llu", (unsigned long long) p.seen);	/* looked at word by word */
	CHECK(w->poll_every <= 2);	/* centres of 60,000 rows */
	/* A word's vector is the mean of its n-grams' rows: written, they are all summed. */
	nlp_buf_init(&file, &nlp_libc_alloc);
	p.seen = 0;
	CHECK_OK(nlp_word2vec_write(w, "m", false, &sink, &env, &err), err);
	CHECKF(p.seen >= N, "%llu", (unsigned long long) p.seen);
	nlp_buf_free(&file);
	nlp_word2vec_free(w);
	nlp_vocab_free(v);
}

/* ---- rows --------------------------------------------------------------------------------- */

/* Tables of rows are zeroed and filled; then a model's rows are copied in. */
static void
test_rows(void)
{
	Text		t = make_text(200, 3000);
	NlpWord2vecOptions o = options(NLP_WORDS_CBOW, NLP_WORDS_NEGATIVE, false, 300);
	Polls		p = {0};
	NlpEnv		env = polls_env(&p, &nlp_libc_alloc);
	NlpWord2vec *w = NULL;
	NlpError	err;
	NlpBuf		file;
	NlpSink		sink = {words_to_buf, &file};
	NlpMemorySource src;
	WordsModel	old;
	double		floats;
	NlpPool    *pool;

	o.subword_min = 3;
	o.subword_max = 4;
	o.buckets = 40000;
	CHECK_OK(nlp_word2vec_new(&o, t.vocab, &env, &w, &err), err);
	floats = (double) o.buckets * w->stride;
	CHECKF(p.seen >= polls_of(2 * floats), "%llu", (unsigned long long) p.seen);
	for (size_t i = 0; i < (size_t) o.buckets * w->stride; i++)
		if (!(i % w->stride < o.dim ? fabsf(w->gram[i]) <= 0.5f / 300 : w->gram[i] == 0))
		{
			CHECKF(false, "value %zu", i);
			break;
		}
	CHECK_OK(run(w, &t, &plain_env, NULL, NULL, &err), err);
	nlp_buf_init(&file, &nlp_libc_alloc);
	CHECK_OK(nlp_word2vec_write(w, "m", true, &sink, &plain_env, &err), err);
	nlp_memory_source_init(&src, file.data, file.len);
	p.seen = 0;
	CHECK_OK(words_model_build(&src.source, &env, &old, &err), err);
	CHECKF(p.seen >= polls_of(floats), "%llu", (unsigned long long) p.seen);
	p.seen = 0;
	CHECK_OK(nlp_word2vec_restore(w, &src.source, &env, &err), err);
	CHECKF(p.seen >= polls_of(floats), "%llu", (unsigned long long) p.seen);
	p.seen = 0;
	CHECK_OK(nlp_word2vec_start_from(w, old.w, &env, &err), err);
	CHECKF(p.seen >= polls_of(floats + (double) w->gram_start[w->n] * o.dim), "%llu", (unsigned long long) p.seen);
	p = (Polls) {.cancel_at = 3};
	CHECK(nlp_word2vec_start_from(w, old.w, &env, &err) == NLP_ECANCELLED && p.seen == 3);
	words_model_free(&old);
	nlp_buf_free(&file);
	nlp_word2vec_free(w);
	/* Private rows, and a look at all rows at the end. */
	CHECK_OK(nlp_pool_new(2, &pool, &err), err);
	o.buckets = 1;
	o.dim = 16000;
	o.epochs = 1;
	o.sample = 1e-9;
	o.hot_rows = nlp_vocab_size(t.vocab) - 1;
	p = (Polls) {0};
	env.pool = pool;
	CHECK_OK(nlp_word2vec_new(&o, t.vocab, &env, &w, &err), err);
	CHECK(w->hot == w->n - 1 && w->threads == 2);
	p = (Polls) {.cancel_at = 4};
	CHECK(run(w, &t, &env, NULL, NULL, &err) == NLP_ECANCELLED);
	CHECK(p.seen == 4 && w->block_place == 0 && w->next_piece == 0);
	nlp_word2vec_free(w);
	nlp_pool_free(pool);
	free_text(&t);
}

/* A trainer given up at each poll of its making. */
static void
test_given_up(void)
{
	Text		t = make_text(300, 4000);

	for (int loss = NLP_WORDS_NEGATIVE; loss <= NLP_WORDS_HIERARCHICAL; loss++)
		for (uint64_t at = 1;; at++)
		{
			NlpWord2vecOptions o = options(NLP_WORDS_SKIPGRAM, (NlpWordLoss) loss, false, 1000);
			NlpTestAlloc a;
			Polls		p = {.cancel_at = at};
			NlpEnv		env = polls_env(&p, &a.alloc);
			NlpWord2vec *w = NULL;
			NlpError	err;
			NlpStatus	st;

			o.subword_min = 3;
			o.subword_max = 5;
			o.buckets = 1500;
			nlp_test_alloc_init(&a, -1);
			st = nlp_word2vec_new(&o, t.vocab, &env, &w, &err);
			CHECK(st == NLP_OK ? w != NULL && p.seen < at : st == NLP_ECANCELLED && p.seen == at);
			if (st == NLP_OK)
				nlp_word2vec_free(w);
			CHECK(a.live == 0);
			if (st == NLP_OK)
			{
				CHECKF(at > 10, "%llu", (unsigned long long) at);
				break;
			}
		}
	free_text(&t);
}

/* ---- a table with a tree -------------------------------------------------------------------- */

/* The longest way from a leaf to the root; 0: some leaf does not get there. */
static uint32_t
depth_of(const NlpWords *w)
{
	const uint32_t *tree = (const uint32_t *) ((const char *) w + w->tree_offset);
	uint32_t	longest = 0;

	for (uint32_t i = 0; i < w->n; i++)
	{
		uint32_t	len = 0;

		for (uint32_t at = i; at != 2 * w->n - 2; at = tree[at] >> 1)
			if (++len > 100 || tree[at] >> 1 < w->n || tree[at] >> 1 > 2 * w->n - 2)
				return 0;
		longest = len > longest ? len : longest;
	}
	return longest;
}

/* A stranger's file of a million words, all counts but one being 0: a shallow tree, made in a bounded
 * number of steps, polled. */
static void
test_no_counts(void)
{
	enum {N = 1000000};
	static char texts[N][12];
	NlpStr	   *names = malloc(N * sizeof(NlpStr));
	uint64_t   *counts = calloc(N, sizeof(uint64_t));
	float	   *rows = calloc(N, sizeof(float));
	Polls		p = {0};
	NlpEnv		env = polls_env(&p, &nlp_libc_alloc);
	WordsFile	f;
	NlpMemorySource src;
	NlpGguf		g;
	NlpWordsPlan *plan;
	NlpWords   *w;
	volatile uint64_t done = 0;
	NlpError	err;

	words_names(names, texts, N);
	counts[0] = 5;
	for (uint32_t i = 0; i < N; i++)
		rows[i] = 1 + (float) (i % 7);
	words_file_begin(&f);
	nlp_gguf_put_u32(f.w, "word2vec.embedding_length", 1, &err);
	nlp_gguf_put_array(f.w, "word2vec.words", NLP_GGUF_STRING, N, names, &err);
	nlp_gguf_put_array(f.w, "word2vec.counts", NLP_GGUF_U64, N, counts, &err);
	nlp_gguf_put_str(f.w, "word2vec.objective", "cbow", 4, &err);
	nlp_gguf_put_str(f.w, "word2vec.loss", "hierarchical", 12, &err);
	words_file_tensor(&f, "token_embd.weight", NLP_F32, 1, N, rows);
	words_file_tensor(&f, "output_nodes.weight", NLP_F32, 1, N - 1, rows);
	words_file_end(&f);
	nlp_memory_source_init(&src, f.bytes.data, f.bytes.len);
	CHECK_OK(nlp_gguf_open(&src.source, &plain_env, &g, &err), err);
	CHECK_OK(nlp_words_plan(&g, &env, &plan, &err), err);
	w = nlp_alloc(&nlp_libc_alloc, nlp_words_plan_bytes(plan));
	CHECK_OK(nlp_words_build(plan, &src.source, &env, w, &done, &err), err);
	/* Of the words, their counts, texts and index, and of the tree; no more than a few score steps a word. */
	CHECKF(p.seen >= polls_of(N * 12.0) && p.seen < N * 80.0 / NLP_PACE_STEPS, "%llu", (unsigned long long) p.seen);
	CHECKF(depth_of(w) == 20, "%u", depth_of(w));
	nlp_free(&nlp_libc_alloc, w);
	nlp_words_plan_free(plan);
	nlp_gguf_close(&g);
	nlp_buf_free(&f.bytes);
	free(rows);
	free(counts);
	free(names);
}

/* Of counts in any order the table's tree is the trainer's. */
static void
test_same_tree(void)
{
	enum {N = 5000};
	NlpWords   *w = words_of(N);
	uint32_t   *parents = malloc((2 * N - 1) * sizeof(uint32_t));
	void	   *work = malloc(nlp_tree_work_bytes(N));
	NlpTree		tree;
	NlpVocab   *v;
	NlpError	err;
	uint64_t	total;
	int			differ = 0;

	CHECK_OK(nlp_words_tree(w, &plain_env, parents, &err), err);
	CHECK_OK(nlp_vocab_new(&nlp_libc_alloc, &v, &err), err);
	CHECK_OK(nlp_vocab_seed(v, w, &plain_env, &err), err);
	CHECK_OK(nlp_vocab_finish(v, 1, 0, &plain_env, &err), err);
	CHECK_OK(nlp_tree_measure(v, work, &plain_env, &total, &tree.longest, &err), err);
	tree.start = malloc((N + 1) * sizeof(uint32_t));
	tree.nodes = malloc(total * sizeof(uint32_t));
	tree.codes = malloc(total);
	CHECK_OK(nlp_tree_fill(N, work, &tree, &plain_env, &err), err);
	for (uint32_t i = 0; i < N; i++)
	{
		uint32_t	at = i;

		for (uint32_t k = tree.start[i + 1]; k-- > tree.start[i]; at = parents[at] >> 1)
			differ += parents[at] != 2 * (N + tree.nodes[k]) + tree.codes[k];
		differ += at != 2 * N - 2;
	}
	CHECKF(differ == 0, "%d", differ);
	free(tree.start);
	free(tree.nodes);
	free(tree.codes);
	nlp_vocab_free(v);
	free(work);
	free(parents);
	free(w);
}

int
main(void)
{
	test_vocabulary();
	test_count_bits();
	test_grams_of();
	test_long_words();
	test_rows();
	test_given_up();
	test_no_counts();
	test_same_tree();
	return check_done();
}
