/// A header of the PROXY protocol, version 1 or 2. A proxy that does not interpret HTTP sends it
/// before the first byte of a connection, to report the client's address. Clauses below refer to
/// https://www.haproxy.org/download/2.6/doc/proxy-protocol.txt.
///
/// The parser gets bytes and returns a header or an error. It uses no sockets, keeps no state, and
/// never traps on input. The result depends neither on how the bytes were split nor on the bytes
/// after the header.
///
/// The first byte selects the version. Nothing is guessed: a peer that is expected to send a header
/// sends one (§2), and input of neither version is an error at the first byte that differs. Version
/// 1 is a line of at most 107 bytes, parsed once its end has arrived. Version 2 is a prefix of
/// sixteen bytes and a block, whose length is in the prefix. The block contains addresses, and then
/// TLVs (type, length, value).
package struct ProxyHeader: Sendable, Equatable {
    /// The client for which the proxy opened the connection.
    package enum Source: Sendable, Equatable {
        case address(NetworkAddress)
        /// The proxy itself, for example for a health check (version 2, LOCAL).
        case proxy
        /// A client whose address the proxy does not report, or that has no IP address: UNKNOWN,
        /// UNSPEC, AF_UNIX. Such a client is not the proxy itself.
        case unknown
    }

    package let source: Source
    /// The size of the header in bytes. The payload of the connection begins after it.
    package let length: Int

    /// The maximum bytes of a version 1 line, including its CR LF (§2.1, the worst case).
    static let longestLine = 107

    /// The maximum bytes after the first sixteen of version 2. Senders are asked to stay below the
    /// smallest TCP segment, 536 bytes in total, but exceed it when they send a client certificate.
    static let longestBlock = 4096

    /// The header at the start of the bytes. Nil if more bytes are needed.
    /// - Throws: `.noProxyHeader` for bytes that begin no header, `.badProxyHeader` for one that
    ///   breaks the specification.
    package static func parse(_ bytes: Span<UInt8>) throws(ParseError) -> ProxyHeader? {
        guard bytes.count > 0 else { return nil }
        if bytes[0] == signature[0] { return try parseBlock(bytes) }
        return try parseLine(bytes)
    }
}

// MARK: - Version 1

extension ProxyHeader {
    /// Parses a line such as `PROXY TCP4 192.0.2.1 192.0.2.2 56324 443` and CR LF.
    private static func parseLine(_ bytes: Span<UInt8>) throws(ParseError) -> ProxyHeader? {
        let prefix: InlineArray<5, UInt8> = [0x50, 0x52, 0x4F, 0x58, 0x59]
        for index in 0..<min(prefix.count, bytes.count) where bytes[index] != prefix[index] {
            throw .noProxyHeader
        }
        guard let end = try lineEnd(bytes) else { return nil }
        var fields = SpaceSeparatedFields(bytes.extracting(prefix.count..<end))
        let hasSpace = fields.next().isEmpty
        let family = fields.next()
        let length = end + 2
        // §2.1: the rest of such a line must be ignored.
        if hasSpace, family.isEqual("UNKNOWN") {
            return ProxyHeader(source: .unknown, length: length)
        }
        let isIPv4 = family.isEqual("TCP4")
        guard hasSpace, isIPv4 || family.isEqual("TCP6"),
            let source = address(fields.next(), isIPv4: isIPv4),
            address(fields.next(), isIPv4: isIPv4) != nil,
            isPort(fields.next()), isPort(fields.next()), fields.isAtEnd
        else { throw .badProxyHeader }
        return ProxyHeader(source: .address(source), length: length)
    }

    /// The offset of the line's CR LF; nil if it has not arrived. A lone CR or LF is an error
    /// (§2.1), even where the rest of the line is ignored: another parser could see the end of the
    /// line there.
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

    /// True for a number from 0 to 65535 without leading zeros.
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

/// The fields of a line with exactly one space between them.
private struct SpaceSeparatedFields: ~Escapable {
    private let text: Span<UInt8>
    private var index = 0

    @_lifetime(copy text)
    init(_ text: Span<UInt8>) { self.text = text }

    /// True once all fields have been read.
    var isAtEnd: Bool { index > text.count }

    /// The next field. Empty between two spaces, and after the last field.
    @_lifetime(copy self)
    mutating func next() -> Span<UInt8> {
        guard !isAtEnd else { return text.extracting(0..<0) }
        let start = index
        while index < text.count, text[index] != UInt8(ascii: " ") { index += 1 }
        let field = text.extracting(start..<index)
        index += 1
        return field
    }
}

// MARK: - Version 2

extension ProxyHeader {
    /// The signature (§2.2). The byte after it has the version in its upper half.
    private static let signature: InlineArray<12, UInt8> = [
        0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A,
    ]

    /// The bytes before the block: signature, version and command, family and transport, and a
    /// length of two bytes.
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
        // LOCAL: the block must be skipped, and the family ignored.
        guard command == 1 else { return ProxyHeader(source: .proxy, length: length) }
        guard family <= 3, transport <= 2 else { throw .badProxyHeader }
        // UNSPEC in either half: the format of the rest is unknown, and it must be ignored.
        guard family > 0, transport > 0 else {
            return ProxyHeader(source: .unknown, length: length)
        }
        // Two addresses and two ports, or two paths.
        let addresses = family == 1 ? 12 : family == 2 ? 36 : 216
        guard count >= addresses else { throw .badProxyHeader }
        let header = bytes.extracting(0..<length)
        try checkTLVs(of: header, from: blockStart + addresses)
        return ProxyHeader(source: source(in: header, family), length: length)
    }

    /// - Precondition: the header contains both addresses of the family.
    private static func source(in header: Span<UInt8>, _ family: UInt8) -> Source {
        switch family {
        case 1: .address(NetworkAddress(ipv4: UInt32(number(header, blockStart, bytes: 4))))
        case 2: .address(NetworkAddress(bits: number(header, blockStart, bytes: 16)))
        default: .unknown
        }
    }

    /// Checks that each TLV after the addresses ends within the header, and verifies the checksum,
    /// as a receiver that supports it must (§2.2.3). All other TLVs are ignored.
    private static func checkTLVs(
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
        guard number(header, checksum, bytes: 4) == UInt128(sum(of: header, zeroing: checksum))
        else { throw .badProxyHeader }
    }

    /// PP2_TYPE_CRC32C.
    private static let checksumType: UInt8 = 0x03

    /// The CRC32c (RFC 4960, Appendix B) of the header, with the four bytes at `offset` as zeros.
    /// It is computed once per connection, over few bytes, so it uses no table.
    private static func sum(of header: Span<UInt8>, zeroing offset: Int) -> UInt32 {
        var sum = ~UInt32(0)
        for index in header.indices {
            if !(offset..<(offset + 4)).contains(index) { sum ^= UInt32(header[index]) }
            for _ in 0..<8 { sum = sum >> 1 ^ (sum & 1 == 1 ? 0x82F6_3B78 : 0) }
        }
        return ~sum
    }

    /// An unsigned number in network byte order.
    private static func number(_ header: Span<UInt8>, _ start: Int, bytes: Int) -> UInt128 {
        var number: UInt128 = 0
        for index in start..<(start + bytes) { number = number << 8 | UInt128(header[index]) }
        return number
    }
}
