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

/// What happens in a simulation.
enum SimulatedEvent {
    case turn(Int)
    case arrival(SimulatedNetwork.Flight)
    case record
    case fault
    case interrupt(Int)
    /// A process that was killed, or has left, is started again.
    case restart(Int)
}

/// What is to happen, for whoever adds to it.
final class Agenda {
    private var queue = EventQueue()

    func add(_ event: SimulatedEvent, at time: Microseconds) { queue.add(event, at: time) }
    func next() -> (time: Microseconds, event: SimulatedEvent)? { queue.next() }
}

/// Events in the order of their times; those of one time in the order in which they were added.
private struct EventQueue {
    /// What is sorted is small and holds no reference.
    private struct Entry {
        /// The time, then the number among all events.
        var order: UInt64
        /// Where the event lies.
        var place: Int
    }

    private var heap: [Entry] = []
    private var events: [SimulatedEvent] = []
    private var free: [Int] = []
    private var added: UInt64 = 0

    /// Bits of the number; those above are for the time, enough for an hour.
    private static let numberBits = 32

    mutating func add(_ event: SimulatedEvent, at time: Microseconds) {
        added += 1
        precondition(
            (added | time) >> Self.numberBits == 0, "a simulation is bounded in time and events")
        let entry: Entry
        if let place = free.popLast() {
            events[place] = event
            entry = Entry(order: time << Self.numberBits | added, place: place)
        } else {
            entry = Entry(order: time << Self.numberBits | added, place: events.count)
            events.append(event)
        }
        heap.append(entry)
        rise(entry)
    }

    mutating func next() -> (time: Microseconds, event: SimulatedEvent)? {
        guard let first = heap.first, let last = heap.popLast() else { return nil }
        if !heap.isEmpty { sink(last) }
        free.append(first.place)
        let event = events[first.place]
        // Lets go of a frame.
        events[first.place] = .record
        return (first.order >> Self.numberBits, event)
    }

    /// Moves an entry up from the end.
    private mutating func rise(_ entry: Entry) {
        var place = heap.count - 1
        while place > 0 {
            let parent = (place - 1) / 2
            if heap[parent].order < entry.order { break }
            heap[place] = heap[parent]
            place = parent
        }
        heap[place] = entry
    }

    /// Moves an entry down from the top.
    private mutating func sink(_ entry: Entry) {
        var place = 0
        while true {
            var child = 2 * place + 1
            if child >= heap.count { break }
            if child + 1 < heap.count, heap[child + 1].order < heap[child].order { child += 1 }
            if entry.order < heap[child].order { break }
            heap[place] = heap[child]
            place = child
        }
        heap[place] = entry
    }
}
