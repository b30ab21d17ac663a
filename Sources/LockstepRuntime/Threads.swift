import CLinux
import Glibc

/// Starts a thread that nobody waits for.
///
/// - Returns: false where the system gives none. Foundation's threads say nothing of that.
package func startThread(named name: String, _ body: @escaping @Sendable () -> Void) -> Bool {
    let box = unsafe Unmanaged.passRetained(ThreadBody(name, body))
    var thread = pthread_t()
    guard unsafe pthread_create(&thread, nil, runBody, box.toOpaque()) == 0 else {
        unsafe box.release()
        return false
    }
    pthread_detach(thread)
    return true
}

private final class ThreadBody: Sendable {
    let name: String
    let run: @Sendable () -> Void

    init(_ name: String, _ run: @escaping @Sendable () -> Void) {
        self.name = name
        self.run = run
    }
}

private func runBody(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let argument = unsafe argument else { return nil }
    let body = unsafe Unmanaged<ThreadBody>.fromOpaque(argument).takeRetainedValue()
    unsafe lockstep_set_name(body.name)
    body.run()
    return nil
}
