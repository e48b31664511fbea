/* segment_file.h --- small segmenter files made in memory, for tests. */
#ifndef SEGMENT_FILE_H
#define SEGMENT_FILE_H

#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "token/segment.h"

/* What a file is made of; a NULL part is left out. */
typedef struct SegmentFile
{
	const char *words;			/* joined by newlines */
	const uint32_t *frequencies;
	size_t		n_frequencies;
	const float *start,			/* [4] */
			   *step;			/* [16] */
	const uint32_t *chars;
	size_t		n_chars;
	const float *emit;
	size_t		n_emit;
	const uint32_t *from;
	size_t		n_from;
	const uint32_t *to;
	size_t		n_to;
	bool		no_language,
				wide_words;		/* words as another type */
} SegmentFile;

typedef struct SegmentTable
{
	char	   *file;
	size_t		file_bytes;
	NlpGguf		g;
	NlpSegmenter *s;
	uint64_t	bytes;
} SegmentTable;

static const NlpEnv seg_env = {.alloc = &nlp_libc_alloc};

static NlpStatus
seg_write(void *ctx, const void *bytes, size_t len, NlpError *err)
{
	return nlp_buf_append(ctx, bytes, len) ? NLP_OK : nlp_no_memory(err, len, "test");
}

static inline void
seg_put(NlpGgufWriter *w, const char *key, NlpGgufType type, size_t n, const void *values)
{
	NlpError	err;

	if (values)
		CHECK(nlp_gguf_put_array(w, key, type, n, values, &err) == NLP_OK);
}

static inline void
seg_bytes(const SegmentFile *f, SegmentTable *t)
{
	NlpGgufWriter *w;
	NlpError	err = {0};
	NlpBuf		buf;
	NlpSink		sink = {seg_write, &buf};

	nlp_buf_init(&buf, &nlp_libc_alloc);
	CHECK_OK(nlp_gguf_writer_new(&nlp_libc_alloc, &w, &err), err);
	CHECK_OK(nlp_gguf_put_str(w, "general.architecture", NLP_SEGMENT_ARCH, strlen(NLP_SEGMENT_ARCH), &err), err);
	if (!f->no_language)
		CHECK_OK(nlp_gguf_put_str(w, "segmenter.language", "zh", 2, &err), err);
	seg_put(w, "segmenter.words", f->wide_words ? NLP_GGUF_I8 : NLP_GGUF_U8, f->words ? strlen(f->words) : 0, f->words);
	seg_put(w, "segmenter.frequencies", NLP_GGUF_U32, f->n_frequencies, f->frequencies);
	seg_put(w, "segmenter.hmm.start", NLP_GGUF_F32, 4, f->start);
	seg_put(w, "segmenter.hmm.step", NLP_GGUF_F32, 16, f->step);
	seg_put(w, "segmenter.hmm.chars", NLP_GGUF_U32, f->n_chars, f->chars);
	seg_put(w, "segmenter.hmm.emit", NLP_GGUF_F32, f->n_emit, f->emit);
	seg_put(w, "segmenter.fold.from", NLP_GGUF_U32, f->n_from, f->from);
	seg_put(w, "segmenter.fold.to", NLP_GGUF_U32, f->n_to, f->to);
	CHECK_OK(nlp_gguf_write_header(w, &sink, &err), err);
	CHECK_OK(nlp_gguf_write_end(w, &sink, &err), err);
	nlp_gguf_writer_free(w);
	/* exactly as large as the file, so that a read past its end is seen */
	t->file_bytes = buf.len;
	t->file = malloc(buf.len);
	memcpy(t->file, buf.data, buf.len);
	nlp_buf_free(&buf);
}

/* File bytes to table; t->s stays NULL when refused. */
static inline NlpStatus
seg_load(SegmentTable *t, const NlpEnv *env, NlpError *err)
{
	NlpMemorySource src;
	NlpStatus	st;

	t->s = NULL;
	nlp_memory_source_init(&src, t->file, t->file_bytes);
	st = nlp_gguf_open(&src.source, &seg_env, &t->g, err);
	if (st != NLP_OK)
		return st;
	st = nlp_segmenter_plan(&t->g, env, &t->bytes, err);
	if (st == NLP_OK)
	{
		t->s = aligned_alloc(64, (t->bytes + 63) & ~(uint64_t) 63);
		memset(t->s, 0xa5, t->bytes);
		st = nlp_segmenter_build(&t->g, env, t->s, t->bytes, err);
	}
	if (st == NLP_OK)
		st = nlp_segmenter_check(t->s, t->bytes, err);
	if (st != NLP_OK)
	{
		free(t->s);
		t->s = NULL;
	}
	nlp_gguf_close(&t->g);
	return st;
}

static inline void
seg_free(SegmentTable *t)
{
	free(t->s);
	free(t->file);
	t->s = NULL;
	t->file = NULL;
}

/* The words of a text joined by "|". */
static inline const char *
seg_cut(const NlpSegmenter *s, const char *text, bool hmm)
{
	static char out[4096];
	NlpSpans	spans = {.alloc = &nlp_libc_alloc};
	NlpError	err = {0};
	size_t		n = 0;

	CHECK_OK(nlp_segment(s, text, strlen(text), hmm, &seg_env, &spans, &err), err);
	for (size_t i = 0; i < spans.n && n + spans.spans[i].len + 2 < sizeof(out); i++)
	{
		if (i)
			out[n++] = '|';
		memcpy(out + n, text + spans.spans[i].start, spans.spans[i].len);
		n += spans.spans[i].len;
	}
	out[n] = '\0';
	nlp_free(&nlp_libc_alloc, spans.spans);
	return out;
}

/* A dictionary of a few words and an HMM that likes words of two characters. */
static const uint32_t small_frequencies[] = {20, 50, 40, 30, 10, 5, 1000, 60, 30, 900};
static const float small_start[4] = {-0.3f, -30, -30, -1.4f};
static const float small_step[16] = {-30, -3, -0.1f, -30, -30, -1, -0.5f, -30, -0.7f, -30, -30, -0.7f, -0.7f, -30, -30, -0.7f};
static const uint32_t small_chars[] = {0x5c0f, 0x660e, 0x738b};	/* 小 明 王 */
static const float small_emit[12] = {-3, -2, -3, -4, -3, -3, -2, -4, -2, -5, -5, -3};
static const uint32_t small_from[] = {'K', 'O', 0x570b};	/* 國 */
static const uint32_t small_to[] = {'k', 'o', 0x56fd};	/* 国 */
static const SegmentFile small_file = {
	.words = "t恤\n中国\n中国人\n人民\n卡拉ok\n国人\n在\n大学\n大学生\n的",
	.frequencies = small_frequencies, .n_frequencies = 10,
	.start = small_start, .step = small_step,
	.chars = small_chars, .n_chars = 3, .emit = small_emit, .n_emit = 12,
	.from = small_from, .n_from = 3, .to = small_to, .n_to = 3
};

#endif
