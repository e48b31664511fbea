/* coder.h --- a backend's half of a tokenizer, private to token/. */
#ifndef NLP_TOKEN_CODER_H
#define NLP_TOKEN_CODER_H

#include "token/special.h"

#define CACHE_SLOTS 4096u		/* 256 kB a coder */
#define CACHE_WORD 27u			/* bytes of the longest word kept */
#define CACHE_IDS 7u			/* most tokens of a word kept */

/* One cache line: a word and what became of it. */
typedef struct CachedWord
{
	uint8_t		len;			/* 0: empty */
	uint8_t		n;
	char		word[CACHE_WORD];
	uint8_t		at[CACHE_IDS];	/* first byte of each token in the word */
	int32_t		ids[CACHE_IDS];
} CachedWord;

_Static_assert(sizeof(CachedWord) == 64, "a cached word is one cache line");

struct NlpCoder
{
	const NlpTokenizer *tok;
	const NlpAlloc *alloc;
	CachedWord *cache;			/* [CACHE_SLOTS] */
	MarkerIndex markers;
};

#endif
