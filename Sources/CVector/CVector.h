// What Swift's SIMD types leave to weak generics or do lane by lane, as header-only C on the same
// vectors. Everything here is exact (IEEE 754) or moves bits, so no target CPU changes a result.
#pragma once

typedef float float16 __attribute__((ext_vector_type(16)));

static inline __attribute__((always_inline)) float16 vector_square_root(float16 x) {
    return __builtin_elementwise_sqrt(x);
}
