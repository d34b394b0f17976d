/* What QuickJS and the C library would ask a system for. There is none: the time of day is that of the request, local time is
 * that of Greenwich, and what they would write goes nowhere. Each function here stands in for one of wasi-libc, so that the module
 * imports nothing of WASI. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

int64_t runner_now_micros(void);

int gettimeofday(struct timeval *restrict at, void *restrict zone) {
    (void)zone;
    int64_t micros = runner_now_micros();
    at->tv_sec = micros / 1000000;
    at->tv_usec = micros % 1000000;
    return 0;
}

int clock_gettime(clockid_t clock, struct timespec *at) {
    (void)clock;
    int64_t micros = runner_now_micros();
    at->tv_sec = micros / 1000000;
    at->tv_nsec = micros % 1000000 * 1000;
    return 0;
}

struct tm *localtime_r(const time_t *restrict moment, struct tm *restrict parts) {
    (void)moment;
    memset(parts, 0, sizeof *parts);
    return parts;
}

_Noreturn void abort(void) { __builtin_trap(); }

_Noreturn void __assert_fail(const char *words, const char *file, int line, const char *function) {
    (void)words; (void)file; (void)line; (void)function;
    __builtin_trap();
}

int fprintf(FILE *restrict to, const char *restrict format, ...) { (void)to; (void)format; return 0; }
int fputc(int unit, FILE *to) { (void)to; return unit; }
int putchar(int unit) { return unit; }
int fputs(const char *restrict words, FILE *restrict to) { (void)words; (void)to; return 0; }
int fflush(FILE *to) { (void)to; return 0; }

/* The ends of the C library's streams; their types are those of its own stdio_impl.h. */
size_t __stdio_write(FILE *to, const unsigned char *bytes, size_t count) { (void)to; (void)bytes; return count; }
size_t __stdout_write(FILE *to, const unsigned char *bytes, size_t count) { (void)to; (void)bytes; return count; }
off_t __stdio_seek(FILE *in, off_t offset, int whence) { (void)in; (void)offset; (void)whence; return -1; }
int __stdio_close(FILE *it) { (void)it; return 0; }
int __isatty(int stream) { (void)stream; return 0; }
