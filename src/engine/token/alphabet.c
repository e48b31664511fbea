/* alphabet.c --- GPT-2's byte alphabet: every byte as one printable character.
 *
 * Printable Latin-1 stands for itself; the 68 other bytes, in order, are U+0100
 * and up. So any bytes are text without spaces, as a merge list needs.
 * Source: encoder.py of GPT-2 (Radford et al. 2019), bytes_to_unicode. */
#include "core/utf8.h"
#include "token/block.h"
#include "engine_only.h"

static bool
stands_for_itself(uint32_t c)
{
	return (c >= 0x21 && c <= 0x7e) || (c >= 0xa1 && c <= 0xac) || (c >= 0xae && c <= 0xff);
}

uint32_t
nlp_alphabet_char(uint8_t byte)
{
	if (stands_for_itself(byte))
		return byte;
	if (byte <= 0x20)
		return 0x100u + byte;
	if (byte <= 0xa0)
		return 0x100u + 33 + (byte - 0x7fu);
	return 0x100u + 67;			/* 0xad */
}

static int
alphabet_byte(uint32_t cp)
{
	if (stands_for_itself(cp))
		return (int) cp;
	if (cp < 0x100 || cp > 0x143)
		return -1;
	cp -= 0x100;
	if (cp <= 0x20)
		return (int) cp;
	return cp == 67 ? 0xad : (int) (cp - 33 + 0x7f);
}

ptrdiff_t
nlp_alphabet_decode(const char *text, size_t len, char *out, size_t cap)
{
	size_t		n = 0;

	for (size_t i = 0; i < len;)
	{
		uint32_t	cp;
		int			w = nlp_utf8_decode(text + i, len - i, &cp);
		int			byte = w ? alphabet_byte(cp) : -1;

		if (byte < 0 || n >= cap)
			return -1;
		out[n++] = (char) byte;
		i += (size_t) w;
	}
	return (ptrdiff_t) n;
}
