import Synchronization

/// Which successful verifications are logged. Failed ones always are.
package enum VerificationLogging: String, Sendable, CaseIterable {
    case all
    /// The first of every hundred.
    case sample
    case off
}

/// Decides for each successful verification whether it is logged. Thread-safe.
final class VerificationSampler: Sendable {
    private static let sampling: UInt64 = 100

    private let wanted: VerificationLogging
    private let count = Atomic<UInt64>(0)

    init(_ wanted: VerificationLogging) { self.wanted = wanted }

    /// Whether to log the verification that has just succeeded. Counts it: ask once for each.
    var shouldLogNext: Bool {
        switch wanted {
        case .all: true
        case .off: false
        case .sample:
            count.wrappingAdd(1, ordering: .relaxed).oldValue.isMultiple(of: Self.sampling)
        }
    }
}
