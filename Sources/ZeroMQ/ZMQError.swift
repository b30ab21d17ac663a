import CZeroMQ

/// A call of libzmq (or of the system, for a wake-up) that failed: which, on what, and why.
package struct ZMQError: Error, Equatable, Sendable {
    /// The errno as libzmq left it; `EFSM` is one of its own.
    package let code: CInt
    /// The C function, for example `zmq_bind`.
    package let call: String
    /// What the call was about, where there is such a thing: an endpoint or an option.
    package let subject: String?

    package init(code: CInt, call: String, subject: String? = nil) {
        self.code = code
        self.call = call
        self.subject = subject
    }
}

extension ZMQError: CustomStringConvertible {
    /// What happened, to what, and what to do next.
    package var description: String {
        let reason = unsafe String(cString: zmq_strerror(code))
        let place = subject.map { " on \($0)" } ?? ""
        let advice = remedy.map { "; \($0)" } ?? ""
        return "\(call) failed\(place): \(reason) (errno \(code))\(advice)"
    }

    private var remedy: String? {
        switch code {
        case EADDRINUSE:
            "another process has this address: stop it (ss -ltnp shows it) or choose another port"
        case EADDRNOTAVAIL, ENODEV:
            "this host has no such address or interface: bind to one of its own, or to tcp://*:PORT"
        case EACCES: "this user may not: choose a port above 1023 or another path"
        case EINVAL where call == "zmq_connect":
            "the address names no peer: give a host and a port"
        case EPROTONOSUPPORT: "this libzmq was built without that transport"
        case EMFILE, ENFILE: "too many open sockets or files: close some or raise the limit"
        case ENOTSUP: "this libzmq was built without that feature"
        case EFSM: "a reply socket receives and sends in turn"
        default: nil
        }
    }
}

/// The answer of a C call that says −1 and leaves an errno.
enum Answer {
    case value(CInt)
    case failure(CInt)
}

/// Makes a C call until no signal cuts it short: the only place that knows of `EINTR`. A body that
/// waits reads the time left anew at each attempt.
@inline(__always)
func uninterrupted(_ body: () -> CInt) -> Answer {
    while true {
        let value = body()
        if value != -1 { return .value(value) }
        let code = zmq_errno()
        if code != EINTR { return .failure(code) }
    }
}

/// Makes a C call in which every failure is an error.
@discardableResult @inline(__always)
func check(
    _ call: String, on subject: @autoclosure () -> String? = nil, _ body: () -> CInt
) throws(ZMQError) -> CInt {
    switch uninterrupted(body) {
    case .value(let value): return value
    case .failure(let code): throw ZMQError(code: code, call: call, subject: subject())
    }
}
