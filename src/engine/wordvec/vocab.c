/* vocab.c --- counting words: every distinct word gets the id of its first appearance, and
 * when all are in, ranks by count.
 *
 * A word is looked up once an occurrence, so the path of a known word is short: its hash,
 * one slot of an open table (hash and id), one record of 32 bytes that holds the
 * word itself when it has up to 16 bytes. Longer ones lie in a text that grows.
 *
 * Owns:  table, records, text; after nlp_vocab_finish also the ranks, and no table.
 * Trust: words may be a stranger's: length is checked here, UTF-8 is the caller's duty. */
#include <string.h>

#include "core/hash.h"
#include "wordvec/sort.h"
#include "wordvec/train_private.h"
#include "engine_only.h"

#define SHORT_BYTES 16
#define FIRST_SLOTS 4096
#define FIRST_RECORDS 2048

typedef struct Record
{
	uint64_t	count;			/* in this stream */
	uint32_t	len;
	uint32_t	hash;
	union
	{
		char		inline_text[SHORT_BYTES];
		uint64_t	offset;		/* in text */
	}			at;
} Record;

typedef struct Slot
{
	uint32_t	hash;
	uint32_t	id;				/* NLP_NO_WORD: free */
} Slot;

struct NlpVocab
{
	const NlpAlloc *alloc;
	Slot	   *slots;
	size_t		mask;			/* slots - 1 */
	Record	   *records;
	size_t		n_records,
				cap_records;
	char	   *text;
	size_t		text_len,
				text_cap;
	uint64_t   *old_counts;		/* of the seed's words, which are records 0.. */
	uint32_t	n_old;
	bool		finished;
	uint32_t	n;				/* kept */
	uint32_t   *by_rank;		/* [n] -> record */
	uint32_t   *rank_of;		/* [n_records] */
	uint64_t	tokens;
	uint64_t	text_bytes;		/* of kept words */
	double		count_bits,		/* see nlp_vocab_count_bits */
				count_total;
	uint64_t	lengths[NLP_WORDS_MAX_BYTES + 1];
	uint64_t	hash;
};

NlpStatus
nlp_vocab_new(const NlpAlloc *alloc, NlpVocab **out, NlpError *err)
{
	NlpVocab   *v = nlp_alloc_zero(alloc, sizeof(*v));

	if (!v)
		return nlp_no_memory(err, sizeof(*v), "vocabulary");
	v->alloc = alloc;
	*out = v;
	return NLP_OK;
}

void
nlp_vocab_free(NlpVocab *v)
{
	if (!v)
		return;
	nlp_free(v->alloc, v->slots);
	nlp_free(v->alloc, v->records);
	nlp_free(v->alloc, v->text);
	nlp_free(v->alloc, v->old_counts);
	nlp_free(v->alloc, v->by_rank);
	nlp_free(v->alloc, v->rank_of);
	nlp_free(v->alloc, v);
}

/* ---- growing ---- */

/* Room for all words of a model at once: growing would go through the table unpolled. */
static NlpStatus
reserve(NlpVocab *v, uint32_t words, NlpPace *pace, NlpError *err)
{
	size_t		n = FIRST_SLOTS;

	while (n / 2 <= words)
		n *= 2;
	v->cap_records = (size_t) words + FIRST_RECORDS;
	v->records = nlp_alloc(v->alloc, v->cap_records * sizeof(Record));
	v->slots = nlp_alloc(v->alloc, n * sizeof(Slot));
	v->mask = n - 1;
	if (!v->records || !v->slots)
		return nlp_no_memory(err, n * sizeof(Slot), "vocabulary");
	return nlp_set_paced(pace, v->slots, 0xff, n * sizeof(Slot), err);
}

static NlpStatus
grow_slots(NlpVocab *v, NlpError *err)
{
	size_t		n = v->slots ? 2 * (v->mask + 1) : FIRST_SLOTS;
	size_t		bytes = n * sizeof(Slot);
	Slot	   *slots = nlp_alloc(v->alloc, bytes);

	if (!slots)
		return nlp_no_memory(err, bytes, "vocabulary");
	memset(slots, 0xff, bytes);
	for (size_t i = 0; v->slots && i <= v->mask; i++)
	{
		size_t		at = v->slots[i].hash & (n - 1);

		if (v->slots[i].id == NLP_NO_WORD)
			continue;
		while (slots[at].id != NLP_NO_WORD)
			at = (at + 1) & (n - 1);
		slots[at] = v->slots[i];
	}
	nlp_free(v->alloc, v->slots);
	v->slots = slots;
	v->mask = n - 1;
	return NLP_OK;
}

static NlpStatus
grow_records(NlpVocab *v, NlpError *err)
{
	size_t		cap = v->cap_records ? 2 * v->cap_records : FIRST_RECORDS;
	Record	   *records = nlp_realloc(v->alloc, v->records, v->n_records * sizeof(Record), cap * sizeof(Record));

	if (!records)
		return nlp_no_memory(err, cap * sizeof(Record), "vocabulary");
	v->records = records;
	v->cap_records = cap;
	return NLP_OK;
}

static NlpStatus
keep_text(NlpVocab *v, const char *word, size_t len, Record *r, NlpError *err)
{
	if (len <= SHORT_BYTES)
	{
		memcpy(r->at.inline_text, word, len);
		return NLP_OK;
	}
	if (v->text_cap - v->text_len < len)
	{
		size_t		cap = v->text_cap ? 2 * v->text_cap : 65536;
		char	   *text = nlp_realloc(v->alloc, v->text, v->text_len, cap);

		if (!text)
			return nlp_no_memory(err, cap, "vocabulary");
		v->text = text;
		v->text_cap = cap;
	}
	memcpy(v->text + v->text_len, word, len);
	r->at.offset = v->text_len;
	v->text_len += len;
	return NLP_OK;
}

static inline const char *
record_text(const NlpVocab *v, const Record *r)
{
	return r->len <= SHORT_BYTES ? r->at.inline_text : v->text + r->at.offset;
}

/* ---- adding ---- */

/* Eight bytes at a time: multiply and fold. Only this table sees it. */
static inline uint32_t
hash_word(const char *word, size_t len)
{
	uint64_t	h = len * 0x9e3779b97f4a7c15u;
	uint64_t	w;

	for (; len >= 8; word += 8, len -= 8)
	{
		memcpy(&w, word, 8);
		h = (h ^ w) * 0xff51afd7ed558ccdu;
		h ^= h >> 32;
	}
	w = 0;
	for (size_t i = 0; i < len; i++)
		w |= (uint64_t) (unsigned char) word[i] << 8 * i;
	h = (h ^ w) * 0xff51afd7ed558ccdu;
	h ^= h >> 32;
	h *= 0xc4ceb9fe1a85ec53u;
	return (uint32_t) (h >> 32);
}

static NlpStatus
add_new(NlpVocab *v, const char *word, size_t len, uint32_t hash, uint32_t *id, NlpError *err)
{
	Record		r = {.len = (uint32_t) len, .hash = hash};
	size_t		at;

	if (v->n_records >= NLP_NO_WORD - 1)
		return nlp_fail(err, NLP_ELIMIT, "there are more than %u different words", NLP_NO_WORD - 1);
	if (v->n_records == v->cap_records)
		NLP_TRY(grow_records(v, err));
	if (!v->slots || v->n_records >= (v->mask + 1) / 2)
		NLP_TRY(grow_slots(v, err));
	NLP_TRY(keep_text(v, word, len, &r, err));
	for (at = hash & v->mask; v->slots[at].id != NLP_NO_WORD;)
		at = (at + 1) & v->mask;
	v->slots[at] = (Slot) {hash, (uint32_t) v->n_records};
	*id = (uint32_t) v->n_records;
	v->records[v->n_records++] = r;
	return NLP_OK;
}

/* The record of a word, new with count 0 when it was not there. */
static NlpStatus
find_or_add(NlpVocab *v, const char *word, size_t len, uint32_t *id, NlpError *err)
{
	uint32_t	hash = hash_word(word, len);

	if (v->slots)
	{
		size_t		at = hash & v->mask;

		for (; v->slots[at].id != NLP_NO_WORD; at = (at + 1) & v->mask)
		{
			const Record *r = v->records + v->slots[at].id;

			if (v->slots[at].hash == hash && r->len == len && memcmp(record_text(v, r), word, len) == 0)
			{
				*id = v->slots[at].id;
				return NLP_OK;
			}
		}
	}
	return add_new(v, word, len, hash, id, err);
}

NlpStatus
nlp_vocab_add(NlpVocab *v, const char *word, size_t len, uint32_t *id, NlpError *err)
{
	if (v->finished)
		return nlp_fail(err, NLP_EINTERNAL, "word added to a finished vocabulary");
	if (len < 1 || len > NLP_WORDS_MAX_BYTES)
		return nlp_fail(err, NLP_ELIMIT, "a word has %zu bytes, but must have 1 to %d", len, NLP_WORDS_MAX_BYTES);
	NLP_TRY(find_or_add(v, word, len, id, err));
	v->records[*id].count++;
	return NLP_OK;
}

NlpStatus
nlp_vocab_seed(NlpVocab *v, const NlpWords *old, const NlpEnv *env, NlpError *err)
{
	NlpPace		pace = {.env = env};

	if (v->n_records > 0 || v->finished || v->old_counts)
		return nlp_fail(err, NLP_EINTERNAL, "vocabulary seeded after words were added");
	v->old_counts = nlp_alloc(v->alloc, (size_t) old->n * sizeof(uint64_t));
	if (!v->old_counts)
		return nlp_no_memory(err, (size_t) old->n * sizeof(uint64_t), "vocabulary");
	NLP_TRY(reserve(v, old->n, &pace, err));
	for (uint32_t i = 0; i < old->n; i++)
	{
		size_t		len;
		const char *word = nlp_words_text(old, i, &len);
		uint32_t	id;

		if (len < 1 || len > NLP_WORDS_MAX_BYTES)
			return nlp_fail(err, NLP_ECORRUPT, "word %u of the model has %zu bytes", i, len);
		NLP_TRY(find_or_add(v, word, len, &id, err));
		if (id != i)
			return nlp_fail(err, NLP_ECORRUPT, "word %u of the model is there twice", i);
		v->old_counts[i] = nlp_words_count(old, i);
		NLP_TRY(nlp_pace(&pace, 1 + len / 8, err));
	}
	v->n_old = old->n;
	return NLP_OK;
}

/* ---- finishing ---- */

/* By count, then first seen. */
static bool
before(const void *ctx, uint32_t a, uint32_t b)
{
	const NlpVocab *v = ctx;
	uint64_t	ca = v->records[a].count,
				cb = v->records[b].count;

	return ca != cb ? ca > cb : a < b;
}

static NlpStatus
hash_all(NlpVocab *v, NlpPace *pace, NlpError *err)
{
	uint64_t	h = v->n;

	for (uint32_t rank = 0; rank < v->n; rank++)
	{
		const Record *r = v->records + v->by_rank[rank];
		uint64_t	count = nlp_vocab_word_count(v, rank);

		h = (h ^ nlp_hash_bytes(record_text(v, r), r->len)) * 0x9e3779b97f4a7c15u;
		h = ((h ^ (h >> 29)) + count) * 0xbf58476d1ce4e5b9u;
		h ^= h >> 32;
		NLP_TRY(nlp_pace(pace, 1 + r->len / 8, err));
	}
	v->hash = h;
	return NLP_OK;
}

/* The base 2 logarithm from below: its whole part, and what is above the power of two as a part of it. */
static double
bits_of(uint64_t count)
{
	int			whole = 63 - __builtin_clzll(count | 1);

	return count == 0 ? 0 : whole - 1 + (double) count / (double) (UINT64_C(1) << whole);
}

static void
note_kept(NlpVocab *v, const Record *r, uint64_t count)
{
	const char *text = record_text(v, r);
	uint32_t	characters = 0;

	for (uint32_t i = 0; i < r->len; i++)
		characters += ((unsigned char) text[i] & 0xc0) != 0x80;
	v->lengths[characters]++;
	v->text_bytes += r->len;
	v->tokens += r->count;
	v->count_bits += bits_of(count);
	v->count_total += (double) count;
}

static NlpStatus
give_ranks(NlpVocab *v, size_t kept, NlpPace *pace, NlpError *err)
{
	NLP_TRY(nlp_set_paced(pace, v->rank_of, 0xff, (v->n_records + 1) * sizeof(uint32_t), err));
	v->n = (uint32_t) kept;
	for (uint32_t rank = 0; rank < v->n; rank++)
	{
		const Record *r = v->records + v->by_rank[rank];

		v->rank_of[v->by_rank[rank]] = rank;
		note_kept(v, r, nlp_vocab_word_count(v, rank));
		NLP_TRY(nlp_pace(pace, 1 + r->len / 8, err));
	}
	v->finished = true;
	return hash_all(v, pace, err);
}

NlpStatus
nlp_vocab_finish(NlpVocab *v, uint32_t min_count, uint32_t max_words, const NlpEnv *env, NlpError *err)
{
	size_t		bytes = (v->n_records + 1) * sizeof(uint32_t);
	size_t		kept = v->n_old;
	NlpPace		pace = {.env = env};

	if (v->finished)
		return nlp_fail(err, NLP_EINTERNAL, "vocabulary finished twice");
	nlp_free(v->alloc, v->slots);
	v->slots = NULL;
	if (!v->by_rank)
		v->by_rank = nlp_alloc(v->alloc, bytes);
	if (!v->rank_of)
		v->rank_of = nlp_alloc(v->alloc, bytes);
	if (!v->by_rank || !v->rank_of)
		return nlp_no_memory(err, bytes, "vocabulary");
	for (uint32_t i = 0; i < v->n_old; i++)
	{
		v->by_rank[i] = i;
		NLP_TRY(nlp_pace(&pace, 1, err));
	}
	for (size_t i = v->n_old; i < v->n_records; i++)
	{
		if (v->records[i].count >= min_count)
			v->by_rank[kept++] = (uint32_t) i;
		NLP_TRY(nlp_pace(&pace, 1, err));
	}
	/* rank_of is room to sort in, before it gets its own meaning. */
	NLP_TRY(nlp_sort_ids(v->by_rank + v->n_old, v->rank_of, kept - v->n_old, before, v, &pace, err));
	if (max_words > 0 && kept > max_words)
		kept = max_words > v->n_old ? max_words : v->n_old;
	return give_ranks(v, kept, &pace, err);
}

/* ---- asking ---- */

uint32_t
nlp_vocab_size(const NlpVocab *v)
{
	return v->n;
}

uint64_t
nlp_vocab_tokens(const NlpVocab *v)
{
	return v->tokens;
}

uint64_t
nlp_vocab_distinct(const NlpVocab *v)
{
	return v->n_records;
}

uint32_t
nlp_vocab_map(const NlpVocab *v, uint32_t first_seen)
{
	return v->finished && first_seen < v->n_records ? v->rank_of[first_seen] : NLP_NO_WORD;
}

const char *
nlp_vocab_word(const NlpVocab *v, uint32_t rank, size_t *len)
{
	const Record *r = v->records + v->by_rank[rank];

	*len = r->len;
	return record_text(v, r);
}

uint64_t
nlp_vocab_word_count(const NlpVocab *v, uint32_t rank)
{
	uint32_t	id = v->by_rank[rank];

	return v->records[id].count + (id < v->n_old ? v->old_counts[id] : 0);
}

uint64_t
nlp_vocab_text_bytes(const NlpVocab *v)
{
	return v->text_bytes;
}

const uint64_t *
nlp_vocab_lengths(const NlpVocab *v)
{
	return v->lengths;
}

double
nlp_vocab_count_bits(const NlpVocab *v, double *total)
{
	*total = v->count_total;
	return v->count_bits;
}

uint64_t
nlp_vocab_hash(const NlpVocab *v)
{
	return v->hash;
}
