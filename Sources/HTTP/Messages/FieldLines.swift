/// Response field lines whose values come from data. Bytes that a field value cannot hold (RFC 9110
/// §5.5) are percent-encoded UTF-8 (RFC 3986 §2.1), and so is the percent sign. Names in any script
/// are therefore transmitted, and no value can start another field.
package struct FieldLines: Sendable {
    fileprivate(set) var bytes: [UInt8] = []

    package init() { bytes.reserveCapacity(256) }

    /// - Precondition: `value` is not negative.
    package mutating func add(_ name: StaticString, _ value: Int64) {
        begin(name)
        bytes.append(decimal: Int(value))
        end()
    }

    package mutating func add(_ name: StaticString, encoding value: Span<UInt8>) {
        begin(name)
        for index in value.indices {
            let byte = value[index]
            let isAtAnEnd = index == 0 || index == value.count - 1
            if (0x21...0x7E).contains(byte) && byte != UInt8(ascii: "%")
                || byte == UInt8(ascii: " ") && !isAtAnEnd
            {
                bytes.append(byte)
            } else {
                bytes.append(UInt8(ascii: "%"))
                bytes.append(Self.digit(byte >> 4))
                bytes.append(Self.digit(byte & 15))
            }
        }
        end()
    }

    private mutating func begin(_ name: StaticString) {
        bytes.append(literal: name)
        bytes.append(literal: ": ")
    }

    private mutating func end() { bytes.append(literal: "\r\n") }

    private static func digit(_ nibble: UInt8) -> UInt8 {
        nibble < 10 ? UInt8(ascii: "0") + nibble : UInt8(ascii: "A") + nibble - 10
    }
}

extension Response {
    /// Returns a copy with these field lines added.
    package func adding(_ lines: FieldLines) -> Response { adding(lines: lines.bytes) }
}
