/// Limits how many bytes of refusals and failures the audit log accepts, so that no client can push
/// older lines out of retention.
///
/// Lines that need no credentials share 1 MiB and 500 bytes a second. Four buckets divide this
/// amount, each for one use. Such a line is charged to one of these buckets, in full and before it
/// is written. So in `t` seconds these lines have at most 1 MiB and 500 t bytes together:
///
/// | bucket | burst | a second | for |
/// | --- | --- | --- | --- |
/// | `users` | 192 KiB | 100 | the first failure of each user in an hour, for each event |
/// | `networks` | 256 KiB | 150 | the first 20 lines of each network in a minute |
/// | `rest` | 512 KiB | 200 | all others |
/// | `summaries` | 64 KiB | 50 | the lines that report how many were not written |
///
/// A line whose client presented a user's token is charged to that user: 256 KiB and 100 bytes a
/// second.
///  Shares. In `networks` and `rest`, a network's usage may be at most what is left in the bucket,
/// multiplied by the network's factor (the dynamic threshold of Choudhury and Hahne, 1998). So a
/// network that uses as much as it may leaves half of the bucket, and a /48 leaves a seventeenth. A
/// network without usage is admitted unless hundreds have used their share. In `rest` the same
/// holds for kinds of lines, with the factor 8. Usage counts half after ten minutes.
struct LineBudget {
    /// Bytes of the longest budgeted line, with its time and line end. Longer lines are cut.
    static let maximumLine = 1024
    /// A bucket's capacity in bytes, and its rate in bytes a second.
    struct Part {
        let burst: Int
        let rate: Int

        func bucket(at now: Int64) -> TokenBucket {
            TokenBucket(capacity: burst, rate: rate, at: now)
        }
    }

    private static let usersPart = Part(burst: 192 << 10, rate: 100)
    private static let networksPart = Part(burst: 256 << 10, rate: 150)
    private static let restPart = Part(burst: 512 << 10, rate: 200)
    private static let summariesPart = Part(burst: 64 << 10, rate: 50)
    /// All lines without credentials together.
    static let ofAll = [usersPart, networksPart, restPart, summariesPart].reduce(
        Part(burst: 0, rate: 0)
    ) { Part(burst: $0.burst + $1.burst, rate: $0.rate + $1.rate) }
    static let ofUser = Part(burst: 256 << 10, rate: 100)
    /// Lines of one address in a minute that are admitted as long as `networks` has bytes left.
    private static let firstLines = 20
    private static let kindFactor: Int64 = 8
    private static let networkCapacity = 4096
    private static let userCapacity = 1024
    /// Milliseconds.
    private static let minute: Int64 = 60_000
    private static let summaryDelay: Int64 = 10_000

    /// The bucket that a line was charged to. It is charged for the longest line; `charge` corrects
    /// that.
    enum Admission {
        case user(UInt64)
        case overflow
        case users
        case networks
        case rest(kind: Int)
        case summary
        /// No bucket: another limit bounds these lines.
        case free
    }

    private struct Network {
        var minute = Int64.min
        var lines = 0
        var ofFirst = DecayingSum()
        var ofRest = DecayingSum()
    }

    private var users: TokenBucket
    private var networks: TokenBucket
    private var rest: TokenBucket
    private var summaries: TokenBucket
    private var spent: FixedTable<Network>
    private var ofUsers: FixedTable<TokenBucket>
    /// Shared by the users for whom `ofUsers` has no slot.
    private var overflow: TokenBucket

    private(set) var suppressed = SuppressedLines()

    /// - Parameter now: Milliseconds of a monotonic clock, as in all methods below.
    init(at now: Int64) {
        users = Self.usersPart.bucket(at: now)
        networks = Self.networksPart.bucket(at: now)
        rest = Self.restPart.bucket(at: now)
        summaries = Self.summariesPart.bucket(at: now)
        let ofUser = Self.ofUser.bucket(at: now)
        overflow = ofUser
        ofUsers = FixedTable(capacity: Self.userCapacity, empty: ofUser)
        spent = FixedTable(capacity: Self.networkCapacity, empty: Network())
    }

    // MARK: Lines

    /// Decides whether a line may be written; if not, it is counted as suppressed.
    /// - Parameters:
    ///   - isFirstOfUser: It is this user's first failure with this event name in an hour.
    ///   - isReserved: The log has suppressed this line; only `users` and `networks` may admit it.
    /// - Returns: What the line is charged to; nil if it may not be written.
    mutating func admit(
        _ name: StaticString, _ source: LogSource, _ level: Level, _ area: Area,
        isFirstOfUser: Bool, isReserved: Bool, at now: Int64
    ) -> Admission? {
        let kind = suppressed.kind(name, source.reason, level, area)
        let admission =
            source.hasToken
            ? isReserved && !isFirstOfUser ? nil : admitToken(source, at: now)
            : isFirstOfUser && users.take(Self.maximumLine, at: now)
                ? .users : admitNetwork(source, kind, isReserved, at: now)
        if admission == nil { suppressed.add(kind, source, level, at: now) }
        return admission
    }

    private mutating func admitToken(_ source: LogSource, at now: Int64) -> Admission? {
        guard let user = source.user else { return nil }
        // A full bucket holds no information, so it may be replaced.
        let place = ofUsers.slot(
            of: user, Self.ofUser.bucket(at: now)
        ) { bucket in
            var bucket = bucket
            return bucket.available(at: now) == bucket.capacity ? 0 : nil
        }
        guard let place else {
            return overflow.take(Self.maximumLine, at: now) ? .overflow : nil
        }
        return ofUsers[place].take(Self.maximumLine, at: now) ? .user(user) : nil
    }

    private mutating func admitNetwork(
        _ source: LogSource, _ kind: Int, _ isReserved: Bool, at now: Int64
    ) -> Admission? {
        let places = places(of: source, at: now)
        let minute = now / Self.minute
        let left = Int64(networks.available(at: now))
        let isFirst =
            source.networkCount > 0
            && all(source, places) { network, factor in
                (network.minute != minute || network.lines < Self.firstLines * factor)
                    && network.ofFirst.value(at: now) <= left * Int64(factor)
            }
        if isFirst, networks.take(Self.maximumLine, at: now) {
            for index in 0..<source.networkCount {
                let place = places[index]
                if spent[place].minute != minute {
                    spent[place].minute = minute
                    spent[place].lines = 0
                }
                spent[place].lines += 1
            }
            return .networks
        }
        guard !isReserved else { return nil }
        let rest = Int64(self.rest.available(at: now))
        guard suppressed[kind].usage.value(at: now) <= rest * Self.kindFactor,
            all(
                source, places,
                { network, factor in network.ofRest.value(at: now) <= rest * Int64(factor) }),
            self.rest.take(Self.maximumLine, at: now)
        else { return nil }
        return .rest(kind: kind)
    }

    private func all(
        _ source: LogSource, _ places: InlineArray<3, Int>, _ isWithin: (Network, Int) -> Bool
    ) -> Bool {
        for index in 0..<source.networkCount
        where !isWithin(spent[places[index]], source.networks[index].factor) {
            return false
        }
        return true
    }

    private mutating func places(of source: LogSource, at now: Int64) -> InlineArray<3, Int> {
        var places = InlineArray<3, Int>(repeating: 0)
        for index in 0..<source.networkCount {
            // Forget the network with the least usage.
            let place = spent.slot(of: source.networks[index].hash, Network()) {
                $0.ofFirst.value(at: now) + $0.ofRest.value(at: now)
            }
            places[index] = place ?? 0
        }
        return places
    }

    /// Corrects the charge of an admitted line to its actual size.
    /// - Parameter byteCount: At most `maximumLine`; 0 if the line was not written.
    mutating func charge(
        _ admission: Admission, _ source: LogSource?, byteCount: Int, at now: Int64
    ) {
        let unused = Self.maximumLine - byteCount
        switch admission {
        case .user(let user):
            if let place = ofUsers.index(of: user) { ofUsers[place].giveBack(unused) }
        case .free: break
        case .overflow: overflow.giveBack(unused)
        case .users: users.giveBack(unused)
        case .summary: summaries.giveBack(unused)
        case .networks:
            networks.giveBack(unused)
            charge(source, byteCount, \.ofFirst, at: now)
        case .rest(let kind):
            rest.giveBack(unused)
            suppressed[kind].usage.add(byteCount, at: now)
            charge(source, byteCount, \.ofRest, at: now)
        }
    }

    private mutating func charge(
        _ source: LogSource?, _ byteCount: Int, _ sum: WritableKeyPath<Network, DecayingSum>,
        at now: Int64
    ) {
        guard let source else { return }
        for index in 0..<source.networkCount {
            guard let place = spent.index(of: source.networks[index].hash) else { continue }
            spent[place][keyPath: sum].add(byteCount, at: now)
        }
    }

    // MARK: Summaries

    /// The next summary that is due and within its budget; nil otherwise. Its lines are counted
    /// until then.
    mutating func takeSummary(at now: Int64) -> LinesSuppressed? {
        let kind = suppressed.due { since, lastSummary in
            now >= since + Self.summaryDelay
                && (lastSummary.map { now >= $0 + Self.minute } ?? true)
        }
        guard let kind, summaries.take(Self.maximumLine, at: now) else { return nil }
        return suppressed.take(kind, at: now)
    }

    /// The next summary, due or not; for the stop of the log.
    mutating func takeLastSummary(at now: Int64) -> LinesSuppressed? {
        guard let kind = suppressed.due({ _, _ in true }) else { return nil }
        summaries.takeUnconditionally(Self.maximumLine)
        return suppressed.take(kind, at: now)
    }
}
