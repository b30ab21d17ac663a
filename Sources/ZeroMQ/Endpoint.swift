import Glibc

/// Where a socket binds or connects: `tcp://HOST:PORT`, `ipc://PATH` or `inproc://NAME`.
/// `HOST:PORT` alone is tcp.
///
/// In a tcp endpoint to bind to, the host may be `*` (every interface) or the name of an interface,
/// and the port `*` or 0 (one from the system). Addresses of version 6 stand in brackets.
package struct Endpoint: Hashable, Sendable, CustomStringConvertible {
    package enum Transport: String, Sendable, CaseIterable {
        case tcp, ipc, inproc
    }

    package let transport: Transport
    /// The whole of it with its transport, as libzmq takes it.
    package let text: String
    /// The host of a tcp endpoint, without brackets, `*` for every interface.
    package let host: String?
    /// The port of a tcp endpoint; nil where the system chooses it.
    package let port: UInt16?

    package var description: String { text }

    package init(_ text: String) throws(EndpointError) {
        func failure(_ problem: EndpointError.Problem) -> EndpointError {
            EndpointError(text: text, problem: problem)
        }
        let separator = text.firstRange(of: "://")
        let name = separator.map { String(text[..<$0.lowerBound]) } ?? Transport.tcp.rawValue
        guard let transport = Transport(rawValue: name) else { throw failure(.unknownTransport) }
        let address = separator.map { text[$0.upperBound...] } ?? text[...]
        guard !address.utf8.contains(where: { $0 <= 0x20 || $0 == 0x7f }) else {
            throw failure(.blankOrControlCharacter)
        }
        self.transport = transport
        self.text = "\(name)://\(address)"
        switch transport {
        case .tcp:
            (host, port) = try Endpoint.splitTCP(address, failure)
        case .ipc, .inproc:
            guard !address.isEmpty else { throw failure(.noName) }
            guard transport != .ipc || !address.hasPrefix("@") else { throw failure(.abstract) }
            guard address.utf8.count <= Endpoint.maximumNameByteCount else {
                throw failure(.nameTooLong)
            }
            (host, port) = (nil, nil)
        }
    }

    private init(tcp host: String, port: UInt16?) {
        let bracketed = host.contains(":") ? "[\(host)]" : host
        transport = .tcp
        text = "tcp://\(bracketed):\(port.map(String.init) ?? "*")"
        self.host = host
        self.port = port
    }

    /// The host of a tcp endpoint, and its port unless the system chooses it, as a person writes
    /// them.
    package var authority: String {
        let text = text.dropFirst("tcp://".count)
        return String(port == nil ? text.dropLast(":*".count) : text)
    }

    /// - Parameter host: a name, `*`, or an address; one of version 6 gets its brackets here.
    package static func tcp(host: String, port: UInt16) throws(EndpointError) -> Endpoint {
        let isBare6 = host.contains(":") && !host.hasPrefix("[")
        return try Endpoint("tcp://\(isBare6 ? "[\(host)]" : host):\(port)")
    }

    /// Whether it reaches this host only. A name other than `localhost` may lead anywhere, the name
    /// of an interface too.
    package var isLoopback: Bool {
        guard let host else { return true }
        if host == "localhost" { return true }
        if let bytes = Endpoint.bytes(of: host, AF_INET, count: 4) { return bytes[0] == 127 }
        guard let bytes = Endpoint.bytes(of: host, AF_INET6, count: 16) else { return false }
        let mapped: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127]
        let one: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]
        return bytes == one || bytes.starts(with: mapped)
    }

    /// Whether it names one peer: a host and a port.
    package var isConnectable: Bool {
        transport != .tcp || (host != "*" && port != nil)
    }

    /// The endpoint whose port is `offset` above that of this one; nil beyond 65535. Where the
    /// system chooses the port, it is this one.
    package func port(above offset: Int) -> Endpoint? {
        guard let host else { preconditionFailure("\(text) has no port") }
        guard let port else { return self }
        return UInt16(exactly: Int(port) + offset).map { Endpoint(tcp: host, port: $0) }
    }

    /// Whether a socket that binds here is reached by every address of its host.
    package var isEverywhere: Bool { ["*", "0.0.0.0", "::"].contains(host) }

    /// What a process of this host connects to, where a socket has bound to this one.
    package var fromThisHost: Endpoint { isEverywhere ? with(host: "127.0.0.1") : self }

    /// A socket of this name in the same folder, of one that is a path.
    package func sibling(_ name: String) throws(EndpointError) -> Endpoint {
        guard transport == .ipc, let slash = text.lastIndex(of: "/") else {
            preconditionFailure("\(text) is not a path")
        }
        return try Endpoint("\(text[...slash])\(name)")
    }

    /// Another port of the same host; with 0 the system chooses it.
    package func with(port: UInt16) -> Endpoint {
        guard let host else { preconditionFailure("\(text) has no port") }
        return Endpoint(tcp: host, port: port == 0 ? nil : port)
    }

    /// The same port of another host.
    package func with(host: String) -> Endpoint { Endpoint(tcp: host, port: port) }

    /// Whether the host is an address in numbers, or every one.
    var isNumeric: Bool {
        guard let host else { return true }
        return host == "*" || isVersion6 || Endpoint.bytes(of: host, AF_INET, count: 4) != nil
    }

    /// Whether the host is an address of version 6.
    var isVersion6: Bool { host?.contains(":") == true }

    /// The room for a path in `sockaddr_un`, less its final zero; libzmq's inproc names fit as
    /// well.
    private static let maximumNameByteCount = 107

    private static func splitTCP(
        _ address: Substring, _ failure: (EndpointError.Problem) -> EndpointError
    ) throws(EndpointError) -> (host: String, port: UInt16?) {
        guard let colon = address.lastIndex(of: ":") else { throw failure(.noPort) }
        let hostText = address[..<colon]
        let portText = address[address.index(after: colon)...]
        if hostText.hasPrefix("["), !hostText.hasSuffix("]") {
            // The last colon was one of the address: "[::1".
            throw failure(address.hasSuffix("]") ? .noPort : .invalidHost)
        }
        guard !hostText.isEmpty else { throw failure(.noHost) }
        guard !portText.isEmpty else { throw failure(.noPort) }
        guard let host = validHost(hostText) else { throw failure(.invalidHost) }
        if portText == "*" { return (host, nil) }
        guard portText.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let port = UInt16(portText)
        else { throw failure(.invalidPort) }
        return (host, port == 0 ? nil : port)
    }

    private static func validHost(_ text: Substring) -> String? {
        if text == "*" { return "*" }
        if text.hasPrefix("[") {
            let inner = text.dropFirst().dropLast()
            // "fe80::1%eth0": the interface is not part of the address.
            let address = inner.prefix { $0 != "%" }
            return bytes(of: String(address), AF_INET6, count: 16) == nil ? nil : String(inner)
        }
        let allowed = text.utf8.allSatisfy {
            switch $0 {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."),
                UInt8(ascii: "_"):
                true
            default: false
            }
        }
        guard allowed, text.utf8.count <= 253 else { return nil }
        // What ends in a number is meant as an address, and must be one.
        let last = text.split(separator: ".", omittingEmptySubsequences: false).last ?? ""
        let isAddress = last.allSatisfy { ("0"..."9").contains($0) }
        guard !isAddress || bytes(of: String(text), AF_INET, count: 4) != nil else { return nil }
        return String(text)
    }

    /// The bytes of a numeric address, most significant first.
    private static func bytes(of text: String, _ family: CInt, count: Int) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        return unsafe inet_pton(family, text, &bytes) == 1 ? bytes : nil
    }
}

/// A text that is not an endpoint, and why.
package struct EndpointError: Error, Hashable, Sendable, CustomStringConvertible {
    package enum Problem: String, Sendable {
        case unknownTransport = "the transport is none of tcp, ipc and inproc"
        case blankOrControlCharacter = "there is a blank or a control character in it"
        case noHost = "the host is missing"
        case invalidHost = "the host is neither a name nor an address"
        case noPort = "the port is missing"
        case invalidPort = "the port is not a number from 0 to 65535"
        case noName = "the name is missing"
        case abstract = "a socket without a file is open to every user of this host"
        case nameTooLong = "the name has more than 107 bytes"
    }

    package let text: String
    package let problem: Problem

    package var description: String {
        "'\(text)' is not an endpoint: \(problem.rawValue); write tcp://HOST:PORT, "
            + "for example tcp://127.0.0.1:29500"
    }
}
