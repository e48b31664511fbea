/* fn_text.c --- texts between the database's encoding and the engine's UTF-8.
 *
 * Conversions never raise: a text that cannot be converted is an error of its row,
 * and the row may be asked to become NULL instead. */
#include "postgres.h"

#include "catalog/namespace.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "core/utf8.h"
#include "fn_common.h"

#define REPLACEMENT "\xEF\xBF\xBD"	/* U+FFFD */

/* src (in from) into a palloc'ed buffer (in to); *done is how much of src could be
 * converted. NULL when the result may pass what can be allocated. */
static char *
convert(const char *src, size_t len, int from, int to, size_t *done, size_t *out_len)
{
	Oid			proc = FindDefaultConversionProc(from, to);
	size_t		cap = len * MAX_CONVERSION_GROWTH + 1;
	char	   *dst;

	*done = 0;
	if (!OidIsValid(proc))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("default conversion function for encoding \"%s\" to \"%s\" does not exist",
						pg_encoding_to_char(from), pg_encoding_to_char(to))));
	if (cap > INT_MAX)
		return NULL;
	dst = palloc_extended(cap, MCXT_ALLOC_HUGE);
	*done = pg_do_encoding_conversion_buf(proc, from, to, (unsigned char *) unconstify(char *, src), (int) len,
										  (unsigned char *) dst, (int) cap, true);
	*out_len = strlen(dst);
	return dst;
}

NlpStatus
pg_nlp_to_utf8(const char *s, size_t len, const char **utf8, size_t *utf8_len, NlpError *err)
{
	int			encoding = GetDatabaseEncoding();
	size_t		done;

	*utf8 = s;
	*utf8_len = len;
	if (encoding == PG_UTF8 || len == 0)
		return NLP_OK;			/* the engine checks again */
	if (encoding == PG_SQL_ASCII)
	{
		if (!nlp_utf8_valid(s, len, &done))
		{
			nlp_fail(err, NLP_ETEXT, "text is not valid UTF-8 at byte %zu", done);
			return nlp_hint(err, "The database's encoding is SQL_ASCII, which does not say how texts are encoded; models read UTF-8.");
		}
		return NLP_OK;
	}
	*utf8 = convert(s, len, encoding, PG_UTF8, &done, utf8_len);
	if (*utf8 == NULL)
		return nlp_fail(err, NLP_ELIMIT, "text of %zu bytes is too long to convert to UTF-8", len);
	if (done != len)
		return nlp_fail(err, NLP_ETEXT, "text cannot be converted from %s to UTF-8 at byte %zu",
						pg_encoding_to_char(encoding), done);
	return NLP_OK;
}

NlpStatus
pg_nlp_from_utf8(const char *utf8, size_t len, text **out, NlpError *err)
{
	int			encoding = GetDatabaseEncoding();
	size_t		src_len = len;
	size_t		done;

	if (memchr(utf8, '\0', len) != NULL)
		return nlp_fail(err, NLP_ETEXT, "the model's text has a NUL character, which type text cannot hold");
	if (encoding != PG_UTF8 && encoding != PG_SQL_ASCII && len > 0)
	{
		const char *src = utf8;

		utf8 = convert(src, src_len, PG_UTF8, encoding, &done, &len);
		if (utf8 != NULL && done != src_len)
		{
			uint32_t	cp = 0;

			nlp_utf8_decode(src + done, src_len - done, &cp);
			nlp_fail(err, NLP_ETEXT, "the model's text has character U+%04X, which the database's encoding %s cannot hold",
					 cp, pg_encoding_to_char(encoding));
			return nlp_hint(err, "Use a database with encoding UTF8.");
		}
	}
	if (utf8 == NULL || len > MaxAllocSize - VARHDRSZ)
		return nlp_fail(err, NLP_ELIMIT, "the model's text of %zu bytes passes the 1 GB that type text can hold", src_len);
	*out = cstring_to_text_with_len(utf8, (int) len);
	return NLP_OK;
}

NlpStatus
pg_nlp_from_bytes(const char *bytes, size_t len, text **out, NlpError *err)
{
	char	   *fixed;
	size_t		n = 0;
	size_t		bad;
	uint32_t	cp;
	NlpStatus	status;

	if (nlp_utf8_valid(bytes, len, &bad))
		return pg_nlp_from_utf8(bytes, len, out, err);
	fixed = palloc_extended(len * 3 + 1, MCXT_ALLOC_HUGE);
	for (size_t i = 0; i < len;)
	{
		int			k = nlp_utf8_decode(bytes + i, len - i, &cp);

		memcpy(fixed + n, k > 0 ? bytes + i : REPLACEMENT, k > 0 ? k : 3);
		n += k > 0 ? k : 3;
		i += k > 0 ? k : 1;
	}
	status = pg_nlp_from_utf8(fixed, n, out, err);
	pfree(fixed);
	return status;
}
