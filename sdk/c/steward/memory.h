// Memory of one call: it only grows while the call runs, and is empty again when the next one begins.
#ifndef STEWARD_MEMORY_H
#define STEWARD_MEMORY_H

// What a service does not call must not be a warning.
#define ST_API static __attribute__((unused))

#ifdef __wasm__

// Compilers call these for plain assignments of structs, whether there is a C library or not.
void *memcpy(void *to, const void *from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int byte, size_t size);
int memcmp(const void *left, const void *right, size_t size);

#ifndef STEWARD_WITH_LIBC
__attribute__((no_builtin("memcpy"))) void *memcpy(void *to, const void *from, size_t size) {
    for (size_t i = 0; i < size; i++) ((char *)to)[i] = ((const char *)from)[i];
    return to;
}

__attribute__((no_builtin("memmove"))) void *memmove(void *to, const void *from, size_t size) {
    if (to < from) return memcpy(to, from, size);
    for (size_t i = size; i > 0; i--) ((char *)to)[i - 1] = ((const char *)from)[i - 1];
    return to;
}

__attribute__((no_builtin("memset"))) void *memset(void *to, int byte, size_t size) {
    for (size_t i = 0; i < size; i++) ((char *)to)[i] = (char)byte;
    return to;
}

__attribute__((no_builtin("memcmp"))) int memcmp(const void *left, const void *right, size_t size) {
    for (size_t i = 0; i < size; i++) {
        int difference = ((const unsigned char *)left)[i] - ((const unsigned char *)right)[i];
        if (difference) return difference;
    }
    return 0;
}
#endif

extern unsigned char __heap_base;
static size_t st_next, st_end;

ST_API void *st_alloc_aligned(size_t size, size_t align) {
    if (!st_next) st_next = (size_t)&__heap_base, st_end = __builtin_wasm_memory_size(0) << 16;
    size_t at = (st_next + align - 1) & ~(align - 1);
    if (at + size > st_end) {
        size_t pages = ((at + size - st_end) >> 16) + 1;
        // The host says why: it counts what a guest asks for.
        if (__builtin_wasm_memory_grow(0, pages) == (size_t)-1) __builtin_trap();
        st_end = __builtin_wasm_memory_size(0) << 16;
    }
    st_next = at + size;
    return (void *)at;
}

ST_API void st_free_all(void) { st_next = (size_t)&__heap_base; }

#else

#include <stdlib.h>
#include <string.h>

// A list of what was allocated. A test may keep what a call has returned: it is freed at the end of the process.
static struct st_block { struct st_block *before; } *st_blocks;

ST_API void *st_alloc_aligned(size_t size, size_t align) {
    (void)align;
    struct st_block *block = calloc(1, sizeof *block + 16 + size);
    if (!block) abort();
    block->before = st_blocks;
    st_blocks = block;
    return (char *)block + 16;
}

#endif

// Returns memory that is zero and lives until the call ends.
ST_API void *st_alloc(size_t size) {
    void *memory = st_alloc_aligned(size ? size : 1, 8);
    memset(memory, 0, size);
    return memory;
}

#endif
