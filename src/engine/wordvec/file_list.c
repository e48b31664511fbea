/* file_list.c --- the words of a file: each once, in order, found again by hash.
 *
 * Memory: grows with words that are really there: their bytes, 16 to 32 bytes each and 8 to 16 of hash table,
 *         which is given back when the list is done. */
#include <string.h>

#include "core/hash.h"
#include "core/utf8.h"
#include "wordvec/file_private.h"
#include "engine_only.h"

#define CHUNK 65536u
#define FIRST_CAP 256u

void
nlp_word_list_init(NlpWordList *l, const NlpAlloc *alloc)
{
	*l = (NlpWordList) {.alloc = alloc};
	nlp_arena_init(&l->arena, alloc, CHUNK + 64);
}

void
nlp_word_list_free(NlpWordList *l)
{
	nlp_free(l->alloc, l->words);
	nlp_free(l->alloc, l->counts);
	nlp_free(l->alloc, l->slots);
	nlp_arena_free(&l->arena);
	*l = (NlpWordList) {.alloc = l->alloc};
}

void
nlp_word_list_done(NlpWordList *l)
{
	nlp_free(l->alloc, l->slots);
	l->slots = NULL;
}

/* The slot of a word, or the free one where it would go. */
static uint32_t
slot_of(const NlpWordList *l, const char *word, size_t len)
{
	uint32_t	i = (uint32_t) nlp_hash_bytes(word, len) & l->mask;

	while (l->slots[i] != NLP_NO_WORD)
	{
		const NlpStr *w = &l->words[l->slots[i]];

		if (w->len == len && memcmp(w->data, word, len) == 0)
			break;
		i = (i + 1) & l->mask;
	}
	return i;
}

/* Twice the room; the table is at most half full. */
static NlpStatus
grow(NlpWordList *l, bool with_count, NlpError *err)
{
	size_t		cap = l->cap ? (size_t) l->cap * 2 : FIRST_CAP;
	NlpStr	   *words;
	uint32_t   *slots;

	if (cap > UINT32_MAX / 4)
		return nlp_fail(err, NLP_ELIMIT, "a word vector file has more than %u words", l->n);
	words = nlp_realloc(l->alloc, l->words, l->cap * sizeof(*words), cap * sizeof(*words));
	if (!words)
		return nlp_no_memory(err, cap * sizeof(*words), "words of a file");
	l->words = words;
	if (with_count)
	{
		uint64_t   *counts = nlp_realloc(l->alloc, l->counts, l->cap * sizeof(*counts), cap * sizeof(*counts));

		if (!counts)
			return nlp_no_memory(err, cap * sizeof(*counts), "counts of words");
		l->counts = counts;
	}
	slots = nlp_alloc(l->alloc, cap * 2 * sizeof(*slots));
	if (!slots)
		return nlp_no_memory(err, cap * 2 * sizeof(*slots), "index of words");
	nlp_free(l->alloc, l->slots);
	l->slots = slots;
	l->mask = (uint32_t) (cap * 2 - 1);
	memset(slots, 0xff, cap * 2 * sizeof(*slots));
	for (uint32_t i = 0; i < l->n; i++)
		slots[slot_of(l, words[i].data, words[i].len)] = i;
	l->cap = (uint32_t) cap;
	return NLP_OK;
}

static const char *
keep_bytes(NlpWordList *l, const char *word, size_t len)
{
	char	   *copy;

	if (len + 1 > l->chunk_left)
	{
		l->chunk = nlp_arena_alloc(&l->arena, CHUNK);
		if (!l->chunk)
		{
			l->chunk_left = 0;
			return NULL;
		}
		l->chunk_left = CHUNK;
	}
	copy = l->chunk;
	memcpy(copy, word, len);
	copy[len] = '\0';
	l->chunk += len + 1;
	l->chunk_left -= len + 1;
	return copy;
}

/* What is wrong with a word itself; NULL: nothing. */
static const char *
word_problem(const char *word, size_t len)
{
	size_t		bad;

	if (!word || len > NLP_WORDS_MAX_BYTES)
		return "is longer than 1024 bytes";
	if (len == 0)
		return "is empty";
	if (memchr(word, '\0', len))
		return "holds a zero byte";
	return nlp_utf8_valid(word, len, &bad) ? NULL : "is not valid UTF-8";
}

NlpStatus
nlp_word_list_add(NlpWordList *l, const char *word, size_t len, uint64_t row, uint64_t offset, bool skip_bad,
				  const uint64_t *count, bool *kept, NlpError *err)
{
	const char *problem = word_problem(word, len);
	uint32_t	slot = 0;
	const char *copy;

	if (kept)
		*kept = false;
	if (!problem && l->n == l->cap)
		NLP_TRY(grow(l, count != NULL, err));
	if (!problem)
	{
		slot = slot_of(l, word, len);
		if (l->slots[slot] != NLP_NO_WORD)
			problem = "was there before";
	}
	if (problem)
	{
		l->skipped++;
		if (skip_bad)
			return NLP_OK;
		nlp_fail_at(err, NLP_ECORRUPT, "word", offset, "the word of row %llu %s", (unsigned long long) row + 1, problem);
		return nlp_hint(err, "Rows with such words can be left out: see the option \"skip_bad_words\".");
	}
	copy = keep_bytes(l, word, len);
	if (!copy)
		return nlp_no_memory(err, CHUNK, "words of a file");
	l->words[l->n] = (NlpStr) {copy, len};
	if (count)
		l->counts[l->n] = *count;
	l->slots[slot] = l->n++;
	if (kept)
		*kept = true;
	return NLP_OK;
}
