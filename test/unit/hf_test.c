/* hf_test.c --- importing Hugging Face folders.
 *
 * test/fixtures/make_hf.py writes nine small folders; what llama.cpp's converter makes
 * of each lies in test/golden/hf (make_hf_golden.py): keys with their values, tensors
 * with type, shape and a hash of their bytes. Ours must be the same but for the
 * differences listed here. Every result must also load as an image, and give the ids
 * and the probabilities that transformers gives to the folder (make_hf_logits.py).
 *
 * usage: hf_test [FOLDERS] */
#define _GNU_SOURCE
#include <dirent.h>
#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "core/hash.h"
#include "decode/decoder.h"
#include "format/json.h"
#include "hf_folder.h"
#include "model/model.h"

/* ---- folders on disk ---- */

static int
by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static void
folder_load(Folder *f, const char *dir, const char *name)
{
	char		path[600];
	struct dirent **list;
	int			n;

	f->n = 0;
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	n = scandir(path, &list, NULL, by_name);
	CHECKF(n > 2, "%s", path);
	for (int i = 0; i < n; i++)
	{
		char		file[900];
		FILE	   *in;
		char	   *bytes;
		long		size;

		snprintf(file, sizeof(file), "%s/%s", path, list[i]->d_name);
		if (list[i]->d_name[0] != '.' && (in = fopen(file, "rb")) != NULL)
		{
			fseek(in, 0, SEEK_END);
			size = ftell(in);
			rewind(in);
			bytes = malloc((size_t) size + 1);
			size = (long) fread(bytes, 1, (size_t) size, in);
			folder_put(f, list[i]->d_name, bytes, (size_t) size);
			free(bytes);
			fclose(in);
		}
		free(list[i]);
	}
	if (n >= 0)
		free(list);
}

/* ---- listings, as make_hf_golden.py writes them ---- */

static const char *const type_names[] = {
	"UINT8", "INT8", "UINT16", "INT16", "UINT32", "INT32", "FLOAT32", "BOOL", "STRING", "ARRAY", "UINT64", "INT64", "FLOAT64"
};

static void
list_kv(const NlpGgufKv *kv, char *line, size_t cap)
{
	static const size_t sizes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
	const NlpStr *s = kv->data;
	NlpBuf		b;

	if (kv->type == NLP_GGUF_ARRAY)
	{
		nlp_buf_init(&b, &nlp_libc_alloc);
		for (uint64_t i = 0; i < kv->count; i++)
		{
			uint64_t	len = kv->elem == NLP_GGUF_STRING ? s[i].len : 0;

			if (kv->elem == NLP_GGUF_STRING)
			{
				nlp_buf_append(&b, &len, 8);
				nlp_buf_append(&b, s[i].data, s[i].len);
			}
			else
				nlp_buf_append(&b, (const char *) kv->data + i * sizes[kv->elem], sizes[kv->elem]);
		}
		snprintf(line, cap, "%s\t%s[%llu]\t%016llx", kv->key.data, type_names[kv->elem], (unsigned long long) kv->count,
				 (unsigned long long) nlp_hash_bytes(b.data, b.len));
		nlp_buf_free(&b);
	}
	else if (kv->type == NLP_GGUF_STRING && s->len < 40)
		snprintf(line, cap, "%s\tSTRING\t'%s'", kv->key.data, s->data);
	else if (kv->type == NLP_GGUF_STRING)
		snprintf(line, cap, "%s\tSTRING\t%016llx", kv->key.data, (unsigned long long) nlp_hash_bytes(s->data, s->len));
	else if (kv->type == NLP_GGUF_F32)
		snprintf(line, cap, "%s\tFLOAT32\t%.9g", kv->key.data, (double) *(const float *) kv->data);
	else if (kv->type == NLP_GGUF_BOOL)
		snprintf(line, cap, "%s\tBOOL\t%d", kv->key.data, *(const uint8_t *) kv->data);
	else
		snprintf(line, cap, "%s\t%s\t%u", kv->key.data, type_names[kv->type], *(const uint32_t *) kv->data);
}

static void
list_tensor(const NlpGgufTensor *t, const char *file, char *line, size_t cap)
{
	char		dims[80];

	if (t->n_dims == 1)
		snprintf(dims, sizeof(dims), "[%llu]", (unsigned long long) t->dims[0]);
	else
		snprintf(dims, sizeof(dims), "[%llu, %llu]", (unsigned long long) t->dims[0], (unsigned long long) t->dims[1]);
	snprintf(line, cap, "%s\t%s\t%s\t%016llx", t->name.data, nlp_dtype_info(t->dtype)->name, dims,
			 (unsigned long long) nlp_hash_bytes(file + t->offset, (size_t) t->bytes));
}

/* Keys that the two may write differently, and why:
 *   general.name, size_label    made up from the folder's name there
 *   add_sep_token               nobody reads it; add_eos_token: we write it when the folder says it
 *   add_space_prefix, unknown_token_id   their defaults, written out by us
 *   eot_token_id                the second end of generation_config.json
 *   key_length, value_length    the default, written out
 *   rope.freq_base (gemma2)     the default, written out; freq_base_swa: a constant of the architecture here
 *   sliding_window (mistral)    left out there; rope.scaling.type (phi3): likewise
 *   scores, token_type of llama_spm   there all -1000, and <unk> a control token */
static bool
may_differ(const char *folder, const char *line)
{
	static const char *const keys[] = {
		"general.name\t", "general.size_label\t", "tokenizer.ggml.add_sep_token\t", "tokenizer.ggml.add_eos_token\t",
		"tokenizer.ggml.add_space_prefix\t", "tokenizer.ggml.unknown_token_id\t", "tokenizer.ggml.eot_token_id\t",
		"gemma2.rope.freq_base\t", "gemma3.rope.freq_base_swa\t", "qwen2.attention.key_length\t", "qwen2.attention.value_length\t",
		"phi3.rope.scaling.type\t"
	};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
	{
		if (strncmp(line, keys[i], strlen(keys[i])) == 0)
			return true;
	}
	if (strcmp(folder, "mistral") == 0 && strncmp(line, "llama.attention.sliding_window\t", 31) == 0)
		return true;
	return strcmp(folder, "llama_spm") == 0 && (strncmp(line, "tokenizer.ggml.scores\t", 22) == 0 ||
												strncmp(line, "tokenizer.ggml.token_type\t", 26) == 0);
}

#define MAX_LINES 256

typedef struct Lines
{
	int			n;
	char		text[MAX_LINES][400];
} Lines;

static bool
has_line(const Lines *l, const char *line)
{
	for (int i = 0; i < l->n; i++)
	{
		if (strcmp(l->text[i], line) == 0)
			return true;
	}
	return false;
}

static void
compare(const char *folder, const NlpGguf *g, const char *file)
{
	static Lines theirs,
				ours;
	char		path[200];
	FILE	   *in;

	theirs.n = ours.n = 0;
	snprintf(path, sizeof(path), "test/golden/hf/%s.tsv", folder);
	in = fopen(path, "r");
	CHECKF(in != NULL, "%s", path);
	while (in && theirs.n < MAX_LINES && fgets(theirs.text[theirs.n], sizeof(theirs.text[0]), in))
	{
		theirs.text[theirs.n][strcspn(theirs.text[theirs.n], "\n")] = '\0';
		theirs.n++;
	}
	if (in)
		fclose(in);
	for (uint64_t i = 0; i < g->n_kv; i++)
		list_kv(&g->kv[i], ours.text[ours.n++], sizeof(ours.text[0]));
	for (uint64_t i = 0; i < g->n_tensors; i++)
		list_tensor(&g->tensors[i], file, ours.text[ours.n++], sizeof(ours.text[0]));
	for (int i = 0; i < theirs.n; i++)
		CHECKF(may_differ(folder, theirs.text[i]) || has_line(&ours, theirs.text[i]), "%s: only in llama.cpp's: %s", folder, theirs.text[i]);
	for (int i = 0; i < ours.n; i++)
		CHECKF(may_differ(folder, ours.text[i]) || has_line(&theirs, ours.text[i]), "%s: only in ours: %s", folder, ours.text[i]);
	CHECKF(theirs.n > 30, "%s: %d lines", folder, theirs.n);
}

/* ---- whole folders ---- */

static NlpStatus
load_image(const NlpBuf *b, NlpError *err)
{
	NlpMemorySource src;
	NlpImagePlan *plan;
	void	   *block;
	NlpStatus	st;

	nlp_memory_source_init(&src, b->data, b->len);
	st = nlp_image_plan(&src.source, &libc_env, &plan, err);
	if (st != NLP_OK)
		return st;
	block = nlp_alloc(&nlp_libc_alloc, nlp_image_plan_bytes(plan));
	st = nlp_image_build(plan, &src.source, &libc_env, block, NULL, err);
	nlp_image_plan_free(plan);
	nlp_free(&nlp_libc_alloc, block);
	return st;
}

static void
test_folder(const char *dir, const char *name)
{
	static const char *const outputs[] = {"keep", "f16", "q8_0", "q4_0", "q4_1"};
	Folder		f = {0};
	NlpError	err = {0};

	folder_load(&f, dir, name);
	for (int o = 0; o < 5; o++)
	{
		NlpHfOutput output;
		NlpBuf		out;
		NlpStatus	st;
		NlpMemorySource src;
		NlpGguf		g;

		CHECK(nlp_hf_output_parse(outputs[o], &output) && (int) output == o);
		st = import(&f, output, &libc_env, &out, &err);
		CHECKF(st == NLP_OK, "%s to %s: %s", name, outputs[o], err.message);
		if (st == NLP_OK)
		{
			nlp_memory_source_init(&src, out.data, out.len);
			st = nlp_gguf_open(&src.source, &libc_env, &g, &err);
			CHECKF(st == NLP_OK, "%s to %s: %s", name, outputs[o], err.message);
			if (st == NLP_OK && output == NLP_HF_KEEP)
				compare(name, &g, out.data);
			if (st == NLP_OK)
			{
				const NlpGgufTensor *t = nlp_gguf_tensor(&g, "blk.0.ffn_down.weight");
				const NlpGgufTensor *e = nlp_gguf_tensor(&g, "token_embd.weight");
				static const NlpDtype want[] = {NLP_F32, NLP_F16, NLP_Q8_0, NLP_Q4_0, NLP_Q4_1};

				CHECKF(o == 0 || (t && t->dtype == (uint32_t) want[o]), "%s to %s", name, outputs[o]);
				CHECKF(o < 3 || (e && e->dtype == NLP_Q8_0), "%s to %s", name, outputs[o]);
				nlp_gguf_close(&g);
			}
			st = load_image(&out, &err);
			CHECKF(st == NLP_OK, "image of %s to %s: %s", name, outputs[o], err.message);
		}
		nlp_buf_free(&out);
	}
	folder_free(&f);
}

/* ---- against transformers ---- */

#define LOGITS 40
#define MAX_VOCAB 512

typedef struct Loaded
{
	char		folder[32];
	void	   *block;
	NlpModel   *model;
	NlpCoder   *coder;
} Loaded;

static void
loaded_free(Loaded *l)
{
	nlp_coder_close(l->coder);
	nlp_model_close(l->model);
	nlp_free(&nlp_libc_alloc, l->block);
	memset(l, 0, sizeof(*l));
}

static bool
loaded_open(Loaded *l, const char *dir, const char *folder)
{
	Folder		f = {0};
	NlpBuf		out;
	NlpMemorySource src;
	NlpImagePlan *plan;
	NlpError	err = {0};
	NlpStatus	st;

	snprintf(l->folder, sizeof(l->folder), "%s", folder);
	folder_load(&f, dir, folder);
	st = import(&f, NLP_HF_KEEP, &libc_env, &out, &err);
	folder_free(&f);
	nlp_memory_source_init(&src, out.data, out.len);
	if (st == NLP_OK)
		st = nlp_image_plan(&src.source, &libc_env, &plan, &err);
	if (st == NLP_OK)
	{
		l->block = nlp_alloc(&nlp_libc_alloc, nlp_image_plan_bytes(plan));
		st = nlp_image_build(plan, &src.source, &libc_env, l->block, NULL, &err);
		nlp_image_plan_free(plan);
	}
	nlp_buf_free(&out);
	if (st == NLP_OK)
		st = nlp_model_open(l->block, &nlp_libc_alloc, &l->model, &err);
	if (st == NLP_OK)
		st = nlp_coder_open(nlp_image_tokenizer(l->block), &nlp_libc_alloc, &l->coder, &err);
	CHECKF(st == NLP_OK, "%s: %s", folder, err.message);
	return st == NLP_OK;
}

/* folder, text as JSON, ids with commas, log-probabilities. Keys and values are f16
 * here and f32 there, hence the tolerance. */
static void
check_line(Loaded *l, const char *dir, char *line, double *worst)
{
	char	   *folder = strtok(line, "\t");
	char	   *text = strtok(NULL, "\t");
	char	   *ids = strtok(NULL, "\t");
	char	   *probs = strtok(NULL, "\n");
	json_t	   *root;
	NlpTokens	tokens;
	NlpDecoderStats stats;
	int32_t		top[MAX_VOCAB];
	float		prob[MAX_VOCAB],
				got[LOGITS] = {0};
	uint32_t	n_vocab;
	NlpError	err = {0};

	if (strcmp(l->folder, folder) != 0)
	{
		if (l->model)
			loaded_free(l);
		if (!loaded_open(l, dir, folder))
			return;
	}
	CHECK(nlp_json_parse(text, strlen(text), "text", &root, &err) == NLP_OK);
	CHECK_OK(nlp_encode(l->coder, &libc_env, json_string_value(root), json_string_length(root), 0, false, 0, &tokens, &err), err);
	for (size_t i = 0; i < tokens.n; i++)
	{
		long		want = strtol(ids, &ids, 10);

		CHECKF(want == tokens.ids[i] && *ids == (i + 1 < tokens.n ? ',' : '\0'), "%s %s: token %zu is %d, not %ld",
			   folder, text, i, tokens.ids[i], want);
		if (*ids)
			ids++;
	}
	n_vocab = ((const NlpImage *) l->block)->hparams.n_vocab;
	CHECK_OK(nlp_next_tokens(l->model, &libc_env, tokens.ids, tokens.n, n_vocab, top, prob, &stats, &err), err);
	for (uint32_t i = 0; i < n_vocab; i++)
	{
		if (top[i] < LOGITS)
			got[top[i]] = logf(prob[i]);
	}
	for (int i = 0; i < LOGITS; i++)
	{
		double		want = strtod(probs, &probs);
		double		diff = fabs(want - (double) got[i]);

		*worst = diff > *worst ? diff : *worst;
		CHECKF(diff < 0.03, "%s %s: log-probability of token %d is %.5f, not %.5f", folder, text, i, (double) got[i], want);
	}
	nlp_free(&nlp_libc_alloc, tokens.ids);
	json_decref(root);
}

static void
test_transformers(const char *dir)
{
	FILE	   *in = fopen("test/golden/hf/logits.txt", "r");
	char		line[2000];
	Loaded		l = {0};
	double		worst = 0;
	int			n = 0;

	CHECK(in != NULL);
	for (; in && fgets(line, sizeof(line), in); n++)
		check_line(&l, dir, line, &worst);
	if (in)
		fclose(in);
	if (l.model)
		loaded_free(&l);
	CHECKF(n == 27, "%d lines", n);
	printf("largest difference of a log-probability from transformers: %.5f\n", worst);
}

/* Bytes after import, unpacked, are the folder's weights: q4_0 etc. went through the
 * quantisers that dtype_test checks; here the values of one matrix are compared. */
static void
test_quantised_values(const char *dir)
{
	Folder		f = {0};
	NlpBuf		keep,
				q8;
	NlpError	err = {0};
	NlpMemorySource a,
				b;
	NlpGguf		ga,
				gb;
	float		x[96],
				y[96];
	double		worst = 0;

	folder_load(&f, dir, "gpt2");
	CHECK(import(&f, NLP_HF_KEEP, &libc_env, &keep, &err) == NLP_OK);
	CHECK(import(&f, NLP_HF_Q8_0, &libc_env, &q8, &err) == NLP_OK);
	nlp_memory_source_init(&a, keep.data, keep.len);
	nlp_memory_source_init(&b, q8.data, q8.len);
	CHECK(nlp_gguf_open(&a.source, &libc_env, &ga, &err) == NLP_OK);
	CHECK(nlp_gguf_open(&b.source, &libc_env, &gb, &err) == NLP_OK);
	nlp_dtype_to_f32(NLP_F32, keep.data + nlp_gguf_tensor(&ga, "blk.1.attn_qkv.weight")->offset, x, 96);
	nlp_dtype_to_f32(NLP_Q8_0, q8.data + nlp_gguf_tensor(&gb, "blk.1.attn_qkv.weight")->offset, y, 96);
	for (int i = 0; i < 96; i++)
		worst = worst > (double) (x[i] - y[i]) ? worst : (double) (x[i] - y[i]);
	CHECKF(worst > 0 && worst < 0.5 / 127, "%g", worst);
	nlp_gguf_close(&ga);
	nlp_gguf_close(&gb);
	nlp_buf_free(&keep);
	nlp_buf_free(&q8);
	folder_free(&f);
}

/* Scores out of merges give the ids that the scores of tokenizer.model give. */
static void
test_scores_from_merges(const char *dir)
{
	static const char *const texts[] = {"the in thing", "abc bc ab abcabc", "  the  ther in", "h e the\xe2\x82\xac", "thethethe a an er"};
	const char *names[2] = {"mistral", "llama_spm"};
	NlpTokens	got[2][5];
	NlpError	err = {0};

	for (int k = 0; k < 2; k++)
	{
		Folder		f = {0};
		NlpBuf		out;
		NlpMemorySource src;
		NlpGguf		g;
		NlpTokenizer *tok;
		NlpCoder   *coder;
		size_t		bytes;

		folder_load(&f, dir, names[k]);
		CHECK(import(&f, NLP_HF_KEEP, &libc_env, &out, &err) == NLP_OK);
		nlp_memory_source_init(&src, out.data, out.len);
		CHECK_OK(nlp_gguf_open(&src.source, &libc_env, &g, &err), err);
		CHECK_OK(nlp_tokenizer_build(&g, &libc_env, &tok, &bytes, &err), err);
		CHECK_OK(nlp_coder_open(tok, &nlp_libc_alloc, &coder, &err), err);
		for (int i = 0; i < 5; i++)
			CHECK_OK(nlp_encode(coder, &libc_env, texts[i], strlen(texts[i]), 0, false, 0, &got[k][i], &err), err);
		nlp_coder_close(coder);
		nlp_free(&nlp_libc_alloc, tok);
		nlp_gguf_close(&g);
		nlp_buf_free(&out);
		folder_free(&f);
	}
	for (int i = 0; i < 5; i++)
	{
		CHECKF(got[0][i].n == got[1][i].n && got[0][i].n > 2 &&
			   memcmp(got[0][i].ids, got[1][i].ids, got[0][i].n * 4) == 0, "\"%s\": %zu and %zu tokens", texts[i], got[0][i].n, got[1][i].n);
		for (int k = 0; k < 2; k++)
			nlp_free(&nlp_libc_alloc, got[k][i].ids);
	}
}

/* ---- refusals ---- */

typedef struct Edit
{
	const char *folder;
	const char *file;
	const char *from;			/* first occurrence; NULL: the whole file */
	const char *to;				/* NULL: drop the file */
	NlpStatus	status;
} Edit;

static const Edit edits[] = {
	{"llama", "config.json", NULL, NULL, NLP_ENOTFOUND},
	{"llama", "config.json", NULL, "[]", NLP_ECORRUPT},
	{"llama", "config.json", NULL, "{", NLP_ECORRUPT},
	{"llama", "config.json", "\"llama\"", "\"abacus\"", NLP_EUNSUPPORTED},
	{"llama", "config.json", "\"llama\"", "3", NLP_ECORRUPT},
	{"llama", "config.json", "\"silu\"", "\"relu\"", NLP_EUNSUPPORTED},
	{"llama", "config.json", "\"llama3\"", "\"yarn\"", NLP_EUNSUPPORTED},
	{"llama", "config.json", "\"llama3\"", "\"dynamic\"", NLP_EUNSUPPORTED},
	{"llama", "config.json", "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 0", NLP_ECORRUPT},
	{"llama", "config.json", "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 1", NLP_EUNSUPPORTED},
	{"llama", "config.json", "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 2.5", NLP_ECORRUPT},
	{"llama", "config.json", "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 99999999999999999999", NLP_ECORRUPT},
	{"llama", "config.json", "\"num_hidden_layers\": 2", "\"x\": 2", NLP_ECORRUPT},
	{"llama", "config.json", "\"num_attention_heads\": 4", "\"num_attention_heads\": 3", NLP_ECORRUPT},
	{"llama", "config.json", "\"num_key_value_heads\": 2", "\"num_key_value_heads\": 4294967298", NLP_ECORRUPT},
	{"llama", "config.json", "\"rms_norm_eps\": 1e-05", "\"rms_norm_eps\": 1e999", NLP_ECORRUPT},
	{"llama", "config.json", "\"rms_norm_eps\": 1e-05", "\"rms_norm_eps\": -1", NLP_ECORRUPT},
	{"llama", "config.json", "\"rms_norm_eps\": 1e-05", "\"rms_norm_eps\": \"1\"", NLP_ECORRUPT},
	{"llama", "config.json", "\"rope_theta\"", "\"hidden_size\": 64, \"rope_theta\"", NLP_ECORRUPT},
	{"llama", "config.json", "\"rope_theta\"", "\"quantization_config\": {}, \"rope_theta\"", NLP_EUNSUPPORTED},
	{"llama", "config.json", "\"rope_theta\"", "\"num_local_experts\": 8, \"rope_theta\"", NLP_EUNSUPPORTED},
	{"qwen2", "config.json", "\"use_sliding_window\": false", "\"use_sliding_window\": true", NLP_EUNSUPPORTED},
	{"gemma2", "config.json", "\"head_dim\"", "\"layer_types\": [\"full_attention\"], \"head_dim\"", NLP_EUNSUPPORTED},
	{"gemma3", "config.json", "\"sliding_window_pattern\": 6", "\"sliding_window_pattern\": 5", NLP_EUNSUPPORTED},
	{"gemma3", "config.json", "\"rope_local_base_freq\": 10000.0", "\"rope_local_base_freq\": 20000.0", NLP_EUNSUPPORTED},
	{"phi3", "config.json", "\"long_factor\": [", "\"long_factor\": [7, ", NLP_ECORRUPT},
	{"llama", "model-00002-of-00002.safetensors", NULL, NULL, NLP_ENOTFOUND},
	{"llama", "model.safetensors.index.json", "model-00001-of", "../model-00001-of", NLP_ECORRUPT},
	{"llama", "model.safetensors.index.json", "model-00001-of", "x/model-00001-of", NLP_ECORRUPT},
	{"llama", "model.safetensors.index.json", "model-00001-of", "model-00002-of", NLP_ECORRUPT},
	{"llama", "model.safetensors.index.json", "\"weight_map\"", "\"map\"", NLP_ECORRUPT},
	{"llama", "model.safetensors.index.json", "\"model.norm.weight\"", "\"model.no.weight\"", NLP_ECORRUPT},
	{"llama", "model-00001-of-00002.safetensors", "lm_head", "xx_head", NLP_ECORRUPT},
	{"llama", "tokenizer.json", NULL, NULL, NLP_ENOTFOUND},
	{"llama", "tokenizer.json", "\"Regex\": \"(?i:", "\"Regex\": \"(?:", NLP_EUNSUPPORTED},
	{"llama", "tokenizer.json", "\"type\": \"BPE\"", "\"type\": \"WordPiece\"", NLP_EUNSUPPORTED},
	{"llama", "tokenizer.json", "\"normalizer\": null", "\"normalizer\": {\"type\": \"NFKC\"}", NLP_EUNSUPPORTED},
	{"llama", "tokenizer.json", "\"he\": 256", "\"he\": 255", NLP_ECORRUPT},
	{"llama", "tokenizer.json", "\"he\": 256", "\"he\": -1", NLP_ECORRUPT},
	{"llama", "tokenizer.json", "\"he\": 256", "\"he\": 12345678901234567890", NLP_ECORRUPT},
	{"llama", "tokenizer.json", "\"he\": 256", "\"he\": 100000", NLP_ECORRUPT},
	{"llama", "tokenizer.json", "\"he\": 256", "\"\": 256", NLP_ECORRUPT},
	{"llama", "tokenizer.json", "\"he\": 256", "\"\\u0000\": 256", NLP_ECORRUPT},
	{"llama", "tokenizer.json", "\"he\": 256", "\"\\ud800\": 256", NLP_ECORRUPT},
	{"llama", "tokenizer.json", "\"content\": \"<|end|>\"", "\"content\": \"\"", NLP_ECORRUPT},
	{"llama", "tokenizer.json", "\"id\": 265", "\"id\": 269", NLP_ECORRUPT},
	{"llama", "generation_config.json", "266", "[266, 99999]", NLP_ECORRUPT},
	{"mistral", "model.safetensors", "lm_head", "xx_head", NLP_EUNSUPPORTED},
	{"mistral", "tokenizer.model", "\n", "\x0b", NLP_ECORRUPT},
	{"mistral", "tokenizer.model", NULL, "", NLP_ECORRUPT},
	{"llama_spm", "tokenizer.json", "\"ing\"", "\"inx\"", NLP_ECORRUPT},
	{"gpt2", "config.json", "\"gelu_new\"", "\"gelu\"", NLP_EUNSUPPORTED},
	{"gpt2", "config.json", "\"n_embd\": 64", "\"n_embd\": 64, \"scale_attn_by_inverse_layer_idx\": true", NLP_EUNSUPPORTED},
};

static void
test_refusals(const char *dir)
{
	for (size_t i = 0; i < sizeof(edits) / sizeof(edits[0]); i++)
	{
		const Edit *e = &edits[i];
		Folder		f = {0};
		NlpBuf		out;
		NlpError	err = {0};
		NlpTestAlloc counting;
		NlpEnv		env = {.alloc = &counting.alloc};
		NlpStatus	st;

		nlp_test_alloc_init(&counting, -1);
		folder_load(&f, dir, e->folder);
		if (!e->to)
			folder_drop(&f, e->file);
		else if (!e->from)
			folder_put(&f, e->file, e->to, strlen(e->to));
		else
			CHECKF(replace(&f, e->file, e->from, e->to), "case %zu: no such text", i);
		st = import(&f, NLP_HF_KEEP, &env, &out, &err);
		CHECKF(st == e->status, "case %zu (%s %s: %s): status %d: %s", i, e->folder, e->file, e->to ? e->to : "dropped", st, err.message);
		CHECKF(counting.live == 0, "case %zu: %ld allocations left", i, counting.live);
		nlp_buf_free(&out);
		folder_free(&f);
	}
}

/* The order in which files are given is of no consequence. */
static void
test_order(const char *dir)
{
	Folder		f = {0};
	NlpBuf		a,
				b;
	NlpError	err = {0};

	folder_load(&f, dir, "llama");
	CHECK(import(&f, NLP_HF_KEEP, &libc_env, &a, &err) == NLP_OK);
	for (size_t i = 0; i < f.n / 2; i++)
	{
		NlpHfFile	t = f.files[i];

		f.files[i] = f.files[f.n - 1 - i];
		f.files[f.n - 1 - i] = t;
	}
	CHECK(import(&f, NLP_HF_KEEP, &libc_env, &b, &err) == NLP_OK);
	CHECK(a.len == b.len && memcmp(a.data, b.data, a.len) == 0);
	nlp_buf_free(&a);
	nlp_buf_free(&b);
	folder_free(&f);
}

static void
test_bad_names(const char *dir)
{
	static const char *const names[] = {"../x", "a/b", "", "a\\b", "config.json"};

	for (size_t i = 0; i < 5; i++)
	{
		Folder		f = {0};
		NlpBuf		out;
		NlpError	err = {0};

		folder_load(&f, dir, "gpt2");
		f.files[f.n] = (NlpHfFile) {names[i], f.files[0].source};
		f.n++;
		CHECKF(import(&f, NLP_HF_KEEP, &libc_env, &out, &err) == NLP_EINVALID, "%s: %s", names[i], err.message);
		f.n--;
		nlp_buf_free(&out);
		folder_free(&f);
	}
}

/* A value that is not finite, or too large for the type asked for. */
static void
test_values(const char *dir)
{
	struct
	{
		const char *folder;
		uint32_t	bits;
		NlpHfOutput output;
		NlpStatus	status;
	}			cases[] = {
		{"gpt2", 0x7fc00000, NLP_HF_KEEP, NLP_ECORRUPT}, {"gpt2", 0xff800000, NLP_HF_KEEP, NLP_ECORRUPT},
		{"gpt2", 0x7f7fffff, NLP_HF_KEEP, NLP_OK}, {"gpt2", 0x7f7fffff, NLP_HF_F16, NLP_ECORRUPT},
		{"gpt2", 0x477fe000, NLP_HF_F16, NLP_OK}, {"gpt2", 0x477fff00, NLP_HF_F16, NLP_ECORRUPT},
		{"gpt2", 0x7f7fffff, NLP_HF_Q8_0, NLP_ECORRUPT}, {"gemma2", 0x7fc00000, NLP_HF_KEEP, NLP_ECORRUPT}
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		Folder		f = {0};
		NlpBuf		out;
		NlpError	err = {0};
		NlpStatus	st;

		folder_load(&f, dir, cases[i].folder);
		for (size_t k = 0; k < f.n; k++)
		{
			uint64_t	header;

			if (strcmp(f.names[k], "model.safetensors") != 0)
				continue;
			memcpy(&header, f.data[k], 8);
			memcpy(f.data[k] + 8 + header + 400, &cases[i].bits, 4);
		}
		st = import(&f, cases[i].output, &libc_env, &out, &err);
		CHECKF(st == cases[i].status, "case %zu: status %d: %s", i, st, err.message);
		nlp_buf_free(&out);
		folder_free(&f);
	}
}

/* ---- failures ---- */

static void
test_allocation(const char *dir, const char *name)
{
	Folder		f = {0};
	long		n = 0;

	folder_load(&f, dir, name);
	for (;; n++)
	{
		NlpTestAlloc failing;
		NlpEnv		env = {.alloc = &failing.alloc};
		NlpError	err = {0};
		NlpBuf		out;
		NlpStatus	st;

		nlp_test_alloc_init(&failing, n);
		st = import(&f, NLP_HF_Q8_0, &env, &out, &err);
		nlp_buf_free(&out);
		CHECKF(failing.live == 0, "%s, allocation %ld", name, n);
		if (st == NLP_OK || n > 5000)
			break;
		CHECKF(st == NLP_ENOMEM, "%s, allocation %ld: status %d: %s", name, n, st, err.message);
	}
	CHECKF(n > 10 && n < 5000, "%s: %ld allocations", name, n);
	folder_free(&f);
}

static int	polls_left;

static bool
pending(void *ctx)
{
	return true;
}

static bool
cancelled(void *ctx)
{
	return --polls_left < 0;
}

static void
test_cancel(const char *dir)
{
	Folder		f = {0};
	int			n = 0;

	folder_load(&f, dir, "llama_spm");
	for (;; n++)
	{
		NlpTestAlloc counting;
		NlpEnv		env = {.alloc = &counting.alloc, .pending = pending, .cancelled = cancelled};
		NlpError	err = {0};
		NlpBuf		out;
		NlpStatus	st;

		nlp_test_alloc_init(&counting, -1);
		polls_left = n;
		st = import(&f, NLP_HF_KEEP, &env, &out, &err);
		nlp_buf_free(&out);
		CHECK(counting.live == 0);
		if (st == NLP_OK)
			break;
		CHECKF(st == NLP_ECANCELLED, "poll %d: status %d", n, st);
	}
	CHECKF(n > 20, "%d polls", n);
	folder_free(&f);
}

int
main(int argc, char **argv)
{
	static const char *const names[] = {"llama", "mistral", "llama_spm", "gpt2", "qwen2", "qwen3", "phi3", "gemma2", "gemma3"};
	char		tmp[] = "/tmp/hf_test.XXXXXX";
	char		cmd[1024];
	const char *dir = argc > 1 ? argv[1] : mkdtemp(tmp);

	snprintf(cmd, sizeof(cmd), "python3 test/fixtures/make_hf.py '%s'", dir);
	CHECK(system(cmd) == 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		test_folder(dir, names[i]);
	test_transformers(dir);
	test_quantised_values(dir);
	test_scores_from_merges(dir);
	test_refusals(dir);
	test_order(dir);
	test_bad_names(dir);
	test_values(dir);
	test_allocation(dir, "llama");
	test_allocation(dir, "mistral");
	test_allocation(dir, "llama_spm");
	test_cancel(dir);
	if (argc <= 1)
	{
		snprintf(cmd, sizeof(cmd), "rm -rf '%s'", dir);
		CHECK(system(cmd) == 0);
	}
	return check_done();
}
