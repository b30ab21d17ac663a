import Glibc

/// How far a TCP connection to a port gets from here, over which way, with nothing said on it.
package struct Reachability: Hashable, Sendable, CustomStringConvertible {
    package enum Outcome: Hashable, Sendable {
        case connected
        /// The host is there, and nothing listens at the port, or a firewall says so.
        case refused
        /// Nobody answers: the host is down, or something on the way swallows the packets.
        case silent
        /// With the `errno` of the system: there is no way to the host, or none is allowed.
        case failed(CInt)
    }

    package let outcome: Outcome
    /// The other end, in numbers.
    package let endpoint: Endpoint
    /// The address of this host that the connection has, or would have; nil where there is no
    /// route.
    package let source: String?
    /// The interface that has this address.
    package let interface: String?
    /// From the first packet to the answer.
    package let microseconds: Int

    package var isConnected: Bool { outcome == .connected }

    /// Both ends, and what is between them.
    package var description: String {
        let here = source.map { source in
            interface.map { "\(source) (\($0))" } ?? source
        }
        let way = here.map { "from \($0) to \(endpoint.text)" } ?? "to \(endpoint.text)"
        switch outcome {
        case .connected: return "\(way): connected"
        case .refused: return "\(way): refused, nothing listens there or a firewall turns it away"
        case .silent:
            return "\(way): no answer, the host is down or a firewall swallows the packets"
        case .failed(let code): return unsafe "\(way): \(String(cString: strerror(code)))"
        }
    }

    /// Tries it, and closes the connection.
    ///
    /// - Parameter endpoint: TCP, in numbers.
    package static func of(_ endpoint: Endpoint, timeoutMilliseconds: Int) -> Reachability {
        let (reachability, file) = connecting(endpoint, timeoutMilliseconds: timeoutMilliseconds)
        if file >= 0 { close(file) }
        return reachability
    }

    /// - Returns: with the connection, which belongs to the caller, or -1. Whoever waits on it does
    ///   so for as long as given.
    static func connecting(
        _ endpoint: Endpoint, timeoutMilliseconds: Int
    ) -> (Reachability, CInt) {
        let start = microsecondsNow
        var file: CInt = -1
        func outcome(_ outcome: Outcome) -> (Reachability, CInt) {
            let taken = microsecondsNow - start
            let source = unsafe withAddress(of: endpoint) { address in
                unsafe file >= 0 ? localAddress(of: file) : route(to: address)
            }
            let name = source.flatMap { interfaces[$0] }
            return (
                Reachability(
                    outcome: outcome, endpoint: endpoint, source: source, interface: name,
                    microseconds: taken), file
            )
        }
        let code: CInt? = unsafe withAddress(of: endpoint) { address in
            file = unsafe socket(
                address.pointee.ai_family,
                address.pointee.ai_socktype | CInt(SOCK_CLOEXEC.rawValue),
                address.pointee.ai_protocol)
            guard file >= 0 else { return errno }
            var time = timeval(
                tv_sec: timeoutMilliseconds / 1_000, tv_usec: timeoutMilliseconds % 1_000 * 1_000)
            // On Linux a connection that is being made keeps to the time for sending.
            for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
                _ = unsafe setsockopt(
                    file, SOL_SOCKET, option, &time, socklen_t(MemoryLayout<timeval>.size))
            }
            if unsafe connect(file, address.pointee.ai_addr, address.pointee.ai_addrlen) == 0 {
                return nil
            }
            let code = errno
            close(file)
            file = -1
            return code
        }
        switch code {
        case nil where file >= 0: return outcome(.connected)
        case nil: return outcome(.failed(EADDRNOTAVAIL))
        case ECONNREFUSED: return outcome(.refused)
        case EINPROGRESS, EAGAIN, ETIMEDOUT: return outcome(.silent)
        case .some(let code): return outcome(.failed(code))
        }
    }

    private static var microsecondsNow: Int {
        var time = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return time.tv_sec * 1_000_000 + time.tv_nsec / 1_000
    }

    /// - Returns: nil also where the endpoint is none in numbers.
    private static func withAddress<Result>(
        of endpoint: Endpoint, _ body: (UnsafeMutablePointer<addrinfo>) -> Result?
    ) -> Result? {
        guard let host = endpoint.host, let port = endpoint.port else { return nil }
        var hints = unsafe addrinfo()
        unsafe hints.ai_socktype = CInt(SOCK_STREAM.rawValue)
        unsafe hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV
        var list: UnsafeMutablePointer<addrinfo>?
        guard unsafe getaddrinfo(host, "\(port)", &hints, &list) == 0, let first = unsafe list
        else { return nil }
        defer { unsafe freeaddrinfo(list) }
        return unsafe body(first)
    }

    // MARK: This end

    /// The address of this host that packets to another have; nil where there is no way to it.
    ///
    /// - Parameter endpoint: TCP, in numbers.
    package static func source(towards endpoint: Endpoint) -> String? {
        unsafe withAddress(of: endpoint) { unsafe route(to: $0) }
    }

    /// The address that packets to the host have: a datagram socket that connects asks for the
    /// route and sends nothing.
    private static func route(to address: UnsafeMutablePointer<addrinfo>) -> String? {
        let file = unsafe socket(
            address.pointee.ai_family, CInt(SOCK_DGRAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
        guard file >= 0 else { return nil }
        defer { close(file) }
        guard unsafe connect(file, address.pointee.ai_addr, address.pointee.ai_addrlen) == 0 else {
            return nil
        }
        return localAddress(of: file)
    }

    private static func localAddress(of file: CInt) -> String? {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        return unsafe withUnsafeMutableBytes(of: &storage) { bytes in
            guard let address = unsafe bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self),
                unsafe getsockname(file, address, &length) == 0
            else { return nil }
            return unsafe numericHost(address, length)
        }
    }

    private static func numericHost(_ address: UnsafePointer<sockaddr>, _ length: socklen_t)
        -> String?
    {
        var bytes = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        guard
            unsafe getnameinfo(
                address, length, &bytes, socklen_t(bytes.count), nil, 0, NI_NUMERICHOST) == 0
        else { return nil }
        return String(
            decoding: bytes.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    /// The addresses of this host in numbers, and the interface of each.
    package static var interfaces: [String: String] {
        var list: UnsafeMutablePointer<ifaddrs>?
        guard unsafe getifaddrs(&list) == 0 else { return [:] }
        defer { unsafe freeifaddrs(list) }
        var names: [String: String] = [:]
        var next = unsafe list
        while let entry = unsafe next {
            unsafe next = entry.pointee.ifa_next
            guard let address = unsafe entry.pointee.ifa_addr else { continue }
            let length: Int
            switch Int32(unsafe address.pointee.sa_family) {
            case AF_INET: length = MemoryLayout<sockaddr_in>.size
            case AF_INET6: length = MemoryLayout<sockaddr_in6>.size
            default: continue
            }
            guard let text = unsafe numericHost(address, socklen_t(length)) else { continue }
            unsafe names[text] = String(cString: entry.pointee.ifa_name)
        }
        return names
    }
}
