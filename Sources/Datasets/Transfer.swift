import Foundation
import FoundationNetworking

/// Why a mirror did not serve a file.
struct TransferError: Error {
    let reason: String
}

/// How long a mirror is waited for.
package struct TransferPatience: Sendable {
    /// How long it may be silent, before its first byte and later.
    package var idleSeconds = 5.0
    /// What must come in each such time: 20 KB/s.
    package var windowSeconds = 10.0
    package var leastBytesPerWindow = 200_000
    /// For one file.
    package var overallSeconds = 600.0

    package init() {}
}

/// One HTTP GET into memory, bounded in size, in silence, and in time.
///
/// The session calls back on a queue of its own; all state is behind the lock, which is what makes
/// it `Sendable`.
final class Transfer: NSObject, URLSessionDataDelegate, @unchecked Sendable {
    private struct State {
        var body: [UInt8] = []
        var expectedByteCount: Int?
        var lastSign = ContinuousClock.now
        var result: Result<Void, TransferError>?
    }

    private let lock = NSLock()
    private var state = State()
    private let largestByteCount: Int
    private let patience: TransferPatience
    private let progress: @Sendable (Int, Int?) -> Void

    private init(
        atMost byteCount: Int, patience: TransferPatience,
        progress: @escaping @Sendable (Int, Int?) -> Void
    ) {
        largestByteCount = byteCount
        self.patience = patience
        self.progress = progress
    }

    /// Blocks until the body is there or the transfer has failed.
    ///
    /// - Parameter progress: gets the bytes so far and those announced.
    static func run(
        url: String, atMost byteCount: Int, patience: TransferPatience,
        progress: @escaping @Sendable (Int, Int?) -> Void
    ) throws(TransferError) -> [UInt8] {
        guard let address = URL(string: url) else {
            throw TransferError(reason: "this is not an address")
        }
        let transfer = Transfer(
            atMost: byteCount, patience: patience, progress: progress)
        let settings = URLSessionConfiguration.ephemeral
        settings.timeoutIntervalForRequest = patience.idleSeconds
        let session = URLSession(
            configuration: settings, delegate: transfer, delegateQueue: nil)
        defer { session.invalidateAndCancel() }
        session.dataTask(with: address).resume()
        return try transfer.wait()
    }

    /// Looks at the state a few times a second: the session's own time-out does not cover all
    /// phases.
    private func wait() throws(TransferError) -> [UInt8] {
        let began = ContinuousClock.now
        var (windowBegan, windowByteCount) = (began, 0)
        while true {
            let (result, lastSign, byteCount) = lock.withLock {
                (state.result, state.lastSign, state.body.count)
            }
            switch result {
            case .success: return lock.withLock { state.body }
            case .failure(let error): throw error
            case nil: break
            }
            let now = ContinuousClock.now
            if now - lastSign > .seconds(patience.idleSeconds) { throw silence }
            if now - began > .seconds(patience.overallSeconds) {
                throw TransferError(
                    reason: "only \(byteCount) bytes came within \(patience.overallSeconds) s")
            }
            if now - windowBegan > .seconds(patience.windowSeconds) {
                let received = byteCount - windowByteCount
                guard received >= patience.leastBytesPerWindow else {
                    throw TransferError(
                        reason: "only \(received) bytes came in \(patience.windowSeconds) s")
                }
                (windowBegan, windowByteCount) = (now, byteCount)
            }
            Thread.sleep(forTimeInterval: 0.02)
        }
    }

    private var silence: TransferError {
        TransferError(reason: "nothing was received for \(patience.idleSeconds) s")
    }

    private func end(_ result: Result<Void, TransferError>) {
        lock.withLock { if state.result == nil { state.result = result } }
    }

    func urlSession(
        _ session: URLSession, dataTask: URLSessionDataTask, didReceive response: URLResponse,
        completionHandler: @escaping (URLSession.ResponseDisposition) -> Void
    ) {
        let status = (response as? HTTPURLResponse)?.statusCode ?? 0
        guard status == 200 else {
            end(.failure(TransferError(reason: "the server answered with status \(status)")))
            return completionHandler(.cancel)
        }
        let length = Int(response.expectedContentLength)
        lock.withLock {
            state.lastSign = .now
            state.expectedByteCount = length > 0 ? length : nil
        }
        completionHandler(.allow)
    }

    func urlSession(_ session: URLSession, dataTask: URLSessionDataTask, didReceive data: Data) {
        let (byteCount, expected) = lock.withLock {
            state.lastSign = .now
            state.body.append(contentsOf: data)
            return (state.body.count, state.expectedByteCount)
        }
        guard byteCount <= largestByteCount else {
            end(.failure(TransferError(reason: "it is larger than \(largestByteCount) bytes")))
            return dataTask.cancel()
        }
        progress(byteCount, expected)
    }

    func urlSession(
        _ session: URLSession, task: URLSessionTask, didCompleteWithError error: (any Error)?
    ) {
        guard let error else { return end(.success(())) }
        if (error as? URLError)?.code == .timedOut { return end(.failure(silence)) }
        // libcurl's words, without a full stop of their own.
        let reason = error.localizedDescription
        end(
            .failure(TransferError(reason: reason.hasSuffix(".") ? "\(reason.dropLast())" : reason))
        )
    }
}
