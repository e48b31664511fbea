/* dtype_test.c --- element types: the table, sizes, unpacking and quantising.
 *
 * Numbers come from test/golden/dtype.bin (or the file named on the command line),
 * which make_dtype.py wrote with the gguf Python package; all comparisons are bit
 * for bit. */
#include <math.h>

#include "check.h"
#include "core/half.h"
#include "tensor/dtype.h"

static const NlpDtype run_types[] = {
	NLP_F32, NLP_F16, NLP_Q4_0, NLP_Q4_1, NLP_Q5_0, NLP_Q5_1, NLP_Q8_0, NLP_Q4_K, NLP_Q5_K, NLP_Q6_K, NLP_BF16
};
#define N_RUN ((int) (sizeof(run_types) / sizeof(run_types[0])))

static void
test_table(void)
{
	int			supported = 0;

	for (uint32_t t = 0; t < 43; t++)
	{
		const NlpDtypeInfo *info = nlp_dtype_info(t);

		CHECKF(info && info->name && info->name[0], "type %u", t);
		if (!info)
			continue;
		supported += info->supported;
		CHECKF(!info->supported || (info->block_elems && info->block_bytes), "type %u", t);
		for (uint32_t u = 0; u < t; u++)
			CHECKF(strcmp(info->name, nlp_dtype_info(u)->name) != 0, "types %u and %u", t, u);
	}
	CHECK(supported == N_RUN);
	for (int i = 0; i < N_RUN; i++)
		CHECK(nlp_dtype_info(run_types[i])->supported);
	CHECK(nlp_dtype_info(43) == NULL);
	CHECK(nlp_dtype_info(UINT32_MAX) == NULL);
	CHECK(strcmp(nlp_dtype_info(14)->name, "Q6_K") == 0);
	CHECK(strcmp(nlp_dtype_info(31)->name, "Q4_0_4_4") == 0);
}

static void
test_bytes(void)
{
	uint64_t	bytes = 7;

	CHECK(nlp_dtype_bytes(NLP_F32, 3, 5, &bytes) && bytes == 60);
	CHECK(nlp_dtype_bytes(NLP_Q4_1, 192, 576, &bytes) && bytes == 69120);
	CHECK(nlp_dtype_bytes(NLP_Q6_K, 2, 512, &bytes) && bytes == 840);
	CHECK(nlp_dtype_bytes(NLP_Q4_0, 0, 32, &bytes) && bytes == 0);
	bytes = 7;
	CHECK(!nlp_dtype_bytes(NLP_Q4_0, 1, 33, &bytes));
	CHECK(!nlp_dtype_bytes(NLP_Q4_K, 1, 32, &bytes));
	CHECK(!nlp_dtype_bytes(NLP_F32, 1, (uint64_t) 1 << 62, &bytes));
	CHECK(!nlp_dtype_bytes(NLP_F32, (uint64_t) 1 << 32, (uint64_t) 1 << 31, &bytes));
	CHECK(!nlp_dtype_bytes((NlpDtype) 10, 1, 256, &bytes));
	CHECK(!nlp_dtype_bytes((NlpDtype) 99, 1, 256, &bytes));
	CHECK(bytes == 7);
}

typedef struct Record
{
	uint32_t	dtype,
				direction,
				elems,
				src_bytes,
				dst_bytes;
} Record;

/* src is given at an odd address: a reader that casts instead of copying is seen
 * by the sanitizer. */
static void
run_record(const Record *r, const char *src, const char *dst)
{
	const NlpDtypeInfo *info = nlp_dtype_info(r->dtype);
	uint64_t	bytes;

	CHECK(nlp_dtype_bytes((NlpDtype) r->dtype, r->elems / info->block_elems, info->block_elems, &bytes));
	if (r->direction == 0)
	{
		char	   *odd = malloc(r->src_bytes + 1);
		float	   *out = malloc(r->elems * sizeof(float));

		CHECK(bytes == r->src_bytes && r->dst_bytes == r->elems * 4);
		memcpy(odd + 1, src, r->src_bytes);
		nlp_dtype_to_f32((NlpDtype) r->dtype, odd + 1, out, r->elems);
		for (uint32_t i = 0; i < r->elems; i++)
		{
			if (memcmp(out + i, dst + 4 * i, 4) != 0)
			{
				CHECKF(false, "%s element %u of %u: got %a", info->name, i, r->elems, (double) out[i]);
				break;
			}
		}
		CHECK(memcmp(out, dst, r->dst_bytes) == 0);
		free(odd);
		free(out);
	}
	else
	{
		float	   *in = malloc(r->src_bytes);
		char	   *out = malloc(r->dst_bytes + 1);

		CHECK(bytes == r->dst_bytes && r->src_bytes == r->elems * 4);
		memcpy(in, src, r->src_bytes);
		CHECK(nlp_dtype_from_f32((NlpDtype) r->dtype, in, out + 1, r->elems));
		for (uint32_t b = 0; b < r->dst_bytes; b += info->block_bytes)
		{
			if (memcmp(out + 1 + b, dst + b, info->block_bytes) != 0)
			{
				CHECKF(false, "%s block %u", info->name, b / info->block_bytes);
				break;
			}
		}
		CHECK(memcmp(out + 1, dst, r->dst_bytes) == 0);
		free(in);
		free(out);
	}
}

static void
test_golden(const char *path)
{
	FILE	   *f = fopen(path, "rb");
	Record		r;
	int			n = 0;
	unsigned	unpacked = 0,
				quantised = 0;

	CHECKF(f != NULL, "%s", path);
	if (!f)
		return;
	while (fread(&r, sizeof(r), 1, f) == 1)
	{
		char	   *src = malloc(r.src_bytes);
		char	   *dst = malloc(r.dst_bytes);

		if (fread(src, 1, r.src_bytes, f) != r.src_bytes || fread(dst, 1, r.dst_bytes, f) != r.dst_bytes)
			CHECKF(false, "record %d is cut short", n);
		else
			run_record(&r, src, dst);
		*(r.direction ? &quantised : &unpacked) += 1;
		free(src);
		free(dst);
		n++;
	}
	fclose(f);
	CHECK(unpacked == 11 && quantised == 8);
}

/* What is not a number must give defined blocks, and K-quants cannot be written. */
static void
test_odd_values(void)
{
	float		x[256];
	unsigned char out[512];
	unsigned char again[512];

	for (int i = 0; i < 256; i++)
		x[i] = i % 3 == 0 ? NAN : i % 3 == 1 ? INFINITY : (float) i;
	for (int i = 0; i < N_RUN; i++)
	{
		bool		k = run_types[i] == NLP_Q4_K || run_types[i] == NLP_Q5_K || run_types[i] == NLP_Q6_K;

		memset(out, 1, sizeof(out));
		memset(again, 2, sizeof(again));
		CHECK(nlp_dtype_from_f32(run_types[i], x, out, 64) == !k);
		CHECK(nlp_dtype_from_f32(run_types[i], x, again, 64) == !k);
		if (!k)
		{
			const NlpDtypeInfo *info = nlp_dtype_info(run_types[i]);
			size_t		bytes = 64u / info->block_elems * info->block_bytes;

			CHECK(memcmp(out, again, bytes) == 0);
			CHECKF(bytes == sizeof(out) || out[bytes] == 1, "%s writes past its blocks", info->name);
		}
	}
}

/* Every half survives the way to f32 and back; the same for bfloat16. */
static void
test_halves(void)
{
	int			wrong16 = 0,
				wrong_b = 0;

	for (uint32_t h = 0; h < 65536; h++)
	{
		float		f = nlp_f16_to_f32((uint16_t) h);
		float		b = nlp_bf16_to_f32((uint16_t) h);

		if (!isnan(f) && nlp_f32_to_f16(f) != h)
			wrong16++;
		if (!isnan(b) && nlp_f32_to_bf16(b) != h)
			wrong_b++;
		if (isnan(f) != ((h & 0x7c00) == 0x7c00 && (h & 0x3ff)))
			wrong16++;
	}
	CHECK(wrong16 == 0);
	CHECK(wrong_b == 0);
	CHECK(nlp_f32_to_f16(65520.0f) == 0x7c00);
	CHECK(nlp_f32_to_f16(65519.996f) == 0x7bff);
	CHECK(nlp_f32_to_f16(0x1p-25f) == 0 && nlp_f32_to_f16(0x1.8p-25f) == 1);
	CHECK(nlp_f32_to_f16(1.0f + 0x1p-11f) == 0x3c00 && nlp_f32_to_f16(1.0f + 0x3p-11f) == 0x3c02);
}

int
main(int argc, char **argv)
{
	test_table();
	test_bytes();
	test_golden(argc > 1 ? argv[1] : "test/golden/dtype.bin");
	test_odd_values();
	test_halves();
	return check_done();
}
