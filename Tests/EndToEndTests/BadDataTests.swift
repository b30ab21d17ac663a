import Datasets
import Foundation
import Hashing
import TestSupport
import Testing

extension EndToEndTests {
    /// IDX files and folders with a fault: exit code 65, the file, the byte, and what to do.
    @Suite struct BadData {
        struct Fault: Sendable, CustomTestStringConvertible {
            let testDescription: String
            let part: DatasetPart
            let words: [String]
            /// nil: the file is missing.
            let change: @Sendable ([UInt8]) -> [UInt8]?

            init(
                _ description: String, _ part: DatasetPart, _ words: String...,
                change: @escaping @Sendable ([UInt8]) -> [UInt8]?
            ) {
                testDescription = description
                self.part = part
                self.words = words
                self.change = change
            }

            /// A fault of single bytes, by offset.
            init(
                _ description: String, _ part: DatasetPart, _ words: [String],
                bytes: [Int: UInt8]
            ) {
                testDescription = description
                self.part = part
                self.words = words
                change = { file in
                    var file = file
                    for (offset, byte) in bytes { file[offset] = byte }
                    return file
                }
            }
        }

        static let faults = [
            Fault(
                "magic", .trainImages, ["(byte 0)", "00 00", "50 4b"], bytes: [0: 0x50, 1: 0x4b]),
            Fault("type", .trainImages, ["(byte 2)", "0d", "08"], bytes: [2: 0x0d]),
            Fault("rank", .testLabels, ["(byte 3)", "2 dimensions", "1 are"], bytes: [3: 2]),
            Fault("size", .testImages, ["29×28", "28×28", "Scale"], bytes: [11: 29]),
            Fault("label 10", .trainLabels, ["(byte 15)", "label 7 is 10"], bytes: [15: 10]),
            Fault(
                "overflow", .trainImages, ["(byte 4)", "overflow", "again"],
                bytes: [4: 255, 8: 255, 12: 255]),
            Fault(
                "count", .trainImages, ["(byte 1591536)", "it ends after 1591536"],
                bytes: [4: 255]),
            Fault("truncated", .trainImages, "it ends after 1000", "again") { .init($0[..<1000]) },
            Fault("no header", .testLabels, "it ends after 3", "again") { .init($0[..<3]) },
            Fault("empty file", .trainLabels, "it ends after 0", "again") { _ in [] },
            Fault("trailing bytes", .testLabels, "508", "509", "again") { $0 + [0] },
            Fault("counts differ", .trainLabels, "2030 images for 2029 labels", "same set") {
                var file = [UInt8]($0.dropLast())
                file[7] &-= 1
                return file
            },
            Fault("cut gzip", .trainImages, "gzip -t") { .init(Gzip.compress($0).dropLast(100)) },
            Fault("corrupt gzip", .testImages, "gzip -t") { bytes in
                var file = Gzip.compress(bytes)
                file[file.count - 6] ^= 1
                return file
            },
            Fault("gzip larger than announced", .testLabels, "508", "again") {
                Gzip.compress($0 + [UInt8](repeating: 0, count: 1 << 20))
            },
            Fault("missing", .testImages, "test images are missing", "--data mnist") { _ in nil },
        ]

        /// The small digits, with one file changed.
        private func lockstep(_ fault: Fault) throws -> (Lockstep, path: String) {
            var lockstep = try Lockstep()
            try SmallDigits.write(to: lockstep.folder)
            let path = lockstep.folder.path(fault.part.fileName)
            if let bytes = fault.change(SmallDigits.file(fault.part)) {
                try lockstep.folder.write(bytes, fault.part.fileName)
            } else {
                try FileManager.default.removeItem(atPath: path)
            }
            lockstep.environment["LOCKSTEP_DATA"] = lockstep.folder.path
            return (lockstep, path)
        }

        @Test(arguments: faults)
        func faultsAreNamed(fault: Fault) throws {
            let (lockstep, path) = try lockstep(fault)
            let run = try lockstep.run(["train", "--workers", "0", "--epochs", "1"])
            #expect(run.status == 65)
            let isMissing = !FileManager.default.fileExists(atPath: path)
            let place = isMissing ? lockstep.folder.path : path
            for word in [place] + fault.words {
                #expect(run.message.contains(word), "\(run.standardError)")
            }
        }

        /// Raw files of one set and gzip files of another: nobody can tell which is meant.
        @Test func twoSetsInOneFolderAreNamed() throws {
            var lockstep = try Lockstep()
            try SmallDigits.write(to: lockstep.folder)
            var labels = SmallDigits.file(.testLabels)
            labels[20] ^= 1
            try lockstep.folder.write(Gzip.compress(labels), "t10k-labels-idx1-ubyte.gz")
            lockstep.environment["LOCKSTEP_DATA"] = lockstep.folder.path
            let run = try lockstep.run(["train", "--workers", "0", "--epochs", "1"])
            #expect(run.status == 65)
            for name in ["t10k-labels-idx1-ubyte: ", "t10k-labels-idx1-ubyte.gz,", "Move one"] {
                #expect(run.message.contains(name), "\(run.standardError)")
            }
        }

        /// It is named and stays, so that it can be looked at; training removes it and continues.
        @Test func aDamagedCacheEntryIsNamed() throws {
            let lockstep = try Lockstep()
            let hash = SHA256.hash(Array("another set".utf8))
            try lockstep.folder.write(
                DatasetPart.allCases.flatMap { SmallDigits.file($0) }, "cache/lockstep/\(hash).idx")
            let run = try lockstep.run(["data", "verify"])
            #expect(run.status == 65)
            for word in ["\(hash).idx: its content", "'lockstep data fetch'"] {
                #expect(run.message.contains(word), "\(run.standardError)")
            }
            #expect(
                FileManager.default.fileExists(
                    atPath: lockstep.folder.path("cache/lockstep/\(hash).idx")))
        }

        @Test func foldersWithoutDataAreNamed() throws {
            let lockstep = try Lockstep()
            let path = lockstep.folder.path("empty")
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true)
            let run = try lockstep.run(["train", "--data", path])
            #expect(run.status == 65)
            #expect(run.message.contains("\(path): the folder is empty"), "\(run.message)")
            try lockstep.folder.write("text", "file")
            let file = try lockstep.run(["train", "--data", lockstep.folder.path("file")])
            #expect(file.status == 65)
            #expect(file.message.contains("not a folder"), "\(file.message)")
        }

        /// A link to nowhere is unreadable for everybody, a mode of 000 for all but root.
        @Test(arguments: [false, true])
        func unreadableFilesAreNamed(byMode: Bool) throws {
            if byMode && geteuid() == 0 { return }
            var lockstep = try Lockstep()
            try SmallDigits.write(to: lockstep.folder)
            let path = lockstep.folder.path(DatasetPart.testLabels.fileName)
            if byMode {
                unsafe chmod(path, 0)
            } else {
                try FileManager.default.removeItem(atPath: path)
                try FileManager.default.createSymbolicLink(
                    atPath: path, withDestinationPath: "nowhere")
            }
            lockstep.environment["LOCKSTEP_DATA"] = lockstep.folder.path
            let run = try lockstep.run(["train", "--workers", "0"])
            #expect(run.status == 65)
            for word in [path, "cannot be read", "Check that"] {
                #expect(run.message.contains(word), "\(run.message)")
            }
        }

        @Test func otherDataIsNotCalledMNIST() throws {
            let run = try Lockstep().run(["train", "--data", "mnist"])
            #expect(run.status == 65)
            let path = try digitsFolder.get() + "/" + DatasetPart.trainImages.fileName
            for word in [path, "SHA-256", "MNIST's", "--data DIR"] {
                #expect(run.message.contains(word), "\(run.message)")
            }
        }

        @Test func brokenCheckpointsAreNamed() throws {
            let lockstep = try Lockstep()
            let directory = lockstep.folder.path("run")
            let arguments = ["--workers", "0", "--epochs", "1", "--batch-size", "128"]
            #expect(
                try lockstep.run(["train", "--run-dir", directory] + arguments).status == 0)
            let name = "run/checkpoints/step-16/model.safetensors"
            let whole = try lockstep.folder.read(name)
            func evaluate(_ bytes: [UInt8]) throws -> ToolRun {
                try lockstep.folder.write(bytes, name)
                return try lockstep.run(["evaluate", lockstep.folder.path(name)])
            }
            #expect(try evaluate(whole).status == 0)
            var flipped = whole
            flipped[whole.count - 1] ^= 1
            for bytes in [Array(whole.dropLast()), whole + [0], flipped, [], Array("junk".utf8)] {
                let run = try evaluate(bytes)
                #expect(run.status == 65, "\(run.standardError)")
                #expect(run.message.contains(lockstep.folder.path(name)), "\(run.message)")
            }
        }
    }
}
