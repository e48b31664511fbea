/* matmul.c --- the door to the matrix products: which variant runs, and coding
 * of activation rows. The numbers are in matmul_impl.h, the bytes in tensor/tile.h. */
#include "kernel/matmul_impl.h"
#include "engine_only.h"

uint64_t	nlp_kernel_calls[NLP_ISA_COUNT];

/* The table of an instruction set this machine has, else NULL. */
static const NlpMatmulTable *
table_of(NlpIsa isa)
{
	if (!nlp_isa_available(isa))
		return NULL;
	switch (isa)
	{
		case NLP_ISA_PLAIN:
			return &nlp_matmul_table_plain;
#if defined(__x86_64__)
		case NLP_ISA_AVX2:
			return &nlp_matmul_table_avx2;
		case NLP_ISA_AVX512:
			return &nlp_matmul_table_avx512;
#endif
#if defined(__aarch64__)
		case NLP_ISA_NEON:
			return &nlp_matmul_table_neon;
#endif
		default:
			return NULL;
	}
}

static bool
slot_of(NlpDtype dtype, NlpMatmulSlot *slot)
{
	switch (dtype)
	{
		case NLP_F32:
			*slot = NLP_MM_F32;
			return true;
		case NLP_F16:
			*slot = NLP_MM_F16;
			return true;
		case NLP_BF16:
			*slot = NLP_MM_BF16;
			return true;
		case NLP_Q4_0:
			*slot = NLP_MM_Q4_0;
			return true;
		case NLP_Q4_1:
			*slot = NLP_MM_Q4_1;
			return true;
		case NLP_Q5_0:
			*slot = NLP_MM_Q5_0;
			return true;
		case NLP_Q5_1:
			*slot = NLP_MM_Q5_1;
			return true;
		case NLP_Q8_0:
			*slot = NLP_MM_Q8_0;
			return true;
		case NLP_Q4_K:
			*slot = NLP_MM_Q4_K;
			return true;
		case NLP_Q5_K:
			*slot = NLP_MM_Q5_K;
			return true;
		case NLP_Q6_K:
			*slot = NLP_MM_Q6_K;
			return true;
	}
	return false;
}

NlpActKind
nlp_act_kind(NlpDtype weight)
{
	switch (weight)
	{
		case NLP_Q4_0:
		case NLP_Q4_1:
		case NLP_Q5_0:
		case NLP_Q5_1:
		case NLP_Q8_0:
			return NLP_ACT_Q8_32;
		case NLP_Q4_K:
		case NLP_Q5_K:
		case NLP_Q6_K:
			return NLP_ACT_Q8_256;
		default:
			return NLP_ACT_F32;
	}
}

size_t
nlp_act_row_bytes(NlpActKind kind, uint64_t cols)
{
	size_t		bytes = cols * sizeof(float);

	if (kind == NLP_ACT_Q8_32)
		bytes = cols / 32 * sizeof(NlpAct32);
	else if (kind == NLP_ACT_Q8_256)
		bytes = cols / 256 * sizeof(NlpAct256);
	return (bytes + 63) & ~(size_t) 63;
}

void
nlp_quantize_rows(NlpActKind kind, const float *x, size_t ldx, int m, uint64_t cols, void *dst)
{
	const NlpMatmulTable *table = table_of(nlp_isa_current());
	size_t		row_bytes = nlp_act_row_bytes(kind, cols);
	size_t		used = cols * sizeof(float);

	for (int i = 0; i < m; i++)
	{
		uint8_t    *row = (uint8_t *) dst + i * row_bytes;

		if (kind == NLP_ACT_Q8_32)
		{
			used = cols / 32 * sizeof(NlpAct32);
			table->quantize32(x + i * ldx, (NlpAct32 *) row, cols / 32);
		}
		else if (kind == NLP_ACT_Q8_256)
		{
			used = cols / 256 * sizeof(NlpAct256);
			table->quantize256(x + i * ldx, (NlpAct256 *) row, cols / 256);
		}
		else
			memcpy(row, x + i * ldx, used);
		memset(row + used, 0, row_bytes - used);
	}
}

const void *
nlp_matmul_variant(NlpDtype weight, NlpIsa isa)
{
	const NlpMatmulTable *table = table_of(isa);
	NlpMatmulSlot slot;

	if (!table || !slot_of(weight, &slot))
		return NULL;
	return (const void *) table->matmul[slot];
}

void
nlp_matmul(const NlpWeight *w, const void *base, const void *act, int m,
		   uint64_t tile_from, uint64_t tile_to,
		   const float *bias, const float *residual, float *y, size_t ldy)
{
	NlpIsa		isa = nlp_isa_current();
	NlpDtype	dtype = (NlpDtype) w->dtype;
	uint64_t	tiles = w->rows / NLP_TILE_ROWS + (w->rows % NLP_TILE_ROWS != 0);
	NlpMatmulSlot slot;
	NlpMatmulArgs a = {
		.tiles = (const uint8_t *) base + w->offset,
		.tile_bytes = nlp_pack_tile_bytes(dtype, w->cols),
		.rows = w->rows,
		.cols = w->cols,
		.act = act,
		.act_bytes = nlp_act_row_bytes(nlp_act_kind(dtype), w->cols),
		.m = m,
		.tile_from = tile_from,
		.tile_to = tile_to < tiles ? tile_to : tiles,
		.bias = bias,
		.residual = residual,
		.y = y,
		.ldy = ldy
	};

	if (m <= 0 || a.tile_from >= a.tile_to || !slot_of(dtype, &slot))
		return;
	__atomic_fetch_add(&nlp_kernel_calls[isa], 1, __ATOMIC_RELAXED);
	table_of(isa)->matmul[slot] (&a);
}
