/// The proxies whose word about a request's client is taken, and what their word is.
///
/// Theory. A proxy puts the address it was reached from behind those that were in the field already
/// (X-Forwarded-For; Forwarded, RFC 7239 §4). So the right-most element is the peer's word, and each
/// element is the word of the one to its right, the peer standing at the very right. The walk begins at
/// the peer and goes to the left as long as whoever it stands on is trusted and has named an address;
/// where it ends, there is the client. What a stranger wrote stands to the left of the stranger's own
/// address, and is never reached.
///
/// An element that is no address (nothing, `unknown`, an obfuscated identifier, garbage) ends the walk
/// on the proxy that said it: then the client is the last address that is known.
///
/// A proxy that writes one of the two fields lets the other one through as it came, and which one it
/// writes is not known here. Therefore, where both are there, they have to lead to the same client, or
/// else neither is believed and the client is the peer. So a client who adds the other field can hide
/// behind the proxy's address, and can take nobody else's.
package struct TrustedProxies: Sendable, Equatable {
    private let blocks: [NetworkBlock]

    /// Elements that are no blocks, with their places in the list.
    package struct Problems: Error, Equatable {
        package struct Problem: Sendable, Equatable {
            package let index: Int
            /// What is wrong and what to write, without a full stop.
            package let sentence: String
        }

        package let all: [Problem]
    }

    /// More than the published blocks of any content delivery network. Each address on the walk is held
    /// against each.
    package static let maximumBlocks = 512

    /// Nobody.
    package static let none = TrustedProxies(blocks: [])

    private init(blocks: [NetworkBlock]) { self.blocks = blocks }

    /// - Parameter texts: addresses and blocks, as in `["10.0.0.0/8", "::1", "2001:db8::/32"]`.
    package init(parsing texts: [String]) throws(Problems) {
        var blocks: [NetworkBlock] = []
        var problems: [Problems.Problem] = []
        if texts.count > Self.maximumBlocks {
            problems.append(
                Problems.Problem(
                    index: Self.maximumBlocks,
                    sentence: "at most \(Self.maximumBlocks) blocks; write fewer and larger ones"))
        }
        for (index, text) in texts.prefix(Self.maximumBlocks).enumerated() {
            do throws(NetworkBlock.Problem) {
                blocks.append(try NetworkBlock(parsing: text))
            } catch {
                problems.append(Problems.Problem(index: index, sentence: error.sentence(text)))
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

    /// What the requests of a connection are to be read with: nil if its peer is not trusted.
    package func behind(_ peer: ClientAddress) -> TrustedProxies? {
        guard !blocks.isEmpty, let address = NetworkAddress(peer.utf8), contains(address) else {
            return nil
        }
        return self
    }
}

extension NetworkBlock.Problem {
    fileprivate func sentence(_ text: String) -> String {
        switch self {
        case .notAnAddress:
            "\"\(text)\" is not an IP address or a block of them; write 10.0.0.5, 10.0.0.0/8 or "
                + "2001:db8::/32"
        case .badLength(let range):
            "\"\(text)\" does not end with a number from \(range.lowerBound) to "
                + "\(range.upperBound) after the slash"
        case .notTheFirst(let block):
            "\"\(text)\" is not where its block begins; write \(block) for the block, or leave the "
                + "slash away for the one address"
        }
    }
}

// MARK: - The walk

extension TrustedProxies {
    /// The client of a request that came from a trusted peer. Does not allocate; the work is bounded by
    /// the size of a head.
    func client(
        of fields: [Field], _ bytes: Span<UInt8>, from peer: ClientAddress
    ) -> ClientAddress {
        var forwardedFor: ForwardedChain?
        var forwarded: ForwardedChain?
        for field in fields {
            switch field.name {
            case .forwardedFor:
                var walk = forwardedFor ?? ForwardedChain()
                walk.readForwardedFor(bytes.extracting(field.value.range), self)
                forwardedFor = walk
            case .forwarded:
                var walk = forwarded ?? ForwardedChain()
                walk.readForwarded(bytes.extracting(field.value.range), self)
                forwarded = walk
            default: break
            }
        }
        let client: NetworkAddress?
        switch (forwardedFor, forwarded) {
        case (nil, nil): client = nil
        case (let walk?, nil), (nil, let walk?): client = walk.end
        case (let one?, let other?): client = one.end == other.end ? one.end : nil
        }
        return client?.text ?? peer
    }
}

/// The walk, done from left to right, so that a list needs to be read only once and nothing of it kept:
/// with each further element at the right end, the walk from there either ends on it at once, or goes
/// on as the walk from its left neighbour did.
private struct ForwardedChain {
    /// Where a walk that begins behind the elements so far ends; nil if it does not get to the last of
    /// them, because that is no address.
    private(set) var end: NetworkAddress?

    private mutating func append(_ element: NetworkAddress?, _ proxies: TrustedProxies) {
        guard let element else {
            end = nil
            return
        }
        if end == nil || !proxies.contains(element) { end = element }
    }

    /// Addresses with commas between them. No specification has the field; IPv6 addresses come with
    /// and without brackets, and some proxies add the port.
    mutating func readForwardedFor(_ value: Span<UInt8>, _ proxies: TrustedProxies) {
        var start = 0
        for index in 0...value.count
        where index == value.count || value[index] == UInt8(ascii: ",") {
            let element = value.extracting(start..<index).trimmed
            append(NetworkAddress(element) ?? Node.address(element), proxies)
            start = index + 1
        }
    }

    /// `1#( [ pair ] *( ";" [ pair ] ) )` with `pair = token "=" ( token / quoted-string )`
    /// (RFC 7239 §4). A line that breaks this anywhere says nothing: a quotation mark that was left
    /// open changes what everything behind it means, and a proxy may have written behind it.
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
