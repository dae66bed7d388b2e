import Time

/// What a log has to say of its own file, until the other log takes it over.
///
/// None of it is budgeted, and clients can cause some of it: a flood and a slow disk make lines that find
/// no room, again and again. So at most four of one event go over in a minute. Those past that are
/// merged: one line at the end of the minute has the newest of them, and says how many there were.
struct FileReports {
    /// Of one event in a minute.
    static let mostInMinute = 4
    /// Events at WARNING and above that a log has about its file: five. Others share the last place.
    private static let mostKinds = 8
    private static let minute = TimeAmount.seconds(60)

    struct Report {
        var event: any LogEvent
        /// Events of this name that have no line of their own; this one counts as the first.
        var suppressed: Int64 = 0
    }

    private struct Kind {
        let name: UInt64
        /// When the minute began, and the lines since then.
        var began: MonotonicTime
        var lines = 0
        /// What waits for the next minute.
        var held: Report?

        mutating func hasRoom(at now: MonotonicTime) -> Bool {
            if now >= began + FileReports.minute { (began, lines) = (now, 0) }
            return lines < FileReports.mostInMinute
        }
    }

    private var kinds: [Kind] = []
    private var ready: [Report] = []

    mutating func add(_ event: any LogEvent, at now: MonotonicTime) {
        let name = SuppressedLines.hash(event.name)
        let index = kinds.firstIndex { $0.name == name } ?? addKind(name, at: now)
        if kinds[index].held == nil, kinds[index].hasRoom(at: now) {
            kinds[index].lines += 1
            ready.append(Report(event: event))
        } else if let held = kinds[index].held {
            kinds[index].held = Self.merge(held, event)
        } else {
            kinds[index].held = Report(event: event)
        }
    }

    private mutating func addKind(_ name: UInt64, at now: MonotonicTime) -> Int {
        guard kinds.count < Self.mostKinds else { return Self.mostKinds - 1 }
        kinds.append(Kind(name: name, began: now))
        return kinds.count - 1
    }

    private static func merge(_ held: Report, _ event: any LogEvent) -> Report {
        // Their numbers add up.
        if let first = held.event as? LogDropped, let second = event as? LogDropped {
            return Report(event: LogDropped(dropped: first.dropped + second.dropped))
        }
        return Report(event: event, suppressed: held.suppressed + 1)
    }

    /// What may be recorded now, in order.
    /// - Parameter all: also what is held, because nothing comes after it.
    mutating func take(at now: MonotonicTime, all: Bool) -> [Report] {
        for index in kinds.indices {
            guard let held = kinds[index].held, all || kinds[index].hasRoom(at: now) else {
                continue
            }
            kinds[index].lines += 1
            kinds[index].held = nil
            ready.append(held)
        }
        defer { ready = [] }
        return ready
    }
}
