/* template_fuzz.c --- fuzz chat templates: source, a NUL byte, and the variables
 * as JSON text (an object of a few values when there is none).
 *
 *     clang -g -O1 -fsanitize=fuzzer,address,undefined -Isrc/engine \
 *         test/fuzz/template_fuzz.c src/engine/task/ *.c src/engine/core/{alloc,status,utf8}.c \
 *         -lutf8proc -lm
 *     template_fuzz -timeout=1 -rss_limit_mb=512 -dict=test/fuzz/template.dict test/fuzz/corpus/template
 *
 * Beyond what the sanitizers see: output is UTF-8, an error leaves no output,
 * and no input is our mistake (NLP_EINTERNAL). The JSON also goes through
 * nlp_chat_render, and the source through nlp_summary_split. */
#include <stdlib.h>
#include <string.h>

#include "core/utf8.h"
#include "task/chat.h"
#include "task/summary.h"

static const NlpTemplateLimits limits = {1 << 20, 8 << 20, 20000, 2000000};

static void
check_output(NlpStatus st, const NlpBuf *out)
{
	size_t		bad;

	if (st == NLP_EINTERNAL || (st != NLP_OK && out->len) ||
		(st == NLP_OK && out->len && !nlp_utf8_valid(out->data, out->len, &bad)))
		__builtin_trap();
}

static NlpStatus
count(void *ctx, const char *text, size_t len, size_t max, size_t *tokens, NlpError *err)
{
	(void) ctx;
	(void) max;
	(void) err;
	*tokens = nlp_utf8_count(text, len) / 3 + 1;
	return NLP_OK;
}

static void
split(const NlpEnv *env, const char *text, size_t len)
{
	NlpError	err;
	NlpPiece   *pieces;
	size_t		n;
	size_t		at = 0;
	NlpStatus	st = nlp_summary_split(env, text, len, 4, count, NULL, &pieces, &n, &err);

	if (st != NLP_OK)
		return;
	for (size_t i = 0; i < n; i++)
	{
		if (pieces[i].start < at || pieces[i].len == 0 || pieces[i].len > len - pieces[i].start || pieces[i].tokens > 4)
			__builtin_trap();
		at = pieces[i].start + pieces[i].len;
	}
	nlp_free(env->alloc, pieces);
}

int			LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char some[] = "{\"x\":1,\"s\":\"h\\u00e9llo W\",\"l\":[1,2,3],\"d\":{\"a\":1,\"b\":[{\"c\":null}]},\"f\":2.5,"
		"\"messages\":[{\"role\":\"user\",\"content\":\" Hi \"},{\"role\":\"assistant\",\"content\":\"<think>a</think>b\"}],"
		"\"add_generation_prompt\":true,\"bos_token\":\"<s>\",\"tools\":null,\"strftime_now\":\"2024-07-09T01:02:03\"}";
	NlpEnv		env = {.alloc = &nlp_libc_alloc};
	const char *text = (const char *) data;
	const char *nul = size ? memchr(text, 0, size) : NULL;
	size_t		len = nul ? (size_t) (nul - text) : size;
	const char *json = nul ? nul + 1 : some;
	size_t		json_len = nul ? size - len - 1 : sizeof(some) - 1;
	NlpChat		chat = {.messages = json, .messages_len = json_len, .bos = "<s>", .bos_len = 3, .date = "2024-07-09"};
	NlpTemplate *t;
	NlpError	err;
	NlpBuf		out;

	split(&env, text, len);
	if (nlp_template_parse(text, len, &nlp_libc_alloc, &t, &err) != NLP_OK)
		return 0;
	nlp_buf_init(&out, &nlp_libc_alloc);
	check_output(nlp_template_render_within(t, &env, &limits, json, json_len, &out, &err), &out);
	out.len = 0;
	if (nul)
		check_output(nlp_chat_render(t, &env, &chat, &out, &err), &out);
	nlp_buf_free(&out);
	nlp_template_free(t);
	return 0;
}
