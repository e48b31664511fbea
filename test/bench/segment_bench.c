/* segment_bench.c --- cutting text into words: how fast, and, with --cut, which words.
 *
 * usage: segment_bench MODEL.gguf TEXT [SECONDS]      megabytes a second, one core
 *        segment_bench --cut [--no-hmm] MODEL.gguf    standard input, a line at a time: words by spaces
 *        segment_bench --words [--plain] TEXT         token/words.h without a segmenter
 *
 * models/make_segment_zh.py --measure compares --cut with python's jieba. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "format/source.h"
#include "token/words.h"

static const NlpEnv env = {.alloc = &nlp_libc_alloc};

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double) t.tv_sec + 1e-9 * (double) t.tv_nsec;
}

static void
must(NlpStatus st, const NlpError *err)
{
	if (st == NLP_OK)
		return;
	fprintf(stderr, "error %d: %s %s\n", st, err->message, err->field);
	exit(1);
}

static NlpSegmenter *
load(const char *path)
{
	NlpFileSource file;
	NlpGguf		g;
	NlpError	err = {0};
	uint64_t	bytes;
	NlpSegmenter *s;
	double		t = now();

	must(nlp_file_source_open(&file, path, &err), &err);
	must(nlp_gguf_open(&file.source, &env, &g, &err), &err);
	must(nlp_segmenter_plan(&g, &env, &bytes, &err), &err);
	s = nlp_alloc(env.alloc, bytes);
	must(s ? NLP_OK : NLP_ENOMEM, &err);
	must(nlp_segmenter_build(&g, &env, s, bytes, &err), &err);
	must(nlp_segmenter_check(s, bytes, &err), &err);
	nlp_gguf_close(&g);
	nlp_file_source_close(&file);
	fprintf(stderr, "%llu words, a table of %.1f MB, built in %.0f ms\n", (unsigned long long) nlp_segmenter_words(s),
			(double) bytes / 1e6, (now() - t) * 1e3);
	return s;
}

static char *
read_text(const char *path, size_t *len)
{
	FILE	   *f = fopen(path, "rb");
	char	   *text;

	if (!f || fseek(f, 0, SEEK_END) != 0)
	{
		fprintf(stderr, "cannot read %s\n", path);
		exit(1);
	}
	*len = (size_t) ftell(f);
	rewind(f);
	text = malloc(*len + 1);
	if (!text || fread(text, 1, *len, f) != *len)
		exit(1);
	fclose(f);
	return text;
}

static void
cut_lines(const NlpSegmenter *s, bool hmm)
{
	char	   *line = NULL;
	size_t		cap = 0;
	ssize_t		n;
	NlpSpans	out = {.alloc = &nlp_libc_alloc};
	NlpError	err = {0};

	while ((n = getline(&line, &cap, stdin)) > 0)
	{
		out.n = 0;
		must(nlp_segment(s, line, (size_t) n, hmm, &env, &out, &err), &err);
		for (size_t i = 0; i < out.n; i++)
			printf("%s%.*s", i ? "  " : "", (int) out.spans[i].len, line + out.spans[i].start);
		putchar('\n');
	}
}

static NlpStatus
count_word(void *ctx, const char *word, size_t len, NlpError *err)
{
	++*(size_t *) ctx;
	return NLP_OK;
}

static void
time_words(const char *path, bool plain)
{
	size_t		len,
				n = 0;
	char	   *text = read_text(path, &len);
	NlpWordCut	cut = {.plain = plain};
	NlpError	err = {0};
	double		best = 1e9;

	for (int i = 0; i < 3; i++)
	{
		double		t = now();

		n = 0;
		must(nlp_cut_words(&cut, text, len, &env, count_word, &n, &err), &err);
		t = now() - t;
		best = t < best ? t : best;
	}
	printf("words%s: %zu words, %.0f MB/s\n", plain ? " (plain)" : "", n, (double) len / best / 1e6);
}

int
main(int argc, char **argv)
{
	bool		no_hmm = argc > 2 && strcmp(argv[2], "--no-hmm") == 0;
	const NlpSegmenter *s;
	NlpSpans	out = {.alloc = &nlp_libc_alloc};
	NlpError	err = {0};
	size_t		len;
	char	   *text;
	double		best = 1e9,
				start = now();

	if (argc > 2 && strcmp(argv[1], "--cut") == 0)
	{
		cut_lines(load(argv[argc - 1]), !no_hmm);
		return 0;
	}
	if (argc > 2 && strcmp(argv[1], "--words") == 0)
	{
		time_words(argv[argc - 1], argc > 3);
		return 0;
	}
	if (argc < 3)
		return 2;
	s = load(argv[1]);
	text = read_text(argv[2], &len);
	do
	{
		double		t = now();

		out.n = 0;
		must(nlp_segment(s, text, len, true, &env, &out, &err), &err);
		t = now() - t;
		best = t < best ? t : best;
	} while (now() - start < (argc > 3 ? atof(argv[3]) : 3));
	printf("segment: %zu words, %.1f MB/s\n", out.n, (double) len / best / 1e6);
	return 0;
}
