import POSIX
import Time

/// What makes one event a repeat of another: its name, its reason, the address that it came from, and
/// perhaps what it is about.
@usableFromInline
package struct Repetition: Sendable, Hashable {
    /// Seeded for each process: nobody can choose an address that is taken for another's.
    private let hash: Int

    package init(
        _ name: StaticString, _ reason: StaticString, from address: Span<UInt8>,
        about subject: Span<UInt8>? = nil
    ) {
        var hasher = Hasher()
        // A literal is known by its place. Sound: its address is taken, and nothing is read there.
        unsafe hasher.combine(name.utf8Start)
        unsafe hasher.combine(reason.utf8Start)
        for index in address.indices { hasher.combine(address[index]) }
        hasher.combine(subject?.count)
        if let subject { for index in subject.indices { hasher.combine(subject[index]) } }
        hash = hasher.finalize()
    }
}

/// Lets twenty repeats of an event a second through, and counts the rest: one line a second says how
/// many there were. So a client that is refused in a loop cannot fill the disk, nor bury what else
/// happens. For events that declare a `repetition`, which those about success do not.
final class RepeatFilter: Sendable {
    /// Lines of one event from one address in a second, before they are counted instead.
    fileprivate static let limit = 20
    /// Of events and addresses that are watched at a time. Past it, lines are written as without a
    /// filter.
    private static let capacity = 4096

    fileprivate struct Window {
        var second: Int64
        var count = 0
        /// The last one that was not let through.
        var latest: (any LogEvent)?
    }

    private struct State {
        var windows: [Repetition: Window] = [:]
        /// When room was last made.
        var tidied = Int64.min
    }

    private let state = Locked(State())

    enum Verdict {
        case pass
        /// Pass, but say first what was held back in an earlier second.
        case passAfter(Repeated)
        case hold
    }

    func judge(_ event: some LogEvent, _ repetition: Repetition, at now: Timestamp) -> Verdict {
        let second = now.seconds
        return state.withLock { state in
            guard var window = state.windows[repetition] else {
                if state.windows.count >= Self.capacity, state.tidied != second {
                    state.windows = state.windows.filter {
                        $0.value.second == second || $0.value.latest != nil
                    }
                    state.tidied = second
                }
                guard state.windows.count < Self.capacity else { return .pass }
                state.windows[repetition] = Window(second: second, count: 1)
                return .pass
            }
            defer { state.windows[repetition] = window }
            if window.second != second {
                let summary = window.summary
                window = Window(second: second, count: 1)
                return summary.map(Verdict.passAfter) ?? .pass
            }
            window.count += 1
            guard window.count > Self.limit else { return .pass }
            window.latest = event
            return .hold
        }
    }

    /// What was held back in seconds that are over, or in all of them; forgotten here.
    func takeSummaries(before now: Timestamp?) -> [Repeated] {
        let second = now?.seconds
        return state.withLock { state in
            var summaries: [Repeated] = []
            for (repetition, window) in state.windows where window.second != second {
                if let summary = window.summary { summaries.append(summary) }
                state.windows[repetition] = nil
            }
            return summaries
        }
    }
}

extension RepeatFilter.Window {
    var summary: Repeated? {
        latest.map { Repeated(event: $0, suppressed: Int64(count - RepeatFilter.limit)) }
    }
}

/// The last of several events that have no line of their own, saying how many they were.
struct Repeated: LogEvent {
    let event: any LogEvent
    let suppressed: Int64
    var level: Level { event.level }
    var area: Area { event.area }
    var name: StaticString { event.name }

    func write(to line: inout LogLine) {
        event.write(to: &line)
        line.field("suppressed", suppressed)
    }
}
