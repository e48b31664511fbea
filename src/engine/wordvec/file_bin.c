/* file_bin.c --- rows of word2vec's binary format, and rows of either kind.
 *
 * A row is: the word, a space, dim little-endian f32, and a newline that some writers leave out. So a newline before
 * a word is passed over, and only one may follow the last row. */
#include <string.h>

#include "wordvec/file_private.h"
#include "engine_only.h"

bool
nlp_word_floats(const char *bytes, size_t n, float *out, size_t *bad)
{
	uint32_t	any = 0;

	memcpy(out, bytes, n * sizeof(float));
	for (size_t i = 0; i < n; i++)
	{
		uint32_t	u;

		memcpy(&u, bytes + i * sizeof(u), sizeof(u));
		any |= (u & 0x7f800000u) == 0x7f800000u;
	}
	for (size_t i = 0; any && i < n; i++)
	{
		uint32_t	u;

		memcpy(&u, bytes + i * sizeof(u), sizeof(u));
		if ((u & 0x7f800000u) == 0x7f800000u)
		{
			*bad = i;
			return false;
		}
	}
	return true;
}

static NlpStatus
cut_short(const NlpWordRows *r, NlpError *err)
{
	return nlp_fail_at(err, NLP_ECORRUPT, "row", r->offset, "row %llu of the %llu of a word vector file is cut short",
					   (unsigned long long) r->row + 1, (unsigned long long) r->claimed);
}

/* Where reading must end: nothing, or one newline, after the last row. */
static NlpStatus
bin_end(NlpWordRows *r, bool *end, NlpError *err)
{
	size_t		have;

	*end = true;
	if (r->row != r->claimed)
		return NLP_OK;
	NLP_TRY(nlp_word_window_fill(&r->win, 2, &have, err));
	if (have == 0 || (have == 1 && r->win.data[r->win.at] == '\n'))
		return NLP_OK;
	return nlp_fail_at(err, NLP_ECORRUPT, "header", nlp_word_window_offset(&r->win),
					   "a word vector file holds more than the %llu rows its header says", (unsigned long long) r->claimed);
}

/* Past what is left of a word that was too long, and its numbers. */
static NlpStatus
skip_long_row(NlpWordRows *r, NlpError *err)
{
	bool		found;

	NLP_TRY(nlp_word_window_skip_past(&r->win, ' ', &found, err));
	r->skip_to = 0;
	r->row--;					/* for the message */
	if (!found || nlp_word_window_left(&r->win) < (uint64_t) r->dim * sizeof(float))
		return cut_short(r, err);
	r->row++;
	nlp_word_window_seek(&r->win, nlp_word_window_offset(&r->win) + (uint64_t) r->dim * sizeof(float));
	return NLP_OK;
}

NlpStatus
nlp_word_bin_next(NlpWordRows *r, float *vec, bool *end, NlpError *err)
{
	size_t		want = NLP_WORDS_MAX_BYTES + 2 + r->dim * sizeof(float),
				have,
				bad;
	const char *p,
			   *space;

	*end = false;
	if (r->skip_to)
		NLP_TRY(skip_long_row(r, err));
	if (r->row == r->wanted)
		return bin_end(r, end, err);
	NLP_TRY(nlp_word_window_fill(&r->win, want, &have, err));
	if (have > 0 && r->win.data[r->win.at] == '\n' && r->row > 0)
	{
		r->win.at++;
		have--;
	}
	r->offset = nlp_word_window_offset(&r->win);
	p = r->win.data + r->win.at;
	space = memchr(p, ' ', have < NLP_WORDS_MAX_BYTES + 1 ? have : NLP_WORDS_MAX_BYTES + 1);
	if (!space)
	{
		if (have < NLP_WORDS_MAX_BYTES + 1)
			return cut_short(r, err);
		r->word = NULL;
		r->word_len = SIZE_MAX;
		r->skip_to = ' ';
		r->row++;
		return NLP_OK;
	}
	r->word = p;
	r->word_len = (size_t) (space - p);
	if (have - r->word_len - 1 < r->dim * sizeof(float))
		return cut_short(r, err);
	if (vec && !nlp_word_floats(space + 1, r->dim, vec, &bad))
		return nlp_fail_at(err, NLP_ECORRUPT, "number", r->offset + r->word_len + 1 + bad * sizeof(float),
						   "number %zu of row %llu of a word vector file is not finite", bad + 1,
						   (unsigned long long) r->row + 1);
	r->win.at += r->word_len + 1 + r->dim * sizeof(float);
	r->row++;
	return NLP_OK;
}

/* ---- either kind ---- */

NlpStatus
nlp_word_rows_open(NlpWordRows *r, NlpWordFormat format, const NlpSource *src, uint32_t limit,
				   const NlpEnv *env, NlpError *err)
{
	*r = (NlpWordRows) {.format = format,.claimed = UINT64_MAX,.blank_at = UINT64_MAX};
	NLP_TRY(nlp_word_window_open(&r->win, src, env, err));
	NLP_TRY(nlp_word_text_open(r, err));
	r->wanted = limit && limit < r->claimed ? limit : r->claimed;
	return NLP_OK;
}

void
nlp_word_rows_close(NlpWordRows *r)
{
	nlp_word_window_close(&r->win);
}

void
nlp_word_rows_rewind(NlpWordRows *r)
{
	nlp_word_window_seek(&r->win, r->first);
	r->row = 0;
	r->skip_to = 0;
	r->blank_at = UINT64_MAX;
}

NlpStatus
nlp_word_rows_next(NlpWordRows *r, float *vec, bool *end, NlpError *err)
{
	return r->format == NLP_WORDFILE_W2V_BIN ? nlp_word_bin_next(r, vec, end, err) : nlp_word_text_next(r, vec, end, err);
}
