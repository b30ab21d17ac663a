package import Datasets
package import NeuralNetwork
package import TrainingPlan

/// What a host computes, measured for a moment: a step's time by the examples in it.
package struct ComputeSpeed: Codable, Sendable {
    package let cores: Int
    /// Of a whole step in one thread, and in one thread per core, for batches of so many examples.
    package let points: [Point]

    package struct Point: Codable, Sendable {
        package let examples: Int
        package let oneThread: Double
        package let allThreads: Double
    }

    /// Trains for some tenths of a second.
    ///
    /// - Parameters:
    ///   - shares: the examples that a worker may have to compute of a step.
    ///   - examples: to train on; their zeros make a difference.
    package init(
        _ configuration: RunConfiguration, shares: [Int], examples: SparseExamples,
        kernels: KernelVariant, cores: Int
    ) {
        self.cores = cores
        let start = SystemClock.nanoseconds
        var points: [Point] = []
        for share in shares.sorted() {
            if let last = points.last, SystemClock.nanoseconds - start > Self.totalNanoseconds {
                // The work is in proportion to the examples, or nearly so.
                let factor = Double(share) / Double(last.examples)
                points.append(
                    Point(
                        examples: share, oneThread: factor * last.oneThread,
                        allThreads: factor * last.allThreads))
                continue
            }
            // A sample that is smaller than the share is trained on, and the rest reckoned.
            let taken = min(share, examples.count)
            let factor = Double(share) / Double(taken)
            func seconds(_ threads: Int) -> Double {
                factor * Self.seconds(configuration, taken, examples, kernels, threads)
            }
            let one = seconds(1)
            points.append(
                Point(
                    examples: share, oneThread: one, allThreads: cores > 1 ? seconds(cores) : one))
        }
        self.points = points
    }

    private static let measuringNanoseconds: UInt64 = 50_000_000
    /// Nobody waits longer for a forecast.
    private static let totalNanoseconds: UInt64 = 1_000_000_000

    /// Of a step, the median.
    private static func seconds(
        _ configuration: RunConfiguration, _ share: Int, _ examples: SparseExamples,
        _ kernels: KernelVariant, _ threads: Int
    ) -> Double {
        var configuration = configuration
        configuration.batchSize = share
        configuration.microBatch = configuration.microBatch.map { min($0, share) }
        let schedule = RunSchedule(configuration, trainingExampleCount: examples.count)
        let team = ThreadTeam(count: threads)
        defer { team.finish() }
        let engine = LocalEngine(
            configuration, schedule, examples: examples, kernels: KernelSet(kernels), team: team)
        var times: [UInt64] = []
        let start = SystemClock.nanoseconds
        var now = start
        var step: Step = 0
        while now - start < measuringNanoseconds || times.isEmpty, step < schedule.endStep {
            _ = engine.advance(step)
            let end = SystemClock.nanoseconds
            times.append(end - now)
            now = end
            step = step.next
        }
        times.sort()
        return Double(times[times.count / 2]) / 1e9
    }

    func seconds(_ examples: Int, allThreads: Bool) -> Double {
        // The next larger point; a share that is not among them was not asked for.
        let point = points.filter { $0.examples >= examples }.min { $0.examples < $1.examples }
        return point.map { allThreads ? $0.allThreads : $0.oneThread } ?? .infinity
    }
}

/// A placement, and how fast it is expected to train.
package struct Forecast: Codable, Sendable {
    /// The command that places a run so.
    package let placement: String
    package let examplesPerSecond: Double

    /// What an exchange costs between processes of one host beside the bytes, and for each worker
    /// more: measured with the usual model on two cores at 3 GHz.
    private static let exchangeSeconds = 260e-6
    private static let workerSeconds = 40e-6

    /// Placements on one host, the fastest first.
    package static func here(_ configuration: RunConfiguration, _ speed: ComputeSpeed)
        -> [Forecast]
    {
        let batch = Double(configuration.batchSize)
        var forecasts = [
            Forecast(
                placement: "--workers 0 --threads 1",
                examplesPerSecond: batch
                    / speed.seconds(configuration.batchSize, allThreads: false))
        ]
        if speed.cores > 1 {
            forecasts.append(
                Forecast(
                    placement: "--workers 0 --threads \(speed.cores)",
                    examplesPerSecond: batch
                        / speed.seconds(configuration.batchSize, allThreads: true)))
        }
        for workers in workerCounts(speed.cores) {
            let share = share(configuration.batchSize, workers)
            let step =
                speed.seconds(share, allThreads: false) + exchangeSeconds
                + workerSeconds * Double(workers)
            forecasts.append(
                Forecast(
                    placement: "--workers \(workers) --threads 1", examplesPerSecond: batch / step))
        }
        return forecasts.sorted { $0.examplesPerSecond > $1.examplesPerSecond }
    }

    /// The first so many of some hosts, the coordinator's before all, one thread per core; the
    /// fastest first.
    ///
    /// - Parameters:
    ///   - speeds: of the hosts.
    ///   - links: to the coordinator's host from each of the others, with what encryption costs.
    ///   - bytesPerSecond: what the coordinator's host takes and gives in all.
    ///   - name: what to call so many of them.
    package static func hosts(
        _ configuration: RunConfiguration, _ speeds: [ComputeSpeed],
        links: [CoordinatorCheckup.Link], bytesPerSecond: Double,
        name: (Int) -> String
    ) -> [Forecast] {
        let batch = Double(configuration.batchSize)
        let byteCount = Double(configuration.layout.parameterCount * 4)
        let alone = Forecast(
            placement: "train --workers 0 on \(name(1))",
            examplesPerSecond: batch
                / speeds[0].seconds(configuration.batchSize, allThreads: true))
        return
            ([alone]
            + (1...speeds.count).map { count in
                let share = share(configuration.batchSize, count)
                let slowest = speeds.prefix(count).map { $0.seconds(share, allThreads: true) }.max()
                let used = links.prefix(count - 1)
                let roundTrip = used.map { Double($0.roundTripMicroseconds) / 1e6 }.max() ?? 0
                // Sums come in and weights go out, one after the other.
                let transfer =
                    used.isEmpty ? 0 : 2 * Double(used.count) * byteCount / bytesPerSecond
                let step =
                    (slowest ?? .infinity) + exchangeSeconds + workerSeconds * Double(count)
                    + transfer + roundTrip
                return Forecast(
                    placement: name(count),
                    examplesPerSecond: batch / step)
            }).sorted { $0.examplesPerSecond > $1.examplesPerSecond }
    }

    /// Counts of workers on one host that are worth a look.
    package static func workerCounts(_ cores: Int) -> [Int] {
        Array(Set([1, 2, 4, 8, cores].filter { $0 <= max(cores, 2) })).sorted()
    }

    /// The examples of the worker that has the most leaves.
    package static func share(_ batchSize: Int, _ workers: Int) -> Int {
        (batchSize + workers - 1) / workers
    }
}

extension SparseExamples {
    /// Some of a data set, or of generated digits where there is none: enough to measure with.
    package static func sample(of dataset: Dataset?) -> SparseExamples {
        let count = 8_192
        let images =
            dataset?.train ?? SyntheticDigits(trainCount: count, testCount: 1).dataset().train
        let taken = min(count, images.count)
        return SparseExamples(
            pixels: images.pixels.prefix(taken * LabelledImages.pixelCount),
            labels: images.labels.prefix(taken), width: LabelledImages.pixelCount)
    }
}
