/* words_test.c --- the resident word table: gensim's answers on the golden model, searches
 * against a plain scan, on every level and with threads; building from good and from bad
 * files; failure of every allocation.
 *
 * usage: words_test [GOLDEN DIRECTORY]    golden files: test/golden/make_words.py */
#include "words_model.h"

#include <float.h>

#include "core/cpu.h"
#include "core/pool.h"
#include "segment_file.h"
#include "wordvec/train_private.h"
#include "wordvec/words_private.h"

#define MAX_CELLS 64

static const char *golden = "test/golden/words";
static WordsModel gold;

/* ---- golden answers ------------------------------------------------------- */

typedef struct Row
{
	char	   *cell[MAX_CELLS];
	int			n;
} Row;

static char *
read_text(const char *name)
{
	char		path[512];
	FILE	   *f;
	long		size;
	char	   *text;

	snprintf(path, sizeof(path), "%s/%s", golden, name);
	f = fopen(path, "rb");
	if (!f)
		return NULL;
	fseek(f, 0, SEEK_END);
	size = ftell(f);
	rewind(f);
	text = malloc((size_t) size + 1);
	text[fread(text, 1, (size_t) size, f)] = 0;
	fclose(f);
	return text;
}

static void
split(char *line, Row *r)
{
	r->n = 0;
	for (char *p = line; p && r->n < MAX_CELLS; r->n++)
	{
		r->cell[r->n] = p;
		p = strchr(p, '\t');
		if (p)
			*p++ = 0;
	}
}

static uint32_t
id_of(const char *word)
{
	return nlp_words_find(gold.w, word, strlen(word));
}

/* Words by spaces, to ids. */
static size_t
ids_of(char *words, uint32_t *ids)
{
	size_t		n = 0;

	for (char *w = strtok(words, " "); w; w = strtok(NULL, " "))
		ids[n++] = id_of(w);
	return n;
}

/* Neighbours in cells from..: word, score, word, score. */
static void
check_neighbours(const Row *r, int from, const NlpNeighbour *got, uint32_t n, double tolerance)
{
	CHECKF((int) n == (r->n - from) / 2, "%s %s: %u", r->cell[0], r->cell[1], n);
	for (uint32_t i = 0; i < n && from + 2 * (int) i + 1 < r->n; i++)
	{
		double		want = atof(r->cell[from + 2 * i + 1]);

		CHECKF(got[i].word == id_of(r->cell[from + 2 * i]) && fabs(got[i].score - want) <= tolerance,
			   "%s %s, answer %u: %g, %g", r->cell[0], r->cell[1], i, got[i].score, want);
	}
}

typedef struct Without
{
	const uint32_t *ids;
	size_t		n;
} Without;

static bool
is_other(void *ctx, uint32_t word)
{
	const Without *w = ctx;

	for (size_t i = 0; i < w->n; i++)
	{
		if (w->ids[i] == word)
			return false;
	}
	return true;
}

static void
check_similar(Row *r)
{
	bool		analogy = strcmp(r->cell[0], "analogy") == 0;
	uint32_t	limit = strcmp(r->cell[0], "restricted") == 0 ? 300 : 0;
	uint32_t	ids[3],
				n;
	Without		without = {ids, analogy ? 3 : 1};
	NlpWordFilter filter = {limit, -INFINITY, is_other, &without};
	static const float weights[3] = {-1, 1, 1};
	float		query[64];
	NlpNeighbour got[10];
	NlpError	err;

	for (size_t i = 0; i < without.n; i++)
		ids[i] = id_of(r->cell[1 + i]);
	nlp_words_mean(gold.w, ids, analogy ? weights : NULL, without.n, query);
	CHECK_OK(nlp_words_nearest(gold.w, query, analogy ? 5 : 10, &filter, &words_env, got, &n, &err), err);
	check_neighbours(r, 1 + (int) without.n, got, n, 1e-6);
}

static float
cosine(const float *a, const float *b, uint32_t dim)
{
	float		dot,
				aa,
				bb;

	nlp_cosine_f32(a, b, dim, &dot, &aa, &bb);
	return dot / sqrtf(aa * bb);
}

static void
check_odd(Row *r)
{
	uint32_t	ids[16];
	size_t		n = (size_t) r->n - 2;
	float		mean[64];
	uint32_t	odd = 0;
	float		least = INFINITY;

	for (size_t i = 0; i < n; i++)
		ids[i] = id_of(r->cell[1 + i]);
	nlp_words_mean(gold.w, ids, NULL, n, mean);
	for (size_t i = 0; i < n; i++)
	{
		float		c = cosine(nlp_words_row(gold.w, ids[i]), mean, gold.w->dim);

		if (c < least)
		{
			least = c;
			odd = ids[i];
		}
	}
	CHECKF(odd == id_of(r->cell[r->n - 1]), "%s", r->cell[r->n - 1]);
}

static void
check_predict(Row *r)
{
	uint32_t	ids[16],
				n;
	size_t		m = ids_of(r->cell[1], ids);
	NlpNeighbour got[10];
	NlpError	err;

	if (strcmp(r->cell[0], "context") == 0)
		CHECK_OK(nlp_words_context(gold.w, ids[0], 10, &words_env, got, &n, &err), err);
	else
		CHECK_OK(nlp_words_predict(gold.w, ids, m, 10, &words_env, got, &n, &err), err);
	check_neighbours(r, 2, got, n, 1e-6);
}

static void
check_phrase(Row *r)
{
	NlpStr		words[8];
	size_t		n = 0;
	float		got[64];

	for (char *w = strtok(r->cell[1], " "); w; w = strtok(NULL, " "))
		words[n++] = (NlpStr) {w, strlen(w)};
	/* An unknown word changes nothing. */
	words[n++] = (NlpStr) {"notaword", 8};
	CHECK(nlp_words_phrase(gold.w, words, n, 1e-3, got));
	for (uint32_t d = 0; d < gold.w->dim; d++)
		CHECKF(fabs(got[d] - atof(r->cell[2 + d])) < 1e-6, "%g %s", got[d], r->cell[2 + d]);
	CHECK(!nlp_words_phrase(gold.w, words + n - 1, 1, 1e-3, got));
}

static void
test_golden(void)
{
	char	   *text = read_text("expected.tsv");
	int			seen[6] = {0};

	CHECK(text != NULL);
	for (char *line = text, *next; line && *line; line = next)
	{
		Row			r;

		next = strchr(line, '\n');
		if (next)
			*next++ = 0;
		split(line, &r);
		if (!strcmp(r.cell[0], "similar") || !strcmp(r.cell[0], "restricted") || !strcmp(r.cell[0], "analogy"))
		{
			check_similar(&r);
			seen[0]++;
		}
		else if (!strcmp(r.cell[0], "similarity"))
		{
			float		c = cosine(nlp_words_row(gold.w, id_of(r.cell[1])), nlp_words_row(gold.w, id_of(r.cell[2])),
								   gold.w->dim);

			CHECKF(fabs(c - atof(r.cell[3])) < 1e-6, "%s %s: %g", r.cell[1], r.cell[2], c);
			seen[1]++;
		}
		else if (!strcmp(r.cell[0], "odd"))
		{
			check_odd(&r);
			seen[2]++;
		}
		else if (!strcmp(r.cell[0], "predict") || !strcmp(r.cell[0], "context"))
		{
			check_predict(&r);
			seen[3]++;
		}
		else if (!strcmp(r.cell[0], "phrase"))
		{
			check_phrase(&r);
			seen[4]++;
		}
	}
	CHECK(seen[0] == 55 && seen[1] == 20 && seen[2] == 15 && seen[3] == 20 && seen[4] == 10);
	free(text);
}

static void
test_lookup(void)
{
	const NlpWords *w = gold.w;
	const NlpImage *im = gold.block;
	uint64_t	total = 0;
	size_t		len;

	CHECK(im->arch == NLP_IMAGE_WORDS && im->tasks == NLP_TASK_WORD_VECTORS && im->parameters == 2 * 1493 * 32 &&
		  strcmp(im->name, "word2vec") == 0 && im->tokenizer_bytes == 0);
	CHECK(w->n == 1493 && w->dim == 32 && w->objective == NLP_WORDS_CBOW && w->loss == NLP_WORDS_NEGATIVE &&
		  w->window == 5 && w->cbow_mean && !w->chinese);
	for (uint32_t i = 0; i < w->n; i++)
	{
		const char *text = nlp_words_text(w, i, &len);

		CHECK(nlp_words_find(w, text, len) == i);
		total += nlp_words_count(w, i);
		CHECK(i == 0 || nlp_words_count(w, i) <= nlp_words_count(w, i - 1));
	}
	CHECK(total == w->total_count && total > 0);
	CHECK(nlp_words_find(w, "notaword", 8) == NLP_NO_WORD && nlp_words_find(w, "", 0) == NLP_NO_WORD);
	CHECK(strncmp(nlp_words_text(w, 0, &len), "the", 3) == 0 && len == 3);
	CHECK(nlp_words_find(w, "the ", 4) == NLP_NO_WORD);
}

/* ---- models made here ------------------------------------------------------ */

typedef struct Made
{
	uint32_t	n,
				dim;
	NlpStr	   *words;
	char	  (*texts)[12];
	float	   *vectors;
	uint64_t   *counts;
	WordsModel	m;
} Made;

/* Clustered rows, so that many scores are close; with copies of rows, zero rows and tiny ones. */
static void
fill_vectors(float *v, uint32_t n, uint32_t dim, uint64_t seed)
{
	for (uint32_t i = 0; i < n; i++)
	{
		float	   *x = v + (size_t) i * dim;
		uint64_t	centre = i % 7;

		for (uint32_t d = 0; d < dim; d++)
			x[d] = words_normal(seed, centre * dim + d) + 0.3f * words_normal(seed + 1, (uint64_t) i * dim + d);
		if (i % 97 == 5)
			memset(x, 0, dim * sizeof(float));
		else if (i % 31 == 3)
			memcpy(x, v + (size_t) (i / 2) * dim, dim * sizeof(float));
		else if (i % 41 == 7)
			for (uint32_t d = 0; d < dim; d++)
				x[d] *= i % 2 ? 1e-36f : 1e30f;
	}
}

static void
make_model(Made *k, uint32_t n, uint32_t dim, uint64_t seed)
{
	WordsFile	f;
	NlpError	err;

	*k = (Made) {.n = n, .dim = dim};
	k->words = malloc(n * sizeof(NlpStr));
	k->texts = malloc(n * 12);
	k->vectors = malloc((size_t) n * dim * sizeof(float));
	words_names(k->words, k->texts, n);
	fill_vectors(k->vectors, n, dim, seed);
	words_file_begin(&f);
	nlp_gguf_put_u32(f.w, "word2vec.embedding_length", dim, &err);
	nlp_gguf_put_array(f.w, "word2vec.words", NLP_GGUF_STRING, n, k->words, &err);
	words_file_tensor(&f, "token_embd.weight", NLP_F32, dim, n, k->vectors);
	words_file_end(&f);
	CHECK_OK(words_file_build(&f, &words_env, &k->m, &err), err);
	nlp_buf_free(&f.bytes);
}

static void
free_model(Made *k)
{
	words_model_free(&k->m);
	free(k->words);
	free(k->texts);
	free(k->vectors);
}

/* ---- searches against a plain scan ------------------------------------------ */

static bool
odd_ids(void *ctx, uint32_t word)
{
	return word % 2 == 1;
}

static int
by_score(const void *a, const void *b)
{
	const NlpNeighbour *x = a,
			   *y = b;

	if (x->score != y->score)
		return x->score < y->score ? 1 : -1;
	return x->word < y->word ? -1 : x->word > y->word;
}

/* Every row in f32, sorted. */
static uint32_t
plain_scan(const NlpWords *w, const float *query, uint32_t k, const NlpWordFilter *f, NlpNeighbour *all)
{
	uint32_t	n = 0,
				limit = f && f->limit ? f->limit : w->n;
	const float *norms = (const float *) ((const char *) w + w->norms_offset);
	float	   *q = malloc(w->dim * sizeof(float));
	double		sum = 0;

	for (uint32_t d = 0; d < w->dim; d++)
		sum += (double) query[d] * query[d];
	for (uint32_t d = 0; d < w->dim; d++)
		q[d] = (float) (query[d] / sqrt(sum));
	for (uint32_t i = 0; i < w->n && i < limit; i++)
	{
		float		score = nlp_dot_f32(q, nlp_words_row(w, i), w->dim) / norms[i];

		if (norms[i] > 0 && (!f || ((!f->keep || f->keep(f->ctx, i)) && score >= f->min_score)))
			all[n++] = (NlpNeighbour) {i, score};
	}
	free(q);
	qsort(all, n, sizeof(*all), by_score);
	return n < k ? n : k;
}

static void
check_search(const Made *m, const float *query, uint32_t k, const NlpWordFilter *filter, const NlpEnv *env,
			 const char *what)
{
	NlpNeighbour *want = malloc((m->n + 1) * sizeof(*want)),
			   *got = malloc((m->n + 1) * sizeof(*got));
	uint32_t	n_want = plain_scan(m->m.w, query, k, filter, want),
				n;
	NlpError	err;

	CHECK_OK(nlp_words_nearest(m->m.w, query, k, filter, env, got, &n, &err), err);
	CHECKF(n == n_want && memcmp(got, want, n * sizeof(*got)) == 0, "%s: %u words, dim %u, k %u: %u answers, want %u",
		   what, m->n, m->dim, k, n, n_want);
	free(want);
	free(got);
}

static void
check_searches(const Made *m, const NlpEnv *env, const char *what)
{
	static const uint32_t ks[] = {1, 10, 100, 100000};
	const NlpWordFilter filters[] = {
		{0, -INFINITY, NULL, NULL}, {m->n / 3 + 1, -INFINITY, NULL, NULL}, {0, 0.8f, NULL, NULL},
		{0, -INFINITY, odd_ids, NULL}, {m->n / 2 + 1, 0.1f, odd_ids, NULL}
	};
	float	   *query = malloc(m->dim * sizeof(float));

	for (int q = 0; q < 4; q++)
	{
		for (uint32_t d = 0; d < m->dim; d++)
			query[d] = q < 2 ? m->vectors[(size_t) (q * 13 % m->n) * m->dim + d] :
				words_normal(99, (uint64_t) q * m->dim + d);
		for (int k = 0; k < 4; k++)
		{
			check_search(m, query, ks[k], NULL, env, what);
			for (int f = 0; f < 5; f++)
				check_search(m, query, ks[k], &filters[f], env, what);
		}
	}
	free(query);
}

static void
test_search(void)
{
	static const uint32_t sizes[][2] = {{1, 1}, {15, 3}, {16, 8}, {17, 20}, {1000, 7}, {5000, 50}, {3000, 300}, {40, 1600}};
	NlpIsa		best = nlp_isa_best();

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
	{
		Made		m;

		make_model(&m, sizes[i][0], sizes[i][1], i + 1);
		for (int isa = 0; isa < NLP_ISA_COUNT; isa++)
		{
			if (nlp_isa_set((NlpIsa) isa))
				check_searches(&m, &words_env, nlp_isa_name((NlpIsa) isa));
		}
		nlp_isa_set(best);
		free_model(&m);
	}
}

static void
test_threads(void)
{
	Made		m;
	NlpEnv		env = words_env;
	NlpError	err;

	make_model(&m, 60000, 40, 5);
	CHECK_OK(nlp_pool_new(3, &env.pool, &err), err);
	check_searches(&m, &env, "threads");
	nlp_pool_free(env.pool);
	free_model(&m);
}

static void
test_queries_without_answers(void)
{
	float		q[32] = {0};
	NlpNeighbour out[4];
	uint32_t	n = 7;
	NlpError	err;

	CHECK_OK(nlp_words_nearest(gold.w, q, 4, NULL, &words_env, out, &n, &err), err);
	CHECK(n == 0);
	q[3] = NAN;
	CHECK(nlp_words_nearest(gold.w, q, 4, NULL, &words_env, out, &n, &err) == NLP_EINVALID && n == 0);
	q[3] = INFINITY;
	CHECK(nlp_words_nearest(gold.w, q, 4, NULL, &words_env, out, &n, &err) == NLP_EINVALID && n == 0);
	q[3] = 1;
	CHECK_OK(nlp_words_nearest(gold.w, q, 0, NULL, &words_env, out, &n, &err), err);
	CHECK(n == 0);
}

static bool
always(void *ctx)
{
	return true;
}

static bool
third_time(void *ctx)
{
	return ++*(int *) ctx == 3;
}

static void
test_cancel(void)
{
	int			calls = 0;
	NlpEnv		env = {.alloc = &nlp_libc_alloc, .pending = always, .cancelled = third_time, .cancel_ctx = &calls};
	NlpTestAlloc alloc;
	NlpNeighbour out[4];
	uint32_t	n;
	NlpError	err;
	NlpStatus	st = NLP_OK;

	nlp_test_alloc_init(&alloc, -1);
	env.alloc = &alloc.alloc;
	for (int i = 0; i < 3 && st == NLP_OK; i++)
		st = nlp_words_nearest(gold.w, nlp_words_row(gold.w, 1), 4, NULL, &env, out, &n, &err);
	CHECK(st == NLP_ECANCELLED && calls == 3 && alloc.live == 0);
	calls = 2;
	CHECK(nlp_words_context(gold.w, 1, 4, &env, out, &n, &err) == NLP_ECANCELLED && alloc.live == 0);
}

/* ---- hierarchical softmax ---------------------------------------------------- */

/* Probabilities by each word's own path through the trainer's tree. */
static void
check_paths(const NlpWords *w, const float *nodes, uint32_t word)
{
	void	   *work = malloc(nlp_tree_work_bytes(w->n));
	NlpTree		t = {malloc((w->n + 1) * 4), malloc(w->n * w->n * 4), malloc(w->n * w->n), 0};
	NlpNeighbour *got = malloc(w->n * sizeof(*got));
	NlpVocab   *v;
	uint64_t	total;
	uint32_t	n;
	double		sum = 0;
	NlpError	err;

	CHECK_OK(nlp_vocab_new(&nlp_libc_alloc, &v, &err), err);
	CHECK_OK(nlp_vocab_seed(v, w, &words_env, &err), err);
	CHECK_OK(nlp_vocab_finish(v, 1, 0, &words_env, &err), err);
	CHECK_OK(nlp_tree_measure(v, work, &words_env, &total, &t.longest, &err), err);
	CHECK_OK(nlp_tree_fill(w->n, work, &t, &words_env, &err), err);
	CHECK_OK(nlp_words_context(w, word, w->n, &words_env, got, &n, &err), err);
	CHECK(n == w->n);
	for (uint32_t i = 0; i < n; i++)
	{
		double		p = 1;

		for (uint32_t j = t.start[got[i].word]; j < t.start[got[i].word + 1]; j++)
		{
			double		f = 0;

			for (uint32_t d = 0; d < w->dim; d++)
				f += (double) nodes[t.nodes[j] * w->dim + d] * nlp_words_row(w, word)[d];
			p *= t.codes[j] ? 1 / (1 + exp(f)) : 1 / (1 + exp(-f));
		}
		sum += got[i].score;
		CHECKF(fabs(got[i].score - p) < 1e-6, "word %u: %g, %g", got[i].word, got[i].score, p);
		CHECK(i == 0 || got[i].score <= got[i - 1].score);
	}
	CHECKF(fabs(sum - 1) < 1e-5, "%g", sum);
	nlp_vocab_free(v);
	free(work);
	free(t.start);
	free(t.nodes);
	free(t.codes);
	free(got);
}

static void
test_tree(void)
{
	static const uint32_t sizes[] = {2, 3, 40, 333};

	for (int s = 0; s < 4; s++)
	{
		uint32_t	n = sizes[s],
					dim = 9;
		NlpStr		words[333];
		char		texts[333][12];
		uint64_t	counts[333];
		float	   *x = malloc(2 * n * dim * sizeof(float));
		WordsFile	f;
		WordsModel	m;
		NlpError	err;

		words_names(words, texts, n);
		for (uint32_t i = 0; i < n; i++)
			counts[i] = 1000 / (i + 1) + 1;
		for (uint32_t i = 0; i < 2 * n * dim; i++)
			x[i] = words_normal(3, i);
		words_file_begin(&f);
		nlp_gguf_put_u32(f.w, "word2vec.embedding_length", dim, &err);
		nlp_gguf_put_array(f.w, "word2vec.words", NLP_GGUF_STRING, n, words, &err);
		nlp_gguf_put_array(f.w, "word2vec.counts", NLP_GGUF_U64, n, counts, &err);
		nlp_gguf_put_str(f.w, "word2vec.objective", "skip-gram", 9, &err);
		nlp_gguf_put_str(f.w, "word2vec.loss", "hierarchical", 12, &err);
		words_file_tensor(&f, "token_embd.weight", NLP_F32, dim, n, x);
		words_file_tensor(&f, "output_nodes.weight", NLP_F32, dim, n - 1, x + n * dim);
		words_file_end(&f);
		CHECK_OK(words_file_build(&f, &words_env, &m, &err), err);
		if (m.w)
		{
			check_paths(m.w, x + n * dim, 0);
			check_paths(m.w, x + n * dim, n - 1);
		}
		words_model_free(&m);
		nlp_buf_free(&f.bytes);
		free(x);
	}
}

/* ---- n-grams ----------------------------------------------------------------- */

static void
test_subwords(void)
{
	enum
	{
		N = 5, DIM = 4, BUCKETS = 50
	};
	NlpStr		words[N];
	char		texts[N][12];
	float		x[N * DIM],
				grams[BUCKETS * DIM],
				got[DIM];
	uint32_t	buckets[64];
	size_t		n;
	WordsFile	f;
	WordsModel	m;
	NlpError	err;

	words_names(words, texts, N);
	for (int i = 0; i < N * DIM; i++)
		x[i] = words_normal(8, (uint64_t) i);
	for (int i = 0; i < BUCKETS * DIM; i++)
		grams[i] = words_normal(9, (uint64_t) i);
	words_file_begin(&f);
	nlp_gguf_put_u32(f.w, "word2vec.embedding_length", DIM, &err);
	nlp_gguf_put_array(f.w, "word2vec.words", NLP_GGUF_STRING, N, words, &err);
	nlp_gguf_put_u32(f.w, "word2vec.subword.min", 3, &err);
	nlp_gguf_put_u32(f.w, "word2vec.subword.max", 4, &err);
	nlp_gguf_put_u32(f.w, "word2vec.subword.buckets", BUCKETS, &err);
	words_file_tensor(&f, "token_embd.weight", NLP_F32, DIM, N, x);
	words_file_tensor(&f, "word_input.weight", NLP_F32, DIM, N, x);
	words_file_tensor(&f, "subword.weight", NLP_F32, DIM, BUCKETS, grams);
	words_file_end(&f);
	CHECK_OK(words_file_build(&f, &words_env, &m, &err), err);
	CHECK(nlp_words_vector(m.w, "w3", 2, got) && memcmp(got, x + 3 * DIM, sizeof(got)) == 0);
	n = nlp_words_subwords(m.w, "hello", 5, buckets, 64);
	CHECKF(n == 9, "%zu", n);	/* <he hel ell llo lo> <hel hell ello llo> */
	CHECK(nlp_words_vector(m.w, "hello", 5, got));
	for (int d = 0; d < DIM; d++)
	{
		double		want = 0;

		for (size_t i = 0; i < n; i++)
			want += grams[buckets[i] * DIM + (uint32_t) d] / (double) n;
		CHECK(fabs(got[d] - want) < 1e-6);
	}
	CHECK(!nlp_words_vector(m.w, "", 0, got));
	words_model_free(&m);
	nlp_buf_free(&f.bytes);
}

/* ---- files -------------------------------------------------------------------- */

/* A small file with one thing changed; every kind comes to its status. */
typedef struct BadFile
{
	const char *what;
	NlpStatus	status;
	const char *says;			/* in the message */
} BadFile;

static const BadFile bad_files[] = {
	{"good", NLP_OK, ""},
	{"no dim", NLP_ECORRUPT, "word2vec.embedding_length"},
	{"dim 0", NLP_ECORRUPT, "word2vec.embedding_length"},
	{"dim 16001", NLP_ECORRUPT, "word2vec.embedding_length"},
	{"no words", NLP_ECORRUPT, "word2vec.words"},
	{"words of u32", NLP_ECORRUPT, "word2vec.words"},
	{"empty word", NLP_ECORRUPT, "word 1 of the model is empty"},
	{"long word", NLP_ELIMIT, "word 1 of the model is longer"},
	{"word twice", NLP_ECORRUPT, "word 2 of the model is there twice"},
	{"not UTF-8", NLP_ECORRUPT, "word 1 of the model is not valid UTF-8"},
	{"NUL in word", NLP_ECORRUPT, "word 1 of the model is not valid UTF-8"},
	{"counts short", NLP_ECORRUPT, "3 words, but 2 counts"},
	{"counts wrap", NLP_ECORRUPT, "sum of the words' counts"},
	{"counts zero", NLP_ECORRUPT, "all counts"},
	{"objective", NLP_EUNSUPPORTED, "word2vec.objective"},
	{"loss", NLP_EUNSUPPORTED, "word2vec.loss"},
	{"segmenter", NLP_EUNSUPPORTED, "word2vec.segmenter"},
	{"rows", NLP_ECORRUPT, "token_embd.weight"},
	{"columns", NLP_ECORRUPT, "token_embd.weight"},
	{"type", NLP_EUNSUPPORTED, "token_embd.weight"},
	{"no vectors", NLP_ECORRUPT, "token_embd.weight"},
	{"extra tensor", NLP_EUNSUPPORTED, "1 tensors"},
	{"output alone", NLP_ECORRUPT, "output.weight"},
	{"output rows", NLP_ECORRUPT, "output.weight"},
	{"nodes rows", NLP_ECORRUPT, "output_nodes.weight"},
	{"nodes without counts", NLP_ECORRUPT, "word2vec.counts"},
	{"subword alone", NLP_ECORRUPT, "subword.weight"},
	{"subword keys", NLP_ECORRUPT, "word2vec.subword"},
	{"subword order", NLP_ECORRUPT, "word2vec.subword.min"},
	{"subword rows", NLP_ECORRUPT, "subword.weight"},
	{"nan", NLP_ECORRUPT, "row 1 of tensor \"token_embd.weight\""},
	{"inf in output", NLP_ECORRUPT, "row 2 of tensor \"output.weight\""},
	{"too long a vector", NLP_ECORRUPT, "too long a vector"},
};

static bool
is(const BadFile *b, const char *what)
{
	return strcmp(b->what, what) == 0;
}

static void
write_bad(const BadFile *b, WordsFile *f)
{
	static char long_word[NLP_WORDS_MAX_BYTES + 1];
	static float x[5 * 5],
				y[5 * 5];
	NlpStr		words[3] = {{"a", 1}, {"b", 1}, {"c", 1}};
	uint64_t	counts[3] = {3, 2, 1};
	NlpError	err;
	uint32_t	dim = 4;
	bool		nodes = is(b, "nodes rows") || is(b, "nodes without counts");

	memset(long_word, 'x', sizeof(long_word));
	for (int i = 0; i < 25; i++)
		x[i] = y[i] = (float) i - 7;
	x[5] = is(b, "nan") ? NAN : x[5];
	y[8] = is(b, "inf in output") ? INFINITY : y[8];
	if (is(b, "too long a vector"))
		x[4] = x[5] = x[6] = 3e38f;
	if (is(b, "empty word"))
		words[1].len = 0;
	if (is(b, "long word"))
		words[1] = (NlpStr) {long_word, sizeof(long_word)};
	if (is(b, "word twice"))
		words[2] = words[0];
	if (is(b, "not UTF-8"))
		words[1].data = "\xff";
	if (is(b, "NUL in word"))
		words[1] = (NlpStr) {"b\0c", 3};
	if (is(b, "counts wrap"))
		counts[1] = UINT64_MAX;
	if (is(b, "counts zero"))
		memset(counts, 0, sizeof(counts));
	words_file_begin(f);
	if (!is(b, "no dim"))
		nlp_gguf_put_u32(f->w, "word2vec.embedding_length", is(b, "dim 0") ? 0 : is(b, "dim 16001") ? 16001 : dim, &err);
	if (is(b, "words of u32"))
		nlp_gguf_put_array(f->w, "word2vec.words", NLP_GGUF_U32, 3, counts, &err);
	else if (!is(b, "no words"))
		nlp_gguf_put_array(f->w, "word2vec.words", NLP_GGUF_STRING, 3, words, &err);
	if (!is(b, "nodes without counts"))
		nlp_gguf_put_array(f->w, "word2vec.counts", NLP_GGUF_U64, is(b, "counts short") ? 2 : 3, counts, &err);
	nlp_gguf_put_str(f->w, "word2vec.objective", is(b, "objective") ? "glove" : "cbow", is(b, "objective") ? 5 : 4, &err);
	if (!is(b, "output alone"))
		nlp_gguf_put_str(f->w, "word2vec.loss", is(b, "loss") ? "hinge" : nodes ? "hierarchical" : "softmax",
						 is(b, "loss") ? 5 : nodes ? 12 : 7, &err);
	nlp_gguf_put_str(f->w, "word2vec.segmenter", is(b, "segmenter") ? "jieba" : "words", 5, &err);
	if (is(b, "subword keys") || is(b, "subword order") || is(b, "subword rows"))
		nlp_gguf_put_u32(f->w, "word2vec.subword.min", is(b, "subword order") ? 6 : 3, &err);
	if (is(b, "subword order") || is(b, "subword rows"))
	{
		nlp_gguf_put_u32(f->w, "word2vec.subword.max", 4, &err);
		nlp_gguf_put_u32(f->w, "word2vec.subword.buckets", 4, &err);
	}
	if (!is(b, "no vectors"))
		words_file_tensor(f, "token_embd.weight", is(b, "type") ? NLP_BF16 : NLP_F32, is(b, "columns") ? 5 : dim,
						  is(b, "rows") ? 2 : 3, x);
	if (is(b, "subword alone") || is(b, "subword rows"))
		words_file_tensor(f, "subword.weight", NLP_F32, dim, 3, x);
	if (nodes)
		words_file_tensor(f, "output_nodes.weight", NLP_F32, dim, is(b, "nodes rows") ? 3 : 2, y);
	else
		words_file_tensor(f, "output.weight", NLP_F32, dim, is(b, "output rows") ? 2 : 3, y);
	if (is(b, "extra tensor"))
		words_file_tensor(f, "blk.0.attn_q.weight", NLP_F32, dim, 3, y);
	words_file_end(f);
}

/* Verifying must find what building finds. */
static NlpStatus
verify_file(const WordsFile *f, NlpError *err)
{
	NlpMemorySource src;
	NlpImagePlan *plan;
	NlpStatus	st;

	nlp_memory_source_init(&src, f->bytes.data, f->bytes.len);
	st = nlp_image_plan(&src.source, &words_env, &plan, err);
	if (st == NLP_OK)
	{
		st = nlp_image_verify(plan, &src.source, &words_env, err);
		nlp_image_plan_free(plan);
	}
	return st;
}

static void
test_bad_files(void)
{
	for (size_t i = 0; i < sizeof(bad_files) / sizeof(bad_files[0]); i++)
	{
		const BadFile *b = &bad_files[i];
		WordsFile	f;
		WordsModel	m;
		NlpError	err = {NLP_OK};
		NlpStatus	st;

		write_bad(b, &f);
		st = words_file_build(&f, &words_env, &m, &err);
		CHECKF(st == b->status && (st == NLP_OK || strstr(err.message, b->says)), "%s: %d \"%s\"", b->what, st, err.message);
		err.message[0] = 0;
		CHECKF(verify_file(&f, &err) == b->status, "verify %s: \"%s\"", b->what, err.message);
		words_model_free(&m);
		nlp_buf_free(&f.bytes);
	}
}

static void
test_types(void)
{
	enum
	{
		N = 40, DIM = 64
	};
	static const NlpDtype types[] = {NLP_F32, NLP_F16, NLP_Q8_0};
	NlpStr		words[N];
	char		texts[N][12];
	float		x[N * DIM],
				back[N * DIM];
	char		packed[sizeof(x)];

	words_names(words, texts, N);
	for (int i = 0; i < N * DIM; i++)
		x[i] = words_normal(2, (uint64_t) i);
	for (int t = 0; t < 3; t++)
	{
		WordsFile	f;
		WordsModel	m;
		NlpError	err;

		CHECK(nlp_dtype_from_f32(types[t], x, packed, N * DIM));
		nlp_dtype_to_f32(types[t], packed, back, N * DIM);
		words_file_begin(&f);
		nlp_gguf_put_u32(f.w, "word2vec.embedding_length", DIM, &err);
		nlp_gguf_put_array(f.w, "word2vec.words", NLP_GGUF_STRING, N, words, &err);
		words_file_tensor(&f, "token_embd.weight", types[t], DIM, N, packed);
		words_file_end(&f);
		CHECK_OK(words_file_build(&f, &words_env, &m, &err), err);
		CHECK(m.w && memcmp(nlp_words_row(m.w, 7), back + 7 * DIM, DIM * sizeof(float)) == 0);
		CHECK(m.w && nlp_words_count(m.w, 3) == 0 && m.w->total_count == 0);
		words_model_free(&m);
		nlp_buf_free(&f.bytes);
	}
}

/* Rows of the largest numbers: probabilities stay numbers, and the plain one is found. */
static void
test_extremes(void)
{
	enum
	{
		N = 4, DIM = 4
	};
	float		x[N * DIM],
				y[N * DIM];
	NlpStr		words[N];
	char		texts[N][12];
	WordsFile	f;
	WordsModel	m;
	uint32_t	ids[3] = {0, 1, 2},
				n;
	NlpNeighbour out[N];
	NlpError	err;

	words_names(words, texts, N);
	for (int i = 0; i < N * DIM; i++)
	{
		x[i] = i / DIM < 3 ? FLT_MAX / 4 : 1;
		y[i] = i / DIM == 1 ? FLT_MAX / 2 : i % 2 ? FLT_MAX / 2 : -FLT_MAX / 2;
	}
	words_file_begin(&f);
	nlp_gguf_put_u32(f.w, "word2vec.embedding_length", DIM, &err);
	nlp_gguf_put_array(f.w, "word2vec.words", NLP_GGUF_STRING, N, words, &err);
	nlp_gguf_put_str(f.w, "word2vec.loss", "softmax", 7, &err);
	nlp_gguf_put_bool(f.w, "word2vec.cbow_mean", false, &err);
	words_file_tensor(&f, "token_embd.weight", NLP_F32, DIM, N, x);
	words_file_tensor(&f, "output.weight", NLP_F32, DIM, N, y);
	words_file_end(&f);
	CHECK_OK(words_file_build(&f, &words_env, &m, &err), err);
	CHECK_OK(nlp_words_predict(m.w, ids, 3, N, &words_env, out, &n, &err), err);
	CHECK(n == N && out[0].word == 1 && out[0].score == 1 && out[1].word == 0 && out[1].score == 0);
	CHECK_OK(nlp_words_nearest(m.w, x, N, NULL, &words_env, out, &n, &err), err);
	CHECKF(n == N && fabs(out[0].score - 1) < 1e-6 && fabs(out[3].score - 1) < 1e-6, "%g", out[0].score);
	words_model_free(&m);
	nlp_buf_free(&f.bytes);
}

/* A segmenter's file gives an image that holds its table, and nothing else. */
static void
test_segmenter_image(void)
{
	SegmentTable t = {0};
	SegmentFile bad = small_file;
	NlpMemorySource src;
	WordsModel	m;
	NlpError	err;
	const NlpImage *im;

	seg_bytes(&small_file, &t);
	nlp_memory_source_init(&src, t.file, t.file_bytes);
	CHECK_OK(words_model_build(&src.source, &words_env, &m, &err), err);
	im = m.block;
	CHECK(im && im->arch == NLP_IMAGE_SEGMENTER && im->tasks == NLP_TASK_SEGMENTATION && nlp_image_words(im) == NULL &&
		  !nlp_image_is_network(im) && !nlp_image_has_tokenizer(im) && im->tokenizer_bytes == 0);
	CHECK(im && nlp_segmenter_words(nlp_image_segmenter(im)) == small_file.n_frequencies);
	words_model_free(&m);
	seg_free(&t);
	bad.n_frequencies--;
	seg_bytes(&bad, &t);
	nlp_memory_source_init(&src, t.file, t.file_bytes);
	CHECK(words_model_build(&src.source, &words_env, &m, &err) == NLP_ECORRUPT);
	seg_free(&t);
}

/* The same bytes whatever lay in the block before: nothing is left unwritten. */
static void
test_whole(void)
{
	NlpFileSource f;
	NlpImagePlan *plan;
	NlpError	err;
	char		path[512];
	char	   *a;

	snprintf(path, sizeof(path), "%s/model.gguf", golden);
	CHECK_OK(nlp_file_source_open(&f, path, &err), err);
	CHECK_OK(nlp_image_plan(&f.source, &words_env, &plan, &err), err);
	a = nlp_alloc(&nlp_libc_alloc, nlp_image_plan_bytes(plan));
	memset(a, 0x3c, nlp_image_plan_bytes(plan));
	CHECK_OK(nlp_image_build(plan, &f.source, &words_env, a, NULL, &err), err);
	CHECK(gold.bytes == nlp_image_plan_bytes(plan) && memcmp(a, gold.block, gold.bytes) == 0);
	/* A table that says what is not so is refused. */
	((NlpWords *) nlp_image_words((NlpImage *) a))->dim = 20;
	CHECK(nlp_image_check(a, gold.bytes, &err) == NLP_ECORRUPT);
	((NlpWords *) nlp_image_words((NlpImage *) a))->dim = 32;
	CHECK_OK(nlp_image_check(a, gold.bytes, &err), err);
	((NlpWords *) nlp_image_words((NlpImage *) a))->codes_offset += 64;
	CHECK(nlp_image_check(a, gold.bytes, &err) == NLP_ECORRUPT);
	CHECK(nlp_image_check(a, gold.bytes - 64, &err) == NLP_ECORRUPT);
	nlp_free(&nlp_libc_alloc, a);
	nlp_image_plan_free(plan);
	nlp_file_source_close(&f);
}

/* Every allocation fails once: an error, nothing kept. */
static void
test_memory(void)
{
	WordsFile	f;
	long		fails = 0;

	write_bad(&bad_files[0], &f);
	for (long at = 0;; at++)
	{
		NlpTestAlloc alloc;
		NlpEnv		env = words_env;
		WordsModel	m;
		NlpError	err;
		NlpStatus	st;
		NlpNeighbour out[3];
		uint32_t	n,
					ids[2] = {0, 2};

		nlp_test_alloc_init(&alloc, at);
		env.alloc = &alloc.alloc;
		st = words_file_build(&f, &env, &m, &err);
		if (st == NLP_OK)
			st = nlp_words_nearest(m.w, nlp_words_row(m.w, 1), 3, NULL, &env, out, &n, &err);
		if (st == NLP_OK)
			st = nlp_words_predict(m.w, ids, 2, 3, &env, out, &n, &err);
		CHECKF(alloc.live == 0, "allocation %ld: %ld live", at, alloc.live);
		words_model_free(&m);
		if (st == NLP_OK)
			break;
		CHECKF(st == NLP_ENOMEM, "allocation %ld: %d", at, st);
		fails++;
	}
	CHECKF(fails > 8, "%ld", fails);
	nlp_buf_free(&f.bytes);
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
		test_lookup();
		test_golden();
		test_queries_without_answers();
		test_cancel();
		test_whole();
	}
	test_search();
	test_threads();
	test_tree();
	test_subwords();
	test_bad_files();
	test_types();
	test_extremes();
	test_segmenter_image();
	test_memory();
	words_model_free(&gold);
	return check_done();
}
