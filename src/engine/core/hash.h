/* hash.h --- hashing bytes. */
#ifndef NLP_CORE_HASH_H
#define NLP_CORE_HASH_H

#include <stddef.h>
#include <stdint.h>

/* FNV-1a, 64 bit, with a final mix so that low bits may index a table. */
static inline uint64_t
nlp_hash_bytes(const void *bytes, size_t len)
{
	const unsigned char *p = bytes;
	uint64_t	h = 0xcbf29ce484222325u;

	for (size_t i = 0; i < len; i++)
		h = (h ^ p[i]) * 0x100000001b3u;
	h ^= h >> 32;
	h *= 0x9e3779b97f4a7c15u;
	return h ^ (h >> 29);
}

#endif
