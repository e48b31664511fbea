/* pieces.c --- images without preload: pinned dynamic shared memory, in segments of
 * at most 64 MB (making a larger one cannot be cancelled), seen as one block.
 *
 * The engine wants an image in one piece of address space. The server maps each
 * segment where it likes; mremap with an old size of 0 maps the same pages again
 * where we like, one after the other in a region reserved for them. Our mapping is
 * then independent of the server's, which is given up at once, so that the server's
 * own bookkeeping (and its reuse of addresses for parallel query) is not touched:
 * only our second mapping is made read-only.
 *
 *   first segment   [directory, 4096 bytes][image ...      ]
 *   next ones       [... image                             ]
 *
 * Until pg_nlp_pieces_publish the segments belong to the current resource owner:
 * an error, a cancel or an exit removes them. Published ones are pinned and stay
 * until pg_nlp_pieces_free, or until the server stops.
 * An idle session may keep its mapping for long, and with it a removed segment, so
 * the evictor punches the pages out before it unpins. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "shared.h"

#include <sys/mman.h>

#include "miscadmin.h"

#define DIRECTORY_MAGIC 0x4e4c5044	/* "NLPD" */

typedef struct Directory
{
	uint32		magic;
	int32		n;
	uint64		map_bytes;
	dsm_handle	handles[FLEXIBLE_ARRAY_MEMBER];
} Directory;

#define MAX_PIECES ((int) ((PG_NLP_PIECE_HEAD - offsetof(Directory, handles)) / sizeof(dsm_handle)))

/* What an image takes: the directory in front, whole pages. */
Size
pg_nlp_pieces_bytes(Size image_bytes)
{
	return TYPEALIGN(PG_NLP_PIECE_HEAD, image_bytes) + PG_NLP_PIECE_HEAD;
}

static char *
reserve_region(Size bytes)
{
	char	   *map = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (map == MAP_FAILED)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("could not reserve %zu bytes of address space for a model: %m", bytes)));
	return map;
}

/* The segment's pages, once more, at target. */
static void
map_again(dsm_segment *seg, Size bytes, char *target)
{
	if (mremap(dsm_segment_address(seg), 0, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, target) == MAP_FAILED)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("could not map a segment of dynamic shared memory a second time: %m"),
				 errhint("Add pg_nlp to \"shared_preload_libraries\", or set \"min_dynamic_shared_memory\" to 0.")));
}

static void
no_shared_memory(Size image_bytes, int code)
{
	ereport(ERROR,
			(errcode(code),
			 errmsg("not enough dynamic shared memory for a model of %zu bytes", image_bytes),
			 errhint("Make /dev/shm larger (in a container, --shm-size), or add pg_nlp to "
					 "\"shared_preload_libraries\" and set \"pg_nlp.shared_memory_size\".")));
}

/* dsm_create, with the errors that have a remedy said so. */
static dsm_segment *
create_segment(Size bytes, Size image_bytes)
{
	MemoryContext mcxt = CurrentMemoryContext;
	dsm_segment *volatile seg = NULL;

	PG_TRY();
	{
		seg = dsm_create(bytes, DSM_CREATE_NULL_IF_MAXSEGMENTS);
	}
	PG_CATCH();
	{
		ErrorData  *edata;

		MemoryContextSwitchTo(mcxt);
		edata = CopyErrorData();
		if (edata->sqlerrcode != ERRCODE_DISK_FULL && edata->sqlerrcode != ERRCODE_OUT_OF_MEMORY)
			PG_RE_THROW();
		FlushErrorState();
		no_shared_memory(image_bytes, edata->sqlerrcode);
	}
	PG_END_TRY();
	if (seg == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				 errmsg("too many dynamic shared memory segments"),
				 errhint("Add pg_nlp to \"shared_preload_libraries\" and set \"pg_nlp.shared_memory_size\".")));
	return seg;
}

/* Segments for an image, writable at p->map + PG_NLP_PIECE_HEAD. p is palloc'ed state
 * of the caller's, who calls pg_nlp_pieces_abort when this or anything later raises. */
void
pg_nlp_pieces_create(PgNlpPieces *p, Size image_bytes)
{
	Size		total = pg_nlp_pieces_bytes(image_bytes);
	Size		count = (total + PG_NLP_PIECE_BYTES - 1) / PG_NLP_PIECE_BYTES;
	Directory  *dir;

	if (count > (Size) MAX_PIECES)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("a model of %zu bytes is too large without preload", image_bytes),
				 errhint("Add pg_nlp to \"shared_preload_libraries\" and set \"pg_nlp.shared_memory_size\".")));
	p->segs = palloc0(count * sizeof(dsm_segment *));
	p->map = reserve_region(total);
	p->map_bytes = total;
	for (Size at = 0; at < total; at += PG_NLP_PIECE_BYTES)
	{
		Size		n = Min(PG_NLP_PIECE_BYTES, total - at);
		dsm_segment *seg;

		CHECK_FOR_INTERRUPTS();
		seg = create_segment(n, image_bytes);
		p->segs[p->n++] = seg;
		map_again(seg, n, p->map + at);
	}
	dir = (Directory *) p->map;
	memset(dir, 0, PG_NLP_PIECE_HEAD);
	dir->magic = DIRECTORY_MAGIC;
	dir->n = p->n;
	dir->map_bytes = total;
	for (int i = 0; i < p->n; i++)
		dir->handles[i] = dsm_segment_handle(p->segs[i]);
}

/* Not published: unmap, and let the segments go. */
void
pg_nlp_pieces_abort(PgNlpPieces *p)
{
	if (p->map)
		munmap(p->map, p->map_bytes);
	p->map = NULL;
	while (p->n > 0)
		dsm_detach(p->segs[--p->n]);
}

/* From here on the segments stay without any mapping of the server's. p->map is the
 * caller's, read-only. */
dsm_handle
pg_nlp_pieces_publish(PgNlpPieces *p)
{
	dsm_handle	first = dsm_segment_handle(p->segs[0]);

	if (mprotect(p->map, p->map_bytes, PROT_READ) != 0)
		ereport(ERROR, (errcode(ERRCODE_SYSTEM_ERROR), errmsg("could not make a model read-only: %m")));
	for (int i = 0; i < p->n; i++)
		dsm_pin_segment(p->segs[i]);
	while (p->n > 0)
		dsm_detach(p->segs[--p->n]);
	return first;
}

/* The directory of a published image, in a server mapping that is given up again. */
static Directory *
copy_directory(dsm_segment *seg)
{
	const Directory *dir = dsm_segment_address(seg);
	Directory  *copy;

	if (dsm_segment_map_length(seg) < PG_NLP_PIECE_HEAD || dir->magic != DIRECTORY_MAGIC || dir->n < 1 ||
		dir->n > MAX_PIECES)
		ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED), errmsg("directory of a resident model is damaged")));
	copy = palloc(PG_NLP_PIECE_HEAD);
	memcpy(copy, dir, PG_NLP_PIECE_HEAD);
	return copy;
}

/* Map a published image. False when it is gone. The caller holds a pin. */
bool
pg_nlp_pieces_attach(dsm_handle first, char **map, Size *map_bytes)
{
	dsm_segment *seg = dsm_attach(first);
	Directory  *dir;
	char	   *region;

	if (seg == NULL)
		return false;
	dir = copy_directory(seg);
	region = reserve_region(dir->map_bytes);
	PG_TRY();
	{
		for (int i = 0; i < dir->n; i++)
		{
			Size		at = (Size) i * PG_NLP_PIECE_BYTES;
			Size		n = Min(PG_NLP_PIECE_BYTES, dir->map_bytes - at);

			if (i > 0)
				seg = dsm_attach(dir->handles[i]);
			if (seg == NULL)
				ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED), errmsg("a segment of a resident model is missing")));
			map_again(seg, n, region + at);
			dsm_detach(seg);
		}
		if (mprotect(region, dir->map_bytes, PROT_READ) != 0)
			ereport(ERROR, (errcode(ERRCODE_SYSTEM_ERROR), errmsg("could not make a model read-only: %m")));
	}
	PG_CATCH();
	{
		munmap(region, dir->map_bytes);
		PG_RE_THROW();
	}
	PG_END_TRY();
	*map = region;
	*map_bytes = dir->map_bytes;
	pfree(dir);
	return true;
}

void
pg_nlp_pieces_unmap(char *map, Size map_bytes)
{
	munmap(map, map_bytes);
}

/* Punch out the pages of one segment and unpin it. */
static void
free_segment(dsm_segment *seg, dsm_handle handle)
{
	if (seg != NULL)
	{
		if (madvise(dsm_segment_address(seg), TYPEALIGN_DOWN(PG_NLP_PIECE_HEAD, dsm_segment_map_length(seg)),
					MADV_REMOVE) != 0)
			ereport(DEBUG1, (errmsg_internal("could not return pages of a resident model early: %m")));
	}
	dsm_unpin_segment(handle);
	if (seg != NULL)
		dsm_detach(seg);
}

/* Nobody holds a pin and nobody can find the image any more. */
void
pg_nlp_pieces_free(dsm_handle first)
{
	dsm_segment *seg = dsm_attach(first);
	Directory  *dir;

	if (seg == NULL)
		return;
	dir = copy_directory(seg);
	free_segment(seg, first);
	for (int i = 1; i < dir->n; i++)
		free_segment(dsm_attach(dir->handles[i]), dir->handles[i]);
	pfree(dir);
}
