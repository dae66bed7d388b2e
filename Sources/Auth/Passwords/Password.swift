import Foundation
import POSIX

/// A password as it is compared: one spelling of what was typed, whatever keyboard and system it came
/// from (RFC 8265's OpaqueString: spaces of any kind are U+0020, letters are composed, NFC).
///
/// Nothing turns one back into text; printing it shows nothing.
package struct Password: Sendable {
    /// In bytes of UTF-8, once it is normalised.
    package static let sizes = 8...1024

    private let bytes: SecretBytes

    var utf8: Span<UInt8> { bytes.span }

    /// A password that somebody logs in with. Nil for what cannot be anybody's password: control
    /// characters, or more than 1,024 bytes. Shorter than a new one may be it can be all the same.
    package init?(_ text: String) {
        guard let bytes = try? Self.normalized(text) else { return nil }
        self.bytes = SecretBytes(bytes)
    }

    /// The same from the bytes of a request. ASCII, which is normalised already, never becomes a
    /// String, which could not be overwritten.
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

    /// A password that somebody wants to have.
    ///
    /// No rules of composition, which make passwords no better (NIST SP 800-63B §5.1.1.2): long enough,
    /// not the user's name, not what everybody tries first.
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
        // Composing and mapping spaces leave at least a third of the bytes: what is longer than this
        // need not be looked at.
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

/// Why a password cannot be had.
package enum PasswordError: Error, Equatable {
    case tooShort
    case tooLong
    case hasControlCharacters
    case isUsername
    case isCommon

    /// What an operator reads. Says nothing of the password.
    package var description: String {
        switch self {
        case .tooShort: "the password is too short; at least 8 bytes are wanted"
        case .tooLong: "the password is too long; at most 1,024 bytes are taken"
        case .hasControlCharacters: "the password has control characters, which nobody can type"
        case .isUsername:
            "the password is the user name, repeated or with digits around it; choose another"
        case .isCommon:
            "the password is one of those that everybody tries first, or one with digits around "
                + "it; choose another"
        }
    }
}
