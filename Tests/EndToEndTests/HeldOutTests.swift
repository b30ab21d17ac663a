import Datasets
import Foundation
import RunRecords
import TestSupport
import Testing

extension EndToEndTests {
    /// `--validation-examples`: a share of every label, whatever the order of the set.
    @Suite struct HeldOut {
        /// The small digits sorted by label.
        private static func sorted() -> Dataset {
            let set = SmallDigits.dataset
            let (pixels, labels) = (Array(set.train.pixels), Array(set.train.labels))
            let order = labels.indices.sorted { (labels[$0], $0) < (labels[$1], $1) }
            let size = LabelledImages.pixelCount
            let train = LabelledImages(
                pixels: order.flatMap { pixels[$0 * size..<($0 + 1) * size] },
                labels: order.map { labels[$0] })
            return Dataset(train: train, test: set.test, origin: "a test")
        }

        private static let arguments = [
            "--preset", "ce-softmax", "--epochs", "5", "--validation-examples", "203",
        ]

        /// The last tenth is all of label 9: without it, a tenth of the test set is decided
        /// wrongly.
        @Test func aSetThatIsSortedByLabelLosesNone() throws {
            var lockstep = try Lockstep()
            try SmallDigits.write(Self.sorted(), to: lockstep.folder)
            lockstep.environment["LOCKSTEP_DATA"] = lockstep.folder.path
            let ends = try ["0", "2"].map {
                try lockstep.train(Self.arguments + ["--workers", $0])
            }
            #expect(ends[0].weightsSHA256 == ends[1].weightsSHA256)
            let reference = try Lockstep().train(Self.arguments + ["--workers", "0"])
            let accuracies = [ends[0], reference].map(\.testAccuracy)
            #expect(abs(accuracies[0] - accuracies[1]) < 0.07, "\(accuracies)")
        }

        @Test func aLabelThatIsOnOneSideIsTold() throws {
            let lockstep = try Lockstep()
            func run(_ count: String) throws -> ToolRun {
                try lockstep.run(
                    [
                        "train", "--workers", "0", "--epochs", "1", "--validation-examples", count,
                        "--run-dir", lockstep.folder.path("run-\(count)"),
                    ])
            }
            #expect(try run("3").standardError.contains("are on one side: held out"))
            #expect(try !run("100").standardError.contains("are on one side"))
        }
    }
}
