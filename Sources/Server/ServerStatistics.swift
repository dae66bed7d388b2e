import HTTP

/// How a server is doing: numbers of now, and totals since it began. Each is right by itself; they
/// are not read in one moment.
package struct ServerStatistics: Sendable, Equatable {
    /// Deadlines that have expired.
    package struct Timeouts: Sendable, Equatable {
        /// Connections whose request head did not come, or did not come to its end.
        package let head: UInt64
        package let body: UInt64
        /// Connections that were let go because nothing more was asked on them.
        package let idle: UInt64
        /// Clients that did not take their response.
        package let write: UInt64
    }

    /// Connections that made room for others, by what they were doing.
    package struct Evictions: Sendable, Equatable {
        package let idle: UInt64
        package let head: UInt64
        package let body: UInt64
        /// Clients that did not take their response.
        package let response: UInt64
    }

    /// A queue of slow work.
    package struct Offload: Sendable, Equatable {
        /// Now.
        package let running: Int
        /// Now, behind those that run.
        package let waiting: Int
        /// Requests that found no room.
        package let refused: UInt64
    }

    /// Now, those included that are being refused.
    package let connections: Int
    package let accepted: UInt64
    /// Connections that were refused because there were too many.
    package let tooMany: UInt64
    /// What was refused before any handler saw it, as `ServerHooks.refused` is told: bytes that are no
    /// request, what came too slowly, what found no room.
    package let refused: UInt64
    /// Refusals that were sent in place of responses that could not be put on record.
    package let retracted: UInt64
    /// Answers that belong to no handler, by their status: to bytes that were no request, to what came
    /// too slowly, to connections past the maximum, and in place of what could not be put on record.
    package let answersToNoRequest: [Status: UInt64]
    package let timeouts: Timeouts
    package let evicted: Evictions
    package let computing: Offload
    package let waiting: Offload
}
