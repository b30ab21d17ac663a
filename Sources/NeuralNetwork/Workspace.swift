import Synchronization
import TrainingPlan

/// The buffers of a batch, allocated once: activations and deltas of every layer, `[capacity,
/// stride]`.
///
/// Threads of one team write disjoint ranges between barriers: hence `Sendable`.
@safe final class Workspace: @unchecked Sendable {
    let capacity: Int
    /// Whether a forward pass keeps what the gradient needs of the pixels.
    let keepsPixels: Bool
    let batch: ExampleBatch
    let pixels: PixelBlocks
    /// Floats between two examples, by layer.
    let strides: [Int]
    let activations: [FloatBuffer]
    let deltas: [FloatBuffer]
    let losses: FloatBuffer
    let decisions: UnsafeMutablePointer<UInt8>
    /// x of every byte: Float(byte) / 255.
    let intensities: FloatBuffer
    let weightCheck = WeightCheck()

    init(_ layout: ParameterLayout, capacity: Int, leafSize: Int, keepsPixels: Bool) {
        self.capacity = capacity
        self.keepsPixels = keepsPixels
        batch = ExampleBatch(capacity: capacity)
        let inputs = layout.layers[0].inputs
        pixels = PixelBlocks(
            width: inputs, leafSize: leafSize, leafCapacity: capacity / leafSize + 1,
            rowWidth: inputs)
        strides = layout.layers.indices.map { Self.stride(layout.layers[$0].outputs, layer: $0) }
        activations = strides.map { FloatBuffer(count: capacity * $0) }
        deltas = strides.map { FloatBuffer(count: capacity * $0) }
        losses = FloatBuffer(count: capacity)
        unsafe decisions = .allocate(capacity: capacity)
        intensities = FloatBuffer((0..<256).map { Float($0) / 255 })
    }

    deinit { unsafe decisions.deallocate() }

    /// Whether an input is not zero in one of the `count` examples.
    func isUsed(_ input: Int, count: Int) -> Bool {
        batch.isDense ? batch.isUsed(input, count: count) : pixels.isUsed(input, count: count)
    }

    /// A layer's width in whole blocks of 64, or in vectors of 16 where a block would be mostly
    /// padding. Rows a large power of two apart would share a cache's sets, so a line is added.
    private static func stride(_ width: Int, layer: Int) -> Int {
        let rest = width % 64
        let block = layer == 0 || rest > 32 ? 64 : 16
        let stride = (width + block - 1) / block * block
        return stride % 256 == 0 ? stride + 16 : stride
    }
}

/// Whether the input layer's weights are finite, found out when it is first asked after `reset`.
final class WeightCheck: Sendable {
    private enum Answer: Int, AtomicRepresentable { case unknown, finite, notFinite }

    private let answer = Atomic<Answer>(.unknown)

    /// - Parameter areFinite: whether it is known that all are.
    func reset(areFinite: Bool = false) {
        answer.store(areFinite ? .finite : .unknown, ordering: .relaxed)
    }

    /// - Parameter find: called where nobody knows yet; by several threads, maybe.
    func areFinite(_ find: () -> Bool) -> Bool {
        switch answer.load(ordering: .relaxed) {
        case .finite: return true
        case .notFinite: return false
        case .unknown:
            let found = find()
            answer.store(found ? .finite : .notFinite, ordering: .relaxed)
            return found
        }
    }
}
