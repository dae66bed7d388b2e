/// What a proxy that does not read HTTP says about a connection, in front of its first byte: the PROXY
/// protocol, versions 1 and 2 (https://www.haproxy.org/download/2.6/doc/proxy-protocol.txt; the clauses
/// here are of that). Bytes in, a header or an error out; knows no sockets, keeps nothing, never traps on
/// input; the answer does not depend on where the bytes were cut, nor on what stands behind them.
///
/// Theory. The first byte tells the version, and nothing is guessed: whoever is to send a header sends
/// one (§2), and what is none of the two is an error at the first byte that differs. Version 1 is a line
/// of at most 107 bytes, decoded when its end is here. Version 2 is sixteen bytes that say how many more
/// there are, and these: addresses, and behind them parts with a type and a length.
package struct ProxyHeader: Sendable, Equatable {
    /// On whose behalf the connection was made.
    package enum Source: Sendable, Equatable {
        case address(NetworkAddress)
        /// The proxy's own, as for a health check (version 2, LOCAL).
        case proxy
        /// Somebody whose address the proxy does not say, or who has none of the Internet: UNKNOWN,
        /// UNSPEC, AF_UNIX. It is not the proxy that speaks.
        case unknown
    }

    package let source: Source
    /// Bytes; what the connection is about begins behind them.
    package let length: Int

    /// Bytes in a line of version 1, its end included (§2.1, the worst case).
    static let longestLine = 107

    /// Bytes behind the first sixteen of version 2. Its senders are to keep below the smallest segment of
    /// TCP, 536 bytes in all, and do not when they send a client's certificate.
    static let longestBlock = 4096

    /// The header that the bytes begin with, or nil when more of them are needed.
    /// - Throws: `.noProxyHeader` for bytes that begin no header, `.badProxyHeader` for one that breaks
    ///   the specification.
    package static func parse(_ bytes: Span<UInt8>) throws(ParseError) -> ProxyHeader? {
        guard bytes.count > 0 else { return nil }
        if bytes[0] == signature[0] { return try parseBlock(bytes) }
        return try parseLine(bytes)
    }
}

// MARK: - Version 1

extension ProxyHeader {
    /// `PROXY TCP4 192.0.2.1 192.0.2.2 56324 443` and CRLF.
    private static func parseLine(_ bytes: Span<UInt8>) throws(ParseError) -> ProxyHeader? {
        let opening: InlineArray<5, UInt8> = [0x50, 0x52, 0x4F, 0x58, 0x59]
        for index in 0..<min(opening.count, bytes.count) where bytes[index] != opening[index] {
            throw .noProxyHeader
        }
        guard let end = try lineEnd(bytes) else { return nil }
        var words = SpaceSeparatedFields(bytes.extracting(opening.count..<end))
        let hasSpace = words.take().isEmpty
        let family = words.take()
        let length = end + 2
        // Anything may follow it.
        if hasSpace, family.isEqual("UNKNOWN") {
            return ProxyHeader(source: .unknown, length: length)
        }
        let isIPv4 = family.isEqual("TCP4")
        guard hasSpace, isIPv4 || family.isEqual("TCP6"),
            let source = address(words.take(), isIPv4: isIPv4),
            address(words.take(), isIPv4: isIPv4) != nil,
            isPort(words.take()), isPort(words.take()), words.isAtEnd
        else { throw .badProxyHeader }
        return ProxyHeader(source: .address(source), length: length)
    }

    /// Where the line's CRLF stands. Neither CR nor LF may stand alone (§2.1), also where all else is to
    /// be ignored: others could see the end of the line there.
    private static func lineEnd(_ bytes: Span<UInt8>) throws(ParseError) -> Int? {
        let last = min(bytes.count, longestLine)
        for index in 0..<last {
            if bytes[index] == UInt8(ascii: "\n") { throw .badProxyHeader }
            guard bytes[index] == UInt8(ascii: "\r") else { continue }
            guard index + 1 < last else { break }
            guard bytes[index + 1] == UInt8(ascii: "\n") else { throw .badProxyHeader }
            return index
        }
        guard bytes.count < longestLine else { throw .badProxyHeader }
        return nil
    }

    private static func address(_ text: Span<UInt8>, isIPv4: Bool) -> NetworkAddress? {
        isIPv4
            ? NetworkAddress.ipv4(text).map(NetworkAddress.init(ipv4:))
            : NetworkAddress.ipv6(text).map(NetworkAddress.init(bits:))
    }

    /// 0 to 65535, without leading zeros.
    private static func isPort(_ text: Span<UInt8>) -> Bool {
        guard (1...5).contains(text.count) else { return false }
        guard text.count == 1 || text[0] != UInt8(ascii: "0") else { return false }
        var number = 0
        for index in text.indices {
            guard Grammar.isDigit(text[index]) else { return false }
            number = number * 10 + Int(text[index] - UInt8(ascii: "0"))
        }
        return number <= 65_535
    }
}

/// The words of a line that has exactly one space between each two.
private struct SpaceSeparatedFields: ~Escapable {
    private let text: Span<UInt8>
    private var index = 0

    @_lifetime(copy text)
    init(_ text: Span<UInt8>) { self.text = text }

    /// Whether all have been taken.
    var isAtEnd: Bool { index > text.count }

    /// The next one; empty between two spaces, and behind the last one, too.
    @_lifetime(copy self)
    mutating func take() -> Span<UInt8> {
        guard !isAtEnd else { return text.extracting(0..<0) }
        let start = index
        while index < text.count, text[index] != UInt8(ascii: " ") { index += 1 }
        let word = text.extracting(start..<index)
        index += 1
        return word
    }
}

// MARK: - Version 2

extension ProxyHeader {
    /// §2.2, and the version, which is the upper half of the byte behind these.
    private static let signature: InlineArray<12, UInt8> = [
        0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A,
    ]

    /// The signature, version and command, family and transport, and two bytes of length.
    private static let blockStart = 16

    private static func parseBlock(_ bytes: Span<UInt8>) throws(ParseError) -> ProxyHeader? {
        for index in 0..<min(signature.count, bytes.count) where bytes[index] != signature[index] {
            throw .noProxyHeader
        }
        guard bytes.count >= blockStart else { return nil }
        let (version, command) = (bytes[12] >> 4, bytes[12] & 15)
        let (family, transport) = (bytes[13] >> 4, bytes[13] & 15)
        let count = Int(bytes[14]) << 8 | Int(bytes[15])
        guard version == 2, command <= 1, count <= longestBlock else { throw .badProxyHeader }
        let length = blockStart + count
        guard bytes.count >= length else { return nil }
        // LOCAL: the block is skipped, the family ignored.
        guard command == 1 else { return ProxyHeader(source: .proxy, length: length) }
        guard family <= 3, transport <= 2 else { throw .badProxyHeader }
        // UNSPEC, of either: what follows has no known shape, and is to be ignored.
        guard family > 0, transport > 0 else {
            return ProxyHeader(source: .unknown, length: length)
        }
        // Two addresses and two ports, or two paths.
        let addresses = family == 1 ? 12 : family == 2 ? 36 : 216
        guard count >= addresses else { throw .badProxyHeader }
        let header = bytes.extracting(0..<length)
        try checkParts(of: header, from: blockStart + addresses)
        return ProxyHeader(source: source(in: header, family), length: length)
    }

    /// - Precondition: both addresses of the family are there.
    private static func source(in header: Span<UInt8>, _ family: UInt8) -> Source {
        switch family {
        case 1: .address(NetworkAddress(ipv4: UInt32(number(header, blockStart, bytes: 4))))
        case 2: .address(NetworkAddress(bits: number(header, blockStart, bytes: 16)))
        default: .unknown
        }
    }

    /// The parts behind the addresses (TLV): each has to end within the header. All that is wanted of
    /// them is the checksum, which a receiver that knows it has to verify (§2.2.3).
    private static func checkParts(
        of header: Span<UInt8>, from start: Int
    ) throws(ParseError) {
        var index = start
        var checksum: Int?
        while index < header.count {
            guard header.count - index >= 3 else { throw .badProxyHeader }
            let count = Int(header[index + 1]) << 8 | Int(header[index + 2])
            guard header.count - index - 3 >= count else { throw .badProxyHeader }
            if header[index] == checksumType {
                guard checksum == nil, count == 4 else { throw .badProxyHeader }
                checksum = index + 3
            }
            index += 3 + count
        }
        guard let checksum else { return }
        guard number(header, checksum, bytes: 4) == UInt128(sum(of: header, without: checksum))
        else { throw .badProxyHeader }
    }

    /// PP2_TYPE_CRC32C.
    private static let checksumType: UInt8 = 0x03

    /// CRC32c (RFC 4960, Appendix B), the four bytes at `place` taken for zeros. Once for a connection,
    /// and of few bytes, so that it needs no table.
    private static func sum(of header: Span<UInt8>, without place: Int) -> UInt32 {
        var sum = ~UInt32(0)
        for index in header.indices {
            if !(place..<(place + 4)).contains(index) { sum ^= UInt32(header[index]) }
            for _ in 0..<8 { sum = sum >> 1 ^ (sum & 1 == 1 ? 0x82F6_3B78 : 0) }
        }
        return ~sum
    }

    /// In the order of the network.
    private static func number(_ header: Span<UInt8>, _ start: Int, bytes: Int) -> UInt128 {
        var number: UInt128 = 0
        for index in start..<(start + bytes) { number = number << 8 | UInt128(header[index]) }
        return number
    }
}
