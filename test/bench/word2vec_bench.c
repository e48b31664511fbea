/* word2vec_bench.c --- the trainer as a program: a text of words between spaces in, vectors
 * out, rates on the way.
 *
 *   word2vec_bench TEXT [--out FILE] [--format bin|gguf] [--objective skip-gram|cbow] [--loss negative|...]
 *                  [--dim N] [--window N] [--negative N] [--sample X] [--epochs N] [--alpha X] [--min-count N]
 *                  [--subword MIN,MAX] [--buckets N] [--threads N] [--hot N] [--isa NAME] [--seed N] [--exact] [--lines] [--pin]
 *
 * Rates are words of the vocabulary per second of CPU time of all threads together; the
 * vocabulary pass (cutting, counting, keeping ids) is told apart. --lines: a line is a text. --pin: each
 * thread on a processor of its own, where the scheduler of a virtual machine packs threads together. */
#define _GNU_SOURCE				/* sched_setaffinity */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/cpu.h"
#include "core/pool.h"
#include "wordvec/train.h"

static double
seconds(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double) t.tv_sec + 1e-9 * (double) t.tv_nsec;
}

static void
die(const char *what, const NlpError *err)
{
	fprintf(stderr, "%s: %s (%s)\n", what, err ? err->message : "failed", err ? err->detail : "");
	exit(1);
}

/* On the rank's own processor. */
static void
pin(void *ctx, int rank, int size)
{
	cpu_set_t	set;

	(void) ctx;
	(void) size;
	CPU_ZERO(&set);
	CPU_SET(rank, &set);
	if (sched_setaffinity(0, sizeof(set), &set) != 0)
		die("sched_setaffinity", NULL);
}

/* ---- the spool: ids in memory ---- */

typedef struct Spool
{
	uint32_t   *ids;
	size_t		n,
				cap;
} Spool;

static void
put(Spool *s, uint32_t id)
{
	if (s->n == s->cap)
	{
		s->cap = s->cap ? 2 * s->cap : 1 << 20;
		s->ids = realloc(s->ids, s->cap * sizeof(uint32_t));
		if (!s->ids)
			die("spool", NULL);
	}
	s->ids[s->n++] = id;
}

static void
read_text(const char *path, bool lines, NlpVocab *vocab, Spool *spool)
{
	static char buf[1 << 20];
	FILE	   *f = fopen(path, "rb");
	size_t		held = 0;
	NlpError	err;

	if (!f)
		die(path, NULL);
	for (;;)
	{
		size_t		n = held + fread(buf + held, 1, sizeof(buf) - held, f);
		size_t		start = 0;
		bool		end = n < sizeof(buf);

		for (size_t i = 0; i < n; i++)
		{
			uint32_t	id;

			if (buf[i] != ' ' && buf[i] != '\n')
				continue;
			if (i > start)
			{
				if (nlp_vocab_add(vocab, buf + start, i - start, &id, &err) != NLP_OK)
					die("vocabulary", &err);
				put(spool, id);
			}
			if (lines && buf[i] == '\n')
				put(spool, NLP_SENTENCE_END);
			start = i + 1;
		}
		held = n - start;
		memmove(buf, buf + start, held);
		if (end)
			break;
	}
	if (held > 0 && held <= NLP_WORDS_MAX_BYTES)
	{
		uint32_t	id;

		if (nlp_vocab_add(vocab, buf, held, &id, &err) == NLP_OK)
			put(spool, id);
	}
	fclose(f);
}

/* ---- vectors out ---- */

static NlpStatus
to_file(void *ctx, const void *bytes, size_t len, NlpError *err)
{
	return fwrite(bytes, 1, len, ctx) == len ? NLP_OK : nlp_fail(err, NLP_EIO, "could not write");
}

typedef struct Bytes
{
	char	   *data;
	size_t		len,
				cap;
} Bytes;

static NlpStatus
to_memory(void *ctx, const void *bytes, size_t len, NlpError *err)
{
	Bytes	   *b = ctx;

	if (b->cap - b->len < len)
	{
		b->cap = 2 * (b->cap + len);
		b->data = realloc(b->data, b->cap);
		if (!b->data)
			return nlp_no_memory(err, b->cap, "model");
	}
	memcpy(b->data + b->len, bytes, len);
	b->len += len;
	return NLP_OK;
}

/* word2vec's binary form, from the GGUF's own tensor. */
static void
write_bin(const Bytes *gguf, const NlpVocab *vocab, FILE *f, const NlpEnv *env)
{
	NlpMemorySource src;
	NlpGguf		g;
	NlpError	err;
	const NlpGgufTensor *t;

	nlp_memory_source_init(&src, gguf->data, gguf->len);
	if (nlp_gguf_open(&src.source, env, &g, &err) != NLP_OK)
		die("model", &err);
	t = nlp_gguf_tensor(&g, "token_embd.weight");
	fprintf(f, "%llu %llu\n", (unsigned long long) t->dims[1], (unsigned long long) t->dims[0]);
	for (uint32_t i = 0; i < t->dims[1]; i++)
	{
		size_t		len;
		const char *word = nlp_vocab_word(vocab, i, &len);

		fwrite(word, 1, len, f);
		fputc(' ', f);
		fwrite(gguf->data + t->offset + i * t->dims[0] * 4, 4, t->dims[0], f);
		fputc('\n', f);
	}
	nlp_gguf_close(&g);
}

static void
write_model(NlpWord2vec *t, const NlpVocab *vocab, const char *path, bool bin, const NlpEnv *env)
{
	FILE	   *f = fopen(path, "wb");
	Bytes		b = {0};
	NlpSink		sink = {bin ? to_memory : to_file, bin ? (void *) &b : (void *) f};
	NlpError	err;

	if (!f)
		die(path, NULL);
	if (nlp_word2vec_write(t, "bench", false, &sink, env, &err) != NLP_OK)
		die("write", &err);
	if (bin)
		write_bin(&b, vocab, f, env);
	free(b.data);
	if (fclose(f) != 0)
		die(path, NULL);
}

/* ---- options ---- */

typedef struct Args
{
	NlpWord2vecOptions o;
	const char *text,
			   *out;
	bool		bin,
				lines,
				quiet,
				pin;
	int			threads;
} Args;

static NlpWordLoss
loss_of(const char *s)
{
	return strcmp(s, "softmax") == 0 ? NLP_WORDS_SOFTMAX : strcmp(s, "hierarchical") == 0 ? NLP_WORDS_HIERARCHICAL :
		NLP_WORDS_NEGATIVE;
}

static void
parse_one(Args *a, const char *key, const char *v)
{
	NlpIsa		isa;

	if (strcmp(key, "--out") == 0)
		a->out = v;
	else if (strcmp(key, "--format") == 0)
		a->bin = strcmp(v, "bin") == 0;
	else if (strcmp(key, "--objective") == 0)
		return;
	else if (strcmp(key, "--loss") == 0)
		a->o.loss = loss_of(v);
	else if (strcmp(key, "--dim") == 0)
		a->o.dim = (uint32_t) atoi(v);
	else if (strcmp(key, "--window") == 0)
		a->o.window = (uint32_t) atoi(v);
	else if (strcmp(key, "--negative") == 0)
		a->o.negative = (uint32_t) atoi(v);
	else if (strcmp(key, "--sample") == 0)
		a->o.sample = atof(v);
	else if (strcmp(key, "--epochs") == 0)
		a->o.epochs = (uint32_t) atoi(v);
	else if (strcmp(key, "--alpha") == 0)
	{
		a->o.alpha = (float) atof(v);
		a->o.min_alpha = a->o.alpha * 1e-4f;
	}
	else if (strcmp(key, "--min-count") == 0)
		a->o.min_count = (uint32_t) atoi(v);
	else if (strcmp(key, "--subword") == 0 && sscanf(v, "%u,%u", &a->o.subword_min, &a->o.subword_max) == 2)
		return;
	else if (strcmp(key, "--buckets") == 0)
		a->o.buckets = (uint32_t) atoi(v);
	else if (strcmp(key, "--threads") == 0)
		a->threads = atoi(v);
	else if (strcmp(key, "--hot") == 0)
		a->o.hot_rows = (uint32_t) atoi(v);
	else if (strcmp(key, "--seed") == 0)
		a->o.seed = (uint64_t) atoll(v);
	else if (strcmp(key, "--isa") != 0 || !nlp_isa_parse(v, &isa) || !nlp_isa_set(isa))
		die(key, NULL);
}

static Args
parse(int argc, char **argv)
{
	Args		a = {.threads = 1, .bin = true};
	bool		cbow = false;

	for (int i = 1; i + 1 < argc; i++)
		cbow |= strcmp(argv[i], "--objective") == 0 && strcmp(argv[i + 1], "cbow") == 0;
	nlp_word2vec_defaults(cbow ? NLP_WORDS_CBOW : NLP_WORDS_SKIPGRAM, &a.o);
	for (int i = 1; i < argc; i++)
	{
		if (strcmp(argv[i], "--exact") == 0)
			a.o.exact = true;
		else if (strcmp(argv[i], "--lines") == 0)
			a.lines = true;
		else if (strcmp(argv[i], "--quiet") == 0)
			a.quiet = true;
		else if (strcmp(argv[i], "--pin") == 0)
			a.pin = true;
		else if (argv[i][0] != '-')
			a.text = argv[i];
		else if (i + 1 < argc)
		{
			parse_one(&a, argv[i], argv[i + 1]);
			i++;
		}
	}
	if (!a.text)
		die("usage: word2vec_bench TEXT [options]", NULL);
	return a;
}

static NlpStatus
progress(void *ctx, NlpWord2vec *t, const NlpTrainState *s, NlpError *err)
{
	static int	calls;

	if (!*(bool *) ctx && calls++ % 32 == 0)
		fprintf(stderr, "\repoch %u of %u  %5.1f %%  loss %.4f  alpha %.5f ", s->epoch + 1, s->epochs,
				100.0 * (double) s->tokens_done / (double) s->tokens_total, s->loss, (double) s->alpha);
	return NLP_OK;
}

int
main(int argc, char **argv)
{
	Args		a = parse(argc, argv);
	Spool		spool = {0};
	NlpVocab   *vocab;
	NlpWord2vec *t;
	NlpMemorySource src;
	NlpEnv		env = {.alloc = &nlp_libc_alloc};
	NlpError	err;
	double		cpu = seconds(CLOCK_PROCESS_CPUTIME_ID),
				wall,
				words;

	if (nlp_pool_new(a.threads, &env.pool, &err) != NLP_OK || nlp_vocab_new(&nlp_libc_alloc, &vocab, &err) != NLP_OK)
		die("start", &err);
	if (a.pin)
		nlp_pool_run(env.pool, pin, NULL);
	read_text(a.text, a.lines, vocab, &spool);
	if (nlp_vocab_finish(vocab, a.o.min_count, a.o.max_words, &env, &err) != NLP_OK)
		die("vocabulary", &err);
	cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	printf("vocabulary: %u of %llu words, %zu tokens, %.2f CPU s, %.2f M words/CPU s\n", nlp_vocab_size(vocab),
		   (unsigned long long) nlp_vocab_distinct(vocab), spool.n, cpu, (double) spool.n / cpu / 1e6);
	if (nlp_word2vec_new(&a.o, vocab, &env, &t, &err) != NLP_OK)
		die("trainer", &err);
	printf("memory: %.1f MB reckoned, isa %s\n", (double) nlp_word2vec_bytes(&a.o, vocab, a.threads) / 1e6,
		   nlp_isa_name(nlp_isa_current()));
	nlp_memory_source_init(&src, spool.ids, spool.n * sizeof(uint32_t));
	cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
	wall = seconds(CLOCK_MONOTONIC);
	if (nlp_word2vec_run(t, &src.source, &env, progress, &a.quiet, &err) != NLP_OK)
		die("training", &err);
	cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	wall = seconds(CLOCK_MONOTONIC) - wall;
	words = (double) nlp_vocab_tokens(vocab) * a.o.epochs;
	printf("\ntraining: %d threads, %.2f CPU s, %.2f s, %.1f k words/CPU s, %.1f k words/s\n", a.threads, cpu, wall,
		   words / cpu / 1e3, words / wall / 1e3);
	if (a.out)
		write_model(t, vocab, a.out, a.bin, &env);
	nlp_word2vec_free(t);
	nlp_vocab_free(vocab);
	nlp_pool_free(env.pool);
	free(spool.ids);
	return 0;
}
