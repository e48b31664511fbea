/* train_private.h --- what the files of the trainer share; also for its unit test.
 *
 *   vocab.c         counting words
 *   alias.c         drawing by count^0.75      huffman.c   the tree of hierarchical softmax
 *   subword.c       n-grams of a word
 *   sampler.c       random numbers, subsampling, sentences of the spool
 *   train.c         options, memory, the run   train_step.c   one thread's walk over its sentences
 *   train_save.c    checkpoints, updates       words_write.c  the GGUF form
 *
 * Random numbers are functions of (seed, epoch, place in the spool, purpose, number), so a
 * sentence draws the same whoever trains it and wherever the run was stopped before. */
#ifndef NLP_WORDVEC_TRAIN_PRIVATE_H
#define NLP_WORDVEC_TRAIN_PRIVATE_H

#include "core/philox.h"
#include "kernel/wordvec.h"
#include "wordvec/pace.h"
#include "wordvec/train.h"

#define NLP_TRAIN_SENTENCE 1000	/* spool ids of a sentence, at most: longer texts are cut, as word2vec.c does */
#define NLP_TRAIN_BLOCK 100000	/* spool ids a thread between two progress calls, at most */
#define NLP_TRAIN_TILE 64		/* output rows of softmax at a time */
#define NLP_TRAIN_AHEAD 4		/* centres whose rows are fetched in advance */
#define NLP_TRAIN_RING 8		/* whose negatives are held: more than that, and a power of two */

/* ---- vocab.c, for the trainer ---- */
/* [NLP_WORDS_MAX_BYTES + 1]: how many kept words have so many characters (bytes that begin one). */
extern const uint64_t *nlp_vocab_lengths(const NlpVocab *v);
/* Sum of the base 2 logarithms of the kept words' counts (0 as 1), from below, within 0.09 a word; *total: of the counts. */
extern double nlp_vocab_count_bits(const NlpVocab *v, double *total);

/* ---- random numbers (splitmix64 over a counter) ---- */
typedef struct NlpDraws
{
	uint64_t	keep;			/* of subsampling: draw i belongs to id i of the sentence */
	uint64_t	walk;			/* of windows and negatives */
} NlpDraws;

static inline uint64_t
nlp_draw(uint64_t stream, uint64_t i)
{
	uint64_t	z = stream + (i + 1) * 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

/* Uniform below n, from the upper half of a draw. */
static inline uint32_t
nlp_draw_below(uint64_t draw, uint32_t n)
{
	return (uint32_t) (((draw >> 32) * n) >> 32);
}

extern NlpDraws nlp_draws_of(uint64_t seed, uint32_t epoch, uint64_t place);

/* ---- alias.c: Walker's table (Vose 1991) ---- */
typedef struct NlpAlias
{
	uint32_t	keep;			/* of 2^32: the column itself, else other */
	uint32_t	other;
} NlpAlias;

/* Weights count^0.75; work: n u32. All counts 0: uniform. Polls. */
extern NlpStatus nlp_alias_build(const NlpVocab *vocab, NlpAlias *table, double *weights, uint32_t *work,
								 const NlpEnv *env, NlpError *err);

static inline uint32_t
nlp_alias_draw(const NlpAlias *table, uint32_t n, uint64_t draw)
{
	uint32_t	i = nlp_draw_below(draw, n);
	NlpAlias	a = table[i];
	uint32_t	own = 0 - (uint32_t) ((uint32_t) draw < a.keep);	/* no branch: it would go either way */

	return a.other ^ ((a.other ^ i) & own);
}

/* ---- huffman.c ---- */
typedef struct NlpTree
{
	uint32_t   *start;			/* [n + 1] into nodes and codes */
	uint32_t   *nodes;			/* inner nodes from the root, numbered as they were made: root n - 2 */
	uint8_t    *codes;			/* 0 or 1 taken at each */
	uint32_t	longest;
} NlpTree;

/* Bytes of work for the others; n >= 1. */
extern uint64_t nlp_tree_work_bytes(uint32_t n);
/* The tree of n counts (by rank) into work. All of these poll. */
extern NlpStatus nlp_tree_join(uint32_t n, const uint64_t *counts, void *work, const NlpEnv *env, NlpError *err);
/* Of a vocabulary's counts, and how large its paths will be; *total: sum of the code lengths. */
extern NlpStatus nlp_tree_measure(const NlpVocab *vocab, void *work, const NlpEnv *env, uint64_t *total,
								  uint32_t *longest, NlpError *err);
/* start, nodes and codes, after nlp_tree_measure. */
extern NlpStatus nlp_tree_fill(uint32_t n, const void *work, NlpTree *tree, const NlpEnv *env, NlpError *err);
/* After nlp_tree_join: 2 * parent + code of each rank's leaf, then of inner node n + i; the root, 2n - 2, has 0. out [2n - 1] */
extern NlpStatus nlp_tree_parents(uint32_t n, const void *work, uint32_t *out, const NlpEnv *env, NlpError *err);

/* ---- sampler.c ---- */
/* For each first-seen id: rank, and how often (of 2^32) an occurrence is kept. */
typedef struct NlpKeep
{
	uint32_t	rank;			/* NLP_NO_WORD: not in the vocabulary */
	uint32_t	keep;			/* UINT32_MAX: always */
} NlpKeep;

extern NlpStatus nlp_keep_build(const NlpVocab *vocab, double sample, NlpKeep *keep, const NlpEnv *env, NlpError *err);
/* ids [n] of one sentence to ranks of what is kept; returns how many; *known: those in the vocabulary. */
extern uint32_t nlp_keep_sentence(const NlpKeep *keep, uint64_t n_keep, const uint32_t *ids, uint32_t n, uint64_t draws,
								  uint32_t *out, uint32_t *known);

/* One sentence in the block's buffer. */
typedef struct NlpSentence
{
	uint32_t	start;
	uint32_t	len;
} NlpSentence;

/* ---- the trainer ---- */
typedef struct NlpTrainThread
{
	NlpWord2vec *t;
	int			rank;
	/* where it is: a stop in the middle goes on from here */
	bool		busy;
	uint32_t	piece,
				sentence;		/* of the block */
	uint32_t	n_words,
				centre,
				context,		/* where a stop inside a centre goes on; 0: at its first */
				looked;			/* next centre to look ahead to */
	uint32_t   *words;			/* [NLP_TRAIN_SENTENCE] ranks */
	NlpDraws	draws;
	float		alpha;
	/* scratch, all of it 64-byte aligned */
	uint64_t   *draws_ahead;	/* [negative] of the centre after those of ahead: their table entries are on the way */
	uint32_t   *ahead;			/* [NLP_TRAIN_RING][negative] negatives of the coming centres */
	float	  **fetch;			/* [n_fetch] rows that a coming centre will want */
	int			n_fetch;
	float	  **x;				/* [x_rows] input rows: contexts, n-grams */
	float	  **y;				/* [y_rows] output rows */
	uint32_t	targets[NLP_WORD_INPUTS];	/* ranks */
	float	   *g;				/* coefficients of a window, or logits */
	float	   *raw;			/* products, for the loss */
	float	   *work;			/* [NLP_WORD_INPUTS][stride] */
	float	   *hidden;			/* [stride] */
	float	   *error;			/* [stride] */
	float	   *hot_in,
			   *hot_out;		/* private rows, NULL: none */
	/* what it did */
	uint64_t	tokens;
	double		loss;
	uint64_t	loss_pairs;
	uint32_t	until_poll;
	char		pad[64];		/* threads' structs share no cache line */
} NlpTrainThread;

struct NlpWord2vec
{
	NlpWord2vecOptions o;
	const NlpVocab *vocab;
	const NlpAlloc *alloc;
	const NlpWordKernel *kernel;
	int			threads;
	uint32_t	n,				/* words */
				n_out,			/* output rows: n, or n - 1 inner nodes */
				stride;
	uint32_t	hot;			/* private rows a thread: the first of input and of output words, the last inner nodes */
	uint32_t	hot_out_first;
	uint32_t	far_part;		/* of the less frequent private rows: added up after the next block */
	bool		apart;			/* private rows have changes that the common ones have not */
	float	   *input;			/* [n][stride] */
	float	   *output;			/* [n_out][stride] */
	float	   *gram;			/* [buckets][stride] */
	uint64_t   *gram_start;		/* [n + 1] */
	uint32_t   *grams;			/* buckets of each word */
	NlpAlias   *alias;
	NlpTree		tree;
	NlpKeep    *keep;			/* [distinct] */
	uint64_t	n_keep;
	uint32_t	max_grams;		/* of one word */
	NlpTrainThread *thread;		/* [threads] */
	/* the block */
	uint32_t	cut;			/* ids of a sentence at most */
	uint32_t	block_ids;
	uint32_t	poll_every;		/* centres; 0: also inside one */
	uint32_t   *ids;			/* [block_ids + cut] */
	NlpSentence *sentences;
	uint32_t   *pieces;			/* first sentence of each piece, and the end */
	uint32_t	n_pieces;
	uint32_t	next_piece;		/* atomic */
	uint32_t	stop;			/* atomic: a cancel is pending */
	uint32_t	useful;			/* atomic: some sentence has two words of the vocabulary */
	uint64_t	block_place;	/* of ids[0] in the spool */
	const NlpEnv *env;			/* of the run */
	/* the place in the run */
	uint64_t	n_ids;			/* of the spool; 0: not yet known */
	uint32_t	epoch;
	uint64_t	place;			/* next id of the spool */
	uint64_t	tokens_done;
	double		last_loss;
	bool		restored;
};

/* The trainer's row of a word or node, for one thread: its private copy or everyone's. */
static inline float *
nlp_train_input(const NlpWord2vec *t, const NlpTrainThread *th, uint32_t word)
{
	return word < t->hot ? th->hot_in + (size_t) word * t->stride : t->input + (size_t) word * t->stride;
}

static inline float *
nlp_train_output(const NlpWord2vec *t, const NlpTrainThread *th, uint32_t row)
{
	uint32_t	at = row - t->hot_out_first;

	return at < t->hot ? th->hot_out + (size_t) at * t->stride : t->output + (size_t) row * t->stride;
}

extern float nlp_train_alpha(const NlpWord2vec *t, uint32_t epoch, uint64_t place);
/* Bring every private row's changes into the common one; the pool is idle. */
extern void nlp_train_join(NlpWord2vec *t);

/* One thread's part of the block; returns at its end or when stop is set. */
extern void nlp_train_thread(NlpTrainThread *th);
/* token_embd of a word: its row, or the mean with its n-grams. out [dim] */
extern void nlp_train_vector(const NlpWord2vec *t, uint32_t word, float *out);

/* ---- subword.c ---- */
/* How many n-grams nlp_subwords finds in a word of so many characters, whatever they are. */
extern uint64_t nlp_subwords_of(uint32_t min, uint32_t max, uint64_t characters);
extern size_t nlp_subwords(uint32_t min, uint32_t max, uint32_t n_buckets, const char *word, size_t len,
						   uint32_t *buckets, size_t max_buckets);

#endif
