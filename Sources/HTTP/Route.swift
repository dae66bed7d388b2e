/// An endpoint: a request in, its response out.
package typealias Handler = @Sendable (Request) -> Response

/// Something around a handler. Composed once, at start-up.
package typealias Middleware = @Sendable (@escaping Handler) -> Handler

/// Where a handler runs.
package enum Placement: Sendable {
    /// On the worker, between two system calls: for handlers that only compute, briefly.
    case onWorker
    /// On the bounded queue beside the workers: for handlers that are slow by nature.
    case offloaded
}

/// The handler for a request, and where it runs.
package struct Route: Sendable {
    package let placement: Placement
    package let handler: Handler

    package init(placement: Placement = .onWorker, handler: @escaping Handler) {
        self.placement = placement
        self.handler = handler
    }
}
