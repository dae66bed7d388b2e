import Auth
import Crypto
import JWT
import POSIX
import Revocation
import TestSupport
import Time

/// The bytes are tokens with any claims, and revocations. What holds of them: a token that would be
/// accepted when a revocation covers it is not accepted after that, whatever it says, at no later time
/// and after no restart; and a session that begins after a revocation is not ended by it.
///
/// First byte: the leeway. Then operations of a byte each; some take bytes behind them.
enum RevocationProperties {
    @Sendable static func check(_ bytes: [UInt8], _ folder: String) throws {
        var course = try Course(bytes.first ?? 0, folder)
        var rest = bytes.dropFirst().prefix(96)
        while let byte = rest.popFirst() {
            try course.run(byte, &rest)
            try course.checkAll()
        }
    }

    private static let secret = Array("a secret of the rules under Tests".utf8)
    private static let start = Timestamp(seconds: 1_800_000_000)
    /// After the start, in milliseconds. A token whose login is 1 ms after a cutoff looks like one of a
    /// session that began right after it: cutoffs are 1 ms apart from each other, these are not.
    private static let offsets: [Int64] = [
        -1_000_000_000, -301_000, -6000, -5250, -5000, -1000, -250, 0, 250, 1000, 4750, 5000, 5250,
        6000, 299_750, 300_000, 300_250, 1_000_000_000, 200_000_000_000, .max / 4,
    ]

    private struct Tried {
        let token: [UInt8]
        let claims: Claims
        /// Made by our own issuer, which names the session after every revocation.
        let isOurs: Bool
        /// A revocation covers it.
        var isRevoked = false
    }

    private struct Course {
        private let tokens: HS256
        private let issuer: TokenIssuer
        private let leeway: TimeAmount
        private let path: String
        private var revocations: Revocations
        private var now = RevocationProperties.start
        private var tried: [Tried] = []

        init(_ first: UInt8, _ folder: String) throws {
            leeway = TimeAmount(milliseconds: [0, 250, 5000, 300_000][Int(first % 4)])
            let entry = KeyRing.Entry(id: "a", secret: RevocationProperties.secret.span)!
            tokens = HS256(keys: KeyRing([entry])!, policy: TokenPolicy(leeway: leeway))
            issuer = TokenIssuer(
                tokens, lifetime: .seconds(100_000_000), sessionLifetime: .seconds(100_000_000))
            path = "\(folder)/revocations.journal"
            try? SystemFileSystem().remove(path)
            revocations = try Self.open(path, now)
        }

        private static func open(_ path: String, _ now: Timestamp) throws -> Revocations {
            try Revocations(
                path: path, at: now,
                fileSystem: FileSystemDouble { operation, _ in
                    operation == .synchronize ? .pretended : .done
                })
        }

        mutating func run(_ operation: UInt8, _ rest: inout ArraySlice<UInt8>) throws {
            let argument = Int(operation >> 4)
            let target: RevocationTarget
            switch operation & 15 {
            case 0...3: return addForeign(&rest)
            case 4: return addOwn(UserID(Int64(argument % 2 + 1))!)
            case 5: return addRenewed(argument)
            case 6:
                now =
                    now
                    + TimeAmount(
                        milliseconds: [1, 250, 1000, 5000, 300_000, 90_000_000][argument % 6])
                return
            case 7: return revocations.removeExpired(at: now)
            case 8:
                // Not yet closed, a journal is in use.
                revocations = try Revocations(path: nil, at: now)
                revocations = try Self.open(path, now)
                return
            case 9, 10: target = .all
            case 11: target = .user(UserID(Int64(argument % 2 + 1))!)
            default:
                guard !tried.isEmpty else { return }
                let claims = tried[argument % tried.count].claims
                guard let id = claims.tokenID, let session = claims.sessionID else { return }
                target =
                    switch operation & 15 {
                    case 12: .session(session)
                    case 13: .tokenID(id)
                    default: .token(claims, id, session: session)
                    }
            }
            for index in tried.indices where covers(target, tried[index].claims) {
                if isAccepted(tried[index]) { tried[index].isRevoked = true }
            }
            try revocations.revoke(target, at: now, leeway: leeway)
        }

        private func covers(_ target: RevocationTarget, _ claims: Claims) -> Bool {
            switch target {
            case .all: true
            case .user(let user): claims.user == user
            case .session(let id): claims.sessionID == id
            case .tokenID(let id): claims.tokenID == id
            case .token(_, let id, let session):
                claims.tokenID == id || claims.sessionID == session
            }
        }

        /// A token by another issuer with the same key: any claims, but of one session one end.
        private mutating func addForeign(_ rest: inout ArraySlice<UInt8>) {
            guard tried.count < 12 else { return }
            let kind = rest.popFirst() ?? 0
            func date() -> Timestamp? {
                guard let byte = rest.popFirst(), byte < 200 else { return nil }
                return RevocationProperties.start
                    + TimeAmount(
                        milliseconds: offsets[Int(byte) % RevocationProperties.offsets.count])
            }
            var claims = Claims(
                user: UserID(Int64(kind & 1 + 1))!,
                expires: RevocationProperties.start + .seconds(1_000_000_000))
            claims.issued = date()
            claims.authenticated = date()
            claims.notBefore = kind & 2 == 0 ? nil : date()
            if kind & 4 != 0 { claims.sessionID = ShortText([kind >> 6].span) }
            if kind & 8 != 0 { claims.tokenID = ShortText([kind >> 4, UInt8(tried.count)].span) }
            if kind & 16 != 0 { claims.sessionExpires = claims.expires }
            add(tokens.sign(claims), isOurs: false)
        }

        private mutating func addOwn(_ user: UserID) {
            guard tried.count < 12 else { return }
            let cutoff = revocations.cutoff(user: user.rawValue)
            let issued = issuer.issue(for: user, at: now, after: cutoff)
            // As a login does.
            if let began = issued.claims.authenticated { revocations.noteSessionStart(began) }
            add(issued.token, isOurs: true)
        }

        /// A renewal of a token that is accepted.
        private mutating func addRenewed(_ index: Int) {
            guard !tried.isEmpty, tried.count < 12 else { return }
            let old = tried[index % tried.count]
            guard isAccepted(old), let new = issuer.successor(of: old.claims, exchanged: now)
            else { return }
            add(new.token, isOurs: old.isOurs)
        }

        private mutating func add(_ token: [UInt8], isOurs: Bool) {
            // What it says whether or not it is good at this moment.
            var claims: Claims?
            do throws(TokenError) { claims = try tokens.verify(token.span, at: now) } catch {
                claims = error.claims
            }
            guard let claims else { return }
            let named = TokenIdentity.fillingIdentifiers(claims, of: token.span)
            tried.append(Tried(token: token, claims: named, isOurs: isOurs))
        }

        private func isVerified(_ one: Tried) -> Bool {
            (try? tokens.verify(one.token.span, at: now)) != nil
        }

        private func isAccepted(_ one: Tried) -> Bool {
            isVerified(one) && revocations.status(for: one.claims) == nil
        }

        func checkAll() throws {
            for one in tried {
                if one.isRevoked {
                    try require(!isAccepted(one), "a revoked token is accepted: \(one.claims)")
                } else if one.isOurs, isVerified(one) {
                    let finding = revocations.status(for: one.claims)
                    try require(finding == nil, "our own token is \(String(describing: finding))")
                }
            }
        }
    }
}
