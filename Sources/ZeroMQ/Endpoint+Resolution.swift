import Glibc

extension Endpoint {
    /// The endpoints in numbers that this one stands for at this moment: those of version 4 first,
    /// each once. One without a name is itself.
    ///
    /// It asks the resolver of the system and waits for its answer, which a name server that is
    /// silent puts off for ten seconds and more. Names may appear later, so that an error need not
    /// be the end.
    package func addresses() throws(UnresolvedHost) -> [Endpoint] {
        guard let host, !isNumeric else { return [self] }
        var hints = unsafe addrinfo()
        unsafe hints.ai_socktype = CInt(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        let code = unsafe getaddrinfo(host, nil, &hints, &list)
        guard code == 0 else { throw UnresolvedHost(host: host, code: code) }
        defer { unsafe freeaddrinfo(list) }
        var hosts: [String] = []
        while let entry = unsafe list {
            if let text = unsafe Endpoint.numericHost(entry.pointee), !hosts.contains(text) {
                hosts.append(text)
            }
            unsafe list = entry.pointee.ai_next
        }
        let endpoints = hosts.map { with(host: $0) }
        return endpoints.filter { !$0.isVersion6 } + endpoints.filter { $0.isVersion6 }
    }

    /// Whether a socket that connects here has to know addresses of version 6. A name is taken for
    /// its address of version 4 if it has one; one that does not resolve yet may become either.
    var connectsByVersion6: Bool {
        if isNumeric { return isVersion6 }
        return (try? addresses().first?.isVersion6) ?? true
    }

    private static func numericHost(_ entry: addrinfo) -> String? {
        var bytes = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        let code = unsafe getnameinfo(
            entry.ai_addr, entry.ai_addrlen, &bytes, socklen_t(bytes.count), nil, 0, NI_NUMERICHOST)
        guard code == 0 else { return nil }
        let text = bytes.prefix { $0 != 0 }.map(UInt8.init(bitPattern:))
        return String(decoding: text, as: UTF8.self)
    }
}

/// The name of a host for which the system knows no address at this moment.
package struct UnresolvedHost: Error, Hashable, Sendable, CustomStringConvertible {
    package let host: String
    /// As `getaddrinfo` answers: `EAI_NONAME` for an unknown name, `EAI_AGAIN` for a name server
    /// that does not answer.
    package let code: CInt

    package init(host: String, code: CInt) {
        self.host = host
        self.code = code
    }

    package var description: String {
        unsafe "\(host) does not resolve: \(String(cString: gai_strerror(code)))"
    }
}
