/* pretoken.c --- the scanners behind pretoken.h.
 *
 * Trust:  text is valid UTF-8, checked by nlp_encode; a character cut by the end of a
 *         piece is still read within bounds.
 * Order:  where a rule lists alternatives the first that matches wins, however short,
 *         as in the regular expressions these rules come from; where an expression
 *         would give characters back, the scanner computes the place directly. */
#include "token/pretoken.h"
#include "engine_only.h"

#define NO_CP UINT32_MAX
#define POLL_BYTES (1u << 20)
#define POLL_WORDS 8192u

/* Class of the character at p, its code point and width; 0, NO_CP, 0 at the end. */
static inline unsigned
peek(const PreScan *s, const uint8_t *p, const uint8_t *end, uint32_t *cp, uint32_t *width)
{
	uint32_t	c,
				w;

	if (p >= end)
	{
		*cp = NO_CP;
		*width = 0;
		return 0;
	}
	c = *p;
	if (c < 0x80)
	{
		*cp = c;
		*width = 1;
		return s->ascii[c] | C_ANY;
	}
	w = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
	if (c < 0xc0 || (size_t) (end - p) < w)
	{
		*cp = 0xfffd;
		*width = 1;
		return C_SYMBOL | C_ANY;
	}
	if (w == 2)
		c = (c & 0x1f) << 6 | (p[1] & 0x3f);
	else if (w == 3)
		c = (c & 0x0f) << 12 | (uint32_t) (p[1] & 0x3f) << 6 | (p[2] & 0x3f);
	else
		c = ((c & 0x07) << 18 | (uint32_t) (p[1] & 0x3f) << 12 | (uint32_t) (p[2] & 0x3f) << 6 |
			 (p[3] & 0x3f));
	*cp = c;
	*width = w;
	if (c > 0x10ffff)
		return C_SYMBOL | C_ANY;
	return s->classes[(size_t) s->class_index[c >> 7] * 128 + (c & 127)] | C_ANY;
}

static inline unsigned
class_at(const PreScan *s, const uint8_t *p, const uint8_t *end)
{
	uint32_t	cp,
				w;

	return peek(s, p, end, &cp, &w);
}

/* Past the characters from p on whose class meets want and not avoid. */
static const uint8_t *
run_of(PreScan *s, const uint8_t *p, const uint8_t *end, unsigned want, unsigned avoid)
{
	const uint8_t *poll_at = p + POLL_BYTES;

	for (;;)
	{
		uint32_t	cp,
					w;
		unsigned	cls = peek(s, p, end, &cp, &w);

		if (!(cls & want) || (cls & avoid))
			return p;
		p += w;
		if (p >= poll_at)
		{
			if ((s->status = nlp_poll(s->env, s->err)) != NLP_OK)
				return end;
			poll_at = p + POLL_BYTES;
		}
	}
}

/* Measure the white space run at p, once however often it is asked for. */
static void
measure_white(PreScan *s, const uint8_t *p, const uint8_t *end)
{
	const uint8_t *q = p;
	const uint8_t *poll_at = p + POLL_BYTES;

	if (p >= s->white_begin && p < s->white_end && s->white_end <= end)
		return;
	s->white_begin = p;
	s->white_line = NULL;
	for (;;)
	{
		uint32_t	cp,
					w;

		if (!(peek(s, q, end, &cp, &w) & C_SPACE))
			break;
		q += w;
		if (cp == '\n' || cp == '\r')
			s->white_line = q;
		if (q >= poll_at)
		{
			if ((s->status = nlp_poll(s->env, s->err)) != NLP_OK)
				break;
			poll_at = q + POLL_BYTES;
		}
	}
	s->white_end = q;
}

/* Jais 2: the longest power of two up to 512 that leaves white space, or nothing, behind it. */
static const uint8_t *
white_ladder(const PreScan *s, const uint8_t *p, const uint8_t *end)
{
	const uint8_t *at[513];
	uint32_t	n = 0;

	at[0] = p;
	while (n < 512 && at[n] < s->white_end)
	{
		const uint8_t *q = at[n] + 1;

		while (q < s->white_end && (*q & 0xc0) == 0x80)
			q++;
		at[++n] = q;
	}
	for (uint32_t k = 512; k > 1; k /= 2)
	{
		if (k <= n && (at[k] < s->white_end || s->white_end == end))
			return at[k];
	}
	return at[1];
}

/* \s*[\r\n]+ | \s+(?!\S) | \s+ ; NULL when p is not white space. */
static const uint8_t *
match_white(PreScan *s, const uint8_t *p, const uint8_t *end, unsigned options)
{
	const uint8_t *q;

	if (!(class_at(s, p, end) & C_SPACE))
		return NULL;
	measure_white(s, p, end);
	if ((options & O_LINE_ENDS) && s->white_line && s->white_line > p)
		return s->white_line;
	if (options & O_LADDER)
		return white_ladder(s, p, end);
	if (s->white_end == end)
		return end;
	/* Leave the last one to the word that follows, unless it is the only one. */
	q = s->white_end - 1;
	while (q > p && (*q & 0xc0) == 0x80)
		q--;
	return q > p ? q : s->white_end;
}

/* 's 't 'm 'd 're 've 'll: the length, or 0. */
static size_t
apostrophe(const uint8_t *p, const uint8_t *end, bool any_case)
{
	uint8_t		fold = any_case ? 0x20 : 0;
	uint8_t		a,
				b;

	if (end - p < 2 || *p != '\'')
		return 0;
	a = p[1] | fold;
	if (a == 's' || a == 't' || a == 'm' || a == 'd')
		return 2;
	if (end - p < 3)
		return 0;
	b = p[2] | fold;
	if (((a == 'r' || a == 'v') && b == 'e') || (a == 'l' && b == 'l'))
		return 3;
	return 0;
}

/* Line ends (and slashes) that stay with what is before them. */
static const uint8_t *
tail(const uint8_t *p, const uint8_t *end, unsigned options)
{
	if (!(options & O_TAIL_CRLF))
		return p;
	while (p < end && (*p == '\r' || *p == '\n' || ((options & O_TAIL_SLASH) && *p == '/')))
	{
		p++;
		if (options & O_TAIL_ONE)
			break;
	}
	return p;
}

/* A space, if there is one, and a run of want without avoid; NULL when no run. */
static const uint8_t *
match_spaced(PreScan *s, const uint8_t *p, const uint8_t *end, unsigned want, unsigned avoid, unsigned options)
{
	const uint8_t *q = p + (*p == ' ');
	const uint8_t *r = run_of(s, q, end, want, avoid);

	return r > q ? tail(r, end, options) : NULL;
}

/* Up to max numbers (0: all). */
static const uint8_t *
match_numbers(PreScan *s, const uint8_t *p, const uint8_t *end, unsigned max)
{
	if (max == 0)
		return run_of(s, p, end, C_NUMBER, 0);
	for (unsigned i = 0; i < max; i++)
	{
		uint32_t	cp,
					w;

		if (!(peek(s, p, end, &cp, &w) & C_NUMBER))
			break;
		p += w;
	}
	return p;
}

/* EXAONE: (L M* (' ' L M*)*)+ from a letter at p. */
static const uint8_t *
match_phrase(PreScan *s, const uint8_t *p, const uint8_t *end)
{
	for (;;)
	{
		p = run_of(s, p, end, C_LETTER | C_MARK, 0);
		if (s->status != NLP_OK || p >= end || *p != ' ' || !(class_at(s, p + 1, end) & C_LETTER))
			return p;
		p++;
	}
}

/* STAGE_WORDS: always matches. */
static const uint8_t *
match_words(PreScan *s, const uint8_t *p, const uint8_t *end, const Stage *st)
{
	unsigned	letters = C_LETTER | (st->options & O_MARKS ? C_MARK : 0);
	unsigned	other = C_SPACE | C_NUMBER | letters;
	const uint8_t *q;
	uint32_t	cp,
				w;
	unsigned	cls = peek(s, p, end, &cp, &w);

	if (cp == '\'' && (st->options & (O_APOS_LOWER | O_APOS_ANY)))
	{
		size_t		n = apostrophe(p, end, st->options & O_APOS_ANY);

		if (n)
			return p + n;
	}
	if (st->options & O_SPACE_WORD)
	{
		unsigned	next = cp == ' ' ? class_at(s, p + 1, end) : cls;

		if (next & C_LETTER)
			return run_of(s, p + (cp == ' '), end, C_LETTER, 0);
		if (next & C_NUMBER)
			return run_of(s, p + (cp == ' '), end, C_NUMBER, 0);
	}
	else
	{
		if (cp != '\r' && cp != '\n' && !(cls & C_NUMBER))
		{
			if (st->options & O_PHRASES)
			{
				if (cls & C_LETTER)
					return match_phrase(s, p, end);
				if (class_at(s, p + w, end) & C_LETTER)
					return match_phrase(s, p + w, end);
			}
			else if ((cls & letters) || (class_at(s, p + w, end) & letters))
				return run_of(s, p + w, end, letters, 0);
		}
		if (cls & C_NUMBER)
			return match_numbers(s, p, end, st->max);
	}
	q = match_spaced(s, p, end, C_ANY, other, st->options);
	if (!q)
		q = match_white(s, p, end, st->options);
	return q ? q : p + w;
}

/* The word of STAGE_CASED at p without its leading character: what the expression
 * U* W+ matches, or NULL; *upper then gets the end of U+ W*, if that matches. U is
 * every letter but a-z, W every letter but A-Z, so beyond ASCII they are the same,
 * and U* must give back one character of W when no W follows it. */
static const uint8_t *
cased_word(PreScan *s, const uint8_t *p, const uint8_t *end, unsigned options, const uint8_t **upper)
{
	unsigned	letters = C_LETTER | (options & O_MARKS ? C_MARK : 0);
	bool		cased = options & O_CASE;
	const uint8_t *start = p;
	const uint8_t *last_both = NULL;
	const uint8_t *poll_at = p + POLL_BYTES;
	bool		in_lower = false;

	for (;;)
	{
		uint32_t	cp,
					w;
		unsigned	cls = peek(s, p, end, &cp, &w);
		bool		is_lower = cased && cp >= 'a' && cp <= 'z';
		bool		is_upper = cased && cp >= 'A' && cp <= 'Z';

		if (!(cls & letters))
			break;
		if (in_lower && is_upper)
			break;
		if (is_lower)
			in_lower = true;
		p += w;
		if (!is_lower && !is_upper && !in_lower)
			last_both = p;
		if (p >= poll_at)
		{
			if ((s->status = nlp_poll(s->env, s->err)) != NLP_OK)
				return end;
			poll_at = p + POLL_BYTES;
		}
	}
	if (in_lower)
		return p;
	*upper = p > start ? p : NULL;
	return last_both;
}

/* STAGE_CASED: always matches. */
static const uint8_t *
match_cased(PreScan *s, const uint8_t *p, const uint8_t *end, const Stage *st)
{
	const uint8_t *upper_led = NULL;
	const uint8_t *upper = NULL;
	const uint8_t *q = NULL;
	uint32_t	cp,
				w;
	unsigned	cls = peek(s, p, end, &cp, &w);

	if (cp != '\r' && cp != '\n' && !(cls & (C_LETTER | C_NUMBER)))
		q = cased_word(s, p + w, end, st->options, &upper_led);
	if (!q && (cls & (C_LETTER | C_MARK)))
		q = cased_word(s, p, end, st->options, &upper);
	if (!q)
		q = upper_led ? upper_led : upper;
	if (q)
		return st->options & O_APOS_ANY ? q + apostrophe(q, end, true) : q;
	if (cls & C_NUMBER)
		return match_numbers(s, p, end, st->max);
	q = match_spaced(s, p, end, C_ANY, C_SPACE | C_LETTER | C_NUMBER, st->options);
	if (!q)
		q = match_white(s, p, end, st->options);
	return q ? q : p + w;
}

static bool
ascii_letter(uint8_t c)
{
	return (uint8_t) ((c | 0x20) - 'a') < 26;
}

/* STAGE_MARKED; NULL for a number or a control character alone. */
static const uint8_t *
match_marked(PreScan *s, const uint8_t *p, const uint8_t *end, const Stage *st)
{
	const unsigned letters = C_LETTER | C_MARK;
	const uint8_t *q;
	uint32_t	cp,
				w;
	unsigned	cls = peek(s, p, end, &cp, &w);

	if (cp < 0x80 && (cls & (C_PUNCT | C_SYMBOL)) && p + 1 < end && ascii_letter(p[1]))
	{
		q = p + 2;
		while (q < end && ascii_letter(*q))
			q++;
		return q;
	}
	if ((cls & letters) ||
		(cp != '\r' && cp != '\n' && !(cls & (C_PUNCT | C_SYMBOL)) && (class_at(s, p + w, end) & letters)))
		return run_of(s, p + w, end, letters, 0);
	q = match_spaced(s, p, end, C_PUNCT | C_SYMBOL, 0, st->options);
	if (q)
		return q;
	if ((st->options & O_CRLF_ALONE) && (cp == '\r' || cp == '\n'))
		return p + 1;
	return match_white(s, p, end, st->options);
}

static bool
is_han(uint32_t cp)
{
	return (cp >= 0x4e00 && cp <= 0x9fff) || (cp >= 0x3400 && cp <= 0x4dbf) ||
		(cp >= 0x20000 && cp <= 0x2a6df) || (cp >= 0x2a700 && cp <= 0x2ebef) ||
		(cp >= 0xf900 && cp <= 0xfaff) || (cp >= 0x2f800 && cp <= 0x2fa1f);
}

/* Characters from p on that are Han (or letters but not Han). */
static const uint8_t *
run_han(PreScan *s, const uint8_t *p, const uint8_t *end, bool han)
{
	const uint8_t *poll_at = p + POLL_BYTES;

	for (;;)
	{
		uint32_t	cp,
					w;
		unsigned	cls = peek(s, p, end, &cp, &w);

		if (han ? !is_han(cp) : !(cls & C_LETTER) || is_han(cp))
			return p;
		p += w;
		if (p >= poll_at)
		{
			if ((s->status = nlp_poll(s->env, s->err)) != NLP_OK)
				return end;
			poll_at = p + POLL_BYTES;
		}
	}
}

/* STAGE_KIMI: always matches. */
static const uint8_t *
match_kimi(PreScan *s, const uint8_t *p, const uint8_t *end, const Stage *st)
{
	const uint8_t *q = p;
	uint32_t	cp,
				w;
	unsigned	cls = peek(s, p, end, &cp, &w);

	if (is_han(cp))
		return run_han(s, p, end, true);
	if (cp != '\r' && cp != '\n' && !(cls & (C_LETTER | C_NUMBER)))
		q = p + w;
	{
		const uint8_t *r = run_han(s, q, end, false);

		if (r > q)
			return r + apostrophe(r, end, true);
	}
	if (cls & C_NUMBER)
		return match_numbers(s, p, end, st->max);
	q = match_spaced(s, p, end, C_ANY, C_SPACE | C_LETTER | C_NUMBER, st->options);
	if (!q)
		q = match_white(s, p, end, st->options);
	return q ? q : p + w;
}

static const uint8_t *
match_run(PreScan *s, const uint8_t *p, const uint8_t *end, const Stage *st, SetId set)
{
	const uint8_t *poll_at = p + POLL_BYTES;
	uint32_t	cp,
				w;
	unsigned	cls = peek(s, p, end, &cp, &w);
	unsigned	n = 0;

	if (((st->options & O_PREFIX_SPACE) && cp == ' ') || ((st->options & O_PREFIX_WHITE) && (cls & C_SPACE)))
	{
		p += w;
		cls = peek(s, p, end, &cp, &w);
	}
	while (cls && nlp_set_has(set, cp, cls))
	{
		p += w;
		if (++n == st->max)
			break;
		cls = peek(s, p, end, &cp, &w);
		if (p >= poll_at)
		{
			if ((s->status = nlp_poll(s->env, s->err)) != NLP_OK)
				return end;
			poll_at = p + POLL_BYTES;
		}
	}
	return n >= st->min && n > 0 ? p : NULL;
}

/* Youtu: the first of four sets that has the character. */
static const uint8_t *
match_runs(PreScan *s, const uint8_t *p, const uint8_t *end)
{
	static const SetId sets[] = {SET_HANGUL_YOUTU, SET_PUNCT_YOUTU, SET_BOPOMOFO_YOUTU, SET_CJK_KANA};
	static const Stage plus = {STAGE_RUN, 0, 1, 0, 0};

	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++)
	{
		const uint8_t *q = match_run(s, p, end, &plus, sets[i]);

		if (q)
			return q;
	}
	return NULL;
}

static const uint8_t *
match_sentinel(const uint8_t *p, const uint8_t *end)
{
	static const char open[] = "<sentinel:";
	const size_t n = sizeof(open) - 1;
	const uint8_t *q;

	if ((size_t) (end - p) < n || memcmp(p, open, n) != 0)
		return NULL;
	for (q = p + n; q < end && *q >= '0' && *q <= '9'; q++)
		;
	return q > p + n && q < end && *q == '>' ? q + 1 : NULL;
}

static const uint8_t *
match_image(const uint8_t *p, const uint8_t *end)
{
	static const char open[] = "IMGIMG";
	const size_t n = sizeof(open) - 1;
	const uint8_t *q;

	if ((size_t) (end - p) < n || memcmp(p, open, n) != 0)
		return NULL;
	for (q = p + n; q < end && q < p + n + 4 && *q >= 'A' && *q <= 'I'; q++)
		;
	return q > p + n && q < end && *q == 'Z' ? q + 1 : NULL;
}

static const uint8_t *
match_indent(const uint8_t *p, const uint8_t *end)
{
	if (*p == '\t' || *p == '\n')
		return p + 1;
	if (end - p >= 4 && memcmp(p, "    ", 4) == 0)
		return p + 4;
	if (end - p >= 2 && memcmp(p, "  ", 2) == 0)
		return p + 2;
	return NULL;
}

/* End of the stage's match at p, NULL when it has none there. */
static inline const uint8_t *
match(PreScan *s, const Stage *st, const uint8_t *p, const uint8_t *end)
{
	switch ((StageKind) st->kind)
	{
		case STAGE_RUN:
			return match_run(s, p, end, st, (SetId) st->set);
		case STAGE_RUNS:
			return match_runs(s, p, end);
		case STAGE_WORDS:
			return match_words(s, p, end, st);
		case STAGE_CASED:
			return match_cased(s, p, end, st);
		case STAGE_MARKED:
			return match_marked(s, p, end, st);
		case STAGE_KIMI:
			return match_kimi(s, p, end, st);
		case STAGE_SENTINEL:
			return match_sentinel(p, end);
		case STAGE_IMAGE:
			return match_image(p, end);
		case STAGE_INDENT:
			return match_indent(p, end);
		default:
			return NULL;
	}
}

static NlpStatus split(PreScan *s, const Stage *st, const uint8_t *begin, const uint8_t *end);

/* \s+$: what is left of the piece, then its white tail. */
static NlpStatus
split_space_tail(PreScan *s, const Stage *st, const uint8_t *begin, const uint8_t *end)
{
	const uint8_t *cut = end;
	size_t		n = 0;

	while (cut > begin)
	{
		const uint8_t *q = cut - 1;

		if (++n % POLL_BYTES == 0)
			NLP_TRY(nlp_poll(s->env, s->err));

		while (q > begin && (*q & 0xc0) == 0x80)
			q--;
		if (!(class_at(s, q, end) & C_SPACE))
			break;
		cut = q;
	}
	NLP_TRY(split(s, st + 1, begin, cut));
	return split(s, st + 1, cut, end);
}

/* Each number run in threes from its right end. What stands before a run goes with
 * its first group, as llama.cpp does it. */
static NlpStatus
split_digits_tail(PreScan *s, const Stage *st, const uint8_t *begin, const uint8_t *end)
{
	const uint8_t *p = begin;
	const uint8_t *from = begin;

	while (p < end)
	{
		const uint8_t *run_end;
		uint32_t	cp,
					w;
		size_t		n = 0;

		if (!(peek(s, p, end, &cp, &w) & C_NUMBER))
		{
			p += w;
			continue;
		}
		run_end = run_of(s, p, end, C_NUMBER, 0);
		NLP_TRY(s->status);
		for (const uint8_t *q = p; q < run_end; q++)
			n += (*q & 0xc0) != 0x80;
		for (unsigned take = n % 3 ? n % 3 : 3; n > 0; n -= take, take = 3)
		{
			p = match_numbers(s, p, run_end, take);
			NLP_TRY(split(s, st + 1, from, p));
			from = p;
		}
	}
	return split(s, st + 1, from, end);
}

/* A cut before each ASCII digit with a multiple of three of them, itself included, up to the run's end. */
static NlpStatus
split_digits_before(PreScan *s, const Stage *st, const uint8_t *begin, const uint8_t *end)
{
	const uint8_t *from = begin;

	for (const uint8_t *p = begin; p < end;)
	{
		const uint8_t *q = p;

		while (q < end && *q >= '0' && *q <= '9')
			q++;
		for (const uint8_t *cut = p + (q - p) % 3; cut < q; cut += 3)
		{
			NLP_TRY(split(s, st + 1, from, cut));
			from = cut;
		}
		p = q < end ? q + 1 : q;
	}
	return split(s, st + 1, from, end);
}

static NlpStatus
split_lines(PreScan *s, const Stage *st, const uint8_t *begin, const uint8_t *end)
{
	while (begin < end)
	{
		const uint8_t *q = begin;

		if (*begin == '\n')
			while (q < end && *q == '\n')
				q++;
		else
		{
			q = memchr(begin, '\n', (size_t) (end - begin));
			if (!q)
				q = end;
		}
		NLP_TRY(split(s, st + 1, begin, q));
		begin = q;
	}
	return NLP_OK;
}

static NlpStatus
split_matches(PreScan *s, const Stage *st, const uint8_t *begin, const uint8_t *end)
{
	const uint8_t *poll_at = begin + POLL_BYTES;
	const uint8_t *p = begin;

	while (p < end)
	{
		const uint8_t *q = match(s, st, p, end);

		NLP_TRY(s->status);
		if (q)
		{
			NLP_TRY(split(s, st + 1, begin, p));
			NLP_TRY(split(s, st + 1, p, q));
			p = begin = q;
		}
		else
		{
			p++;
			while (p < end && (*p & 0xc0) == 0x80)
				p++;
		}
		if (p >= poll_at)
		{
			NLP_TRY(nlp_poll(s->env, s->err));
			poll_at = p + POLL_BYTES;
		}
	}
	return split(s, st + 1, begin, end);
}

/* Depth is the number of stages, seven at most. */
static NlpStatus
split(PreScan *s, const Stage *st, const uint8_t *begin, const uint8_t *end)
{
	if (begin == end)
		return NLP_OK;
	switch ((StageKind) st->kind)
	{
		case STAGE_END:
			if (++s->words == POLL_WORDS)
			{
				s->words = 0;
				NLP_TRY(nlp_poll(s->env, s->err));
			}
			return s->word(s->ctx, begin, end);
		case STAGE_SPACE_TAIL:
			return split_space_tail(s, st, begin, end);
		case STAGE_DIGITS_TAIL:
			return split_digits_tail(s, st, begin, end);
		case STAGE_DIGITS_BEFORE:
			return split_digits_before(s, st, begin, end);
		case STAGE_LINES:
			return split_lines(s, st, begin, end);
		default:
			return split_matches(s, st, begin, end);
	}
}

void
nlp_pre_init(PreScan *s, const NlpTokenizer *t)
{
	memset(s, 0, sizeof(*s));
	s->class_index = block_at(t, t->class_index_at);
	s->classes = block_at(t, t->classes_at);
	s->ascii = s->classes + (size_t) s->class_index[0] * 128;
	s->stages = nlp_pre_stages(t->rules);
}

NlpStatus
nlp_pre_split(PreScan *s, const uint8_t *begin, const uint8_t *end)
{
	s->status = NLP_OK;
	s->white_begin = s->white_end = NULL;
	return split(s, s->stages, begin, end);
}
