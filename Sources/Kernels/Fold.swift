import CVector

/// sum[i] ← left[i] + right[i]: a parent of the reduction tree. `sum` may be either child.
@inline(never)
package func foldPair(
    _ left: UnsafeRawPointer, _ right: UnsafeRawPointer, _ sum: UnsafeMutableRawPointer,
    _ count: Int
) {
    var i = 0
    while i &+ 16 <= count {
        let parent = unsafe vector_load(left + i &* 4) + vector_load(right + i &* 4)
        unsafe vector_store(sum + i &* 4, parent)
        i &+= 16
    }
    let rest = count &- i
    let x = unsafe vector_load_first(left + i &* 4, rest)
    let parent = unsafe x + vector_load_first(right + i &* 4, rest)
    unsafe vector_store_first(sum + i &* 4, parent, rest)
}

/// target[i] ← source[i].
///
/// The C library moves such amounts with `rep movsb`, which takes ten times as long on AMD's Zen 3 where the target
/// lies 1 to 31 bytes behind the source, modulo 4,096: for some processes always, for others never.
@inline(never)
package func copyFloats(
    _ source: UnsafeRawPointer, _ target: UnsafeMutableRawPointer, _ count: Int
) {
    var i = 0
    while i &+ 32 <= count {
        let (low, high) = unsafe (vector_load(source + i &* 4), vector_load(source + i &* 4 + 64))
        unsafe vector_store(target + i &* 4, low)
        unsafe vector_store(target + i &* 4 + 64, high)
        i &+= 32
    }
    while i < count {
        let rest = count &- i
        unsafe vector_store_first(target + i &* 4, vector_load_first(source + i &* 4, rest), rest)
        i &+= 16
    }
}

/// Σ values[i]²: 16 lanes, each a chain of fma over every sixteenth element, then the lanes by halves.
@inline(never)
package func squaredNorm(_ values: UnsafeRawPointer, _ count: Int) -> Float {
    var sum = splat(0)
    var i = 0
    while i < count {
        let x = unsafe vector_load_first(values + i &* 4, count &- i)
        sum = vector_fma(x, x, sum)
        i &+= 16
    }
    return vector_lane_sum(sum)
}

/// A 64-bit checksum of `count` bytes at memory speed, for frames on their way: 16 lanes of 32-bit sums and
/// of sums of sums (Fletcher), each mixed into half of the result. Any single flipped bit changes it.
@inline(never)
package func checksum(_ bytes: UnsafeRawPointer, _ count: Int) -> UInt64 {
    var sums = splatBits(0)
    var sumsOfSums = splatBits(0)
    var i = 0
    while i &+ 64 <= count {
        sums = unsafe sums &+ vector_bits(vector_load(bytes + i))
        sumsOfSums = sumsOfSums &+ sums
        i &+= 64
    }
    sums = unsafe sums &+ vector_bits(vector_load_bytes(bytes + i, count &- i))
    sumsOfSums = sumsOfSums &+ sums
    var (high, low) = (UInt32(truncatingIfNeeded: count), 0x811c_9dc5 as UInt32)
    for lane in 0..<16 {
        high = (high &+ sums[lane]) &* 0x9e37_79b1
        low = (low &+ sumsOfSums[lane]) &* 0x85eb_ca77
    }
    return UInt64(high) << 32 | UInt64(low)
}
