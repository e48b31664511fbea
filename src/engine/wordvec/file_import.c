/* file_import.c --- which format a file has, and the conversion of word2vec and GloVe
 * files to GGUF: one pass for the words, one for the vectors. */
#define _GNU_SOURCE
#include <string.h>

#include "core/utf8.h"
#include "wordvec/file_private.h"
#include "engine_only.h"

#define DETECT_BYTES 65536u

const char *
nlp_wordfile_name(NlpWordFormat format)
{
	static const char *const names[] = {"unknown", "word2vec binary", "word2vec text", "GloVe text", "fastText binary"};

	return (unsigned) format < sizeof(names) / sizeof(names[0]) ? names[format] : names[0];
}

/* ---- detection ---- */

/* Bytes of text: no control characters but white space, valid UTF-8 as far as it goes. */
static bool
is_text(const char *p, size_t len)
{
	size_t		whole = nlp_utf8_whole(p, len);
	size_t		bad;

	if (len - whole > 3 || !nlp_utf8_valid(p, whole, &bad))
		return false;
	for (size_t i = 0; i < len; i++)
	{
		if ((unsigned char) p[i] < 0x20 && p[i] != '\t' && p[i] != '\r' && p[i] != '\n')
			return false;
	}
	return true;
}

/* Whether the field at p reads as a number, also one out of range. */
static bool
number_field(const char *p, const char *end)
{
	float		f;
	bool		huge;

	return nlp_wordfile_number(p, end, &f, &huge) != NULL || huge;
}

/* Whether the line up to nl ends with dim numbers. Its word may hold spaces. */
static bool
row_of_numbers(const char *line, const char *nl, size_t dim)
{
	const char *stop = nl;

	if (stop > line && stop[-1] == '\r')
		stop--;
	if (stop > line && stop[-1] == ' ')
		stop--;
	for (; dim > 0; dim--)
	{
		const char *space = memrchr(line, ' ', (size_t) (stop - line));

		if (!space || !number_field(space + 1, stop))
			return false;
		stop = space;
	}
	return true;
}

/* The first row after the header, as far as it was read: text, or four bytes a number? Text when it reads as such; else
 * when the bytes are too few for binary, or when so many bytes as the binary numbers would be all look like text. What
 * is left to chance are rows of very few numbers that are valid either way. */
static NlpWordFormat
text_or_binary(const char *p, const char *end, uint64_t file_left, const char *dim_field, const char *dim_end)
{
	const char *space = memchr(p, ' ', (size_t) (end - p));
	const char *nl;
	size_t		dim = 0;
	size_t		span;

	for (; dim_field < dim_end && *dim_field >= '0' && *dim_field <= '9' && dim < DETECT_BYTES; dim_field++)
		dim = 10 * dim + (size_t) (*dim_field - '0');
	if (!space)
		return NLP_WORDFILE_W2V_TEXT;
	nl = memchr(space, '\n', (size_t) (end - space));
	if (nl && dim > 0 && row_of_numbers(p, nl, dim))
		return NLP_WORDFILE_W2V_TEXT;
	span = (size_t) (end - space);
	if (span > 1 + dim * sizeof(float))
		span = 1 + dim * sizeof(float);
	if (!nl)
		nl = end;
	if (is_text(space, (size_t) (nl - space)) && file_left - (uint64_t) (space - p) < 1 + dim * sizeof(float))
		return NLP_WORDFILE_W2V_TEXT;
	return span > 32 && is_text(space, span) ? NLP_WORDFILE_W2V_TEXT : NLP_WORDFILE_W2V_BIN;
}

static NlpWordFormat
detect_text(const char *p, const char *end, uint64_t file_bytes)
{
	const char *nl = memchr(p, '\n', (size_t) (end - p));
	const char *stop = nl ? nl : end;
	const char *space,
			   *last;

	if (stop > p && stop[-1] == '\r')
		stop--;
	if (stop > p && stop[-1] == ' ')
		stop--;
	space = memchr(p, ' ', (size_t) (stop - p));
	if (!space)
		return NLP_WORDFILE_NONE;
	last = memrchr(p, ' ', (size_t) (stop - p));
	if (space == last && number_field(p, stop) && number_field(space + 1, stop))
		return nl ? text_or_binary(nl + 1, end, file_bytes - (uint64_t) (nl + 1 - p), space + 1, stop) : NLP_WORDFILE_W2V_TEXT;
	if (!is_text(space, (size_t) (stop - space)) || (!number_field(space + 1, stop) && !number_field(last + 1, stop)))
		return NLP_WORDFILE_NONE;
	return NLP_WORDFILE_GLOVE;
}

static NlpWordFormat
detect_bytes(const char *p, size_t len, uint64_t file_bytes)
{
	uint32_t	magic;

	if (len >= sizeof(magic))
	{
		memcpy(&magic, p, sizeof(magic));
		if (magic == NLP_FASTTEXT_MAGIC)
			return NLP_WORDFILE_FASTTEXT;
		if (memcmp(p, "GGUF", 4) == 0)
			return NLP_WORDFILE_NONE;
	}
	if (len >= 9 && p[8] == '{' && memchr(p, '\0', 8))	/* safetensors: a length, then JSON */
		return NLP_WORDFILE_NONE;
	if (len >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0)
		return detect_text(p + 3, p + len, file_bytes - 3);
	return detect_text(p, p + len, file_bytes);
}

NlpStatus
nlp_wordfile_detect(const NlpSource *src, NlpWordFormat *format, NlpError *err)
{
	char	   *head;
	size_t		len = src->size < DETECT_BYTES ? (size_t) src->size : DETECT_BYTES;
	NlpStatus	st;

	head = nlp_alloc(&nlp_libc_alloc, len ? len : 1);
	if (!head)
		return nlp_no_memory(err, DETECT_BYTES, "start of a file");
	st = src->read(src->ctx, 0, len, head, err);
	if (st == NLP_OK)
		*format = detect_bytes(head, len, src->size);
	nlp_free(&nlp_libc_alloc, head);
	return st;
}

/* ---- conversion of rows ---- */
typedef struct RowsImport
{
	NlpWordRows rows;
	NlpWordList list;
} RowsImport;

static NlpStatus
collect_words(RowsImport *im, bool skip_bad, NlpError *err)
{
	NlpWordRows *r = &im->rows;

	for (;;)
	{
		bool		end;

		NLP_TRY(nlp_word_rows_next(r, NULL, &end, err));
		if (end)
			break;
		NLP_TRY(nlp_word_list_add(&im->list, r->word, r->word_len, r->row - 1, r->offset, skip_bad, NULL, NULL, err));
	}
	if (im->list.n == 0)
		return nlp_fail_at(err, NLP_ECORRUPT, "word", r->first, "a word vector file holds no usable word");
	nlp_word_list_done(&im->list);
	nlp_word_rows_rewind(r);
	return NLP_OK;
}

/* The next kept row: rows that were left out have another word than the one that is due. */
static NlpStatus
next_vector(void *ctx, int tensor, uint32_t row, float *out, NlpError *err)
{
	RowsImport *im = ctx;
	const NlpStr *due = &im->list.words[row];
	NlpWordRows *r = &im->rows;
	bool		end;

	do
	{
		NLP_TRY(nlp_word_rows_next(r, out, &end, err));
		if (end)
			return nlp_fail_at(err, NLP_EIO, "", r->offset, "a word vector file changed while it was being read");
	} while (!r->word || r->word_len != due->len || memcmp(r->word, due->data, due->len) != 0);
	return NLP_OK;
}

/* Rows after the last kept one are checked as well. */
static NlpStatus
read_to_end(RowsImport *im, const NlpEnv *env, NlpError *err)
{
	size_t		bytes = im->rows.dim * sizeof(float);
	float	   *row = nlp_alloc(env->alloc, bytes);
	bool		end = false;
	NlpStatus	st = row ? NLP_OK : nlp_no_memory(err, bytes, "a row");

	while (st == NLP_OK && !end)
		st = nlp_word_rows_next(&im->rows, row, &end, err);
	nlp_free(env->alloc, row);
	return st;
}

static NlpStatus
import_rows(RowsImport *im, const NlpWordFileOptions *options, const char *name, const NlpSink *sink, const NlpEnv *env,
			NlpError *err)
{
	NlpWordsOut out;

	NLP_TRY(collect_words(im, options->skip_bad_words, err));
	out = (NlpWordsOut) {.n = im->list.n,.dim = im->rows.dim,.words = im->list.words,.name = name};
	NLP_TRY(nlp_words_write(&out, next_vector, im, NULL, sink, env, err));
	return read_to_end(im, env, err);
}

NlpStatus
nlp_wordfile_import(const NlpSource *src, const NlpWordFileOptions *options, const char *name, const NlpSink *sink,
					const NlpEnv *env, NlpWordFileReport *report, NlpError *err)
{
	static const NlpWordFileOptions none;
	RowsImport	im = {0};
	NlpStatus	st;

	if (!options)
		options = &none;
	*report = (NlpWordFileReport) {0};
	NLP_TRY(nlp_wordfile_detect(src, &report->format, err));
	if (report->format == NLP_WORDFILE_NONE)
	{
		nlp_fail_at(err, NLP_ECORRUPT, "header", 0, "file is not in a known format of word vectors");
		return nlp_hint(err, "Known are word2vec binary and text, GloVe text, and fastText .vec and .bin.");
	}
	if (report->format == NLP_WORDFILE_FASTTEXT)
		return nlp_wordfile_fasttext(src, options, name, sink, env, report, err);
	nlp_word_list_init(&im.list, env->alloc);
	st = nlp_word_rows_open(&im.rows, report->format, src, options->limit, env, err);
	if (st == NLP_OK)
		st = import_rows(&im, options, name, sink, env, err);
	report->rows = im.list.n;
	report->dim = im.rows.dim;
	report->skipped = im.list.skipped;
	nlp_word_rows_close(&im.rows);
	nlp_word_list_free(&im.list);
	return st;
}
