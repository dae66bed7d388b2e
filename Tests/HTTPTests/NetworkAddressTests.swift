import HTTP
import TestSupport
import Testing

private func address(_ text: String) -> NetworkAddress? { NetworkAddress(wire(text).span) }

struct NetworkAddressTests {
    // RFC 4291 §2.2 and §2.5.5; RFC 5952 §1, §2 and §4; RFC 6052 §2.4.
    @Test(arguments: [
        ("0.0.0.0", "0.0.0.0"), ("192.0.2.1", "192.0.2.1"),
        ("255.255.255.255", "255.255.255.255"), ("1.20.100.9", "1.20.100.9"),
        ("::ffff:192.0.2.1", "192.0.2.1"), ("::FFFF:c000:0201", "192.0.2.1"),
        ("0:0:0:0:0:ffff:192.0.2.1", "192.0.2.1"), ("::ffff:0:0", "0.0.0.0"),
        ("ABCD:EF01:2345:6789:ABCD:EF01:2345:6789", "abcd:ef01:2345:6789:abcd:ef01:2345:6789"),
        ("2001:DB8:0:0:8:800:200C:417A", "2001:db8::8:800:200c:417a"),
        ("2001:DB8::8:800:200C:417A", "2001:db8::8:800:200c:417a"),
        ("FF01:0:0:0:0:0:0:101", "ff01::101"), ("FF01::101", "ff01::101"),
        ("0:0:0:0:0:0:0:1", "::1"), ("::1", "::1"), ("::", "::"), ("0::0", "::"),
        ("1::", "1::"),
        ("::13.1.68.3", "::d01:4403"), ("::FFFF:129.144.52.38", "129.144.52.38"),
        ("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"), ("2001:0db8::0001", "2001:db8::1"),
        ("2001:db8:0:0:0:0:2:1", "2001:db8::2:1"),
        ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"),
        ("2001:db8::1:1:1:1:1", "2001:db8:0:1:1:1:1:1"),
        ("2001:0:0:1:0:0:0:1", "2001:0:0:1::1"), ("2001:db8:0:0:1::1", "2001:db8::1:0:0:1"),
        ("2001:db8:aaaa:bbbb:cccc:dddd:eeee:0aaa", "2001:db8:aaaa:bbbb:cccc:dddd:eeee:aaa"),
        ("64:ff9b::192.0.2.33", "64:ff9b::c000:221"), ("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"),
        ("::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"), ("1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"),
        ("1::1.2.3.4", "1::102:304"), ("1:2:3:4:5::1.2.3.4", "1:2:3:4:5:0:102:304"),
        ("1:0:0:2:0:0:0:3", "1:0:0:2::3"), ("0:0:0:1:0:0:0:0", "0:0:0:1::"),
    ])
    func `every text form of an address is parsed, and each address has one text`(
        text: String, canonical: String
    ) throws {
        let read = try #require(address(text))
        #expect(read.text.string == canonical)
        #expect(address(canonical) == read)
        #expect(read.isIPv4 == !canonical.contains(":"))
    }

    @Test(arguments: [
        "", " ", "1", "1.2.3", "1.2.3.4.5", "1.2.3.256", "1.2.3.04", "01.2.3.4", "1.2.3.4 ",
        " 1.2.3.4", "1.2.3.4/8", "1.2.3.4:80", "1..3.4", ".1.2.3", "1.2.3.", "0x7f.0.0.1",
        "2130706433", "1.2.3.1000", "1.2.3.-4", "1.2.3.+4", "1.2.3.4\0", "1,2,3,4", "...",
        ":", ":::", "1:2", ":1", "1:", "::1:", ":1::", "1::2::3", "12345::", "::12345", "::g",
        "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8::", "::1:2:3:4:5:6:7:8",
        "1:2:3:4::5:6:7:8", "::1.2.3", "::1.2.3.4.5", "::256.1.1.1", "::01.1.1.1", "1.2.3.4::",
        "::1.2.3.4:5", "1:2:3:4:5:6:7:1.2.3.4", "1:2:3:4:5:1.2.3.4", "::1.2.3.4::",
        "[::1]", "::1%eth0", "fe80::1%25eth0", "::1/128", "localhost", "unknown", "_hidden",
        "0000:0000:0000:0000:0000:ffff:255.255.255.2555", "\u{E9}::",
    ])
    func `a text that only resembles an address is rejected`(text: String) {
        #expect(address(text) == nil)
    }

    @Test func `an address survives a round trip through its text`() {
        var generator = SeededGenerator(seed: 4291)
        for _ in 0..<TestScale.rounds(4000, long: 200_000) {
            var bits: UInt128 = 0
            // Groups of zeros, ones and random values, so that runs of all lengths occur.
            for _ in 0..<8 {
                let group = UInt16.random(in: 0...UInt16.max, using: &generator)
                bits =
                    bits << 16
                    | UInt128([0, 0, 0, 1, 0xFFFF, group].randomElement(using: &generator)!)
            }
            let address = NetworkAddress(bits: bits)
            let text = address.text
            #expect(NetworkAddress(text.utf8) == address, "\(text.string)")
        }
    }

    @Test(arguments: [
        ("192.0.2.1", "192.0.2.1"), ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"), ("2001:db8:1:3::", "2001:db8:1:3::"),
        ("::1", "::"), ("64:ff9b::192.0.2.33", "192.0.2.33"),
        ("64:ff9b:1::192.0.2.33", "64:ff9b:1::"), ("64:ff9b::1:c000:221", "64:ff9b::"),
    ])
    func `a client is an IPv4 address or the first 64 bits of an IPv6 address`(
        text: String, client: String
    ) {
        #expect(address(text)?.clientPrefix.text.string == client)
    }
}

struct NetworkBlockTests {
    @Test(arguments: [
        ("10.0.0.0/8", "10.255.0.1", true), ("10.0.0.0/8", "11.0.0.0", false),
        ("10.0.0.0/8", "9.255.255.255", false), ("10.0.0.0/8", "::ffff:10.1.2.3", true),
        ("10.0.0.0/8", "a00::", false), ("10.0.0.0/8", "::10.0.0.1", false),
        ("192.0.2.128/25", "192.0.2.127", false), ("192.0.2.128/25", "192.0.2.255", true),
        ("192.0.2.1/32", "192.0.2.1", true), ("192.0.2.1/32", "192.0.2.0", false),
        ("192.0.2.1", "192.0.2.1", true), ("192.0.2.1", "192.0.2.3", false),
        ("0.0.0.0/1", "127.255.255.255", true), ("0.0.0.0/1", "128.0.0.0", false),
        ("128.0.0.0/1", "192.0.2.1", true), ("128.0.0.0/1", "2001:db8::1", false),
        ("2001:db8::/32", "2001:db8:ffff::1", true), ("2001:db8::/32", "2001:db9::", false),
        ("::1", "::1", true), ("::1", "::", false), ("::1/128", "::1", true),
        ("::1", "0.0.0.1", false), ("::/1", "::1", true), ("::/1", "192.0.2.1", false),
        ("8000::/1", "fe80::1", true), ("::ffff:192.0.2.0/120", "192.0.2.77", true),
        ("::ffff:192.0.2.0/120", "192.0.3.77", false), ("::ffff:10.0.0.1", "10.0.0.1", true),
    ])
    func `a block contains the addresses with its prefix`(block: String, text: String, isIn: Bool)
        throws
    {
        let block = try NetworkBlock(parsing: block)
        #expect(block.contains(try #require(address(text))) == isIn)
    }

    @Test(arguments: [
        ("", NetworkBlock.Problem.notAnAddress), ("localhost", .notAnAddress),
        ("10.0.0.0 /8", .notAnAddress), ("/8", .notAnAddress), ("10/8", .notAnAddress),
        ("[::1]", .notAnAddress), ("10.0.0.0/255.0.0.0", .badLength(1...32)),
        ("10.0.0.0/", .badLength(1...32)), ("10.0.0.0/33", .badLength(1...32)),
        ("0.0.0.0/0", .badLength(1...32)), ("::/0", .badLength(1...128)),
        ("10.0.0.0/08", .badLength(1...32)), ("10.0.0.0/+8", .badLength(1...32)),
        ("10.0.0.0/8/8", .badLength(1...32)), ("10.0.0.0/ 8", .badLength(1...32)),
        ("10.0.0.0/9999999999999999999999", .badLength(1...32)),
        ("2001:db8::/129", .badLength(1...128)),
        ("::ffff:0:0/96", .badLength(97...128)), ("::ffff:10.0.0.0/8", .badLength(97...128)),
        ("10.0.0.1/8", .notTheFirst(block: "10.0.0.0/8")),
        ("::ffff:10.0.0.1/104", .notTheFirst(block: "10.0.0.0/8")),
        ("2001:db8::1/32", .notTheFirst(block: "2001:db8::/32")),
        ("::ffff:0:0/95", .badLength(97...128)),
    ])
    func `an ambiguous or malformed block is rejected`(text: String, problem: NetworkBlock.Problem)
    {
        #expect(throws: problem) { try NetworkBlock(parsing: text) }
    }
}
