import Glibc
import Synchronization
package import ZeroMQ

/// A way between two processes of one host through memory that they share: a sender copies a frame
/// into a free slot, and the receiver reads it where it lies, until it lets go of the message.
///
/// Whoever sleeps says so in the memory, and is then woken by a frame over a socket. So while both
/// sides are awake no system call is made. The maker's connection offers the memory by its name;
/// until the other side has opened it, frames go through the socket.
@safe package final class SharedMemoryChannel: DirectChannel {
    private let memory: SharedMemory
    private let outgoing: Lane
    private let incoming: Lane
    private let isMaker: Bool
    /// Messages that were received.
    private var received: UInt32 = 0
    /// By slot of the incoming lane: frees it. One handler serves all messages in a slot.
    private let handlers: [ReleaseHandler]

    private typealias Word = Atomic<UInt32>

    /// What is sent one way: where its slots lie, and their state.
    @safe private struct Lane {
        let start: UnsafeMutableRawPointer
        let frames: UnsafeMutableRawPointer
        let slotByteCount: Int

        /// Messages that were sent.
        var published: UnsafeMutablePointer<Word> { unsafe word(0) }
        /// Whether the receiver sleeps.
        var isReceiverAsleep: UnsafeMutablePointer<Word> { unsafe word(16) }
        /// Which slot each of the last messages lies in.
        func order(_ index: UInt32) -> UnsafeMutablePointer<Word> {
            unsafe word(32 + Int(index % slotCount))
        }
        /// The bytes of the frame that is in a slot; 0 for a free one.
        func frameByteCount(_ slot: Int) -> UnsafeMutablePointer<Word> { unsafe word(48 + slot) }

        func frame(_ slot: Int) -> UnsafeMutableRawPointer {
            unsafe frames + slot * slotByteCount
        }

        private func word(_ index: Int) -> UnsafeMutablePointer<Word> {
            unsafe (start + 4 * index).assumingMemoryBound(to: Word.self)
        }

        static let byteCount = 256
    }

    /// The nodes of a step, or the weights of two: more go through the socket.
    package static let slotCount: UInt32 = 4
    /// Whether its maker has let go of it, whether the other side has opened it, and how the memory
    /// is cut.
    private static let headByteCount = 64
    private static let pageByteCount = 4_096

    /// Makes the memory.
    ///
    /// - Returns: nil where there is no room for it.
    package convenience init?(_ size: ChannelSize) {
        let slots = (Self.rounded(size.sentByteCount), Self.rounded(size.receivedByteCount))
        let byteCount =
            Self.pageByteCount + Int(Self.slotCount) * (slots.0 + slots.1)
        guard byteCount <= RoleLimits.sharedByteCount,
            let memory = SharedMemory(byteCount: byteCount)
        else { return nil }
        unsafe memory.bytes.storeBytes(of: UInt64(slots.0), toByteOffset: 8, as: UInt64.self)
        unsafe memory.bytes.storeBytes(of: UInt64(slots.1), toByteOffset: 16, as: UInt64.self)
        self.init(memory, slots, isMaker: true)
    }

    /// Opens memory that another process has made, and says so in it.
    ///
    /// - Returns: nil where there is none of this name, or it is not cut as ours is.
    package convenience init?(opening name: String) {
        guard let memory = SharedMemory(opening: name), memory.byteCount >= Self.pageByteCount
        else { return nil }
        let slots = unsafe (
            memory.bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self),
            memory.bytes.loadUnaligned(fromByteOffset: 16, as: UInt64.self)
        )
        let room = UInt64(memory.byteCount - Self.pageByteCount) / UInt64(Self.slotCount)
        guard slots.0 <= room, slots.1 == room - slots.0 else { return nil }
        self.init(memory, (Int(slots.0), Int(slots.1)), isMaker: false)
        unsafe isOpened.pointee.store(1, ordering: .releasing)
    }

    private init(_ memory: SharedMemory, _ slots: (Int, Int), isMaker: Bool) {
        self.memory = memory
        self.isMaker = isMaker
        guard let start = unsafe memory.bytes.baseAddress else {
            preconditionFailure("shared memory has bytes")
        }
        let first = unsafe start + Self.pageByteCount
        let there = unsafe Lane(
            start: start + Self.headByteCount, frames: first, slotByteCount: slots.0)
        let back = unsafe Lane(
            start: start + Self.headByteCount + Lane.byteCount,
            frames: first + Int(Self.slotCount) * slots.0, slotByteCount: slots.1)
        (outgoing, incoming) = isMaker ? (there, back) : (back, there)
        handlers = (0..<Int(Self.slotCount)).map { [incoming, memory] slot in
            let state = unsafe SharedWord(memory: memory, word: incoming.frameByteCount(slot))
            return ReleaseHandler { state.clear() }
        }
    }

    /// A word in the memory, which lives as long.
    @safe private struct SharedWord: @unchecked Sendable {
        let memory: SharedMemory
        let word: UnsafeMutablePointer<Word>

        func clear() { unsafe word.pointee.store(0, ordering: .releasing) }
    }

    /// What the other side opens.
    package var name: String { memory.name }

    deinit {
        if isMaker { unsafe isClosed.pointee.store(1, ordering: .releasing) }
    }

    /// Whether this side has it from a process that is gone, or that has another one by now.
    package var isAbandoned: Bool {
        guard !isMaker else { return false }
        return unsafe isClosed.pointee.load(ordering: .acquiring) == 1
            || kill(memory.maker, 0) != 0 && errno == ESRCH
    }

    private var isClosed: UnsafeMutablePointer<Word> {
        unsafe memory.bytes.baseAddress!.assumingMemoryBound(to: Word.self)
    }

    private var isOpened: UnsafeMutablePointer<Word> {
        unsafe (memory.bytes.baseAddress! + 4).assumingMemoryBound(to: Word.self)
    }

    // MARK: Messages

    package var hasMessage: Bool {
        unsafe incoming.published.pointee.load(ordering: .acquiring) != received
    }

    package func receive(into message: inout Message) -> Bool {
        guard hasMessage else { return false }
        let slot = unsafe Int(incoming.order(received).pointee.load(ordering: .acquiring))
        received &+= 1
        guard slot < Int(Self.slotCount) else { return false }
        let byteCount = unsafe Int(incoming.frameByteCount(slot).pointee.load(ordering: .acquiring))
        guard byteCount > 0, byteCount <= incoming.slotByteCount else { return false }
        let frame = unsafe UnsafeMutableRawBufferPointer(
            start: incoming.frame(slot), count: byteCount)
        message = unsafe Message(borrowing: frame, whenReleased: handlers[slot])
        return true
    }

    package func send(_ message: inout Message) -> ChannelDelivery {
        guard unsafe !isMaker || isOpened.pointee.load(ordering: .acquiring) == 1,
            message.byteCount <= outgoing.slotByteCount, message.byteCount > 0,
            let slot = freeSlot
        else { return .refused }
        let target = unsafe outgoing.frame(slot)
        unsafe message.withUnsafeBytes { frame in
            if let source = frame.baseAddress {
                unsafe target.copyMemory(from: source, byteCount: frame.count)
            }
        }
        unsafe outgoing.frameByteCount(slot).pointee.store(
            UInt32(message.byteCount), ordering: .releasing)
        let number = unsafe outgoing.published.pointee.load(ordering: .relaxed)
        unsafe outgoing.order(number).pointee.store(UInt32(slot), ordering: .releasing)
        // One order for all: either the receiver sees this message before it sleeps, or this side
        // sees that it sleeps.
        unsafe outgoing.published.pointee.store(number &+ 1, ordering: .sequentiallyConsistent)
        message.clear()
        let isAsleep =
            unsafe outgoing.isReceiverAsleep.pointee.load(ordering: .sequentiallyConsistent)
        return isAsleep == 1 ? .sentToSleeper : .sent
    }

    private var freeSlot: Int? {
        (0..<Int(Self.slotCount)).first {
            unsafe outgoing.frameByteCount($0).pointee.load(ordering: .acquiring) == 0
        }
    }

    package func sleeps(_ isAsleep: Bool) {
        unsafe incoming.isReceiverAsleep.pointee.store(
            isAsleep ? 1 : 0, ordering: .sequentiallyConsistent)
    }

    private static func rounded(_ byteCount: Int) -> Int { (byteCount + 63) / 64 * 64 }
}
