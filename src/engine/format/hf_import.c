/* hf_import.c --- the order of work: files in, GGUF out.
 *
 * Everything is read and checked before the first byte goes out: config, tensor
 * directories, tokenizer. Then header, then tensors as they lie in the shards, so
 * each shard is read once from front to back. */
#include <stdio.h>
#include <string.h>

#include "format/hf_private.h"
#include "engine_only.h"

#define ARENA_CHUNK (1u << 16)
#define MAX_SMALL_JSON (4u << 20)	/* config.json and the like */
#define MAX_TOKENIZER_JSON (256u << 20)
#define MAX_FILES 4096

bool
nlp_hf_output_parse(const char *name, NlpHfOutput *output)
{
	static const char *const names[] = {"keep", "f16", "q8_0", "q4_0", "q4_1"};

	for (int i = 0; i < 5; i++)
	{
		if (strcmp(name, names[i]) == 0)
		{
			*output = (NlpHfOutput) i;
			return true;
		}
	}
	return false;
}

NlpStatus
hf_no_memory(HfImport *h, size_t bytes)
{
	return nlp_no_memory(h->err, bytes, "importing a model folder");
}

void *
hf_alloc(HfImport *h, size_t n, size_t size)
{
	size_t		bytes;
	void	   *p;

	if (!nlp_mul_size(n, size, &bytes))
		return NULL;
	p = nlp_arena_alloc(&h->arena, bytes);
	if (p)
		memset(p, 0, bytes);
	return p;
}

const NlpHfFile *
hf_file(const HfImport *h, const char *name)
{
	for (size_t i = 0; i < h->n_files; i++)
	{
		if (strcmp(h->files[i].name, name) == 0)
			return &h->files[i];
	}
	return NULL;
}

NlpStatus
hf_read(HfImport *h, const NlpHfFile *f, size_t max, NlpStr *text)
{
	char	   *p;

	if (f->source->size > max)
		return nlp_fail(h->err, NLP_ELIMIT, "file \"%s\" has %llu bytes, more than the limit of %zu", f->name,
						(unsigned long long) f->source->size, max);
	p = nlp_arena_alloc(&h->arena, (size_t) f->source->size + 1);
	if (!p)
		return hf_no_memory(h, (size_t) f->source->size);
	NLP_TRY(f->source->read(f->source->ctx, 0, (size_t) f->source->size, p, h->err));
	p[f->source->size] = '\0';
	*text = (NlpStr) {p, (size_t) f->source->size};
	return NLP_OK;
}

/* Parse a JSON file that must be an object; *root stays NULL when it is not given
 * and need not be. */
static NlpStatus
read_json(HfImport *h, const char *name, size_t max, bool required, json_t **root)
{
	const NlpHfFile *f = hf_file(h, name);
	NlpStr		text;

	if (!f && !required)
		return NLP_OK;
	if (!f)
		return nlp_fail(h->err, NLP_ENOTFOUND, "model folder has no file \"%s\"", name);
	NLP_TRY(hf_read(h, f, max, &text));
	nlp_json_soften_integers((char *) text.data, text.len);
	NLP_TRY(nlp_json_parse(text.data, text.len, name, root, h->err));
	if (!json_is_object(*root))
		return nlp_fail(h->err, NLP_ECORRUPT, "JSON of %s is not an object", name);
	return NLP_OK;
}

/* A file's name is one component of a path, and names one file. */
static NlpStatus
check_names(HfImport *h)
{
	if (h->n_files > MAX_FILES)
		return nlp_fail(h->err, NLP_ELIMIT, "model folder has more than %d files", MAX_FILES);
	for (size_t i = 0; i < h->n_files; i++)
	{
		const char *name = h->files[i].name;

		if (!name[0] || strlen(name) > 255 || strchr(name, '/') || strchr(name, '\\') || strstr(name, ".."))
			return nlp_fail(h->err, NLP_EINVALID, "name of file %zu of the model folder is not a plain file name", i + 1);
		if (hf_file(h, name) != &h->files[i])
			return nlp_fail(h->err, NLP_EINVALID, "model folder has two files of the name of file %zu", i + 1);
	}
	return NLP_OK;
}

static bool
has_suffix(const char *s, const char *suffix)
{
	size_t		n = strlen(s),
				m = strlen(suffix);

	return n >= m && strcmp(s + n - m, suffix) == 0;
}

/* With an index, every shard it names must be there, and every tensor be in the
 * shard that it says. */
static NlpStatus
check_index(HfImport *h)
{
	json_t	   *root = NULL,
			   *map;
	const char *key;
	json_t	   *v;
	NlpStatus	st = read_json(h, "model.safetensors.index.json", MAX_SMALL_JSON * 8, false, &root);
	size_t		listed = 0,
				present = 0;

	if (st != NLP_OK || !root)
	{
		json_decref(root);
		return st;
	}
	map = json_object_get(root, "weight_map");
	if (!json_is_object(map))
		st = nlp_fail(h->err, NLP_ECORRUPT, "model.safetensors.index.json has no weight_map");
	else
	{
		json_object_foreach(map, key, v)
		{
			const char *shard = json_string_value(v);

			listed++;
			if (!shard || strchr(shard, '/') || strchr(shard, '\\') || strstr(shard, ".."))
				st = nlp_fail(h->err, NLP_ECORRUPT, "weight_map of model.safetensors.index.json names a file that is not a plain file name");
			else if (!hf_file(h, shard))
				st = nlp_fail(h->err, NLP_ENOTFOUND, "model folder lacks a shard that model.safetensors.index.json names");
			if (st != NLP_OK)
				break;
		}
	}
	for (size_t i = 0; st == NLP_OK && i < h->n_shards; i++)
	{
		for (uint64_t t = 0; t < h->shards[i].n; t++)
		{
			if (hf_is(json_object_get(map, h->shards[i].tensors[t].name.data), h->shard_files[i]->name))
				present++;
			else
			{
				st = nlp_fail(h->err, NLP_ECORRUPT, "shard %zu has a tensor that model.safetensors.index.json does not place there", i + 1);
				break;
			}
		}
	}
	if (st == NLP_OK && listed != present)
		st = nlp_fail(h->err, NLP_ECORRUPT, "model.safetensors.index.json names %zu tensors, but the shards have %zu", listed, present);
	json_decref(root);
	return st;
}

static NlpStatus
open_shards(HfImport *h)
{
	size_t		n = 0;

	h->shards = hf_alloc(h, h->n_files, sizeof(*h->shards));
	h->shard_files = hf_alloc(h, h->n_files, sizeof(*h->shard_files));
	if (!h->shards || !h->shard_files)
		return hf_no_memory(h, h->n_files * sizeof(*h->shards));
	/* By name, whatever order the caller has them in: the same folder, the same bytes. */
	for (size_t i = 0; i < h->n_files; i++)
	{
		size_t		k = n;

		if (!has_suffix(h->files[i].name, ".safetensors"))
			continue;
		for (; k > 0 && strcmp(h->shard_files[k - 1]->name, h->files[i].name) > 0; k--)
			h->shard_files[k] = h->shard_files[k - 1];
		h->shard_files[k] = &h->files[i];
		n++;
	}
	for (; h->n_shards < n; h->n_shards++)
		NLP_TRY(nlp_safetensors_open(h->shard_files[h->n_shards]->source, h->env, &h->shards[h->n_shards], h->err));
	if (h->n_shards == 0)
	{
		nlp_fail(h->err, NLP_ENOTFOUND, "model folder has no .safetensors file");
		return nlp_hint(h->err, "Weights in other formats (pytorch_model.bin) must be saved as safetensors first.");
	}
	return check_index(h);
}

static NlpStatus
read_folder(HfImport *h)
{
	NLP_TRY(check_names(h));
	NLP_TRY(read_json(h, "config.json", MAX_SMALL_JSON, true, &h->config));
	NLP_TRY(read_json(h, "tokenizer_config.json", MAX_SMALL_JSON * 2, false, &h->tokenizer_config));
	NLP_TRY(read_json(h, "generation_config.json", MAX_SMALL_JSON, false, &h->generation));
	NLP_TRY(hf_config_read(h));
	NLP_TRY(open_shards(h));
	NLP_TRY(hf_tensors_map(h));
	NLP_TRY(nlp_poll(h->env, h->err));
	return read_json(h, "tokenizer.json", MAX_TOKENIZER_JSON, false, &h->tokenizer);
}

static NlpStatus
write_file(HfImport *h, const NlpSink *sink, volatile uint64_t *done)
{
	NLP_TRY(nlp_gguf_writer_new(h->env->alloc, &h->w, h->err));
	NLP_TRY(nlp_gguf_put_str(h->w, "general.architecture", h->arch->name, strlen(h->arch->name), h->err));
	NLP_TRY(nlp_gguf_put_str(h->w, "general.type", "model", 5, h->err));
	if (h->model_name)
		NLP_TRY(nlp_gguf_put_str(h->w, "general.name", h->model_name, strlen(h->model_name), h->err));
	NLP_TRY(hf_config_write(h));
	NLP_TRY(nlp_gguf_put_u32(h->w, "general.file_type", hf_file_type(h), h->err));
	NLP_TRY(nlp_gguf_put_u32(h->w, "general.quantization_version", 2, h->err));
	NLP_TRY(hf_tokenizer_write(h));
	NLP_TRY(hf_tensors_declare(h));
	NLP_TRY(nlp_gguf_write_header(h->w, sink, h->err));
	NLP_TRY(hf_tensors_write(h, sink, done));
	return nlp_gguf_write_end(h->w, sink, h->err);
}

NlpStatus
nlp_hf_import(const NlpHfFile *files, size_t n_files, const NlpHfOptions *options, const NlpEnv *env,
			  const NlpSink *sink, volatile uint64_t *done, NlpError *err)
{
	HfImport	h = {.files = files, .n_files = n_files, .output = options->output,
	.model_name = options->name, .env = env, .err = err};
	NlpStatus	st;

	nlp_arena_init(&h.arena, env->alloc, ARENA_CHUNK);
	st = read_folder(&h);
	if (st == NLP_OK)
		st = write_file(&h, sink, done);
	nlp_gguf_writer_free(h.w);
	for (size_t i = 0; i < h.n_shards; i++)
		nlp_safetensors_close(&h.shards[i]);
	json_decref(h.config);
	json_decref(h.tokenizer);
	json_decref(h.tokenizer_config);
	json_decref(h.generation);
	nlp_arena_free(&h.arena);
	return st;
}
