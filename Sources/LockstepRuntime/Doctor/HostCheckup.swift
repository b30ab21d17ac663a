package import Datasets
import Foundation
import LockstepProtocol
import NeuralNetwork
import RunRecords
import TrainingPlan
package import ZeroMQ

/// Looks at this host as a run would use it.
package struct HostCheckup {
    private let environment: [String: String]
    private let runFolder: String

    /// - Parameter runFolder: where records are to go; it need not be there yet.
    package init(environment: [String: String], runFolder: String) {
        self.environment = environment
        self.runFolder = runFolder
    }

    // MARK: The machine

    /// What the program is, and what it may use.
    package func machine() -> [CheckResult] {
        [release, kernels, cores, memory, descriptors, clock]
    }

    private var release: CheckResult {
        .green(
            "release",
            "lockstep \(lockstepVersion), arithmetic \(arithmeticVersion), protocol "
                + "\(protocolVersion), libzmq \(Library.version.major).\(Library.version.minor)."
                + "\(Library.version.patch)")
    }

    private var kernels: CheckResult {
        do throws(KernelVariantError) {
            let variant = try KernelVariant.selected(environment: environment)
            let best = KernelVariant.allCases.last(where: \.isSupported) ?? .baseline
            if variant != best {
                return .yellow(
                    "kernels",
                    "LOCKSTEP_KERNELS asks for \(variant.rawValue), and this CPU has "
                        + "\(best.rawValue)", "unset it: the bits are the same, only faster")
            }
            #if arch(x86_64)
                if variant == .baseline {
                    return .yellow(
                        "kernels",
                        "baseline: this CPU has no AVX2, and each multiply-add is a call",
                        "use a newer CPU; the bits are the same")
                }
            #endif
            return .green("kernels", variant.rawValue)
        } catch {
            return .red("kernels", "\(error)", "unset LOCKSTEP_KERNELS", .mismatch)
        }
    }

    private var cores: CheckResult {
        let resources = HostResources.cores
        let present = ProcessInfo.processInfo.processorCount
        let text =
            resources == present
            ? "\(present)" : "\(resources) of \(present) (affinity or a control group)"
        if resources < 2 {
            return .yellow(
                "cores", text,
                "with one core use --workers 0, or give the process more (taskset, cpu.max)")
        }
        return .green("cores", text)
    }

    private var memory: CheckResult {
        guard let available = HostResources.availableMemory else {
            return .yellow(
                "memory", "the system does not tell how much is free", "check with free -m")
        }
        let text = Self.size(available) + " available"
        if available < Self.neededMemory {
            return .red(
                "memory", "\(text), and a process needs \(Self.size(Self.neededMemory))",
                "end other programs, or raise the limit (ulimit -v, memory.max)")
        }
        if available < 4 * Self.neededMemory {
            return .yellow(
                "memory", "\(text), enough for one or two processes",
                "end other programs, or raise the limit (ulimit -v, memory.max)")
        }
        return .green("memory", text)
    }

    /// Of a process that holds MNIST: 130 MB at its largest, and some room.
    private static let neededMemory: UInt64 = 192 << 20

    private var descriptors: CheckResult {
        let needed = FileDescriptorLimit.needed(sockets: 12, connections: 64)
        do throws(FileDescriptorLimitError) {
            try FileDescriptorLimit.reserve(needed)
            return .green("descriptors", "room for \(needed) and more")
        } catch {
            return .red(
                "descriptors",
                "at most \(error.limit) files and connections may be open (RLIMIT_NOFILE), and "
                    + "\(error.needed) are needed", "raise it: ulimit -n \(error.needed)")
        }
    }

    private var clock: CheckResult {
        let now = Date().formatted(.iso8601)
        // No release is older.
        if now < "2026" {
            return .yellow("clock", "\(now) is in the past", "set it, or start a time service")
        }
        return .green("clock", now)
    }

    // MARK: Files

    /// Whether a run can keep its records.
    package func records() -> CheckResult {
        let topic = "run folder"
        var place = runFolder
        while !FileManager.default.fileExists(atPath: place), place != "/", !place.isEmpty {
            let parent = URL(fileURLWithPath: place).deletingLastPathComponent().path
            place = parent
        }
        if FileManager.default.fileExists(atPath: "\(runFolder)/\(FolderLock.fileName)") {
            do {
                withExtendedLifetime(try FolderLock(runFolder)) {}
            } catch let error as FolderInUse {
                return .red(topic, "\(error)", "wait for its end, or choose another --run-dir")
            } catch {}
        }
        if let problem = writeProblem(in: place) {
            return .red(
                topic, "\(runFolder): cannot write in \(place): \(problem)",
                "free some space, check the permissions, or choose another --run-dir")
        }
        var status = statvfs()
        guard unsafe statvfs(place, &status) == 0 else {
            return .green(topic, "\(runFolder) can be written")
        }
        let free = UInt64(status.f_bavail) * UInt64(status.f_frsize)
        let text = "\(runFolder): \(Self.size(free)) free"
        if free < Self.neededRoom || status.f_favail < Self.neededFiles && status.f_files > 0 {
            return .red(
                topic,
                "\(text), \(status.f_favail) files can be made, and a run needs "
                    + Self.size(Self.neededRoom),
                "free some space, or choose another --run-dir")
        }
        if free < 16 * Self.neededRoom {
            return .yellow(topic, text, "long runs write more: free some space")
        }
        return .green(topic, text)
    }

    /// Three checkpoints of the usual model, its log and its weights.
    private static let neededRoom: UInt64 = 16 << 20
    private static let neededFiles = 64
    private static let probeByteCount = 1 << 20

    /// Writes a megabyte to the disk, and removes it.
    private func writeProblem(in folder: String) -> String? {
        var template = Array("\(folder)/.lockstep-doctor-XXXXXX".utf8CString)
        let file = unsafe mkstemp(&template)
        guard file >= 0 else { return unsafe String(cString: strerror(errno)) }
        defer {
            close(file)
            _ = unsafe unlink(template)
        }
        var rest = [UInt8](repeating: 0x4c, count: Self.probeByteCount)[...]
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes {
                unsafe write(file, $0.baseAddress, $0.count)
            }
            guard count > 0 else { return unsafe String(cString: strerror(errno)) }
            rest = rest.dropFirst(count)
        }
        return fsync(file) == 0 ? nil : unsafe String(cString: strerror(errno))
    }

    /// The data that a run here would train on, without a download.
    ///
    /// - Parameter request: of `--data`.
    package func data(_ request: String?) -> (result: CheckResult, dataset: Dataset?) {
        let topic = "data"
        let named =
            request ?? environment["LOCKSTEP_DATA"].flatMap { $0.isEmpty ? nil : $0 }
        let source = DatasetSource(environment: environment)
        func text(_ dataset: Dataset) -> String {
            "\(dataset.name) \("\(dataset.sha256)".prefix(12)), \(dataset.train.count) examples, from "
                + dataset.origin
        }
        if let named, named != "mnist" || environment["LOCKSTEP_DATA"] != nil {
            do {
                let dataset = try source.find(DatasetRequest(named)).dataset
                return (.green(topic, text(dataset)), dataset)
            } catch {
                return (
                    .red(topic, "\(error)", "name another place with --data", .mismatch), nil
                )
            }
        }
        let cache = DatasetCache(environment: environment)
        if let dataset = cache.load(MNIST.sha256, note: { _ in }) {
            return (.green(topic, text(dataset)), dataset)
        }
        return (
            .yellow(
                topic,
                "MNIST is not in the cache: a coordinator here downloads it, or generates "
                    + "digits; a worker gets the coordinator's data",
                "fetch it with lockstep data fetch"), nil
        )
    }

    // MARK: Ports

    /// Whether a coordinator can listen here.
    ///
    /// - Parameter endpoints: its control port, then its data ports.
    package func ports(_ endpoints: [Endpoint]) -> CheckResult {
        let topic = "ports"
        do {
            let context = try Context()
            var sockets: [Bound] = []
            for endpoint in endpoints { sockets.append(try Bound(endpoint, context)) }
            withExtendedLifetime(sockets) {}
            return .green(topic, endpoints.map(\.text).joined(separator: ", ") + " can be bound")
        } catch let error as RoleError {
            let addresses = Reachability.interfaces.sorted { $0.value < $1.value }
                .map { "\($0.key) (\($0.value))" }.joined(separator: ", ")
            return .red(
                topic, error.reason.text,
                error.reason.text.contains("in use")
                    ? "stop what has it, give another port, or look at a cluster that runs with "
                        + "--coordinator"
                    : "bind an address of this host: \(addresses)")
        } catch {
            return .red(topic, "\(error)", "give another --bind")
        }
    }

    /// A socket that listens until it goes.
    private final class Bound {
        let socket: Socket

        init(_ endpoint: Endpoint, _ context: Context) throws {
            socket = try Socket(.router, in: context)
            _ = try bindNaming(socket, to: endpoint)
        }
    }

    /// For people: `1.5 GB`.
    static func size(_ byteCount: UInt64) -> String {
        byteCount < 1 << 30
            ? "\(byteCount >> 20) MB"
            : String(format: "%.1f GB", Double(byteCount) / Double(1 << 30))
    }
}
