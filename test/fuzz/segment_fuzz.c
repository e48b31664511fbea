/* segment_fuzz.c --- any bytes as a segmenter's file, and any bytes as a text.
 *
 * The first byte chooses: even, the rest is a GGUF file, taken to a table that then cuts a
 * text; odd, the rest is a text, cut by a small table and by words.h in every way.
 * Beside the sanitizers, checked here: spans ascend and cover everything but white space,
 * a text that is not UTF-8 is refused, words are not empty and hold no white space, an
 * error says something, a finished table passes its own check. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/utf8.h"
#include "segment_file.h"
#include "token/word_class.h"
#include "token/words.h"

#define REQUIRE(cond) \
	do { if (!(cond)) { fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #cond); abort(); } } while (0)

static bool
is_space_at(const char *text, size_t len, size_t at, size_t *bytes)
{
	uint32_t	cp;
	int			n = nlp_utf8_decode(text + at, len - at, &cp);

	REQUIRE(n > 0);
	*bytes = (size_t) n;
	return nlp_word_class(cp) == WC_SPACE;
}

/* Only white space in [at, end). */
static void
only_space(const char *text, size_t len, size_t at, size_t end)
{
	while (at < end)
	{
		size_t		n;

		REQUIRE(is_space_at(text, len, at, &n));
		at += n;
	}
	REQUIRE(at == end);
}

static void
cut(const NlpSegmenter *s, const char *text, size_t len, bool hmm)
{
	NlpSpans	out = {.alloc = &nlp_libc_alloc};
	NlpError	err = {0};
	size_t		bad,
				at = 0;
	bool		valid = nlp_utf8_valid(text, len, &bad);
	NlpStatus	st = nlp_segment(s, text, len, hmm, &seg_env, &out, &err);

	REQUIRE(st == (valid ? NLP_OK : NLP_ETEXT));
	for (size_t i = 0; valid && i < out.n; i++)
	{
		size_t		start = out.spans[i].start;
		size_t		n;

		REQUIRE(out.spans[i].len > 0 && start >= at && start + out.spans[i].len <= len);
		only_space(text, len, at, start);
		REQUIRE(!is_space_at(text, len, start, &n));
		at = start + out.spans[i].len;
	}
	if (valid)
		only_space(text, len, at, len);
	nlp_free(&nlp_libc_alloc, out.spans);
}

static NlpStatus
see_word(void *ctx, const char *word, size_t len, NlpError *err)
{
	size_t		bad;

	REQUIRE(len > 0 && nlp_utf8_valid(word, len, &bad));
	for (size_t at = 0, n; at < len; at += n)
		REQUIRE(!is_space_at(word, len, at, &n));
	return NLP_OK;
}

static void
words(const NlpSegmenter *s, const char *text, size_t len)
{
	size_t		bad;
	bool		valid = nlp_utf8_valid(text, len, &bad);

	for (int way = 0; way < 5; way++)
	{
		NlpWordCut	how = {way & 1 ? s : NULL, way & 2, way == 4};
		NlpError	err = {0};

		REQUIRE(nlp_cut_words(&how, text, len, &seg_env, see_word, NULL, &err) == (valid ? NLP_OK : NLP_ETEXT));
	}
}

static void
file(const char *bytes, size_t len)
{
	static const char text[] = "王小明在中国人民的大学， ABC 卡拉OKs 3.14 \xe2\x97\x8b 二\xe2\x97\x8b 小明明 don't 明";
	NlpMemorySource src;
	SegmentTable t = {0};
	NlpError	err = {0};
	NlpStatus	st;

	nlp_memory_source_init(&src, bytes, len);
	if (nlp_gguf_open(&src.source, &seg_env, &t.g, &err) != NLP_OK)
		return;
	st = nlp_segmenter_plan(&t.g, &seg_env, &t.bytes, &err);
	REQUIRE(st == NLP_OK || (st == NLP_ECORRUPT && err.message[0]));
	if (st == NLP_OK)
	{
		/* every page of characters, and what a byte of words or an emission takes */
		REQUIRE(t.bytes <= ((size_t) 32 << 20) + 64 * len);
		t.s = aligned_alloc(64, (t.bytes + 63) & ~(uint64_t) 63);
		REQUIRE(nlp_segmenter_build(&t.g, &seg_env, t.s, t.bytes, &err) == NLP_OK);
		REQUIRE(nlp_segmenter_check(t.s, t.bytes, &err) == NLP_OK);
		cut(t.s, text, sizeof(text) - 1, true);
		cut(t.s, text, sizeof(text) - 1, false);
		/* its own words, too */
		const NlpGgufKv *kv = nlp_gguf_find(&t.g, "segmenter.words");

		cut(t.s, kv->data, (size_t) kv->count, true);
		free(t.s);
	}
	nlp_gguf_close(&t.g);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static SegmentTable small;
	NlpError	err = {0};

	if (!small.s)
	{
		seg_bytes(&small_file, &small);
		REQUIRE(seg_load(&small, &seg_env, &err) == NLP_OK);
	}
	if (size == 0)
		return 0;
	if (data[0] % 2 == 0)
		file((const char *) data + 1, size - 1);
	else
	{
		cut(small.s, (const char *) data + 1, size - 1, true);
		cut(small.s, (const char *) data + 1, size - 1, false);
		words(small.s, (const char *) data + 1, size - 1);
	}
	return 0;
}
