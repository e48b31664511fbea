/* answer.c --- streaming UTF-8 and stop strings. */
#define _GNU_SOURCE
#include <string.h>

#include "core/utf8.h"
#include "decode/answer.h"
#include "engine_only.h"

NlpStatus
nlp_answer_init(NlpAnswer *a, const NlpAlloc *alloc, const NlpStr *stop, int n_stop, NlpError *err)
{
	size_t		bytes = (size_t) n_stop * sizeof(NlpStr);
	char	   *at;

	memset(a, 0, sizeof(*a));
	nlp_buf_init(&a->text, alloc);
	for (int i = 0; i < n_stop; i++)
	{
		if (stop[i].len == 0)
			return nlp_fail(err, NLP_EINVALID, "a stop string is empty");
		bytes += stop[i].len;
		if (stop[i].len > a->longest_stop)
			a->longest_stop = stop[i].len;
	}
	if (n_stop == 0)
		return NLP_OK;
	a->stop = nlp_alloc(alloc, bytes);
	if (!a->stop)
		return nlp_no_memory(err, bytes, "stop strings");
	a->n_stop = n_stop;
	at = (char *) (a->stop + n_stop);
	for (int i = 0; i < n_stop; i++)
	{
		memcpy(at, stop[i].data, stop[i].len);
		a->stop[i] = (NlpStr) {at, stop[i].len};
		at += stop[i].len;
	}
	return NLP_OK;
}

void
nlp_answer_free(NlpAnswer *a)
{
	if (a->text.alloc)
		nlp_free(a->text.alloc, a->stop);
	if (a->text.alloc)
		nlp_buf_free(&a->text);
	a->stop = NULL;
	a->n_stop = 0;
}

/* Move whole characters out of pending; keep an unfinished tail. */
static bool
settle(NlpAnswer *a)
{
	int			i = 0;

	while (i < a->n_pending)
	{
		uint32_t	cp;
		size_t		left = (size_t) (a->n_pending - i);
		int			n = nlp_utf8_decode(a->pending + i, left, &cp);

		if (n > 0)
		{
			if (!nlp_buf_append(&a->text, a->pending + i, (size_t) n))
				return false;
			i += n;
		}
		else if (left < 4 && nlp_utf8_whole(a->pending + i, left) == 0)
			break;				/* so far a valid beginning */
		else
		{
			if (!nlp_buf_append(&a->text, "\xef\xbf\xbd", 3))
				return false;
			i++;
		}
	}
	a->n_pending -= i;
	memmove(a->pending, a->pending + i, (size_t) a->n_pending);
	return true;
}

/* Cut the text before the first stop string that ends after byte `from`. */
static void
look_for_stop(NlpAnswer *a, size_t from)
{
	size_t		best = SIZE_MAX;

	for (int i = 0; i < a->n_stop; i++)
	{
		const NlpStr *s = &a->stop[i];
		size_t		start = from + 1 > s->len ? from + 1 - s->len : 0;
		const char *hit = NULL;

		if (a->text.len >= start + s->len)
			hit = memmem(a->text.data + start, a->text.len - start, s->data, s->len);
		if (hit && (size_t) (hit - a->text.data) < best)
			best = (size_t) (hit - a->text.data);
	}
	if (best == SIZE_MAX)
		return;
	a->stopped = true;
	a->text.len = best;
	a->text.data[best] = '\0';
	a->n_pending = 0;
}

NlpStatus
nlp_answer_add(NlpAnswer *a, const NlpTokenizer *t, int32_t id, NlpError *err)
{
	char		small[256];
	char	   *bytes = small;
	size_t		n = nlp_token_bytes(t, id, false, small, sizeof(small));
	size_t		before = a->text.len;
	bool		ok = true;

	if (n > sizeof(small))
	{
		bytes = nlp_alloc(a->text.alloc, n);
		if (!bytes)
			return nlp_no_memory(err, n, "answer");
		nlp_token_bytes(t, id, false, bytes, n);
	}
	for (size_t i = 0; i < n && ok; i++)
	{
		a->pending[a->n_pending++] = bytes[i];
		ok = settle(a);
	}
	if (bytes != small)
		nlp_free(a->text.alloc, bytes);
	if (!ok)
		return nlp_no_memory(err, a->text.len * 2, "answer");
	if (a->text.len > before)
		look_for_stop(a, before);
	return NLP_OK;
}

NlpStr
nlp_answer_fresh(NlpAnswer *a, bool done)
{
	size_t		hold = done || a->longest_stop == 0 ? 0 : a->longest_stop - 1;
	size_t		upto = a->text.len > hold ? a->text.len - hold : 0;
	NlpStr		s;

	upto = upto > a->given ? a->given + nlp_utf8_whole(a->text.data + a->given, upto - a->given) : a->given;
	s = (NlpStr) {a->text.data ? a->text.data + a->given : "", upto - a->given};
	a->given = upto;
	return s;
}
