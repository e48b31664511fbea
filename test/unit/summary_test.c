/* summary_test.c --- cutting long texts and the rounds of a summary, with a
 * tokenizer that counts a token for every four bytes of a word, and a model that
 * answers by a rule. */
#include "check.h"
#include "core/philox.h"
#include "core/utf8.h"
#include "task/summary.h"

static const NlpEnv env = {.alloc = &nlp_libc_alloc};

/* A word of n bytes is (n + 3) / 4 tokens; a Han character, two. Also says how
 * much was counted, to see that the work is linear. */
typedef struct Fake
{
	size_t		bytes;
	size_t		calls;
	size_t		per_char;		/* when set, so many for each character instead */
	/* the model */
	size_t		rounds;
	size_t		requests;
	size_t		longest;		/* messages in tokens */
	size_t		answer_bytes;
	NlpStatus	fail;
} Fake;

static size_t
fake_tokens(const Fake *f, const char *s, size_t len)
{
	size_t		n = 0;
	size_t		word = 0;

	for (size_t i = 0; i < len; i++)
	{
		unsigned char c = (unsigned char) s[i];

		if (f->per_char)
			n += (c & 0xc0) != 0x80 ? f->per_char : 0;
		else if (c >= 0xe0)
			n += 2;
		else if (c == ' ' || c == '\n')
			word = 0;
		else if (c < 0x80)
			n += word++ % 4 == 0;
	}
	return n;
}

static NlpStatus
count(void *ctx, const char *text, size_t len, size_t max, size_t *tokens, NlpError *err)
{
	Fake	   *f = ctx;

	f->bytes += len;
	f->calls++;
	*tokens = fake_tokens(f, text, len);
	if (f->fail)
		return nlp_fail(err, f->fail, "asked to");
	return NLP_OK;
}

static bool
only_space(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
	{
		if (!strchr(" \n\t\r", s[i]))
			return false;
	}
	return true;
}

/* What holds of every cut: in order, whole characters, nothing but white space
 * between the pieces, no piece over the limit. */
static size_t
check_split(const char *text, size_t max, Fake *f)
{
	NlpPiece   *p;
	NlpError	err = {0};
	size_t		len = strlen(text);
	size_t		n;
	size_t		at = 0;
	size_t		bad;

	CHECK_OK(nlp_summary_split(&env, text, len, max, count, f, &p, &n, &err), err);
	for (size_t i = 0; i < n; i++)
	{
		CHECK(p[i].start >= at && p[i].len > 0 && only_space(text + at, p[i].start - at));
		CHECK(p[i].tokens <= max && p[i].tokens == fake_tokens(f, text + p[i].start, p[i].len));
		CHECK(nlp_utf8_valid(text + p[i].start, p[i].len, &bad));
		CHECK(!only_space(text + p[i].start, 1) && !only_space(text + p[i].start + p[i].len - 1, 1));
		at = p[i].start + p[i].len;
	}
	CHECK(only_space(text + at, len - at));
	nlp_free(&nlp_libc_alloc, p);
	return n;
}

/* Pieces of text joined by |. */
static void
check_pieces(const char *text, size_t max, const char *want)
{
	Fake		f = {0};
	NlpPiece   *p;
	NlpError	err = {0};
	NlpBuf		got;
	size_t		n;

	check_split(text, max, &f);
	nlp_buf_init(&got, &nlp_libc_alloc);
	CHECK_OK(nlp_summary_split(&env, text, strlen(text), max, count, &f, &p, &n, &err), err);
	for (size_t i = 0; i < n; i++)
	{
		if (i)
			nlp_buf_append(&got, "|", 1);
		nlp_buf_append(&got, text + p[i].start, p[i].len);
	}
	CHECKF(strcmp(got.data ? got.data : "", want) == 0, "got  %s\n  want %s", got.data, want);
	nlp_buf_free(&got);
	nlp_free(&nlp_libc_alloc, p);
}

static void
test_borders(void)
{
	check_pieces("", 5, "");
	check_pieces(" \n\t ", 5, "");
	check_pieces("  One two.  ", 50, "One two.");
	check_pieces("One two. Three four. Five six.", 6, "One two. Three four.|Five six.");
	check_pieces("One two. Three four. Five six.", 100, "One two. Three four. Five six.");
	/* the mark with its quotes; no border before a small letter or inside numbers */
	check_pieces("He said \"go.\" Then 3.14 came. Mr. Smith e.g. John F. Kennedy left! really? Yes.", 12,
				 "He said \"go.\" Then 3.14 came.|Mr. Smith e.g. John F. Kennedy left! really?|Yes.");
	check_pieces("Wait... what? Oh. No.", 4, "Wait... what?|Oh. No.");
	/* Chinese marks need no space */
	check_pieces("\xe4\xbd\xa0\xe5\xa5\xbd\xe3\x80\x82\xe5\x86\x8d\xe8\xa7\x81\xef\xbc\x81\xe5\xa5\xbd\xef\xbc\x9f", 6,
				 "\xe4\xbd\xa0\xe5\xa5\xbd\xe3\x80\x82|\xe5\x86\x8d\xe8\xa7\x81\xef\xbc\x81|\xe5\xa5\xbd\xef\xbc\x9f");
	check_pieces("\xe2\x80\x9c\xe4\xbd\xa0\xe3\x80\x82\xe2\x80\x9d\xe5\xa5\xbd\xe3\x80\x82", 8,
				 "\xe2\x80\x9c\xe4\xbd\xa0\xe3\x80\x82\xe2\x80\x9d|\xe5\xa5\xbd\xe3\x80\x82");
	/* a paragraph's end near the wished length is better than a sentence's */
	check_pieces("Aa bb cc. Dd ee ff. Gg hh ii.\n\nJj kk. Ll mm nn. Oo pp qq. Rr ss tt.", 12,
				 "Aa bb cc. Dd ee ff. Gg hh ii.|Jj kk. Ll mm nn. Oo pp qq. Rr ss tt.");
	/* a title without a mark is a sentence of its own when a blank line follows */
	check_pieces("Title here\n\nBody text goes on. More.", 8, "Title here|Body text goes on. More.");
}

static void
test_long_sentence(void)
{
	Fake		f = {.per_char = 3};
	NlpPiece   *p;
	NlpError	err = {0};
	size_t		n;
	char	   *one = malloc(1000002);

	check_pieces("aa bb cc dd, ee ff gg hh", 5, "aa bb cc dd,|ee ff gg hh");
	check_pieces("aaaabbbbccccdddd", 2, "aaaabbb|bccccddd|d");
	/* one word of a megabyte, and a megabyte of Chinese without a mark */
	memset(one, 'x', 1000000);
	one[1000000] = '\0';
	memset(&f, 0, sizeof(f));
	CHECK(check_split(one, 1000, &f) > 249);
	CHECKF(f.bytes < 8000000, "%zu bytes counted", f.bytes);
	for (size_t i = 0; i < 999999; i += 3)
		memcpy(one + i, "\xe4\xbd\xa0", 3);
	one[999999] = '\0';
	memset(&f, 0, sizeof(f));
	CHECK(check_split(one, 1000, &f) >= 667);
	CHECKF(f.bytes < 8000000, "%zu bytes counted", f.bytes);
	/* a run of full stops, which end nothing */
	memset(one, '.', 1000000);
	one[1000000] = 'x';
	one[1000001] = '\0';
	memset(&f, 0, sizeof(f));
	check_split(one, 100000, &f);
	free(one);
	f = (Fake) {.per_char = 3};
	CHECK(check_split("abc", 3, &f) == 3);
	CHECK(nlp_summary_split(&env, "abc", 3, 2, count, &f, &p, &n, &err) == NLP_ELIMIT && !p);
	CHECK(nlp_summary_split(&env, "abc", 3, 0, count, &f, &p, &n, &err) == NLP_EINVALID);
	CHECK(nlp_summary_split(&env, "ab\xff", 3, 5, count, &f, &p, &n, &err) == NLP_ETEXT);
	f.fail = NLP_ECANCELLED;
	CHECK(nlp_summary_split(&env, "abc", 3, 5, count, &f, &p, &n, &err) == NLP_ECANCELLED);
}

/* Texts by chance, of words, marks, lines and Chinese. */
static void
test_random(void)
{
	static const char *const units[] = {"a", "word", "longerword", " ", " ", " ", ". ", "! ", ".", ",", "\n", "\n\n", "\xe4\xbd\xa0",
	"\xe3\x80\x82", "\xc3\xa9", "\xf0\x9f\x98\x80", "\"", "Mr. ", "\xe3\x80\x80"};

	for (uint64_t t = 0; t < 3000; t++)
	{
		char		text[2000] = "";
		uint32_t	r[4];
		Fake		f = {0};

		nlp_philox(7, t, 0, r);
		for (uint64_t i = 0; i < r[0] % 150; i++)
		{
			uint32_t	u[4];

			nlp_philox(8, t, i, u);
			if (strlen(text) < 1900)
				strcat(text, units[u[0] % (sizeof(units) / sizeof(units[0]))]);
		}
		if (r[2] % 4)			/* our white space is wider than the checks' */
			for (char *p = strstr(text, "\xe3\x80\x80"); p; p = strstr(text, "\xe3\x80\x80"))
				memcpy(p, "abc", 3);
		if (!strstr(text, "\xe3\x80\x80"))
			check_split(text, 2 + r[1] % 30, &f);
		else
		{
			NlpPiece   *p;
			NlpError	err = {0};
			size_t		n;

			CHECK_OK(nlp_summary_split(&env, text, strlen(text), 3, count, &f, &p, &n, &err), err);
			nlp_free(&nlp_libc_alloc, p);
		}
	}
}

static void
test_language(void)
{
	static const char zh[] = "\xe4\xba\xba\xe5\xb7\xa5\xe6\x99\xba\xe8\x83\xbd" "AI\xe6\x94\xb9\xe5\x8f\x98\xe4\xb8\x96\xe7\x95\x8c";
	static const char ja[] = "\xe6\x97\xa5\xe6\x9c\xac\xe3\x81\xae\xe3\x81\xa7\xe3\x81\x99";
	static const char en[] = "An article about \xe4\xba\xba and more words in English";
	NlpBuf		out;
	NlpError	err = {0};

	CHECK(nlp_summary_is_chinese(zh, strlen(zh)));
	CHECK(!nlp_summary_is_chinese(ja, strlen(ja)));
	CHECK(!nlp_summary_is_chinese(en, strlen(en)));
	CHECK(!nlp_summary_is_chinese("", 0));
	nlp_buf_init(&out, &nlp_libc_alloc);
	CHECK_OK(nlp_summary_messages(NLP_SUMMARY_WHOLE, 1, 1, 0, "A \"text\"\n", 9, &out, &err), err);
	CHECK(strcmp(out.data, "[{\"role\":\"user\",\"content\":\"Summarize the text below. Write only the summary, and add "
				 "nothing that is not in the text.\\u000a\\u000aA \\\"text\\\"\\u000a\"}]") == 0);
	out.len = 0;
	CHECK_OK(nlp_summary_messages(NLP_SUMMARY_PART, 2, 5, 9, "Text", 4, &out, &err), err);
	CHECK(strstr(out.data, "(Part 2 of 5.)") != NULL);
	out.len = 0;
	CHECK_OK(nlp_summary_messages(NLP_SUMMARY_JOINED, 1, 1, 40, "Text", 4, &out, &err), err);
	CHECK(strstr(out.data, "Use at most 40 words.") != NULL);
	out.len = 0;
	CHECK_OK(nlp_summary_messages(NLP_SUMMARY_WHOLE, 1, 1, 40, zh, strlen(zh), &out, &err), err);
	CHECK(strstr(out.data, "Summarize") == NULL && strstr(out.data, zh) != NULL && strstr(out.data, "40") != NULL);
	nlp_buf_free(&out);
}

static void
check_clean(const char *answer, const char *want)
{
	const char *s;
	size_t		n;

	nlp_summary_clean(answer, strlen(answer), &s, &n);
	CHECKF(n == strlen(want) && memcmp(s, want, n) == 0, "%s: %.*s", answer, (int) n, s);
}

static void
test_clean(void)
{
	const char *s;
	size_t		n;

	check_clean("", "");
	check_clean(" \n a b \xe3\x80\x80\n", "a b");
	check_clean("<think>\nhm\n</think>\n\nThe end.\n", "The end.");
	check_clean("<think>\n\n</think>", "");
	check_clean("<think> no end", "<think> no end");
	check_clean("a <think>b</think> c", "a <think>b</think> c");
	nlp_summary_clean(NULL, 0, &s, &n);
	CHECK(s && n == 0);
}

/* Answers with so many bytes of what was asked, sentences kept short. */
static NlpStatus
answer(void *ctx, NlpSummaryRequest *requests, size_t n, NlpError *err)
{
	Fake	   *f = ctx;

	f->rounds++;
	f->requests += n;
	for (size_t i = 0; i < n; i++)
	{
		size_t		tokens = fake_tokens(f, requests[i].messages.data, requests[i].messages.len);

		if (tokens > f->longest)
			f->longest = tokens;
		if (!nlp_buf_append(&requests[i].answer, "  ", 2))
			return nlp_no_memory(err, 2, "an answer");
		for (size_t k = 0; k + 6 <= f->answer_bytes && (k / 6 + 1) * 2 <= requests[i].max_tokens; k += 6)
		{
			if (!nlp_buf_append(&requests[i].answer, "Said. ", 6))
				return nlp_no_memory(err, 6, "an answer");
		}
	}
	return NLP_OK;
}

static NlpStatus
summarize(Fake *f, size_t room, size_t answer_tokens, const char *text, NlpBuf *out, NlpError *err)
{
	NlpSummaryHooks h = {.count = count, .answer = answer, .ctx = f, .room = room, .answer_tokens = answer_tokens};

	CHECK_OK(nlp_summary_overhead(count, f, &h.overhead, err), *err);
	h.overhead += 30;
	return nlp_summarize(&env, &h, text, strlen(text), out, err);
}

static void
test_rounds(void)
{
	Fake		f = {.answer_bytes = 24};
	NlpBuf		out;
	NlpError	err = {0};
	char	   *text = malloc(400001);

	nlp_buf_init(&out, &nlp_libc_alloc);
	CHECK_OK(summarize(&f, 600, 50, "One text. It fits.", &out, &err), err);
	CHECK(f.rounds == 1 && f.requests == 1 && strcmp(out.data, "Said. Said. Said. Said.") == 0);
	out.len = 0;
	f = (Fake) {.answer_bytes = 24};
	CHECK_OK(summarize(&f, 600, 50, " \n ", &out, &err), err);
	CHECK(f.requests == 0 && out.len == 0);
	/* 100,000 tokens through a room of 600 */
	for (size_t i = 0; i < 400000; i += 20)
		memcpy(text + i, "This is a sentence. ", 20);
	text[400000] = '\0';
	f = (Fake) {.answer_bytes = 1000};
	CHECK_OK(summarize(&f, 600, 50, text, &out, &err), err);
	CHECKF(f.rounds >= 3 && f.rounds <= 8, "%zu rounds", f.rounds);
	CHECKF(f.longest <= 600, "%zu tokens in a request", f.longest);
	CHECK(out.len > 0 && strstr(out.data, "\n") == NULL);
	out.len = 0;
	/* a model that says nothing */
	f = (Fake) {.answer_bytes = 0};
	CHECK_OK(summarize(&f, 600, 50, text, &out, &err), err);
	CHECK(f.rounds == 1 && out.len == 0);
	f = (Fake) {.answer_bytes = 10};
	CHECK(summarize(&f, 60, 50, text, &out, &err) == NLP_ELIMIT);
	CHECK(summarize(&f, 600, 0, text, &out, &err) == NLP_EINVALID);
	nlp_buf_free(&out);
	free(text);
}

/* A model deaf to max_tokens: its answers are as long as what it read. */
static NlpStatus
echo(void *ctx, NlpSummaryRequest *requests, size_t n, NlpError *err)
{
	for (size_t i = 0; i < n; i++)
	{
		for (size_t k = 0; k < 100; k++)
			nlp_buf_append(&requests[i].answer, "This goes on and on, and it never ends. ", 40);
	}
	return NLP_OK;
}

static void
test_no_progress(void)
{
	Fake		f = {0};
	NlpSummaryHooks h = {.count = count, .answer = echo, .ctx = &f, .room = 600, .overhead = 100, .answer_tokens = 100};
	NlpError	err = {0};
	NlpBuf		out;
	char		text[8001] = "";

	for (size_t i = 0; i < 8000; i += 20)
		memcpy(text + i, "This is a sentence. ", 20);
	text[8000] = '\0';
	nlp_buf_init(&out, &nlp_libc_alloc);
	CHECK(nlp_summarize(&env, &h, text, strlen(text), &out, &err) == NLP_ELIMIT && out.len == 0);
	CHECK(strstr(err.message, "do not get shorter") != NULL);
	nlp_buf_free(&out);
}

static void
test_no_memory(void)
{
	char		text[4001] = "";
	long		at;

	for (size_t i = 0; i < 4000; i += 20)
		memcpy(text + i, "This is a sentence. ", 20);
	text[4000] = '\0';
	for (at = 0; at < 100000; at++)
	{
		NlpTestAlloc a;
		NlpEnv		e = {.alloc = &a.alloc};
		Fake		f = {.answer_bytes = 60};
		NlpSummaryHooks h = {.count = count, .answer = answer, .ctx = &f, .room = 400, .overhead = 100, .answer_tokens = 50};
		NlpBuf		out;
		NlpError	err = {0};
		NlpStatus	st;

		nlp_test_alloc_init(&a, at);
		nlp_buf_init(&out, &a.alloc);
		st = nlp_summarize(&e, &h, text, strlen(text), &out, &err);
		nlp_buf_free(&out);
		CHECKF(a.live == 0, "allocation %ld: %ld left", at, a.live);
		if (st == NLP_OK)
			break;
		CHECKF(st == NLP_ENOMEM, "allocation %ld: %s", at, err.message);
	}
	CHECKF(at > 10 && at < 100000, "%ld allocations", at);
}

int
main(void)
{
	test_borders();
	test_long_sentence();
	test_random();
	test_language();
	test_clean();
	test_rounds();
	test_no_progress();
	test_no_memory();
	return check_done();
}
