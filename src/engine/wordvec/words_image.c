/* words_image.c --- from the GGUF form of word vectors to the resident table.
 *
 * Trust:  a stranger's file. The plan checks keys, words, counts and the tensors' names,
 *         shapes and types; the build checks values, which must be finite. A finished table is
 *         checked again when opened, by laying it out once more.
 * Memory: the words' index while there is a plan; one read buffer while building.
 * Layout: header | starts | counts | hash | norms | scales | text | tree | vectors | codes | output |
 *         subword, each on 64 bytes. Formats: words.h. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "core/hash.h"
#include "core/utf8.h"
#include "tensor/dtype.h"
#include "wordvec/pace.h"
#include "wordvec/words_private.h"
#include "engine_only.h"

#define MAX_WORDS (UINT32_C(1) << 30)
#define MAX_DIM 16000			/* what an embedding may have */
#define MAX_SUBWORD 64
#define MAX_COUNTS (UINT64_C(1) << 62)	/* so that counts are a bigint in SQL, and more can be added */
#define READ_BYTES ((size_t) 1 << 20)
#define TINY_NORM 1e-30f		/* below it a row's exact product has too few bits to be bounded */

typedef enum Part { TOKEN, WORD_INPUT, SUBWORD, OUTPUT, NODES, PARTS } Part;

static const char *const part_names[PARTS] = {
	"token_embd.weight", "word_input.weight", "subword.weight", "output.weight", "output_nodes.weight"
};

struct NlpWordsPlan
{
	const NlpAlloc *alloc;
	const NlpGguf *gguf;
	const NlpGgufTensor *parts[PARTS];	/* NULL: absent */
	const NlpStr *words;
	const uint64_t *counts;		/* NULL: not known */
	uint32_t   *hash;			/* [header.hash_mask + 1] */
	NlpWords	header;
};

/* ---- the layout ---------------------------------------------------------- */

/* Room for n * each bytes at *end. */
static bool
place(uint64_t *end, uint64_t n, uint64_t each, uint64_t *offset)
{
	uint64_t	bytes;

	*offset = *end;
	return nlp_mul_size(n, each, &bytes) && nlp_add_size(*end, bytes, end) && nlp_pad_size(*end, 64, end);
}

static uint64_t
tiles_of(const NlpWords *w)
{
	return ((uint64_t) w->n + NLP_SCAN_ROWS - 1) / NLP_SCAN_ROWS;
}

/* Every offset and the size, from the header's other fields; false: too large. */
static bool
lay_out(NlpWords *w, bool counts, bool output, bool subword)
{
	uint64_t	end = (sizeof(NlpWords) + 63) & ~(uint64_t) 63;
	uint64_t	row = (uint64_t) w->stride * sizeof(float);
	uint64_t	outputs = w->loss == NLP_WORDS_HIERARCHICAL ? w->n - 1 : w->n;

	w->counts_offset = w->output_offset = w->subword_offset = w->tree_offset = 0;
	if (!place(&end, (uint64_t) w->n + 1, sizeof(uint64_t), &w->starts_offset) ||
		(counts && !place(&end, w->n, sizeof(uint64_t), &w->counts_offset)) ||
		!place(&end, (uint64_t) w->hash_mask + 1, sizeof(uint32_t), &w->hash_offset) ||
		!place(&end, w->n, sizeof(float), &w->norms_offset) ||
		!place(&end, tiles_of(w) * NLP_SCAN_ROWS, sizeof(NlpScanCode), &w->scales_offset) ||
		!place(&end, w->text_bytes, 1, &w->text_offset) ||
		(output && w->loss == NLP_WORDS_HIERARCHICAL &&
		 !place(&end, 2 * (uint64_t) w->n - 1, sizeof(uint32_t), &w->tree_offset)) ||
		!place(&end, w->n, row, &w->vectors_offset) ||
		!place(&end, tiles_of(w), nlp_scan_tile_bytes(w->dim), &w->codes_offset) ||
		(output && !place(&end, outputs, row, &w->output_offset)) ||
		(subword && !place(&end, w->buckets, row, &w->subword_offset)))
		return false;
	w->bytes = end;
	return true;
}

/* ---- keys ---------------------------------------------------------------- */

/* One of several names, by its place; value is left when the key is absent. */
static NlpStatus
read_choice(const NlpGguf *g, const char *key, const char *const *names, uint32_t n, uint32_t *value, NlpError *err)
{
	NlpStr		s;
	bool		found;

	NLP_TRY(nlp_gguf_str(g, key, &s, &found, err));
	if (!found)
		return NLP_OK;
	for (uint32_t i = 0; i < n; i++)
	{
		if (names[i] && s.len == strlen(names[i]) && memcmp(s.data, names[i], s.len) == 0)
		{
			*value = i;
			return NLP_OK;
		}
	}
	return nlp_fail_at(err, NLP_EUNSUPPORTED, key, nlp_gguf_find(g, key)->offset,
					   "key \"%s\" has a value that is not supported", key);
}

static NlpStatus
read_u32(const NlpGguf *g, const char *key, uint32_t min, uint32_t max, uint32_t *value, bool *found, NlpError *err)
{
	uint64_t	v = *value;
	bool		there;

	NLP_TRY(nlp_gguf_u64(g, key, min, max, &v, found ? found : &there, err));
	*value = (uint32_t) v;
	return NLP_OK;
}

static NlpStatus
read_subword_keys(const NlpGguf *g, NlpWords *w, NlpError *err)
{
	bool		min,
				max,
				buckets;

	NLP_TRY(read_u32(g, "word2vec.subword.min", 1, MAX_SUBWORD, &w->subword_min, &min, err));
	NLP_TRY(read_u32(g, "word2vec.subword.max", 1, MAX_SUBWORD, &w->subword_max, &max, err));
	NLP_TRY(read_u32(g, "word2vec.subword.buckets", 1, INT32_MAX, &w->buckets, &buckets, err));
	if (min != max || min != buckets)
		return nlp_fail_at(err, NLP_ECORRUPT, "word2vec.subword", 0,
						   "only some of \"word2vec.subword.min\", \".max\" and \".buckets\" are there");
	if (w->subword_min > w->subword_max)
		return nlp_fail_at(err, NLP_ECORRUPT, "word2vec.subword.min",
						   nlp_gguf_find(g, "word2vec.subword.min")->offset,
						   "key \"word2vec.subword.min\" is larger than \"word2vec.subword.max\"");
	return NLP_OK;
}

static NlpStatus
read_keys(const NlpGguf *g, NlpWords *w, NlpError *err)
{
	static const char *const objectives[] = {NULL, "skip-gram", "cbow"};
	static const char *const losses[] = {NULL, "negative", "hierarchical", "softmax"};
	static const char *const segmenters[] = {"words", "chinese"};
	uint64_t	dim;
	bool		mean = true,
				found;

	NLP_TRY(nlp_gguf_u64(g, "word2vec.embedding_length", 1, MAX_DIM, &dim, NULL, err));
	w->dim = (uint32_t) dim;
	w->stride = (w->dim + 15) & ~15u;
	NLP_TRY(read_choice(g, "word2vec.objective", objectives, 3, &w->objective, err));
	NLP_TRY(read_choice(g, "word2vec.loss", losses, 4, &w->loss, err));
	NLP_TRY(read_choice(g, "word2vec.segmenter", segmenters, 2, &w->chinese, err));
	NLP_TRY(read_u32(g, "word2vec.window", 0, UINT32_MAX, &w->window, NULL, err));
	NLP_TRY(nlp_gguf_bool(g, "word2vec.cbow_mean", &mean, &found, err));
	w->cbow_mean = mean;
	return read_subword_keys(g, w, err);
}

/* ---- words --------------------------------------------------------------- */

static NlpStatus
bad_word(const NlpGgufKv *kv, uint64_t i, NlpStatus status, const char *what, NlpError *err)
{
	return nlp_fail_at(err, status, "word2vec.words", kv->offset, "word %llu of the model %s",
					   (unsigned long long) i, what);
}

/* Put word i where it belongs in the table; a word may be there once. */
static NlpStatus
index_word(NlpWordsPlan *p, const NlpGgufKv *kv, uint32_t i, NlpError *err)
{
	const NlpStr *s = &p->words[i];
	size_t		bad;
	uint64_t	at;

	if (s->len == 0)
		return bad_word(kv, i, NLP_ECORRUPT, "is empty", err);
	if (s->len > NLP_WORDS_MAX_BYTES)
		return bad_word(kv, i, NLP_ELIMIT, "is longer than 1024 bytes", err);
	if (memchr(s->data, 0, s->len) || !nlp_utf8_valid(s->data, s->len, &bad))
		return bad_word(kv, i, NLP_ECORRUPT, "is not valid UTF-8", err);
	at = nlp_hash_bytes(s->data, s->len) & p->header.hash_mask;
	for (; p->hash[at] != NLP_NO_WORD; at = (at + 1) & p->header.hash_mask)
	{
		const NlpStr *other = &p->words[p->hash[at]];

		if (other->len == s->len && memcmp(other->data, s->data, s->len) == 0)
		{
			bad_word(kv, i, NLP_ECORRUPT, "is there twice", err);
			return nlp_detail(err, "It is also word %u.", p->hash[at]);
		}
	}
	p->hash[at] = i;
	p->header.text_bytes += s->len;
	return NLP_OK;
}

static NlpStatus
read_words(NlpWordsPlan *p, const NlpEnv *env, NlpError *err)
{
	NlpWords   *w = &p->header;
	const NlpGgufKv *kv;
	NlpPace		pace = {.env = env};
	uint64_t	slots = 16;

	NLP_TRY(nlp_gguf_array(p->gguf, "word2vec.words", NLP_GGUF_STRING, &kv, NULL, err));
	if (kv->count == 0 || kv->count > MAX_WORDS)
		return nlp_fail_at(err, kv->count ? NLP_ELIMIT : NLP_ECORRUPT, "word2vec.words", kv->offset,
						   "the model has %llu words, and must have 1 to %u",
						   (unsigned long long) kv->count, MAX_WORDS);
	w->n = (uint32_t) kv->count;
	p->words = kv->data;
	while (slots < 2 * (uint64_t) w->n)
		slots *= 2;
	w->hash_mask = (uint32_t) (slots - 1);
	p->hash = nlp_alloc(p->alloc, slots * sizeof(uint32_t));
	if (!p->hash)
		return nlp_no_memory(err, slots * sizeof(uint32_t), "index of words");
	NLP_TRY(nlp_set_paced(&pace, p->hash, 0xff, slots * sizeof(uint32_t), err));
	for (uint32_t i = 0; i < w->n; i++)
	{
		NLP_TRY(index_word(p, kv, i, err));
		NLP_TRY(nlp_pace(&pace, 2 + p->words[i].len / 4, err));
	}
	return NLP_OK;
}

static NlpStatus
read_counts(NlpWordsPlan *p, const NlpEnv *env, NlpError *err)
{
	NlpPace		pace = {.env = env};
	const NlpGgufKv *kv;
	bool		found;
	uint64_t	total = 0;

	NLP_TRY(nlp_gguf_array(p->gguf, "word2vec.counts", NLP_GGUF_U64, &kv, &found, err));
	if (!found)
		return NLP_OK;
	if (kv->count != p->header.n)
		return nlp_fail_at(err, NLP_ECORRUPT, "word2vec.counts", kv->offset, "the model has %u words, but %llu counts",
						   p->header.n, (unsigned long long) kv->count);
	p->counts = kv->data;
	for (uint32_t i = 0; i < p->header.n; i++)
	{
		if (!nlp_add_size(total, p->counts[i], &total) || total > MAX_COUNTS)
			return nlp_fail_at(err, NLP_ECORRUPT, "word2vec.counts", kv->offset,
							   "the sum of the words' counts is larger than 2^62");
		NLP_TRY(nlp_pace(&pace, 1, err));
	}
	if (total == 0)
		return nlp_fail_at(err, NLP_ECORRUPT, "word2vec.counts", kv->offset, "all counts of words are zero");
	p->header.total_count = total;
	return NLP_OK;
}

/* ---- tensors ------------------------------------------------------------- */

static NlpStatus
check_tensor(const NlpGgufTensor *t, const char *name, uint32_t dim, uint64_t rows, NlpError *err)
{
	const NlpDtypeInfo *type = nlp_dtype_info(t->dtype);

	if (t->dims[0] != dim || t->dims[1] != rows || t->dims[2] != 1 || t->dims[3] != 1)
	{
		nlp_fail_at(err, NLP_ECORRUPT, name, t->offset, "tensor \"%s\" has the wrong shape", name);
		return nlp_detail(err, "Expected [%u, %llu], found [%llu, %llu, %llu, %llu].", dim, (unsigned long long) rows,
						  (unsigned long long) t->dims[0], (unsigned long long) t->dims[1],
						  (unsigned long long) t->dims[2], (unsigned long long) t->dims[3]);
	}
	if (t->dtype != NLP_F32 && t->dtype != NLP_F16 && t->dtype != NLP_Q8_0)
		return nlp_fail_at(err, NLP_EUNSUPPORTED, name, t->offset, "tensor \"%s\" of word vectors cannot be of type %s",
						   name, type ? type->name : "?");
	return NLP_OK;
}

/* Which tensors there must be, and may be: the keys say. */
static NlpStatus
find_tensors(NlpWordsPlan *p, NlpError *err)
{
	NlpWords   *w = &p->header;
	bool		nodes = w->loss == NLP_WORDS_HIERARCHICAL;
	bool		rows = w->loss == NLP_WORDS_NEGATIVE || w->loss == NLP_WORDS_SOFTMAX;
	const struct
	{
		bool		allowed,
					needed;
		uint64_t	rows;
	}			want[PARTS] = {
		[TOKEN] = {true, true, w->n},
		[WORD_INPUT] = {w->buckets > 0, false, w->n},
		[SUBWORD] = {w->buckets > 0, w->buckets > 0, w->buckets},
		[OUTPUT] = {rows, false, w->n},
		[NODES] = {nodes && w->n > 1, false, w->n - 1},
	};
	uint64_t	used = 0;

	for (int i = 0; i < PARTS; i++)
	{
		const NlpGgufTensor *t = nlp_gguf_tensor(p->gguf, part_names[i]);

		if (!t && want[i].needed)
			return nlp_fail_at(err, NLP_ECORRUPT, part_names[i], 0, "model has no tensor \"%s\"", part_names[i]);
		if (!t)
			continue;
		if (!want[i].allowed)
			return nlp_fail_at(err, NLP_ECORRUPT, part_names[i], t->offset,
							   "tensor \"%s\" does not fit how the model says it was trained", part_names[i]);
		NLP_TRY(check_tensor(t, part_names[i], w->dim, want[i].rows, err));
		p->parts[i] = t;
		used++;
	}
	if (used != p->gguf->n_tensors)
		return nlp_fail(err, NLP_EUNSUPPORTED, "the file has %llu tensors that architecture \"%s\" does not use",
						(unsigned long long) (p->gguf->n_tensors - used), NLP_WORDS_ARCH);
	if (p->parts[NODES] && !p->counts)
		return nlp_fail_at(err, NLP_ECORRUPT, "word2vec.counts", 0,
						   "key \"word2vec.counts\" is needed with tensor \"output_nodes.weight\"");
	return NLP_OK;
}

static NlpStatus
plan(NlpWordsPlan *p, const NlpEnv *env, NlpError *err)
{
	NLP_TRY(read_keys(p->gguf, &p->header, err));
	NLP_TRY(read_words(p, env, err));
	NLP_TRY(read_counts(p, env, err));
	NLP_TRY(find_tensors(p, err));
	if (!lay_out(&p->header, p->counts != NULL, p->parts[OUTPUT] || p->parts[NODES], p->parts[SUBWORD] != NULL))
		return nlp_fail(err, NLP_ELIMIT, "the model is too large");
	return NLP_OK;
}

NlpStatus
nlp_words_plan(const NlpGguf *g, const NlpEnv *env, NlpWordsPlan **out, NlpError *err)
{
	NlpWordsPlan *p = nlp_alloc_zero(env->alloc, sizeof(*p));
	NlpStatus	st;

	if (!p)
		return nlp_no_memory(err, sizeof(*p), "plan of word vectors");
	p->alloc = env->alloc;
	p->gguf = g;
	st = plan(p, env, err);
	if (st != NLP_OK)
		nlp_words_plan_free(p);
	else
		*out = p;
	return st;
}

void
nlp_words_plan_free(NlpWordsPlan *p)
{
	if (!p)
		return;
	nlp_free(p->alloc, p->hash);
	nlp_free(p->alloc, p);
}

uint64_t
nlp_words_plan_bytes(const NlpWordsPlan *p)
{
	return p->header.bytes;
}

uint64_t
nlp_words_plan_parameters(const NlpWordsPlan *p)
{
	uint64_t	n = 0;

	for (int i = 0; i < PARTS; i++)
	{
		if (p->parts[i])
			n += p->parts[i]->dims[0] * p->parts[i]->dims[1];
	}
	return n;
}

/* ---- build --------------------------------------------------------------- */

/* From what was written up to the next section's start. */
static void
zero_gap(char *block, uint64_t from)
{
	memset(block + from, 0, (size_t) (((from + 63) & ~(uint64_t) 63) - from));
}

/* Everything before the vectors but norms and scales. */
static NlpStatus
build_tables(const NlpWordsPlan *p, char *block, const NlpEnv *env, NlpError *err)
{
	NlpPace		pace = {.env = env};
	const NlpWords *w = &p->header;
	uint64_t   *starts = (uint64_t *) (block + w->starts_offset);
	char	   *text = block + w->text_offset;
	uint64_t	at = 0;

	memcpy(block, w, sizeof(*w));
	zero_gap(block, sizeof(*w));
	for (uint32_t i = 0; i < w->n; i++)
	{
		starts[i] = at;
		memcpy(text + at, p->words[i].data, p->words[i].len);
		at += p->words[i].len;
		NLP_TRY(nlp_pace(&pace, 1 + p->words[i].len / 4, err));
	}
	starts[w->n] = at;
	zero_gap(block, w->starts_offset + ((uint64_t) w->n + 1) * sizeof(uint64_t));
	zero_gap(block, w->text_offset + w->text_bytes);
	if (p->counts)
	{
		NLP_TRY(nlp_copy_paced(&pace, block + w->counts_offset, p->counts, w->n * sizeof(uint64_t), err));
		zero_gap(block, w->counts_offset + w->n * sizeof(uint64_t));
	}
	NLP_TRY(nlp_copy_paced(&pace, block + w->hash_offset, p->hash, ((size_t) w->hash_mask + 1) * sizeof(uint32_t), err));
	zero_gap(block, w->hash_offset + ((uint64_t) w->hash_mask + 1) * sizeof(uint32_t));
	zero_gap(block, w->norms_offset + w->n * sizeof(float));
	NLP_TRY(nlp_set_paced(&pace, block + w->scales_offset, 0, (size_t) (w->text_offset - w->scales_offset), err));
	/* The rows that the last tile has and the table has not. */
	memset(block + w->codes_offset + (tiles_of(w) - 1) * nlp_scan_tile_bytes(w->dim), 0,
		   nlp_scan_tile_bytes(w->dim));
	return NLP_OK;
}

static NlpStatus
build_tree(const NlpWords *w, char *block, const NlpEnv *env, NlpError *err)
{
	NLP_TRY(nlp_words_tree((const NlpWords *) block, env, (uint32_t *) (block + w->tree_offset), err));
	zero_gap(block, w->tree_offset + (2 * (uint64_t) w->n - 1) * sizeof(uint32_t));
	return NLP_OK;
}

typedef struct Build
{
	const NlpWordsPlan *plan;
	const NlpSource *src;
	char	   *block;			/* NULL: check only */
	unsigned char *buf;			/* file rows */
	size_t		buf_bytes;
	float	   *row;			/* [stride], without a block */
	float	   *unit;			/* [stride] */
	int8_t	   *codes;			/* [4 * groups] */
	volatile uint64_t *done;
} Build;

static bool
all_finite(const float *x, size_t n)
{
	int			bad = 0;

	for (size_t i = 0; i < n; i++)
		bad |= !(fabsf(x[i]) <= FLT_MAX);
	return !bad;
}

static float
length_of(const float *x, size_t n)
{
	double		sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += (double) x[i] * x[i];
	return (float) sqrt(sum);
}

/* Norm, codes and their scale of a word's row. */
static NlpStatus
code_row(Build *b, const float *x, uint64_t id, NlpError *err)
{
	const NlpWords *w = &b->plan->header;
	float		norm = length_of(x, w->dim);
	NlpScanCode code;

	if (!isfinite(norm))
		return nlp_fail_at(err, NLP_ECORRUPT, part_names[TOKEN], b->plan->parts[TOKEN]->offset,
						   "row %llu of tensor \"%s\" is too long a vector", (unsigned long long) id, part_names[TOKEN]);
	if (!b->block)
		return NLP_OK;
	for (uint32_t i = 0; i < w->dim; i++)
		b->unit[i] = norm > 0 ? x[i] / norm : 0;
	code = nlp_scan_encode(b->unit, w->dim, b->codes);
	if (norm < TINY_NORM)
		code.error = INFINITY;
	((float *) (b->block + w->norms_offset))[id] = norm;
	((NlpScanCode *) (b->block + w->scales_offset))[id] = code;
	nlp_scan_put(b->block + w->codes_offset + id / NLP_SCAN_ROWS * nlp_scan_tile_bytes(w->dim),
				 (int) (id % NLP_SCAN_ROWS), 0, nlp_scan_groups(w->dim), b->codes);
	return NLP_OK;
}

/* Rows first..first+n of a part, read already. */
static NlpStatus
build_rows(Build *b, Part part, uint64_t first, uint64_t n, size_t row_bytes, NlpError *err)
{
	const NlpWords *w = &b->plan->header;
	const NlpGgufTensor *t = b->plan->parts[part];
	uint64_t	at = part == TOKEN ? w->vectors_offset : part == SUBWORD ? w->subword_offset : w->output_offset;
	bool		keep = b->block && part != WORD_INPUT;

	for (uint64_t i = 0; i < n; i++)
	{
		float	   *row = keep ? (float *) (b->block + at) + (first + i) * w->stride : b->row;

		nlp_dtype_to_f32((NlpDtype) t->dtype, b->buf + i * row_bytes, row, w->dim);
		memset(row + w->dim, 0, (w->stride - w->dim) * sizeof(float));
		if (!all_finite(row, w->dim))
			return nlp_fail_at(err, NLP_ECORRUPT, part_names[part], t->offset + (first + i) * row_bytes,
							   "row %llu of tensor \"%s\" has a value that is not finite",
							   (unsigned long long) (first + i), part_names[part]);
		if (part == TOKEN)
			NLP_TRY(code_row(b, row, first + i, err));
	}
	return NLP_OK;
}

static NlpStatus
build_part(Build *b, Part part, const NlpEnv *env, NlpError *err)
{
	const NlpGgufTensor *t = b->plan->parts[part];
	size_t		row_bytes = (size_t) (t->bytes / t->dims[1]);
	uint64_t	step = b->buf_bytes / row_bytes;

	for (uint64_t first = 0; first < t->dims[1]; first += step)
	{
		uint64_t	n = t->dims[1] - first < step ? t->dims[1] - first : step;

		NLP_TRY(b->src->read(b->src->ctx, t->offset + first * row_bytes, (size_t) (n * row_bytes), b->buf, err));
		NLP_TRY(build_rows(b, part, first, n, row_bytes, err));
		if (b->done)
			*b->done += n * row_bytes;
		NLP_TRY(nlp_poll(env, err));
	}
	return NLP_OK;
}

/* Parts in the order of the file. The rows of words alone are checked when a file is
 * verified, and passed over otherwise: the table has no use for them. */
static NlpStatus
build_parts(Build *b, const NlpEnv *env, NlpError *err)
{
	const NlpGgufTensor *last = NULL;

	for (;;)
	{
		int			next = PARTS;

		for (int i = 0; i < PARTS; i++)
		{
			const NlpGgufTensor *t = b->plan->parts[i];

			if (t && (!last || t->offset > last->offset) && (next == PARTS || t->offset < b->plan->parts[next]->offset))
				next = i;
		}
		if (next == PARTS)
			return NLP_OK;
		last = b->plan->parts[next];
		if (!b->block || next != WORD_INPUT)
			NLP_TRY(build_part(b, (Part) next, env, err));
	}
}

NlpStatus
nlp_words_build(NlpWordsPlan *p, const NlpSource *src, const NlpEnv *env, void *block,
				volatile uint64_t *done, NlpError *err)
{
	const NlpWords *w = &p->header;
	size_t		row = w->stride * sizeof(float);
	Build		b = {.plan = p, .src = src, .block = block, .done = done};
	NlpStatus	st = NLP_OK;

	b.buf_bytes = row > READ_BYTES ? row : READ_BYTES;
	b.buf = nlp_alloc(env->alloc, b.buf_bytes + 2 * row + 4 * nlp_scan_groups(w->dim));
	if (!b.buf)
		return nlp_no_memory(err, b.buf_bytes, "read buffer");
	b.row = (float *) (b.buf + b.buf_bytes);
	b.unit = b.row + w->stride;
	b.codes = (int8_t *) (b.unit + w->stride);
	if (block)
		st = build_tables(p, block, env, err);
	if (st == NLP_OK && block && w->tree_offset)
		st = build_tree(w, block, env, err);
	if (st == NLP_OK)
		st = build_parts(&b, env, err);
	nlp_free(env->alloc, b.buf);
	return st;
}

/* ---- opening ------------------------------------------------------------- */

NlpStatus
nlp_words_check(const NlpWords *w, uint64_t bytes, NlpError *err)
{
	NlpWords	again;

	if (bytes < sizeof(*w) || w->bytes != bytes || w->n == 0 || w->n > MAX_WORDS || w->dim == 0 || w->dim > MAX_DIM ||
		w->stride != ((w->dim + 15) & ~15u) || w->objective > NLP_WORDS_CBOW || w->loss > NLP_WORDS_SOFTMAX ||
		(w->hash_mask & (w->hash_mask + 1)) != 0 || w->hash_mask < w->n)
		return nlp_fail(err, NLP_ECORRUPT, "resident word table has an invalid header");
	again = *w;
	if (!lay_out(&again, w->counts_offset != 0, w->output_offset != 0, w->subword_offset != 0) ||
		memcmp(&again, w, sizeof(again)) != 0 ||
		((const uint64_t *) ((const char *) w + w->starts_offset))[w->n] != w->text_bytes)
		return nlp_fail(err, NLP_ECORRUPT, "resident word table has tables outside itself");
	return NLP_OK;
}
