/* fn_backfill.h --- between the job of nlp.backfill and its reading of the arguments. */
#ifndef PG_NLP_FN_BACKFILL_H
#define PG_NLP_FN_BACKFILL_H

#include "options.h"

typedef struct BackfillKey
{
	char	   *name;			/* as the catalog has it */
	char	   *quoted;
	char	   *type;			/* as SQL */
	char	   *equal;			/* its operators as SQL */
	char	   *greater;
	Oid			type_oid;
	int16		len;
	bool		byval;
} BackfillKey;

/* What is to be done, as SQL pieces. All strings live in the caller's context. */
typedef struct BackfillPlan
{
	Oid			relid;
	char	   *relation;		/* ONLY schema.table, quoted; without ONLY for a partitioned table */
	char	   *relation_name;	/* for messages */
	char	   *column;			/* quoted */
	char	   *column_literal; /* its name as a literal, for nlp.backfill_error */
	char	   *expression;		/* checked: one expression and nothing else */
	char	   *where;			/* checked condition, "true" when none was given */
	int			n_keys;
	BackfillKey *keys;			/* the primary key's columns in its order */

	/* A single verb call, batched through the verb's form for arrays. */
	bool		batched;
	char	   *input;			/* the verb's first argument */
	char	   *input_equal;	/* the operator for its type, as SQL */
	char	   *call;			/* schema.verb($1, constants ...) */
	Oid			input_type,
				input_array,
				result_type;
} BackfillPlan;

/* Look at target, column and expression and fill plan. SPI is connected. */
extern void pg_nlp_backfill_plan(Oid relid, const char *column, const char *expression, const char *where,
								 BackfillPlan *plan);

/* Raise unless text is one SQL expression; what names it in the message. */
extern void pg_nlp_check_expression(const char *text, const char *what);

#endif
