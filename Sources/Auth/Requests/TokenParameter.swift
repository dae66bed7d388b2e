import HTTP
import JSON

/// The token in the body of an admin request: `token` in a form (RFC 7662 §2.1, RFC 7009 §2.1) or
/// in a JSON object.
enum TokenParameter {
    case token([UInt8])
    /// Another content type, no token, or a body that does not match its type.
    case none

    init(_ request: Request) {
        self = .none
        switch ContentType(request) {
        case .form:
            if case .value(let token) = FormParameters.value(of: "token", in: request.body) {
                self = .token(token)
            }
        case .json, .unnamed:
            guard case .object(let members)? = try? JSONValue(parsing: request.body),
                case .string(let text)? = members.first(where: { $0.name == "token" })?.value
            else { return }
            self = .token(Array(text.utf8))
        case .other: return
        }
    }
}

/// The media type of a request's body, as far as the handlers distinguish it.
enum ContentType {
    case json, form, other
    /// There is no Content-Type.
    case unnamed

    init(_ request: Request) {
        guard let type = request.value(of: .contentType) else {
            self = .unnamed
            return
        }
        var end = 0
        while end < type.count, type[end] != UInt8(ascii: ";") { end += 1 }
        let essence = type.extracting(0..<end).trimmed
        self =
            if essence.isEqualIgnoringCase("application/json") {
                .json
            } else if essence.isEqualIgnoringCase("application/x-www-form-urlencoded") {
                .form
            } else { .other }
    }
}
