/* words.h --- word vectors as a model: the GGUF form that is stored, and the resident
 * table that answers.
 *
 * The GGUF form, architecture "word2vec" (llama.cpp has none; keys are ours):
 *   word2vec.embedding_length      u32     dim
 *   word2vec.words                 str[n]  in order of rank (most frequent first when counts are there)
 *   word2vec.counts                u64[n]  absent: not known
 *   word2vec.objective             str     "skip-gram", "cbow" or absent (vectors only)
 *   word2vec.loss                  str     "negative", "hierarchical", "softmax" or absent
 *   word2vec.window, .negative, .epochs, .min_count   u32;  .sample, .alpha  f32;  .seed u64     how it was trained
 *   word2vec.cbow_mean             bool    contexts are averaged (true) or summed
 *   word2vec.segmenter             str     "words" or "chinese": how texts were cut (token/words.h)
 *   word2vec.subword.min, .max, .buckets   u32     character n-grams, fastText's hash; absent: none
 *   token_embd.weight     f32 [dim, n]          what a word's vector is, n-grams included
 *   word_input.weight     f32 [dim, n]          with n-grams: the word's own row alone
 *   subword.weight        f32 [dim, buckets]    the n-gram rows
 *   output.weight         f32 [dim, n]          negative sampling and softmax: the output rows, kept for
 *                                               predict_word and context_words and for more training
 *   output_nodes.weight   f32 [dim, n - 1]      hierarchical softmax: inner nodes of the Huffman tree of counts
 *   word2vec.training.*                         only in a checkpoint (wordvec/train.h)
 * Vectors may also be f16 or Q8_0 in the file; in memory they are f32.
 *
 * Trust: a file is a stranger's: names, shapes, counts and values (finite) are checked by
 * nlp_words_plan and _build; empty, duplicate or non-UTF-8 words are refused.
 * Answers: unknown words are "not found", never a made-up vector; with subwords a word
 * of at least one n-gram has the mean of its n-grams' rows, as fastText. */
#ifndef NLP_WORDVEC_WORDS_H
#define NLP_WORDVEC_WORDS_H

#include "core/env.h"
#include "format/gguf.h"
#include "kernel/scan.h"

#define NLP_WORDS_ARCH "word2vec"
#define NLP_WORDS_MAX_BYTES 1024	/* of one word */
#define NLP_NO_WORD UINT32_MAX

/* The resident table: one relocatable block, offsets from its start, read-only.
 * Rows of f32 are stride floats apart (dim rounded up to 16, padding zero). */
typedef struct NlpWords
{
	uint64_t	bytes;
	uint32_t	n;
	uint32_t	dim;
	uint32_t	stride;
	uint32_t	hash_mask;		/* slots - 1 */
	uint32_t	subword_min,	/* 0: no n-grams */
				subword_max,
				buckets;
	uint32_t	objective,		/* NlpWordObjective */
				loss;			/* NlpWordLoss */
	uint32_t	cbow_mean;
	uint32_t	window;
	uint32_t	chinese;		/* texts are cut by the Chinese segmenter */
	uint64_t	total_count;	/* sum of counts; 0: counts are not known */
	uint64_t	text_offset;	/* bytes of all words */
	uint64_t	text_bytes;
	uint64_t	starts_offset;	/* u64[n + 1] into text */
	uint64_t	counts_offset;	/* u64[n]; 0: not known */
	uint64_t	hash_offset;	/* u32[hash_mask + 1], NLP_NO_WORD: free */
	uint64_t	vectors_offset; /* f32[n][stride] */
	uint64_t	norms_offset;	/* f32[n] */
	uint64_t	codes_offset;	/* int8 tiles of the vectors divided by their norms (kernel/scan.h) */
	uint64_t	scales_offset;	/* NlpScanCode[n rounded up to 16] */
	uint64_t	output_offset;	/* f32[n or n - 1][stride]; 0: none */
	uint64_t	tree_offset;	/* u32[2n - 1], with inner nodes: 2 * parent + code of each leaf, then of each
								 * inner node; 0: none */
	uint64_t	subword_offset; /* f32[buckets][stride]; 0: none */
} NlpWords;

typedef enum NlpWordObjective { NLP_WORDS_PLAIN, NLP_WORDS_SKIPGRAM, NLP_WORDS_CBOW } NlpWordObjective;
typedef enum NlpWordLoss { NLP_WORDS_NO_LOSS, NLP_WORDS_NEGATIVE, NLP_WORDS_HIERARCHICAL, NLP_WORDS_SOFTMAX } NlpWordLoss;

/* ---- from GGUF to the table (words_image.c); called by model/image.c ---- */
typedef struct NlpWordsPlan NlpWordsPlan;
/* g stays open and owned by the caller as long as the plan. */
extern NlpStatus nlp_words_plan(const NlpGguf *g, const NlpEnv *env, NlpWordsPlan **plan, NlpError *err);
extern void nlp_words_plan_free(NlpWordsPlan *plan);
extern uint64_t nlp_words_plan_bytes(const NlpWordsPlan *plan);
extern uint64_t nlp_words_plan_parameters(const NlpWordsPlan *plan);
/* block NULL: check all tensor data and keep none of it. Writes every byte of block. */
extern NlpStatus nlp_words_build(NlpWordsPlan *plan, const NlpSource *src, const NlpEnv *env, void *block,
								 volatile uint64_t *done, NlpError *err);
extern NlpStatus nlp_words_check(const NlpWords *w, uint64_t bytes, NlpError *err);

/* ---- asking (words.c) ---- */
extern uint32_t nlp_words_find(const NlpWords *w, const char *word, size_t len);	/* NLP_NO_WORD */
extern const char *nlp_words_text(const NlpWords *w, uint32_t id, size_t *len);
extern uint64_t nlp_words_count(const NlpWords *w, uint32_t id);	/* 0: not known */
extern const float *nlp_words_row(const NlpWords *w, uint32_t id);
/* The vector of any word into out [dim]: its row, else from its n-grams; false: not known. */
extern bool nlp_words_vector(const NlpWords *w, const char *word, size_t len, float *out);
/* Buckets of a word's n-grams, as fastText computes them (word in < >, n characters, FNV-1a
 * with sign-extended bytes, modulo buckets). Returns how many; fills at most max. */
extern size_t nlp_words_subwords(const NlpWords *w, const char *word, size_t len, uint32_t *buckets, size_t max);

typedef struct NlpNeighbour
{
	uint32_t	word;
	float		score;			/* cosine; exact re-rank, as nlp_dot_f32 over the normalised query */
} NlpNeighbour;

/* Which words may be answers. NULL function: all in [0, limit). */
typedef struct NlpWordFilter
{
	uint32_t	limit;			/* only the first limit words; 0: all */
	float		min_score;		/* below it: not an answer; -INFINITY: all */
	bool		(*keep) (void *ctx, uint32_t word);
	void	   *ctx;
} NlpWordFilter;

/* The k nearest by cosine, best first, ties by lower id; exact. query [dim] need not be
 * normalised; a zero query gives none. out [k]; *n_out <= k. Polls. */
extern NlpStatus nlp_words_nearest(const NlpWords *w, const float *query, uint32_t k, const NlpWordFilter *filter,
								   const NlpEnv *env, NlpNeighbour *out, uint32_t *n_out, NlpError *err);

/* gensim's most_similar: sum of sign * unit vector, mean, normalised (out [dim]); then nearest
 * without the given words is the caller's. */
extern void nlp_words_mean(const NlpWords *w, const uint32_t *words, const float *weights, size_t n, float *out);

/* Probabilities over the vocabulary (NlpWordLoss decides how, each as gensim's predict_output_word
 * does it for negative sampling: softmax over output rows . hidden).
 *   predict: CBOW hidden layer of the context words, summed or averaged as trained.
 *   context: skip-gram, hidden = the word's input vector.
 * The k most probable, best first. NLP_EUNSUPPORTED when the model keeps no output rows. */
extern NlpStatus nlp_words_predict(const NlpWords *w, const uint32_t *context, size_t n, uint32_t k,
								   const NlpEnv *env, NlpNeighbour *out, uint32_t *n_out, NlpError *err);
extern NlpStatus nlp_words_context(const NlpWords *w, uint32_t word, uint32_t k,
								   const NlpEnv *env, NlpNeighbour *out, uint32_t *n_out, NlpError *err);

/* Smooth inverse frequency (Arora et al. 2017): weights a / (a + count / total), a = 1e-3; mean
 * of the known words' vectors, not normalised; false: none known. Without counts: plain mean. */
extern bool nlp_words_phrase(const NlpWords *w, const NlpStr *words, size_t n, double a, float *out);

#endif
