import CLinux
import Foundation
import LockstepProtocol

/// The three streams that every process is started with.
enum StandardStreams {
    /// Fills those that are closed. Else a file that is opened later takes the number of one, and
    /// what is printed goes into it.
    static func open() {
        for descriptor in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO]
        where fcntl(descriptor, F_GETFD) < 0 {
            // The lowest number that is free is given. Opened the wrong way round, so that using it
            // fails as it does with a stream that is closed.
            _ = unsafe Foundation.open(
                "/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY)
        }
    }

    static let output = "standard output"

    /// Makes sure that what was printed has arrived.
    ///
    /// - Parameter place: where the result stands all the same, if it does.
    /// - Throws: ``CommandEnd`` with `cannotWrite`.
    static func flushOutput(alsoIn place: String? = nil) throws(CommandEnd) {
        let code = lockstep_flush_output()
        guard code != 0 else { return }
        let cause = unsafe String(cString: strerror(code))
        let remedy = place.map { "the result is in \($0)" } ?? "print it somewhere else"
        throw CommandEnd(
            reason: StopReason(
                .cannotWrite, "\(output) takes nothing: \(cause); \(remedy)"))
    }
}

extension CommandLine {
    /// Refuses what is not text: it would be read as other text, and name another file.
    ///
    /// - Throws: ``UsageError`` for an argument, or for a variable that names a file, that is not
    ///   UTF-8.
    static func checkEncoding() throws(UsageError) {
        for index in 1..<max(Int(argc), 1) {
            guard let argument = unsafe unsafeArgv[index] else { continue }
            if unsafe String(validatingCString: argument) == nil {
                throw Self.notText("argument \(index)", unsafe String(cString: argument))
            }
        }
        var next = unsafe environ as UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
        while let entry = unsafe next.pointee {
            let text = unsafe String(cString: entry)
            if isOurs(text), unsafe String(validatingCString: entry) == nil {
                throw Self.notText("the environment", text)
            }
            unsafe next += 1
        }
    }

    private static func isOurs(_ entry: String) -> Bool {
        ["LOCKSTEP_", "XDG_", "HOME=", "TMPDIR="].contains(where: entry.hasPrefix)
    }

    private static func notText(_ place: String, _ text: String) -> UsageError {
        UsageError(
            "\(place) (\(text))", "its bytes are not UTF-8",
            "rename the file or folder, or reach it by another path")
    }
}
