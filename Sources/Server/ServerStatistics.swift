import HTTP

/// Current counts of a server, and totals since its start. Each value is correct; together they are
/// not a snapshot of one moment.
package struct ServerStatistics: Sendable, Equatable {
    /// Deadlines that have expired.
    package struct Timeouts: Sendable, Equatable {
        /// Connections whose request head did not arrive, or not completely.
        package let head: UInt64
        /// Connections whose request body did not arrive completely.
        package let body: UInt64
        /// Connections that were closed because no further request came.
        package let idle: UInt64
        /// Connections whose client did not read its response.
        package let write: UInt64
    }

    /// Connections that were evicted for others, by their activity.
    package struct Evictions: Sendable, Equatable {
        package let idle: UInt64
        package let head: UInt64
        package let body: UInt64
        /// Connections whose client did not read its response.
        package let response: UInt64
    }

    /// An offload queue.
    package struct Offload: Sendable, Equatable {
        /// Work that runs now.
        package let running: Int
        /// Work that is queued now.
        package let waiting: Int
        /// Requests that were rejected because the queue was full, in total.
        package let rejected: UInt64
    }

    /// Open connections, including those that are being rejected.
    package let connections: Int
    package let accepted: UInt64
    /// Connections that were rejected because the server was full.
    package let tooMany: UInt64
    /// Rejections before a handler has seen the request, as reported to `ServerHooks.refused`:
    /// invalid requests, timeouts and full queues.
    package let refused: UInt64
    /// Responses that were replaced by 503 because their event could not be recorded.
    package let replaced: UInt64
    /// Responses that no handler has made, by status: to invalid requests, to timeouts, to
    /// connections above the maximum, and in place of responses whose event could not be recorded.
    package let responsesWithoutRequest: [Status: UInt64]
    package let timeouts: Timeouts
    package let evicted: Evictions
    /// The queue of CPU-bound work.
    package let cpuBound: Offload
    /// The queue of work that waits for the disk.
    package let ioBound: Offload
}
