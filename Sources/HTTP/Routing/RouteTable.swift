/// Finds the route for each request. Immutable, and shared by all workers. It is a class so that
/// a copy of the reference costs one reference count, instead of one for each route.
package final class RouteTable: Sendable {
    private struct Entry: Sendable {
        let path: [UInt8]
        let get: Route?
        let post: Route?
        let others: [(method: Method, route: Route)]
        let options: Route
        let notAllowed: Route
        /// True if the route answers every method; see `Router.onEveryMethod`.
        let isVerdict: Bool
    }

    private let entries: [Entry]
    private let wholeServer: Route
    private let connect: Route
    private let notFound: Route
    private let crossSitePolicy: CrossSitePolicy?
    private let crossSite: Route

    init(
        _ paths: [Router.Path], crossSite: Router.CrossSite?, wrap: @escaping Middleware,
        wrapTwoSteps: @escaping TwoStepMiddleware
    ) {
        func always(_ response: Response) -> Route { .onWorker(wrap { _ in response }) }
        func allow(_ methods: [Method]) -> String {
            var names = methods.map { "\($0.name)" }
            if methods.contains(.get) { names.append("\(Method.head.name)") }
            names.append("\(Method.options.name)")
            return Set(names).sorted().joined(separator: ", ")
        }
        entries = paths.map { path in
            if let verdict = path.verdict?.wrapped(wrap, inTwoSteps: wrapTwoSteps) {
                return Entry(
                    path: path.text, get: verdict, post: verdict, others: [], options: verdict,
                    notAllowed: verdict, isVerdict: true)
            }
            let routes = path.routes.map { method, route in
                (method, route.wrapped(wrap, inTwoSteps: wrapTwoSteps))
            }
            let allowed = allow(path.routes.map(\.method))
            return Entry(
                path: path.text,
                get: routes.first { $0.0 == .get }?.1,
                post: routes.first { $0.0 == .post }?.1,
                others: routes.filter { $0.0 != .get && $0.0 != .post },
                options: always(Response(.noContent).adding("Allow", allowed)),
                notAllowed: always(.error(.methodNotAllowed).adding("Allow", allowed)),
                isVerdict: false)
        }
        let everything = allow(paths.flatMap { $0.routes.map(\.method) })
        wholeServer = always(Response(.noContent).adding("Allow", everything))
        connect = always(.error(.methodNotAllowed).adding("Allow", everything))
        notFound = always(.error(.notFound))
        crossSitePolicy = crossSite?.policy
        self.crossSite = crossSite.map { .onWorker(wrap($0.answer)) } ?? notFound
    }

    /// The registered endpoints, path by path. The derived HEAD and OPTIONS are not listed. A path
    /// whose handler answers every method is listed with GET only.
    package var endpoints: [(method: Method, path: String)] {
        entries.flatMap { entry in
            let path = String(decoding: entry.path, as: UTF8.self)
            if entry.isVerdict { return [(method: Method.get, path: path)] }
            let methods: [Method?] =
                [entry.get.map { _ in .get }, entry.post.map { _ in .post }]
                + entry.others.map(\.method)
            return methods.compactMap { $0 }.map { (method: $0, path: path) }
        }
    }

    package func route(for request: Request) -> Route {
        switch request.form {
        case .asterisk: return wholeServer
        case .authority: return refusesAsCrossSite(request) ? crossSite : connect
        case .path: break
        }
        // Accessed by index: a copy of the entry would increment a reference count for each route.
        for index in entries.indices where Self.isEqual(request.path, entries[index].path) {
            switch request.method {
            case .get, .head: return entries[index].get ?? entries[index].notAllowed
            case .options: return entries[index].options
            case let method:
                if !entries[index].isVerdict, refusesAsCrossSite(request) { return crossSite }
                if method == .post { return entries[index].post ?? entries[index].notAllowed }
                let other = entries[index].others.first { $0.method == method }
                return other?.route ?? entries[index].notAllowed
            }
        }
        return refusesAsCrossSite(request) ? crossSite : notFound
    }

    private func refusesAsCrossSite(_ request: Request) -> Bool {
        guard let crossSitePolicy, request.method.changesState else { return false }
        return crossSitePolicy.refusal(of: request) != nil
    }

    private static func isEqual(_ path: Span<UInt8>, _ text: [UInt8]) -> Bool {
        guard path.count == text.count else { return false }
        for index in path.indices where path[index] != text[index] { return false }
        return true
    }
}
