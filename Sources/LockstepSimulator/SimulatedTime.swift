import LockstepProtocol
import LockstepRuntime
import TrainingPlan

/// A point of simulated time, in microseconds since the start.
typealias Microseconds = UInt64

extension Microseconds {
    static func milliseconds(_ count: Int) -> Microseconds { UInt64(count) * 1_000 }
}

/// The simulated time, in one place.
final class SimulatedTime: @unchecked Sendable {
    // A simulation runs in one thread.
    var now: Microseconds = 0
}

/// A process' own clock: the simulated time, and how far it has jumped ahead.
final class SimulatedClock: Clock, @unchecked Sendable {
    private let time: SimulatedTime
    private let offset: Microseconds
    private var jumped: Microseconds = 0

    init(_ time: SimulatedTime, offset: Microseconds) {
        self.time = time
        self.offset = offset
    }

    var now: Instant { Instant(rawValue: (time.now + offset + jumped) / 1_000) }

    func jump(_ microseconds: Microseconds) { jumped += microseconds }
}

/// Events in the order of their times; those of one time in the order in which they were added.
struct EventQueue<Event> {
    /// What is sorted is small and holds no reference.
    private struct Entry {
        var time: Microseconds
        var number: UInt64
        /// Where the event lies.
        var place: Int

        func isBefore(_ other: Entry) -> Bool {
            time != other.time ? time < other.time : number < other.number
        }
    }

    private var heap: [Entry] = []
    private var events: [Event?] = []
    private var free: [Int] = []
    private var added: UInt64 = 0

    mutating func add(_ event: Event, at time: Microseconds) {
        added += 1
        let place: Int
        if let last = free.popLast() {
            place = last
            events[place] = event
        } else {
            place = events.count
            events.append(event)
        }
        heap.append(Entry(time: time, number: added, place: place))
        var child = heap.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard heap[child].isBefore(heap[parent]) else { return }
            heap.swapAt(child, parent)
            child = parent
        }
    }

    mutating func next() -> (time: Microseconds, event: Event)? {
        guard let first = heap.first else { return nil }
        let last = heap.removeLast()
        if !heap.isEmpty {
            heap[0] = last
            sink()
        }
        free.append(first.place)
        guard let event = events[first.place] else { return nil }
        events[first.place] = nil
        return (first.time, event)
    }

    private mutating func sink() {
        var parent = 0
        while true {
            var least = parent
            for child in 2 * parent + 1...2 * parent + 2
            where child < heap.count && heap[child].isBefore(heap[least]) {
                least = child
            }
            if least == parent { return }
            heap.swapAt(parent, least)
            parent = least
        }
    }
}
