import ArgumentParser
import Datasets
import Foundation
import TerminalText

/// `lockstep data`: the data sets on this host.
struct DataCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "data", abstract: "Download, check and look at data sets.",
        subcommands: [Fetch.self, Verify.self, Show.self])
}

extension DataCommand {
    /// `lockstep data fetch`
    struct Fetch: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Download MNIST into the cache, verified by its checksums.",
            discussion: """
                The cache is $XDG_CACHE_HOME/lockstep, by default ~/.cache/lockstep. If MNIST is \
                there already, it is verified and nothing is downloaded.

                Examples:
                  lockstep data fetch
                  XDG_CACHE_HOME=/srv/cache lockstep data fetch
                """)

        func run() throws {
            let cache = DatasetCache(environment: ProcessInfo.processInfo.environment)
            if cache.load(MNIST.sha256, note: printNote) != nil {
                print("mnist is in \(cache.path(of: MNIST.sha256)), verified.")
                return
            }
            let bar = isatty(STDERR_FILENO) != 0 ? DownloadBar() : nil
            let dataset: Dataset
            do {
                defer { bar?.finish() }
                dataset = try MNISTDownload().run { bar?.show($0) }
            }
            try cache.store(dataset)
            print("mnist is now in \(cache.path(of: dataset.sha256)), from \(dataset.origin).")
        }
    }

    /// `lockstep data verify`
    struct Verify: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Check the data sets of the cache, or the IDX files of a folder.",
            discussion: """
                Prints sizes and the SHA-256 of the uncompressed files, and which data set they \
                are. A damaged file is named, with exit code 65, and stays where it is.

                Examples:
                  lockstep data verify
                  lockstep data verify ~/datasets/MNIST/raw
                """)

        @Argument(
            help: ArgumentHelp(
                "A folder with the four IDX files, raw or gzip, or a torchvision root.",
                valueName: "folder"))
        var folder: String?

        func run() throws {
            if let folder {
                try verifyFolder(folder)
            } else {
                try verifyCache(DatasetCache(environment: ProcessInfo.processInfo.environment))
            }
        }

        private func verifyFolder(_ path: String) throws {
            let folder = try DatasetFolder(path: path)
            let dataset = try folder.load()
            let rows = try folder.files.map { file in
                let size = try FileManager.default.attributesOfItem(atPath: file.path)[.size]
                return [
                    file.path, "\((size as? NSNumber)?.intValue ?? 0)",
                    "\(dataset.examples(of: file.part).count)",
                    "\(dataset.sha256(of: file.part))", dataset.isMNIST(file.part) ? "yes" : "no",
                ]
            }
            print(
                TextTable(
                    words: [["file", "bytes", "examples", "sha256 (uncompressed)", "MNIST's"]]
                        + rows
                ).text())
            print("\nThis is \(dataset.name), SHA-256 \(dataset.sha256).")
        }

        private func verifyCache(_ cache: DatasetCache) throws {
            var datasets: [Dataset] = []
            var damages: [DatasetError] = []
            for entry in cache.entries() {
                do throws(DatasetError) {
                    datasets.append(try cache.verified(entry))
                } catch {
                    damages.append(error)
                }
            }
            guard !datasets.isEmpty || !damages.isEmpty else {
                print("\(cache.folder) holds no data set. 'lockstep data fetch' downloads MNIST.")
                return
            }
            let rows = datasets.map { dataset in
                [
                    dataset.name, "\(dataset.payloadByteCount)", "\(dataset.train.count)",
                    "\(dataset.test.count)", "\(dataset.sha256)",
                ]
            }
            if !rows.isEmpty {
                print("\(cache.folder), verified:")
                print(
                    TextTable(words: [["data set", "bytes", "train", "test", "sha256"]] + rows)
                        .text())
            }
            for damage in damages.dropLast() { printNote("\(damage)") }
            if let last = damages.last { throw last }
        }
    }

    /// `lockstep data show`
    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Draw some digits in the terminal, each under its label.",
            discussion: """
                Examples:
                  lockstep data show
                  lockstep data show --data synthetic --count 12
                  lockstep data show --data DIR --split train --index 59000
                """)

        enum Split: String, CaseIterable, ExpressibleByArgument {
            case train, test
        }

        @Option(help: "A folder of IDX files, mnist or synthetic. Default: as for training.")
        var data: String?

        @Option(help: "train or test.")
        var split = Split.test

        @Option(parsing: .unconditional, help: "The first example, counted from 0.")
        var index = 0

        @Option(parsing: .unconditional, help: "How many.")
        var count = 6

        func validate() throws {
            guard index >= 0 else {
                throw ValidationError("--index is \(index); examples are counted from 0.")
            }
            guard count > 0 else {
                throw ValidationError("--count is \(count); give the number of digits, 1 or more.")
            }
        }

        func run() throws {
            let found = try DatasetSource(environment: ProcessInfo.processInfo.environment)
                .find(data.map(DatasetRequest.init))
            found.notes.forEach(printNote)
            let examples = split == .train ? found.dataset.train : found.dataset.test
            guard index < examples.count else {
                throw ValidationError(
                    "--index is \(index), but there are \(examples.count) examples in "
                        + "--split \(split.rawValue): the last one is \(examples.count - 1).")
            }
            let picture = DigitPicture(examples)
            let end = index + min(count, examples.count - index)
            let columns = max(1, terminalWidth() / DigitPicture.width)
            for first in stride(from: index, to: end, by: columns) {
                print(picture.row(first..<min(first + columns, end)))
            }
        }
    }
}

/// A sentence for the user that is not a result.
private func printNote(_ note: String) {
    FileHandle.standardError.write(Data((note + "\n").utf8))
}

private func terminalWidth() -> Int {
    var size = winsize()
    let known = unsafe ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0
    return known ? Int(size.ws_col) : 80
}
