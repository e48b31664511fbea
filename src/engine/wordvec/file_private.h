/* file_private.h --- what the readers of word vector files share: numbers, a window
 * over a source that is read once from front to back, rows, and the list of words. */
#ifndef NLP_WORDVEC_FILE_PRIVATE_H
#define NLP_WORDVEC_FILE_PRIVATE_H

#include "wordvec/files.h"

#define NLP_WORDFILE_MAX_DIM 16000u /* as the embedding type */
#define NLP_WORDFILE_NUMBER 64		/* bytes a number in a text may take on average, its space with it */

/* ---- numbers (file_number.c) ---- */

/* The decimal number at s, which must fill the bytes up to the next space or to end.
 * Correctly rounded to f32 whatever its length. NULL: not a number, or too large for f32
 * (*huge then true); else the byte after it. No locale, no nan, inf, hex or grouping. */
extern const char *nlp_wordfile_number(const char *s, const char *end, float *out, bool *huge);
/* The shortest decimals that read back as f (finite), without a NUL; at most
 * NLP_WORDFILE_DECIMALS bytes, how many is returned. */
#define NLP_WORDFILE_DECIMALS 32
extern size_t nlp_wordfile_decimals(float f, char *out);

/* ---- a window over a source (file_window.c) ---- */
typedef struct NlpWordWindow
{
	const NlpSource *src;
	const NlpEnv *env;
	char	   *data;
	size_t		cap;
	size_t		at,				/* next byte */
				len;			/* bytes held, from data */
	uint64_t	base;			/* offset of data[0] in the file */
} NlpWordWindow;

extern NlpStatus nlp_word_window_open(NlpWordWindow *w, const NlpSource *src, const NlpEnv *env, NlpError *err);
extern void nlp_word_window_close(NlpWordWindow *w);
/* Go to an offset (at most the file's size); cheap when it is in the window. */
extern void nlp_word_window_seek(NlpWordWindow *w, uint64_t offset);
/* Hold at least want bytes (at most cap) from at on, or all up to the file's end; *have says how many. Polls. */
extern NlpStatus nlp_word_window_fill(NlpWordWindow *w, size_t want, size_t *have, NlpError *err);
/* Pass over the bytes up to and with the next stop; *found false: none, the end is reached. */
extern NlpStatus nlp_word_window_skip_past(NlpWordWindow *w, char stop, bool *found, NlpError *err);

static inline uint64_t
nlp_word_window_offset(const NlpWordWindow *w)
{
	return w->base + w->at;
}

static inline uint64_t
nlp_word_window_left(const NlpWordWindow *w)
{
	return w->src->size - nlp_word_window_offset(w);
}

/* ---- rows of word2vec and GloVe files (file_rows.c: common, file_text.c, file_bin.c) ---- */
typedef struct NlpWordRows
{
	NlpWordFormat format;
	NlpWordWindow win;
	uint32_t	dim;
	uint64_t	claimed;		/* rows the header says; UINT64_MAX: no header */
	uint64_t	wanted;			/* rows to read, by header and limit */
	uint64_t	first;			/* offset of the first row */
	uint64_t	row;			/* rows read so far */
	char		skip_to;		/* not 0: what is left of the last row ends with this byte */
	uint64_t	blank_at;		/* offset of an empty line that was passed; UINT64_MAX: none */
	/* the row that nlp_word_rows_next gave */
	const char *word;			/* into the window; NULL: longer than NLP_WORDS_MAX_BYTES */
	size_t		word_len;
	uint64_t	offset;			/* where it begins in the file */
} NlpWordRows;

/* Reads the header, or the first line of a file without one. limit 0: all rows. */
extern NlpStatus nlp_word_rows_open(NlpWordRows *r, NlpWordFormat format, const NlpSource *src, uint32_t limit,
									const NlpEnv *env, NlpError *err);
extern void nlp_word_rows_close(NlpWordRows *r);
extern void nlp_word_rows_rewind(NlpWordRows *r);
/* The next row; *end: there is none and all is as the header said. vec [dim], or NULL: the numbers are not
 * looked at. A word that is too long is given as NULL, and then vec is not filled. */
extern NlpStatus nlp_word_rows_next(NlpWordRows *r, float *vec, bool *end, NlpError *err);

extern NlpStatus nlp_word_text_open(NlpWordRows *r, NlpError *err);
extern NlpStatus nlp_word_text_next(NlpWordRows *r, float *vec, bool *end, NlpError *err);
extern NlpStatus nlp_word_bin_next(NlpWordRows *r, float *vec, bool *end, NlpError *err);
/* f32 values from a file: false: one is not finite, *bad says which. */
extern bool nlp_word_floats(const char *bytes, size_t n, float *out, size_t *bad);

/* ---- the words of a file, each once (file_list.c) ---- */
typedef struct NlpWordList
{
	const NlpAlloc *alloc;
	NlpArena	arena;
	NlpStr	   *words;			/* [n] */
	uint64_t   *counts;			/* [n]; NULL: not known */
	uint32_t	n,
				cap;
	uint32_t   *slots;			/* hash table over words, NLP_NO_WORD: free; freed by nlp_word_list_done */
	uint32_t	mask;
	char	   *chunk;			/* where the next word goes */
	size_t		chunk_left;
	uint64_t	skipped;
} NlpWordList;

extern void nlp_word_list_init(NlpWordList *l, const NlpAlloc *alloc);
extern void nlp_word_list_free(NlpWordList *l);
/* Take in the word of a row (word NULL: it was too long). A bad or second one is counted as skipped, or refused
 * with row (from 0) and offset. *kept may be NULL. count is kept when with_count. */
extern NlpStatus nlp_word_list_add(NlpWordList *l, const char *word, size_t len, uint64_t row, uint64_t offset,
								   bool skip_bad, const uint64_t *count, bool *kept, NlpError *err);
extern void nlp_word_list_done(NlpWordList *l);

/* ---- fastText (file_fasttext.c) ---- */
extern NlpStatus nlp_wordfile_fasttext(const NlpSource *src, const NlpWordFileOptions *options, const char *name,
									   const NlpSink *sink, const NlpEnv *env, NlpWordFileReport *report, NlpError *err);
#define NLP_FASTTEXT_MAGIC 793712314

#endif
