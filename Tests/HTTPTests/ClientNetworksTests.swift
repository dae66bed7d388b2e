import HTTP
import TestSupport
import Testing

private func networks(_ text: String) throws -> ClientNetworks {
    let address = ClientAddress(wire(text).span)
    return ClientNetworks(try #require(address))
}

struct ClientNetworksTests {
    @Test func `an IPv4 address is one network in every spelling`() throws {
        let plain = try networks("192.0.2.1")
        #expect(plain.count == 1)
        #expect(try networks("::ffff:192.0.2.1") == plain)
        #expect(try networks("64:ff9b::192.0.2.1") == plain)
        #expect(try networks("192.0.2.2")[0] != plain[0])
    }

    @Test(arguments: [
        // Another address of the same /64, of the same /56, of the same /48, and of none of them.
        ("2001:db8:1:203::ffff", [true, true, true]),
        ("2001:db8:1:2ff::1", [false, true, true]),
        ("2001:db8:1:ff03::1", [false, false, true]),
        ("2001:db8:2:203::1", [false, false, false]),
    ])
    func `an IPv6 address is in three networks: its /64, its /56 and its /48`(
        other: String, shared: [Bool]
    ) throws {
        let here = try networks("2001:db8:1:203::1")
        let there = try networks(other)
        #expect(here.count == 3)
        #expect((0..<3).map { here[$0] == there[$0] } == shared)
    }

    @Test func `networks of different sizes never have the same number`() throws {
        let here = try networks("2001:db8::")
        #expect(Set((0..<3).map { here[$0] }).count == 3)
        #expect((0..<3).map(ClientNetworks.factor) == [1, 4, 16])
    }

    @Test func `a client without an address is a network of its own`() throws {
        let unix = try networks("unix")
        #expect(unix.count == 1)
        #expect(unix[0] != (try networks("0.0.0.0")[0]))
    }

    @Test(arguments: [
        ("192.0.2.1", ["192.0.2.1"]), ("::ffff:192.0.2.1", ["192.0.2.1"]),
        (
            "2001:db8:1:23ff::9",
            ["2001:db8:1:23ff::/64", "2001:db8:1:2300::/56", "2001:db8:1::/48"]
        ),
    ])
    func `a network has one text, and that text names it`(address: String, texts: [String]) {
        let numbers = ClientNetworks.numbers(named: address) ?? []
        #expect(numbers.map(ClientNetworks.text) == texts)
        #expect(texts.map { ClientNetworks.numbers(named: $0) } == numbers.map { [$0] })
    }

    @Test(arguments: ["", "alice", "192.0.2.1/24", "2001:db8::/40", "2001:db8::/", "::1/64/64"])
    func `a text that is not a network has no numbers`(text: String) {
        #expect(ClientNetworks.numbers(named: text) == nil)
    }
}
