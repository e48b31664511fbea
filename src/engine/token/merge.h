/* merge.h --- joining a word's characters into tokens, best pair first. Private to token/.
 *
 * Both models are one algorithm: a heap of neighbouring pairs, the best joined, its
 * new neighbours looked up, until no pair is left: O(n log n) for a word of n
 * characters, whatever they are. For byte-level BPE a pair's worth is its rank in the
 * merge list; for SentencePiece it is the score of the token the two spell. */
#ifndef NLP_TOKEN_MERGE_H
#define NLP_TOKEN_MERGE_H

#include "token/block.h"

/* A token under way. Those joined to their left neighbour have len 0; walk by next. */
typedef struct Symbol
{
	int32_t		id;				/* -1: no token has this text */
	uint32_t	len;			/* bytes of the word */
	int32_t		prev;
	int32_t		next;			/* -1: last */
	uint32_t	at;				/* first byte in the word */
} Symbol;

typedef struct PairEntry
{
	uint64_t	key;			/* worth, then place: smallest first */
	uint32_t	len;			/* bytes of both, to tell a stale entry */
	int32_t		id;
} PairEntry;

#define MERGE_INLINE 64

typedef struct MergeWork
{
	const NlpAlloc *alloc;
	Symbol	   *symbols;
	PairEntry  *heap;
	size_t		cap;			/* symbols there is room for */
	Symbol		inline_symbols[MERGE_INLINE];
	PairEntry	inline_heap[MERGE_INLINE * 2];
} MergeWork;

extern void nlp_merge_init(MergeWork *w, const NlpAlloc *alloc);
extern void nlp_merge_free(MergeWork *w);

/* Leave the word's tokens in w->symbols, from 0 along next. len > 0. The word is raw
 * bytes for a byte-level vocabulary, else UTF-8 with U+2581 for spaces. */
extern NlpStatus nlp_merge_word(MergeWork *w, const NlpTokenizer *t, const NlpEnv *env,
								const char *word, size_t len, NlpError *err);

#endif
