/* train.c --- word2vec's trainer: options, memory, and the run over the spool.
 *
 * The caller's thread reads a block of ids, cuts it into sentences and sentences into
 * pieces; the threads of the pool take pieces and train them (train_step.c). Between blocks
 * progress is told and a checkpoint may be written: the place in the spool, with the rows, is all
 * the state there is, as random numbers and the learning rate are functions of the place.
 *
 * The learning rate falls with the part of the spool passed (word2vec.c counts words instead).
 * Sentences end at NLP_SENTENCE_END and are cut after NLP_TRAIN_SENTENCE ids (fewer where a
 * centre is slow, so that a block stays short).
 *
 * With several threads rows are changed without locks; the most frequent ones, which all would
 * write at once, are private for the length of a block: a thread's change is what its copy
 * differs by from the common row, and the changes are added up in the threads' order. */
#include <math.h>
#include <string.h>
#if defined(__linux__)
#include <sys/mman.h>
#endif

#include "core/cpu.h"
#include "core/pool.h"
#include "wordvec/train_private.h"
#include "engine_only.h"

#define MAX_DIM 16000
#define MAX_WINDOW 1000
#define MAX_NEGATIVE 64
#define MAX_SOFTMAX_WORDS 50000
#define MAX_SOFTMAX_VALUES 50000000	/* words times dim */
#define LEAST_PRIVATE 1000		/* words: fewer are never all private to a thread */
#define PIECE_IDS 1000
#define QUARTER_SECOND 1.0e9	/* what a thread is reckoned to do in it: multiply-adds, on the slow side */
#define POLL_WORK 1.0e6			/* multiply-adds between two polls */

/* ---- options ---- */

void
nlp_word2vec_defaults(NlpWordObjective objective, NlpWord2vecOptions *o)
{
	bool		cbow = objective == NLP_WORDS_CBOW;

	*o = (NlpWord2vecOptions) {
		.objective = objective,
		.loss = NLP_WORDS_NEGATIVE,
		.cbow_mean = true,
		.dim = 100,
		.window = cbow ? 8 : 5,
		.negative = 5,
		.epochs = 5,
		.min_count = 5,
		.buckets = 2000000,
		.sample = 1e-3,
		.alpha = cbow ? 0.05f : 0.025f,
		.min_alpha = cbow ? 0.05f * 1e-4f : 0.025f * 1e-4f,
		.seed = 1,
		.hot_rows = 32000,
	};
}

static NlpStatus
in_range(const char *name, uint32_t v, uint32_t min, uint32_t max, NlpError *err)
{
	if (v >= min && v <= max)
		return NLP_OK;
	nlp_fail(err, NLP_EINVALID, "option \"%s\" is %u, but must be between %u and %u", name, v, min, max);
	if (err)
		strncpy(err->field, name, sizeof(err->field) - 1);
	return NLP_EINVALID;
}

static NlpStatus
real_in_range(const char *name, double v, double min, double max, NlpError *err)
{
	if (v >= min && v <= max)
		return NLP_OK;
	nlp_fail(err, NLP_EINVALID, "option \"%s\" is %g, but must be between %g and %g", name, v, min, max);
	if (err)
		strncpy(err->field, name, sizeof(err->field) - 1);
	return NLP_EINVALID;
}

NlpStatus
nlp_word2vec_check(const NlpWord2vecOptions *o, NlpError *err)
{
	if (o->objective != NLP_WORDS_SKIPGRAM && o->objective != NLP_WORDS_CBOW)
		return nlp_fail(err, NLP_EINVALID, "option \"objective\" must be \"skip-gram\" or \"cbow\"");
	if (o->loss != NLP_WORDS_NEGATIVE && o->loss != NLP_WORDS_HIERARCHICAL && o->loss != NLP_WORDS_SOFTMAX)
		return nlp_fail(err, NLP_EINVALID, "option \"loss\" must be \"negative\", \"hierarchical\" or \"softmax\"");
	NLP_TRY(in_range("dim", o->dim, 1, MAX_DIM, err));
	NLP_TRY(in_range("window", o->window, 1, MAX_WINDOW, err));
	if (o->loss == NLP_WORDS_NEGATIVE)
		NLP_TRY(in_range("negative", o->negative, 1, MAX_NEGATIVE, err));
	NLP_TRY(in_range("epochs", o->epochs, 1, 100000, err));
	NLP_TRY(in_range("min_count", o->min_count, 1, UINT32_MAX, err));
	if (o->subword_min > 0 || o->subword_max > 0)
	{
		NLP_TRY(in_range("subword_min", o->subword_min, 1, 64, err));
		NLP_TRY(in_range("subword_max", o->subword_max, o->subword_min, 64, err));
		NLP_TRY(in_range("buckets", o->buckets, 1, 100000000, err));
	}
	NLP_TRY(in_range("hot_rows", o->hot_rows, 0, 1000000, err));
	NLP_TRY(real_in_range("sample", o->sample, 0, 1, err));
	NLP_TRY(real_in_range("alpha", o->alpha, 1e-9, 1, err));
	return real_in_range("min_alpha", o->min_alpha, 0, o->alpha, err);
}

/* ---- sizes ---- */

/* Multiply-adds of one centre, about. grams: of a word, on average. */
static double
centre_work(const NlpWord2vecOptions *o, uint32_t n, double grams)
{
	double		outs = o->loss == NLP_WORDS_NEGATIVE ? 1.0 + o->negative :
		o->loss == NLP_WORDS_HIERARCHICAL ? 2 * log2(n + 2.0) : n;
	double		rows = (o->window + 1.0) * (grams > 100 ? grams : o->subword_min ? 10 : 1);
	double		meetings = o->objective == NLP_WORDS_CBOW ? 1 : o->window + 1.0;
	double		slow = o->exact || o->loss == NLP_WORDS_SOFTMAX ? 4 : 1;

	return o->dim * (3 * slow * outs * meetings + 2 * rows) + 200;
}

static uint32_t
clamp_to(double v, uint32_t min, uint32_t max)
{
	return v < min ? min : v > max ? max : (uint32_t) v;
}

/* Add a piece of count * size bytes, each rounded up to what an allocator may add. */
static bool
add_bytes(uint64_t *sum, uint64_t count, uint64_t size)
{
	uint64_t	bytes;

	return !__builtin_mul_overflow(count, size, &bytes) &&
		!__builtin_add_overflow(bytes, 128, &bytes) &&
		!__builtin_add_overflow(*sum, bytes, sum);
}

/* What nlp_word2vec_new takes, in the order it takes it. */
typedef struct Sizes
{
	uint32_t	n,
				n_out,
				stride,
				hot;
	uint64_t	distinct;
	uint64_t	grams;			/* n-grams of all words together */
	uint32_t	max_grams;
	uint32_t	x_rows,
				y_rows;
	uint64_t	g_floats;
	uint32_t	cut,
				block_ids,
				poll_every;
} Sizes;

static void
count_grams(const NlpWord2vecOptions *o, const NlpVocab *vocab, Sizes *s)
{
	const uint64_t *words = nlp_vocab_lengths(vocab);

	for (uint32_t length = 0; length <= NLP_WORDS_MAX_BYTES; length++)
	{
		uint64_t	grams = nlp_subwords_of(o->subword_min, o->subword_max, length);

		s->grams += words[length] * grams;
		if (words[length] > 0)
			s->max_grams = (uint32_t) grams;	/* longer words have more */
	}
}

/* longest: of the tree's paths, 0 when not yet known (then what counts below 2^64 allow). */
static Sizes
size_up(const NlpWord2vecOptions *o, const NlpVocab *vocab, int threads, uint32_t longest)
{
	Sizes		s = {.n = nlp_vocab_size(vocab), .distinct = nlp_vocab_distinct(vocab)};
	double		work;
	uint32_t	outs;

	s.n_out = o->loss == NLP_WORDS_HIERARCHICAL && s.n > 0 ? s.n - 1 : s.n;
	s.stride = (o->dim + 15) / 16 * 16;
	s.hot = threads > 1 ? o->hot_rows : 0;
	s.hot = s.hot < s.n_out ? s.hot : s.n_out;
	/* Few rows change so often that copies of all of them drift apart; the rows themselves do better. */
	if (s.hot == s.n_out && s.n_out < LEAST_PRIVATE)
		s.hot = 0;
	count_grams(o, vocab, &s);
	s.x_rows = (o->objective == NLP_WORDS_CBOW ? 2 * o->window : 1) * (1 + s.max_grams) + NLP_WORD_INPUTS;
	outs = o->loss == NLP_WORDS_NEGATIVE ? 1 + o->negative + NLP_WORD_INPUTS :
		o->loss == NLP_WORDS_HIERARCHICAL ? (longest ? longest : 128) : NLP_TRAIN_TILE;
	s.y_rows = outs;
	s.g_floats = (uint64_t) NLP_WORD_INPUTS * outs + 16;
	if (o->loss == NLP_WORDS_SOFTMAX && s.g_floats < (uint64_t) s.n + 80)
		s.g_floats = (uint64_t) s.n + 80;
	work = centre_work(o, s.n, (double) s.grams / (s.n > 0 ? s.n : 1));
	s.block_ids = clamp_to(QUARTER_SECOND / work, 16, NLP_TRAIN_BLOCK);
	s.cut = s.block_ids < NLP_TRAIN_SENTENCE ? s.block_ids : NLP_TRAIN_SENTENCE;
	s.block_ids *= (uint32_t) threads;
	s.poll_every = clamp_to(POLL_WORK / work, 0, 1000);
	return s;
}

static bool
thread_bytes(const NlpWord2vecOptions *o, const Sizes *s, uint64_t *sum)
{
	uint64_t	row = (uint64_t) s->stride * sizeof(float);

	return add_bytes(sum, NLP_TRAIN_SENTENCE, sizeof(uint32_t)) &&
		add_bytes(sum, (uint64_t) NLP_TRAIN_RING * o->negative, sizeof(uint32_t)) &&
		add_bytes(sum, o->negative, sizeof(uint64_t)) && add_bytes(sum, (uint64_t) o->negative + 2, sizeof(float *)) &&
		add_bytes(sum, s->x_rows, sizeof(float *)) && add_bytes(sum, s->y_rows, sizeof(float *)) &&
		add_bytes(sum, 2 * s->g_floats, sizeof(float)) && add_bytes(sum, NLP_WORD_INPUTS + 2, row) &&
		add_bytes(sum, 2 * (uint64_t) s->hot, row) && add_bytes(sum, 10, 64);
}

/* At most so many inner nodes are on all paths together: a code of Huffman's for probability p is
 * no longer than log(1 / p) / log(golden ratio) + 1 (Katona and Nemetz 1976). */
static uint64_t
path_bound(const NlpVocab *vocab)
{
	double		n = nlp_vocab_size(vocab),
				total,
				bits = nlp_vocab_count_bits(vocab, &total);

	return (uint64_t) (1.4405 * (n * log2(total + n + 1) - bits) + 2 * n) + 1;
}

uint64_t
nlp_word2vec_bytes(const NlpWord2vecOptions *o, const NlpVocab *vocab, int threads)
{
	Sizes		s = size_up(o, vocab, threads < 1 ? 1 : threads, 0);
	uint64_t	row = (uint64_t) s.stride * sizeof(float);
	uint64_t	sum = 0,
				each = 0;
	bool		ok = add_bytes(&sum, 1, sizeof(NlpWord2vec)) && add_bytes(&sum, s.n, row) &&
		add_bytes(&sum, s.n_out, row) && add_bytes(&sum, s.distinct, sizeof(NlpKeep)) &&
		add_bytes(&sum, (uint64_t) s.block_ids + s.cut, sizeof(uint32_t)) &&
		add_bytes(&sum, (uint64_t) s.block_ids + s.cut, sizeof(NlpSentence)) &&
		add_bytes(&sum, (uint64_t) s.block_ids + s.cut, sizeof(uint32_t));

	if (o->subword_min > 0)
		ok = ok && add_bytes(&sum, o->buckets, row) && add_bytes(&sum, s.grams, sizeof(uint32_t)) &&
			add_bytes(&sum, (uint64_t) s.n + 1, sizeof(uint64_t));
	if (o->loss == NLP_WORDS_NEGATIVE)
		/* The table and, while it is made, weights and work. */
		ok = ok && add_bytes(&sum, s.n, sizeof(NlpAlias) + sizeof(double) + sizeof(uint32_t));
	if (o->loss == NLP_WORDS_HIERARCHICAL)
		ok = ok && add_bytes(&sum, nlp_tree_work_bytes(s.n), 1) && add_bytes(&sum, (uint64_t) s.n + 1, 4) &&
			add_bytes(&sum, path_bound(vocab), 5);
	ok = ok && thread_bytes(o, &s, &each) && add_bytes(&sum, threads < 1 ? 1 : (uint64_t) threads, each);
	ok = ok && add_bytes(&sum, threads < 1 ? 1 : (uint64_t) threads, sizeof(NlpTrainThread));
	return ok ? sum : UINT64_MAX;
}

/* ---- memory ---- */

static NlpStatus
take(NlpWord2vec *t, uint64_t count, uint64_t size, const char *what, void *out, NlpError *err)
{
	size_t		bytes;
	void	   *p;

	if (count > SIZE_MAX || !nlp_mul_size((size_t) count, (size_t) size, &bytes) || bytes > SIZE_MAX / 2)
		return nlp_fail(err, NLP_ELIMIT, "%s are too large", what);
	p = nlp_alloc(t->alloc, bytes > 0 ? bytes : 1);
	if (!p)
		return nlp_no_memory(err, bytes, what);
	memcpy(out, &p, sizeof(p));
	return NLP_OK;
}

/* Rows are read at random: with 4 kB pages half of the misses would miss the TLB too. A hint only. */
static void
want_large_pages(void *p, size_t bytes)
{
#if defined(__linux__) && defined(MADV_HUGEPAGE)
	uintptr_t	from = ((uintptr_t) p + 4095) & ~(uintptr_t) 4095;
	uintptr_t	to = ((uintptr_t) p + bytes) & ~(uintptr_t) 4095;

	if (bytes >= 4u << 20 && to > from)
		(void) madvise((void *) from, to - from, MADV_HUGEPAGE);
#endif
}

static NlpStatus
take_rows(NlpWord2vec *t, uint64_t rows, const char *what, float **out, const NlpEnv *env, NlpError *err)
{
	NlpPace		pace = {.env = env};
	size_t		bytes;

	NLP_TRY(take(t, rows, (uint64_t) t->stride * sizeof(float), what, out, err));
	bytes = (size_t) rows * t->stride * sizeof(float);
	want_large_pages(*out, bytes);
	return nlp_set_paced(&pace, *out, 0, bytes, err);
}

static NlpStatus
take_thread(NlpWord2vec *t, const Sizes *s, NlpTrainThread *th, const NlpEnv *env, NlpError *err)
{
	const NlpWord2vecOptions *o = &t->o;

	th->t = t;
	NLP_TRY(take(t, NLP_TRAIN_SENTENCE, sizeof(uint32_t), "training buffers", &th->words, err));
	NLP_TRY(take(t, (uint64_t) NLP_TRAIN_RING * o->negative, sizeof(uint32_t), "training buffers", &th->ahead, err));
	NLP_TRY(take(t, o->negative, sizeof(uint64_t), "training buffers", &th->draws_ahead, err));
	NLP_TRY(take(t, (uint64_t) o->negative + 2, sizeof(float *), "training buffers", &th->fetch, err));
	NLP_TRY(take(t, s->x_rows, sizeof(float *), "training buffers", &th->x, err));
	NLP_TRY(take(t, s->y_rows, sizeof(float *), "training buffers", &th->y, err));
	NLP_TRY(take(t, s->g_floats, sizeof(float), "training buffers", &th->g, err));
	memset(th->g, 0, s->g_floats * sizeof(float));
	NLP_TRY(take(t, s->g_floats, sizeof(float), "training buffers", &th->raw, err));
	NLP_TRY(take_rows(t, NLP_WORD_INPUTS, "training buffers", &th->work, env, err));
	NLP_TRY(take_rows(t, 1, "training buffers", &th->hidden, env, err));
	NLP_TRY(take_rows(t, 1, "training buffers", &th->error, env, err));
	if (t->hot > 0)
	{
		NLP_TRY(take_rows(t, t->hot, "private rows", &th->hot_in, env, err));
		NLP_TRY(take_rows(t, t->hot, "private rows", &th->hot_out, env, err));
	}
	return NLP_OK;
}

static NlpStatus
make_alias(NlpWord2vec *t, const NlpEnv *env, NlpError *err)
{
	double	   *weights = NULL;
	uint32_t   *work = NULL;
	NlpStatus	status;

	NLP_TRY(take(t, t->n, sizeof(NlpAlias), "table of negatives", &t->alias, err));
	status = take(t, t->n, sizeof(double), "table of negatives", &weights, err);
	if (status == NLP_OK)
		status = take(t, t->n, sizeof(uint32_t), "table of negatives", &work, err);
	if (status == NLP_OK)
		status = nlp_alias_build(t->vocab, t->alias, weights, work, env, err);
	nlp_free(t->alloc, weights);
	nlp_free(t->alloc, work);
	return status;
}

static NlpStatus
make_tree(NlpWord2vec *t, const NlpEnv *env, NlpError *err)
{
	void	   *work = NULL;
	uint64_t	total = 0;
	NlpStatus	status;

	NLP_TRY(take(t, nlp_tree_work_bytes(t->n), 1, "tree of words", &work, err));
	status = nlp_tree_measure(t->vocab, work, env, &total, &t->tree.longest, err);
	if (status == NLP_OK)
		status = take(t, (uint64_t) t->n + 1, sizeof(uint32_t), "tree of words", &t->tree.start, err);
	if (status == NLP_OK)
		status = take(t, total, sizeof(uint32_t), "tree of words", &t->tree.nodes, err);
	if (status == NLP_OK)
		status = take(t, total, 1, "tree of words", &t->tree.codes, err);
	if (status == NLP_OK)
		status = nlp_tree_fill(t->n, work, &t->tree, env, err);
	nlp_free(t->alloc, work);
	return status;
}

static NlpStatus
make_grams(NlpWord2vec *t, const Sizes *s, const NlpEnv *env, NlpError *err)
{
	const NlpWord2vecOptions *o = &t->o;
	NlpPace		pace = {.env = env};
	uint64_t	at = 0;

	NLP_TRY(take_rows(t, o->buckets, "rows of n-grams", &t->gram, env, err));
	NLP_TRY(take(t, (uint64_t) t->n + 1, sizeof(uint64_t), "n-grams of words", &t->gram_start, err));
	NLP_TRY(take(t, s->grams, sizeof(uint32_t), "n-grams of words", &t->grams, err));
	for (uint32_t i = 0; i < t->n; i++)
	{
		size_t		len;
		const char *word = nlp_vocab_word(t->vocab, i, &len);
		size_t		found = nlp_subwords(o->subword_min, o->subword_max, o->buckets, word, len, t->grams + at,
										 s->grams - at);

		if (found > s->grams - at)
			return nlp_fail(err, NLP_EINTERNAL, "word %u has more n-grams than reckoned", i);
		t->gram_start[i] = at;
		at += found;
		NLP_TRY(nlp_pace(&pace, 1 + len + found, err));
	}
	t->gram_start[t->n] = at;
	return NLP_OK;
}

/* ---- first values ---- */

/* (u - 1/2) / dim, as word2vec.c; what it draws depends on the seed and the row alone. */
static void
first_row(const NlpWord2vec *t, uint64_t row, uint64_t kind, float *out)
{
	NlpDraws	d = nlp_draws_of(t->o.seed, UINT32_MAX - (uint32_t) kind, row);

	for (uint32_t i = 0; i < t->o.dim; i++)
		out[i] = ((float) (nlp_draw(d.walk, i) >> 40) * 0x1p-24f - 0.5f) / (float) t->o.dim;
}

static NlpStatus
first_values(NlpWord2vec *t, const NlpEnv *env, NlpError *err)
{
	NlpPace		pace = {.env = env};

	for (uint32_t i = 0; i < t->n; i++)
	{
		first_row(t, i, 0, t->input + (size_t) i * t->stride);
		NLP_TRY(nlp_pace(&pace, t->stride, err));
	}
	for (uint32_t i = 0; t->gram && i < t->o.buckets; i++)
	{
		first_row(t, i, 1, t->gram + (size_t) i * t->stride);
		NLP_TRY(nlp_pace(&pace, t->stride, err));
	}
	return NLP_OK;
}

/* ---- new and free ---- */

static NlpStatus
check_vocabulary(const NlpWord2vecOptions *o, const NlpVocab *vocab, NlpError *err)
{
	uint32_t	n = nlp_vocab_size(vocab);

	if (n < 2)
	{
		nlp_fail(err, NLP_EINVALID, "%s to train word vectors on: at least 2 different words are needed",
				 n == 0 ? "there is no word" : "there is only one word");
		nlp_detail(err, "Of %llu different words in the texts, %u occur at least %u times (option \"min_count\").",
				   (unsigned long long) nlp_vocab_distinct(vocab), n, o->min_count);
		return nlp_hint(err, "Give more text, or lower min_count.");
	}
	if (o->loss == NLP_WORDS_SOFTMAX && n > MAX_SOFTMAX_WORDS)
	{
		nlp_fail(err, NLP_EINVALID, "loss \"softmax\" is for vocabularies of up to %d words, but there are %u",
				 MAX_SOFTMAX_WORDS, n);
		return nlp_hint(err, "Use loss \"negative\", or set max_words.");
	}
	if (o->loss == NLP_WORDS_SOFTMAX && (uint64_t) n * o->dim > MAX_SOFTMAX_VALUES)
		return nlp_fail(err, NLP_EINVALID, "loss \"softmax\" is for up to %d values, but %u words of %u dimensions are more",
						MAX_SOFTMAX_VALUES, n, o->dim);
	return NLP_OK;
}

static NlpStatus
build(NlpWord2vec *t, const NlpEnv *env, NlpError *err)
{
	const NlpWord2vecOptions *o = &t->o;
	Sizes		s;

	if (o->loss == NLP_WORDS_NEGATIVE)
		NLP_TRY(make_alias(t, env, err));
	if (o->loss == NLP_WORDS_HIERARCHICAL)
		NLP_TRY(make_tree(t, env, err));
	s = size_up(o, t->vocab, t->threads, t->tree.longest);
	t->n_out = s.n_out;
	t->stride = s.stride;
	t->hot = s.hot;
	t->hot_out_first = o->loss == NLP_WORDS_HIERARCHICAL ? s.n_out - s.hot : 0;
	t->max_grams = s.max_grams;
	t->n_keep = s.distinct;
	t->cut = s.cut;
	t->block_ids = s.block_ids;
	t->poll_every = s.poll_every;
	NLP_TRY(take_rows(t, t->n, "word rows", &t->input, env, err));
	NLP_TRY(take_rows(t, t->n_out, "output rows", &t->output, env, err));
	if (o->subword_min > 0)
		NLP_TRY(make_grams(t, &s, env, err));
	NLP_TRY(take(t, t->n_keep, sizeof(NlpKeep), "training buffers", &t->keep, err));
	NLP_TRY(nlp_keep_build(t->vocab, o->sample, t->keep, env, err));
	NLP_TRY(take(t, (uint64_t) t->block_ids + t->cut, sizeof(uint32_t), "training buffers", &t->ids, err));
	NLP_TRY(take(t, (uint64_t) t->block_ids + t->cut, sizeof(NlpSentence), "training buffers", &t->sentences, err));
	NLP_TRY(take(t, (uint64_t) t->block_ids + t->cut, sizeof(uint32_t), "training buffers", &t->pieces, err));
	NLP_TRY(take(t, (uint64_t) t->threads, sizeof(NlpTrainThread), "training buffers", &t->thread, err));
	memset(t->thread, 0, (size_t) t->threads * sizeof(NlpTrainThread));
	for (int rank = 0; rank < t->threads; rank++)
	{
		t->thread[rank].rank = rank;
		NLP_TRY(take_thread(t, &s, t->thread + rank, env, err));
	}
	return first_values(t, env, err);
}

NlpStatus
nlp_word2vec_new(const NlpWord2vecOptions *o, const NlpVocab *vocab, const NlpEnv *env, NlpWord2vec **out,
				 NlpError *err)
{
	NlpWord2vec *t;
	NlpStatus	status;

	NLP_TRY(nlp_word2vec_check(o, err));
	NLP_TRY(check_vocabulary(o, vocab, err));
	t = nlp_alloc_zero(env->alloc, sizeof(*t));
	if (!t)
		return nlp_no_memory(err, sizeof(*t), "word2vec trainer");
	t->o = *o;
	t->alloc = env->alloc;
	t->vocab = vocab;
	t->n = nlp_vocab_size(vocab);
	t->threads = nlp_pool_size(env->pool);
	t->kernel = nlp_word_kernel();
	status = build(t, env, err);
	if (status != NLP_OK)
	{
		nlp_word2vec_free(t);
		return status;
	}
	*out = t;
	return NLP_OK;
}

static void
free_thread(NlpWord2vec *t, NlpTrainThread *th)
{
	nlp_free(t->alloc, th->words);
	nlp_free(t->alloc, th->ahead);
	nlp_free(t->alloc, th->draws_ahead);
	nlp_free(t->alloc, th->fetch);
	nlp_free(t->alloc, th->x);
	nlp_free(t->alloc, th->y);
	nlp_free(t->alloc, th->g);
	nlp_free(t->alloc, th->raw);
	nlp_free(t->alloc, th->work);
	nlp_free(t->alloc, th->hidden);
	nlp_free(t->alloc, th->error);
	nlp_free(t->alloc, th->hot_in);
	nlp_free(t->alloc, th->hot_out);
}

void
nlp_word2vec_free(NlpWord2vec *t)
{
	if (!t)
		return;
	for (int rank = 0; t->thread && rank < t->threads; rank++)
		free_thread(t, t->thread + rank);
	nlp_free(t->alloc, t->thread);
	nlp_free(t->alloc, t->pieces);
	nlp_free(t->alloc, t->sentences);
	nlp_free(t->alloc, t->ids);
	nlp_free(t->alloc, t->keep);
	nlp_free(t->alloc, t->grams);
	nlp_free(t->alloc, t->gram_start);
	nlp_free(t->alloc, t->gram);
	nlp_free(t->alloc, t->output);
	nlp_free(t->alloc, t->input);
	nlp_free(t->alloc, t->tree.codes);
	nlp_free(t->alloc, t->tree.nodes);
	nlp_free(t->alloc, t->tree.start);
	nlp_free(t->alloc, t->alias);
	nlp_free(t->alloc, t);
}
