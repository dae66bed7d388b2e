/// The networks for which the limits on a client are counted. Login throttle, log budget, queue
/// priority and connection limits all use this definition.
///
/// An IPv4 address is one network. Of an IPv6 address, the first 64 bits count like one address,
/// because a site has at least a /64 (RFC 6177 §2). The /56 and the /48 around it have 4 and 16
/// times that limit, so that a client with a larger block cannot use up the limit of each /64 in
/// turn. All clients without an address (a Unix domain socket) are one network.
package struct ClientNetworks: Sendable, Hashable {
    /// The bits of the address or /64 that counts as one client; 0 without an address.
    private let client: UInt128
    /// The number of networks: 1, or 3 for IPv6.
    package let count: Int

    package init(_ client: ClientAddress) {
        guard let address = NetworkAddress(client.utf8) else {
            self.client = 0
            count = 1
            return
        }
        let client = address.clientPrefix
        self.client = client.bits
        count = client.isIPv4 ? 1 : Self.prefixes.count
    }

    /// The limit of the network at `index`, as a multiple of the limit of one address.
    package static func factor(at index: Int) -> Int { prefixes[index].factor }

    /// A number for the network at `index`, the smallest network first. Networks of different sizes
    /// have different numbers.
    package subscript(index: Int) -> UInt128 {
        precondition(index < count)
        // The length is stored in the lowest bits, which a network of at most 64 bits does not use.
        guard count > 1 else { return client }
        let length = Self.prefixes[index].length
        return (client >> (128 - length)) << (128 - length) | UInt128(length)
    }

    private static let prefixes: InlineArray<3, (length: Int, factor: Int)> = [
        (64, 1), (56, 4), (48, 16),
    ]
}

// MARK: - Text

extension ClientNetworks {
    /// The text for the number of a network: `192.0.2.1`, `2001:db8:0:1::/64`, or `local` for
    /// clients without an address.
    package static func text(of number: UInt128) -> String {
        guard number != 0 else { return "local" }
        let address = NetworkAddress(bits: number)
        guard !address.isIPv4 else { return string(address) }
        let length = number & 0x7F
        return "\(string(NetworkAddress(bits: number - length)))/\(length)"
    }

    /// The numbers of the networks that a text names: all networks of an address, or the single
    /// network of a text with a prefix length, as `text(of:)` writes it. Nil for any other text.
    package static func numbers(named text: String) -> [UInt128]? {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count <= 2, let address = ClientAddress(Array(parts[0].utf8).span),
            NetworkAddress(address.utf8) != nil
        else { return nil }
        let networks = ClientNetworks(address)
        let all = (0..<networks.count).map { networks[$0] }
        guard parts.count == 2 else { return all }
        guard networks.count > 1 else { return parts[1] == "32" ? all : nil }
        return prefixes.indices.first { parts[1] == "\(prefixes[$0].length)" }.map { [all[$0]] }
    }

    private static func string(_ address: NetworkAddress) -> String {
        let text = address.text
        return String(decoding: text.utf8.indices.map { text.utf8[$0] }, as: UTF8.self)
    }
}
