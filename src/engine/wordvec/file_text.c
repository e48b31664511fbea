/* file_text.c --- rows of text: word2vec .txt, fastText .vec, GloVe.
 *
 * A row is a line: the word, then dim numbers, each after one space. One space at the end
 * (word2vec.c, fastText) and a carriage return are dropped; the last line may lack its newline; empty lines may
 * follow it. A line with more spaces is read from its end: the last dim fields are the numbers, what comes before
 * is a word with spaces in it, as some of GloVe's 840B are. Refused is such a line when a field of the word is empty or
 * the word's last field is a number too: then the row rather has too many of them. */
#define _GNU_SOURCE
#include <string.h>

#include "wordvec/file_private.h"
#include "engine_only.h"

#define HEADER_MAX 256

static NlpStatus
row_fail(const NlpWordRows *r, NlpError *err, const char *field, uint64_t offset, const char *problem)
{
	return nlp_fail_at(err, NLP_ECORRUPT, field, offset, "row %llu of a word vector file %s",
					   (unsigned long long) r->row + 1, problem);
}

/* The line at the window's place, without its end; *len SIZE_MAX: longer than the window. *next: bytes to go on by. */
static NlpStatus
peek_line(NlpWordWindow *w, size_t *len, size_t *next, NlpError *err)
{
	size_t		seen = 0,
				have,
				n;
	const char *line,
			   *nl = NULL;

	for (size_t want = 1;; want = have + 1)
	{
		NLP_TRY(nlp_word_window_fill(w, want, &have, err));
		line = w->data + w->at;
		nl = memchr(line + seen, '\n', have - seen);
		if (nl || have < want || have == w->cap)
			break;
		seen = have;
	}
	if (!nl && have == w->cap && nlp_word_window_left(w) > have)
	{
		*len = SIZE_MAX;
		return NLP_OK;
	}
	n = nl ? (size_t) (nl - line) : have;
	*next = n + (nl != NULL);
	if (n > 0 && line[n - 1] == '\r')
		n--;
	if (n > 0 && line[n - 1] == ' ')
		n--;
	*len = n;
	return NLP_OK;
}

static size_t
count_spaces(const char *p, size_t len)
{
	size_t		n = 0;

	for (size_t i = 0; i < len; i++)
		n += p[i] == ' ';
	return n;
}

/* A whole number of at most 18 digits. */
static bool
whole_number(const char **p, const char *end, uint64_t *v)
{
	const char *s = *p;

	for (*v = 0; s < end && *s >= '0' && *s <= '9'; s++)
	{
		if (s - *p >= 18)
			return false;
		*v = 10 * *v + (uint64_t) (*s - '0');
	}
	if (s == *p)
		return false;
	*p = s;
	return true;
}

/* "n dim", checked against the bytes that follow: a row has at least row_extra bytes and number_bytes a number. */
static NlpStatus
read_header(NlpWordRows *r, size_t number_bytes, size_t row_extra, size_t last_lacks, NlpError *err)
{
	size_t		len,
				next;
	const char *p,
			   *end;
	uint64_t	n,
				dim,
				bytes;

	NLP_TRY(peek_line(&r->win, &len, &next, err));
	p = r->win.data + r->win.at;
	end = p + len;
	if (len > HEADER_MAX || !whole_number(&p, end, &n) || p == end || *p++ != ' ' || !whole_number(&p, end, &dim) || p != end)
		return nlp_fail_at(err, NLP_ECORRUPT, "header", nlp_word_window_offset(&r->win),
						   "the first line of a word vector file is not two whole numbers");
	if (n == 0 || dim == 0)
		return nlp_fail_at(err, NLP_ECORRUPT, "header", nlp_word_window_offset(&r->win),
						   "the header of a word vector file says that there are no words or no dimensions");
	if (dim > NLP_WORDFILE_MAX_DIM)
		return nlp_fail_at(err, NLP_ELIMIT, "header", nlp_word_window_offset(&r->win),
						   "word vectors of %llu dimensions; the most are %u", (unsigned long long) dim, NLP_WORDFILE_MAX_DIM);
	r->win.at += next;
	if (__builtin_mul_overflow(n, dim * number_bytes + row_extra, &bytes) ||
		bytes - last_lacks > nlp_word_window_left(&r->win))
		return nlp_fail_at(err, NLP_ECORRUPT, "header", 0,
						   "the header of a word vector file says %llu rows of %llu numbers, more than its bytes can hold",
						   (unsigned long long) n, (unsigned long long) dim);
	r->claimed = n;
	r->dim = (uint32_t) dim;
	return NLP_OK;
}

/* GloVe: the first line's fields but one are numbers. */
static NlpStatus
measure_first_line(NlpWordRows *r, NlpError *err)
{
	size_t		len,
				next,
				dim;

	NLP_TRY(peek_line(&r->win, &len, &next, err));
	if (len == SIZE_MAX)
		return nlp_fail_at(err, NLP_ELIMIT, "row", r->first, "the first line of a word vector file is longer than %zu bytes",
						   r->win.cap);
	dim = count_spaces(r->win.data + r->win.at, len);
	if (dim == 0)
		return nlp_fail_at(err, NLP_ECORRUPT, "row", r->first, "the first line of a word vector file holds no numbers");
	if (dim > NLP_WORDFILE_MAX_DIM)
		return nlp_fail_at(err, NLP_ELIMIT, "row", r->first, "word vectors of %zu dimensions; the most are %u",
						   dim, NLP_WORDFILE_MAX_DIM);
	r->dim = (uint32_t) dim;
	return NLP_OK;
}

NlpStatus
nlp_word_text_open(NlpWordRows *r, NlpError *err)
{
	size_t		have;

	NLP_TRY(nlp_word_window_fill(&r->win, 3, &have, err));
	if (r->format != NLP_WORDFILE_W2V_BIN && have >= 3 && memcmp(r->win.data, "\xef\xbb\xbf", 3) == 0)
		r->win.at = 3;			/* a byte order mark */
	if (r->format == NLP_WORDFILE_W2V_BIN)
		NLP_TRY(read_header(r, sizeof(float), 1, 0, err));
	else if (r->format == NLP_WORDFILE_W2V_TEXT)
		NLP_TRY(read_header(r, 2, 1, 1, err));
	r->first = nlp_word_window_offset(&r->win);
	if (r->format == NLP_WORDFILE_GLOVE)
		NLP_TRY(measure_first_line(r, err));
	return NLP_OK;
}

/* Where the numbers of a line begin (the space before them), its word being what comes before. */
static NlpStatus
split_line(const NlpWordRows *r, const char *line, size_t len, size_t *word_len, NlpError *err)
{
	size_t		spaces = count_spaces(line, len);
	size_t		n = len;
	const char *last;
	float		f;
	bool		huge;

	if (spaces < r->dim)
		return nlp_fail_at(err, NLP_ECORRUPT, "row", r->offset, "row %llu of a word vector file has %zu numbers instead of %u",
						   (unsigned long long) r->row + 1, spaces, r->dim);
	if (spaces == r->dim)
	{
		*word_len = (size_t) ((const char *) memchr(line, ' ', len) - line);
		return NLP_OK;
	}
	for (uint32_t i = 0; i < r->dim; i++)
		n = (size_t) ((const char *) memrchr(line, ' ', n) - line);
	if (line[0] == ' ' || line[n - 1] == ' ' || memmem(line, n, "  ", 2))
		return row_fail(r, err, "row", r->offset, "has an empty field");
	last = (const char *) memrchr(line, ' ', n) + 1;
	if (nlp_wordfile_number(last, line + n, &f, &huge) || huge)
		return nlp_fail_at(err, NLP_ECORRUPT, "row", r->offset, "row %llu of a word vector file has more than %u numbers",
						   (unsigned long long) r->row + 1, r->dim);
	*word_len = n;
	return NLP_OK;
}

/* dim numbers, each after one space, that fill the line. */
static NlpStatus
read_numbers(const NlpWordRows *r, const char *line, const char *p, const char *end, float *vec, NlpError *err)
{
	for (uint32_t i = 0; i < r->dim; i++)
	{
		bool		huge;
		const char *next = nlp_wordfile_number(p + 1, end, &vec[i], &huge);

		if (!next)
			return nlp_fail_at(err, NLP_ECORRUPT, "number", r->offset + (uint64_t) (p + 1 - line),
							   "number %u of row %llu of a word vector file %s", i + 1, (unsigned long long) r->row + 1,
							   huge ? "is out of the range of 4-byte floats" : p + 1 == end || p[1] == ' '
							   ? "is empty" : "is not a finite decimal number");
		p = next;
	}
	return NLP_OK;
}

/* Only empty lines may follow the last row. */
static NlpStatus
check_rest(NlpWordRows *r, NlpError *err)
{
	size_t		have;

	for (;;)
	{
		NLP_TRY(nlp_word_window_fill(&r->win, 1, &have, err));
		if (have == 0)
			return NLP_OK;
		for (; have > 0; have--, r->win.at++)
		{
			char		c = r->win.data[r->win.at];

			if (c != '\n' && c != '\r')
				return nlp_fail_at(err, NLP_ECORRUPT, "header", nlp_word_window_offset(&r->win),
								   "a word vector file holds more than the %llu rows its header says",
								   (unsigned long long) r->claimed);
		}
	}
}

static NlpStatus
text_end(NlpWordRows *r, bool *end, NlpError *err)
{
	*end = true;
	if (r->claimed == UINT64_MAX || r->row == r->wanted)
		return r->row == r->claimed ? check_rest(r, err) : NLP_OK;
	return nlp_fail_at(err, NLP_ECORRUPT, "header", nlp_word_window_offset(&r->win),
					   "a word vector file ends after %llu of the %llu rows its header says",
					   (unsigned long long) r->row, (unsigned long long) r->claimed);
}

/* A line longer than the window: its word must be too long, else its numbers are. */
static NlpStatus
long_line(NlpWordRows *r, NlpError *err)
{
	if (memchr(r->win.data + r->win.at, ' ', NLP_WORDS_MAX_BYTES + 1))
		return nlp_fail_at(err, NLP_ELIMIT, "row", r->offset, "row %llu of a word vector file is longer than %zu bytes",
						   (unsigned long long) r->row + 1, r->win.cap);
	r->word = NULL;
	r->word_len = SIZE_MAX;
	r->skip_to = '\n';
	r->row++;
	return NLP_OK;
}

NlpStatus
nlp_word_text_next(NlpWordRows *r, float *vec, bool *end, NlpError *err)
{
	size_t		len,
				next;
	const char *line;
	bool		found;

	*end = false;
	if (r->skip_to)
		NLP_TRY(nlp_word_window_skip_past(&r->win, r->skip_to, &found, err));
	r->skip_to = 0;
	for (;;)
	{
		r->offset = nlp_word_window_offset(&r->win);
		if (r->row == r->wanted || r->offset == r->win.src->size)
			return text_end(r, end, err);
		NLP_TRY(peek_line(&r->win, &len, &next, err));
		if (len > 0 && r->blank_at != UINT64_MAX)
			return row_fail(r, err, "row", r->blank_at, "is empty");
		if (len > 0)
			break;
		if (r->win.data[r->win.at] == ' ')
			return row_fail(r, err, "row", r->offset, "has an empty field");
		r->blank_at = r->offset;
		r->win.at += next;
	}
	if (len == SIZE_MAX)
		return long_line(r, err);
	line = r->win.data + r->win.at;
	NLP_TRY(split_line(r, line, len, &r->word_len, err));
	if (vec)
		NLP_TRY(read_numbers(r, line, line + r->word_len, line + len, vec, err));
	r->word = r->word_len > NLP_WORDS_MAX_BYTES ? NULL : line;
	r->win.at += next;
	r->row++;
	return NLP_OK;
}
