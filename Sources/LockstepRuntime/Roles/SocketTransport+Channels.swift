import LockstepProtocol
import TrainingPlan
import ZeroMQ

/// The ways beside the sockets: memory that is shared with processes of this host, and another role
/// of this thread.
extension SocketTransport {
    /// Frames of this connection go through memory as soon as the other side has opened it.
    func offerMemory(
        _ size: ChannelSize, for port: Port, over socket: borrowing Socket
    ) throws {
        guard let channel = SharedMemoryChannel(size) else { return }
        channels.append((port, channel))
        _ = try socket.send(ChannelFrame.offer(channel.name))
    }

    func open(_ channel: any DirectChannel, for port: Port) {
        channels.removeAll { other in
            // Those that nobody uses any more are found out here, where there are new ones.
            other.port == port || (other.channel as? SharedMemoryChannel)?.isAbandoned == true
        }
        channels.append((port, channel))
    }

    /// Another role of this thread: what is sent to where it is bound is handed over.
    package func share(thread other: SocketTransport, boundAs endpoint: String) {
        neighbour = (other, endpoint)
    }

    /// That role is gone.
    func shareNoMore() { neighbour = nil }

    /// Whether something has come that no socket tells of.
    var hasMessage: Bool {
        channels.contains { $0.channel.hasMessage } || neighbour?.transport.hasMessage == true
    }

    /// Whether there are ways that a thread which is awake may look at without a system call.
    var hasChannels: Bool {
        !channels.isEmpty || neighbour?.transport.channels.isEmpty == false
    }

    /// A frame about a channel: it is for this transport, and for no role.
    func take(_ frame: ChannelFrame, from port: Port) {
        guard case .offer(let name) = frame, case .dataPeer = port,
            let channel = SharedMemoryChannel(opening: name)
        else { return }
        open(channel, for: port)
    }
}
