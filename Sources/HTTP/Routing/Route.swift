/// An endpoint: a request in, its response out. Runs on the worker, between two system calls, so it
/// only computes, and briefly.
package typealias Handler = @Sendable (Request) -> Response

/// Something around a handler. Composed once, at start-up.
package typealias Middleware = @Sendable (@escaping Handler) -> Handler

/// An endpoint that may have slow work to do: what can be said at once is said on the worker, the rest
/// is handed back to be done beside it.
package typealias TwoStepHandler = @Sendable (Request) -> HandlerResult

/// A middleware that sees both steps of one: when the request came, and what became of it in the end.
package typealias TwoStepMiddleware = @Sendable (@escaping TwoStepHandler) -> TwoStepHandler

/// What a two-step handler gives back.
package enum HandlerResult: Sendable {
    case response(Response)
    case slow(OffloadedWork)

    /// - Parameter run: makes the response, on another thread than the worker's.
    package static func slow(
        _ kind: OffloadedWork.Kind, _ run: @escaping @Sendable () -> Response
    ) -> HandlerResult {
        .slow(OffloadedWork(kind, run))
    }
}

/// The slow part of an answer. Either it runs or it is refused for want of room, once.
package struct OffloadedWork: Sendable {
    /// What it is slow with; each kind has a queue and a limit of its own.
    package enum Kind: Sendable, CaseIterable {
        /// It keeps a processor busy: hashing a password.
        case cpuBound
        /// It waits for the disk, and shares its wait with others.
        case ioBound
    }

    /// Whose turn it is where there is more to do than can be done at once.
    package enum Priority: UInt8, Sendable, Comparable {
        case last, ordinary, first

        package static func < (one: Priority, other: Priority) -> Bool {
            one.rawValue < other.rawValue
        }
    }

    package let kind: Kind
    package let priority: Priority
    package let run: @Sendable () -> Response
    /// Called instead of `run` when the waiting room is full, or when it had to make room for work that
    /// comes before it; the client is told 503. On any thread.
    package let refused: @Sendable () -> Void

    package init(
        _ kind: Kind, priority: Priority = .ordinary,
        _ run: @escaping @Sendable () -> Response,
        refused: @escaping @Sendable () -> Void = {}
    ) {
        self.kind = kind
        self.priority = priority
        self.run = run
        self.refused = refused
    }

    /// What the client is told when it is refused.
    package static let busy = Response.error(.serviceUnavailable, "Busy").adding("Retry-After", "1")

    /// The same, and `answered` is told what the client is, whether it ran or was refused. On any thread.
    package func then(_ answered: @escaping @Sendable (Response) -> Void) -> OffloadedWork {
        OffloadedWork(
            kind, priority: priority,
            {
                let response = run()
                answered(response)
                return response
            },
            refused: {
                refused()
                answered(Self.busy)
            })
    }
}

/// How a request is answered.
package enum Route: Sendable {
    case onWorker(Handler)
    case inTwoSteps(TwoStepHandler)

    /// The same with a middleware around its answer.
    func wrapped(_ wrap: @escaping Middleware, inTwoSteps: @escaping TwoStepMiddleware) -> Route {
        switch self {
        case .onWorker(let handler): .onWorker(wrap(handler))
        case .inTwoSteps(let handler): .inTwoSteps(inTwoSteps(handler))
        }
    }

    /// A middleware around whichever of two steps answers: it cannot keep the first from running, and
    /// sees neither how long the work waited nor that it was refused.
    static func aroundTheAnswer(_ wrap: @escaping Middleware) -> TwoStepMiddleware {
        { begin in
            { request in
                switch begin(request) {
                case .response(let response):
                    .response(wrap { _ in response }(request))
                case .slow(let work):
                    .slow(
                        OffloadedWork(
                            work.kind, priority: work.priority,
                            { wrap { _ in work.run() }(request) },
                            refused: work.refused))
                }
            }
        }
    }
}
