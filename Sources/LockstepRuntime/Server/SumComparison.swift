package import LockstepProtocol
package import TrainingPlan

/// Finds where two sums of one node, as they were pushed to one shard, are not the same.
package struct SumComparison {
    private let plan: ShardPlan
    private let shard: ShardIndex

    package init(_ plan: ShardPlan, _ shard: ShardIndex) {
        self.plan = plan
        self.shard = shard
    }

    /// The first element that differs, in the order of the flat vector; behind the shard's elements
    /// are metrics.
    package func difference(
        _ first: UnsafeRawBufferPointer, _ other: UnsafeRawBufferPointer
    ) -> BitDifference? {
        var (firstOffset, otherOffset) = (slices.presenceByteCount, slices.presenceByteCount)
        for part in plan.gradientRows.parts(of: plan[shard]) {
            var start = part.lowerBound
            while start < part.upperBound {
                // Rows that both have, or both lack, or one has.
                let firstRun = unsafe slices.run(from: start, to: part.upperBound, in: first)
                let otherRun = unsafe slices.run(from: start, to: firstRun.end, in: other)
                for place in start..<otherRun.end {
                    let own = unsafe word(first, &firstOffset, isPresent: firstRun.isPresent)
                    let its = unsafe word(other, &otherOffset, isPresent: otherRun.isPresent)
                    if own != its {
                        return BitDifference(
                            element: plan.layout.elementName(at: place), first: own, other: its)
                    }
                }
                start = otherRun.end
            }
        }
        for index in 0..<plan.metricsByteCount(of: shard) / 4 {
            let own = unsafe word(first, &firstOffset, isPresent: true)
            let its = unsafe word(other, &otherOffset, isPresent: true)
            if own != its {
                return BitDifference(element: "metrics[\(index)]", first: own, other: its)
            }
        }
        return nil
    }

    private var slices: GradientSlices { plan.pushedSlices }

    /// The next float's bits; those of +0 in a row that was left out.
    private func word(
        _ payload: UnsafeRawBufferPointer, _ offset: inout Int, isPresent: Bool
    ) -> UInt32 {
        guard isPresent, offset + 4 <= payload.count else { return 0 }
        defer { offset += 4 }
        return unsafe UInt32(
            littleEndian: payload.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }
}
