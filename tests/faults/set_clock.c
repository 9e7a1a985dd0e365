/* The wall clock of one process, set while it runs: preloaded, it adds the seconds that a mapped file holds.

Every way to ask for the wall clock is shifted. A wait until a time on it ends when the shifted clock says so, as it
does when a machine's clock is set: at once, or later by as much. The monotonic clock, sleeps and everything that is
measured in durations stay as they are. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t none = 0;
static const volatile int64_t *offset = &none;
/* Deadlines below this are on the monotonic clock, whichever clock the condition variable was made for. */
static const time_t first_wall_second = 1000000000;

__attribute__((constructor)) static void map_offset(void)
{
    const char *path = getenv("SET_CLOCK_FILE");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0)
        return;
    void *mapped = mmap(NULL, sizeof *offset, PROT_READ, MAP_SHARED, file, 0);
    if (mapped != MAP_FAILED)
        offset = mapped;
    close(file);
}

static void *next(const char *name)
{
    /* The unversioned symbol may be the one that programs of another century were linked with. */
    void *found = dlvsym(RTLD_NEXT, name, "GLIBC_2.3.2");
    return found ? found : dlsym(RTLD_NEXT, name);
}

#define NEXT(name) \
    static __typeof__(&name) real; \
    if (!real) \
        real = (__typeof__(&name))next(#name)

static const long slice = 50000000;
static const long second = 1000000000;

static int is_past(const struct timespec *deadline)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec > deadline->tv_sec || (now.tv_sec == deadline->tv_sec && now.tv_nsec >= deadline->tv_nsec);
}

/* A moment later, on the kernel's own clock: by then the clock may have been set. */
static struct timespec soon(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    now.tv_sec -= *offset;
    now.tv_nsec += slice;
    if (now.tv_nsec >= second) {
        now.tv_sec += 1;
        now.tv_nsec -= second;
    }
    return now;
}

int clock_gettime(clockid_t clock, struct timespec *told)
{
    NEXT(clock_gettime);
    int answer = real(clock, told);
    if (answer == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        told->tv_sec += *offset;
    return answer;
}

int gettimeofday(struct timeval *restrict told, void *restrict zone)
{
    NEXT(gettimeofday);
    int answer = real(told, zone);
    if (answer == 0)
        told->tv_sec += *offset;
    return answer;
}

time_t time(time_t *told)
{
    NEXT(time);
    time_t now = real(NULL) + *offset;
    if (told)
        *told = now;
    return now;
}

int timespec_get(struct timespec *told, int base)
{
    NEXT(timespec_get);
    int answer = real(told, base);
    if (answer == TIME_UTC)
        told->tv_sec += *offset;
    return answer;
}

#define WAIT(timed_out, call) \
    for (;;) { \
        struct timespec until = soon(); \
        int answer = call; \
        if (!(timed_out) || is_past(deadline)) \
            return answer; \
    }

int pthread_cond_timedwait(pthread_cond_t *restrict condition, pthread_mutex_t *restrict mutex,
                           const struct timespec *restrict deadline)
{
    NEXT(pthread_cond_timedwait);
    if (deadline->tv_sec < first_wall_second)
        return real(condition, mutex, deadline);
    WAIT(answer == ETIMEDOUT, real(condition, mutex, &until))
}

int cnd_timedwait(cnd_t *restrict condition, mtx_t *restrict mutex, const struct timespec *restrict deadline)
{
    NEXT(cnd_timedwait);
    WAIT(answer == thrd_timedout, real(condition, mutex, &until))
}

int sem_timedwait(sem_t *restrict semaphore, const struct timespec *restrict deadline)
{
    NEXT(sem_timedwait);
    WAIT(answer == -1 && errno == ETIMEDOUT, real(semaphore, &until))
}
