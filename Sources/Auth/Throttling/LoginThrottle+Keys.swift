import Crypto
import HTTP
import JWT

/// The keys that attempts are counted under. They are keyed hashes, so that a client cannot choose
/// inputs that collide.
extension LoginThrottle {
    /// An account as a login presents it, by id or by name, whether or not there is such a user.
    package struct Identifier: Sendable, Equatable {
        let hash: UInt64
        /// Shown in the list of locks if no user has the identifier.
        let fingerprint: Fingerprint
    }

    /// What one attempt counts under: one or two identifiers, and the joint count of the account.
    package struct Account: Sendable, Equatable {
        let first: Identifier
        let second: Identifier?
        let joint: UInt64
    }

    /// The networks that an attempt comes from.
    package struct Client: Sendable {
        let networks: ClientNetworks
        /// The key of each network, the smallest first.
        let keys: InlineArray<3, UInt64>
    }

    package func identifier(_ id: UserID, _ fingerprint: Fingerprint) -> Identifier {
        Identifier(hash: hash(id), fingerprint: fingerprint)
    }

    package func identifier(_ name: PresentedName, _ fingerprint: Fingerprint) -> Identifier {
        Identifier(hash: hash(name), fingerprint: fingerprint)
    }

    /// Does the same work whether or not a user has the identifier.
    /// - Parameter owner: the user whose joint count the attempt belongs to; nil if there is none.
    package func account(
        _ first: Identifier, _ second: Identifier? = nil, of owner: UserID?
    ) -> Account {
        let joint =
            owner.map { hash(jointOf: $0) }
            ?? hash(jointOfUnknown: first.hash)
        return Account(first: first, second: second, joint: joint)
    }

    package func client(at address: ClientAddress) -> Client {
        let networks = ClientNetworks(address)
        var keys = InlineArray<3, UInt64>(repeating: 0)
        for index in 0..<networks.count { keys[index] = hash(.network, networks[index]) }
        return Client(networks: networks, keys: keys)
    }

    // MARK: Hashes

    private enum Kind: UInt8 { case id, name, noName, network, joint, jointOfUnknown }

    func hash(_ id: UserID) -> UInt64 { hash(.id, UInt128(UInt64(bitPattern: id.rawValue))) }

    func hash(_ name: PresentedName) -> UInt64 {
        var hmac = HMACSHA256(key: key)
        let kind: InlineArray<1, UInt8> = [(name.isName ? Kind.name : .noName).rawValue]
        hmac.update(kind.span)
        hmac.update(name.canonical.span)
        return Self.head(of: hmac.finalize())
    }

    func hash(jointOf id: UserID) -> UInt64 {
        hash(.joint, UInt128(UInt64(bitPattern: id.rawValue)))
    }

    func hash(jointOfUnknown identifier: UInt64) -> UInt64 {
        hash(.jointOfUnknown, UInt128(identifier))
    }

    func hash(network number: UInt128) -> UInt64 { hash(.network, number) }

    private func hash(_ kind: Kind, _ number: UInt128) -> UInt64 {
        var bytes = InlineArray<17, UInt8>(repeating: kind.rawValue)
        for index in 0..<16 {
            bytes[index + 1] = UInt8(truncatingIfNeeded: number >> UInt128(8 * index))
        }
        return Self.head(of: HMACSHA256.code(for: bytes.span, key: key))
    }

    private static func head(of digest: SHA256.Digest) -> UInt64 {
        var head: UInt64 = 0
        for index in 0..<8 { head = head << 8 | UInt64(digest.bytes[index]) }
        // Zero marks a free entry in the tables.
        return max(1, head)
    }
}
