import Auth
import HTTP
import Logging
import Metrics
import POSIX
import Revocation
import Server
import Time

/// GET /metrics: what there is to count, in the text format of Prometheus.
struct MetricsPage: Sendable {
    let parts: SharedState
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
        parts.requests.write(
            to: &text, requests: "gatehouse_http_requests_total",
            duration: "gatehouse_http_request_duration_seconds",
            unasked: statistics.answersToNoRequest.map { (status: $0.key.code, count: $0.value) }
                .sorted { $0.status < $1.status })
        text.counter(
            "gatehouse_http_refused_total",
            "Requests refused before a handler saw them: no HTTP, limits, timeouts, no room.",
            statistics.refused)
        text.counter(
            "gatehouse_http_unrecorded_total",
            "Answers 503 in place of what could not be put on record.",
            statistics.retracted)
    }

    private func tokens(_ text: inout MetricsText) {
        let counters = parts.security.counters
        text.counter(
            "gatehouse_tokens_issued_total", "Tokens issued at a login or by an operator.",
            counters.tokensIssued.value)
        text.counter(
            "gatehouse_tokens_refreshed_total", "Tokens issued for one that was brought back.",
            counters.tokensRefreshed.value)
        text.counter(
            "gatehouse_tokens_verified_total", "Tokens that were found good.",
            counters.tokensVerified.value)
        text.counter("gatehouse_tokens_rejected_total", "Tokens that were not, by reason.") {
            Self.add(counters.tokensRejected, &$0)
        }
        text.counter(
            "gatehouse_tokens_reused_total", "Tokens that came back after they were revoked.",
            counters.tokensReused.value)
        text.counter(
            "gatehouse_tokens_shared_total",
            "Tokens that were exchanged again within the grace period from another network.",
            counters.tokensShared.value)
    }

    private func logins(_ text: inout MetricsText) {
        let counters = parts.security.counters
        text.counter("gatehouse_logins_total", "Logins, by outcome.") {
            $0.add(.count(counters.loginsSucceeded.value), ["outcome": "success"])
            for (reason, counter) in counters.loginsFailed.all {
                $0.add(.count(counter.value), ["outcome": "\(reason)"])
            }
        }
        text.counter(
            "gatehouse_throttled_total", "Logins and renewals turned away unlooked at, by cause."
        ) {
            Self.add(counters.loginsThrottled, &$0)
        }
        text.counter(
            "gatehouse_lockouts_total", "Accounts and addresses that were locked.",
            counters.lockouts.value)
        text.counter(
            "gatehouse_cross_site_total",
            "Requests refused because a page of another site sent them, by the field that says so."
        ) {
            Self.add(counters.crossSite, &$0)
        }
        text.counter(
            "gatehouse_unlocks_total", "Resets of failed-login counts and locks before expiry.",
            counters.unlocks.value)
        let throttle = parts.throttle.statistics(at: parts.clock.now())
        text.gauge("gatehouse_locked", "Accounts and addresses that are locked now.") {
            $0.add(.integer(throttle.lockedAccounts), ["kind": "account"])
            $0.add(.integer(throttle.lockedAddresses), ["kind": "address"])
        }
    }

    private func revocations(_ text: inout MetricsText) {
        let counters = parts.security.counters
        text.counter(
            "gatehouse_logouts_total", "Sessions ended by their users.", counters.logouts.value)
        text.counter(
            "gatehouse_revocations_total", "Revocations by operators and after a replay.",
            counters.revocations.value)
        text.gauge(
            "gatehouse_sessions", "Sessions begun or renewed since the start that are not over.",
            .integer(parts.sessions.count))
        let statistics = parts.revocations.statistics
        text.gauge("gatehouse_revocation_entries", "What is revoked or exchanged, by kind.") {
            $0.add(.integer(statistics.tokens), ["kind": "token"])
            $0.add(.integer(statistics.spentTokens), ["kind": "exchanged"])
            $0.add(.integer(statistics.sessions), ["kind": "session"])
            $0.add(.integer(statistics.users), ["kind": "user"])
        }
        text.gauge(
            "gatehouse_revocation_journal_bytes", "Size of the journal of revocations.",
            .integer(statistics.journalBytes))
        text.gauge(
            "gatehouse_revocations_unwritten", "Revocations in force that are not on the disk.",
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
            "gatehouse_connections_refused_total", "Connections refused for being too many.",
            statistics.tooMany)
        text.counter(
            "gatehouse_connections_evicted_total",
            "Connections closed to make room for others, by their state."
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
        let queues = [("hashing", statistics.computing), ("storage", statistics.waiting)]
        text.gauge("gatehouse_queue_running", "Slow work under way, by queue.") {
            for (name, queue) in queues { $0.add(.integer(queue.running), ["queue": name]) }
        }
        text.gauge("gatehouse_queue_waiting", "Slow work that waits, by queue.") {
            for (name, queue) in queues { $0.add(.integer(queue.waiting), ["queue": name]) }
        }
        text.counter("gatehouse_queue_refused_total", "Requests answered Busy, by queue.") {
            for (name, queue) in queues { $0.add(.count(queue.refused), ["queue": name]) }
        }
    }

    private func log(_ text: inout MetricsText) {
        var files = [("app", parts.log.statistics)]
        if let audit = parts.log.auditStatistics { files.append(("audit", audit)) }
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
            "Refusals that a summary counts, because there were too many for a line each."
        ) { add(&$0, \.suppressed) }
        text.counter(
            "gatehouse_log_dropped_total", "Lines that found no room and are lost."
        ) { add(&$0, \.dropped) }
        text.counter(
            "gatehouse_log_write_failures_total", "Writes to the file that failed."
        ) { add(&$0, \.failedWrites) }
        text.gauge("gatehouse_log_waiting", "Lines that are not in the file yet.") {
            add(&$0, \.waiting)
        }
        let now = parts.clock.now()
        text.gauge(
            "gatehouse_log_oldest_line_seconds",
            "Age of the oldest line that is kept; absent until this process removes a log file."
        ) {
            for (name, statistics) in files {
                guard let oldest = statistics.oldest else { continue }
                let age = max(0, now.milliseconds - oldest.milliseconds) / 1000
                $0.add(.integer(Int(age)), ["file": name])
            }
        }
    }

    /// The names that other programs' metrics have, too.
    private func process(_ text: inout MetricsText) {
        let usage = ProcessUsage.now
        text.counter("process_cpu_seconds_total", "Processor time used, user and system.") {
            $0.add(.nanoseconds(usage.processorNanoseconds), [:])
        }
        text.gauge(
            "process_resident_memory_bytes", "Memory in use.", .integer(usage.residentBytes))
        text.gauge("process_open_fds", "Open descriptors.", .integer(usage.openDescriptors))
        text.gauge(
            "process_start_time_seconds", "When the process began, since 1970.",
            .nanoseconds(UInt64(clamping: started.milliseconds) * 1_000_000))
        text.gauge("gatehouse_build_info", "1, and which version this is.") {
            $0.add(.integer(1), ["version": Application.version])
        }
    }

    private static func add(_ counters: ReasonCounters, _ family: inout MetricSamples) {
        for (reason, counter) in counters.all {
            family.add(.count(counter.value), ["reason": "\(reason)"])
        }
    }
}

/// Counts each request of the public listener by its route and status, once, and how long its answer
/// took. It is counted when the answer is made, whether or not anybody is there to take it.
struct RequestMetricsMiddleware: Sendable {
    /// In the order of the labels.
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

    /// The same for what may have slow work to do: its time ends where that does, or is refused.
    static func inTwoSteps(_ metrics: RequestMetrics) -> TwoStepMiddleware {
        { handler in
            { request in
                let start = MonotonicTime.now
                let route = route(of: request)
                let reply = handler(request)
                switch reply {
                case .response(let response): count(response, of: route, since: start, metrics)
                case .slow(let work):
                    return .slow(work.then { count($0, of: route, since: start, metrics) })
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

    /// The place of the path among `paths`; what is none of them has no place.
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
