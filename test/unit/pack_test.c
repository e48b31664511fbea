/* pack_test.c --- tiles hold what the file held: every type, bit for bit. */
#include "check.h"
#include "tensor/pack.h"
#include "weights.h"

static uint8_t *
new_bytes(size_t n)
{
	return nlp_alloc(&nlp_libc_alloc, n);
}

/* rows x cols of a type through tiles and back, with guard bytes round each tile. */
static void
check_round_trip(NlpDtype t, WeightMood mood, int rows, uint64_t cols)
{
	const NlpDtypeInfo *info = nlp_dtype_info(t);
	size_t		row_bytes = cols / info->block_elems * info->block_bytes;
	size_t		tile_bytes = nlp_pack_tile_bytes(t, cols);
	int			tiles = (rows + 15) / 16;
	uint8_t    *file = new_bytes(rows * row_bytes);
	uint8_t    *base = new_bytes(tiles * tile_bytes + 64);
	float	   *want = (float *) new_bytes(cols * 4);
	float	   *got = (float *) new_bytes(cols * 4);
	NlpError	err;

	CHECKF(tile_bytes % 64 == 0 && tile_bytes > 0, "%s", info->name);
	random_blocks(t, mood, file, rows * (cols / info->block_elems));
	memset(base, 0xee, tiles * tile_bytes + 64);
	for (int i = 0; i < tiles; i++)
	{
		int			n = rows - 16 * i < 16 ? rows - 16 * i : 16;

		CHECK_OK(nlp_pack_tile(t, file + 16 * i * row_bytes, row_bytes, n, cols, base + i * tile_bytes, false, &err), err);
		CHECKF(base[(i + 1) * tile_bytes] == 0xee, "%s wrote past its tile", info->name);
	}
	for (int r = 0; r < rows; r++)
	{
		nlp_dtype_to_f32(t, file + r * row_bytes, want, cols);
		memset(got, 0xcc, cols * 4);
		nlp_unpack_row(t, base, cols, r, got);
		CHECKF(memcmp(want, got, cols * 4) == 0, "%s mood %d row %d of %d, %d columns",
			   info->name, mood, r, rows, (int) cols);
	}
	nlp_free(&nlp_libc_alloc, file);
	nlp_free(&nlp_libc_alloc, base);
	nlp_free(&nlp_libc_alloc, want);
	nlp_free(&nlp_libc_alloc, got);
}

/* The same tile whatever lay in the memory before. */
static void
check_every_byte_written(NlpDtype t, int rows)
{
	const NlpDtypeInfo *info = nlp_dtype_info(t);
	uint64_t	cols = info->block_elems == 1 ? 33 : 3 * info->block_elems;
	size_t		row_bytes = cols / info->block_elems * info->block_bytes;
	size_t		tile_bytes = nlp_pack_tile_bytes(t, cols);
	uint8_t    *file = new_bytes(16 * row_bytes);
	uint8_t    *a = new_bytes(tile_bytes);
	uint8_t    *b = new_bytes(tile_bytes);
	NlpError	err;

	random_blocks(t, MOOD_USUAL, file, 16 * (cols / info->block_elems));
	memset(a, 0x55, tile_bytes);
	memset(b, 0xaa, tile_bytes);
	CHECK_OK(nlp_pack_tile(t, file, row_bytes, rows, cols, a, false, &err), err);
	CHECK_OK(nlp_pack_tile(t, file, row_bytes, rows, cols, b, false, &err), err);
	CHECKF(memcmp(a, b, tile_bytes) == 0, "%s %d rows", info->name, rows);
	nlp_free(&nlp_libc_alloc, file);
	nlp_free(&nlp_libc_alloc, a);
	nlp_free(&nlp_libc_alloc, b);
}

static void
check_nonfinite(NlpDtype t)
{
	static const uint16_t bad_f16[] = {0x7c00, 0xfc00, 0x7e00, 0x7c01};
	const NlpDtypeInfo *info = nlp_dtype_info(t);
	uint64_t	cols = 4 * info->block_elems;
	size_t		row_bytes = 4 * info->block_bytes;
	uint8_t    *file = new_bytes(16 * row_bytes);
	uint8_t    *tile = new_bytes(nlp_pack_tile_bytes(t, cols));
	float		want[4 * 256];
	float		got[4 * 256];
	NlpError	err;
	int			at[2];
	int			scales = scale_places(t, at);

	for (int s = 0; s < (scales ? scales : 1); s++)
	{
		for (int i = 0; i < 4; i++)
		{
			uint8_t    *b = file + 11 * row_bytes + 2 * info->block_bytes;

			random_blocks(t, MOOD_USUAL, file, 16 * 4);
			if (t == NLP_F32)
				memcpy(b, &(uint32_t) {i % 2 ? 0x7f800000u : 0xffc00001u}, 4);
			else if (t == NLP_BF16)
				memcpy(b, &(uint16_t) {i % 2 ? 0xff80 : 0x7fc1}, 2);
			else
				memcpy(b + (scales ? at[s] : 0), &bad_f16[i], 2);
			CHECKF(nlp_pack_tile(t, file, row_bytes, 16, cols, tile, false, &err) == NLP_ECORRUPT, "%s", info->name);
			CHECKF(strstr(err.detail, "Row 11 ") && strstr(err.detail, "block 2 "), "%s: %s", info->name, err.detail);
			CHECK_OK(nlp_pack_tile(t, file, row_bytes, 11, cols, tile, false, &err), err);
			CHECK_OK(nlp_pack_tile(t, file, row_bytes, 16, cols, tile, true, &err), err);
			nlp_dtype_to_f32(t, file + 10 * row_bytes, want, cols);
			nlp_unpack_row(t, tile, cols, 10, got);
			CHECKF(memcmp(want, got, cols * 4) == 0, "%s: the row before", info->name);
		}
	}
	nlp_free(&nlp_libc_alloc, file);
	nlp_free(&nlp_libc_alloc, tile);
}

static void
check_sizes(void)
{
	uint8_t		byte = 0;
	NlpError	err;

	CHECK(nlp_pack_tile_bytes(NLP_Q4_1, 576) == 18 * 320);
	CHECK(nlp_pack_tile_bytes(NLP_Q4_0, 32) == 320);
	CHECK(nlp_pack_tile_bytes(NLP_F16, 3) == 128);
	CHECK(nlp_pack_tile_bytes(NLP_Q4_1, 48) == 0);
	CHECK(nlp_pack_tile_bytes(NLP_Q4_K, 128) == 0);
	CHECK(nlp_pack_tile_bytes(NLP_Q4_1, 0) == 0);
	CHECK(nlp_pack_tile_bytes((NlpDtype) 16, 256) == 0);
	CHECK(nlp_pack_tile_bytes(NLP_F32, UINT64_MAX) == 0);
	CHECK(nlp_pack_tile_bytes(NLP_Q8_0, UINT64_MAX / 32 * 32) == 0);
	CHECK(nlp_pack_tile(NLP_Q4_1, &byte, 1, 1, 31, &byte, false, &err) == NLP_EINTERNAL);
	CHECK(nlp_pack_tile(NLP_Q4_1, &byte, 1, 17, 32, &byte, false, &err) == NLP_EINTERNAL);
	CHECK(nlp_pack_tile(NLP_Q4_1, &byte, 1, 0, 32, &byte, false, &err) == NLP_EINTERNAL);
}

int
main(void)
{
	for (int i = 0; i < N_TYPES; i++)
	{
		int			unit = nlp_dtype_info(all_types[i])->block_elems;

		for (int mood = 0; mood < N_MOODS; mood++)
		{
			check_round_trip(all_types[i], mood, 35, unit == 1 ? 37 : 5 * unit);
			check_round_trip(all_types[i], mood, 1, unit);
			check_round_trip(all_types[i], mood, 16, 2 * unit);
		}
		check_every_byte_written(all_types[i], 16);
		check_every_byte_written(all_types[i], 5);
		check_nonfinite(all_types[i]);
	}
	check_sizes();
	return check_done();
}
