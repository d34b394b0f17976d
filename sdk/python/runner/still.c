// Loaded before the maker of the runner: what is random, or a time, is the same whenever it works, so that the runner is too.

#define _GNU_SOURCE
#include <sys/syscall.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

ssize_t getrandom(void *buffer, size_t length, unsigned flags) {
    (void)flags;
    for (size_t at = 0; at < length; at++) ((unsigned char *)buffer)[at] = (unsigned char)(at * 167 + 13);
    return (ssize_t)length;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    if (clock != CLOCK_REALTIME) return (int)syscall(SYS_clock_gettime, clock, time);
    *time = (struct timespec){0};
    return 0;
}
