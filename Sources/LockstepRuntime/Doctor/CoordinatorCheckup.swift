package import Datasets
import Foundation
import LockstepProtocol
import Synchronization
import TrainingPlan
package import ZeroMQ

/// Looks at a coordinator as a member on this host would meet it.
///
/// Each look builds on the one before: it ends with the first that finds what keeps members out.
package final class CoordinatorCheckup {
    /// The way to the coordinator's host, as measured.
    package struct Link: Codable, Sendable {
        package let roundTripMicroseconds: Int
        package let bytesPerSecond: Double?
    }

    private let coordinator: Endpoint
    private let key: ClusterKey?
    private let dataset: Dataset?
    package private(set) var results: [CheckResult] = []
    package private(set) var link: Link?
    /// Hosts with workers, this one not counted.
    package private(set) var otherHosts: Set<String> = []

    private static let lookupMilliseconds = 2_000
    private static let reachMilliseconds = 1_500
    private static let answerMilliseconds = 2_000
    private static let throughputMilliseconds = 500
    /// Above that, logs of several hosts do not line up.
    private static let clockMilliseconds = 2_000

    /// - Parameters:
    ///   - key: of this host; nil where it has none.
    ///   - dataset: what this host was told to train on, if it was told.
    package init(_ coordinator: Endpoint, key: ClusterKey?, dataset: Dataset?) {
        self.coordinator = coordinator
        self.key = key
        self.dataset = dataset
    }

    package func run() {
        guard coordinator.transport == .tcp else { return meet() }
        guard let addresses = resolve(), let address = addresses.first,
            reach(address, of: addresses), greet(address)
        else { return }
        meet()
    }

    // MARK: The way there

    private func resolve() -> [Endpoint]? {
        let topic = "name"
        switch NameLookup(coordinator).answer(withinMilliseconds: Self.lookupMilliseconds) {
        case nil:
            results.append(
                .red(
                    topic,
                    "the resolver of this host has not answered about "
                        + "\(coordinator.host ?? "") for \(Self.lookupMilliseconds / 1_000) s",
                    "look at /etc/resolv.conf, or give the address in numbers"))
        case .failure(let problem):
            results.append(
                .red(
                    topic, "\(problem)",
                    "check the spelling, add it to /etc/hosts, or give the address in numbers"))
        case .success(let addresses):
            let hosts = addresses.compactMap(\.host)
            let text =
                hosts.first == coordinator.host
                ? "\(hosts[0]) is an address"
                : "\(coordinator.host ?? "") is " + hosts.joined(separator: ", ")
            results.append(.green(topic, text))
            return addresses
        }
        return nil
    }

    private func reach(_ address: Endpoint, of addresses: [Endpoint]) -> Bool {
        let topic = "port"
        let way = Reachability.of(address, timeoutMilliseconds: Self.reachMilliseconds)
        if way.isConnected {
            results.append(.green(topic, "\(way)"))
            // A connection takes a round trip; the best of a few was not kept waiting.
            let times = (0..<4).map { _ in
                Reachability.of(address, timeoutMilliseconds: Self.reachMilliseconds).microseconds
            }
            link = Link(
                roundTripMicroseconds: min(way.microseconds, times.min() ?? .max),
                bytesPerSecond: nil)
            return true
        }
        // Members connect to the first only.
        if let other = addresses.dropFirst().first(where: {
            Reachability.of($0, timeoutMilliseconds: Self.reachMilliseconds / 2).isConnected
        }) {
            results.append(
                .red(
                    topic, "\(way); but \(other.text) answers",
                    "use --coordinator \(other.text), or bind the coordinator to tcp://*"))
            return false
        }
        let isOnlyVersion6 =
            addresses.allSatisfy { $0.host?.contains(":") == true }
            && coordinator.host != address.host
        let remedy =
            switch way.outcome {
            case .refused:
                isOnlyVersion6
                    ? "the name resolves to IPv6 addresses only: bind the coordinator to tcp://*, or "
                        + "give its IPv4 address"
                    : "start the coordinator; is it bound to an address that others reach (--bind), "
                        + "and is the port right?"
            case .silent:
                "is the host up, and TCP port \(address.port ?? 0) open in its firewall and those on "
                    + "the way?"
            case .failed, .connected:
                isOnlyVersion6
                    ? "the name resolves to IPv6 addresses only, and this host has no way to them: "
                        + "give an IPv4 address, or set up IPv6"
                    : "look at the routes of this host (ip route get \(address.host ?? ""))"
            }
        results.append(.red(topic, "\(way)", remedy))
        return false
    }

    private func greet(_ address: Endpoint) -> Bool {
        let topic = "key"
        switch (
            Greeting.of(address, timeoutMilliseconds: Self.reachMilliseconds), key
        ) {
        case (.silence, _):
            results.append(
                .red(
                    "program", "\(address.text) takes connections and says nothing",
                    "is it a forwarder whose other end is closed, or a process that is stopped?"))
        case (.foreign, _):
            results.append(
                .red(
                    "program", "what listens at \(address.text) is not Lockstep",
                    "give the coordinator another port, or correct --coordinator"))
        case (.mechanism("CURVE"), nil):
            results.append(
                .red(
                    topic, "the coordinator lets nobody in without its key, and there is none here",
                    "copy the coordinator's key file to this host, and name it with --key",
                    .refusedByKey))
        case (.mechanism("NULL"), let key?):
            results.append(
                .red(
                    topic, "the coordinator has no key, and this host has \(key.fingerprint)",
                    "start the coordinator with the key, or use --insecure in a network that you "
                        + "trust", .refusedByKey))
        case (.mechanism, _): return true
        }
        return false
    }

    // MARK: The coordinator

    private func meet() {
        do {
            let client = try OperatorClient(
                coordinator, waitTimeoutMilliseconds: Self.answerMilliseconds, key: key)
            // The first answer waits for the connection.
            _ = try client.overview()
            let before = Date()
            let overview = try client.overview()
            let now = Date()
            let workers = overview.members.map(\.name).filter { $0.role == .worker }
            otherHosts = Set(workers.map(\.host)).subtracting([hostName])
            results.append(
                key.map { .green("key", "\($0.fingerprint), accepted") }
                    ?? .yellow(
                        "key", "none: anyone who reaches the coordinator's ports may come in",
                        "leave --insecure out, and give all of them the key"))
            compareRelease(overview)
            compareData(overview)
            compareClock(overview, before, now)
            try reachData(overview, client)
        } catch let error as RoleError {
            let (topic, remedy) =
                switch error.reason.exitCode {
                case .refusedByKey: ("key", "copy the coordinator's key file here")
                case .mismatch: ("same release", "start the same release of Lockstep everywhere")
                default: ("program", "look at the coordinator's log: is it stopped or overloaded?")
                }
            results.append(.red(topic, error.reason.text, remedy, error.reason.exitCode))
        } catch {
            results.append(.red("program", "\(error)", "look at the coordinator's log"))
        }
    }

    private func compareRelease(_ overview: ClusterOverview) {
        let topic = "same release"
        let host = overview.host
        if host.arithmeticVersion != arithmeticVersion {
            results.append(
                .red(
                    topic,
                    "the coordinator computes by arithmetic \(host.arithmeticVersion), and "
                        + "this host by \(arithmeticVersion)",
                    "start the same release of Lockstep everywhere", .mismatch))
        } else if host.release != lockstepVersion {
            results.append(
                .yellow(
                    topic, "the coordinator is \(host.release), and this is \(lockstepVersion)",
                    "they fit; the same release everywhere is easier to reason about"))
        } else {
            results.append(.green(topic, "\(host.release) on both sides"))
        }
    }

    private func compareData(_ overview: ClusterOverview) {
        let topic = "same data"
        let theirs = "\(overview.dataset.name) \(overview.dataset.sha256.prefix(12))"
        guard let dataset, "\(dataset.sha256)" != overview.dataset.sha256 else {
            results.append(.green(topic, "the coordinator trains on \(theirs)"))
            return
        }
        results.append(
            .red(
                topic,
                "the coordinator trains on \(theirs), and --data is \(dataset.name) "
                    + "\("\(dataset.sha256)".prefix(12))",
                "leave --data out: a worker gets the coordinator's", .mismatch))
    }

    private func compareClock(_ overview: ClusterOverview, _ before: Date, _ now: Date) {
        let topic = "same time"
        let here = (before.timeIntervalSince1970 + now.timeIntervalSince1970) / 2
        let offset = Double(overview.host.clockMilliseconds) / 1_000 - here
        let text = String(format: "the coordinator's clock is %+.1f s from this one", offset)
        results.append(
            abs(offset) * 1_000 > Double(Self.clockMilliseconds)
                ? .yellow(
                    topic, text,
                    "no run depends on it, but the logs of both hosts do not line up: start a time "
                        + "service (chrony)")
                : .green(topic, text))
    }

    private func reachData(_ overview: ClusterOverview, _ client: OperatorClient) throws {
        let topic = "data ports"
        let endpoints = overview.dataEndpoints.prefix(Self.maximumDataPorts).compactMap {
            try? Endpoint($0)
        }.map { $0.isEverywhere ? $0.with(host: coordinator.host ?? "127.0.0.1") : $0 }
        for outcome in Self.reach(endpoints.filter { $0.transport == .tcp }) {
            switch outcome {
            case .success(let way) where way.isConnected: continue
            case .success(let closed):
                results.append(
                    .red(
                        topic, "\(closed)",
                        "open TCP port \(closed.endpoint.port ?? 0) for this host, or choose the "
                            + "ports with --data-ports and the address with --advertise"))
            case .failure(let unresolved):
                results.append(
                    .red(
                        topic, "the coordinator advertises \(unresolved)",
                        "give it a name or an address that this host knows with --advertise"))
            }
            return
        }
        results.append(
            .green(
                topic,
                endpoints.isEmpty
                    ? "none"
                    : "\(endpoints.count) answer: "
                        + endpoints.map(\.text).joined(separator: ", ")))
        guard let first = endpoints.first else { return }
        let rate = try client.throughput(
            from: first.text, overview.dataset, milliseconds: Self.throughputMilliseconds)
        if let link {
            self.link = Link(
                roundTripMicroseconds: link.roundTripMicroseconds, bytesPerSecond: rate)
            let speed = rate.map { String(format: ", %.0f MB/s", $0 / 1e6) } ?? ""
            results.append(
                .green(
                    "link",
                    String(format: "%.2f ms", Double(link.roundTripMicroseconds) / 1_000) + speed))
        }
    }

    private static let maximumDataPorts = 16

    /// All at once: each may take its time.
    private static func reach(_ endpoints: [Endpoint]) -> [Result<Reachability, UnresolvedHost>] {
        typealias Outcome = Result<Reachability, UnresolvedHost>
        let outcomes = Mutex<[Int: Outcome]>([:])
        DispatchQueue.concurrentPerform(iterations: endpoints.count) { index in
            let outcome: Outcome
            switch NameLookup(endpoints[index]).answer(withinMilliseconds: lookupMilliseconds) {
            case .success(let addresses):
                outcome = .success(
                    .of(addresses[0], timeoutMilliseconds: reachMilliseconds))
            case .failure(let problem): outcome = .failure(problem)
            case nil:
                outcome = .failure(
                    UnresolvedHost(host: endpoints[index].host ?? "", code: EAI_AGAIN))
            }
            outcomes.withLock { $0[index] = outcome }
        }
        return outcomes.withLock { outcomes in endpoints.indices.compactMap { outcomes[$0] } }
    }
}
