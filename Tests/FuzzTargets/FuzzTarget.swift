import Crypto

/// A reader of bytes that come from outside, and what holds of it whatever the bytes are.
///
/// One of them is the same function under libFuzzer (`Tests/Scripts/fuzz.py`), over its corpus and over
/// mutations of that (`FuzzTests`). It is a function of the bytes alone, so a finding can be repeated
/// from them. What breaks a rule is thrown; what traps is a finding as it is.
package struct FuzzTarget: Sendable {
    /// Also that of its corpus.
    package let name: String
    /// - Parameters:
    ///   - bytes: the input.
    ///   - folder: a folder that is the caller's own, for readers that read files.
    package let check: @Sendable (_ bytes: [UInt8], _ folder: String) throws -> Void
    /// How many mutations take about half a second in a debug build.
    package let usualRounds: Int

    init(
        _ name: String, rounds: Int,
        _ check: @escaping @Sendable (_ bytes: [UInt8], _ folder: String) throws -> Void
    ) {
        self.name = name
        usualRounds = rounds
        self.check = check
    }

    package static let all = [
        FuzzTarget("conversation", rounds: 150) { bytes, _ in
            try ConversationProperties.check(bytes)
        },
        FuzzTarget("proxyheader", rounds: 1000) { bytes, _ in try ProxyHeaderProperties.check(bytes)
        },
        FuzzTarget("webpolicy", rounds: 300) { bytes, _ in try WebPolicyProperties.check(bytes) },
        FuzzTarget("json", rounds: 600) { bytes, _ in try JSONProperties.check(bytes) },
        FuzzTarget("base64url", rounds: 3000) { bytes, _ in try Base64URLProperties.check(bytes) },
        FuzzTarget("token", rounds: 500) { bytes, _ in try TokenProperties.check(bytes) },
        FuzzTarget("logline", rounds: 300) { bytes, _ in try LogLineProperties.check(bytes) },
        FuzzTarget("logentry", rounds: 500) { bytes, _ in try LogEntryProperties.check(bytes) },
        FuzzTarget("configuration", rounds: 100, ConfigurationProperties.check),
        FuzzTarget("users", rounds: 150, UsersProperties.check),
        FuzzTarget("journal", rounds: 150, JournalProperties.check),
        FuzzTarget("revocation", rounds: 150, RevocationProperties.check),
        FuzzTarget("connections", rounds: 300) { bytes, _ in
            try ConnectionSharesProperties.check(bytes)
        },
        FuzzTarget("login", rounds: 25, LoginProperties.check),
        FuzzTarget("seals", rounds: 60) { bytes, _ in try SealProperties.check(bytes) },
        FuzzTarget("forgedlog", rounds: 40, ForgedLogProperties.check),
        FuzzTarget("evidence", rounds: 6, EvidenceProperties.check),
    ]
}

/// A rule that some bytes break.
package struct PropertyFailure: Error, Equatable, CustomStringConvertible {
    package let description: String

    init(_ sentence: String) { description = sentence }
}

func require(
    _ condition: Bool, _ sentence: @autoclosure () -> String
) throws(PropertyFailure) {
    guard condition else { throw PropertyFailure(sentence()) }
}

extension [UInt8] {
    /// For messages: what is printable as it stands, all else escaped.
    var shown: String {
        map { byte in
            if (0x20..<0x7F) ~= byte { return "\(Character(Unicode.Scalar(byte)))" }
            let one = [byte]
            return "\\x" + hexadecimal(one.span)
        }
        .joined()
    }

    /// A number that depends on every byte (FNV-1a), to choose by what a fuzzer does not.
    var choice: UInt64 {
        reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
    }

    init(copying span: Span<UInt8>) { self = span.indices.map { span[$0] } }
}
