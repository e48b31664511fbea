/* safetensors.c --- read and check the directory of a safetensors file.
 *
 * Trust:  the header's length is compared with the file before it is read; the JSON
 *         is strict (json.c); every shape, type and pair of offsets is checked, and
 *         the tensors must tile the data: no overlap, no hole, nothing after them.
 * Memory: the header once, jansson's tree of it, and a small record a tensor. */
#include <string.h>

#include "format/json.h"
#include "format/safetensors.h"
#include "engine_only.h"

#define MAX_HEADER 100000000u	/* the format's own limit */
#define MAX_TENSORS 65536u
#define MAX_NAME 1024u
#define ARENA_CHUNK 32768
#define OTHER(name, bits) {name, bits, false, NLP_F32}

static const struct
{
	const char *name;
	uint8_t		bits;
	bool		is_float;
	NlpDtype	dtype;
}			dtypes[] = {
	{"F32", 32, true, NLP_F32}, {"F16", 16, true, NLP_F16}, {"BF16", 16, true, NLP_BF16},
	OTHER("F64", 64), OTHER("I64", 64), OTHER("U64", 64), OTHER("C64", 64), OTHER("I32", 32), OTHER("U32", 32),
	OTHER("I16", 16), OTHER("U16", 16),
	OTHER("I8", 8), OTHER("U8", 8), OTHER("BOOL", 8), OTHER("F8_E4M3", 8), OTHER("F8_E5M2", 8), OTHER("F8_E8M0", 8),
	OTHER("F6_E2M3", 6), OTHER("F6_E3M2", 6), OTHER("F4", 4),
};

typedef struct Load
{
	NlpSafetensors *s;
	const NlpEnv *env;
	NlpError   *err;
	uint64_t	data_bytes;
} Load;

static NlpStatus
bad_entry(Load *l, uint64_t index, const char *field, const char *problem)
{
	return nlp_fail_at(l->err, NLP_ECORRUPT, field, 8, "tensor %llu of a safetensors file: %s",
					   (unsigned long long) index, problem);
}

/* A non-negative integer; fractions, negatives and other types are refused. */
static bool
whole_number(const json_t *v, uint64_t *out)
{
	if (!json_is_integer(v) || json_integer_value(v) < 0)
		return false;
	*out = (uint64_t) json_integer_value(v);
	return true;
}

static NlpStatus
read_dtype(Load *l, uint64_t index, const json_t *v, NlpSafetensor *t, unsigned *bits)
{
	if (!json_is_string(v))
		return bad_entry(l, index, "dtype", "dtype is missing or not a string");
	for (size_t i = 0; i < sizeof(dtypes) / sizeof(dtypes[0]); i++)
	{
		if (strcmp(json_string_value(v), dtypes[i].name) == 0)
		{
			t->dtype_name = dtypes[i].name;
			t->is_float = dtypes[i].is_float;
			t->dtype = dtypes[i].dtype;
			*bits = dtypes[i].bits;
			return NLP_OK;
		}
	}
	return nlp_fail_at(l->err, NLP_EUNSUPPORTED, "dtype", 8,
					   "tensor %llu of a safetensors file has an unknown dtype", (unsigned long long) index);
}

/* Product of the dimensions; one that is 0 makes it 0, but the others must still not wrap. */
static NlpStatus
read_shape(Load *l, uint64_t index, const json_t *v, NlpSafetensor *t)
{
	size_t		n = json_array_size(v);
	uint64_t	product = 1;
	bool		empty = false;

	if (!json_is_array(v))
		return bad_entry(l, index, "shape", "shape is missing or not an array");
	if (n > NLP_SAFETENSORS_MAX_DIMS)
		return nlp_fail_at(l->err, NLP_EUNSUPPORTED, "shape", 8, "tensor %llu of a safetensors file has %zu dimensions",
						   (unsigned long long) index, n);
	t->n_dims = (uint32_t) n;
	for (size_t i = 0; i < n; i++)
	{
		uint64_t	d;

		if (!whole_number(json_array_get(v, i), &d))
			return bad_entry(l, index, "shape", "a dimension is not a non-negative integer");
		t->dims[i] = d;
		if (d == 0)
			empty = true;
		else if (__builtin_mul_overflow(product, d, &product))
			return bad_entry(l, index, "shape", "its size is out of range");
	}
	t->elems = empty ? 0 : product;
	return NLP_OK;
}

static NlpStatus
read_offsets(Load *l, uint64_t index, const json_t *v, unsigned bits, NlpSafetensor *t)
{
	uint64_t	begin,
				end,
				all_bits;

	if (!json_is_array(v) || json_array_size(v) != 2 || !whole_number(json_array_get(v, 0), &begin) ||
		!whole_number(json_array_get(v, 1), &end))
		return bad_entry(l, index, "data_offsets", "data_offsets are not two non-negative integers");
	if (begin > end || end > l->data_bytes)
		return bad_entry(l, index, "data_offsets", "data_offsets run backwards or past the end of the file");
	if (__builtin_mul_overflow(t->elems, (uint64_t) bits, &all_bits))
		return bad_entry(l, index, "shape", "its size is out of range");
	if (all_bits % 8 != 0)
		return bad_entry(l, index, "shape", "its elements do not fill whole bytes");
	if (end - begin != all_bits / 8)
		return bad_entry(l, index, "data_offsets", "data_offsets do not agree with dtype and shape");
	t->offset = begin;
	t->bytes = end - begin;
	return NLP_OK;
}

static NlpStatus
read_entry(Load *l, uint64_t index, const char *name, size_t name_len, const json_t *v, NlpSafetensor *t)
{
	unsigned	bits = 0;
	char	   *copy;

	if (!json_is_object(v))
		return bad_entry(l, index, "", "its entry is not an object");
	if (name_len == 0 || name_len > MAX_NAME)
		return bad_entry(l, index, "", "its name is empty or longer than 1024 bytes");
	NLP_TRY(read_dtype(l, index, json_object_get(v, "dtype"), t, &bits));
	NLP_TRY(read_shape(l, index, json_object_get(v, "shape"), t));
	NLP_TRY(read_offsets(l, index, json_object_get(v, "data_offsets"), bits, t));
	if (json_object_size(v) != 3)
		return bad_entry(l, index, "", "its entry has members that the format does not know");
	copy = nlp_arena_alloc(&l->s->arena, name_len + 1);
	if (!copy)
		return nlp_no_memory(l->err, name_len + 1, "safetensors directory");
	memcpy(copy, name, name_len);
	copy[name_len] = '\0';
	t->name = (NlpStr) {copy, name_len};
	return NLP_OK;
}

static NlpStatus
check_metadata(Load *l, json_t *meta)
{
	const char *key;
	json_t	   *v;

	if (!json_is_object(meta))
		return nlp_fail_at(l->err, NLP_ECORRUPT, "__metadata__", 8, "metadata of a safetensors file is not an object");
	json_object_foreach(meta, key, v)
	{
		if (!json_is_string(v))
			return nlp_fail_at(l->err, NLP_ECORRUPT, "__metadata__", 8,
							   "metadata of a safetensors file has a value that is not a string");
	}
	return NLP_OK;
}

/* Empty tensors sort before the one that begins where they do. */
static bool
lies_before(const NlpSafetensor *a, const NlpSafetensor *b)
{
	return a->offset < b->offset || (a->offset == b->offset && a->bytes < b->bytes);
}

/* Merge sort by offset: n log n for any order a file may have. */
static void
sort_tensors(NlpSafetensor *t, NlpSafetensor *scratch, size_t n)
{
	for (size_t width = 1; width < n; width *= 2)
	{
		for (size_t lo = 0; lo < n; lo += 2 * width)
		{
			size_t		mid = lo + width < n ? lo + width : n;
			size_t		hi = lo + 2 * width < n ? lo + 2 * width : n;
			size_t		a = lo,
						b = mid;

			for (size_t k = lo; k < hi; k++)
			{
				if (b >= hi || (a < mid && !lies_before(&t[b], &t[a])))
					scratch[k] = t[a++];
				else
					scratch[k] = t[b++];
			}
		}
		memcpy(t, scratch, n * sizeof(*t));
	}
}

/* Sorted by offset, each begins where the one before ends, and the last ends the file. */
static NlpStatus
check_tiling(Load *l)
{
	NlpSafetensors *s = l->s;
	uint64_t	at = 0;

	for (uint64_t i = 0; i < s->n; i++)
	{
		NlpSafetensor *t = &s->tensors[i];

		if (t->offset != at)
			return nlp_fail_at(l->err, NLP_ECORRUPT, "data_offsets", s->data_offset + at,
							   t->offset < at ? "tensors of a safetensors file overlap"
							   : "data of a safetensors file has a hole");
		at += t->bytes;
		t->offset += s->data_offset;
	}
	if (at != l->data_bytes)
		return nlp_fail_at(l->err, NLP_ECORRUPT, "data_offsets", s->data_offset + at,
						   "safetensors file has bytes after its last tensor");
	return NLP_OK;
}

static NlpStatus
read_directory(Load *l, json_t *root)
{
	NlpSafetensors *s = l->s;
	size_t		n = json_object_size(root);
	size_t		bytes;
	void	   *iter;
	NlpSafetensor *scratch;

	if (json_object_get(root, "__metadata__"))
		n--;
	if (n > MAX_TENSORS)
		return nlp_fail_at(l->err, NLP_ELIMIT, "", 8, "safetensors file has %zu tensors, more than the limit of %u",
						   n, MAX_TENSORS);
	if (!nlp_mul_size(n, sizeof(NlpSafetensor), &bytes))
		return nlp_no_memory(l->err, n, "safetensors directory");
	s->tensors = nlp_arena_alloc(&s->arena, bytes);
	if (!s->tensors)
		return nlp_no_memory(l->err, bytes, "safetensors directory");
	memset(s->tensors, 0, bytes);
	for (iter = json_object_iter(root); iter; iter = json_object_iter_next(root, iter))
	{
		const char *key = json_object_iter_key(iter);

		if (strcmp(key, "__metadata__") == 0)
			NLP_TRY(check_metadata(l, json_object_iter_value(iter)));
		else
		{
			NLP_TRY(read_entry(l, s->n, key, strlen(key), json_object_iter_value(iter), &s->tensors[s->n]));
			s->n++;
		}
	}
	scratch = nlp_alloc(l->env->alloc, bytes + 1);
	if (!scratch)
		return nlp_no_memory(l->err, bytes, "safetensors directory");
	sort_tensors(s->tensors, scratch, (size_t) s->n);
	nlp_free(l->env->alloc, scratch);
	return check_tiling(l);
}

static NlpStatus
read_header(Load *l, const NlpSource *src)
{
	uint64_t	header;
	char	   *text;
	json_t	   *root;
	NlpStatus	st;

	if (src->size < 8)
		return nlp_fail_at(l->err, NLP_ECORRUPT, "header length", 0, "safetensors file ends inside its header");
	NLP_TRY(src->read(src->ctx, 0, 8, &header, l->err));
	if (header > MAX_HEADER)
		return nlp_fail_at(l->err, NLP_ECORRUPT, "header length", 0,
						   "safetensors header has %llu bytes, more than the %u allowed",
						   (unsigned long long) header, MAX_HEADER);
	if (header > src->size - 8)
		return nlp_fail_at(l->err, NLP_ECORRUPT, "header length", 0, "safetensors header is longer than its file");
	l->s->data_offset = 8 + header;
	l->data_bytes = src->size - 8 - header;
	text = nlp_alloc(l->env->alloc, (size_t) header + 1);
	if (!text)
		return nlp_no_memory(l->err, (size_t) header, "safetensors header");
	st = src->read(src->ctx, 8, (size_t) header, text, l->err);
	if (st == NLP_OK && (header == 0 || text[0] != '{'))
		st = nlp_fail_at(l->err, NLP_ECORRUPT, "header", 8, "safetensors header does not begin with a brace");
	if (st == NLP_OK)
		st = nlp_json_parse(text, (size_t) header, "the safetensors header", &root, l->err);
	nlp_free(l->env->alloc, text);
	if (st != NLP_OK)
		return st;
	st = read_directory(l, root);
	json_decref(root);
	return st;
}

NlpStatus
nlp_safetensors_open(const NlpSource *src, const NlpEnv *env, NlpSafetensors *s, NlpError *err)
{
	Load		l = {.s = s, .env = env, .err = err};
	NlpStatus	st;

	memset(s, 0, sizeof(*s));
	nlp_arena_init(&s->arena, env->alloc, ARENA_CHUNK);
	st = nlp_poll(env, err);
	if (st == NLP_OK)
		st = read_header(&l, src);
	if (st != NLP_OK)
		nlp_safetensors_close(s);
	return st;
}

void
nlp_safetensors_close(NlpSafetensors *s)
{
	nlp_arena_free(&s->arena);
	memset(s, 0, sizeof(*s));
}
