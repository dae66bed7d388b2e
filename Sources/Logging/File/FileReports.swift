import Time

/// The events of one log about its own file, on their way to the other log.
///
/// These events have no byte budget, and clients can cause some of them: a flood together with a
/// slow disk drops lines again and again. So at most four lines a minute are passed on for each
/// event name. The others are merged: one line at the end of the minute has the newest event and
/// the number of those merged.
struct FileReports {
    /// Lines of one event name a minute.
    static let mostInMinute = 4
    /// A log has five events about its file at WARNING and above. Further names would share the
    /// last entry.
    private static let mostKinds = 8
    private static let minute = TimeAmount.seconds(60)

    struct Report {
        var event: any LogEvent
        /// Events of this name that were merged into this one, itself not counted.
        var suppressed: Int64 = 0
    }

    private struct Kind {
        let name: UInt64
        /// When the current minute began, and the lines since then.
        var began: MonotonicTime
        var lines = 0
        /// The merged event for the next minute.
        var held: Report?

        mutating func isWithinLimit(at now: MonotonicTime) -> Bool {
            if now >= began + FileReports.minute { (began, lines) = (now, 0) }
            return lines < FileReports.mostInMinute
        }
    }

    private var kinds: [Kind] = []
    private var ready: [Report] = []

    mutating func add(_ event: any LogEvent, at now: MonotonicTime) {
        let name = SuppressedLines.hash(event.name)
        let index = kinds.firstIndex { $0.name == name } ?? addKind(name, at: now)
        if kinds[index].held == nil, kinds[index].isWithinLimit(at: now) {
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
        // The counts of dropped lines add up.
        if let first = held.event as? LogDropped, let second = event as? LogDropped {
            return Report(event: LogDropped(dropped: first.dropped + second.dropped))
        }
        return Report(event: event, suppressed: held.suppressed + 1)
    }

    /// The events that may be recorded now, in order.
    /// - Parameter all: Also those that are held for the next minute; for the stop of the log.
    mutating func take(at now: MonotonicTime, all: Bool) -> [Report] {
        for index in kinds.indices {
            guard let held = kinds[index].held, all || kinds[index].isWithinLimit(at: now) else {
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
