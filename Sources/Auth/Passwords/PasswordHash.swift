import Crypto

/// A stored password: PBKDF2-HMAC-SHA256 with a salt of its own. The text form is the PHC string
/// `$pbkdf2-sha256$i=600000$<salt>$<hash>`, with both parts in base64 without padding.
///
/// Printing a value reveals nothing. Finding the password requires trying candidates one by one.
package struct PasswordHash: Sendable {
    /// Fewer iterations give no protection. With more, one login would occupy a processor for
    /// seconds, and a users file could be used for denial of service.
    package static let iterationRange = 1000...10_000_000
    /// OWASP Password Storage Cheat Sheet, 2023, for PBKDF2-HMAC-SHA256.
    package static let usualIterations = 600_000

    package let iterations: Int
    private let salt: [UInt8]
    private let key: SHA256.Digest

    /// - Parameters:
    ///   - iterations: within `iterationRange`.
    ///   - salt: 8 to 64 bytes that no other hash uses.
    package init(
        of password: Password, iterations: Int, salt: [UInt8] = RandomBytes.array(count: 16)
    ) {
        precondition(
            Self.iterationRange.contains(iterations) && Self.saltSizes.contains(salt.count))
        self.iterations = iterations
        self.salt = salt
        key = PBKDF2.key(password: password.utf8, salt: salt.span, iterations: iterations)
    }

    /// The key derivation from password, salt and iterations; tests replace it to count iterations.
    package typealias Derivation =
        @Sendable (_ password: Span<UInt8>, _ salt: Span<UInt8>, _ iterations: Int) ->
        SHA256.Digest

    /// Whether this is a hash of the password. The comparison takes constant time.
    package func matches(_ password: Password) -> Bool { matches(password.utf8) }

    func matches(_ password: Span<UInt8>, by derive: Derivation = PBKDF2.key) -> Bool {
        isEqualInConstantTime(derive(password, salt.span, iterations).span, key.span)
    }

    private static let saltSizes = 8...64
}

extension PasswordHash: Equatable {
    package static func == (one: PasswordHash, other: PasswordHash) -> Bool {
        one.iterations == other.iterations
            && isEqualInConstantTime(one.salt.span, other.salt.span)
            && isEqualInConstantTime(one.key.span, other.key.span)
    }
}

/// Printing or dumping a hash reveals nothing about it.
extension PasswordHash: CustomReflectable, CustomStringConvertible, CustomDebugStringConvertible {
    package var customMirror: Mirror { Mirror(self, children: []) }
    package var description: String { "PasswordHash" }
    package var debugDescription: String { description }
}

// MARK: - Text

extension PasswordHash {
    /// The PHC string, as stored in a users file.
    package var text: String {
        "$pbkdf2-sha256$i=\(iterations)$\(Self.base64(salt.span))$\(Self.base64(key.span))"
    }

    /// Parses a hash. Nil unless the text is exactly one hash within the limits: 1,000 to
    /// 10,000,000 iterations, a salt of 8 to 64 bytes, a hash of 32 bytes.
    ///
    /// Also accepts the format of Python's passlib, `$pbkdf2-sha256$29000$<salt>$<hash>`, whose
    /// base64 has `.` instead of `+`.
    package init?(_ text: String) {
        guard text.utf8.count <= Self.longestText else { return nil }
        let parts = Array(text.utf8).split(
            separator: UInt8(ascii: "$"), omittingEmptySubsequences: false)
        guard parts.count == 5, parts[0].isEmpty, parts[1].elementsEqual("pbkdf2-sha256".utf8)
        else { return nil }
        let isPHC = parts[2].starts(with: "i=".utf8)
        let plus = UInt8(ascii: isPHC ? "+" : ".")
        guard let iterations = Self.number(isPHC ? parts[2].dropFirst(2) : parts[2]),
            Self.iterationRange.contains(iterations),
            let salt = Self.bytes(parts[3], plus: plus), Self.saltSizes.contains(salt.count),
            let key = Self.bytes(parts[4], plus: plus), key.count == SHA256.digestSize
        else { return nil }
        self.iterations = iterations
        self.salt = salt
        self.key = SHA256.Digest(bytes: InlineArray { key[$0] })
    }

    /// Upper bound of a valid text: 13 characters of name, 10 of iterations, 86 of salt, 43 of
    /// hash, and the dollar signs.
    private static let longestText = 160

    /// Parses decimal digits without leading zeros: each number has exactly one encoding.
    private static func number(_ digits: ArraySlice<UInt8>) -> Int? {
        guard (1...8).contains(digits.count), digits.first != UInt8(ascii: "0"),
            digits.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) })
        else { return nil }
        return digits.reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) }
    }

    /// Base64 without padding: base64url with two characters replaced.
    private static func base64(_ bytes: Span<UInt8>) -> String {
        let text = Base64URL.encoded(bytes).map { character in
            switch character {
            case UInt8(ascii: "-"): UInt8(ascii: "+")
            case UInt8(ascii: "_"): UInt8(ascii: "/")
            default: character
            }
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// - Parameter plus: the character for the value 62.
    private static func bytes(_ text: ArraySlice<UInt8>, plus: UInt8) -> [UInt8]? {
        var base64URL: [UInt8] = []
        for character in text {
            switch character {
            case plus: base64URL.append(UInt8(ascii: "-"))
            case UInt8(ascii: "/"): base64URL.append(UInt8(ascii: "_"))
            case UInt8(ascii: "-"), UInt8(ascii: "_"): return nil
            default: base64URL.append(character)
            }
        }
        return try? Base64URL.decoded(base64URL.span)
    }
}
