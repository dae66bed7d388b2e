import HTTP
import TestSupport
import Testing

/// The result as text: an address, `proxy`, `unknown`, the reason of an error, or `more`. Checks
/// that it does not change with bytes after the header, and that no prefix of the header has a
/// result.
private func verdict(
    _ bytes: [UInt8], sourceLocation: SourceLocation = #_sourceLocation
) -> String {
    let unsplit = verdict(of: bytes)
    if unsplit != "more" {
        for tail in ["G", "\r\n", "GET / HTTP/1.1\r\n", "\u{0}PROXY TCP4 "] {
            let longer = verdict(of: bytes + wire(tail))
            #expect(longer == unsplit, "\(tail) appended", sourceLocation: sourceLocation)
        }
    }
    let isRefused = unsplit.hasSuffix("_header")
    for count in 0..<bytes.count {
        let part = verdict(of: Array(bytes[..<count]))
        // An error may be found earlier, but it must be the same one.
        let isExpected = part == "more" || isRefused && part == unsplit
        #expect(isExpected, "\(part) after \(count)", sourceLocation: sourceLocation)
    }
    return unsplit
}

private func verdict(of bytes: [UInt8]) -> String {
    do throws(ParseError) {
        guard let header = try ProxyHeader.parse(bytes.span) else { return "more" }
        switch header.source {
        case .address(let address): return "\(address.text.string) +\(header.length)"
        case .proxy: return "proxy +\(header.length)"
        case .unknown: return "unknown +\(header.length)"
        }
    } catch {
        return "\(error.reason)"
    }
}

private let missing = "no_proxy_header"
private let bad = "bad_proxy_header"

struct ProxyLineTests {
    @Test(arguments: [
        ("TCP4 192.0.2.1 192.0.2.2 56324 443", "192.0.2.1"),
        ("TCP4 255.255.255.255 255.255.255.255 65535 65535", "255.255.255.255"),
        ("TCP4 0.0.0.0 0.0.0.0 0 0", "0.0.0.0"),
        ("TCP6 2001:db8::1 2001:db8::2 1 2", "2001:db8::1"),
        ("TCP6 2001:DB8:0:0:0:0:0:1 :: 1 2", "2001:db8::1"),
        ("TCP6 2001:0db8:0000:0000:0000:0000:0000:0001 ::1 1 2", "2001:db8::1"),
        // An address has one text, in whatever form it arrives.
        ("TCP6 ::ffff:192.0.2.1 ::ffff:192.0.2.2 56324 443", "192.0.2.1"),
        ("TCP6 ::ffff:c000:201 ::1 56324 443", "192.0.2.1"),
        (
            "TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
                + "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535",
            "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"
        ),
    ])
    func `the first address of a version 1 header is the client`(line: String, expected: String) {
        let bytes = wire("PROXY \(line)\r\n")
        #expect(verdict(bytes) == "\(expected) +\(bytes.count)")
    }

    @Test(arguments: [
        "", " ", " 192.0.2.1 192.0.2.2 1 2", " TCP4 192.0.2.1", "  ", " \u{0}\u{FF}",
        " ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"
            + " 65535 65535",
    ])
    func `a version 1 header with UNKNOWN ignores the rest of its line`(rest: String) {
        let bytes = wire("PROXY UNKNOWN\(rest)\r\n")
        #expect(verdict(bytes) == "unknown +\(bytes.count)")
    }

    @Test(arguments: [
        // An unknown family, or addresses of the other family.
        "TCP5 192.0.2.1 192.0.2.2 1 2", "tcp4 192.0.2.1 192.0.2.2 1 2",
        "UDP4 192.0.2.1 192.0.2.2 1 2", "TCP 192.0.2.1 192.0.2.2 1 2", "unknown",
        "UNKNOWNS", "UNKNOW", "", " ", "TCP4", "TCP4 ", "TCP6 192.0.2.1 192.0.2.2 1 2",
        "TCP4 2001:db8::1 2001:db8::2 1 2", "TCP4 192.0.2.1 2001:db8::2 1 2",
        "TCP6 2001:db8::1 192.0.2.2 1 2", "TCP4 ::ffff:192.0.2.1 192.0.2.2 1 2",
        // Spaces.
        " TCP4 192.0.2.1 192.0.2.2 1 2", "TCP4  192.0.2.1 192.0.2.2 1 2",
        "TCP4 192.0.2.1  192.0.2.2 1 2", "TCP4 192.0.2.1 192.0.2.2 1 2 ",
        "TCP4 192.0.2.1 192.0.2.2 1  2", "TCP4\t192.0.2.1 192.0.2.2 1 2",
        " UNKNOWN",
        // Missing fields, and one too many.
        "TCP4 192.0.2.1 192.0.2.2 1", "TCP4 192.0.2.1 192.0.2.2", "TCP4 192.0.2.1 1 2",
        "TCP4 192.0.2.1 192.0.2.2 1 2 3",
        // Addresses.
        "TCP4 192.0.2 192.0.2.2 1 2", "TCP4 192.0.2.1.1 192.0.2.2 1 2",
        "TCP4 192.0.2.256 192.0.2.2 1 2", "TCP4 192.0.2.01 192.0.2.2 1 2",
        "TCP4 192.0.2.1 192.0.02.2 1 2", "TCP4 0x7f.0.0.1 192.0.2.2 1 2",
        "TCP4 +1.0.2.1 192.0.2.2 1 2", "TCP4 localhost localhost 1 2",
        "TCP4 192.0.2.1/32 192.0.2.2 1 2", "TCP4 192.0.2.1:80 192.0.2.2:80 1 2",
        "TCP4 192.0.2.1, 192.0.2.2 1 2",
        "TCP6 [2001:db8::1] [2001:db8::2] 1 2", "TCP6 2001:db8::1%eth0 2001:db8::2 1 2",
        "TCP6 2001:db8:::1 2001:db8::2 1 2", "TCP6 2001::db8::1 2001:db8::2 1 2",
        "TCP6 2001:db8::1:12345 2001:db8::2 1 2", "TCP6 1:2:3:4:5:6:7 ::1 1 2",
        "TCP6 1:2:3:4:5:6:7:8:9 ::1 1 2", "TCP6 2001:db8::g ::1 1 2",
        // Ports.
        "TCP4 192.0.2.1 192.0.2.2 01 2", "TCP4 192.0.2.1 192.0.2.2 1 00",
        "TCP4 192.0.2.1 192.0.2.2 65536 2", "TCP4 192.0.2.1 192.0.2.2 1 99999",
        "TCP4 192.0.2.1 192.0.2.2 123456 2", "TCP4 192.0.2.1 192.0.2.2 +1 2",
        "TCP4 192.0.2.1 192.0.2.2 -1 2", "TCP4 192.0.2.1 192.0.2.2 1 2x",
        "TCP4 192.0.2.1 192.0.2.2 0x1 2", "TCP4 192.0.2.1 192.0.2.2  2",
        // Line ends.
        "TCP4 192.0.2.1 192.0.2.2 1 2\n", "TCP4 192.0.2.1 192.0.2.2 1 2\r",
        "TCP4 192.0.2.1\n192.0.2.2 1 2", "TCP4 192.0.2.1\r192.0.2.2 1 2",
        "UNKNOWN\nGET / HTTP/1.1", "UNKNOWN \r HTTP/1.1", "UNKNOWN\u{0}",
    ])
    func `a malformed version 1 line is rejected`(line: String) {
        #expect(verdict(wire("PROXY \(line)\r\n")) == bad)
    }

    @Test func `a version 1 line has at most 107 bytes`() {
        func line(_ count: Int) -> [UInt8] {
            let prefix = "PROXY UNKNOWN "
            let padding = String(repeating: "x", count: count - prefix.utf8.count - 2)
            return wire(prefix + padding + "\r\n")
        }
        #expect(verdict(line(107)) == "unknown +107")
        for count in [108, 109, 200, 5000] { #expect(verdict(line(count)) == bad) }
        #expect(verdict(Array(line(107).dropLast())) == "more")
        #expect(verdict(Array(line(108).dropLast())) == bad)
        #expect(verdict(Array(line(109).dropLast(2))) == bad)
        // Valid addresses in a line that is too long.
        let address = "0000:0000:0000:0000:0000:ffff:255.255.255.255"
        #expect(verdict(wire("PROXY TCP6 \(address) \(address) 65535 65535\r\n")) == bad)
    }

    @Test(arguments: [
        "GET / HTTP/1.1\r\n", "PRI * HTTP/2.0\r\n", "PROPFIND / HTTP/1.1\r\n", "proxy TCP4",
        " PROXY TCP4", "\nPROXY", "\u{0}", "\u{16}\u{3}\u{1}", "POST / HTTP/1.1\r\n",
    ])
    func `a line that does not begin with PROXY is not a header`(text: String) {
        #expect(verdict(wire(text)) == missing)
    }

    @Test func `a space must follow PROXY`() {
        #expect(verdict(wire("PROXYTCP4 192.0.2.1 192.0.2.2 1 2\r\n")) == bad)
        #expect(verdict(wire("PROXY\r\n")) == bad)
        #expect(verdict(wire("PROXY\tUNKNOWN\r\n")) == bad)
    }
}

struct ProxyBlockTests {
    private static let signature: [UInt8] = [
        0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A,
    ]

    /// - Parameters:
    ///   - kind: version and command, family and transport.
    ///   - length: the length to declare; by default that of the block.
    private func header(
        _ kind: (UInt8, UInt8), _ block: [UInt8], length: Int? = nil
    ) -> [UInt8] {
        let length = length ?? block.count
        return Self.signature + [kind.0, kind.1, UInt8(length >> 8), UInt8(length & 255)] + block
    }

    private let ipv4: [UInt8] = [192, 0, 2, 1, 192, 0, 2, 2, 0xDC, 0x04, 0x01, 0xBB]
    private let ipv6: [UInt8] =
        [0x20, 0x01, 0x0D, 0xB8] + Array(repeating: 0, count: 11) + [1] + [0x20, 0x01, 0x0D, 0xB8]
        + Array(repeating: 0, count: 11) + [2, 0xDC, 0x04, 0x01, 0xBB]
    private let unix = wire("/run/a.sock") + [UInt8](repeating: 0, count: 205)

    private func tlv(_ type: UInt8, _ value: [UInt8], length: Int? = nil) -> [UInt8] {
        let length = length ?? value.count
        return [type, UInt8(length >> 8), UInt8(length & 255)] + value
    }

    @Test
    func `the first address of a version 2 header is the client, for streams and datagrams`() {
        for transport: UInt8 in [1, 2] {
            #expect(verdict(header((0x21, 0x10 | transport), ipv4)) == "192.0.2.1 +28")
            #expect(verdict(header((0x21, 0x20 | transport), ipv6)) == "2001:db8::1 +52")
        }
        let mapped = [UInt8](repeating: 0, count: 10) + [0xFF, 0xFF, 192, 0, 2, 1] + ipv6[16...]
        #expect(verdict(header((0x21, 0x21), mapped)) == "192.0.2.1 +52")
    }

    @Test func `a LOCAL header names the proxy itself and ignores its block`() {
        for kind: UInt8 in [0x00, 0x11, 0x21, 0x31, 0x44, 0xFF] {
            #expect(verdict(header((0x20, kind), [])) == "proxy +16")
            #expect(verdict(header((0x20, kind), ipv4)) == "proxy +28")
            #expect(verdict(header((0x20, kind), [3, 0xFF])) == "proxy +18")
        }
    }

    @Test func `a version 2 header may report no client, or a client without an IP address`() {
        for kind: UInt8 in [0x00, 0x01, 0x02, 0x10, 0x20, 0x30] {
            #expect(verdict(header((0x21, kind), [])) == "unknown +16")
            #expect(verdict(header((0x21, kind), ipv4)) == "unknown +28")
        }
        #expect(verdict(header((0x21, 0x31), unix)) == "unknown +232")
        #expect(verdict(header((0x21, 0x32), unix)) == "unknown +232")
    }

    @Test func `TLVs after the addresses are skipped`() {
        for tlvs in [
            tlv(0x01, wire("h2")), tlv(0x04, []), tlv(0xEA, [1]) + tlv(0x20, [0, 0, 0, 0, 1]),
            tlv(0x02, [UInt8](repeating: 7, count: 4081)), tlv(0xFF, [3, 0, 4]),
        ] {
            let bytes = header((0x21, 0x11), ipv4 + tlvs)
            #expect(verdict(bytes) == "192.0.2.1 +\(bytes.count)")
        }
        #expect(
            verdict(header((0x21, 0x21), ipv6 + tlv(0x04, [1, 2]))) == "2001:db8::1 +57")
        #expect(verdict(header((0x21, 0x31), unix + tlv(0x04, []))) == "unknown +235")
    }

    @Test func `a TLV that exceeds the header is rejected`() {
        for tlvs: [UInt8] in [
            [0x04], [0x04, 0], tlv(0x04, [], length: 1), tlv(0x04, [1, 2], length: 3),
            tlv(0x04, [1, 2]) + [0], tlv(0x04, [1], length: 0xFFFF),
        ] {
            #expect(verdict(header((0x21, 0x11), ipv4 + tlvs)) == bad)
            #expect(verdict(header((0x21, 0x21), ipv6 + tlvs)) == bad)
            #expect(verdict(header((0x21, 0x31), unix + tlvs)) == bad)
        }
    }

    @Test func `any other version, command, family or transport is rejected`() {
        for command in UInt8.min...UInt8.max where command != 0x20 && command != 0x21 {
            #expect(verdict(of: header((command, 0x11), ipv4)) == bad)
        }
        for kind in UInt8.min...UInt8.max where kind >> 4 > 3 || kind & 15 > 2 {
            #expect(verdict(of: header((0x21, kind), unix)) == bad)
        }
    }

    @Test func `a version 2 header shorter than its addresses is rejected`() {
        for count in 0..<12 {
            #expect(verdict(header((0x21, 0x11), Array(ipv4[..<count]))) == bad)
        }
        for count in 0..<36 {
            #expect(verdict(header((0x21, 0x21), Array(ipv6[..<count]))) == bad)
        }
        for count in [0, 12, 107, 108, 215] {
            #expect(verdict(header((0x21, 0x31), Array(unix[..<count]))) == bad)
        }
    }

    @Test func `a block of more than 4096 bytes is rejected before it arrives`() {
        func filled(_ count: Int) -> [UInt8] {
            ipv4 + tlv(0x04, .init(repeating: 0, count: count))
        }
        #expect(verdict(of: header((0x21, 0x11), filled(4096 - 15))) == "192.0.2.1 +4112")
        #expect(verdict(of: header((0x20, 0x00), filled(4096 - 15))) == "proxy +4112")
        for command: UInt8 in [0x20, 0x21] {
            for length in [4097, 0x7FFF, 0xFFFF] {
                #expect(verdict(header((command, 0x11), [], length: length)) == bad)
            }
            #expect(verdict(header((command, 0x11), ipv4, length: 13)) == "more")
        }
    }

    @Test func `a version 2 header begins with its signature`() {
        for index in Self.signature.indices.dropFirst() {
            for change: UInt8 in [1, 0x20, 0x80] {
                var bytes = header((0x21, 0x11), ipv4)
                bytes[index] ^= change
                #expect(verdict(bytes) == missing)
            }
        }
        #expect(verdict(wire("\r\nGET / HTTP/1.1\r\n")) == missing)
        #expect(verdict(wire("\r\n\r\n")) == "more")
    }

    /// A header as sent by an AWS network load balancer, with the checksum first. From the tests of
    /// go-proxyproto (github.com/pires/go-proxyproto, tlvparse/aws_test.go).
    private var checksummed: [UInt8] {
        let addresses: [UInt8] = [172, 31, 7, 113, 172, 31, 10, 31, 0xC8, 0xF2, 0x00, 0x50]
        let endpoint = tlv(0xEA, [1] + wire("vpce-08d2bf15fac5001c9"))
        let padding = tlv(0x04, .init(repeating: 0, count: 36))
        let sum = tlv(0x03, [0xE8, 0xD6, 0x89, 0x2D])
        return header((0x21, 0x11), addresses + sum + endpoint + padding)
    }

    @Test func `a header with a checksum is accepted only if the checksum is right`() {
        #expect(verdict(checksummed) == "172.31.7.113 +100")
        // A LOCAL header is accepted with any bytes after the first sixteen.
        for index in checksummed.indices {
            for bit in 0..<8 {
                var changed = checksummed
                changed[index] ^= 1 << bit
                let found = verdict(of: changed)
                switch (index, bit) {
                case (12, 0): #expect(found == "proxy +100")
                // Another family or length. An unknown format has no checksum.
                case (13, _), (14, _), (15, _):
                    #expect([bad, "more", "unknown +100"].contains(found))
                // A TLV of another type, or a checksum inside a TLV that is now longer.
                case (28, _), (29, _), (30, _):
                    #expect([bad, "172.31.7.113 +100"].contains(found))
                case (0..<12, _): #expect(found == missing)
                default: #expect(found == bad)
                }
            }
        }
    }

    @Test func `a header has at most one checksum, of four bytes`() {
        for sums in [
            tlv(0x03, []), tlv(0x03, [0, 0, 0]), tlv(0x03, [0, 0, 0, 0, 0]),
            tlv(0x03, [0, 0, 0, 0]) + tlv(0x03, [0, 0, 0, 0]),
        ] {
            #expect(verdict(header((0x21, 0x11), ipv4 + sums)) == bad)
        }
        var twice = checksummed
        // The padding begins 39 bytes before the end.
        twice[twice.count - 39] = 0x03
        #expect(verdict(twice) == bad)
    }
}

/// Headers that cover much of the parser.
private let corpus: [[UInt8]] = [
    wire("PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n"),
    wire("PROXY TCP6 2001:db8::1 ::ffff:192.0.2.1 0 65535\r\n"), wire("PROXY UNKNOWN a b\r\n"),
    wire("\r\n\r\n\u{0}\r\nQUIT\n") + [0x21, 0x11, 0, 19, 192, 0, 2, 1, 192, 0, 2, 2, 1, 2, 3, 4]
        + [3, 0, 4, 1, 2, 3, 4],
    wire("\r\n\r\n\u{0}\r\nQUIT\n") + [0x20, 0x00, 0, 0],
    wire("\r\n\r\n\u{0}\r\nQUIT\n") + [0x21, 0x21, 0, 40]
        + [UInt8](repeating: 0x0A, count: 36) + [4, 0, 1, 0],
]

struct ProxyHeaderMutationTests {
    @Test(arguments: 0..<8)
    func `a mutated PROXY header never traps and is parsed the same however it is split`(
        seed: UInt64
    ) {
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<TestScale.rounds(100, long: 5000) {
            var bytes = corpus.randomElement(using: &generator)!
            for _ in 0..<Int.random(in: 1...3, using: &generator) {
                let place = Int.random(in: 0..<bytes.count, using: &generator)
                switch Int.random(in: 0..<4, using: &generator) {
                case 0: bytes[place] = UInt8.random(in: 0...255, using: &generator)
                case 1: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
                case 2 where bytes.count > 1: bytes.remove(at: place)
                default: bytes.insert(bytes[place], at: place)
                }
            }
            // The first result must not change with further bytes.
            var answer = "more"
            for count in 0...bytes.count {
                let found = verdict(of: Array(bytes[..<count]))
                if answer == "more" { answer = found }
                #expect(found == answer, "\(bytes) after \(count)")
            }
        }
    }
}
