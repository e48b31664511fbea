/* cut_words_test.c --- words of natural and of prepared text, with and without a segmenter. */
#include "segment_file.h"
#include "token/words.h"

typedef struct Words
{
	char		joined[4096];
	size_t		n,
				len,
				stop_at;		/* fail at this word; 0: never */
	size_t		longest;
} Words;

static NlpStatus
keep(void *ctx, const char *word, size_t len, NlpError *err)
{
	Words	   *w = ctx;

	if (++w->n == w->stop_at)
		return nlp_fail(err, NLP_EINVALID, "asked to");
	w->longest = len > w->longest ? len : w->longest;
	if (w->len + len + 2 < sizeof(w->joined))
	{
		if (w->n > 1)
			w->joined[w->len++] = '|';
		memcpy(w->joined + w->len, word, len);
		w->len += len;
	}
	return NLP_OK;
}

static Words w;

static const char *
cut(const NlpWordCut *how, const char *text, size_t len)
{
	NlpError	err = {0};
	char	   *exact = malloc(len ? len : 1);	/* so that a read past its end is seen */

	memset(&w, 0, sizeof(w));
	memcpy(exact, text, len);
	CHECK_OK(nlp_cut_words(how, exact, len, &seg_env, keep, &w, &err), err);
	free(exact);
	return w.joined;
}

#define CUT(how, text, words) \
	do { const char *got_ = cut(&how, text, strlen(text)); CHECKF(strcmp(got_, words) == 0, "%s: %s", text, got_); } while (0)

static void
test_natural(void)
{
	static const NlpWordCut lower = {NULL, false, false},
				cased = {NULL, true, false};

	CUT(lower, "", "");
	CUT(lower, " \t\n", "");
	CUT(lower, "The quick, brown FOX.", "the|quick|brown|fox");
	CUT(cased, "The quick, brown FOX.", "The|quick|brown|FOX");
	CUT(lower, "don't 'quoted' rock'n'roll it’s dogs' 'tis", "don't|quoted|rock'n'roll|it’s|dogs|tis");
	CUT(lower, "'' ' a' 'b a''b", "a|b|a|b");
	CUT(lower, "snake_case e-mail 3.14 a/b", "snake|case|e|mail|3|14|a|b");
	CUT(lower, "x2 2nd ４５", "x2|2nd|４５");
	/* beyond ASCII: letters, marks, folding */
	CUT(lower, "ÄÖÜ straße ΑΒΓ ПРИВЕТ", "äöü|straße|αβγ|привет");
	CUT(lower, "cafe\xcc\x81 na\xc3\xafve", "cafe\xcc\x81|na\xc3\xafve");
	CUT(lower, "ȺB Ⱥ", "ⱥb|ⱥ");	/* two bytes become three */
	CUT(lower, "हिन्दी العربية 한국어", "हिन्दी|العربية|한국어");
	CUT(lower, "\xf0\x9d\x90\x80 \xf0\x90\x90\x80", "\xf0\x9d\x90\x80|\xf0\x90\x90\xa8");	/* 𝐀 has no lower case, 𐐀 has */
	/* without spaces between words */
	CUT(lower, "我爱PostgreSQL数据", "我|爱|postgresql|数|据");
	CUT(lower, "ひらがなカナ漢字", "ひ|ら|が|な|カ|ナ|漢|字");
	CUT(lower, "東京タワー", "東|京|タ|ワ|ー");
	/* separators of every kind */
	CUT(lower, "a，b。c\xc2\xa0" "d\xe2\x80\x94" "e😀f\xe3\x80\x80g", "a|b|c|d|e|f|g");
	CUT(lower, "a\x01" "b\x7f" "c", "a|b|c");
	CHECK(strcmp(cut(&lower, "a\0B", 3), "a|b") == 0);
}

static void
test_plain(void)
{
	static const NlpWordCut plain = {NULL, false, true};

	CUT(plain, "", "");
	CUT(plain, "  ", "");
	CUT(plain, "Don't change_ANYTHING, please!", "Don't|change_ANYTHING,|please!");
	CUT(plain, " a\tb\nc\r\nd\v\fe ", "a|b|c|d|e");
	CUT(plain, "我们 的\xe3\x80\x80大学，\xc2\xa0" "ok", "我们|的|大学，|ok");
	CUT(plain, "a\xe2\x80\x82" "b\xe2\x80\xa8" "c\xe1\x9a\x80" "d\xc2\x85" "e", "a|b|c|d|e");
	CUT(plain, "é à\xe2\x80\x94", "é|à\xe2\x80\x94");
}

static void
test_segmenter(void)
{
	SegmentTable t;
	NlpError	err = {0};
	NlpWordCut	how = {NULL, false, false};

	seg_bytes(&small_file, &t);
	CHECK_OK(seg_load(&t, &seg_env, &err), err);
	if (!t.s)
		return;
	how.segmenter = t.s;
	CUT(how, "中国人民，在大学。", "中国|人民|在|大学");
	CUT(how, "在中国 don't 卡拉OK", "在|中国|don't|卡拉ok");
	CUT(how, "PostgreSQL在ABC中国", "postgresql|在|abc|中国");
	CUT(how, "No Chinese 3.14", "no|chinese|3|14");
	how.keep_case = true;
	CUT(how, "T中国的ABC，卡拉OK", "T|中国|的|ABC|卡拉OK");	/* this file folds O and K alone */
	CUT(how, "t恤的", "t恤|的");
	seg_free(&t);
}

/* ---- long texts and words, cancels, memory ---- */

static bool
always(void *ctx)
{
	return true;
}

static bool
at_third(void *ctx)
{
	return ++*(int *) ctx == 3;
}

static char *
repeat(const char *piece, size_t times)
{
	size_t		n = strlen(piece);
	char	   *text = malloc(n * times + 1);

	for (size_t i = 0; i < times; i++)
		memcpy(text + i * n, piece, n);
	text[n * times] = '\0';
	return text;
}

static void
cancelled(const NlpWordCut *how, const char *text, const char *what)
{
	int			polls = 0;
	NlpTestAlloc alloc;
	NlpEnv		env = {.alloc = &alloc.alloc, .pending = always, .cancelled = at_third, .cancel_ctx = &polls};
	NlpError	err = {0};

	nlp_test_alloc_init(&alloc, -1);
	memset(&w, 0, sizeof(w));
	CHECKF(nlp_cut_words(how, text, strlen(text), &env, keep, &w, &err) == NLP_ECANCELLED, "%s", what);
	CHECKF(alloc.live == 0, "%s", what);
}

static void
test_long(void)
{
	static const char *const pieces[] = {"ab cd ", "abcdefgh", "ÀÉ", "Ab", "中国", ", ", "在a"};
	SegmentTable t;
	NlpError	err = {0};

	seg_bytes(&small_file, &t);
	CHECK_OK(seg_load(&t, &seg_env, &err), err);
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++)
		for (int way = 0; way < 3; way++)
		{
			NlpWordCut	how = {way == 1 ? t.s : NULL, false, way == 2};
			char	   *text = repeat(pieces[i], 400000);

			cancelled(&how, text, pieces[i]);
			free(text);
		}
	for (int way = 0; way < 3; way++)
	{
		NlpWordCut	how = {way == 1 ? t.s : NULL, false, way == 2};
		char	   *text = repeat("Àx", 100000);

		cut(&how, text, strlen(text));
		CHECK(w.n == 1 && w.longest == 300000);
		free(text);
		text = repeat("中国人在", 30000);
		cut(&how, text, strlen(text));
		CHECKF(w.n == (way == 0 ? 120000 : way == 1 ? 60000 : 1), "%zu", w.n);
		free(text);
	}
	seg_free(&t);
}

static void
test_no_memory(void)
{
	SegmentTable t;
	NlpError	err = {0};
	char	   *word = repeat("É", 300);
	char		text[1024];
	int			refused = 0;

	seg_bytes(&small_file, &t);
	CHECK_OK(seg_load(&t, &seg_env, &err), err);
	snprintf(text, sizeof(text), "%s 中国人在大学", word);
	for (long at = 0;; at++)
	{
		NlpTestAlloc alloc;
		NlpEnv		env = {.alloc = &alloc.alloc};
		NlpWordCut	how = {t.s, false, false};
		NlpStatus	st;

		nlp_test_alloc_init(&alloc, at);
		memset(&w, 0, sizeof(w));
		st = nlp_cut_words(&how, text, strlen(text), &env, keep, &w, &err);
		CHECK(alloc.live == 0);
		if (st == NLP_OK)
			break;
		CHECK(st == NLP_ENOMEM);
		refused++;
	}
	CHECK(refused == 3);
	free(word);
	seg_free(&t);
}

static void
test_stop(void)
{
	NlpError	err = {0};
	const char *text = "one two three";

	for (int way = 0; way < 2; way++)
	{
		NlpWordCut	how = {NULL, false, way == 1};

		memset(&w, 0, sizeof(w));
		w.stop_at = 2;
		CHECK(nlp_cut_words(&how, text, strlen(text), &seg_env, keep, &w, &err) == NLP_EINVALID);
		CHECK(w.n == 2);
		CHECK(nlp_cut_words(&how, "abc \xe4\xb8", 6, &seg_env, keep, &w, &err) == NLP_ETEXT);
		CHECK(strstr(err.message, "byte 4") != NULL);
		CHECK(nlp_cut_words(&how, text, (size_t) 1 << 30, &seg_env, keep, &w, &err) == NLP_ELIMIT);
	}
}

int
main(void)
{
	test_natural();
	test_plain();
	test_segmenter();
	test_long();
	test_no_memory();
	test_stop();
	return check_done();
}
