/// Collects the routes at start-up; `routes()` makes the table that serves.
///
/// HEAD follows from GET, OPTIONS and 405 follow from what is there (RFC 9110 §9.3.2, §9.3.7,
/// §15.5.6). Paths match byte for byte: `/resource/` and `/%72esource` are other paths, and not ours.
package struct Router {
    private var paths: [Path] = []
    private var layers: [Layer] = []
    private var crossSite: CrossSite?

    /// What a state-changing request of another site's page gets, and which requests are such.
    struct CrossSite {
        let policy: CrossSitePolicy
        let answer: Handler
    }

    /// A middleware in a value of its own: a function that stands in an array by itself is called
    /// through adapters, and so is every handler that it returns.
    private struct Layer {
        let wrap: Middleware
        let wrapTwoSteps: TwoStepMiddleware
    }

    struct Path {
        let text: [UInt8]
        var routes: [(method: Method, route: Route)]
        /// Answers every method, in place of `routes`.
        var verdict: Route?
    }

    package init() {}

    /// - Precondition: no route for this method and path yet: two would be a mistake in the program.
    package mutating func on(
        _ method: Method, _ path: String, _ handler: @escaping Handler
    ) {
        add(method, path, .onWorker(handler))
    }

    /// The same for a handler that may have slow work to do.
    package mutating func on(
        _ method: Method, _ path: String, inTwoSteps handler: @escaping TwoStepHandler
    ) {
        add(method, path, .inTwoSteps(handler))
    }

    /// For a path whose 2xx is a verdict about the credentials in the request: the handler answers
    /// every method, so that no method has a 2xx without them. The cross-site policy does not
    /// concern it: a proxy asks on behalf of requests that may be cross-site by right.
    /// - Precondition: no route for this path yet.
    package mutating func onEveryMethod(_ path: String, _ handler: @escaping Handler) {
        precondition(path.hasPrefix("/"), "a path begins with a slash")
        let text = Array(path.utf8)
        precondition(!paths.contains { $0.text == text }, "\(path) has a handler already")
        paths.append(Path(text: text, routes: [], verdict: .onWorker(handler)))
    }

    /// Answers the state-changing requests that `policy` refuses, on every path, in place of their
    /// handlers.
    package mutating func refuseCrossSite(
        _ policy: CrossSitePolicy, by answer: @escaping Handler
    ) {
        crossSite = CrossSite(policy: policy, answer: answer)
    }

    private mutating func add(_ method: Method, _ path: String, _ route: Route) {
        precondition(path.hasPrefix("/"), "a path begins with a slash")
        precondition(method != .head && method != .options, "HEAD and OPTIONS follow by themselves")
        let text = Array(path.utf8)
        guard let index = paths.firstIndex(where: { $0.text == text }) else {
            paths.append(Path(text: text, routes: [(method, route)]))
            return
        }
        precondition(
            paths[index].verdict == nil && !paths[index].routes.contains { $0.method == method },
            "\(path) has a handler already")
        paths[index].routes.append((method, route))
    }

    /// Puts a middleware around every answer, 404 and 405 included; the first is the outermost.
    /// - Parameter inTwoSteps: stands around two-step handlers in its place; without one it stands around
    ///   whichever of their steps answers.
    package mutating func use(
        _ middleware: @escaping Middleware, inTwoSteps: TwoStepMiddleware? = nil
    ) {
        layers.append(
            Layer(
                wrap: middleware, wrapTwoSteps: inTwoSteps ?? Route.aroundTheAnswer(middleware)))
    }

    /// The table that serves.
    package func routes() -> RouteTable {
        let layers = layers
        return RouteTable(
            paths, crossSite: crossSite,
            wrap: { handler in
                var wrapped = handler
                for layer in layers.reversed() { wrapped = layer.wrap(wrapped) }
                return wrapped
            },
            wrapTwoSteps: { handler in
                var wrapped = handler
                for layer in layers.reversed() { wrapped = layer.wrapTwoSteps(wrapped) }
                return wrapped
            })
    }
}
