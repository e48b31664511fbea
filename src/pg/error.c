/* error.c --- the one place where an engine's error gets a SQLSTATE and is raised.
 *
 * Called with no engine lock held and no pool thread running. The engine's texts
 * follow the server's style already; the file field and byte offset are added here. */
#include "shared.h"

int
pg_nlp_sqlstate(NlpStatus status)
{
	switch (status)
	{
		case NLP_ENOMEM:
			return ERRCODE_OUT_OF_MEMORY;
		case NLP_ECANCELLED:
			return ERRCODE_QUERY_CANCELED;
		case NLP_ECORRUPT:
			return ERRCODE_INVALID_BINARY_REPRESENTATION;
		case NLP_EUNSUPPORTED:
			return ERRCODE_FEATURE_NOT_SUPPORTED;
		case NLP_EINVALID:
			return ERRCODE_INVALID_PARAMETER_VALUE;
		case NLP_ELIMIT:
			return ERRCODE_PROGRAM_LIMIT_EXCEEDED;
		case NLP_ECOMPLEX:
			return ERRCODE_STATEMENT_TOO_COMPLEX;
		case NLP_ETEXT:
			return ERRCODE_CHARACTER_NOT_IN_REPERTOIRE;
		case NLP_ENOTFOUND:
			return ERRCODE_UNDEFINED_OBJECT;
		case NLP_EIO:
			return ERRCODE_IO_ERROR;
		case NLP_OK:
		case NLP_EINTERNAL:
			break;
	}
	return ERRCODE_INTERNAL_ERROR;
}

/* The message with its place in the file: ` (field "x", byte 12)`. */
static char *
message_with_place(const NlpError *err)
{
	const char *message = err->message[0] ? err->message : "the engine gave no message";

	if (err->has_offset && err->field[0])
		return psprintf("%s (field \"%s\", byte " UINT64_FORMAT ")", message, err->field, (uint64) err->offset);
	if (err->has_offset)
		return psprintf("%s (byte " UINT64_FORMAT ")", message, (uint64) err->offset);
	if (err->field[0])
		return psprintf("%s (field \"%s\")", message, err->field);
	return pstrdup(message);
}

void
pg_nlp_raise(const NlpError *err)
{
	if (err->status == NLP_ECANCELLED)
		pg_nlp_rethrow_cancel();
	if (err->status == NLP_ENOMEM && pg_nlp_budget_refused() && !err->hint[0])
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY), errmsg("%s", message_with_place(err)), pg_nlp_budget_detail()));
	ereport(ERROR,
			(errcode(pg_nlp_sqlstate(err->status)),
			 errmsg("%s", message_with_place(err)),
			 err->detail[0] ? errdetail("%s", err->detail) : 0,
			 err->hint[0] ? errhint("%s", err->hint) : 0));
	pg_unreachable();
}
