/* file_fasttext.c --- fastText's own binary models, converted to GGUF.
 *
 * Layout (little-endian; fastText's src/{args,dictionary,densematrix,fasttext}.cc, version 12; 11 is the same here):
 *   i32 magic, version
 *   i32 dim, ws, epoch, minCount, neg, wordNgrams, loss, model, bucket, minn, maxn, lrUpdateRate; f64 t
 *   i32 entries, words, labels; i64 tokens, pruned
 *   entries of: word, NUL, i64 count, i8 type (0: word)
 *   u8 quantised; i64 rows, dim; f32 [rows][dim]     input: a row a word, then the n-gram buckets
 *   u8 quantised; i64 rows, dim; f32 [rows][dim]     output: a row a word; hierarchical softmax: a row an inner node
 * Trust:  a stranger's bytes; every count is compared with the bytes left.
 * Vectors: a word's is the mean of its own row and its n-grams' rows, as fastText gives it. N-gram rows come after all
 *         words, so words are composed in batches, each by one ascending walk over the buckets; a batch has
 *         at most BATCH_BYTES of sums, and less where memory is refused.
 * Hierarchical softmax: fastText asks a node for the chance of the second branch, word2vec of the first: its rows
 *         change sign. The tree is of all words, so it is left out when words are. */
#include <math.h>
#include <string.h>

#include "wordvec/file_private.h"
#include "engine_only.h"

#define BATCH_BYTES ((size_t) 256 << 20)
#define BATCH_MIN_BYTES ((size_t) 1 << 20)
#define BATCH_NGRAMS ((size_t) 8 << 20)	/* fewer for a small file */
#define BATCH_NGRAMS_MIN ((size_t) 1 << 20)
#define MAX_SUBWORD 64
#define ENTRY_MIN 10			/* bytes of a dictionary entry: NUL, count, type */
#define FIXED_BYTES 92			/* before the entries */

enum { MODEL_CBOW = 1, MODEL_SKIPGRAM, MODEL_SUPERVISED };
enum { LOSS_HS = 1, LOSS_NS, LOSS_SOFTMAX, LOSS_OVA };

typedef struct FastText
{
	NlpWordWindow win;
	NlpWordList list;
	int32_t		dim,
				window,
				epochs,
				min_count,
				negative,
				loss,
				model,
				bucket,
				minn,
				maxn;
	double		sample;
	uint32_t	entries;
	uint32_t   *row_of;			/* [list.n] the dictionary's entry */
	uint64_t	input,			/* offsets of the first numbers */
				output;
	bool		ngrams;
	NlpWords	shape;			/* for nlp_words_subwords: the n-grams' lengths and buckets only */
	/* the batch of composed words [first, first + n) */
	uint32_t	first,
				n;
	size_t		sums_cap;		/* words that sums has room for */
	float	   *sums;			/* [n][dim] */
	uint32_t   *starts;			/* [bucket + 1] into users */
	uint32_t   *users;			/* words of the batch, by bucket */
	uint32_t   *buckets;		/* [max_ngrams] of one word */
	size_t		max_ngrams;
	size_t		batch_ngrams;	/* users at most */
	float	   *row;			/* [dim] */
} FastText;

/* ---- reading numbers ---- */

static NlpStatus
take(FastText *f, void *dst, size_t len, const char *field, NlpError *err)
{
	size_t		have;

	NLP_TRY(nlp_word_window_fill(&f->win, len, &have, err));
	if (have < len)
		return nlp_fail_at(err, NLP_ECORRUPT, field, nlp_word_window_offset(&f->win), "a fastText model is cut short");
	memcpy(dst, f->win.data + f->win.at, len);
	f->win.at += len;
	return NLP_OK;
}

static NlpStatus
take_i32(FastText *f, const char *field, int32_t min, int32_t max, int32_t *v, NlpError *err)
{
	uint64_t	at = nlp_word_window_offset(&f->win);

	NLP_TRY(take(f, v, sizeof(*v), field, err));
	if (*v < min || *v > max)
		return nlp_fail_at(err, NLP_ECORRUPT, field, at, "%s of a fastText model is %d, out of its range from %d to %d",
						   field, *v, min, max);
	return NLP_OK;
}

static NlpStatus
read_args(FastText *f, NlpError *err)
{
	int32_t		magic,
				version = 0,
				ignored;

	NLP_TRY(take(f, &magic, sizeof(magic), "magic", err));
	NLP_TRY(take(f, &version, sizeof(version), "version", err));
	if (version != 12 && version != 11)
		return nlp_fail_at(err, NLP_EUNSUPPORTED, "version", 4, "fastText model of version %d; known are 11 and 12", version);
	NLP_TRY(take_i32(f, "dim", 1, INT32_MAX, &f->dim, err));
	NLP_TRY(take_i32(f, "ws", 0, INT32_MAX, &f->window, err));
	NLP_TRY(take_i32(f, "epoch", 0, INT32_MAX, &f->epochs, err));
	NLP_TRY(take_i32(f, "minCount", 0, INT32_MAX, &f->min_count, err));
	NLP_TRY(take_i32(f, "neg", 0, INT32_MAX, &f->negative, err));
	NLP_TRY(take_i32(f, "wordNgrams", INT32_MIN, INT32_MAX, &ignored, err));
	NLP_TRY(take_i32(f, "loss", LOSS_HS, LOSS_OVA, &f->loss, err));
	NLP_TRY(take_i32(f, "model", MODEL_CBOW, MODEL_SUPERVISED, &f->model, err));
	NLP_TRY(take_i32(f, "bucket", 0, INT32_MAX, &f->bucket, err));
	NLP_TRY(take_i32(f, "minn", 0, INT32_MAX, &f->minn, err));
	NLP_TRY(take_i32(f, "maxn", 0, INT32_MAX, &f->maxn, err));
	NLP_TRY(take_i32(f, "lrUpdateRate", INT32_MIN, INT32_MAX, &ignored, err));
	NLP_TRY(take(f, &f->sample, sizeof(f->sample), "t", err));
	if (f->model == MODEL_SUPERVISED)
		return nlp_fail_at(err, NLP_EUNSUPPORTED, "model", 36,
						   "a supervised fastText model is a classifier of texts, not a model of word vectors");
	if (f->loss == LOSS_OVA)
		return nlp_fail_at(err, NLP_EUNSUPPORTED, "loss", 32,
						   "a fastText model trained with loss \"one-vs-all\" is not supported");
	if (f->dim > (int32_t) NLP_WORDFILE_MAX_DIM)
		return nlp_fail_at(err, NLP_ELIMIT, "dim", 8, "word vectors of %d dimensions; the most are %u", f->dim,
						   NLP_WORDFILE_MAX_DIM);
	if (!(f->sample >= 0) || !isfinite(f->sample))
		return nlp_fail_at(err, NLP_ECORRUPT, "t", 56, "t of a fastText model is not a finite number from 0 on");
	if (f->minn < 1)
		f->minn = 1;
	f->ngrams = f->maxn >= f->minn;
	if (f->ngrams && f->bucket == 0)
		return nlp_fail_at(err, NLP_ECORRUPT, "bucket", 40, "a fastText model has n-grams but no buckets");
	if (f->ngrams && f->maxn > MAX_SUBWORD)
		return nlp_fail_at(err, NLP_ELIMIT, "maxn", 48, "n-grams of %d characters; the most are %d", f->maxn, MAX_SUBWORD);
	return NLP_OK;
}

/* ---- the dictionary ---- */

/* One entry: its word goes to the list, its place to row_of. */
static NlpStatus
read_entry(FastText *f, uint32_t index, bool skip_bad, uint64_t *total, NlpError *err)
{
	uint64_t	at = nlp_word_window_offset(&f->win);
	char		word[NLP_WORDS_MAX_BYTES + 1];
	size_t		have,
				len;
	const char *nul;
	bool		found = true,
				kept;
	int64_t		count = 0;
	int8_t		type = 0;

	NLP_TRY(nlp_word_window_fill(&f->win, sizeof(word), &have, err));
	nul = memchr(f->win.data + f->win.at, '\0', have < sizeof(word) ? have : sizeof(word));
	len = nul ? (size_t) (nul - (f->win.data + f->win.at)) : SIZE_MAX;
	if (nul)
	{
		memcpy(word, f->win.data + f->win.at, len);
		f->win.at += len + 1;
	}
	else if (skip_bad || have < sizeof(word))
		NLP_TRY(nlp_word_window_skip_past(&f->win, '\0', &found, err));
	if (!found)
		return nlp_fail_at(err, NLP_ECORRUPT, "dictionary", at, "a fastText model is cut short in its dictionary");
	if (nul || skip_bad)
	{
		NLP_TRY(take(f, &count, sizeof(count), "count", err));
		NLP_TRY(take(f, &type, sizeof(type), "type", err));
		if (type != 0)
			return nlp_fail_at(err, NLP_ECORRUPT, "type", at,
							   "entry %u of a fastText model's dictionary is not a word", index + 1);
		if (count < 0 || __builtin_add_overflow(*total, (uint64_t) count, total) || *total > INT64_MAX)
			return nlp_fail_at(err, NLP_ECORRUPT, "count", at,
							   "the count of word %u of a fastText model is out of range", index + 1);
	}
	NLP_TRY(nlp_word_list_add(&f->list, nul ? word : NULL, len, index, at, skip_bad, &(uint64_t) {(uint64_t) count}, &kept, err));
	if (kept)
		f->row_of[f->list.n - 1] = index;
	return NLP_OK;
}

static NlpStatus
read_dictionary(FastText *f, const NlpWordFileOptions *options, NlpError *err)
{
	int32_t		entries,
				words,
				labels;
	int64_t		tokens,
				pruned = 0;
	uint64_t	total = 0;

	NLP_TRY(take_i32(f, "size", 1, INT32_MAX, &entries, err));
	NLP_TRY(take_i32(f, "nwords", 1, INT32_MAX, &words, err));
	NLP_TRY(take_i32(f, "nlabels", 0, INT32_MAX, &labels, err));
	NLP_TRY(take(f, &tokens, sizeof(tokens), "ntokens", err));
	NLP_TRY(take(f, &pruned, sizeof(pruned), "pruneidx_size", err));
	if (labels != 0 || words != entries)
		return nlp_fail_at(err, NLP_ECORRUPT, "nwords", 68, "the dictionary of a fastText model holds more than words");
	if (pruned > 0)
		return nlp_fail_at(err, NLP_EUNSUPPORTED, "pruneidx_size", 84,
						   "a quantised fastText model with a pruned dictionary is not supported");
	if ((uint64_t) entries > nlp_word_window_left(&f->win) / ENTRY_MIN)
		return nlp_fail_at(err, NLP_ECORRUPT, "size", 64, "a fastText model says %d words, more than its bytes can hold", entries);
	f->entries = (uint32_t) entries;
	f->row_of = nlp_alloc(f->win.env->alloc, f->entries * sizeof(uint32_t));
	if (!f->row_of)
		return nlp_no_memory(err, f->entries * sizeof(uint32_t), "dictionary");
	for (uint32_t i = 0; i < f->entries; i++)
	{
		if (options->limit && i >= options->limit)
		{
			bool		found;
			char		rest[9];

			NLP_TRY(nlp_word_window_skip_past(&f->win, '\0', &found, err));
			NLP_TRY(take(f, rest, sizeof(rest), "count", err));
		}
		else
			NLP_TRY(read_entry(f, i, options->skip_bad_words, &total, err));
	}
	if (f->list.n == 0)
		return nlp_fail_at(err, NLP_ECORRUPT, "word", FIXED_BYTES, "a word vector file holds no usable word");
	nlp_word_list_done(&f->list);
	return NLP_OK;
}

/* ---- the matrices ---- */

/* The head of one, then past it; *at: where its numbers begin. */
static NlpStatus
find_matrix(FastText *f, const char *field, uint64_t min_rows, uint64_t max_rows, uint64_t *at, NlpError *err)
{
	uint64_t	head = nlp_word_window_offset(&f->win);
	uint8_t		quantised = 0;
	int64_t		rows = 0,
				dim = 0;
	uint64_t	bytes;

	NLP_TRY(take(f, &quantised, sizeof(quantised), field, err));
	if (quantised == 1)
		return nlp_fail_at(err, NLP_EUNSUPPORTED, field, head, "a quantised fastText model is not supported");
	if (quantised != 0)
		return nlp_fail_at(err, NLP_ECORRUPT, field, head, "a fastText model's %s matrix has a wrong mark", field);
	NLP_TRY(take(f, &rows, sizeof(rows), field, err));
	NLP_TRY(take(f, &dim, sizeof(dim), field, err));
	if (dim != f->dim || rows < 0 || (uint64_t) rows < min_rows || (uint64_t) rows > max_rows)
		return nlp_fail_at(err, NLP_ECORRUPT, field, head + 1,
						   "a fastText model's %s matrix is %lld x %lld, against its dictionary and dim",
						   field, (long long) rows, (long long) dim);
	*at = nlp_word_window_offset(&f->win);
	if (__builtin_mul_overflow((uint64_t) rows, (uint64_t) dim * sizeof(float), &bytes) ||
		bytes > nlp_word_window_left(&f->win))
		return nlp_fail_at(err, NLP_ECORRUPT, field, head + 1, "a fastText model is cut short in its %s matrix", field);
	nlp_word_window_seek(&f->win, *at + bytes);
	return NLP_OK;
}

static NlpStatus
find_matrices(FastText *f, NlpError *err)
{
	uint64_t	with_buckets = (uint64_t) f->entries + (uint64_t) f->bucket;

	NLP_TRY(find_matrix(f, "input", f->ngrams ? with_buckets : f->entries, with_buckets, &f->input, err));
	NLP_TRY(find_matrix(f, "output", f->entries, f->entries, &f->output, err));
	if (nlp_word_window_left(&f->win) != 0)
		return nlp_fail_at(err, NLP_ECORRUPT, "output", nlp_word_window_offset(&f->win),
						   "bytes follow the end of a fastText model");
	return NLP_OK;
}

/* One row of a matrix. */
static NlpStatus
read_row(FastText *f, const char *field, uint64_t matrix, uint64_t row, float *out, NlpError *err)
{
	size_t		bytes = (size_t) f->dim * sizeof(float);
	uint64_t	at = matrix + row * bytes;
	size_t		have,
				bad;

	nlp_word_window_seek(&f->win, at);
	NLP_TRY(nlp_word_window_fill(&f->win, bytes, &have, err));
	if (have < bytes)
		return nlp_fail_at(err, NLP_EIO, field, at, "a word vector file changed while it was being read");
	if (!nlp_word_floats(f->win.data + f->win.at, (size_t) f->dim, out, &bad))
		return nlp_fail_at(err, NLP_ECORRUPT, field, at + bad * sizeof(float),
						   "number %zu of row %llu of a fastText model's %s matrix is not finite",
						   bad + 1, (unsigned long long) row + 1, field);
	f->win.at += bytes;
	return NLP_OK;
}

/* ---- composing words of their n-grams ---- */

/* Fills buckets with a word's; fastText gives the end of a sentence no n-grams. */
static size_t
word_buckets(FastText *f, uint32_t id)
{
	const NlpStr *word = &f->list.words[id];

	if (word->len == 4 && memcmp(word->data, "</s>", 4) == 0)
		return 0;
	return nlp_words_subwords(&f->shape, word->data, word->len, f->buckets, f->max_ngrams);
}

/* Room for the sums of as many words as memory allows, for the buckets' users and a row. */
static NlpStatus
make_room(FastText *f, NlpError *err)
{
	const NlpAlloc *alloc = f->win.env->alloc;
	size_t		row_bytes = (size_t) f->dim * sizeof(float);
	size_t		most = BATCH_BYTES / row_bytes;
	size_t		bytes;

	f->row = nlp_alloc(alloc, row_bytes);
	if (!f->row)
		return nlp_no_memory(err, row_bytes, "a row");
	if (!f->ngrams)
		return NLP_OK;
	f->batch_ngrams = f->win.src->size / 16 < BATCH_NGRAMS ? (size_t) (f->win.src->size / 16) : BATCH_NGRAMS;
	if (f->batch_ngrams < BATCH_NGRAMS_MIN)
		f->batch_ngrams = BATCH_NGRAMS_MIN;
	f->max_ngrams = (NLP_WORDS_MAX_BYTES + 2) * (size_t) (f->maxn - f->minn + 1);
	f->buckets = nlp_alloc(alloc, f->max_ngrams * sizeof(uint32_t));
	if (!f->buckets)
		return nlp_no_memory(err, f->max_ngrams * sizeof(uint32_t), "n-grams");
	f->starts = nlp_alloc(alloc, ((size_t) f->bucket + 1) * sizeof(uint32_t));
	if (!f->starts)
		return nlp_no_memory(err, ((size_t) f->bucket + 1) * sizeof(uint32_t), "n-gram buckets");
	for (f->sums_cap = f->list.n < most ? f->list.n : most;; f->sums_cap /= 2)
	{
		bytes = f->sums_cap * row_bytes;
		f->sums = nlp_alloc(alloc, bytes);
		if (f->sums)
			return NLP_OK;
		if (f->sums_cap == 1 || bytes < BATCH_MIN_BYTES)
			return nlp_no_memory(err, bytes, "sums of n-grams");
	}
}

/* How many words from first on make a batch, and how many users each bucket has in it: starts[b + 1]. */
static NlpStatus
count_batch(FastText *f, uint32_t first, size_t *total, NlpError *err)
{
	memset(f->starts, 0, ((size_t) f->bucket + 1) * sizeof(uint32_t));
	f->first = first;
	*total = 0;
	for (f->n = 0; f->n < f->sums_cap && first + f->n < f->list.n; f->n++)
	{
		size_t		n = word_buckets(f, first + f->n);

		if (f->n > 0 && *total + n > f->batch_ngrams)
			break;
		for (size_t i = 0; i < n; i++)
			f->starts[f->buckets[i] + 1]++;
		*total += n;
		if (f->n % 4096 == 0)
			NLP_TRY(nlp_poll(f->win.env, err));
	}
	for (int32_t b = 0; b < f->bucket; b++)
		f->starts[b + 1] += f->starts[b];
	return NLP_OK;
}

/* The words of the batch, ordered by the buckets they use. Leaves starts[b] as the end of bucket b. */
static NlpStatus
sort_batch(FastText *f, size_t total, NlpError *err)
{
	nlp_free(f->win.env->alloc, f->users);
	f->users = nlp_alloc(f->win.env->alloc, (total ? total : 1) * sizeof(uint32_t));
	if (!f->users)
		return nlp_no_memory(err, total * sizeof(uint32_t), "n-grams");
	for (uint32_t k = 0; k < f->n; k++)
	{
		size_t		n = word_buckets(f, f->first + k);

		for (size_t i = 0; i < n; i++)
			f->users[f->starts[f->buckets[i]]++] = k;
		if (k % 4096 == 0)
			NLP_TRY(nlp_poll(f->win.env, err));
	}
	return NLP_OK;
}

static void
add_row(float *sum, const float *row, int32_t dim)
{
	for (int32_t d = 0; d < dim; d++)
		sum[d] += row[d];
}

/* Sums of the batch's own rows and those of its n-grams, in file order, then the means. */
static NlpStatus
compose_batch(FastText *f, uint32_t first, NlpError *err)
{
	size_t		total;
	uint32_t	at = 0;

	NLP_TRY(count_batch(f, first, &total, err));
	NLP_TRY(sort_batch(f, total, err));
	for (uint32_t k = 0; k < f->n; k++)
		NLP_TRY(read_row(f, "input", f->input, f->row_of[first + k], f->sums + (size_t) k * f->dim, err));
	for (int32_t b = 0; b < f->bucket; b++)
	{
		if (at == f->starts[b])
			continue;
		NLP_TRY(read_row(f, "input", f->input, (uint64_t) f->entries + (uint64_t) b, f->row, err));
		for (; at < f->starts[b]; at++)
		{
			add_row(f->sums + (size_t) f->users[at] * f->dim, f->row, f->dim);
			if (at % 16384 == 0)
				NLP_TRY(nlp_poll(f->win.env, err));
		}
	}
	for (uint32_t k = 0; k < f->n; k++)
	{
		float		scale = (float) (1.0 / (double) (1 + word_buckets(f, first + k)));

		for (int32_t d = 0; d < f->dim; d++)
			f->sums[(size_t) k * f->dim + d] *= scale;
	}
	return NLP_OK;
}

static NlpStatus
composed_row(FastText *f, uint32_t row, float *out, NlpError *err)
{
	if (row < f->first || row - f->first >= f->n)
		NLP_TRY(compose_batch(f, row, err));
	memcpy(out, f->sums + (size_t) (row - f->first) * f->dim, (size_t) f->dim * sizeof(float));
	for (int32_t d = 0; d < f->dim; d++)
	{
		if (!isfinite(out[d]))
			return nlp_fail_at(err, NLP_ECORRUPT, "input", f->input,
							   "the n-grams of word %u of a fastText model add up to more than a float holds",
							   f->row_of[row] + 1);
	}
	return NLP_OK;
}

/* ---- the GGUF ---- */

static NlpStatus
next_row(void *ctx, int tensor, uint32_t row, float *out, NlpError *err)
{
	FastText   *f = ctx;

	switch (tensor)
	{
		case 0:
			return f->ngrams ? composed_row(f, row, out, err) : read_row(f, "input", f->input, f->row_of[row], out, err);
		case 1:
			return read_row(f, "input", f->input, f->row_of[row], out, err);
		case 2:
			return read_row(f, "input", f->input, (uint64_t) f->entries + row, out, err);
		case 3:
			return read_row(f, "output", f->output, f->row_of[row], out, err);
		default:
			NLP_TRY(read_row(f, "output", f->output, row, out, err));
			for (int32_t d = 0; d < f->dim; d++)
				out[d] = -out[d];
			return NLP_OK;
	}
}

/* How it was trained, as far as the file says. */
static NlpStatus
put_options(void *ctx, NlpGgufWriter *w, NlpError *err)
{
	FastText   *f = ctx;

	NLP_TRY(nlp_gguf_put_u32(w, "word2vec.window", (uint32_t) f->window, err));
	NLP_TRY(nlp_gguf_put_u32(w, "word2vec.epochs", (uint32_t) f->epochs, err));
	NLP_TRY(nlp_gguf_put_u32(w, "word2vec.min_count", (uint32_t) f->min_count, err));
	if (f->loss == LOSS_NS)
		NLP_TRY(nlp_gguf_put_u32(w, "word2vec.negative", (uint32_t) f->negative, err));
	if (f->model == MODEL_CBOW)
		NLP_TRY(nlp_gguf_put_bool(w, "word2vec.cbow_mean", true, err));
	return nlp_gguf_put_f32(w, "word2vec.sample", (float) f->sample, err);
}

static NlpStatus
convert(FastText *f, const NlpWordFileOptions *options, const char *name, const NlpSink *sink, const NlpEnv *env,
		NlpError *err)
{
	NlpWordsOut o = {.name = name};
	uint64_t	any_count = 0;

	NLP_TRY(read_args(f, err));
	NLP_TRY(read_dictionary(f, options, err));
	NLP_TRY(find_matrices(f, err));
	f->shape.subword_min = (uint32_t) f->minn;
	f->shape.subword_max = (uint32_t) f->maxn;
	f->shape.buckets = (uint32_t) f->bucket;
	NLP_TRY(make_room(f, err));
	for (uint32_t i = 0; i < f->list.n; i++)
		any_count |= f->list.counts[i];
	o.n = f->list.n;
	o.dim = (uint32_t) f->dim;
	o.words = f->list.words;
	o.counts = any_count ? f->list.counts : NULL;
	o.objective = f->model == MODEL_CBOW ? NLP_WORDS_CBOW : NLP_WORDS_SKIPGRAM;
	o.loss = f->loss == LOSS_HS ? NLP_WORDS_HIERARCHICAL : f->loss == LOSS_NS ? NLP_WORDS_NEGATIVE : NLP_WORDS_SOFTMAX;
	if (f->ngrams)
	{
		o.subword_min = f->shape.subword_min;
		o.subword_max = f->shape.subword_max;
		o.buckets = f->shape.buckets;
		o.has_word_input = o.has_subword = true;
	}
	o.has_output = f->loss != LOSS_HS;
	o.has_output_nodes = f->loss == LOSS_HS && o.n == f->entries && o.n > 1 && any_count;
	return nlp_words_write(&o, next_row, f, put_options, sink, env, err);
}

NlpStatus
nlp_wordfile_fasttext(const NlpSource *src, const NlpWordFileOptions *options, const char *name, const NlpSink *sink,
					  const NlpEnv *env, NlpWordFileReport *report, NlpError *err)
{
	FastText	f = {0};
	NlpStatus	st;

	nlp_word_list_init(&f.list, env->alloc);
	st = nlp_word_window_open(&f.win, src, env, err);
	if (st == NLP_OK)
		st = convert(&f, options, name, sink, env, err);
	report->rows = f.list.n;
	report->dim = (uint32_t) f.dim;
	report->skipped = f.list.skipped;
	nlp_free(env->alloc, f.row_of);
	nlp_free(env->alloc, f.sums);
	nlp_free(env->alloc, f.starts);
	nlp_free(env->alloc, f.users);
	nlp_free(env->alloc, f.buckets);
	nlp_free(env->alloc, f.row);
	nlp_word_list_free(&f.list);
	nlp_word_window_close(&f.win);
	return st;
}
