/// Collects the routes at start-up; `routes()` returns the finished table.
///
/// HEAD is derived from GET; OPTIONS and 405 are derived from the registered methods (RFC 9110
/// §9.3.2, §9.3.7, §15.5.6). Paths match byte for byte: `/resource/` and `/%72esource` are unknown
/// paths.
package struct Router {
    private var paths: [Path] = []
    private var layers: [Layer] = []
    private var crossSite: CrossSite?

    /// Which requests count as cross-site, and the handler that answers them.
    struct CrossSite {
        let policy: CrossSitePolicy
        let answer: Handler
    }

    /// Wraps the functions in a struct. Functions that are stored directly in an array are called
    /// through adapters, and so is every handler that they return.
    private struct Layer {
        let wrap: Middleware
        let wrapTwoSteps: TwoStepMiddleware
    }

    struct Path {
        let text: [UInt8]
        var routes: [(method: Method, route: Route)]
        /// Answers every method, instead of `routes`.
        var verdict: Route?
    }

    package init() {}

    /// - Precondition: this method and path have no route yet.
    package mutating func on(
        _ method: Method, _ path: String, _ handler: @escaping Handler
    ) {
        add(method, path, .onWorker(handler))
    }

    /// Registers a handler that may need slow work.
    /// - Precondition: this method and path have no route yet.
    package mutating func on(
        _ method: Method, _ path: String, inTwoSteps handler: @escaping TwoStepHandler
    ) {
        add(method, path, .inTwoSteps(handler))
    }

    /// Registers a handler for every method of a path whose 2xx is a verdict about the request's
    /// credentials. No method then has a 2xx without credentials. The cross-site policy does not
    /// apply to it: a proxy asks on behalf of requests that may legitimately be cross-site.
    /// - Precondition: this path has no route yet.
    package mutating func onEveryMethod(_ path: String, _ handler: @escaping Handler) {
        precondition(path.hasPrefix("/"), "\(path): a path must begin with a slash")
        let text = Array(path.utf8)
        precondition(
            !paths.contains { $0.text == text }, "\(path): a handler is already registered")
        paths.append(Path(text: text, routes: [], verdict: .onWorker(handler)))
    }

    /// Lets `answer` respond to the state-changing requests that `policy` rejects, on every path,
    /// instead of their handlers.
    package mutating func refuseCrossSite(
        _ policy: CrossSitePolicy, by answer: @escaping Handler
    ) {
        crossSite = CrossSite(policy: policy, answer: answer)
    }

    private mutating func add(_ method: Method, _ path: String, _ route: Route) {
        precondition(path.hasPrefix("/"), "\(path): a path must begin with a slash")
        precondition(
            method != .head && method != .options,
            "\(path): HEAD and OPTIONS are derived; do not register them")
        let text = Array(path.utf8)
        guard let index = paths.firstIndex(where: { $0.text == text }) else {
            paths.append(Path(text: text, routes: [(method, route)]))
            return
        }
        precondition(
            paths[index].verdict == nil && !paths[index].routes.contains { $0.method == method },
            "\(path): a handler is already registered")
        paths[index].routes.append((method, route))
    }

    /// Adds a middleware around every response, including 404 and 405. The first one is the
    /// outermost.
    /// - Parameter inTwoSteps: the middleware for two-step handlers. By default, `middleware` is
    ///   applied to the step that makes the response.
    package mutating func use(
        _ middleware: @escaping Middleware, inTwoSteps: TwoStepMiddleware? = nil
    ) {
        layers.append(
            Layer(
                wrap: middleware, wrapTwoSteps: inTwoSteps ?? Route.aroundResponse(middleware)))
    }

    /// The finished table.
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
