/* safetensors_test.c --- safetensors directories, and the JSON under them.
 *
 * Fixtures: test/fixtures/make_safetensors.py, each file wrong in one way. Besides:
 * truncation at every byte, failure of every allocation, JSON's own rules with the
 * line and column that an error names.
 *
 * usage: safetensors_test [FIXTURE DIRECTORY] */
#define _GNU_SOURCE
#include <unistd.h>

#include "check.h"
#include "format/json.h"
#include "format/safetensors.h"

static const NlpEnv libc_env = {.alloc = &nlp_libc_alloc};

static char *
read_whole(const char *path, size_t *len)
{
	FILE	   *f = fopen(path, "rb");
	char	   *data;
	long		size;

	if (!f)
		return NULL;
	fseek(f, 0, SEEK_END);
	size = ftell(f);
	rewind(f);
	data = malloc(size > 0 ? (size_t) size : 1);
	*len = fread(data, 1, (size_t) size, f);
	fclose(f);
	return data;
}

static NlpStatus
open_bytes(const char *data, size_t len, const NlpEnv *env, NlpSafetensors *s, NlpError *err)
{
	NlpMemorySource src;

	nlp_memory_source_init(&src, data, len);
	return nlp_safetensors_open(&src.source, env, s, err);
}

static const char *
status_name(NlpStatus st)
{
	return st == NLP_OK ? "OK" : st == NLP_ECORRUPT ? "ECORRUPT" : st == NLP_EUNSUPPORTED ? "EUNSUPPORTED"
		: st == NLP_ELIMIT ? "ELIMIT" : "another";
}

/* Accepted tensors tile the data. */
static void
check_tiles(const char *name, const NlpSafetensors *s, size_t len)
{
	uint64_t	at = s->data_offset;

	for (uint64_t i = 0; i < s->n; i++)
	{
		CHECKF(s->tensors[i].offset == at, "%s: tensor %llu", name, (unsigned long long) i);
		at += s->tensors[i].bytes;
	}
	CHECKF(at == len, "%s: %llu of %zu", name, (unsigned long long) at, len);
}

static void
check_fixture(const char *dir, char *line)
{
	char	   *name = strtok(line, "\t");
	char	   *status = strtok(NULL, "\t");
	char	   *what;
	char		path[512];
	size_t		len;
	char	   *data;
	NlpTestAlloc counting;
	NlpEnv		env = {.alloc = &counting.alloc};
	NlpSafetensors s;
	NlpError	err = {0};
	NlpStatus	st;

	strtok(NULL, "\t");
	what = strtok(NULL, "\n");
	snprintf(path, sizeof(path), "%s/%s.safetensors", dir, name);
	data = read_whole(path, &len);
	CHECKF(data != NULL, "%s", path);
	if (!data)
		return;
	nlp_test_alloc_init(&counting, -1);
	st = open_bytes(data, len, &env, &s, &err);
	CHECKF(strcmp(status_name(st), status) == 0, "%s (%s): got %s: %s", name, what, status_name(st), err.message);
	if (st == NLP_OK)
	{
		check_tiles(name, &s, len);
		nlp_safetensors_close(&s);
	}
	else
		CHECKF(err.message[0] && err.status == st, "%s", name);
	CHECKF(counting.live == 0, "%s: %ld allocations left", name, counting.live);
	free(data);
}

static void
test_fixtures(const char *dir)
{
	char		path[512];
	size_t		made_len = 0,
				kept_len = 0;
	char	   *made,
			   *kept = read_whole("test/fixtures/safetensors.tsv", &kept_len);
	int			n = 0;

	snprintf(path, sizeof(path), "%s/table.tsv", dir);
	made = read_whole(path, &made_len);
	CHECK(made && kept && made_len == kept_len && memcmp(made, kept, made_len) == 0);
	for (char *p = made, *end = made + made_len; made && p < end;)
	{
		char	   *nl = memchr(p, '\n', (size_t) (end - p));
		char		line[512];

		snprintf(line, sizeof(line), "%.*s\n", (int) (nl - p), p);
		check_fixture(dir, line);
		n++;
		p = nl + 1;
	}
	CHECKF(n >= 90, "%d fixtures", n);
	printf("%d fixtures\n", n);
	free(made);
	free(kept);
}

static void
test_truncation(const char *dir)
{
	char		path[512];
	size_t		len;
	char	   *whole;
	NlpError	err;
	NlpSafetensors s;
	size_t		refused = 0;

	snprintf(path, sizeof(path), "%s/zero_size_between.safetensors", dir);
	whole = read_whole(path, &len);
	for (size_t n = 0; n < len; n++)
	{
		char	   *part = malloc(n ? n : 1);

		memcpy(part, whole, n);
		refused += open_bytes(part, n, &libc_env, &s, &err) == NLP_ECORRUPT;
		free(part);
	}
	CHECKF(refused == len && len > 100, "%zu of %zu", refused, len);
	free(whole);
}

static void
test_allocation(const char *dir)
{
	char		path[512];
	size_t		len;
	char	   *whole;
	long		n = 0;

	snprintf(path, sizeof(path), "%s/metadata.safetensors", dir);
	whole = read_whole(path, &len);
	for (;; n++)
	{
		NlpTestAlloc failing;
		NlpEnv		env = {.alloc = &failing.alloc};
		NlpSafetensors s;
		NlpError	err;
		NlpStatus	st;

		nlp_test_alloc_init(&failing, n);
		st = open_bytes(whole, len, &env, &s, &err);
		if (st == NLP_OK)
			nlp_safetensors_close(&s);
		CHECK(failing.live == 0);
		if (st == NLP_OK || n > 100)
			break;
		CHECK(st == NLP_ENOMEM);
	}
	CHECKF(n >= 2 && n <= 100, "%ld", n);
	free(whole);
}

static void
test_values(const char *dir)
{
	char		path[512];
	size_t		len;
	char	   *whole;
	NlpSafetensors s;
	NlpError	err;

	snprintf(path, sizeof(path), "%s/order.safetensors", dir);
	whole = read_whole(path, &len);
	CHECK_OK(open_bytes(whole, len, &libc_env, &s, &err), err);
	CHECK(s.n == 2 && strcmp(s.tensors[0].name.data, "a") == 0 && strcmp(s.tensors[1].name.data, "b") == 0);
	CHECK(s.tensors[0].is_float && s.tensors[0].dtype == NLP_F32 && s.tensors[0].n_dims == 1 && s.tensors[0].dims[0] == 2);
	CHECK(s.tensors[1].offset == len - 8 && s.tensors[1].bytes == 8 && s.tensors[1].elems == 2);
	CHECK(strcmp(s.tensors[0].dtype_name, "F32") == 0);
	nlp_safetensors_close(&s);
	free(whole);
}

/* ---- JSON ---- */

static void
check_json(const char *text, size_t len, NlpStatus want, const char *words)
{
	json_t	   *root = NULL;
	NlpError	err = {0};
	NlpStatus	st = nlp_json_parse(text, len, "test.json", &root, &err);

	CHECKF(st == want, "%.60s: status %d: %s", text, st, err.message);
	if (st == NLP_OK)
		json_decref(root);
	else
		CHECKF(strstr(err.message, words) != NULL, "%.60s: \"%s\" lacks \"%s\"", text, err.message, words);
}

static void
test_json(void)
{
	static const struct
	{
		const char *text;
		NlpStatus	status;
		const char *words;
	}			cases[] = {
		{"{}", NLP_OK, ""}, {" [1, 2.5, -3e2, \"\\u00e9\\ud83d\\ude00\", true, null] ", NLP_OK, ""}, {"9223372036854775807", NLP_OK, ""},
		{"9223372036854775808", NLP_ECORRUPT, "number out of range"}, {"12345678901234567890", NLP_ECORRUPT, "number out of range"},
		{"[1e999]", NLP_ECORRUPT, "number out of range at line 1"}, {"[1,\n 2,\n x]", NLP_ECORRUPT, "syntax error at line 3"},
		{"{\"a\": 1,\n \"\\u0061\": 2}", NLP_ECORRUPT, "key given twice at line 2"}, {"\"\\ud800\"", NLP_ECORRUPT, "line 1"},
		{"\"\\udc00\\ud800\"", NLP_ECORRUPT, "line 1"}, {"\"\\u0000\"", NLP_ECORRUPT, "zero character"}, {"\"a\tb\"", NLP_ECORRUPT, "line 1"},
		{"\xef\xbb\xbf{}", NLP_ECORRUPT, "byte order mark at line 1, column 1"}, {"[\"a\xff\"]", NLP_ECORRUPT, "not valid UTF-8 at line 1, column 4"},
		{"[\n\"\xc3\xa9\xc3\"]", NLP_ECORRUPT, "not valid UTF-8 at line 2, column 3"}, {"", NLP_ECORRUPT, "line"}, {"[1] x", NLP_ECORRUPT, "after the value"},
		{"[01]", NLP_ECORRUPT, "line 1"}, {"[.5]", NLP_ECORRUPT, "line 1"}, {"[1.]", NLP_ECORRUPT, "line 1"}, {"[+1]", NLP_ECORRUPT, "line 1"},
		{"[NaN]", NLP_ECORRUPT, "line 1"}, {"[Infinity]", NLP_ECORRUPT, "line 1"}, {"[0x10]", NLP_ECORRUPT, "line 1"}, {"[1,]", NLP_ECORRUPT, "line 1"},
		{"{a: 1}", NLP_ECORRUPT, "line 1"}, {"['a']", NLP_ECORRUPT, "line 1"}, {"\"\\x41\"", NLP_ECORRUPT, "line 1"},
	};
	char	   *deep = malloc(200002);
	const char *whole = "{\"a\": [1, 2.5, \"x\\n\\u00e9\", {\"b\": null}], \"c\": true}";

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check_json(cases[i].text, strlen(cases[i].text), cases[i].status, cases[i].words);
	check_json("[1]\0", 4, NLP_ECORRUPT, "line 1");
	memset(deep, '[', 100000);
	memset(deep + 100000, ']', 100000);
	check_json(deep, 200000, NLP_ECORRUPT, "deeper than 64 levels at line 1, column 65");
	check_json(deep + 100000 - 64, 128, NLP_OK, "");
	check_json(deep + 100000 - 65, 130, NLP_ECORRUPT, "deeper than 64 levels");
	/* brackets in a string do not count, also after an escaped quote */
	deep[0] = deep[101] = '"';
	deep[1] = '\\';
	deep[2] = '"';
	check_json(deep, 102, NLP_OK, "");
	for (size_t n = 0; n < strlen(whole); n++)
		check_json(whole, n, NLP_ECORRUPT, "at line");
	free(deep);
}

/* The text of a file never shows up in an error. */
static void
test_no_echo(void)
{
	const char *text = "{\"secret_key\": [1, secretvalue]}";
	json_t	   *root;
	NlpError	err = {0};

	CHECK(nlp_json_parse(text, strlen(text), "x.json", &root, &err) == NLP_ECORRUPT);
	CHECK(!strstr(err.message, "secret") && !strstr(err.detail, "secret") && !strstr(err.hint, "secret"));
}

int
main(int argc, char **argv)
{
	char		tmp[] = "/tmp/safetensors_test.XXXXXX";
	char		cmd[1024];
	const char *dir = argc > 1 ? argv[1] : mkdtemp(tmp);

	snprintf(cmd, sizeof(cmd), "python3 test/fixtures/make_safetensors.py '%s'", dir);
	CHECK(system(cmd) == 0);
	test_fixtures(dir);
	test_truncation(dir);
	test_allocation(dir);
	test_values(dir);
	test_json();
	test_no_echo();
	if (argc <= 1)
	{
		snprintf(cmd, sizeof(cmd), "rm -rf '%s'", dir);
		CHECK(system(cmd) == 0);
	}
	return check_done();
}
