/* segment_test.c --- the segmenter: what it cuts, against a plain twin; files that are wrong
 * in one way each; tables that are damaged; long texts, memory, cancels.
 *
 * usage: segment_test [MODEL.gguf [GOLD.txt]]   default models/segment_zh.gguf, "not run" without
 * it, and test/golden/segment_gsd.txt */
#include <math.h>

#include "core/utf8.h"
#include "segment_file.h"
#include "token/segment_table.h"

#define CUT(text, words) \
	do { const char *got_ = seg_cut(t.s, text, true); CHECKF(strcmp(got_, words) == 0, "%s: %s", text, got_); } while (0)

/* ---- rules ---- */

static void
test_rules(void)
{
	SegmentTable t;
	NlpError	err = {0};

	seg_bytes(&small_file, &t);
	CHECK_OK(seg_load(&t, &seg_env, &err), err);
	if (!t.s)
		return;
	CHECK(nlp_segmenter_words(t.s) == 10);
	CUT("", "");
	CUT("   \n\t　", "");
	CUT("中国人民的大学", "中国|人民|的|大学");
	CUT("中国人在大学生的", "中国人|在|大学生|的");
	CUT("中國人", "中國人");		/* folded for looking up, kept as written */
	CUT("王小明中国", "王小明|中国");
	CHECK(strcmp(seg_cut(t.s, "王小明中国", false), "王|小|明|中国") == 0);
	/* runs, numbers, punctuation, apostrophes, other scripts */
	CUT("Hello, world don't x_y", "Hello|,|world|don't|x|_|y");
	CUT("3.14 1,000 ab.cd 5. .5", "3.14|1|,|000|ab|.|cd|5|.|.|5");
	CUT("50% 3.5％的 a% % 5%5 5%%", "50%|3.5％|的|a|%|%|5%|5|5%|%");
	CUT("привет мир café", "привет|мир|café");
	CUT("ひらカ", "ひ|ら|カ");
	CUT("，。！", "，|。|！");
	/* letters that touch Han */
	CUT("在t恤的", "在|t恤|的");
	CUT("卡拉OK在", "卡拉OK|在");
	CUT("卡拉OKs在", "卡拉|OKs|在");	/* a run is never cut */
	CUT("iPhone15在中国", "iPhone15|在|中国");
	CUT("在abc", "在|abc");
	/* a circle is a zero only after a Han character */
	CUT("○ 在○", "○|在○");
	CHECK(strcmp(seg_cut(t.s, "在○", false), "在|○") == 0);
	seg_free(&t);
}

/* ---- the cheapest path, against a plain twin ---- */

/* splitmix64 */
static uint32_t
draw(uint64_t *state)
{
	uint64_t	z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return (uint32_t) (z >> 32);
}

static const char *const alphabet[] = {"甲", "乙", "丙", "丁"};
#define MAX_TWIN 64

typedef struct Twin
{
	char		words[512][16];
	uint32_t	frequency[512];
	int			n;
	double		total;
} Twin;

static int
compare_words(const void *a, const void *b)
{
	return strcmp(a, b);
}

static double
twin_cost(const Twin *w, const char *word, size_t len)
{
	for (int i = 0; i < w->n; i++)
		if (strlen(w->words[i]) == len && memcmp(w->words[i], word, len) == 0)
			return log2(w->total / w->frequency[i]);
	return len == 3 ? log2(w->total) : INFINITY;
}

static double
twin_best(const Twin *w, const char *text, int chars)
{
	double		best[MAX_TWIN + 1];

	best[0] = 0;
	for (int j = 1; j <= chars; j++)
	{
		best[j] = INFINITY;
		for (int i = 0; i < j; i++)
			best[j] = fmin(best[j], best[i] + twin_cost(w, text + 3 * i, (size_t) (j - i) * 3));
	}
	return best[chars];
}

static void
random_dictionary(uint64_t *r, Twin *w)
{
	int			n = 20 + (int) (draw(r) % 100);
	int			m = 0;

	memset(w, 0, sizeof(*w));
	for (int i = 0; i < n; i++)
		for (uint32_t len = 1 + draw(r) % 4, j = 0; j < len; j++)
			strcat(w->words[i], alphabet[draw(r) % 4]);
	qsort(w->words, (size_t) n, 16, compare_words);
	for (int i = 0; i < n; i++)
		if (m == 0 || strcmp(w->words[m - 1], w->words[i]) != 0)
			memmove(w->words[m++], w->words[i], 16);
	w->n = m;
	for (int i = 0; i < m; i++)
	{
		w->frequency[i] = 1 + draw(r) % 1000;
		w->total += w->frequency[i];
	}
}

static void
test_cheapest(void)
{
	static Twin w;
	uint64_t	r = 17;
	NlpError	err = {0};

	for (int round = 0; round < 60; round++)
	{
		static char joined[512 * 16];
		SegmentFile f = small_file;
		SegmentTable t;

		random_dictionary(&r, &w);
		joined[0] = '\0';
		for (int i = 0; i < w.n; i++)
			sprintf(joined + strlen(joined), "%s%s", i ? "\n" : "", w.words[i]);
		f.words = joined;
		f.frequencies = w.frequency;
		f.n_frequencies = (size_t) w.n;
		seg_bytes(&f, &t);
		CHECK_OK(seg_load(&t, &seg_env, &err), err);
		for (int k = 0; k < 20 && t.s; k++)
		{
			char		text[MAX_TWIN * 3 + 1] = "";
			int			chars = 1 + (int) (draw(&r) % MAX_TWIN);
			NlpSpans	out = {.alloc = &nlp_libc_alloc};
			double		sum = 0;

			for (int i = 0; i < chars; i++)
				strcat(text, alphabet[draw(&r) % 4]);
			CHECK_OK(nlp_segment(t.s, text, strlen(text), false, &seg_env, &out, &err), err);
			for (size_t i = 0; i < out.n; i++)
				sum += twin_cost(&w, text + out.spans[i].start, out.spans[i].len);
			CHECKF(fabs(sum - twin_best(&w, text, chars)) < 0.01, "%g and %g", sum, twin_best(&w, text, chars));
			nlp_free(&nlp_libc_alloc, out.spans);
		}
		seg_free(&t);
	}
}

/* ---- the HMM, against all taggings ---- */

/* Cost of tags (2 bits a character) for a text over 小 明 王, INFINITY when they do not fit. */
static double
tags_cost(const int *chars, int n, unsigned tags)
{
	static const char *const may_follow[4] = {"\1\2", "\1\2", "\0\3", "\0\3"};
	double		sum = 0;
	unsigned	last = 0;

	for (int i = 0; i < n; i++)
	{
		unsigned	tag = tags >> (2 * i) & 3;

		sum -= small_emit[chars[i] * 4 + tag];
		if (i == 0)
			sum -= small_start[tag];
		else if (memchr(may_follow[last], (int) tag, 2) == NULL)
			return INFINITY;
		else
			sum -= small_step[last * 4 + tag];
		last = tag;
	}
	return last >= 2 ? sum : INFINITY;
}

static void
test_hmm(void)
{
	static const char *const text_of[3] = {"小", "明", "王"};
	SegmentTable t;
	NlpError	err = {0};

	seg_bytes(&small_file, &t);
	CHECK_OK(seg_load(&t, &seg_env, &err), err);
	for (int code = 0; code < 3 * 3 * 3 * 3 * 3 * 3 && t.s; code++)
	{
		int			chars[6],
					n = 6;
		char		text[19] = "";
		double		best = INFINITY,
					got;
		NlpSpans	out = {.alloc = &nlp_libc_alloc};
		unsigned	tags = 0;

		for (int i = 0, c = code; i < n; i++, c /= 3)
			strcat(text, text_of[chars[i] = c % 3]);
		for (unsigned k = 0; k < 1u << (2 * n); k++)
			best = fmin(best, tags_cost(chars, n, k));
		CHECK_OK(nlp_segment(t.s, text, 18, true, &seg_env, &out, &err), err);
		for (size_t i = 0; i < out.n; i++)
		{
			int			a = (int) out.spans[i].start / 3,
						len = (int) out.spans[i].len / 3;

			for (int j = 0; j < len; j++)
				tags |= (unsigned) (len == 1 ? 3 : j == 0 ? 0 : j == len - 1 ? 2 : 1) << (2 * (a + j));
		}
		got = tags_cost(chars, n, tags);
		CHECKF(fabs(got - best) < 0.01, "%s: %g and %g", text, got, best);
		nlp_free(&nlp_libc_alloc, out.spans);
	}
	seg_free(&t);
}

/* ---- long texts ---- */

typedef struct Polls
{
	int			n,
				cancel_at;
} Polls;

static bool
always(void *ctx)
{
	return true;
}

static bool
count_poll(void *ctx)
{
	Polls	   *p = ctx;

	return ++p->n == p->cancel_at;
}

/* Every byte but white space in exactly one span, spans ascending. */
static bool
covers(const char *text, size_t len, const NlpSpans *out)
{
	size_t		at = 0;

	for (size_t i = 0; i < out->n; i++)
	{
		for (; at < out->spans[i].start; at++)
			if (text[at] != ' ' && text[at] != '\n')
				return false;
		if (out->spans[i].start != at || out->spans[i].len == 0)
			return false;
		at += out->spans[i].len;
	}
	for (; at < len; at++)
		if (text[at] != ' ' && text[at] != '\n')
			return false;
	return true;
}

static void
long_text(const NlpSegmenter *s, const char *piece, size_t times, size_t words_expected, const char *what)
{
	size_t		n = strlen(piece);
	char	   *text = malloc(n * times);
	NlpTestAlloc alloc;
	Polls		polls = {0, 0};
	NlpEnv		env = {.alloc = &alloc.alloc, .pending = always, .cancelled = count_poll, .cancel_ctx = &polls};
	NlpSpans	out = {.alloc = &nlp_libc_alloc};
	NlpError	err = {0};

	nlp_test_alloc_init(&alloc, -1);
	for (size_t i = 0; i < times; i++)
		memcpy(text + i * n, piece, n);
	CHECK_OK(nlp_segment(s, text, n * times, true, &env, &out, &err), err);
	CHECKF(covers(text, n * times, &out), "%s", what);
	CHECKF(words_expected == 0 || out.n == words_expected, "%s: %zu words", what, out.n);
	CHECKF(alloc.calls == 1 && alloc.live == 0, "%s: %ld allocations", what, alloc.calls);
	CHECKF((size_t) polls.n >= n * times / 65536, "%s: %d polls", what, polls.n);
	polls = (Polls) {0, 2};
	out.n = 0;
	CHECK(nlp_segment(s, text, n * times, true, &env, &out, &err) == NLP_ECANCELLED);
	CHECK(alloc.live == 0);
	nlp_free(&nlp_libc_alloc, out.spans);
	free(text);
}

static void
test_long(void)
{
	SegmentTable t;
	NlpError	err = {0};
	NlpSpans	out = {.alloc = &nlp_libc_alloc};

	seg_bytes(&small_file, &t);
	CHECK_OK(seg_load(&t, &seg_env, &err), err);
	if (!t.s)
		return;
	/* blocks of more units than the window, without and with places where words must end */
	long_text(t.s, "中国人民的大学", 50000, 200000, "words");
	long_text(t.s, "的", 300000, 0, "single characters");
	long_text(t.s, "小明", 200000, 0, "unknown characters");
	long_text(t.s, "在ab", 200000, 400000, "characters and runs");
	long_text(t.s, "abcdefgh", 100000, 1, "one run");
	long_text(t.s, "在 ", 200000, 200000, "short blocks");
	CHECK(nlp_segment(t.s, "a\xe4\xb8", 3, true, &seg_env, &out, &err) == NLP_ETEXT);
	CHECK(nlp_segment(t.s, "\xf7\xbf\xbf\xbf", 4, true, &seg_env, &out, &err) == NLP_ETEXT);
	CHECK(nlp_segment(t.s, "", (size_t) 1 << 30, true, &seg_env, &out, &err) == NLP_ELIMIT);
	seg_free(&t);
}

/* ---- memory that is refused ---- */

static void
test_no_memory(void)
{
	const char *text = "王小明在中国 and then some more words, one after another; 在中国的大学 a b c d e f g h i j k l m n o p q "
		"r s t u v w x y z a b c d e f g h i j k l m n o p q r s t u v w x y z 的 的 的 的 的 的 的 的 的 的 的 的 的 的";
	SegmentTable t;
	NlpError	err = {0};
	int			refused = 0;

	seg_bytes(&small_file, &t);
	CHECK_OK(seg_load(&t, &seg_env, &err), err);
	for (long at = 0; t.s; at++)
	{
		NlpTestAlloc alloc;
		NlpEnv		env = {.alloc = &alloc.alloc};
		NlpSpans	out = {.alloc = &alloc.alloc};
		NlpStatus	st;

		nlp_test_alloc_init(&alloc, at);
		st = nlp_segment(t.s, text, strlen(text), true, &env, &out, &err);
		nlp_free(&alloc.alloc, out.spans);
		CHECK(alloc.live == 0);
		if (st == NLP_OK)
			break;
		CHECK(st == NLP_ENOMEM);
		refused++;
	}
	CHECK(refused >= 3);
	seg_free(&t);
}

/* ---- wrong files ---- */

static void
refused(const SegmentFile *f, const char *field, const char *message)
{
	SegmentTable t;
	NlpError	err = {0};

	seg_bytes(f, &t);
	CHECKF(seg_load(&t, &seg_env, &err) == NLP_ECORRUPT, "%s: %s", field, message);
	CHECKF(strcmp(err.field, field) == 0, "%s: %s", err.field, err.message);
	CHECKF(strstr(err.message, message) != NULL, "%s", err.message);
	seg_free(&t);
}

static void
test_wrong_words(void)
{
	static const uint32_t zero[10] = {1, 1, 0, 1, 1, 1, 1, 1, 1, 1};
	char		long_word[65 * 3 + 1] = "";
	SegmentFile f = small_file;
	static const struct
	{
		const char *words;
		size_t		n;
		const char *message;
	}			bad[] = {
		{"", 0, "there are no words"},
		{"中\n\n国", 3, "a word is empty"},
		{"中\n国\n", 2, "a word is empty"},
		{"\n中", 2, "a word is empty"},
		{"国\n中", 2, "ascending order"},
		{"中\n中", 2, "ascending order"},
		{"中国\n中", 2, "ascending order"},
		{"中\xe5\x9b", 1, "not valid UTF-8"},
		{"a\xff", 1, "not valid UTF-8"},
		{"\xed\xa0\x80", 1, "not valid UTF-8"},
		{"中 国", 1, "control character or a space"},
		{"中\r\n国", 2, "control character or a space"},
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
	{
		f.words = bad[i].words;
		f.n_frequencies = bad[i].n;
		refused(&f, "segmenter.words", bad[i].message);
	}
	for (int i = 0; i < 65; i++)
		strcat(long_word, "中");
	f.words = long_word;
	f.n_frequencies = 1;
	refused(&f, "segmenter.words", "longer than 64 characters");
	f = small_file;
	f.n_frequencies = 9;
	refused(&f, "segmenter.frequencies", "fewer frequencies");
	f = small_file;
	f.words = "中\n国";
	refused(&f, "segmenter.frequencies", "more frequencies");
	f = small_file;
	f.frequencies = zero;
	refused(&f, "segmenter.frequencies", "a frequency is 0");
}

static void
test_wrong_keys(void)
{
	static const uint32_t descending[] = {0x660e, 0x5c0f, 0x738b},
				twice[] = {0x5c0f, 0x5c0f, 0x738b},
				surrogate[] = {0x5c0f, 0xd800, 0x110000},
				null_to[] = {0, 'a', 'b'};
	float		bad_start[4] = {-1, -1, -1, 0.5f};
	float		bad_step[16] = {0};
	SegmentFile f;

	f = small_file, f.no_language = true;
	refused(&f, "segmenter.language", "");
	f = small_file, f.words = NULL;
	refused(&f, "segmenter.words", "");
	f = small_file, f.wide_words = true;
	refused(&f, "segmenter.words", "");
	f = small_file, f.frequencies = NULL;
	refused(&f, "segmenter.frequencies", "");
	f = small_file, f.start = NULL;
	refused(&f, "segmenter.hmm.start", "");
	f = small_file, f.step = NULL;
	refused(&f, "segmenter.hmm.step", "");
	f = small_file, f.chars = NULL;
	refused(&f, "segmenter.hmm.chars", "");
	f = small_file, f.emit = NULL;
	refused(&f, "segmenter.hmm.emit", "");
	f = small_file, f.to = NULL;
	refused(&f, "segmenter.fold.to", "");
	f = small_file, f.n_emit = 8;
	refused(&f, "segmenter.hmm.emit", "there are 8 values, not 12");
	f = small_file, f.n_to = 1;
	refused(&f, "segmenter.fold.to", "as many");
	f = small_file, f.chars = descending;
	refused(&f, "segmenter.hmm.chars", "ascending");
	f = small_file, f.chars = twice;
	refused(&f, "segmenter.hmm.chars", "ascending");
	f = small_file, f.chars = surrogate;
	refused(&f, "segmenter.hmm.chars", "not a character");
	f = small_file, f.from = descending;
	refused(&f, "segmenter.fold.from", "ascending");
	f = small_file, f.to = null_to;
	refused(&f, "segmenter.fold.to", "not a character");
	f = small_file, f.start = bad_start;
	refused(&f, "segmenter.hmm.start", "above 0");
	bad_step[3] = NAN;
	f = small_file, f.step = bad_step;
	refused(&f, "segmenter.hmm.step", "not finite");
	bad_step[3] = -INFINITY;
	refused(&f, "segmenter.hmm.step", "not finite");
}

/* ---- damaged tables ---- */

static void
test_damage(void)
{
	SegmentTable t;
	NlpError	err = {0};
	size_t		refused_n = 0,
				served = 0;
	char	   *copy;
	NlpSpans	out = {.alloc = &nlp_libc_alloc};
	const char *text = "中國人在大学生的王小明明王卡拉OK在t恤 abc 的○";

	seg_bytes(&small_file, &t);
	CHECK_OK(seg_load(&t, &seg_env, &err), err);
	if (!t.s)
		return;
	copy = malloc(t.bytes);
	memcpy(copy, t.s, t.bytes);
	CHECK(nlp_segmenter_check(t.s, t.bytes - 1, &err) == NLP_ECORRUPT);
	CHECK(nlp_segmenter_check(t.s, 8, &err) == NLP_ECORRUPT);
	/* Each byte changed: refused, or harmless (the sanitizers watch). The default page is repetitive. */
	for (size_t i = 0; i < t.bytes; i += i < 4096 || i + 8192 > t.bytes ? 1 : 61)
		for (int bit = 0; bit < 8; bit += 7)
		{
			((char *) t.s)[i] ^= (char) (1 << bit);
			if (nlp_segmenter_check(t.s, t.bytes, &err) == NLP_OK)
			{
				served++;
				out.n = 0;
				CHECK_OK(nlp_segment(t.s, text, strlen(text), true, &seg_env, &out, &err), err);
				CHECK(covers(text, strlen(text), &out));
			}
			else
				refused_n++;
			((char *) t.s)[i] = copy[i];
		}
	CHECK(refused_n > 100 && served > 100);
	CHECK(memcmp(copy, t.s, t.bytes) == 0);
	nlp_free(&nlp_libc_alloc, out.spans);
	free(copy);
	seg_free(&t);
}

/* ---- the shipped model ---- */

/* Compare the cut of one line with the line's own spaces; counts of words. */
static void
score_line(const NlpSegmenter *s, const char *gold, size_t counts[3])
{
	char		text[8192];
	size_t		len = 0;
	size_t		start = 0;
	size_t		i = 0;
	NlpSpans	out = {.alloc = &nlp_libc_alloc};
	NlpError	err = {0};

	for (const char *p = gold; *p && len < sizeof(text); p++)
		if (*p != ' ')
			text[len++] = *p;
	CHECK_OK(nlp_segment(s, text, len, true, &seg_env, &out, &err), err);
	for (const char *p = gold; *p;)
	{
		size_t		n = strcspn(p, " ");

		while (i < out.n && out.spans[i].start < start)
			i++;
		counts[0] += i < out.n && out.spans[i].start == start && out.spans[i].len == n;
		counts[1]++;
		start += n;
		p += n + (p[n] == ' ');
	}
	counts[2] += out.n;
	nlp_free(&nlp_libc_alloc, out.spans);
}

/* Word F1 in percent of each part of the file. */
static void
test_quality(const NlpSegmenter *s, const char *path)
{
	FILE	   *f = fopen(path, "r");
	char	   *line = NULL;
	size_t		cap = 0;
	ssize_t		n;
	size_t		counts[2][3] = {{0}};
	int			part = -1;

	CHECKF(f != NULL, "%s", path);
	while (f && (n = getline(&line, &cap, f)) > 0)
	{
		line[strcspn(line, "\n")] = '\0';
		if (line[0] == '#' && strncmp(line, "# gsd", 5) == 0)
			part++;
		else if (line[0] != '#' && part >= 0 && part < 2)
			score_line(s, line, counts[part]);
	}
	for (int i = 0; i < 2; i++)
	{
		double		f1 = 200.0 * (double) counts[i][0] / (double) (counts[i][1] + counts[i][2]);

		CHECKF(f1 > 80.5, "part %d: %.2f", i, f1);
	}
	free(line);
	if (f)
		fclose(f);
}

static void
test_shipped(const char *path, const char *gold)
{
	SegmentTable t = {0};
	NlpError	err = {0};
	FILE	   *f = fopen(path, "rb");

	if (!f)
	{
		check_not_run("the shipped model: it is not here");
		return;
	}
	fseek(f, 0, SEEK_END);
	t.file_bytes = (size_t) ftell(f);
	rewind(f);
	t.file = malloc(t.file_bytes);
	CHECK(fread(t.file, 1, t.file_bytes, f) == t.file_bytes);
	fclose(f);
	CHECK_OK(seg_load(&t, &seg_env, &err), err);
	if (t.s)
	{
		CHECK(nlp_segmenter_words(t.s) > 340000);
		CUT("我来到北京清华大学", "我|来到|北京|清华大学");
		CUT("我來到北京清華大學", "我|來到|北京|清華大學");
		CUT("小明硕士毕业于中国科学院计算所", "小明|硕士|毕业|于|中国科学院|计算所");
		CUT("南京市长江大桥", "南京市|长江大桥");
		CUT("买了3.5斤苹果，花了20元。", "买|了|3.5|斤|苹果|，|花|了|20|元|。");
		CUT("PostgreSQL是一个数据库", "PostgreSQL|是|一个|数据库");
		test_quality(t.s, gold);
	}
	seg_free(&t);
}

int
main(int argc, char **argv)
{
	test_rules();
	test_cheapest();
	test_hmm();
	test_long();
	test_no_memory();
	test_wrong_words();
	test_wrong_keys();
	test_damage();
	test_shipped(argc > 1 ? argv[1] : "models/segment_zh.gguf", argc > 2 ? argv[2] : "test/golden/segment_gsd.txt");
	return check_done();
}
