import CZeroMQ

/// Half of a key pair of CURVE: 32 bytes, written as 40 characters of Z85.
package protocol CurveKey: Hashable, Sendable {
    init(unchecked z85: String)
}

extension CurveKey {
    /// - Throws: when `z85` is not 40 characters of Z85. The error does not repeat them: they may
    ///   be a secret.
    package init(z85: String) throws(CurveKeyError) {
        guard z85.utf8.count == Curve.textByteCount else {
            throw .characterCount(z85.utf8.count)
        }
        if let position = z85.utf8.enumerated().first(where: {
            !Curve.alphabet.contains($0.element)
        }) {
            throw .character(position: position.offset)
        }
        var bytes = [UInt8](repeating: 0, count: 32)
        guard unsafe zmq_z85_decode(&bytes, z85) != nil else { throw .value }
        self.init(unchecked: z85)
    }
}

/// The half that everybody may know.
package struct CurvePublicKey: CurveKey, CustomStringConvertible {
    package let z85: String

    package init(unchecked z85: String) { self.z85 = z85 }

    package var description: String { z85 }

    /// 32 bytes, as a ZAP handler is shown them.
    package var bytes: [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 32)
        _ = unsafe zmq_z85_decode(&bytes, z85)
        return bytes
    }
}

/// The half that stays at home; it does not show itself in logs.
package struct CurveSecretKey: CurveKey, CustomStringConvertible, CustomReflectable {
    package let z85: String

    package init(unchecked z85: String) { self.z85 = z85 }

    package var description: String { "(secret key)" }
    package var customMirror: Mirror { Mirror(self, children: []) }

    /// - Precondition: 32 bytes.
    package init(bytes: [UInt8]) {
        precondition(bytes.count == 32, "a key of 32 bytes")
        var text = [CChar](repeating: 0, count: Curve.textByteCount + 1)
        _ = unsafe zmq_z85_encode(&text, bytes, bytes.count)
        self.init(unchecked: Curve.text(text))
    }

    /// The public key that belongs to it.
    package func publicKey() throws(ZMQError) -> CurvePublicKey {
        var bytes = [CChar](repeating: 0, count: Curve.textByteCount + 1)
        try check("zmq_curve_public") { unsafe zmq_curve_public(&bytes, z85) }
        return CurvePublicKey(unchecked: Curve.text(bytes))
    }
}

package struct CurveKeyPair: Hashable, Sendable {
    package let publicKey: CurvePublicKey
    package let secretKey: CurveSecretKey

    /// The pair that a secret key belongs to.
    package init(secretKey: CurveSecretKey) throws(ZMQError) {
        self.init(publicKey: try secretKey.publicKey(), secretKey: secretKey)
    }

    private init(publicKey: CurvePublicKey, secretKey: CurveSecretKey) {
        self.publicKey = publicKey
        self.secretKey = secretKey
    }

    /// A new pair, from the random numbers of the system.
    /// - Throws: `ENOTSUP` when libzmq was built without CURVE.
    package static func generate() throws(ZMQError) -> CurveKeyPair {
        var publicBytes = [CChar](repeating: 0, count: Curve.textByteCount + 1)
        var secretBytes = publicBytes
        try check("zmq_curve_keypair") { unsafe zmq_curve_keypair(&publicBytes, &secretBytes) }
        return CurveKeyPair(
            publicKey: CurvePublicKey(unchecked: Curve.text(publicBytes)),
            secretKey: CurveSecretKey(unchecked: Curve.text(secretBytes)))
    }
}

/// Why a text is not a key.
package enum CurveKeyError: Error, Equatable, CustomStringConvertible {
    case characterCount(Int)
    case character(position: Int)
    case value

    package var description: String {
        let advice = "a key is 40 characters of Z85: copy it again, or make a new pair"
        return switch self {
        case .characterCount(let count): "a key of \(count) characters was given; \(advice)"
        case .character(let position): "character \(position + 1) of a key is not Z85; \(advice)"
        case .value: "the characters of a key stand for no number; \(advice)"
        }
    }
}

extension Socket {
    /// Makes this socket, before it binds, the side of CURVE that others know by its public key.
    /// Who may enter is for a ZAP handler to say; without one, everyone with a key may.
    package func useCurve(asServerWith keys: CurveKeyPair) throws(ZMQError) {
        try set(.curveServer, to: true)
        try set(.curveSecretKey, to: keys.secretKey.z85)
    }

    /// Makes this socket, before it connects, speak to nobody but the holder of `serverKey`.
    package func useCurve(
        asClientWith keys: CurveKeyPair, serverKey: CurvePublicKey
    ) throws(ZMQError) {
        try set(.curveServerKey, to: serverKey.z85)
        try set(.curvePublicKey, to: keys.publicKey.z85)
        try set(.curveSecretKey, to: keys.secretKey.z85)
    }
}

/// What Z85 (ZeroMQ RFC 32) looks like.
private enum Curve {
    static let textByteCount = 40
    static let alphabet = Set(
        "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#".utf8
    )

    static func text(_ bytes: [CChar]) -> String {
        String(decoding: bytes.prefix(textByteCount).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
