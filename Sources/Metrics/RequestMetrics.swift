/// The number of requests by route and status, and the duration of each route. The table's size is
/// fixed at the start: it does not grow with what clients request, and counting allocates nothing.
package final class RequestMetrics: Sendable {
    private let routes: [String]
    private let statuses: [Int]
    /// The column of each status code from 100 to 599.
    private let columns: [Int]
    private let bounds: HistogramBounds
    /// One row per route: its statuses, then all other statuses, then its histogram.
    private let table: CounterTable
    private let rowLength: Int

    /// The label for requests without a route, and for statuses that were not declared.
    package static let other = "other"
    /// The route label of errors that belong to no request.
    package static let none = "none"
    private static let codes = 100..<600

    /// - Parameters:
    ///   - routes: the label of each route; any other index is counted as `other`.
    ///   - statuses: the status codes that are counted separately.
    /// - Precondition: labels and codes are unique; codes are from 100 to 599.
    package init(routes: [String], statuses: [Int], bounds: HistogramBounds = .latency) {
        precondition(Set(routes + [Self.other, Self.none]).count == routes.count + 2)
        precondition(Set(statuses).count == statuses.count)
        precondition(statuses.allSatisfy(Self.codes.contains))
        self.routes = routes
        self.statuses = statuses
        self.bounds = bounds
        var columns = [Int](repeating: statuses.count, count: Self.codes.count)
        for (column, status) in statuses.enumerated() {
            columns[status - Self.codes.lowerBound] = column
        }
        self.columns = columns
        rowLength = statuses.count + 1 + bounds.cellCount
        table = CounterTable(count: rowLength * (routes.count + 1))
    }

    /// Counts a completed request.
    /// - Parameters:
    ///   - route: the index of its route; any other number for a request without a route.
    ///   - nanoseconds: the time from receiving the request to its response.
    package func count(route: Int, status: Int, nanoseconds: Int64) {
        let row = (routes.indices.contains(route) ? route : routes.count) * rowLength
        let column =
            Self.codes.contains(status)
            ? columns[status - Self.codes.lowerBound] : statuses.count
        table.add(row + column)
        bounds.count(nanoseconds, in: table, at: row + statuses.count + 1)
    }

    package func count(ofRoute route: Int, status: Int) -> UInt64 {
        let row = routes.indices.contains(route) ? route : routes.count
        return table[
            row * rowLength
                + (Self.codes.contains(status)
                    ? columns[status - Self.codes.lowerBound] : statuses.count)]
    }

    /// Writes both families. Only routes and statuses that have occurred have a series.
    /// - Parameter unasked: the responses that belong to no request, by status; their route is
    ///   `none`.
    package func write(
        to text: inout MetricsText, requests: StaticString, duration: StaticString,
        unasked: [(status: Int, count: UInt64)] = []
    ) {
        text.counter(requests, "Requests completed, by route and status.") { family in
            for row in 0...routes.count {
                for column in 0...statuses.count {
                    let count = table[row * rowLength + column]
                    guard count > 0 else { continue }
                    let status =
                        column < statuses.count ? String(statuses[column]) : Self.other
                    family.add(.count(count), ["route": label(row), "status": status])
                }
            }
            for (status, count) in unasked {
                family.add(.count(count), ["route": Self.none, "status": String(status)])
            }
        }
        text.histogram(duration, "Time from a request to its response, including waits.") {
            family in
            for row in 0...routes.count {
                let value = bounds.value(in: table, at: row * rowLength + statuses.count + 1)
                if value.count > 0 { family.add(value, ["route": label(row)]) }
            }
        }
    }

    private func label(_ row: Int) -> String { row < routes.count ? routes[row] : Self.other }
}
