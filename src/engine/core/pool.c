/* pool.c --- the thread team: one generation counter to start, one to finish,
 * a sense-reversing barrier between phases. Waits spin for a few microseconds
 * and then sleep on a futex, so an idle team costs nothing. */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/pool.h"
#include "engine_only.h"

#define SPIN_TURNS 2000

struct NlpPool
{
	int			size;
	int			started;		/* threads that exist, beside the caller */
	pthread_t  *threads;
	void		(*fn) (void *ctx, int rank, int size);
	void	   *ctx;
	bool		stopping;
	_Alignas(64) atomic_uint run_generation;	/* bumped to start a run */
	_Alignas(64) atomic_uint finished;	/* ranks done with this run */
	_Alignas(64) atomic_uint barrier_arrived;
	_Alignas(64) atomic_uint barrier_phase;
};

typedef struct Worker
{
	NlpPool    *pool;
	int			rank;
} Worker;

static inline void
relax(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

/* Return when *word differs from old. */
static void
wait_change(atomic_uint *word, unsigned old)
{
	for (int i = 0; i < SPIN_TURNS; i++)
	{
		if (atomic_load_explicit(word, memory_order_acquire) != old)
			return;
		relax();
	}
	while (atomic_load_explicit(word, memory_order_acquire) == old)
		syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, old, NULL, NULL, 0);
}

static void
wake_all(atomic_uint *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

static void *
worker_main(void *arg)
{
	Worker		w = *(Worker *) arg;
	NlpPool    *pool = w.pool;
	unsigned	seen = 0;

	free(arg);
	for (;;)
	{
		wait_change(&pool->run_generation, seen);
		seen++;
		if (pool->stopping)
			return NULL;
		pool->fn(pool->ctx, w.rank, pool->size);
		atomic_fetch_add_explicit(&pool->finished, 1, memory_order_release);
		wake_all(&pool->finished);
	}
}

NlpStatus
nlp_pool_new(int size, NlpPool **out, NlpError *err)
{
	NlpPool    *pool;
	sigset_t	all,
				old;

	if (size < 1 || size > 256)
		return nlp_fail(err, NLP_EINVALID, "thread count %d is out of range", size);
	pool = aligned_alloc(64, (sizeof(NlpPool) + 63) & ~(size_t) 63);
	if (!pool)
		return nlp_no_memory(err, sizeof(NlpPool), "thread pool");
	*pool = (NlpPool) {.size = size};
	pool->threads = calloc((size_t) size, sizeof(pthread_t));
	if (!pool->threads)
	{
		free(pool);
		return nlp_no_memory(err, (size_t) size * sizeof(pthread_t), "thread pool");
	}
	/* The threads inherit the mask: none may ever run a server signal handler. */
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	for (int rank = 1; rank < size; rank++)
	{
		Worker	   *w = malloc(sizeof(Worker));
		int			rc = ENOMEM;

		if (w)
		{
			*w = (Worker) {pool, rank};
			rc = pthread_create(&pool->threads[pool->started], NULL, worker_main, w);
		}
		if (rc != 0)
		{
			free(w);
			pthread_sigmask(SIG_SETMASK, &old, NULL);
			nlp_pool_free(pool);
			nlp_fail(err, NLP_ENOMEM, "could not start thread %d of %d", rank + 1, size);
			return nlp_hint(err, "Lower pg_nlp.threads, or raise the process limit of the server's user.");
		}
		pool->started++;
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	*out = pool;
	return NLP_OK;
}

void
nlp_pool_free(NlpPool *pool)
{
	if (!pool)
		return;
	pool->stopping = true;
	atomic_fetch_add_explicit(&pool->run_generation, 1, memory_order_release);
	wake_all(&pool->run_generation);
	for (int i = 0; i < pool->started; i++)
		pthread_join(pool->threads[i], NULL);
	free(pool->threads);
	free(pool);
}

int
nlp_pool_size(const NlpPool *pool)
{
	return pool ? pool->size : 1;
}

void
nlp_pool_run(NlpPool *pool, void (*fn) (void *ctx, int rank, int size), void *ctx)
{
	unsigned	others;

	if (!pool || pool->size == 1)
	{
		fn(ctx, 0, 1);
		return;
	}
	others = (unsigned) pool->size - 1;
	pool->fn = fn;
	pool->ctx = ctx;
	atomic_store_explicit(&pool->finished, 0, memory_order_relaxed);
	atomic_fetch_add_explicit(&pool->run_generation, 1, memory_order_release);
	wake_all(&pool->run_generation);
	fn(ctx, 0, pool->size);
	for (;;)
	{
		unsigned	done = atomic_load_explicit(&pool->finished, memory_order_acquire);

		if (done == others)
			return;
		wait_change(&pool->finished, done);
	}
}

void
nlp_pool_barrier(NlpPool *pool)
{
	unsigned	phase;

	if (!pool || pool->size == 1)
		return;
	phase = atomic_load_explicit(&pool->barrier_phase, memory_order_acquire);
	if (atomic_fetch_add_explicit(&pool->barrier_arrived, 1, memory_order_acq_rel) ==
		(unsigned) pool->size - 1)
	{
		atomic_store_explicit(&pool->barrier_arrived, 0, memory_order_relaxed);
		atomic_fetch_add_explicit(&pool->barrier_phase, 1, memory_order_release);
		wake_all(&pool->barrier_phase);
	}
	else
		wait_change(&pool->barrier_phase, phase);
}
