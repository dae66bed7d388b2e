import Auth
import Crypto
import JWT
import POSIX
import Revocation
import TestSupport
import Time

/// The bytes are tokens with any claims, and revocations. Two properties hold:
///
/// - A token that is accepted when a revocation covers it is never accepted afterwards, whatever
///   its claims are, at any later time and after any restart.
/// - A session that begins after a revocation is not ended by it.
///
/// The first byte is the leeway. Then each byte is an operation; some take further bytes.
enum RevocationProperties {
    @Sendable static func check(_ bytes: [UInt8], _ folder: String) throws {
        var scenario = try Scenario(bytes.first ?? 0, folder)
        var rest = bytes.dropFirst().prefix(96)
        while let byte = rest.popFirst() {
            try scenario.run(byte, &rest)
            try scenario.checkAll()
        }
    }

    private static let secret = Array("a secret of the rules under Tests".utf8)
    private static let start = Timestamp(seconds: 1_800_000_000)
    /// Offsets from `start` in milliseconds. A token whose login is 1 ms after a cutoff looks like
    /// one of a session that began directly after it. Cutoffs are 1 ms apart; these offsets are
    /// not.
    private static let offsets: [Int64] = [
        -1_000_000_000, -301_000, -6000, -5250, -5000, -1000, -250, 0, 250, 1000, 4750, 5000, 5250,
        6000, 299_750, 300_000, 300_250, 1_000_000_000, 200_000_000_000, .max / 4,
    ]

    private struct Candidate {
        let token: [UInt8]
        let claims: Claims
        /// True if this server's issuer made it, which starts sessions after every revocation.
        let isOurs: Bool
        /// True if a revocation covers it.
        var isRevoked = false
    }

    private struct Scenario {
        private let tokens: HS256
        private let issuer: TokenIssuer
        private let leeway: TimeAmount
        private let path: String
        private var revocations: Revocations
        private var now = RevocationProperties.start
        private var candidates: [Candidate] = []

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
                    operation == .synchronize ? .skipped : .done
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
                // An open journal is locked, so it must be closed first.
                revocations = try Revocations(path: nil, at: now)
                revocations = try Self.open(path, now)
                return
            case 9, 10: target = .all
            case 11: target = .user(UserID(Int64(argument % 2 + 1))!)
            default:
                guard !candidates.isEmpty else { return }
                let claims = candidates[argument % candidates.count].claims
                guard let id = claims.tokenID, let session = claims.sessionID else { return }
                target =
                    switch operation & 15 {
                    case 12: .session(session)
                    case 13: .tokenID(id)
                    default: .token(claims, id, session: session)
                    }
            }
            for index in candidates.indices where covers(target, candidates[index].claims) {
                if isAccepted(candidates[index]) { candidates[index].isRevoked = true }
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

        /// Adds a token of another issuer with the same key. Its claims are arbitrary, except that
        /// tokens of one session have the same session end.
        private mutating func addForeign(_ rest: inout ArraySlice<UInt8>) {
            guard candidates.count < 12 else { return }
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
            if kind & 8 != 0 {
                claims.tokenID = ShortText([kind >> 4, UInt8(candidates.count)].span)
            }
            if kind & 16 != 0 { claims.sessionExpires = claims.expires }
            add(tokens.sign(claims), isOurs: false)
        }

        private mutating func addOwn(_ user: UserID) {
            guard candidates.count < 12 else { return }
            let cutoff = revocations.cutoff(user: user.rawValue)
            let issued = issuer.issue(for: user, at: now, after: cutoff)
            // As a login does.
            if let began = issued.claims.authenticated { revocations.noteSessionStart(began) }
            add(issued.token, isOurs: true)
        }

        /// Adds a renewal of a token, if that token is accepted.
        private mutating func addRenewed(_ index: Int) {
            guard !candidates.isEmpty, candidates.count < 12 else { return }
            let old = candidates[index % candidates.count]
            guard isAccepted(old), let new = issuer.successor(of: old.claims, exchanged: now)
            else { return }
            add(new.token, isOurs: old.isOurs)
        }

        private mutating func add(_ token: [UInt8], isOurs: Bool) {
            // The claims, whether or not the token is valid at this time.
            var claims: Claims?
            do throws(TokenError) { claims = try tokens.verify(token.span, at: now) } catch {
                claims = error.claims
            }
            guard let claims else { return }
            let named = TokenIdentity.fillingIdentifiers(claims, of: token.span)
            candidates.append(Candidate(token: token, claims: named, isOurs: isOurs))
        }

        private func isVerified(_ one: Candidate) -> Bool {
            (try? tokens.verify(one.token.span, at: now)) != nil
        }

        private func isAccepted(_ one: Candidate) -> Bool {
            isVerified(one) && revocations.status(for: one.claims) == nil
        }

        func checkAll() throws {
            for one in candidates {
                if one.isRevoked {
                    try require(!isAccepted(one), "a revoked token is accepted: \(one.claims)")
                } else if one.isOurs, isVerified(one) {
                    let status = revocations.status(for: one.claims)
                    try require(status == nil, "our own token is \(String(describing: status))")
                }
            }
        }
    }
}
