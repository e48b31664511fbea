/* model_list.c --- a line of models.list, the index of the models that are shipped with the
 * extension (src/pg/shipped.c reads it):
 *
 *   model_list FILE.gguf SHA256
 *
 * name, file as installed, SHA-256, bytes, tasks, architecture, parameters, by tabs. The name is
 * FILE's; the file's gets the version that the model gives itself (general.version, 1 when
 * it gives none). The model is planned as the server would, and verified. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/image.h"

static const struct
{
	uint32_t	task;
	const char *name;			/* as src/pg/store.c has it */
}			tasks[] = {
	{NLP_TASK_GENERATION, "generation"},
	{NLP_TASK_TOKENIZER, "tokenizer"},
	{NLP_TASK_WORD_VECTORS, "word_vectors"},
	{NLP_TASK_SEGMENTATION, "segmentation"},
};

static const NlpEnv env = {.alloc = &nlp_libc_alloc};

static void
must(NlpStatus st, const char *file, const NlpError *err)
{
	if (st == NLP_OK)
		return;
	fprintf(stderr, "%s: %s %s\n", file, err->message, err->field);
	exit(1);
}

/* general.version of the file: letters, digits and points. */
static void
read_version(const NlpSource *src, const char *file, char *out, size_t size)
{
	NlpGguf		g;
	NlpError	err = {0};
	NlpStr		version = {"1", 1};
	bool		found;

	must(nlp_gguf_open(src, &env, &g, &err), file, &err);
	must(nlp_gguf_str(&g, "general.version", &version, &found, &err), file, &err);
	if (version.len == 0 || version.len >= size ||
		strspn(version.data, "0123456789abcdefghijklmnopqrstuvwxyz.") != version.len)
	{
		fprintf(stderr, "%s: general.version cannot be part of a file's name\n", file);
		exit(1);
	}
	memcpy(out, version.data, version.len + 1);
	nlp_gguf_close(&g);
}

int
main(int argc, char **argv)
{
	NlpFileSource file;
	NlpImagePlan *plan;
	const NlpImage *image;
	NlpError	err = {0};
	char		version[32];
	const char *name,
			   *comma = "";
	int			len;

	if (argc != 3 || strlen(argv[2]) != 64)
		return 2;
	name = strrchr(argv[1], '/') ? strrchr(argv[1], '/') + 1 : argv[1];
	len = (int) strlen(name) - (int) strlen(".gguf");
	if (len <= 0 || strcmp(name + len, ".gguf") != 0)
		return 2;
	must(nlp_file_source_open(&file, argv[1], &err), argv[1], &err);
	read_version(&file.source, argv[1], version, sizeof(version));
	must(nlp_image_plan(&file.source, &env, &plan, &err), argv[1], &err);
	must(nlp_image_verify(plan, &file.source, &env, &err), argv[1], &err);
	image = nlp_image_plan_header(plan);
	printf("%.*s\t%.*s-%s.gguf\t%s\t%" PRIu64 "\t", len, name, len, name, version, argv[2], file.source.size);
	for (size_t i = 0; i < sizeof(tasks) / sizeof(tasks[0]); i++)
		if (image->tasks & tasks[i].task)
		{
			printf("%s%s", comma, tasks[i].name);
			comma = ",";
		}
	printf("\t%s\t%" PRIu64 "\n", image->name, image->parameters);
	nlp_image_plan_free(plan);
	nlp_file_source_close(&file);
	return 0;
}
