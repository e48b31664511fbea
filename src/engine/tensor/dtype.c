/* dtype.c --- the table of element types and the size of a tensor.
 *
 * The table holds every number ggml has given out, also the ones it took back:
 * an error can then say "Q4_0_4_8" instead of 32. Geometry is filled in only where
 * it is needed, for the types that we run.
 * Source: enum ggml_type in ggml.h; block layouts in ggml-common.h. */
#include "tensor/dtype.h"
#include "engine_only.h"

#define RUN(name, elems, bytes) {name, elems, bytes, true}
#define KNOWN(name) {name, 0, 0, false}

static const NlpDtypeInfo dtypes[] = {
	[0] = RUN("F32", 1, 4),
	[1] = RUN("F16", 1, 2),
	[2] = RUN("Q4_0", 32, 18),
	[3] = RUN("Q4_1", 32, 20),
	[4] = KNOWN("Q4_2"),
	[5] = KNOWN("Q4_3"),
	[6] = RUN("Q5_0", 32, 22),
	[7] = RUN("Q5_1", 32, 24),
	[8] = RUN("Q8_0", 32, 34),
	[9] = KNOWN("Q8_1"),
	[10] = KNOWN("Q2_K"),
	[11] = KNOWN("Q3_K"),
	[12] = RUN("Q4_K", 256, 144),
	[13] = RUN("Q5_K", 256, 176),
	[14] = RUN("Q6_K", 256, 210),
	[15] = KNOWN("Q8_K"),
	[16] = KNOWN("IQ2_XXS"),
	[17] = KNOWN("IQ2_XS"),
	[18] = KNOWN("IQ3_XXS"),
	[19] = KNOWN("IQ1_S"),
	[20] = KNOWN("IQ4_NL"),
	[21] = KNOWN("IQ3_S"),
	[22] = KNOWN("IQ2_S"),
	[23] = KNOWN("IQ4_XS"),
	[24] = KNOWN("I8"),
	[25] = KNOWN("I16"),
	[26] = KNOWN("I32"),
	[27] = KNOWN("I64"),
	[28] = KNOWN("F64"),
	[29] = KNOWN("IQ1_M"),
	[30] = RUN("BF16", 1, 2),
	[31] = KNOWN("Q4_0_4_4"),
	[32] = KNOWN("Q4_0_4_8"),
	[33] = KNOWN("Q4_0_8_8"),
	[34] = KNOWN("TQ1_0"),
	[35] = KNOWN("TQ2_0"),
	[36] = KNOWN("IQ4_NL_4_4"),
	[37] = KNOWN("IQ4_NL_4_8"),
	[38] = KNOWN("IQ4_NL_8_8"),
	[39] = KNOWN("MXFP4"),
	[40] = KNOWN("NVFP4"),
	[41] = KNOWN("Q1_0"),
	[42] = KNOWN("Q2_0"),
};

const NlpDtypeInfo *
nlp_dtype_info(uint32_t dtype)
{
	if (dtype >= sizeof(dtypes) / sizeof(dtypes[0]))
		return NULL;
	return &dtypes[dtype];
}

bool
nlp_dtype_bytes(NlpDtype dtype, uint64_t rows, uint64_t cols, uint64_t *bytes)
{
	const NlpDtypeInfo *info = nlp_dtype_info((uint32_t) dtype);
	uint64_t	row_bytes;
	uint64_t	total;

	if (!info || !info->supported || cols % info->block_elems != 0)
		return false;
	if (__builtin_mul_overflow(cols / info->block_elems, (uint64_t) info->block_bytes, &row_bytes) ||
		__builtin_mul_overflow(row_bytes, rows, &total))
		return false;
	*bytes = total;
	return true;
}
