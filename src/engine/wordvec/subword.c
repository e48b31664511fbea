/* subword.c --- character n-grams of a word, and the bucket each falls into.
 *
 * As fastText 0.9.2: the word between < and >, every run of min to max characters (not bytes),
 * but not < or > alone; FNV-1a over the bytes, each sign-extended (a quirk of fastText that its
 * files depend on), modulo the number of buckets. Order: by start, then by length. */
#include "wordvec/train_private.h"
#include "engine_only.h"

/* Byte i of <word>. */
static inline unsigned char
byte_at(const char *word, size_t len, size_t i)
{
	return i == 0 ? '<' : i <= len ? (unsigned char) word[i - 1] : '>';
}

static inline bool
continues(unsigned char c)
{
	return (c & 0xc0) == 0x80;
}

size_t
nlp_subwords(uint32_t min, uint32_t max, uint32_t n_buckets, const char *word, size_t len,
			 uint32_t *buckets, size_t max_buckets)
{
	size_t		total = len + 2;
	size_t		found = 0;

	if (min == 0 || n_buckets == 0)
		return 0;
	for (size_t i = 0; i < total; i++)
	{
		uint32_t	h = 2166136261u;
		size_t		j = i;

		if (continues(byte_at(word, len, i)))
			continue;
		for (uint32_t n = 1; n <= max && j < total; n++)
		{
			do
			{
				h ^= (uint32_t) (int32_t) (int8_t) byte_at(word, len, j++);
				h *= 16777619u;
			} while (j < total && continues(byte_at(word, len, j)));
			if (n < min || (n == 1 && (i == 0 || j == total)))
				continue;
			if (found < max_buckets)
				buckets[found] = h % n_buckets;
			found++;
		}
	}
	return found;
}

uint64_t
nlp_subwords_of(uint32_t min, uint32_t max, uint64_t characters)
{
	uint64_t	total = characters + 2;
	uint64_t	last = max < total ? max : total;	/* the longest there can be */

	if (min == 0 || min > last)
		return 0;
	/* total - n + 1 of each length n, and neither < nor > alone. */
	return (last - min + 1) * (total + 1) - (last * (last + 1) - (uint64_t) min * (min - 1)) / 2 - (min == 1 ? 2 : 0);
}

size_t
nlp_words_subwords(const NlpWords *w, const char *word, size_t len, uint32_t *buckets, size_t max)
{
	return nlp_subwords(w->subword_min, w->subword_max, w->buckets, word, len, buckets, max);
}
