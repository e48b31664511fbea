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

int
main(int argc, char **argv)
{
	test_golden();
	test_vec();
	return check_done();
}
