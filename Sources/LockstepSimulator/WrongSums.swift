import LockstepProtocol
package import LockstepRuntime
package import TrainingPlan
package import ZeroMQ

/// The sockets of a worker that computes wrongly: each sum of rows that it pushes has one wrong
/// bit, and a checksum that fits.
package final class WrongSums: Transport {
    private let base: any Transport
    private let firstStep: Step
    private let wire: Wire
    private let inputs: Int

    /// - Parameter inputs: of the network.
    package init(_ base: any Transport, from firstStep: Step, inputs: Int, _ wire: Wire) {
        self.inputs = inputs
        self.base = base
        self.firstStep = firstStep
        self.wire = wire
    }

    package func send(_ message: consuming Message, to port: Port) throws -> Delivery {
        guard let header = try? wire.header(of: message),
            case .push(let address, _) = header.content, address.step >= firstStep
        else { return try base.send(message, to: port) }
        var payload = unsafe message.withUnsafeBytes { unsafe [UInt8](FrameCodec.payload(of: $0)) }
        // Behind the bits that say which rows are there. Where there is none, there is no sum.
        let place = (inputs + 511) / 512 * 64
        if payload.indices.contains(place) { payload[place] ^= 1 }
        return try base.send(unsafe wire.message(header, copying: payload.span.bytes), to: port)
    }

    package func receive(into message: inout Message) throws -> Arrival? {
        try base.receive(into: &message)
    }

    package func connect(
        _ port: Port, to endpoint: String, maximumFrameByteCount: Int, channel: ChannelSize?
    ) throws {
        try base.connect(
            port, to: endpoint, maximumFrameByteCount: maximumFrameByteCount, channel: channel)
    }

    package func disconnect(_ port: Port) { base.disconnect(port) }
}
