/* status.c --- filling NlpError. */
#include <stdio.h>
#include <string.h>

#include "core/status.h"
#include "engine_only.h"

static void
start(NlpError *err, NlpStatus status, const char *fmt, va_list ap)
{
	memset(err, 0, offsetof(NlpError, message));
	err->status = status;
	err->detail[0] = '\0';
	err->hint[0] = '\0';
	vsnprintf(err->message, sizeof(err->message), fmt, ap);
}

NlpStatus
nlp_fail(NlpError *err, NlpStatus status, const char *fmt,...)
{
	if (err)
	{
		va_list		ap;

		va_start(ap, fmt);
		start(err, status, fmt, ap);
		va_end(ap);
	}
	return status;
}

NlpStatus
nlp_fail_at(NlpError *err, NlpStatus status, const char *field, uint64_t offset,
			const char *fmt,...)
{
	if (err)
	{
		va_list		ap;

		va_start(ap, fmt);
		start(err, status, fmt, ap);
		va_end(ap);
		snprintf(err->field, sizeof(err->field), "%s", field ? field : "");
		err->has_offset = true;
		err->offset = offset;
	}
	return status;
}

NlpStatus
nlp_detail(NlpError *err, const char *fmt,...)
{
	va_list		ap;

	if (!err)
		return NLP_EINTERNAL;
	va_start(ap, fmt);
	vsnprintf(err->detail, sizeof(err->detail), fmt, ap);
	va_end(ap);
	return err->status;
}

NlpStatus
nlp_hint(NlpError *err, const char *fmt,...)
{
	va_list		ap;

	if (!err)
		return NLP_EINTERNAL;
	va_start(ap, fmt);
	vsnprintf(err->hint, sizeof(err->hint), fmt, ap);
	va_end(ap);
	return err->status;
}

NlpStatus
nlp_no_memory(NlpError *err, size_t bytes, const char *what)
{
	return nlp_fail(err, NLP_ENOMEM, "out of memory for %s (%zu bytes)", what, bytes);
}
