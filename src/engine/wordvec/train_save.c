/* train_save.c --- the trainer's rows out to GGUF, back from a checkpoint, and from a model
 * that is to learn more.
 *
 * A checkpoint is the model's file with the input rows as they are (word_input) and the keys
 * word2vec.training.*: what must be equal for the run to go on to the same vectors, and
 * the place. It comes back as a stranger's file: types, ranges, shapes and values are
 * checked, and what it was made with is compared with what the trainer has. */
#include <string.h>

#include "wordvec/train_private.h"
#include "engine_only.h"

#define TRAINING "word2vec.training."
#define VERSION 1
#define OWN_COLUMNS 256			/* of rows that are summed in double, at a time */

/* ---- rows out ---- */

void
nlp_train_vector(const NlpWord2vec *t, uint32_t word, float *out)
{
	const float *own = t->input + (size_t) word * t->stride;
	uint64_t	from = t->gram ? t->gram_start[word] : 0,
				to = t->gram ? t->gram_start[word + 1] : 0;
	float		part = 1.0f / (float) (1 + to - from);

	memcpy(out, own, t->o.dim * sizeof(float));
	if (!t->gram)
		return;
	for (uint64_t i = from; i < to; i++)
	{
		const float *row = t->gram + (size_t) t->grams[i] * t->stride;

		for (uint32_t c = 0; c < t->o.dim; c++)
			out[c] += row[c];
	}
	for (uint32_t c = 0; c < t->o.dim; c++)
		out[c] *= part;
}

typedef struct RowsOut
{
	const NlpWord2vec *t;
	NlpPace		pace;
} RowsOut;

static NlpStatus
row_out(void *ctx, int tensor, uint32_t row, float *out, NlpError *err)
{
	RowsOut    *o = ctx;
	const NlpWord2vec *t = o->t;
	const float *rows = tensor == 1 ? t->input : tensor == 2 ? t->gram : t->output;
	uint64_t	summed = 1;

	if (tensor == 0)
	{
		nlp_train_vector(t, row, out);
		summed += t->gram ? t->gram_start[row + 1] - t->gram_start[row] : 0;
	}
	else
		memcpy(out, rows + (size_t) row * t->stride, t->o.dim * sizeof(float));
	return nlp_pace(&o->pace, summed * t->stride, err);
}

static NlpStatus
training_keys(void *ctx, NlpGgufWriter *w, NlpError *err)
{
	const NlpWord2vec *t = ((RowsOut *) ctx)->t;
	uint64_t	hash = nlp_vocab_hash(t->vocab);

	NLP_TRY(nlp_gguf_put_u32(w, TRAINING "version", VERSION, err));
	NLP_TRY(nlp_gguf_put_bool(w, TRAINING "exact", t->o.exact, err));
	NLP_TRY(nlp_gguf_put_u32(w, TRAINING "max_words", t->o.max_words, err));
	NLP_TRY(nlp_gguf_put_f32(w, TRAINING "min_alpha", t->o.min_alpha, err));
	NLP_TRY(nlp_gguf_put_scalar(w, TRAINING "sample", NLP_GGUF_F64, &t->o.sample, err));
	NLP_TRY(nlp_gguf_put_scalar(w, TRAINING "vocabulary", NLP_GGUF_U64, &hash, err));
	NLP_TRY(nlp_gguf_put_scalar(w, TRAINING "spool_ids", NLP_GGUF_U64, &t->n_ids, err));
	NLP_TRY(nlp_gguf_put_u32(w, TRAINING "epoch", t->epoch, err));
	NLP_TRY(nlp_gguf_put_scalar(w, TRAINING "place", NLP_GGUF_U64, &t->place, err));
	return nlp_gguf_put_scalar(w, TRAINING "tokens", NLP_GGUF_U64, &t->tokens_done, err);
}

static NlpStatus
write_with_words(NlpWord2vec *t, const char *name, bool checkpoint, NlpStr *words, uint64_t *counts,
				 const NlpSink *sink, const NlpEnv *env, NlpError *err)
{
	bool		nodes = t->o.loss == NLP_WORDS_HIERARCHICAL;
	NlpWordsOut out = {
		.n = t->n,
		.dim = t->o.dim,
		.words = words,
		.counts = counts,
		.options = &t->o,
		.has_word_input = t->gram != NULL,
		.has_subword = t->gram != NULL,
		.has_output = !nodes,
		.has_output_nodes = nodes,
		.name = name,
	};
	RowsOut		rows = {.t = t, .pace = {.env = env}};

	for (uint32_t i = 0; i < t->n; i++)
	{
		NLP_TRY(nlp_pace(&rows.pace, 1, err));
		words[i].data = nlp_vocab_word(t->vocab, i, &words[i].len);
		counts[i] = nlp_vocab_word_count(t->vocab, i);
	}
	return nlp_words_write(&out, row_out, &rows, checkpoint ? training_keys : NULL, sink, env, err);
}

NlpStatus
nlp_word2vec_write(NlpWord2vec *t, const char *name, bool checkpoint, const NlpSink *sink, const NlpEnv *env,
				   NlpError *err)
{
	NlpStr	   *words = nlp_alloc(env->alloc, (size_t) t->n * sizeof(NlpStr));
	uint64_t   *counts = nlp_alloc(env->alloc, (size_t) t->n * sizeof(uint64_t));
	NlpStatus	status;

	nlp_train_join(t);
	if (words && counts)
		status = write_with_words(t, name, checkpoint, words, counts, sink, env, err);
	else
		status = nlp_no_memory(err, (size_t) t->n * sizeof(NlpStr), "list of words");
	nlp_free(env->alloc, words);
	nlp_free(env->alloc, counts);
	return status;
}

/* ---- a checkpoint back ---- */

static NlpStatus
differs(const char *what, NlpError *err)
{
	nlp_fail(err, NLP_EINVALID, "the checkpoint was made with another \"%s\"", what);
	return nlp_hint(err, "Go on with the options and texts the run was started with, or start a new one.");
}

/* An integer key that must have this value. */
static NlpStatus
same_u64(const NlpGguf *g, const char *key, uint64_t want, NlpError *err)
{
	uint64_t	v;

	NLP_TRY(nlp_gguf_u64(g, key, 0, UINT64_MAX, &v, NULL, err));
	return v == want ? NLP_OK : differs(key, err);
}

static NlpStatus
same_f32(const NlpGguf *g, const char *key, float want, NlpError *err)
{
	float		v;

	NLP_TRY(nlp_gguf_f32(g, key, -3e38, 3e38, &v, NULL, err));
	return v == want ? NLP_OK : differs(key, err);
}

static NlpStatus
same_bool(const NlpGguf *g, const char *key, bool want, NlpError *err)
{
	bool		v;

	NLP_TRY(nlp_gguf_bool(g, key, &v, NULL, err));
	return v == want ? NLP_OK : differs(key, err);
}

static NlpStatus
same_text(const NlpGguf *g, const char *key, const char *want, NlpError *err)
{
	NlpStr		v;

	NLP_TRY(nlp_gguf_str(g, key, &v, NULL, err));
	return v.len == strlen(want) && memcmp(v.data, want, v.len) == 0 ? NLP_OK : differs(key, err);
}

static NlpStatus
same_sample(const NlpGguf *g, double want, NlpError *err)
{
	const NlpGgufKv *kv = nlp_gguf_find(g, TRAINING "sample");
	double		v;

	if (!kv || kv->type != NLP_GGUF_F64)
		return nlp_fail(err, NLP_ECORRUPT, "key \"%s\" is missing or not a float64", TRAINING "sample");
	memcpy(&v, kv->data, sizeof(v));
	return v == want ? NLP_OK : differs("sample", err);
}

static NlpStatus
same_options(const NlpWord2vec *t, const NlpGguf *g, NlpError *err)
{
	const NlpWord2vecOptions *o = &t->o;

	NLP_TRY(same_text(g, "general.architecture", NLP_WORDS_ARCH, err));
	NLP_TRY(same_u64(g, TRAINING "version", VERSION, err));
	NLP_TRY(same_u64(g, "word2vec.embedding_length", o->dim, err));
	NLP_TRY(same_text(g, "word2vec.objective", o->objective == NLP_WORDS_CBOW ? "cbow" : "skip-gram", err));
	NLP_TRY(same_text(g, "word2vec.loss", o->loss == NLP_WORDS_NEGATIVE ? "negative" :
					  o->loss == NLP_WORDS_HIERARCHICAL ? "hierarchical" : "softmax", err));
	NLP_TRY(same_bool(g, TRAINING "exact", o->exact, err));
	NLP_TRY(same_bool(g, "word2vec.cbow_mean", o->cbow_mean, err));
	NLP_TRY(same_u64(g, "word2vec.window", o->window, err));
	NLP_TRY(same_u64(g, "word2vec.negative", o->negative, err));
	NLP_TRY(same_u64(g, "word2vec.epochs", o->epochs, err));
	NLP_TRY(same_u64(g, "word2vec.min_count", o->min_count, err));
	NLP_TRY(same_u64(g, TRAINING "max_words", o->max_words, err));
	NLP_TRY(same_u64(g, "word2vec.seed", o->seed, err));
	NLP_TRY(same_f32(g, "word2vec.alpha", o->alpha, err));
	NLP_TRY(same_f32(g, TRAINING "min_alpha", o->min_alpha, err));
	NLP_TRY(same_sample(g, o->sample, err));
	NLP_TRY(same_text(g, "word2vec.segmenter", o->chinese ? "chinese" : "words", err));
	if (o->subword_min == 0)
		return nlp_gguf_find(g, "word2vec.subword.min") ? differs("word2vec.subword.min", err) : NLP_OK;
	NLP_TRY(same_u64(g, "word2vec.subword.min", o->subword_min, err));
	NLP_TRY(same_u64(g, "word2vec.subword.max", o->subword_max, err));
	return same_u64(g, "word2vec.subword.buckets", o->buckets, err);
}

/* One tensor of [dim, rows] f32 into rows stride floats apart. buffer [dim] */
static NlpStatus
read_rows(const NlpWord2vec *t, const NlpGguf *g, const NlpSource *src, const char *name, uint32_t rows, float *out,
		  const NlpEnv *env, NlpError *err)
{
	const NlpGgufTensor *tensor = nlp_gguf_tensor(g, name);
	size_t		bytes = t->o.dim * sizeof(float);
	NlpPace		pace = {.env = env};

	if (!tensor)
		return nlp_fail(err, NLP_ECORRUPT, "the checkpoint has no tensor \"%s\"", name);
	if (tensor->dtype != NLP_F32 || tensor->n_dims != 2 || tensor->dims[0] != t->o.dim || tensor->dims[1] != rows)
		return nlp_fail_at(err, NLP_ECORRUPT, name, tensor->offset, "tensor \"%s\" must be f32 of %u x %u", name,
						   t->o.dim, rows);
	for (uint32_t i = 0; i < rows; i++)
	{
		float	   *row = out + (size_t) i * t->stride;

		NLP_TRY(src->read(src->ctx, tensor->offset + i * bytes, bytes, row, err));
		if (!(t->kernel->largest(row, t->o.dim) < 3e38f))
			return nlp_fail_at(err, NLP_ECORRUPT, name, tensor->offset + i * bytes,
							   "tensor \"%s\" holds a value that is not finite", name);
		NLP_TRY(nlp_pace(&pace, t->stride, err));
	}
	return NLP_OK;
}

static NlpStatus
read_place(NlpWord2vec *t, const NlpGguf *g, NlpError *err)
{
	uint64_t	epoch,
				place,
				ids,
				tokens;

	NLP_TRY(nlp_gguf_u64(g, TRAINING "spool_ids", 1, UINT64_MAX / 8, &ids, NULL, err));
	NLP_TRY(nlp_gguf_u64(g, TRAINING "epoch", 0, t->o.epochs, &epoch, NULL, err));
	NLP_TRY(nlp_gguf_u64(g, TRAINING "place", 0, ids, &place, NULL, err));
	NLP_TRY(nlp_gguf_u64(g, TRAINING "tokens", 0, UINT64_MAX / 2, &tokens, NULL, err));
	t->n_ids = ids;
	t->epoch = (uint32_t) epoch;
	t->place = place;
	t->tokens_done = tokens;
	t->restored = true;
	return NLP_OK;
}

static NlpStatus
restore_from(NlpWord2vec *t, const NlpGguf *g, const NlpSource *src, const NlpEnv *env, NlpError *err)
{
	if (!nlp_gguf_find(g, TRAINING "version"))
		return nlp_fail(err, NLP_EINVALID, "the model is not a checkpoint of a training run");
	NLP_TRY(same_options(t, g, err));
	NLP_TRY(same_u64(g, TRAINING "vocabulary", nlp_vocab_hash(t->vocab), err));
	if (t->gram)
	{
		NLP_TRY(read_rows(t, g, src, "word_input.weight", t->n, t->input, env, err));
		NLP_TRY(read_rows(t, g, src, "subword.weight", t->o.buckets, t->gram, env, err));
	}
	else
		NLP_TRY(read_rows(t, g, src, "token_embd.weight", t->n, t->input, env, err));
	NLP_TRY(read_rows(t, g, src, t->o.loss == NLP_WORDS_HIERARCHICAL ? "output_nodes.weight" : "output.weight",
					  t->n_out, t->output, env, err));
	return read_place(t, g, err);
}

NlpStatus
nlp_word2vec_restore(NlpWord2vec *t, const NlpSource *checkpoint, const NlpEnv *env, NlpError *err)
{
	NlpGguf		g;
	NlpStatus	status;

	NLP_TRY(nlp_gguf_open(checkpoint, env, &g, err));
	status = restore_from(t, &g, checkpoint, env, err);
	nlp_gguf_close(&g);
	return status;
}

/* ---- a model that learns more ---- */

static NlpStatus
same_shape(const NlpWord2vec *t, const NlpWords *old, NlpPace *pace, NlpError *err)
{
	if (old->objective != (uint32_t) t->o.objective || old->loss != (uint32_t) t->o.loss)
		return nlp_fail(err, NLP_EINVALID, "the model was trained with another objective or loss");
	if (old->dim != t->o.dim)
		return nlp_fail(err, NLP_EINVALID, "the model has %u dimensions, not %u", old->dim, t->o.dim);
	if (old->subword_min != t->o.subword_min ||
		(old->subword_min > 0 && (old->subword_max != t->o.subword_max || old->buckets != t->o.buckets)))
		return nlp_fail(err, NLP_EINVALID, "the model was trained with other n-grams");
	if (old->output_offset == 0 || (old->subword_min > 0 && old->subword_offset == 0))
		return nlp_fail(err, NLP_EUNSUPPORTED, "the model keeps no output rows, so it cannot be trained further");
	for (uint32_t i = 0; i < old->n; i++)
	{
		size_t		len,
					old_len;
		const char *old_word = nlp_words_text(old, i, &old_len);
		const char *word = i < t->n ? nlp_vocab_word(t->vocab, i, &len) : NULL;

		if (!word || len != old_len || memcmp(word, old_word, len) != 0)
			return nlp_fail(err, NLP_EINTERNAL, "the vocabulary does not start with the words of the model");
		NLP_TRY(nlp_pace(pace, 1 + len / 8, err));
	}
	return NLP_OK;
}

static const float *
table_row(const NlpWords *w, uint64_t offset, uint32_t row)
{
	return (const float *) ((const char *) w + offset) + (size_t) row * w->stride;
}

static NlpStatus
copy_rows(const NlpWord2vec *t, const NlpWords *old, uint64_t offset, uint32_t rows, float *out, NlpPace *pace,
		  NlpError *err)
{
	for (uint32_t i = 0; i < rows; i++)
	{
		memcpy(out + (size_t) i * t->stride, table_row(old, offset, i), t->o.dim * sizeof(float));
		NLP_TRY(nlp_pace(pace, t->stride, err));
	}
	return NLP_OK;
}

/* The table keeps a word's vector; its own row is what the mean with the n-grams leaves. */
static NlpStatus
own_row(NlpWord2vec *t, const float *vector, uint32_t word, NlpPace *pace, NlpError *err)
{
	float	   *row = t->input + (size_t) word * t->stride;
	uint64_t	from = t->gram ? t->gram_start[word] : 0,
				to = t->gram ? t->gram_start[word + 1] : 0;

	for (uint32_t first = 0; first < t->o.dim; first += OWN_COLUMNS)
	{
		uint32_t	n = t->o.dim - first < OWN_COLUMNS ? t->o.dim - first : OWN_COLUMNS;
		double		own[OWN_COLUMNS];

		for (uint32_t c = 0; c < n; c++)
			own[c] = (double) vector[first + c] * (double) (1 + to - from);
		for (uint64_t k = from; k < to; k++)
		{
			const float *gram = t->gram + (size_t) t->grams[k] * t->stride + first;

			for (uint32_t c = 0; c < n; c++)
				own[c] -= gram[c];
			NLP_TRY(nlp_pace(pace, n, err));
		}
		for (uint32_t c = 0; c < n; c++)
			row[first + c] = (float) own[c];
		NLP_TRY(nlp_pace(pace, n, err));
	}
	return NLP_OK;
}

NlpStatus
nlp_word2vec_start_from(NlpWord2vec *t, const NlpWords *old, const NlpEnv *env, NlpError *err)
{
	NlpPace		pace = {.env = env};

	NLP_TRY(same_shape(t, old, &pace, err));
	if (t->gram)
		NLP_TRY(copy_rows(t, old, old->subword_offset, t->o.buckets, t->gram, &pace, err));
	for (uint32_t i = 0; i < old->n; i++)
		NLP_TRY(own_row(t, nlp_words_row(old, i), i, &pace, err));
	/* The tree is another one now that counts have grown: its inner nodes start afresh. */
	if (t->o.loss == NLP_WORDS_HIERARCHICAL)
		return NLP_OK;
	return copy_rows(t, old, old->output_offset, old->n, t->output, &pace, err);
}
