/// Validates `uri-host [ ":" port ]` (RFC 9110 §7.2) against the grammar of RFC 3986 §3.2.2. A
/// proxy may route requests by this value, so proxy and server must interpret it alike.
enum Host {
    /// - Parameters:
    ///   - needsName: if true, the host must not be empty.
    ///   - needsPort: if true, a port with at least one digit is required.
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

    /// True for an IPv6address or an IPvFuture, the two alternatives inside brackets.
    private static func isAddress(_ text: Span<UInt8>) -> Bool {
        guard text.count > 0 else { return false }
        if text[0] | 0x20 == UInt8(ascii: "v") { return isFutureAddress(text) }
        return NetworkAddress.ipv6(text) != nil
    }

    /// IPvFuture: `"v" 1*HEXDIG "." 1*( unreserved / sub-delims / ":" )`.
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
