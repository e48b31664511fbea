/* safetensors.h --- safetensors files: a JSON directory and raw tensors.
 *
 *   header length u64 | JSON header | data
 *   {"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [begin, end]}, ..., "__metadata__": {...}}
 *
 * Trust:  bytes are a stranger's; see RELIABILITY.md section 2.
 * Owns:   copies of names and shapes, in its own arena.
 * Source: the format's description in its repository's README. Departs: entries with other members than
 *         the three are refused, and tensors of more than 8 dimensions. */
#ifndef NLP_FORMAT_SAFETENSORS_H
#define NLP_FORMAT_SAFETENSORS_H

#include "format/gguf.h"

#define NLP_SAFETENSORS_MAX_DIMS 8

typedef struct NlpSafetensor
{
	NlpStr		name;
	const char *dtype_name;		/* "BF16"; one of the format's types */
	bool		is_float;		/* F32, F16 or BF16: dtype says which */
	NlpDtype	dtype;
	uint32_t	n_dims;			/* 0 for a scalar */
	uint64_t	dims[NLP_SAFETENSORS_MAX_DIMS]; /* slowest first, as in the file; may be 0 */
	uint64_t	elems;
	uint64_t	offset;			/* absolute in the file, checked */
	uint64_t	bytes;
} NlpSafetensor;

typedef struct NlpSafetensors
{
	uint64_t	n;
	NlpSafetensor *tensors;		/* by offset: contiguous from the header to the file's end */
	uint64_t	data_offset;
	NlpArena	arena;			/* private */
} NlpSafetensors;

/* Read and check the header; on success the caller must nlp_safetensors_close(). */
extern NlpStatus nlp_safetensors_open(const NlpSource *src, const NlpEnv *env, NlpSafetensors *s, NlpError *err);
extern void nlp_safetensors_close(NlpSafetensors *s);

#endif
