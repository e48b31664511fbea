/* special.h --- markers inside a text: user-defined tokens, and control tokens when
 * asked for. Private to token/. */
#ifndef NLP_TOKEN_SPECIAL_H
#define NLP_TOKEN_SPECIAL_H

#include "token/block.h"

/* A stretch of the text, or a marker in it. */
typedef struct Fragment
{
	uint32_t	at;
	uint32_t	len;
	int32_t		id;				/* -1: text */
} Fragment;

typedef struct Fragments
{
	Fragment   *items;			/* alloc'ed with env->alloc, by nlp_free */
	size_t		n;
} Fragments;

/* First bytes of markers, for skipping through a text. */
typedef struct MarkerIndex
{
	uint32_t	first[257];		/* specials beginning with byte b: [first[b], first[b + 1]) */
	bool		user[256];		/* ... one of them user-defined */
	bool		any_user;
} MarkerIndex;

extern void nlp_marker_index(const NlpTokenizer *t, MarkerIndex *m);

/* Cut text into stretches and markers, longest marker first, each in the stretches
 * the longer ones left; white space next to a stripping marker belongs to nothing.
 * max_markers 0: no limit, else NLP_ELIMIT when there are more. */
extern NlpStatus nlp_special_split(const NlpTokenizer *t, const MarkerIndex *m, const NlpEnv *env,
								   const char *text, size_t len, bool control, size_t max_markers,
								   Fragments *out, NlpError *err);

#endif
