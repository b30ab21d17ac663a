import CrashPoints
import Datasets
import Hashing
import LockstepProtocol
import NeuralNetwork
import TrainingPlan
import ZeroMQ

/// How a worker comes by the session's data set: given, from the cache, or from the coordinator.
///
/// What trains is the sparse form; the pixels are let go of as soon as it is made.
final class WorkerData: WorkerDataSource {
    private(set) var examples: SparseExamples?
    private(set) var trainingExampleCount = 0
    let isQuick = false
    let shape = ExampleShape.digits
    private var given: Dataset?
    private let cache: DatasetCache
    private let notice: (String) -> Void
    private var wanted: DatasetDescription?
    /// Of the examples that are there: a worker that joins again has them.
    private var sha256: String?
    private var payload: [UInt8] = []

    init(given: Dataset?, cache: DatasetCache, notice: @escaping (String) -> Void) {
        self.given = given
        self.cache = cache
        self.notice = notice
    }

    /// Whether the data set is on this host.
    func find(_ description: DatasetDescription) -> Bool {
        CrashPoint.datasetSeeking.pass()
        if sha256 == description.sha256 { return true }
        if let given, "\(given.sha256)" == description.sha256 {
            use(given)
            return true
        }
        guard let digest = SHA256.Digest(description.sha256) else { return false }
        if let cached = cache.load(digest, name: description.name, note: notice) {
            use(cached)
            return true
        }
        wanted = description
        payload = [UInt8](repeating: 0, count: Int(description.byteCount))
        return false
    }

    /// Keeps a part that the coordinator has sent.
    func store(_ message: borrowing Message, _ part: BytePart) {
        unsafe message.withUnsafeBytes { frame in
            let source = unsafe FrameCodec.payload(of: frame)
            unsafe payload.withUnsafeMutableBytes { bytes in
                unsafe UnsafeMutableRawBufferPointer(
                    rebasing: bytes[Int(part.offset)..<Int(part.offset) + source.count]
                ).copyMemory(from: source)
            }
        }
    }

    /// Whether all parts together have the hash that was announced; keeps them in the cache then.
    func verify() -> Bool {
        guard let wanted else { return false }
        CrashPoint.datasetWhole.pass()
        let received = payload
        payload = []
        let dataset: Dataset
        do throws(DatasetError) {
            dataset = try Dataset(
                payload: received, name: wanted.name, origin: "the coordinator")
        } catch {
            notice("The data set from the coordinator cannot be read. \(error)")
            return false
        }
        guard "\(dataset.sha256)" == wanted.sha256 else { return false }
        do throws(CacheError) {
            try cache.store(dataset)
            CrashPoint.datasetCached.pass()
        } catch {
            notice("The data set is not kept for the next time. \(error)")
        }
        use(dataset)
        return true
    }

    private func use(_ dataset: Dataset) {
        examples = SparseExamples(
            pixels: dataset.train.pixels, labels: dataset.train.labels,
            width: LabelledImages.pixelCount)
        trainingExampleCount = dataset.train.count
        sha256 = "\(dataset.sha256)"
        given = nil
    }
}
