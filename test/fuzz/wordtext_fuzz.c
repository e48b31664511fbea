/* wordtext_fuzz.c --- word2vec's, fastText's and GloVe's text files (wordfile_fuzz.h says what is checked), and each input as a
 * number: what our reader accepts, strtof reads as the same f32. */
#include "wordvec/file_private.h"
#include "wordfile_fuzz.h"

static void
try_number(const uint8_t *data, size_t size)
{
	char		s[256];
	float		got,
				want;
	bool		huge;
	const char *end;
	char	   *stop;

	if (size >= sizeof(s))
		size = sizeof(s) - 1;
	memcpy(s, data, size);
	s[size] = '\0';
	want = strtof(s, &stop);
	end = nlp_wordfile_number(s, s + size, &got, &huge);
	if (end)
		REQUIRE(!huge && end == stop && memcmp(&got, &want, 4) == 0);
	if (huge)
		REQUIRE(isinf(want));
	if (end)
	{
		char		again[NLP_WORDFILE_DECIMALS + 1];

		again[nlp_wordfile_decimals(got, again)] = '\0';
		want = strtof(again, NULL);
		REQUIRE(memcmp(&got, &want, 4) == 0);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	try_number(data, size);
	if (size > 1)
		try_number(data + 1, size - 1);
	try_file(data, size);
	return 0;
}
