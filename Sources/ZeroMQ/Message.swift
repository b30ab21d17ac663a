import CZeroMQ

/// One frame: bytes that libzmq holds, owned by one variable at a time.
///
/// The `zmq_msg_t` lives behind a pointer of its own: libzmq keeps short frames inside it, and
/// Swift may move a struct.
@safe
public struct Message: ~Copyable {
    private let frame: UnsafeMutablePointer<zmq_msg_t>

    /// An empty frame, to receive into.
    public init() {
        unsafe frame = .allocate(capacity: 1)
        unsafe zmq_msg_init(frame)
    }

    /// A frame whose bytes are still to be written.
    package init(byteCount: Int) {
        unsafe frame = .allocate(capacity: 1)
        let code = unsafe zmq_msg_init_size(frame, byteCount)
        precondition(code == 0, "no memory for a message of \(byteCount) bytes")
    }

    /// A frame with a copy of `bytes`.
    package init(copying bytes: UnsafeRawBufferPointer) {
        self.init(byteCount: bytes.count)
        unsafe withUnsafeMutableBytes { unsafe $0.copyMemory(from: bytes) }
    }

    /// A frame with a copy of `bytes`.
    package init(copying bytes: some Sequence<UInt8>) {
        let array = Array(bytes)
        self.init(byteCount: array.count)
        unsafe withUnsafeMutableBytes { unsafe $0.copyBytes(from: array) }
    }

    /// A frame that lies in the caller's memory and is sent from there.
    ///
    /// The bytes must stay as they are until `handler` is called: once for each message that was
    /// made so, when it and all its copies are sent or dropped, and usually on a thread of
    /// libzmq's.
    package init(
        borrowing bytes: UnsafeMutableRawBufferPointer, whenReleased handler: ReleaseHandler
    ) {
        unsafe frame = .allocate(capacity: 1)
        guard let start = bytes.baseAddress, bytes.count > 0 else {
            // libzmq would never call back for a frame without bytes.
            unsafe zmq_msg_init(frame)
            handler.body()
            return
        }
        let hint = unsafe Unmanaged.passRetained(handler).toOpaque()
        let code = unsafe zmq_msg_init_data(
            frame, start, bytes.count,
            { _, hint in
                guard let hint = unsafe hint else { return }
                unsafe Unmanaged<ReleaseHandler>.fromOpaque(hint).takeRetainedValue().body()
            }, hint)
        precondition(code == 0, "no memory for a message")
    }

    deinit {
        unsafe zmq_msg_close(frame)
        unsafe frame.deallocate()
    }

    /// Another message on the same bytes, which libzmq counts: one frame for many receivers. Frames
    /// up to some thirty bytes are copied. From now on nobody may write to either.
    package func sharedCopy() -> Message {
        let copy = Message()
        let code = unsafe zmq_msg_copy(copy.frame, frame)
        precondition(code == 0, "a message was copied that is not one")
        return copy
    }

    package var byteCount: Int { unsafe zmq_msg_size(frame) }

    /// Whether the received frame has a successor in the same multipart message.
    package var hasMore: Bool { unsafe zmq_msg_more(frame) == 1 }

    /// What libzmq knows about the peer that a received frame came from: `Peer-Address` (its IP
    /// address), `User-Id` (as the ZAP handler called it), `Routing-Id`, `Socket-Type`.
    package func property(_ name: String) -> String? {
        guard let text = unsafe zmq_msg_gets(frame, name) else { return nil }
        return unsafe String(cString: text)
    }

    /// The bytes, at no particular alignment.
    package func withUnsafeBytes<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try unsafe body(UnsafeRawBufferPointer(start: zmq_msg_data(frame), count: byteCount))
    }

    /// The bytes, to be written before the message is sent or shared.
    package mutating func withUnsafeMutableBytes<Result, Failure: Error>(
        _ body: (UnsafeMutableRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        precondition(
            unsafe zmq_msg_get(frame, ZMQ_SHARED) == 0, "a shared message was opened for writing")
        return try unsafe body(
            UnsafeMutableRawBufferPointer(start: zmq_msg_data(frame), count: byteCount))
    }

    /// Drops the bytes.
    package mutating func clear() {
        unsafe zmq_msg_close(frame)
        unsafe zmq_msg_init(frame)
    }

    /// `zmq_msg_send`: on success libzmq has the bytes and this message is empty.
    func send(on socket: UnsafeMutableRawPointer, flags: CInt) -> Answer {
        uninterrupted { unsafe zmq_msg_send(frame, socket, flags) }
    }

    /// `zmq_msg_recv`: replaces the bytes, or leaves the message empty.
    mutating func receive(on socket: UnsafeMutableRawPointer) -> Answer {
        uninterrupted { unsafe zmq_msg_recv(frame, socket, ZMQ_DONTWAIT) }
    }
}

/// A message has one owner and no tie to a thread; libzmq counts the users of shared bytes
/// atomically, and shared bytes are not written to.
extension Message: @unchecked Sendable {}

/// What to do when libzmq is done with borrowed memory.
///
/// One handler serves any number of messages, at the same time too, so that sending the same buffer
/// step after step allocates none. Capture the owner of the memory to keep it alive in the
/// meantime.
package final class ReleaseHandler: Sendable {
    fileprivate let body: @Sendable () -> Void

    /// - Parameter body: runs on any thread; it should do no more than count and signal.
    package init(_ body: @escaping @Sendable () -> Void) {
        self.body = body
    }
}
