import Foundation
import POSIX

/// A password in normalized form, which is the same for all keyboards and systems (RFC 8265,
/// OpaqueString: all spaces become U+0020, then NFC).
///
/// There is no conversion back to text, and printing a value reveals nothing.
package struct Password: Sendable {
    /// Allowed sizes of a new password, in bytes of normalized UTF-8.
    package static let sizes = 8...1024

    private let bytes: SecretBytes

    var utf8: Span<UInt8> { bytes.span }

    /// Normalizes a password for a login. Nil if the text cannot be any user's password: it has
    /// control characters or more than 1,024 bytes. A text shorter than the minimum for new
    /// passwords is accepted: it may be an existing password.
    package init?(_ text: String) {
        guard let bytes = try? Self.normalized(text) else { return nil }
        self.bytes = SecretBytes(bytes)
    }

    /// Normalizes a password from the bytes of a request. ASCII needs no normalization and never
    /// becomes a String, whose memory could not be overwritten.
    package init?(utf8 secret: SecretBytes) {
        guard let bytes = Self.normalized(secret) else { return nil }
        self.bytes = bytes
    }

    private static func normalized(_ secret: SecretBytes) -> SecretBytes? {
        guard secret.count <= 4 * sizes.upperBound else { return nil }
        let span = secret.span
        for index in span.indices {
            let byte = span[index]
            guard byte < 0x80 else {
                let text = String(decoding: [UInt8](copying: span), as: UTF8.self)
                return (try? normalized(text)).map { SecretBytes($0) }
            }
            guard byte >= 0x20, byte != 0x7F else { return nil }
        }
        return secret.count <= sizes.upperBound ? secret : nil
    }

    /// Normalizes and checks a new password. There are no composition rules, because they do not
    /// improve passwords (NIST SP 800-63B §5.1.1.2).
    /// - Throws: `PasswordError` if the password is too short or too long, has control characters,
    ///   is derived from the user name, or is a common one.
    package init(new text: String, for username: String) throws(PasswordError) {
        let bytes = try Self.normalized(text)
        self.bytes = SecretBytes(bytes)
        guard bytes.count >= Self.sizes.lowerBound else { throw .tooShort }
        let lowered = Array(String(decoding: bytes, as: UTF8.self).lowercased().utf8)
        guard !CommonPasswords.isName(lowered, Array(username.lowercased().utf8)) else {
            throw .isUsername
        }
        guard !CommonPasswords.contain(lowered) else { throw .isCommon }
    }

    private static func normalized(_ text: String) throws(PasswordError) -> [UInt8] {
        // Mapping spaces and composing leave at least a third of the bytes, so a longer text is too
        // long in any case.
        guard text.utf8.count <= 4 * sizes.upperBound else { throw .tooLong }
        var mapped = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            switch scalar.properties.generalCategory {
            case .control: throw .hasControlCharacters
            case .spaceSeparator: mapped.append(" ")
            default: mapped.append(scalar)
            }
        }
        let bytes = Array(String(mapped).precomposedStringWithCanonicalMapping.utf8)
        guard bytes.count <= sizes.upperBound else { throw .tooLong }
        return bytes
    }
}

extension Password: CustomReflectable, CustomStringConvertible, CustomDebugStringConvertible {
    package var customMirror: Mirror { Mirror(self, children: []) }
    package var description: String { "Password" }
    package var debugDescription: String { description }
}

/// Why a new password is refused.
package enum PasswordError: Error, Equatable {
    case tooShort
    case tooLong
    case hasControlCharacters
    case isUsername
    case isCommon

    /// The message for an operator. Reveals nothing about the password.
    package var description: String {
        switch self {
        case .tooShort: "the password is too short; use at least 8 bytes"
        case .tooLong: "the password is too long; at most 1,024 bytes are accepted"
        case .hasControlCharacters: "the password has control characters; remove them"
        case .isUsername:
            "the password is the user name, repeated or with digits around it; choose another"
        case .isCommon:
            "the password is a common one, or a common one with digits around it; choose "
                + "another"
        }
    }
}
