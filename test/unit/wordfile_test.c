/* wordfile_test.c --- word vector files in and out.
 *
 * Golden: test/golden/wordfile, made by gensim and fastText (make_wordfiles.py): every vector they give, of known and
 * unknown words, and the chances of fastText's output layers. Fixtures: test/fixtures/make_words.py, each file
 * wrong in one way. Besides: the number reader against strtof, windows and their bound, truncation at every
 * byte, failure of every allocation, cancelling, and export read back bit for bit.
 *
 * usage: wordfile_test [FIXTURE DIRECTORY] */
#define _GNU_SOURCE
#include <math.h>
#include <unistd.h>

#include "check.h"
#include "wordvec/file_private.h"

#define GOLDEN "test/golden/wordfile/"

static const NlpEnv libc_env = {.alloc = &nlp_libc_alloc};

static char *
read_whole(const char *path, size_t *len)
{
	FILE	   *f = fopen(path, "rb");
	char	   *data;
	long		size;

	if (!f)
		return NULL;
	fseek(f, 0, SEEK_END);
	size = ftell(f);
	rewind(f);
	data = malloc((size_t) size + 1);
	*len = fread(data, 1, (size_t) size, f);
	data[*len] = '\0';
	fclose(f);
	return data;
}

/* ---- a sink that keeps, and the way from a file to a table ---- */

static NlpStatus
keep_bytes(void *ctx, const void *bytes, size_t len, NlpError *err)
{
	return nlp_buf_append(ctx, bytes, len) ? NLP_OK : nlp_no_memory(err, len, "test");
}

typedef struct Loaded
{
	NlpBuf		gguf;
	NlpWords   *words;
	NlpWordFileReport report;
} Loaded;

static void
unload(Loaded *l)
{
	nlp_buf_free(&l->gguf);
	nlp_free(&nlp_libc_alloc, l->words);
	l->words = NULL;
}

static NlpStatus
import_source(const NlpSource *src, const NlpWordFileOptions *options, const NlpEnv *env, Loaded *l, NlpError *err)
{
	NlpSink		sink = {keep_bytes, &l->gguf};

	memset(l, 0, sizeof(*l));
	nlp_buf_init(&l->gguf, &nlp_libc_alloc);
	return nlp_wordfile_import(src, options, "test", &sink, env, &l->report, err);
}

static NlpStatus
import_bytes(const char *data, size_t len, const NlpWordFileOptions *options, Loaded *l, NlpError *err)
{
	NlpMemorySource src;

	nlp_memory_source_init(&src, data, len);
	return import_source(&src.source, options, &libc_env, l, err);
}

/* The GGUF as the server would load it. */
static NlpStatus
build_table(Loaded *l, NlpError *err)
{
	NlpMemorySource src;
	NlpGguf		g;
	NlpWordsPlan *plan = NULL;
	NlpStatus	st;

	nlp_memory_source_init(&src, l->gguf.data, l->gguf.len);
	NLP_TRY(nlp_gguf_open(&src.source, &libc_env, &g, err));
	st = nlp_words_plan(&g, &libc_env, &plan, err);
	if (st == NLP_OK)
	{
		uint64_t	bytes = nlp_words_plan_bytes(plan);

		l->words = nlp_alloc(&nlp_libc_alloc, bytes);
		st = nlp_words_build(plan, &src.source, &libc_env, l->words, NULL, err);
		if (st == NLP_OK)
			st = nlp_words_check(l->words, bytes, err);
		nlp_words_plan_free(plan);
	}
	nlp_gguf_close(&g);
	return st;
}

static bool
load_bytes(const char *data, size_t len, const NlpWordFileOptions *options, Loaded *l)
{
	NlpError	err = {0};
	NlpStatus	st = import_bytes(data, len, options, l, &err);

	if (st == NLP_OK)
		st = build_table(l, &err);
	CHECK_OK(st, err);
	return st == NLP_OK;
}

static bool
load_path(const char *path, Loaded *l)
{
	size_t		len;
	char	   *data = read_whole(path, &len);
	bool		ok;

	CHECKF(data != NULL, "%s", path);
	ok = data && load_bytes(data, len, NULL, l);
	free(data);
	return ok;
}

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

static uint64_t state = 20240611;

static uint64_t
draw(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state * 0x2545f4914f6cdd1du;
}

static float
draw_float(void)
{
	for (;;)
	{
		uint32_t	u = (uint32_t) (draw() >> 32);
		float		f;

		memcpy(&f, &u, 4);
		if (isfinite(f))
			return f;
	}
}

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

/* ---- the bound of memory, truncation, failures ---- */

/* A file that is not there: a header, and then one word of 1 GB. */
static const char huge_head[] = "2 3\nthe 1 2 3\n";

static NlpStatus
huge_read(void *ctx, uint64_t offset, size_t len, void *dst, NlpError *err)
{
	uint64_t   *calls = ctx;

	memset(dst, 'G', len);
	for (size_t i = 0; i < len && offset + i < sizeof(huge_head) - 1; i++)
		((char *) dst)[i] = huge_head[offset + i];
	*calls += 1;
	return NLP_OK;
}

/* Counts bytes that are held. */
typedef struct Meter
{
	NlpAlloc	alloc;
	size_t		held,
				most;
} Meter;

static void *
meter_alloc(void *ctx, size_t bytes)
{
	Meter	   *m = ctx;
	size_t	   *p = nlp_libc_alloc.alloc(NULL, bytes + 64);

	if (!p)
		return NULL;
	*p = bytes;
	m->held += bytes;
	if (m->held > m->most)
		m->most = m->held;
	return (char *) p + 64;
}

static void
meter_free(void *ctx, void *ptr)
{
	if (!ptr)
		return;
	ptr = (char *) ptr - 64;
	((Meter *) ctx)->held -= *(size_t *) ptr;
	nlp_libc_alloc.free(NULL, ptr);
}

static void
test_huge_word(void)
{
	uint64_t	calls = 0;
	NlpSource	src = {(uint64_t) 1 << 30, huge_read, &calls};
	Meter		meter = {{meter_alloc, meter_free, &meter}, 0, 0};
	NlpEnv		env = {.alloc = &meter.alloc};
	NlpWordFileOptions skip = {.skip_bad_words = true};
	NlpError	err = {0};
	Loaded		l;

	CHECK(import_source(&src, NULL, &env, &l, &err) == NLP_ECORRUPT);
	CHECKF(strstr(err.message, "longer than 1024 bytes") && err.offset == sizeof(huge_head) - 1, "%s, byte %llu", err.message,
		   (unsigned long long) err.offset);
	CHECKF(calls < 20, "%llu pieces read", (unsigned long long) calls);	/* found without reading all of it */
	unload(&l);
	CHECK_OK(import_source(&src, &skip, &env, &l, &err), err);
	CHECK(l.report.rows == 1 && l.report.skipped == 1);
	CHECKF(meter.most < (4 << 20) && meter.held == 0, "%zu bytes held", meter.most);
	unload(&l);
}

/* Many rows: what is held is the words and a constant. */
static void
test_memory(void)
{
	NlpBuf		b;
	NlpMemorySource src;
	Meter		meter = {{meter_alloc, meter_free, &meter}, 0, 0};
	NlpEnv		env = {.alloc = &meter.alloc};
	NlpError	err = {0};
	Loaded		l;
	float		v[300] = {1, 2, 3};

	nlp_buf_init(&b, &nlp_libc_alloc);
	nlp_buf_append(&b, "20000 300\n", 10);
	for (int i = 0; i < 20000; i++)
	{
		char		word[16];

		nlp_buf_append(&b, word, (size_t) snprintf(word, sizeof(word), "w%d ", i));
		nlp_buf_append(&b, v, sizeof(v));
	}
	nlp_memory_source_init(&src, b.data, b.len);
	CHECK_OK(import_source(&src.source, NULL, &env, &l, &err), err);
	CHECKF(l.report.rows == 20000 && meter.most < (6 << 20) && meter.held == 0, "%zu bytes held for a file of %zu", meter.most, b.len);
	unload(&l);
	nlp_buf_free(&b);
}

static const char *const small_files[] = {"text_ok", "glove_ok", "bin_ok", "ft_ok", "ft_hs", "ft_no_ngrams"};

/* A file cut anywhere is refused, or ends between rows; what is accepted can be built. */
static void
test_truncation(const char *dir)
{
	for (size_t i = 0; i < sizeof(small_files) / sizeof(small_files[0]); i++)
	{
		char		path[512];
		size_t		len,
					accepted = 0;
		char	   *whole;

		snprintf(path, sizeof(path), "%s/%s", dir, small_files[i]);
		whole = read_whole(path, &len);
		for (size_t n = 0; whole && n < len; n++)
		{
			char	   *part = malloc(n ? n : 1);	/* so that a sanitizer sees its end */
			NlpError	err = {0};
			Loaded		l;
			NlpStatus	st;

			memcpy(part, whole, n);
			st = import_bytes(part, n, NULL, &l, &err);
			CHECKF(st == NLP_OK || st == NLP_ECORRUPT, "%s, %zu bytes: %s", small_files[i], n, err.message);
			accepted += st == NLP_OK;
			if (st == NLP_OK)
				CHECK_OK(build_table(&l, &err), err);
			unload(&l);
			free(part);
		}
		/* the last newline may be missing, a last number shorter; GloVe has no count of rows */
		CHECKF(accepted <= (i == 1 ? 20 : 2), "%s: %zu of %zu accepted", small_files[i], accepted, len);
		free(whole);
	}
}

static void
test_allocation(const char *dir)
{
	for (size_t i = 0; i < sizeof(small_files) / sizeof(small_files[0]); i++)
	{
		char		path[512];
		size_t		len;
		char	   *whole;
		NlpTestAlloc failing;
		NlpEnv		env = {.alloc = &failing.alloc};
		NlpMemorySource src;
		long		calls = 1,
					refused = 0;

		snprintf(path, sizeof(path), "%s/%s", dir, small_files[i]);
		whole = read_whole(path, &len);
		nlp_memory_source_init(&src, whole, len);
		for (long n = 0; n < calls; n++)
		{
			NlpError	err = {0};
			Loaded		l;
			NlpStatus	st;

			nlp_test_alloc_init(&failing, n);
			st = import_source(&src.source, NULL, &env, &l, &err);
			CHECKF(st == NLP_ENOMEM, "%s, allocation %ld: %s", small_files[i], n, err.message);
			CHECK(failing.live == 0);
			refused++;
			if (n == 0)
			{
				unload(&l);
				nlp_test_alloc_init(&failing, -1);
				CHECK_OK(import_source(&src.source, NULL, &env, &l, &err), err);
				calls = failing.calls;
			}
			unload(&l);
		}
		CHECKF(refused > 8, "%s: %ld allocations", small_files[i], refused);
		free(whole);
	}
}

/* A source and a sink that fail, and a cancel, at each of their calls. */
typedef struct Failing
{
	NlpMemorySource memory;
	long		calls,
				fail_at;
} Failing;

static NlpStatus
failing_read(void *ctx, uint64_t offset, size_t len, void *dst, NlpError *err)
{
	Failing    *f = ctx;

	if (f->calls++ == f->fail_at)
		return nlp_fail(err, NLP_EIO, "the test says so");
	return f->memory.source.read(&f->memory, offset, len, dst, err);
}

static NlpStatus
failing_write(void *ctx, const void *bytes, size_t len, NlpError *err)
{
	Failing    *f = ctx;

	return f->calls++ == f->fail_at ? nlp_fail(err, NLP_EIO, "the test says so") : NLP_OK;
}

static bool
failing_poll(void *ctx)
{
	Failing    *f = ctx;

	return f->calls++ == f->fail_at;
}

static bool
always(void *ctx)
{
	return true;
}

static void
test_failures(const char *dir)
{
	for (size_t i = 0; i < sizeof(small_files) / sizeof(small_files[0]); i++)
	{
		char		path[512];
		size_t		len;
		char	   *whole;

		snprintf(path, sizeof(path), "%s/%s", dir, small_files[i]);
		whole = read_whole(path, &len);
		for (int kind = 0; kind < 3; kind++)
		{
			NlpStatus	st;
			long		n = 0;

			do
			{
				NlpTestAlloc counting;
				Failing		f = {.fail_at = n};
				NlpSource	src = {len, failing_read, &f};
				NlpSink		sink = {failing_write, &f};
				NlpEnv		env = {.alloc = &counting.alloc};
				NlpBuf		kept;
				NlpWordFileReport report;
				NlpError	err = {0};

				nlp_test_alloc_init(&counting, -1);
				nlp_buf_init(&kept, &nlp_libc_alloc);
				nlp_memory_source_init(&f.memory, whole, len);
				if (kind != 0)
					src = f.memory.source;
				if (kind != 1)
					sink = (NlpSink) {keep_bytes, &kept};
				if (kind == 2)
				{
					env.pending = failing_poll;
					env.cancelled = always;
					env.cancel_ctx = &f;
				}
				st = nlp_wordfile_import(&src, NULL, "x", &sink, &env, &report, &err);
				CHECKF(st == NLP_OK || st == (kind == 2 ? NLP_ECANCELLED : NLP_EIO), "%s %d %ld: %s", small_files[i], kind, n, err.message);
				CHECK(counting.live == 0);
				nlp_buf_free(&kept);
			} while (st != NLP_OK && ++n < 1000);
			CHECKF(n >= 2 && n < 1000, "%s %d: %ld calls", small_files[i], kind, n);
		}
		free(whole);
	}
}

/* ---- composing in batches ---- */

/* Refuses large blocks, so that n-gram sums come in many batches. */
typedef struct Tight
{
	NlpAlloc	alloc;
	size_t		limit;
} Tight;

static void *
tight_alloc(void *ctx, size_t bytes)
{
	return bytes > ((Tight *) ctx)->limit ? NULL : nlp_libc_alloc.alloc(NULL, bytes);
}

static void
tight_free(void *ctx, void *ptr)
{
	nlp_libc_alloc.free(NULL, ptr);
}

static void
put_u32(NlpBuf *b, uint32_t v)
{
	nlp_buf_append(b, &v, 4);
}

static void
put_u64(NlpBuf *b, uint64_t v)
{
	nlp_buf_append(b, &v, 8);
}

/* 8000 words of 200 numbers: the sums of all need 6.4 MB. */
static void
make_model(NlpBuf *b)
{
	static const uint32_t args[12] = {200, 5, 5, 1, 5, 1, 2, 2, 500, 3, 4, 100};
	double		t = 1e-4;

	nlp_buf_init(b, &nlp_libc_alloc);
	put_u32(b, 793712314);
	put_u32(b, 12);
	nlp_buf_append(b, args, sizeof(args));
	nlp_buf_append(b, &t, 8);
	put_u32(b, 8000);
	put_u32(b, 8000);
	put_u32(b, 0);
	put_u64(b, 80000);
	put_u64(b, UINT64_MAX);
	for (int i = 0; i < 8000; i++)
	{
		char		word[16];

		nlp_buf_append(b, word, (size_t) snprintf(word, sizeof(word), "word%d", i) + 1);
		put_u64(b, 10);
		nlp_buf_append(b, "", 1);
	}
	for (int m = 0; m < 2; m++)
	{
		size_t		rows = m == 0 ? 8500 : 8000;

		nlp_buf_append(b, "", 1);
		put_u64(b, rows);
		put_u64(b, 200);
		for (size_t i = 0; i < rows * 200; i++)
		{
			float		f = (float) ((double) (int64_t) draw() * 0x1p-63);

			nlp_buf_append(b, &f, 4);
		}
	}
}

static void
test_batches(void)
{
	NlpBuf		model;
	NlpMemorySource src;
	Tight		tight = {{tight_alloc, tight_free, &tight}, 2 << 20};
	NlpEnv		env = {.alloc = &tight.alloc};
	NlpError	err = {0};
	Loaded		all,
				parts;

	make_model(&model);
	nlp_memory_source_init(&src, model.data, model.len);
	CHECK_OK(import_source(&src.source, NULL, &libc_env, &all, &err), err);
	CHECK_OK(import_source(&src.source, NULL, &env, &parts, &err), err);
	CHECK(all.gguf.len > (12 << 20) && all.gguf.len == parts.gguf.len && memcmp(all.gguf.data, parts.gguf.data, all.gguf.len) == 0);
	unload(&all);
	unload(&parts);
	nlp_buf_free(&model);
}

/* ---- export ---- */

static bool
export_to(const NlpWords *w, NlpWordFormat format, NlpBuf *out)
{
	NlpSink		sink = {keep_bytes, out};
	NlpError	err = {0};
	NlpStatus	st;

	nlp_buf_init(out, &nlp_libc_alloc);
	st = nlp_wordfile_export(w, format, &sink, &libc_env, &err);
	CHECK_OK(st, err);
	return st == NLP_OK;
}

static bool
same_table(const NlpWords *a, const NlpWords *b)
{
	if (a->n != b->n || a->dim != b->dim)
		return false;
	for (uint32_t i = 0; i < a->n; i++)
	{
		size_t		la,
					lb;
		const char *wa = nlp_words_text(a, i, &la),
				   *wb = nlp_words_text(b, i, &lb);

		if (la != lb || memcmp(wa, wb, la) != 0 || memcmp(nlp_words_row(a, i), nlp_words_row(b, i), a->dim * sizeof(float)) != 0)
			return false;
	}
	return true;
}

/* Random bit patterns, out and in again: the same bits. */
static void
test_export(void)
{
	NlpBuf		b;
	Loaded		l,
				again;

	nlp_buf_init(&b, &nlp_libc_alloc);
	nlp_buf_append(&b, "5000 21\n", 8);
	for (int i = 0; i < 5000; i++)
	{
		char		word[32];

		nlp_buf_append(&b, word, (size_t) snprintf(word, sizeof(word), "\xe5\x8c\x97%d ", i));
		for (int d = 0; d < 21; d++)
		{
			float		f = d < 10 ? (float) ((double) (int64_t) draw() * 0x1p-63) : d == 10 ? 0 : d == 11 ? -0.0f : draw_float();

			/* not so large that a norm overflows */
			if (fabsf(f) > 1e15f)
				f = 1 / f;
			nlp_buf_append(&b, &f, 4);
		}
	}
	if (load_bytes(b.data, b.len, NULL, &l))
	{
		for (NlpWordFormat format = NLP_WORDFILE_W2V_BIN; format <= NLP_WORDFILE_W2V_TEXT; format++)
		{
			NlpBuf		out;

			export_to(l.words, format, &out);
			CHECK(load_bytes(out.data, out.len, NULL, &again) && same_table(l.words, again.words) && again.report.format == format);
			unload(&again);
			nlp_buf_free(&out);
		}
	}
	unload(&l);
	nlp_buf_free(&b);
}

/* Words that a format cannot hold are refused, and those that it can come back. */
static void
test_export_words(void)
{
	static const struct
	{
		const char *file;
		bool		bin,
					text;
	}			cases[] = {
		{"a b 1 2\nx 1 2\n", false, true}, {"a 1.b 1 2\nx 1 2\n", false, true}, {"\xc2\xa0 1 2\nx 1 2\n", true, true},
		{"a\rb 1 2\nx 1 2\n", true, true}, {"1 1 2\n2 1 2\n", true, true},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		char		file[64];
		Loaded		l,
					again;

		snprintf(file, sizeof(file), "2 2\n%s", cases[i].file);
		if (!load_bytes(file, strlen(file), NULL, &l))
			continue;
		for (NlpWordFormat format = NLP_WORDFILE_W2V_BIN; format <= NLP_WORDFILE_W2V_TEXT; format++)
		{
			NlpBuf		out;
			NlpSink		sink = {keep_bytes, &out};
			NlpError	err = {0};
			bool		can = format == NLP_WORDFILE_W2V_BIN ? cases[i].bin : cases[i].text;
			NlpStatus	st;

			nlp_buf_init(&out, &nlp_libc_alloc);
			st = nlp_wordfile_export(l.words, format, &sink, &libc_env, &err);
			CHECKF(st == (can ? NLP_OK : NLP_EINVALID), "case %zu: %s", i, err.message);
			if (st == NLP_OK)
			{
				CHECK(load_bytes(out.data, out.len, NULL, &again) && same_table(l.words, again.words));
				unload(&again);
			}
			nlp_buf_free(&out);
		}
		unload(&l);
	}
}

static void
test_export_formats(void)
{
	Loaded		l;
	NlpBuf		out;
	NlpSink		sink = {keep_bytes, &out};
	NlpError	err = {0};

	nlp_buf_init(&out, &nlp_libc_alloc);
	if (load_bytes("a 1 2\n", 6, NULL, &l))
	{
		CHECK(l.report.format == NLP_WORDFILE_GLOVE);
		CHECK(nlp_wordfile_export(l.words, NLP_WORDFILE_GLOVE, &sink, &libc_env, &err) == NLP_EUNSUPPORTED);
		CHECK(nlp_wordfile_export(l.words, NLP_WORDFILE_FASTTEXT, &sink, &libc_env, &err) == NLP_EUNSUPPORTED);
		CHECK(nlp_wordfile_export(l.words, NLP_WORDFILE_NONE, &sink, &libc_env, &err) == NLP_EUNSUPPORTED && out.len == 0);
	}
	unload(&l);
	nlp_buf_free(&out);
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
	test_huge_word();
	test_memory();
	test_truncation(dir);
	test_allocation(dir);
	test_failures(dir);
	test_batches();
	test_export();
	test_export_words();
	test_export_formats();
	if (argc <= 1)
	{
		snprintf(cmd, sizeof(cmd), "rm -rf '%s'", dir);
		CHECK(system(cmd) == 0);
	}
	return check_done();
}
