/* hf_folder.h --- a Hugging Face folder in memory, for the programs that test its import. */
#ifndef HF_FOLDER_H
#define HF_FOLDER_H

#include "check.h"
#include "format/hf_import.h"

static const NlpEnv libc_env = {.alloc = &nlp_libc_alloc};

#define MAX_FILES 16

typedef struct Folder
{
	size_t		n;
	NlpHfFile	files[MAX_FILES];
	NlpMemorySource sources[MAX_FILES];
	char		names[MAX_FILES][256];
	char	   *data[MAX_FILES];
} Folder;

static inline void
folder_put(Folder *f, const char *name, const void *bytes, size_t len)
{
	size_t		i = 0;

	while (i < f->n && strcmp(f->names[i], name) != 0)
		i++;
	if (i == f->n)
	{
		f->n++;
		snprintf(f->names[i], sizeof(f->names[i]), "%s", name);
	}
	else
		free(f->data[i]);
	f->data[i] = malloc(len ? len : 1);
	if (len)
		memcpy(f->data[i], bytes, len);
	nlp_memory_source_init(&f->sources[i], f->data[i], len);
	f->files[i] = (NlpHfFile) {f->names[i], &f->sources[i].source};
}

static inline void
folder_drop(Folder *f, const char *name)
{
	for (size_t i = 0; i < f->n; i++)
	{
		if (strcmp(f->names[i], name) == 0)
		{
			char	   *gone = f->data[i];

			f->n--;
			f->data[i] = f->data[f->n];
			memcpy(f->names[i], f->names[f->n], sizeof(f->names[i]));
			f->sources[i] = f->sources[f->n];
			f->sources[i].source.ctx = &f->sources[i];
			f->files[i] = (NlpHfFile) {f->names[i], &f->sources[i].source};
			free(gone);
			return;
		}
	}
	CHECKF(false, "no file %s", name);
}

static inline void
folder_free(Folder *f)
{
	for (size_t i = 0; i < f->n; i++)
		free(f->data[i]);
	f->n = 0;
}

static inline NlpStatus
collect(void *ctx, const void *bytes, size_t len, NlpError *err)
{
	if (!nlp_buf_append(ctx, bytes, len))
		return nlp_no_memory(err, len, "test");
	return NLP_OK;
}

static inline NlpStatus
import(Folder *f, NlpHfOutput output, const NlpEnv *env, NlpBuf *out, NlpError *err)
{
	NlpHfOptions o = {output, "test"};
	NlpSink		sink = {collect, out};

	nlp_buf_init(out, &nlp_libc_alloc);
	return nlp_hf_import(f->files, f->n, &o, env, &sink, NULL, err);
}

/* Replace the first occurrence; false: there is none. */
static inline bool
replace(Folder *f, const char *file, const char *from, const char *to)
{
	for (size_t i = 0; i < f->n; i++)
	{
		char	   *at;
		NlpBuf		b;

		if (strcmp(f->names[i], file) != 0)
			continue;
		at = memmem(f->data[i], f->sources[i].source.size, from, strlen(from));
		if (!at)
			return false;
		nlp_buf_init(&b, &nlp_libc_alloc);
		nlp_buf_append(&b, f->data[i], (size_t) (at - f->data[i]));
		nlp_buf_append(&b, to, strlen(to));
		nlp_buf_append(&b, at + strlen(from), f->sources[i].source.size - (size_t) (at - f->data[i]) - strlen(from));
		folder_put(f, file, b.data, b.len);
		nlp_buf_free(&b);
		return true;
	}
	return false;
}

#endif
