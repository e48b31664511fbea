/* pace.h --- polling in long loops of small steps, whatever their bounds are made of.
 *
 * A step is a value written or a small thing looked at: some nanoseconds, a tenth of a
 * microsecond where it misses the caches; so a poll comes every 1 to 25 ms at the latest, and
 * a loop pays an addition and a branch for it. */
#ifndef NLP_WORDVEC_PACE_H
#define NLP_WORDVEC_PACE_H

#include <string.h>

#include "core/env.h"

#define NLP_PACE_STEPS (1u << 18)
#define NLP_PACE_BYTES ((size_t) 1 << 20)	/* of plain memory, as many steps as it has floats */

typedef struct NlpPace
{
	const NlpEnv *env;
	uint64_t	steps;			/* since the last poll */
} NlpPace;

/* After so many steps. */
static inline NlpStatus
nlp_pace(NlpPace *p, uint64_t steps, NlpError *err)
{
	p->steps += steps;
	if (p->steps < NLP_PACE_STEPS)
		return NLP_OK;
	p->steps = 0;
	return nlp_poll(p->env, err);
}

/* memset and memcpy of large tables. */
static inline NlpStatus
nlp_set_paced(NlpPace *p, void *to, int value, size_t bytes, NlpError *err)
{
	for (size_t at = 0; at < bytes; at += NLP_PACE_BYTES)
	{
		size_t		n = bytes - at < NLP_PACE_BYTES ? bytes - at : NLP_PACE_BYTES;

		memset((char *) to + at, value, n);
		NLP_TRY(nlp_pace(p, n / sizeof(float), err));
	}
	return NLP_OK;
}

static inline NlpStatus
nlp_copy_paced(NlpPace *p, void *to, const void *from, size_t bytes, NlpError *err)
{
	for (size_t at = 0; at < bytes; at += NLP_PACE_BYTES)
	{
		size_t		n = bytes - at < NLP_PACE_BYTES ? bytes - at : NLP_PACE_BYTES;

		memcpy((char *) to + at, (const char *) from + at, n);
		NLP_TRY(nlp_pace(p, n / sizeof(float), err));
	}
	return NLP_OK;
}

#endif
