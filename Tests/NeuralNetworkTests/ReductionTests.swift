import NeuralNetwork
import TestSupport
import Testing
import TrainingPlan

/// The engine's sums follow the reduction tree, to the bit, however the work is cut.
struct ReductionTests {
    private static let architecture = NetworkArchitecture(
        layers: [20, 9, 5], hidden: .tanh, output: .softmax, loss: .crossEntropy)

    /// A batch in leaves: small nodes, nodes beyond one pass of 512 examples, leaves beyond one
    /// pass, and short last leaves.
    struct Shape: Sendable, CustomStringConvertible {
        let examples: Int
        let leafSize: Int
        var leafCount: Int { (examples + leafSize - 1) / leafSize }
        var description: String { "\(examples) examples in leaves of \(leafSize)" }

        func examples(of node: LeafRange) -> Range<Int> {
            node.firstLeaf * leafSize..<min(node.endLeaf * leafSize, examples)
        }

        static let all =
            (1...40).map { Shape(examples: $0 * 3 - $0 % 3, leafSize: 3) }
            + [
                (640, 16), (511, 16), (513, 16), (1500, 16), (700, 100), (601, 3), (1300, 600),
                (64, 64), (1030, 1),
            ]
            .map { Shape(examples: $0, leafSize: $1) }
    }

    private func fold(_ leaves: [NodeResult]) -> NodeResult { treeFold(leaves[...]) { $0 + $1 } }

    @Test(arguments: Shape.all)
    func aNodeIsTheTreeOfItsLeaves(shape: Shape) {
        let problem = Problem(Self.architecture, examples: shape.examples, seed: shape.examples)
        let leaves = (0..<shape.leafCount).map {
            shape.examples(of: LeafRange(firstLeaf: $0, leafCount: 1))
        }
        let whole = problem.compute(leafSize: shape.leafSize)
        let expected = fold(problem.compute(leaves, leafSize: shape.leafSize))
        #expect(whole.difference(from: expected) == nil)
    }

    /// Any cut of the batch into holders, each of which folds its maximal nodes, gives the same
    /// bits.
    @Test(arguments: Shape.all)
    func anyCutGivesTheSameBits(shape: Shape) throws {
        let problem = Problem(Self.architecture, examples: shape.examples, seed: shape.examples)
        let tree = ReductionTree(leafCount: shape.leafCount)
        let whole = problem.compute(leafSize: shape.leafSize)
        var random = SeededRandom(seed: shape.leafCount)
        for holders in [2, 3, 7] {
            let cuts = (1..<holders).map { _ in Int.random(in: 0...shape.leafCount, using: &random)
            }
            let ends = [0] + cuts.sorted() + [shape.leafCount]
            let nodes = zip(ends, ends.dropFirst()).flatMap {
                tree.maximalNodes(covering: $0..<$1)
            }
            let results = problem.compute(
                nodes.map(shape.examples(of:)), leafSize: shape.leafSize)
            var held = Dictionary(uniqueKeysWithValues: zip(nodes, results))
            func value(_ node: LeafRange) throws -> NodeResult {
                if let result = held.removeValue(forKey: node) { return result }
                let (left, right) = try #require(ReductionTree.children(of: node))
                return try value(left) + value(right)
            }
            #expect(try value(tree.root).difference(from: whole) == nil, "cut at \(cuts)")
            #expect(held.isEmpty)
        }
    }

    @Test(
        arguments: [2, 3, 4],
        [
            Shape(examples: 100, leafSize: 16), Shape(examples: 1500, leafSize: 16),
            Shape(examples: 2, leafSize: 1),
        ])
    func threadsDoNotShow(threads: Int, shape: Shape) {
        let problem = Problem(Self.architecture, examples: shape.examples, seed: 1)
        let whole = problem.compute(leafSize: shape.leafSize)
        let nodes = [Range<Int>](repeating: 0..<shape.examples, count: 20)
        for result in problem.compute(nodes, leafSize: shape.leafSize, threads: threads) {
            #expect(result.difference(from: whole) == nil)
        }
    }

    /// Slices are cut at any row, within a block of rows and between layers.
    @Test(arguments: 1...4, [40, 600])
    func slicesDoNotShow(slices: Int, examples: Int) {
        let architecture = NetworkArchitecture(
            layers: [150, 9, 5], hidden: .relu, output: .tanh, loss: .mse)
        let problem = Problem(architecture, examples: examples, seed: 1)
        let whole = problem.compute(leafSize: 16)
        let boundaries = problem.layout.rowBoundaries
        var random = SeededRandom(seed: slices)
        for header in [0, 4, 64] {
            var cuts: Set<Int> = []
            while cuts.count < slices - 1 {
                cuts.insert(boundaries[Int.random(in: 1..<boundaries.count - 1, using: &random)])
            }
            let ends = [0] + cuts.sorted() + [problem.layout.parameterCount]
            let result = problem.compute(
                [0..<examples], leafSize: 16,
                sliceRanges: zip(ends, ends.dropFirst()).map { $0..<$1 }, headerByteCount: header)
            #expect(result[0].difference(from: whole) == nil, "cut at \(ends)")
        }
    }

    @Test(arguments: KernelVariant.allCases.filter(\.isSupported))
    func kernelsDoNotShow(variant: KernelVariant) {
        let architecture = NetworkArchitecture(
            layers: [50, 130, 20, 10], hidden: .relu, output: .softmax, loss: .crossEntropy)
        let problem = Problem(architecture, examples: 90, seed: 1, weightLimit: 0.2)
        let result = problem.compute([0..<90], leafSize: 16, variant: variant)
        let baseline = problem.compute([0..<90], leafSize: 16, variant: .baseline)
        #expect(result[0].difference(from: baseline[0]) == nil)
    }

    /// No −0 is left in a sum, so that a row without a contribution may be skipped.
    @Test func sumsHoldNoNegativeZero() {
        let problem = Problem(Self.architecture, examples: 30, seed: 1, density: 0.02)
        let sum = problem.compute(leafSize: 4).sum
        #expect(sum.contains(0))
        #expect(!sum.contains { $0 == 0 && $0.sign == .minus })
    }
}
