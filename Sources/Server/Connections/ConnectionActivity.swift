import Synchronization
import Time

/// What a connection is doing, and since when. The connection's worker writes it; every worker
/// reads it to choose a connection to evict.
package final class ConnectionActivity: Sendable {
    /// In the order of eviction: the smallest kind first.
    package enum Kind: UInt8, Sendable, CaseIterable, Comparable {
        /// Its last response is sent; the worker waits for the client to close.
        case lingering
        /// Between a response and the next request.
        case idle
        /// Its response is sent with the current batch; then it is idle or lingering.
        case readyToSend
        /// It is new, or part of a request's head has arrived.
        case head
        /// Part of a request's body has arrived.
        case body
        /// The client does not read its response.
        case writing
        /// A handler has its request. It is never evicted.
        case busy

        package static func < (one: Kind, other: Kind) -> Bool { one.rawValue < other.rawValue }

        /// Whether closing the connection loses no request.
        package var isIdle: Bool { self <= .readyToSend }
    }

    /// The kind in the high bits and the time below, so that the smaller of two values is evicted
    /// first.
    private let packed: Atomic<UInt64>

    package init(_ kind: Kind, since time: MonotonicTime) {
        packed = Atomic(Self.pack(kind, time))
    }

    package func set(_ kind: Kind, since time: MonotonicTime) {
        packed.store(Self.pack(kind, time), ordering: .relaxed)
    }

    package func setBusy() {
        packed.store(UInt64(Kind.busy.rawValue) << Self.timeBits, ordering: .relaxed)
    }

    package struct Snapshot: Sendable, Comparable {
        fileprivate let packed: UInt64

        package var kind: Kind { Kind(rawValue: UInt8(packed >> ConnectionActivity.timeBits))! }

        /// The start of this activity.
        package var time: MonotonicTime {
            MonotonicTime(nanoseconds: Int64(packed & (1 << ConnectionActivity.timeBits - 1)))
        }

        package static func < (one: Snapshot, other: Snapshot) -> Bool { one.packed < other.packed }
    }

    package var now: Snapshot { Snapshot(packed: packed.load(ordering: .relaxed)) }

    /// Enough for 36 years in nanoseconds.
    private static let timeBits: UInt64 = 60

    private static func pack(_ kind: Kind, _ time: MonotonicTime) -> UInt64 {
        let time = UInt64(bitPattern: time.nanoseconds) & (1 << timeBits - 1)
        return UInt64(kind.rawValue) << timeBits | time
    }
}
