/* philox.h --- counter-based random numbers, Philox 4x32-10.
 * Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
 * The draw for (seed, row, step) depends on nothing else, so sampling gives the
 * same text whatever the batch or thread. */
#ifndef NLP_CORE_PHILOX_H
#define NLP_CORE_PHILOX_H

#include <stdint.h>

/* out[4] from a 128-bit counter (row, step) and a 64-bit key (seed). */
static inline void
nlp_philox(uint64_t seed, uint64_t row, uint64_t step, uint32_t out[4])
{
	uint32_t	c0 = (uint32_t) step,
				c1 = (uint32_t) (step >> 32),
				c2 = (uint32_t) row,
				c3 = (uint32_t) (row >> 32);
	uint32_t	k0 = (uint32_t) seed,
				k1 = (uint32_t) (seed >> 32);

	for (int round = 0; round < 10; round++)
	{
		uint64_t	p0 = (uint64_t) 0xD2511F53u * c0;
		uint64_t	p1 = (uint64_t) 0xCD9E8D57u * c2;

		c0 = (uint32_t) (p1 >> 32) ^ c1 ^ k0;
		c1 = (uint32_t) p1;
		c2 = (uint32_t) (p0 >> 32) ^ c3 ^ k1;
		c3 = (uint32_t) p0;
		k0 += 0x9E3779B9u;
		k1 += 0xBB67AE85u;
	}
	out[0] = c0;
	out[1] = c1;
	out[2] = c2;
	out[3] = c3;
}

/* Uniform in [0, 1) with 53 bits. */
static inline double
nlp_philox_uniform(uint64_t seed, uint64_t row, uint64_t step)
{
	uint32_t	r[4];

	nlp_philox(seed, row, step, r);
	return (double) ((((uint64_t) r[0] << 32) | r[1]) >> 11) * 0x1p-53;
}

#endif
