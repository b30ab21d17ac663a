import Foundation
import NeuralNetwork
import RunRecords
import Synchronization
import TestSupport
import Testing

extension EndToEndTests {
    /// Placement does not change a bit of the weights.
    @Suite struct SameBits {
        /// What is trained: every loss, optimiser, batch size and depth, each with several of the
        /// others.
        enum Recipe: String, CaseIterable, CustomTestStringConvertible {
            case crossEntropyAdam, meanSquaresSGD, deepCrossEntropySGD, deepMeanSquaresAdam

            var testDescription: String { rawValue }

            var arguments: [String] {
                switch self {
                case .crossEntropyAdam:
                    ["--preset", "ce-softmax", "--batch-size", "128", "--epochs", "2"]
                case .meanSquaresSGD:
                    [
                        "--preset", "mse-tanh", "--batch-size", "100", "--optimizer", "sgd",
                        "--learning-rate", "0.3", "--epochs", "1",
                    ]
                case .deepCrossEntropySGD:
                    [
                        "--preset", "ce-softmax", "--layers", "784,64,32,10", "--batch-size",
                        "128", "--optimizer", "sgd", "--learning-rate", "0.1", "--epochs", "1",
                    ]
                case .deepMeanSquaresAdam:
                    [
                        "--preset", "mse-tanh", "--layers", "784,64,32,10", "--batch-size",
                        "100", "--epochs", "1",
                    ]
                }
            }
        }

        struct Placement: CustomTestStringConvertible {
            let workers: Int
            let threads: Int
            let servers: Int
            /// Nil: the fastest.
            let kernels: KernelVariant?

            init(_ workers: Int, _ threads: Int, _ servers: Int, _ kernels: KernelVariant? = nil) {
                self.workers = workers
                self.threads = threads
                self.servers = servers
                self.kernels = kernels
            }

            var testDescription: String {
                "\(workers) workers, \(threads) threads, \(servers) servers, "
                    + (kernels?.rawValue ?? "fastest")
            }

            var arguments: [String] {
                ["--workers", "\(workers)", "--threads", "\(threads)", "--servers", "\(servers)"]
            }

            var environment: [String: String] {
                kernels.map { ["LOCKSTEP_KERNELS": $0.rawValue] } ?? [:]
            }
        }

        static let variants = KernelVariant.allCases.filter(\.isSupported)

        /// Not the full product: every value of every factor, with several of the others.
        static let placements =
            variants.map { Placement(0, 1, 1, $0) }
            + [
                Placement(0, 2, 1), Placement(1, 2, 3), Placement(2, 1, 1),
                Placement(2, 2, 2, .baseline), Placement(3, 1, 3), Placement(5, 1, 2),
            ]
            + variants.dropFirst().map { Placement(3, 2, 1, $0) }

        /// One process, one thread, baseline kernels: what all others are compared with.
        private static let references = Mutex<[Recipe: EndRecord]>([:])

        static func reference(_ recipe: Recipe) throws -> EndRecord {
            if let known = references.withLock({ $0[recipe] }) { return known }
            let placement = Placement(0, 1, 1, .baseline)
            let end = try Lockstep().train(
                recipe.arguments + placement.arguments, placement.environment)
            references.withLock { $0[recipe] = end }
            return end
        }

        @Test(arguments: Recipe.allCases, placements)
        func weightsDoNotDependOnThePlacement(recipe: Recipe, placement: Placement) throws {
            let reference = try Self.reference(recipe)
            let end = try Lockstep().train(
                recipe.arguments + placement.arguments, placement.environment)
            #expect(end.weightsSHA256 == reference.weightsSHA256)
            #expect(end.configurationSHA256 == reference.configurationSHA256)
            #expect(end.testAccuracy == reference.testAccuracy)
            #expect(end.testLoss == reference.testLoss)
            #expect(end.workers == placement.workers && end.servers == placement.servers)
            #expect(end.threads == placement.threads)
        }

        /// A hash that is the same for everything would prove nothing.
        @Test func recipesTrainToDifferentWeights() throws {
            let ends = try Recipe.allCases.map(Self.reference)
            #expect(Set(ends.map(\.weightsSHA256)).count == Recipe.allCases.count)
            #expect(Set(ends.map(\.configurationSHA256)).count == Recipe.allCases.count)
            for end in ends {
                #expect(end.status == .completed)
                // Guessing decides one in ten rightly.
                #expect(end.testAccuracy > 0.2, "\(end.configuration)")
            }
            let other = try Lockstep().train(
                Recipe.crossEntropyAdam.arguments + ["--workers", "0", "--seed", "2"])
            #expect(other.weightsSHA256 != ends[0].weightsSHA256)
        }

        @Test(.enabled(if: mnistFolder != nil, "MNIST is not at hand"))
        func trainsOnMNIST() throws {
            let lockstep = try Lockstep(data: mnistFolder)
            let arguments = [
                "--data", "mnist", "--epochs", "1", "--batch-size", "256", "--workers",
            ]
            let here = try lockstep.train(arguments + ["0"])
            let across = try lockstep.train(arguments + ["2"])
            #expect(here.dataset == "mnist" && across.dataset == "mnist")
            #expect(across.weightsSHA256 == here.weightsSHA256)
            #expect(here.testAccuracy > 0.92)
        }
    }
}
