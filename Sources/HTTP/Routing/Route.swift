/// An endpoint: returns the response to a request. It runs on the worker between two system calls,
/// so it must only compute, and briefly.
package typealias Handler = @Sendable (Request) -> Response

/// Wraps a handler in another one. Middlewares are composed once, at start-up.
package typealias Middleware = @Sendable (@escaping Handler) -> Handler

/// An endpoint that may need slow work. It returns the response if it can compute it at once, on
/// the worker; otherwise it returns work to be done on another thread.
package typealias TwoStepHandler = @Sendable (Request) -> HandlerResult

/// A middleware for two-step handlers. It observes both the request's arrival and its final
/// response.
package typealias TwoStepMiddleware = @Sendable (@escaping TwoStepHandler) -> TwoStepHandler

/// The result of a two-step handler.
package enum HandlerResult: Sendable {
    case response(Response)
    case offloaded(OffloadedWork)

    /// - Parameter run: makes the response, on a thread other than the worker's.
    package static func slow(
        _ kind: OffloadedWork.Kind, _ run: @escaping @Sendable () -> Response
    ) -> HandlerResult {
        .offloaded(OffloadedWork(kind, run))
    }
}

/// The slow part of a response. It is either run or rejected, exactly once.
package struct OffloadedWork: Sendable {
    /// The resource that makes it slow. Each kind has its own queue and limits.
    package enum Kind: Sendable, CaseIterable {
        /// Occupies a processor: hashing a password.
        case cpuBound
        /// Waits for the disk. Several of these can share one wait.
        case ioBound
    }

    /// Which work runs first if not all of it can run at once.
    package enum Priority: UInt8, Sendable, Comparable {
        case last, ordinary, first

        package static func < (one: Priority, other: Priority) -> Bool {
            one.rawValue < other.rawValue
        }
    }

    package let kind: Kind
    package let priority: Priority
    package let run: @Sendable () -> Response
    /// Called instead of `run` if the queue is full, or if work of a higher priority evicts it. The
    /// client gets 503. May run on any thread.
    package let rejected: @Sendable () -> Void

    package init(
        _ kind: Kind, priority: Priority = .ordinary,
        _ run: @escaping @Sendable () -> Response,
        refused: @escaping @Sendable () -> Void = {}
    ) {
        self.kind = kind
        self.priority = priority
        self.run = run
        self.rejected = refused
    }

    /// The response to rejected work.
    package static let busy = Response.error(.serviceUnavailable, "Busy").adding("Retry-After", "1")

    /// Returns the same work, and calls `answered` with the response that the client gets, whether
    /// the work was run or rejected. `answered` may run on any thread.
    package func then(_ answered: @escaping @Sendable (Response) -> Void) -> OffloadedWork {
        OffloadedWork(
            kind, priority: priority,
            {
                let response = run()
                answered(response)
                return response
            },
            refused: {
                rejected()
                answered(Self.busy)
            })
    }
}

/// The handler of a request.
package enum Route: Sendable {
    case onWorker(Handler)
    case inTwoSteps(TwoStepHandler)

    /// Returns the route with a middleware around its handler.
    /// - Parameters:
    ///   - wrap: the middleware of a handler on the worker.
    ///   - inTwoSteps: the middleware of a two-step handler.
    func wrapped(_ wrap: @escaping Middleware, inTwoSteps: @escaping TwoStepMiddleware) -> Route {
        switch self {
        case .onWorker(let handler): .onWorker(wrap(handler))
        case .inTwoSteps(let handler): .inTwoSteps(inTwoSteps(handler))
        }
    }

    /// Applies a middleware to the step that makes the response. It cannot prevent the first step.
    /// It sees neither how long the work waited nor that it was rejected.
    static func aroundResponse(_ wrap: @escaping Middleware) -> TwoStepMiddleware {
        { begin in
            { request in
                switch begin(request) {
                case .response(let response):
                    .response(wrap { _ in response }(request))
                case .offloaded(let work):
                    .offloaded(
                        OffloadedWork(
                            work.kind, priority: work.priority,
                            { wrap { _ in work.run() }(request) },
                            refused: work.rejected))
                }
            }
        }
    }
}
