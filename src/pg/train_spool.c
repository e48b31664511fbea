/* train_spool.c --- u32 values in the order they came: in memory up to a share of the
 * budget, then in a temporary file.
 *
 * The file is one of the server's temporary files that is not bound to a transaction
 * (temp_file_limit counts; the process's end removes it), read and written here in
 * blocks of 1 MB. It is closed by the job's undo, so that an error leaves nothing. */
#include "train.h"

#include "pgstat.h"

void
pg_nlp_spool_init(PgNlpSpool *s, const NlpAlloc *alloc, uint64 memory_bytes)
{
	*s = (PgNlpSpool) {
		.alloc = alloc,
		.memory_bytes = memory_bytes,
		.file = -1,
		.hash = UINT64CONST(0x243F6A8885A308D3)
	};
}

/* Append to the file; raises. */
static void
write_file(PgNlpSpool *s, const char *bytes, Size len)
{
	if (s->file < 0)
		s->file = OpenTemporaryFile(true);
	while (len > 0)
	{
		int			n = FileWrite(s->file, (char *) unconstify(char *, bytes), Min(len, (Size) 256 * 1024),
								  (off_t) s->file_bytes, PG_WAIT_EXTENSION);

		if (n <= 0)
		{
			if (n == 0 && errno == 0)
				errno = ENOSPC;
			ereport(ERROR,
					(errcode_for_file_access(), errmsg("could not write the temporary file of a training: %m")));
		}
		bytes += n;
		len -= n;
		s->file_bytes += n;
	}
}

static NlpStatus
flush_block(PgNlpSpool *s, NlpError *err)
{
	MemoryContext mcxt = CurrentMemoryContext;
	volatile NlpStatus status = NLP_OK;

	PG_TRY();
	{
		write_file(s, (const char *) s->block, s->fill * sizeof(uint32));
		s->fill = 0;
	}
	PG_CATCH();
	{
		pg_nlp_keep_error();
		status = nlp_fail(err, NLP_ECANCELLED, "keeping the rows of a training failed");
	}
	PG_END_TRY();
	MemoryContextSwitchTo(mcxt);
	return status;
}

static bool
new_block(PgNlpSpool *s)
{
	uint32	   *block;

	if (s->n_blocks > 0 && (s->n_blocks + 1) * PG_NLP_SPOOL_BLOCK > s->memory_bytes)
		return false;
	if (s->n_blocks == s->cap_blocks)
	{
		Size		cap = s->cap_blocks ? s->cap_blocks * 2 : 64;
		uint32	  **blocks = nlp_realloc(s->alloc, s->blocks, s->cap_blocks * sizeof(uint32 *), cap * sizeof(uint32 *));

		if (blocks == NULL)
			return false;
		s->blocks = blocks;
		s->cap_blocks = cap;
	}
	block = nlp_alloc(s->alloc, PG_NLP_SPOOL_BLOCK);
	if (block == NULL)
		return false;
	s->blocks[s->n_blocks++] = block;
	s->block = block;
	s->fill = 0;
	return true;
}

/* Room for one more value: another block, or the full one goes to the file. */
NlpStatus
pg_nlp_spool_next_block(PgNlpSpool *s, NlpError *err)
{
	if (s->file < 0 && new_block(s))
		return NLP_OK;
	if (s->block == NULL)
		return nlp_no_memory(err, PG_NLP_SPOOL_BLOCK, "the words of the rows");
	return flush_block(s, err);
}

/* Bytes of blocks that stay in memory for good. */
static uint64
memory_part(const PgNlpSpool *s)
{
	if (s->n_blocks == 0)
		return 0;
	return (uint64) (s->n_blocks - 1) * PG_NLP_SPOOL_BLOCK + (s->file < 0 ? s->fill * sizeof(uint32) : 0);
}

static NlpStatus
read_file(PgNlpSpool *s, uint64 offset, Size len, char *dst, NlpError *err)
{
	while (len > 0)
	{
		int			n = FileRead(s->file, dst, Min(len, (Size) 256 * 1024), (off_t) offset, PG_WAIT_EXTENSION);

		if (n < 0)
			return nlp_fail(err, NLP_EIO, "could not read the temporary file of a training: %s", strerror(errno));
		if (n == 0)
			return nlp_fail(err, NLP_EIO, "the temporary file of a training is shorter than it was");
		dst += n;
		offset += n;
		len -= n;
	}
	return NLP_OK;
}

static NlpStatus
spool_read(void *ctx, uint64_t offset, size_t len, void *dst, NlpError *err)
{
	PgNlpSpool *s = ctx;
	uint64		in_memory = memory_part(s);
	char	   *out = dst;

	while (len > 0 && offset < in_memory)
	{
		Size		at = offset % PG_NLP_SPOOL_BLOCK;
		Size		n = Min(Min(len, PG_NLP_SPOOL_BLOCK - at), in_memory - offset);

		memcpy(out, (char *) s->blocks[offset / PG_NLP_SPOOL_BLOCK] + at, n);
		out += n;
		offset += n;
		len -= n;
	}
	return len > 0 ? read_file(s, offset - in_memory, len, out, err) : NLP_OK;
}

NlpStatus
pg_nlp_spool_finish(PgNlpSpool *s, NlpError *err)
{
	if (s->file >= 0)
		NLP_TRY(flush_block(s, err));
	s->source = (NlpSource) {.size = s->n * sizeof(uint32), .read = spool_read, .ctx = s};
	return NLP_OK;
}

void
pg_nlp_spool_close(PgNlpSpool *s)
{
	if (s->file >= 0)
		FileClose(s->file);
	s->file = -1;
}

void
pg_nlp_spool_free(PgNlpSpool *s)
{
	pg_nlp_spool_close(s);
	for (Size i = 0; i < s->n_blocks; i++)
		nlp_free(s->alloc, s->blocks[i]);
	nlp_free(s->alloc, s->blocks);
	pg_nlp_spool_init(s, s->alloc, s->memory_bytes);
}
