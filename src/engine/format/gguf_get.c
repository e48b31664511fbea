/* gguf_get.c --- finding keys and tensors of an open GGUF, and reading values as
 * the type and range the caller needs.
 *
 * Trust:  the reader has checked the container; a key may still be missing, of
 *         another type or out of range, and each of these is an error that names
 *         the key the caller asked for and where its value lies. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/hash.h"
#include "format/gguf_private.h"
#include "engine_only.h"

static const struct
{
	const char *name;
	size_t		bytes;
}			types[] = {
	[NLP_GGUF_U8] = {"uint8", 1},
	[NLP_GGUF_I8] = {"int8", 1},
	[NLP_GGUF_U16] = {"uint16", 2},
	[NLP_GGUF_I16] = {"int16", 2},
	[NLP_GGUF_U32] = {"uint32", 4},
	[NLP_GGUF_I32] = {"int32", 4},
	[NLP_GGUF_F32] = {"float32", 4},
	[NLP_GGUF_BOOL] = {"bool", 1},
	[NLP_GGUF_STRING] = {"string", 0},
	[NLP_GGUF_ARRAY] = {"array", 0},
	[NLP_GGUF_U64] = {"uint64", 8},
	[NLP_GGUF_I64] = {"int64", 8},
	[NLP_GGUF_F64] = {"float64", 8},
};

size_t
nlp_gguf_type_bytes(uint32_t type)
{
	return type < sizeof(types) / sizeof(types[0]) ? types[type].bytes : 0;
}

const char *
nlp_gguf_type_name(uint32_t type)
{
	return type < sizeof(types) / sizeof(types[0]) ? types[type].name : "unknown";
}

/* ---- index ---- */

static int
compare(const NlpGgufEntry *a, const NlpGgufEntry *b,
		NlpStr (*text) (const void *ctx, uint32_t item), const void *ctx)
{
	NlpStr		x,
				y;
	int			c;

	if (a->hash != b->hash)
		return a->hash < b->hash ? -1 : 1;
	x = text(ctx, a->item);
	y = text(ctx, b->item);
	c = memcmp(x.data, y.data, x.len < y.len ? x.len : y.len);
	if (c != 0 || x.len == y.len)
		return c;
	return x.len < y.len ? -1 : 1;
}

/* Merge sort from the bottom: n log n whatever the hashes are, and stable, so of
 * two equal texts the one earlier in the file comes first. */
void
nlp_gguf_index_sort(NlpGgufEntry *entries, NlpGgufEntry *scratch, uint32_t n,
					NlpStr (*text) (const void *ctx, uint32_t item), const void *ctx,
					uint32_t *first, uint32_t *second)
{
	*first = *second = 0;
	for (uint32_t i = 0; i < n; i++)
	{
		NlpStr		s = text(ctx, i);

		entries[i].hash = nlp_hash_bytes(s.data, s.len);
		entries[i].item = i;
	}
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
				if (b >= hi || (a < mid && compare(&entries[a], &entries[b], text, ctx) <= 0))
					scratch[k] = entries[a++];
				else
					scratch[k] = entries[b++];
			}
		}
		memcpy(entries, scratch, n * sizeof(*entries));
	}
	for (uint32_t i = 1; i < n; i++)
	{
		if (compare(&entries[i - 1], &entries[i], text, ctx) == 0)
		{
			*first = entries[i - 1].item;
			*second = entries[i].item;
			return;
		}
	}
}

/* The first entry whose hash is not below the wanted one. */
static uint32_t
lower_bound(const NlpGgufEntry *entries, uint32_t n, uint64_t hash)
{
	uint32_t	lo = 0;

	while (n > 0)
	{
		uint32_t	half = n / 2;

		if (entries[lo + half].hash < hash)
		{
			lo += half + 1;
			n -= half + 1;
		}
		else
			n = half;
	}
	return lo;
}

const NlpGgufKv *
nlp_gguf_find(const NlpGguf *g, const char *key)
{
	size_t		len = strlen(key);
	uint64_t	hash = nlp_hash_bytes(key, len);
	uint32_t	n = (uint32_t) g->n_kv;

	for (uint32_t i = lower_bound(g->index->keys, n, hash);
		 i < n && g->index->keys[i].hash == hash; i++)
	{
		const NlpGgufKv *kv = &g->kv[g->index->keys[i].item];

		if (kv->key.len == len && memcmp(kv->key.data, key, len) == 0)
			return kv;
	}
	return NULL;
}

const NlpGgufTensor *
nlp_gguf_tensor(const NlpGguf *g, const char *name)
{
	size_t		len = strlen(name);
	uint64_t	hash = nlp_hash_bytes(name, len);
	uint32_t	n = (uint32_t) g->n_tensors;

	for (uint32_t i = lower_bound(g->index->names, n, hash);
		 i < n && g->index->names[i].hash == hash; i++)
	{
		const NlpGgufTensor *t = &g->tensors[g->index->names[i].item];

		if (t->name.len == len && memcmp(t->name.data, name, len) == 0)
			return t;
	}
	return NULL;
}

/* ---- typed getters ---- */

/* Look key up; *kv is NULL when it is absent and may be. */
static NlpStatus
lookup(const NlpGguf *g, const char *key, bool *found, const NlpGgufKv **kv, NlpError *err)
{
	*kv = nlp_gguf_find(g, key);
	if (found)
		*found = *kv != NULL;
	else if (!*kv)
	{
		nlp_fail(err, NLP_ECORRUPT, "model file has no key \"%s\"", key);
		if (err)
			snprintf(err->field, sizeof(err->field), "%s", key);
		return NLP_ECORRUPT;
	}
	return NLP_OK;
}

static NlpStatus
wrong_type(const NlpGgufKv *kv, const char *key, const char *wanted, NlpError *err)
{
	if (kv->type == NLP_GGUF_ARRAY)
		return nlp_fail_at(err, NLP_ECORRUPT, key, kv->offset,
						   "key \"%s\" is an array of %s, but must be %s",
						   key, nlp_gguf_type_name(kv->elem), wanted);
	return nlp_fail_at(err, NLP_ECORRUPT, key, kv->offset, "key \"%s\" is of type %s, but must be %s",
					   key, nlp_gguf_type_name(kv->type), wanted);
}

/* An integer of any width: false when it is another type. Negative values come
 * back in *low (then *high is 0). */
static bool
integer_value(const NlpGgufKv *kv, uint64_t *high, int64_t *low)
{
	*low = 0;
	switch (kv->type)
	{
		case NLP_GGUF_U8:
			*high = *(const uint8_t *) kv->data;
			return true;
		case NLP_GGUF_U16:
			*high = *(const uint16_t *) kv->data;
			return true;
		case NLP_GGUF_U32:
			*high = *(const uint32_t *) kv->data;
			return true;
		case NLP_GGUF_U64:
			*high = *(const uint64_t *) kv->data;
			return true;
		case NLP_GGUF_I8:
			*low = *(const int8_t *) kv->data;
			break;
		case NLP_GGUF_I16:
			*low = *(const int16_t *) kv->data;
			break;
		case NLP_GGUF_I32:
			*low = *(const int32_t *) kv->data;
			break;
		case NLP_GGUF_I64:
			*low = *(const int64_t *) kv->data;
			break;
		default:
			return false;
	}
	*high = *low > 0 ? (uint64_t) *low : 0;
	if (*low > 0)
		*low = 0;
	return true;
}

NlpStatus
nlp_gguf_u64(const NlpGguf *g, const char *key, uint64_t min, uint64_t max,
			 uint64_t *value, bool *found, NlpError *err)
{
	const NlpGgufKv *kv;
	uint64_t	high;
	int64_t		low;

	NLP_TRY(lookup(g, key, found, &kv, err));
	if (!kv)
		return NLP_OK;
	if (!integer_value(kv, &high, &low))
		return wrong_type(kv, key, "an integer", err);
	if (low < 0)
		return nlp_fail_at(err, NLP_ECORRUPT, key, kv->offset,
						   "key \"%s\" is %lld, but must be between %llu and %llu", key,
						   (long long) low, (unsigned long long) min, (unsigned long long) max);
	if (high < min || high > max)
		return nlp_fail_at(err, NLP_ECORRUPT, key, kv->offset,
						   "key \"%s\" is %llu, but must be between %llu and %llu", key,
						   (unsigned long long) high, (unsigned long long) min, (unsigned long long) max);
	*value = high;
	return NLP_OK;
}

NlpStatus
nlp_gguf_f32(const NlpGguf *g, const char *key, double min, double max,
			 float *value, bool *found, NlpError *err)
{
	const NlpGgufKv *kv;
	double		v;

	NLP_TRY(lookup(g, key, found, &kv, err));
	if (!kv)
		return NLP_OK;
	if (kv->type == NLP_GGUF_F32)
		v = *(const float *) kv->data;
	else if (kv->type == NLP_GGUF_F64)
		v = *(const double *) kv->data;
	else
		return wrong_type(kv, key, "a float", err);
	if (isnan(v))
		return nlp_fail_at(err, NLP_ECORRUPT, key, kv->offset, "key \"%s\" is not a number", key);
	if (!(v >= min && v <= max))
		return nlp_fail_at(err, NLP_ECORRUPT, key, kv->offset,
						   "key \"%s\" is %g, but must be between %g and %g", key, v, min, max);
	*value = (float) v;
	return NLP_OK;
}

NlpStatus
nlp_gguf_bool(const NlpGguf *g, const char *key, bool *value, bool *found, NlpError *err)
{
	const NlpGgufKv *kv;

	NLP_TRY(lookup(g, key, found, &kv, err));
	if (!kv)
		return NLP_OK;
	if (kv->type != NLP_GGUF_BOOL)
		return wrong_type(kv, key, "a bool", err);
	*value = *(const uint8_t *) kv->data != 0;
	return NLP_OK;
}

NlpStatus
nlp_gguf_str(const NlpGguf *g, const char *key, NlpStr *value, bool *found, NlpError *err)
{
	const NlpGgufKv *kv;

	NLP_TRY(lookup(g, key, found, &kv, err));
	if (!kv)
		return NLP_OK;
	if (kv->type != NLP_GGUF_STRING)
		return wrong_type(kv, key, "a string", err);
	*value = *(const NlpStr *) kv->data;
	return NLP_OK;
}

NlpStatus
nlp_gguf_array(const NlpGguf *g, const char *key, NlpGgufType elem,
			   const NlpGgufKv **value, bool *found, NlpError *err)
{
	const NlpGgufKv *kv;
	char		wanted[40];

	NLP_TRY(lookup(g, key, found, &kv, err));
	if (!kv)
		return NLP_OK;
	if (kv->type != NLP_GGUF_ARRAY || kv->elem != elem)
	{
		snprintf(wanted, sizeof(wanted), "an array of %s", nlp_gguf_type_name(elem));
		return wrong_type(kv, key, wanted, err);
	}
	*value = kv;
	return NLP_OK;
}
