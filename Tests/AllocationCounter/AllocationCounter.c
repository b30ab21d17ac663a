#include "AllocationCounter.h"

#include <errno.h>
#include <execinfo.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

// glibc's own names for what it exports as malloc and the like.
extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

enum { frame_capacity = 32, text_capacity = 8192 };

static _Thread_local bool is_on;
static _Thread_local long count;
static _Thread_local void *frames[frame_capacity];
static _Thread_local int frame_count;
static _Thread_local char text[text_capacity];

static void note(void) {
    if (!is_on) return;
    if (count == 0) {
        // It may allocate itself.
        is_on = false;
        frame_count = backtrace(frames, frame_capacity);
        is_on = true;
    }
    count += 1;
}

void *malloc(size_t size) {
    note();
    return __libc_malloc(size);
}

void *calloc(size_t number, size_t size) {
    note();
    return __libc_calloc(number, size);
}

void *realloc(void *memory, size_t size) {
    note();
    return __libc_realloc(memory, size);
}

void *memalign(size_t alignment, size_t size) {
    note();
    return __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
    note();
    return __libc_memalign(alignment, size);
}

int posix_memalign(void **memory, size_t alignment, size_t size) {
    note();
    void *result = __libc_memalign(alignment, size);
    if (result == NULL) return ENOMEM;
    *memory = result;
    return 0;
}

void allocation_counter_begin(void) {
    // The first call loads what it needs.
    backtrace(frames, frame_capacity);
    frame_count = 0;
    count = 0;
    is_on = true;
}

long allocation_counter_end(void) {
    is_on = false;
    return count;
}

const char *allocation_counter_first(void) {
    char **names = backtrace_symbols(frames, frame_count);
    int length = 0;
    text[0] = 0;
    // The first two are this file's.
    for (int index = 2; names != NULL && index < frame_count && length < text_capacity; index += 1) {
        length += snprintf(text + length, (size_t)(text_capacity - length), "%s\n", names[index]);
    }
    free(names);
    return text;
}
