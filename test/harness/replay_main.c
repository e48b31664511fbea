/* replay_main.c --- run a fuzz target over files named on standard input, one a line.
 * Says "replayed NAME" after each, so that whoever started it knows where it died. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
extern int	LLVMFuzzerInitialize(int *argc, char ***argv) __attribute__((weak));

static int
replay(const char *name)
{
	FILE	   *f = fopen(name, "rb");
	uint8_t    *bytes;
	long		size;

	if (f == NULL || fseek(f, 0, SEEK_END) != 0 || (size = ftell(f)) < 0)
	{
		fprintf(stderr, "cannot read %s\n", name);
		return 1;
	}
	rewind(f);
	/* exactly as large as the input, so that a read past its end is seen */
	bytes = malloc(size > 0 ? (size_t) size : 1);
	if (bytes == NULL || fread(bytes, 1, (size_t) size, f) != (size_t) size)
	{
		fprintf(stderr, "cannot read %s\n", name);
		return 1;
	}
	fclose(f);
	LLVMFuzzerTestOneInput(bytes, (size_t) size);
	free(bytes);
	printf("replayed %s\n", name);
	fflush(stdout);
	return 0;
}

int
main(int argc, char **argv)
{
	char		name[4096];

	if (LLVMFuzzerInitialize)
		LLVMFuzzerInitialize(&argc, &argv);
	while (fgets(name, sizeof(name), stdin))
	{
		name[strcspn(name, "\n")] = '\0';
		if (replay(name) != 0)
			return 1;
	}
	return 0;
}
