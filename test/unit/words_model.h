/* words_model.h --- word vector models for unit tests: the golden one from its file, and ones
 * made by a seed. */
#ifndef WORDS_MODEL_H
#define WORDS_MODEL_H

#include <math.h>

#include "check.h"
#include "core/philox.h"
#include "model/image.h"

static const NlpEnv words_env = {.alloc = &nlp_libc_alloc};

/* A resident image and its table. */
typedef struct WordsModel
{
	void	   *block;
	uint64_t	bytes;
	const NlpWords *w;
} WordsModel;

static inline void
words_model_free(WordsModel *m)
{
	nlp_free(&nlp_libc_alloc, m->block);
}

/* The image of a GGUF file; the block is dirty before it is built. */
static inline NlpStatus
words_model_build(const NlpSource *src, const NlpEnv *env, WordsModel *m, NlpError *err)
{
	NlpImagePlan *plan;
	NlpStatus	st = nlp_image_plan(src, env, &plan, err);

	*m = (WordsModel) {NULL, 0, NULL};
	if (st != NLP_OK)
		return st;
	m->bytes = nlp_image_plan_bytes(plan);
	m->block = nlp_alloc(&nlp_libc_alloc, m->bytes);
	memset(m->block, 0xa5, m->bytes);
	st = nlp_image_build(plan, src, env, m->block, NULL, err);
	nlp_image_plan_free(plan);
	if (st == NLP_OK)
		st = nlp_image_check(m->block, m->bytes, err);
	if (st == NLP_OK)
		m->w = nlp_image_words(m->block);
	else
	{
		words_model_free(m);
		m->block = NULL;
	}
	return st;
}

static inline bool
words_model_open(const char *path, WordsModel *m)
{
	NlpError	err;
	NlpFileSource f;
	NlpStatus	st = nlp_file_source_open(&f, path, &err);

	if (st == NLP_OK)
	{
		st = words_model_build(&f.source, &words_env, m, &err);
		nlp_file_source_close(&f);
	}
	CHECK_OK(st, err);
	return st == NLP_OK;
}

/* ---- files made here ------------------------------------------------------ */

static inline NlpStatus
words_to_buf(void *ctx, const void *bytes, size_t len, NlpError *err)
{
	return nlp_buf_append(ctx, bytes, len) ? NLP_OK : nlp_no_memory(err, len, "file");
}

/* A GGUF file under construction: keys first, then words_file_tensor, then words_file_end. */
typedef struct WordsFile
{
	NlpBuf		bytes;
	NlpSink		sink;
	NlpGgufWriter *w;
	const void *data[8];
	size_t		sizes[8];
	int			n;
} WordsFile;

static inline void
words_file_begin(WordsFile *f)
{
	NlpError	err;

	memset(f, 0, sizeof(*f));
	nlp_buf_init(&f->bytes, &nlp_libc_alloc);
	f->sink = (NlpSink) {words_to_buf, &f->bytes};
	if (nlp_gguf_writer_new(&nlp_libc_alloc, &f->w, &err) != NLP_OK)
		exit(2);
	nlp_gguf_put_str(f->w, "general.architecture", NLP_WORDS_ARCH, 8, &err);
}

/* data is kept by the caller until words_file_end. */
static inline void
words_file_tensor(WordsFile *f, const char *name, NlpDtype type, uint64_t dim, uint64_t rows, const void *data)
{
	NlpError	err;
	uint64_t	dims[2] = {dim, rows};
	uint64_t	bytes = 0;

	nlp_dtype_bytes(type, rows, dim, &bytes);
	f->data[f->n] = data;
	f->sizes[f->n++] = (size_t) bytes;
	if (nlp_gguf_put_tensor(f->w, name, type, 2, dims, &err) != NLP_OK)
		exit(2);
}

static inline void
words_file_end(WordsFile *f)
{
	NlpError	err;

	if (nlp_gguf_write_header(f->w, &f->sink, &err) != NLP_OK)
		exit(2);
	for (int i = 0; i < f->n; i++)
		nlp_gguf_write_data(f->w, &f->sink, f->data[i], f->sizes[i], &err);
	if (nlp_gguf_write_end(f->w, &f->sink, &err) != NLP_OK)
		exit(2);
	nlp_gguf_writer_free(f->w);
}

static inline NlpStatus
words_file_build(const WordsFile *f, const NlpEnv *env, WordsModel *m, NlpError *err)
{
	NlpMemorySource src;

	nlp_memory_source_init(&src, f->bytes.data, f->bytes.len);
	return words_model_build(&src.source, env, m, err);
}

/* "w0", "w1", ... into strs [n], texts [n][12]. */
static inline void
words_names(NlpStr *strs, char (*texts)[12], uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		strs[i] = (NlpStr) {texts[i], (size_t) snprintf(texts[i], 12, "w%u", i)};
}

static inline float
words_normal(uint64_t seed, uint64_t i)
{
	double		u = nlp_philox_uniform(seed, 0, 2 * i);
	double		v = nlp_philox_uniform(seed, 0, 2 * i + 1);

	return (float) (sqrt(-2 * log(1 - u)) * cos(6.283185307179586 * v));
}

#endif
