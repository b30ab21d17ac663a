import LockstepProtocol
import NeuralNetwork
import TrainingPlan
import ZeroMQ

/// Adds the pushed nodes of a step in tree order, a block of rows at a time, from where they lie in
/// their messages.
///
/// A value with a place of its own, so that the steps of a fold need no check for exclusive access.
@safe struct NodeFold {
    private let slices: GradientSlices
    private let kernels: KernelSet
    /// Floats of a block at most.
    private let blockLength: Int
    /// Sums of one block, by level of the fold's stack.
    private let sums: FloatBuffer
    private var operands: [UnsafeRawPointer?] = unsafe []
    /// In the order in which the fold loads them.
    private var nodes: [Node] = []

    @safe private struct Node {
        let payload: UnsafeRawBufferPointer
        /// Where in the payload the next rows lie, if they are there.
        var offset: Int
        var hasRun = false
    }

    /// The deepest stack of a fold: one more than the tree's height, for up to 2²⁰ leaves.
    static let stackDepth = 22

    init(_ slices: GradientSlices, _ kernels: KernelSet, blockLength: Int, maximumNodeCount: Int) {
        self.slices = slices
        self.kernels = kernels
        self.blockLength = blockLength
        sums = FloatBuffer(count: Self.stackDepth * blockLength)
        unsafe operands.reserveCapacity(Self.stackDepth)
        nodes.reserveCapacity(maximumNodeCount)
    }

    /// Starts on the nodes that a fold loads; their messages must stay until the last block is
    /// summed.
    mutating func begin(_ fold: [FoldInstruction], _ slots: [MessageSlot]) {
        nodes.removeAll(keepingCapacity: true)
        for case .load(let slot) in fold {
            // libzmq keeps a frame's bytes in place while the message lives.
            unsafe slots[slot].message.withUnsafeBytes { frame in
                let payload = unsafe FrameCodec.payload(of: frame)
                unsafe nodes.append(Node(payload: payload, offset: slices.presenceByteCount))
            }
        }
    }

    /// The root's sum over the next block: where it lies in a push if one node has it all, else in
    /// scratch.
    mutating func sum(of block: Range<Int>, _ fold: [FoldInstruction]) -> UnsafeRawPointer {
        var start = block.lowerBound
        while start < block.upperBound {
            // Rows that come from the same nodes.
            var end = block.upperBound
            for node in nodes.indices {
                let payload = unsafe nodes[node].payload
                (end, nodes[node].hasRun) = unsafe slices.run(from: start, to: end, in: payload)
            }
            let run = start..<end
            let place = unsafe scratch(0, start - block.lowerBound)
            if let sum = unsafe sum(of: run, at: start - block.lowerBound, fold) {
                if run == block { return unsafe sum }
                if unsafe sum != UnsafeRawPointer(place) {
                    unsafe kernels.copyFloats(sum, place, run.count)
                }
            } else {
                unsafe place.initializeMemory(as: UInt8.self, repeating: 0, count: run.count * 4)
            }
            start = end
        }
        return unsafe UnsafeRawPointer(sums.pointer)
    }

    /// The sum of the nodes that hold a run of rows; nil if none does.
    private mutating func sum(
        of run: Range<Int>, at offset: Int, _ fold: [FoldInstruction]
    ) -> UnsafeRawPointer? {
        unsafe operands.removeAll(keepingCapacity: true)
        var node = 0
        for instruction in fold {
            switch instruction {
            case .load:
                unsafe operands.append(take(run, of: node))
                node += 1
            case .add:
                let right = unsafe operands.removeLast()
                let left = unsafe operands.removeLast()
                let level = unsafe operands.count
                unsafe operands.append(
                    add(
                        left, right, run.count, into: scratch(level, offset),
                        nextLevel: scratch(level + 1, offset)))
            }
        }
        return unsafe operands[0]
    }

    /// left + right. What was left out is +0, and there is no −0 that it would change.
    private func add(
        _ left: UnsafeRawPointer?, _ right: UnsafeRawPointer?, _ count: Int,
        into place: UnsafeMutableRawPointer, nextLevel: UnsafeMutableRawPointer
    ) -> UnsafeRawPointer? {
        guard let right = unsafe right else { return unsafe left }
        if let left = unsafe left {
            unsafe kernels.fold(left, right, into: place, count: count)
        } else if unsafe right == UnsafeRawPointer(nextLevel) {
            // The next sum of that level would overwrite it.
            unsafe kernels.copyFloats(right, place, count)
        } else {
            return unsafe right
        }
        return UnsafeRawPointer(place)
    }

    private func scratch(_ level: Int, _ offset: Int) -> UnsafeMutableRawPointer {
        unsafe UnsafeMutableRawPointer(sums.pointer + level * blockLength + offset)
    }

    /// Where a node's rows of the next run lie, if they are there.
    private mutating func take(_ run: Range<Int>, of node: Int) -> UnsafeRawPointer? {
        guard nodes[node].hasRun, let start = unsafe nodes[node].payload.baseAddress else {
            return nil
        }
        defer { nodes[node].offset += run.count * 4 }
        return unsafe start + nodes[node].offset
    }
}
