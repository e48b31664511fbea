/* word_eval_test.c --- analogies against gensim's evaluate_word_analogies, pairs and
 * correlations against scipy, principal components against numpy; malformed texts.
 *
 * usage: word_eval_test [GOLDEN DIRECTORY]    golden files: test/golden/make_words.py */
#include "words_model.h"

#include "wordvec/evaluate.h"
#include "wordvec/project.h"

#define MAX_CELLS 300

static const char *golden = "test/golden/words";
static WordsModel gold;

typedef struct Text
{
	char	   *data;
	size_t		len;
} Text;

static Text
read_text(const char *name)
{
	char		path[512];
	FILE	   *f;
	Text		t;

	snprintf(path, sizeof(path), "%s/%s", golden, name);
	f = fopen(path, "rb");
	if (!f)
	{
		printf("cannot open %s\n", path);
		exit(2);
	}
	fseek(f, 0, SEEK_END);
	t.len = (size_t) ftell(f);
	rewind(f);
	t.data = malloc(t.len + 1);
	t.data[fread(t.data, 1, t.len, f)] = 0;
	fclose(f);
	return t;
}

typedef struct Row
{
	char	   *cell[MAX_CELLS];
	int			n;
} Row;

/* The rows of expected.tsv that begin with kind are given to fn. */
static int
each_row(const char *kind, void (*fn) (Row *r))
{
	Text		t = read_text("expected.tsv");
	int			seen = 0;

	for (char *line = t.data, *next; line && *line; line = next)
	{
		Row			r = {.n = 0};

		next = strchr(line, '\n');
		if (next)
			*next++ = 0;
		for (char *p = line; p && r.n < MAX_CELLS; r.n++)
		{
			r.cell[r.n] = p;
			p = strchr(p, '\t');
			if (p)
				*p++ = 0;
		}
		if (strcmp(r.cell[0], kind) == 0)
		{
			fn(&r);
			seen++;
		}
	}
	free(t.data);
	return seen;
}

static size_t
numbers(char *cell, double *out)
{
	size_t		n = 0;

	for (char *p = strtok(cell, " "); p; p = strtok(NULL, " "))
		out[n++] = atof(p);
	return n;
}

/* ---- analogies --------------------------------------------------------------- */

static NlpAnalogies result[2];	/* by fold */

static void
check_section(Row *r)
{
	const NlpAnalogies *a = &result[atoi(r->cell[1])];
	const NlpAnalogySection *s = strcmp(r->cell[2], "Total accuracy") == 0 ? &a->total : NULL;

	for (uint32_t i = 0; i < a->n_sections; i++)
	{
		if (a->sections[i].name_len == strlen(r->cell[2]) && memcmp(a->sections[i].name, r->cell[2], a->sections[i].name_len) == 0)
			s = &a->sections[i];
	}
	CHECKF(s && s->correct == (uint32_t) atoi(r->cell[3]) && s->asked == (uint32_t) atoi(r->cell[4]),
		   "section %s, fold %s: %u of %u", r->cell[2], r->cell[1], s ? s->correct : 0, s ? s->asked : 0);
}

static void
test_analogies(void)
{
	Text		t = read_text("questions.txt");
	NlpError	err;

	for (int fold = 0; fold < 2; fold++)
	{
		NlpAnalogyOptions o = {1000, fold};
		const NlpAnalogies *a = &result[fold];

		CHECK_OK(nlp_words_analogies(gold.w, t.data, t.len, &o, &words_env, &result[fold], &err), err);
		CHECK(a->n_sections == 5 && a->total.questions == 163 && a->syntactic.questions == 83 &&
			  a->semantic.questions == 80);
		CHECK(a->semantic.correct + a->syntactic.correct == a->total.correct &&
			  a->semantic.asked == a->sections[0].asked + a->sections[1].asked);
		CHECK(a->sections[2].syntactic && !a->sections[1].syntactic);
	}
	CHECK(each_row("analogies", check_section) == 12);
	nlp_analogies_free(&result[0]);
	nlp_analogies_free(&result[1]);
	free(t.data);
}

static void
check_bad_questions(const char *text, const char *says)
{
	NlpAnalogyOptions o = {0, true};
	NlpAnalogies r;
	NlpError	err = {NLP_OK};
	NlpStatus	st = nlp_words_analogies(gold.w, text, strlen(text), &o, &words_env, &r, &err);

	CHECKF(says ? st == NLP_EINVALID && strstr(err.message, says) : st == NLP_OK, "%s: %d %s", text, st, err.message);
	nlp_analogies_free(&r);
}

static void
test_question_texts(void)
{
	NlpAnalogyOptions o = {0, false};
	NlpAnalogies r;
	NlpError	err;
	const char *text = ":  a section \r\n\r\nthe of\tand in\r\n   \n: gram\nthe of and in";

	check_bad_questions("", NULL);
	check_bad_questions(": a\n\n\n", NULL);
	check_bad_questions("a b c d\n", "line 1 of the questions belongs to no section");
	check_bad_questions(": a\na b c\n", "line 2 of the questions has not four words");
	check_bad_questions(": a\n\na b c d e\n", "line 3 of the questions has not four words");
	CHECK_OK(nlp_words_analogies(gold.w, text, strlen(text), &o, &words_env, &r, &err), err);
	CHECK(r.n_sections == 2 && r.sections[0].name_len == 9 && memcmp(r.sections[0].name, "a section", 9) == 0);
	CHECK(r.sections[0].asked == 1 && r.sections[1].asked == 1 && r.sections[1].syntactic);
	nlp_analogies_free(&r);
}

/* ---- pairs -------------------------------------------------------------------- */

static void
check_pairs(Row *r)
{
	Text		t = read_text("pairs.tsv");
	NlpPairScores s;
	NlpError	err;

	CHECK_OK(nlp_words_pairs(gold.w, t.data, t.len, atoi(r->cell[1]), &words_env, &s, &err), err);
	CHECKF(s.pairs == (uint32_t) atoi(r->cell[2]) && s.known == (uint32_t) atoi(r->cell[3]), "%u %u", s.pairs, s.known);
	CHECKF(fabs(s.spearman - atof(r->cell[4])) < 1e-8, "%.12g, %s", s.spearman, r->cell[4]);
	CHECKF(fabs(s.pearson - atof(r->cell[5])) < 1e-6, "%.12g, %s", s.pearson, r->cell[5]);
	free(t.data);
}

static void
check_spearman(Row *r)
{
	double		x[64],
				y[64],
				rho;
	size_t		n = numbers(r->cell[1], x);
	NlpError	err;

	CHECK(numbers(r->cell[2], y) == n);
	CHECK_OK(nlp_spearman(x, y, n, &nlp_libc_alloc, &rho, &err), err);
	CHECKF(fabs(rho - atof(r->cell[3])) < 1e-8, "%.12g, %s", rho, r->cell[3]);
	CHECK(fabs(nlp_pearson(x, y, n) - atof(r->cell[4])) < 1e-8);
}

static void
test_pairs(void)
{
	static const char *const good[] = {
		"the of 3\nand in 2\nto a 1\n", "the\tof\t3\r\nand\tin\t2\r\nto\ta\t1", "the,of,3,x\nand;in;2\nto a 1 y z\n",
		"# note\nword1,word2,mean\nthe,of,3\nand,in,2\n\nto,a,1\n"
	};
	NlpPairScores s,
				first;
	NlpError	err;
	double		x[3] = {1, 1, 1},
				y[3] = {1, 2, 3},
				rho;

	CHECK(each_row("pairs", check_pairs) == 2);
	CHECK(each_row("spearman", check_spearman) == 1);
	for (int i = 0; i < 4; i++)
	{
		CHECK_OK(nlp_words_pairs(gold.w, good[i], strlen(good[i]), false, &words_env, &s, &err), err);
		if (i == 0)
			first = s;
		CHECKF(s.pairs == 3 && s.known == 3 && s.spearman == first.spearman, "%d: %u %u", i, s.pairs, s.known);
	}
	CHECK(nlp_words_pairs(gold.w, "the of 1\nthe of\n", 16, false, &words_env, &s, &err) == NLP_EINVALID &&
		  strstr(err.message, "line 2"));
	CHECK(nlp_words_pairs(gold.w, "the of 1\nthe of x\n", 18, false, &words_env, &s, &err) == NLP_EINVALID &&
		  strstr(err.message, "line 2"));
	CHECK_OK(nlp_words_pairs(gold.w, "", 0, false, &words_env, &s, &err), err);
	CHECK(s.pairs == 0 && isnan(s.spearman));
	CHECK_OK(nlp_spearman(x, y, 3, &nlp_libc_alloc, &rho, &err), err);
	CHECK(isnan(rho));
}

/* ---- projection ----------------------------------------------------------------- */

static void
check_component(Row *r)
{
	static double ids[256];
	uint32_t	j = (uint32_t) atoi(r->cell[1]),
				k = 3;
	uint32_t	n = (uint32_t) numbers(r->cell[2], ids);
	float	   *rows = malloc(n * gold.w->stride * sizeof(float)),
			   *out = malloc(n * k * sizeof(float));
	double		explained[3];
	NlpError	err;
	double		worst = 0;

	for (uint32_t i = 0; i < n; i++)
		memcpy(rows + i * gold.w->stride, nlp_words_row(gold.w, (uint32_t) ids[i]), gold.w->stride * sizeof(float));
	CHECK_OK(nlp_project_pca(rows, gold.w->stride, n, gold.w->dim, k, &words_env, out, explained, &err), err);
	for (uint32_t i = 0; i < n; i++)
		worst = fmax(worst, fabs(out[i * k + j] - atof(r->cell[4 + i])));
	CHECKF(worst < 2e-6 && (int) n == r->n - 4, "component %u of %u words: %g", j, n, worst);
	CHECKF(fabs(explained[j] - atof(r->cell[3])) < 1e-7, "%g %s", explained[j], r->cell[3]);
	free(rows);
	free(out);
}

static void
test_projection(void)
{
	float		x[6] = {1, 2, 3, 4, 5, 6};
	float		out[6];
	double		explained[2];
	NlpError	err;

	CHECK(each_row("pca", check_component) == 8);
	CHECK(nlp_project_pca(x, 2, 0, 2, 1, &words_env, out, NULL, &err) == NLP_EINVALID);
	CHECK(nlp_project_pca(x, 2, 3, 2, 0, &words_env, out, NULL, &err) == NLP_EINVALID);
	CHECK(nlp_project_pca(x, 2, 3, 2, 3, &words_env, out, NULL, &err) == NLP_EINVALID);
	CHECK_OK(nlp_project_pca(x, 2, 3, 2, 2, &words_env, out, explained, &err), err);
	CHECK(fabs(out[0] + 2 * sqrt(2)) < 1e-6 && fabs(out[4] - 2 * sqrt(2)) < 1e-6 && out[1] == 0 && out[5] == 0);
	CHECK(fabs(explained[0] - 1) < 1e-12 && explained[1] == 0);
	CHECK_OK(nlp_project_pca(x, 2, 1, 2, 2, &words_env, out, explained, &err), err);
	CHECK(out[0] == 0 && out[1] == 0 && explained[0] == 0);
	x[3] = NAN;
	CHECK(nlp_project_pca(x, 2, 3, 2, 1, &words_env, out, NULL, &err) == NLP_EINVALID);
}

/* ---- memory ---------------------------------------------------------------------- */

static void
test_memory(void)
{
	Text		q = read_text("questions.txt"),
				p = read_text("pairs.tsv");
	size_t		few = 400;		/* bytes of questions, whole lines */
	long		fails = 0;

	while (q.data[few - 1] != '\n')
		few++;
	for (long at = 0;; at++)
	{
		NlpTestAlloc alloc;
		NlpEnv		env = words_env;
		NlpAnalogyOptions o = {100, true};
		NlpAnalogies r;
		NlpPairScores s;
		float		out[64];
		NlpError	err;
		NlpStatus	st;

		nlp_test_alloc_init(&alloc, at);
		env.alloc = &alloc.alloc;
		st = nlp_words_analogies(gold.w, q.data, few, &o, &env, &r, &err);
		nlp_analogies_free(&r);
		if (st == NLP_OK)
			st = nlp_words_pairs(gold.w, p.data, p.len, true, &env, &s, &err);
		if (st == NLP_OK)
			st = nlp_project_pca(nlp_words_row(gold.w, 0), gold.w->stride, 10, gold.w->dim, 2, &env, out, NULL, &err);
		CHECKF(alloc.live == 0, "allocation %ld", at);
		if (st == NLP_OK)
			break;
		CHECKF(st == NLP_ENOMEM, "allocation %ld: %d", at, st);
		fails++;
	}
	CHECKF(fails >= 8, "%ld", fails);
	free(q.data);
	free(p.data);
}

int
main(int argc, char **argv)
{
	char		path[512];

	if (argc > 1)
		golden = argv[1];
	snprintf(path, sizeof(path), "%s/model.gguf", golden);
	if (words_model_open(path, &gold))
	{
		test_analogies();
		test_question_texts();
		test_pairs();
		test_projection();
		test_memory();
	}
	words_model_free(&gold);
	return check_done();
}
