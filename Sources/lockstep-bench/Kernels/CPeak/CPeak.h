// The multiply-adds that one core of this CPU can do: chains in registers, nothing in memory. Each function is compiled for
// its instruction set and may run only where the CPU has it.
#pragma once

#pragma clang diagnostic ignored "-Wpsabi"

typedef float peak_float16 __attribute__((ext_vector_type(16)));
typedef float peak_float8 __attribute__((ext_vector_type(8)));
typedef float peak_float4 __attribute__((ext_vector_type(4)));

// Twelve chains hide the latency of a multiply-add on every core that we know (4 to 5 cycles, two units). Where they
// start, the factor and the term come from memory and differ from lane to lane: what is the same in all lanes, or known at
// compile time, would be computed once. `from` holds PEAK_FLOATS floats. Returns what depends on all chains.
enum { PEAK_CHAINS = 12, PEAK_FLOATS = 16 * 14 };

#define PEAK_LOAD(index) (*(const unaligned *)(from + (index) * 16))
#define PEAK_LOOP(vector)                                                                                              \
    typedef vector unaligned __attribute__((aligned(4)));                                                              \
    vector f = PEAK_LOAD(0), t = PEAK_LOAD(1);                                                                         \
    vector a = PEAK_LOAD(2), b = PEAK_LOAD(3), c = PEAK_LOAD(4), d = PEAK_LOAD(5), e = PEAK_LOAD(6), g = PEAK_LOAD(7); \
    vector h = PEAK_LOAD(8), i = PEAK_LOAD(9), j = PEAK_LOAD(10), k = PEAK_LOAD(11), l = PEAK_LOAD(12);                \
    vector m = PEAK_LOAD(13);                                                                                          \
    for (long round = 0; round < rounds; round++) {                                                                    \
        a = __builtin_elementwise_fma(a, f, t); b = __builtin_elementwise_fma(b, f, t);                                \
        c = __builtin_elementwise_fma(c, f, t); d = __builtin_elementwise_fma(d, f, t);                                \
        e = __builtin_elementwise_fma(e, f, t); g = __builtin_elementwise_fma(g, f, t);                                \
        h = __builtin_elementwise_fma(h, f, t); i = __builtin_elementwise_fma(i, f, t);                                \
        j = __builtin_elementwise_fma(j, f, t); k = __builtin_elementwise_fma(k, f, t);                                \
        l = __builtin_elementwise_fma(l, f, t); m = __builtin_elementwise_fma(m, f, t);                                \
    }                                                                                                                  \
    vector sum = a + b + c + d + e + g + h + i + j + k + l + m;                                                        \
    float all = 0;                                                                                                     \
    for (unsigned long lane = 0; lane < sizeof sum / sizeof(float); lane++) all += sum[lane];                          \
    return all

#if defined(__x86_64__)
__attribute__((target("avx512f"), noinline, unused)) static float peak_avx512(long rounds, const float *from) {
    PEAK_LOOP(peak_float16);
}
__attribute__((target("avx2,fma"), noinline, unused)) static float peak_avx2(long rounds, const float *from) {
    PEAK_LOOP(peak_float8);
}
#endif
// Four floats: NEON. On x86-64 without AVX2 there is no fused multiply-add to measure.
__attribute__((noinline, unused)) static float peak_baseline(long rounds, const float *from) { PEAK_LOOP(peak_float4); }
