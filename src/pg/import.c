/* import.c --- Hugging Face folders, on the server's disk or uploaded: converted to
 * GGUF by the engine, stored chunk by chunk as it comes, then checked like any file.
 *
 * The engine asks for files by name and reads them where it likes; it writes once, in
 * order. Nothing of the folder is kept but what the GGUF says. */
#include "load.h"

#include <sys/stat.h>

#include "miscadmin.h"
#include "storage/fd.h"
#include "utils/memutils.h"

#define MAX_FILES 256

void
pg_nlp_folder_add(PgNlpFolder *folder, const char *name, PgNlpSource *source)
{
	if (folder->n == 0)
	{
		folder->names = palloc(MAX_FILES * sizeof(char *));
		folder->sources = palloc(MAX_FILES * sizeof(PgNlpSource *));
	}
	if (folder->n == MAX_FILES)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED), errmsg("model folder has more than %d files", MAX_FILES)));
	folder->names[folder->n] = pstrdup(name);
	folder->sources[folder->n++] = source;
}

bool
pg_nlp_is_folder(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* Files that a model consists of; others (pictures, other frameworks' weights) are
 * left alone. */
static bool
is_part(const char *name)
{
	static const char *const endings[] = {".json", ".safetensors", ".jinja", ".model", "merges.txt"};
	size_t		len = strlen(name);

	for (int i = 0; i < (int) lengthof(endings); i++)
	{
		size_t		n = strlen(endings[i]);

		if (len >= n && strcmp(name + len - n, endings[i]) == 0)
			return true;
	}
	return false;
}

void
pg_nlp_open_folder(PgNlpFolder *folder, const char *path)
{
	DIR		   *dir = AllocateDir(path);
	struct dirent *entry;

	while ((entry = ReadDir(dir, path)) != NULL)
	{
		char	   *file;
		PgNlpSource *source;

		CHECK_FOR_INTERRUPTS();
		file = psprintf("%s/%s", path, entry->d_name);
		if (!is_part(entry->d_name) || pg_nlp_is_folder(file))
			continue;
		source = palloc(sizeof(PgNlpSource));
		pg_nlp_source_file(source, file);
		pg_nlp_folder_add(folder, entry->d_name, source);
	}
	FreeDir(dir);
}

void
pg_nlp_close_folder(PgNlpFolder *folder)
{
	for (int i = 0; i < folder->n; i++)
		pg_nlp_source_close(folder->sources[i]);
}

/* The engine's frames are below a write: an error of the server's is kept, and thrown
 * when the engine has unwound. */
NlpStatus
pg_nlp_write_sink(void *ctx, const void *bytes, size_t len, NlpError *err)
{
	MemoryContext mcxt = CurrentMemoryContext;
	volatile NlpStatus status = NLP_OK;

	PG_TRY();
	{
		pg_nlp_write_bytes(ctx, bytes, len);
	}
	PG_CATCH();
	{
		pg_nlp_keep_error();
		status = nlp_fail(err, NLP_ECANCELLED, "storing the model failed");
	}
	PG_END_TRY();
	MemoryContextSwitchTo(mcxt);
	return status;
}

void
pg_nlp_import(PgNlpLoadScope *scope, PgNlpFolder *folder, const PgNlpLoadOptions *options, PgNlpNewModel *model)
{
	NlpHfFile  *files = palloc0(Max(folder->n, 1) * sizeof(NlpHfFile));
	NlpHfOptions want = {.output = options->quantize ? options->output : NLP_HF_KEEP, .name = NULL};	/* the same folder, the same hash */
	PgNlpWriter writer;
	NlpSink		sink = {pg_nlp_write_sink, &writer};

	for (int i = 0; i < folder->n; i++)
		files[i] = (NlpHfFile) {folder->names[i], &folder->sources[i]->source};
	model->relation = pg_nlp_create_relation(model->name);
	pg_nlp_begin_write(&writer, model->relation, 0);
	if (nlp_hf_import(files, (size_t) folder->n, &want, &scope->env, &sink, NULL, &scope->err) != NLP_OK)
		pg_nlp_raise(&scope->err);
	pg_nlp_end_write(&writer);
	pg_nlp_describe_relation(scope, model);
}
