import Foundation
import Synchronization
import Testing
import ZeroMQ

/// Signals that reached the thread which waits.
private let interruptionCount = Atomic(0)

struct PollerTests {
    @Test(arguments: [0, 1, 50])
    func aWaitEndsInTime(milliseconds: Int) throws {
        try withContext { context in
            let socket = try Socket(.dealer, in: context)
            var poller = Poller()
            let member = poller.add(socket)
            let start = ContinuousClock.now
            #expect(try poller.wait(timeoutMilliseconds: milliseconds) == 0)
            let elapsed = ContinuousClock.now - start
            #expect(elapsed >= .milliseconds(milliseconds))
            #expect(elapsed < .milliseconds(milliseconds + patienceMilliseconds))
            #expect(poller.events(of: member) == [])
        }
    }

    @Test func anEmptyPollerOnlyWaits() throws {
        var poller = Poller()
        #expect(try poller.wait(timeoutMilliseconds: 1) == 0)
    }

    @Test func membersAreToldApart() throws {
        try withContext { context in
            let left = try Socket(.pair, in: context)
            let right = try Socket(.pair, in: context)
            try right.connect(to: left.bind(to: Endpoint("inproc://apart")))
            var poller = Poller()
            let (l, r) = (poller.add(left), poller.add(right, for: [.readable, .writable]))
            #expect(try poller.wait(timeoutMilliseconds: patienceMilliseconds) == 1)
            #expect(poller.events(of: l) == [] && poller.events(of: r) == .writable)

            try right.deliver("hello")
            #expect(try poller.wait(timeoutMilliseconds: patienceMilliseconds) == 2)
            #expect(poller.events(of: l) == .readable && poller.events(of: r) == .writable)

            poller.remove(r)
            #expect(try poller.wait(timeoutMilliseconds: 0) == 1)
            poller.remove(l)
            #expect(try poller.wait(timeoutMilliseconds: 0) == 0)
            #expect(poller.add(left) == l)  // the place is used again
            #expect(try poller.wait(timeoutMilliseconds: 0) == 1)
        }
    }

    // MARK: Wake-ups

    @Test func anotherThreadEndsTheWait() throws {
        let wakeUp = try WakeUp()
        var poller = Poller()
        let member = poller.add(wakeUp)
        Thread.detachNewThread {
            usleep(20_000)
            wakeUp.signal()
        }
        let start = ContinuousClock.now
        #expect(try poller.wait(timeoutMilliseconds: 2 * patienceMilliseconds) == 1)
        let elapsed = ContinuousClock.now - start
        #expect(elapsed < .milliseconds(patienceMilliseconds))
        #expect(poller.events(of: member) == .readable)
        #expect(try poller.wait(timeoutMilliseconds: 0) == 0)
    }

    @Test func signalsBeforeTheWaitAreOneSignal() throws {
        let wakeUp = try WakeUp()
        var poller = Poller()
        _ = poller.add(wakeUp)
        for _ in 0..<1000 { wakeUp.signal() }
        #expect(try poller.wait(timeoutMilliseconds: 0) == 1)
        #expect(try poller.wait(timeoutMilliseconds: 0) == 0)
    }

    /// Work is queued before the signal and taken after the wait, so that none is left lying.
    @Test func noWorkIsLost() throws {
        let wakeUp = try WakeUp()
        let queue = Queue()
        let itemCount = 20_000
        for _ in 0..<2 {
            Thread.detachNewThread {
                for _ in 0..<itemCount / 2 {
                    queue.count.withLock { $0 += 1 }
                    wakeUp.signal()
                }
            }
        }
        var poller = Poller()
        _ = poller.add(wakeUp)
        var taken = 0
        while taken < itemCount {
            let readyCount = try poller.wait(timeoutMilliseconds: patienceMilliseconds)
            try #require(readyCount == 1, "asleep with \(itemCount - taken) items to come")
            taken += queue.count.withLock { count in
                defer { count = 0 }
                return count
            }
        }
        #expect(taken == itemCount)
    }

    private final class Queue: Sendable { let count = Mutex(0) }

    // MARK: Interruptions and misuse

    @Test func signalsOfTheSystemNeitherEndNorProlongAWait() throws {
        var action = sigaction()
        unsafe action.__sigaction_handler.sa_handler = { _ in
            interruptionCount.add(1, ordering: .relaxed)
        }
        try #require(unsafe sigaction(SIGUSR1, &action, nil) == 0)
        // Dispatch keeps signals from its threads.
        var (signals, before) = (sigset_t(), sigset_t())
        unsafe sigemptyset(&signals)
        unsafe sigaddset(&signals, SIGUSR1)
        unsafe pthread_sigmask(SIG_UNBLOCK, &signals, &before)
        defer { unsafe pthread_sigmask(SIG_SETMASK, &before, nil) }
        let waiting = pthread_self()
        let stop = Flag()
        let stopped = DispatchSemaphore(value: 0)
        Thread.detachNewThread {
            // Twice the patience: a wait that begins anew after each signal comes out too late.
            for _ in 0..<2 * patienceMilliseconds / 5 where !stop.isSet.load(ordering: .relaxed) {
                pthread_kill(waiting, SIGUSR1)
                usleep(5000)
            }
            stopped.signal()
        }
        let wakeUp = try WakeUp()
        var poller = Poller()
        _ = poller.add(wakeUp)
        let start = ContinuousClock.now
        #expect(try poller.wait(timeoutMilliseconds: 200) == 0)
        let elapsed = ContinuousClock.now - start
        stop.isSet.store(true, ordering: .relaxed)
        #expect(stopped.wait(timeout: .now() + .milliseconds(3 * patienceMilliseconds)) == .success)
        #expect(interruptionCount.load(ordering: .relaxed) > 0)
        #expect(elapsed >= .milliseconds(200))
        #expect(elapsed < .milliseconds(patienceMilliseconds))
    }

    private final class Flag: Sendable {
        let isSet = Atomic(false)
    }

    @Test func aClosedSocketInAPollerIsABug() async {
        await #expect(processExitsWith: .failure) {
            let context = try Context()
            var poller = Poller()
            do {
                let socket = try Socket(.dealer, in: context)
                _ = poller.add(socket)
            }
            try poller.wait(timeoutMilliseconds: 0)
        }
    }
}
