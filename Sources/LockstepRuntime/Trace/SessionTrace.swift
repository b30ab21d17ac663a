package import LockstepProtocol
import RunRecords

/// A session's timeline from its beginning to the file at its end.
package struct SessionTrace: Sendable {
    package let store: TraceStore
    private let request: SessionRequest
    private let path: String
    private let observer: any SessionObserver

    /// Nil where none was asked for.
    package init?(_ request: SessionRequest, observer: any SessionObserver) {
        guard let path = request.trace else { return nil }
        self.path = path
        self.request = request
        self.observer = observer
        store = TraceStore { observer.notice($0) }
    }

    /// Writes what there is, however the session has ended.
    ///
    /// - Returns: what kept it from being written, if anything did.
    package func write() -> StopReason? {
        do throws(FileError) {
            try TraceFile.write(store, of: request, to: path)
        } catch {
            observer.notice("there is no trace: \(error)")
            return StopReason(.cannotWrite, "\(error)")
        }
        observer.notice("the trace is in \(path): open it at ui.perfetto.dev")
        return nil
    }
}
