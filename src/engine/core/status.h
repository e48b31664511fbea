/* status.h --- how the engine reports failure: a value, never a jump or a print.
 *
 * Every fallible function returns NlpStatus and fills the caller's NlpError.
 * Texts follow PostgreSQL's error style: message lower-case without full stop,
 * detail and hint as sentences. They name file fields and byte offsets and never
 * echo bytes of the file or of the user's text. */
#ifndef NLP_CORE_STATUS_H
#define NLP_CORE_STATUS_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum NlpStatus
{
	NLP_OK = 0,
	NLP_ENOMEM,					/* memory or budget exhausted          -> 53200 */
	NLP_ECANCELLED,				/* the cancel hook said stop           -> rethrown */
	NLP_ECORRUPT,				/* bytes of a file are not valid       -> 22P03 */
	NLP_EUNSUPPORTED,			/* valid, but not something we can run -> 0A000 */
	NLP_EINVALID,				/* an argument is wrong                -> 22023 */
	NLP_ELIMIT,					/* input over a stated limit           -> 54000 */
	NLP_ECOMPLEX,				/* pattern or template too complex     -> 54001 */
	NLP_ETEXT,					/* text is not valid in its encoding   -> 22021 */
	NLP_ENOTFOUND,				/* a named thing does not exist        -> 42704 */
	NLP_EIO,					/* reading or writing failed           -> 58030 */
	NLP_EINTERNAL				/* our mistake                         -> XX000 */
} NlpStatus;

typedef struct NlpError
{
	NlpStatus	status;
	bool		has_offset;
	uint64_t	offset;			/* byte offset in the file, when has_offset */
	char		field[80];		/* file field or option at fault, or "" */
	char		message[320];
	char		detail[320];	/* "" when there is none */
	char		hint[480];		/* "" when there is none */
} NlpError;

#if defined(__GNUC__)
#define NLP_PRINTF(f, a) __attribute__((format(printf, f, a)))
#else
#define NLP_PRINTF(f, a)
#endif

/* Fill err (which may be NULL) and return status, so a failing function can
 * `return nlp_fail(err, NLP_ECORRUPT, ...)`. Clears detail, hint and offset. */
extern NlpStatus nlp_fail(NlpError *err, NlpStatus status, const char *fmt,...) NLP_PRINTF(3, 4);

/* The same for a file: also records the field's name and the byte offset. The
 * message gets ` (field "...", byte N)` appended by the server side, not here. */
extern NlpStatus nlp_fail_at(NlpError *err, NlpStatus status, const char *field,
							 uint64_t offset, const char *fmt,...) NLP_PRINTF(5, 6);

/* Add a detail or a hint to an error already filled; returns err->status. */
extern NlpStatus nlp_detail(NlpError *err, const char *fmt,...) NLP_PRINTF(2, 3);
extern NlpStatus nlp_hint(NlpError *err, const char *fmt,...) NLP_PRINTF(2, 3);

/* Out of memory, naming what the memory was for. */
extern NlpStatus nlp_no_memory(NlpError *err, size_t bytes, const char *what);

#define NLP_TRY(expr) \
	do { NlpStatus nlp_try_st_ = (expr); if (nlp_try_st_ != NLP_OK) return nlp_try_st_; } while (0)

#endif
