/* source.c --- model bytes from memory or from a regular file.
 *
 * Trust:  a path may name anything (a FIFO, a device, a directory) and a file may
 *         change while it is read. It is opened without blocking, must be regular,
 *         is read() and never mapped (a mapping cut short is a SIGBUS), and a size
 *         that moves ends the reading. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "format/source.h"
#include "engine_only.h"

static NlpStatus
memory_read(void *ctx, uint64_t offset, size_t len, void *dst, NlpError *err)
{
	NlpMemorySource *m = ctx;

	if (offset > m->source.size || len > m->source.size - offset)
		return nlp_fail(err, NLP_EINTERNAL, "read past the end of a memory source");
	if (len)
		memcpy(dst, m->bytes + offset, len);
	return NLP_OK;
}

void
nlp_memory_source_init(NlpMemorySource *m, const void *bytes, size_t len)
{
	m->source.size = len;
	m->source.read = memory_read;
	m->source.ctx = m;
	m->bytes = bytes;
}

static NlpStatus
file_read(void *ctx, uint64_t offset, size_t len, void *dst, NlpError *err)
{
	NlpFileSource *f = ctx;
	char	   *out = dst;
	struct stat st;

	if (offset > f->source.size || len > f->source.size - offset)
		return nlp_fail(err, NLP_EINTERNAL, "read past the end of a file source");
	if (fstat(f->fd, &st) != 0)
		return nlp_fail(err, NLP_EIO, "could not stat file: %s", strerror(errno));
	if ((uint64_t) st.st_size != f->source.size)
		return nlp_fail_at(err, NLP_EIO, "", offset, "file changed its size while it was being read");
	while (len > 0)
	{
		ssize_t		got = pread(f->fd, out, len, (off_t) offset);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return nlp_fail_at(err, NLP_EIO, "", offset, "could not read file: %s", strerror(errno));
		if (got == 0)
			return nlp_fail_at(err, NLP_EIO, "", offset, "file became shorter while it was being read");
		out += got;
		offset += (uint64_t) got;
		len -= (size_t) got;
	}
	return NLP_OK;
}

/* The path's text is left to the caller's message: it knows the encoding. */
NlpStatus
nlp_file_source_open(NlpFileSource *f, const char *path, NlpError *err)
{
	struct stat st;

	f->fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (f->fd < 0)
		return nlp_fail(err, errno == ENOENT ? NLP_ENOTFOUND : NLP_EIO,
						"could not open file: %s", strerror(errno));
	if (fstat(f->fd, &st) != 0)
	{
		nlp_fail(err, NLP_EIO, "could not stat file: %s", strerror(errno));
		nlp_file_source_close(f);
		return NLP_EIO;
	}
	if (!S_ISREG(st.st_mode))
	{
		nlp_file_source_close(f);
		return nlp_fail(err, NLP_EINVALID, "path is not a regular file");
	}
	f->source.size = (uint64_t) st.st_size;
	f->source.read = file_read;
	f->source.ctx = f;
	return NLP_OK;
}

void
nlp_file_source_close(NlpFileSource *f)
{
	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1;
}
