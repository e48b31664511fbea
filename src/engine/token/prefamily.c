/* prefamily.c --- which pre-tokenizer goes by which name, and of what stages and
 * character sets each is made.
 *
 * Source: the rules and their names as llama.cpp gives them (tokenizer.ggml.pre), so
 * that ids agree with it; also where they differ from a model's own tokenizer.json. */
#include <stdio.h>

#include "token/pretoken.h"
#include "engine_only.h"

#define RUN(set, min, max, options) {STAGE_RUN, set, min, max, options}
#define GPT2 {STAGE_WORDS, 0, 0, 0, O_APOS_LOWER | O_SPACE_WORD}
#define LLAMA3(digits) {STAGE_WORDS, 0, 0, digits, O_APOS_ANY | O_TAIL_CRLF | O_LINE_ENDS}
#define CASED(digits, more) {STAGE_CASED, 0, 0, digits, O_TAIL_CRLF | O_TAIL_SLASH | O_LINE_ENDS | (more)}
#define ONE(kind) {kind, 0, 0, 0, 0}

enum
{
	PRE_DEFAULT, PRE_GPT2, PRE_DIGIT_GPT2, PRE_LLAMA3, PRE_QWEN2, PRE_QWEN35, PRE_FALCON,
	PRE_DEEPSEEK_LLM, PRE_DEEPSEEK_CODER, PRE_DEEPSEEK3, PRE_SPARK, PRE_YOUTU, PRE_BLOOM,
	PRE_VIKING, PRE_TEKKEN, PRE_CHAMELEON, PRE_GPT4O, PRE_GRANITE_MULTI, PRE_TINY_AYA,
	PRE_KIMI, PRE_SUPERBPE, PRE_BAILING, PRE_SEED_CODER, PRE_UFAKZEKA, PRE_AFMOE, PRE_LAGUNA,
	PRE_EXAONE_MOE, PRE_LINES, PRE_MINICPM5, PRE_JAIS2, PRE_COUNT
};

static const Stage rules[PRE_COUNT][7] = {
	[PRE_DEFAULT] = {RUN(SET_PUNCT_DEFAULT, 1, 0, 0), GPT2, RUN(SET_NUMBER, 1, 0, 0),
	RUN(SET_DIGIT, 3, 3, 0)},
	[PRE_GPT2] = {GPT2},
	[PRE_DIGIT_GPT2] = {RUN(SET_NUMBER, 1, 1, 0), GPT2},
	[PRE_LLAMA3] = {LLAMA3(3)},
	[PRE_QWEN2] = {LLAMA3(1)},
	[PRE_QWEN35] = {{STAGE_WORDS, 0, 0, 1, O_APOS_ANY | O_TAIL_CRLF | O_LINE_ENDS | O_MARKS}},
	[PRE_FALCON] = {RUN(SET_PUNCT_FALCON, 1, 0, 0), GPT2, RUN(SET_DIGIT, 3, 3, 0)},
	[PRE_DEEPSEEK_LLM] = {RUN(SET_CRLF, 1, 1, 0), RUN(SET_LETTER_DEEPSEEK, 1, 0, O_PREFIX_WHITE),
		RUN(SET_PUNCT_DEEPSEEK, 1, 0, O_PREFIX_WHITE), ONE(STAGE_SPACE_TAIL),
	RUN(SET_CJK_DEEPSEEK, 1, 0, 0), RUN(SET_NUMBER, 1, 0, 0)},
	[PRE_DEEPSEEK_CODER] = {RUN(SET_CRLF, 1, 1, 0), RUN(SET_LETTER, 1, 0, O_PREFIX_WHITE),
	RUN(SET_PUNCT, 1, 0, O_PREFIX_WHITE), RUN(SET_CJK_DEEPSEEK, 1, 0, 0), RUN(SET_NUMBER, 1, 1, 0)},
	[PRE_DEEPSEEK3] = {RUN(SET_NUMBER, 1, 3, 0), RUN(SET_CJK_KANA, 1, 0, 0),
	{STAGE_MARKED, 0, 0, 0, O_TAIL_CRLF | O_LINE_ENDS}},
	[PRE_SPARK] = {RUN(SET_NUMBER, 1, 3, 0), RUN(SET_CJK_KANA, 1, 0, 0),
	{STAGE_MARKED, 0, 0, 0, O_CRLF_ALONE}, RUN(SET_NUMBER, 1, 1, 0)},
	[PRE_YOUTU] = {ONE(STAGE_RUNS), CASED(1, O_MARKS | O_APOS_ANY)},
	[PRE_BLOOM] = {RUN(SET_BLOOM, 1, 0, O_PREFIX_SPACE)},
	[PRE_VIKING] = {RUN(SET_BLOOM, 1, 0, O_PREFIX_SPACE), RUN(SET_NUMBER, 1, 1, 0)},
	[PRE_TEKKEN] = {CASED(1, O_CASE)},
	[PRE_CHAMELEON] = {ONE(STAGE_SENTINEL), ONE(STAGE_IMAGE), ONE(STAGE_INDENT),
	RUN(SET_NUMBER, 1, 1, 0), RUN(SET_PUNCT_ASCII, 1, 1, 0), GPT2},
	[PRE_GPT4O] = {CASED(3, O_CASE | O_APOS_ANY)},
	[PRE_GRANITE_MULTI] = {CASED(3, O_CASE | O_MARKS | O_APOS_ANY)},
	[PRE_TINY_AYA] = {ONE(STAGE_DIGITS_TAIL), CASED(3, O_MARKS | O_APOS_ANY)},
	[PRE_KIMI] = {{STAGE_KIMI, 0, 0, 3, O_TAIL_CRLF | O_LINE_ENDS}},
	[PRE_SUPERBPE] = {RUN(SET_NUMBER, 1, 0, 0), ONE(STAGE_DIGITS_BEFORE)},
	[PRE_BAILING] = {LLAMA3(1)},	/* one line end or many: a run is taken whole */
	[PRE_SEED_CODER] = {{STAGE_WORDS, 0, 0, 1, O_APOS_ANY | O_LINE_ENDS}},
	[PRE_UFAKZEKA] = {{STAGE_WORDS, 0, 0, 1, O_TAIL_CRLF | O_LINE_ENDS}},
	[PRE_AFMOE] = {ONE(STAGE_DIGITS_TAIL), RUN(SET_ASIAN_AFMOE, 1, 0, 0),
	{STAGE_MARKED, 0, 0, 0, O_TAIL_CRLF | O_LINE_ENDS}},
	[PRE_LAGUNA] = {ONE(STAGE_LINES), LLAMA3(1)},
	[PRE_EXAONE_MOE] = {{STAGE_WORDS, 0, 0, 1, O_APOS_ANY | O_TAIL_CRLF | O_TAIL_SLASH | O_TAIL_ONE |
	O_LINE_ENDS | O_PHRASES}},
	[PRE_LINES] = {ONE(STAGE_LINES)},
	[PRE_MINICPM5] = {RUN(SET_NUMBER, 1, 3, 0), LLAMA3(0)},
	[PRE_JAIS2] = {{STAGE_WORDS, 0, 0, 3, O_APOS_ANY | O_TAIL_CRLF | O_LINE_ENDS | O_LADDER}},
};

static const PreFamily families[] = {
	{"default", PRE_DEFAULT, T_BYTE_LEVEL, false},
	{"gpt-2", PRE_GPT2, T_BYTE_LEVEL, false},
	{"phi-2", PRE_GPT2, T_BYTE_LEVEL, false},
	{"jina-es", PRE_GPT2, T_BYTE_LEVEL, false},
	{"jina-de", PRE_GPT2, T_BYTE_LEVEL, false},
	{"jina-v1-en", PRE_GPT2, T_BYTE_LEVEL, false},
	{"jina-v2-es", PRE_GPT2, T_BYTE_LEVEL, false},
	{"jina-v2-de", PRE_GPT2, T_BYTE_LEVEL, false},
	{"jina-v2-code", PRE_GPT2, T_BYTE_LEVEL, false},
	{"roberta-bpe", PRE_GPT2, T_BYTE_LEVEL, false},
	{"gigachat", PRE_GPT2, T_BYTE_LEVEL, false},
	{"a.x-4.0", PRE_GPT2, T_BYTE_LEVEL, false},
	{"mellum", PRE_GPT2, T_BYTE_LEVEL, false},
	{"modern-bert", PRE_GPT2, T_BYTE_LEVEL, false},
	{"exaone4", PRE_GPT2, T_BYTE_LEVEL, false},
	{"mpt", PRE_GPT2, T_BYTE_LEVEL, false},
	{"olmo", PRE_GPT2, T_BYTE_LEVEL, false},
	{"jais", PRE_GPT2, T_BYTE_LEVEL, false},
	{"trillion", PRE_GPT2, T_BYTE_LEVEL, false},
	{"granite-docling", PRE_GPT2, T_BYTE_LEVEL, false},
	{"smollm", PRE_DIGIT_GPT2, T_BYTE_LEVEL, false},
	{"starcoder", PRE_DIGIT_GPT2, T_BYTE_LEVEL, false},
	{"refact", PRE_DIGIT_GPT2, T_BYTE_LEVEL, false},
	{"command-r", PRE_DIGIT_GPT2, T_BYTE_LEVEL, false},
	{"codeshell", PRE_DIGIT_GPT2, T_BYTE_LEVEL, false},
	{"exaone", PRE_DIGIT_GPT2, T_BYTE_LEVEL, false},
	{"minerva-7b", PRE_DIGIT_GPT2, T_BYTE_LEVEL, false},
	{"mellum2", PRE_DIGIT_GPT2, T_BYTE_LEVEL, false},
	{"llama3", PRE_LLAMA3, T_BYTE_LEVEL | T_IGNORE_MERGES | T_ADD_BOS, false},
	{"llama-v3", PRE_LLAMA3, T_BYTE_LEVEL | T_IGNORE_MERGES | T_ADD_BOS, false},
	{"llama-bpe", PRE_LLAMA3, T_BYTE_LEVEL | T_IGNORE_MERGES | T_ADD_BOS, false},
	{"falcon3", PRE_LLAMA3, T_BYTE_LEVEL | T_IGNORE_MERGES | T_ADD_BOS, false},
	{"falcon-h1", PRE_LLAMA3, T_BYTE_LEVEL | T_IGNORE_MERGES | T_ADD_BOS, false},
	{"pixtral", PRE_LLAMA3, T_BYTE_LEVEL | T_IGNORE_MERGES | T_ADD_BOS, false},
	{"midm-2.0", PRE_LLAMA3, T_BYTE_LEVEL | T_IGNORE_MERGES | T_ADD_BOS, false},
	{"lfm2", PRE_LLAMA3, T_BYTE_LEVEL | T_IGNORE_MERGES | T_ADD_BOS, false},
	{"jina-v5-nano", PRE_LLAMA3, T_BYTE_LEVEL | T_IGNORE_MERGES | T_ADD_BOS, false},
	{"dbrx", PRE_LLAMA3, T_BYTE_LEVEL, false},
	{"smaug-bpe", PRE_LLAMA3, T_BYTE_LEVEL, false},
	{"chatglm-bpe", PRE_LLAMA3, T_BYTE_LEVEL, true},
	{"glm4", PRE_LLAMA3, T_BYTE_LEVEL | T_IGNORE_MERGES, true},
	{"glm5", PRE_LLAMA3, T_BYTE_LEVEL | T_IGNORE_MERGES, true},
	{"qwen2", PRE_QWEN2, T_BYTE_LEVEL, false},
	{"deepseek-r1-qwen", PRE_QWEN2, T_BYTE_LEVEL, false},
	{"kormo", PRE_QWEN2, T_BYTE_LEVEL, false},
	{"f2llmv2", PRE_QWEN2, T_BYTE_LEVEL, false},
	{"megrez", PRE_QWEN2, T_BYTE_LEVEL, false},
	{"stablelm2", PRE_QWEN2, T_BYTE_LEVEL, false},
	{"hunyuan", PRE_QWEN2, T_BYTE_LEVEL, false},
	{"solar-open", PRE_QWEN2, T_BYTE_LEVEL, false},
	{"grok-2", PRE_QWEN2, T_BYTE_LEVEL, false},
	{"qwen35", PRE_QWEN35, T_BYTE_LEVEL, false},
	{"falcon", PRE_FALCON, T_BYTE_LEVEL, false},
	{"deepseek-llm", PRE_DEEPSEEK_LLM, T_BYTE_LEVEL, false},
	{"deepseek-coder", PRE_DEEPSEEK_CODER, T_BYTE_LEVEL, false},
	{"deepseek-v3", PRE_DEEPSEEK3, T_BYTE_LEVEL, false},
	{"hunyuan-dense", PRE_DEEPSEEK3, T_BYTE_LEVEL, false},
	{"joyai-llm", PRE_DEEPSEEK3, T_BYTE_LEVEL, false},
	{"hy_v4", PRE_DEEPSEEK3, T_BYTE_LEVEL, false},
	{"spark2_5", PRE_SPARK, T_BYTE_LEVEL, false},
	{"youtu", PRE_YOUTU, T_BYTE_LEVEL | T_IGNORE_MERGES, false},
	{"bloom", PRE_BLOOM, T_BYTE_LEVEL, false},
	{"gpt3-finnish", PRE_BLOOM, T_BYTE_LEVEL, false},
	{"poro-chat", PRE_BLOOM, T_BYTE_LEVEL, false},
	{"viking", PRE_VIKING, T_BYTE_LEVEL, false},
	{"tekken", PRE_TEKKEN, T_BYTE_LEVEL | T_IGNORE_MERGES | T_ADD_BOS, false},
	{"chameleon", PRE_CHAMELEON, T_BYTE_LEVEL | T_ADD_BOS, false},
	{"gpt-4o", PRE_GPT4O, T_BYTE_LEVEL, false},
	{"llama4", PRE_GPT4O, T_BYTE_LEVEL, false},
	{"kanana2", PRE_GPT4O, T_BYTE_LEVEL, false},
	{"talkie", PRE_GPT4O, T_BYTE_LEVEL, false},
	{"minimax-m2", PRE_GPT4O, T_BYTE_LEVEL, false},
	{"granite-embed-multi-97m", PRE_GRANITE_MULTI, T_BYTE_LEVEL | T_IGNORE_MERGES, false},
	{"tiny_aya", PRE_TINY_AYA, T_BYTE_LEVEL, false},
	{"cohere2moe", PRE_TINY_AYA, T_BYTE_LEVEL, false},
	{"kimi-k2", PRE_KIMI, T_BYTE_LEVEL, false},
	{"superbpe", PRE_SUPERBPE, T_BYTE_LEVEL, false},
	{"bailingmoe", PRE_BAILING, T_BYTE_LEVEL, false},
	{"bailingmoe2", PRE_BAILING, T_BYTE_LEVEL, false},
	{"llada-moe", PRE_BAILING, T_BYTE_LEVEL, false},
	{"seed-coder", PRE_SEED_CODER, T_BYTE_LEVEL, false},
	{"ufakzeka", PRE_UFAKZEKA, T_BYTE_LEVEL, false},
	{"afmoe", PRE_AFMOE, T_BYTE_LEVEL, false},
	{"laguna", PRE_LAGUNA, T_BYTE_LEVEL, false},
	{"exaone-moe", PRE_EXAONE_MOE, T_BYTE_LEVEL, false},
	{"minicpm5", PRE_MINICPM5, T_BYTE_LEVEL | T_IGNORE_MERGES, false},
	{"jais-2", PRE_JAIS2, T_BYTE_LEVEL, false},
	{"gemma4", PRE_LINES, T_ESCAPE | T_LINE_TOKEN | T_ADD_BOS, false},
	{"granite-embed-multi-311m", PRE_LINES, T_ESCAPE | T_LINE_TOKEN | T_ADD_BOS, false},
	{"sarvam-moe", PRE_LINES, T_ESCAPE, false},
};

#define N_FAMILIES (sizeof(families) / sizeof(families[0]))

const PreFamily *
nlp_pre_family_at(size_t i)
{
	return i < N_FAMILIES ? &families[i] : NULL;
}

const PreFamily *
nlp_pre_family(const char *name, size_t len)
{
	for (size_t i = 0; i < N_FAMILIES; i++)
	{
		if (strlen(families[i].name) == len && memcmp(families[i].name, name, len) == 0)
			return &families[i];
	}
	return NULL;
}

/* Whether an earlier name means the very same. */
static bool
is_alias(size_t i)
{
	for (size_t j = 0; j < i; j++)
	{
		if (families[j].rules == families[i].rules && families[j].flags == families[i].flags &&
			families[j].no_bos == families[i].no_bos)
			return true;
	}
	return false;
}

void
nlp_pre_names(char *out, size_t cap)
{
	size_t		n = 0;

	out[0] = '\0';
	for (size_t i = 0; i < N_FAMILIES; i++)
	{
		size_t		len = strlen(families[i].name);

		if (is_alias(i))
			continue;
		if (n + len + 3 > cap)
			return;
		n += (size_t) snprintf(out + n, cap - n, "%s%s", n ? ", " : "", families[i].name);
	}
}

const Stage *
nlp_pre_stages(NlpPreRules r)
{
	return r < PRE_COUNT ? rules[r] : NULL;
}

typedef struct Range
{
	uint32_t	first;
	uint32_t	last;
} Range;

static const Range cjk_deepseek[] = {{0x0800, 0x9fa5}, {0xac00, 0xd7ff}};
static const Range cjk_kana[] = {{0x3040, 0x30ff}, {0x4e00, 0x9fa5}};
static const Range punct_deepseek[] = {
	{0x21, 0x2f}, {0x3a, 0x7e}, {0x2018, 0x201f}, {0x3001, 0x3002}, {0xff01, 0xff0f}, {0xff1a, 0xff5e}
};
static const Range asian_afmoe[] = {
	{0x0e40, 0x0eff}, {0x1000, 0x109f}, {0x1100, 0x11ff}, {0x1780, 0x17ff}, {0x2f00, 0x2fdf},
	{0x3040, 0x30ff}, {0x3400, 0x4dbf}, {0x4e00, 0xfaff}, {0xff65, 0xff9f}
};
static const Range hangul_youtu[] = {{0x3131, 0x318e}, {0xac00, 0xd7a3}};
static const Range punct_youtu[] = {
	{0x2014, 0x2014}, {0x2018, 0x2019}, {0x201c, 0x201d}, {0x2026, 0x2026}, {0x3001, 0x303f},
	{0xfe30, 0xfe4f}, {0xff01, 0xff01}, {0xff0c, 0xff0c}, {0xff1a, 0xff1b}
};
static const Range bopomofo_youtu[] = {{0x3105, 0x312f}};
static const Range bloom_stops[] = {
	{0x28, 0x29}, {0x2c, 0x2c}, {0x2e, 0x2e}, {0x21, 0x21}, {0x3f, 0x3f}, {0x7c, 0x7c}, {0x060c, 0x060c},
	{0x06d4, 0x06d4}, {0x0964, 0x0964}, {0x2026, 0x2026}, {0x3001, 0x3002}, {0xff0c, 0xff0c}
};
/* Letters with case, Unicode 11, as DeepSeek LLM's rule lists them. */
static const Range letter_deepseek[] = {
	{0x41, 0x5a}, {0x61, 0x7a}, {0xb5, 0xb5}, {0xc0, 0xd6}, {0xd8, 0xf6}, {0xf8, 0x1ba},
	{0x1bc, 0x1bf}, {0x1c4, 0x293}, {0x295, 0x2af}, {0x370, 0x373}, {0x376, 0x377}, {0x37b, 0x37d},
	{0x37f, 0x37f}, {0x386, 0x386}, {0x388, 0x38a}, {0x38c, 0x38c}, {0x38e, 0x3a1}, {0x3a3, 0x3f5},
	{0x3f7, 0x481}, {0x48a, 0x52f}, {0x531, 0x556}, {0x10a0, 0x10c5}, {0x13a0, 0x13f5},
	{0x13f8, 0x13fd}, {0x1c90, 0x1cba}, {0x1cbd, 0x1cbf}, {0x1d00, 0x1d2b}, {0x1d6b, 0x1d77},
	{0x1d79, 0x1d9a}, {0x1e00, 0x1f15}, {0x1f18, 0x1f1d}, {0x1f20, 0x1f45}, {0x1f48, 0x1f4d},
	{0x1f50, 0x1f57}, {0x1f59, 0x1f59}, {0x1f5b, 0x1f5b}, {0x1f5d, 0x1f5d}, {0x1f5f, 0x1f7d},
	{0x1f80, 0x1fb4}, {0x1fb6, 0x1fbc}, {0x1fbe, 0x1fbe}, {0x1fc2, 0x1fc4}, {0x1fc6, 0x1fcc},
	{0x1fd0, 0x1fd3}, {0x1fd6, 0x1fdb}, {0x1fe0, 0x1fec}, {0x1ff2, 0x1ff4}, {0x1ff6, 0x1ffc},
	{0x2102, 0x2102}, {0x2107, 0x2107}, {0x210a, 0x2113}, {0x2115, 0x2115}, {0x2119, 0x211d},
	{0x2124, 0x2124}, {0x2126, 0x2126}, {0x2128, 0x2128}, {0x212a, 0x212d}, {0x212f, 0x2134},
	{0x2139, 0x2139}, {0x213c, 0x213f}, {0x2145, 0x2149}, {0x214e, 0x214e}, {0x2183, 0x2184},
	{0x2c00, 0x2c7b}, {0x2c7e, 0x2ce4}, {0x2ceb, 0x2cee}, {0x2cf2, 0x2cf3}, {0xa640, 0xa66d},
	{0xa680, 0xa69b}, {0xa722, 0xa76f}, {0xa771, 0xa787}, {0xa78b, 0xa78e}, {0xab70, 0xabbf},
	{0xfb00, 0xfb06}, {0xfb13, 0xfb17}, {0xff21, 0xff3a}, {0xff41, 0xff5a}, {0x10400, 0x1044f},
	{0x104b0, 0x104d3}, {0x104d8, 0x104fb}, {0x10c80, 0x10cb2}, {0x10cc0, 0x10cf2},
	{0x118a0, 0x118df}, {0x1e900, 0x1e943}
};

static bool
in_ranges(const Range *r, size_t n, uint32_t cp)
{
	size_t		lo = 0;

	while (lo < n)
	{
		size_t		mid = (lo + n) / 2;

		if (cp > r[mid].last)
			lo = mid + 1;
		else if (cp < r[mid].first)
			n = mid;
		else
			return true;
	}
	return false;
}

/* For lists out of order. */
static bool
in_list(const Range *r, size_t n, uint32_t cp)
{
	for (size_t i = 0; i < n; i++)
	{
		if (cp >= r[i].first && cp <= r[i].last)
			return true;
	}
	return false;
}

#define IN(ranges) in_ranges(ranges, sizeof(ranges) / sizeof(ranges[0]), cp)

bool
nlp_set_has(SetId set, uint32_t cp, unsigned cls)
{
	switch (set)
	{
		case SET_NUMBER:
			return cls & C_NUMBER;
		case SET_LETTER:
			return cls & C_LETTER;
		case SET_PUNCT:
			return cls & C_PUNCT;
		case SET_PUNCT_DEFAULT:
			return (cls & C_PUNCT) || (cp < 128 && (cls & C_SYMBOL) && cp != '`');
		case SET_PUNCT_FALCON:
		case SET_PUNCT_ASCII:
			return (cls & C_PUNCT) || (cp < 128 && (cls & C_SYMBOL));
		case SET_DIGIT:
			return cp >= '0' && cp <= '9';
		case SET_CRLF:
			return cp == '\r' || cp == '\n';
		case SET_BLOOM:
			return !(cls & C_SPACE) && !in_list(bloom_stops, sizeof(bloom_stops) / sizeof(bloom_stops[0]), cp);
		case SET_CJK_DEEPSEEK:
			return !(cls & C_SPACE) && IN(cjk_deepseek);
		case SET_CJK_KANA:
			return IN(cjk_kana);
		case SET_LETTER_DEEPSEEK:
			return IN(letter_deepseek);
		case SET_PUNCT_DEEPSEEK:
			return IN(punct_deepseek);
		case SET_ASIAN_AFMOE:
			return IN(asian_afmoe);
		case SET_HANGUL_YOUTU:
			return IN(hangul_youtu);
		case SET_PUNCT_YOUTU:
			return IN(punct_youtu);
		case SET_BOPOMOFO_YOUTU:
			return IN(bopomofo_youtu);
	}
	return false;
}
