/* wordfile_bounds_test.c --- word vector files: memory, failures, and export.
 *
 * The bound of memory with a word of 1 GB and rows longer than the window, truncation at every byte, failure of every
 * allocation, read, write and poll, files that change, n-grams composed in batches, and export
 * read back bit for bit.
 *
 * usage: wordfile_bounds_test [FIXTURE DIRECTORY] */
#define _GNU_SOURCE
#include "wordfile.h"

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
		size_t		len = 0;
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
		size_t		len = 0;
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

/* ---- rows longer than the window, files that change ---- */

static void
test_long_lines(void)
{
	static const char *const heads[] = {"", "2 1500\n"};
	static const NlpWordFileOptions skip = {.skip_bad_words = true};
	size_t		len = (size_t) 1500 * 1000;

	for (int i = 0; i < 2; i++)
	{
		/* numbers of 999 digits: right, but more than a row may have */
		NlpBuf		b;
		NlpError	err = {0};
		Loaded		l;

		nlp_buf_init(&b, &nlp_libc_alloc);
		nlp_buf_append(&b, heads[i], strlen(heads[i]));
		nlp_buf_append(&b, "a", 1);
		nlp_buf_reserve(&b, len);
		memset(b.data + b.len, '0', len);
		for (size_t at = 0; at < len; at += 1000)
			b.data[b.len + at] = ' ';
		b.len += len;
		CHECKF(import_bytes(b.data, b.len, NULL, &l, &err) == NLP_ELIMIT && strstr(err.message, "longer than"), "%s", err.message);
		unload(&l);
		CHECKF(import_bytes(b.data, b.len, &skip, &l, &err) == NLP_ELIMIT, "%s", err.message);
		unload(&l);
		nlp_buf_free(&b);
	}
}

/* Other bytes from the second reading of the start on. */
typedef struct Changing
{
	NlpMemorySource before,
				after;
	uint64_t	last;
	bool		changed;
} Changing;

static NlpStatus
changing_read(void *ctx, uint64_t offset, size_t len, void *dst, NlpError *err)
{
	Changing   *c = ctx;
	NlpMemorySource *m;

	c->changed |= offset < c->last;
	c->last = offset;
	m = c->changed ? &c->after : &c->before;
	return m->source.read(m, offset, len, dst, err);
}

/* Another file in the second pass: its words do not come, or its numbers are wrong. */
static void
test_changed(void)
{
	enum { ROWS = 100000 };
	static const struct
	{
		const char *row;
		NlpStatus	status;
	}			cases[] = {{"x%06d 0.5\n", NLP_EIO}, {"w%06d 0,5\n", NLP_ECORRUPT}, {"w%06d 0.5\n", NLP_OK}};

	for (size_t i = 0; i < 3; i++)
	{
		NlpBuf		bytes[2];
		Changing	c = {0};
		NlpSource	src = {0, changing_read, &c};
		NlpError	err = {0};
		NlpStatus	st;
		Loaded		l;

		for (int k = 0; k < 2; k++)
		{
			nlp_buf_init(&bytes[k], &nlp_libc_alloc);
			for (int r = 0; r < ROWS; r++)
			{
				char		row[32];

				nlp_buf_append(&bytes[k], row, (size_t) snprintf(row, sizeof(row), k ? cases[i].row : "w%06d 0.5\n", r));
			}
		}
		nlp_memory_source_init(&c.before, bytes[0].data, bytes[0].len);
		nlp_memory_source_init(&c.after, bytes[1].data, bytes[1].len);
		src.size = bytes[0].len;
		c.last = 0;
		/* detection reads the start too: it comes first, and is not the first pass */
		st = import_source(&src, NULL, &libc_env, &l, &err);
		CHECKF(st == cases[i].status, "case %zu: %s", i, err.message);
		unload(&l);
		nlp_buf_free(&bytes[0]);
		nlp_buf_free(&bytes[1]);
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

/* Words of so many n-grams that a batch is full before its sums are: against plain means. */
static void
test_ngram_batches(void)
{
	enum { WORDS = 24, LENGTH = 1000, BUCKETS = 7, DIM = 3 };
	static const uint32_t args[12] = {DIM, 5, 5, 1, 5, 1, 2, 1, BUCKETS, 1, 64, 100};
	static uint32_t buckets[(LENGTH + 2) * 64];
	NlpBuf		b;
	double		t = 1e-4;
	float		rows[WORDS + BUCKETS][DIM];
	char		words[WORDS][LENGTH];
	Loaded		l;
	NlpMemorySource src;
	Meter		meter = {{meter_alloc, meter_free, &meter}, 0, 0};
	NlpEnv		env = {.alloc = &meter.alloc};
	NlpError	err = {0};
	NlpStatus	st;

	nlp_buf_init(&b, &nlp_libc_alloc);
	put_u32(&b, 793712314);
	put_u32(&b, 12);
	nlp_buf_append(&b, args, sizeof(args));
	nlp_buf_append(&b, &t, 8);
	put_u32(&b, WORDS);
	put_u32(&b, WORDS);
	put_u32(&b, 0);
	put_u64(&b, WORDS);
	put_u64(&b, 0);
	for (int i = 0; i < WORDS; i++)
	{
		for (int j = 0; j < LENGTH; j++)
			words[i][j] = (char) ('a' + draw() % 26);
		nlp_buf_append(&b, words[i], LENGTH);
		nlp_buf_append(&b, "", 1);
		put_u64(&b, 1);
		nlp_buf_append(&b, "", 1);
	}
	for (int i = 0; i < (WORDS + BUCKETS) * DIM; i++)
		rows[i / DIM][i % DIM] = (float) ((double) (int64_t) draw() * 0x1p-63);
	nlp_buf_append(&b, "", 1);
	put_u64(&b, WORDS + BUCKETS);
	put_u64(&b, DIM);
	nlp_buf_append(&b, rows, sizeof(rows));
	nlp_buf_append(&b, "", 1);
	put_u64(&b, WORDS);
	put_u64(&b, DIM);
	nlp_buf_append(&b, rows, WORDS * DIM * sizeof(float));
	nlp_memory_source_init(&src, b.data, b.len);
	st = import_source(&src.source, NULL, &env, &l, &err);
	CHECK_OK(st, err);
	/* 1.5 million n-grams, of which 1 million may be held at once, 4 bytes each */
	CHECKF(meter.most < ((size_t) 11 << 19) && meter.held == 0, "%zu bytes held", meter.most);
	if (st == NLP_OK && build_table(&l, &err) == NLP_OK)
	{
		for (int i = 0; i < WORDS; i++)
		{
			size_t		n = nlp_words_subwords(l.words, words[i], LENGTH, buckets, sizeof(buckets) / 4);
			double		sum[DIM];

			CHECK(n > 60000 && n <= sizeof(buckets) / 4);
			for (int d = 0; d < DIM; d++)
			{
				sum[d] = rows[i][d];
				for (size_t j = 0; j < n; j++)
					sum[d] += rows[WORDS + buckets[j]][d];
				CHECKF(fabs(nlp_words_row(l.words, (uint32_t) i)[d] - sum[d] / (double) (n + 1)) < 1e-4, "word %d: %g, not %g", i,
					   nlp_words_row(l.words, (uint32_t) i)[d], sum[d] / (double) (n + 1));
			}
		}
	}
	unload(&l);
	nlp_buf_free(&b);
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
		{"", true, false}, {"a b 1 2\nx 1 2\n", false, true}, {"a 1.b 1 2\nx 1 2\n", false, true}, {"\xc2\xa0 1 2\nx 1 2\n", true, true},
		{"a\rb 1 2\nx 1 2\n", true, true}, {"1 1 2\n2 1 2\n", true, true},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		char		file[64];
		Loaded		l,
					again;
		size_t		len = (size_t) snprintf(file, sizeof(file), "2 2\n%s", cases[i].file);

		if (i == 0)				/* only binary gives words with newlines */
		{
			len = 4;
			memcpy(file + len, "a\nb ", 4);
			memset(file + len + 4, 0, 8);
			memcpy(file + len + 12, "x ", 2);
			memset(file + len + 14, 0, 8);
			len += 22;
		}
		if (!load_bytes(file, len, NULL, &l))
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

/* A sink that fails, memory that is refused, a cancel. */
static void
test_export_failures(void)
{
	Loaded		l;

	if (load_path("test/golden/wordfile/gensim.txt", &l))
	{
		for (NlpWordFormat format = NLP_WORDFILE_W2V_BIN; format <= NLP_WORDFILE_W2V_TEXT; format++)
		{
			Failing		f = {0};
			NlpSink		sink = {failing_write, &f};
			NlpTestAlloc failing;
			NlpEnv		env = {.alloc = &failing.alloc};
			NlpError	err = {0};

			nlp_test_alloc_init(&failing, -1);
			CHECK(nlp_wordfile_export(l.words, format, &sink, &env, &err) == NLP_EIO && failing.live == 0);
			nlp_test_alloc_init(&failing, 0);
			f.fail_at = -1;
			CHECK(nlp_wordfile_export(l.words, format, &sink, &env, &err) == NLP_ENOMEM && failing.live == 0);
			nlp_test_alloc_init(&failing, -1);
			env.pending = failing_poll;
			env.cancelled = always;
			env.cancel_ctx = &(Failing) {0};
			CHECK(nlp_wordfile_export(l.words, format, &sink, &env, &err) == NLP_ECANCELLED && failing.live == 0);
		}
	}
	unload(&l);
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

int
main(int argc, char **argv)
{
	char		tmp[] = "/tmp/wordfile_test.XXXXXX";
	char		cmd[1024];
	const char *dir = argc > 1 ? argv[1] : mkdtemp(tmp);

	snprintf(cmd, sizeof(cmd), "python3 test/fixtures/make_words.py '%s'", dir);
	CHECK(system(cmd) == 0);
	test_huge_word();
	test_memory();
	test_long_lines();
	test_changed();
	test_truncation(dir);
	test_allocation(dir);
	test_failures(dir);
	test_batches();
	test_ngram_batches();
	test_export();
	test_export_words();
	test_export_failures();
	test_export_formats();
	if (argc <= 1)
	{
		snprintf(cmd, sizeof(cmd), "rm -rf '%s'", dir);
		CHECK(system(cmd) == 0);
	}
	return check_done();
}
