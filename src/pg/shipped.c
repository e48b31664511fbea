/* shipped.c --- models that come with the extension, as files in the server's share
 * directory: <sharedir>/extension/pg_nlp_models.
 *
 * An index, models.list, is made when the extension is built and says what each file is
 * (name, file, SHA-256, bytes, tasks, architecture, parameters, by tabs), so that no query
 * has to read a model to learn that. A backend reads it once. File names carry a
 * version: an upgrade adds files and leaves those alone that running backends know.
 *
 * A shipped model has no row and no relation: it is in every database, everybody may use
 * it, it cannot be changed, and a user's model of the same name takes its place. Its image
 * is one for the whole server: database and relation of its key are 0. The file is
 * compared with the index before an image is built from it. */
#include "shared.h"

#include "common/string.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#define INDEX_FILE "models.list"
#define HASH_STEP ((Size) 256 * 1024)

PG_FUNCTION_INFO_V1(pg_nlp_shipped_models);

typedef struct Shipped
{
	PgNlpModelRow row;			/* relation is InvalidOid */
	char	   *file;
	char	   *architecture;
	uint64		parameters;
} Shipped;

/* Of this backend, once it has read the index. */
static Shipped *shipped;
static int	n_shipped;
static bool index_read;

static void
shipped_path(const char *file, char *path)
{
	char		share[MAXPGPATH];

	get_share_path(my_exec_path, share);
	snprintf(path, MAXPGPATH, "%s/extension/pg_nlp_models/%s", share, file);
}

/* ---- the index ---- */

enum
{
	FIELD_NAME, FIELD_FILE, FIELD_SHA256, FIELD_BYTES, FIELD_TASKS, FIELD_ARCHITECTURE, FIELD_PARAMETERS, N_FIELDS
};

/* Cut a line at its tabs; false when there are not N_FIELDS. */
static bool
split_line(char *line, char *fields[N_FIELDS])
{
	int			n = 0;

	for (char *at = line; at; n++)
	{
		char	   *tab = strchr(at, '\t');

		if (n == N_FIELDS)
			return false;
		fields[n] = at;
		if (tab)
			*tab++ = '\0';
		at = tab;
	}
	return n == N_FIELDS;
}

static bool
read_number(const char *text, uint64 *number)
{
	char	   *end;

	errno = 0;
	*number = strtou64(text, &end, 10);
	return text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0 && *number <= PG_INT64_MAX;
}

/* Tasks by commas; 0 when one is not known: the index is of another version. */
static uint32
read_tasks(char *text)
{
	uint32		tasks = 0;

	for (char *at = text; at;)
	{
		char	   *comma = strchr(at, ',');
		uint32		task;

		if (comma)
			*comma++ = '\0';
		task = pg_nlp_task_by_name(at);
		if (task == 0)
			return 0;
		tasks |= task;
		at = comma;
	}
	return tasks;
}

/* False for a line that is none of ours. */
static bool
read_line(char *line, Shipped *s)
{
	char	   *f[N_FIELDS];

	if (!split_line(line, f) || !pg_nlp_is_name(f[FIELD_NAME]) ||
		f[FIELD_FILE][0] == '\0' || f[FIELD_FILE][0] == '.' || strpbrk(f[FIELD_FILE], "/\\") != NULL)
		return false;
	memset(s, 0, sizeof(*s));
	(void) pg_nlp_copy(s->row.name, f[FIELD_NAME], PG_NLP_NAME_BYTES);
	s->row.relation = InvalidOid;
	s->row.tasks = read_tasks(f[FIELD_TASKS]);
	if (s->row.tasks == 0 || !pg_nlp_from_hex(f[FIELD_SHA256], s->row.sha256, PG_NLP_SHA256_BYTES) ||
		!read_number(f[FIELD_BYTES], &s->row.bytes) || !read_number(f[FIELD_PARAMETERS], &s->parameters))
		return false;
	s->file = f[FIELD_FILE];
	s->architecture = f[FIELD_ARCHITECTURE];
	return true;
}

static void
keep(const Shipped *s)
{
	Shipped    *copy;

	shipped = shipped ? repalloc(shipped, (n_shipped + 1) * sizeof(Shipped)) :
		MemoryContextAlloc(TopMemoryContext, sizeof(Shipped));
	copy = &shipped[n_shipped];
	*copy = *s;
	copy->file = MemoryContextStrdup(TopMemoryContext, s->file);
	copy->architecture = MemoryContextStrdup(TopMemoryContext, s->architecture);
	n_shipped++;
}

/* What cannot be read is said once, and is as if it were not there: nobody's own models
 * depend on it. */
static void
read_index(void)
{
	char		path[MAXPGPATH];
	FILE	   *f;
	StringInfoData line;

	if (index_read)
		return;
	index_read = true;
	shipped_path(INDEX_FILE, path);
	f = AllocateFile(path, "r");
	if (f == NULL)
	{
		if (errno != ENOENT)
			ereport(WARNING, (errcode_for_file_access(), errmsg("could not open file \"%s\": %m", path)));
		return;
	}
	initStringInfo(&line);
	for (int n = 1; pg_get_line_buf(f, &line); n++)
	{
		Shipped		s;

		(void) pg_strip_crlf(line.data);
		if (line.data[0] == '\0' || line.data[0] == '#')
			continue;
		if (read_line(line.data, &s))
			keep(&s);
		else
			ereport(WARNING,
					(errcode(ERRCODE_CONFIG_FILE_ERROR),
					 errmsg("line %d of file \"%s\" is not a model of this version of pg_nlp", n, path)));
	}
	pfree(line.data);
	FreeFile(f);
}

/* ---- finding ---- */

bool
pg_nlp_shipped_find(const char *name, PgNlpModelRow *row)
{
	read_index();
	for (int i = 0; i < n_shipped; i++)
	{
		if (strcmp(shipped[i].row.name, name) == 0)
		{
			*row = shipped[i].row;
			return true;
		}
	}
	return false;
}

bool
pg_nlp_find_model(const char *name, Snapshot snapshot, PgNlpModelRow *row)
{
	return pg_nlp_store_find(name, snapshot, row) || pg_nlp_shipped_find(name, row);
}

List *
pg_nlp_shipped_candidates(uint32 task, Snapshot snapshot)
{
	List	   *names = NIL;

	read_index();
	for (int i = 0; i < n_shipped; i++)
	{
		PgNlpModelRow own;

		if ((shipped[i].row.tasks & task) && !pg_nlp_store_find(shipped[i].row.name, snapshot, &own))
			names = lappend(names, pstrdup(shipped[i].row.name));
	}
	return names;
}

uint32
pg_nlp_shipped_number(const PgNlpModelRow *row)
{
	uint32		number;

	memcpy(&number, row->sha256, sizeof(number));
	return number ? number : 1;
}

const char *
pg_nlp_shipped_name(uint32 number)
{
	read_index();
	for (int i = 0; i < n_shipped; i++)
	{
		if (pg_nlp_shipped_number(&shipped[i].row) == number)
			return shipped[i].row.name;
	}
	return NULL;
}

/* ---- the file ---- */

static _Noreturn void
other_file(const char *path, const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("model file \"%s\" is not the one that was installed", path),
			 errdetail("It has another %s than \"%s\" beside it says.", what, INDEX_FILE),
			 errhint("Install the extension's files again.")));
}

/* Compare the whole file with the hash. Served: cancels. */
static void
check_hash(PgNlpSource *s, const PgNlpModelRow *row, const char *path)
{
	pg_cryptohash_ctx *hash = pg_cryptohash_create(PG_SHA256);
	uint8	   *buffer = palloc(HASH_STEP);
	uint8		sha256[PG_NLP_SHA256_BYTES];
	NlpError	err = {0};
	bool		good = hash != NULL && pg_cryptohash_init(hash) == 0;

	PG_TRY();
	{
		for (uint64 at = 0; good && at < s->source.size; at += HASH_STEP)
		{
			Size		n = Min(HASH_STEP, s->source.size - at);

			CHECK_FOR_INTERRUPTS();
			if (s->source.read(s->source.ctx, at, n, buffer, &err) != NLP_OK)
				ereport(ERROR,
						(errcode(ERRCODE_IO_ERROR), errmsg("could not read model file \"%s\"", path),
						 errdetail("%s.", err.message)));
			good = pg_cryptohash_update(hash, buffer, n) == 0;
		}
		if (!good || pg_cryptohash_final(hash, sha256, sizeof(sha256)) < 0)
			ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not compute the SHA-256 of file \"%s\"", path)));
	}
	PG_FINALLY();
	{
		if (hash)
			pg_cryptohash_free(hash);
	}
	PG_END_TRY();
	pfree(buffer);
	if (memcmp(sha256, row->sha256, sizeof(sha256)) != 0)
		other_file(path, "SHA-256");
}

void
pg_nlp_shipped_source(PgNlpSource *s, const PgNlpModelRow *row)
{
	char		path[MAXPGPATH];
	const char *file = NULL;

	read_index();
	for (int i = 0; i < n_shipped; i++)
	{
		if (memcmp(shipped[i].row.sha256, row->sha256, PG_NLP_SHA256_BYTES) == 0)
			file = shipped[i].file;
	}
	if (file == NULL)
		elog(ERROR, "shipped model \"%s\" is not in its index", row->name);
	shipped_path(file, path);
	pg_nlp_source_file(s, path);
	if (s->source.size != row->bytes)
		other_file(path, "size");
	check_hash(s, row, path);
}

/* ---- as rows and bytes ---- */

/* shipped_models() returns setof (name, tasks, architecture, parameters, bytes, sha256, file) */
Datum
pg_nlp_shipped_models(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;

	read_index();
	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < n_shipped; i++)
	{
		const Shipped *s = &shipped[i];
		char		hex[2 * PG_NLP_SHA256_BYTES + 1];
		bool		nulls[7] = {0};
		Datum		values[7];

		pg_nlp_hex(s->row.sha256, PG_NLP_SHA256_BYTES, hex);
		values[0] = CStringGetTextDatum(s->row.name);
		values[1] = pg_nlp_tasks_to_array(s->row.tasks);
		values[2] = CStringGetTextDatum(s->architecture);
		values[3] = Int64GetDatum((int64) s->parameters);
		values[4] = Int64GetDatum((int64) s->row.bytes);
		values[5] = CStringGetTextDatum(hex);
		values[6] = CStringGetTextDatum(s->file);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/* export_model of a shipped model: its bytes as (seq, data), into the function's tuplestore. */
void
pg_nlp_shipped_export(FunctionCallInfo fcinfo, const PgNlpModelRow *row)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	bytea	   *piece = palloc(VARHDRSZ + HASH_STEP);
	PgNlpSource s;
	NlpError	err = {0};

	InitMaterializedSRF(fcinfo, 0);
	pg_nlp_shipped_source(&s, row);
	for (uint64 at = 0; at < s.source.size; at += HASH_STEP)
	{
		Size		n = Min(HASH_STEP, s.source.size - at);
		bool		nulls[2] = {false, false};
		Datum		values[2];

		CHECK_FOR_INTERRUPTS();
		if (s.source.read(s.source.ctx, at, n, VARDATA(piece), &err) != NLP_OK)
			pg_nlp_raise(&err);
		SET_VARSIZE(piece, VARHDRSZ + n);
		values[0] = Int32GetDatum((int32) (at / HASH_STEP));
		values[1] = PointerGetDatum(piece);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	pg_nlp_source_close(&s);
	pfree(piece);
}
