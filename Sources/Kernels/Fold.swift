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
/// The C library moves such amounts with `rep movsb`, which takes ten times as long on AMD's Zen 3
/// where the target lies 1 to 31 bytes behind the source, modulo 4,096: for some processes always,
/// for others never.
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

/// Σ values[i]² of each of `rows` rows of `count` floats without gaps, into `squares`, at any
/// alignment: 16 lanes, each a chain of fma over every sixteenth element, then the lanes by halves.
@inline(never)
package func squaredNorms(
    _ values: UnsafeRawPointer, _ rows: Int, _ count: Int, _ squares: UnsafeMutableRawPointer
) {
    let whole = count & ~15
    var row = 0
    // A chain waits for every addition, so four rows go together.
    while row &+ 4 <= rows {
        let x0 = unsafe values + row &* count &* 4
        let (x1, x2, x3) = unsafe (x0 + count &* 4, x0 + count &* 8, x0 + count &* 12)
        var (s0, s1, s2, s3) = (splat(0), splat(0), splat(0), splat(0))
        var i = 0
        while i < whole {
            unsafe addSquare(vector_load(x0 + i &* 4), &s0)
            unsafe addSquare(vector_load(x1 + i &* 4), &s1)
            unsafe addSquare(vector_load(x2 + i &* 4), &s2)
            unsafe addSquare(vector_load(x3 + i &* 4), &s3)
            i &+= 16
        }
        if whole < count {
            unsafe addSquare(vector_load_first(x0 + whole &* 4, count &- whole), &s0)
            unsafe addSquare(vector_load_first(x1 + whole &* 4, count &- whole), &s1)
            unsafe addSquare(vector_load_first(x2 + whole &* 4, count &- whole), &s2)
            unsafe addSquare(vector_load_first(x3 + whole &* 4, count &- whole), &s3)
        }
        unsafe vector_store_lane_sums(squares + row &* 4, s0, s1, s2, s3)
        row &+= 4
    }
    while row < rows {
        let x = unsafe values + row &* count &* 4
        var sum = splat(0)
        var i = 0
        while i < whole {
            unsafe addSquare(vector_load(x + i &* 4), &sum)
            i &+= 16
        }
        if whole < count {
            unsafe addSquare(vector_load_first(x + whole &* 4, count &- whole), &sum)
        }
        unsafe squares.storeBytes(
            of: vector_lane_sum(sum), toByteOffset: row &* 4, as: Float.self)
        row &+= 1
    }
}

@inline(__always)
func addSquare(_ x: SIMD16<Float>, _ sum: inout SIMD16<Float>) {
    sum = vector_fma(x, x, sum)
}

/// A 64-bit checksum of `count` bytes at memory speed, for frames on their way: 16 lanes of 32-bit
/// sums and of sums of sums (Fletcher), each mixed into half of the result. Any single flipped bit
/// changes it.
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

/// A 64-bit digest of `count` floats that stand from place `first` on in a longer vector: the sum
/// of each float's bits, as a number, times 1 + place × c, modulo 2⁶⁴. So the digests of a vector's
/// parts add up to that of the whole, however it was cut. A change of one float always changes it,
/// and so do two floats that change places.
@inline(never)
package func digest(_ values: UnsafeRawPointer, _ count: Int, _ first: Int) -> UInt64 {
    var sums = DigestSums()
    var i = 0
    while i &+ 16 <= count {
        unsafe sums.add(vector_load(values + i &* 4))
        i &+= 16
    }
    if i < count {
        unsafe sums.add(vector_load_first(values + i &* 4, count &- i))
        i &+= 16
    }
    return sums.value(lines: i / 16, first)
}

/// A digest as it is made, a line of 16 floats at a time.
struct DigestSums {
    private var even = SIMD8<UInt64>(repeating: 0)
    private var odd = SIMD8<UInt64>(repeating: 0)
    private var evenSums = SIMD8<UInt64>(repeating: 0)
    private var oddSums = SIMD8<UInt64>(repeating: 0)

    /// Adds 16 floats, as numbers, to the sums, and those to the sums of sums.
    @inline(__always)
    mutating func add(_ x: SIMD16<Float>) {
        even = even &+ vector_even_bits(x)
        odd = odd &+ vector_odd_bits(x)
        evenSums = evenSums &+ even
        oddSums = oddSums &+ odd
    }

    /// Of the lines that were added, the first of which stands at place `first`.
    @inline(__always)
    func value(lines: Int, _ first: Int) -> UInt64 {
        // Line k of n is in the sums of sums n − k times.
        let lines = UInt64(truncatingIfNeeded: lines)
        var (sum, weighted) = (0 as UInt64, 0 as UInt64)
        for lane in 0..<8 {
            let place = UInt64(truncatingIfNeeded: 2 &* lane)
            sum = sum &+ even[lane] &+ odd[lane]
            weighted =
                weighted
                &+ 16 &* (lines &* (even[lane] &+ odd[lane]) &- evenSums[lane] &- oddSums[lane])
                &+ place &* even[lane] &+ (place &+ 1) &* odd[lane]
        }
        let start = UInt64(truncatingIfNeeded: first)
        return sum &+ 0x9e37_79b9_7f4a_7c15 &* (weighted &+ start &* sum)
    }
}
