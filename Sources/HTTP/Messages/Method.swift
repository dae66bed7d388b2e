/// A request method (RFC 9110 §9). Methods are case-sensitive. An unknown method is `other`; its
/// name is only in the request's bytes.
package enum Method: Sendable, Hashable {
    case get, head, post, put, patch, delete, options, connect, trace, other

    package var name: StaticString {
        switch self {
        case .get: "GET"
        case .head: "HEAD"
        case .post: "POST"
        case .put: "PUT"
        case .patch: "PATCH"
        case .delete: "DELETE"
        case .options: "OPTIONS"
        case .connect: "CONNECT"
        case .trace: "TRACE"
        case .other: "-"
        }
    }

    /// True for every method except GET, HEAD and OPTIONS, the safe methods that browsers send on
    /// their own. TRACE is safe too, but no client needs it, so it counts as a state change.
    package var changesState: Bool {
        switch self {
        case .get, .head, .options: false
        case .post, .put, .patch, .delete, .connect, .trace, .other: true
        }
    }

    init(_ bytes: Span<UInt8>) {
        self =
            switch bytes.count {
            case 3 where bytes.isEqual("GET"): .get
            case 3 where bytes.isEqual("PUT"): .put
            case 4 where bytes.isEqual("POST"): .post
            case 4 where bytes.isEqual("HEAD"): .head
            case 5 where bytes.isEqual("PATCH"): .patch
            case 5 where bytes.isEqual("TRACE"): .trace
            case 6 where bytes.isEqual("DELETE"): .delete
            case 7 where bytes.isEqual("OPTIONS"): .options
            case 7 where bytes.isEqual("CONNECT"): .connect
            default: .other
            }
    }
}
