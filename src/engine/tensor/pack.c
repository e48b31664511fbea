/* pack.c --- from rows as the file stores them to tiles (tensor/tile.h) and back.
 *
 * Trust:  the caller has checked that the source holds n_rows rows of row_bytes;
 *         every bit pattern is accepted but a scale (or float weight) that is NaN
 *         or infinite, which is refused unless asked for.
 * Owns:   nothing; writes the tile it is given, every byte of it.
 * Source: block layouts of ggml's ggml-common.h (facts only). */
#include <string.h>

#include "core/half.h"
#include "tensor/pack.h"
#include "tensor/tile.h"
#include "engine_only.h"

#define ROWS NLP_TILE_ROWS

/* Where things lie in a block of the file, and in a record of the tile. */
typedef struct BlockShape
{
	uint16_t	elems;			/* weights a block */
	uint16_t	file_bytes;
	uint16_t	tile_bytes;
	uint16_t	file_qs;
	uint16_t	tile_d;
	uint16_t	tile_m;			/* 0: none */
} BlockShape;

static bool
block_shape(NlpDtype dtype, BlockShape *s)
{
	switch (dtype)
	{
		case NLP_F32:
			*s = (BlockShape) {1, 4, 64, 0, 0, 0};
			return true;
		case NLP_F16:
		case NLP_BF16:
			*s = (BlockShape) {1, 2, 32, 0, 0, 0};
			return true;
		case NLP_Q4_0:
			*s = (BlockShape) {32, 18, NLP_TILE_Q4_0_BYTES, 2, NLP_TILE_Q4_D, 0};
			return true;
		case NLP_Q4_1:
			*s = (BlockShape) {32, 20, NLP_TILE_Q4_1_BYTES, 4, NLP_TILE_Q4_D, NLP_TILE_Q4_M};
			return true;
		case NLP_Q5_0:
			*s = (BlockShape) {32, 22, NLP_TILE_Q5_0_BYTES, 6, NLP_TILE_Q5_D, 0};
			return true;
		case NLP_Q5_1:
			*s = (BlockShape) {32, 24, NLP_TILE_Q5_1_BYTES, 8, NLP_TILE_Q5_D, NLP_TILE_Q5_M};
			return true;
		case NLP_Q8_0:
			*s = (BlockShape) {32, 34, NLP_TILE_Q8_0_BYTES, 2, NLP_TILE_Q8_D, 0};
			return true;
		case NLP_Q4_K:
			*s = (BlockShape) {256, 144, NLP_TILE_Q4_K_BYTES, 16, NLP_TILE_K_D, NLP_TILE_K_DMIN};
			return true;
		case NLP_Q5_K:
			*s = (BlockShape) {256, 176, NLP_TILE_Q5_K_BYTES, 48, NLP_TILE_K_D, NLP_TILE_K_DMIN};
			return true;
		case NLP_Q6_K:
			*s = (BlockShape) {256, 210, NLP_TILE_Q6_K_BYTES, 0, NLP_TILE_K_D, 0};
			return true;
	}
	return false;
}

size_t
nlp_pack_tile_bytes(NlpDtype dtype, uint64_t cols)
{
	BlockShape	s;
	size_t		bytes;

	if (!block_shape(dtype, &s) || cols == 0 || cols % s.elems != 0)
		return 0;
	if (!nlp_mul_size(cols / s.elems, s.tile_bytes, &bytes) || !nlp_pad_size(bytes, 64, &bytes))
		return 0;
	return bytes;
}

static inline uint32_t
load32(const uint8_t *p)
{
	uint32_t	v;

	memcpy(&v, p, 4);
	return v;
}

static inline void
store32(uint8_t *p, uint32_t v)
{
	memcpy(p, &v, 4);
}

/* n words of a row's block into a plane's lane r, each xor flip. */
static inline void
put_words(uint8_t *plane, int r, const uint8_t *src, int n, uint32_t flip)
{
	for (int g = 0; g < n; g++)
		store32(plane + 64 * g + 4 * r, load32(src + 4 * g) ^ flip);
}

/* From bit j = fifth bit of k = j to bit g of byte i = fifth bit of k = 4g + i. */
static inline uint32_t
fifth_bits(uint32_t qh)
{
	uint32_t	out = 0;

	for (int i = 0; i < 4; i++)
	{
		uint32_t	x = (qh >> i) & 0x11111111u;

		x = (x | (x >> 3)) & 0x03030303u;
		x = (x | (x >> 6)) & 0x000f000fu;
		x = (x | (x >> 12)) & 0xffu;
		out |= x << (8 * i);
	}
	return out;
}

/* The inverse of fifth_bits for one k. */
static inline int
fifth_bit(uint32_t hi, int k)
{
	return (hi >> (8 * (k & 3) + (k >> 2))) & 1;
}

/* Sub-block scale and minimum j of Q4_K and Q5_K: 8 pairs of 6 bits in 12 bytes. */
static inline void
k_scale_min(const uint8_t *q, int j, uint8_t *sc, uint8_t *mn)
{
	if (j < 4)
	{
		*sc = q[j] & 63;
		*mn = q[j + 4] & 63;
	}
	else
	{
		*sc = (uint8_t) ((q[j + 4] & 15) | ((q[j - 4] >> 6) << 4));
		*mn = (uint8_t) ((q[j + 4] >> 4) | ((q[j] >> 6) << 4));
	}
}

static inline void
put_scale16(uint8_t *rec, int at, int r, const uint8_t *src)
{
	memcpy(rec + at + 2 * r, src, 2);
}

static void
put_k_scales(uint8_t *rec, int r, const uint8_t *b)
{
	put_scale16(rec, NLP_TILE_K_D, r, b);
	put_scale16(rec, NLP_TILE_K_DMIN, r, b + 2);
	for (int j = 0; j < 8; j++)
	{
		int			at = 32 * (j / 2) + 2 * r + j % 2;

		k_scale_min(b + 4, j, rec + NLP_TILE_K_SC + at, rec + NLP_TILE_K_MN + at);
	}
}

/* One block of one row into lane r of a record. */
static inline void
put_block(NlpDtype dtype, const BlockShape *s, uint8_t *rec, int r, const uint8_t *b)
{
	switch (dtype)
	{
		case NLP_Q4_0:
		case NLP_Q4_1:
			put_words(rec, r, b + s->file_qs, 4, 0);
			put_scale16(rec, s->tile_d, r, b);
			if (s->tile_m)
				put_scale16(rec, s->tile_m, r, b + 2);
			break;
		case NLP_Q5_0:
		case NLP_Q5_1:
			put_words(rec, r, b + s->file_qs, 4, 0);
			store32(rec + NLP_TILE_Q5_HI + 4 * r, fifth_bits(load32(b + s->file_qs - 4)));
			put_scale16(rec, s->tile_d, r, b);
			if (s->tile_m)
				put_scale16(rec, s->tile_m, r, b + 2);
			break;
		case NLP_Q8_0:
			put_words(rec, r, b + 2, 8, 0x80808080u);
			put_scale16(rec, s->tile_d, r, b);
			break;
		case NLP_Q4_K:
			put_k_scales(rec, r, b);
			put_words(rec + NLP_TILE_K_NIB, r, b + 16, 32, 0);
			break;
		case NLP_Q5_K:
			put_k_scales(rec, r, b);
			put_words(rec + NLP_TILE_K_NIB, r, b + 48, 32, 0);
			put_words(rec + NLP_TILE_Q5_K_HI, r, b + 16, 8, 0);
			break;
		case NLP_Q6_K:
			put_words(rec + NLP_TILE_Q6_NIB, r, b, 32, 0);
			put_words(rec + NLP_TILE_Q6_HI, r, b + 128, 16, 0);
			for (int j = 0; j < 16; j++)
				rec[NLP_TILE_Q6_SC + 32 * (j / 2) + 2 * r + j % 2] = b[192 + j];
			put_scale16(rec, NLP_TILE_K_D, r, b + 208);
			break;
		default:
			break;
	}
}

static bool
f16_nonfinite(const uint8_t *p)
{
	uint16_t	h;

	memcpy(&h, p, 2);
	return (h & 0x7c00) == 0x7c00;
}

/* Whether a file block holds a scale that is NaN or infinite. */
static bool
block_nonfinite(NlpDtype dtype, const uint8_t *b)
{
	uint32_t	w;

	switch (dtype)
	{
		case NLP_F32:
			w = load32(b);
			return (w & 0x7f800000u) == 0x7f800000u;
		case NLP_BF16:
			return (b[1] & 0x7f) == 0x7f && (b[0] & 0x80) != 0;
		case NLP_F16:
		case NLP_Q4_0:
		case NLP_Q5_0:
		case NLP_Q8_0:
			return f16_nonfinite(b);
		case NLP_Q6_K:
			return f16_nonfinite(b + 208);
		case NLP_Q4_1:
		case NLP_Q5_1:
		case NLP_Q4_K:
		case NLP_Q5_K:
			return f16_nonfinite(b) || f16_nonfinite(b + 2);
	}
	return false;
}

static NlpStatus
refuse_nonfinite(NlpDtype dtype, const uint8_t *src, size_t row_bytes, int n_rows,
				 const BlockShape *s, uint64_t blocks, NlpError *err)
{
	for (int r = 0; r < n_rows; r++)
	{
		for (uint64_t b = 0; b < blocks; b++)
		{
			if (!block_nonfinite(dtype, src + r * row_bytes + b * s->file_bytes))
				continue;
			nlp_fail(err, NLP_ECORRUPT, "a weight is not finite");
			return nlp_detail(err, "Row %d of its tile of %d rows, block %llu holds a NaN or an infinity.",
							  r, ROWS, (unsigned long long) b);
		}
	}
	return NLP_OK;
}

/* Floats: [k][16] elements. True when one was NaN or infinite. */
static bool
pack_f32(const uint8_t *src, size_t row_bytes, int n_rows, uint64_t cols, uint8_t *tile)
{
	uint32_t	bad = 0;

	for (uint64_t k0 = 0; k0 < cols; k0 += 16)
	{
		uint64_t	k1 = k0 + 16 < cols ? k0 + 16 : cols;

		for (int r = 0; r < n_rows; r++)
		{
			for (uint64_t k = k0; k < k1; k++)
			{
				uint32_t	v = load32(src + r * row_bytes + 4 * k);

				bad |= (v & 0x7f800000u) == 0x7f800000u;
				store32(tile + 64 * k + 4 * r, v);
			}
		}
	}
	return bad != 0;
}

static bool
pack_16bit(const uint8_t *src, size_t row_bytes, int n_rows, uint64_t cols, uint8_t *tile,
		   uint16_t exponent)
{
	uint32_t	bad = 0;

	for (uint64_t k0 = 0; k0 < cols; k0 += 32)
	{
		uint64_t	k1 = k0 + 32 < cols ? k0 + 32 : cols;

		for (int r = 0; r < n_rows; r++)
		{
			for (uint64_t k = k0; k < k1; k++)
			{
				uint16_t	v;

				memcpy(&v, src + r * row_bytes + 2 * k, 2);
				bad |= (v & exponent) == exponent;
				memcpy(tile + 32 * k + 2 * r, &v, 2);
			}
		}
	}
	return bad != 0;
}

/* All blocks of all rows; inlined once a type, so that the switches vanish. */
static inline __attribute__((always_inline)) bool
pack_blocks(NlpDtype dtype, const BlockShape *s, const uint8_t *src, size_t row_bytes,
			int n_rows, uint64_t blocks, uint8_t *tile)
{
	bool		bad = false;

	for (uint64_t b = 0; b < blocks; b++)
	{
		uint8_t    *rec = tile + b * s->tile_bytes;

		for (int r = 0; r < n_rows; r++)
		{
			const uint8_t *block = src + r * row_bytes + b * s->file_bytes;

			put_block(dtype, s, rec, r, block);
			bad |= block_nonfinite(dtype, block);
		}
	}
	return bad;
}

#define PACK_CASE(t) \
	case t: \
		bad = pack_blocks(t, &s, src, row_bytes, n_rows, blocks, tile); \
		break

NlpStatus
nlp_pack_tile(NlpDtype dtype, const void *src_void, size_t row_bytes, int n_rows,
			  uint64_t cols, void *tile_void, bool allow_nonfinite, NlpError *err)
{
	const uint8_t *src = src_void;
	uint8_t    *tile = tile_void;
	size_t		tile_bytes = nlp_pack_tile_bytes(dtype, cols);
	BlockShape	s;
	uint64_t	blocks;
	bool		bad = false;

	if (tile_bytes == 0 || !block_shape(dtype, &s) || n_rows < 1 || n_rows > ROWS)
		return nlp_fail(err, NLP_EINTERNAL, "cannot pack %d rows of %llu columns of type %d",
						n_rows, (unsigned long long) cols, (int) dtype);
	blocks = cols / s.elems;
	if (n_rows < ROWS)
		memset(tile, 0, tile_bytes);
	else
		memset(tile + blocks * s.tile_bytes, 0, tile_bytes - blocks * s.tile_bytes);
	switch (dtype)
	{
		case NLP_F32:
			bad = pack_f32(src, row_bytes, n_rows, cols, tile);
			break;
		case NLP_F16:
			bad = pack_16bit(src, row_bytes, n_rows, cols, tile, 0x7c00);
			break;
		case NLP_BF16:
			bad = pack_16bit(src, row_bytes, n_rows, cols, tile, 0x7f80);
			break;
			PACK_CASE(NLP_Q4_0);
			PACK_CASE(NLP_Q4_1);
			PACK_CASE(NLP_Q5_0);
			PACK_CASE(NLP_Q5_1);
			PACK_CASE(NLP_Q8_0);
			PACK_CASE(NLP_Q4_K);
			PACK_CASE(NLP_Q5_K);
			PACK_CASE(NLP_Q6_K);
	}
	if (bad && !allow_nonfinite)
		return refuse_nonfinite(dtype, src, row_bytes, n_rows, &s, blocks, err);
	return NLP_OK;
}

/* Unpacking: the arithmetic is that of nlp_dtype_to_f32, operation by operation. */

static inline float
get_f16(const uint8_t *rec, int at, int r)
{
	uint16_t	h;

	memcpy(&h, rec + at + 2 * r, 2);
	return nlp_f16_to_f32(h);
}

/* Code of element k of lane r in a nibble plane of a 32-block. */
static inline int
nibble32(const uint8_t *rec, int r, int k)
{
	int			byte = rec[64 * ((k & 15) >> 2) + 4 * r + (k & 3)];

	return k < 16 ? byte & 15 : byte >> 4;
}

static void
unpack_32(NlpDtype dtype, const BlockShape *s, const uint8_t *rec, int r, float *dst)
{
	float		d = get_f16(rec, s->tile_d, r);
	float		m = s->tile_m ? get_f16(rec, s->tile_m, r) : 0.0f;
	uint32_t	hi = 0;

	if (dtype == NLP_Q5_0 || dtype == NLP_Q5_1)
		hi = load32(rec + NLP_TILE_Q5_HI + 4 * r);
	for (int k = 0; k < 32; k++)
	{
		int			q;

		if (dtype == NLP_Q8_0)
			q = rec[64 * (k >> 2) + 4 * r + (k & 3)] - 128;
		else
			q = nibble32(rec, r, k) | fifth_bit(hi, k) << 4;
		if (dtype == NLP_Q4_0)
			q -= 8;
		else if (dtype == NLP_Q5_0)
			q -= 16;
		dst[k] = (float) q * d;
		if (s->tile_m)
			dst[k] += m;
	}
}

static void
unpack_45k(NlpDtype dtype, const uint8_t *rec, int r, float *dst)
{
	float		d = get_f16(rec, NLP_TILE_K_D, r);
	float		dmin = get_f16(rec, NLP_TILE_K_DMIN, r);

	for (int j = 0; j < 8; j++)
	{
		int			at = 32 * (j / 2) + 2 * r + j % 2;
		float		dj = d * (float) rec[NLP_TILE_K_SC + at];
		float		mj = dmin * (float) rec[NLP_TILE_K_MN + at];

		for (int l = 0; l < 32; l++)
		{
			int			word = 64 * (l >> 2) + 4 * r + (l & 3);
			int			byte = rec[NLP_TILE_K_NIB + 512 * (j / 2) + word];
			int			q = j % 2 ? byte >> 4 : byte & 15;

			if (dtype == NLP_Q5_K)
				q |= ((rec[NLP_TILE_Q5_K_HI + word] >> j) & 1) << 4;
			dst[32 * j + l] = dj * (float) q - mj;
		}
	}
}

static void
unpack_6k(const uint8_t *rec, int r, float *dst)
{
	float		d = get_f16(rec, NLP_TILE_K_D, r);

	for (int k = 0; k < 256; k++)
	{
		int			n = k / 128,
					s = k / 32 % 4,
					l = k % 32,
					j = k / 16;
		int			word = 64 * (l >> 2) + 4 * r + (l & 3);
		int			byte = rec[NLP_TILE_Q6_NIB + 1024 * n + 512 * (s % 2) + word];
		int			top = (rec[NLP_TILE_Q6_HI + 512 * n + word] >> (2 * s)) & 3;
		int			q = ((s < 2 ? byte & 15 : byte >> 4) | top << 4) - 32;
		int8_t		sc = (int8_t) rec[NLP_TILE_Q6_SC + 32 * (j / 2) + 2 * r + j % 2];

		dst[k] = d * (float) sc * (float) q;
	}
}

static void
unpack_float(NlpDtype dtype, const uint8_t *tile, int r, uint64_t cols, float *dst)
{
	for (uint64_t k = 0; k < cols; k++)
	{
		uint16_t	h;

		if (dtype == NLP_F32)
			memcpy(dst + k, tile + 64 * k + 4 * r, 4);
		else
		{
			memcpy(&h, tile + 32 * k + 2 * r, 2);
			dst[k] = dtype == NLP_F16 ? nlp_f16_to_f32(h) : nlp_bf16_to_f32(h);
		}
	}
}

void
nlp_unpack_row(NlpDtype dtype, const void *base, uint64_t cols, uint64_t row, float *dst)
{
	const uint8_t *tile = (const uint8_t *) base + row / ROWS * nlp_pack_tile_bytes(dtype, cols);
	int			r = (int) (row % ROWS);
	BlockShape	s;

	if (!block_shape(dtype, &s))
		return;
	if (s.elems == 1)
	{
		unpack_float(dtype, tile, r, cols, dst);
		return;
	}
	for (uint64_t b = 0; b < cols / s.elems; b++)
	{
		const uint8_t *rec = tile + b * s.tile_bytes;
		float	   *out = dst + b * s.elems;

		if (s.elems == 32)
			unpack_32(dtype, &s, rec, r, out);
		else if (dtype == NLP_Q6_K)
			unpack_6k(rec, r, out);
		else
			unpack_45k(dtype, rec, r, out);
	}
}
