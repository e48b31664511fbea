/* wordbin_fuzz.c --- word2vec's and fastText's binary files (wordfile_fuzz.h says what is checked). */
#include "wordfile_fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	try_file(data, size);
	return 0;
}
