import Crypto
import Foundation
import Manual
import Testing

@testable import App

struct KnownSecretsTests {
    private func problem(_ secret: String) throws -> String? {
        let keys = "[{\"id\":\"a\",\"secret\":\"\(secret)\"}]"
        do {
            _ = try Configuration.load(file: nil, environment: ["GATEHOUSE_TOKEN_KEYS": keys])
            return nil
        } catch {
            return error.problems.map(\.description).joined(separator: "\n")
        }
    }

    @Test(arguments: [
        "secret_key", "SECRET_KEY", "your-256-bit-secret",
        "a-string-secret-at-least-256-bits-long",
        "replace-me-with-the-output-of-gatehouse-secret",
        "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
    ])
    func `a published key is refused for that reason, whatever its length`(secret: String) throws {
        #expect(
            try problem(secret)
                == "token.keys[0]: the secret is printed in the documentation; make one with "
                + "`gatehouse secret`")
    }

    @Test func `the decoded bytes of a published base64url key are refused too`() throws {
        let key =
            "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"
        let bytes = try Base64URL.decoded(Array(key.utf8).span)
        // The first bytes of the decimal representation in RFC 7515 appendix A.1.
        #expect(bytes.prefix(4) == [3, 35, 53, 75])
        #expect(KnownSecrets.contains(bytes))
        #expect(!KnownSecrets.contains(bytes + [0]))
    }

    /// README, the example, and every page of the manual.
    private static let documentation: [String] = {
        var folder = URL(filePath: #filePath)
        for _ in 0..<3 { folder.deleteLastPathComponent() }
        return ["README.md", "config.example.json"].compactMap {
            try? String(contentsOf: folder.appending(path: $0), encoding: .utf8)
        } + ManualPage.all.map(\.text)
    }()

    @Test func `every key in the documentation is refused`() throws {
        #expect(Self.documentation.count > 20)
        for secret in Self.documentation.flatMap(Self.secrets) where !Self.isName(secret) {
            #expect(try problem(secret) != nil, "\(secret)")
        }
    }

    @Test func `every word of the documentation that is as long as a key is refused`() throws {
        let words = Self.documentation.flatMap {
            $0.matches(of: #/[A-Za-z0-9_\-]{32,}/#).map { String($0.0) }
        }
        #expect(!words.isEmpty)
        for word in words where !Self.isName(word) {
            #expect(KnownSecrets.contains(Array(word.utf8)), "\(word)")
        }
    }

    /// A metric, or the anchor of a heading: words, not random bytes.
    private static func isName(_ word: String) -> Bool {
        word.wholeMatch(of: #/gatehouse_[a-z_]+|[a-z]+(-[a-z]+)+/#) != nil
            && !word.hasPrefix("replace-me")
    }

    /// The secrets in JSON, and text with the shape of one that `gatehouse secret` prints.
    private static func secrets(in text: String) -> [String] {
        text.matches(of: #/"secret"\s*:\s*"([^"…]+)"/#).map { String($0.1) }
            + text.matches(of: #/[A-Za-z0-9_\-]+/#).map { String($0.0) }
            .filter { $0.utf8.count == 43 }
    }

    @Test func `keys are found in a text by their form`() throws {
        let shape = "hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG-Onbc6mxCcYg"
        #expect(
            Self.secrets(in: "x {\"secret\" : \"abc def\"} `\(shape)` \(shape)x")
                == ["abc def", shape])
    }
}
