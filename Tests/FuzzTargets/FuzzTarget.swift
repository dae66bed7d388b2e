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
        FuzzTarget("conversation", rounds: 150) { bytes, _ in try ConversationRules.check(bytes) },
        FuzzTarget("proxyheader", rounds: 1000) { bytes, _ in try ProxyHeaderRules.check(bytes) },
        FuzzTarget("webpolicy", rounds: 300) { bytes, _ in try WebPolicyRules.check(bytes) },
        FuzzTarget("json", rounds: 600) { bytes, _ in try JSONRules.check(bytes) },
        FuzzTarget("base64url", rounds: 3000) { bytes, _ in try Base64URLRules.check(bytes) },
        FuzzTarget("token", rounds: 500) { bytes, _ in try TokenRules.check(bytes) },
        FuzzTarget("logline", rounds: 300) { bytes, _ in try LogLineRules.check(bytes) },
        FuzzTarget("logentry", rounds: 500) { bytes, _ in try LogEntryRules.check(bytes) },
        FuzzTarget("configuration", rounds: 100, ConfigurationRules.check),
        FuzzTarget("users", rounds: 150, UsersRules.check),
        FuzzTarget("journal", rounds: 150, JournalRules.check),
        FuzzTarget("revocation", rounds: 150, RevocationRules.check),
        FuzzTarget("connections", rounds: 300) { bytes, _ in
            try ConnectionSharesRules.check(bytes)
        },
        FuzzTarget("login", rounds: 25, LoginRules.check),
        FuzzTarget("seals", rounds: 60) { bytes, _ in try SealRules.check(bytes) },
        FuzzTarget("forgedlog", rounds: 40, ForgedLogRules.check),
        FuzzTarget("evidence", rounds: 6, EvidenceRules.check),
    ]
}

/// A rule that some bytes break.
package struct Violation: Error, Equatable, CustomStringConvertible {
    package let description: String

    init(_ sentence: String) { description = sentence }
}

func require(
    _ condition: Bool, _ sentence: @autoclosure () -> String
) throws(Violation) {
    guard condition else { throw Violation(sentence()) }
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
