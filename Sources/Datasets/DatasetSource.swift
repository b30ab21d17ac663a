/// Which data set the user asked for with `--data` or `LOCKSTEP_DATA`.
package enum DatasetRequest: Equatable, Sendable {
    /// Any IDX set in this folder.
    case folder(String)
    /// MNIST and nothing else, by its checksums.
    case mnist
    case synthetic

    /// `mnist`, `synthetic`, or a path. (A folder of that name is `./mnist`.)
    package init(_ text: String) {
        switch text {
        case "mnist": self = .mnist
        case "synthetic": self = .synthetic
        default: self = .folder(text)
        }
    }
}

/// Finds the data to train on.
package struct DatasetSource: Sendable {
    package struct Found: Sendable {
        package let dataset: Dataset
        /// What was used and why, a sentence each, for the user.
        package let notes: [String]
    }

    private let environment: [String: String]
    private let cache: DatasetCache
    private let download: MNISTDownload
    private let synthetic: SyntheticDigits

    /// - Parameters:
    ///   - environment: of the process; `LOCKSTEP_DATA`, `XDG_CACHE_HOME` and `HOME` matter.
    ///   - cache: where it is by default follows from the environment.
    package init(
        environment: [String: String], cache: DatasetCache? = nil,
        download: MNISTDownload = MNISTDownload(), synthetic: SyntheticDigits = SyntheticDigits()
    ) {
        self.environment = environment
        self.cache = cache ?? DatasetCache(environment: environment)
        self.download = download
        self.synthetic = synthetic
    }

    /// The data set asked for. Without a request: `LOCKSTEP_DATA`, then MNIST from the cache, then
    /// by download, then generated digits.
    ///
    /// - Throws: `DatasetError`; `DownloadError` where MNIST is asked for and cannot be had.
    package func find(
        _ request: DatasetRequest?,
        progress: @escaping @Sendable (MNISTDownload.Progress) -> Void = { _ in }
    ) throws -> Found {
        if let request { return try find(request, progress) }
        if let requested = environmentRequest {
            let found = try find(requested, progress)
            return Found(
                dataset: found.dataset, notes: ["LOCKSTEP_DATA chooses the data."] + found.notes)
        }
        do throws(DownloadError) {
            return try mnist(progress)
        } catch {
            let found = generate()
            return Found(
                dataset: found.dataset,
                notes: ["MNIST is not at hand: \(error.description)"] + found.notes)
        }
    }

    private var environmentRequest: DatasetRequest? {
        environment["LOCKSTEP_DATA"].flatMap { $0.isEmpty ? nil : DatasetRequest($0) }
    }

    private func find(
        _ request: DatasetRequest, _ progress: @escaping @Sendable (MNISTDownload.Progress) -> Void
    ) throws -> Found {
        switch request {
        case .folder(let path):
            let dataset = try DatasetFolder(path: path).load()
            return Found(dataset: dataset, notes: ["Using \(dataset.name) from \(path)."])
        case .mnist:
            if case .folder(let path) = environmentRequest {
                let dataset = try DatasetFolder(path: path).load(requiringMNIST: true)
                return Found(
                    dataset: dataset, notes: ["Using mnist from \(path) (LOCKSTEP_DATA)."])
            }
            return try mnist(progress)
        case .synthetic:
            return generate()
        }
    }

    private func mnist(
        _ progress: @escaping @Sendable (MNISTDownload.Progress) -> Void
    ) throws(DownloadError) -> Found {
        var notes: [String] = []
        if let dataset = cache.load(MNIST.sha256, note: { notes.append($0) }) {
            return Found(dataset: dataset, notes: notes + ["Using mnist from \(dataset.origin)."])
        }
        let dataset: Dataset
        do throws(DownloadError) {
            dataset = try download.run(progress: progress)
        } catch {
            throw DownloadError(file: error.file, attempts: notes + error.attempts)
        }
        notes.append("Using \(dataset.name), downloaded from \(dataset.origin).")
        do throws(CacheError) {
            try cache.store(dataset)
            notes.append("It is kept in \(cache.path(of: dataset.sha256)).")
        } catch {
            notes.append("It is not kept. \(error.description)")
        }
        return Found(dataset: dataset, notes: notes)
    }

    private func generate() -> Found {
        let dataset = synthetic.dataset()
        let counts = "\(dataset.train.count) + \(dataset.test.count)"
        return Found(
            dataset: dataset,
            notes: ["Using \(counts) generated digits, \(dataset.name): this is not MNIST."])
    }
}
