/* wordfile_test.c --- word vector files in and out.
 *
 * Golden: test/golden/wordfile, made by gensim and fastText (make_wordfiles.py): every vector they give, of known and
 * unknown words, and the chances of fastText's output layers. Fixtures: test/fixtures/make_words.py, each file
 * wrong in one way. Besides: the number reader against strtof, decimals, detection. Memory, failures and export:
 * wordfile_bounds_test.c.
 *
 * usage: wordfile_test [FIXTURE DIRECTORY] */
#define _GNU_SOURCE
#include "wordfile.h"

#define GOLDEN "test/golden/wordfile/"

/* ---- golden ---- */

static void
check_vector(const char *file, const NlpWords *w, char *line)
{
	char	   *save;
	char	   *word = strtok_r(line, "\t", &save);
	float		v[64];
	double		worst = 0;

	CHECKF(nlp_words_vector(w, word, strlen(word), v), "%s: %s is not known", file, word);
	for (uint32_t d = 0; d < w->dim; d++)
	{
		float		want = strtof(strtok_r(NULL, "\t", &save), NULL);

		if (strncmp(file, "gensim", 6) == 0)
			CHECKF(memcmp(&v[d], &want, 4) == 0, "%s: %s: number %u is %.9g, not %.9g", file, word, d, v[d], want);
		else if (fabs((double) v[d] - want) > worst)
			worst = fabs((double) v[d] - want);
	}
	CHECKF(worst <= 1e-6, "%s: %s is off by %g", file, word, worst);
}

static void
check_chance(const char *file, const NlpWords *w, char *line)
{
	char	   *save;
	char	   *given = strtok_r(line, "\t", &save);
	char	   *word = strtok_r(NULL, "\t", &save);
	double		p = strtod(strtok_r(NULL, "\t", &save), NULL);
	uint32_t	id = nlp_words_find(w, word, strlen(word));
	NlpNeighbour *all = calloc(w->n, sizeof(*all));
	uint32_t	n;
	double		got = -1;
	NlpError	err;

	CHECK_OK(nlp_words_context(w, nlp_words_find(w, given, strlen(given)), w->n, &libc_env, all, &n, &err), err);
	for (uint32_t i = 0; i < n; i++)
	{
		if (all[i].word == id)
			got = all[i].score;
	}
	CHECKF(n == w->n && fabs(got - p) <= 1e-6, "%s: %s near %s: %g, not %g", file, word, given, got, p);
	free(all);
}

static void
test_golden(void)
{
	size_t		len;
	char	   *table = read_whole(GOLDEN "expected.tsv", &len);
	char		open_file[64] = "";
	Loaded		l = {0};
	int			vectors = 0,
				chances = 0;
	char	   *next;

	CHECK(table != NULL);
	for (char *line = table; line && *line; line = next)
	{
		char		kind[16],
					file[64];
		int			at = 0;

		next = strchr(line, '\n');
		*next++ = '\0';
		CHECK(sscanf(line, "%15s %63s %n", kind, file, &at) == 2);
		if (strcmp(file, open_file) != 0)
		{
			char		path[128];

			unload(&l);
			snprintf(path, sizeof(path), GOLDEN "%s", file);
			strcpy(open_file, file);
			if (!load_path(path, &l))
				break;
		}
		if (strcmp(kind, "vector") == 0)
			check_vector(file, l.words, line + at), vectors++;
		else
			check_chance(file, l.words, line + at), chances++;
	}
	printf("%d vectors and %d chances compared\n", vectors, chances);
	CHECK(vectors > 150 && chances > 150);
	unload(&l);
	free(table);
}

/* fastText's .vec has 5 digits of what its .bin gives. */
static void
test_vec(void)
{
	static const char *const names[] = {"ft_sg", "ft_cbow", "ft_hs", "ft_plain"};

	for (int i = 0; i < 4; i++)
	{
		char		path[128];
		Loaded		bin,
					vec;

		snprintf(path, sizeof(path), GOLDEN "%s.bin", names[i]);
		if (!load_path(path, &bin))
			continue;
		snprintf(path, sizeof(path), GOLDEN "%s.vec", names[i]);
		if (!load_path(path, &vec))
			continue;
		CHECK(bin.report.format == NLP_WORDFILE_FASTTEXT && vec.report.format == NLP_WORDFILE_W2V_TEXT);
		CHECK(bin.words->n == vec.words->n && bin.words->n == 31 && bin.words->dim == 10 && vec.words->dim == 10);
		CHECK(bin.words->total_count == 5200 && vec.words->total_count == 0);
		CHECK(bin.words->objective == (i == 1 ? NLP_WORDS_CBOW : NLP_WORDS_SKIPGRAM) && bin.words->window == 5);
		CHECK(vec.words->objective == NLP_WORDS_PLAIN);
		for (uint32_t r = 0; r < bin.words->n; r++)
		{
			size_t		a,
						b;
			const char *word = nlp_words_text(bin.words, r, &a);

			CHECK(strncmp(word, nlp_words_text(vec.words, r, &b), a) == 0 && a == b);
			for (uint32_t d = 0; d < 10; d++)
			{
				double		x = nlp_words_row(bin.words, r)[d],
							y = nlp_words_row(vec.words, r)[d];

				CHECKF(fabs(x - y) <= fabs(x) * 1e-4, "%s row %u: %g %g", names[i], r, x, y);
			}
		}
		unload(&bin);
		unload(&vec);
	}
}

/* ---- numbers ---- */

/* Decimals of many kinds: short, long, with odd exponents, halves between two f32 and what lies close to one. */
static int
random_decimal(char *s, size_t size)
{
	float		f = draw_float();
	double		half = ((double) fabsf(f) + (double) nextafterf(fabsf(f), INFINITY)) / 2;

	if (!isfinite(half))
		half = 0x1.ffffffp127;
	switch (draw() % 6)
	{
		case 0:
			return snprintf(s, size, "%.*g", (int) (draw() % 12 + 1), f);
		case 1:
			return snprintf(s, size, "%s%llu.%lluE%d", draw() % 2 ? "-" : "+", (unsigned long long) (draw() >> (draw() % 64)),
							(unsigned long long) (draw() >> (draw() % 64)), (int) (draw() % 120) - 70);
		case 2:
			return snprintf(s, size, "%.*f", (int) (draw() % 10), ((double) (draw() >> 11) * 0x1p-53 - 0.5) * 8);
		case 3:
			return snprintf(s, size, "%.*e", draw() % 3 ? (int) (draw() % 125) : 120, half);
		case 4:
			return snprintf(s, size, "%.*e", (int) (draw() % 20 + 6), nextafter(half, draw() % 2 ? 0 : INFINITY));
		default:
			return snprintf(s, size, "%.17g", (double) f * (1 + (double) (draw() >> 40) * 1e-9));
	}
}

static void
test_numbers(void)
{
	int			wrong = 0,
				huges = 0,
				zeros = 0;
	static const char *const bad[] = {"", ".", "-", "+", "e5", "1e", "1e+", "1e1.5", "1.2.3", "--1", "1-", "nan", "inf", "0x10", "0x1p3",
	"1,5", "1_0", "1f", " 1", "1\t", "\xd9\xa1"};

	for (int i = 0; i < 1000000; i++)
	{
		char		s[256];
		int			n = random_decimal(s, sizeof(s));
		float		want = strtof(s, NULL),
					got = 0;
		bool		huge;
		const char *end = nlp_wordfile_number(s, s + n, &got, &huge);

		huges += isinf(want) != 0;
		zeros += want == 0;
		if (isinf(want) ? end != NULL || !huge : end != s + n || memcmp(&got, &want, 4) != 0)
		{
			if (wrong++ < 10)
				CHECKF(false, "%s: %a, not %a", s, got, want);
		}
	}
	CHECK(wrong == 0);
	CHECKF(huges > 1000 && zeros > 1000, "%d too large, %d zero", huges, zeros);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
	{
		float		f;
		bool		huge;

		CHECKF(!nlp_wordfile_number(bad[i], bad[i] + strlen(bad[i]), &f, &huge) && !huge, "%s", bad[i]);
	}
}

static void
test_decimals(void)
{
	int			wrong = 0,
				longer = 0;

	for (int i = 0; i < 1000000; i++)
	{
		float		f = i % 2 ? draw_float() : (float) ((double) (int64_t) draw() * 0x1p-63);
		char		s[NLP_WORDFILE_DECIMALS + 1],
					short_one[64];
		size_t		n = nlp_wordfile_decimals(f, s);
		float		one_step;
		float		two_steps;

		s[n] = '\0';
		one_step = strtof(s, NULL);
		two_steps = (float) strtod(s, NULL);	/* as Python reads it */
		wrong += n > 17 || memcmp(&one_step, &f, 4) != 0 || memcmp(&two_steps, &f, 4) != 0;
		for (int p = 6; p <= 9; p++)
		{
			snprintf(short_one, sizeof(short_one), "%.*e", p - 1, f);
			if (strtof(short_one, NULL) == f)
				break;
		}
		longer += strchr(s, 'e') && strlen(s) > strlen(short_one);
	}
	/* a decimal that lies on a half is not used, even if it would be read back by the rule of even */
	CHECKF(wrong == 0 && longer < 200, "%d wrong, %d longer than need be", wrong, longer);
}

/* ---- fixtures ---- */

static const char *
status_name(NlpStatus st)
{
	return st == NLP_OK ? "OK" : st == NLP_ECORRUPT ? "ECORRUPT" : st == NLP_EUNSUPPORTED ? "EUNSUPPORTED"
		: st == NLP_ELIMIT ? "ELIMIT" : "another";
}

static NlpWordFileOptions
parse_options(const char *s)
{
	return (NlpWordFileOptions) {.limit = (uint32_t) atoi(s),.skip_bad_words = strcmp(s, "skip") == 0};
}

static bool
echoes(const NlpError *err)
{
	return strstr(err->message, "Geheim") || strstr(err->detail, "Geheim") || strstr(err->hint, "Geheim") || strstr(err->field, "Geheim");
}

static void
check_fixture(const char *dir, char *line)
{
	char	   *save,
			   *name = strtok_r(line, "\t", &save),
			   *options_text = strtok_r(NULL, "\t", &save),
			   *status = strtok_r(NULL, "\t", &save),
			   *rows,
			   *skipped;
	NlpWordFileOptions options = parse_options(options_text);
	char		path[512];
	size_t		len;
	char	   *data;
	NlpTestAlloc counting;
	NlpEnv		env = {.alloc = &counting.alloc};
	NlpMemorySource src;
	Loaded		l;
	NlpError	err = {0};
	NlpStatus	st;

	strtok_r(NULL, "\t", &save);
	rows = strtok_r(NULL, "\t", &save);
	skipped = strtok_r(NULL, "\t", &save);
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	data = read_whole(path, &len);
	CHECKF(data != NULL, "%s", path);
	if (!data)
		return;
	nlp_test_alloc_init(&counting, -1);
	nlp_memory_source_init(&src, data, len);
	st = import_source(&src.source, &options, &env, &l, &err);
	CHECKF(strcmp(status_name(st), status) == 0, "%s: got %s: %s", name, status_name(st), err.message);
	CHECKF(counting.live == 0, "%s: %ld allocations left", name, counting.live);
	if (st != NLP_OK)
		CHECKF(err.message[0] && err.status == st && err.has_offset && err.offset <= len && err.field[0] && !echoes(&err), "%s: %s (%s, %llu)",
			   name, err.message, err.field, (unsigned long long) err.offset);
	else
	{
		CHECKF(l.report.rows == strtoull(rows, NULL, 10) && l.report.skipped == strtoull(skipped, NULL, 10), "%s: %llu rows, %llu skipped",
			   name, (unsigned long long) l.report.rows, (unsigned long long) l.report.skipped);
		st = build_table(&l, &err);
		CHECKF(st == NLP_OK && l.words->n == l.report.rows && l.words->dim == l.report.dim, "%s: %s", name, err.message);
	}
	unload(&l);
	free(data);
}

static void
test_fixtures(const char *dir)
{
	char		path[512];
	size_t		made_len = 0,
				kept_len = 0;
	char	   *made,
			   *kept = read_whole("test/fixtures/words.tsv", &kept_len);
	int			n = 0;

	snprintf(path, sizeof(path), "%s/table.tsv", dir);
	made = read_whole(path, &made_len);
	CHECK(made && kept && made_len == kept_len && memcmp(made, kept, made_len) == 0);
	for (char *p = made, *nl; made && (nl = strchr(p, '\n')); p = nl + 1)
	{
		*nl = '\0';
		check_fixture(dir, p);
		n++;
	}
	CHECKF(n >= 290, "%d fixtures", n);
	printf("%d fixtures\n", n);
	free(made);
	free(kept);
}

/* ---- detection ---- */
static void
test_detect(void)
{
	static const struct
	{
		const char *bytes;
		size_t		len;
		NlpWordFormat format;
	}			cases[] = {
		{"", 0, NLP_WORDFILE_NONE}, {"GGUF\3\0\0\0", 8, NLP_WORDFILE_NONE}, {"\2\0\0\0\0\0\0\0{}", 10, NLP_WORDFILE_NONE},
		{"\xba\x16\x4f\x2f", 4, NLP_WORDFILE_FASTTEXT}, {"1 2\na 1 2\n", 10, NLP_WORDFILE_W2V_TEXT}, {"-1 300\n", 7, NLP_WORDFILE_W2V_TEXT},
		{"1e18 300\na 1", 12, NLP_WORDFILE_W2V_TEXT}, {"1 2\na \0\0\0\0\0\0\0\0\n", 15, NLP_WORDFILE_W2V_BIN},
		/* a newline among the first bytes of a number */
		{"1 2\na \n\n\0\0\0\0\0\0\n", 15, NLP_WORDFILE_W2V_BIN}, {"1 2\na A\n\x80\x3f\x80\x80\x80\x3f\n", 15, NLP_WORDFILE_W2V_BIN},
		{"1 2\na nan 1\n", 12, NLP_WORDFILE_W2V_TEXT}, {"2 1\na 1\n\xff 1\n", 12, NLP_WORDFILE_W2V_TEXT},
		{"a 1 2\n", 6, NLP_WORDFILE_GLOVE}, {"a 1 2", 5, NLP_WORDFILE_GLOVE}, {"a 1 nan", 7, NLP_WORDFILE_GLOVE},
		{"\xff 1 2\n", 7, NLP_WORDFILE_GLOVE}, {"a b\n", 4, NLP_WORDFILE_NONE}, {"a\n", 2, NLP_WORDFILE_NONE}, {"{\"a\": 1}\n", 9, NLP_WORDFILE_NONE},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		NlpMemorySource src;
		NlpWordFormat format = NLP_WORDFILE_NONE;
		NlpError	err;

		nlp_memory_source_init(&src, cases[i].bytes, cases[i].len);
		CHECK_OK(nlp_wordfile_detect(&src.source, &format, &err), err);
		CHECKF(format == cases[i].format, "case %zu: %s", i, nlp_wordfile_name(format));
	}
	CHECK(strcmp(nlp_wordfile_name(NLP_WORDFILE_W2V_BIN), "word2vec binary") == 0 && strcmp(nlp_wordfile_name((NlpWordFormat) 77), "unknown") == 0);
}

int
main(int argc, char **argv)
{
	char		tmp[] = "/tmp/wordfile_test.XXXXXX";
	char		cmd[1024];
	const char *dir = argc > 1 ? argv[1] : mkdtemp(tmp);

	snprintf(cmd, sizeof(cmd), "python3 test/fixtures/make_words.py '%s'", dir);
	CHECK(system(cmd) == 0);
	test_golden();
	test_vec();
	test_numbers();
	test_decimals();
	test_detect();
	test_fixtures(dir);
	if (argc <= 1)
	{
		snprintf(cmd, sizeof(cmd), "rm -rf '%s'", dir);
		CHECK(system(cmd) == 0);
	}
	return check_done();
}
