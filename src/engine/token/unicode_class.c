/* unicode_class.c --- from the runs of unicode_runs.h to a two-step table: block of
 * 128 code points, then class. One cache line answers for most of a script. */
#include "token/block.h"
#include "token/unicode_runs.h"
#include "engine_only.h"

#define N_RUNS (sizeof(class_runs) / sizeof(class_runs[0]))

/* Walks the runs; gives the classes of the next 128 code points. */
typedef struct Walk
{
	size_t		run;
	uint32_t	used;			/* of that run */
} Walk;

static void
next_block(Walk *w, uint8_t out[128])
{
	uint32_t	n = 0;

	while (n < 128 && w->run < N_RUNS)
	{
		uint32_t	len = class_runs[w->run] >> 6;
		uint32_t	take = len - w->used;

		if (take > 128 - n)
			take = 128 - n;
		memset(out + n, (int) (class_runs[w->run] & 63), take);
		n += take;
		w->used += take;
		if (w->used == len)
		{
			w->run++;
			w->used = 0;
		}
	}
	memset(out + n, 0, 128 - n);
}

/* Blocks whose 128 code points share one class are found by that class, others are
 * rarely equal: those get a block each. */
uint32_t
nlp_class_blocks(uint16_t *index)
{
	uint16_t	uniform[64];
	uint32_t	n = 0;
	Walk		w = {0, 0};

	memset(uniform, 0xff, sizeof(uniform));
	for (uint32_t i = 0; i < CLASS_INDEX; i++)
	{
		uint8_t		block[128];
		bool		same;

		next_block(&w, block);
		same = memcmp(block, block + 1, 127) == 0;
		if (same && uniform[block[0]] != 0xffff)
			index[i] = uniform[block[0]];
		else
		{
			if (same)
				uniform[block[0]] = (uint16_t) n;
			index[i] = (uint16_t) n++;
		}
	}
	return n;
}

void
nlp_class_fill(const uint16_t *index, uint8_t *classes)
{
	Walk		w = {0, 0};

	for (uint32_t i = 0; i < CLASS_INDEX; i++)
		next_block(&w, classes + (size_t) index[i] * 128);
}
