/* words_write.c --- the GGUF form of word vectors (words.h has the keys and tensors).
 *
 * The trainer and the importers give words and rows; keys that are not known are left
 * out. Memory: the writer's encoded keys (about the words' text twice) and one buffer of rows. */
#include <string.h>

#include "wordvec/train.h"
#include "engine_only.h"

#define ROW_BUFFER 65536
#define N_TENSORS 5

static const char *const tensor_names[N_TENSORS] = {
	"token_embd.weight", "word_input.weight", "subword.weight", "output.weight", "output_nodes.weight",
};

static NlpStatus
put_text(NlpGgufWriter *w, const char *key, const char *s, NlpError *err)
{
	return nlp_gguf_put_str(w, key, s, strlen(s), err);
}

static NlpStatus
put_kind(NlpGgufWriter *w, NlpWordObjective objective, NlpWordLoss loss, NlpError *err)
{
	if (objective == NLP_WORDS_SKIPGRAM || objective == NLP_WORDS_CBOW)
		NLP_TRY(put_text(w, "word2vec.objective", objective == NLP_WORDS_CBOW ? "cbow" : "skip-gram", err));
	if (loss == NLP_WORDS_NO_LOSS)
		return NLP_OK;
	return put_text(w, "word2vec.loss", loss == NLP_WORDS_NEGATIVE ? "negative" :
					loss == NLP_WORDS_HIERARCHICAL ? "hierarchical" : "softmax", err);
}

static NlpStatus
put_subword(NlpGgufWriter *w, uint32_t min, uint32_t max, uint32_t buckets, NlpError *err)
{
	if (min == 0)
		return NLP_OK;
	NLP_TRY(nlp_gguf_put_u32(w, "word2vec.subword.min", min, err));
	NLP_TRY(nlp_gguf_put_u32(w, "word2vec.subword.max", max, err));
	return nlp_gguf_put_u32(w, "word2vec.subword.buckets", buckets, err);
}

static NlpStatus
put_options(NlpGgufWriter *w, const NlpWord2vecOptions *o, NlpError *err)
{
	NLP_TRY(nlp_gguf_put_u32(w, "word2vec.window", o->window, err));
	NLP_TRY(nlp_gguf_put_u32(w, "word2vec.negative", o->negative, err));
	NLP_TRY(nlp_gguf_put_u32(w, "word2vec.epochs", o->epochs, err));
	NLP_TRY(nlp_gguf_put_u32(w, "word2vec.min_count", o->min_count, err));
	NLP_TRY(nlp_gguf_put_f32(w, "word2vec.sample", (float) o->sample, err));
	NLP_TRY(nlp_gguf_put_f32(w, "word2vec.alpha", o->alpha, err));
	NLP_TRY(nlp_gguf_put_scalar(w, "word2vec.seed", NLP_GGUF_U64, &o->seed, err));
	NLP_TRY(nlp_gguf_put_bool(w, "word2vec.cbow_mean", o->cbow_mean, err));
	return put_text(w, "word2vec.segmenter", o->chinese ? "chinese" : "words", err);
}

static NlpStatus
put_keys(NlpGgufWriter *w, const NlpWordsOut *o, NlpError *err)
{
	const NlpWord2vecOptions *t = o->options;

	NLP_TRY(put_text(w, "general.architecture", NLP_WORDS_ARCH, err));
	if (o->name && o->name[0])
		NLP_TRY(put_text(w, "general.name", o->name, err));
	NLP_TRY(nlp_gguf_put_u32(w, "word2vec.embedding_length", o->dim, err));
	NLP_TRY(nlp_gguf_put_array(w, "word2vec.words", NLP_GGUF_STRING, o->n, o->words, err));
	if (o->counts)
		NLP_TRY(nlp_gguf_put_array(w, "word2vec.counts", NLP_GGUF_U64, o->n, o->counts, err));
	if (!t)
	{
		NLP_TRY(put_kind(w, o->objective, o->loss, err));
		return put_subword(w, o->subword_min, o->subword_max, o->buckets, err);
	}
	NLP_TRY(put_kind(w, t->objective, t->loss, err));
	NLP_TRY(put_options(w, t, err));
	return put_subword(w, t->subword_min, t->subword_max, t->buckets, err);
}

/* Rows of each tensor; 0: it is not there. */
static void
count_rows(const NlpWordsOut *o, uint32_t rows[N_TENSORS])
{
	rows[0] = o->n;
	rows[1] = o->has_word_input ? o->n : 0;
	rows[2] = !o->has_subword ? 0 : o->options ? o->options->buckets : o->buckets;
	rows[3] = o->has_output ? o->n : 0;
	rows[4] = o->has_output_nodes ? o->n - 1 : 0;
}

static NlpStatus
write_rows(NlpGgufWriter *w, const NlpWordsOut *o, const uint32_t rows[N_TENSORS], NlpWordsRow row, void *ctx,
		   const NlpSink *sink, const NlpEnv *env, float *buffer, uint32_t fit, NlpError *err)
{
	for (int tensor = 0; tensor < N_TENSORS; tensor++)
		for (uint32_t i = 0; i < rows[tensor];)
		{
			uint32_t	now = rows[tensor] - i < fit ? rows[tensor] - i : fit;

			for (uint32_t j = 0; j < now; j++)
				NLP_TRY(row(ctx, tensor, i + j, buffer + (size_t) j * o->dim, err));
			NLP_TRY(nlp_gguf_write_data(w, sink, buffer, (size_t) now * o->dim * sizeof(float), err));
			NLP_TRY(nlp_poll(env, err));
			i += now;
		}
	return nlp_gguf_write_end(w, sink, err);
}

static NlpStatus
write_all(NlpGgufWriter *w, const NlpWordsOut *o, NlpWordsRow row, void *ctx,
		  NlpStatus (*extra) (void *ctx, NlpGgufWriter *w, NlpError *err), const NlpSink *sink, const NlpEnv *env,
		  NlpError *err)
{
	uint32_t	rows[N_TENSORS];
	uint32_t	fit = ROW_BUFFER / 4 / o->dim > 0 ? ROW_BUFFER / 4 / o->dim : 1;
	size_t		bytes = (size_t) fit * o->dim * sizeof(float);
	float	   *buffer;
	NlpStatus	status;

	NLP_TRY(put_keys(w, o, err));
	if (extra)
		NLP_TRY(extra(ctx, w, err));
	count_rows(o, rows);
	for (int tensor = 0; tensor < N_TENSORS; tensor++)
		if (rows[tensor] > 0)
			NLP_TRY(nlp_gguf_put_tensor(w, tensor_names[tensor], NLP_F32, 2,
										(uint64_t[]) {o->dim, rows[tensor]}, err));
	NLP_TRY(nlp_gguf_write_header(w, sink, err));
	buffer = nlp_alloc(env->alloc, bytes);
	if (!buffer)
		return nlp_no_memory(err, bytes, "rows of word vectors");
	status = write_rows(w, o, rows, row, ctx, sink, env, buffer, fit, err);
	nlp_free(env->alloc, buffer);
	return status;
}

NlpStatus
nlp_words_write(const NlpWordsOut *o, NlpWordsRow row, void *ctx,
				NlpStatus (*extra) (void *ctx, NlpGgufWriter *w, NlpError *err), const NlpSink *sink,
				const NlpEnv *env, NlpError *err)
{
	NlpGgufWriter *w;
	NlpStatus	status;

	if (o->n == 0 || o->dim == 0)
		return nlp_fail(err, NLP_EINVALID, "word vectors need at least one word and one dimension");
	NLP_TRY(nlp_gguf_writer_new(env->alloc, &w, err));
	status = write_all(w, o, row, ctx, extra, sink, env, err);
	nlp_gguf_writer_free(w);
	return status;
}
