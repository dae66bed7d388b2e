import Crypto

/// A parser of untrusted bytes, and the properties that hold for every input.
///
/// The same function runs under libFuzzer (`Tests/Scripts/fuzz.py`) and over the corpus and its
/// mutations (`FuzzTests`). The result depends only on the bytes, so a failure can be reproduced
/// from them. A violated property is thrown as `PropertyFailure`; a trap is a failure as well.
package struct FuzzTarget: Sendable {
    /// The name of the target and of its corpus.
    package let name: String
    /// - Parameters:
    ///   - bytes: the input.
    ///   - folder: a folder for files, used by this call alone.
    package let check: @Sendable (_ bytes: [UInt8], _ folder: String) throws -> Void
    /// The number of mutations that takes about half a second in a debug build.
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

/// A property that an input violates.
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
    /// The bytes as text for messages. Bytes that are not printable ASCII are escaped.
    var shown: String {
        map { byte in
            if (0x20..<0x7F) ~= byte { return "\(Character(Unicode.Scalar(byte)))" }
            let one = [byte]
            return "\\x" + hexadecimal(one.span)
        }
        .joined()
    }

    /// A hash of all bytes (FNV-1a), for choices that do not depend on single bytes.
    var choice: UInt64 {
        reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
    }

    init(copying span: Span<UInt8>) { self = span.indices.map { span[$0] } }
}
