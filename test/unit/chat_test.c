/* chat_test.c --- conversations: what is refused, and what reaches the template. */
#include "check.h"
#include "task/chat.h"

static const NlpEnv env = {.alloc = &nlp_libc_alloc};

static const char chatml[] =
	"{{ bos_token }}{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
	"{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

static NlpStatus
render(const char *source, NlpChat *chat, NlpBuf *out, NlpError *err)
{
	NlpTemplate *t;
	NlpStatus	st = nlp_chat_open(source, strlen(source), &nlp_libc_alloc, &t, err);

	chat->messages_len = strlen(chat->messages);
	chat->variables_len = chat->variables ? strlen(chat->variables) : 0;
	chat->bos_len = chat->bos ? strlen(chat->bos) : 0;
	chat->eos_len = chat->eos ? strlen(chat->eos) : 0;
	if (st == NLP_OK)
		st = nlp_chat_render(t, &env, chat, out, err);
	nlp_template_free(t);
	return st;
}

static void
check_text(const char *source, NlpChat chat, const char *want)
{
	NlpBuf		out;
	NlpError	err = {0};

	nlp_buf_init(&out, &nlp_libc_alloc);
	CHECK_OK(render(source, &chat, &out, &err), err);
	CHECKF(strcmp(out.data ? out.data : "", want) == 0, "got %s", out.data);
	nlp_buf_free(&out);
}

static void
check_refused(NlpChat chat, NlpStatus want, const char *message)
{
	NlpBuf		out;
	NlpError	err = {0};

	nlp_buf_init(&out, &nlp_libc_alloc);
	CHECKF(render(chatml, &chat, &out, &err) == want && strcmp(err.message, message) == 0, "%s: %d %s", chat.messages,
		   err.status, err.message);
	CHECK(out.len == 0);
	nlp_buf_free(&out);
}

static void
test_render(void)
{
	NlpChat		c = {.messages = "[{\"role\":\"user\",\"content\":\"Hi \\u4f60\"}]", .bos = "<s>", .eos = "</s>"};

	check_text(chatml, c, "<s><|im_start|>user\nHi \xe4\xbd\xa0<|im_end|>\n<|im_start|>assistant\n");
	c.no_prompt = true;
	check_text(chatml, c, "<s><|im_start|>user\nHi \xe4\xbd\xa0<|im_end|>\n");
	c.variables = "{\"add_generation_prompt\":true}";
	check_text("{{ add_generation_prompt }}", c, "True");
	c.variables = "{\"enable_thinking\":false,\"tools\":[1]}";
	check_text("{{ enable_thinking }}{{ tools }}{{ documents }}{{ eos_token }}", c, "False[1]None</s>");
	c.variables = NULL;
	c.bos = NULL;
	check_text("{{ bos_token is defined }}{{ tools is none }}{{ strftime_now is defined }}", c, "FalseTrueFalse");
	c.date = "2024-07-09";
	check_text("{{ strftime_now('%d %b %Y') }}", c, "09 Jul 2024");
	c.messages = "[{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"a\":1}]},{\"role\":\"tool\",\"content\":\"\"}]";
	check_text("{{ messages|length }}{{ messages[0].tool_calls[0].a }}", c, "21");
}

static void
test_refused(void)
{
	static const struct
	{
		const char *messages;
		const char *message;
	}			cases[] = {
		{"", "conversation is not valid JSON: it ends early"},
		{"[", "conversation is not valid JSON: it ends early"},
		{"[{\"role\":\"user\"", "conversation is not valid JSON: a comma or a closing brace is missing"},
		{"{}", "conversation is not a JSON array"},
		{"\"x\"", "conversation is not a JSON array"},
		{"[]", "conversation has no messages"},
		{"[1]", "message 1 of the conversation is not an object"},
		{"[{}]", "message 1 of the conversation has no \"role\""},
		{"[{\"role\":1}]", "message 1 of the conversation has a \"role\" that is not a text"},
		{"[{\"role\":\"\",\"content\":\"\"}]", "message 1 of the conversation has a \"role\" that is not a text"},
		{"[{\"role\":\"user\"}]", "message 1 of the conversation has no \"content\""},
		{"[{\"role\":\"user\",\"content\":null}]", "message 1 of the conversation has a \"content\" that is not a text"},
		{"[{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"user\",\"content\":[]}]",
		"message 2 of the conversation has a \"content\" that is not a text"},
		{"[{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[]}]",
		"message 1 of the conversation has a \"content\" that is not a text"},
	};
	NlpChat		c = {.messages = "[{\"role\":\"user\",\"content\":\"Hi\"}]"};
	NlpError	err = {0};
	NlpTemplate *t;
	size_t		n = 0;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check_refused((NlpChat) {.messages = cases[i].messages}, NLP_EINVALID, cases[i].message);
	check_refused((NlpChat) {.messages = "[\"\xff\"]"}, NLP_ETEXT, "conversation is not valid UTF-8");
	c.variables = "[]";
	check_refused(c, NLP_EINVALID, "variables of the chat template are not a JSON object");
	c.variables = "{\"messages\":[]}";
	check_refused(c, NLP_EINVALID, "variable \"messages\" of the chat template cannot be set");
	c.variables = "{\"bos_token\":\"x\"}";
	check_refused(c, NLP_EINVALID, "variable \"bos_token\" of the chat template cannot be set");
	c.variables = "{\"add_generation_prompt\":1}";
	check_refused(c, NLP_EINVALID, "variable \"add_generation_prompt\" is not a boolean");
	CHECK(nlp_chat_open(NULL, 0, &nlp_libc_alloc, &t, &err) == NLP_EUNSUPPORTED && !t);
	CHECK(strcmp(err.message, "model has no chat template") == 0 && err.hint[0]);
	CHECK(nlp_chat_open("", 0, &nlp_libc_alloc, &t, &err) == NLP_EUNSUPPORTED);
	CHECK(nlp_chat_check(&env, c.messages, strlen(c.messages), &n, &err) == NLP_OK && n == 1);
	CHECK(nlp_chat_check(&env, "[1]", 3, &n, &err) == NLP_EINVALID);
}

static void
test_json_text(void)
{
	NlpBuf		out;

	nlp_buf_init(&out, &nlp_libc_alloc);
	CHECK(nlp_chat_put_json(&out, "a\"b\\c\n\x01 \xe4\xbd\xa0", 11));
	CHECK(strcmp(out.data, "\"a\\\"b\\\\c\\u000a\\u0001 \xe4\xbd\xa0\"") == 0);
	out.len = 0;
	CHECK(nlp_chat_put_json(&out, "", 0) && strcmp(out.data, "\"\"") == 0);
	nlp_buf_free(&out);
}

static void
test_no_memory(void)
{
	NlpChat		chat = {.messages = "[{\"role\":\"user\",\"content\":\"Hi \\n there\"}]", .variables = "{\"a\":[1,2,3],\"b\":{\"c\":1}}",
	.bos = "<s>", .bos_len = 3};
	long		at;

	chat.messages_len = strlen(chat.messages);
	chat.variables_len = strlen(chat.variables);
	for (at = 0; at < 1000; at++)
	{
		NlpTestAlloc a;
		NlpEnv		e = {.alloc = &a.alloc};
		NlpTemplate *t;
		NlpBuf		out;
		NlpError	err = {0};
		NlpStatus	st;

		nlp_test_alloc_init(&a, at);
		nlp_buf_init(&out, &a.alloc);
		st = nlp_chat_open(chatml, strlen(chatml), &a.alloc, &t, &err);
		if (st == NLP_OK)
			st = nlp_chat_render(t, &e, &chat, &out, &err);
		nlp_template_free(t);
		nlp_buf_free(&out);
		CHECKF(a.live == 0, "allocation %ld: %ld left", at, a.live);
		if (st == NLP_OK)
			break;
		CHECKF(st == NLP_ENOMEM, "allocation %ld: %s", at, err.message);
	}
	CHECK(at > 2 && at < 1000);
}

int
main(void)
{
	test_render();
	test_refused();
	test_json_text();
	test_no_memory();
	return check_done();
}
