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

/// Collects the routes at start-up; `routes()` makes the table that serves.
///
/// HEAD follows from GET, OPTIONS and 405 follow from what is there (RFC 9110 §9.3.2, §9.3.7,
/// §15.5.6). Paths match byte for byte: `/resource/` and `/%72esource` are other paths, and not ours.
package struct Router {
    private var paths: [Path] = []
    private var layers: [Layer] = []

    /// A middleware in a value of its own: a function that stands in an array by itself is called
    /// through adapters, and so is every handler that it returns.
    private struct Layer {
        let wrap: Middleware
    }

    struct Path {
        let text: [UInt8]
        var routes: [(method: Method, route: Route)]
    }

    package init() {}

    /// - Precondition: no route for this method and path yet: two would be a mistake in the program.
    package mutating func on(
        _ method: Method, _ path: String, placed placement: Placement = .onWorker,
        _ handler: @escaping Handler
    ) {
        precondition(path.hasPrefix("/"), "a path begins with a slash")
        precondition(method != .head && method != .options, "HEAD and OPTIONS follow by themselves")
        let text = Array(path.utf8)
        let route = Route(placement: placement, handler: handler)
        guard let index = paths.firstIndex(where: { $0.text == text }) else {
            paths.append(Path(text: text, routes: [(method, route)]))
            return
        }
        precondition(
            !paths[index].routes.contains { $0.method == method }, "\(path) has a handler already")
        paths[index].routes.append((method, route))
    }

    /// Puts a middleware around every answer, 404 and 405 included; the first is the outermost.
    package mutating func use(_ middleware: @escaping Middleware) {
        layers.append(Layer(wrap: middleware))
    }

    /// The table that serves.
    package func routes() -> RouteTable {
        RouteTable(paths) { handler in
            var wrapped = handler
            for layer in layers.reversed() { wrapped = layer.wrap(wrapped) }
            return wrapped
        }
    }
}

/// Finds the route for each request. Immutable, shared by all workers.
package struct RouteTable: Sendable {
    private struct Entry: Sendable {
        let path: [UInt8]
        let get: Route?
        let post: Route?
        let others: [(method: Method, route: Route)]
        let options: Route
        let notAllowed: Route
    }

    private let entries: [Entry]
    private let wholeServer: Route
    private let connect: Route
    private let notFound: Route

    fileprivate init(_ paths: [Router.Path], wrap: (@escaping Handler) -> Handler) {
        func always(_ response: Response) -> Route { Route(handler: wrap { _ in response }) }
        func allow(_ methods: [Method]) -> String {
            var names = methods.map { "\($0.name)" }
            if methods.contains(.get) { names.append("\(Method.head.name)") }
            names.append("\(Method.options.name)")
            return Set(names).sorted().joined(separator: ", ")
        }
        entries = paths.map { path in
            let routes = path.routes.map { method, route in
                (method, Route(placement: route.placement, handler: wrap(route.handler)))
            }
            let allowed = allow(path.routes.map(\.method))
            return Entry(
                path: path.text,
                get: routes.first { $0.0 == .get }?.1,
                post: routes.first { $0.0 == .post }?.1,
                others: routes.filter { $0.0 != .get && $0.0 != .post },
                options: always(Response(.noContent).adding("Allow", allowed)),
                notAllowed: always(.error(.methodNotAllowed).adding("Allow", allowed)))
        }
        let everything = allow(paths.flatMap { $0.routes.map(\.method) })
        wholeServer = always(Response(.noContent).adding("Allow", everything))
        connect = always(.error(.methodNotAllowed).adding("Allow", everything))
        notFound = always(.error(.notFound))
    }

    package func route(for request: Request) -> Route {
        switch request.form {
        case .asterisk: return wholeServer
        case .authority: return connect
        case .path: break
        }
        for entry in entries where Self.isEqual(request.path, entry.path) {
            switch request.method {
            case .get, .head: return entry.get ?? entry.notAllowed
            case .post: return entry.post ?? entry.notAllowed
            case .options: return entry.options
            case let method:
                return entry.others.first { $0.method == method }?.route ?? entry.notAllowed
            }
        }
        return notFound
    }

    private static func isEqual(_ path: Span<UInt8>, _ text: [UInt8]) -> Bool {
        guard path.count == text.count else { return false }
        for index in path.indices where path[index] != text[index] { return false }
        return true
    }
}
