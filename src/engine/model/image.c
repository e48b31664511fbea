/* image.c --- from a GGUF file to the resident image.
 *
 * Trust:  the plan checks names, shapes, types and counts before any data is
 *         read; the build checks scales while packing. A finished image is checked
 *         again when opened (nlp_image_check), since it may be another build's.
 * Layout: header | NlpWeight[] | tokenizer | chat template | weights, each on 64. What is
 *         no network (word vectors, a segmenter) is the header and its own table. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/hash.h"
#include "core/pool.h"
#include "model/image.h"
#include "engine_only.h"

#define MAGIC "NLPIMG1"
#define IMAGE_VERSION 2
#define TEMPLATE_LIMIT (1u << 20)
#define PACK_THREADS 8
#define READ_BYTES (1u << 20)	/* how much tensor data is read at once, about */

struct NlpImagePlan
{
	const NlpAlloc *alloc;
	NlpArena	arena;
	NlpGguf		gguf;
	const NlpArch *arch;		/* NULL: vocabulary only */
	NlpSlotTable slots;
	NlpWeight  *weights;		/* [slots.n] */
	uint32_t   *tensor_slot;	/* [gguf.n_tensors]: which slot a tensor fills */
	uint32_t   *order;			/* tensors by file offset */
	NlpTokenizer *tokenizer;	/* kept until build copies it */
	NlpWordsPlan *words;		/* when header.arch is NLP_IMAGE_WORDS */
	NlpStr		chat_template;
	NlpImage	header;
};

static uint64_t
abi_hash(void)
{
	uint32_t	shape[] = {
		IMAGE_VERSION, sizeof(NlpImage), sizeof(NlpWeight), sizeof(NlpHparams), NLP_TILE_ROWS,
		sizeof(NlpWords), sizeof(NlpScanCode)
	};

	return nlp_hash_bytes(shape, sizeof(shape));
}

/* ---- plan ---- */

static NlpStatus
unsupported_arch(NlpError *err)
{
	char		list[256] = "";

	for (int i = 0; nlp_archs[i]; i++)
	{
		strncat(list, nlp_archs[i]->name, sizeof(list) - strlen(list) - 1);
		strncat(list, ", ", sizeof(list) - strlen(list) - 1);
	}
	strncat(list, NLP_WORDS_ARCH ", " NLP_SEGMENT_ARCH, sizeof(list) - strlen(list) - 1);
	nlp_fail_at(err, NLP_EUNSUPPORTED, "general.architecture", 0,
				"the model's architecture is not supported");
	nlp_hint(err, "Supported architectures are: %s.", list);
	return NLP_EUNSUPPORTED;
}

/* The tensor for a slot must have the slot's shape and a type we can hold. */
static NlpStatus
check_shape(const NlpSlotSpec *spec, const NlpGgufTensor *t, NlpError *err)
{
	const NlpDtypeInfo *type = nlp_dtype_info(t->dtype);
	bool		is_float = t->dtype == NLP_F32 || t->dtype == NLP_F16 || t->dtype == NLP_BF16;

	if (t->dims[0] != spec->cols || t->dims[1] != spec->rows || t->dims[2] != 1 || t->dims[3] != 1)
	{
		nlp_fail(err, NLP_ECORRUPT, "tensor \"%s\" has the wrong shape", spec->name);
		nlp_detail(err, "Expected [%llu, %llu], found [%llu, %llu, %llu, %llu].",
				   (unsigned long long) spec->cols, (unsigned long long) spec->rows,
				   (unsigned long long) t->dims[0], (unsigned long long) t->dims[1],
				   (unsigned long long) t->dims[2], (unsigned long long) t->dims[3]);
		return NLP_ECORRUPT;
	}
	if (spec->vector ? !is_float : nlp_pack_tile_bytes((NlpDtype) t->dtype, spec->cols) == 0)
		return nlp_fail(err, NLP_EUNSUPPORTED, "tensor \"%s\" cannot be of type %s with rows of %llu",
						spec->name, type ? type->name : "?", (unsigned long long) spec->cols);
	return NLP_OK;
}

static NlpStatus
place_weight(const NlpSlotSpec *spec, const NlpGgufTensor *t, uint64_t *end, NlpWeight *w, NlpError *err)
{
	uint64_t	bytes;
	uint64_t	tiles = (spec->rows + NLP_TILE_ROWS - 1) / NLP_TILE_ROWS;

	*w = (NlpWeight) {.offset = *end, .rows = spec->rows, .cols = spec->cols};
	if (spec->vector)
	{
		bytes = spec->cols * sizeof(float);
		w->dtype = NLP_F32;
		w->layout = NLP_LAYOUT_VECTOR;
	}
	else
	{
		if (!nlp_mul_size(nlp_pack_tile_bytes((NlpDtype) t->dtype, spec->cols), tiles, &bytes))
			return nlp_fail(err, NLP_ELIMIT, "tensor \"%s\" is too large", spec->name);
		w->dtype = t->dtype;
		w->layout = NLP_LAYOUT_TILES;
	}
	w->bytes = bytes;
	if (!nlp_add_size(*end, bytes, end) || !nlp_pad_size(*end, 64, end))
		return nlp_fail(err, NLP_ELIMIT, "the model is too large");
	return NLP_OK;
}

/* Give every slot its tensor, and place for it; no tensor may be left over, since
 * one that is ignored would change the answers silently. */
static NlpStatus
assign_slots(NlpImagePlan *p, uint64_t *end, NlpError *err)
{
	const NlpGguf *g = &p->gguf;
	uint64_t	used = 0;

	for (uint32_t s = 0; s < p->slots.n; s++)
	{
		const NlpSlotSpec *spec = &p->slots.specs[s];
		const NlpGgufTensor *t = spec->name[0] ? nlp_gguf_tensor(g, spec->name) : NULL;

		if (t)
		{
			NLP_TRY(check_shape(spec, t, err));
			NLP_TRY(place_weight(spec, t, end, &p->weights[s], err));
			p->tensor_slot[t - g->tensors] = s;
			p->header.parameters += spec->rows * spec->cols;
			used++;
		}
		else if (spec->tied != NLP_NO_SLOT)
			p->weights[s] = p->weights[spec->tied];
		else if (spec->optional)
			p->weights[s] = (NlpWeight) {.layout = NLP_LAYOUT_ABSENT};
		else
			return nlp_fail(err, NLP_ECORRUPT, "model has no tensor \"%s\"", spec->name);
	}
	if (used != g->n_tensors)
	{
		uint64_t	i = 0;

		while (p->tensor_slot[i] != UINT32_MAX)
			i++;
		nlp_fail(err, NLP_EUNSUPPORTED, "the file has %llu tensors that architecture \"%s\" does not use",
				 (unsigned long long) (g->n_tensors - used), p->arch->name);
		nlp_detail(err, "The first is entry %llu of the tensor directory, at byte %llu.",
				   (unsigned long long) i, (unsigned long long) g->tensors[i].offset);
		return NLP_EUNSUPPORTED;
	}
	return NLP_OK;
}

static NlpStatus
sort_tensors(NlpImagePlan *p, NlpError *err)
{
	uint64_t	n = p->gguf.n_tensors;
	const NlpGgufTensor *t = p->gguf.tensors;

	p->order = nlp_arena_alloc(&p->arena, n * sizeof(uint32_t));
	if (!p->order)
		return nlp_no_memory(err, n * sizeof(uint32_t), "tensor order");
	for (uint64_t i = 0; i < n; i++)
	{
		uint64_t	j = i;

		/* Nearly always in order already, so insertion is linear. */
		while (j > 0 && t[p->order[j - 1]].offset > t[i].offset)
		{
			p->order[j] = p->order[j - 1];
			j--;
		}
		p->order[j] = (uint32_t) i;
	}
	return NLP_OK;
}

static NlpStatus
plan_network(NlpImagePlan *p, const NlpEnv *env, uint64_t *end, NlpError *err)
{
	uint64_t	n = p->gguf.n_tensors;

	if (n > 65535)
		return nlp_fail(err, NLP_ELIMIT, "%llu tensors are more than the limit of 65535", (unsigned long long) n);
	NLP_TRY(p->arch->hparams(&p->gguf, &p->header.hparams, err));
	NLP_TRY(nlp_poll(env, err));
	p->slots.arena = &p->arena;
	p->arch->slots(&p->header.hparams, &p->slots);
	p->weights = p->slots.failed ? NULL : nlp_arena_alloc(&p->arena, p->slots.n * sizeof(NlpWeight));
	p->tensor_slot = nlp_arena_alloc(&p->arena, n * sizeof(uint32_t));
	if (!p->weights || !p->tensor_slot)
		return nlp_no_memory(err, n * sizeof(NlpWeight), "weight table");
	memset(p->tensor_slot, 0xff, n * sizeof(uint32_t));
	*end += p->slots.n * sizeof(NlpWeight);
	*end = (*end + 63) & ~(uint64_t) 63;
	/* Offsets are relative for now; plan_layout moves them behind the tables. */
	NLP_TRY(assign_slots(p, end, err));
	return sort_tensors(p, err);
}

/* Fix every offset: the tables come first, so weights move behind them. */
static NlpStatus
plan_layout(NlpImagePlan *p, uint64_t weights_bytes, size_t tokenizer_bytes, NlpError *err)
{
	NlpImage   *h = &p->header;
	uint64_t	at = (sizeof(NlpImage) + 63) & ~(uint64_t) 63;
	uint64_t	table = (p->slots.n * sizeof(NlpWeight) + 63) & ~(uint64_t) 63;

	h->n_weights = p->slots.n;
	h->weights_offset = at;
	at += table;
	h->tokenizer_offset = at;
	h->tokenizer_bytes = tokenizer_bytes;
	if (!nlp_add_size(at, tokenizer_bytes, &at) || !nlp_pad_size(at, 64, &at))
		return nlp_fail(err, NLP_ELIMIT, "the model is too large");
	if (p->chat_template.data)
	{
		h->template_offset = at;
		h->template_bytes = p->chat_template.len;
		at = (at + p->chat_template.len + 1 + 63) & ~(uint64_t) 63;
	}
	/* weights_bytes began after the table, at `table`. */
	for (uint32_t s = 0; s < p->slots.n; s++)
	{
		if (p->weights[s].layout != NLP_LAYOUT_ABSENT)
			p->weights[s].offset += at - table;
	}
	if (!nlp_add_size(at, weights_bytes - table, &h->bytes))
		return nlp_fail(err, NLP_ELIMIT, "the model is too large");
	return NLP_OK;
}

static bool
is_named(NlpStr s, const char *name)
{
	return s.len == strlen(name) && memcmp(s.data, name, s.len) == 0;
}

/* Architectures that are one table: header and table, nothing else. */
static NlpStatus
plan_table(NlpImagePlan *p, const NlpEnv *env, NlpError *err)
{
	NlpImage   *h = &p->header;

	if (h->arch == NLP_IMAGE_WORDS)
	{
		NLP_TRY(nlp_words_plan(&p->gguf, env, &p->words, err));
		h->table_bytes = nlp_words_plan_bytes(p->words);
		h->parameters = nlp_words_plan_parameters(p->words);
		h->tasks = NLP_TASK_WORD_VECTORS;
		strcpy(h->name, NLP_WORDS_ARCH);
	}
	else
	{
		if (p->gguf.n_tensors > 0)
			return nlp_fail(err, NLP_EUNSUPPORTED, "the file has %llu tensors that architecture \"%s\" does not use",
							(unsigned long long) p->gguf.n_tensors, NLP_SEGMENT_ARCH);
		NLP_TRY(nlp_segmenter_plan(&p->gguf, env, &h->table_bytes, err));
		h->tasks = NLP_TASK_SEGMENTATION;
		strcpy(h->name, NLP_SEGMENT_ARCH);
	}
	h->table_offset = (sizeof(NlpImage) + 63) & ~(uint64_t) 63;
	if (!nlp_add_size(h->table_offset, h->table_bytes, &h->bytes) || !nlp_pad_size(h->bytes, 64, &h->bytes))
		return nlp_fail(err, NLP_ELIMIT, "the model is too large");
	return NLP_OK;
}

/* A network with its tokenizer, or a tokenizer alone. */
static NlpStatus
plan_tokenizer_and_network(NlpImagePlan *p, NlpStr arch, const NlpEnv *env, NlpError *err)
{
	uint64_t	end = 0;
	size_t		tokenizer_bytes;
	bool		found = false;

	p->arch = nlp_arch_find(arch.data, arch.len);
	if (p->gguf.n_tensors > 0 && !p->arch)
		return unsupported_arch(err);
	if (p->gguf.n_tensors == 0)
		p->arch = NULL;
	NLP_TRY(nlp_tokenizer_build(&p->gguf, env, &p->tokenizer, &tokenizer_bytes, err));
	p->header.arch = NLP_IMAGE_TOKENIZER;
	p->header.tasks = NLP_TASK_TOKENIZER;
	memcpy(p->header.name, "tokenizer", 10);
	if (p->arch)
	{
		NLP_TRY(plan_network(p, env, &end, err));
		if (nlp_tokenizer_size(p->tokenizer) > p->header.hparams.n_vocab)
			return nlp_fail(err, NLP_ECORRUPT, "the vocabulary has %u tokens, but the word table only %u rows",
							nlp_tokenizer_size(p->tokenizer), p->header.hparams.n_vocab);
		p->header.tasks |= NLP_TASK_GENERATION;
		strncpy(p->header.name, p->arch->name, sizeof(p->header.name) - 1);
		for (uint32_t i = 0; nlp_archs[i]; i++)
		{
			if (nlp_archs[i] == p->arch)
				p->header.arch = i;
		}
	}
	NLP_TRY(nlp_gguf_str(&p->gguf, "tokenizer.chat_template", &p->chat_template, &found, err));
	if (!found)
		p->chat_template = (NlpStr) {NULL, 0};
	else if (p->chat_template.len > TEMPLATE_LIMIT)
		return nlp_fail(err, NLP_ELIMIT, "the chat template is longer than %u bytes", TEMPLATE_LIMIT);
	return plan_layout(p, end, tokenizer_bytes, err);
}

static NlpStatus
plan_file(NlpImagePlan *p, const NlpSource *src, const NlpEnv *env, NlpError *err)
{
	NlpStr		arch;

	NLP_TRY(nlp_gguf_open(src, env, &p->gguf, err));
	NLP_TRY(nlp_gguf_str(&p->gguf, "general.architecture", &arch, NULL, err));
	memcpy(p->header.magic, MAGIC, sizeof(p->header.magic));
	p->header.abi_hash = abi_hash();
	if (is_named(arch, NLP_WORDS_ARCH))
		p->header.arch = NLP_IMAGE_WORDS;
	else if (is_named(arch, NLP_SEGMENT_ARCH))
		p->header.arch = NLP_IMAGE_SEGMENTER;
	else
		return plan_tokenizer_and_network(p, arch, env, err);
	return plan_table(p, env, err);
}

NlpStatus
nlp_image_plan(const NlpSource *src, const NlpEnv *env, NlpImagePlan **out, NlpError *err)
{
	NlpImagePlan *p = nlp_alloc_zero(env->alloc, sizeof(*p));
	NlpStatus	st;

	if (!p)
		return nlp_no_memory(err, sizeof(*p), "model plan");
	p->alloc = env->alloc;
	nlp_arena_init(&p->arena, env->alloc, 64 * 1024);
	st = plan_file(p, src, env, err);
	if (st != NLP_OK)
		nlp_image_plan_free(p);
	else
		*out = p;
	return st;
}

void
nlp_image_plan_free(NlpImagePlan *p)
{
	const NlpAlloc *alloc;

	if (!p)
		return;
	alloc = p->alloc;
	nlp_free(alloc, p->tokenizer);
	nlp_words_plan_free(p->words);
	nlp_gguf_close(&p->gguf);
	nlp_arena_free(&p->arena);
	nlp_free(alloc, p);
}

uint64_t
nlp_image_plan_bytes(const NlpImagePlan *p)
{
	return p->header.bytes;
}

const NlpImage *
nlp_image_plan_header(const NlpImagePlan *p)
{
	return &p->header;
}

/* ---- build ---- */

static NlpStatus
build_vector(const NlpSlotSpec *spec, const NlpGgufTensor *t, const NlpSource *src, float *dst,
			 void *buf, NlpError *err)
{
	NLP_TRY(src->read(src->ctx, t->offset, (size_t) t->bytes, buf, err));
	nlp_dtype_to_f32((NlpDtype) t->dtype, buf, dst, (size_t) spec->cols);
	for (uint64_t i = 0; i < spec->cols; i++)
	{
		if (!isfinite(dst[i]))
			return nlp_fail_at(err, NLP_ECORRUPT, spec->name, t->offset,
							   "tensor \"%s\" has a value that is not finite", spec->name);
	}
	return NLP_OK;
}

typedef struct Packing
{
	const NlpSlotSpec *spec;
	const NlpGgufTensor *t;
	const unsigned char *rows;	/* what was read: rows first_row .. first_row+n_rows */
	uint64_t	first_row,
				n_rows;
	size_t		row_bytes,
				tile_bytes;
	char	   *dst;			/* tile of first_row */
	bool		keep;			/* false: every tile goes to dst[rank], only checked */
	NlpError   *errs;			/* one a thread */
	NlpStatus  *status;
} Packing;

static void
pack_part(void *ctx, int rank, int size)
{
	Packing    *k = ctx;
	uint64_t	tiles = (k->n_rows + NLP_TILE_ROWS - 1) / NLP_TILE_ROWS;

	for (uint64_t i = tiles * rank / size; i < tiles * (rank + 1) / size && k->status[rank] == NLP_OK; i++)
	{
		uint64_t	row = i * NLP_TILE_ROWS;
		uint64_t	n = k->n_rows - row < NLP_TILE_ROWS ? k->n_rows - row : NLP_TILE_ROWS;

		k->status[rank] = nlp_pack_tile((NlpDtype) k->t->dtype, k->rows + row * k->row_bytes, k->row_bytes,
										(int) n, k->spec->cols,
										k->dst + (k->keep ? i : (uint64_t) rank) * k->tile_bytes,
										false, &k->errs[rank]);
	}
}

static NlpStatus
build_matrix(const NlpSlotSpec *spec, const NlpGgufTensor *t, const NlpSource *src, const NlpEnv *env,
			 char *dst, bool keep, unsigned char *buf, size_t buf_bytes, volatile uint64_t *done, NlpError *err)
{
	NlpError	errs[PACK_THREADS];
	NlpStatus	status[PACK_THREADS] = {NLP_OK};
	Packing		k = {.spec = spec, .t = t, .rows = buf, .keep = keep, .errs = errs, .status = status};
	uint64_t	step;

	k.row_bytes = (size_t) (t->bytes / spec->rows);
	k.tile_bytes = nlp_pack_tile_bytes((NlpDtype) t->dtype, spec->cols);
	step = buf_bytes / k.row_bytes / NLP_TILE_ROWS * NLP_TILE_ROWS;
	for (uint64_t row = 0; row < spec->rows; row += step)
	{
		k.first_row = row;
		k.n_rows = spec->rows - row < step ? spec->rows - row : step;
		k.dst = keep ? dst + row / NLP_TILE_ROWS * k.tile_bytes : dst;
		NLP_TRY(src->read(src->ctx, t->offset + row * k.row_bytes, k.n_rows * k.row_bytes, buf, err));
		if (nlp_pool_size(env->pool) <= PACK_THREADS && keep)
			nlp_pool_run(env->pool, pack_part, &k);
		else
			pack_part(&k, 0, 1);
		for (int i = 0; i < PACK_THREADS; i++)
		{
			if (status[i] != NLP_OK)
			{
				if (err)
					*err = errs[i];
				nlp_fail_at(err, status[i], spec->name, t->offset + row * k.row_bytes,
							"tensor \"%s\" has a scale that is not finite", spec->name);
				return status[i];
			}
		}
		if (done)
			*done += k.n_rows * k.row_bytes;
		NLP_TRY(nlp_poll(env, err));
	}
	return NLP_OK;
}

/* block NULL: check only. */
static NlpStatus
build_weights(NlpImagePlan *p, const NlpSource *src, const NlpEnv *env, char *block,
			  volatile uint64_t *done, NlpError *err)
{
	size_t		buf_bytes = READ_BYTES,
				scratch_bytes = 64;
	unsigned char *buf;
	char	   *scratch = NULL;
	NlpStatus	st = NLP_OK;

	for (uint64_t i = 0; i < p->gguf.n_tensors; i++)
	{
		const NlpGgufTensor *t = &p->gguf.tensors[i];
		const NlpSlotSpec *spec = &p->slots.specs[p->tensor_slot[i]];
		size_t		need = (size_t) (spec->vector ? t->bytes : t->bytes / spec->rows * NLP_TILE_ROWS);

		if (need > buf_bytes)
			buf_bytes = need;
	}
	for (uint32_t i = 0; !block && i < p->slots.n; i++)
	{
		const NlpWeight *w = &p->weights[i];
		size_t		tile = w->layout == NLP_LAYOUT_TILES ? nlp_pack_tile_bytes((NlpDtype) w->dtype, w->cols) :
			(size_t) w->bytes;

		if (tile > scratch_bytes)
			scratch_bytes = tile;
	}
	buf = nlp_alloc(env->alloc, buf_bytes);
	if (buf && !block)
		scratch = nlp_alloc(env->alloc, scratch_bytes);
	if (!buf || (!block && !scratch))
	{
		nlp_free(env->alloc, buf);
		return nlp_no_memory(err, buf_bytes, "reading tensors");
	}
	for (uint64_t i = 0; i < p->gguf.n_tensors && st == NLP_OK; i++)
	{
		const NlpGgufTensor *t = &p->gguf.tensors[p->order[i]];
		uint32_t	s = p->tensor_slot[p->order[i]];
		const NlpSlotSpec *spec = &p->slots.specs[s];
		char	   *dst = block ? block + p->weights[s].offset : scratch;

		if (spec->vector)
			st = build_vector(spec, t, src, (float *) dst, buf, err);
		else
			st = build_matrix(spec, t, src, env, dst, block != NULL, buf, buf_bytes, done, err);
		/* Padding up to the next 64 bytes is defined too. */
		if (st == NLP_OK && block)
			memset(dst + p->weights[s].bytes, 0, (64 - p->weights[s].bytes % 64) % 64);
	}
	nlp_free(env->alloc, scratch);
	nlp_free(env->alloc, buf);
	return st;
}

/* The segmenter checks itself while it is filled, so to verify one is to build it. */
static NlpStatus
verify_segmenter(const NlpImagePlan *p, const NlpEnv *env, NlpError *err)
{
	uint64_t	bytes = p->header.table_bytes;
	void	   *block = nlp_alloc(env->alloc, (size_t) bytes);
	NlpStatus	st;

	if (!block)
		return nlp_no_memory(err, (size_t) bytes, "segmenter");
	st = nlp_segmenter_build(&p->gguf, env, block, bytes, err);
	nlp_free(env->alloc, block);
	return st;
}

/* block NULL: check only. */
static NlpStatus
build_table(NlpImagePlan *p, const NlpSource *src, const NlpEnv *env, char *block,
			volatile uint64_t *done, NlpError *err)
{
	const NlpImage *h = &p->header;
	uint64_t	end = h->table_offset + h->table_bytes;

	if (block)
	{
		memset(block, 0, (size_t) h->table_offset);
		memcpy(block, h, sizeof(*h));
		memset(block + end, 0, (size_t) (h->bytes - end));
	}
	if (h->arch == NLP_IMAGE_WORDS)
		return nlp_words_build(p->words, src, env, block ? block + h->table_offset : NULL, done, err);
	if (!block)
		return verify_segmenter(p, env, err);
	return nlp_segmenter_build(&p->gguf, env, block + h->table_offset, h->table_bytes, err);
}

NlpStatus
nlp_image_build(NlpImagePlan *p, const NlpSource *src, const NlpEnv *env, void *block_ptr,
				volatile uint64_t *done, NlpError *err)
{
	char	   *block = block_ptr;
	const NlpImage *h = &p->header;
	uint64_t	tables = h->template_offset ? h->template_offset + h->template_bytes + 1 :
		h->tokenizer_offset + h->tokenizer_bytes;

	if (src->size != p->gguf.file_bytes)
		return nlp_fail(err, NLP_EIO, "the file's size changed while it was read");
	if (h->table_offset)
		return build_table(p, src, env, block, done, err);
	tables = (tables + 63) & ~(uint64_t) 63;
	memset(block, 0, (size_t) (tables < h->bytes ? tables : h->bytes));
	memcpy(block, h, sizeof(*h));
	if (p->slots.n)
		memcpy(block + h->weights_offset, p->weights, p->slots.n * sizeof(NlpWeight));
	memcpy(block + h->tokenizer_offset, p->tokenizer, (size_t) h->tokenizer_bytes);
	if (h->template_offset)
		memcpy(block + h->template_offset, p->chat_template.data, (size_t) h->template_bytes);
	return build_weights(p, src, env, block, done, err);
}

NlpStatus
nlp_image_verify(NlpImagePlan *p, const NlpSource *src, const NlpEnv *env, NlpError *err)
{
	if (src->size != p->gguf.file_bytes)
		return nlp_fail(err, NLP_EIO, "the file's size changed while it was read");
	if (p->header.table_offset)
		return build_table(p, src, env, NULL, NULL, err);
	return build_weights(p, src, env, NULL, NULL, err);
}

/* ---- opening ---- */

static bool
inside(uint64_t offset, uint64_t bytes, uint64_t total)
{
	return offset % 64 == 0 && offset <= total && bytes <= total - offset;
}

static NlpStatus
check_table(const NlpImage *h, NlpError *err)
{
	if (!inside(h->table_offset, h->table_bytes, h->bytes) || h->table_offset < sizeof(NlpImage) || h->n_weights)
		return nlp_fail(err, NLP_ECORRUPT, "resident model image has tables outside itself");
	if (h->arch == NLP_IMAGE_WORDS)
		return nlp_words_check(nlp_image_words(h), h->table_bytes, err);
	return nlp_segmenter_check(nlp_image_segmenter(h), h->table_bytes, err);
}

NlpStatus
nlp_image_check(const void *block, uint64_t bytes, NlpError *err)
{
	const NlpImage *h = block;
	const NlpWeight *w;

	if (bytes < sizeof(NlpImage) || memcmp(h->magic, MAGIC, sizeof(h->magic)) != 0)
		return nlp_fail(err, NLP_ECORRUPT, "not a resident model image");
	if (h->abi_hash != abi_hash())
	{
		nlp_fail(err, NLP_EUNSUPPORTED, "the resident model image was made by another version of pg_nlp");
		nlp_hint(err, "Evict the model with nlp.evict(), or restart the server.");
		return NLP_EUNSUPPORTED;
	}
	if (h->bytes == bytes && !nlp_image_is_network(h) && h->arch != NLP_IMAGE_TOKENIZER)
		return check_table(h, err);
	if (h->bytes != bytes || h->n_weights > 65535 ||
		!inside(h->weights_offset, h->n_weights * sizeof(NlpWeight), bytes) ||
		!inside(h->tokenizer_offset, h->tokenizer_bytes, bytes) ||
		(h->template_offset && !inside(h->template_offset, h->template_bytes + 1, bytes)))
		return nlp_fail(err, NLP_ECORRUPT, "resident model image has tables outside itself");
	w = nlp_image_weights(h);
	for (uint32_t i = 0; i < h->n_weights; i++)
	{
		if (w[i].layout != NLP_LAYOUT_ABSENT && !inside(w[i].offset, w[i].bytes, bytes))
			return nlp_fail(err, NLP_ECORRUPT, "resident model image has weight %u outside itself", i);
	}
	return nlp_tokenizer_check(nlp_image_tokenizer(h), (size_t) h->tokenizer_bytes, err);
}
