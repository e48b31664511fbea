/* hf_convert.c --- a Hugging Face folder to one GGUF file, outside of the server.
 *
 *   hf_convert FOLDER OUT.gguf [keep|f16|q8_0|q4_0|q4_1]
 *
 * Exit status 0, or 1 with the error on stderr. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "format/hf_import.h"

#define MAX_FILES 512

static NlpStatus
write_file(void *ctx, const void *bytes, size_t len, NlpError *err)
{
	if (fwrite(bytes, 1, len, ctx) != len)
		return nlp_fail(err, NLP_EIO, "could not write: %s", strerror(errno));
	return NLP_OK;
}

static int
complain(const char *what, const NlpError *err)
{
	fprintf(stderr, "%s: %s\n", what, err->message);
	if (err->detail[0])
		fprintf(stderr, "detail: %s\n", err->detail);
	if (err->hint[0])
		fprintf(stderr, "hint: %s\n", err->hint);
	return 1;
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(((const NlpHfFile *) a)->name, ((const NlpHfFile *) b)->name);
}

int
main(int argc, char **argv)
{
	static NlpFileSource sources[MAX_FILES];
	static NlpHfFile files[MAX_FILES];
	size_t		n = 0;
	NlpHfOptions options = {NLP_HF_KEEP, NULL};
	NlpEnv		env = {.alloc = &nlp_libc_alloc};
	NlpError	err = {0};
	NlpSink		sink;
	struct dirent *e;
	DIR		   *dir;
	FILE	   *out;

	if (argc < 3 || argc > 4 || (argc == 4 && !nlp_hf_output_parse(argv[3], &options.output)))
	{
		fprintf(stderr, "usage: hf_convert FOLDER OUT.gguf [keep|f16|q8_0|q4_0|q4_1]\n");
		return 2;
	}
	dir = opendir(argv[1]);
	while (dir && (e = readdir(dir)) != NULL && n < MAX_FILES)
	{
		char		path[4096];
		struct stat st;

		snprintf(path, sizeof(path), "%s/%s", argv[1], e->d_name);
		if (stat(path, &st) != 0 || !S_ISREG(st.st_mode))
			continue;
		if (nlp_file_source_open(&sources[n], path, &err) != NLP_OK)
			return complain(path, &err);
		files[n].name = strdup(e->d_name);
		files[n].source = &sources[n].source;
		n++;
	}
	if (dir)
		closedir(dir);
	qsort(files, n, sizeof(files[0]), by_name);
	out = fopen(argv[2], "wb");
	if (!out)
	{
		perror(argv[2]);
		return 1;
	}
	sink = (NlpSink) {write_file, out};
	if (nlp_hf_import(files, n, &options, &env, &sink, NULL, &err) != NLP_OK)
	{
		fclose(out);
		remove(argv[2]);
		return complain(argv[1], &err);
	}
	if (fclose(out) != 0)
	{
		perror(argv[2]);
		return 1;
	}
	return 0;
}
