/// The encoding of a text file that is not plain UTF-8, as editors on other systems save them.
package enum TextEncoding: Equatable, Sendable {
    /// UTF-8 that begins with a byte order mark (EF BB BF).
    case utf8WithMark
    /// UTF-16 or UTF-32, with or without a byte order mark.
    case utf16

    /// Nil unless the bytes begin with a byte order mark or are ASCII in UTF-16.
    package init?(of bytes: [UInt8]) {
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) {
            self = .utf8WithMark
        } else if bytes.starts(with: [0xFF, 0xFE]) || bytes.starts(with: [0xFE, 0xFF])
            || bytes.starts(with: [0, 0, 0xFE, 0xFF]) || Self.isWideASCII(bytes)
        {
            self = .utf16
        } else {
            return nil
        }
    }

    /// As `init(of:)`, for JSON, whose first two bytes are ASCII in UTF-8 (RFC 8259 §2).
    package init?(ofJSON bytes: [UInt8]) {
        if let encoding = TextEncoding(of: bytes) {
            self = encoding
        } else if bytes.count >= 2, bytes[0] == 0 || bytes[1] == 0 {
            self = .utf16
        } else {
            return nil
        }
    }

    /// ASCII in UTF-16 without a byte order mark: every second byte is zero, and no other is.
    private static func isWideASCII(_ bytes: [UInt8]) -> Bool {
        guard bytes.count >= 2, bytes.count % 2 == 0 else { return false }
        return [0, 1].contains { zero in
            bytes.indices.allSatisfy { index in
                index % 2 == zero ? bytes[index] == 0 : (1...0x7F).contains(bytes[index])
            }
        }
    }

    /// For the operator: what is wrong and what to do. The caller puts the file's name in front.
    package var message: String {
        switch self {
        case .utf8WithMark: "begins with a UTF-8 byte order mark; save it without one"
        case .utf16:
            "is UTF-16 or begins with a UTF-16 byte order mark; save it as UTF-8 without a mark"
        }
    }
}
