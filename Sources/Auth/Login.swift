import HTTP
import JSON
import JWT
import Logging
import Time

/// POST /login: who says who they are gets a token.
///
/// In demo mode saying it is enough: any valid user id gets one. Passwords are another mode's affair.
package struct Login: Sendable {
    private let issuer: TokenIssuer
    private let log: Logger
    private let clock: WallClock

    package init(_ issuer: TokenIssuer, log: Logger, clock: WallClock) {
        self.issuer = issuer
        self.log = log
        self.clock = clock
    }

    package func respond(to request: Request) -> Response {
        guard Self.hasJSON(request) else {
            return refuse(request, "unsupported_media_type", Self.unsupportedMediaType)
        }
        // RFC 9110 §15.5.12: content is needed, and nothing said that any comes.
        guard request.declaresContent else {
            return refuse(request, "length_required", Self.lengthRequired)
        }
        switch Credentials(parsing: request.body) {
        case .notJSON: return refuse(request, "invalid_json", Self.invalidJSON)
        case .noUserID: return refuse(request, "invalid_user_id", Self.invalidUserID)
        case .user(let user): return accept(request, user)
        }
    }

    private func accept(_ request: Request, _ user: UserID) -> Response {
        let (token, claims) = issuer.issue(for: user, at: clock.now())
        let origin = Origin(request)
        log.record(LoginSucceeded(user: user, origin: origin))
        log.record(TokenCreated(claims: claims, keyID: issuer.keyID, origin: origin))
        return TokenResponse.make(token, issuer)
    }

    private func refuse(
        _ request: Request, _ reason: StaticString, _ response: Response
    ) -> Response {
        log.record(LoginFailed(reason: reason, origin: Origin(request)))
        return response
    }

    /// Whether the content is JSON, or of a type that the client did not name.
    private static func hasJSON(_ request: Request) -> Bool {
        guard let type = request.value(of: .contentType) else { return true }
        var end = 0
        while end < type.count, type[end] != UInt8(ascii: ";") { end += 1 }
        return type.extracting(0..<end).trimmed.isEqualIgnoringCase("application/json")
    }

    private static let unsupportedMediaType = Response.error(.unsupportedMediaType).audited
    private static let lengthRequired = Response.error(.lengthRequired).audited
    private static let invalidJSON = Response.error(.badRequest, "Invalid JSON").audited
    private static let invalidUserID = Response.error(.badRequest, "Invalid user_id").audited
}

/// What the body of a login says.
private enum Credentials {
    case user(UserID)
    /// Not one JSON object.
    case notJSON
    /// No `user_id`, or one that is no whole number from 1 to 2^53 - 1, written as one.
    case noUserID

    init(parsing body: Span<UInt8>) {
        var user: UserID?
        do throws(JSONError) {
            var reader = JSONReader(
                body, maximumNames: JSONReader.maximumNamesFromStrangers)
            try reader.beginObject()
            while let name = try reader.nextName() {
                guard reader.isEqual(name, "user_id"), try reader.peekKind() == .number else {
                    try reader.skipValue()
                    continue
                }
                user = try Self.userID(&reader)
            }
            try reader.finish()
        } catch {
            self = .notJSON
            return
        }
        self = user.map(Credentials.user) ?? .noUserID
    }

    /// Nil for `1.0` and `1e0`, which are floats to whoever wrote them, and for numbers out of range.
    private static func userID(_ reader: inout JSONReader) throws(JSONError) -> UserID? {
        do throws(JSONError) {
            return UserID(try reader.readInteger())
        } catch {
            guard error.reason == .notAnInteger || error.reason == .numberOutOfRange else {
                throw error
            }
            return nil
        }
    }
}

/// The answer with a token in it (RFC 6749 §5.1).
enum TokenResponse {
    static func make(_ token: [UInt8], _ issuer: TokenIssuer) -> Response {
        var writer = JSONWriter(capacity: token.count + 128)
        writer.beginObject()
        writer.name("token")
        writer.string(token.span)
        writer.name("token_type")
        writer.string("Bearer")
        writer.name("expires_in")
        writer.integer(issuer.lifetime.wholeSeconds)
        writer.name("session_expires_in")
        writer.integer(issuer.sessionLifetime.wholeSeconds)
        writer.endObject()
        return template.with(json: writer.bytes)
    }

    /// `Cache-Control: no-store` is on every response; its HTTP/1.0 twin goes with tokens.
    private static let template = Response(.ok).adding("Pragma", "no-cache").audited
}
