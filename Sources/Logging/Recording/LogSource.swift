/// What caused an event, where a client can cause it as often as it likes: the log limits such lines.
/// An event without a source always gets its line.
///
/// Everything is a number here: this module knows neither addresses nor tokens. Numbers are hashed with
/// a seed of the process, so that no client can choose one that is taken for another's.
@usableFromInline
package struct LogSource: Sendable {
    /// Why it happened, beside the event's name. The two are the kind of a line.
    let reason: StaticString
    /// The user whom the line names.
    let user: UInt64?
    /// The client has shown a token of this user with a correct signature. Its lines are counted for
    /// the user, and take nothing away from those that need no credentials.
    private(set) var hasToken: Bool
    /// The networks of the client, the smallest first.
    private(set) var networks = InlineArray<3, Network>(repeating: Network(hash: 0, factor: 1))
    private(set) var networkCount = 0
    /// Of the lines that say this of the same thing, one a second is written.
    private(set) var subject: UInt64?
    /// Only the audit log limits it.
    let isAlwaysInLog: Bool

    struct Network: Sendable {
        let hash: UInt64
        /// How many times the limit of one address it may have.
        let factor: Int
    }

    /// - Parameters:
    ///   - user: the number of the user whom the line names; nil if it names none.
    ///   - isAlwaysInLog: for an event that is not a refusal, but that needs no credentials either.
    package init(
        _ reason: StaticString, user: Int64? = nil, hasToken: Bool = false,
        isAlwaysInLog: Bool = false
    ) {
        self.reason = reason
        self.user = user.map { Self.hash($0) }
        self.hasToken = hasToken && user != nil
        self.isAlwaysInLog = isAlwaysInLog
    }

    /// For one that a client can have said again and again of the same two things: they get one line a
    /// second.
    package init(
        _ reason: StaticString, user: Int64, about one: Span<UInt8>, and other: Span<UInt8>
    ) {
        self.init(reason, user: user, hasToken: true)
        subject = Self.hash(Self.hash(one), Self.hash(other))
    }

    /// Where a token is no credential: what its client causes is counted as anybody's.
    mutating func ignoreToken() { hasToken = false }

    /// - Precondition: at most three are added, each larger than the one before.
    package mutating func add(network: UInt128, factor: Int) {
        networks[networkCount] = Network(hash: Self.hash(network), factor: factor)
        networkCount += 1
    }

    static func hash(_ bytes: Span<UInt8>) -> UInt64 {
        var hasher = Hasher()
        for index in bytes.indices { hasher.combine(bytes[index]) }
        return UInt64(bitPattern: Int64(hasher.finalize())) | 1
    }

    static func hash(_ value: some Hashable) -> UInt64 {
        var hasher = Hasher()
        hasher.combine(value)
        return UInt64(bitPattern: Int64(hasher.finalize())) | 1
    }

    /// One hash of two; neither can be chosen by a client.
    static func hash(_ one: UInt64, _ other: UInt64) -> UInt64 {
        var mixed = (one ^ other &* 0x9E37_79B9_7F4A_7C15) &* 0xBF58_476D_1CE4_E5B9
        mixed ^= mixed >> 29
        mixed = mixed &* 0x94D0_49BB_1331_11EB
        return (mixed ^ mixed >> 32) | 1
    }
}

/// Whether an event belongs to the audit log.
@usableFromInline
package enum Evidence: Sendable {
    case no
    case yes
    /// The first of these in an hour does.
    case firstInHour(of: UInt64)

    /// - Parameter subject: for example the identifier of a session.
    package static func onceAnHour(for subject: Span<UInt8>) -> Evidence {
        .firstInHour(of: LogSource.hash(subject))
    }
}
