/* vocab_test.c --- the vocabulary builder: ids, counts, growth, order and cut, seeding,
 * refusals, and memory that runs out at any point. */
#include "check.h"
#include "core/philox.h"
#include "wordvec/train_private.h"

static const NlpEnv env = {.alloc = &nlp_libc_alloc};

static NlpVocab *
fresh(void)
{
	NlpVocab   *v;
	NlpError	err;

	CHECK_OK(nlp_vocab_new(&nlp_libc_alloc, &v, &err), err);
	return v;
}

static uint32_t
add(NlpVocab *v, const char *word)
{
	uint32_t	id = NLP_NO_WORD;
	NlpError	err;

	CHECK_OK(nlp_vocab_add(v, word, strlen(word), &id, &err), err);
	return id;
}

static bool
word_is(const NlpVocab *v, uint32_t rank, const char *want)
{
	size_t		len;
	const char *word = nlp_vocab_word(v, rank, &len);

	return len == strlen(want) && memcmp(word, want, len) == 0;
}

static void
test_small(void)
{
	NlpVocab   *v = fresh();
	NlpError	err;

	CHECK(add(v, "the") == 0 && add(v, "cat") == 1 && add(v, "the") == 0 && add(v, "sat") == 2);
	CHECK(add(v, "sat") == 2 && add(v, "mat") == 3 && add(v, "once") == 4 && add(v, "mat") == 3);
	CHECK_OK(nlp_vocab_finish(v, 2, 0, &env, &err), err);
	CHECK(nlp_vocab_size(v) == 3 && nlp_vocab_distinct(v) == 5 && nlp_vocab_tokens(v) == 6);
	/* Equal counts: first seen first. */
	CHECK(word_is(v, 0, "the") && word_is(v, 1, "sat") && word_is(v, 2, "mat"));
	CHECK(nlp_vocab_map(v, 0) == 0 && nlp_vocab_map(v, 1) == NLP_NO_WORD && nlp_vocab_map(v, 2) == 1);
	CHECK(nlp_vocab_map(v, 3) == 2 && nlp_vocab_map(v, 4) == NLP_NO_WORD && nlp_vocab_map(v, 5) == NLP_NO_WORD);
	CHECK(nlp_vocab_map(v, NLP_SENTENCE_END) == NLP_NO_WORD);
	CHECK(nlp_vocab_word_count(v, 0) == 2 && nlp_vocab_word_count(v, 2) == 2);
	nlp_vocab_free(v);
}

static void
test_refusals(void)
{
	NlpVocab   *v = fresh();
	NlpError	err;
	uint32_t	id;
	static char longest[NLP_WORDS_MAX_BYTES + 1];

	memset(longest, 'x', sizeof(longest));
	CHECK(nlp_vocab_add(v, "", 0, &id, &err) == NLP_ELIMIT);
	CHECK(nlp_vocab_add(v, longest, sizeof(longest), &id, &err) == NLP_ELIMIT);
	CHECK_OK(nlp_vocab_add(v, longest, NLP_WORDS_MAX_BYTES, &id, &err), err);
	CHECK_OK(nlp_vocab_add(v, longest, NLP_WORDS_MAX_BYTES - 1, &id, &err), err);
	CHECK(id == 1);
	CHECK_OK(nlp_vocab_finish(v, 1, 0, &env, &err), err);
	CHECK(nlp_vocab_add(v, "a", 1, &id, &err) == NLP_EINTERNAL);
	CHECK(nlp_vocab_finish(v, 1, 0, &env, &err) == NLP_EINTERNAL);
	nlp_vocab_free(v);
	nlp_vocab_free(NULL);
	v = fresh();
	CHECK_OK(nlp_vocab_finish(v, 1, 0, &env, &err), err);
	CHECK(nlp_vocab_size(v) == 0 && nlp_vocab_tokens(v) == 0 && nlp_vocab_map(v, 0) == NLP_NO_WORD);
	nlp_vocab_free(v);
}

/* Word k of a made-up language: of 1 to 40 bytes, distinct. */
static size_t
spell(uint32_t k, char out[64])
{
	size_t		len = (size_t) snprintf(out, 64, "%x", k * 2654435761u);

	while (len < 1 + k % 40)
		out[len++] = (char) ('a' + k % 26);
	return len;
}

static void
test_many(void)
{
	enum {WORDS = 60000, TOKENS = 600000};
	static uint64_t count[WORDS];
	static uint32_t id_of[WORDS];
	static uint32_t of_id[WORDS];
	NlpVocab   *v = fresh();
	NlpError	err;
	uint32_t	seen = 0;
	uint64_t	kept = 0,
				kept_tokens = 0;
	bool		ids_right = true,
				order_right = true;

	for (uint32_t i = 0; i < TOKENS; i++)
	{
		double		u = nlp_philox_uniform(5, 1, i);
		uint32_t	k = (uint32_t) (WORDS * u * u * u);
		char		word[64];
		size_t		len = spell(k, word);
		uint32_t	id;

		if (count[k]++ == 0)
		{
			of_id[seen] = k;
			id_of[k] = seen++;
		}
		ids_right &= nlp_vocab_add(v, word, len, &id, &err) == NLP_OK && id == id_of[k];
	}
	CHECK(ids_right);
	CHECK_OK(nlp_vocab_finish(v, 5, 0, &env, &err), err);
	for (uint32_t k = 0; k < WORDS; k++)
		if (count[k] >= 5)
		{
			kept++;
			kept_tokens += count[k];
			order_right &= nlp_vocab_map(v, id_of[k]) != NLP_NO_WORD;
		}
		else if (count[k] > 0)
			order_right &= nlp_vocab_map(v, id_of[k]) == NLP_NO_WORD;
	CHECK(nlp_vocab_size(v) == kept && nlp_vocab_tokens(v) == kept_tokens && nlp_vocab_distinct(v) == seen);
	for (uint32_t rank = 0; rank < nlp_vocab_size(v); rank++)
	{
		char		want[64];
		size_t		len;
		const char *word = nlp_vocab_word(v, rank, &len);
		uint32_t	id = NLP_NO_WORD;

		for (uint32_t i = 0; i < seen && id == NLP_NO_WORD; i++)
			if (nlp_vocab_map(v, i) == rank)
				id = i;
		order_right &= len == spell(of_id[id], want) && memcmp(word, want, len) == 0 &&
			nlp_vocab_word_count(v, rank) == count[of_id[id]];
		order_right &= rank == 0 || nlp_vocab_word_count(v, rank - 1) >= nlp_vocab_word_count(v, rank);
		if (rank % 97 != 0)
			rank += 13;			/* the search is slow: look at some */
	}
	CHECK(order_right);
	nlp_vocab_free(v);
}

static uint64_t
hash_of(const char *const *words, int n, uint32_t max_words)
{
	NlpVocab   *v = fresh();
	NlpError	err;
	uint64_t	h;

	for (int i = 0; i < n; i++)
		add(v, words[i]);
	CHECK_OK(nlp_vocab_finish(v, 1, max_words, &env, &err), err);
	CHECK(max_words == 0 || nlp_vocab_size(v) <= max_words);
	h = nlp_vocab_hash(v);
	nlp_vocab_free(v);
	return h;
}

static void
test_hash_and_cut(void)
{
	const char *a[] = {"x", "y", "x", "z"};
	const char *b[] = {"x", "y", "z", "x"};
	const char *c[] = {"x", "z", "x", "y"};
	const char *d[] = {"x", "y", "y", "z"};

	CHECK(hash_of(a, 4, 0) == hash_of(b, 4, 0));	/* same words, counts and order of ranks */
	CHECK(hash_of(a, 4, 0) != hash_of(c, 4, 0));
	CHECK(hash_of(a, 4, 0) != hash_of(d, 4, 0));
	CHECK(hash_of(a, 4, 0) != hash_of(a, 3, 0));
	CHECK(hash_of(a, 4, 2) == hash_of(a, 3, 2) && hash_of(a, 4, 2) != hash_of(a, 4, 1));
}

/* A model's words come first, whatever their counts; the cut spares them. */
static NlpWords *
old_model(const char *const *words, const uint64_t *counts, uint32_t n)
{
	size_t		bytes = sizeof(NlpWords) + (n + 1 + n) * sizeof(uint64_t) + 1024;
	NlpWords   *w = calloc(1, bytes);
	uint64_t   *starts = (uint64_t *) (w + 1);

	w->n = n;
	w->starts_offset = sizeof(NlpWords);
	w->counts_offset = w->starts_offset + (n + 1) * sizeof(uint64_t);
	w->text_offset = w->counts_offset + n * sizeof(uint64_t);
	for (uint32_t i = 0; i < n; i++)
	{
		memcpy((char *) w + w->text_offset + starts[i], words[i], strlen(words[i]));
		starts[i + 1] = starts[i] + strlen(words[i]);
		((uint64_t *) ((char *) w + w->counts_offset))[i] = counts[i];
	}
	return w;
}

static void
test_seed(void)
{
	const char *words[] = {"rare", "often", "gone"};
	const char *twice[] = {"rare", "rare"};
	uint64_t	counts[] = {7, 100, 9};
	NlpWords   *old = old_model(words, counts, 3);
	NlpWords   *bad = old_model(twice, counts, 2);
	NlpVocab   *v = fresh();
	NlpError	err;

	CHECK_OK(nlp_vocab_seed(v, old, &env, &err), err);
	CHECK(add(v, "new") == 3 && add(v, "often") == 1 && add(v, "new") == 3 && add(v, "newer") == 4);
	CHECK(add(v, "newer") == 4 && add(v, "newer") == 4 && add(v, "once") == 5);
	CHECK_OK(nlp_vocab_finish(v, 2, 0, &env, &err), err);
	CHECK(nlp_vocab_size(v) == 5 && nlp_vocab_tokens(v) == 6);
	CHECK(word_is(v, 0, "rare") && word_is(v, 1, "often") && word_is(v, 2, "gone") && word_is(v, 3, "newer") &&
		  word_is(v, 4, "new"));
	CHECK(nlp_vocab_word_count(v, 0) == 7 && nlp_vocab_word_count(v, 1) == 101 && nlp_vocab_word_count(v, 3) == 3);
	nlp_vocab_free(v);
	v = fresh();
	CHECK(nlp_vocab_seed(v, bad, &env, &err) == NLP_ECORRUPT);
	CHECK(nlp_vocab_seed(v, old, &env, &err) == NLP_EINTERNAL);
	nlp_vocab_free(v);
	v = fresh();
	CHECK_OK(nlp_vocab_seed(v, old, &env, &err), err);
	add(v, "new");
	CHECK_OK(nlp_vocab_finish(v, 1, 2, &env, &err), err);
	CHECK(nlp_vocab_size(v) == 3);
	nlp_vocab_free(v);
	free(old);
	free(bad);
}

static void
test_no_memory(void)
{
	long		fail_at = 0;
	bool		failed = true;

	for (; failed; fail_at++)
	{
		NlpTestAlloc a;
		NlpEnv		e = {.alloc = &a.alloc};
		NlpVocab   *v = NULL;
		NlpError	err;
		NlpStatus	st;
		uint32_t	id;

		nlp_test_alloc_init(&a, fail_at);
		st = nlp_vocab_new(&a.alloc, &v, &err);
		for (uint32_t k = 0; st == NLP_OK && k < 5000; k++)
		{
			char		word[64];
			size_t		len = spell(k, word);

			st = nlp_vocab_add(v, word, len, &id, &err);
		}
		if (st == NLP_OK)
			st = nlp_vocab_finish(v, 1, 0, &e, &err);
		failed = st != NLP_OK;
		CHECK(!failed || st == NLP_ENOMEM);
		nlp_vocab_free(v);
		CHECK(a.live == 0);
	}
	CHECK(fail_at > 6);
}

int
main(void)
{
	test_small();
	test_refusals();
	test_many();
	test_hash_and_cut();
	test_seed();
	test_no_memory();
	return check_done();
}
