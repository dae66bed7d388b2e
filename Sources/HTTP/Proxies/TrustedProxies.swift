/// The proxies whose forwarding fields are believed, and the client's address that follows from
/// these fields.
///
/// A proxy appends its peer's address to the addresses in the field (X-Forwarded-For; Forwarded,
/// RFC 7239 §4). The rightmost element was therefore written by the server's peer, and every other
/// element by the host that its right neighbor names. The search for the client begins at the peer
/// and moves left while the current address is a trusted proxy that reported an address. The
/// address at which it ends is the client. Elements that an untrusted client wrote are to the left
/// of the client's own address, and are never reached.
///
/// An element that is not an address (empty, `unknown`, an obfuscated identifier, garbage) ends the
/// search at the proxy that wrote it. The client is then the last known address.
///
/// A proxy that writes one of the two fields forwards the other one unchanged, and the server does
/// not know which field the proxy writes. If both are present, they must therefore lead to the same
/// client. Otherwise neither is believed, and the client is the peer. A client that adds the other
/// field can thus appear under the proxy's address, but never under the address of another client.
package struct TrustedProxies: Sendable, Equatable {
    private let blocks: [NetworkBlock]

    /// The invalid elements of the list.
    package struct Problems: Error, Equatable {
        package struct Problem: Sendable, Equatable {
            package let index: Int
            /// What is wrong and what to write, without a period.
            package let sentence: String
        }

        package let all: [Problem]
    }

    /// More than the published blocks of any content delivery network. Each address of a search is
    /// compared with every block.
    package static let maximumBlocks = 512

    /// Trusts no proxy.
    package static let none = TrustedProxies(blocks: [])

    private init(blocks: [NetworkBlock]) { self.blocks = blocks }

    /// - Parameter texts: addresses and blocks, as in `["10.0.0.0/8", "::1", "2001:db8::/32"]`.
    /// - Throws: all invalid elements at once.
    package init(parsing texts: [String]) throws(Problems) {
        var blocks: [NetworkBlock] = []
        var problems: [Problems.Problem] = []
        if texts.count > Self.maximumBlocks {
            problems.append(
                Problems.Problem(
                    index: Self.maximumBlocks,
                    sentence: "too many blocks; list at most \(Self.maximumBlocks), combined into "
                        + "larger ones"))
        }
        for (index, text) in texts.prefix(Self.maximumBlocks).enumerated() {
            do throws(NetworkBlock.Problem) {
                blocks.append(try NetworkBlock(parsing: text))
            } catch {
                problems.append(Problems.Problem(index: index, sentence: error.message(text)))
            }
        }
        guard problems.isEmpty else { throw Problems(all: problems) }
        self.blocks = blocks
    }

    package var isEmpty: Bool { blocks.isEmpty }

    package func contains(_ address: NetworkAddress) -> Bool {
        for block in blocks where block.contains(address) { return true }
        return false
    }

    /// The proxies to use for a connection from this peer; nil if the peer is not trusted.
    package func ifTrusted(_ peer: ClientAddress) -> TrustedProxies? {
        guard !blocks.isEmpty, let address = NetworkAddress(peer.utf8), contains(address) else {
            return nil
        }
        return self
    }
}

extension NetworkBlock.Problem {
    fileprivate func message(_ text: String) -> String {
        switch self {
        case .notAnAddress:
            "\"\(text)\" is not an IP address or CIDR block; write 10.0.0.5, 10.0.0.0/8 or "
                + "2001:db8::/32"
        case .badLength(let range):
            "\"\(text)\" has an invalid prefix length; write a number from \(range.lowerBound) to "
                + "\(range.upperBound) after the slash"
        case .notTheFirst(let block):
            "\"\(text)\" is not the first address of its block; write \(block) for the block, or "
                + "the address without the slash"
        }
    }
}

// MARK: - The client's address

extension TrustedProxies {
    /// The client of a request from a trusted peer. Does not allocate; the size of the head bounds
    /// the work.
    func client(
        of fields: [Field], _ bytes: Span<UInt8>, from peer: ClientAddress
    ) -> ClientAddress {
        var forwardedFor: ForwardedChain?
        var forwarded: ForwardedChain?
        for field in fields {
            switch field.name {
            case .forwardedFor:
                var chain = forwardedFor ?? ForwardedChain()
                chain.readForwardedFor(bytes.extracting(field.value.range), self)
                forwardedFor = chain
            case .forwarded:
                var chain = forwarded ?? ForwardedChain()
                chain.readForwarded(bytes.extracting(field.value.range), self)
                forwarded = chain
            default: break
            }
        }
        let client: NetworkAddress?
        switch (forwardedFor, forwarded) {
        case (nil, nil): client = nil
        case (let chain?, nil), (nil, let chain?): client = chain.end
        case (let one?, let other?): client = one.end == other.end ? one.end : nil
        }
        return client?.text ?? peer
    }
}

/// The search for the client, performed from left to right, so that a list is read only once and
/// nothing is stored. For each element appended at the right end, a search that begins there either
/// ends at that element, or continues as the search from its left neighbor did.
private struct ForwardedChain {
    /// The address at which a search ends that begins to the right of the elements so far. Nil if
    /// the last of them is not an address, so that the search does not reach it.
    private(set) var end: NetworkAddress?

    private mutating func append(_ element: NetworkAddress?, _ proxies: TrustedProxies) {
        guard let element else {
            end = nil
            return
        }
        if end == nil || !proxies.contains(element) { end = element }
    }

    /// Parses addresses separated by commas. No specification defines the field. IPv6 addresses
    /// occur with and without brackets, and some proxies add the port.
    mutating func readForwardedFor(_ value: Span<UInt8>, _ proxies: TrustedProxies) {
        var start = 0
        for index in 0...value.count
        where index == value.count || value[index] == UInt8(ascii: ",") {
            let element = value.extracting(start..<index).trimmed
            append(NetworkAddress(element) ?? Node.address(element), proxies)
            start = index + 1
        }
    }

    /// Parses `1#( [ pair ] *( ";" [ pair ] ) )` with `pair = token "=" ( token / quoted-string )`
    /// (RFC 7239 §4). A line with an error anywhere reports no address: an unbalanced quotation
    /// mark changes the meaning of everything after it, which may include the proxy's own element.
    mutating func readForwarded(_ value: Span<UInt8>, _ proxies: TrustedProxies) {
        var scanner = ForwardedScanner(value)
        while true {
            switch scanner.nextElement() {
            case .address(let address): append(address, proxies)
            case .noAddress: append(nil, proxies)
            case .end: return
            case .malformed: return append(nil, proxies)
            }
        }
    }
}
