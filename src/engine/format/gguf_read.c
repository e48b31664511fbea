/* gguf_read.c --- read a GGUF container: header, key/values, tensor directory.
 *
 *   magic "GGUF" | version u32 | n_tensors u64 | n_kv u64
 *   n_kv x      key (len u64, bytes) | type u32 | value
 *   n_tensors x name (len u64, bytes) | n_dims u32 | dims u64 each | type u32 | offset u64
 *   padding to general.alignment, then tensor data, each tensor padded likewise
 *
 * Trust:  bytes are a stranger's. One bounded reader; `remaining` is the only
 *         authority: a count or length is compared with it, unsigned, before it
 *         sizes an allocation, a loop or a product. Data is copied, never cast.
 * Memory: the file's metadata times a small constant, plus one 16 kB buffer.
 * Owns:   everything lies in g->arena.
 * Source: GGUF v3, docs/gguf.md of ggml; versions 2 and 3 have one layout. Departs:
 *         arrays of arrays, empty dimensions and bytes after the last tensor are
 *         refused; tensors must lie in directory order without gaps, as ggml
 *         itself requires. */
#include <string.h>

#include "core/utf8.h"
#include "format/gguf_private.h"
#include "engine_only.h"

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "GGUF values are copied as they lie in the file: little-endian machines only"
#endif

#define BUFFER_BYTES 16384
#define ARENA_CHUNK 32768
#define TEXT_BLOCK 16384		/* strings are packed into blocks of this size */

#define MIN_KV_BYTES 14			/* one-byte key, type, one-byte value */
#define MIN_TENSOR_BYTES 33		/* one-byte name, one dimension */

typedef struct Reader
{
	const NlpSource *src;
	const NlpEnv *env;
	NlpGguf    *g;
	NlpError   *err;
	uint64_t	pos;			/* of the next byte to hand out */
	uint64_t	remaining;		/* bytes from pos to the end of the file */
	unsigned char *buffer;
	size_t		have;			/* bytes in the buffer, */
	size_t		used;			/* of which this many are handed out */
	char	   *text;			/* free part of the current block of strings */
	size_t		text_left;
	const char *field;			/* what is being read, for errors */
} Reader;

static NlpStatus
corrupt_short(Reader *r)
{
	return nlp_fail_at(r->err, NLP_ECORRUPT, r->field, r->pos, "file ends inside its %s", r->field);
}

static NlpStatus
no_memory(Reader *r, size_t bytes)
{
	return nlp_no_memory(r->err, bytes, "metadata of a model file");
}

static void *
arena_array(Reader *r, size_t n, size_t size)
{
	size_t		bytes;

	if (!nlp_mul_size(n, size, &bytes))
		return NULL;
	return nlp_arena_alloc(&r->g->arena, bytes);
}

/* ---- the bounded reader ---- */

/* Copy the next len bytes: from the buffer, refilling it, or straight from the
 * source when what is wanted is larger than the buffer. Polls at each refill. */
static NlpStatus
take(Reader *r, void *dst, size_t len)
{
	char	   *out = dst;

	if (len > r->remaining)
		return corrupt_short(r);
	while (len > 0)
	{
		size_t		n = r->have - r->used;

		if (n > 0)
		{
			if (n > len)
				n = len;
			memcpy(out, r->buffer + r->used, n);
			r->used += n;
		}
		else
		{
			n = r->remaining < BUFFER_BYTES ? (size_t) r->remaining : BUFFER_BYTES;
			NLP_TRY(nlp_poll(r->env, r->err));
			if (len < BUFFER_BYTES)
			{
				NLP_TRY(r->src->read(r->src->ctx, r->pos, n, r->buffer, r->err));
				r->have = n;
				r->used = 0;
				continue;
			}
			if (n > len)
				n = len;
			NLP_TRY(r->src->read(r->src->ctx, r->pos, n, out, r->err));
		}
		out += n;
		len -= n;
		r->pos += n;
		r->remaining -= n;
	}
	return NLP_OK;
}

static NlpStatus
take_u32(Reader *r, uint32_t *v)
{
	return take(r, v, sizeof(*v));
}

static NlpStatus
take_u64(Reader *r, uint64_t *v)
{
	return take(r, v, sizeof(*v));
}

/* A string's length and bytes, copied and given a NUL. */
static NlpStatus
take_string(Reader *r, uint64_t max, NlpStr *s)
{
	uint64_t	at = r->pos;
	uint64_t	len;
	char	   *data;

	NLP_TRY(take_u64(r, &len));
	if (len > r->remaining)
		return nlp_fail_at(r->err, NLP_ECORRUPT, r->field, at,
						   "%s has length %llu, but %llu bytes are left", r->field,
						   (unsigned long long) len, (unsigned long long) r->remaining);
	if (len > max)
		return nlp_fail_at(r->err, max == NLP_GGUF_MAX_STRING ? NLP_ELIMIT : NLP_ECORRUPT, r->field, at,
						   "%s has length %llu, more than the %llu allowed", r->field,
						   (unsigned long long) len, (unsigned long long) max);
	if (len + 1 > TEXT_BLOCK / 4)
		data = nlp_arena_alloc(&r->g->arena, (size_t) len + 1);
	else
	{
		if (len + 1 > r->text_left)
		{
			r->text = nlp_arena_alloc(&r->g->arena, TEXT_BLOCK);
			r->text_left = r->text ? TEXT_BLOCK : 0;
		}
		data = r->text;
		if (data)
		{
			r->text += len + 1;
			r->text_left -= (size_t) len + 1;
		}
	}
	if (!data)
		return no_memory(r, (size_t) len + 1);
	NLP_TRY(take(r, data, (size_t) len));
	data[len] = '\0';
	s->data = data;
	s->len = (size_t) len;
	return NLP_OK;
}

/* A key or a tensor's name: not empty, UTF-8, no NUL, since it is looked up as a C string. */
static NlpStatus
take_name(Reader *r, uint64_t max, NlpStr *s)
{
	uint64_t	at = r->pos;
	size_t		bad;

	NLP_TRY(take_string(r, max, s));
	if (s->len == 0)
		return nlp_fail_at(r->err, NLP_ECORRUPT, r->field, at, "%s is empty", r->field);
	if (memchr(s->data, 0, s->len))
		return nlp_fail_at(r->err, NLP_ECORRUPT, r->field, at, "%s contains a zero byte", r->field);
	if (!nlp_utf8_valid(s->data, s->len, &bad))
		return nlp_fail_at(r->err, NLP_ECORRUPT, r->field, at + 8 + bad,
						   "%s is not valid UTF-8", r->field);
	return NLP_OK;
}

/* ---- header ---- */

typedef struct Foreign
{
	char		magic[5];
	const char *what;
} Foreign;

static const Foreign foreigns[] = {
	{"ggml", "an unversioned GGML file"}, {"lmgg", "an unversioned GGML file"},
	{"ggmf", "a GGMF file"}, {"fmgg", "a GGMF file"},
	{"ggjt", "a GGJT file"}, {"tjgg", "a GGJT file"},
	{"ggla", "a GGLA adapter"}, {"algg", "a GGLA adapter"},
	{"FUGG", "a byte-swapped GGUF file"},
	{"PK\003\004", "a zip archive, perhaps a PyTorch checkpoint"},
	{"\177ELF", "a program"},
};

static NlpStatus
check_magic(Reader *r, const char *magic)
{
	if (memcmp(magic, "GGUF", 4) == 0)
		return NLP_OK;
	for (size_t i = 0; i < sizeof(foreigns) / sizeof(foreigns[0]); i++)
	{
		if (memcmp(magic, foreigns[i].magic, 4) == 0)
		{
			nlp_fail_at(r->err, NLP_ECORRUPT, "magic", 0, "file is not in GGUF format");
			nlp_detail(r->err, "It looks like %s.", foreigns[i].what);
			nlp_hint(r->err, "Convert the model to GGUF version 3.");
			return NLP_ECORRUPT;
		}
	}
	nlp_fail_at(r->err, NLP_ECORRUPT, "magic", 0, "file is not in GGUF format");
	nlp_hint(r->err, "Models are GGUF files; word vectors may also be files of word2vec, GloVe or fastText.");
	return NLP_ECORRUPT;
}

static NlpStatus
check_version(Reader *r, uint32_t version)
{
	if (version == 2 || version == 3)
		return NLP_OK;
	if (version != 0 && (version & 0xffff) == 0)
	{
		nlp_fail_at(r->err, NLP_EUNSUPPORTED, "version", 4,
					"GGUF file is big-endian (version %u)", __builtin_bswap32(version));
		return nlp_hint(r->err, "Convert the model on, or for, a little-endian machine.");
	}
	if (version == 0)
		return nlp_fail_at(r->err, NLP_ECORRUPT, "version", 4, "GGUF version is 0");
	nlp_fail_at(r->err, NLP_EUNSUPPORTED, "version", 4,
				"GGUF version %u is not supported, only 2 and 3 are", version);
	return nlp_hint(r->err, "Convert the model to GGUF version 3.");
}

static NlpStatus
check_count(Reader *r, const char *field, uint64_t at, uint64_t n, uint64_t min_bytes, uint64_t max)
{
	if (n > r->remaining / min_bytes)
		return nlp_fail_at(r->err, NLP_ECORRUPT, field, at,
						   "file claims %llu %s, more than its size allows",
						   (unsigned long long) n, field);
	if (n > max)
		return nlp_fail_at(r->err, NLP_ELIMIT, field, at, "file has %llu %s, more than the limit of %llu",
						   (unsigned long long) n, field, (unsigned long long) max);
	return NLP_OK;
}

static NlpStatus
read_header(Reader *r)
{
	NlpGguf    *g = r->g;
	char		magic[4];

	r->field = "header";
	NLP_TRY(take(r, magic, 4));
	NLP_TRY(check_magic(r, magic));
	NLP_TRY(take_u32(r, &g->version));
	NLP_TRY(check_version(r, g->version));
	NLP_TRY(take_u64(r, &g->n_tensors));
	NLP_TRY(take_u64(r, &g->n_kv));
	NLP_TRY(check_count(r, "keys", 16, g->n_kv, MIN_KV_BYTES, NLP_GGUF_MAX_KV));
	NLP_TRY(check_count(r, "tensors", 8, g->n_tensors, MIN_TENSOR_BYTES, NLP_GGUF_MAX_TENSORS));
	return NLP_OK;
}

/* ---- key/values ---- */

/* Values of one scalar type, copied as they lie in the file. */
static NlpStatus
read_scalars(Reader *r, NlpGgufType type, uint64_t count, const void **data)
{
	size_t		size = nlp_gguf_type_bytes(type);
	uint64_t	at = r->pos;
	void	   *values;

	if (count > r->remaining / size)
		return corrupt_short(r);
	values = arena_array(r, (size_t) count, size);
	if (!values)
		return no_memory(r, (size_t) count * size);
	NLP_TRY(take(r, values, (size_t) count * size));
	if (type == NLP_GGUF_BOOL)
	{
		const uint8_t *b = values;

		for (uint64_t i = 0; i < count; i++)
		{
			if (b[i] > 1)
				return nlp_fail_at(r->err, NLP_ECORRUPT, r->field, at + i, "bool is neither 0 nor 1");
		}
	}
	*data = values;
	return NLP_OK;
}

static NlpStatus
read_strings(Reader *r, uint64_t count, const void **data)
{
	NlpStr	   *values;

	if (count > r->remaining / 8)
		return corrupt_short(r);
	values = arena_array(r, (size_t) count, sizeof(NlpStr));
	if (!values)
		return no_memory(r, (size_t) count * sizeof(NlpStr));
	for (uint64_t i = 0; i < count; i++)
		NLP_TRY(take_string(r, NLP_GGUF_MAX_STRING, &values[i]));
	*data = values;
	return NLP_OK;
}

static NlpStatus
bad_type(Reader *r, uint64_t index, uint64_t at, uint32_t type)
{
	return nlp_fail_at(r->err, NLP_ECORRUPT, r->field, at, "key %llu has the unknown type %u",
					   (unsigned long long) index, type);
}

static NlpStatus
read_kv(Reader *r, uint64_t index, NlpGgufKv *kv)
{
	uint64_t	at;
	uint32_t	type;

	r->field = "key";
	NLP_TRY(take_name(r, NLP_GGUF_MAX_KEY, &kv->key));
	r->field = "value";
	at = r->pos;
	NLP_TRY(take_u32(r, &type));
	kv->count = 1;
	if (type == NLP_GGUF_ARRAY)
	{
		at = r->pos;
		NLP_TRY(take_u32(r, &type));
		if (type == NLP_GGUF_ARRAY)
			return nlp_fail_at(r->err, NLP_EUNSUPPORTED, r->field, at,
							   "key %llu is an array of arrays", (unsigned long long) index);
		kv->type = NLP_GGUF_ARRAY;
		NLP_TRY(take_u64(r, &kv->count));
		if (kv->count > r->remaining)
			return nlp_fail_at(r->err, NLP_ECORRUPT, r->field, at + 4,
							   "array of key %llu claims %llu elements, but %llu bytes are left",
							   (unsigned long long) index, (unsigned long long) kv->count,
							   (unsigned long long) r->remaining);
		if (kv->count > NLP_GGUF_MAX_ARRAY)
			return nlp_fail_at(r->err, NLP_ELIMIT, r->field, at + 4,
							   "array of key %llu has %llu elements, more than the limit of %u",
							   (unsigned long long) index, (unsigned long long) kv->count,
							   NLP_GGUF_MAX_ARRAY);
	}
	else
		kv->type = (NlpGgufType) type;
	kv->elem = (NlpGgufType) type;
	kv->offset = r->pos;
	if (type == NLP_GGUF_STRING)
		return read_strings(r, kv->count, &kv->data);
	if (nlp_gguf_type_bytes(type) == 0)
		return bad_type(r, index, at, type);
	return read_scalars(r, (NlpGgufType) type, kv->count, &kv->data);
}

static NlpStr
key_text(const void *ctx, uint32_t item)
{
	return ((const NlpGguf *) ctx)->kv[item].key;
}

static NlpStr
name_text(const void *ctx, uint32_t item)
{
	return ((const NlpGguf *) ctx)->tensors[item].name;
}

/* Sort the texts of n items; refuses the file when two are equal. */
static NlpStatus
build_index(Reader *r, uint64_t n, const char *what, NlpStr (*text) (const void *, uint32_t),
			NlpGgufEntry **out)
{
	NlpGgufEntry *entries = arena_array(r, (size_t) n, sizeof(NlpGgufEntry));
	NlpGgufEntry *scratch;
	uint32_t	first,
				second;

	if (!entries)
		return no_memory(r, (size_t) n * sizeof(NlpGgufEntry));
	scratch = nlp_alloc(r->env->alloc, (size_t) n * sizeof(NlpGgufEntry) + 1);
	if (!scratch)
		return no_memory(r, (size_t) n * sizeof(NlpGgufEntry));
	nlp_gguf_index_sort(entries, scratch, (uint32_t) n, text, r->g, &first, &second);
	nlp_free(r->env->alloc, scratch);
	if (second != 0)
	{
		nlp_fail(r->err, NLP_ECORRUPT, "%s %u has the same name as %s %u", what, second, what, first);
		return NLP_ECORRUPT;
	}
	*out = entries;
	return NLP_OK;
}

static NlpStatus
read_keys(Reader *r)
{
	NlpGguf    *g = r->g;

	g->kv = arena_array(r, (size_t) g->n_kv, sizeof(NlpGgufKv));
	if (!g->kv)
		return no_memory(r, (size_t) g->n_kv * sizeof(NlpGgufKv));
	for (uint64_t i = 0; i < g->n_kv; i++)
		NLP_TRY(read_kv(r, i, &g->kv[i]));
	return build_index(r, g->n_kv, "key", key_text, &g->index->keys);
}

static NlpStatus
read_alignment(Reader *r)
{
	NlpGguf    *g = r->g;
	const NlpGgufKv *kv = nlp_gguf_find(g, "general.alignment");

	g->alignment = 32;
	if (!kv)
		return NLP_OK;
	if (kv->type != NLP_GGUF_U32)
		return nlp_fail_at(r->err, NLP_ECORRUPT, "general.alignment", kv->offset,
						   "key \"general.alignment\" is of type %s, but must be uint32",
						   nlp_gguf_type_name(kv->type));
	g->alignment = *(const uint32_t *) kv->data;
	if (g->alignment < 8 || (g->alignment & (g->alignment - 1)) != 0 ||
		g->alignment > NLP_GGUF_MAX_ALIGNMENT)
		return nlp_fail_at(r->err, NLP_ECORRUPT, "general.alignment", kv->offset,
						   "key \"general.alignment\" is %u, but must be a power of two between 8 and %u",
						   g->alignment, NLP_GGUF_MAX_ALIGNMENT);
	return NLP_OK;
}

/* A model cut into several files is whole only when they are merged. */
static NlpStatus
check_split(Reader *r)
{
	uint64_t	count = 1,
				no = 0;
	bool		found;

	NLP_TRY(nlp_gguf_u64(r->g, "split.count", 0, UINT16_MAX, &count, &found, r->err));
	if (count <= 1)
		return NLP_OK;
	NLP_TRY(nlp_gguf_u64(r->g, "split.no", 0, UINT16_MAX, &no, &found, r->err));
	nlp_fail_at(r->err, NLP_EUNSUPPORTED, "split.count", nlp_gguf_find(r->g, "split.count")->offset,
				"file is part %llu of %llu of a split model",
				(unsigned long long) no + 1, (unsigned long long) count);
	return nlp_hint(r->err, "Merge the parts first, for example with llama-gguf-split --merge.");
}

/* ---- tensor directory ---- */

/* Name and geometry of the element type; sizes that wrap are refused here. */
static NlpStatus
tensor_bytes(Reader *r, uint64_t index, uint64_t at, uint32_t type, NlpGgufTensor *t)
{
	const NlpDtypeInfo *info = nlp_dtype_info(type);
	uint64_t	rows;

	if (!info)
		return nlp_fail_at(r->err, NLP_EUNSUPPORTED, r->field, at,
						   "tensor %llu has the unknown element type %u",
						   (unsigned long long) index, type);
	if (!info->supported)
	{
		nlp_fail_at(r->err, NLP_EUNSUPPORTED, r->field, at,
					"tensor %llu has element type %s, which is not supported",
					(unsigned long long) index, info->name);
		return nlp_hint(r->err, "Supported are F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q4_K, Q5_K and Q6_K.");
	}
	t->dtype = type;
	if (t->dims[0] % info->block_elems != 0)
		return nlp_fail_at(r->err, NLP_ECORRUPT, r->field, at,
						   "tensor %llu has rows of %llu elements, not a multiple of the %u of a %s block",
						   (unsigned long long) index, (unsigned long long) t->dims[0],
						   info->block_elems, info->name);
	if (__builtin_mul_overflow(t->dims[1], t->dims[2], &rows) ||
		__builtin_mul_overflow(rows, t->dims[3], &rows) ||
		!nlp_dtype_bytes((NlpDtype) type, rows, t->dims[0], &t->bytes))
		return nlp_fail_at(r->err, NLP_ECORRUPT, r->field, at,
						   "size of tensor %llu is out of range", (unsigned long long) index);
	if (t->bytes > r->src->size)
		return nlp_fail_at(r->err, NLP_ECORRUPT, r->field, at,
						   "tensor %llu is larger than the file", (unsigned long long) index);
	return NLP_OK;
}

static NlpStatus
read_tensor(Reader *r, uint64_t index, NlpGgufTensor *t)
{
	uint64_t	at;
	uint32_t	type;

	r->field = "tensor name";
	NLP_TRY(take_name(r, NLP_GGUF_MAX_NAME, &t->name));
	r->field = "tensor shape";
	at = r->pos;
	NLP_TRY(take_u32(r, &t->n_dims));
	if (t->n_dims < 1 || t->n_dims > 4)
		return nlp_fail_at(r->err, NLP_ECORRUPT, r->field, at,
						   "tensor %llu has %u dimensions, but must have 1 to 4",
						   (unsigned long long) index, t->n_dims);
	for (uint32_t i = 0; i < 4; i++)
	{
		t->dims[i] = 1;
		at = r->pos;
		if (i < t->n_dims)
			NLP_TRY(take_u64(r, &t->dims[i]));
		if (t->dims[i] == 0 || t->dims[i] > (uint64_t) INT64_MAX)
			return nlp_fail_at(r->err, NLP_ECORRUPT, r->field, at,
							   "dimension %u of tensor %llu is out of range",
							   i, (unsigned long long) index);
	}
	r->field = "tensor type";
	at = r->pos;
	NLP_TRY(take_u32(r, &type));
	NLP_TRY(tensor_bytes(r, index, at, type, t));
	r->field = "tensor offset";
	return take_u64(r, &t->offset);
}

/* Offsets become absolute. Each tensor starts where the one before it, padded,
 * ends, so they are aligned and disjoint; the last may lack its padding. */
static NlpStatus
place_tensors(Reader *r)
{
	NlpGguf    *g = r->g;
	uint64_t	end;
	uint64_t	start;

	r->field = "tensor offset";
	if (!nlp_pad_size(r->pos, g->alignment, &g->data_offset))
		return corrupt_short(r);
	start = g->data_offset;
	for (uint64_t i = 0; i < g->n_tensors; i++)
	{
		NlpGgufTensor *t = &g->tensors[i];

		if (t->offset % g->alignment != 0)
			return nlp_fail_at(r->err, NLP_ECORRUPT, r->field, r->pos,
							   "offset %llu of tensor %llu is not a multiple of the alignment %u",
							   (unsigned long long) t->offset, (unsigned long long) i, g->alignment);
		if (t->offset != start - g->data_offset)
			return nlp_fail_at(r->err, NLP_ECORRUPT, r->field, r->pos,
							   "offset of tensor %llu is %llu, but the tensor before it ends at %llu",
							   (unsigned long long) i, (unsigned long long) t->offset,
							   (unsigned long long) (start - g->data_offset));
		if (start > g->file_bytes || t->bytes > g->file_bytes - start)
			return nlp_fail_at(r->err, NLP_ECORRUPT, r->field, g->file_bytes,
							   "file ends before the data of tensor %llu does", (unsigned long long) i);
		t->offset = start;
		end = start + t->bytes;
		if (!nlp_pad_size(end, g->alignment, &start))
			return corrupt_short(r);
	}
	if (g->file_bytes > start)
		return nlp_fail_at(r->err, NLP_ECORRUPT, "", start, "file has bytes after its last tensor");
	if (g->data_offset > g->file_bytes)
		g->data_offset = g->file_bytes; /* a vocabulary without its padding */
	return NLP_OK;
}

static NlpStatus
read_tensors(Reader *r)
{
	NlpGguf    *g = r->g;

	/* The keys are behind us: what is left bounds the directory better. */
	NLP_TRY(check_count(r, "tensors", 8, g->n_tensors, MIN_TENSOR_BYTES, NLP_GGUF_MAX_TENSORS));
	g->tensors = arena_array(r, (size_t) g->n_tensors, sizeof(NlpGgufTensor));
	if (!g->tensors)
		return no_memory(r, (size_t) g->n_tensors * sizeof(NlpGgufTensor));
	for (uint64_t i = 0; i < g->n_tensors; i++)
		NLP_TRY(read_tensor(r, i, &g->tensors[i]));
	NLP_TRY(build_index(r, g->n_tensors, "tensor", name_text, &g->index->names));
	return place_tensors(r);
}

static NlpStatus
read_all(Reader *r)
{
	NlpGguf    *g = r->g;

	g->index = nlp_arena_alloc(&g->arena, sizeof(NlpGgufIndex));
	if (!g->index)
		return no_memory(r, sizeof(NlpGgufIndex));
	memset(g->index, 0, sizeof(*g->index));
	NLP_TRY(read_header(r));
	NLP_TRY(read_keys(r));
	NLP_TRY(read_alignment(r));
	NLP_TRY(check_split(r));
	return read_tensors(r);
}

NlpStatus
nlp_gguf_open(const NlpSource *src, const NlpEnv *env, NlpGguf *g, NlpError *err)
{
	Reader		r = {.src = src, .env = env, .g = g, .err = err, .remaining = src->size};
	NlpStatus	status;

	memset(g, 0, sizeof(*g));
	nlp_arena_init(&g->arena, env->alloc, ARENA_CHUNK);
	g->file_bytes = src->size;
	r.buffer = nlp_alloc(env->alloc, BUFFER_BYTES);
	if (!r.buffer)
		return nlp_no_memory(err, BUFFER_BYTES, "reading a model file");
	status = read_all(&r);
	nlp_free(env->alloc, r.buffer);
	if (status != NLP_OK)
		nlp_gguf_close(g);
	return status;
}

void
nlp_gguf_close(NlpGguf *g)
{
	nlp_arena_free(&g->arena);
	memset(g, 0, sizeof(*g));
}
