/* source.h --- where the bytes of a model file come from: a file, a buffer, or
 * the server's relation. Reads are in ascending order when a model is loaded
 * (header first, then tensor data by offset), so a sequential reader suffices
 * as long as it can also start over. */
#ifndef NLP_FORMAT_SOURCE_H
#define NLP_FORMAT_SOURCE_H

#include "core/env.h"

typedef struct NlpSource
{
	uint64_t	size;			/* bytes in the whole file */
	/* Copy exactly len bytes from offset; offset + len <= size is the caller's
	 * duty. NLP_EIO when the bytes cannot be had. */
	NlpStatus	(*read) (void *ctx, uint64_t offset, size_t len, void *dst, NlpError *err);
	void	   *ctx;
} NlpSource;

/* Over memory the caller keeps. */
typedef struct NlpMemorySource
{
	NlpSource	source;
	const unsigned char *bytes;
} NlpMemorySource;
extern void nlp_memory_source_init(NlpMemorySource *m, const void *bytes, size_t len);

/* Over a regular file (O_NONBLOCK open, refuses anything else). Owns fd until close. */
typedef struct NlpFileSource
{
	NlpSource	source;
	int			fd;
} NlpFileSource;
extern NlpStatus nlp_file_source_open(NlpFileSource *f, const char *path, NlpError *err);
extern void nlp_file_source_close(NlpFileSource *f);

/* Where a writer's bytes go, in order. */
typedef struct NlpSink
{
	NlpStatus	(*write) (void *ctx, const void *bytes, size_t len, NlpError *err);
	void	   *ctx;
} NlpSink;

#endif
