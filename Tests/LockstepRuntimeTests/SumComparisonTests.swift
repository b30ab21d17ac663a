import LockstepProtocol
import LockstepRuntime
import TestSupport
import Testing
import TrainingPlan

/// Where two sums of a node differ first.
@Suite struct SumComparisonTests {
    private static let layout = ParameterLayout(widths: [9, 3, 2])
    private static let bits = 64

    /// A pushed slice with some rows left out, every float its place in the flat vector.
    private static func payload(
        _ plan: ShardPlan, _ shard: ShardIndex, without rows: Set<Int> = []
    ) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: bits)
        for place in plan[shard] {
            let row = place < 27 ? place / 3 : nil
            if let row {
                if rows.contains(row) { continue }
                bytes[row / 8] |= 1 << UInt8(row % 8)
            }
            append(UInt32(place), to: &bytes)
        }
        for word in 0..<plan.metricsByteCount(of: shard) / 4 {
            append(UInt32(1_000 + word), to: &bytes)
        }
        return bytes
    }

    private static func append(_ word: UInt32, to bytes: inout [UInt8]) {
        for shift in stride(from: 0, to: 32, by: 8) as StrideTo<UInt32> {
            bytes.append(UInt8(truncatingIfNeeded: word >> shift))
        }
    }

    private static func difference(
        _ first: [UInt8], _ other: [UInt8], _ plan: ShardPlan, _ shard: ShardIndex
    ) -> BitDifference? {
        unsafe first.withUnsafeBytes { first in
            unsafe other.withUnsafeBytes { other in
                unsafe SumComparison(plan, shard).difference(first, other)
            }
        }
    }

    @Test(arguments: [1, 2, 3])
    func theFirstElementIsNamed(shards: Int) throws {
        let plan = try ShardPlan(
            layout: Self.layout, shardCount: shards, headerByteCount: FrameHeader.byteCount)
        for index in 0..<shards {
            let shard = ShardIndex(index)
            let whole = Self.payload(plan, shard)
            #expect(Self.difference(whole, whole, plan, shard) == nil)
            for offset in stride(from: Self.bits, to: whole.count, by: 4) {
                var changed = whole
                changed[offset] ^= 1
                if offset + 8 < whole.count { changed[offset + 4] ^= 1 }
                let place = plan[shard].lowerBound + (offset - Self.bits) / 4
                let found = try #require(Self.difference(whole, changed, plan, shard))
                if place < plan[shard].upperBound {
                    #expect(found.element == Self.layout.elementName(at: place))
                    #expect(found.first == UInt32(place) && found.other == UInt32(place) ^ 1)
                } else {
                    #expect(found.element == "metrics[\(place - plan[shard].upperBound)]")
                }
            }
        }
    }

    @Test func aRowThatOneHasLeftOutIsZeroInIt() throws {
        let plan = try ShardPlan(
            layout: Self.layout, shardCount: 1, headerByteCount: FrameHeader.byteCount)
        let whole = Self.payload(plan, 0)
        let without = Self.payload(plan, 0, without: [4, 6])
        #expect(
            Self.difference(without, whole, plan, 0)
                == BitDifference(element: "layers.0.kernel[4, 0]", first: 0, other: 12))
        #expect(
            Self.difference(whole, without, plan, 0)
                == BitDifference(element: "layers.0.kernel[4, 0]", first: 12, other: 0))
        #expect(Self.difference(without, without, plan, 0) == nil)
    }
}
