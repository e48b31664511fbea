/* gguf_info.c --- print the keys and tensors of a GGUF file.
 *
 *   gguf_info FILE        one line a key, one a tensor; long values are cut
 *
 * Exit status 0, or 1 with the reader's error on stderr. */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "format/gguf.h"

#define SHOWN_ELEMS 6
#define SHOWN_BYTES 60

static const char *const type_names[] = {
	"u8", "i8", "u16", "i16", "u32", "i32", "f32", "bool", "str", "arr", "u64", "i64", "f64"
};

static void
print_text(NlpStr s)
{
	size_t		shown = s.len < SHOWN_BYTES ? s.len : SHOWN_BYTES;

	putchar('"');
	for (size_t i = 0; i < shown; i++)
	{
		unsigned char c = (unsigned char) s.data[i];

		if (c == '\n')
			fputs("\\n", stdout);
		else if (c < 0x20 || c == 0x7f)
			printf("\\x%02x", c);
		else
			putchar(c);
	}
	fputs(shown < s.len ? "...\"" : "\"", stdout);
	if (shown < s.len)
		printf(" (%zu bytes)", s.len);
}

static void
print_value(NlpGgufType type, const void *data, uint64_t i)
{
	switch (type)
	{
		case NLP_GGUF_U8:
			printf("%u", ((const uint8_t *) data)[i]);
			break;
		case NLP_GGUF_I8:
			printf("%d", ((const int8_t *) data)[i]);
			break;
		case NLP_GGUF_U16:
			printf("%u", ((const uint16_t *) data)[i]);
			break;
		case NLP_GGUF_I16:
			printf("%d", ((const int16_t *) data)[i]);
			break;
		case NLP_GGUF_U32:
			printf("%" PRIu32, ((const uint32_t *) data)[i]);
			break;
		case NLP_GGUF_I32:
			printf("%" PRId32, ((const int32_t *) data)[i]);
			break;
		case NLP_GGUF_F32:
			printf("%.9g", (double) ((const float *) data)[i]);
			break;
		case NLP_GGUF_BOOL:
			fputs(((const uint8_t *) data)[i] ? "true" : "false", stdout);
			break;
		case NLP_GGUF_STRING:
			print_text(((const NlpStr *) data)[i]);
			break;
		case NLP_GGUF_U64:
			printf("%" PRIu64, ((const uint64_t *) data)[i]);
			break;
		case NLP_GGUF_I64:
			printf("%" PRId64, ((const int64_t *) data)[i]);
			break;
		case NLP_GGUF_F64:
			printf("%.17g", ((const double *) data)[i]);
			break;
		case NLP_GGUF_ARRAY:
			break;
	}
}

static void
print_kv(const NlpGgufKv *kv)
{
	bool		array = kv->type == NLP_GGUF_ARRAY;

	printf("%s  %s%s", kv->key.data, type_names[kv->elem], array ? "[" : "  ");
	if (array)
		printf("%" PRIu64 "]  ", kv->count);
	for (uint64_t i = 0; i < kv->count && i < SHOWN_ELEMS; i++)
	{
		if (i)
			fputs(", ", stdout);
		print_value(kv->elem, kv->data, i);
	}
	puts(kv->count > SHOWN_ELEMS ? ", ..." : "");
}

static void
print_tensor(const NlpGgufTensor *t)
{
	printf("%-32s %-5s [", t->name.data, nlp_dtype_info(t->dtype)->name);
	for (uint32_t d = 0; d < t->n_dims; d++)
		printf("%s%" PRIu64, d ? ", " : "", t->dims[d]);
	printf("]  at %" PRIu64 ", %" PRIu64 " bytes\n", t->offset, t->bytes);
}

int
main(int argc, char **argv)
{
	NlpEnv		env = {.alloc = &nlp_libc_alloc};
	NlpFileSource file;
	NlpGguf		g;
	NlpError	err = {0};

	if (argc != 2)
	{
		fprintf(stderr, "usage: gguf_info FILE\n");
		return 2;
	}
	if (nlp_file_source_open(&file, argv[1], &err) != NLP_OK ||
		nlp_gguf_open(&file.source, &env, &g, &err) != NLP_OK)
	{
		fprintf(stderr, "%s: %s", argv[1], err.message);
		if (err.field[0] || err.has_offset)
			fprintf(stderr, " (field \"%s\", byte %" PRIu64 ")", err.field, err.offset);
		fprintf(stderr, "\n");
		return 1;
	}
	printf("GGUF version %u, alignment %u, %" PRIu64 " keys, %" PRIu64 " tensors, data at %" PRIu64
		   ", %" PRIu64 " bytes\n", g.version, g.alignment, g.n_kv, g.n_tensors, g.data_offset, g.file_bytes);
	for (uint64_t i = 0; i < g.n_kv; i++)
		print_kv(&g.kv[i]);
	for (uint64_t i = 0; i < g.n_tensors; i++)
		print_tensor(&g.tensors[i]);
	nlp_gguf_close(&g);
	nlp_file_source_close(&file);
	return 0;
}
