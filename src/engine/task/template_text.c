/* template_text.c --- what Python's str does, for chat templates: case, strip,
 * split, replace. Positions and lengths are characters; data is UTF-8.
 *
 * Source: the Python Library Reference, "Text Sequence Type". Departs: of the
 *         characters whose upper case is more than one, only U+00DF, U+0149 and
 *         the Latin ligatures are known. */
#define _GNU_SOURCE
#include <string.h>
#include <utf8proc.h>

#include "core/utf8.h"
#include "task/template_internal.h"
#include "engine_only.h"

/* ---- case ---- */

static NlpStatus
put_cp(TplRun *r, uint32_t cp)
{
	char		buf[4];

	return nlp_tpl_put(r, buf, (size_t) nlp_utf8_encode(cp, buf));
}

static NlpStatus
put_upper(TplRun *r, uint32_t cp, bool title)
{
	static const char *const ligatures[] = {"FF", "FI", "FL", "FFI", "FFL", "ST", "ST"};
	static const char *const title_ligatures[] = {"Ff", "Fi", "Fl", "Ffi", "Ffl", "St", "St"};

	if (cp < 0x80)
	{
		char		c = (char) (cp >= 'a' && cp <= 'z' ? cp - 32 : cp);

		return nlp_tpl_put(r, &c, 1);
	}
	if (cp == 0xdf)
		return nlp_tpl_put(r, title ? "Ss" : "SS", 2);
	if (cp == 0x149)
		return nlp_tpl_put(r, "\312\274N", 3);
	if (cp >= 0xfb00 && cp <= 0xfb06)
	{
		const char *s = (title ? title_ligatures : ligatures)[cp - 0xfb00];

		return nlp_tpl_put(r, s, strlen(s));
	}
	return put_cp(r, (uint32_t) (title ? utf8proc_totitle((utf8proc_int32_t) cp) : utf8proc_toupper((utf8proc_int32_t) cp)));
}

static NlpStatus
put_lower(TplRun *r, uint32_t cp)
{
	if (cp < 0x80)
	{
		char		c = (char) (cp >= 'A' && cp <= 'Z' ? cp + 32 : cp);

		return nlp_tpl_put(r, &c, 1);
	}
	if (cp == 0x130)
		return nlp_tpl_put(r, "i\314\207", 3);
	return put_cp(r, (uint32_t) utf8proc_tolower((utf8proc_int32_t) cp));
}

static bool
is_upper(uint32_t cp)
{
	return cp < 0x80 ? cp >= 'A' && cp <= 'Z' : utf8proc_isupper((utf8proc_int32_t) cp);
}

static bool
is_lower(uint32_t cp)
{
	return cp < 0x80 ? cp >= 'a' && cp <= 'z' : utf8proc_islower((utf8proc_int32_t) cp);
}

static bool
is_cased(uint32_t cp)
{
	return is_upper(cp) || is_lower(cp) ||
		(cp >= 0x80 && utf8proc_category((utf8proc_int32_t) cp) == UTF8PROC_CATEGORY_LT);
}

/* Whether the sigma at [i, i + 2) ends a word: a cased letter before, none after. */
static bool
final_sigma(const TplValue *s, size_t i)
{
	uint32_t	cp;
	size_t		p = i;

	if (i == 0)
		return false;
	do
		p--;
	while (p > 0 && ((unsigned char) s->p.s[p] & 0xc0) == 0x80);
	if (nlp_utf8_decode(s->p.s + p, i - p, &cp) == 0 || !is_cased(cp))
		return false;
	return i + 2 >= s->u.len || nlp_utf8_decode(s->p.s + i + 2, s->u.len - i - 2, &cp) == 0 || !is_cased(cp);
}

typedef enum CaseMode
{
	MODE_UPPER,
	MODE_LOWER,
	MODE_CAPITALIZE,
	MODE_TITLE,					/* str.title: after anything without case */
	MODE_TITLE_FILTER			/* Jinja's: after white space and -({[< */
} CaseMode;

static bool
word_break(uint32_t cp)
{
	return nlp_tpl_is_space(cp) || cp == '-' || cp == '(' || cp == '{' || cp == '[' || cp == '<';
}

static NlpStatus
change_case(TplRun *r, const TplValue *s, CaseMode mode, TplValue *out)
{
	size_t		mark = r->scratch.len;
	bool		start = true;	/* of a word */

	for (size_t i = 0; i < s->u.len;)
	{
		uint32_t	cp = 0;
		int			n = nlp_utf8_decode(s->p.s + i, s->u.len - i, &cp);
		bool		upper = mode == MODE_UPPER || (mode != MODE_LOWER && start);

		if (n == 0)
			return nlp_tpl_fail(r, NLP_EINTERNAL, "text in a chat template is not UTF-8");
		if (upper)
			NLP_TRY(put_upper(r, cp, mode == MODE_CAPITALIZE || mode == MODE_TITLE));
		else if (cp == 0x3a3 && final_sigma(s, i))
			NLP_TRY(put_cp(r, 0x3c2));
		else
			NLP_TRY(put_lower(r, cp));
		if (mode == MODE_CAPITALIZE)
			start = false;
		else
			start = mode == MODE_TITLE ? !is_cased(cp) : word_break(cp);
		i += n;
	}
	NLP_TRY(nlp_tpl_take(r, mark, out));
	out->kind = s->kind;
	return NLP_OK;
}

NlpStatus
nlp_tpl_upper(TplRun *r, const TplValue *s, TplValue *out)
{
	return change_case(r, s, MODE_UPPER, out);
}

NlpStatus
nlp_tpl_lower(TplRun *r, const TplValue *s, TplValue *out)
{
	return change_case(r, s, MODE_LOWER, out);
}

NlpStatus
nlp_tpl_capitalize(TplRun *r, const TplValue *s, TplValue *out)
{
	return change_case(r, s, MODE_CAPITALIZE, out);
}

NlpStatus
nlp_tpl_title(TplRun *r, const TplValue *s, TplValue *out)
{
	return change_case(r, s, MODE_TITLE, out);
}

NlpStatus
nlp_tpl_title_filter(TplRun *r, const TplValue *s, TplValue *out)
{
	return change_case(r, s, MODE_TITLE_FILTER, out);
}

/* str.isupper, str.islower: some letter with case, and all of this one. */
NlpStatus
nlp_tpl_is_case(TplRun *r, const TplValue *s, bool upper, bool *yes)
{
	*yes = false;
	NLP_TRY(nlp_tpl_work(r, s->u.len));
	for (size_t i = 0; i < s->u.len;)
	{
		uint32_t	cp = 0;
		int			n = nlp_utf8_decode(s->p.s + i, s->u.len - i, &cp);

		if (n == 0)
			break;
		if (is_cased(cp))
		{
			*yes = upper ? is_upper(cp) : is_lower(cp);
			if (!*yes)
				break;
		}
		i += n;
	}
	return NLP_OK;
}

/* ---- strip ---- */

/* Whether the character of n bytes at s is to be stripped. */
static bool
in_set(const char *s, size_t n, const TplValue *chars)
{
	uint32_t	cp = 0;

	if (!chars)
		return nlp_utf8_decode(s, n, &cp) > 0 && nlp_tpl_is_space(cp);
	for (size_t i = 0; i < chars->u.len;)
	{
		size_t		len = tpl_char_len(chars->p.s + i);

		if (len == n && memcmp(chars->p.s + i, s, n) == 0)
			return true;
		i += len;
	}
	return false;
}

/* A view of s without the characters in chars (NULL: white space) at its ends. */
NlpStatus
nlp_tpl_strip(TplRun *r, const TplValue *s, const TplValue *chars, bool left, bool right, TplValue *out)
{
	size_t		start = 0;
	size_t		end = s->u.len;
	size_t		cost = chars ? chars->u.len / 2 + 1 : 1;

	while (left && start < end)
	{
		size_t		n = tpl_char_len(s->p.s + start);

		if (!in_set(s->p.s + start, n, chars))
			break;
		start += n;
		NLP_TRY(nlp_tpl_work(r, cost));
	}
	while (right && end > start)
	{
		size_t		p = end - 1;

		while (p > start && ((unsigned char) s->p.s[p] & 0xc0) == 0x80)
			p--;
		if (!in_set(s->p.s + p, end - p, chars))
			break;
		end = p;
		NLP_TRY(nlp_tpl_work(r, cost));
	}
	*out = tpl_text(s->p.s + start, end - start);
	out->kind = s->kind;
	return NLP_OK;
}

/* ---- find, split, replace ---- */

NlpStatus
nlp_tpl_find(TplRun *r, const TplValue *hay, const TplValue *needle, bool last, const char **at)
{
	*at = NULL;
	if (needle->u.len > hay->u.len)
		return NLP_OK;
	if (!last)
	{
		NLP_TRY(nlp_tpl_work(r, hay->u.len / 8 + 1));
		*at = needle->u.len ? memmem(hay->p.s, hay->u.len, needle->p.s, needle->u.len) : hay->p.s;
		return NLP_OK;
	}
	for (size_t i = hay->u.len - needle->u.len + 1; i-- > 0;)
	{
		NLP_TRY(nlp_tpl_work(r, needle->u.len / 16 + 1));
		if (needle->u.len == 0 || memcmp(hay->p.s + i, needle->p.s, needle->u.len) == 0)
		{
			*at = hay->p.s + i;
			break;
		}
	}
	return NLP_OK;
}

/* Texts collected on the way, as a list grown by doubling. */
typedef struct Pieces
{
	TplValue   *items;
	size_t		n;
	size_t		cap;
	uint8_t		kind;			/* marked safe, as the text they come from */
} Pieces;

static NlpStatus
add_piece(TplRun *r, Pieces *p, const char *s, size_t len)
{
	if (p->n == p->cap)
	{
		size_t		cap = p->cap ? p->cap * 2 : 8;
		TplValue   *items;

		NLP_TRY(nlp_tpl_alloc(r, cap, sizeof(TplValue), &items));
		if (p->n)
			memcpy(items, p->items, p->n * sizeof(TplValue));
		p->items = items;
		p->cap = cap;
	}
	p->items[p->n] = tpl_text(s, len);
	p->items[p->n++].kind = p->kind;
	return nlp_tpl_turns(r, 1);
}

static NlpStatus
pieces_list(TplRun *r, const Pieces *p, bool reversed, TplValue *out)
{
	NLP_TRY(nlp_tpl_list(r, TPL_LIST, 0, out));
	out->p.list->items = p->items;
	out->p.list->n = p->n;
	for (size_t i = 0; reversed && i < p->n / 2; i++)
	{
		TplValue	t = p->items[i];

		p->items[i] = p->items[p->n - 1 - i];
		p->items[p->n - 1 - i] = t;
	}
	return NLP_OK;
}

/* split(None, max): runs of white space separate, none at the ends. */
static NlpStatus
split_space(TplRun *r, TplValue rest, int64_t max, Pieces *p)
{
	for (;; max--)
	{
		size_t		n = 0;
		size_t		len = 0;

		NLP_TRY(nlp_tpl_strip(r, &rest, NULL, true, false, &rest));
		if (rest.u.len == 0)
			return NLP_OK;
		if (max == 0)
			return add_piece(r, p, rest.p.s, rest.u.len);
		while (n < rest.u.len && !in_set(rest.p.s + n, len = tpl_char_len(rest.p.s + n), NULL))
			n += len;
		NLP_TRY(nlp_tpl_work(r, n));
		NLP_TRY(add_piece(r, p, rest.p.s, n));
		rest.p.s += n;
		rest.u.len -= n;
	}
}

static NlpStatus
rsplit_space(TplRun *r, TplValue rest, int64_t max, Pieces *p)
{
	for (;; max--)
	{
		size_t		start;

		NLP_TRY(nlp_tpl_strip(r, &rest, NULL, false, true, &rest));
		if (rest.u.len == 0)
			return NLP_OK;
		if (max == 0)
			return add_piece(r, p, rest.p.s, rest.u.len);
		for (start = rest.u.len; start > 0;)
		{
			size_t		q = start - 1;

			while (q > 0 && ((unsigned char) rest.p.s[q] & 0xc0) == 0x80)
				q--;
			if (in_set(rest.p.s + q, start - q, NULL))
				break;
			start = q;
		}
		NLP_TRY(nlp_tpl_work(r, rest.u.len - start));
		NLP_TRY(add_piece(r, p, rest.p.s + start, rest.u.len - start));
		rest.u.len = start;
	}
}

/* max < 0: no limit. sep NULL or none: white space. */
NlpStatus
nlp_tpl_split(TplRun *r, const TplValue *s, const TplValue *sep, int64_t max, bool from_right, TplValue *out)
{
	Pieces		p = {.kind = s->kind};
	TplValue	rest = *s;
	const char *at;

	if (!sep || sep->type == TPL_NONE)
	{
		NLP_TRY(from_right ? rsplit_space(r, rest, max, &p) : split_space(r, rest, max, &p));
		return pieces_list(r, &p, from_right, out);
	}
	if (sep->type != TPL_STR || sep->u.len == 0)
		return nlp_tpl_fail(r, NLP_EINVALID, "chat template splits by an empty or non-text separator");
	for (; max != 0; max--)
	{
		size_t		n;

		NLP_TRY(nlp_tpl_find(r, &rest, sep, from_right, &at));
		if (!at)
			break;
		n = (size_t) (at - rest.p.s);
		if (from_right)
		{
			NLP_TRY(add_piece(r, &p, at + sep->u.len, rest.u.len - n - sep->u.len));
			rest.u.len = n;
		}
		else
		{
			NLP_TRY(add_piece(r, &p, rest.p.s, n));
			rest.p.s = at + sep->u.len;
			rest.u.len -= n + sep->u.len;
		}
	}
	NLP_TRY(add_piece(r, &p, rest.p.s, rest.u.len));
	return pieces_list(r, &p, from_right, out);
}

/* Length of the line end at s, 0 if there is none. */
static size_t
line_end(const char *s, size_t left)
{
	uint32_t	cp = 0;
	int			n = nlp_utf8_decode(s, left, &cp);

	if (cp == '\r')
		return left > 1 && s[1] == '\n' ? 2 : 1;
	if (cp == '\n' || cp == 0x0b || cp == 0x0c || (cp >= 0x1c && cp <= 0x1e) || cp == 0x85 || cp == 0x2028 ||
		cp == 0x2029)
		return (size_t) n;
	return 0;
}

NlpStatus
nlp_tpl_splitlines(TplRun *r, const TplValue *s, bool keep_ends, TplValue *out)
{
	Pieces		p = {.kind = s->kind};
	size_t		start = 0;

	for (size_t i = 0; i < s->u.len;)
	{
		size_t		end = line_end(s->p.s + i, s->u.len - i);

		if (end == 0)
		{
			i += tpl_char_len(s->p.s + i);
			continue;
		}
		NLP_TRY(add_piece(r, &p, s->p.s + start, i - start + (keep_ends ? end : 0)));
		i += end;
		start = i;
	}
	NLP_TRY(nlp_tpl_work(r, s->u.len));
	if (start < s->u.len)
		NLP_TRY(add_piece(r, &p, s->p.s + start, s->u.len - start));
	return pieces_list(r, &p, false, out);
}

/* An empty from stands before every character and at the end. */
static NlpStatus
replace_empty(TplRun *r, const TplValue *s, const TplValue *to, int64_t max)
{
	size_t		i = 0;

	for (; max != 0; max--)
	{
		size_t		n;

		NLP_TRY(nlp_tpl_put(r, to->p.s, to->u.len));
		if (i == s->u.len)
			return NLP_OK;
		n = tpl_char_len(s->p.s + i);
		NLP_TRY(nlp_tpl_put(r, s->p.s + i, n));
		i += n;
	}
	return nlp_tpl_put(r, s->p.s + i, s->u.len - i);
}

NlpStatus
nlp_tpl_replace(TplRun *r, const TplValue *s, const TplValue *from, const TplValue *to, int64_t max,
				TplValue *out)
{
	size_t		mark = r->scratch.len;
	const char *p = s->p.s;
	const char *end = s->p.s + s->u.len;
	const char *at;

	if (from->u.len == 0)
		NLP_TRY(replace_empty(r, s, to, max));
	else
	{
		NLP_TRY(nlp_tpl_work(r, s->u.len / 8 + 1));
		for (; max != 0 && (at = memmem(p, (size_t) (end - p), from->p.s, from->u.len)) != NULL; max--)
		{
			NLP_TRY(nlp_tpl_put(r, p, (size_t) (at - p)));
			NLP_TRY(nlp_tpl_put(r, to->p.s, to->u.len));
			p = at + from->u.len;
		}
		NLP_TRY(nlp_tpl_put(r, p, (size_t) (end - p)));
	}
	NLP_TRY(nlp_tpl_take(r, mark, out));
	out->kind = s->kind;
	return NLP_OK;
}

/* HTML escapes, as markupsafe writes them; a text marked safe is left alone. */
NlpStatus
nlp_tpl_escape(TplRun *r, const TplValue *s, TplValue *out)
{
	size_t		mark = r->scratch.len;
	size_t		start = 0;

	if (s->kind)
	{
		*out = *s;
		return NLP_OK;
	}
	for (size_t i = 0; i < s->u.len; i++)
	{
		char		c = s->p.s[i];
		const char *to = c == '&' ? "&amp;" : c == '<' ? "&lt;" : c == '>' ? "&gt;" : c == '"' ? "&#34;" :
			c == '\'' ? "&#39;" : NULL;

		if (!to)
			continue;
		NLP_TRY(nlp_tpl_put(r, s->p.s + start, i - start));
		NLP_TRY(nlp_tpl_put(r, to, strlen(to)));
		start = i + 1;
	}
	NLP_TRY(nlp_tpl_put(r, s->p.s + start, s->u.len - start));
	NLP_TRY(nlp_tpl_take(r, mark, out));
	out->kind = 1;
	return NLP_OK;
}
