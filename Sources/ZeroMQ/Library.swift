import CZeroMQ

/// The libzmq that this process runs with.
package enum Library {
    /// Its version, which may be newer than that of the header which we were compiled against.
    package static var version: (major: Int, minor: Int, patch: Int) {
        var (major, minor, patch): (CInt, CInt, CInt) = (0, 0, 0)
        unsafe zmq_version(&major, &minor, &patch)
        return (Int(major), Int(minor), Int(patch))
    }

    /// Whether it was built with a feature: `curve`, `ipc`, `draft`, …
    package static func has(_ capability: String) -> Bool {
        unsafe zmq_has(capability) == 1
    }
}
