// What Swift's SIMD types leave to weak generics or do lane by lane, as header-only C on the same
// vectors. Everything here is exact (IEEE 754) or only moves bits: no target CPU changes a result.
#pragma once
#include <stdint.h>
#include <string.h>

#pragma clang assume_nonnull begin

// Every function is inlined, so no vector crosses a call and the ABI of wide vectors does not matter.
#pragma clang diagnostic ignored "-Wpsabi"

// `float16` is imported as SIMD16<Float>, `float64` as SIMD64<Float>.
typedef float float16 __attribute__((ext_vector_type(16)));
typedef float float64 __attribute__((ext_vector_type(64)));
typedef uint32_t uint32x16 __attribute__((ext_vector_type(16)));
typedef uint64_t uint64x8 __attribute__((ext_vector_type(8)));

// The same vectors wherever they lie: memory need not be aligned beyond a byte.
typedef float unaligned_float16 __attribute__((ext_vector_type(16), aligned(1), may_alias));
typedef float unaligned_float64 __attribute__((ext_vector_type(64), aligned(1), may_alias));

#define VECTOR_INLINE static inline __attribute__((always_inline, unused))

VECTOR_INLINE float16 vector_load(const void *from) { return *(const unaligned_float16 *)from; }
VECTOR_INLINE void vector_store(void *to, float16 x) { *(unaligned_float16 *)to = x; }
VECTOR_INLINE float64 vector_load64(const void *from) { return *(const unaligned_float64 *)from; }
VECTOR_INLINE void vector_store64(void *to, float64 x) { *(unaligned_float64 *)to = x; }

// a × b + c, rounded once. (Swift's `addingProduct` is 16 scalars that the optimiser may or may not join.)
VECTOR_INLINE float16 vector_fma(float16 a, float16 b, float16 c) { return __builtin_elementwise_fma(a, b, c); }
VECTOR_INLINE float64 vector_fma64(float64 a, float64 b, float64 c) { return __builtin_elementwise_fma(a, b, c); }

VECTOR_INLINE float64 vector_splat64(float x) { return x; }
VECTOR_INLINE float64 vector_add64(float64 a, float64 b) { return a + b; }

// A block of columns, of which a tile's 6 rows fill 24 of 32 wide registers, or 12 of 16.
#if defined(__AVX512F__)
typedef float64 float_block;
typedef unaligned_float64 unaligned_float_block;
#else
typedef float16 float_block;
typedef unaligned_float16 unaligned_float_block;
#endif
VECTOR_INLINE float_block block_load(const void *from) { return *(const unaligned_float_block *)from; }
VECTOR_INLINE void block_store(void *to, float_block x) { *(unaligned_float_block *)to = x; }
VECTOR_INLINE float_block block_splat(float x) { return x; }
VECTOR_INLINE float_block block_add(float_block a, float_block b) { return a + b; }
VECTOR_INLINE float_block block_fma(float_block a, float_block b, float_block c) { return __builtin_elementwise_fma(a, b, c); }
VECTOR_INLINE void block_store_first(void *to, float_block x, long count) {
    if (count >= (long)(sizeof x / sizeof(float))) block_store(to, x);
    else memcpy(to, &x, (unsigned long)count * sizeof(float));
}

VECTOR_INLINE float16 vector_square_root(float16 x) { return __builtin_elementwise_sqrt(x); }

// Loads the first `count` lanes, 0 to 16, and zeroes the others; reads nothing beyond them.
VECTOR_INLINE float16 vector_load_first(const void *from, long count) {
    if (count >= 16) return vector_load(from);
#if defined(__AVX512F__)
    return __builtin_ia32_loadups512_mask((const float *)from, (float16)0, (uint16_t)((1 << count) - 1));
#else
    float16 x = 0;
    memcpy(&x, from, (unsigned long)count * sizeof(float));
    return x;
#endif
}

// Loads `count` bytes, 0 to 63, and zeroes the others.
VECTOR_INLINE float16 vector_load_bytes(const void *from, long count) {
    float16 x = 0;
    memcpy(&x, from, (unsigned long)count);
    return x;
}

// Bit b is set where byte b of 16 is not zero.
VECTOR_INLINE uint32_t vector_nonzero_bytes(const void *from) {
    typedef uint8_t uint8x16 __attribute__((ext_vector_type(16)));
    typedef _Bool boolx16 __attribute__((ext_vector_type(16)));
    uint8x16 bytes;
    memcpy(&bytes, from, sizeof bytes);
    boolx16 set = __builtin_convertvector(bytes != 0, boolx16);
    uint16_t mask;
    memcpy(&mask, &set, sizeof mask);
    return mask;
}

// Transposes 16 rows of 16 bytes, from `column` on, to rows `stride` bytes apart. Four perfect shuffles of the
// 16 vectors move every byte to its place.
VECTOR_INLINE void vector_transpose_bytes(const uint8_t *_Nonnull const *_Nonnull rows, long column, uint8_t *to,
                                          long stride) {
    typedef uint8_t uint8x16 __attribute__((ext_vector_type(16)));
    uint8x16 x[16], y[16];
    for (int i = 0; i < 16; i++) memcpy(&x[i], rows[i] + column, sizeof x[i]);
#pragma clang loop unroll(full)
    for (int round = 0; round < 4; round++) {
#pragma clang loop unroll(full)
        for (int i = 0; i < 8; i++) {
            y[2 * i] = __builtin_shufflevector(x[i], x[i + 8], 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
            y[2 * i + 1] =
                __builtin_shufflevector(x[i], x[i + 8], 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
        }
#pragma clang loop unroll(full)
        for (int i = 0; i < 16; i++) x[i] = y[i];
    }
    for (int i = 0; i < 16; i++) memcpy(to + i * stride, &x[i], sizeof x[i]);
}

// Bit b is set where byte b of 64 is not zero.
VECTOR_INLINE uint64_t vector_nonzero_bytes64(const void *from) {
    typedef uint8_t uint8x64 __attribute__((ext_vector_type(64)));
    typedef _Bool boolx64 __attribute__((ext_vector_type(64)));
    uint8x64 bytes;
    memcpy(&bytes, from, sizeof bytes);
    boolx64 set = __builtin_convertvector(bytes != 0, boolx64);
    uint64_t mask;
    memcpy(&mask, &set, sizeof mask);
    return mask;
}

// Stores the first `count` lanes, 0 to 16, and touches nothing beyond them.
VECTOR_INLINE void vector_store_first(void *to, float16 x, long count) {
    if (count >= 16) {
        vector_store(to, x);
        return;
    }
#if defined(__AVX512F__)
    __builtin_ia32_storeups512_mask((float *)to, x, (uint16_t)((1 << count) - 1));
#else
    char *target = (char *)to;
    if (count & 8) {
        memcpy(target, &x, 32);
        x = __builtin_shufflevector(x, x, 8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15);
        target += 32;
    }
    if (count & 4) {
        memcpy(target, &x, 16);
        x = __builtin_shufflevector(x, x, 4, 5, 6, 7, 4, 5, 6, 7, 4, 5, 6, 7, 4, 5, 6, 7);
        target += 16;
    }
    if (count & 2) {
        memcpy(target, &x, 8);
        x = __builtin_shufflevector(x, x, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3);
        target += 8;
    }
    if (count & 1) memcpy(target, &x, 4);
#endif
}

// The sum of the lanes in one fixed order: halves onto halves, 16 → 8 → 4 → 2 → 1.
VECTOR_INLINE float vector_lane_sum(float16 x) {
    float16 y = x + __builtin_shufflevector(x, x, 8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15);
    y = y + __builtin_shufflevector(y, y, 4, 5, 6, 7, 4, 5, 6, 7, 4, 5, 6, 7, 4, 5, 6, 7);
    y = y + __builtin_shufflevector(y, y, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3);
    return y[0] + y[1];
}

// The sums of the lanes of four vectors, each in that order.
VECTOR_INLINE void vector_store_lane_sums(void *to, float16 a, float16 b, float16 c, float16 d) {
    float16 ab = __builtin_shufflevector(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23) +
                 __builtin_shufflevector(a, b, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
    float16 cd = __builtin_shufflevector(c, d, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23) +
                 __builtin_shufflevector(c, d, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
    float16 all = __builtin_shufflevector(ab, cd, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27) +
                  __builtin_shufflevector(ab, cd, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
    all = all + __builtin_shufflevector(all, all, 2, 3, 2, 3, 6, 7, 6, 7, 10, 11, 10, 11, 14, 15, 14, 15);
    for (int row = 0; row < 4; row++) {
        float sum = all[4 * row] + all[4 * row + 1];
        memcpy((char *)to + 4 * row, &sum, sizeof sum);
    }
}

// The same bits as integers, and back.
VECTOR_INLINE uint32x16 vector_bits(float16 x) {
    uint32x16 bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}
VECTOR_INLINE float16 vector_from_bits(uint32x16 bits) {
    float16 x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

// The bits of the lanes 0, 2, 4, …, and of the lanes 1, 3, 5, …, each as a 64-bit number.
VECTOR_INLINE uint64x8 vector_even_bits(float16 x) {
    uint64x8 pairs;
    memcpy(&pairs, &x, sizeof pairs);
    return pairs & 0xffffffff;
}
VECTOR_INLINE uint64x8 vector_odd_bits(float16 x) {
    uint64x8 pairs;
    memcpy(&pairs, &x, sizeof pairs);
    return pairs >> 32;
}

// Examples that are read soon: where each begins, its entries, and the bytes of an entry. Of each, the lines `part`,
// `part` + `parts` and so on are to be asked for.
typedef struct {
    const void *_Nullable const *_Nullable examples;
    const long *_Nullable entry_counts;
    long bytes_per_entry, count, part, parts;
} vector_ahead;

// Asks for lines of one of these examples. A processor that waits for some dozens of lines ignores what else it is
// asked for, so a kernel asks for a few, again and again.
VECTOR_INLINE void vector_prefetch_ahead(vector_ahead ahead, long example) {
    if (example >= ahead.count) return;
    const char *start = (const char *)ahead.examples[example];
    // The last byte may lie a line further, where an example does not begin with a line.
    long end = ahead.entry_counts[example] * ahead.bytes_per_entry + 63;
    for (long offset = 64 * ahead.part; offset < end; offset += 64 * ahead.parts) __builtin_prefetch(start + offset);
}

// Asks for the lines of `count` bytes that are read soon.
VECTOR_INLINE void vector_prefetch(const void *from, long count) {
    for (long offset = 0; offset < count; offset += 64) __builtin_prefetch((const char *)from + offset);
}

// Whether this CPU, and the system, can run what is compiled for each variant.
VECTOR_INLINE int cpu_has_avx2(void) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") &&
           __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("lzcnt") && __builtin_cpu_supports("movbe") &&
           __builtin_cpu_supports("f16c");
#else
    return 0;
#endif
}
VECTOR_INLINE int cpu_has_avx512(void) {
#if defined(__x86_64__)
    return cpu_has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl");
#else
    return 0;
#endif
}

#pragma clang assume_nonnull end
