/* train.h --- training word vectors: word2vec's objectives, with fastText's n-grams.
 *
 * Sources: Mikolov et al. 2013 (two papers) and word2vec.c for the rule of updates;
 * Bojanowski et al. 2017 for n-grams; Ji et al. 2016 for sharing negatives.
 *
 * Two passes over token ids that were read from rows once. A vocabulary builder gives
 * every distinct word a first-seen id and the caller keeps the stream of them (a
 * "spool": u32 ids, NLP_SENTENCE_END between texts); when all rows are in, the
 * vocabulary is sorted and cut, and training maps ids as it reads.
 *
 * Numbers: one thread, same seed, same stream: same vectors, bit for bit, on every
 * instruction set, also when the run was stopped at a checkpoint and went on. Random numbers
 * are counted (splitmix64 over Philox, by epoch and place in the stream), never drawn from a
 * state that goes on. With more threads rows are updated without locks,
 * and each thread keeps a private copy of the most frequent rows whose changes are added back at fixed places. */
#ifndef NLP_WORDVEC_TRAIN_H
#define NLP_WORDVEC_TRAIN_H

#include "wordvec/words.h"

#define NLP_SENTENCE_END UINT32_MAX	/* texts are also cut after 1,000 ids, as in word2vec.c (fewer where a centre is slow) */

typedef struct NlpWord2vecOptions
{
	NlpWordObjective objective;	/* skip-gram (default) or cbow */
	NlpWordLoss loss;			/* negative (default), hierarchical, softmax (vocabularies up to 50,000) */
	bool		exact;			/* word2vec's own order: a draw of negatives for every pair, one row at a
								 * time; false: the fast path, negatives shared by a window */
	bool		cbow_mean;		/* true */
	uint32_t	dim;			/* 100; up to 16,000 */
	uint32_t	window;			/* 5; 8 for cbow; up to 1,000. Each centre draws its width in 1..window */
	uint32_t	negative;		/* 5; up to 64 */
	uint32_t	epochs;			/* 5 */
	uint32_t	min_count;		/* 5 */
	uint32_t	max_words;		/* 0: no limit; the most frequent ones are kept */
	uint32_t	subword_min,	/* 0: no n-grams; fastText's are 3 and 6 */
				subword_max,
				buckets;		/* 2,000,000 */
	double		sample;			/* 1e-3; 0: off */
	float		alpha;			/* 0.025; 0.05 for cbow; falls linearly to min_alpha */
	float		min_alpha;		/* 1e-4 of alpha, as word2vec.c */
	uint64_t	seed;
	uint32_t	hot_rows;		/* private rows a thread: 32,000; 0 with one thread */
	bool		chinese;		/* noted in the model */
} NlpWord2vecOptions;

extern void nlp_word2vec_defaults(NlpWordObjective objective, NlpWord2vecOptions *o);
/* Ranges and combinations; the message names the option. */
extern NlpStatus nlp_word2vec_check(const NlpWord2vecOptions *o, NlpError *err);

/* ---- vocabulary (vocab.c) ---- */
typedef struct NlpVocab NlpVocab;
extern NlpStatus nlp_vocab_new(const NlpAlloc *alloc, NlpVocab **v, NlpError *err);
extern void nlp_vocab_free(NlpVocab *v);
/* Count one occurrence (valid UTF-8, 1..NLP_WORDS_MAX_BYTES bytes) and give its first-seen id. */
extern NlpStatus nlp_vocab_add(NlpVocab *v, const char *word, size_t len, uint32_t *id, NlpError *err);
/* For update: words of a model that is there already come first, with their counts, in order. Polls; after a
 * cancel only nlp_vocab_free is of use. */
extern NlpStatus nlp_vocab_seed(NlpVocab *v, const NlpWords *old, const NlpEnv *env, NlpError *err);
/* Sort by count (ties: first seen first) and drop what is below min_count or past max_words. After
 * nlp_vocab_seed the old words keep their ids and the new ones follow. Nothing can be added afterwards.
 * Polls; after a cancel only nlp_vocab_free is of use. */
extern NlpStatus nlp_vocab_finish(NlpVocab *v, uint32_t min_count, uint32_t max_words, const NlpEnv *env, NlpError *err);
extern uint32_t nlp_vocab_size(const NlpVocab *v);
extern uint64_t nlp_vocab_tokens(const NlpVocab *v);	/* occurrences of kept words, this stream only */
extern uint64_t nlp_vocab_distinct(const NlpVocab *v);	/* before the cut */
extern uint32_t nlp_vocab_map(const NlpVocab *v, uint32_t first_seen);	/* rank, or NLP_NO_WORD */
extern const char *nlp_vocab_word(const NlpVocab *v, uint32_t rank, size_t *len);
extern uint64_t nlp_vocab_word_count(const NlpVocab *v, uint32_t rank);
extern uint64_t nlp_vocab_text_bytes(const NlpVocab *v);	/* of all kept words together */
extern uint64_t nlp_vocab_hash(const NlpVocab *v);	/* of words and counts, to know a resumed run's data again */

/* ---- the trainer ---- */
typedef struct NlpWord2vec NlpWord2vec;

typedef struct NlpTrainState
{
	uint32_t	epoch,			/* from 0 */
				epochs;
	uint64_t	tokens_done;	/* kept words passed, all epochs together */
	uint64_t	tokens_total;
	double		loss;			/* mean over the last stretch: -log of the objective a pair; 0: not yet known */
	float		alpha;
} NlpTrainState;

/* After each block (about 100,000 tokens; at most 1/4 s of work), by the caller's thread, the pool idle. checkpoint_wanted may
 * be set by the callback: it may call nlp_word2vec_write on the trainer. A status other than NLP_OK stops the run. */
typedef NlpStatus (*NlpTrainProgress) (void *ctx, NlpWord2vec *t, const NlpTrainState *state, NlpError *err);

/* vocab and options are kept by the caller for the trainer's lifetime. All memory comes from env->alloc here:
 * nothing is allocated later. nlp_word2vec_bytes says how much that will be, in constant time. */
extern uint64_t nlp_word2vec_bytes(const NlpWord2vecOptions *o, const NlpVocab *vocab, int threads);
extern NlpStatus nlp_word2vec_new(const NlpWord2vecOptions *o, const NlpVocab *vocab, const NlpEnv *env,
								  NlpWord2vec **t, NlpError *err);
extern void nlp_word2vec_free(NlpWord2vec *t);
/* Start from a model: its rows for its words (they come first in vocab), fresh ones for new words.
 * NLP_EINVALID when shapes or objective differ, NLP_EUNSUPPORTED when it keeps no output rows. Polls. */
extern NlpStatus nlp_word2vec_start_from(NlpWord2vec *t, const NlpWords *old, const NlpEnv *env, NlpError *err);
/* Go on from a checkpoint, a GGUF that nlp_word2vec_write made with checkpoint true. Refused with the reason
 * when options, vocabulary or data differ. */
extern NlpStatus nlp_word2vec_restore(NlpWord2vec *t, const NlpSource *checkpoint, const NlpEnv *env, NlpError *err);
/* Train to the end. After an error (a cancel, a callback's status) rows are in the middle of a block: only
 * nlp_word2vec_free is of use then, and the last checkpoint. spool: u32 ids, n_ids of them; read in ascending order once an epoch, by the caller's thread only. */
extern NlpStatus nlp_word2vec_run(NlpWord2vec *t, const NlpSource *spool, const NlpEnv *env,
								  NlpTrainProgress progress, void *ctx, NlpError *err);
/* The GGUF of what there is now, to sink; name: general.name. checkpoint: with the place in the run. */
extern NlpStatus nlp_word2vec_write(NlpWord2vec *t, const char *name, bool checkpoint, const NlpSink *sink,
									const NlpEnv *env, NlpError *err);

/* Shared by the trainer and the importers: write the GGUF form of words.h. vectors are given row by row
 * (f32[dim]) by next(), tensor after tensor in the order of words.h. */
typedef struct NlpWordsOut
{
	uint32_t	n,
				dim;
	const NlpStr *words;
	const uint64_t *counts;		/* NULL: not known */
	const NlpWord2vecOptions *options;	/* NULL: vectors only, how they were trained is not known */
	NlpWordObjective objective;	/* these two count when options is NULL */
	NlpWordLoss loss;
	uint32_t	subword_min,
				subword_max,
				buckets;
	bool		has_word_input,
				has_subword,
				has_output,
				has_output_nodes;
	const char *name;
} NlpWordsOut;
/* tensor: index in the order token_embd, word_input, subword, output, output_nodes. */
typedef NlpStatus (*NlpWordsRow) (void *ctx, int tensor, uint32_t row, float *out, NlpError *err);
/* extra: called after our keys and before the tensors, for more keys; may be NULL. */
extern NlpStatus nlp_words_write(const NlpWordsOut *o, NlpWordsRow row, void *ctx,
								 NlpStatus (*extra) (void *ctx, NlpGgufWriter *w, NlpError *err),
								 const NlpSink *sink, const NlpEnv *env, NlpError *err);

#endif
