/// An IP address as a number, for comparing addresses, matching blocks, and counting clients. It
/// parses the text forms of RFC 4291 §2.2, strictly, and writes the text form of RFC 5952.
///
/// An IPv4 address is stored as its IPv4-mapped IPv6 address (RFC 4291 §2.5.5.2,
/// `::ffff:192.0.2.1`). Both spellings are therefore the same address, and each address has one
/// text.
package struct NetworkAddress: Sendable, Hashable {
    /// The 128 bits of the IPv6 address.
    package let bits: UInt128

    package init(bits: UInt128) { self.bits = bits }

    package init(ipv4 bits: UInt32) { self.bits = Self.mapped | UInt128(bits) }

    /// `::ffff:0:0`
    private static let mapped: UInt128 = 0xFFFF_0000_0000

    package var isIPv4: Bool { bits >> 32 == 0xFFFF }

    /// Returns nil if the text is not an address.
    /// - Parameter text: an address without brackets, port or zone.
    package init?(_ text: Span<UInt8>) {
        if let bits = Self.ipv4(text) {
            self.init(ipv4: bits)
        } else if let bits = Self.ipv6(text) {
            self.init(bits: bits)
        } else {
            return nil
        }
    }

    /// The address or prefix that counts as one client: an IPv4 address, or the first 64 bits of an
    /// IPv6 address (RFC 6177: a site has at least a /64). An address that was translated from IPv4
    /// (RFC 6052 §2.1, `64:ff9b::/96`) counts as its IPv4 address; otherwise all of them would
    /// count as one client.
    package var clientPrefix: NetworkAddress {
        if isIPv4 { return self }
        if bits >> 32 == Self.translated { return NetworkAddress(ipv4: UInt32(bits & 0xFFFF_FFFF)) }
        return NetworkAddress(bits: (bits >> 64) << 64)
    }

    /// The first 96 bits of `64:ff9b::`.
    private static let translated: UInt128 = 0x0064_FF9B << 64
}

// MARK: - From text

extension NetworkAddress {
    /// The 128 bits of an IPv6 address; nil for any other text. The text has eight groups of
    /// sixteen bits. `::` may replace one or more zero groups, once. An IPv4 address may replace
    /// the last two groups.
    static func ipv6(_ text: Span<UInt8>) -> UInt128? {
        // The longest text has 45 bytes: six groups of four digits, and an IPv4 address of fifteen.
        guard text.count >= 2, text.count <= 45 else { return nil }
        /// The groups so far, the last one in the lowest bits.
        var bits: UInt128 = 0
        var groups = 0
        /// The number of groups before `::`.
        var gap: Int?
        var index = 0
        if text[0] == UInt8(ascii: ":"), text[1] == UInt8(ascii: ":") {
            gap = 0
            index = 2
        }
        while index < text.count {
            let start = index
            var group: UInt128 = 0
            while index < text.count, let digit = Grammar.hexadecimalValue(text[index]) {
                // More than four digits are rejected below; until then only high bits are lost.
                group = group << 4 | UInt128(digit)
                index += 1
            }
            if index < text.count, text[index] == UInt8(ascii: ".") {
                guard groups <= 6, let last = ipv4(text.extracting(start..<text.count)) else {
                    return nil
                }
                bits = bits << 32 | UInt128(last)
                groups += 2
                break
            }
            guard index > start, index - start <= 4, groups < 8 else { return nil }
            bits = bits << 16 | group
            groups += 1
            guard index < text.count else { break }
            guard text[index] == UInt8(ascii: ":"), index + 1 < text.count else { return nil }
            index += 1
            if text[index] == UInt8(ascii: ":") {
                guard gap == nil else { return nil }
                gap = groups
                index += 1
            }
        }
        guard let gap else { return groups == 8 ? bits : nil }
        guard groups < 8 else { return nil }
        // The groups after the gap stay at the end; those before it move to the front. Shifts by
        // 128 are intended: they yield zero.
        let bitsAfterGap = 16 * (groups - gap)
        let end = bits & ~(~0 << bitsAfterGap)
        return (bits >> bitsAfterGap) << (128 - 16 * gap) | end
    }

    /// The 32 bits of an IPv4 address; nil for any other text. The text is four numbers below 256
    /// without leading zeros, because other parsers read a leading zero as octal.
    static func ipv4(_ text: Span<UInt8>) -> UInt32? {
        guard text.count >= 7, text.count <= 15 else { return nil }
        var bits: UInt32 = 0
        var numbers = 0
        var start = 0
        for index in 0...text.count where index == text.count || text[index] == UInt8(ascii: ".") {
            guard index > start, index - start <= 3, numbers < 4 else { return nil }
            guard index - start == 1 || text[start] != UInt8(ascii: "0") else { return nil }
            var number: UInt32 = 0
            for digit in start..<index {
                guard Grammar.isDigit(text[digit]) else { return nil }
                number = number * 10 + UInt32(text[digit] - UInt8(ascii: "0"))
            }
            guard number < 256 else { return nil }
            bits = bits << 8 | number
            numbers += 1
            start = index + 1
        }
        return numbers == 4 ? bits : nil
    }
}

// MARK: - To text

extension NetworkAddress {
    /// The text form of RFC 5952 §4: lower case, no leading zeros, and `::` for the longest run of
    /// at least two zero groups, the first of equal runs. IPv4 addresses have the dotted form.
    package var text: ClientAddress {
        var writer = AddressWriter()
        if isIPv4 {
            for byte in 0..<4 {
                if byte > 0 { writer.append(UInt8(ascii: ".")) }
                writer.append(decimal: UInt8(truncatingIfNeeded: bits >> (24 - 8 * byte)))
            }
            return writer.text
        }
        let gap = longestRunOfZeros
        var index = 0
        while index < 8 {
            if index == gap.lowerBound, !gap.isEmpty {
                writer.append(UInt8(ascii: ":"))
                writer.append(UInt8(ascii: ":"))
                index = gap.upperBound
                continue
            }
            if index > 0, index != gap.upperBound || gap.isEmpty {
                writer.append(UInt8(ascii: ":"))
            }
            writer.append(hexadecimal: group(index))
            index += 1
        }
        return writer.text
    }

    private func group(_ index: Int) -> UInt16 {
        UInt16(truncatingIfNeeded: bits >> (112 - 16 * index))
    }

    /// Empty if there is no run that `::` may replace.
    private var longestRunOfZeros: Range<Int> {
        var longest = 0..<0
        var start = 0
        for index in 0..<8 {
            guard group(index) == 0 else {
                start = index + 1
                continue
            }
            let count = index + 1 - start
            if count >= 2, count > longest.count { longest = start..<(index + 1) }
        }
        return longest
    }
}

/// Assembles the text of an address without a heap allocation.
private struct AddressWriter {
    private var bytes = InlineArray<45, UInt8>(repeating: 0)
    private var count = 0

    mutating func append(_ byte: UInt8) {
        bytes[count] = byte
        count += 1
    }

    mutating func append(decimal number: UInt8) {
        if number >= 100 { append(UInt8(ascii: "0") + number / 100) }
        if number >= 10 { append(UInt8(ascii: "0") + number / 10 % 10) }
        append(UInt8(ascii: "0") + number % 10)
    }

    mutating func append(hexadecimal number: UInt16) {
        var isLeading = true
        var shift = 12
        while shift >= 0 {
            let digit = UInt8(truncatingIfNeeded: number >> UInt16(shift)) & 15
            if digit != 0 || shift == 0 || !isLeading {
                isLeading = false
                append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
            }
            shift -= 4
        }
    }

    /// Eight groups of four digits and seven colons are 39 bytes, so the text fits.
    var text: ClientAddress { ClientAddress(bytes.span.extracting(0..<count))! }
}
