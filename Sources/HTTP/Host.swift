/// `uri-host [ ":" port ]` (RFC 9110 §7.2), held against the grammar of RFC 3986 §3.2.2. Nothing
/// here depends on what it says; but whoever stands in front may, and has to read the same.
enum Host {
    /// - Parameters:
    ///   - needsName: there must be something before the port.
    ///   - needsPort: there must be a port, and it must have digits.
    static func isValid(_ value: Span<UInt8>, needsName: Bool, needsPort: Bool) -> Bool {
        var index = 0
        if value.count > 0, value[0] == UInt8(ascii: "[") {
            while index < value.count, value[index] != UInt8(ascii: "]") { index += 1 }
            guard index < value.count, isAddress(value.extracting(1..<index)) else { return false }
            index += 1
        } else {
            while index < value.count, Grammar.isHostName(value[index]) {
                if value[index] == UInt8(ascii: "%") {
                    guard index + 2 < value.count,
                        Grammar.hexadecimalValue(value[index + 1]) != nil,
                        Grammar.hexadecimalValue(value[index + 2]) != nil
                    else { return false }
                }
                index += 1
            }
        }
        if needsName, index == 0 { return false }
        if index == value.count { return !needsPort }
        guard value[index] == UInt8(ascii: ":") else { return false }
        let port = value.extracting((index + 1)..<value.count)
        guard port.count <= 5, !(needsPort && port.count == 0) else { return false }
        for digit in port.indices where !Grammar.isDigit(port[digit]) { return false }
        return true
    }

    /// What may stand in brackets: an IPv6 address, or an address of a kind that is yet to come.
    private static func isAddress(_ text: Span<UInt8>) -> Bool {
        guard text.count > 0 else { return false }
        if text[0] | 0x20 == UInt8(ascii: "v") { return isFutureAddress(text) }
        // Eight groups of sixteen bits, of which `::` stands for one or more once.
        var groups = 0
        var isShortened = false
        var index = 0
        if text.count > 1, text[0] == UInt8(ascii: ":"), text[1] == UInt8(ascii: ":") {
            isShortened = true
            index = 2
        }
        while index < text.count {
            let start = index
            while index < text.count, Grammar.hexadecimalValue(text[index]) != nil { index += 1 }
            if index < text.count, text[index] == UInt8(ascii: ".") {
                // The last two groups may be an IPv4 address.
                guard isIPv4(text.extracting(start..<text.count)) else { return false }
                groups += 2
                break
            }
            guard index > start, index - start <= 4 else { return false }
            groups += 1
            guard index < text.count else { break }
            guard text[index] == UInt8(ascii: ":"), index + 1 < text.count else { return false }
            index += 1
            if text[index] == UInt8(ascii: ":") {
                guard !isShortened else { return false }
                isShortened = true
                index += 1
            }
        }
        return isShortened ? groups < 8 : groups == 8
    }

    /// Four numbers below 256 without leading zeros.
    private static func isIPv4(_ text: Span<UInt8>) -> Bool {
        var numbers = 0
        var start = 0
        for index in 0...text.count where index == text.count || text[index] == UInt8(ascii: ".") {
            guard index > start, index - start <= 3 else { return false }
            guard index - start == 1 || text[start] != UInt8(ascii: "0") else { return false }
            var number = 0
            for digit in start..<index {
                guard Grammar.isDigit(text[digit]) else { return false }
                number = number * 10 + Int(text[digit] - UInt8(ascii: "0"))
            }
            guard number < 256 else { return false }
            numbers += 1
            start = index + 1
        }
        return numbers == 4
    }

    /// `"v" 1*HEXDIG "." 1*( unreserved / sub-delims / ":" )`.
    private static func isFutureAddress(_ text: Span<UInt8>) -> Bool {
        var index = 1
        while index < text.count, Grammar.hexadecimalValue(text[index]) != nil { index += 1 }
        guard index > 1, index + 1 < text.count, text[index] == UInt8(ascii: ".") else {
            return false
        }
        for byte in (index + 1)..<text.count {
            guard
                Grammar.isHostName(text[byte]) && text[byte] != UInt8(ascii: "%")
                    || text[byte] == UInt8(ascii: ":")
            else { return false }
        }
        return true
    }
}
