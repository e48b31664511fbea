/* files.h --- word vectors in other people's formats, in and out.
 *
 * Formats, told apart by their bytes:
 *   word2vec .bin    "n dim\n", then n of: word, space, dim f32, and a newline that some writers leave out
 *   word2vec .txt and fastText .vec   "n dim\n", then lines: word and dim numbers, by single spaces
 *   GloVe .txt       the same lines without the first; dim from the first line
 *   fastText .bin    magic 793712314, version 12; unsupervised models (skipgram, cbow), not quantised;
 *                    dictionary, input matrix [words + buckets], output matrix; supervised ones are refused by name
 * Trust:  a stranger's bytes. Every count is compared with the bytes left before it is used; numbers are read by our
 *         own reader (no locale; nan, inf, hex, "1,5" refused, with row and byte offset); a word twice, empty, over
 *         1024 bytes or not UTF-8 is refused with its row (see nlp_wordfile options); CRLF accepted; a row of zeros accepted.
 * Memory: words and their index; vectors are streamed (two passes over the source). */
#ifndef NLP_WORDVEC_FILES_H
#define NLP_WORDVEC_FILES_H

#include "wordvec/train.h"

typedef enum NlpWordFormat
{
	NLP_WORDFILE_NONE,			/* not one of ours */
	NLP_WORDFILE_W2V_BIN,
	NLP_WORDFILE_W2V_TEXT,		/* also fastText .vec */
	NLP_WORDFILE_GLOVE,
	NLP_WORDFILE_FASTTEXT
} NlpWordFormat;

/* By the first bytes (at most 64 kB are read). Never an error but for I/O; GGUF and safetensors give NONE. */
extern NlpStatus nlp_wordfile_detect(const NlpSource *src, NlpWordFormat *format, NlpError *err);
extern const char *nlp_wordfile_name(NlpWordFormat format);	/* "word2vec binary", ... */

typedef struct NlpWordFileOptions
{
	uint32_t	limit;			/* only the first rows; 0: all */
	bool		skip_bad_words;	/* duplicates (the first stands), words that are not UTF-8 or too long are left
								 * out and counted, as gensim does with duplicates; false: refused */
} NlpWordFileOptions;

typedef struct NlpWordFileReport
{
	NlpWordFormat format;
	uint64_t	rows;			/* kept */
	uint32_t	dim;
	uint64_t	skipped;
} NlpWordFileReport;

/* Convert src to GGUF into sink. Reads src twice, each time ascending (fastText: skips forward). Cancellable. */
extern NlpStatus nlp_wordfile_import(const NlpSource *src, const NlpWordFileOptions *options, const char *name,
									 const NlpSink *sink, const NlpEnv *env, NlpWordFileReport *report, NlpError *err);

/* Write a resident table as word2vec binary or text (numbers that read back as the same f32). */
extern NlpStatus nlp_wordfile_export(const NlpWords *w, NlpWordFormat format, const NlpSink *sink,
									 const NlpEnv *env, NlpError *err);

#endif
