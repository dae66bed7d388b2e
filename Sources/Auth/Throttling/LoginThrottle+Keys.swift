import Crypto
import HTTP
import JWT

/// What attempts are counted under: keyed hashes, so that nobody outside can choose two that meet.
extension LoginThrottle {
    /// An account as a login names it: by id or by name, whether or not there is such a user.
    package struct Identifier: Sendable, Equatable {
        let hash: UInt64
        /// What a lock is listed by where no user has the identifier.
        let fingerprint: Fingerprint
    }

    /// What one attempt counts under: one or two identifiers, and the account jointly.
    package struct Account: Sendable, Equatable {
        let first: Identifier
        let second: Identifier?
        let joint: UInt64
    }

    /// Where an attempt comes from.
    package struct Client: Sendable {
        let networks: ClientNetworks
        /// Of each network, the smallest first.
        let keys: InlineArray<3, UInt64>
    }

    package func identifier(_ id: UserID, _ fingerprint: Fingerprint) -> Identifier {
        Identifier(hash: hash(id), fingerprint: fingerprint)
    }

    package func identifier(_ name: PresentedName, _ fingerprint: Fingerprint) -> Identifier {
        Identifier(hash: hash(name), fingerprint: fingerprint)
    }

    /// The same work for an identifier that exists and for one that does not.
    /// - Parameter holder: the user whose joint count the attempt belongs to; nil if there is none.
    package func account(
        _ first: Identifier, _ second: Identifier? = nil, of holder: UserID?
    ) -> Account {
        let joint =
            holder.map { hash(jointOf: $0) }
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
        // Zero marks a place that is free.
        return max(1, head)
    }
}
