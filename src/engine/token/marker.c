/* marker.c --- what a token's text says about it: end of generation, fill-in-the-middle,
 * white space stripped around it. GGUF files say little of this, so it follows from
 * well-known texts and model names, by the rules llama.cpp applies to the same file.
 * Where llama.cpp takes the first match in no fixed order, the lowest id is taken. */
#include "token/block.h"
#include "engine_only.h"

/* Roles a text may have. */
#define R_EOG 1u
#define R_EOT 2u
#define R_EOM 4u
#define R_FIM_PRE 8u
#define R_FIM_SUF 16u
#define R_FIM_MID 32u
#define R_FIM_PAD 64u
#define R_FIM_REP 128u
#define R_FIM_SEP 256u
#define R_SHOWN 512u			/* always user-defined: gpt-oss channel marks */

typedef struct KnownText
{
	const char *text;
	unsigned	roles;
} KnownText;

#define BAR "\xef\xbd\x9c"		/* U+FF5C */
#define LOW "\xe2\x96\x81"		/* U+2581 */

static const KnownText known[] = {
	{"<|eot_id|>", R_EOG | R_EOT}, {"<|im_end|>", R_EOG | R_EOT}, {"<|end|>", R_EOG | R_EOT},
	{"<end_of_turn>", R_EOG | R_EOT}, {"<|endoftext|>", R_EOG | R_EOT},
	{"<|end_of_text|>", R_EOG | R_EOT}, {"<EOT>", R_EOG | R_EOT}, {"_<EOT>", R_EOG | R_EOT},
	{"[EOT]", R_EOG | R_EOT}, {"<" BAR "end" LOW "of" LOW "sentence" BAR ">", R_EOG | R_EOT},
	{"<end_of_utterance>", R_EOG | R_EOT}, {"<|eom_id|>", R_EOG | R_EOM},
	{"<|return|>", R_EOG}, {"<|call|>", R_EOG}, {"<|flush|>", R_EOG}, {"<|calls|>", R_EOG},
	{"</s>", R_EOG}, {"[EOS]", R_EOG}, {"<eos>", R_EOG}, {"<turn|>", R_EOG},
	{"<|tool_response>", R_EOG}, {"[e~[", R_EOG},
	{"<|fim_prefix|>", R_FIM_PRE}, {"<fim-prefix>", R_FIM_PRE}, {"<fim_prefix>", R_FIM_PRE},
	{"<" BAR "fim" LOW "begin" BAR ">", R_FIM_PRE}, {"<PRE>", R_FIM_PRE}, {LOW "<PRE>", R_FIM_PRE},
	{"<|code_prefix|>", R_FIM_PRE}, {"<|prefix|>", R_FIM_PRE},
	{"<|fim_suffix|>", R_FIM_SUF}, {"<fim-suffix>", R_FIM_SUF}, {"<fim_suffix>", R_FIM_SUF},
	{"<" BAR "fim" LOW "hole" BAR ">", R_FIM_SUF}, {"<SUF>", R_FIM_SUF}, {LOW "<SUF>", R_FIM_SUF},
	{"<|code_suffix|>", R_FIM_SUF}, {"<|suffix|>", R_FIM_SUF},
	{"<|fim_middle|>", R_FIM_MID}, {"<fim-middle>", R_FIM_MID}, {"<fim_middle>", R_FIM_MID},
	{"<" BAR "fim" LOW "end" BAR ">", R_FIM_MID}, {"<MID>", R_FIM_MID}, {LOW "<MID>", R_FIM_MID},
	{"<|code_middle|>", R_FIM_MID}, {"<|middle|>", R_FIM_MID},
	{"<|fim_pad|>", R_FIM_PAD}, {"<fim-pad>", R_FIM_PAD}, {"<fim_pad>", R_FIM_PAD}, {"<PAD>", R_FIM_PAD},
	{"[PAD]", R_FIM_PAD},
	{"<|fim_repo|>", R_FIM_REP}, {"<|repo_name|>", R_FIM_REP}, {"<fim-repo>", R_FIM_REP},
	{"<REPO>", R_FIM_REP}, {"<reponame>", R_FIM_REP},
	{"<|file_sep|>", R_FIM_SEP},
	{"<|channel|>", R_SHOWN}, {"<|message|>", R_SHOWN}, {"<|start|>", R_SHOWN}, {"<|constrain|>", R_SHOWN},
};

#define N_KNOWN (sizeof(known) / sizeof(known[0]))

static bool
is_text(NlpStr s, const char *text)
{
	return strlen(text) == s.len && memcmp(s.data, text, s.len) == 0;
}

static unsigned
roles_of(NlpStr s)
{
	if (s.len < 4 || !strchr("<[_\xe2", s.data[0]) || s.data[0] == '\0')
		return 0;
	for (size_t i = 0; i < N_KNOWN; i++)
	{
		if (is_text(s, known[i].text))
			return known[i].roles;
	}
	return 0;
}

/* A role that one token has: kept if the file named one, else this token takes it and
 * becomes a control token. */
static void
take_role(unsigned roles, unsigned role, int32_t id, int32_t *holder, uint16_t *attr)
{
	if (!(roles & role) || *holder >= 0)
		return;
	*holder = id;
	*attr |= A_CONTROL;
}

static void
set_eog(uint16_t *attr, int32_t id)
{
	if (id >= 0)
		attr[id] |= A_EOG;
}

/* Lookup among end-of-generation tokens; -1: none. */
static int32_t
find_eog(const NlpStr *tokens, uint32_t n, const uint16_t *attr, const char *text)
{
	for (uint32_t i = 0; i < n; i++)
	{
		if ((attr[i] & A_EOG) && is_text(tokens[i], text))
			return (int32_t) i;
	}
	return -1;
}

/* Texts that end a turn in most vocabularies and do not in these. */
static void
take_back_eog(const NlpStr *tokens, uint32_t n, uint16_t *attr)
{
	bool		has_return = find_eog(tokens, n, attr, "<|return|>") >= 0;
	bool		has_flush = find_eog(tokens, n, attr, "<|flush|>") >= 0;
	bool		has_call = find_eog(tokens, n, attr, "<|call|>") >= 0 ||
		find_eog(tokens, n, attr, "<|calls|>") >= 0;
	int32_t		end = find_eog(tokens, n, attr, "<|end|>");
	int32_t		s = find_eog(tokens, n, attr, "</s>");

	if (end >= 0 && has_call && (has_return || has_flush))
		attr[end] = A_USER;
	if (s >= 0 && (find_eog(tokens, n, attr, "<|tool_response>") >= 0 ||
				   find_eog(tokens, n, attr, "<|plamo:eos|>") >= 0))
		attr[s] = A_NORMAL;
}

static bool
contains(NlpStr s, const char *part)
{
	size_t		n = strlen(part);

	for (size_t i = 0; i + n <= s.len; i++)
	{
		size_t		j = 0;

		while (j < n)
		{
			char		c = s.data[i + j];

			if (c >= 'A' && c <= 'Z')
				c = (char) (c | 0x20);
			if (c != part[j])
				break;
			j++;
		}
		if (j == n)
			return true;
	}
	return false;
}

static void
set_strip(const NlpStr *tokens, uint32_t n, NlpStr model_name, NlpStr pre, NlpStr arch, uint16_t *attr)
{
	const char *mask = NULL;

	if (contains(pre, "jina-v2-de") || contains(pre, "jina-v2-es") || contains(pre, "jina-v2-code") ||
		contains(arch, "nomic-bert-moe") || contains(arch, "jina-bert-v3"))
		mask = "<mask>";
	else if (contains(model_name, "phi-3") || contains(model_name, "phi3"))
	{
		for (uint32_t i = 0; i < n; i++)
		{
			if ((attr[i] & A_MARKER) || is_text(tokens[i], "</s>"))
				attr[i] |= A_RSTRIP;
			if (is_text(tokens[i], "<unk>") || is_text(tokens[i], "<s>") || is_text(tokens[i], "<|endoftext|>"))
				attr[i] &= (uint16_t) ~A_RSTRIP;
		}
	}
	else if (contains(model_name, "modern-bert"))
		mask = "[MASK]";
	for (uint32_t i = 0; mask && i < n; i++)
	{
		if (is_text(tokens[i], mask))
			attr[i] |= A_LSTRIP;
	}
}

void
nlp_special_attributes(const NlpStr *tokens, uint32_t n, SpecialKeys *keys, NlpStr model_name, NlpStr pre,
					   NlpStr arch, uint16_t *attr)
{
	for (uint32_t i = 0; i < n; i++)
	{
		unsigned	roles = roles_of(tokens[i]);
		int32_t		id = (int32_t) i;

		if (!roles)
			continue;
		take_role(roles, R_EOT, id, &keys->eot, &attr[i]);
		take_role(roles, R_EOM, id, &keys->eom, &attr[i]);
		take_role(roles, R_FIM_PRE, id, &keys->fim_pre, &attr[i]);
		take_role(roles, R_FIM_SUF, id, &keys->fim_suf, &attr[i]);
		take_role(roles, R_FIM_MID, id, &keys->fim_mid, &attr[i]);
		take_role(roles, R_FIM_PAD, id, &keys->fim_pad, &attr[i]);
		take_role(roles, R_FIM_REP, id, &keys->fim_rep, &attr[i]);
		take_role(roles, R_FIM_SEP, id, &keys->fim_sep, &attr[i]);
		if (roles & R_EOG)
			attr[i] |= A_EOG | A_CONTROL;
		if (roles & R_SHOWN)
			attr[i] = A_USER;
	}
	set_eog(attr, keys->fim_pad);
	set_eog(attr, keys->fim_rep);
	set_eog(attr, keys->fim_sep);
	set_eog(attr, keys->eos);
	set_eog(attr, keys->eot);
	set_eog(attr, keys->eom);
	take_back_eog(tokens, n, attr);
	set_strip(tokens, n, model_name, pre, arch, attr);
}
