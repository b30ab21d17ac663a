import Synchronization
package import TrainingPlan

/// Computes the gradient sums of nodes of the reduction tree, on a team of threads.
///
/// A node's examples go through the network together; its leaves are told apart where gradients are
/// summed: row by row of the parameters, each leaf in registers, folded in tree order. Nothing is
/// allocated in a step.
@safe package final class GradientEngine {
    private let network: Network
    private let examples: SparseExamples
    private let team: ThreadTeam
    private let leafSize: Int
    private let slices: GradientSlices
    private let workspace: Workspace
    private let transposed: [FloatBuffer]
    private var weights: UnsafePointer<Float>
    private let tasks: [RowTask]
    private let nextTask = Atomic<Int>(0)
    private let scratch: [ThreadScratch]
    /// By task and leaf: the squared norm of the leaf's gradient over the task's rows.
    private let squaredNorms: FloatBuffer
    private let leafMetrics: UnsafeMutablePointer<UInt32>
    private let leafCapacity: Int
    /// Right children of nodes too large for one pass, by depth.
    private var spare: [GradientBuffer] = []

    /// Rows that one task visits. Norms are chains over the rows of a block, then over blocks, so
    /// this number is part of the arithmetic of record.
    private static let rowsPerBlock = 64
    /// Examples that go through the network in one pass, unless a leaf has more: 512 keep
    /// activations and deltas of 128 units within half a megabyte, and are 32 leaves of the default
    /// size.
    private static let examplesPerPass = 512

    /// Of a hundred pixels, how many make the dense form of the input layer's gradient faster.
    private static let denseShare = 45

    private struct RowTask {
        let layer: Int
        /// Input rows, or the bias where nil.
        let rows: Range<Int>?
    }

    /// - Parameters:
    ///   - examples: the training set.
    ///   - leafSize: the micro-batch.
    ///   - slices: how gradients are laid out for sending.
    ///   - batchSize: what no node exceeds, where that is known: there is room for so many
    ///     examples, or for those of a pass.
    package init(
        _ architecture: NetworkArchitecture, kernels: KernelSet, examples: SparseExamples,
        leafSize: Int, slices: GradientSlices, team: ThreadTeam, batchSize: Int = .max
    ) {
        precondition(leafSize > 0, "a leaf holds at least one example")
        precondition(
            examples.width == architecture.layers.first, "the input layer takes the pixels")
        network = Network(architecture, kernels: kernels)
        self.examples = examples
        self.team = team
        self.leafSize = leafSize
        self.slices = slices
        let capacity = max(leafSize, min(batchSize, Self.examplesPerPass))
        let leafCapacity = capacity / leafSize + 1
        self.leafCapacity = leafCapacity
        workspace = Workspace(
            network.layout, capacity: capacity, leafSize: leafSize, keepsPixels: true)
        workspace.batch.prepare(examples)
        transposed = network.makeTransposedKernels(workspace)
        unsafe weights = UnsafePointer(workspace.intensities.pointer)
        var tasks: [RowTask] = []
        for (index, layer) in network.layout.layers.enumerated() {
            for row in stride(from: 0, to: layer.inputs, by: Self.rowsPerBlock) {
                let end = min(row + Self.rowsPerBlock, layer.inputs)
                tasks.append(RowTask(layer: index, rows: row..<end))
            }
            tasks.append(RowTask(layer: index, rows: nil))
        }
        self.tasks = tasks
        let widest = workspace.strides.max() ?? 0
        let inputs = examples.width
        scratch = (0..<team.count).map { _ in
            ThreadScratch(
                leafCapacity: leafCapacity, leafSize: leafSize, stride: widest,
                rows: Self.rowsPerBlock, inputs: inputs)
        }
        squaredNorms = FloatBuffer(count: tasks.count * leafCapacity)
        unsafe leafMetrics = .allocate(capacity: leafCapacity * slices.metrics.wordCount)
    }

    deinit {
        unsafe leafMetrics.deallocate()
    }

    /// Takes the weights of the step; they must stay as they are until the next call.
    ///
    /// - Parameter areFinite: whether it is known that all weights are, as those of a step that was
    ///   committed.
    package func load(_ weights: FloatBuffer, areFinite: Bool = false) {
        precondition(weights.count == network.layout.parameterCount, "weights of this network")
        unsafe self.weights = UnsafePointer(weights.pointer)
        workspace.weightCheck.reset(areFinite: areFinite)
        unsafe network.transposeKernels(weights.pointer, into: transposed, workspace)
    }

    /// What is done with a part of the flat vector as soon as its sum is complete, on the thread
    /// that completed it and while it is in that thread's cache.
    package typealias Completion = (_ part: Range<Int>, _ sums: UnsafePointer<Float>) -> Void

    /// The gradient sum and metrics of one node, into `buffer`.
    ///
    /// - Parameters:
    ///   - indices: the node's examples in batch order: `leafSize` for each leaf, the last maybe
    ///     fewer.
    ///   - next: the examples of the node after this one, as far as they are known. They are asked
    ///     for meanwhile.
    ///   - completed: called for every part once that has a place in the buffer, on any thread of
    ///     the team. It may already change the weights that were loaded, because no sum depends on
    ///     them any more.
    package func compute(
        _ indices: UnsafeBufferPointer<UInt32>, into buffer: GradientBuffer,
        next: UnsafeBufferPointer<UInt32> = unsafe UnsafeBufferPointer(start: nil, count: 0),
        completed: Completion = { _, _ in }
    ) {
        precondition(buffer.slices == slices, "a buffer of this engine's layout")
        unsafe compute(indices, into: buffer, depth: 0, next: next, completed)
    }

    private func compute(
        _ indices: UnsafeBufferPointer<UInt32>, into buffer: GradientBuffer, depth: Int,
        next: UnsafeBufferPointer<UInt32>, _ completed: Completion
    ) {
        guard let base = indices.baseAddress else { return }
        let leafCount = leafCount(of: indices.count)
        let node = LeafRange(firstLeaf: 0, leafCount: leafCount)
        guard indices.count > workspace.capacity, let (left, _) = ReductionTree.children(of: node)
        else {
            unsafe computeInOnePass(
                base, indices.count, into: buffer, leavesRowsOut: depth == 0 && slices.isPacked,
                next: next, completed)
            return
        }
        // The halves are added where they lie, so both have all rows.
        if depth == 0 { buffer.layOut { _ in true } }
        if depth == spare.count { spare.append(GradientBuffer(slices)) }
        let right = spare[depth]
        let cut = left.leafCount * leafSize
        unsafe compute(
            UnsafeBufferPointer(rebasing: indices[..<cut]), into: buffer, depth: depth + 1,
            next: UnsafeBufferPointer(rebasing: indices[cut...])
        ) { _, _ in }
        unsafe compute(
            UnsafeBufferPointer(rebasing: indices[cut...]), into: right, depth: depth + 1,
            next: next
        ) { _, _ in }
        unsafe fold(buffer, right, completed)
        unsafe slices.metrics.fold(
            buffer.metricsWords, right.metricsWords, into: buffer.metricsWords)
    }

    /// Leaves of `count` examples; the last may be shorter.
    private func leafCount(of count: Int) -> Int { (count + leafSize - 1) / leafSize }

    /// left ← left + right, a block of rows a task.
    private func fold(_ left: GradientBuffer, _ right: GradientBuffer, _ completed: Completion) {
        nextTask.store(0, ordering: .relaxed)
        team.run { _ in
            eachTask { _, index in
                unsafe left.eachPart(of: range(of: tasks[index])) { part, sum in
                    unsafe network.kernels.foldPair(
                        sum, right.place(of: part.lowerBound), sum, part.count)
                    unsafe completed(part, sum)
                }
            }
        }
    }

    private func computeInOnePass(
        _ indices: UnsafePointer<UInt32>, _ count: Int, into buffer: GradientBuffer,
        leavesRowsOut: Bool, next: UnsafeBufferPointer<UInt32>,
        _ completed: Completion
    ) {
        let pixels = workspace.pixels
        nextTask.store(0, ordering: .relaxed)
        team.run { thread in
            let units = pixels.units(ofThread: thread, of: team.count, count: count)
            let range = pixels.places(ofUnits: units, count: count)
            unsafe workspace.batch.fill(range, from: examples, indices)
            unsafe network.forward(units: units, count: count, weights: weights, workspace)
            network.output(range, workspace)
            network.backward(range, transposed: transposed, workspace)
            team.barrier()
            if leavesRowsOut {
                if thread == 0 { buffer.layOut { workspace.isUsed($0, count: count) } }
                team.barrier()
            }
            // A few examples of the next pass a task, which has the time to bring them.
            let nextCount = min(next.count, workspace.capacity)
            let ahead = pixels.places(
                ofUnits: pixels.units(ofThread: thread, of: team.count, count: nextCount)
                    .prefix(Network.unitsAtATime), count: nextCount)
            let share = (ahead.count * team.count + tasks.count - 1) / tasks.count
            eachTask { done, index in
                for place in ahead.dropFirst(done * share).prefix(share) {
                    unsafe network.kernels.prefetch(examples.memory(of: Int(next[place])))
                }
                unsafe run(index, count, scratch[thread], into: buffer, completed)
            }
        }
        foldMetrics(count, into: buffer)
    }

    /// Takes one task after the other until all are taken, by whichever thread.
    private func eachTask(_ body: (_ done: Int, _ task: Int) -> Void) {
        for done in 0... {
            let task = nextTask.add(1, ordering: .relaxed).oldValue
            guard task < tasks.count else { return }
            body(done, task)
        }
    }

    /// A task's rows in the flat vector.
    private func range(of task: RowTask) -> Range<Int> {
        let layer = network.layout.layers[task.layer]
        guard let rows = task.rows else { return layer.biasOffset..<layer.endOffset }
        let start = layer.kernelOffset
        return start + rows.lowerBound * layer.outputs..<start + rows.upperBound * layer.outputs
    }

    /// The gradient of one block of rows.
    private func run(
        _ index: Int, _ count: Int, _ scratch: ThreadScratch, into buffer: GradientBuffer,
        _ completed: Completion
    ) {
        let task = tasks[index]
        let layer = network.layout.layers[task.layer]
        let stride = workspace.strides[task.layer]
        let deltas = unsafe workspace.deltas[task.layer].pointer
        let leafCount = leafCount(of: count)
        let kernels = network.kernels
        unsafe scratch.squares.update(repeating: 0, count: leafCount * stride)
        unsafe buffer.eachPart(of: range(of: task)) { part, target in
            if task.rows == nil {
                unsafe kernels.biasGradient(
                    deltas, stride, count, leafSize, layer.outputs, target, scratch.squares,
                    scratch.fold.pointer)
            } else {
                let row = (part.lowerBound - layer.kernelOffset) / layer.outputs
                let end = (part.upperBound - layer.kernelOffset) / layer.outputs
                if task.layer == 0 {
                    unsafe inputGradient(row..<end, count, target, scratch)
                } else {
                    unsafe kernels.denseWeightGradient(
                        row, end, workspace.activations[task.layer - 1].pointer,
                        workspace.strides[task.layer - 1], deltas, stride, count, leafSize,
                        layer.outputs, target, scratch.squares, scratch.fold.pointer)
                }
            }
            unsafe completed(part, target)
        }
        for leaf in 0..<leafCount {
            unsafe squaredNorms.pointer[index * leafCapacity + leaf] = kernels.sumOfSquares(
                scratch.squares + leaf * stride, layer.outputs)
        }
    }

    /// The gradient of some rows of the input layer, in the form that suits the pixels.
    private func inputGradient(
        _ rows: Range<Int>, _ count: Int, _ target: UnsafeMutablePointer<Float>,
        _ scratch: ThreadScratch
    ) {
        let (kernels, batch) = (network.kernels, workspace.batch)
        let (layer, stride) = (network.layout.layers[0], workspace.strides[0])
        let deltas = unsafe workspace.deltas[0].pointer
        let intensities = unsafe workspace.intensities.pointer
        let leafCount = leafCount(of: count)
        var (pixels, rows) = (workspace.pixels, rows)
        if batch.isDense {
            pixels = scratch.pixels
            pixels.fill(inputs: rows, batch, count: count, kernels)
            rows = 0..<rows.count
        }
        let used = pixels.nonzeroEstimate(leaves: leafCount, rows, kernels)
        if used * 100 > Self.denseShare * rows.count * count {
            unsafe kernels.denseInputGradient(
                rows.lowerBound, rows.upperBound, pixels.bytes, pixels.width, pixels.leafStride,
                count, leafSize, intensities, deltas, stride, layer.outputs, target,
                scratch.squares, scratch.fold.pointer)
        } else {
            unsafe kernels.sparseWeightGradient(
                rows.lowerBound, rows.upperBound, pixels.bytes, pixels.width, pixels.leafStride,
                leafCount, leafSize, intensities, deltas, stride, layer.outputs, target,
                scratch.squares, scratch.sparse.pointer)
        }
    }

    /// Each leaf's metrics, folded in tree order into the buffer.
    private func foldMetrics(_ count: Int, into buffer: GradientBuffer) {
        let leafCount = leafCount(of: count)
        let words = slices.metrics.wordCount
        let layers = slices.metrics.layerCount
        for leaf in 0..<leafCount {
            let range = leaf * leafSize..<min((leaf + 1) * leafSize, count)
            let target = unsafe leafMetrics + leaf * words
            var loss: Float = 0
            var correct: UInt32 = 0
            for b in range {
                unsafe loss += workspace.losses.pointer[b]
                if unsafe workspace.decisions[b] == workspace.batch.labels[b] { correct += 1 }
            }
            unsafe target[0] = loss.bitPattern
            unsafe target[1 + layers] = correct
            for layer in 0..<layers {
                unsafe target[1 + layer] = 0
                unsafe target[2 + layers + layer] = saturatedCount(layer, range)
            }
            for (index, task) in tasks.enumerated() {
                let norm = unsafe Float(bitPattern: target[1 + task.layer])
                let block = unsafe squaredNorms.pointer[index * leafCapacity + leaf]
                unsafe target[1 + task.layer] = (norm + block).bitPattern
            }
        }
        foldLeafMetrics(LeafRange(firstLeaf: 0, leafCount: leafCount))
        unsafe buffer.metricsWords.copyMemory(
            from: leafMetrics, byteCount: slices.metrics.byteCount)
    }

    /// Leaves the fold of `node` in the place of its first leaf.
    private func foldLeafMetrics(_ node: LeafRange) {
        guard let (left, right) = ReductionTree.children(of: node) else { return }
        foldLeafMetrics(left)
        foldLeafMetrics(right)
        let words = slices.metrics.wordCount
        let sum = unsafe UnsafeMutableRawPointer(leafMetrics + left.firstLeaf * words)
        unsafe slices.metrics.fold(sum, leafMetrics + right.firstLeaf * words, into: sum)
    }

    private func saturatedCount(_ layer: Int, _ range: Range<Int>) -> UInt32 {
        let architecture = network.architecture
        let activation = layer == network.lastLayer ? architecture.output : architecture.hidden
        guard let (lower, upper) = activation.saturationBounds else { return 0 }
        let stride = workspace.strides[layer]
        return UInt32(
            unsafe network.kernels.countOutside(
                workspace.activations[layer].pointer + range.lowerBound * stride, range.count,
                network.layout.layers[layer].outputs, stride, lower, upper))
    }
}
