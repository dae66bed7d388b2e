/// A CIDR block (RFC 4632 §3.1), the addresses with a common prefix: `10.0.0.0/8`, `2001:db8::/32`,
/// or a single address.
package struct NetworkBlock: Sendable, Equatable {
    private let first: NetworkAddress
    /// The prefix length in bits, counted in the 128 bits of an IPv6 address.
    private let length: Int

    /// Why a text is not a block.
    package enum Problem: Error, Equatable {
        case notAnAddress
        /// The text after `/` is not a number in this range.
        case badLength(ClosedRange<Int>)
        /// The address is not the first one of its block, which `block` shows.
        case notTheFirst(block: String)
    }

    /// - Parameter text: an address, or an address, `/` and a prefix length. The length 0 is an
    ///   error, because a block of all addresses restricts nothing.
    package init(parsing text: String) throws(Problem) {
        let bytes = Array(text.utf8)
        let slash = bytes.firstIndex(of: UInt8(ascii: "/"))
        let addressText = Array(bytes[..<(slash ?? bytes.count)])
        guard let address = NetworkAddress(addressText.span) else { throw .notAnAddress }
        guard let slash else {
            first = address
            length = 128
            return
        }
        let isWrittenAsIPv4 = NetworkAddress.ipv4(addressText.span) != nil
        // `::ffff:192.0.2.0/120` is an IPv4 block with an IPv6 prefix length.
        let range = isWrittenAsIPv4 ? 1...32 : address.isIPv4 ? 97...128 : 1...128
        guard let number = Self.number(bytes[(slash + 1)...]), range.contains(number) else {
            throw .badLength(range)
        }
        let length = isWrittenAsIPv4 ? number + 96 : number
        let start = NetworkAddress(bits: address.bits & (~0 << (128 - length)))
        guard start == address else {
            let shown = start.isIPv4 ? length - 96 : length
            throw .notTheFirst(block: "\(start.text.string)/\(shown)")
        }
        first = start
        self.length = length
    }

    /// Parses one to three digits without a leading zero.
    private static func number(_ digits: ArraySlice<UInt8>) -> Int? {
        guard (1...3).contains(digits.count), digits.first != UInt8(ascii: "0") else { return nil }
        var number = 0
        for digit in digits {
            guard Grammar.isDigit(digit) else { return nil }
            number = number * 10 + Int(digit - UInt8(ascii: "0"))
        }
        return number
    }

    /// A block of IPv6 addresses contains no IPv4 address, however short its prefix is.
    package func contains(_ address: NetworkAddress) -> Bool {
        address.isIPv4 == first.isIPv4
            && (address.bits ^ first.bits) >> (128 - length) == 0
    }
}
