// What the compiler calls where a program would go wrong without a word: a division by nothing, a place outside of an array, a null
// pointer. It tells the log where, and ends the call. `steward build` asks the compiler for these calls by -fsanitize.
//
// Source: the interface of clang's UndefinedBehaviorSanitizer, compiler-rt/lib/ubsan/ubsan_handlers.h.
#ifndef STEWARD_SANITIZE_H
#define STEWARD_SANITIZE_H

// Each of the compiler's notes begins with a place in the sources.
typedef struct {
    const char *file;
    uint32_t line, column;
} st_place;

#define ST_HANDLES(name, words, ...)                                                        \
    __attribute__((used)) void __ubsan_handle_##name##_abort(const st_place *at, ##__VA_ARGS__); \
    void __ubsan_handle_##name##_abort(const st_place *at, ##__VA_ARGS__) { st_break(at->file, (int)at->line, words); }

ST_HANDLES(divrem_overflow, "integer divide by zero", uintptr_t left, uintptr_t right)
ST_HANDLES(out_of_bounds, "index out of bounds", uintptr_t index)
ST_HANDLES(type_mismatch_v1, "null pointer", uintptr_t pointer)
ST_HANDLES(pointer_overflow, "null pointer", uintptr_t base, uintptr_t result)
ST_HANDLES(builtin_unreachable, "a place that cannot be reached")
ST_HANDLES(missing_return, "a function that ends without a result")

#endif
