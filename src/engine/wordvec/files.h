/* files.h --- word vectors in other people's formats, in and out.
 *
 * Formats, told apart by their bytes:
 *   word2vec .bin    "n dim\n", then n of: word, space, dim f32, and a newline that some writers leave out
 *   word2vec .txt and fastText .vec   "n dim\n", then lines: word and dim numbers, by single spaces
 *   GloVe .txt       the same lines without the first; dim from the first line
 *   fastText .bin    magic 793712314, version 12 or 11; unsupervised models (skipgram, cbow), not quantised;
 *                    dictionary, input matrix [words + buckets], output matrix; supervised, quantised and pruned ones
 *                    are refused by name. A word's vector is the mean of its row and its n-grams' rows, as fastText gives it
 * Text:   a line is the word and dim numbers, each after one space; one space may end it (word2vec.c, fastText), CR LF
 *         may, the last newline may be missing, empty lines may follow the last row, a byte order mark may come first.
 *         A line with more fields (GloVe 840B has such) is read from its end: the last dim fields are the numbers, what is
 *         before them is the word, unless its own last field is a number: then the row has too many, and is refused.
 * Binary: rows of so few numbers that they are valid as text too are taken for text.
 * Trust:  a stranger's bytes. Every count is compared with the bytes left before it is used; numbers are read by our
 *         own reader (no locale, correctly rounded to f32; nan, inf, hex, "1,5" and what overflows refused, with row and
 *         byte offset; what is too small is 0); a word twice, empty, over 1024 bytes, with a zero byte or not UTF-8
 *         is refused with its row (see nlp_wordfile options); a row of zeros accepted; more or fewer rows than
 *         the header says refused.
 * Memory: words and their index, and a window of at most 1 MB; vectors are streamed (two passes over the source). Of
 *         fastText models with n-grams also the sums of a batch of words, at most 256 MB, less where that is refused. */
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
	uint32_t	limit;			/* only the first rows of the file; 0: all */
	bool		skip_bad_words;	/* duplicates (the first stands), words that are empty, not UTF-8, too long or
								 * hold a zero byte are left out and counted, as gensim does with duplicates;
								 * false: refused */
} NlpWordFileOptions;

typedef struct NlpWordFileReport
{
	NlpWordFormat format;
	uint64_t	rows;			/* kept */
	uint32_t	dim;
	uint64_t	skipped;
} NlpWordFileReport;

/* Convert src to GGUF into sink. Reads src twice, each time ascending (fastText: skips forward; a model with
 * n-grams once more for each batch of words after the first). Faults of the numbers show while the sink is already
 * being written: it is worth nothing unless NLP_OK is returned. name may be NULL. Cancellable. */
extern NlpStatus nlp_wordfile_import(const NlpSource *src, const NlpWordFileOptions *options, const char *name,
									 const NlpSink *sink, const NlpEnv *env, NlpWordFileReport *report, NlpError *err);

/* Write a resident table as word2vec binary or text: numbers read back as the same f32, here and by gensim. A word that
 * the format cannot hold is NLP_EINVALID: with a space (binary), with a newline, or with spaces that the text's
 * reader would take for something else; another format than the two is NLP_EUNSUPPORTED. */
extern NlpStatus nlp_wordfile_export(const NlpWords *w, NlpWordFormat format, const NlpSink *sink,
									 const NlpEnv *env, NlpError *err);

#endif
