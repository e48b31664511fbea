/* gguf_test.c --- the GGUF reader and writer.
 *
 * Fixtures: test/fixtures/make_gguf.py writes some 350 files, each wrong in one way,
 * into a temporary directory; each must come to the status of its table, at the level
 * that the table names. Besides: truncation at every byte, failure of every
 * allocation, memory held against the file's size, getters, and writing back what
 * was read, byte for byte.
 *
 * usage: gguf_test [FIXTURE DIRECTORY] */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "format/gguf.h"
#include "model/image.h"

static const NlpEnv libc_env = {.alloc = &nlp_libc_alloc};

/* ---- bytes of a file ---- */

typedef struct Bytes
{
	char	   *data;
	size_t		len;
} Bytes;

static Bytes
read_whole(const char *path)
{
	Bytes		b = {NULL, 0};
	FILE	   *f = fopen(path, "rb");
	long		size;

	if (!f)
		return b;
	fseek(f, 0, SEEK_END);
	size = ftell(f);
	rewind(f);
	/* exactly as large as the file, so that a read past its end is seen */
	b.data = malloc(size > 0 ? (size_t) size : 1);
	b.len = fread(b.data, 1, (size_t) size, f);
	fclose(f);
	return b;
}

static NlpStatus
open_bytes(const void *data, size_t len, NlpGguf *g, NlpError *err)
{
	NlpMemorySource src;

	nlp_memory_source_init(&src, data, len);
	return nlp_gguf_open(&src.source, &libc_env, g, err);
}

/* ---- fixtures ---- */

static const char *const status_names[] = {
	"OK", "ENOMEM", "ECANCELLED", "ECORRUPT", "EUNSUPPORTED", "EINVALID", "ELIMIT", "ECOMPLEX", "ETEXT",
	"ENOTFOUND", "EIO", "EINTERNAL"
};

/* What src/pg makes of a status; the table's fourth column. */
static const char *
sqlstate(NlpStatus st)
{
	switch (st)
	{
		case NLP_OK:
			return "00000";
		case NLP_ECORRUPT:
			return "22P03";
		case NLP_EUNSUPPORTED:
			return "0A000";
		case NLP_ELIMIT:
			return "54000";
		case NLP_ECOMPLEX:
			return "54001";
		default:
			return "?";
	}
}

/* The file through header, vocabulary, plan and build, as far as it goes. *level
 * is who refused it. */
static NlpStatus
load(const Bytes *b, const NlpEnv *env, const char **level, NlpError *err)
{
	NlpMemorySource src;
	NlpGguf		g;
	NlpTokenizer *tok = NULL;
	size_t		tok_bytes;
	NlpImagePlan *plan = NULL;
	void	   *block;
	NlpStatus	st;

	nlp_memory_source_init(&src, b->data, b->len);
	*level = "header";
	st = nlp_gguf_open(&src.source, env, &g, err);
	if (st != NLP_OK)
		return st;
	*level = "vocab";
	if (nlp_gguf_find(&g, "tokenizer.ggml.model") || nlp_gguf_find(&g, "tokenizer.ggml.tokens"))
		st = nlp_tokenizer_build(&g, env, &tok, &tok_bytes, err);
	else
	{
		nlp_gguf_close(&g);
		*level = "header";
		return NLP_OK;
	}
	nlp_free(env->alloc, tok);
	nlp_gguf_close(&g);
	if (st != NLP_OK)
		return st;
	*level = "model";
	st = nlp_image_plan(&src.source, env, &plan, err);
	if (st != NLP_OK)
		return st;
	*level = "data";
	block = nlp_alloc(env->alloc, nlp_image_plan_bytes(plan));
	st = block ? nlp_image_build(plan, &src.source, env, block, NULL, err) : nlp_no_memory(err, 0, "block");
	nlp_image_plan_free(plan);
	nlp_free(env->alloc, block);
	return st;
}

static void
check_fixture(const char *dir, char *line)
{
	char	   *name = strtok(line, "\t");
	char	   *level = strtok(NULL, "\t");
	char	   *status = strtok(NULL, "\t");
	char	   *state = strtok(NULL, "\t");
	char	   *what = strtok(NULL, "\n");
	char		path[512];
	const char *by = "";
	NlpError	err = {0};
	NlpTestAlloc counting;
	NlpEnv		env = {.alloc = &counting.alloc};
	NlpStatus	st;
	Bytes		b;

	snprintf(path, sizeof(path), "%s/%s.gguf", dir, name);
	b = read_whole(path);
	CHECKF(b.data != NULL, "%s", path);
	if (!b.data)
		return;
	nlp_test_alloc_init(&counting, -1);
	st = load(&b, &env, &by, &err);
	CHECKF(strcmp(status_names[st], status) == 0, "%s (%s): got %s from %s: %s",
		   name, what, status_names[st], by, err.message);
	CHECKF(strcmp(sqlstate(st), state) == 0, "%s: SQLSTATE %s", name, sqlstate(st));
	/* A key that the vocabulary or the plan reads may be found by either of the two. */
	CHECKF(st == NLP_OK || strcmp(by, level) == 0 ||
		   (strcmp(level, "vocab") == 0 && strcmp(by, "model") == 0), "%s: refused by %s", name, by);
	CHECKF(counting.live == 0, "%s: %ld allocations left", name, counting.live);
	if (st != NLP_OK)
	{
		size_t		len = strlen(err.message);

		CHECKF(err.status == st && len > 0 && err.message[len - 1] != '.', "%s: \"%s\"", name, err.message);
		CHECKF(!err.has_offset || err.offset <= b.len, "%s: offset %llu of %zu", name,
			   (unsigned long long) err.offset, b.len);
	}
	free(b.data);
}

static void
test_fixtures(const char *dir)
{
	char		path[512];
	Bytes		made,
				kept = read_whole("test/fixtures/gguf.tsv");
	int			n = 0;

	snprintf(path, sizeof(path), "%s/table.tsv", dir);
	made = read_whole(path);
	CHECKF(made.data != NULL, "%s", path);
	if (!made.data)
		return;
	CHECK(kept.data && kept.len == made.len && memcmp(kept.data, made.data, made.len) == 0);
	for (char *p = made.data, *end = made.data + made.len; p < end;)
	{
		char	   *nl = memchr(p, '\n', (size_t) (end - p));
		char		line[512];

		snprintf(line, sizeof(line), "%.*s\n", (int) (nl - p), p);
		check_fixture(dir, line);
		n++;
		p = nl + 1;
	}
	CHECKF(n >= 340, "%d fixtures", n);
	printf("%d fixtures\n", n);
	free(made.data);
	free(kept.data);
}

/* ---- truncation, allocation failure, memory ---- */

static void
test_truncation(const char *dir, const char *name)
{
	char		path[512];
	Bytes		whole;
	NlpGguf		g;
	NlpError	err;
	size_t		refused = 0;
	size_t		needed;

	snprintf(path, sizeof(path), "%s/%s.gguf", dir, name);
	whole = read_whole(path);
	CHECK(open_bytes(whole.data, whole.len, &g, &err) == NLP_OK);
	needed = whole.len;
	if (g.n_tensors > 0)
		needed = (size_t) (g.tensors[g.n_tensors - 1].offset + g.tensors[g.n_tensors - 1].bytes);
	nlp_gguf_close(&g);
	for (size_t n = 0; n < needed; n++)
	{
		char	   *part = malloc(n ? n : 1);
		NlpStatus	st;

		memcpy(part, whole.data, n);
		st = open_bytes(part, n, &g, &err);
		refused += st == NLP_ECORRUPT;
		if (st != NLP_ECORRUPT)
			CHECKF(false, "%s cut at %zu of %zu: %s", name, n, needed, status_names[st]);
		if (st == NLP_OK)
			nlp_gguf_close(&g);
		free(part);
	}
	CHECKF(refused == needed, "%s: %zu of %zu", name, refused, needed);
	free(whole.data);
}

/* Fail each allocation in turn: an error, and nothing left behind. */
static void
test_allocation(const char *dir, const char *name)
{
	char		path[512];
	Bytes		whole;
	long		n = 0;

	snprintf(path, sizeof(path), "%s/%s.gguf", dir, name);
	whole = read_whole(path);
	for (;; n++)
	{
		NlpTestAlloc failing;
		NlpEnv		env = {.alloc = &failing.alloc};
		NlpError	err = {0};
		NlpMemorySource src;
		NlpGguf		g;
		NlpStatus	st;

		nlp_test_alloc_init(&failing, n);
		nlp_memory_source_init(&src, whole.data, whole.len);
		st = nlp_gguf_open(&src.source, &env, &g, &err);
		if (st == NLP_OK)
		{
			nlp_gguf_close(&g);
			CHECK(failing.live == 0);
			break;
		}
		CHECKF(st == NLP_ENOMEM && failing.live == 0, "%s, allocation %ld: %s, %ld live", name, n,
			   status_names[st], failing.live);
		if (n > 100000)
			break;
	}
	CHECKF(n >= 3 && n < 100000, "%s: %ld allocations", name, n);
	free(whole.data);
}

/* An allocator that adds up what it gives. */
static size_t asked;

static void *
summing_alloc(void *ctx, size_t bytes)
{
	asked += bytes;
	return nlp_libc_alloc.alloc(ctx, bytes);
}

static void
summing_free(void *ctx, void *ptr)
{
	nlp_libc_alloc.free(ctx, ptr);
}

/* Rule 3: memory is a constant plus a small multiple of the bytes really there. */
static void
test_memory(const char *dir)
{
	NlpAlloc	alloc = {summing_alloc, summing_free, NULL};
	NlpEnv		env = {.alloc = &alloc};
	struct dirent *e;
	DIR		   *d = opendir(dir);

	while (d && (e = readdir(d)) != NULL)
	{
		char		path[800];
		Bytes		b;
		NlpMemorySource src;
		NlpGguf		g;

		if (!strstr(e->d_name, ".gguf"))
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		b = read_whole(path);
		nlp_memory_source_init(&src, b.data, b.len);
		asked = 0;
		if (nlp_gguf_open(&src.source, &env, &g, NULL) == NLP_OK)
			nlp_gguf_close(&g);
		CHECKF(asked <= 200000 + 8 * b.len, "%s: %zu bytes asked for %zu", e->d_name, asked, b.len);
		free(b.data);
	}
	if (d)
		closedir(d);
}

/* ---- cancelling ---- */

static int	polls_left;

static bool
pending(void *ctx)
{
	return true;
}

static bool
cancelled(void *ctx)
{
	return --polls_left < 0;
}

/* Each poll in turn says stop. */
static void
test_cancel(const char *dir)
{
	NlpTestAlloc counting;
	NlpEnv		env = {.alloc = &counting.alloc, .pending = pending, .cancelled = cancelled};
	char		path[512];
	Bytes		b;
	NlpMemorySource src;
	NlpGguf		g;
	NlpError	err;
	int			n = 0;

	snprintf(path, sizeof(path), "%s/ok_key_65535.gguf", dir);
	b = read_whole(path);
	nlp_memory_source_init(&src, b.data, b.len);
	for (;; n++)
	{
		NlpStatus	st;

		nlp_test_alloc_init(&counting, -1);
		polls_left = n;
		st = nlp_gguf_open(&src.source, &env, &g, &err);
		if (st == NLP_OK)
			break;
		CHECK(st == NLP_ECANCELLED && counting.live == 0);
	}
	nlp_gguf_close(&g);
	CHECKF(n >= 2, "%d polls", n);
	free(b.data);
}

/* ---- getters ---- */

typedef struct Collect
{
	NlpSink		sink;
	NlpBuf		buf;
} Collect;

static NlpStatus
collect(void *ctx, const void *bytes, size_t len, NlpError *err)
{
	if (!nlp_buf_append(ctx, bytes, len))
		return nlp_no_memory(err, len, "test");
	return NLP_OK;
}

static void
test_getters(void)
{
	NlpGgufWriter *w;
	Collect		c;
	NlpError	err = {0};
	NlpGguf		g;
	uint64_t	u = 99;
	float		f = 99;
	bool		b = false,
				found = true;
	NlpStr		s;
	const NlpGgufKv *kv;
	int8_t		minus = -3;
	int32_t		plus = 5;
	uint64_t	large = UINT64_MAX;
	double		third = 1.0 / 3;
	float		nan = NAN,
				inf = INFINITY;
	int32_t		ints[3] = {1, -2, 3};
	NlpStr		words[2] = {{"a", 1}, {"b\0c", 3}};

	nlp_buf_init(&c.buf, &nlp_libc_alloc);
	c.sink = (NlpSink) {collect, &c.buf};
	CHECK_OK(nlp_gguf_writer_new(&nlp_libc_alloc, &w, &err), err);
	CHECK_OK(nlp_gguf_put_u32(w, "u32", 42, &err), err);
	CHECK_OK(nlp_gguf_put_f32(w, "f32", 0.5f, &err), err);
	CHECK_OK(nlp_gguf_put_bool(w, "yes", true, &err), err);
	CHECK_OK(nlp_gguf_put_str(w, "str", "x\0y", 3, &err), err);
	CHECK_OK(nlp_gguf_put_scalar(w, "i8", NLP_GGUF_I8, &minus, &err), err);
	CHECK_OK(nlp_gguf_put_scalar(w, "i32", NLP_GGUF_I32, &plus, &err), err);
	CHECK_OK(nlp_gguf_put_scalar(w, "u64", NLP_GGUF_U64, &large, &err), err);
	CHECK_OK(nlp_gguf_put_scalar(w, "f64", NLP_GGUF_F64, &third, &err), err);
	CHECK_OK(nlp_gguf_put_f32(w, "nan", nan, &err), err);
	CHECK_OK(nlp_gguf_put_f32(w, "inf", inf, &err), err);
	CHECK_OK(nlp_gguf_put_array(w, "ints", NLP_GGUF_I32, 3, ints, &err), err);
	CHECK_OK(nlp_gguf_put_array(w, "words", NLP_GGUF_STRING, 2, words, &err), err);
	CHECK_OK(nlp_gguf_write_header(w, &c.sink, &err), err);
	CHECK_OK(nlp_gguf_write_end(w, &c.sink, &err), err);
	nlp_gguf_writer_free(w);
	CHECK_OK(open_bytes(c.buf.data, c.buf.len, &g, &err), err);

	CHECK(nlp_gguf_u64(&g, "u32", 0, 42, &u, NULL, &err) == NLP_OK && u == 42);
	CHECK(nlp_gguf_u64(&g, "u64", 0, UINT64_MAX, &u, NULL, &err) == NLP_OK && u == UINT64_MAX);
	u = 99;
	CHECK(nlp_gguf_u64(&g, "u32", 43, 50, &u, NULL, &err) == NLP_ECORRUPT && u == 99);
	CHECK(strstr(err.message, "42") && strstr(err.message, "43") && strstr(err.message, "50"));
	CHECK(strcmp(err.field, "u32") == 0 && err.has_offset);
	CHECK(nlp_gguf_u64(&g, "i8", 0, 10, &u, NULL, &err) == NLP_ECORRUPT && strstr(err.message, "-3"));
	CHECK(nlp_gguf_u64(&g, "i32", 0, 5, &u, NULL, &err) == NLP_OK && u == 5);
	u = 99;
	CHECK(nlp_gguf_u64(&g, "f32", 0, 10, &u, NULL, &err) == NLP_ECORRUPT);
	CHECK(nlp_gguf_u64(&g, "yes", 0, 10, &u, NULL, &err) == NLP_ECORRUPT);
	CHECK(nlp_gguf_u64(&g, "ints", 0, 10, &u, NULL, &err) == NLP_ECORRUPT && strstr(err.message, "array"));
	CHECK(nlp_gguf_u64(&g, "none", 0, 10, &u, NULL, &err) == NLP_ECORRUPT && strstr(err.message, "none"));
	CHECK(nlp_gguf_u64(&g, "none", 0, 10, &u, &found, &err) == NLP_OK && !found && u == 99);
	CHECK(nlp_gguf_f32(&g, "f32", 0, 1, &f, &found, &err) == NLP_OK && found && f == 0.5f);
	CHECK(nlp_gguf_f32(&g, "f64", 0, 1, &f, NULL, &err) == NLP_OK && f == (float) third);
	CHECK(nlp_gguf_f32(&g, "nan", -INFINITY, INFINITY, &f, NULL, &err) == NLP_ECORRUPT);
	CHECK(nlp_gguf_f32(&g, "inf", 0, 1e30, &f, NULL, &err) == NLP_ECORRUPT);
	CHECK(nlp_gguf_f32(&g, "u32", 0, 100, &f, NULL, &err) == NLP_ECORRUPT);
	CHECK(nlp_gguf_bool(&g, "yes", &b, NULL, &err) == NLP_OK && b);
	CHECK(nlp_gguf_bool(&g, "u32", &b, NULL, &err) == NLP_ECORRUPT);
	CHECK(nlp_gguf_str(&g, "str", &s, NULL, &err) == NLP_OK && s.len == 3 && memcmp(s.data, "x\0y", 4) == 0);
	CHECK(nlp_gguf_str(&g, "words", &s, NULL, &err) == NLP_ECORRUPT);
	CHECK(nlp_gguf_array(&g, "ints", NLP_GGUF_I32, &kv, NULL, &err) == NLP_OK && kv->count == 3 &&
		  ((const int32_t *) kv->data)[1] == -2);
	CHECK(nlp_gguf_array(&g, "ints", NLP_GGUF_U32, &kv, NULL, &err) == NLP_ECORRUPT);
	CHECK(nlp_gguf_array(&g, "words", NLP_GGUF_STRING, &kv, NULL, &err) == NLP_OK &&
		  ((const NlpStr *) kv->data)[1].len == 3);
	nlp_gguf_close(&g);
	nlp_buf_free(&c.buf);
}

/* Every scalar of ok_every_type, as an integer and as a float. */
static void
test_integer_widths(const char *dir)
{
	static const struct
	{
		const char *key;
		NlpStatus	as_integer;
		uint64_t	value;
	}			cases[] = {
		{"scalar.0", NLP_OK, 1}, {"scalar.1", NLP_ECORRUPT, 0}, {"scalar.2", NLP_OK, 2}, {"scalar.3", NLP_ECORRUPT, 0},
		{"scalar.4", NLP_OK, 3}, {"scalar.5", NLP_ECORRUPT, 0}, {"scalar.6", NLP_ECORRUPT, 0}, {"scalar.7", NLP_ECORRUPT, 0},
		{"scalar.8", NLP_ECORRUPT, 0}, {"scalar.10", NLP_OK, UINT64_MAX}, {"scalar.11", NLP_ECORRUPT, 0}, {"scalar.12", NLP_ECORRUPT, 0}
	};
	char		path[512];
	Bytes		b;
	NlpGguf		g;
	NlpError	err = {0};

	snprintf(path, sizeof(path), "%s/ok_every_type.gguf", dir);
	b = read_whole(path);
	CHECK_OK(open_bytes(b.data, b.len, &g, &err), err);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		uint64_t	u = 7;
		float		f = 7;
		bool		is_float = i == 6 || i == 11,
					found = false;

		CHECKF(nlp_gguf_u64(&g, cases[i].key, 0, UINT64_MAX, &u, NULL, &err) == cases[i].as_integer, "%s", cases[i].key);
		CHECKF(u == (cases[i].as_integer == NLP_OK ? cases[i].value : 7), "%s", cases[i].key);
		CHECKF(nlp_gguf_f32(&g, cases[i].key, 0, 1, &f, &found, &err) == (is_float ? NLP_OK : NLP_ECORRUPT) && found, "%s", cases[i].key);
	}
	nlp_gguf_close(&g);
	free(b.data);
}

/* ---- writing ---- */

static NlpStatus
write_again(const NlpGguf *g, const char *file, const NlpAlloc *alloc, const NlpSink *sink,
			size_t piece, NlpError *err)
{
	NlpGgufWriter *w;
	NlpStatus	st = nlp_gguf_writer_new(alloc, &w, err);

	if (st != NLP_OK)
		return st;
	for (uint64_t i = 0; i < g->n_kv && st == NLP_OK; i++)
		st = nlp_gguf_put_kv(w, &g->kv[i], err);
	for (uint64_t i = 0; i < g->n_tensors && st == NLP_OK; i++)
	{
		const NlpGgufTensor *t = &g->tensors[i];

		st = nlp_gguf_put_tensor(w, t->name.data, (NlpDtype) t->dtype, t->n_dims, t->dims, err);
	}
	if (st == NLP_OK)
		st = nlp_gguf_write_header(w, sink, err);
	for (uint64_t i = 0; i < g->n_tensors && st == NLP_OK; i++)
	{
		const NlpGgufTensor *t = &g->tensors[i];

		for (uint64_t at = 0; at < t->bytes && st == NLP_OK; at += piece)
			st = nlp_gguf_write_data(w, sink, file + t->offset + at, t->bytes - at < piece ? t->bytes - at : piece, err);
	}
	if (st == NLP_OK)
		st = nlp_gguf_write_end(w, sink, err);
	nlp_gguf_writer_free(w);
	return st;
}

/* Reading and writing gives the file back, byte for byte. The version says 3. */
static void
round_trip(const char *path, size_t piece)
{
	Bytes		b = read_whole(path);
	NlpGguf		g;
	NlpError	err = {0};
	Collect		c;
	uint32_t	three = 3;

	CHECKF(b.data != NULL, "%s", path);
	if (!b.data)
		return;
	nlp_buf_init(&c.buf, &nlp_libc_alloc);
	c.sink = (NlpSink) {collect, &c.buf};
	CHECK_OK(open_bytes(b.data, b.len, &g, &err), err);
	CHECK_OK(write_again(&g, b.data, &nlp_libc_alloc, &c.sink, piece, &err), err);
	memcpy(b.data + 4, &three, 4);
	CHECKF(c.buf.len == b.len && memcmp(c.buf.data, b.data, b.len) == 0, "%s: %zu bytes of %zu",
		   path, c.buf.len, b.len);
	nlp_gguf_close(&g);
	nlp_buf_free(&c.buf);
	free(b.data);
}

static void
test_round_trips(const char *dir)
{
	static const char *const names[] = {
		"ok_plain", "ok_no_tensors", "ok_nothing", "ok_every_type", "ok_every_dtype", "ok_four_dims",
		"ok_alignment_8", "ok_alignment_64", "ok_alignment_4096", "ok_key_65535", "ok_value_with_nul", "ok_name_64",
		"ok_array_empty", "ok_version_2", "ok_bpe", "ok_spm", "ok_llama"
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
	{
		char		path[512];

		snprintf(path, sizeof(path), "%s/%s.gguf", dir, names[i]);
		round_trip(path, 7);
	}
}

/* The real model, and any other files named in NLP_GGUF_FILES (colons between). */
static void
test_real_files(void)
{
	const char *models = getenv("MODELS_DIR");
	char		path[1024];
	char	   *more = getenv("NLP_GGUF_FILES");

	if (models)
		snprintf(path, sizeof(path), "%s/SmolLM2-135M-Instruct.Q4_1.gguf", models);
	else
		snprintf(path, sizeof(path), "/var/tmp/pg_nlp-%u/models/SmolLM2-135M-Instruct.Q4_1.gguf", (unsigned) getuid());
	if (access(path, R_OK) == 0)
		round_trip(path, 1 << 20);
	else
		check_not_run("round trip of SmolLM2 (make models)");
	if (more)
	{
		more = strdup(more);
		for (char *p = strtok(more, ":"); p; p = strtok(NULL, ":"))
			round_trip(p, 1 << 20);
		free(more);
	}
}

static void
test_writer_allocation(const char *dir)
{
	char		path[512];
	Bytes		b;
	NlpGguf		g;
	NlpError	err = {0};
	long		n = 0;

	snprintf(path, sizeof(path), "%s/ok_llama.gguf", dir);
	b = read_whole(path);
	CHECK_OK(open_bytes(b.data, b.len, &g, &err), err);
	for (;; n++)
	{
		NlpTestAlloc failing;
		Collect		c;
		NlpStatus	st;

		nlp_test_alloc_init(&failing, n);
		nlp_buf_init(&c.buf, &nlp_libc_alloc);
		c.sink = (NlpSink) {collect, &c.buf};
		st = write_again(&g, b.data, &failing.alloc, &c.sink, 100, &err);
		nlp_buf_free(&c.buf);
		CHECKF(failing.live == 0, "allocation %ld", n);
		if (st == NLP_OK || n > 1000)
			break;
		CHECKF(st == NLP_ENOMEM, "allocation %ld: %s", n, status_names[st]);
	}
	CHECKF(n >= 5 && n < 1000, "%ld", n);
	nlp_gguf_close(&g);
	free(b.data);
}

static NlpStatus
full_disk(void *ctx, const void *bytes, size_t len, NlpError *err)
{
	return nlp_fail(err, NLP_EIO, "no space left");
}

static void
test_writer_refusals(void)
{
	NlpGgufWriter *w;
	NlpError	err = {0};
	uint64_t	dims[4] = {32, 2, 1, 1};
	uint64_t	huge[2] = {1ull << 62, 1ull << 62};
	char		name[80];
	char		data[256] = {0};
	Collect		c;
	NlpSink		full = {full_disk, NULL};
	NlpStr		s = {"32", 2};

	nlp_buf_init(&c.buf, &nlp_libc_alloc);
	c.sink = (NlpSink) {collect, &c.buf};
	memset(name, 'n', sizeof(name));
	name[65] = '\0';
	CHECK_OK(nlp_gguf_writer_new(&nlp_libc_alloc, &w, &err), err);
	CHECK(nlp_gguf_put_u32(w, "", 1, &err) == NLP_EINVALID);
	CHECK(nlp_gguf_put_u32(w, "a\xff", 1, &err) == NLP_EINVALID);
	CHECK(nlp_gguf_put_u32(w, "general.alignment", 24, &err) == NLP_EINVALID);
	CHECK(nlp_gguf_put_scalar(w, "general.alignment", NLP_GGUF_STRING, &s, &err) == NLP_EINVALID);
	CHECK(nlp_gguf_put_tensor(w, name, NLP_F32, 1, dims, &err) == NLP_EINVALID);
	CHECK(nlp_gguf_put_tensor(w, "t", NLP_F32, 0, dims, &err) == NLP_EINVALID);
	CHECK(nlp_gguf_put_tensor(w, "t", NLP_F32, 5, dims, &err) == NLP_EINVALID);
	CHECK(nlp_gguf_put_tensor(w, "t", NLP_Q4_K, 2, dims, &err) == NLP_EINVALID);
	CHECK(nlp_gguf_put_tensor(w, "t", NLP_F32, 2, huge, &err) == NLP_EINVALID);
	CHECK(nlp_gguf_put_tensor(w, "t", (NlpDtype) 10, 2, dims, &err) == NLP_EINVALID);
	CHECK_OK(nlp_gguf_put_tensor(w, "t", NLP_Q8_0, 2, dims, &err), err);
	CHECK(nlp_gguf_write_data(w, &c.sink, data, 1, &err) == NLP_EINTERNAL);
	CHECK(nlp_gguf_write_header(w, &full, &err) == NLP_EIO);
	CHECK_OK(nlp_gguf_write_header(w, &c.sink, &err), err);
	CHECK(nlp_gguf_write_header(w, &c.sink, &err) == NLP_EINTERNAL);
	CHECK(nlp_gguf_put_u32(w, "late", 1, &err) == NLP_EINTERNAL);
	CHECK(nlp_gguf_put_tensor(w, "late", NLP_F32, 1, dims, &err) == NLP_EINTERNAL);
	CHECK_OK(nlp_gguf_write_data(w, &c.sink, data, 67, &err), err);
	CHECK(nlp_gguf_write_end(w, &c.sink, &err) == NLP_EINTERNAL);
	CHECK(nlp_gguf_write_data(w, &c.sink, data, 2, &err) == NLP_EINTERNAL);
	CHECK_OK(nlp_gguf_write_end(w, &c.sink, &err), err);
	nlp_gguf_writer_free(w);

	CHECK_OK(nlp_gguf_writer_new(&nlp_libc_alloc, &w, &err), err);
	CHECK_OK(nlp_gguf_put_u32(w, "twice", 1, &err), err);
	CHECK_OK(nlp_gguf_put_bool(w, "twice", true, &err), err);
	CHECK(nlp_gguf_write_header(w, &c.sink, &err) == NLP_EINVALID);
	nlp_gguf_writer_free(w);
	nlp_gguf_writer_free(NULL);
	nlp_buf_free(&c.buf);
}

/* ---- limits that no small file reaches ---- */

/* A source of 200 MB: a given head, then letters. */
typedef struct Endless
{
	NlpSource	source;
	const char *head;
	size_t		head_len;
} Endless;

static NlpStatus
endless_read(void *ctx, uint64_t offset, size_t len, void *dst, NlpError *err)
{
	Endless    *e = ctx;

	for (size_t i = 0; i < len; i++)
		((char *) dst)[i] = offset + i < e->head_len ? e->head[offset + i] : 'a';
	return NLP_OK;
}

static void
test_large_values(void)
{
	struct
	{
		uint64_t	extra;		/* string length over 16 MB */
		NlpStatus	status;
	}			cases[] = {{0, NLP_ECORRUPT}, {1, NLP_ELIMIT}, {100 << 20, NLP_ELIMIT}};

	for (size_t i = 0; i < 3; i++)
	{
		char		head[64] = "GGUF\3\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0k\10\0\0\0";
		uint64_t	len = (16u << 20) + cases[i].extra;
		Endless		e = {{200u << 20, endless_read, &e}, head, 45};
		NlpGguf		g;
		NlpError	err;
		NlpStatus	st;

		memcpy(head + 37, &len, 8);
		st = nlp_gguf_open(&e.source, &libc_env, &g, &err);
		/* 16 MB exactly is read, and then the file is refused for its tail. */
		CHECKF(st == cases[i].status, "case %zu: %s: %s", i, status_names[st], err.message);
		if (i == 0)
			CHECK(strstr(err.message, "bytes after") != NULL);
	}
}

/* ---- files ---- */

static void
test_file_source(const char *dir)
{
	char		path[512],
				bytes[16];
	NlpFileSource f;
	NlpError	err;
	FILE	   *out;

	CHECK(nlp_file_source_open(&f, "/nonexistent/file", &err) == NLP_ENOTFOUND);
	CHECK(nlp_file_source_open(&f, dir, &err) == NLP_EINVALID);
	CHECK(nlp_file_source_open(&f, "/dev/null", &err) == NLP_EINVALID);
	snprintf(path, sizeof(path), "%s/fifo", dir);
	unlink(path);
	CHECK(mkfifo(path, 0600) == 0);
	CHECK(nlp_file_source_open(&f, path, &err) == NLP_EINVALID);
	unlink(path);
	snprintf(path, sizeof(path), "%s/moving", dir);
	out = fopen(path, "wb");
	fwrite("0123456789abcdef", 1, 16, out);
	fflush(out);
	CHECK(nlp_file_source_open(&f, path, &err) == NLP_OK && f.source.size == 16);
	CHECK(f.source.read(f.source.ctx, 10, 6, bytes, &err) == NLP_OK && memcmp(bytes, "abcdef", 6) == 0);
	CHECK(f.source.read(f.source.ctx, 10, 7, bytes, &err) == NLP_EINTERNAL);
	CHECK(f.source.read(f.source.ctx, UINT64_MAX, 2, bytes, &err) == NLP_EINTERNAL);
	fwrite("more", 1, 4, out);
	fflush(out);
	CHECK(f.source.read(f.source.ctx, 0, 4, bytes, &err) == NLP_EIO);
	CHECK(ftruncate(fileno(out), 3) == 0);
	CHECK(f.source.read(f.source.ctx, 0, 4, bytes, &err) == NLP_EIO);
	nlp_file_source_close(&f);
	nlp_file_source_close(&f);
	fclose(out);
	unlink(path);
}

int
main(int argc, char **argv)
{
	char		tmp[] = "/tmp/gguf_test.XXXXXX";
	char		cmd[1024];
	const char *dir = argc > 1 ? argv[1] : mkdtemp(tmp);

	snprintf(cmd, sizeof(cmd), "python3 test/fixtures/make_gguf.py '%s'", dir);
	CHECK(system(cmd) == 0);
	test_fixtures(dir);
	test_truncation(dir, "ok_llama");
	test_truncation(dir, "ok_every_type");
	test_truncation(dir, "ok_every_dtype");
	test_allocation(dir, "ok_llama");
	test_allocation(dir, "ok_key_65535");
	test_allocation(dir, "ok_every_type");
	test_memory(dir);
	test_cancel(dir);
	test_getters();
	test_integer_widths(dir);
	test_round_trips(dir);
	test_real_files();
	test_writer_allocation(dir);
	test_writer_refusals();
	test_large_values();
	test_file_source(dir);
	if (argc <= 1)
	{
		snprintf(cmd, sizeof(cmd), "rm -rf '%s'", dir);
		CHECK(system(cmd) == 0);
	}
	return check_done();
}
