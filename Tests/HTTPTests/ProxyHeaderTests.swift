import HTTP
import TestSupport
import Testing

/// What the bytes are, in words: an address, `proxy`, `unknown`, a reason, or `more`. The same whole, with
/// anything behind them, and byte by byte, where nothing may be found before the last byte is there.
private func verdict(
    _ bytes: [UInt8], sourceLocation: SourceLocation = #_sourceLocation
) -> String {
    let whole = verdict(of: bytes)
    if whole != "more" {
        for tail in ["G", "\r\n", "GET / HTTP/1.1\r\n", "\u{0}PROXY TCP4 "] {
            let longer = verdict(of: bytes + wire(tail))
            #expect(longer == whole, "\(tail) behind it", sourceLocation: sourceLocation)
        }
    }
    let isRefused = whole.hasSuffix("_header")
    for count in 0..<bytes.count {
        let part = verdict(of: Array(bytes[..<count]))
        // A refusal may come sooner, and then it is this one.
        let isAsItShouldBe = part == "more" || isRefused && part == whole
        #expect(isAsItShouldBe, "\(part) after \(count)", sourceLocation: sourceLocation)
    }
    return whole
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

@Suite("A PROXY header of version 1")
struct ProxyLineTests {
    @Test(
        "names the client by its first address",
        arguments: [
            ("TCP4 192.0.2.1 192.0.2.2 56324 443", "192.0.2.1"),
            ("TCP4 255.255.255.255 255.255.255.255 65535 65535", "255.255.255.255"),
            ("TCP4 0.0.0.0 0.0.0.0 0 0", "0.0.0.0"),
            ("TCP6 2001:db8::1 2001:db8::2 1 2", "2001:db8::1"),
            ("TCP6 2001:DB8:0:0:0:0:0:1 :: 1 2", "2001:db8::1"),
            ("TCP6 2001:0db8:0000:0000:0000:0000:0000:0001 ::1 1 2", "2001:db8::1"),
            // One address has one text, however it comes.
            ("TCP6 ::ffff:192.0.2.1 ::ffff:192.0.2.2 56324 443", "192.0.2.1"),
            ("TCP6 ::ffff:c000:201 ::1 56324 443", "192.0.2.1"),
            (
                "TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
                    + "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535",
                "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"
            ),
        ])
    func addresses(line: String, expected: String) {
        let bytes = wire("PROXY \(line)\r\n")
        #expect(verdict(bytes) == "\(expected) +\(bytes.count)")
    }

    @Test(
        "may say that the client is not known, whatever stands behind that",
        arguments: [
            "", " ", " 192.0.2.1 192.0.2.2 1 2", " TCP4 192.0.2.1", "  ", " \u{0}\u{FF}",
            " ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"
                + " 65535 65535",
        ])
    func unknown(rest: String) {
        let bytes = wire("PROXY UNKNOWN\(rest)\r\n")
        #expect(verdict(bytes) == "unknown +\(bytes.count)")
    }

    @Test(
        "is refused for anything else",
        arguments: [
            // The family, and addresses of the other one.
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
            // Words that are missing, and one too many.
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
    func refused(line: String) {
        #expect(verdict(wire("PROXY \(line)\r\n")) == bad)
    }

    @Test("has 107 bytes at most")
    func length() {
        func line(_ count: Int) -> [UInt8] {
            let opening = "PROXY UNKNOWN "
            let filling = String(repeating: "x", count: count - opening.utf8.count - 2)
            return wire(opening + filling + "\r\n")
        }
        #expect(verdict(line(107)) == "unknown +107")
        for count in [108, 109, 200, 5000] { #expect(verdict(line(count)) == bad) }
        #expect(verdict(Array(line(107).dropLast())) == "more")
        #expect(verdict(Array(line(108).dropLast())) == bad)
        #expect(verdict(Array(line(109).dropLast(2))) == bad)
        // Addresses that could be right, and do not fit.
        let address = "0000:0000:0000:0000:0000:ffff:255.255.255.255"
        #expect(verdict(wire("PROXY TCP6 \(address) \(address) 65535 65535\r\n")) == bad)
    }

    @Test(
        "begins with its word",
        arguments: [
            "GET / HTTP/1.1\r\n", "PRI * HTTP/2.0\r\n", "PROPFIND / HTTP/1.1\r\n", "proxy TCP4",
            " PROXY TCP4", "\nPROXY", "\u{0}", "\u{16}\u{3}\u{1}", "POST / HTTP/1.1\r\n",
        ])
    func others(text: String) {
        #expect(verdict(wire(text)) == missing)
    }

    @Test("and a space behind it")
    func opening() {
        #expect(verdict(wire("PROXYTCP4 192.0.2.1 192.0.2.2 1 2\r\n")) == bad)
        #expect(verdict(wire("PROXY\r\n")) == bad)
        #expect(verdict(wire("PROXY\tUNKNOWN\r\n")) == bad)
    }
}

@Suite("A PROXY header of version 2")
struct ProxyBlockTests {
    private static let signature: [UInt8] = [
        0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A,
    ]

    /// - Parameters:
    ///   - kind: version and command, family and transport.
    ///   - length: where it is not that of the block.
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

    private func part(_ type: UInt8, _ value: [UInt8], length: Int? = nil) -> [UInt8] {
        let length = length ?? value.count
        return [type, UInt8(length >> 8), UInt8(length & 255)] + value
    }

    @Test("names the client by its first address, of a stream or of datagrams")
    func addresses() {
        for transport: UInt8 in [1, 2] {
            #expect(verdict(header((0x21, 0x10 | transport), ipv4)) == "192.0.2.1 +28")
            #expect(verdict(header((0x21, 0x20 | transport), ipv6)) == "2001:db8::1 +52")
        }
        let mapped = [UInt8](repeating: 0, count: 10) + [0xFF, 0xFF, 192, 0, 2, 1] + ipv6[16...]
        #expect(verdict(header((0x21, 0x21), mapped)) == "192.0.2.1 +52")
    }

    @Test("may say that the proxy itself connects, whatever stands behind that")
    func local() {
        for kind: UInt8 in [0x00, 0x11, 0x21, 0x31, 0x44, 0xFF] {
            #expect(verdict(header((0x20, kind), [])) == "proxy +16")
            #expect(verdict(header((0x20, kind), ipv4)) == "proxy +28")
            #expect(verdict(header((0x20, kind), [3, 0xFF])) == "proxy +18")
        }
    }

    @Test("may say that the client is not known, or has no address of the Internet")
    func unknown() {
        for kind: UInt8 in [0x00, 0x01, 0x02, 0x10, 0x20, 0x30] {
            #expect(verdict(header((0x21, kind), [])) == "unknown +16")
            #expect(verdict(header((0x21, kind), ipv4)) == "unknown +28")
        }
        #expect(verdict(header((0x21, 0x31), unix)) == "unknown +232")
        #expect(verdict(header((0x21, 0x32), unix)) == "unknown +232")
    }

    @Test("may have parts behind the addresses, which are skipped")
    func parts() {
        for parts in [
            part(0x01, wire("h2")), part(0x04, []), part(0xEA, [1]) + part(0x20, [0, 0, 0, 0, 1]),
            part(0x02, [UInt8](repeating: 7, count: 4081)), part(0xFF, [3, 0, 4]),
        ] {
            let bytes = header((0x21, 0x11), ipv4 + parts)
            #expect(verdict(bytes) == "192.0.2.1 +\(bytes.count)")
        }
        #expect(
            verdict(header((0x21, 0x21), ipv6 + part(0x04, [1, 2]))) == "2001:db8::1 +57")
        #expect(verdict(header((0x21, 0x31), unix + part(0x04, []))) == "unknown +235")
    }

    @Test("is refused with parts that do not end with it")
    func malformedParts() {
        for parts: [UInt8] in [
            [0x04], [0x04, 0], part(0x04, [], length: 1), part(0x04, [1, 2], length: 3),
            part(0x04, [1, 2]) + [0], part(0x04, [1], length: 0xFFFF),
        ] {
            #expect(verdict(header((0x21, 0x11), ipv4 + parts)) == bad)
            #expect(verdict(header((0x21, 0x21), ipv6 + parts)) == bad)
            #expect(verdict(header((0x21, 0x31), unix + parts)) == bad)
        }
    }

    @Test("is refused for any other version, command, family or transport")
    func kinds() {
        for command in UInt8.min...UInt8.max where command != 0x20 && command != 0x21 {
            #expect(verdict(of: header((command, 0x11), ipv4)) == bad)
        }
        for kind in UInt8.min...UInt8.max where kind >> 4 > 3 || kind & 15 > 2 {
            #expect(verdict(of: header((0x21, kind), unix)) == bad)
        }
    }

    @Test("is refused when it is shorter than its addresses")
    func short() {
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

    @Test("has 4096 bytes at most behind the first sixteen, and is refused before they come")
    func long() {
        func filled(_ count: Int) -> [UInt8] {
            ipv4 + part(0x04, .init(repeating: 0, count: count))
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

    @Test("begins with its signature")
    func signatures() {
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

    /// What a network load balancer of AWS sends, checksum first; from the tests of go-proxyproto
    /// (github.com/pires/go-proxyproto, tlvparse/aws_test.go).
    private var summed: [UInt8] {
        let addresses: [UInt8] = [172, 31, 7, 113, 172, 31, 10, 31, 0xC8, 0xF2, 0x00, 0x50]
        let endpoint = part(0xEA, [1] + wire("vpce-08d2bf15fac5001c9"))
        let filling = part(0x04, .init(repeating: 0, count: 36))
        let sum = part(0x03, [0xE8, 0xD6, 0x89, 0x2D])
        return header((0x21, 0x11), addresses + sum + endpoint + filling)
    }

    @Test("is taken with its own checksum, and with no other")
    func checksum() {
        #expect(verdict(summed) == "172.31.7.113 +100")
        // The proxy's own connections are taken whatever is behind the first sixteen bytes.
        for index in summed.indices {
            for bit in 0..<8 {
                var changed = summed
                changed[index] ^= 1 << bit
                let found = verdict(of: changed)
                switch (index, bit) {
                case (12, 0): #expect(found == "proxy +100")
                // Other families and lengths; what has no known shape has no checksum.
                case (13, _), (14, _), (15, _):
                    #expect([bad, "more", "unknown +100"].contains(found))
                // A part of another type, or a type behind what is a longer part now.
                case (28, _), (29, _), (30, _):
                    #expect([bad, "172.31.7.113 +100"].contains(found))
                case (0..<12, _): #expect(found == missing)
                default: #expect(found == bad)
                }
            }
        }
    }

    @Test("has one checksum at most, of four bytes")
    func checksums() {
        for sums in [
            part(0x03, []), part(0x03, [0, 0, 0]), part(0x03, [0, 0, 0, 0, 0]),
            part(0x03, [0, 0, 0, 0]) + part(0x03, [0, 0, 0, 0]),
        ] {
            #expect(verdict(header((0x21, 0x11), ipv4 + sums)) == bad)
        }
        var twice = summed
        // The filling begins 39 bytes before the end.
        twice[twice.count - 39] = 0x03
        #expect(verdict(twice) == bad)
    }
}

/// Headers that go through much of the reader.
private let corpus: [[UInt8]] = [
    wire("PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n"),
    wire("PROXY TCP6 2001:db8::1 ::ffff:192.0.2.1 0 65535\r\n"), wire("PROXY UNKNOWN a b\r\n"),
    wire("\r\n\r\n\u{0}\r\nQUIT\n") + [0x21, 0x11, 0, 19, 192, 0, 2, 1, 192, 0, 2, 2, 1, 2, 3, 4]
        + [3, 0, 4, 1, 2, 3, 4],
    wire("\r\n\r\n\u{0}\r\nQUIT\n") + [0x20, 0x00, 0, 0],
    wire("\r\n\r\n\u{0}\r\nQUIT\n") + [0x21, 0x21, 0, 40]
        + [UInt8](repeating: 0x0A, count: 36) + [4, 0, 1, 0],
]

@Suite("A mutated PROXY header")
struct ProxyHeaderMutationTests {
    @Test("never traps, and is read in one way however it is cut", arguments: 0..<8)
    func mutants(seed: UInt64) {
        var dice = SeededGenerator(seed: seed)
        for _ in 0..<TestScale.rounds(100, long: 5000) {
            var bytes = corpus.randomElement(using: &dice)!
            for _ in 0..<Int.random(in: 1...3, using: &dice) {
                let place = Int.random(in: 0..<bytes.count, using: &dice)
                switch Int.random(in: 0..<4, using: &dice) {
                case 0: bytes[place] = UInt8.random(in: 0...255, using: &dice)
                case 1: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &dice)
                case 2 where bytes.count > 1: bytes.remove(at: place)
                default: bytes.insert(bytes[place], at: place)
                }
            }
            // The first answer there is stays the answer.
            var answer = "more"
            for count in 0...bytes.count {
                let found = verdict(of: Array(bytes[..<count]))
                if answer == "more" { answer = found }
                #expect(found == answer, "\(bytes) after \(count)")
            }
        }
    }
}
