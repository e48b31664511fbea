/* utf8.h --- walking UTF-8 (RFC 3629). Texts reaching the engine are UTF-8; the
 * server side converts. */
#ifndef NLP_CORE_UTF8_H
#define NLP_CORE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Length in bytes of the valid character at s (left bytes remain), its code point
 * in *cp; 0 when the bytes are not a whole valid character. */
extern int	nlp_utf8_decode(const char *s, size_t left, uint32_t *cp);
extern int	nlp_utf8_encode(uint32_t cp, char out[4]);	/* bytes written, 0 if cp is not a scalar value */
extern bool nlp_utf8_valid(const char *s, size_t len, size_t *bad_offset);
extern size_t nlp_utf8_count(const char *s, size_t len);	/* characters, of valid text */
/* The longest prefix of s[0..len) that ends on a whole character, treating an
 * incomplete but so far valid tail as cut off. For streaming. */
extern size_t nlp_utf8_whole(const char *s, size_t len);

#endif
