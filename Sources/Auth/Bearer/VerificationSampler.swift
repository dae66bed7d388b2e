import Synchronization

/// Which verifications that succeed have a line in the log. Those that fail always have one.
package enum VerificationLogging: String, Sendable, CaseIterable {
    case all
    /// One in a hundred.
    case sample
    case off
}

/// Chooses the verifications that are put on record.
final class VerificationSampler: Sendable {
    private static let sampling: UInt64 = 100

    private let wanted: VerificationLogging
    private let count = Atomic<UInt64>(0)

    init(_ wanted: VerificationLogging) { self.wanted = wanted }

    /// Whether the verification that has just succeeded is one of them.
    var wantsNext: Bool {
        switch wanted {
        case .all: true
        case .off: false
        case .sample:
            count.wrappingAdd(1, ordering: .relaxed).oldValue.isMultiple(of: Self.sampling)
        }
    }
}
