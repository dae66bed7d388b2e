import Auth
import HTTP
import Logging
import Metrics
import POSIX
import Revocation
import Server
import Time

/// GET /metrics: the metrics of this process in the text format of Prometheus.
struct MetricsPage: Sendable {
    let shared: SharedState
    let server: HTTPServer
    let started: Timestamp

    func text() -> [UInt8] {
        var text = MetricsText()
        requests(&text)
        tokens(&text)
        logins(&text)
        revocations(&text)
        connections(&text)
        log(&text)
        process(&text)
        return text.bytes
    }

    private func requests(_ text: inout MetricsText) {
        let statistics = server.statistics
        shared.requests.write(
            to: &text, requests: "gatehouse_http_requests_total",
            duration: "gatehouse_http_request_duration_seconds",
            unasked: statistics.responsesWithoutRequest.map {
                (status: $0.key.code, count: $0.value)
            }
            .sorted { $0.status < $1.status })
        text.counter(
            "gatehouse_http_refused_total",
            "Requests refused before their handler ran: malformed, too large, too slow, overload.",
            statistics.refused)
        text.counter(
            "gatehouse_http_unrecorded_total",
            "Responses replaced by 503 because their audit event could not be written.",
            statistics.replaced)
    }

    private func tokens(_ text: inout MetricsText) {
        let counters = shared.security.counters
        text.counter(
            "gatehouse_tokens_issued_total", "Tokens issued at a login or by an operator.",
            counters.tokensIssued.value)
        text.counter(
            "gatehouse_tokens_refreshed_total", "Tokens issued at a refresh.",
            counters.tokensRefreshed.value)
        text.counter(
            "gatehouse_tokens_verified_total", "Tokens that were accepted.",
            counters.tokensVerified.value)
        text.counter(
            "gatehouse_tokens_rejected_total", "Tokens that were not accepted, by reason."
        ) {
            Self.add(counters.tokensRejected, &$0)
        }
        text.counter(
            "gatehouse_tokens_reused_total", "Tokens that were used after their revocation.",
            counters.tokensReused.value)
        text.counter(
            "gatehouse_tokens_shared_total",
            "Tokens that were refreshed again within the grace period from another network.",
            counters.tokensShared.value)
    }

    private func logins(_ text: inout MetricsText) {
        let counters = shared.security.counters
        text.counter("gatehouse_logins_total", "Logins, by outcome.") {
            $0.add(.count(counters.loginsSucceeded.value), ["outcome": "success"])
            for (reason, counter) in counters.loginsFailed.all {
                $0.add(.count(counter.value), ["outcome": "\(reason)"])
            }
        }
        text.counter(
            "gatehouse_throttled_total",
            "Login and refresh attempts rejected by the throttle, by reason."
        ) {
            Self.add(counters.loginsThrottled, &$0)
        }
        text.counter(
            "gatehouse_lockouts_total", "Accounts and addresses that were locked.",
            counters.lockouts.value)
        text.counter(
            "gatehouse_cross_site_total",
            "Cross-site requests that were refused, by the field that identified them."
        ) {
            Self.add(counters.crossSite, &$0)
        }
        text.counter(
            "gatehouse_unlocks_total", "Resets of failed-login counts and locks before expiry.",
            counters.unlocks.value)
        let throttle = shared.throttle.statistics(at: shared.clock.now())
        text.gauge("gatehouse_locked", "Accounts and addresses that are locked now.") {
            $0.add(.integer(throttle.lockedAccounts), ["kind": "account"])
            $0.add(.integer(throttle.lockedAddresses), ["kind": "address"])
        }
    }

    private func revocations(_ text: inout MetricsText) {
        let counters = shared.security.counters
        text.counter(
            "gatehouse_logouts_total", "Sessions ended by a logout.", counters.logouts.value)
        text.counter(
            "gatehouse_revocations_total", "Revocations by operators and after a replay.",
            counters.revocations.value)
        text.gauge(
            "gatehouse_sessions",
            "Current sessions that were created or refreshed since the start.",
            .integer(shared.sessions.count))
        let statistics = shared.revocations.statistics
        text.gauge(
            "gatehouse_revocation_entries", "Entries of revoked and exchanged tokens, by kind."
        ) {
            $0.add(.integer(statistics.tokens), ["kind": "token"])
            $0.add(.integer(statistics.spentTokens), ["kind": "exchanged"])
            $0.add(.integer(statistics.sessions), ["kind": "session"])
            $0.add(.integer(statistics.users), ["kind": "user"])
        }
        text.gauge(
            "gatehouse_revocation_journal_bytes", "Size of the journal of revocations.",
            .integer(statistics.journalBytes))
        text.gauge(
            "gatehouse_revocations_unwritten", "Revocations in effect that are not on disk yet.",
            .integer(statistics.unwritten))
        text.counter(
            "gatehouse_revocation_write_failures_total", "Writes of the journal that failed.",
            statistics.failures)
    }

    private func connections(_ text: inout MetricsText) {
        let statistics = server.statistics
        text.gauge("gatehouse_connections", "Open connections.", .integer(statistics.connections))
        text.counter(
            "gatehouse_connections_accepted_total", "Connections accepted.", statistics.accepted)
        text.counter(
            "gatehouse_connections_refused_total", "Connections refused at the connection limit.",
            statistics.tooMany)
        text.counter(
            "gatehouse_connections_evicted_total",
            "Connections closed in favor of new ones, by their state."
        ) {
            $0.add(.count(statistics.evicted.idle), ["state": "idle"])
            $0.add(.count(statistics.evicted.head), ["state": "header"])
            $0.add(.count(statistics.evicted.body), ["state": "body"])
            $0.add(.count(statistics.evicted.response), ["state": "response"])
        }
        text.counter("gatehouse_timeouts_total", "Deadlines that expired, by kind.") {
            $0.add(.count(statistics.timeouts.head), ["kind": "header"])
            $0.add(.count(statistics.timeouts.body), ["kind": "body"])
            $0.add(.count(statistics.timeouts.idle), ["kind": "idle"])
            $0.add(.count(statistics.timeouts.write), ["kind": "write"])
        }
        let queues = [("hashing", statistics.cpuBound), ("storage", statistics.ioBound)]
        text.gauge("gatehouse_queue_running", "Offloaded work that is running, by queue.") {
            for (name, queue) in queues { $0.add(.integer(queue.running), ["queue": name]) }
        }
        text.gauge("gatehouse_queue_waiting", "Offloaded work that is queued, by queue.") {
            for (name, queue) in queues { $0.add(.integer(queue.waiting), ["queue": name]) }
        }
        text.counter(
            "gatehouse_queue_refused_total", "Requests refused as Busy by a full queue, by queue."
        ) {
            for (name, queue) in queues { $0.add(.count(queue.rejected), ["queue": name]) }
        }
    }

    private func log(_ text: inout MetricsText) {
        var files = [("app", shared.log.statistics)]
        if let audit = shared.log.auditStatistics { files.append(("audit", audit)) }
        func add(
            _ family: inout MetricSamples, _ value: (Logger.Statistics) -> UInt64
        ) {
            for (name, statistics) in files {
                family.add(.count(value(statistics)), ["file": name])
            }
        }
        text.counter("gatehouse_log_lines_total", "Lines accepted, by file.") {
            add(&$0, \.lines)
        }
        text.counter("gatehouse_log_bytes_total", "Bytes of those lines.") { add(&$0, \.bytes) }
        text.counter(
            "gatehouse_log_suppressed_total",
            "Lines replaced by a summary because there were too many of them."
        ) { add(&$0, \.suppressed) }
        text.counter(
            "gatehouse_log_dropped_total", "Lines lost because the buffer was full."
        ) { add(&$0, \.dropped) }
        text.counter(
            "gatehouse_log_write_failures_total", "Writes to the file that failed."
        ) { add(&$0, \.failedWrites) }
        text.gauge("gatehouse_log_waiting", "Lines that are not written yet.") {
            add(&$0, \.waiting)
        }
        let now = shared.clock.now()
        text.gauge(
            "gatehouse_log_oldest_line_seconds",
            "Age of the oldest retained line; absent until this process removes a log file."
        ) {
            for (name, statistics) in files {
                guard let oldest = statistics.oldest else { continue }
                let age = max(0, now.milliseconds - oldest.milliseconds) / 1000
                $0.add(.integer(Int(age)), ["file": name])
            }
        }
    }

    /// Metrics with the names that all Prometheus clients use.
    private func process(_ text: inout MetricsText) {
        let usage = ProcessUsage.now
        text.counter("process_cpu_seconds_total", "Processor time used, user and system.") {
            $0.add(.nanoseconds(usage.processorNanoseconds), [:])
        }
        text.gauge(
            "process_resident_memory_bytes", "Resident memory.", .integer(usage.residentBytes))
        text.gauge("process_open_fds", "Open file descriptors.", .integer(usage.openDescriptors))
        text.gauge(
            "process_start_time_seconds", "Start of the process in seconds since 1970.",
            .nanoseconds(UInt64(clamping: started.milliseconds) * 1_000_000))
        text.gauge("gatehouse_build_info", "Always 1; the label is the version.") {
            $0.add(.integer(1), ["version": Application.version])
        }
    }

    private static func add(_ counters: ReasonCounters, _ family: inout MetricSamples) {
        for (reason, counter) in counters.all {
            family.add(.count(counter.value), ["reason": "\(reason)"])
        }
    }
}

/// Counts each request of the public listener once, by route and status, and measures its duration.
/// A request is counted when its response exists, even if the client has disconnected.
struct RequestMetricsMiddleware: Sendable {
    /// The routes, in the order of their indices.
    private static let paths = [
        "/resource", "/verify", "/login", "/refresh", "/logout", "/logout/all", "/health/live",
        "/health/ready", "/openapi.json",
    ]
    private static let pathBytes = paths.map { Array($0.utf8) }

    static func table() -> RequestMetrics {
        RequestMetrics(routes: paths, statuses: Status.allCases.map(\.code))
    }

    static func middleware(_ metrics: RequestMetrics) -> Middleware {
        { handler in
            { request in
                let start = MonotonicTime.now
                let response = handler(request)
                metrics.count(
                    route: route(of: request), status: response.status.code,
                    nanoseconds: MonotonicTime.now.nanoseconds - start.nanoseconds)
                return response
            }
        }
    }

    /// The same for handlers that may return offloaded work. The duration includes that work, or
    /// ends when it is refused.
    static func inTwoSteps(_ metrics: RequestMetrics) -> TwoStepMiddleware {
        { handler in
            { request in
                let start = MonotonicTime.now
                let route = route(of: request)
                let reply = handler(request)
                switch reply {
                case .response(let response): count(response, of: route, since: start, metrics)
                case .offloaded(let work):
                    return .offloaded(work.then { count($0, of: route, since: start, metrics) })
                }
                return reply
            }
        }
    }

    private static func count(
        _ response: Response, of route: Int, since start: MonotonicTime, _ metrics: RequestMetrics
    ) {
        metrics.count(
            route: route, status: response.status.code,
            nanoseconds: MonotonicTime.now.nanoseconds - start.nanoseconds)
    }

    /// The index of the request's path in `paths`; -1 for any other path.
    private static func route(of request: Request) -> Int {
        let path = request.path
        for (index, known) in pathBytes.enumerated() where path.isEqual(known.span) {
            return index
        }
        return -1
    }
}

extension Span<UInt8> {
    fileprivate func isEqual(_ other: Span<UInt8>) -> Bool {
        guard count == other.count else { return false }
        for index in indices where self[index] != other[index] { return false }
        return true
    }
}
