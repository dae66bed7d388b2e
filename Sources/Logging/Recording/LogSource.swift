/// The cause of an event that clients can cause without limit; the log limits its lines. An event
/// without a source is always written.
///
/// All values are hashes, because this module knows neither addresses nor tokens. They are seeded
/// for each process, so that no client can choose a value that collides with another client's.
@usableFromInline
package struct LogSource: Sendable {
    /// Why it happened. The event's name and this reason are the kind of the line.
    let reason: StaticString
    /// The hash of the user that the line names.
    let user: UInt64?
    /// The client has presented a token of this user with a correct signature. Its lines are
    /// charged to the user, not to the budget of lines that need no credentials.
    private(set) var hasToken: Bool
    /// The networks of the client, the smallest first.
    private(set) var networks = InlineArray<3, Network>(repeating: Network(hash: 0, factor: 1))
    private(set) var networkCount = 0
    /// The hash of what the line is about, if only one such line a second is written.
    private(set) var subject: UInt64?
    /// Whether only the audit log limits it.
    let isAlwaysInLog: Bool

    struct Network: Sendable {
        let hash: UInt64
        /// The limit of this network, as a multiple of the limit of one address.
        let factor: Int
    }

    /// - Parameters:
    ///   - user: The ID of the user that the line names; nil if it names none.
    ///   - hasToken: The client has presented a token of this user with a correct signature.
    ///   - isAlwaysInLog: For an event that is not a refusal but needs no credentials either.
    package init(
        _ reason: StaticString, user: Int64? = nil, hasToken: Bool = false,
        isAlwaysInLog: Bool = false
    ) {
        self.reason = reason
        self.user = user.map { Self.hash($0) }
        self.hasToken = hasToken && user != nil
        self.isAlwaysInLog = isAlwaysInLog
    }

    /// For an event that a client can repeat about the same two values: these get one line a
    /// second.
    package init(
        _ reason: StaticString, user: Int64, about one: Span<UInt8>, and other: Span<UInt8>
    ) {
        self.init(reason, user: user, hasToken: true)
        subject = Self.hash(Self.hash(one), Self.hash(other))
    }

    /// For a server whose tokens need no password: the client's lines are counted with all others.
    mutating func ignoreToken() { hasToken = false }

    /// - Precondition: At most three networks are added, each larger than the one before.
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

    /// Combines two hashes that no client can choose.
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
    /// Only the first of these in an hour does.
    case firstInHour(of: UInt64)

    /// - Parameter subject: For example the ID of a session.
    package static func onceAnHour(for subject: Span<UInt8>) -> Evidence {
        .firstInHour(of: LogSource.hash(subject))
    }
}
