/* utf8.c --- UTF-8 decoding with the table-free checks of RFC 3629. */
#include "core/utf8.h"
#include "engine_only.h"

/* How many bytes a character starting with c has; 0 for a byte that starts none. */
static int
lead_length(unsigned char c)
{
	if (c < 0x80)
		return 1;
	if (c < 0xc2)
		return 0;
	if (c < 0xe0)
		return 2;
	if (c < 0xf0)
		return 3;
	return c < 0xf5 ? 4 : 0;
}

/* Whether the second byte may follow the first: excludes overlong forms,
 * surrogates and values over U+10FFFF. */
static bool
second_ok(unsigned char c0, unsigned char c1)
{
	switch (c0)
	{
		case 0xe0:
			return c1 >= 0xa0 && c1 <= 0xbf;
		case 0xed:
			return c1 >= 0x80 && c1 <= 0x9f;
		case 0xf0:
			return c1 >= 0x90 && c1 <= 0xbf;
		case 0xf4:
			return c1 >= 0x80 && c1 <= 0x8f;
		default:
			return (c1 & 0xc0) == 0x80;
	}
}

int
nlp_utf8_decode(const char *s, size_t left, uint32_t *cp)
{
	const unsigned char *u = (const unsigned char *) s;
	int			n;
	uint32_t	v;

	if (left == 0)
		return 0;
	n = lead_length(u[0]);
	if (n == 0 || (size_t) n > left)
		return 0;
	if (n == 1)
	{
		*cp = u[0];
		return 1;
	}
	if (!second_ok(u[0], u[1]))
		return 0;
	v = u[0] & (0xff >> (n + 1));
	for (int i = 1; i < n; i++)
	{
		if ((u[i] & 0xc0) != 0x80)
			return 0;
		v = (v << 6) | (u[i] & 0x3f);
	}
	*cp = v;
	return n;
}

int
nlp_utf8_encode(uint32_t cp, char out[4])
{
	if (cp < 0x80)
	{
		out[0] = (char) cp;
		return 1;
	}
	if (cp < 0x800)
	{
		out[0] = (char) (0xc0 | (cp >> 6));
		out[1] = (char) (0x80 | (cp & 0x3f));
		return 2;
	}
	if (cp < 0x10000)
	{
		if (cp >= 0xd800 && cp < 0xe000)
			return 0;
		out[0] = (char) (0xe0 | (cp >> 12));
		out[1] = (char) (0x80 | ((cp >> 6) & 0x3f));
		out[2] = (char) (0x80 | (cp & 0x3f));
		return 3;
	}
	if (cp > 0x10ffff)
		return 0;
	out[0] = (char) (0xf0 | (cp >> 18));
	out[1] = (char) (0x80 | ((cp >> 12) & 0x3f));
	out[2] = (char) (0x80 | ((cp >> 6) & 0x3f));
	out[3] = (char) (0x80 | (cp & 0x3f));
	return 4;
}

bool
nlp_utf8_valid(const char *s, size_t len, size_t *bad_offset)
{
	size_t		i = 0;

	while (i < len)
	{
		uint32_t	cp;
		int			n = nlp_utf8_decode(s + i, len - i, &cp);

		if (n == 0)
		{
			if (bad_offset)
				*bad_offset = i;
			return false;
		}
		i += (size_t) n;
	}
	return true;
}

size_t
nlp_utf8_count(const char *s, size_t len)
{
	size_t		n = 0;

	for (size_t i = 0; i < len; i++)
		n += ((unsigned char) s[i] & 0xc0) != 0x80;
	return n;
}

size_t
nlp_utf8_whole(const char *s, size_t len)
{
	/* Only the last three bytes can begin a character that is still incomplete. */
	for (size_t back = 1; back <= 3 && back <= len; back++)
	{
		unsigned char c = (unsigned char) s[len - back];
		int			n;

		if ((c & 0xc0) == 0x80)
			continue;
		n = lead_length(c);
		if (n > (int) back)
		{
			if (back >= 2 && !second_ok(c, (unsigned char) s[len - back + 1]))
				return len;
			return len - back;
		}
		return len;
	}
	return len;
}
