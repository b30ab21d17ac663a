import Foundation
import Glibc
import LockstepRuntime
import Synchronization
import Testing
import ZeroMQ

/// The ways between roles of one host beside the sockets.
@Suite struct ChannelTests {
    private static let size = ChannelSize(sentByteCount: 1_000, receivedByteCount: 50_000)

    private static func bytes(_ message: borrowing Message) -> [UInt8] {
        unsafe message.withUnsafeBytes { unsafe [UInt8]($0) }
    }

    private static func frame(_ number: Int, count: Int = 100) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ number) }
    }

    private static func send(_ frame: [UInt8], _ channel: any DirectChannel) -> ChannelDelivery {
        var message = Message(copying: frame)
        return channel.send(&message)
    }

    private static func receive(_ channel: any DirectChannel) -> [UInt8]? {
        var message = Message()
        return channel.receive(into: &message) ? bytes(message) : nil
    }

    /// Both ends.
    private static func opened() throws -> (SharedMemoryChannel, SharedMemoryChannel) {
        let maker = try #require(SharedMemoryChannel(size))
        return (maker, try #require(SharedMemoryChannel(opening: maker.name)))
    }

    // MARK: One thread

    @Test func messagesOfOneThreadChangeHands() {
        let (here, there) = LocalChannel.pair()
        #expect(!there.hasMessage && Self.receive(there) == nil)
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 100, alignment: 64)
        defer { unsafe memory.deallocate() }
        unsafe memory.initializeMemory(as: UInt8.self, repeating: 5)
        var message = unsafe Message(borrowing: memory, whenReleased: ReleaseHandler {})
        let delivery = here.send(&message)
        let rest = message.byteCount
        #expect(delivery == .sent && rest == 0 && there.hasMessage && !here.hasMessage)
        let isReceived = there.receive(into: &message)
        // No byte was moved.
        let place = unsafe message.withUnsafeBytes { Int(bitPattern: $0.baseAddress) }
        let start = Int(bitPattern: memory.baseAddress)
        #expect(isReceived && place == start)
        #expect(!there.hasMessage)
    }

    @Test func theQueueOfAThreadIsBounded() {
        let (here, there) = LocalChannel.pair()
        var count = 0
        while Self.send(Self.frame(count), here) == .sent { count += 1 }
        #expect(count == 64)
        for number in 0..<count { #expect(Self.receive(there) == Self.frame(number)) }
        #expect(Self.receive(there) == nil)
        #expect(Self.send([1], here) == .sent)
    }

    // MARK: Two processes

    /// What its maker has replaced is let go of by the other side, which lives on: a session of
    /// many runs keeps no memory of those that are over.
    @Test func aChannelIsAbandonedWithItsMaker() throws {
        let opener: SharedMemoryChannel
        do {
            let maker = try #require(SharedMemoryChannel(Self.size))
            opener = try #require(SharedMemoryChannel(opening: maker.name))
            #expect(!opener.isAbandoned && !maker.isAbandoned)
            withExtendedLifetime(maker) {}
        }
        #expect(opener.isAbandoned)
    }

    @Test func framesGoBothWaysInOrder() throws {
        let (maker, opener) = try Self.opened()
        for round in 0..<50 {
            for number in 0..<3 {
                #expect(Self.send(Self.frame(round + number), maker) == .sent)
                #expect(Self.send(Self.frame(number, count: 50_000), opener) == .sent)
            }
            for number in 0..<3 {
                #expect(Self.receive(opener) == Self.frame(round + number))
                #expect(Self.receive(maker) == Self.frame(number, count: 50_000))
            }
        }
        #expect(!maker.hasMessage && !opener.hasMessage)
    }

    @Test func nothingIsSentBeforeTheOtherSideHasOpenedIt() throws {
        let maker = try #require(SharedMemoryChannel(Self.size))
        #expect(Self.send([1], maker) == .refused)
        let opener = try #require(SharedMemoryChannel(opening: maker.name))
        #expect(Self.send([1], maker) == .sent)
        #expect(Self.receive(opener) == [1])
        // Its name is gone: nobody else can open it.
        #expect(SharedMemoryChannel(opening: maker.name) == nil)
    }

    /// A slot is free when its message is let go of, in whatever order.
    @Test func framesAreReadWhereTheyLie() throws {
        let (maker, opener) = try Self.opened()
        let slots = Int(SharedMemoryChannel.slotCount)
        var kept: [MessageBox] = []
        for number in 0..<slots {
            #expect(Self.send(Self.frame(number), maker) == .sent)
            let box = MessageBox()
            let isReceived = opener.receive(into: &box.message)
            #expect(isReceived)
            kept.append(box)
        }
        #expect(Self.send([9], maker) == .refused)
        kept[2].message.clear()
        #expect(Self.send([9], maker) == .sent)
        #expect(Self.send([9], maker) == .refused)
        for number in [0, 1, 3] { #expect(Self.bytes(kept[number].message) == Self.frame(number)) }
        #expect(Self.receive(opener) == [9])
        // The memory stays as long as a message lies in it.
        let last = kept[3]
        kept = []
        withExtendedLifetime((maker, opener)) {}
        #expect(Self.bytes(last.message) == Self.frame(3))
    }

    private final class MessageBox {
        var message = Message()
    }

    @Test func framesWithoutRoomAreRefused() throws {
        let (maker, opener) = try Self.opened()
        #expect(Self.send(Self.frame(0, count: 1_000), maker) == .sent)
        #expect(Self.send(Self.frame(0, count: 2_000), maker) == .refused)
        #expect(Self.send([], maker) == .refused)
        #expect(Self.receive(opener) == Self.frame(0, count: 1_000))
        // What is refused is still the sender's.
        var message = Message(copying: Self.frame(1, count: 2_000))
        let delivery = maker.send(&message)
        let kept = Self.bytes(message)
        #expect(delivery == .refused && kept == Self.frame(1, count: 2_000))
        #expect(
            SharedMemoryChannel(ChannelSize(sentByteCount: 1 << 30, receivedByteCount: 1)) == nil)
    }

    @Test func whoSleepsIsWoken() throws {
        let (maker, opener) = try Self.opened()
        opener.sleeps(true)
        #expect(Self.send([1], maker) == .sentToSleeper)
        opener.sleeps(false)
        #expect(Self.send([2], maker) == .sent)
        #expect(Self.send([3], opener) == .sent)
    }

    /// Two threads with nothing but the memory between them.
    @Test func noFrameIsLostOrTornBetweenTwoThreads() throws {
        let (maker, opener) = try Self.opened()
        let count = 20_000
        let wrong = Mutex(0)
        let ends = (maker: Handed(maker), opener: Handed(opener))
        let echo = Thread {
            var answered = 0
            while answered < count {
                guard let frame = Self.receive(ends.opener.channel) else { continue }
                while Self.send(frame.reversed(), ends.opener.channel) == .refused {}
                answered += 1
            }
        }
        echo.start()
        var (sent, received) = (0, 0)
        let end = Date() + 60
        while received < count, Date() < end {
            if sent < count, Self.send(Self.frame(sent, count: 1 + sent % 900), maker) == .sent {
                sent += 1
            }
            while let frame = Self.receive(maker) {
                let expected = Self.frame(received, count: 1 + received % 900)
                if frame != expected.reversed() { wrong.withLock { $0 += 1 } }
                received += 1
            }
        }
        #expect(received == count && wrong.withLock { $0 } == 0)
    }

    /// A channel that goes to another thread with its owner's consent.
    private struct Handed: @unchecked Sendable {
        let channel: SharedMemoryChannel
        init(_ channel: SharedMemoryChannel) { self.channel = channel }
    }

    // MARK: Names

    @Test(arguments: ["", "/", "/lockstep-0", "/other", "/lockstep-1/../x", "lockstep-1"])
    func whatIsNoMemoryOfOursIsNotOpened(name: String) {
        #expect(SharedMemoryChannel(opening: name) == nil)
    }

    /// Memory that is shorter than it says, or empty, or cut otherwise.
    @Test(arguments: [0, 100, 4_096, 8_192])
    func whatIsCutOtherwiseIsNotOpened(byteCount: Int) throws {
        let name = "/lockstep-\(getpid())-test\(byteCount)"
        let file = unsafe shm_open(name, O_CREAT | O_RDWR, 0o600)
        try #require(file >= 0)
        defer {
            close(file)
            unsafe shm_unlink(name)
        }
        #expect(ftruncate(file, off_t(byteCount)) == 0)
        var sizes: [UInt64] = [0, 1 << 40, 1 << 62]
        unsafe pwrite(file, &sizes, min(byteCount, 24), 0)
        #expect(SharedMemoryChannel(opening: name) == nil)
    }

    @Test func namesOfProcessesThatAreGoneGo() throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/true")
        try process.run()
        process.waitUntilExit()
        let names = ["/lockstep-\(process.processIdentifier)-1", "/lockstep-\(getpid())-1"]
        for name in names { close(unsafe shm_open(name, O_CREAT | O_RDWR, 0o600)) }
        defer { for name in names { unsafe shm_unlink(name) } }
        SharedMemory.removeAbandoned()
        #expect(!FileManager.default.fileExists(atPath: "/dev/shm\(names[0])"))
        #expect(FileManager.default.fileExists(atPath: "/dev/shm\(names[1])"))
    }
}
