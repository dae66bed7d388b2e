/// Parses the elements of one Forwarded field line (RFC 7239 §4), from left to right.
struct ForwardedScanner: ~Escapable {
    enum Element: Equatable {
        /// The address in the parameter `for`.
        case address(NetworkAddress)
        /// An element without `for`, or whose `for` is not an address: `unknown`, `_hidden`.
        case noAddress
        case end
        case malformed
    }

    private let value: Span<UInt8>
    private var index = 0
    private var isAtEnd = false

    @_lifetime(copy value)
    init(_ value: Span<UInt8>) { self.value = value }

    /// The next element. Must not be called again after `malformed`.
    mutating func nextElement() -> Element {
        if isAtEnd { return .end }
        var hasNode = false
        var isEmpty = true
        var element = Element.noAddress
        while true {
            skipWhiteSpace()
            let name = readToken()
            if !name.isEmpty {
                isEmpty = false
                guard consume(UInt8(ascii: "=")) else { return .malformed }
                var text = NodeText()
                guard readValue(into: &text) else { return .malformed }
                if value.extracting(name).isEqualIgnoringCase("for") {
                    // §4: each parameter at most once in an element.
                    guard !hasNode else { return .malformed }
                    hasNode = true
                    if let address = text.address { element = .address(address) }
                }
                skipWhiteSpace()
            }
            if consume(UInt8(ascii: ";")) {
                isEmpty = false
                continue
            }
            if index == value.count {
                isAtEnd = true
                return isEmpty ? .end : element
            }
            guard consume(UInt8(ascii: ",")) else { return .malformed }
            // RFC 9110 §5.6.1.2: empty list elements are ignored.
            if !isEmpty { return element }
        }
    }

    private mutating func skipWhiteSpace() {
        while index < value.count, Grammar.isWhiteSpace(value[index]) { index += 1 }
    }

    private mutating func consume(_ byte: UInt8) -> Bool {
        guard index < value.count, value[index] == byte else { return false }
        index += 1
        return true
    }

    private mutating func readToken() -> Range<Int> {
        let start = index
        while index < value.count, Grammar.isToken(value[index]) { index += 1 }
        return start..<index
    }

    /// Reads a token or a quoted-string (RFC 9110 §5.6.4), and removes its quoting. Returns false
    /// if there is neither.
    private mutating func readValue(into text: inout NodeText) -> Bool {
        guard consume(UInt8(ascii: "\"")) else {
            let token = readToken()
            for index in token { text.append(value[index]) }
            return !token.isEmpty
        }
        while index < value.count {
            var byte = value[index]
            index += 1
            if byte == UInt8(ascii: "\"") { return true }
            if byte == UInt8(ascii: "\\") {
                guard index < value.count else { return false }
                byte = value[index]
                index += 1
            }
            text.append(byte)
        }
        return false
    }
}

/// The value of a `for` parameter, up to the length of the longest address.
private struct NodeText {
    /// An IPv6 address of 45 bytes in brackets, a colon and a port of five digits are 53.
    private var bytes = InlineArray<53, UInt8>(repeating: 0)
    private var count = 0
    private var isTooLong = false

    mutating func append(_ byte: UInt8) {
        guard count < bytes.count else {
            isTooLong = true
            return
        }
        bytes[count] = byte
        count += 1
    }

    /// Nil if the value is not an address.
    var address: NetworkAddress? {
        isTooLong ? nil : Node.address(bytes.span.extracting(0..<count))
    }
}

/// `node = nodename [ ":" node-port ]` (RFC 7239 §6).
enum Node {
    /// The address in an IPv4address or in a bracketed IPv6address, with or without a port. Nil for
    /// anything else.
    static func address(_ node: Span<UInt8>) -> NetworkAddress? {
        var end = 0
        let bits: NetworkAddress?
        if node.count > 0, node[0] == UInt8(ascii: "[") {
            while end < node.count, node[end] != UInt8(ascii: "]") { end += 1 }
            guard end < node.count else { return nil }
            bits = NetworkAddress.ipv6(node.extracting(1..<end)).map(NetworkAddress.init(bits:))
            end += 1
        } else {
            while end < node.count, node[end] != UInt8(ascii: ":") { end += 1 }
            bits = NetworkAddress.ipv4(node.extracting(0..<end)).map(NetworkAddress.init(ipv4:))
        }
        guard end == node.count || isPort(node.extracting(end..<node.count)) else { return nil }
        return bits
    }

    /// `":" ( 1*5DIGIT / "_" 1*( ALPHA / DIGIT / "." / "_" / "-" ) )`
    private static func isPort(_ text: Span<UInt8>) -> Bool {
        guard text.count >= 2, text[0] == UInt8(ascii: ":") else { return false }
        if text[1] == UInt8(ascii: "_") {
            guard text.count > 2 else { return false }
            for index in 2..<text.count where !Grammar.isRequestIDCharacter(text[index]) {
                return false
            }
            return true
        }
        guard text.count <= 6 else { return false }
        for index in 1..<text.count where !Grammar.isDigit(text[index]) { return false }
        return true
    }
}
