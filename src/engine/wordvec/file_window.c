/* file_window.c --- a bounded window over a source that is read in ascending order.
 *
 * Memory: one buffer, whatever the file says or holds: enough for the longest row that is
 *         accepted (a word and NLP_WORDFILE_MAX_DIM numbers). What does not fit is passed over piece by piece. */
#include <string.h>

#include "wordvec/file_private.h"
#include "engine_only.h"

#define CAPACITY (NLP_WORDS_MAX_BYTES + (size_t) NLP_WORDFILE_MAX_DIM * NLP_WORDFILE_NUMBER + 64)
#define PIECE ((size_t) 256 * 1024)

NlpStatus
nlp_word_window_open(NlpWordWindow *w, const NlpSource *src, const NlpEnv *env, NlpError *err)
{
	*w = (NlpWordWindow) {.src = src,.env = env,.cap = CAPACITY};
	if (src->size < w->cap)
		w->cap = src->size < 64 ? 64 : (size_t) src->size;
	w->data = nlp_alloc(env->alloc, w->cap);
	return w->data ? NLP_OK : nlp_no_memory(err, w->cap, "word vector file");
}

void
nlp_word_window_close(NlpWordWindow *w)
{
	if (w->data)
		nlp_free(w->env->alloc, w->data);
	w->data = NULL;
}

void
nlp_word_window_seek(NlpWordWindow *w, uint64_t offset)
{
	if (offset >= w->base && offset - w->base <= w->len)
	{
		w->at = (size_t) (offset - w->base);
		return;
	}
	w->base = offset;
	w->at = w->len = 0;
}

NlpStatus
nlp_word_window_fill(NlpWordWindow *w, size_t want, size_t *have, NlpError *err)
{
	if (want > w->cap)
		want = w->cap;
	if (w->len - w->at < want && w->base + w->len < w->src->size)
	{
		uint64_t	unread;
		size_t		more;

		memmove(w->data, w->data + w->at, w->len - w->at);
		w->base += w->at;
		w->len -= w->at;
		w->at = 0;
		more = want - w->len > PIECE ? want - w->len : PIECE;
		if (more > w->cap - w->len)
			more = w->cap - w->len;
		unread = w->src->size - w->base - w->len;
		if (more > unread)
			more = (size_t) unread;
		NLP_TRY(nlp_poll(w->env, err));
		NLP_TRY(w->src->read(w->src->ctx, w->base + w->len, more, w->data + w->len, err));
		w->len += more;
	}
	*have = w->len - w->at;
	return NLP_OK;
}

NlpStatus
nlp_word_window_skip_past(NlpWordWindow *w, char stop, bool *found, NlpError *err)
{
	size_t		have;

	for (;;)
	{
		const char *p;

		NLP_TRY(nlp_word_window_fill(w, 1, &have, err));
		*found = false;
		if (have == 0)
			return NLP_OK;
		p = memchr(w->data + w->at, stop, have);
		if (p)
		{
			w->at = (size_t) (p - w->data) + 1;
			*found = true;
			return NLP_OK;
		}
		w->at = w->len;
	}
}
