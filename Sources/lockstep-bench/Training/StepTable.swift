/// Who trains the same net beside Lockstep.
enum StepPeer: String, CaseIterable, Sendable {
    case jax = "JAX"
    case pyTorch = "PyTorch"
}

/// One table of whole steps: an input and a placement at several batch sizes.
struct StepTable: Sendable {
    var configuration = "ce-softmax"
    var input = StepInput.mnist
    /// nil: those of the input.
    var layers: [Int]?
    var microBatch: Int?
    /// 0: one process.
    var workers = 0
    var threads = 1
    var batchSizes: [Int]
    var epochs: Int
    /// Who is measured beside it; those that cannot are left out.
    var peers: [StepPeer]

    static let own = "Lockstep"

    var title: String {
        let place =
            workers > 0
            ? "Two worker processes; PyTorch DDP on gloo"
            : threads > 1 ? "One process, \(threads) threads" : "One process, one thread"
        let net = layers.map { ", layers " + $0.map(String.init).joined(separator: "-") } ?? ""
        let leaf = microBatch.map { ", micro-batch \($0)" } ?? ""
        return "\(place): \(input.words)\(net)\(leaf)"
    }

    func shape(_ batchSize: Int) -> TrainingShape {
        TrainingShape(
            configuration: configuration, input: input, layers: layers ?? input.layers,
            microBatch: microBatch, workers: workers, threads: threads, batchSize: batchSize,
            epochs: epochs)
    }

    /// Whether the goals are for what this table measures.
    var isStandard: Bool { layers == nil && microBatch == nil && configuration == "ce-softmax" }

    /// Those peers that can train this.
    var fitPeers: [StepPeer] {
        peers.filter { peer in
            switch peer {
            // One process, and the seed's layers are in its source.
            case .jax: workers == 0 && (layers ?? input.layers) == StepInput.seedLayers
            case .pyTorch: true
            }
        }
    }

    private func row(_ peer: StepPeer) -> GoalRow? {
        switch (workers, threads, input, peer) {
        case (0, 1, .mnist, .jax): .oneThreadJAX
        case (0, 1, .mnist, .pyTorch): .oneThreadPyTorch
        case (0, 1, .inverted, .jax): .invertedJAX
        case (0, 1, .inverted, .pyTorch): .invertedPyTorch
        case (0, 1, .wide, .pyTorch): .widePyTorch
        case (2, 1, .mnist, .pyTorch): .twoWorkersDDP
        default: nil
        }
    }

    func entry(_ peer: StepPeer, _ batchSize: Int) -> GoalEntry? {
        guard isStandard, let row = row(peer) else { return nil }
        return Goals.find(row, Goals.place(batch: batchSize))
    }

    var entries: [GoalEntry] {
        batchSizes.flatMap { batch in fitPeers.compactMap { entry($0, batch) } }
    }
}
