/// What a ratio should be.
package enum Goal: Hashable, Sendable {
    case atLeast(Double)
    case atMost(Double)

    package func isReached(by ratio: Double) -> Bool {
        switch self {
        case .atLeast(let bound): ratio >= bound
        case .atMost(let bound): ratio <= bound
        }
    }

    /// How far a ratio is beyond the goal: 1 just reaches it, more is better.
    package func attainment(of ratio: Double) -> Double {
        switch self {
        case .atLeast(let bound): ratio / bound
        case .atMost(let bound): bound / ratio
        }
    }

    package var text: String {
        switch self {
        case .atLeast(let bound): "≥ \(Self.shortest(bound))×"
        case .atMost(let bound): "≤ \(Self.shortest(bound))×"
        }
    }

    private static func shortest(_ value: Double) -> String {
        value == value.rounded() ? String(Int(value)) : String(value)
    }
}

/// A row of the table of goals: one thing that is measured against one other.
package enum GoalRow: String, CaseIterable, Sendable {
    case oneThreadJAX = "one-thread-jax"
    case oneThreadPyTorch = "one-thread-pytorch"
    case invertedJAX = "inverted-jax"
    case invertedPyTorch = "inverted-pytorch"
    case widePyTorch = "wide-pytorch"
    case twoWorkersDDP = "two-workers-ddp"
    case twoWorkersOneThread = "two-workers-one-thread"
    case hostsDDP = "hosts-ddp"
    case hostsLink = "hosts-link"
    case exchange = "exchange"
    case productsOpenBLAS = "products-openblas"
    case productsPeak = "products-peak"
    case twoThreads = "two-threads"
    case keras = "keras"
    case encryption = "encryption"
    case tree = "tree"

    /// What is measured, in words.
    package var what: String {
        switch self {
        case .oneThreadJAX, .oneThreadPyTorch: "one thread, MNIST"
        case .invertedJAX, .invertedPyTorch: "one thread, inverted MNIST"
        case .widePyTorch: "one thread, 784-1024-1024-10"
        case .twoWorkersDDP, .twoWorkersOneThread: "two workers on one host"
        case .hostsDDP: "hosts on 1 Gb/s links, batch 128 a host"
        case .hostsLink: "a step over 1 Gb/s links"
        case .exchange: "the exchange alone"
        case .productsOpenBLAS, .productsPeak: "dense product and its gradients"
        case .twoThreads: "two threads"
        case .keras: "the seed's scripts, two workers, batch 32"
        case .encryption: "encryption on 1 Gb/s links"
        case .tree: "a step with the fixed tree"
        }
    }

    /// What it is measured against.
    package var beat: String {
        switch self {
        case .oneThreadJAX, .invertedJAX: "JAX, one thread"
        case .oneThreadPyTorch, .invertedPyTorch, .widePyTorch: "PyTorch, one thread"
        case .twoWorkersDDP: "PyTorch DDP, two processes"
        case .twoWorkersOneThread: "one process, one thread"
        case .hostsDDP: "PyTorch DDP, same links"
        case .hostsLink: "its bytes at the link's rate"
        case .exchange: "the better bare program"
        case .productsOpenBLAS: "OpenBLAS, best core type"
        case .productsPeak: "measured peak of one core"
        case .twoThreads: "one thread"
        case .keras: "Keras"
        case .encryption: "the same in the clear"
        case .tree: "the same step, one leaf"
        }
    }
}

/// One goal of a row: at a batch size, or for a number of hosts.
package struct GoalEntry: Hashable, Sendable {
    package let row: GoalRow
    /// Which of the row's goals: "batch 32", "4 hosts".
    package let place: String
    package let goal: Goal

    package init(row: GoalRow, place: String, goal: Goal) {
        (self.row, self.place, self.goal) = (row, place, goal)
    }
}
