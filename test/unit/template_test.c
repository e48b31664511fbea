/* template_test.c --- chat templates against Python's jinja2, their limits, and
 * what happens when memory runs out. Golden files: test/golden/template, found
 * from the top of the tree or through NLP_GOLDEN, which names test/golden. */
#include <jansson.h>

#include "check.h"
#include "core/hash.h"
#include "task/template.h"

static const char *
golden(const char *name)
{
	static char path[4096];
	const char *dir = getenv("NLP_GOLDEN");

	snprintf(path, sizeof(path), "%s/template/%s", dir ? dir : "test/golden", name);
	return path;
}

static char *
read_whole(const char *path, size_t *len)
{
	FILE	   *f = fopen(path, "rb");
	char	   *data = NULL;
	long		n;

	*len = 0;
	if (!f)
		return NULL;
	fseek(f, 0, SEEK_END);
	n = ftell(f);
	rewind(f);
	data = malloc((size_t) n + 1);
	if (data && fread(data, 1, (size_t) n, f) == (size_t) n)
	{
		data[n] = '\0';
		*len = (size_t) n;
	}
	fclose(f);
	return data;
}

static NlpStatus
render_with(const NlpAlloc *alloc, const NlpTemplateLimits *limits, const char *source, size_t source_len,
			const char *json, NlpBuf *out, NlpError *err)
{
	NlpEnv		e = {.alloc = alloc};
	NlpTemplate *t;
	NlpStatus	st = nlp_template_parse(source, source_len, alloc, &t, err);

	if (st == NLP_OK)
		st = nlp_template_render_within(t, &e, limits, json, strlen(json), out, err);
	nlp_template_free(t);
	return st;
}

/* One golden record: the output must be equal, or an error come. */
static void
check_record(const char *name, const char *source, size_t source_len, const char *vars, json_t *record)
{
	const json_t *want = json_object_get(record, "out");
	const char *message = json_string_value(json_object_get(record, "message"));
	NlpBuf		out;
	NlpError	err = {0};
	NlpStatus	st;

	nlp_buf_init(&out, &nlp_libc_alloc);
	st = render_with(&nlp_libc_alloc, NULL, source, source_len, vars, &out, &err);
	if (!want)
		CHECKF(st != NLP_OK && st != NLP_EINTERNAL, "%s: %.200s: gave %.*s", name, source, (int) out.len, out.data ? out.data : "");
	else if (st != NLP_OK)
		CHECKF(st == NLP_OK, "%s: %.200s: %s %s", name, source, err.message, err.detail);
	else
		CHECKF(out.len == json_string_length(want) && memcmp(out.data ? out.data : "", json_string_value(want), out.len) == 0,
			   "%s: %.200s\n  got  %.*s\n  want %s", name, source, (int) out.len, out.data ? out.data : "", json_string_value(want));
	if (message && *message && st != NLP_OK)
		CHECKF(strstr(err.message, message) || strlen(message) > 250, "%s: message is %s", name, err.message);
	nlp_buf_free(&out);
}

static void
test_cases(void)
{
	size_t		len;
	char	   *text = read_whole(golden("cases.jsonl"), &len);
	char	   *shared = NULL;
	int			n = 0;

	CHECK(text != NULL);
	for (char *line = text ? strtok(text, "\n") : NULL; line; line = strtok(NULL, "\n"))
	{
		json_t	   *r = json_loads(line, 0, NULL);
		const char *vars = json_string_value(json_object_get(r, "v"));
		const json_t *t = json_object_get(r, "t");

		if (t)
			check_record(json_string_value(json_object_get(r, "name")), json_string_value(t), json_string_length(t),
						 vars[0] == '@' ? shared : vars, r);
		else
			shared = strdup(vars);
		n++;
		json_decref(r);
	}
	CHECK(n > 600);
	free(shared);
	free(text);
}

/* The variables of a conversation of conversations.json, as JSON text. */
static char *
conversation(json_t *all, const char *name)
{
	size_t		i;
	json_t	   *c;

	json_array_foreach(all, i, c)
	{
		if (strcmp(json_string_value(json_object_get(c, "name")), name) == 0)
			return json_dumps(json_object_get(c, "vars"), JSON_COMPACT);
	}
	return NULL;
}

static void
test_chats(json_t *conversations)
{
	size_t		len;
	char	   *text = read_whole(golden("chats.jsonl"), &len);
	char	   *save = NULL;

	CHECK(text != NULL);
	for (char *line = text ? strtok_r(text, "\n", &save) : NULL; line; line = strtok_r(NULL, "\n", &save))
	{
		json_t	   *r = json_loads(line, 0, NULL);
		char	   *vars = conversation(conversations, json_string_value(json_object_get(r, "v")) + 1);
		char		name[200];
		size_t		n;
		char	   *source;

		snprintf(name, sizeof(name), "templates/%s", json_string_value(json_object_get(r, "t")) + 1);
		source = read_whole(golden(name), &n);
		CHECK(source && vars);
		if (source && vars)
			check_record(json_string_value(json_object_get(r, "name")), source, n, vars, r);
		free(source);
		free(vars);
		json_decref(r);
	}
	free(text);
}

static uint64_t
fnv(const char *s, size_t n)
{
	uint64_t	h = 0xcbf29ce484222325u;

	for (size_t i = 0; i < n; i++)
		h = (h ^ (unsigned char) s[i]) * 0x100000001b3u;
	return h;
}

/* Templates of model makers, read where NLP_TEMPLATE_DIR says; known by hash. */
static void
test_models(json_t *conversations)
{
	const char *dir = getenv("NLP_TEMPLATE_DIR");
	size_t		len;
	char	   *text = read_whole(golden("models.tsv"), &len);
	char	   *save = NULL;
	char		last[200] = "";
	char	   *source = NULL;
	size_t		source_len = 0;
	int			equal = 0,
				whole = 0,
				templates = 0,
				bad = 0;

	CHECK(text != NULL);
	if (!dir)
		check_not_run("templates of model makers: set NLP_TEMPLATE_DIR to models/templates of llama.cpp");
	for (char *line = text && dir ? strtok_r(text, "\n", &save) : NULL; line; line = strtok_r(NULL, "\n", &save))
	{
		char		name[200],
					source_hash[40],
					conv[80],
					out_len[40],
					out_hash[40];
		char		path[4096];
		char		got[40] = "error";
		char	   *vars;
		NlpBuf		out;
		NlpError	err = {0};

		if (sscanf(line, "%199[^\t]\t%39[^\t]\t%79[^\t]\t%39[^\t]\t%39[^\t]", name, source_hash, conv, out_len, out_hash) != 5)
			continue;
		if (strcmp(name, last) != 0)
		{
			char		hash[40];

			whole += *last && !bad;
			bad = 0;
			strcpy(last, name);
			free(source);
			snprintf(path, sizeof(path), "%s/%s", dir, name);
			source = read_whole(path, &source_len);
			snprintf(hash, sizeof(hash), "%016llx", source ? (unsigned long long) fnv(source, source_len) : 0);
			if (strcmp(hash, source_hash) != 0)
			{
				free(source);
				source = NULL;
				printf("not run: %s is another version or absent\n", name);
			}
			templates += source != NULL;
		}
		if (!source)
			continue;
		vars = conversation(conversations, conv);
		nlp_buf_init(&out, &nlp_libc_alloc);
		if (render_with(&nlp_libc_alloc, NULL, source, source_len, vars, &out, &err) == NLP_OK)
			snprintf(got, sizeof(got), "%016llx", (unsigned long long) fnv(out.data ? out.data : "", out.len));
		CHECKF(strcmp(got, out_hash[0] == '-' ? "error" : out_hash) == 0, "%s, %s: want %s %s, got %s: %s %s\n%.*s", name, conv,
			   out_len, out_hash, got, err.message, err.detail, getenv("NLP_TEMPLATE_SHOW") ? (int) out.len : 0, out.data ? out.data : "");
		if (strcmp(got, out_hash[0] == '-' ? "error" : out_hash) == 0)
			equal++;
		else
			bad++;
		nlp_buf_free(&out);
		free(vars);
	}
	whole += *last && !bad;
	if (dir)
		printf("%d templates of model makers, %d equal in full, %d renderings equal\n", templates, whole, equal);
	free(source);
	free(text);
}

static NlpStatus
status_of(const char *source, const char *json, const NlpTemplateLimits *limits, NlpError *err)
{
	NlpBuf		out;
	NlpStatus	st;

	nlp_buf_init(&out, &nlp_libc_alloc);
	nlp_buf_append(&out, "kept", 4);
	st = render_with(&nlp_libc_alloc, limits, source, strlen(source), json, &out, err);
	if (st != NLP_OK)
		CHECK(out.len == 4 && strcmp(out.data, "kept") == 0);
	nlp_buf_free(&out);
	return st;
}

static char *
repeated(const char *unit, size_t n, const char *end)
{
	size_t		len = strlen(unit);
	char	   *s = malloc(len * n + strlen(end) + 1);

	for (size_t i = 0; i < n; i++)
		memcpy(s + i * len, unit, len);
	strcpy(s + n * len, end);
	return s;
}

static void
check_nested(const char *unit, size_t n, const char *end, NlpStatus want)
{
	NlpError	err = {0};
	char	   *s = repeated(unit, n, end);
	NlpStatus	st = status_of(s, "{}", NULL, &err);

	CHECKF(st == want, "%s x %zu: status %d, %s", unit, n, st, err.message);
	free(s);
}

static void
test_depth(void)
{
	check_nested("{{ (", 1, "1) }}", NLP_OK);
	check_nested("{{ ", 1, "1 }}", NLP_OK);
	check_nested("{% if 1 %}", 60, "", NLP_EINVALID);	/* has no end */
	check_nested("{% if 1 %}", 100000, "", NLP_ECOMPLEX);
	check_nested("{% for a in b %}", 70, "", NLP_ECOMPLEX);
	check_nested("{{ '' ~ ", 1, "1 }}", NLP_OK);
	{
		static const char *const opens[] = {"(", "[", "{1:", "-", "not ", "a[", "f(", "1 if (", "a is in ["};
		char	   *s;

		for (size_t i = 0; i < sizeof(opens) / sizeof(opens[0]); i++)
		{
			NlpError	err = {0};
			char	   *body = repeated(opens[i], 5000, " }}");

			s = malloc(strlen(body) + 8);
			sprintf(s, "{{ %s", body);
			CHECKF(status_of(s, "{}", NULL, &err) == NLP_ECOMPLEX, "%s: %s", opens[i], err.message);
			free(body);
			free(s);
		}
	}
	/* long but flat is fine */
	check_nested("{{ 1 }}", 20000, "", NLP_OK);
	{
		char	   *sum = repeated("1 + ", 5000, "1 }}");
		char	   *cond = repeated("0 if 0 else ", 5000, "1 }}");
		char	   *elif = repeated("{% elif 0 %}", 5000, "{% endif %}");
		char	   *filters = repeated("|string", 1000, "}}");
		char	   *attrs = repeated(".a", 1000, "}}");
		char	   *s = malloc(200000);
		NlpError	err = {0};

		sprintf(s, "{{ %s", sum);
		CHECK_OK(status_of(s, "{}", NULL, &err), err);
		sprintf(s, "{{ %s", cond);
		CHECK_OK(status_of(s, "{}", NULL, &err), err);
		sprintf(s, "{%% if 0 %%}%s", elif);
		CHECK_OK(status_of(s, "{}", NULL, &err), err);
		sprintf(s, "{{ 1 %s", filters);
		CHECK(status_of(s, "{}", NULL, &err) == NLP_ECOMPLEX);
		sprintf(s, "{{ 1 %s", attrs);
		CHECK(status_of(s, "{}", NULL, &err) == NLP_ECOMPLEX);
		free(sum);
		free(cond);
		free(elif);
		free(filters);
		free(attrs);
		free(s);
	}
}

static void
test_limits(void)
{
	NlpError	err = {0};
	NlpTemplateLimits small = nlp_template_default_limits;
	char	   *deep;

	CHECK(status_of("{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}", "{}", NULL, &err) == NLP_ECOMPLEX);
	CHECK(strstr(err.message, "loops too often") != NULL);
	CHECK(strstr(err.detail, "line 1, column ") != NULL);
	CHECK(status_of("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "{}", NULL, &err) == NLP_ECOMPLEX);
	CHECK(status_of("{% macro m() %}{{ caller is defined }}{% call m() %}{% endcall %}{% endmacro %}{{ m() }}", "{}", NULL, &err) == NLP_ECOMPLEX);
	CHECK(status_of("{{ 'x' * 1000000000000 }}", "{}", NULL, &err) == NLP_ELIMIT);
	CHECK(status_of("{{ ('x' * 1000000) * 300 }}", "{}", NULL, &err) == NLP_ELIMIT);
	CHECK(status_of("{{ [1] * 1000000000 }}", "{}", NULL, &err) == NLP_ELIMIT);
	CHECK(status_of("{% for i in range(80) %}{{ 'x' * 1000000 }}{% endfor %}", "{}", NULL, &err) == NLP_ELIMIT);
	small.max_memory = 1 << 20;
	small.max_work = 1000000;
	CHECK(status_of("{% set ns = namespace(s='x') %}{% for i in range(60) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}", "{}", &small,
					&err) == NLP_ELIMIT);
	CHECK(status_of("{% set ns = namespace(l=[1]) %}{% for i in range(60) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}{{ ns.l }}", "{}",
					&small, &err) == NLP_ELIMIT);
	CHECK(status_of("{% set ns = namespace(l=[1], m=[1]) %}{% for i in range(60) %}{% set ns.l = [ns.l, ns.l] %}"
					"{% set ns.m = [ns.m, ns.m] %}{% endfor %}{{ ns.l == ns.m }}", "{}", &small, &err) == NLP_ECOMPLEX);
	small = nlp_template_default_limits;
	CHECK(status_of("{% set ns = namespace(l=[1]) %}{% for i in range(1100) %}{% set ns.l = [ns.l] %}{% endfor %}{{ ns.l }}", "{}", NULL,
					&err) == NLP_ECOMPLEX);
	CHECK(status_of("{% set ns = namespace(l=[1]) %}{% for i in range(1100) %}{% set ns.l = [ns.l] %}{% endfor %}{{ ns.l|tojson }}", "{}",
					NULL, &err) == NLP_ECOMPLEX);
	CHECK(status_of("{{ '%999999d' % 1 }}{{ '%9999999d' % 1 }}", "{}", NULL, &err) == NLP_EINVALID);
	CHECK(status_of("{{ 9223372036854775807 + 1 }}", "{}", NULL, &err) == NLP_ELIMIT);
	CHECK(status_of("{{ 9223372036854775807 * 2 }}", "{}", NULL, &err) == NLP_ELIMIT);
	CHECK(status_of("{{ -9223372036854775807 - 2 }}", "{}", NULL, &err) == NLP_ELIMIT);
	CHECK(status_of("{{ (-9223372036854775807 - 1) // -1 }}", "{}", NULL, &err) == NLP_ELIMIT);
	CHECK(status_of("{{ (-9223372036854775807 - 1) % -1 }}", "{}", NULL, &err) == NLP_OK);
	CHECK(status_of("{{ 10 ** 19 }}", "{}", NULL, &err) == NLP_ELIMIT);
	small.max_output = 10;
	CHECK(status_of("0123456789", "{}", &small, &err) == NLP_OK);
	CHECK(status_of("0123456789a", "{}", &small, &err) == NLP_ELIMIT);
	small = nlp_template_default_limits;
	small.max_turns = 100;
	CHECK(status_of("{% for i in range(50) %}{% endfor %}", "{}", &small, &err) == NLP_OK);
	CHECK(status_of("{% for i in range(51) %}{% endfor %}", "{}", &small, &err) == NLP_ECOMPLEX);
	small = nlp_template_default_limits;
	small.max_memory = 100000;
	CHECK(status_of("{{ 'x' * 20000 }}", "{}", &small, &err) == NLP_OK);
	CHECK(status_of("{{ 'x' * 60000 }}", "{}", &small, &err) == NLP_ELIMIT);
	deep = repeated("[", 100000, "");
	CHECK(status_of("x", deep, NULL, &err) == NLP_ECOMPLEX);
	free(deep);
	deep = repeated("x", (1 << 20) + 1, "");
	CHECK(status_of(deep, "{}", NULL, &err) == NLP_ELIMIT);
	free(deep);
}

static void
test_json(void)
{
	static const char *const bad[] = {
		"", " ", "[]", "1", "{", "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\":1,}", "{,}", "{\"a\":01}", "{\"a\":1.}",
		"{\"a\":.5}", "{\"a\":+1}", "{\"a\":1e}", "{\"a\":1e999}", "{\"a\":NaN}", "{\"a\":Infinity}", "{\"a\":-}",
		"{\"a\":12345678901234567890}", "{\"a\":\"\\u0000\"}", "{\"a\":\"\\ud800\"}", "{\"a\":\"\\udc00\"}",
		"{\"a\":\"\\ud800\\u0041\"}", "{\"a\":\"\\x\"}", "{\"a\":\"\\u12g4\"}", "{\"a\":\"\n\"}", "{\"a\":\"\t\"}",
		"{'a':1}", "{a:1}", "{\"a\":tru}", "{\"a\":nul}", "{} x", "\xef\xbb\xbf{}", "{\"a\":[1,]}", "{\"a\":[1 2]}",
		"{\"a\":\"x}", "{\"a\":\"\\", "{\"a\":\"\\u12", "{\"a\" 1}", "{1:2}", "//\n{}"
	};
	NlpError	err = {0};
	NlpBuf		out;
	const char *json = "{\"a\":\"\\ud83d\\ude00\\n\\/\\u00e9\",\"b\":[-0,1.5e-3,true,null],\"c\":{\"z\":1,\"y\":2,\"z\":3}}";

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECKF(status_of("x", bad[i], NULL, &err) == NLP_EINVALID, "JSON %s: %s", bad[i], err.message);
	CHECK(status_of("x", "{\"a\":\n\n 1,\n2}", NULL, &err) == NLP_EINVALID);
	CHECK(strcmp(err.detail, "At line 4, column 1.") == 0);
	CHECK(status_of("x", "{\"a\":\"\xff\"}", NULL, &err) == NLP_ETEXT);
	nlp_buf_init(&out, &nlp_libc_alloc);
	CHECK_OK(render_with(&nlp_libc_alloc, NULL, "{{ a }} {{ b }} {{ c|tojson }}", 30, json, &out, &err), err);
	CHECK(strcmp(out.data, "\xf0\x9f\x98\x80\n/\xc3\xa9 [0, 0.0015, True, None] {\"z\": 3, \"y\": 2}") == 0);
	nlp_buf_free(&out);
	/* cut at every byte */
	for (size_t n = 0; n < strlen(json); n++)
	{
		char	   *part = strndup(json, n);

		CHECK(status_of("x", part, NULL, &err) == NLP_EINVALID);
		free(part);
	}
}

static void
test_errors(void)
{
	NlpError	err = {0};
	NlpTemplate *t;

	CHECK(nlp_template_parse("a\n{{ x", 6, &nlp_libc_alloc, &t, &err) == NLP_EINVALID && !t);
	CHECK(strcmp(err.detail, "At line 2, column 5 of the chat template.") == 0);
	CHECK(nlp_template_parse("\xff", 1, &nlp_libc_alloc, &t, &err) == NLP_ETEXT);
	CHECK(nlp_template_parse("a\0b", 3, &nlp_libc_alloc, &t, &err) == NLP_ETEXT);
	CHECK(nlp_template_parse("{% include 'x' %}", 17, &nlp_libc_alloc, &t, &err) == NLP_EUNSUPPORTED);
	CHECK(status_of("{{ 'x'|xmlattr }}", "{}", NULL, &err) == NLP_EUNSUPPORTED);
	CHECK(strcmp(err.message, "filter \"xmlattr\" is not supported in chat templates") == 0);
	CHECK(status_of("a\nb {{ d.x.y }}", "{\"d\":{}}", NULL, &err) == NLP_EINVALID);
	CHECK(strcmp(err.detail, "At line 2, column 9 of the chat template.") == 0);
	CHECK(status_of("{{ raise_exception('no way') }}", "{}", NULL, &err) == NLP_EINVALID);
	CHECK(strcmp(err.message, "chat template: no way") == 0);
	CHECK(status_of("{{ raise_exception('a\\nb' ~ 'x' * 1000) }}", "{}", NULL, &err) == NLP_EINVALID);
	CHECK(strncmp(err.message, "chat template: a bxxx", 21) == 0);
	CHECK(status_of("{{ raise_exception('\xe4\xbd\xa0' * 1000) }}", "{}", NULL, &err) == NLP_EINVALID);
	CHECK(status_of("{{ strftime_now('%Y') }}", "{\"strftime_now\":\"2024-02-30\"}", NULL, &err) == NLP_EINVALID);
	CHECK(err.hint[0] != '\0');
}

/* Cancel: the hook is asked within the stated work. */
static bool
pending(void *ctx)
{
	++*(int *) ctx;
	return true;
}

static bool
cancelled(void *ctx)
{
	return *(int *) ctx > 3;
}

static void
test_cancel(void)
{
	int			asked = 0;
	NlpEnv		e = {.alloc = &nlp_libc_alloc, .pending = pending, .cancelled = cancelled, .cancel_ctx = &asked};
	const char *source = "{% for i in range(900) %}{% for j in range(900) %}{{ i * j }}{% endfor %}{% endfor %}";
	NlpError	err = {0};
	NlpTemplate *t;
	NlpBuf		out;

	nlp_buf_init(&out, &nlp_libc_alloc);
	CHECK_OK(nlp_template_parse(source, strlen(source), &nlp_libc_alloc, &t, &err), err);
	CHECK(nlp_template_render(t, &e, "{}", 2, &out, &err) == NLP_ECANCELLED);
	CHECK(asked == 4 && out.len == 0);
	nlp_template_free(t);
	nlp_buf_free(&out);
}

/* Fail every allocation in turn: NLP_ENOMEM, and nothing left over. */
static void
test_no_memory(json_t *conversations)
{
	static const char *const names[] = {"qwen.jinja", "llama3.jinja", "command.jinja", "mistral3.jinja"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
	{
		char		name[100];
		size_t		n;
		char	   *source;
		char	   *vars = conversation(conversations, "tool_call");
		long		at;

		snprintf(name, sizeof(name), "templates/%s", names[i]);
		source = read_whole(golden(name), &n);
		for (at = 0; at < 10000; at++)
		{
			NlpTestAlloc a;
			NlpBuf		out;
			NlpError	err = {0};
			NlpStatus	st;

			nlp_test_alloc_init(&a, at);
			nlp_buf_init(&out, &a.alloc);
			st = render_with(&a.alloc, NULL, source, n, vars, &out, &err);
			nlp_buf_free(&out);
			CHECKF(a.live == 0, "%s, allocation %ld: %ld left", names[i], at, a.live);
			if (st == NLP_OK)
				break;
			CHECKF(st == NLP_ENOMEM, "%s, allocation %ld: status %d %s", names[i], at, st, err.message);
		}
		CHECKF(at > 3 && at < 10000, "%s: %ld allocations", names[i], at);
		free(source);
		free(vars);
	}
	/* and where texts grow: captures, joins, escapes in the variables */
	for (long at = 0, done = 0; !done; at++)
	{
		const char *source = "{% macro m(a) %}{{ a * 3000 }}{% endmacro %}{% set x %}{{ m(v) ~ m('q') }}{% endset %}"
			"{{ x|upper|replace('Q', 'zz') }}{{ range(3000)|list|join(',') }}{{ [v, d]|tojson }}{{ d }}";
		NlpTestAlloc a;
		NlpBuf		out;
		NlpError	err = {0};
		NlpStatus	st;

		nlp_test_alloc_init(&a, at);
		nlp_buf_init(&out, &a.alloc);
		st = render_with(&a.alloc, NULL, source, strlen(source), "{\"v\":\"\\u00e9\",\"d\":{\"a\":[1,2,3,4,5,6]}}", &out, &err);
		nlp_buf_free(&out);
		CHECK(a.live == 0);
		CHECKF(st == NLP_OK || st == NLP_ENOMEM, "%s", err.message);
		done = st == NLP_OK || at > 10000;
	}
}

int
main(void)
{
	size_t		len;
	char	   *text = read_whole(golden("conversations.json"), &len);
	json_t	   *conversations = text ? json_loads(text, 0, NULL) : NULL;

	CHECK(conversations != NULL);
	if (conversations)
	{
		test_cases();
		test_chats(conversations);
		test_models(conversations);
		test_no_memory(conversations);
	}
	test_depth();
	test_limits();
	test_json();
	test_errors();
	test_cancel();
	json_decref(conversations);
	free(text);
	return check_done();
}
