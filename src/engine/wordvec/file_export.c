/* file_export.c --- a resident table as a file of word2vec's, binary or text.
 *
 * Binary: as word2vec.c writes it, a newline after each row. Text: each number in the fewest decimals
 * that read back as the same f32. A word that the format cannot hold (a space in binary, a newline in
 * either) is an error: nothing is changed silently. */
#define _GNU_SOURCE
#include <string.h>

#include "wordvec/file_private.h"
#include "engine_only.h"

#define BUFFER 65536u

typedef struct Out
{
	const NlpSink *sink;
	const NlpEnv *env;
	char	   *data;
	size_t		len;
} Out;

static NlpStatus
flush(Out *o, NlpError *err)
{
	size_t		len = o->len;

	o->len = 0;
	NLP_TRY(nlp_poll(o->env, err));
	return len ? o->sink->write(o->sink->ctx, o->data, len, err) : NLP_OK;
}

static NlpStatus
put(Out *o, const void *bytes, size_t len, NlpError *err)
{
	if (len > BUFFER - o->len)
		NLP_TRY(flush(o, err));
	if (len > BUFFER)
		return o->sink->write(o->sink->ctx, bytes, len, err);
	memcpy(o->data + o->len, bytes, len);
	o->len += len;
	return NLP_OK;
}

static NlpStatus
put_whole(Out *o, uint64_t v, char after, NlpError *err)
{
	char		text[24];
	size_t		at = sizeof(text);

	text[--at] = after;
	do
		text[--at] = (char) ('0' + v % 10);
	while (v /= 10);
	return put(o, text + at, sizeof(text) - at, err);
}

/* Whether the reader (file_text.c, file_bin.c) takes the word back as it is. */
static bool
can_hold(NlpWordFormat format, const char *word, size_t len)
{
	const char *space = memrchr(word, ' ', len);
	float		f;
	bool		huge;

	if (format == NLP_WORDFILE_W2V_BIN)
		return !space && word[0] != '\n';
	if (memchr(word, '\n', len))
		return false;
	if (!space)
		return true;
	return word[0] != ' ' && space + 1 != word + len && !memmem(word, len, "  ", 2) &&
		!nlp_wordfile_number(space + 1, word + len, &f, &huge) && !huge;
}

static NlpStatus
put_text(Out *o, const float *row, uint32_t dim, NlpError *err)
{
	char		number[NLP_WORDFILE_DECIMALS + 1] = " ";

	for (uint32_t d = 0; d < dim; d++)
		NLP_TRY(put(o, number, 1 + nlp_wordfile_decimals(row[d], number + 1), err));
	return NLP_OK;
}

static NlpStatus
put_rows(Out *o, const NlpWords *w, NlpWordFormat format, NlpError *err)
{
	NLP_TRY(put_whole(o, w->n, ' ', err));
	NLP_TRY(put_whole(o, w->dim, '\n', err));
	for (uint32_t i = 0; i < w->n; i++)
	{
		size_t		len;
		const char *word = nlp_words_text(w, i, &len);

		if (!can_hold(format, word, len))
		{
			nlp_fail(err, NLP_EINVALID, "word %u of the model cannot be written as %s", i, nlp_wordfile_name(format));
			return nlp_detail(err, "Words with white space in them do not survive in that format.");
		}
		NLP_TRY(put(o, word, len, err));
		if (format == NLP_WORDFILE_W2V_BIN)
		{
			NLP_TRY(put(o, " ", 1, err));
			NLP_TRY(put(o, nlp_words_row(w, i), w->dim * sizeof(float), err));
		}
		else
			NLP_TRY(put_text(o, nlp_words_row(w, i), w->dim, err));
		NLP_TRY(put(o, "\n", 1, err));
	}
	return flush(o, err);
}

NlpStatus
nlp_wordfile_export(const NlpWords *w, NlpWordFormat format, const NlpSink *sink, const NlpEnv *env, NlpError *err)
{
	Out			o = {.sink = sink,.env = env};
	NlpStatus	st;

	if (format != NLP_WORDFILE_W2V_BIN && format != NLP_WORDFILE_W2V_TEXT)
	{
		nlp_fail(err, NLP_EUNSUPPORTED, "word vectors cannot be written as %s", nlp_wordfile_name(format));
		return nlp_hint(err, "They can be written as word2vec binary or text.");
	}
	o.data = nlp_alloc(env->alloc, BUFFER);
	if (!o.data)
		return nlp_no_memory(err, BUFFER, "writing word vectors");
	st = put_rows(&o, w, format, err);
	nlp_free(env->alloc, o.data);
	return st;
}
