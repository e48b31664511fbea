/* gguf.h --- GGUF v3 containers: header, key/values, tensor directory; reader and writer.
 *
 * Trust:  bytes are a stranger's; a length is checked against the bytes left
 *         before it is used (RELIABILITY rules: bounded reader, checked arithmetic).
 * Owns:   the reader copies keys, names, strings and arrays into its own arena.
 * Not here: what a tensor means (model/), unpacking (tensor/).
 * Source: GGUF specification, docs/gguf.md of ggml. Versions 2 and 3, little-endian. */
#ifndef NLP_FORMAT_GGUF_H
#define NLP_FORMAT_GGUF_H

#include "format/source.h"
#include "tensor/dtype.h"

typedef enum NlpGgufType
{
	NLP_GGUF_U8, NLP_GGUF_I8, NLP_GGUF_U16, NLP_GGUF_I16, NLP_GGUF_U32, NLP_GGUF_I32,
	NLP_GGUF_F32, NLP_GGUF_BOOL, NLP_GGUF_STRING, NLP_GGUF_ARRAY,
	NLP_GGUF_U64, NLP_GGUF_I64, NLP_GGUF_F64
} NlpGgufType;

/* Text inside the container: may hold any byte, also NUL in values; data[len] is NUL. */
typedef struct NlpStr
{
	const char *data;
	size_t		len;
} NlpStr;

typedef struct NlpGgufKv
{
	NlpStr		key;
	uint64_t	offset;			/* of the value in the file, for errors */
	NlpGgufType type;
	NlpGgufType elem;			/* when type is NLP_GGUF_ARRAY */
	uint64_t	count;			/* elements of the array; 1 otherwise */
	const void *data;			/* aligned values; NlpStr[count] for strings */
} NlpGgufKv;

typedef struct NlpGgufTensor
{
	NlpStr		name;
	uint32_t	n_dims;			/* 1..4 */
	uint64_t	dims[4];		/* dims[0] is the row length (K); unused ones are 1 */
	uint32_t	dtype;			/* a supported NlpDtype, checked */
	uint64_t	offset;			/* absolute in the file, checked */
	uint64_t	bytes;
} NlpGgufTensor;

typedef struct NlpGguf
{
	uint32_t	version;
	uint32_t	alignment;
	uint64_t	n_kv;
	NlpGgufKv  *kv;
	uint64_t	n_tensors;
	NlpGgufTensor *tensors;		/* in file order; disjoint, aligned, inside the file */
	uint64_t	data_offset;
	uint64_t	file_bytes;
	struct NlpGgufIndex *index; /* private: hash tables over keys and names */
	NlpArena	arena;			/* private */
} NlpGguf;

/* Read and check the header of a whole file. On success the caller must
 * nlp_gguf_close(). Reads only the header, in ascending order. */
extern NlpStatus nlp_gguf_open(const NlpSource *src, const NlpEnv *env, NlpGguf *g, NlpError *err);
extern void nlp_gguf_close(NlpGguf *g);

extern const NlpGgufKv *nlp_gguf_find(const NlpGguf *g, const char *key);	/* NULL: absent */
extern const NlpGgufTensor *nlp_gguf_tensor(const NlpGguf *g, const char *name);

/* Typed getters. found may be NULL, then absence is an NLP_ECORRUPT error naming
 * the key; else *found says whether it was there and *value is untouched if not.
 * A value of another type is an error; integers of any width are accepted for
 * u64/i64 when in range [min, max] and refused with both bounds named otherwise. */
extern NlpStatus nlp_gguf_u64(const NlpGguf *g, const char *key, uint64_t min, uint64_t max,
							  uint64_t *value, bool *found, NlpError *err);
extern NlpStatus nlp_gguf_f32(const NlpGguf *g, const char *key, double min, double max,
							  float *value, bool *found, NlpError *err);	/* NaN refused */
extern NlpStatus nlp_gguf_bool(const NlpGguf *g, const char *key, bool *value, bool *found, NlpError *err);
extern NlpStatus nlp_gguf_str(const NlpGguf *g, const char *key, NlpStr *value, bool *found, NlpError *err);
/* Array of exactly this element type. */
extern NlpStatus nlp_gguf_array(const NlpGguf *g, const char *key, NlpGgufType elem,
								const NlpGgufKv **value, bool *found, NlpError *err);

/* Writer. Keys and tensors are declared first, then nlp_gguf_write_header lays the
 * file out, then tensor data follows in declared order, padded by the writer. */
typedef struct NlpGgufWriter NlpGgufWriter;
extern NlpStatus nlp_gguf_writer_new(const NlpAlloc *alloc, NlpGgufWriter **w, NlpError *err);
extern void nlp_gguf_writer_free(NlpGgufWriter *w);
extern NlpStatus nlp_gguf_put_u32(NlpGgufWriter *w, const char *key, uint32_t v, NlpError *err);
extern NlpStatus nlp_gguf_put_f32(NlpGgufWriter *w, const char *key, float v, NlpError *err);
extern NlpStatus nlp_gguf_put_bool(NlpGgufWriter *w, const char *key, bool v, NlpError *err);
extern NlpStatus nlp_gguf_put_str(NlpGgufWriter *w, const char *key, const char *s, size_t len, NlpError *err);
/* values: NlpStr[count] for strings, else the packed elements. */
extern NlpStatus nlp_gguf_put_array(NlpGgufWriter *w, const char *key, NlpGgufType elem,
									uint64_t count, const void *values, NlpError *err);
/* A scalar or string (NlpStr) of any type; and a key as a reader found it, for copying files. */
extern NlpStatus nlp_gguf_put_scalar(NlpGgufWriter *w, const char *key, NlpGgufType type,
									 const void *value, NlpError *err);
extern NlpStatus nlp_gguf_put_kv(NlpGgufWriter *w, const NlpGgufKv *kv, NlpError *err);
extern NlpStatus nlp_gguf_put_tensor(NlpGgufWriter *w, const char *name, NlpDtype dtype,
									 uint32_t n_dims, const uint64_t *dims, NlpError *err);
extern NlpStatus nlp_gguf_write_header(NlpGgufWriter *w, const NlpSink *sink, NlpError *err);
/* Any split of the data is fine; the sum must be the tensor's bytes, checked. */
extern NlpStatus nlp_gguf_write_data(NlpGgufWriter *w, const NlpSink *sink, const void *bytes, size_t len, NlpError *err);
extern NlpStatus nlp_gguf_write_end(NlpGgufWriter *w, const NlpSink *sink, NlpError *err);

#endif
