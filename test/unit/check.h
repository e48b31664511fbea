/* check.h --- the whole of our unit test frame: CHECK counts, check_done reports.
 * A program prints one line for each failure and ends with "N passed, N failed";
 * a part the machine cannot run prints "not run: ..." through check_not_run. */
#ifndef CHECK_H
#define CHECK_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int	check_passed,
			check_failed;

#define CHECK(cond) \
	do { \
		if (cond) \
			check_passed++; \
		else \
		{ \
			check_failed++; \
			printf("%s:%d: failed: %s\n", __FILE__, __LINE__, #cond); \
		} \
	} while (0)

/* With printf-style words that say which case it was. */
#define CHECKF(cond, ...) \
	do { \
		if (cond) \
			check_passed++; \
		else \
		{ \
			check_failed++; \
			printf("%s:%d: failed: %s: ", __FILE__, __LINE__, #cond); \
			printf(__VA_ARGS__); \
			printf("\n"); \
		} \
	} while (0)

#define CHECK_OK(status, err) \
	CHECKF((status) == NLP_OK, "%s (%s)", (err).message, (err).detail)

static inline void
check_not_run(const char *what)
{
	printf("not run: %s\n", what);
}

static inline int
check_done(void)
{
	printf("%d passed, %d failed\n", check_passed, check_failed);
	return check_failed != 0;
}

#endif
