/* summary.c --- the requests of an abstractive summary, and the rounds of a long
 * one. Cutting is in summary_split.c. */
#include <stdio.h>
#include <string.h>

#include "core/utf8.h"
#include "task/chat.h"
#include "task/summary.h"
#include "engine_only.h"

/* ---- language ---- */

static bool
is_han(uint32_t cp)
{
	return (cp >= 0x4e00 && cp <= 0x9fff) || (cp >= 0x3400 && cp <= 0x4dbf) || (cp >= 0xf900 && cp <= 0xfaff) ||
		(cp >= 0x20000 && cp <= 0x3fffd) || cp == 0x3007;
}

/* A Han character says about as much as three letters. The first 64 KB tell. */
bool
nlp_summary_is_chinese(const char *text, size_t len)
{
	size_t		han = 0;
	size_t		kana = 0;
	size_t		letters = 0;

	if (len > 65536)
		len = 65536;
	for (size_t i = 0; i < len;)
	{
		uint32_t	cp = 0;
		int			n = nlp_utf8_decode(text + i, len - i, &cp);

		if (n == 0)
			break;
		if (is_han(cp))
			han++;
		else if (cp >= 0x3040 && cp <= 0x30ff)
			kana++;
		else if (((cp | 32) >= 'a' && (cp | 32) <= 'z') || (cp >= 0xc0 && cp < 0x2000) || (cp >= 0xac00 && cp <= 0xd7a3))
			letters++;
		i += n;
	}
	return han > 0 && han * 3 > letters && kana * 10 <= han;
}

/* ---- wording ---- */

static const char *
instruction(NlpSummaryPart part, bool chinese)
{
	switch (part)
	{
		case NLP_SUMMARY_PART:
			return chinese ? "下面是一篇较长文章的一部分。请用几句话概括这一部分的要点，保留人名、数字和结论，不要添加原文没有的内容。" :
				"The text below is one part of a longer text. Summarize this part in a few sentences. Keep names, numbers "
				"and conclusions, and add nothing that is not in it.";
		case NLP_SUMMARY_JOINED:
			return chinese ? "下面依次是一篇文章各部分的摘要。请把它们合并成全文的一个摘要，不要逐段罗列，也不要添加摘要没有的内容。" :
				"Below are summaries of the parts of one text, in order. Write a single summary of the whole text from them. "
				"Do not list the parts, and add nothing that is not in them.";
		default:
			return chinese ? "请概括下面的文章，只写摘要，不要添加原文没有的内容。" :
				"Summarize the text below. Write only the summary, and add nothing that is not in the text.";
	}
}

static bool
put_content(NlpBuf *b, NlpSummaryPart part, size_t number, size_t of, size_t words, const char *text, size_t len)
{
	bool		chinese = nlp_summary_is_chinese(text, len);
	const char *what = instruction(part, chinese);
	char		more[160] = "";
	int			n = 0;

	if (part == NLP_SUMMARY_PART && of > 1)
		n = snprintf(more, sizeof(more), chinese ? "（第 %zu 部分，共 %zu 部分）" : " (Part %zu of %zu.)", number, of);
	else if (words)
		n = snprintf(more, sizeof(more), chinese ? "摘要不超过 %zu 个字。" : " Use at most %zu words.", words);
	return nlp_buf_append(b, what, strlen(what)) && nlp_buf_append(b, more, (size_t) n) &&
		nlp_buf_append(b, "\n\n", 2) && nlp_buf_append(b, text, len);
}

NlpStatus
nlp_summary_messages(NlpSummaryPart part, size_t number, size_t of, size_t words, const char *text,
					 size_t len, NlpBuf *out, NlpError *err)
{
	static const char open[] = "[{\"role\":\"user\",\"content\":";
	NlpBuf		content;
	bool		ok;

	nlp_buf_init(&content, out->alloc);
	ok = put_content(&content, part, number, of, words, text, len) &&
		nlp_buf_append(out, open, sizeof(open) - 1) &&
		nlp_chat_put_json(out, content.data, content.len) && nlp_buf_append(out, "}]", 2);
	nlp_buf_free(&content);
	return ok ? NLP_OK : nlp_no_memory(err, len, "the request for a summary");
}

/* The wording of every kind in both languages, with the largest numbers. */
NlpStatus
nlp_summary_overhead(NlpSummaryCount count, void *ctx, size_t *tokens, NlpError *err)
{
	*tokens = 0;
	for (int part = NLP_SUMMARY_WHOLE; part <= NLP_SUMMARY_JOINED; part++)
	{
		for (int chinese = 0; chinese < 2; chinese++)
		{
			const char *what = instruction((NlpSummaryPart) part, chinese != 0);
			char		buf[1024];
			size_t		n;

			snprintf(buf, sizeof(buf), chinese ? "%s（第 999999 部分，共 999999 部分）\n\n" : "%s (Part 999999 of 999999.)\n\n",
					 what);
			NLP_TRY(count(ctx, buf, strlen(buf), SIZE_MAX, &n, err));
			if (n > *tokens)
				*tokens = n;
		}
	}
	return NLP_OK;
}

/* ---- answers ---- */

static size_t
space_at(const char *s, size_t left)
{
	uint32_t	cp = 0;
	int			n = nlp_utf8_decode(s, left, &cp);

	return cp == ' ' || (cp >= 9 && cp <= 13) || cp == 0xa0 || cp == 0x3000 || cp == 0x2028 || cp == 0x2029 ||
		cp == 0xfeff || cp == 0x200b ? (size_t) n : 0;
}

static void
trim(const char **s, size_t *len)
{
	size_t		n;

	while (*len && (n = space_at(*s, *len)) > 0)
	{
		*s += n;
		*len -= n;
	}
	while (*len)
	{
		size_t		p = *len - 1;

		while (p > 0 && ((unsigned char) (*s)[p] & 0xc0) == 0x80)
			p--;
		if (space_at(*s + p, *len - p) == 0)
			break;
		*len = p;
	}
}

void
nlp_summary_clean(const char *answer, size_t len, const char **clean, size_t *clean_len)
{
	static const char open[] = "<think>";
	static const char close[] = "</think>";
	size_t		n = sizeof(close) - 1;

	*clean = answer ? answer : "";
	*clean_len = answer ? len : 0;
	trim(clean, clean_len);
	if (*clean_len < sizeof(open) - 1 || memcmp(*clean, open, sizeof(open) - 1) != 0)
		return;
	for (size_t i = 0; i + n <= *clean_len; i++)
	{
		if ((*clean)[i] == '<' && memcmp(*clean + i, close, n) == 0)
		{
			*clean += i + n;
			*clean_len -= i + n;
			trim(clean, clean_len);
			return;
		}
	}
}

/* ---- rounds ---- */

static void
free_requests(const NlpAlloc *alloc, NlpSummaryRequest *requests, size_t n)
{
	for (size_t i = 0; i < n; i++)
	{
		nlp_buf_free(&requests[i].messages);
		nlp_buf_free(&requests[i].answer);
	}
	nlp_free(alloc, requests);
}

/* Cleaned answers, one to a paragraph. */
static NlpStatus
join_answers(NlpSummaryRequest *requests, size_t n, NlpBuf *out, NlpError *err)
{
	for (size_t i = 0; i < n; i++)
	{
		const char *s;
		size_t		len;
		size_t		bad;

		nlp_summary_clean(requests[i].answer.data, requests[i].answer.len, &s, &len);
		if (!nlp_utf8_valid(s, len, &bad))
			return nlp_fail(err, NLP_ETEXT, "a partial summary is not valid UTF-8");
		if (len == 0)
			continue;
		if ((out->len && !nlp_buf_append(out, "\n\n", 2)) || !nlp_buf_append(out, s, len))
			return nlp_no_memory(err, len, "partial summaries");
	}
	return NLP_OK;
}

/* Ask about each piece and join what comes back. */
static NlpStatus
ask_pieces(const NlpEnv *env, const NlpSummaryHooks *h, NlpSummaryPart part, const char *text,
		   const NlpPiece *pieces, size_t n, size_t answer_tokens, NlpBuf *out, NlpError *err)
{
	NlpSummaryRequest *requests;
	NlpStatus	st = NLP_OK;
	size_t		bytes;

	if (!nlp_mul_size(n, sizeof(*requests), &bytes) || !(requests = nlp_alloc_zero(env->alloc, bytes)))
		return nlp_no_memory(err, n * sizeof(*requests), "the requests of a summary");
	for (size_t i = 0; i < n; i++)
	{
		nlp_buf_init(&requests[i].messages, env->alloc);
		nlp_buf_init(&requests[i].answer, env->alloc);
		requests[i].max_tokens = answer_tokens;
	}
	for (size_t i = 0; i < n && st == NLP_OK; i++)
		st = nlp_summary_messages(part, i + 1, n, part == NLP_SUMMARY_PART ? 0 : h->words,
								  text + pieces[i].start, pieces[i].len, &requests[i].messages, err);
	if (st == NLP_OK)
		st = h->answer(h->ctx, requests, n, err);
	if (st == NLP_OK)
		st = join_answers(requests, n, out, err);
	free_requests(env->alloc, requests, n);
	return st;
}

static NlpStatus
too_small(const NlpSummaryHooks *h, NlpError *err)
{
	nlp_fail(err, NLP_ELIMIT, "context of %zu tokens is too small to summarize with", h->room);
	nlp_hint(err, "Ask for a shorter summary, or use a model with a longer context.");
	return NLP_ELIMIT;
}

/* One round over text: *done when out is the summary, else out is the next text. */
static NlpStatus
round_once(const NlpEnv *env, const NlpSummaryHooks *h, bool joined, const char *text, size_t len, NlpBuf *out,
		   bool *done, size_t *pieces_out, NlpError *err)
{
	size_t		max = h->room - h->overhead;
	size_t		part_tokens = max / 4 < h->answer_tokens ? max / 4 : h->answer_tokens;
	NlpPiece   *pieces;
	size_t		n;
	NlpStatus	st;

	NLP_TRY(nlp_summary_split(env, text, len, max, h->count, h->ctx, &pieces, &n, err));
	*done = n <= 1;
	*pieces_out = n;
	if (n == 0)
		st = NLP_OK;
	else if (n == 1)
		st = ask_pieces(env, h, joined ? NLP_SUMMARY_JOINED : NLP_SUMMARY_WHOLE, text, pieces, 1, h->answer_tokens, out,
						err);
	else
		st = ask_pieces(env, h, NLP_SUMMARY_PART, text, pieces, n, part_tokens, out, err);
	nlp_free(env->alloc, pieces);
	return st;
}

NlpStatus
nlp_summarize(const NlpEnv *env, const NlpSummaryHooks *hooks, const char *text, size_t len, NlpBuf *out,
			  NlpError *err)
{
	NlpBuf		from;			/* the text of this round, when it is not the caller's */
	NlpBuf		to;
	bool		done = false;
	bool		joined = false;
	size_t		last = SIZE_MAX;
	NlpStatus	st = NLP_OK;

	if (hooks->answer_tokens == 0)
		return nlp_fail(err, NLP_EINVALID, "a summary needs at least one token");
	if (hooks->room <= hooks->overhead || hooks->room - hooks->overhead < 16)
		return too_small(hooks, err);
	nlp_buf_init(&from, env->alloc);
	while (st == NLP_OK && !done)
	{
		size_t		n = 0;

		nlp_buf_init(&to, env->alloc);
		st = round_once(env, hooks, joined, joined ? from.data : text, joined ? from.len : len, &to, &done, &n, err);
		if (st == NLP_OK && n >= last)
		{
			st = nlp_fail(err, NLP_ELIMIT, "summaries of %zu pieces do not get shorter", n);
			nlp_hint(err, "Use a model with a longer context, or one that follows instructions.");
		}
		last = n;
		nlp_buf_free(&from);
		from = to;
		joined = true;
		if (st == NLP_OK && !done && from.len == 0)
			done = true;		/* nothing was said of any piece */
	}
	if (st == NLP_OK && from.len && !nlp_buf_append(out, from.data, from.len))
		st = nlp_no_memory(err, from.len, "a summary");
	nlp_buf_free(&from);
	return st;
}
