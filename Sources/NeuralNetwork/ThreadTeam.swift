import Glibc
import Synchronization

/// A fixed team of threads that run one body together, with barriers inside it.
///
/// The caller is thread 0. The others wait between bodies: they spin for a moment, because the next
/// step is microseconds away, then sleep. A team of one is a plain call. Only its owner may call
/// `run`, and from one thread at a time; that is what makes it `Sendable`.
@safe package final class ThreadTeam: @unchecked Sendable {
    /// Those that could be started, no more than were asked for: no result depends on it.
    package private(set) var count: Int

    private let generation = Atomic<Int>(0)
    private let arrived = Atomic<Int>(0)
    private let barrierGeneration = Atomic<Int>(0)
    private let sleepers = Atomic<Int>(0)
    private let lock: UnsafeMutablePointer<pthread_mutex_t> = .allocate(capacity: 1)
    private let wake: UnsafeMutablePointer<pthread_cond_t> = .allocate(capacity: 1)
    private var body: ((Int) -> Void)?
    private var isFinished = false
    private var threads: [pthread_t] = []

    /// Rounds of spinning before a thread yields: some microseconds.
    private static let spinLimit = 2_000
    /// Yields before a thread between two bodies sleeps.
    private static let yieldLimit = 200

    package init(count: Int) {
        precondition(count > 0, "a team has at least one thread")
        self.count = count
        unsafe pthread_mutex_init(lock, nil)
        unsafe pthread_cond_init(wake, nil)
        for index in 1..<max(count, 1) where !start(index) {
            self.count = index
            break
        }
    }

    /// Ends the other threads. Call once, when no body runs.
    package func finish() {
        guard !isFinished else { return }
        isFinished = true
        release()
        for thread in threads { pthread_join(thread, nil) }
        threads = []
    }

    deinit {
        precondition(threads.isEmpty, "finish() a thread team before its last reference goes")
        unsafe pthread_mutex_destroy(lock)
        unsafe pthread_cond_destroy(wake)
        unsafe lock.deallocate()
        unsafe wake.deallocate()
    }

    /// Runs `body(thread)` on every thread of the team; returns when all have returned.
    package func run(_ body: (Int) -> Void) {
        guard count > 1 else { return body(0) }
        withoutActuallyEscaping(body) { escaping in
            self.body = escaping
            release()
            escaping(0)
            barrier()
            self.body = nil
        }
    }

    /// Waits until all threads of the body are here.
    package func barrier() {
        guard count > 1 else { return }
        let current = barrierGeneration.load(ordering: .acquiring)
        if arrived.add(1, ordering: .acquiringAndReleasing).newValue == count {
            arrived.store(0, ordering: .relaxed)
            barrierGeneration.store(current + 1, ordering: .releasing)
            return
        }
        var rounds = 0
        while barrierGeneration.load(ordering: .acquiring) == current {
            rounds += 1
            if rounds > Self.spinLimit { sched_yield() }
        }
    }

    private func release() {
        generation.add(1, ordering: .sequentiallyConsistent)
        if sleepers.load(ordering: .sequentiallyConsistent) > 0 {
            unsafe pthread_mutex_lock(lock)
            unsafe pthread_cond_broadcast(wake)
            unsafe pthread_mutex_unlock(lock)
        }
    }

    private func start(_ index: Int) -> Bool {
        let box = unsafe Unmanaged.passRetained(Start(team: self, index: index))
        var thread = pthread_t()
        guard unsafe pthread_create(&thread, nil, threadMain, box.toOpaque()) == 0 else {
            unsafe box.release()
            return false
        }
        threads.append(thread)
        return true
    }

    fileprivate func loop(_ index: Int) {
        var seen = 0
        while true {
            waitForBody(after: seen)
            seen += 1
            guard !isFinished else { return }
            body?(index)
            barrier()
        }
    }

    private func waitForBody(after seen: Int) {
        for round in 0..<Self.spinLimit + Self.yieldLimit {
            if generation.load(ordering: .acquiring) != seen { return }
            if round > Self.spinLimit { sched_yield() }
        }
        unsafe pthread_mutex_lock(lock)
        sleepers.add(1, ordering: .sequentiallyConsistent)
        while generation.load(ordering: .sequentiallyConsistent) == seen {
            unsafe pthread_cond_wait(wake, lock)
        }
        sleepers.subtract(1, ordering: .sequentiallyConsistent)
        unsafe pthread_mutex_unlock(lock)
    }
}

/// What a new thread needs to begin.
private final class Start {
    // The team outlives its threads: `finish` joins them before it goes.
    unowned let team: ThreadTeam
    let index: Int

    init(team: ThreadTeam, index: Int) {
        self.team = team
        self.index = index
    }
}

private func threadMain(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let argument = unsafe argument else { return nil }
    let start = unsafe Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
    start.team.loop(start.index)
    return nil
}
