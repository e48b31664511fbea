/* gguf_write.c --- write a GGUF v3 container through a sink.
 *
 * Keys and tensors are declared, the header is written, then the tensors' bytes
 * pass through in declared order: nothing of a tensor is kept here. The writer
 * holds only the encoded key/values and the directory.
 *
 * Declaring takes the caller's words for keys and names (checked like a file's,
 * NLP_EINVALID); what it writes, nlp_gguf_open accepts. A file with no tensors
 * ends with its last key, like the vocabularies of llama.cpp.
 * Source: GGUF v3, docs/gguf.md of ggml. */
#include <string.h>

#include "core/utf8.h"
#include "format/gguf_private.h"
#include "engine_only.h"

typedef struct WriterTensor
{
	size_t		name_at;		/* in directory names */
	size_t		name_len;
	uint32_t	n_dims;
	uint64_t	dims[4];
	NlpDtype	dtype;
	uint64_t	bytes;
} WriterTensor;

typedef struct WriterKey
{
	size_t		at;				/* in the encoded key/values */
	size_t		len;
} WriterKey;

struct NlpGgufWriter
{
	const NlpAlloc *alloc;
	uint32_t	alignment;
	NlpBuf		kv;				/* encoded key/values */
	NlpBuf		keys;			/* WriterKey[] */
	NlpBuf		names;			/* names of tensors, end to end */
	NlpBuf		tensors;		/* WriterTensor[] */
	bool		header_written;
	size_t		current;		/* tensor whose data comes next */
	uint64_t	current_bytes;	/* of it already written */
};

static size_t
n_keys(const NlpGgufWriter *w)
{
	return w->keys.len / sizeof(WriterKey);
}

static size_t
n_tensors(const NlpGgufWriter *w)
{
	return w->tensors.len / sizeof(WriterTensor);
}

static const WriterTensor *
tensor_at(const NlpGgufWriter *w, size_t i)
{
	return (const WriterTensor *) w->tensors.data + i;
}

NlpStatus
nlp_gguf_writer_new(const NlpAlloc *alloc, NlpGgufWriter **out, NlpError *err)
{
	NlpGgufWriter *w = nlp_alloc_zero(alloc, sizeof(*w));

	if (!w)
		return nlp_no_memory(err, sizeof(*w), "GGUF writer");
	w->alloc = alloc;
	w->alignment = 32;
	nlp_buf_init(&w->kv, alloc);
	nlp_buf_init(&w->keys, alloc);
	nlp_buf_init(&w->names, alloc);
	nlp_buf_init(&w->tensors, alloc);
	*out = w;
	return NLP_OK;
}

void
nlp_gguf_writer_free(NlpGgufWriter *w)
{
	if (!w)
		return;
	nlp_buf_free(&w->kv);
	nlp_buf_free(&w->keys);
	nlp_buf_free(&w->names);
	nlp_buf_free(&w->tensors);
	nlp_free(w->alloc, w);
}

/* ---- declaring keys ---- */

static NlpStatus
append(NlpBuf *b, const void *bytes, size_t len, NlpError *err)
{
	if (!nlp_buf_append(b, bytes, len))
		return nlp_no_memory(err, len, "GGUF header");
	return NLP_OK;
}

static NlpStatus
append_u32(NlpBuf *b, uint32_t v, NlpError *err)
{
	return append(b, &v, sizeof(v), err);
}

static NlpStatus
append_u64(NlpBuf *b, uint64_t v, NlpError *err)
{
	return append(b, &v, sizeof(v), err);
}

static NlpStatus
append_string(NlpBuf *b, const char *s, size_t len, NlpError *err)
{
	NLP_TRY(append_u64(b, len, err));
	return append(b, s, len, err);
}

static NlpStatus
check_name(const char *what, const char *s, size_t len, size_t max, NlpError *err)
{
	if (len == 0 || len > max)
		return nlp_fail(err, NLP_EINVALID, "%s is empty or longer than %zu bytes", what, max);
	if (memchr(s, 0, len) || !nlp_utf8_valid(s, len, NULL))
		return nlp_fail(err, NLP_EINVALID, "%s is not valid UTF-8 text", what);
	return NLP_OK;
}

static NlpStatus
begin_key(NlpGgufWriter *w, const char *key, NlpGgufType type, NlpError *err)
{
	WriterKey	k;

	if (w->header_written)
		return nlp_fail(err, NLP_EINTERNAL, "GGUF key declared after the header was written");
	k.len = strlen(key);
	NLP_TRY(check_name("GGUF key", key, k.len, NLP_GGUF_MAX_KEY, err));
	k.at = w->kv.len + 8;
	NLP_TRY(append_string(&w->kv, key, k.len, err));
	NLP_TRY(append(&w->keys, &k, sizeof(k), err));
	return append_u32(&w->kv, type, err);
}

/* Elements of one type: strings with their lengths, scalars as they are. */
static NlpStatus
append_values(NlpGgufWriter *w, NlpGgufType type, uint64_t count, const void *values, NlpError *err)
{
	size_t		size = nlp_gguf_type_bytes(type);
	size_t		bytes;

	if (type == NLP_GGUF_STRING)
	{
		const NlpStr *s = values;

		for (uint64_t i = 0; i < count; i++)
			NLP_TRY(append_string(&w->kv, s[i].data, s[i].len, err));
		return NLP_OK;
	}
	if (size == 0)
		return nlp_fail(err, NLP_EINVALID, "GGUF value of type %s cannot be written", nlp_gguf_type_name(type));
	if (!nlp_mul_size((size_t) count, size, &bytes))
		return nlp_fail(err, NLP_ELIMIT, "GGUF array is too long");
	return append(&w->kv, values, bytes, err);
}

static NlpStatus
check_alignment(NlpGgufWriter *w, uint32_t v, NlpError *err)
{
	if (v < 8 || (v & (v - 1)) != 0 || v > NLP_GGUF_MAX_ALIGNMENT)
		return nlp_fail(err, NLP_EINVALID, "GGUF alignment %u is not a power of two between 8 and %u",
						v, NLP_GGUF_MAX_ALIGNMENT);
	w->alignment = v;
	return NLP_OK;
}

NlpStatus
nlp_gguf_put_scalar(NlpGgufWriter *w, const char *key, NlpGgufType type, const void *value, NlpError *err)
{
	if (strcmp(key, "general.alignment") == 0)
	{
		uint32_t	v;

		if (type != NLP_GGUF_U32)
			return nlp_fail(err, NLP_EINVALID, "GGUF alignment must be uint32");
		memcpy(&v, value, sizeof(v));
		NLP_TRY(check_alignment(w, v, err));
	}
	NLP_TRY(begin_key(w, key, type, err));
	return append_values(w, type, 1, value, err);
}

NlpStatus
nlp_gguf_put_u32(NlpGgufWriter *w, const char *key, uint32_t v, NlpError *err)
{
	return nlp_gguf_put_scalar(w, key, NLP_GGUF_U32, &v, err);
}

NlpStatus
nlp_gguf_put_f32(NlpGgufWriter *w, const char *key, float v, NlpError *err)
{
	return nlp_gguf_put_scalar(w, key, NLP_GGUF_F32, &v, err);
}

NlpStatus
nlp_gguf_put_bool(NlpGgufWriter *w, const char *key, bool v, NlpError *err)
{
	uint8_t		byte = v;

	return nlp_gguf_put_scalar(w, key, NLP_GGUF_BOOL, &byte, err);
}

NlpStatus
nlp_gguf_put_str(NlpGgufWriter *w, const char *key, const char *s, size_t len, NlpError *err)
{
	NlpStr		str = {s, len};

	if (len > NLP_GGUF_MAX_STRING)
		return nlp_fail(err, NLP_ELIMIT, "GGUF string has length %zu, more than the %u allowed",
						len, NLP_GGUF_MAX_STRING);
	return nlp_gguf_put_scalar(w, key, NLP_GGUF_STRING, &str, err);
}

NlpStatus
nlp_gguf_put_array(NlpGgufWriter *w, const char *key, NlpGgufType elem,
				   uint64_t count, const void *values, NlpError *err)
{
	if (count > NLP_GGUF_MAX_ARRAY)
		return nlp_fail(err, NLP_ELIMIT, "GGUF array has %llu elements, more than the limit of %u",
						(unsigned long long) count, NLP_GGUF_MAX_ARRAY);
	NLP_TRY(begin_key(w, key, NLP_GGUF_ARRAY, err));
	NLP_TRY(append_u32(&w->kv, elem, err));
	NLP_TRY(append_u64(&w->kv, count, err));
	return append_values(w, elem, count, values, err);
}

NlpStatus
nlp_gguf_put_kv(NlpGgufWriter *w, const NlpGgufKv *kv, NlpError *err)
{
	if (kv->type == NLP_GGUF_ARRAY)
		return nlp_gguf_put_array(w, kv->key.data, kv->elem, kv->count, kv->data, err);
	return nlp_gguf_put_scalar(w, kv->key.data, kv->type, kv->data, err);
}

/* ---- declaring tensors ---- */

NlpStatus
nlp_gguf_put_tensor(NlpGgufWriter *w, const char *name, NlpDtype dtype,
					uint32_t n_dims, const uint64_t *dims, NlpError *err)
{
	WriterTensor t = {.name_at = w->names.len, .name_len = strlen(name), .n_dims = n_dims, .dtype = dtype};
	uint64_t	rows = 1;

	if (w->header_written)
		return nlp_fail(err, NLP_EINTERNAL, "GGUF tensor declared after the header was written");
	NLP_TRY(check_name("GGUF tensor name", name, t.name_len, NLP_GGUF_MAX_NAME, err));
	if (n_dims < 1 || n_dims > 4)
		return nlp_fail(err, NLP_EINVALID, "tensor has %u dimensions, but must have 1 to 4", n_dims);
	for (uint32_t i = 0; i < n_dims; i++)
	{
		if (dims[i] == 0 || dims[i] > (uint64_t) INT64_MAX ||
			(i > 0 && __builtin_mul_overflow(rows, dims[i], &rows)))
			return nlp_fail(err, NLP_EINVALID, "dimension %u of a tensor is out of range", i);
		t.dims[i] = dims[i];
	}
	if (!nlp_dtype_bytes(dtype, rows, dims[0], &t.bytes))
		return nlp_fail(err, NLP_EINVALID, "tensor of %llu columns cannot be written with element type %u",
						(unsigned long long) dims[0], (unsigned) dtype);
	NLP_TRY(append(&w->names, name, t.name_len, err));
	return append(&w->tensors, &t, sizeof(t), err);
}

/* ---- writing ---- */

static NlpStr
key_text(const void *ctx, uint32_t item)
{
	const NlpGgufWriter *w = ctx;
	const WriterKey *k = (const WriterKey *) w->keys.data + item;

	return (NlpStr) {w->kv.data + k->at, k->len};
}

static NlpStr
name_text(const void *ctx, uint32_t item)
{
	const NlpGgufWriter *w = ctx;
	const WriterTensor *t = tensor_at(w, item);

	return (NlpStr) {w->names.data + t->name_at, t->name_len};
}

/* NLP_EINVALID when two of n texts are equal. */
static NlpStatus
check_distinct(NlpGgufWriter *w, size_t n, size_t limit, const char *what,
			   NlpStr (*text) (const void *, uint32_t), NlpError *err)
{
	NlpGgufEntry *entries;
	uint32_t	first,
				second;

	if (n > limit)
		return nlp_fail(err, NLP_ELIMIT, "%zu GGUF %ss are more than the limit of %zu", n, what, limit);
	if (n < 2)
		return NLP_OK;
	entries = nlp_alloc(w->alloc, 2 * n * sizeof(*entries));
	if (!entries)
		return nlp_no_memory(err, 2 * n * sizeof(*entries), "GGUF header");
	nlp_gguf_index_sort(entries, entries + n, (uint32_t) n, text, w, &first, &second);
	nlp_free(w->alloc, entries);
	if (second != 0)
		return nlp_fail(err, NLP_EINVALID, "GGUF %s %u is declared twice", what, second);
	return NLP_OK;
}

static NlpStatus
write_padding(const NlpSink *sink, uint64_t position, uint32_t alignment, NlpError *err)
{
	static const char zeros[256];
	uint64_t	pad = (alignment - position % alignment) % alignment;

	while (pad > 0)
	{
		size_t		n = pad < sizeof(zeros) ? (size_t) pad : sizeof(zeros);

		NLP_TRY(sink->write(sink->ctx, zeros, n, err));
		pad -= n;
	}
	return NLP_OK;
}

/* The directory: offsets follow from the sizes. */
static NlpStatus
encode_directory(const NlpGgufWriter *w, NlpBuf *out, NlpError *err)
{
	uint64_t	offset = 0;

	for (size_t i = 0; i < n_tensors(w); i++)
	{
		const WriterTensor *t = tensor_at(w, i);

		NLP_TRY(append_string(out, w->names.data + t->name_at, t->name_len, err));
		NLP_TRY(append_u32(out, t->n_dims, err));
		NLP_TRY(append(out, t->dims, t->n_dims * sizeof(uint64_t), err));
		NLP_TRY(append_u32(out, t->dtype, err));
		NLP_TRY(append_u64(out, offset, err));
		if (__builtin_add_overflow(offset, t->bytes, &offset) ||
			__builtin_add_overflow(offset, (uint64_t) w->alignment - 1, &offset))
			return nlp_fail(err, NLP_ELIMIT, "tensors are too large for one file");
		offset &= ~((uint64_t) w->alignment - 1);
	}
	return NLP_OK;
}

/* header, key/values, directory: then the padding before the data. */
static NlpStatus
write_parts(NlpGgufWriter *w, const NlpSink *sink, NlpBuf *head, NlpBuf *dir, NlpError *err)
{
	NLP_TRY(append(head, "GGUF", 4, err));
	NLP_TRY(append_u32(head, 3, err));
	NLP_TRY(append_u64(head, n_tensors(w), err));
	NLP_TRY(append_u64(head, n_keys(w), err));
	NLP_TRY(encode_directory(w, dir, err));
	NLP_TRY(sink->write(sink->ctx, head->data, head->len, err));
	if (w->kv.len > 0)
		NLP_TRY(sink->write(sink->ctx, w->kv.data, w->kv.len, err));
	if (dir->len == 0)
		return NLP_OK;
	NLP_TRY(sink->write(sink->ctx, dir->data, dir->len, err));
	return write_padding(sink, head->len + w->kv.len + dir->len, w->alignment, err);
}

NlpStatus
nlp_gguf_write_header(NlpGgufWriter *w, const NlpSink *sink, NlpError *err)
{
	NlpBuf		head,
				dir;
	NlpStatus	status;

	if (w->header_written)
		return nlp_fail(err, NLP_EINTERNAL, "GGUF header written twice");
	NLP_TRY(check_distinct(w, n_keys(w), NLP_GGUF_MAX_KV, "key", key_text, err));
	NLP_TRY(check_distinct(w, n_tensors(w), NLP_GGUF_MAX_TENSORS, "tensor", name_text, err));
	nlp_buf_init(&head, w->alloc);
	nlp_buf_init(&dir, w->alloc);
	status = write_parts(w, sink, &head, &dir, err);
	nlp_buf_free(&head);
	nlp_buf_free(&dir);
	w->header_written = status == NLP_OK;
	return status;
}

NlpStatus
nlp_gguf_write_data(NlpGgufWriter *w, const NlpSink *sink, const void *bytes, size_t len, NlpError *err)
{
	const char *p = bytes;

	if (!w->header_written)
		return nlp_fail(err, NLP_EINTERNAL, "GGUF data written before the header");
	while (len > 0)
	{
		uint64_t	left;
		size_t		n;

		if (w->current >= n_tensors(w))
			return nlp_fail(err, NLP_EINTERNAL, "more GGUF data than the tensors hold");
		left = tensor_at(w, w->current)->bytes - w->current_bytes;
		n = left < len ? (size_t) left : len;
		NLP_TRY(sink->write(sink->ctx, p, n, err));
		p += n;
		len -= n;
		w->current_bytes += n;
		if (n == left)
		{
			/* Data starts aligned, so the tensor's own size tells its padding. */
			NLP_TRY(write_padding(sink, w->current_bytes, w->alignment, err));
			w->current++;
			w->current_bytes = 0;
		}
	}
	return NLP_OK;
}

NlpStatus
nlp_gguf_write_end(NlpGgufWriter *w, const NlpSink *sink, NlpError *err)
{
	(void) sink;
	if (!w->header_written || w->current != n_tensors(w))
		return nlp_fail(err, NLP_EINTERNAL, "GGUF data ends at tensor %zu of %zu", w->current, n_tensors(w));
	return NLP_OK;
}
