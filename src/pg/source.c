/* source.c --- NlpSource over a stored model's relation, a server file, or a bytea.
 *
 * Trust:  the relation's owner may have written to it: chunks must be numbered from
 *         0 without a gap, and whoever builds an image compares the hash of the
 *         bytes with the one nlp.model holds. A file may change while it is read.
 * Sees:   what is committed or this transaction's own. The bytes of one relation are
 *         written once, and parallel workers may take no snapshot of their own.
 * Shape:  rows (seq int, data bytea), data PLAIN and not compressed, of any length,
 *         in the order of the heap. The scan uses the server's ring for bulk reads. */
#include "shared.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "access/heapam.h"
#include "access/tableam.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/fd.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

/* ---- a relation ---- */

typedef struct PgNlpChunkPlace
{
	uint64		start;			/* in the file */
	BlockNumber block;
	int32		seq;
} PgNlpChunkPlace;

/* place NULL: the first chunk. Else the scan starts at the chunk's page, and chunks
 * before it there are passed over. */
static void
begin_scan(PgNlpSource *s, const PgNlpChunkPlace *place)
{
	s->scan = table_beginscan_strat(s->rel, s->snapshot, 0, NULL, true, false);
	s->next_seq = 0;
	s->chunk_start = s->chunk_end = 0;
	s->chunk = NULL;
	if (place)
	{
		heap_setscanlimits(s->scan, place->block, InvalidBlockNumber);
		s->next_seq = place->seq;
		s->chunk_start = s->chunk_end = place->start;
	}
}

static void
remember_place(PgNlpSource *s)
{
	if (s->n_places == s->cap_places)
	{
		s->cap_places = s->cap_places ? s->cap_places * 2 : 1024;
		s->places = s->places ? repalloc_huge(s->places, s->cap_places * sizeof(PgNlpChunkPlace)) :
			palloc(s->cap_places * sizeof(PgNlpChunkPlace));
	}
	s->places[s->n_places++] = (PgNlpChunkPlace) {
		.start = s->chunk_start,
		.block = ItemPointerGetBlockNumber(&s->slot->tts_tid),
		.seq = s->next_seq - 1
	};
}

/* The last place at or before offset; NULL when none is known. */
static const PgNlpChunkPlace *
place_of(const PgNlpSource *s, uint64 offset)
{
	Size		low = 0,
				high = s->n_places;

	while (low < high)
	{
		Size		mid = low + (high - low) / 2;

		if (s->places[mid].start <= offset)
			low = mid + 1;
		else
			high = mid;
	}
	return low ? &s->places[low - 1] : NULL;
}

/* The next chunk in hand; *end when there is none. May raise. */
static NlpStatus
next_chunk(PgNlpSource *s, bool *end, NlpError *err)
{
	Datum		seq,
				data;
	bool		null;
	bytea	   *bytes;

	do
	{
		*end = !table_scan_getnextslot(s->scan, ForwardScanDirection, s->slot);
		if (*end)
			return NLP_OK;
		seq = slot_getattr(s->slot, 1, &null);
	} while (s->places && !null && DatumGetInt32(seq) < s->next_seq && s->chunk == NULL);
	if (null || DatumGetInt32(seq) != s->next_seq)
		return nlp_fail_at(err, NLP_ECORRUPT, "seq", s->chunk_end, "the stored model's chunks are not in order");
	data = slot_getattr(s->slot, 2, &null);
	bytes = null ? NULL : (bytea *) DatumGetPointer(data);
	if (bytes == NULL || VARATT_IS_EXTERNAL(bytes) || VARATT_IS_COMPRESSED(bytes))
		return nlp_fail_at(err, NLP_ECORRUPT, "data", s->chunk_end, "a chunk of the stored model is not plain bytes");
	s->next_seq++;
	s->chunk = VARDATA_ANY(bytes);
	s->chunk_start = s->chunk_end;
	s->chunk_end += VARSIZE_ANY_EXHDR(bytes);
	if (s->hash && s->chunk_end > s->hashed && s->chunk_start == s->hashed)
	{
		if (pg_cryptohash_update(s->hash, (const uint8 *) s->chunk, s->chunk_end - s->chunk_start) < 0)
			return nlp_fail(err, NLP_EINTERNAL, "could not compute the SHA-256 of the model");
		s->hashed = s->chunk_end;
	}
	return NLP_OK;
}

static NlpStatus
read_chunks(PgNlpSource *s, uint64 offset, Size len, char *dst, NlpError *err)
{
	const uint64 far = 1024 * 1024;

	if (offset < s->chunk_start || (s->places && offset > s->chunk_end + far))
	{
		table_endscan(s->scan);
		begin_scan(s, place_of(s, offset));
	}
	while (len > 0)
	{
		bool		end;
		Size		n;

		if (s->chunk == NULL || offset >= s->chunk_end)
		{
			NLP_TRY(next_chunk(s, &end, err));
			if (end)
				return nlp_fail_at(err, NLP_ECORRUPT, "data", s->chunk_end, "the stored model ends too early");
			continue;
		}
		n = Min(len, s->chunk_end - offset);
		memcpy(dst, s->chunk + (offset - s->chunk_start), n);
		dst += n;
		offset += n;
		len -= n;
	}
	return NLP_OK;
}

/* The storage layer may raise (a read error, a cancel between pages) while the
 * engine's frames are below us: the error is kept, the engine unwinds as from a
 * cancel, and pg_nlp_raise throws what was kept. */
static NlpStatus
relation_read(void *ctx, uint64_t offset, size_t len, void *dst, NlpError *err)
{
	MemoryContext mcxt = CurrentMemoryContext;
	volatile NlpStatus status = NLP_OK;

	PG_TRY();
	{
		status = read_chunks(ctx, offset, len, dst, err);
	}
	PG_CATCH();
	{
		pg_nlp_keep_error();
		status = nlp_fail(err, NLP_ECANCELLED, "reading the stored model failed");
	}
	PG_END_TRY();
	MemoryContextSwitchTo(mcxt);
	return status;
}

static void
close_relation_source(PgNlpSource *s)
{
	table_endscan(s->scan);
	ExecDropSingleTupleTableSlot(s->slot);
	if (s->hash)
		pg_cryptohash_free(s->hash);
}

/* The file's size by counting, for uploads. */
static uint64
count_bytes(PgNlpSource *s, bool seekable)
{
	NlpError	err = {0};
	bool		end = false;
	pg_cryptohash_ctx *hash = s->hash;
	uint64		size;

	s->hash = NULL;
	while (!end)
	{
		CHECK_FOR_INTERRUPTS();
		if (next_chunk(s, &end, &err) != NLP_OK)
			pg_nlp_raise(&err);
		if (seekable && !end)
			remember_place(s);
	}
	size = s->chunk_end;
	table_endscan(s->scan);
	begin_scan(s, NULL);
	s->hash = hash;
	return size;
}

/* The owner may have altered the relation, even made a view of it: nothing is read from
 * it or written to it before this. */
void
pg_nlp_check_data(Relation rel)
{
	TupleDesc	desc = RelationGetDescr(rel);

	if (rel->rd_rel->relkind != RELKIND_RELATION || rel->rd_rel->relam != HEAP_TABLE_AM_OID ||
		desc->natts != 2 || TupleDescAttr(desc, 0)->atttypid != INT4OID ||
		TupleDescAttr(desc, 1)->atttypid != BYTEAOID)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("relation \"%s\" does not hold a model", RelationGetRelationName(rel)),
				 errhint("Its definition was changed. Load the model again.")));
}

void
pg_nlp_source_relation(PgNlpSource *s, Relation rel, uint64 size, bool hash)
{
	pg_nlp_check_data(rel);
	*s = (PgNlpSource) {
		.source = {.size = size, .read = relation_read, .ctx = s},
		.close = close_relation_source,
		.rel = rel,
		.fd = -1
	};
	s->slot = table_slot_create(rel, NULL);
	s->snapshot = SnapshotSelf;
	begin_scan(s, NULL);
	if (hash)
	{
		s->hash = pg_cryptohash_create(PG_SHA256);
		if (s->hash == NULL || pg_cryptohash_init(s->hash) < 0)
			ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("could not start a SHA-256 computation")));
	}
	if (size == UINT64_MAX)
		s->source.size = count_bytes(s, false);
}

void
pg_nlp_source_seekable(PgNlpSource *s, Relation rel)
{
	pg_nlp_source_relation(s, rel, 0, false);
	s->source.size = count_bytes(s, true);
}

NlpStatus
pg_nlp_source_sha256(PgNlpSource *s, const NlpEnv *env, uint8 *sha256, NlpError *err)
{
	bool		end = false;
	uint64		polled = 0;

	/* A scan that was started again is behind hashed; it catches up as it goes on. */
	while (!end)
	{
		if (s->chunk_end - polled >= 1024 * 1024)
		{
			NLP_TRY(nlp_poll(env, err));
			polled = s->chunk_end;
		}
		NLP_TRY(next_chunk(s, &end, err));
	}
	if (s->hashed != s->source.size)
		return nlp_fail(err, NLP_ECORRUPT, "the stored model has " UINT64_FORMAT " bytes, not " UINT64_FORMAT,
						s->hashed, (uint64) s->source.size);
	if (pg_cryptohash_final(s->hash, sha256, PG_NLP_SHA256_BYTES) < 0)
		return nlp_fail(err, NLP_EINTERNAL, "could not compute the SHA-256 of the model");
	return NLP_OK;
}

/* ---- a server file ---- */

static NlpStatus
file_read(void *ctx, uint64_t offset, size_t len, void *dst, NlpError *err)
{
	PgNlpSource *s = ctx;

	while (len > 0)
	{
		ssize_t		n;

		/* In steps, so that a cancel is served while a slow disk is read. */
		pgstat_report_wait_start(PG_WAIT_EXTENSION);
		n = pread(s->fd, dst, Min(len, (Size) 1024 * 1024), (off_t) offset);
		pgstat_report_wait_end();
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return nlp_fail(err, NLP_EIO, "could not read the model file: %s", strerror(errno));
		if (n == 0)
			return nlp_fail_at(err, NLP_EIO, "", offset, "the model file became shorter while it was read");
		dst = (char *) dst + n;
		offset += (uint64_t) n;
		len -= (size_t) n;
	}
	return NLP_OK;
}

static void
file_close(PgNlpSource *s)
{
	CloseTransientFile(s->fd);
}

/* Opened without blocking, so that a FIFO cannot hang us; only a regular file is
 * read. The server closes it when the transaction fails. */
void
pg_nlp_source_file(PgNlpSource *s, const char *path)
{
	struct stat st;
	int			fd = OpenTransientFile(path, O_RDONLY | O_NONBLOCK | PG_BINARY);

	if (fd < 0)
		ereport(ERROR,
				(errcode_for_file_access(), errmsg("could not open model file \"%s\": %m", path)));
	if (fstat(fd, &st) < 0)
		ereport(ERROR,
				(errcode_for_file_access(), errmsg("could not stat model file \"%s\": %m", path)));
	if (!S_ISREG(st.st_mode))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE), errmsg("model file \"%s\" is not a regular file", path)));
	*s = (PgNlpSource) {
		.source = {.size = (uint64) st.st_size, .read = file_read, .ctx = s},
		.close = file_close,
		.fd = fd
	};
}

/* ---- bytes in memory ---- */

static NlpStatus
bytes_read(void *ctx, uint64_t offset, size_t len, void *dst, NlpError *err)
{
	PgNlpSource *s = ctx;

	memcpy(dst, s->bytes + offset, len);
	return NLP_OK;
}

static void
bytes_close(PgNlpSource *s)
{
}

void
pg_nlp_source_bytes(PgNlpSource *s, const char *bytes, Size len)
{
	*s = (PgNlpSource) {
		.source = {.size = len, .read = bytes_read, .ctx = s},
		.close = bytes_close,
		.fd = -1,
		.bytes = bytes
	};
}

void
pg_nlp_source_close(PgNlpSource *s)
{
	s->close(s);
}
